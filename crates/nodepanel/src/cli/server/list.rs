//! `nodepanel server list` and `show`.

use nodepanel_types::api::{Page, ServerView};

use super::super::{
    client::{Client, encode},
    output,
};

/// Prints every server that the caller may see.
pub async fn run(client: &Client, json: bool) -> anyhow::Result<()> {
    let mut servers = Vec::new();
    let mut after = String::new();
    loop {
        let page: Page<ServerView> = client.get(&format!("/api/v1/servers?limit=1000{after}")).await?;
        servers.extend(page.items);
        match page.next {
            Some(next) => after = format!("&after={}", encode(&next)),
            None => break,
        }
    }
    if json {
        return output::json(&servers);
    }
    let rows: Vec<Vec<String>> = servers
        .iter()
        .map(|server| {
            vec![
                server.id.to_string(),
                server.name.clone(),
                server.state.as_str().to_owned(),
                address(server),
                server.node.name.clone(),
                server.template.name.clone(),
                server.owner.email.clone(),
            ]
        })
        .collect();
    let headings = ["ID", "NAME", "STATE", "ADDRESS", "NODE", "TEMPLATE", "OWNER"];
    output::table(
        &headings,
        &rows,
        "There are no servers yet. Make one: nodepanel server create NAME --template minecraft",
    )?;
    Ok(())
}

/// Prints one server.
pub fn show(server: &ServerView, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(server);
    }
    output::line(format_args!("{} ({})", output::plain(&server.name), server.id))?;
    output::line(format_args!("  state     {}: {}", server.state.as_str(), output::plain(&server.reason)))?;
    output::line(format_args!("  address   {}", address(server)))?;
    output::line(format_args!("  node      {}", output::plain(&server.node.name)))?;
    output::line(format_args!(
        "  template  {} (version {})",
        output::plain(&server.template.name),
        server.template.version
    ))?;
    output::line(format_args!("  owner     {}", output::plain(&server.owner.email)))?;
    if let Some(notice) = &server.notice {
        output::line(format_args!("  notice    {}", output::plain(notice)))?;
    }
    Ok(())
}

fn address(server: &ServerView) -> String {
    server
        .endpoints
        .first()
        .map_or_else(String::new, |endpoint| std::net::SocketAddr::new(endpoint.address, endpoint.port).to_string())
}
