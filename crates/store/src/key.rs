//! Keys and prefixes, validated once so that no backend meets a strange one.
//!
//! A key is `/kind/rest`, where the rest may have more segments. Invariants: UTF-8, at most
//! [`Key::MAX_BYTES`] bytes, no control characters, no empty segment. A prefix is `/` or whole segments ending in
//! `/`, so that `/servers/` never matches `/servers-old/1`.

use std::{fmt, sync::Arc};

use crate::StoreError;

/// The name of one entry. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The longest key, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Checks and wraps `text`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, StoreError> {
        let text = text.as_ref();
        let problem = if text.ends_with('/') {
            Some("it ends with a slash, which only prefixes do")
        } else {
            problem_of(text).or_else(|| {
                (text.get(1..).is_none_or(|rest| !rest.contains('/')))
                    .then_some("it needs at least two segments, such as /servers/1")
            })
        };
        match problem {
            Some(problem) => Err(StoreError::InvalidKey { key: shortened(text), problem }),
            None => Ok(Self(text.into())),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Checks and wraps `text`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, StoreError> {
        let text = text.as_ref();
        let problem = match text.strip_suffix('/') {
            Some("") => None,
            Some(folder) => problem_of(folder),
            None => Some("a prefix ends with a slash"),
        };
        match problem {
            Some(problem) => Err(StoreError::InvalidKey { key: shortened(text), problem }),
            None => Ok(Self(text.into())),
        }
    }

    /// The prefix of every key.
    pub fn everything() -> Self {
        Self("/".into())
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `key` lies under this prefix.
    pub fn contains(&self, key: &Key) -> bool {
        key.0.starts_with(&*self.0)
    }

    /// The first text that sorts after every key under this prefix (`/` is followed by `0` in UTF-8).
    pub(crate) fn end(&self) -> String {
        let mut end = self.0.trim_end_matches('/').to_owned();
        end.push('0');
        end
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn problem_of(text: &str) -> Option<&'static str> {
    if text.len() > Key::MAX_BYTES {
        Some("it is longer than 512 bytes")
    } else if !text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) && text.chars().any(char::is_control) {
        Some("it contains a control character")
    } else {
        match text.strip_prefix('/') {
            None => Some("it does not start with a slash"),
            Some(rest) if rest.split('/').any(str::is_empty) => Some("it has an empty segment"),
            Some(_) => None,
        }
    }
}

/// What an error message may repeat of a key that was refused: bounded, and without control characters.
fn shortened(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_whole_segments() {
        for good in ["/servers/1", "/servers/1/ports/25565", "/users/ümlaut", "/a/.."] {
            assert_eq!(Key::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "/", "/servers", "/servers/", "servers/1", "//1", "/servers//1", "/servers/\n", "/a/b\0"] {
            assert!(Key::new(bad).is_err(), "{bad:?}");
        }
        assert!(Key::new(format!("/k/{}", "x".repeat(509))).is_ok());
        assert!(Key::new(format!("/k/{}", "x".repeat(510))).is_err());
    }

    #[test]
    fn prefixes_hold_their_own_keys_only() {
        let prefix = Prefix::new("/servers/").unwrap();
        assert!(prefix.contains(&Key::new("/servers/1").unwrap()));
        assert!(!prefix.contains(&Key::new("/servers-old/1").unwrap()));
        assert_eq!(prefix.end(), "/servers0");
        assert_eq!(Prefix::everything().end(), "0");
        for bad in ["", "servers/", "/servers", "//", "/a//"] {
            assert!(Prefix::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refused_key_is_not_repeated_raw() {
        let error = Key::new("/a/\u{1b}[31m").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }
}
