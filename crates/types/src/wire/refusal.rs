//! The stable names of an agent's refusals that an API server tells apart (`type` of the problem document).

/// The node's disk reports errors; nothing was changed.
pub const DISK_FAILING: &str = "disk_failing";
/// The node's disk is full; nothing was changed.
pub const DISK_FULL: &str = "disk_full";
/// The node does not hold the server.
pub const UNKNOWN_SERVER: &str = "unknown_server";
