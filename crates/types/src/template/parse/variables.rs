//! The variables that a template declares.

use crate::template::{model::Variable, pattern::Pattern, place::printable, read::Section, rules};

const MAX_VARIABLES: usize = 64;
const MAX_OPTIONS: usize = 100;
/// The longest value unless the template says otherwise, and the longest that it may allow, in characters.
const USUAL_LENGTH: u64 = 200;
const MAX_LENGTH: u64 = 4_096;

pub(super) fn read(document: &Section<'_>) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    for section in document.tables("variables", MAX_VARIABLES) {
        let repeated = |key: &str| variables.iter().any(|variable| variable.key == key);
        if let Some(variable) = variable(section, repeated) {
            variables.push(variable);
        }
    }
    variables
}

fn variable(section: Section<'_>, repeated: impl Fn(&str) -> bool) -> Option<Variable> {
    let key = section.required_string("key").and_then(|key| {
        if repeated(key.value) {
            key.error("is the key of an earlier variable");
        }
        key.checked(rules::variable_key)
    });
    let label = section.required_string("label").and_then(|label| label.checked(rules::line(80))).unwrap_or_default();
    let help = section.string("help").and_then(|help| help.checked(rules::optional_line(500))).unwrap_or_default();
    let max_length = section.integer("max_length", 1..=MAX_LENGTH).unwrap_or(USUAL_LENGTH);
    let options = section
        .strings("options", MAX_OPTIONS)
        .into_iter()
        .filter_map(|option| option.checked(rules::line(200)))
        .collect();
    let pattern = section.string("pattern").and_then(|pattern| {
        let compiled = rules::line(500)(pattern.value).and_then(|()| Pattern::compile(pattern.value));
        compiled.map_err(|message| pattern.error(&message)).ok()
    });
    let default = section.string("default");
    let variable = Variable {
        key: key.unwrap_or_default(),
        label,
        help,
        default: default.as_ref().map_or(String::new(), |default| default.value.to_owned()),
        required: section.bool("required", false),
        options,
        pattern,
        secret: section.bool("secret", false),
        max_length: usize::try_from(max_length).unwrap_or(usize::MAX),
    };
    // An empty default of a required variable means that the owner must choose.
    if let Some(default) = default.filter(|default| !default.value.is_empty())
        && let Err(message) = variable.check(default.value)
    {
        default.error(&format!("the default {} {message}", quoted(default.value, variable.secret)));
    }
    section.finish();
    (!variable.key.is_empty()).then_some(variable)
}

fn quoted(value: &str, secret: bool) -> String {
    if secret { "value".to_owned() } else { format!("\"{}\"", printable(value)) }
}
