//! How a server gets its task: new from the control plane, or taken over from an earlier agent.

use std::sync::{Arc, PoisonError};

use nodepanel_types::{
    JobId, Timestamp,
    state::Phase,
    wire::{DesiredServer, ObservedServer},
};

use super::{Server, Task, TaskConfig};
use uuid::Uuid;

use crate::{
    node::Node,
    plan::Progress,
    runtime::{Recovered, RunPlace},
};

/// Takes up a server that this agent has no record of. It looks for a run of it all the same: the record may be lost.
pub(crate) fn admit(node: &Arc<Node>, desired: DesiredServer, uid: u32) {
    begin(node, desired, uid, Progress::default(), None, None, false);
}

/// Takes up a server from its record. `recovered` is what was found of its last run; `None` when that is not known yet.
/// `turn_at` is its turn among those that are started after a boot.
pub(crate) fn take_over(
    node: &Arc<Node>,
    desired: DesiredServer,
    uid: u32,
    progress: Progress,
    recovered: Option<Recovered>,
    turn_at: Option<Timestamp>,
) {
    let looking = recovered.is_none();
    begin(node, desired, uid, progress, recovered, turn_at, looking);
}

fn begin(
    node: &Arc<Node>,
    desired: DesiredServer,
    uid: u32,
    progress: Progress,
    recovered: Option<Recovered>,
    turn_at: Option<Timestamp>,
    looking: bool,
) {
    let observed = ObservedServer {
        server: desired.server,
        generation: desired.generation,
        power_serial: progress.power_serial,
        phase: first_phase(&desired, &progress),
        looking,
        since: node.clock.now(),
        install: progress.install.state(),
        automatic_restarts: progress.automatic_restarts,
        notice: None,
    };
    let layout = node.layout.server(desired.server);
    let (server, ends) = Server::new(layout, uid, desired, observed);
    node.servers.write().unwrap_or_else(PoisonError::into_inner).insert(server.id, Arc::clone(&server));
    let config = TaskConfig { node: Arc::clone(node), server, ends, progress, recovered, turn_at };
    let known = config.recovered.is_some();
    let mut task = Task::new(config);
    if known {
        // Whoever looks from now on sees what runs, not what was said until somebody looked.
        task.publish();
    }
    node.tasks.spawn(task.run());
}

/// What is said until the task has looked.
fn first_phase(desired: &DesiredServer, progress: &Progress) -> Phase {
    if desired.install_serial > progress.install.finished {
        let job = progress.install.current.as_ref().map_or_else(|| JobId::from_uuid(Uuid::nil()), |job| job.job);
        return Phase::Installing { job, attempt: 1, step: "waiting for its turn".to_owned(), percent: 0 };
    }
    if progress.run.is_some() {
        // It was begun, and nobody has seen its end.
        return Phase::Starting { run: None };
    }
    Phase::Stopped { reason: progress.stopped.clone() }
}

impl Server {
    /// Where its run is kept.
    pub(crate) fn place(&self) -> RunPlace {
        RunPlace { server: self.id, state_dir: self.layout.shim(), log_dir: self.layout.log() }
    }
}
