//! What `doctor` looks at: the data directory, the processes and their ports, the machine.

mod directory;
mod installation;
mod machine;
mod servers;

use super::{Finding, Verdict};
use crate::local::{Config, DataDir};

/// Everything, in the order in which it is shown.
pub async fn all(data_dir: &DataDir, config: &Config) -> Vec<Finding> {
    let running = installation::running(data_dir).await;
    let mut findings = vec![
        directory::existence(data_dir),
        directory::permissions(data_dir),
        directory::master_key(data_dir),
        directory::disk(data_dir.path()),
        servers::place(data_dir.path()),
    ];
    // What runs says itself how the store is, and a second reader is of no use to it.
    if running.is_none() {
        findings.push(directory::store(data_dir));
    }
    findings.extend(installation::processes(running.as_deref()));
    findings.extend(installation::supervision(running.as_deref(), config));
    findings.extend(installation::renewal(data_dir).await);
    findings.extend(installation::ports(config, running.is_some()));
    findings.extend([
        machine::user(),
        machine::control_groups(),
        machine::landlock(),
        machine::clock(data_dir),
        machine::descriptors(),
    ]);
    findings
}
