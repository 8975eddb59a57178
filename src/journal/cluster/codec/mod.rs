//! How what is in the log stands there as bytes: changes, rooms, accounts, notices; and how events are told from them.
//!
//! Pure functions. What is said all the time is a line of tokens, written and read by hand; the rest is JSON. Nodes of two
//! versions of the program read what each other writes: what a reader does not know it ignores, and what is not there has
//! a default.

mod account;
mod append;
mod event;
mod hex;
mod notice;
mod page;
mod rare;
mod room;
#[cfg(test)]
mod tests;
mod tokens;

use std::fmt;

use event::ReadEvent;
use serde::Serialize;

use crate::rooms::{Change, Name};

pub use account::{read_account, write_account};
pub use append::{APPEND_ARGUMENTS, append_arguments, dedup_field, message_field, read_version, time_ms, version_text};
pub use notice::{read_notice, write_notice};
pub use page::{KeptEvent, events_of_page, messages_of_page};
pub use room::{read_room, write_room};

/// How the log is written. A program that knows another one only leaves the log alone.
pub const FORMAT: u32 = 1;

/// Why something in the log cannot be read: what is damaged, or of a later version of the program. No part of it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecFault(&'static str);

impl fmt::Display for CodecFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in it cannot be read", self.0)
    }
}

fn damaged(what: &'static str) -> CodecFault {
    CodecFault(what)
}

/// What a member publishes, and somebody without a place: the first token of the first line, before those of the event.
const PUBLISHED: &str = "p";
const PUBLISHED_BY_GUEST: &str = "g";

/// Appends a change as its payload. Three lines, the last one without a line feed: what changes; the text of a message or
/// of its correction; the file that is shared with it. The second and third may be emptied later, in the messages that
/// are corrected (the second) or deleted (both), and in all that amends them. Nothing else stands in them, but for an
/// account's password hash in the second, which is emptied where the change is kept for longer.
pub fn write_change(change: &Change, out: &mut Vec<u8>) {
    if !rare::write_rare(change, out)
        && let Some(event) = change.event()
    {
        let is_guests = matches!(change, Change::PublishOfGuest { .. });
        out.extend_from_slice(if is_guests { PUBLISHED_BY_GUEST } else { PUBLISHED }.as_bytes());
        out.push(b' ');
        event::write_event(event, out);
    }
    match change {
        Change::Account(change) => rare::write_lines_of_account(change, out),
        change => event::write_lines(change.event(), out),
    }
}

/// Reads what [`write_change`] gives. A message whose text was emptied since reads as deleted.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_change(payload: &[u8], event_id: Option<u64>) -> Result<Change, CodecFault> {
    let ReadChange { mut change, is_cut } = read_payload(payload, event_id.unwrap_or(0))?;
    if is_cut && let Some(event) = change.event_mut() {
        page::delete(&mut event.body);
    }
    Ok(change)
}

/// A change that was read.
struct ReadChange {
    change: Change,
    /// It is a message without words and without a file: its text was emptied.
    is_cut: bool,
}

fn read_payload(payload: &[u8], id: u64) -> Result<ReadChange, CodecFault> {
    let mut lines = text_of(payload)?.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (head, text, file) = (line(), line(), line());
    let read_event = |tokens| event::read_event(tokens, id, text, file);
    match head.split_once(' ') {
        Some((PUBLISHED, tokens)) => {
            let ReadEvent { event, is_cut } = read_event(tokens)?;
            Ok(ReadChange { change: Change::Publish { event }, is_cut })
        }
        Some((PUBLISHED_BY_GUEST, tokens)) => {
            let ReadEvent { event, is_cut } = read_event(tokens)?;
            Ok(ReadChange { change: Change::PublishOfGuest { event }, is_cut })
        }
        _ => Ok(ReadChange { change: rare::read_rare(head, id, text, file)?, is_cut: false }),
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, CodecFault> {
    std::str::from_utf8(bytes).map_err(|_| damaged("a text"))
}

fn read_name(text: &str) -> Result<Name, CodecFault> {
    Name::stored(text).ok_or(damaged("a name"))
}

fn write_json(written: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, written).expect("texts and numbers can always be written into memory");
}
