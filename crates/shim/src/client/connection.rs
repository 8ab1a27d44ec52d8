//! One authenticated connection to a shim.

use std::{io, path::Path, time::Duration};

use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{ANSWER_TIMEOUT, ClientError};
use crate::{
    place::SocketPlace,
    protocol::{Envelope, PROTOCOL_VERSION, Reply, ReplyBody, Request, Welcome},
};

/// A connection over which the hello has been said.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    next_id: u64,
}

impl Connection {
    /// Connects and says hello. `buffer` is the bytes that are read at a time.
    pub(super) async fn open(state_dir: &Path, token: &str, buffer: usize) -> Result<(Self, Welcome), ClientError> {
        let unreachable = |source| ClientError::Connect { dir: state_dir.to_owned(), source };
        let place = SocketPlace::open(state_dir).map_err(unreachable)?;
        let stream = timeout(ANSWER_TIMEOUT, UnixStream::connect(place.path()))
            .await
            .map_err(|_| ClientError::TimedOut)?
            .map_err(unreachable)?;
        let (read, writer) = stream.into_split();
        let mut connection = Self { reader: BufReader::with_capacity(buffer, read), writer, next_id: 1 };
        let welcome = connection.ask(Request::Hello { v: PROTOCOL_VERSION, token: token.to_owned() }).await?;
        Ok((connection, welcome))
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, ClientError> {
        self.ask_within(request, ANSWER_TIMEOUT).await
    }

    /// The same with a deadline of its own.
    pub(super) async fn ask_within<T: DeserializeOwned>(
        &mut self,
        request: Request,
        deadline: Duration,
    ) -> Result<T, ClientError> {
        timeout(deadline, self.exchange(request)).await.map_err(|_| ClientError::TimedOut)?
    }

    async fn exchange<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        let mut line = serde_json::to_vec(&Envelope { id, request }).map_err(ClientError::Garbled)?;
        line.push(b'\n');
        // A shim that refuses a connection answers and closes without reading: its answer counts, not our EPIPE.
        let sent = self.writer.write_all(&line).await;
        let line = match (self.line().await, sent) {
            (Ok(line), _) => line,
            (Err(_), Err(error)) => return Err(ClientError::Broken(error)),
            (Err(error), Ok(())) => return Err(error),
        };
        let reply: Reply<T> = serde_json::from_slice(&line).map_err(ClientError::Garbled)?;
        match reply.body {
            ReplyBody::Ok(answer) => Ok(answer),
            ReplyBody::Error(refusal) => Err(ClientError::Refused(refusal)),
        }
    }

    /// The next line.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).await.map_err(ClientError::Broken)?;
        if line.last() != Some(&b'\n') {
            return Err(ClientError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(line)
    }
}
