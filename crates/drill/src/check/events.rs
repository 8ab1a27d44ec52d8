//! Whether everything that a node did was told, and once.

use super::Fault;

/// Judges the numbers of what was told of `node` after its event `after`: the node counts what it does, so none may be
/// missing below the last, and none may be there twice. What is older was judged before.
pub fn events(node: &str, after: u64, numbers: &[u64]) -> Vec<Fault> {
    let mut sorted: Vec<u64> = numbers.iter().copied().filter(|number| *number > after).collect();
    sorted.sort_unstable();
    let mut faults = Vec::new();
    let mut expected = after + 1;
    for number in sorted {
        if number < expected {
            faults.push(Fault::Twice(format!("event {number} of {node} was told twice")));
            continue;
        }
        if number > expected {
            let last = number - 1;
            faults.push(Fault::Lost(format!("events {expected} to {last} of {node} were never told")));
        }
        expected = number + 1;
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(numbers: &[u64]) -> Vec<String> {
        events("b", 0, numbers).iter().map(|fault| fault.text().to_owned()).collect()
    }

    #[test]
    fn all_of_them_in_any_order_are_right() {
        assert!(texts(&[]).is_empty());
        assert!(texts(&[3, 1, 2]).is_empty());
        assert!(events("b", 7, &[9, 8, 7, 7, 5]).is_empty());
    }

    #[test]
    fn what_is_missing_or_twice_is_found() {
        assert_eq!(texts(&[2, 3]), ["events 1 to 1 of b were never told"]);
        assert_eq!(texts(&[1, 5]), ["events 2 to 4 of b were never told"]);
        assert_eq!(texts(&[1, 2, 2, 3, 1]), ["event 1 of b was told twice", "event 2 of b was told twice"]);
    }
}
