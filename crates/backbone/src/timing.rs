//! Every interval and deadline of a link, in one place, so that tests and very large fleets can change them.

use std::time::Duration;

/// Intervals and deadlines. The defaults detect a hung agent within 1.5 s.
#[derive(Debug, Clone)]
pub struct LinkTiming {
    /// How often HTTP/2 pings go out and presence is probed.
    pub ping_interval: Duration,
    /// How long a ping or a probe may stay unanswered before the connection is given up.
    pub ping_timeout: Duration,
    /// The interval and timeout of pings on bulk connections: on a slow line a ping waits behind the transfer, and
    /// presence does not depend on it.
    pub bulk_ping: Duration,
    /// The interval and timeout once an API server holds `relax_from` links or more.
    pub relaxed_ping: Duration,
    /// From how many links on an API server pings less often.
    pub relax_from: usize,
    /// How long after its last sign of life a node without a link counts as silent.
    pub silence_grace: Duration,
    /// For TCP and TLS each, and for the hello.
    pub handshake: Duration,
    /// For a name to be resolved.
    pub resolve: Duration,
    /// How long a body may stand still: a sender that sends nothing, or a reader that takes nothing.
    pub body_stall: Duration,
    /// How often a stream of lines sends an empty line when it has nothing to say.
    pub line_heartbeat: Duration,
    /// How long a retired connection may finish what it has.
    pub retire: Duration,
    /// The first and the longest pause between two attempts to dial.
    pub backoff: (Duration, Duration),
    /// The pause after being told that a newer agent has this node's certificate, or that the node is not admitted.
    pub refused_pause: Duration,
    /// A link that lived shorter than this does not reset the backoff.
    pub settled: Duration,
    /// How long an API server that went away is looked for although nobody announces it.
    pub remember_lost: Duration,
}

impl Default for LinkTiming {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_millis(500),
            ping_timeout: Duration::from_secs(1),
            bulk_ping: Duration::from_secs(10),
            relaxed_ping: Duration::from_secs(2),
            relax_from: 1_000,
            silence_grace: Duration::from_millis(1_500),
            handshake: Duration::from_secs(5),
            resolve: Duration::from_secs(5),
            body_stall: Duration::from_secs(30),
            line_heartbeat: Duration::from_secs(5),
            retire: Duration::from_secs(30),
            backoff: (Duration::from_millis(20), Duration::from_secs(2)),
            refused_pause: Duration::from_secs(10),
            settled: Duration::from_secs(1),
            remember_lost: Duration::from_secs(10),
        }
    }
}
