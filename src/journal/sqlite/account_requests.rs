//! How `snugd account` changes a file, and asks the server that uses it to.
//!
//! Whoever runs that writes what it wants as a row of `account_request`. The server's reading thread looks for such rows
//! when somebody else has written to the file; what becomes of them is ordered with everything else, and the row goes in
//! the same transaction that does what it asks.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Result, params};

use super::accounts::stored;
use super::{SqliteJournal, Unusable, columns, data_file, schema};
use crate::journal::{Journal, Outcome};
use crate::rooms::{
    AccountAction, AccountChange, AccountId, AccountRequestId, Name, PasswordHash, Proposal, StoredAccount,
};
use crate::time::Now;

/// How long a server that runs may take to do what it is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks whether it has.
const ANSWER_PAUSE: Duration = Duration::from_millis(50);

/// More events than any room has: nothing is to be deleted by the way.
const ALL_EVENTS: usize = 1 << 40;

/// What waits to be done.
pub(super) struct RequestWatch {
    /// Changes with each commit of another connection (`PRAGMA data_version`).
    seen_version: Option<i64>,
    looks_at: Instant,
}

impl RequestWatch {
    /// How long after one look the reading thread looks again.
    const PAUSE: Duration = Duration::from_secs(1);

    /// Looks for the first time after a pause.
    pub(super) fn new() -> RequestWatch {
        RequestWatch { seen_version: None, looks_at: Instant::now() + RequestWatch::PAUSE }
    }

    /// How long it is until the next look; zero: it is due.
    pub(super) fn pause(&self) -> Duration {
        self.looks_at.saturating_duration_since(Instant::now())
    }

    /// Rows that are not done yet, if anybody has written to the file since the last time.
    pub(super) fn look(&mut self, connection: &Connection) -> Result<Vec<Outcome>> {
        self.looks_at = Instant::now() + RequestWatch::PAUSE;
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.seen_version == Some(version) {
            return Ok(Vec::new());
        }
        let mut select =
            connection.prepare_cached("SELECT request, name, action, password_hash FROM account_request")?;
        let requests = select.query_map([], |row| {
            let name = columns::parsed(row, 1, Name::parse)?;
            let hash: Option<String> = row.get(3)?;
            let hash = hash.map(|hash| PasswordHash::new(&hash));
            let action = match (row.get_ref(2)?.as_str()?, hash) {
                ("add", hash) => AccountAction::Add { name: name.clone(), hash },
                ("password", Some(hash)) => AccountAction::SetPassword(hash),
                ("remove", _) => AccountAction::Remove,
                _ => AccountAction::Nothing,
            };
            Ok(Outcome::AccountRequest { request: AccountRequestId(row.get(0)?), name, action })
        })?;
        let requests = requests.collect::<Result<Vec<_>>>()?;
        // As long as there are any it is looked again, should one have come to nothing.
        self.seen_version = requests.is_empty().then_some(version);
        Ok(requests)
    }
}

/// Why an account is not as it was wanted.
#[derive(Debug)]
pub enum AccountError {
    /// The file, for which there is a sentence.
    Unusable(Unusable),
    /// The name, or one that looks like it, is an account's already.
    Exists,
    /// There is no such account.
    Missing,
    /// The server that uses the file does not answer.
    NoAnswer,
}

/// The names of all accounts in a file, which may be in use.
///
/// # Errors
/// The file cannot be used.
pub fn account_names(path: &Path) -> std::result::Result<Vec<Name>, AccountError> {
    let connection = data_file::open_beside(path).map_err(AccountError::Unusable)?;
    let unusable = |error| AccountError::Unusable(data_file::unusable(path, &error));
    if !connection.table_exists(None, "account").map_err(unusable)? {
        return Ok(Vec::new());
    }
    Ok(stored(&connection).map_err(unusable)?.into_iter().map(|account| account.name).collect())
}

/// Adds, changes or removes the account with this name: in the file, or by the server that uses it.
///
/// # Errors
/// That was not done, and why.
pub fn change_account(path: &Path, name: &Name, action: AccountAction) -> std::result::Result<(), AccountError> {
    if data_file::is_in_use(path) { ask_server(path, name, &action) } else { change_in_file(path, name, action) }
}

/// Nobody uses the file: this process does for a moment.
fn change_in_file(path: &Path, name: &Name, action: AccountAction) -> std::result::Result<(), AccountError> {
    let opened = SqliteJournal::open(path, ALL_EVENTS, || ());
    let (mut journal, _) = opened.map_err(AccountError::Unusable)?;
    let known = journal.take_stored_accounts().into_iter().find(|account| account.name.is_same(name));
    let account = match (&action, known) {
        (AccountAction::Add { .. }, Some(_)) => return Err(AccountError::Exists),
        (AccountAction::Add { .. }, None) => AccountId::random(&mut rand::rng()),
        (_, Some(known)) => known.account,
        (_, None) => return Err(AccountError::Missing),
    };
    journal.submit(Proposal::of_account(AccountChange { account, action, bearers: Vec::new(), request: None }));
    journal.dispatch(Now::default());
    match journal.wait_for_outcome() {
        Some(Outcome::Committed(_)) => Ok(()),
        _ => Err(AccountError::NoAnswer),
    }
}

fn ask_server(path: &Path, name: &Name, action: &AccountAction) -> std::result::Result<(), AccountError> {
    let unusable = |error| AccountError::Unusable(data_file::unusable(path, &error));
    let connection = data_file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unusable)?;
    if data_file::version(&connection).map_err(unusable)? != schema::VERSION {
        return Err(AccountError::NoAnswer);
    }
    ask(&connection, name, action).map_err(unusable)?
}

/// Leaves a row, waits until it is gone, and looks at what has become of it.
fn ask(connection: &Connection, name: &Name, action: &AccountAction) -> Result<std::result::Result<(), AccountError>> {
    connection.busy_timeout(ANSWER_LIMIT)?;
    connection.pragma_update(None, "secure_delete", true)?;
    let (word, hash) = match action {
        AccountAction::Add { hash, .. } => ("add", hash.as_ref()),
        AccountAction::SetPassword(hash) => ("password", Some(hash)),
        AccountAction::Remove => ("remove", None),
        AccountAction::Nothing => return Ok(Ok(())),
    };
    let hash = hash.map(PasswordHash::as_str);
    let had_account = is_known(connection, name)?;
    let request: i64 = connection.query_row(
        "INSERT INTO account_request (name, action, password_hash) VALUES (?1, ?2, ?3) RETURNING request",
        params![name.as_str(), word, hash],
        |row| row.get(0),
    )?;
    let started = Instant::now();
    while connection.prepare_cached("SELECT 1 FROM account_request WHERE request = ?1")?.exists([request])? {
        if started.elapsed() >= ANSWER_LIMIT {
            connection.execute("DELETE FROM account_request WHERE request = ?1", [request])?;
            return Ok(Err(AccountError::NoAnswer));
        }
        thread::sleep(ANSWER_PAUSE);
    }
    let has_hash = |hash: &str| -> Result<bool> {
        connection.prepare("SELECT 1 FROM account WHERE password_hash = ?1")?.exists([hash])
    };
    Ok(match (action, hash) {
        (AccountAction::Remove, _) if had_account => Ok(()),
        (AccountAction::Add { .. }, Some(hash)) if !has_hash(hash)? => Err(AccountError::Exists),
        (AccountAction::Add { .. }, _) => Ok(()),
        (_, Some(hash)) if has_hash(hash)? => Ok(()),
        _ => Err(AccountError::Missing),
    })
}

/// Whether the file has an account with this name.
fn is_known(connection: &Connection, name: &Name) -> Result<bool> {
    Ok(stored(connection)?.iter().any(|account: &StoredAccount| account.name.is_same(name)))
}
