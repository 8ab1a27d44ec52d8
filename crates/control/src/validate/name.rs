//! Names.

/// A name for people: 1 to 64 characters, none of them a control character. Leading and trailing blanks go.
pub fn display_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty.".to_owned());
    }
    if text.chars().count() > 64 {
        return Err(format!("may have at most 64 characters; this one has {}.", text.chars().count()));
    }
    // Besides control characters: those that end a line in some notations, and those that turn the direction of text,
    // with which a name can pass for another.
    let strange = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.contains(strange) {
        return Err("must not contain control characters or invisible ones.".to_owned());
    }
    Ok(text.to_owned())
}

/// The name of a node: 1 to 64 of letters, digits, `.`, `-` and `_`, beginning with a letter or digit.
pub fn node_name(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.len() > 64 || !starts_well || !text.chars().all(fine) || text.contains("..") {
        return Err(
            "must have 1 to 64 letters, digits, dots, dashes or underscores, and begin with a letter or digit."
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_something_else_are_refused() {
        for text in ["", "  ", "a\u{0}b", "a\nb", "\u{202e}gnp", &"x".repeat(65)] {
            assert!(display_name(text).is_err(), "{text:?}");
        }
        for text in ["", "../etc", "a/b", "-x", "a..b", "ä"] {
            assert!(node_name(text).is_err(), "{text:?}");
        }
        assert_eq!(display_name("  My Server ✨ "), Ok("My Server ✨".to_owned()));
        assert_eq!(node_name("fra-2.example_1"), Ok("fra-2.example_1".to_owned()));
    }
}
