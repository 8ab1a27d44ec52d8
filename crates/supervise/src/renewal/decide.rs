//! Whose proof is renewed now, if anybody's: a pure function of the time and of what is known of the host.
//!
//! Invariants: nothing is ended outside of the window, within the first minutes of the supervisor, while anything is not
//! as it should be, while another one is on its way back, or after one has failed to come back in this window; an API
//! server only while another one serves. The wall clock decides only about the window and the age of proofs: whoever
//! sets it can bring a renewal about early or late, but never two at once.

use std::{collections::BTreeSet, time::Duration};

use nodepanel_types::{Millis, Timestamp, component::Role};

use super::Window;

/// How long everything must have been as it should be when somebody waits for the renewal.
const BY_HAND: Duration = Duration::from_millis(500);
/// A proof from further in the future than this was made while the clock was wrong.
const AHEAD: Millis = 60 * 60 * 1_000;

/// When proofs are renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The window; `None` renews nothing unless somebody asks.
    pub window: Option<Window>,
    /// How old a proof may be before it is renewed.
    pub stale_after: Millis,
    /// How long the supervisor must have run.
    pub settled: Duration,
    /// How long everything must have been as it should be.
    pub quiet: Duration,
    /// A machine with more to do than this is not quiet: tasks that want a processor, in percent of its processors, over
    /// a minute.
    pub busy: u32,
    /// From its end until a process must be back. Not the targets of the drills, which are those of many tries: this is
    /// one, on a machine with other things to do.
    pub target: Duration,
    /// The same for the keeper: systemd waits for a moment before it starts something again.
    pub keeper_target: Duration,
}

impl Rules {
    /// From its end until a process of a role must be back.
    pub fn target(&self, role: Role) -> Duration {
        if role == Role::Keeper { self.keeper_target } else { self.target }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: None,
            stale_after: 7 * 24 * 60 * 60 * 1_000 / 2,
            settled: Duration::from_secs(120),
            quiet: Duration::from_secs(20),
            busy: 70,
            target: Duration::from_secs(1),
            keeper_target: Duration::from_secs(5),
        }
    }
}

/// A process whose proof could be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// When it was last seen to come back.
    pub proven_at: Option<Timestamp>,
}

/// What is known of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// How long the supervisor has run.
    pub up_for: Duration,
    /// Why this is no time to end anything, as a sentence; `None` when everything is as it should be.
    pub unquiet: Option<String>,
    /// For how long that has been so.
    pub quiet_for: Duration,
    /// Tasks that want a processor, in percent of its processors; `None` when that is not known.
    pub load: Option<u32>,
    /// API servers that serve.
    pub serving: usize,
    /// Whose proof could be renewed: those that somebody starts again, and that are not games.
    pub candidates: Vec<Candidate>,
    /// When a renewal was last stopped because somebody did not come back as they should.
    pub halted_at: Option<Timestamp>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is due.
    Rest,
    /// Something is due, and waits for this, as a sentence.
    Wait(String),
    /// End this one, and see it come back.
    End(String),
}

/// Decides `now`. `asked` are those that somebody wants renewed now, whatever the window says.
pub fn decide(rules: &Rules, now: Timestamp, host: &Host, asked: &BTreeSet<String>) -> Decision {
    let by_hand = !asked.is_empty();
    let begun = rules.window.and_then(|window| window.around(now)).map(|(begin, _)| begin);
    let due = |candidate: &&Candidate| match (by_hand, begun) {
        (true, _) => asked.contains(&candidate.name),
        (false, None) => false,
        (false, Some(_)) => is_stale(candidate.proven_at, now, rules.stale_after),
    };
    let mut due: Vec<&Candidate> = host.candidates.iter().filter(due).collect();
    // The supervisor last, since the one after it waits for a while; the keeper before it; else the oldest first.
    due.sort_by_key(|candidate| (rank(candidate.role), candidate.proven_at));
    let Some(first) = due.first() else { return Decision::Rest };
    if let Some(reason) = &host.unquiet {
        return Decision::Wait(reason.clone());
    }
    if !by_hand {
        if let Some(halted) =
            host.halted_at.filter(|halted| begun.is_some_and(|begin| *halted >= begin && halted.since(now) <= AHEAD))
        {
            return Decision::Wait(format!(
                "One did not come back as it should at {halted}; no more are ended in this window."
            ));
        }
        if host.up_for < rules.settled {
            return Decision::Wait("The supervisor has only just been started.".to_owned());
        }
        if let Some(load) = host.load.filter(|load| *load > rules.busy) {
            return Decision::Wait(format!(
                "The machine is busy: {load} % of its processors are wanted, {} % is quiet.",
                rules.busy
            ));
        }
    }
    if host.quiet_for < if by_hand { rules.quiet.min(BY_HAND) } else { rules.quiet } {
        return Decision::Wait("It was not quiet for long enough.".to_owned());
    }
    // One that must not be ended now does not keep the others from it.
    let possible = due.iter().find(|candidate| candidate.role != Role::Api || host.serving > 1);
    possible.map_or_else(
        || Decision::Wait(format!("No other API server serves while {} comes back.", first.name)),
        |candidate| Decision::End(candidate.name.clone()),
    )
}

fn is_stale(proven_at: Option<Timestamp>, now: Timestamp, stale_after: Millis) -> bool {
    proven_at.is_none_or(|at| now.since(at) > stale_after || at.since(now) > AHEAD)
}

const fn rank(role: Role) -> u8 {
    match role {
        Role::Api | Role::Status | Role::Agent | Role::Shim => 0,
        Role::Keeper => 1,
        Role::Supervisor => 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Millis = 3_600_000;

    fn rules() -> Rules {
        Rules { window: Some("daily 04:00-05:00".parse().unwrap()), ..Rules::default() }
    }

    fn host(proven_at: Option<Timestamp>) -> Host {
        let candidate = |name: &str, role| Candidate { name: name.to_owned(), role, proven_at };
        Host {
            up_for: Duration::from_secs(600),
            unquiet: None,
            quiet_for: Duration::from_secs(600),
            load: Some(10),
            serving: 2,
            candidates: vec![
                candidate("supervisor", Role::Supervisor),
                candidate("keeper", Role::Keeper),
                candidate("api-1", Role::Api),
                candidate("api-2", Role::Api),
                candidate("agent", Role::Agent),
            ],
            halted_at: None,
        }
    }

    fn in_window() -> Timestamp {
        "2026-11-22T04:10:00Z".parse().unwrap()
    }

    fn now(host: &Host) -> Decision {
        decide(&rules(), in_window(), host, &BTreeSet::new())
    }

    #[test]
    fn the_oldest_worker_comes_first_and_the_supervisor_last() {
        let mut host = host(None);
        assert_eq!(now(&host), Decision::End("api-1".to_owned()));
        let mut order = Vec::new();
        while let Decision::End(name) = now(&host) {
            let ended = host.candidates.iter_mut().find(|candidate| candidate.name == name).unwrap();
            ended.proven_at = Some(in_window());
            order.push(name);
        }
        assert_eq!(order, ["api-1", "api-2", "agent", "keeper", "supervisor"]);
        assert_eq!(now(&host), Decision::Rest);
    }

    #[test]
    fn a_lone_api_server_is_left_alone_and_keeps_nobody_waiting() {
        let host = Host { serving: 1, ..host(None) };
        assert_eq!(now(&host), Decision::End("agent".to_owned()));
        let mut alone = host;
        alone.candidates.retain(|candidate| candidate.role == Role::Api);
        assert!(matches!(now(&alone), Decision::Wait(_)));
    }

    #[test]
    fn a_halt_holds_for_this_window_and_not_for_the_next() {
        let mut host = Host { halted_at: Some("2026-11-22T04:05:00Z".parse().unwrap()), ..host(None) };
        assert!(matches!(now(&host), Decision::Wait(_)));
        host.halted_at = Some("2026-11-21T04:05:00Z".parse().unwrap());
        assert!(matches!(now(&host), Decision::End(_)));
    }

    #[test]
    fn whoever_asks_needs_no_window_but_everything_as_it_should_be() {
        let asked = BTreeSet::from(["agent".to_owned()]);
        let noon = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut host = Host { up_for: Duration::ZERO, load: Some(400), ..host(Some(noon)) };
        assert_eq!(decide(&Rules::default(), noon, &host, &asked), Decision::End("agent".to_owned()));
        host.unquiet = Some("api-1 is starting.".to_owned());
        assert_eq!(decide(&Rules::default(), noon, &host, &asked), Decision::Wait("api-1 is starting.".to_owned()));
    }

    fn any_host() -> impl Strategy<Value = Host> {
        let proven = proptest::collection::vec(proptest::option::of(-400_i64..400), 5);
        (
            0_u64..300,
            any::<bool>(),
            0_u64..60,
            proptest::option::of(0_u32..200),
            0_usize..3,
            proven,
            proptest::option::of(-30_i64..30),
        )
            .prop_map(|(up, quiet, quiet_for, load, serving, proven, halted)| {
                let hours = |hours: i64| Timestamp::from_millis(in_window().as_millis() + hours * 3_600_000);
                let mut host = host(None);
                for (candidate, proven) in host.candidates.iter_mut().zip(proven) {
                    candidate.proven_at = proven.map(hours);
                }
                Host {
                    up_for: Duration::from_secs(up),
                    unquiet: (!quiet).then(|| "no".to_owned()),
                    quiet_for: Duration::from_secs(quiet_for),
                    load,
                    serving,
                    halted_at: halted.map(hours),
                    ..host
                }
            })
    }

    proptest! {
        #[test]
        fn nothing_is_ended_at_a_wrong_time(host in any_host(), offset in -2_000_i64..2_000) {
            let (rules, at) = (rules(), Timestamp::from_millis(in_window().as_millis() + offset * 60_000));
            let Decision::End(name) = decide(&rules, at, &host, &BTreeSet::new()) else { return Ok(()) };
            let (begin, _) = rules.window.unwrap().around(at).unwrap();
            let ended = host.candidates.iter().find(|candidate| candidate.name == name).unwrap();
            prop_assert!(host.unquiet.is_none());
            prop_assert!(host.up_for >= rules.settled && host.quiet_for >= rules.quiet);
            prop_assert!(host.load.is_none_or(|load| load <= rules.busy));
            prop_assert!(ended.role != Role::Api || host.serving > 1);
            prop_assert!(host.halted_at.is_none_or(|halted| halted < begin || halted > at));
            prop_assert!(ended.proven_at.is_none_or(|at_then| at.since(at_then) > rules.stale_after || at_then > at));
        }

        /// Whatever the clock says before and after: what was just renewed is not renewed again.
        #[test]
        fn what_was_renewed_rests(host in any_host(), offset in 0_i64..59, jump in -50_i64..50) {
            let at = Timestamp::from_millis(in_window().as_millis() - 600_000 + offset * 60_000);
            let Decision::End(name) = decide(&rules(), at, &host, &BTreeSet::new()) else { return Ok(()) };
            let mut host = host;
            for candidate in &mut host.candidates {
                if candidate.name == name {
                    candidate.proven_at = Some(at);
                }
            }
            let later = Timestamp::from_millis(at.as_millis() + jump * 60_000);
            prop_assert_ne!(decide(&rules(), later, &host, &BTreeSet::new()), Decision::End(name));
        }

        #[test]
        fn without_a_window_nothing_is_ever_ended(host in any_host(), offset in -2_000_i64..2_000) {
            let at = Timestamp::from_millis(in_window().as_millis() + offset * 60_000);
            prop_assert_eq!(decide(&Rules::default(), at, &host, &BTreeSet::new()), Decision::Rest);
        }
    }

    #[test]
    fn a_proof_of_a_clock_that_was_wrong_does_not_count() {
        let soon = in_window().plus(HOUR / 2);
        assert!(!is_stale(Some(soon), in_window(), HOUR));
        assert!(is_stale(Some(in_window().plus(2 * HOUR)), in_window(), HOUR));
    }
}
