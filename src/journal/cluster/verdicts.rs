//! What becomes of proposals that were sent: as the log answers, or as can be told when nothing more can come.

use super::log::Verdict;
use super::outcomes::Outcomes;
use super::pending::Pending;
use super::queue::{Content, Fate, Sent};
use crate::rooms::Epoch;

impl Pending {
    /// The log has answered what was asked last. Returns those that may not come, though nothing is known yet that came
    /// before them: when everything was read that is in the log by now, they are outdated, or were said before.
    pub fn note_verdicts(&mut self, verdicts: &[(u64, Verdict)], outcomes: &mut Outcomes) -> Vec<(u64, Epoch)> {
        let mut doubtful = Vec::new();
        let mut verdicts = verdicts.iter();
        for (number, epoch) in std::mem::take(&mut self.asked) {
            let verdict = verdicts.next().filter(|(answered, _)| *answered == number).map(|(_, verdict)| *verdict);
            debug_assert!(verdict.is_some(), "each is answered, in its order");
            let is_appended = verdict == Some(Verdict::Appended);
            let Some(queue) = self.queues.get_mut(&epoch) else { continue };
            let Some(sent) = queue.position(number).map(|place| &mut queue.sent[place]) else { continue };
            (sent.fate, sent.fate_at_end) = match verdict {
                Some(Verdict::Duplicate(id)) => (None, Some(Fate::Duplicate(id))),
                Some(Verdict::NoSuchEvent) => (Some(Fate::NoSuchEvent), None),
                Some(Verdict::Appended | Verdict::Outdated) | None => (None, None),
            };
            if sent.fate.is_some() {
                self.advance(epoch, outcomes);
            } else if !is_appended || sent.is_sent_again {
                // What was sent once and is appended is about to come.
                doubtful.push((number, epoch));
            }
        }
        doubtful
    }

    /// Nothing of what was asked last was looked at: it is sent again.
    pub fn take_back(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        for asked in asked.into_iter().rev() {
            self.to_be_sent_again.push_front(asked);
        }
    }

    /// Everything was read that was in the log when these were looked at: they are not in it.
    pub fn resolve_doubts(&mut self, doubtful: &[(u64, Epoch)], outcomes: &mut Outcomes) {
        for &(number, epoch) in doubtful {
            let Some(queue) = self.queues.get_mut(&epoch) else { continue };
            let Some(place) = queue.position(number) else { continue };
            let sent = &mut queue.sent[place];
            sent.fate = sent.fate_at_end.take();
            if sent.fate.is_some() {
                self.advance(epoch, outcomes);
            } else {
                self.recall_from(epoch, place, outcomes);
            }
        }
    }

    /// Everything was read that was in the log when it had looked at the proposals up to this number, and it looks at none
    /// of those that were sent later. What has not come goes back to the rooms; the later ones are sent again.
    pub fn resolve_sent(&mut self, last_number: u64, outcomes: &mut Outcomes) {
        self.asked.clear();
        self.to_be_sent_again.clear();
        self.recall_outdated(outcomes);
        let mut again = Vec::new();
        for epoch in self.epochs() {
            let Some(queue) = self.queues.get_mut(&epoch) else { continue };
            let was_looked_at = queue.sent.iter().position(|sent| sent.fate.is_none() && sent.id.number <= last_number);
            // What was refused is not sent again, nor what relies on it.
            let is_lost = |sent: &Sent| sent.is_versioned && matches!(sent.what, Content::Refused(..));
            let place = was_looked_at.or_else(|| queue.sent.iter().position(is_lost));
            if let Some(place) = place {
                self.recall_from(epoch, place, outcomes);
            }
            let Some(queue) = self.queues.get_mut(&epoch) else { continue };
            queue.sent.retain(|sent| matches!(sent.what, Content::Own(_)));
            let numbers = queue.sent.iter().filter(|sent| sent.fate.is_none()).map(|sent| sent.id.number);
            again.extend(numbers.map(|number| (number, epoch)));
            self.advance(epoch, outcomes);
        }
        again.sort_unstable();
        self.to_be_sent_again = again.into();
    }
}
