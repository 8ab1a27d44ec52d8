//! What each of our processes keeps in memory: with no server, and with 200 that run a game which does nothing.
//!
//! Resident memory counts the program's own pages in every process anew, although there is one copy of them; the
//! proportional share is what a process really costs, and what adds up. Both are shown.

use std::time::Duration;

use anyhow::bail;
use nodepanel_types::{
    ServerId,
    api::{Page, ServerView},
    component::Role,
    state::ServerState,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    figure::Figure,
    installation::{Installation, new_server, new_template},
    process::{Memory, pids_of},
};

const SERVERS: u16 = 200;
const PATIENCE: Duration = Duration::from_secs(120);
/// After a start, memory comes to rest.
const REST: Duration = Duration::from_secs(5);
const STUB: &str = include_str!("../../../tests/games/stub.sh");

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let installation = Installation::start().await?;
    let mut client = installation.client().await?;
    sleep(REST).await;
    let mut figures = of_the_roles(&installation, "idle", Some("<= 30 MiB"))?;
    let idle = memory(&installation.pids(Role::Agent)?)?;

    let servers = start_stubs(&installation, &mut client).await?;
    sleep(REST).await;
    figures.extend(of_the_roles(&installation, &format!("{SERVERS} servers"), None)?);
    let shims = memory(&pids_of(&["role shim", &installation.data_dir().display().to_string()])?)?;
    anyhow::ensure!(shims.len() == servers.len(), "{} shims for {} servers", shims.len(), servers.len());
    let what = "memory: one shim";
    figures.push(Figure::of(format!("{what}, resident"), "MiB", each(&shims, |memory| memory.resident))?);
    figures.push(Figure::of(format!("{what}, proportional"), "MiB", each(&shims, |memory| memory.proportional))?);
    figures.push(Figure::of(format!("{what}, private"), "MiB", each(&shims, |memory| memory.private))?);

    let loaded = memory(&installation.pids(Role::Agent)?)?;
    let per_server = |of: fn(&Memory) -> f64| {
        let sum = |memories: &[Memory]| memories.iter().map(of).sum::<f64>();
        vec![(sum(&loaded) - sum(&idle) + sum(&shims)) / f64::from(SERVERS)]
    };
    let what = "memory: agent's growth and shim, per server";
    figures.push(Figure::of(format!("{what}, resident"), "MiB", per_server(|memory| memory.resident))?);
    figures.push(
        Figure::of(format!("{what}, proportional"), "MiB", per_server(|memory| memory.proportional))?.aim("<= 2.5 MiB"),
    );
    delete(&mut client, &servers).await?;
    Ok(figures)
}

/// Resident and proportional memory of every role but the shims'.
fn of_the_roles(
    installation: &Installation,
    when: &str,
    aim_of_agent: Option<&'static str>,
) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut add = |role: &str, pids: &[u32], aim: Option<&'static str>| {
        let memories = memory(pids)?;
        let figure =
            Figure::of(format!("memory: {role}, {when}, resident"), "MiB", each(&memories, |memory| memory.resident))?;
        figures.push(match aim {
            Some(aim) => figure.aim(aim),
            None => figure,
        });
        let proportional = each(&memories, |memory| memory.proportional);
        figures.push(Figure::of(format!("memory: {role}, {when}, proportional"), "MiB", proportional)?);
        anyhow::Ok(())
    };
    add("keeper", &[installation.keeper()], None)?;
    for role in [Role::Supervisor, Role::Api, Role::Status] {
        add(role.as_str(), &installation.pids(role)?, None)?;
    }
    add("agent", &installation.pids(Role::Agent)?, aim_of_agent)?;
    Ok(figures)
}

fn memory(pids: &[u32]) -> anyhow::Result<Vec<Memory>> {
    pids.iter().map(|pid| Memory::of(*pid)).collect()
}

fn each(memories: &[Memory], of: fn(&Memory) -> f64) -> Vec<f64> {
    memories.iter().map(of).collect()
}

/// Makes and starts the servers, and waits until all of them run.
async fn start_stubs(installation: &Installation, client: &mut Client) -> anyhow::Result<Vec<ServerId>> {
    let node = installation.node_with_ports(client, SERVERS).await?;
    let source = format!(
        "format = 1\nslug = \"stub\"\nname = \"Stub\"\ndescription = \"A game that costs next to nothing.\"\n\
         [[ports]]\nname = \"game\"\nprotocol = \"tcp\"\n\
         [limits]\nmemory_mib = 64\npids = 16\n\
         [launch]\ncommand = [\"sh\", \"stub.sh\", \"{{{{port}}}}\"]\nconsole = \"pipe\"\n\
         ready = {{ line = \"^Stub ready\" }}\nstop = {{ command = \"stop\" }}\n\
         [[launch.files]]\npath = \"stub.sh\"\ncontent = '''\n{}'''\n",
        STUB.replace("'''", "")
    );
    let template = new_template(client, source).await?;
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        servers.push(new_server(client, template, node, format!("stub {number}"), true).await?);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page: Page<ServerView> = client.get("/api/v1/servers?limit=1000").await?;
        let running = page.items.iter().filter(|server| server.state == ServerState::Running).count();
        if running == servers.len() {
            return Ok(servers);
        }
        if Instant::now() > deadline {
            bail!("{running} of {} servers run after {PATIENCE:?}", servers.len());
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Deletes the servers, so that nothing of them (users, control groups) outlives the measurement.
async fn delete(client: &mut Client, servers: &[ServerId]) -> anyhow::Result<()> {
    for server in servers {
        let _: Value = client.delete(&format!("/api/v1/servers/{server}")).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page: Page<Value> = client.get("/api/v1/servers?limit=1").await?;
        if page.total == 0 {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "{} servers are not deleted after {PATIENCE:?}", page.total);
        sleep(Duration::from_millis(100)).await;
    }
}
