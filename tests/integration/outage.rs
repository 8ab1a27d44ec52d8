//! When parts are away for longer: what users are told, what goes on all the same, and that everything comes back.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
};
use serde_json::json;

use crate::harness::{
    Console, Game, Installation, PATIENCE, Request, Setting, Witness, cli_at, figure, fresh_key, kill9, pause, signal,
    wait_for,
};

#[test]
fn somebody_answers_while_no_api_server_can() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "goes on");
    let console = Console::open(&admin, &game.id);
    let processes = installation.game_of(&game.id);
    console.wait_line("ready");
    let began = Instant::now();
    let read = Request::new("GET", "/api/v1/session");
    // Killed again and again, before one of them can be ready.
    let answer = wait_for("the last-resort answer", PATIENCE, || {
        installation.api_servers().into_iter().for_each(kill9);
        // Nobody may take the connection yet: not every try is answered.
        let mut request = read.clone();
        request.patience = Some(Duration::from_millis(300));
        admin.once(&request).ok().filter(|answer| answer.status == 503)
    });
    figure("outage to an answer that says so", began.elapsed());
    assert_eq!(answer.json()["code"], "not-ready", "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.text().contains("Game servers go on"), "{}", answer.text());
    assert_eq!(installation.game_of(&game.id), processes);
    let began = Instant::now();
    installation.wait_components_ready();
    figure("end of the outage to everything ready", began.elapsed());
    assert_eq!(admin.get("/api/v1/session").status, 200, "nobody was signed out");
    game.type_line("after the outage");
    console.wait_line("> after the outage");
    console.assert_whole();
    assert_eq!(installation.game_of(&game.id), processes);
}

#[test]
fn a_stopped_supervisor_stops_nothing_else() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "goes on");
    let workers = ["api-1", "api-2", "agent"].map(|name| installation.pid(name));
    let supervisor = installation.pid("supervisor");
    let witness = Witness::begin(&admin, "/api/v1/servers");
    signal(supervisor, Signal::STOP);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        game.type_line("hello");
        pause(Duration::from_millis(50));
    }
    signal(supervisor, Signal::CONT);
    installation.wait_components_ready();
    let noticed = witness.end();
    assert_eq!((noticed.refused, noticed.replayed, noticed.wrong.len()), (0, 0, 0), "{noticed:?}");
    assert_eq!(["api-1", "api-2", "agent"].map(|name| installation.pid(name)), workers, "nobody was replaced");
}

/// A file system of its own, as small as a full disk.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = std::ffi::CString::new("size=12m,mode=755").unwrap();
        match mount("tmpfs", at, "tmpfs", MountFlags::empty(), options.as_c_str()) {
            Ok(()) => Some(Self(at.to_owned())),
            Err(error) => {
                println!("left out: only root may mount ({error})");
                None
            }
        }
    }

    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut size = 12 * 1024 * 1024;
        let mut file = fs::File::create(&path).unwrap();
        while size > 0 {
            if std::io::Write::write_all(&mut file, &vec![0; size]).is_err() {
                size /= 2;
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_stops_writes_and_nothing_else() {
    let directory =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&directory.path().join("disk")) else { return };
    let installation = Setting::new().in_directory(disk.0.join("data")).start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "goes on");
    let processes = installation.game_of(&game.id);
    let filler = disk.fill();
    let mut acknowledged = Vec::new();
    // The store may have some room of its own left; what it acknowledges counts.
    let answer = wait_for("the first write that is refused", PATIENCE, || {
        let name = fresh_key();
        let answer = admin.post("/api/v1/nodes", &json!({"name": name}));
        if answer.status == 201 {
            acknowledged.push(name);
            return None;
        }
        Some(answer)
    });
    assert!(matches!(answer.status, 503 | 507), "{}: {}", answer.status, answer.text());
    assert!(matches!(answer.problem().as_str(), "disk-full" | "store-unavailable"), "{}", answer.text());
    for _ in 0..10 {
        assert_eq!(admin.get("/api/v1/session").status, 200);
        assert_eq!(admin.get("/api/v1/servers").status, 200);
    }
    installation.admin();
    assert_eq!(installation.game_of(&game.id), processes, "the game goes on");
    fs::remove_file(filler).unwrap();
    let began = Instant::now();
    wait_for("writes after space was freed", PATIENCE, || {
        let name = fresh_key();
        let done = admin.post("/api/v1/nodes", &json!({"name": name})).status == 201;
        done.then(|| acknowledged.push(name))
    });
    figure("space freed to the first write", began.elapsed());
    // Either API server answers; the other one has heard of the last write a moment later.
    wait_for("all that was acknowledged", PATIENCE, || {
        let names: Vec<String> =
            admin.list("/api/v1/nodes").iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect();
        acknowledged.iter().all(|name| names.contains(name)).then_some(())
    });
    assert_eq!(installation.game_of(&game.id), processes);
    drop(installation);
}

#[test]
fn a_damaged_store_is_reported_and_left_alone() {
    let mut installation = Installation::start();
    installation.interrupt();
    let directory = installation.data_dir().join("store");
    let store = directory.join("store.db");
    for (what, damage) in [("nonsense", vec![0x5a; 64 * 1024]), ("nothing", Vec::new())] {
        // Of processes that end at the same instant each may leave the log to the other; and a log that is put back a
        // moment after its database is not read.
        let last = rusqlite::Connection::open(&store).unwrap();
        last.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(last);
        let good: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        for (_, path) in &good {
            fs::remove_file(path).unwrap();
        }
        fs::write(&store, &damage).unwrap();
        let log = installation.data_dir().join("logs/api-1.log");
        let seen = fs::read_to_string(&log).unwrap_or_default().len();
        installation.up();
        let report = wait_for("a report of the damage", PATIENCE, || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log[seen..].lines().find(|line| line.contains("is damaged")).map(str::to_owned)
        });
        println!("{what}: {report}");
        assert!(report.contains("store.db"), "{report}");
        let doctor = installation.cli(&["doctor", "--json"]);
        assert_eq!(doctor.status.code(), Some(7), "{}", String::from_utf8_lossy(&doctor.stdout));
        let answer = wait_for("an answer", PATIENCE, || {
            let mut request = Request::new("GET", "/api/v1/session");
            request.patience = Some(Duration::from_secs(1));
            request.send(installation.address()).ok()
        });
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(fs::read(&store).unwrap(), damage, "the damaged file is evidence, and was not touched");
        // Put back, it works again without anybody starting anything.
        for (content, path) in &good {
            fs::write(path, content).unwrap();
        }
        installation.wait_ready();
        assert_eq!(installation.admin().list("/api/v1/users").len(), 1);
        installation.interrupt();
    }
}

#[test]
fn what_cannot_be_used_is_said_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let up = |expected: &[&str]| {
        let output = cli_at(&data, &["up", "--listen", "127.0.0.1:1"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(expected.iter().all(|word| text.contains(word)), "{text}");
    };
    fs::write(&data, b"a file").unwrap();
    up(&["data"]);
    fs::remove_file(&data).unwrap();
    fs::create_dir(&data).unwrap();
    for (toml, expected) in [
        ("[http]\nlisten_port = 5\n", &["listen_port", "nodepanel.toml"][..]),
        ("[api]\nservers = 99\n", &["api.servers", "to 8"]),
        ("[http]\nlisten = \"localhost\"\n", &["listen"]),
        ("not toml", &["nodepanel.toml"]),
    ] {
        fs::write(data.join("nodepanel.toml"), toml).unwrap();
        up(expected);
    }
    fs::remove_file(data.join("nodepanel.toml")).unwrap();
    // A second keeper of the same installation is told so, and a port that somebody else has is named.
    let installation = Installation::start();
    let output = cli_at(installation.data_dir(), &["up", "--listen", &installation.address().to_string()]);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let output = cli_at(&data, &["up", "--listen", &installation.address().to_string()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains(&installation.address().to_string()), "{text}");
}
