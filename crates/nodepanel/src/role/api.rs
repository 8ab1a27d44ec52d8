//! `role api`: one API server.
//!
//! Everything it knows can be rebuilt: the store's records by list and watch, the nodes' pictures over the links. It
//! may die at any moment; what it acknowledged is on disk.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::{Router, extract::ConnectInfo};
use hyper::{
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use nodepanel_api::{Admission, ApiState, Proxies, Sockets, install_metrics, router};
use nodepanel_backbone::{Acceptor, AcceptorConfig, LinkAddress, LinkTiming, Registry};
use nodepanel_control::{ControlPlane, Enrolments, Installation, Links, MasterKey, Observed, Parts, Tables};
use nodepanel_store::{Backend, Journal, JournalLimits, SqliteBackend, SqliteOptions};
use nodepanel_supervise::{
    sockets::Inherited,
    worker::{About, Worker},
};
use nodepanel_types::{
    WorkerId,
    clock::{Clock, IdSource},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    panel_files::PANEL,
    platform::{Components, Shared},
};
use crate::{
    local::{Config, DataDir, log_to_stderr},
    system::{SystemClock, SystemIds},
};

/// How long requests that were accepted may take to finish when this process ends.
const FINISH: Duration = Duration::from_secs(5);
/// How long the goodbye to the nodes may take then. With [`FINISH`] it is shorter than the supervisor's patience.
const UNLINK: Duration = Duration::from_secs(3);
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// How long the reading of the store may take before that is worth a word.
const LOADED: Duration = Duration::from_secs(3);
/// The pause between two tries to open a store that cannot be opened now.
const RETRY: Duration = Duration::from_millis(500);

/// Runs an API server until it is asked to end.
pub fn run(data_dir: &DataDir, config: &Config) -> anyhow::Result<()> {
    let inherited = Inherited::from_env();
    let _log = log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(data_dir, config, inherited))
}

async fn serve(data_dir: &DataDir, config: &Config, mut inherited: Inherited) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn IdSource> = Arc::new(SystemIds);
    let instance = WorkerId::from_uuid(ids.uuid());
    let about = About { name: "api".to_owned(), worker_id: instance, version: env!("CARGO_PKG_VERSION").to_owned() };
    let worker = Worker::from_env(about, &inherited.sockets).context("the supervisor cannot be reached")?;
    let http = socket(&mut inherited, "http", config.http.listen)?;
    let link = socket(&mut inherited, "link", config.link_listen())?;

    let master = insist(&worker, async || MasterKey::load_or_create(data_dir.path(), &*ids)).await;
    let Some(master) = master else { return Ok(()) };
    let store = insist(&worker, async || SqliteBackend::open_async(SqliteOptions::new(data_dir.store())).await).await;
    let Some(store) = store else { return Ok(()) };
    let store: Arc<dyn Backend> = Arc::new(store);
    let open = async || Installation::open(&store, &master, Arc::clone(&clock), Arc::clone(&ids)).await;
    let Some(installation) = insist(&worker, open).await else { return Ok(()) };
    let registry = Registry::new(Arc::clone(&clock), LinkTiming::default());
    let components = Components::follow(worker.clone(), data_dir, Arc::clone(&clock), config.proofs.clone());
    let advertised =
        if config.link.advertise.is_empty() { vec![address_of(&link)?] } else { config.link.advertise.clone() };
    let plane = Arc::new(ControlPlane::new(Parts {
        tables: Tables::follow(&store)?,
        store,
        journal: Some(Journal::at(data_dir.journal(), JournalLimits::default())?),
        nodes: Arc::new(Links::new(registry.clone())),
        observed: Arc::new(Observed::default()),
        platform: Arc::new(Shared(Arc::clone(&components))),
        master,
        authority: Arc::clone(&installation.authority),
        link_addresses: advertised,
        clock,
        ids,
        instance,
    }));
    let instances = nodepanel_control::run(&plane);
    let acceptor = Acceptor::new(AcceptorConfig {
        instance,
        instances,
        authority: installation.authority,
        enrolment: Arc::new(Enrolments::new(Arc::clone(&plane))),
        registry,
    })?;

    if insist(&worker, async || plane.loaded(LOADED).await).await.is_none() {
        return Ok(());
    }
    complete(data_dir, config, &plane, &http).await;
    let (drain, draining) = watch::channel(false);
    let app = router(ApiState {
        plane: Arc::clone(&plane),
        draining,
        proxies: Proxies::new(config.http.trusted_proxies.clone(), config.http.forwarded_header),
        admission: Admission::open(),
        sockets: Sockets::default(),
        panel: PANEL,
        metrics: install_metrics().context("the metrics of this process cannot be set up")?,
    });
    let (ending, unlinking) = (CancellationToken::new(), CancellationToken::new());
    let mut http = tokio::spawn(accept(into_tokio(http)?, app, ending.clone()));
    let link = into_tokio(link)?;
    let links = tokio::spawn({
        let unlinking = unlinking.clone();
        async move { acceptor.serve(link, unlinking).await }
    });
    let telling = Arc::clone(&plane);
    tokio::spawn(async move {
        loop {
            components.changed.notified().await;
            telling.components_changed();
        }
    });
    worker.ready();
    tokio::select! {
        () = worker.drain_asked() => {}
        () = crate::role::terminated() => {}
    }
    drain.send_replace(true);
    ending.cancel();
    // Who is still being answered may need a node: the links end after the last answer.
    if tokio::time::timeout(FINISH, &mut http).await.is_err() {
        tracing::warn!("requests that were still being answered were cut off at the end");
    }
    unlinking.cancel();
    if tokio::time::timeout(UNLINK, links).await.is_err() {
        tracing::warn!("links were cut off at the end");
    }
    Ok(())
}

/// The inherited socket, or one of our own when this role was started by hand.
fn socket(inherited: &mut Inherited, name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    match inherited.sockets.take(name) {
        Some(socket) => Ok(socket),
        None => TcpListener::bind(address).with_context(|| {
            format!("{address} cannot be listened on; something else may use it. Choose another with --listen.")
        }),
    }
}

fn into_tokio(socket: TcpListener) -> anyhow::Result<tokio::net::TcpListener> {
    socket.set_nonblocking(true)?;
    Ok(tokio::net::TcpListener::from_std(socket)?)
}

fn address_of(socket: &TcpListener) -> anyhow::Result<LinkAddress> {
    let mut address = socket.local_addr()?;
    if address.ip().is_unspecified() {
        // Remote agents need link.advertise; the one on this host reaches us here.
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(address.to_string().parse()?)
}

/// Tries until it succeeds, telling the supervisor why it does not: a damaged or full disk, a missing key or a slow
/// store is looked at again, because ending would only be the same with more noise. `None` when this process was asked
/// to end meanwhile.
async fn insist<T, E: std::error::Error>(worker: &Worker, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> Option<T> {
    let mut said = String::new();
    let trying = async {
        loop {
            let error = match attempt().await {
                Ok(done) => return done,
                Err(error) => error,
            };
            let mut reason = error.to_string();
            let mut cause = error.source();
            while let Some(deeper) = cause {
                reason = format!("{reason}: {deeper}");
                cause = deeper.source();
            }
            if reason != said {
                tracing::error!("{reason}; trying again until it works");
                worker.not_ready(reason.clone());
                said = reason;
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::select! {
        done = trying => Some(done),
        () = worker.drain_asked() => None,
        () = crate::role::terminated() => None,
    }
}

/// What the first start makes and later ones find. A store that cannot be written now leaves it for the next start.
async fn complete(data_dir: &DataDir, config: &Config, plane: &ControlPlane, http: &TcpListener) {
    let token = data_dir.join_token();
    let token = config.games.enabled.then_some(token.as_path());
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if let Err(error) = plane.complete_installation(&hostname, config.game_address(), token).await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "the installation could not be completed; the next start tries again");
    }
    if let (Ok(email), Ok(password)) =
        (std::env::var("NODEPANEL_ADMIN_EMAIL"), std::env::var("NODEPANEL_ADMIN_PASSWORD"))
    {
        match plane.make_first_administrator(&email, password).await {
            Ok(_) => tracing::info!("made the first administrator as the environment says"),
            Err(nodepanel_control::ControlError::SetupClosed(_)) => {}
            Err(error) => {
                let problem = error.problem();
                tracing::error!(
                    detail = problem.detail,
                    "NODEPANEL_ADMIN_EMAIL and NODEPANEL_ADMIN_PASSWORD make no administrator"
                );
            }
        }
    }
    if let Ok(address) = http.local_addr() {
        let url = format!("http://{address}\n");
        if let Err(error) = std::fs::write(data_dir.url_file(), url) {
            tracing::warn!(%error, "the command line on this host will not find the API by itself");
        }
    }
}

/// Accepts until the end, then waits for what was accepted.
async fn accept(listener: tokio::net::TcpListener, app: Router, ending: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(256).keep_alive_interval(Duration::from_secs(20));
    let connections = TaskTracker::new();
    while let Some(accepted) = ending.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: waiting is all that helps, and the queue holds what comes.
                tracing::warn!(%error, "no connection can be accepted at the moment");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Small answers must not wait for more to come; a socket that refuses this works all the same.
        let _ = stream.set_nodelay(true);
        // Not a layer, which would build every route anew for each connection.
        let app = TowerToHyperService::new(app.clone());
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            app.call(request)
        });
        let (builder, ending) = (builder.clone(), ending.clone());
        connections.spawn(async move {
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                // A client that breaks off is nobody's fault.
                _ = connection.as_mut() => return,
                () = ending.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}
