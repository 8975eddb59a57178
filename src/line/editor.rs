//! From received bytes to typed lines: what a terminal's line discipline does, and the little of telnet
//! (RFC 854, 855, 860, 1123) that a line protocol needs.
//!
//! A byte passes three layers: telnet commands are taken out, UTF-8 is decoded, escape sequences are
//! dropped; what is left edits the line. Each layer keeps its place, so input may be cut anywhere. What a
//! line means is not known here.

mod escape;
mod telnet;

use unicode_segmentation::UnicodeSegmentation;

use escape::EscapeFilter;
use telnet::{Fed, Telnet};

/// Stands before a text that some programs of Windows write; it is no part of it.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// What Ctrl-D sends.
const END_OF_TRANSMISSION: u8 = 4;

/// Erasing looks at so many bytes at the most: what it costs does not grow with the line.
const MAX_ERASED_BYTES: usize = 256;

/// What [`LineEditor::edit`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// A line, without its ending and without any control character but tab.
    Line(String),
    /// The same, with U+FFFD in it for bytes that are not UTF-8.
    NotUtf8(String),
    /// The peer ends its input, and has not begun another line.
    EndOfInput,
    /// A line that had more bytes than allowed; what it was is not kept.
    TooLong,
}

/// Turns received bytes into lines.
///
/// Between two lines it keeps nothing, unless its peer negotiates as telnets do.
#[derive(Default)]
pub struct LineEditor {
    state: Option<Box<State>>,
}

/// What is kept in the middle of a line.
#[derive(Default, PartialEq)]
struct State {
    line: String,
    /// The line has outgrown its limit; the rest of it is not kept.
    is_too_long: bool,
    /// Some U+FFFD of the line stands for bytes that are not UTF-8, unless it was erased.
    is_malformed: bool,
    /// The last character was a CR: an LF or NUL right after it belongs to it.
    follows_carriage_return: bool,
    telnet: Telnet,
    utf8: PartialCharacter,
    escape: EscapeFilter,
}

/// The first bytes of a character that is not complete yet.
#[derive(Default, PartialEq)]
struct PartialCharacter {
    bytes: [u8; 3],
    length: u8,
}

impl LineEditor {
    /// Takes bytes until a line is complete: tells how many were taken, and the line. What a telnet has to
    /// be told is appended to `answers`.
    ///
    /// A line has at the most `limit_bytes` of UTF-8.
    pub fn edit(&mut self, bytes: &[u8], limit_bytes: usize, answers: &mut Vec<u8>) -> (usize, Option<Typed>) {
        let mut state = self.state.take().unwrap_or_default();
        let mut position = 0;
        let mut typed = None;
        while typed.is_none() && position < bytes.len() {
            let plain = state.plain_bytes(&bytes[position..]);
            if plain.is_empty() {
                typed = state.take_byte(bytes[position], limit_bytes, answers);
                position += 1;
            } else {
                state.follows_carriage_return = false;
                state.append(plain, limit_bytes);
                position += plain.len();
            }
        }
        if state.follows_carriage_return && matches!(bytes.get(position), Some(b'\n' | b'\0')) {
            state.follows_carriage_return = false;
            position += 1;
        }
        if *state != State::default() {
            self.state = Some(state);
        }
        (position, typed)
    }

    /// The peer sends no more: what it typed last is a line even without an ending.
    pub fn finish(&mut self, limit_bytes: usize) -> Option<Typed> {
        let mut state = self.state.take()?;
        if state.utf8.length > 0 && state.escape.is_idle() {
            state.append_replacement(limit_bytes);
        }
        state.utf8 = PartialCharacter::default();
        state.is_within_line().then(|| state.take_line())
    }

    /// Whether `bytes` may complete a line or end the input; if not, they certainly do not.
    pub fn may_complete_line(&self, bytes: &[u8]) -> bool {
        // With a character or a command begun in between, the next byte follows that.
        let is_right_after_carriage_return = self
            .state
            .as_ref()
            .is_some_and(|state| state.follows_carriage_return && state.utf8.length == 0 && state.telnet.is_idle());
        let rest = match bytes {
            [b'\n', rest @ ..] if is_right_after_carriage_return => rest,
            bytes => bytes,
        };
        let is_within_command = self.state.as_ref().is_some_and(|state| !state.telnet.is_idle());
        rest.iter().any(|byte| matches!(*byte, b'\n' | b'\r' | END_OF_TRANSMISSION))
            || telnet::may_end_input(is_within_command, bytes)
    }

    /// Has the peer show nothing of what is typed, if it speaks telnet. Returns whether it does.
    pub fn hide_echo(&mut self, answers: &mut Vec<u8>) -> bool {
        self.state.as_mut().is_some_and(|state| state.telnet.hide_echo(answers))
    }

    /// Has it show again what is typed. Returns whether it did not: then it has not shown the line's ending either.
    pub fn show_echo(&mut self, answers: &mut Vec<u8>) -> bool {
        self.state.as_mut().is_some_and(|state| state.telnet.show_echo(answers))
    }

    /// Whether [`finish`](Self::finish) may find something.
    pub fn is_within_line(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.is_within_line())
    }

    #[cfg(test)]
    fn held_bytes(&self) -> usize {
        self.state.as_ref().map_or(0, |state| size_of::<State>() + state.line.capacity() + state.telnet.held_bytes())
    }
}

impl State {
    fn is_within_line(&self) -> bool {
        !self.line.is_empty() || self.is_too_long || self.utf8.length > 0
    }

    /// The printable ASCII characters that `bytes` begins with, if they mean nothing but themselves.
    fn plain_bytes<'a>(&self, bytes: &'a [u8]) -> &'a str {
        if !self.telnet.is_idle() || self.utf8.length > 0 || !self.escape.is_idle() {
            return "";
        }
        let count = bytes.iter().take_while(|byte| matches!(byte, b' '..=b'~')).count();
        str::from_utf8(&bytes[..count]).unwrap_or("")
    }

    fn take_byte(&mut self, byte: u8, limit_bytes: usize, answers: &mut Vec<u8>) -> Option<Typed> {
        match self.telnet.feed(byte, answers) {
            Fed::Nothing => None,
            Fed::Data(byte) => self.decode(byte, limit_bytes),
            Fed::NoCommand(byte) => {
                // A 0xFF that begins no telnet command ends no line; the byte after it may.
                self.decode(telnet::IAC, limit_bytes);
                self.decode(byte, limit_bytes)
            }
            Fed::Interrupt | Fed::EraseLine => {
                self.drop_line();
                None
            }
            Fed::EndOfFile => self.end_input(),
            Fed::Abort => {
                let end = self.end_input();
                self.drop_line();
                end
            }
            Fed::EraseCharacter => {
                match self.utf8.length {
                    0 => erase_character(&mut self.line),
                    _ => self.utf8 = PartialCharacter::default(),
                }
                None
            }
        }
    }

    /// Decodes UTF-8; each longest part of a character that cannot be completed becomes one U+FFFD.
    fn decode(&mut self, byte: u8, limit_bytes: usize) -> Option<Typed> {
        let length = usize::from(self.utf8.length);
        let mut bytes = [0; 4];
        bytes[..length].copy_from_slice(&self.utf8.bytes[..length]);
        bytes[length] = byte;
        match str::from_utf8(&bytes[..=length]) {
            Ok(decoded) => {
                self.utf8 = PartialCharacter::default();
                decoded.chars().next().and_then(|character| self.take_character(character, limit_bytes))
            }
            Err(error) if error.error_len().is_none() => {
                self.utf8.bytes[length] = byte;
                self.utf8.length += 1;
                None
            }
            Err(_) => {
                self.utf8 = PartialCharacter::default();
                self.take_malformed(limit_bytes);
                if length > 0 { self.decode(byte, limit_bytes) } else { None }
            }
        }
    }

    fn take_malformed(&mut self, limit_bytes: usize) {
        self.follows_carriage_return = false;
        if !self.escape.swallows(char::REPLACEMENT_CHARACTER) {
            self.append_replacement(limit_bytes);
        }
    }

    fn take_character(&mut self, character: char, limit_bytes: usize) -> Option<Typed> {
        let follows_carriage_return = std::mem::take(&mut self.follows_carriage_return);
        if follows_carriage_return && matches!(character, '\n' | '\0') {
            return None;
        }
        if self.escape.swallows(character) {
            return None;
        }
        match character {
            '\r' | '\n' => {
                self.follows_carriage_return = character == '\r';
                return Some(self.take_line());
            }
            // Ctrl-C and Ctrl-U, as terminals have them.
            '\u{3}' | '\u{15}' => self.drop_line(),
            '\u{8}' | '\u{7f}' => erase_character(&mut self.line),
            // Ctrl-W.
            '\u{17}' => erase_word(&mut self.line),
            // Ctrl-D.
            '\u{4}' => return self.end_input(),
            '\t' => self.append("\t", limit_bytes),
            BYTE_ORDER_MARK if !self.is_within_line() => (),
            character if character.is_control() => (),
            character => self.append(character.encode_utf8(&mut [0; 4]), limit_bytes),
        }
        None
    }

    fn append(&mut self, text: &str, limit_bytes: usize) {
        if self.line.len() + text.len() > limit_bytes {
            self.is_too_long = true;
            self.line = String::new();
        }
        if !self.is_too_long {
            self.line.push_str(text);
        }
    }

    fn append_replacement(&mut self, limit_bytes: usize) {
        self.is_malformed = true;
        self.append("\u{FFFD}", limit_bytes);
    }

    fn take_line(&mut self) -> Typed {
        let line = std::mem::take(&mut self.line);
        let is_malformed = std::mem::take(&mut self.is_malformed);
        if std::mem::take(&mut self.is_too_long) {
            Typed::TooLong
        } else if is_malformed && line.contains(char::REPLACEMENT_CHARACTER) {
            Typed::NotUtf8(line)
        } else {
            Typed::Line(line)
        }
    }

    /// Ends the input on an empty line. On one with text nothing happens, as with most programs on a Unix terminal:
    /// that hands over what is typed, and who reads whole lines waits for the rest of this one.
    fn end_input(&self) -> Option<Typed> {
        (!self.is_within_line()).then_some(Typed::EndOfInput)
    }

    fn drop_line(&mut self) {
        self.line = String::new();
        self.is_too_long = false;
        self.is_malformed = false;
        self.utf8 = PartialCharacter::default();
        self.escape = EscapeFilter::default();
    }
}

/// Erases what looks like one character: a grapheme cluster (Unicode Standard Annex 29, section 3).
fn erase_character(line: &mut String) {
    let mut start = line.len().saturating_sub(MAX_ERASED_BYTES);
    while !line.is_char_boundary(start) {
        start += 1;
    }
    if let Some((place, _)) = line[start..].grapheme_indices(true).next_back() {
        line.truncate(start + place);
    }
}

fn erase_word(line: &mut String) {
    let kept = line.trim_end().trim_end_matches(|character: char| !character.is_whitespace()).len();
    line.truncate(kept);
}

#[cfg(test)]
mod tests;
