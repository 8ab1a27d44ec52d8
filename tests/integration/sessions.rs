//! Signing in and out, and everything that ends a session.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{
    ADMIN, Console, Events, Game, Installation, PASSWORD, PATIENCE, Request, Setting, figure, wait_for,
};

#[test]
fn one_address_locks_out_only_itself() {
    let installation = Installation::start();
    let (bad, good) = (Ipv4Addr::new(127, 99, 0, 1), Ipv4Addr::new(127, 99, 0, 2));
    let sign_in = |from: Ipv4Addr, password: &str| {
        let body = json!({"email": ADMIN, "password": password});
        Request::new("POST", "/api/v1/session").json(&body).from(from).send(installation.address()).unwrap()
    };
    let mut refused = 0;
    // Both API servers may let a burst through before they have told each other.
    for _ in 0..40 {
        let answer = sign_in(bad, "not-the-password");
        match answer.problem().as_str() {
            "bad-credentials" => assert_eq!(answer.status, 403),
            "too-many-requests" => {
                assert_eq!(answer.status, 429);
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(refused >= 15, "only {refused} of 40 tries were refused");
    sign_in(good, PASSWORD).expect(200);
    // Whether an account exists is told to nobody.
    let answers: Vec<_> = [ADMIN, "nobody@example.org"]
        .iter()
        .map(|email| {
            let body = json!({"email": email, "password": "not-the-password"});
            let mut problem = Request::new("POST", "/api/v1/session")
                .json(&body)
                .from(good)
                .send(installation.address())
                .unwrap()
                .json();
            problem["request_id"] = json!(null);
            problem
        })
        .collect();
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn signing_out_ends_everything_of_the_session_at_once() {
    let installation = Installation::start();
    let admin = installation.admin();
    let other = installation.admin();
    let game = Game::start_echo(&other, "watched");
    let consoles: Vec<Console> = (0..4).map(|_| Console::open(&admin, &game.id)).collect();
    let events: Vec<Events> = (0..4).map(|_| Events::open(&admin)).collect();
    for console in &consoles {
        console.wait_line("ready");
    }
    for events in &events {
        events.wait("hello");
    }
    let began = Instant::now();
    admin.delete("/api/v1/session").expect(204);
    wait_for("the end of the consoles", PATIENCE, || {
        consoles.iter().all(|console| console.closed().is_some()).then_some(())
    });
    figure("sign-out to closed consoles", began.elapsed());
    wait_for("the end of the event streams", PATIENCE, || events.iter().all(Events::ended).then_some(()));
    figure("sign-out to closed event streams", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for console in &consoles {
        assert_eq!(console.closed().unwrap(), (1008, "session-ended".to_owned()));
    }
    for _ in 0..12 {
        assert_eq!(admin.get("/api/v1/session").problem(), "session-ended");
    }
    assert_eq!(other.get("/api/v1/session").status, 200, "other sessions of the same person go on");
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    let installation = Installation::start();
    let admin = installation.admin();
    let person = admin.new_user("person@example.org");
    let elsewhere = installation.anyone().sign_in("person@example.org", PASSWORD);
    let key = person.new_key();
    let wrong = person.post("/api/v1/session/password", &json!({"current": "wrong", "new": "another-battery"}));
    assert_eq!((wrong.problem().as_str(), wrong.fields()), ("invalid", vec!["current".to_owned()]));
    let weak = person.post("/api/v1/session/password", &json!({"current": PASSWORD, "new": "short"}));
    assert_eq!((weak.problem().as_str(), weak.fields()), ("invalid", vec!["new".to_owned()]));
    let body = json!({"current": PASSWORD, "new": "another-battery"});
    let answer = person.once(&Request::new("POST", "/api/v1/session/password").json(&body)).unwrap();
    answer.expect(200);
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    let person = person.with_cookie(set.split(['=', ';']).nth(1).unwrap());
    wait_for("the end of the other session", PATIENCE, || {
        (elsewhere.get("/api/v1/session").status == 401).then_some(())
    });
    assert_eq!(elsewhere.get("/api/v1/session").problem(), "session-ended");
    assert_eq!(person.get("/api/v1/session").status, 200, "the session that changed it goes on");
    assert_eq!(key.get("/api/v1/session").status, 200, "keys are revoked one by one");
    assert_eq!(person.try_sign_in("person@example.org", PASSWORD).problem(), "bad-credentials");
    person.sign_in("person@example.org", "another-battery");
}

#[test]
fn removing_a_person_ends_what_they_do() {
    let installation = Installation::start();
    let admin = installation.admin();
    let person = admin.new_user("person@example.org");
    let key = person.new_key();
    let game = Game::start_echo(&admin, "lent");
    admin.write("PATCH", &game.path(""), &json!({"owner": person.id()})).expect(200);
    let consoles = [Console::open(&person, &game.id), Console::open(&key, &game.id)];
    let events = [Events::open(&person), Events::open(&key)];
    for console in &consoles {
        console.wait_line("ready");
    }
    // Taking the server away closes its console; taking the person away closes the rest.
    admin.write("PATCH", &game.path(""), &json!({"owner": admin.id()})).expect(200);
    wait_for("the end of the consoles", PATIENCE, || {
        consoles.iter().all(|console| console.closed().is_some()).then_some(())
    });
    let id = person.id();
    admin.delete(&format!("/api/v1/users/{id}")).expect(204);
    wait_for("the end of the event streams", PATIENCE, || events.iter().all(Events::ended).then_some(()));
    wait_for("the end of the session", PATIENCE, || (person.get("/api/v1/session").status == 401).then_some(()));
    assert_eq!(person.get("/api/v1/session").problem(), "session-ended");
    assert_eq!(key.get("/api/v1/session").problem(), "bad-api-key");
}

#[test]
fn the_printed_link_makes_one_administrator() {
    let installation = Setting::new().without_administrator().start();
    let anyone = installation.anyone();
    assert_eq!(anyone.get("/api/v1/setup").expect(200)["needed"], true);
    let printed = wait_for("the link", PATIENCE, || {
        let printed = installation.printed();
        printed.lines().find(|line| line.contains("/setup#token=")).map(str::to_owned)
    });
    let token = printed.split("#token=").nth(1).unwrap().trim().to_owned();
    assert!(String::from_utf8(installation.cli(&["setup-link"]).stdout).unwrap().contains(&token));
    let set_up = |email: &str, token: &str, password: &str| {
        let body = json!({"token": token, "email": email, "password": password});
        anyone.once(&Request::new("POST", "/api/v1/setup").json(&body)).unwrap()
    };
    assert_eq!(set_up("a@example.org", "another-token", PASSWORD).problem(), "setup-closed");
    let weak = set_up("a@example.org", &token, "short");
    assert_eq!((weak.problem().as_str(), weak.fields()), ("invalid", vec!["password".to_owned()]));
    let answers: Vec<_> = thread::scope(|scope| {
        let tries: Vec<_> = (0..6)
            .map(|n| {
                scope.spawn({
                    let (set_up, token) = (&set_up, &token);
                    move || set_up(&format!("admin{n}@example.org"), token, PASSWORD)
                })
            })
            .collect();
        tries.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(made.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.problem(), "setup-closed");
    }
    let email = made[0].json()["user"]["email"].as_str().unwrap().to_owned();
    let admin = anyone.sign_in(&email, PASSWORD);
    assert_eq!(admin.list("/api/v1/users").len(), 1);
    wait_for("both API servers to know", PATIENCE, || {
        (anyone.get("/api/v1/setup").json()["needed"] == false).then_some(())
    });
    assert_eq!(set_up("late@example.org", &token, PASSWORD).problem(), "setup-closed");
    assert_eq!(installation.cli(&["setup-link"]).status.code(), Some(5));
}
