//! Who said what under which id of its own: so that what is sent again is not said again.
//!
//! In a full house each of a hundred rooms has its own thousand messages, and each place that has to be looked at to
//! keep one more or one less is far away by then. So the table holds numbers only, and what they stand for lies in
//! the order in which it came: the oldest is let go without being looked up, and its number stays in the table until
//! that is full. What the journal is still at work on waits beside it.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{AuthorId, ClientId};

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// The journal is at work on it.
    Unsettled,
    /// It is the event with this id.
    As(u64),
}

/// Entries are let go when so many more events are forgotten: one by one, each would be far away.
const LET_GO_EVENTS: u64 = 64;

/// The messages of a room that have a client id, as long as its record goes back.
#[derive(Default)]
pub(super) struct SaidMessages {
    /// The journal is at work on these, in this order. They are few, or else it soon is stuck, and looked through one by
    /// one.
    unsettled: VecDeque<(AuthorId, ClientId)>,
    /// The oldest first. Those up to `forgotten_id` are as good as gone, those up to `let_go_id` are gone.
    entries: VecDeque<Entry>,
    forgotten_id: u64,
    let_go_id: u64,
    /// Number of the first entry; they are counted on from there.
    first_number: u32,
    /// Numbers of entries, by the hash of author and client id. Some of them may be gone.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

struct Entry {
    id: u64,
    author: AuthorId,
    cid: ClientId,
}

impl SaidMessages {
    /// What became of this message; `None`: it is not known.
    pub fn find(&self, author: AuthorId, cid: &ClientId) -> Option<Said> {
        if self.unsettled.iter().any(|(other, other_cid)| *other == author && other_cid == cid) {
            return Some(Said::Unsettled);
        }
        let is_it = |entry: &&Entry| entry.author == author && entry.cid == *cid && entry.id > self.forgotten_id;
        let entry = |number| self.entry(number).filter(is_it);
        let number = self.table.find(hash_of(&self.hasher, author, cid), |&number| entry(number).is_some())?;
        entry(*number).map(|entry| Said::As(entry.id))
    }

    /// The message is on its way to the journal. It must not be known yet.
    pub fn expect(&mut self, author: AuthorId, cid: ClientId) {
        self.unsettled.push_back((author, cid));
    }

    /// The message is the event with this id. It must be the first of those that the journal is at work on.
    pub fn settle(&mut self, author: AuthorId, cid: &ClientId, id: u64) {
        let (author, cid) = self.take_unsettled(author, cid);
        self.add(Entry { id, author, cid });
    }

    /// The journal cannot keep the message, the first of those that it is at work on: it may be said again.
    pub fn discard(&mut self, author: AuthorId, cid: &ClientId) {
        self.take_unsettled(author, cid);
    }

    fn take_unsettled(&mut self, author: AuthorId, cid: &ClientId) -> (AuthorId, ClientId) {
        let first = self.unsettled.pop_front().expect("what comes back from the journal was expected");
        debug_assert_eq!((first.0, &first.1), (author, cid), "messages come back in their order");
        first
    }

    /// Forgets the messages up to the event with this id.
    pub fn forget_until(&mut self, id: u64) {
        self.forgotten_id = id;
        if id < self.let_go_id + LET_GO_EVENTS {
            return;
        }
        self.let_go_id = id;
        while self.entries.front().is_some_and(|entry| entry.id <= id) {
            self.entries.pop_front();
            self.first_number = self.first_number.wrapping_add(1);
        }
    }

    /// Remembers messages from before all others.
    pub fn remember_older(&mut self, older: impl Iterator<Item = (u64, AuthorId, ClientId)>) {
        let newer = std::mem::take(&mut self.entries);
        self.entries = older.map(|(id, author, cid)| Entry { id, author, cid }).chain(newer).collect();
        self.make_table();
    }

    fn add(&mut self, entry: Entry) {
        if self.table.len() == self.table.capacity() {
            self.make_table();
        }
        let number = self.first_number.wrapping_add(self.entries.len() as u32);
        self.table.insert_unique(hash_of(&self.hasher, entry.author, &entry.cid), number, never_rehash);
        self.entries.push_back(entry);
    }

    /// Makes the table anew, without what is gone and with some space for what comes.
    fn make_table(&mut self) {
        self.table.clear();
        self.table.reserve(self.entries.len() * 3 / 2 + 1, never_rehash);
        for (index, entry) in self.entries.iter().enumerate() {
            let number = self.first_number.wrapping_add(index as u32);
            self.table.insert_unique(hash_of(&self.hasher, entry.author, &entry.cid), number, never_rehash);
        }
    }

    /// The entry with this number, unless it is gone.
    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number.wrapping_sub(self.first_number) as usize)
    }
}

fn hash_of(hasher: &DefaultHashBuilder, author: AuthorId, cid: &ClientId) -> u64 {
    hasher.hash_one((author, cid))
}

/// The table has space before anything is put into it.
fn never_rehash(_: &u32) -> u64 {
    unreachable!("the table grows only while it is empty")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Expect(u32, u8),
        Settle,
        Discard,
        Forget(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..3u32, 0..20u8).prop_map(|(author, cid)| Step::Expect(author, cid)),
            3 => Just(Step::Settle),
            1 => Just(Step::Discard),
            1 => (0..12u64).prop_map(Step::Forget),
        ]
    }

    fn cid(number: u8) -> ClientId {
        ClientId::parse(&format!("c{number}")).expect("an id")
    }

    proptest! {
        /// The same as a map that is gone through from end to end.
        #[test]
        fn knows_what_was_said(steps in prop::collection::vec(step(), 0..400)) {
            let mut messages = SaidMessages::default();
            let mut model: HashMap<(u32, u8), Said> = HashMap::new();
            let mut unsettled: Vec<(u32, u8)> = Vec::new();
            let (mut last_id, mut forgotten) = (0, 0);
            for step in steps {
                match step {
                    Step::Expect(author, number) if !model.contains_key(&(author, number)) => {
                        messages.expect(AuthorId(author), cid(number));
                        model.insert((author, number), Said::Unsettled);
                        unsettled.push((author, number));
                    }
                    Step::Settle if !unsettled.is_empty() => {
                        let (author, number) = unsettled.remove(0);
                        last_id += 1;
                        messages.settle(AuthorId(author), &cid(number), last_id);
                        model.insert((author, number), Said::As(last_id));
                    }
                    Step::Discard if !unsettled.is_empty() => {
                        let (author, number) = unsettled.remove(0);
                        messages.discard(AuthorId(author), &cid(number));
                        model.remove(&(author, number));
                    }
                    Step::Forget(distance) => {
                        forgotten = last_id.saturating_sub(distance).max(forgotten);
                        messages.forget_until(forgotten);
                        model.retain(|_, said| !matches!(said, Said::As(id) if *id <= forgotten));
                    }
                    _ => {}
                }
                for author in 0..3 {
                    for number in 0..20 {
                        let found = messages.find(AuthorId(author), &cid(number));
                        prop_assert_eq!(found, model.get(&(author, number)).copied());
                    }
                }
                let kept = messages.entries.len() + messages.unsettled.len();
                prop_assert!((model.len()..model.len() + LET_GO_EVENTS as usize).contains(&kept));
            }
        }
    }

    #[test]
    fn what_is_gone_takes_no_more_space() {
        let mut messages = SaidMessages::default();
        messages.expect(AuthorId(1), cid(0));
        messages.settle(AuthorId(1), &cid(0), 1);
        for _ in 0..10_000 {
            messages.expect(AuthorId(1), cid(1));
            messages.discard(AuthorId(1), &cid(1));
        }
        assert_eq!(messages.find(AuthorId(1), &cid(0)), Some(Said::As(1)));
        assert_eq!(messages.find(AuthorId(1), &cid(1)), None);
        for id in 2..10_000 {
            messages.expect(AuthorId(1), cid(id as u8));
            messages.settle(AuthorId(1), &cid(id as u8), id);
            messages.forget_until(id.saturating_sub(10));
        }
        assert!((10..10 + LET_GO_EVENTS as usize).contains(&messages.entries.len()));
        assert!(messages.table.capacity() <= 224);
    }

    #[test]
    fn older_messages_are_forgotten_first() {
        let mut messages = SaidMessages::default();
        messages.expect(AuthorId(1), cid(3));
        messages.settle(AuthorId(1), &cid(3), 102);
        messages.expect(AuthorId(1), cid(4));
        messages.remember_older([(100, AuthorId(1), cid(1)), (101, AuthorId(2), cid(1))].into_iter());
        messages.settle(AuthorId(1), &cid(4), 103);
        messages.forget_until(100);
        assert_eq!(messages.entries.len(), 3);
        assert_eq!(messages.find(AuthorId(1), &cid(1)), None);
        assert_eq!(messages.find(AuthorId(2), &cid(1)), Some(Said::As(101)));
        assert_eq!(messages.find(AuthorId(1), &cid(3)), Some(Said::As(102)));
        assert_eq!(messages.find(AuthorId(1), &cid(4)), Some(Said::As(103)));
    }
}
