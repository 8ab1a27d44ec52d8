//! Three control planes, two machines with their agents and some users in one seeded simulation: crashes, freezes, cut
//! links, lost answers, a store that is away, keepers that hang or are killed, machines that lose their power, and
//! clocks that differ and are set. What NodePanel promises is checked against everything that happened.
//!
//! The control planes, the agents with their databases, the store's contract and the messages are the real ones; time is
//! simulated, so that half a minute passes in some milliseconds. Only the processes of the games are twins (`process`,
//! behind the agent's own trait `Runtime`), and the network between the two sides (`links`).
//!
//! A failure prints its seed and its story. The seed decides what goes wrong, when, and what users do; which of two
//! tasks that are ready at the same instant goes first is decided by tokio, so that a seed is now and then to be run
//! more often than once: `NODEPANEL_SEED=17 NODEPANEL_TIMES=20`. `NODEPANEL_SEEDS=5000` tries more seeds than usual.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails; clippy's exemption covers test functions but not the rest of the simulation"
)]

mod alone;
mod chance;
mod chaos;
mod check;
mod life;
mod links;
mod machine;
mod process;
mod reader;
mod rights;
mod runtime;
mod story;
mod user;
mod way;
mod world;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use story::Teller;
use world::{Prepared, World};

/// Seeds in all. Four tests share them, so that they take both processors of a small machine.
const SEEDS: u64 = 1_000;
const PARTS: u64 = 4;

#[test]
fn what_is_promised_holds_whatever_happens_1() {
    part(0);
}

#[test]
fn what_is_promised_holds_whatever_happens_2() {
    part(1);
}

#[test]
fn what_is_promised_holds_whatever_happens_3() {
    part(2);
}

#[test]
fn what_is_promised_holds_whatever_happens_4() {
    part(3);
}

fn part(part: u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let prepared = run(Prepared::new());
    let mut reached = BTreeMap::new();
    let seeds: Vec<u64> = match number("NODEPANEL_SEED") {
        Some(seed) => {
            std::iter::repeat_n(seed, usize::try_from(number("NODEPANEL_TIMES").unwrap_or(1)).unwrap()).collect()
        }
        None => (1..=number("NODEPANEL_SEEDS").unwrap_or(SEEDS)).filter(|seed| seed % PARTS == part).collect(),
    };
    for seed in &seeds {
        let teller = Teller::default();
        let outcome = catch_unwind(AssertUnwindSafe(|| simulate(&prepared, *seed, teller.clone())));
        assert!(
            outcome.is_ok(),
            "seed {seed} broke a promise. Run it again with NODEPANEL_SEED={seed}\n{}",
            teller.story()
        );
        for what in teller.kinds() {
            *reached.entry(what).or_insert(0_u64) += 1;
        }
    }
    for (what, times) in &reached {
        println!("{times:>8} of {} seeds: {what}", seeds.len());
    }
    // A simulation in which nothing happens finds nothing.
    for what in TROUBLE.iter().filter(|_| seeds.len() > 100) {
        assert!(reached.contains_key(what), "no seed has come to `{what}`");
    }
}

/// What every run of many seeds must have come to.
const TROUBLE: [&str; 24] = [
    "acknowledged",
    "agents killed",
    "answers lost",
    "applied late",
    "deleted",
    "forbidden",
    "clocks set",
    "games crashed",
    "games ended",
    "games started",
    "games taken up",
    "keepers hung",
    "keepers killed",
    "keepers not started",
    "links cut",
    "machines rebooted",
    "planes crashed",
    "planes froze",
    "read late",
    "refused",
    "repeated",
    "rights changed",
    "store away",
    "typed",
];

fn simulate(prepared: &Prepared, seed: u64, teller: Teller) {
    run(async {
        let world = World::new(prepared, seed, teller).await;
        chaos::reign(&world).await;
        check::everything(&world).await;
        alone::everything(&world).await;
    });
}

/// Runs in simulated time: when everybody waits, the clock goes on to the next thing that happens.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(future)
}
