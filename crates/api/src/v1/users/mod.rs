//! `/users`

mod create;
mod create_key;
mod delete;
mod get;
mod list;
mod update;

pub use create::*;
pub use create_key::*;
pub use delete::*;
pub use get::*;
pub use list::*;
pub use update::*;
