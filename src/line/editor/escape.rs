//! Escape sequences (ECMA-48): what a terminal sends for arrow keys and the like, dropped whole.

/// How long a sequence may be: one that never ends must not swallow all that follows.
const MAX_CHARACTERS: u8 = 255;

/// Where in an escape sequence the input is.
#[derive(Clone, Copy, Default, PartialEq)]
enum Position {
    #[default]
    Outside,
    /// After ESC, or after ESC and intermediate bytes.
    Begun,
    /// Within ESC [ …, a control sequence.
    ControlSequence,
    /// After ESC O or ESC [ [: one more character belongs to it.
    LastCharacter,
    /// Within ESC ], ESC P and the like: a string until BEL or ST.
    ControlString,
    /// After an ESC in such a string: a backslash makes it ST.
    ControlStringEnding,
}

/// Drops escape sequences.
#[derive(Default, PartialEq)]
pub(super) struct EscapeFilter {
    place: Position,
    /// How many characters the sequence may still have.
    left: u8,
}

impl EscapeFilter {
    pub(super) fn is_idle(&self) -> bool {
        self.place == Position::Outside
    }

    /// Whether this character belongs to an escape sequence. A line ending never does: it ends the sequence.
    pub(super) fn swallows(&mut self, character: char) -> bool {
        if matches!(character, '\r' | '\n') {
            *self = EscapeFilter::default();
            return false;
        }
        let (place, is_swallowed) = next(self.place, character, self.left);
        let is_beginning = self.place == Position::Outside || character == '\u{1b}';
        self.left = if is_beginning { MAX_CHARACTERS } else { self.left - 1 };
        self.place = place;
        if place == Position::Outside || self.left == 0 {
            *self = EscapeFilter::default();
        }
        is_swallowed
    }
}

/// The place after `character`, and whether the character is part of a sequence.
fn next(place: Position, character: char, left: u8) -> (Position, bool) {
    match (place, character) {
        (Position::ControlString, '\u{7}' | '\u{9c}') => (Position::Outside, true),
        (Position::ControlString, '\u{1b}') => (Position::ControlStringEnding, true),
        (Position::ControlString, _) => (Position::ControlString, true),
        (Position::ControlStringEnding, '\\') => (Position::Outside, true),
        (Position::ControlStringEnding, _) => next(Position::Begun, character, left),

        (_, '\u{1b}') => (Position::Begun, true),
        // The one-character forms (C1) of ESC [, ESC O and the strings.
        (_, '\u{9b}') => (Position::ControlSequence, true),
        (_, '\u{8f}') => (Position::LastCharacter, true),
        (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => (Position::ControlString, true),
        (Position::Outside, _) => (Position::Outside, false),

        (Position::Begun, '[') => (Position::ControlSequence, true),
        (Position::Begun, 'O') => (Position::LastCharacter, true),
        (Position::Begun, ']' | 'P' | 'X' | '^' | '_') => (Position::ControlString, true),
        (Position::Begun, ' '..='/') => (Position::Begun, true),
        (Position::Begun | Position::LastCharacter, _) => (Position::Outside, true),

        // The Linux console's function keys: ESC [ [ A.
        (Position::ControlSequence, '[') if left == MAX_CHARACTERS - 1 => (Position::LastCharacter, true),
        (Position::ControlSequence, ' '..='?') => (Position::ControlSequence, true),
        (Position::ControlSequence, '@'..='~') => (Position::Outside, true),
        // No part of a control sequence: it ends here, malformed.
        (Position::ControlSequence, _) => (Position::Outside, false),
    }
}
