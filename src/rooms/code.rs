//! The room code: what people read out to each other.

use std::fmt;

use rand::{Rng, RngExt};

/// The 21 consonants: no vowels, so that a random code never spells a word.
const ALPHABET: &[u8; 21] = b"BCDFGHJKLMNPQRSTVWXYZ";

/// Shortest code that is accepted.
pub const MIN_LETTERS: usize = 4;
/// Longest code that is accepted.
pub const MAX_LETTERS: usize = 12;

/// A well-formed room code, in capitals.
///
/// Its `Debug` form hides the letters: whoever knows a code may enter the room, so it is no text for a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomCode {
    letters: [u8; MAX_LETTERS],
    length: u8,
}

impl RoomCode {
    /// Reads a code as people type it: trimmed, in any case.
    ///
    /// `None` if it has another letter than the 21 consonants, or another length than 4 to 12.
    pub fn parse(typed: &str) -> Option<RoomCode> {
        let typed = typed.trim();
        if !(MIN_LETTERS..=MAX_LETTERS).contains(&typed.len()) {
            return None;
        }
        let mut letters = [0; MAX_LETTERS];
        for (letter, byte) in letters.iter_mut().zip(typed.bytes()) {
            *letter = byte.to_ascii_uppercase();
            if !ALPHABET.contains(letter) {
                return None;
            }
        }
        Some(RoomCode { letters, length: typed.len() as u8 })
    }

    /// Draws a code of `length` letters.
    ///
    /// # Panics
    /// If `length` is not within 4 to 12, which the options make sure of.
    pub fn random(length: usize, random: &mut impl Rng) -> RoomCode {
        assert!((MIN_LETTERS..=MAX_LETTERS).contains(&length), "a code has 4 to 12 letters");
        let mut letters = [0; MAX_LETTERS];
        for letter in &mut letters[..length] {
            *letter = ALPHABET[random.random_range(0..ALPHABET.len())];
        }
        RoomCode { letters, length: length as u8 }
    }

    /// The letters, in capitals.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.length)]).expect("codes are ASCII")
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RoomCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn is_read_trimmed_and_in_any_case() {
        assert_eq!(RoomCode::parse(" kxQt\r\n").map(|code| code.to_string()), Some("KXQT".into()));
    }

    #[test]
    fn refuses_what_no_code_can_be() {
        for typed in ["", "KXQ", "KXQA", "KX T", "KXQ1", "KXQÄ", "KXQTKXQTKXQTK", "ĸxqt"] {
            assert_eq!(RoomCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn keeps_out_of_logs() {
        let code = RoomCode::parse("KXQT").expect("well-formed");
        assert!(!format!("{code:?}").contains("KXQT"));
    }

    proptest! {
        #[test]
        fn a_random_code_reads_back(seed: u64, length in MIN_LETTERS..=MAX_LETTERS) {
            let code = RoomCode::random(length, &mut StdRng::seed_from_u64(seed));
            prop_assert_eq!(code.as_str().len(), length);
            prop_assert_eq!(RoomCode::parse(&code.as_str().to_lowercase()), Some(code));
        }

        #[test]
        fn any_text_is_parsed_without_panic(typed in ".*") {
            if let Some(code) = RoomCode::parse(&typed) {
                prop_assert_eq!(code.as_str(), typed.trim().to_ascii_uppercase());
            }
        }
    }
}
