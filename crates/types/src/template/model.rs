//! What a template consists of once it is parsed: every name checked, every placeholder known.

use std::collections::BTreeSet;

use super::{
    escape::Escape,
    pattern::Pattern,
    place::{Place, Scope},
    text::Text,
};
use crate::{
    Millis,
    state::CrashPolicy,
    wire::{ConsoleMode, Limits, Program, Protocol, QueryKind},
};

/// A template. Made only by [`Template::parse`], so one that exists is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its unique short name, `[a-z0-9-]{1,40}`.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What it is, in a sentence or two.
    pub description: String,
    /// What the owner of a server may set, in the order in which the panel asks.
    pub variables: Vec<Variable>,
    /// The ports that a server needs; the first is the primary one.
    pub ports: Vec<Port>,
    /// The limits that it proposes.
    pub limits: Limits,
    /// How crashes are answered, unless a server says otherwise.
    pub crash: CrashPolicy,
    /// How a running server can be asked for its players.
    pub query: Option<Query>,
    /// Commands that the panel offers while one is typed into the console.
    pub completions: Vec<String>,
    pub(super) packages: Vec<String>,
    pub(super) programs: Vec<Program>,
    pub(super) install: Vec<Step>,
    pub(super) install_timeout_ms: Millis,
    pub(super) launch: LaunchPlan,
}

/// Something that the owner of a server may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its key, `[A-Z][A-Z0-9_]*`.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// What it does.
    pub help: String,
    /// The value when none is given.
    pub default: String,
    /// Whether it must not be empty.
    pub required: bool,
    /// The allowed values, when there are only some.
    pub options: Vec<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<Pattern>,
    /// Whether it is shown only when asked for.
    pub secret: bool,
    /// The longest value, in characters.
    pub max_length: usize,
}

/// A port that a server needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name, `[a-z][a-z0-9_]*`.
    pub name: String,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// The port that players expect, taken when it is free.
    pub default: Option<u16>,
}

/// How a running server can be asked for its players.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The language.
    pub kind: QueryKind,
    /// The name of the port.
    pub port: String,
}

/// A step of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Run { title: String, command: Vec<Text>, env: Vec<(String, Text)> },
    File(FilePlan),
}

/// A file below the server's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilePlan {
    pub(super) path: String,
    pub(super) content: Text,
    pub(super) escape: Escape,
    pub(super) keep_existing: bool,
    pub(super) executable: bool,
}

/// How a server is started, watched and stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaunchPlan {
    pub(super) command: CommandPlan,
    pub(super) env: Vec<(String, Text)>,
    pub(super) files: Vec<FilePlan>,
    pub(super) console: ConsoleMode,
    pub(super) ready: ReadyPlan,
    pub(super) ready_timeout_ms: Millis,
    pub(super) stop: StopPlan,
    pub(super) stop_timeout_ms: Millis,
    pub(super) read_paths: Vec<String>,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandPlan {
    /// Program and arguments.
    Args(Vec<Text>),
    /// The command line that this variable holds. Its words are filled like arguments.
    Variable(String),
}

/// When it counts as running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadyPlan {
    /// A line that matches; at once when the text comes out empty.
    Line(Text),
    Port,
    Spawned,
}

/// How it is asked to stop: by the command, or by the signal when the command comes out empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StopPlan {
    pub(super) command: Text,
    pub(super) signal: i32,
}

impl Template {
    /// Whether a server's name may be filled in somewhere: otherwise a new name changes nothing that is rendered.
    pub fn names_server(&self) -> bool {
        // What the owner writes as the command line may hold any placeholder.
        let command = match &self.launch.command {
            CommandPlan::Variable(_) => return true,
            CommandPlan::Args(words) => words,
        };
        let steps = self.install.iter().flat_map(|step| -> Box<dyn Iterator<Item = &Text>> {
            match step {
                Step::Run { command, env, .. } => Box::new(command.iter().chain(env.iter().map(|(_, text)| text))),
                Step::File(file) => Box::new(std::iter::once(&file.content)),
            }
        });
        let ready = match &self.launch.ready {
            ReadyPlan::Line(line) => Some(line),
            ReadyPlan::Port | ReadyPlan::Spawned => None,
        };
        steps
            .chain(command)
            .chain(self.launch.env.iter().map(|(_, text)| text))
            .chain(self.launch.files.iter().map(|file| &file.content))
            .chain(ready)
            .chain([&self.launch.stop.command])
            .any(|text| text.names(&Place::ServerName))
    }

    /// The variable that holds the command line, in a template of which the owner brings the command.
    pub(super) fn command_variable(&self) -> Option<&str> {
        match &self.launch.command {
            CommandPlan::Variable(key) => Some(key),
            CommandPlan::Args(_) => None,
        }
    }

    /// What its placeholders may name.
    pub(super) fn scope(&self) -> Scope {
        Scope::new(&self.variables, &self.ports, &self.limits)
    }

    /// The first of `names` that occurs twice.
    pub(super) fn repeated<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
        let mut seen = BTreeSet::new();
        names.into_iter().find(|name| !seen.insert(*name))
    }
}
