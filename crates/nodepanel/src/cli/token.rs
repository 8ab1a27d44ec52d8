//! `nodepanel token`.

use nodepanel_types::api::{ApiKeyCreated, CreateApiKey, Page, UserView};

use super::{arguments::TokenCommand, client::Client, output};
use crate::exit::{Exit, Refusal};

/// Runs a command about API keys.
pub async fn run(client: &Client, command: TokenCommand) -> anyhow::Result<Exit> {
    let TokenCommand::Create { user, name, json } = command;
    let id = find(client, &user).await?.id;
    let created: ApiKeyCreated = client.post(&format!("/api/v1/users/{id}/keys"), &CreateApiKey { name }).await?;
    if json {
        output::json(&created)?;
    } else {
        output::line(&created.token)?;
        output::note(format_args!("Keep it safe: it is shown this once. Revoke it on the account page."));
    }
    Ok(Exit::Done)
}

/// The user with this address.
pub async fn find(client: &Client, email: &str) -> anyhow::Result<UserView> {
    let mut after = String::new();
    loop {
        let page: Page<UserView> = client.get(&format!("/api/v1/users?limit=1000{after}")).await?;
        if let Some(user) = page.items.into_iter().find(|user| user.email.eq_ignore_ascii_case(email)) {
            return Ok(user);
        }
        match page.next {
            Some(next) => after = format!("&after={}", super::client::encode(&next)),
            None => {
                return Err(Refusal {
                    exit: Exit::NotFound,
                    message: format!("There is no user with the address {}.", output::plain(email)),
                }
                .into());
            }
        }
    }
}
