//! The query of every list.

use nodepanel_control::ListQuery;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the part before.
    pub after: Option<String>,
    /// At most this many, 1 to 1000; 200 when left out.
    pub limit: Option<usize>,
    /// Only what contains this text in its name (or address); case does not matter.
    pub search: Option<String>,
}

impl From<PageQuery> for ListQuery {
    fn from(query: PageQuery) -> Self {
        Self { after: query.after, limit: query.limit.unwrap_or(200).clamp(1, 1_000), search: query.search }
    }
}
