//! One user at work: reads and writes in turn, at fixed instants.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use http::Method;
use nodepanel_types::ServerId;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{Floor, RATE, cast::Cast};
use crate::{
    history::{Action, Operation, Outcome},
    http::Request,
    user::User,
};

/// Keys that one worker has at a time; the oldest is revoked before another is made.
const KEYS: usize = 4;
/// After so many operations the next one goes over a new connection.
const RECONNECT: u64 = 10;

/// What a worker writes.
#[derive(Debug)]
enum Pen {
    /// Names of a server that no other worker names.
    Names(ServerId),
    /// Lines into a console.
    Lines(ServerId),
    /// Keys: name and id of those that it has.
    Keys(VecDeque<(String, String)>),
}

/// A user at work.
pub struct Worker {
    number: u32,
    user: User,
    pen: Pen,
    read: ServerId,
    floor: Arc<Floor>,
    mark: String,
    turn: u64,
}

impl Worker {
    /// Worker `number` of a load; `None` when the load has no game servers.
    pub fn new(number: u32, cast: &Cast, floor: Arc<Floor>) -> Option<Self> {
        let games = cast.games();
        let place = usize::try_from(number).ok()?;
        let game = |place: usize| games.iter().cycle().nth(place).map(|game| game.id);
        // One writer for each name; the rest is divided between lines and keys.
        let pen = match place.checked_sub(games.len()) {
            None => Pen::Names(game(place)?),
            Some(rest) if rest % 2 == 0 => Pen::Lines(game(rest / 2)?),
            Some(_) => Pen::Keys(VecDeque::new()),
        };
        let user = User::new(cast.access().clone(), u64::from(number) + 1);
        Some(Self { number, user, pen, read: game(place)?, floor, mark: super::cast::mark(), turn: 0 })
    }

    /// Works until the load ends.
    pub async fn work(mut self) {
        let period = Duration::from_secs(1) / RATE;
        // Spread over one period, so that the load is even.
        let offset = period * self.number / super::WORKERS;
        let mut due = Instant::now() + offset;
        while !self.floor.ended() {
            sleep_until(due).await;
            due += period;
            self.turn += 1;
            if self.turn.is_multiple_of(RECONNECT) {
                self.user.reconnect();
            }
            let (action, request) = if self.turn.is_multiple_of(2) { self.next_write() } else { self.next_read() };
            let begun = self.floor.now();
            let asked = self.user.ask(&request).await;
            let operation =
                Operation { action, begun, ended: self.floor.now(), outcome: asked.outcome, tries: asked.tries };
            self.remember(&operation, asked.answer.map(|answer| answer.json()));
            self.floor.record(operation);
        }
    }

    fn next_read(&self) -> (Action, Request) {
        let path = match self.turn % 6 {
            1 => format!("/api/v1/servers/{}", self.read),
            3 => "/api/v1/servers?limit=50".to_owned(),
            _ => "/api/v1/session".to_owned(),
        };
        (Action::Read, Request::get(path))
    }

    fn next_write(&self) -> (Action, Request) {
        let name = format!("{} {}", self.mark, self.turn);
        let key = format!("{}-{}", self.mark, self.turn);
        match &self.pen {
            Pen::Names(server) => {
                let request =
                    Request::keyed(Method::PATCH, format!("/api/v1/servers/{server}"), &json!({"name": name}), key);
                (Action::Rename { server: *server, name }, request)
            }
            Pen::Lines(server) => {
                let path = format!("/api/v1/servers/{server}/command");
                let request = Request::keyed(Method::POST, path, &json!({"line": name}), key);
                (Action::Type { server: *server, line: name }, request)
            }
            Pen::Keys(held) => {
                if let Some((name, id)) = held.front().filter(|_| held.len() >= KEYS) {
                    let request = Request::keyed(Method::DELETE, format!("/api/v1/keys/{id}"), &Value::Null, key);
                    return (Action::RevokeKey { name: name.clone() }, request);
                }
                let request = Request::keyed(Method::POST, "/api/v1/keys", &json!({"name": name}), key);
                (Action::CreateKey { name }, request)
            }
        }
    }

    /// Takes note of the keys that there are now.
    fn remember(&mut self, operation: &Operation, answer: Option<Value>) {
        let Pen::Keys(held) = &mut self.pen else { return };
        match &operation.action {
            Action::CreateKey { name } if operation.outcome == Outcome::Ok => {
                let id = answer.and_then(|answer| answer.pointer("/key/id")?.as_str().map(str::to_owned));
                held.extend(id.map(|id| (name.clone(), id)));
            }
            // Whatever came of it: it is not asked for twice.
            Action::RevokeKey { .. } => drop(held.pop_front()),
            _ => {}
        }
    }
}
