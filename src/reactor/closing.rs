//! How connections end: drained, then left time to end their side, then reaped.

use super::Reactor;
use super::connection::{FILE_STALLED_MS, Pending, Phase};
use super::net::Net;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;

/// A closing connection that takes nothing of what it is still to be sent for so long is given up.
const DRAIN_MS: u64 = 5_000;

impl<N: Net, J: Journal> Reactor<N, J> {
    /// The session is over: its members leave or keep their places, what is queued is still sent.
    pub(super) fn begin_closing(&mut self, slot: usize) {
        if self.connections.slab[slot].phase == Phase::Open {
            self.connections.slab[slot].note_end();
            self.queue_unread(slot);
            self.begin_draining(slot);
            self.leave_rooms(slot);
        }
    }

    /// Sends what is queued, and nothing more.
    pub(super) fn begin_draining(&mut self, slot: usize) {
        let now_ms = self.now.steady_ms;
        self.abandon_file(slot);
        let connection = &mut self.connections.slab[slot];
        if connection.is_in_handshake() {
            self.handshakes.end();
        }
        connection.phase = Phase::Draining;
        connection.progressed_s = (now_ms / 1000) as u32;
        connection.until_ms = now_ms + DRAIN_MS;
        connection.pending = Pending::default();
        self.connections.queue_flush(slot);
        self.schedule(slot);
    }

    /// The time of a draining connection is up, unless the peer has taken something meanwhile.
    pub(super) fn drain_on(&mut self, slot: usize) {
        let now_ms = self.now.steady_ms;
        let connection = &mut self.connections.slab[slot];
        let stalled_ms = connection.stalled_ms(now_ms);
        let limit_ms = if connection.output.has_range() { FILE_STALLED_MS } else { DRAIN_MS };
        if stalled_ms < limit_ms && !connection.is_drained() {
            connection.until_ms = now_ms + limit_ms - stalled_ms;
        } else {
            connection.until_ms = u64::MAX;
            self.closed.push(self.connections.id_of(slot));
        }
    }

    /// A connection that is sent a file has taken nothing of it for too long, or its next request is overdue: which is no
    /// fault as long as it takes some of the file.
    pub(super) fn send_on(&mut self, slot: usize) {
        let connection = &mut self.connections.slab[slot];
        if connection.stalled_ms(self.now.steady_ms) < FILE_STALLED_MS {
            connection.session.note_progress(self.now);
        } else {
            log::debug!("connection {} takes nothing of its file", self.connections.id_of(slot).0);
            let connection = &mut self.connections.slab[slot];
            connection.note_reason(CloseReason::Timeout);
            // Open, it would be due by its session's deadline again, and again, before it is reaped.
            (connection.phase, connection.until_ms) = (Phase::Draining, u64::MAX);
            self.closed.push(self.connections.id_of(slot));
        }
    }

    /// The connection's members leave or keep their places. What that proposes is relayed by whoever calls this, or
    /// further up: connections are closed within `relay` too, and it must not run within itself.
    pub(super) fn leave_rooms(&mut self, slot: usize) {
        let id = self.connections.id_of(slot);
        let memberships = self.connections.slab[slot].memberships.take();
        for &membership in memberships.as_slice() {
            self.rooms.disconnect(id, membership, self.now);
        }
    }

    /// Frees the slots of connections that are closed, now that nothing of this turn refers to them any more.
    pub(super) fn reap(&mut self) {
        while let Some(id) = self.closed.pop() {
            let Some(slot) = self.connections.find(id) else { continue };
            log::debug!("connection {} is closed", id.0);
            self.abandon_file(slot);
            self.leave_rooms(slot);
            self.rooms.forget_proof(id);
            if let Some(authenticator) = &mut self.authenticator {
                authenticator.forget(id);
            }
            let connection = self.connections.slab.remove(slot);
            if connection.is_in_handshake() {
                self.handshakes.end();
            }
            self.admission.release(connection.address, connection.session.watches());
            self.meters().closed(connection.close_reason.unwrap_or(CloseReason::Lost));
            self.net.close(connection.stream);
            self.relay();
        }
    }
}
