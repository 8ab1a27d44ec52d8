//! `cargo xtask package`: the Debian package.
//!
//! What the installed program knows itself (its units, its completions) is asked of the very binary that is packed, so
//! that a package and `nodepanel install` cannot differ. The texts that only a package has are in `packaging/debian`.

mod control;
mod libc;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use self::{control::Facts, tree::Tree};
use crate::{machine, panel, step, workspace::Workspace};

/// Link-time optimisation of everything on two cores.
const BUILD_LIMIT: Duration = step::minutes(90);
/// The compression of the package.
const PACK_LIMIT: Duration = step::minutes(15);
/// Where the texts of the package are.
const TEXTS: &str = "packaging/debian";

/// The command line of `package`.
#[derive(Debug, Args)]
pub struct Options {
    /// What the binary is built with
    #[arg(long, value_enum, default_value_t = Profile::Dist)]
    profile: Profile,
    /// Pack this binary instead of building one
    #[arg(long, value_name = "PATH", conflicts_with = "profile")]
    binary: Option<PathBuf>,
    /// Where the package is put; `package` in the target directory when left out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Who answers for the package
    #[arg(
        long,
        env = "NODEPANEL_MAINTAINER",
        value_name = "NAME <ADDRESS>",
        default_value = "The NodePanel developers <developers@nodepanel.invalid>"
    )]
    maintainer: String,
}

/// A profile of the root `Cargo.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// What is given to users.
    Dist,
    /// Sooner built; larger and a little slower.
    Release,
    /// For trying the package itself.
    Dev,
}

impl Profile {
    /// Cargo's name of it, and that of its directory.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Dist => ("dist", "dist"),
            Self::Release => ("release", "release"),
            Self::Dev => ("dev", "debug"),
        }
    }
}

/// Builds and packs; prints where the package is.
///
/// # Errors
///
/// When something is missing on the machine, or a step fails.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    require_tools()?;
    let binary = match &options.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => build(workspace, options.profile)?,
    };
    let out = options.out.clone().unwrap_or_else(|| workspace.target.join("package"));
    let texts = workspace.root.join(TEXTS);
    let facts = Facts::gather(workspace, &binary, &options.maintainer)?;
    let name = facts.file_name();
    let stage = out.join("stage");
    let tree = Tree::begin(&stage)?;
    lay_out(workspace, &tree, &binary, &texts, &facts)?;
    let package = out.join(&name);
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(&stage).arg(&package);
    pack.env("SOURCE_DATE_EPOCH", facts.changed_at.to_string());
    step::require(&workspace.logs(), "packing", PACK_LIMIT, &mut pack)?;
    tree.remove()?;
    println!("{}", package.display());
    Ok(ExitCode::SUCCESS)
}

fn require_tools() -> anyhow::Result<()> {
    for (tool, package) in [("dpkg-deb", "dpkg"), ("gzip", "gzip"), ("md5sum", "coreutils"), ("xz", "xz-utils")] {
        if Command::new(tool).arg("--version").output().is_err() {
            bail!("{tool} is missing: apt-get install {package} (Debian packages are made on Debian)");
        }
    }
    Ok(())
}

fn build(workspace: &Workspace, profile: Profile) -> anyhow::Result<PathBuf> {
    machine::check()?;
    panel::build(workspace)?;
    let (profile, directory) = profile.names();
    let mut cargo = workspace.cargo(&["build", "--locked", "--package", "nodepanel", "--bin", "nodepanel"]);
    cargo.args(["--profile", profile]);
    step::require(&workspace.logs(), "building the binary", BUILD_LIMIT, &mut cargo)?;
    Ok(workspace.binary(directory))
}

/// Puts every file of the package into its place.
fn lay_out(workspace: &Workspace, tree: &Tree, binary: &Path, texts: &Path, facts: &Facts) -> anyhow::Result<()> {
    let text = |name: &str| {
        let path = texts.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    tree.copy(binary, "usr/bin/nodepanel", 0o755)?;
    for (name, unit) in units(binary)? {
        tree.write(&format!("usr/lib/systemd/system/{name}"), unit.as_bytes(), 0o644)?;
    }
    for (shell, place) in [
        ("bash", "usr/share/bash-completion/completions/nodepanel"),
        ("zsh", "usr/share/zsh/vendor-completions/_nodepanel"),
        ("fish", "usr/share/fish/vendor_completions.d/nodepanel.fish"),
    ] {
        tree.write(place, &ask(binary, &["completions", shell])?, 0o644)?;
    }
    tree.write("etc/nodepanel/nodepanel.toml", text("nodepanel.toml")?.as_bytes(), 0o644)?;
    let manual = text("nodepanel.1")?.replace("{version}", &facts.version);
    tree.compressed("usr/share/man/man1/nodepanel.1.gz", manual.as_bytes())?;
    let read =
        |name: &str| std::fs::read_to_string(workspace.root.join(name)).context(format!("{name} cannot be read"));
    let copyright = text("copyright")?.replace("{mit}", &control::paragraphs(&read("LICENSE-MIT")?));
    tree.write("usr/share/doc/nodepanel/copyright", copyright.as_bytes(), 0o644)?;
    tree.compressed("usr/share/doc/nodepanel/changelog.gz", read("CHANGELOG.md")?.as_bytes())?;
    tree.compressed("usr/share/doc/nodepanel/changelog.Debian.gz", facts.changelog().as_bytes())?;
    tree.compressed("usr/share/doc/nodepanel/crates.gz", &crates(workspace)?)?;
    tree.write("usr/share/lintian/overrides/nodepanel", text("lintian-overrides")?.as_bytes(), 0o644)?;

    for script in ["postinst", "prerm", "postrm"] {
        tree.write(&format!("DEBIAN/{script}"), text(script)?.as_bytes(), 0o755)?;
    }
    tree.write("DEBIAN/conffiles", b"/etc/nodepanel/nodepanel.toml\n", 0o644)?;
    tree.write("DEBIAN/md5sums", &tree.sums()?, 0o644)?;
    tree.write("DEBIAN/control", facts.control(&text("control")?, tree.kib()?).as_bytes(), 0o644)
}

/// The systemd units: file names and texts, as the packed program itself would write them.
fn units(binary: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let places = ["--bin-dir", "/usr/bin", "--data-dir", "/var/lib/nodepanel"];
    let printed = ask(binary, &[&["install", "--print", "--json"], &places[..]].concat())?;
    let units: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&printed).context("the binary prints no units; is it of this version?")?;
    Ok(units.into_iter().collect())
}

/// What is linked into the program, with versions and licences.
fn crates(workspace: &Workspace) -> anyhow::Result<Vec<u8>> {
    let mut cargo = workspace.cargo(&["tree", "--locked", "--package", "nodepanel", "--edges", "normal"]);
    cargo.args(["--prefix", "none", "--no-dedupe", "--format", "{p}\t{l}\t{r}"]);
    let listed = output(&mut cargo)?;
    let text = String::from_utf8_lossy(&listed);
    let ours = |line: &&str| !line.contains(" (/");
    let lines: std::collections::BTreeSet<&str> = text.lines().filter(ours).map(str::trim_end).collect();
    Ok((lines.into_iter().collect::<Vec<_>>().join("\n") + "\n").into_bytes())
}

fn ask(binary: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    output(Command::new(binary).args(arguments).env_remove("NODEPANEL_DATA_DIR"))
}

/// What a command prints.
fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("{} cannot be run", program.display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}
