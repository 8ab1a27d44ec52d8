//! `supervise`: the table of what runs on this host.

use std::{ffi::OsString, sync::Arc};

use anyhow::Context as _;
use nodepanel_supervise::{
    plan::{Plan, SocketSpec, Timing, WorkerSpec},
    sockets::Inherited,
    supervisor,
};
use nodepanel_types::component::Role;

use crate::{
    local::{Config, DataDir, log_to_stderr},
    system::SystemClock,
};

/// Supervises until asked to stop.
pub fn run(data_dir: &DataDir, config: &Config) -> anyhow::Result<()> {
    let inherited = Inherited::from_env();
    log_to_stderr();
    let plan = plan(data_dir, config)?;
    // The supervisor does little, but at once: a thread of its own is all it needs.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(supervisor::run(plan, inherited, Arc::new(SystemClock), crate::role::terminated()))?;
    Ok(())
}

/// The sockets of this host; also what the keeper holds.
pub fn sockets(config: &Config) -> Vec<SocketSpec> {
    if config.node_only() {
        return Vec::new();
    }
    vec![
        SocketSpec { name: "http".to_owned(), address: config.http.listen },
        SocketSpec { name: "link".to_owned(), address: config.link_listen() },
    ]
}

/// What runs on this host.
fn plan(data_dir: &DataDir, config: &Config) -> anyhow::Result<Plan> {
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    let worker = |name: String, role: Role, sockets: &[&str], after: &[&str]| WorkerSpec {
        name,
        role,
        program: program.clone(),
        args: role_arguments(role, data_dir, config),
        env: Vec::new(),
        sockets: sockets.iter().map(|name| (*name).to_owned()).collect(),
        after: after.iter().map(|name| (*name).to_owned()).collect(),
        timing: Timing::default(),
    };
    let mut workers: Vec<WorkerSpec> =
        (1..=config.api.servers).map(|n| worker(format!("api-{n}"), Role::Api, &["http", "link"], &[])).collect();
    if !config.node_only() {
        workers.push(worker("status".to_owned(), Role::Status, &["http"], &[]));
    }
    if config.games.enabled {
        workers.push(worker("agent".to_owned(), Role::Agent, &[], &[]));
    }
    Ok(Plan { data_dir: data_dir.path().to_owned(), sockets: sockets(config), workers })
}

/// `role NAME` with what every process of an installation is told.
pub fn role_arguments(role: Role, data_dir: &DataDir, config: &Config) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["role".into(), role.as_str().into()];
    arguments.extend(installation_arguments(data_dir, config));
    arguments
}

/// Which installation, and where it listens.
pub fn installation_arguments(data_dir: &DataDir, config: &Config) -> Vec<OsString> {
    vec!["--data-dir".into(), data_dir.path().into(), "--listen".into(), config.http.listen.to_string().into()]
}
