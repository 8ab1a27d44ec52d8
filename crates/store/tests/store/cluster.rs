//! Real etcd, some members of it, on loopback addresses of this test's own.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use nodepanel_store::{Backend as _, EtcdBackend, EtcdOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::PATIENCE;

/// Names the etcd to test with.
const ETCD: &str = "NODEPANEL_ETCD";
const CLIENTS: u16 = 2379;
const PEERS: u16 = 2380;

/// Whether what is acknowledged must outlive the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is enough that it outlives its process.
    None,
    /// As it is run for operators.
    Disk,
}

/// A cluster. Its members are killed when it is dropped.
pub struct Cluster {
    members: Vec<Member>,
    durability: Durability,
    quota: Option<u64>,
    #[expect(dead_code, reason = "keeps the directory")]
    home: TempDir,
}

struct Member {
    name: String,
    address: Ipv4Addr,
    directory: PathBuf,
    process: Mutex<Option<Child>>,
}

impl Cluster {
    /// Starts a new cluster.
    pub async fn start(members: u8, durability: Durability) -> Self {
        Self::with_quota(members, durability, None).await
    }

    /// Starts a new cluster whose members may keep so many bytes.
    pub async fn with_quota(members: u8, durability: Durability, quota: Option<u64>) -> Self {
        let home = TempDir::new().unwrap();
        let addresses = own_addresses(members);
        let members = addresses.into_iter().enumerate().map(|(index, address)| {
            let name = format!("m{index}");
            Member { directory: home.path().join(&name), name, address, process: Mutex::default() }
        });
        let cluster = Self { members: members.collect(), durability, quota, home };
        for index in 0..cluster.members.len() {
            cluster.begin(index);
        }
        let store = cluster.store("first").await;
        let ready = async {
            while store.revision().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the cluster begins to answer");
        cluster
    }

    /// A client of the whole cluster that writes under this name.
    #[expect(clippy::unused_async, reason = "it needs a runtime to be made")]
    pub async fn store(&self, writer: &str) -> EtcdBackend {
        EtcdBackend::new(&EtcdOptions::new(self.endpoints(), writer)).unwrap()
    }

    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("http://{}:{CLIENTS}", member.address)).collect()
    }

    /// Starts a member that was killed, or has not been started yet.
    pub fn begin(&self, index: usize) {
        let member = &self.members[index];
        let peer = |member: &Member| format!("http://{}:{PEERS}", member.address);
        let all: Vec<_> = self.members.iter().map(|member| format!("{}={}", member.name, peer(member))).collect();
        let clients = format!("http://{}:{CLIENTS}", member.address);
        let mut command = Command::new(binary());
        command
            .args(["--name", &member.name, "--initial-cluster", &all.join(","), "--initial-cluster-state", "new"])
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peer(member), "--initial-advertise-peer-urls", &peer(member)])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500", "--log-level", "error"])
            .args(["--grpc-keepalive-min-time", "200ms", "--max-txn-ops", "256"])
            .arg("--data-dir")
            .arg(&member.directory)
            .env("ETCD_UNSUPPORTED_ARCH", "arm64")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.durability == Durability::None {
            command.arg("--unsafe-no-fsync");
        }
        if let Some(quota) = self.quota {
            command.args(["--quota-backend-bytes", &quota.to_string()]);
        }
        *member.process.lock().unwrap() = Some(command.spawn().expect("etcd can be started"));
    }

    /// SIGKILL.
    pub fn kill(&self, index: usize) {
        if let Some(mut process) = self.members[index].process.lock().unwrap().take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGSTOP: it keeps its connections, and answers nothing.
    pub fn stop(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    fn signal(&self, index: usize, signal: Signal) {
        let process = self.members[index].process.lock().unwrap();
        let id = process.as_ref().expect("a member that runs").id();
        kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
    }

    /// The member that leads.
    pub async fn leader(&self) -> usize {
        let store = self.store("onlooker").await;
        let leads = async {
            loop {
                let statuses = store.statuses().await;
                let leading = statuses
                    .iter()
                    .position(|(_, status)| status.as_ref().is_ok_and(|status| status.leader == Some(status.member)));
                if let Some(index) = leading {
                    return index;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, leads).await.expect("somebody leads")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for index in 0..self.members.len() {
            self.kill(index);
        }
    }
}

/// The etcd that is there: named by the environment, fetched by `cargo xtask test`, or found on the path.
fn binary() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let fetched = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("etcd").join("usr/bin/etcd");
        let found = if fetched.exists() { fetched } else { "etcd".into() };
        let named = std::env::var_os(ETCD).map_or(found, PathBuf::from);
        let output = Command::new(&named).arg("--version").output();
        let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let version = said.lines().find_map(|line| line.strip_prefix("etcd Version: ")).unwrap_or("none").to_owned();
        let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
        assert!(
            numbers >= vec![3, 5, 16],
            "these tests need etcd 3.5.16 or newer, and {} is {version}: `cargo xtask test` fetches one, or {ETCD} names it",
            named.display()
        );
        named
    })
}

/// Addresses that no other process of these tests has: 127.x.y.z from the id of this one.
fn own_addresses(count: u8) -> Vec<Ipv4Addr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let id = std::process::id();
    let part = |divisor: u32| u8::try_from(id / divisor % 250).unwrap_or(0) + 1;
    let first = NEXT.fetch_add(count, Ordering::Relaxed);
    (first..first + count).map(|last| Ipv4Addr::new(127, part(250), part(1), last)).collect()
}
