//! An open panel: the stream of events that keeps a page up to date. It comes back when it breaks.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::{Floor, pause};
use crate::{check::Fault, http::Access};

/// A stream that says nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(6);

/// Watches until the load ends; returns what the person at the panel saw.
pub async fn watch(access: Access, floor: Arc<Floor>) -> Vec<Fault> {
    let mut faults = Vec::new();
    while !floor.ended() {
        if let Ok(Ok(response)) = timeout(SILENCE, open(&access)).await {
            let status = response.status();
            if status.is_client_error() {
                faults.push(Fault::Seen(format!("An open panel: its events are refused with {status}.")));
                return faults;
            }
            if status == StatusCode::OK {
                let mut events = response.into_body().into_data_stream();
                while !floor.ended() && matches!(timeout(SILENCE, events.next()).await, Ok(Some(Ok(_)))) {}
            }
        }
        pause().await;
    }
    faults
}

async fn open(access: &Access) -> Result<http::Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(access.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/api/v1/events")
        .header(header::HOST, access.address.to_string())
        .header(header::AUTHORIZATION, access.bearer.header())
        .body(Empty::<bytes::Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}
