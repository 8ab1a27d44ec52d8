//! The event stream of the API, read line by line until it ends.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{Answer, Client, PATIENCE, http::connect, wait_for};

#[derive(Default)]
struct Read {
    events: Vec<Value>,
    status: Option<u16>,
    ended: bool,
}

/// An open event stream.
pub struct Events(Arc<Mutex<Read>>);

impl Events {
    /// Opens it.
    pub fn open(client: &Client) -> Self {
        let mut stream = connect(client.address, None).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n", client.address);
        for (name, value) in client.proof() {
            head.extend([&name, ": ", &value, "\r\n"]);
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let read = Arc::new(Mutex::new(Read::default()));
        let shared = read.clone();
        // Ends with the connection; the test's end or the server's closes it.
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let status = Answer::read_head(&mut stream).ok().map(|answer| answer.status);
            shared.lock().unwrap().status = status;
            let mut line = String::new();
            // Sizes of chunks are lines of their own, and no data.
            while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
                if line.trim_end() == "0" {
                    break;
                }
                if let Some(event) = line.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok()) {
                    shared.lock().unwrap().events.push(event);
                }
                line.clear();
            }
            shared.lock().unwrap().ended = true;
        });
        Self(read)
    }

    /// Waits for an event of this type.
    #[track_caller]
    pub fn wait(&self, kind: &str) -> Value {
        wait_for(&format!("the event {kind}"), PATIENCE, || {
            self.0.lock().unwrap().events.iter().find(|event| event["type"] == kind).cloned()
        })
    }

    /// How many events of this type came.
    pub fn count(&self, kind: &str) -> usize {
        self.0.lock().unwrap().events.iter().filter(|event| event["type"] == kind).count()
    }

    /// Whether the server ended it.
    pub fn ended(&self) -> bool {
        self.0.lock().unwrap().ended
    }
}
