//! What an agent knows about its links, for its own logs and for `doctor`.

use std::{collections::BTreeMap, fmt};

use nodepanel_types::{Timestamp, WorkerId};

use crate::{ConnectError, LinkAddress, wire::Goodbye};

/// Every address that is dialled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialerStatus {
    /// What is known of each.
    pub addresses: BTreeMap<LinkAddress, AddressStatus>,
    /// How far the clock of the API server that was heard last is ahead of this machine's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

impl DialerStatus {
    /// Whether any API server has a control link to this agent.
    pub fn is_linked(&self) -> bool {
        self.addresses.values().any(|address| address.links.iter().any(|link| !link.bulk))
    }
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressStatus {
    /// The connections that were made by dialling it.
    pub links: Vec<LinkStatus>,
    /// Why it cannot be linked, if the last attempt failed.
    pub failure: Option<FailureStatus>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// The API server at the other end.
    pub instance: WorkerId,
    /// The bulk connection.
    pub bulk: bool,
    /// Since when.
    pub since: Timestamp,
}

/// Attempts that failed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureStatus {
    /// When the first one failed.
    pub since: Timestamp,
    /// How many.
    pub attempts: u64,
    /// Why the last one failed, and what to do, as a sentence.
    pub reason: String,
}

/// Why one attempt to link failed.
#[derive(Debug)]
pub enum DialFailure {
    /// The address cannot be reached, or TLS fails.
    Connect(ConnectError),
    /// The API server does not want this agent.
    Refused(Goodbye),
    /// The connection ended before the hello.
    NoHello {
        /// What was dialled.
        address: LinkAddress,
        /// What is known.
        why: String,
    },
    /// This machine's own identity cannot be used.
    Identity(crate::pki::PkiError),
}

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => match std::error::Error::source(error) {
                Some(source) => write!(f, "{error} ({source})"),
                None => write!(f, "{error}"),
            },
            Self::Refused(goodbye) => write!(f, "the API server refused this agent: {goodbye}"),
            Self::NoHello { address, why } => write!(f, "{address} answers, but the link was not made: {why}"),
            Self::Identity(error) => write!(f, "this machine's identity cannot be used: {error}"),
        }
    }
}
