//! Rooms that several nodes share: at which of them members are, and what follows here from their coming and going, and
//! from that of nodes.
//!
//! A member is the affair of the node at which it is; where that is one no more, of whoever is first.

use super::change::{Change, OnCommit};
use super::command::{Membership, Reply};
use super::roster::Presence;
use super::{AuthorId, Delivery, NodeId, RoomId, Rooms};
use crate::time::Now;

/// For what another node is to do first, a node waits so much longer.
pub(super) const WAITS_FOR_ANOTHER_MS: u64 = 5_000;

impl Rooms {
    /// From here on the rooms are shared with other nodes, to which this one is known under this number.
    pub fn share_as(&mut self, node: NodeId) {
        self.node = node;
    }

    /// Whether other nodes share the rooms.
    pub(super) fn is_shared(&self) -> bool {
        self.node != NodeId::ALONE
    }

    /// Whether a member is this node's affair.
    pub(super) fn is_ours(&self, here: Membership) -> bool {
        let member = self.room(here.room).member(here.author);
        member.is_some_and(|member| member.node == self.node || member.presence != Presence::Elsewhere)
    }

    // ---- members

    /// A member comes, or has come, to another node: its connection here is not its own any more, or nobody waits for it
    /// here.
    pub(super) fn let_go(&mut self, room_id: RoomId, change: &Change, delivery: &mut dyn Delivery) {
        let Some(here) = arrival(change).map(|author| Membership { room: room_id, author }) else { return };
        if let Some(connection) = self.unsubscribe(here, delivery) {
            self.reply(connection, Reply::TakenOver { membership: here });
        }
        if let Some(member) = self.room_mut(room_id).state.roster.member_mut(here.author) {
            member.presence = Presence::Elsewhere;
        }
    }

    /// Somebody has come to this node by a change of its own. If whoever has asked for it was refused meanwhile, nobody
    /// waits for it; and if this node was given up meanwhile, it has to say that it still has it.
    pub(super) fn take_up(&mut self, room_id: RoomId, change: &Change, by: NodeId, is_own: bool, now: Now) {
        let Some(here) = arrival(change).map(|author| Membership { room: room_id, author }) else { return };
        if by == self.node && !is_own {
            self.resume_grace(here, now);
        } else if by != self.node && is_own {
            self.tell_still_here(here);
        }
    }

    fn tell_still_here(&mut self, here: Membership) {
        let room = self.room(here.room);
        let Some(member) = room.member(here.author).filter(|_| !room.proposed.will_be_gone(here.author)) else {
            return;
        };
        let change = Change::Reconnect { author: here.author, via: member.via };
        self.propose(here.room, change, OnCommit::Unasked);
    }

    // ---- nodes

    /// A node is one no more: its members have the grace to come to another. `is_ours`: this node is the first to give up
    /// their places after that.
    pub fn give_up_node(&mut self, node: NodeId, is_ours: bool, now: Now) {
        if node == self.node {
            // It is told so, and then known under another number.
            return;
        }
        self.gone_nodes.insert(node);
        let waits_ms = if is_ours { 0 } else { WAITS_FOR_ANOTHER_MS };
        let until_ms = now.steady_ms + self.limits.grace_ms + waits_ms;
        for here in self.members_at(node) {
            if self.room(here.room).member(here.author).is_some_and(|member| member.presence == Presence::Elsewhere) {
                self.keep_place(here, until_ms);
            }
        }
    }

    /// The others had given this node up; from here on they know it under this number. Whoever is connected here is here
    /// again.
    pub fn rename_node(&mut self, node: NodeId, now: Now) {
        let former = std::mem::replace(&mut self.node, node);
        self.gone_nodes.insert(former);
        for here in self.members_at(former) {
            let presence = self.room(here.room).member(here.author).map(|member| member.presence);
            match presence {
                // Somebody is about to connect, or was.
                Some(Presence::Elsewhere) => self.resume_grace(here, now),
                _ => self.tell_still_here(here),
            }
        }
    }

    fn members_at(&self, node: NodeId) -> Vec<Membership> {
        let mut members = Vec::new();
        for room_id in self.all_rooms() {
            let at_node = self.room(room_id).state.roster.iter().filter(|member| member.node == node);
            members.extend(at_node.map(|member| Membership { room: room_id, author: member.author }));
        }
        members
    }
}

/// Who comes to the node that has proposed this change.
fn arrival(change: &Change) -> Option<AuthorId> {
    match change {
        Change::Place { newcomer, .. } => Some(newcomer.author),
        Change::Enter { event, .. } => Some(event.author),
        Change::Reconnect { author, .. } => Some(*author),
        _ => None,
    }
}
