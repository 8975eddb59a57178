//! Pages are as the rooms would have them, told from what the log has left of each event.

use proptest::prelude::*;

use super::super::*;
use super::making::said;
use super::written;
use crate::rooms::{Annotations, AuthorId, Body, Emoji, Event, Kind, Name, SharedFile, Text, amend};

/// What a member does next; numbers say with which message, and with which words.
#[derive(Clone, Debug)]
enum Step {
    Say { words: u8, file: bool, reply_to: Option<prop::sample::Index> },
    Edit { of: prop::sample::Index, words: u8 },
    Delete { of: prop::sample::Index },
    React { of: prop::sample::Index, author: u32, on: bool, heart: bool },
    Nick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        3 => (0u8..9, any::<bool>(), prop::option::of(index()))
            .prop_map(|(words, file, reply_to)| Step::Say { words, file, reply_to }),
        3 => (index(), 0u8..9).prop_map(|(of, words)| Step::Edit { of, words }),
        1 => index().prop_map(|of| Step::Delete { of }),
        3 => (index(), 0u32..3, any::<bool>(), any::<bool>())
            .prop_map(|(of, author, on, heart)| Step::React { of, author, on, heart }),
        1 => Just(Step::Nick),
    ];
    prop::collection::vec(step, 1..40)
}

/// A room's events as the log keeps them, and as the rooms would.
#[derive(Clone, Default)]
struct Kept {
    payloads: Vec<Vec<u8>>,
    last_state: Vec<Event>,
}

impl Kept {
    fn do_step(&mut self, step: &Step) {
        let is_message = |event: &&Event| matches!(event.body, Body::Message { .. });
        let messages: Vec<u64> = self.last_state.iter().filter(is_message).map(|event| event.id).collect();
        let chosen = |of: &prop::sample::Index| (!messages.is_empty()).then(|| *of.get(&messages));
        let text = |words: &u8| Text::clean(&format!("words {words}\nof it"), 99).ok();
        let body = match step {
            Step::Say { words, file, reply_to } => {
                let id = format!("{:032x}", self.payloads.len());
                let file = file.then(|| SharedFile::parse(&format!("{id} 7 image/png 3x4 a b.png"))).flatten();
                let text = if file.is_some() && words % 2 == 0 { Text::none() } else { text(words).expect("a text") };
                let annotations =
                    Annotations { reply_to: reply_to.as_ref().and_then(chosen), file, ..Annotations::default() };
                Some(Body::Message { kind: Kind::Me, text, cid: None, annotations: annotations.boxed() })
            }
            Step::Edit { of, words } => chosen(of).map(|of| Body::Edit { of, text: text(words), cid: None }),
            Step::Delete { of } => chosen(of).map(|of| Body::Delete { of, of_whom: None }),
            Step::React { of, on, heart, .. } => {
                let emoji = Emoji::parse(if *heart { "❤" } else { "👍" }).expect("an emoji");
                chosen(of).map(|of| Body::Reaction { of, emoji, on: *on, quote: None })
            }
            Step::Nick => Name::parse("ben").map(|to| Body::Nick { to }),
        };
        let author = if let Step::React { author, .. } = step { *author } else { 17 };
        if let (Some(body), Change::Publish { event }) = (body, said("x", None, None)) {
            self.append(Event { author: AuthorId(author), body, ..event });
        }
    }

    fn append(&mut self, mut event: Event) {
        event.id = self.payloads.len() as u64 + 1;
        if let Body::Edit { of, .. } | Body::Delete { of, .. } = event.body {
            let with_file = matches!(event.body, Body::Delete { .. });
            for (payload, other) in self.payloads.iter_mut().zip(&self.last_state) {
                if other.id == of || other.body.amends() == Some(of) {
                    empty(payload, with_file);
                }
            }
        }
        amend(&mut self.last_state, &event);
        self.payloads.push(written(&Change::Publish { event: event.clone() }));
        self.last_state.push(event);
    }

    fn rows(&self, first_id: u64, last_id: u64) -> Vec<KeptEvent<'_>> {
        let rows = self.payloads.iter().zip(1..).map(|(payload, id)| (id, &payload[..]));
        rows.filter(|(id, _)| (first_id..=last_id).contains(id)).collect()
    }

    /// All that amends the messages of a page.
    fn amendments_of(&self, page: &[KeptEvent<'_>]) -> Vec<KeptEvent<'_>> {
        let messages = messages_of_page(page).expect("as it was written");
        let is_of = |id: u64| self.last_state[id as usize - 1].body.amends().is_some_and(|of| messages.contains(&of));
        self.rows(1, u64::MAX).into_iter().filter(|(id, _)| is_of(*id)).collect()
    }
}

/// What the log does with what is to be gone.
fn empty(payload: &mut Vec<u8>, with_file: bool) {
    let text = String::from_utf8(payload.clone()).expect("text");
    let lines: Vec<&str> = text.split('\n').collect();
    *payload = format!("{}\n\n{}", lines[0], if with_file { "" } else { lines[2] }).into_bytes();
}

proptest! {
    #[test]
    fn a_page_is_as_the_rooms_have_it(steps in steps(), first_id in 1u64..40, count in 0u64..40) {
        let mut kept = Kept::default();
        steps.iter().for_each(|step| kept.do_step(step));
        let last_id = first_id + count;
        let page = kept.rows(first_id, last_id);
        let events = events_of_page(&page, &kept.amendments_of(&page)).expect("as it was written");
        let is_wanted = |event: &&Event| (first_id..=last_id).contains(&event.id);
        let expected: Vec<Event> = kept.last_state.iter().filter(is_wanted).cloned().collect();
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn what_is_read_later_counts(before in steps(), after in steps()) {
        let mut kept = Kept::default();
        before.iter().for_each(|step| kept.do_step(step));
        let then = kept.clone();
        after.iter().for_each(|step| kept.do_step(step));
        let page = then.rows(1, u64::MAX);
        let events = events_of_page(&page, &kept.amendments_of(&page)).expect("as it was written");
        prop_assert_eq!(&events, &kept.last_state[..events.len()]);
    }
}

#[test]
fn the_events_of_every_change_are_told() {
    let enter = br#"{"enter":{"event":"enter 5 web 1 ana","opens":true}}"#;
    let vacate = br#"{"vacate":{"author":1,"time_ms":5,"event":"part 6 web 1 ana","may_return":true}}"#;
    let topic = br#"{"moderate":{"event":"topic 7 web 1 ana text=a%20b"}}"#;
    let page: [KeptEvent<'_>; 4] = [(1, enter), (2, vacate), (3, topic), (4, b"g say 8 web 9 carl\nhello\n")];
    let events = events_of_page(&page, &[]).expect("events");
    assert_eq!(events.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((&events[0].body, &events[1].body), (&Body::Enter, &Body::Part));
    assert_eq!(events[2].body, Body::Topic { text: Text::clean("a b", 9).ok() });
    assert!(matches!(events[3].body, Body::Message { .. }));
    assert!(events_of_page(&[(5, br#"{"open":{"time_ms":1}}"#)], &[]).is_err());
}
