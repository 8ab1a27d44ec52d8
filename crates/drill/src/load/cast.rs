//! What a load needs in the installation: a user with a key, a template, and game servers that repeat what is typed.
//! Taken away again at the end.

use std::time::Duration;

use http::Method;
use nodepanel_types::{
    ServerId, TemplateId, Timestamp, UserId,
    state::ServerState,
    wire::{ConsoleFrame, LineKind},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    check::{Fault, Numbers},
    error::DrillError,
    http::{Access, Bearer, Request},
    scene::PATIENCE,
    user::User,
};

/// A game that costs nothing: says `ready`, repeats what is typed; `crash CODE` and `stop` end it.
pub(crate) const GAME: &str = "echo ready; while read -r line; do case $line in stop) exit 0;; crash*) exit ${line#crash };; esac; \
                    echo \\\"> $line\\\"; done";
/// Lines that one page of a console has at most.
const CONSOLE_PAGE: usize = 1_000;

/// A game server of the load.
#[derive(Debug, Clone)]
pub struct Game {
    /// Its id.
    pub id: ServerId,
    /// The name that it was made with.
    pub name: String,
}

/// What a console has in the end.
pub struct ConsoleEnd {
    /// The lines that somebody typed.
    pub typed: Vec<String>,
    /// The number of the last line.
    pub last: u64,
    /// What is wrong with its numbers.
    pub faults: Vec<Fault>,
}

/// Everything that a load made.
pub struct Cast {
    owner: Access,
    access: Access,
    mark: String,
    user: UserId,
    template: TemplateId,
    games: Vec<Game>,
}

/// What a drill reads of a server.
#[derive(Debug, Deserialize)]
pub struct ServerSeen {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: ServerState,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Restarts that nobody asked for.
    pub automatic_restarts: u64,
}

/// What was made.
#[derive(Deserialize)]
pub(crate) struct Made<Id> {
    pub(crate) id: Id,
}

#[derive(Deserialize)]
struct KeyMade {
    token: String,
}

#[derive(Deserialize)]
struct Keys {
    items: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    name: String,
}

#[derive(Deserialize)]
struct ConsoleLines {
    frames: Vec<ConsoleFrame>,
}

impl Cast {
    /// Makes it all, as the administrator of `owner`, and waits until the games run.
    pub async fn gather(owner: &Access, games: usize) -> Result<Self, DrillError> {
        let mark = mark();
        let account = json!({
            "email": format!("{mark}@drill.invalid"), "password": format!("{mark}, never used"), "role": "administrator",
        });
        let user: Made<UserId> = make(owner, "/api/v1/users", &account).await?;
        let key: KeyMade = make(owner, &format!("/api/v1/users/{}/keys", user.id), &json!({"name": "drill"})).await?;
        let access = Access { address: owner.address, bearer: Bearer::fixed(key.token) };
        let source = format!(
            "format = 1\nslug = \"{mark}\"\nname = \"Drill\"\ndescription = \"Repeats what is typed.\"\n\
             [limits]\nmemory_mib = 64\npids = 16\n\
             [launch]\ncommand = [\"/bin/sh\", \"-c\", \"{GAME}\"]\nconsole = \"pipe\"\n\
             ready = {{ line = \"^ready$\" }}\nstop = {{ command = \"stop\" }}\n"
        );
        let template: Made<TemplateId> = make(&access, "/api/v1/templates", &json!({"source": source})).await?;
        let mut cast =
            Self { owner: owner.clone(), access, mark, user: user.id, template: template.id, games: Vec::new() };
        if let Err(error) = cast.start_games(games).await {
            // It may be somebody's running installation: what was made before the failure goes, too.
            let _ = cast.sweep().await;
            return Err(error);
        }
        Ok(cast)
    }

    async fn start_games(&mut self, games: usize) -> Result<(), DrillError> {
        for number in 0..games {
            let name = format!("{} game {number}", self.mark);
            let body = json!({"name": name, "template": self.template, "start": true});
            let server: Made<ServerId> = make(&self.access, "/api/v1/servers", &body).await?;
            self.games.push(Game { id: server.id, name });
        }
        for game in &self.games {
            self.running(game.id).await?;
        }
        Ok(())
    }

    /// The load's own way to the API.
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// The game servers.
    pub fn games(&self) -> &[Game] {
        &self.games
    }

    /// Waits until a server runs.
    pub async fn running(&self, server: ServerId) -> Result<ServerSeen, DrillError> {
        let begun = Instant::now();
        loop {
            let view: ServerSeen = read(&self.access, &format!("/api/v1/servers/{server}")).await?;
            if view.state == ServerState::Running {
                return Ok(view);
            }
            if begun.elapsed() > PATIENCE {
                let what = format!("a game server that runs; it is {}: {}", view.state.as_str(), view.reason);
                return Err(DrillError::Late { what, waited: begun.elapsed() });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The names of the load's keys, without the one that it asks with.
    pub async fn keys(&self) -> Result<Vec<String>, DrillError> {
        let keys: Keys = read(&self.access, "/api/v1/keys?limit=1000").await?;
        Ok(keys.items.into_iter().map(|key| key.name).filter(|name| name != "drill").collect())
    }

    /// The name of a server.
    pub async fn name_of(&self, server: ServerId) -> Result<String, DrillError> {
        let view: ServerSeen = read(&self.access, &format!("/api/v1/servers/{server}")).await?;
        Ok(view.name)
    }

    /// Everything in a console.
    pub async fn console_of(&self, server: ServerId) -> Result<ConsoleEnd, DrillError> {
        let (mut typed, mut numbers) = (Vec::new(), Numbers::default());
        let reader = format!("the console of {server}");
        loop {
            let after = numbers.last().unwrap_or_default();
            let path = format!("/api/v1/servers/{server}/console/lines?after={after}&limit={CONSOLE_PAGE}");
            let page: ConsoleLines = read(&self.access, &path).await?;
            for frame in page.frames {
                match frame {
                    ConsoleFrame::Line(line) => {
                        numbers.line(&reader, line.n);
                        if line.k == LineKind::In {
                            typed.push(line.s);
                        }
                    }
                    ConsoleFrame::Gap { gap } => numbers.gap(&reader, gap.from, gap.to),
                    ConsoleFrame::At { .. } => {}
                }
            }
            let last = numbers.last().unwrap_or_default();
            if last == after {
                return Ok(ConsoleEnd { typed, last, faults: numbers.judge(&reader, last) });
            }
        }
    }

    /// Takes everything away again.
    pub async fn sweep(&self) -> Result<(), DrillError> {
        for game in &self.games {
            remove(&self.owner, &format!("/api/v1/servers/{}", game.id)).await?;
        }
        for game in &self.games {
            self.gone(game.id).await?;
        }
        remove(&self.owner, &format!("/api/v1/templates/{}", self.template)).await?;
        remove(&self.owner, &format!("/api/v1/users/{}", self.user)).await
    }

    async fn gone(&self, server: ServerId) -> Result<(), DrillError> {
        let begun = Instant::now();
        let request = Request::get(format!("/api/v1/servers/{server}"));
        while begun.elapsed() < PATIENCE {
            let asked = User::new(self.owner.clone(), 1).ask(&request).await;
            if asked.answer.is_some_and(|answer| answer.status == 404) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(DrillError::Late { what: format!("the server {server} to be deleted"), waited: begun.elapsed() })
    }
}

/// Reads something that must be there.
pub(crate) async fn read<T: DeserializeOwned>(access: &Access, path: &str) -> Result<T, DrillError> {
    ask(access, &Request::get(path)).await
}

/// Makes something.
pub(crate) async fn make<T: DeserializeOwned>(access: &Access, path: &str, body: &Value) -> Result<T, DrillError> {
    ask(access, &Request::keyed(Method::POST, path, body, mark())).await
}

async fn remove(access: &Access, path: &str) -> Result<(), DrillError> {
    let _: Value = ask(access, &Request::keyed(Method::DELETE, path, &Value::Null, mark())).await?;
    Ok(())
}

/// Asks for something that must be done.
pub(crate) async fn ask<T: DeserializeOwned>(access: &Access, request: &Request) -> Result<T, DrillError> {
    let asked = User::new(access.clone(), 1).ask(request).await;
    let what = || format!("{} {}", request.method, request.path);
    let Some(answer) = asked.answer.filter(|answer| (200..300).contains(&answer.status)) else {
        return Err(DrillError::Answer { what: what(), answer: format!("{:?}", asked.outcome) });
    };
    let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
    serde_json::from_slice(body).map_err(|error| DrillError::Answer {
        what: what(),
        answer: format!("{}, which is not what was expected: {error}", answer.text()),
    })
}

/// A word that nothing else in the installation is called by.
pub fn mark() -> String {
    let mut bytes = [0; 8];
    // It only has to be different, and it is: the kernel's generator does not fail once it is seeded.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    format!("drill-{:016x}", u64::from_ne_bytes(bytes))
}
