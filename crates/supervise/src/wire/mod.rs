//! How the processes of one installation talk: JSON lines over a Unix socket, with descriptors beside them.

mod channel;
pub mod protocol;

pub use channel::{Channel, ChannelError, Peer};
