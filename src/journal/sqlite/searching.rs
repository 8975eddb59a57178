//! How a room's messages are searched, on the reader's thread: the newest first, by the index where there is one, else by
//! reading through them.

use rusqlite::{Connection, Result, Row, params};

use super::search_index::{self, IndexedSegments, SegmentIds};
use super::{columns, schema};
use crate::rooms::{Event, Found, IndexWord, SearchQuery};

/// What one search may do before it ends with what it has found by then, in units of a row of the index: so nobody who
/// wants something else of the reader waits long for it.
const MAX_COST: u64 = 100_000;

/// What an event costs that is read, looked at, and was found in the index or by reading on.
const LOOKED_UP_COST: u64 = 6;
const READ_COST: u64 = 3;

/// With so few events left in a segment, they are read, however many words begin as it is wanted.
const FEW_EVENTS: usize = 32;

/// When more words of a segment begin so, it is not known which of its events have them.
const MAX_BEGINNINGS: usize = 20_000;

/// What is searched.
pub(super) struct Searched<'a> {
    pub room: i64,
    pub query: &'a SearchQuery,
    /// The first id.
    pub first_id: u64,
    /// The id before which is searched.
    pub before: u64,
}

/// The newest messages that are found, so many at the most, the oldest of them first; and before which id there may be
/// others. To be called within a transaction: what is indexed and what is not has to be of one moment.
pub(super) fn search(
    connection: &Connection,
    searched: &Searched<'_>,
    limit: usize,
) -> Result<(Vec<Event>, Option<u64>)> {
    let mut search = Search { connection, searched, found: Found::new(limit), cost: 0, searched_to: searched.before };
    search.run()?;
    let Search { found, searched_to, .. } = search;
    Ok(found.finish(Some(searched_to).filter(|searched_to| *searched_to > searched.first_id)))
}

struct Search<'a> {
    connection: &'a Connection,
    searched: &'a Searched<'a>,
    found: Found,
    cost: u64,
    /// Everything from this id on was searched.
    searched_to: u64,
}

fn is_found(row: &Row<'_>, query: &SearchQuery) -> Result<bool> {
    let text = row.get_ref("text")?.as_str()?;
    Ok(query.matches(&columns::searched_text(text, row.get_ref("file")?.as_str_or_null()?)))
}

impl Search<'_> {
    fn run(&mut self) -> Result<()> {
        let Searched { room, query, first_id, before } = *self.searched;
        let indexed = IndexedSegments::of(self.connection, room)?;
        if indexed.first < indexed.end {
            self.read_through(schema::first_id_of(indexed.end).max(first_id))?;
            let words = query.index_words();
            let (oldest, newest) = (schema::segment_of(first_id), schema::segment_of(before.saturating_sub(1)));
            for segment in (indexed.first.max(oldest)..indexed.end.min(newest + 1)).rev() {
                if self.is_over() {
                    break;
                }
                self.search_segment(segment, &words)?;
                self.searched_to = self.searched_to.min(schema::first_id_of(segment)).max(first_id);
            }
        }
        self.read_through(first_id)
    }

    fn is_over(&self) -> bool {
        self.found.is_full() || self.cost >= MAX_COST
    }

    /// Reads through the events from this id on that were not searched yet.
    fn read_through(&mut self, first_id: u64) -> Result<()> {
        if self.is_over() || self.searched_to <= first_id {
            return Ok(());
        }
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {} FROM event WHERE room = ?1 AND id >= ?2 AND id < ?3 AND {} ORDER BY id DESC",
            columns::EVENT,
            schema::SEARCHED
        ))?;
        let range = params![self.searched.room, first_id.cast_signed(), self.searched_to.cast_signed()];
        let mut rows = select.query(range)?;
        while let Some(row) = rows.next()? {
            self.cost += READ_COST;
            if is_found(row, self.searched.query)? {
                self.found.push(columns::event(row)?);
            }
            if self.is_over() {
                self.searched_to = columns::number(row, 0)?;
                return Ok(());
            }
        }
        self.searched_to = first_id;
        Ok(())
    }

    fn search_segment(&mut self, segment: i64, words: &[IndexWord]) -> Result<()> {
        let Searched { room, query, first_id, before } = *self.searched;
        let ids = self.candidates(segment, words)?;
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {} FROM event WHERE room = ?1 AND id = ?2 AND {}",
            columns::EVENT,
            schema::SEARCHED
        ))?;
        let ids = ids.newest_first(schema::first_id_of(segment));
        for id in ids.filter(|id| (first_id..before).contains(id)) {
            self.cost += LOOKED_UP_COST;
            let mut rows = select.query(params![room, id.cast_signed()])?;
            if let Some(row) = rows.next()?
                && is_found(row, query)?
            {
                self.found.push(columns::event(row)?);
            }
            if self.found.is_full() {
                break;
            }
        }
        Ok(())
    }

    /// The events of a segment that may be what is searched for.
    fn candidates(&mut self, segment: i64, words: &[IndexWord]) -> Result<SegmentIds> {
        let room = self.searched.room;
        let mut ids = SegmentIds::all();
        for wanted in words {
            let having = match wanted {
                IndexWord::Beginning(_) if ids.count() <= FEW_EVENTS => break,
                IndexWord::Beginning(beginning) => self.find_beginning(segment, beginning)?,
                IndexWord::Exact(word) => search_index::find_word(self.connection, room, segment, word)?,
            };
            self.cost += 1;
            ids.intersect(&having.unwrap_or_default());
            if ids.is_empty() {
                break;
            }
        }
        let long = search_index::find_word(self.connection, room, segment, search_index::LONG_MESSAGES)?;
        ids.unite(&long.unwrap_or_default());
        Ok(ids)
    }

    /// The events of a segment that have a word with this beginning.
    fn find_beginning(&mut self, segment: i64, beginning: &str) -> Result<Option<SegmentIds>> {
        let mut select = self.connection.prepare_cached(
            "SELECT ids FROM word WHERE room = ?1 AND segment = ?2 AND word >= ?3 AND word < ?3 || ?4",
        )?;
        // No word has this character.
        let end = char::MAX.to_string();
        let mut rows = select.query(params![self.searched.room, segment, beginning, end])?;
        let (mut ids, mut count) = (SegmentIds::default(), 0);
        while let Some(row) = rows.next()? {
            ids.unite(&SegmentIds::from_bytes(row.get_ref(0)?.as_blob()?));
            count += 1;
            if count > MAX_BEGINNINGS {
                ids = SegmentIds::all();
                break;
            }
        }
        self.cost += count as u64;
        Ok(Some(ids))
    }
}
