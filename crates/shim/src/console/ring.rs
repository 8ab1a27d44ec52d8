//! The newest lines, encoded once, in bounded memory.
//!
//! Lines lie in chunks of a few kilobytes as the NDJSON that readers are sent, so that a reader is served by
//! copying bytes, and thousands of short lines cost no allocation each. The ring holds
//! `limits::CONSOLE_RING_LINES` lines or [`RING_BYTES`], whichever is less.

use std::collections::VecDeque;

use nodepanel_types::limits::CONSOLE_RING_LINES;

/// The most memory that lines may take: 10,000 lines of usual length.
pub(crate) const RING_BYTES: usize = 1536 * 1024;

const CHUNK_BYTES: usize = 16 * 1024;

/// The ring. Its lines are consecutive.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    lines: usize,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    /// Where each line ends in `data`.
    ends: Vec<u32>,
    data: Vec<u8>,
}

/// Consecutive lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RingSlice {
    /// The number after the last line.
    pub(crate) next: u64,
}

impl Ring {
    /// The oldest number, `None` when there is no line.
    pub(crate) fn first(&self) -> Option<u64> {
        self.chunks.front().map(|chunk| chunk.first)
    }

    /// Adds the line with number `n`, which must be the one after the last.
    pub(crate) fn push(&mut self, n: u64, record: &[u8]) {
        let fits = self.chunks.back().is_some_and(|chunk| chunk.data.len() + record.len() <= CHUNK_BYTES);
        if !fits {
            if let Some(full) = self.chunks.back_mut() {
                full.data.shrink_to_fit();
                full.ends.shrink_to_fit();
            }
            self.chunks.push_back(Chunk { first: n, ends: Vec::new(), data: Vec::new() });
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.data.extend_from_slice(record);
            chunk.ends.push(u32::try_from(chunk.data.len()).unwrap_or(u32::MAX));
            self.bytes += record.len();
            self.lines += 1;
        }
        while self.chunks.len() > 1
            && self
                .chunks
                .front()
                .is_some_and(|oldest| self.bytes > RING_BYTES || self.lines - oldest.ends.len() >= CONSOLE_RING_LINES)
        {
            if let Some(oldest) = self.chunks.pop_front() {
                self.bytes -= oldest.data.len();
                self.lines -= oldest.ends.len();
            }
        }
    }

    /// Copies the lines from number `from` on to the end of `out`, up to but without number `limit`, until `out`
    /// has about `max_bytes` (at least one line). `None` when line `from` is not here.
    pub(crate) fn read(&self, from: u64, limit: u64, max_bytes: usize, out: &mut Vec<u8>) -> Option<RingSlice> {
        let index = self.chunks.partition_point(|chunk| chunk.first <= from).checked_sub(1)?;
        let mut next = from;
        for chunk in self.chunks.iter().skip(index) {
            let skip = usize::try_from(next - chunk.first).ok()?;
            let mut begin = match skip.checked_sub(1) {
                Some(before) => *chunk.ends.get(before)? as usize,
                None => 0,
            };
            for end in chunk.ends.iter().skip(skip) {
                if next >= limit || (next > from && out.len() >= max_bytes) {
                    return (next > from).then_some(RingSlice { next });
                }
                out.extend_from_slice(chunk.data.get(begin..*end as usize)?);
                begin = *end as usize;
                next += 1;
            }
        }
        (next > from).then_some(RingSlice { next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(lines: u64, width: usize) -> Ring {
        let mut ring = Ring::default();
        for n in 1..=lines {
            ring.push(n, format!("{n:width$}\n").as_bytes());
        }
        ring
    }

    #[test]
    fn lines_come_back_in_order_from_any_number_on() {
        let ring = filled(5_000, 20);
        for from in [1, 2, 777, 4_999, 5_000] {
            let mut out = Vec::new();
            assert_eq!(ring.read(from, u64::MAX, usize::MAX, &mut out), Some(RingSlice { next: 5_001 }));
            let numbers: Vec<u64> =
                String::from_utf8(out).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect();
            assert_eq!(numbers, (from..=5_000).collect::<Vec<_>>());
        }
        let mut out = Vec::new();
        assert_eq!(ring.read(5_001, u64::MAX, 100, &mut out), None);
        assert_eq!(ring.read(10, 12, 1_000, &mut out), Some(RingSlice { next: 12 }));
    }

    #[test]
    fn it_keeps_what_was_promised_and_no_more() {
        let ring = filled(25_000, 40);
        let first = ring.first().unwrap();
        assert!(25_001 - first >= CONSOLE_RING_LINES as u64, "first is {first}");
        assert!(25_001 - first < 2 * CONSOLE_RING_LINES as u64);
        let ring = filled(25_000, 4_000);
        assert!(ring.bytes <= RING_BYTES);
        let mut out = Vec::new();
        assert_eq!(ring.read(1, u64::MAX, 1_000, &mut out), None);
    }
}
