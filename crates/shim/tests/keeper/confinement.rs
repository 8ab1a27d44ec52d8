//! What a game sees of the machine, and what it does not.

use std::fs;

use nodepanel_types::state::Exit;

use crate::harness::{Place, Shim, output};

async fn run(place: Place) -> (Shim, Vec<String>) {
    let shim = place.start().await;
    shim.until_exited().await;
    let lines = output(&shim.all().await);
    (shim, lines)
}

/// Whether the kernel confines at all; prints why a test is skipped otherwise.
async fn confined(shim: &Shim, needed: &str) -> bool {
    let notes = shim.client().state().await.unwrap().notes;
    let missing = notes.iter().find(|note| note.contains("not confined"));
    if let Some(note) = missing {
        eprintln!("skipped ({needed}): {note}");
    }
    missing.is_none()
}

#[tokio::test]
async fn the_environment_is_clean_and_the_directory_its_own() {
    let place = Place::script("pwd; env | sort; touch \"$TMPDIR/x\" && echo written; umask")
        .with(|spec| _ = spec.env.insert("GAME_MODE".to_owned(), "creative".to_owned()));
    let dir = place.spec.dir.to_string_lossy().into_owned();
    let (_shim, lines) = run(place).await;
    assert_eq!(lines[0], dir);
    let names: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(names, ["GAME_MODE", "HOME", "LANG", "NODEPANEL_SERVER", "PATH", "PWD", "TERM", "TMPDIR"]);
    assert!(lines.contains(&format!("HOME={dir}")) && lines.contains(&"written".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn nothing_is_inherited_but_the_standard_streams() {
    let (_shim, lines) = run(Place::script("for fd in /proc/$$/fd/*; do echo ${fd##*/}; done")).await;
    // 255 or 10 and more may be the shell's own.
    let inherited: Vec<u32> = lines.iter().filter_map(|fd| fd.parse().ok()).filter(|fd| *fd < 10).collect();
    assert!(inherited.starts_with(&[0, 1, 2]), "{lines:?}");
    assert!(inherited.len() <= 4, "{lines:?}");
}

#[tokio::test]
async fn a_game_reads_its_own_directory_and_the_system_and_nothing_else() {
    let place = Place::script(
        "cat own.txt; cat ../outside.txt ../state/token ../state/spec.json; head -c1 /etc/passwd; \
        echo; echo x > ../new.txt; ls ..; echo done",
    );
    fs::write(place.spec.dir.join("own.txt"), "mine\n").unwrap();
    fs::write(place.path("outside.txt"), "secret\n").unwrap();
    let (shim, lines) = run(place).await;
    if !confined(&shim, "reading outside").await {
        return;
    }
    assert_eq!(lines[0], "mine");
    assert!(lines.contains(&"r".to_owned()) && lines.contains(&"done".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("secret") || line.contains("token-that")), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("Permission denied")).count(), 5, "{lines:?}");
}

#[tokio::test]
async fn a_game_cannot_signal_its_shim() {
    let (shim, lines) =
        run(Place::script("kill -0 $PPID; echo $?; kill -TERM $PPID; echo $?; kill -0 $$; echo $?")).await;
    let notes = shim.client().state().await.unwrap().notes;
    // Since version 6 of its interface (Linux 6.12).
    let weak = notes.iter().any(|note| {
        ["version 1 ", "version 2 ", "version 3 ", "version 4 ", "version 5 "].iter().any(|v| note.contains(v))
    });
    if weak || !confined(&shim, "signals").await {
        eprintln!("skipped (signals): {notes:?}");
        return;
    }
    let codes: Vec<&str> = lines.iter().map(String::as_str).filter(|line| line.len() == 1).collect();
    assert_eq!(codes, ["1", "1", "0"], "{lines:?}");
}

#[tokio::test]
async fn a_game_is_not_so_much_as_answered_by_its_shim() {
    let place = Place::game(&["knock"]).with(|spec| {
        let socket = spec.state_dir.join("shim.sock");
        spec.command.push(socket.to_string_lossy().into_owned());
        spec.confinement.landlock = false;
    });
    let (_shim, lines) = run(place).await;
    assert_eq!(lines, ["shut out"]);
}

#[tokio::test]
async fn a_game_runs_as_its_own_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can run a game as another user");
        return;
    }
    let place = Place::script("id -u; id -g; id -G; grep NoNewPrivs /proc/self/status; touch mine && echo written")
        .for_nobody();
    let (_shim, lines) = run(place).await;
    assert_eq!(lines, ["65534", "65534", "65534", "NoNewPrivs:\t1", "written"]);
}

#[tokio::test]
async fn limits_of_processes_hold() {
    let place = Place::script("ulimit -n; ulimit -c; cat /proc/self/oom_score_adj")
        .with(|spec| spec.rlimits.open_files = Some(123));
    let (_shim, lines) = run(place).await;
    assert_eq!(lines, ["123", "0", "300"]);
}

#[tokio::test]
async fn a_game_that_needs_more_memory_than_it_may_is_told_so() {
    let Some(cgroup) = memory_cgroup() else { return };
    let place = Place::script("echo begin; tail /dev/zero").with(|spec| spec.cgroups = vec![cgroup.0.clone()]);
    let shim = place.start().await;
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::OutOfMemory { limit_bytes: 32 * 1024 * 1024 });
}

/// A control group with a limit of 32 MiB; removed when dropped.
struct Cgroup(std::path::PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn memory_cgroup() -> Option<Cgroup> {
    let name = format!("nodepanel-shim-test-{}", std::process::id());
    let v1 = std::path::Path::new("/sys/fs/cgroup/memory");
    let (dir, file) = if v1.exists() {
        (v1.join(name), "memory.limit_in_bytes")
    } else {
        (std::path::Path::new("/sys/fs/cgroup").join(name), "memory.max")
    };
    let made = fs::create_dir(&dir).map(|()| Cgroup(dir));
    match made.and_then(|made| fs::write(made.0.join(file), "33554432").map(|()| made)) {
        Ok(made) => Some(made),
        Err(error) => {
            eprintln!("skipped: no memory control group can be made here ({error})");
            None
        }
    }
}
