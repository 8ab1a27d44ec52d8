//! A console in a browser: reads the websocket, comes back when it breaks, and keeps account of every number.

use std::{
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client::IntoClientRequest as _, protocol::CloseFrame};

use super::{Client, PATIENCE, http::connect, pause, wait_for};

/// What was read.
#[derive(Debug, Default)]
struct Ledger {
    /// Number and text of every line.
    lines: Vec<(u64, String)>,
    /// What should not have been: gaps, repetitions, refusals.
    faults: Vec<String>,
    /// How often the socket was opened.
    opened: u32,
    /// Why the server closed it for good.
    closed: Option<(u16, String)>,
    /// The answer to a refused upgrade.
    refused: Option<u16>,
    /// Control messages other than beats.
    control: Vec<Value>,
}

/// An open console.
pub struct Console {
    ledger: Arc<Mutex<Ledger>>,
    ended: Arc<AtomicBool>,
    typed: std::sync::mpsc::Sender<String>,
    thread: Option<JoinHandle<()>>,
}

impl Console {
    /// Opens the console of a server from its first line.
    pub fn open(client: &Client, server: &str) -> Self {
        Self::open_at(client, &format!("/api/v1/servers/{server}/console"))
    }

    fn open_at(client: &Client, path: &str) -> Self {
        let (ledger, ended) = (Arc::new(Mutex::new(Ledger::default())), Arc::new(AtomicBool::new(false)));
        let (typed, typing) = std::sync::mpsc::channel();
        let reader = Reader {
            client: client.clone(),
            path: path.to_owned(),
            ledger: ledger.clone(),
            ended: ended.clone(),
            typing,
        };
        Self { ledger, ended, typed, thread: Some(thread::spawn(move || reader.run())) }
    }

    /// Types a line through the socket.
    pub fn type_line(&self, line: &str, key: &str) {
        self.typed.send(json!({"command": {"line": line, "key": key}}).to_string()).unwrap();
    }

    /// Waits for a line that contains this text; returns its number.
    #[track_caller]
    pub fn wait_line(&self, text: &str) -> u64 {
        wait_for(&format!("the line “{text}” in the console"), PATIENCE, || {
            let ledger = self.ledger.lock().unwrap();
            ledger.lines.iter().find(|(_, line)| line.contains(text)).map(|(number, _)| *number)
        })
    }

    /// Waits for a control message with this member.
    #[track_caller]
    pub fn wait_control(&self, member: &str) -> Value {
        wait_for(&format!("the message “{member}”"), PATIENCE, || {
            self.ledger.lock().unwrap().control.iter().find(|message| message.get(member).is_some()).cloned()
        })
    }

    /// How often this text was printed.
    pub fn count(&self, text: &str) -> usize {
        self.ledger.lock().unwrap().lines.iter().filter(|(_, line)| line.contains(text)).count()
    }

    /// How often the socket was opened.
    pub fn opened(&self) -> u32 {
        self.ledger.lock().unwrap().opened
    }

    /// Why the server closed the socket for good.
    pub fn closed(&self) -> Option<(u16, String)> {
        self.ledger.lock().unwrap().closed.clone()
    }

    /// Checks that every number from the first to the last was read once, and returns how many there are.
    #[track_caller]
    pub fn assert_whole(&self) -> usize {
        let ledger = self.ledger.lock().unwrap();
        assert!(ledger.faults.is_empty(), "{:?}", ledger.faults);
        let first = ledger.lines.first().map_or(1, |(number, _)| *number);
        for (expected, (number, text)) in (first..).zip(&ledger.lines) {
            assert_eq!(*number, expected, "at “{text}”");
        }
        ledger.lines.len()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Reader {
    client: Client,
    path: String,
    ledger: Arc<Mutex<Ledger>>,
    ended: Arc<AtomicBool>,
    typing: std::sync::mpsc::Receiver<String>,
}

impl Reader {
    fn run(self) {
        while !self.ended.load(Ordering::Relaxed) {
            match self.connect() {
                Ok(socket) => {
                    self.ledger.lock().unwrap().opened += 1;
                    self.read(socket);
                }
                Err(Some(status)) if (400..500).contains(&status) => {
                    self.ledger.lock().unwrap().refused = Some(status);
                    return;
                }
                Err(_) => {}
            }
            if self.ledger.lock().unwrap().closed.is_some() {
                return;
            }
            pause(Duration::from_millis(20));
        }
    }

    /// An open socket, or the status of the refusal when there was one.
    fn connect(&self) -> Result<WebSocket<TcpStream>, Option<u16>> {
        let last = self.ledger.lock().unwrap().lines.last().map_or(0, |(number, _)| *number);
        let url = format!("ws://{}{}?after={last}", self.client.address, self.path);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in self.client.proof() {
            let name: tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = connect(self.client.address, None).map_err(|_| None)?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|_| None)?;
        let (socket, _) = tungstenite::client(request, stream).map_err(|error| match error {
            tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer)) => Some(answer.status().as_u16()),
            _ => None,
        })?;
        socket.get_ref().set_read_timeout(Some(Duration::from_millis(50))).map_err(|_| None)?;
        Ok(socket)
    }

    fn read(&self, mut socket: WebSocket<TcpStream>) {
        while !self.ended.load(Ordering::Relaxed) {
            if let Ok(line) = self.typing.try_recv()
                && socket.send(Message::text(line)).is_err()
            {
                return;
            }
            match socket.read() {
                Ok(Message::Text(text)) => self.note(&text),
                Ok(Message::Close(frame)) => return self.note_close(frame),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(_) => return,
            }
        }
    }

    fn note(&self, text: &str) {
        let mut ledger = self.ledger.lock().unwrap();
        for frame in text.lines().filter(|line| !line.is_empty()) {
            let frame: Value = serde_json::from_str(frame).unwrap();
            if let Some(number) = frame["n"].as_u64() {
                let due = ledger.lines.last().map_or(number, |(last, _)| last + 1);
                if number != due {
                    ledger.faults.push(format!("line {number} came where {due} was due"));
                }
                ledger.lines.push((number, frame["s"].as_str().unwrap_or_default().to_owned()));
            } else if let Some(gap) = frame.get("gap") {
                ledger.faults.push(format!("a gap: {gap}"));
            } else if frame.get("at").is_none() && frame.get("beat").is_none() {
                ledger.control.push(frame);
            }
        }
    }

    fn note_close(&self, frame: Option<CloseFrame>) {
        if let Some(frame) = frame {
            let code = u16::from(frame.code);
            // 1012 is "service restart": come again.
            if code != 1012 {
                self.ledger.lock().unwrap().closed = Some((code, frame.reason.to_string()));
            }
        }
    }
}
