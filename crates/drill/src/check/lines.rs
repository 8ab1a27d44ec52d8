//! A line that was typed is in the console once.

use std::collections::BTreeMap;

use nodepanel_types::ServerId;

use super::Fault;
use crate::history::{Action, History, Outcome};

/// Holds the lines that were typed into a server's console against those that its console says were typed.
pub fn lines(history: &History, server: ServerId, there: &[String]) -> Vec<Fault> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in there {
        *counts.entry(line).or_default() += 1;
    }
    let mut faults = Vec::new();
    for operation in history.operations() {
        let Action::Type { server: whose, line } = &operation.action else { continue };
        if *whose != server {
            continue;
        }
        match (counts.remove(line.as_str()).unwrap_or_default(), &operation.outcome) {
            (0, Outcome::Ok) => {
                faults.push(Fault::Lost(format!("“{line}” was acknowledged and never typed into {server}.")));
            }
            (1, Outcome::Failed { .. }) => {
                faults.push(Fault::Invented(format!("“{line}” was refused and typed into {server}.")));
            }
            (0 | 1, _) => {}
            (times, _) => faults.push(Fault::Twice(format!("“{line}” was typed {times} times into {server}."))),
        }
    }
    let unasked = |line: &str| Fault::Invented(format!("Nobody typed “{line}” into {server}."));
    faults.extend(counts.into_keys().map(unasked));
    faults
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{failed, history, server, unknown};
    use super::*;

    fn judge(outcome: Outcome, there: &[&str]) -> Vec<Fault> {
        let typed = (Action::Type { server: server(1), line: "x".to_owned() }, outcome);
        let other = (Action::Type { server: server(2), line: "y".to_owned() }, Outcome::Ok);
        lines(&history([typed, other]), server(1), &there.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn whatever_may_be_is_right() {
        assert_eq!(judge(Outcome::Ok, &["x"]), []);
        assert_eq!(judge(unknown(), &["x"]), []);
        assert_eq!(judge(unknown(), &[]), []);
        assert_eq!(judge(failed(), &[]), []);
    }

    #[test]
    fn every_broken_promise_is_a_fault() {
        assert!(matches!(judge(Outcome::Ok, &[])[..], [Fault::Lost(_)]));
        assert!(matches!(judge(Outcome::Ok, &["x", "x"])[..], [Fault::Twice(_)]));
        assert!(matches!(judge(unknown(), &["x", "x"])[..], [Fault::Twice(_)]));
        assert!(matches!(judge(failed(), &["x"])[..], [Fault::Invented(_)]));
        assert!(matches!(judge(Outcome::Ok, &["x", "z"])[..], [Fault::Invented(_)]));
        assert!(matches!(judge(Outcome::Ok, &["x", "y"])[..], [Fault::Invented(_)]), "typed into another server");
    }
}
