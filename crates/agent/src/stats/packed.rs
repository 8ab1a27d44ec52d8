//! A sample in 28 bytes: an hour of a server at one sample a second takes 100 KB.

use nodepanel_types::{Timestamp, stats::Sample};

const NO_SHORT: u16 = u16::MAX;
const NO_WORD: u32 = u32::MAX;
/// Blocks in which disk space is counted.
const BLOCK: u64 = 4_096;

/// A packed sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Seconds since the Unix epoch.
    at: u32,
    /// Tenths of a percent of one core.
    cpu: u16,
    players: u16,
    memory_kib: u32,
    disk_blocks: u32,
    /// In units of 16 bytes per second: up to 64 GB/s.
    network_in: u32,
    network_out: u32,
    uptime_s: u32,
}

impl Packed {
    /// The size of its form on disk.
    pub const BYTES: usize = 28;

    /// Packs a sample; what is too large becomes the largest that there is room for.
    pub fn new(sample: &Sample) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the type's range")]
        let cpu = sample.cpu_percent.map_or(NO_SHORT, |percent| (percent * 10.0).round().clamp(0.0, 65_534.0) as u16);
        Self {
            at: word(Some(sample.at.as_millis().max(0).unsigned_abs() / 1_000)),
            cpu,
            players: sample.players.map_or(NO_SHORT, |players| u16::try_from(players).unwrap_or(NO_SHORT - 1)),
            memory_kib: word(sample.memory_bytes.map(|bytes| bytes / 1_024)),
            disk_blocks: word(sample.disk_bytes.map(|bytes| bytes.div_ceil(BLOCK))),
            network_in: word(sample.network_in_bps.map(|bytes| bytes.div_ceil(16))),
            network_out: word(sample.network_out_bps.map(|bytes| bytes.div_ceil(16))),
            uptime_s: word(sample.uptime_s),
        }
    }

    /// When it was taken.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.at) * 1_000)
    }

    /// The sample, in the resolution in which it was kept.
    pub fn unpack(&self) -> Sample {
        Sample {
            at: self.at(),
            cpu_percent: (self.cpu != NO_SHORT).then(|| f32::from(self.cpu) / 10.0),
            memory_bytes: unword(self.memory_kib).map(|kib| kib * 1_024),
            disk_bytes: unword(self.disk_blocks).map(|blocks| blocks * BLOCK),
            network_in_bps: unword(self.network_in).map(|units| units * 16),
            network_out_bps: unword(self.network_out).map(|units| units * 16),
            uptime_s: unword(self.uptime_s),
            players: (self.players != NO_SHORT).then(|| u32::from(self.players)),
            players_max: None,
        }
    }

    /// Its form on disk: the fields in order, little-endian.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [self.memory_kib, self.disk_blocks, self.network_in, self.network_out, self.uptime_s];
        let fields = self
            .at
            .to_le_bytes()
            .into_iter()
            .chain(self.cpu.to_le_bytes())
            .chain(self.players.to_le_bytes())
            .chain(words.into_iter().flat_map(u32::to_le_bytes));
        for (byte, value) in bytes.iter_mut().zip(fields) {
            *byte = value;
        }
        bytes
    }

    /// Reads the form on disk; `None` when it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let short = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
        Some(Self {
            at: word(0)?,
            cpu: short(4)?,
            players: short(6)?,
            memory_kib: word(8)?,
            disk_blocks: word(12)?,
            network_in: word(16)?,
            network_out: word(20)?,
            uptime_s: word(24)?,
        })
    }
}

fn word(value: Option<u64>) -> u32 {
    value.map_or(NO_WORD, |value| u32::try_from(value).unwrap_or(NO_WORD).min(NO_WORD - 1))
}

fn unword(word: u32) -> Option<u64> {
    (word != NO_WORD).then(|| u64::from(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_survives_packing_and_the_disk() {
        let sample = Sample {
            at: Timestamp::from_millis(1_795_334_400_000),
            cpu_percent: Some(123.4),
            memory_bytes: Some(64 * 1024 * 1024),
            disk_bytes: Some(40_960),
            network_in_bps: None,
            network_out_bps: Some(1_600),
            uptime_s: Some(7),
            players: None,
            players_max: None,
        };
        let packed = Packed::new(&sample);
        assert_eq!(packed.unpack(), sample);
        assert_eq!(Packed::from_bytes(&packed.to_bytes()), Some(packed));
        assert_eq!(Packed::from_bytes(&[0; 4]), None);
        assert!(size_of::<Packed>() <= Packed::BYTES);
    }

    #[test]
    fn what_was_not_measured_stays_unknown_and_zero_stays_zero() {
        let none = Sample {
            at: Timestamp::EPOCH,
            cpu_percent: Some(0.0),
            memory_bytes: None,
            disk_bytes: Some(0),
            network_in_bps: None,
            network_out_bps: None,
            uptime_s: None,
            players: Some(0),
            players_max: None,
        };
        assert_eq!(Packed::new(&none).unpack(), none);
    }
}
