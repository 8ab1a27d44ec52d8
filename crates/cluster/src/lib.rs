//! What makes several hosts one: each host's member of the store.
//!
//! Runs beside the supervisor on control hosts; knows how to keep etcd, and neither HTTP nor what is stored.

pub mod member;
