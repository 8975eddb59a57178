//! Entries of the log, one after the other: what each means here.

use super::ClusterJournal;
use super::Effects;
use super::attaching::Leaving;
use super::log::{Entry, Link, Logged, ProposalId};
use super::queue::Sent;
use crate::journal::Outcome;
use crate::rooms::{Change, Epoch, NodeId, Proposal, RoomCode};

/// A change in the log.
struct Logging {
    by: ProposalId,
    code: RoomCode,
    epoch: Epoch,
    event_id: Option<u64>,
}

impl<L: Link> ClusterJournal<L> {
    /// Takes in entries that were received: what follows from each is told before the next.
    pub(super) fn receive(&mut self, entries: Vec<Entry>) {
        let Some(last) = entries.last() else { return };
        let (position, by) = (last.position, last.by);
        let received = self.standing.received.map_or(self.standing.position, |(position, _)| position);
        if position <= received {
            return;
        }
        self.standing.received = Some((position, by));
        self.inbox.extend(entries.into_iter().filter(|entry| entry.position > received));
    }

    pub(super) fn take_in(&mut self, entry: Entry) {
        let Entry { position, by, what } = entry;
        self.standing.position = position;
        match what {
            Logged::Notice(notice) if !self.standing.is_own(by.node) => self.outcomes.push(Outcome::Noticed(notice)),
            Logged::Notice(_) | Logged::Unknown => (),
            Logged::NodeGone(node) => self.note_gone(node, by.node),
            Logged::Change { code, epoch, event_id, change } => {
                let logging = Logging { by, code, epoch, event_id };
                let own = self
                    .standing
                    .is_own(by.node)
                    .then(|| self.pending.take_committed(by.number, epoch, &mut self.outcomes));
                match (own.flatten(), change) {
                    (Some((sent, is_waited_for)), _) => self.commit_own(sent, is_waited_for, &logging),
                    (None, _) if self.versions.has_taken_in(epoch, position) => (),
                    (None, Some(change)) => self.commit_foreign(*change, &logging),
                    (None, None) => self.lose_track("an own entry of the log is unknown"),
                }
            }
        }
        self.note_caught_up();
        self.note_reached();
    }

    fn note_gone(&mut self, node: NodeId, by: NodeId) {
        if node == self.standing.node && self.is_leaving() {
            self.standing.leaving = Leaving::Done;
        } else if node == self.standing.node {
            self.on_given_up();
        } else if !self.standing.is_own(node) {
            let is_ours = by == self.standing.node;
            self.outcomes.push(Outcome::NodeGone { node, is_ours });
        }
    }

    fn commit_own(&mut self, sent: Sent, is_waited_for: bool, logging: &Logging) {
        let Sent { id, what, is_versioned, .. } = sent;
        let mut proposal = what.into_committed(logging.epoch, id);
        if !number_event(&mut proposal.change, logging.event_id) {
            return self.lose_track("an event of the log has no number");
        }
        let is_snapshot_due = is_versioned && self.versions.note(logging.epoch, &proposal.change, id);
        self.outcomes.push(Outcome::Committed(proposal));
        self.stored.stored_changes.inc();
        if is_snapshot_due && is_waited_for && !self.snapshots_due.contains(&logging.epoch) {
            self.snapshots_due.push(logging.epoch);
        }
        if is_versioned && !is_waited_for {
            self.pending.outdate_unsent(logging.epoch);
        }
        if logging.epoch == Epoch::NONE {
            self.pending.outdate_dependent();
        }
        self.pending.advance(logging.epoch, &mut self.outcomes);
    }

    fn commit_foreign(&mut self, mut change: Change, logging: &Logging) {
        let &Logging { by, code, epoch, event_id } = logging;
        let effects = Effects::of(&change);
        if !effects.opens && epoch != Epoch::NONE && !self.versions.has(epoch) {
            // It was over before it could be loaded.
            if self.knows_end_of_loading {
                self.lose_track("an entry of the log is of no room");
            }
            return;
        }
        if !number_event(&mut change, event_id) {
            return self.lose_track("an event of the log has no number");
        }
        if effects.is_versioned {
            self.versions.note(epoch, &change, by);
        }
        self.outcomes.push(Outcome::Committed(Proposal::new(code, epoch, change).proposed_by(by.node)));
        if effects.is_of_account {
            self.pending.outdate_accounts();
        } else if effects.is_versioned {
            self.pending.outdate_room(epoch);
        }
        if effects.opens {
            self.pending.outdate_opening(code, epoch);
        }
    }

    /// Something is in the log that cannot be there, as far as this node knows.
    pub(super) fn lose_track(&mut self, reason: &str) {
        ::log::error!(event = "log_impossible"; "{reason}: everything is loaded anew");
        self.load_anew();
    }

    /// Does what was to be done when this much is taken in.
    pub(super) fn note_reached(&mut self) {
        while let Some(reached) = self.ends.take_reached(self.standing.position) {
            self.pending.resolve_doubts(&reached.doubtful, &mut self.outcomes);
            reached.syncs.into_iter().for_each(|sync| self.outcomes.push(Outcome::Synced(sync)));
            self.knows_end_of_loading |= reached.is_end_of_loading;
        }
    }
}

/// Gives the event of a change the number that it has in the log, if it has an event. Whether it is the next one of its
/// room is looked at by the rooms, who know the last. Returns whether there is nothing without a number.
fn number_event(change: &mut Change, event_id: Option<u64>) -> bool {
    let Some(event) = change.event_mut() else { return true };
    event.id = event_id.unwrap_or(0);
    event.id > 0
}
