//! From outboxes and logs to sockets: the only place that writes to them.

use super::connection::Phase;
use super::net::Net;
use super::{Reactor, find};
use crate::journal::Journal;
use crate::rooms::{ConnectionId, Laggard, RoomId};

/// A peer that has been sent everything has this long to end its side.
const LINGER_MS: u64 = 2_000;

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Sends everything that anybody can be sent.
    pub(super) fn flush(&mut self) {
        while self.rooms.is_dirty() || !self.flush_queue.is_empty() {
            let mut dirty = std::mem::take(&mut self.dirty_rooms);
            self.rooms.take_dirty(&mut dirty);
            for room in dirty.drain(..) {
                self.flush_room(room);
            }
            self.dirty_rooms = dirty;
            self.flush_connections();
        }
    }

    /// Sends what sessions had to say themselves.
    pub(super) fn flush_connections(&mut self) {
        self.owed_bytes = 0;
        let mut queue = std::mem::take(&mut self.flush_queue);
        for id in queue.drain(..) {
            if let Some(slot) = self.find(id) {
                self.connections[slot].is_in_flush_queue = false;
                self.flush_connection(slot);
            }
        }
        queue.append(&mut self.flush_queue);
        self.flush_queue = queue;
    }

    /// Sends the members of a room its news: one write each.
    pub(super) fn flush_room(&mut self, room: RoomId) {
        let (connections, broken) = (&mut self.connections, &mut self.broken);
        let mut sent_bytes = 0;
        let mut write = |id: ConnectionId, bytes: &[u8]| {
            let Some(connection) = find(connections, id).and_then(|slot| connections.get_mut(slot)) else { return 0 };
            match connection.send(bytes) {
                Ok(count) => {
                    sent_bytes += count as u64;
                    count
                }
                Err(_) => {
                    connection.is_writable = false;
                    broken.push(id);
                    0
                }
            }
        };
        self.rooms.flush(room, &mut write, &mut self.laggards);
        self.meters().sent_bytes.inc_by(sent_bytes);
        let laggards = std::mem::take(&mut self.laggards);
        for laggard in &laggards {
            self.cut_off(laggard);
        }
        // Only now, for others hear of it, and answer: nothing of that may follow the hole.
        for laggard in &laggards {
            if let Some(slot) = self.find(laggard.connection) {
                self.drop_unsent(slot);
                self.leave_room(slot);
            }
        }
    }

    /// Says goodbye to a connection that fell too far behind.
    fn cut_off(&mut self, laggard: &Laggard) {
        let Some(slot) = self.find(laggard.connection) else { return };
        log::debug!("connection {} reads too slowly", laggard.connection.0);
        self.meters().slow_readers_closed.inc();
        self.drop_unsent(slot);
        self.words.extend_from_slice(&laggard.torn_rest);
        self.connections[slot].session.say_too_slow(&mut self.words);
        self.send_words(slot);
        self.begin_draining(slot);
    }

    /// Forgets what the connection is still to be sent of its room's log.
    fn drop_unsent(&mut self, slot: usize) {
        if let Some(membership) = self.connections[slot].membership {
            drop(self.rooms.settle(membership));
        }
    }

    /// Sends a connection's own outbox, and takes the next step of its closing.
    fn flush_connection(&mut self, slot: usize) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        let was_listening = connection.listens();
        let unsent_bytes = connection.outbox.len();
        if connection.send(&[]).is_err() {
            connection.is_writable = false;
            self.broken.push(id);
            return;
        }
        self.shared.meters().sent_bytes.inc_by((unsent_bytes - connection.outbox.len()) as u64);
        if connection.phase == Phase::Draining && connection.outbox.is_empty() {
            self.net.end_sending(&mut connection.stream);
            connection.phase = Phase::Lingering;
            connection.until_ms = self.now.steady_ms + LINGER_MS;
            if connection.has_ended {
                self.broken.push(id);
            }
            self.schedule(slot);
            return self.queue_receive(slot);
        }
        if !was_listening && connection.listens() && connection.has_input() {
            self.queue_receive(slot);
        }
    }
}
