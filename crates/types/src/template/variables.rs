//! Checks the values of a server's variables against its template.

use std::collections::BTreeMap;

use super::{
    command_line,
    model::{Template, Variable},
    near,
    place::{Scope, printable},
    rules,
    text::Text,
};
use crate::problem::FieldError;

impl Template {
    /// Checks the values that were given and adds the defaults of the others.
    ///
    /// # Errors
    ///
    /// Every value that is wrong, as `variables.KEY`.
    pub fn check_variables(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Vec<FieldError>> {
        let known = || self.variables.iter().map(|variable| variable.key.as_str());
        let mut errors: Vec<_> = given
            .keys()
            .filter(|key| !known().any(|name| name == key.as_str()))
            .map(|key| {
                let message = format!("this template has no such variable{}", near::hint(key, known()));
                FieldError::new(format!("variables.{}", printable(key)), message)
            })
            .collect();
        let mut checked = BTreeMap::new();
        let scope = self.scope();
        for variable in &self.variables {
            let value = given.get(&variable.key).unwrap_or(&variable.default);
            let outcome = variable.check(value).and_then(|()| {
                if self.command_variable() == Some(&variable.key) { command(value, &scope).map(drop) } else { Ok(()) }
            });
            if let Err(message) = outcome {
                errors.push(FieldError::new(format!("variables.{}", variable.key), message));
            }
            checked.insert(variable.key.clone(), value.clone());
        }
        if errors.is_empty() { Ok(checked) } else { Err(errors) }
    }
}

impl Variable {
    /// Whether a value is right; the error is a sentence without the value, which may be a secret.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return if self.required { Err("is required".to_owned()) } else { Ok(()) };
        }
        rules::optional_line(self.max_length)(value)?;
        if !self.options.is_empty() && !self.options.iter().any(|option| option == value) {
            return Err(format!("must be one of {}", self.options.join(", ")));
        }
        if let Some(pattern) = &self.pattern
            && !pattern.is_match(value)
        {
            let pattern = pattern.source();
            return Err(match self.help.as_str() {
                "" => format!("must match {pattern}"),
                help => format!("must match {pattern}: {help}"),
            });
        }
        Ok(())
    }
}

/// The words of a command line that an owner wrote, with their placeholders.
pub(super) fn command(line: &str, scope: &Scope) -> Result<Vec<Text>, String> {
    let words = command_line::split(line)?;
    if words.first().is_none_or(String::is_empty) {
        return Err("must name a program".to_owned());
    }
    words
        .iter()
        .map(|word| {
            Text::parse(word, scope).map_err(|errors| {
                let messages: Vec<_> = errors.into_iter().map(|error| error.message).collect();
                messages.join("; ")
            })
        })
        .collect()
}
