//! Every route of the API with what it takes to use it: the table that the tests of all routes are generated from.
//!
//! A route of the OpenAPI document that is missing here fails a test, so that nobody can add one without its cases.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Client, Game, Installation};

/// What a person needs who is neither administrator nor owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: also those who are not signed in.
    Nothing,
    /// To be signed in.
    SignIn,
    /// To own the thing: for others it does not exist.
    Ownership,
    /// To be an administrator: others are told so.
    Administration,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub needs: Needs,
    /// A body that is valid; empty for routes without one.
    pub body: &'static str,
}

const fn route(method: &'static str, path: &'static str, needs: Needs, body: &'static str) -> Route {
    Route { method, path, needs, body }
}

use Needs::{Administration, Nothing, Ownership, SignIn};

/// All of them. `TEMPLATE` in a body stands for the id of the template “any command”.
pub const ROUTES: &[Route] = &[
    route("GET", "/api/v1/components", Administration, ""),
    route("GET", "/api/v1/components/history", Administration, ""),
    route("GET", "/api/v1/events", SignIn, ""),
    route("GET", "/api/v1/keys", SignIn, ""),
    route("POST", "/api/v1/keys", SignIn, r#"{"name":"a key"}"#),
    route("DELETE", "/api/v1/keys/{id}", Ownership, ""),
    route("GET", "/api/v1/nodes", Administration, ""),
    route("POST", "/api/v1/nodes", Administration, r#"{"name":"fra-1"}"#),
    route("GET", "/api/v1/nodes/{id}", Administration, ""),
    route("PATCH", "/api/v1/nodes/{id}", Administration, r#"{"name":"fra-2"}"#),
    route("DELETE", "/api/v1/nodes/{id}", Administration, ""),
    route("GET", "/api/v1/nodes/{id}/allocations", Administration, ""),
    route("POST", "/api/v1/nodes/{id}/allocations", Administration, r#"{"address":"127.0.0.1","ports":"30000-30010"}"#),
    route("DELETE", "/api/v1/nodes/{id}/allocations?address=127.0.0.1&ports=30000", Administration, ""),
    route("POST", "/api/v1/nodes/{id}/join-token", Administration, ""),
    route("GET", "/api/v1/nodes/{id}/activity", Administration, ""),
    route("GET", "/api/v1/overview", Administration, ""),
    route("GET", "/api/v1/servers", SignIn, ""),
    route(
        "POST",
        "/api/v1/servers",
        Administration,
        r#"{"name":"a server","template":"TEMPLATE","variables":{"COMMAND":"cat"},"limits":{"memory_mib":64},"ports":{},"start":false}"#,
    ),
    route("GET", "/api/v1/servers/{id}", Ownership, ""),
    route("PATCH", "/api/v1/servers/{id}", Ownership, r#"{"name":"another name","variables":{"COMMAND":"cat"}}"#),
    route("DELETE", "/api/v1/servers/{id}", Ownership, ""),
    route("GET", "/api/v1/servers/{id}/activity", Ownership, ""),
    route("POST", "/api/v1/servers/{id}/command", Ownership, r#"{"line":"hello"}"#),
    route("GET", "/api/v1/servers/{id}/console", Ownership, ""),
    route("GET", "/api/v1/servers/{id}/console/lines", Ownership, ""),
    route("POST", "/api/v1/servers/{id}/install", Ownership, ""),
    route("GET", "/api/v1/servers/{id}/install/console", Ownership, ""),
    route("GET", "/api/v1/servers/{id}/install/log", Ownership, ""),
    route("POST", "/api/v1/servers/{id}/power", Ownership, r#"{"action":"stop"}"#),
    route("GET", "/api/v1/servers/{id}/stats?window=hour", Ownership, ""),
    route("GET", "/api/v1/session", SignIn, ""),
    route("POST", "/api/v1/session", Nothing, r#"{"email":"nobody@example.org","password":"wrong-password"}"#),
    route("DELETE", "/api/v1/session", SignIn, ""),
    route("POST", "/api/v1/session/password", SignIn, r#"{"current":"wrong-password","new":"another-battery"}"#),
    route("GET", "/api/v1/setup", Nothing, ""),
    route(
        "POST",
        "/api/v1/setup",
        Nothing,
        r#"{"token":"no-such-token","email":"first@example.org","password":"correct-horse-battery"}"#,
    ),
    route("GET", "/api/v1/templates", SignIn, ""),
    route("POST", "/api/v1/templates", Administration, r#"{"source":"format = 1"}"#),
    route("GET", "/api/v1/templates/{id}", SignIn, ""),
    route("PUT", "/api/v1/templates/{id}", Administration, r#"{"source":"format = 1"}"#),
    route("DELETE", "/api/v1/templates/{id}", Administration, ""),
    route("GET", "/api/v1/users", Administration, ""),
    route("POST", "/api/v1/users", Administration, r#"{"email":"new@example.org","password":"correct-horse-battery"}"#),
    route("GET", "/api/v1/users/{id}", Administration, ""),
    route("PATCH", "/api/v1/users/{id}", Administration, r#"{"email":"changed@example.org"}"#),
    route("DELETE", "/api/v1/users/{id}", Administration, ""),
    route("POST", "/api/v1/users/{id}/keys", Administration, r#"{"name":"a key"}"#),
];

impl Route {
    /// Whether it changes something.
    pub fn writes(self) -> bool {
        self.method != "GET"
    }

    /// The path without a query.
    pub fn pattern(self) -> &'static str {
        self.path.split('?').next().unwrap()
    }
}

/// Things of the administrator that routes can name.
pub struct Things {
    pub server: Game,
    node: String,
    user: String,
    key: String,
    template: String,
}

impl Things {
    /// A server that runs, and one of everything else.
    pub fn of(admin: &Client) -> Self {
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let key = admin.post("/api/v1/keys", &json!({"name": "the administrator's"})).expect(201);
        let templates = admin.list("/api/v1/templates");
        Self {
            server: Game::start_echo(admin, "the administrator's"),
            node: id(&admin.list("/api/v1/nodes")[0]),
            user: admin.id(),
            key: id(&key["key"]),
            template: id(templates.iter().find(|template| template["slug"] == "any-command").unwrap()),
        }
    }

    /// The route's path with the id of an existing thing.
    pub fn path(&self, route: Route) -> String {
        let id = match route.path.split('/').nth(3).unwrap() {
            "servers" => &self.server.id,
            "nodes" => &self.node,
            "users" => &self.user,
            "keys" => &self.key,
            _ => &self.template,
        };
        route.path.replace("{id}", id)
    }

    /// The route's body.
    pub fn body(&self, route: Route) -> Option<Value> {
        let text = route.body.replace("TEMPLATE", &self.template);
        (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }
}

/// What there is, to compare it with later: whatever a refused request changed shows here.
pub fn inventory(admin: &Client) -> Value {
    let shown = |path: &str, members: &[&str]| -> Vec<Value> {
        let of = |item: &Value| members.iter().map(|member| item[member].clone()).collect::<Value>();
        admin.list(path).iter().map(of).collect()
    };
    json!({
        "servers": shown("/api/v1/servers", &["id", "name", "generation", "deleting", "wants_running", "owner"]),
        "nodes": shown("/api/v1/nodes", &["id", "name", "ports", "ports_used"]),
        "users": shown("/api/v1/users", &["id", "email", "role"]),
        "keys": shown("/api/v1/keys", &["id", "name"]),
        "templates": shown("/api/v1/templates", &["id", "slug", "version"]),
    })
}

#[test]
fn every_route_of_the_document_has_its_case() {
    let installation = Installation::start();
    let document = installation.anyone().get("/api/v1/openapi.json").expect(200);
    let methods = |path: &str, operations: &Value| -> Vec<(String, String)> {
        operations.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.to_owned())).collect()
    };
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| methods(path, operations))
        .collect();
    let known: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.pattern().to_owned())).collect();
    assert_eq!(known.len(), ROUTES.len(), "a route is in the table twice");
    let missing: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty(), "add these to ROUTES: {missing:?}");
    let gone: Vec<_> = known.difference(&documented).collect();
    assert!(gone.is_empty(), "these are in ROUTES and not in the document: {gone:?}");
}
