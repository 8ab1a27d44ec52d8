//! Streams of lines (NDJSON): the agent writes them, the API server reads them.
//!
//! Lines that wait are sent together. A stream that has nothing to say sends an empty line now and then, so that its
//! reader can tell silence from a sender that hangs; the reader drops them.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at},
};

use crate::{Body, LinkError, body::BodyError};

/// Waiting lines are sent together up to this many bytes.
const BATCH: usize = 32 * 1024;
/// The longest line that a reader takes.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// A response body made of lines, and the sender that fills it. At most `capacity` lines wait; the sender then has
/// to. When the reader is gone, sending fails and [`LineSender::closed`] returns.
pub fn line_body(capacity: usize, heartbeat: Duration) -> (LineSender, Body) {
    let (sender, lines) = mpsc::channel(capacity.max(1));
    let mut beat = interval_at(tokio::time::Instant::now() + heartbeat, heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    (LineSender { sender }, LineBody { lines, beat }.boxed_unsync())
}

/// The writing end of a stream of lines. The stream ends when every clone is dropped.
#[derive(Debug, Clone)]
pub struct LineSender {
    sender: mpsc::Sender<Bytes>,
}

/// The reader of a stream is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader of the stream is gone")]
pub struct ReaderGone;

impl LineSender {
    /// Sends one line (without its line end; it must contain none), waiting while the reader is slower.
    pub async fn send(&self, line: Bytes) -> Result<(), ReaderGone> {
        self.sender.send(line).await.map_err(|_| ReaderGone)
    }

    /// Sends a value as one line of JSON.
    pub async fn send_json<T: Serialize>(&self, value: &T) -> Result<(), LinkError> {
        let line = serde_json::to_vec(value).map_err(|error| LinkError::unreadable("the line", &error))?;
        self.send(line.into()).await.map_err(|_| LinkError::closed("the reader of the stream is gone", true))
    }

    /// Sends a line if there is room for it now; gives it back (`Some`) if there is not.
    pub fn try_send(&self, line: Bytes) -> Result<Option<Bytes>, ReaderGone> {
        match self.sender.try_send(line) {
            Ok(()) => Ok(None),
            Err(mpsc::error::TrySendError::Full(line)) => Ok(Some(line)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ReaderGone),
        }
    }

    /// Returns when the reader is gone.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

struct LineBody {
    lines: mpsc::Receiver<Bytes>,
    beat: Interval,
}

impl HttpBody for LineBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.lines.poll_recv(context) {
            Poll::Ready(Some(first)) => {
                let mut batch = BytesMut::with_capacity(first.len() + 1);
                put(&mut batch, &first);
                while batch.len() < BATCH {
                    let Ok(line) = self.lines.try_recv() else { break };
                    put(&mut batch, &line);
                }
                self.beat.reset();
                Poll::Ready(Some(Ok(Frame::data(batch.freeze()))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.beat.poll_tick(context));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"\n")))))
            }
        }
    }
}

fn put(batch: &mut BytesMut, line: &[u8]) {
    batch.put_slice(line);
    batch.put_u8(b'\n');
}

/// The lines of a response, without their line ends and without the empty ones. Dropping it ends the stream at the
/// agent. A last line without a line end is an error: it may be incomplete.
pub struct LineStream {
    body: Body,
    buffer: BytesMut,
    /// Bytes of the buffer that are known to contain no line end.
    searched: usize,
    ended: bool,
}

impl LineStream {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0, ended: false }
    }

    /// The next line, read as JSON; `None` at the end.
    pub async fn next_json<T: DeserializeOwned>(&mut self) -> Option<Result<T, LinkError>> {
        let line = self.next().await?;
        Some(line.and_then(|line| {
            serde_json::from_slice(&line).map_err(|error| LinkError::unreadable("a line of the stream", &error))
        }))
    }

    fn buffered_line(&mut self) -> Option<Bytes> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(self.searched + end);
            self.buffer.advance(1);
            self.searched = 0;
            if !line.is_empty() {
                return Some(line.freeze());
            }
        }
    }

    fn fail(&mut self, error: LinkError) -> Poll<Option<Result<Bytes, LinkError>>> {
        self.ended = true;
        self.body = crate::body::empty();
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for LineStream {
    type Item = Result<Bytes, LinkError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(line) = self.buffered_line() {
                return Poll::Ready(Some(Ok(line)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            if self.buffer.len() > MAX_LINE {
                return self.fail(LinkError::from(BodyError::TooLarge { limit: MAX_LINE }));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return self.fail(LinkError::from(error)),
                None if self.buffer.is_empty() => self.ended = true,
                None => {
                    self.buffer.clear();
                    self.searched = 0;
                    let why = "the last line has no end".to_owned();
                    return self.fail(LinkError::from(BodyError::Broken { why }));
                }
            }
        }
    }
}

impl std::fmt::Debug for LineStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineStream").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(text: &[u8], sizes: &[usize]) -> LineStream {
        let (mut rest, mut pieces, mut sizes) = (text, Vec::new(), sizes.iter().cycle());
        while !rest.is_empty() {
            let size = (*sizes.next().unwrap_or(&1)).clamp(1, rest.len());
            let (piece, after) = rest.split_at(size);
            pieces.push(Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
            rest = after;
        }
        LineStream::new(crate::body::stream(futures_util::stream::iter(pieces)))
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_are_cut(
            lines in prop::collection::vec("[a-z{}\":]{1,40}", 0..40),
            sizes in prop::collection::vec(1usize..60, 1..8),
        ) {
            let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
            let read: Vec<Bytes> = run(in_pieces(text.as_bytes(), &sizes).try_collect()).unwrap();
            prop_assert_eq!(read, lines);
        }
    }

    #[tokio::test]
    async fn a_line_that_breaks_off_is_an_error_and_the_end() {
        let mut stream = in_pieces(b"whole\npart", &[3]);
        assert_eq!(stream.next().await.unwrap().unwrap(), "whole");
        assert!(stream.next().await.unwrap().is_err());
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn silence_is_filled_with_empty_lines_that_nobody_sees() {
        let (sender, body) = line_body(4, Duration::from_millis(20));
        let body = crate::body::guard(
            body,
            crate::body::Stall { sender: Some(Duration::from_secs(2)), reader: Duration::from_secs(30) },
        );
        let mut stream = LineStream::new(body);
        let reading = tokio::spawn(async move { stream.next().await });
        // Longer than the reader bears silence.
        tokio::time::sleep(Duration::from_secs(3)).await;
        sender.send(Bytes::from_static(b"late")).await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap().unwrap(), "late");
    }
}
