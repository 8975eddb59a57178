//! Nobody waits for long: what a member waits for is refused if it is not committed in time.

use super::Effects;
use super::outcomes::Outcomes;
use super::pending::Pending;
use super::queue::{Content, Queue};
use crate::journal::Outcome;
use crate::rooms::{Change, Proposal};

/// So long a change is waited for at the most: whoever waits is told within 5 s, the way there included.
pub(super) const PATIENCE_MS: u64 = 4_500;

/// Whether nothing relies on it that is true already: it never was, if it is refused. Who comes is refused as well: no
/// place is given that the others do not know of.
fn is_refused(proposal: &Proposal) -> bool {
    proposal.is_refusable() || matches!(proposal.change, Change::Place { .. } | Change::Enter { .. })
}

impl Pending {
    /// Whoever waits for what was submitted up to this number has waited for too long. Returns how many are refused.
    pub fn refuse_up_to(&mut self, serial: u64, outcomes: &mut Outcomes) -> u64 {
        let mut refused = 0;
        for epoch in self.epochs() {
            let Some(queue) = self.queues.get_mut(&epoch).filter(|queue| queue.recalled == 0) else { continue };
            let mut told = queue.refuse_sent(serial);
            let (unsent, recalled) = queue.refuse_unsent(serial);
            told.extend(unsent);
            let count = told.iter().filter(|told| matches!(told, Outcome::Refused(_))).count();
            refused += count as u64;
            self.count -= count;
            told.into_iter().for_each(|told| outcomes.push(told));
            self.hand_back(epoch, recalled, outcomes);
            self.advance(epoch, outcomes);
        }
        refused
    }
}

/// Tells whoever waits for it what can be told before it is committed.
fn tell_early(proposal: &mut Proposal, is_told: &mut bool) -> Option<Outcome> {
    let is_first = !std::mem::replace(is_told, true);
    is_first.then(|| proposal.take_early()).flatten().map(Outcome::Committed)
}

impl Queue {
    /// What was sent may be in the log, or come to be there: that is remembered.
    fn refuse_sent(&mut self, serial: u64) -> Vec<Outcome> {
        let mut told = Vec::new();
        for sent in self.sent.iter_mut().filter(|sent| sent.serial <= serial && sent.fate.is_none()) {
            let Content::Own(proposal) = &mut sent.what else { continue };
            if !is_refused(proposal) {
                told.extend(tell_early(proposal, &mut sent.is_told));
                continue;
            }
            let left = Content::Refused(proposal.code, proposal.change.clone());
            self.may_have_refused = true;
            if let Content::Own(proposal) = std::mem::replace(&mut sent.what, left) {
                told.push(Outcome::Refused(proposal));
            }
        }
        told
    }

    /// What was not sent never was. What follows it may have relied on it, and is to be checked again.
    fn refuse_unsent(&mut self, serial: u64) -> (Vec<Outcome>, Vec<(Proposal, u64)>) {
        let (mut told, mut recalled) = (Vec::new(), Vec::new());
        let mut is_broken = false;
        for list in [&mut self.checked_again, &mut self.fresh] {
            for mut unsent in std::mem::take(list) {
                if unsent.serial <= serial && is_refused(&unsent.proposal) {
                    is_broken |= Effects::of(&unsent.proposal.change).is_versioned;
                    told.push(Outcome::Refused(unsent.proposal));
                    continue;
                }
                if unsent.serial <= serial {
                    told.extend(tell_early(&mut unsent.proposal, &mut unsent.is_told));
                }
                if is_broken {
                    recalled.push((unsent.proposal, unsent.serial));
                } else {
                    list.push_back(unsent);
                }
            }
        }
        self.is_broken |= is_broken && !recalled.is_empty();
        if !recalled.is_empty() {
            // What comes back goes behind these.
            self.checked_again.append(&mut self.fresh);
        }
        (told, recalled)
    }
}
