//! The keeper itself: one process, one thread, one game.
//!
//! A few tasks on one thread share a [`desk::Desk`]: `output` turns what the game writes into console lines,
//! `input` types into it, `life` decides what happens to its processes, and one `session` per client answers
//! requests or streams. Nothing here waits for a client, and no client's death is anything but the end of its
//! session.

mod desk;
mod estate;
mod follow;
mod input;
mod life;
mod output;
mod session;
mod socket;
mod start;
mod terminal;

use std::{
    fs,
    io::{self, Write as _},
    os::{
        fd::{AsFd as _, RawFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use nodepanel_supervise::process::{
    Identity, ProcessError,
    succession::{CAN_GO_ON, let_signals_in, monotonic_ns},
};
use nodepanel_types::{clock::Clock, state::Exit};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::LocalSet,
};

use crate::{
    console::Console,
    game::Tree,
    launch::close_inherited,
    log::{LogError, LogWriter},
    place::{self, Keeper, Lock},
    protocol::{Ended, LISTENING, Renewed},
    spec::{ShimSpec, SpecError},
};
use desk::Desk;
use estate::{Estate, Name};
use life::Life;

/// How long sessions may take to send their last lines when the shim goes.
const FAREWELL: Duration = Duration::from_millis(500);

/// Orders of clients that may wait.
const ORDERS: usize = 16;

/// Why a shim could not begin. Once a game was started there is no error any more, only its exit.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The order cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Another shim keeps this server.
    #[error("another shim keeps the server of {dir}; it must end first", dir = dir.display())]
    Occupied {
        /// Its directory.
        dir: PathBuf,
    },
    /// The console cannot be kept.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The shim cannot name itself.
    #[error(transparent)]
    Identity(#[from] ProcessError),
    /// Something that it needs from the system is not to be had.
    #[error("the shim cannot {what}")]
    System {
        /// What it could not do.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl RunError {
    /// The error with its cause, in words for the server's owner, who is not shown the paths of the host.
    fn for_owner(&self) -> String {
        match (self, std::error::Error::source(self)) {
            (Self::Spec(error), _) => error.for_owner(),
            (Self::Occupied { .. }, _) => "Another shim keeps it still".to_owned(),
            (_, Some(cause)) => format!("{self}: {cause}"),
            (_, None) => self.to_string(),
        }
    }

    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Keeps the game that is described in `spec` until it has ended and its end is known.
///
/// For `role shim`. To be called before the process has a second thread or has opened anything: what it inherited
/// beyond the standard streams is closed. The program must start [`crate::launch()`] when it is run with the
/// arguments `role launch --spec <path>`.
pub fn run(spec: &Path, clock: &Arc<dyn Clock>) -> Result<(), RunError> {
    close_inherited(None);
    // A session of its own, where it is not already the first of a group; what a terminal sends is ignored anyway.
    let _ = rustix::process::setsid();
    let path = std::path::absolute(spec).map_err(RunError::system("find its order"))?;
    let spec = ShimSpec::load(&path)?;
    // Its working directory must not keep a file system busy.
    std::env::set_current_dir("/").map_err(RunError::system("leave its directory"))?;
    let lock = place::lock(&spec.state_dir).map_err(RunError::system("lock its directory"))?;
    let Some(lock) = lock else { return Err(RunError::Occupied { dir: spec.state_dir }) };
    place::forget_exit(&spec.state_dir).map_err(RunError::system("remove the exit file of the last run"))?;
    let begun = begin(&path, &spec, lock, clock);
    if let Err(error) = &begun {
        // Nobody may be there to read our status: the exit file tells why there was no game.
        let message = error.for_owner();
        let exit = Exit::SpawnFailed { message };
        let ended = Ended { run: None, exit, at: clock.now(), asked: false, killed: false, ready_at: None };
        let _ = place::write_exit(&spec.state_dir, &ended);
    }
    begun
}

/// Goes on as the next image of a shim: with the game, and everything else, that the image before this one kept.
///
/// For `role shim --spec <path> --go-on <lock>`, where the lock is a descriptor that stays open for as long as the
/// process lives. To be called before the process has a second thread or has opened anything.
pub fn go_on(spec: &Path, lock: RawFd, clock: &Arc<dyn Clock>) -> Result<(), RunError> {
    close_inherited(Some(lock));
    let lock = Lock::Kept(lock);
    let failed = RunError::system;
    let (estate, mut left) = Estate::receive().map_err(failed("take over what was left to it"))?;
    let segment = match estate.segment_bytes {
        Some(size) => Some((left.take(Name::LogSegment).map_err(failed("take its log over"))?.into(), size)),
        None => None,
    };
    let log_lock = left.take(Name::LogLock).map_err(failed("take its log over"))?;
    let writer = LogWriter::resume(&estate.spec.log, log_lock.into(), segment, estate.numbers.next);
    let console = Console::resume(&estate.spec.log, estate.numbers, writer, Arc::clone(clock));
    let tree = Tree::adopt_orphans(&estate.spec.cgroups)
        .map_err(|errno| RunError::system("adopt what its game leaves behind")(errno.into()))?;
    let listener = UnixListener::from(left.take(Name::Listener).map_err(failed("take its socket over"))?);
    in_event_loop(async {
        let signals = Signals::take().map_err(failed("watch for signals"))?;
        let_signals_in().map_err(failed("watch for signals"))?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(failed("listen on its socket"))?;
        let (orders, received) = mpsc::channel(ORDERS);
        let (token, keeper) = (estate.token.clone(), estate.keeper.clone());
        let desk = Rc::new(Desk::new(estate.spec.clone(), token, console, Arc::clone(clock), keeper, lock, orders));
        let (request, left_at_ns) = (estate.request, estate.left_at_ns);
        let life = Life::resume(&desk, spec, tree, estate, &mut left);
        if life.is_ok()
            && let Ok(client) = left.take(Name::Client)
        {
            let took_us = monotonic_ns().saturating_sub(left_at_ns) / 1_000;
            session::answer_renewal(client, request, Renewed { build: desk.build, took_us });
        }
        keep(&desk, listener, life, signals, received).await
    })
}

/// Tells on standard output whether this build could go on from what was left to it on standard input, and does nothing
/// else. For `role shim --spec <path> --try`.
pub fn can_go_on() -> Result<(), RunError> {
    close_inherited(None);
    Estate::receive().map_err(RunError::system("take over what was left to it"))?;
    let mut stdout = io::stdout();
    stdout.write_all(CAN_GO_ON).and_then(|()| stdout.flush()).map_err(RunError::system("say that it could go on"))
}

fn begin(path: &Path, spec: &ShimSpec, lock: Lock, clock: &Arc<dyn Clock>) -> Result<(), RunError> {
    let token = fs::read_to_string(&spec.token_file).map_err(RunError::system("read its token"))?;
    let keeper = Keeper { shim: Identity::own()?, game: None };
    place::write_keeper(&spec.state_dir, &keeper).map_err(RunError::system("record who it is"))?;
    let console = Console::open(&spec.log, spec.first_line, Arc::clone(clock))?;
    let tree = Tree::adopt_orphans(&spec.cgroups)
        .map_err(|errno| RunError::system("adopt what its game leaves behind")(errno.into()))?;
    in_event_loop(async {
        let signals = Signals::take().map_err(RunError::system("watch for signals"))?;
        let (orders, received) = mpsc::channel(ORDERS);
        let token = token.trim().to_owned();
        let desk = Rc::new(Desk::new(spec.clone(), token, console, Arc::clone(clock), keeper, lock, orders));
        let listener = socket::listen(&spec.state_dir).map_err(RunError::system("listen on its socket"))?;
        announce();
        let life = Life::start(&desk, path, tree);
        keep(&desk, listener, life, signals, received).await
    })
}

fn in_event_loop(work: impl Future<Output = Result<(), RunError>>) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(RunError::system("set up its event loop"))?;
    LocalSet::new().block_on(&runtime, work)
}

/// Keeps a game that was begun, and serves clients, until its end is known.
async fn keep(
    desk: &Rc<Desk>,
    listener: tokio::net::UnixListener,
    life: io::Result<Life<'_>>,
    signals: Signals,
    orders: mpsc::Receiver<desk::Order>,
) -> Result<(), RunError> {
    // Without it the shim only stays the build that it is.
    desk.listener.replace(listener.as_fd().try_clone_to_owned().ok());
    let sessions = tokio::task::spawn_local(socket::serve(Rc::clone(desk), listener));
    tokio::select! {
        () = life::live(desk, life, signals, orders) => {}
        () = Console::keep_trying(&desk.console) => {}
    }
    desk.leave();
    let _ = tokio::time::timeout(FAREWELL, sessions).await;
    let _ = desk.console.borrow_mut().close();
    place::remove_socket(&desk.spec.state_dir);
    Ok(())
}

/// Tells over standard output that clients may come in, and lets go of it: who started us may wait for that word.
fn announce() {
    // Nobody need be there to hear it.
    let _ = io::stdout().write_all(LISTENING).and_then(|()| io::stdout().flush());
    let null = fs::OpenOptions::new().write(true).open("/dev/null");
    let _ = null.and_then(|null| rustix::stdio::dup2_stdout(null).map_err(io::Error::from));
}

/// The signals that a shim takes. Those of a terminal are taken so that they have no effect; a handler, unlike
/// ignoring them, is not passed on to the game.
struct Signals {
    child: Signal,
    terminate: Signal,
    _ignored: [Signal; 3],
}

impl Signals {
    fn take() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            _ignored: [signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::quit())?],
        })
    }
}
