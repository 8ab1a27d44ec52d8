//! Measures one link over loopback: requests one after the other, 32 at a time, lines to three API servers, and one
//! large transfer. Prints figures; checks nothing.
//!
//! `cargo run --release -p nodepanel-backbone --example link_bench`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails has nothing else to do")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use nodepanel_backbone::{
    Acceptor, AcceptorConfig, AgentHandler, Body, Dialer, DialerConfig, Link, LinkAddress, LinkTiming, Registry,
    StreamOptions,
    agent::IdentityKeeper,
    body,
    enrolment::{EnrolRefusal, EnrolmentAuthority},
    line_body,
    pki::{CertificateAuthority, CertificateFacts, Identity, IdentityFile, KeyRequest, StoredIdentity},
    wire::{EnrolReply, EnrolRequest},
};
use nodepanel_types::{
    NodeId, Timestamp, WorkerId,
    clock::{Clock, IdSource},
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);
const LARGE: usize = 1 << 30;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_334_400_000)
    }
}

struct Counter(AtomicU64);

impl IdSource for Counter {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0]);
    }
}

struct Nobody;

#[async_trait]
impl EnrolmentAuthority for Nobody {
    async fn enrol(&self, _: EnrolRequest, _: SocketAddr) -> Result<EnrolReply, EnrolRefusal> {
        Err(EnrolRefusal::Unknown)
    }

    fn admit(&self, _: NodeId, _: &CertificateFacts) -> Result<(), String> {
        Ok(())
    }
}

struct Endpoints;

#[async_trait]
impl AgentHandler for Endpoints {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match request.uri().path() {
            "/lines" => {
                let (sender, content) = line_body(1_024, Duration::from_secs(5));
                tokio::spawn(async move {
                    let line = Bytes::from(vec![b'x'; 100]);
                    while sender.send(line.clone()).await.is_ok() {}
                });
                Response::new(content)
            }
            "/large" => {
                let piece = Bytes::from(vec![0; 64 * 1024]);
                let pieces = (0..LARGE / piece.len()).map(move |_| Ok::<_, std::convert::Infallible>(piece.clone()));
                Response::new(body::stream(futures_util::stream::iter(pieces)))
            }
            _ => Response::new(body::full(body::collect(request.into_body(), 1 << 20).await.unwrap())),
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn IdSource>) = (Arc::new(Fixed), Arc::new(Counter(AtomicU64::new(1))));
    let authority = Arc::new(CertificateAuthority::create(clock.clone(), ids.clone()).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = LinkAddress::from(listener.local_addr().unwrap());

    let workers: Vec<WorkerId> = (0..3).map(|_| WorkerId::from_uuid(ids.uuid())).collect();
    let instances = watch::Sender::new(workers.clone());
    let mut registries = Vec::new();
    for instance in workers {
        let registry = Registry::new(clock.clone(), LinkTiming::default());
        let acceptor = Acceptor::new(AcceptorConfig {
            instance,
            instances: instances.subscribe(),
            authority: authority.clone(),
            enrolment: Arc::new(Nobody),
            registry: registry.clone(),
        })
        .unwrap();
        let listener = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
        tokio::spawn(async move { acceptor.serve(listener, CancellationToken::new()).await });
        registries.push(registry);
    }

    let directory = tempfile::tempdir().unwrap();
    let (node, key) = (NodeId::from_uuid(ids.uuid()), KeyRequest::generate().unwrap());
    let certificate = authority.issue_node(node, key.csr()).unwrap();
    let ca = authority.certificate_pem().to_owned();
    let identity = Identity::new(StoredIdentity::new(node, certificate, key.key().clone(), ca, vec![])).unwrap();
    let file = IdentityFile::in_directory(directory.path());
    let addresses = watch::Sender::new(vec![address]);
    let dialer = Dialer::new(
        DialerConfig {
            keeper: Arc::new(IdentityKeeper::new(identity, file, clock.clone())),
            addresses: addresses.subscribe(),
            epoch: 1,
            version: "bench".to_owned(),
            clock,
            ids,
            timing: LinkTiming::default(),
        },
        Arc::new(Endpoints),
    );
    let begun = Instant::now();
    tokio::spawn(dialer.run(CancellationToken::new()));
    let mut links = Vec::new();
    for registry in &registries {
        links.push(linked(registry, node).await);
    }
    println!("linked to 3 API servers (6 connections): {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);

    let first = links.first().unwrap();
    sequential(first).await;
    concurrent(first).await;
    lines(&links).await;
    large(first).await;
}

async fn linked(registry: &Registry, node: NodeId) -> Link {
    loop {
        if let Some(link) = registry.link(node)
            && link.bulk(PATIENCE).await.is_ok()
        {
            return link;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn ask(link: &Link) {
    let request = Request::post("/echo").body(Bytes::from_static(&[b'x'; 200])).unwrap();
    link.request(request, PATIENCE).await.unwrap();
}

async fn sequential(link: &Link) {
    let mut took = Vec::new();
    for _ in 0..20_000 {
        let begun = Instant::now();
        ask(link).await;
        took.push(begun.elapsed());
    }
    took.sort();
    let at = |share: usize| took.get(took.len() * share / 1_000).unwrap().as_secs_f64() * 1e3;
    println!("one request after the other: p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms", at(500), at(990), at(999));
}

async fn concurrent(link: &Link) {
    const EACH: u32 = 4_000;
    let begun = Instant::now();
    join_all((0..32).map(|_| {
        let link = link.clone();
        tokio::spawn(async move {
            for _ in 0..EACH {
                ask(&link).await;
            }
        })
    }))
    .await;
    println!("32 requests at a time: {:.0}/s", f64::from(32 * EACH) / begun.elapsed().as_secs_f64());
}

async fn lines(links: &[Link]) {
    const EACH: u32 = 300_000;
    let begun = Instant::now();
    join_all(links.iter().map(|link| async {
        let mut reading = link.lines("/lines", &StreamOptions::default()).await.unwrap();
        for _ in 0..EACH {
            reading.next().await.unwrap().unwrap();
        }
    }))
    .await;
    println!("lines of 100 bytes to each of 3 API servers: {:.0}/s", f64::from(EACH) / begun.elapsed().as_secs_f64());
}

async fn large(link: &Link) {
    let begun = Instant::now();
    let request = Request::get("/large").body(body::empty()).unwrap();
    let mut response = link.bulk(PATIENCE).await.unwrap().stream(request, &StreamOptions::default()).await.unwrap();
    while let Some(frame) = response.body_mut().frame().await {
        frame.unwrap();
    }
    println!("one transfer of 1 GiB: {:.0} MB/s", 1_073.741_824 / begun.elapsed().as_secs_f64());
}
