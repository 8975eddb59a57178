//! The journal in a file (`--data`): SQLite, on threads of its own.
//!
//! Changes go to one writer by a bounded channel, and come back, in their order, once they are on disk:
//!
//! ```text
//!  reactor ── submit ──► waiting ──► channel ──► writer: group ─► commit ─► outcomes ─► wake ──► reactor
//!          ── read ────────────────────────────► reader: look up ─────────► outcomes ─► wake ──►
//! ```
//!
//! This file is the reactor's side, which never waits. `writer` and `reader` are the threads, `keeper` says
//! what a change means for the tables of `schema`, `data_file` opens and refuses files, `migration` makes older ones
//! new, `cleaning` sees that nothing is left of what was deleted, `backup` copies them.

mod answers;
mod backup;
mod cleaning;
mod columns;
mod data_file;
mod fault;
mod keeper;
mod migration;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::{Journal, Outcome};
use crate::rooms::{ConnectionId, Event, Reading, Record, RoomCode, StoredRoom};
use answers::{Answers, Load};
pub use backup::{BackupError, back_up};
use data_file::DataFile;
pub use data_file::Unusable;
use writer::Writer;

/// Changes on their way to the writer.
const CHANNEL_RECORDS: usize = 4096;

/// With so many changes that are not kept yet, new ones are better refused.
const MAX_UNKEPT_RECORDS: usize = 10_000;

/// Keeps changes in a file.
///
/// Dropping it waits until everything that was submitted is kept.
pub struct SqliteJournal {
    /// What was not dispatched yet, or had no room in the channel.
    waiting: VecDeque<Record>,
    records: Option<SyncSender<Record>>,
    wishes: Option<Sender<(ConnectionId, Reading)>>,
    outcomes: Receiver<Outcome>,
    load: Arc<Load>,
    threads: Vec<JoinHandle<()>>,
    /// The file is ours until everything is written.
    _lock: File,
}

impl SqliteJournal {
    /// Opens the file, or makes it, and reads which rooms there are. At least `history_events` are kept for each
    /// room. `wake` is called, on other threads, when there are outcomes to be taken.
    ///
    /// # Errors
    /// The file cannot be used, and why.
    pub fn open(
        path: &Path,
        history_events: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(SqliteJournal, Vec<StoredRoom>), Unusable> {
        let file = DataFile::open(path)?;
        let unusable = |error| data_file::unusable(&file.path, &error);
        let rooms = reader::stored_rooms(&file.connection).map_err(unusable)?;
        let reading = data_file::connect_reader(&file.path)?;
        let journal = SqliteJournal::start(file, reading, history_events, Arc::new(wake));
        Ok((journal, rooms))
    }

    fn start(
        file: DataFile,
        reading: Connection,
        history_events: usize,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> SqliteJournal {
        let (record_sender, records) = sync_channel(CHANNEL_RECORDS);
        let (wish_sender, wishes) = channel();
        let (outcome_sender, outcomes) = channel();
        let load = Arc::new(Load::default());
        let answers = Answers { outcomes: outcome_sender, wake, load: Arc::clone(&load) };
        let DataFile { path, lock, connection, is_clean } = file;
        let writer = Writer::new(connection, &path, is_clean, history_events as u64, records, answers.clone());
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(run).expect("a process can have three threads")
        };
        let threads = vec![
            spawn("writer", Box::new(move || writer.run())),
            spawn("reader", Box::new(move || reader::run(&reading, &wishes, &answers))),
        ];
        SqliteJournal {
            waiting: VecDeque::new(),
            records: Some(record_sender),
            wishes: Some(wish_sender),
            outcomes,
            load,
            threads,
            _lock: lock,
        }
    }

    /// Passes on what the channel has room for. The writer wakes the loop when it has made room.
    fn pass_on(&mut self) {
        let Some(channel) = &self.records else { return };
        while let Some(record) = self.waiting.pop_front() {
            match channel.try_send(record) {
                Ok(()) => (),
                // The writer has ended, and told why.
                Err(TrySendError::Disconnected(_)) => self.waiting.clear(),
                Err(TrySendError::Full(record)) => return self.waiting.push_front(record),
            }
        }
    }
}

impl Journal for SqliteJournal {
    fn submit(&mut self, record: Record) {
        self.load.submitted.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back(record);
    }

    fn dispatch(&mut self) {
        self.pass_on();
    }

    fn read(&mut self, connection: ConnectionId, reading: Reading) {
        // The reader ends only after this sender.
        let _ = self.wishes.as_ref().map(|wishes| wishes.send((connection, reading)));
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.try_recv().ok()
    }

    fn is_stuck(&self) -> bool {
        let unkept = self.load.submitted.load(Ordering::Relaxed) + self.load.backlog.load(Ordering::Relaxed);
        unkept >= MAX_UNKEPT_RECORDS
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        if let Some(channel) = self.records.take() {
            for record in self.waiting.drain(..) {
                // Fails only if the writer has ended; then nothing can be kept.
                let _ = channel.send(record);
            }
        }
        self.wishes = None;
        for thread in self.threads.drain(..) {
            // A thread that has panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// Why the events of a room cannot be exported.
#[derive(Debug)]
pub enum ExportError {
    /// The file, for which there is a sentence.
    Unusable(Unusable),
    /// There is no such room in it.
    NoSuchRoom,
    /// Whoever was to take the events does not.
    Output(io::Error),
}

/// Hands every event of a room to `visit`, the oldest first. The file may be in use.
///
/// # Errors
/// The file cannot be used, there is no such room, or `visit` fails.
pub fn visit_events(
    path: &Path,
    code: RoomCode,
    mut visit: impl FnMut(&Event) -> io::Result<()>,
) -> Result<(), ExportError> {
    let connection = data_file::open_beside(path).map_err(ExportError::Unusable)?;
    let visited = reader::visit_events(&connection, code, |event| visit(event).map_err(Stopped::Output));
    match visited {
        Ok(Some(())) => Ok(()),
        Ok(None) => Err(ExportError::NoSuchRoom),
        Err(Stopped::Output(error)) => Err(ExportError::Output(error)),
        Err(Stopped::File(error)) => Err(ExportError::Unusable(data_file::unusable(path, &error))),
    }
}

enum Stopped {
    File(rusqlite::Error),
    Output(io::Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Stopped {
        Stopped::File(error)
    }
}
