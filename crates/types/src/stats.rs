//! Statistics of a game server and of a node.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// One sample. A figure that could not be measured is `null`, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// Processor time since the sample before, in percent of one core (250 = two and a half cores).
    pub cpu_percent: Option<f32>,
    /// Memory that counts against the limit, in bytes.
    pub memory_bytes: Option<u64>,
    /// Size of the server's directory, in bytes; measured less often than the rest.
    pub disk_bytes: Option<u64>,
    /// Received by the server, in bytes per second.
    pub network_in_bps: Option<u64>,
    /// Sent by the server, in bytes per second.
    pub network_out_bps: Option<u64>,
    /// Age of the process in seconds; `null` when it does not run.
    pub uptime_s: Option<u64>,
    /// Players on the server, when the game can be asked.
    pub players: Option<u32>,
    /// Places for players, when the game tells; only in the newest sample, not in series.
    #[serde(default)]
    pub players_max: Option<u32>,
}

/// What a series covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatsWindow {
    /// The last hour, one sample a second, from the agent's memory.
    Hour,
    /// The last seven days, one sample a minute (means), from the node's disk.
    Week,
}

/// Samples in order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsSeries {
    /// What was asked for.
    pub window: StatsWindow,
    /// Seconds between two samples where nothing is missing.
    pub step_s: u32,
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
}

/// What a machine has and uses.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct NodeUsage {
    /// Number of processors.
    pub cpus: u32,
    /// Processor time, in percent of one core.
    pub cpu_percent: Option<f32>,
    /// One-minute load average.
    pub load_1m: Option<f32>,
    /// Memory of the machine, in bytes.
    pub memory_total_bytes: u64,
    /// Memory in use (total less available), in bytes.
    pub memory_used_bytes: u64,
    /// Size of the file system that holds the servers, in bytes.
    pub disk_total_bytes: u64,
    /// Used on that file system, in bytes.
    pub disk_used_bytes: u64,
}
