//! What a drill found: figures against targets, operations in numbers, broken promises.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use serde::Serialize;

use crate::{
    check::Fault,
    figure::{Figure, Limit, millis},
    history::Counts,
    load::Judgement,
};

/// What a drill found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The drill's name.
    pub drill: &'static str,
    /// Its number among the drills of the documentation.
    pub number: u8,
    /// How often it broke something.
    pub repetitions: u32,
    /// What was timed.
    pub figures: Vec<Figure>,
    /// What the users did meanwhile.
    pub operations: Operations,
    /// Promises that were broken.
    pub faults: Vec<Fault>,
    /// Whether every target was met and no promise broken.
    pub passed: bool,
}

/// What the users did meanwhile.
#[derive(Debug, Clone, Serialize)]
pub struct Operations {
    /// Operations that were invoked.
    pub tried: u64,
    /// Those of them that write.
    pub writes: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Operations that took more than one try.
    pub retried: u64,
    /// Operations that were asked to come again later, by the code of the answer that did.
    pub deferred: BTreeMap<&'static str, u64>,
    /// Operations that a user saw fail.
    pub failed: u64,
    /// Operations that were given up on.
    pub unknown: u64,
    /// Acknowledged writes that are not there.
    pub lost_writes: usize,
    /// Writes that happened more than once.
    pub applied_twice: usize,
    /// Irregular numbers in consoles.
    pub console_gaps: usize,
    /// The longest that one operation took with all its tries, in milliseconds.
    #[serde(rename = "worst_ms", serialize_with = "millis")]
    pub worst: std::time::Duration,
}

impl Report {
    /// The report of a drill that was carried out.
    pub fn new(drill: &'static str, number: u8, repetitions: u32, figures: Vec<Figure>, judged: Judgement) -> Self {
        let Judgement { counts, faults } = judged;
        let operations = Operations::of(&counts, &faults);
        let passed = operations.refused == 0 && faults.is_empty() && figures.iter().all(|figure| figure.met);
        Self { drill, number, repetitions, figures, operations, faults, passed }
    }
}

impl Operations {
    fn of(counts: &Counts, faults: &[Fault]) -> Self {
        let count = |kind: fn(&Fault) -> bool| faults.iter().filter(|fault| kind(fault)).count();
        Self {
            tried: counts.operations,
            writes: counts.writes,
            refused: counts.refused,
            retried: counts.retried,
            deferred: counts.deferred.clone(),
            failed: counts.failed,
            unknown: counts.unknown,
            lost_writes: count(|fault| matches!(fault, Fault::Lost(_))),
            applied_twice: count(|fault| matches!(fault, Fault::Twice(_))),
            console_gaps: count(|fault| matches!(fault, Fault::Gap(_))),
            worst: counts.worst,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed { "passed" } else { "MISSED" };
        writeln!(f, "drill {}, {} ({} times): {verdict}", self.number, self.drill, self.repetitions)?;
        let head = ["measured", "target", "p50", "p99", "max", ""];
        writeln!(f, "  {:<44} {:>12} {:>10} {:>10} {:>10}  {}", head[0], head[1], head[2], head[3], head[4], head[5])?;
        for figure in &self.figures {
            let target = match figure.target {
                None => "-".to_owned(),
                Some(Limit::P99(limit)) => format!("p99 {}", ms(limit)),
                Some(Limit::Max(limit)) => format!("max {}", ms(limit)),
            };
            let mark = if figure.met { "" } else { "missed" };
            let (p50, p99, max) = (ms(figure.p50), ms(figure.p99), ms(figure.max));
            writeln!(f, "  {:<44} {target:>12} {p50:>10} {p99:>10} {max:>10}  {mark}", figure.name)?;
        }
        let all = &self.operations;
        writeln!(
            f,
            "  {} operations ({} writes): {} refused, {} failed, {} unknown, {} retried, {} deferred{}, worst {}; \
             {} lost, {} twice, {} console gaps",
            all.tried,
            all.writes,
            all.refused,
            all.failed,
            all.unknown,
            all.retried,
            all.deferred.values().sum::<u64>(),
            reasons(&all.deferred),
            ms(all.worst),
            all.lost_writes,
            all.applied_twice,
            all.console_gaps
        )?;
        let mut faults = String::new();
        for fault in &self.faults {
            writeln!(faults, "  ! {}", fault.text())?;
        }
        f.write_str(&faults)
    }
}

fn reasons(deferred: &BTreeMap<&'static str, u64>) -> String {
    if deferred.is_empty() {
        return String::new();
    }
    let each: Vec<_> = deferred.iter().map(|(code, times)| format!("{code} {times}")).collect();
    format!(" ({})", each.join(", "))
}

fn ms(duration: std::time::Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}
