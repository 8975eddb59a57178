//! Peers that are gone without a word: the cable was pulled, the laptop is closed.
//!
//! Most protocols notice by pings or an idle time of their own. A terminal cannot be asked and may be silent for hours.
//! As long as nothing is sent to it, the system asks its system (keepalive); that does not run while something is sent
//! and not acknowledged, so then it is looked at here.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;

/// How often all of them are looked at.
const ROUND_MS: u64 = 15_000;

/// Of how many the system is asked at once, at some microseconds each, and after what time of the next ones.
const ASKED_AT_ONCE: usize = 512;
const PAUSE_MS: u64 = 100;

/// Whose system acknowledges nothing for so long is gone. With the time until it is looked at it is less than the 90
/// seconds of keepalive.
const ABSENT_MS: u64 = 60_000;

/// What was sent before that is acknowledged, or the system has closed the connection itself (tcp(7),
/// `tcp_retries2`).
const SETTLED_MS: u64 = 20 * 60 * 1000;

/// How far the round has come in which all of them are looked at.
#[derive(Default)]
pub struct AbsenceRound {
    /// When it goes on, or begins. `None`: there are none to be looked at.
    pub due_ms: Option<u64>,
    next_slot: usize,
    /// It has come across one that notices nothing by itself, so there will be another round.
    has_found_any: bool,
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Has them looked at from here on, now that there is one that notices nothing by itself.
    pub(super) fn watch_for_absence(&mut self) {
        self.absence_round.due_ms.get_or_insert(self.now.steady_ms + ROUND_MS);
        // It may have a slot that this round is past.
        self.absence_round.has_found_any = true;
    }

    /// Closes the connections of those who are gone, if it is time to look.
    pub(super) fn close_absent(&mut self) {
        let now_ms = self.now.steady_ms;
        if self.absence_round.due_ms.is_none_or(|due_ms| now_ms < due_ms) {
            return;
        }
        let mut asked = 0;
        while self.absence_round.next_slot < self.connections.slab.capacity() {
            if asked == ASKED_AT_ONCE {
                self.absence_round.due_ms = Some(now_ms + PAUSE_MS);
                return;
            }
            let slot = self.absence_round.next_slot;
            self.absence_round.next_slot += 1;
            let Some(connection) = self.connections.slab.get_mut(slot) else { continue };
            if connection.phase != Phase::Open || connection.session.notices_absence() {
                continue;
            }
            self.absence_round.has_found_any = true;
            if connection.stalled_ms(now_ms) >= SETTLED_MS || connection.is_output_lost {
                continue;
            }
            asked += 1;
            if self.net.overdue_ms(&connection.stream) >= ABSENT_MS {
                connection.lose_output();
                connection.note_reason(CloseReason::Absent);
                log::debug!("connection {} is closed: its peer is gone", self.connections.id_of(slot).0);
                self.connections.queue_receive(slot);
            }
        }
        let goes_on = std::mem::take(&mut self.absence_round).has_found_any;
        self.absence_round.due_ms = goes_on.then_some(now_ms + ROUND_MS);
    }
}
