//! The form in which bench programs report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One measured quantity: a line of JSON from a bench program.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What, in words: `durable write`.
    pub name: String,
    /// In what: `ms`, `1/s`, `MiB`.
    pub unit: String,
    /// The median of the samples.
    pub median: f64,
    /// The value that 99 of 100 samples do not exceed, where there are enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
    /// How many there were.
    pub samples: u64,
    /// What we want it to be, in words: `<= 5 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aim: Option<String>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, median, p99, min, max, samples, aim } = self;
        write!(f, "{name:<52} {:>8} {unit} (", short(*median))?;
        if let Some(p99) = p99 {
            write!(f, "p99 {}, ", short(*p99))?;
        }
        write!(f, "{} to {}, {samples} samples)", short(*min), short(*max))?;
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
        let line = r#"{"name":"durable write","unit":"ms","median":0.1301,"p99":1.2,"min":0.12,"max":15.04,
            "samples":5,"aim":"<= 1 ms"}"#;
        let figure: Figure = serde_json::from_str(line).unwrap();
        let line = figure.to_string();
        assert!(line.starts_with("durable write "), "{line}");
        assert!(line.ends_with(" 0.130 ms (p99 1.20, 0.120 to 15.0, 5 samples)  aim <= 1 ms"), "{line}");
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let line = r#"{"name":"x","unit":"ms","median":1,"min":1,"max":1,"samples":1,"aims":"<= 1 ms"}"#;
        assert!(serde_json::from_str::<Figure>(line).is_err());
    }
}
