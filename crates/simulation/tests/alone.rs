//! What machines do when there is no control plane: everything, for as long as nobody wants anything else.

use std::{collections::BTreeSet, time::Duration};

use nodepanel_types::ServerId;
use tokio::time::Instant;

use crate::{process::Cause, world::World};

/// How long a crashed game may be away: the longest pause after a crash that a server comes to here, and the time to
/// start.
const PATIENCE: Duration = Duration::from_secs(120);

/// Takes every control plane away, and the agents too; crashes every game, twice with the agent there and once without.
pub async fn everything(world: &World) {
    for index in 0..world.planes() {
        world.kill_plane(index);
    }
    let before = running(world);
    crash(world).await;
    back(world, &before, "a crash").await;
    for machine in &world.machines {
        machine.kill_agent();
    }
    let still: BTreeSet<ServerId> = running(world);
    assert_eq!(still, before, "games go on when their agent dies");
    crash(world).await;
    for machine in &world.machines {
        machine.start_agent();
    }
    back(world, &before, "a crash while its agent was dead").await;
    for machine in &world.machines {
        machine.reboot();
        machine.start_agent();
    }
    back(world, &before, "a reboot").await;
}

fn running(world: &World) -> BTreeSet<ServerId> {
    world.machines.iter().flat_map(|machine| machine.processes.running()).collect()
}

async fn crash(world: &World) {
    for game in world.machines.iter().flat_map(|machine| machine.processes.living()) {
        game.meet(Cause::Crash);
    }
    world.chance.pause(20, 50).await;
}

async fn back(world: &World, wanted: &BTreeSet<ServerId>, what: &str) {
    let until = Instant::now() + PATIENCE;
    while running(world) != *wanted {
        assert!(Instant::now() < until, "after {what} {wanted:?} should run, and {:?} does", running(world));
        world.chance.pause(200, 300).await;
    }
}
