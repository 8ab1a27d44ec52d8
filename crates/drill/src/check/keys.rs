//! Keys are made once and stay until they are revoked.

use std::collections::BTreeMap;

use super::Fault;
use crate::history::{Action, History, Outcome};

/// What the history says of one key.
#[derive(Debug, Default)]
struct Account {
    created: Option<Outcome>,
    revoked: Option<Outcome>,
}

/// Holds the history of keys against the names of the keys that are there.
pub fn keys(history: &History, there: &[String]) -> Vec<Fault> {
    let mut accounts: BTreeMap<&str, Account> = BTreeMap::new();
    for operation in history.operations() {
        match &operation.action {
            Action::CreateKey { name } => {
                accounts.entry(name).or_default().created = Some(operation.outcome.clone());
            }
            Action::RevokeKey { name } => {
                accounts.entry(name).or_default().revoked = Some(operation.outcome.clone());
            }
            _ => {}
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in there {
        *counts.entry(name).or_default() += 1;
    }
    let mut faults = Vec::new();
    for (name, account) in &accounts {
        let count = counts.remove(name).unwrap_or_default();
        let created = account.created.as_ref();
        let may_be_gone = matches!(account.revoked, Some(Outcome::Ok | Outcome::Unknown { .. }));
        if count > 1 {
            faults.push(Fault::Twice(format!("The key “{name}” is there {count} times.")));
        } else if count == 0 && matches!(created, Some(Outcome::Ok)) && !may_be_gone {
            faults.push(Fault::Lost(format!("The key “{name}” was acknowledged and is not there.")));
        } else if count == 1 && matches!(account.revoked, Some(Outcome::Ok)) {
            faults.push(Fault::Lost(format!("The key “{name}” was revoked, which was acknowledged, and is there.")));
        } else if count == 1 && matches!(created, Some(Outcome::Failed { .. })) {
            faults.push(Fault::Invented(format!("The key “{name}” was refused and is there.")));
        }
    }
    faults.extend(counts.into_keys().map(|name| Fault::Invented(format!("Nobody asked for the key “{name}”."))));
    faults
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{failed, history, unknown};
    use super::*;

    fn create(name: &str, outcome: Outcome) -> (Action, Outcome) {
        (Action::CreateKey { name: name.to_owned() }, outcome)
    }

    fn revoke(name: &str, outcome: Outcome) -> (Action, Outcome) {
        (Action::RevokeKey { name: name.to_owned() }, outcome)
    }

    fn judge(history: &History, there: &[&str]) -> Vec<Fault> {
        keys(history, &there.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn whatever_may_be_is_right() {
        let done = history([create("a", Outcome::Ok), create("b", Outcome::Ok), revoke("b", Outcome::Ok)]);
        assert_eq!(judge(&done, &["a"]), []);
        for outcome in [unknown(), failed()] {
            assert_eq!(judge(&history([create("a", outcome)]), &[]), []);
        }
        assert_eq!(judge(&history([create("a", unknown())]), &["a"]), []);
        let unsure = history([create("a", Outcome::Ok), revoke("a", unknown())]);
        assert_eq!((judge(&unsure, &["a"]), judge(&unsure, &[])), (vec![], vec![]));
    }

    #[test]
    fn every_broken_promise_is_a_fault() {
        let one = || history([create("a", Outcome::Ok)]);
        assert!(matches!(judge(&one(), &[])[..], [Fault::Lost(_)]));
        assert!(matches!(judge(&one(), &["a", "a"])[..], [Fault::Twice(_)]));
        assert!(matches!(judge(&one(), &["a", "b"])[..], [Fault::Invented(_)]));
        assert!(matches!(judge(&history([create("a", unknown())]), &["a", "a"])[..], [Fault::Twice(_)]));
        assert!(matches!(judge(&history([create("a", failed())]), &["a"])[..], [Fault::Invented(_)]));
        let revoked = history([create("a", Outcome::Ok), revoke("a", Outcome::Ok)]);
        assert!(matches!(judge(&revoked, &["a"])[..], [Fault::Lost(_)]));
        let kept = history([create("a", Outcome::Ok), revoke("a", failed())]);
        assert!(matches!(judge(&kept, &[])[..], [Fault::Lost(_)]));
    }
}
