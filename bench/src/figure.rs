//! Figures: the lines of JSON that `cargo xtask bench` collects.

use serde::Serialize;

/// From this many samples on, the 99th percentile says something.
const ENOUGH_FOR_P99: usize = 100;

/// One measured quantity.
#[derive(Debug, Serialize)]
pub struct Figure {
    name: String,
    unit: &'static str,
    median: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    min: f64,
    max: f64,
    samples: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    aim: Option<&'static str>,
}

impl Figure {
    /// What the samples say.
    ///
    /// # Errors
    ///
    /// When there are none: then nothing was measured.
    pub fn of(name: impl Into<String>, unit: &'static str, mut samples: Vec<f64>) -> anyhow::Result<Self> {
        let name = name.into();
        samples.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (samples.first(), samples.last()) else {
            anyhow::bail!("there is no sample of: {name}");
        };
        let median = quantile(&samples, 50).unwrap_or(min);
        let p99 = (samples.len() >= ENOUGH_FOR_P99).then(|| quantile(&samples, 99)).flatten();
        Ok(Self { name, unit, median, p99, min, max, samples: samples.len(), aim: None })
    }

    /// What we want it to be, in words.
    #[must_use]
    pub fn aim(self, aim: &'static str) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// Prints it as one line.
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::json!(self));
            return;
        }
        let Self { name, unit, median, min, max, samples, .. } = self;
        let p99 = self.p99.map(|p99| format!("p99 {p99:.3}, ")).unwrap_or_default();
        let aim = self.aim.map(|aim| format!("  aim {aim}")).unwrap_or_default();
        println!("{name:<64} {median:>10.3} {unit} ({p99}{min:.3} to {max:.3}, {samples} samples){aim}");
    }
}

/// The smallest value that `percent` of the sorted samples do not exceed.
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let figure = Figure::of("x", "ms", (1..=200).rev().map(f64::from).collect()).unwrap();
        assert_eq!((figure.median, figure.p99, figure.min, figure.max), (100.0, Some(198.0), 1.0, 200.0));
        let few = Figure::of("x", "ms", vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((few.median, few.p99), (2.0, None));
        assert!(Figure::of("x", "ms", Vec::new()).is_err());
    }
}
