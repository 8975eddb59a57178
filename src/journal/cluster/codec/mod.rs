//! How what is in the log stands there as bytes: changes, rooms, accounts, notices; and how events are told from them.
//!
//! Pure functions. Nodes of two versions of the program read what each other writes: what a reader does not know it
//! ignores, and what is not there has a default.

use std::collections::BTreeSet;
use std::fmt;

use super::Effects;
use super::log::Append;
use crate::rooms::{AuthorId, Change, Event, MessageKey, Notice, StoredAccount, StoredRoom};

/// How the log is written. A program that knows another one only leaves the log alone.
pub const FORMAT: u32 = 1;

/// Why something in the log cannot be read: what is damaged, or of a later version of the program. No part of it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecFault(&'static str);

impl fmt::Display for CodecFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "what the log has cannot be read: {}", self.0)
    }
}

/// Appends a change as its payload. Three lines, the last one without a line feed: what changes; the text of a message or
/// of its correction; the file that is shared with it. The second and third may be emptied later, in the messages that
/// are corrected (the second) or deleted (both), and in all that amends them. Nothing else stands in them.
pub fn write_change(change: &Change, out: &mut Vec<u8>) {
    let _ = (change, out);
    todo!()
}

/// Reads what [`write_change`] gives. A message whose text was emptied since reads as deleted.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_change(payload: &[u8], event_id: Option<u64>) -> Result<Change, CodecFault> {
    let _ = (payload, event_id);
    todo!()
}

/// Appends all of a room, in one line.
pub fn write_room(room: &StoredRoom, out: &mut Vec<u8>) {
    let _ = (room, out);
    todo!()
}

/// Reads what [`write_room`] gives.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_room(text: &[u8]) -> Result<StoredRoom, CodecFault> {
    let _ = text;
    todo!()
}

/// An account as a field of a hash and its value: its number, and two lines, its name and what its password hashes to.
pub fn write_account(account: &StoredAccount) -> (String, String) {
    let _ = account;
    todo!()
}

/// Reads what [`write_account`] gives. Lines behind the second are ignored.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_account(field: &[u8], value: &[u8]) -> Result<StoredAccount, CodecFault> {
    let _ = (field, value);
    todo!()
}

/// Appends what nodes tell each other, in one line.
pub fn write_notice(notice: &Notice, out: &mut Vec<u8>) {
    let _ = (notice, out);
    todo!()
}

/// Reads what [`write_notice`] gives. `None`: a later version of the program tells what this one does not know.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_notice(text: &[u8]) -> Result<Option<Notice>, CodecFault> {
    let _ = text;
    todo!()
}

/// An event as the log keeps it: its number, and its payload as it is now.
pub type KeptEvent<'p> = (u64, &'p [u8]);

/// The messages whose amendments have to be known to tell these events: those among them, and those of which there are
/// corrections among them.
///
/// # Errors
/// They are not as this program writes them.
pub fn messages_of_page(kept: &[KeptEvent<'_>]) -> Result<BTreeSet<u64>, CodecFault> {
    let _ = kept;
    todo!()
}

/// Events in their last state. `amendments`: at least all that amends the [messages](messages_of_page) of the page, read
/// with the page or later. Both are in the order of their numbers.
///
/// # Errors
/// They are not as this program writes them.
pub fn events_of_page(kept: &[KeptEvent<'_>], amendments: &[KeptEvent<'_>]) -> Result<Vec<Event>, CodecFault> {
    let _ = (kept, amendments);
    todo!()
}

/// The field under which a message is known as said already, if it has an id of its client.
pub fn dedup_field(change: &Change) -> Option<String> {
    let _ = change;
    todo!()
}

/// The same of a message that is looked for.
pub fn message_field(author: AuthorId, key: &MessageKey) -> String {
    let _ = (author, key);
    todo!()
}

/// Arguments of one change for whoever appends it.
pub const APPEND_ARGUMENTS: usize = 12;

/// Adds [`APPEND_ARGUMENTS`] arguments that say all of a change that has to be known to append it. What there is not is
/// empty.
///
/// 1. The proposal's number.
/// 2. The room's code.
/// 3. The room's epoch.
/// 4. The version of the room against which it was checked, as `NODE-NUMBER`.
/// 5. The same of the accounts.
/// 6. Letters: `o` opens the room, `e` ends it, `v` is versioned, `n` has a numbered event, `a` is of an account, `x` the
///    texts of what it amends are to be gone, `f` the file as well.
/// 7. The number of the event that has to be there, since it is amended.
/// 8. The field of a message that may have been said already.
/// 9. The time that it gives the room, if that is later than the room's last time.
/// 10. An account's number.
/// 11. What is to be kept of the account: two lines, of which an empty first one stays what it was; empty: it is no more.
/// 12. The payload.
pub fn append_arguments(append: &Append, effects: &Effects, arguments: &mut Vec<Vec<u8>>) {
    let _ = (append, effects, arguments);
    todo!()
}
