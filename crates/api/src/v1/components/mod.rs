//! `/components` and `/overview`

mod history;
mod list;
mod overview;

pub use history::*;
pub use list::*;
pub use overview::*;
