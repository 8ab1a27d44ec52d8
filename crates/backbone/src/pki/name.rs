//! How a certificate names a node, and how an API server is named to TLS.

use nodepanel_types::NodeId;

const NODE_PREFIX: &str = "nodepanel:node:";

/// The DNS name in every API server's certificate. The installation's own CA says who is an API server, not the
/// address under which one happens to be reached, so moving the panel breaks no link.
pub(crate) const SERVER_NAME: &str = "api.nodepanel.internal";

/// A certificate does not name exactly one node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeNameError {
    /// It has no name, several, or one of another kind.
    #[error("expected exactly one name of the form nodepanel:node:<uuid>, found {found}")]
    NotOne {
        /// What is there.
        found: String,
    },
    /// The name has the right form and a wrong id.
    #[error("the node's id in the name is not a UUID in lower-case hyphenated form")]
    BadId,
}

/// `nodepanel:node:0190b5c8-7c4e-7000-8000-000000000000`.
pub fn node_uri(node: NodeId) -> String {
    format!("{NODE_PREFIX}{node}")
}

/// The node that a name stands for. Only the form that [`node_uri`] writes is accepted, so that no two names
/// stand for the same node.
pub fn node_from_uri(uri: &str) -> Result<NodeId, NodeNameError> {
    let id = uri
        .strip_prefix(NODE_PREFIX)
        .ok_or_else(|| NodeNameError::NotOne { found: uri.escape_default().take(120).collect() })?;
    let node: NodeId = id.parse().map_err(|_| NodeNameError::BadId)?;
    if node.to_string() == id { Ok(node) } else { Err(NodeNameError::BadId) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_the_one_form_of_a_name_is_a_node(uri in "(nodepanel:node:)?[0-9a-fA-F{}:-]{0,60}|\\PC{0,80}") {
            if let Ok(node) = node_from_uri(&uri) {
                prop_assert_eq!(node_uri(node), uri);
            }
        }

        #[test]
        fn every_node_has_a_name_that_leads_back_to_it(bits: u128) {
            let node = NodeId::from_uuid(uuid::Uuid::from_u128(bits));
            prop_assert_eq!(node_from_uri(&node_uri(node)), Ok(node));
        }
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        for uri in [
            "nodepanel:node:0190B5C8-7C4E-7000-8000-000000000000",
            "nodepanel:node:0190b5c87c4e70008000000000000000",
            "nodepanel:node:{0190b5c8-7c4e-7000-8000-000000000000}",
            "nodepanel:node:",
            "nodepanel:node:0190b5c8-7c4e-7000-8000-000000000000/",
            "https://example/nodepanel:node:0190b5c8-7c4e-7000-8000-000000000000",
        ] {
            assert!(node_from_uri(uri).is_err(), "{uri}");
        }
    }
}
