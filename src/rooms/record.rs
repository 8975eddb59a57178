//! What the journal is handed: a change to be kept, and what follows once it is.

use super::command::{ConnectionId, Reply};
use super::{AuthorId, Body, Epoch, Event, MemberId, Name, RoomCode, RoomId, TokenHash, Via, WireId};

/// A change on its way to the journal and, once that has it, back to the rooms, in the same order.
#[derive(Debug)]
pub struct Record {
    /// Which room, as the rooms number them.
    pub room: RoomId,
    /// Which life of it: distinguishes it from every other room that ever was.
    pub epoch: Epoch,
    /// What is to be kept.
    pub change: Change,
    pub(super) sequel: Sequel,
}

/// What is to be kept.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// A room began.
    Opened {
        /// The code by which it is found.
        code: RoomCode,
        /// Milliseconds since 1970, UTC.
        time_ms: u64,
    },
    /// Somebody has a place in it.
    Placed {
        /// Who.
        author: AuthorId,
        /// What is kept of the secret by which it comes back.
        token: TokenHash,
        /// What it is called.
        name: Name,
        /// How it is connected.
        via: Via,
    },
    /// Something happened that is seen by everybody, as the room's next event.
    Happened {
        /// The event. The journal may number it: as the room will.
        event: Event,
        /// Whose it is, as its room numbers them; its place may be another's by now.
        member: MemberId,
    },
    /// A place is free again.
    Vacated {
        /// Whose it was.
        author: AuthorId,
        /// Its secret still tells who it was.
        may_return: bool,
        /// Milliseconds since 1970, UTC.
        time_ms: u64,
    },
    /// The room is over, with all it held.
    Ended,
    /// Nothing: only the order counts, and what follows.
    Nothing,
}

/// What follows once a change is kept.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Sequel {
    Nothing,
    /// Somebody is shown in.
    Seat(MemberId, Joining),
    /// A connection gets its answer.
    Answer(ConnectionId, Reply),
    /// A member gives up the name that it had before.
    SettleName,
}

/// A connection that waits to be shown in.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Joining {
    pub connection: ConnectionId,
    pub wire: WireId,
    pub since: Option<u64>,
    pub epoch: Option<Epoch>,
    pub created: bool,
    /// Events that were read for it and that memory does not hold.
    pub loan: Vec<Event>,
}

impl Record {
    /// A change that nothing follows.
    pub fn new(room: RoomId, epoch: Epoch, change: Change) -> Record {
        Record { room, epoch, change, sequel: Sequel::Nothing }
    }

    /// Whether its sender can be told that it was not kept, as if it had never been. Others say who is there
    /// under which name: they are true whether they are kept or not, and what comes after them relies on them.
    pub fn is_refusable(&self) -> bool {
        matches!(self.change, Change::Happened { event: Event { body: Body::Message { .. }, .. }, .. })
    }

    /// Takes out what follows, as a record of its own, for when the change itself has to wait: nobody waits with
    /// it. What belongs to the change itself stays with it.
    pub fn take_sequel(&mut self) -> Option<Record> {
        if self.sequel == Sequel::SettleName {
            return None;
        }
        let sequel = std::mem::replace(&mut self.sequel, Sequel::Nothing);
        let (room, epoch, change) = (self.room, self.epoch, Change::Nothing);
        (sequel != Sequel::Nothing).then_some(Record { room, epoch, change, sequel })
    }
}

/// A room as a journal remembers it from an earlier run.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredRoom {
    /// The code by which it is found.
    pub code: RoomCode,
    /// The tag of its ids.
    pub epoch: Epoch,
    /// The id of its last event; 0 before the first.
    pub last_id: u64,
    /// When something last happened in it: its beginning, an event, a place given up. Milliseconds since 1970,
    /// UTC.
    pub last_time_ms: u64,
    /// The highest number that anybody had in it.
    pub last_author: AuthorId,
    /// Everybody whose secret it knows.
    pub members: Vec<StoredMember>,
}

/// Somebody whose secret a stored room knows.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredMember {
    /// Who it is, for the room.
    pub author: AuthorId,
    /// What is kept of the secret by which it comes back.
    pub token: TokenHash,
    /// What it is, or was, called.
    pub name: Name,
    /// How it was connected.
    pub via: Via,
    /// It had a place; else only its secret still tells who it was.
    pub is_placed: bool,
    /// The room has been told that it came.
    pub has_entered: bool,
}

/// Events that a command needs and memory does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Which room, as the rooms number them.
    pub room: RoomId,
    /// Which life of it.
    pub epoch: Epoch,
    /// The first id wanted.
    pub first_id: u64,
    /// The last id wanted.
    pub last_id: u64,
    /// Also wanted: what was said under which client id, for as long as the record goes back.
    pub wants_said: bool,
}

/// What a journal has read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Read {
    /// The events, the oldest first. Those that are too old to be kept are missing.
    pub events: Vec<Event>,
    /// Who said what under which client id, the oldest first; only if it was wanted.
    pub said: Vec<(u64, AuthorId, super::ClientId)>,
}
