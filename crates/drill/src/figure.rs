//! Figures: what was measured, held against its target.

use std::time::Duration;

use serde::Serialize;

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The 99th percentile is at most this; with fewer than 100 samples that is the worst.
    P99(#[serde(serialize_with = "millis")] Duration),
    /// Every sample is at most this.
    Max(#[serde(serialize_with = "millis")] Duration),
}

/// Something that was timed once in each repetition.
#[derive(Debug, Clone)]
pub struct Timed {
    /// What.
    pub name: &'static str,
    /// The target, when there is one.
    pub limit: Option<Limit>,
    /// The samples.
    pub samples: Vec<Duration>,
}

impl Timed {
    /// Nothing measured yet.
    pub const fn new(name: &'static str, limit: Option<Limit>) -> Self {
        Self { name, limit, samples: Vec::new() }
    }

    /// The figure; `None` when nothing was measured.
    pub fn figure(&self) -> Option<Figure> {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        let (p50, p99) = (percentile(&sorted, 50)?, percentile(&sorted, 99)?);
        let met = match self.limit {
            None => true,
            Some(Limit::P99(limit)) => p99 <= limit,
            Some(Limit::Max(limit)) => max <= limit,
        };
        Some(Figure { name: self.name, target: self.limit, p50, p99, max, samples: sorted.len(), met })
    }
}

/// A timed figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What.
    pub name: &'static str,
    /// What it should be, in milliseconds.
    pub target: Option<Limit>,
    /// The median, in milliseconds.
    #[serde(rename = "p50_ms", serialize_with = "millis")]
    pub p50: Duration,
    /// The 99th percentile, in milliseconds.
    #[serde(rename = "p99_ms", serialize_with = "millis")]
    pub p99: Duration,
    /// The worst, in milliseconds.
    #[serde(rename = "max_ms", serialize_with = "millis")]
    pub max: Duration,
    /// How often it was measured.
    pub samples: usize,
    /// Whether it is as it should be.
    pub met: bool,
}

/// The smallest sample that `percent` of them do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

pub(crate) fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(limit: Option<Limit>, millis: impl IntoIterator<Item = u64>) -> Figure {
        let samples = millis.into_iter().map(Duration::from_millis).collect();
        Timed { name: "x", limit, samples }.figure().unwrap()
    }

    #[test]
    fn percentiles_are_samples() {
        let figure = timed(None, (1..=200).rev());
        let ms = Duration::from_millis;
        assert_eq!((figure.p50, figure.p99, figure.max), (ms(100), ms(198), ms(200)));
        assert_eq!(Timed::new("x", None).figure(), None);
    }

    #[test]
    fn a_target_is_met_or_not() {
        let limit = Duration::from_millis(198);
        assert!(timed(Some(Limit::P99(limit)), 1..=200).met);
        assert!(!timed(Some(Limit::Max(limit)), 1..=200).met);
        assert!(!timed(Some(Limit::P99(limit)), [1, 2, 199]).met, "few samples: the worst counts");
    }
}
