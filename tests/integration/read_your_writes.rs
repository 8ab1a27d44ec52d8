//! What was acknowledged is in the next answer, whichever API server gives it.

use serde_json::json;

use crate::harness::Installation;

#[test]
fn a_list_has_what_was_made_at_the_other_api_server() {
    let installation = Installation::start();
    let admin = installation.admin();
    let listed = |id: &str| admin.list("/api/v1/keys").iter().any(|key| key["id"] == id);
    // Every request is a connection of its own, so that the API servers take turns.
    for round in 0..30 {
        let made = admin.post("/api/v1/keys", &json!({"name": format!("round {round}")})).expect(201);
        let id = made["key"]["id"].as_str().unwrap();
        assert!((0..4).all(|_| listed(id)), "round {round}: what was made is not listed");
        admin.delete(&format!("/api/v1/keys/{id}")).expect(204);
        assert!(!(0..4).any(|_| listed(id)), "round {round}: what was removed is still listed");
    }
}
