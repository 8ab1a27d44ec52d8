//! Requests that a browser sends on behalf of another site are refused when they come with the cookie and change
//! something. API keys are not sent by browsers on their own, so they need no such check.

use axum::http::{HeaderMap, Method, header};
use nodepanel_types::problem::ProblemCode;

use super::ApiError;

/// Refuses what comes from another site.
pub fn refuse_cross_site(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    refuse_foreign_origin(headers)
}

/// The same for requests of any method, for example the upgrade to a websocket, which browsers let other sites make.
pub fn refuse_foreign_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign = match text("sec-fetch-site") {
        Some("same-origin" | "none") => false,
        Some(_) => true,
        // Browsers too old for Sec-Fetch-Site still send Origin; what sends neither is no browser.
        None => match (text(header::ORIGIN.as_str()), text(header::HOST.as_str())) {
            (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, authority)| authority != host),
            (Some(_), None) => true,
            (None, _) => false,
        },
    };
    if foreign {
        return Err(ApiError::new(
            ProblemCode::CrossSite,
            "A page of another site sent this request with your session, so it was refused and nothing was changed. \
             Scripts use an API key instead of the session.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::refuse_cross_site;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_this_site_may_change_things() {
        let post = |pairs: &[(&'static str, &'static str)]| refuse_cross_site(&Method::POST, &headers(pairs)).is_ok();
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[]));
        assert!(post(&[("origin", "http://panel.example:8080"), ("host", "panel.example:8080")]));
        assert!(!post(&[("sec-fetch-site", "cross-site")]));
        assert!(!post(&[("sec-fetch-site", "same-site")]));
        assert!(!post(&[("origin", "https://evil.example"), ("host", "panel.example")]));
        assert!(!post(&[("origin", "null"), ("host", "panel.example")]));
        assert!(refuse_cross_site(&Method::GET, &headers(&[("sec-fetch-site", "cross-site")])).is_ok());
    }
}
