//! Every request has an id: in its log line, in its answer's header, in its problem document.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method},
    response::Response,
};
use nodepanel_types::RequestId;

use crate::ApiState;

/// The id of the request at hand.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdExt(pub RequestId);

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What is remembered of a request until it is answered.
pub struct Stamp {
    id: RequestId,
    method: Method,
    /// The pattern, not the path: a log must not grow a name per server, and metrics even less.
    route: Option<MatchedPath>,
    began: Instant,
}

impl Stamp {
    /// Gives a request its id.
    pub fn put_on(request: &mut Request, state: &ApiState) -> Self {
        let id = RequestId::from_uuid(state.plane.ids.uuid());
        let stamp = Self {
            id,
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            began: Instant::now(),
        };
        request.extensions_mut().insert(RequestIdExt(id));
        stamp
    }

    /// The pattern that the request matched; none for the panel's files.
    pub fn route(&self) -> Option<&str> {
        self.route.as_ref().map(MatchedPath::as_str)
    }

    /// The request's id.
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Puts the id on the answer, counts it and logs it.
    pub fn take_off(self, state: &ApiState, response: &mut Response) {
        let Self { id, method, route, began } = self;
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(HEADER, value);
        }
        let took = began.elapsed();
        let status = response.status().as_u16();
        let route = route.as_ref().map_or("(no route)", MatchedPath::as_str);
        state.metrics.answered(&method, route, status, took);
        tracing::debug!(
            request.id = %id, http.method = %method, http.route = route, http.status = status,
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"
        );
    }
}
