//! What has become of things, until it is taken.

use std::collections::VecDeque;

use crate::journal::Outcome;
use crate::rooms::{Body, Change, Epoch, Proposal};

/// What can be taken.
#[derive(Default)]
pub(super) struct Outcomes {
    queue: VecDeque<Outcome>,
    /// Of each of them that is [outdated](Outcome::Outdated).
    outdated: VecDeque<HandedBack>,
    /// The last that was taken was outdated, and it is not known yet what the rooms have made of it.
    pub handed_back: Option<HandedBack>,
}

/// A proposal that the rooms are to check again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HandedBack {
    pub epoch: Epoch,
    /// Tells when it was submitted first.
    pub serial: u64,
    /// Others may have been possible only behind it.
    pub is_relied_on: bool,
}

impl Outcomes {
    pub fn push(&mut self, outcome: Outcome) {
        self.queue.push_back(outcome);
    }

    pub fn push_outdated(&mut self, proposal: Proposal, serial: u64) {
        let (epoch, is_relied_on) = (proposal.epoch, is_relied_on(&proposal.change));
        self.outdated.push_back(HandedBack { epoch, serial, is_relied_on });
        self.queue.push_back(Outcome::Outdated(proposal));
    }

    pub fn take(&mut self) -> Option<Outcome> {
        let outcome = self.queue.pop_front()?;
        if matches!(outcome, Outcome::Outdated(_)) {
            self.handed_back = self.outdated.pop_front();
        }
        Some(outcome)
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn clear(&mut self) {
        *self = Outcomes::default();
    }
}

/// Whether something may be possible only behind this change, though its author has done nothing more: it frees a name or
/// a place, or allows something. Who merely comes or says something makes room for nobody.
fn is_relied_on(change: &Change) -> bool {
    match change {
        Change::Open { .. } | Change::Place { .. } | Change::Enter { .. } => false,
        Change::PublishOfGuest { .. } | Change::CompleteBan { .. } | Change::Nothing => false,
        Change::Publish { event } => matches!(event.body, Body::Nick { .. }),
        Change::Moderate(_) | Change::Reconnect { .. } | Change::Identify { .. } => true,
        Change::Vacate { .. } | Change::End | Change::Account(_) => true,
    }
}
