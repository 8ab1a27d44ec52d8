//! An installation in a test: an authority, API servers on one socket, agents that dial it.

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use nodepanel_backbone::{
    Acceptor, AcceptorConfig, AgentHandler, Body, Dialer, DialerConfig, Link, LinkAddress, LinkTiming, Registry,
    agent::{DialerStatus, IdentityKeeper},
    body,
    enrolment::{EnrolRefusal, EnrolmentAuthority, JoinToken},
    line_body,
    pki::{
        CertificateAuthority, CertificateFacts, Identity, IdentityFile, KeyRequest, Secret, StoredIdentity, request_key,
    },
    wire::{EnrolReply, EnrolRequest},
};
use nodepanel_types::{
    EnrolmentId, NodeId, Timestamp, WorkerId,
    clock::{Clock, IdSource},
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before the test gives up. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const DAY: i64 = 24 * 3_600_000;

/// A clock that stands still until a test moves it.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_334_400_000)))
    }

    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Different at every call, the same in every run.
pub struct TestIds(AtomicU64);

impl IdSource for TestIds {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&next.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Quick enough for a test, slow enough for a busy machine.
pub fn timing() -> LinkTiming {
    LinkTiming { refused_pause: Duration::from_millis(200), settled: Duration::ZERO, ..LinkTiming::default() }
}

/// Enrolments and admissions as a test sets them.
pub struct TestPolicy {
    pub authority: Arc<CertificateAuthority>,
    pub addresses: Mutex<Vec<LinkAddress>>,
    /// The permissions that exist: secret, expiry, the key that has used it and the node it became.
    pub tokens: Mutex<HashMap<EnrolmentId, TestToken>>,
    pub banned: Mutex<Vec<NodeId>>,
    clock: Arc<TestClock>,
    ids: Arc<TestIds>,
}

pub struct TestToken {
    pub secret: String,
    pub expires: Timestamp,
    pub used: Option<(String, NodeId)>,
}

#[async_trait]
impl EnrolmentAuthority for TestPolicy {
    async fn enrol(&self, request: EnrolRequest, _: SocketAddr) -> Result<EnrolReply, EnrolRefusal> {
        let malformed = |error: &dyn std::fmt::Display| EnrolRefusal::Malformed { why: error.to_string() };
        let key = request_key(&request.csr).map_err(|error| malformed(&error))?;
        let node = {
            let mut tokens = self.tokens.lock().unwrap();
            let token = tokens.get_mut(&request.enrolment).ok_or(EnrolRefusal::Unknown)?;
            if token.secret != request.secret.expose() {
                return Err(EnrolRefusal::Unknown);
            }
            if token.expires < self.clock.now() {
                return Err(EnrolRefusal::Expired { at: token.expires });
            }
            match &token.used {
                Some((used, node)) if *used == key => *node,
                Some(_) => return Err(EnrolRefusal::Used { at: self.clock.now() }),
                None => {
                    let node = NodeId::from_uuid(self.ids.uuid());
                    token.used = Some((key, node));
                    node
                }
            }
        };
        let certificate = self.authority.issue_node(node, &request.csr).map_err(|error| malformed(&error))?;
        let addresses = self.addresses.lock().unwrap().clone();
        Ok(EnrolReply { node, certificate, ca: self.authority.certificate_pem().to_owned(), addresses })
    }

    fn admit(&self, node: NodeId, _: &CertificateFacts) -> Result<(), String> {
        if self.banned.lock().unwrap().contains(&node) { Err("this node was removed".to_owned()) } else { Ok(()) }
    }
}

/// One installation.
pub struct World {
    pub clock: Arc<TestClock>,
    pub ids: Arc<TestIds>,
    pub authority: Arc<CertificateAuthority>,
    pub policy: Arc<TestPolicy>,
    pub address: LinkAddress,
    listener: std::net::TcpListener,
    instances: watch::Sender<Vec<WorkerId>>,
    pub timing: LinkTiming,
}

impl World {
    pub fn new() -> Self {
        Self::with_timing(timing())
    }

    pub fn with_timing(timing: LinkTiming) -> Self {
        let (clock, ids) = (TestClock::new(), Arc::new(TestIds(AtomicU64::new(1))));
        let authority = Arc::new(CertificateAuthority::create(clock.clone(), ids.clone()).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = LinkAddress::from(listener.local_addr().unwrap());
        let policy = Arc::new(TestPolicy {
            authority: authority.clone(),
            addresses: Mutex::new(vec![address.clone()]),
            tokens: Mutex::default(),
            banned: Mutex::default(),
            clock: clock.clone(),
            ids: ids.clone(),
        });
        let instances = watch::Sender::new(Vec::new());
        Self { clock, ids, authority, policy, address, listener, instances, timing }
    }

    /// Starts an API server on the one socket, as an inherited one would be.
    pub fn api(&self) -> Api {
        // A runtime of its own: dropping it ends an API server as SIGKILL does, with every task and socket.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        Api { runtime: Some(Ended(Some(runtime))), ..self.api_on(&handle) }
    }

    /// On a runtime with others: then the same one of them gets every connection, as may happen to processes.
    pub fn api_on(&self, runtime: &tokio::runtime::Handle) -> Api {
        let instance = WorkerId::from_uuid(self.ids.uuid());
        self.instances.send_modify(|instances| instances.push(instance));
        let registry = Registry::new(self.clock.clone(), self.timing.clone());
        let acceptor = Acceptor::new(AcceptorConfig {
            instance,
            instances: self.instances.subscribe(),
            authority: self.authority.clone(),
            enrolment: self.policy.clone(),
            registry: registry.clone(),
        })
        .unwrap();
        let listener = self.listener.try_clone().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = runtime.spawn(async move {
            acceptor.serve(TcpListener::from_std(listener).unwrap(), stop).await;
        });
        Api { instance, registry, shutdown, task, runtime: None }
    }

    /// The API servers no longer name this one.
    pub fn forget(&self, api: WorkerId) {
        self.instances.send_modify(|instances| instances.retain(|instance| *instance != api));
    }

    pub fn node_identity(&self, node: NodeId) -> Identity {
        let key = KeyRequest::generate().unwrap();
        let certificate = self.authority.issue_node(node, key.csr()).unwrap();
        let ca = self.authority.certificate_pem().to_owned();
        let addresses = vec![self.address.clone()];
        Identity::new(StoredIdentity::new(node, certificate, key.key().clone(), ca, addresses)).unwrap()
    }

    pub fn new_node(&self) -> NodeId {
        NodeId::from_uuid(self.ids.uuid())
    }

    pub fn token(&self) -> JoinToken {
        let (enrolment, secret) = (EnrolmentId::from_uuid(self.ids.uuid()), "one-time".to_owned());
        let expires = self.clock.now().plus(3_600_000);
        let held = TestToken { secret: secret.clone(), expires, used: None };
        self.policy.tokens.lock().unwrap().insert(enrolment, held);
        JoinToken {
            addresses: vec![self.address.clone()],
            ca_fingerprint: self.authority.fingerprint(),
            enrolment,
            secret: Secret::new(secret),
        }
    }

    pub fn agent(&self, epoch: u64) -> Agent {
        self.agent_as(self.node_identity(self.new_node()), epoch, Arc::new(TestHandler::default()))
    }

    pub fn agent_as(&self, identity: Identity, epoch: u64, handler: Arc<TestHandler>) -> Agent {
        let directory = tempfile::tempdir().unwrap();
        let file = IdentityFile::in_directory(directory.path());
        file.save(&identity).unwrap();
        let node = identity.node();
        let addresses = watch::Sender::new(vec![self.address.clone()]);
        let keeper = Arc::new(IdentityKeeper::new(identity, file, self.clock.clone()));
        let config = DialerConfig {
            keeper: keeper.clone(),
            addresses: addresses.subscribe(),
            epoch,
            version: "test".to_owned(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            timing: self.timing.clone(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let dialer = Dialer::new(config, handler.clone());
        let status = dialer.status();
        let shutdown = CancellationToken::new();
        runtime.spawn(dialer.run(shutdown.clone()));
        Agent { node, keeper, handler, addresses, status, shutdown, runtime: Some(runtime), _directory: directory }
    }
}

pub struct Api {
    pub instance: WorkerId,
    pub registry: Registry,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    runtime: Option<Ended>,
}

/// A runtime that ends without waiting for anything.
pub struct Ended(Option<tokio::runtime::Runtime>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Api {
    /// Waits until a node is linked for control and for bulk.
    pub async fn link(&self, node: NodeId) -> Link {
        eventually("the node is linked", || async {
            let link = self.registry.link(node)?;
            link.bulk(Duration::from_millis(10)).await.ok()?;
            Some(link)
        })
        .await
    }

    /// As SIGKILL does it.
    pub fn kill(self) {
        drop(self.runtime);
    }

    /// As SIGTERM does it.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.task).await.unwrap();
    }
}

pub struct Agent {
    pub node: NodeId,
    pub keeper: Arc<IdentityKeeper>,
    pub handler: Arc<TestHandler>,
    pub addresses: watch::Sender<Vec<LinkAddress>>,
    pub status: watch::Receiver<DialerStatus>,
    pub shutdown: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
    _directory: tempfile::TempDir,
}

impl Agent {
    pub fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Stops every task of the agent for a while, as SIGSTOP does. The agent has one thread.
    pub fn hang(&self, resume: std::sync::mpsc::Receiver<()>) {
        self.runtime.as_ref().unwrap().spawn(async move {
            // Ends when the sender is dropped.
            let _ = resume.recv();
        });
    }

    pub async fn failure(&self) -> String {
        eventually("the agent says why it is not linked", || async {
            let status = self.status.borrow();
            status.addresses.values().find_map(|at| at.failure.as_ref().map(|failure| failure.reason.clone()))
        })
        .await
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Endpoints for tests.
#[derive(Default)]
pub struct TestHandler {
    /// Streams and requests that the handler holds now.
    pub held: Arc<AtomicI64>,
    /// POSTs to `/slow` that ran to their end.
    pub finished: AtomicU64,
    /// Presence probes are not answered.
    pub stuck: std::sync::atomic::AtomicBool,
    /// How long a presence probe takes, in milliseconds.
    pub slow: AtomicU64,
    /// Presence probes that came.
    pub probes: AtomicU64,
}

pub struct Hold(Arc<AtomicI64>);

impl Hold {
    pub fn new(count: &Arc<AtomicI64>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl AgentHandler for TestHandler {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let hold = Hold::new(&self.held);
        match request.uri().path() {
            "/echo" => match body::collect(request.into_body(), 4 << 20).await {
                Ok(content) => Response::new(body::full(content)),
                Err(error) => status(StatusCode::BAD_REQUEST, error.to_string()),
            },
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.finished.fetch_add(1, Ordering::SeqCst);
                Response::new(body::full("\"done\""))
            }
            "/never" => std::future::pending().await,
            "/refuse" => {
                status(StatusCode::CONFLICT, r#"{"type":"stale","title":"Stale","detail":"held 7"}"#.to_owned())
            }
            "/endless" => {
                let chunks = futures_util::stream::repeat_with(move || {
                    let _held = &hold;
                    Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 16 * 1024]))
                });
                Response::new(body::stream(chunks))
            }
            // Takes the head of an upload, and never its body.
            "/unread" => {
                let content = request.into_body();
                std::future::pending::<()>().await;
                drop(content);
                unreachable!()
            }
            "/sink" => {
                let mut total = 0_usize;
                let mut content = request.into_body();
                while let Some(Ok(frame)) = content.frame().await {
                    total += frame.data_ref().map_or(0, Bytes::len);
                }
                Response::new(body::full(total.to_string()))
            }
            "/lines" => {
                let count = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(u64::MAX);
                let (sender, content) = line_body(1_024, Duration::from_secs(5));
                tokio::spawn(async move {
                    let _hold = hold;
                    for n in 0..count {
                        let line = format!("{{\"n\":{n},\"s\":\"[12:00:00] [Server thread/INFO]: a line of a game\"}}");
                        if sender.send(line.into()).await.is_err() {
                            return;
                        }
                    }
                });
                Response::new(content)
            }
            "/quiet" => {
                let (sender, content) = line_body(1, Duration::from_millis(50));
                tokio::spawn(async move {
                    let _hold = hold;
                    sender.closed().await;
                });
                Response::new(content)
            }
            _ => status(StatusCode::NOT_FOUND, "no such endpoint".to_owned()),
        }
    }

    async fn alive(&self) {
        self.probes.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst))).await;
        if self.stuck.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

fn status(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    response
}

/// Waits for a state, not for a time.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut check: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
