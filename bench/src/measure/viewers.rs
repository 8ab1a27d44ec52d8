//! Lines a second of one console with ten viewers, while its game writes as fast as it can.
//!
//! A viewer that is slower than the game is told which lines it misses; those are counted, not passed over.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use nodepanel_types::{
    api::{Command, CommandSent, Power, ServerView},
    state::{PowerAction, ServerState},
    wire::ConsoleFrame,
};
use tokio::time::timeout;

use crate::{
    clock::{millis_between, nanos},
    console::Console,
    figure::Figure,
    installation::{Installation, wait_for},
};

const VIEWERS: usize = 10;
const ROUNDS: usize = 5;
const LINES: u64 = 50_000;
const PATIENCE: Duration = Duration::from_secs(40);

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let installation = Installation::start().await?;
    let mut client = installation.client().await?;
    let server = installation.bench_game(&mut client).await?;
    let path = format!("/api/v1/servers/{server}");
    let _: ServerView = client.post(&format!("{path}/power"), &Power { action: PowerAction::Start }).await?;
    wait_for(&mut client, server, ServerState::Running).await?;
    let mut viewers = Vec::with_capacity(VIEWERS);
    for _ in 0..VIEWERS {
        let mut console = Console::open(installation.address(), installation.token(), server, 0).await?;
        console.caught_up().await?;
        viewers.push(console);
    }

    let (mut rates, mut missed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let line = format!("flood {LINES}");
        let _: CommandSent = client.post(&format!("{path}/command"), &Command { line }).await?;
        let views = timeout(PATIENCE, try_join_all(viewers.iter_mut().map(view)));
        for view in views.await.context("the lines do not arrive")?? {
            rates.push(view.per_second());
            missed.push(view.percent_missed());
        }
    }
    Ok(vec![
        Figure::of(format!("console: lines to each of {VIEWERS} viewers of a flood"), "1/s", rates)?,
        Figure::of(format!("console: lines that each of {VIEWERS} viewers misses, announced"), "%", missed)?,
    ])
}

/// What one viewer got of one flood.
struct View {
    begin: i64,
    end: i64,
    lines: u64,
    missed: u64,
}

impl View {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand lines")]
    fn per_second(&self) -> f64 {
        self.lines as f64 / (millis_between(self.begin, self.end) / 1000.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand lines")]
    fn percent_missed(&self) -> f64 {
        100.0 * self.missed as f64 / (self.lines + self.missed) as f64
    }
}

/// Reads one flood to its last line.
async fn view(console: &mut Console) -> anyhow::Result<View> {
    let mut view = View { begin: nanos(), end: 0, lines: 0, missed: 0 };
    while view.lines + view.missed < LINES {
        let (came, text) = console.message().await?;
        for frame in text.lines() {
            // Cheap on purpose: the viewers share the machine with what they measure.
            if frame.starts_with("{\"n\"") && frame.contains("Somebody walked") {
                view.lines += 1;
                view.end = came;
            } else if frame.starts_with("{\"gap\"")
                && let ConsoleFrame::Gap { gap } = serde_json::from_str(frame)?
            {
                view.missed += gap.to + 1 - gap.from;
                view.end = came;
            }
        }
    }
    Ok(view)
}
