//! Rooms of an earlier run, as the journal remembers them.

use super::command::Membership;
use super::state::RoomState;
use super::{Rooms, StoredAccount, StoredRoom};
use crate::time::Now;

/// Events of a room in memory, where a journal holds the others.
const MEMORY_EVENTS: usize = 1000;

impl Rooms {
    /// From here on a journal holds events that memory does not.
    pub fn rely_on_journal(&mut self) {
        self.rely_on_journal_beyond(MEMORY_EVENTS);
    }

    /// The same, with so many events of a room in memory.
    pub fn rely_on_journal_beyond(&mut self, events: usize) {
        self.relies_on_journal = true;
        self.memory_events = events;
    }

    /// Brings back the accounts of an earlier run. The rooms come after them.
    pub fn restore_accounts(&mut self, stored: Vec<StoredAccount>) {
        stored.into_iter().for_each(|account| self.accounts.add(account));
        self.note_admins();
    }

    /// Brings back the rooms of an earlier run. Who was here has the grace to come back; the time of empty rooms
    /// counts on.
    pub fn restore(&mut self, stored: Vec<StoredRoom>, now: Now) {
        for stored in stored {
            let room_id = self.add_room(RoomState::restored(&stored, self.kept()));
            self.codes.insert(stored.code, room_id);
            let room = self.room_mut(room_id);
            room.is_open = true;
            let authors: Vec<_> = room.state.roster.iter().map(|member| member.author()).collect();
            for &author in &authors {
                self.keep_place(Membership { room: room_id, author }, now.steady_ms + self.limits().grace_ms);
            }
            self.restore_claims(room_id, &authors, now);
            if authors.is_empty() {
                let been_empty_ms = now.wall_ms.saturating_sub(stored.last_time_ms);
                self.end_at(room_id, now.steady_ms + self.limits().room_ttl_ms.saturating_sub(been_empty_ms));
            }
        }
    }
}
