//! The messages that clients have given ids of their own: who sends one again after a drop is told which event it is,
//! and it is not said twice.
//!
//! Where a hundred rooms are busy, each has a thousand messages of its own, and what has to be looked at to add or
//! remove one has left the processor's caches by then. So the table holds numbers only, and the entries that they stand
//! for lie in the order in which they came: the oldest is released without being looked up, and its number stays in the
//! table until that is full.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{AuthorId, MessageKey};

/// Entries are released when so many more events are forgotten: released one by one, each would be a cache miss.
const RELEASED_EVENTS: u64 = 64;

/// Mostly empty, the index keeps space for so many entries, and gives back the rest.
const KEPT_ENTRIES: usize = 2 * RELEASED_EVENTS as usize;

/// The messages of a room that have a client id, as far back as its events are in memory.
#[derive(Default)]
pub(super) struct DedupIndex {
    /// The oldest first. Those up to `forgotten_id` are not found any more, those up to `released_id` are gone.
    entries: VecDeque<Entry>,
    forgotten_id: u64,
    released_id: u64,
    /// Number of the first entry; they are counted on from there.
    first_number: u32,
    /// Numbers of entries, by the hash of author and client id. Some of them may be gone.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

struct Entry {
    id: u64,
    author: AuthorId,
    key: MessageKey,
}

impl DedupIndex {
    /// The event that this message is, if it is known.
    pub fn find(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        self.find_after(self.forgotten_id, author, key)
    }

    /// The same, of those as well that are forgotten and not released yet.
    pub fn find_unreleased(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        self.find_after(self.released_id, author, key)
    }

    fn find_after(&self, id: u64, author: AuthorId, key: &MessageKey) -> Option<u64> {
        let is_it = |entry: &&Entry| entry.author == author && entry.key == *key && entry.id > id;
        let entry = |number| self.entry(number).filter(is_it);
        let number = self.table.find(hash_of(&self.hasher, author, key), |&number| entry(number).is_some())?;
        entry(*number).map(|entry| entry.id)
    }

    /// Bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.table.allocation_size()
    }

    /// Forgets the messages up to the event with this id. `release` is handed those that are released with that.
    pub fn forget_until(&mut self, id: u64, release: impl FnMut(AuthorId, &MessageKey, u64)) {
        self.forgotten_id = id;
        if id < self.released_id + RELEASED_EVENTS {
            return;
        }
        self.release_forgotten(release);
        if self.entries.capacity() > KEPT_ENTRIES.max(4 * self.entries.len()) {
            self.entries.shrink_to(KEPT_ENTRIES.max(2 * self.entries.len()));
            self.table = HashTable::new();
            self.make_table();
        }
    }

    /// Releases what is forgotten.
    fn release_forgotten(&mut self, mut release: impl FnMut(AuthorId, &MessageKey, u64)) {
        self.released_id = self.forgotten_id;
        while self.entries.front().is_some_and(|entry| entry.id <= self.forgotten_id) {
            let Some(Entry { id, author, key }) = self.entries.pop_front() else { return };
            self.first_number = self.first_number.wrapping_add(1);
            release(author, &key, id);
        }
    }

    /// Remembers messages from before all others.
    pub fn record_older(
        &mut self,
        older: impl Iterator<Item = (u64, AuthorId, MessageKey)>,
        release: impl FnMut(AuthorId, &MessageKey, u64),
    ) {
        self.release_forgotten(release);
        let newer = std::mem::take(&mut self.entries);
        self.entries = older.map(|(id, author, key)| Entry { id, author, key }).chain(newer).collect();
        let known_id = self.entries.front().map_or(u64::MAX, |entry| entry.id - 1);
        self.forgotten_id = self.forgotten_id.min(known_id);
        self.released_id = self.released_id.min(known_id);
        self.make_table();
    }

    /// The message is the event with this id.
    pub fn record(&mut self, author: AuthorId, key: MessageKey, id: u64) {
        let entry = Entry { id, author, key };
        if self.table.len() == self.table.capacity() {
            self.make_table();
        }
        let number = self.first_number.wrapping_add(self.entries.len() as u32);
        self.table.insert_unique(hash_of(&self.hasher, entry.author, &entry.key), number, never_rehash);
        self.entries.push_back(entry);
    }

    /// Makes the table anew, without what is gone and with some space for what comes.
    fn make_table(&mut self) {
        self.table.clear();
        self.table.reserve(self.entries.len() * 3 / 2 + 1, never_rehash);
        for (index, entry) in self.entries.iter().enumerate() {
            let number = self.first_number.wrapping_add(index as u32);
            self.table.insert_unique(hash_of(&self.hasher, entry.author, &entry.key), number, never_rehash);
        }
    }

    /// The entry with this number, unless it is gone.
    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number.wrapping_sub(self.first_number) as usize)
    }
}

fn hash_of(hasher: &DefaultHashBuilder, author: AuthorId, key: &MessageKey) -> u64 {
    hasher.hash_one((author, key))
}

/// The table has space before anything is put into it.
fn never_rehash(_: &u32) -> u64 {
    unreachable!("the table grows only while it is empty")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Record(u32, u8),
        Forget(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..3u32, 0..20u8).prop_map(|(author, key)| Step::Record(author, key)),
            1 => (0..12u64).prop_map(Step::Forget),
        ]
    }

    fn key(number: u8) -> MessageKey {
        MessageKey::parse(&format!("c{number}")).expect("an id")
    }

    proptest! {
        /// The same as a map that is gone through from end to end.
        #[test]
        fn knows_what_was_said(steps in prop::collection::vec(step(), 0..400)) {
            let mut index = DedupIndex::default();
            let mut model: HashMap<(u32, u8), u64> = HashMap::new();
            let (mut last_id, mut forgotten) = (0, 0);
            let (mut said, mut released) = (HashSet::new(), HashSet::new());
            for step in steps {
                match step {
                    Step::Record(author, number) if !model.contains_key(&(author, number)) => {
                        last_id += 1;
                        index.record(AuthorId(author), key(number), last_id);
                        model.insert((author, number), last_id);
                        said.insert((author, number));
                    }
                    Step::Record(..) => {}
                    Step::Forget(distance) => {
                        forgotten = last_id.saturating_sub(distance).max(forgotten);
                        index.forget_until(forgotten, |author, key, id| {
                            let number = key.as_str()[1..].parse().expect("a number");
                            assert!(id <= forgotten);
                            released.insert((author.0, number));
                        });
                        model.retain(|_, id| *id > forgotten);
                    }
                }
                for author in 0..3 {
                    for number in 0..20 {
                        let found = index.find(AuthorId(author), &key(number));
                        prop_assert_eq!(found, model.get(&(author, number)).copied());
                        let is_known = index.find_unreleased(AuthorId(author), &key(number)).is_some()
                            || released.contains(&(author, number));
                        prop_assert_eq!(is_known, said.contains(&(author, number)), "nothing is lost on the way");
                    }
                }
                prop_assert!((model.len()..model.len() + RELEASED_EVENTS as usize).contains(&index.entries.len()));
            }
        }
    }

    #[test]
    fn what_is_gone_takes_no_more_space() {
        let mut index = DedupIndex::default();
        for id in 1..10_000 {
            index.record(AuthorId(1), key(id as u8), id);
            index.forget_until(id.saturating_sub(10), |_, _, _| ());
        }
        assert!((10..10 + RELEASED_EVENTS as usize).contains(&index.entries.len()));
        assert!(index.table.capacity() <= 224);
    }

    #[test]
    fn what_is_not_needed_any_more_goes_back() {
        let mut index = DedupIndex::default();
        (1..=1000).for_each(|id| index.record(AuthorId(1), key(id as u8), id));
        index.forget_until(1000, |_, _, _| ());
        assert!(index.memory_bytes() < 8 << 10, "{}", index.memory_bytes());
        index.record(AuthorId(1), key(7), 1001);
        assert_eq!(index.find(AuthorId(1), &key(7)), Some(1001));
    }

    #[test]
    fn older_messages_that_come_and_go_take_no_more_space() {
        let mut index = DedupIndex::default();
        index.forget_until(1000, |_, _, _| ());
        for _ in 0..1000 {
            index.record_older((991..=1000).map(|id| (id, AuthorId(1), key(id as u8))), |_, _, _| ());
            index.forget_until(1000, |_, _, _| ());
        }
        assert!(index.entries.len() < RELEASED_EVENTS as usize, "{}", index.entries.len());
    }

    #[test]
    fn older_messages_are_forgotten_first() {
        let mut index = DedupIndex::default();
        index.record(AuthorId(1), key(3), 102);
        index.forget_until(101, |_, _, _| ());
        index.record_older([(100, AuthorId(1), key(1)), (101, AuthorId(2), key(1))].into_iter(), |_, _, _| ());
        index.record(AuthorId(1), key(4), 103);
        assert_eq!(index.find(AuthorId(1), &key(1)), Some(100));
        index.forget_until(100, |_, _, _| ());
        assert_eq!(index.find(AuthorId(1), &key(1)), None);
        assert_eq!(index.find(AuthorId(2), &key(1)), Some(101));
        assert_eq!(index.find(AuthorId(1), &key(3)), Some(102));
        assert_eq!(index.find(AuthorId(1), &key(4)), Some(103));
    }
}
