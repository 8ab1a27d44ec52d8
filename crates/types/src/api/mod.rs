//! Bodies of `/api/v1`. Requests refuse unknown fields; answers may gain fields.

mod components;
mod events;
mod keys;
mod nodes;
mod page;
mod servers;
mod session;
mod templates;
mod users;

pub use components::{AlertLevel, ComponentsView, Overview, OverviewWarning};
pub use events::{ApiEvent, StatsTick};
pub use keys::{ApiKeyCreated, ApiKeyView, CreateApiKey};
pub use nodes::{AllocationView, CreateAllocations, CreateNode, JoinToken, NodePresence, NodeView, UpdateNode};
pub use page::Page;
pub use servers::{
    ActionState, Actions, Command, CommandSent, CreateServer, Players, Power, ServerNode, ServerOwner, ServerTemplate,
    ServerView, UpdateServer,
};
pub use session::{ChangePassword, Credentials, SessionView, Setup, SetupState};
pub use templates::{TemplateSource, TemplateSummary, TemplateView, VariableView};
pub use users::{CreateUser, UpdateUser, UserView};
