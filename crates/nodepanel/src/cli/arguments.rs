//! What can be typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use nodepanel_types::NodeId;

use crate::exit::Exit;

/// Run game servers for others, with a control plane that heals itself.
#[derive(Debug, Parser)]
#[command(name = "nodepanel", version, after_help = Exit::TABLE, propagate_version = true)]
pub struct CommandLine {
    /// The installation's data directory; where it is left out, ./data if there is one, else that of the Debian package if
    /// it is installed
    #[arg(long, global = true, env = "NODEPANEL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the panel and the API listen; the configuration's when left out
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub remote: Remote,
    #[command(subcommand)]
    pub command: Command,
}

/// Another installation than this host's.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// The API to ask; the installation of --data-dir when left out
    #[arg(long, global = true, env = "NODEPANEL_URL", value_name = "URL")]
    pub url: Option<String>,
    /// The API key to ask with; on the host itself none is needed
    #[arg(long, global = true, env = "NODEPANEL_TOKEN", value_name = "KEY", hide_env_values = true)]
    pub token: Option<String>,
    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, global = true, env = "NODEPANEL_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send the API key unencrypted to another host (http://); whoever is on the way can read it
    #[arg(long, global = true)]
    pub insecure: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start NodePanel on this machine and keep it until Ctrl-C
    Up {
        /// Ctrl-C stops the game servers too
        #[arg(long)]
        stop_servers: bool,
    },
    /// Stop the control plane; game servers go on
    Stop {
        /// Stop the game servers too
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Show NodePanel's own processes
    Status {
        /// What NodePanel did by itself instead: when, what, why, and how long it took
        #[arg(long)]
        history: bool,
        /// As JSON: an array of components, or of actions
        #[arg(long)]
        json: bool,
    },
    /// Check this machine and explain what is wrong
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace this installation's program by another build, without a pause
    Upgrade {
        /// The new program
        binary: PathBuf,
        /// Do not wait until it has proven itself
        #[arg(long)]
        no_wait: bool,
        #[arg(long)]
        json: bool,
    },
    /// Have systemd start NodePanel at boot and keep it
    Install(Install),
    /// Print the one-time link that makes the first administrator
    SetupLink {
        #[arg(long)]
        json: bool,
    },
    /// Game servers
    Server {
        #[command(subcommand)]
        command: ServerCommand,
    },
    /// Machines that run game servers
    Node {
        #[command(subcommand)]
        command: NodeCommand,
    },
    /// People who can sign in
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// API keys
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// This machine as a node of another control plane
    Agent {
        #[command(subcommand)]
        command: AgentCommand,
    },
    /// Break NodePanel's own parts on purpose and measure what users notice
    Drill(DrillArguments),
    /// See that each of NodePanel's own processes comes back
    Proofs {
        #[command(subcommand)]
        command: ProofsCommand,
    },
    /// Print a shell's completions
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Supervise the processes of this machine (started by `up` and by systemd)
    #[command(hide = true)]
    Supervise,
    /// One of our own processes (started by the supervisor)
    #[command(hide = true)]
    Role {
        #[command(subcommand)]
        role: RoleCommand,
    },
    /// Print the OpenAPI document
    #[command(hide = true)]
    Openapi,
}

/// What to do about proofs.
#[derive(Debug, Subcommand)]
pub enum ProofsCommand {
    /// End one process after the other on purpose, now, and wait until each is back
    Renew {
        /// Yes, end them
        #[arg(long)]
        yes: bool,
        /// As JSON: an array with the proof of each
        #[arg(long)]
        json: bool,
    },
}

/// Which drills, on what.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub struct DrillArguments {
    /// The drill
    pub name: Option<String>,
    /// List the drills
    #[arg(long, conflicts_with_all = ["name", "all"])]
    pub list: bool,
    /// Every drill, one after the other
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// How often each breaks something
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repeat: u32,
    /// How long `control-plane-away` keeps the control plane away each time, in seconds
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub away: u32,
    /// On the running installation of --data-dir, instead of one that is started for it and thrown away
    #[arg(long)]
    pub running: bool,
    /// Yes, break parts of the running installation
    #[arg(long, requires = "running")]
    pub yes: bool,
    /// As JSON: an array of reports, each printed when its drill has ended
    #[arg(long)]
    pub json: bool,
}

/// Where to install.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Install {
    /// Where the units are written
    #[arg(long, default_value = "/etc/systemd/system", value_name = "DIR")]
    pub unit_dir: PathBuf,
    /// Where the program is put
    #[arg(long, default_value = "/usr/local/bin", value_name = "DIR")]
    pub bin_dir: PathBuf,
    /// Leave the program where it is
    #[arg(long)]
    pub no_copy: bool,
    /// Do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Only print the units
    #[arg(long)]
    pub print: bool,
    /// Only make the data directory: a package has put the program and the units into their places
    #[arg(long, conflicts_with_all = ["print", "unit_dir", "bin_dir", "no_copy"])]
    pub prepare: bool,
    /// Have the data directory's configuration be this file, unless it has one
    #[arg(long, value_name = "FILE", requires = "prepare")]
    pub config_file: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

/// Which role.
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// An API server
    Api,
    /// The last-resort answer
    Status,
    /// The agent
    Agent,
    /// Whether this program can be used with this installation's configuration
    Check,
    /// The keeper of one game server
    Shim {
        /// The agent's order
        #[arg(long)]
        spec: PathBuf,
    },
    /// The moment before a game
    Launch {
        /// The agent's order
        #[arg(long)]
        spec: PathBuf,
    },
}

/// What to do with game servers. SERVER is an id, or a name that only one server has.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// List servers
    List {
        #[arg(long)]
        json: bool,
    },
    /// Show one server
    Show {
        server: String,
        #[arg(long)]
        json: bool,
    },
    /// Make a server and wait until it is installed
    Create(CreateServer),
    /// Start a server
    Start(PowerArguments),
    /// Stop a server
    Stop(PowerArguments),
    /// Restart a server
    Restart(PowerArguments),
    /// Kill a server at once
    Kill(PowerArguments),
    /// Follow a server's console; what is typed goes to the game
    Console {
        server: String,
        /// Lines of before
        #[arg(long, default_value_t = 50)]
        tail: u32,
        /// One JSON object a line, as on the wire
        #[arg(long)]
        json: bool,
    },
    /// Type one line into a server's console
    Send {
        server: String,
        /// The line
        line: String,
        #[arg(long)]
        json: bool,
    },
    /// Print console lines
    Logs {
        server: String,
        /// The newest lines, this many
        #[arg(long, default_value_t = 200, conflicts_with = "after")]
        tail: u32,
        /// Only lines after this number
        #[arg(long)]
        after: Option<u64>,
        /// The log of the installation instead
        #[arg(long)]
        install: bool,
        /// One JSON object a line, as on the wire
        #[arg(long)]
        json: bool,
    },
    /// Install a server again
    Install {
        server: String,
        #[arg(long)]
        json: bool,
    },
    /// Delete a server with all its files
    Delete {
        server: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[arg(long)]
        json: bool,
    },
}

/// A new server.
#[derive(Debug, Args)]
pub struct CreateServer {
    /// Its name
    pub name: String,
    /// The template's slug or id, for example minecraft
    #[arg(long)]
    pub template: String,
    /// The node's name or id; the best one when left out
    #[arg(long)]
    pub node: Option<String>,
    /// The owner's e-mail address; the caller when left out
    #[arg(long)]
    pub owner: Option<String>,
    /// A variable of the template, KEY=VALUE; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub variables: Vec<(String, String)>,
    /// A port by the template's name, NAME=PORT; may be repeated
    #[arg(long = "port", value_name = "NAME=PORT", value_parser = key_port)]
    pub ports: Vec<(String, u16)>,
    /// Memory in MiB
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// Processor time in percent of one core
    #[arg(long, value_name = "PERCENT")]
    pub cpu: Option<u32>,
    /// Start it when it is installed, and wait until it runs
    #[arg(long)]
    pub start: bool,
    /// Do not wait for the installation
    #[arg(long)]
    pub no_wait: bool,
    #[arg(long)]
    pub json: bool,
}

/// A power action.
#[derive(Debug, Args)]
pub struct PowerArguments {
    /// Its id, or a name that only one server has
    pub server: String,
    /// Do not wait until it is done
    #[arg(long)]
    pub no_wait: bool,
    #[arg(long)]
    pub json: bool,
}

/// What to do with nodes.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List nodes
    List {
        #[arg(long)]
        json: bool,
    },
    /// Add a node and print the token with which its machine joins
    Create {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Print a new join token for a node
    JoinToken {
        node: NodeId,
        #[arg(long)]
        json: bool,
    },
    /// Add ports to a node
    AddPorts {
        node: NodeId,
        /// The address
        address: std::net::IpAddr,
        /// Ports and ranges, for example 25565-25600,27015
        ports: String,
        #[arg(long)]
        json: bool,
    },
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List users
    List {
        #[arg(long)]
        json: bool,
    },
    /// Make a user; the password is read from standard input, or from `NODEPANEL_PASSWORD`
    Create {
        email: String,
        /// Make an administrator
        #[arg(long)]
        admin: bool,
        #[arg(long)]
        json: bool,
    },
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make an API key for a user (on the host, or for oneself)
    Create {
        /// The user's e-mail address
        #[arg(long)]
        user: String,
        /// What it is for
        #[arg(long, default_value = "command line")]
        name: String,
        #[arg(long)]
        json: bool,
    },
}

/// This machine as a node.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Join a control plane with a token from its nodes page
    Join {
        token: String,
        #[arg(long)]
        json: bool,
    },
}

fn key_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as KEY=VALUE".to_owned())
}

fn key_port(text: &str) -> Result<(String, u16), String> {
    let (name, port) = text.split_once('=').ok_or_else(|| "write it as NAME=PORT".to_owned())?;
    port.parse().map(|port| (name.to_owned(), port)).map_err(|_| format!("“{port}” is no port (1024 to 65535)"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::CommandLine::command().debug_assert();
    }
}
