//! Reads typed values out of a TOML document and collects everything that is wrong with it, with path and line.
//!
//! A [`Section`] knows which keys it was asked for; the rest are unknown when it is finished. What is missing or of
//! the wrong type is reported here, once; the reader carries on with a default.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
};

use toml::de::{DeTable, DeValue};

use super::{near, place::printable};
use crate::problem::FieldError;

/// More errors than anybody reads at once are not collected.
const MAX_ERRORS: usize = 100;

/// What is wrong with a document, so far.
pub(super) struct Errors<'s> {
    source: &'s str,
    list: RefCell<Vec<FieldError>>,
}

impl<'s> Errors<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, list: RefCell::default() }
    }

    /// Adds an error about the text at `span`.
    pub(super) fn add(&self, field: &str, span: &Range<usize>, message: &str) {
        let before = self.source.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let mut list = self.list.borrow_mut();
        if list.len() < MAX_ERRORS {
            list.push(FieldError::new(field, format!("{message} (line {line})")));
        }
    }

    /// The span of `needle` inside `span`, or `span` itself when it was written in another way.
    fn find(&self, span: &Range<usize>, needle: &str) -> Range<usize> {
        let offset = self.source.get(span.clone()).and_then(|text| text.find(needle));
        offset.map_or_else(|| span.clone(), |offset| span.start + offset..span.end)
    }

    pub(super) fn into_list(self) -> Vec<FieldError> {
        self.list.into_inner()
    }
}

/// A value with the place that it was read from.
#[derive(Clone)]
pub(super) struct Located<'d, T> {
    pub(super) value: T,
    pub(super) path: String,
    span: Range<usize>,
    errors: &'d Errors<'d>,
}

impl<T> Located<'_, T> {
    /// Reports that the value is wrong.
    pub(super) fn error(&self, message: &str) {
        self.errors.add(&self.path, &self.span, message);
    }

    /// Reports that `part`, as it stands in the value, is wrong.
    pub(super) fn error_at(&self, part: &str, message: &str) {
        self.errors.add(&self.path, &self.errors.find(&self.span, part), message);
    }
}

impl<'d> Located<'d, &'d str> {
    /// The text, when `rule` finds nothing wrong with it.
    pub(super) fn checked(&self, rule: impl Fn(&str) -> Result<(), String>) -> Option<String> {
        match rule(self.value) {
            Ok(()) => Some(self.value.to_owned()),
            Err(message) => {
                self.error(&message);
                None
            }
        }
    }
}

/// A table of the document.
pub(super) struct Section<'d> {
    pub(super) path: String,
    table: &'d DeTable<'d>,
    span: Range<usize>,
    errors: &'d Errors<'d>,
    known: RefCell<Vec<&'static str>>,
}

impl<'d> Section<'d> {
    pub(super) fn root(table: &'d DeTable<'d>, errors: &'d Errors<'d>) -> Self {
        Self { path: String::new(), table, span: 0..0, errors, known: RefCell::default() }
    }

    /// The path of a key of this table.
    fn path_of(&self, key: &str) -> String {
        let key = printable(key);
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    /// Reports something about a key of this table that may not be there.
    pub(super) fn error(&self, key: &str, message: &str) {
        let span = self.table.get_key_value(key).map_or_else(|| self.span.clone(), |(key, _)| key.span());
        self.errors.add(&self.path_of(key), &span, message);
    }

    /// Whether the key is there, whatever it holds.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn get<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<Located<'d, T>> {
        self.known.borrow_mut().push(key);
        let value = self.table.get(key)?;
        self.located(self.path_of(key), value, expected, read)
    }

    fn located<T>(
        &self,
        path: String,
        value: &'d toml::Spanned<DeValue<'d>>,
        expected: &str,
        read: impl Fn(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<Located<'d, T>> {
        let span = value.span();
        let Some(read) = read(value.get_ref()) else {
            self.errors.add(&path, &span, &format!("must be {expected}, is {}", kind(value.get_ref())));
            return None;
        };
        Some(Located { value: read, path, span, errors: self.errors })
    }

    pub(super) fn string(&self, key: &'static str) -> Option<Located<'d, &'d str>> {
        self.get(key, "a text in quotes", as_str)
    }

    pub(super) fn required_string(&self, key: &'static str) -> Option<Located<'d, &'d str>> {
        let value = self.string(key);
        self.require(key);
        value
    }

    /// Reports the key when it is missing.
    pub(super) fn require(&self, key: &'static str) {
        if !self.has(key) {
            self.error(key, "is missing");
        }
    }

    pub(super) fn bool(&self, key: &'static str, default: bool) -> bool {
        self.get(key, "true or false", |value| match value {
            DeValue::Boolean(value) => Some(*value),
            _ => None,
        })
        .map_or(default, |found| found.value)
    }

    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let (low, high) = (range.start(), range.end());
        let expected = format!("a whole number from {low} to {high}");
        let found = self.get(key, &expected, |value| match value {
            DeValue::Integer(value) => Some(i128::from_str_radix(value.as_str(), value.radix()).unwrap_or(-1)),
            _ => None,
        })?;
        match u64::try_from(found.value) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                found.error(&format!("must be {expected}"));
                None
            }
        }
    }

    /// The texts of an array of at most `max`; empty when the key is missing.
    pub(super) fn strings(&self, key: &'static str, max: usize) -> Vec<Located<'d, &'d str>> {
        self.items(key, "an array of texts", max)
            .into_iter()
            .filter_map(|(path, item)| self.located(path, item, "a text in quotes", as_str))
            .collect()
    }

    /// The tables of an array of at most `max`; empty when the key is missing.
    pub(super) fn tables(&self, key: &'static str, max: usize) -> Vec<Section<'d>> {
        self.items(key, "an array of tables", max)
            .into_iter()
            .filter_map(|(path, item)| self.located(path, item, "a table", as_table).map(Section::from_located))
            .collect()
    }

    pub(super) fn table(&self, key: &'static str) -> Option<Section<'d>> {
        self.get(key, "a table", as_table).map(Section::from_located)
    }

    /// The texts of a table with keys of any name.
    pub(super) fn string_map(&self, key: &'static str, max: usize) -> BTreeMap<&'d str, Located<'d, &'d str>> {
        let Some(map) = self.get(key, "a table of texts", as_table) else { return BTreeMap::new() };
        if map.value.len() > max {
            map.error(&format!("has more than {max} entries"));
            return BTreeMap::new();
        }
        map.value
            .iter()
            .filter_map(|(name, value)| {
                let path = format!("{}.{}", map.path, printable(name.get_ref()));
                let value = self.located(path, value, "a text in quotes", as_str)?;
                Some((name.get_ref().as_ref(), value))
            })
            .collect()
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let prefix = if self.path.is_empty() { String::new() } else { format!("{}.", self.path) };
            let hint = near::hint(name, known.iter().copied());
            let message = format!("there is no such setting{hint}; there are {}", known.join(", "));
            self.errors.add(&format!("{prefix}{}", printable(name)), &key.span(), &message);
        }
    }

    fn items(&self, key: &'static str, expected: &str, max: usize) -> Vec<(String, &'d toml::Spanned<DeValue<'d>>)> {
        let found = self.get(key, expected, |value| match value {
            DeValue::Array(items) => Some(items),
            _ => None,
        });
        let Some(found) = found else { return Vec::new() };
        if found.value.len() > max {
            found.error(&format!("has more than {max} entries"));
            return Vec::new();
        }
        found.value.iter().enumerate().map(|(i, item)| (format!("{}[{i}]", found.path), item)).collect()
    }

    fn from_located(found: Located<'d, &'d DeTable<'d>>) -> Self {
        Self { path: found.path, table: found.value, span: found.span, errors: found.errors, known: RefCell::default() }
    }
}

fn as_str<'d>(value: &'d DeValue<'d>) -> Option<&'d str> {
    match value {
        DeValue::String(text) => Some(text.as_ref()),
        _ => None,
    }
}

fn as_table<'d>(value: &'d DeValue<'d>) -> Option<&'d DeTable<'d>> {
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
