//! Another build takes over without anybody noticing, and a bad one is taken back.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::harness::{Game, Installation, PATIENCE, Setting, Witness, binary, own_program, signal, wait_for};

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
