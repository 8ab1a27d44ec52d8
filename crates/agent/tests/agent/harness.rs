//! An agent in a temporary directory, and what a control plane would do with it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use nodepanel_agent::{Agent, AgentConfig, AgentError};
use nodepanel_backbone::{AgentHandler as _, Body, body};
use nodepanel_types::{
    ServerId, Timestamp,
    clock::{Clock, IdSource},
    state::{CrashPolicy, PowerAction, PowerIntent},
    wire::{
        ActivityEntry, ApplyOutcome, ApplyRequest, ApplyResponse, CommandRequest, CommandResponse, ConsoleFrame,
        ConsoleLine, ConsoleMode, DesiredServer, InstallStep, Launch, Limits, NodeFrame, ObservedServer, Ready, Remove,
        StopWay, path,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// The program that is shim, launcher, agent and game.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_nodepanel-agent-program");
/// How long anything may take on a machine that does much else.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

/// The machine's generator.
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the source that everything else is given")]
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }

    fn fill(&self, bytes: &mut [u8]) {
        rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
    }
}

/// A data directory; what still runs in it is ended with it.
pub struct Home {
    directory: tempfile::TempDir,
    data: PathBuf,
}

impl Home {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Servers run as users of their own and must be able to come here.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        Self { directory, data }
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        &self.data
    }

    /// A directory for whatever else a test needs, through which every user may pass.
    pub fn beside(&self) -> &Path {
        self.directory.path()
    }

    /// Moves the data directory, below `to`.
    pub fn move_data(&mut self, to: &Path) {
        let new = to.join("data");
        fs::rename(&self.data, &new).unwrap();
        self.data = new;
    }

    pub fn server(&self, server: ServerId) -> PathBuf {
        self.path().join("agent/servers").join(server.to_string())
    }

    pub fn config(&self) -> AgentConfig {
        let mut config = AgentConfig::new(self.path().to_owned(), PathBuf::from(PROGRAM), "test".to_owned());
        config.stagger = Duration::from_millis(10);
        config.elsewhere = self.beside().join("elsewhere");
        config
    }

    pub async fn agent(&self) -> TestAgent {
        self.agent_with(self.config()).await.unwrap()
    }

    /// An agent that has the time from `clock`.
    pub async fn agent_by(&self, clock: Arc<dyn Clock>) -> TestAgent {
        let agent = Agent::start(self.config(), clock, Arc::new(SystemIds)).await.unwrap();
        TestAgent { agent, keys: AtomicU64::new(0) }
    }

    pub async fn agent_with(&self, config: AgentConfig) -> Result<TestAgent, AgentError> {
        let agent = Agent::start(config, Arc::new(SystemClock), Arc::new(SystemIds)).await?;
        Ok(TestAgent { agent, keys: AtomicU64::new(0) })
    }

    /// Waits until an agent of another process has written `words` into the journal so many times.
    pub async fn wait_for_activity(&self, words: &str, times: u32) {
        let journal = rusqlite::Connection::open(self.path().join("agent/agent.db")).unwrap();
        journal.busy_timeout(DEADLINE).unwrap();
        let begun = Instant::now();
        loop {
            let count = "SELECT COUNT(*) FROM activity WHERE INSTR(text, ?1) > 0";
            let found: u32 = journal.query_row(count, [words], |row| row.get(0)).unwrap();
            if found >= times {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "`{words}` was noted {found} times, not {times}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether a shim keeps this server.
    pub fn is_keeper_of(&self, shim: &nodepanel_supervise::process::Process, server: ServerId) -> bool {
        let kept = nodepanel_shim::place::read_keeper(&self.server(server).join("shim")).ok().flatten();
        kept.is_some_and(|keeper| keeper.shim.pid == shim.pid())
    }

    /// Every shim of this directory.
    pub fn shims(&self) -> Vec<nodepanel_supervise::process::Process> {
        let mut states: Vec<PathBuf> = Vec::new();
        for server in fs::read_dir(self.path().join("agent/servers")).into_iter().flatten().flatten() {
            states.push(server.path().join("shim"));
            let steps = fs::read_dir(server.path().join("install/steps"));
            states.extend(steps.into_iter().flatten().flatten().map(|step| step.path()));
        }
        let keeper = |state: &PathBuf| nodepanel_shim::place::read_keeper(state).ok().flatten();
        states
            .iter()
            .filter_map(keeper)
            .filter_map(|keeper| nodepanel_supervise::process::Process::adopt(&keeper.shim).ok().flatten())
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // An agent that was just dropped may have begun a start that nobody stops any more.
        let mut quiet = 0;
        while quiet < 3 {
            let shims = self.shims();
            quiet = if shims.is_empty() { quiet + 1 } else { 0 };
            for shim in shims {
                let _ = shim.signal(nodepanel_supervise::process::Signal::KILL);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        for server in fs::read_dir(self.path().join("agent/servers")).into_iter().flatten().flatten() {
            let Ok(server) = server.file_name().to_string_lossy().parse::<ServerId>() else { continue };
            while nodepanel_shim::clean_up(server, &[]) > 0 {
                std::thread::yield_now();
            }
            for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
                let _ = fs::remove_dir(hierarchy.path().join("nodepanel").join(server.to_string()));
            }
            let _ = fs::remove_dir(Path::new("/sys/fs/cgroup/nodepanel").join(server.to_string()));
        }
    }
}

/// An agent, asked as over a link.
pub struct TestAgent {
    pub agent: Agent,
    keys: AtomicU64,
}

impl TestAgent {
    pub async fn request(&self, method: Method, path: &str, content: Vec<u8>) -> (StatusCode, Body) {
        let request = Request::builder().method(method).uri(path).body(body::full(content)).unwrap();
        let response = self.agent.endpoints().handle(request).await;
        (response.status(), response.into_body())
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let (status, body) = self.request(Method::GET, path, Vec::new()).await;
        let content = body.collect().await.unwrap().to_bytes();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&content));
        serde_json::from_slice(&content).unwrap()
    }

    pub async fn post<T: Serialize>(&self, path: &str, message: &T) -> (StatusCode, String) {
        let (status, body) = self.request(Method::POST, path, serde_json::to_vec(message).unwrap()).await;
        let content = body.collect().await.unwrap().to_bytes();
        (status, String::from_utf8(content.to_vec()).unwrap())
    }

    /// Sends a wish; returns what came of it.
    pub async fn apply(&self, desired: &DesiredServer) -> ApplyOutcome {
        let request = ApplyRequest { v: 1, servers: vec![desired.clone()] };
        let (status, content) = self.post(path::APPLY, &request).await;
        assert_eq!(status, StatusCode::OK, "{content}");
        let response: ApplyResponse = serde_json::from_str(&content).unwrap();
        response.servers[0].outcome.clone()
    }

    /// Sends the wish with another power action.
    pub async fn power(&self, desired: &mut DesiredServer, action: PowerAction) {
        desired.power = PowerIntent { action, serial: desired.power.serial + 1 };
        desired.generation += 1;
        assert_eq!(self.apply(desired).await, ApplyOutcome::Applied);
    }

    pub async fn remove(&self, desired: &DesiredServer) {
        let request = Remove { v: 1, server: desired.server, generation: desired.generation + 1 };
        let (status, content) = self.post(path::REMOVE, &request).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{content}");
    }

    /// Types a line; returns the number of the console line.
    pub async fn command(&self, server: ServerId, line: &str) -> u64 {
        let key = self.keys.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        let request = CommandRequest { v: 1, line: line.to_owned(), key };
        let (status, content) = self.post(&path::command(server), &request).await;
        assert_eq!(status, StatusCode::OK, "{content}");
        let response: CommandResponse = serde_json::from_str(&content).unwrap();
        response.line.unwrap()
    }

    /// The lines of a console that are there now.
    pub async fn lines(&self, path: &str) -> Vec<ConsoleLine> {
        let (status, body) = self.request(Method::GET, path, Vec::new()).await;
        assert_eq!(status, StatusCode::OK);
        let content = body.collect().await.unwrap().to_bytes();
        lines(&content)
    }

    /// The words of a console that are there now.
    pub async fn console(&self, server: ServerId) -> String {
        let lines = self.lines(&path::console(server)).await;
        lines.into_iter().map(|line| line.s).collect::<Vec<_>>().join("\n")
    }

    pub async fn activity(&self, server: ServerId) -> Vec<ActivityEntry> {
        self.get(&path::activity(server)).await
    }

    /// What the agent sees of its servers.
    pub async fn observed(&self) -> Vec<ObservedServer> {
        let mut events = Frames::open(self, path::EVENTS).await;
        loop {
            if let NodeFrame::Snapshot { servers } = events.next().await {
                return servers;
            }
        }
    }

    /// Waits until the server is as `wanted`.
    pub async fn wait_for(&self, server: ServerId, wanted: impl Fn(&ObservedServer) -> bool) -> ObservedServer {
        let mut events = Frames::open(self, path::EVENTS).await;
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < DEADLINE {
            let Ok(frame) = tokio::time::timeout(DEADLINE, events.next()).await else { break };
            let found = match frame {
                NodeFrame::Snapshot { servers } => servers.into_iter().find(|observed| observed.server == server),
                NodeFrame::Server(observed) if observed.server == server => Some(observed),
                _ => None,
            };
            if let Some(observed) = found {
                if wanted(&observed) {
                    return observed;
                }
                last = Some(observed);
            }
        }
        panic!("the server never came to be as wanted; last: {last:#?}; {:#?}", self.activity(server).await);
    }

    pub async fn wait_for_state(&self, server: ServerId, state: &str) -> ObservedServer {
        self.wait_for(server, |observed| observed.phase.state().as_str() == state).await
    }

    /// Waits until the console says `words`.
    pub async fn wait_for_words(&self, server: ServerId, words: &str) {
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            if self.console(server).await.contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the console never said `{words}`: {}", self.console(server).await);
    }
}

/// The lines of a stream of console frames.
pub fn lines(content: &[u8]) -> Vec<ConsoleLine> {
    let frames = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    frames
        .filter_map(|line| match serde_json::from_slice(line).unwrap() {
            ConsoleFrame::Line(line) => Some(line),
            ConsoleFrame::Gap { gap } => panic!("lines are missing: {gap:?}"),
            ConsoleFrame::At { .. } => None,
        })
        .collect()
}

/// A stream of frames, one JSON object a line.
pub struct Frames {
    body: Body,
    buffer: Vec<u8>,
}

impl Frames {
    pub async fn open(agent: &TestAgent, path: &str) -> Self {
        let (status, body) = agent.request(Method::GET, path, Vec::new()).await;
        assert_eq!(status, StatusCode::OK);
        Self { body, buffer: Vec::new() }
    }

    /// The next one, of whatever kind the stream is.
    pub async fn next<T: DeserializeOwned>(&mut self) -> T {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.len() > 1 {
                    return serde_json::from_slice(&line).unwrap();
                }
                continue;
            }
            let frame = self.body.frame().await.expect("the stream goes on").unwrap();
            self.buffer.extend_from_slice(&frame.into_data().unwrap());
        }
    }
}

pub fn server_id() -> ServerId {
    ServerId::from_uuid(SystemIds.uuid())
}

/// A server whose game behaves as said.
pub fn server(behaviour: &[&str]) -> DesiredServer {
    let mut command = vec![PROGRAM.to_owned(), "game".to_owned()];
    command.extend(behaviour.iter().map(|&word| word.to_owned()));
    DesiredServer {
        v: 1,
        server: server_id(),
        generation: 1,
        name: "Stub".to_owned(),
        limits: Limits::default(),
        endpoints: Vec::new(),
        install_serial: 1,
        packages: Vec::new(),
        programs: Vec::new(),
        install: Vec::new(),
        install_timeout_ms: 60_000,
        launch: Launch {
            command,
            env: BTreeMap::new(),
            files: Vec::new(),
            console: ConsoleMode::Pipe,
            ready: Ready::Line { pattern: "ready to play".to_owned() },
            ready_timeout_ms: 60_000,
            stop: StopWay::Command { line: "stop".to_owned() },
            stop_timeout_ms: 20_000,
            run_as: nodepanel_types::wire::RunAs::OwnUser,
            // Where cargo puts the program of this test.
            read_paths: vec![Path::new(PROGRAM).parent().unwrap().to_string_lossy().into_owned()],
        },
        query: None,
        crash: CrashPolicy { first_delay_ms: 50, max_delay_ms: 400, healthy_after_ms: 60_000 },
        power: PowerIntent::default(),
    }
}

/// A step that runs a shell script.
pub fn script(title: &str, script: &str) -> InstallStep {
    InstallStep::Run {
        title: title.to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: BTreeMap::new(),
    }
}
