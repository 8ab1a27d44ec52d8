//! What is wrong is refused with the name of the field, and changes nothing. Generated over all routes that write.

use serde_json::{Map, Value, json};

use crate::{
    harness::{Answer, Client, Game, Installation, Request, fresh_key},
    routes::{ROUTES, Route, Things, inventory},
};

/// A refusal of the client's mistake, never a failure of ours.
#[track_caller]
fn refused(answer: &Answer, what: &str) -> String {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    answer.problem()
}

fn write(client: &Client, things: &Things, route: Route, content_type: &str, body: &[u8]) -> Answer {
    let request = Request::new(route.method, things.path(route)).header("Idempotency-Key", fresh_key());
    client.once(&request.bytes(content_type, body)).unwrap()
}

#[test]
fn every_write_refuses_what_is_no_proper_json() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let before = inventory(&admin);
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for route in ROUTES.iter().copied().filter(|route| route.writes()) {
        let what = format!("{} {}", route.method, route.path);
        let json = "application/json";
        for (name, content_type, body, code) in [
            ("half an object", json, &b"{\"name\":"[..], ""),
            ("invalid UTF-8", json, &b"{\"name\":\"\xc3\x28\"}"[..], ""),
            ("two values", json, &b"{} {}"[..], ""),
            ("text", "text/plain", &b"name=x"[..], "unsupported-media-type"),
            ("a form", "application/x-www-form-urlencoded", &b"name=x"[..], "unsupported-media-type"),
            ("10 MB", json, huge.as_bytes(), "too-large"),
            ("deep nesting", json, &"[".repeat(100_000).into_bytes()[..], ""),
            ("a number", json, &b"5"[..], "invalid"),
            ("a list", json, &b"[1,2]"[..], "invalid"),
        ] {
            let answer = write(&admin, &things, route, content_type, body);
            let found = refused(&answer, &format!("{what}: {name}"));
            // Without a body to read, any body is as wrong as another.
            let told_apart = !code.is_empty() && (things.body(route).is_some() || matches!(answer.status, 413 | 415));
            assert!(!told_apart || found == code, "{what}: {name} is {found}");
        }
        if things.body(route).is_some() {
            let request = Request::new(route.method, things.path(route)).header("Idempotency-Key", fresh_key());
            refused(&admin.once(&request).unwrap(), &format!("{what}: no body"));
        }
        for key in ["has space", "", "semi;colon", &"x".repeat(200)] {
            let mut request = Request::new(route.method, things.path(route)).header("Idempotency-Key", key);
            if let Some(body) = things.body(route) {
                request = request.json(&body);
            }
            // Signing in and setting up take no key.
            if ["/api/v1/session", "/api/v1/setup"].contains(&route.path) && route.method == "POST" {
                continue;
            }
            let answer = admin.once(&request).unwrap();
            refused(&answer, &format!("{what}: key “{key}”"));
            assert_eq!(answer.fields(), ["Idempotency-Key"], "{what}: {}", answer.text());
        }
    }
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
}

#[test]
fn every_write_names_the_field_that_is_wrong() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let before = inventory(&admin);
    let mut tried = 0;
    for route in ROUTES.iter().copied().filter(|route| route.writes()) {
        let Some(body) = things.body(route) else { continue };
        let what = format!("{} {}", route.method, route.path);
        let body = body.as_object().unwrap().clone();
        let mut unknown = body.clone();
        unknown.insert("surprise".to_owned(), json!(1));
        let answer = write(&admin, &things, route, "application/json", Value::from(unknown).to_string().as_bytes());
        assert_eq!(refused(&answer, &what), "invalid", "{what}: {}", answer.text());
        assert!(answer.text().contains("surprise"), "{what}: {}", answer.text());
        for field in body.keys() {
            for wrong in wrong_types(&body[field]) {
                let mut changed: Map<String, Value> = body.clone();
                changed.insert(field.clone(), wrong.clone());
                let answer =
                    write(&admin, &things, route, "application/json", Value::from(changed).to_string().as_bytes());
                assert_eq!(refused(&answer, &what), "invalid", "{what} {field}={wrong}: {}", answer.text());
                let named = answer.fields().iter().any(|named| named.split(['.', '[']).next() == Some(field));
                assert!(named, "{what} {field}={wrong}: {}", answer.text());
                tried += 1;
            }
        }
    }
    println!("{tried} wrong fields");
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
}

fn wrong_types(right: &Value) -> Vec<Value> {
    let all = [json!(5), json!(-1), json!(1e300), json!({"a": 1}), json!([[]]), json!("no")];
    all.into_iter().filter(|wrong| std::mem::discriminant(wrong) != std::mem::discriminant(right)).collect()
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let server = &things.server;
    let taken = server.view()["endpoints"][0]["port"].clone();
    let before = inventory(&admin);
    let base = Game::echo_body(&admin, "fine");
    let with = |field: &str, value: Value| {
        let mut body = base.clone();
        body[field] = value;
        body
    };
    let long = "x".repeat(5_000);
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("a\u{0}b")),
        ("name", json!("two\nlines")),
        ("name", json!("\u{202e}drawkcab")),
        ("name", json!("x".repeat(65))),
        ("template", json!("../../etc")),
        ("template", json!("0190b5c8-7c4e-7000-8000-0000deadbeef")),
        ("node", json!("0190b5c8-7c4e-7000-8000-0000deadbeef")),
        ("owner", json!("0190b5c8-7c4e-7000-8000-0000deadbeef")),
        ("limits.memory_mib", json!({"memory_mib": -5})),
        ("limits.memory_mib", json!({"memory_mib": 0})),
        ("limits.memory_mib", json!({"memory_mib": 4_294_967_296_u64})),
        ("limits.cpu_percent", json!({"cpu_percent": 0})),
        ("limits.cpu_percent", json!({"cpu_percent": 1.5})),
        ("limits.pids", json!({"pids": 1})),
        ("limits.disk_mib", json!({"disk_mib": 0})),
        ("limits", json!({"memory": 5})),
        ("variables.COMMAND", json!({"COMMAND": ""})),
        ("variables.COMMAND", json!({"COMMAND": long})),
        ("variables.COMMAND", json!({"COMMAND": "sh -c 'unfinished"})),
        ("variables.COMMAND", json!({"COMMAND": "echo {{config.token}}"})),
        ("variables.COMMAND", json!({"COMMAND": "echo\u{0}"})),
        ("variables.NO_SUCH", json!({"COMMAND": "cat", "NO_SUCH": "x"})),
        ("ports.game", json!({"game": taken})),
        ("ports.game", json!({"game": 80})),
        ("ports.game", json!({"game": 0})),
        ("ports.game", json!({"game": 70_000})),
        ("ports.game", json!({"game": -1})),
        ("ports.other", json!({"other": 25_600})),
        ("address", json!("not-an-address")),
    ] {
        let member = field.split('.').next().unwrap();
        let answer = admin.post("/api/v1/servers", &with(member, value.clone()));
        let code = refused(&answer, &format!("{field} {value}"));
        let named = answer.fields().iter().any(|named| named.starts_with(field));
        let in_use = code == "in-use" || code == "exists";
        assert!(named || in_use, "{field} {value}: {}", answer.text());
    }
    let elsewhere = admin.post("/api/v1/servers", &with("address", json!("192.0.2.1")));
    refused(&elsewhere, "an address that the node has no ports on");
    assert!(elsewhere.text().contains("192.0.2.1"), "{}", elsewhere.text());
    let patch = |body: &Value| admin.write("PATCH", &server.path(""), body);
    for (field, body) in [
        ("name", json!({"name": "\u{7}"})),
        ("limits.pids", json!({"limits": {"pids": 0}})),
        (
            "crash.first_delay_ms",
            json!({"crash": {"first_delay_ms": 0, "max_delay_ms": 1000, "healthy_after_ms": 60_000}}),
        ),
        (
            "crash.max_delay_ms",
            json!({"crash": {"first_delay_ms": 1000, "max_delay_ms": 500, "healthy_after_ms": 60_000}}),
        ),
        ("owner", json!({"owner": "0190b5c8-7c4e-7000-8000-0000deadbeef"})),
        ("variables.NO_SUCH", json!({"variables": {"NO_SUCH": "x"}})),
    ] {
        let answer = patch(&body);
        refused(&answer, field);
        assert!(answer.fields().iter().any(|named| named == field), "{field}: {}", answer.text());
    }
    assert_eq!(patch(&json!({"name": "late", "generation": 999})).problem(), "changed");
    let commands = server.path("/command");
    for line in ["two\nlines", "\u{1b}[2J", "a\u{0}", &long] {
        let answer = admin.post(&commands, &json!({"line": line}));
        refused(&answer, line);
        assert_eq!(answer.fields(), ["line"], "{}", answer.text());
    }
    assert_eq!(admin.post(&server.path("/power"), &json!({"action": "explode"})).fields(), ["action"]);
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
}

#[test]
fn people_nodes_ports_and_templates_are_checked() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let before = inventory(&admin);
    let node = admin.list("/api/v1/nodes")[0]["id"].as_str().unwrap().to_owned();
    let password = crate::harness::PASSWORD;
    for (path, field, body) in [
        ("/api/v1/users", "email", json!({"email": "no address", "password": password})),
        ("/api/v1/users", "email", json!({"email": "a@b\u{0}.org", "password": password})),
        ("/api/v1/users", "password", json!({"email": "a@example.org", "password": "short"})),
        ("/api/v1/users", "password", json!({"email": "a@example.org", "password": "x".repeat(5_000)})),
        ("/api/v1/users", "role", json!({"email": "a@example.org", "password": password, "role": "root"})),
        ("/api/v1/keys", "name", json!({"name": "  "})),
        ("/api/v1/nodes", "name", json!({"name": "../etc"})),
        ("/api/v1/nodes", "name", json!({"name": "a/b"})),
        ("/api/v1/nodes", "name", json!({"name": "x".repeat(65)})),
        ("ports", "ports", json!({"address": "127.0.0.1", "ports": "80"})),
        ("ports", "ports", json!({"address": "127.0.0.1", "ports": "70000"})),
        ("ports", "ports", json!({"address": "127.0.0.1", "ports": "2000-1000"})),
        ("ports", "ports", json!({"address": "127.0.0.1", "ports": "-5"})),
        ("ports", "ports", json!({"address": "127.0.0.1", "ports": "1024-65535"})),
        ("ports", "address", json!({"address": "example.org", "ports": "30000"})),
        ("ports", "address", json!({"address": "127.0.0.1/8", "ports": "30000"})),
    ] {
        let path = if path == "ports" { format!("/api/v1/nodes/{node}/allocations") } else { path.to_owned() };
        let answer = admin.post(&path, &body);
        assert_eq!(refused(&answer, &path), "invalid", "{body}: {}", answer.text());
        assert!(answer.fields().iter().any(|named| named == field), "{body}: {}", answer.text());
    }
    let host = admin.list("/api/v1/nodes")[0]["name"].clone();
    assert_eq!(admin.post("/api/v1/nodes", &json!({"name": host})).problem(), "exists");
    assert_eq!(admin.delete(&format!("/api/v1/nodes/{node}")).problem(), "in-use");
    let id = admin.id();
    assert_eq!(
        admin.delete(&format!("/api/v1/users/{id}")).status,
        409,
        "owns a server, and is the only administrator"
    );
    assert_eq!(admin.write("PATCH", &format!("/api/v1/users/{id}"), &json!({"role": "user"})).problem(), "in-use");

    let template = |change: &dyn Fn(&str) -> String| {
        let list = admin.list("/api/v1/templates");
        let id =
            list.iter().find(|template| template["slug"] == "any-command").unwrap()["id"].as_str().unwrap().to_owned();
        let source = admin.get(&format!("/api/v1/templates/{id}")).expect(200)["source"].as_str().unwrap().to_owned();
        let source = source.replace("slug = \"any-command\"", "slug = \"mine\"");
        let answer = admin.post("/api/v1/templates", &json!({"source": change(&source)}));
        refused(&answer, "template");
        assert!(!answer.fields().is_empty(), "{}", answer.text());
        answer.text()
    };
    let text = template(&|source| source.replace("command_from_variable = \"COMMAND\"\n", ""));
    assert!(text.contains("command"), "a template without a start command: {text}");
    let text = template(&|source| format!("surprise = 1\n{source}"));
    assert!(text.contains("surprise"), "{text}");
    let text = template(&|source| source.replace("memory_mib = 512", "memory_mib = -512"));
    assert!(text.contains("memory_mib"), "{text}");
    let text = template(&|source| source.replace("ready = { line", "ready = { line_regex = \"(\", line"));
    assert!(text.contains("ready"), "{text}");
    template(&|_| "not [ toml".to_owned());
    template(&|source| format!("{source}\n# {}", "x".repeat(300 * 1024)));
    let text =
        template(&|source| format!("{source}\n[[launch.files]]\npath = \"../../etc/passwd\"\ncontent = \"x\"\n"));
    assert!(text.contains("path"), "{text}");
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
    drop(things);
}

#[test]
fn absurd_paths_and_ids_are_refused() {
    let installation = Installation::start();
    let admin = installation.admin();
    let things = Things::of(&admin);
    let before = inventory(&admin);
    let long = "a".repeat(8_000);
    let absurd: [&[u8]; 12] = [
        b"..",
        b"%2e%2e",
        b"%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        b"..%5c..%5cetc",
        b"%00",
        b"%ff%fe",
        b"%",
        b"0",
        b"-1",
        b"0190b5c8-7c4e-7000-8000-0000deadbeef0",
        b"%0d%0aSet-Cookie:%20x=y",
        long.as_bytes(),
    ];
    for route in ROUTES.iter().copied().filter(|route| route.path.contains("{id}")) {
        for id in absurd {
            let (before_id, after_id) = route.path.split_once("{id}").unwrap();
            let target = [before_id.as_bytes(), id, after_id.as_bytes()].concat();
            let mut request = Request::new(route.method, target).header("Idempotency-Key", fresh_key());
            if let Some(body) = things.body(route) {
                request = request.json(&body);
            }
            let what =
                format!("{} {} with {}", route.method, route.path, String::from_utf8_lossy(&id[..id.len().min(40)]));
            let answer = admin.once(&request).unwrap();
            // `..` is taken out of paths by no one here, and a path that names no route is no file either.
            refused(&answer, &what);
            assert!(answer.header("set-cookie").is_none_or(|cookie| !cookie.starts_with("x=")), "{what}");
        }
        let absent = route.path.replace("{id}", "0190b5c8-7c4e-7000-8000-0000deadbeef");
        let mut request = Request::new(route.method, absent).header("Idempotency-Key", fresh_key());
        if let Some(body) = things.body(route) {
            request = request.json(&body);
        }
        let answer = admin.once(&request).unwrap();
        refused(&answer, &format!("{} {}", route.method, route.path));
    }
    for query in ["limit=0", "limit=-1", "limit=x", "surprise=1", "after=%ff", "limit=99999999999"] {
        let answer = admin.get(&format!("/api/v1/servers?{query}"));
        assert!(matches!(answer.status, 200 | 422), "{query}: {} {}", answer.status, answer.text());
        assert!(answer.status == 200 || !answer.fields().is_empty(), "{query}: {}", answer.text());
    }
    for query in ["after=-1", "after=1&tail=2", "tail=x", "limit=x"] {
        let answer = admin.get(&things.server.path(&format!("/console/lines?{query}")));
        refused(&answer, query);
        assert!(!answer.fields().is_empty(), "{query}: {}", answer.text());
    }
    assert_eq!(admin.get("/api/v1/no/such/path").problem(), "no-such-endpoint");
    assert_eq!(admin.send(&Request::new("BREW", "/api/v1/servers")).problem(), "method-not-allowed");
    assert_eq!(inventory(&admin), before, "refused requests changed nothing");
}

#[test]
fn no_path_leads_to_a_file_of_the_host() {
    let installation = Installation::start();
    let anyone = installation.anyone();
    for target in [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/....//....//etc/passwd",
        "//etc/passwd",
        "/etc/passwd%00.js",
        "/..%5c..%5cetc%5cpasswd",
        "/api/v1/../../etc/passwd",
        "/secret.key",
        "/store/store.db",
        "/%ff%fe",
    ] {
        let answer = anyone.once(&Request::new("GET", target)).unwrap();
        assert!(answer.status < 500, "{target}: {}", answer.status);
        assert!(!answer.text().contains("root:"), "{target}");
        assert!(!answer.body.starts_with(b"SQLite"), "{target}");
    }
    // A client that dawdles or talks nonsense costs nothing but its own connection.
    let nonsense = Request::new("G\u{1}T", "/");
    let _ = anyone.once(&nonsense);
    let _ = anyone.once(&Request::new("GET", "/").header("X-Long", "x".repeat(200_000)));
    assert_eq!(anyone.get("/healthz").status, 200);
}
