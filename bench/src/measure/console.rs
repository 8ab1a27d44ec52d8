//! From the game's write of a line to its arrival at a viewer's websocket.

use nodepanel_types::{
    api::{Command, CommandSent, Power, ServerView},
    state::{PowerAction, ServerState},
};

use crate::{
    clock::millis_between,
    console::Console,
    figure::Figure,
    installation::{Installation, wait_for},
};

const LINES: usize = 2_000;
/// 400 lines a second: a busy game, and none that hurries.
const APART_MICROS: u32 = 2_500;

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let installation = Installation::start().await?;
    let mut client = installation.client().await?;
    let server = installation.bench_game(&mut client).await?;
    let path = format!("/api/v1/servers/{server}");
    let _: ServerView = client.post(&format!("{path}/power"), &Power { action: PowerAction::Start }).await?;
    wait_for(&mut client, server, ServerState::Running).await?;
    let mut console = Console::open(installation.address(), installation.token(), server, 0).await?;
    console.caught_up().await?;

    let line = format!("tick {LINES} {APART_MICROS}");
    let _: CommandSent = client.post(&format!("{path}/command"), &Command { line: line.clone() }).await?;
    let mut took = Vec::with_capacity(LINES);
    while took.len() < LINES {
        let (came, written) = console.line("tick ").await?;
        // The typed command is a line of the console as well.
        if let Ok(written) = written.parse() {
            took.push(millis_between(written, came));
        }
    }
    Ok(vec![Figure::of("console: the game's write to the viewer's socket", "ms", took)?.aim("p50 <= 5 ms")])
}
