//! What a request is worth while not all can be answered.

use axum::http::Method;

/// In the order in which requests are let in; the last are refused first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What a person or a watcher needs most in a storm: power, commands, a console that comes back, who is signed in.
    Vital,
    /// Other writes, single things, the panel's own files.
    Ordinary,
    /// Lists and figures, which cost the most and are asked for again anyway.
    Bulk,
}

impl Rank {
    /// Of a request for this route (its pattern, `None` for the panel's files). `None` for what is always answered:
    /// whether this process works must be known most of all when it does not.
    pub fn of(method: &Method, route: Option<&str>) -> Option<Self> {
        let Some(route) = route else { return Some(Self::Ordinary) };
        if matches!(route, "/healthz" | "/readyz") {
            return None;
        }
        let Some(path) = route.strip_prefix("/api/v1/") else { return Some(Self::Bulk) };
        let last = path.rsplit('/').next().unwrap_or_default();
        Some(match (method, last) {
            (_, "power" | "command" | "console") | (&Method::GET, "session" | "events") => Self::Vital,
            (&Method::GET, "{id}" | "setup") => Self::Ordinary,
            (&Method::GET | &Method::HEAD, _) => Self::Bulk,
            _ => Self::Ordinary,
        })
    }

    /// Its place in an array with one entry for each rank.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Vital => 0,
            Self::Ordinary => 1,
            Self::Bulk => 2,
        }
    }

    /// In metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vital => "vital",
            Self::Ordinary => "ordinary",
            Self::Bulk => "bulk",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_comes_before_lists_and_health_is_always_told() {
        let rank = |method: Method, route| Rank::of(&method, Some(route));
        assert_eq!(rank(Method::GET, "/readyz"), None);
        assert_eq!(rank(Method::POST, "/api/v1/servers/{id}/power"), Some(Rank::Vital));
        assert_eq!(rank(Method::GET, "/api/v1/servers/{id}/console"), Some(Rank::Vital));
        assert_eq!(rank(Method::GET, "/api/v1/session"), Some(Rank::Vital));
        assert_eq!(rank(Method::POST, "/api/v1/session"), Some(Rank::Ordinary));
        assert_eq!(rank(Method::GET, "/api/v1/servers/{id}"), Some(Rank::Ordinary));
        assert_eq!(rank(Method::PATCH, "/api/v1/servers/{id}"), Some(Rank::Ordinary));
        assert_eq!(rank(Method::GET, "/api/v1/servers"), Some(Rank::Bulk));
        assert_eq!(rank(Method::GET, "/api/v1/servers/{id}/stats"), Some(Rank::Bulk));
        assert_eq!(rank(Method::GET, "/metrics"), Some(Rank::Bulk));
        assert_eq!(Rank::of(&Method::GET, None), Some(Rank::Ordinary));
        assert!(Rank::Vital < Rank::Bulk);
    }
}
