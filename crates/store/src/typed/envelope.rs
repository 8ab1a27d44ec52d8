//! The stored form: `{"v": 1, "record": {...}}`. The version comes first and outside, so that it can be read
//! whatever the record looks like.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::record::{Record, Stored, Unreadable, key_of};
use crate::{Entry, Key, StoreError};

#[derive(Serialize)]
struct Sealed<'a, R> {
    v: u32,
    record: &'a R,
}

#[derive(Deserialize)]
struct Opened<'a> {
    v: u32,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// The record's key and stored form.
pub(super) fn encode<R: Record>(record: &R) -> Result<(Key, Bytes), StoreError> {
    let key = key_of::<R>(&record.id())?;
    match serde_json::to_vec(&Sealed { v: R::VERSION, record }) {
        Ok(json) => Ok((key, json.into())),
        Err(error) => Err(StoreError::Unwritable { key, reason: error.to_string() }),
    }
}

/// The record in an entry, brought up to the present version.
pub(crate) fn decode<R: Record>(entry: &Entry) -> Result<Stored<R>, Unreadable> {
    let unreadable = |reason| Unreadable { key: entry.key.clone(), revision: entry.mod_revision, reason };
    let record: R = parse(&entry.value).map_err(unreadable)?;
    if key_of::<R>(&record.id()).as_ref() != Ok(&entry.key) {
        return Err(unreadable(format!("it says that its id is {}", record.id())));
    }
    Ok(Stored { record, revision: entry.mod_revision })
}

/// What stands before a record that this program wrote, so that reading it back takes one pass.
fn head<R: Record>() -> String {
    format!("{{\"v\":{},\"record\":", R::VERSION)
}

fn parse<R: Record>(json: &[u8]) -> Result<R, String> {
    let present = json.strip_prefix(head::<R>().as_bytes()).and_then(|rest| rest.strip_suffix(b"}"));
    if let Some(record) = present.and_then(|record| serde_json::from_slice(record).ok()) {
        return Ok(record);
    }
    // Any other form, or a mistake that deserves an explanation.
    let opened: Opened<'_> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if opened.v == R::VERSION {
        return serde_json::from_str(opened.record.get()).map_err(|error| error.to_string());
    }
    if opened.v > R::VERSION {
        return Err(format!(
            "a newer NodePanel wrote it: version {}, and up to {} is known here",
            opened.v,
            R::VERSION
        ));
    }
    let mut value = serde_json::from_str(opened.record.get()).map_err(|error| error.to_string())?;
    for from in opened.v..R::VERSION {
        value = R::upgrade(from, value).map_err(|error| error.to_string())?;
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}
