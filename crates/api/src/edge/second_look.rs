//! Refusals are given only from what is newest.
//!
//! Every API server answers from its own copy of the store, which is a few milliseconds behind what another one has just
//! acknowledged. Whoever makes a thing and uses it at once, at another API server, must not be told that it does not
//! exist. So a request that is refused is looked at once more when the copy was behind: nothing was changed by the first
//! look, and the second one costs a request only when its refusal may be out of date.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use super::ApiError;
use crate::ApiState;

/// The body of a request, kept by whoever reads it for a second look.
#[derive(Debug, Clone, Default)]
pub struct KeptBody(Arc<Mutex<Option<Bytes>>>);

impl KeptBody {
    /// Keeps it.
    pub fn keep(&self, body: &Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body.clone());
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Looks again at what is refused from an old copy of the store.
pub async fn look_twice(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let seen = state.plane.seen();
    let kept = KeptBody::default();
    let (mut parts, body) = request.into_parts();
    if body.is_end_stream() {
        kept.keep(&Bytes::new());
    }
    parts.extensions.insert(kept.clone());
    let response = next.clone().run(Request::from_parts(parts.clone(), body)).await;
    if !may_be_outdated(&response) {
        return response;
    }
    // A body that nobody read cannot be read again; who refused without it had another reason.
    match kept.take() {
        Some(body) if state.plane.has_caught_up(seen).await => {
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        _ => response,
    }
}

/// Missing, forbidden, in conflict or naming what is not there. Credentials are looked at twice where they are read.
fn may_be_outdated(response: &Response) -> bool {
    response.extensions().get::<ApiError>().is_some_and(|error| matches!(error.0.status, 404 | 409 | 422))
}
