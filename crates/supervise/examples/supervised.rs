//! The smallest installation: a supervisor, workers that answer every connection with their pid, and a keeper.
//! The tests of this crate run it; it also shows how the parts are put together.
//!
//! ```text
//! supervised supervise DATA_DIR ADDRESS WORKERS
//! supervised keep      DATA_DIR ADDRESS WORKERS
//! supervised worker
//! ```
//!
//! A worker looks for `<DATA_DIR>/<name>.<behaviour>`: `crash` makes it end at once, `hang` blocks its event loop,
//! `stubborn` makes it ignore that it is asked to end, `unready` makes it say that it cannot work,
//! `grow` makes it take memory. The third worker is an agent; asked to stop its game servers,
//! it writes `<DATA_DIR>/agent.stopped`.

use std::{
    env,
    error::Error,
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nodepanel_supervise::{
    ceiling::Ceilings,
    keeper::{Keeper, KeeperPlan, interrupts},
    plan::{Plan, SocketSpec, Timing, WorkerSpec},
    policy::Backoff,
    process::succession::{SUCCESSION, let_signals_in},
    renewal::Rules,
    sockets::Inherited,
    supervisor,
    worker::{About, RUN_DIR, Worker},
};
use nodepanel_types::{Timestamp, WorkerId, clock::Clock, component::Role};
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::sleep,
};

const MIB: u64 = 1024 * 1024;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the real clock comes in")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let inherited = Inherited::from_env();
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.as_slice() {
            ["supervise", data_dir, address, workers] => {
                let plan = plan(data_dir.as_ref(), address.parse()?, workers.parse()?)?;
                supervisor::run(plan, inherited, Arc::new(SystemClock), terminated()?).await?;
                Ok(())
            }
            ["keep", data_dir, address, workers] => {
                let plan = keeper_plan(data_dir.as_ref(), address.parse()?, workers)?;
                // Heard from the first moment on: a Ctrl-C while it begins counts too.
                let interrupts = interrupts()?;
                let keeper = match env::var(SUCCESSION).ok().as_deref() {
                    Some("try") => return Ok(Keeper::can_go_on()?),
                    Some(_) => {
                        let_signals_in()?;
                        Keeper::go_on(plan, Arc::new(SystemClock)).await?
                    }
                    None => Keeper::begin(plan, Arc::new(SystemClock)).await?,
                };
                keeper.keep(interrupts).await.map_err(Into::into)
            }
            ["worker"] => work(&inherited).await,
            _ => Err("usage: supervised supervise|keep DATA_DIR ADDRESS WORKERS, or supervised worker".into()),
        }
    })
}

fn plan(data_dir: &Path, address: SocketAddr, workers: usize) -> io::Result<Plan> {
    let program = env::current_exe()?;
    let workers = (1..=workers).map(|number| {
        let mut worker = WorkerSpec::new(format!("api-{number}"), Role::Api, &program);
        worker.args = vec!["worker".into()];
        worker.env = vec![("DATA_DIR".into(), data_dir.into())];
        worker.sockets = vec!["http".to_owned()];
        worker.timing = Timing {
            ready: if told(data_dir, &worker.name, "unready") {
                Duration::from_millis(300)
            } else {
                Timing::default().ready
            },
            drain: Duration::from_millis(500),
            terminate: Duration::from_millis(500),
            backoff: Backoff { cap: Duration::from_millis(500), ..Backoff::OWN_PARTS },
            ..Timing::default()
        };
        worker.ceilings = Ceilings { memory: Some(100 * MIB), files: None, least_age: Duration::ZERO };
        worker
    });
    let mut workers: Vec<WorkerSpec> = workers.collect();
    if let Some(agent) = workers.get_mut(2) {
        "agent".clone_into(&mut agent.name);
        agent.role = Role::Agent;
        agent.after = vec!["api-1".to_owned(), "api-2".to_owned()];
    }
    let sockets = vec![SocketSpec { name: "http".to_owned(), address }];
    Ok(Plan {
        data_dir: data_dir.to_owned(),
        sockets,
        workers,
        upgrades: None,
        renewal: renewal(data_dir),
        notice: None,
    })
}

/// Without the waiting of a true one; in a window that is now, and with nobody in time, where the installation says so.
fn renewal(data_dir: &Path) -> Rules {
    let minute = SystemClock.now().as_millis() / 60_000 % 1_440;
    let time = |minute: i64| format!("{:02}:{:02}", minute.rem_euclid(1_440) / 60, minute.rem_euclid(60));
    let now = format!("daily {}-{}", time(minute - 1), time(minute + 120));
    let target = if told(data_dir, "renewal", "impatient") { Duration::ZERO } else { Duration::from_secs(30) };
    Rules {
        window: now.parse().ok().filter(|_| told(data_dir, "renewal", "now")),
        settled: Duration::ZERO,
        quiet: Duration::from_millis(500),
        busy: u32::MAX,
        target,
        ..Rules::default()
    }
}

fn keeper_plan(data_dir: &Path, address: SocketAddr, workers: &str) -> io::Result<KeeperPlan> {
    Ok(KeeperPlan {
        data_dir: data_dir.to_owned(),
        sockets: vec![SocketSpec { name: "http".to_owned(), address }],
        program: env::current_exe()?,
        args: vec!["supervise".into(), data_dir.into(), address.to_string().into(), workers.into()],
        env: Vec::new(),
        stop_servers: false,
        command: env::args_os().collect(),
    })
}

fn told(directory: &Path, name: &str, behaviour: &str) -> bool {
    directory.join(format!("{name}.{behaviour}")).exists()
}

async fn work(inherited: &Inherited) -> Result<(), Box<dyn Error>> {
    let name = env::var("NODEPANEL_WORKER")?;
    let directory = PathBuf::from(env::var_os("DATA_DIR").ok_or("DATA_DIR is not set")?);
    let told_to = |behaviour: &str| told(&directory, &name, behaviour);
    if told_to("crash") {
        return Err("told to crash".into());
    }
    eprintln!("{name} runs as process {} in {:?}", std::process::id(), env::var_os(RUN_DIR));
    let worker_id: WorkerId = "0190b5c8-7c4e-7000-8000-000000000000".parse()?;
    let about = About { name: name.clone(), worker_id, version: "1".to_owned() };
    let worker = Worker::from_env(about, &inherited.sockets)?;
    let socket = inherited.sockets.get("http").ok_or("was given no socket")?;
    let listener = TcpListener::from_std(socket.try_clone()?)?;
    while told_to("unready") {
        worker.not_ready("the store is damaged");
        sleep(Duration::from_millis(20)).await;
    }
    worker.ready();
    let mut terminated = signal(SignalKind::terminate())?;
    let mut taken = Vec::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (mut stream, _) = accepted?;
                stream.write_all(std::process::id().to_string().as_bytes()).await?;
            }
            () = worker.drain_asked(), if !told_to("stubborn") => return Ok(()),
            _ = terminated.recv() => if !told_to("stubborn") { return Ok(()) },
            () = worker.stop_servers_asked(), if !told_to("stopped") => {
                std::fs::write(directory.join(format!("{name}.stopped")), "")?;
                worker.servers_stopped();
            }
            () = sleep(Duration::from_millis(20)) => {}
        }
        if told_to("grow") && taken.is_empty() {
            // Beside the event loop: on a busy machine so much memory takes longer than a worker may be silent.
            taken = tokio::task::spawn_blocking(|| vec![1_u8; 200 * 1024 * 1024]).await?;
        }
        while told_to("hang") {
            std::hint::spin_loop();
        }
    }
}

fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        terminated.recv().await;
    })
}
