//! How much memory the history of all rooms takes, and which rooms give some back when it is too much.

use super::{RoomId, Rooms};

/// When the limit is reached, so much of it is made free at once, in parts of 16: looking for it takes time.
const FREED_SIXTEENTHS: usize = 1;

/// A room that has to give back memory keeps at least so many events, if no journal has them.
const LEAST_EVENTS: usize = 16;

/// And so many if one has: what was read before leads up to them.
const LEAST_EVENTS_BESIDE_JOURNAL: usize = 1;

/// The memory that the history of all rooms takes.
pub(super) struct HistoryMemory {
    limit_bytes: usize,
    /// Beyond this it is tried to free some: more than the limit, where that could not be reached the last time.
    frees_above_bytes: usize,
    used_bytes: usize,
    /// How often any room's history was read so far.
    reads: u64,
}

impl HistoryMemory {
    pub fn new(limit_bytes: usize) -> HistoryMemory {
        HistoryMemory { limit_bytes, frees_above_bytes: limit_bytes, used_bytes: 0, reads: 0 }
    }

    /// The next event that is recorded frees what is too much from now on.
    pub fn set_limit(&mut self, limit_bytes: usize) {
        (self.limit_bytes, self.frees_above_bytes) = (limit_bytes, limit_bytes);
    }

    pub fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// A room that took so much is over.
    pub fn forget(&mut self, bytes: usize) {
        self.used_bytes -= bytes;
    }
}

impl Rooms {
    /// The room's history is read.
    pub(super) fn note_read(&mut self, room_id: RoomId) {
        self.history_memory.reads += 1;
        self.room_mut(room_id).last_read = self.history_memory.reads;
        self.count_memory(room_id);
    }

    /// Counts what the room's history takes now, and frees memory if all of them take too much.
    pub(super) fn count_memory(&mut self, room_id: RoomId) {
        let room = &mut self.rooms[room_id.0 as usize];
        let bytes = room.state.history.memory_bytes();
        if bytes != room.memory_bytes {
            self.history_memory.used_bytes += bytes;
            self.history_memory.used_bytes -= std::mem::replace(&mut room.memory_bytes, bytes);
            if self.history_memory.used_bytes > self.history_memory.frees_above_bytes {
                self.free_memory();
                let HistoryMemory { limit_bytes, used_bytes, .. } = self.history_memory;
                self.history_memory.frees_above_bytes = limit_bytes.max(used_bytes + limit_bytes / 16);
            }
        }
    }

    /// Has the rooms that were least recently read keep less in memory.
    fn free_memory(&mut self) {
        let limit_bytes = self.history_memory.limit_bytes;
        let wanted_bytes = limit_bytes - limit_bytes / 16 * FREED_SIXTEENTHS;
        let kept = self.kept();
        let least_events = if self.relies_on_journal { LEAST_EVENTS_BESIDE_JOURNAL } else { LEAST_EVENTS };
        while self.history_memory.used_bytes > wanted_bytes {
            let mut rooms: Vec<(u64, RoomId)> = Vec::new();
            for (slot, room) in &self.rooms {
                let history = &room.state.history;
                if history.held_events() > least_events || history.has_last_messages() {
                    rooms.push((room.last_read, RoomId(slot as u32)));
                }
            }
            if rooms.is_empty() {
                return;
            }
            rooms.sort_unstable();
            for (_, room_id) in rooms {
                if self.history_memory.used_bytes <= wanted_bytes {
                    return;
                }
                let room = &mut self.rooms[room_id.0 as usize];
                let held_events = room.state.history.held_events();
                let events = if self.relies_on_journal { 0 } else { held_events / 2 };
                room.state.release_beyond(events.max(least_events));
                if self.relies_on_journal {
                    room.state.history.leave_last_messages();
                } else if held_events <= least_events {
                    room.state.history.forget_last_messages();
                }
                room.state.history.release_files(kept);
                self.released_files.extend(room.state.history.take_released_files());
                let bytes = room.state.history.memory_bytes();
                self.history_memory.used_bytes += bytes;
                self.history_memory.used_bytes -= std::mem::replace(&mut room.memory_bytes, bytes);
            }
        }
    }
}
