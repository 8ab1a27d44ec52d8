//! HTTP/1.1 as small as it can be: one request a connection, sent exactly as the test wrote it, even when that is wrong.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType};
use serde_json::Value;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(15);

/// A request, to be sent as it is.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// The address that it comes from; the system's choice when there is none.
    pub from: Option<Ipv4Addr>,
    /// How long a try may take, when the usual is too long.
    pub patience: Option<Duration>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: None,
            from: None,
            patience: None,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string())
    }

    /// Adds any body.
    pub fn bytes(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("Content-Type", content_type)
    }

    /// Sends it from this address of the machine.
    pub const fn from(mut self, address: Ipv4Addr) -> Self {
        self.from = Some(address);
        self
    }

    /// Sends it once.
    pub fn send(&self, to: SocketAddr) -> io::Result<Answer> {
        let mut stream = connect(to, self.from)?;
        let patience = Some(self.patience.unwrap_or(TRY));
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        let mut head = format!("{} ", self.method).into_bytes();
        head.extend(&self.target);
        head.extend(format!(" HTTP/1.1\r\nHost: {to}\r\n").as_bytes());
        if !self.headers.iter().any(|(name, _)| name == "Connection") {
            head.extend(b"Connection: close\r\n");
        }
        for (name, value) in &self.headers {
            head.extend(format!("{name}: {value}\r\n").as_bytes());
        }
        if let Some(body) = &self.body {
            head.extend(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        head.extend(b"\r\n");
        stream.write_all(&head)?;
        if let Some(body) = &self.body {
            // Whoever refuses a body early answers and closes before all of it is sent; the answer counts.
            let sent = stream.write_all(body);
            let answer = Answer::read(BufReader::new(stream));
            return match (answer, sent) {
                (Ok(answer), _) => Ok(answer),
                (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
            };
        }
        Answer::read(BufReader::new(stream))
    }
}

/// Connects, from `from` when it is given.
pub fn connect(to: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let (Some(from), SocketAddr::V4(to)) = (from, to) else {
        return TcpStream::connect_timeout(&to, TRY);
    };
    let socket: OwnedFd = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(from, 0))?;
    rustix::net::connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads an answer's head, and its body when that has an end.
    pub fn read(mut stream: BufReader<TcpStream>) -> io::Result<Self> {
        let mut answer = Self::read_head(&mut stream)?;
        if let Some(length) = answer.header("content-length").and_then(|length| length.parse().ok()) {
            answer.body = vec![0; length];
            stream.read_exact(&mut answer.body)?;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let mut size = String::new();
                stream.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken("a chunk without its size"))?;
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk)?;
                if size == 0 {
                    break;
                }
                answer.body.extend(&chunk[..size]);
            }
        } else if answer.status != 204 && answer.status != 101 {
            stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Reads an answer's head only.
    pub fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken(&line))?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None => break,
            }
        }
        Ok(Self { status, headers, body: Vec::new() })
    }

    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The stable code of a refusal, after a look at everything that every refusal has.
    #[track_caller]
    pub fn problem(&self) -> String {
        let text = self.text();
        assert!(self.status >= 400, "no refusal but {}: {text}", self.status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {text}", self.status);
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{text}");
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("urn:nodepanel:problem:{code}"), "{text}");
        for member in ["title", "detail", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|value| !value.is_empty()), "no {member}: {text}");
        }
        code
    }

    /// The fields that a refusal complains about.
    pub fn fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str().map(str::to_owned)).collect()
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
