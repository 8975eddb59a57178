//! What this node has proposed of one room, or of the accounts, and not seen committed yet: in order.

use std::collections::VecDeque;

use super::log::{ProposalId, Version};
use crate::rooms::{Change, Epoch, Proposal, RoomCode};

/// The proposals of one room.
#[derive(Default)]
pub(super) struct Queue {
    /// Those that were sent. The first ones are the oldest.
    pub sent: VecDeque<Sent>,
    /// Those that were checked again, and are not sent: they go first.
    pub checked_again: VecDeque<Unsent>,
    /// Those that were checked once, and are not sent.
    pub fresh: VecDeque<Unsent>,
    /// The version that the room will have when all that was sent is committed; `None`: the one that it has.
    pub predicted: Option<Version>,
    /// It is in the list of those that have something to be sent.
    pub is_ready: bool,
    /// Those that were sent from this number on, and all that were not sent, are outdated. Nothing is sent meanwhile.
    pub outdated_from: Option<u64>,
    /// So many are on their way back to the rooms, to be checked again. Nothing is sent meanwhile.
    pub recalled: usize,
    /// One that was sent may have been refused since.
    pub may_have_refused: bool,
    /// Of those that were checked again, one came to nothing that others may have relied on.
    pub is_broken: bool,
}

/// A proposal that was not sent yet.
pub(super) struct Unsent {
    pub proposal: Proposal,
    /// Tells when it was submitted first.
    pub serial: u64,
    /// It is to be checked once more when all that is before it is settled.
    pub waits: bool,
    /// It is never refused, and whoever waits for it was answered though it is not committed.
    pub is_told: bool,
}

/// A proposal that was sent.
pub(super) struct Sent {
    pub id: ProposalId,
    pub serial: u64,
    pub what: Content,
    /// Against which version of the room it was checked.
    pub version: Option<Version>,
    /// The same of the accounts.
    pub accounts_version: Option<Version>,
    pub is_versioned: bool,
    pub depends_on_accounts: bool,
    /// It was sent before, on another connection: an answer may tell of that.
    pub is_sent_again: bool,
    pub is_told: bool,
    /// What has become of it, which is told when everything before it is settled.
    pub fate: Option<Fate>,
    /// The same, for when everything is here that was in the log when that was found: nobody is told that something is said
    /// that may not be shown yet.
    pub fate_at_end: Option<Fate>,
}

/// What was sent.
pub(super) enum Content {
    Own(Proposal),
    /// It was refused since it took too long. If it comes back all the same, it is as another node's.
    Refused(RoomCode, Change),
}

/// What becomes of a proposal that is not appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Duplicate(u64),
    NoSuchEvent,
    /// It changes nothing, and need not be appended.
    Nothing,
}

impl Content {
    /// The proposal, if somebody still waits for it.
    pub fn own(self) -> Option<Proposal> {
        match self {
            Content::Own(proposal) => Some(proposal),
            Content::Refused(..) => None,
        }
    }

    /// As it is committed: whoever waited for a refused one waits no more.
    pub fn into_committed(self, epoch: Epoch, id: ProposalId) -> Proposal {
        match self {
            Content::Own(proposal) => proposal,
            Content::Refused(code, change) => Proposal::new(code, epoch, change).proposed_by(id.node),
        }
    }
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.recalled == 0 && !self.has_unsent()
    }

    pub fn has_unsent(&self) -> bool {
        !self.checked_again.is_empty() || !self.fresh.is_empty()
    }

    /// Whether a change may come to be in the log that the rooms take to be refused for good. What they propose meanwhile
    /// is not checked against that.
    pub fn has_refused(&self) -> bool {
        let is_refused = |sent: &Sent| sent.is_versioned && matches!(sent.what, Content::Refused(..));
        self.may_have_refused && self.sent.iter().any(is_refused)
    }

    /// The first that may be sent now.
    pub fn next_unsent(&mut self) -> Option<Unsent> {
        self.may_have_refused = self.has_refused();
        let is_held = self.recalled > 0 || self.outdated_from.is_some() || self.may_have_refused;
        match self.checked_again.front() {
            _ if is_held => None,
            Some(first) if first.waits => None,
            Some(_) => self.checked_again.pop_front(),
            None => self.fresh.pop_front(),
        }
    }

    /// Where it is among those that were sent.
    pub fn position(&self, number: u64) -> Option<usize> {
        let first = self.sent.partition_point(|sent| sent.id.number < number);
        // What changes nothing bears the number of one before it.
        let is_it = |sent: &Sent| sent.id.number == number && sent.fate != Some(Fate::Nothing);
        self.sent.get(first).is_some_and(is_it).then_some(first)
    }

    /// Whether another of this node, not committed yet, changes more than what is said.
    pub fn has_versioned(&self) -> bool {
        let makes_version = |unsent: &Unsent| super::Effects::of(&unsent.proposal.change).is_versioned;
        self.sent.iter().any(|sent| sent.is_versioned) || self.checked_again.iter().any(makes_version)
    }

    /// All from this one of the sent on cannot be appended as they are, nor what was checked behind them.
    pub fn outdate(&mut self, from: usize) {
        let number = self.sent.get(from).map_or(u64::MAX, |sent| sent.id.number);
        self.outdated_from = Some(self.outdated_from.map_or(number, |other| other.min(number)));
    }

    /// Takes out what is outdated.
    pub fn recall_outdated(&mut self) -> Vec<(Proposal, u64)> {
        let Some(number) = self.outdated_from.take() else { return Vec::new() };
        self.recall(self.sent.partition_point(|sent| sent.id.number < number))
    }

    /// Takes out all from this one of the sent on: they cannot be appended as they are.
    pub fn recall(&mut self, from: usize) -> Vec<(Proposal, u64)> {
        let sent = self.sent.drain(from..).filter_map(|sent| sent.what.own().map(|own| (own, sent.serial)));
        let mut recalled: Vec<_> = sent.collect();
        self.predicted = self.sent.iter().rev().find(|sent| sent.is_versioned).map(|sent| sent.id);
        recalled.extend(self.recall_unsent());
        recalled
    }

    /// Takes out all that were checked only once.
    pub fn recall_fresh(&mut self) -> Vec<(Proposal, u64)> {
        self.fresh.drain(..).map(|unsent| (unsent.proposal, unsent.serial)).collect()
    }

    /// Takes out all that were not sent.
    pub fn recall_unsent(&mut self) -> Vec<(Proposal, u64)> {
        let unsent = self.checked_again.drain(..).chain(self.fresh.drain(..));
        unsent.map(|unsent| (unsent.proposal, unsent.serial)).collect()
    }
}
