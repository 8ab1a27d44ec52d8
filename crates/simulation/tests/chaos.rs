//! What goes wrong, and for how long.

use std::{sync::Arc, time::Duration};

use nodepanel_store::Fault;
use tokio::{task::JoinSet, time::Instant};

use crate::{process::Keeper, rights, user, world::World};

/// How long things go wrong.
const UNREST: Duration = Duration::from_secs(9);
/// How long after it everything may have to settle, unless servers wait for longer after crashes.
const REST: Duration = Duration::from_secs(4);
const USERS: usize = 4;

/// Lets users act while everything fails, and then lets everything settle.
pub async fn reign(world: &Arc<World>) {
    let end = Instant::now() + UNREST;
    let mut users = JoinSet::new();
    for _ in 0..USERS {
        users.spawn(user::act(Arc::clone(world), end));
    }
    users.spawn(rights::shift(Arc::clone(world), end));
    let mut trouble = JoinSet::new();
    for plane in 0..world.planes() {
        trouble.spawn(planes_fail(Arc::clone(world), plane, end));
        trouble.spawn(links_fail(Arc::clone(world), plane, end));
    }
    for machine in 0..world.machines.len() {
        trouble.spawn(agents_fail(Arc::clone(world), machine, end));
        trouble.spawn(keepers_fail(Arc::clone(world), machine, end));
        trouble.spawn(clocks_fail(Arc::clone(world), machine, end));
    }
    trouble.spawn(store_fails(Arc::clone(world), end));
    while let Some(ended) = trouble.join_next().await {
        ended.unwrap();
    }
    world.lossy.send_replace(false);
    world.machines.iter().for_each(|machine| machine.calm_down());
    while let Some(ended) = users.join_next().await {
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    tokio::time::sleep(REST).await;
}

async fn planes_fail(world: Arc<World>, index: usize, end: Instant) {
    while Instant::now() < end {
        world.chance.pause(200, 6_000).await;
        let Some(plane) = world.plane(index) else { continue };
        if world.chance.once_in(2) {
            world.teller.tell("planes crashed", index);
            world.kill_plane(index);
            world.chance.pause(20, 1_500).await;
            world.start_plane(index);
        } else {
            world.teller.tell("planes froze", index);
            plane.life.freeze(true);
            // Now and then for longer than its lease lasts.
            world.chance.pause(50, 6_000).await;
            plane.life.freeze(false);
        }
    }
}

async fn links_fail(world: Arc<World>, index: usize, end: Instant) {
    while Instant::now() < end {
        world.chance.pause(200, 8_000).await;
        let node = world.chance.of(&world.machines).id;
        world.teller.tell("links cut", format_args!("of {index} to {node}"));
        world.cuts[index].send_modify(|cuts| _ = cuts.insert(node, true));
        world.chance.pause(50, 4_000).await;
        world.cuts[index].send_modify(|cuts| _ = cuts.insert(node, false));
    }
}

async fn agents_fail(world: Arc<World>, index: usize, end: Instant) {
    let machine = &world.machines[index];
    while Instant::now() < end {
        world.chance.pause(500, 10_000).await;
        if world.chance.once_in(8) {
            world.teller.tell("machines rebooted", index);
            machine.reboot();
        } else {
            world.teller.tell("agents killed", index);
            machine.kill_agent();
        }
        world.chance.pause(50, 3_000).await;
        machine.start_agent();
    }
}

async fn keepers_fail(world: Arc<World>, index: usize, end: Instant) {
    while Instant::now() < end {
        world.chance.pause(500, 8_000).await;
        let living = world.machines[index].processes.living();
        if living.is_empty() {
            continue;
        }
        let game = world.chance.of(&living);
        let name = format!("of {} (process {})", game.server, game.pid);
        if world.chance.once_in(3) {
            world.teller.tell("keepers killed", name);
            game.keeper.send_replace(Keeper::Gone);
        } else {
            world.teller.tell("keepers hung", name);
            game.set_keeper(Keeper::Awake, Keeper::Hung);
            world.chance.pause(50, 7_000).await;
            game.set_keeper(Keeper::Hung, Keeper::Awake);
        }
    }
}

async fn clocks_fail(world: Arc<World>, index: usize, end: Instant) {
    while Instant::now() < end {
        world.chance.pause(1_000, 20_000).await;
        let hour = 3_600_000;
        let by = i64::try_from(world.chance.below(2 * hour)).unwrap() - i64::try_from(hour).unwrap();
        world.teller.tell("clocks set", format_args!("{index} by {by} ms"));
        world.machines[index].clock.set(by);
    }
}

async fn store_fails(world: Arc<World>, end: Instant) {
    while Instant::now() < end {
        world.chance.pause(500, 8_000).await;
        let fault = *world.chance.of(&[Fault::Unavailable, Fault::DiskFull]);
        world.teller.tell("store away", format_args!("{fault:?}"));
        world.store.fail_always(fault);
        world.chance.pause(50, 2_000).await;
        world.store.heal();
    }
}
