//! What is read from the file: rooms at the start, events while the program runs, the latter on a thread and a
//! connection of their own, so that a long reading delays no commit.

use std::sync::mpsc::Receiver;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::answers::Answers;
use super::columns;
use crate::journal::Outcome;
use crate::rooms::{Epoch, Event, Name, Page, ReadRequest, RoomCode, StoredMember, StoredRoom, Via, Wanted};

/// The reading thread: answers each request until no more can come.
pub(super) fn run(connection: &Connection, requests: &Receiver<ReadRequest>, answers: &Answers) {
    for request in requests {
        let page = read(connection, &request);
        if let Err(error) = &page {
            log::warn!("the data file cannot be read: {error}");
        }
        answers.give(Outcome::Read { request, page: page.ok() });
        answers.wake();
    }
}

fn read(connection: &Connection, request: &ReadRequest) -> Result<Page> {
    let epoch = request.epoch.to_string();
    let select = |condition: &str| {
        connection.prepare_cached(&format!(
            "SELECT {} FROM event WHERE room = (SELECT room FROM room WHERE epoch = ?1) AND {condition}",
            columns::EVENT
        ))
    };
    let events = match &request.wanted {
        Wanted::Events { first_id, last_id } => select("id BETWEEN ?2 AND ?3 ORDER BY id")?
            .query_map(params![epoch, first_id.cast_signed(), last_id.cast_signed()], columns::event)?
            .collect::<Result<_>>()?,
        Wanted::Messages(messages) => {
            let mut select = select("author = ?2 AND cid = ?3 ORDER BY id DESC LIMIT 1")?;
            let mut events = Vec::new();
            for (author, key) in messages {
                events.extend(select.query_row(params![epoch, author.0, key.as_str()], columns::event).optional()?);
            }
            events
        }
    };
    Ok(Page { events })
}

/// Every room that is not over, and who is or was in it, but for what was said.
pub(super) fn stored_rooms(connection: &Connection) -> Result<Vec<StoredRoom>> {
    let mut select = connection.prepare(
        "SELECT room.room, code, epoch, coalesce(last.id, 0), max(last_time, coalesce(last.time, 0)), last_author \
         FROM room LEFT JOIN event AS last ON last.room = room.room \
         AND last.id = (SELECT max(id) FROM event WHERE event.room = room.room) \
         WHERE code IS NOT NULL ORDER BY room.room",
    )?;
    let rooms = select.query_map([], |row| {
        let stored = StoredRoom {
            code: columns::parsed(row, 1, RoomCode::parse)?,
            epoch: columns::parsed(row, 2, Epoch::parse)?,
            last_id: columns::number(row, 3)?,
            last_time_ms: columns::number(row, 4)?,
            last_author: columns::author(row, 5)?,
            members: Vec::new(),
        };
        Ok((row.get::<_, i64>(0)?, stored))
    })?;
    let mut rooms = rooms.collect::<Result<Vec<_>>>()?;
    let mut select = connection.prepare(
        "SELECT room, author, token_hash, name, via, departed IS NULL, has_entered FROM member \
         ORDER BY room, departed, author",
    )?;
    let mut rows = select.query([])?;
    let mut place = 0;
    while let Some(row) = rows.next()? {
        let room: i64 = row.get(0)?;
        place += rooms[place..].iter().take_while(|(known, _)| *known < room).count();
        if let Some((known, stored)) = rooms.get_mut(place)
            && *known == room
        {
            stored.members.push(StoredMember {
                author: columns::author(row, 1)?,
                token: columns::token_hash(row, 2)?,
                name: columns::parsed(row, 3, Name::parse)?,
                via: columns::parsed(row, 4, Via::parse)?,
                is_placed: row.get(5)?,
                has_entered: row.get(6)?,
            });
        }
    }
    Ok(rooms.into_iter().map(|(_, stored)| stored).collect())
}

/// Hands every event of a room to `visit`, the oldest first, until that returns an error. `None`: there is no such
/// room.
pub(super) fn visit_events<E: From<rusqlite::Error>>(
    connection: &Connection,
    code: RoomCode,
    mut visit: impl FnMut(&Event) -> std::result::Result<(), E>,
) -> std::result::Result<Option<()>, E> {
    let mut select = connection.prepare("SELECT room FROM room WHERE code = ?1")?;
    let mut rooms = select.query([code.as_str()])?;
    let Some(room) = rooms.next()? else { return Ok(None) };
    let room: i64 = room.get(0)?;
    let mut select =
        connection.prepare(&format!("SELECT {} FROM event WHERE room = ?1 ORDER BY id", columns::EVENT))?;
    let mut rows = select.query([room])?;
    while let Some(row) = rows.next()? {
        visit(&columns::event(row)?)?;
    }
    Ok(Some(()))
}
