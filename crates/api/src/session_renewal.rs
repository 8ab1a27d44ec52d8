//! Sessions that are used are renewed: the answer carries a fresh cookie.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{extract::Request, http::header, middleware::Next, response::Response};
use nodepanel_control::CookieValue;

use crate::edge::{NewCookie, SessionCookie};

/// Where the extractor of the caller leaves a renewed cookie for the answer.
#[derive(Debug, Clone, Default)]
pub struct RenewalSlot(Arc<Mutex<Option<NewCookie>>>);

impl RenewalSlot {
    /// Leaves a cookie.
    pub fn offer(&self, cookie: NewCookie) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cookie);
    }

    fn take(&self) -> Option<NewCookie> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Puts a renewed cookie on the answer, unless the endpoint set one itself.
pub async fn renew_sessions(mut request: Request, next: Next) -> Response {
    let slot = RenewalSlot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    if let Some(NewCookie(value)) = slot.take()
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The answer with a session's cookie.
pub fn with_cookie(mut response: Response, cookie: &CookieValue, secure: bool) -> Response {
    if let Some(value) = SessionCookie::set(&cookie.value, cookie.max_age_s, secure) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
