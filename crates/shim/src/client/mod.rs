//! The agent's side of a shim's socket.
//!
//! A [`ShimClient`] holds at most one connection for requests; a watch and a console stream each open their own. Every
//! call has a deadline. A client whose connection broke reconnects on the next call, so that a request may be
//! repeated by its caller: all of them are idempotent (a command by its key), except [`ShimClient::say`].

mod connection;
mod error;
mod stream;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use nodepanel_supervise::build::Print;
use nodepanel_types::{Millis, wire::console::Extent};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

pub use error::ClientError;

use crate::protocol::{ConsoleFrom, Done, Renewed, Request, ShimStatus, Typed, Welcome};
use connection::Connection;

/// How long a shim may take to answer. It does nothing slow, so one that does not answer is stopped or starved.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The same when it goes on as another build, which is tried first.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of answers that are read at a time: they are short, and there is a connection for every server that runs.
const ANSWER_BYTES: usize = 2 * 1024;
/// Bytes of console lines that are read at a time.
const CONSOLE_BYTES: usize = 64 * 1024;

/// A connection to one shim.
#[derive(Debug)]
pub struct ShimClient {
    state_dir: PathBuf,
    token: String,
    welcome: Welcome,
    control: Mutex<Option<Connection>>,
}

impl ShimClient {
    /// Connects to the shim in `state_dir` and introduces itself with `token`.
    pub async fn connect(state_dir: &Path, token: &str) -> Result<Self, ClientError> {
        let (connection, welcome) = Connection::open(state_dir, token, ANSWER_BYTES).await?;
        Ok(Self::new(state_dir, token, welcome, Some(connection)))
    }

    /// Connects to the shim in `state_dir` as one who follows its state: returns what the game does now, and a stream of
    /// what follows. A connection for requests is opened with the first one.
    pub async fn attach(
        state_dir: &Path,
        token: &str,
    ) -> Result<(Self, ShimStatus, impl Stream<Item = Result<ShimStatus, ClientError>> + Send + use<>), ClientError>
    {
        let (mut connection, welcome) = Connection::open(state_dir, token, ANSWER_BYTES).await?;
        let first: ShimStatus = connection.ask(Request::Watch).await?;
        Ok((Self::new(state_dir, token, welcome, None), first, stream::statuses(connection, None)))
    }

    fn new(state_dir: &Path, token: &str, welcome: Welcome, control: Option<Connection>) -> Self {
        Self { state_dir: state_dir.to_owned(), token: token.to_owned(), welcome, control: Mutex::new(control) }
    }

    /// Who answers: protocol version, server, process id, build.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// What the game does now.
    pub async fn state(&self) -> Result<ShimStatus, ClientError> {
        self.ask(Request::State).await
    }

    /// Types a line into the console; a repetition with the same key types nothing.
    pub async fn command(&self, line: &str, key: &str) -> Result<Typed, ClientError> {
        self.ask(Request::Command { line: line.to_owned(), key: key.to_owned() }).await
    }

    /// Asks the game to stop, with SIGKILL after `timeout_ms` (that of the spec when `None`). Returns at once.
    pub async fn stop(&self, timeout_ms: Option<Millis>) -> Result<ShimStatus, ClientError> {
        self.ask(Request::Stop { timeout_ms }).await
    }

    /// SIGKILL to everything that the game started. Returns at once.
    pub async fn kill(&self) -> Result<ShimStatus, ClientError> {
        self.ask(Request::Kill).await
    }

    /// Writes a line of NodePanel's own into the console.
    pub async fn say(&self, text: &str) -> Result<Typed, ClientError> {
        self.ask(Request::Say { text: text.to_owned() }).await
    }

    /// Tells the shim that the exit is recorded: it goes.
    pub async fn ack_exit(&self) -> Result<(), ClientError> {
        let Done {} = self.ask(Request::AckExit).await?;
        Ok(())
    }

    /// Has the shim go on as another build, which must be what is in the file `program`; returns that build's answer.
    /// Every connection to the shim breaks once, also when the answer is lost on the way.
    pub async fn renew(&self, program: &Path, build: Print) -> Result<Renewed, ClientError> {
        let (mut connection, _) = Connection::open(&self.state_dir, &self.token, ANSWER_BYTES).await?;
        let answer =
            connection.ask_within(Request::Renew { program: program.to_owned(), build }, RENEWAL_TIMEOUT).await;
        // The one for requests ended with the image that had it.
        self.control.lock().await.take();
        answer
    }

    /// The state now and after every change. Ends with an error item when the shim goes.
    pub async fn watch(
        &self,
    ) -> Result<impl Stream<Item = Result<ShimStatus, ClientError>> + Send + use<>, ClientError> {
        let (mut connection, _) = Connection::open(&self.state_dir, &self.token, ANSWER_BYTES).await?;
        let first: ShimStatus = connection.ask(Request::Watch).await?;
        Ok(stream::statuses(connection, Some(first)))
    }

    /// Console frames as NDJSON, as the shim sends them: every item is one or more whole lines of text. What there
    /// was to read when the stream began is returned beside it.
    pub async fn console(
        &self,
        from: ConsoleFrom,
        follow: bool,
    ) -> Result<(Extent, impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>), ClientError> {
        let (mut connection, _) = Connection::open(&self.state_dir, &self.token, CONSOLE_BYTES).await?;
        let extent: Extent = connection.ask(Request::Console { from, follow }).await?;
        Ok((extent, stream::frames(connection)))
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, ClientError> {
        let mut slot = self.control.lock().await;
        let repeatable = !matches!(request, Request::Say { .. });
        match self.ask_over(&mut slot, request.clone()).await {
            // It has gone on as another build, most likely, and is asked again; if it is gone, nobody listens.
            Err(ClientError::Broken(_)) if repeatable => self.ask_over(&mut slot, request).await,
            answer => answer,
        }
    }

    async fn ask_over<T: DeserializeOwned>(
        &self,
        slot: &mut Option<Connection>,
        request: Request,
    ) -> Result<T, ClientError> {
        // Taken out, so that a call that is cancelled half-way leaves no connection with an unread answer.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => Connection::open(&self.state_dir, &self.token, ANSWER_BYTES).await?.0,
        };
        let answer = connection.ask(request).await;
        if matches!(answer, Ok(_) | Err(ClientError::Refused(_))) {
            *slot = Some(connection);
        }
        answer
    }
}
