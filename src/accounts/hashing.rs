//! Argon2id (RFC 9106), with the parameters that OWASP recommends: 19 MiB, two passes, one lane.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::{Job, Task};
use crate::rooms::{Password, PasswordHash};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What nothing hashes to, but takes as long to compare with as what something does: so nobody is told by the time of an
/// answer whether there is an account.
const NOTHING: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Salts, as RFC 9106 has them (3.1).
pub type Salt = [u8; 16];

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within their bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password. `None`: it cannot be done, for want of memory.
pub fn hash(password: &Password, salt: Salt) -> Option<PasswordHash> {
    let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(PasswordHash::new(&hash.to_string()))
}

/// Whether a password is the one with this hash. It takes the same time where there is none.
pub fn is_right(password: &Password, hash: Option<&PasswordHash>) -> bool {
    let known = hash.map_or(NOTHING, PasswordHash::as_str);
    // Compared in constant time by the library.
    let is_equal = argon2().verify_password(password.as_bytes(), known).is_ok();
    is_equal && hash.is_some()
}

/// Does what is to be done with passwords.
pub fn work(job: &Job, salt: impl FnOnce() -> Salt) -> Option<Option<PasswordHash>> {
    match &job.task {
        Task::Verify { password, hash } => is_right(password, hash.as_ref()).then_some(None),
        Task::Hash { password } => Some(hash(password, salt())),
        Task::Change { password, hash: known, new } => is_right(password, known.as_ref()).then(|| hash(new, salt())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(typed: &str) -> Password {
        Password::parse(typed).expect("a password")
    }

    #[test]
    fn a_password_is_known_by_its_hash() {
        let known = hash(&password("secret words"), [7; 16]).expect("there is memory");
        assert!(known.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", known.as_str());
        assert!(!known.as_str().contains("secret"));
        assert!(is_right(&password("secret words"), Some(&known)));
        assert!(!is_right(&password("secret word"), Some(&known)));
        assert_ne!(hash(&password("secret words"), [8; 16]), Some(known), "each has its own salt");
    }

    #[test]
    fn nothing_is_the_password_of_nobody() {
        assert!(!is_right(&password("secret words"), None));
        assert!(argon2::password_hash::phc::PasswordHash::new(NOTHING).is_ok(), "it is compared, not refused at once");
    }
}
