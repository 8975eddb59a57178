//! From received bytes to typed lines: what a terminal's line discipline does, and the little of telnet
//! (RFC 854, 855, 860, 1123) that a line protocol needs.
//!
//! A byte passes three layers: telnet commands are taken out, UTF-8 is decoded, escape sequences are
//! dropped; what is left edits the line. Each layer keeps its place, so input may be cut anywhere. What a
//! line means is not known here.

mod escape;
mod telnet;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use escape::EscapeFilter;
use telnet::{Fed, Telnet};

/// What [`LineEditor::edit`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// A line, without its ending and without any control character but tab.
    Line(String),
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
            state.append("\u{FFFD}", limit_bytes);
        }
        state.utf8 = PartialCharacter::default();
        state.is_within_line().then(|| state.take_line())
    }

    /// Whether `bytes` may complete a line; if not, they certainly do not.
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
        rest.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
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
                self.take_character(char::REPLACEMENT_CHARACTER, limit_bytes);
                if length > 0 { self.decode(byte, limit_bytes) } else { None }
            }
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
            '\t' => self.append("\t", limit_bytes),
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

    fn take_line(&mut self) -> Typed {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_too_long) { Typed::TooLong } else { Typed::Line(line) }
    }

    fn drop_line(&mut self) {
        self.line = String::new();
        self.is_too_long = false;
        self.utf8 = PartialCharacter::default();
        self.escape = EscapeFilter::default();
    }
}

/// Erases what looks like one character: a letter with its marks, or symbols that are joined into one.
fn erase_character(line: &mut String) {
    const ZERO_WIDTH_JOINER: char = '\u{200D}';
    while let Some(character) = line.pop() {
        let is_mark = character.general_category_group() == GeneralCategoryGroup::Mark;
        if !is_mark && character != ZERO_WIDTH_JOINER && !line.ends_with(ZERO_WIDTH_JOINER) {
            break;
        }
    }
}

fn erase_word(line: &mut String) {
    let kept = line.trim_end().trim_end_matches(|character: char| !character.is_whitespace()).len();
    line.truncate(kept);
}

#[cfg(test)]
mod tests;
