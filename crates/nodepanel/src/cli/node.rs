//! `nodepanel node`.

use nodepanel_types::api::{AllocationView, CreateAllocations, CreateNode, JoinToken, NodePresence, NodeView, Page};

use super::{arguments::NodeCommand, client::Client, output};
use crate::exit::Exit;

/// Runs a command about nodes.
pub async fn run(client: &Client, command: NodeCommand) -> anyhow::Result<Exit> {
    match command {
        NodeCommand::List { json } => list(client, json).await?,
        NodeCommand::Create { name, json } => {
            let node: NodeView = client.post("/api/v1/nodes", &CreateNode { name }).await?;
            if !json {
                output::line(format_args!("Added {} ({}).", output::plain(&node.name), node.id))?;
            }
            token(client, node.id, json).await?;
        }
        NodeCommand::JoinToken { node, json } => token(client, node, json).await?,
        NodeCommand::AddPorts { node, address, ports, json } => {
            let body = CreateAllocations { address: address.to_string(), ports };
            let added: Page<AllocationView> = client.post(&format!("/api/v1/nodes/{node}/allocations"), &body).await?;
            if json {
                output::json(&added.items)?;
            } else {
                output::line(format_args!("Added {} port(s).", added.total))?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn token(client: &Client, node: nodepanel_types::NodeId, json: bool) -> anyhow::Result<()> {
    let token: JoinToken = client.post(&format!("/api/v1/nodes/{node}/join-token"), &()).await?;
    if json {
        return output::json(&token);
    }
    output::line(format_args!(
        "Run this on the machine before {}:\n\n  nodepanel agent join {}\n",
        token.expires_at, token.token
    ))?;
    Ok(())
}

async fn list(client: &Client, json: bool) -> anyhow::Result<()> {
    let page: Page<NodeView> = client.get("/api/v1/nodes?limit=1000").await?;
    if json {
        return output::json(&page.items);
    }
    let rows: Vec<Vec<String>> = page
        .items
        .iter()
        .map(|node| {
            let (state, detail) = match &node.presence {
                NodePresence::Pending { reason } => ("pending", reason.clone()),
                NodePresence::Online { since } => ("online", format!("since {since}")),
                NodePresence::Unreachable { since, reason } => ("unreachable", format!("since {since}: {reason}")),
            };
            let ports = format!("{}/{}", node.ports_used, node.ports);
            vec![node.id.to_string(), node.name.clone(), state.to_owned(), node.servers.to_string(), ports, detail]
        })
        .collect();
    output::table(&["ID", "NAME", "STATE", "SERVERS", "PORTS", ""], &rows, "There are no nodes.")?;
    Ok(())
}
