//! One room: who is in it, what was said in it, and what its members are still to be sent.

use super::history::History;
use super::log::Log;
use super::roster::Presence;
use super::roster::{Member, Roster};
use super::{Body, ConnectionId, Epoch, Event, MemberId, RoomCode, StoredRoom, WireId};

/// A conversation.
pub struct Room {
    code: RoomCode,
    pub(super) roster: Roster,
    pub(super) history: History,
    pub(super) logs: Box<[Log]>,
    /// Whether the reactor knows that there is something to flush.
    pub(super) is_dirty: bool,
    /// From when on somebody's coming or going is a reason to write to all members of a crowd.
    pub(super) tells_news_at_ms: u64,
    /// When the room ends, as long as nobody is in it.
    pub(super) ends_at_ms: Option<u64>,
}

impl Room {
    pub(super) fn new(code: RoomCode, epoch: Epoch, wires: usize) -> Room {
        Room::with_history(code, History::new(epoch), wires)
    }

    /// A room as the journal remembers it, with nobody in it.
    pub(super) fn restored(stored: &StoredRoom, wires: usize) -> Room {
        let history = History::restored(stored.epoch, stored.last_id, stored.last_time_ms);
        let mut room = Room::with_history(stored.code, history, wires);
        room.roster.number_authors_after(stored.last_author);
        room
    }

    fn with_history(code: RoomCode, history: History, wires: usize) -> Room {
        Room {
            code,
            roster: Roster::default(),
            history,
            logs: (0..wires).map(|_| Log::default()).collect(),
            is_dirty: false,
            tells_news_at_ms: 0,
            ends_at_ms: None,
        }
    }

    /// The code by which it is found.
    pub fn code(&self) -> RoomCode {
        self.code
    }

    /// The tag of its ids.
    pub fn epoch(&self) -> Epoch {
        self.history.epoch()
    }

    /// The id of the last event; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.history.last_id()
    }

    /// Everybody present, in the order of their places.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.iter().filter(|member| member.has_entered)
    }

    /// One member.
    ///
    /// # Panics
    /// If there is none with that id: ids live as long as their memberships.
    pub fn member(&self, member: MemberId) -> &Member {
        self.roster.member(member)
    }

    /// Makes an event of this member's. It is seen by nobody until the journal has it.
    pub(super) fn make_event(&mut self, member: MemberId, body: Body, wall_ms: u64) -> Event {
        let Member { ref name, via, author, .. } = *self.roster.member(member);
        let time_ms = self.history.time_ms(wall_ms);
        Event { id: 0, time_ms, name: name.clone(), via, author, body }
    }

    /// Appends an entry to the log of one wire, if anybody is on it. `skipped` is not to be sent it; what
    /// that member was still to be sent before it is returned, with its connection.
    pub(super) fn append(
        &mut self,
        wire: WireId,
        skipped: Option<MemberId>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Option<(ConnectionId, Vec<u8>)> {
        let seat = skipped.and_then(|member| match self.roster.find(member)?.presence {
            Presence::Here { connection, seat: Some(seat) } if seat.wire == wire => Some((connection, seat.reader)),
            _ => None,
        });
        let log = &mut self.logs[usize::from(wire.0)];
        if log.is_unread() {
            return None;
        }
        let Some((connection, reader)) = seat else {
            log.append(encode);
            return None;
        };
        let unsent = log.settle(reader);
        let start = log.end();
        log.append(encode);
        log.skip_from(reader, start);
        (!unsent.is_empty()).then_some((connection, unsent))
    }
}
