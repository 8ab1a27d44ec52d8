//! Text with placeholders, read once when the template is parsed and filled once for each server.
//!
//! `{{name}}` or `{{name|notation}}` is a placeholder, `{{{{` is the text `{{`. What is filled in is never looked
//! at again.

use super::{
    escape::Escape,
    near,
    place::{Place, Scope, printable},
};

/// A text with places left open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Text(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Open { place: Place, escape: Option<Escape> },
}

/// What is wrong with a placeholder, and where in the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TextError {
    /// The placeholder as it was written, to find its line.
    pub(super) written: String,
    pub(super) message: String,
}

/// Gives the values, and keeps account of how much was rendered.
pub(super) trait Values {
    /// The value for a place, without control characters.
    fn value(&self, place: &Place) -> Result<String, String>;
}

impl Text {
    /// Reads a text; every placeholder that is none is an error.
    pub(super) fn parse(source: &str, scope: &Scope) -> Result<Self, Vec<TextError>> {
        let mut pieces = Vec::new();
        let mut errors = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{{") {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix("{{") {
                literal.push_str("{{");
                rest = after;
                continue;
            }
            let Some((inside, after)) = after.split_once("}}") else {
                errors.push(TextError {
                    written: "{{".to_owned(),
                    message: format!(
                        "a placeholder \"{{{{{}\" is opened and never closed; for the text {{{{ itself write {{{{{{{{",
                        printable(after.lines().next().unwrap_or_default())
                    ),
                });
                rest = "";
                break;
            };
            match placeholder(inside, scope) {
                Ok((place, escape)) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Open { place, escape });
                }
                Err(message) => errors.push(TextError { written: format!("{{{{{inside}}}}}"), message }),
            }
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if errors.is_empty() { Ok(Self(pieces)) } else { Err(errors) }
    }

    /// The first free text in it that names no notation of its own.
    pub(super) fn first_without_notation(&self) -> Option<&Place> {
        self.0.iter().find_map(|piece| match piece {
            Piece::Open { place, escape: None } if place.is_free_text() => Some(place),
            _ => None,
        })
    }

    /// Whether `place` is somewhere in it.
    pub(super) fn names(&self, place: &Place) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Open { place: open, .. } if open == place))
    }

    /// Whether nothing is left open in it.
    pub(super) fn is_literal(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// Fills it. `default` is the notation of free text that names none. The result is at most `budget` bytes,
    /// which are taken from it.
    pub(super) fn fill(&self, values: &impl Values, default: Escape, budget: &mut usize) -> Result<String, String> {
        let mut out = String::new();
        for piece in &self.0 {
            let start = out.len();
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Open { place, escape } => {
                    let value = values.value(place)?;
                    let escape = escape.unwrap_or(if place.is_free_text() { default } else { Escape::None });
                    out.push_str(&escape.apply(&value).map_err(|why| format!("the value of {place} {why}"))?);
                }
            }
            *budget = budget
                .checked_sub(out.len() - start)
                .ok_or_else(|| "the template with its values is too large".to_owned())?;
        }
        Ok(out)
    }

    /// As [`Self::fill`], in a regular expression: every value, typed or not, is literal text there.
    pub(super) fn fill_regex(&self, values: &impl Values, budget: &mut usize) -> Result<String, String> {
        let quoted = Self(
            self.0
                .iter()
                .map(|piece| match piece {
                    Piece::Open { place, .. } => Piece::Open { place: place.clone(), escape: Some(Escape::Regex) },
                    Piece::Literal(text) => Piece::Literal(text.clone()),
                })
                .collect(),
        );
        quoted.fill(values, Escape::Regex, budget)
    }
}

fn placeholder(inside: &str, scope: &Scope) -> Result<(Place, Option<Escape>), String> {
    let (name, filter) = match inside.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(filter.trim())),
        None => (inside.trim(), None),
    };
    let place = Place::parse(name, scope)?;
    let escape = match filter {
        None => None,
        Some(filter) => Some(Escape::from_name(filter).ok_or_else(|| {
            format!(
                "there is no notation \"{}\"{}; there are {}",
                printable(filter),
                near::hint(filter, Escape::NAMES),
                Escape::NAMES.join(", ")
            )
        })?),
    };
    Ok((place, escape))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Same(String);

    impl Values for Same {
        fn value(&self, _: &Place) -> Result<String, String> {
            Ok(self.0.clone())
        }
    }

    fn scope() -> Scope {
        Scope { variables: vec!["MOTD".to_owned()], ports: vec!["game".to_owned()], memory_proposed: true }
    }

    fn fill(source: &str, value: &str) -> Result<String, String> {
        let text = Text::parse(source, &scope()).map_err(|errors| errors[0].message.clone())?;
        text.fill(&Same(value.to_owned()), Escape::None, &mut 1_000_000)
    }

    #[test]
    fn values_are_put_in_and_not_read_again() {
        assert_eq!(fill("-p={{port}} {{ var.MOTD }}", "{{server.id}}").unwrap(), "-p={{server.id}} {{server.id}}");
        assert_eq!(fill("a {{{{port}} b }} {", "x").unwrap(), "a {{port}} b }} {");
        assert_eq!(fill("{{var.MOTD|json}}", "a\"b").unwrap(), "\"a\\\"b\"");
    }

    #[test]
    fn everything_that_is_not_on_the_list_is_named() {
        for (source, words) in [
            ("{{env.HOME}}", "is no placeholder"),
            ("{{var.MOTB}}", "did you mean \"MOTD\""),
            ("{{port.gaem}}", "did you mean \"game\""),
            ("{{port|jsn}}", "did you mean \"json\""),
            ("{{port", "never closed"),
            ("{{}}", "is no placeholder"),
            ("{{var.MOTD}", "never closed"),
        ] {
            let message = fill(source, "x").unwrap_err();
            assert!(message.contains(words), "{source}: {message}");
        }
    }

    #[test]
    fn a_small_template_cannot_become_a_large_text() {
        let text = Text::parse(&"{{var.MOTD}}".repeat(1_000), &scope()).unwrap();
        let mut budget = 10_000;
        assert!(text.fill(&Same("x".repeat(11)), Escape::None, &mut budget).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(source in "(\\{|\\}|port|var\\.|MOTD|\\||[ -~]|\\PC){0,40}") {
            let _ = Text::parse(&source, &scope());
        }

        #[test]
        fn text_without_braces_stays_as_it_is(source in "[^{]*", value in any::<String>()) {
            prop_assert_eq!(fill(&source, &value).unwrap(), source);
        }

        #[test]
        fn the_surroundings_of_a_value_stay(before in "[^{]*", value in any::<String>(), after in "[^{]*") {
            let filled = fill(&format!("{before}{{{{var.MOTD}}}}{after}"), &value).unwrap();
            prop_assert_eq!(filled, format!("{before}{value}{after}"));
        }
    }
}
