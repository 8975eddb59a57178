//! From a session to the rooms and back: commands, what the journal makes of them, replies.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use crate::adapter::Flow;
use crate::journal::{Journal, Outcome};
use crate::rooms::{Address, Caller, Command, ConnectionId, Refusal, Reply};

/// Bytes that a room may gather in one turn before they are flushed in the middle of it.
const ROOM_BUDGET_BYTES: usize = 256 * 1024;

impl<N: Net, J: Journal> Reactor<N, J> {
    pub(super) fn apply(&mut self, slot: usize, command: Command) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        connection.awaits_reply = command.is_answered();
        if let Some(reading) = self.rooms.reading_for(connection.membership, &command) {
            self.put_off.insert(id, command);
            return self.journal.read(id, reading);
        }
        self.apply_now(slot, command);
    }

    /// Applies a command for which nothing has to be read, or for which it has been.
    fn apply_now(&mut self, slot: usize, command: Command) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        let forwarded = connection.session.forwarded_address();
        let caller = Caller {
            connection: id,
            address: forwarded.map_or(connection.address, Address::from),
            via: connection.session.via(),
            wire: connection.session.wire(),
        };
        self.rooms.set_journal_stuck(self.journal.is_stuck());
        self.rooms.apply(&caller, &mut connection.membership, command, self.now);
        self.settle_rooms();
        if let Some(membership) = self.connections[slot].membership
            && self.rooms.held_bytes(membership.room) > ROOM_BUDGET_BYTES
        {
            self.flush_room(membership.room);
        }
    }

    /// Carries changes to the journal, what has come of them to the rooms, and answers to connections, until
    /// there is none of them left.
    pub(super) fn settle_rooms(&mut self) {
        loop {
            while let Some(record) = self.rooms.take_record() {
                self.journal.submit(record);
            }
            if let Some((connection, reply)) = self.rooms.take_reply() {
                self.deliver(connection, reply);
            } else if let Some(outcome) = self.journal.take_outcome() {
                self.heed(outcome);
            } else {
                return;
            }
        }
    }

    fn heed(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Kept(record) => self.rooms.publish(record, self.now),
            Outcome::Refused(record) => self.rooms.refuse(record),
            Outcome::Read { connection, reading, read } => {
                let command = self.put_off.remove(&connection);
                let (Some(command), Some(slot)) = (command, self.find(connection)) else { return };
                if self.connections[slot].phase != Phase::Open {
                    return;
                }
                let Some(read) = read else {
                    let refusal = Refusal::StorageFailed;
                    return self.deliver(connection, Reply::Refused { refusal, cid: None, is_answer: true });
                };
                if let Some(reading) = self.rooms.lend(reading, read) {
                    self.put_off.insert(connection, command);
                    return self.journal.read(connection, reading);
                }
                if reading.wants_said {
                    // The room has its latest events now; the command may need older ones as well.
                    self.rooms.return_loan();
                    return self.apply(slot, command);
                }
                self.apply_now(slot, command);
            }
            Outcome::Broken(sentence) => self.failure = Some(sentence),
        }
    }

    fn deliver(&mut self, id: ConnectionId, reply: Reply) {
        let Some(slot) = self.find(id) else { return };
        let connection = &mut self.connections[slot];
        if reply == Reply::TakenOver {
            connection.membership = None;
        }
        if connection.phase != Phase::Open {
            return;
        }
        self.queue_flush(slot);
        let connection = &mut self.connections[slot];
        if let Reply::Unsent(mut bytes) = reply {
            return connection.outbox.take_in(&mut bytes);
        }
        let was_waiting = reply.is_answer() && std::mem::replace(&mut connection.awaits_reply, false);
        let flow = connection.session.reply(reply, &self.rooms, &self.shared, self.now, &mut self.words);
        self.send_words(slot);
        match flow {
            Flow::Close => self.begin_closing(slot),
            Flow::Continue if was_waiting => self.queue_receive(slot),
            Flow::Continue => (),
        }
    }

    /// Puts what a session had to say into its connection's outbox: after what happened in its room before, and never
    /// in the middle of a log entry.
    pub(super) fn send_words(&mut self, slot: usize) {
        if !self.words.is_empty() {
            self.settle(slot);
            self.owed_bytes += self.words.len();
            self.connections[slot].outbox.take_in(&mut self.words);
            self.queue_flush(slot);
        }
    }

    /// Moves what the connection is still to be sent of its room's log to its outbox: what is put there next
    /// comes after it.
    pub(super) fn settle(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        if let Some(membership) = connection.membership {
            connection.outbox.take_in(&mut self.rooms.settle(membership));
        }
    }
}
