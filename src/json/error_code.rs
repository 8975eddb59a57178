//! The contract's codes for what is refused.

use crate::meter::Counter;
use crate::rooms::{Refusal, SearchFault};

/// All of them.
pub const ERROR_CODES: [&str; 24] = [
    "bad_request",
    "not_joined",
    "name_required",
    "name_invalid",
    "name_taken",
    "room_required",
    "no_such_room",
    "room_full",
    "room_locked",
    "key_required",
    "password_required",
    "password_wrong",
    "banned",
    "muted",
    "not_operator",
    "not_yours",
    "no_such_event",
    "no_such_member",
    "text_empty",
    "text_too_long",
    "file_too_large",
    "quota_exceeded",
    "rate_limited",
    "storage_failed",
];

/// How often something was refused, by error code.
#[derive(Debug, Default)]
pub struct RefusalCounts([Counter; ERROR_CODES.len()]);

impl RefusalCounts {
    /// Counts one with this code, if it is one of the contract's.
    pub fn count(&self, code: &str) {
        if let Some(number) = ERROR_CODES.iter().position(|known| *known == code) {
            self.0[number].inc();
        }
    }

    /// How often something was refused with each code, in any of these.
    pub fn sum<'a>(counts: impl IntoIterator<Item = &'a RefusalCounts>) -> [u64; ERROR_CODES.len()] {
        let mut sums = [0; ERROR_CODES.len()];
        for counts in counts {
            for (sum, count) in sums.iter_mut().zip(&counts.0) {
                *sum += count.get();
            }
        }
        sums
    }
}

/// The contract's error code for a refusal.
pub fn error_code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotJoined => "not_joined",
        Refusal::NameRequired => "name_required",
        Refusal::NameTaken { .. } => "name_taken",
        Refusal::NoSuchRoom { .. } => "no_such_room",
        Refusal::RoomFull { .. } => "room_full",
        Refusal::NoSuchEvent | Refusal::NoSuchFile => "no_such_event",
        Refusal::NotYours => "not_yours",
        Refusal::TooManyReactions => "bad_request",
        Refusal::RateLimited { .. } | Refusal::TooManyCodes { .. } => "rate_limited",
        Refusal::NotOperator => "not_operator",
        Refusal::NoSuchMember { .. } | Refusal::NotBanned { .. } => "no_such_member",
        Refusal::NotOneself | Refusal::NameIsOwn { .. } => "bad_request",
        Refusal::QuotaExceeded { .. } => "quota_exceeded",
        Refusal::Banned { .. } | Refusal::NameBanned { .. } => "banned",
        Refusal::Muted { .. } => "muted",
        Refusal::RoomLocked { .. } => "room_locked",
        Refusal::KeyRequired { .. } => "key_required",
        Refusal::SlowMode { .. } => "rate_limited",
        Refusal::StorageFailed => "storage_failed",
        Refusal::PasswordRequired { .. } | Refusal::AccountRequired => "password_required",
        Refusal::PasswordWrong => "password_wrong",
        Refusal::TooManyPasswords { .. } => "rate_limited",
        Refusal::NameClaimed { .. } | Refusal::NameLost { .. } => "name_taken",
        Refusal::RegistrationClosed | Refusal::NotLoggedIn => "bad_request",
    }
}

/// The contract's error code for a query that is none.
pub fn search_fault_code(fault: SearchFault) -> &'static str {
    match fault {
        SearchFault::Empty => "text_empty",
        SearchFault::TooLong => "text_too_long",
    }
}
