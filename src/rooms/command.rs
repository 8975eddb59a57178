//! What may be asked of the rooms, and what they answer: all that passes between a protocol and the chat.

mod refusal;
mod reply;

pub use refusal::Refusal;
pub use reply::{ListedBan, Reply};

use super::limiter::Address;
use super::{
    AccountId, AuthorId, Emoji, EncoderId, Epoch, FileId, Kind, MessageKey, MessageRef, Moderation, Name, Password,
    PasswordHash, RoomCode, RoomId, RoomKey, Search, SharedFile, Text, Token, Via,
};

/// A connection, as the reactor numbers them; never given to another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The connection to answer.
    pub connection: ConnectionId,
    /// Where it comes from, for the limits that count by address.
    pub address: Address,
    /// How it is connected.
    pub via: Via,
    /// The encoding in which it reads a room's events.
    pub encoder: EncoderId,
}

/// What a connection holds while it is a member of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Which room.
    pub room: RoomId,
    /// As whom.
    pub author: AuthorId,
}

/// Which of the rooms that a connection is in a command is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoomRef {
    /// The only one that it is in.
    Only,
    /// The one with this code.
    Code(RoomCode),
}

/// Which room to enter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinTarget {
    /// A new one, under a random code.
    New,
    /// The one with this code.
    Code(RoomCode),
    /// The one with this code; a new one under it, if there is none.
    CodeOrNew(RoomCode),
}

/// A request to become, or to be again, a member of a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    /// Which room.
    pub target: JoinTarget,
    /// The connection stays in the rooms that it is in; else it leaves them.
    pub stays_elsewhere: bool,
    /// The name wanted; may be left out where the token tells who comes.
    pub name: Option<Name>,
    /// Without another name, the one that this connection has in the room it is in.
    pub keeps_name: bool,
    /// The secret of the member that comes back.
    pub token: Option<Token>,
    /// The last id this client has.
    pub since: Option<u64>,
    /// The epoch that id belongs to.
    pub epoch: Option<Epoch>,
    /// The room's key, as it was typed.
    pub key: Option<RoomKey>,
}

/// Which part of a room's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Only events after this id, the oldest first.
    pub since: Option<u64>,
    /// Only events before this id.
    pub before: Option<u64>,
    /// At the most this many.
    pub limit: usize,
}

/// Who shares a file.
#[derive(Clone, PartialEq, Debug)]
pub enum Sharer {
    /// A member of the room, who shows its secret.
    Member(Token),
    /// Somebody without a place in the room, under a name that is nobody's.
    Guest(Name),
    /// The same under the first free name of guest, guest_1, guest_2 …
    Nameless,
}

/// A file that is to be shared, but for the file itself.
#[derive(Clone, PartialEq, Debug)]
pub struct Share {
    /// In which room.
    pub code: RoomCode,
    /// Who shares it.
    pub sharer: Sharer,
    /// The room's key, as it was typed.
    pub key: Option<RoomKey>,
    /// The client's own id for it. A guest's is not remembered: it is somebody else the next time.
    pub cid: Option<MessageKey>,
    /// What is said with it.
    pub text: Option<Text>,
}

/// Something asked of the rooms.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Enter a room over this connection. Answer: `Joined`. Boxed, since it is the biggest by far and the rarest.
    Join(Box<Join>),
    /// Something asked as a member of a room.
    In(RoomRef, RoomCommand),
    /// Read the rooms' events in another encoding from now on. Answer: `EncoderSwitched`.
    SwitchEncoder(EncoderId),

    /// Create an empty room. Answer: `Created`.
    Create,
    /// Keep a place in a room for a member who is about to connect. Answer: `Reserved`.
    Reserve {
        /// Which room.
        target: JoinTarget,
        /// The name wanted.
        name: Name,
        /// The secret this browser has for the room, if any.
        token: Option<Token>,
        /// The room's key, as it was typed.
        key: Option<RoomKey>,
    },
    /// Ask whether there is such a room, and who in it has this secret. Answer: `Visited`.
    Visit {
        /// Which room.
        code: RoomCode,
        /// The secret this browser has for the room, if any.
        token: Option<Token>,
    },
    /// Ask for a room's state from outside. Answer: `Described`.
    Describe {
        /// Which room.
        code: RoomCode,
        /// The secret that whoever asks has for the room, if any.
        token: Option<Token>,
    },
    /// Ask for a room's events from outside. Answer: `Events`.
    Events {
        /// Which room.
        code: RoomCode,
        /// Which events.
        span: Span,
        /// The secret that whoever asks has for the room, if any.
        token: Option<Token>,
    },
    /// Search a room's messages from outside. Answer: `Found`.
    Search {
        /// Which room.
        code: RoomCode,
        /// What for.
        search: Search,
        /// The secret of whoever asks, if it has one for the room.
        token: Option<Token>,
    },
    /// Ask whether a file may be shared, before it is taken. Answer: `ShareAllowed`, or `Shared` if it was under this
    /// `cid`. Boxed like all that is big and rare.
    CheckShare(Box<Share>),
    /// Share a file that is stored. Answer: `Shared`. Where it is refused, or the file was shared before under this `cid`,
    /// it is [released](super::Rooms::take_released_file).
    Share(Box<Share>, Box<SharedFile>),
    /// Ask for a file. Whoever has its address was given it. Answer: `FileFound`.
    FindFile {
        /// In which room it was shared.
        code: RoomCode,
        /// Which file.
        id: FileId,
    },
    /// Ask how things are, for the program's own figures. Answer: `Inspected`.
    Inspect,

    /// A command to come in, under a name whose password is shown: to be compared before the rooms see the command. Its
    /// answer is the command's.
    WithPassword(Box<Command>, Password),
    /// Something asked of one's account with a password: to be compared or hashed before the rooms see what comes of it.
    /// Answer: `Account`.
    Account(Box<AccountCommand>),
    /// What comes of it.
    Proven(Box<ProvenCommand>),
}

/// Something asked of one's account, with passwords as they were typed.
#[derive(Clone, PartialEq, Debug)]
pub enum AccountCommand {
    /// Claim a name: this one, or the one that is borne.
    Register {
        /// The name.
        name: Option<Name>,
        /// Its password from here on.
        password: Password,
    },
    /// Show that a name is one's own: this one, or the one that is borne.
    Login {
        /// The name.
        name: Option<Name>,
        /// Its password.
        password: Password,
    },
    /// Change the password. All other sessions of the account end.
    ChangePassword {
        /// The password so far.
        password: Password,
        /// The one from here on.
        new: Password,
    },
    /// Give up the name.
    Unregister {
        /// Its password.
        password: Password,
    },
}

/// Something asked of an account by whoever has shown that it is its own.
#[derive(Clone, PartialEq, Debug)]
pub enum ProvenCommand {
    /// Claim this name, which is nobody's.
    Register {
        /// The name.
        name: Name,
        /// What its password hashes to.
        hash: PasswordHash,
    },
    /// Be known as the account's owner from here on, and bear its name.
    Login {
        /// Which account.
        account: AccountId,
    },
    /// Change the password.
    ChangePassword {
        /// Which account.
        account: AccountId,
        /// What the new password hashes to.
        hash: PasswordHash,
    },
    /// Give up the name.
    Unregister {
        /// Which account.
        account: AccountId,
    },
}

/// What was done to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountDone {
    /// The name is claimed.
    Registered,
    /// It was shown whose the name is.
    LoggedIn,
    /// There is another password.
    PasswordChanged,
    /// The name is anybody's again.
    Unregistered,
}

/// Something asked as a member of a room.
#[derive(Clone, PartialEq, Debug)]
pub enum RoomCommand {
    /// Say something. No answer but the event itself; `AlreadySaid` for a repeated `cid`.
    Say {
        /// Plainly or in the third person.
        kind: Kind,
        /// What to say.
        text: Text,
        /// The client's own id for it.
        cid: Option<MessageKey>,
        /// What it replies to.
        reply_to: Option<MessageRef>,
    },
    /// Correct a message of one's own. Answered as `Say` is.
    Edit {
        /// Which message.
        of: MessageRef,
        /// What it says from here on.
        text: Text,
        /// The client's own id for the correction.
        cid: Option<MessageKey>,
    },
    /// Delete a message. No answer but the event itself.
    Delete {
        /// Which message.
        of: MessageRef,
        /// To be named in a refusal.
        cid: Option<MessageKey>,
    },
    /// React to a message. No answer but the event itself; none at all where it changes nothing.
    React {
        /// To which message.
        of: MessageRef,
        /// With what.
        emoji: Emoji,
        /// `false`: take it back.
        on: bool,
        /// To be named in a refusal.
        cid: Option<MessageKey>,
    },
    /// Tell the others that something is being typed. No answer.
    Typing,
    /// Take another name. No answer but the event itself.
    Nick(Name),
    /// Ask who is here, or who else beyond the one with this name. Answer: `Members`.
    Who {
        /// The last one that is known.
        after: Option<Name>,
    },
    /// Ask for events. Answer: `History`.
    History(Span),
    /// Search what was said. Answer: `Found`.
    Search(Search),
    /// Keep order, as an operator. No answer but the event itself. What a terminal's line may mean, which does not tell
    /// a name from what follows it: of these, the first that is about somebody counts.
    Moderate {
        /// What it may mean.
        readings: Vec<Moderation>,
        /// The client's own id for it, to be named in a refusal.
        cid: Option<MessageKey>,
    },
    /// Ask who is kept out, as an operator. Answer: `Bans`.
    Bans,
    /// Ask whether one is an operator. Answer: `Role`.
    Role,
    /// Leave the room for good. Answer: `Left`.
    Leave,
}

impl Command {
    /// Whether each such command is answered by exactly one reply.
    ///
    /// What is said, changed or renamed is answered by its event instead, or by a refusal.
    pub fn is_answered(&self) -> bool {
        let is_unanswered = |command: &RoomCommand| {
            matches!(
                command,
                RoomCommand::Say { .. }
                    | RoomCommand::Edit { .. }
                    | RoomCommand::Delete { .. }
                    | RoomCommand::React { .. }
                    | RoomCommand::Typing
                    | RoomCommand::Nick(_)
                    | RoomCommand::Moderate { .. }
            )
        };
        match self {
            Command::In(_, command) => !is_unanswered(command),
            Command::WithPassword(command, _) => command.is_answered(),
            _ => true,
        }
    }

    /// The client's own id for it, to be named in a refusal.
    pub(super) fn cid(&self) -> Option<&MessageKey> {
        match self {
            Command::In(
                _,
                RoomCommand::Say { cid, .. }
                | RoomCommand::Edit { cid, .. }
                | RoomCommand::Delete { cid, .. }
                | RoomCommand::React { cid, .. }
                | RoomCommand::Moderate { cid, .. },
            ) => cid.as_ref(),
            Command::CheckShare(share) | Command::Share(share, _) => share.cid.as_ref(),
            _ => None,
        }
    }

    /// The file that it brings.
    pub(super) fn file(&self) -> Option<FileId> {
        match self {
            Command::Share(_, file) => Some(file.id),
            _ => None,
        }
    }

    /// The message that it is about, and in which of the rooms, if it is about one.
    pub(super) fn message_ref(&self) -> Option<(RoomRef, MessageRef)> {
        match self {
            Command::In(
                room,
                RoomCommand::Say { reply_to: Some(of), .. }
                | RoomCommand::Edit { of, .. }
                | RoomCommand::Delete { of, .. }
                | RoomCommand::React { of, .. },
            ) => Some((*room, *of)),
            _ => None,
        }
    }
}
