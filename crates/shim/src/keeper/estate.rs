//! What a shim leaves to the next image of itself: a record in a form that builds agree on, and descriptors by name.
//!
//! A build reads every form up to its own and ignores fields that it does not know; a field that is added later has a
//! default. Only a game that runs is ever left to another image, so there is no record of one that starts or ends.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use nodepanel_supervise::process::succession::Package;
use nodepanel_types::{Millis, Timestamp, state::Run};
use serde::{Deserialize, Serialize};

use super::input::InputEstate;
use crate::{
    console::{LineCutter, Numbers},
    place::Keeper,
    protocol::ShimState,
    spec::ShimSpec,
};

/// The newest form of [`Estate`].
pub(super) const FORM: u32 = 1;

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Estate {
    /// Its form: [`FORM`].
    pub(super) v: u32,
    pub(super) spec: ShimSpec,
    pub(super) token: String,
    pub(super) keeper: Keeper,
    pub(super) notes: Vec<String>,
    pub(super) run: Run,
    pub(super) state: ShimState,
    pub(super) ready_at: Option<Timestamp>,
    /// After this time it counts as ready without a sign.
    pub(super) ready_left_ms: Millis,
    /// What the kernel had killed for lack of memory when the game was started.
    pub(super) oom_kills: u64,
    pub(super) numbers: Numbers,
    /// How much of the log's segment is whole, when there is one.
    pub(super) segment_bytes: Option<u64>,
    pub(super) cutter: LineCutter,
    pub(super) input: InputEstate,
    /// The number of the request that is to be answered.
    pub(super) request: u64,
    /// When the last image stopped, in nanoseconds of the machine's monotonic clock.
    pub(super) left_at_ns: u64,
    /// What the descriptors are, in their order.
    pub(super) descriptors: Vec<Name>,
}

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Name {
    /// Where the game reads what is typed; our end.
    Typed,
    /// Where it writes; our end.
    Written,
    /// The socket on which clients come in.
    Listener,
    /// The lock of the console log.
    LogLock,
    /// The segment of the log that is being written.
    LogSegment,
    /// Who asked for the new image.
    Client,
    /// One of a later form.
    #[serde(other)]
    Unknown,
}

/// The descriptors.
#[derive(Debug)]
pub(super) struct Descriptors(BTreeMap<Name, OwnedFd>);

impl Descriptors {
    /// One that must be there.
    pub(super) fn take(&mut self, name: Name) -> io::Result<OwnedFd> {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, format!("the descriptor {name:?} is missing"));
        self.0.remove(&name).ok_or_else(missing)
    }
}

impl Estate {
    /// Packs it with its descriptors.
    pub(super) fn pack(mut self, descriptors: &[(Name, BorrowedFd<'_>)]) -> io::Result<OwnedFd> {
        let (names, descriptors): (Vec<_>, Vec<_>) = descriptors.iter().copied().unzip();
        self.descriptors = names;
        Package::pack(&serde_json::to_vec(&self)?, &descriptors)
    }

    /// Takes over what the image before this one left.
    pub(super) fn receive() -> io::Result<(Self, Descriptors)> {
        let Package { record, descriptors } = Package::receive()?;
        let estate = Self::parse(&record)?;
        let named = Descriptors(estate.descriptors.iter().copied().zip(descriptors).collect());
        for name in [Name::Typed, Name::Written, Name::Listener, Name::LogLock] {
            if !named.0.contains_key(&name) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the descriptor {name:?} is missing")));
            }
        }
        Ok((estate, named))
    }

    fn parse(record: &[u8]) -> io::Result<Self> {
        #[derive(Deserialize)]
        struct Form {
            v: u32,
        }
        let Form { v } = serde_json::from_slice(record)?;
        if v > FORM {
            let text = format!("what is left to this build has form {v}, and it knows up to {FORM}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(serde_json::from_slice(record)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first build with this feature left.
    const FORM_1: &str = include_str!("../../tests/fixtures/v1/estate.json");

    #[test]
    fn the_first_form_stays_readable_and_a_later_one_is_refused() {
        let estate = Estate::parse(FORM_1.as_bytes()).unwrap();
        assert_eq!(estate.numbers.next, 18_231);
        assert!(estate.cutter.has_partial());
        assert_eq!(estate.descriptors.last(), Some(&Name::Unknown), "one that is not known yet");
        let again: Estate = Estate::parse(&serde_json::to_vec(&estate).unwrap()).unwrap();
        assert_eq!(again, estate);
        let later = FORM_1.replacen("\"v\": 1", "\"v\": 2", 1);
        let error = Estate::parse(later.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("form 2"), "{error}");
    }
}
