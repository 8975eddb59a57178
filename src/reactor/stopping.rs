//! How the program stops: what is with the journal is committed, everybody is told, a share of them in each turn, and
//! nobody is waited for for long.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;
use crate::rooms::ConnectionId;

/// Once asked to stop, the loop ends after this time at the latest. What is left of the 10 s in which a service manager
/// wants a program to be gone is for the data file.
const STOP_MS: u64 = 5_000;

/// For so long what is with the journal is waited for: whoever said something is shown it before the goodbye.
const SETTLING_MS: u64 = 2_000;

/// Whoever has just come by HTTP is about to ask for something, and is answered if that is within this time.
const FIRST_REQUEST_MS: u64 = 500;

/// Another signal ends everything at once, but not so soon after the first: a closed terminal, and `timeout`, send two.
const SECOND_SIGNAL_MS: u64 = 200;

/// Connections that are told in one turn, so that requests that are being answered do not wait for a crowd.
const TOLD_A_TURN: usize = 256;

/// Nobody is asked to come back sooner: it takes a moment to start.
const SOONEST_RETRY_MS: u32 = 250;

/// Those who are told come back within this time after that: a millisecond for each of them, within these limits, which
/// is about what their joins cost a server that has just been started.
const RETRY_SPREAD_MS: (u32, u32) = (500, 10_000);

/// The program was asked to stop.
pub struct Stopping {
    since_ms: u64,
    stage: Stage,
    /// It was asked again: nobody is waited for.
    is_urgent: bool,
}

enum Stage {
    /// What had arrived is still carried out, in the turn of the signal.
    Hearing,
    /// What is with the journal is waited for.
    Settling,
    /// Those who are still to be told.
    Telling(Untold),
    /// Nobody is connected any more: the other nodes are told that this one leaves.
    Leaving,
}

struct Untold {
    connections: Vec<ConnectionId>,
    /// Those who have just come, and are told last.
    new: Vec<ConnectionId>,
    spread: Spread,
}

/// When those who are told to come back are to do so, one after the other.
pub(super) struct Spread {
    spread_ms: u32,
    told: u32,
}

impl Spread {
    /// So many are told.
    pub fn over(count: usize) -> Spread {
        let (least, most) = RETRY_SPREAD_MS;
        Spread { spread_ms: u32::try_from(count).unwrap_or(most).clamp(least, most), told: 0 }
    }

    /// After what time the next one is to come back.
    pub fn next_ms(&mut self) -> u32 {
        self.told += 1;
        retry_ms(self.told, self.spread_ms)
    }
}

impl Stopping {
    /// Whether no more is heard of members, whose next words their next server will hear.
    pub fn is_deaf(&self) -> bool {
        !matches!(self.stage, Stage::Hearing)
    }

    /// Whether somebody can be told now.
    pub fn is_telling(&self) -> bool {
        matches!(&self.stage, Stage::Telling(untold) if !untold.connections.is_empty())
    }

    /// Whether nobody is left to be told now.
    fn has_told(&self) -> bool {
        matches!(&self.stage, Stage::Telling(untold) if untold.connections.is_empty())
    }

    /// When the next step is due at the latest.
    pub fn due_ms(&self) -> u64 {
        self.since_ms
            + match &self.stage {
                Stage::Hearing | Stage::Settling => SETTLING_MS,
                Stage::Telling(untold) if untold.new.is_empty() => STOP_MS,
                Stage::Telling(_) => FIRST_REQUEST_MS,
                Stage::Leaving => STOP_MS,
            }
    }

    /// Whether the loop is to end. `has_left`: the other nodes know.
    pub fn is_over(&self, has_left: bool, now_ms: u64) -> bool {
        let has_left = matches!(self.stage, Stage::Leaving) && has_left;
        self.is_urgent || now_ms >= self.since_ms + STOP_MS || has_left
    }
}

impl Untold {
    fn new(connections: Vec<ConnectionId>, new: Vec<ConnectionId>) -> Untold {
        let spread = Spread::over(connections.len());
        Untold { connections, new, spread }
    }

    /// Whom to tell next, and after what time it is to come back.
    fn next(&mut self) -> Option<(ConnectionId, u32)> {
        let connection = self.connections.pop()?;
        Some((connection, self.spread.next_ms()))
    }
}

/// When the `number`th is to come back. Multiples of the golden ratio lie evenly in the time that there is, however many
/// they are, and neighbours, who may be in the same room, far from each other.
fn retry_ms(number: u32, spread_ms: u32) -> u32 {
    const GOLDEN_RATIO: u32 = 0x9E37_79B9;
    let part = (u64::from(number.wrapping_mul(GOLDEN_RATIO)) * u64::from(spread_ms)) >> 32;
    SOONEST_RETRY_MS + part as u32
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// The program is asked to stop, perhaps again.
    pub(super) fn stop(&mut self) {
        let now_ms = self.now.steady_ms;
        if let Some(stopping) = &mut self.stopping {
            stopping.is_urgent |= now_ms >= stopping.since_ms + SECOND_SIGNAL_MS;
            return;
        }
        let connections = self.connections.slab.len();
        log::info!(event = "stopping", connections; "stopping");
        self.stopping = Some(Stopping { since_ms: now_ms, stage: Stage::Hearing, is_urgent: false });
        self.shared.site.begin_stopping(SOONEST_RETRY_MS + Spread::over(connections).spread_ms);
        self.net.close_listeners();
    }

    /// Takes the next step, once everything that had arrived is carried out.
    pub(super) fn go_on_stopping(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        if let Stage::Hearing = stopping.stage {
            stopping.stage = Stage::Settling;
        }
        if let Stage::Settling = stopping.stage {
            let is_time_up = self.now.steady_ms >= stopping.due_ms();
            if !is_time_up && (self.may_have_outcomes || !self.journal.is_settled()) {
                return;
            }
            // The last outcomes were there before it was settled.
            self.relay();
            let open = self.connections.slab.iter().filter(|(_, connection)| connection.phase == Phase::Open);
            let (new, others): (Vec<_>, Vec<_>) = open.partition(|(_, connection)| connection.session.is_new());
            let [new, others] = [new, others].map(|these| {
                let ids = these.into_iter().map(|(slot, _)| self.connections.id_of(slot));
                ids.collect()
            });
            if let Some(stopping) = &mut self.stopping {
                stopping.stage = Stage::Telling(Untold::new(others, new));
            }
        }
        if let Some(Stopping { stage: Stage::Telling(untold), since_ms, .. }) = &mut self.stopping
            && self.now.steady_ms >= *since_ms + FIRST_REQUEST_MS
        {
            untold.connections.append(&mut untold.new);
        }
        for _ in 0..TOLD_A_TURN {
            let Some(Stopping { stage: Stage::Telling(untold), .. }) = &mut self.stopping else { return };
            let Some((id, retry_ms)) = untold.next() else { return };
            if let Some(slot) = self.connections.find(id) {
                self.tell_that_it_stops(slot, retry_ms);
            }
        }
    }

    /// Tells the other nodes, if there are any, that this one leaves, once nobody is connected any more.
    pub(super) fn leave_when_alone(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        if self.connections.slab.is_empty() && stopping.has_told() {
            stopping.stage = Stage::Leaving;
            self.journal.leave();
        }
    }

    /// Tells a connection that the server stops, and closes it. A request that has begun is answered first: what it asked
    /// for may be done, and who sent it would not know.
    fn tell_that_it_stops(&mut self, slot: usize, retry_ms: u32) {
        let connection = &self.connections.slab[slot];
        if connection.session.is_within_request() {
            return;
        }
        self.send_away(slot, retry_ms, CloseReason::Stopping);
    }

    /// Tells a connection when to come back, and closes it.
    pub(super) fn send_away(&mut self, slot: usize, retry_ms: u32, reason: CloseReason) {
        if self.connections.slab[slot].phase != Phase::Open {
            return;
        }
        self.connections.slab[slot].note_reason(reason);
        self.queue_unread(slot);
        let memberships = self.connections.slab[slot].memberships.take();
        for &membership in memberships.as_slice() {
            // Nobody is told that others part: everybody does. Nothing of a room outlives this.
            self.rooms.detach(membership, &mut self.connections);
        }
        self.connections.slab[slot].session.say_goodbye(retry_ms, &self.shared, self.now, &mut self.scratch);
        self.send_scratch(slot);
        self.begin_closing(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many comes back, in order.
    fn retries_ms(count: u64) -> Vec<u32> {
        let mut untold = Untold::new((0..count).map(ConnectionId).collect(), Vec::new());
        let mut retries: Vec<u32> = std::iter::from_fn(|| untold.next()).map(|(_, retry_ms)| retry_ms).collect();
        retries.sort_unstable();
        retries
    }

    #[test]
    fn a_few_are_back_within_a_second() {
        for count in [1, 2, 60, 500] {
            let retries = retries_ms(count);
            assert!(retries[0] >= 250 && retries[retries.len() - 1] < 750, "{count}: {retries:?}");
        }
    }

    #[test]
    fn a_crowd_does_not_come_back_all_at_once() {
        let retries = retries_ms(10_000);
        assert!(retries[0] >= 250 && retries[9_999] < 10_250);
        for window in 0..100 {
            let (from, to) = (250 + window * 100, 350 + window * 100);
            let count = retries.iter().filter(|retry_ms| (from..to).contains(*retry_ms)).count();
            assert!((90..=110).contains(&count), "{count} within a tenth of a second");
        }
    }
}
