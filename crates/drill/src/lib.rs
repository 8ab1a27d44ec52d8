//! Drills: breaks an installation's parts on purpose, and measures from outside what its users notice.
//!
//! A drill has a [`scene`] (an installation), a [`load`] (users, consoles and panels that go on meanwhile), and
//! something that it breaks again and again ([`drills`]). Every operation goes into a [`history`], which is judged
//! afterwards by the pure functions of [`check`]: nothing acknowledged may be lost, nothing may happen twice, no
//! console number may be missing, no user may see an error. What was timed is held against its target ([`figure`]).
//!
//! It knows the installation as its users do, over the API; only to find the processes that it breaks it asks the
//! supervisor. It never looks into the store, but for the one drill that damages it.

pub mod check;
pub mod drills;
pub mod error;
pub mod figure;
pub mod history;
pub mod http;
pub mod load;
pub mod report;
pub mod scene;
pub mod user;

pub use drills::{Drill, Pace};
pub use error::DrillError;
pub use http::{Access, Bearer};
pub use report::Report;
pub use scene::Scene;
