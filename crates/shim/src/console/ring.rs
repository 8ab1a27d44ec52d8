//! The newest lines, encoded once, in bounded memory.
//!
//! Lines lie in chunks of a few kilobytes as the NDJSON that readers are sent, so that a reader is served by
//! copying bytes, and thousands of short lines cost no allocation each. The newest chunks, which everybody who
//! follows reads, lie there as they are; the others are packed, which takes a fourth to a tenth of the memory. The
//! ring holds `limits::CONSOLE_RING_LINES` lines or [`RING_BYTES`], whichever is less; older ones are on disk.

use std::{borrow::Cow, collections::VecDeque};

use lz4_flex::block::{compress, decompress};
use nodepanel_types::limits::CONSOLE_RING_LINES;

/// The most memory that lines may take: 10,000 long lines that pack badly.
pub(crate) const RING_BYTES: usize = 768 * 1024;

/// The bytes of a chunk before it is packed.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks that are not packed: more than one piece of what readers are sent.
const OPEN_CHUNKS: usize = 5;

/// The ring. Its lines are consecutive.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    chunks: VecDeque<Chunk>,
    /// The memory that all chunks take.
    bytes: usize,
    lines: usize,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    lines: usize,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Whole records, and where each of them ends.
    Open { data: Vec<u8>, ends: Vec<u32> },
    /// Whole records that take `size` bytes, packed.
    Packed { block: Box<[u8]>, size: usize },
}

/// Consecutive lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RingSlice {
    /// The number after the last line.
    pub(crate) next: u64,
}

impl Chunk {
    /// The memory that it takes, roughly: a buffer that grows has room for as much again.
    fn memory(&self) -> usize {
        match &self.body {
            Body::Open { data, ends } => data.len() + ends.len() * size_of::<u32>(),
            Body::Packed { block, .. } => block.len(),
        }
    }

    fn add(&mut self, record: &[u8]) {
        if let Body::Open { data, ends } = &mut self.body {
            data.extend_from_slice(record);
            ends.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
            self.lines += 1;
        }
    }

    fn pack(&mut self) {
        if let Body::Open { data, .. } = &self.body {
            self.body = Body::Packed { block: compress(data).into(), size: data.len() };
        }
    }

    /// The records from the one with index `skip` on.
    fn records(&self, skip: usize) -> Option<Cow<'_, [u8]>> {
        match &self.body {
            Body::Open { data, ends } => {
                let begin = match skip.checked_sub(1) {
                    Some(before) => *ends.get(before)? as usize,
                    None => 0,
                };
                data.get(begin..).map(Cow::Borrowed)
            }
            Body::Packed { block, size } => {
                let mut data = decompress(block, *size).ok()?;
                let begin: usize = data.split_inclusive(|byte| *byte == b'\n').take(skip).map(<[u8]>::len).sum();
                data.drain(..begin);
                Some(Cow::Owned(data))
            }
        }
    }
}

impl Ring {
    /// The oldest number, `None` when there is no line.
    pub(crate) fn first(&self) -> Option<u64> {
        self.chunks.front().map(|chunk| chunk.first)
    }

    /// Adds the line with number `n`, which must be the one after the last: a record that ends with the only line feed
    /// in it.
    pub(crate) fn push(&mut self, n: u64, record: &[u8]) {
        let fits = self.chunks.back().is_some_and(|chunk| chunk.memory() + record.len() <= CHUNK_BYTES);
        if !fits {
            self.pack_one();
            self.chunks.push_back(Chunk {
                first: n,
                lines: 0,
                body: Body::Open { data: Vec::with_capacity(record.len()), ends: Vec::new() },
            });
        }
        if let Some(chunk) = self.chunks.back_mut() {
            self.bytes -= chunk.memory();
            chunk.add(record);
            self.bytes += chunk.memory();
            self.lines += 1;
        }
        while self.chunks.len() > 1
            && self
                .chunks
                .front()
                .is_some_and(|oldest| self.bytes > RING_BYTES || self.lines - oldest.lines >= CONSOLE_RING_LINES)
        {
            if let Some(oldest) = self.chunks.pop_front() {
                self.bytes -= oldest.memory();
                self.lines -= oldest.lines;
            }
        }
    }

    /// Packs the chunk that is not among the newest any more once one more is added.
    fn pack_one(&mut self) {
        let Some(index) = self.chunks.len().checked_sub(OPEN_CHUNKS) else { return };
        if let Some(chunk) = self.chunks.get_mut(index) {
            self.bytes -= chunk.memory();
            chunk.pack();
            self.bytes += chunk.memory();
        }
    }

    /// Copies the lines from number `from` on to the end of `out`, up to but without number `limit`, until `out`
    /// has about `max_bytes` (at least one line). `None` when line `from` is not here.
    pub(crate) fn read(&self, from: u64, limit: u64, max_bytes: usize, out: &mut Vec<u8>) -> Option<RingSlice> {
        let index = self.chunks.partition_point(|chunk| chunk.first <= from).checked_sub(1)?;
        let mut next = from;
        for chunk in self.chunks.iter().skip(index) {
            let records = chunk.records(usize::try_from(next - chunk.first).ok()?)?;
            for record in records.split_inclusive(|byte| *byte == b'\n') {
                if next >= limit || (next > from && out.len() >= max_bytes) {
                    return (next > from).then_some(RingSlice { next });
                }
                out.extend_from_slice(record);
                next += 1;
            }
        }
        (next > from).then_some(RingSlice { next })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

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
    fn what_is_packed_is_read_as_it_was_and_takes_little_memory() {
        let line = |n: u64| {
            format!(
                "{{\"n\":{n},\"t\":{},\"k\":\"out\",\"s\":\"[12:34:56] [Server thread/INFO]: Somebody walked from here to there and back {n}\"}}\n",
                1_795_347_969_561 + n * 17
            )
        };
        let mut ring = Ring::default();
        let mut all = 0;
        for n in 1..=12_000 {
            all += line(n).len();
            ring.push(n, line(n).as_bytes());
        }
        let first = ring.first().unwrap();
        assert!(12_001 - first >= CONSOLE_RING_LINES as u64);
        assert!(ring.bytes < all / 3, "{} of {all} bytes", ring.bytes);
        let held: usize = ring.chunks.iter().map(Chunk::memory).sum();
        assert_eq!(ring.bytes, held);
        for from in [first, first + 1, 7_001, 11_990] {
            let (mut next, mut text) = (from, String::new());
            while next < 12_001 {
                let mut piece = Vec::new();
                next = ring.read(next, u64::MAX, 3_000, &mut piece).unwrap().next;
                text.push_str(&String::from_utf8(piece).unwrap());
            }
            assert_eq!(text, (from..=12_000).map(line).collect::<String>());
        }
    }

    #[test]
    fn it_keeps_what_was_promised_and_no_more() {
        let ring = filled(25_000, 40);
        let first = ring.first().unwrap();
        assert!(25_001 - first >= CONSOLE_RING_LINES as u64, "first is {first}");
        assert!(25_001 - first < 2 * CONSOLE_RING_LINES as u64);
        let mut ring = Ring::default();
        let mut noise = 1_u64;
        for n in 1..=5_000 {
            let mut record = String::new();
            while record.len() < 4_000 {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                write!(record, "{:x}", noise >> 16).unwrap();
            }
            record.push('\n');
            ring.push(n, record.as_bytes());
        }
        assert!(ring.bytes <= RING_BYTES);
        let mut out = Vec::new();
        assert_eq!(ring.read(1, u64::MAX, 1_000, &mut out), None);
    }
}
