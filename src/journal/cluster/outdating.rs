//! What others' changes make of proposals of this node: those that were checked before go back to the rooms, in their
//! order, with all that was to follow them.

use super::Effects;
use super::outcomes::Outcomes;
use super::pending::Pending;
use super::queue::{Content, Queue, Unsent};
use crate::rooms::{Epoch, RoomCode};

impl Pending {
    /// Another node has changed this room: nothing that was checked before is in the log behind that.
    pub fn outdate_room(&mut self, epoch: Epoch, outcomes: &mut Outcomes) {
        self.recall_from(epoch, 0, outcomes);
    }

    /// Another node has changed an account.
    pub fn outdate_accounts(&mut self, outcomes: &mut Outcomes) {
        self.outdate_room(Epoch::NONE, outcomes);
        self.outdate_dependent(outcomes);
    }

    /// The accounts are other than what depends on them was checked against.
    pub fn outdate_dependent(&mut self, outcomes: &mut Outcomes) {
        for epoch in self.epochs() {
            let Some(queue) = self.queues.get(&epoch).filter(|_| epoch != Epoch::NONE) else { continue };
            let sent = queue.sent.iter().position(|sent| sent.depends_on_accounts);
            let mut unsent = queue.checked_again.iter().chain(&queue.fresh);
            let depends = |unsent: &Unsent| Effects::of(&unsent.proposal.change).depends_on_accounts;
            if let Some(place) = sent.or_else(|| unsent.any(depends).then_some(queue.sent.len())) {
                self.recall_from(epoch, place, outcomes);
            }
        }
    }

    /// Another node has opened a room under this code.
    pub fn outdate_opening(&mut self, code: RoomCode, opened: Epoch, outcomes: &mut Outcomes) {
        for epoch in self.epochs() {
            let Some(queue) = self.queues.get(&epoch) else { continue };
            let sent = queue.sent.front().map(|sent| match &sent.what {
                Content::Own(proposal) => (proposal.code, proposal.change.opens()),
                Content::Refused(code, change) => (*code, change.opens()),
            });
            let unsent = || queue.checked_again.front().or(queue.fresh.front());
            let first = sent.or_else(|| unsent().map(|first| (first.proposal.code, first.proposal.change.opens())));
            if epoch != opened && first == Some((code, true)) {
                self.recall_from(epoch, 0, outcomes);
            }
        }
    }

    /// All rooms of which something is proposed, in an order that is always the same.
    pub(super) fn epochs(&self) -> Vec<Epoch> {
        let mut epochs: Vec<_> = self.queues.keys().copied().collect();
        epochs.sort_unstable();
        epochs
    }

    /// What was refused is in the log after all: what was not sent yet is checked against that.
    pub fn recall_unsent(&mut self, epoch: Epoch, outcomes: &mut Outcomes) {
        let sent = self.queues.get(&epoch).map_or(0, |queue| queue.sent.len());
        self.recall_from(epoch, sent, outcomes);
    }

    pub(super) fn recall_from(&mut self, epoch: Epoch, place: usize, outcomes: &mut Outcomes) {
        let Some(queue) = self.queues.get_mut(&epoch) else { return };
        let recalled = queue.recall(place);
        self.hand_back(epoch, recalled, outcomes);
        if self.queues.get(&epoch).is_some_and(Queue::is_empty) {
            self.queues.remove(&epoch);
        }
    }
}
