//! What a host must have, and what the installation does.

use super::{document::MAX_SECONDS, files, texts};
use crate::{
    Millis,
    template::{model::Step, place::Scope, read::Section, rules},
    wire::Program,
};

const MAX_PACKAGES: usize = 64;
const MAX_STEPS: usize = 64;
const USUAL_TIMEOUT_S: u64 = 600;

/// Packages and programs.
pub(super) fn requirements(document: &Section<'_>) -> (Vec<String>, Vec<Program>) {
    let packages = texts::names(document, "packages", MAX_PACKAGES, rules::package);
    let programs = document
        .tables("programs", MAX_PACKAGES)
        .into_iter()
        .filter_map(|section| {
            let name = section.required_string("name").and_then(|name| name.checked(rules::program));
            let package = section.required_string("package").and_then(|name| name.checked(rules::package));
            section.finish();
            Some(Program { name: name?, package: package? })
        })
        .collect();
    (packages, programs)
}

/// Steps and the time that they may take together.
pub(super) fn read(document: &Section<'_>, scope: &Scope) -> (Vec<Step>, Millis) {
    let Some(section) = document.table("install") else { return (Vec::new(), USUAL_TIMEOUT_S * 1_000) };
    let timeout_s = section.integer("timeout_s", 1..=MAX_SECONDS).unwrap_or(USUAL_TIMEOUT_S);
    let steps = section.tables("steps", MAX_STEPS).into_iter().filter_map(|step| self::step(step, scope)).collect();
    section.finish();
    (steps, timeout_s * 1_000)
}

fn step(section: Section<'_>, scope: &Scope) -> Option<Step> {
    let step = match (section.has("run"), section.has("file")) {
        (true, false) => {
            let title = section.required_string("title").and_then(|title| title.checked(rules::line(80)));
            let command = texts::command(&section, "run", scope);
            Some(Step::Run { title: title.unwrap_or_default(), command, env: texts::env(&section, scope) })
        }
        (false, true) => files::file(&section, "file", scope).map(Step::File),
        (both, _) => {
            let found = if both { "both" } else { "neither" };
            section.error(
                "run",
                &format!(
                    "a step has either run (an array of a program and its arguments) or file (a path); this has {found}"
                ),
            );
            return None;
        }
    };
    section.finish();
    step
}
