//! What a desired state must be for this node to take it. The control plane has checked it too; a node does not have
//! to believe that.

use std::collections::BTreeMap;

use nodepanel_types::wire::{DesiredServer, FileSpec, InstallStep, Ready, WIRE_VERSION};

use crate::install::{valid_package_name, valid_path};

/// What is wrong with it, as a sentence.
pub fn check(desired: &DesiredServer) -> Result<(), String> {
    if desired.v > WIRE_VERSION {
        return Err(format!("Its form is {}; this agent knows up to {WIRE_VERSION}. Upgrade the agent.", desired.v));
    }
    let launch = &desired.launch;
    command("launch.command", &launch.command)?;
    if let Ready::Line { pattern } = &launch.ready {
        regex::Regex::new(pattern).map_err(|error| format!("`launch.ready.pattern` is no expression: {error}"))?;
    }
    if launch.ready == Ready::Port && desired.endpoints.is_empty() {
        return Err("`launch.ready` waits for a port, but the server has none.".to_owned());
    }
    if launch.read_paths.iter().any(|path| !path.starts_with('/') || path.contains('\0')) {
        return Err("`launch.read_paths` must be absolute paths.".to_owned());
    }
    environment("launch.env", &launch.env)?;
    launch.files.iter().try_for_each(|spec| file("launch.files", spec))?;
    for package in desired.packages.iter().chain(desired.programs.iter().map(|program| &program.package)) {
        if !valid_package_name(package) {
            return Err(format!("`{}` is not the name of a Debian package.", package.escape_default()));
        }
    }
    for program in &desired.programs {
        if program.name.is_empty() || program.name.contains(['/', '\0']) {
            return Err(format!("`{}` is not the name of a program.", program.name.escape_default()));
        }
    }
    for step in &desired.install {
        match step {
            InstallStep::Run { command: words, env, .. } => {
                command("install.command", words)?;
                environment("install.env", env)?;
            }
            InstallStep::File { file: spec } => file("install.file", spec)?,
        }
    }
    Ok(())
}

fn command(field: &str, words: &[String]) -> Result<(), String> {
    if words.first().is_none_or(String::is_empty) {
        return Err(format!("`{field}` names no program."));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(format!("`{field}` contains a NUL character."));
    }
    Ok(())
}

fn environment(field: &str, env: &BTreeMap<String, String>) -> Result<(), String> {
    if env.iter().any(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')) {
        return Err(format!("`{field}` has a variable with a bad name (empty or with `=`) or a NUL character."));
    }
    Ok(())
}

fn file(field: &str, file: &FileSpec) -> Result<(), String> {
    if valid_path(&file.path) {
        return Ok(());
    }
    Err(format!("`{field}`: the path `{}` must be relative, without `..`.", file.path.escape_default()))
}
