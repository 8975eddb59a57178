//! Rooms that several nodes share: what this node owes the others, and what follows here from what they do.

use super::change::{LoadedRoom, Proposal, SyncId};
use super::{Delivery, Epoch, NodeId, Notice, Rooms, StoredAccount, StoredRoom};
use crate::time::Now;

impl Rooms {
    /// From here on the rooms are shared with other nodes, to which this one is known under this number.
    pub fn share_as(&mut self, node: NodeId) {
        let _ = node;
        todo!()
    }

    /// Brings in the rooms that a log remembers. Members of nodes that are none any more have the grace to come back.
    pub fn restore_loaded(&mut self, rooms: Vec<LoadedRoom>, nodes: &[NodeId], now: Now) {
        let _ = (rooms, nodes, now);
        todo!()
    }

    /// Takes these rooms and accounts in the place of all there are. Nobody may be connected any more.
    pub fn reset(
        &mut self,
        node: NodeId,
        accounts: Vec<StoredAccount>,
        rooms: Vec<LoadedRoom>,
        nodes: &[NodeId],
        now: Now,
    ) {
        let _ = (node, accounts, rooms, nodes, now);
        todo!()
    }

    /// Another node's change came before this one. If it is possible all the same, it is proposed again, as
    /// [`Again`](super::Checked::Again) or [`NotYet`](super::Checked::NotYet); else it is settled, and whoever asked is told.
    pub fn reconsider(&mut self, proposal: Proposal, now: Now, delivery: &mut dyn Delivery) {
        let _ = (proposal, now, delivery);
        todo!()
    }

    /// The message of this proposal was said already, as this event.
    pub fn note_already_said(&mut self, proposal: Proposal, id: u64, now: Now) {
        let _ = (proposal, id, now);
        todo!()
    }

    /// What this proposal amends is there no more.
    pub fn note_no_such_event(&mut self, proposal: Proposal, now: Now) {
        let _ = (proposal, now);
        todo!()
    }

    /// The next thing that the other nodes are to be told.
    pub fn take_notice(&mut self) -> Option<Notice> {
        None
    }

    /// Another node has told something.
    pub fn take_in_notice(&mut self, notice: &Notice, now: Now) {
        let _ = (notice, now);
        todo!()
    }

    /// A node is one no more: its members have the grace to come to another. `is_ours`: this node is the first to give up
    /// their places after that.
    pub fn give_up_node(&mut self, node: NodeId, is_ours: bool, now: Now) {
        let _ = (node, is_ours, now);
        todo!()
    }

    /// The others had given this node up; from here on they know it under this number. Whoever is connected here is here
    /// again.
    pub fn rename_node(&mut self, node: NodeId, now: Now) {
        let _ = (node, now);
        todo!()
    }

    /// The next wait for everything that was committed anywhere.
    pub fn take_sync(&mut self) -> Option<SyncId> {
        None
    }

    /// Everything that had been committed anywhere when this began was committed here.
    pub fn finish_sync(&mut self, sync: SyncId) {
        let _ = sync;
        todo!()
    }

    /// The room with this epoch as it is now, to be remembered by a log.
    pub fn snapshot(&self, epoch: Epoch) -> Option<StoredRoom> {
        let _ = epoch;
        todo!()
    }
}
