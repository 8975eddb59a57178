//! What a room has recorded: its events in order, and who said what under which id of its own.

use super::ledger::Ledger;
use super::said::{Said, SaidMessages};
use super::{AuthorId, Body, ClientId, Epoch, Event, Read, Span};

/// Events sent with `joined` where the client does not say what it has.
pub const EVENTS_ON_JOIN: usize = 50;

/// How much of its record a room keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Events altogether; the journal may hold those that memory does not.
    pub events: usize,
    /// Events in memory.
    pub in_memory: usize,
}

/// A room's record.
pub(super) struct History {
    epoch: Epoch,
    last_time_ms: u64,
    /// The last events.
    latest: Ledger,
    /// Events before those, for the command that is about to be applied.
    loan: Vec<Event>,
    /// Newcomers whose `enter` is with the journal: they are to be told all that happens until then, so memory
    /// lets go of nothing.
    newcomers: u32,
    /// What the journal remembers of this room has not been looked at yet.
    is_cold: bool,
    said: SaidMessages,
}

impl History {
    pub fn new(epoch: Epoch) -> History {
        History::restored(epoch, 0, 0)
    }

    /// The record of an earlier run: its events are read when somebody asks for them.
    pub fn restored(epoch: Epoch, last_id: u64, last_time_ms: u64) -> History {
        History {
            epoch,
            last_time_ms,
            latest: Ledger::after(last_id),
            loan: Vec::new(),
            newcomers: 0,
            is_cold: last_id > 0,
            said: SaidMessages::default(),
        }
    }

    /// The tag of the ids.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The id of the last event; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.latest.last_id()
    }

    /// The time of an event that happens now, which never goes back.
    pub fn time_ms(&mut self, wall_ms: u64) -> u64 {
        self.last_time_ms = self.last_time_ms.max(wall_ms);
        self.last_time_ms
    }

    /// Notes that an event is on its way to the journal.
    pub fn expect(&mut self, event: &Event) {
        if let Some(cid) = cid_of(&event.body) {
            self.said.expect(event.author, cid.clone());
        }
    }

    /// The journal cannot keep the event: it never was.
    pub fn discard(&mut self, event: &Event) {
        if let Some(cid) = cid_of(&event.body) {
            self.said.discard(event.author, cid);
        }
    }

    /// Keeps the room's next event, and lets go of what is too old.
    pub fn record(&mut self, event: &Event, kept: Kept) {
        if let Some(cid) = cid_of(&event.body) {
            self.said.settle(event.author, cid, event.id);
        }
        self.said.forget_until(event.id.saturating_sub(kept.events as u64));
        self.latest.push(event);
        while self.latest.len() > kept.in_memory && self.newcomers == 0 {
            self.latest.pop();
        }
    }

    /// What became of a message of this member's under this id of its own; `None`: it is not known.
    pub fn said(&self, author: AuthorId, cid: &ClientId) -> Option<Said> {
        self.said.find(author, cid)
    }

    /// What a client that has the events up to `since` of `epoch` missed, and whether some of it is gone. `loan` is
    /// what was read for it.
    pub fn missed(&self, since: Option<u64>, epoch: Option<Epoch>, loan: &[Event]) -> (Vec<Event>, bool) {
        let latest = || self.between(self.last_id().saturating_sub(EVENTS_ON_JOIN as u64) + 1, self.last_id(), &[]);
        match since {
            Some(since) if self.is_continued_by(since, epoch) => {
                (self.between(since + 1, self.last_id(), loan), since + 1 < self.first_known_id(loan))
            }
            // Of another life of this code: nothing it has can be continued.
            Some(_) => (latest(), true),
            None => (latest(), false),
        }
    }

    fn is_continued_by(&self, since: u64, epoch: Option<Epoch>) -> bool {
        since <= self.last_id() && epoch.is_none_or(|epoch| epoch == self.epoch)
    }

    /// Part of the record, the oldest first, and whether there is more in the direction asked for.
    pub fn select(&self, span: Span, kept: Kept) -> (Vec<Event>, bool) {
        let (first, last) = self.ids_in(span, self.first_known_id(&self.loan));
        let more = match span.since {
            Some(_) => last < self.last_before(span),
            None => first > self.first_kept_id(kept),
        };
        let events = self.between(first, last, &self.loan);
        let more = more && !events.is_empty();
        (events, more)
    }

    /// The first and the last id of what a span asks for, of a record that begins at `first_id`.
    fn ids_in(&self, span: Span, first_id: u64) -> (u64, u64) {
        let (last, limit) = (self.last_before(span), span.limit as u64);
        match span.since {
            Some(since) => {
                let first = since.saturating_add(1).max(first_id);
                (first, last.min(first.saturating_add(limit).saturating_sub(1)))
            }
            None => ((last + 1).saturating_sub(limit).max(first_id), last),
        }
    }

    fn last_before(&self, span: Span) -> u64 {
        span.before.map_or(self.last_id(), |before| before.saturating_sub(1).min(self.last_id()))
    }

    /// What is known of the events with these ids.
    fn between(&self, first: u64, last: u64, loan: &[Event]) -> Vec<Event> {
        let is_wanted = |event: &Event| (first..=last).contains(&event.id);
        let lent = loan.iter().filter(|event| is_wanted(event)).cloned();
        lent.chain(self.latest.events_from(first).take_while(is_wanted)).collect()
    }

    /// The first event that memory holds; the next one to come, if it holds none.
    pub fn first_held_id(&self) -> u64 {
        self.latest.first_id()
    }

    /// The first event that memory holds, what is on loan included.
    fn first_known_id(&self, loan: &[Event]) -> u64 {
        loan.first().map_or(self.first_held_id(), |event| event.id)
    }

    /// The first event that is kept anywhere.
    fn first_kept_id(&self, kept: Kept) -> u64 {
        if kept.events == kept.in_memory {
            return self.first_held_id();
        }
        (self.last_id() + 1).saturating_sub(kept.events as u64).max(1)
    }

    // ---- what memory does not hold

    /// The ids that have to be read before the record can be continued from `since`.
    pub fn ids_to_continue(&self, since: Option<u64>, epoch: Option<Epoch>, kept: Kept) -> Option<(u64, u64)> {
        // Whoever cannot be continued is sent the latest events, which memory holds unless the room is cold.
        let since = since.filter(|&since| self.is_continued_by(since, epoch)).unwrap_or(self.last_id());
        self.ids_to_read(since + 1, self.last_id(), kept)
    }

    /// The ids that have to be read before a span can be selected.
    pub fn ids_to_select(&self, span: Span, kept: Kept) -> Option<(u64, u64)> {
        let (first, last) = self.ids_in(span, self.first_kept_id(kept));
        self.ids_to_read(first, last, kept)
    }

    fn ids_to_read(&self, first: u64, last: u64, kept: Kept) -> Option<(u64, u64)> {
        if self.is_cold {
            return Some((self.last_id().saturating_sub(kept.in_memory as u64) + 1, self.last_id()));
        }
        let first = first.max(self.first_kept_id(kept));
        let last = last.min(self.first_held_id() - 1);
        let is_on_loan = self.loan.first().is_some_and(|event| event.id <= first)
            && self.loan.last().is_some_and(|event| event.id >= last);
        (first <= last && !is_on_loan).then_some((first, last))
    }

    /// Takes in what was read. It stays if the room was cold; else it is given back by
    /// [`return_loan`](Self::return_loan).
    pub fn lend(&mut self, read: Read) {
        let first_held = self.first_held_id();
        let older = read.events.into_iter().filter(|event| event.id < first_held);
        if !self.is_cold {
            self.loan = older.collect();
            return;
        }
        self.is_cold = false;
        let mut older: Vec<Event> = older.collect();
        // All of them, unless somebody has cut something out of the file: then what is left behind the last cut.
        let gapless = older.iter().rev().zip((1..first_held).rev()).take_while(|(event, id)| event.id == *id).count();
        let older = older.split_off(older.len() - gapless);
        let newer = std::mem::replace(&mut self.latest, Ledger::after(first_held - 1 - gapless as u64));
        older.into_iter().chain(newer.events_from(first_held)).for_each(|event| self.latest.push(&event));
        self.said.remember_older(read.said.into_iter());
    }

    pub fn is_cold(&self) -> bool {
        self.is_cold
    }

    pub fn return_loan(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.loan)
    }

    /// Somebody's `enter` goes to the journal.
    pub fn expect_newcomer(&mut self) {
        self.newcomers += 1;
    }

    /// A newcomer has been told what happened until it came, or is gone.
    pub fn forget_newcomer(&mut self) {
        self.newcomers -= 1;
    }
}

fn cid_of(body: &Body) -> Option<&ClientId> {
    match body {
        Body::Message { cid, .. } => cid.as_ref(),
        _ => None,
    }
}
