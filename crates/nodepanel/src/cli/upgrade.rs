//! `nodepanel upgrade`: puts another build in the program's place and follows the move to it.
//!
//! The build is looked at before anything is changed, put there whole (a reader finds the old or the new one, never a
//! half), and taken away again when the supervisor does not accept it. From then on the supervisor decides.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use nodepanel_supervise::{
    build::{Builds, Choice, Print},
    control::{Control, ControlError},
    wire::protocol::{BuildState, PROTOCOL},
};
use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::timeout};

use super::{output, status::connect};
use crate::{
    exit::{Exit, Refusal},
    local::{Config, DataDir},
    role::supervise::installation_arguments,
};

/// How long a program may take to say what it is.
const CHECK: Duration = Duration::from_secs(10);
/// How often the supervisor is asked how far it is.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may not be there to be asked: it is replaced itself.
const AWAY: Duration = Duration::from_secs(20);

/// What a build says of itself to `role check`.
#[derive(Debug, Serialize, Deserialize)]
pub struct About {
    /// `nodepanel`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The messages that it speaks with a supervisor.
    pub protocol: u32,
}

impl About {
    /// This very program.
    pub fn own() -> Self {
        Self {
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
        }
    }
}

/// Upgrades.
pub async fn run(
    data_dir: &DataDir,
    config: &Config,
    binary: &Path,
    no_wait: bool,
    json: bool,
) -> anyhow::Result<Exit> {
    let about = examine(binary, data_dir, config).await?;
    let mut control = connect(data_dir).await?;
    let (installed, state, _) = control.build().await.map_err(|error| refused(&error))?;
    if state != BuildState::Settled {
        return Err(Refusal {
            exit: Exit::Conflict,
            message: "An upgrade is going on, or the present build is still on probation. Try again in 30 s."
                .to_owned(),
        }
        .into());
    }
    let place = Place::of(&installed);
    let in_place = fs::canonicalize(binary).ok() == fs::canonicalize(&installed).ok();
    if !in_place {
        place.put(binary)?;
    }
    if let Err(error) = control.upgrade().await {
        if !in_place {
            place.take_back()?;
        }
        return Err(refused(&error));
    }
    output::note(format_args!("Moving to version {}: one process at a time, then 10 s of probation…", about.version));
    let outcome = if no_wait { None } else { Some(follow(data_dir, &installed).await?) };
    place.forget();
    if let Some(Err(why)) = outcome {
        return Err(Refusal {
            exit: Exit::Failed,
            message: format!(
                "The new build was refused: {}. Everything runs on the last good build again, also after a restart. {} holds \
                 the refused one until another is installed.",
                output::plain(&why),
                installed.display()
            ),
        }
        .into());
    }
    if json {
        let proven = outcome.is_some();
        output::json(&serde_json::json!({"version": about.version, "installed": installed, "proven": proven}))?;
    } else if outcome.is_some() {
        output::line(format_args!("Everything runs version {} and has proven itself.", about.version))?;
    } else {
        output::line("It has begun. `nodepanel status` shows how it goes.")?;
    }
    Ok(Exit::Done)
}

/// Has the build say what it is, with this installation's configuration.
async fn examine(binary: &Path, data_dir: &DataDir, config: &Config) -> anyhow::Result<About> {
    let wrong = |why: String| Refusal {
        exit: Exit::Usage,
        message: format!("{} was not installed: {why}. Nothing was changed.", binary.display()),
    };
    let metadata = fs::metadata(binary).map_err(|error| wrong(format!("it cannot be read ({error})")))?;
    if !metadata.is_file() {
        return Err(wrong("it is no file".to_owned()).into());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(wrong("it may not be executed (chmod +x)".to_owned()).into());
    }
    // Without a slash it would be looked for in PATH.
    let program = fs::canonicalize(binary).map_err(|error| wrong(format!("it cannot be found ({error})")))?;
    let asked = Command::new(program)
        .args(["role", "check"])
        .args(installation_arguments(data_dir, config))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(CHECK, asked)
        .await
        .map_err(|_| wrong(format!("it did not say within {} s what it is", CHECK.as_secs())))?
        .map_err(|error| wrong(format!("it cannot be run ({error})")))?;
    let about =
        serde_json::from_slice::<About>(&output.stdout).ok().filter(|about| about.program == About::own().program);
    match about {
        Some(about) if output.status.success() => Ok(about),
        _ => {
            let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(500).collect();
            let said = if said.is_empty() { String::new() } else { format!(": {}", output::plain(&said)) };
            Err(wrong(format!("it is no NodePanel that can be used here ({}{said})", output.status)).into())
        }
    }
}

/// The installed program and what stands beside it during an upgrade.
struct Place {
    installed: PathBuf,
    fresh: PathBuf,
    previous: PathBuf,
}

impl Place {
    fn of(installed: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name = installed.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { installed: installed.to_owned(), fresh: beside(".new"), previous: beside(".previous") }
    }

    /// Puts a copy of the build in the program's place.
    fn put(&self, binary: &Path) -> anyhow::Result<()> {
        let place = || -> io::Result<()> {
            let _ = fs::remove_file(&self.fresh);
            fs::copy(binary, &self.fresh)?;
            fs::set_permissions(&self.fresh, fs::Permissions::from_mode(0o755))?;
            File::open(&self.fresh)?.sync_all()?;
            let _ = fs::remove_file(&self.previous);
            if self.installed.exists() {
                fs::hard_link(&self.installed, &self.previous)?;
            }
            fs::rename(&self.fresh, &self.installed)
        };
        place().map_err(|error| {
            let _ = fs::remove_file(&self.fresh);
            Refusal {
                exit: Exit::Denied,
                message: format!(
                    "The build cannot be put in the place of {}: {error}. Nothing was changed. Run this as the owner of \
                     that file, or as root.",
                    self.installed.display()
                ),
            }
            .into()
        })
    }

    /// Puts the one before back.
    fn take_back(&self) -> anyhow::Result<()> {
        fs::rename(&self.previous, &self.installed)
            .with_context(|| format!("The previous build cannot be put back; it is {}", self.previous.display()))
    }

    /// Removes what is not needed any more. What stays is overwritten by the next upgrade.
    fn forget(&self) {
        let _ = fs::remove_file(&self.previous);
    }
}

/// Waits for the end of the move: proven, or refused and why.
async fn follow(data_dir: &DataDir, installed: &Path) -> anyhow::Result<Result<(), String>> {
    let mut seen = tokio::time::Instant::now();
    let mut said = BuildState::Settled;
    loop {
        tokio::time::sleep(LOOK).await;
        let state = match Control::connect(data_dir.path()).await {
            Ok(mut control) => control.build().await,
            Err(error) => Err(error),
        };
        match state {
            Ok((_, BuildState::Settled, outcome)) => {
                let kept = Builds::open(data_dir.path()).choose(Print::of(installed).ok());
                match (kept, outcome) {
                    (Choice::Proven, _) => return Ok(Ok(())),
                    (Choice::Refused { why, .. }, _) | (_, Some(why)) => return Ok(Err(why)),
                    // Its outcome is not on disk yet.
                    (Choice::OnProbation { .. }, None) if seen.elapsed() < AWAY => {}
                    (Choice::OnProbation { .. }, None) => return Ok(Err("what became of it is not known".to_owned())),
                }
            }
            Ok((_, state, _)) => {
                seen = tokio::time::Instant::now();
                if state != said {
                    said = state;
                    match state {
                        BuildState::Proving => output::note("Every process runs it; it is watched for 10 s…"),
                        BuildState::Returning => output::note("It failed; returning to the last good build…"),
                        BuildState::Moving | BuildState::Settled => {}
                    }
                }
            }
            Err(_) if seen.elapsed() < AWAY => {}
            Err(error) => return Err(refused(&error)),
        }
    }
}

fn refused(error: &ControlError) -> anyhow::Error {
    let exit = match error {
        ControlError::Refused { .. } => Exit::Conflict,
        ControlError::NotRunning { .. } | ControlError::Late | ControlError::Gone => Exit::Unavailable,
        ControlError::Unreachable { .. } => Exit::Denied,
        ControlError::Channel(_) => Exit::Failed,
    };
    Refusal { exit, message: format!("{error}.") }.into()
}
