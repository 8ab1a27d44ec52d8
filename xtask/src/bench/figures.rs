//! The form in which bench programs report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a bench program prints with `--json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Everything it measured.
    pub figures: Vec<Figure>,
}

/// One measured quantity.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What, in words: `durable write, p50`.
    pub name: String,
    /// In what: `ms`, `1/s`, `MiB`.
    pub unit: String,
    /// The median of the runs.
    pub median: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
    /// How many runs there were.
    pub runs: u32,
    /// What we want it to be, in words: `<= 5 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aim: Option<String>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, median, min, max, runs, aim } = self;
        write!(f, "{name:<48} {} {unit} ({} .. {}, {runs} runs)", short(*median), short(*min), short(*max))?;
        aim.as_ref().map_or(Ok(()), |aim| write!(f, "  aim {aim}"))
    }
}

/// Three digits that mean something are enough.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_reads_as_one_line() {
        let document = r#"{"figures":[{"name":"durable write, p50","unit":"ms","median":0.1301,"min":0.12,
            "max":1.5,"runs":5,"aim":"<= 1 ms"}]}"#;
        let document: Document = serde_json::from_str(document).unwrap();
        let line = document.figures[0].to_string();
        assert!(line.starts_with("durable write, p50 "), "{line}");
        assert!(line.ends_with("0.130 ms (0.120 .. 1.50, 5 runs)  aim <= 1 ms"), "{line}");
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(serde_json::from_str::<Document>(r#"{"figures":[],"figure":1}"#).is_err());
    }
}
