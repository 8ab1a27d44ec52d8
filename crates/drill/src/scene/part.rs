//! One process of the installation, held so that its end is seen when it comes.

use std::time::Duration;

use nodepanel_supervise::process::{Process, Signal};
use nodepanel_types::component::Component;
use tokio::time::{Instant, timeout};

use super::PATIENCE;
use crate::error::DrillError;

/// A process.
#[derive(Debug)]
pub struct Part {
    name: String,
    process: Process,
}

impl Part {
    /// The process of a component; `None` when it does not run.
    pub fn of(component: &Component) -> Result<Option<Self>, DrillError> {
        let Some(pid) = component.pid else { return Ok(None) };
        Ok(Process::open(pid)?.map(|process| Self { name: component.name.clone(), process }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends SIGKILL.
    pub fn kill(&self) -> Result<(), DrillError> {
        self.process.signal(Signal::KILL)?;
        Ok(())
    }

    /// Stops it in the middle of whatever it does, as a hang would.
    pub fn freeze(&self) -> Result<(), DrillError> {
        self.process.signal(Signal::STOP)?;
        Ok(())
    }

    /// Lets one that was stopped go on.
    pub fn go_on(&self) -> Result<(), DrillError> {
        self.process.signal(Signal::CONT)?;
        Ok(())
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Result<(), DrillError> {
        let begun = Instant::now();
        match timeout(PATIENCE, self.process.ended()).await {
            Ok(ending) => {
                ending?;
                Ok(())
            }
            Err(_) => Err(self.late(begun.elapsed())),
        }
    }

    fn late(&self, waited: Duration) -> DrillError {
        DrillError::Late { what: format!("the end of {}", self.name), waited }
    }
}
