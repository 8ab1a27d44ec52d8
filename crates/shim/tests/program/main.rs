//! The program of this crate's tests: the roles `shim` and `launch`, and a few small games.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nodepanel_types::{Timestamp, clock::Clock};

/// The machine's own clock.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let result = match words.as_slice() {
        ["role", "shim", "--spec", spec] => nodepanel_shim::run(Path::new(spec), &clock).map_err(io::Error::other),
        ["role", "shim", "--spec", spec, "--go-on", lock] => match lock.parse() {
            Ok(lock) => nodepanel_shim::go_on(Path::new(spec), lock, &clock).map_err(io::Error::other),
            Err(error) => Err(io::Error::other(error)),
        },
        ["role", "shim", "--spec", _, "--try"] => nodepanel_shim::can_go_on().map_err(io::Error::other),
        ["role", "launch", "--spec", spec] => Err(io::Error::other(nodepanel_shim::launch(Path::new(spec)))),
        ["game", "echo"] => echo(),
        ["game", "listen"] => listen(),
        ["game", "knock", socket] => knock(Path::new(socket)),
        ["game", "count", code] => return count(code),
        ["game", "flood", lines, width] => flood(lines, width),
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

/// Says that it is ready, repeats what it reads, ends at `stop`.
fn echo() -> io::Result<()> {
    println!("\x1b[32mready\x1b[0m to play");
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line == "stop" {
            println!("saved");
            break;
        }
        println!("got {line}");
    }
    Ok(())
}

/// Binds a port when it is told which, and waits.
fn listen() -> io::Result<()> {
    println!("up");
    let mut port = String::new();
    io::stdin().read_line(&mut port)?;
    let _listener = TcpListener::bind(format!("127.0.0.1:{}", port.trim()))?;
    println!("bound");
    io::stdin().read_line(&mut port)?;
    Ok(())
}

/// Tries to come in where only the agent may.
fn knock(socket: &Path) -> io::Result<()> {
    let answer = UnixStream::connect(socket).and_then(|mut stream| {
        stream.write_all(b"{\"id\":1,\"do\":\"hello\",\"v\":1,\"token\":\"guess\"}\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    match answer {
        Ok(answer) if !answer.is_empty() => writeln!(io::stdout(), "heard: {answer}"),
        Ok(_) | Err(_) => writeln!(io::stdout(), "shut out"),
    }
}

/// Counts as fast as it can, each line in two pieces, until it reads a line; ends with this code.
fn count(code: &str) -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        told.store(true, Ordering::Relaxed);
    });
    let mut out = io::stdout().lock();
    for n in 0_u64.. {
        if stop.load(Ordering::Relaxed) || write!(out, "n{n:0>20}").and_then(|()| out.flush()).is_err() {
            break;
        }
        let _ = writeln!(out, " is {n}");
    }
    let _ = writeln!(out);
    code.parse().map_or(ExitCode::FAILURE, |code: u8| ExitCode::from(code))
}

/// Writes so many numbered lines of such a width as fast as it can, each time it reads a line.
fn flood(lines: &str, width: &str) -> io::Result<()> {
    let lines: u64 = lines.parse().map_err(io::Error::other)?;
    let width: usize = width.parse().map_err(io::Error::other)?;
    println!("ready");
    for _ in io::stdin().lock().lines() {
        let mut out = io::BufWriter::with_capacity(32 * 1024, io::stdout().lock());
        for n in 0..lines {
            writeln!(out, "{n:0width$}")?;
        }
        writeln!(out, "flooded")?;
        out.flush()?;
    }
    Ok(())
}
