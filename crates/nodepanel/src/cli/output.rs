//! Printing: tables for people, JSON for scripts. Text from elsewhere loses its control characters, so that a server's
//! name cannot paint the terminal.
//!
//! Nothing here panics: output that nobody reads any more (`| head`) ends the command quietly, as it does other programs.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use serde::Serialize;

use crate::exit::{Exit, Refusal};

/// Prints one line to standard output.
///
/// # Errors
///
/// A `Refusal` without a message when the reader is gone; what the system said when the line cannot be written.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// Prints bytes to standard output as they are.
pub fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

/// Says something beside the output, to standard error. Whether anybody hears it changes nothing.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says something to whoever started a process that goes on whether or not it is heard.
pub fn tell(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn written(outcome: io::Result<()>) -> anyhow::Result<()> {
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Refusal { exit: Exit::ClosedPipe, message: String::new() }.into(),
        _ => anyhow::anyhow!("the output cannot be written: {error}"),
    })
}

/// Prints a value as one JSON document.
pub fn json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints columns under their headings, or a sentence when there is nothing.
pub fn table(headings: &[&str], rows: &[Vec<String>], nothing: &str) -> anyhow::Result<()> {
    if rows.is_empty() {
        return line(nothing);
    }
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let row_of = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        line(padded.join("  ").trim_end())
    };
    row_of(&mut headings.iter().copied())?;
    for row in &rows {
        row_of(&mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

/// The text without what a terminal would act on.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_cannot_paint_the_terminal() {
        assert_eq!(super::plain("a\u{1b}[31mb\u{7}\n"), "a[31mb");
    }
}
