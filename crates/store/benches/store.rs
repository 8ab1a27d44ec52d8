//! Figures of the SQLite store on this machine: `cargo bench -p nodepanel-store [-- --json]`.
//!
//! Prints medians with their ranges. The second process is this program again, told so by the environment. The
//! directory is `NODEPANEL_BENCH_DIR` or the system's temporary one: durable writes are as fast as its disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use nodepanel_store::{
    Backend, BootClock, CacheBuilder, Change, HostClock as _, Key, Prefix, Record, Repository, SqliteBackend,
    SqliteOptions, Transaction,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const RECORDS: u32 = 10_000;
const STORE: &str = "NODEPANEL_BENCH_STORE";
const TASK: &str = "NODEPANEL_BENCH_TASK";

/// About 1.5 KB of JSON with a shape like that of a game server.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Server {
    id: u32,
    name: String,
    description: String,
    running: bool,
    memory_mb: u64,
    cpu_percent: u64,
    ports: Vec<u16>,
    variables: Vec<Variable>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

impl Record for Server {
    const KIND: &'static str = "servers";
    const VERSION: u32 = 1;
    type Id = u32;

    fn id(&self) -> u32 {
        self.id
    }
}

fn server(id: u32) -> Server {
    let variable = |n| Variable { name: format!("VARIABLE_{n}"), value: format!("the value of number {n} of {id}") };
    Server {
        id,
        name: format!("Server number {id}"),
        description: "A place to build things with friends. ".repeat(8),
        running: id.is_multiple_of(2),
        memory_mb: 2_048,
        cpu_percent: 150,
        ports: vec![25_565, 25_566, 25_567],
        variables: (0..16).map(variable).collect(),
    }
}

fn key(name: impl AsRef<str>) -> Key {
    Key::new(name).unwrap()
}

fn open(path: &Path) -> Arc<SqliteBackend> {
    Arc::new(SqliteBackend::open(&SqliteOptions::new(path)).unwrap())
}

/// A series of measurements of one thing.
struct Figure {
    name: &'static str,
    unit: &'static str,
    samples: Vec<f64>,
}

impl Figure {
    fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((sorted.len() - 1) as f64 * q).round() as usize;
        sorted[index]
    }

    fn print(&self, json: bool) {
        let [low, median, p99, high] = [0.0, 0.5, 0.99, 1.0].map(|q| self.quantile(q));
        if json {
            let figure = serde_json::json!({
                "name": self.name, "unit": self.unit, "median": median, "p99": p99, "min": low, "max": high,
                "samples": self.samples.len(),
            });
            println!("{figure}");
        } else {
            let n = self.samples.len();
            println!(
                "{:<52} {median:>10.2} {:<9} (p99 {p99:.2}, range {low:.2} to {high:.2}, n = {n})",
                self.name, self.unit
            );
        }
    }
}

/// Writes with `writers` tasks; answers writes per second, and the milliseconds that single writes took.
async fn writes(store: &Arc<SqliteBackend>, writers: usize) -> (Vec<f64>, Vec<f64>) {
    let value = serde_json::to_vec(&server(1)).unwrap();
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let (store, value) = (Arc::clone(store), value.clone());
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while begun.elapsed() < ROUND {
                        let one = Instant::now();
                        let put =
                            Transaction::new().put(key(format!("/w/{writer}-{}", times.len() % 50)), value.clone());
                        store.commit(put).await.unwrap();
                        times.push(one.elapsed().as_secs_f64() * 1_000.0);
                    }
                    times
                })
            })
            .collect();
        let mut count = 0_u32;
        for task in tasks {
            let more = task.await.unwrap();
            count += u32::try_from(more.len()).unwrap();
            times.extend(more);
        }
        rates.push(f64::from(count) / begun.elapsed().as_secs_f64());
    }
    (rates, times)
}

fn child(path: &Path, task: &str) -> Child {
    Command::new(env::current_exe().unwrap()).env(STORE, path).env(TASK, task).spawn().unwrap()
}

/// Milliseconds from the begin of a commit to its delivery.
async fn latencies(store: &Arc<SqliteBackend>, samples: usize) -> Vec<f64> {
    let prefix = Prefix::new("/latency/").unwrap();
    let mut watch = store.watch(&prefix, store.revision().await.unwrap()).await.unwrap();
    let mut times = Vec::new();
    while times.len() < samples {
        let batch = watch.next().await.unwrap().unwrap();
        let now = BootClock.since_boot();
        for change in batch.changes {
            let Change::Put(entry) = change else { continue };
            let sent: u64 = serde_json::from_slice(&entry.value).unwrap();
            times.push(now.saturating_sub(Duration::from_nanos(sent)).as_secs_f64() * 1_000.0);
        }
    }
    times
}

/// Writes the time of each write, shortly before it, until told to stop.
async fn ping(store: &SqliteBackend, stop: &AtomicBool) {
    let mut n = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let now = u64::try_from(BootClock.since_boot().as_nanos()).unwrap();
        store.commit(Transaction::new().put(key("/latency/1"), now.to_string())).await.unwrap();
        n += 1;
        // Uneven, so as not to keep step with the watcher's own rhythm.
        tokio::time::sleep(Duration::from_micros(3_000 + n * 7_919 % 4_000)).await;
    }
}

async fn loads(path: &Path) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut opens, mut loads, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let backend: Arc<dyn Backend> = open(path);
        opens.push(begun.elapsed().as_secs_f64() * 1_000.0);
        let begun = Instant::now();
        let mut builder = CacheBuilder::new(backend);
        let servers = builder.view::<Server>().unwrap();
        let cache = builder.start();
        cache.loaded(Duration::from_secs(60)).await.unwrap();
        loads.push(begun.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(servers.len(), RECORDS as usize);
        let begun = Instant::now();
        let mut found = 0_u32;
        for n in 0..1_000_000_u32 {
            found += u32::from(servers.get(&(n.wrapping_mul(7_919) % RECORDS)).is_some());
        }
        reads.push(f64::from(found) / begun.elapsed().as_secs_f64());
    }
    (opens, loads, reads)
}

async fn measure() -> Vec<Figure> {
    let dir = match env::var_os("NODEPANEL_BENCH_DIR") {
        Some(place) => TempDir::new_in(place).unwrap(),
        None => TempDir::new().unwrap(),
    };
    let path: PathBuf = dir.path().join("store.db");
    let mut figures = Vec::new();
    let mut figure = |name, unit, samples| figures.push(Figure { name, unit, samples });

    let store = open(&path);
    let (rates, times) = writes(&store, 1).await;
    figure("durable writes of 1.5 KB, 1 writer", "writes/s", rates);
    figure("one such write", "ms", times);
    let (rates, times) = writes(&store, 32).await;
    figure("durable writes of 1.5 KB, 32 writers", "writes/s", rates);
    figure("one such write", "ms", times);

    let mut other = child(&path, "write");
    tokio::time::sleep(ROUND / 2).await;
    let before = store.revision().await.unwrap();
    let begun = Instant::now();
    let (_, times) = writes(&store, 16).await;
    let after = store.revision().await.unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a count of writes")]
    let both = (after.0 - before.0) as f64 / begun.elapsed().as_secs_f64();
    figure("two processes with 16 writers each, together", "writes/s", vec![both]);
    figure("one such write", "ms", times);
    other.kill().unwrap();
    other.wait().unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let pinging = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move { ping(&store, &stop).await }
    });
    figure("commit begun to watch in the same process", "ms", latencies(&store, 500).await);
    stop.store(true, Ordering::Relaxed);
    pinging.await.unwrap();
    let mut other = child(&path, "ping");
    figure("commit begun to watch in another process", "ms", latencies(&store, 1_000).await);
    other.kill().unwrap();
    other.wait().unwrap();

    let servers = Repository::<Server>::new(store.clone());
    let next = AtomicUsize::new(0);
    futures_util::future::join_all((0..64).map(|_| async {
        while let Ok(id) = u32::try_from(next.fetch_add(1, Ordering::Relaxed))
            && id < RECORDS
        {
            servers.create(&server(id)).await.unwrap();
        }
    }))
    .await;
    store.compact(store.revision().await.unwrap()).await.unwrap();
    let (opens, loads, reads) = loads(&path).await;
    figure("opening the file with its check, 10,000 records", "ms", opens);
    figure("10,000 records of 1.5 KB into the cache", "ms", loads);
    figure("look-ups in the cache, one thread", "reads/s", reads);
    figures
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if let (Some(path), Ok(task)) = (env::var_os(STORE), env::var(TASK)) {
            let store = open(Path::new(&path));
            match task.as_str() {
                "ping" => ping(&store, &AtomicBool::new(false)).await,
                _ => loop {
                    writes(&store, 16).await;
                },
            }
        }
        let json = env::args().any(|argument| argument == "--json");
        for figure in measure().await {
            figure.print(json);
        }
    });
}
