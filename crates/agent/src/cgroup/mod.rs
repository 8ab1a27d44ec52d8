//! Limits and accounting of a server's processes through the kernel's control groups, version 1, 2 or both.
//!
//! Every server has one group, `nodepanel/<id>`, in each hierarchy that carries a controller we need. The groups lie
//! beside, not below, the group of the agent: what a service manager does to the agent's group does not touch a game.
//! Network traffic is counted on version 2, also where version 1 carries the controllers.
//! Where groups cannot be made, servers run without limits and [`Hierarchies::warning`] says why and what to do.

mod detect;
mod group;
mod traffic;

pub use detect::{Controller, Hierarchies};
pub use group::{Group, Reading, Sensor};
pub use traffic::{Totals, TrafficCounter};
