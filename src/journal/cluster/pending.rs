//! What this node has proposed and not seen committed yet: of every room in order, and of one room by one.
//!
//! What is to be sent next is put together here, with the versions that those before it will have made; and what others'
//! changes have made impossible, or may have, goes back to the rooms.

use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;

use super::Effects;
use super::log::{Append, ProposalId};
use super::outcomes::{HandedBack, Outcomes};
use super::queue::{Content, Fate, Queue, Sent, Unsent};
use super::versions::Versions;
use crate::journal::Outcome;
use crate::rooms::{Change, Checked, Epoch, NodeId, Proposal};

/// All proposals of this node that are not settled.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) queues: HashMap<Epoch, Queue>,
    /// Rooms of which something can be sent.
    ready: VecDeque<Epoch>,
    /// Those that are asked and not answered.
    pub(super) asked: VecDeque<(u64, Epoch)>,
    /// Some of those were sent before.
    are_asked_again: bool,
    /// Those that have their numbers and are to be sent again.
    pub(super) to_be_sent_again: VecDeque<(u64, Epoch)>,
    /// Rooms of which something is outdated.
    pub(super) outdated: BTreeSet<Epoch>,
    /// Rooms of which something waits for nothing of them.
    stuck: Vec<Epoch>,
    last_number: u64,
    /// How many somebody waits for.
    pub(super) count: usize,
}

impl Pending {
    /// Takes a proposal. `serial` tells when it was submitted, unless it was handed back since.
    pub fn submit(&mut self, proposal: Proposal, serial: u64, outcomes: &mut Outcomes) {
        let epoch = proposal.epoch;
        if proposal.checked == Checked::Once {
            if matches!(proposal.change, Change::Nothing) && !self.queues.contains_key(&epoch) {
                return outcomes.push(Outcome::Committed(proposal));
            }
            self.count += 1;
            let queue = self.queues.entry(epoch).or_default();
            queue.fresh.push_back(Unsent { proposal, serial, waits: false, is_told: false });
            return self.mark_ready(epoch);
        }
        let handed_back = outcomes.handed_back.take().filter(|handed_back| handed_back.epoch == epoch);
        let serial = handed_back.map_or(serial, |handed_back| handed_back.serial);
        self.count += 1;
        let queue = self.queues.entry(epoch).or_default();
        let relies_on_lost = || queue.is_broken && queue.has_versioned();
        let waits = proposal.checked == Checked::NotYet || relies_on_lost();
        queue.checked_again.push_back(Unsent { proposal, serial, waits, is_told: false });
        if handed_back.is_some() {
            self.end_recall_of_one(epoch, outcomes);
        } else {
            self.mark_ready(epoch);
        }
    }

    /// The rooms have not proposed again what was handed back to them: it is settled.
    pub fn note_settled(&mut self, handed_back: HandedBack, outcomes: &mut Outcomes) {
        if let Some(queue) = self.queues.get_mut(&handed_back.epoch) {
            queue.is_broken |= handed_back.is_relied_on;
            self.end_recall_of_one(handed_back.epoch, outcomes);
        }
    }

    fn end_recall_of_one(&mut self, epoch: Epoch, outcomes: &mut Outcomes) {
        let Some(queue) = self.queues.get_mut(&epoch) else { return };
        queue.recalled = queue.recalled.saturating_sub(1);
        if queue.recalled > 0 {
            return;
        }
        if std::mem::take(&mut queue.is_broken) && !queue.fresh.is_empty() {
            // What was proposed meanwhile may rely on it as well.
            let recalled = queue.recall_fresh();
            return self.hand_back(epoch, recalled, outcomes);
        }
        if queue.sent.is_empty() && queue.checked_again.front().is_some_and(|first| first.waits) {
            // It waits for something, but for nothing that is in the way to the log: it is looked at again later.
            return self.stuck.push(epoch);
        }
        self.advance(epoch, outcomes);
    }

    fn mark_ready(&mut self, epoch: Epoch) {
        if let Some(queue) = self.queues.get_mut(&epoch)
            && !std::mem::replace(&mut queue.is_ready, true)
        {
            self.ready.push_back(epoch);
        }
    }

    /// Whether anything of this room is not settled.
    pub fn has(&self, epoch: Epoch) -> bool {
        self.queues.contains_key(&epoch)
    }

    /// Whether anything can be sent.
    pub fn has_unsent(&self) -> bool {
        !self.ready.is_empty() || !self.to_be_sent_again.is_empty()
    }

    /// Whether any of those that are asked and not answered were sent before.
    pub fn has_asked_again(&self) -> bool {
        self.are_asked_again && !self.asked.is_empty()
    }

    // ---- to the log

    /// What is to be appended next, so many at the most.
    pub fn next_batch(
        &mut self,
        node: NodeId,
        versions: &Versions,
        most: usize,
        outcomes: &mut Outcomes,
    ) -> Vec<Append> {
        let mut batch = Vec::new();
        self.are_asked_again = !self.to_be_sent_again.is_empty();
        while batch.len() < most
            && let Some((number, epoch)) = self.to_be_sent_again.pop_front()
        {
            match self.send_again(number, epoch) {
                Some(append) => batch.push(append),
                None => self.forget_refused(number, epoch, outcomes),
            }
        }
        while batch.len() < most
            && let Some(&epoch) = self.ready.front()
        {
            let next = self.queues.get_mut(&epoch).and_then(Queue::next_unsent);
            match next {
                Some(unsent) => batch.extend(self.send(unsent, epoch, node, versions)),
                None => {
                    self.ready.pop_front();
                    if let Some(queue) = self.queues.get_mut(&epoch) {
                        queue.is_ready = false;
                    }
                    // What changes nothing may be settled already.
                    self.settle_first(epoch, outcomes);
                }
            }
        }
        batch
    }

    fn send(&mut self, unsent: Unsent, epoch: Epoch, node: NodeId, versions: &Versions) -> Option<Append> {
        let Unsent { proposal, serial, is_told, .. } = unsent;
        let effects = Effects::of(&proposal.change);
        let accounts_version = if effects.depends_on_accounts { self.accounts_version(epoch, versions) } else { None };
        let queue = self.queues.get_mut(&epoch)?;
        let is_nothing = matches!(proposal.change, Change::Nothing);
        if !is_nothing {
            self.last_number += 1;
        }
        let id = ProposalId { node, number: self.last_number };
        let version = if epoch == Epoch::NONE { None } else { queue.predicted.or(versions.of(epoch)) };
        let append = (!is_nothing).then(|| Append {
            number: id.number,
            code: proposal.code,
            epoch,
            version,
            accounts_version,
            change: proposal.change.clone(),
        });
        if effects.is_versioned {
            queue.predicted = Some(id);
        }
        queue.sent.push_back(Sent {
            id,
            serial,
            what: Content::Own(proposal),
            version,
            accounts_version,
            is_versioned: effects.is_versioned,
            depends_on_accounts: effects.depends_on_accounts,
            is_sent_again: false,
            is_told,
            fate: is_nothing.then_some(Fate::Nothing),
            fate_at_end: None,
        });
        if !is_nothing {
            self.asked.push_back((id.number, epoch));
        }
        append
    }

    /// The version of the accounts against which something was checked: for a change of one, that which the accounts will
    /// have when those before it are committed; for what happens in a room, that which they have, since it may have been
    /// proposed before those that are on their way. When they come, it is outdated.
    fn accounts_version(&self, epoch: Epoch, versions: &Versions) -> Option<ProposalId> {
        let queue = self.queues.get(&Epoch::NONE).filter(|_| epoch == Epoch::NONE);
        queue.and_then(|queue| queue.predicted).or(versions.accounts)
    }

    /// The same as it was sent before, if it is still to be sent.
    fn send_again(&mut self, number: u64, epoch: Epoch) -> Option<Append> {
        let queue = self.queues.get_mut(&epoch)?;
        let place = queue.position(number)?;
        let sent = &mut queue.sent[place];
        let Content::Own(proposal) = &sent.what else { return None };
        sent.is_sent_again = true;
        self.asked.push_back((number, epoch));
        Some(Append {
            number,
            code: proposal.code,
            epoch,
            version: sent.version,
            accounts_version: sent.accounts_version,
            change: proposal.change.clone(),
        })
    }

    /// It would have been sent again, so it is not in the log, and was refused meanwhile: nothing waits for it any more, and
    /// what relies on it is checked again.
    fn forget_refused(&mut self, number: u64, epoch: Epoch, outcomes: &mut Outcomes) {
        let Some(queue) = self.queues.get_mut(&epoch) else { return };
        let Some(place) = queue.position(number) else { return };
        if queue.sent[place].is_versioned {
            self.recall_from(epoch, place, outcomes);
        } else {
            queue.sent.remove(place);
            self.advance(epoch, outcomes);
        }
    }

    // ---- and back

    /// A change of this node is in the log. `None`: it is none of those that are waited for.
    pub fn take_committed(&mut self, number: u64, epoch: Epoch, outcomes: &mut Outcomes) -> Option<(Sent, bool)> {
        let queue = self.queues.get_mut(&epoch)?;
        let place = queue.position(number)?;
        // Those before it were looked at, and are not in the log.
        let mut passed = Vec::new();
        for sent in queue.sent.drain(..place) {
            let Some(own) = sent.what.own() else { continue };
            match sent.fate_at_end {
                Some(Fate::Duplicate(id)) => {
                    self.count -= 1;
                    outcomes.push(Outcome::AlreadySaid(own, id));
                }
                _ => passed.push((own, sent.serial)),
            }
        }
        let sent = queue.sent.pop_front()?;
        if queue.predicted == Some(sent.id) {
            queue.predicted = None;
        }
        let is_own = matches!(sent.what, Content::Own(_));
        self.count -= usize::from(is_own);
        self.hand_back(epoch, passed, outcomes);
        Some((sent, is_own))
    }

    /// Hands these back to the rooms, to be checked again.
    pub(super) fn hand_back(&mut self, epoch: Epoch, proposals: Vec<(Proposal, u64)>, outcomes: &mut Outcomes) {
        if proposals.is_empty() {
            return;
        }
        self.count -= proposals.len();
        let queue = self.queues.entry(epoch).or_default();
        let is_first = queue.sent.is_empty() && queue.recalled == 0;
        queue.recalled += proposals.len();
        for (place, (mut proposal, serial)) in proposals.into_iter().enumerate() {
            // What waited for those before it still does, unless they are all settled: then it is told so by staying as it is.
            if proposal.checked == Checked::NotYet && !(is_first && place == 0) {
                proposal.checked = Checked::Again;
            }
            outcomes.push_outdated(proposal, serial);
        }
    }

    /// Settles what can be, after something was: in the order in which it was submitted.
    pub fn advance(&mut self, epoch: Epoch, outcomes: &mut Outcomes) {
        self.settle_first(epoch, outcomes);
        let Some(queue) = self.queues.get_mut(&epoch).filter(|queue| queue.recalled == 0) else { return };
        if !queue.has_unsent() {
            return;
        }
        if queue.sent.is_empty() && queue.checked_again.front().is_some_and(|first| first.waits) {
            let recalled = queue.recall_unsent();
            return self.hand_back(epoch, recalled, outcomes);
        }
        self.mark_ready(epoch);
    }

    /// Settles the first ones, as far as it is known what has become of them.
    fn settle_first(&mut self, epoch: Epoch, outcomes: &mut Outcomes) {
        while let Some(queue) = self.queues.get_mut(&epoch).filter(|queue| queue.recalled == 0) {
            let Some(fate) = queue.sent.front().and_then(|first| first.fate) else { break };
            let Some(first) = queue.sent.pop_front() else { break };
            // Those behind it were sent as if it were in the log.
            let recalled = if first.is_versioned { queue.recall(0) } else { Vec::new() };
            if let Some(proposal) = first.what.own() {
                self.count -= 1;
                outcomes.push(match fate {
                    Fate::Duplicate(id) => Outcome::AlreadySaid(proposal, id),
                    Fate::NoSuchEvent => Outcome::NoSuchEvent(proposal),
                    Fate::Nothing => Outcome::Committed(proposal),
                });
            }
            self.hand_back(epoch, recalled, outcomes);
        }
        if self.queues.get(&epoch).is_some_and(Queue::is_empty) {
            self.queues.remove(&epoch);
        }
    }

    /// Looks again at rooms of which something waited, though for nothing of that room.
    pub fn look_again(&mut self, outcomes: &mut Outcomes) {
        let is_account_pending = self.queues.contains_key(&Epoch::NONE);
        for epoch in std::mem::take(&mut self.stuck) {
            let first = self.queues.get(&epoch).and_then(|queue| queue.checked_again.front());
            let waits_for_account = first.is_some_and(|first| {
                epoch != Epoch::NONE && is_account_pending && Effects::of(&first.proposal.change).depends_on_accounts
            });
            if waits_for_account {
                self.stuck.push(epoch);
            } else {
                self.advance(epoch, outcomes);
            }
        }
    }

    /// Forgets all of them; their numbers are used up.
    pub fn clear(&mut self) {
        *self = Pending { last_number: self.last_number, ..Pending::default() };
    }
}
