//! What those who run the program are told of it: how long turns take, how it is, and what there is.

use super::Reactor;
use super::net::{Net, Stream};
use crate::accounts::Authenticator;
use crate::http::Health;
use crate::http::metrics::{Figures, PROTOCOLS};
use crate::journal::Journal;
use crate::json::RefusalCounts;

/// A journal that has had too much to do for so long, with no pause worth mentioning, is not well.
const CONGESTED_MS: u64 = 10_000;

/// A pause that is.
const RELIEF_MS: u64 = 1_000;

/// What is measured from turn to turn.
#[derive(Default)]
pub struct Watch {
    /// When the turn began: when the wait was over (`Net::elapsed_us`).
    began_us: u64,
    /// The same, by the system's clock (`Now::wall_ms`).
    began_wall_ms: u64,
    /// For each room of which messages were sent in this turn: how long before the turn the first of them was read.
    /// With a journal that stores things it is.
    waited_ms: Vec<u64>,
    /// Since when the journal has too much to do, and when it last had.
    congested: Option<(u64, u64)>,
}

impl Watch {
    /// The messages of a room, of which the first was said at this time (`Now::wall_ms`), were sent.
    pub fn note_sent(&mut self, said_at_ms: u64) {
        self.waited_ms.push(self.began_wall_ms.saturating_sub(said_at_ms));
    }

    fn note_congestion(&mut self, is_congested: bool, now_ms: u64) {
        self.congested = match self.congested {
            Some((since_ms, _)) if is_congested => Some((since_ms, now_ms)),
            None if is_congested => Some((now_ms, now_ms)),
            congested => congested.filter(|(_, last_ms)| now_ms < last_ms + RELIEF_MS),
        };
    }

    fn is_congested_for_long(&self, now_ms: u64) -> bool {
        self.congested.is_some_and(|(since_ms, _)| now_ms >= since_ms + CONGESTED_MS)
    }
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// The wait is over.
    pub(super) fn begin_turn(&mut self) {
        self.watch.began_us = self.net.elapsed_us();
        self.watch.began_wall_ms = self.now.wall_ms;
    }

    /// Everything is done: measures what it took. A clock is read twice a turn, and no more often however much is sent.
    pub(super) fn end_turn(&mut self) {
        let turn_us = self.net.elapsed_us().saturating_sub(self.watch.began_us);
        let meters = self.shared.meters();
        meters.turns.observe_us(turn_us);
        for waited_ms in self.watch.waited_ms.drain(..) {
            meters.deliveries.observe_us(waited_ms * 1000 + turn_us);
        }
        self.watch.note_congestion(self.journal.is_congested(), self.now.steady_ms);
    }

    /// Looks up what somebody has asked for who watches the program.
    pub(super) fn take_figures(&mut self) {
        let mut figures = Figures {
            journal_waiting: self.journal.waiting(),
            is_journal_failing: self.journal.is_failing() || self.journal.meters().is_failing(),
            is_journal_congested: self.watch.congested.is_some(),
            passwords_waiting: self.authenticator.as_ref().map_or(0, Authenticator::waiting),
            connection_limit: self.admission.limits().connections,
            address_limit: self.admission.limits().per_address,
            refusals: RefusalCounts::sum([
                &self.shared.meters().refusals,
                &self.shared.ws.refusals,
                &self.shared.line.refusals,
            ]),
            ..Figures::default()
        };
        for (_, connection) in &self.connections.slab {
            let protocol = connection.session.protocol();
            let number = PROTOCOLS.iter().position(|known| *known == protocol).unwrap_or(PROTOCOLS.len() - 1);
            figures.connections[number] += 1;
            figures.encrypted += usize::from(connection.stream.is_encrypted());
            figures.output_queue_bytes += connection.output.memory_bytes();
        }
        if let Some(files) = &self.files {
            (figures.files, figures.file_bytes, figures.file_limit_bytes) = files.figures();
        }
        let health = match () {
            () if figures.is_journal_failing => Health::Failing,
            () if self.watch.is_congested_for_long(self.now.steady_ms) => Health::Congested,
            () => Health::Well,
        };
        self.shared.site.note_state(figures, health);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_never_relieved_is_not_well() {
        let mut watch = Watch::default();
        let note = |watch: &mut Watch, times_ms: &[u64], is_congested| {
            times_ms.iter().for_each(|&now_ms| watch.note_congestion(is_congested, now_ms));
        };
        note(&mut watch, &[100], true);
        note(&mut watch, &[600, 1_000], false);
        note(&mut watch, &[1_050, 1_900, 2_800, 10_099], true);
        assert!(!watch.is_congested_for_long(10_099));
        note(&mut watch, &[10_100], true);
        assert!(watch.is_congested_for_long(10_100));
        note(&mut watch, &[11_000], false);
        assert!(watch.is_congested_for_long(11_000), "that was no pause");
        note(&mut watch, &[11_100], false);
        assert!(!watch.is_congested_for_long(11_100));
        note(&mut watch, &[11_200], true);
        assert!(!watch.is_congested_for_long(11_300), "it begins anew");
    }

    #[test]
    fn what_was_read_before_the_turn_has_waited_longer() {
        let mut watch = Watch { began_wall_ms: 1_000, ..Watch::default() };
        [990, 1_000, 1_001].into_iter().for_each(|said_at_ms| watch.note_sent(said_at_ms));
        assert_eq!(watch.waited_ms, [10, 0, 0]);
    }
}
