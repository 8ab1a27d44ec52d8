//! One API server stalls by its own doing: its event loop runs in a circle, or waits for what never comes. Unlike one
//! that is stopped it goes on to hold its locks and its processor.
//!
//! The binary has no such fault, and no switch for one that somebody could find. The fault is put into the one process:
//! its event loop waits in the kernel (`epoll_wait`), which tells where it will go on
//! (`/proc/<pid>/task/<tid>/syscall`), and there the drill writes a few instructions (`/proc/<pid>/mem`; the kernel
//! gives that process a page of its own). It takes the right to debug the process, which is the right to kill it
//! anyway.

use std::{fs, os::unix::fs::FileExt as _, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};

use super::pick;
use crate::{error::DrillError, scene::Scene};

/// How long the event loop may be busy before it is seen to wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(1);

/// What the event loop does from then on.
#[derive(Debug, Clone, Copy)]
pub enum Stall {
    /// Runs in a circle, with all of a processor.
    Spin,
    /// Waits for ever, as for a lock that nobody gives back.
    Wait,
}

/// Stalls one; times until the supervisor has ended it and until its replacement answers, as for one that is stopped.
pub async fn once(scene: &Scene, repetition: u32, stall: Stall) -> Result<Vec<Duration>, DrillError> {
    let (victim, all) = pick(scene, repetition).await?;
    scene.announce(&victim, stall.drill()).await?;
    let begun = stall.begin(victim.pid()).await?;
    let (ended, answered) = tokio::join!(async { victim.ended().await.map(|()| begun.elapsed()) }, async {
        scene.new_api_server(&all).await.map(|()| begun.elapsed())
    });
    Ok(vec![ended?, answered?])
}

impl Stall {
    const fn drill(self) -> &'static str {
        match self {
            Self::Spin => "api-spins",
            Self::Wait => "api-deadlocked",
        }
    }

    /// Has the event loop of a process stall the next time that it wakes up, which under load is at once.
    async fn begin(self, pid: u32) -> Result<Instant, DrillError> {
        let memory = PathBuf::from(format!("/proc/{pid}/mem"));
        let failed = |source| DrillError::File { path: memory.clone(), source };
        let asked = Instant::now();
        loop {
            if let Some(at) = next_instruction(pid)? {
                let file = fs::OpenOptions::new().write(true).open(&memory).map_err(failed)?;
                let begun = Instant::now();
                file.write_all_at(self.instructions()?, at).map_err(failed)?;
                return Ok(begun);
            }
            if asked.elapsed() > PATIENCE {
                return Err(DrillError::Late { what: "an event loop to wait".to_owned(), waited: PATIENCE });
            }
            sleep(LOOK).await;
        }
    }

    fn instructions(self) -> Result<&'static [u8], DrillError> {
        if !cfg!(target_arch = "x86_64") {
            return Err(DrillError::Missing { part: "way to stall a process on this kind of processor".to_owned() });
        }
        Ok(match self {
            // jmp to itself
            Self::Spin => &[0xeb, 0xfe],
            // mov eax, 34 (pause); syscall; jmp to the beginning
            Self::Wait => &[0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7],
        })
    }
}

/// Where a thread goes on that waits in `epoll_wait` now; `None` when none does.
fn next_instruction(pid: u32) -> Result<Option<u64>, DrillError> {
    // epoll_wait, epoll_pwait and epoll_pwait2.
    const WAITS: [&str; 3] = ["232", "281", "441"];
    let threads = PathBuf::from(format!("/proc/{pid}/task"));
    let entries = fs::read_dir(&threads).map_err(|source| DrillError::File { path: threads, source })?;
    for thread in entries.flatten() {
        // A thread that has just ended says nothing.
        let Ok(call) = fs::read_to_string(thread.path().join("syscall")) else { continue };
        let mut fields = call.split_whitespace();
        if fields.next().is_some_and(|number| WAITS.contains(&number))
            && let Some(at) = fields.next_back().and_then(|at| u64::from_str_radix(at.strip_prefix("0x")?, 16).ok())
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
