//! `nodepanel server create`: makes a server, follows its installation, and waits until it runs when that was asked for.

use nodepanel_types::{
    NodeId, TemplateId,
    api::{self, NodeView, Page, ServerView, TemplateSummary},
    state::ServerState,
    wire::Limits,
};

use super::{
    super::{arguments::CreateServer, client::Client, output, token},
    power,
};
use crate::exit::{Exit, Refusal};

/// Makes a server.
pub async fn run(client: &Client, arguments: CreateServer) -> anyhow::Result<Exit> {
    let template = template(client, &arguments.template).await?;
    let node = match &arguments.node {
        Some(node) => Some(self::node(client, node).await?),
        None => None,
    };
    let owner = match &arguments.owner {
        Some(email) => Some(token::find(client, email).await?.id),
        None => None,
    };
    let limits = match (arguments.memory, arguments.cpu) {
        (None, None) => None,
        (memory_mib, cpu_percent) => {
            let proposed: api::TemplateView = client.get(&format!("/api/v1/templates/{template}")).await?;
            Some(Limits {
                memory_mib: memory_mib.or(proposed.limits.memory_mib),
                cpu_percent: cpu_percent.or(proposed.limits.cpu_percent),
                ..proposed.limits
            })
        }
    };
    let body = api::CreateServer {
        name: arguments.name,
        template,
        node,
        owner,
        variables: arguments.variables.into_iter().collect(),
        limits,
        ports: arguments.ports.into_iter().collect(),
        address: None,
        start: arguments.start,
    };
    let mut view: ServerView = client.post("/api/v1/servers", &body).await?;
    if !arguments.no_wait {
        if !arguments.json {
            output::note(format_args!("Made {} ({}); installing…", output::plain(&view.name), view.id));
        }
        view = power::wait(client, view, &[ServerState::Installing], false).await?;
        if arguments.start && view.install_failed().is_none() {
            view = power::wait(client, view, &[ServerState::Stopped, ServerState::Starting], false).await?;
        }
    }
    power::report(&view, arguments.json)
}

trait Failed {
    fn install_failed(&self) -> Option<&str>;
}

impl Failed for ServerView {
    fn install_failed(&self) -> Option<&str> {
        match &self.install {
            Some(nodepanel_types::wire::InstallState::Failed { message, .. }) => Some(message),
            _ => None,
        }
    }
}

async fn template(client: &Client, name: &str) -> anyhow::Result<TemplateId> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let page: Page<TemplateSummary> = client.get("/api/v1/templates?limit=1000").await?;
    let known: Vec<String> = page.items.iter().map(|template| template.slug.clone()).collect();
    page.items.into_iter().find(|template| template.slug == name).map(|template| template.id).ok_or_else(|| {
        Refusal {
            exit: Exit::NotFound,
            message: format!("There is no template {}; there are: {}.", output::plain(name), known.join(", ")),
        }
        .into()
    })
}

async fn node(client: &Client, name: &str) -> anyhow::Result<NodeId> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let page: Page<NodeView> = client.get("/api/v1/nodes?limit=1000").await?;
    page.items.into_iter().find(|node| node.name == name).map(|node| node.id).ok_or_else(|| {
        Refusal { exit: Exit::NotFound, message: format!("There is no node {}.", output::plain(name)) }.into()
    })
}
