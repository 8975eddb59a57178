//! What may be said: cleaned text and the client's own id for it.

use std::borrow::Cow;

use smol_str::SmolStr;

/// More empty lines in a row than these would only push what others said off the screen.
const MAX_EMPTY_LINES: usize = 2;

/// Longest topic, and longest reason, in bytes.
pub const MAX_LINE_BYTES: usize = 512;

/// One text said in a room: not blank, bounded, with no control character but newline and tab.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text(Box<str>);

/// Why a text is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextFault {
    /// Nothing but white space is left of it.
    Empty,
    /// It has more bytes than a message may have.
    TooLong,
}

impl Text {
    /// Removes control characters other than `\n` and `\t`, and of empty lines those beyond two in a row, then checks
    /// what is left.
    ///
    /// # Errors
    /// Blank, or longer than `limit_bytes` of UTF-8.
    pub fn clean(typed: &str, limit_bytes: usize) -> Result<Text, TextFault> {
        let (may_hold_removed, has_line_feeds) = look_at_bytes(typed);
        let mut cleaned = Cow::Borrowed(typed);
        if may_hold_removed {
            cleaned = typed.chars().filter(|&character| !is_removed(character)).collect();
        }
        if has_line_feeds && has_too_many_empty_lines(&cleaned) {
            cleaned = without_more_empty_lines(&cleaned).into();
        }
        if cleaned.len() > limit_bytes {
            Err(TextFault::TooLong)
        } else if cleaned.chars().all(char::is_whitespace) {
            Err(TextFault::Empty)
        } else {
            Ok(Text(cleaned.into()))
        }
    }

    /// The same for what stands in one line, a topic or a reason: line breaks and tabs become spaces.
    ///
    /// # Errors
    /// Blank, or longer than [`MAX_LINE_BYTES`].
    pub fn clean_line(typed: &str) -> Result<Text, TextFault> {
        let words = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        Text::clean(&words, MAX_LINE_BYTES)
    }

    /// No words: what somebody says who shares a file without any.
    pub fn none() -> Text {
        Text::known("")
    }

    /// A text that has been one before.
    pub(super) fn known(text: &str) -> Text {
        Text(text.into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether any byte may belong to a character that is removed (below space, DEL, or the first one of C1), and whether
/// any is a line feed.
///
/// Looks at bytes only, and misses nothing: nearly every text is done with here. All bytes are looked at, without an end
/// in between: so many of them are looked at in one step.
fn look_at_bytes(typed: &str) -> (bool, bool) {
    let may_be_removed = |byte| (byte < b' ') & (byte != b'\n') & (byte != b'\t') | (byte == 0x7F) | (byte == 0xC2);
    typed.bytes().fold((false, false), |(removed, line_feeds), byte| {
        (removed | may_be_removed(byte), line_feeds | (byte == b'\n'))
    })
}

fn is_removed(character: char) -> bool {
    character.is_control() && character != '\n' && character != '\t'
}

/// Whether there are more than two empty lines in a row.
fn has_too_many_empty_lines(text: &str) -> bool {
    text.contains("\n\n\n\n") || text.starts_with("\n\n\n") || text.ends_with("\n\n\n")
}

/// Of empty lines, keeps two in a row.
fn without_more_empty_lines(text: &str) -> String {
    let mut empty_lines = 0;
    let kept = text.split('\n').filter(|line| {
        empty_lines = if line.is_empty() { empty_lines + 1 } else { 0 };
        empty_lines <= MAX_EMPTY_LINES
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The client's own id for a message, at most 64 bytes: said again with the same one, it is not said twice.
///
/// Up to 23 bytes are held in place: a room has one of each message that it remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MessageKey(SmolStr);

impl MessageKey {
    /// Longest id, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Takes an id of 1 to 64 bytes.
    pub fn parse(text: &str) -> Option<MessageKey> {
        (1..=MessageKey::MAX_BYTES).contains(&text.len()).then(|| MessageKey(text.into()))
    }

    /// The id as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_newlines_and_tabs_and_nothing_else_below_space() {
        let text = Text::clean("a\r\n\tb\u{1b}[31m\u{9b}c\u{7f}\0", 100).expect("text");
        assert_eq!(text.as_str(), "a\n\tb[31mc");
    }

    #[test]
    fn blank_is_empty() {
        for typed in ["", " ", "\n\t ", "\u{1b}", "\u{3000}"] {
            assert_eq!(Text::clean(typed, 100), Err(TextFault::Empty), "{typed:?}");
        }
    }

    #[test]
    fn the_limit_counts_bytes() {
        assert!(Text::clean("ääää", 8).is_ok());
        assert_eq!(Text::clean("ääää", 7), Err(TextFault::TooLong));
    }

    #[test]
    fn more_than_two_empty_lines_in_a_row_are_made_two() {
        let clean = |typed| Text::clean(typed, 100).expect("text").as_str().to_owned();
        assert_eq!(clean("a\n\n\nb"), "a\n\n\nb");
        assert_eq!(clean("a\n\n\n\nb\n\n\n\n\n\n\nc"), "a\n\n\nb\n\n\nc");
        assert_eq!(clean("a\r\n\r\n\u{7}\r\n\r\n\r\nb"), "a\n\n\nb");
        assert_eq!(clean("\n\n\n\na\n\n\n\n"), "\n\na\n\n");
        assert_eq!(clean(&format!("a{}b", "\n".repeat(4094))), "a\n\n\nb");
    }

    #[test]
    fn a_line_is_one_line() {
        let clean = |typed: &str| Text::clean_line(typed).map(|text| text.as_str().to_owned());
        assert_eq!(clean(" a\n\tb\u{2028}c \u{7}d"), Ok("a b c d".to_owned()));
        assert_eq!(clean(" \n"), Err(TextFault::Empty));
        assert_eq!(clean(&"x".repeat(513)), Err(TextFault::TooLong));
    }

    #[test]
    fn a_client_id_is_bounded() {
        assert_eq!(MessageKey::parse(""), None);
        assert!(MessageKey::parse(&"x".repeat(64)).is_some());
        assert_eq!(MessageKey::parse(&"x".repeat(65)), None);
    }

    proptest! {
        #[test]
        fn empty_lines_are_few(typed in "[a\n\r\u{7} ä]{0,40}") {
            if let Ok(text) = Text::clean(&typed, 4096) {
                let lines: Vec<&str> = text.as_str().split('\n').collect();
                prop_assert!(lines.windows(3).all(|three| three != ["", "", ""]));
                let words = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
                prop_assert_eq!(words(text.as_str()), words(&typed));
                prop_assert_eq!(Text::clean(text.as_str(), 4096), Ok(text.clone()));
            }
        }

        #[test]
        fn no_control_character_survives(typed in any::<String>()) {
            if let Ok(text) = Text::clean(&typed, 4096) {
                prop_assert!(text.as_str().chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
                prop_assert!(text.as_str().len() <= 4096);
                prop_assert_eq!(Text::clean(text.as_str(), 4096), Ok(text.clone()));
            }
        }
    }
}
