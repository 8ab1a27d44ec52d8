//! Power: a wish, durable the moment it is acknowledged.

use nodepanel_types::{
    ServerId,
    api::ServerView,
    permission::Permission,
    state::{PowerAction, PowerIntent},
};

use super::view::permitted;
use crate::{Context, ControlError, ControlPlane};

impl ControlPlane {
    /// Asks for a power action.
    pub async fn power(
        &self,
        context: &Context,
        id: ServerId,
        action: PowerAction,
    ) -> Result<ServerView, ControlError> {
        let change = self.change_server(context, id, Permission::ServerPower, |server, transaction| {
            let (phase, online) = self.phase(server);
            permitted(server, action, phase.as_ref(), online).map_err(ControlError::StateForbids)?;
            server.power = PowerIntent { action, serial: server.power.serial + 1 };
            Ok(transaction)
        });
        self.once(context, change).await
    }
}
