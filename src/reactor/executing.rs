//! From a session to the rooms and back: commands, what the journal makes of them, replies.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use super::session::Session;
use crate::accounts::Next;
use crate::http::metrics::CloseReason;
use crate::journal::{Journal, Outcome};
use crate::json;
use crate::rooms::{Address, Caller, Command, ConnectionId, Execution, Membership, Reply};
use crate::session_api::Flow;

/// Commands that are resumed in one turn.
const RESUMED_A_TURN: usize = 256;

/// Bytes that sessions may have to say in one turn before they are sent in the middle of it: a crowd that
/// joins at once is told a lot, and memory that was needed once is seldom given back.
pub(super) const QUEUED_BUDGET_BYTES: usize = 64 * 1024;

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Has the rooms execute what a session asks for.
    pub(super) fn execute(&mut self, slot: usize, command: Command) {
        if matches!(command, Command::Inspect) {
            self.take_figures();
        }
        let is_answered = command.is_answered();
        let caller = self.caller(slot);
        let memberships = self.connections.slab[slot].memberships.clone();
        self.connections.slab[slot].awaits_reply = is_answered;
        let Some(command) = self.authenticate(slot, &caller, memberships.as_slice(), command) else {
            return self.relay();
        };
        if let (Command::Share(..), Some(files)) = (&command, &mut self.files) {
            files.hand_over(caller.connection);
        }
        let delivery = &mut self.connections;
        let execution = self.rooms.execute(&caller, memberships.as_slice(), command, self.now, delivery);
        self.connections.slab[slot].awaits_reply = is_answered || execution == Execution::Parked;
        self.relay();
    }

    /// Has passwords compared that a command shows. `None`: it waits for that, or is refused.
    fn authenticate(
        &mut self,
        slot: usize,
        caller: &Caller,
        memberships: &[Membership],
        command: Command,
    ) -> Option<Command> {
        let authenticator = match &mut self.authenticator {
            Some(authenticator) if !matches!(command, Command::In(..)) => authenticator,
            _ => return Some(command),
        };
        let vouched = self.connections.slab[slot].session.vouched_name();
        match authenticator.look_at(caller, memberships, command, vouched, &mut self.rooms, self.now) {
            Next::Execute(command) => Some(command),
            Next::Wait => None,
            Next::Refuse(refusal) => {
                self.rooms.refuse_command(caller.connection, refusal);
                None
            }
        }
    }

    /// Goes on with commands whose passwords have been compared.
    fn go_on_with_proven(&mut self) {
        while let Some(authenticator) = &mut self.authenticator {
            let Some((connection, done)) = authenticator.take_done() else { return };
            let slot = self.connections.find(connection);
            let Some(slot) = slot.filter(|slot| self.connections.slab[*slot].phase == Phase::Open) else { continue };
            match authenticator.finish(done, &mut self.rooms) {
                Ok(command) => {
                    let caller = self.caller(slot);
                    let memberships = self.connections.slab[slot].memberships.clone();
                    let delivery = &mut self.connections;
                    // What is parked goes on by itself; its answer is waited for already.
                    let _ = self.rooms.execute(&caller, memberships.as_slice(), command, self.now, delivery);
                }
                Err(refusal) => self.rooms.refuse_command(connection, refusal),
            }
            self.relay();
        }
    }

    pub(super) fn caller(&mut self, slot: usize) -> Caller {
        self.rooms.set_journal_failing(self.journal.is_failing());
        let connection = &self.connections.slab[slot];
        let forwarded = connection.session.forwarded_address();
        Caller {
            connection: self.connections.id_of(slot),
            address: forwarded.map_or(connection.address, Address::from),
            via: connection.session.via(),
            encoder: connection.session.encoder(),
        }
    }

    /// Goes on with a search, and executes commands that waited until something was read.
    pub(super) fn resume(&mut self) {
        self.rooms.continue_search();
        self.relay();
        self.take_files();
        self.go_on_with_proven();
        for _ in 0..RESUMED_A_TURN {
            let Some(resumed) = self.rooms.take_resumed() else { return };
            let slot = self.connections.find(resumed.connection);
            let Some(slot) = slot.filter(|slot| self.connections.slab[*slot].phase == Phase::Open) else {
                self.rooms.abandon(resumed);
                continue;
            };
            let is_answered = resumed.command.is_answered();
            let caller = self.caller(slot);
            let memberships = self.connections.slab[slot].memberships.clone();
            let delivery = &mut self.connections;
            let execution = self.rooms.resume(&caller, memberships.as_slice(), resumed, self.now, delivery);
            if execution == Execution::Done && !is_answered {
                self.connections.slab[slot].awaits_reply = false;
                self.connections.queue_receive(slot);
            }
            self.relay();
            if self.connections.queued_bytes > QUEUED_BUDGET_BYTES {
                self.flush_connections();
            }
        }
    }

    /// Carries changes to the journal, what has come of them to the rooms, and answers to connections, until
    /// there is none of them left, or so much to be sent that it has to be sent first.
    pub(super) fn relay(&mut self) {
        self.may_have_outcomes = false;
        loop {
            while let Some(proposal) = self.rooms.take_proposal() {
                self.journal.submit(proposal);
            }
            while let Some(request) = self.rooms.take_read_request() {
                self.journal.read(request);
            }
            while let Some(sync) = self.rooms.take_sync() {
                self.journal.sync(sync);
            }
            while let Some(notice) = self.rooms.take_notice() {
                self.journal.tell(notice);
            }
            if let Some((connection, reply)) = self.rooms.take_reply() {
                self.deliver(connection, reply);
            } else if self.rooms.is_saturated() || self.connections.queued_bytes > QUEUED_BUDGET_BYTES {
                self.may_have_outcomes = true;
                return;
            } else if let Some(outcome) = self.journal.take_outcome() {
                self.on_outcome(outcome);
            } else {
                return;
            }
        }
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Committed(proposal) => {
                self.note_committed_file(&proposal.change);
                if !self.rooms.commit(proposal, self.now, &mut self.connections) {
                    self.journal.note_impossible();
                }
            }
            Outcome::Refused(proposal) => {
                self.note_refused_file(&proposal.change);
                self.rooms.refuse(proposal, self.now);
            }
            Outcome::Outdated(proposal) => self.rooms.reconsider(proposal, self.now),
            Outcome::AlreadySaid(proposal, id) => self.rooms.note_already_said(proposal, id, self.now),
            Outcome::NoSuchEvent(proposal) => self.rooms.note_no_such_event(proposal, self.now),
            Outcome::Noticed(notice) => {
                if let Some(authenticator) = &mut self.authenticator {
                    authenticator.take_in_notice(&notice, self.now);
                }
                self.rooms.take_in_notice(&notice, self.now);
            }
            Outcome::NodeGone { node, is_ours } => self.rooms.give_up_node(node, is_ours, self.now),
            Outcome::Renamed(node) => {
                if let Some(files) = &mut self.files {
                    files.rename_node(node);
                }
                self.rooms.rename_node(node, self.now);
            }
            Outcome::Synced(sync) => self.rooms.finish_sync(sync, self.now),
            Outcome::NotSynced(sync) => self.rooms.give_up_sync(sync, self.now),
            Outcome::SnapshotWanted(epoch) => {
                if let Some(room) = self.rooms.snapshot(epoch) {
                    self.journal.keep_snapshot(room);
                }
            }
            Outcome::Reset { node, accounts, rooms, nodes } => {
                self.reset(node, accounts, rooms, &nodes);
                self.restart_files(node);
            }
            Outcome::Read { request, page } => self.rooms.page_in(request, page),
            Outcome::AccountRequest { request, name, action } => self.rooms.execute_request(request, &name, action),
            Outcome::Broken(sentence) => self.failure = Some(sentence),
        }
    }

    pub(super) fn deliver(&mut self, id: ConnectionId, reply: Reply) {
        if let Reply::Refused { refusal, .. } = &reply {
            self.meters().refusals.count(json::error_code(refusal));
        }
        let slot = self.connections.find(id);
        let Some(slot) = slot.filter(|slot| self.connections.slab[*slot].phase == Phase::Open) else {
            if let Reply::Joined { membership, .. } = reply {
                // It has gone meanwhile.
                self.rooms.disconnect(id, membership, self.now);
            }
            return;
        };
        let connection = &mut self.connections.slab[slot];
        match reply {
            Reply::Joined { membership, stays_elsewhere, .. } => {
                if !stays_elsewhere {
                    connection.memberships.take();
                }
                connection.memberships.add(membership);
            }
            Reply::Left { membership, .. }
            | Reply::TakenOver { membership }
            | Reply::PlaceLost { membership }
            | Reply::SessionEnded { membership }
            | Reply::Kicked { membership, .. } => {
                connection.memberships.remove(membership);
            }
            _ => (),
        }
        if matches!(connection.session, Session::Http(_)) {
            // What one request has shown holds for no other: a proxy sends those of many over one connection.
            self.rooms.forget_proof(id);
        }
        let reason = match &reply {
            Reply::TakenOver { .. } => Some(CloseReason::TakenOver),
            Reply::PlaceLost { .. } => Some(CloseReason::Lost),
            Reply::Kicked { .. } => Some(CloseReason::Kicked),
            Reply::SessionEnded { .. } => Some(CloseReason::SessionEnded),
            _ => None,
        };
        let was_waiting = reply.is_answer() && std::mem::replace(&mut connection.awaits_reply, false);
        let flow = connection.session.reply(reply, &self.rooms, &self.shared, self.now, &mut self.scratch);
        self.send_scratch(slot);
        match flow {
            Flow::Close => {
                if let Some(reason) = reason {
                    self.connections.slab[slot].note_reason(reason);
                }
                self.begin_closing(slot);
            }
            Flow::SendFile { part, then_closes } => {
                self.queue_file(slot, part);
                if then_closes {
                    self.begin_closing(slot);
                } else {
                    self.connections.queue_receive(slot);
                }
            }
            Flow::Continue if was_waiting => self.connections.queue_receive(slot),
            Flow::Continue => (),
        }
    }

    /// Moves what a session has written into the scratch buffer to its connection's output queue, behind what its
    /// rooms' logs still hold for it.
    pub(super) fn send_scratch(&mut self, slot: usize) {
        if !self.scratch.is_empty() {
            self.queue_unread(slot);
            self.connections.queue_output(slot, &self.scratch);
            self.scratch.clear();
            self.scratch.shrink_to(QUEUED_BUDGET_BYTES);
        }
    }

    /// Forgets what the connection is still to be sent of its rooms' logs.
    pub(super) fn skip_unread(&mut self, slot: usize) {
        for &membership in self.connections.slab[slot].memberships.as_slice() {
            self.rooms.skip_unread(membership);
        }
    }

    /// Moves what the connection is still to be sent of its rooms' logs to its output queue: what is put there next
    /// comes after it.
    pub(super) fn queue_unread(&mut self, slot: usize) {
        for index in 0.. {
            let membership = self.connections.slab[slot].memberships.as_slice().get(index).copied();
            let Some(membership) = membership else { return };
            self.rooms.queue_unread(membership, &mut self.connections);
        }
    }
}
