//! One worker of the plan with what the supervisor holds of it: its life, its process, its connection, its log.

use std::{ffi::OsString, io, path::Path, sync::Arc, time::Duration};

use nodepanel_types::{
    Millis, Timestamp, WorkerId,
    component::{Component, Supervision},
};

use super::connections::ConnectionId;
use crate::{
    ceiling::Watch,
    configuration::CONFIGURATION,
    lifecycle::{Lifecycle, Past, Phase},
    plan::WorkerSpec,
    process::{Launch, Process, ProcessError},
    record::ProcessRecord,
    sockets::Sockets,
    worker::{RUN_DIR, WORKER_NAME},
    worker_log::WorkerLog,
};

/// A place in the plan and whoever fills it.
pub(super) struct Slot {
    pub(super) spec: WorkerSpec,
    pub(super) life: Lifecycle,
    pub(super) process: Option<Arc<Process>>,
    /// Tells the end of the present process from the late news of an earlier one.
    pub(super) generation: u64,
    pub(super) started_at: Option<Timestamp>,
    pub(super) worker_id: Option<WorkerId>,
    pub(super) connection: Option<ConnectionId>,
    /// The watch over what the present process holds.
    pub(super) held: Watch,
    /// Where what the process before this one did while it hung is kept.
    pub(super) examined: Option<String>,
    pub(super) children: Vec<Component>,
    pub(super) log: WorkerLog,
}

impl Slot {
    /// The place of `spec`, with the past that the record knows.
    pub(super) fn new(spec: WorkerSpec, recorded: Option<&ProcessRecord>, data_dir: &Path) -> io::Result<Self> {
        let past = recorded.map_or_else(Past::default, |recorded| Past {
            restarts: recorded.restarts,
            last_recovery: recorded.last_recovery_ms.map(Duration::from_millis),
            last_exit: recorded.last_exit.clone(),
        });
        let log = WorkerLog::open(data_dir, &spec.name)?;
        Ok(Self {
            life: Lifecycle::new(spec.timing, past),
            spec,
            process: None,
            generation: 0,
            started_at: None,
            worker_id: None,
            connection: None,
            held: Watch::default(),
            examined: None,
            children: Vec::new(),
            log,
        })
    }

    /// Starts a process with its sockets.
    pub(super) fn start(&self, sockets: &Sockets, run_dir: &Path) -> Result<Process, ProcessError> {
        let failed = |source| ProcessError::Start { program: self.spec.program.clone(), source };
        let own: [(OsString, OsString); 2] =
            [(WORKER_NAME.into(), self.spec.name.clone().into()), (RUN_DIR.into(), run_dir.as_os_str().to_owned())];
        let mut launch = Launch::new(&self.spec.program)
            .args(&self.spec.args)
            .envs(self.spec.env.iter().cloned())
            .envs(own)
            .envs(self.spec.configuration.iter().map(|copy| (CONFIGURATION, copy)))
            .stdout(self.log.stream().map_err(failed)?)
            .stderr(self.log.stream().map_err(failed)?);
        for name in &self.spec.sockets {
            if let Some(socket) = sockets.get(name) {
                launch = launch.socket(name, socket.try_clone().map_err(failed)?);
            }
        }
        launch.start()
    }

    /// What the next supervisor must know.
    pub(super) fn record(&self) -> ProcessRecord {
        let past = self.life.past();
        ProcessRecord {
            name: self.spec.name.clone(),
            role: self.spec.role,
            identity: self.process.as_ref().map(|process| process.identity().clone()),
            worker_id: self.worker_id,
            started_at: self.started_at,
            ready: self.life.was_ready() && matches!(self.life.phase(), Phase::Serving | Phase::Degraded { .. }),
            restarts: past.restarts,
            last_recovery_ms: past.last_recovery.map(millis),
            last_exit: past.last_exit.clone(),
        }
    }

    /// What people see.
    pub(super) fn component(&self) -> Component {
        let past = self.life.past();
        Component {
            name: self.spec.name.clone(),
            role: self.spec.role,
            pid: self.process.as_ref().map(|process| process.pid()),
            state: self.life.state(),
            started_at: self.started_at.filter(|_| self.process.is_some()),
            restarts: past.restarts,
            last_recovery_ms: past.last_recovery.map(millis),
            last_exit: past.last_exit.clone(),
            detail: self.life.detail(),
            supervision: Supervision::default(),
        }
    }
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
