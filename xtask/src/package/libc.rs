//! Which C library a binary needs, as the names of the symbol versions in it say.

/// Before the version in the name of a symbol version of glibc.
const PREFIX: &[u8] = b"GLIBC_";

/// The oldest glibc with all that `binary` links to, for example `2.34`; `None` when it uses none of it.
pub fn oldest(binary: &[u8]) -> Option<String> {
    let versions = binary.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let (major, minor) = versions
        .filter_map(|(at, _)| {
            let rest = binary.get(at + PREFIX.len()..)?;
            // Such a name is a string of its own, which a zero ends; what only speaks of one is passed over.
            let end = rest.iter().take(16).position(|byte| *byte == 0)?;
            let text = std::str::from_utf8(rest.get(..end)?).ok()?;
            let mut numbers = text.split('.').map(str::parse::<u32>);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .max()?;
    Some(format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_the_versions_counts() {
        assert_eq!(oldest(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0").as_deref(), Some("2.34"));
        assert_eq!(oldest(b"speaks of GLIBC_9.99 only\0GLIBC_2.3\0").as_deref(), Some("2.3"));
        assert_eq!(oldest(b"GLIBC_PRIVATE\0"), None);
    }
}
