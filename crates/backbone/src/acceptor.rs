//! The API server's end: accepts what agents dial, checks who they are, and turns connections into links.
//!
//! Several API servers accept on one inherited socket; each names itself and the others in its hello, and an agent
//! dials until it has reached all of them. Nothing here waits without a deadline, and a connection that has shown no
//! certificate can do nothing but enrol.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use nodepanel_types::{NodeId, Timestamp, WorkerId};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{
    LinkError, Registry, body,
    causes::TlsFailure,
    enrolment::{EnrolmentAuthority, answer_enrolment},
    link::exchange,
    pki::{CertificateAuthority, CertificateFacts, PkiError},
    registry::{
        Connection, ConnectionFacts,
        connection::{SHORT, json_request, say_goodbye},
    },
    renewal, tls,
    tls::Purpose,
    transport,
    wire::{self, Goodbye, GoodbyeReason, Hello, HelloReply, Instances},
};

/// TLS handshakes and hellos at once; more wait in the socket's queue.
const HANDSHAKES: usize = 256;
/// Enrolments at once.
const ENROLMENTS: usize = 16;
/// How long an API server lets the others accept after an agent has reached it once too often. Which process gets a
/// connection is up to the kernel, and can be the same one every time.
const STAND_BACK: Duration = Duration::from_millis(100);
/// It stands back at most once in this time, so that it never turns into a refusal to work.
const STAND_BACK_EVERY: Duration = Duration::from_millis(250);
/// How often a certificate is looked at for its renewal.
const RENEWAL_CHECK: Duration = Duration::from_secs(600);

/// What an acceptor needs.
pub struct AcceptorConfig {
    /// This API server.
    pub instance: WorkerId,
    /// Every API server that accepts on the same address; agents link every one that is named here.
    pub instances: watch::Receiver<Vec<WorkerId>>,
    /// Who issues certificates.
    pub authority: Arc<CertificateAuthority>,
    /// Who decides about enrolments and about who may link.
    pub enrolment: Arc<dyn EnrolmentAuthority>,
    /// Where the links are kept.
    pub registry: Registry,
}

/// Accepts links. Clones share everything.
#[derive(Clone)]
pub struct Acceptor {
    inner: Arc<Inner>,
}

struct Inner {
    config: AcceptorConfig,
    tls: Mutex<(Arc<ServerConfig>, CertificateFacts)>,
    handshakes: Arc<Semaphore>,
    enrolments: Arc<Semaphore>,
    stand_back: watch::Sender<Instant>,
}

impl Acceptor {
    /// Makes this API server's certificate.
    pub fn new(config: AcceptorConfig) -> Result<Self, PkiError> {
        let tls = Mutex::new(own_tls(&config)?);
        let (handshakes, enrolments) = (Arc::new(Semaphore::new(HANDSHAKES)), Arc::new(Semaphore::new(ENROLMENTS)));
        let stand_back = watch::Sender::new(Instant::now());
        Ok(Self { inner: Arc::new(Inner { config, tls, handshakes, enrolments, stand_back }) })
    }

    /// Accepts until `shutdown`, then says goodbye to every agent and returns when the links are closed.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        let mut stand_back = self.inner.stand_back.subscribe();
        while let Some(permit) = shutdown.run_until_cancelled(self.inner.handshakes.clone().acquire_owned()).await {
            // The semaphore is never closed.
            let Ok(permit) = permit else { break };
            let until = *stand_back.borrow_and_update();
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                _ = stand_back.changed() => continue,
                accepted = accept_from(&listener, until) => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    tasks.spawn(self.clone().connection(stream, peer, permit));
                }
                Err(error) => accept_failed(&error).await,
            }
        }
        drop(listener);
        let registry = &self.inner.config.registry;
        registry.drain().await;
        tasks.close();
        // Connections that were still shaking hands are refused by now; what is left is not worth waiting for.
        let _ = timeout(registry.timing().ping_timeout, tasks.wait()).await;
    }

    /// From TCP to the end of the link.
    async fn connection(self, tcp: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        let timing = self.inner.config.registry.timing();
        if let Err(error) = transport::prepare(&tcp) {
            debug!(link.peer = %peer, %error, "A connection broke before it began.");
            return;
        }
        let handshake = TlsAcceptor::from(self.tls()).accept(tcp);
        let stream = match timeout(timing.handshake, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let cause = TlsFailure::find(&error).map_or_else(|| error.to_string(), |failure| failure.to_string());
                info!(link.peer = %peer, "Refused a connection to the link port: {cause}.");
                return;
            }
            Err(_) => {
                debug!(link.peer = %peer, "A connection to the link port did not finish TLS in time.");
                return;
            }
        };
        let purpose = stream.get_ref().1.alpn_protocol().and_then(Purpose::from_alpn);
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(CertificateFacts::read);
        match (purpose, certificate) {
            (Some(Purpose::Enrol), _) => {
                let Ok(slot) = self.inner.enrolments.clone().try_acquire_owned() else {
                    debug!(link.peer = %peer, "Too many enrolments at once; this one has to be repeated.");
                    return;
                };
                drop(permit);
                let config = &self.inner.config;
                answer_enrolment(stream, peer, &config.enrolment, config.registry.clock(), timing).await;
                drop(slot);
            }
            (Some(purpose), Some(Ok(certificate))) => match certificate.node() {
                Ok(node) => self.link(stream, peer, purpose, node, certificate, permit).await,
                Err(error) => info!(link.peer = %peer, %error, "Refused a certificate that names no node."),
            },
            (_, Some(Err(error))) => info!(link.peer = %peer, %error, "Refused an unreadable certificate."),
            (_, None) => info!(link.peer = %peer, "Refused a connection without a certificate."),
            (None, _) => info!(link.peer = %peer, "Refused a connection that does not say what it is for."),
        }
    }

    /// From TLS to the end of the link: this side sends the requests.
    async fn link(
        self,
        stream: TlsStream<TcpStream>,
        peer: SocketAddr,
        purpose: Purpose,
        node: NodeId,
        certificate: CertificateFacts,
        permit: OwnedSemaphorePermit,
    ) {
        let config = &self.inner.config;
        let (registry, timing) = (&config.registry, config.registry.timing());
        let (interval, patience) = match purpose {
            Purpose::Bulk => (timing.bulk_ping, timing.bulk_ping),
            Purpose::Control | Purpose::Enrol => registry.ping(),
        };
        let handshake = transport::client(interval, patience).handshake(TokioIo::new(stream));
        let Ok(Ok((sender, driver))) = timeout(timing.handshake, handshake).await else {
            debug!(link.peer = %peer, link.node = %node, "A node did not begin HTTP/2.");
            return;
        };
        let cut = CancellationToken::new();
        let end = cut.clone();
        let driver = tokio::spawn(async move {
            let result = end.run_until_cancelled(driver).await;
            end.cancel();
            result
        });
        // Whatever happens below, the driver ends.
        let guard = cut.clone().drop_guard();
        if let Err(message) = config.enrolment.admit(node, &certificate) {
            info!(link.peer = %peer, link.node = %node, "Refused a node: {message}");
            say_goodbye(sender, &Goodbye { reason: GoodbyeReason::NotAdmitted, message }).await;
            return;
        }
        let hello = self.hello(&sender, node, purpose);
        let reply = match timeout(timing.handshake, hello).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => {
                debug!(link.peer = %peer, link.node = %node, %error, "A node did not answer the hello.");
                return;
            }
            Err(_) => {
                debug!(link.peer = %peer, link.node = %node, "A node did not answer the hello in time.");
                return;
            }
        };
        if reply.duplicate {
            self.stand_back();
            return;
        }
        let facts = ConnectionFacts {
            id: registry.next_connection(),
            node,
            purpose,
            epoch: reply.epoch,
            version: reply.version,
            peer,
        };
        let connection = Connection::new(facts, sender.clone(), cut.clone());
        // A hello says that the connection works, a probe that the agent does: one that hangs must not count as present
        // each time it dials again.
        if purpose == Purpose::Control
            && let Err(error) = probe_once(&connection, registry.clock().now(), patience).await
        {
            debug!(link.peer = %peer, link.node = %node, %error, "An agent said hello but does not answer.");
            return;
        }
        if let Err(goodbye) = registry.register(&connection) {
            info!(link.peer = %peer, link.node = %node, "Refused an agent: {goodbye}");
            say_goodbye(sender, &goodbye).await;
            return;
        }
        // From here on only `connection` keeps the connection open.
        drop(sender);
        drop(permit);
        debug!(link.peer = %peer, link.node = %node, link.purpose = purpose.as_str(), "Linked.");
        if purpose == Purpose::Control {
            tokio::select! {
                () = cut.cancelled() => {}
                () = self.attend(&connection, &certificate) => {}
            }
        } else {
            cut.cancelled().await;
        }
        drop(guard);
        let why = ending(&connection, driver.await.ok().flatten(), patience);
        debug!(link.peer = %peer, link.node = %node, link.purpose = purpose.as_str(), "Link ended: {why}.");
        registry.ended(&connection, why);
    }

    /// The agent looks for another API server on this socket: let that one accept.
    fn stand_back(&self) {
        let now = Instant::now();
        let others = self.instances().len() > 1;
        self.inner.stand_back.send_if_modified(|until| {
            let due = others && now.duration_since(*until) >= STAND_BACK_EVERY;
            if due {
                *until = now + STAND_BACK;
            }
            due
        });
    }

    async fn hello(
        &self,
        sender: &hyper::client::conn::http2::SendRequest<crate::Body>,
        node: NodeId,
        purpose: Purpose,
    ) -> Result<HelloReply, LinkError> {
        let config = &self.inner.config;
        let hello = Hello {
            instance: config.instance,
            instances: self.instances(),
            linked: config.registry.linked(node, purpose),
            now: config.registry.clock().now(),
        };
        let answer = sender.clone().send_request(json_request(wire::HELLO, &hello)?).await;
        let response = answer.map_err(|error| LinkError::closed(error.to_string(), true))?;
        if !response.status().is_success() {
            let why = format!("status {}", response.status());
            return Err(LinkError::Unreadable { what: "the hello", why });
        }
        let content = body::collect(body::guard(response.into_body(), SHORT), 64 * 1024).await?;
        serde_json::from_slice(&content).map_err(|error| LinkError::unreadable("the hello", &error))
    }

    /// Presence, news of the other API servers, renewal: for as long as the link lives. Returns when it is to end.
    async fn attend(&self, connection: &Arc<Connection>, certificate: &CertificateFacts) {
        tokio::select! {
            () = self.probe(connection) => {}
            () = self.announce(connection) => {}
            () = self.renew(connection, certificate) => {}
        }
    }

    /// A request with a body, because a link on which only bodies are stuck looks healthy to everything else.
    async fn probe(&self, connection: &Arc<Connection>) {
        let registry = &self.inner.config.registry;
        loop {
            let (interval, patience) = registry.ping();
            sleep(interval).await;
            match probe_once(connection, registry.clock().now(), patience).await {
                Ok(()) => registry.heard(connection.facts().node),
                Err(LinkError::Deadline { after }) => {
                    connection.cut(format!(
                        "the agent's connection is open but it did not answer within {} ms: the agent or its machine \
                         hangs or is overloaded, or the network loses packets",
                        after.as_millis()
                    ));
                    return;
                }
                // The driver knows why it ended.
                Err(LinkError::Closed { .. } | LinkError::NotConnected { .. }) => std::future::pending().await,
                Err(error) => {
                    connection.cut(format!("the agent answered the presence probe wrongly: {error}"));
                    return;
                }
            }
        }
    }

    async fn announce(&self, connection: &Arc<Connection>) {
        let mut instances = self.inner.config.instances.clone();
        instances.mark_changed();
        while instances.changed().await.is_ok() {
            instances.mark_unchanged();
            let news = Instances { instances: self.instances() };
            if let Ok(request) = json_request(wire::INSTANCES, &news) {
                // An agent that does not hear it hears the next hello.
                let _ = exchange(connection, request, Duration::from_secs(1)).await;
            }
        }
        std::future::pending::<()>().await;
    }

    async fn renew(&self, connection: &Arc<Connection>, certificate: &CertificateFacts) {
        let config = &self.inner.config;
        let node = connection.facts().node;
        loop {
            let now = config.registry.clock().now();
            match renewal::renew_if_due(connection, certificate, &config.authority, now).await {
                Ok(false) => {}
                Ok(true) => info!(link.node = %node, "Renewed a node's certificate."),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    warn!(
                        link.node = %node,
                        "A node's certificate could not be renewed ({error}: {cause}); it is valid until {} and will be \
                         tried again in 10 minutes.",
                        certificate.not_after
                    );
                }
            }
            sleep(RENEWAL_CHECK).await;
        }
    }

    fn instances(&self) -> Vec<WorkerId> {
        let mut instances = self.inner.config.instances.borrow().clone();
        if !instances.contains(&self.inner.config.instance) {
            instances.push(self.inner.config.instance);
        }
        instances
    }

    /// The TLS settings, with a new certificate when the present one is getting old.
    fn tls(&self) -> Arc<ServerConfig> {
        let mut held = self.inner.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if held.1.renewal_due(self.inner.config.registry.clock().now()) {
            match own_tls(&self.inner.config) {
                Ok(renewed) => *held = renewed,
                Err(error) => warn!(%error, "This API server's link certificate could not be made anew."),
            }
        }
        Arc::clone(&held.0)
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("instance", &self.inner.config.instance).finish_non_exhaustive()
    }
}

fn own_tls(config: &AcceptorConfig) -> Result<(Arc<ServerConfig>, CertificateFacts), PkiError> {
    let identity = config.authority.issue_server(config.instance)?;
    Ok((tls::server(&identity, Arc::clone(config.registry.clock()))?, identity.facts().clone()))
}

async fn accept_from(listener: &TcpListener, not_before: Instant) -> io::Result<(TcpStream, SocketAddr)> {
    sleep_until(not_before).await;
    listener.accept().await
}

/// A failed accept concerns one connection, or the process is out of descriptors: then waiting is all that helps.
async fn accept_failed(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {}
        _ => {
            warn!(%error, "The link port accepts nothing for the moment; trying again in 50 ms.");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn probe_once(connection: &Arc<Connection>, now: Timestamp, deadline: Duration) -> Result<(), LinkError> {
    let request = json_request(nodepanel_types::wire::path::PROBE, &now)?;
    let sent = async {
        let response = connection.send(request, deadline).await?;
        if !response.status().is_success() {
            let why = format!("status {}", response.status());
            return Err(LinkError::Unreadable { what: "the probe", why });
        }
        body::collect(body::guard(response.into_body(), SHORT), 1_024).await.map_err(LinkError::from)
    };
    match timeout(deadline, sent).await {
        Ok(echo) => echo.map(drop),
        Err(_) => Err(LinkError::Deadline { after: deadline }),
    }
}

/// What to say about the end of a connection.
fn ending(connection: &Connection, result: Option<hyper::Result<()>>, patience: Duration) -> String {
    if let Some(why) = connection.why() {
        return why;
    }
    match result {
        None => "the link was closed".to_owned(),
        Some(Ok(())) => "the agent closed the link: it was stopped, or its process ended".to_owned(),
        Some(Err(error)) if error.is_timeout() => format!(
            "the agent did not answer a ping within {} ms: its machine hangs or is off, or the network loses packets",
            patience.as_millis()
        ),
        Some(Err(error)) => {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            format!("the connection broke ({cause}): the agent's process or machine ended, or the network did")
        }
    }
}
