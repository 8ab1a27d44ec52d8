//! A Minecraft player: `tests/games/bot.mjs` in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use super::{PATIENCE, wait_for};

/// A player.
pub struct Bot {
    child: Child,
    input: ChildStdin,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Bot {
    /// Joins a server.
    pub fn join(host: &str, port: u64, version: &str, username: &str) -> Self {
        let games = Path::new(env!("CARGO_MANIFEST_DIR")).join("games");
        assert!(games.join("node_modules").exists(), "run `npm ci` in {} first", games.display());
        let mut child = Command::new("node")
            .arg(games.join("bot.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let shared = events.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                shared.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let mut bot = Self { child, input, events };
        bot.tell(&json!({"do": "connect", "host": host, "port": port, "version": version, "username": username}));
        bot.wait("joined", |_| true);
        bot
    }

    fn tell(&mut self, command: &Value) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// Says something in the game.
    pub fn chat(&mut self, text: &str) {
        self.tell(&json!({"do": "chat", "text": text}));
    }

    /// Waits for an event.
    #[track_caller]
    pub fn wait(&self, event: &str, test: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("the player's event {event}"), PATIENCE, || {
            let events = self.events.lock().unwrap();
            if event != "end" {
                assert!(!events.iter().any(|seen| seen["event"] == "end"), "the player was thrown out: {events:?}");
            }
            events.iter().find(|seen| seen["event"] == event && test(seen)).cloned()
        })
    }

    /// What ended the connection, if it ended.
    pub fn end(&self) -> Option<Value> {
        let events = self.events.lock().unwrap();
        events.iter().find(|seen| ["end", "kicked", "error"].iter().any(|bad| seen["event"] == **bad)).cloned()
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
