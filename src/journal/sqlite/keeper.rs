//! What each change of the rooms means for the tables.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::columns;
use crate::rooms::{Body, Change, Epoch, Event, MAX_DEPARTED, Record};

/// Old events of a room are deleted so many at a time, since each time costs something.
const TRIMMED_EVENTS: u64 = 64;

/// The most that are deleted at once, where the room has been allowed more before.
const MAX_TRIMMED_EVENTS: u64 = 4 * TRIMMED_EVENTS;

/// Events of a room that is over that are deleted at once.
const SWEPT_EVENTS: i64 = 1000;

/// Writes changes, and remembers where in the tables each room is.
pub(super) struct Keeper {
    /// Events kept for each room.
    history_events: u64,
    /// What has been looked up. It tells of the transaction that is under way, if one is.
    rooms: HashMap<Epoch, Place>,
    /// There may be events of rooms that are over.
    may_have_remains: bool,
}

/// Where a room is in the tables.
#[derive(Clone, Copy)]
struct Place {
    room: i64,
    first_id: u64,
    last_id: u64,
}

impl Keeper {
    /// `history_events` are kept for each room, and some more that wait to be deleted.
    pub(super) fn new(history_events: u64) -> Keeper {
        Keeper { history_events, rooms: HashMap::new(), may_have_remains: true }
    }

    /// The transaction under way was taken back.
    pub(super) fn forget(&mut self) {
        self.rooms.clear();
        self.may_have_remains = true;
    }

    /// Whether [`sweep`](Self::sweep) may find something to do.
    pub(super) fn may_have_remains(&self) -> bool {
        self.may_have_remains
    }

    /// Writes a change, within a transaction. An event is given its number.
    pub(super) fn keep(&mut self, connection: &Connection, record: &mut Record) -> Result<()> {
        let epoch = record.epoch;
        match &mut record.change {
            Change::Nothing => Ok(()),
            Change::Opened { code, time_ms } => {
                let mut insert = connection
                    .prepare_cached("INSERT INTO room (code, epoch, last_time, last_author) VALUES (?1, ?2, ?3, 0)")?;
                let room = insert.insert(params![code.as_str(), epoch.to_string(), time_ms.cast_signed()])?;
                self.rooms.insert(epoch, Place { room, first_id: 1, last_id: 0 });
                Ok(())
            }
            Change::Placed { author, token, name, via } => {
                let room = self.place(connection, epoch)?.room;
                connection
                    .prepare_cached("INSERT OR REPLACE INTO member VALUES (?1, ?2, ?3, ?4, ?5, 0, NULL)")?
                    .execute(params![room, author.0, token.as_bytes(), name.as_str(), via.as_str()])?;
                connection
                    .prepare_cached("UPDATE room SET last_author = max(last_author, ?2) WHERE room = ?1")?
                    .execute(params![room, author.0])?;
                Ok(())
            }
            Change::Happened { event, .. } => {
                event.id = self.keep_event(connection, epoch, event)?;
                Ok(())
            }
            Change::Vacated { author, may_return, time_ms } => {
                let room = self.place(connection, epoch)?.room;
                connection
                    .prepare_cached("UPDATE room SET last_time = max(last_time, ?2) WHERE room = ?1")?
                    .execute(params![room, time_ms.cast_signed()])?;
                if *may_return {
                    return depart(connection, room, author.0);
                }
                connection
                    .prepare_cached("DELETE FROM member WHERE room = ?1 AND author = ?2")?
                    .execute(params![room, author.0])?;
                Ok(())
            }
            Change::Ended => {
                let room = self.place(connection, epoch)?.room;
                connection.prepare_cached("UPDATE room SET code = NULL WHERE room = ?1")?.execute([room])?;
                connection.prepare_cached("DELETE FROM member WHERE room = ?1")?.execute([room])?;
                self.rooms.remove(&epoch);
                self.may_have_remains = true;
                Ok(())
            }
        }
    }

    fn keep_event(&mut self, connection: &Connection, epoch: Epoch, event: &Event) -> Result<u64> {
        let history_events = self.history_events;
        let place = self.place(connection, epoch)?;
        let room = place.room;
        place.last_id += 1;
        let Event { time_ms, name, via, author, body, .. } = event;
        let (kind, text, cid) = columns::of_body(body);
        connection.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(
            params![
                room,
                place.last_id.cast_signed(),
                time_ms.cast_signed(),
                author.0,
                name.as_str(),
                via.as_str(),
                kind,
                text,
                cid
            ],
        )?;
        match body {
            Body::Enter => {
                connection
                    .prepare_cached("UPDATE member SET has_entered = 1, via = ?3 WHERE room = ?1 AND author = ?2")?
                    .execute(params![room, author.0, via.as_str()])?;
            }
            Body::Nick { to } => {
                connection
                    .prepare_cached("UPDATE member SET name = ?3 WHERE room = ?1 AND author = ?2")?
                    .execute(params![room, author.0, to.as_str()])?;
            }
            Body::Message { .. } | Body::Part => (),
        }
        let held_events = place.last_id + 1 - place.first_id;
        if held_events >= history_events + TRIMMED_EVENTS {
            place.first_id += (held_events - history_events).min(MAX_TRIMMED_EVENTS);
            connection
                .prepare_cached("DELETE FROM event WHERE room = ?1 AND id < ?2")?
                .execute(params![room, place.first_id.cast_signed()])?;
        }
        Ok(place.last_id)
    }

    /// Where a room is; an error if it is nowhere, which cannot be while file and rooms agree.
    fn place(&mut self, connection: &Connection, epoch: Epoch) -> Result<&mut Place> {
        use std::collections::hash_map::Entry;
        match self.rooms.entry(epoch) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => Ok(unknown.insert(look_up(connection, epoch)?)),
        }
    }

    /// Deletes some of what is left of rooms that are over, within a transaction.
    pub(super) fn sweep(&mut self, connection: &Connection) -> Result<()> {
        let room: Option<i64> = connection
            .prepare_cached("SELECT room FROM room WHERE code IS NULL LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(room) = room else {
            self.may_have_remains = false;
            return Ok(());
        };
        // Their numbers have no gaps.
        let swept = connection
            .prepare_cached(
                "DELETE FROM event WHERE room = ?1 AND id < ?2 + (SELECT min(id) FROM event WHERE room = ?1)",
            )?
            .execute(params![room, SWEPT_EVENTS])?;
        if (swept as i64) < SWEPT_EVENTS {
            connection.prepare_cached("DELETE FROM room WHERE room = ?1")?.execute([room])?;
        }
        Ok(())
    }
}

fn look_up(connection: &Connection, epoch: Epoch) -> Result<Place> {
    let mut select = connection.prepare_cached(
        "SELECT room, (SELECT min(id) FROM event WHERE event.room = room.room), \
         (SELECT max(id) FROM event WHERE event.room = room.room) FROM room WHERE epoch = ?1",
    )?;
    select.query_row([epoch.to_string()], |row| {
        let first_id: Option<i64> = row.get(1)?;
        let last_id: Option<i64> = row.get(2)?;
        Ok(Place {
            room: row.get(0)?,
            first_id: first_id.map_or(1, i64::cast_unsigned),
            last_id: last_id.map_or(0, i64::cast_unsigned),
        })
    })
}

/// Frees a place; its secret still tells who it was, unless too many have left after that.
fn depart(connection: &Connection, room: i64, author: u32) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE member SET has_entered = 0, departed = 1 + coalesce( \
             (SELECT max(departed) FROM member WHERE room = ?1 AND departed IS NOT NULL), 0) \
             WHERE room = ?1 AND author = ?2",
        )?
        .execute(params![room, author])?;
    connection
        .prepare_cached(
            "DELETE FROM member WHERE room = ?1 AND departed <= \
             (SELECT departed FROM member WHERE room = ?1 AND departed IS NOT NULL \
             ORDER BY departed DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![room, MAX_DEPARTED as i64])?;
    Ok(())
}
