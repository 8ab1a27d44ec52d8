//! E-mail addresses, as far as they can be judged without sending anything.

/// The address in lower case.
pub fn email(text: &str) -> Result<String, String> {
    let text = text.trim();
    let form = || "must be an e-mail address such as name@example.com.".to_owned();
    if text.len() > 254 {
        return Err("may have at most 254 characters.".to_owned());
    }
    let (local, domain) = text.rsplit_once('@').ok_or_else(form)?;
    let strange =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\' | '<' | '>' | '"' | '@' | ',' | ';');
    if local.is_empty() || local.len() > 64 || text.contains(char::is_control) || local.contains(strange) {
        return Err(form());
    }
    let labels_fine = domain
        .split('.')
        .all(|label| !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    if !labels_fine {
        return Err(form());
    }
    Ok(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::email;

    #[test]
    fn addresses_come_back_in_lower_case() {
        assert_eq!(email(" Ann@Example.COM "), Ok("ann@example.com".to_owned()));
        assert_eq!(email("admin@localhost"), Ok("admin@localhost".to_owned()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "a/b@example.com",
            "a\u{7}@example.com",
            "a b@c.de",
            "a@b..c",
            "a@b@c\n",
        ] {
            assert!(email(text).is_err(), "{text:?}");
        }
    }
}
