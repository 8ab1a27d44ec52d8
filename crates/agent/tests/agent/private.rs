//! Servers whose own users may not pass through the data directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use nodepanel_agent::{AgentError, ServersPlace, survey};
use nodepanel_types::{
    state::PowerAction,
    wire::{DesiredServer, NodeFrame, path},
};

use crate::harness::{Frames, Home, TestAgent, script, server};

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("not tested, because only root can give servers users of their own");
    }
    root
}

/// A directory like `/root`.
fn private_directory(home: &Home) -> PathBuf {
    let directory = home.beside().join("private");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

fn installed_server() -> DesiredServer {
    let mut desired = server(&[]);
    desired.install = vec![script("Fetch", "test \"$HOME\" = \"$(pwd -P)\" && ls \"$HOME\" && echo fetched > data")];
    desired
}

fn place_elsewhere(home: &Home) -> PathBuf {
    match survey(home.path()).unwrap() {
        ServersPlace::Elsewhere { target, closed: None } if target.starts_with(home.beside().join("elsewhere")) => {
            target
        }
        place => panic!("{place:?}"),
    }
}

async fn warnings(agent: &TestAgent) -> String {
    let NodeFrame::Hello(facts) = Frames::open(agent, path::EVENTS).await.next().await else {
        panic!("hello comes first")
    };
    facts.warnings.join("\n")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_runs_although_the_data_directory_is_below_a_private_one() {
    if !is_root() {
        return;
    }
    let mut home = Home::new();
    let private = private_directory(&home);
    home.move_data(&private);

    let agent = home.agent().await;
    let mut desired = installed_server();
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let target = place_elsewhere(&home);
    let files = target.join(desired.server.to_string()).join("files");
    assert_eq!(fs::read_to_string(files.join("data")).unwrap(), "fetched\n");
    assert!(agent.console(desired.server).await.contains(&format!("in {}", files.display())));
    let said = warnings(&agent).await;
    assert!(said.contains(&target.display().to_string()), "{said}");
    assert_eq!(mode(&private), 0o700, "nobody asked for another mode");

    // A copy of the data directory is no second owner of the same servers.
    let copy = home.beside().join("copy");
    fs::create_dir_all(copy.join("agent")).unwrap();
    std::os::unix::fs::symlink(&target, copy.join("agent/servers")).unwrap();
    let mut second = home.config();
    second.data_dir = copy;
    assert!(matches!(home.agent_with(second).await, Err(AgentError::Occupied { .. })));

    // The game outlives its agent and a move of the data directory, and is started again from where it is.
    let pid = agent.wait_for_state(desired.server, "running").await.phase.run().unwrap().pid;
    agent.agent.close().await;
    let moved = private.join("moved");
    fs::create_dir(&moved).unwrap();
    home.move_data(&moved);
    let agent = home.agent().await;
    let running = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(running.phase.run().unwrap().pid, pid);
    agent.power(&mut desired, PowerAction::Restart).await;
    agent
        .wait_for(desired.server, |observed| {
            observed.phase.state().as_str() == "running" && observed.phase.run().is_some_and(|run| run.pid != pid)
        })
        .await;
    agent.remove(&desired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_cannot_be_reached_any_more_are_moved_once_nothing_runs() {
    if !is_root() {
        return;
    }
    let mut home = Home::new();
    let private = private_directory(&home);
    let agent = home.agent().await;
    let mut desired = installed_server();
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    assert_eq!(survey(home.path()).unwrap(), ServersPlace::Within { closed: None });
    agent.agent.close().await;

    // While the game runs nothing is moved from under it.
    home.move_data(&private);
    let agent = home.agent().await;
    agent.wait_for_state(desired.server, "running").await;
    assert_eq!(survey(home.path()).unwrap(), ServersPlace::Within { closed: Some(private.clone()) });
    let said = warnings(&agent).await;
    assert!(said.contains(&format!("chmod o+x {}", private.display())), "{said}");
    agent.power(&mut desired, PowerAction::Kill).await;
    agent.wait_for_state(desired.server, "stopped").await;
    agent.agent.close().await;
    for shim in home.shims() {
        shim.ended().await.unwrap();
    }

    let agent = home.agent().await;
    let files = place_elsewhere(&home).join(desired.server.to_string()).join("files");
    assert_eq!(fs::read_to_string(files.join("data")).unwrap(), "fetched\n");
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.remove(&desired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_does_not_begin_anew_when_its_servers_are_not_there() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("agent")).unwrap();
    let target = home.beside().join("not mounted");
    std::os::unix::fs::symlink(&target, home.path().join("agent/servers")).unwrap();
    let Err(error) = home.agent_with(home.config()).await else { panic!("it began") };
    assert!(matches!(error, AgentError::ServersGone { .. }));
    assert!(error.to_string().contains("not mounted"), "{error}");
    assert!(!target.exists());
}
