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
    /// No room's: that of changes that name none.
    pub const NONE: RoomCode = RoomCode { letters: [0; MAX_LETTERS], length: 0 };

    /// Reads a code as people type or paste it: in any case, with spaces and hyphens, or within a whole invitation.
    ///
    /// `None` if there is another letter than the 21 consonants in it, or another number of them than 4 to 12.
    pub fn parse(typed: &str) -> Option<RoomCode> {
        let mut letters = [0; MAX_LETTERS];
        let mut length = 0;
        for character in within_invitation(typed).chars().filter(|&character| !is_separator(character)) {
            let letter = u8::try_from(character).ok()?.to_ascii_uppercase();
            if !ALPHABET.contains(&letter) {
                return None;
            }
            *letters.get_mut(length)? = letter;
            length += 1;
        }
        (length >= MIN_LETTERS).then_some(RoomCode { letters, length: length as u8 })
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

/// What stands in an address where invitations have the code; all of it if it is none. What ends the sentence that it
/// was taken out of is left out.
fn within_invitation(typed: &str) -> &str {
    let typed = typed.trim().trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '>', '"', '\'']);
    if let Some((_, query)) = typed.split_once("?code=") {
        return query.split(['&', '#']).next().unwrap_or(query);
    }
    let address = typed.split(['?', '#']).next().unwrap_or(typed).trim_end_matches('/');
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.rsplit('/').next().unwrap_or(path)
}

/// Spaces, and hyphens of all kinds: programs for writing make longer ones of the plain one.
fn is_separator(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn is_read_as_people_type_and_paste_it() {
        let typed = [
            " kxQt\r\n",
            "KX QT",
            "kx-qt",
            "KX\u{2013}QT.",
            "http://192.168.1.20:5000/KXQT",
            "https://chat.example.org/chat/kxqt/?utm_source=mail#now",
            "192.168.1.20:5000/KXQT",
            "http://localhost:5000/?code=KXQT",
            "http://localhost:5000/?code=KXQT&x=y",
            "https://chat.example.org/KXQT).",
        ];
        for typed in typed {
            assert_eq!(RoomCode::parse(typed).map(|code| code.to_string()), Some("KXQT".into()), "{typed}");
        }
    }

    #[test]
    fn refuses_what_no_code_can_be() {
        for typed in ["", "KXQ", "KXQA", "KX T", "KXQ1", "KXQÄ", "KXQTKXQTKXQTK", "ĸxqt", "http://kxqt", "http://kxqt/"]
        {
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
                prop_assert_eq!(RoomCode::parse(code.as_str()), Some(code));
                let capitals = typed.to_ascii_uppercase();
                let mut letters = capitals.chars();
                prop_assert!(code.as_str().chars().all(|letter| letters.any(|other| other == letter)));
            }
        }
    }
}
