//! Copies of a data file, made while it is in use.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::data_file::{self, Unusable};
use super::{cleaning, reader};
use crate::rooms::FileId;

/// Before it is tried again where another program was in the way.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Why there is no copy.
#[derive(Debug)]
pub enum BackupError {
    /// The file to be copied, for which there is a sentence.
    Unusable(Unusable),
    /// There is something already where the copy was to go.
    Exists,
    /// The copy cannot be written: why.
    Copy(String),
}

/// Copies a data file to a path where there is nothing yet. The file may be in use; the copy is as it was at one
/// moment, and is a data file like any other.
///
/// # Errors
/// The file cannot be read, or the copy not be written; then there is none.
pub fn back_up(path: &Path, copy: &Path) -> Result<(), BackupError> {
    let from = data_file::open_beside(path).map_err(BackupError::Unusable)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(copy).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists,
        _ => BackupError::Copy(error.to_string()),
    })?;
    write(&from, copy).map_err(|error| {
        // Half a copy is worse than none; it was ours alone.
        let _ = fs::remove_file(copy);
        BackupError::Copy(error.to_string())
    })
}

/// The files that are shared in the rooms of a data file, which may be in use. None are in one of an older version.
///
/// # Errors
/// The file cannot be read.
pub fn shared_files(path: &Path) -> Result<Vec<FileId>, Unusable> {
    let connection = data_file::open_beside(path)?;
    reader::shared_files(&connection).map_err(|error| data_file::unusable(path, &error))
}

fn write(from: &Connection, copy: &Path) -> rusqlite::Result<()> {
    let mut to = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // All at once: what is written meanwhile goes to the log beside the file, and no step has to be done again.
    Backup::new(from, &mut to)?.run_to_completion(i32::MAX, BUSY_PAUSE, None)?;
    // What was deleted is not to live on in copies. Version 1 has not overwritten it anyway.
    if data_file::version(&to)? > 1 {
        cleaning::clean_all(&to, copy)?;
    }
    // Nobody else has written to the copy, so nothing can have gone wrong with it since.
    data_file::mark_closed(&to)?;
    to.close().map_err(|(_, error)| error)
}
