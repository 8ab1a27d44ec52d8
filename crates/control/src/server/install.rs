//! Installing again.

use nodepanel_types::{ServerId, api::ServerView, permission::Permission, state::Phase};

use crate::{Context, ControlError, ControlPlane};

impl ControlPlane {
    /// Asks for another installation. A running server is stopped first; files that the installation does not write
    /// stay.
    pub async fn install(&self, context: &Context, id: ServerId) -> Result<ServerView, ControlError> {
        let change = self.change_server(context, id, Permission::ServerSettings, |server, transaction| {
            if server.deleting_since.is_some() {
                return Err(ControlError::StateForbids("The server is being deleted.".to_owned()));
            }
            if let (Some(Phase::Installing { percent, .. }), true) = self.phase(server) {
                return Err(ControlError::StateForbids(format!(
                    "The server is being installed already ({percent} %)."
                )));
            }
            server.install_serial += 1;
            Ok(transaction)
        });
        self.once(context, change).await
    }
}
