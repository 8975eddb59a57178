//! What the rooms answer to a connection.

use super::super::{AuthorId, Event, MessageKey, Name, RoomCode, RoomId, SharedFile, Token};
use super::{AccountDone, Membership, Refusal};

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
    /// The member's place was given up, since the other nodes took this one to be gone. It may come again.
    PlaceLost {
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
        /// As everybody else is told of it: [`Body::Kick`](super::super::Body::Kick).
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
            Reply::AlreadySaid { .. } | Reply::TakenOver { .. } | Reply::PlaceLost { .. } => false,
            Reply::SessionEnded { .. } | Reply::Kicked { .. } => false,
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
