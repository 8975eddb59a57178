//! The way from older versions of the data file to the one that is written. Version 1 has members' tokens as they are;
//! in version 2 what was said stays as it was said and is not searched, there are no accounts, and no operators in rooms; in
//! version 3 no files are shared; in version 4 whoever left for good is forgotten at once.

use rusqlite::{Connection, Result, Transaction, TransactionBehavior, params};

use super::{columns, schema};
use crate::rooms::Token;

/// What is no longer than this is rewritten in memory, which needs no place for temporary files.
const MEMORY_BYTES: i64 = 64 << 20;

/// Makes a file of an older version one of ours, wholly or not at all. A file of version 1 is not marked as closed after
/// that, so that it is cleaned whenever it is opened next.
pub(super) fn migrate(connection: &Connection, version: i32) -> Result<()> {
    log::info!("the data file is of version {version}, and is made one of version {}", schema::VERSION);
    if version < 2 {
        rewrite(connection)?;
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if version < 2 {
        migrate_to_2(&transaction)?;
    }
    if version < 3 {
        complete_2(&transaction)?;
        migrate_to_3(&transaction)?;
    }
    if version < 4 {
        transaction.execute_batch(schema::FILES)?;
    }
    transaction.execute_batch(schema::LEFT)?;
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
    transaction.commit()
}

/// What was said is put into the index for searching later, while the program runs.
fn migrate_to_3(connection: &Connection) -> Result<()> {
    connection.execute_batch(schema::AMENDMENTS)?;
    connection.execute_batch(schema::SEARCH)?;
    connection.execute_batch(schema::ACCOUNTS)?;
    add_operators(connection)
}

fn migrate_to_2(connection: &Connection) -> Result<()> {
    connection
        .execute_batch(&format!("ALTER TABLE member RENAME TO old_member; DROP INDEX departed; {}", schema::MEMBERS))?;
    hash_tokens(connection)?;
    connection.execute_batch("DROP TABLE old_member; UPDATE file SET was_closed = 0;")?;
    key_messages(connection)
}

/// In each room, who has been present longest keeps order from here on.
fn add_operators(connection: &Connection) -> Result<()> {
    connection.execute_batch(&format!(
        "{} UPDATE member SET is_operator = 1 WHERE departed IS NULL AND author = \
         (SELECT min(author) FROM member AS other WHERE other.room = member.room AND other.departed IS NULL);",
        schema::MODERATION
    ))
}

/// Has all messages found by their clients' ids.
fn key_messages(connection: &Connection) -> Result<()> {
    connection.execute_batch(&format!(
        "DROP INDEX IF EXISTS said; {} ALTER TABLE room ADD COLUMN keyed_id INTEGER NOT NULL DEFAULT 0; \
         {} WHERE cid IS NOT NULL; \
         UPDATE room SET keyed_id = coalesce((SELECT max(id) FROM event WHERE event.room = room.room), 0);",
        schema::MESSAGE_KEYS,
        schema::key_messages()
    ))
}

/// Early files of version 2 have an index instead of the table of client ids.
fn complete_2(connection: &Connection) -> Result<()> {
    if connection.table_exists(None, "message_key")? { Ok(()) } else { key_messages(connection) }
}

/// Writes the whole file anew: version 1 has left what it deleted where it stood.
fn rewrite(connection: &Connection) -> Result<()> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let is_small = number("page_count")? * number("page_size")? <= MEMORY_BYTES;
    connection.pragma_update(None, "temp_store", if is_small { "memory" } else { "default" })?;
    connection.execute_batch("VACUUM")?;
    connection.pragma_update(None, "temp_store", "default")
}

fn hash_tokens(connection: &Connection) -> Result<()> {
    let mut select =
        connection.prepare("SELECT room, author, token, name, via, has_entered, departed FROM old_member")?;
    let mut insert = connection.prepare("INSERT INTO member VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = columns::parsed(row, 2, Token::parse)?.hash();
        let (room, author): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (name, via): (String, String) = (row.get(3)?, row.get(4)?);
        let (has_entered, departed): (i64, Option<i64>) = (row.get(5)?, row.get(6)?);
        insert.execute(params![room, author, hash.as_bytes(), name, via, has_entered, departed])?;
    }
    Ok(())
}
