//! Several processes on one file. The children are this test binary again, told what to do by the environment.

use std::{env, io::Write as _, path::Path, process::Stdio, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nodepanel_store::{Backend, Expected, Revision, SqliteBackend, SqliteOptions, Transaction};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::harness::{PATIENCE, all_words, key, next_batch, prefix};

const STORE: &str = "NODEPANEL_TEST_STORE";
const TASK: &str = "NODEPANEL_TEST_TASK";
const LABEL: &str = "NODEPANEL_TEST_LABEL";

fn open(path: &Path) -> SqliteBackend {
    SqliteBackend::open(&SqliteOptions::new(path)).unwrap()
}

struct Writer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(path: &Path, task: &str, label: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--ignored", "--nocapture"])
            .env(STORE, path)
            .env(TASK, task)
            .env(LABEL, label)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What follows the next `ack `; `None` when the child has ended.
    async fn ack(&mut self) -> Option<String> {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("the child says something");
            match line.ok()?? {
                line if line.starts_with("ack ") && line.ends_with('.') => {
                    return Some(line["ack ".len()..line.len() - 1].to_owned());
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_revision_shows_what_another_process_was_acknowledged() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    // Two that know nothing of each other, as in two processes, and nobody who watches.
    let (writing, reading) = (open(&path), open(&path));
    for n in 0..200 {
        let written = writing.commit(Transaction::new().put(key("/a/1"), n.to_string())).await.unwrap();
        assert_eq!(reading.newest().await, Some(written.revision));
    }
}

/// Not a test: what the children run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs in child processes only"]
async fn child() {
    let (Some(path), Ok(task), Ok(label)) = (env::var_os(STORE), env::var(TASK), env::var(LABEL)) else { return };
    let store = Arc::new(open(Path::new(&path)));
    match task.as_str() {
        "write" => write_without_end(&store, &label).await,
        "increment" => increment(&store, 60).await,
        other => panic!("no such task: {other}"),
    }
}

fn acknowledge(what: &str) {
    // One write call, so that a kill leaves either the whole line or a torn one without its full stop.
    std::io::stdout().write_all(format!("ack {what}.\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

async fn write_without_end(store: &Arc<SqliteBackend>, label: &str) {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (store, label) = (Arc::clone(store), label.to_owned());
        tasks.spawn(async move {
            for n in 0.. {
                let name = format!("/w/{label}-{task}-{n}");
                let pair = Transaction::new().put(key(&name), n.to_string()).put(key(&format!("{name}/twin")), "x");
                store.commit(pair).await.unwrap();
                acknowledge(&name);
            }
        });
    }
    tasks.join_next().await;
}

async fn increment(store: &SqliteBackend, times: u32) {
    for _ in 0..times {
        loop {
            let entry = store.get(&key("/n/total")).await.unwrap().unwrap();
            let value: u32 = String::from_utf8(entry.value.to_vec()).unwrap().parse().unwrap();
            let next = Transaction::new()
                .when(entry.key.clone(), Expected::Modified(entry.mod_revision))
                .put(entry.key, (value + 1).to_string());
            match store.commit(next).await {
                Ok(_) => break,
                Err(error) => assert!(error.is_conflict(), "{error}"),
            }
        }
    }
    acknowledge("done");
}

#[tokio::test]
async fn two_processes_increment_one_counter() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let store = open(&path);
    store.commit(Transaction::new().put(key("/n/total"), "0")).await.unwrap();
    let mut first = Writer::start(&path, "increment", "1");
    let mut second = Writer::start(&path, "increment", "2");
    increment(&store, 60).await;
    for writer in [&mut first, &mut second] {
        assert_eq!(writer.ack().await.as_deref(), Some("done"));
    }
    let total = store.get(&key("/n/total")).await.unwrap().unwrap();
    assert_eq!(&total.value[..], b"180");
    assert_eq!(total.mod_revision, Revision(181));
}

#[tokio::test]
async fn a_watch_sees_what_another_process_writes() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let store = open(&path);
    let mut watch = store.watch(&prefix("/w/"), Revision::ZERO).await.unwrap();
    let mut writer = Writer::start(&path, "write", "a");
    let mut revision = Revision::ZERO;
    for _ in 0..100 {
        let batch = next_batch(&mut watch).await;
        assert_eq!(batch.revision, revision.next());
        assert_eq!(all_words(&batch).len(), 2);
        revision = batch.revision;
        writer.ack().await.unwrap();
    }
}

#[tokio::test]
async fn killing_a_writer_fifty_times_loses_nothing_acknowledged() {
    const KILLS: usize = 50;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    // One process stays, as an API server does when its neighbour is killed.
    let survivor = open(&path);
    let mut watch = survivor.watch(&prefix("/w/"), Revision::ZERO).await.unwrap();
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        let mut writer = Writer::start(&path, "write", &kill.to_string());
        for _ in 0..10 + kill % 7 {
            acknowledged.push(writer.ack().await.expect("the child is writing"));
        }
        writer.child.start_kill().unwrap();
        while let Some(more) = writer.ack().await {
            acknowledged.push(more);
        }
        writer.child.wait().await.unwrap();
        survivor.commit(Transaction::new().put(key(&format!("/w/survivor-{kill}")), "x")).await.unwrap();
    }
    let mut watched = std::collections::HashSet::new();
    let last = survivor.revision().await.unwrap();
    let everything = async {
        let mut expected = Revision(1);
        while expected <= last {
            let batch = watch.next().await.unwrap().unwrap();
            if !batch.changes.is_empty() {
                assert_eq!(batch.revision, expected, "the watch has no gap");
                expected = expected.next();
                watched.extend(batch.changes.iter().map(|change| change.key().to_string()));
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), everything).await.unwrap();
    drop((survivor, watch));
    let reopened = open(&path);
    for name in &acknowledged {
        for name in [name.clone(), format!("{name}/twin")] {
            assert!(reopened.get(&key(&name)).await.unwrap().is_some(), "{name} was acknowledged and is lost");
            assert!(watched.contains(&name), "{name} was never delivered");
        }
    }
    println!("{KILLS} kills, {} acknowledged transactions, none lost", acknowledged.len());
}
