//! The API server's half of an enrolment: one request, then the connection ends.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use nodepanel_types::{Timestamp, clock::Clock};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;
use tracing::{debug, info};

use super::{EnrolRefusal, EnrolmentAuthority};
use crate::{
    Body, LinkTiming,
    body::{self, Stall},
    transport,
    wire::{self, EnrolReply, EnrolRequest},
};

/// The longest request that is read.
const MAX_REQUEST: usize = 64 * 1024;
/// From TLS to the end of the answer.
const WHOLE: Duration = Duration::from_secs(20);
/// Certificates begin two days in the past; a day of difference is where it gets uncomfortable.
const MAX_SKEW_MS: u64 = 24 * 3_600_000;

/// Serves one connection of a machine that has no certificate.
pub(crate) async fn answer_enrolment(
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
    authority: &Arc<dyn EnrolmentAuthority>,
    clock: &Arc<dyn Clock>,
    timing: &LinkTiming,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (authority, clock) = (Arc::clone(authority), Arc::clone(clock));
        async move { Ok::<_, Infallible>(answer(request, peer, authority.as_ref(), clock.now()).await) }
    });
    let mut server = transport::server(timing.bulk_ping, timing.bulk_ping);
    // Strangers get a small window and one request at a time.
    server.max_concurrent_streams(1).initial_connection_window_size(transport::STREAM_WINDOW);
    match timeout(WHOLE, server.serve_connection(TokioIo::new(stream), service)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(link.peer = %peer, %error, "An enrolment broke off."),
        Err(_) => debug!(link.peer = %peer, "An enrolment took too long."),
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    authority: &dyn EnrolmentAuthority,
    now: Timestamp,
) -> Response<Body> {
    if request.method() != Method::POST || request.uri().path() != wire::ENROL {
        return respond(StatusCode::NOT_FOUND, &EnrolRefusal::Malformed { why: "there is only enrolment".to_owned() });
    }
    match decide(request.into_body(), peer, authority, now).await {
        Ok(reply) => {
            info!(link.peer = %peer, link.node = %reply.node, "A machine became a node.");
            respond(StatusCode::OK, &reply)
        }
        Err(refusal) => {
            info!(link.peer = %peer, "Refused an enrolment: {refusal}.");
            let status = match refusal {
                EnrolRefusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
                EnrolRefusal::Malformed { .. } => StatusCode::BAD_REQUEST,
                _ => StatusCode::FORBIDDEN,
            };
            respond(status, &refusal)
        }
    }
}

async fn decide(
    content: Incoming,
    peer: SocketAddr,
    authority: &dyn EnrolmentAuthority,
    now: Timestamp,
) -> Result<EnrolReply, EnrolRefusal> {
    let wait = Duration::from_secs(5);
    let malformed = |why: String| EnrolRefusal::Malformed { why };
    let guarded = body::guard(content, Stall { sender: Some(wait), reader: wait });
    let content = body::collect(guarded, MAX_REQUEST).await.map_err(|error| malformed(error.to_string()))?;
    let request: EnrolRequest = serde_json::from_slice(&content).map_err(|error| malformed(error.to_string()))?;
    if request.now.since(now).max(now.since(request.now)) > MAX_SKEW_MS {
        return Err(EnrolRefusal::ClockSkew { here: request.now, there: now });
    }
    authority.enrol(request, peer).await
}

fn respond<T: serde::Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let mut response = Response::new(body::full(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    response
}
