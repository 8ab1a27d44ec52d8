//! Lists of ports such as `25565-25600,27015`.

use std::collections::BTreeSet;

/// The most ports in one request.
const AT_ONCE: usize = 10_000;

/// The ports in order, without repetitions.
pub fn port_ranges(text: &str) -> Result<BTreeSet<u16>, String> {
    let mut ports = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').map_or((part, part), |(first, last)| (first.trim(), last.trim()));
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(format!("{part}: a range begins with its smaller number, {last}-{first}."));
        }
        ports.extend(first..=last);
        if ports.len() > AT_ONCE {
            return Err(format!("at most {AT_ONCE} ports can be added at once."));
        }
    }
    Ok(ports)
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port >= 1_024 => Ok(port),
        Ok(_) => Err(format!("{text} is out of range: ports below 1024 are the system's; use 1024 to 65535.")),
        Err(_) if text.is_empty() => Err("a port is missing; write for example 25565-25600,27015.".to_owned()),
        Err(_) => Err(format!("“{text}” is no port; write numbers from 1024 to 65535, for example 25565-25600,27015.")),
    }
}

#[cfg(test)]
mod tests {
    use super::port_ranges;

    #[test]
    fn ranges_and_single_ports_add_up() {
        let ports = port_ranges("25565-25567, 27015,25566").unwrap();
        assert_eq!(ports.into_iter().collect::<Vec<_>>(), [25565, 25566, 25567, 27015]);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        assert!(port_ranges("80").unwrap_err().contains("out of range"));
        assert!(port_ranges("70000").unwrap_err().contains("70000"));
        assert!(port_ranges("2000-1900").unwrap_err().contains("1900-2000"));
        for text in ["", ",", "a", "-", "1024-", "1024-65535"] {
            assert!(port_ranges(text).is_err(), "{text:?}");
        }
    }
}
