//! Reading a test runner's own closing lines: how many tests passed, failed and were left out.
//!
//! Understands libtest (`cargo test`), nextest, vitest and Node's test runner. Pure; never guesses: output
//! without a closing line that one of them writes has no tally.

/// What a runner reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, were stopped at their time limit, or could not be started.
    pub failed: u64,
    /// Tests that the runner left out.
    pub skipped: u64,
}

impl Tally {
    /// The sum of two reports.
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// A tally and the lines it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The sums.
    pub tally: Tally,
    /// The runner's own closing lines, without colours.
    pub closing: Vec<String>,
}

/// Reads the closing lines in a runner's output; `None` when there are none.
pub fn read(output: &str) -> Option<Report> {
    let mut report = Report::default();
    let mut closed = false;
    for line in output.lines() {
        let line = without_colours(line);
        let line = line.trim();
        if let Some(tally) = libtest(line).or_else(|| nextest(line)).or_else(|| vitest(line)).or_else(|| node(line)) {
            report.tally = report.tally.plus(tally);
            closed = true;
            // libtest closes once per crate, and most crates have no documentation examples.
            if tally != Tally::default() || !line.starts_with("test result: ok. 0") {
                report.closing.push(line.to_owned());
            }
        }
    }
    closed.then_some(report)
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn libtest(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    Some(count(counts.split("; "), &["passed"], &["failed"], &["ignored"]))
}

/// `Summary [   5.061s] 16 tests run: 14 passed (1 slow), 1 failed, 1 timed out, 3 skipped`
fn nextest(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("Summary [")?.split_once("run: ")?.1;
    let counts = without_parentheses(counts);
    Some(count(counts.split(", "), &["passed"], &["failed", "exec failed", "timed out"], &["skipped"]))
}

/// `Tests  1 failed | 3 passed | 1 skipped | 2 todo (7)`
fn vitest(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("Tests  ")?;
    let counts = without_parentheses(counts);
    Some(count(counts.split('|'), &["passed"], &["failed"], &["skipped", "todo"]))
}

/// One of `ℹ pass 2`, `ℹ fail 1`, `ℹ cancelled 0`, `ℹ skipped 0`, `ℹ todo 0`, with `#` in the TAP form.
fn node(line: &str) -> Option<Tally> {
    let (word, number) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "))?.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "pass" => Some(Tally { passed: number, ..Tally::default() }),
        "fail" | "cancelled" => Some(Tally { failed: number, ..Tally::default() }),
        "skipped" | "todo" => Some(Tally { skipped: number, ..Tally::default() }),
        _ => None,
    }
}

fn count<'a>(counts: impl Iterator<Item = &'a str>, passed: &[&str], failed: &[&str], skipped: &[&str]) -> Tally {
    let mut tally = Tally::default();
    for part in counts {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        let word = word.trim();
        if passed.contains(&word) {
            tally.passed += number;
        } else if failed.contains(&word) {
            tally.failed += number;
        } else if skipped.contains(&word) {
            tally.skipped += number;
        }
    }
    tally
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    // "14 passed (1 slow), 2 failed" leaves a space before the comma.
    kept.replace(" ,", ",")
}

fn without_colours(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // A colour is ESC [ ... m; whatever else a sequence ends with is also a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        read(output).unwrap().tally
    }

    #[test]
    fn libtest_binaries_are_summed() {
        let output = "running 2 tests\ntest a ... ok\n\n\
            test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.10s\n";
        assert_eq!(tally(output), Tally { passed: 7, failed: 3, skipped: 1 });
        assert_eq!(read(output).unwrap().closing.len(), 2);
    }

    #[test]
    fn nextest_counts_every_kind_of_failure() {
        let good = "     Summary [   0.004s] 3 tests run: 3 passed, 0 skipped";
        assert_eq!(tally(good), Tally { passed: 3, failed: 0, skipped: 0 });
        let bad = "\u{1b}[31;1m     Summary\u{1b}[0m [   5.061s] \u{1b}[1m16\u{1b}[0m tests run: \
            \u{1b}[1m12\u{1b}[0m passed (1 slow, 1 leaky), 2 failed, 1 exec failed, 1 timed out, 3 skipped";
        assert_eq!(tally(bad), Tally { passed: 12, failed: 4, skipped: 3 });
        let stopped = "     Summary [   5.061s] 5/16 tests run: 4 passed, 1 failed, 3 skipped";
        assert_eq!(tally(stopped), Tally { passed: 4, failed: 1, skipped: 3 });
    }

    #[test]
    fn vitest_counts_tests_not_files() {
        let output = "\n Test Files  1 failed | 2 passed (3)\n      Tests  1 failed | 3 passed | 1 skipped (5)\n\
            \n   Start at  10:00:00\n   Duration  1.20s\n";
        assert_eq!(tally(output), Tally { passed: 3, failed: 1, skipped: 1 });
        assert_eq!(read(output).unwrap().closing, ["Tests  1 failed | 3 passed | 1 skipped (5)"]);
    }

    #[test]
    fn node_counts_cancelled_tests_as_failed() {
        let output = "✔ a (1ms)\nℹ tests 7\nℹ suites 0\nℹ pass 3\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo 1\n";
        assert_eq!(tally(output), Tally { passed: 3, failed: 2, skipped: 2 });
        assert_eq!(tally(&output.replace('ℹ', "#")), Tally { passed: 3, failed: 2, skipped: 2 });
    }

    #[test]
    fn no_closing_line_is_no_tally() {
        assert_eq!(read("error: could not compile `nodepanel`\n5 passed"), None);
        assert_eq!(read(""), None);
    }
}
