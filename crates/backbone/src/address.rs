//! Where API servers accept links: a host name or IP address, and a port.
//!
//! This module parses and prints; it resolves nothing.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest DNS name in text form (RFC 1035).
const MAX_HOST: usize = 253;

/// `panel.example:8443`, `192.0.2.7:8443` or `[2001:db8::7]:8443`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkAddress {
    host: String,
    port: u16,
}

/// The text is not an address and port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address with a port: {why}. Write it as host:port, for example panel.example:8443")]
pub struct ParseAddressError {
    /// What was given, shortened.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl LinkAddress {
    /// The host without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LinkAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |why| ParseAddressError { text: text.chars().take(80).collect(), why };
        let (host, port) = text.rsplit_once(':').ok_or_else(|| fail("it has no port"))?;
        let port = match port.parse::<u16>() {
            Ok(0) | Err(_) => return Err(fail("the port must be a number from 1 to 65535")),
            Ok(port) => port,
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => {
                inner.parse::<Ipv6Addr>().map_err(|_| fail("what is in brackets must be an IPv6 address"))?;
                inner
            }
            None => host,
        };
        let bracketed = text.starts_with('[');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() {
            Err(fail("it has no host"))
        } else if host.len() > MAX_HOST {
            Err(fail("the host is longer than 253 characters"))
        } else if !bracketed && host.contains(':') {
            Err(fail("an IPv6 address must be in brackets"))
        } else if !bracketed && !host.chars().all(plain) {
            Err(fail("the host has characters that no host name has"))
        } else {
            Ok(Self { host: host.to_owned(), port })
        }
    }
}

impl TryFrom<String> for LinkAddress {
    type Error = ParseAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LinkAddress> for String {
    fn from(address: LinkAddress) -> Self {
        address.to_string()
    }
}

impl From<std::net::SocketAddr> for LinkAddress {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_print_as_they_were_written() {
        for text in ["panel.example:8443", "192.0.2.7:1", "[2001:db8::7]:65535", "host_with-dash:80"] {
            assert_eq!(text.parse::<LinkAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_addresses_say_what_is_wrong() {
        for (text, why) in [
            ("panel.example", "no port"),
            ("panel.example:0", "1 to 65535"),
            ("panel.example:65536", "1 to 65535"),
            (":8443", "no host"),
            ("2001:db8::7:8443", "brackets"),
            ("[not-v6]:8443", "IPv6"),
            ("a b:1", "characters"),
            ("../etc:1", "characters"),
            ("https://panel:1", "brackets"),
        ] {
            let error = text.parse::<LinkAddress>().unwrap_err();
            assert!(error.why.contains(why), "{text}: {error}");
        }
    }
}
