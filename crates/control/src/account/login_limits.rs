//! Limits on signing in. Per network, so that a flood from one address slows down nobody else; per account, so that many
//! addresses together cannot guess one password. A network from which the account was opened before is not held to the
//! account's limit: whoever is attacked gets in from home as always, and open sessions and API keys are never touched.
//!
//! A try is counted before its password is checked, and taken back when it was right: a hundred tries at once are a
//! hundred tries. What is remembered is bounded, and is this process's own: with two API servers twice as much is allowed.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nodepanel_types::Timestamp;

use crate::{
    ControlError,
    debt::{Debt, Rate},
};

/// Tries of one network: ten at once, and one more every 6 s.
const NETWORK: Rate = Rate { burst: 10, refill_ms: 6_000 };
/// Tries at one account from networks that it was never opened from: thirty at once, and one more every 4 s.
const ACCOUNT: Rate = Rate { burst: 30, refill_ms: 4_000 };
/// Passwords of one network that are checked or wait for it at a time: others come in between.
const AT_ONCE: u8 = 4;
/// Networks, and accounts, that are remembered.
const REMEMBERED: usize = 10_000;
/// Networks from which an account was opened that are remembered.
const HOMES: usize = 8;

#[derive(Debug)]
struct Network {
    debt: Debt,
    checking: u8,
}

#[derive(Debug)]
struct Account {
    debt: Debt,
    /// From where it was opened, the newest last.
    homes: VecDeque<IpAddr>,
}

/// Counts tries to sign in. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LoginLimits {
    books: Arc<Mutex<Books>>,
    /// Names an account by a number that nobody outside can choose.
    names: RandomState,
}

#[derive(Debug, Default)]
struct Books {
    networks: HashMap<IpAddr, Network>,
    accounts: HashMap<u64, Account>,
}

/// A try that was admitted and counted; dropped, it stays counted.
#[derive(Debug)]
pub struct Attempt {
    limits: LoginLimits,
    network: IpAddr,
    account: u64,
    at_home: bool,
}

impl LoginLimits {
    /// Whether an address may try at all; counts nothing. Costs nothing, so that it can be asked before anything is read.
    pub fn check(&self, address: IpAddr, now: Timestamp) -> Result<(), ControlError> {
        let books = self.books();
        books.networks.get(&network_of(address)).map_or(Ok(()), |network| network.check(now))
    }

    /// Admits a try at an account, or says when to come again.
    pub fn admit(&self, address: IpAddr, email: &str, now: Timestamp) -> Result<Attempt, ControlError> {
        let network = network_of(address);
        let account = self.names.hash_one(email.trim().to_lowercase());
        let mut books = self.books();
        books.make_room(now);
        let asking = books.networks.entry(network).or_insert(Network { debt: Debt(now), checking: 0 });
        asking.check(now)?;
        asking.debt.add(now, NETWORK);
        asking.checking += 1;
        let asked = books.accounts.entry(account).or_insert(Account { debt: Debt(now), homes: VecDeque::new() });
        let at_home = asked.homes.contains(&network);
        let wait = asked.debt.wait(now, ACCOUNT).filter(|_| !at_home);
        if wait.is_none() && !at_home {
            asked.debt.add(now, ACCOUNT);
        }
        drop(books);
        // From here on its end is noted, also when it is refused.
        let attempt = Attempt { limits: self.clone(), network, account, at_home };
        wait.map_or(Ok(attempt), |retry_after| {
            Err(ControlError::TooMany {
                what: "There were too many failed sign-ins to this account from addresses that it was never opened from.",
                retry_after,
            })
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The password was right: the try counts no more, and the account was opened from here.
    pub fn succeeded(self, now: Timestamp) {
        self.take_back(now);
        let mut books = self.limits.books();
        if let Some(account) = books.accounts.get_mut(&self.account) {
            account.homes.retain(|home| *home != self.network);
            if account.homes.len() == HOMES {
                account.homes.pop_front();
            }
            account.homes.push_back(self.network);
        }
    }

    /// Nobody looked at the password: the try counts no more.
    pub fn take_back(&self, now: Timestamp) {
        let mut books = self.limits.books();
        if let Some(network) = books.networks.get_mut(&self.network) {
            network.debt.take_back(now, NETWORK);
        }
        if let Some(account) = books.accounts.get_mut(&self.account).filter(|_| !self.at_home) {
            account.debt.take_back(now, ACCOUNT);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(network) = self.limits.books().networks.get_mut(&self.network) {
            network.checking = network.checking.saturating_sub(1);
        }
    }
}

impl Network {
    fn check(&self, now: Timestamp) -> Result<(), ControlError> {
        if let Some(retry_after) = self.debt.wait(now, NETWORK) {
            let what = "There were too many failed sign-ins from your address.";
            return Err(ControlError::TooMany { what, retry_after });
        }
        if self.checking >= AT_ONCE {
            let what = "Several people are signing in from your address at this very moment.";
            return Err(ControlError::TooMany { what, retry_after: Duration::from_secs(1) });
        }
        Ok(())
    }
}

impl Books {
    /// Forgets those that owe nothing, and then those that are forgiven soonest; who is at home where is forgotten last.
    fn make_room(&mut self, now: Timestamp) {
        if self.networks.len() >= REMEMBERED {
            self.networks.retain(|_, network| network.debt.0 > now || network.checking > 0);
        }
        if self.networks.len() >= REMEMBERED {
            let idle = self.networks.iter().filter(|(_, network)| network.checking == 0);
            let first = idle.min_by_key(|(_, network)| network.debt).map(|(address, _)| *address);
            first.map(|address| self.networks.remove(&address));
        }
        if self.accounts.len() >= REMEMBERED {
            self.accounts.retain(|_, account| account.debt.0 > now || !account.homes.is_empty());
        }
        if self.accounts.len() >= REMEMBERED {
            let order = |account: &Account| (!account.homes.is_empty(), account.debt);
            let first = self.accounts.iter().min_by_key(|(_, account)| order(account)).map(|(name, _)| *name);
            first.map(|name| self.accounts.remove(&name));
        }
    }
}

/// An IPv6 user has a whole /64, so that is what is counted.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A try with a wrong password; whether it was admitted.
    fn fail(limits: &LoginLimits, address: IpAddr, email: &str, now: Timestamp) -> bool {
        limits.admit(address, email, now).is_ok()
    }

    #[test]
    fn one_address_locks_out_only_itself_and_only_for_a_while() {
        let limits = LoginLimits::default();
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        let admitted = (0..100).filter(|_| fail(&limits, bad, "owner@example.net", NOW)).count();
        assert_eq!(admitted, 10);
        assert!(limits.check(bad, NOW).is_err());
        let Err(ControlError::TooMany { retry_after, .. }) = limits.admit(bad, "owner@example.net", NOW) else {
            panic!("it is refused")
        };
        assert_eq!(retry_after, Duration::from_millis(NETWORK.refill_ms));
        limits.check(good, NOW).unwrap();
        limits.admit(good, "owner@example.net", NOW).unwrap().succeeded(NOW);
        let later = NOW.plus(NETWORK.refill_ms);
        assert!(fail(&limits, bad, "owner@example.net", later) && !fail(&limits, bad, "owner@example.net", later));
    }

    #[test]
    fn tries_at_once_are_counted_before_any_of_them_is_checked_and_leave_others_their_turn() {
        let limits = LoginLimits::default();
        let bad = address("192.0.2.1");
        let checking: Vec<_> = (0..50).filter_map(|_| limits.admit(bad, "a@example.net", NOW).ok()).collect();
        assert_eq!(checking.len(), usize::from(AT_ONCE));
        assert!(limits.admit(address("192.0.2.2"), "a@example.net", NOW).is_ok());
        drop(checking);
        assert!(limits.admit(bad, "a@example.net", NOW).is_ok());
    }

    #[test]
    fn many_addresses_cannot_guess_one_password_and_do_not_lock_its_owner_out() {
        let limits = LoginLimits::default();
        let home = address("198.51.100.7");
        limits.admit(home, "Owner@example.net ", NOW).unwrap().succeeded(NOW);
        let many = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        let admitted = (0..1_000).filter(|n| fail(&limits, many(*n), "owner@example.net", NOW)).count();
        assert_eq!(u64::try_from(admitted).unwrap(), ACCOUNT.burst);
        assert!(limits.admit(home, "owner@example.net", NOW).is_ok(), "the owner at home");
        assert!(limits.admit(many(1), "other@example.net", NOW).is_ok(), "other accounts");
        assert!(fail(&limits, address("203.0.113.1"), "owner@example.net", NOW.plus(ACCOUNT.refill_ms)));
    }

    #[test]
    fn what_was_right_or_not_looked_at_does_not_count() {
        let limits = LoginLimits::default();
        let there = address("192.0.2.1");
        for _ in 0..50 {
            limits.admit(there, "a@example.net", NOW).unwrap().succeeded(NOW);
            limits.admit(there, "b@example.net", NOW).unwrap().take_back(NOW);
        }
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one() {
        let limits = LoginLimits::default();
        let admitted = (1..=100u16).filter(|n| {
            let one = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, *n, 0, 0, *n));
            fail(&limits, one, &format!("{n}@example.net"), NOW)
        });
        assert_eq!(admitted.count(), 10);
        assert!(limits.check(address("2001:db8:0:2::1"), NOW).is_ok());
        assert_eq!(network_of(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn memory_stays_bounded_and_homes_are_forgotten_last() {
        let limits = LoginLimits::default();
        let home = address("198.51.100.7");
        limits.admit(home, "owner@example.net", NOW).unwrap().succeeded(NOW);
        for n in 0..u32::try_from(REMEMBERED).unwrap() + 200 {
            fail(&limits, IpAddr::V4(n.into()), &format!("{n}@example.net"), NOW.plus(u64::from(n % 7)));
        }
        let books = limits.books();
        assert!(books.networks.len() <= REMEMBERED && books.accounts.len() <= REMEMBERED);
        assert!(books.accounts.values().any(|account| account.homes.contains(&home)));
    }
}
