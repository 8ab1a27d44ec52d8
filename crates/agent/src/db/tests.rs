//! What gives way when there is no room: statistics first, the oldest before the others. What a failed sync leaves.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use nodepanel_types::{ServerId, Timestamp, limits::STATS_HISTORY_MINUTES, wire::ActivityKind};
use uuid::Uuid;

use super::{Db, DbError, DbWorker, KeptRefusal, News, Noted, Reserved};
use crate::{plan::Note, stats::Packed};

fn server() -> ServerId {
    ServerId::from_uuid(Uuid::from_u128(1))
}

fn noted(n: i64) -> Noted {
    let text = format!("{n}: {}", "something happened ".repeat(20));
    Noted {
        at: Timestamp::from_millis(n),
        note: Note { kind: ActivityKind::Crash, text, took_ms: None, automatic: true },
    }
}

fn working(opened: Result<(Db, DbWorker), DbError>) -> Db {
    let (db, worker) = opened.unwrap();
    worker.on_thread().unwrap();
    db
}

/// Writes minutes of statistics until there is no room for more; returns their number.
async fn fill(db: &Db) -> u64 {
    let sample = Packed::from_bytes(&[0; Packed::BYTES]).unwrap();
    for minute in 0.. {
        match db.save_minutes(minute, vec![(server(), sample); 1]).await {
            Ok(()) => {}
            Err(DbError::Full { .. }) => return minute,
            Err(error) => panic!("{error}"),
        }
    }
    0
}

#[tokio::test]
async fn a_key_is_lost_with_the_run_that_it_was_reserved_for_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let db = working(Db::open(&dir.path().join("agent.db"), 1_000));
    let reserve =
        async |key: &str, at| db.reserve_key(server(), key.to_owned(), Timestamp::from_millis(at)).await.unwrap();
    assert_eq!([reserve("open", 5_000).await, reserve("typed", 5_000).await], [Reserved::New, Reserved::New]);
    db.settle_key(server(), "typed".to_owned(), 7).await.unwrap();
    assert_eq!(reserve("open", 4_000).await, Reserved::Unsettled { at: Timestamp::from_millis(5_000) });
    let lost = KeptRefusal { kind: "not_known".to_owned(), detail: "its run has ended".to_owned() };
    db.save(server(), News { keys: Some(lost.clone()), ..News::default() }).await.unwrap();
    assert_eq!(reserve("open", 4_000).await, Reserved::Refused(lost));
    assert_eq!(reserve("typed", 4_000).await, Reserved::Typed { line: 7 });
}

#[tokio::test]
async fn statistics_give_way_to_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    let db = working(Db::open_bounded(&dir.path().join("agent.db"), 1_000, 48));
    let minutes = fill(&db).await;
    assert!(minutes > 100, "{minutes}");
    assert!(db.trouble().is_some_and(|trouble| trouble.contains("is full")), "{:?}", db.trouble());
    for n in 1..=100 {
        db.note(vec![noted(n)]).await.unwrap();
    }
    assert_eq!(db.trouble(), None);
    let entries = db.activity_after(0, 1_000).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.n).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    let left = db.minutes(server(), 0..=u64::from(u32::MAX)).await.unwrap();
    assert!(!left.is_empty() && left[0].minute > 0, "the oldest went");
    assert_eq!(left.last().unwrap().minute, minutes - 1, "the newest stayed");
}

#[tokio::test]
async fn without_anything_to_give_way_a_full_disk_is_told_and_the_rest_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let db = working(Db::open_bounded(&dir.path().join("agent.db"), 1_000, 24));
    let mut written = 0;
    while db.note(vec![noted(written + 1)]).await.is_ok() {
        written += 1;
    }
    assert!(written > 10, "{written}");
    assert!(db.trouble().is_some());
    let entries = db.activity_after(0, 1_000).await.unwrap();
    assert_eq!(entries.len(), usize::try_from(written).unwrap());
    assert!(db.trouble().is_some(), "that it can be read says nothing of whether it can be written");
}

#[tokio::test]
async fn statistics_are_forgotten_by_their_number_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.db");
    let db = working(Db::open(&path, 1_000));
    let sample = Packed::from_bytes(&[0; Packed::BYTES]).unwrap();
    let save = async |minute| db.save_minutes(minute, vec![(server(), sample)]).await.unwrap();
    let kept = async |range| db.minutes(server(), range).await.unwrap();
    save(1_000).await;
    // The clock is set forward by a year, and back.
    save(1_000 + 525_600).await;
    save(1_001).await;
    assert_eq!(kept(0..=2_000).await.iter().map(|minute| minute.minute).collect::<Vec<_>>(), [1_000, 1_001]);
    // A week and some more goes by.
    let week = STATS_HISTORY_MINUTES;
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute(
            "WITH RECURSIVE n(m) AS (SELECT 2000 UNION ALL SELECT m + 1 FROM n WHERE m < 2000 + ?2 + 50)
             INSERT INTO minutes SELECT ?1, m, ?3 FROM n",
            rusqlite::params![server().to_string(), i64::try_from(week).unwrap(), sample.to_bytes()],
        )
        .unwrap();
    let last = 2_000 + week + 51;
    save(last).await;
    let left = kept(0..=last).await;
    assert_eq!(left.last().unwrap().minute, last);
    // One of the future is among the newest.
    assert_eq!(u64::try_from(left.len()).unwrap(), week - 1);
}

/// Fails every sync of a database, in this process: strace answers them in the kernel's place.
struct FailingDisk(Child);

impl FailingDisk {
    /// `None` where there is no strace, or it may not.
    fn begin(database: &Path) -> Option<Self> {
        let mut strace = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"])
            .args(["-P".as_ref(), database.as_os_str(), "-P".as_ref(), database.with_extension("db-wal").as_os_str()])
            .args(["-p", &std::process::id().to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let said = BufReader::new(strace.stderr.take()?);
        let attached = said.lines().map_while(Result::ok).any(|line| line.contains("attached"));
        let disk = Self(strace);
        attached.then_some(disk)
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        // The kernel lets go of whom it held.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[tokio::test]
async fn what_a_failed_sync_refused_is_there_once_when_it_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.db");
    let db = working(Db::open(&path, 1_000));
    let told = async |db: &Db| -> Vec<i64> {
        db.activity_after(0, 100).await.unwrap().iter().map(|entry| entry.at.as_millis()).collect()
    };
    db.note(vec![noted(1)]).await.unwrap();
    let Some(disk) = FailingDisk::begin(&path) else {
        eprintln!("skipped: there is no strace that may attach to this process");
        return;
    };
    for _ in 0..3 {
        let refused = db.note(vec![noted(2)]).await;
        assert!(matches!(refused, Err(DbError::Failing { .. })), "{refused:?}");
        assert!(db.trouble().is_some_and(|trouble| trouble.contains("reports errors")), "{:?}", db.trouble());
        assert_eq!(told(&db).await, [1], "what was written before can be read, and nothing else");
    }
    drop(disk);
    db.note(vec![noted(2)]).await.unwrap();
    assert_eq!(db.trouble(), None);
    assert_eq!(told(&db).await, [1, 2]);
    drop(db);
    assert_eq!(told(&working(Db::open(&path, 1_000))).await, [1, 2], "and so it is on the disk");
}
