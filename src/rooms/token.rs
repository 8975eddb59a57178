//! Two random tags: the member's secret, with what is kept of it, and the room's epoch.

use std::fmt;

use rand::{Rng, RngExt};
use sha2::{Digest, Sha256};

/// A member's 128-bit secret, by which a dropped connection comes back as the same member.
///
/// Written as 32 hexadecimal digits. Its `Debug` form hides them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u128);

impl Token {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Token> {
        parse_digits(text, 32).map(Token)
    }

    /// Draws a new secret.
    pub fn random(random: &mut impl Rng) -> Token {
        Token(random.random())
    }

    /// What is kept of it.
    pub fn hash(self) -> TokenHash {
        TokenHash(Sha256::digest(self.to_string()).into())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// What is kept of a [`Token`]: it tells whether a token is the same, and nobody can make the token of it.
///
/// It is the SHA-256 of the 32 lower-case digits, so anybody can check it: `printf %s TOKEN | sha256sum`. Its
/// `Debug` form hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// What [`as_bytes`](Self::as_bytes) gave.
    pub fn from_bytes(bytes: [u8; 32]) -> TokenHash {
        TokenHash(bytes)
    }

    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

/// A random tag of a room's id sequence: it changes only if ids might be used again.
///
/// Written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Epoch(u64);

impl Epoch {
    /// Reads 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Epoch> {
        parse_digits(text, 16).map(|tag| Epoch(tag as u64))
    }

    /// Draws a new tag.
    pub fn random(random: &mut impl Rng) -> Epoch {
        Epoch(random.random())
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
    fn a_token_keeps_out_of_logs() {
        let token = Token::parse(&"ab".repeat(16)).expect("well-formed");
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(format!("{:?}", token.hash()), "TokenHash(…)");
    }

    #[test]
    fn a_hash_is_what_others_make_of_the_digits() {
        let token = Token::parse("0123456789ABCDEF0123456789abcdef").expect("well-formed");
        // printf %s 0123456789abcdef0123456789abcdef | sha256sum
        let hash: String = token.hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9");
        assert_eq!(TokenHash::from_bytes(*token.hash().as_bytes()), token.hash());
    }
}
