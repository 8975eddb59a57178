//! The journal in a file (`--data`): SQLite, on threads of its own.
//!
//! Changes go to one writer by a bounded channel, and come back, in their order, once they are on disk:
//!
//! ```text
//!  reactor ── submit ──► waiting ──► channel ──► writer: group ─► commit ─► outcomes ─► wake ──► reactor
//!          ── read ────────────────────────────► reader: look up ─────────► outcomes ─► wake ──►
//! ```
//!
//! This file is the reactor's side, which never waits. `writer` and `reader` are the threads, `table_writer` says
//! what a change means for the tables of `schema`, `amendments` what becomes of messages there, `accounts` is about
//! claimed names, `account_requests` about who changes them from outside. `data_file` opens and refuses files,
//! `migration` makes older ones new, `cleaning` sees that nothing is left of what was deleted, `search_index` and
//! `searching` find what was said, `backup` copies them.

mod account_requests;
mod accounts;
mod amendments;
mod answers;
mod backup;
mod cleaning;
mod columns;
mod data_file;
mod fault;
mod members;
mod migration;
mod moderation;
mod reader;
mod schema;
mod search_index;
mod searching;
mod table_writer;
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
use std::time::Duration;

use rusqlite::Connection;

use super::{Journal, Outcome};
use crate::meter::JournalMeters;
use crate::rooms::{Event, Proposal, ReadRequest, RoomCode, StoredAccount, StoredRoom, SyncId};
use crate::time::Now;
pub use account_requests::{AccountError, account_names, change_account};
use answers::{Answers, Load};
pub use backup::{BackupError, back_up, shared_files};
use data_file::DataFile;
pub use data_file::Unusable;
use writer::Writer;

/// Changes on their way to the writer.
const CHANNEL_PROPOSALS: usize = 4096;

/// With so many changes that are not stored yet, no more are taken.
const MAX_UNKEPT_PROPOSALS: usize = 10_000;

/// A writer that has finished nothing for so long does not merely have much to do: changes are refused.
const STALLED_MS: u64 = 2_000;

/// Makes changes durable in a file.
///
/// Dropping it waits until everything that was submitted is stored.
pub struct SqliteJournal {
    /// What was not dispatched yet, or had no room in the channel.
    waiting: VecDeque<Proposal>,
    proposals: Option<SyncSender<Proposal>>,
    requests: Option<Sender<ReadRequest>>,
    outcomes: Receiver<Outcome>,
    load: Arc<Load>,
    meters: Arc<JournalMeters>,
    /// What was submitted and not finished, when it was last looked at.
    last_submitted: usize,
    /// When the writer had last finished something, or nothing to do.
    progressed_at_ms: u64,
    stalled: bool,
    threads: Vec<JoinHandle<()>>,
    stored_accounts: Vec<StoredAccount>,
    synced: VecDeque<SyncId>,
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
        table_writer::forget_old_files(&file.connection, history_events as u64).map_err(unusable)?;
        let rooms = reader::stored_rooms(&file.connection).map_err(unusable)?;
        let accounts = accounts::stored(&file.connection).map_err(unusable)?;
        let reading = data_file::connect_reader(&file.path)?;
        let mut journal = SqliteJournal::start(file, reading, history_events, data_file::LOCKED_LIMIT, Arc::new(wake));
        journal.stored_accounts = accounts;
        Ok((journal, rooms))
    }

    fn start(
        file: DataFile,
        reading: Connection,
        history_events: usize,
        locked_limit: Duration,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> SqliteJournal {
        let (proposal_sender, proposals) = sync_channel(CHANNEL_PROPOSALS);
        let (request_sender, requests) = channel();
        let (outcome_sender, outcomes) = channel();
        let load = Arc::new(Load::default());
        let meters = Arc::new(JournalMeters::default());
        let answers = Answers { outcomes: outcome_sender, wake, load: Arc::clone(&load), meters: Arc::clone(&meters) };
        let DataFile { path, lock, connection, is_clean } = file;
        let history_events = history_events as u64;
        let writer = Writer::new(connection, &path, is_clean, history_events, locked_limit, proposals, answers.clone());
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(run).expect("a process can have three threads")
        };
        let threads = vec![
            spawn("writer", Box::new(move || writer.run())),
            spawn("reader", Box::new(move || reader::run(&reading, &requests, &answers))),
        ];
        SqliteJournal {
            waiting: VecDeque::new(),
            proposals: Some(proposal_sender),
            requests: Some(request_sender),
            outcomes,
            load,
            meters,
            last_submitted: 0,
            progressed_at_ms: 0,
            stalled: false,
            threads,
            stored_accounts: Vec::new(),
            synced: VecDeque::new(),
            _lock: lock,
        }
    }

    /// The accounts that there were when the file was opened.
    pub fn take_stored_accounts(&mut self) -> Vec<StoredAccount> {
        std::mem::take(&mut self.stored_accounts)
    }

    /// Waits for the next outcome, where there is nothing else to do. `None`: there comes none.
    pub fn wait_for_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.recv().ok()
    }

    fn has_too_many(&self) -> bool {
        self.load.submitted.load(Ordering::Relaxed) >= MAX_UNKEPT_PROPOSALS
    }

    /// Passes on what the channel has room for. The writer wakes the loop when it has made room.
    fn pass_on(&mut self) {
        let Some(channel) = &self.proposals else { return };
        while let Some(proposal) = self.waiting.pop_front() {
            match channel.try_send(proposal) {
                Ok(()) => (),
                // The writer has ended, and told why.
                Err(TrySendError::Disconnected(_)) => self.waiting.clear(),
                Err(TrySendError::Full(proposal)) => return self.waiting.push_front(proposal),
            }
        }
    }
}

impl Journal for SqliteJournal {
    fn submit(&mut self, proposal: Proposal) {
        self.load.submitted.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back(proposal);
    }

    fn dispatch(&mut self, now: Now) {
        self.pass_on();
        let submitted = self.load.submitted.load(Ordering::Relaxed);
        if submitted < self.last_submitted || submitted == 0 {
            self.progressed_at_ms = now.steady_ms;
        }
        self.last_submitted = submitted;
        self.stalled = now.steady_ms >= self.progressed_at_ms + STALLED_MS;
    }

    fn read(&mut self, request: ReadRequest) {
        // The reader ends only after this sender.
        let _ = self.requests.as_ref().map(|requests| requests.send(request));
    }

    fn sync(&mut self, sync: SyncId) {
        // There is no other node.
        self.synced.push_back(sync);
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.try_recv().ok().or_else(|| self.synced.pop_front().map(Outcome::Synced))
    }

    fn is_failing(&self) -> bool {
        self.load.backlog.load(Ordering::Relaxed) >= MAX_UNKEPT_PROPOSALS || self.has_too_many() && self.stalled
    }

    fn is_congested(&self) -> bool {
        self.has_too_many() && !self.stalled
    }

    fn waiting(&self) -> usize {
        self.load.submitted.load(Ordering::Relaxed) + self.load.backlog.load(Ordering::Relaxed)
    }

    fn meters(&self) -> Arc<JournalMeters> {
        Arc::clone(&self.meters)
    }

    fn is_settled(&self) -> bool {
        // In this order: what is put into the backlog is counted there before it is none of the submitted.
        self.load.submitted.load(Ordering::Acquire) == 0 && self.load.backlog.load(Ordering::Acquire) == 0
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        if let Some(channel) = self.proposals.take() {
            for proposal in self.waiting.drain(..) {
                // Fails only if the writer has ended; then nothing can be stored.
                let _ = channel.send(proposal);
            }
        }
        self.load.is_over.store(true, Ordering::Relaxed);
        self.requests = None;
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
