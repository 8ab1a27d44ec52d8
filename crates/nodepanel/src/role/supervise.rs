//! `supervise`: the table of what runs on this host.

use std::{
    ffi::OsString,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use nodepanel_supervise::{
    build::INSTALLED,
    ceiling::Ceilings,
    configuration::Configurations,
    plan::{Configuration, Plan, SocketSpec, Timing, Upgrades, WorkerSpec},
    process::become_program,
    renewal::Rules,
    sockets::Inherited,
    supervisor::{self, Left},
};
use nodepanel_types::component::Role;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    local::{Config, DataDir, InForce, log_to_stderr},
    system::SystemClock,
};

/// How often the operator's configuration is looked at.
const LOOK: Duration = Duration::from_secs(2);

const MIB: u64 = 1024 * 1024;

/// Supervises until asked to stop; becomes the supervisor of another build when that is wanted.
///
/// `listen` wins over the configuration's address of the panel.
pub fn run(data_dir: &DataDir, listen: Option<SocketAddr>) -> anyhow::Result<()> {
    let mut inherited = Inherited::from_env();
    let log = log_to_stderr();
    let installed = match std::env::var_os(INSTALLED) {
        Some(path) => path.into(),
        None => std::env::current_exe().context("the program's own file cannot be found")?,
    };
    loop {
        let InForce { mut config, text, .. } = InForce::find(data_dir)?;
        config.http.listen = listen.unwrap_or(config.http.listen);
        let copy = put_in_force(data_dir, &text);
        // The supervisor does little, but at once: a thread of its own is all it needs.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let left = runtime.block_on(async {
            let plan = plan(data_dir, &config, &installed, copy, watch_file(data_dir, text));
            supervisor::run(plan, inherited, Arc::new(SystemClock), crate::role::terminated()).await
        })?;
        drop(runtime);
        let Left::Succeeded { program, sockets } = left else { return Ok(()) };
        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        let handed: Vec<(String, OwnedFd)> = sockets
            .iter()
            .filter_map(|(name, socket)| Some((name.to_owned(), OwnedFd::from(socket.try_clone().ok()?))))
            .collect();
        tracing::info!("going on as {}", program.display());
        log.flush();
        let error = become_program(&program, &arguments, &handed);
        tracing::error!(%error, "cannot become the supervisor of the other build; going on as the present one");
        inherited = Inherited { sockets, predecessor: None };
    }
}

/// Makes the copy that workers read, and remembers that it is in force. A disk that takes no copy stops nobody: workers
/// then read the file itself.
fn put_in_force(data_dir: &DataDir, text: &str) -> PathBuf {
    let mut known = Configurations::open(data_dir.path());
    let kept = known.copy(text).and_then(|copy| known.put_in_force(&copy).map(|()| copy));
    kept.unwrap_or_else(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "the configuration cannot be kept; a mistake in the file would be read by workers");
        data_dir.config()
    })
}

/// Looks at the operator's file now and then, so that a mistake is known before anybody needs the file.
fn watch_file(data_dir: &DataDir, in_force: String) -> watch::Receiver<Option<String>> {
    let (said, notice) = watch::channel(None);
    let (data_dir, in_force) = (data_dir.clone(), Arc::<str>::from(in_force));
    tokio::spawn(async move {
        let mut rounds = interval(LOOK);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !said.is_closed() {
            rounds.tick().await;
            let (data_dir, in_force) = (data_dir.clone(), Arc::clone(&in_force));
            let look = move || InForce::notice(&data_dir, &in_force).map(|notice| notice.text().to_owned());
            let Ok(found) = tokio::task::spawn_blocking(look).await else { return };
            let changed = said.send_if_modified(|said| {
                let changed = *said != found;
                said.clone_from(&found);
                changed
            });
            if let Some(text) = found.filter(|_| changed) {
                tracing::warn!("{text}");
            }
        }
    });
    notice
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
fn plan(
    data_dir: &DataDir,
    config: &Config,
    installed: &Path,
    in_force: PathBuf,
    notice: watch::Receiver<Option<String>>,
) -> Plan {
    let worker = |name: String, role: Role, sockets: &[&str], after: &[&str]| WorkerSpec {
        name,
        role,
        program: installed.to_owned(),
        args: role_arguments(role, data_dir, config),
        env: Vec::new(),
        configuration: Some(in_force.clone()),
        sockets: sockets.iter().map(|name| (*name).to_owned()).collect(),
        after: after.iter().map(|name| (*name).to_owned()).collect(),
        timing: Timing::default(),
        ceilings: ceilings(role, config),
    };
    let mut workers: Vec<WorkerSpec> =
        (1..=config.api.servers).map(|n| worker(format!("api-{n}"), Role::Api, &["http", "link"], &[])).collect();
    if !config.node_only() {
        workers.push(worker("status".to_owned(), Role::Status, &["http"], &[]));
    }
    if config.games.enabled {
        workers.push(worker("agent".to_owned(), Role::Agent, &[], &[]));
    }
    let mut check: Vec<OsString> = vec!["role".into(), "check".into()];
    check.extend(installation_arguments(data_dir, config));
    Plan {
        data_dir: data_dir.path().to_owned(),
        sockets: sockets(config),
        workers,
        upgrades: Some(Upgrades {
            installed: installed.to_owned(),
            check,
            configuration: Configuration { file: data_dir.config(), in_force },
        }),
        renewal: Rules {
            window: config.proofs.window(),
            // Half of it: one window that is missed does no harm.
            stale_after: config.proofs.max_age() / 2,
            ..Rules::default()
        },
        notice: Some(notice),
    }
}

/// What a worker may hold before it is replaced: a leak must end long before the machine does, and nothing that works
/// may come near.
fn ceilings(role: Role, config: &Config) -> Ceilings {
    let info = rustix::system::sysinfo();
    let total = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let configured = |mib: Option<u32>| mib.map(|mib| u64::from(mib) * MIB);
    let memory = match role {
        Role::Api => configured(config.ceilings.api_mib).unwrap_or_else(|| (total / 4).max(1024 * MIB)),
        Role::Agent => configured(config.ceilings.agent_mib).unwrap_or_else(|| (total / 8).max(512 * MIB)),
        Role::Keeper | Role::Status | Role::Supervisor | Role::Shim => 128 * MIB,
    };
    // Workers inherit the limit; at the limit itself nothing could be opened to say so.
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.map(|limit| limit / 10 * 9);
    Ceilings { memory: Some(memory), files, least_age: Ceilings::LEAST_AGE }
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
