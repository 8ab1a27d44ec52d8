//! Where a request comes from: the other end of the connection, or whom a reverse proxy names that is trusted to.
//!
//! ```text
//!  client ──► proxy 2 ──► proxy 1 ──► here
//!             appends     appends     reads from the right, as far as trusted proxies have written
//!             client      proxy 2
//! ```
//!
//! Everything left of what a trusted proxy wrote may be the client's own invention and is never looked at. So is the
//! header that the operator's proxies do not write: only one of the two is read, whatever else comes along.

mod header;
mod network;
#[cfg(test)]
mod properties;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Once},
};

use axum::http::{HeaderMap, HeaderName};
use serde::Deserialize;

pub use network::{Network, NetworkError};

/// Which header the proxies write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which nearly all write.
    #[default]
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

impl ForwardedHeader {
    const fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => HeaderName::from_static("forwarded"),
        }
    }
}

/// The reverse proxies that may say for whom they ask. Clones are the same.
#[derive(Debug, Clone)]
pub struct Proxies(Arc<Trust>);

#[derive(Debug)]
struct Trust {
    networks: Vec<Network>,
    header: ForwardedHeader,
    /// Whether it was said that somebody sends the header who is not trusted.
    said: Once,
}

impl Proxies {
    /// Trusts these, and what they write into this header.
    pub fn new(networks: Vec<Network>, header: ForwardedHeader) -> Self {
        Self(Arc::new(Trust { networks, header, said: Once::new() }))
    }

    /// The address of whoever asks.
    pub fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> IpAddr {
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
        if !self.trusted(peer) {
            self.hint(peer, headers);
            return peer;
        }
        let mut nearest = peer;
        for named in header::from_the_right(headers, self.0.header) {
            // What a proxy could not name, or nobody can read, hides whoever is behind it.
            let Some(named) = named else { break };
            nearest = named;
            if !self.trusted(nearest) {
                break;
            }
        }
        nearest
    }

    fn trusted(&self, address: IpAddr) -> bool {
        self.0.networks.iter().any(|network| network.contains(address))
    }

    /// Says once in a process's life that this may be a proxy that was forgotten.
    fn hint(&self, peer: IpAddr, headers: &HeaderMap) {
        if headers.contains_key(self.0.header.name()) {
            self.0.said.call_once(|| {
                tracing::warn!(
                    net.peer = %peer,
                    "{peer} says for whom it asks and is not among http.trusted_proxies, so it was not believed; if it is \
                     your reverse proxy, name it there, or everybody behind it shares one limit of failed sign-ins"
                );
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let networks = ["127.0.0.0/8", "::1", "10.0.0.0/8"].map(|text| text.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Proxies::new(networks, header).client(Some(peer.parse().unwrap()), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_counts() {
        let x = |peer, value: &str| client(ForwardedHeader::XForwardedFor, peer, &[("x-forwarded-for", value)]);
        assert_eq!(x("127.0.0.1:9", "203.0.113.9"), "203.0.113.9");
        assert_eq!(x("127.0.0.1:9", "1.2.3.4, 203.0.113.9, 10.0.0.2"), "203.0.113.9");
        assert_eq!(x("[::ffff:10.0.0.1]:9", "2001:db8::7"), "2001:db8::7");
        assert_eq!(x("10.0.0.1:9", "203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(x("10.0.0.1:9", "[2001:db8::7]:4711"), "2001:db8::7");
        assert_eq!(x("10.0.0.1:9", "::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(x("10.0.0.1:9", "10.0.0.3,10.0.0.2"), "10.0.0.3", "a proxy asks for itself");
        assert_eq!(x("192.0.2.1:9", "203.0.113.9"), "192.0.2.1", "nobody trusts this one");
    }

    #[test]
    fn what_cannot_be_read_ends_the_search() {
        let x = |value: &str| client(ForwardedHeader::XForwardedFor, "10.0.0.1:9", &[("x-forwarded-for", value)]);
        for value in ["", "unknown", "203.0.113.9, ", "203.0.113.9, é", "203.0.113.9 198.51.100.1", "[::1", "[::1]x"] {
            assert_eq!(x(value), "10.0.0.1", "{value:?}");
        }
        assert_eq!(x("203.0.113.9, unknown, 10.0.0.2"), "10.0.0.2");
    }

    #[test]
    fn forwarded_is_read_with_its_quotes() {
        let f = |value: &str| client(ForwardedHeader::Forwarded, "10.0.0.1:9", &[("forwarded", value)]);
        assert_eq!(f("for=203.0.113.9"), "203.0.113.9");
        assert_eq!(f("For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1"), "2001:db8::7");
        assert_eq!(f("for=1.2.3.4, proto=https; for=203.0.113.9 , for=\"10.0.0.2:80\""), "203.0.113.9");
        // A name of a host is the client's to choose, and may look like another element.
        assert_eq!(f(r#"for=203.0.113.9;host="x, for=1.2.3.4""#), "203.0.113.9");
        assert_eq!(f(r#"for=203.0.113.9;host="x\", for=1.2.3.4;y=\"""#), "203.0.113.9");
        for value in
            ["for=_hidden", "for=unknown", "proto=https", "for=1.2.3.4;for=1.2.3.5", "for=\"1.2.3.4", "1.2.3.4"]
        {
            assert_eq!(f(value), "10.0.0.1", "{value:?}");
        }
    }

    #[test]
    fn only_the_header_that_the_proxies_write_is_read() {
        let both = [("forwarded", "for=1.2.3.4"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1:9", &both), "203.0.113.9");
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1:9", &both[..1]), "10.0.0.1");
        assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1:9", &both), "1.2.3.4");
    }
}
