//! An installation of its own for one measurement: started by `nodepanel up`, stopped with everything in it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nodepanel_types::{
    NodeId, ServerId, TemplateId,
    api::{
        ApiKeyCreated, CreateAllocations, CreateServer, NodePresence, NodeView, Page, ServerView, TemplateSource,
        TemplateView,
    },
    component::{Component, ComponentState, Role},
    state::ServerState,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::client::Client;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// After this many equal answers on new connections, every API server has been asked.
pub const ASKED_ALL: u32 = 16;
const ADMINISTRATOR: &str = "bench@localhost.localdomain";
/// The address of the servers' ports: nobody else's on this machine.
pub const GAME_ADDRESS: &str = "127.77.0.1";

/// A running installation. Dropping it stops everything that belongs to it.
pub struct Installation {
    directory: TempDir,
    keeper: Child,
    address: SocketAddr,
    token: String,
}

impl Installation {
    /// Starts one and waits until every part of it is ready and its node answers.
    pub async fn start() -> anyhow::Result<Self> {
        let place = std::env::var_os("NODEPANEL_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = tempfile::Builder::new().prefix("nodepanel-bench-").tempdir_in(place)?;
        // Games run as users of their own and must be able to reach their program.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        fs::copy(std::env::current_exe()?, directory.path().join("game"))?;
        let (http, link) = free_addresses()?;
        let data = directory.path().join("data");
        fs::create_dir(&data)?;
        let config = format!("[http]\nlisten = \"{http}\"\n\n[link]\nlisten = \"{link}\"\n");
        fs::write(data.join("nodepanel.toml"), config)?;
        let log = fs::File::create(directory.path().join("up.log"))?;
        let keeper = command(&data)?
            .arg("up")
            .env("NODEPANEL_ADMIN_EMAIL", ADMINISTRATOR)
            .env("NODEPANEL_ADMIN_PASSWORD", "only for a benchmark")
            // A Ctrl-C for this program must not end the control plane before it was asked to stop the games.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("nodepanel up cannot be started")?;
        let mut installation = Self { directory, keeper, address: http, token: String::new() };
        if let Err(error) = installation.become_ready().await {
            let log = fs::read_to_string(installation.directory.path().join("up.log")).unwrap_or_default();
            return Err(error.context(format!("nodepanel up says:\n{log}")));
        }
        Ok(installation)
    }

    async fn become_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let ready = |parts: &[Component]| {
            parts.len() >= 5 && parts.iter().all(|component| component.state == ComponentState::Ready)
        };
        while !self.components().is_ok_and(|parts| ready(&parts)) {
            anyhow::ensure!(Instant::now() < deadline, "the installation is not ready after {PATIENCE:?}");
            sleep(PAUSE).await;
        }
        let key = self.ask_binary(&["token", "create", "--user", ADMINISTRATOR, "--json"])?;
        self.token = serde_json::from_slice::<ApiKeyCreated>(&key)?.token;
        // A new connection goes to either API server, and the one that did not make the key learns of it a moment later.
        let mut in_a_row = 0;
        while in_a_row < ASKED_ALL {
            let nodes: anyhow::Result<Page<NodeView>> = self.client().await?.get("/api/v1/nodes").await;
            let online = |node: &NodeView| matches!(node.presence, NodePresence::Online { .. });
            if nodes.as_ref().is_ok_and(|nodes| nodes.items.iter().any(online)) {
                in_a_row += 1;
                continue;
            }
            in_a_row = 0;
            if Instant::now() > deadline {
                bail!("the node is not online after {PATIENCE:?}: {nodes:?}");
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Where the API is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// An administrator's API key.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The keeper's process.
    pub fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The store's file.
    pub fn store(&self) -> PathBuf {
        self.data_dir().join("store").join("store.db")
    }

    /// This program, where games may run it.
    pub fn game(&self) -> PathBuf {
        self.directory.path().join("game")
    }

    /// A new connection to the API.
    pub async fn client(&self) -> anyhow::Result<Client> {
        Client::connect(self.address, &self.token).await
    }

    /// `nodepanel status`.
    pub fn components(&self) -> anyhow::Result<Vec<Component>> {
        Ok(serde_json::from_slice(&self.ask_binary(&["status", "--json"])?)?)
    }

    /// The processes of a role.
    pub fn pids(&self, role: Role) -> anyhow::Result<Vec<u32>> {
        let parts = self.components()?.into_iter().filter(|component| component.role == role);
        Ok(parts.filter_map(|component| component.pid).collect())
    }

    fn ask_binary(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let output = command(&self.data_dir())?.args(arguments).output()?;
        if !output.status.success() {
            bail!("nodepanel {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    }

    /// The node of this machine, with `ports` more ports on [`GAME_ADDRESS`].
    pub async fn node_with_ports(&self, client: &mut Client, ports: u16) -> anyhow::Result<NodeId> {
        let nodes: Page<NodeView> = client.get("/api/v1/nodes").await?;
        let node = nodes.items.first().context("there is no node")?.id;
        let last = 20_000 + ports.max(1) - 1;
        let body = CreateAllocations { address: GAME_ADDRESS.to_owned(), ports: format!("20000-{last}") };
        let _: Value = client.post(&format!("/api/v1/nodes/{node}/allocations"), &body).await?;
        Ok(node)
    }

    /// A server of the game that is measured, installed and stopped.
    pub async fn bench_game(&self, client: &mut Client) -> anyhow::Result<ServerId> {
        let node = self.node_with_ports(client, 1).await?;
        let program = self.game();
        let place = program.parent().unwrap_or(Path::new("/")).display().to_string();
        let source = format!(
            "format = 1\nslug = \"bench-game\"\nname = \"Bench game\"\ndescription = \"Says the time.\"\n\
             [[ports]]\nname = \"game\"\nprotocol = \"tcp\"\n\
             [limits]\nmemory_mib = 256\npids = 32\n\
             [launch]\ncommand = [\"{}\", \"play\"]\nread_paths = [\"{place}\"]\nconsole = \"pipe\"\n\
             ready = {{ line = \"^ready$\" }}\nstop = {{ command = \"stop\" }}\n",
            program.display()
        );
        let template = new_template(client, source).await?;
        let server = new_server(client, template, node, "bench game".to_owned(), false).await?;
        wait_for(client, server, ServerState::Stopped).await?;
        Ok(server)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // The keeper ends with what it keeps; when it cannot be asked to stop, it is ended, and says so.
        if let Err(error) = self.ask_binary(&["stop", "--all"]) {
            eprintln!("  the installation did not stop when asked: {error:#}");
            let _ = self.keeper.kill();
        }
        let _ = self.keeper.wait();
    }
}

/// Makes a template.
pub async fn new_template(client: &mut Client, source: String) -> anyhow::Result<TemplateId> {
    let template: TemplateView = client.post("/api/v1/templates", &TemplateSource { source }).await?;
    Ok(template.summary.id)
}

/// Makes a server.
pub async fn new_server(
    client: &mut Client,
    template: TemplateId,
    node: NodeId,
    name: String,
    start: bool,
) -> anyhow::Result<ServerId> {
    let body = CreateServer {
        name,
        template,
        node: Some(node),
        owner: None,
        variables: std::collections::BTreeMap::default(),
        limits: None,
        ports: std::collections::BTreeMap::default(),
        address: Some(GAME_ADDRESS.to_owned()),
        start,
    };
    let server: ServerView = client.post("/api/v1/servers", &body).await?;
    Ok(server.id)
}

/// Waits until a server is in a state.
pub async fn wait_for(client: &mut Client, server: ServerId, state: ServerState) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let view: ServerView = client.get(&format!("/api/v1/servers/{server}")).await?;
        if view.state == state {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the server is {}, not {}: {}", view.state.as_str(), state.as_str(), view.reason);
        }
        sleep(PAUSE).await;
    }
}

/// The binary that is measured, told where its data is.
fn command(data: &Path) -> anyhow::Result<Command> {
    let binary = std::env::var_os("NODEPANEL_BIN")
        .context("NODEPANEL_BIN must name the binary to measure; `cargo xtask bench` sets it")?;
    let mut command = Command::new(binary);
    command.env_remove("NODEPANEL_URL").env_remove("NODEPANEL_TOKEN").arg("--data-dir").arg(data);
    Ok(command)
}

/// Two addresses that nobody listens on.
fn free_addresses() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}
