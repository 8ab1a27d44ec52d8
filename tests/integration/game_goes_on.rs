//! The promise of the product: a player plays on, whatever of ours is killed.

use std::time::Instant;

use serde_json::json;

use crate::harness::{Bot, Console, Game, Installation, PATIENCE, Request, Witness, figure, kill9, template, wait_for};

/// A real Minecraft server and a real player, through the death of every process that is not a shim.
#[test]
fn a_player_notices_nothing_when_the_control_plane_is_killed() {
    let installation = Installation::start();
    let admin = installation.admin();
    let body = json!({"name": "minecraft", "template": template(&admin, "minecraft"), "start": true});
    let began = Instant::now();
    let server = Game::create(&admin, &body);
    // The installation downloads the game.
    wait_for("the Minecraft server", PATIENCE * 8, || {
        let view = server.view();
        assert_ne!(view["install"]["state"], "failed", "{view}");
        (view["state"] == "running").then_some(())
    });
    figure("Minecraft server installed and running", began.elapsed());

    let console = Console::open(&admin, &server.id);
    let endpoint = server.view()["endpoints"][0].clone();
    let (host, port) = (endpoint["address"].as_str().unwrap(), endpoint["port"].as_u64().unwrap());
    let mut player = Bot::join(host, port, "1.16.5", "Alex");
    let mut said = 0;
    let mut says_and_is_read = |player: &mut Bot| {
        said += 1;
        let text = format!("message number {said}.");
        player.chat(&text);
        console.wait_line(&text);
    };
    says_and_is_read(&mut player);

    let witness = Witness::begin(&admin, "/api/v1/session");
    let game = installation.game_of(&server.id);
    for name in ["supervisor", "api-1", "api-2", "agent"] {
        figure(&format!("{name} killed and ready again"), installation.kill9_and_wait(name));
        says_and_is_read(&mut player);
    }
    let began = Instant::now();
    assert!(installation.kill_control_plane().len() >= 5, "supervisor, two API servers, status and agent");
    player.chat("said while nobody listens.");
    wait_for("somebody who answers", PATIENCE, || {
        (admin.once(&Request::new("GET", "/readyz")).ok()?.status == 200).then_some(())
    });
    figure("the whole control plane killed and answering again", began.elapsed());
    installation.wait_components_ready();
    console.wait_line("said while nobody listens.");
    says_and_is_read(&mut player);

    let noticed = witness.end();
    println!("{noticed:?}");
    assert_eq!(noticed.refused, 0, "no connection was refused");
    assert!(noticed.wrong.is_empty(), "{:?}", noticed.wrong);
    assert!(noticed.answered > 50);
    figure("the longest that a request took, replays included", noticed.worst);
    assert_eq!(player.end(), None, "the player stayed connected");
    assert_eq!(installation.game_of(&server.id), game, "the game is the same process");
    server.wait_state("running");
    let read = console.assert_whole();
    println!("{read} console lines without gap or repetition over {} sockets", console.opened());
    assert_eq!(console.count("said while nobody listens."), 1);

    // The shim is the one process whose end takes its game along, and the owner is told.
    let began = Instant::now();
    kill9(installation.shim_of(&server.id).unwrap());
    player.wait("end", |_| true);
    let view = server.wait("running again", |view| view["state"] == "running" && view["automatic_restarts"] == 1);
    figure("shim killed and the game running again", began.elapsed());
    assert_ne!(installation.game_of(&server.id), game);
    wait_for("the owner to be told", PATIENCE, || {
        let activity = admin.get(&server.path("/activity?limit=100")).expect(200);
        activity.to_string().contains("keeps its console was killed").then_some(())
    });
    assert_eq!(view["wants_running"], true);
    let mut player = Bot::join(host, port, "1.16.5", "Alex");
    player.chat("back again.");
    console.wait_line("back again.");
    console.assert_whole();
}

/// The same with a game that speaks all the time: no line is lost or repeated while readers and keepers come and go.
#[test]
fn a_talking_console_stays_whole() {
    let installation = Installation::start();
    let admin = installation.admin();
    let command = "sh -c 'echo ready; n=0; while sleep 0.01; do n=$((n+1)); echo tick $n; done'";
    let variables = json!({"COMMAND": command, "READY_TEXT": "ready"});
    let body =
        json!({"name": "talker", "template": template(&admin, "any-command"), "variables": variables, "start": true});
    let server = Game::create(&admin, &body);
    server.wait_state("running");
    let consoles: Vec<Console> = (0..3).map(|_| Console::open(&admin, &server.id)).collect();
    for console in &consoles {
        console.wait_line("tick 10");
    }
    for name in ["agent", "api-1", "api-2", "supervisor"] {
        installation.kill9_and_wait(name);
    }
    installation.kill_control_plane();
    installation.wait_components_ready();
    let last = server.lines().last().unwrap().2.clone();
    for console in &consoles {
        console.wait_line(&last);
        let lines = console.assert_whole();
        println!("{lines} lines over {} sockets", console.opened());
    }
}
