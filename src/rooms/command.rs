//! What may be asked of the rooms, and what they answer: all that passes between a protocol and the chat.

use super::limiter::Address;
use super::{
    AccountId, AuthorId, Emoji, EncoderId, Epoch, Event, FileId, Kind, MessageKey, MessageRef, Moderation, Name,
    Password, PasswordHash, RoomCode, RoomId, RoomKey, Search, SharedFile, Text, Token, Via,
};
use crate::time::duration_words;

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
    Moderate(Vec<Moderation>),
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
                    | RoomCommand::Moderate(_)
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
                | RoomCommand::React { cid, .. },
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

/// An answer to a connection. Rooms and members are named by id: whoever encodes the answer reads their
/// state from the rooms, so that nothing is copied.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// This connection is now this member.
    Joined {
        /// The room entered, and as whom.
        membership: Membership,
        /// The connection is still in the rooms that it was in before.
        stays_elsewhere: bool,
        /// The secret by which the member comes back.
        token: Token,
        /// The room was made for this join.
        created: bool,
        /// The id of the room's last event.
        last: u64,
        /// The events asked for, the oldest first.
        events: Vec<Event>,
        /// Events between those the client has and the first of `events` are to be fetched, or gone.
        gap: bool,
    },
    /// What was asked for is refused; everything stays as it was.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Of which message.
        cid: Option<MessageKey>,
        /// It is the answer that the connection waits for, and not one to a command that is not answered.
        is_answer: bool,
    },
    /// This message has been said before.
    AlreadySaid {
        /// The client's own id.
        cid: MessageKey,
        /// The event's id.
        id: u64,
    },
    /// Members of the room are to be listed.
    Members {
        /// Which room.
        room: RoomId,
        /// Those in the places after this one.
        after: Option<AuthorId>,
    },
    /// Events of a room that this connection is in.
    History {
        /// Which room's.
        code: RoomCode,
        /// The oldest first.
        events: Vec<Event>,
        /// There are more in the direction that was asked for.
        more: bool,
    },
    /// What was found by a search.
    Found {
        /// In which room.
        code: RoomCode,
        /// The newest of them, the oldest first.
        events: Vec<Event>,
        /// There may be others before this id.
        before: Option<u64>,
    },
    /// From here on this connection reads the other encoding.
    EncoderSwitched,
    /// This connection is not in this room any more, as it asked.
    Left {
        /// The membership that is over.
        membership: Membership,
        /// The code of the room it left.
        code: RoomCode,
        /// As whom.
        name: Name,
    },
    /// The same member came in over another connection; this one is not in the room any more.
    TakenOver {
        /// The membership that is over.
        membership: Membership,
    },
    /// The account's password was changed elsewhere, or its name given up; this connection is not in the room any more.
    SessionEnded {
        /// The membership that is over.
        membership: Membership,
    },
    /// What was asked of one's account is done.
    Account {
        /// What it was.
        done: AccountDone,
        /// The account's name.
        name: Name,
    },

    /// An operator has thrown this member out; this connection is not in the room any more.
    Kicked {
        /// The membership that is over.
        membership: Membership,
        /// As everybody else is told of it: [`Body::Kick`](super::Body::Kick).
        event: Box<Event>,
    },
    /// Who is kept out.
    Bans {
        /// In no particular order.
        bans: Vec<ListedBan>,
    },
    /// What this member is.
    Role {
        /// It keeps order.
        is_operator: bool,
    },

    /// The empty room that was asked for.
    Created {
        /// Its code.
        code: RoomCode,
    },
    /// A place is kept.
    Reserved {
        /// In which room.
        code: RoomCode,
        /// For whoever shows this.
        token: Token,
    },
    /// There is such a room.
    Visited {
        /// Its code.
        code: RoomCode,
        /// The member whose secret was shown.
        name: Option<Name>,
        /// Who is not known there has to give a key.
        wants_key: bool,
    },
    /// The room's state is to be written.
    Described {
        /// Which room.
        room: RoomId,
    },
    /// A room's events, for someone outside.
    Events {
        /// Which room's.
        code: RoomCode,
        /// The oldest first.
        events: Vec<Event>,
        /// There are more in the direction that was asked for.
        more: bool,
    },
    /// The file may be sent.
    ShareAllowed,
    /// A file is shared.
    Shared {
        /// In which room.
        code: RoomCode,
        /// The file that the event has: if it is not new, another one than was sent now.
        file: Box<SharedFile>,
        /// The event's id.
        id: u64,
        /// It was not shared before under this `cid`.
        is_new: bool,
    },
    /// There is such a file.
    FileFound {
        /// What is known of it.
        file: SharedFile,
    },
    /// The state of the rooms may be read.
    Inspected,
}

impl Reply {
    /// Whether it is the answer that the connection waits for.
    pub fn is_answer(&self) -> bool {
        match self {
            Reply::Refused { is_answer, .. } => *is_answer,
            Reply::AlreadySaid { .. } | Reply::TakenOver { .. } | Reply::SessionEnded { .. } | Reply::Kicked { .. } => {
                false
            }
            _ => true,
        }
    }
}

/// Somebody who is kept out of a room, as an operator is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedBan {
    /// The name it is known by.
    pub name: Name,
    /// For so long.
    pub seconds: u64,
    /// Who has banned it.
    pub by: Name,
}

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
