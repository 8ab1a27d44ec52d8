//! What API servers tell each other of signing in. The names of networks and accounts are keyed hashes.

use nodepanel_types::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Failed sign-ins of a network, or at an account, that have added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginDebtRecord {
    /// The name of the network or account.
    pub id: String,
    /// When all of them are forgiven; afterwards the record is of no use.
    pub forgiven_at: Timestamp,
}

super::record!(LoginDebtRecord, "login-debts", String);

/// From where an account was opened lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginHomesRecord {
    /// Whose account.
    pub id: UserId,
    /// The names of the networks, the newest last.
    pub networks: Vec<String>,
}

super::record!(LoginHomesRecord, "login-homes", UserId);
