//! Who has a place in a room, who had one and may come back, and who left for good.

use rusqlite::{Connection, Result, params};

use super::{columns, schema};
use crate::rooms::{AuthorId, Left, MAX_DEPARTED, MAX_LEFT, Newcomer, ShortTokenHash};

/// Somebody takes a place. Who comes back is still an operator if it was one.
pub(super) fn insert(connection: &Connection, room: i64, newcomer: &Newcomer) -> Result<()> {
    let Newcomer { author, token, name, via, account, becomes_operator } = newcomer;
    let account = account.map(|account| account.0.cast_signed());
    let short_hash = ShortTokenHash::from(token);
    connection
        .prepare_cached("DELETE FROM left_for_good WHERE room = ?1 AND (author = ?2 OR token_hash = ?3)")?
        .execute(params![room, author.0, short_hash.as_bytes()])?;
    connection
        .prepare_cached(
            "INSERT INTO member (room, author, token_hash, name, via, has_entered, departed, account, is_operator, \
             seniority) VALUES (?1, ?2, ?3, ?4, ?5, 0, NULL, ?6, ?7, \
             max(?2, (SELECT last_author FROM room WHERE room = ?1))) ON CONFLICT DO UPDATE SET token_hash = ?3, name = ?4, \
             via = ?5, has_entered = 0, departed = NULL, account = ?6, is_operator = max(is_operator, ?7)",
        )?
        .execute(params![room, author.0, token.as_bytes(), name.as_str(), via.as_str(), account, becomes_operator])?;
    number_author(connection, room, *author)
}

/// Somebody has this number, and nobody else ever.
pub(super) fn number_author(connection: &Connection, room: i64, author: AuthorId) -> Result<()> {
    connection
        .prepare_cached("UPDATE room SET last_author = max(last_author, ?2) WHERE room = ?1")?
        .execute(params![room, author.0])?;
    Ok(())
}

/// Frees a place; its secret still tells who it was, unless too many have left after that. Returns whether one of
/// those who left before is forgotten.
pub(super) fn depart(connection: &Connection, room: i64, author: u32) -> Result<bool> {
    connection
        .prepare_cached(
            "UPDATE member SET has_entered = 0, departed = 1 + coalesce( \
             (SELECT max(departed) FROM member WHERE room = ?1 AND departed IS NOT NULL), 0) \
             WHERE room = ?1 AND author = ?2",
        )?
        .execute(params![room, author])?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM member WHERE room = ?1 AND departed <= \
         (SELECT departed FROM member WHERE room = ?1 AND departed IS NOT NULL \
         ORDER BY departed DESC LIMIT 1 OFFSET ?2) RETURNING author",
    )?;
    let forgotten = delete.query_map(params![room, MAX_DEPARTED as i64], |row| row.get(0))?;
    let forgotten = forgotten.collect::<Result<Vec<u32>>>()?;
    forgotten.iter().try_for_each(|author| forget_last_messages(connection, room, *author))?;
    Ok(!forgotten.is_empty())
}

/// Somebody leaves for good: its secret tells only which number it had, unless too many have left so after that.
pub(super) fn leave(connection: &Connection, room: i64, author: AuthorId) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO left_for_good (room, author, token_hash) \
             SELECT room, author, substr(token_hash, 1, 16) FROM member WHERE room = ?1 AND author = ?2",
        )?
        .execute(params![room, author.0])?;
    connection
        .prepare_cached("DELETE FROM member WHERE room = ?1 AND author = ?2")?
        .execute(params![room, author.0])?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM left_for_good WHERE room = ?1 AND number <= \
         (SELECT number FROM left_for_good WHERE room = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2) RETURNING author",
    )?;
    let forgotten = delete.query_map(params![room, MAX_LEFT as i64], |row| row.get(0))?;
    let forgotten = forgotten.collect::<Result<Vec<u32>>>()?;
    forgotten.iter().try_for_each(|author| forget_last_messages(connection, room, *author))
}

/// The room is over.
pub(super) fn delete(connection: &Connection, room: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM member WHERE room = ?1")?.execute([room])?;
    connection.prepare_cached("DELETE FROM left_for_good WHERE room = ?1")?.execute([room])?;
    Ok(())
}

/// Those who left rooms for good, by the rooms' rows, the one who left first first.
pub(super) fn read_left(connection: &Connection) -> Result<Vec<(i64, Left)>> {
    let mut select = connection.prepare("SELECT room, author, token_hash FROM left_for_good ORDER BY room, number")?;
    let left = select.query_map([], |row| {
        let (author, token) = (columns::author(row, 1)?, columns::short_token_hash(row, 2)?);
        Ok((row.get(0)?, Left { author, token }))
    })?;
    left.collect()
}

/// Somebody is known no more, and says nothing again.
fn forget_last_messages(connection: &Connection, room: i64, author: u32) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM message_key WHERE room = ?1 AND segment = ?2 AND author = ?3")?
        .execute(params![room, schema::LAST_MESSAGES, author])?;
    Ok(())
}
