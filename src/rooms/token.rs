//! Two random tags: the member's secret and the room's epoch.

use std::fmt;

use rand::{Rng, RngExt};

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
    }
}
