//! The command line's way to the API. Reads and keyed writes are tried again when the connection breaks, so that a
//! command survives the replacement of the API server that it talks to.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use nodepanel_control::{HostToken, MasterKey};
use nodepanel_supervise::control::{Control, ControlError};
use nodepanel_types::{
    clock::{Clock as _, IdSource as _},
    problem::{Problem, ProblemCode},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    arguments::Remote,
    endpoint::{Endpoint, Stream, Trust},
};
use crate::{
    exit::{Exit, Refusal},
    local::{Config, DataDir},
    system::{SystemClock, SystemIds},
};

/// One try.
const TRY: Duration = Duration::from_secs(10);
/// How long a command goes on trying while the control plane cannot be reached.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it goes on when this host has no supervisor, which is missing for an instant also when it is replaced.
const STOPPED: Duration = Duration::from_secs(2);
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024 * 1024;

/// Asks the API.
pub struct Client {
    endpoint: Endpoint,
    auth: Auth,
    /// The data directory, when it is the installation of this host.
    data_dir: Option<PathBuf>,
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
    /// Where else to ask, when it is a redirect.
    location: Option<String>,
    /// `Retry-After`, in seconds.
    retry_after: Option<u64>,
    body: Bytes,
}

impl Client {
    /// The installation on this host.
    pub fn to_host(data_dir: &DataDir, config: &Config, master: &MasterKey) -> Self {
        let running = std::fs::read_to_string(data_dir.url_file()).ok();
        let authority = running
            .as_deref()
            .and_then(|url| url.trim().strip_prefix("http://")?.parse().ok())
            .or_else(|| config.http.listen.to_string().parse().ok())
            .unwrap_or_else(|| http::uri::Authority::from_static("127.0.0.1:8080"));
        Self {
            endpoint: Endpoint::local(&authority),
            auth: Auth::Host(master.clone()),
            data_dir: Some(data_dir.path().to_owned()),
        }
    }

    /// The installation that the command line names.
    pub fn named(data_dir: &DataDir, config: &Config, remote: Remote) -> anyhow::Result<Self> {
        let trust = Trust { ca_file: remote.ca_file.as_deref(), insecure: remote.insecure };
        let endpoint = remote.url.as_deref().map(|url| Endpoint::parse(url, trust)).transpose()?;
        match (endpoint, remote.token) {
            (Some(endpoint), Some(token)) => Ok(Self { endpoint, auth: Auth::Key(token), data_dir: None }),
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
        self.endpoint.url()
    }

    /// `host:port` of the API.
    pub fn authority(&self) -> String {
        self.endpoint.authority()
    }

    /// A fresh connection to the API.
    pub async fn connect(&self) -> anyhow::Result<Box<dyn Stream>> {
        self.endpoint.connect().await
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
        let began = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            let answer = self.once(&method, path, body.clone(), &key).await;
            let again = match &answer {
                Ok(answer) => matches!(answer.status.as_u16(), 502..=504) && !is_final(answer),
                Err(error) => !error.is::<Refusal>(),
            };
            if !again {
                return finish(answer, &self.url());
            }
            let patience = if self.is_stopped().await { STOPPED } else { PATIENCE };
            if began.elapsed() + pause > patience {
                return finish(answer, &self.url());
            }
            // Whoever says when to come again is believed, within the patience that is left.
            let asked_for = answer.ok().and_then(|answer| retry_after(&answer)).unwrap_or_default();
            tokio::time::sleep(pause.max(asked_for.min(patience.saturating_sub(began.elapsed())))).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Whether nothing runs that could answer soon: this host's installation has no supervisor.
    async fn is_stopped(&self) -> bool {
        let Some(data_dir) = &self.data_dir else { return false };
        matches!(Control::connect(data_dir).await, Err(ControlError::NotRunning { .. }))
    }

    async fn once(&self, method: &Method, path: &str, body: Option<Bytes>, key: &str) -> anyhow::Result<Answer> {
        let exchange = async {
            let stream = self.connect().await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let mut request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header(header::HOST, self.authority())
                .header(header::AUTHORIZATION, format!("Bearer {}", self.bearer()));
            if *method != Method::GET {
                request = request.header("idempotency-key", key).header(header::CONTENT_TYPE, "application/json");
            }
            let response = sender.send_request(request.body(Full::new(body.unwrap_or_default()))?).await?;
            let status = response.status();
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let location = location.map(str::to_owned);
            let retry_after = response.headers().get(header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?
                .to_bytes();
            anyhow::Ok(Answer { status, location, retry_after, body })
        };
        tokio::time::timeout(TRY, exchange).await.context("there was no answer in time")?
    }
}

/// When the answer says that it may be asked for again.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let problem = serde_json::from_slice::<Problem>(&answer.body).ok();
    let seconds = problem.and_then(|problem| problem.retry_after_s.map(u64::from)).or(answer.retry_after);
    seconds.map(Duration::from_secs)
}

/// A 503 that says what it is about is an answer, unless it says that it will pass by itself.
fn is_final(answer: &Answer) -> bool {
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => !matches!(problem.code, ProblemCode::NotReady | ProblemCode::Overloaded),
        Err(_) => false,
    }
}

fn finish<A: DeserializeOwned>(answer: anyhow::Result<Answer>, url: &str) -> anyhow::Result<A> {
    let answer = answer.map_err(|error| match error.downcast::<Refusal>() {
        Ok(refusal) => refusal,
        Err(error) => Refusal {
            exit: Exit::Unavailable,
            message: format!(
                "The control plane at {url} does not answer ({error}). Game servers go on. Start it with `nodepanel up`, or \
                 look at `nodepanel status`."
            ),
        },
    })?;
    if answer.status.is_redirection() {
        let elsewhere = answer.location.map(|location| format!(" to {}", super::output::plain(&location)));
        bail!(Refusal {
            exit: Exit::Usage,
            message: format!(
                "{url} sends its callers{}. Name that address with --url.",
                elsewhere.unwrap_or_else(|| " elsewhere".to_owned())
            ),
        });
    }
    if answer.status.is_success() {
        let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
        return serde_json::from_slice(body).context("the answer is of another form; are the versions the same?");
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
        bail!(Refusal {
            exit: Exit::Failed,
            message: format!(
                "{url} answered with status {} and no explanation; is it the address of the panel?",
                answer.status.as_u16()
            ),
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

/// The text as a part of a query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
