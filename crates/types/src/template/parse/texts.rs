//! Texts with placeholders, commands and environments.

use crate::template::{
    model::Template,
    place::{Scope, printable},
    read::{Located, Section},
    rules,
    text::Text,
};

const MAX_ARGUMENTS: usize = 256;
const MAX_ENV: usize = 64;

/// A text in which places may be left open.
pub(super) fn text(written: &Located<'_, &str>, scope: &Scope) -> Option<Text> {
    written.checked(rules::no_nul)?;
    match Text::parse(written.value, scope) {
        Ok(text) => Some(text),
        Err(errors) => {
            for error in errors {
                written.error_at(&error.written, &error.message);
            }
            None
        }
    }
}

/// Program and arguments under a key that must be there.
pub(super) fn command(section: &Section<'_>, key: &'static str, scope: &Scope) -> Vec<Text> {
    let words = section.strings(key, MAX_ARGUMENTS);
    let empty = words.first().is_none_or(|word| word.value.is_empty());
    let command = words.iter().filter_map(|word| text(word, scope)).collect();
    if !section.has(key) {
        section.error(key, "is missing: an array of the program and its arguments");
    } else if empty {
        section.error(key, "must name a program: an array of the program and its arguments");
    }
    command
}

/// The environment under `env`.
pub(super) fn env(section: &Section<'_>, scope: &Scope) -> Vec<(String, Text)> {
    section
        .string_map("env", MAX_ENV)
        .into_iter()
        .filter_map(|(name, value)| {
            if let Err(message) = rules::env_name(name) {
                value.error(&format!("the name \"{}\" {message}", printable(name)));
            }
            Some((name.to_owned(), text(&value, scope)?))
        })
        .collect()
}

/// Texts that follow a rule and do not repeat.
pub(super) fn names(
    section: &Section<'_>,
    key: &'static str,
    max: usize,
    rule: impl Fn(&str) -> Result<(), String>,
) -> Vec<String> {
    let names: Vec<_> = section.strings(key, max).iter().filter_map(|name| name.checked(&rule)).collect();
    if let Some(name) = Template::repeated(names.iter().map(String::as_str)) {
        section.error(key, &format!("names \"{name}\" twice"));
    }
    names
}
