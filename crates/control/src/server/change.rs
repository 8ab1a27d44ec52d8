//! Changing a server's record: read, check the caller's right, decide, commit; again when somebody else was faster.

use nodepanel_store::Transaction;
use nodepanel_types::{ServerId, api::ServerView, permission::Permission};

use crate::{
    Context, ControlError, ControlPlane,
    authorize::{Scope, require},
    record::ServerRecord,
};

/// Decisions that are made before a caller is told that others are always faster.
const ATTEMPTS: u32 = 6;

impl ControlPlane {
    /// Applies `decide` to a server's newest record, with its generation counted up, and sends the outcome to its node.
    /// `decide` may run several times. What it adds to the transaction is committed along.
    pub(super) async fn change_server(
        &self,
        context: &Context,
        id: ServerId,
        permission: Permission,
        decide: impl Fn(&mut ServerRecord, Transaction) -> Result<Transaction, ControlError>,
    ) -> Result<ServerView, ControlError> {
        let known = match self.server_record(id) {
            Ok(known) => known,
            // Whoever repeats what removed the server is told what came of it, and not that there is nothing.
            Err(missing) => return self.replay(context).await?.ok_or(missing),
        };
        require(&context.actor, permission, Scope::Server(&known.record))?;
        if let Some(answer) = self.replay(context).await? {
            return Ok(answer);
        }
        let mut read = (*known).clone();
        for attempt in 1.. {
            let mut changed = read.record.clone();
            let transaction = decide(&mut changed, Transaction::new())?;
            if changed == read.record {
                return Ok(self.view_server(&context.actor, &changed));
            }
            changed.generation += 1;
            let transaction = transaction.update(&changed, read.revision)?;
            let view = self.view_server(&context.actor, &changed);
            match self.commit(context, transaction, view).await {
                Err(ControlError::Changed(_)) if attempt < ATTEMPTS => {}
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
            require(&context.actor, permission, Scope::Server(&read.record))?;
        }
        Err(ControlError::Internal("the number of attempts ran out".to_owned()))
    }
}
