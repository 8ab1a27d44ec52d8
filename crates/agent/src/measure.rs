//! The loops that measure: every second what servers use, now and then how much room their files take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::{
    component::Component,
    wire::{Endpoint, NodeFrame, Protocol},
};
use tokio::{
    sync::watch,
    time::{self, MissedTickBehavior},
};

use crate::{
    cgroup::Group,
    node::Node,
    query::Census,
    stats::{Sampler, Target, directory_size},
};

/// The shortest pause between two measurements of the same directory.
const DISK_PAUSE: Duration = Duration::from_secs(60);
/// Walking directories takes at most one part in this many of the time.
const DISK_SHARE: u32 = 20;

/// Samples every server that runs, once a second, until the agent ends, with the players of `census`; tells the links,
/// and `components` of the shims.
pub async fn every_second(node: Arc<Node>, census: Arc<Census>, components: watch::Sender<Vec<Component>>) {
    let mut sampler = Some(Sampler::new(node.layout.servers().to_owned()));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let closing = node.closing.clone();
    while closing.run_until_cancelled(tick.tick()).await.is_some() {
        report(&node, &components);
        let Some(mut taken) = sampler.take() else { return };
        let targets = targets(&node, &census);
        let now = node.clock.now();
        let work = tokio::task::spawn_blocking(move || {
            let measured = taken.sample(&targets, now);
            (taken, measured)
        });
        let Ok((back, (machine, measured))) = work.await else { return };
        sampler = Some(back);
        let mut minutes: Vec<(u64, Vec<_>)> = Vec::new();
        for sample in &measured {
            let Some(server) = node.server(sample.server) else { continue };
            let Some((minute, mean)) = server.add_sample(&sample.sample) else { continue };
            match minutes.iter_mut().find(|(number, _)| *number == minute) {
                Some((_, means)) => means.push((sample.server, mean)),
                None => minutes.push((minute, vec![(sample.server, mean)])),
            }
        }
        node.hub.tell(NodeFrame::Stats { node: machine, servers: measured });
        for (minute, means) in minutes {
            // A full disk costs this minute of history, and says so elsewhere.
            let _ = node.db.save_minutes(minute, means).await;
        }
    }
}

fn targets(node: &Node, census: &Census) -> Vec<Target> {
    let now = Instant::now();
    let target = |server: Arc<crate::server::Server>| {
        let run = server.observed().phase.run()?;
        let group = Group::of(&node.groups, server.id);
        let traffic_of = (node.own_users && only_tcp(&server.desired().endpoints)).then_some(server.uid);
        let players = census.players(server.id, &run, now);
        Some(Target { server: server.id, run, group, disk_bytes: server.disk_bytes(), traffic_of, players })
    };
    node.all().into_iter().filter_map(target).collect()
}

/// Whether a server with these endpoints has no other traffic worth the name than TCP's, which is all that can be
/// measured where its group does not count.
fn only_tcp(endpoints: &[Endpoint]) -> bool {
    !endpoints.is_empty() && endpoints.iter().all(|endpoint| endpoint.protocol == Protocol::Tcp)
}

fn report(node: &Node, components: &watch::Sender<Vec<Component>>) {
    let shims: Vec<Component> = node
        .all()
        .iter()
        .filter_map(|server| {
            let keeper = server.keeper().borrow();
            let older = server.older_build();
            keeper.as_ref().map(|keeper| keeper.component(server.id, &server.desired().name, older.as_deref()))
        })
        .collect();
    components.send_if_modified(|held| {
        let changed = *held != shims;
        *held = shims;
        changed
    });
}

/// Measures the directories of all servers in turn, until the agent ends.
pub async fn disks(node: Arc<Node>) {
    let closing = node.closing.clone();
    loop {
        let begun = time::Instant::now();
        for server in node.all() {
            let files = server.layout.files();
            let walk = time::Instant::now();
            let Ok(size) = tokio::task::spawn_blocking(move || directory_size(&files)).await else { return };
            server.set_disk_bytes(size);
            let rest = (walk.elapsed() * DISK_SHARE).max(Duration::from_millis(20));
            if closing.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                return;
            }
        }
        let rest = DISK_PAUSE.saturating_sub(begun.elapsed()).max(Duration::from_secs(1));
        if closing.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            return;
        }
    }
}
