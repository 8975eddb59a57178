//! How connections end: drained, then left time to end their side, then reaped.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use crate::journal::Journal;

/// What is left in the outbox of a closing connection has this long to be taken.
const DRAIN_MS: u64 = 5_000;

/// Once asked to stop, the program ends after this time at the latest.
const STOP_MS: u64 = 5_000;

impl<N: Net, J: Journal> Reactor<N, J> {
    /// The session is over: its member leaves or keeps its place, what is owed is still sent.
    pub(super) fn begin_closing(&mut self, slot: usize) {
        if self.connections[slot].phase == Phase::Open {
            self.settle(slot);
            self.begin_draining(slot);
            self.leave_room(slot);
        }
    }

    /// Sends what is owed, and nothing more.
    pub(super) fn begin_draining(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        connection.phase = Phase::Draining;
        connection.until_ms = self.now.steady_ms + DRAIN_MS;
        connection.pending = Box::default();
        self.queue_flush(slot);
        self.schedule(slot);
    }

    /// The connection's member leaves or keeps its place, as its session has it.
    pub(super) fn leave_room(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        if let Some(membership) = connection.membership.take() {
            self.rooms.disconnect(membership, connection.session.keeps_place(), self.now);
            self.settle_rooms();
        }
    }

    /// Frees the slots of connections that broke or have been closed, now that nothing of this turn refers
    /// to them any more.
    pub(super) fn reap(&mut self) {
        while let Some(id) = self.broken.pop() {
            let Some(slot) = self.find(id) else { continue };
            log::debug!("connection {} is closed", id.0);
            let connection = self.connections.remove(slot);
            self.admission.release(connection.address);
            self.put_off.remove(&id);
            self.meters().open_connections.dec();
            self.net.close(connection.stream);
            if let Some(membership) = connection.membership {
                self.rooms.disconnect(membership, connection.session.keeps_place(), self.now);
                self.settle_rooms();
            }
        }
    }

    /// Says goodbye to everybody, and accepts nobody more.
    pub(super) fn stop(&mut self) {
        if self.stops_at_ms.is_some() {
            return;
        }
        log::info!("stopping");
        self.stops_at_ms = Some(self.now.steady_ms + STOP_MS);
        self.shared.site.begin_stopping();
        self.net.close_listeners();
        let slots: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let connection = &mut self.connections[slot];
            if connection.phase != Phase::Open {
                continue;
            }
            self.settle(slot);
            let connection = &mut self.connections[slot];
            if let Some(membership) = connection.membership.take() {
                // Nobody is told that others part: everybody does. Nothing of a room outlives this.
                self.rooms.forget(membership);
            }
            connection.session.say_goodbye(&mut self.words);
            self.send_words(slot);
            self.begin_closing(slot);
        }
    }
}
