//! What whoever appends a change has to know of it, since it does not read payloads.

use super::account::changed_value;
use super::tokens::read_number;
use super::write_change;
use crate::journal::cluster::Effects;
use crate::journal::cluster::log::{Append, Version};
use crate::rooms::{AuthorId, Change, Epoch, MessageKey, NodeId, RoomCode};

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
/// 6. Letters: `o` opens the room, `e` ends it, `v` is versioned, `n` has a numbered event, `a` is of an account, `d`
///    depends on the accounts, `x` the texts of what it amends are to be gone, `f` the file as well.
/// 7. The number of the event that has to be there, since it is amended.
/// 8. The field of a message that may have been said already.
/// 9. The time of what it is about, if the room's last time changes with it.
/// 10. An account's number.
/// 11. What is to be kept of the account: two lines, of which an empty first one stays what it was; empty: it is no more.
/// 12. The payload.
pub fn append_arguments(append: &Append, effects: &Effects, arguments: &mut Vec<Vec<u8>>) {
    let Append { number, code, epoch, version, accounts_version, change } = append;
    let checked_at = |version: &Option<Version>| version.map_or(String::new(), version_text);
    let is_of_room = *epoch != Epoch::NONE;
    let account = match change {
        Change::Account(change) => changed_value(change).map(|value| (change.account.0.to_string(), value)),
        _ => None,
    };
    let (account, account_value) = account.unwrap_or_default();
    let mut payload = Vec::new();
    write_change(change, &mut payload);
    let arguments_of_it: [Vec<u8>; APPEND_ARGUMENTS] = [
        number.to_string().into(),
        if *code == RoomCode::NONE { Vec::new() } else { code.as_str().into() },
        if is_of_room { epoch.to_string().into() } else { Vec::new() },
        checked_at(version).into(),
        checked_at(accounts_version).into(),
        letters(effects).into(),
        effects.amends.map_or(String::new(), |of| of.to_string()).into(),
        dedup_field(change).unwrap_or_default().into(),
        time_ms(change).map_or(String::new(), |time_ms| time_ms.to_string()).into(),
        account.into(),
        account_value.into(),
        payload,
    ];
    arguments.extend(arguments_of_it);
}

/// A version as the log has it.
pub fn version_text(version: Version) -> String {
    format!("{}-{}", version.node.0, version.number)
}

/// Reads what [`version_text`] gives.
pub fn read_version(text: &str) -> Option<Version> {
    let (node, number) = text.split_once('-')?;
    Some(Version { node: NodeId(read_number(node)?), number: read_number(number)? })
}

/// The field under which a message is known as said already, if it has an id of its client.
pub fn dedup_field(change: &Change) -> Option<String> {
    let Change::Publish { event } = change else { return None };
    event.message_key().map(|(author, key)| message_field(author, key))
}

/// The same of a message that is looked for.
pub fn message_field(author: AuthorId, key: &MessageKey) -> String {
    format!("{}:{}", author.0, key.as_str())
}

fn letters(effects: &Effects) -> String {
    let letters = [
        (effects.opens, 'o'),
        (effects.ends, 'e'),
        (effects.is_versioned, 'v'),
        (effects.has_event, 'n'),
        (effects.is_of_account, 'a'),
        (effects.depends_on_accounts, 'd'),
        (effects.erases.is_some(), 'x'),
        (effects.erases.is_some_and(|erasure| erasure.with_file), 'f'),
    ];
    letters.into_iter().filter_map(|(is_so, letter)| is_so.then_some(letter)).collect()
}

/// The time that a room's last one becomes.
pub fn time_ms(change: &Change) -> Option<u64> {
    match change {
        Change::Open { time_ms } | Change::Place { opens: true, time_ms, .. } | Change::Vacate { time_ms, .. } => {
            Some(*time_ms)
        }
        change => change.event().map(|event| event.time_ms),
    }
}
