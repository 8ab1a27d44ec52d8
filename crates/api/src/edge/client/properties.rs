//! Whatever a client sends, it cannot choose the address that is counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::{ForwardedHeader, Proxies};

fn header() -> impl Strategy<Value = ForwardedHeader> {
    prop_oneof![Just(ForwardedHeader::XForwardedFor), Just(ForwardedHeader::Forwarded)]
}

/// An address outside of the proxies' network.
fn outside() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()),
    ]
    .prop_filter("a proxy", |address| !matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10))
}

/// What a client may write into a line: parts of what means something, and any other bytes.
fn invention() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => proptest::sample::select(vec![
            "1.2.3.4", "10.0.0.9", "[::1]:80", "for=", "for=1.2.3.4", "FOR=\"", "\"", "\\", "\\\"", ",", ", ", ";", "=", " ",
            "unknown", "proto=https", "host=\"x\"",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(32_u8..127, 0..6),
        1 => proptest::collection::vec(128_u8..=255, 0..3),
    ];
    proptest::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

fn put(headers: &mut HeaderMap, header: ForwardedHeader, line: &[u8]) {
    headers.append(header.name(), HeaderValue::from_bytes(line).unwrap());
}

/// What a proxy writes of whoever came to it. It quotes the host, which is the client's, as it has to.
fn element(header: ForwardedHeader, of: IpAddr, port: bool, host: &str) -> String {
    let text = match (of, port) {
        (IpAddr::V4(_), false) => of.to_string(),
        (IpAddr::V6(_), false) if header == ForwardedHeader::XForwardedFor => of.to_string(),
        (IpAddr::V6(_), false) => format!("[{of}]"),
        (_, true) => SocketAddr::new(of, 4711).to_string(),
    };
    match header {
        ForwardedHeader::XForwardedFor => text,
        ForwardedHeader::Forwarded => {
            let host = host.replace('\\', "\\\\").replace('"', "\\\"");
            format!("for=\"{text}\";host=\"{host}\";proto=https")
        }
    }
}

proptest! {
    #[test]
    fn who_is_not_a_trusted_proxy_is_counted_as_who_it_is(
        header in header(), client in outside(), lines in proptest::collection::vec((header(), invention()), 0..4),
    ) {
        let mut headers = HeaderMap::new();
        for (header, line) in &lines {
            put(&mut headers, *header, line);
        }
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()], header);
        prop_assert_eq!(proxies.client(Some(SocketAddr::new(client, 1)), &headers), client);
    }

    #[test]
    fn behind_trusted_proxies_a_client_is_counted_as_who_it_is(
        header in header(),
        client in outside(),
        lines in proptest::collection::vec((header(), invention()), 0..4),
        hops in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..4),
        host in "[ -~]{0,12}",
    ) {
        let mut headers = HeaderMap::new();
        for (header, line) in &lines {
            put(&mut headers, *header, line);
        }
        let mut before = client;
        for (place, (port, own_line)) in (1_u8..).zip(&hops) {
            let element = element(header, before, *port, &host);
            let values: Vec<HeaderValue> = headers.get_all(header.name()).iter().cloned().collect();
            match values.split_last().filter(|_| !own_line) {
                Some((last, others)) => {
                    headers.remove(header.name());
                    for line in others {
                        put(&mut headers, header, line.as_bytes());
                    }
                    put(&mut headers, header, &[last.as_bytes(), b", ", element.as_bytes()].concat());
                }
                None => put(&mut headers, header, element.as_bytes()),
            }
            before = IpAddr::V4(Ipv4Addr::new(10, 0, 0, place));
        }
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()], header);
        prop_assert_eq!(proxies.client(Some(SocketAddr::new(before, 1)), &headers), client);
    }
}
