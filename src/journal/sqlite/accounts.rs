//! Accounts in the file: what a change of one means for the tables.

use rusqlite::{Connection, Result, params};

use super::columns;
use crate::rooms::{AccountAction, AccountChange, AccountId, AccountRequestId, Name, PasswordHash, StoredAccount};

/// Writes a change of an account, within a transaction.
pub(super) fn write(connection: &Connection, change: &AccountChange) -> Result<()> {
    let account = change.account.0.cast_signed();
    match &change.action {
        AccountAction::Add { name, hash } => {
            connection.prepare_cached("INSERT INTO account VALUES (?1, ?2, ?3)")?.execute(params![
                account,
                name.as_str(),
                hash.as_ref().map(PasswordHash::as_str)
            ])?;
            mark_bearers(connection, change)?;
        }
        AccountAction::SetPassword(hash) => {
            connection
                .prepare_cached("UPDATE account SET password_hash = ?2 WHERE account = ?1")?
                .execute(params![account, hash.as_str()])?;
            forget_bearers(connection, account)?;
            mark_bearers(connection, change)?;
        }
        AccountAction::Remove => {
            forget_bearers(connection, account)?;
            connection.prepare_cached("DELETE FROM account WHERE account = ?1")?.execute([account])?;
        }
        AccountAction::Nothing => (),
    }
    if let Some(AccountRequestId(request)) = change.request {
        connection.prepare_cached("DELETE FROM account_request WHERE request = ?1")?.execute([request])?;
    }
    Ok(())
}

fn forget_bearers(connection: &Connection, account: i64) -> Result<()> {
    connection.prepare_cached("UPDATE member SET account = NULL WHERE account = ?1")?.execute([account])?;
    Ok(())
}

fn mark_bearers(connection: &Connection, change: &AccountChange) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE member SET account = ?1 WHERE room = (SELECT room FROM room WHERE epoch = ?2) AND author = ?3",
    )?;
    for (epoch, author) in &change.bearers {
        update.execute(params![change.account.0.cast_signed(), epoch.to_string(), author.0])?;
    }
    Ok(())
}

/// Every account.
pub(super) fn stored(connection: &Connection) -> Result<Vec<StoredAccount>> {
    let mut select = connection.prepare("SELECT account, name, password_hash FROM account ORDER BY name")?;
    let accounts = select.query_map([], |row| {
        let hash: Option<String> = row.get(2)?;
        Ok(StoredAccount {
            account: AccountId(columns::number(row, 0)?),
            name: columns::parsed(row, 1, Name::parse)?,
            hash: hash.map(|hash| PasswordHash::new(&hash)),
        })
    })?;
    accounts.collect()
}
