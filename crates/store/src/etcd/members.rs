//! The members of the cluster as a client asks them: one connection each, and the member that answers first wins.
//!
//! A member may be dead, cut off, paused, or the leader that is dying and keeps requests without an answer. So no request
//! waits for one member: when its answer takes long, the next one is asked as well, and when it fails, at once.

use std::{
    future::Future,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use prost::Message;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_prost::ProstCodec;

use super::{
    options::{EtcdOptions, EtcdTls},
    verdict::{Refusal, Verdict, judge},
};
use crate::StoreError;

/// For a connection to be made.
const CONNECT: Duration = Duration::from_millis(500);
/// How often a connection with something on its way is proven to live, and how long that may take. The members must be
/// started with `--grpc-keepalive-min-time` below it, or they end such connections.
const PING: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(700));
/// For one member to answer.
const TRY: Duration = Duration::from_secs(1);
/// When another member is asked as well.
const HEDGE: Duration = Duration::from_millis(250);
/// Between two tries once every member has had one.
const PAUSE: Duration = Duration::from_millis(40);
/// The longest answer: a page of the largest values has to be shorter.
pub(super) const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// One member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Its address.
    pub address: Arc<str>,
    channel: Channel,
}

impl Member {
    fn new(address: &str, tls: Option<&EtcdTls>) -> Result<Self, StoreError> {
        let refused = |error: tonic::transport::Error| StoreError::Unavailable {
            reason: format!("'{address}' cannot be the address of a member of etcd: {error}"),
        };
        let mut endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(refused)?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .tcp_nodelay(true);
        if let Some(tls) = tls {
            let config = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(&tls.ca))
                .identity(Identity::from_pem(&tls.certificate, tls.key.as_bytes()))
                .domain_name(tls.server_name.clone());
            endpoint = endpoint.tls_config(config).map_err(refused)?;
        }
        Ok(Self { address: address.into(), channel: endpoint.connect_lazy() })
    }

    /// A request with one answer.
    pub(super) async fn ask<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let answer = grpc.unary(led(request), PathAndQuery::from_static(path), ProstCodec::default()).await?;
        Ok(answer.into_inner())
    }

    /// A stream of requests with a stream of answers.
    pub(super) async fn converse<Q, A>(
        &self,
        path: &'static str,
        requests: impl futures_util::Stream<Item = Q> + Send + 'static,
    ) -> Result<Streaming<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let path = PathAndQuery::from_static(path);
        Ok(grpc.streaming(led(requests), path, ProstCodec::default()).await?.into_inner())
    }

    /// A request with a stream of answers.
    pub(super) async fn listen<Q, A>(&self, path: &'static str, request: Q) -> Result<Streaming<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let path = PathAndQuery::from_static(path);
        Ok(grpc.server_streaming(led(request), path, ProstCodec::default()).await?.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES);
        grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
        Ok(grpc)
    }
}

/// A member without a leader refuses such a request, and ends such a stream, instead of keeping it.
fn led<Q>(message: Q) -> Request<Q> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    request
}

/// An answer to a request that may have been sent more than once.
#[derive(Debug)]
pub(super) struct Answered<A> {
    pub answer: A,
    /// No other try of the same request can still be carried out.
    pub sole: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// etcd refuses it.
    Refused {
        refusal: Refusal,
        /// No other try of the same request can still be carried out.
        sole: bool,
    },
    /// Nobody answered in time.
    Silent {
        reason: String,
        /// Whether it is known that nothing was done.
        surely_not_done: bool,
    },
}

impl Failure {
    /// What it means to a reader.
    pub(super) fn of_read(self) -> StoreError {
        match self {
            Self::Refused { refusal: Refusal::NoSpace, .. } => StoreError::QuotaReached,
            Self::Refused { refusal, .. } => StoreError::Unavailable { reason: format!("etcd refused: {refusal:?}") },
            Self::Silent { reason, .. } => StoreError::Unavailable { reason },
        }
    }

    /// What it means to a writer.
    pub(super) fn of_write(self) -> StoreError {
        match self {
            Self::Silent { reason, surely_not_done: false } => StoreError::OutcomeUnknown { reason },
            other => other.of_read(),
        }
    }
}

/// Every member that is known.
pub(super) struct Members {
    tls: Option<EtcdTls>,
    known: RwLock<Arc<[Member]>>,
    /// The member that is asked first: the one that answered last.
    first: AtomicUsize,
}

impl Members {
    pub(super) fn new(options: &EtcdOptions) -> Result<Self, StoreError> {
        let tls = options.tls.clone();
        let known = RwLock::new(members(&options.endpoints, tls.as_ref(), &[])?);
        Ok(Self { tls, known, first: AtomicUsize::new(0) })
    }

    /// These are the members from now on. Connections to those that stay are kept.
    pub(super) fn set(&self, endpoints: &[String]) -> Result<(), StoreError> {
        let known = members(endpoints, self.tls.as_ref(), &self.all())?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// All of them, in the order in which they were named.
    pub(super) fn all(&self) -> Arc<[Member]> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The member that is to be asked after `tries` others.
    pub(super) fn nth(&self, tries: usize) -> Option<Member> {
        let all = self.all();
        let index = self.first.load(Ordering::Relaxed).wrapping_add(tries).checked_rem(all.len())?;
        all.get(index).cloned()
    }

    /// Asks until a member answers, or `within` is over.
    pub(super) async fn race<A, F>(
        &self,
        within: Duration,
        ask: impl Fn(Member) -> F + Send,
    ) -> Result<Answered<A>, Failure>
    where
        F: Future<Output = Result<A, Status>> + Send,
    {
        let all = self.all();
        let first = self.first.load(Ordering::Relaxed);
        let deadline = Instant::now() + within;
        let mut running = FuturesUnordered::new();
        let mut sent = 0_usize;
        let mut next_at = Instant::now();
        let mut surely_not_done = true;
        let mut reason = String::from("no member of the store answers");
        loop {
            tokio::select! {
                biased;
                Some((index, outcome)) = running.next() => match outcome {
                    Ok(answer) => {
                        self.first.store(index, Ordering::Relaxed);
                        return Ok(Answered { answer, sole: surely_not_done && running.is_empty() });
                    }
                    Err(status) => match judge(&status) {
                        Verdict::Refused(refusal) => {
                            return Err(Failure::Refused { refusal, sole: surely_not_done && running.is_empty() });
                        }
                        Verdict::Again { surely_not_done: not_this_time, reason: why } => {
                            surely_not_done &= not_this_time;
                            reason = why;
                            let pause = if sent < all.len() { Duration::ZERO } else { PAUSE };
                            next_at = next_at.min(Instant::now() + pause);
                        }
                    },
                },
                () = sleep_until(deadline) => {
                    let surely_not_done = surely_not_done && running.is_empty();
                    return Err(Failure::Silent { reason, surely_not_done });
                }
                () = sleep_until(next_at), if running.len() < all.len() => {
                    let index = first.wrapping_add(sent).checked_rem(all.len()).unwrap_or(0);
                    if let Some(member) = all.get(index) {
                        let asked = ask(member.clone());
                        running.push(async move { (index, within_a_try(asked).await) });
                    }
                    sent = sent.saturating_add(1);
                    next_at = Instant::now() + HEDGE;
                }
            }
        }
    }
}

fn members(endpoints: &[String], tls: Option<&EtcdTls>, held: &[Member]) -> Result<Arc<[Member]>, StoreError> {
    let member = |address: &String| match held.iter().find(|member| *member.address == **address) {
        Some(member) => Ok(member.clone()),
        None => Member::new(address, tls),
    };
    endpoints.iter().map(member).collect()
}

/// The answer of a member, or what it means that there is none.
pub(super) async fn within_a_try<A>(asked: impl Future<Output = Result<A, Status>> + Send) -> Result<A, Status> {
    timeout(TRY, asked).await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer within 1 s")))
}
