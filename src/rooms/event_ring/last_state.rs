//! What became of messages in the ring, told by the events behind them.
//!
//! The ring ends with the room's last event. So it holds all that was done with a message that it holds, and nothing has
//! to be remembered beside it: the text of a message that was edited is that of its last edit, and its reactions are
//! what is left of those that were given and taken back. A text that does not count any more is overwritten where it
//! stands.

use std::ops::Range;

use hashbrown::HashMap;

use super::super::{AuthorId, Emoji, Name, Reactions};
use super::{Entry, EventKind, EventRing};

/// What an entry's text is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextState {
    /// It is what is shown.
    Current,
    /// Another one has taken its place: that of the message's last edit.
    Superseded,
    /// The message was deleted.
    Gone,
}

/// What became of a message.
#[derive(Default)]
pub(super) struct LastState {
    /// Where its text stands in the ring, if it was edited.
    pub text: Option<Range<usize>>,
    pub reactions: Vec<Reactions>,
}

impl EventRing {
    /// Takes a text from a message, and from all edits of it.
    pub(super) fn take_text(&mut self, of: u64, state: TextState) {
        let first_id = self.first_id();
        // Its edits come behind it.
        let first = (of.saturating_sub(first_id) as usize).min(self.len());
        let mut start = self.start_of(first);
        for index in first..self.len() {
            let entry = &self.entries[index];
            let next = start + entry.text_bytes as usize;
            let is_it = match entry.what {
                EventKind::Said(_) | EventKind::Replied(_) | EventKind::Shared(_) => first_id + index as u64 == of,
                EventKind::Edited => self.number_at(self.text_start(start, entry)).0 == of,
                _ => false,
            };
            if is_it && entry.text != TextState::Gone {
                let mut text = self.said_range(start, entry);
                if matches!(entry.what, EventKind::Shared(_)) && state == TextState::Superseded {
                    // The file stays.
                    let file_bytes = self.texts.range(text.clone()).take_while(|byte| **byte != b'\n').count();
                    text.start = (text.start + file_bytes + 1).min(text.end);
                }
                self.entries[index].text = state;
                self.texts.range_mut(text).for_each(|byte| *byte = 0);
            }
            start = next;
        }
    }

    /// Whether memory knows that this message was deleted.
    pub fn is_deleted(&self, id: u64) -> bool {
        let entry = id.checked_sub(self.first_id()).and_then(|index| self.entries.get(index as usize));
        entry.is_some_and(|entry| entry.is_message() && entry.text == TextState::Gone)
    }

    /// The last message that has a text and whose author is such a one.
    pub fn last_message(&self, mut is_by: impl FnMut(AuthorId) -> bool) -> Option<u64> {
        let is_it = |entry: &Entry| entry.is_message() && entry.text != TextState::Gone && is_by(entry.author);
        let index = self.entries.iter().rposition(is_it)?;
        Some(self.first_id() + index as u64)
    }

    /// What became of the messages that entries from this one on change. `start`: where its texts are.
    pub(super) fn last_states_from(&self, index: usize, mut start: usize) -> HashMap<u64, LastState> {
        let mut states: HashMap<u64, LastState> = HashMap::new();
        if self.amendments == 0 {
            return states;
        }
        for entry in self.entries.range(index..) {
            let end = start + entry.text_bytes as usize;
            if entry.amends() && entry.text == TextState::Current {
                let text = self.text_start(start, entry);
                let (of, said) = self.number_at(text);
                let state = states.entry(of).or_default();
                if matches!(entry.what, EventKind::Edited) {
                    state.text = Some(said..end);
                } else if matches!(entry.what, EventKind::Reacted | EventKind::Unreacted) {
                    let (emoji, name) =
                        (self.string(said..end), self.string(start..start + usize::from(entry.name_bytes)));
                    let is_on = matches!(entry.what, EventKind::Reacted);
                    let (emoji, name) = (Emoji::known(&emoji), Name::known(&name));
                    Reactions::set(&mut state.reactions, &emoji, entry.author, &name, is_on);
                }
            }
            start = end;
        }
        states
    }

    /// Where an entry has what was said, the number before it left out.
    fn said_range(&self, start: usize, entry: &Entry) -> Range<usize> {
        let text = self.text_start(start, entry);
        let said = if entry.has_number() { self.number_at(text).1 } else { text };
        said..start + entry.text_bytes as usize
    }

    /// Where the text behind an entry's name and client id begins.
    fn text_start(&self, start: usize, entry: &Entry) -> usize {
        start + usize::from(entry.name_bytes) + usize::from(entry.key_bytes)
    }

    /// The number that stands here, and where what is behind it begins.
    fn number_at(&self, start: usize) -> (u64, usize) {
        let digits = self.texts.range(start..).take_while(|byte| byte.is_ascii_digit());
        let (number, count) =
            digits.fold((0, 0), |(number, count), digit| (number * 10 + u64::from(digit - b'0'), count + 1));
        (number, start + count + 1)
    }

    pub(super) fn string(&self, range: Range<usize>) -> String {
        String::from_utf8(self.texts.range(range).copied().collect()).expect("texts as they were written")
    }
}

impl Entry {
    pub(super) fn is_message(&self) -> bool {
        matches!(self.what, EventKind::Said(_) | EventKind::Replied(_) | EventKind::Shared(_))
    }

    pub(super) fn amends(&self) -> bool {
        matches!(self.what, EventKind::Edited | EventKind::Deleted | EventKind::Reacted | EventKind::Unreacted)
    }

    /// Whether an event's number stands before the text.
    fn has_number(&self) -> bool {
        self.amends() || matches!(self.what, EventKind::Replied(_) | EventKind::Shared(_))
    }
}
