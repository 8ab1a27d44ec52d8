//! The rounds: asks every running game now and then, several at a time, and writes the answers into the census.
//!
//! Only a server's own endpoints are asked. A game that does not answer costs a turn for two seconds and nothing else.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::{
    ServerId,
    clock::IdSource,
    state::{Phase, Run},
    wire::{DesiredServer, QueryKind},
};
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::{Census, Players, QueryError, ask};
use crate::node::Node;

/// How often is looked for games whose turn it is.
const TICK: Duration = Duration::from_millis(500);
/// Games that are asked at a time.
const AT_ONCE: usize = 32;

/// The pause between two questions to one game.
const fn pause(kind: QueryKind) -> Duration {
    match kind {
        // Writes two lines into its console for everybody who asks.
        QueryKind::Openttd => Duration::from_secs(60),
        _ => Duration::from_secs(10),
    }
}

/// A game that can be asked.
#[derive(Debug, Clone, Copy)]
struct Game {
    server: ServerId,
    run: Run,
    kind: QueryKind,
    address: SocketAddr,
}

/// When a game is asked again.
#[derive(Debug, Clone, Copy)]
struct Turn {
    run: Run,
    /// `None` while it is being asked.
    next: Option<Instant>,
}

type Answer = (Game, Result<Players, QueryError>);

/// Asks until the agent ends.
pub async fn rounds(node: Arc<Node>, census: Arc<Census>) {
    let closing = node.closing.clone();
    let mut turns: HashMap<ServerId, Turn> = HashMap::new();
    let mut asked: JoinSet<Answer> = JoinSet::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            _ = tick.tick() => {
                let games = games(&node);
                let running: HashSet<ServerId> = games.iter().map(|game| game.server).collect();
                turns.retain(|server, _| running.contains(server));
                census.keep(&running);
                for game in due(games, &turns, AT_ONCE.saturating_sub(asked.len())) {
                    turns.insert(game.server, Turn { run: game.run, next: None });
                    asked.spawn(async move { (game, ask(game.kind, game.address).await) });
                }
            }
            Some(Ok((game, answer))) = asked.join_next() => {
                let (now, pause) = (Instant::now(), pause(game.kind));
                match answer {
                    // One lost answer leaves the last one standing, a second one does not.
                    Ok(players) => census.note(game.server, game.run, players, now + pause * 5 / 2),
                    Err(error) => tracing::debug!(server.id = %game.server, %error, "Players unknown"),
                }
                if let Some(turn) = turns.get_mut(&game.server).filter(|turn| turn.run == game.run) {
                    turn.next = Some(now + jittered(pause, node.ids.as_ref()));
                }
            }
        }
    }
}

/// The games that run and can be asked.
fn games(node: &Node) -> Vec<Game> {
    let game = |server: &Arc<crate::server::Server>| {
        let desired = server.desired();
        let (kind, address) = place(&desired)?;
        let Phase::Running { run, .. } = server.observed().phase else { return None };
        Some(Game { server: server.id, run, kind, address })
    };
    node.all().iter().filter_map(game).collect()
}

/// Where and how a server is asked.
fn place(desired: &DesiredServer) -> Option<(QueryKind, SocketAddr)> {
    let query = desired.query.as_ref()?;
    let endpoint = desired.endpoints.iter().find(|endpoint| endpoint.name == query.endpoint)?;
    let address = match endpoint.address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    Some((query.kind, SocketAddr::new(address, endpoint.port)))
}

/// Those whose turn it is, at most `room`, the longest waiting first; a run that was never asked waits longest.
fn due(games: Vec<Game>, turns: &HashMap<ServerId, Turn>, room: usize) -> Vec<Game> {
    let now = Instant::now();
    let mut due: Vec<(Option<Instant>, Game)> = games
        .into_iter()
        .filter_map(|game| match turns.get(&game.server) {
            Some(turn) if turn.run == game.run => turn.next.filter(|next| *next <= now).map(|next| (Some(next), game)),
            _ => Some((None, game)),
        })
        .collect();
    due.sort_by_key(|(next, _)| *next);
    due.truncate(room);
    due.into_iter().map(|(_, game)| game).collect()
}

/// Within a tenth of `pause`, so that games that were started together are not asked together for ever.
fn jittered(pause: Duration, ids: &dyn IdSource) -> Duration {
    let mut byte = [0];
    ids.fill(&mut byte);
    pause * (230 + u32::from(u8::from_be_bytes(byte)) / 5) / 256
}
