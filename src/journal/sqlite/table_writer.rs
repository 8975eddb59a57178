//! What each change of the rooms means for the tables.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::search_index::{self, IndexedSegments};
use super::{accounts, amendments, columns, members, moderation, schema};
use crate::rooms::{Body, Change, Epoch, Event, MAX_LAST_MESSAGES, Proposal, RoomCode, TokenHash};

/// Old events of a room are deleted so many at a time, since each time costs something.
const TRIMMED_EVENTS: u64 = 64;

/// The most that are deleted at once, where the room has been allowed more before.
const MAX_TRIMMED_EVENTS: u64 = 4 * TRIMMED_EVENTS;

/// So many events of a room are looked through for a client's id; then they become ones that can be looked up.
const UNKEYED_EVENTS: u64 = 256;

/// Segments of message keys that stay beyond the events: what is said again was hardly said before them.
const KEPT_SEGMENTS: i64 = 16;

/// Events of a room that is over that are deleted at once.
const SWEPT_EVENTS: u64 = 1000;

/// What had nothing but a file is deleted with it.
const FORGET_FILES: &str = "UPDATE event SET file = NULL, text = nullif(text, '') WHERE file IS NOT NULL";

/// Writes changes, and remembers where in the tables each room is.
pub(super) struct TableWriter {
    /// Events kept for each room.
    history_events: u64,
    /// What has been looked up. It tells of the transaction that is under way, if one is.
    rooms: HashMap<Epoch, RoomPosition>,
    /// There may be events of rooms that are over.
    may_have_remains: bool,
    /// Rooms that may hold more events than are kept, since another run kept more; `None`: not looked for yet.
    oversized: Option<Vec<Epoch>>,
    /// Rooms of which something is to be put into the index for searching; `None`: not looked for yet.
    unindexed: Option<HashSet<Epoch>>,
    /// Something was deleted.
    has_deleted: bool,
}

/// Where a room is in the tables.
#[derive(Clone, Copy)]
struct RoomPosition {
    room: i64,
    first_id: u64,
    last_id: u64,
    keyed_id: u64,
    /// No earlier event shares a file.
    first_file_id: u64,
    indexed: IndexedSegments,
}

impl TableWriter {
    /// `history_events` are kept for each room, and some more that wait to be deleted.
    pub(super) fn new(history_events: u64) -> TableWriter {
        let (rooms, oversized, unindexed) = (HashMap::new(), None, None);
        TableWriter { history_events, rooms, may_have_remains: true, oversized, unindexed, has_deleted: false }
    }

    /// The transaction under way was taken back.
    pub(super) fn forget(&mut self) {
        self.rooms.clear();
        self.may_have_remains = true;
        self.oversized = None;
        self.unindexed = None;
    }

    /// Whether something was deleted since this was last asked.
    pub(super) fn take_has_deleted(&mut self) -> bool {
        std::mem::take(&mut self.has_deleted)
    }

    /// Whether [`sweep`](Self::sweep) may find something to do.
    pub(super) fn may_have_remains(&self) -> bool {
        self.may_have_remains
    }

    /// Writes a change, within a transaction. Its event is given its number.
    ///
    /// Returns whether it is possible: a room that was to begin before may have been refused.
    pub(super) fn write(&mut self, connection: &Connection, proposal: &mut Proposal) -> Result<bool> {
        let Proposal { code, epoch, .. } = *proposal;
        match &proposal.change {
            Change::Nothing => return Ok(true),
            Change::Account(change) => {
                self.has_deleted = true;
                return accounts::write(connection, change).map(|()| true);
            }
            Change::Open { time_ms } => self.insert_room(connection, code, epoch, *time_ms)?,
            Change::Place { opens: true, time_ms, .. } => self.insert_room(connection, code, epoch, *time_ms)?,
            Change::Enter { opens: true, event, .. } => self.insert_room(connection, code, epoch, event.time_ms)?,
            _ => (),
        }
        let Some(room) = self.place(connection, epoch)?.map(|place| place.room) else { return Ok(false) };
        match &proposal.change {
            Change::Place { newcomer, .. } => members::insert(connection, room, newcomer)?,
            Change::Enter { event, .. } => {
                let Event { author, via, .. } = event;
                if let Some(newcomer) = proposal.change.newcomer() {
                    members::insert(connection, room, &newcomer)?;
                }
                connection
                    .prepare_cached("UPDATE member SET has_entered = 1, via = ?3 WHERE room = ?1 AND author = ?2")?
                    .execute(params![room, author.0, via.as_str()])?;
            }
            Change::Publish { event } => {
                if let Body::Nick { to } = &event.body {
                    connection
                        .prepare_cached("UPDATE member SET name = ?3, account = NULL WHERE room = ?1 AND author = ?2")?
                        .execute(params![room, event.author.0, to.as_str()])?;
                }
            }
            Change::PublishOfGuest { event } => members::number_author(connection, room, event.author)?,
            Change::Reconnect { author, via } => {
                connection
                    .prepare_cached("UPDATE member SET via = ?3 WHERE room = ?1 AND author = ?2")?
                    .execute(params![room, author.0, via.as_str()])?;
            }
            Change::Identify { author, account, token } => {
                connection
                    .prepare_cached(
                        "UPDATE member SET account = ?3, token_hash = coalesce(?4, token_hash) \
                         WHERE room = ?1 AND author = ?2",
                    )?
                    .execute(params![
                        room,
                        author.0,
                        account.0.cast_signed(),
                        token.as_ref().map(TokenHash::as_bytes)
                    ])?;
            }
            Change::Vacate { author, may_return, time_ms, .. } => {
                connection
                    .prepare_cached("UPDATE room SET last_time = max(last_time, ?2) WHERE room = ?1")?
                    .execute(params![room, time_ms.cast_signed()])?;
                if *may_return {
                    self.has_deleted |= members::depart(connection, room, author.0)?;
                } else {
                    self.has_deleted = true;
                    members::leave(connection, room, *author)?;
                }
            }
            Change::Moderate(measure) => {
                if let Some(author) = measure.kicked() {
                    members::leave(connection, room, author)?;
                    self.has_deleted = true;
                }
                self.has_deleted |= moderation::write(connection, room, measure)?;
            }
            Change::CompleteBan { name, address } => moderation::complete_ban(connection, room, name, *address)?,
            Change::End => {
                connection.prepare_cached("UPDATE room SET code = NULL WHERE room = ?1")?.execute([room])?;
                members::delete(connection, room)?;
                moderation::delete(connection, room)?;
                self.rooms.remove(&epoch);
                self.unindexed.as_mut().map(|unindexed| unindexed.remove(&epoch));
                (self.may_have_remains, self.has_deleted) = (true, true);
            }
            Change::Open { .. } | Change::Account(_) | Change::Nothing => (),
        }
        if let Some(event) = proposal.change.event_mut() {
            match &event.body {
                Body::Edit { of, text: Some(text), .. } => {
                    amendments::set_text(connection, room, *of, Some(text))?;
                    self.has_deleted = true;
                }
                Body::Delete { of, .. } => {
                    amendments::set_text(connection, room, *of, None)?;
                    self.has_deleted = true;
                }
                _ => (),
            }
            event.id = self.write_event(connection, epoch, event)?;
        }
        Ok(true)
    }

    fn insert_room(&mut self, connection: &Connection, code: RoomCode, epoch: Epoch, time_ms: u64) -> Result<()> {
        let mut insert = connection
            .prepare_cached("INSERT INTO room (code, epoch, last_time, last_author) VALUES (?1, ?2, ?3, 0)")?;
        let room = insert.insert(params![code.as_str(), epoch.to_string(), time_ms.cast_signed()])?;
        let (first_file_id, indexed) = (u64::MAX, IndexedSegments::default());
        self.rooms.insert(epoch, RoomPosition { room, first_id: 1, last_id: 0, keyed_id: 0, first_file_id, indexed });
        Ok(())
    }

    fn write_event(&mut self, connection: &Connection, epoch: Epoch, event: &Event) -> Result<u64> {
        let history_events = self.history_events;
        let place = self.place(connection, epoch)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let room = place.room;
        place.last_id += 1;
        let Event { time_ms, name, via, author, body, .. } = event;
        let (kind, text, cid, of) = columns::of_body(body);
        connection.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?.execute(
            params![
                room,
                place.last_id.cast_signed(),
                time_ms.cast_signed(),
                author.0,
                name.as_str(),
                via.as_str(),
                kind,
                text,
                cid,
                of.map(u64::cast_signed),
                body.file().map(|file| file.to_text().to_string())
            ],
        )?;
        let last_id = place.last_id;
        if body.file().is_some() {
            place.first_file_id = place.first_file_id.min(last_id);
        }
        let first_kept_id = (last_id + 1).saturating_sub(history_events);
        let has_old_files = place.first_file_id < first_kept_id;
        if has_old_files {
            place.first_file_id = forget_files(connection, room, first_kept_id)?;
        }
        if last_id >= place.keyed_id + UNKEYED_EVENTS {
            key_messages(connection, place)?;
        }
        if place.next_segment().is_some() {
            self.unindexed.as_mut().map(|unindexed| unindexed.insert(epoch));
        }
        self.has_deleted |= has_old_files;
        let place = self.place(connection, epoch)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        if place.held_events() >= history_events + TRIMMED_EVENTS {
            self.trim(connection, epoch, MAX_TRIMMED_EVENTS)?;
        }
        Ok(last_id)
    }

    /// Deletes the room's events beyond those that are kept, so many at the most. Returns how many.
    fn trim(&mut self, connection: &Connection, epoch: Epoch, most: u64) -> Result<u64> {
        let history_events = self.history_events;
        let Some(place) = self.place(connection, epoch)? else { return Ok(0) };
        let trimmed = place.held_events().saturating_sub(history_events).min(most);
        if trimmed > 0 {
            place.first_id += trimmed;
            if place.keyed_id + 1 < place.first_id {
                // The last messages of each stay known when their events are gone.
                key_messages(connection, place)?;
            }
            let (room, first_id) = (place.room, place.first_id);
            delete_events(connection, room, first_id)?;
            self.has_deleted = true;
        }
        Ok(trimmed)
    }

    /// Where a room is; `None`, if it is nowhere.
    fn place(&mut self, connection: &Connection, epoch: Epoch) -> Result<Option<&mut RoomPosition>> {
        use std::collections::hash_map::Entry;
        match self.rooms.entry(epoch) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(unknown) => Ok(look_up(connection, epoch)?.map(|place| unknown.insert(place))),
        }
    }

    /// Deletes some of what is left of rooms that are over, and of what another run kept beyond what is kept by this
    /// one, within a transaction.
    pub(super) fn sweep(&mut self, connection: &Connection) -> Result<()> {
        let room: Option<i64> = connection
            .prepare_cached("SELECT room FROM room WHERE code IS NULL LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(room) = room else {
            self.may_have_remains = self.sweep_oversized(connection)?;
            return Ok(());
        };
        self.has_deleted = true;
        let first_id: Option<i64> = connection
            .prepare_cached("SELECT min(id) FROM event WHERE room = ?1")?
            .query_row([room], |row| row.get(0))?;
        // Their numbers have no gaps.
        let end = first_id.map_or(0, i64::cast_unsigned) + SWEPT_EVENTS;
        if delete_events(connection, room, end)? < SWEPT_EVENTS {
            connection.prepare_cached("DELETE FROM message_key WHERE room = ?1")?.execute([room])?;
            search_index::drop_room(connection, room)?;
            connection.prepare_cached("DELETE FROM room WHERE room = ?1")?.execute([room])?;
        }
        Ok(())
    }

    /// Whether [`index`](Self::index) may find something to do.
    pub(super) fn has_unindexed(&self) -> bool {
        self.unindexed.as_ref().is_none_or(|unindexed| !unindexed.is_empty())
    }

    /// Puts a segment of a room into the index for searching, within a transaction.
    pub(super) fn index(&mut self, connection: &Connection) -> Result<()> {
        let mut unindexed = match self.unindexed.take() {
            Some(unindexed) => unindexed,
            None => find_unindexed(connection)?,
        };
        if let Some(&epoch) = unindexed.iter().next() {
            let place = self.place(connection, epoch)?;
            let indexed = place.and_then(|place| place.next_segment().map(|segment| (place, segment)));
            if let Some((place, segment)) = indexed {
                search_index::index_segment(connection, place.room, segment)?;
                place.indexed.end = segment + 1;
            } else {
                unindexed.remove(&epoch);
            }
        }
        self.unindexed = Some(unindexed);
        Ok(())
    }

    /// Returns whether there is more to be done.
    fn sweep_oversized(&mut self, connection: &Connection) -> Result<bool> {
        let mut oversized = match self.oversized.take() {
            Some(oversized) => oversized,
            None => find_oversized(connection, self.history_events)?,
        };
        let mut swept = 0;
        while swept < SWEPT_EVENTS
            && let Some(&epoch) = oversized.last()
        {
            let is_there = connection
                .prepare_cached("SELECT 1 FROM room WHERE epoch = ?1 AND code IS NOT NULL")?
                .exists([epoch.to_string()])?;
            let trimmed = if is_there { self.trim(connection, epoch, SWEPT_EVENTS)? } else { 0 };
            if trimmed < SWEPT_EVENTS {
                oversized.pop();
            }
            swept += trimmed;
        }
        let is_more = !oversized.is_empty();
        self.oversized = Some(oversized);
        Ok(is_more)
    }
}

impl RoomPosition {
    fn held_events(self) -> u64 {
        self.last_id + 1 - self.first_id
    }

    /// The segment that is to be put into the index for searching.
    fn next_segment(self) -> Option<i64> {
        self.indexed.next(self.first_id, self.last_id)
    }
}

/// What shared files before this event does so no more, since their bytes go: the events may stay for a while, and would be
/// seen again by a run that keeps more of them. Returns which event is the first that shares one.
fn forget_files(connection: &Connection, room: i64, first_kept_id: u64) -> Result<u64> {
    connection
        .prepare_cached(&format!("{FORGET_FILES} AND room = ?1 AND id < ?2"))?
        .execute(params![room, first_kept_id.cast_signed()])?;
    let first_file_id: Option<i64> = connection
        .prepare_cached("SELECT min(id) FROM event WHERE room = ?1 AND file IS NOT NULL")?
        .query_row([room], |row| row.get(0))?;
    Ok(first_file_id.map_or(u64::MAX, i64::cast_unsigned))
}

/// Does so in all rooms, where another run kept more events.
pub(super) fn forget_old_files(connection: &Connection, history_events: u64) -> Result<()> {
    let most = i64::try_from(history_events).unwrap_or(i64::MAX);
    let last_id = "(SELECT max(id) FROM event AS last WHERE last.room = event.room)";
    connection.execute(&format!("{FORGET_FILES} AND {last_id} - id >= ?1"), [most])?;
    Ok(())
}

/// Has the messages since the last time found by their clients' ids.
fn key_messages(connection: &Connection, place: &mut RoomPosition) -> Result<()> {
    connection
        .prepare_cached(&format!("{} WHERE room = ?1 AND id > ?2 AND cid IS NOT NULL", schema::key_messages()))?
        .execute(params![place.room, place.keyed_id.cast_signed()])?;
    place.keyed_id = place.last_id;
    connection
        .prepare_cached("UPDATE room SET keyed_id = ?2 WHERE room = ?1")?
        .execute(params![place.room, place.keyed_id.cast_signed()])?;
    Ok(())
}

/// Deletes a room's events before this one, and later what they are found by. Returns how many.
fn delete_events(connection: &Connection, room: i64, end: u64) -> Result<u64> {
    let end_segment = schema::segment_of(end) - KEPT_SEGMENTS;
    let first_segment = |connection: &Connection| -> Result<Option<i64>> {
        connection
            .prepare_cached("SELECT min(segment) FROM message_key WHERE room = ?1 AND segment > ?2")?
            .query_row([room, schema::LAST_MESSAGES], |row| row.get(0))
    };
    while let Some(segment) = first_segment(connection)?.filter(|segment| *segment < end_segment) {
        keep_last_messages(connection, room, segment)?;
        connection
            .prepare_cached("DELETE FROM message_key WHERE room = ?1 AND segment = ?2")?
            .execute([room, segment])?;
    }
    search_index::trim(connection, room, end)?;
    let deleted = connection
        .prepare_cached("DELETE FROM event WHERE room = ?1 AND id < ?2")?
        .execute(params![room, end.cast_signed()])?;
    Ok(deleted as u64)
}

/// Keeps what members said last of a segment that is about to be deleted. Who has said something since then in later
/// segments has come back and said again what it had to before that: nothing is kept of those, who are nearly all where
/// much is said. Each message that is kept lands on a page of its own.
fn keep_last_messages(connection: &Connection, room: i64, segment: i64) -> Result<()> {
    let mut select = connection.prepare_cached(
        "WITH RECURSIVE later(segment) AS ( \
         SELECT max(segment) FROM message_key WHERE room = ?1 HAVING max(segment) >= ?2 + ?3 UNION ALL \
         SELECT segment - 1 FROM later WHERE segment > ?2 + ?3) \
         SELECT author FROM (SELECT DISTINCT author FROM message_key WHERE room = ?1 AND segment = ?2) AS said \
         WHERE (author IN (SELECT author FROM member WHERE room = ?1) \
         OR author IN (SELECT author FROM left_for_good WHERE room = ?1)) AND NOT EXISTS \
         (SELECT 1 FROM later CROSS JOIN message_key AS key USING (segment) \
         WHERE key.room = ?1 AND key.author = said.author)",
    )?;
    let authors = select.query_map([room, segment, KEPT_SEGMENTS / 2], |row| row.get(0))?;
    for author in authors.collect::<Result<Vec<u32>>>()? {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO message_key SELECT room, ?4, author, cid, id FROM message_key \
                 WHERE room = ?1 AND segment = ?2 AND author = ?3 ORDER BY id DESC LIMIT ?5",
            )?
            .execute(params![room, segment, author, schema::LAST_MESSAGES, MAX_LAST_MESSAGES as i64])?;
        connection
            .prepare_cached(
                "DELETE FROM message_key WHERE room = ?1 AND segment = ?2 AND author = ?3 AND id <= \
                 (SELECT id FROM message_key WHERE room = ?1 AND segment = ?2 AND author = ?3 \
                 ORDER BY id DESC LIMIT 1 OFFSET ?4)",
            )?
            .execute(params![room, schema::LAST_MESSAGES, author, MAX_LAST_MESSAGES as i64])?;
    }
    Ok(())
}

/// Rooms that hold more than so many events.
fn find_oversized(connection: &Connection, history_events: u64) -> Result<Vec<Epoch>> {
    let mut select = connection.prepare(
        "SELECT epoch FROM room WHERE code IS NOT NULL AND ?1 <= \
         (SELECT max(id) FROM event WHERE event.room = room.room) \
         - (SELECT min(id) FROM event WHERE event.room = room.room)",
    )?;
    // What is beyond a signed number is never held.
    let most = i64::try_from(history_events).unwrap_or(i64::MAX);
    select.query_map([most], |row| columns::parsed(row, 0, Epoch::parse))?.collect()
}

/// Rooms that hold more events than need no index.
fn find_unindexed(connection: &Connection) -> Result<HashSet<Epoch>> {
    let mut select = connection.prepare(
        "SELECT epoch FROM room WHERE code IS NOT NULL AND ?1 < \
         (SELECT max(id) FROM event WHERE event.room = room.room) \
         - (SELECT min(id) FROM event WHERE event.room = room.room)",
    )?;
    let least = search_index::UNINDEXED_EVENTS.cast_signed();
    select.query_map([least], |row| columns::parsed(row, 0, Epoch::parse))?.collect()
}

fn look_up(connection: &Connection, epoch: Epoch) -> Result<Option<RoomPosition>> {
    let mut select = connection.prepare_cached(
        "SELECT room, (SELECT min(id) FROM event WHERE event.room = room.room), \
         (SELECT max(id) FROM event WHERE event.room = room.room), keyed_id, \
         (SELECT min(id) FROM event WHERE event.room = room.room AND file IS NOT NULL) FROM room WHERE epoch = ?1",
    )?;
    let place = select.query_row([epoch.to_string()], |row| {
        let first_id: Option<i64> = row.get(1)?;
        let last_id: Option<i64> = row.get(2)?;
        let first_file_id: Option<i64> = row.get(4)?;
        Ok(RoomPosition {
            room: row.get(0)?,
            first_id: first_id.map_or(1, i64::cast_unsigned),
            last_id: last_id.map_or(0, i64::cast_unsigned),
            keyed_id: columns::number(row, 3)?,
            first_file_id: first_file_id.map_or(u64::MAX, i64::cast_unsigned),
            indexed: IndexedSegments::default(),
        })
    });
    let Some(place) = place.optional()? else { return Ok(None) };
    Ok(Some(RoomPosition { indexed: IndexedSegments::of(connection, place.room)?, ..place }))
}
