//! Deleting a server: asked for here, carried out by its node, finished by the reconciler.

use nodepanel_types::{
    ServerId,
    api::ServerView,
    permission::Permission,
    state::{PowerAction, PowerIntent},
};

use crate::{Context, ControlError, ControlPlane};

impl ControlPlane {
    /// Asks for a deletion. It is final, and waits for the node when that is silent.
    pub async fn delete_server(&self, context: &Context, id: ServerId) -> Result<ServerView, ControlError> {
        let now = self.now();
        let change = self.change_server(context, id, Permission::ServerDelete, |server, transaction| {
            if server.deleting_since.is_none() {
                server.deleting_since = Some(now);
                server.power = PowerIntent { action: PowerAction::Stop, serial: server.power.serial + 1 };
            }
            Ok(transaction)
        });
        self.once(context, change).await
    }
}
