//! Escape sequences (ECMA-48): what a terminal sends for arrow keys and the like, dropped whole.

/// How long a sequence may be: one that never ends must not swallow all that follows.
const MAX_CHARACTERS: u8 = 255;

/// Where in an escape sequence the input is.
#[derive(Clone, Copy, Default, PartialEq)]
enum Place {
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
    place: Place,
    /// How many characters the sequence may still have.
    left: u8,
}

impl EscapeFilter {
    pub(super) fn is_idle(&self) -> bool {
        self.place == Place::Outside
    }

    /// Whether this character belongs to an escape sequence. A line ending never does: it ends the sequence.
    pub(super) fn swallows(&mut self, character: char) -> bool {
        if matches!(character, '\r' | '\n') {
            *self = EscapeFilter::default();
            return false;
        }
        let (place, is_swallowed) = next(self.place, character, self.left);
        let is_beginning = self.place == Place::Outside || character == '\u{1b}';
        self.left = if is_beginning { MAX_CHARACTERS } else { self.left - 1 };
        self.place = place;
        if place == Place::Outside || self.left == 0 {
            *self = EscapeFilter::default();
        }
        is_swallowed
    }
}

/// The place after `character`, and whether the character is part of a sequence.
fn next(place: Place, character: char, left: u8) -> (Place, bool) {
    match (place, character) {
        (Place::ControlString, '\u{7}' | '\u{9c}') => (Place::Outside, true),
        (Place::ControlString, '\u{1b}') => (Place::ControlStringEnding, true),
        (Place::ControlString, _) => (Place::ControlString, true),
        (Place::ControlStringEnding, '\\') => (Place::Outside, true),
        (Place::ControlStringEnding, _) => next(Place::Begun, character, left),

        (_, '\u{1b}') => (Place::Begun, true),
        // The one-character forms (C1) of ESC [, ESC O and the strings.
        (_, '\u{9b}') => (Place::ControlSequence, true),
        (_, '\u{8f}') => (Place::LastCharacter, true),
        (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => (Place::ControlString, true),
        (Place::Outside, _) => (Place::Outside, false),

        (Place::Begun, '[') => (Place::ControlSequence, true),
        (Place::Begun, 'O') => (Place::LastCharacter, true),
        (Place::Begun, ']' | 'P' | 'X' | '^' | '_') => (Place::ControlString, true),
        (Place::Begun, ' '..='/') => (Place::Begun, true),
        (Place::Begun | Place::LastCharacter, _) => (Place::Outside, true),

        // The Linux console's function keys: ESC [ [ A.
        (Place::ControlSequence, '[') if left == MAX_CHARACTERS - 1 => (Place::LastCharacter, true),
        (Place::ControlSequence, ' '..='?') => (Place::ControlSequence, true),
        (Place::ControlSequence, '@'..='~') => (Place::Outside, true),
        // No part of a control sequence: it ends here, malformed.
        (Place::ControlSequence, _) => (Place::Outside, false),
    }
}
