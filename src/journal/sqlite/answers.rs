//! The way back to the reactor, for both threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use crate::journal::Outcome;
use crate::meter::JournalMeters;

/// How much the writer has to do.
#[derive(Default)]
pub(super) struct Load {
    /// Changes that were submitted and not looked at.
    pub submitted: AtomicUsize,
    /// Changes that could not be stored yet.
    pub backlog: AtomicUsize,
    /// Nobody waits for what is still to be read.
    pub is_over: AtomicBool,
}

/// Carries outcomes to the reactor, and wakes it.
#[derive(Clone)]
pub(super) struct Answers {
    pub outcomes: Sender<Outcome>,
    pub wake: Arc<dyn Fn() + Send + Sync>,
    pub load: Arc<Load>,
    pub meters: Arc<JournalMeters>,
}

impl Answers {
    pub(super) fn give(&self, outcome: Outcome) {
        // Nobody wants to know any more when the program ends.
        let _ = self.outcomes.send(outcome);
    }

    pub(super) fn wake(&self) {
        (self.wake)();
    }

    /// So many changes have been looked at, and so many of all are still to be stored.
    pub(super) fn finish(&self, proposals: usize, backlog: usize) {
        self.load.backlog.store(backlog, Ordering::Relaxed);
        self.load.submitted.fetch_sub(proposals, Ordering::Release);
    }
}
