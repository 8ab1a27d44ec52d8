//! `nodepanel.toml` in the data directory: every key has a default, unknown keys are errors that name the place.
//!
//! It is read and checked as a whole before anything is bound or started. A command line option wins over it. Which text
//! is in force when the file is broken is `in_force`'s business.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use nodepanel_api::{ForwardedHeader, Network};
use nodepanel_backbone::LinkAddress;
use nodepanel_supervise::renewal::Window;
use nodepanel_types::Millis;
use serde::Deserialize;
use toml::de::DeTable;

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
    /// Addresses and networks of reverse proxies that say for whom they ask; those of this host when left out.
    pub trusted_proxies: Vec<Network>,
    /// Where they say it.
    pub forwarded_header: ForwardedHeader,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            trusted_proxies: Network::LOOPBACK.to_vec(),
            forwarded_header: ForwardedHeader::default(),
        }
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
    /// Whether proofs are renewed by themselves, in the window: processes of ours are ended on purpose then.
    pub renew: bool,
    /// When, in UTC: `Sun 04:00-05:00`, or `daily 04:00-05:00`.
    pub window: Option<String>,
}

impl Default for Proofs {
    fn default() -> Self {
        Self { max_age_days: 7, renew: false, window: None }
    }
}

impl Proofs {
    /// The same in milliseconds.
    pub fn max_age(&self) -> Millis {
        Millis::from(self.max_age_days) * 24 * 60 * 60 * 1_000
    }

    /// When proofs are renewed; `None` when they are not.
    pub fn window(&self) -> Option<Window> {
        self.window.as_ref().filter(|_| self.renew)?.parse().ok()
    }

    /// The first value that cannot be used: its key, and the rest of a sentence.
    fn complaint(&self) -> Option<(&'static str, String)> {
        if !(1..=365).contains(&self.max_age_days) {
            return Some(("max_age_days", format!("{}; it must be 1 to 365", self.max_age_days)));
        }
        if let Some(Err(error)) = self.window.as_ref().map(|window| window.parse::<Window>()) {
            return Some(("window", error.to_string()));
        }
        (self.renew && self.window.is_none()).then(|| {
            (
                "renew",
                "true, and proofs.window does not say when; set it, for example to \"Sun 04:00-05:00\" (UTC)"
                    .to_owned(),
            )
        })
    }
}

/// Less than this no process of ours can work with.
const LEAST_CEILING_MIB: u32 = 64;

impl Config {
    /// What is in a file; nothing when there is none, which means the defaults.
    pub fn read(path: &Path) -> Result<String, ConfigError> {
        match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            read => read.map_err(|source| ConfigError::Read { path: path.to_owned(), source }),
        }
    }

    /// Checks what is in a file.
    pub fn of(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::parse(text).map_err(|message| ConfigError::Wrong { path: path.to_owned(), message })
    }

    /// What is wrong, and in which line.
    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| format!("{}: ", place(text, span.start)));
            // What was expected may stand in lines of its own.
            let said: Vec<&str> = error.message().lines().map(str::trim).collect();
            format!("{place}{}", said.join("; "))
        })?;
        config.complaint().map_or(Ok(config), |(section, key, complaint)| {
            let place = key_place(text, section, key).map_or_else(String::new, |place| format!("{place}: "));
            Err(format!("{place}{section}.{key} is {complaint}"))
        })
    }

    /// The first value that cannot be used: its section, its key, and the rest of a sentence that begins with them.
    fn complaint(&self) -> Option<(&'static str, &'static str, String)> {
        if self.api.servers > 8 {
            return Some(("api", "servers", format!("{}; it must be 0 to 8", self.api.servers)));
        }
        if self.api.servers == 0 && !self.games.enabled {
            return Some(("api", "servers", "0 and games.enabled is false: nothing would run here".to_owned()));
        }
        for (key, mib) in [("api_mib", self.ceilings.api_mib), ("agent_mib", self.ceilings.agent_mib)] {
            if let Some(mib) = mib.filter(|mib| *mib < LEAST_CEILING_MIB) {
                return Some(("ceilings", key, format!("{mib}; it must be {LEAST_CEILING_MIB} at least")));
            }
        }
        if let Some((key, complaint)) = self.proofs.complaint() {
            return Some(("proofs", key, complaint));
        }
        let same = self.link.listen == Some(self.http.listen);
        same.then(|| ("link", "listen", "the same address as http.listen; give each its own port".to_owned()))
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

/// Where in the text a byte is, for people, with the line itself.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let written: String = text.lines().nth(line - 1).unwrap_or_default().trim().chars().take(80).collect();
    format!("line {line}, column {column} (`{written}`)")
}

/// Where the value of a key is, when the text names it.
fn key_place(text: &str, section: &str, key: &str) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let value = document.get_ref().get(section)?.get_ref().as_table()?.get(key)?;
    Some(place(text, value.span().start))
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
        assert!(Config::parse("[http]\nlisten = \"localhost\"\n").unwrap_err().starts_with("line 2, column"));
        assert!(Config::parse("[api]\n\nservers = 9\n").unwrap_err().starts_with("line 3, column"));
        assert!(
            Config::parse("api = {servers = 9}")
                .unwrap_err()
                .contains("column 18 (`api = {servers = 9}`): api.servers is 9")
        );
        assert!(!Config::parse("[http\nlisten =").unwrap_err().contains('\n'));
        assert!(Config::parse("[ceilings]\nagent_mib = 3\n").unwrap_err().contains("64 at least"));
        assert!(Config::parse("[proofs]\nmax_age_days = 0\n").unwrap_err().contains("1 to 365"));
        let window = |window: &str| Config::parse(&format!("[proofs]\nrenew = true\nwindow = \"{window}\"\n"));
        assert!(window("Sun 04:00-05:00").unwrap().proofs.window().is_some());
        let message = window("Sunday").unwrap_err();
        assert!(message.contains("line 3") && message.contains("Sun 04:00-05:00"), "{message}");
        assert!(window("Sun 04:00-04:05").unwrap_err().contains("proofs.window is 5 minutes long"));
        assert!(window("Sun 04:00-25:00").unwrap_err().contains("\"25:00\""));
        assert!(Config::parse("[proofs]\nrenew = true\n").unwrap_err().contains("proofs.window does not say when"));
        let off = Config::parse("[proofs]\nwindow = \"Sun 04:00-05:00\"\n").unwrap();
        assert!(off.proofs.window().is_none(), "off unless it is switched on");
        let same = "[http]\nlisten = \"127.0.0.1:80\"\n[link]\nlisten = \"127.0.0.1:80\"\n";
        assert!(Config::parse(same).unwrap_err().contains("own port"));
    }

    #[test]
    fn a_proxy_that_cannot_be_one_is_named_with_its_place() {
        let parse = |list: &str| Config::parse(&format!("[http]\ntrusted_proxies = {list}\n"));
        assert_eq!(Config::default().http.trusted_proxies, Network::LOOPBACK);
        assert_eq!(parse("[]").unwrap().http.trusted_proxies, []);
        assert_eq!(parse("[\"10.0.0.0/8\", \"::1\"]").unwrap().http.trusted_proxies.len(), 2);
        for (bad, why) in
            [("10.0.0.1/8", "write 10.0.0.0/8"), ("lb.example", "no IP address"), ("0.0.0.0/0", "Internet")]
        {
            let message = parse(&format!("[\"::1\", \"{bad}\"]")).unwrap_err();
            assert!(message.starts_with("line 2, column 19"), "{message}");
            assert!(message.contains(&format!("`{bad}`")) && message.contains(why), "{message}");
        }
        let message = Config::parse("[http]\nforwarded_header = \"x-real-ip\"\n").unwrap_err();
        assert!(message.contains("x-real-ip") && message.contains("x-forwarded-for"), "{message}");
    }

    #[test]
    fn the_link_port_follows_the_panels() {
        let config = Config::parse("[http]\nlisten = \"127.0.0.1:9000\"\n").unwrap();
        assert_eq!(config.link_listen().port(), 9001);
        assert_eq!(Config::parse("[http]\nlisten = \"127.0.0.1:65535\"\n").unwrap().link_listen().port(), 65534);
    }
}
