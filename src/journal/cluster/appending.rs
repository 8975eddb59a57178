//! How changes are asked to be appended, and what is answered of the whole request.

use super::ClusterJournal;
use super::attaching::{Leaving, Stage};
use super::log::{AppendFault, Link, Request, Verdict};
use super::timeline::Timer;
use crate::rooms::Epoch;

/// Changes that are asked to be appended at once. One request is under way at a time: what comes meanwhile goes with the
/// next, so that a log that is slow is asked for more at a time and not more often, and a change that was refused is
/// never behind one that was not.
pub(super) const BATCH_CHANGES: usize = 256;

/// A log that has refused a change is asked again after this time.
const REFUSED_AGAIN_MS: u64 = 250;

/// A log that was not asked again since there was nothing to ask is taken to be well after this time.
const REFUSING_MS: u64 = 1_000;

impl<L: Link> ClusterJournal<L> {
    pub(super) fn on_appended(&mut self, answer: Result<Vec<(u64, Verdict)>, AppendFault>) {
        if !std::mem::take(&mut self.is_unanswered) {
            return;
        }
        match answer {
            Ok(verdicts) => {
                self.refusing_until_ms = None;
                let doubtful = self.pending.note_verdicts(&verdicts, &mut self.outcomes);
                self.ends.wanted.doubtful.extend(doubtful);
            }
            Err(AppendFault::GivenUp) => self.on_given_up(),
            Err(AppendFault::OtherGeneration) => {
                if matches!(self.standing.stage, Stage::Attached | Stage::CatchingUp { .. }) {
                    self.attach();
                }
            }
            // The link has told why.
            Err(AppendFault::Refusing(_)) => {
                self.refusing_until_ms = Some(self.now.steady_ms + REFUSING_MS);
                self.ask_again = Timer::In(REFUSED_AGAIN_MS);
                self.pending.take_back();
            }
        }
    }

    /// The log has a room that was handed over.
    pub(super) fn settle_snapshot(&mut self, epoch: Epoch) {
        if let Some(place) = self.snapshots_asked.iter().position(|asked| *asked == epoch) {
            self.snapshots_asked.swap_remove(place);
        }
    }

    /// It has not, since it takes nothing at this time: the room is handed over again when it may.
    pub(super) fn on_snapshot_refused(&mut self, epoch: Epoch) {
        self.settle_snapshot(epoch);
        if !self.snapshots_due.contains(&epoch) {
            self.snapshots_due.push(epoch);
        }
        self.refusing_until_ms = Some(self.now.steady_ms + REFUSING_MS);
    }

    /// Sends what can be sent.
    pub(super) fn append(&mut self) {
        self.append_next();
        // What was sent again may be answered as appended long ago, and does not come then. Who leaves says so behind it.
        let is_awaited = self.pending.has_unsent()
            || self.pending.has_asked_again()
            || self.refusing_until_ms.is_some()
            || self.standing.leaving == Leaving::Wanted;
        if self.is_unanswered && is_awaited {
            self.link.hurry();
        }
    }

    fn append_next(&mut self) {
        if !self.standing.is_attached() || self.is_unanswered || self.is_leaving() || self.ask_again != Timer::Off {
            return;
        }
        let node = self.standing.node;
        let changes = self.pending.next_batch(node, &self.versions, BATCH_CHANGES, &mut self.outcomes);
        if !changes.is_empty() {
            self.is_unanswered = true;
            self.link.send(Request::Append { node, generation: self.standing.generation, changes });
        }
    }
}
