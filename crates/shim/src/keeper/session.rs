//! One client: its hello, its requests, their answers.

use std::{
    io::Write as _,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use nodepanel_supervise::build::Print;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::oneshot,
    time::timeout,
};

use super::{
    desk::{Desk, Entered, Order, Renewal},
    follow,
    input::Input,
};
use crate::protocol::{
    Done, Envelope, PROTOCOL_VERSION, REQUEST_BYTES, Refusal, RefusalCode, Renewed, Reply, ReplyBody, Request,
    ShimState, Typed, Welcome,
};

/// How long a client may take to introduce itself.
const HELLO: Duration = Duration::from_secs(5);

/// Serves a client until it, or the shim, goes.
pub(super) async fn serve(desk: Rc<Desk>, stream: UnixStream, _entered: Entered) {
    let (read, write) = stream.into_split();
    let session = Session { desk: &desk, reader: BufReader::with_capacity(4096, read), writer: write };
    session.serve().await;
}

struct Session<'a> {
    desk: &'a Rc<Desk>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Session<'_> {
    async fn serve(mut self) {
        let Ok(Some(line)) = timeout(HELLO, self.line()).await else { return };
        if !self.hello(&line).await {
            return;
        }
        let mut leaving = self.desk.leaving.subscribe();
        loop {
            let line = tokio::select! {
                line = self.line() => line,
                _ = leaving.wait_for(|leaving| *leaving) => return,
            };
            let Some(line) = line else { return };
            let Envelope { id, request } = match parse(&line) {
                Ok(envelope) => envelope,
                Err((id, refusal)) => {
                    if !self.refuse(id, refusal).await {
                        return;
                    }
                    continue;
                }
            };
            match request {
                Request::Watch => return self.watch(id).await,
                Request::Console { from, follow } => {
                    let extent = self.desk.console.borrow().extent();
                    if self.answer(id, &extent).await {
                        let after = follow::begin(from, extent);
                        follow::stream(self.desk, after, follow, self.reader, self.writer).await;
                    }
                    return;
                }
                request => {
                    if !self.carry_out(id, request).await {
                        return;
                    }
                }
            }
        }
    }

    /// Whether the client knows the token.
    async fn hello(&mut self, line: &[u8]) -> bool {
        let (id, token) = match parse(line) {
            Ok(Envelope { id, request: Request::Hello { token, .. } }) => (id, token),
            Ok(Envelope { id, .. }) | Err((id, _)) => (id, String::new()),
        };
        let right = !self.desk.token.is_empty() && bool::from(token.as_bytes().ct_eq(self.desk.token.as_bytes()));
        if !right {
            let message = "The first message must be a hello with the token of this shim.".to_owned();
            self.refuse(id, Refusal { code: RefusalCode::Unauthorized, message }).await;
            return false;
        }
        let welcome = Welcome {
            v: PROTOCOL_VERSION,
            server: self.desk.spec.server,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: self.desk.build,
        };
        self.answer(id, &welcome).await
    }

    /// Does what is asked; `false` when the client is gone.
    async fn carry_out(&mut self, id: u64, request: Request) -> bool {
        let desk = self.desk;
        match request {
            Request::State => self.answer(id, &desk.status()).await,
            Request::Command { line, key } => {
                let typed = if Input::is_key(&key) {
                    desk.type_line(&line, Some(&key))
                } else {
                    let message = "A command needs a key of 1 to 256 bytes.".to_owned();
                    Err(Refusal { code: RefusalCode::Invalid, message })
                };
                match typed {
                    Ok(typed) => self.answer(id, &typed).await,
                    Err(refusal) => self.refuse(id, refusal).await,
                }
            }
            Request::Stop { timeout_ms } => self.order(id, |done| Order::Stop { timeout_ms, done }).await,
            Request::Kill => self.order(id, |done| Order::Kill { done }).await,
            Request::Say { text } => {
                let line = Some(desk.say(&text));
                self.answer(id, &Typed { line }).await
            }
            Request::Renew { program, build } => self.renew(id, program, build).await,
            Request::AckExit => {
                if !matches!(*desk.state.borrow(), ShimState::Exited(_)) {
                    let message = "The server still runs: there is no exit to acknowledge.".to_owned();
                    return self.refuse(id, Refusal { code: RefusalCode::StillRunning, message }).await;
                }
                let answered = self.answer(id, &Done {}).await;
                let _ = desk.orders.send(Order::Acknowledge).await;
                answered
            }
            Request::Hello { .. } | Request::Watch | Request::Console { .. } => {
                let message = "This cannot be asked here.".to_owned();
                self.refuse(id, Refusal { code: RefusalCode::Invalid, message }).await
            }
        }
    }

    /// Comes back only when nothing came of it: otherwise this image is gone, and the next one answers.
    async fn renew(&mut self, id: u64, program: PathBuf, build: Print) -> bool {
        let (refused, refusal) = oneshot::channel();
        let client = self.reader.get_ref().as_ref().as_fd().try_clone_to_owned();
        let not_now = |message: String| Refusal { code: RefusalCode::NotNow, message };
        let refusal = match client {
            Ok(client) => {
                let order = Order::Renew(Renewal { program, build, client, id, refused });
                let _ = self.desk.orders.send(order).await;
                refusal.await.unwrap_or_else(|_| not_now("The server is about to end.".to_owned()))
            }
            Err(error) => not_now(format!("The connection cannot be handed over ({error}).")),
        };
        self.refuse(id, refusal).await
    }

    async fn order(&mut self, id: u64, order: impl FnOnce(oneshot::Sender<()>) -> Order) -> bool {
        if matches!(*self.desk.state.borrow(), ShimState::Exited(_)) {
            let message = "The server does not run any more.".to_owned();
            return self.refuse(id, Refusal { code: RefusalCode::NotRunning, message }).await;
        }
        let (done, changed) = oneshot::channel();
        // Fails only when the shim is about to go, and then the game is gone too.
        if self.desk.orders.send(order(done)).await.is_ok() {
            let _ = changed.await;
        }
        let status = self.desk.status();
        self.answer(id, &status).await
    }

    async fn watch(mut self, id: u64) {
        let mut state = self.desk.state.subscribe();
        let mut leaving = self.desk.leaving.subscribe();
        state.mark_unchanged();
        if !self.answer(id, &self.desk.status()).await {
            return;
        }
        loop {
            tokio::select! {
                biased;
                changed = state.changed() => {
                    if changed.is_err() || !self.send(&self.desk.status()).await {
                        return;
                    }
                }
                _ = leaving.wait_for(|leaving| *leaving) => return,
                // A watch says nothing: what comes is its end.
                _ = self.line() => return,
            }
        }
    }

    async fn answer(&mut self, id: u64, answer: &impl Serialize) -> bool {
        self.send(&Reply { id, body: ReplyBody::Ok(answer) }).await
    }

    async fn refuse(&mut self, id: u64, refusal: Refusal) -> bool {
        self.send(&Reply::<Done> { id, body: ReplyBody::Error(refusal) }).await
    }

    async fn send(&mut self, message: &impl Serialize) -> bool {
        let Ok(mut line) = serde_json::to_vec(message) else { return false };
        line.push(b'\n');
        self.writer.write_all(&line).await.is_ok()
    }

    /// The next line; `None` at the end, or when it is too long to be one of ours.
    async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let available = self.reader.fill_buf().await.ok().filter(|available| !available.is_empty())?;
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            line.extend(available.get(..taken)?);
            self.reader.consume(taken);
            if line.len() > REQUEST_BYTES {
                return None;
            }
            if end.is_some() {
                return Some(line);
            }
        }
    }
}

/// Answers, as the next image, who asked for it; the connection ends with that.
pub(super) fn answer_renewal(client: OwnedFd, id: u64, renewed: Renewed) {
    let reply = Reply { id, body: ReplyBody::Ok(renewed) };
    if let Ok(mut line) = serde_json::to_vec(&reply) {
        line.push(b'\n');
        // It waits for nothing else, so there is room; if it is gone, nobody need know.
        let _ = std::os::unix::net::UnixStream::from(client).write_all(&line);
    }
}

/// Reads a request; one that is not understood is refused under its own number.
fn parse(line: &[u8]) -> Result<Envelope, (u64, Refusal)> {
    #[derive(Deserialize)]
    struct Numbered {
        #[serde(default)]
        id: u64,
    }
    serde_json::from_slice(line).map_err(|error| {
        let id = serde_json::from_slice::<Numbered>(line).map_or(0, |numbered| numbered.id);
        let message = format!("This shim does not understand the request ({error}).");
        (id, Refusal { code: RefusalCode::Unsupported, message })
    })
}
