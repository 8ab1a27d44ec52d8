//! `nodepanel user`.

use std::io::{IsTerminal as _, Read as _};

use anyhow::Context as _;
use nodepanel_types::{
    api::{CreateUser, Page, UserView},
    permission::UserRole,
};

use super::{arguments::UserCommand, client::Client, output};
use crate::exit::{Exit, Refusal};

/// Runs a command about users.
pub async fn run(client: &Client, command: UserCommand) -> anyhow::Result<Exit> {
    match command {
        UserCommand::List { json } => {
            let page: Page<UserView> = client.get("/api/v1/users?limit=1000").await?;
            if json {
                output::json(&page.items)?;
                return Ok(Exit::Done);
            }
            let rows: Vec<Vec<String>> = page
                .items
                .iter()
                .map(|user| {
                    let role = match user.role {
                        UserRole::Administrator => "administrator",
                        UserRole::User => "user",
                    };
                    vec![user.id.to_string(), user.email.clone(), role.to_owned(), user.servers.to_string()]
                })
                .collect();
            output::table(&["ID", "E-MAIL", "ROLE", "SERVERS"], &rows, "There are no users yet.")?;
        }
        UserCommand::Create { email, admin, json } => {
            let role = if admin { UserRole::Administrator } else { UserRole::User };
            let body = CreateUser { email, password: password()?, role };
            let user: UserView = client.post("/api/v1/users", &body).await?;
            if json {
                output::json(&user)?;
            } else {
                output::line(format_args!("Made {} ({}).", output::plain(&user.email), user.id))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The password from the environment or from standard input; never from the command line, which others can see.
fn password() -> anyhow::Result<String> {
    if let Ok(password) = std::env::var("NODEPANEL_PASSWORD") {
        return Ok(password);
    }
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Refusal {
            exit: Exit::Usage,
            message: "Pass the password on standard input or in NODEPANEL_PASSWORD.".to_owned(),
        }
        .into());
    }
    let mut password = String::new();
    input.read_to_string(&mut password).context("the password cannot be read from standard input")?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}
