//! The places that a template may leave open: an allow-list.

use std::fmt;

use super::{
    model::{Port, Variable},
    near,
};
use crate::wire::Limits;

/// What stands between `{{` and `}}`, before a `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `var.KEY`: a variable's value.
    Var(String),
    /// `port`: the primary port.
    PrimaryPort,
    /// `port.NAME`: another one.
    Port(String),
    /// `address`: the address that the ports are on.
    Address,
    /// `limits.memory_mib`: the server's memory limit, or the template's proposal for a server without one.
    MemoryMib,
    /// `server.name`: what its owner calls it.
    ServerName,
    /// `server.id`: its id.
    ServerId,
}

/// The variables and ports that the template declares.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) variables: Vec<String>,
    pub(super) ports: Vec<String>,
    pub(super) memory_proposed: bool,
}

impl Scope {
    pub(super) fn new(variables: &[Variable], ports: &[Port], limits: &Limits) -> Self {
        Self {
            variables: variables.iter().map(|variable| variable.key.clone()).collect(),
            ports: ports.iter().map(|port| port.name.clone()).collect(),
            memory_proposed: limits.memory_mib.is_some(),
        }
    }
}

impl Place {
    /// Reads a place; the error says what would be one.
    pub(super) fn parse(name: &str, scope: &Scope) -> Result<Self, String> {
        if let Some(key) = name.strip_prefix("var.") {
            return if scope.variables.iter().any(|known| known == key) {
                Ok(Self::Var(key.to_owned()))
            } else {
                let hint = near::hint(key, scope.variables.iter().map(String::as_str));
                Err(format!("there is no variable \"{}\"{hint}", printable(key)))
            };
        }
        if let Some(port) = name.strip_prefix("port.") {
            return if scope.ports.iter().any(|known| known == port) {
                Ok(Self::Port(port.to_owned()))
            } else {
                let hint = near::hint(port, scope.ports.iter().map(String::as_str));
                Err(format!("there is no port \"{}\"{hint}", printable(port)))
            };
        }
        match name {
            "port" if scope.ports.is_empty() => Err("the template declares no port".to_owned()),
            "port" => Ok(Self::PrimaryPort),
            "address" if scope.ports.is_empty() => {
                Err("the template declares no port, so it has no address".to_owned())
            }
            "address" => Ok(Self::Address),
            "limits.memory_mib" if !scope.memory_proposed => {
                Err("the template must propose limits.memory_mib when it uses it".to_owned())
            }
            "limits.memory_mib" => Ok(Self::MemoryMib),
            "server.name" => Ok(Self::ServerName),
            "server.id" => Ok(Self::ServerId),
            _ => Err(format!(
                "\"{}\" is no placeholder; there are var.KEY, port, port.NAME, address, limits.memory_mib, server.name \
                 and server.id",
                printable(name)
            )),
        }
    }

    /// Whether people choose the text that stands here; the rest are numbers, addresses and ids.
    pub(super) fn is_free_text(&self) -> bool {
        matches!(self, Self::Var(_) | Self::ServerName)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Var(key) => write!(f, "var.{key}"),
            Self::PrimaryPort => f.write_str("port"),
            Self::Port(name) => write!(f, "port.{name}"),
            Self::Address => f.write_str("address"),
            Self::MemoryMib => f.write_str("limits.memory_mib"),
            Self::ServerName => f.write_str("server.name"),
            Self::ServerId => f.write_str("server.id"),
        }
    }
}

/// At most 60 characters of what somebody wrote, fit for a message.
pub(super) fn printable(text: &str) -> String {
    let short: String = text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(60).is_some() { format!("{short}…") } else { short }
}
