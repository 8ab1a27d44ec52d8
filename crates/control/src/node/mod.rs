//! Nodes: machines that run game servers, their ports, and how a machine becomes one.

mod allocations;
mod enrolment;
mod links;
mod use_cases;
mod view;

pub use enrolment::Enrolments;
pub use links::Links;
