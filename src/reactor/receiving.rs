//! From a socket to a session: reads, and shows what was read.

use std::io::{self, Read};

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use super::session::Session;
use crate::adapter::{Input, Step};
use crate::journal::Journal;
use crate::rooms::Address;

/// Bytes that sessions may have to say in one turn before they are sent in the middle of it: a crowd that
/// joins at once is told a lot, and memory that was needed once is seldom given back.
const OWED_BUDGET_BYTES: usize = 256 * 1024;

impl<N: Net, J: Journal> Reactor<N, J> {
    pub(super) fn receive(&mut self) {
        self.accept();
        let mut queue = std::mem::take(&mut self.receive_queue);
        for id in queue.drain(..) {
            if let Some(slot) = self.find(id) {
                self.connections[slot].is_in_receive_queue = false;
                self.received_from += 1;
                self.receive_from(slot);
                if self.owed_bytes > OWED_BUDGET_BYTES {
                    self.flush_connections();
                }
            }
        }
        // Whoever was queued meanwhile is looked at in the next turn.
        queue.append(&mut self.receive_queue);
        self.receive_queue = queue;
    }

    /// Reads once from a connection, and has its session look at what there is.
    fn receive_from(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        if connection.phase != Phase::Open {
            return self.discard_input(slot);
        }
        if !connection.listens() {
            // Whatever ends the pause queues it again.
            return;
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let count = if connection.is_readable { self.read(slot, &mut buffer) } else { 0 };
        let Some(connection) = self.connections.get_mut(slot) else {
            self.read_buffer = buffer;
            return;
        };
        self.shared.meters().received_bytes.inc_by(count as u64);
        if connection.pending.is_empty() {
            let consumed = self.show_input(slot, &mut buffer[..count]);
            if consumed < count && self.is_open(slot) {
                self.connections[slot].pending = buffer[consumed..count].into();
            }
            self.read_buffer = buffer;
        } else {
            let mut pending = std::mem::take(&mut connection.pending).into_vec();
            pending.extend_from_slice(&buffer[..count]);
            self.read_buffer = buffer;
            let consumed = self.show_input(slot, &mut pending);
            if consumed < pending.len() && self.is_open(slot) {
                pending.drain(..consumed);
                self.connections[slot].pending = pending.into();
            }
        }
        if self.is_open(slot) {
            self.receive_again_if_due(slot);
        }
    }

    fn is_open(&self, slot: usize) -> bool {
        self.connections[slot].phase == Phase::Open
    }

    /// Reads what is there, at most one buffer. Returns how much it was.
    fn read(&mut self, slot: usize, buffer: &mut [u8]) -> usize {
        let connection = &mut self.connections[slot];
        match connection.stream.read(buffer) {
            Ok(0) => {
                connection.is_readable = false;
                connection.has_ended = true;
                0
            }
            Ok(count) => {
                // Less than asked for means that there is no more until the next edge; the end of the input,
                // though, may have been announced already.
                connection.is_readable = count == buffer.len() || connection.is_ending;
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.is_readable = false;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => {
                connection.is_readable = false;
                self.broken.push(self.id_of(slot));
                0
            }
        }
    }

    /// Has the session look at its input, step by step. Returns how much it consumed.
    fn show_input(&mut self, slot: usize, bytes: &mut [u8]) -> usize {
        let has_ended = self.connections[slot].has_ended;
        let mut input = Input::new(bytes, has_ended);
        while self.connections[slot].listens() {
            let connection = &mut self.connections[slot];
            let step = connection.session.receive(&mut input, &self.shared, self.now, &mut self.words);
            self.send_words(slot);
            let connection = &mut self.connections[slot];
            match step {
                Step::NeedInput if has_ended => self.begin_closing(slot),
                Step::NeedInput => break,
                Step::Command(command) => self.apply(slot, command),
                Step::PauseUntil { steady_ms } => connection.until_ms = steady_ms.max(1),
                Step::Close => self.begin_closing(slot),
                Step::Fault => {
                    log::debug!("a peer breaks its protocol");
                    connection.session.faults(self.shared.meters()).inc();
                    self.begin_closing(slot);
                }
                Step::Upgrade(upgrade) => {
                    if let Some(address) = upgrade.forwarded_for.map(Address::from) {
                        let peer = std::mem::replace(&mut connection.address, address);
                        self.admission.move_to(peer, address);
                    }
                    connection.session = Session::upgraded(upgrade, self.now);
                    self.meters().websockets.inc();
                }
            }
        }
        self.queue_flush(slot);
        self.schedule(slot);
        input.consumed()
    }

    /// Queues a connection that has input its session could look at, but that no edge will announce.
    fn receive_again_if_due(&mut self, slot: usize) {
        let connection = &self.connections[slot];
        // Input that the session has seen and could do nothing with waits for more.
        let is_due = connection.is_readable || connection.has_ended;
        if is_due && connection.listens() {
            self.queue_receive(slot);
        }
    }

    /// Reads and forgets: the session is over, but the peer may still be sending.
    fn discard_input(&mut self, slot: usize) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        self.read(slot, &mut buffer);
        self.read_buffer = buffer;
        let connection = &self.connections[slot];
        if connection.has_ended && connection.phase == Phase::Lingering {
            self.broken.push(self.id_of(slot));
        } else if connection.is_readable {
            self.queue_receive(slot);
        }
    }
}
