//! The systemd units: that systemd understands them, and that the process it starts talks to it as they promise.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::harness::{PATIENCE, Place, command, signal, wait_for};

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let place = Place::new();
    let units = place.directory().join("units");
    let programs = place.directory().join("bin");
    fs::create_dir_all(&units).unwrap();
    fs::create_dir_all(&programs).unwrap();
    let mut install = command(&place.data_dir());
    install.args(["install", "--no-start", "--unit-dir"]).arg(&units).arg("--bin-dir").arg(&programs);
    let output = install.args(["--listen", "127.0.0.1:8080", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["started"], false);
    let version = Command::new(programs.join("nodepanel")).arg("--version").output().unwrap();
    assert!(version.status.success());
    for unit in ["nodepanel.service", "nodepanel-servers.service"] {
        let path = units.join(unit);
        assert!(fs::read_to_string(&path).unwrap().contains(programs.to_str().unwrap()), "{unit}");
        match Command::new("systemd-analyze").arg("verify").arg(&path).stdin(Stdio::null()).output() {
            Ok(verdict) => {
                let text = String::from_utf8_lossy(&verdict.stderr).into_owned();
                assert!(verdict.status.success() && !text.contains(unit), "{text}");
            }
            Err(error) => println!("{unit} was not verified, there is no systemd-analyze here: {error}"),
        }
    }
}

#[test]
fn the_keeper_tells_systemd_that_it_is_ready_and_lives() {
    let place = Place::new();
    let path = place.directory().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut up = command(&place.data_dir());
    up.args(["up", "--listen", &place.http().to_string()]).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut keeper = up.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut heard = String::new();
    let mut listen = |what: &str| {
        wait_for(what, PATIENCE, || {
            let mut buffer = [0; 512];
            if let Ok(length) = socket.recv(&mut buffer) {
                heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
                heard.push('\n');
            }
            heard.contains(what).then_some(())
        });
    };
    listen("READY=1");
    listen("WATCHDOG=1\nWATCHDOG=1\nWATCHDOG=1\n");
    signal(keeper.id(), Signal::TERM);
    listen("STOPPING=1");
    wait_for("the end of the keeper", PATIENCE, || keeper.try_wait().unwrap());
}

#[test]
fn what_a_package_is_given_is_what_an_installation_has() {
    let place = Place::new();
    let units = place.directory().join("units");
    fs::create_dir_all(&units).unwrap();
    let run = |arguments: &[&str]| {
        let output = command(&place.data_dir()).arg("install").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let bin = place.directory().to_str().unwrap();
    run(&["--no-start", "--unit-dir", units.to_str().unwrap(), "--bin-dir", bin]);
    let printed = run(&["--print", "--json", "--bin-dir", bin]);
    let printed: std::collections::BTreeMap<String, String> = serde_json::from_slice(&printed).unwrap();
    assert_eq!(printed.len(), 2);
    for (name, text) in printed {
        assert_eq!(fs::read_to_string(units.join(name)).unwrap(), text);
    }
}

#[test]
fn a_package_prepares_the_data_directory_and_leaves_a_configuration_of_the_operator() {
    let place = Place::new();
    let file = place.directory().join("nodepanel.toml");
    fs::write(&file, "[api]\nservers = 3\n").unwrap();
    let prepare = || {
        let mut install = command(&place.data_dir());
        install.args(["install", "--prepare", "--config-file"]).arg(&file);
        assert!(install.status().unwrap().success());
    };
    let config = place.data_dir().join("nodepanel.toml");
    prepare();
    prepare();
    assert_eq!(fs::read_link(&config).unwrap(), file);
    fs::remove_file(&config).unwrap();
    fs::write(&config, "# mine\n").unwrap();
    prepare();
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
}
