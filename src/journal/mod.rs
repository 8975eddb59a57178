//! Where events are made durable before anybody sees them.
//!
//! The rooms hand each [`Record`] to a journal; what the journal hands back is kept, and is published. Only
//! the journal in memory lives here for now: it keeps nothing and hands back at once.

use std::collections::VecDeque;

use crate::rooms::Record;

/// Keeps records, in order.
pub trait Journal {
    /// Takes a record to be kept.
    fn submit(&mut self, record: Record);

    /// The next record that is kept for good, in the order of submission.
    fn take_durable(&mut self) -> Option<Record>;
}

/// Keeps nothing beyond the program's life, so everything is as durable as it gets at once.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    records: VecDeque<Record>,
}

impl Journal for MemoryJournal {
    fn submit(&mut self, record: Record) {
        self.records.push_back(record);
    }

    fn take_durable(&mut self) -> Option<Record> {
        self.records.pop_front()
    }
}
