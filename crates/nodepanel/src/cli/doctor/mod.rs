//! `nodepanel doctor`: looks at this machine and explains. Changes nothing.

mod checks;

use serde::Serialize;

use super::output;
use crate::{
    exit::Exit,
    local::{Config, DataDir, Notice},
};

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Works, but weaker than it could.
    Weak,
    /// Does not work.
    Wrong,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was looked at, for example `disk`.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, what it means and what to do.
    pub text: String,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { check, verdict, text: text.into() }
    }
}

/// Looks at everything and prints what was found.
///
/// `notice` is what there is to say of the operator's configuration beside the one in force.
pub async fn run(data_dir: &DataDir, config: &Config, notice: Option<&Notice>, json: bool) -> anyhow::Result<Exit> {
    let mut findings = vec![configuration(data_dir, notice)];
    findings.extend(checks::all(data_dir, config).await);
    print(&findings, json)
}

fn configuration(data_dir: &DataDir, notice: Option<&Notice>) -> Finding {
    let (verdict, mut text) = match notice {
        None if data_dir.config().exists() => (Verdict::Fine, format!("{} is in force.", data_dir.config().display())),
        None => (Verdict::Fine, "There is no nodepanel.toml; the defaults are in force.".to_owned()),
        Some(Notice::Broken(text)) => (Verdict::Wrong, text.clone()),
        Some(Notice::Waiting(text)) => (Verdict::Weak, text.clone()),
    };
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    Finding::new("config", verdict, text)
}

/// Says that the configuration is wrong: nothing else can be looked at without it.
pub fn of_configuration(error: &str, json: bool) -> anyhow::Result<Exit> {
    let error = error.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let text =
        format!("{error}. Nothing new starts with it; what runs already goes on. Put it right and run this again.");
    print(&[Finding::new("config", Verdict::Wrong, text)], json)
}

fn print(findings: &[Finding], json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(findings)?;
    } else {
        for finding in findings {
            let mark = match finding.verdict {
                Verdict::Fine => "ok   ",
                Verdict::Weak => "weak ",
                Verdict::Wrong => "WRONG",
            };
            output::line(format_args!("{mark} {:<12} {}", finding.check, output::plain(&finding.text)))?;
        }
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Ok(if worst == Some(Verdict::Wrong) { Exit::Findings } else { Exit::Done })
}
