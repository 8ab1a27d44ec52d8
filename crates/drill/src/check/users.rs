//! No user sees an error: what failed or was given up on, the client could not hide.

use super::Fault;
use crate::history::{History, Outcome};

/// Faults that are told one by one; the rest is in the counts.
const MOST: usize = 20;

/// What users saw.
pub fn users(history: &History) -> Vec<Fault> {
    let seen = history.operations().iter().filter_map(|operation| {
        let (how, why) = match &operation.outcome {
            Outcome::Ok => return None,
            Outcome::Failed { why } => ("failed", why),
            Outcome::Unknown { why } => ("was given up on", why),
        };
        let at = operation.begun.as_secs_f64();
        Some(Fault::Seen(format!("{:?}, asked for after {at:.3} s, {how}: {why}", operation.action)))
    });
    seen.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{failed, history, unknown};
    use super::*;

    #[test]
    fn what_was_not_acknowledged_was_seen() {
        let all = history([(Action::Read, Outcome::Ok), (Action::Read, failed()), (Action::Read, unknown())]);
        assert_eq!(users(&all).len(), 2);
        assert_eq!(users(&history([(Action::Read, Outcome::Ok)])), []);
    }

    use crate::history::Action;
}
