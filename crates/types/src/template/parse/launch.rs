//! How a server is started, watched and stopped.

use super::{document::MAX_SECONDS, files, texts};
use crate::{
    limits::COMMAND_BYTES,
    template::{
        model::{CommandPlan, LaunchPlan, ReadyPlan, StopPlan, Variable},
        near,
        pattern::Pattern,
        place::{Place, Scope, printable},
        read::Section,
        rules,
        text::{Text, Values},
        variables::command as command_line,
    },
    wire::ConsoleMode,
};

const MAX_FILES: usize = 64;
const MAX_READ_PATHS: usize = 32;
const USUAL_READY_S: u64 = 120;
const USUAL_STOP_S: u64 = 30;
const SIGTERM: i32 = 15;

/// The section `launch`, which must be there.
pub(super) fn read(document: &Section<'_>, scope: &Scope, variables: &[Variable]) -> LaunchPlan {
    let Some(section) = document.table("launch") else {
        document.require("launch");
        return nothing();
    };
    let plan = LaunchPlan {
        command: command(&section, scope, variables),
        env: texts::env(&section, scope),
        files: section
            .tables("files", MAX_FILES)
            .into_iter()
            .filter_map(|file| {
                let plan = files::file(&file, "path", scope);
                file.finish();
                plan
            })
            .collect(),
        console: console(&section),
        ready: ready(&section, scope),
        ready_timeout_ms: section.integer("ready_timeout_s", 1..=MAX_SECONDS).unwrap_or(USUAL_READY_S) * 1_000,
        stop: section
            .table("stop")
            .map_or(StopPlan { command: Text::default(), signal: SIGTERM }, |stop| self::stop(stop, scope)),
        stop_timeout_ms: section.integer("stop_timeout_s", 1..=MAX_SECONDS).unwrap_or(USUAL_STOP_S) * 1_000,
        read_paths: texts::names(&section, "read_paths", MAX_READ_PATHS, rules::absolute_path),
    };
    section.finish();
    plan
}

/// What stands for a launch that could not be read; there is an error, so no template comes of it.
fn nothing() -> LaunchPlan {
    LaunchPlan {
        command: CommandPlan::Args(Vec::new()),
        env: Vec::new(),
        files: Vec::new(),
        console: ConsoleMode::Pipe,
        ready: ReadyPlan::Spawned,
        ready_timeout_ms: 0,
        stop: StopPlan { command: Text::default(), signal: SIGTERM },
        stop_timeout_ms: 0,
        read_paths: Vec::new(),
    }
}

fn command(section: &Section<'_>, scope: &Scope, variables: &[Variable]) -> CommandPlan {
    let Some(key) = section.string("command_from_variable") else {
        return CommandPlan::Args(texts::command(section, "command", scope));
    };
    if section.has("command") {
        section.error("command", "a launch has either command or command_from_variable; this has both");
    }
    if let Some(variable) = variables.iter().find(|variable| variable.key == key.value) {
        if !variable.required {
            key.error(&format!("the variable {} must be required", variable.key));
        }
        if !variable.default.is_empty()
            && let Err(message) = command_line(&variable.default, scope)
        {
            key.error(&format!("the default of {} {message}", variable.key));
        }
    } else {
        let hint = near::hint(key.value, variables.iter().map(|variable| variable.key.as_str()));
        key.error(&format!("there is no variable \"{}\"{hint}", printable(key.value)));
    }
    CommandPlan::Variable(key.value.to_owned())
}

fn console(section: &Section<'_>) -> ConsoleMode {
    match section.string("console") {
        Some(mode) if mode.value == "pty" => ConsoleMode::Pty,
        Some(mode) if mode.value != "pipe" => {
            mode.error("must be pipe or pty");
            ConsoleMode::Pipe
        }
        _ => ConsoleMode::Pipe,
    }
}

/// `ready = { line = "…" }`, `{ by = "port" }` or `{ by = "spawned" }`.
fn ready(launch: &Section<'_>, scope: &Scope) -> ReadyPlan {
    let Some(section) = launch.table("ready") else {
        launch.require("ready");
        return ReadyPlan::Spawned;
    };
    let by = section.string("by");
    let line = section.string("line");
    let plan = match (by, line) {
        (None, Some(line)) => {
            if line.value.is_empty() {
                line.error("must not be empty; for a server that is ready at once write by = \"spawned\"");
            }
            texts::text(&line, scope).map(|text| {
                // With any values: a placeholder is literal text, so its value cannot make the pattern unsound.
                let mut budget = usize::MAX;
                let pattern = text.fill_regex(&Sample, &mut budget);
                if let Err(message) = pattern.and_then(|pattern| Pattern::compile(&pattern).map(drop)) {
                    line.error(&message);
                }
                ReadyPlan::Line(text)
            })
        }
        (Some(by), None) => match by.value {
            "port" if scope.ports.is_empty() => {
                by.error("the template declares no port");
                None
            }
            "port" => Some(ReadyPlan::Port),
            "spawned" => Some(ReadyPlan::Spawned),
            _ => {
                by.error("must be port or spawned; for a line of output write line = \"…\" instead");
                None
            }
        },
        _ => {
            section.error("line", "has either line (a regular expression) or by (port or spawned)");
            None
        }
    };
    section.finish();
    plan.unwrap_or(ReadyPlan::Spawned)
}

/// Any values.
struct Sample;

impl Values for Sample {
    fn value(&self, _: &Place) -> Result<String, String> {
        Ok("0".to_owned())
    }
}

fn stop(section: Section<'_>, scope: &Scope) -> StopPlan {
    let command = section.string("command").and_then(|line| {
        line.checked(rules::line(COMMAND_BYTES))?;
        texts::text(&line, scope)
    });
    let signal = section.string("signal").and_then(|name| {
        let found = rules::SIGNALS.iter().find(|(known, _)| *known == name.value);
        if found.is_none() {
            name.error(&format!("must be one of {}", rules::SIGNALS.map(|(known, _)| known).join(", ")));
        }
        found.map(|(_, number)| *number)
    });
    if !section.has("command") && !section.has("signal") {
        section.error(
            "command",
            "has command (a line for the console), signal (its name), or both: the signal is then \
                                  for a command that comes out empty",
        );
    }
    section.finish();
    StopPlan { command: command.unwrap_or_default(), signal: signal.unwrap_or(SIGTERM) }
}
