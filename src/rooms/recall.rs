//! What the journal remembers: rooms of an earlier run, and events that memory does not hold any more.
//!
//! Nothing here waits. A command that needs such events is put off by whoever applies it until they are read.

use super::command::{Command, Door};
use super::room::Room;
use super::roster::{Member, Presence};
use super::{Deadline, Membership, Now, Read, Reading, RoomId, Rooms, StoredRoom};

/// Events of a room in memory, where a journal holds the others.
const MEMORY_EVENTS: usize = 1000;

impl Rooms {
    /// From here on a journal holds events that memory does not.
    pub fn rely_on_journal(&mut self) {
        self.rely_on_journal_beyond(MEMORY_EVENTS);
    }

    /// The same, with so many events of a room in memory.
    pub fn rely_on_journal_beyond(&mut self, events: usize) {
        self.memory_events = events;
    }

    /// Brings back the rooms of an earlier run. Who was here has the grace to come back; the time of empty rooms
    /// counts on.
    pub fn restore(&mut self, stored: Vec<StoredRoom>, now: Now) {
        for stored in stored {
            let room = RoomId(self.rooms.insert(Room::restored(&stored, self.wires.len())) as u32);
            self.codes.insert(stored.code, room);
            for member in &stored.members {
                if !member.is_placed {
                    self.room_mut(room).roster.remember_departed(member);
                    continue;
                }
                let until_ms = now.steady_ms + self.limits().grace_ms;
                let id = self.add_to_roster(
                    room,
                    Member {
                        name: member.name.clone(),
                        via: member.via,
                        author: member.author,
                        token: None,
                        token_hash: member.token,
                        presence: Presence::Away { until_ms },
                        has_entered: member.has_entered,
                        typed_at_ms: 0,
                        former: None,
                    },
                );
                self.deadlines.insert((until_ms, Deadline::Grace { room, member: id }));
            }
            if self.room(room).roster.places() == 0 {
                let been_empty_ms = now.wall_ms.saturating_sub(stored.last_time_ms);
                let ends_at_ms = now.steady_ms + self.limits().room_ttl_ms.saturating_sub(been_empty_ms);
                self.room_mut(room).ends_at_ms = Some(ends_at_ms);
                self.deadlines.insert((ends_at_ms, Deadline::RoomEnd { room }));
            }
        }
    }

    /// What has to be read, and [lent](Self::lend), before this command can be applied.
    pub fn reading_for(&self, membership: Option<Membership>, command: &Command) -> Option<Reading> {
        let kept = self.kept();
        let of_code = |code| self.codes.get(&code).copied();
        let (room, ids) = match command {
            Command::Join(join) => {
                let (Door::Code(code) | Door::CodeOrNew(code)) = join.door else { return None };
                let room = of_code(code)?;
                (room, self.room(room).history.ids_to_continue(join.since, join.epoch, kept))
            }
            Command::History(span) => {
                let room = membership?.room;
                (room, self.room(room).history.ids_to_select(*span, kept))
            }
            Command::Events { code, span } => {
                let room = of_code(*code)?;
                (room, self.room(room).history.ids_to_select(*span, kept))
            }
            _ => return None,
        };
        let (first_id, last_id) = ids?;
        let (epoch, wants_said) = (self.room(room).epoch(), self.room(room).history.is_cold());
        Some(Reading { room, epoch, first_id, last_id, wants_said })
    }

    /// Takes in what was read, for the command that is applied next.
    ///
    /// Returns what has to be read instead, if memory has let go of events meanwhile that were not read.
    pub fn lend(&mut self, reading: Reading, read: Read) -> Option<Reading> {
        let room = self.rooms.get_mut(reading.room.0 as usize)?;
        if room.epoch() != reading.epoch {
            return None;
        }
        let last_id = room.history.first_held_id() - 1;
        if last_id > reading.last_id {
            return Some(Reading { last_id, ..reading });
        }
        // Read for a cold room that has been warmed meanwhile: as good for this command.
        room.history.lend(read);
        self.lent_to = Some(reading.room);
        None
    }

    /// What was lent is not needed any more.
    pub fn return_loan(&mut self) {
        if let Some(room) = self.lent_to.take()
            && let Some(room) = self.rooms.get_mut(room.0 as usize)
        {
            room.history.return_loan();
        }
    }
}
