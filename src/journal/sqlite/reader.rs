//! What is read from the file: rooms at the start, events while the program runs, the latter on a thread and a
//! connection of their own, so that a long reading delays no commit.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::account_requests::RequestWatch;
use super::answers::Answers;
use super::searching::{self, Searched};
use super::{amendments, columns, data_file, members, moderation, schema};
use crate::journal::Outcome;
use crate::rooms::{
    AccountId, AuthorId, Epoch, Event, FileId, Left, MAX_PAGE_EVENTS, MessageKey, Name, NodeId, Page, Quote,
    ReadRequest, RoomCode, RoomRules, SharedFile, StoredMember, StoredRoom, Via, Wanted, quote_in,
};

/// The reading thread: answers each request until no more can come.
pub(super) fn run(connection: &Connection, requests: &Receiver<ReadRequest>, answers: &Answers) {
    let mut watch = RequestWatch::new();
    loop {
        // However much is read.
        if watch.pause().is_zero() {
            let asked = watch.look(connection).unwrap_or_default();
            if !asked.is_empty() {
                asked.into_iter().for_each(|request| answers.give(request));
                answers.wake();
            }
        }
        let request = match requests.recv_timeout(watch.pause()) {
            Ok(_) if answers.load.is_over.load(Ordering::Relaxed) => return,
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let page = read(connection, &request);
        if let Err(error) = &page {
            log::warn!("the data file cannot be read: {error}");
        }
        answers.give(Outcome::Read { request, page: page.ok() });
        answers.wake();
    }
}

fn read(connection: &Connection, request: &ReadRequest) -> Result<Page> {
    // Of one moment: a room may end meanwhile, and another have its number.
    let _snapshot = connection.unchecked_transaction()?;
    let mut select = connection.prepare_cached("SELECT room, keyed_id FROM room WHERE epoch = ?1")?;
    let room = select.query_row([request.epoch.to_string()], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((room, keyed_id)) = room.optional()? else { return Ok(Page::default()) };
    match &request.wanted {
        Wanted::Events { first_id, last_id } => {
            let events = read_events(connection, room, *first_id, *last_id)?;
            Ok(Page { events, ..Page::default() })
        }
        Wanted::Messages(messages) => {
            let messages = find_messages(connection, room, keyed_id, messages)?;
            Ok(Page { messages, ..Page::default() })
        }
        Wanted::EventsAndMessage { first_id, last_id, message } => {
            let events = read_events(connection, room, *first_id, *last_id)?;
            let messages = find_messages(connection, room, keyed_id, std::slice::from_ref(message))?;
            Ok(Page { events, messages, ..Page::default() })
        }
        Wanted::Search { query, first_id, before, limit } => {
            let searched = Searched { room, query, first_id: *first_id, before: *before };
            let (mut events, before) = searching::search(connection, &searched, *limit)?;
            amendments::annotate(connection, room, &mut events)?;
            Ok(Page { events, before, ..Page::default() })
        }
    }
}

/// Events in their last state. What is read first and what is read of them then may be of two states, but then the
/// latter is the newer one.
fn read_events(connection: &Connection, room: i64, first_id: u64, last_id: u64) -> Result<Vec<Event>> {
    let version = data_file::version(connection)?;
    let (has_amendments, columns) = (version > 2, columns::event_of_version(version));
    let mut select = connection.prepare_cached(&format!(
        "SELECT {columns} FROM event WHERE room = ?1 AND id BETWEEN ?2 AND ?3 ORDER BY id",
    ))?;
    let ids = params![room, first_id.cast_signed(), last_id.cast_signed()];
    let mut events = select.query_map(ids, columns::event)?.collect::<Result<Vec<Event>>>()?;
    if has_amendments {
        amendments::annotate(connection, room, &mut events)?;
    }
    Ok(events)
}

/// Those of these messages that are events. The last of a room's events are looked through, the others are looked up;
/// in this order, since the former become the latter meanwhile.
fn find_messages(
    connection: &Connection,
    room: i64,
    keyed_id: i64,
    wanted: &[(AuthorId, MessageKey)],
) -> Result<Vec<(AuthorId, MessageKey, u64)>> {
    let is_wanted: HashSet<&(AuthorId, MessageKey)> = wanted.iter().collect();
    let mut select = connection
        .prepare_cached("SELECT author, cid, id FROM event WHERE room = ?1 AND id > ?2 AND cid IS NOT NULL")?;
    let latest = select.query_map([room, keyed_id], |row| {
        let key = columns::parsed(row, 1, MessageKey::parse)?;
        Ok((columns::author(row, 0)?, key, columns::number(row, 2)?))
    })?;
    let mut found = Vec::new();
    for message in latest {
        let (author, key, id) = message?;
        if is_wanted.contains(&(author, key.clone())) {
            found.push((author, key, id));
        }
    }
    let mut select = connection.prepare_cached(
        "WITH RECURSIVE kept(segment) AS ( \
         SELECT max(segment) FROM message_key WHERE room = ?1 UNION ALL \
         SELECT segment - 1 FROM kept WHERE segment > \
         (SELECT min(segment) FROM message_key WHERE room = ?1 AND segment > ?4)), \
         searched(segment) AS (SELECT segment FROM kept UNION ALL SELECT ?4) \
         SELECT id FROM searched CROSS JOIN message_key USING (segment) \
         WHERE room = ?1 AND author = ?2 AND cid = ?3 LIMIT 1",
    )?;
    let earlier =
        wanted.iter().filter(|(author, key)| !found.iter().any(|known| known.0 == *author && known.1 == *key));
    let mut looked_up = Vec::new();
    for (author, key) in earlier {
        let found = params![room, author.0, key.as_str(), schema::LAST_MESSAGES];
        let id = select.query_row(found, |row| columns::number(row, 0)).optional()?;
        looked_up.extend(id.map(|id| (*author, key.clone(), id)));
    }
    found.append(&mut looked_up);
    Ok(found)
}

/// The files of all rooms.
pub(super) fn shared_files(connection: &Connection) -> Result<Vec<FileId>> {
    if data_file::version(connection)? < 4 {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare("SELECT file FROM event WHERE file IS NOT NULL")?;
    let files = select.query_map([], |row| columns::parsed(row, 0, SharedFile::parse))?;
    files.map(|file| Ok(file?.id)).collect()
}

/// The files of rooms, which are in the order of their numbers.
fn read_files(connection: &Connection, rooms: &mut [(i64, StoredRoom)]) -> Result<()> {
    let mut select = connection.prepare("SELECT room, id, file FROM event WHERE file IS NOT NULL ORDER BY room, id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let room: i64 = row.get(0)?;
        if let Ok(place) = rooms.binary_search_by_key(&room, |(number, _)| *number) {
            rooms[place].1.files.push((columns::number(row, 1)?, columns::parsed(row, 2, SharedFile::parse)?));
        }
    }
    Ok(())
}

/// Every room that is not over, and who is or was in it, but for what was said.
pub(super) fn stored_rooms(connection: &Connection) -> Result<Vec<StoredRoom>> {
    let mut select = connection.prepare(
        "SELECT room.room, code, epoch, coalesce((SELECT min(id) FROM event WHERE event.room = room.room), 1), \
         coalesce(last.id, 0), max(last_time, coalesce(last.time, 0)), last_author \
         FROM room LEFT JOIN event AS last ON last.room = room.room \
         AND last.id = (SELECT max(id) FROM event WHERE event.room = room.room) \
         WHERE code IS NOT NULL ORDER BY room.room",
    )?;
    let rooms = select.query_map([], |row| {
        let stored = StoredRoom {
            code: columns::parsed(row, 1, RoomCode::parse)?,
            epoch: columns::parsed(row, 2, Epoch::parse)?,
            first_id: columns::number(row, 3)?,
            last_id: columns::number(row, 4)?,
            last_time_ms: columns::number(row, 5)?,
            last_author: columns::author(row, 6)?,
            files: Vec::new(),
            members: Vec::new(),
            left: Vec::new(),
            rules: RoomRules::default(),
        };
        Ok((row.get::<_, i64>(0)?, stored))
    })?;
    let mut rooms = rooms.collect::<Result<Vec<_>>>()?;
    read_files(connection, &mut rooms)?;
    let mut rules: HashMap<i64, &mut RoomRules> =
        rooms.iter_mut().map(|(room, stored)| (*room, &mut stored.rules)).collect();
    moderation::read(connection, &mut rules)?;
    let mut left_of: HashMap<i64, &mut Vec<Left>> =
        rooms.iter_mut().map(|(room, stored)| (*room, &mut stored.left)).collect();
    for (room, left) in members::read_left(connection)? {
        left_of.entry(room).and_modify(|others| others.push(left));
    }
    let mut select = connection.prepare(
        "SELECT room, author, token_hash, name, via, departed IS NULL, has_entered, account, \
         coalesce(seniority, author) FROM member \
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
                name: columns::parsed(row, 3, Name::stored)?,
                via: columns::parsed(row, 4, Via::parse)?,
                is_placed: row.get(5)?,
                has_entered: row.get(6)?,
                account: row.get::<_, Option<i64>>(7)?.map(|account| AccountId(account.cast_unsigned())),
                node: NodeId::ALONE,
                seniority: columns::author(row, 8)?,
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
    // All of it as it is at one moment.
    let transaction = connection.unchecked_transaction()?;
    let mut select = transaction.prepare(
        "SELECT room, (SELECT min(id) FROM event WHERE event.room = room.room), \
         (SELECT max(id) FROM event WHERE event.room = room.room) FROM room WHERE code = ?1",
    )?;
    let found = select.query_row([code.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let Some((room, first_id, last_id)) = found.optional()? else { return Ok(None) };
    let (first_id, last_id): (Option<i64>, Option<i64>) = (first_id, last_id);
    let (first_id, last_id) = (first_id.map_or(1, i64::cast_unsigned), last_id.map_or(0, i64::cast_unsigned));
    for first_id in (first_id..=last_id).step_by(MAX_PAGE_EVENTS) {
        let mut events = read_events(&transaction, room, first_id, first_id + MAX_PAGE_EVENTS as u64 - 1)?;
        let read = |of| read_events(&transaction, room, of, of).ok()?.pop();
        quote_in(&mut events, |of| read(of).as_ref().and_then(Quote::of));
        events.iter().try_for_each(&mut visit)?;
    }
    Ok(Some(()))
}
