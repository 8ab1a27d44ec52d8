//! Log lines of our own processes: one line each, to standard error, which the supervisor keeps in files.
//!
//! They are written by a thread of their own: a disk that answers late must not stop whoever has something to say, above
//! all not the event loops, whose standing still is taken for a hang. What the disk does not take in time is lost, and
//! how much that was is said.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Lines that may wait for the disk.
const WAITING: usize = 2_048;
/// How long the end of the process waits for the disk.
const FINISH: Duration = Duration::from_millis(500);

/// Logs to standard error at `info`, or as `NODEPANEL_LOG` says (`debug`, `nodepanel_store=trace`, …). What was logged is
/// written when the returned value is dropped.
#[must_use]
pub fn log_to_stderr() -> Logging {
    let filter = EnvFilter::try_from_env("NODEPANEL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_target(true);
    let (queue, waiting) = sync_channel(WAITING);
    let desk = Desk { queue, lost: Arc::default() };
    let lost = Arc::clone(&desk.lost);
    let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&waiting, &lost));
    // A second call in one process changes nothing.
    if spawned.is_err() {
        let _ = tracing_subscriber::registry().with(filter).with(lines.with_writer(io::stderr)).try_init();
        return Logging(None);
    }
    let _ = tracing_subscriber::registry().with(filter).with(lines.with_writer(desk.clone())).try_init();
    Logging(Some(desk))
}

/// The log of this process.
pub struct Logging(Option<Desk>);

impl Logging {
    /// Waits until everything is written, or the disk has had its time.
    pub fn flush(&self) {
        let Some(desk) = &self.0 else { return };
        let (done, finished) = sync_channel(1);
        if desk.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = finished.recv_timeout(FINISH);
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.flush();
    }
}

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines are handed in.
#[derive(Clone)]
struct Desk {
    queue: SyncSender<Message>,
    /// Lines that were not taken.
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Desk {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { desk: self, text: Vec::new() }
    }
}

/// One line, handed in when it is complete.
struct Line<'a> {
    desk: &'a Desk,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() && self.desk.queue.try_send(Message::Line(text)).is_err() {
            self.desk.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(waiting: &Receiver<Message>, lost: &AtomicU64) {
    // Nobody could be told that the log cannot be written.
    while let Ok(message) = waiting.recv() {
        match message {
            Message::Line(text) => drop(io::stderr().write_all(&text)),
            Message::Flush(done) => drop(done.send(())),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(io::stderr(), "({lost} log lines were lost here: the disk took them too slowly)");
        }
    }
}
