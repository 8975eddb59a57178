//! Who said what under which id of its own: so that what is sent again is not said again.
//!
//! Each message comes by here four times (is it known, it is expected, it is kept, it is forgotten), and in a full
//! house each of a hundred rooms has its own thousand of them. So the table holds numbers only, and what they stand
//! for lies in the order in which it came, where the oldest is found without being looked for.

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

/// So many discarded messages may lie about, before what lies about is half of all.
const KEPT_DISCARDED: usize = 64;

/// The messages of a room that have a client id, as long as its record goes back.
#[derive(Default)]
pub(super) struct SaidMessages {
    /// The oldest first.
    entries: VecDeque<Entry>,
    /// Number of the first of them; they are counted on from there.
    first_number: u32,
    /// Numbers of entries, by the hash of author and client id.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// How many of the entries never were.
    discarded: usize,
}

struct Entry {
    author: AuthorId,
    cid: ClientId,
    /// `None`: it never was.
    said: Option<Said>,
}

impl SaidMessages {
    /// What became of this message; `None`: it is not known.
    pub fn find(&self, author: AuthorId, cid: &ClientId) -> Option<Said> {
        self.entries[self.index_of(author, cid)?].said
    }

    /// The message is on its way to the journal. It must not be known yet.
    pub fn expect(&mut self, author: AuthorId, cid: ClientId) {
        self.add(Entry { author, cid, said: Some(Said::Unsettled) });
    }

    /// The message is the event with this id.
    pub fn settle(&mut self, author: AuthorId, cid: &ClientId, id: u64) {
        if let Some(index) = self.index_of(author, cid) {
            self.entries[index].said = Some(Said::As(id));
        }
    }

    /// The journal cannot keep the message: it may be said again.
    pub fn discard(&mut self, author: AuthorId, cid: &ClientId) {
        if let Some(index) = self.index_of(author, cid) {
            self.entries[index].said = None;
            self.discarded += 1;
            self.remove_from_table(index);
        }
        if self.discarded > KEPT_DISCARDED.max(self.entries.len() / 2) {
            self.remember_older(std::iter::empty());
        }
    }

    /// Forgets the messages up to the event with this id.
    pub fn forget_until(&mut self, id: u64) {
        while let Some(entry) = self.entries.front() {
            match entry.said {
                Some(Said::As(entry_id)) if entry_id <= id => self.remove_from_table(0),
                None => self.discarded -= 1,
                Some(_) => return,
            }
            self.entries.pop_front();
            self.first_number = self.first_number.wrapping_add(1);
        }
    }

    /// Remembers messages from before all others. What was discarded is thrown away.
    pub fn remember_older(&mut self, older: impl Iterator<Item = (u64, AuthorId, ClientId)>) {
        let newer = std::mem::take(self);
        for (id, author, cid) in older {
            self.add(Entry { author, cid, said: Some(Said::As(id)) });
        }
        for entry in newer.entries.into_iter().filter(|entry| entry.said.is_some()) {
            self.add(entry);
        }
    }

    fn add(&mut self, entry: Entry) {
        let hash = hash_of(&self.hasher, entry.author, &entry.cid);
        let number = self.first_number.wrapping_add(self.entries.len() as u32);
        self.entries.push_back(entry);
        let rehash = |number: &u32| {
            let entry = &self.entries[number.wrapping_sub(self.first_number) as usize];
            hash_of(&self.hasher, entry.author, &entry.cid)
        };
        self.table.insert_unique(hash, number, rehash);
    }

    /// Where the entry of this message is.
    fn index_of(&self, author: AuthorId, cid: &ClientId) -> Option<usize> {
        let index = |number: u32| number.wrapping_sub(self.first_number) as usize;
        let is_it = |number: &u32| {
            let entry = &self.entries[index(*number)];
            entry.author == author && entry.cid == *cid
        };
        self.table.find(hash_of(&self.hasher, author, cid), is_it).map(|number| index(*number))
    }

    fn remove_from_table(&mut self, index: usize) {
        let entry = &self.entries[index];
        let number = self.first_number.wrapping_add(index as u32);
        let hash = hash_of(&self.hasher, entry.author, &entry.cid);
        if let Ok(found) = self.table.find_entry(hash, |other| *other == number) {
            found.remove();
        }
    }
}

fn hash_of(hasher: &DefaultHashBuilder, author: AuthorId, cid: &ClientId) -> u64 {
    hasher.hash_one((author, cid))
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
        Discard(usize),
        Forget(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..3u32, 0..20u8).prop_map(|(author, cid)| Step::Expect(author, cid)),
            3 => Just(Step::Settle),
            1 => (0..10usize).prop_map(Step::Discard),
            1 => (0..12u64).prop_map(Step::Forget),
        ]
    }

    fn cid(number: u8) -> ClientId {
        ClientId::parse(&format!("c{number}")).expect("an id")
    }

    proptest! {
        /// The same as a map that is gone through from end to end.
        #[test]
        fn knows_what_was_said(steps in prop::collection::vec(step(), 0..120)) {
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
                    Step::Discard(place) if place < unsettled.len() => {
                        let (author, number) = unsettled.remove(place);
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
                prop_assert_eq!(messages.table.len(), model.len());
                prop_assert_eq!(messages.entries.len(), model.len() + messages.discarded);
            }
        }
    }

    #[test]
    fn what_never_was_is_not_kept() {
        let mut messages = SaidMessages::default();
        messages.expect(AuthorId(1), cid(0));
        messages.settle(AuthorId(1), &cid(0), 1);
        messages.expect(AuthorId(1), cid(1));
        for _ in 0..10_000 {
            messages.expect(AuthorId(1), cid(2));
            messages.discard(AuthorId(1), &cid(2));
        }
        assert!(messages.entries.len() <= 3 + KEPT_DISCARDED);
        assert_eq!(messages.find(AuthorId(1), &cid(0)), Some(Said::As(1)));
        assert_eq!(messages.find(AuthorId(1), &cid(1)), Some(Said::Unsettled));
        assert_eq!(messages.find(AuthorId(1), &cid(2)), None);
    }

    #[test]
    fn older_messages_are_forgotten_first() {
        let mut messages = SaidMessages::default();
        messages.expect(AuthorId(1), cid(3));
        messages.remember_older([(4, AuthorId(1), cid(1)), (6, AuthorId(2), cid(1))].into_iter());
        messages.settle(AuthorId(1), &cid(3), 7);
        messages.forget_until(4);
        assert_eq!(messages.find(AuthorId(1), &cid(1)), None);
        assert_eq!(messages.find(AuthorId(2), &cid(1)), Some(Said::As(6)));
        assert_eq!(messages.find(AuthorId(1), &cid(3)), Some(Said::As(7)));
    }
}
