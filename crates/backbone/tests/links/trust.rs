//! Who is let in: certificates of other authorities, of nobody, expired, removed, renewed.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt as _;
use nodepanel_backbone::{
    Presence,
    pki::{
        CertificateAuthority, CertificateFacts, Fingerprint, Identity, IdentityFile, KeyRequest, StoredIdentity,
        node_uri,
    },
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use crate::harness::{DAY, PATIENCE, World, eventually};

#[tokio::test]
async fn a_node_of_another_installation_is_refused_and_told_why() {
    let (world, other) = (World::new(), World::new());
    let api = world.api();
    let foreign = other.node_identity(other.new_node());
    // It trusts this installation's API servers, so that only its own certificate is wrong.
    let confused = StoredIdentity { ca: world.authority.certificate_pem().to_owned(), ..foreign.stored().clone() };
    let agent = world.agent_as(Identity::new(confused).unwrap(), 1, Arc::default());
    let reason = agent.failure().await;
    assert!(reason.contains("enrolled with another"), "{reason}");
    assert!(api.registry.link(agent.node).is_none());
}

#[tokio::test]
async fn an_api_server_of_another_installation_is_not_trusted() {
    let (world, other) = (World::new(), World::new());
    let _api = world.api();
    let agent = world.agent_as(other.node_identity(other.new_node()), 1, Arc::default());
    let reason = agent.failure().await;
    assert!(reason.contains("somebody is in between"), "{reason}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_told_what_to_do() {
    let world = World::new();
    let identity = world.node_identity(world.new_node());
    world.clock.advance(31 * DAY);
    let _api = world.api();
    let agent = world.agent_as(identity, 1, Arc::default());
    let reason = agent.failure().await;
    assert!(reason.contains("expired") && reason.contains("join token"), "{reason}");
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let world = World::new();
    let _api = world.api();
    // Both ends have this clock, and the API server has made its certificate already.
    let agent = world.agent(1);
    eventually("the agent is linked", || async { agent.status.borrow().is_linked().then_some(()) }).await;
    drop(agent);
    world.clock.advance(-10 * DAY);
    let agent = world.agent(2);
    let reason = agent.failure().await;
    assert!(reason.contains("not valid yet by this machine's clock"), "{reason}");
}

#[tokio::test]
async fn a_removed_node_is_cut_off_and_told() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    api.link(agent.node).await;
    world.policy.banned.lock().unwrap().push(agent.node);
    api.registry.disconnect(agent.node, "this node was removed");
    let reason = agent.failure().await;
    assert!(reason.contains("removed"), "{reason}");
    assert!(api.registry.link(agent.node).is_none());
    eventually("it counts as silent, for that reason", || async {
        match api.registry.presence(agent.node) {
            Presence::Silent { reason, .. } => reason.contains("removed").then_some(()),
            Presence::Connected { .. } | Presence::NeverSeen { .. } => None,
        }
    })
    .await;
    api.registry.forget(agent.node);
    assert!(matches!(api.registry.presence(agent.node), Presence::NeverSeen { .. }));
}

#[tokio::test]
async fn a_node_cannot_play_an_api_server() {
    let world = World::new();
    let identity = world.node_identity(world.new_node());
    let leaf = CertificateDer::from_pem_slice(identity.stored().certificate.as_bytes()).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&leaf).unwrap();
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!parsed.is_ca());
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].to_string().contains(&node_uri(identity.node())), "{names:?}");
}

#[tokio::test]
async fn what_a_request_asks_for_beyond_its_key_is_ignored() {
    let world = World::new();
    let (node, victim) = (world.new_node(), world.new_node());
    let key = rcgen::KeyPair::generate().unwrap();
    let mut greedy = rcgen::CertificateParams::default();
    greedy.subject_alt_names = vec![rcgen::SanType::URI(node_uri(victim).as_str().try_into().unwrap())];
    greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let csr = greedy.serialize_request(&key).unwrap().pem().unwrap();
    let issued = world.authority.issue_node(node, &csr).unwrap();
    let der = CertificateDer::from_pem_slice(issued.as_bytes()).unwrap();
    assert_eq!(CertificateFacts::read(&der).unwrap().node().unwrap(), node);
    assert!(!x509_parser::parse_x509_certificate(&der).unwrap().1.is_ca());
}

#[tokio::test]
async fn an_authority_is_the_same_after_it_was_stored() {
    let world = World::new();
    let stored = serde_json::to_string(&world.authority.to_stored()).unwrap();
    assert!(!format!("{:?}{:?}", world.authority, world.authority.to_stored()).contains("PRIVATE"));
    let loaded =
        CertificateAuthority::load(&serde_json::from_str(&stored).unwrap(), world.clock.clone(), world.ids.clone())
            .unwrap();
    assert_eq!(loaded.fingerprint(), world.authority.fingerprint());
    assert_eq!(Fingerprint::of(loaded.certificate()), loaded.fingerprint());
    // What the loaded one issues is accepted where the first one is trusted.
    let (api, key, node) = (world.api(), KeyRequest::generate().unwrap(), world.new_node());
    let certificate = loaded.issue_node(node, key.csr()).unwrap();
    let ca = world.authority.certificate_pem().to_owned();
    let identity = StoredIdentity::new(node, certificate, key.key().clone(), ca, vec![]);
    let agent = world.agent_as(Identity::new(identity).unwrap(), 1, Arc::default());
    api.link(agent.node).await;
}

#[tokio::test]
async fn an_identity_survives_on_disk_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let file = IdentityFile::in_directory(directory.path());
    assert!(file.load().unwrap().is_none());
    let first = file.pending_request().unwrap();
    assert_eq!(file.pending_request().unwrap().key().expose(), first.key().expose(), "a waiting key is kept");
    let identity = world.node_identity(world.new_node());
    file.save(&identity).unwrap();
    assert_ne!(file.pending_request().unwrap().key().expose(), first.key().expose(), "a used key is not");
    assert_eq!(file.load().unwrap().unwrap().facts(), identity.facts());
    let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(file.path(), "{").unwrap();
    let error = file.load().unwrap_err().to_string();
    assert!(error.contains("enrol this machine again"), "{error}");
}

#[tokio::test]
async fn a_certificate_is_renewed_over_the_link_without_a_gap() {
    let world = World::new();
    let identity = world.node_identity(world.new_node());
    let first = identity.facts().clone();
    assert!(!first.renewal_due(nodepanel_types::clock::Clock::now(world.clock.as_ref())));
    world.clock.advance(21 * DAY);
    // Two API servers want to renew it at the same time.
    let (one, two) = (world.api(), world.api());
    let mut changes = one.registry.watch();
    let agent = world.agent_as(identity, 1, Arc::default());
    eventually("the certificate is renewed", || async {
        (agent.keeper.current().facts().not_after > first.not_after).then_some(())
    })
    .await;
    one.link(agent.node).await;
    two.link(agent.node).await;
    // A link that is being replaced refuses what it has not sent; whoever asks takes the newest link and asks again.
    let mut stream = eventually("a stream opens while links are made anew", || async {
        let endless = http::Request::builder().uri("/quiet").body(nodepanel_backbone::body::empty()).unwrap();
        let link = one.registry.link(agent.node)?;
        link.stream(endless, &nodepanel_backbone::StreamOptions::default()).await.ok()
    })
    .await;
    stream.body_mut().frame().await.unwrap().unwrap();
    let renewed = agent.keeper.current().facts().serial.clone();
    assert_ne!(renewed, first.serial);
    // All links are made anew, and nobody was seen as silent meanwhile.
    tokio::time::sleep(Duration::from_millis(100)).await;
    while let Ok(change) = changes.try_recv() {
        assert!(change.presence.is_connected(), "{change:?}");
    }
    eventually("a request is answered", || async {
        one.registry.link(agent.node)?.call::<_, ()>("/echo", &(), PATIENCE).await.ok()
    })
    .await;
}
