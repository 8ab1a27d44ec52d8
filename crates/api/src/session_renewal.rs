//! Sessions that are used are renewed: the answer carries a fresh cookie.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{extract::Request, http::header, response::Response};
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

    /// Gives the request a slot.
    pub fn put_on(request: &mut Request) -> Self {
        let slot = Self::default();
        request.extensions_mut().insert(slot.clone());
        slot
    }

    /// Puts a renewed cookie on the answer, unless the endpoint set one itself.
    pub fn take_off(&self, response: &mut Response) {
        if let Some(NewCookie(value)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
            && !response.headers().contains_key(header::SET_COOKIE)
        {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
    }
}

/// The answer with a session's cookie.
pub fn with_cookie(mut response: Response, cookie: &CookieValue, secure: bool) -> Response {
    if let Some(value) = SessionCookie::set(&cookie.value, cookie.max_age_s, secure) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
