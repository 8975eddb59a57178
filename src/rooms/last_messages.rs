//! What each author that may say it again said last, beyond the events that memory holds.
//!
//! Who comes back says again what it has not seen acknowledged, and others may have said any number of things
//! meanwhile. So the events alone do not tell whether that was said. Here nobody takes anything who said nothing.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{AuthorId, MessageKey};

/// Messages of one member that are known beyond the events that are kept.
pub const MAX_LAST_MESSAGES: usize = 256;

/// Where few authors are left, the table keeps space for so many, and gives back the rest.
const KEPT_AUTHORS: usize = 16;

/// The last messages of a room's members that have a client id and are older than what memory holds.
#[derive(Default)]
pub(super) struct LastMessages {
    /// The oldest first.
    authors: HashMap<AuthorId, VecDeque<Message>>,
    /// Seeded by the system, so that nobody can choose ids that look the same.
    hasher: RandomState,
    /// Bytes of memory of all rings.
    ring_bytes: usize,
}

/// A message of its author. Two of one author under the same hash are not to be expected in any lifetime.
struct Message {
    key_hash: u64,
    id: u64,
}

impl LastMessages {
    /// The event that this message is, if it is known.
    pub fn find(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        let ring = self.authors.get(&author)?;
        let key_hash = self.hasher.hash_one(key);
        ring.iter().rev().find(|message| message.key_hash == key_hash).map(|message| message.id)
    }

    /// Whether nothing is known of anybody.
    pub fn is_empty(&self) -> bool {
        self.authors.is_empty()
    }

    /// Bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        self.authors.allocation_size() + self.ring_bytes
    }

    /// The author's message is the event with this id. What is older than what is known of it already is left out, and
    /// so is everything of who cannot say it again; `may_repeat` is asked only where nothing is known of it.
    pub fn record(&mut self, author: AuthorId, key: &MessageKey, id: u64, may_repeat: impl FnOnce() -> bool) {
        let key_hash = self.hasher.hash_one(key);
        let ring = match self.authors.entry(author) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) if may_repeat() => unknown.insert(VecDeque::new()),
            Entry::Vacant(_) => return,
        };
        if ring.back().is_some_and(|last| last.id >= id) {
            return;
        }
        let former_bytes = ring_bytes(ring);
        if ring.len() == MAX_LAST_MESSAGES {
            ring.pop_front();
        }
        ring.push_back(Message { key_hash, id });
        self.ring_bytes += ring_bytes(ring);
        self.ring_bytes -= former_bytes;
    }

    /// The author says nothing again any more.
    pub fn forget(&mut self, author: AuthorId) {
        let Some(ring) = self.authors.remove(&author) else { return };
        self.ring_bytes -= ring_bytes(&ring);
        if self.authors.capacity() > KEPT_AUTHORS.max(4 * self.authors.len()) {
            self.authors.shrink_to(KEPT_AUTHORS.max(2 * self.authors.len()));
        }
    }

    /// Forgets the older half of what is known of each.
    pub fn forget_half(&mut self) {
        self.authors.retain(|_, ring| {
            ring.drain(..ring.len().div_ceil(2));
            ring.shrink_to_fit();
            !ring.is_empty()
        });
        self.authors.shrink_to_fit();
        self.ring_bytes = self.authors.values().map(ring_bytes).sum();
    }
}

fn ring_bytes(ring: &VecDeque<Message>) -> usize {
    ring.capacity() * size_of::<Message>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> MessageKey {
        MessageKey::parse(&format!("c{number}")).expect("an id")
    }

    #[test]
    fn the_last_messages_of_each_are_known_and_no_more() {
        let (ana, ben) = (AuthorId(1), AuthorId(2));
        let mut last = LastMessages::default();
        last.record(ben, &key(1), 1, || true);
        last.record(AuthorId(3), &key(1), 2, || false);
        assert_eq!(last.find(AuthorId(3), &key(1)), None);
        for number in 2..=1000 {
            last.record(ana, &key(number), number, || number == 2);
        }
        assert_eq!((last.find(ben, &key(1)), last.find(ben, &key(1000))), (Some(1), None));
        let first_known = 1001 - MAX_LAST_MESSAGES as u64;
        assert_eq!(last.find(ana, &key(first_known)), Some(first_known));
        assert_eq!(last.find(ana, &key(first_known - 1)), None);
        // What was read again is known already.
        last.record(ana, &key(5), 5, || true);
        assert_eq!((last.find(ana, &key(5)), last.find(ana, &key(first_known))), (None, Some(first_known)));
        assert!(last.memory_bytes() < 2 * MAX_LAST_MESSAGES * size_of::<Message>(), "{}", last.memory_bytes());
    }

    #[test]
    fn what_is_forgotten_takes_no_memory() {
        let mut last = LastMessages::default();
        assert_eq!(last.memory_bytes(), 0);
        for id in 1..=1000 {
            last.record(AuthorId(id as u32 % 10), &key(id), id, || true);
        }
        last.forget_half();
        assert_eq!((last.find(AuthorId(0), &key(10)), last.find(AuthorId(0), &key(1000))), (None, Some(1000)));
        (1..10).for_each(|author| last.forget(AuthorId(author)));
        assert_eq!(last.ring_bytes, ring_bytes(&last.authors[&AuthorId(0)]));
        while !last.is_empty() {
            last.forget_half();
        }
        assert_eq!(last.memory_bytes(), 0);
    }
}
