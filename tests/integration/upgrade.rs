//! Another build takes over without anybody noticing, and a bad one is taken back.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::harness::{Console, Game, Installation, PATIENCE, Setting, Witness, binary, own_program, signal, wait_for};

/// A program that is ours in everything but its name, after `spoiled` has had a look at the command line.
fn build(directory: &Path, name: &str, spoiled: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{spoiled}\nexec {} \"$@\"\n", binary().display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn pids(installation: &Installation) -> Vec<u32> {
    ["api-1", "api-2", "status", "agent"].iter().map(|name| installation.pid(name)).collect()
}

/// The first build has to have proven itself before another one is taken.
fn wait_proven(installation: &Installation) {
    let state = installation.data_dir().join("builds/state.json");
    wait_for("the proof of the first build", PATIENCE, || state.exists().then_some(()));
}

#[test]
fn another_build_takes_over_unnoticed_and_bad_ones_are_taken_back() {
    let mut installation = Setting::new().with_own_program().start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "untouched");
    let processes = installation.game_of(&game.id);
    let directory = tempfile::tempdir().unwrap();
    let before = pids(&installation);
    wait_proven(&installation);
    let upgrade = |build: &Path| installation.cli(&["upgrade", &build.display().to_string()]);

    // What cannot be a build of ours changes nothing.
    let wrong = directory.path().join("wrong");
    fs::write(&wrong, "no program").unwrap();
    for (path, word) in
        [(wrong.as_path(), "executed"), (Path::new("/bin/true"), "no NodePanel"), (Path::new("/nope"), "read")]
    {
        let output = upgrade(path);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && text.contains(word) && text.contains("Nothing was changed"),
            "{text}"
        );
    }
    assert_eq!(pids(&installation), before);

    let witness = Witness::begin(&admin, "/api/v1/session");
    let good = build(directory.path(), "good", "");
    let output = upgrade(&good);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = pids(&installation);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} {after:?}");

    // One whose API servers end, and one whose supervisor ends: both are taken back.
    for (name, words) in [("bad-api", "role api"), ("bad-supervisor", "supervise")] {
        let spoiled = format!("case \"$*\" in *\"{words}\"*) echo spoiled >&2; exit 1;; esac");
        let output = upgrade(&build(directory.path(), name, &spoiled));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains("refused") && text.contains("code 1"), "{text}");
        installation.wait_components_ready();
    }
    let noticed = witness.end();
    assert_eq!((noticed.refused, noticed.wrong.len()), (0, 0), "{noticed:?}");
    assert_eq!(installation.game_of(&game.id), processes, "the game did not notice");

    // The refused build is still installed, and is not tried again.
    installation.interrupt();
    installation.up();
    installation.wait_ready();
    assert!(fs::read_to_string(own_program(installation.data_dir())).unwrap().contains("spoiled"));
    assert_eq!(installation.game_of(&game.id), processes);
}

#[test]
fn a_sign_of_the_system_begins_an_upgrade_and_a_broken_configuration_stops_it() {
    let installation = Setting::new().with_own_program().start();
    let before = pids(&installation);
    wait_proven(&installation);
    let supervisor = installation.pid("supervisor");
    let configuration = installation.data_dir().join("nodepanel.toml");
    fs::write(&configuration, "[api]\nservants = 3\n").unwrap();
    signal(supervisor, Signal::HUP);
    let log = installation.data_dir().join("logs/supervisor.log");
    wait_for("the refusal", PATIENCE, || {
        let text = fs::read_to_string(&log).unwrap();
        (text.contains("the running build stays") && text.contains("servants")).then_some(())
    });
    fs::remove_file(&configuration).unwrap();
    assert_eq!(pids(&installation), before, "nothing was touched");
    signal(supervisor, Signal::HUP);
    wait_for("new processes", PATIENCE, || {
        let after = pids(&installation);
        before.iter().zip(&after).all(|(before, after)| before != after).then_some(())
    });
    installation.wait_components_ready();
}

/// What tells a build from another one: the size and the time of its file.
fn print_of(path: &Path) -> (u64, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

/// The build that a process runs.
fn runs(pid: u32) -> (u64, i64, i64) {
    print_of(Path::new(&format!("/proc/{pid}/exe")))
}

#[test]
fn everything_is_of_the_new_build_in_the_end_and_the_game_did_not_notice() {
    let installation = Setting::new().with_own_program().start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "untouched");
    let console = Console::open(&admin, &game.id);
    console.type_line("before", "key-before");
    console.wait_line("> before");
    let processes = installation.game_of(&game.id);
    let (keeper, shim) = (installation.pid("keeper"), installation.shim_of(&game.id).unwrap());
    wait_proven(&installation);
    let old = runs(keeper);
    assert_eq!(runs(shim), old);

    // A refused build never gets as far as the keeper and the shims.
    let directory = tempfile::tempdir().unwrap();
    let spoiled = "case \"$*\" in *\"role api\"*) exit 1;; *\"role shim\"*--*try*) touch \"$0.tried\";; esac; \
                   test -z \"$NODEPANEL_SUCCESSION\" || touch \"$0.tried\"";
    let bad = build(directory.path(), "bad", spoiled);
    assert!(!installation.cli(&["upgrade", &bad.display().to_string()]).status.success());
    installation.wait_components_ready();
    let tried = PathBuf::from(format!("{}.tried", own_program(installation.data_dir()).display()));
    assert!(!tried.exists());
    assert_eq!((runs(keeper), runs(shim)), (old, old));

    // The same program with another time is another build.
    let another = directory.path().join("another");
    fs::copy(binary(), &another).unwrap();
    let output = installation.cli(&["upgrade", &another.display().to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let new = print_of(&own_program(installation.data_dir()));
    assert_ne!(new, old);
    wait_for("the keeper and the shim to be of the new build", PATIENCE, || {
        (runs(keeper) == new && runs(shim) == new).then_some(())
    });
    for pid in pids(&installation).into_iter().chain([installation.pid("supervisor")]) {
        assert_eq!(runs(pid), new);
    }
    assert_eq!(
        (installation.pid("keeper"), installation.shim_of(&game.id)),
        (keeper, Some(shim)),
        "the same processes"
    );
    assert_eq!(installation.game_of(&game.id), processes, "the game did not notice");
    console.type_line("after", "key-after");
    console.wait_line("> after");
    console.assert_whole();
    let history = String::from_utf8_lossy(&installation.cli(&["status", "--history"]).stdout).into_owned();
    assert!(history.contains("went on as the new build"), "{history}");
}
