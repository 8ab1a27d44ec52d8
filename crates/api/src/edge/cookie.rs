//! The session cookie: host-only, not readable by scripts, not sent along from other sites.

use axum::http::{HeaderMap, HeaderValue, header};

/// The session cookie in a request or an answer.
pub struct SessionCookie;

impl SessionCookie {
    const NAME: &str = "np_session";

    /// The cookie of a request.
    pub fn read(headers: &HeaderMap) -> Option<&str> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find_map(|line| line.split(';').find_map(|pair| pair.trim().strip_prefix(Self::NAME)?.strip_prefix('=')))
    }

    /// The header that sets the cookie. `secure` when the browser came over HTTPS.
    pub fn set(value: &str, max_age_s: u64, secure: bool) -> Option<HeaderValue> {
        let secure = if secure { "; Secure" } else { "" };
        let name = Self::NAME;
        HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}"))
            .ok()
    }

    /// The header that removes the cookie.
    pub fn clear(secure: bool) -> Option<HeaderValue> {
        Self::set("", 0, secure)
    }
}

/// A renewed cookie that the answer shall carry; put into the answer's extensions.
#[derive(Debug, Clone)]
pub struct NewCookie(pub HeaderValue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_its_own_cookie_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; np_session=secret; np_sessions=x"));
        assert_eq!(SessionCookie::read(&headers), Some("secret"));
        headers.clear();
        headers.append(header::COOKIE, HeaderValue::from_static("np_sessionx=secret"));
        assert_eq!(SessionCookie::read(&headers), None);
    }
}
