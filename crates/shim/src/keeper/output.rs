//! From the game's output to console lines.

use std::{rc::Rc, time::Duration};

use nodepanel_types::wire::LineKind;
use tokio::{io::AsyncReadExt as _, net::unix::pipe, time::timeout};

use super::desk::Desk;
use crate::console::without_colours;

/// After this time without more, the beginning of a line is shown: it may be a prompt.
const QUIET: Duration = Duration::from_millis(150);

/// As much as a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// Reads until nobody can write any more.
pub(super) async fn pump(desk: Rc<Desk>, mut source: pipe::Receiver) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        buffer.clear();
        let read = source.read_buf(&mut buffer);
        let read = if desk.cutter.borrow().has_partial() { timeout(QUIET, read).await } else { Ok(read.await) };
        match read {
            Err(_quiet) => desk.cutter.borrow_mut().flush(&mut |line| take(&desk, line)),
            // A terminal says EIO when the last one that held its other end is gone.
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => desk.cutter.borrow_mut().feed(&buffer, &mut |line| take(&desk, line)),
        }
        // Nothing is read without being numbered and published before the next wait: the next image begins behind it.
        desk.console.borrow_mut().commit();
        // A flood is always ready to be read; others must have their turn all the same.
        tokio::task::yield_now().await;
    }
    desk.cutter.borrow_mut().flush(&mut |line| take(&desk, line));
    desk.console.borrow_mut().commit();
}

fn take(desk: &Desk, line: String) {
    let mut pattern = desk.ready_line.borrow_mut();
    if pattern.as_ref().is_some_and(|pattern| pattern.is_match(&without_colours(&line))) {
        // Dropped with its memory: it is needed once.
        *pattern = None;
        desk.ready_seen.notify_one();
    }
    drop(pattern);
    desk.console.borrow_mut().push(LineKind::Out, line);
}
