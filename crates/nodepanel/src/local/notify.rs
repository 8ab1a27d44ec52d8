//! What systemd is told by the process that it started: `sd_notify(3)`, a datagram to the socket that it names.
//!
//! Without systemd nothing is told to nobody. Children do not inherit the socket (`process::Launch` sees to that).

use std::{
    env,
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// The way to systemd.
#[derive(Debug)]
pub struct Notifier {
    target: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that we live.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Reads what systemd said in the environment.
    pub fn from_env() -> Self {
        let target =
            env::var_os("NOTIFY_SOCKET").and_then(|name| Some((UnixDatagram::unbound().ok()?, address(&name)?)));
        let microseconds = env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let for_us = env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = microseconds.filter(|_| for_us && target.is_some()).map(Duration::from_micros);
        Self { target, watchdog }
    }

    /// We are ready; the text is for `systemctl status`.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// We have begun to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Says for ever that we live, from the event loop whose turning is what is watched.
    pub async fn keep_alive(&self) {
        let Some(period) = self.watchdog else { return std::future::pending().await };
        let mut ticks = tokio::time::interval(period / 4);
        loop {
            ticks.tick().await;
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.target
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::warn!(%error, "systemd cannot be told how we are");
        }
    }
}

/// A path, or a name in the abstract namespace after an `@`.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        _ => SocketAddr::from_pathname(name).ok(),
    }
}
