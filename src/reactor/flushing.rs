//! From output queues and logs to sockets: the only place that writes to them.

use std::io::Write;

use super::Reactor;
use super::connection::Phase;
use super::net::{Net, Stream};
use crate::http::metrics::CloseReason;
use crate::journal::Journal;
use crate::rooms::{RoomId, SlowConsumer};

/// A peer that has been sent everything has this long to end its side, or to send more.
pub(super) const LINGER_MS: u64 = 2_000;

/// The same once the program stops: those who connect to the next one wait for that.
const LAST_LINGER_MS: u64 = 1_000;

/// So long at the most a room waits for what is about to come of it, before it is sent what there is. That comes within a
/// fraction of a millisecond, unless the log has so much to do that everybody waits for longer than this.
const HOLD_MS: u64 = 3;

/// What is written for one room in a turn, in bytes; each write counts as some more: enough for one message to a
/// thousand members. A room with more than that goes on in the next turn, and does not hold up the others.
const ROOM_BUDGET_BYTES: usize = 4 << 20;

/// Rooms with something to be sent that wait for what the journal is about to bring, since half as many writes cost half as
/// much. With a journal that has everything committed at once there are none.
#[derive(Debug, Default)]
pub(super) struct Held {
    rooms: Vec<RoomId>,
    /// All of them are sent then.
    pub until_ms: Option<u64>,
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Sends what anybody can be sent, each room's share of the turn.
    pub(super) fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty_rooms);
        dirty.append(&mut self.held.rooms);
        self.rooms.take_dirty(&mut dirty);
        self.hold_back(&mut dirty);
        for room in dirty.drain(..) {
            self.flush_room(room);
        }
        self.dirty_rooms = dirty;
        self.flush_connections();
    }

    /// Takes out the rooms of which more is about to come.
    fn hold_back(&mut self, dirty: &mut Vec<RoomId>) {
        let now_ms = self.now.steady_ms;
        if self.held.until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            self.held.until_ms = None;
            return;
        }
        let (rooms, journal, held) = (&self.rooms, &self.journal, &mut self.held.rooms);
        dirty.retain(|&room| {
            let is_held = rooms.could_wait(room).is_some_and(|epoch| journal.expects(epoch));
            if is_held {
                held.push(room);
            }
            !is_held
        });
        if held.is_empty() {
            self.held.until_ms = None;
        } else if self.held.until_ms.is_none() {
            self.held.until_ms = Some(now_ms + HOLD_MS);
        }
    }

    /// Sends what sessions had to say themselves.
    pub(super) fn flush_connections(&mut self) {
        self.connections.queued_bytes = 0;
        let mut queue = std::mem::take(&mut self.connections.flush_queue);
        for id in queue.drain(..) {
            if let Some(slot) = self.connections.find(id) {
                self.connections.slab[slot].is_in_flush_queue = false;
                self.flush_connection(slot);
            }
        }
        queue.append(&mut self.connections.flush_queue);
        self.connections.flush_queue = queue;
        let sent_bytes = std::mem::take(&mut self.connections.sent_bytes);
        self.meters().sent_bytes.inc_by(sent_bytes);
    }

    /// Sends the members of a room what they have not been sent: one write each.
    fn flush_room(&mut self, room: RoomId) {
        let soft_bytes = self.output_limits.soft_bytes;
        let mut slow = std::mem::take(&mut self.slow_consumers);
        let sent = self.rooms.flush(room, ROOM_BUDGET_BYTES, soft_bytes, &mut self.connections, &mut slow);
        if let Some(said_at_ms) = sent {
            self.watch.note_sent(said_at_ms);
        }
        if !slow.is_empty() {
            // The room may fall silent, and those who are behind stay as they are.
            self.rooms.flush_again_at(room, self.now.steady_ms + self.output_limits.stalled_ms);
        }
        slow.retain(|slow| self.is_too_slow(slow));
        for consumer in &slow {
            if let Some(slot) = self.connections.find(consumer.connection) {
                self.cut_off(slot);
            }
        }
        // Only now, since it is an event for others, who may answer: none of that may follow what these have missed.
        for consumer in slow.drain(..) {
            if let Some(slot) = self.connections.find(consumer.connection) {
                self.leave_rooms(slot);
                self.relay();
            }
        }
        self.slow_consumers = slow;
    }

    /// Whether a connection that was just written to, and is behind all the same, is to be given up.
    fn is_too_slow(&mut self, slow: &SlowConsumer) -> bool {
        let Some(slot) = self.connections.find(slow.connection) else { return false };
        let limits = self.output_limits;
        let connection = &mut self.connections.slab[slot];
        if connection.phase != Phase::Open || connection.is_writable {
            return false;
        }
        let waiting_bytes = connection.output.unsent_bytes() + slow.behind_bytes as u64;
        let stalled_ms = connection.stalled_ms(self.now.steady_ms);
        waiting_bytes > limits.hard_bytes as u64 || stalled_ms >= limits.stalled_ms
    }

    /// Whether so much waits for a member in its own output queue that it is to be given up: what it is sent itself,
    /// such as pings, has moved there what its rooms' logs held for it.
    fn holds_too_much(&self, slot: usize) -> bool {
        let connection = &self.connections.slab[slot];
        connection.phase == Phase::Open
            && !connection.is_writable
            && !connection.memberships.as_slice().is_empty()
            && connection.output.unsent_bytes() > self.output_limits.hard_bytes as u64
    }

    /// Closes a connection that fell too far behind, and tells it why.
    fn cut_off(&mut self, slot: usize) {
        log::info!(event = "cut_off", cause = "slow"; "a connection is closed: it reads too slowly");
        self.meters().slow_consumers_closed.inc();
        self.connections.slab[slot].note_reason(CloseReason::Slow);
        self.skip_unread(slot);
        let connection = &mut self.connections.slab[slot];
        connection.output.drop_whole_entries();
        connection.session.say_too_slow(&mut self.scratch);
        self.send_scratch(slot);
        self.begin_draining(slot);
    }

    /// Sends a connection's own output queue, and takes the next step of its closing.
    fn flush_connection(&mut self, slot: usize) {
        self.connections.send(slot, &[]);
        let id = self.connections.id_of(slot);
        if self.holds_too_much(slot) {
            self.cut_off(slot);
            self.leave_rooms(slot);
            return self.relay();
        }
        let linger_ms = if self.stopping.is_some() { LAST_LINGER_MS } else { LINGER_MS };
        if self.connections.slab[slot].phase == Phase::Draining && self.connections.slab[slot].is_drained() {
            self.connections.slab[slot].stream.say_end();
            self.connections.send(slot, &[]);
        }
        let connection = &mut self.connections.slab[slot];
        if connection.phase == Phase::Draining && connection.is_drained() {
            if connection.is_output_lost {
                // Why a peer was given up that breaks TLS, which it may be there to read.
                let _ = connection.stream.flush();
            } else {
                self.net.end_sending(&mut connection.stream);
            }
            connection.phase = Phase::Lingering;
            connection.until_ms = self.now.steady_ms + linger_ms;
            if connection.has_ended || connection.is_output_lost {
                self.closed.push(id);
            }
            self.schedule(slot);
            return self.connections.queue_receive(slot);
        }
        // It may have been too slow to be listened to until now.
        self.receive_again_if_due(slot);
    }
}
