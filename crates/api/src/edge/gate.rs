//! What every request passes on its way in and out, in order.
//!
//! In: it gets its id, is let in or refused (`admission`), and this API server catches up with the store. Out: a
//! renewed session, the body of a refusal, the headers that every answer carries, and its place in log and metrics. A
//! handler that panics is a refusal like any other. One function rather than a stack of layers: each layer of a router
//! costs several allocations a request.

use std::{any::Any, panic::AssertUnwindSafe};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use nodepanel_types::problem::ProblemCode;

use super::{ApiError, headers, problem::Refused, request_id::Stamp};
use crate::{ApiState, session_renewal::RenewalSlot};

/// Lets a request in and its answer out.
pub async fn gate(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let stamp = Stamp::put_on(&mut request, &state);
    let renewal = RenewalSlot::put_on(&mut request);
    let refused = Refused::of(&request);
    let mut response = match state.admission.enter(request.method(), stamp.route()) {
        Err(later) => later.into_response(),
        Ok(place) => {
            if request.uri().path().starts_with("/api/") {
                // Whatever was acknowledged before this request, at any API server, is in its answer.
                state.plane.catch_up().await;
            }
            let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            drop(place);
            answered.unwrap_or_else(|panic| after_panic(&*panic))
        }
    };
    renewal.take_off(&mut response);
    refused.write(stamp.id(), &mut response);
    headers::security(response.headers_mut());
    stamp.take_off(&state, &mut response);
    response
}

fn after_panic(panic: &(dyn Any + Send)) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = what, "a request handler panicked");
    ApiError::new(
        ProblemCode::Internal,
        "NodePanel made a mistake while it worked on this; the operator finds it in the log by the request's id. \
         Game servers are not affected.",
    )
    .into_response()
}
