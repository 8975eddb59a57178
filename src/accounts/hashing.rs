//! Argon2id (RFC 9106), with the parameters that OWASP recommends: 19 MiB, two passes, one lane.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as PhcString, Salt as PhcSalt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::{Job, Task};
use crate::rooms::{Password, PasswordHash};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;

/// What nothing hashes to, but takes as long to compare with as what something does: so nobody is told by the time of an
/// answer whether there is an account.
const NOTHING: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Salts, as RFC 9106 has them (3.1).
pub type Salt = [u8; 16];

/// Beyond this glibc gives back to the system at once what is freed (`M_MMAP_THRESHOLD`, at the most 32 MiB). Less than
/// that lies among everything else once it was freed for the first time, in pieces of which none is ever big enough.
const GIVEN_BACK_BYTES: usize = 33 << 20;

/// The memory in which one password after the other is hashed. It takes none before the first.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.0.len() < count {
            let capacity = count.max(GIVEN_BACK_BYTES / Block::SIZE);
            // What is reserved and never touched takes no memory.
            self.0 = Vec::with_capacity(capacity);
            self.0.resize(count, Block::new());
        }
        &mut self.0[..count]
    }
}

fn compute(password: &Password, salt: &[u8], params: &Params, memory: &mut Memory) -> Option<Output> {
    let mut out = [0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let blocks = memory.blocks(params.block_count());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, blocks).ok()?;
    Output::new(&out).ok()
}

/// Hashes a password. `None`: that is not possible, which the parameters above are not.
pub fn hash(password: &Password, salt: Salt, memory: &mut Memory) -> Option<PasswordHash> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).ok()?;
    let written = PhcString {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        // The length stands there by itself.
        params: ParamsString::try_from(&Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?).ok()?,
        salt: Some(PhcSalt::new(&salt).ok()?),
        hash: Some(compute(password, &salt, &params, memory)?),
    };
    Some(PasswordHash::new(&written.to_string()))
}

/// Whether a password is the one with this hash. It takes the same time where there is none.
pub fn is_right(password: &Password, hash: Option<&PasswordHash>, memory: &mut Memory) -> bool {
    let is_equal = compare(password, hash.map_or(NOTHING, PasswordHash::as_str), memory);
    is_equal == Some(true) && hash.is_some()
}

fn compare(password: &Password, known: &str, memory: &mut Memory) -> Option<bool> {
    let known = PhcString::new(known).ok()?;
    if known.algorithm != Algorithm::Argon2id.ident() || known.version != Some(Version::V0x13.into()) {
        return None;
    }
    let params = Params::try_from(&known).ok()?;
    let computed = compute(password, known.salt.as_ref()?, &params, memory)?;
    // In constant time.
    Some(known.hash? == computed)
}

/// Does what is to be done with passwords.
pub fn work(job: &Job, salt: impl FnOnce() -> Salt, memory: &mut Memory) -> Option<Option<PasswordHash>> {
    match &job.task {
        Task::Verify { password, hash } => is_right(password, hash.as_ref(), memory).then_some(None),
        Task::Hash { password } => Some(hash(password, salt(), memory)),
        Task::Change { password, hash: known, new } => {
            is_right(password, known.as_ref(), memory).then(|| hash(new, salt(), memory))
        }
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
        let memory = &mut Memory::default();
        let known = hash(&password("secret words"), [7; 16], memory).expect("a hash");
        assert!(known.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", known.as_str());
        assert!(!known.as_str().contains("secret"));
        assert!(is_right(&password("secret words"), Some(&known), memory));
        assert!(!is_right(&password("secret word"), Some(&known), memory));
        assert_ne!(hash(&password("secret words"), [8; 16], memory), Some(known), "each has its own salt");
    }

    #[test]
    fn others_hashes_are_known_and_ours_to_them() {
        use argon2::password_hash::{PasswordHasher, PasswordVerifier};
        let memory = &mut Memory::default();
        let theirs = Argon2::default().hash_password_with_salt(b"secret words", &[7; 16]).expect("a hash").to_string();
        let ours = hash(&password("secret words"), [7; 16], memory).expect("a hash");
        assert_eq!(ours.as_str(), theirs);
        assert!(Argon2::default().verify_password(b"secret words", ours.as_str()).is_ok());
        for other in ["", "secret words", "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", "$5$salt$hash"] {
            assert!(!is_right(&password("secret words"), Some(&PasswordHash::new(other)), memory), "{other}");
        }
    }

    #[test]
    fn nothing_is_the_password_of_nobody() {
        let memory = &mut Memory::default();
        assert!(!is_right(&password("secret words"), None, memory));
        assert_eq!(
            compare(&password("secret words"), NOTHING, memory),
            Some(false),
            "it is compared, not refused at once"
        );
    }
}
