//! `nodepanel install`: has systemd start NodePanel at boot and keep it.
//!
//! The Debian package does the same with the same units, which it asks for with `--print --json`; its scripts leave the
//! data directory to `--prepare`, and enabling and starting to Debian's own tools, which know the administrator's wishes.

mod units;

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use self::units::{Places, SERVERS, SERVICE};
use super::{arguments::Install, output};
use crate::{
    exit::{Exit, Refusal},
    local::DataDir,
};

/// Installs: the program, the units, and (where systemd runs) their start.
pub fn run(data_dir: &DataDir, listen: Option<std::net::SocketAddr>, arguments: &Install) -> anyhow::Result<Exit> {
    if arguments.prepare {
        return prepare(data_dir, arguments);
    }
    let program = program(arguments)?;
    let places = Places { program: &program, data_dir: data_dir.path(), listen };
    let units = units::all(&places);
    if arguments.print && arguments.json {
        output::json(&std::collections::BTreeMap::from(units))?;
        return Ok(Exit::Done);
    }
    if arguments.print {
        for (name, text) in &units {
            output::line(format_args!("# {name}\n{text}"))?;
        }
        return Ok(Exit::Done);
    }
    if !arguments.no_copy {
        copy_program(&program)?;
    }
    data_dir.create()?;
    for (name, text) in &units {
        let path = arguments.unit_dir.join(name);
        write(&path, text.as_bytes(), 0o644).map_err(|error| denied(&path, &error))?;
    }
    let booted = Path::new("/run/systemd/system").is_dir();
    let started = booted && !arguments.no_start;
    if started {
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", "--now", SERVICE, SERVERS])?;
    }
    if arguments.json {
        let units: Vec<PathBuf> = units.iter().map(|(name, _)| arguments.unit_dir.join(name)).collect();
        output::json(&serde_json::json!({"program": program, "units": units, "started": started}))?;
        return Ok(Exit::Done);
    }
    output::line(format_args!("Wrote {SERVICE} and {SERVERS} to {}.", arguments.unit_dir.display()))?;
    output::line(format_args!("The data directory is {}; --data-dir names another.", data_dir.path().display()))?;
    if started {
        output::line(
            "NodePanel runs, and starts at every boot. `systemctl status nodepanel` and `nodepanel status` show it.",
        )?;
    } else {
        output::line(format_args!(
            "Start it, now and at every boot: systemctl daemon-reload && systemctl enable --now {SERVICE} {SERVERS}"
        ))?;
    }
    Ok(Exit::Done)
}

/// Makes the data directory, and lets it have the configuration that is kept elsewhere.
fn prepare(data_dir: &DataDir, arguments: &Install) -> anyhow::Result<Exit> {
    data_dir.create()?;
    let link = data_dir.config();
    // What is there is the operator's, whatever it is.
    if let Some(file) = arguments.config_file.as_ref().filter(|_| link.symlink_metadata().is_err()) {
        let file = std::path::absolute(file)?;
        symlink(&file, &link).map_err(|error| denied(&link, &error))?;
    }
    if arguments.json {
        output::json(&serde_json::json!({"data_dir": data_dir.path(), "config": link}))?;
    }
    Ok(Exit::Done)
}

/// Where the units will find the program: where it is, or where it is put.
fn program(arguments: &Install) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(if arguments.no_copy { own } else { arguments.bin_dir.join("nodepanel") })
}

/// Puts this very program into its place, whole.
fn copy_program(program: &Path) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    if fs::canonicalize(program).ok() == fs::canonicalize(&own).ok() {
        return Ok(());
    }
    let content = fs::read("/proc/self/exe").map_err(|error| denied(&own, &error))?;
    write(program, &content, 0o755).map_err(|error| denied(program, &error))
}

/// Writes a file so that nobody ever finds half of it.
fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let written = fs::write(&draft, content)
        .and_then(|()| fs::set_permissions(&draft, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::File::open(&draft)?.sync_all())
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("systemctl").args(arguments).stdin(Stdio::null()).output();
    let failed = |why: &str| Refusal {
        exit: Exit::Failed,
        message: format!("`systemctl {}` failed: {why}. The units are written; run it by hand.", arguments.join(" ")),
    };
    let output = output.map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(())
}

fn denied(path: &Path, error: &io::Error) -> anyhow::Error {
    Refusal {
        exit: Exit::Denied,
        message: format!("{} cannot be written: {error}. Run this as root, or choose other places.", path.display()),
    }
    .into()
}
