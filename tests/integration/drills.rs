//! The quick form of the drills: real kills under load, a few repetitions of each. Figures are printed; what is asserted
//! is that no user sees an error and nothing acknowledged is lost or done twice.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{
    Client, Console, Game, Installation, PATIENCE, Witness, figure, fresh_key, kill9, signal, wait_for,
};

/// Four clients that write under keys and read, as the panel does, until told to end.
struct Load<'a> {
    client: &'a Client,
    ended: AtomicBool,
    read: AtomicU64,
}

impl<'a> Load<'a> {
    fn new(client: &'a Client) -> Self {
        Self { client, ended: AtomicBool::new(false), read: AtomicU64::new(0) }
    }

    /// Writes and reads; returns the names that were acknowledged.
    fn work(&self, worker: usize) -> Vec<String> {
        let mut acknowledged = Vec::new();
        let mut n = 0;
        while !self.ended.load(Ordering::Relaxed) {
            n += 1;
            let name = format!("node-{worker}-{n}");
            self.client.keyed("POST", "/api/v1/nodes", &json!({"name": name}), &fresh_key()).expect(201);
            acknowledged.push(name);
            for _ in 0..4 {
                self.client.get("/api/v1/session").expect(200);
                self.read.fetch_add(1, Ordering::Relaxed);
            }
        }
        acknowledged
    }

    /// Runs the drill under load, then checks that every acknowledged write is there once.
    fn during(self, drill: impl FnOnce()) {
        let acknowledged: Vec<String> = thread::scope(|scope| {
            let load = &self;
            let workers: Vec<_> = (0..4).map(|worker| scope.spawn(move || load.work(worker))).collect();
            // The workers must end when the drill fails, too.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(drill));
            load.ended.store(true, Ordering::Relaxed);
            if let Err(panic) = outcome {
                std::panic::resume_unwind(panic);
            }
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        let mut there: BTreeMap<String, u32> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = self.client.get(&format!("/api/v1/nodes?limit=1000&search=node-{after}")).expect(200);
            for node in page["items"].as_array().unwrap() {
                *there.entry(node["name"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        println!("{} writes acknowledged, {} reads", acknowledged.len(), self.read.load(Ordering::Relaxed));
        assert!(!acknowledged.is_empty());
        let lost: Vec<_> = acknowledged.iter().filter(|name| !there.contains_key(*name)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let twice: Vec<_> = there.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "done twice: {twice:?}");
    }
}

#[test]
fn drill_1_an_api_server_is_killed() {
    let installation = Installation::start();
    let admin = installation.admin();
    let mut recoveries = Vec::new();
    Load::new(&admin).during(|| {
        let witness = Witness::begin(&admin, "/api/v1/servers");
        for round in 0..10 {
            let name = if round % 2 == 0 { "api-1" } else { "api-2" };
            installation.kill9_and_wait(name);
            recoveries.extend(installation.component(name).unwrap()["last_recovery_ms"].as_u64());
        }
        let noticed = witness.end();
        println!("{noticed:?}");
        assert_eq!(noticed.refused, 0);
        assert!(noticed.wrong.is_empty(), "{:?}", noticed.wrong);
        figure("worst request", noticed.worst);
    });
    recoveries.sort_unstable();
    assert_eq!(recoveries.len(), 10, "every recovery was measured");
    figure("replacement of an API server, median", Duration::from_millis(recoveries[5]));
    figure("replacement of an API server, worst", Duration::from_millis(recoveries[9]));
}

#[test]
fn drill_2_an_api_server_hangs() {
    let installation = Installation::start();
    let admin = installation.admin();
    for name in ["api-1", "api-2"] {
        let witness = Witness::begin(&admin, "/api/v1/session");
        let pid = installation.pid(name);
        let began = Instant::now();
        signal(pid, Signal::STOP);
        wait_for("a replacement", PATIENCE, || {
            let component = installation.component(name)?;
            (component["state"] == "ready" && component["pid"] != pid).then_some(())
        });
        figure("hung API server replaced", began.elapsed());
        let exit = installation.component(name).unwrap()["last_exit"].to_string();
        assert!(exit.contains("hung"), "{exit}");
        let noticed = witness.end();
        assert_eq!((noticed.refused, noticed.wrong.len()), (0, 0), "{noticed:?}");
    }
}

#[test]
fn drill_3_all_api_servers_are_killed_at_once() {
    let installation = Installation::start();
    let admin = installation.admin();
    Load::new(&admin).during(|| {
        for _ in 0..3 {
            let pids = [installation.pid("api-1"), installation.pid("api-2")];
            let began = Instant::now();
            for pid in pids {
                kill9(pid);
            }
            admin.get("/api/v1/session").expect(200);
            figure("all API servers killed, outage", began.elapsed());
            installation.wait_components_ready();
        }
    });
}

#[test]
fn drill_4_the_supervisor_is_killed() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "untouched");
    let processes = installation.game_of(&game.id);
    let workers = ["api-1", "api-2", "agent", "status"].map(|name| installation.pid(name));
    Load::new(&admin).during(|| {
        let witness = Witness::begin(&admin, "/api/v1/session");
        for _ in 0..4 {
            figure("supervisor replaced", installation.kill9_and_wait("supervisor"));
        }
        let noticed = witness.end();
        assert_eq!((noticed.refused, noticed.replayed, noticed.wrong.len()), (0, 0, 0), "{noticed:?}");
    });
    assert_eq!(["api-1", "api-2", "agent", "status"].map(|name| installation.pid(name)), workers, "all were adopted");
    assert_eq!(installation.game_of(&game.id), processes);
}

#[test]
fn drill_8_the_agent_is_killed() {
    let installation = Installation::start();
    let admin = installation.admin();
    let games: Vec<Game> = (0..3).map(|n| Game::start_echo(&admin, &format!("game {n}"))).collect();
    let processes: Vec<_> = games.iter().map(|game| installation.game_of(&game.id)).collect();
    let consoles: Vec<Console> = games.iter().map(|game| Console::open(&admin, &game.id)).collect();
    for round in 0..4 {
        let began = Instant::now();
        installation.kill9_and_wait("agent");
        for (game, console) in games.iter().zip(&consoles) {
            // The agent's first moment is the hardest: what is asked for then must happen, or be refused with a reason.
            wait_for("a command that is taken", PATIENCE, || {
                let body = json!({"line": format!("round {round}")});
                (admin.post(&game.path("/command"), &body).status == 200).then_some(())
            });
            console.wait_line(&format!("> round {round}"));
        }
        figure("agent killed and every game led again", began.elapsed());
    }
    for ((game, console), before) in games.iter().zip(&consoles).zip(processes) {
        console.assert_whole();
        assert_eq!(installation.game_of(&game.id), before, "no game died");
        assert_eq!(game.view()["automatic_restarts"], 0);
    }
}
