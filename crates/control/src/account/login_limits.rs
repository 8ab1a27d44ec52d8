//! Limits on signing in, per address: one address can lock nobody else out.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nodepanel_types::Timestamp;

use crate::ControlError;

/// Failed tries that an address has at once; one more comes back every [`REFILL_MS`].
const TRIES: u32 = 10;
const REFILL_MS: u64 = 6_000;
/// Addresses that are remembered; beyond it those that are quiet the longest are forgotten.
const ADDRESSES: usize = 10_000;

/// Counts failed sign-ins by address.
#[derive(Default)]
pub struct LoginLimits(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    as_of: Timestamp,
}

impl Failures {
    /// The failures that still count.
    fn at(self, now: Timestamp) -> u32 {
        let forgiven = u32::try_from(now.since(self.as_of) / REFILL_MS).unwrap_or(u32::MAX);
        self.count.saturating_sub(forgiven)
    }
}

impl LoginLimits {
    /// Refuses an address that failed too often.
    pub fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), ControlError> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(&network_of(address)) {
            Some(failed) if failed.at(now) >= TRIES => Err(ControlError::TooMany {
                what: "There were too many failed sign-ins from your address.",
                retry_after: Duration::from_millis(REFILL_MS),
            }),
            _ => Ok(()),
        }
    }

    /// Takes note of a failure.
    pub fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES {
            failures.retain(|_, failed| failed.at(now) > 0);
        }
        if failures.len() >= ADDRESSES {
            let oldest = failures.iter().min_by_key(|(_, failed)| failed.as_of).map(|(address, _)| *address);
            oldest.map(|address| failures.remove(&address));
        }
        let entry = failures.entry(network_of(address)).or_insert(Failures { count: 0, as_of: now });
        *entry = Failures { count: entry.at(now) + 1, as_of: now };
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

    #[test]
    fn one_address_locks_out_only_itself_and_only_for_a_while() {
        let limits = LoginLimits::default();
        let (bad, good): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let now = Timestamp::from_millis(1_000_000);
        for _ in 0..TRIES {
            limits.admit(bad, now).unwrap();
            limits.failed(bad, now);
        }
        assert!(limits.admit(bad, now).is_err());
        assert!(limits.admit(good, now).is_ok());
        assert!(limits.admit(bad, now.plus(REFILL_MS)).is_ok());
    }

    #[test]
    fn memory_stays_bounded() {
        let limits = LoginLimits::default();
        for n in 0..u32::try_from(ADDRESSES).unwrap() + 500 {
            limits.failed(IpAddr::V4(n.into()), Timestamp::from_millis(i64::from(n)));
        }
        assert!(limits.0.lock().unwrap().len() <= ADDRESSES);
    }
}
