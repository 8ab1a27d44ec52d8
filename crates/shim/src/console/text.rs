//! From a game's bytes to lines of text: the one place through which game output passes.
//!
//! Whatever a game writes, what comes out is valid UTF-8 of at most `limits::CONSOLE_LINE_BYTES` bytes a line, in
//! which the only control characters are TAB and ESC, and every ESC begins a complete colour sequence
//! (`ESC [ digits ; : m`). Titles, cursor movement, queries to the terminal, clipboard access and all else that a
//! terminal could be made to do is dropped here, once, for every reader.
//!
//! ```text
//!            ESC            [                 0x20..0x3f
//!   Text ───────────▶ Esc ─────▶ Csi ◀──────────────────┐
//!    ▲ ▲               │  │       │ └──────────────────┘
//!    │ └─ any other ───┘  │       │ final byte: keep if it is `m`, drop otherwise
//!    │                    │ ] P X ^ _
//!    │   BEL or ESC \     ▼
//!    └──────────────── String (dropped)          LF ends a line and every sequence
//! ```

use nodepanel_types::limits::CONSOLE_LINE_BYTES;
use serde::{Deserialize, Serialize};

/// The longest colour sequence that is kept, in bytes.
const COLOUR_BYTES: usize = 64;

/// Cuts a stream of bytes into clean lines. What it holds between two reads can be handed on as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineCutter {
    state: State,
    /// The line so far: no control bytes but TAB and ESC, not yet checked to be UTF-8.
    line: Vec<u8>,
    /// The sequence that is being read.
    sequence: Vec<u8>,
    /// A carriage return was read; what it means depends on the next byte.
    returned: bool,
    /// The beginning of this line was already given away; a line end that follows at once ends that line.
    flushed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Text,
    Esc,
    Csi,
    String,
    StringEsc,
}

impl LineCutter {
    pub(crate) fn new() -> Self {
        Self { state: State::Text, line: Vec::new(), sequence: Vec::new(), returned: false, flushed: false }
    }

    /// Takes bytes and gives every line that they end to `emit`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(String)) {
        while let Some(&byte) = bytes.first() {
            if self.state == State::Text {
                let plain = bytes.iter().position(|byte| is_control(*byte)).unwrap_or(bytes.len());
                if plain > 0 {
                    let (text, rest) = bytes.split_at(plain);
                    self.push(text, emit);
                    bytes = rest;
                    continue;
                }
            }
            self.step(byte, emit);
            bytes = bytes.get(1..).unwrap_or_default();
        }
    }

    /// Whether part of a line is waiting for its end.
    pub(crate) fn has_partial(&self) -> bool {
        !self.line.is_empty()
    }

    /// Gives away the beginning of a line whose end does not come: a prompt, for example.
    pub(crate) fn flush(&mut self, emit: &mut impl FnMut(String)) {
        if !self.line.is_empty() {
            // The beginning of a character stays for the rest of it, unless it is all that there is.
            let tail = match incomplete_tail(&self.line) {
                tail if tail < self.line.len() => self.line.split_off(self.line.len() - tail),
                _ => Vec::new(),
            };
            self.give(emit);
            self.line = tail;
            self.flushed = true;
        }
    }

    fn step(&mut self, byte: u8, emit: &mut impl FnMut(String)) {
        if byte == b'\n' {
            self.end_line(emit);
            return;
        }
        match self.state {
            State::Text => self.text(byte, emit),
            State::Esc => {
                self.state = match byte {
                    b'[' => {
                        self.sequence.clear();
                        self.sequence.extend_from_slice(b"\x1b[");
                        State::Csi
                    }
                    b']' | b'P' | b'X' | b'^' | b'_' => State::String,
                    // Two-byte sequences, and those with one more byte such as `ESC ( B`.
                    b'(' | b')' | b'*' | b'+' | b'#' | b'%' | b' ' | 0x1b => State::Esc,
                    _ => State::Text,
                }
            }
            State::Csi => self.csi(byte, emit),
            State::String => match byte {
                0x07 => self.state = State::Text,
                0x1b => self.state = State::StringEsc,
                _ => {}
            },
            State::StringEsc => {
                self.state = match byte {
                    b'\\' | 0x07 => State::Text,
                    0x1b => State::StringEsc,
                    _ => State::String,
                }
            }
        }
    }

    fn text(&mut self, byte: u8, emit: &mut impl FnMut(String)) {
        match byte {
            b'\r' => self.returned = true,
            0x1b => self.state = State::Esc,
            b'\t' => self.push(b"\t", emit),
            byte if is_control(byte) => {}
            byte => self.push(&[byte], emit),
        }
    }

    fn csi(&mut self, byte: u8, emit: &mut impl FnMut(String)) {
        match byte {
            b'0'..=b'9' | b';' | b':' if self.sequence.len() < COLOUR_BYTES - 1 => self.sequence.push(byte),
            // A sequence of another kind, or too long to be a colour: spoilt, dropped at its end.
            0x20..=0x3f => self.sequence.clear(),
            0x40..=0x7e => {
                self.state = State::Text;
                if byte == b'm' && !self.sequence.is_empty() {
                    let mut colour = std::mem::take(&mut self.sequence);
                    colour.push(b'm');
                    if self.line.len() + colour.len() > CONSOLE_LINE_BYTES {
                        self.give(emit);
                    }
                    // A colour alone overwrites nothing: the carriage return before it waits on.
                    self.line.extend_from_slice(&colour);
                    colour.clear();
                    self.sequence = colour;
                }
            }
            0x1b => self.state = State::Esc,
            // Control and non-ASCII bytes do not belong into a sequence.
            _ => {
                self.state = State::Text;
                self.text(byte, emit);
            }
        }
    }

    /// Adds text that holds no control byte but TAB.
    fn push(&mut self, mut text: &[u8], emit: &mut impl FnMut(String)) {
        if std::mem::take(&mut self.returned) {
            // A progress display writes its line again: only what it shows at last is a line.
            self.line.clear();
        }
        loop {
            let room = CONSOLE_LINE_BYTES - self.line.len();
            if text.len() <= room {
                self.line.extend_from_slice(text);
                return;
            }
            let (now, rest) = text.split_at(room);
            self.line.extend_from_slice(now);
            let tail = incomplete_tail(&self.line);
            let tail = self.line.split_off(self.line.len() - tail);
            self.give(emit);
            self.line = tail;
            text = rest;
        }
    }

    fn end_line(&mut self, emit: &mut impl FnMut(String)) {
        self.state = State::Text;
        self.returned = false;
        if self.line.is_empty() && self.flushed {
            self.flushed = false;
        } else {
            self.give(emit);
        }
    }

    /// Gives away what has been collected, as valid text.
    fn give(&mut self, emit: &mut impl FnMut(String)) {
        self.flushed = false;
        let bytes = std::mem::take(&mut self.line);
        let mut text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        if text.chars().any(is_c1) {
            text.retain(|character| !is_c1(character));
        }
        // Replacement characters are longer than what they replace.
        while text.len() > CONSOLE_LINE_BYTES {
            let rest = text.split_off(cut(&text));
            emit(text);
            text = rest;
        }
        emit(text);
    }
}

/// Text without its colour sequences, for matching. `text` must have come from a [`LineCutter`].
pub(crate) fn without_colours(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\x1b') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split('\x1b');
    plain.extend(pieces.next());
    plain.extend(pieces.map(|piece| piece.split_once('m').map_or("", |(_, rest)| rest)));
    plain.into()
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// The control characters of the second half of Latin-1: some terminals obey them too.
fn is_c1(character: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&character)
}

/// How many bytes at the end are the beginning of a UTF-8 character whose rest is missing.
fn incomplete_tail(bytes: &[u8]) -> usize {
    for length in 1..=bytes.len().min(3) {
        let Some(&byte) = bytes.get(bytes.len() - length) else { return 0 };
        let whole = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if whole > length { length } else { 0 };
    }
    0
}

/// Where to cut text that is too long: on a character boundary and not inside a colour sequence.
fn cut(text: &str) -> usize {
    let end = (0..=CONSOLE_LINE_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let (head, _) = text.split_at(end);
    match head.rfind('\x1b') {
        Some(escape) if !head.split_at(escape).1.contains('m') && escape > 0 => escape,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let mut cutter = LineCutter::new();
        let mut lines = Vec::new();
        for chunk in chunks {
            cutter.feed(chunk, &mut |line| lines.push(line));
        }
        cutter.flush(&mut |line| lines.push(line));
        lines
    }

    #[test]
    fn line_ends_of_every_kind_end_lines() {
        assert_eq!(lines_of(&[b"a\nb\r\n\nc\r", b"\nlast"]), ["a", "b", "", "c", "last"]);
    }

    #[test]
    fn a_progress_display_leaves_its_last_state() {
        assert_eq!(lines_of(&[b"10%\r20%\r", b"\x1b[K30%\r\ndone\n"]), ["30%", "done"]);
    }

    #[test]
    fn a_prompt_that_was_given_away_does_not_leave_an_empty_line() {
        let mut cutter = LineCutter::new();
        let mut lines = Vec::new();
        cutter.feed(b"> ", &mut |line| lines.push(line));
        assert!(cutter.has_partial());
        cutter.flush(&mut |line| lines.push(line));
        cutter.feed(b"\nnext\n\n", &mut |line| lines.push(line));
        assert_eq!(lines, ["> ", "next", ""]);
    }

    #[test]
    fn colours_stay_and_everything_else_a_terminal_obeys_goes() {
        let hostile = b"\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[2J\x1b[1;1H\x1bP+q544e\x1b\\\x1b]52;c;cGF5\x1b\\\
            \x1b[6n\x1b[?1049h\x08\x07\x1b(Bx\xc2\x9b31my\t\x1bcz\n";
        assert_eq!(lines_of(&[hostile]), ["\x1b[31mred\x1b[0mx31my\tz"]);
        assert_eq!(without_colours("\x1b[31mred\x1b[0m and \x1b[1;2mbold"), "red and bold");
    }

    #[test]
    fn a_sequence_without_end_swallows_no_more_than_its_line() {
        assert_eq!(lines_of(&[b"a\x1b]0;title\nb\x1b[31\nc\n"]), ["a", "b", "c"]);
    }

    #[test]
    fn too_long_lines_are_split_between_characters() {
        let text = "ä".repeat(CONSOLE_LINE_BYTES);
        let lines = lines_of(&[text.as_bytes(), b"\n"]);
        assert_eq!(lines.concat(), text);
        assert!(lines.iter().all(|line| line.len() <= CONSOLE_LINE_BYTES));
        let odd = format!("x{text}\n");
        assert_eq!(lines_of(&[odd.as_bytes()]).concat(), odd.trim_end());
        // Every invalid byte becomes three.
        let invalid = vec![0xff; CONSOLE_LINE_BYTES + 1];
        let lines = lines_of(&[&invalid, b"\n"]);
        assert!(lines.iter().all(|line| line.len() <= CONSOLE_LINE_BYTES));
        assert_eq!(lines.concat(), "\u{fffd}".repeat(CONSOLE_LINE_BYTES + 1));
    }

    /// Removes complete colour sequences; what is left of ESC is a fault.
    fn residue(line: &str, colours: &regex::Regex) -> String {
        colours.replace_all(line, "").into_owned()
    }

    fn terminal_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..8),
            Just(b"\x1b[".to_vec()),
            Just(b"\x1b]".to_vec()),
            Just(b"\x1bP".to_vec()),
            Just(b"\x1b\\".to_vec()),
            Just(b"1;31m".to_vec()),
            Just(b"\x1b[38;2;1;2;3m".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\n".to_vec()),
            Just("é\u{9b}\u{1f600}".as_bytes().to_vec()),
            Just(vec![b'x'; 3000]),
            Just(vec![0xfe; 1500]),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_a_game_writes_only_text_and_colour_come_out(bytes in terminal_bytes(), size in 1_usize..64) {
            let mut cutter = LineCutter::new();
            let mut lines = Vec::new();
            for chunk in bytes.chunks(size) {
                cutter.feed(chunk, &mut |line| lines.push(line));
            }
            cutter.flush(&mut |line| lines.push(line));
            let colours = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap();
            for line in &lines {
                prop_assert!(line.len() <= CONSOLE_LINE_BYTES);
                let left = residue(line, &colours);
                prop_assert!(!left.chars().any(|c| c.is_control() && c != '\t'), "{:?}", line);
                prop_assert!(!without_colours(line).contains('\x1b'));
            }
        }

        #[test]
        fn how_the_bytes_arrive_changes_nothing(bytes in terminal_bytes(), size in 1_usize..64) {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(lines_of(&chunks), lines_of(&[&bytes]));
        }
    }
}
