//! What every server's user carried up to now: a dump put into the ledger.

use std::{collections::HashSet, time::Instant};

use super::{Ledger, SocketDiagnosis, message::TcpSocket};
use crate::cgroup::Totals;

/// The traffic of some users.
#[derive(Debug, Default)]
pub struct Traffic {
    diagnosis: Option<SocketDiagnosis>,
    ledger: Ledger,
    sockets: Vec<TcpSocket>,
    /// When the last look succeeded; `None` when it failed.
    looked_at: Option<Instant>,
    failing: bool,
}

impl Traffic {
    /// Looks at the sockets of `users`; does nothing when there are none. Blocks, for half a second at the very most.
    pub fn look(&mut self, users: &HashSet<u32>) {
        self.looked_at = None;
        if users.is_empty() {
            return;
        }
        let open = self.diagnosis.take().map_or_else(SocketDiagnosis::open, Ok);
        let dumped = open.and_then(|mut diagnosis| diagnosis.dump(&mut self.sockets).map(|()| diagnosis));
        match dumped {
            Ok(diagnosis) => {
                self.diagnosis = Some(diagnosis);
                self.ledger.enter(&self.sockets, users);
                self.looked_at = Some(Instant::now());
                self.failing = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "The traffic of servers is unknown for now: the kernel does not tell its connections");
                }
            }
        }
    }

    /// The sums of a user at the last look, and when that was; `None` when it failed.
    pub fn totals(&self, uid: u32) -> Option<(Instant, Totals)> {
        self.looked_at.map(|at| (at, self.ledger.totals(uid)))
    }
}
