//! The console of one game: its lines, numbered once, in memory and on disk.

mod ring;
mod store;
mod text;

pub(crate) use store::{Console, ConsoleRead, Numbers, PIECE_BYTES};
pub(crate) use text::{LineCutter, without_colours};
