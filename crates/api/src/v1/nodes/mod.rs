//! `/nodes`

mod activity;
mod allocations_create;
mod allocations_delete;
mod allocations_list;
mod create;
mod delete;
mod get;
mod join_token;
mod list;
mod update;

pub use activity::*;
pub use allocations_create::*;
pub use allocations_delete::*;
pub use allocations_list::*;
pub use create::*;
pub use delete::*;
pub use get::*;
pub use join_token::*;
pub use list::*;
pub use update::*;
