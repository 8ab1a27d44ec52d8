//! A shim in a directory of its own, and patience with deadlines.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use nodepanel_shim::{
    LogSpec, ShimClient, ShimSpec, clean_up, place,
    protocol::{ConsoleFrom, Ended, ShimState, ShimStatus},
    spec::UserIds,
};
use nodepanel_types::{
    ServerId,
    wire::{ConsoleFrame, ConsoleLine, ConsoleMode, Launch, LineKind, Ready, RunAs, StopWay},
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_nodepanel-shim-program");
pub const TOKEN: &str = "a-token-that-only-the-agent-knows";

/// Longer than anything takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's place on a disk, with the order for its next shim.
pub struct Place {
    root: Arc<TempDir>,
    pub spec: ShimSpec,
}

impl Place {
    /// For a game with these words as its command.
    pub fn new(command: &[&str]) -> Self {
        let root = tempfile::Builder::new().prefix("shim-test-").tempdir_in("/tmp").unwrap();
        let launch = Launch {
            command: command.iter().map(ToString::to_string).collect(),
            env: [].into(),
            files: Vec::new(),
            console: ConsoleMode::Pipe,
            ready: Ready::Spawned,
            ready_timeout_ms: 60_000,
            stop: StopWay::Signal { signal: 15 },
            stop_timeout_ms: 20_000,
            run_as: RunAs::OwnUser,
            read_paths: vec![PROGRAM.to_owned()],
        };
        let dir = root.path().join("server");
        let state_dir = root.path().join("state");
        fs::create_dir(&dir).unwrap();
        fs::create_dir(&state_dir).unwrap();
        fs::write(state_dir.join("token"), format!("{TOKEN}\n")).unwrap();
        let server = ServerId::from_uuid(uuid::Uuid::from_u128(u128::from(fastrand())));
        let spec = ShimSpec::from_launch(server, &launch, dir, state_dir, LogSpec::new(root.path().join("log")));
        Self { root: Arc::new(root), spec }
    }

    /// For a shell script.
    pub fn script(script: &str) -> Self {
        Self::new(&["/bin/sh", "-c", script])
    }

    /// For one of the games of the test program.
    pub fn game(words: &[&str]) -> Self {
        Self::new(&[&[PROGRAM, "game"], words].concat())
    }

    /// Changes the order.
    pub fn with(mut self, change: impl FnOnce(&mut ShimSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// As `nobody`, who owns the server's directory and can reach it.
    pub fn for_nobody(self) -> Self {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.root.path(), open).unwrap();
        std::os::unix::fs::chown(&self.spec.dir, Some(65_534), Some(65_534)).unwrap();
        self.with(|spec| spec.user = Some(UserIds { uid: 65_534, gid: 65_534 }))
    }

    /// Starts a shim and connects to it.
    pub async fn start(&self) -> Shim {
        let process = self.spawn();
        let mut shim = Shim { process, spec: self.spec.clone(), client: None, _root: Arc::clone(&self.root) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match ShimClient::connect(&self.spec.state_dir, TOKEN).await {
                Ok(client) => {
                    shim.client = Some(client);
                    return shim;
                }
                Err(error) => assert!(Instant::now() < deadline, "no shim came up: {error:?}"),
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Starts a shim.
    pub fn spawn(&self) -> Child {
        let path = self.spec.state_dir.join("spec.json");
        self.spec.store(&path).unwrap();
        Command::new(PROGRAM)
            .args(["role", "shim", "--spec"])
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

/// A running shim; killed with its game when it is dropped.
pub struct Shim {
    pub process: Child,
    pub spec: ShimSpec,
    client: Option<ShimClient>,
    _root: Arc<TempDir>,
}

impl Shim {
    pub fn client(&self) -> &ShimClient {
        self.client.as_ref().unwrap()
    }

    /// Waits until the state is as wished.
    pub async fn until(&self, wish: impl Fn(&ShimState) -> bool) -> ShimStatus {
        let mut watched = Box::pin(self.client().watch().await.unwrap());
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(Ok(status)) = watched.next().await {
                if wish(&status.state) {
                    return status;
                }
                last = Some(status);
            }
            panic!("the shim went away after {last:?}");
        });
        match found.await {
            Ok(status) => status,
            Err(late) => panic!("it did not come to that ({late}): {:?}", self.client().state().await),
        }
    }

    pub async fn until_exited(&self) -> Ended {
        match self.until(|state| matches!(state, ShimState::Exited(_))).await.state {
            ShimState::Exited(ended) => ended,
            other => panic!("{other:?}"),
        }
    }

    /// Reads the console from `from` on until a line satisfies `wish`; returns everything that was sent.
    pub async fn read_until(&self, from: ConsoleFrom, wish: impl Fn(&ConsoleLine) -> bool) -> Vec<ConsoleFrame> {
        let (_, stream) = self.client().console(from, true).await.unwrap();
        let mut stream = Box::pin(stream);
        let mut frames = Vec::new();
        let read = tokio::time::timeout(PATIENCE, async {
            while let Some(bytes) = stream.next().await {
                let before = frames.len();
                frames.extend(parse(&bytes.unwrap()));
                if lines(&frames[before..]).iter().any(&wish) {
                    return;
                }
            }
        });
        let came = read.await.is_ok();
        frames.retain(|frame| came || !matches!(frame, ConsoleFrame::Line(line) if line.s.starts_with("00000")));
        assert!(came, "the line did not come; there was {frames:?}");
        frames
    }

    /// Waits for a line of the game with this text.
    pub async fn until_line(&self, text: &str) -> ConsoleLine {
        let frames = self.read_until(ConsoleFrom::After(0), |line| line.s == text && line.k == LineKind::Out).await;
        lines(&frames).into_iter().find(|line| line.s == text && line.k == LineKind::Out).unwrap()
    }

    /// Everything that can be read now.
    pub async fn all(&self) -> Vec<ConsoleFrame> {
        let (_, stream) = self.client().console(ConsoleFrom::After(0), false).await.unwrap();
        let pieces: Vec<_> = stream.map(Result::unwrap).collect().await;
        pieces.iter().flat_map(|piece| parse(piece)).collect()
    }

    /// The process id of the game.
    pub async fn game(&self) -> u32 {
        self.until(|state| state.run().is_some()).await.state.run().unwrap().pid
    }

    /// SIGKILL to the shim alone.
    pub fn kill_shim(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for the shim's own end.
    pub async fn gone(&mut self) {
        wait_for("the shim to go", || self.process.try_wait().unwrap().is_some()).await;
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for _ in 0..100 {
            if clean_up(self.spec.server, &self.spec.cgroups) == 0 {
                break;
            }
        }
    }
}

pub fn parse(bytes: &[u8]) -> Vec<ConsoleFrame> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn lines(frames: &[ConsoleFrame]) -> Vec<ConsoleLine> {
    let lines = frames.iter().filter_map(|frame| match frame {
        ConsoleFrame::Line(line) => Some(line.clone()),
        ConsoleFrame::Gap { .. } | ConsoleFrame::At { .. } => None,
    });
    lines.collect()
}

/// The texts of the game's own lines.
pub fn output(frames: &[ConsoleFrame]) -> Vec<String> {
    lines(frames).into_iter().filter(|line| line.k == LineKind::Out).map(|line| line.s).collect()
}

/// Fails unless the numbers go up by one from line to line.
pub fn assert_consecutive(lines: &[ConsoleLine]) {
    for pair in lines.windows(2) {
        assert_eq!(pair[0].n + 1, pair[1].n, "after {:?}", pair[0]);
    }
}

/// Fails unless every number is that of a line or of a line whose absence was announced.
pub fn assert_complete(frames: &[ConsoleFrame]) {
    let mut next = None;
    for frame in frames {
        let (first, last) = match frame {
            ConsoleFrame::Line(line) => (line.n, line.n),
            ConsoleFrame::Gap { gap } => (gap.from, gap.to),
            ConsoleFrame::At { .. } => continue,
        };
        assert!(next.is_none_or(|next| next == first), "{next:?} was to come: {frame:?}");
        next = Some(last + 1);
    }
}

pub async fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process is there and not just waiting to be collected.
pub fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z') && !rest.starts_with('X'))
}

pub fn read_exit(dir: &Path) -> Option<Ended> {
    place::read_exit(dir).unwrap()
}

/// A number that no other test of this run has.
fn fastrand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
