//! The index by which what was said is found: what is written into it, and taken out of it.
//!
//! It has the words of a room's messages by segments of [`SEGMENT_EVENTS`](schema::SEGMENT_EVENTS) events. A segment is
//! indexed as a whole, once, when it has become old; it goes as a whole when the first of its events does. What stands
//! before and behind the segments that are indexed is read through by who searches (`searching`): most rooms have no
//! more than that, and for them nothing is ever written here.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::{columns, schema};
use crate::rooms::index_words;

/// Events of a room at its end that are not indexed, at the least. So a room that keeps a thousand needs no index.
pub(super) const UNINDEXED_EVENTS: u64 = 1024;

/// Of messages with more words than this only that is noted: they are looked at in every search. So what somebody says
/// costs the writer a bounded time.
const MAX_INDEXED_WORDS: usize = 200;

/// The word that those messages have in the index, which no text has.
pub(super) const LONG_MESSAGES: &str = "";

/// The segments of a room that are indexed: from the first on, before the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct IndexedSegments {
    pub first: i64,
    pub end: i64,
}

impl IndexedSegments {
    /// Those of this room.
    pub(super) fn of(connection: &Connection, room: i64) -> Result<IndexedSegments> {
        let mut select = connection.prepare_cached("SELECT first_segment, end_segment FROM indexed WHERE room = ?1")?;
        let indexed =
            select.query_row([room], |row| Ok(IndexedSegments { first: row.get(0)?, end: row.get(1)? })).optional()?;
        Ok(indexed.unwrap_or_default())
    }

    /// The segment that is to be indexed next, of a room that holds the events from `first_id` to `last_id`.
    pub(super) fn next(self, first_id: u64, last_id: u64) -> Option<i64> {
        let segment = self.end.max(first_whole_segment(first_id));
        (last_id >= schema::first_id_of(segment + 1) + UNINDEXED_EVENTS).then_some(segment)
    }
}

/// Indexes one segment: the next one of its room.
pub(super) fn index_segment(connection: &Connection, room: i64, segment: i64) -> Result<()> {
    let mut words: BTreeMap<String, SegmentIds> = BTreeMap::new();
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, text, file FROM event WHERE room = ?1 AND id >= ?2 AND id < ?3 AND {}",
        schema::SEARCHED
    ))?;
    let (start, end) = (schema::first_id_of(segment), schema::first_id_of(segment + 1));
    let mut rows = select.query(params![room, start.cast_signed(), end.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?.cast_unsigned();
        for word in words_of(&columns::searched_text(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str_or_null()?)) {
            words.entry(word).or_default().insert(id);
        }
    }
    let mut insert = connection.prepare_cached("INSERT INTO word VALUES (?1, ?2, ?3, ?4)")?;
    for (word, ids) in &words {
        insert.execute(params![room, segment, word, ids.to_bytes()])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO indexed VALUES (?1, ?2, ?2 + 1) ON CONFLICT (room) DO UPDATE SET \
             first_segment = iif(first_segment < end_segment, first_segment, excluded.first_segment), \
             end_segment = excluded.end_segment",
        )?
        .execute([room, segment])?;
    Ok(())
}

/// The events of a room before this one are deleted: segments that have any of them go.
pub(super) fn trim(connection: &Connection, room: i64, end_id: u64) -> Result<()> {
    let first = first_whole_segment(end_id);
    let trimmed = connection
        .prepare_cached(
            "UPDATE indexed SET first_segment = min(?2, end_segment) \
             WHERE room = ?1 AND first_segment < min(?2, end_segment)",
        )?
        .execute([room, first])?;
    if trimmed > 0 {
        connection.prepare_cached("DELETE FROM word WHERE room = ?1 AND segment < ?2")?.execute([room, first])?;
    }
    Ok(())
}

/// Nothing is left of a room.
pub(super) fn drop_room(connection: &Connection, room: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM word WHERE room = ?1")?.execute([room])?;
    connection.prepare_cached("DELETE FROM indexed WHERE room = ?1")?.execute([room])?;
    Ok(())
}

/// A message is about to say something else, or nothing any more: to be called while the table of events still has what
/// it said before. What is written over is cleaned with everything else that was deleted.
pub(super) fn reindex(connection: &Connection, room: i64, id: u64, text: Option<&str>) -> Result<()> {
    let Some(segment) = indexed_segment(connection, room, id)? else { return Ok(()) };
    let former: Option<(String, Option<String>)> = connection
        .prepare_cached(&format!("SELECT text, file FROM event WHERE room = ?1 AND id = ?2 AND {}", schema::SEARCHED))?
        .query_row(params![room, id.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // It was deleted before.
    let Some((former, file)) = former else { return Ok(()) };
    let change_all = |text: &str, change_ids: fn(&mut SegmentIds, u64)| {
        let mut words = words_of(text).into_iter();
        words.try_for_each(|word| change(connection, room, segment, &word, |ids| change_ids(ids, id)))
    };
    let searched = |text| columns::searched_text(text, file.as_deref());
    change_all(&searched(&former), SegmentIds::remove)?;
    text.map_or(Ok(()), |text| change_all(&searched(text), SegmentIds::insert))
}

fn indexed_segment(connection: &Connection, room: i64, id: u64) -> Result<Option<i64>> {
    let IndexedSegments { first, end } = IndexedSegments::of(connection, room)?;
    Ok(Some(schema::segment_of(id)).filter(|segment| (first..end).contains(segment)))
}

fn change(
    connection: &Connection,
    room: i64,
    segment: i64,
    word: &str,
    change: impl FnOnce(&mut SegmentIds),
) -> Result<()> {
    let mut ids = find_word(connection, room, segment, word)?.unwrap_or_default();
    change(&mut ids);
    let keyed = params![room, segment, word];
    if ids.is_empty() {
        let mut delete =
            connection.prepare_cached("DELETE FROM word WHERE room = ?1 AND segment = ?2 AND word = ?3")?;
        return delete.execute(keyed).map(|_| ());
    }
    connection.prepare_cached("INSERT OR REPLACE INTO word VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        room,
        segment,
        word,
        ids.to_bytes()
    ])?;
    Ok(())
}

/// The events of a segment that have this word.
pub(super) fn find_word(connection: &Connection, room: i64, segment: i64, word: &str) -> Result<Option<SegmentIds>> {
    connection
        .prepare_cached("SELECT ids FROM word WHERE room = ?1 AND segment = ?2 AND word = ?3")?
        .query_row(params![room, segment, word], |row| Ok(SegmentIds::from_bytes(row.get_ref(0)?.as_blob()?)))
        .optional()
}

fn words_of(text: &str) -> impl IntoIterator<Item = String> {
    let words = index_words(text);
    if words.len() > MAX_INDEXED_WORDS { [LONG_MESSAGES.to_owned()].into() } else { words }
}

/// The first segment that has no event before this one.
fn first_whole_segment(first_id: u64) -> i64 {
    // No event has the id 0.
    if first_id <= 1 { 0 } else { schema::segment_of(first_id - 1) + 1 }
}

/// Some of the events of one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentIds([u64; WORDS]);

const WORDS: usize = schema::SEGMENT_EVENTS as usize / 64;

impl Default for SegmentIds {
    fn default() -> SegmentIds {
        SegmentIds([0; WORDS])
    }
}

impl SegmentIds {
    /// Bytes of the form in which each event of a segment has a bit.
    const BIT_BYTES: usize = WORDS * 8;

    /// All events of a segment.
    pub(super) fn all() -> SegmentIds {
        SegmentIds([u64::MAX; WORDS])
    }

    fn place(id: u64) -> (usize, u64) {
        let place = (id % schema::SEGMENT_EVENTS.cast_unsigned()) as usize;
        (place / 64, 1 << (place % 64))
    }

    fn insert(&mut self, id: u64) {
        let (word, bit) = SegmentIds::place(id);
        self.0[word] |= bit;
    }

    fn remove(&mut self, id: u64) {
        let (word, bit) = SegmentIds::place(id);
        self.0[word] &= !bit;
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Keeps those that are among the others too.
    pub(super) fn intersect(&mut self, others: &SegmentIds) {
        self.0.iter_mut().zip(others.0).for_each(|(word, other)| *word &= other);
    }

    /// Takes in the others.
    pub(super) fn unite(&mut self, others: &SegmentIds) {
        self.0.iter_mut().zip(others.0).for_each(|(word, other)| *word |= other);
    }

    /// Their ids, the newest first, where the segment begins with this one.
    pub(super) fn newest_first(self, first_id: u64) -> impl Iterator<Item = u64> {
        let places = (0..WORDS * 64).rev().filter(move |place| self.0[place / 64] & (1 << (place % 64)) != 0);
        places.map(move |place| first_id + place as u64)
    }

    /// As they stand in the table: two bytes each, or a bit for every event of the segment, whichever is shorter. So a
    /// row never goes on in a page of its own.
    fn to_bytes(self) -> Vec<u8> {
        if self.count() * 2 < SegmentIds::BIT_BYTES {
            return self.newest_first(0).flat_map(|place| (place as u16).to_le_bytes()).collect();
        }
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) has written.
    pub(super) fn from_bytes(bytes: &[u8]) -> SegmentIds {
        let mut ids = SegmentIds::default();
        if bytes.len() == SegmentIds::BIT_BYTES {
            for (word, bytes) in ids.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        } else {
            bytes.as_chunks::<2>().0.iter().for_each(|place| ids.insert(u16::from_le_bytes(*place).into()));
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_read_as_they_were_written(
            places in prop::collection::btree_set(0..1024_u64, 0..200), removed in 0..1024_u64
        ) {
            let mut ids = SegmentIds::default();
            places.iter().for_each(|place| ids.insert(2048 + place));
            let read = SegmentIds::from_bytes(&ids.to_bytes());
            prop_assert_eq!(read, ids);
            prop_assert!(ids.to_bytes().len() <= 128);
            prop_assert_eq!(ids.count(), places.len());
            prop_assert!(ids.newest_first(2048).eq(places.iter().rev().map(|place| 2048 + place)));
            ids.remove(removed);
            let left: BTreeSet<u64> = ids.newest_first(0).collect();
            prop_assert!(!left.contains(&removed) && left.len() + usize::from(places.contains(&removed)) == places.len());
        }
    }

    #[test]
    fn a_segment_is_indexed_when_it_is_old_and_whole() {
        let nothing = IndexedSegments::default();
        assert_eq!(nothing.next(1, 2047), None);
        assert_eq!(nothing.next(1, 2048), Some(0));
        assert_eq!(nothing.next(2, 2048), None, "its first event is gone");
        assert_eq!(nothing.next(1024, 3072), Some(1));
        assert_eq!(nothing.next(1025, 4095), None);
        assert_eq!(IndexedSegments { first: 0, end: 3 }.next(1, 5119), None);
        assert_eq!(IndexedSegments { first: 0, end: 3 }.next(1, 5120), Some(3));
        assert_eq!(IndexedSegments { first: 2, end: 3 }.next(9000, 12_000), Some(9));
    }
}
