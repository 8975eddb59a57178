//! What others' changes make of proposals of this node: those that were checked before go back to the rooms, in their
//! order, with all that was to follow them. That is done when no other entry is there: many may come at once.

use super::Effects;
use super::outcomes::Outcomes;
use super::pending::Pending;
use super::queue::{Content, Queue, Unsent};
use crate::rooms::{Epoch, RoomCode};

impl Pending {
    /// Another node has changed this room: nothing that was checked before is in the log behind that.
    pub fn outdate_room(&mut self, epoch: Epoch) {
        self.outdate_from(epoch, 0);
    }

    /// Another node has changed an account.
    pub fn outdate_accounts(&mut self) {
        self.outdate_room(Epoch::NONE);
        self.outdate_dependent();
    }

    /// The accounts are other than what depends on them was checked against.
    pub fn outdate_dependent(&mut self) {
        for epoch in self.epochs() {
            let Some(queue) = self.queues.get(&epoch).filter(|_| epoch != Epoch::NONE) else { continue };
            let sent = queue.sent.iter().position(|sent| sent.depends_on_accounts);
            let mut unsent = queue.checked_again.iter().chain(&queue.fresh);
            let depends = |unsent: &Unsent| Effects::of(&unsent.proposal.change).depends_on_accounts;
            if let Some(place) = sent.or_else(|| unsent.any(depends).then_some(queue.sent.len())) {
                self.outdate_from(epoch, place);
            }
        }
    }

    /// Another node has opened a room under this code.
    pub fn outdate_opening(&mut self, code: RoomCode, opened: Epoch) {
        for epoch in self.epochs() {
            let Some(queue) = self.queues.get(&epoch) else { continue };
            let sent = queue.sent.front().map(|sent| match &sent.what {
                Content::Own(proposal) => (proposal.code, proposal.change.opens()),
                Content::Refused(code, change) => (*code, change.opens()),
            });
            let unsent = || queue.checked_again.front().or(queue.fresh.front());
            let first = sent.or_else(|| unsent().map(|first| (first.proposal.code, first.proposal.change.opens())));
            if epoch != opened && first == Some((code, true)) {
                self.outdate_room(epoch);
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
    pub fn outdate_unsent(&mut self, epoch: Epoch) {
        let sent = self.queues.get(&epoch).map_or(0, |queue| queue.sent.len());
        self.outdate_from(epoch, sent);
    }

    fn outdate_from(&mut self, epoch: Epoch, place: usize) {
        if let Some(queue) = self.queues.get_mut(&epoch) {
            queue.outdate(place);
            self.outdated.insert(epoch);
        }
    }

    /// Hands back what is outdated, now that nothing more is there that would outdate it again. Returns whether there was
    /// anything.
    pub fn recall_outdated(&mut self, outcomes: &mut Outcomes) -> bool {
        let outdated = std::mem::take(&mut self.outdated);
        for &epoch in &outdated {
            let Some(queue) = self.queues.get_mut(&epoch) else { continue };
            let recalled = queue.recall_outdated();
            self.hand_back(epoch, recalled, outcomes);
            self.advance(epoch, outcomes);
        }
        !outdated.is_empty()
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
