//! One connection from the agent's side: dialled, then served until it ends.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use nodepanel_types::{WorkerId, clock::Clock};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::client::TlsStream;

use super::{AgentHandler, DialFailure, IdentityKeeper, answer, board::Board, board::SessionFacts};
use crate::{
    ConnectError, LinkTiming, causes::TlsFailure, connect::connect, tls, tls::Purpose, transport, wire::Goodbye,
};

/// What all connections of an agent share.
pub(super) struct Shared {
    pub board: Board,
    pub keeper: Arc<IdentityKeeper>,
    pub handler: Arc<dyn AgentHandler>,
    pub clock: Arc<dyn Clock>,
    pub timing: LinkTiming,
    pub version: String,
}

/// What came of dialling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialled {
    Linked,
    /// It reached an API server that is linked already.
    Duplicate,
}

/// One connection.
pub(super) struct Session {
    pub shared: Arc<Shared>,
    pub facts: SessionFacts,
    /// Known after the hello.
    pub instance: OnceLock<WorkerId>,
    pub goodbye: OnceLock<Goodbye>,
    outcome: Mutex<Option<oneshot::Sender<Result<Dialled, DialFailure>>>>,
}

impl Session {
    /// Dials, and returns when the API server has said hello. The connection lives on in a task of its own.
    pub(super) async fn dial(shared: &Arc<Shared>, facts: SessionFacts) -> Result<Dialled, DialFailure> {
        let identity = shared.keeper.current();
        let config =
            tls::link_client(&identity, facts.purpose, Arc::clone(&shared.clock)).map_err(DialFailure::Identity)?;
        let stream = connect(&facts.address, config, &shared.timing).await.map_err(DialFailure::Connect)?;
        let (sender, outcome) = oneshot::channel();
        let (address, stop) = (facts.address.clone(), facts.stop.clone());
        let session = Arc::new(Self {
            shared: Arc::clone(shared),
            facts,
            instance: OnceLock::new(),
            goodbye: OnceLock::new(),
            outcome: Mutex::new(Some(sender)),
        });
        tokio::spawn(session.serve(stream));
        let no_hello = |why: String| DialFailure::NoHello { address, why };
        match timeout(shared.timing.handshake, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(no_hello("the connection ended".to_owned())),
            Err(_) => {
                stop.cancel();
                let waited = shared.timing.handshake.as_millis();
                Err(no_hello(format!("the API server said nothing within {waited} ms")))
            }
        }
    }

    /// Reports what came of the hello; only the first report counts.
    pub(super) fn settle(&self, outcome: Result<Dialled, DialFailure>) {
        let waiting = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // The dialler may have stopped waiting.
            let _ = waiting.send(outcome);
        }
    }

    async fn serve(self: Arc<Self>, stream: TlsStream<TcpStream>) {
        let session = Arc::clone(&self);
        let service = service_fn(move |request: Request<Incoming>| {
            let session = Arc::clone(&session);
            async move { Ok::<_, Infallible>(answer::answer(&session, request).await) }
        });
        let timing = &self.shared.timing;
        let (interval, patience) = match self.facts.purpose {
            Purpose::Bulk => (timing.bulk_ping, timing.bulk_ping),
            // Half as often as the API server: this end only has to notice a host that went away without a word.
            Purpose::Control | Purpose::Enrol => (timing.ping_interval * 2, timing.ping_timeout),
        };
        let mut connection =
            pin!(transport::server(interval, patience).serve_connection(TokioIo::new(stream), service));
        let mut limit = None;
        let result = loop {
            tokio::select! {
                result = connection.as_mut() => break result.map_err(|error| self.failure(&error)),
                () = self.facts.stop.cancelled(), if limit.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    limit = Some(Instant::now() + timing.retire);
                }
                () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => break Ok(()),
            }
        };
        let goodbye = self.goodbye.get();
        self.settle(Err(match (goodbye, result) {
            (Some(goodbye), _) => DialFailure::Refused(goodbye.clone()),
            (None, Err(failure)) => failure,
            (None, Ok(())) => self.no_hello("the API server closed the connection".to_owned()),
        }));
        self.shared.board.ended(&self.facts, self.instance.get().copied(), goodbye);
    }

    /// With TLS 1.3 the server's refusal of a client certificate arrives after the client's handshake is done.
    fn failure(&self, error: &hyper::Error) -> DialFailure {
        match TlsFailure::find(error) {
            Some(failure) => DialFailure::Connect(ConnectError::Tls { address: self.facts.address.clone(), failure }),
            None => self.no_hello(format!("the connection broke ({error})")),
        }
    }

    fn no_hello(&self, why: String) -> DialFailure {
        DialFailure::NoHello { address: self.facts.address.clone(), why }
    }
}
