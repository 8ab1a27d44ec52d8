//! Where an agent answers. `{id}` stands for a `ServerId`.

/// POST `ApplyRequest` → `ApplyResponse`. The desired state of servers; acknowledged when it is on the node's disk.
pub const APPLY: &str = "/v1/servers/apply";
/// POST `Remove` → 204. Stops the server and deletes its files, as a job that outlives the request.
pub const REMOVE: &str = "/v1/servers/remove";
/// GET → NDJSON of `NodeFrame`, for ever: hello, snapshot, then changes.
pub const EVENTS: &str = "/v1/events";
/// GET → NDJSON of `JournalFrame`, for ever: what the node did, from its disk, after the entry that the reader has.
/// Query: `after` (its number) and `at` (its time, in milliseconds), both or neither.
pub const JOURNAL: &str = "/v1/journal";
/// POST `PortCheckRequest` → `PortCheckResponse`.
pub const PORTS_CHECK: &str = "/v1/ports/check";
/// POST any body → the same body. Presence.
pub const PROBE: &str = "/v1/probe";
/// POST → the agent's certificate signing request, PEM.
pub const IDENTITY_CSR: &str = "/v1/identity/csr";
/// POST certificate chain, PEM → 204.
pub const IDENTITY_CERTIFICATE: &str = "/v1/identity/certificate";

/// POST `CommandRequest` → `CommandResponse`.
pub fn command(server: crate::ServerId) -> String {
    format!("/v1/servers/{server}/command")
}

/// GET → NDJSON of `ConsoleFrame`. Query: `after` (line number) or `tail` (count), `follow` (bool), `limit`.
pub fn console(server: crate::ServerId) -> String {
    format!("/v1/servers/{server}/console")
}

/// GET → NDJSON of `ConsoleFrame`: the log of the last installation. Query as for the console.
pub fn install_log(server: crate::ServerId) -> String {
    format!("/v1/servers/{server}/install/log")
}

/// GET → `StatsSeries`. Query: `window` = `hour` or `week`.
pub fn stats(server: crate::ServerId) -> String {
    format!("/v1/servers/{server}/stats")
}

/// GET → JSON array of `ActivityEntry`, newest first. Query: `limit`.
pub fn activity(server: crate::ServerId) -> String {
    format!("/v1/servers/{server}/activity")
}
