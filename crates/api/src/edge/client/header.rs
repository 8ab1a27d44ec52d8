//! What proxies wrote, the newest first: who came to the proxy before, as far as it can be read.
//!
//! Read from the right, so that nothing that a client put before what its proxy appended can change how that is read:
//! no comma, no quote left open, no backslash.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};

use super::ForwardedHeader;

/// Whom the proxies name, the nearest first; `None` stands for what names nobody.
pub fn from_the_right(headers: &HeaderMap, header: ForwardedHeader) -> impl Iterator<Item = Option<IpAddr>> {
    let lines: Vec<&[u8]> = headers.get_all(header.name()).iter().map(HeaderValue::as_bytes).collect();
    lines.into_iter().rev().flat_map(move |line| Elements { rest: Some(line), header })
}

/// The elements of one line, the last first.
struct Elements<'a> {
    rest: Option<&'a [u8]>,
    header: ForwardedHeader,
}

impl Iterator for Elements<'_> {
    type Item = Option<IpAddr>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.rest.take()?;
        let quotes = self.header == ForwardedHeader::Forwarded;
        let (rest, element) = match last(line, b',', quotes) {
            Cut::At(comma) => (line.get(..comma), line.get(comma + 1..).unwrap_or_default()),
            Cut::Nowhere => (None, line),
            Cut::OpenQuote => return Some(None),
        };
        self.rest = rest;
        let element = std::str::from_utf8(element).ok();
        Some(element.and_then(|element| if quotes { named(element) } else { address(element.trim()) }))
    }
}

enum Cut {
    At(usize),
    Nowhere,
    OpenQuote,
}

/// The last `separator` of a line, outside of quotes where those mean something.
fn last(line: &[u8], separator: u8, quotes: bool) -> Cut {
    let mut inside = false;
    for (at, byte) in line.iter().enumerate().rev() {
        if quotes && *byte == b'"' {
            // Within quotes one that is part of the text stands behind an odd number of backslashes.
            let before = line.get(..at).unwrap_or_default();
            let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
            if !(inside && backslashes % 2 == 1) {
                inside = !inside;
            }
        } else if *byte == separator && !inside {
            return Cut::At(at);
        }
    }
    if inside { Cut::OpenQuote } else { Cut::Nowhere }
}

/// Whom an element of `Forwarded` names with its one `for`.
fn named(element: &str) -> Option<IpAddr> {
    let mut rest = Some(element);
    let mut named = None;
    while let Some(pairs) = rest.take() {
        let pair = match last(pairs.as_bytes(), b';', true) {
            Cut::At(semicolon) => {
                rest = pairs.get(..semicolon);
                pairs.get(semicolon + 1..)?
            }
            Cut::Nowhere => pairs,
            Cut::OpenQuote => return None,
        };
        let Some((key, value)) = pair.split_once('=') else { continue };
        if key.trim().eq_ignore_ascii_case("for") && named.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = named?;
    // Quotes hold an address here, in which nothing needs a backslash.
    address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address, with or without a port, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    bare().or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}
