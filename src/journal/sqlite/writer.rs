//! The thread that writes: one connection, groups of changes, each group durable before it is answered for.
//!
//! What cannot be stored now, and cannot be refused either, waits in the backlog: nothing newer is stored before it.
//! While somebody else holds the file for a moment, what could be refused waits there as well.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::answers::Answers;
use super::cleaning::{Cleaner, MANY_PAGES};
use super::data_file;
use super::fault::WriteFault;
use super::table_writer::TableWriter;
use crate::journal::Outcome;
use crate::rooms::{AuthorId, Change, Epoch, Proposal};

/// Changes in one transaction.
const GROUP_PROPOSALS: usize = 4096;

/// What could not be stored is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// Under load, a group waits so long for what comes in answer to the one before, at least and at most: else those
/// who were told of that one and those who wait for this one would take turns for ever, in groups of half the
/// size, and each group costs a commit and a write to every member.
const GATHERING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(2));

/// The pause between two steps of deleting what is left of rooms that are over, while there is nothing else to do.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// The end waits so long for what is left of rooms that are over to be deleted; the rest is, after the next start.
const LAST_SWEEPS: Duration = Duration::from_secs(5);

/// While there is much else to do, a part of what was said is put into the index for searching not more often than this.
const INDEX_PAUSE: Duration = Duration::from_millis(50);

/// Pages in the write-ahead log that are worth being moved into the file itself: about 4 MB.
const CHECKPOINT_PAGES: i32 = 1000;

/// The length of the log is looked at after so many changes, since looking costs locks.
const CHECKPOINT_PROPOSALS: usize = 256;

/// After something was deleted, files are cleaned of it not before this time, and at a moment when there is nothing
/// else to do; if there is no such moment, at the latest. Until the log was emptied it grows anew, which costs more
/// than writing over what it holds.
const CLEANING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Pages that are cleaned at once.
const CLEANED_PAGES: usize = 256;

/// With so many pages to be cleaned it is done even if nothing was deleted, or it would take long when something is.
const MAX_UNCLEAN_PAGES: usize = 10_000;

/// What the writing thread owns.
pub(super) struct Writer {
    connection: Connection,
    tables: TableWriter,
    proposals: Receiver<Proposal>,
    answers: Answers,
    /// What is still to be stored, the oldest first.
    backlog: VecDeque<Proposal>,
    /// When to try the backlog again.
    retry_at: Option<Instant>,
    /// The last try has failed, and what can be refused was.
    is_refusing: bool,
    /// Since when another program holds the file; `None`: nobody does.
    locked_since: Option<Instant>,
    /// How long that is waited for.
    locked_limit: Duration,
    /// When the next group may be written: half the time that the last one took after it.
    ready_at: Instant,
    /// Changes since the length of the write-ahead log was last looked at.
    unmeasured_proposals: usize,
    /// Length of the write-ahead log when it was last tried to move it into the file.
    tried_at_pages: i32,
    /// Before this time nothing is put into the index for searching.
    indexes_at: Instant,
    cleaner: Cleaner,
    /// From when on, and until when at the latest, the files are to be cleaned; `None`: they are clean.
    cleaning: Option<(Instant, Instant)>,
}

impl Writer {
    /// `is_clean`: nothing is left in the file of what was deleted before. `locked_limit`: how long it is waited for
    /// another program that holds the file.
    pub(super) fn new(
        connection: Connection,
        path: &Path,
        is_clean: bool,
        history_events: u64,
        locked_limit: Duration,
        proposals: Receiver<Proposal>,
        answers: Answers,
    ) -> Self {
        let tables = TableWriter::new(history_events);
        let backlog = VecDeque::new();
        let ready_at = Instant::now();
        let mut cleaner = Cleaner::new(&connection, path);
        if !cleaner.can_clean() {
            log::warn!(
                "pages of the data file cannot be cleaned (SQLite has no sqlite_dbpage): traces of what is deleted may stay"
            );
        }
        if !is_clean {
            cleaner.suspect_all();
        }
        Writer {
            connection,
            tables,
            proposals,
            answers,
            backlog,
            retry_at: None,
            is_refusing: false,
            locked_since: None,
            locked_limit,
            ready_at,
            unmeasured_proposals: 0,
            tried_at_pages: 0,
            indexes_at: ready_at,
            cleaner,
            cleaning: (!is_clean).then_some((ready_at, ready_at + CLEANING.1)),
        }
    }

    /// Stores what comes until nothing can come any more, then closes the file in good order.
    pub(super) fn run(mut self) {
        let result = loop {
            let Some(group) = self.next_group() else { break self.close() };
            if let Err(error) = self.take_in(group) {
                break Err(error);
            }
        };
        if let Err(error) = result {
            self.answers.give(Outcome::Broken(format!(
                "The data file can be written no more ({error}), so nothing more is acknowledged: see that the disk \
                 is well, and start this program again, which recovers what was kept."
            )));
        }
        self.answers.wake();
    }

    /// Waits for changes, and takes all there are. Nothing may be among them when something else is due.
    fn next_group(&self) -> Option<Vec<Proposal>> {
        let first = match self.pause() {
            None => Some(self.proposals.recv().ok()?),
            Some(pause) => match self.proposals.recv_timeout(pause) {
                Ok(proposal) => Some(proposal),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return None,
            },
        };
        thread::sleep(self.ready_at.saturating_duration_since(Instant::now()));
        Some(first.into_iter().chain(self.proposals.try_iter()).take(GROUP_PROPOSALS).collect())
    }

    /// How long nothing but a new change is to be waited for; `None`: for ever.
    fn pause(&self) -> Option<Duration> {
        if let Some(retry_at) = self.retry_at {
            return Some(retry_at.saturating_duration_since(Instant::now()));
        }
        if self.tables.may_have_remains() {
            return Some(SWEEP_PAUSE);
        }
        let indexes_at = self.tables.has_unindexed().then_some(self.indexes_at);
        let next = self.cleaning.map(|(from, _)| from).into_iter().chain(indexes_at).min();
        next.map(|next| next.saturating_duration_since(Instant::now()).max(SWEEP_PAUSE))
    }

    fn take_in(&mut self, group: Vec<Proposal>) -> rusqlite::Result<()> {
        let count = group.len();
        let started = Instant::now();
        let is_idle = group.is_empty();
        let is_paused = self.retry_at.is_some_and(|retry_at| Instant::now() < retry_at);
        if is_paused {
            self.refuse_or_defer(group);
        } else {
            let mut proposals: Vec<Proposal> = self.backlog.drain(..).chain(group).collect();
            match self.write(&mut proposals) {
                Ok(impossible) => self.succeed(proposals, &impossible),
                Err(WriteFault::Locked(error)) => {
                    self.answers.meters.locked.inc();
                    match self.may_be_over_soon(started) {
                        true => self.wait(proposals),
                        false => self.fail(proposals, &error),
                    }
                }
                Err(WriteFault::Passing(error)) => {
                    self.answers.meters.failed.inc();
                    self.locked_since = None;
                    self.fail(proposals, &error);
                    // Where nothing can be added to the log, what is in it may have a place in the file.
                    self.checkpoint()?;
                }
                Err(WriteFault::Final(error)) => return Err(error),
            }
        }
        self.answers.finish(count, self.backlog.len());
        self.answers.wake();
        self.unmeasured_proposals += count;
        if self.unmeasured_proposals >= CHECKPOINT_PROPOSALS {
            self.unmeasured_proposals = 0;
            self.checkpoint_if_long()?;
        }
        self.index_if_due(is_idle)?;
        self.clean_if_due(is_idle)?;
        self.ready_at = Instant::now() + (started.elapsed() / 2).clamp(GATHERING.0, GATHERING.1);
        Ok(())
    }

    /// Makes the changes durable: all of them, or none. Returns the places of those that are impossible, since what
    /// they rely on was refused.
    fn write(&mut self, proposals: &mut [Proposal]) -> Result<Vec<usize>, WriteFault> {
        let mut impossible = Vec::new();
        let sweeps = self.tables.may_have_remains();
        if !sweeps && !self.is_refusing && proposals.iter().all(|proposal| proposal.change == Change::Nothing) {
            return Ok(impossible);
        }
        // After a failure, whether the file can be written again is known only once something was written.
        let is_probe = self.is_refusing;
        self.in_transaction(|tables, connection| {
            for (index, proposal) in proposals.iter_mut().enumerate() {
                if !tables.write(connection, proposal)? {
                    impossible.push(index);
                }
            }
            if is_probe {
                data_file::probe(connection)?;
            }
            if sweeps { tables.sweep(connection) } else { Ok(()) }
        })?;
        Ok(impossible)
    }

    /// Makes what `write` writes durable: all of it, or nothing.
    fn in_transaction(
        &mut self,
        write: impl FnOnce(&mut TableWriter, &Connection) -> rusqlite::Result<()>,
    ) -> Result<(), WriteFault> {
        let started = Instant::now();
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut begin| begin.execute([]))
            .map_err(WriteFault::of)?;
        if let Err(error) = write(&mut self.tables, &self.connection) {
            self.roll_back()?;
            return Err(WriteFault::of(error));
        }
        if let Err(error) = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])) {
            self.roll_back()?;
            return Err(WriteFault::of_commit(error));
        }
        self.answers.meters.transactions.observe_us(started.elapsed().as_micros() as u64);
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), WriteFault> {
        self.tables.forget();
        self.cleaner.forget_log();
        // Some failures have taken it back already.
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK").map_err(WriteFault::Final)
    }

    /// Another program holds the file, since `started` if it did not before. Whether that is to be waited for.
    fn may_be_over_soon(&mut self, started: Instant) -> bool {
        if self.locked_since.is_none() && !self.is_refusing {
            log::info!(event = "journal_locked"; "another program holds the data file: messages wait until it lets go");
        }
        self.locked_since.get_or_insert(started).elapsed() < self.locked_limit
    }

    /// Keeps everything for the next time, which is at once: SQLite itself waits for whoever holds the file.
    ///
    /// What can be committed early is, unless it relies on something that may still be refused: on a room that is to
    /// begin, on a place, or, for one who leaves, on what it said last.
    fn wait(&mut self, proposals: Vec<Proposal>) {
        self.retry_at = Some(Instant::now());
        let mut refusable: HashSet<(Epoch, Option<AuthorId>)> = HashSet::new();
        for mut proposal in proposals {
            let author = match &proposal.change {
                Change::Publish { event } => Some(event.author),
                Change::Vacate { author, .. } => Some(*author),
                Change::Moderate(measure) => Some(measure.event.author),
                _ => None,
            };
            let relies = [None, author].iter().any(|author| refusable.contains(&(proposal.epoch, *author)));
            if proposal.is_refusable() {
                refusable.insert((proposal.epoch, author));
            } else if !relies {
                self.commit_early(&mut proposal);
            }
            if proposal.change != Change::Nothing || relies {
                self.backlog.push_back(proposal);
            }
        }
    }

    fn succeed(&mut self, proposals: Vec<Proposal>, impossible: &[usize]) {
        self.locked_since = None;
        self.set_refusing(false);
        if self.retry_at.take().is_some() {
            log::info!(event = "journal_recovered"; "the data file can be written again");
        }
        for (index, proposal) in proposals.into_iter().enumerate() {
            match impossible.contains(&index) {
                false => {
                    self.answers.meters.stored_changes.inc();
                    self.answers.give(Outcome::Committed(proposal));
                }
                true => self.refuse(proposal),
            }
        }
    }

    fn refuse(&self, proposal: Proposal) {
        self.answers.meters.refused_changes.inc();
        self.answers.give(Outcome::Refused(proposal));
    }

    /// Notes whether what can be refused is refused. Returns whether it was before.
    fn set_refusing(&mut self, is_refusing: bool) -> bool {
        self.answers.meters.is_failing.store(is_refusing, Ordering::Relaxed);
        std::mem::replace(&mut self.is_refusing, is_refusing)
    }

    fn fail(&mut self, proposals: Vec<Proposal>, error: &rusqlite::Error) {
        if !self.set_refusing(true) {
            log::warn!(event = "journal_failing"; "the data file cannot be written ({error}): messages are refused until it can");
        }
        self.retry_at = Some(Instant::now() + RETRY);
        self.refuse_or_defer(proposals);
    }

    /// Refuses what can be refused, and puts the rest into the backlog.
    fn refuse_or_defer(&mut self, proposals: Vec<Proposal>) {
        for mut proposal in proposals {
            if proposal.is_refusable() {
                self.refuse(proposal);
                continue;
            }
            self.commit_early(&mut proposal);
            if proposal.change != Change::Nothing {
                self.backlog.push_back(proposal);
            }
        }
    }

    /// Commits what can be committed early: who is there is true whether it is stored or not.
    fn commit_early(&mut self, proposal: &mut Proposal) {
        if let Some(early) = proposal.take_early() {
            self.answers.give(Outcome::Committed(early));
        }
    }

    /// Moves the write-ahead log into the file when it is long. Done here and not by SQLite itself, which would
    /// tell nobody of a failed fsync.
    fn checkpoint_if_long(&mut self) -> rusqlite::Result<()> {
        let looked_at = self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::NOOP);
        let (pages, moved_pages) = match looked_at.map_err(WriteFault::of) {
            Ok(pages) => pages,
            Err(WriteFault::Final(error)) => return Err(error),
            Err(WriteFault::Locked(_) | WriteFault::Passing(_)) => return Ok(()),
        };
        if pages < self.tried_at_pages {
            // It was all moved, and begun again.
            self.tried_at_pages = 0;
        }
        // A backup that is being made may be in the way: no reason to try at every turn.
        if pages - moved_pages.max(self.tried_at_pages) < CHECKPOINT_PAGES {
            return Ok(());
        }
        self.tried_at_pages = pages;
        self.checkpoint()
    }

    fn checkpoint(&mut self) -> rusqlite::Result<()> {
        // What comes next may overwrite it.
        self.cleaner.read_log();
        match self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE).map_err(WriteFault::of) {
            Err(WriteFault::Final(error)) => Err(error),
            Ok(_) | Err(WriteFault::Locked(_) | WriteFault::Passing(_)) => Ok(()),
        }
    }

    // ---- the index for searching

    /// Puts a part of what was said into the index, in a transaction of its own: what cannot be indexed is found all the
    /// same, and keeps nothing else from being stored.
    fn index_if_due(&mut self, is_idle: bool) -> rusqlite::Result<()> {
        let is_wanted = self.tables.has_unindexed() && self.retry_at.is_none();
        if !is_wanted || Instant::now() < self.indexes_at + if is_idle { Duration::ZERO } else { INDEX_PAUSE } {
            return Ok(());
        }
        match self.in_transaction(TableWriter::index) {
            Ok(()) => self.indexes_at = Instant::now(),
            Err(WriteFault::Locked(error) | WriteFault::Passing(error)) => {
                log::debug!("what was said cannot be indexed yet: {error}");
                self.indexes_at = Instant::now() + RETRY;
            }
            Err(WriteFault::Final(error)) => return Err(error),
        }
        self.checkpoint_if_long()
    }

    // ---- leaving nothing of what was deleted

    fn clean_if_due(&mut self, is_idle: bool) -> rusqlite::Result<()> {
        let now = Instant::now();
        let is_wanted = self.tables.take_has_deleted() || self.cleaner.page_count() >= MAX_UNCLEAN_PAGES;
        if is_wanted && self.cleaning.is_none() {
            self.cleaning = Some((now + CLEANING.0, now + CLEANING.1));
        }
        let Some((from, until)) = self.cleaning else { return Ok(()) };
        let is_due = now >= if is_idle { from } else { until };
        if !is_due || self.retry_at.is_some() || self.tables.may_have_remains() {
            return Ok(());
        }
        match self.clean(CLEANED_PAGES) {
            Ok(is_done) => {
                if is_done {
                    self.cleaning = None;
                }
                Ok(())
            }
            Err(WriteFault::Locked(error) | WriteFault::Passing(error)) => {
                log::debug!("the data file cannot be cleaned yet: {error}");
                self.cleaning = Some((now + RETRY, until.max(now + RETRY)));
                Ok(())
            }
            Err(WriteFault::Final(error)) => Err(error),
        }
    }

    /// Cleans so many pages, and empties the log once all are clean. True: all is done.
    fn clean(&mut self, most: usize) -> Result<bool, WriteFault> {
        self.cleaner.read_log();
        match self.cleaner.clean(&self.connection, most) {
            Ok(false) => return Ok(false),
            Ok(true) => (),
            Err(error) => {
                self.cleaner.forget_log();
                let is_over = self.connection.is_autocommit();
                // It may have been the end of the transaction that failed.
                return Err(if is_over { WriteFault::of_commit(error) } else { WriteFault::Final(error) });
            }
        }
        data_file::empty_log(&self.connection).map_err(WriteFault::of)?;
        Ok(true)
    }

    /// The end: what is still to be stored is tried once more, and of what is over nothing is left.
    fn close(&mut self) -> rusqlite::Result<()> {
        self.retry_at = None;
        self.take_in(Vec::new())?;
        while self.locked_since.is_some_and(|since| since.elapsed() < self.locked_limit) {
            self.take_in(Vec::new())?;
        }
        let started = Instant::now();
        while self.tables.may_have_remains() && self.retry_at.is_none() && started.elapsed() < LAST_SWEEPS {
            self.take_in(Vec::new())?;
        }
        if !self.backlog.is_empty() {
            log::error!("the data file cannot be written: {} changes are lost", self.backlog.len());
            return Ok(());
        }
        let cleaned = loop {
            match self.clean(MANY_PAGES) {
                Ok(false) => (),
                cleaned => break cleaned,
            }
        };
        match cleaned {
            Ok(_) => data_file::mark_closed(&self.connection),
            // It is checked and cleaned at the next start.
            Err(WriteFault::Locked(error) | WriteFault::Passing(error)) => {
                log::warn!("the data file cannot be closed in good order: {error}");
                Ok(())
            }
            Err(WriteFault::Final(error)) => Err(error),
        }
    }
}
