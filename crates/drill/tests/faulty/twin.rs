//! As much of the API as a load uses, in memory, with one vice.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{
        Path, Query, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde_json::{Value, json};

/// Every so many times a vice shows.
const NOW_AND_THEN: u64 = 7;

/// The promise that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vice {
    LosesNames,
    LosesKeys,
    ForgetsRevocations,
    LosesLines,
    MakesKeysTwice,
    TypesTwice,
    SkipsLines,
    RepeatsLines,
    Fails,
    ForgetsSessions,
    RefusesAndTypes,
}

#[derive(Default)]
struct Held {
    names: HashMap<String, String>,
    keys: Vec<(String, String)>,
    consoles: BTreeMap<String, Vec<Value>>,
    turns: u64,
    made: u64,
}

/// The API.
#[derive(Clone)]
pub struct Twin {
    vice: Option<Vice>,
    held: Arc<Mutex<Held>>,
}

impl Twin {
    /// Serves it on a free port until the test ends.
    pub async fn serve(vice: Option<Vice>) -> SocketAddr {
        let twin = Self { vice, held: Arc::default() };
        let routes = Router::new()
            .route("/api/v1/users", post(make))
            .route("/api/v1/users/{id}", delete(done))
            .route("/api/v1/users/{id}/keys", post(|| async { Json(json!({"token": "anything"})) }))
            .route("/api/v1/templates", post(make))
            .route("/api/v1/templates/{id}", delete(done))
            .route("/api/v1/session", get(session))
            .route("/api/v1/events", get(|| async { Body::from_stream(futures_util::stream::pending::<Silence>()) }))
            .route("/api/v1/keys", get(keys).post(make_key))
            .route("/api/v1/keys/{id}", delete(revoke_key))
            .route("/api/v1/servers", get(|| async { Json(json!({"items": []})) }).post(make_server))
            .route("/api/v1/servers/{id}", get(server).patch(rename).delete(remove))
            .route("/api/v1/servers/{id}/command", post(command))
            .route("/api/v1/servers/{id}/console", get(console))
            .route("/api/v1/servers/{id}/console/lines", get(lines))
            .with_state(twin);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        address
    }

    /// Whether the vice shows now.
    fn shows(&self, vice: Vice) -> bool {
        if self.vice != Some(vice) {
            return false;
        }
        let mut held = self.held.lock().unwrap();
        held.turns += 1;
        held.turns.is_multiple_of(NOW_AND_THEN)
    }

    fn has_shown(&self, vice: Vice) -> bool {
        self.vice == Some(vice) && self.held.lock().unwrap().turns >= NOW_AND_THEN
    }

    fn new_id(&self) -> String {
        let mut held = self.held.lock().unwrap();
        held.made += 1;
        format!("00000000-0000-7000-8000-{:012x}", held.made)
    }

    fn add_line(&self, server: &str, kind: &str, text: &str) {
        let mut held = self.held.lock().unwrap();
        let console = held.consoles.entry(server.to_owned()).or_default();
        let number = console.len() + 1;
        console.push(json!({"n": number, "t": 0, "k": kind, "s": text}));
    }

    fn lines_after(&self, server: &str, after: usize) -> Vec<Value> {
        let held = self.held.lock().unwrap();
        held.consoles.get(server).map(|console| console.iter().skip(after).cloned().collect()).unwrap_or_default()
    }
}

type Silence = Result<axum::body::Bytes, std::convert::Infallible>;

async fn make(State(twin): State<Twin>) -> impl IntoResponse {
    (StatusCode::CREATED, Json(json!({"id": twin.new_id()})))
}

async fn done() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn session(State(twin): State<Twin>) -> Response {
    if twin.shows(Vice::Fails) {
        return refusal("internal", StatusCode::INTERNAL_SERVER_ERROR);
    }
    if twin.shows(Vice::ForgetsSessions) {
        return refusal("session-ended", StatusCode::UNAUTHORIZED);
    }
    Json(json!({})).into_response()
}

fn refusal(code: &str, status: StatusCode) -> Response {
    let problem = json!({
        "type": format!("urn:nodepanel:problem:{code}"), "code": code, "title": "No", "status": status.as_u16(),
        "detail": "No.",
    });
    (status, Json(problem)).into_response()
}

async fn keys(State(twin): State<Twin>) -> Json<Value> {
    let held = twin.held.lock().unwrap();
    let items: Vec<Value> = held.keys.iter().map(|(_, name)| json!({"name": name})).collect();
    Json(json!({"items": items}))
}

async fn make_key(State(twin): State<Twin>, Json(body): Json<Value>) -> impl IntoResponse {
    let times = if twin.shows(Vice::LosesKeys) {
        0
    } else if twin.shows(Vice::MakesKeysTwice) {
        2
    } else {
        1
    };
    let mut id = twin.new_id();
    for _ in 0..times {
        let name = body["name"].as_str().unwrap().to_owned();
        twin.held.lock().unwrap().keys.push((id.clone(), name));
        id = twin.new_id();
    }
    let newest = twin.held.lock().unwrap().keys.last().map(|(id, _)| id.clone());
    (StatusCode::CREATED, Json(json!({"key": {"id": newest.unwrap_or(id)}})))
}

async fn revoke_key(State(twin): State<Twin>, Path(id): Path<String>) -> StatusCode {
    if !twin.shows(Vice::ForgetsRevocations) {
        twin.held.lock().unwrap().keys.retain(|(held, _)| *held != id);
    }
    StatusCode::NO_CONTENT
}

async fn make_server(State(twin): State<Twin>, Json(body): Json<Value>) -> impl IntoResponse {
    let id = twin.new_id();
    twin.held.lock().unwrap().names.insert(id.clone(), body["name"].as_str().unwrap().to_owned());
    twin.add_line(&id, "out", "ready");
    (StatusCode::CREATED, Json(json!({"id": id})))
}

async fn server(State(twin): State<Twin>, Path(id): Path<String>) -> Response {
    let Some(name) = twin.held.lock().unwrap().names.get(&id).cloned() else {
        return refusal("not-found", StatusCode::NOT_FOUND);
    };
    let view = json!({
        "id": id, "name": name, "state": "running", "reason": "", "since": null, "automatic_restarts": 0,
    });
    Json(view).into_response()
}

async fn rename(State(twin): State<Twin>, Path(id): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    // Once it shows it goes on: a name that is lost in between would be hidden by the next.
    if !twin.shows(Vice::LosesNames) && !twin.has_shown(Vice::LosesNames) {
        twin.held.lock().unwrap().names.insert(id, body["name"].as_str().unwrap().to_owned());
    }
    Json(json!({}))
}

async fn remove(State(twin): State<Twin>, Path(id): Path<String>) -> StatusCode {
    twin.held.lock().unwrap().names.remove(&id);
    StatusCode::ACCEPTED
}

async fn command(State(twin): State<Twin>, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    let line = body["line"].as_str().unwrap();
    if !twin.shows(Vice::LosesLines) {
        twin.add_line(&id, "in", line);
    }
    if twin.shows(Vice::TypesTwice) {
        twin.add_line(&id, "in", line);
    }
    if twin.shows(Vice::RefusesAndTypes) {
        return refusal("node-refused", StatusCode::CONFLICT);
    }
    Json(json!({})).into_response()
}

async fn lines(
    State(twin): State<Twin>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, usize>>,
) -> Json<Value> {
    Json(json!({"frames": twin.lines_after(&id, query["after"])}))
}

async fn console(
    State(twin): State<Twin>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, usize>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    assert!(headers.contains_key("authorization"));
    upgrade.on_upgrade(move |socket| show(twin, id, query["after"], socket))
}

async fn show(twin: Twin, id: String, mut after: usize, mut socket: WebSocket) {
    loop {
        for line in twin.lines_after(&id, after) {
            after += 1;
            let times = if twin.shows(Vice::SkipsLines) {
                0
            } else if twin.shows(Vice::RepeatsLines) {
                2
            } else {
                1
            };
            for _ in 0..times {
                if socket.send(Message::text(line.to_string())).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
