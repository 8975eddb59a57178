//! From a socket to a session: reads, and shows what was read.

use std::io::{self, Read};

use super::Reactor;
use super::admission::Refused;
use super::connection::Phase;
use super::executing::QUEUED_BUDGET_BYTES;
use super::flushing::LINGER_MS;
use super::net::{Net, Port, Stream};
use super::session::Session;
use super::stopping::Stopping;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;
use crate::rooms::Address;
use crate::session_api::{Input, Step, Upgrade};

/// For so long after it was answered, a peer that still sends is listened to.
const MOST_LINGERING_MS: u64 = 30_000;

impl<N: Net, J: Journal> Reactor<N, J> {
    pub(super) fn receive(&mut self) {
        self.accept();
        let mut queue = std::mem::take(&mut self.connections.receive_queue);
        let mut later = Vec::new();
        for id in queue.drain(..) {
            let Some(slot) = self.connections.find(id) else { continue };
            // Whoever may not be read from now is looked at again in the next turn.
            let is_put_off = self.journal.is_congested() && !self.connections.slab[slot].session.watches();
            if is_put_off || self.is_held_up(slot) || self.puts_off_handshake(slot) {
                later.push(id);
                continue;
            }
            self.connections.slab[slot].is_in_receive_queue = false;
            if self.is_deaf_to(slot) {
                // It is queued again when it is closed.
                continue;
            }
            self.received_from += 1;
            self.receive_from(slot);
            if self.connections.queued_bytes > QUEUED_BUDGET_BYTES {
                self.flush_connections();
            }
        }
        queue.append(&mut later);
        queue.append(&mut self.connections.receive_queue);
        self.connections.receive_queue = queue;
    }

    /// Whether one of the connection's rooms has so much to be sent that this comes first.
    fn is_held_up(&self, slot: usize) -> bool {
        let memberships = self.connections.slab[slot].memberships.as_slice();
        memberships.iter().any(|membership| self.rooms.is_room_saturated(membership.room))
    }

    /// Whether the program stops, and hears no more of this connection. Requests are heard to the last, since most of
    /// those who send them do not come back by themselves; so is a proxy that may be about to bring one.
    fn is_deaf_to(&self, slot: usize) -> bool {
        let connection = &self.connections.slab[slot];
        self.stopping.as_ref().is_some_and(Stopping::is_deaf)
            && connection.phase == Phase::Open
            && !matches!(connection.session, Session::Http(_) | Session::ProxyHeader(_))
    }

    /// Reads once from a connection, and has its session look at what there is.
    fn receive_from(&mut self, slot: usize) {
        let connection = &mut self.connections.slab[slot];
        if connection.phase != Phase::Open {
            return self.discard_input(slot);
        }
        if !connection.listens() {
            // Whatever ends the pause queues it again.
            return;
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let was_handshaking = connection.stream.is_handshaking();
        let most_bytes = connection.session.most_input_bytes(connection.pending.as_slice()).min(buffer.len());
        let count = if connection.reads() { self.read(slot, &mut buffer[..most_bytes]) } else { 0 };
        if was_handshaking && !self.connections.slab[slot].stream.is_handshaking() {
            self.end_handshake(slot);
        }
        let connection = &mut self.connections.slab[slot];
        self.shared.meters().received_bytes.inc_by(count as u64);
        if connection.pending.is_empty() {
            let consumed = self.show_input(slot, &mut buffer[..count]);
            if consumed < count && self.is_open(slot) {
                self.connections.slab[slot].pending = buffer[consumed..count].to_vec().into();
            }
            self.read_buffer = buffer;
        } else {
            let mut pending = connection.pending.take();
            pending.extend_from_slice(&buffer[..count]);
            self.read_buffer = buffer;
            let consumed = self.show_input(slot, &mut pending);
            if consumed < pending.len() && self.is_open(slot) {
                pending.drain(..consumed);
                self.connections.slab[slot].pending = pending.into();
            }
        }
        if self.is_open(slot) {
            self.receive_again_if_due(slot);
        }
    }

    fn is_open(&self, slot: usize) -> bool {
        self.connections.slab[slot].phase == Phase::Open
    }

    /// Reads what is there, at most one buffer. Returns how much it was.
    fn read(&mut self, slot: usize, buffer: &mut [u8]) -> usize {
        let connection = &mut self.connections.slab[slot];
        let outcome = connection.stream.read(buffer);
        if connection.stream.has_output() {
            self.connections.queue_flush(slot);
        }
        let connection = &mut self.connections.slab[slot];
        match outcome {
            Ok(0) => {
                connection.is_readable = false;
                connection.has_ended = true;
                0
            }
            Ok(count) => {
                // If there is no more until the next edge, the end of the input may all the same have been announced
                // already.
                let may_have_more = connection.stream.may_have_more(count, buffer.len());
                connection.is_readable = may_have_more || connection.is_ending || connection.is_output_lost;
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.is_readable = false;
                connection.is_broken |= connection.is_output_lost;
                connection.has_ended |= connection.is_output_lost;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                // The peer may still read, but what it began last may not be whole.
                connection.is_readable = false;
                connection.is_broken = true;
                connection.has_ended = true;
                0
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    self.shared.meters().tls_faults.inc();
                }
                // What was received before is still carried out.
                connection.lose_output();
                connection.is_readable = false;
                connection.is_broken = true;
                connection.has_ended = true;
                0
            }
        }
    }

    /// Has the session look at its input, step by step. Returns how much it consumed.
    fn show_input(&mut self, slot: usize, bytes: &mut [u8]) -> usize {
        let has_ended = self.connections.slab[slot].has_ended;
        let mut input = Input::new(bytes, has_ended && !self.connections.slab[slot].is_broken);
        self.connections.slab[slot].needs_input = false;
        while self.connections.slab[slot].listens() {
            if self.is_held_up(slot) {
                self.connections.queue_receive(slot);
                break;
            }
            let connection = &mut self.connections.slab[slot];
            let step = connection.session.receive(&mut input, &self.shared, self.now, &mut self.scratch);
            self.send_scratch(slot);
            match step {
                Step::NeedInput if has_ended => {
                    let connection = &mut self.connections.slab[slot];
                    if connection.is_output_lost || !connection.session.reads_after_its_end() {
                        connection.note_reason(CloseReason::Lost);
                        self.skip_unread(slot);
                    }
                    self.begin_closing(slot);
                }
                Step::NeedInput => {
                    self.connections.slab[slot].needs_input = true;
                    break;
                }
                Step::Command(command) => self.execute(slot, command),
                Step::PauseUntil { steady_ms } => self.connections.slab[slot].until_ms = steady_ms.max(1),
                Step::Close => self.begin_closing(slot),
                Step::Fault => {
                    log::debug!("a peer breaks its protocol");
                    self.connections.slab[slot].session.faults(self.shared.meters()).inc();
                    self.connections.slab[slot].note_reason(CloseReason::Fault);
                    self.begin_closing(slot);
                }
                Step::Upgrade(upgrade) => self.upgrade(slot, upgrade),
                Step::Proxied(source) => self.begin_proxied(slot, source),
                Step::File(request) => self.ask_about_file(slot, request),
                Step::AwaitFile => self.connections.slab[slot].awaits_reply = true,
            }
        }
        self.connections.queue_flush(slot);
        self.schedule(slot);
        input.consumed()
    }

    /// An HTTP connection goes on as a WebSocket, if the client behind it may have one more.
    fn upgrade(&mut self, slot: usize, upgrade: Upgrade) {
        if let Some(address) = upgrade.forwarded_for.map(Address::from) {
            if self.admission.move_to(self.connections.slab[slot].address, address, true).is_err() {
                self.meters().refused_too_many_from_address.inc();
                let words = Refused::TooManyFromAddress.words_at(Port::Web);
                self.connections.queue_output(slot, words);
                self.connections.slab[slot].note_reason(CloseReason::Refused);
                return self.begin_closing(slot);
            }
            self.connections.slab[slot].address = address;
        }
        self.connections.queue_output(slot, &upgrade.response);
        if let (Some(name), Some(authenticator)) = (&upgrade.vouched_name, &mut self.authenticator) {
            authenticator.note_vouched(self.connections.id_of(slot), name.clone());
        }
        self.connections.slab[slot].session = Session::upgraded(upgrade, &self.shared, self.now, &mut self.scratch);
        self.send_scratch(slot);
        self.meters().websockets.inc();
    }

    /// Queues a connection that has input its session could look at, but that no edge will announce.
    pub(super) fn receive_again_if_due(&mut self, slot: usize) {
        let connection = &self.connections.slab[slot];
        // Input that the session has seen and could do nothing with waits for more.
        let is_due =
            connection.is_readable || connection.has_ended || !connection.needs_input && !connection.pending.is_empty();
        if is_due && connection.listens() {
            self.connections.queue_receive(slot);
        }
    }

    /// Reads and forgets: the session is over, but the peer may still be sending.
    fn discard_input(&mut self, slot: usize) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let count = self.read(slot, &mut buffer);
        self.read_buffer = buffer;
        let now_ms = self.now.steady_ms;
        let connection = &mut self.connections.slab[slot];
        if count > 0 && connection.phase == Phase::Lingering && connection.stalled_ms(now_ms) < MOST_LINGERING_MS {
            // Whoever sends a file that is refused may look at the answer when it has sent all of it, and would not find
            // the answer if what it sends came to a closed socket.
            connection.until_ms = now_ms + LINGER_MS;
        }
        if connection.has_ended && connection.phase == Phase::Lingering {
            self.closed.push(self.connections.id_of(slot));
        } else if connection.is_readable {
            self.connections.queue_receive(slot);
        } else if connection.is_output_lost {
            self.connections.queue_flush(slot);
        }
    }
}
