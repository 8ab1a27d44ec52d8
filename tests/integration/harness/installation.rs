//! A whole NodePanel, started as its users start it.

use std::{
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    Client, PATIENCE, Place, Request, is_alive, kill9, pause,
    processes::{end_installation, of_installation},
    signal, wait_for,
};

/// The first administrator of an installation.
pub const ADMIN: &str = "admin@example.org";
/// Everybody's password.
pub const PASSWORD: &str = "correct-horse-battery";

/// What an installation is started with.
pub struct Setting {
    place: Place,
    data_dir: PathBuf,
    administrator: bool,
}

impl Setting {
    /// The usual: an administrator, nothing configured.
    pub fn new() -> Self {
        let place = Place::new();
        Self { data_dir: place.data_dir(), place, administrator: true }
    }

    /// Without an administrator: the link is printed.
    pub const fn without_administrator(mut self) -> Self {
        self.administrator = false;
        self
    }

    /// With a program of its own, which may be replaced.
    pub fn with_own_program(self) -> Self {
        let program = own_program(&self.data_dir);
        fs::hard_link(binary(), &program).or_else(|_| fs::copy(binary(), &program).map(|_| ())).unwrap();
        self
    }

    /// With another data directory.
    pub fn in_directory(mut self, data_dir: PathBuf) -> Self {
        self.data_dir = data_dir;
        self
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Installation {
        let mut installation = self.begin();
        installation.wait_ready();
        installation
    }

    /// Starts it.
    pub fn begin(self) -> Installation {
        let mut installation = Installation { setting: self, keeper: None };
        installation.up();
        installation
    }
}

/// An installation that runs. Everything of it ends when this is dropped.
pub struct Installation {
    setting: Setting,
    keeper: Option<Child>,
}

impl Installation {
    /// The usual one, ready.
    pub fn start() -> Self {
        Setting::new().start()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.setting.data_dir
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.setting.place.http()
    }

    /// Runs `nodepanel up`.
    pub fn up(&mut self) {
        let output = File::create(self.printed_path()).unwrap();
        let mut command = cli(&self.setting.data_dir);
        command.args(["up", "--listen", &self.address().to_string()]);
        if self.setting.administrator {
            command.env("NODEPANEL_ADMIN_EMAIL", ADMIN).env("NODEPANEL_ADMIN_PASSWORD", PASSWORD);
        }
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        self.keeper = Some(command.spawn().unwrap());
    }

    /// Presses Ctrl-C and waits for the end of the control plane.
    pub fn interrupt(&mut self) {
        let mut keeper = self.keeper.take().unwrap();
        signal(keeper.id(), Signal::INT);
        wait_for("the end of `nodepanel up`", PATIENCE, || keeper.try_wait().unwrap());
    }

    /// Waits until `nodepanel up` has ended by itself.
    pub fn ended(&mut self) {
        let mut keeper = self.keeper.take().unwrap();
        wait_for("the end of `nodepanel up`", PATIENCE, || keeper.try_wait().unwrap());
    }

    /// Kills `nodepanel up` and everything else of the control plane at once; shims and games stay.
    pub fn kill_everything(&mut self) {
        let mut keeper = self.keeper.take().unwrap();
        kill9(keeper.id());
        keeper.wait().unwrap();
        let found = self.control_plane();
        found.iter().copied().for_each(kill9);
        wait_for("the end of killed processes", PATIENCE, || (!found.iter().any(|pid| is_alive(*pid))).then_some(()));
    }

    /// Kills the whole control plane but for what keeps it (`nodepanel up`), and returns who was killed.
    pub fn kill_control_plane(&self) -> Vec<u32> {
        let found = self.control_plane();
        found.iter().copied().for_each(kill9);
        found
    }

    /// The API servers, whether they are ready or not.
    pub fn api_servers(&self) -> Vec<u32> {
        let is_api = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(10).any(|words| words == b"\0role\0api\0")
        };
        of_installation(self.data_dir()).into_iter().filter(is_api).collect()
    }

    fn control_plane(&self) -> Vec<u32> {
        let keeper = self.keeper.as_ref().map(Child::id);
        let is_ours = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).skip(1).take(2).collect();
            matches!(words.as_slice(), [b"supervise", _] | [b"role", b"api" | b"agent" | b"status"])
        };
        of_installation(self.data_dir()).into_iter().filter(|pid| Some(*pid) != keeper && is_ours(pid)).collect()
    }

    /// What `nodepanel up` printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(self.printed_path()).unwrap_or_default()
    }

    fn printed_path(&self) -> PathBuf {
        self.setting.place.directory().join("up.out")
    }

    /// Waits until the API says that it is ready, every process is, and this host's node answers.
    pub fn wait_ready(&mut self) {
        wait_for("/readyz", PATIENCE, || {
            let ended = self.keeper.as_mut().and_then(|keeper| keeper.try_wait().unwrap());
            assert!(ended.is_none(), "`nodepanel up` ended: {}", self.printed());
            Request::new("GET", "/readyz").send(self.address()).ok().filter(|answer| answer.status == 200)
        });
        self.wait_components_ready();
    }

    /// Waits until every process is ready and the agent is linked to every API server.
    pub fn wait_components_ready(&self) {
        wait_for("every process to be ready", PATIENCE, || {
            let components = self.components();
            (components.len() >= 5 && components.iter().all(|component| component["state"] == "ready")).then_some(())
        });
        if !self.setting.administrator {
            return;
        }
        // Requests reach the API servers in turn, so several good answers in a row mean that all of them know.
        let host = self.host_key();
        let mut good = 0;
        wait_for("the node to answer", PATIENCE, || {
            let online = host.get("/api/v1/overview").json()["nodes_online"] == 1;
            good = if online { good + 1 } else { 0 };
            (good >= 6).then_some(())
        });
    }

    fn host_key(&self) -> Client {
        let path = self.setting.place.directory().join("host-key");
        if let Ok(token) = fs::read_to_string(&path) {
            return self.anyone().with_key(&token);
        }
        let created = self.cli_json(&["token", "create", "--user", ADMIN, "--json"]);
        let token = created["token"].as_str().unwrap();
        fs::write(path, token).unwrap();
        self.anyone().with_key(token)
    }

    /// Somebody without any right.
    pub fn anyone(&self) -> Client {
        Client::nobody(self.address())
    }

    /// The first administrator, in a browser.
    pub fn admin(&self) -> Client {
        self.anyone().sign_in(ADMIN, PASSWORD)
    }

    /// Runs a command of the command line against this installation.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        cli(self.data_dir()).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// The same with something on standard input.
    pub fn cli_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = cli(self.data_dir());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command prints with `--json`.
    #[track_caller]
    pub fn cli_json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The processes as `nodepanel status` shows them; none while the supervisor is away.
    pub fn components(&self) -> Vec<Value> {
        let output = self.cli(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// One process.
    pub fn component(&self, name: &str) -> Option<Value> {
        self.components().into_iter().find(|component| component["name"] == name)
    }

    /// Its process id.
    pub fn pid(&self, name: &str) -> u32 {
        wait_for(&format!("{name} to run"), PATIENCE, || {
            u32::try_from(self.component(name)?["pid"].as_u64()?).ok().filter(|pid| is_alive(*pid))
        })
    }

    /// Kills a process and waits until another one is ready in its place. Returns how long that took.
    pub fn kill9_and_wait(&self, name: &str) -> Duration {
        let pid = self.pid(name);
        let began = Instant::now();
        kill9(pid);
        wait_for(&format!("{name} to be replaced"), PATIENCE, || {
            let component = self.component(name)?;
            (component["state"] == "ready" && component["pid"] != pid).then_some(())
        });
        began.elapsed()
    }

    /// The process that keeps a game server.
    pub fn shim_of(&self, server: &str) -> Option<u32> {
        of_installation(self.data_dir()).into_iter().find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains("\0shim\0") && line.contains(server)
        })
    }

    /// The processes of a game server.
    pub fn game_of(&self, server: &str) -> Vec<u32> {
        let directory = self.data_dir().join("agent/servers").join(server).join("files");
        let inside = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&directory));
        of_installation(&directory).into_iter().filter(inside).collect()
    }

    fn show_logs(&self) {
        eprintln!("---- nodepanel up\n{}", self.printed());
        for entry in fs::read_dir(self.data_dir().join("logs")).into_iter().flatten().flatten() {
            let text = fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.len().saturating_sub(25);
            eprintln!("---- {}\n{}", entry.path().display(), lines[end..].join("\n"));
        }
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if thread::panicking() {
            self.show_logs();
        }
        let keeper = self.keeper.as_ref().map(Child::id);
        end_installation(&self.setting.data_dir, keeper);
        if let Some(keeper) = &mut self.keeper {
            let _ = keeper.wait();
        }
    }
}

/// The command line with nothing but its installation named, to be started by the test itself.
pub fn command(data_dir: &Path) -> Command {
    cli(data_dir)
}

fn cli(data_dir: &Path) -> Command {
    let own = own_program(data_dir);
    let mut command = Command::new(if own.exists() { own } else { binary() });
    for variable in ["NODEPANEL_DATA_DIR", "NODEPANEL_URL", "NODEPANEL_TOKEN"] {
        command.env_remove(variable);
    }
    command.arg("--data-dir").arg(data_dir);
    command
}

/// Runs a command that takes as long as it takes.
pub fn cli_to_its_end(data_dir: &Path, arguments: &[&str]) -> Output {
    cli(data_dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command of the command line against any data directory; one that does not end by itself fails the test.
pub fn cli_at(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = cli(data_dir);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE {
        pause(Duration::from_millis(10));
    }
    if child.try_wait().unwrap().is_none() {
        end_installation(data_dir, Some(child.id()));
    }
    child.wait_with_output().unwrap()
}

/// Where an installation with a program of its own has it.
pub fn own_program(data_dir: &Path) -> PathBuf {
    data_dir.with_extension("program")
}

/// The binary under test: what `NODEPANEL_BIN` names, or the one that was built with the tests.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("NODEPANEL_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("nodepanel");
    assert!(path.exists(), "{} is missing: build it with `cargo build`", path.display());
    path
}
