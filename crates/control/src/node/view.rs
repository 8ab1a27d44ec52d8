//! A node as the API shows it.

use nodepanel_types::api::{NodePresence, NodeView};

use crate::{ControlPlane, observed::Presence, record::NodeRecord};

impl ControlPlane {
    pub(crate) fn view_node(&self, node: &NodeRecord) -> NodeView {
        let (presence, facts, usage) = self.observed.with(node.id, |picture| match picture {
            Some(picture) => (picture.presence.clone(), picture.facts.clone(), picture.usage),
            None => (Presence::Unseen, None, None),
        });
        let presence = match presence {
            Presence::Online { since } => NodePresence::Online { since },
            Presence::Silent { since, reason } => NodePresence::Unreachable { since, reason },
            Presence::Unseen => match node.joined_at {
                Some(joined) => NodePresence::Unreachable {
                    since: joined,
                    reason:
                        "It has not linked to this API server yet. Look at `nodepanel doctor` on the machine if this \
                             lasts longer than a minute."
                            .to_owned(),
                },
                None => NodePresence::Pending {
                    reason:
                        "No machine has joined as this node. Make a join token and run `nodepanel agent join` with \
                             it on the machine."
                            .to_owned(),
                },
            },
        };
        let mut ports_used = 0;
        let ports = self.tables.allocations.count(|allocation| {
            let here = allocation.id.node == node.id;
            ports_used += u64::from(here && allocation.server.is_some());
            here
        });
        NodeView {
            id: node.id,
            name: node.name.clone(),
            created_at: node.created_at,
            presence,
            facts,
            usage,
            servers: self.tables.servers.count(|server| server.node == node.id),
            ports,
            ports_used,
        }
    }
}
