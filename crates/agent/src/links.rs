//! How the agent comes to its links: it joins once, with a token, and then dials for ever.

use std::{
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use nodepanel_backbone::{
    AgentHandler, Dialer, DialerConfig,
    agent::IdentityKeeper,
    enrolment::{self, JoinToken},
    pki::{Identity, IdentityFile},
    wire::MachineFacts,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{agent::AgentConfig, node::Node};

/// How often a join token is looked for.
const LOOK: Duration = Duration::from_millis(500);
/// The longest pause between two attempts to join with the same token.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Joins if need be, and dials until `shutdown`. Whatever fails is tried again; no server waits for it.
pub(crate) async fn keep(
    node: &Arc<Node>,
    config: &AgentConfig,
    handler: Arc<dyn AgentHandler>,
    shutdown: CancellationToken,
) {
    let file = IdentityFile::in_directory(&node.layout.identity());
    let Some(identity) = shutdown.run_until_cancelled(Box::pin(identity(node, config, &file))).await else { return };
    *node.id.write().unwrap_or_else(PoisonError::into_inner) = Some(identity.node());
    tracing::info!(node.id = %identity.node(), "This machine is a node; dialling the API servers");
    let addresses = identity.stored().addresses.clone();
    let keeper = Arc::new(IdentityKeeper::new(identity, file, Arc::clone(&node.clock)));
    let (address_sender, addresses) = watch::channel(addresses);
    let dialer = Dialer::new(
        DialerConfig {
            keeper: Arc::clone(&keeper),
            addresses,
            epoch: node.started_at.as_millis().max(0).unsigned_abs(),
            version: config.version.clone(),
            clock: Arc::clone(&node.clock),
            ids: Arc::clone(&node.ids),
            timing: config.timing.clone(),
        },
        handler,
    );
    let mut renewed = keeper.watch();
    let follow_addresses = async {
        while renewed.changed().await.is_ok() {
            let now = renewed.borrow_and_update().stored().addresses.clone();
            address_sender.send_if_modified(|held| {
                let changed = *held != now;
                *held = now;
                changed
            });
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = dialer.run(shutdown.clone()) => {}
        () = follow_addresses => {}
    }
}

/// The identity of this machine; waits for a join token when it has none.
async fn identity(node: &Arc<Node>, config: &AgentConfig, file: &IdentityFile) -> Identity {
    let token_file = node.layout.join_token();
    let mut said = String::new();
    let mut pause = LOOK;
    loop {
        let problem = match attempt(node, config, file, &token_file).await {
            Ok(Some(identity)) => return identity,
            Ok(None) => {
                pause = LOOK;
                format!("This machine is not a node yet; waiting for a join token in {}", token_file.display())
            }
            Err(reason) => {
                pause = (pause * 2).min(LONGEST_PAUSE);
                reason
            }
        };
        if problem != said {
            tracing::warn!("{problem}");
            said = problem;
        }
        tokio::time::sleep(pause).await;
    }
}

/// One look: the identity on disk, or else one for the token on disk. `None` when there is neither.
async fn attempt(
    node: &Arc<Node>,
    config: &AgentConfig,
    file: &IdentityFile,
    token_file: &Path,
) -> Result<Option<Identity>, String> {
    let on_disk = file.clone();
    let found = tokio::task::spawn_blocking(move || on_disk.load()).await.map_err(|error| error.to_string())?;
    if let Some(identity) = found.map_err(|error| in_full(&error))? {
        return Ok(Some(identity));
    }
    let text = match tokio::fs::read_to_string(token_file).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("The join token {} cannot be read: {error}", token_file.display())),
    };
    let token: JoinToken = text.parse().map_err(|error| in_full(&error))?;
    let pending = file.clone();
    let key = tokio::task::spawn_blocking(move || pending.pending_request()).await;
    let key = key.map_err(|error| error.to_string())?.map_err(|error| in_full(&error))?;
    let facts = MachineFacts {
        hostname: node.machine.hostname.clone(),
        version: config.version.clone(),
        system: node.machine.system.clone(),
    };
    let identity = enrolment::enrol(&token, &key, facts, &node.clock, &config.timing)
        .await
        .map_err(|error| format!("This machine could not join: {}", in_full(&error)))?;
    let (saved, kept) = (file.clone(), Arc::new(identity));
    let writing = Arc::clone(&kept);
    let written = tokio::task::spawn_blocking(move || saved.save(&writing)).await;
    written.map_err(|error| error.to_string())?.map_err(|error| in_full(&error))?;
    if let Err(error) = tokio::fs::remove_file(token_file).await {
        tracing::warn!(%error, "The used join token {} cannot be removed", token_file.display());
    }
    Ok(Arc::into_inner(kept))
}

fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
