//! The contract's codes for what is refused.

use crate::rooms::{Refusal, SearchFault};

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
