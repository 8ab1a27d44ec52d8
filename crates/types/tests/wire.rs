//! Messages as earlier versions wrote them (`fixtures/wire`): this one reads each, and loses nothing of it. Both sides of
//! a link are upgraded at different times, so a message that was ever sent stays readable.
//!
//! A fixture is never changed. What is new gets a field that may be missing, and an example beside the old ones; what
//! cannot be said so gets a new version of the message, and a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use nodepanel_types::{
    stats::StatsSeries,
    wire::{
        ApplyRequest, ApplyResponse, CommandRequest, CommandResponse, ConsoleFrame, NodeFrame, PortCheckRequest,
        PortCheckResponse, Remove,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const VERSION_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wire/v1");

/// Reads the examples of a message and writes them again: what was in them is still there.
fn nothing_is_lost<M: Serialize + DeserializeOwned>(name: &str) -> String {
    let file = format!("{name}.json");
    let text = fs::read_to_string(Path::new(VERSION_1).join(&file)).unwrap();
    let examples: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!examples.is_empty(), "{file}");
    for example in examples {
        let message: M = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
        contains(&serde_json::to_value(&message).unwrap(), &example, &file);
    }
    file
}

/// Whether everything of `old` is in `new`, which may say more.
fn contains(new: &Value, old: &Value, place: &str) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (key, old) in old {
                let place = format!("{place}.{key}");
                contains(new.get(key).unwrap_or_else(|| panic!("{place} is lost")), old, &place);
            }
        }
        (Value::Array(new), Value::Array(old)) => {
            assert_eq!(new.len(), old.len(), "{place}");
            new.iter().zip(old).enumerate().for_each(|(n, (new, old))| contains(new, old, &format!("{place}[{n}]")));
        }
        _ => assert_eq!(new, old, "{place}"),
    }
}

#[test]
fn messages_of_version_1_are_read() {
    let known = BTreeSet::from([
        nothing_is_lost::<ApplyRequest>("ApplyRequest"),
        nothing_is_lost::<ApplyResponse>("ApplyResponse"),
        nothing_is_lost::<CommandRequest>("CommandRequest"),
        nothing_is_lost::<CommandResponse>("CommandResponse"),
        nothing_is_lost::<ConsoleFrame>("ConsoleFrame"),
        nothing_is_lost::<NodeFrame>("NodeFrame"),
        nothing_is_lost::<PortCheckRequest>("PortCheckRequest"),
        nothing_is_lost::<PortCheckResponse>("PortCheckResponse"),
        nothing_is_lost::<Remove>("Remove"),
        nothing_is_lost::<StatsSeries>("StatsSeries"),
    ]);
    let there: BTreeSet<_> =
        fs::read_dir(VERSION_1).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, known, "a fixture that nobody reads");
}
