//! Peers that are gone without a word: the cable was pulled, the laptop is closed.
//!
//! Most protocols notice by pings or an idle time of their own. A terminal cannot be asked and may be silent for hours.
//! As long as nothing is sent to it, the system asks its system (keepalive); that does not run while something is sent
//! and not acknowledged, so then it is looked at here.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use crate::journal::Journal;

/// How often they are looked at.
const LOOK_MS: u64 = 15_000;

/// Whose system acknowledges nothing for so long is gone. With the time until it is looked at it is less than the 90
/// seconds of keepalive.
const ABSENT_MS: u64 = 60_000;

/// What was sent before that is acknowledged, or the system has closed the connection itself (tcp(7),
/// `tcp_retries2`).
const SETTLED_MS: u64 = 20 * 60 * 1000;

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Has them looked at from here on, now that there is one that notices nothing by itself.
    pub(super) fn watch_for_absence(&mut self) {
        self.looks_for_absent_at_ms.get_or_insert(self.now.steady_ms + LOOK_MS);
    }

    /// Closes the connections of those who are gone, if it is time to look.
    pub(super) fn close_absent(&mut self) {
        if self.looks_for_absent_at_ms.is_none_or(|looks_at_ms| self.now.steady_ms < looks_at_ms) {
            return;
        }
        self.looks_for_absent_at_ms = None;
        let mut absent = Vec::new();
        for (slot, connection) in &self.connections.slab {
            if connection.phase != Phase::Open || connection.session.notices_absence() {
                continue;
            }
            self.looks_for_absent_at_ms = Some(self.now.steady_ms + LOOK_MS);
            if connection.stalled_ms(self.now.steady_ms) < SETTLED_MS
                && !connection.is_output_lost
                && self.net.overdue_ms(&connection.stream) >= ABSENT_MS
            {
                absent.push(slot);
            }
        }
        for slot in absent {
            log::debug!("connection {} is closed: its peer is gone", self.connections.id_of(slot).0);
            self.connections.slab[slot].lose_output();
            self.connections.queue_receive(slot);
        }
    }
}
