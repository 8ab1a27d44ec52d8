//! Regular expressions that a whole value must match: compiled when the template is parsed, and never again.

use regex::{Regex, RegexBuilder};

/// Compiled patterns larger than this many bytes are refused; it keeps `(a{1000}){1000}` out.
const PATTERN_BYTES: usize = 1 << 20;

/// A regular expression that a whole value must match.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    whole: Regex,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// A sentence about it when it is no regular expression, or one that compiles to too much.
    pub(super) fn compile(source: &str) -> Result<Self, String> {
        // On its own first: `a)(b` would be sound inside the group.
        RegexBuilder::new(source)
            .size_limit(PATTERN_BYTES)
            .build()
            .and_then(|_| RegexBuilder::new(&format!(r"\A(?:{source})\z")).size_limit(PATTERN_BYTES).build())
            .map(|whole| Self { source: source.to_owned(), whole })
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
                error => {
                    let text = error.to_string();
                    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    format!("is no regular expression: {reason}")
                }
            })
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether all of `value` matches.
    pub fn is_match(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_values_in_the_usual_notation() {
        let port = Pattern::compile(r"\d+|(?i)none\b").unwrap();
        assert!(port.is_match("25565") && port.is_match("NONE"));
        assert!(!port.is_match("25565x") && !port.is_match("x25565"));
    }

    #[test]
    fn patterns_that_are_unsound_or_huge_are_refused() {
        assert!(Pattern::compile("(").unwrap_err().contains("is no regular expression"));
        assert!(Pattern::compile("a)(b").unwrap_err().contains("is no regular expression"));
        assert!(Pattern::compile("((a{1000}){1000}){1000}").unwrap_err().contains("too large"));
    }
}
