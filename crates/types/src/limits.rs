//! Sizes that several parts must agree on.

use crate::Millis;

/// Console lines that a shim keeps in memory for readers that resume.
pub const CONSOLE_RING_LINES: usize = 10_000;
/// A console line longer than this many bytes is split.
pub const CONSOLE_LINE_BYTES: usize = 4_096;
/// The longest command that may be typed into a console, in bytes.
pub const COMMAND_BYTES: usize = 2_048;
/// The largest JSON body that the API reads, in bytes.
pub const API_BODY_BYTES: usize = 1024 * 1024;
/// The largest template, in bytes of TOML.
pub const TEMPLATE_BYTES: usize = 256 * 1024;
/// Seconds of statistics at one sample per second that an agent keeps in memory.
pub const STATS_LIVE_SECONDS: usize = 3_600;
/// Minutes of statistics at one sample per minute that an agent keeps on disk.
pub const STATS_HISTORY_MINUTES: u64 = 7 * 24 * 60;
/// How long an answer to a keyed write is kept: 24 hours.
pub const IDEMPOTENCY_TTL_MS: Millis = 24 * 60 * 60 * 1_000;
