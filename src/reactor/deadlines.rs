//! When which connection is to be looked at again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use super::session::Session;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;
use crate::rooms::ConnectionId;
use crate::session_api::Flow;

/// Connections by the time at which something may be due. A connection stands here at the earliest time it
/// was ever scheduled for; what is due is asked of the connection itself when that time comes, so moving a
/// deadline back, as every received byte does, costs nothing.
#[derive(Default)]
pub struct Deadlines {
    heap: BinaryHeap<Reverse<(u64, ConnectionId)>>,
}

impl Deadlines {
    /// Has the connection looked at, at this time (`Now::steady_ms`).
    pub fn schedule(&mut self, due_ms: u64, connection: ConnectionId) {
        self.heap.push(Reverse((due_ms, connection)));
    }

    /// The earliest time at which something may be due.
    pub fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((due_ms, _))| *due_ms)
    }

    /// Takes a connection whose time has come, and that time.
    pub fn take_due(&mut self, now_ms: u64) -> Option<(u64, ConnectionId)> {
        if self.next_ms()? > now_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| due)
    }
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Does what is due: in connections, in the rooms, and what the journal has done meanwhile.
    pub(super) fn expire(&mut self) {
        self.give_up_handshakes();
        while let Some((due_ms, id)) = self.deadlines.take_due(self.now.steady_ms) {
            let Some(slot) = self.connections.find(id) else { continue };
            let connection = &mut self.connections.slab[slot];
            if connection.scheduled_ms == due_ms {
                connection.scheduled_ms = u64::MAX;
            }
            if connection.due_ms().is_some_and(|due_ms| due_ms <= self.now.steady_ms) {
                self.expire_connection(slot);
            }
            self.schedule(slot);
        }
        self.close_absent();
        self.rooms.expire(self.now);
        self.relay();
    }

    fn expire_connection(&mut self, slot: usize) {
        let connection = &mut self.connections.slab[slot];
        match connection.phase {
            Phase::Draining => self.drain_on(slot),
            Phase::Lingering => {
                connection.until_ms = u64::MAX;
                self.closed.push(self.connections.id_of(slot));
            }
            Phase::Open if connection.until_ms > 0 && connection.until_ms <= self.now.steady_ms => {
                connection.until_ms = 0;
                self.connections.queue_receive(slot);
            }
            Phase::Open if connection.output.has_range() => self.send_on(slot),
            Phase::Open => {
                let flow = connection.session.expire(self.now, &mut self.scratch);
                self.send_scratch(slot);
                if flow == Flow::Close {
                    self.connections.slab[slot].note_reason(CloseReason::Timeout);
                    if let Session::ProxyHeader(_) = self.connections.slab[slot].session {
                        self.meters().proxy_header_faults.inc();
                    }
                    self.begin_closing(slot);
                }
            }
        }
    }

    /// Notes when the connection is to be looked at, if that is earlier than noted.
    pub(super) fn schedule(&mut self, slot: usize) {
        let id = self.connections.id_of(slot);
        let connection = &mut self.connections.slab[slot];
        if let Some(due_ms) = connection.due_ms()
            && due_ms < connection.scheduled_ms
        {
            connection.scheduled_ms = due_ms;
            self.deadlines.schedule(due_ms, id);
        }
    }
}
