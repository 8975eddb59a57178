//! The events of a room that memory holds, their texts end to end in a ring of bytes.
//!
//! A room keeps a thousand of them and seldom reads one again. With an allocation for each text, releasing the oldest
//! would touch memory that has left the processor's caches, once for every new one; here it advances a position.

mod last_state;

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::{
    Annotations, AuthorId, Body, Emoji, Event, Kind, MAX_NAME_CHARACTERS, MessageKey, ModeChange, Name, SharedFile,
    Text, Via,
};
use last_state::{LastState, TextState};

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
    /// Entries that change a message.
    amendments: usize,
}

/// What an event is but for its texts: its name, then the client id, then what was said or the new name. Before what is
/// said about another event stands that one's id, in digits, and a space. Before what is said with a file stands that of
/// the event that it replies to, or 0, and then the file as a line.
struct Entry {
    time_ms: u64,
    author: AuthorId,
    via: Via,
    what: EventKind,
    text: TextState,
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
    Replied(Kind),
    Shared(Kind),
    Edited,
    Deleted,
    Reacted,
    Unreacted,
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
        EventRing { last_id, ..EventRing::default() }
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

    /// Adds the next event. Where it changes a message, the texts of that which do not count any more are gone.
    pub fn push(&mut self, event: &Event) {
        debug_assert_eq!(event.id, self.last_id + 1, "events are without gaps");
        match &event.body {
            Body::Edit { of, text: Some(_), .. } => self.take_text(*of, TextState::Superseded),
            Body::Delete { of, .. } => self.take_text(*of, TextState::Gone),
            _ => (),
        }
        self.last_id = event.id;
        let rare_text;
        let (what, cid, of, text) = match &event.body {
            Body::Message { kind, text, cid, annotations } => {
                let noted = annotations.as_ref().map(|noted| (noted.reply_to, noted.file.as_ref()));
                match noted.unwrap_or_default() {
                    (None, None) => (EventKind::Said(*kind), cid.as_ref(), None, text.as_str()),
                    (of @ Some(_), None) => (EventKind::Replied(*kind), cid.as_ref(), of, text.as_str()),
                    (of, Some(file)) => {
                        rare_text = format!("{}\n{}", file.to_text(), text.as_str());
                        (EventKind::Shared(*kind), cid.as_ref(), Some(of.unwrap_or(0)), rare_text.as_str())
                    }
                }
            }
            Body::Deleted { kind, cid } => (EventKind::Said(*kind), cid.as_ref(), None, ""),
            Body::Edit { of, text, cid } => {
                (EventKind::Edited, cid.as_ref(), Some(*of), text.as_ref().map_or("", Text::as_str))
            }
            Body::Delete { of, of_whom } => {
                (EventKind::Deleted, None, Some(*of), of_whom.as_ref().map_or("", Name::as_str))
            }
            Body::Reaction { of, emoji, on: true, .. } => (EventKind::Reacted, None, Some(*of), emoji.as_str()),
            Body::Reaction { of, emoji, on: false, .. } => (EventKind::Unreacted, None, Some(*of), emoji.as_str()),
            Body::Enter => (EventKind::Entered, None, None, ""),
            Body::Part => (EventKind::Parted, None, None, ""),
            Body::Nick { to } => (EventKind::Renamed, None, None, to.as_str()),
            Body::Topic { text } => (EventKind::TopicSet, None, None, text.as_ref().map_or("", Text::as_str)),
            Body::Mode { change } => {
                rare_text = change.to_text();
                (EventKind::ModeChanged, None, None, rare_text.as_str())
            }
            Body::Kick { name, reason } => {
                rare_text = Body::kick_text(name, reason.as_ref());
                (EventKind::Kicked, None, None, rare_text.as_str())
            }
        };
        let is_gone = matches!(event.body, Body::Deleted { .. } | Body::Edit { text: None, .. });
        let of = of.map(|of| format!("{of} ")).unwrap_or_default();
        let (name, cid) = (event.name.as_str(), cid.map_or("", MessageKey::as_str));
        self.amendments += usize::from(event.body.amends().is_some());
        self.entries.push_back(Entry {
            time_ms: event.time_ms,
            author: event.author,
            via: event.via,
            what,
            text: if is_gone { TextState::Gone } else { TextState::Current },
            name_bytes: name.len() as u8,
            key_bytes: cid.len() as u8,
            text_bytes: (name.len() + cid.len() + of.len() + text.len()) as u32,
        });
        for part in [name, cid, &of, text] {
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
        self.amendments -= usize::from(entry.amends());
        if self.texts.capacity() > KEPT_CAPACITY_BYTES.max(4 * self.texts.len()) {
            self.texts.shrink_to(KEPT_CAPACITY_BYTES.max(2 * self.texts.len()));
        }
        if self.entries.capacity() > KEPT_ENTRIES.max(4 * self.entries.len()) {
            self.entries.shrink_to(KEPT_ENTRIES.max(2 * self.entries.len()));
        }
    }

    /// The events from this id on, in their last state.
    pub fn events_from(&self, id: u64) -> impl Iterator<Item = Event> {
        let id = id.clamp(self.first_id(), self.last_id + 1);
        let index = (id - self.first_id()) as usize;
        let entries = self.entries.range(index..);
        let mut start = self.start_of(index);
        let mut last_states = self.last_states_from(index, start);
        entries.zip(id..).map(move |(entry, id)| {
            let end = start + entry.text_bytes as usize;
            let texts = self.string(start..end);
            start = end;
            self.event(entry, id, &texts, &mut last_states)
        })
    }

    /// Where the texts of the entries from this one on begin. Whoever asks mostly asks for the latest.
    fn start_of(&self, index: usize) -> usize {
        self.texts.len() - self.entries.range(index..).map(|entry| entry.text_bytes as usize).sum::<usize>()
    }

    fn event(&self, entry: &Entry, id: u64, texts: &str, last_states: &mut HashMap<u64, LastState>) -> Event {
        let (name, texts) = texts.split_at(entry.name_bytes.into());
        let (cid, text) = texts.split_at(entry.key_bytes.into());
        let numbered = || text.split_once(' ').map_or((0, ""), |(of, text)| (of.parse().unwrap_or(0), text));
        let body = match entry.what {
            EventKind::Said(kind) => self.message(entry, kind, cid, text, (None, None), last_states.get_mut(&id)),
            EventKind::Replied(kind) => {
                let (of, text) = numbered();
                self.message(entry, kind, cid, text, (Some(of), None), last_states.get_mut(&id))
            }
            EventKind::Shared(kind) => {
                let (of, shared) = numbered();
                let (file, text) = shared.split_once('\n').unwrap_or((shared, ""));
                let noted = (Some(of).filter(|of| *of > 0), SharedFile::parse(file));
                self.message(entry, kind, cid, text, noted, last_states.get_mut(&id))
            }
            EventKind::Edited => {
                let (of, text) = numbered();
                let newest = || last_states.get(&of).and_then(|state| state.text.clone());
                let text = match entry.text {
                    TextState::Current => Some(Text::known(text)),
                    TextState::Superseded => newest().map(|range| Text::known(&self.string(range))),
                    TextState::Gone => None,
                };
                Body::Edit { of, text, cid: MessageKey::parse(cid) }
            }
            EventKind::Deleted => {
                let (of, whom) = numbered();
                Body::Delete { of, of_whom: (!whom.is_empty()).then(|| Name::known(whom)) }
            }
            EventKind::Reacted | EventKind::Unreacted => {
                let (of, emoji) = numbered();
                let on = matches!(entry.what, EventKind::Reacted);
                Body::Reaction { of, emoji: Emoji::known(emoji), on, quote: None }
            }
            EventKind::Entered => Body::Enter,
            EventKind::Parted => Body::Part,
            EventKind::Renamed => Body::Nick { to: Name::known(text) },
            EventKind::TopicSet => Body::Topic { text: (!text.is_empty()).then(|| Text::known(text)) },
            EventKind::ModeChanged => {
                Body::Mode { change: ModeChange::parse(text).expect("a change as it was written") }
            }
            EventKind::Kicked => Body::parse_kick(text).expect("a kick as it was written"),
        };
        Event { id, time_ms: entry.time_ms, name: Name::known(name), via: entry.via, author: entry.author, body }
    }

    fn message(
        &self,
        entry: &Entry,
        kind: Kind,
        cid: &str,
        text: &str,
        (reply_to, file): (Option<u64>, Option<SharedFile>),
        state: Option<&mut LastState>,
    ) -> Body {
        let cid = MessageKey::parse(cid);
        // Of the text, the edits behind it may be in want as well.
        let (newest, reactions) =
            state.map(|state| (state.text.clone(), std::mem::take(&mut state.reactions))).unwrap_or_default();
        let is_edited = entry.text == TextState::Superseded;
        let text = match (entry.text, newest) {
            (TextState::Gone, _) => return Body::Deleted { kind, cid },
            (TextState::Superseded, Some(newest)) => Text::known(&self.string(newest)),
            _ => Text::known(text),
        };
        let annotations = Annotations { reply_to, quote: None, is_edited, reactions, file }.boxed();
        Body::Message { kind, text, cid, annotations }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rooms::{Dimensions, FileId, FileName, FileType, amend};

    /// A file, and a message with it or without.
    fn shared() -> impl Strategy<Value = Body> {
        let text = prop::option::of("(?s).{1,300}".prop_filter_map("a text", |text| Text::clean(&text, 4096).ok()));
        let cid = prop::option::of("\\PC{1,16}".prop_filter_map("an id", |cid| MessageKey::parse(&cid)));
        let dimensions = prop::option::of(any::<(u16, u16)>());
        let reply_to = prop::option::of(1..100_u64);
        let parts = (text, cid, reply_to, "\\PC{0,40}", "[0-9a-f]{32}", any::<u64>(), dimensions);
        parts.prop_map(|(text, cid, reply_to, name, id, size_bytes, dimensions)| {
            let id = FileId::parse(&id).expect("an id");
            let dimensions = dimensions.map(|(width, height)| (u32::from(width) + 1, u32::from(height) + 1));
            let dimensions = dimensions.map(|(width, height)| Dimensions { width, height });
            let name = FileName::clean(&name);
            let file = Some(SharedFile { id, name, size_bytes, file_type: FileType::Png, dimensions });
            let annotations = Annotations { reply_to, file, ..Annotations::default() }.boxed();
            Body::Message { kind: Kind::Say, text: text.unwrap_or_else(Text::none), cid, annotations }
        })
    }

    fn event() -> impl Strategy<Value = Event> {
        let name = || "\\PC{1,32}".prop_filter_map("a name", |name| Name::parse(&name));
        let line = || "\\PC{1,30}".prop_filter_map("a text", |text| Text::clean(&text, 4096).ok());
        let text = || "(?s).{1,300}".prop_filter_map("a text", |text| Text::clean(&text, 4096).ok());
        let cid = || prop::option::of("\\PC{1,16}".prop_filter_map("an id", |cid| MessageKey::parse(&cid)));
        let kind = prop_oneof![Just(Kind::Say), Just(Kind::Me)];
        let (of, reply_to) = (|| any::<u8>().prop_map(u64::from), prop::option::of(any::<u64>()));
        let emoji = prop_oneof![Just("👍"), Just("❤️"), Just("🎉")].prop_filter_map("an emoji", Emoji::parse);
        let body = prop_oneof![
            4 => (kind, text(), cid(), reply_to).prop_map(|(kind, text, cid, reply_to)| Body::said(kind, text, cid, reply_to)),
            2 => shared(),
            2 => (of(), text(), cid()).prop_map(|(of, text, cid)| Body::Edit { of, text: Some(text), cid }),
            1 => (of(), prop::option::of(name())).prop_map(|(of, of_whom)| Body::Delete { of, of_whom }),
            2 => (of(), emoji, any::<bool>()).prop_map(|(of, emoji, on)| Body::Reaction { of, emoji, on, quote: None }),
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
        fn reads_back_the_last_state_of_what_was_written(
            mut events in prop::collection::vec(event(), 0..40),
            kept in 1..20usize,
            paged in 1..20usize,
        ) {
            let mut ledger = EventRing::after(7);
            for place in 0..events.len() {
                events[place].id = 8 + place as u64;
                if let Body::Edit { of, .. } | Body::Delete { of, .. } | Body::Reaction { of, .. } = &mut events[place].body {
                    *of = 8 + *of % (place as u64 + 1);
                }
                let event = events[place].clone();
                ledger.push(&event);
                amend(&mut events[..place], &event);
                if ledger.len() > kept {
                    ledger.pop();
                }
                let held = &events[(place + 1).saturating_sub(kept)..=place];
                prop_assert_eq!(&ledger.events_from(0).collect::<Vec<_>>(), held);
                let middle = held.len() / 2;
                prop_assert_eq!(&ledger.events_from(held[middle].id).collect::<Vec<_>>(), &held[middle..]);
                let amended = ledger.entries.iter().filter(|entry| entry.amends()).count();
                prop_assert_eq!(ledger.amendments, amended);
                for event in held {
                    prop_assert_eq!(ledger.is_deleted(event.id), matches!(event.body, Body::Deleted { .. }));
                }
            }
            // What was read of the events before those is put before them, and it is as if they had never been released.
            ledger.prepend(&events[events.len().saturating_sub(kept + paged)..], usize::MAX);
            let held = &events[events.len().saturating_sub(kept + paged)..];
            prop_assert_eq!(&ledger.events_from(0).collect::<Vec<_>>(), held);
            prop_assert_eq!(ledger.last_id(), 7 + events.len() as u64);
            prop_assert_eq!(ledger.events_from(ledger.last_id() + 1).count(), 0);
        }
    }

    #[test]
    fn no_byte_is_left_of_a_text_that_does_not_count_any_more() {
        let text = |text| Text::clean(text, 4096).expect("a text");
        let name = Name::parse("ana").expect("a name");
        let mut ring = EventRing::after(0);
        for (id, body) in [
            (1, Body::said(Kind::Say, text("first"), MessageKey::parse("c1"), None)),
            (2, Body::said(Kind::Me, text("kept"), None, Some(1))),
            (3, Body::Edit { of: 1, text: Some(text("second")), cid: None }),
            (4, Body::Edit { of: 1, text: Some(text("third")), cid: None }),
        ] {
            ring.push(&Event { id, time_ms: 0, name: name.clone(), via: Via::Web, author: AuthorId(1), body });
        }
        let texts = |ring: &EventRing| ring.string(0..ring.texts.len()).replace('\0', "");
        assert_eq!(texts(&ring), "anac1ana1 keptana1 ana1 third");
        let body = Body::Delete { of: 1, of_whom: None };
        ring.push(&Event { id: 5, time_ms: 0, name, via: Via::Web, author: AuthorId(1), body });
        assert_eq!(texts(&ring), "anac1ana1 keptana1 ana1 ana1 ");
        assert_eq!(ring.last_message(|_| true), Some(2));
    }

    #[test]
    fn a_file_stays_when_its_text_is_edited_and_no_byte_of_it_when_it_is_deleted() {
        let text = |text| Text::clean(text, 4096).expect("a text");
        let name = Name::parse("ana").expect("a name");
        let id = FileId::parse("000000000000000000000000000000ab").expect("an id");
        let (called, file_type, dimensions) = (FileName::clean("plan.pdf"), FileType::Other, None);
        let file = SharedFile { id, name: called, size_bytes: 7, file_type, dimensions };
        let event = |id, body| Event { id, time_ms: 0, name: name.clone(), via: Via::Web, author: AuthorId(1), body };
        let mut ring = EventRing::after(0);
        ring.push(&event(1, Body::shared(file.clone(), Some(text("first")), None)));
        ring.push(&event(2, Body::Edit { of: 1, text: Some(text("second")), cid: None }));
        let texts = |ring: &EventRing| ring.string(0..ring.texts.len()).replace('\0', "");
        assert_eq!(texts(&ring), format!("ana0 {}\nana1 second", file.to_text()));
        assert_eq!(ring.events_from(1).next().expect("an event").body.file(), Some(&file));
        ring.push(&event(3, Body::Delete { of: 1, of_whom: None }));
        assert_eq!(texts(&ring), "ana0 ana1 ana1 ");
        assert_eq!(ring.events_from(1).next().expect("an event").body, Body::Deleted { kind: Kind::Say, cid: None });
    }

    #[test]
    fn what_is_not_needed_any_more_goes_back() {
        let text = |length| Text::clean(&"x".repeat(length), 4096).expect("a text");
        let name = Name::parse("ana").expect("a name");
        let said = |id, length| {
            let body = Body::Message { kind: Kind::Say, text: text(length), cid: None, annotations: None };
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
