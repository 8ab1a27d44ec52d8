//! What has to be true when everything is over, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use nodepanel_store::{Backend as _, Change, Prefix, WatchBatch};
use nodepanel_types::{
    ServerId,
    state::{PowerAction, PowerIntent, ServerState},
};
use serde::Deserialize;

use crate::{
    user::{Told, Wish},
    world::World,
};

/// What is stored under a server's key.
#[derive(Deserialize)]
struct Stored {
    record: Record,
}

/// What is stored under an answer's key, as far as it can be read.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    refused: bool,
}

/// A server's record, as far as promises concern it.
#[derive(Debug, Clone, Deserialize)]
struct Record {
    id: ServerId,
    generation: u64,
    power: PowerIntent,
    deleting_since: Option<serde_json::Value>,
}

/// What the store went through.
#[derive(Default)]
struct Past {
    /// The answers' keys, each with what was written under it: whether it was a refusal.
    answers: BTreeMap<String, Vec<bool>>,
    /// The people.
    users: BTreeSet<String>,
    /// Every power action that was wished for, ever.
    wishes: BTreeMap<(ServerId, u64), PowerAction>,
    /// The servers as they are now.
    servers: BTreeMap<ServerId, Record>,
    /// Those that are gone.
    gone: BTreeSet<ServerId>,
}

pub async fn everything(world: &World) {
    let past = past(world).await;
    acknowledged_is_kept(world, &past);
    games_were_touched_only_when_asked(world, &past);
    machines_do_what_is_wanted(world, &past);
    api_servers_agree(world, &past).await;
}

/// Reads every change there ever was. Each change by a user goes with exactly one answer, a refusal with no change.
async fn past(world: &World) -> Past {
    let newest = world.store.revision().await.unwrap();
    let mut watch = world.store.watch(&Prefix::new("/").unwrap(), nodepanel_store::Revision::ZERO).await.unwrap();
    let mut past = Past::default();
    loop {
        let batch = futures_util::StreamExt::next(&mut watch).await.unwrap().unwrap();
        enter(&mut past, &batch);
        if batch.revision >= newest {
            return past;
        }
    }
}

fn enter(past: &mut Past, batch: &WatchBatch) {
    let (mut answers, mut changed) = (0, 0);
    for change in &batch.changes {
        let key = change.key().as_str();
        match change {
            Change::Put(entry) if key.starts_with("/answers/") => {
                let Answer { refused } = serde_json::from_slice(&entry.value).unwrap();
                answers += usize::from(!refused);
                let key = key.rsplit('/').next().unwrap().to_owned();
                past.answers.entry(key).or_default().push(refused);
            }
            Change::Put(_) if key.starts_with("/users/") => {
                // Those who were there from the beginning were made by nobody.
                changed += usize::from(!past.users.insert(key.to_owned()));
            }
            Change::Put(entry) if key.starts_with("/servers/") => {
                changed += 1;
                let Stored { record } = serde_json::from_slice(&entry.value).unwrap();
                let before = past.servers.insert(record.id, record.clone());
                let expected = before.as_ref().map_or(1, |before| before.generation + 1);
                assert_eq!(record.generation, expected, "generations of {} are counted without a gap", record.id);
                let serial = before.as_ref().map_or(0, |before| before.power.serial);
                assert!(record.power.serial <= serial + 1, "one wish counts one: {record:?}");
                if let Some(before) = &before {
                    assert!(before.deleting_since.is_none(), "a deletion is final: {record:?}");
                }
                past.wishes.insert((record.id, record.power.serial), record.power.action);
            }
            Change::Delete { .. } if key.starts_with("/servers/") => {
                let id: ServerId = key.rsplit('/').next().unwrap().parse().unwrap();
                let before = past.servers.remove(&id).unwrap();
                assert!(before.deleting_since.is_some(), "only what somebody deleted is removed: {before:?}");
                past.gone.insert(id);
            }
            _ => {}
        }
    }
    assert_eq!(answers, changed, "each change goes with the one answer to its key: {batch:?}");
}

/// Nothing acknowledged is lost, nothing is done twice.
fn acknowledged_is_kept(world: &World, past: &Past) {
    for deed in world.deeds.lock().unwrap().iter() {
        let kept = past.answers.get(&deed.key).map_or(&[][..], Vec::as_slice);
        assert!(kept.len() <= 1, "{deed:?} was answered {} times", kept.len());
        match &deed.told {
            Told::Done { server, generation } => {
                // What changes nothing needs no answer: it is the same however often it is asked for.
                let unchanged = kept.is_empty() && matches!(deed.wish, Wish::Delete(_));
                assert!(kept == [false] || unchanged, "{deed:?} was acknowledged and is not in the store");
                let now = past.servers.get(server).map(|record| record.generation);
                let kept = now.is_some_and(|now| now >= *generation) || past.gone.contains(server);
                assert!(kept, "{deed:?} was acknowledged, and the server is at {now:?}");
            }
            // Also when an earlier try was on its way and might have been carried out later.
            Told::Refused(_) => assert_eq!(kept, [true], "{deed:?} was refused"),
            Told::Nothing => {}
        }
        if let (Wish::Delete(server), Told::Done { .. }) = (&deed.wish, &deed.told) {
            assert!(past.gone.contains(server), "{server} was deleted, and its machine is there: it is not gone");
        }
    }
}

/// A game is started, stopped or restarted because somebody asked for it, and only then.
fn games_were_touched_only_when_asked(world: &World, past: &Past) {
    for machine in &world.machines {
        machine.with(|_, acts| {
            for act in acts {
                let wished = past.wishes.get(&(act.server, act.power.serial));
                assert_eq!(wished, Some(&act.power.action), "{} was done to {}", act.power.serial, act.server);
            }
        });
    }
}

/// In the end every machine holds what is wanted, and does it.
fn machines_do_what_is_wanted(world: &World, past: &Past) {
    let mut held = BTreeMap::new();
    for machine in &world.machines {
        machine.with(|servers, _| {
            for (id, server) in servers {
                let other = held.insert(*id, (server.desired.generation, server.done, server.runs()));
                assert_eq!(other, None, "{id} is on two machines");
            }
        });
    }
    for record in past.servers.values() {
        assert!(record.deleting_since.is_none(), "{} is being deleted for ever", record.id);
        let wanted = (record.generation, record.power.serial, record.power.action.wants_running());
        assert_eq!(held.remove(&record.id), Some(wanted), "what the machine of {} does", record.id);
    }
    assert!(held.is_empty(), "machines hold what nobody wants: {held:?}");
}

/// In the end every API server tells the same, which is what is so.
async fn api_servers_agree(world: &World, past: &Past) {
    for index in 0..world.planes() {
        let plane = world.plane(index).unwrap_or_else(|| panic!("API server {index} has not come back"));
        plane.control.catch_up().await;
        for record in past.servers.values() {
            let view = plane.control.server(&world.context(), record.id).unwrap();
            let expected =
                if record.power.action.wants_running() { ServerState::Running } else { ServerState::Stopped };
            assert_eq!((view.generation, view.state), (record.generation, expected), "{}", view.reason);
        }
        for id in &past.gone {
            assert!(plane.control.server(&world.context(), *id).is_err(), "{id} is gone");
        }
    }
}
