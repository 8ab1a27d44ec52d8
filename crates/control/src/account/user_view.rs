//! A user as the API shows them.

use nodepanel_types::api::UserView;

use crate::{ControlPlane, record::UserRecord};

impl ControlPlane {
    pub(super) fn view_user(&self, user: &UserRecord) -> UserView {
        let servers = self.tables.servers.count(|server| server.owner == user.id);
        UserView { id: user.id, email: user.email.clone(), role: user.role, created_at: user.created_at, servers }
    }
}
