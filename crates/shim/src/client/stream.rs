//! What a shim sends by itself: states and console frames.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::io::AsyncReadExt as _;

use super::{ClientError, connection::Connection};
use crate::protocol::ShimStatus;

/// `first`, if there is one, and the states that follow.
pub(super) fn statuses(
    connection: Connection,
    first: Option<ShimStatus>,
) -> impl Stream<Item = Result<ShimStatus, ClientError>> + Send {
    stream::unfold((Some(connection), first), |(connection, first)| async move {
        let mut connection = connection?;
        if let Some(first) = first {
            return Some((Ok(first), (Some(connection), None)));
        }
        let next = match connection.line().await {
            Ok(line) => serde_json::from_slice(&line).map_err(ClientError::Garbled),
            Err(error) => Err(error),
        };
        let keep = next.is_ok().then_some(connection);
        Some((next, (keep, None)))
    })
}

/// The bytes of a console stream, cut only between lines. Ends when the shim closes it.
pub(super) fn frames(connection: Connection) -> impl Stream<Item = Result<Bytes, ClientError>> + Send {
    stream::unfold((Some(connection), BytesMut::new()), |(connection, mut pending)| async move {
        let mut connection = connection?;
        loop {
            match connection.reader.read_buf(&mut pending).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some((Err(ClientError::Broken(error)), (None, pending))),
            }
            if let Some(end) = pending.iter().rposition(|byte| *byte == b'\n') {
                let whole = pending.split_to(end + 1).freeze();
                return Some((Ok(whole), (Some(connection), pending)));
            }
        }
    })
}
