//! Console lines for one reader: from the shim while there is one, from the log on disk while there is none, and on
//! and on across restarts of the game, without a line twice and without a gap that is not announced.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use nodepanel_backbone::LineSender;
use nodepanel_shim::log::LogReader;
use nodepanel_types::wire::{
    ConsoleFrame,
    console::{Extent, Gap, GapCause},
};
use tokio::sync::watch;

use crate::runtime::{ConsoleFrom, Running};

/// Lines are read from disk in pieces of about this size.
const PIECE: usize = 64 * 1024;
/// The pause before a stream that broke is opened again.
const RETRY: Duration = Duration::from_millis(50);

/// Where lines come from now.
#[derive(Clone)]
pub enum Feed {
    /// Nothing will come.
    Closed,
    /// Nothing comes now; something may later.
    Pause,
    /// They come from this run.
    Live(Arc<dyn Running>),
}

/// What a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsoleQuery {
    /// What comes after this line.
    pub after: Option<u64>,
    /// The newest lines, this many.
    pub tail: Option<u64>,
    /// Go on with new lines.
    pub follow: bool,
    /// At most this many lines.
    pub limit: Option<u64>,
}

/// Sends what `query` asks for to `reader`, until that is all, or the reader is gone.
pub async fn pump(mut feed: watch::Receiver<Feed>, log_dir: PathBuf, query: ConsoleQuery, reader: LineSender) {
    let mut pump = Pump {
        log: LogReader::new(log_dir),
        after: query.after,
        tail: query.tail,
        left: query.limit,
        begun: false,
        reader,
    };
    loop {
        let now = feed.borrow_and_update().clone();
        let done = match &now {
            Feed::Live(run) => pump.live(run.as_ref(), query.follow).await,
            Feed::Closed | Feed::Pause => Done::Interrupted,
        };
        let done = match done {
            Done::Interrupted => pump.read_disk().await,
            other => other,
        };
        if matches!(done, Done::Reader) || !query.follow || matches!(now, Feed::Closed) {
            return;
        }
        tokio::select! {
            changed = feed.changed() => if changed.is_err() { return },
            () = pump.reader.closed() => return,
            () = tokio::time::sleep(RETRY), if matches!(now, Feed::Live(_)) => {}
        }
    }
}

/// How far a source brought us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// All that it had was sent.
    All,
    /// It broke off; what it had is on disk.
    Interrupted,
    /// The reader is gone or has as much as it wanted.
    Reader,
}

struct Pump {
    log: LogReader,
    after: Option<u64>,
    tail: Option<u64>,
    left: Option<u64>,
    /// The reader has been told what there is.
    begun: bool,
    reader: LineSender,
}

impl Pump {
    async fn live(&mut self, run: &dyn Running, follow: bool) -> Done {
        let from = match (self.after, self.tail) {
            (Some(after), _) => ConsoleFrom::After(after),
            (None, Some(tail)) => ConsoleFrom::Tail(tail),
            (None, None) => ConsoleFrom::After(0),
        };
        let Ok(mut frames) = run.console(from, follow).await else { return Done::Interrupted };
        while let Some(piece) = frames.next().await {
            let Ok(piece) = piece else { return Done::Interrupted };
            if !self.pass_on(&piece).await {
                return Done::Reader;
            }
        }
        // A stream that follows ends only with its shim.
        if follow { Done::Interrupted } else { Done::All }
    }

    /// Sends whole lines as they came; takes note of the last number.
    async fn pass_on(&mut self, piece: &Bytes) -> bool {
        if let Some(last) = last_number(piece) {
            self.after = Some(self.after.unwrap_or(0).max(last));
        }
        if self.left.is_none() && !self.begun {
            self.begun = true;
            return self.send(piece.clone()).await;
        }
        if self.left.is_none() && !piece.starts_with(b"{\"at\"") {
            return self.send(piece.clone()).await;
        }
        // Line by line: what there is was told before, or the reader wants only so many.
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            let is_line = line.starts_with(b"{\"n\"");
            if line.starts_with(b"{\"at\"") && self.begun {
                continue;
            }
            self.begun = true;
            if is_line && let Some(left) = &mut self.left {
                if *left == 0 {
                    return false;
                }
                *left -= 1;
            }
            if !self.send(piece.slice_ref(line)).await {
                return false;
            }
        }
        true
    }

    async fn read_disk(&mut self) -> Done {
        if !self.begun || self.after.is_none() {
            let log = self.log.clone();
            let Ok(Ok(extent)) = tokio::task::spawn_blocking(move || log.extent()).await else {
                return Done::All;
            };
            if !self.begun && !self.frame(&ConsoleFrame::At { at: extent }).await {
                return Done::Reader;
            }
            self.begun = true;
            if self.after.is_none() {
                self.after = Some(match self.tail {
                    Some(tail) => {
                        extent.next.saturating_sub(1).saturating_sub(tail).max(extent.first.saturating_sub(1))
                    }
                    None => extent.first.saturating_sub(1),
                });
            }
        }
        loop {
            let (log, after) = (self.log.clone(), self.after.unwrap_or(0));
            let slice = tokio::task::spawn_blocking(move || log.slice_after(after, PIECE)).await;
            let Ok(Ok(Some(slice))) = slice else { return Done::All };
            if slice.first > after.saturating_add(1) {
                let gap = Gap { from: after + 1, to: slice.first - 1, why: GapCause::Rotated };
                if !self.frame(&ConsoleFrame::Gap { gap }).await {
                    return Done::Reader;
                }
            }
            self.after = Some(slice.last.max(after));
            if !self.pass_on(&Bytes::from(slice.ndjson)).await {
                return Done::Reader;
            }
        }
    }

    async fn frame(&self, frame: &ConsoleFrame) -> bool {
        self.reader.send_json(frame).await.is_ok()
    }

    async fn send(&self, mut piece: Bytes) -> bool {
        if piece.last() == Some(&b'\n') {
            piece.truncate(piece.len() - 1);
        }
        self.reader.send(piece).await.is_ok()
    }
}

/// The highest line number that a piece accounts for.
fn last_number(piece: &[u8]) -> Option<u64> {
    piece.split(|byte| *byte == b'\n').rev().filter(|line| !line.is_empty()).find_map(|line| {
        match serde_json::from_slice::<ConsoleFrame>(line).ok()? {
            ConsoleFrame::Line(line) => Some(line.n),
            ConsoleFrame::Gap { gap } => Some(gap.to),
            ConsoleFrame::At { at: Extent { .. } } => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_accounts_for_its_last_line_or_gap() {
        let line = br#"{"n":17,"t":5,"k":"out","s":"hi"}"#;
        let gap = br#"{"gap":{"from":18,"to":90,"why":"slow_reader"}}"#;
        let at = br#"{"at":{"first":1,"next":91}}"#;
        let piece = |lines: &[&[u8]]| lines.join(&b'\n');
        assert_eq!(last_number(&piece(&[line, gap, at, b""])), Some(90));
        assert_eq!(last_number(&piece(&[line, at])), Some(17));
        assert_eq!(last_number(at), None);
    }
}
