//! Rooms of an earlier run, or of other nodes, as the journal remembers them.

use std::sync::Arc;

use super::accounts::Accounts;
use super::change::Proposal;
use super::command::Membership;
use super::history_memory::HistoryMemory;
use super::searching::Searches;
use super::state::RoomState;
use super::{Deadline, Epoch, FileId, LoadedRoom, NodeId, Rooms, StoredAccount, StoredRoom};
use crate::time::Now;

/// Events of a room in memory, where a journal holds the others.
const MEMORY_EVENTS: usize = 1000;

impl Rooms {
    /// From here on a journal holds events that memory does not.
    pub fn rely_on_journal(&mut self) {
        self.rely_on_journal_beyond(MEMORY_EVENTS);
    }

    /// The same, with so many events of a room in memory.
    pub fn rely_on_journal_beyond(&mut self, events: usize) {
        self.relies_on_journal = true;
        self.memory_events = events;
    }

    /// Brings back the accounts of an earlier run. The rooms come after them.
    pub fn restore_accounts(&mut self, stored: Vec<StoredAccount>) {
        stored.into_iter().for_each(|account| self.accounts.add(account));
        self.note_admins();
    }

    /// Brings back the rooms of an earlier run. Who was here has the grace to come back; the time of empty rooms
    /// counts on.
    pub fn restore(&mut self, stored: Vec<StoredRoom>, now: Now) {
        for stored in stored {
            let room_id = self.add_room(RoomState::restored(&stored, self.kept()));
            self.codes.insert(stored.code, room_id);
            let room = self.room_mut(room_id);
            room.is_open = true;
            let authors: Vec<_> = room.state.roster.iter().map(|member| member.author()).collect();
            for &author in &authors {
                self.keep_place(Membership { room: room_id, author }, now.steady_ms + self.limits().grace_ms);
            }
            self.restore_claims(room_id, &authors, now);
            if authors.is_empty() {
                let been_empty_ms = now.wall_ms.saturating_sub(stored.last_time_ms);
                self.end_at(room_id, now.steady_ms + self.limits().room_ttl_ms.saturating_sub(been_empty_ms));
            }
        }
    }

    // ---- rooms that nodes share

    /// The room with this epoch as it is now, to be remembered by a log.
    pub fn snapshot(&self, epoch: Epoch) -> Option<StoredRoom> {
        let room = self.room(self.find_epoch(epoch)?);
        room.is_open.then(|| room.state.to_stored(self.kept()))
    }

    /// Brings in the rooms that a log remembers. Members of nodes that are none any more have the grace to come back; so
    /// have those of this node, which has no connections yet.
    pub fn restore_loaded(&mut self, rooms: Vec<LoadedRoom>, nodes: &[NodeId], now: Now) {
        for loaded in rooms {
            let (code, last_time_ms) = (loaded.snapshot.code, loaded.snapshot.last_time_ms);
            let room_id = self.add_room(RoomState::loaded(loaded, self.kept()));
            self.codes.insert(code, room_id);
            let room = self.room_mut(room_id);
            room.is_open = true;
            let members: Vec<_> = room.state.roster.iter().map(|member| (member.author, member.node)).collect();
            let is_empty = members.is_empty();
            let mut here = Vec::new();
            for (author, node) in members {
                if !nodes.contains(&node) {
                    self.gone_nodes.insert(node);
                }
                if node == self.node || self.gone_nodes.contains(&node) {
                    self.keep_place(Membership { room: room_id, author }, now.steady_ms + self.limits().grace_ms);
                    here.push(author);
                }
            }
            // Their node may have ended between a claim and what follows from it.
            self.restore_claims(room_id, &here, now);
            if is_empty {
                let been_empty_ms = now.wall_ms.saturating_sub(last_time_ms);
                self.end_at(room_id, now.steady_ms + self.limits().room_ttl_ms.saturating_sub(been_empty_ms));
            }
        }
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
        let waiting = self.take_waiting();
        self.rooms.clear();
        self.codes.clear();
        self.opening.clear();
        self.epochs.clear();
        self.deadlines.clear();
        self.dirty.clear();
        self.proposals.clear();
        self.read_requests.clear();
        self.resumed.clear();
        self.replies.clear();
        self.notices.clear();
        self.gone_nodes.clear();
        self.searches = Searches::default();
        self.history_memory = HistoryMemory::new(self.limits.memory_bytes);
        self.is_saturated = false;
        self.accounts = Accounts::default();
        self.admin_accounts = Arc::default();
        self.node = node;
        self.restore_accounts(accounts);
        self.restore_loaded(rooms, nodes, now);
        waiting.into_iter().for_each(|file| self.release_unshared(Some(file)));
    }

    /// The files of all commands and proposals that wait here for something.
    fn take_waiting(&mut self) -> Vec<FileId> {
        let mut files = Vec::new();
        for room_id in self.all_rooms() {
            let mut room = self.rooms.remove(room_id.0 as usize);
            self.resume_all(&mut room);
        }
        files.extend(self.deadlines.iter().filter_map(|(_, deadline)| match deadline {
            Deadline::Unshared { file } => Some(*file),
            _ => None,
        }));
        files.extend(self.abandon_syncs().filter_map(|command| command.file()));
        files.extend(self.resumed.drain(..).filter_map(|resumed| resumed.command.file()));
        let shared = |proposal: &Proposal| Some(proposal.change.event()?.body.file()?.id);
        files.extend(self.proposals.iter().filter_map(shared));
        files
    }
}
