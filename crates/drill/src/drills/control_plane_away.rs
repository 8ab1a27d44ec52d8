//! The whole control plane is away; meanwhile a game crashes, and another machine loses its power and boots.
//!
//! Two machines: that of the control plane, whose agent stays, and a second one that only runs games ([`Host`] says what
//! stands for its reboot). Away means: keeper, supervisor, API servers and status page are killed with SIGKILL and stay
//! away for as long as it is asked for; nobody supervises the agents or answers them. There is no load of users, who
//! could only wait; what counts is what the machines do alone, and what is known of it afterwards.
//!
//! One of the games crashes over and over all the time, so that there is much to tell. Each machine counts what it does.
//! After the return each is given something to do, by the API; once that is told, everything before it must have been
//! told, and once.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::Method;
use nodepanel_supervise::process::{Process, Signal};
use nodepanel_types::{NodeId, ServerId, TemplateId, state::ServerState};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Pace;
use crate::{
    check::{self, Fault},
    error::DrillError,
    http::Request,
    load::{GAME, Made, ServerSeen, ask, make, mark, read},
    scene::{Host, PATIENCE, Scene, processes},
};

/// How often it is looked whether something has come about.
const GLANCE: Duration = Duration::from_millis(5);
/// Ends at once, again and again.
const RESTLESS: &str = "sleep 0.2; exit 3";
/// The pause of the crash policy of the game that is killed, in milliseconds. It is part of what is timed; the policy of
/// a server whose owner chose none pauses for a second.
const PAUSE_MS: u64 = 500;

/// What the drill works with, from its first repetition to its last.
pub struct Stage {
    first: Machine,
    second: Machine,
    host: Host,
    template: TemplateId,
}

/// A machine and its games.
struct Machine {
    node: NodeId,
    data_dir: PathBuf,
    games: Vec<ServerId>,
    /// The number of the last event that was judged.
    judged: AtomicU64,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct NodeSeen {
    id: NodeId,
    presence: PresenceSeen,
}

#[derive(Deserialize)]
struct PresenceSeen {
    state: String,
}

#[derive(Deserialize)]
struct Event {
    n: u64,
    server: Option<ServerId>,
    text: String,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl Stage {
    /// Joins the second machine, and makes the games.
    pub async fn set(scene: &Scene) -> Result<Self, DrillError> {
        let access = scene.access();
        let nodes: Page<NodeSeen> = read(access, "/api/v1/nodes").await?;
        let first = nodes.items.first().ok_or_else(|| DrillError::Missing { part: "node".to_owned() })?.id;
        let mark = mark();
        let second: Made<NodeId> = make(access, "/api/v1/nodes", &json!({"name": mark})).await?;
        // A node without ports gets no servers, even such as need none.
        let ports = json!({"address": "127.0.0.1", "ports": "39000-39009"});
        let path = format!("/api/v1/nodes/{}/allocations", second.id);
        let _: serde_json::Value = make(access, &path, &ports).await?;
        let token: Token =
            make(access, &format!("/api/v1/nodes/{}/join-token", second.id), &serde_json::Value::Null).await?;
        let host = Host::joining(scene.binary()?, &token.token)?;
        host.start()?;
        let online = until("the second machine to join", async || {
            let node: NodeSeen = read(access, &format!("/api/v1/nodes/{}", second.id)).await?;
            Ok((node.presence.state == "online").then_some(()))
        });
        if let Err(error) = online.await {
            return Err(DrillError::Scratch { reason: format!("{error}. The second machine said:\n{}", host.log()) });
        }
        let restless = template(scene, &format!("{mark}-restless"), RESTLESS).await?;
        let template = template(scene, &mark, GAME).await?;
        let mut stage = Self {
            first: Machine::new(first, scene.data_dir().to_owned()),
            second: Machine::new(second.id, host.data_dir()),
            host,
            template,
        };
        for _ in 0..2 {
            stage.first.games.push(stage.game(scene, first, stage.template, PAUSE_MS).await?);
            stage.second.games.push(stage.game(scene, second.id, stage.template, PAUSE_MS).await?);
        }
        stage.game(scene, first, restless, 2_000).await?;
        Ok(stage)
    }

    async fn game(
        &self,
        scene: &Scene,
        node: NodeId,
        template: TemplateId,
        pause_ms: u64,
    ) -> Result<ServerId, DrillError> {
        let body = json!({"name": mark(), "template": template, "node": node, "start": true});
        let server: Made<ServerId> = make(scene.access(), "/api/v1/servers", &body).await?;
        let path = format!("/api/v1/servers/{}", server.id);
        let crash = json!({"crash": {"first_delay_ms": pause_ms.min(500), "max_delay_ms": pause_ms, "healthy_after_ms": 1_000}});
        let _: serde_json::Value = ask(scene.access(), &Request::keyed(Method::PATCH, &path, &crash, mark())).await?;
        if template == self.template {
            until("a game to run", async || {
                let seen: ServerSeen = read(scene.access(), &path).await?;
                Ok((seen.state == ServerState::Running).then_some(()))
            })
            .await?;
        }
        Ok(server.id)
    }

    /// Once: how long the crashed game was away, the games of the second machine after its start, and what happened to
    /// them all after the return of the control plane. What was broken is added to `faults`.
    pub async fn once(&self, scene: &Scene, pace: Pace, faults: &mut Vec<Fault>) -> Result<Vec<Duration>, DrillError> {
        let healthy = self.first.game()?;
        let victim = self.first.games.last().copied().unwrap_or(healthy);
        let process = |machine: &Machine, server| processes::game(&machine.data_dir, server);
        let there = async |machine: &Machine, server, other_than: Option<u32>| {
            until("a game's process", async || Ok(process(machine, server).filter(|pid| other_than != Some(*pid))))
                .await
        };
        let untouched = there(&self.first, healthy, None).await?;
        let crashing = there(&self.first, victim, None).await?;
        scene.control_plane_away().await?;
        let away = Instant::now();

        let begun = Instant::now();
        kill(crashing)?;
        there(&self.first, victim, Some(crashing)).await?;
        let crashed = begun.elapsed();

        self.host.power_off().await?;
        let begun = Instant::now();
        self.host.start()?;
        for server in &self.second.games {
            there(&self.second, *server, None).await?;
        }
        let booted = begun.elapsed();
        let after_boot = process(&self.second, self.second.game()?);

        sleep(pace.away.saturating_sub(away.elapsed())).await;
        for (what, before, now) in [
            ("a healthy game beside the agent", Some(untouched), process(&self.first, healthy)),
            ("a game of the booted machine", after_boot, process(&self.second, self.second.game()?)),
        ] {
            if before != now {
                faults.push(Fault::Seen(format!("{what} was started again: it was process {before:?} and is {now:?}")));
            }
        }
        scene.control_plane_back()?;
        scene.new_api_server(&[]).await?;
        let begun = Instant::now();
        // What is told of these comes after all that was not told yet; a machine that does not answer yet does it when
        // it does.
        for machine in self.machines() {
            power(scene, machine.game()?, "stop").await?;
        }
        for machine in self.machines() {
            let server = machine.game()?;
            until("the last event of a machine", async || {
                let newest = events(scene, machine.node, 50).await?;
                let mut of_it = newest.iter().filter(|event| event.server == Some(server));
                Ok(of_it.next().is_some_and(|event| event.text.starts_with("Stopped")).then_some(()))
            })
            .await?;
        }
        let told = begun.elapsed();
        let mut crash_told = false;
        for (machine, name) in self.machines().into_iter().zip(["the first machine", "the second machine"]) {
            let events = events(scene, machine.node, 1_000).await?;
            let numbers: Vec<u64> = events.iter().map(|event| event.n).collect();
            let judged = machine.judged.swap(numbers.iter().copied().max().unwrap_or(0), Ordering::Relaxed);
            faults.extend(check::events(name, judged, &numbers));
            let of_crash = |event: &Event| event.server == Some(victim) && event.text.contains("SIGKILL");
            crash_told |= events.iter().any(|event| event.n > judged && of_crash(event));
        }
        if !crash_told {
            faults.push(Fault::Lost("nobody was told of the game that crashed".to_owned()));
        }
        for machine in self.machines() {
            let server = machine.game()?;
            power(scene, server, "start").await?;
            there(machine, server, None).await?;
        }
        Ok(vec![crashed, booted, told])
    }

    fn machines(&self) -> [&Machine; 2] {
        [&self.first, &self.second]
    }
}

impl Machine {
    fn new(node: NodeId, data_dir: PathBuf) -> Self {
        Self { node, data_dir, games: Vec::new(), judged: AtomicU64::new(0) }
    }

    /// The game that nothing happens to but what happens to its machine.
    fn game(&self) -> Result<ServerId, DrillError> {
        self.games.first().copied().ok_or_else(|| DrillError::Missing { part: "game of the drill".to_owned() })
    }
}

/// What was told of a node, newest first.
async fn events(scene: &Scene, node: NodeId, limit: u32) -> Result<Vec<Event>, DrillError> {
    let page: Page<Event> = read(scene.access(), &format!("/api/v1/nodes/{node}/activity?limit={limit}")).await?;
    Ok(page.items)
}

async fn template(scene: &Scene, slug: &str, script: &str) -> Result<TemplateId, DrillError> {
    let source = format!(
        "format = 1\nslug = \"{slug}\"\nname = \"Drill\"\ndescription = \"For a drill.\"\n\
         [limits]\nmemory_mib = 64\npids = 16\n\
         [launch]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\nconsole = \"pipe\"\n\
         ready = {{ line = \"^ready$\" }}\nstop = {{ command = \"stop\" }}\n"
    );
    let made: Made<TemplateId> = make(scene.access(), "/api/v1/templates", &json!({"source": source})).await?;
    Ok(made.id)
}

async fn power(scene: &Scene, server: ServerId, action: &str) -> Result<(), DrillError> {
    let path = format!("/api/v1/servers/{server}/power");
    let _: serde_json::Value = make(scene.access(), &path, &json!({"action": action})).await?;
    Ok(())
}

fn kill(pid: u32) -> Result<(), DrillError> {
    if let Some(process) = Process::open(pid)? {
        process.signal(Signal::KILL)?;
    }
    Ok(())
}

/// Looks until something is there.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>, DrillError>) -> Result<T, DrillError> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: what.to_owned(), waited: begun.elapsed() });
        }
        sleep(GLANCE).await;
    }
}
