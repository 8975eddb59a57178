//! The events of a room that memory holds, their texts end to end in a ring of bytes.
//!
//! A room keeps a thousand of them and seldom reads one again. With an allocation for each text, releasing the oldest
//! would touch memory that has left the processor's caches, once for every new one; here it advances a position.

use std::collections::VecDeque;

use super::{AuthorId, Body, Event, Kind, MAX_NAME_CHARACTERS, MessageKey, ModeChange, Name, Text, Via};

/// A ring that is mostly empty keeps so much, and gives back the rest.
const KEPT_CAPACITY_BYTES: usize = 4096;

/// The same for entries.
const KEPT_ENTRIES: usize = 64;

/// The last events, without gaps, the oldest first.
#[derive(Default)]
pub(super) struct EventRing {
    last_id: u64,
    entries: VecDeque<Entry>,
    /// The texts of the entries, end to end.
    texts: VecDeque<u8>,
}

/// What an event is but for its texts: its name, then the client id, then what was said or the new name.
struct Entry {
    time_ms: u64,
    author: AuthorId,
    via: Via,
    what: EventKind,
    name_bytes: u8,
    /// 0: there is none.
    key_bytes: u8,
    /// All texts together.
    text_bytes: u32,
}

const _: () = assert!(MAX_NAME_CHARACTERS * 4 <= u8::MAX as usize);
const _: () = assert!(MessageKey::MAX_BYTES <= u8::MAX as usize);

#[derive(Clone, Copy)]
enum EventKind {
    Said(Kind),
    Entered,
    Parted,
    Renamed,
    TopicSet,
    ModeChanged,
    Kicked,
}

impl EventRing {
    /// No events yet; the next one comes after the one with this id.
    pub fn after(last_id: u64) -> EventRing {
        EventRing { last_id, entries: VecDeque::new(), texts: VecDeque::new() }
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The id of the first event; of the next one to come, if there is none.
    pub fn first_id(&self) -> u64 {
        self.last_id + 1 - self.len() as u64
    }

    /// The id of the last event, of those that were released as well; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Adds the next event.
    pub fn push(&mut self, event: &Event) {
        debug_assert_eq!(event.id, self.last_id + 1, "events are without gaps");
        self.last_id = event.id;
        let rare_text;
        let (what, cid, text) = match &event.body {
            Body::Message { kind, text, cid } => (EventKind::Said(*kind), cid.as_ref(), text.as_str()),
            Body::Enter => (EventKind::Entered, None, ""),
            Body::Part => (EventKind::Parted, None, ""),
            Body::Nick { to } => (EventKind::Renamed, None, to.as_str()),
            Body::Topic { text } => (EventKind::TopicSet, None, text.as_ref().map_or("", Text::as_str)),
            Body::Mode { change } => {
                rare_text = change.to_text();
                (EventKind::ModeChanged, None, rare_text.as_str())
            }
            Body::Kick { name, reason } => {
                rare_text = Body::kick_text(name, reason.as_ref());
                (EventKind::Kicked, None, rare_text.as_str())
            }
        };
        let (name, cid) = (event.name.as_str(), cid.map_or("", MessageKey::as_str));
        self.entries.push_back(Entry {
            time_ms: event.time_ms,
            author: event.author,
            via: event.via,
            what,
            name_bytes: name.len() as u8,
            key_bytes: cid.len() as u8,
            text_bytes: (name.len() + cid.len() + text.len()) as u32,
        });
        for part in [name, cid, text] {
            self.texts.extend(part.as_bytes());
        }
    }

    /// Bytes of memory that they take.
    pub fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.texts.capacity()
    }

    /// Adds events before the first one: those that lead up to it without gaps, at most so many.
    pub fn prepend(&mut self, older: &[Event], limit: usize) {
        let first_id = self.first_id();
        let older = older.iter().rev().skip_while(|event| event.id >= first_id);
        let gapless = older.zip((1..first_id).rev()).take_while(|(event, id)| event.id == *id).take(limit);
        let gapless: Vec<&Event> = gapless.map(|(event, _)| event).collect();
        let newer = std::mem::replace(self, EventRing::after(first_id - 1 - gapless.len() as u64));
        gapless.into_iter().rev().for_each(|event| self.push(event));
        newer.events_from(first_id).for_each(|event| self.push(&event));
    }

    /// Releases the first event.
    pub fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.texts.drain(..entry.text_bytes as usize);
        if self.texts.capacity() > KEPT_CAPACITY_BYTES.max(4 * self.texts.len()) {
            self.texts.shrink_to(KEPT_CAPACITY_BYTES.max(2 * self.texts.len()));
        }
        if self.entries.capacity() > KEPT_ENTRIES.max(4 * self.entries.len()) {
            self.entries.shrink_to(KEPT_ENTRIES.max(2 * self.entries.len()));
        }
    }

    /// The events from this id on.
    pub fn events_from(&self, id: u64) -> impl Iterator<Item = Event> {
        let id = id.clamp(self.first_id(), self.last_id + 1);
        let entries = self.entries.range((id - self.first_id()) as usize..);
        // Whoever asks mostly asks for the latest.
        let mut start = self.texts.len() - entries.clone().map(|entry| entry.text_bytes as usize).sum::<usize>();
        entries.zip(id..).map(move |(entry, id)| {
            let end = start + entry.text_bytes as usize;
            let texts = self.texts.range(start..end).copied().collect();
            start = end;
            entry.event(id, &String::from_utf8(texts).expect("texts as they were written"))
        })
    }
}

impl Entry {
    fn event(&self, id: u64, texts: &str) -> Event {
        let (name, texts) = texts.split_at(self.name_bytes.into());
        let (cid, text) = texts.split_at(self.key_bytes.into());
        let body = match self.what {
            EventKind::Said(kind) => Body::Message { kind, text: Text::known(text), cid: MessageKey::parse(cid) },
            EventKind::Entered => Body::Enter,
            EventKind::Parted => Body::Part,
            EventKind::Renamed => Body::Nick { to: Name::known(text) },
            EventKind::TopicSet => Body::Topic { text: (!text.is_empty()).then(|| Text::known(text)) },
            EventKind::ModeChanged => {
                Body::Mode { change: ModeChange::parse(text).expect("a change as it was written") }
            }
            EventKind::Kicked => Body::parse_kick(text).expect("a kick as it was written"),
        };
        Event { id, time_ms: self.time_ms, name: Name::known(name), via: self.via, author: self.author, body }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        let name = || "\\PC{1,32}".prop_filter_map("a name", |name| Name::parse(&name));
        let line = || "\\PC{1,30}".prop_filter_map("a text", |text| Text::clean(&text, 4096).ok());
        let text = "(?s).{1,300}".prop_filter_map("a text", |text| Text::clean(&text, 4096).ok());
        let cid = prop::option::of("\\PC{1,16}".prop_filter_map("an id", |cid| MessageKey::parse(&cid)));
        let kind = prop_oneof![Just(Kind::Say), Just(Kind::Me)];
        let body = prop_oneof![
            4 => (kind, text, cid).prop_map(|(kind, text, cid)| Body::Message { kind, text, cid }),
            1 => Just(Body::Enter),
            1 => Just(Body::Part),
            1 => name().prop_map(|to| Body::Nick { to }),
            1 => prop::option::of(line()).prop_map(|text| Body::Topic { text }),
            1 => (name(), any::<u64>()).prop_map(|(name, seconds)| {
                Body::Mode { change: ModeChange::Ban { name, seconds } }
            }),
            1 => (name(), prop::option::of(line())).prop_map(|(name, reason)| Body::Kick { name, reason }),
        ];
        let via = prop_oneof![Just(Via::Web), Just(Via::Line)];
        (any::<u64>(), name(), via, any::<u32>().prop_map(AuthorId), body)
            .prop_map(|(time_ms, name, via, author, body)| Event { id: 0, time_ms, name, via, author, body })
    }

    proptest! {
        #[test]
        fn reads_back_what_was_written(mut events in prop::collection::vec(event(), 0..40), kept in 1..20usize) {
            let mut ledger = EventRing::after(7);
            for place in 0..events.len() {
                events[place].id = 8 + place as u64;
                ledger.push(&events[place]);
                if ledger.len() > kept {
                    ledger.pop();
                }
                let held = &events[(place + 1).saturating_sub(kept)..=place];
                prop_assert_eq!(&ledger.events_from(0).collect::<Vec<_>>(), held);
                let middle = held.len() / 2;
                prop_assert_eq!(&ledger.events_from(held[middle].id).collect::<Vec<_>>(), &held[middle..]);
            }
            prop_assert_eq!(ledger.last_id(), 7 + events.len() as u64);
            prop_assert_eq!(ledger.events_from(ledger.last_id() + 1).count(), 0);
        }
    }

    #[test]
    fn what_is_not_needed_any_more_goes_back() {
        let text = |length| Text::clean(&"x".repeat(length), 4096).expect("a text");
        let name = Name::parse("ana").expect("a name");
        let said = |id, length| {
            let body = Body::Message { kind: Kind::Say, text: text(length), cid: None };
            Event { id, time_ms: 0, name: name.clone(), via: Via::Web, author: AuthorId(1), body }
        };
        let mut ledger = EventRing::after(0);
        (1..=1000).for_each(|id| ledger.push(&said(id, 4096)));
        for id in 1001..=2000 {
            ledger.push(&said(id, 1));
            ledger.pop();
        }
        assert!(ledger.texts.capacity() <= 100_000, "{}", ledger.texts.capacity());
    }
}
