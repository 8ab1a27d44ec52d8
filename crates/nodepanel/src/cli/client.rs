//! The command line's way to the API. Reads and keyed writes are tried again when the connection breaks, so that a
//! command survives the replacement of the API server that it talks to.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use nodepanel_control::{HostToken, MasterKey};
use nodepanel_types::{
    clock::{Clock as _, IdSource as _},
    problem::{Problem, ProblemCode},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;

use super::arguments::Remote;
use crate::{
    exit::{Exit, Refusal},
    local::{Config, DataDir},
    system::{SystemClock, SystemIds},
};

/// One try.
const TRY: Duration = Duration::from_secs(10);
/// How long a command goes on trying while the control plane cannot be reached.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024 * 1024;

/// Asks the API.
pub struct Client {
    /// `host:port`.
    authority: String,
    auth: Auth,
}

enum Auth {
    /// An API key.
    Key(String),
    /// The right of whoever can read the master key.
    Host(MasterKey),
}

/// What came back.
struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Client {
    /// The installation on this host.
    pub fn to_host(data_dir: &DataDir, config: &Config, master: &MasterKey) -> Self {
        let running = std::fs::read_to_string(data_dir.url_file()).ok();
        let authority = running
            .as_deref()
            .and_then(|url| url.trim().strip_prefix("http://"))
            .map_or_else(|| config.http.listen.to_string(), str::to_owned);
        Self { authority: reachable(&authority), auth: Auth::Host(master.clone()) }
    }

    /// The installation that the command line names.
    pub fn named(data_dir: &DataDir, config: &Config, remote: Remote) -> anyhow::Result<Self> {
        let authority = match &remote.url {
            None => None,
            Some(url) => {
                let uri: http::Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
                if uri.scheme_str() != Some("http") {
                    bail!(
                        "{url} cannot be used: the command line speaks plain HTTP only; run it on the host itself, or \
                         through an SSH tunnel."
                    );
                }
                let authority = uri.authority().with_context(|| format!("{url} names no host"))?;
                let port = authority.port_u16().unwrap_or(80);
                Some(format!("{}:{port}", authority.host()))
            }
        };
        match (authority, remote.token) {
            (Some(authority), Some(token)) => Ok(Self { authority, auth: Auth::Key(token) }),
            (Some(_), None) => bail!(Refusal {
                exit: Exit::Denied,
                message: "--url needs an API key: --token or NODEPANEL_TOKEN.".to_owned()
            }),
            (None, token) => {
                let master = MasterKey::load(data_dir.path()).map_err(|error| Refusal {
                    exit: Exit::Unavailable,
                    message: format!(
                        "There is no installation in {} that you may use ({error}). Name another with --data-dir, or use \
                         --url and --token.",
                        data_dir.path().display()
                    ),
                });
                match (master, token) {
                    (Ok(master), None) => Ok(Self::to_host(data_dir, config, &master)),
                    (Err(refusal), None) => Err(refusal.into()),
                    (_, Some(token)) => {
                        let host = Self::to_host(data_dir, config, &MasterKey::from_bytes([0; 32]));
                        Ok(Self { auth: Auth::Key(token), ..host })
                    }
                }
            }
        }
    }

    /// The panel's address.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// `host:port` of the API.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The bearer token of a request that is sent now.
    pub fn bearer(&self) -> String {
        match &self.auth {
            Auth::Key(key) => key.clone(),
            Auth::Host(master) => HostToken::make(master, SystemClock.now()),
        }
    }

    /// Reads.
    pub async fn get<A: DeserializeOwned>(&self, path: &str) -> anyhow::Result<A> {
        self.ask(Method::GET, path, None).await
    }

    /// Writes, once, however often it has to be tried.
    pub async fn post<Q: Serialize, A: DeserializeOwned>(&self, path: &str, body: &Q) -> anyhow::Result<A> {
        self.ask(Method::POST, path, Some(serde_json::to_vec(body)?.into())).await
    }

    /// Asks for a deletion.
    pub async fn delete<A: DeserializeOwned>(&self, path: &str) -> anyhow::Result<A> {
        self.ask(Method::DELETE, path, None).await
    }

    /// Whether the first administrator is still to be made.
    pub async fn needs_setup(&self) -> anyhow::Result<bool> {
        Ok(self.get::<nodepanel_types::api::SetupState>("/api/v1/setup").await?.needed)
    }

    /// Waits, for ever, until an API server says that it is ready.
    pub async fn wait_ready(&self) {
        loop {
            if let Ok(answer) = self.once(&Method::GET, "/readyz", None, "").await
                && answer.status == StatusCode::OK
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn ask<A: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Bytes>) -> anyhow::Result<A> {
        let key = SystemIds.uuid().to_string();
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(50);
        loop {
            let answer = self.once(&method, path, body.clone(), &key).await;
            let again = match &answer {
                Ok(answer) => matches!(answer.status.as_u16(), 502..=504) && !is_final(answer),
                Err(_) => true,
            };
            if !again || tokio::time::Instant::now() + pause > until {
                return finish(answer, &self.authority);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn once(&self, method: &Method, path: &str, body: Option<Bytes>, key: &str) -> anyhow::Result<Answer> {
        let exchange = async {
            let stream = TcpStream::connect(&self.authority).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let mut request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header(header::HOST, &self.authority)
                .header(header::AUTHORIZATION, format!("Bearer {}", self.bearer()));
            if *method != Method::GET {
                request = request.header("idempotency-key", key).header(header::CONTENT_TYPE, "application/json");
            }
            let response = sender.send_request(request.body(Full::new(body.unwrap_or_default()))?).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?
                .to_bytes();
            anyhow::Ok(Answer { status, body })
        };
        tokio::time::timeout(TRY, exchange).await.context("there was no answer in time")?
    }
}

/// A 503 that says what it is about is an answer, unless it says that it will pass by itself.
fn is_final(answer: &Answer) -> bool {
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => !matches!(problem.code, ProblemCode::NotReady | ProblemCode::Overloaded),
        Err(_) => false,
    }
}

fn finish<A: DeserializeOwned>(answer: anyhow::Result<Answer>, authority: &str) -> anyhow::Result<A> {
    let answer = answer.map_err(|error| Refusal {
        exit: Exit::Unavailable,
        message: format!(
            "The control plane at {authority} does not answer ({error}). Game servers go on. Start it with `nodepanel up`, \
             or look at `nodepanel status`."
        ),
    })?;
    if answer.status.is_success() {
        let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
        return serde_json::from_slice(body).context("the answer is of another form; are the versions the same?");
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
        bail!(Refusal {
            exit: Exit::Failed,
            message: format!("{authority} answered with status {} and no explanation.", answer.status.as_u16()),
        });
    };
    let exit = match answer.status.as_u16() {
        404 => Exit::NotFound,
        401 | 403 => Exit::Denied,
        409 => Exit::Conflict,
        400 | 413 | 415 | 422 => Exit::Usage,
        503 | 504 | 507 => Exit::Unavailable,
        _ => Exit::Failed,
    };
    bail!(Refusal { exit, message: problem.detail })
}

/// An address that listens everywhere is reached on this host.
fn reachable(authority: &str) -> String {
    authority.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

/// The text as a part of a query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
