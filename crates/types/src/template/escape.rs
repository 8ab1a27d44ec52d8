//! How a value is written into a file so that it stays one value there.
//!
//! Values never contain control characters (they are refused where they come in), so a notation in which a value
//! ends at the line's end needs no more than what is here.

use std::fmt::Write as _;

/// A notation for values. In a placeholder: `{{var.MOTD|json}}`; for a whole file: `escape = "json"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is. In a file only right where a value ends at the line's end and quotes have no meaning.
    None,
    /// A JSON string with its quotes; also a JavaScript string.
    Json,
    /// A TOML basic string with its quotes.
    Toml,
    /// The value of a Java `.properties` file.
    Properties,
    /// A decimal number; anything else is an error.
    Number,
    /// Literal text inside a regular expression.
    Regex,
}

impl Escape {
    /// Those that a template may name.
    pub(super) const NAMES: [&'static str; 5] = ["none", "json", "toml", "properties", "number"];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            "properties" => Some(Self::Properties),
            "number" => Some(Self::Number),
            _ => None,
        }
    }

    /// The value in this notation, or why it cannot be written in it.
    pub(super) fn apply(self, value: &str) -> Result<String, String> {
        match self {
            Self::None => Ok(value.to_owned()),
            Self::Json => Ok(json(value)),
            Self::Toml => Ok(toml_string(value)),
            Self::Properties => Ok(properties(value)),
            Self::Number if is_number(value) => Ok(value.to_owned()),
            Self::Number => Err("must be a number such as 10 or -1.5".to_owned()),
            Self::Regex => Ok(regex::escape(value)),
        }
    }
}

/// Also escapes `<`, `>`, `&` and the two line separators, so that the string may stand in JavaScript and HTML.
fn json(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => unicode_escape(&mut out, c),
            c if c.is_control() => unicode_escape(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn toml_string(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => unicode_escape(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// As `java.util.Properties` stores values: ASCII, with everything that it gives a meaning escaped.
fn properties(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' | '=' | ':' | '#' | '!' | ' ' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_graphic() => out.push(c),
            c => unicode_escape(&mut out, c),
        }
    }
    out
}

/// `\uXXXX`, as a surrogate pair where needed. Control characters, all below U+00A0, are the only ones for which
/// TOML sees it.
fn unicode_escape(out: &mut String, c: char) {
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        // Writing into a string cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

fn is_number(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    // JSON and JavaScript read a leading zero as an error or as octal.
    let whole = unsigned.split_once('.').map_or(unsigned, |(whole, _)| whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && unsigned.split_once('.').is_none_or(|(_, fraction)| digits(fraction))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `java.util.Properties.load` makes of a value.
    fn read_properties(text: &str) -> String {
        let mut units: Vec<u16> = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let c = if c == '\\' {
                rest.next().unwrap()
            } else {
                units.push(c as u16);
                continue;
            };
            if c == 'u' {
                let hex: String = rest.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&hex, 16).unwrap());
            } else {
                units.push(c as u16);
            }
        }
        String::from_utf16(&units).unwrap()
    }

    proptest! {
        #[test]
        fn json_reads_back(value in any::<String>()) {
            let written = Escape::Json.apply(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), value);
        }

        #[test]
        fn toml_reads_back(value in any::<String>()) {
            let document = format!("key = {}", Escape::Toml.apply(&value).unwrap());
            let table: toml::Table = toml::from_str(&document).unwrap();
            prop_assert_eq!(table.get("key").and_then(toml::Value::as_str), Some(value.as_str()));
        }

        #[test]
        fn properties_read_back(value in any::<String>()) {
            let written = Escape::Properties.apply(&value).unwrap();
            prop_assert!(written.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
            prop_assert_eq!(read_properties(&written), value);
        }

        #[test]
        fn a_regex_matches_just_the_value(value in any::<String>()) {
            let written = Escape::Regex.apply(&value).unwrap();
            let regex = regex::Regex::new(&format!("^(?:{written})$")).unwrap();
            prop_assert!(regex.is_match(&value));
        }
    }

    #[test]
    fn numbers_are_what_json_calls_a_number() {
        for good in ["0", "10", "-1", "1.5", "0.25"] {
            assert_eq!(Escape::Number.apply(good).as_deref(), Ok(good));
        }
        for bad in ["", "-", "1e3", "0x10", "1.", ".5", "010", "1;process.exit()", "1 ", "NaN"] {
            assert!(Escape::Number.apply(bad).is_err(), "{bad:?} passed for a number");
        }
    }
}
