//! What can be known from outside of a process that does not answer, kept before it is killed: the state, the system
//! call with its arguments, the kernel function and (for root) the kernel stack of each thread, from `/proc`.
//!
//! For a thread that computes, `syscall` says `running`; for one that waits, its last number is where in the program it
//! waits, which `addr2line` finds with the places of the code that end the text. Nothing is sent to the process: a
//! signal that makes it write its own dump would need the very thread that hangs, and a debugger would stop the others.

use std::{fmt::Write, fs, path::Path};

/// Threads that are looked at: reading must stay quick, since the hung process is replaced after it.
const THREADS: usize = 64;

/// The text for the operator. Whatever cannot be read is left out.
pub(super) fn examine(pid: u32) -> String {
    let mut text = String::new();
    let process = format!("/proc/{pid}");
    let process = Path::new(&process);
    section(&mut text, "status", process, &["status"]);
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    for thread in threads.take(THREADS) {
        let name = format!("thread {}", thread.file_name().display());
        section(&mut text, &name, &thread.path(), &["comm", "stat", "wchan", "syscall", "stack"]);
    }
    let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
    let code: Vec<&str> = maps.lines().filter(|line| line.contains(" r-xp ")).collect();
    if !code.is_empty() {
        let _ = writeln!(text, "== code\n{}", code.join("\n"));
    }
    text
}

fn section(text: &mut String, title: &str, directory: &Path, files: &[&str]) {
    let _ = writeln!(text, "== {title}");
    for file in files {
        if let Ok(content) = fs::read(directory.join(file)) {
            let _ = writeln!(text, "-- {file}\n{}", String::from_utf8_lossy(&content).trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_is_shown_with_what_it_waits_in() {
        let text = examine(std::process::id());
        assert!(
            text.contains("== thread ")
                && text.contains("-- wchan")
                && text.contains("== code")
                && text.contains("Name:"),
            "{text}"
        );
        assert_eq!(examine(4_194_304), "== status\n");
    }
}
