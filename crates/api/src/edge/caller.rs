//! Who asks: a session cookie or a bearer token, turned into a `Context` for the use-cases.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use nodepanel_control::{Context, Credential, IdempotencyKey};
use nodepanel_types::RequestId;

use super::{ApiError, NewCookie, RequestIdExt, SessionCookie, origin};
use crate::{ApiState, session_renewal::RenewalSlot};

/// A caller that is signed in.
#[derive(Debug, Clone)]
pub struct Caller(pub Context);

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Self::Rejection> {
        let request = request_id(parts, state);
        let (credential, cookie) = credential(&parts.headers);
        if cookie {
            origin::refuse_cross_site(&parts.method, &parts.headers)?;
            // A websocket begins with a GET that browsers let any site send.
            if parts.headers.contains_key(header::UPGRADE) {
                origin::refuse_foreign_origin(&parts.headers)?;
            }
        }
        let known = state.plane.authenticate(&credential)?;
        if let Some(cookie) = known.renewed
            && let Some(value) = SessionCookie::set(&cookie.value, cookie.max_age_s, is_secure(&parts.headers))
            && let Some(slot) = parts.extensions.get::<RenewalSlot>()
        {
            slot.offer(NewCookie(value));
        }
        Ok(Self(Context::new(known.actor, request)))
    }
}

impl OptionalFromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Option<Self>, Self::Rejection> {
        match credential(&parts.headers).0 {
            Credential::None => Ok(None),
            _ => <Self as FromRequestParts<ApiState>>::from_request_parts(parts, state).await.map(Some),
        }
    }
}

/// Whether the browser came over HTTPS, as far as this process or the proxy before it can tell. Anybody may say so:
/// whoever lies only keeps a browser of their own from sending its cookie.
pub fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The id that the request was given.
pub fn request_id(parts: &Parts, state: &ApiState) -> RequestId {
    parts.extensions.get::<RequestIdExt>().map_or_else(|| RequestId::from_uuid(state.plane.ids.uuid()), |id| id.0)
}

/// What came along to prove who asks, and whether it is the cookie.
fn credential(headers: &HeaderMap) -> (Credential, bool) {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        return (Credential::Bearer(token.unwrap_or_default()), false);
    }
    match SessionCookie::read(headers) {
        Some(cookie) if !cookie.is_empty() => (Credential::Session(cookie.to_owned()), true),
        _ => (Credential::None, false),
    }
}

/// The caller's idempotency key, if one came along.
pub fn idempotency_key(headers: &HeaderMap, fingerprint: [u8; 32]) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    if key.is_empty() || key.len() > 128 || !key.chars().all(fine) {
        return Err(ApiError::field(
            "Idempotency-Key",
            "must have 1 to 128 letters, digits, dots, colons, dashes or underscores; a UUID is a good choice.",
        ));
    }
    Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint }))
}
