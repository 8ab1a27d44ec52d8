//! The keeper's loop: the supervisor's end, the interrupts, and now and then the logs.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{error, info, warn};

use super::{
    Keeper, KeeperError,
    begin::{ask_to_stop, introduce},
};
use crate::{
    policy::{Backoff, Life, decide},
    process::{Ending, Process, Signal, reap_orphans},
    record::Record,
    sockets::Predecessor,
};

/// How often the logs and the sockets are looked at, and orphans are reaped.
const ROUND: Duration = Duration::from_secs(2);
/// Past lives that are remembered for the policy.
const LIVES: usize = 16;
/// Failures in a row after which a build that was never proven is given up for the last good one.
const FAILING: u32 = 2;
/// How long the processes that were killed may take to be gone.
const GONE: Duration = Duration::from_secs(2);

impl Keeper {
    /// Keeps the supervisor running until it was asked to stop: by `nodepanel stop`, or by the first interrupt,
    /// which lets the workers finish and leaves the game servers running (unless the plan says otherwise). A second
    /// interrupt kills the control plane. Returns when all is done.
    pub async fn keep(mut self, mut interrupts: mpsc::Receiver<()>) -> Result<(), KeeperError> {
        let mut lives = VecDeque::with_capacity(LIVES);
        let mut born = Instant::now();
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = false;
        let mut cutting: Option<JoinHandle<io::Result<bool>>> = None;
        loop {
            tokio::select! {
                ending = self.supervisor.ended() => {
                    let ending = ending?;
                    if self.has_left(ending) {
                        return Ok(());
                    }
                    if lives.len() == LIVES {
                        lives.pop_front();
                    }
                    let ran_for = born.elapsed();
                    lives.push_back(Life { ran_for, ready_for: Some(ran_for) });
                    if !self.bring_back(ending, lives.make_contiguous(), &mut interrupts).await {
                        self.kill_all().await;
                        return Ok(());
                    }
                    born = Instant::now();
                    tokio::spawn(introduce(self.plan.data_dir.clone()));
                    if asked {
                        tokio::spawn(ask_to_stop(self.plan.data_dir.clone(), self.plan.stop_servers));
                    }
                }
                interrupt = interrupts.recv() => {
                    if asked || interrupt.is_none() {
                        info!("ending the control plane at once");
                        self.kill_all().await;
                        return Ok(());
                    }
                    asked = true;
                    info!("stopping the control plane");
                    tokio::spawn(ask_to_stop(self.plan.data_dir.clone(), self.plan.stop_servers));
                }
                verdict = self.renewal.verdict() => {
                    // A log that is just being cut is cut to its end.
                    if let Some(cutting) = cutting.take() {
                        let _ = cutting.await;
                    }
                    self.decide(verdict, asked, &interrupts).await;
                }
                _ = round.tick() => {
                    if !asked {
                        self.look_for_build();
                    }
                    self.complete_sockets().await;
                    if std::process::id() == 1 {
                        reap_orphans(&[self.supervisor.pid()]);
                    }
                    if let Ok(cutter) = self.log.cutter() {
                        cutting = Some(tokio::task::spawn_blocking(move || cutter.cut()));
                    }
                }
            }
        }
    }

    /// Whether the supervisor ended because it was asked to. One that was taken over tells nobody its exit code,
    /// but leaves a clean record.
    fn has_left(&self, ending: Ending) -> bool {
        let clean = || Record::read(self.run_dir.path()).is_ok_and(|record| record.supervisor.identity.is_none());
        ending.is_success() || (ending == Ending::Unknown && clean())
    }

    /// Starts the supervisor until it can be started; `false` when an interrupt came first.
    async fn bring_back(&mut self, ending: Ending, lives: &[Life], interrupts: &mut mpsc::Receiver<()>) -> bool {
        let predecessor = Predecessor { ended_at: self.clock.now(), how: ending.to_string() };
        let decision = decide(&Backoff::OWN_PARTS, lives);
        let failing = decision.failures >= FAILING;
        warn!("the supervisor {ending}; {}", decision.reason);
        let mut delay = decision.delay;
        loop {
            if !delay.is_zero() {
                tokio::select! {
                    () = sleep(delay) => {}
                    _ = interrupts.recv() => return false,
                }
            }
            match self.start_again(&predecessor, failing) {
                Ok(supervisor) => {
                    self.supervisor = supervisor;
                    return true;
                }
                Err(error) => error!(%error, "the supervisor cannot be started; trying again"),
            }
            delay = Backoff::OWN_PARTS.cap;
        }
    }

    /// Ends the supervisor and the workers without asking. What the workers keep (the game servers) stays.
    async fn kill_all(&self) {
        let _ = self.supervisor.signal(Signal::KILL);
        let _ = timeout(GONE, self.supervisor.ended()).await;
        let Ok(mut record) = Record::read(self.run_dir.path()) else { return };
        for worker in record.workers.iter_mut().filter_map(|worker| worker.identity.take()) {
            if let Ok(Some(worker)) = Process::adopt(&worker) {
                let _ = worker.signal_group(Signal::KILL);
                let _ = timeout(GONE, worker.ended()).await;
            }
        }
        // What was asked for is no crash to recover from.
        record.supervisor.identity = None;
        if let Err(error) = record.write(self.run_dir.path()) {
            warn!(%error, "cannot save that the control plane was ended; the next start will count it as a crash");
        }
    }
}
