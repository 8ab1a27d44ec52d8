//! A part of a list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The elements, in the list's order.
    pub items: Vec<T>,
    /// How many there are in all that match.
    pub total: u64,
    /// Pass it as `after` to get the next part; `null` at the end.
    pub next: Option<String>,
}
