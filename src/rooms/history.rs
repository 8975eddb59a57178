//! A room's history: its events in order, and which messages of clients they are.
//!
//! Memory holds the last events; where a journal holds older ones, they come in pages.

mod amended;

use super::dedup_index::DedupIndex;
use super::event_ring::EventRing;
use super::last_messages::LastMessages;
use super::room_files::RoomFiles;
use super::{AuthorId, Event, FileId, MessageKey, SearchQuery, SharedFile, Span};

/// Events sent with `joined` where the client does not say what it has.
pub const EVENTS_ON_JOIN: usize = 50;

/// No command reads or encodes more events than this.
pub const MAX_PAGE_EVENTS: usize = 500;

/// Nor more bytes of text than this, unless a single event has more.
pub(super) const MAX_PAGE_BYTES: usize = 1 << 20;

/// For so long, a member that may come back says nothing twice.
const REPEATABLE_MS: u64 = 24 * 3600 * 1000;

/// How much of its history a room keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Events altogether.
    pub events: usize,
    /// Events in memory.
    pub in_memory: usize,
    /// The journal holds those that memory does not.
    pub in_journal: bool,
}

/// Ids from the first to the last, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IdRange {
    pub first: u64,
    pub last: u64,
}

/// Events that were read for a command, since memory does not hold them.
#[derive(Clone, Default, Debug)]
pub(super) struct HistoryPage {
    /// What was asked for: what is missing in it is not kept any more.
    pub range: Option<IdRange>,
    pub events: Vec<Event>,
}

/// A room's history.
#[derive(Default)]
pub(super) struct History {
    /// The first event that an earlier run has left, which may have kept fewer; 0: there was none.
    first_left_id: u64,
    latest: EventRing,
    dedup: DedupIndex,
    /// The files whose events are kept.
    files: RoomFiles,
    /// This node's own: what members may say again, beyond the events in memory.
    last_messages: LastMessages,
    /// This node's own: when the last message may have been said of which only the journal knows, if there is one.
    /// Milliseconds since 1970, UTC.
    left_at_ms: Option<u64>,
}

impl History {
    /// The history of an earlier run: its events are read when somebody asks for them.
    pub fn after(first_id: u64, last_id: u64, last_time_ms: u64) -> History {
        let left_at_ms = (last_id > 0).then_some(last_time_ms);
        History { first_left_id: first_id, latest: EventRing::after(last_id), left_at_ms, ..History::default() }
    }

    /// The id of the last event; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.latest.last_id()
    }

    /// Bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        let messages_bytes = self.latest.memory_bytes() + self.dedup.memory_bytes() + self.last_messages.memory_bytes();
        messages_bytes + self.files.memory_bytes()
    }

    /// Events in memory.
    pub fn held_events(&self) -> usize {
        self.latest.len()
    }

    /// Records the room's next event, and releases what is too old. `may_repeat`: who may say again what it said.
    pub fn record(&mut self, event: &Event, kept: Kept, may_repeat: impl Fn(AuthorId) -> bool) {
        if let Some((author, key)) = event.message_key() {
            self.dedup.record(author, key.clone(), event.id);
        }
        self.files.record(event);
        self.latest.push(event);
        self.release_beyond(kept.in_memory, may_repeat);
        self.release_files(kept);
    }

    /// The files whose events are kept.
    pub fn files(&self) -> &RoomFiles {
        &self.files
    }

    /// The files of an earlier run.
    pub fn restore_files(&mut self, stored: &[(u64, SharedFile)], kept: Kept) {
        let first_id = self.first_kept_id(kept);
        let kept = stored.iter().filter(|(id, _)| *id >= first_id);
        kept.for_each(|(id, file)| self.files.add(*id, file.clone()));
    }

    /// What became of files by this event of an earlier run.
    pub fn restore_file(&mut self, event: &Event) {
        self.files.record(event);
    }

    /// Releases the files whose events are kept no more.
    pub fn release_files(&mut self, kept: Kept) {
        if !self.files.is_empty() {
            self.files.release_before(self.first_kept_id(kept));
        }
    }

    /// The files that were released since this was last asked.
    pub fn take_released_files(&mut self) -> Vec<FileId> {
        self.files.take_released()
    }

    /// Holds no more than so many events in memory.
    pub fn release_beyond(&mut self, events: usize, may_repeat: impl Fn(AuthorId) -> bool) {
        while self.latest.len() > events {
            self.latest.pop();
        }
        let last_messages = &mut self.last_messages;
        self.dedup.forget_until(self.latest.first_id() - 1, keep_last(last_messages, may_repeat));
    }

    /// Whether anything is remembered beyond the events in memory.
    pub fn has_last_messages(&self) -> bool {
        !self.last_messages.is_empty()
    }

    /// Forgets what nobody can say again any more.
    pub fn forget_author(&mut self, author: AuthorId) {
        self.last_messages.forget(author);
    }

    /// Forgets half of what is remembered beyond the events in memory.
    pub fn forget_last_messages(&mut self) {
        self.last_messages.forget_half();
    }

    /// Leaves to the journal what is remembered beyond the events in memory.
    pub fn leave_last_messages(&mut self) {
        let last = self.latest.events_from(self.last_id()).next();
        self.left_at_ms = self.left_at_ms.max(last.map(|event| event.time_ms));
        self.last_messages = LastMessages::default();
    }

    /// The event that a member's message with this client id is, if memory knows.
    pub fn said(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        self.dedup.find(author, key)
    }

    /// The same, for who may say again what it said before the events in memory.
    pub fn said_before(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        self.dedup.find_unreleased(author, key).or_else(|| self.last_messages.find(author, key))
    }

    /// Whether the journal may know of messages that memory does not, and that may be said again at this time.
    pub fn may_know_less(&self, wall_ms: u64, kept: Kept) -> bool {
        let is_recent = |left_at_ms: u64| wall_ms < left_at_ms.saturating_add(REPEATABLE_MS);
        self.first_held_id() > self.first_kept_id(kept) || self.left_at_ms.is_some_and(is_recent)
    }

    /// What a client that has the events up to `since` missed, as far as it is known and at most a page of it, and
    /// whether there are others between; without `since`, the last ones.
    pub fn missed(&self, since: Option<u64>, page: &[Event]) -> (Vec<Event>, bool) {
        let range = self.range_missed(since);
        let mut events = self.known(range, page);
        let gapless = events.windows(2).rev().take_while(|pair| pair[0].id + 1 == pair[1].id).count();
        let sent = (gapless + 1).min(events.len());
        let events = events.split_off(events.len() - sent);
        let events = within_page_bytes_at_end(events);
        let first = events.first().map_or(self.last_id() + 1, |event| event.id);
        (events, since.is_some_and(|since| since + 1 < first))
    }

    /// What is known of this at a time. Of what memory holds of it, some may be released before it can be told.
    pub fn known_missed(&self, since: Option<u64>, page: &HistoryPage) -> Vec<Event> {
        self.known(self.range_missed(since), &page.events)
    }

    fn range_missed(&self, since: Option<u64>) -> IdRange {
        let last = self.last_id();
        let most = |events: usize| (last + 1).saturating_sub(events as u64);
        let first = since.map_or(most(EVENTS_ON_JOIN), |since| most(MAX_PAGE_EVENTS).max(since + 1));
        IdRange { first: first.max(1), last }
    }

    /// Part of the history, the oldest first, and whether there is more in the direction asked for.
    pub fn select(&self, span: Span, page: &HistoryPage, kept: Kept) -> (Vec<Event>, bool) {
        let range = self.range_in(span, kept);
        let mut events = self.known(range, &page.events);
        let more = match span.since {
            Some(_) => {
                events.truncate(count_within_page_bytes(events.iter()));
                events.last().is_some_and(|last| last.id < self.last_before(span))
            }
            None => {
                events = within_page_bytes_at_end(events);
                events.first().is_some_and(|first| first.id > self.first_kept_id(kept))
            }
        };
        (events, more)
    }

    /// The ids of what a span asks for. Empty if `first` is greater than `last`.
    fn range_in(&self, span: Span, kept: Kept) -> IdRange {
        let (first_kept, last) = (self.first_kept_id(kept), self.last_before(span));
        let limit = span.limit.min(MAX_PAGE_EVENTS) as u64;
        match span.since {
            Some(since) => {
                let first = since.saturating_add(1).max(first_kept);
                IdRange { first, last: last.min(first.saturating_add(limit).saturating_sub(1)) }
            }
            None => IdRange { first: (last + 1).saturating_sub(limit).max(first_kept), last },
        }
    }

    fn last_before(&self, span: Span) -> u64 {
        span.before.map_or(self.last_id(), |before| before.saturating_sub(1).min(self.last_id()))
    }

    /// What is known of the events with these ids.
    fn known(&self, range: IdRange, page: &[Event]) -> Vec<Event> {
        let first_held = self.first_held_id();
        let is_wanted = |event: &Event| (range.first..=range.last).contains(&event.id);
        let read = page.iter().filter(|event| is_wanted(event) && event.id < first_held).cloned();
        read.chain(self.latest.events_from(range.first).take_while(is_wanted)).collect()
    }

    /// The first event that memory holds; the next one to come, if it holds none.
    pub fn first_held_id(&self) -> u64 {
        self.latest.first_id()
    }

    /// The first event that is kept anywhere.
    pub fn first_kept_id(&self, kept: Kept) -> u64 {
        if !kept.in_journal {
            return self.first_held_id();
        }
        (self.last_id() + 1).saturating_sub(kept.events as u64).max(self.first_left_id).max(1)
    }

    /// Those of the events in memory with these ids that are messages and say what is searched for, the oldest first.
    pub fn search_held(&self, range: IdRange, query: &SearchQuery) -> Vec<Event> {
        let is_found = |event: &Event| event.body.searched_text().is_some_and(|text| query.matches(&text));
        self.known(range, &[]).into_iter().filter(is_found).collect()
    }

    // ---- what memory does not hold

    /// The ids that have to be read before the history can be continued from `since`.
    pub fn range_to_continue(&self, since: Option<u64>, page: &HistoryPage, kept: Kept) -> Option<IdRange> {
        let missing = self.missing(self.range_missed(since), page, kept)?;
        // As many as one read request may ask for: whoever comes next will want the same.
        let first = missing.last.saturating_sub(MAX_PAGE_EVENTS as u64 - 1).max(self.first_kept_id(kept));
        Some(IdRange { first, ..missing })
    }

    /// The ids that have to be read before a span can be selected.
    pub fn range_to_select(&self, span: Span, page: &HistoryPage, kept: Kept) -> Option<IdRange> {
        self.missing(self.range_in(span, kept), page, kept)
    }

    /// What of this range is kept, but neither in memory nor in the page.
    fn missing(&self, range: IdRange, page: &HistoryPage, kept: Kept) -> Option<IdRange> {
        let first = range.first.max(self.first_kept_id(kept));
        let last = range.last.min(self.first_held_id() - 1);
        let is_read = page.range.is_some_and(|read| read.first <= first && read.last >= last);
        (first <= last && !is_read).then_some(IdRange { first, last })
    }

    /// Takes in what was read, where memory holds too little for those who come, and it leads up to what it holds.
    pub fn page_in(&mut self, page: &[Event], kept: Kept, may_repeat: impl Fn(AuthorId) -> bool) {
        let held = self.latest.len();
        if held >= EVENTS_ON_JOIN {
            return;
        }
        let first_held = self.first_held_id();
        // Some of it may be too old to be kept by now.
        let first_kept = self.first_kept_id(kept);
        let page = &page[page.partition_point(|event| event.id < first_kept)..];
        self.latest.prepend(page, kept.in_memory.saturating_sub(held));
        let first = self.first_held_id();
        let added = page.iter().filter(|event| (first..first_held).contains(&event.id));
        let older = added.filter_map(|event| event.message_key().map(|(author, key)| (event.id, author, key.clone())));
        self.dedup.record_older(older, keep_last(&mut self.last_messages, may_repeat));
    }

    /// Everything that memory holds.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        self.latest.events_from(0)
    }
}

/// Takes in what is released of the events in memory.
fn keep_last(
    last_messages: &mut LastMessages,
    may_repeat: impl Fn(AuthorId) -> bool,
) -> impl FnMut(AuthorId, &MessageKey, u64) {
    move |author, key, id| last_messages.record(author, key, id, || may_repeat(author))
}

/// How many of these events fit into a page; at least one.
fn count_within_page_bytes<'a>(events: impl Iterator<Item = &'a Event>) -> usize {
    let mut bytes = 0;
    let fits = |event: &&Event| {
        bytes += event.text_bytes();
        bytes <= MAX_PAGE_BYTES
    };
    events.take_while(fits).count().max(1)
}

fn within_page_bytes_at_end(mut events: Vec<Event>) -> Vec<Event> {
    let sent = count_within_page_bytes(events.iter().rev()).min(events.len());
    events.split_off(events.len() - sent)
}
