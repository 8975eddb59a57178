//! What somebody typed as a password.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroize;

/// Fewest characters of a new password (NIST SP 800-63B, 3.1.1.2).
const MIN_CHARACTERS: usize = 8;

/// Longest password, in bytes: more than the 64 characters that NIST wants allowed, and little work to hash.
const MAX_BYTES: usize = 256;

/// A password as it was typed. It is overwritten when it is let go, and its `Debug` form hides it.
///
/// As a profile of RFC 8265 (OpaqueString) has it: normalised (NFC), every space an ordinary one, nothing folded, so that
/// the same keys give the same password on every system.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

/// Why something cannot be a password. Displayed as a sentence for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordFault {
    /// Nothing was typed.
    Empty,
    /// It is too short for a new one.
    TooShort,
    /// It has too many bytes.
    TooLong,
    /// It has a control character in it.
    Control,
}

impl Password {
    /// Reads a password that may be one.
    ///
    /// # Errors
    /// It can be nobody's.
    pub fn parse(typed: &str) -> Result<Password, PasswordFault> {
        if typed.is_empty() {
            return Err(PasswordFault::Empty);
        }
        if typed.len() > MAX_BYTES {
            return Err(PasswordFault::TooLong);
        }
        if typed.contains(char::is_control) {
            return Err(PasswordFault::Control);
        }
        // With room for the longest from the start: what a text leaves behind when it moves is not overwritten.
        let mut plain = String::with_capacity(4 * MAX_BYTES);
        plain.extend(typed.nfc().map(|character| if character.is_whitespace() { ' ' } else { character }));
        let password = Password(plain.as_str().into());
        plain.zeroize();
        Ok(password)
    }

    /// Reads a password that is to become somebody's.
    ///
    /// # Errors
    /// It cannot be one, or is too short.
    pub fn parse_new(typed: &str) -> Result<Password, PasswordFault> {
        let password = Password::parse(typed)?;
        if password.0.chars().count() < MIN_CHARACTERS {
            return Err(PasswordFault::TooShort);
        }
        Ok(password)
    }

    /// To be hashed, and for nothing else.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

impl fmt::Display for PasswordFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordFault::Empty => formatter.write_str("A password is needed."),
            PasswordFault::TooShort => write!(formatter, "A password has at least {MIN_CHARACTERS} characters."),
            PasswordFault::TooLong => write!(formatter, "A password has at most {MAX_BYTES} bytes."),
            PasswordFault::Control => formatter.write_str("A password has no control characters."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_however_it_is_typed() {
        let typed = |text: &str| Password::parse(text).expect("a password");
        assert_eq!(typed("cafe\u{301} au lait"), typed("caf\u{e9}\u{a0}au\u{3000}lait"));
        assert_ne!(typed("Secret words"), typed("secret words"));
        assert_ne!(typed(" secret words"), typed("secret words"));
    }

    #[test]
    fn has_its_bounds() {
        assert_eq!(Password::parse(""), Err(PasswordFault::Empty));
        assert_eq!(Password::parse_new("1234567"), Err(PasswordFault::TooShort));
        assert!(Password::parse("1234567").is_ok() && Password::parse_new("12345678").is_ok());
        assert!(Password::parse_new("ありがとうございます").is_ok(), "characters are counted, not bytes");
        assert!(Password::parse_new(&"x".repeat(256)).is_ok());
        assert_eq!(Password::parse(&"x".repeat(257)), Err(PasswordFault::TooLong));
        assert_eq!(Password::parse("secret\nwords"), Err(PasswordFault::Control));
    }

    #[test]
    fn keeps_out_of_logs() {
        let password = Password::parse("secret words").expect("a password");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
