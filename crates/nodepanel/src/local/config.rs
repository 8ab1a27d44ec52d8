//! `nodepanel.toml` in the data directory: every key has a default, unknown keys are errors that name the place.
//!
//! It is read and checked as a whole before anything is bound or started. A command line option wins over it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use nodepanel_backbone::LinkAddress;
use nodepanel_types::Millis;
use serde::Deserialize;

/// The configuration cannot be used; nothing was started with it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration {} is wrong: {message}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The panel and the API.
    pub http: Http,
    /// The links to agents.
    pub link: Link,
    /// Game servers on this host.
    pub games: Games,
    /// API servers on this host.
    pub api: Api,
    /// What our own processes may hold before they are replaced.
    pub ceilings: Ceilings,
    /// How long it counts that a process of ours was seen to come back.
    pub proofs: Proofs,
}

/// The panel and the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where the panel and the API listen.
    pub listen: SocketAddr,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)) }
    }
}

/// The links to agents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// Where agents dial; the address of the panel and the port after its own when left out.
    pub listen: Option<SocketAddr>,
    /// What agents are told to dial, `host:port`; the listening address when left out.
    pub advertise: Vec<LinkAddress>,
}

/// Game servers on this host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Games {
    /// Whether this host runs game servers.
    pub enabled: bool,
    /// The address of the ports that the first start gives to this host; the panel's address when left out.
    pub address: Option<IpAddr>,
}

impl Default for Games {
    fn default() -> Self {
        Self { enabled: true, address: None }
    }
}

/// API servers on this host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// How many run beside each other, 0 to 8. With one, requests wait while it is replaced; with none, this host only
    /// runs game servers for a control plane elsewhere.
    pub servers: u8,
}

impl Default for Api {
    fn default() -> Self {
        Self { servers: 2 }
    }
}

/// What our own processes may hold before they are replaced by a fresh one, in MiB of memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ceilings {
    /// Each API server; a quarter of the machine's memory, and 1024 at least, when left out.
    pub api_mib: Option<u32>,
    /// The agent, without its game servers; an eighth of the machine's memory, and 512 at least, when left out.
    pub agent_mib: Option<u32>,
}

/// How long it counts that a process of ours was seen to come back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proofs {
    /// In days, 1 to 365: `status`, `doctor` and the panel warn of what was not seen to come back for longer.
    pub max_age_days: u16,
}

impl Default for Proofs {
    fn default() -> Self {
        Self { max_age_days: 7 }
    }
}

impl Proofs {
    /// The same in milliseconds.
    pub fn max_age(&self) -> Millis {
        Millis::from(self.max_age_days) * 24 * 60 * 60 * 1_000
    }
}

/// Less than this no process of ours can work with.
const LEAST_CEILING_MIB: u32 = 64;

impl Config {
    /// Reads and checks the file; the defaults when there is none.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
        };
        Self::parse(&text).map_err(|message| ConfigError::Wrong { path: path.to_owned(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if config.api.servers > 8 {
            return Err(format!("api.servers is {}; it must be 0 to 8.", config.api.servers));
        }
        if config.api.servers == 0 && !config.games.enabled {
            return Err("api.servers is 0 and games.enabled is false: nothing would run here.".to_owned());
        }
        for (name, mib) in [("api_mib", config.ceilings.api_mib), ("agent_mib", config.ceilings.agent_mib)] {
            if let Some(mib) = mib.filter(|mib| *mib < LEAST_CEILING_MIB) {
                return Err(format!("ceilings.{name} is {mib}; it must be {LEAST_CEILING_MIB} at least."));
            }
        }
        if !(1..=365).contains(&config.proofs.max_age_days) {
            return Err(format!("proofs.max_age_days is {}; it must be 1 to 365.", config.proofs.max_age_days));
        }
        if config.link.listen == Some(config.http.listen) {
            return Err("link.listen and http.listen are the same address; give each its own port.".to_owned());
        }
        Ok(config)
    }

    /// Whether this host only runs game servers for a control plane elsewhere.
    pub const fn node_only(&self) -> bool {
        self.api.servers == 0
    }

    /// Where agents dial.
    pub fn link_listen(&self) -> SocketAddr {
        self.link.listen.unwrap_or_else(|| {
            let port = match self.http.listen.port() {
                0 => 0,
                port => port.checked_add(1).unwrap_or(port - 1),
            };
            SocketAddr::new(self.http.listen.ip(), port)
        })
    }

    /// The address of this host's game ports.
    pub fn game_address(&self) -> IpAddr {
        self.games.address.unwrap_or_else(|| self.http.listen.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let message = Config::parse("[http]\nlisten = \"127.0.0.1:1\"\nlisten_port = 5\n").unwrap_err();
        assert!(message.contains("listen_port") && message.contains("line 3"), "{message}");
    }

    #[test]
    fn values_out_of_range_say_what_would_be_right() {
        assert!(Config::parse("[api]\nservers = 9\n").unwrap_err().contains("0 to 8"));
        assert!(Config::parse("[api]\nservers = 0\n[games]\nenabled = false\n").unwrap_err().contains("nothing"));
        assert!(Config::parse("[http]\nlisten = \"localhost\"\n").is_err());
        assert!(Config::parse("[ceilings]\nagent_mib = 3\n").unwrap_err().contains("64 at least"));
        assert!(Config::parse("[proofs]\nmax_age_days = 0\n").unwrap_err().contains("1 to 365"));
        let same = "[http]\nlisten = \"127.0.0.1:80\"\n[link]\nlisten = \"127.0.0.1:80\"\n";
        assert!(Config::parse(same).unwrap_err().contains("own port"));
    }

    #[test]
    fn the_link_port_follows_the_panels() {
        let config = Config::parse("[http]\nlisten = \"127.0.0.1:9000\"\n").unwrap();
        assert_eq!(config.link_listen().port(), 9001);
        assert_eq!(Config::parse("[http]\nlisten = \"127.0.0.1:65535\"\n").unwrap().link_listen().port(), 65534);
    }
}
