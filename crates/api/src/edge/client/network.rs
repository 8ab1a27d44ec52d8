//! A range of addresses, as an operator writes it: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::Deserialize;

/// Addresses that have their first bits in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    /// The lowest of them; IPv4 is never written as IPv6 here.
    address: IpAddr,
    /// How many bits they have in common; never 0.
    prefix: u8,
}

/// The text names no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be used: {why}")]
pub struct NetworkError {
    /// What was given, shortened.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl Network {
    /// The addresses of this very machine.
    pub const LOOPBACK: [Self; 2] = [
        Self { address: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
        Self { address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), prefix: 128 },
    ];

    /// Whether `address` is one of them. An IPv4 address in IPv6's clothes is itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        lowest(address.to_canonical(), self.prefix) == Some(self.address)
    }
}

/// The address with everything behind its first `prefix` bits cleared; `None` when it has fewer bits.
fn lowest(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => {
            let rest = 32_u32.checked_sub(prefix.into())?;
            IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(rest).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            let rest = 128_u32.checked_sub(prefix.into())?;
            IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(rest).unwrap_or(0)).into())
        }
    })
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| NetworkError { text: text.chars().take(60).collect(), why };
        let example = "write an address or a network, for example 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32";
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong(format!("it is no IP address; {example}")))?;
        let canonical = address.to_canonical();
        let bits = if canonical.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            // Also in the form ::ffff:10.0.0.0/104.
            Some(prefix) => Some(prefix)
                .filter(|prefix| prefix.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|prefix| prefix.parse::<u8>().ok())
                .and_then(|prefix| prefix.checked_sub(if address == canonical { 0 } else { 96 }))
                .filter(|prefix| *prefix <= bits)
                .ok_or_else(|| wrong(format!("after the slash stands the number of bits, 1 to {bits}")))?,
        };
        if prefix == 0 {
            let why = "it is the whole Internet, and then whoever asks could choose the address that is counted";
            return Err(wrong(format!("{why}; name the proxies or their network")));
        }
        match lowest(canonical, prefix) {
            Some(lowest) if lowest == canonical => Ok(Self { address: canonical, prefix }),
            Some(lowest) => Err(wrong(format!("it has bits behind its first {prefix}; write {lowest}/{prefix}"))),
            None => Err(wrong(example.to_owned())),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_what_it_says() {
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3") && contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("::1", "::1") && !contains("::1", "127.0.0.1") && !contains("128.0.0.0/1", "::1"));
        assert!(Network::LOOPBACK[0].contains("127.3.2.1".parse().unwrap()));
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let why = |text: &str| text.parse::<Network>().unwrap_err().to_string();
        for text in
            ["", "proxy.example", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "::/129", "10.0.0.0:80"]
        {
            assert!(why(text).starts_with(&format!("`{text}` cannot be used: ")), "{text}");
        }
        assert!(why("10.0.0.1/8").contains("write 10.0.0.0/8"));
        assert!(why("0.0.0.0/0").contains("whole Internet") && why("::/0").contains("whole Internet"));
        assert!(why("::ffff:0.0.0.0/96").contains("whole Internet"));
    }
}
