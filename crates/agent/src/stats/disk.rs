//! Disk space: of a server's directory, and of the file system.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

/// Files that are counted before the walk gives up for this time.
const AT_MOST_FILES: usize = 500_000;
/// The longest that a walk takes.
const AT_MOST: Duration = Duration::from_secs(20);

/// The space that `root` takes on its file system, in bytes. Links are not followed, other file systems not entered,
/// and a directory that is too large to be walked is `None`. Blocks, for up to 20 seconds.
pub fn directory_size(root: &Path) -> Option<u64> {
    let started = Instant::now();
    let device = fs::symlink_metadata(root).ok()?.dev();
    let mut waiting = vec![root.to_owned()];
    let (mut bytes, mut files) = (0_u64, 0_usize);
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            files += 1;
            if files > AT_MOST_FILES || started.elapsed() > AT_MOST {
                return None;
            }
            // `DirEntry::metadata` does not follow links.
            let Ok(metadata) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
            if metadata.is_dir() && metadata.dev() == device {
                waiting.push(entry.path());
            }
        }
    }
    Some(bytes)
}

/// Size and used space of the file system that holds `path`, in bytes. Blocks.
pub fn file_system(path: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(path)?;
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    Ok((total, total.saturating_sub(stat.f_bfree.saturating_mul(stat.f_frsize))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_directory_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        fs::write(root.path().join("sub/file"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/usr", root.path().join("link")).unwrap();
        let size = directory_size(root.path()).unwrap();
        assert!((100_000..1_000_000).contains(&size), "{size}");
        assert_eq!(directory_size(Path::new("/nonexistent")), None);
    }

    #[test]
    fn the_file_system_has_a_size() {
        let (total, used) = file_system(Path::new("/")).unwrap();
        assert!(total > 0 && used <= total);
    }
}
