//! What the reading thread does: parts of files are read for those who are sent them.
//!
//! A file stays open from one part to the next, as long as they come soon. So many stay open at the most that a crowd of
//! slow readers takes no descriptors from those who connect.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::folder::Folder;
use super::{CHUNK_BYTES, ReaderId};
use crate::rooms::FileId;

/// Files that stay open.
const MOST_OPEN: usize = 8;

/// Nothing was read for so long: what was removed meanwhile is to leave the disk.
const IDLE: Duration = Duration::from_secs(1);

/// Bytes to be read.
pub(super) struct ReadJob {
    pub(super) reader: ReaderId,
    pub(super) id: FileId,
    pub(super) position: u64,
    pub(super) length_bytes: usize,
    pub(super) buffer: Vec<u8>,
}

/// A file that is open for somebody.
struct Open {
    reader: ReaderId,
    id: FileId,
    file: File,
    /// Where it goes on.
    position: u64,
}

/// The reading thread.
pub(super) fn read_all(folder: &Folder, jobs: &Receiver<ReadJob>, answer: impl Fn(ReaderId, Option<Vec<u8>>)) {
    let mut open = Vec::with_capacity(MOST_OPEN);
    loop {
        let job = if open.is_empty() { jobs.recv().map_err(RecvTimeoutError::from) } else { jobs.recv_timeout(IDLE) };
        match job {
            Ok(job) => {
                let reader = job.reader;
                let bytes = read(folder, &mut open, job);
                let bytes = bytes.inspect_err(|error| log::debug!("a shared file cannot be read ({error})"));
                answer(reader, bytes.ok());
            }
            Err(RecvTimeoutError::Timeout) => open.clear(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn read(folder: &Folder, open: &mut Vec<Open>, job: ReadJob) -> io::Result<Vec<u8>> {
    let mut own = match open.iter().position(|open| (open.reader, open.id) == (job.reader, job.id)) {
        Some(index) => open.remove(index),
        None => Open { reader: job.reader, id: job.id, file: File::open(folder.path_of(job.id))?, position: 0 },
    };
    if own.position != job.position {
        own.file.seek(SeekFrom::Start(job.position))?;
    }
    let mut bytes = job.buffer;
    // One that was full needs not be made so first.
    bytes.resize(job.length_bytes.min(CHUNK_BYTES), 0);
    let mut count = 0;
    while count < bytes.len() {
        match own.file.read(&mut bytes[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(count);
    own.position = job.position + count as u64;
    // The one that was read last comes last.
    if open.len() == MOST_OPEN {
        open.remove(0);
    }
    open.push(own);
    Ok(bytes)
}
