//! Limits on signing in. Per network, so that a flood from one address slows down nobody else; per account, so that many
//! addresses together cannot guess one password. A network from which the account was opened before is not held to the
//! account's limit: whoever is attacked gets in from home as always, and open sessions and API keys are never touched.
//!
//! A try is counted before its password is checked, and taken back when it was right: a hundred tries at once are a
//! hundred tries. What is remembered is bounded.
//!
//! Who has come to half of a limit is told to the other API servers through the store (`told`), so that the limits hold
//! for all of them together, and after a restart. Networks and accounts have names there that only the master key
//! gives.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nodepanel_types::{Timestamp, UserId};
use tokio::sync::Notify;

use super::tally::Tally;
use crate::{ControlError, debt::Rate, secret::MasterKey};

/// Tries of one network: ten at once, and one more every 6 s.
const NETWORK: Rate = Rate { burst: 10, refill_ms: 6_000 };
/// Tries at one account from networks that it was never opened from: thirty at once, and one more every 4 s.
const ACCOUNT: Rate = Rate { burst: 30, refill_ms: 4_000 };
/// Passwords of one network that are checked or wait for it at a time: others come in between.
const AT_ONCE: u8 = 4;
/// Networks, and accounts, that are remembered.
const REMEMBERED: usize = 10_000;
/// Networks from which an account was opened that are remembered.
pub const HOMES: usize = 8;
/// What is told at once; the rest follows.
const TOLD_AT_ONCE: usize = 40;

/// What all API servers have told each other.
pub trait Told {
    /// When all tries that were told under this name are forgiven.
    fn debt(&self, name: &str) -> Option<Timestamp>;
    /// Whether an account was opened from the network with this name.
    fn is_home(&self, email: &str, network: &str) -> bool;
}

/// Tries that the other API servers should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Of which network or account.
    pub name: String,
    /// How many.
    pub tries: u32,
}

#[derive(Debug)]
struct Network {
    tally: Tally,
    checking: u8,
}

#[derive(Debug)]
struct Account {
    tally: Tally,
    /// From where it was opened, the newest last.
    homes: VecDeque<String>,
}

/// Counts tries to sign in. Clones are the same.
#[derive(Clone)]
pub struct LoginLimits {
    books: Arc<Mutex<Books>>,
    /// Names networks and accounts; all API servers of an installation have the same.
    names: Arc<MasterKey>,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Books {
    networks: HashMap<String, Network>,
    accounts: HashMap<String, Account>,
    /// Accounts that were opened from networks that the others do not know as their home.
    moved: Vec<(UserId, String)>,
}

/// A try that was admitted and counted; dropped, it stays counted.
pub struct Attempt {
    limits: LoginLimits,
    network: String,
    account: String,
    at_home: bool,
    /// Whether the others know that, too.
    known_home: bool,
}

impl LoginLimits {
    /// Limits of an installation.
    pub fn new(master: &MasterKey) -> Self {
        let names = MasterKey::from_bytes(master.derive("sign-in-names", b""));
        Self { books: Arc::default(), names: Arc::new(names), news: Arc::default() }
    }

    /// Whether an address may try at all; counts nothing. Costs little, so that it can be asked before anything is read.
    pub fn check(&self, address: IpAddr, now: Timestamp, told: &dyn Told) -> Result<(), ControlError> {
        let name = self.network_name(address);
        let debt = told.debt(&name);
        let mut books = self.books();
        match books.networks.get_mut(&name) {
            Some(network) => {
                network.tally.hear(debt, now, NETWORK);
                network.check(now)
            }
            None => Network { tally: Tally::heard(debt, now), checking: 0 }.check(now),
        }
    }

    /// Admits a try at an account, or says when to come again.
    pub fn admit(
        &self,
        address: IpAddr,
        email: &str,
        now: Timestamp,
        told: &dyn Told,
    ) -> Result<Attempt, ControlError> {
        let network = self.network_name(address);
        let account = self.name("account", email.trim().to_lowercase().as_bytes());
        let (network_debt, account_debt) = (told.debt(&network), told.debt(&account));
        let known_home = told.is_home(email, &network);
        let mut books = self.books();
        books.make_room(now);
        let new = || Network { tally: Tally::heard(None, now), checking: 0 };
        let asking = books.networks.entry(network.clone()).or_insert_with(new);
        asking.tally.hear(network_debt, now, NETWORK);
        asking.check(now)?;
        asking.tally.add(now, NETWORK);
        asking.checking += 1;
        let mut news = asking.tally.is_news(now, NETWORK);
        let new = || Account { tally: Tally::heard(None, now), homes: VecDeque::new() };
        let asked = books.accounts.entry(account.clone()).or_insert_with(new);
        asked.tally.hear(account_debt, now, ACCOUNT);
        let at_home = known_home || asked.homes.contains(&network);
        let wait = asked.tally.debt.wait(now, ACCOUNT).filter(|_| !at_home);
        if wait.is_none() && !at_home {
            asked.tally.add(now, ACCOUNT);
        }
        news |= asked.tally.is_news(now, ACCOUNT);
        drop(books);
        if news {
            self.news.notify_one();
        }
        // From here on its end is noted, also when it is refused.
        let attempt = Attempt { limits: self.clone(), network, account, at_home, known_home };
        wait.map_or(Ok(attempt), |retry_after| {
            Err(ControlError::TooMany {
                what: "There were too many failed sign-ins to this account from addresses that it was never opened from.",
                retry_after,
            })
        })
    }

    /// Returns when there is something to tell.
    pub async fn wait_for_news(&self) {
        self.news.notified().await;
    }

    /// What the other API servers should hear of, at most so much as one transaction takes.
    pub fn untold(&self, now: Timestamp) -> (Vec<News>, Vec<(UserId, String)>) {
        let books = self.books();
        let networks = books.networks.iter().map(|(name, network)| (name, network.tally, NETWORK));
        let accounts = books.accounts.iter().map(|(name, account)| (name, account.tally, ACCOUNT));
        let mut news: Vec<News> = networks
            .chain(accounts)
            .filter(|(_, tally, rate)| tally.is_news(now, *rate))
            .map(|(name, tally, _)| News { name: name.clone(), tries: tally.untold })
            .take(TOLD_AT_ONCE + 1)
            .collect();
        if news.len() > TOLD_AT_ONCE {
            news.truncate(TOLD_AT_ONCE);
            self.news.notify_one();
        }
        (news, books.moved.clone())
    }

    /// What is forgiven when `tries` are added to what was told under `name` before.
    pub fn add_told(&self, news: &News, told: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let rate = if self.books().networks.contains_key(&news.name) { NETWORK } else { ACCOUNT };
        let mut tally = Tally::heard(told, now);
        for _ in 0..news.tries {
            tally.add(now, rate);
        }
        tally.debt.0
    }

    /// These are known to all now.
    pub fn were_told(&self, told: &[(News, Timestamp)], moved: &[(UserId, String)], now: Timestamp) {
        let mut books = self.books();
        for (news, debt) in told {
            if let Some(network) = books.networks.get_mut(&news.name) {
                network.tally.told(news.tries, *debt, now, NETWORK);
            } else if let Some(account) = books.accounts.get_mut(&news.name) {
                account.tally.told(news.tries, *debt, now, ACCOUNT);
            }
        }
        books.moved.retain(|home| !moved.contains(home));
    }

    fn network_name(&self, address: IpAddr) -> String {
        match network_of(address) {
            IpAddr::V4(v4) => self.name("network", &v4.octets()),
            IpAddr::V6(v6) => self.name("network", &v6.octets()),
        }
    }

    /// Half of a keyed hash: nobody who reads the store learns an address from it, nobody outside can make two alike.
    fn name(&self, kind: &'static str, of: &[u8]) -> String {
        let mut name = hex::encode(self.names.derive(kind, of));
        name.truncate(32);
        name
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The password was right: the try counts no more, and the account was opened from here.
    pub fn succeeded(self, user: UserId, now: Timestamp) {
        self.take_back(now);
        let mut books = self.limits.books();
        if let Some(account) = books.accounts.get_mut(&self.account) {
            account.homes.retain(|home| *home != self.network);
            if account.homes.len() == HOMES {
                account.homes.pop_front();
            }
            account.homes.push_back(self.network.clone());
        }
        let moved = (user, self.network.clone());
        if !self.known_home && books.moved.len() < TOLD_AT_ONCE && !books.moved.contains(&moved) {
            books.moved.push(moved);
            self.limits.news.notify_one();
        }
    }

    /// Nobody looked at the password: the try counts no more.
    pub fn take_back(&self, now: Timestamp) {
        let mut books = self.limits.books();
        if let Some(network) = books.networks.get_mut(&self.network) {
            network.tally.take_back(now, NETWORK);
        }
        if let Some(account) = books.accounts.get_mut(&self.account).filter(|_| !self.at_home) {
            account.tally.take_back(now, ACCOUNT);
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
        if let Some(retry_after) = self.tally.debt.wait(now, NETWORK) {
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
            self.networks.retain(|_, network| network.tally.debt.0 > now || network.checking > 0);
        }
        if self.networks.len() >= REMEMBERED {
            let idle = self.networks.iter().filter(|(_, network)| network.checking == 0);
            let first = idle.min_by_key(|(_, network)| network.tally.debt).map(|(name, _)| name.clone());
            first.map(|name| self.networks.remove(&name));
        }
        if self.accounts.len() >= REMEMBERED {
            self.accounts.retain(|_, account| account.tally.debt.0 > now || !account.homes.is_empty());
        }
        if self.accounts.len() >= REMEMBERED {
            let order = |account: &Account| (!account.homes.is_empty(), account.tally.debt);
            let first = self.accounts.iter().min_by_key(|(_, account)| order(account)).map(|(name, _)| name.clone());
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

    const OWNER: UserId = UserId::from_uuid(nodepanel_types::clock::NIL);

    /// Nobody has told anything.
    struct Nothing;

    impl Told for Nothing {
        fn debt(&self, _: &str) -> Option<Timestamp> {
            None
        }

        fn is_home(&self, _: &str, _: &str) -> bool {
            false
        }
    }

    /// What several API servers have told each other.
    #[derive(Default)]
    struct Shared {
        debts: std::cell::RefCell<HashMap<String, Timestamp>>,
        homes: std::cell::RefCell<Vec<String>>,
    }

    impl Told for Shared {
        fn debt(&self, name: &str) -> Option<Timestamp> {
            self.debts.borrow().get(name).copied()
        }

        fn is_home(&self, _: &str, network: &str) -> bool {
            self.homes.borrow().iter().any(|home| home == network)
        }
    }

    impl Shared {
        /// As the API server does it through the store; how much was written.
        fn tell(&self, limits: &LoginLimits, now: Timestamp) -> usize {
            let (news, moved) = limits.untold(now);
            let told: Vec<_> = news
                .into_iter()
                .map(|news| {
                    let debt = limits.add_told(&news, self.debt(&news.name), now);
                    (news, debt)
                })
                .collect();
            self.debts.borrow_mut().extend(told.iter().map(|(news, debt)| (news.name.clone(), *debt)));
            self.homes.borrow_mut().extend(moved.iter().map(|(_, network)| network.clone()));
            limits.were_told(&told, &moved, now);
            told.len() + moved.len()
        }
    }

    fn limits() -> LoginLimits {
        LoginLimits::new(&MasterKey::from_bytes([7; 32]))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A try with a wrong password; whether it was admitted.
    fn fail(limits: &LoginLimits, address: IpAddr, email: &str, now: Timestamp) -> bool {
        limits.admit(address, email, now, &Nothing).is_ok()
    }

    #[test]
    fn one_address_locks_out_only_itself_and_only_for_a_while() {
        let limits = limits();
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        let admitted = (0..100).filter(|_| fail(&limits, bad, "owner@example.net", NOW)).count();
        assert_eq!(admitted, 10);
        assert!(limits.check(bad, NOW, &Nothing).is_err());
        let Err(ControlError::TooMany { retry_after, .. }) = limits.admit(bad, "owner@example.net", NOW, &Nothing)
        else {
            panic!("it is refused")
        };
        assert_eq!(retry_after, Duration::from_millis(NETWORK.refill_ms));
        limits.check(good, NOW, &Nothing).unwrap();
        limits.admit(good, "owner@example.net", NOW, &Nothing).unwrap().succeeded(OWNER, NOW);
        let later = NOW.plus(NETWORK.refill_ms);
        assert!(fail(&limits, bad, "owner@example.net", later) && !fail(&limits, bad, "owner@example.net", later));
    }

    #[test]
    fn tries_at_once_are_counted_before_any_of_them_is_checked_and_leave_others_their_turn() {
        let limits = limits();
        let bad = address("192.0.2.1");
        let checking: Vec<_> = (0..50).filter_map(|_| limits.admit(bad, "a@example.net", NOW, &Nothing).ok()).collect();
        assert_eq!(checking.len(), usize::from(AT_ONCE));
        assert!(limits.admit(address("192.0.2.2"), "a@example.net", NOW, &Nothing).is_ok());
        drop(checking);
        assert!(limits.admit(bad, "a@example.net", NOW, &Nothing).is_ok());
    }

    #[test]
    fn many_addresses_cannot_guess_one_password_and_do_not_lock_its_owner_out() {
        let limits = limits();
        let home = address("198.51.100.7");
        limits.admit(home, "Owner@example.net ", NOW, &Nothing).unwrap().succeeded(OWNER, NOW);
        let many = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        let admitted = (0..1_000).filter(|n| fail(&limits, many(*n), "owner@example.net", NOW)).count();
        assert_eq!(u64::try_from(admitted).unwrap(), ACCOUNT.burst);
        assert!(limits.admit(home, "owner@example.net", NOW, &Nothing).is_ok(), "the owner at home");
        assert!(limits.admit(many(1), "other@example.net", NOW, &Nothing).is_ok(), "other accounts");
        assert!(fail(&limits, address("203.0.113.1"), "owner@example.net", NOW.plus(ACCOUNT.refill_ms)));
    }

    #[test]
    fn what_was_right_or_not_looked_at_does_not_count() {
        let limits = limits();
        let there = address("192.0.2.1");
        for _ in 0..50 {
            limits.admit(there, "a@example.net", NOW, &Nothing).unwrap().succeeded(OWNER, NOW);
            limits.admit(there, "b@example.net", NOW, &Nothing).unwrap().take_back(NOW);
        }
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one() {
        let limits = limits();
        let admitted = (1..=100u16).filter(|n| {
            let one = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, *n, 0, 0, *n));
            fail(&limits, one, &format!("{n}@example.net"), NOW)
        });
        assert_eq!(admitted.count(), 10);
        assert!(limits.check(address("2001:db8:0:2::1"), NOW, &Nothing).is_ok());
        assert_eq!(network_of(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn memory_stays_bounded_and_homes_are_forgotten_last() {
        let limits = limits();
        let home = address("198.51.100.7");
        limits.admit(home, "owner@example.net", NOW, &Nothing).unwrap().succeeded(OWNER, NOW);
        for n in 0..u32::try_from(REMEMBERED).unwrap() + 200 {
            fail(&limits, IpAddr::V4(n.into()), &format!("{n}@example.net"), NOW.plus(u64::from(n % 7)));
        }
        let books = limits.books();
        assert!(books.networks.len() <= REMEMBERED && books.accounts.len() <= REMEMBERED);
        assert!(books.accounts.values().any(|account| account.homes.contains(&limits.network_name(home))));
    }

    #[test]
    fn two_api_servers_allow_little_more_than_one_and_a_third_that_starts_knows() {
        let (shared, bad) = (Shared::default(), address("192.0.2.1"));
        let servers = [limits(), limits()];
        let (mut admitted, mut written) = (0_u64, 0);
        let minutes = 10;
        for second in 0..minutes * 60 {
            let now = NOW.plus(second * 1_000);
            for limits in &servers {
                admitted += (0..5).filter(|_| limits.admit(bad, "a@example.net", now, &shared).is_ok()).count() as u64;
                written += shared.tell(limits, now);
            }
        }
        let one = NETWORK.burst + minutes * 60_000 / NETWORK.refill_ms;
        assert!(admitted <= one + NETWORK.burst, "{admitted} instead of {one}");
        assert!(written as u64 <= 2 * admitted, "{written} writes for {admitted} tries");
        let now = NOW.plus(minutes * 60_000 - 1_000);
        let fresh = (0..20).filter(|_| limits().admit(bad, "a@example.net", now, &shared).is_ok()).count();
        assert_eq!(fresh, 0, "a restart forgets nothing");
        assert!(limits().check(bad, now, &shared).is_err());
    }

    #[test]
    fn few_mistakes_are_nobody_elses_business_and_what_was_refused_writes_nothing() {
        let (shared, limits) = (Shared::default(), limits());
        for _ in 0..4 {
            assert!(limits.admit(address("192.0.2.1"), "a@example.net", NOW, &shared).is_ok());
            assert_eq!(shared.tell(&limits, NOW), 0);
        }
        for _ in 0..1_000 {
            drop(limits.admit(address("192.0.2.1"), "a@example.net", NOW, &shared));
        }
        assert_eq!(shared.tell(&limits, NOW), 1);
        for _ in 0..1_000 {
            drop(limits.admit(address("192.0.2.1"), "a@example.net", NOW, &shared));
        }
        assert_eq!(shared.tell(&limits, NOW), 0);
    }

    #[test]
    fn where_an_account_was_opened_is_known_to_all_and_written_once() {
        let (shared, home) = (Shared::default(), address("198.51.100.7"));
        let [one, other] = [limits(), limits()];
        one.admit(home, "owner@example.net", NOW, &shared).unwrap().succeeded(OWNER, NOW);
        assert_eq!(shared.tell(&one, NOW), 1);
        other.admit(home, "owner@example.net", NOW, &shared).unwrap().succeeded(OWNER, NOW);
        assert_eq!(shared.tell(&other, NOW), 0);
        for n in 0..100_u32 {
            drop(other.admit(IpAddr::V4((0x0a00_0000 + n).into()), "owner@example.net", NOW, &shared));
        }
        assert!(other.admit(address("203.0.113.1"), "owner@example.net", NOW, &shared).is_err());
        assert!(other.admit(home, "owner@example.net", NOW, &shared).is_ok(), "the owner at home");
    }
}
