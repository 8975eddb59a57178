//! What operators have made of rooms, as it stands in the tables.

use std::collections::HashMap;

use rusqlite::{Connection, Result, params};

use super::columns;
use crate::rooms::{
    AccountId, Address, Ban, Body, KeyHash, Measure, ModeChange, Mute, Name, RoomRules, ShortTokenHash, Text,
};

/// Writes what an operator does, but for its event and for who is thrown out. Returns whether something was deleted.
pub(super) fn write(connection: &Connection, room: i64, measure: &Measure) -> Result<bool> {
    let Measure { event, target, ban, key, .. } = measure;
    let time = event.time_ms.cast_signed();
    let mut has_deleted = false;
    if let Some(ban) = ban {
        let over = "DELETE FROM ban WHERE room = ?1 AND until <= ?2";
        has_deleted |= connection.prepare_cached(over)?.execute([room, time])? > 0;
        connection.prepare_cached("INSERT OR REPLACE INTO ban VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
            params![
                room,
                ban.name.as_str(),
                ban.token.map(|token| *token.as_bytes()),
                ban.account.map(|account| account.0.cast_signed()),
                ban.address.map(|address| address.to_bits().cast_signed()),
                stored_time(ban.until_ms),
                ban.by.as_str()
            ],
        )?;
    }
    let set_operator = |is_operator: bool| {
        connection
            .prepare_cached("UPDATE member SET is_operator = ?3 WHERE room = ?1 AND author = ?2")?
            .execute(params![room, target.map(|target| target.0), is_operator])
    };
    let set_flag = |statement| connection.prepare_cached(statement)?.execute([room]);
    match &event.body {
        Body::Topic { text } => {
            connection
                .prepare_cached("UPDATE room SET topic = ?2 WHERE room = ?1")?
                .execute(params![room, text.as_ref().map(Text::as_str)])?;
            // The one before it is gone.
            has_deleted = true;
        }
        Body::Mode { change } => {
            match change {
                ModeChange::Op(_) => drop(set_operator(true)?),
                ModeChange::Deop(_) => drop(set_operator(false)?),
                ModeChange::Mute { name, seconds } => {
                    let over = "DELETE FROM mute WHERE room = ?1 AND until <= ?2";
                    has_deleted |= connection.prepare_cached(over)?.execute([room, time])? > 0;
                    let until = seconds.map(|seconds| event.time_ms.saturating_add(seconds.saturating_mul(1000)));
                    connection
                        .prepare_cached("INSERT OR REPLACE INTO mute VALUES (?1, ?2, ?3, ?4)")?
                        .execute(params![room, target.map(|target| target.0), name.as_str(), until.map(stored_time)])?;
                }
                ModeChange::Unmute(_) => {
                    connection
                        .prepare_cached("DELETE FROM mute WHERE room = ?1 AND author = ?2")?
                        .execute(params![room, target.map(|target| target.0)])?;
                    has_deleted = true;
                }
                ModeChange::Unban(name) => {
                    connection
                        .prepare_cached("DELETE FROM ban WHERE room = ?1 AND name = ?2")?
                        .execute(params![room, name.as_str()])?;
                    has_deleted = true;
                }
                ModeChange::Lock => drop(set_flag("UPDATE room SET is_locked = 1 WHERE room = ?1")?),
                ModeChange::Unlock => drop(set_flag("UPDATE room SET is_locked = 0 WHERE room = ?1")?),
                ModeChange::Key => {
                    connection
                        .prepare_cached("UPDATE room SET key_hash = ?2 WHERE room = ?1")?
                        .execute(params![room, key.map(|key| *key.as_bytes())])?;
                }
                ModeChange::Unkey => drop(set_flag("UPDATE room SET key_hash = NULL WHERE room = ?1")?),
                ModeChange::Slow { seconds } => {
                    connection
                        .prepare_cached("UPDATE room SET slow_seconds = ?2 WHERE room = ?1")?
                        .execute(params![room, seconds])?;
                }
                ModeChange::Ban { .. } => (),
            }
        }
        _ => (),
    }
    Ok(has_deleted)
}

/// A ban keeps out an address as well.
pub(super) fn complete_ban(connection: &Connection, room: i64, name: &Name, address: Address) -> Result<()> {
    connection.prepare_cached("UPDATE ban SET address = ?3 WHERE room = ?1 AND name = ?2")?.execute(params![
        room,
        name.as_str(),
        address.to_bits().cast_signed()
    ])?;
    Ok(())
}

/// The room is over.
pub(super) fn delete(connection: &Connection, room: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM ban WHERE room = ?1")?.execute([room])?;
    connection.prepare_cached("DELETE FROM mute WHERE room = ?1")?.execute([room])?;
    connection.prepare_cached("UPDATE room SET topic = NULL, key_hash = NULL WHERE room = ?1")?.execute([room])?;
    Ok(())
}

/// Reads what operators have made of rooms. `rooms`: those that are not over, by their rows.
pub(super) fn read(connection: &Connection, rooms: &mut HashMap<i64, &mut RoomRules>) -> Result<()> {
    let mut select = connection.prepare(
        "SELECT room, topic, is_locked, key_hash, slow_seconds FROM room \
         WHERE topic IS NOT NULL OR is_locked OR key_hash IS NOT NULL OR slow_seconds > 0",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Some(rules) = rooms.get_mut(&row.get(0)?) else { continue };
        let has_topic = row.get_ref(1)? != rusqlite::types::ValueRef::Null;
        let topic = |text: &str| Text::clean(text, usize::MAX).ok();
        rules.topic = has_topic.then(|| columns::parsed(row, 1, topic)).transpose()?;
        rules.is_locked = row.get(2)?;
        rules.key = row.get::<_, Option<[u8; 32]>>(3)?.map(KeyHash::from_bytes);
        rules.slow_seconds = row.get(4)?;
    }
    let mut select = connection.prepare("SELECT room, author FROM member WHERE is_operator ORDER BY room, author")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Some(rules) = rooms.get_mut(&row.get(0)?) else { continue };
        rules.operators.push(columns::author(row, 1)?);
    }
    let mut select =
        connection.prepare("SELECT room, name, token_hash, account, address, until, banned_by FROM ban")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Some(rules) = rooms.get_mut(&row.get(0)?) else { continue };
        rules.bans.push(Ban {
            name: columns::parsed(row, 1, Name::parse)?,
            token: row.get::<_, Option<[u8; 16]>>(2)?.map(ShortTokenHash::from_bytes),
            account: row.get::<_, Option<i64>>(3)?.map(|account| AccountId(account.cast_unsigned())),
            address: row.get::<_, Option<i64>>(4)?.map(|address| Address::from_bits(address.cast_unsigned())),
            until_ms: columns::number(row, 5)?,
            by: columns::parsed(row, 6, Name::parse)?,
        });
    }
    let mut select = connection.prepare("SELECT room, author, name, until FROM mute")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Some(rules) = rooms.get_mut(&row.get(0)?) else { continue };
        let until = row.get::<_, Option<i64>>(3)?;
        rules.mutes.push(Mute {
            author: columns::author(row, 1)?,
            name: columns::parsed(row, 2, Name::parse)?,
            until_ms: until.map(|until| until.max(0).cast_unsigned()),
        });
    }
    Ok(())
}

/// A time that may be beyond all that are stored.
fn stored_time(time_ms: u64) -> i64 {
    time_ms.try_into().unwrap_or(i64::MAX)
}
