//! Templates: what a kind of game server is, written as TOML, and how it becomes the desired state of one server.
//!
//! A template is text that administrators edit; everything in it is checked when it is parsed, with every error
//! named at once. Rendering puts a server's variables and ports into it. Two rules make that safe:
//!
//! - A value stays inside the argument, the environment value or the file into which it was put. There is no
//!   shell, and what was put in is never read again for placeholders.
//! - In a file, free text is written in the file's own notation (`escape`), so that a quote in a server's name
//!   cannot end a string and begin a setting.
//!
//! This module reads no file and runs nothing; the built-in templates are compiled in.

mod builtin;
mod command_line;
mod escape;
mod model;
mod near;
mod parse;
mod pattern;
mod place;
mod read;
mod render;
mod rules;
mod text;
mod variables;

pub use builtin::BUILTIN;
pub use model::{Port, Query, Template, Variable};
pub use pattern::Pattern;
pub use render::{RenderInput, Rendered};

#[cfg(test)]
mod tests;
