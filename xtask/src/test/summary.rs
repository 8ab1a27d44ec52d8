//! The summary of a test run: a table of the parts, the runners' own closing lines, and the sums.

use std::fmt;
use std::time::Duration;

use super::tally::{Report, Tally};
use crate::step::seconds;

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every test passed.
    Passed,
    /// Tests failed, or the part could not run; in words.
    Failed(String),
    /// The part did not run; in words.
    Skipped(String),
}

/// A part of a run.
#[derive(Debug)]
pub struct Row {
    name: String,
    verdict: Verdict,
    report: Option<Report>,
    took: Duration,
}

impl Row {
    /// A part without tests of its own.
    pub fn new(name: impl Into<String>, verdict: Verdict) -> Self {
        Self { name: name.into(), verdict, report: None, took: Duration::ZERO }
    }

    /// How long it took.
    #[must_use]
    pub fn after(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    /// What its runner reported.
    #[must_use]
    pub fn with(mut self, report: Option<Report>) -> Self {
        self.report = report;
        self
    }
}

/// All parts of a run.
#[derive(Debug, Default)]
pub struct Summary {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Summary {
    /// Adds a part.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a sentence that a reader of the figures must know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Whether no part failed.
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| !matches!(row.verdict, Verdict::Failed(_)))
    }

    fn total(&self) -> Tally {
        self.rows.iter().filter_map(|row| row.report.as_ref()).fold(Tally::default(), |sum, r| sum.plus(r.tally))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<24} {:>8} {:>8} {:>8} {:>12}  result", "part", "passed", "failed", "skipped", "time")?;
        for row in &self.rows {
            write!(f, "{:<24} ", row.name)?;
            match &row.report {
                Some(Report { tally, .. }) => {
                    write!(f, "{:>8} {:>8} {:>8} ", tally.passed, tally.failed, tally.skipped)?;
                }
                None => write!(f, "{:>8} {:>8} {:>8} ", "-", "-", "-")?,
            }
            write!(f, "{:>12}  ", seconds(row.took))?;
            match &row.verdict {
                Verdict::Passed => writeln!(f, "ok")?,
                Verdict::Failed(reason) => writeln!(f, "FAILED: {reason}")?,
                Verdict::Skipped(reason) => writeln!(f, "skipped: {reason}")?,
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        writeln!(f)?;
        for row in &self.rows {
            for line in row.report.iter().flat_map(|report| &report.closing) {
                writeln!(f, "{}: {line}", row.name)?;
            }
        }
        let total = self.total();
        writeln!(f, "\n{} passed, {} failed", total.passed, total.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::tally;

    #[test]
    fn the_last_line_sums_what_the_runners_reported() {
        let mut summary = Summary::default();
        let rust = tally::read("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        let web = tally::read("Tests  1 failed | 3 passed (4)");
        summary.add(Row::new("rust", Verdict::Passed).with(rust));
        assert!(summary.is_good());
        summary.add(Row::new("panel", Verdict::Failed("exit status: 1".into())).with(web));
        summary.add(Row::new("browser", Verdict::Skipped("left out by --fast".into())));
        let text = summary.to_string();
        assert!(text.ends_with("\n8 passed, 1 failed\n"), "{text}");
        assert!(text.contains("FAILED: exit status: 1") && text.contains("skipped: left out by --fast"), "{text}");
        assert!(!summary.is_good());
    }
}
