//! Why something is refused, in the words that people are told.

use super::super::{Name, RoomCode};
use crate::time::duration_words;

/// Why something is refused. Displayed as a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It makes sense only in a room.
    NotJoined,
    /// A name has to be given.
    NameRequired,
    /// Somebody in this room has the name, or one that looks the same.
    NameTaken {
        /// The name asked for.
        name: Name,
        /// The room it is taken in.
        code: RoomCode,
    },
    /// The member has this name.
    NameIsOwn {
        /// The name.
        name: Name,
    },
    /// No living room has this code.
    NoSuchRoom {
        /// The code asked for.
        code: RoomCode,
    },
    /// As many members as are allowed.
    RoomFull {
        /// The room that is full.
        code: RoomCode,
    },
    /// There is no message with this id, or it is gone.
    NoSuchEvent,
    /// There is no such file, or it is gone.
    NoSuchFile,
    /// Only its author may do that with a message.
    NotYours,
    /// The message has as many reactions as it may have.
    TooManyReactions,
    /// Too often; again after this time.
    RateLimited {
        /// Milliseconds to wait.
        retry_ms: u64,
    },
    /// Too many unknown codes were asked for from the same network; again after this time.
    TooManyCodes {
        /// Milliseconds to wait.
        retry_ms: u64,
    },
    /// Only operators may do it.
    NotOperator,
    /// Nobody here has this name.
    NoSuchMember {
        /// The name.
        name: Name,
    },
    /// Nobody of this name is kept out.
    NotBanned {
        /// The name.
        name: Name,
    },
    /// Nobody does that to itself.
    NotOneself,
    /// There are as many of them in this room as there may be.
    QuotaExceeded {
        /// Of what.
        what: &'static str,
        /// So many.
        most: usize,
    },
    /// An operator keeps this one out.
    Banned {
        /// Of which room.
        code: RoomCode,
        /// For so long.
        seconds: u64,
    },
    /// An operator keeps somebody of this name out.
    NameBanned {
        /// The name.
        name: Name,
    },
    /// It may not speak.
    Muted {
        /// For so long; `None`: until it is unmuted.
        seconds: Option<u64>,
    },
    /// Nobody comes in who is not known in the room.
    RoomLocked {
        /// Which room.
        code: RoomCode,
    },
    /// Who is not known in the room has to give its key.
    KeyRequired {
        /// Which room.
        code: RoomCode,
        /// The one that was given is another.
        was_wrong: bool,
    },
    /// Each member says one thing in a while here; again after this time.
    SlowMode {
        /// In so many seconds.
        seconds: u32,
        /// Milliseconds to wait.
        retry_ms: u64,
    },
    /// The message could not be kept, so nobody has seen it.
    StorageFailed,
    /// The name is an account's, and it was not shown whose it is.
    PasswordRequired {
        /// The name.
        name: Name,
    },
    /// Nobody comes in without an account.
    AccountRequired,
    /// The password is not that of the name, or there is no account with it.
    PasswordWrong,
    /// Too many wrong passwords for this name or from the same network, or too much to be compared at this time.
    TooManyPasswords {
        /// Milliseconds to wait.
        retry_ms: u64,
    },
    /// The name is claimed already.
    NameClaimed {
        /// The name.
        name: Name,
    },
    /// Somebody has claimed the name that this member bore.
    NameLost {
        /// The name.
        name: Name,
        /// What it is called from here on.
        to: Name,
    },
    /// Nobody may claim a name by himself here.
    RegistrationClosed,
    /// It was not shown whose account is meant.
    NotLoggedIn,
}

impl Refusal {
    /// Milliseconds after which the same may be tried again, where that is known.
    pub fn retry_ms(&self) -> Option<u64> {
        match self {
            Refusal::RateLimited { retry_ms }
            | Refusal::TooManyCodes { retry_ms }
            | Refusal::TooManyPasswords { retry_ms }
            | Refusal::SlowMode { retry_ms, .. } => Some(*retry_ms),
            _ => None,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::NotJoined => formatter.write_str("Join a room first."),
            Refusal::NameRequired => formatter.write_str("A name is needed."),
            Refusal::NameTaken { name, code } => write!(formatter, "\"{name}\" is taken in {code}."),
            Refusal::NameIsOwn { name } => write!(formatter, "You are called \"{name}\" already."),
            Refusal::NoSuchRoom { code } => write!(formatter, "There is no room {code}."),
            Refusal::RoomFull { code } => write!(formatter, "Room {code} is full."),
            Refusal::NoSuchEvent => formatter.write_str("There is no such message, or it is gone."),
            Refusal::NoSuchFile => formatter.write_str("There is no such file, or it is gone."),
            Refusal::NotYours => formatter.write_str("That is somebody else's message."),
            Refusal::TooManyReactions => formatter.write_str("That message has as many reactions as it may have."),
            Refusal::RateLimited { retry_ms } => {
                write!(formatter, "Too often. Try again in {} s.", retry_ms.div_ceil(1000))
            }
            Refusal::TooManyCodes { retry_ms } => {
                let seconds = retry_ms.div_ceil(1000);
                write!(formatter, "Too many wrong codes came from your network. Try again in {seconds} s.")
            }
            Refusal::NotOperator => formatter.write_str("Only operators of this room may do that."),
            Refusal::NoSuchMember { name } => write!(formatter, "There is no \"{name}\" here."),
            Refusal::NotBanned { name } => write!(formatter, "\"{name}\" is not banned here."),
            Refusal::NotOneself => formatter.write_str("You cannot do that to yourself."),
            Refusal::QuotaExceeded { what, most } => write!(formatter, "A room has at most {most} {what}."),
            Refusal::Banned { code, seconds } => {
                write!(formatter, "You are banned from {code} for {}.", duration_words(*seconds))
            }
            Refusal::NameBanned { name } => write!(formatter, "\"{name}\" is banned here."),
            Refusal::Muted { seconds: None } => formatter.write_str("You are muted here: nobody has seen that."),
            Refusal::Muted { seconds: Some(seconds) } => {
                write!(formatter, "You are muted here for {}: nobody has seen that.", duration_words(*seconds))
            }
            Refusal::RoomLocked { code } => write!(formatter, "Room {code} is locked: nobody new comes in."),
            Refusal::KeyRequired { code, was_wrong: false } => write!(formatter, "Room {code} has a key."),
            Refusal::KeyRequired { code, was_wrong: true } => write!(formatter, "That is not the key of {code}."),
            Refusal::SlowMode { seconds, retry_ms } => {
                let (pause, wait) = (duration_words((*seconds).into()), duration_words(retry_ms.div_ceil(1000)));
                write!(formatter, "One message in {pause} here: nobody has seen that. Try again in {wait}.")
            }
            Refusal::StorageFailed => {
                formatter.write_str("That could not be stored, so nobody has seen it. Try again.")
            }
            Refusal::PasswordRequired { name } => {
                write!(formatter, "\"{name}\" is somebody's own name here: it needs its password.")
            }
            Refusal::AccountRequired => {
                formatter.write_str("Only who has an account comes in here: give its name and its password.")
            }
            Refusal::PasswordWrong => formatter.write_str("That name and that password do not belong together."),
            Refusal::TooManyPasswords { retry_ms } => {
                let seconds = retry_ms.div_ceil(1000);
                write!(formatter, "Too many passwords were tried. Try again in {seconds} s.")
            }
            Refusal::NameClaimed { name } => write!(formatter, "\"{name}\" is somebody's own name here already."),
            Refusal::NameLost { name, to } => {
                write!(formatter, "\"{name}\" is somebody's own name here now, so you are called \"{to}\".")
            }
            Refusal::RegistrationClosed => {
                formatter.write_str("Names are claimed by those who run this server: ask them for an account.")
            }
            Refusal::NotLoggedIn => formatter.write_str("You have not shown whose account is meant: log in first."),
        }
    }
}
