//! A host's member of the store: an etcd process of which it is known who it is.
//!
//! The most dangerous thing that can be got wrong here is a member that has lost its data and comes back empty under its
//! old name: with another one that is behind it makes a majority that knows nothing of what was acknowledged. So what a
//! host's member is stands beside the data ([`MemberFile`]), and a member that has begun once begins never again
//! ([`start`]).

mod arguments;
mod file;
mod keep;
mod program;
mod start;

pub use arguments::arguments;
pub use file::{Begin, MemberFile, MemberFileError, MemberPlace, Peer, TlsFiles};
pub use keep::{KeeperConfig, MemberKeeper, MemberState};
pub use program::{EtcdProgram, OLDEST, ProgramError};
pub use start::{Found, Refusal, Start, decide};
