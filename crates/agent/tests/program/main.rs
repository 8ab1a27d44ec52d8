//! The program of this crate's tests: the roles `shim`, `launch` and `agent`, and a few small games.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use nodepanel_agent::{Agent, AgentConfig};
use nodepanel_types::{
    Timestamp,
    clock::{Clock, IdSource},
};
use tokio_util::sync::CancellationToken;

/// The machine's own clock.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's own generator.
struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the source that everything else is given")]
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }

    fn fill(&self, bytes: &mut [u8]) {
        let _ = rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty());
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let result = match words.as_slice() {
        ["role", "shim", "--spec", spec] => nodepanel_shim::run(Path::new(spec), &clock).map_err(io::Error::other),
        ["role", "launch", "--spec", spec] => Err(io::Error::other(nodepanel_shim::launch(Path::new(spec)))),
        ["agent", data_dir] => agent(data_dir, clock),
        ["game", behaviour @ ..] => game(behaviour),
        _ => Err(io::Error::other(format!("unknown arguments: {words:?}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// An agent without links, which is killed sooner or later.
fn agent(data_dir: &str, clock: Arc<dyn Clock>) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let config = AgentConfig::new(PathBuf::from(data_dir), program, "test".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(Agent::run(config, clock, Arc::new(SystemIds), CancellationToken::new())).map_err(io::Error::other)
}

/// A game: says that it is ready, repeats what it reads, ends at `stop` and crashes at `crash`. The behaviour `crash`
/// crashes at once, `count` writes numbered lines all the time, `deaf` does not end at `stop`, `hog` takes memory
/// until somebody ends it, `status` answers Minecraft's status ping at a port,
/// and `echo` sends half of what it gets at a port back, by TCP and by UDP.
fn game(behaviour: &[&str]) -> io::Result<()> {
    println!("ready to play as {} in {}", rustix::process::getuid().as_raw(), std::env::current_dir()?.display());
    match behaviour {
        ["crash"] => std::process::exit(3),
        ["hog"] => hog(),
        ["count"] => {
            std::thread::spawn(count);
        }
        ["status", port] => {
            let port = port.parse().map_err(io::Error::other)?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            std::thread::spawn(move || status(&listener));
        }
        ["echo", port] => {
            let port = port.parse().map_err(io::Error::other)?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            std::thread::spawn(move || echo(&listener));
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
            std::thread::spawn(move || echo_datagrams(&socket));
        }
        _ => {}
    }
    for line in io::stdin().lock().lines() {
        match (line?.as_str(), behaviour) {
            ("stop", ["deaf"]) => println!("what?"),
            ("stop", _) => {
                println!("saved");
                return Ok(());
            }
            ("crash", _) => std::process::exit(3),
            (line, _) => println!("got {line}"),
        }
    }
    Ok(())
}

fn status(listener: &TcpListener) {
    let json = r#"{"version":{"name":"stub"},"players":{"online":3,"max":20},"description":"stub"}"#;
    let length = u8::try_from(json.len()).unwrap_or(0);
    for asker in listener.incoming().flatten() {
        let mut asker: TcpStream = asker;
        // A handshake of 19 bytes and its length, and the request itself.
        let mut question = [0; 22];
        let reply = [&[length + 2, 0, length], json.as_bytes()].concat();
        let _ = asker.read_exact(&mut question).and_then(|()| asker.write_all(&reply));
    }
}

fn echo(listener: &TcpListener) {
    for peer in listener.incoming().flatten() {
        let mut peer: TcpStream = peer;
        let mut block = [0; 10_000];
        while peer.read_exact(&mut block).is_ok() && peer.write_all(&block[..5_000]).is_ok() {}
    }
}

fn echo_datagrams(socket: &UdpSocket) {
    let mut block = [0; 10_000];
    while let Ok((length, peer)) = socket.recv_from(&mut block) {
        let half = block.get(..length / 2).unwrap_or_default();
        let _ = socket.send_to(half, peer);
    }
}

fn count() {
    let mut out = io::stdout();
    for number in 1_u64.. {
        if writeln!(out, "line {number}").and_then(|()| out.flush()).is_err() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
}

fn hog() {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(vec![1; 4 * 1024 * 1024]);
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}
