//! A machine becomes a node, or learns why not.

use std::sync::Arc;

use nodepanel_backbone::{
    ConnectError, LinkAddress, TlsFailure,
    enrolment::{EnrolError, EnrolRefusal, JoinToken, enrol},
    pki::{Identity, KeyRequest, Secret},
    wire::MachineFacts,
};
use nodepanel_types::clock::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::harness::{DAY, TestClock, World, timing};

fn facts() -> MachineFacts {
    MachineFacts { hostname: "host".to_owned(), version: "test".to_owned(), system: "Debian".to_owned() }
}

async fn enrol_with(token: &JoinToken, key: &KeyRequest, clock: &Arc<TestClock>) -> Result<Identity, EnrolError> {
    let clock: Arc<dyn Clock> = clock.clone();
    enrol(token, key, facts(), &clock, &timing()).await
}

#[tokio::test]
async fn a_machine_enrols_and_links() {
    let world = World::new();
    let (api, token, key) = (world.api(), world.token(), KeyRequest::generate().unwrap());
    // As it is copied: as text.
    let token: JoinToken = token.encode().expose().parse().unwrap();
    let identity = enrol_with(&token, &key, &world.clock).await.unwrap();
    assert_eq!(identity.stored().addresses, std::slice::from_ref(&world.address));
    let agent = world.agent_as(identity, 1, Arc::default());
    api.link(agent.node).await;
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_same_key_only() {
    let world = World::new();
    let (_api, token, key) = (world.api(), world.token(), KeyRequest::generate().unwrap());
    let first = enrol_with(&token, &key, &world.clock).await.unwrap();
    let again = enrol_with(&token, &key, &world.clock).await.unwrap();
    assert_eq!(first.node(), again.node());
    let error = enrol_with(&token, &KeyRequest::generate().unwrap(), &world.clock).await.unwrap_err();
    assert!(matches!(error, EnrolError::Refused(EnrolRefusal::Used { .. })), "{error:?}");
}

#[tokio::test]
async fn a_token_that_is_unknown_wrong_or_expired_is_refused() {
    let world = World::new();
    let (_api, token, key) = (world.api(), world.token(), KeyRequest::generate().unwrap());
    let wrong = JoinToken { secret: Secret::new("guess".to_owned()), ..token.clone() };
    let error = enrol_with(&wrong, &key, &world.clock).await.unwrap_err();
    assert!(matches!(error, EnrolError::Refused(EnrolRefusal::Unknown)), "{error:?}");
    world.clock.advance(2 * 3_600_000);
    let error = enrol_with(&token, &key, &world.clock).await.unwrap_err();
    assert!(matches!(error, EnrolError::Refused(EnrolRefusal::Expired { .. })), "{error:?}");
}

#[tokio::test]
async fn another_authority_at_the_address_gets_no_secret() {
    let (world, other) = (World::new(), World::new());
    let _api = other.api();
    let token = JoinToken { addresses: vec![other.address.clone()], ..world.token() };
    let error = enrol_with(&token, &KeyRequest::generate().unwrap(), &world.clock).await.unwrap_err();
    assert!(matches!(error, EnrolError::Fingerprint { .. }), "{error:?}");
    assert!(error.to_string().contains("somebody may be in between"), "{error}");
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let world = World::new();
    let (_api, token, key) = (world.api(), world.token(), KeyRequest::generate().unwrap());
    let machine = TestClock::new();
    // Within the tolerance of the certificates: the panel says it.
    machine.advance(-3 * DAY / 2);
    let error = enrol_with(&token, &key, &machine).await.unwrap_err();
    assert!(matches!(error, EnrolError::Refused(EnrolRefusal::ClockSkew { .. })), "{error:?}");
    // Beyond it: TLS says it.
    machine.advance(-30 * DAY);
    let error = enrol_with(&token, &key, &machine).await.unwrap_err();
    let EnrolError::Connect(ConnectError::Tls { failure: TlsFailure::NotYetValid, .. }) = error else {
        panic!("{error:?}")
    };
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_apart() {
    let world = World::new();
    let (token, key) = (world.token(), KeyRequest::generate().unwrap());
    let at = |address: &str| JoinToken { addresses: vec![address.parse().unwrap()], ..token.clone() };

    let error = enrol_with(&at("no-such-host.invalid:8443"), &key, &world.clock).await.unwrap_err();
    let EnrolError::Connect(ConnectError::Name { .. } | ConnectError::NameTimeout { .. }) = error else {
        panic!("{error:?}")
    };

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = enrol_with(&at(&closed.to_string()), &key, &world.clock).await.unwrap_err();
    assert!(matches!(error, EnrolError::Connect(ConnectError::Refused { .. })), "{error:?}");

    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = LinkAddress::from(web.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = enrol_with(&at(&address.to_string()), &key, &world.clock).await.unwrap_err();
    let EnrolError::Connect(ConnectError::Tls { failure: TlsFailure::NotALink, .. }) = error else {
        panic!("{error:?}")
    };
}

#[tokio::test]
async fn the_second_address_is_tried_when_the_first_fails() {
    let world = World::new();
    let (_api, key) = (world.api(), KeyRequest::generate().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let token = JoinToken { addresses: vec![LinkAddress::from(closed), world.address.clone()], ..world.token() };
    enrol_with(&token, &key, &world.clock).await.unwrap();
}
