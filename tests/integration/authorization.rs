//! Who may do what, tried on every route: nobody, strangers, forged and misused proofs, other sites.

use serde_json::json;

use crate::{
    harness::{ADMIN, Answer, Client, Credential, Events, Game, Installation, PASSWORD, Request, cli_at, fresh_key},
    routes::{Needs, ROUTES, Route, Things, inventory},
};

/// Sends a route's valid request.
fn try_route(client: &Client, things: &Things, route: Route, more: &[(&str, &str)]) -> Answer {
    let mut request = Request::new(route.method, things.path(route));
    if route.writes() {
        request = request.header("Idempotency-Key", fresh_key());
    }
    if let Some(body) = things.body(route) {
        request = request.json(&body);
    }
    if route.path.ends_with("/console") {
        request = as_websocket(request);
    }
    for (name, value) in more {
        request = request.header(name, *value);
    }
    client.once(&request).unwrap()
}

fn as_websocket(request: Request) -> Request {
    let request = request.header("Upgrade", "websocket").header("Connection", "upgrade");
    request.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
}

#[test]
fn every_route_refuses_who_may_not_use_it() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let stranger = admin.new_user("stranger@example.org");
    let before = inventory(&admin);
    let anyone = installation.anyone();

    let mut tried = 0;
    for route in ROUTES.iter().copied().filter(|route| route.needs != Needs::Nothing) {
        let what = format!("{} {}", route.method, route.path);
        let answer = try_route(&anyone, &things, route, &[]);
        assert_eq!((answer.status, answer.problem().as_str()), (401, "sign-in-required"), "{what}");
        let expected = match route.needs {
            Needs::Ownership => Some((404, "not-found")),
            Needs::Administration => Some((403, "forbidden")),
            Needs::Nothing | Needs::SignIn => None,
        };
        for client in [&stranger, &stranger.new_key()] {
            let Some(expected) = expected else { continue };
            let answer = try_route(client, &things, route, &[]);
            assert_eq!((answer.status, answer.problem().as_str()), expected, "{what}: {}", answer.text());
        }
        tried += 1;
    }
    println!("{tried} routes");
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
    // A stranger sees nothing of others in lists, and nothing of them in events.
    assert!(stranger.list("/api/v1/servers").is_empty());
    let events = Events::open(&stranger);
    events.wait("hello");
    things.server.type_line("secret words");
    things.server.wait_line("> secret words");
    for kind in ["server", "stats", "node"] {
        assert_eq!(events.count(kind), 0, "{kind}");
    }
}

#[test]
fn every_route_refuses_forged_and_misused_proofs() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let cookie = admin.cookie().to_owned();
    let mut forged = cookie.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();

    let key = admin.new_key();
    let leaver = admin.new_user("leaver@example.org");
    let (leaver_id, leaver_key) = (leaver.id(), leaver.new_key());
    admin.delete(&format!("/api/v1/users/{leaver_id}")).expect(204);
    let node = admin.post("/api/v1/nodes", &json!({"name": "other"})).expect(201);
    let join = admin.post(&format!("/api/v1/nodes/{}/join-token", node["id"].as_str().unwrap()), &json!(null));
    let join = join.expect(201)["token"].as_str().unwrap().to_owned();
    let key_text = match &key.credential {
        Credential::Bearer(token) => token.clone(),
        other => panic!("{other:?}"),
    };
    let mut other_key = key_text.clone();
    other_key.pop();
    other_key.push(if key_text.ends_with('A') { 'B' } else { 'A' });

    let ended = [
        ("a forged cookie", forged.as_str()),
        ("nonsense", "nonsense"),
        ("a key as cookie", &key_text),
        ("a join token as cookie", &join),
    ];
    let bad = [
        ("nonsense", "nonsense"),
        ("a cookie as key", cookie.as_str()),
        ("a join token as key", &join),
        ("an altered key", &other_key),
        ("a host token of another installation", "nph_1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ];
    let before = inventory(&admin);
    for route in ROUTES.iter().copied().filter(|route| route.needs != Needs::Nothing) {
        let what = format!("{} {}", route.method, route.path);
        for (name, value) in ended {
            let answer = try_route(&admin.with_cookie(value), &things, route, &[]);
            assert_eq!((answer.status, answer.problem().as_str()), (401, "session-ended"), "{what} with {name}");
        }
        for (name, value) in bad {
            let answer = try_route(&admin.with_key(value), &things, route, &[]);
            assert_eq!((answer.status, answer.problem().as_str()), (401, "bad-api-key"), "{what} with {name}");
        }
        let answer = try_route(&leaver_key, &things, route, &[]);
        assert_eq!((answer.status, answer.problem().as_str()), (401, "bad-api-key"), "{what} by who was deleted");
        let answer = try_route(&leaver, &things, route, &[]);
        assert_eq!((answer.status, answer.problem().as_str()), (401, "session-ended"), "{what} by who was deleted");
    }
    // Proofs of other kinds make no administrator either.
    for token in [join.as_str(), &key_text, &cookie] {
        let body = json!({"token": token, "email": "x@example.org", "password": PASSWORD});
        assert_eq!(installation.anyone().post("/api/v1/setup", &body).problem(), "setup-closed");
    }
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
}

#[test]
fn every_change_refuses_other_sites() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let before = inventory(&admin);
    let foreign: [&[(&str, &str)]; 4] = [
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
    ];
    for route in ROUTES.iter().copied().filter(|route| route.writes()) {
        for headers in foreign {
            let answer = try_route(&admin, &things, route, headers);
            let found = (answer.status, answer.problem());
            assert_eq!(found, (403, "cross-site".to_owned()), "{} {} {headers:?}", route.method, route.path);
        }
    }
    for path in ["/console", "/install/console"] {
        let mut request = Request::new("GET", things.server.path(path));
        request = as_websocket(request).header("Origin", "https://evil.example");
        assert_eq!(admin.once(&request).unwrap().problem(), "cross-site", "{path}");
    }
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
    assert_eq!(admin.get("/api/v1/session").status, 200, "and nobody was signed out");
}

#[test]
fn what_belongs_to_one_server_is_not_found_below_another() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let owner = admin.new_user("owner@example.org");
    let mut body = Game::echo_body(&admin, "the owner's");
    body["owner"] = json!(owner.id());
    let own = Game::create(&admin, &body);
    let view = owner.get(&own.path("")).expect(200);
    assert_eq!(view["owner"]["email"], "owner@example.org");
    // An owner leads the own server, and changes neither its limits nor its owner.
    own.wait_state("stopped");
    owner.post(&own.path("/power"), &json!({"action": "start"})).expect(202);
    own.wait_state("running");
    owner.write("PATCH", &own.path(""), &json!({"name": "renamed"})).expect(200);
    for change in [json!({"limits": {"memory_mib": 4096}}), json!({"owner": admin.id()})] {
        assert_eq!(owner.write("PATCH", &own.path(""), &change).problem(), "forbidden", "{change}");
    }
    assert_eq!(owner.get(&things.server.path("")).problem(), "not-found");
    // The same words for what does not exist and for what must not be known of.
    let absent = "/api/v1/servers/0190b5c8-7c4e-7000-8000-0000deadbeef";
    let (mut hidden, mut missing) = (owner.get(&things.server.path("")).json(), owner.get(absent).json());
    for problem in [&mut hidden, &mut missing] {
        problem["request_id"] = json!(null);
        problem["detail"] = json!(null);
    }
    assert_eq!(hidden, missing);
}

#[test]
fn the_hosts_own_right_needs_the_hosts_key() {
    let installation = Installation::start();
    let stranger = tempfile::tempdir().unwrap();
    let output = cli_at(stranger.path(), &["server", "list"]);
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    let url = format!("http://{}", installation.address());
    let output = cli_at(stranger.path(), &["--url", &url, "--token", "nonsense", "server", "list"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let token = installation.cli_json(&["token", "create", "--user", ADMIN, "--json"]);
    let output = cli_at(
        stranger.path(),
        &["--url", &url, "--token", token["token"].as_str().unwrap(), "server", "list", "--json"],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The key file is the host's own.
    let key = std::fs::metadata(installation.data_dir().join("secret.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o077, 0);
}
