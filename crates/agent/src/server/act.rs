//! Carries out the steps that the plan decides on. Progress is on disk before anything that it speaks of is done.

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::PathBuf, sync::Arc};

use nodepanel_shim::Subject;
use nodepanel_types::{JobId, state::Exit};
use rustix::fs::{Gid, Uid};

use super::{
    Feed, Server,
    task::{Spawned, Task},
};
use crate::{
    cgroup::Group,
    handler::lost,
    home::make_passable,
    install,
    node::Node,
    plan::{self, Accounted, End, Step},
    runtime::{RunOrder, RunState, Running, RuntimeError},
};

impl Task {
    pub(super) async fn act(&mut self, step: Step) {
        let now = self.node.clock.now();
        match step {
            Step::Wait { .. } => {}
            Step::Begin => {
                self.turn_at = None;
                let process = self.process_now();
                let notes = plan::begin(&mut self.progress, &self.wanted, &process, now);
                self.changed(notes);
            }
            Step::Account => self.account().await,
            Step::AcceptInstall => {
                let job = JobId::from_uuid(self.node.ids.uuid());
                plan::accept_install(&mut self.progress, &self.wanted, job);
                self.changed([]);
            }
            Step::Install => self.install().await,
            Step::EndInstall => {
                if let Some(job) = &self.job {
                    job.cancel.cancel();
                }
            }
            Step::PauseInstall => {
                if let Some(job) = self.job.take() {
                    job.done.abort();
                }
                let step = self.server.install().borrow().clone();
                if let Feed::Live(run) = step {
                    // Asked for, so that the step is begun again when the installation is taken up.
                    let _ = run.kill().await;
                }
                self.resume_install = true;
            }
            Step::Start => self.start().await,
            Step::Stop => {
                let kill_at = plan::stop_sent(&mut self.progress, &self.wanted, now);
                self.changed([]);
                self.save().await;
                let timeout = kill_at.since(now);
                self.tell_run(move |run| async move { run.stop(timeout).await }, "stop");
            }
            Step::Kill => {
                let note = plan::kill_sent(&mut self.progress, now);
                self.changed(note);
                // Kill first: it must not wait for a disk.
                self.tell_run(move |run| async move { run.kill().await }, "kill");
                self.save().await;
            }
            Step::Delete => self.delete().await,
        }
    }

    /// Passes a request on to the run, without waiting for its answer.
    fn tell_run<F, A>(&self, ask: A, what: &'static str)
    where
        A: FnOnce(Arc<dyn Running>) -> F + Send + 'static,
        F: Future<Output = Result<(), RuntimeError>> + Send + 'static,
    {
        let Some(run) = self.run.clone() else { return };
        let server = self.server.id;
        tokio::spawn(async move {
            if let Err(error) = ask(run).await {
                // The plan looks again and repeats it.
                tracing::warn!(server.id = %server, error = error.in_full(), "A {what} did not reach its server");
            }
        });
    }

    async fn start(&mut self) {
        let now = self.node.clock.now();
        self.turn_at = None;
        let (_, restarted) = plan::start_begun(&mut self.progress, &self.node.boot, now);
        self.changed(restarted);
        self.save().await;
        let order = self.order();
        let (node, server, desired) = (Arc::clone(&self.node), Arc::clone(&self.server), Arc::clone(&self.desired));
        self.keeper.started_at = Some(now);
        self.spawning = Some(tokio::spawn(async move {
            if let Err(error) = prepare(&node, &server, &desired).await {
                return Spawned::Started(Err(error));
            }
            Spawned::Started(node.runtime.start(order).await)
        }));
    }

    fn order(&self) -> RunOrder {
        let (node, server, desired) = (&self.node, &self.server, &self.desired);
        let launch = &desired.launch;
        RunOrder {
            place: self.server.place(),
            subject: Subject::Server,
            home: server.layout.files(),
            command: launch.command.clone(),
            env: launch.env.clone(),
            console: launch.console,
            ready: launch.ready.clone(),
            ready_timeout_ms: launch.ready_timeout_ms,
            endpoints: desired.endpoints.clone(),
            stop: launch.stop.clone(),
            stop_timeout_ms: launch.stop_timeout_ms,
            user: node.own_users.then_some(server.uid),
            group: Group::of(&node.groups, server.id).map(|group| (group, desired.limits)),
            confined: true,
            read_paths: launch.read_paths.iter().map(PathBuf::from).collect(),
        }
    }

    pub(super) fn spawned(&mut self, result: Option<Spawned>) {
        self.spawning = None;
        match result {
            Some(Spawned::Recovered(recovered)) => {
                let mut progress = std::mem::take(&mut self.progress);
                self.take_up(&mut progress, recovered);
                self.progress = progress;
            }
            Some(Spawned::Started(Ok(run))) => {
                if let Some(lost_at) = self.lost_at.take() {
                    self.keeper.last_recovery_ms = Some(self.node.clock.now().since(lost_at));
                }
                self.attach(run);
            }
            Some(Spawned::Started(Err(error))) => {
                tracing::warn!(server.id = %self.server.id, error = error.in_full(), "A server cannot be started");
                self.end = Some(self.end_without_witness(spawn_failed(error.for_owner())));
            }
            None => self.end = Some(self.end_without_witness(spawn_failed("the agent's task ended".to_owned()))),
        }
    }

    /// Takes note of how the run ended, and lets its keeper go.
    async fn account(&mut self) {
        let end = match (&self.end, &self.state) {
            (Some(end), _) => end.clone(),
            (None, Some(state)) => match &*state.borrow() {
                RunState::Ended(end) => end.clone(),
                RunState::Alive { .. } => return,
            },
            (None, None) => return,
        };
        if end.exit == Exit::KeeperLost {
            self.keeper.restarts += 1;
            self.keeper.last_exit = Some("was killed, and its game with it".to_owned());
            self.lost_at = Some(end.at);
        }
        let end = End { started_at: end.started_at, exit: end.exit, asked: end.asked, killed: end.killed, at: end.at };
        let Accounted { note, follows } = plan::account(&mut self.progress, &self.wanted, &end);
        self.changed([note]);
        self.lost_keys = Some(lost());
        self.save().await;
        self.end = None;
        self.state = None;
        self.keeper.pid = None;
        self.server.console().send_replace(Feed::Pause);
        self.server.keeper().send_replace(self.lost_at.map(|_| self.keeper.clone()));
        if let Some(run) = self.run.take() {
            if let Some(line) = follows {
                let _ = run.say(&line).await;
            }
            run.release().await;
        }
        self.node.runtime.forget(&self.server.place()).await;
    }

    async fn install(&mut self) {
        let now = self.node.clock.now();
        let resumed = std::mem::take(&mut self.resume_install);
        let note = plan::install_begun(&mut self.progress, resumed, now);
        self.changed(note);
        self.save().await;
        let Some(current) = &self.progress.install.current else { return };
        self.job = Some(install::Job::start(install::JobConfig {
            node: Arc::clone(&self.node),
            server: Arc::clone(&self.server),
            desired: Arc::clone(&self.desired),
            started_at: current.started_at.unwrap_or(now),
            attempt: current.attempt,
            resumed,
        }));
    }

    pub(super) fn installed(&mut self, outcome: Option<install::Outcome>) {
        self.job = None;
        let crashed = || install::Outcome {
            failure: Some("the agent's own task for it ended unexpectedly; see the agent's log.".to_owned()),
            retry: true,
        };
        let outcome = outcome.unwrap_or_else(crashed);
        let now = self.node.clock.now();
        let note = plan::install_finished(&mut self.progress, outcome.failure, outcome.retry, now);
        self.changed(note);
    }

    async fn delete(&mut self) {
        let generation = self.progress.removing.unwrap_or(u64::MAX >> 1);
        self.note(plan::removed(&self.desired.name));
        self.save().await;
        if self.node.db.entomb(self.server.id, generation).await.is_err() {
            // Without its tombstone on disk it would come back; the next look tries again.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            return;
        }
        let (root, group) = (self.server.layout.root().to_owned(), Group::of(&self.node.groups, self.server.id));
        let deletion = tokio::task::spawn_blocking(move || erase(&root, group.as_ref())).await;
        if let Ok(Err(error)) = deletion {
            tracing::error!(server.id = %self.server.id, %error, "The files of a removed server cannot be deleted; the next start of the agent tries again");
        }
        self.server.console().send_replace(Feed::Closed);
        self.deleted = true;
        self.node.forget(self.server.id, generation);
    }
}

fn spawn_failed(message: String) -> Exit {
    Exit::SpawnFailed { message }
}

/// Deletes everything of a server. Blocks.
pub(crate) fn erase(root: &std::path::Path, group: Option<&Group>) -> io::Result<()> {
    if let Some(group) = group {
        group.kill();
        let _ = group.remove_empty();
    }
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the game's directory and writes the files that every start writes.
async fn prepare(
    node: &Node,
    server: &Arc<Server>,
    desired: &nodepanel_types::wire::DesiredServer,
) -> Result<(), RuntimeError> {
    let files = server.layout.files();
    let failed = |source: io::Error| RuntimeError::Prepare { path: files.clone(), source };
    make_home(node, server).await.map_err(failed)?;
    if desired.launch.files.is_empty() {
        return Ok(());
    }
    let (root, specs) = (files.clone(), desired.launch.files.clone());
    let owner = node.own_users.then_some(server.uid);
    let write = move || specs.iter().try_for_each(|file| install::write_file(&root, file, owner));
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(io::Error::other(error))),
        Err(_) => Err(RuntimeError::Closing),
    }
}

/// Makes the directory that belongs to the game, if it is missing.
pub(crate) async fn make_home(node: &Node, server: &Arc<Server>) -> io::Result<()> {
    let (root, files) = (server.layout.root().to_owned(), server.layout.files());
    let owner = node.own_users.then_some(server.uid);
    let work = move || {
        make_passable(&root)?;
        match fs::DirBuilder::new().mode(0o750).create(&files) {
            Ok(()) => {
                if let Some(id) = owner {
                    let directory = fs::File::open(&files)?;
                    rustix::fs::fchown(&directory, Some(Uid::from_raw(id)), Some(Gid::from_raw(id)))?;
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
