//! What was deleted is to be found nowhere in the files any more.
//!
//! With `secure_delete` SQLite overwrites what it deletes where it stands, and pages that become free. Copies are
//! left in two places. The write-ahead log holds pages as they were. And when SQLite puts the rows of a page together
//! anew (its `rebuildPage`), their bytes at the old places stay in the free space between the list of rows and the
//! rows: when such a row is deleted later, only the row itself is overwritten. So the log is emptied once something
//! was deleted, and before that the free space of every page in it is overwritten, by SQLite's own table of pages
//! (`sqlite_dbpage`), in a transaction like any other.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

/// From so many pages on (128 GB) a page that goes on with a long text might look like one that holds rows.
const MAX_PAGES: u32 = 1 << 25;

/// Pages that are cleaned at once while nobody waits.
pub(super) const MANY_PAGES: usize = 4096;

/// The format of the log's index, and the length of its header. It consists of blocks, each of which has the numbers of
/// so many pages and then a table of them.
const INDEX_VERSION: u32 = 3_007_000;
const INDEX_HEADER_BYTES: usize = 136;
const BLOCK_BYTES: u64 = 32 * 1024;
const BLOCK_PAGES: u32 = 4096;

/// Knows which pages may have copies of rows in their free space.
pub(super) struct Cleaner {
    index_path: PathBuf,
    /// Once opened it stays so: as soon as a process closes any handle of a file, the system releases all locks that it
    /// holds on it (fcntl(2)), SQLite's as well. Another program would take itself for the only one then, and cut the
    /// index off that is in use here.
    index: Option<File>,
    /// Distinguishes the log that was read from the one that follows in the same file.
    log_salt: [u8; 8],
    /// Pages of it that were read.
    log_frames: u32,
    /// Pages that were written since they were cleaned.
    pages: BTreeSet<u32>,
    /// The first of those of which nothing is known; all that follow are unknown as well.
    unknown_from: Option<u32>,
    has_page_table: bool,
}

impl Cleaner {
    /// Of a file in which every page is clean, but for those in its log.
    pub(super) fn new(connection: &Connection, path: &Path) -> Cleaner {
        let mut index_path = path.as_os_str().to_owned();
        index_path.push("-shm");
        let has_page_table = is_plain(connection).unwrap_or(false);
        Cleaner {
            index_path: index_path.into(),
            index: None,
            log_salt: [0; 8],
            log_frames: 0,
            pages: BTreeSet::new(),
            unknown_from: None,
            has_page_table,
        }
    }

    /// Whether pages can be cleaned at all: SQLite may have been built without the table that is needed.
    pub(super) fn can_clean(&self) -> bool {
        self.has_page_table
    }

    /// No page is known to be clean.
    pub(super) fn suspect_all(&mut self) {
        self.unknown_from = Some(1);
    }

    /// A transaction was taken back: what it wrote into the log is overwritten.
    pub(super) fn forget_log(&mut self) {
        self.log_frames = 0;
    }

    /// Takes note of the pages that were written into the log since the last time. To be called before the log may
    /// begin anew.
    pub(super) fn read_log(&mut self) {
        if let Err(error) = self.read_log_index()
            && error.kind() != ErrorKind::NotFound
        {
            log::warn!("the index of the log beside the data file cannot be read: {error}");
            self.suspect_all();
        }
    }

    /// The log's index tells which pages are in it, side by side; in the log itself they are far apart. Its format:
    /// <https://www.sqlite.org/walformat.html#the_wal_index_file_format>
    fn read_log_index(&mut self) -> io::Result<()> {
        let index = match &mut self.index {
            Some(index) => index,
            none => none.insert(File::open(&self.index_path)?),
        };
        index.rewind()?;
        let mut header = [0; INDEX_HEADER_BYTES];
        if !read_whole(index, &mut header)? {
            return Ok(());
        }
        let number_at = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if number_at(0) != INDEX_VERSION {
            return Err(io::Error::other("its format is not known"));
        }
        if self.log_salt != header[32..40] {
            self.log_salt.copy_from_slice(&header[32..40]);
            self.log_frames = 0;
        }
        let frames = number_at(16);
        while self.log_frames < frames {
            // The first block has fewer, for it has the header.
            let place = self.log_frames + INDEX_HEADER_BYTES as u32 / 4;
            let (block, in_block) = (place / BLOCK_PAGES, place % BLOCK_PAGES);
            let count = (BLOCK_PAGES - in_block).min(frames - self.log_frames);
            let mut numbers = vec![0; count as usize * 4];
            index.seek(SeekFrom::Start(u64::from(block) * BLOCK_BYTES + u64::from(in_block) * 4))?;
            index.read_exact(&mut numbers)?;
            let numbers =
                numbers.chunks_exact(4).map(|bytes| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            self.pages.extend(numbers);
            self.log_frames += count;
        }
        Ok(())
    }

    /// Pages that are known to need it.
    pub(super) fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Cleans so many pages at the most, in a transaction. True: none is left.
    pub(super) fn clean(&mut self, connection: &Connection, most: usize) -> Result<bool> {
        if self.is_done() {
            return Ok(true);
        }
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let page_count: u32 = transaction.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let numbers: Vec<u32> = match self.unknown_from {
            Some(first) => (first..=page_count).take(most).collect(),
            None => self.pages.iter().copied().take(most).collect(),
        };
        if self.has_page_table && page_count < MAX_PAGES {
            // The file has become shorter since, if there is no such page.
            clean_pages(&transaction, numbers.iter().copied().filter(|number| *number <= page_count))?;
        }
        transaction.commit()?;
        if let Some(first) = self.unknown_from {
            let next = first + numbers.len() as u32;
            self.unknown_from = (next <= page_count).then_some(next);
        }
        for number in numbers {
            self.pages.remove(&number);
        }
        Ok(self.is_done())
    }

    fn is_done(&self) -> bool {
        self.pages.is_empty() && self.unknown_from.is_none()
    }
}

fn clean_pages(connection: &Connection, numbers: impl Iterator<Item = u32>) -> Result<()> {
    let mut select = connection.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?;
    let mut update = connection.prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")?;
    for number in numbers {
        let mut page: Vec<u8> = select.query_row([number], |row| row.get(0))?;
        if let Some(free) = free_space(&page, number)
            && page[free.clone()].iter().any(|byte| *byte != 0)
        {
            page[free].fill(0);
            update.execute((number, page))?;
        }
    }
    Ok(())
}

/// Cleans every page of a file that nobody else writes to.
pub(super) fn clean_all(connection: &Connection, path: &Path) -> Result<()> {
    let mut cleaner = Cleaner::new(connection, path);
    cleaner.suspect_all();
    while !cleaner.clean(connection, MANY_PAGES)? {}
    Ok(())
}

/// Whether there is the table of pages, and no page is of a kind that this program never makes (`auto_vacuum`).
fn is_plain(connection: &Connection) -> Result<bool> {
    let first: Vec<u8> = connection.query_row("SELECT data FROM sqlite_dbpage WHERE pgno = 1", [], |row| row.get(0))?;
    Ok(first.len() > 100 && number_at(&first, 52) == 0)
}

/// The free space in the middle of a page that holds rows; `None` if it is of another kind. The format:
/// <https://www.sqlite.org/fileformat2.html#b_tree_pages>
fn free_space(page: &[u8], number: u32) -> Option<Range<usize>> {
    let header = if number == 1 { 100 } else { 0 };
    let list = header
        + match page.get(header)? {
            2 | 5 => 12,
            10 | 13 => 8,
            _ => return None,
        };
    let read = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
    if page.len() < list {
        return None;
    }
    let (rows, start) = (read(header + 3), list + 2 * read(header + 3));
    let end = Some(read(header + 5)).filter(|end| *end > 0).unwrap_or(1 << 16);
    // Nothing else looks like this by chance.
    let is_page_of_rows =
        start <= end && end <= page.len() && (0..rows).all(|row| (end..page.len()).contains(&read(list + 2 * row)));
    is_page_of_rows.then_some(start..end)
}

/// Fills the buffer; false if the file ends before.
fn read_whole(file: &mut File, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn number_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leaf with two rows at the end of a page of 64 bytes.
    fn leaf() -> Vec<u8> {
        let mut page = vec![0xEE; 64];
        page[..8].copy_from_slice(&[10, 0, 0, 0, 2, 0, 50, 0]);
        page[8..12].copy_from_slice(&[0, 57, 0, 50]);
        page
    }

    #[test]
    fn the_free_space_is_between_the_list_and_the_rows() {
        assert_eq!(free_space(&leaf(), 2), Some(12..50));
        let mut inner = leaf();
        inner[0] = 2;
        inner[12..16].copy_from_slice(&[0, 57, 0, 50]);
        assert_eq!(free_space(&inner, 2), Some(16..50));
        let mut first = vec![0; 100];
        first.extend(&leaf()[..8]);
        first[105..107].copy_from_slice(&[0, 0]);
        first[104] = 0;
        assert_eq!(free_space(&first, 1), None, "it ends beyond the page");
    }

    #[test]
    fn what_is_no_page_of_rows_has_none() {
        for (at, byte) in [(0, 0), (0, 7), (3, 1), (6, 70), (6, 10), (9, 20), (11, 70)] {
            let mut page = leaf();
            page[at] = byte;
            assert_eq!(free_space(&page, 2), None, "{at}: {byte}");
        }
        for length in [0, 1, 7, 9] {
            assert_eq!(free_space(&leaf()[..length], 2), None, "{length}");
        }
    }
}
