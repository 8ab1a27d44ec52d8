//! One step of work: a child process with a name, a log, a time limit, and progress on the terminal.
//!
//! The child writes straight into the log file, never into a pipe of ours: something that it leaves running (a game
//! server outlives its panel on purpose) can then not keep the step from ending. What the user sees is read back
//! from the log while the child runs.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::time::Timespec;

/// How often the display follows the log.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(15);
/// How much of the log is kept for reading results from it.
const OUTPUT_LIMIT: u64 = 8 * 1024 * 1024;
/// How many lines of the log a failure shows.
const TAIL_LINES: usize = 40;

/// What the user sees of the child's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// Only its last line, while it runs on a terminal; the end of the log when it fails.
    Quiet,
    /// All of it, as it comes.
    Live,
}

/// A time limit for a step.
pub const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// How often a step says that it is still at work where no terminal can show it.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How a child ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status.
    pub status: ExitStatus,
    /// From start to end.
    pub took: Duration,
    /// What it wrote (the end of it, when there was a great deal).
    pub output: String,
    /// Where all of it is.
    pub log: PathBuf,
    /// Whether it was stopped because its time was up.
    pub timed_out: bool,
}

impl Outcome {
    /// Whether it ended well and in time.
    pub fn success(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// Why it is not a success, in words.
    pub fn reason(&self) -> String {
        if self.timed_out {
            format!("stopped after {}: its time was up", seconds(self.took))
        } else {
            self.status.to_string()
        }
    }
}

/// Runs `command` to its end, whatever that is.
///
/// # Errors
///
/// When the log cannot be written or the program cannot be started.
pub fn observe(logs: &Path, name: &str, echo: Echo, limit: Duration, command: &mut Command) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(logs).with_context(|| format!("{} cannot be created", logs.display()))?;
    let log = logs.join(format!("{}.log", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")));
    let file = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let second = file.try_clone().context("the log cannot be shared by both outputs")?;
    let program = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(second)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))?;

    let started = Instant::now();
    let mut display = Display::new(name, echo, &log)?;
    let (status, timed_out) = wait(&mut child, started, limit, &mut display)?;
    let took = started.elapsed();
    display.finish(took, status.success() && !timed_out)?;
    let output = display.end_of_log()?;
    Ok(Outcome { status, took, output, log, timed_out })
}

/// Runs `command`, and fails with the end of its log when it fails.
///
/// # Errors
///
/// As [`observe`], and when the child does not succeed.
pub fn require(logs: &Path, name: &str, limit: Duration, command: &mut Command) -> anyhow::Result<Outcome> {
    let outcome = observe(logs, name, Echo::Quiet, limit, command)?;
    if !outcome.success() {
        eprintln!("{}", tail(&outcome.output, TAIL_LINES));
        bail!("{name} failed ({}); the whole log is {}", outcome.reason(), outcome.log.display());
    }
    Ok(outcome)
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.iter().skip(all.len().saturating_sub(lines)).copied().collect::<Vec<_>>().join("\n")
}

/// A duration as people read it: `4.2 s`, `3 min 07 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

fn wait(
    child: &mut Child,
    started: Instant,
    limit: Duration,
    display: &mut Display,
) -> anyhow::Result<(ExitStatus, bool)> {
    let pid = Pid::from_child(child);
    let pidfd =
        pidfd_open(pid, PidfdFlags::empty()).context("the kernel has no pidfd (Linux 5.3 or newer is needed)")?;
    let mut asked = None;
    loop {
        // An interrupted poll is one more tick.
        let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&TICK));
        if let Some(status) = child.try_wait().context("the child cannot be waited for")? {
            return Ok((status, asked.is_some()));
        }
        display.follow(started.elapsed())?;
        match asked {
            None if started.elapsed() > limit => {
                let _ = kill_process(pid, Signal::TERM);
                asked = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GRACE => child.kill().context("the child cannot be killed")?,
            _ => {}
        }
    }
}

/// What the terminal shows of a running step.
struct Display {
    name: String,
    echo: Echo,
    log: File,
    terminal: bool,
    last_line: String,
    said: Duration,
}

impl Display {
    fn new(name: &str, echo: Echo, log: &Path) -> anyhow::Result<Self> {
        let log = File::open(log).with_context(|| format!("{} cannot be read", log.display()))?;
        let terminal = std::io::stdout().is_terminal();
        if echo == Echo::Live || !terminal {
            println!("  {name} ...");
        }
        Ok(Self { name: name.to_owned(), echo, log, terminal, last_line: String::new(), said: Duration::ZERO })
    }

    fn follow(&mut self, elapsed: Duration) -> anyhow::Result<()> {
        let mut fresh = Vec::new();
        self.log.read_to_end(&mut fresh).context("the log cannot be read")?;
        let mut out = std::io::stdout().lock();
        if self.echo == Echo::Live {
            out.write_all(&fresh).context("the terminal is gone")?;
        } else {
            if let Some(line) = String::from_utf8_lossy(&fresh).lines().rfind(|line| !line.trim().is_empty()) {
                self.last_line = line.trim().chars().filter(|c| !c.is_control()).take(70).collect();
            }
            let progress = format!("  {} {} {}", self.name, seconds(elapsed), self.last_line);
            if self.terminal {
                write!(out, "\r\x1b[K{progress}").context("the terminal is gone")?;
            } else if elapsed.saturating_sub(self.said) > HEARTBEAT {
                self.said = elapsed;
                writeln!(out, "{progress}").context("the terminal is gone")?;
            }
        }
        out.flush().context("the terminal is gone")
    }

    fn finish(&mut self, took: Duration, good: bool) -> anyhow::Result<()> {
        self.follow(took)?;
        let clear = if self.echo == Echo::Quiet && self.terminal { "\r\x1b[K" } else { "" };
        let verdict = if good { "done" } else { "FAILED" };
        println!("{clear}  {} {verdict} after {}", self.name, seconds(took));
        Ok(())
    }

    fn end_of_log(&mut self) -> anyhow::Result<String> {
        let size = self.log.seek(SeekFrom::End(0)).context("the log cannot be read")?;
        self.log.seek(SeekFrom::Start(size.saturating_sub(OUTPUT_LIMIT))).context("the log cannot be read")?;
        let mut bytes = Vec::new();
        self.log.read_to_end(&mut bytes).context("the log cannot be read")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn logs(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-step-{}-{name}", std::process::id()))
    }

    #[test]
    fn both_outputs_and_the_status_are_kept() {
        let logs = logs("both");
        let outcome = observe(
            &logs,
            "a step",
            Echo::Quiet,
            Duration::from_secs(60),
            &mut shell("echo out; echo err >&2; exit 3"),
        )
        .unwrap();
        assert_eq!(outcome.status.code(), Some(3));
        assert_eq!(outcome.output, "out\nerr\n");
        assert!(!outcome.success());
        assert!(outcome.log.ends_with("a-step.log"));
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn something_left_running_does_not_hold_the_step() {
        let logs = logs("left");
        let outcome =
            observe(&logs, "left", Echo::Quiet, Duration::from_secs(60), &mut shell("sleep 100 & echo $!")).unwrap();
        assert!(outcome.success());
        let pid = Pid::from_raw(outcome.output.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn a_step_whose_time_is_up_is_stopped_and_says_so() {
        let logs = logs("late");
        let outcome =
            observe(&logs, "late", Echo::Quiet, Duration::from_millis(1), &mut shell("exec sleep 100")).unwrap();
        assert!(outcome.timed_out);
        assert!(outcome.reason().contains("time was up"));
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
