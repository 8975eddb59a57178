//! The way back to the reactor: what each thread has, and whether it is wanted still.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::cluster::log::{Generation, Response};
use crate::meter::ClusterMeters;

/// So many answers wait to be taken; the threads wait behind them.
pub(super) const WAITING_ANSWERS: usize = 256;

/// To what something is an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// Something that was asked while this connection was there.
    Session(u64),
    /// Following, as it was asked for the so many-th time.
    Follow(u64),
}

/// Carries answers to the reactor, and wakes it.
#[derive(Clone)]
pub(super) struct Answers {
    pub responses: SyncSender<(Origin, Response)>,
    pub wake: Arc<dyn Fn() + Send + Sync>,
    pub meters: Arc<ClusterMeters>,
    pub standing: Arc<Mutex<Standing>>,
    pub hurry: Arc<Hurry>,
}

/// Whether the reactor is to be woken for the answer that all changes are appended. To be woken costs more than to take the
/// answer, and the changes themselves come at the same time.
#[derive(Debug, Default)]
pub(super) struct Hurry(AtomicU8);

impl Hurry {
    const NONE: u8 = 0;
    const ANSWERED: u8 = 1;
    const AWAITED: u8 = 2;

    /// Something is asked to be appended.
    pub fn begin(&self) {
        self.0.store(Self::NONE, Ordering::SeqCst);
    }

    /// The answer can be taken. Returns whether it is waited for.
    pub fn note_answered(&self) -> bool {
        self.0.swap(Self::ANSWERED, Ordering::SeqCst) == Self::AWAITED
    }

    /// The answer is waited for from here on. Returns whether it can be taken already.
    pub fn note_awaited(&self) -> bool {
        self.0.swap(Self::AWAITED, Ordering::SeqCst) == Self::ANSWERED
    }
}

/// The log to which the node is attached, as the threads have to find it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// What names the server.
    pub server: String,
    /// Of the log.
    pub generation: Generation,
    /// Nobody takes any answer.
    pub is_over: bool,
    /// What is to be followed at this time.
    pub follow: u64,
    /// Over which connection's time answers are wanted, as far as is known.
    pub session: Option<u64>,
}

/// The link was dropped: nobody takes any answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Over;

impl Answers {
    /// Hands it over; waits while too many wait to be taken.
    pub fn give(&self, origin: Origin, response: Response) -> Result<(), Over> {
        match self.responses.try_send((origin, response)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(Over),
            Err(TrySendError::Full(answer)) => {
                self.wake();
                self.responses.send(answer).map_err(|_| Over)
            }
        }
    }

    /// There is something to be taken.
    pub fn wake(&self) {
        (self.wake)();
    }

    /// The log to which the node is attached.
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes that.
    pub fn stand(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
