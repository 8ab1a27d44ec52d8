//! From the request to start a server until its process is spawned, and until the panel knows that it runs.
//!
//! The process says itself when it was born: its first instruction reads the clock. So the figure includes everything,
//! the loading of the program too.

use anyhow::Context as _;
use nodepanel_types::{
    ServerId,
    api::{ApiEvent, Power, ServerView},
    state::{PowerAction, ServerState},
};

use crate::{
    client::Events,
    clock::{millis_between, nanos},
    console::Console,
    figure::Figure,
    installation::Installation,
};

const ROUNDS: usize = 50;

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let installation = Installation::start().await?;
    let mut client = installation.client().await?;
    let server = installation.bench_game(&mut client).await?;
    let mut events = installation.client().await?.events().await?;
    let mut console = Console::open(installation.address(), installation.token(), server, 0).await?;
    let power = format!("/api/v1/servers/{server}/power");

    let (mut answered, mut spawned, mut running) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let asked = nanos();
        let _: ServerView = client.post(&power, &Power { action: PowerAction::Start }).await?;
        answered.push(millis_between(asked, nanos()));
        let (_, born) = console.line("born ").await?;
        spawned.push(millis_between(asked, born.parse().context("the game was born at no time")?));
        running.push(millis_between(asked, told(&mut events, server, ServerState::Running).await?));
        let _: ServerView = client.post(&power, &Power { action: PowerAction::Stop }).await?;
        told(&mut events, server, ServerState::Stopped).await?;
    }
    Ok(vec![
        Figure::of("start: request to the process spawned", "ms", spawned)?.aim("<= 30 ms"),
        Figure::of("start: request to `running` on the event stream", "ms", running)?,
        Figure::of("start: request to its answer", "ms", answered)?,
    ])
}

/// When the event stream says that the server is in this state.
async fn told(events: &mut Events, server: ServerId, state: ServerState) -> anyhow::Result<i64> {
    loop {
        let (came, event) = events.next().await?;
        if let ApiEvent::Server { server: view } = event
            && view.id == server
            && view.state == state
        {
            return Ok(came);
        }
    }
}
