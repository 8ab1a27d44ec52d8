//! Splits a command line into words, as a shell would, and does nothing else that a shell does: no variables, no
//! patterns, no pipes, no substitution.

/// Words separated by spaces. `'…'` and `"…"` keep spaces; a backslash takes the next character as it is
/// (inside `"…"` only `"` and `\`). Errors are sentences.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    // None between words: `''` is a word, though an empty one.
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => single_quoted(&mut rest, word.get_or_insert_default())?,
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => match rest.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("ends with a backslash; write two for one".to_owned()),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), String> {
    for c in rest {
        if c == '\'' {
            return Ok(());
        }
        word.push(c);
    }
    Err("a single quote (') is opened and never closed".to_owned())
}

fn double_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), String> {
    let mut escaped = false;
    for c in rest {
        match c {
            '"' | '\\' if escaped => {
                word.push(c);
                escaped = false;
            }
            c if escaped => {
                word.push('\\');
                word.push(c);
                escaped = false;
            }
            '"' => return Ok(()),
            '\\' => escaped = true,
            c => word.push(c),
        }
    }
    Err("a double quote (\") is opened and never closed".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        for (line, words) in [
            ("", vec![]),
            ("  \t ", vec![]),
            ("a  b", vec!["a", "b"]),
            ("java -jar 'my server.jar'", vec!["java", "-jar", "my server.jar"]),
            (r#"say "it's \"fine\" \n""#, vec!["say", "it's \"fine\" \\n"]),
            (r"a\ b c\\d", vec!["a b", "c\\d"]),
            ("''", vec![""]),
            ("a'b'\"c\"d", vec!["abcd"]),
            (
                "echo $HOME `id` $(id) ; rm | * > x",
                vec!["echo", "$HOME", "`id`", "$(id)", ";", "rm", "|", "*", ">", "x"],
            ),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line:?}");
        }
    }

    #[test]
    fn what_is_left_open_is_an_error() {
        for line in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(line).is_err(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec(any::<String>(), 0..6)) {
            let quoted: Vec<_> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&quoted.join(" ")).unwrap(), words);
        }

        #[test]
        fn any_text_is_answered(line in any::<String>()) {
            let _ = split(&line);
        }
    }
}
