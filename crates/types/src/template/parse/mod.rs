//! From TOML to a [`Template`](super::Template): one file per part of the document.

mod document;
mod files;
mod install;
mod launch;
mod texts;
mod variables;
