//! Templates: what servers are made from.

mod builtin;
mod parsed;
mod use_cases;

pub use parsed::ParsedTemplates;
