//! The file itself: found, locked, checked, and opened; or refused with a sentence that says what to do.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, Error, MAIN_DB, OpenFlags, ffi};

use super::fault::{WriteFault, extended_code, is_locked};
use super::{cleaning, migration, schema};

/// Another program may hold the file for a moment: somebody looks into it with SQLite's own shell, say.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// And for so long, for a backup, before what would have to be stored is refused.
pub(super) const LOCKED_LIMIT: Duration = Duration::from_secs(30);

/// What is left of the write-ahead log in its file when it begins anew.
const LOG_LIMIT_BYTES: i64 = 16 << 20;

/// Why a data file cannot be used: a sentence for whoever started the program.
#[derive(Debug)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A data file that is this process's alone.
pub(super) struct DataFile {
    /// Where it really is.
    pub path: PathBuf,
    /// Held as long as the file is in use; the system releases it when the process ends, however it does.
    pub lock: File,
    pub connection: Connection,
    /// It was closed in good order, with nothing left in it of what was deleted.
    pub is_clean: bool,
}

impl DataFile {
    /// Opens the file for writing, and makes it if there is none.
    pub(super) fn open(path: &Path) -> Result<DataFile, Unusable> {
        let path = find_or_create(path)?;
        let lock = lock(&path)?;
        let has_log = has_log(&path);
        let unusable = |error| unusable(&path, &error);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unusable)?;
        if connection.is_readonly(MAIN_DB).map_err(unusable)? {
            return Err(not_writable(&path));
        }
        wait_until_unlocked(&connection).map_err(unusable)?;
        let mut is_clean = true;
        if is_new(&connection).map_err(unusable)? {
            set_up(&connection).and_then(|()| schema::create(&connection)).map_err(unusable)?;
        } else {
            let version = check_marks(&connection, &path)?;
            set_up(&connection).map_err(unusable)?;
            is_clean = was_closed(&connection).map_err(unusable)?;
            if !is_clean {
                check_whole(&connection, &path)?;
            }
            if version < schema::VERSION {
                migration::migrate(&connection, version).map_err(unusable)?;
            }
            if version < schema::VERSION && (version < 2 || !is_clean) {
                let cleaned = cleaning::clean_all(&connection, &path).and_then(|()| empty_log(&connection));
                is_clean = match cleaned.map_err(WriteFault::of) {
                    Ok(()) => true,
                    // It is tried again while it is in use.
                    Err(WriteFault::Locked(_) | WriteFault::Passing(_)) => false,
                    Err(WriteFault::Final(error)) => return Err(unusable(error)),
                };
            }
        }
        mark(&connection, false).map_err(unusable)?;
        Ok(DataFile { path, lock, connection, is_clean: is_clean && !has_log })
    }
}

/// Opens a file for reading beside whoever may write to it.
pub(super) fn open_beside(path: &Path) -> Result<Connection, Unusable> {
    if !path.exists() {
        return Err(Unusable(format!("There is no file {}; name the one given with --data.", path.display())));
    }
    refuse_folder(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| unusable(path, &error))?;
    // What older versions lack is not asked for.
    check_marks(&connection, path)?;
    Ok(connection)
}

/// Whether a snugd uses the file at this time.
pub(super) fn is_in_use(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let mut name = path.into_os_string();
    name.push("-lock");
    let Ok(file) = OpenOptions::new().write(true).open(name) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Opens another connection to a file that is open already.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, Unusable> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = connection.and_then(|connection| connection.busy_timeout(LOCKED_LIMIT).map(|()| connection));
    connection.map_err(|error| unusable(path, &error))
}

pub(super) fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Waits for another program that holds the file. No other snugd does: that is known by now.
fn wait_until_unlocked(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries_left = LOCKED_LIMIT.as_secs() / BUSY_TIMEOUT.as_secs();
    loop {
        match connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
            Err(error) if is_locked(&error) && tries_left > 0 => {
                log::info!("another program holds the data file, which is waited for");
                tries_left -= 1;
            }
            result => return result,
        }
    }
}

/// Durable by a write-ahead log that is synced at every commit; what is deleted is overwritten.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    let _mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    // The writer does it itself, since it wants to know how it went.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT_BYTES, |_| Ok(()))
}

/// Whether something is left of a log beside the file, as after a crash.
fn has_log(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(name).is_ok_and(|log| log.len() > 0)
}

/// Moves the log into the file and leaves nothing in it, unless somebody else is reading.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    // Waiting for whoever reads would keep everything else waiting.
    connection.busy_timeout(Duration::ZERO)?;
    let emptied = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    emptied.map(|_| ())
}

/// The end in good order: the next start need not check the file.
pub(super) fn mark_closed(connection: &Connection) -> rusqlite::Result<()> {
    mark(connection, true)
}

/// Writes something, within a transaction that leaves everything as it is. What does not change would not be written.
pub(super) fn probe(connection: &Connection) -> rusqlite::Result<()> {
    mark(connection, true)?;
    mark(connection, false)
}

fn mark(connection: &Connection, was_closed: bool) -> rusqlite::Result<()> {
    connection.execute("UPDATE file SET was_closed = ?1", [was_closed]).map(|_| ())
}

fn was_closed(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT was_closed FROM file", [], |row| row.get(0))
}

// ---- finding and locking

fn find_or_create(path: &Path) -> Result<PathBuf, Unusable> {
    refuse_folder(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // What was said there is nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => (),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path).display();
            return Err(Unusable(format!("There is no folder {folder} for the data file; create it first.")));
        }
        Err(error) => return Err(cannot_create(path, &error)),
    }
    // By whatever way it is named, it is one file and has one lock.
    path.canonicalize().map_err(|error| cannot_create(path, &error))
}

fn refuse_folder(path: &Path) -> Result<(), Unusable> {
    if path.is_dir() {
        let path = path.display();
        return Err(Unusable(format!("{path} is a folder; name a file in it, such as {path}/snugd.db.")));
    }
    Ok(())
}

fn cannot_create(path: &Path, error: &io::Error) -> Unusable {
    let path = path.display();
    Unusable(format!("The data file {path} cannot be opened ({error}); choose a place where this user may write."))
}

/// Locks a file beside it: locks on the file itself are SQLite's own, and the system would release those when any
/// handle of ours is closed.
fn lock(path: &Path) -> Result<File, Unusable> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&name);
    let file = file.map_err(|_| not_writable(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        Err(TryLockError::Error(error)) => {
            let path = path.display();
            Err(Unusable(format!(
                "The data file {path} cannot be locked ({error}); keep it on a disk of this machine."
            )))
        }
    }
}

// ---- checking

fn is_new(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// Which version of the data file it is.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The version, which is one of those that this program knows.
fn check_marks(connection: &Connection, path: &Path) -> Result<i32, Unusable> {
    let mark = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let unusable = |error| unusable(path, &error);
    if mark("application_id").map_err(unusable)? != schema::APPLICATION_ID {
        return Err(foreign(path));
    }
    match mark("user_version").map_err(unusable)? {
        version @ 1..=schema::VERSION => Ok(version),
        version => Err(Unusable(format!(
            "The data file {} was written by a newer snugd (its format is {version}, this one knows {}); use that \
             one, or another file.",
            path.display(),
            schema::VERSION
        ))),
    }
}

/// The last stop was none in good order: what the disk has made of it is looked at before anybody relies on it.
fn check_whole(connection: &Connection, path: &Path) -> Result<(), Unusable> {
    log::info!("the data file was not closed in good order, and is being checked");
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(damaged(path, &verdict)),
        Err(error) => Err(unusable(path, &error)),
    }
}

// ---- error messages

/// What an error at the start means for whoever named the file.
pub(super) fn unusable(path: &Path, error: &Error) -> Unusable {
    let shown = path.display();
    let extended = extended_code(error);
    match extended & 0xFF {
        ffi::SQLITE_NOTADB => foreign(path),
        ffi::SQLITE_CORRUPT => damaged(path, &error.to_string()),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => in_use(path),
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_CANTOPEN => not_writable(path),
        // The latter is what SQLite says if there is none for the file that its connections share.
        _ if matches!(extended, ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE) => {
            Unusable(format!("There is no room left on the disk of {shown}; make some."))
        }
        // None of SQLite's: a value that this program does not write.
        0 | ffi::SQLITE_ERROR => damaged(path, &error.to_string()),
        _ => Unusable(format!("The data file {shown} cannot be read ({error}); see that its disk is well.")),
    }
}

fn foreign(path: &Path) -> Unusable {
    let path = path.display();
    Unusable(format!("{path} is no data file of snugd; name another, or one that does not exist yet."))
}

fn damaged(path: &Path, how: &str) -> Unusable {
    let path = path.display();
    let how = how.trim_end_matches('.').replace('\n', " ");
    Unusable(format!(
        "The data file {path} is damaged ({how}); put a backup in its place, or move it and {path}-wal away to begin \
         anew."
    ))
}

fn in_use(path: &Path) -> Unusable {
    let path = path.display();
    Unusable(format!("The data file {path} is in use by another program, most likely a snugd: stop that one."))
}

fn not_writable(path: &Path) -> Unusable {
    let path = path.display();
    Unusable(format!("The data file {path} cannot be written; give this user the right to write it and its folder."))
}
