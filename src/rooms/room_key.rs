//! A room's key: the word that strangers have to know, and the hash as which alone the room knows it.

use std::fmt;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::Epoch;

/// Longest key, in bytes as it is typed.
pub const MAX_KEY_BYTES: usize = 256;

/// A word that somebody has typed as a room's key. Its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomKey(Box<str>);

impl RoomKey {
    /// Reads a key: trimmed, and composed (NFC), since keyboards write the same letter in several ways. `None` if it is
    /// empty or too long.
    pub fn parse(typed: &str) -> Option<RoomKey> {
        let typed = typed.trim();
        let is_key = !typed.is_empty() && typed.len() <= MAX_KEY_BYTES;
        is_key.then(|| RoomKey(typed.nfc().collect::<String>().into()))
    }

    /// What a room remembers of it. Salted with the room's epoch, so that two rooms with the same key do not show it.
    pub(super) fn hash(&self, epoch: Epoch) -> KeyHash {
        KeyHash(Sha256::new().chain_update(epoch.to_string()).chain_update(self.0.as_bytes()).finalize().into())
    }
}

impl fmt::Debug for RoomKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RoomKey(…)")
    }
}

/// What a room and the journal know of its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// A hash that was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> KeyHash {
        KeyHash(bytes)
    }

    /// To be stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_however_it_is_typed_and_another_in_another_room() {
        let epoch = |digit: &str| Epoch::parse(&digit.repeat(16)).expect("an epoch");
        let hash = |typed: &str| RoomKey::parse(typed).expect("a key").hash(epoch("1"));
        assert_eq!(hash(" sésame "), hash("se\u{301}same"));
        assert_ne!(hash("sesame"), hash("Sesame"));
        assert_ne!(hash("sesame"), RoomKey::parse("sesame").expect("a key").hash(epoch("2")));
    }

    #[test]
    fn no_key_is_empty_or_endless_and_none_is_shown() {
        assert_eq!(RoomKey::parse(" \t"), None);
        assert_eq!(RoomKey::parse(&"x".repeat(257)), None);
        assert_eq!(format!("{:?}", RoomKey::parse("sesame")), "Some(RoomKey(…))");
    }
}
