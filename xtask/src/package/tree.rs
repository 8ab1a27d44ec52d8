//! The files of a package as they will lie, below a directory of their own.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use super::output;
use crate::panel::files_below;

/// A directory that becomes a package.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Begins an empty one; what an earlier run left is removed.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made.
    pub fn begin(root: &Path) -> anyhow::Result<Self> {
        if root.exists() {
            fs::remove_dir_all(root).with_context(|| format!("{} cannot be removed", root.display()))?;
        }
        let tree = Self { root: root.to_owned() };
        tree.directory(root)?;
        Ok(tree)
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// When that fails; so for all below.
    pub fn write(&self, place: &str, content: &[u8], mode: u32) -> anyhow::Result<()> {
        let path = self.root.join(place);
        self.directory(path.parent().unwrap_or(&self.root))?;
        fs::write(&path, content)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Copies a file.
    pub fn copy(&self, from: &Path, place: &str, mode: u32) -> anyhow::Result<()> {
        let content = fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
        self.write(place, &content, mode)
    }

    /// Writes a file compressed, the same each time.
    pub fn compressed(&self, place: &str, content: &[u8]) -> anyhow::Result<()> {
        let mut gzip = Command::new("gzip");
        let mut gzip = gzip.args(["-9", "-n", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let Some(mut input) = gzip.stdin.take() else { bail!("gzip cannot be written to") };
        // Beside reading what comes out: more than a pipe holds would block both.
        let (written, output) = std::thread::scope(|scope| {
            let writing = scope.spawn(move || input.write_all(content));
            (writing.join(), gzip.wait_with_output())
        });
        let output = output.context("gzip cannot be waited for")?;
        if !matches!(written, Ok(Ok(()))) || !output.status.success() {
            bail!("gzip failed on {place}");
        }
        self.write(place, &output.stdout, 0o644)
    }

    /// The sums of all files that are installed, as dpkg keeps them.
    pub fn sums(&self) -> anyhow::Result<Vec<u8>> {
        output(Command::new("md5sum").current_dir(&self.root).args(self.installed()?))
    }

    /// What the files take on a disk, in KiB.
    pub fn kib(&self) -> anyhow::Result<u64> {
        let mut kib = 0;
        for place in self.installed()? {
            kib += fs::metadata(self.root.join(place))?.len().div_ceil(1024);
        }
        Ok(kib)
    }

    /// Takes it away.
    pub fn remove(self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.root).with_context(|| format!("{} cannot be removed", self.root.display()))
    }

    fn installed(&self) -> anyhow::Result<Vec<PathBuf>> {
        let files = files_below(&self.root, &["DEBIAN"])?;
        Ok(files.iter().filter_map(|path| path.strip_prefix(&self.root).ok().map(Path::to_owned)).collect())
    }

    /// Makes a directory and those above it as packages have them, whatever the umask.
    fn directory(&self, path: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(path).with_context(|| format!("{} cannot be made", path.display()))?;
        for directory in path.ancestors().take_while(|directory| directory.starts_with(&self.root)) {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_sizes_are_of_what_is_installed() {
        let root = std::env::temp_dir().join(format!("xtask-tree-{}", std::process::id()));
        let tree = Tree::begin(&root).unwrap();
        tree.write("usr/bin/one", &[0; 1_025], 0o755).unwrap();
        tree.compressed("usr/share/two.gz", b"two").unwrap();
        tree.write("DEBIAN/control", b"not installed", 0o644).unwrap();
        let sums = String::from_utf8(tree.sums().unwrap()).unwrap();
        let names: Vec<&str> = sums.lines().filter_map(|line| line.split("  ").nth(1)).collect();
        assert_eq!(names, ["usr/bin/one", "usr/share/two.gz"]);
        assert_eq!(tree.kib().unwrap(), 3);
        assert_eq!(fs::metadata(root.join("usr/bin/one")).unwrap().permissions().mode() & 0o777, 0o755);
        tree.remove().unwrap();
        assert!(!root.exists());
    }
}
