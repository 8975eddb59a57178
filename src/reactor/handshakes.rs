//! Connections that are still to agree on how they are encrypted: how long that may take, how many there may be, and
//! how much of a turn they may have.

use std::collections::VecDeque;

use super::Reactor;
use super::connection::Phase;
use super::net::{Net, Stream};
use crate::journal::Journal;
use crate::rooms::ConnectionId;
use crate::session_api::Flow;

/// A handshake may take so long: two or three exchanges of bytes, over the slowest lines.
const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;

/// So many may be going on. Where there are more, the oldest is given up: whoever means it is done soon.
const MOST_HANDSHAKES: usize = 2048;

/// The time of a turn that handshakes may have, each of which takes from a fifth of a millisecond to several: so that who
/// is connected does not wait for a crowd that comes: for twice that at the most, where what it sends arrives as a turn
/// begins.
const HANDSHAKES_MS_A_TURN: u64 = 3;

/// Handshakes that are going on.
#[derive(Default)]
pub struct Handshakes {
    /// Those that were begun, with the time at which each has to be over, in order; those that are over stay until then.
    begun: VecDeque<(u64, ConnectionId)>,
    /// How many of them are going on.
    count: usize,
    /// When no further step is taken in this turn; `None`: none was taken yet.
    pauses_at_ms: Option<u64>,
}

impl Handshakes {
    /// When one may have to be given up.
    pub fn next_ms(&self) -> Option<u64> {
        self.begun.front().map(|(due_ms, _)| *due_ms)
    }

    /// A new turn has begun.
    pub fn begin_turn(&mut self) {
        self.pauses_at_ms = None;
    }

    /// Whether another step may be taken in this turn. The first always may.
    fn may_go_on(&mut self, now_ms: u64) -> bool {
        now_ms < *self.pauses_at_ms.get_or_insert(now_ms + HANDSHAKES_MS_A_TURN)
    }

    fn begin(&mut self, connection: ConnectionId, now_ms: u64) {
        self.begun.push_back((now_ms + HANDSHAKE_TIMEOUT_MS, connection));
        self.count += 1;
    }

    /// One is over, in whatever way.
    pub fn end(&mut self) {
        self.count -= 1;
    }

    /// The oldest, if its time has come or there are too many.
    fn take_due(&mut self, now_ms: u64) -> Option<ConnectionId> {
        let is_due = self.count > MOST_HANDSHAKES || self.next_ms()? <= now_ms;
        if is_due { self.begun.pop_front().map(|(_, connection)| connection) } else { None }
    }
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// A connection is to agree on how it is encrypted.
    pub(super) fn begin_handshake(&mut self, slot: usize) {
        self.handshakes.begin(self.connections.id_of(slot), self.now.steady_ms);
        self.give_up_handshakes();
    }

    /// Whether a step of a connection's handshake has to wait for the next turn.
    pub(super) fn puts_off_handshake(&mut self, slot: usize) -> bool {
        self.connections.slab[slot].stream.is_handshaking() && !self.handshakes.may_go_on(self.net.now().steady_ms)
    }

    /// A connection has agreed on how it is encrypted, or turns out not to be.
    pub(super) fn end_handshake(&mut self, slot: usize) {
        self.handshakes.end();
        let connection = &mut self.connections.slab[slot];
        connection.session.note_progress(self.now);
        if connection.stream.is_encrypted() {
            self.shared.meters().tls_handshakes.inc();
        } else {
            // What its session has said is meant for somebody who reads it encrypted.
            connection.output.clear();
            let flow = connection.session.go_on_unencrypted(&mut self.scratch);
            self.send_scratch(slot);
            if flow == Flow::Close {
                self.begin_closing(slot);
            }
        }
    }

    /// Gives up handshakes that take too long, and the oldest if there are too many.
    pub(super) fn give_up_handshakes(&mut self) {
        while let Some(id) = self.handshakes.take_due(self.now.steady_ms) {
            let Some(slot) = self.connections.find(id) else { continue };
            let connection = &mut self.connections.slab[slot];
            if connection.stream.is_handshaking() && connection.phase == Phase::Open {
                log::debug!("connection {} has not ended its handshake", id.0);
                self.shared.meters().tls_handshakes_given_up.inc();
                (connection.phase, connection.until_ms) = (Phase::Draining, u64::MAX);
                self.closed.push(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_time_and_all_have_a_part_of_a_turn() {
        let mut handshakes = Handshakes::default();
        handshakes.begin(ConnectionId(1), 0);
        handshakes.begin(ConnectionId(2), 4_000);
        assert_eq!((handshakes.next_ms(), handshakes.take_due(9_999)), (Some(10_000), None));
        assert_eq!(handshakes.take_due(10_000), Some(ConnectionId(1)));
        assert_eq!((handshakes.next_ms(), handshakes.take_due(10_000)), (Some(14_000), None));

        for turn in [1_000, 2_000] {
            handshakes.begin_turn();
            assert!(handshakes.may_go_on(turn) && handshakes.may_go_on(turn + 2));
            assert!(!handshakes.may_go_on(turn + 3) && !handshakes.may_go_on(turn + 9));
        }
    }

    #[test]
    fn of_too_many_the_oldest_is_given_up() {
        let mut handshakes = Handshakes::default();
        for number in 0..MOST_HANDSHAKES as u64 {
            handshakes.begin(ConnectionId(number), 0);
            assert_eq!(handshakes.take_due(0), None);
        }
        handshakes.begin(ConnectionId(4711), 0);
        assert_eq!(handshakes.take_due(0), Some(ConnectionId(0)));
        handshakes.end();
        assert_eq!(handshakes.take_due(0), None, "there is a place again");
        // Those that are over take no place, though they stand there until their time has come.
        (0..100).for_each(|_| handshakes.end());
        for number in 0..100 {
            handshakes.begin(ConnectionId(5_000 + number), 1);
            assert_eq!(handshakes.take_due(1), None);
        }
        handshakes.begin(ConnectionId(6_000), 1);
        assert_eq!(handshakes.take_due(1), Some(ConnectionId(1)));
    }
}
