//! The keeper of a server as one of our own processes.

use nodepanel_types::{
    Millis, ServerId, Timestamp,
    component::{Component, ComponentState, Role, Supervision},
};

/// A keeper and its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// Its process.
    pub pid: Option<u32>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// How often it was lost and replaced since the agent was started.
    pub restarts: u64,
    /// From the last loss to the game's next process, in milliseconds.
    pub last_recovery_ms: Option<Millis>,
    /// How the one before it ended, in words.
    pub last_exit: Option<String>,
}

impl Keeper {
    /// As `nodepanel status` shows it.
    ///
    /// `older` says why it is of an older build than it could be.
    pub fn component(&self, server: ServerId, name: &str, older: Option<&str>) -> Component {
        let shim = format!("shim-{}", server.short());
        let doubt = older.filter(|_| self.pid.is_some()).map(|why| {
            format!("The process {shim} is of an older build until the server is started again, or it can go on. {why}")
        });
        Component {
            name: shim,
            role: Role::Shim,
            pid: self.pid,
            state: if self.pid.is_some() { ComponentState::Ready } else { ComponentState::BackingOff },
            started_at: self.started_at,
            restarts: self.restarts,
            last_recovery_ms: self.last_recovery_ms,
            last_exit: self.last_exit.clone(),
            detail: Some(format!("keeps the game server \u{201c}{name}\u{201d}")),
            supervision: Supervision { doubts: doubt.into_iter().collect(), ..Supervision::default() },
        }
    }
}
