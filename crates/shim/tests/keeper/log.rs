//! The log on disk: torn, full, bounded, and after the machine went down.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    process::Command,
};

use nodepanel_shim::{LogReader, LogSpec, LogWriter, protocol::ConsoleFrom};
use nodepanel_types::wire::LineKind;

use crate::harness::{Place, assert_consecutive, lines, wait_for};

fn record(n: u64) -> Vec<u8> {
    format!("{{\"n\":{n},\"t\":5,\"k\":\"out\",\"s\":\"line {n}\"}}\n").into_bytes()
}

fn append(writer: &mut LogWriter, count: u64) {
    for n in writer.next()..writer.next() + count {
        writer.append(n, n + 1, &record(n)).unwrap();
    }
}

fn spec(dir: &Path) -> LogSpec {
    LogSpec { dir: dir.to_owned(), segment_bytes: 64 * 1024, segments: 4 }
}

fn newest_segment(dir: &Path) -> std::path::PathBuf {
    let mut segments: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    segments.sort();
    segments.pop().unwrap()
}

#[test]
fn lines_are_found_wherever_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    append(&mut writer, 4_000);
    let reader = LogReader::new(dir.path());
    for after in [0, 1, 999, 2_000, 3_998] {
        let read = reader.read_after(after, 10).unwrap();
        assert_eq!(read[0].n, after + 1);
        assert_eq!(read[0].s, format!("line {}", after + 1));
        assert_consecutive(&read);
    }
    assert_eq!(reader.read_after(0, usize::MAX).unwrap().len(), 4_000);
    assert_eq!(reader.read_after(4_000, 10).unwrap(), []);
    assert_eq!(reader.tail(3).unwrap().iter().map(|line| line.n).collect::<Vec<_>>(), [3_998, 3_999, 4_000]);
    assert_eq!(LogReader::new("/nonexistent").read_after(0, 10).unwrap(), []);
}

#[test]
fn a_torn_record_is_skipped_by_readers_and_cut_off_by_the_next_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    append(&mut writer, 10);
    drop(writer);
    let segment = newest_segment(dir.path());
    OpenOptions::new().append(true).open(&segment).unwrap().write_all(br#"{"n":11,"t":5,"k":"o"#).unwrap();
    assert_eq!(LogReader::new(dir.path()).read_after(0, 100).unwrap().len(), 10);
    let mut writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    assert_eq!(writer.next(), 11);
    append(&mut writer, 5);
    let read = LogReader::new(dir.path()).read_after(0, 100).unwrap();
    assert_eq!(read.len(), 15);
    assert_consecutive(&read);
}

#[test]
fn rubbish_in_the_middle_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    append(&mut writer, 100);
    drop(writer);
    let segment = newest_segment(dir.path());
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 60].fill(0);
    fs::write(&segment, bytes).unwrap();
    let read = LogReader::new(dir.path()).read_after(0, 1_000).unwrap();
    assert!(read.len() >= 97 && read.len() < 100, "{}", read.len());
    assert_eq!(read.last().unwrap().n, 100);
    assert_eq!(LogWriter::open(&spec(dir.path()), 1).unwrap().next(), 101);
}

#[test]
fn the_log_has_one_writer_and_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    assert!(LogWriter::open(&spec(dir.path()), 1).unwrap_err().to_string().contains("another process"));
    append(&mut writer, 20_000);
    writer.close().unwrap();
    let size: u64 = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 5 * 64 * 1024, "{size}");
    let extent = LogReader::new(dir.path()).extent().unwrap();
    assert!(extent.first > 1 && extent.next == 20_001, "{extent:?}");
    assert_eq!(LogReader::new(dir.path()).read_after(0, 1).unwrap()[0].n, extent.first);
    // Numbers never go back, and may be told to go on from further up.
    assert_eq!(LogWriter::open(&spec(dir.path()), 5).unwrap().next(), 20_001);
    assert_eq!(LogWriter::open(&spec(dir.path()), 90_000).unwrap().next(), 90_000);
}

#[test]
fn numbers_that_a_broken_machine_may_have_lost_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    append(&mut writer, 10);
    drop(writer);
    // Killed and started again under the same boot: nothing was lost.
    assert_eq!(LogWriter::open(&spec(dir.path()), 1).unwrap().next(), 11);
    fs::write(dir.path().join("writer.lock"), "another-boot").unwrap();
    let writer = LogWriter::open(&spec(dir.path()), 1).unwrap();
    assert_eq!(writer.next(), 100_011);
    writer.close().unwrap();
    fs::remove_file(newest_segment(dir.path())).unwrap();
    // Closed in order: nothing was lost although the machine was started again.
    assert_eq!(LogWriter::open(&spec(dir.path()), 1).unwrap().next(), 1);
}

/// A file system of one megabyte; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_announced_and_its_end_too() {
    let place = Place::game(&["flood", "2000", "100"]);
    let dir = place.path("log");
    fs::create_dir(&dir).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&dir).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no small file system can be mounted here");
        return;
    }
    let _disk = SmallDisk(&dir);
    let shim = place.start().await;
    shim.client().command("go", "1").await.unwrap();
    shim.until_line("flooded").await;
    let ballast = dir.join("ballast");
    let _ = fs::write(&ballast, vec![1; 4 * 1024 * 1024]);
    shim.client().command("go", "2").await.unwrap();
    let frames = shim
        .read_until(ConsoleFrom::After(0), |line| line.k == LineKind::Sys && line.s.contains("kept in memory"))
        .await;
    let announced = lines(&frames).into_iter().find(|line| line.s.contains("kept in memory")).unwrap();
    assert!(announced.s.contains("No space left"), "{announced:?}");
    assert!(!shim.client().state().await.unwrap().notes.is_empty());
    fs::remove_file(&ballast).unwrap();
    let frames = shim
        .read_until(ConsoleFrom::After(0), |line| line.k == LineKind::Sys && line.s.contains("is written again"))
        .await;
    let resumed = lines(&frames).into_iter().find(|line| line.s.contains("is written again")).unwrap();
    assert!(resumed.s.contains("no line is missing"), "{resumed:?}");
    wait_for("the log to be complete", || {
        let read = LogReader::new(&dir).read_after(0, usize::MAX).unwrap();
        read.last().is_some_and(|line| line.n >= resumed.n)
    })
    .await;
    let read = LogReader::new(&dir).read_after(0, usize::MAX).unwrap();
    assert_eq!(read[0].n, 1);
    assert_consecutive(&read);
}
