//! `nodepanel up`: starts the installation on this machine, says where it is, and keeps it until Ctrl-C.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use nodepanel_control::{MasterKey, setup_token};
use nodepanel_supervise::{
    control::Control,
    keeper::{Keeper, KeeperPlan, interrupts},
    process::succession::{SUCCESSION, let_signals_in},
};
use nodepanel_types::component::ComponentState;

use crate::{
    cli::{client::Client, output},
    local::{Config, DataDir, Notifier},
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
            command: std::env::args_os().collect(),
        };
        let succession = std::env::var(SUCCESSION).ok();
        if succession.as_deref() == Some("try") {
            return Ok(Keeper::can_go_on()?);
        }
        // Caught from here on, so that an early Ctrl-C ends what was started instead of leaving half of it.
        let interrupts = interrupts()?;
        let keeper = if succession.is_some() {
            let_signals_in()?;
            Keeper::go_on(plan, Arc::new(SystemClock)).await?
        } else {
            output::tell(format_args!("Starting NodePanel in {}", data_dir.path().display()));
            let keeper = Keeper::begin(plan, Arc::new(SystemClock)).await?;
            if keeper.found_running() {
                output::tell(format_args!("It was running already; this terminal keeps it from now on."));
            }
            keeper
        };
        let notifier = Notifier::from_env();
        notifier.ready("The supervisor answers.");
        // Kept from the first moment on, whatever the announcement waits for.
        let keep = keeper.keep(interrupts);
        tokio::pin!(keep);
        let announced = async {
            if succession.is_none() {
                announce(data_dir, config, &master).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = &mut keep => ended?,
            () = announced => {}
            () = notifier.keep_alive() => {}
        }
        notifier.stopping();
        output::tell(format_args!(
            "The control plane has stopped.{}",
            if stop_servers { "" } else { " Game servers that still run go on; `nodepanel stop --all` stops them." }
        ));
        Ok(())
    })
}

/// Waits until the API answers and prints the way in; says what it waits for when that takes long.
async fn announce(data_dir: &DataDir, config: &Config, master: &MasterKey) {
    if config.node_only() {
        output::tell(
            "This machine runs game servers for a control plane elsewhere. `nodepanel status` shows its processes.",
        );
        return;
    }
    let client = Client::to_host(data_dir, config, master);
    if tokio::time::timeout(PATIENCE, client.wait_ready()).await.is_err() {
        output::tell(format_args!("It is not ready after {} s:", PATIENCE.as_secs()));
        for (name, reason) in troubles(data_dir).await {
            output::tell(format_args!("  {name}: {}", output::plain(&reason)));
        }
        output::tell(format_args!(
            "`nodepanel doctor` explains what it finds, and the logs are in {}. Waiting on…",
            data_dir.path().join("logs").display()
        ));
        client.wait_ready().await;
    }
    // Read again: the running installation says where it listens.
    let client = Client::to_host(data_dir, config, master);
    let url = client.url();
    output::tell(format_args!("\nNodePanel is ready: {url}"));
    if let Ok(true) = client.needs_setup().await {
        output::tell(format_args!(
            "Create the administrator (this link works once): {url}/setup#token={}",
            setup_token(master)
        ));
    }
    output::tell("Ctrl-C stops the control plane and leaves game servers running.\n");
}

/// The processes that are not ready, each with its reason.
async fn troubles(data_dir: &DataDir) -> Vec<(String, String)> {
    let Ok(mut control) = Control::connect(data_dir.path()).await else { return Vec::new() };
    let components = control.status().await.unwrap_or_default();
    let waiting = components.into_iter().filter(|component| component.state != ComponentState::Ready);
    waiting
        .map(|component| {
            let reason = component.detail.or(component.last_exit).unwrap_or_else(|| "is being started".to_owned());
            (component.name, reason)
        })
        .collect()
}
