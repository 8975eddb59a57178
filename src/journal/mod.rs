//! Where changes are made durable before anybody sees them.
//!
//! The rooms hand each [`Record`] to a journal; what the journal has kept it hands back, in the same order,
//! and only then is it published. What memory does not hold any more can be read from it. Only the journal in
//! memory lives in this file: it keeps nothing, and hands back at once. The one in a file lives in `sqlite`.

#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::collections::VecDeque;

use crate::rooms::{ConnectionId, Read, Reading, Record};

/// Keeps changes, in order.
pub trait Journal {
    /// Takes a change to be kept.
    fn submit(&mut self, record: Record);

    /// What was submitted is to be worked on from here on. Called once what happens at a time has been submitted,
    /// so that it can be kept together; always called before nothing more happens.
    fn dispatch(&mut self) {}

    /// Takes a wish to read, for a command of this connection that waits for it.
    fn read(&mut self, connection: ConnectionId, reading: Reading);

    /// What has come of it: changes in the order of their submission. What is refused, and what follows a change that
    /// cannot be kept yet, does not wait for that one; messages come back in their order in any case. Never waits.
    fn take_outcome(&mut self) -> Option<Outcome>;

    /// Whether it can keep nothing at this time, so that changes are better refused beforehand.
    fn is_stuck(&self) -> bool;
}

impl<J: Journal + ?Sized> Journal for Box<J> {
    fn submit(&mut self, record: Record) {
        (**self).submit(record);
    }

    fn dispatch(&mut self) {
        (**self).dispatch();
    }

    fn read(&mut self, connection: ConnectionId, reading: Reading) {
        (**self).read(connection, reading);
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        (**self).take_outcome()
    }

    fn is_stuck(&self) -> bool {
        (**self).is_stuck()
    }
}

/// What became of something that a journal was given.
#[derive(Debug)]
pub enum Outcome {
    /// The change is kept for good.
    Kept(Record),
    /// The change, a [refusable](Record::is_refusable) one, is not kept.
    Refused(Record),
    /// What was to be read; `None` if that failed.
    Read {
        /// Whose command waits for it.
        connection: ConnectionId,
        /// What was wanted.
        reading: Reading,
        /// What there is.
        read: Option<Read>,
    },
    /// Nothing can be kept any more, and what was said to be kept may not be trusted from here on: the program
    /// has to end, with this sentence.
    Broken(String),
}

/// Keeps nothing beyond the program's life, so everything is as durable as it gets at once.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    outcomes: VecDeque<Outcome>,
}

impl Journal for MemoryJournal {
    fn submit(&mut self, record: Record) {
        self.outcomes.push_back(Outcome::Kept(record));
    }

    fn read(&mut self, connection: ConnectionId, reading: Reading) {
        // The rooms hold all there is.
        self.outcomes.push_back(Outcome::Read { connection, reading, read: Some(Read::default()) });
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    fn is_stuck(&self) -> bool {
        false
    }
}
