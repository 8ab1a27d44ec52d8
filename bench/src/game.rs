//! The game that is measured: it says when it was born and obeys its standard input, a line at a time.
//!
//! - `stop` ends it;
//! - `tick COUNT MICROS` prints COUNT lines `tick <nanoseconds since the Unix epoch>`, MICROS apart;
//! - `flood COUNT` prints COUNT lines as fast as they are taken.

use std::{
    io::{self, BufRead as _, Write as _},
    time::{Duration, Instant},
};

use rustix::thread::nanosleep;

use crate::clock::nanos;

/// A line of the usual length.
const FLOOD: &str = "[12:34:56] [Server thread/INFO]: Somebody walked from here to there and back again";

/// Plays until it is told to stop or nobody listens any more.
pub fn play(born: i64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "born {born}")?;
    writeln!(out, "ready")?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let command = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
        match command {
            Some("stop") => return Ok(()),
            Some("tick") => {
                let (count, pause) = (number(), Duration::from_micros(number()));
                let begin = Instant::now();
                for turn in 1..=count {
                    writeln!(out, "tick {}", nanos())?;
                    out.flush()?;
                    let next = begin + pause.saturating_mul(u32::try_from(turn).unwrap_or(u32::MAX));
                    sleep(next.saturating_duration_since(Instant::now()));
                }
            }
            Some("flood") => {
                let mut buffered = io::BufWriter::with_capacity(64 * 1024, &mut out);
                for turn in 1..=number() {
                    writeln!(buffered, "{FLOOD} {turn}")?;
                }
                buffered.flush()?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A pause between two lines is the game's nature, not a wait for anything.
fn sleep(pause: Duration) {
    let seconds = i64::try_from(pause.as_secs()).unwrap_or(i64::MAX);
    // Woken early, the game is a little early; nothing depends on it.
    let _ = nanosleep(&rustix::time::Timespec { tv_sec: seconds, tv_nsec: i64::from(pause.subsec_nanos()) });
}
