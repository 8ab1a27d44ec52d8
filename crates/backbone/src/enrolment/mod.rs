//! How a machine becomes a node: it shows a join token and gets a certificate.
//!
//! The token pins the fingerprint of the CA, so the machine knows whom it talks to before it sends the secret.

mod agent;
mod answer;
mod authority;
mod token;

pub use agent::{EnrolError, enrol};
pub(crate) use answer::answer_enrolment;
pub use authority::{EnrolRefusal, EnrolmentAuthority};
pub use token::{JoinToken, ParseTokenError};
