//! A template with a server's values: the parts of its desired state that come from the template.

use std::collections::BTreeMap;

use super::{
    escape::Escape,
    model::{CommandPlan, FilePlan, ReadyPlan, Step, StopPlan, Template},
    place::Place,
    rules,
    text::{Text, Values},
    variables,
};
use crate::{
    Millis, ServerId,
    problem::FieldError,
    wire::{Endpoint, FileSpec, InstallStep, Launch, Limits, Program, Ready, RunAs, StopWay},
};

/// The most that one server's rendered texts may have together, in bytes.
const RENDERED_BYTES: usize = 1024 * 1024;

/// The server that a template is rendered for.
#[derive(Debug, Clone, Copy)]
pub struct RenderInput<'a> {
    /// Its id.
    pub server: ServerId,
    /// Its name.
    pub name: &'a str,
    /// Its limits.
    pub limits: &'a Limits,
    /// Its ports, with the names of the template's.
    pub endpoints: &'a [Endpoint],
    /// The values that were given for its variables.
    pub variables: &'a BTreeMap<String, String>,
}

/// The parts of a `wire::DesiredServer` that come from the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Debian packages that the host must have.
    pub packages: Vec<String>,
    /// Programs that the host must have, from wherever.
    pub programs: Vec<Program>,
    /// What the installation does, in order.
    pub install: Vec<InstallStep>,
    /// How long the whole installation may take.
    pub install_timeout_ms: Millis,
    /// How the server is started, watched and stopped.
    pub launch: Launch,
}

impl Template {
    /// Fills the template for one server.
    ///
    /// # Errors
    ///
    /// Variables that are wrong (`variables.KEY`), ports that are missing (`ports.NAME`), a name with control
    /// characters (`name`), or the setting of the template whose text cannot be filled.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, Vec<FieldError>> {
        let mut errors = Vec::new();
        let variables = self.check_variables(input.variables).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            BTreeMap::new()
        });
        if let Err(message) = rules::optional_line(256)(input.name) {
            errors.push(FieldError::new("name", message));
        }
        for port in &self.ports {
            if !input.endpoints.iter().any(|endpoint| endpoint.name == port.name) {
                errors.push(FieldError::new(format!("ports.{}", port.name), "the server has no such port"));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let values = ServerValues { template: self, input, variables };
        Renderer { values, budget: RENDERED_BYTES }.run().map_err(|error| vec![error])
    }
}

/// The values of one server; everything in it was checked.
struct ServerValues<'a> {
    template: &'a Template,
    input: &'a RenderInput<'a>,
    variables: BTreeMap<String, String>,
}

impl ServerValues<'_> {
    fn endpoint(&self, name: Option<&str>) -> Result<&Endpoint, String> {
        let name = name.or_else(|| self.template.ports.first().map(|port| port.name.as_str()));
        self.input
            .endpoints
            .iter()
            .find(|endpoint| Some(endpoint.name.as_str()) == name)
            .ok_or_else(|| format!("the server has no port \"{}\"", name.unwrap_or_default()))
    }
}

impl Values for ServerValues<'_> {
    fn value(&self, place: &Place) -> Result<String, String> {
        Ok(match place {
            Place::Var(key) => {
                self.variables.get(key).cloned().ok_or_else(|| format!("there is no variable \"{key}\""))?
            }
            Place::PrimaryPort => self.endpoint(None)?.port.to_string(),
            Place::Port(name) => self.endpoint(Some(name))?.port.to_string(),
            Place::Address => self.endpoint(None)?.address.to_string(),
            Place::MemoryMib => self
                .input
                .limits
                .memory_mib
                .or(self.template.limits.memory_mib)
                .ok_or_else(|| "neither the server nor the template has limits.memory_mib".to_owned())?
                .to_string(),
            Place::ServerName => self.input.name.to_owned(),
            Place::ServerId => self.input.server.to_string(),
        })
    }
}

struct Renderer<'a> {
    values: ServerValues<'a>,
    budget: usize,
}

impl Renderer<'_> {
    fn run(mut self) -> Result<Rendered, FieldError> {
        let template = self.values.template;
        let plan = &template.launch;
        let install = template
            .install
            .iter()
            .enumerate()
            .map(|(i, step)| self.step(step, &format!("install.steps[{i}]")))
            .collect::<Result<_, _>>()?;
        let launch = Launch {
            command: self.launch_command(&plan.command)?,
            env: self.env(&plan.env, "launch.env")?,
            files: plan
                .files
                .iter()
                .enumerate()
                .map(|(i, file)| self.file(file, &format!("launch.files[{i}].content")))
                .collect::<Result<_, _>>()?,
            console: plan.console,
            ready: self.ready(&plan.ready)?,
            ready_timeout_ms: plan.ready_timeout_ms,
            stop: self.stop(&plan.stop)?,
            stop_timeout_ms: plan.stop_timeout_ms,
            run_as: RunAs::OwnUser,
            read_paths: plan.read_paths.clone(),
        };
        Ok(Rendered {
            packages: template.packages.clone(),
            programs: template.programs.clone(),
            install,
            install_timeout_ms: template.install_timeout_ms,
            launch,
        })
    }

    fn text(&mut self, text: &Text, escape: Escape, field: &str) -> Result<String, FieldError> {
        text.fill(&self.values, escape, &mut self.budget).map_err(|message| FieldError::new(field, message))
    }

    fn step(&mut self, step: &Step, field: &str) -> Result<InstallStep, FieldError> {
        Ok(match step {
            Step::Run { title, command, env } => InstallStep::Run {
                title: title.clone(),
                command: self.command(command, &format!("{field}.run"))?,
                env: self.env(env, &format!("{field}.env"))?,
            },
            Step::File(file) => InstallStep::File { file: self.file(file, &format!("{field}.content"))? },
        })
    }

    fn command(&mut self, command: &[Text], field: &str) -> Result<Vec<String>, FieldError> {
        let words: Vec<_> =
            command.iter().map(|word| self.text(word, Escape::None, field)).collect::<Result<_, _>>()?;
        match words.first() {
            Some(program) if !program.is_empty() => Ok(words),
            _ => Err(FieldError::new(field, "names no program")),
        }
    }

    fn launch_command(&mut self, command: &CommandPlan) -> Result<Vec<String>, FieldError> {
        match command {
            CommandPlan::Args(words) => self.command(words, "launch.command"),
            CommandPlan::Variable(key) => {
                let field = format!("variables.{key}");
                let line = self.values.variables.get(key).map(String::as_str).unwrap_or_default();
                let words = variables::command(line, &self.values.template.scope())
                    .map_err(|message| FieldError::new(&field, message))?;
                self.command(&words, &field)
            }
        }
    }

    fn env(&mut self, env: &[(String, Text)], field: &str) -> Result<BTreeMap<String, String>, FieldError> {
        env.iter().map(|(name, text)| Ok((name.clone(), self.text(text, Escape::None, field)?))).collect()
    }

    fn file(&mut self, file: &FilePlan, field: &str) -> Result<FileSpec, FieldError> {
        Ok(FileSpec {
            path: file.path.clone(),
            content: self.text(&file.content, file.escape, field)?,
            keep_existing: file.keep_existing,
            executable: file.executable,
        })
    }

    fn ready(&mut self, ready: &ReadyPlan) -> Result<Ready, FieldError> {
        let text = match ready {
            ReadyPlan::Line(text) => text,
            ReadyPlan::Port => return Ok(Ready::Port),
            ReadyPlan::Spawned => return Ok(Ready::Spawned),
        };
        let wrong = |message: String| FieldError::new("launch.ready.line", message);
        let pattern = text.fill_regex(&self.values, &mut self.budget).map_err(wrong)?;
        if pattern.is_empty() {
            return Ok(Ready::Spawned);
        }
        // Without values it is what was compiled when the template was parsed.
        if !text.is_literal() {
            regex::Regex::new(&pattern).map_err(|_| wrong("is no regular expression with these values".to_owned()))?;
        }
        Ok(Ready::Line { pattern })
    }

    fn stop(&mut self, stop: &StopPlan) -> Result<StopWay, FieldError> {
        let line = self.text(&stop.command, Escape::None, "launch.stop.command")?;
        Ok(if line.is_empty() { StopWay::Signal { signal: stop.signal } } else { StopWay::Command { line } })
    }
}
