//! What waits to be sent: which rooms have something, and who is offered it.

use super::broadcast_log::{BroadcastLog, WRITE_COST_BYTES};
use super::command::Membership;
use super::{Deadline, Delivery, Epoch, RoomId, Rooms, SlowConsumer};
use crate::time::Now;

/// Presence batching: in a room of so many, who comes and goes is not told at once, each time with a write to all. When
/// a thousand come, that would be half a million writes.
pub(super) const CROWD_MEMBERS: usize = 64;

/// There it is told so often at the most, or with the next message.
const PRESENCE_INTERVAL_MS: u64 = 50;

/// The pause grows with what batches cost, so that they take a part of the time only: it is a millisecond for so
/// many bytes that are written for all rooms.
const PRESENCE_BYTES_PER_MS: u64 = 64 * 1024;

/// However many there are, comings and goings are sent after so long.
const MAX_PRESENCE_INTERVAL_MS: u64 = 5_000;

/// A batch with more bytes than this waits no longer.
const MAX_PRESENCE_BYTES: usize = 1 << 20;

/// With more bytes than this that not everybody has been offered, a room is saturated: they are sent before more is
/// appended.
const SATURATION_BYTES: usize = 256 * 1024;

impl Rooms {
    /// From so many members on, a room's comings and goings are batched.
    pub fn set_crowd(&mut self, crowd_members: usize) {
        self.crowd_members = crowd_members;
    }

    /// Somebody came or went: in a room of many members it is sent together with others.
    pub(super) fn mark_presence(&mut self, room_id: RoomId, now: Now) {
        let room = self.room(room_id);
        let may_wait = now.steady_ms < room.tells_presence_at_ms && room.fresh_bytes() < MAX_PRESENCE_BYTES;
        if room.state.roster.places() >= self.crowd_members && may_wait {
            self.deadlines.insert((room.tells_presence_at_ms, Deadline::Presence { room: room_id }));
        } else {
            self.tell_presence(room_id, now);
        }
    }

    /// Sends a room's comings and goings, and has its next ones wait until this batch, and those of other rooms, are
    /// paid for.
    fn tell_presence(&mut self, room_id: RoomId, now: Now) {
        let room = self.room(room_id);
        let bytes_each = (room.fresh_bytes() + WRITE_COST_BYTES) as u64;
        let cost_ms = bytes_each * room.state.roster.entered() as u64 / PRESENCE_BYTES_PER_MS;
        let paid_at_ms = self.presence_paid_at_ms.max(now.steady_ms) + cost_ms;
        self.presence_paid_at_ms = paid_at_ms.min(now.steady_ms + MAX_PRESENCE_INTERVAL_MS);
        self.mark_fresh(room_id, now);
        let room = &mut self.rooms[room_id.0 as usize];
        room.tells_presence_at_ms = room.tells_presence_at_ms.max(self.presence_paid_at_ms);
    }

    /// What was appended is sent to everybody in this turn; a batch of comings and goings with it.
    pub(super) fn mark_fresh(&mut self, room_id: RoomId, now: Now) {
        let room = self.room_mut(room_id);
        room.tells_presence_at_ms = room.tells_presence_at_ms.max(now.steady_ms + PRESENCE_INTERVAL_MS);
        self.is_saturated |= room.fresh_bytes() > SATURATION_BYTES;
        self.mark_dirty(room_id);
    }

    /// Whether so much waits in some room that it is better sent before more is appended.
    pub fn is_saturated(&self) -> bool {
        self.is_saturated
    }

    /// Whether this room has so much to be sent that its members are not read from before.
    pub fn is_room_saturated(&self, room: RoomId) -> bool {
        self.rooms.get(room.0 as usize).is_some_and(|room| room.is_dirty && room.fresh_bytes() > SATURATION_BYTES)
    }

    /// The time of a room's batch of comings and goings has come, unless they were sent with something else.
    pub(super) fn tell_presence_if_due(&mut self, room_id: RoomId, now: Now) {
        if self.rooms.get(room_id.0 as usize).is_some_and(|room| room.tells_presence_at_ms <= now.steady_ms) {
            self.tell_presence(room_id, now);
        }
    }

    /// Has the room flushed at this time, if not before: somebody is behind.
    pub fn flush_again_at(&mut self, room_id: RoomId, at_ms: u64) {
        let Some(room) = self.rooms.get_mut(room_id.0 as usize) else { return };
        if room.flushes_again_at_ms.is_none() {
            room.flushes_again_at_ms = Some(at_ms);
            self.deadlines.insert((at_ms, Deadline::Flush { room: room_id }));
        }
    }

    /// The time has come to look again at those who were behind.
    pub(super) fn flush_again(&mut self, room_id: RoomId) {
        if let Some(room) = self.rooms.get_mut(room_id.0 as usize) {
            room.flushes_again_at_ms = None;
            self.mark_dirty(room_id);
        }
    }

    /// Has the room flushed in the next round: something was appended, or a member can be written to again.
    pub fn mark_dirty(&mut self, room_id: RoomId) {
        let Some(room) = self.rooms.get_mut(room_id.0 as usize) else { return };
        if !std::mem::replace(&mut room.is_dirty, true) {
            self.dirty.push(room_id);
        }
    }

    /// Rooms that have something to flush, moved into `rooms`.
    pub fn take_dirty(&mut self, rooms: &mut Vec<RoomId>) {
        self.is_saturated = false;
        rooms.append(&mut self.dirty);
    }

    /// Whether any room has something to flush.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Which room's members could wait for more before they are sent what there is; `None`: there is too much of it, some of
    /// them were sent it already, or the room has ended since it was marked. Whoever is behind waits along, even
    /// where nothing is new: a round for its sake alone would look through all readers once more.
    pub fn could_wait(&self, room: RoomId) -> Option<Epoch> {
        let room = self.rooms.get(room.0 as usize)?;
        (!room.is_half_flushed && room.fresh_bytes() <= SATURATION_BYTES).then(|| room.epoch())
    }

    /// Bytes that the room holds for its readers.
    pub fn held_bytes(&self, room: RoomId) -> usize {
        self.room(room).held_bytes()
    }

    /// Offers the members of the room what they have not been sent, as long as `budget_bytes` last. What is left is
    /// offered with the next call: the room stays dirty.
    ///
    /// Connections that are more than `limit_bytes` behind after that are put into `slow`. Returns when that was said
    /// (`Now::wall_ms`) which everybody has been offered from here on, if anything was.
    pub fn flush(
        &mut self,
        room_id: RoomId,
        mut budget_bytes: usize,
        limit_bytes: usize,
        delivery: &mut impl Delivery,
        slow: &mut Vec<SlowConsumer>,
    ) -> Option<u64> {
        // A room may have ended since it was marked.
        let room = self.rooms.get_mut(room_id.0 as usize)?;
        room.is_dirty = false;
        let mut is_whole = true;
        for log in room.logs.iter_mut().filter(|log| log.held_bytes() > 0) {
            is_whole &= log.flush(&mut budget_bytes, limit_bytes, delivery, slow);
        }
        room.is_half_flushed = !is_whole;
        if is_whole {
            return room.unsent_since_ms.take();
        }
        self.mark_dirty(room_id);
        None
    }

    fn with_reader<T>(&mut self, here: Membership, act: impl FnOnce(&mut BroadcastLog, u32) -> T) -> Option<T> {
        let room = self.rooms.get_mut(here.room.0 as usize)?;
        let subscription = room.subscription(here.author)?;
        Some(act(&mut room.logs[usize::from(subscription.encoder.0)], subscription.reader))
    }

    /// Moves what this member is still to be sent to its connection's output queue: what is said to it next comes after
    /// that.
    pub fn queue_unread(&mut self, here: Membership, delivery: &mut dyn Delivery) {
        let _ = self.with_reader(here, |log, reader| log.queue_unread(reader, delivery));
    }

    /// Forgets what this member is still to be sent.
    pub fn skip_unread(&mut self, here: Membership) {
        let _ = self.with_reader(here, BroadcastLog::skip_unread);
    }
}
