//! People: signing in, sessions, API keys, users, the first administrator.

mod api_key;
mod authenticate;
mod change_password;
mod keys;
mod login_limits;
mod password;
mod rights;
mod session;
mod set_up;
mod sign_in;
mod sign_in_news;
mod tally;
mod user_view;
mod users;

pub use api_key::{ApiKeyToken, digest};
pub use authenticate::{CookieValue, Credential, Known};
pub use login_limits::LoginLimits;
pub use password::Passwords;
pub use rights::RightsChanges;
pub use session::SessionClaims;
pub use sign_in::SignedIn;
pub(crate) use sign_in_news::tell_sign_ins;
