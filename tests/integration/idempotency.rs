//! A write that is repeated happens once, whoever answers and whoever was killed in between.

use std::{collections::BTreeSet, thread};

use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, Client, Game, Installation, PASSWORD, fresh_key};

#[test]
fn a_repeated_write_is_answered_like_the_first() {
    let installation = Installation::start();
    let admin = installation.admin();
    let key = fresh_key();
    let body = json!({"name": "fra-1"});
    let first = admin.keyed("POST", "/api/v1/nodes", &body, &key).expect(201);
    // Requests reach the API servers in turn, so some of these are answered by the other one.
    for _ in 0..12 {
        assert_eq!(admin.keyed("POST", "/api/v1/nodes", &body, &key).expect(201), first);
    }
    for name in ["api-1", "api-2"] {
        installation.kill9_and_wait(name);
    }
    assert_eq!(admin.keyed("POST", "/api/v1/nodes", &body, &key).expect(201), first);
    let other = admin.keyed("POST", "/api/v1/nodes", &json!({"name": "fra-2"}), &key);
    assert_eq!((other.status, other.problem().as_str()), (422, "key-reused"));
    // The key belongs to its owner: another person may use the same.
    let id = admin.post(
        "/api/v1/users",
        &json!({"email": "b@example.org", "password": crate::harness::PASSWORD, "role": "administrator"}),
    );
    id.expect(201);
    let second = installation.anyone().sign_in("b@example.org", crate::harness::PASSWORD);
    let theirs = second.keyed("POST", "/api/v1/nodes", &json!({"name": "fra-3"}), &key).expect(201);
    assert_ne!(theirs["id"], first["id"]);
    // This host, fra-1 and fra-3, whichever API server answers.
    assert_eq!(admin.list("/api/v1/nodes").len(), 3);
}

fn all_at_once(client: &Client, requests: &[(Value, String)]) -> Vec<Answer> {
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .map(|(body, key)| scope.spawn(|| client.keyed("POST", "/api/v1/servers", body, key)))
            .collect();
        sent.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn fifty_creates_with_one_key_make_one_server() {
    let installation = Installation::start();
    let admin = installation.admin();
    let body = Game::echo_body(&admin, "once");
    let key = fresh_key();
    let answers = all_at_once(&admin, &vec![(body.clone(), key.clone()); 50]);
    let mut ids = BTreeSet::new();
    for answer in &answers {
        if answer.status == 201 {
            ids.insert(answer.json()["id"].to_string());
        } else {
            assert_eq!(answer.problem(), "key-in-progress");
        }
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(admin.list("/api/v1/servers").len(), 1);
    let again = admin.keyed("POST", "/api/v1/servers", &body, &key).expect(201);
    assert!(ids.contains(&again["id"].to_string()));
}

#[test]
fn as_many_servers_as_there_are_ports() {
    const FREE: usize = 7;
    let installation = Installation::start();
    let admin = installation.admin();
    let node = admin.list("/api/v1/nodes")[0]["id"].as_str().unwrap().to_owned();
    let address =
        admin.get(&format!("/api/v1/nodes/{node}/allocations?limit=1")).expect(200)["items"][0]["address"].clone();
    let address = address.as_str().unwrap();
    let taken = format!("/api/v1/nodes/{node}/allocations?address={address}&ports={}-25664", 25565 + FREE);
    admin.delete(&taken).expect(204);
    let requests: Vec<_> = (0..30).map(|n| (Game::echo_body(&admin, &format!("server {n}")), fresh_key())).collect();
    let answers = all_at_once(&admin, &requests);
    let mut ports = BTreeSet::new();
    for answer in &answers {
        if answer.status == 201 {
            assert!(ports.insert(answer.json()["endpoints"][0]["port"].as_u64().unwrap()), "a port was given twice");
        } else {
            answer.problem();
            assert!(matches!(answer.status, 409 | 422), "{}", answer.text());
            assert!(answer.text().contains("port"), "{}", answer.text());
        }
    }
    assert_eq!(ports.len(), FREE, "{ports:?}");
    assert_eq!(admin.list("/api/v1/servers").len(), FREE);
    assert_eq!(admin.list("/api/v1/nodes")[0]["ports_used"], FREE);
}

#[test]
fn a_refusal_is_repeated_although_its_reason_is_gone() {
    let installation = Installation::start();
    let admin = installation.admin();
    let (body, key) = (json!({"name": "fra-1"}), fresh_key());
    let first = admin.post("/api/v1/nodes", &body).expect(201);
    let refused = || {
        let answer = admin.keyed("POST", "/api/v1/nodes", &body, &key);
        (answer.status, answer.problem())
    };
    assert_eq!(refused(), (409, "exists".to_owned()));
    admin.delete(&format!("/api/v1/nodes/{}", first["id"].as_str().unwrap())).expect(204);
    // Requests reach the API servers in turn.
    for _ in 0..6 {
        assert_eq!(refused(), (409, "exists".to_owned()));
    }
    admin.post("/api/v1/nodes", &body).expect(201);
    let other = admin.keyed("POST", "/api/v1/nodes", &json!({"name": "fra-2"}), &key);
    assert_eq!((other.status, other.problem().as_str()), (422, "key-reused"));
}

#[test]
fn a_refused_line_and_a_refused_password_stay_refused_under_their_keys() {
    const NEXT: &str = "another-battery-another-horse";
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "quiet");
    game.power("stop");
    game.wait_state("stopped");
    let (line, key) = (json!({"line": "nobody reads this"}), fresh_key());
    let type_it = || {
        let answer = admin.keyed("POST", &game.path("/command"), &line, &key);
        (answer.status, answer.problem())
    };
    assert_eq!(type_it(), (409, "node-refused".to_owned()));
    game.power("start");
    game.wait_state("running");
    for _ in 0..4 {
        assert_eq!(type_it(), (409, "node-refused".to_owned()));
    }
    game.type_line("but this");
    game.wait_line("> but this");
    assert!(!game.lines().iter().any(|(_, _, text)| text.contains("nobody reads this")));

    // The second would be right after the first was done, and was told before that it is not.
    let (early, key) = (json!({"current": NEXT, "new": "never-to-be-a-password"}), fresh_key());
    let refused = |client: &Client| {
        let answer = client.keyed("POST", "/api/v1/session/password", &early, &key);
        (answer.status, answer.problem())
    };
    assert_eq!(refused(&admin), (422, "invalid".to_owned()));
    let change = json!({"current": PASSWORD, "new": NEXT});
    admin.keyed("POST", "/api/v1/session/password", &change, &fresh_key()).expect(200);
    let again = installation.anyone().sign_in(ADMIN, NEXT);
    for _ in 0..4 {
        assert_eq!(refused(&again), (422, "invalid".to_owned()));
    }
    installation.anyone().sign_in(ADMIN, NEXT);
    let kept = std::fs::read(installation.data_dir().join("store/store.db-wal")).unwrap_or_default();
    for secret in [PASSWORD, NEXT, "never-to-be-a-password"] {
        assert!(!kept.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "the store holds a password");
    }
}
