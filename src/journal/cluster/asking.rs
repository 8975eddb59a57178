//! What is asked of the log beside changes: how far it goes, and what it has kept.

use std::collections::VecDeque;

use super::log::Position;
use crate::rooms::{Epoch, ReadRequest, SyncId};

/// Why it is asked where the log ends. When everything up to there was taken in, that is done.
#[derive(Default)]
pub(super) struct Purposes {
    /// The rooms wait for it.
    pub syncs: Vec<SyncId>,
    /// Proposals that have not come by then are outdated.
    pub doubtful: Vec<(u64, Epoch)>,
    /// From there on every entry is of a room that is known.
    pub is_end_of_loading: bool,
}

impl Purposes {
    fn is_empty(&self) -> bool {
        self.syncs.is_empty() && self.doubtful.is_empty() && !self.is_end_of_loading
    }
}

/// Where the log ends, as far as it was asked.
#[derive(Default)]
pub(super) struct Ends {
    last_question: u64,
    /// To be asked.
    pub wanted: Purposes,
    asked: VecDeque<(u64, Purposes)>,
    answered: VecDeque<(Position, Purposes)>,
}

impl Ends {
    /// The next question, if there is one. One is asked at a time: whatever comes meanwhile is asked together.
    pub fn ask(&mut self) -> Option<u64> {
        if self.wanted.is_empty() || !self.asked.is_empty() {
            return None;
        }
        self.last_question += 1;
        self.asked.push_back((self.last_question, std::mem::take(&mut self.wanted)));
        Some(self.last_question)
    }

    /// It ends there.
    pub fn note(&mut self, question: u64, end: Position) {
        while let Some((asked, purposes)) = self.asked.pop_front() {
            self.answered.push_back((end, purposes));
            if asked == question {
                break;
            }
        }
    }

    /// What can be done now that everything up to this position is taken in.
    pub fn take_reached(&mut self, position: Position) -> Option<Purposes> {
        self.answered.front().filter(|(end, _)| *end <= position)?;
        self.answered.pop_front().map(|(_, purposes)| purposes)
    }

    /// The log is away: nothing of it is answered. Returns whom to tell so.
    pub fn give_up(&mut self) -> Vec<SyncId> {
        let given_up = std::mem::take(self);
        self.last_question = given_up.last_question;
        let asked = given_up.asked.into_iter().map(|(_, purposes)| purposes);
        let answered = given_up.answered.into_iter().map(|(_, purposes)| purposes);
        let mut syncs = Vec::new();
        for purposes in asked.chain(answered).chain([given_up.wanted]) {
            syncs.extend(purposes.syncs);
            self.wanted.is_end_of_loading |= purposes.is_end_of_loading;
        }
        syncs
    }
}

/// What is to be read of rooms' histories. It does not matter which connection brings it.
#[derive(Default)]
pub(super) struct Reads {
    waiting: VecDeque<(u64, ReadRequest)>,
}

impl Reads {
    pub fn note(&mut self, request: ReadRequest, serial: u64) {
        self.waiting.push_back((serial, request));
    }

    /// Something was read. Returns whether it is still waited for.
    pub fn settle(&mut self, request: &ReadRequest) -> bool {
        let place = self.waiting.iter().position(|(_, waiting)| waiting == request);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// All that is waited for.
    pub fn all(&self) -> impl Iterator<Item = &ReadRequest> {
        self.waiting.iter().map(|(_, request)| request)
    }

    /// What was asked for up to this number has taken too long.
    pub fn give_up_to(&mut self, serial: u64) -> Vec<ReadRequest> {
        let (late, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(asked, _)| *asked <= serial);
        self.waiting = waiting;
        let late: VecDeque<_> = late;
        late.into_iter().map(|(_, request)| request).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}
