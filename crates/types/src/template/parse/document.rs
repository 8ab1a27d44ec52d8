//! The document as a whole, and what a template says about itself.

use toml::de::DeTable;

use super::{install, launch, variables};
use crate::{
    limits::TEMPLATE_BYTES,
    problem::FieldError,
    state::CrashPolicy,
    template::{
        model::{Port, Query, Template},
        near,
        place::{Scope, printable},
        read::{Errors, Section},
        rules,
    },
    wire::{Limits, Protocol, QueryKind},
};

/// The form of templates that this version reads.
const FORMAT: u64 = 1;
const MAX_PORTS: usize = 16;
const MAX_COMPLETIONS: usize = 200;
/// A day: longer than any installation or stop, short enough to add to any time.
pub(super) const MAX_SECONDS: u64 = 24 * 60 * 60;

impl Template {
    /// Reads and checks a template.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, by the path of the setting, with the line. What is wrong with the TOML
    /// itself comes alone, as `source`.
    pub fn parse(source: &str) -> Result<Self, Vec<FieldError>> {
        if source.len() > TEMPLATE_BYTES {
            let message = format!("has {} bytes; a template may have {TEMPLATE_BYTES}", source.len());
            return Err(vec![FieldError::new("source", message)]);
        }
        let errors = Errors::new(source);
        let (document, syntax) = DeTable::parse_recoverable(source);
        for error in &syntax {
            errors.add("source", &error.span().unwrap_or_default(), &format!("is not TOML: {}", error.message()));
        }
        if !syntax.is_empty() {
            return Err(errors.into_list());
        }
        let template = read(Section::root(document.get_ref(), &errors));
        let errors = errors.into_list();
        if errors.is_empty() { Ok(template) } else { Err(errors) }
    }
}

fn read(document: Section<'_>) -> Template {
    if document.integer("format", 1..=u64::MAX).is_some_and(|format| format != FORMAT) {
        document.error("format", &format!("this version of NodePanel reads format {FORMAT}"));
    }
    document.require("format");
    let slug = document.required_string("slug").and_then(|slug| slug.checked(rules::slug)).unwrap_or_default();
    let name = document.required_string("name").and_then(|name| name.checked(rules::line(80))).unwrap_or_default();
    let description =
        document.string("description").and_then(|text| text.checked(rules::optional_line(500))).unwrap_or_default();
    let variables = variables::read(&document);
    let ports = ports(&document);
    let limits = document.table("limits").map(limits).unwrap_or_default();
    let scope = Scope::new(&variables, &ports, &limits);
    let (packages, programs) = install::requirements(&document);
    let (install, install_timeout_ms) = install::read(&document, &scope);
    let launch = launch::read(&document, &scope, &variables);
    let crash = document.table("crash").map(crash).unwrap_or_default();
    let query = document.table("query").and_then(|section| query(section, &ports));
    let completions = document.table("console").map(completions).unwrap_or_default();
    document.finish();
    Template {
        slug,
        name,
        description,
        variables,
        ports,
        limits,
        crash,
        query,
        completions,
        packages,
        programs,
        install,
        install_timeout_ms,
        launch,
    }
}

fn ports(document: &Section<'_>) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for section in document.tables("ports", MAX_PORTS) {
        let name = section.required_string("name").and_then(|name| {
            if ports.iter().any(|port| port.name == name.value) {
                name.error("is the name of an earlier port");
            }
            name.checked(rules::port_name)
        });
        let protocol = section.required_string("protocol").and_then(|protocol| match protocol.value {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "both" => Some(Protocol::Both),
            _ => {
                protocol.error("must be tcp, udp or both");
                None
            }
        });
        let default = section.integer("default", 1..=65_535).and_then(|port| u16::try_from(port).ok());
        section.finish();
        // A wrong protocol must not make the port unknown to the placeholders that name it.
        if let Some(name) = name {
            ports.push(Port { name, protocol: protocol.unwrap_or(Protocol::Both), default });
        }
    }
    ports
}

fn limits(section: Section<'_>) -> Limits {
    let read = |key, range| section.integer(key, range).and_then(|value| u32::try_from(value).ok());
    let limits = Limits {
        memory_mib: read("memory_mib", 16..=16_777_216),
        cpu_percent: read("cpu_percent", 1..=100_000),
        pids: read("pids", 4..=1_000_000),
        disk_mib: read("disk_mib", 1..=u64::from(u32::MAX)),
    };
    section.finish();
    limits
}

fn crash(section: Section<'_>) -> CrashPolicy {
    let usual = CrashPolicy::default();
    let read = |key, usual| section.integer(key, 100..=MAX_SECONDS * 1_000).unwrap_or(usual);
    let policy = CrashPolicy {
        first_delay_ms: read("first_delay_ms", usual.first_delay_ms),
        max_delay_ms: read("max_delay_ms", usual.max_delay_ms),
        healthy_after_ms: read("healthy_after_ms", usual.healthy_after_ms),
    };
    if policy.first_delay_ms > policy.max_delay_ms {
        section.error("first_delay_ms", "must not be longer than max_delay_ms");
    }
    section.finish();
    policy
}

fn query(section: Section<'_>, ports: &[Port]) -> Option<Query> {
    let kind = section.required_string("kind").and_then(|kind| {
        let found = QueryKind::ALL.into_iter().find(|known| known.as_str() == kind.value);
        if found.is_none() {
            let known = QueryKind::ALL.map(QueryKind::as_str);
            kind.error(&format!("must be one of {}{}", known.join(", "), near::hint(kind.value, known)));
        }
        found
    });
    let port = match section.string("port") {
        Some(port) if ports.iter().any(|known| known.name == port.value) => Some(port.value.to_owned()),
        Some(port) => {
            port.error(&format!("there is no port \"{}\"", printable(port.value)));
            None
        }
        None => {
            let primary = ports.first().map(|port| port.name.clone());
            if primary.is_none() {
                section.error("port", "the template declares no port that could be asked");
            }
            primary
        }
    };
    section.finish();
    Some(Query { kind: kind?, port: port? })
}

fn completions(section: Section<'_>) -> Vec<String> {
    let commands = section
        .strings("completions", MAX_COMPLETIONS)
        .into_iter()
        .filter_map(|command| command.checked(rules::line(200)))
        .collect();
    section.finish();
    commands
}
