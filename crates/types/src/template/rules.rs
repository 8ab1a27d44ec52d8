//! What names, paths and lines of a template may look like. Errors are sentences about the value.

/// A slug: `[a-z0-9-]{1,40}`.
pub(super) fn slug(text: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    check((1..=40).contains(&text.len()) && text.bytes().all(good), "must be 1 to 40 of a-z, 0-9 and -")
}

/// The key of a variable.
pub(super) fn variable_key(text: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    check(
        text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(good),
        "must be at most 64 of A-Z, 0-9 and _, beginning with a letter",
    )
}

/// The name of a port.
pub(super) fn port_name(text: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    check(
        text.len() <= 32 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(good),
        "must be at most 32 of a-z, 0-9 and _, beginning with a letter",
    )
}

/// A Debian package: the form that dpkg allows, so that it can never be read as an option of apt.
pub(super) fn package(text: &str) -> Result<(), String> {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = |byte: u8| first(byte) || matches!(byte, b'+' | b'.' | b'-');
    let good = match text.as_bytes().split_first() {
        // apt reads a trailing `+` or `-` as "install" or "remove".
        Some((head, tail)) => {
            first(*head) && !tail.is_empty() && tail.iter().copied().all(rest) && !text.ends_with('-')
        }
        None => false,
    };
    check(good && text.len() <= 100, "is no name of a Debian package")
}

/// The name of a program in `PATH`.
pub(super) fn program(text: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b'_');
    check(
        (1..=100).contains(&text.len()) && text.bytes().all(good) && !text.starts_with(['.', '-']),
        "must be the name of a program, without a directory",
    )
}

/// The name of an environment variable.
pub(super) fn env_name(text: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    check(
        (1..=128).contains(&text.len()) && text.bytes().all(good) && !text.starts_with(|c: char| c.is_ascii_digit()),
        "must be a name of A-Z, a-z, 0-9 and _, not beginning with a digit",
    )
}

/// A path below the server's directory.
pub(super) fn relative_path(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.starts_with('/') {
        return Err("must be relative to the server's directory".to_owned());
    }
    path_parts(text)
}

/// A path anywhere but everywhere.
pub(super) fn absolute_path(text: &str) -> Result<(), String> {
    let Some(rest) = text.strip_prefix('/') else { return Err("must begin with a slash".to_owned()) };
    if rest.is_empty() {
        return Err("must not be the whole file system".to_owned());
    }
    path_parts(rest)
}

fn path_parts(text: &str) -> Result<(), String> {
    if text.len() > 1_024 {
        return Err("must have at most 1,024 bytes".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must have no control characters".to_owned());
    }
    for part in text.split('/') {
        match part {
            "" => return Err("must have no empty part: two slashes in a row, or one at the end".to_owned()),
            "." | ".." => return Err(format!("must have no part \"{part}\"")),
            part if part.len() > 255 => return Err("must have no part of more than 255 bytes".to_owned()),
            _ => {}
        }
    }
    Ok(())
}

/// One line for people, of at most `max` characters.
pub(super) fn line(max: usize) -> impl Fn(&str) -> Result<(), String> {
    move |text| {
        if text.trim().is_empty() {
            return Err("must not be empty".to_owned());
        }
        optional_line(max)(text)
    }
}

/// As [`line`], or nothing.
pub(super) fn optional_line(max: usize) -> impl Fn(&str) -> Result<(), String> {
    move |text| {
        if text.chars().any(breaks_out_of_a_line) {
            return Err("must have no control characters".to_owned());
        }
        check(text.chars().nth(max).is_none(), &format!("must have at most {max} characters"))
    }
}

/// Control characters, and the two that some notations read as the end of a line.
pub(super) fn breaks_out_of_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A text that the operating system can pass on as an argument.
pub(super) fn no_nul(text: &str) -> Result<(), String> {
    check(!text.contains('\0'), "must have no NUL character")
}

/// Signals that ask a program to end, by name.
pub(super) const SIGNALS: [(&str, i32); 6] =
    [("SIGTERM", 15), ("SIGINT", 2), ("SIGHUP", 1), ("SIGQUIT", 3), ("SIGUSR1", 10), ("SIGUSR2", 12)];

fn check(good: bool, message: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(message.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_directory() {
        for good in ["server.js", "a/b.cfg", ".config/x y", "...", "a..b"] {
            assert_eq!(relative_path(good), Ok(()), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../x", "a/..", "./a", "a//b", "a/", "a\0b", "a\nb", "a/\u{1b}"] {
            assert!(relative_path(bad).is_err(), "{bad:?}");
        }
        assert!(absolute_path("/").is_err());
        assert!(absolute_path("/usr/../etc").is_err());
        assert!(absolute_path("usr").is_err());
        assert_eq!(absolute_path("/usr/share/games"), Ok(()));
    }

    #[test]
    fn packages_are_never_options() {
        for good in ["openttd", "libstdc++6", "g++", "lib32gcc-s1", "fonts-liberation2"] {
            assert_eq!(package(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "-y", "--reinstall", "sudo-", "A", "a b", "a=1", "a/sid", "./x.deb", "a;b", "a:i386"] {
            assert!(package(bad).is_err(), "{bad:?}");
        }
    }
}
