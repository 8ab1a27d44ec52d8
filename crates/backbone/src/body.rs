//! Bodies of requests and responses, none of which may stand still for ever.
//!
//! [`Guarded`] watches both ends. A sender that sends nothing is noticed when the reader waits; a reader that takes
//! nothing cannot notice itself, so a watchdog takes the body away from it, which resets the stream and frees what
//! was sent ahead.

use std::{
    convert::Infallible,
    future::Future as _,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt as _};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// The body of a request or a response on a link.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Bodies that are known to be no longer than this need no watchdog: they fit into any window.
const SMALL: u64 = 64 * 1024;

/// A body broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The sender sent nothing for too long.
    #[error("the sender sent nothing for {} s", after.as_secs_f64())]
    SenderStalled {
        /// How long was waited.
        after: Duration,
    },
    /// The reader took nothing for too long.
    #[error("the reader took nothing for {} s", after.as_secs_f64())]
    ReaderStalled {
        /// How long was waited.
        after: Duration,
    },
    /// The connection, or the program at the other end of it, ended.
    #[error("the transfer broke off: {why}")]
    Broken {
        /// What is known.
        why: String,
    },
    /// The body is longer than its reader takes.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

impl From<Infallible> for BodyError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body without content.
pub fn empty() -> Body {
    Empty::new().map_err(BodyError::from).boxed_unsync()
}

/// A body that is already complete.
pub fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(BodyError::from).boxed_unsync()
}

/// A body that is made while it is sent. An error resets the stream: the other end sees that it is not complete.
pub fn stream<S, E>(content: S) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: std::fmt::Display,
{
    let frames = content.map_ok(Frame::data).map_err(|error| BodyError::Broken { why: error.to_string() });
    StreamBody::new(frames).boxed_unsync()
}

/// Reads a whole body of at most `limit` bytes.
pub async fn collect<B>(mut body: B, limit: usize) -> Result<Bytes, BodyError>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Into::into)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
                first = Bytes::new();
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// How long a body may stand still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stall {
    /// Nothing from the sender while the reader waits; `None` where silence is normal.
    pub sender: Option<Duration>,
    /// Nothing taken by the reader.
    pub reader: Duration,
}

/// Guards a body of any origin.
pub(crate) fn guard<B>(body: B, stall: Stall) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    if body.is_end_stream() {
        return empty();
    }
    let watched = body.size_hint().exact().is_none_or(|size| size > SMALL);
    let state = State { inner: Some(Box::pin(body)), waiting: false, last: Instant::now() };
    let shared = Arc::new(Mutex::new(state));
    if watched {
        tokio::spawn(watch_reader(Arc::downgrade(&shared), stall.reader));
    }
    Guarded { shared, stall, silence: None }.boxed_unsync()
}

struct State<B> {
    /// Taken away when the reader stalled.
    inner: Option<Pin<Box<B>>>,
    /// The reader waits for the sender: its standing still is not its fault.
    waiting: bool,
    last: Instant,
}

struct Guarded<B> {
    shared: Arc<Mutex<State<B>>>,
    stall: Stall,
    silence: Option<Pin<Box<Sleep>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> HttpBody for Guarded<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = {
            let mut state = lock(&self.shared);
            let Some(inner) = state.inner.as_mut() else {
                return Poll::Ready(Some(Err(BodyError::ReaderStalled { after: self.stall.reader })));
            };
            let polled = inner.as_mut().poll_frame(context);
            state.waiting = polled.is_pending();
            state.last = Instant::now();
            polled
        };
        match polled {
            Poll::Ready(frame) => {
                self.silence = None;
                let broken = |error: B::Error| BodyError::Broken { why: error.to_string() };
                Poll::Ready(frame.map(|frame| frame.map_err(broken)))
            }
            Poll::Pending => {
                let Some(after) = self.stall.sender else { return Poll::Pending };
                let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(after)));
                match silence.as_mut().poll(context) {
                    Poll::Ready(()) => {
                        lock(&self.shared).inner = None;
                        Poll::Ready(Some(Err(BodyError::SenderStalled { after })))
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.shared).inner.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.shared).inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

/// Ends with the body.
async fn watch_reader<B>(shared: Weak<Mutex<State<B>>>, limit: Duration) {
    let mut until = Instant::now() + limit;
    loop {
        tokio::time::sleep_until(until).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = lock(&shared);
        let still = state.last.elapsed();
        if state.waiting {
            until = Instant::now() + limit;
        } else if still < limit {
            until = Instant::now() + limit.saturating_sub(still);
        } else {
            state.inner = None;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::pending;

    use super::*;

    fn endless() -> Body {
        stream(futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 1024]))))
    }

    #[tokio::test]
    async fn a_sender_that_stalls_ends_the_body() {
        let silent = stream(pending::<Result<Bytes, Infallible>>());
        let limit = Duration::from_millis(50);
        let body = guard(silent, Stall { sender: Some(limit), reader: limit });
        assert_eq!(collect(body, 10).await, Err(BodyError::SenderStalled { after: limit }));
    }

    #[tokio::test]
    async fn a_reader_that_stalls_loses_the_body_and_what_made_it() {
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let content = futures_util::stream::repeat_with(move || {
            let _held = &alive;
            Ok::<_, Infallible>(Bytes::from_static(b"x"))
        });
        let limit = Duration::from_millis(50);
        let mut body = guard(stream(content), Stall { sender: None, reader: limit });
        body.frame().await.unwrap().unwrap();
        assert!(gone.await.is_err(), "the content is dropped although the body is still held");
        assert_eq!(body.frame().await.unwrap().unwrap_err(), BodyError::ReaderStalled { after: limit });
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(collect(full("12345"), 5).await.unwrap(), "12345");
        assert_eq!(collect(full("123456"), 5).await, Err(BodyError::TooLarge { limit: 5 }));
        assert_eq!(collect(endless(), 5_000).await, Err(BodyError::TooLarge { limit: 5_000 }));
    }
}
