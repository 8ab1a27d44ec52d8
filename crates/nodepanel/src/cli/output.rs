//! Printing: tables for people, JSON for scripts. Text from elsewhere loses its control characters, so that a server's
//! name cannot paint the terminal.

use serde::Serialize;

/// Prints a value as one JSON document.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints columns under their headings, or a sentence when there is nothing.
pub fn table(headings: &[&str], rows: &[Vec<String>], nothing: &str) {
    if rows.is_empty() {
        println!("{nothing}");
        return;
    }
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(&mut headings.iter().copied());
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
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
