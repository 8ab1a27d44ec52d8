//! The systemd units as text: a pure function of where things are.
//!
//! What they promise: the keeper is started at boot and again whenever it fails, however often (no start limit); it is
//! watched (`WatchdogSec`); what it keeps, and above all the game servers, is never killed with it
//! (`KillMode=process`); limits of game servers can be set (`Delegate=yes`); before the machine goes down the game
//! servers are stopped properly, which the second unit is for.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

/// The unit of the control plane.
pub const SERVICE: &str = "nodepanel.service";
/// The unit that stops the game servers when the machine goes down.
pub const SERVERS: &str = "nodepanel-servers.service";

/// Where things are.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The program.
    pub program: &'a Path,
    /// The data directory.
    pub data_dir: &'a Path,
    /// Where the panel listens, when that is not the configuration's business.
    pub listen: Option<SocketAddr>,
}

/// Both units: file name and text.
pub fn all(places: &Places<'_>) -> [(&'static str, String); 2] {
    [(SERVICE, service(places)), (SERVERS, servers(places))]
}

fn service(places: &Places<'_>) -> String {
    let (program, data_dir) = (quoted(places.program), quoted(places.data_dir));
    let mut listen = String::new();
    if let Some(address) = places.listen {
        // Writing to a string cannot fail.
        let _ = write!(listen, " --listen {address}");
    }
    format!(
        "# Written by `nodepanel install`.\n\
         [Unit]\n\
         Description=NodePanel, a control panel for game servers\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         RequiresMountsFor={data_dir}\n\
         # Never given up: the delay below is all that repeated failures cost.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         ExecStart={program} up --data-dir {data_dir}{listen}\n\
         # Moves to the program and the configuration that are there now, without a pause.\n\
         ExecReload={program} upgrade {program} --data-dir {data_dir}{listen}\n\
         # Whenever it fails or is killed; not when `nodepanel stop` ended it.\n\
         Restart=on-failure\n\
         RestartSec=100ms\n\
         WatchdogSec=10\n\
         TimeoutStartSec=60\n\
         TimeoutStopSec=60\n\
         # Only the keeper is ended with the unit; it ends what it keeps by itself, and game servers go on.\n\
         KillMode=process\n\
         # Limits of game servers are set in groups below this one.\n\
         Delegate=yes\n\
         # A game server that runs out of memory ends alone.\n\
         OOMPolicy=continue\n\
         TasksMax=infinity\n\
         LimitNOFILE=65536\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

fn servers(places: &Places<'_>) -> String {
    let (program, data_dir) = (quoted(places.program), quoted(places.data_dir));
    format!(
        "# Written by `nodepanel install`.\n\
         [Unit]\n\
         Description=Stop NodePanel's game servers properly before the machine goes down\n\
         # Stopped before what it needs: while the control plane still runs.\n\
         After={SERVICE} network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart=/bin/true\n\
         # What should run still should: the next boot starts it again.\n\
         ExecStop=-{program} stop --all --data-dir {data_dir}\n\
         TimeoutStopSec=120\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// A path as one word of a unit file: specifiers and variables mean themselves.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let text = text.replace('$', "$$");
    if text.contains([' ', '\\', '\'']) { format!("\"{text}\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_themselves() {
        let places = Places {
            program: Path::new("/opt/100% mine/nodepanel"),
            data_dir: Path::new("/srv/$HOME"),
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 8080))),
        };
        let [(_, service), (_, servers)] = all(&places);
        let start = "ExecStart=\"/opt/100%% mine/nodepanel\" up --data-dir /srv/$$HOME --listen 0.0.0.0:8080\n";
        assert!(service.contains(start), "{service}");
        assert!(servers.contains("stop --all --data-dir /srv/$$HOME\n"), "{servers}");
    }

    #[test]
    fn what_heals_is_switched_on_and_what_gives_up_is_off() {
        let places = Places {
            program: Path::new("/usr/bin/nodepanel"),
            data_dir: Path::new("/var/lib/nodepanel"),
            listen: None,
        };
        let [(_, service), _] = all(&places);
        for line in
            ["StartLimitIntervalSec=0", "Restart=on-failure", "WatchdogSec=10", "KillMode=process", "Delegate=yes"]
        {
            assert!(service.lines().any(|other| other == line), "{line} is missing in {service}");
        }
    }
}
