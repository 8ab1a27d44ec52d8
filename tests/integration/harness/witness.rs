//! Somebody who uses the panel all the time and notices everything that goes wrong: refused connections, errors that a
//! replay does not hide, and being signed out.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Client, Request, pause};

/// What was noticed.
#[derive(Debug, Default, Clone)]
pub struct Noticed {
    /// Requests that were answered.
    pub answered: u64,
    /// Connections that broke and were tried again.
    pub replayed: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Answers that no user should see.
    pub wrong: Vec<String>,
    /// The longest that one request took, replays included.
    pub worst: Duration,
}

/// A user who never stops.
pub struct Witness {
    noticed: Arc<Mutex<Noticed>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    /// Begins to read `path` over and over, each time on a new connection.
    pub fn begin(client: &Client, path: &str) -> Self {
        let (noticed, ended) = (Arc::new(Mutex::new(Noticed::default())), Arc::new(AtomicBool::new(false)));
        let (shared, end, client, request) =
            (noticed.clone(), ended.clone(), client.clone(), Request::new("GET", path));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let one = ask(&client, &request, &end);
                let mut all = shared.lock().unwrap();
                all.answered += one.answered;
                all.replayed += one.replayed;
                all.refused += one.refused;
                all.wrong.extend(one.wrong);
                all.worst = all.worst.max(one.worst);
                drop(all);
                pause(Duration::from_millis(5));
            }
        });
        Self { noticed, ended, thread: Some(thread) }
    }

    /// Ends and tells.
    pub fn end(mut self) -> Noticed {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.noticed.lock().unwrap().clone()
    }
}

fn ask(client: &Client, request: &Request, end: &AtomicBool) -> Noticed {
    let began = Instant::now();
    let mut one = Noticed::default();
    loop {
        match client.once(request) {
            Ok(answer) if answer.status == 200 => {
                one.answered = 1;
                one.worst = began.elapsed();
                return one;
            }
            Ok(answer) if answer.status == 503 && answer.json()["code"] == "not-ready" => one.replayed += 1,
            Ok(answer) => {
                one.wrong.push(format!("{}: {}", answer.status, answer.text()));
                return one;
            }
            Err(error) => {
                one.replayed += 1;
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    one.refused += 1;
                }
            }
        }
        if end.load(Ordering::Relaxed) {
            return one;
        }
        pause(Duration::from_millis(10));
    }
}
