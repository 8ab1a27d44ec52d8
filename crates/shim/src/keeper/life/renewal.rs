//! Going on as another build while the game runs.
//!
//! ```text
//!  asked ── can that build take it over? (tried beside us) ── yes ──▶ signals held, nothing half done ──▶ execve
//!    ▲                    │ no                                                                     fails │
//!    └──── refused ◀──────┴───────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Everything happens on the shim's one thread: when this runs, no line is read that is not numbered, in the log and
//! published, none is typed that is not counted, and what the game writes from now on waits in its pipe. A game that
//! ends meanwhile waits to be collected by the next image, which has the same process id.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use futures_util::FutureExt as _;
use nodepanel_supervise::{
    build::Print,
    process::succession::{become_successor, hold_signals, let_signals_in, monotonic_ns, try_successor},
};
use tokio::task::JoinHandle;

use super::{Duration, Instant, Life, Main, Order, Signals, Stop, mpsc};
use crate::{
    keeper::{
        desk::Renewal,
        estate::{Estate, FORM, Name},
    },
    protocol::{Refusal, RefusalCode},
};

/// How long a signal that came before they were held may take from its handler to the loop.
const ON_ITS_WAY: Duration = Duration::from_millis(1);

/// A build that is being tried.
pub(super) struct Trial {
    renewal: Renewal,
    verdict: JoinHandle<Result<(), String>>,
}

/// What became of the trial; never, when there is none.
pub(super) async fn verdict(trial: &mut Option<Trial>) -> Result<(), String> {
    match trial {
        Some(trial) => (&mut trial.verdict).await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}

impl Life<'_> {
    /// Begins to try the build that a client wants.
    pub(super) fn consider(&mut self, renewal: Renewal) {
        match self.try_out(&renewal) {
            Ok(verdict) => self.trial = Some(Trial { renewal, verdict }),
            Err(refusal) => drop(renewal.refused.send(refusal)),
        }
    }

    /// Goes on as the build that was tried; comes back only when that came to nothing.
    pub(super) async fn decide(
        &mut self,
        verdict: Result<(), String>,
        signals: &mut Signals,
        orders: &mpsc::Receiver<Order>,
    ) {
        let Some(Trial { renewal, .. }) = self.trial.take() else { return };
        let refusal = match verdict {
            Ok(()) => self.go_on(&renewal, signals, orders).await,
            Err(why) => unfit(&why),
        };
        let _ = renewal.refused.send(refusal);
    }

    fn try_out(&self, renewal: &Renewal) -> Result<JoinHandle<Result<(), String>>, Refusal> {
        if self.trial.is_some() {
            return Err(not_now("Another build is being tried already."));
        }
        self.obstacle()?;
        if !renewal.program.is_absolute() || Print::of(&renewal.program).ok() != Some(renewal.build) {
            return Err(unfit("another program is in its place by now"));
        }
        let package = self.package(renewal)?;
        let (program, args) = (renewal.program.clone(), self.arguments("--try", None));
        Ok(tokio::task::spawn_local(async move { try_successor(&program, &args, &[], package).await }))
    }

    async fn go_on(&mut self, renewal: &Renewal, signals: &mut Signals, orders: &mpsc::Receiver<Order>) -> Refusal {
        if let Err(error) = hold_signals() {
            return not_now(&format!("Signals cannot be held back ({error})."));
        }
        tokio::time::sleep(ON_ITS_WAY).await;
        if signals.terminate.recv().now_or_never().flatten().is_some() {
            self.ask_to_stop(None);
        }
        if self.desk.ready_seen.notified().now_or_never().is_some() {
            self.ready(true);
        }
        self.collect();
        let refusal = if orders.is_empty() {
            match self.replace(renewal) {
                Ok(never) => match never {},
                Err(refusal) => refusal,
            }
        } else {
            not_now("Something else was asked of the server at the same time.")
        };
        if let Err(error) = let_signals_in() {
            self.desk.note(format!("Signals are held back ({error}): the server has to be stopped in the panel."));
        }
        refusal
    }

    fn replace(&self, renewal: &Renewal) -> Result<std::convert::Infallible, Refusal> {
        self.obstacle()?;
        let lock = self.desk.lock.keep().map_err(|error| not_now(&format!("The lock cannot be kept ({error}).")))?;
        let arguments = self.arguments("--go-on", Some(lock.to_string().into()));
        let environment: Vec<_> = std::env::vars_os().collect();
        let package = self.package(renewal)?;
        let error = become_successor(&renewal.program, &arguments, &environment, package);
        Err(unfit(&format!("it cannot be run ({error})")))
    }

    fn obstacle(&self) -> Result<(), Refusal> {
        if !self.launched {
            return Err(not_now("The server is only being started."));
        }
        if !matches!((&self.stop, &self.main), (Stop::No, Main::Runs)) {
            return Err(not_now("The server is about to end."));
        }
        Ok(())
    }

    /// The program's own arguments, by which people know in a list of processes whose shim it is, and the mode.
    fn arguments(&self, mode: &str, value: Option<OsString>) -> Vec<OsString> {
        let name = std::env::args_os().next().unwrap_or_else(|| "nodepanel".into());
        let mut arguments = vec![name];
        arguments.extend(["role", "shim", "--spec"].map(OsString::from));
        arguments.push(self.spec_path.clone().into());
        arguments.push(mode.into());
        arguments.extend(value);
        arguments
    }

    fn package(&self, renewal: &Renewal) -> Result<OwnedFd, Refusal> {
        let desk = self.desk;
        let (console, listener) = (desk.console.borrow(), desk.listener.borrow());
        let in_memory = || not_now("The console log cannot be written now, and lines are in memory alone.");
        let (numbers, writer) = console.parts().ok_or_else(in_memory)?;
        let input = desk.input.borrow().estate();
        let (Some(input), Some(listener)) = (input, listener.as_ref()) else {
            return Err(not_now("The server is about to end."));
        };
        let (log_lock, segment) = writer.parts();
        let mut descriptors = vec![
            (Name::Typed, self.streams.typed.as_fd()),
            (Name::Written, self.streams.written.as_fd()),
            (Name::Listener, listener.as_fd()),
            (Name::LogLock, log_lock.as_fd()),
            (Name::Client, renewal.client.as_fd()),
        ];
        descriptors.extend(segment.map(|(file, _)| (Name::LogSegment, file.as_fd())));
        let ready_left = self.ready_deadline.saturating_duration_since(Instant::now());
        let estate = Estate {
            v: FORM,
            spec: desk.spec.clone(),
            token: desk.token.clone(),
            keeper: desk.keeper.borrow().clone(),
            notes: desk.notes(),
            run: self.run,
            state: desk.state.borrow().clone(),
            ready_at: self.ready_at,
            ready_left_ms: u64::try_from(ready_left.as_millis()).unwrap_or(u64::MAX),
            oom_kills: self.oom.before(),
            numbers,
            segment_bytes: segment.map(|(_, size)| size),
            cutter: desk.cutter.borrow().clone(),
            input,
            request: renewal.id,
            left_at_ns: monotonic_ns(),
            descriptors: Vec::new(),
        };
        estate.pack(&descriptors).map_err(|error: io::Error| not_now(&format!("It cannot be packed ({error}).")))
    }
}

fn not_now(message: &str) -> Refusal {
    Refusal { code: RefusalCode::NotNow, message: message.to_owned() }
}

fn unfit(why: &str) -> Refusal {
    let message = format!("The shim goes on as the build that it is: the other one cannot be used, {why}.");
    Refusal { code: RefusalCode::Unfit, message }
}

/// What a life keeps of the game's streams for the next image.
pub(super) struct Streams {
    pub(super) typed: OwnedFd,
    pub(super) written: OwnedFd,
}
