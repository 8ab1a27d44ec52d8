//! Sums of what the users of servers sent and received, made of counters that come and go with their sockets.

use std::collections::{HashMap, HashSet};

use super::message::TcpSocket;
use crate::cgroup::Totals;

/// The sums, and where every socket stood when it was seen last.
#[derive(Debug, Default)]
pub struct Ledger {
    sockets: HashMap<u64, Entry>,
    users: HashMap<u32, Totals>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    uid: u32,
    seen: Totals,
}

impl Ledger {
    /// Enters a dump, as far as it concerns `users`. What a socket carried before it was seen first counts as carried
    /// just now, which is true of all sockets but those that are older than the ledger: only differences between two
    /// later totals mean anything.
    pub fn enter(&mut self, dump: &[TcpSocket], users: &HashSet<u32>) {
        self.users.retain(|uid, _| users.contains(uid));
        let mut sockets = HashMap::with_capacity(self.sockets.len());
        for socket in dump {
            let before = self.sockets.get(&socket.cookie);
            // A socket that its process has closed while data was on its way belongs to nobody, and is still its.
            let uid = before.map_or(socket.uid, |before| before.uid);
            if !users.contains(&uid) {
                continue;
            }
            let seen = Totals { received: socket.received, sent: socket.sent };
            let was = before.map_or_else(Totals::default, |before| before.seen);
            let total = self.users.entry(uid).or_default();
            total.received = total.received.saturating_add(seen.received.saturating_sub(was.received));
            total.sent = total.sent.saturating_add(seen.sent.saturating_sub(was.sent));
            sockets.insert(socket.cookie, Entry { uid, seen });
        }
        self.sockets = sockets;
    }

    /// What a user has carried; nothing yet is zero.
    pub fn totals(&self, uid: u32) -> Totals {
        self.users.get(&uid).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAME: u32 = 200_001;

    fn socket(cookie: u64, uid: u32, received: u64, sent: u64) -> TcpSocket {
        TcpSocket { cookie, uid, received, sent }
    }

    #[test]
    fn sums_survive_their_sockets_and_never_shrink() {
        let users = HashSet::from([GAME]);
        let mut ledger = Ledger::default();
        ledger.enter(&[socket(1, GAME, 10, 20), socket(2, 0, 1_000, 1_000)], &users);
        assert_eq!(ledger.totals(GAME), Totals { received: 10, sent: 20 });
        // The first one goes on, a new one comes.
        ledger.enter(&[socket(1, GAME, 15, 20), socket(3, GAME, 100, 200)], &users);
        assert_eq!(ledger.totals(GAME), Totals { received: 115, sent: 220 });
        // The first one is closed by its process, the other one is gone.
        ledger.enter(&[socket(1, 0, 16, 25)], &users);
        assert_eq!(ledger.totals(GAME), Totals { received: 116, sent: 225 });
        ledger.enter(&[], &users);
        assert_eq!(ledger.totals(GAME), Totals { received: 116, sent: 225 });
        ledger.enter(&[socket(9, GAME, 1, 1)], &HashSet::new());
        assert_eq!((ledger.totals(GAME), ledger.sockets.len()), (Totals::default(), 0));
    }
}
