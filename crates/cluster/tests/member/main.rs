//! A member's keeper with real etcd: started, killed, taken over, hung, and robbed of its data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nodepanel_cluster::member::{
    Begin, KeeperConfig, MemberFile, MemberKeeper, MemberPlace, MemberState, OLDEST, Peer,
};
use nodepanel_store::{Backend as _, EtcdBackend, EtcdOptions, Key, Transaction};
use nodepanel_types::{Timestamp, clock::Clock};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_334_400_000)
    }
}

/// A host with one member of the store.
struct Host {
    directory: TempDir,
    file: MemberFile,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.clear();
    }
}

struct Kept {
    state: watch::Receiver<MemberState>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Host {
    fn new(program: PathBuf) -> Self {
        let id = std::process::id();
        let part = |divisor: u32| u8::try_from(id / divisor % 250).unwrap() + 1;
        // An address that no other process of these tests has.
        let address = Ipv4Addr::new(127, 250_u8.wrapping_sub(part(250)).max(1), part(1), 200);
        let file = MemberFile {
            version: MemberFile::VERSION,
            name: "a".to_owned(),
            mark: format!("test-{id}-{}", fastrand()),
            program,
            clients: SocketAddr::from((address, 2379)),
            peers: SocketAddr::from((address, 2380)),
            tls: None,
            quota: 64 * 1024 * 1024,
            begin: Begin::New(vec![Peer { name: "a".to_owned(), url: format!("http://{address}:2380") }]),
            begun: false,
        };
        Self { directory: TempDir::new().unwrap(), file }
    }

    fn place(&self) -> MemberPlace {
        MemberPlace::within(self.directory.path())
    }

    /// Starts a keeper with what is on disk, as a new process would.
    fn keep(&self) -> Kept {
        let place = self.place();
        let file = MemberFile::read(&place).unwrap().unwrap_or_else(|| self.file.clone());
        let keeper = MemberKeeper::new(KeeperConfig { place, file, clock: Arc::new(FixedClock) }).unwrap();
        let (end, asked) = oneshot::channel();
        let state = keeper.state();
        let task = tokio::spawn(keeper.run(async {
            if asked.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Kept { state, end: Some(end), task }
    }

    fn store(&self) -> EtcdBackend {
        EtcdBackend::new(&EtcdOptions::new([self.file.client_url()], "test")).unwrap()
    }

    async fn put(&self, value: &str) {
        let put = Transaction::new().put(Key::new("/a/1").unwrap(), value.to_owned());
        self.store().commit(put).await.unwrap();
    }

    /// Ends what a test that failed has left.
    fn clear(&self) {
        let variable = format!("NODEPANEL_MEMBER={}", self.file.mark);
        for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
                let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
                let _ = kill_process(pid.unwrap(), Signal::KILL);
            }
        }
    }

    async fn value(&self) -> String {
        let entry = self.store().get(&Key::new("/a/1").unwrap()).await.unwrap().unwrap();
        String::from_utf8(entry.value.to_vec()).unwrap()
    }
}

/// Different in every process, which is all that is asked.
fn fastrand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

impl Kept {
    async fn until(&mut self, what: &str, is_so: impl FnMut(&MemberState) -> bool) -> MemberState {
        let reached = timeout(PATIENCE, self.state.wait_for(is_so)).await.ok();
        let reached = reached.map(|state| state.unwrap().clone());
        reached.unwrap_or_else(|| panic!("never came true: {what}; {:?}", self.state.borrow()))
    }

    async fn serving(&mut self) -> MemberState {
        self.until("the member serves", |state| state.pid.is_some() && state.doubt.is_none()).await
    }

    /// The keeper's process is killed; what it keeps is not.
    async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    async fn end(mut self) {
        self.end.take().unwrap().send(()).unwrap();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn signal(pid: Option<u32>, signal: Signal) {
    kill_process(Pid::from_raw(pid.unwrap().cast_signed()).unwrap(), signal).unwrap();
}

fn etcd() -> PathBuf {
    let fetched = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("etcd").join("usr/bin/etcd");
    let found = if fetched.exists() { fetched } else { "etcd".into() };
    std::env::var_os("NODEPANEL_ETCD").map_or(found, PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_killed_or_hangs_comes_back_with_its_data() {
    let host = Host::new(etcd());
    let mut kept = host.keep();
    let first = kept.serving().await;
    host.put("kept").await;

    signal(first.pid, Signal::KILL);
    let second = kept.until("it was started again", |state| state.ends == 1 && state.doubt.is_none()).await;
    assert_ne!(second.pid, first.pid);
    assert!(second.last_exit.as_deref().is_some_and(|exit| exit.contains("SIGKILL")), "{second:?}");
    println!("killed, to its work again: {} ms", second.last_recovery_ms.unwrap());
    assert_eq!(host.value().await, "kept");

    signal(second.pid, Signal::STOP);
    let third = kept.until("it was replaced", |state| state.ends == 2 && state.doubt.is_none()).await;
    assert!(third.last_exit.as_deref().is_some_and(|exit| exit.contains("did not answer")), "{third:?}");
    assert_eq!(host.value().await, "kept");
    kept.end().await;
    assert!(host.store().revision().await.is_err(), "it ends with its keeper when that is asked to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_is_killed_leaves_its_member_to_the_next_one() {
    let host = Host::new(etcd());
    let mut kept = host.keep();
    let first = kept.serving().await;
    host.put("kept").await;
    kept.crash().await;
    assert_eq!(host.value().await, "kept", "it goes on alone");
    let mut kept = host.keep();
    let second = kept.serving().await;
    assert_eq!((second.pid, second.ends), (first.pid, 0), "it is the same one");
    signal(second.pid, Signal::KILL);
    kept.until("it is looked after", |state| state.ends == 1 && state.doubt.is_none()).await;
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_data_is_not_started() {
    let host = Host::new(etcd());
    let mut kept = host.keep();
    kept.serving().await;
    host.put("kept").await;
    kept.end().await;

    let (home, aside) = (host.place().home(), host.directory.path().join("aside"));
    fs::rename(&home, &aside).unwrap();
    let mut kept = host.keep();
    let refused =
        kept.until("it is refused", |state| state.doubt.as_ref().is_some_and(|why| why.contains("gone"))).await;
    assert_eq!(refused.pid, None);
    assert!(refused.doubt.unwrap().contains("cluster replace"));
    // The disk is mounted again: nobody has to do anything.
    fs::rename(&aside, &home).unwrap();
    kept.serving().await;
    assert_eq!(host.value().await, "kept");
    kept.end().await;

    fs::write(host.place().mark(), "another").unwrap();
    let mut kept = host.keep();
    kept.until("it is refused", |state| state.doubt.as_ref().is_some_and(|why| why.contains("another member"))).await;
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_fails_is_not_taken_for_a_loss() {
    let host = Host::new(etcd());
    let taken = std::net::TcpListener::bind(host.file.peers).unwrap();
    let mut kept = host.keep();
    let failed = kept.until("it fails", |state| state.ends >= 1).await;
    assert!(failed.last_exit.as_deref().is_some_and(|exit| exit.contains("already in use")), "{failed:?}");
    drop(taken);
    kept.serving().await;
    kept.end().await;
}

#[tokio::test]
async fn a_program_that_will_not_do_is_refused_with_what_to_do() {
    let directory = TempDir::new().unwrap();
    let script = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = directory.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    for (program, expected) in [
        (script("old", "echo 'etcd Version: 3.4.23'"), "etcd 3.4.23"),
        (script("other", "echo redis 7"), "is no etcd"),
        (directory.path().join("none"), "there is no etcd"),
    ] {
        let mut kept = Host::new(program).keep();
        let refused =
            kept.until("it is refused", |state| state.doubt.as_ref().is_some_and(|why| why.contains(expected))).await;
        let why = refused.doubt.unwrap();
        assert!(why.contains("dpkg -x") && why.contains("Debian 13"), "{why}");
        kept.end().await;
    }
    assert_eq!(OLDEST, (3, 5, 16));
}
