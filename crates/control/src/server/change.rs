//! Changing a server's record: read, check the caller's right, decide, commit; again when somebody else was faster.

use nodepanel_store::Transaction;
use nodepanel_types::{ServerId, api::ServerView, permission::Permission};

use crate::{Context, ControlError, ControlPlane, authorize::Scope, record::ServerRecord};

/// Decisions that are made before a caller is told that others are always faster.
const ATTEMPTS: u32 = 6;

impl ControlPlane {
    /// Applies `decide` to a server's newest record, with its generation counted up, and sends the outcome to its node.
    /// `decide` may run several times. What it adds to the transaction is committed along. Who calls sees to the key,
    /// with [`ControlPlane::once`] around everything that may refuse.
    pub(super) async fn change_server(
        &self,
        context: &Context,
        id: ServerId,
        permission: Permission,
        decide: impl Fn(&mut ServerRecord, Transaction) -> Result<Transaction, ControlError>,
    ) -> Result<ServerView, ControlError> {
        let known = self.server_record(id)?;
        self.require(&context.actor, permission, Scope::Server(&known.record))?;
        let mut read = (*known).clone();
        for _ in 0..ATTEMPTS {
            let mut changed = read.record.clone();
            let transaction = decide(&mut changed, Transaction::new())?;
            if changed == read.record {
                return Ok(self.view_server(&context.actor, &changed));
            }
            changed.generation += 1;
            let transaction = transaction.update(&changed, read.revision)?;
            let view = self.view_server(&context.actor, &changed);
            match self.commit(context, transaction, view).await {
                Err(ControlError::Changed(_)) => {}
                Err(error) => return Err(error),
                Ok(view) => {
                    self.push.server(id);
                    return Ok(view);
                }
            }
            let fresh = self.tables.servers.fresh(&id).await?;
            // What was faster may have been a repetition of this very request, which is then not to be decided again.
            if let Some(answer) = self.replay(context).await? {
                return Ok(answer);
            }
            read = fresh.ok_or_else(|| ControlError::NotFound { kind: "server", id: id.to_string() })?;
            self.require(&context.actor, permission, Scope::Server(&read.record))?;
        }
        Err(ControlError::contended("Others change this server all the time; nothing of yours was done."))
    }
}
