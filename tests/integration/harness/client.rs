//! Somebody who uses the API: nobody yet, a browser with its cookie, or a script with its key.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Answer, PATIENCE, Request, pause};

/// What a client proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    Nothing,
    /// The session cookie, as a browser sends it.
    Cookie(String),
    /// An API key.
    Bearer(String),
}

/// A client of the API.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub credential: Credential,
}

impl Client {
    /// Somebody without any right.
    pub const fn nobody(address: SocketAddr) -> Self {
        Self { address, credential: Credential::Nothing }
    }

    /// The same address with an API key.
    pub fn with_key(&self, token: &str) -> Self {
        Self { address: self.address, credential: Credential::Bearer(token.to_owned()) }
    }

    /// The same address with a cookie.
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { address: self.address, credential: Credential::Cookie(cookie.to_owned()) }
    }

    /// Signs in and becomes that person.
    #[track_caller]
    pub fn sign_in(&self, email: &str, password: &str) -> Self {
        let answer = self.try_sign_in(email, password);
        answer.expect(200);
        self.with_cookie(&cookie_of(&answer))
    }

    /// Tries to sign in.
    pub fn try_sign_in(&self, email: &str, password: &str) -> Answer {
        let request = Request::new("POST", "/api/v1/session").json(&json!({"email": email, "password": password}));
        self.once(&request).unwrap()
    }

    /// The cookie's value.
    pub fn cookie(&self) -> &str {
        match &self.credential {
            Credential::Cookie(cookie) => cookie,
            other => panic!("no cookie but {other:?}"),
        }
    }

    /// The headers that prove who this is.
    pub fn proof(&self) -> Vec<(String, String)> {
        match &self.credential {
            Credential::Nothing => Vec::new(),
            Credential::Cookie(cookie) => vec![("Cookie".to_owned(), format!("np_session={cookie}"))],
            Credential::Bearer(token) => vec![("Authorization".to_owned(), format!("Bearer {token}"))],
        }
    }

    /// Sends a request with this client's proof, once.
    pub fn once(&self, request: &Request) -> io::Result<Answer> {
        let mut request = request.clone();
        request.headers.extend(self.proof());
        request.send(self.address)
    }

    /// Sends a request as the panel does: what can be repeated without harm is repeated while the connection breaks or
    /// the control plane says that it is away for a moment.
    pub fn send(&self, request: &Request) -> Answer {
        let harmless = request.method == "GET" || request.headers.iter().any(|(name, _)| name == "Idempotency-Key");
        let began = Instant::now();
        loop {
            let answer = self.once(request);
            let passing = match &answer {
                Ok(answer) => matches!(answer.status, 502..=504) && answer.json()["code"] == "not-ready",
                Err(_) => true,
            };
            if !passing || !harmless || began.elapsed() > PATIENCE {
                return answer.unwrap_or_else(|error| panic!("{} failed: {error}", request.method));
            }
            pause(Duration::from_millis(20));
        }
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&Request::new("GET", path))
    }

    /// Writes under a fresh idempotency key.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.write("POST", path, body)
    }

    /// Writes under a fresh idempotency key.
    pub fn write(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.keyed(method, path, body, &fresh_key())
    }

    /// Writes under this idempotency key.
    pub fn keyed(&self, method: &str, path: &str, body: &Value, key: &str) -> Answer {
        self.send(&Request::new(method, path).header("Idempotency-Key", key).json(body))
    }

    /// Deletes.
    pub fn delete(&self, path: &str) -> Answer {
        self.send(&Request::new("DELETE", path).header("Idempotency-Key", fresh_key()))
    }

    /// All elements of a list that fits in one page.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let page = self.get(&format!("{path}?limit=1000")).expect(200);
        page["items"].as_array().unwrap().clone()
    }

    /// A new person, signed in.
    #[track_caller]
    pub fn new_user(&self, email: &str) -> Self {
        let body = json!({"email": email, "password": super::PASSWORD});
        self.post("/api/v1/users", &body).expect(201);
        Self::nobody(self.address).sign_in(email, super::PASSWORD)
    }

    /// A new API key of this person.
    #[track_caller]
    pub fn new_key(&self) -> Self {
        let created = self.post("/api/v1/keys", &json!({"name": "test"})).expect(201);
        self.with_key(created["token"].as_str().unwrap())
    }

    /// Who this is.
    #[track_caller]
    pub fn id(&self) -> String {
        self.get("/api/v1/session").expect(200)["user"]["id"].as_str().unwrap().to_owned()
    }
}

/// The session cookie that an answer sets.
#[track_caller]
pub fn cookie_of(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    let value = set.strip_prefix("np_session=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

/// An idempotency key that nobody used.
pub fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
