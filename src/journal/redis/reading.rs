//! Pages of a room's history: events in their last state, messages that are looked for, and searches.
//!
//! The log keeps each event as it was said, but for texts that were corrected or deleted since. What is read first and what
//! is read then of what amends it may be of two states, but then the latter is the newer one.

use std::collections::BTreeSet;

use redis::{Connection, Value, cmd};

use super::entries::unknown;
use super::faults::{Answer, Fault, bytes, list, optional_bytes, text};
use super::scripts::key_of_room;
use crate::journal::cluster::codec;
use crate::rooms::{
    AuthorId, Body, Epoch, Event, Found, MAX_PAGE_EVENTS, MessageKey, Page, ReadRequest, SearchQuery, Wanted,
};

/// One search reads through so many events, and ends with what it has found by then: so nobody who wants something else
/// waits long for it.
const MOST_SEARCHED: u64 = 20_000;

/// So many events are asked for at once: nobody waits long behind a message to which a thousand have reacted.
const MOST_KEPT_AT_ONCE: usize = 1_000;

/// So often it is looked for a text that was corrected once more while it was read.
const MOST_ATTEMPTS: usize = 20;

/// An event as it is kept: its number and its payload.
type Kept = (u64, Vec<u8>);

/// Reads what is wanted; `None`: there is no such room, or no more under this epoch. A node that has not heard of that yet is
/// not to take it for a room in which nothing was said.
pub(super) fn read(connection: &mut Connection, request: &ReadRequest) -> Answer<Option<Page>> {
    let page = read_page(connection, request)?;
    // No epoch comes again: one that is there now was there all the time.
    let is_there = super::connecting::ask(connection, cmd("EXISTS").arg(key_of_room("room", request.epoch)))?;
    Ok((is_there == Value::Int(1)).then_some(page))
}

fn read_page(connection: &mut Connection, request: &ReadRequest) -> Answer<Page> {
    let epoch = request.epoch;
    match &request.wanted {
        Wanted::Events { first_id, last_id } => {
            let events = read_events(connection, epoch, *first_id, *last_id)?;
            Ok(Page { events, ..Page::default() })
        }
        Wanted::Messages(messages) => {
            let messages = find_messages(connection, epoch, messages)?;
            Ok(Page { messages, ..Page::default() })
        }
        Wanted::EventsAndMessage { first_id, last_id, message } => {
            let events = read_events(connection, epoch, *first_id, *last_id)?;
            let messages = find_messages(connection, epoch, std::slice::from_ref(message))?;
            Ok(Page { events, messages, ..Page::default() })
        }
        Wanted::Search { query, first_id, before, limit } => {
            let (events, before) = search(connection, epoch, query, *first_id, *before, *limit)?;
            Ok(Page { events, before, ..Page::default() })
        }
    }
}

/// Events in their last state.
fn read_events(connection: &mut Connection, epoch: Epoch, first_id: u64, last_id: u64) -> Answer<Vec<Event>> {
    let kept = read_kept(connection, epoch, first_id..=last_id)?;
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let messages = codec::messages_of_page(&borrowed(&kept)).map_err(unknown)?;
    if messages.is_empty() {
        return codec::events_of_page(&borrowed(&kept), &[]).map_err(unknown);
    }
    let find = |connection: &mut Connection| find_amendments(connection, epoch, (first_id, last_id), &messages);
    let mut amended = find(connection)?;
    let mut attempts = 0;
    loop {
        let amendments = read_kept(connection, epoch, amended.by.iter().copied())?;
        let events = codec::events_of_page(&borrowed(&kept), &borrowed(&amendments)).map_err(unknown)?;
        attempts += 1;
        if attempts == MOST_ATTEMPTS || !events.iter().any(|event| amended.lacks_text_of(event)) {
            return Ok(events);
        }
        // A text is gone, and nobody has deleted it: it was corrected once more since it was found by what.
        let again = find(connection)?;
        if again == amended {
            return Ok(events);
        }
        amended = again;
    }
}

/// What has happened to messages.
#[derive(PartialEq, Eq, Default)]
struct Amended {
    /// By these events.
    by: BTreeSet<u64>,
    /// Those that were deleted.
    deleted: BTreeSet<u64>,
}

impl Amended {
    /// Whether an event of a message has no text, though that was not deleted.
    fn lacks_text_of(&self, event: &Event) -> bool {
        match &event.body {
            Body::Deleted { .. } => !self.deleted.contains(&event.id),
            Body::Edit { of, text: None, .. } => !self.deleted.contains(of),
            _ => false,
        }
    }
}

fn borrowed(kept: &[Kept]) -> Vec<codec::KeptEvent<'_>> {
    kept.iter().map(|(id, payload)| (*id, payload.as_slice())).collect()
}

/// Those of these events that are kept.
fn read_kept(connection: &mut Connection, epoch: Epoch, ids: impl IntoIterator<Item = u64>) -> Answer<Vec<Kept>> {
    let ids: Vec<u64> = ids.into_iter().collect();
    let mut kept = Vec::with_capacity(ids.len());
    for ids in ids.chunks(MOST_KEPT_AT_ONCE) {
        let mut command = cmd("HMGET");
        command.arg(key_of_room("events", epoch)).arg(ids);
        let payloads = list(super::connecting::ask(connection, &command)?)?;
        if payloads.len() != ids.len() {
            return Err(Fault::unreadable());
        }
        for (id, payload) in ids.iter().zip(payloads) {
            kept.extend(optional_bytes(payload)?.map(|payload| (*id, payload)));
        }
    }
    Ok(kept)
}

/// What amends these messages, most of which are within a range.
fn find_amendments(
    connection: &mut Connection,
    epoch: Epoch,
    range: (u64, u64),
    messages: &BTreeSet<u64>,
) -> Answer<Amended> {
    let key = key_of_room("amends", epoch);
    let elsewhere = messages.iter().filter(|id| **id < range.0 || **id > range.1).map(|id| (*id, *id));
    let mut packed = Vec::new();
    let mut count = 0;
    for (first, last) in std::iter::once(range).chain(elsewhere) {
        cmd("ZRANGEBYSCORE").arg(&key).arg(first).arg(last).write_packed_command(&mut packed);
        count += 1;
    }
    connection.send_packed_command(&packed)?;
    let mut amended = Amended::default();
    for _ in 0..count {
        for member in list(connection.recv_response()?)? {
            let member = text(member)?;
            match member.strip_prefix('x') {
                Some(deleted) => amended.deleted.extend(deleted.parse::<u64>().ok()),
                None => amended.by.extend(member.parse::<u64>().ok()),
            }
        }
    }
    Ok(amended)
}

/// Those of these messages that are events.
fn find_messages(
    connection: &mut Connection,
    epoch: Epoch,
    wanted: &[(AuthorId, MessageKey)],
) -> Answer<Vec<(AuthorId, MessageKey, u64)>> {
    let key = key_of_room("keys", epoch);
    let mut packed = Vec::new();
    for (author, message) in wanted {
        let field = codec::message_field(*author, message);
        cmd("ZSCORE").arg(&key).arg(field).write_packed_command(&mut packed);
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    connection.send_packed_command(&packed)?;
    let mut found = Vec::new();
    for (author, message) in wanted {
        match connection.recv_response()? {
            Value::Nil => (),
            score => {
                let score = String::from_utf8(bytes(score)?).map_err(|_| Fault::unreadable())?;
                let id = score.parse().map_err(|_| Fault::unreadable())?;
                found.push((*author, message.clone(), id));
            }
        }
    }
    Ok(found)
}

/// The newest messages that are found, and before which id there may be others.
fn search(
    connection: &mut Connection,
    epoch: Epoch,
    query: &SearchQuery,
    first_id: u64,
    before: u64,
    limit: usize,
) -> Answer<(Vec<Event>, Option<u64>)> {
    let mut found = Found::new(limit);
    let last_searched = before.saturating_sub(MOST_SEARCHED).max(first_id);
    let mut searched_to = before;
    while searched_to > last_searched && !found.is_full() {
        let first = searched_to.saturating_sub(MAX_PAGE_EVENTS as u64).max(last_searched);
        let events = read_events(connection, epoch, first, searched_to - 1)?;
        let is_found = |event: &Event| event.body.searched_text().is_some_and(|text| query.matches(&text));
        events.into_iter().rev().filter(is_found).for_each(|event| found.push(event));
        searched_to = first;
    }
    Ok(found.finish(Some(searched_to).filter(|searched_to| *searched_to > first_id)))
}
