//! What becomes of a message after it was said: corrected, deleted, reacted to, replied to.
//!
//! Each is an event of its own, and each message is told in its last state. What is derived here from a message and the
//! events after it is the same wherever those events are: in memory, in a page that was read, in the data file.

use unicode_segmentation::UnicodeSegmentation;

use super::{AuthorId, Body, Emoji, Event, Name, SharedFile, Text};

/// Different emojis that one message may have.
pub const MAX_EMOJIS: usize = 20;

/// Reactions that one message may have, all emojis together.
pub const MAX_REACTIONS: usize = 1_000;

/// Characters of a quotation.
const QUOTED_CHARACTERS: usize = 40;

/// What a message has beside its text. Few messages have any of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Annotations {
    /// The event that it replies to.
    pub reply_to: Option<u64>,
    /// What that said, for those who are shown it. Never stored: what is deleted later is quoted no more.
    pub quote: Option<Quote>,
    /// Its text is not the one that was said first.
    pub is_edited: bool,
    /// What others think of it, each emoji once.
    pub reactions: Vec<Reactions>,
    /// The file that is shared with it. Only then its text may be empty.
    pub file: Option<SharedFile>,
}

impl Annotations {
    pub(super) fn text_bytes(&self) -> usize {
        let member_bytes = |(_, name): &(AuthorId, Name)| name.as_str().len();
        let reaction_bytes = |reactions: &Reactions| {
            reactions.emoji.as_str().len() + reactions.members.iter().map(member_bytes).sum::<usize>()
        };
        let file_bytes = self.file.as_ref().map_or(0, |file| file.name.as_str().len());
        self.reactions.iter().map(reaction_bytes).sum::<usize>() + file_bytes
    }

    /// As a message has them: `None` if there is nothing to be told.
    pub fn boxed(self) -> Option<Box<Annotations>> {
        (self != Annotations::default()).then(|| Box::new(self))
    }
}

/// Those who react to a message with one emoji.
#[derive(Clone, PartialEq, Debug)]
pub struct Reactions {
    /// With which one.
    pub emoji: Emoji,
    /// Who, the first one first, by the names of that time. Never empty.
    pub members: Vec<(AuthorId, Name)>,
}

impl Reactions {
    /// Adds or takes back a member's reaction. Returns whether that changes anything.
    pub fn set(all: &mut Vec<Reactions>, emoji: &Emoji, author: AuthorId, name: &Name, on: bool) -> bool {
        let index = all.iter().position(|reactions| reactions.emoji == *emoji);
        match (index, on) {
            (None, false) => false,
            (None, true) => {
                all.push(Reactions { emoji: emoji.clone(), members: vec![(author, name.clone())] });
                true
            }
            (Some(index), on) => {
                let members = &mut all[index].members;
                let member = members.iter().position(|(other, _)| *other == author);
                match (member, on) {
                    (None, true) => members.push((author, name.clone())),
                    (Some(member), false) => drop(members.remove(member)),
                    _ => return false,
                }
                if members.is_empty() {
                    all.remove(index);
                }
                true
            }
        }
    }

    /// Whether a message may have so many.
    pub fn are_allowed(all: &[Reactions]) -> bool {
        all.len() <= MAX_EMOJIS && all.iter().map(|reactions| reactions.members.len()).sum::<usize>() <= MAX_REACTIONS
    }
}

/// The beginning of a message that another event is about.
#[derive(Clone, PartialEq, Debug)]
pub struct Quote {
    /// Who said it.
    pub name: Name,
    /// How it begins.
    pub text: Box<str>,
    /// It goes on.
    pub is_cut: bool,
}

impl Quote {
    /// Of a message that was not deleted: the beginning of its text, or the name of its file.
    pub fn of(message: &Event) -> Option<Quote> {
        let Body::Message { text, .. } = &message.body else { return None };
        let text = message.body.file().map_or(text.as_str().trim(), |file| file.name.as_str());
        let mut characters = 0;
        let fits = |(_, cluster): &(usize, &str)| {
            characters += cluster.chars().count();
            characters <= QUOTED_CHARACTERS
        };
        let end =
            text.grapheme_indices(true).take_while(fits).last().map_or(0, |(start, cluster)| start + cluster.len());
        let (name, is_cut) = (message.name.clone(), end < text.len());
        Some(Quote { name, text: text[..end].trim_end().into(), is_cut })
    }
}

/// Which message something is to be done with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageRef {
    /// The event with this id.
    Id(u64),
    /// The last one of whoever asks.
    OwnLast,
    /// The last one of anybody else.
    LastOfOthers,
    /// The last one.
    Last,
}

impl MessageRef {
    /// Whether it depends on what was said last.
    pub fn is_relative(self) -> bool {
        !matches!(self, MessageRef::Id(_))
    }

    /// Whether a message of this author is such a one for whoever asks.
    pub(super) fn is_by(self, author: AuthorId, asking: AuthorId) -> bool {
        match self {
            MessageRef::OwnLast => author == asking,
            MessageRef::LastOfOthers => author != asking,
            MessageRef::Id(_) | MessageRef::Last => true,
        }
    }
}

/// Makes of events what they are after one that came behind them: an edit, a deletion, a reaction. They are in the order
/// of their ids. Done twice it is as done once.
pub fn amend(events: &mut [Event], amendment: &Event) {
    let Some(of) = amendment.body.amends() else { return };
    if let Ok(index) = events.binary_search_by_key(&of, |event| event.id) {
        amend_message(&mut events[index].body, amendment);
    }
    for event in events {
        match (&mut event.body, &amendment.body) {
            (Body::Edit { of: other, text: Some(text), .. }, Body::Edit { text: Some(newest), .. }) if *other == of => {
                text.clone_from(newest);
            }
            (Body::Edit { of: other, text, .. }, Body::Delete { .. }) if *other == of => *text = None,
            _ => (),
        }
    }
}

fn amend_message(message: &mut Body, amendment: &Event) {
    let Body::Message { kind, text, cid, annotations } = message else { return };
    let mut noted = annotations.take().map(|annotations| *annotations).unwrap_or_default();
    match &amendment.body {
        Body::Edit { text: Some(newest), .. } => {
            text.clone_from(newest);
            noted.is_edited = true;
        }
        Body::Delete { .. } => {
            *message = Body::Deleted { kind: *kind, cid: cid.take() };
            return;
        }
        Body::Reaction { emoji, on, .. } => {
            Reactions::set(&mut noted.reactions, emoji, amendment.author, &amendment.name, *on);
        }
        _ => (),
    }
    *annotations = noted.boxed();
}

/// Gives replies and reactions among these events, which are in the order of their ids, the beginning of what they are
/// about, as far as `find` knows it or it is among them.
pub fn quote_in(events: &mut [Event], find: impl Fn(u64) -> Option<Quote>) {
    for index in 0..events.len() {
        let Some(of) = events[index].body.quotes() else { continue };
        let among = events.binary_search_by_key(&of, |event| event.id).ok();
        let quote = among.map_or_else(|| find(of), |among| Quote::of(&events[among]));
        match &mut events[index].body {
            Body::Message { annotations: Some(annotations), .. } => annotations.quote = quote,
            Body::Reaction { quote: shown, .. } => *shown = quote.map(Box::new),
            _ => (),
        }
    }
}

impl Body {
    /// The message that this changes, if it is a correction, a deletion or a reaction.
    pub fn amends(&self) -> Option<u64> {
        match self {
            Body::Edit { of, .. } | Body::Delete { of, .. } | Body::Reaction { of, .. } => Some(*of),
            _ => None,
        }
    }

    /// The message whose beginning is shown with this.
    pub(super) fn quotes(&self) -> Option<u64> {
        match self {
            Body::Message { annotations: Some(annotations), .. } => annotations.reply_to,
            Body::Reaction { of, .. } => Some(*of),
            _ => None,
        }
    }

    /// The file that is shared with this.
    pub fn file(&self) -> Option<&SharedFile> {
        match self {
            Body::Message { annotations: Some(annotations), .. } => annotations.file.as_ref(),
            _ => None,
        }
    }

    /// A file as it is shared.
    pub(super) fn shared(file: SharedFile, text: Option<Text>, cid: Option<super::MessageKey>) -> Body {
        let annotations = Annotations { file: Some(file), ..Annotations::default() }.boxed();
        let (kind, text) = (super::Kind::Say, text.unwrap_or_else(Text::none));
        Body::Message { kind, text, cid, annotations }
    }

    /// A message as it is said.
    pub(super) fn said(kind: super::Kind, text: Text, cid: Option<super::MessageKey>, reply_to: Option<u64>) -> Body {
        let annotations = Annotations { reply_to, ..Annotations::default() }.boxed();
        Body::Message { kind, text, cid, annotations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{Kind, MessageKey, Via};

    fn event(id: u64, author: u32, body: Body) -> Event {
        let name = Name::parse(&format!("m{author}")).expect("a name");
        Event { id, time_ms: 0, name, via: Via::Web, author: AuthorId(author), body }
    }

    fn text(text: &str) -> Text {
        Text::clean(text, 4096).expect("a text")
    }

    fn said(id: u64, words: &str) -> Event {
        event(id, 1, Body::said(Kind::Say, text(words), MessageKey::parse("c"), None))
    }

    fn edit(id: u64, of: u64, words: &str) -> Event {
        event(id, 1, Body::Edit { of, text: Some(text(words)), cid: None })
    }

    fn reaction(id: u64, of: u64, author: u32, emoji: &str, on: bool) -> Event {
        let emoji = Emoji::parse(emoji).expect("an emoji");
        event(id, author, Body::Reaction { of, emoji, on, quote: None })
    }

    #[test]
    fn the_last_text_takes_the_place_of_all_before() {
        let mut events = vec![said(1, "a"), said(2, "x"), edit(3, 1, "b"), edit(4, 2, "y")];
        for _ in 0..2 {
            amend(&mut events, &edit(5, 1, "c"));
            let texts = events.iter().map(|event| match &event.body {
                Body::Message { text, .. } | Body::Edit { text: Some(text), .. } => text.as_str(),
                other => panic!("{other:?}"),
            });
            assert_eq!(texts.collect::<Vec<_>>(), ["c", "x", "c", "y"]);
        }
        assert!(matches!(&events[0].body, Body::Message { annotations: Some(noted), .. } if noted.is_edited));
        assert!(matches!(&events[1].body, Body::Message { annotations: None, .. }));
    }

    #[test]
    fn a_deleted_text_does_not_come_back() {
        let mut events = vec![said(1, "a"), edit(2, 1, "b"), said(3, "x")];
        amend(&mut events, &event(4, 1, Body::Delete { of: 1, of_whom: None }));
        amend(&mut events, &edit(5, 1, "again"));
        amend(&mut events, &reaction(6, 1, 2, "👍", true));
        assert_eq!(events[0].body, Body::Deleted { kind: Kind::Say, cid: MessageKey::parse("c") });
        assert_eq!(events[1].body, Body::Edit { of: 1, text: None, cid: None });
        assert_eq!(events[2], said(3, "x"));
    }

    #[test]
    fn each_member_reacts_once_with_an_emoji() {
        let mut events = vec![said(1, "a")];
        for (author, emoji, on) in
            [(2, "👍", true), (3, "👍", true), (2, "👍", true), (2, "🎉", true), (2, "👍", false), (4, "🎉", false)]
        {
            amend(&mut events, &reaction(2, 1, author, emoji, on));
        }
        let Body::Message { annotations: Some(noted), .. } = &events[0].body else { panic!("{events:?}") };
        let shown = noted.reactions.iter().map(|reactions| {
            (reactions.emoji.as_str(), reactions.members.iter().map(|(author, _)| author.0).collect::<Vec<_>>())
        });
        assert_eq!(shown.collect::<Vec<_>>(), [("👍", vec![3]), ("🎉", vec![2])]);
        amend(&mut events, &reaction(3, 1, 3, "👍", false));
        amend(&mut events, &reaction(4, 1, 2, "🎉", false));
        assert_eq!(events[0], said(1, "a"), "nothing is left of what was taken back");
    }

    #[test]
    fn a_message_has_so_many_reactions_and_no_more() {
        let emojis: Vec<Emoji> = ('😀'..).take(MAX_EMOJIS + 1).filter_map(|c| Emoji::parse(&c.to_string())).collect();
        let name = Name::parse("ana").expect("a name");
        let mut all = Vec::new();
        for (number, emoji) in emojis.iter().enumerate() {
            assert!(Reactions::set(&mut all, emoji, AuthorId(1), &name, true));
            assert_eq!(Reactions::are_allowed(&all), number < MAX_EMOJIS);
        }
        all.truncate(1);
        (2..=MAX_REACTIONS as u32).for_each(|author| {
            Reactions::set(&mut all, &emojis[0], AuthorId(author), &name, true);
        });
        assert!(Reactions::are_allowed(&all));
        Reactions::set(&mut all, &emojis[0], AuthorId(0), &name, true);
        assert!(!Reactions::are_allowed(&all));
    }

    #[test]
    fn a_quotation_is_short_and_cut_between_characters_as_people_see_them() {
        let quote = |words: &str| Quote::of(&said(1, words)).expect("a quotation");
        let whole = quote(" slides are on the board ");
        assert_eq!((&*whole.text, whole.is_cut), ("slides are on the board", false));
        let cut = quote(&format!("{}👨‍👩‍👧‍👦 and more", "x".repeat(37)));
        assert_eq!((cut.text.len(), cut.is_cut), (37, true), "{cut:?}");
        assert_eq!(&*quote(&"y".repeat(41)).text, "y".repeat(40));
        assert_eq!(Quote::of(&event(1, 1, Body::Deleted { kind: Kind::Say, cid: None })), None);
    }

    #[test]
    fn quotations_are_of_the_last_state() {
        let reply = event(3, 2, Body::said(Kind::Say, text("r"), None, Some(1)));
        let far = event(4, 2, Body::said(Kind::Say, text("r"), None, Some(900)));
        let mut events = vec![said(1, "a"), reply, far, reaction(5, 1, 2, "👍", true)];
        amend(&mut events, &edit(6, 1, "b"));
        quote_in(&mut events, |_| None);
        let quote = Quote::of(&edit_of(&events[0], "b"));
        assert!(
            matches!(&events[1].body, Body::Message { annotations: Some(noted), .. } if noted.quote == quote && quote.is_some())
        );
        assert!(matches!(&events[2].body, Body::Message { annotations: Some(noted), .. } if noted.quote.is_none()));
        assert!(matches!(&events[3].body, Body::Reaction { quote: Some(shown), .. } if *shown.text == *"b"));
    }

    fn edit_of(message: &Event, words: &str) -> Event {
        Event { body: Body::said(Kind::Say, text(words), None, None), ..message.clone() }
    }
}
