//! What has to be true when everything is over, whatever happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use nodepanel_store::{Backend as _, Change, Prefix, WatchBatch};
use nodepanel_types::{
    ServerId,
    state::{Phase, PowerAction, PowerIntent, ServerState, StopReason},
    wire::{ActivityKind, ApplyOutcome, ObservedServer},
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    machine::{Machine, Sent, Wished},
    process::{Cause, Game},
    reader,
    user::{Told, Wish},
    world::World,
};

/// How long everything may take to become as it should, once nothing fails any more: a server may wait that long after
/// its last crash, and one that does not stop is killed after 30 s.
const SETTLED: Duration = Duration::from_secs(90);
/// How long what a machine tells may be on its way: its link is made again within a second.
const HEARD: Duration = Duration::from_secs(3);
/// From the decision to start a game to its process, at most.
const STARTING: Duration = Duration::from_secs(5);

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
    let past = settle(world).await;
    acknowledged_is_kept(world, &past);
    lines_are_typed_once(world);
    for (index, machine) in world.machines.iter().enumerate() {
        assert_eq!(
            machine.processes.broken(),
            Vec::<String>::new(),
            "what the processes of machine {index} went through"
        );
        wishes_are_what_users_asked_for(machine, &past);
        newer_wishes_stay(machine);
        games_ended_only_when_asked(machine);
        journal_is_delivered_once(world, index).await;
    }
    // What a machine tells is on its way for a moment.
    tokio::time::sleep(HEARD).await;
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
            // What is typed is not written down here, nor that the node refused it.
            Told::Refused(_) if matches!(deed.wish, Wish::Type(_)) => {}
            // Also when an earlier try was on its way and might have been carried out later.
            Told::Refused(_) => assert_eq!(kept, [true], "{deed:?} was refused"),
            Told::Typed | Told::Nothing => {}
        }
        if let (Wish::Delete(server), Told::Done { .. }) = (&deed.wish, &deed.told) {
            assert!(past.gone.contains(server), "{server} was deleted, and its machine is there: it is not gone");
        }
    }
}

/// A line is typed once however often it is asked for, and once if that was acknowledged.
fn lines_are_typed_once(world: &World) {
    let mut typed = BTreeMap::new();
    for machine in &world.machines {
        for (key, times) in machine.processes.typed() {
            assert_eq!(times, 1, "the line with the key {key} was typed {times} times");
            typed.insert(key.rsplit(':').next().unwrap().to_owned(), times);
        }
    }
    for deed in world.deeds.lock().unwrap().iter().filter(|deed| matches!(deed.told, Told::Typed)) {
        assert!(typed.contains_key(&deed.key), "{deed:?} was acknowledged, and not typed");
    }
}

/// What reaches a machine is what a user asked for.
fn wishes_are_what_users_asked_for(machine: &Machine, past: &Past) {
    for sent in machine.sent() {
        if let Wished::State { power, .. } = sent.wish {
            let wished = past.wishes.get(&(sent.server, power.serial));
            assert_eq!(wished, Some(&power.action), "{sent:?}");
        }
    }
}

/// What was accepted is never replaced by something older, nor what was removed by anything.
fn newer_wishes_stay(machine: &Machine) {
    let mut held: BTreeMap<ServerId, (u64, u64)> = BTreeMap::new();
    for Sent { server, wish, outcome, .. } in machine.sent() {
        let (Wished::State { generation, power }, Some(ApplyOutcome::Applied)) = (wish, outcome) else { continue };
        if let Some((before, serial)) = held.insert(server, (generation, power.serial)) {
            assert!(generation > before, "{server} held generation {before} and took {generation}");
            assert!(power.serial >= serial, "{server} held power serial {serial} and took {}", power.serial);
        }
    }
}

/// What may have told an agent to end a run: a stop, a kill, a restart or a removal that reached it.
fn may_end(sent: &Sent) -> Option<u64> {
    match sent.wish {
        Wished::Removal => Some(u64::MAX),
        Wished::State { power, .. } => {
            let ends = power.action != PowerAction::Start;
            let refused = matches!(sent.outcome, Some(ApplyOutcome::Stale { .. } | ApplyOutcome::Refused { .. }));
            (ends && !refused).then_some(power.serial)
        }
    }
}

/// A game ends because its owner asked for it, by itself, or with its keeper or machine: never because an agent or a
/// control plane died, was cut off or came back. One wish ends one run, and what was not asked for is told in the
/// journal.
fn games_ended_only_when_asked(machine: &Machine) {
    let sent = machine.sent();
    let mut used: BTreeSet<(ServerId, u64)> = BTreeSet::new();
    for game in machine.processes.games() {
        let Some(asked) = *game.asked.lock().unwrap() else { continue };
        let reason = wishes_for(&sent, &game, asked).find(|serial| !used.contains(&(game.server, *serial)));
        let name = format!("process {} of {}", game.pid, game.server);
        let Some(serial) = reason else { panic!("{name} was asked to end, and nobody wanted that") };
        used.insert((game.server, serial));
    }
}

/// The wishes that may be why the game was asked to end at `until`, oldest first.
fn wishes_for<'a>(sent: &'a [Sent], game: &'a Game, until: Instant) -> impl Iterator<Item = u64> + 'a {
    let from = game.born.checked_sub(STARTING).unwrap_or(game.born);
    sent.iter()
        .filter(move |sent| sent.server == game.server && sent.at <= until)
        .filter(move |sent| sent.at >= from || matches!(sent.wish, Wished::Removal))
        .filter_map(may_end)
}

/// Everything that the machine wrote down arrives, in order and once; and every crash is written down, once.
async fn journal_is_delivered_once(world: &World, index: usize) {
    let machine = &world.machines[index];
    let whole = reader::whole(world, index).await;
    let heard = world.heard[index].lock().unwrap().clone();
    assert_eq!(heard, whole, "what machine {index} wrote down, and what of it was delivered");
    let numbers: Vec<u64> = whole.iter().map(|entry| entry.n).collect();
    let expected: Vec<u64> = (1..=u64::try_from(whole.len()).unwrap()).collect();
    assert_eq!(numbers, expected, "the numbers of machine {index}'s journal");
    let sent = machine.sent();
    let mut crashes: BTreeMap<ServerId, (usize, usize)> = BTreeMap::new();
    let (games, now) = (machine.processes.games(), Instant::now());
    for game in &games {
        let Some((over, cause)) = *game.over.lock().unwrap() else { continue };
        if !matches!(cause, Cause::Crash) {
            continue;
        }
        let (least, most) = crashes.entry(game.server).or_default();
        *most += 1;
        // Who was asked to end before anybody took note of the end has not crashed; that may be long after it, but is
        // before the next run.
        let next = games.iter().find(|next| next.server == game.server && next.born > game.born);
        let noted = next.map_or(now, |next| next.born).max(over);
        let asked = wishes_for(&sent, game, noted).next().is_some();
        let kept = *game.keeper.borrow() != crate::process::Keeper::Gone || game.end().is_some();
        *least += usize::from(!asked && kept);
    }
    for (server, (least, _)) in crashes {
        let told =
            whole.iter().filter(|entry| entry.server == Some(server) && entry.kind == ActivityKind::Crash).count();
        assert!(told >= least, "{server} crashed {least} times, and that was written down {told} times: {whole:#?}");
    }
}

/// In the end every machine holds what is wanted, and does it.
async fn settle(world: &World) -> Past {
    let until = Instant::now() + SETTLED;
    loop {
        let past = past(world).await;
        match machines_do_what_is_wanted(world, &past).await {
            Ok(()) => return past,
            Err(difference) => assert!(Instant::now() < until, "it does not become as it should: {difference}"),
        }
        world.chance.pause(500, 600).await;
    }
}

/// A server that was killed while it was installed stays as it is until somebody installs it again.
fn is_cancelled(server: &ObservedServer) -> bool {
    matches!(server.phase, Phase::Stopped { reason: StopReason::InstallFailed { .. } })
}

async fn machines_do_what_is_wanted(world: &World, past: &Past) -> Result<(), String> {
    let mut held = BTreeMap::new();
    for machine in &world.machines {
        let servers = machine.snapshot().await.ok_or("an agent has not come back")?;
        let running = machine.processes.running();
        for server in &servers {
            let id = server.server;
            let told = matches!(server.phase, Phase::Running { .. });
            let steady = told || matches!(server.phase, Phase::Stopped { .. });
            if !steady || told != running.contains(&id) {
                return Err(format!("the agent tells of {id}: {:?}; processes: {running:?}", server.phase));
            }
            let does = if is_cancelled(server) { None } else { Some(told) };
            let other = held.insert(id, (server.generation, server.power_serial, does));
            assert_eq!(other, None, "{id} is on two machines");
        }
        let held_here: BTreeSet<ServerId> = servers.iter().map(|server| server.server).collect();
        if let Some(stray) = running.difference(&held_here).next() {
            return Err(format!("{stray} runs, and the agent does not know it"));
        }
        if let Some(left) = past.gone.iter().find(|id| machine.has_files(**id)) {
            return Err(format!("files of {left} are left"));
        }
    }
    for record in past.servers.values() {
        if record.deleting_since.is_some() {
            return Err(format!("{} is being deleted", record.id));
        }
        let wanted = (record.generation, record.power.serial, record.power.action.wants_running());
        let is = held.remove(&record.id);
        let same = |(generation, serial, does): (u64, u64, Option<bool>)| {
            (generation, serial, does.unwrap_or(wanted.2)) == wanted
        };
        if !is.is_some_and(same) {
            return Err(format!("{} should be {wanted:?} and is {is:?}", record.id));
        }
    }
    if held.is_empty() { Ok(()) } else { Err(format!("machines hold what nobody wants: {held:?}")) }
}

/// In the end every API server tells the same, which is what is so.
async fn api_servers_agree(world: &World, past: &Past) {
    let mut cancelled = BTreeSet::new();
    for machine in &world.machines {
        let servers = machine.snapshot().await.unwrap();
        cancelled.extend(servers.iter().filter(|server| is_cancelled(server)).map(|server| server.server));
    }
    for index in 0..world.planes() {
        let plane = world.plane(index).unwrap_or_else(|| panic!("API server {index} has not come back"));
        plane.control.catch_up().await;
        for record in past.servers.values() {
            let view = plane.control.server(&world.context(), record.id).unwrap();
            let runs = record.power.action.wants_running() && !cancelled.contains(&record.id);
            let expected = if runs { ServerState::Running } else { ServerState::Stopped };
            assert_eq!((view.generation, view.state), (record.generation, expected), "{}", view.reason);
        }
        for id in &past.gone {
            assert!(plane.control.server(&world.context(), *id).is_err(), "{id} is gone");
        }
    }
}
