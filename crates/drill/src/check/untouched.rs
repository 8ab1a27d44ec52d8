//! What must not be touched is the same afterwards.

use std::collections::BTreeMap;

use super::Fault;

/// Holds what there is of each thing (in words that change when it is replaced) against what there was.
pub fn untouched(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Fault> {
    let changed = before.iter().filter_map(|(name, was)| match after.get(name) {
        Some(is) if is == was => None,
        Some(is) => Some(Fault::Seen(format!("{name} was touched: it was {was} and is {is}"))),
        None => Some(Fault::Lost(format!("{name} is gone: it was {was}"))),
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(things: &[(&str, &str)]) -> BTreeMap<String, String> {
        things.iter().map(|(name, what)| ((*name).to_owned(), (*what).to_owned())).collect()
    }

    #[test]
    fn only_what_was_there_is_held_against_what_is() {
        let before = world(&[("agent", "process 7"), ("game", "process 8")]);
        assert_eq!(untouched(&before, &before), []);
        assert_eq!(untouched(&before, &world(&[("agent", "process 7"), ("game", "process 8"), ("new", "x")])), []);
        assert!(matches!(
            untouched(&before, &world(&[("agent", "process 9"), ("game", "process 8")]))[..],
            [Fault::Seen(_)]
        ));
        assert!(matches!(untouched(&before, &world(&[("agent", "process 7")]))[..], [Fault::Lost(_)]));
    }
}
