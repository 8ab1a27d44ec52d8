//! Who may come in, and what is not understood.

use std::path::PathBuf;

use nodepanel_shim::{
    ClientError, ShimClient,
    protocol::{RefusalCode, ShimState},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use crate::harness::{Place, TOKEN};

#[tokio::test]
async fn nobody_comes_in_without_the_token() {
    let place = Place::script("exec sleep 600");
    let shim = place.start().await;
    for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x")] {
        let refused = ShimClient::connect(&place.spec.state_dir, wrong).await.unwrap_err();
        assert!(
            matches!(&refused, ClientError::Refused(refusal) if refusal.code == RefusalCode::Unauthorized),
            "{refused:?}"
        );
    }
    let stream = UnixStream::connect(place.spec.state_dir.join("shim.sock")).await.unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(b"{\"id\":1,\"do\":\"kill\"}\n").await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    assert!(answer.contains("unauthorized"), "{answer}");
    assert_eq!(stream.read_line(&mut answer).await.unwrap(), 0);
    assert!(!matches!(shim.client().state().await.unwrap().state, ShimState::Exited(_)));
}

#[tokio::test]
async fn what_a_newer_agent_asks_is_refused_and_the_connection_lives_on() {
    let place = Place::script("exec sleep 600");
    let _shim = place.start().await;
    let stream = UnixStream::connect(place.spec.state_dir.join("shim.sock")).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut ask = async |line: &str| {
        stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        answer
    };
    let hello = ask(&format!(r#"{{"id":1,"do":"hello","v":9,"token":"{TOKEN}","new":true}}"#)).await;
    assert!(hello.contains(r#""ok""#), "{hello}");
    let answer = ask(r#"{"id":2,"do":"dance"}"#).await;
    assert!(answer.contains(r#""id":2"#) && answer.contains("unsupported"), "{answer}");
    assert!(ask("no json").await.contains("unsupported"));
    assert!(ask(r#"{"id":3,"do":"state","detail":"all"}"#).await.contains(r#""id":3,"ok""#));
}

#[tokio::test]
async fn a_directory_too_deep_for_a_socket_address_will_do() {
    let place = Place::script("exec sleep 600");
    let deep: PathBuf = place.path("state").join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let place = place.with(|spec| spec.state_dir = deep);
    let shim = place.start().await;
    assert!(shim.client().state().await.is_ok());
}

#[tokio::test]
async fn a_client_finds_its_shim_again_after_a_failed_call() {
    let place = Place::script("exec sleep 600");
    let mut shim = place.start().await;
    shim.kill_shim();
    assert!(shim.client().state().await.unwrap_err().is_passing());
    let again = place.start().await;
    again.game().await;
    assert!(matches!(shim.client().state().await.unwrap().state, ShimState::Running { .. }));
}
