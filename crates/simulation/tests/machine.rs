//! A machine that runs game servers: the real agent with its own database, on simulated processes.
//!
//! Killing the agent takes everything from it but its database and the processes. What it had begun goes on as tasks
//! that reach nothing any more: `Life` stands before the database, the runtime and every answer.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request};
use nodepanel_agent::{Agent, AgentConfig, Endpoints};
use nodepanel_backbone::{AgentHandler as _, Body, body};
use nodepanel_control::NodeError;
use nodepanel_types::{
    NodeId, ServerId,
    state::PowerIntent,
    wire::{ApplyOutcome, ApplyRequest, ApplyResponse, NodeFrame, ObservedServer, Remove, path},
};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    chance::{Chance, SkewedClock},
    life::Life,
    process::Ground,
    runtime::{Processes, Twin},
    story::Teller,
};

/// Answers to one request are shorter.
const ANSWER_BYTES: usize = 1 << 20;

/// A wish that reached the agent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: Instant,
    pub server: ServerId,
    pub wish: Wished,
    /// What the agent answered; `None` when it died over it.
    pub outcome: Option<ApplyOutcome>,
}

#[derive(Debug, Clone, Copy)]
pub enum Wished {
    State { generation: u64, power: PowerIntent },
    Removal,
}

pub struct Machine {
    pub id: NodeId,
    pub clock: Arc<SkewedClock>,
    pub processes: Arc<Processes>,
    directory: TempDir,
    agent: Mutex<Option<Living>>,
    sent: Mutex<Vec<Sent>>,
    boots: AtomicU32,
}

/// An agent between its start and its death.
struct Living {
    life: Life,
    /// `None` until it has taken up what runs.
    agent: Option<(Agent, Arc<Endpoints>)>,
}

impl Machine {
    pub fn new(id: NodeId, clock: Arc<SkewedClock>, chance: Chance, teller: Teller) -> Arc<Self> {
        let calm = Arc::new(AtomicBool::new(false));
        let ground = Ground { chance, teller, clock: Arc::clone(&clock), calm };
        // In memory, where the system has such a place: what survives a power failure is tested elsewhere.
        let memory = PathBuf::from("/dev/shm");
        let directory = tempfile::tempdir_in(if memory.is_dir() { memory } else { std::env::temp_dir() });
        Arc::new(Self {
            id,
            clock,
            processes: Processes::new(ground),
            directory: directory.unwrap(),
            agent: Mutex::default(),
            sent: Mutex::default(),
            boots: AtomicU32::new(1),
        })
    }

    /// Starts the agent; it answers when it has taken up what runs.
    pub fn start_agent(self: &Arc<Self>) {
        let life = Life::new();
        let before = self.agent.lock().unwrap().replace(Living { life: life.clone(), agent: None });
        assert!(before.is_none(), "an agent is started once");
        let machine = Arc::clone(self);
        tokio::spawn(async move {
            let started = tokio::select! {
                biased;
                () = life.end() => return,
                started = machine.start(life.clone()) => started,
            };
            let mut agent = machine.agent.lock().unwrap();
            if let Some(living) = agent.as_mut().filter(|_| !life.is_dead()) {
                let endpoints = started.endpoints();
                living.agent = Some((started, endpoints));
            }
        });
    }

    async fn start(&self, life: Life) -> Agent {
        let Ground { chance, .. } = self.processes.ground.clone();
        let program = PathBuf::from("/nonexistent/nodepanel");
        let config = AgentConfig {
            stagger: Duration::from_millis(100),
            own_users: Some(false),
            limits: false,
            boot: Some(self.boots.load(Ordering::Relaxed).to_string()),
            ..AgentConfig::new(self.directory.path().to_owned(), program, "simulated".to_owned())
        };
        loop {
            let runtime = Arc::new(Twin { processes: Arc::clone(&self.processes), life: life.clone() });
            let (disk, dying) = (chance.clone(), life.clone());
            let work = |worker: nodepanel_agent::DbWorker| {
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        () = dying.end() => {}
                        () = worker.in_place(|| disk.pause(0, 4)) => {}
                    }
                });
            };
            let (clock, ids) = (self.clock.clone(), Arc::new(chance.clone()));
            match Agent::start_simulated(config.clone(), clock, ids, runtime, work).await {
                Ok(agent) => return agent,
                // The one before was killed while it was starting, and lets go of its files a moment later.
                Err(error) => {
                    self.processes.ground.teller.tell("agents not started", error);
                    chance.pause(5, 20).await;
                }
            }
        }
    }

    /// Kills the agent at whatever it is doing. Games are not touched.
    pub fn kill_agent(&self) {
        if let Some(living) = self.agent.lock().unwrap().take() {
            living.life.kill();
        }
    }

    /// Takes the machine's power away: the agent and the games end, and the agent that is started next sees another
    /// boot.
    pub fn reboot(&self) {
        self.kill_agent();
        self.processes.reboot();
        self.boots.fetch_add(1, Ordering::Relaxed);
    }

    pub fn is_down(&self) -> bool {
        self.living().is_none()
    }

    /// From now on no game crashes any more.
    pub fn calm_down(&self) {
        self.processes.ground.calm.store(true, Ordering::Relaxed);
    }

    /// Every wish that reached the agent.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// What answers requests now, if anything does.
    fn living(&self) -> Option<(Arc<Endpoints>, Life)> {
        let agent = self.agent.lock().unwrap();
        let living = agent.as_ref()?;
        let (_, endpoints) = living.agent.as_ref()?;
        Some((Arc::clone(endpoints), living.life.clone()))
    }

    /// Answers a request of a control plane; `None` when the agent is dead, or dies over it.
    pub async fn answer(self: &Arc<Self>, path: &str, content: Option<Bytes>) -> Option<Result<Bytes, NodeError>> {
        let (endpoints, life) = self.living()?;
        let method = if content.is_some() { Method::POST } else { Method::GET };
        let content = content.unwrap_or_default();
        let noted = self.note(path, &content);
        let request = Request::builder().method(method).uri(path).body(body::full(content)).unwrap();
        // A task of its own, as on a link: what may change something ends with the agent and not with who asked.
        let (machine, path, dying) = (Arc::clone(self), path.to_owned(), life.clone());
        let answering = tokio::spawn(async move {
            let response = endpoints.handle(request).await;
            let status = response.status();
            let content = body::collect(response.into_body(), ANSWER_BYTES).await.unwrap();
            if path == path::APPLY && status.is_success() && !dying.is_dead() {
                let answer: ApplyResponse = serde_json::from_slice(&content).unwrap();
                let mut sent = machine.sent.lock().unwrap();
                for (index, applied) in noted.zip(answer.servers) {
                    if let ApplyOutcome::Stale { held } = applied.outcome {
                        let teller = &machine.processes.ground.teller;
                        teller.tell("applied late", format_args!("{}: {held} is held", applied.server));
                    }
                    sent[index].outcome = Some(applied.outcome);
                }
            }
            if status.is_success() {
                return Ok(content);
            }
            Err(NodeError::refused(status, &content))
        });
        tokio::select! {
            biased;
            () = life.end() => None,
            answer = answering => Some(answer.unwrap()),
        }
    }

    /// Remembers wishes; returns their places.
    fn note(&self, path: &str, content: &[u8]) -> std::ops::Range<usize> {
        let mut sent = self.sent.lock().unwrap();
        let (first, at) = (sent.len(), Instant::now());
        match path {
            path::APPLY => {
                let request: ApplyRequest = serde_json::from_slice(content).unwrap();
                sent.extend(request.servers.into_iter().map(|desired| {
                    let wish = Wished::State { generation: desired.generation, power: desired.power };
                    Sent { at, server: desired.server, wish, outcome: None }
                }));
            }
            path::REMOVE => {
                let Remove { server, .. } = serde_json::from_slice(content).unwrap();
                self.processes.ground.teller.tell("deleted", server);
                sent.push(Sent { at, server, wish: Wished::Removal, outcome: None });
            }
            _ => {}
        }
        first..sent.len()
    }

    /// Opens a stream; `None` when the agent is dead.
    pub async fn stream(&self, path: &str) -> Option<(Body, Life)> {
        let (endpoints, life) = self.living()?;
        let request = Request::builder().uri(path).body(body::empty()).unwrap();
        let response = tokio::select! {
            biased;
            () = life.end() => return None,
            response = endpoints.handle(request) => response,
        };
        assert!(response.status().is_success(), "{path}: {}", response.status());
        Some((response.into_body(), life))
    }

    /// What the agent says of its servers.
    pub async fn snapshot(&self) -> Option<Vec<ObservedServer>> {
        let (body, _) = self.stream(path::EVENTS).await?;
        let mut chunks = http_body_util::BodyExt::into_data_stream(body);
        while let Some(chunk) = futures_util::StreamExt::next(&mut chunks).await {
            let chunk = chunk.unwrap();
            for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                if let NodeFrame::Snapshot { servers } = serde_json::from_slice(line).unwrap() {
                    return Some(servers);
                }
            }
        }
        None
    }

    /// Whether anything of a server is on the disk.
    pub fn has_files(&self, server: ServerId) -> bool {
        self.directory.path().join("agent/servers").join(server.to_string()).exists()
    }
}
