//! Messages of a history, and what became of them.

use hashbrown::{HashMap, HashSet};

use super::super::{AuthorId, Body, Event, MessageRef, Quote, Span, amend, amendment};
use super::{History, HistoryPage, IdRange, Kept, MAX_PAGE_EVENTS};

/// What is further back than this is not looked up to be quoted.
const MAX_QUOTED_EVENTS: u64 = 1_000;

impl History {
    /// An event in its last state, if it is known.
    pub fn event(&self, id: u64, page: &HistoryPage) -> Option<Event> {
        self.known(IdRange { first: id, last: id }, &page.events).pop()
    }

    /// Whether memory knows that this message was deleted.
    pub fn is_deleted(&self, id: u64) -> bool {
        self.latest.is_deleted(id)
    }

    /// The message that is meant by whoever asks, if it is known.
    pub fn resolve(&self, of: MessageRef, asking: AuthorId, page: &HistoryPage) -> Option<u64> {
        if let MessageRef::Id(id) = of {
            return Some(id);
        }
        let in_page = || {
            let is_it = |event: &&Event| matches!(event.body, Body::Message { .. }) && of.is_by(event.author, asking);
            page.events.iter().rfind(is_it).map(|event| event.id)
        };
        self.latest.last_message(|author| of.is_by(author, asking)).or_else(in_page)
    }

    /// Gives replies and reactions among these events the beginning of what they are about, as far as memory or the page
    /// knows it.
    pub fn quote_in(&self, events: &mut [Event], page: &HistoryPage) {
        let first_quoted = self.last_id().saturating_sub(MAX_QUOTED_EVENTS);
        let wanted = events.iter().filter_map(|event| event.body.quotes()).filter(|of| *of > first_quoted);
        let wanted: HashSet<u64> =
            wanted.filter(|of| events.binary_search_by_key(of, |event| event.id).is_err()).collect();
        let Some(&first) = wanted.iter().min() else { return amendment::quote_in(events, |_| None) };
        let known = self.known(IdRange { first, last: self.last_id() }, &page.events);
        let found = known.iter().filter(|event| wanted.contains(&event.id));
        let found: HashMap<u64, Quote> = found.filter_map(|event| Some((event.id, Quote::of(event)?))).collect();
        amendment::quote_in(events, |of| found.get(&of).cloned());
    }

    /// Makes of a page, which is as the events up to `as_of` have made it, what it is now. `false`: memory does not hold
    /// all that came since.
    pub fn bring_up_to_date(&self, page: &mut [Event], as_of: u64) -> bool {
        let newer = self.latest.events_from(as_of + 1).filter(|event| event.body.amends().is_some());
        newer.for_each(|event| amend(page, &event));
        self.first_held_id() <= as_of + 1
    }

    /// The ids that have to be read before something can be done with a message.
    pub fn range_to_amend(&self, of: MessageRef, asking: AuthorId, kept: Kept) -> Option<IdRange> {
        let nothing = HistoryPage::default();
        if let MessageRef::Id(id) = of {
            return self.missing(IdRange { first: id, last: id }, &nothing, kept);
        }
        if self.latest.last_message(|author| of.is_by(author, asking)).is_some() {
            return None;
        }
        self.missing(self.range_in(Span { limit: MAX_PAGE_EVENTS, ..Span::default() }, kept), &nothing, kept)
    }
}
