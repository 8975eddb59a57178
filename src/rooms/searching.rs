//! Searches that are under way.
//!
//! Where a journal holds the history, it is asked, for one search after the other: so those who want something else of
//! it wait for one at the most. Otherwise memory is searched, a part in each turn of the loop, so that nobody waits long
//! however much there is.

use std::collections::VecDeque;

use super::command::{ConnectionId, Refusal, Reply};
use super::history::IdRange;
use super::{
    AuthorId, Epoch, Event, Found, MAX_PAGE_EVENTS, Page, ReadRequest, RoomCode, RoomId, Rooms, Search, Wanted,
};

/// Events in memory that are searched in one turn.
const SEARCHED_A_TURN: u64 = 2048;

/// Searches that are not answered yet.
#[derive(Default)]
pub(super) struct Searches {
    /// The next one first.
    waiting: VecDeque<PendingSearch>,
    /// The one that the journal was asked for.
    asked: Option<PendingSearch>,
}

/// A search, and who waits for what it finds.
struct PendingSearch {
    connection: ConnectionId,
    code: RoomCode,
    room: Epoch,
    /// Who has asked, if it was a member.
    author: Option<AuthorId>,
    search: Search,
    /// The id before which is still to be searched.
    before: u64,
    found: Found,
    /// Events that were changed since: what was found of them is not true any more.
    amended: Vec<u64>,
}

impl Rooms {
    /// Begins a search. The answer follows in a later turn.
    pub(super) fn search(
        &mut self,
        connection: ConnectionId,
        room: RoomId,
        author: Option<AuthorId>,
        mut search: Search,
    ) {
        search.span.limit = search.span.limit.clamp(1, MAX_PAGE_EVENTS);
        let room = self.room(room);
        // What is not committed here has happened for nobody yet, though a journal may have it.
        let before = search.span.before.unwrap_or(u64::MAX).min(room.last_id() + 1);
        let (code, room, found, amended) = (room.code(), room.epoch(), Found::new(search.span.limit), Vec::new());
        self.searches.waiting.push_back(PendingSearch {
            connection,
            code,
            room,
            author,
            search,
            before,
            found,
            amended,
        });
        if self.relies_on_journal {
            self.ask_for_next_search();
        }
    }

    /// Whether [`continue_search`](Self::continue_search) has something to do.
    pub fn is_searching(&self) -> bool {
        !self.relies_on_journal && !self.searches.waiting.is_empty()
    }

    /// Goes on with the next search in memory, for a bounded time.
    pub fn continue_search(&mut self) {
        if !self.is_searching() {
            return;
        }
        let Some((mut pending, room_id)) = self.next_search() else { return };
        let kept = self.kept();
        let room = self.room(room_id);
        let first_id = pending.first_id(room.state.history.first_kept_id(kept));
        let first = pending.before.saturating_sub(SEARCHED_A_TURN).max(first_id);
        if first < pending.before {
            let range = IdRange { first, last: pending.before - 1 };
            for event in room.state.history.search_held(range, &pending.search.query).into_iter().rev() {
                pending.found.push(event);
            }
            pending.before = first;
        }
        if first > first_id && !pending.found.is_full() {
            return self.searches.waiting.push_back(pending);
        }
        self.note_read(room_id);
        let found = std::mem::replace(&mut pending.found, Found::new(0));
        let (events, before) = found.finish(None);
        self.answer_search(&pending, events, before);
    }

    /// Asks the journal for the next search, unless it is busy with another.
    fn ask_for_next_search(&mut self) {
        if self.searches.asked.is_some() {
            return;
        }
        let Some((pending, room_id)) = self.next_search() else { return };
        let kept = self.kept();
        let room = self.room(room_id);
        let first_id = pending.first_id(room.state.history.first_kept_id(kept));
        let (query, limit) = (pending.search.query.clone(), pending.search.span.limit);
        let wanted = Wanted::Search { query, first_id, before: pending.before, limit };
        let (code, epoch) = (room.code(), room.epoch());
        self.read_requests.push_back(ReadRequest { code, epoch, wanted });
        self.searches.asked = Some(pending);
    }

    /// Takes what the journal has found; `None`: it cannot be read.
    pub(super) fn finish_search(&mut self, page: Option<Page>) {
        let Some(pending) = self.searches.asked.take() else { return };
        match page {
            Some(page) => self.answer_search(&pending, page.events, page.before),
            None => {
                // A log that cannot be reached is waited for as long as anybody may wait: nobody waits for that twice.
                let waiting =
                    if self.is_shared() { std::mem::take(&mut self.searches.waiting) } else { VecDeque::new() };
                let refused = std::iter::once(pending).chain(waiting);
                refused.for_each(|pending| self.refuse_search(&pending, Refusal::StorageFailed));
            }
        }
        self.ask_for_next_search();
    }

    /// The next search of which the room lives, and the member who has asked is still in it. The others are refused.
    fn next_search(&mut self) -> Option<(PendingSearch, RoomId)> {
        while let Some(pending) = self.searches.waiting.pop_front() {
            match self.searched_room(&pending) {
                Some(room) => return Some((pending, room)),
                None => self.refuse_search(&pending, pending.refusal()),
            }
        }
        None
    }

    fn searched_room(&self, pending: &PendingSearch) -> Option<RoomId> {
        let room = self.find_epoch(pending.room)?;
        pending.author.is_none_or(|author| self.room(room).state.has_place(author)).then_some(room)
    }

    fn answer_search(&mut self, pending: &PendingSearch, mut events: Vec<Event>, before: Option<u64>) {
        if self.searched_room(pending).is_none() {
            return self.refuse_search(pending, pending.refusal());
        }
        events.retain(|event| !pending.amended.contains(&event.id));
        self.reply(pending.connection, Reply::Found { code: pending.code, events, before });
    }

    fn refuse_search(&mut self, pending: &PendingSearch, refusal: Refusal) {
        self.reply(pending.connection, Reply::Refused { refusal, cid: None, is_answer: true });
    }

    /// An event says something else from here on, or nothing: a search that may have found it before does not tell it.
    pub(super) fn note_amended(&mut self, room: Epoch, id: u64) {
        let searches = self.searches.waiting.iter_mut().chain(&mut self.searches.asked);
        searches.filter(|pending| pending.room == room).for_each(|pending| pending.amended.push(id));
    }
}

impl PendingSearch {
    /// The first id that is searched, of those that are kept.
    fn first_id(&self, first_kept: u64) -> u64 {
        self.search.span.since.map_or(0, |since| since.saturating_add(1)).max(first_kept)
    }

    /// What whoever has asked is told when the room is over, or the member not in it any more.
    fn refusal(&self) -> Refusal {
        match self.author {
            Some(_) => Refusal::NotJoined,
            None => Refusal::NoSuchRoom { code: self.code },
        }
    }
}
