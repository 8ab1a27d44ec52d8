//! The last hour of a server, and the mean of the minute that runs.

use nodepanel_types::{limits::STATS_LIVE_SECONDS, stats::Sample};

use super::Packed;

/// Room is added for this many samples at a time: a server that ran for a minute does not pay for an hour.
const CHUNK: usize = 300;

/// A ring of the samples of one server.
#[derive(Debug, Default)]
pub struct Series {
    samples: Vec<Packed>,
    /// Where the oldest sample is, once the ring is full.
    oldest: usize,
    minute: MinuteMean,
}

impl Series {
    /// Adds a sample. Returns a minute that is complete with it: its number since the Unix epoch, and its means.
    pub fn push(&mut self, sample: &Sample) -> Option<(u64, Packed)> {
        let packed = Packed::new(sample);
        if self.samples.len() < STATS_LIVE_SECONDS {
            if self.samples.len() == self.samples.capacity() {
                self.samples.reserve_exact(CHUNK.min(STATS_LIVE_SECONDS - self.samples.len()));
            }
            self.samples.push(packed);
        } else {
            if let Some(slot) = self.samples.get_mut(self.oldest) {
                *slot = packed;
            }
            self.oldest = (self.oldest + 1) % STATS_LIVE_SECONDS;
        }
        self.minute.add(sample)
    }

    /// The samples, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        let (newer, older) = self.samples.split_at(self.oldest.min(self.samples.len()));
        older.iter().chain(newer).map(Packed::unpack).collect()
    }
}

/// Sums of the minute that runs.
#[derive(Debug, Default)]
struct MinuteMean {
    minute: u64,
    cpu: Mean,
    memory: Mean,
    network_in: Mean,
    network_out: Mean,
    players: Mean,
    last: Option<Sample>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "means of unsigned figures")]
    fn whole(self) -> Option<u64> {
        self.value().map(|value| value.round() as u64)
    }
}

impl MinuteMean {
    fn add(&mut self, sample: &Sample) -> Option<(u64, Packed)> {
        let minute = sample.at.as_millis().max(0).unsigned_abs() / 60_000;
        let complete = if minute == self.minute { None } else { self.take() };
        self.minute = minute;
        self.cpu.add(sample.cpu_percent.map(f64::from));
        #[expect(clippy::cast_precision_loss, reason = "means need no 53 bits")]
        let float = |value: Option<u64>| value.map(|value| value as f64);
        self.memory.add(float(sample.memory_bytes));
        self.network_in.add(float(sample.network_in_bps));
        self.network_out.add(float(sample.network_out_bps));
        self.players.add(sample.players.map(f64::from));
        self.last = Some(*sample);
        complete
    }

    fn take(&mut self) -> Option<(u64, Packed)> {
        let sums = std::mem::take(self);
        let last = sums.last?;
        #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
        let mean = Sample {
            at: nodepanel_types::Timestamp::from_millis(i64::try_from(sums.minute * 60_000).unwrap_or(i64::MAX)),
            cpu_percent: sums.cpu.value().map(|value| value as f32),
            memory_bytes: sums.memory.whole(),
            disk_bytes: last.disk_bytes,
            network_in_bps: sums.network_in.whole(),
            network_out_bps: sums.network_out.whole(),
            uptime_s: last.uptime_s,
            players: sums.players.whole().and_then(|players| u32::try_from(players).ok()),
            players_max: None,
        };
        Some((sums.minute, Packed::new(&mean)))
    }
}

#[cfg(test)]
mod tests {
    use nodepanel_types::Timestamp;

    use super::*;

    fn sample(second: i64, cpu: f32) -> Sample {
        Sample {
            at: Timestamp::from_millis(second * 1_000),
            cpu_percent: Some(cpu),
            memory_bytes: Some(1_024_000),
            disk_bytes: None,
            network_in_bps: None,
            network_out_bps: None,
            uptime_s: Some(second.unsigned_abs()),
            players: None,
            players_max: None,
        }
    }

    #[test]
    fn the_ring_keeps_the_last_hour_in_order() {
        let mut series = Series::default();
        for second in 0..4_000 {
            series.push(&sample(second, 1.0));
        }
        let samples = series.samples();
        assert_eq!(samples.len(), STATS_LIVE_SECONDS);
        assert_eq!(samples.first().unwrap().uptime_s, Some(400));
        assert_eq!(samples.last().unwrap().uptime_s, Some(3_999));
        assert!(samples.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert!(series.samples.capacity() * size_of::<Packed>() <= 101_000);
    }

    #[test]
    fn a_minute_is_averaged_once_it_is_over() {
        let mut series = Series::default();
        for second in 60..120 {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let cpu = (second % 2 * 10) as f32;
            assert_eq!(series.push(&sample(second, cpu)), None);
        }
        let (minute, mean) = series.push(&sample(120, 0.0)).unwrap();
        let mean = mean.unpack();
        assert_eq!((minute, mean.cpu_percent, mean.network_in_bps), (1, Some(5.0), None));
        assert_eq!(mean.at, Timestamp::from_millis(60_000));
    }
}
