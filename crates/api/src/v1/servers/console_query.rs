//! Where in a console to begin.

use nodepanel_control::ConsoleFrom;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::edge::ApiError;

/// Where to begin.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsoleQuery {
    /// Only lines after this number: the last one that the reader has.
    pub after: Option<u64>,
    /// The newest lines, at most this many.
    pub tail: Option<u32>,
    /// At most this many lines in one answer, 1 to 10,000 (not for websockets).
    pub limit: Option<u32>,
}

impl ConsoleQuery {
    /// The most lines in one answer.
    pub const MOST: u32 = 10_000;

    /// The beginning, when it is stated once.
    pub fn from(&self) -> Result<ConsoleFrom, ApiError> {
        match (self.after, self.tail) {
            (Some(_), Some(_)) => Err(ApiError::field("tail", "cannot be combined with `after`; use one of them.")),
            (Some(after), None) => Ok(ConsoleFrom::After(after)),
            (None, tail) => Ok(ConsoleFrom::Tail(tail.unwrap_or(500).min(Self::MOST))),
        }
    }
}
