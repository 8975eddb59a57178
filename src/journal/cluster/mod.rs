//! The journal that several nodes share: an ordered log, kept by somebody else ([`log`]).
//!
//! A proposal is appended at the version of its room against which it was checked; it is committed when it comes back from
//! the log, among those of the others and in the same order everywhere. Where something else came before it, it goes back
//! to the rooms, to be checked again. Nothing here waits or names a socket: what reaches the log is a [`Link`].

mod appending;
mod asking;
mod attaching;
pub mod codec;
mod effects;
mod feed;
mod loading;
pub mod log;
mod outcomes;
mod outdating;
mod pending;
mod queue;
mod refusing;
#[cfg(test)]
mod tests;
mod timeline;
mod verdicts;
mod versions;

pub use effects::{Effects, Erasure};
pub use log::Link;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::rngs::StdRng;

use super::{Journal, Outcome};
use crate::meter::{ClusterMeters, JournalMeters};
use crate::rooms::{Epoch, NodeId, Notice, Proposal, ReadRequest, StoredRoom, SyncId};
use crate::time::Now;
use appending::BATCH_CHANGES;
use asking::{Ends, Reads};
use attaching::{Leaving, Standing};
use log::{Entry, Loaded, Request, Response};
use outcomes::Outcomes;
use pending::Pending;
use refusing::PATIENCE_MS;
use timeline::{Timeline, Timer};
use versions::Versions;

/// With so many changes that are not committed yet, no more are taken.
const MAX_PENDING: usize = 10_000;

/// Keeps changes in a log that nodes share.
pub struct ClusterJournal<L: Link> {
    link: L,
    history_events: u64,
    random: StdRng,
    now: Now,
    standing: Standing,
    versions: Versions,
    pending: Pending,
    outcomes: Outcomes,
    /// Entries that were received and not taken in.
    inbox: VecDeque<Entry>,
    ends: Ends,
    reads: Reads,
    timeline: Timeline,
    /// Whoever waits for what was submitted up to this number has waited for too long.
    late_serial: u64,
    /// Some of those may not have been told.
    has_late: bool,
    /// The log was asked to append something, and has not answered.
    is_unanswered: bool,
    /// It refuses; until when that is held to be so.
    refusing_until_ms: Option<u64>,
    ask_again: Timer,
    notices: Vec<Notice>,
    /// Rooms that are to be handed over.
    snapshots_due: Vec<Epoch>,
    /// Rooms that were handed over, and of which it is not known that the log has them.
    snapshots_asked: Vec<Epoch>,
    /// Every entry from here on is of a room that is known.
    knows_end_of_loading: bool,
    stored: Arc<JournalMeters>,
    meters: Arc<ClusterMeters>,
}

impl<L: Link> ClusterJournal<L> {
    /// `link` reaches the log, which knows this node already, and was asked for what was `loaded`. As many events of each
    /// room are kept as all nodes keep.
    pub fn new(
        mut link: L,
        node: NodeId,
        loaded: &Loaded,
        history_events: u64,
        random: StdRng,
        meters: Arc<ClusterMeters>,
    ) -> ClusterJournal<L> {
        link.send(Request::Follow { after: loaded.position });
        let mut standing = Standing::new(node, loaded);
        standing.is_following = true;
        let mut ends = Ends::default();
        ends.wanted.is_end_of_loading = true;
        meters.nodes.store(loaded.nodes.len() as u64, Ordering::Relaxed);
        ClusterJournal {
            link,
            history_events,
            random,
            now: Now::default(),
            standing,
            versions: Versions::from(loaded),
            pending: Pending::default(),
            outcomes: Outcomes::default(),
            inbox: VecDeque::new(),
            ends,
            reads: Reads::default(),
            timeline: Timeline::default(),
            late_serial: 0,
            has_late: false,
            is_unanswered: false,
            refusing_until_ms: None,
            ask_again: Timer::Off,
            notices: Vec::new(),
            snapshots_due: Vec::new(),
            snapshots_asked: Vec::new(),
            knows_end_of_loading: false,
            stored: Arc::default(),
            meters,
        }
    }

    /// What reaches the log, for whoever drives it from outside.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    fn on_response(&mut self, response: Response) {
        match response {
            Response::Up => self.on_up(),
            // The link has told why.
            Response::Down { .. } => self.on_down(),
            Response::Attached(attached) => self.on_attached(attached),
            Response::Appended(answer) => self.on_appended(answer),
            Response::Renewed(renewed) => self.on_renewed(renewed),
            Response::SnapshotKept { epoch } => self.settle_snapshot(epoch),
            Response::SnapshotRefused { epoch } => self.on_snapshot_refused(epoch),
            Response::End { question, position } => {
                self.ends.note(question, position);
                self.note_reached();
            }
            Response::Entries(entries) => self.receive(entries),
            Response::Trimmed => self.on_trimmed(),
            Response::Loaded(loaded) => self.on_loaded(loaded),
            Response::Read { request, page } => {
                if self.reads.settle(&request) {
                    self.outcomes.push(Outcome::Read { request, page });
                }
            }
        }
    }

    /// Nobody waits for too long.
    fn refuse_late(&mut self) {
        // What is on its way back to the rooms is as old as it was when it comes again.
        if self.pending.count == 0 && self.reads.is_empty() && self.outcomes.is_empty() {
            self.timeline.clear();
        }
        self.timeline.mark(self.now.steady_ms);
        let Some(late_ms) = self.now.steady_ms.checked_sub(PATIENCE_MS) else { return };
        if let Some(serial) = self.timeline.take_older_than(late_ms) {
            self.late_serial = serial;
            self.has_late = true;
        }
        if std::mem::take(&mut self.has_late) {
            let refused = self.pending.refuse_up_to(self.late_serial, &mut self.outcomes);
            self.stored.refused_changes.inc_by(refused);
            for request in self.reads.give_up_to(self.late_serial) {
                self.outcomes.push(Outcome::Read { request, page: None });
            }
        }
    }

    fn ask(&mut self) {
        let node = self.standing.node;
        let notices = std::mem::take(&mut self.notices);
        if !self.standing.is_attached() || self.is_leaving() {
            return;
        }
        if !notices.is_empty() {
            self.link.send(Request::Tell { node, notices });
        }
        if self.refusing_until_ms.is_none() {
            let due = std::mem::take(&mut self.snapshots_due).into_iter();
            due.for_each(|epoch| self.outcomes.push(Outcome::SnapshotWanted(epoch)));
        }
        if let Some(question) = self.ends.ask() {
            self.link.send(Request::FindEnd { question });
        }
    }

    fn is_away(&self) -> bool {
        let since_ms = self.standing.unattached_since_ms;
        since_ms.is_some_and(|since_ms| self.now.steady_ms >= since_ms + PATIENCE_MS)
    }

    fn note_handed_back(&mut self) {
        if let Some(handed_back) = self.outcomes.handed_back.take() {
            self.has_late = true;
            self.pending.note_settled(handed_back, &mut self.outcomes);
        }
    }
}

impl<L: Link> Journal for ClusterJournal<L> {
    fn submit(&mut self, proposal: Proposal) {
        let serial = self.timeline.next_serial();
        let is_checked_again = self.outcomes.handed_back.is_some();
        self.pending.submit(proposal, serial, &mut self.outcomes);
        // What was submitted first long ago is late already.
        self.has_late |= is_checked_again;
    }

    fn dispatch(&mut self, now: Now) {
        self.now = now;
        self.note_handed_back();
        self.pending.recall_outdated(&mut self.outcomes);
        self.pending.look_again(&mut self.outcomes);
        self.refuse_late();
        self.keep_standing();
        if self.refusing_until_ms.is_some_and(|until_ms| now.steady_ms >= until_ms) {
            self.refusing_until_ms = None;
        }
        self.ask_again.take_due(now.steady_ms);
        self.append();
        self.ask();
    }

    fn read(&mut self, request: ReadRequest) {
        let serial = self.timeline.next_serial();
        self.reads.note(request.clone(), serial);
        // While this node is none of the log's this waits until it is one.
        if self.standing.is_known() {
            self.link.send(Request::Read(request));
        }
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        self.note_handed_back();
        loop {
            if let Some(outcome) = self.outcomes.take() {
                if matches!(outcome, Outcome::Outdated(_)) {
                    self.meters.outdated_proposals.inc();
                }
                return Some(outcome);
            }
            // Versions are those of what was taken: so one entry is taken in at a time.
            if !self.standing.must_load
                && let Some(entry) = self.inbox.pop_front()
            {
                self.take_in(entry);
            } else {
                match self.link.take() {
                    Some(response) => self.on_response(response),
                    None if self.pending.recall_outdated(&mut self.outcomes) => (),
                    None => return None,
                }
            }
        }
    }

    fn is_failing(&self) -> bool {
        self.is_away() || self.refusing_until_ms.is_some()
    }

    fn is_congested(&self) -> bool {
        self.pending.count >= MAX_PENDING && !self.is_failing()
    }

    fn waiting(&self) -> usize {
        self.pending.count
    }

    fn expects(&self, epoch: Epoch) -> bool {
        // With more than the log is asked for at once, they do not come in a moment.
        self.standing.is_attached() && self.pending.count <= BATCH_CHANGES && self.pending.has(epoch)
    }

    fn tell(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    fn sync(&mut self, sync: SyncId) {
        if self.standing.is_attached() && !self.is_leaving() {
            self.ends.wanted.syncs.push(sync);
        } else {
            self.outcomes.push(Outcome::NotSynced(sync));
        }
    }

    fn keep_snapshot(&mut self, room: StoredRoom) {
        let Some(version) = self.versions.of(room.epoch) else { return };
        if self.standing.is_attached() {
            self.snapshots_asked.push(room.epoch);
            self.link.send(Request::KeepSnapshot { version, room: Box::new(room) });
        } else {
            self.snapshots_due.push(room.epoch);
        }
    }

    fn note_impossible(&mut self) {
        debug_assert!(false, "a change in the log is impossible by what this node knows");
        self.lose_track("a change in the log is impossible by what this node knows");
    }

    fn due_ms(&self) -> Option<u64> {
        if !self.outcomes.is_empty() {
            return Some(self.now.steady_ms);
        }
        let patience = self.timeline.first_ms().map(|first_ms| first_ms + PATIENCE_MS);
        let away = self.standing.unattached_since_ms.map(|since_ms| since_ms + PATIENCE_MS);
        let away = away.filter(|due_ms| *due_ms > self.now.steady_ms);
        let Standing { ask_again, renewal, .. } = &self.standing;
        let timers = [ask_again.due_ms(), renewal.due_ms(), self.ask_again.due_ms()];
        timers.into_iter().chain([patience, away, self.refusing_until_ms]).flatten().min()
    }

    fn leave(&mut self) {
        if self.standing.leaving == Leaving::No {
            self.standing.leaving = Leaving::Wanted;
        }
    }

    fn has_left(&self) -> bool {
        self.standing.leaving == Leaving::Done
    }

    fn meters(&self) -> Arc<JournalMeters> {
        Arc::clone(&self.stored)
    }

    fn cluster_meters(&self) -> Option<Arc<ClusterMeters>> {
        Some(Arc::clone(&self.meters))
    }

    fn is_settled(&self) -> bool {
        self.pending.count == 0 && self.outcomes.is_empty() && self.inbox.is_empty()
    }
}
