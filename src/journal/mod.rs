//! Where changes are ordered and made durable before anybody sees them.
//!
//! The rooms hand each [`Proposal`] to a journal. What the journal has made durable it hands back, in the same order,
//! as committed, and only then is it applied. What memory does not hold any more can be read from it. Only the journal
//! in memory is in this file: it stores nothing, and hands back at once. The one in a file is in `sqlite`; the one that
//! nodes share is in `cluster`, and where their log is kept is in `redis`.

pub mod cluster;
#[cfg(feature = "cluster")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::meter::{ClusterMeters, JournalMeters};
use crate::rooms::{
    AccountAction, AccountRequestId, Epoch, LoadedRoom, Name, NodeId, Notice, Page, Proposal, ReadRequest,
    StoredAccount, StoredRoom, SyncId,
};
use crate::time::Now;

/// Orders changes and makes them durable.
pub trait Journal {
    /// Takes a change to be ordered and made durable.
    fn submit(&mut self, proposal: Proposal);

    /// What was submitted is to be worked on from here on. Called in each turn once everything is submitted, so that it
    /// can be stored together, and always before the loop waits.
    fn dispatch(&mut self, now: Now) {
        let _ = now;
    }

    /// Takes a request to read.
    fn read(&mut self, request: ReadRequest);

    /// What has come of it: changes in the order of their submission. What is refused, and what follows a change that
    /// cannot be stored yet, does not wait for that one; messages come back in their order in any case. Never waits.
    fn take_outcome(&mut self) -> Option<Outcome>;

    /// Whether it fails: it can store nothing at this time, and changes are refused beforehand.
    fn is_failing(&self) -> bool;

    /// Whether it is congested: it works, and has so much to do that nothing more is asked of it until it has less.
    fn is_congested(&self) -> bool {
        false
    }

    /// Changes that were submitted, and are neither stored nor refused.
    fn waiting(&self) -> usize {
        0
    }

    /// Whether changes of this room that were submitted are about to come back: what is to be sent to its members may wait
    /// for them a moment, so that it is sent with them.
    fn expects(&self, epoch: Epoch) -> bool {
        let _ = epoch;
        false
    }

    /// The other nodes are to be told something, if there are any.
    fn tell(&mut self, notice: Notice) {
        let _ = notice;
    }

    /// Everything that any node was told is committed is to be handed over, and then [`Outcome::Synced`]; or, if that
    /// cannot be asked for, [`Outcome::NotSynced`].
    fn sync(&mut self, sync: SyncId);

    /// The room as it is now, all outcomes included that were taken: what [`Outcome::SnapshotWanted`] has asked for.
    fn keep_snapshot(&mut self, room: StoredRoom) {
        let _ = room;
    }

    /// The change that was taken last as committed is impossible by what memory has, which is a fault of this program: a
    /// journal that others share takes nothing of what memory has for granted from here on.
    fn note_impossible(&mut self) {}

    /// When it has something to do at the latest (`Now::steady_ms`), though nothing is asked of it.
    fn due_ms(&self) -> Option<u64> {
        None
    }

    /// The program is about to end, and nobody is connected any more.
    fn leave(&mut self) {}

    /// Whether whoever had to be told so knows that the program ends.
    fn has_left(&self) -> bool {
        true
    }

    /// What it counts.
    fn meters(&self) -> Arc<JournalMeters> {
        Arc::default()
    }

    /// What it counts of a log that nodes share, if it is one.
    fn cluster_meters(&self) -> Option<Arc<ClusterMeters>> {
        None
    }

    /// Whether it has nothing to do, and what has come of everything can be taken.
    fn is_settled(&self) -> bool {
        true
    }
}

impl<J: Journal + ?Sized> Journal for Box<J> {
    fn submit(&mut self, proposal: Proposal) {
        (**self).submit(proposal);
    }

    fn dispatch(&mut self, now: Now) {
        (**self).dispatch(now);
    }

    fn read(&mut self, request: ReadRequest) {
        (**self).read(request);
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        (**self).take_outcome()
    }

    fn is_failing(&self) -> bool {
        (**self).is_failing()
    }

    fn is_congested(&self) -> bool {
        (**self).is_congested()
    }

    fn waiting(&self) -> usize {
        (**self).waiting()
    }

    fn expects(&self, epoch: Epoch) -> bool {
        (**self).expects(epoch)
    }

    fn tell(&mut self, notice: Notice) {
        (**self).tell(notice);
    }

    fn sync(&mut self, sync: SyncId) {
        (**self).sync(sync);
    }

    fn keep_snapshot(&mut self, room: StoredRoom) {
        (**self).keep_snapshot(room);
    }

    fn note_impossible(&mut self) {
        (**self).note_impossible();
    }

    fn due_ms(&self) -> Option<u64> {
        (**self).due_ms()
    }

    fn leave(&mut self) {
        (**self).leave();
    }

    fn has_left(&self) -> bool {
        (**self).has_left()
    }

    fn meters(&self) -> Arc<JournalMeters> {
        (**self).meters()
    }

    fn cluster_meters(&self) -> Option<Arc<ClusterMeters>> {
        (**self).cluster_meters()
    }

    fn is_settled(&self) -> bool {
        (**self).is_settled()
    }
}

/// What became of something that a journal was given.
#[derive(Debug)]
pub enum Outcome {
    /// The change is ordered and durable.
    Committed(Proposal),
    /// The change, a [refusable](Proposal::is_refusable) one, is not stored.
    Refused(Proposal),
    /// Another node's change came before this one: it is to be checked again, and then submitted again, or settled. If it
    /// is [`NotYet`](crate::rooms::Checked::NotYet), nothing of its room is before it any more.
    Outdated(Proposal),
    /// The message of this proposal was said already, as this event.
    AlreadySaid(Proposal, u64),
    /// What this proposal amends is there no more.
    NoSuchEvent(Proposal),
    /// Another node has told something.
    Noticed(Notice),
    /// A node is one no more: its members have the grace to come to another.
    NodeGone {
        /// Which.
        node: NodeId,
        /// It is this node that has given it up, and the first to be asked to give up its members' places. Where nobody
        /// has (it has left by itself), all are.
        is_ours: bool,
    },
    /// The others had given this node up. From here on it is known to them under this number, and has to tell them whose
    /// connections it still has.
    Renamed(NodeId),
    /// Everything that had been committed anywhere is handed over.
    Synced(SyncId),
    /// What had been committed elsewhere cannot be asked for at this time.
    NotSynced(SyncId),
    /// The room is to be handed to [`Journal::keep_snapshot`], at once.
    SnapshotWanted(Epoch),
    /// What is in memory may not be what others have: these rooms and accounts, known to the others under this number, are
    /// to be taken in its place, and everybody who is connected has to come again.
    Reset {
        /// This node.
        node: NodeId,
        /// All accounts.
        accounts: Vec<StoredAccount>,
        /// All rooms.
        rooms: Vec<LoadedRoom>,
        /// All nodes, this one included.
        nodes: Vec<NodeId>,
    },
    /// What was to be read.
    Read {
        /// What was wanted.
        request: ReadRequest,
        /// What there is; `None` if it could not be read.
        page: Option<Page>,
    },
    /// `snugd account` asks for something.
    AccountRequest {
        /// Named by whatever is done about it.
        request: AccountRequestId,
        /// The account's name.
        name: Name,
        /// What is to happen to it.
        action: AccountAction,
    },
    /// Nothing can be stored any more, and what was said to be durable may not be trusted from here on: the program has
    /// to end, with this sentence.
    Broken(String),
}

/// Stores nothing beyond the program's life, so everything is as durable as it gets at once.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    outcomes: VecDeque<Outcome>,
}

impl Journal for MemoryJournal {
    fn submit(&mut self, proposal: Proposal) {
        self.outcomes.push_back(Outcome::Committed(proposal));
    }

    fn read(&mut self, request: ReadRequest) {
        // The rooms hold all there is.
        self.outcomes.push_back(Outcome::Read { request, page: Some(Page::default()) });
    }

    fn sync(&mut self, sync: SyncId) {
        self.outcomes.push_back(Outcome::Synced(sync));
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    fn is_failing(&self) -> bool {
        false
    }
}
