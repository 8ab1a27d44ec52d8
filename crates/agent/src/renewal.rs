//! Having the shims of this machine go on as the build that is installed, once that has proven itself.
//!
//! One shim at a time, and none before the supervisor has remembered the build as proven: a build that is taken back was
//! never a shim. A shim that does not take it goes on as it is, is asked again now and then, and shows as doubtful. The
//! shims of installations are left out: they end soon.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nodepanel_supervise::build::{Builds, Print};
use nodepanel_types::{ServerId, wire::ActivityKind};
use tokio::time::Instant;

use crate::{
    node::Node,
    plan::Note,
    runtime::Running,
    server::{Feed, Server},
};

/// How often it is looked whether a shim is of another build.
const ROUND: Duration = Duration::from_secs(2);
/// When a shim that did not go on is asked again.
const AGAIN: Duration = Duration::from_secs(60);

/// What a round of renewals did.
#[derive(Debug, Default)]
struct Done {
    shims: usize,
    /// The longest time that nobody kept a game.
    longest: Duration,
}

/// Renews shims until the agent ends. `program` is what shims are started as.
pub async fn keep_up(node: Arc<Node>, data_dir: PathBuf, program: PathBuf) {
    let mut refused = HashMap::new();
    let closing = node.closing.clone();
    while closing.run_until_cancelled(tokio::time::sleep(ROUND)).await.is_some() {
        let older = older(&node, &program, &refused);
        let Some((build, older)) = older.filter(|(_, older)| !older.is_empty()) else { continue };
        let directory = data_dir.clone();
        // Read only when there is something to do.
        let proven = tokio::task::spawn_blocking(move || Builds::open(&directory).is_proven(build)).await;
        if !matches!(proven, Ok(true)) {
            continue;
        }
        let begun = Instant::now();
        let mut done = Done::default();
        for (server, run) in older {
            match run.renew(&program, build).await {
                Ok(took) => {
                    server.set_older_build(None);
                    done.shims += 1;
                    done.longest = done.longest.max(took);
                }
                Err(error) => {
                    tracing::warn!(server.id = %server.id, %error, "a shim goes on as an older build");
                    server.set_older_build(Some(error.in_full()));
                    refused.insert(server.id, Instant::now() + AGAIN);
                }
            }
            if closing.is_cancelled() {
                break;
            }
        }
        refused.retain(|_, again| *again > Instant::now());
        if done.shims > 0 {
            node.note(done.note(begun.elapsed())).await;
        }
    }
}

/// The build that is installed, and the runs whose shims are of another one and may be asked now.
type Older = (Print, Vec<(Arc<Server>, Arc<dyn Running>)>);

fn older(node: &Node, program: &Path, refused: &HashMap<ServerId, Instant>) -> Option<Older> {
    let build = Print::of(program).ok()?;
    let now = Instant::now();
    let run = |server: Arc<Server>| match server.console().borrow().clone() {
        Feed::Live(run) if run.build() == Some(build) => {
            server.set_older_build(None);
            None
        }
        Feed::Live(run) if refused.get(&server.id).is_none_or(|again| *again <= now) => {
            Some((Arc::clone(&server), run))
        }
        _ => None,
    };
    Some((build, node.all().into_iter().filter_map(run).collect()))
}

impl Done {
    fn note(&self, took: Duration) -> Note {
        let (who, games) = match self.shims {
            1 => ("The shim of 1 game server goes".to_owned(), "it"),
            count => (format!("The shims of {count} game servers go"), "them"),
        };
        Note {
            kind: ActivityKind::Recovery,
            text: format!(
                "{who} on as the new build, which has proven itself, without interrupting {games} (the longest pause was \
                 {} ms).",
                self.longest.as_millis()
            ),
            took_ms: Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            automatic: true,
        }
    }
}
