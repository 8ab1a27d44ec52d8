//! One installation in a temporary directory, with a path that is too long for a Unix socket, on a free port.
//! Whatever of it still runs at the end of a test is killed.

use std::{
    env, fs,
    future::Future,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use nodepanel_supervise::{
    control::Control,
    process::{Launch, Process, Signal},
    record::Record,
};
use nodepanel_types::component::{Component, ComponentState};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// An installation under test.
pub struct Installation {
    _directory: tempfile::TempDir,
    pub data_dir: PathBuf,
    pub address: SocketAddr,
}

/// Puts a build of the example at `path`; each is another one than those before it.
pub fn install(path: &Path) {
    let fresh = path.with_extension("new");
    fs::copy(example(), &fresh).unwrap();
    fs::rename(fresh, path).unwrap();
}

/// Waits until `condition` gives something.
pub async fn within<T, F: Future<Output = Option<T>>>(what: &str, condition: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a signal to a process of the installation, unless it is gone.
pub fn send(pid: Option<u32>, signal: Signal) {
    if let Some(process) = Process::open(pid.unwrap()).unwrap() {
        process.signal(signal).unwrap();
    }
}

impl Installation {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("long".repeat(40));
        fs::create_dir(&data_dir).unwrap();
        // The port is free again at once; nobody else takes it, since the kernel hands out others first.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { _directory: directory, data_dir, address }
    }

    /// Starts the example in a role with a log of its own.
    pub fn launch(&self, role: &str, workers: usize) -> Process {
        self.launch_as(&example(), role, workers)
    }

    /// The same from a copy of the example, which can be replaced by another build.
    pub fn launch_as(&self, program: &Path, role: &str, workers: usize) -> Process {
        let log = fs::File::create(self.data_dir.join(format!("{role}.log"))).unwrap();
        Launch::new(program)
            .args([role.as_ref(), self.data_dir.as_os_str()])
            .args([self.address.to_string(), workers.to_string()])
            .stderr(log)
            .start()
            .unwrap()
    }

    /// Starts a supervisor and waits until it answers.
    pub async fn supervise(&self, workers: usize) -> Process {
        let process = self.launch("supervise", workers);
        within("the supervisor", async || {
            assert!(process.is_running(), "the supervisor ended: {}", self.log("supervise"));
            let own = self.components().await?.into_iter().next()?;
            (own.pid == Some(process.pid())).then_some(())
        })
        .await;
        process
    }

    pub async fn control(&self) -> Control {
        Control::connect(&self.data_dir).await.unwrap()
    }

    pub async fn components(&self) -> Option<Vec<Component>> {
        Control::connect(&self.data_dir).await.ok()?.status().await.ok()
    }

    pub async fn component(&self, name: &str) -> Component {
        let components = self.components().await.unwrap();
        components.into_iter().find(|component| component.name == name).unwrap()
    }

    /// Waits until as many workers are ready; they come in the order of the plan.
    pub async fn ready(&self, workers: usize) -> Vec<Component> {
        within("the workers", async || {
            let mut components = self.components().await?;
            components
                .retain(|component| component.name.starts_with("api-") && component.state == ComponentState::Ready);
            (components.len() == workers).then_some(components)
        })
        .await
    }

    /// Waits until the record on disk names the workers as ready.
    pub async fn recorded(&self, workers: usize) {
        within("the record", async || {
            let record = Record::read(&self.data_dir.join("run")).ok()?;
            (record.workers.iter().filter(|worker| worker.ready).count() == workers).then_some(())
        })
        .await;
    }

    /// The pid of the worker that answers a new connection.
    pub async fn answer(&self) -> Option<u32> {
        let mut text = String::new();
        let exchange = async {
            TcpStream::connect(self.address).await.ok()?.read_to_string(&mut text).await.ok()?;
            text.parse().ok()
        };
        timeout(Duration::from_secs(5), exchange).await.ok()?
    }

    pub fn tell(&self, worker: &str, behaviour: &str) {
        fs::write(self.data_dir.join(format!("{worker}.{behaviour}")), "").unwrap();
    }

    pub fn untell(&self, worker: &str, behaviour: &str) {
        fs::remove_file(self.data_dir.join(format!("{worker}.{behaviour}"))).unwrap();
    }

    /// What a role or worker has logged.
    pub fn log(&self, name: &str) -> String {
        let own = fs::read_to_string(self.data_dir.join(format!("{name}.log")));
        own.or_else(|_| fs::read_to_string(self.data_dir.join(format!("logs/{name}.log")))).unwrap_or_default()
    }

    /// The text of the first log whose name begins so, once there is one with text.
    pub fn log_named(&self, prefix: &str) -> Option<String> {
        let mut entries = fs::read_dir(self.data_dir.join("logs")).unwrap().flatten();
        let entry = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))?;
        fs::read_to_string(entry.path()).ok().filter(|text| !text.is_empty())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // Every process of the installation carries the directory in its environment or its arguments. Repeated
        // until none is left: a supervisor may have started one during the look before.
        while self.survivors().into_iter().filter(|process| matches!(process.signal(Signal::KILL), Ok(true))).count()
            > 0
        {}
    }
}

impl Installation {
    fn survivors(&self) -> Vec<Process> {
        let directory = self.data_dir.as_os_str().as_encoded_bytes();
        let names = |file: PathBuf| {
            fs::read(file).is_ok_and(|text| text.windows(directory.len()).any(|window| window == directory))
        };
        let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            (names(entry.path().join("cmdline")) || names(entry.path().join("environ"))).then_some(pid)
        });
        pids.filter_map(|pid| Process::open(pid).ok()?).filter(Process::is_running).collect()
    }
}

fn example() -> PathBuf {
    // target/debug/deps/supervision-<hash> beside target/debug/examples/supervised, which `cargo test` builds too.
    let test = env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/supervised")
}
