//! Files that a template writes.

use super::texts;
use crate::template::{
    escape::Escape,
    model::FilePlan,
    near,
    place::{Scope, printable},
    read::{Located, Section},
    rules,
    text::Text,
};

/// A file, whose path stands under `path_key`. Knows nothing of other keys of the section.
pub(super) fn file(section: &Section<'_>, path_key: &'static str, scope: &Scope) -> Option<FilePlan> {
    let path = section.required_string(path_key).and_then(|path| path.checked(rules::relative_path));
    let escape = section.string("escape").map(|name| notation(&name));
    let content = section.required_string("content");
    let keep_existing = section.bool("keep_existing", false);
    let executable = section.bool("executable", false);
    let written = content?;
    let content: Text = texts::text(&written, scope)?;
    // Whoever leaves it open would find out from the first server whose name has a quote in it.
    if escape.is_none()
        && let Some(place) = content.first_without_notation()
    {
        written.error_at(
            &place.to_string(),
            &format!(
                "the file puts in {place} and does not say in which notation; set escape to one of {}, or write \
                 {{{{{place}|json}}}}",
                Escape::NAMES.join(", ")
            ),
        );
    }
    Some(FilePlan { path: path?, content, escape: escape.flatten().unwrap_or(Escape::None), keep_existing, executable })
}

fn notation(name: &Located<'_, &str>) -> Option<Escape> {
    let escape = Escape::from_name(name.value);
    if escape.is_none() {
        name.error(&format!(
            "there is no notation \"{}\"{}; there are {}",
            printable(name.value),
            near::hint(name.value, Escape::NAMES),
            Escape::NAMES.join(", ")
        ));
    }
    escape
}
