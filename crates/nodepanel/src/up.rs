//! `nodepanel up`: starts the installation on this machine, says where it is, and keeps it until Ctrl-C.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use nodepanel_control::{MasterKey, setup_token};
use nodepanel_supervise::keeper::{Keeper, KeeperPlan, interrupts};

use crate::{
    cli::client::Client,
    local::{Config, DataDir},
    role::supervise::{installation_arguments, sockets},
    system::{SystemClock, SystemIds},
};

/// How long everything may take to be ready before it is said that it takes long.
const PATIENCE: Duration = Duration::from_secs(15);

/// Starts, reports and keeps.
pub fn run(data_dir: &DataDir, config: &Config, stop_servers: bool) -> anyhow::Result<()> {
    data_dir.create()?;
    let master = MasterKey::load_or_create(data_dir.path(), &SystemIds)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut arguments = vec!["supervise".into()];
        arguments.extend(installation_arguments(data_dir, config));
        let plan = KeeperPlan {
            data_dir: data_dir.path().to_owned(),
            sockets: sockets(config),
            program: std::env::current_exe().context("the program's own file cannot be found")?,
            args: arguments,
            env: Vec::new(),
            stop_servers,
        };
        // Caught from here on, so that an early Ctrl-C ends what was started instead of leaving half of it.
        let interrupts = interrupts()?;
        println!("Starting NodePanel in {}", data_dir.path().display());
        let keeper = Keeper::begin(plan, Arc::new(SystemClock)).await?;
        if keeper.found_running() {
            println!("It was running already; this terminal keeps it from now on.");
        }
        if config.node_only() {
            println!(
                "This machine runs game servers for a control plane elsewhere. `nodepanel status` shows its processes."
            );
        } else {
            announce(data_dir, config, &master).await;
        }
        keeper.keep(interrupts).await?;
        println!(
            "The control plane has stopped.{}",
            if stop_servers { "" } else { " Game servers go on; `nodepanel stop --all` stops them too." }
        );
        Ok(())
    })
}

/// Waits until the API answers and prints the way in.
async fn announce(data_dir: &DataDir, config: &Config, master: &MasterKey) {
    let client = Client::to_host(data_dir, config, master);
    let ready = tokio::time::timeout(PATIENCE, client.wait_ready()).await;
    if ready.is_err() {
        println!(
            "It is not ready after {} s and is still being started. `nodepanel status` shows what it waits for; the logs \
             are in {}.",
            PATIENCE.as_secs(),
            data_dir.path().join("logs").display()
        );
    }
    let url = client.url();
    println!("\nNodePanel is ready: {url}");
    if let Ok(true) = client.needs_setup().await {
        println!("Create the administrator (this link works once): {url}/setup#token={}", setup_token(master));
    }
    println!("Ctrl-C stops the control plane and leaves game servers running.\n");
}
