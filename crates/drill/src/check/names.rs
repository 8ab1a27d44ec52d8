//! A server has the name that it was given last.
//!
//! One writer gives a server its names, one after the other. A name that was given up on may still be given later than
//! one that was acknowledged after it only if it was sent again, which a writer that gave up does not do; so the name
//! that is there is the last acknowledged one, or one of those that were given up on after it.

use nodepanel_types::ServerId;

use super::Fault;
use crate::history::{Action, History, Outcome};

/// Holds the names that a server was given against the one that it has. `before` is the one that it began with.
pub fn names(history: &History, server: ServerId, before: &str, there: &str) -> Vec<Fault> {
    let mut possible = vec![before];
    let mut refused = Vec::new();
    for operation in history.operations() {
        let Action::Rename { server: whose, name } = &operation.action else { continue };
        if *whose != server {
            continue;
        }
        match operation.outcome {
            Outcome::Ok => possible = vec![name],
            Outcome::Unknown { .. } => possible.push(name),
            Outcome::Failed { .. } => refused.push(name.as_str()),
        }
    }
    if possible.contains(&there) {
        return Vec::new();
    }
    if refused.contains(&there) {
        return vec![Fault::Invented(format!("The server {server} has the name “{there}”, which was refused."))];
    }
    vec![Fault::Lost(format!("The server {server} is “{there}” and should be {}.", quoted(&possible)))]
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("“{name}”")).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{failed, history, server, unknown};
    use super::*;

    fn rename(name: &str, outcome: Outcome) -> (Action, Outcome) {
        (Action::Rename { server: server(1), name: name.to_owned() }, outcome)
    }

    fn judge<const N: usize>(operations: [(Action, Outcome); N], there: &str) -> Vec<Fault> {
        names(&history(operations), server(1), "at first", there)
    }

    #[test]
    fn whatever_may_be_is_right() {
        assert_eq!(judge([], "at first"), []);
        assert_eq!(judge([rename("a", Outcome::Ok), rename("b", Outcome::Ok)], "b"), []);
        for there in ["a", "b"] {
            assert_eq!(judge([rename("a", Outcome::Ok), rename("b", unknown())], there), []);
        }
    }

    #[test]
    fn every_broken_promise_is_a_fault() {
        let two = || [rename("a", Outcome::Ok), rename("b", Outcome::Ok)];
        assert!(matches!(judge(two(), "a")[..], [Fault::Lost(_)]));
        assert!(matches!(judge(two(), "at first")[..], [Fault::Lost(_)]));
        assert!(matches!(judge([rename("a", unknown()), rename("b", Outcome::Ok)], "a")[..], [Fault::Lost(_)]));
        assert!(matches!(judge([rename("a", Outcome::Ok), rename("b", failed())], "b")[..], [Fault::Invented(_)]));
    }
}
