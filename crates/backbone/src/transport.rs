//! The sizes and socket options of a link, set by hand.
//!
//! With HTTP/2's default windows three readers that stall freeze every response on the link, and one stalled
//! upload blocks every request body. With these, the readers that may stall at once (`Link` admits no more
//! streams than fit into the connection's window) cost nothing.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// What one stream may send ahead of its reader.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// What all streams of a connection may send ahead of their readers.
pub(crate) const CONNECTION_WINDOW: u32 = 128 * 1024 * 1024;
/// Streams at once.
pub(crate) const MAX_STREAMS: u32 = 2_000;
/// Unsent bytes that the kernel takes of us: a ping waits behind no more than these.
const NOTSENT_LOWAT: u32 = 64 * 1024;
/// Cancelled streams are nothing unusual here (every deadline cancels one), so the limits that protect public
/// servers from strangers are wide; both sides have shown a certificate.
const RESET_STREAMS: usize = 100_000;

/// Sets what every link socket has set.
pub(crate) fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10)),
    )
}

/// The API server's half: it sends requests.
pub(crate) fn client(interval: Duration, timeout: Duration) -> hyper::client::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(MAX_STREAMS as usize)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_concurrent_reset_streams(MAX_STREAMS as usize * 2)
        .reset_stream_duration(Duration::from_secs(10))
        .max_pending_accept_reset_streams(MAX_STREAMS as usize)
        .max_local_error_reset_streams(RESET_STREAMS)
        .keep_alive_interval(interval)
        .keep_alive_timeout(timeout)
        .keep_alive_while_idle(true);
    builder
}

/// The agent's half: it answers them.
pub(crate) fn server(interval: Duration, timeout: Duration) -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_pending_accept_reset_streams(MAX_STREAMS as usize)
        .max_local_error_reset_streams(RESET_STREAMS)
        .keep_alive_interval(interval)
        .keep_alive_timeout(timeout);
    builder
}
