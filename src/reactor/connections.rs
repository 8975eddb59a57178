//! All connections, by slot, and the queues of those that are to be looked at.

use slab::Slab;

use super::connection::{Connection, Phase};
use super::net::Stream;
use super::output_queue::SpareBuffers;
use super::{GENERATION_MASK, SLOT_BITS};
use crate::rooms::{Address, ConnectionId, Delivery};

/// Every connection that holds a slot.
pub struct Connections<S> {
    pub slab: Slab<Connection<S>>,
    next_generation: u32,
    pub receive_queue: Vec<ConnectionId>,
    pub flush_queue: Vec<ConnectionId>,
    /// Bytes put into output queues since they were last flushed.
    pub queued_bytes: usize,
    /// Bytes that the system has taken since they were last counted.
    pub sent_bytes: u64,
    /// The time of the turn (`Now::steady_ms`).
    pub now_ms: u64,
    pub spare: SpareBuffers,
}

impl<S> Connections<S> {
    pub fn new() -> Connections<S> {
        Connections {
            slab: Slab::new(),
            next_generation: 0,
            receive_queue: Vec::new(),
            flush_queue: Vec::new(),
            queued_bytes: 0,
            sent_bytes: 0,
            now_ms: 0,
            spare: SpareBuffers::default(),
        }
    }

    /// A generation that tells a connection from others that had its slot.
    pub fn new_generation(&mut self) -> u32 {
        let generation = self.next_generation;
        self.next_generation = generation.wrapping_add(1) & GENERATION_MASK;
        generation
    }

    pub fn id_of(&self, slot: usize) -> ConnectionId {
        connection_id(slot, self.slab[slot].generation)
    }

    /// The slot of a connection, unless it is another's by now.
    pub fn find(&self, id: ConnectionId) -> Option<usize> {
        let slot = (id.0 & ((1 << SLOT_BITS) - 1)) as usize;
        let generation = (id.0 >> SLOT_BITS) as u32;
        self.slab.get(slot).filter(|connection| connection.generation == generation).map(|_| slot)
    }

    pub fn queue_receive(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.slab[slot].is_in_receive_queue, true) {
            self.receive_queue.push(self.id_of(slot));
        }
    }

    pub fn queue_flush(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.slab[slot].is_in_flush_queue, true) {
            self.flush_queue.push(self.id_of(slot));
        }
    }

    /// Puts an entry into a connection's output queue.
    pub fn queue_output(&mut self, slot: usize, entry: &[u8]) {
        let connection = &mut self.slab[slot];
        if connection.is_output_lost || entry.is_empty() {
            return;
        }
        connection.output.push(entry, &mut self.spare);
        self.queued_bytes += entry.len();
        self.queue_flush(slot);
    }
}

impl<S: Stream> Connections<S> {
    /// Sends what a connection's output queue holds, and then `parts`. Returns how much of `parts` was taken.
    pub fn send(&mut self, slot: usize, parts: &[&[u8]]) -> usize {
        let connection = &mut self.slab[slot];
        if !connection.is_writable {
            return if connection.is_output_lost { parts.iter().map(|part| part.len()).sum() } else { 0 };
        }
        let before = connection.output.unsent_bytes();
        let taken = connection.send(parts, self.now_ms, &mut self.spare);
        if connection.is_output_lost {
            // What it sent before is still looked at; then it ends.
            self.queue_receive(slot);
        } else {
            self.sent_bytes += before - connection.output.unsent_bytes() + taken as u64;
        }
        taken
    }
}

impl<S: Stream> Delivery for Connections<S> {
    fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize {
        self.find(connection).map_or(0, |slot| self.send(slot, parts))
    }

    /// Nothing is put behind what a connection was told last: it ends with that (RFC 6455, section 5.5.1).
    fn queue(&mut self, connection: ConnectionId, entry: &[u8]) {
        if let Some(slot) = self.find(connection).filter(|slot| self.slab[*slot].phase == Phase::Open) {
            self.queue_output(slot, entry);
        }
    }

    fn queue_rest(&mut self, connection: ConnectionId, rest: &[u8]) {
        if let Some(slot) = self.find(connection).filter(|slot| !self.slab[*slot].is_output_lost) {
            self.slab[slot].output.push_rest(rest, &mut self.spare);
            self.queued_bytes += rest.len();
            self.queue_flush(slot);
        }
    }

    fn address_of(&self, connection: ConnectionId) -> Option<Address> {
        self.find(connection).map(|slot| self.slab[slot].address)
    }
}

pub fn connection_id(slot: usize, generation: u32) -> ConnectionId {
    ConnectionId(u64::from(generation) << SLOT_BITS | slot as u64)
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};
    use std::io::Cursor;

    use super::*;
    use crate::line::Line;
    use crate::reactor::session::Session;
    use crate::time::Now;

    fn connection() -> Connection<Cursor<Vec<u8>>> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let now = Now { steady_ms: 0, wall_ms: 0 };
        let session = Session::Line(Line::new(address, now, &mut Vec::new()));
        Connection::new(Cursor::new(Vec::new()), session, Address::from(address), 0, now)
    }

    #[test]
    fn what_its_rooms_still_had_for_a_connection_does_not_follow_its_goodbye() {
        let mut connections = Connections::new();
        let slot = connections.slab.insert(connection());
        let id = connections.id_of(slot);
        connections.queue(id, b"said, ");
        connections.queue_output(slot, b"goodbye");
        connections.slab[slot].phase = Phase::Draining;
        connections.queue(id, b", said too late");
        connections.send(slot, &[]);
        assert_eq!(String::from_utf8_lossy(connections.slab[slot].stream.get_ref()), "said, goodbye");
    }
}
