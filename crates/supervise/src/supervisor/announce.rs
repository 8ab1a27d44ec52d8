//! Taking announcements of ends: who may make them, and for what.

use std::{
    io,
    time::{Duration, Instant},
};

use nodepanel_types::Millis;
use tracing::{info, warn};

use super::{
    connections::ConnectionId,
    core::{Event, Supervisor},
    overseer,
    slot::millis,
};
use crate::{
    announced::{LONGEST, OwnEnd, PURPOSE},
    wire::protocol::FromSupervisor,
};

impl Supervisor {
    /// Takes an announcement, or says why not. The answer to that of the supervisor's own end comes when it is on disk.
    pub(super) fn announce(&mut self, id: ConnectionId, name: &str, within_ms: Millis, purpose: String) {
        if let Err(reason) = self.may_announce(id, name, within_ms, &purpose) {
            self.connections.send(id, FromSupervisor::Refused { reason });
            return;
        }
        info!(component.name = name, "its end was announced ({purpose})");
        let within = Duration::from_millis(within_ms);
        if name == self.own.name {
            return self.announce_own(Some(id), within, purpose);
        }
        self.announced.note(name, purpose, Instant::now() + within);
        self.connections.send(id, FromSupervisor::Accepted);
    }

    fn may_announce(&mut self, id: ConnectionId, name: &str, within_ms: Millis, purpose: &str) -> Result<(), String> {
        // A worker that could would have its own crashes taken for drills.
        if self.connections.get_mut(id).is_some_and(|connection| connection.slot.is_some()) {
            return Err("a worker announces no ends".to_owned());
        }
        let workers = self.slots.iter().map(|slot| slot.spec.name.as_str());
        let mut known: Vec<&str> = vec![self.own.name.as_str(), overseer::NAME];
        known.extend(workers);
        if !known.contains(&name) {
            return Err(format!(
                "there is no component {name:?} whose end could be announced; there are {}",
                known.join(", ")
            ));
        }
        if !(1..=millis(LONGEST)).contains(&within_ms) {
            return Err(format!("an announcement holds for 1 ms to {} s", LONGEST.as_secs()));
        }
        let printable = !purpose.trim().is_empty() && !purpose.chars().any(char::is_control);
        if !printable || purpose.chars().count() > PURPOSE {
            return Err(format!("the purpose must be 1 to {PURPOSE} characters of text"));
        }
        Ok(())
    }

    /// Has it written down for the next supervisor; without an asker the supervisor ends itself then.
    pub(super) fn announce_own(&self, asker: Option<ConnectionId>, within: Duration, purpose: String) {
        let from = self.clock.now();
        let end = OwnEnd { from, until: from.plus(millis(within)), purpose };
        let (run_dir, events) = (self.run_dir.path().to_owned(), self.sender.clone());
        self.recorder.run(move || {
            let outcome = end.write(&run_dir);
            // The supervisor is gone when this fails, and with it the interest.
            let _ = events.blocking_send(Event::Announced { asker, outcome });
            Ok(())
        });
    }

    pub(super) fn announced_own(&mut self, asker: Option<ConnectionId>, outcome: io::Result<()>) {
        let Some(asker) = asker else { return self.end_own(outcome) };
        let answer = match outcome {
            Ok(()) => FromSupervisor::Accepted,
            Err(error) => {
                warn!(%error, "the next supervisor cannot be told that the end of this one is on purpose");
                FromSupervisor::Refused { reason: format!("the announcement cannot be written down: {error}") }
            }
        };
        self.connections.send(asker, answer);
    }

    /// What the end of a worker, which comes now, was announced for.
    pub(super) fn announced_end_of(&mut self, index: usize) -> Option<String> {
        let name = &self.slots.get(index)?.spec.name;
        self.announced.take(name, Instant::now())
    }
}
