//! Two random tags: the member's secret, which the rooms know by its hash alone, and the room's epoch.

use std::fmt;

use rand::{Rng, RngExt};
use sha2::{Digest, Sha256};

/// A member's 128-bit secret, by which a dropped connection comes back as the same member.
///
/// Written as 32 hexadecimal digits. Its `Debug` form hides them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token([u8; 16]);

impl Token {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Token> {
        parse_digits(text, 32).map(|digits| Token(digits.to_be_bytes()))
    }

    /// Draws a new secret.
    pub fn random(random: &mut impl Rng) -> Token {
        Token(random.random::<u128>().to_be_bytes())
    }

    /// What is remembered of it: SHA-256 of its 32 digits as they are written.
    pub fn hash(self) -> TokenHash {
        TokenHash(Sha256::digest(self.to_string()).into())
    }
}

/// What the rooms and the journal know of a [`Token`]: whoever reads it cannot come back by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// One of which nothing is known but its first half.
    pub(super) fn of_short(short: ShortTokenHash) -> TokenHash {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(short.as_bytes());
        TokenHash(bytes)
    }

    /// A hash that was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> TokenHash {
        TokenHash(bytes)
    }

    /// To be stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The first half of a [`TokenHash`], which tells tokens apart as well as 128 bits do: what is held for each member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortTokenHash([u8; 16]);

impl ShortTokenHash {
    /// A hash that was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> ShortTokenHash {
        ShortTokenHash(bytes)
    }

    /// To be stored.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As a number, of which each half is as good as the whole for a table.
    pub fn to_bits(self) -> u128 {
        u128::from_le_bytes(self.0)
    }
}

impl From<&TokenHash> for ShortTokenHash {
    fn from(hash: &TokenHash) -> ShortTokenHash {
        ShortTokenHash(*hash.0.first_chunk().expect("32 bytes have 16"))
    }
}

impl fmt::Debug for ShortTokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ShortTokenHash(…)")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// A random tag of a room's id sequence: it changes only if ids might be used again.
///
/// Written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Epoch(u64);

impl Epoch {
    /// No room's: that of changes that name none.
    pub const NONE: Epoch = Epoch(0);

    /// Reads 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Epoch> {
        parse_digits(text, 16).map(|tag| Epoch(tag as u64))
    }

    /// Draws a new tag.
    pub fn random(random: &mut impl Rng) -> Epoch {
        Epoch(random.random::<u64>().max(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

fn parse_digits(text: &str, digits: usize) -> Option<u128> {
    // `from_str_radix` would take a leading plus sign.
    let well_formed = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn reads_back_what_it_wrote() {
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..100 {
            let token = Token::random(&mut random);
            assert_eq!(Token::parse(&token.to_string()), Some(token));
            let epoch = Epoch::random(&mut random);
            assert_eq!(Epoch::parse(&epoch.to_string()), Some(epoch));
        }
    }

    #[test]
    fn refuses_other_lengths_and_signs() {
        assert_eq!(Token::parse(""), None);
        assert_eq!(Token::parse(&"a".repeat(31)), None);
        assert_eq!(Token::parse(&format!("+{}", "a".repeat(31))), None);
        assert_eq!(Token::parse(&"g".repeat(32)), None);
    }

    #[test]
    fn its_hash_is_that_of_its_digits() {
        let token = Token::parse(&"00".repeat(16)).expect("well-formed");
        let digits: String = token.hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        // printf %032d 0 | sha256sum
        assert_eq!(digits, "84e0c0eafaa95a34c293f278ac52e45ce537bab5e752a00e6959a13ae103b65a");
    }

    #[test]
    fn a_token_keeps_out_of_logs() {
        let token = Token::parse(&"ab".repeat(16)).expect("well-formed");
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(format!("{:?}", token.hash()), "TokenHash(…)");
    }
}
