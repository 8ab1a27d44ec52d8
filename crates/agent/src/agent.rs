//! The whole agent: opens its records, takes up what runs, starts what should, and answers whoever is linked.
//!
//! Nothing of this waits for a link. When the agent ends, games and their shims stay.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::StreamExt as _;
use nodepanel_backbone::LinkTiming;
use nodepanel_types::{
    Millis,
    clock::{Clock, IdSource},
    component::Component,
    wire::ActivityKind,
};
use tokio::{
    sync::{Mutex, Semaphore, watch},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cgroup::{Group, Hierarchies},
    db::{Db, DbWorker, StoredDesired, StoredServer},
    error::AgentError,
    events::Hub,
    facts::{self, Machine},
    handler::Endpoints,
    home::{ELSEWHERE, Home},
    install, links, measure,
    node::Node,
    plan::Note,
    query::{self, Census},
    renewal,
    runtime::{ProcessRuntime, ProcessRuntimeConfig, Recovered, RunPlace, Runtime},
    server, users,
};

/// Recoveries at a time.
const RECOVERIES: usize = 32;
/// How long the first look for what runs may take: a keeper that hangs must not hold up all other servers.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// How an agent is to work.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The installation's data directory.
    pub data_dir: PathBuf,
    /// The program that becomes a shim: usually our own.
    pub program: PathBuf,
    /// What makes it one: `role shim --spec`; the path of the order follows.
    pub shim_args: Vec<OsString>,
    /// Our version.
    pub version: String,
    /// The pause between two servers that are started after a boot.
    pub stagger: Duration,
    /// Installations at a time.
    pub installs_at_once: usize,
    /// Give each server a user of its own; needs root. `None`: if we are root.
    pub own_users: Option<bool>,
    /// Where servers are kept whose own users cannot reach them below the data directory.
    pub elsewhere: PathBuf,
    /// Set limits with control groups where that is possible.
    pub limits: bool,
    /// This boot of the machine; `None` asks the kernel.
    pub boot: Option<String>,
    /// Begin with every server suspended: nothing is started, and what runs is stopped. For stopping games whose agent
    /// is not there.
    pub suspended: bool,
    /// Intervals and deadlines of links.
    pub timing: LinkTiming,
}

impl AgentConfig {
    /// The usual agent for `data_dir`, with the running program as its shim.
    pub fn new(data_dir: PathBuf, program: PathBuf, version: String) -> Self {
        Self {
            data_dir,
            program,
            shim_args: ["role", "shim", "--spec"].map(OsString::from).to_vec(),
            version,
            stagger: Duration::from_millis(500),
            installs_at_once: 2,
            own_users: None,
            elsewhere: PathBuf::from(ELSEWHERE),
            limits: true,
            boot: None,
            suspended: false,
            timing: LinkTiming::default(),
        }
    }
}

/// A running agent.
pub struct Agent {
    node: Arc<Node>,
    config: AgentConfig,
    components: watch::Receiver<Vec<Component>>,
    _home: Home,
}

impl Agent {
    /// Starts, serves until `shutdown`, and ends; the games stay.
    pub async fn run(
        config: AgentConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        shutdown: CancellationToken,
    ) -> Result<(), AgentError> {
        let agent = Self::start(config, clock, ids).await?;
        Box::pin(agent.serve(shutdown)).await;
        agent.close().await;
        Ok(())
    }

    /// Opens the records, takes up what runs, and begins to start what should. The servers are looked after from now
    /// on, whether or not [`Agent::serve`] is called.
    pub async fn start(config: AgentConfig, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Result<Self, AgentError> {
        let Prepared { home, db, worker, groups, machine } = prepare(&config, &ids).await?;
        worker.on_thread()?;
        let groups = Arc::new(groups);
        let runtime = ProcessRuntime::new(
            ProcessRuntimeConfig {
                program: config.program.clone(),
                shim_args: config.shim_args.clone(),
                groups: Arc::clone(&groups),
            },
            Arc::clone(&clock),
            Arc::clone(&ids),
        );
        Self::begin(config, Parts { clock, ids, home, db, groups, machine, runtime: Arc::new(runtime) }).await
    }

    /// The same on a simulated machine: `runtime` has its processes, and `work` puts the database's worker to work.
    pub async fn start_simulated(
        config: AgentConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        runtime: Arc<dyn Runtime>,
        work: impl FnOnce(DbWorker),
    ) -> Result<Self, AgentError> {
        let Prepared { home, db, worker, groups, machine } = prepare(&config, &ids).await?;
        work(worker);
        Self::begin(config, Parts { clock, ids, home, db, groups: Arc::new(groups), machine, runtime }).await
    }

    async fn begin(config: AgentConfig, parts: Parts) -> Result<Self, AgentError> {
        let Parts { clock, ids, home, db, groups, machine, runtime } = parts;
        let started_at = clock.now();
        let node = Arc::new(Node {
            clock,
            ids,
            db,
            layout: home.layout.clone(),
            runtime,
            groups,
            hub: Hub::new(),
            journal_end: watch::Sender::new(0),
            unwritten: Mutex::default(),
            installs: Arc::new(Semaphore::new(config.installs_at_once.max(1))),
            packages: Arc::new(Mutex::new(())),
            boot: config.boot.clone().unwrap_or_else(facts::boot_id),
            own_users: own_users(&config),
            version: config.version.clone(),
            machine,
            started_at,
            id: RwLock::new(None),
            suspended: watch::Sender::new(config.suspended),
            intake: Mutex::new(()),
            servers: RwLock::new(BTreeMap::new()),
            tombstones: RwLock::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        node.tasks.spawn(Arc::clone(&node).watch_database());
        take_over(&node, config.stagger).await?;
        let (sender, components) = watch::channel(Vec::new());
        let census = Arc::new(Census::default());
        node.tasks.spawn(query::rounds(Arc::clone(&node), Arc::clone(&census)));
        node.tasks.spawn(measure::every_second(Arc::clone(&node), census, sender));
        node.tasks.spawn(measure::disks(Arc::clone(&node)));
        node.tasks.spawn(renewal::keep_up(Arc::clone(&node), config.data_dir.clone(), config.program.clone()));
        Ok(Self { node, config, components, _home: home })
    }

    /// What answers requests: for links, and for tests without them.
    pub fn endpoints(&self) -> Arc<Endpoints> {
        Arc::new(Endpoints::new(Arc::clone(&self.node), self.config.timing.line_heartbeat))
    }

    /// The shims of this agent as our own processes.
    pub fn components(&self) -> watch::Receiver<Vec<Component>> {
        self.components.clone()
    }

    /// Joins if that is still to be done, and keeps the links up until `shutdown`.
    pub async fn serve(&self, shutdown: CancellationToken) {
        Box::pin(links::keep(&self.node, &self.config, self.endpoints(), shutdown)).await;
    }

    /// Stops every game softly, and by SIGKILL when its time is up. What should run is started again by the next
    /// agent, not by this one. Returns the number of those that still run after `deadline`.
    pub async fn stop_servers(&self, deadline: Duration) -> usize {
        let until = Instant::now() + deadline;
        self.node.suspended.send_replace(true);
        loop {
            let running = self.node.all().iter().filter(|server| server.observed().phase.run().is_some()).count();
            if running == 0 || Instant::now() >= until {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the agent's own tasks. The games stay.
    pub async fn close(self) {
        self.node.closing.cancel();
        self.node.tasks.close();
        // What does not end within a moment is cut when the process ends.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.node.tasks.wait()).await;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Also an agent that was not closed begins nothing any more.
        self.node.closing.cancel();
    }
}

/// What must be there before anything else.
struct Prepared {
    home: Home,
    db: Db,
    worker: DbWorker,
    groups: Hierarchies,
    machine: Machine,
}

/// What an agent is made of.
struct Parts {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    home: Home,
    db: Db,
    groups: Arc<Hierarchies>,
    machine: Machine,
    runtime: Arc<dyn Runtime>,
}

fn own_users(config: &AgentConfig) -> bool {
    config.own_users.unwrap_or_else(|| rustix::process::geteuid().is_root())
}

async fn prepare(config: &AgentConfig, ids: &Arc<dyn IdSource>) -> Result<Prepared, AgentError> {
    let (config, ids) = (config.clone(), Arc::clone(ids));
    let prepared = tokio::task::spawn_blocking(move || look_around(&config, ids.as_ref()));
    prepared.await.map_err(|_| AgentError::Interrupted)?
}

/// Blocks.
fn look_around(config: &AgentConfig, ids: &dyn IdSource) -> Result<Prepared, AgentError> {
    let own_users = own_users(config);
    let home = Home::open(&config.data_dir, own_users, &config.elsewhere, ids)?;
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let (db, worker) = Db::open(&home.layout.database(), users::first(ids, &map))?;
    let groups = if config.limits { Hierarchies::detect() } else { Hierarchies::none() };
    let mut machine = Machine::read(&groups, own_users);
    machine.warnings.extend(home.warning.clone());
    install::remove_stale_policy();
    Ok(Prepared { home, db, worker, groups, machine })
}

/// Takes up every server of the records: first what runs, then, in turn, what should.
async fn take_over(node: &Arc<Node>, stagger: Duration) -> Result<(), AgentError> {
    let begun = Instant::now();
    let stored = node.db.servers().await?;
    let mut held = Vec::new();
    for server in stored {
        match &server.desired {
            Some(StoredDesired::Known(_)) => held.push(server),
            Some(StoredDesired::Unreadable(reason)) => {
                tracing::error!(server.id = %server.server, reason, "A server cannot be read from the agent's database; it is left as it is until the control plane sends it again");
            }
            None => bury(node, &server),
        }
    }
    let found: Vec<(StoredServer, Option<Recovered>)> = futures_util::stream::iter(held)
        .map(|server| async {
            let layout = node.layout.server(server.server);
            let place = RunPlace { server: server.server, state_dir: layout.shim(), log_dir: layout.log() };
            // What cannot be found out now is the task's to find out; until then it starts nothing.
            let recovered = timeout(FIRST_LOOK, node.runtime.recover(&place)).await;
            (server, recovered.ok().and_then(Result::ok))
        })
        .buffer_unordered(RECOVERIES)
        .collect()
        .await;
    let running = found.iter().filter(|(_, recovered)| matches!(recovered, Some(Recovered::Running(_)))).count();
    let stagger = Millis::try_from(stagger.as_millis()).unwrap_or(Millis::MAX);
    let mut turns: Millis = 0;
    for (server, recovered) in found {
        let Some(StoredDesired::Known(desired)) = server.desired else { continue };
        let rebooted = server.progress.run.as_ref().is_none_or(|run| run.boot != node.boot);
        let waits = rebooted
            && (server.progress.wants_running() || desired.power.action.wants_running())
            && !matches!(recovered, Some(Recovered::Running(_)));
        let turn_at = waits.then(|| {
            turns += 1;
            node.clock.now().plus(stagger.saturating_mul(turns - 1))
        });
        server::take_over(node, *desired, server.uid, server.progress, recovered, turn_at);
    }
    if running > 0 {
        let took_ms = Millis::try_from(begun.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let games = if running == 1 {
            "1 game server that runs".to_owned()
        } else {
            format!("{running} game servers that run")
        };
        let text = format!("The agent was restarted and took up {games}, without interrupting them.");
        node.note(Note { kind: ActivityKind::Recovery, text, took_ms: Some(took_ms), automatic: true }).await;
    }
    Ok(())
}

/// Remembers a removed server, and deletes what an interrupted removal left.
fn bury(node: &Arc<Node>, server: &StoredServer) {
    let id = server.server;
    node.tombstones.write().unwrap_or_else(PoisonError::into_inner).insert(id, server.generation);
    let root = node.layout.server(id).root().to_owned();
    let group = Group::of(&node.groups, id);
    if root.exists() {
        node.tasks.spawn_blocking(move || {
            if let Err(error) = server::erase(&root, group.as_ref()) {
                tracing::error!(server.id = %id, %error, "The files of a removed server cannot be deleted");
            }
        });
    }
}
