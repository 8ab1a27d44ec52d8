//! What games said last of their players. Never asks; see `rounds`.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use nodepanel_types::{ServerId, state::Run};

/// Players of one game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Players {
    /// On it now, without bots where the game tells them apart.
    pub online: u32,
    /// Places, when the game tells.
    pub max: Option<u32>,
}

/// The last answers, by server. An answer counts for the run that gave it, and only for a while.
#[derive(Debug, Default)]
pub struct Census {
    answers: Mutex<HashMap<ServerId, Answer>>,
}

#[derive(Debug)]
struct Answer {
    run: Run,
    players: Players,
    good_until: Instant,
}

impl Census {
    /// The players of `server` as its run `run` told lately, as seen at `now`.
    pub fn players(&self, server: ServerId, run: &Run, now: Instant) -> Option<Players> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.get(&server).filter(|answer| answer.run == *run)?;
        (now < answer.good_until).then_some(answer.players)
    }

    /// Writes down an answer that is to count until `good_until`.
    pub fn note(&self, server: ServerId, run: Run, players: Players, good_until: Instant) {
        let answer = Answer { run, players, good_until };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(server, answer);
    }

    /// Forgets all servers but these.
    pub fn keep(&self, servers: &HashSet<ServerId>) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).retain(|server, _| servers.contains(server));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nodepanel_types::Timestamp;

    use super::*;

    #[test]
    fn an_answer_counts_for_its_run_and_for_a_while() {
        let census = Census::default();
        let server = ServerId::from_uuid(uuid::Uuid::nil());
        let run = Run { pid: 7, started_at: Timestamp::EPOCH };
        let players = Players { online: 3, max: None };
        let now = Instant::now();
        census.note(server, run, players, now + Duration::from_secs(25));
        assert_eq!(census.players(server, &run, now), Some(players));
        assert_eq!(census.players(server, &Run { pid: 8, ..run }, now), None);
        assert_eq!(census.players(server, &run, now + Duration::from_secs(25)), None);
        census.keep(&HashSet::new());
        assert!(census.answers.lock().unwrap().is_empty());
    }
}
