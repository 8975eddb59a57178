//! What a failure of the disk or of SQLite means: whether it passes, or is the end.

use rusqlite::{Error, ffi};

/// Why something was not done.
#[derive(Debug)]
pub(super) enum WriteFault {
    /// Another program holds the file. Nothing of it was stored.
    Locked(Error),
    /// It may succeed later: the disk is full, say. Nothing of it was stored.
    Passing(Error),
    /// What was said to be durable, or was not, may not be trusted from here on.
    Final(Error),
}

impl WriteFault {
    /// Of anything but the end of a transaction.
    pub(super) fn of(error: Error) -> WriteFault {
        match error {
            error if is_locked(&error) => WriteFault::Locked(error),
            error if is_passing(&error) => WriteFault::Passing(error),
            error => WriteFault::Final(error),
        }
    }

    /// Of the end of a transaction that has been taken back since. Only where it is known that the last page of it
    /// did not get into the log, it is known as well that a crash will not bring it back.
    pub(super) fn of_commit(error: Error) -> WriteFault {
        let is_known = is_locked(&error)
            || matches!(extended_code(&error), ffi::SQLITE_FULL | ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_NOMEM);
        if is_known { WriteFault::of(error) } else { WriteFault::Final(error) }
    }
}

/// Whether another program holds the file.
pub(super) fn is_locked(error: &Error) -> bool {
    matches!(extended_code(error) & 0xFF, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED)
}

/// Whether the same may succeed later, on the same handle.
///
/// After a failed fsync the system forgets what it could not write, and reports success at the next one: so that is the
/// end of the handle.
fn is_passing(error: &Error) -> bool {
    let extended = extended_code(error);
    let is_lost = matches!(
        extended,
        ffi::SQLITE_IOERR_FSYNC
            | ffi::SQLITE_IOERR_DIR_FSYNC
            | ffi::SQLITE_IOERR_CORRUPTFS
            | ffi::SQLITE_IOERR_DATA
            | ffi::SQLITE_READONLY_DBMOVED
    );
    let primary = extended & 0xFF;
    !is_lost
        && matches!(
            primary,
            ffi::SQLITE_FULL
                | ffi::SQLITE_IOERR
                | ffi::SQLITE_READONLY
                | ffi::SQLITE_NOMEM
                | ffi::SQLITE_CANTOPEN
                | ffi::SQLITE_PERM
        )
}

/// SQLite's own code for it; 0 if it is not SQLite's.
pub(super) fn extended_code(error: &Error) -> i32 {
    error.sqlite_error().map_or(0, |error| error.extended_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_full_disk_passes_and_a_failed_fsync_does_not() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_READONLY] {
            assert!(matches!(WriteFault::of(error(code)), WriteFault::Passing(_)), "{code}");
        }
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_RECOVERY, ffi::SQLITE_LOCKED] {
            assert!(matches!(WriteFault::of(error(code)), WriteFault::Locked(_)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC, ffi::SQLITE_CORRUPT, ffi::SQLITE_CONSTRAINT]
        {
            assert!(matches!(WriteFault::of(error(code)), WriteFault::Final(_)), "{code}");
            assert!(matches!(WriteFault::of_commit(error(code)), WriteFault::Final(_)), "{code}");
        }
    }

    #[test]
    fn a_commit_must_be_known_not_to_have_happened() {
        assert!(matches!(WriteFault::of_commit(error(ffi::SQLITE_FULL)), WriteFault::Passing(_)));
        assert!(matches!(WriteFault::of_commit(error(ffi::SQLITE_IOERR_WRITE)), WriteFault::Passing(_)));
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_RECOVERY, ffi::SQLITE_BUSY_SNAPSHOT] {
            assert!(matches!(WriteFault::of_commit(error(code)), WriteFault::Locked(_)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_TRUNCATE, ffi::SQLITE_IOERR_SHMMAP] {
            assert!(matches!(WriteFault::of_commit(error(code)), WriteFault::Final(_)), "{code}");
        }
    }
}
