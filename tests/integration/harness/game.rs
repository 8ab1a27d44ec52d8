//! Game servers: making them, leading them, and waiting for what they do.

use serde_json::{Value, json};

use super::{Answer, Client, PATIENCE, wait_for};

/// A game server that costs nothing: says `ready` and repeats what is typed. `stop` and `crash CODE` end it, `deaf`
/// makes it ignore everything but SIGKILL.
pub const ECHO: &str = r#"sh -c 'echo ready; while read -r line; do case $line in stop) exit 0;; crash*) exit ${line#crash };; deaf) trap "" TERM INT; echo deaf; while :; do read -r line; done;; esac; echo "> $line"; done'"#;

/// A game server and who leads it.
#[derive(Debug, Clone)]
pub struct Game {
    pub client: Client,
    pub id: String,
}

impl Game {
    /// The body that makes an `ECHO` server.
    pub fn echo_body(client: &Client, name: &str) -> Value {
        let template = template(client, "any-command");
        let variables = json!({"COMMAND": ECHO, "READY_TEXT": "ready", "STOP_COMMAND": "stop"});
        json!({"name": name, "template": template, "variables": variables})
    }

    /// A new `ECHO` server, running.
    pub fn start_echo(client: &Client, name: &str) -> Self {
        let mut body = Self::echo_body(client, name);
        body["start"] = json!(true);
        let game = Self::create(client, &body);
        game.wait_state("running");
        game
    }

    /// A new server.
    #[track_caller]
    pub fn create(client: &Client, body: &Value) -> Self {
        let created = client.post("/api/v1/servers", body).expect(201);
        Self { client: client.clone(), id: created["id"].as_str().unwrap().to_owned() }
    }

    /// A path below this server's.
    pub fn path(&self, below: &str) -> String {
        format!("/api/v1/servers/{}{below}", self.id)
    }

    /// The server as the API shows it.
    #[track_caller]
    pub fn view(&self) -> Value {
        self.client.get(&self.path("")).expect(200)
    }

    /// Asks for a power action.
    pub fn ask(&self, action: &str) -> Answer {
        self.client.post(&self.path("/power"), &json!({"action": action}))
    }

    /// Asks for a power action that must be possible.
    #[track_caller]
    pub fn power(&self, action: &str) {
        self.ask(action).expect(202);
    }

    /// Types a line.
    #[track_caller]
    pub fn type_line(&self, line: &str) {
        self.client.post(&self.path("/command"), &json!({"line": line})).expect(200);
    }

    /// Waits for a state.
    #[track_caller]
    pub fn wait_state(&self, state: &str) -> Value {
        self.wait(&format!("state {state}"), |view| view["state"] == state)
    }

    /// Waits until the server is as `test` wants it.
    #[track_caller]
    pub fn wait(&self, what: &str, test: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_for(what, PATIENCE, || {
            let view = self.view();
            let so = test(&view);
            if last["state"] != view["state"] {
                println!("{}: {} {}", view["name"], view["state"], view["reason"]);
            }
            last = view;
            so.then(|| last.clone())
        })
    }

    /// All console lines as the API lists them: number, kind and text.
    pub fn lines(&self) -> Vec<(u64, String, String)> {
        let answer = self.client.get(&self.path("/console/lines?after=0")).expect(200);
        let frames = answer["frames"].as_array().unwrap();
        let line = |frame: &Value| {
            Some((frame["n"].as_u64()?, frame["k"].as_str()?.to_owned(), frame["s"].as_str()?.to_owned()))
        };
        frames.iter().filter_map(line).collect()
    }

    /// Waits for a console line that contains this text.
    #[track_caller]
    pub fn wait_line(&self, text: &str) -> u64 {
        wait_for(&format!("the line “{text}”"), PATIENCE, || {
            self.lines().into_iter().find(|(_, _, line)| line.contains(text)).map(|(number, _, _)| number)
        })
    }

    /// Deletes it and waits until it is gone.
    #[track_caller]
    pub fn delete(&self) {
        self.client.delete(&self.path("")).expect(202);
        wait_for("the server to be gone", PATIENCE, || (self.client.get(&self.path("")).status == 404).then_some(()));
    }
}

/// The id of a template.
#[track_caller]
pub fn template(client: &Client, slug: &str) -> Value {
    let templates = client.list("/api/v1/templates");
    templates.iter().find(|template| template["slug"] == slug).unwrap()["id"].clone()
}
