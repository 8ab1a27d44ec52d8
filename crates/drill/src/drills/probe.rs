//! What several drills look at from outside while something is broken: a write of their own, and what must stay as it
//! is.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;
use nodepanel_types::{
    NodeId, Timestamp,
    api::{NodePresence, NodeView, Page},
    component::Role,
    problem::{Problem, ProblemCode},
};
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    check::{self, Fault},
    error::DrillError,
    http::{Access, Connection, Request, Try},
    load::{Load, mark, read},
    scene::{PATIENCE, Scene, processes},
};

/// How long one try may take, and the pause before the next.
const TRY: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// A write that no judge looks at.
pub enum Written {
    /// It was acknowledged, and bears this time.
    Done(Timestamp),
    /// It was refused.
    Refused(ProblemCode),
}

/// Writes once.
pub async fn write(connection: &mut Connection) -> Result<Written, DrillError> {
    let request = Request::keyed(Method::POST, "/api/v1/nodes", &json!({"name": mark()}), mark());
    let wrong = |answer: String| DrillError::Answer { what: "a write".to_owned(), answer };
    match connection.attempt(&request, TRY).await {
        Try::Answered(answer) if answer.status == 201 => {
            let made: NodeView = serde_json::from_slice(&answer.body).map_err(|_| wrong(answer.text()))?;
            Ok(Written::Done(made.created_at))
        }
        Try::Answered(answer) => match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => Ok(Written::Refused(problem.code)),
            Err(_) => Err(wrong(answer.text())),
        },
        other => Err(wrong(format!("{other:?}"))),
    }
}

/// Writes until that is acknowledged; answers how long it took, and the time that it bears.
pub async fn until_written(connection: &mut Connection) -> Result<(Duration, Timestamp), DrillError> {
    let begun = Instant::now();
    loop {
        if let Written::Done(at) = write(connection).await? {
            return Ok((begun.elapsed(), at));
        }
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: "a write that is acknowledged".to_owned(), waited: begun.elapsed() });
        }
        sleep(PAUSE).await;
    }
}

/// Writes until that is refused with one of these codes.
pub async fn until_refused(connection: &mut Connection, codes: &[ProblemCode]) -> Result<(), DrillError> {
    let begun = Instant::now();
    loop {
        match write(connection).await? {
            Written::Refused(code) if codes.contains(&code) => return Ok(()),
            Written::Refused(ProblemCode::StoreUnavailable | ProblemCode::OutcomeUnknown) | Written::Done(_) => {}
            Written::Refused(other) => {
                let what = "a write to a broken disk".to_owned();
                return Err(DrillError::Answer { what, answer: other.as_str().to_owned() });
            }
        }
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: "a write that is refused".to_owned(), waited: begun.elapsed() });
        }
        sleep(PAUSE).await;
    }
}

/// The processes of an installation, its own and its games', as they were at one instant.
pub struct Still(BTreeMap<String, String>);

impl Still {
    /// Looks at all of them but those in `roles`.
    pub async fn of(scene: &Scene, load: &Load, without: &[Role]) -> Result<Self, DrillError> {
        let mut all = BTreeMap::new();
        for component in scene.components().await? {
            if !without.contains(&component.role) {
                let last = component.last_exit.map(|last| format!(", after the one before it {last}"));
                let what = format!("process {:?}{}", component.pid, last.unwrap_or_default());
                all.insert(component.name, what);
            }
        }
        for game in load.games() {
            let process = processes::game(scene.data_dir(), game.id);
            let restarts = load.running(game).await?.automatic_restarts;
            all.insert(game.name.clone(), format!("process {process:?} after {restarts} restarts"));
        }
        Ok(Self(all))
    }

    /// What is not any more as it was.
    pub async fn against(self, scene: &Scene, load: &Load, without: &[Role]) -> Result<Vec<Fault>, DrillError> {
        Ok(check::untouched(&self.0, &Self::of(scene, load, without).await?.0))
    }
}

/// Somebody who reads all the time, and must be answered all the time.
pub struct Reader {
    ended: Arc<AtomicBool>,
    reading: JoinHandle<Seen>,
}

/// What a reader saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// The longest that one answer took.
    pub slowest: Duration,
    /// What was no answer.
    pub faults: Vec<Fault>,
}

/// The machine that answers; those that `write` made never do, and after some repetitions they fill many pages.
async fn answering(access: &Access) -> Result<NodeId, DrillError> {
    let mut path = "/api/v1/nodes?limit=1000".to_owned();
    loop {
        let page: Page<NodeView> = read(access, &path).await?;
        let online = |node: &NodeView| matches!(node.presence, NodePresence::Online { .. });
        if let Some(machine) = page.items.into_iter().find(online) {
            return Ok(machine.id);
        }
        let Some(next) = page.next else {
            return Err(DrillError::Missing { part: "machine that answers".to_owned() });
        };
        // The name of what `write` made last, which stands in a query as it is.
        path = format!("/api/v1/nodes?limit=1000&after={next}");
    }
}

impl Reader {
    /// Begins to read who has signed in, and what is known of the machine that is there.
    pub async fn begin(access: &Access, cookie: Option<String>) -> Result<Self, DrillError> {
        let machine = answering(access).await?;
        let session = match cookie {
            Some(cookie) => Request::get_in_session("/api/v1/session", cookie),
            None => Request::get("/api/v1/session"),
        };
        let machine = Request::get(format!("/api/v1/nodes/{machine}"));
        let ended = Arc::new(AtomicBool::new(false));
        let (end, mut connection) = (Arc::clone(&ended), Connection::new(access.clone()));
        let reading = tokio::spawn(async move {
            let mut seen = Seen::default();
            // The first thing that is wrong is what matters; the same again and again is not.
            while !end.load(Ordering::Relaxed) && seen.faults.is_empty() {
                seen.look(&mut connection, &session).await;
                if let Some(body) = seen.look(&mut connection, &machine).await {
                    seen.judge(&body);
                }
                sleep(PAUSE).await;
            }
            seen
        });
        Ok(Self { ended, reading })
    }

    /// Ends; what was seen.
    pub async fn end(self) -> Seen {
        self.ended.store(true, Ordering::Relaxed);
        self.reading.await.unwrap_or_default()
    }
}

impl Seen {
    async fn look(&mut self, connection: &mut Connection, request: &Request) -> Option<bytes::Bytes> {
        let begun = Instant::now();
        let answer = connection.attempt(request, TRY).await;
        self.slowest = self.slowest.max(begun.elapsed());
        match answer {
            Try::Answered(answer) if answer.status == 200 => return Some(answer.body),
            Try::Answered(answer) => self.faults.push(Fault::Seen(format!("GET {}: {}", request.path, answer.text()))),
            other => self.faults.push(Fault::Seen(format!("GET {}: {other:?}", request.path))),
        }
        None
    }

    /// A machine that was there is there.
    fn judge(&mut self, body: &[u8]) {
        match serde_json::from_slice::<NodeView>(body) {
            Ok(node) if matches!(node.presence, NodePresence::Online { .. }) => {}
            Ok(node) => self.faults.push(Fault::Seen(format!("a machine that answers is told as {:?}", node.presence))),
            Err(_) => self.faults.push(Fault::Seen(format!("a machine is told as {}", String::from_utf8_lossy(body)))),
        }
    }
}
