//! What is stored: desired state and slow facts, one file per kind.
//!
//! Every record carries its form's version in the store's envelope; an older form is upgraded when it is read.

mod access;
mod allocation;
mod installation;
mod instance;
mod login;
mod name;
mod node;
#[cfg(test)]
mod old_forms;
mod server;
mod template;
mod user;

pub use access::{ApiKeyRecord, EnrolmentRecord, EnrolmentUse, RevocationRecord};
pub use allocation::{AllocationId, AllocationRecord};
pub use installation::{InstallationRecord, InstallationSecrets};
pub use instance::InstanceRecord;
pub use login::{LoginDebtRecord, LoginHomesRecord};
pub use name::{NameRecord, NameSpace};
pub use node::NodeRecord;
pub use server::ServerRecord;
pub use template::{TemplateRecord, TemplateVersionId, TemplateVersionRecord};
pub use user::UserRecord;

/// Implements the store's `Record` for a struct with an `id` field.
macro_rules! record {
    ($record:ty, $kind:literal, $id:ty) => {
        impl nodepanel_store::Record for $record {
            const KIND: &'static str = $kind;
            const VERSION: u32 = 1;
            type Id = $id;

            fn id(&self) -> Self::Id {
                self.id.clone()
            }
        }
    };
}
use record;
