//! What the client knows of the room that it is in: who is there, and what was said last.

use std::collections::VecDeque;

use super::incoming::Person;
use super::outbox::LastMessages;
use crate::rooms::{AuthorId, Body, Event, ModeChange, Moderation, Name, Quote, amend, quote_in};

/// Messages that are remembered, to be quoted where somebody replies to them.
const MAX_MESSAGES: usize = 1000;
/// Members that are remembered; of a larger room the others are asked for.
const MAX_PEOPLE: usize = 2000;

/// A room, from within.
#[derive(Default)]
pub struct Room {
    people: Vec<Person>,
    messages: VecDeque<Event>,
}

impl Room {
    /// Takes the members as they are told at first.
    pub fn set_people(&mut self, people: Vec<Person>) {
        self.people = people;
    }

    /// Adds members that are told later.
    pub fn add_people(&mut self, people: Vec<Person>) {
        for person in people {
            self.people.retain(|known| known.name != person.name);
            if self.people.len() < MAX_PEOPLE {
                self.people.push(person);
            }
        }
    }

    /// Who is there.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Another sequence of events begins.
    pub fn forget_messages(&mut self) {
        self.messages.clear();
    }

    /// Takes in what has happened, and puts into it what it is about. `is_operator`: of who comes in.
    pub fn happen(&mut self, event: &mut Event, is_operator: bool) {
        self.recall(std::slice::from_mut(event));
        match &event.body {
            Body::Message { .. } => {
                self.messages.push_back(event.clone());
                if self.messages.len() > MAX_MESSAGES {
                    self.messages.pop_front();
                }
            }
            Body::Edit { .. } | Body::Delete { .. } | Body::Reaction { .. } => {
                amend(self.messages.make_contiguous(), event);
            }
            Body::Enter => {
                let person = Person { name: event.name.clone(), via: event.via, is_operator };
                self.add_people(vec![person]);
            }
            Body::Part => self.people.retain(|person| person.name != event.name),
            Body::Nick { to } => self.change(&event.name, |person| person.name = to.clone()),
            Body::Mode { change: ModeChange::Op(name) } => self.change(name, |person| person.is_operator = true),
            Body::Mode { change: ModeChange::Deop(name) } => self.change(name, |person| person.is_operator = false),
            Body::Kick { name, .. } => self.people.retain(|person| person.name != *name),
            _ => (),
        }
    }

    /// Puts into events what they are about.
    pub fn recall(&self, events: &mut [Event]) {
        let find = |id| self.messages.iter().rev().find(|message| message.id == id).and_then(Quote::of);
        quote_in(events, find);
    }

    fn change(&mut self, name: &Name, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.people.iter_mut().find(|person| person.name == *name) {
            change(person);
        }
    }

    /// Whether this member is an operator.
    pub fn is_operator(&self, name: &Name) -> bool {
        self.people.iter().any(|person| person.is_operator && person.name == *name)
    }

    /// The last messages that were not deleted.
    pub fn last_messages(&self, own: Option<AuthorId>) -> LastMessages {
        let mut said = self.messages.iter().rev().filter(|message| matches!(message.body, Body::Message { .. }));
        let last = said.clone().next().map(|message| message.id);
        let by_others = said.clone().find(|message| Some(message.author) != own).map(|message| message.id);
        LastMessages {
            own: said.find(|message| Some(message.author) == own).map(|message| message.id),
            of_others: by_others,
            last,
        }
    }

    /// Of several readings of what an operator has typed, the first that is about somebody who is here; else the one with
    /// the shortest name.
    pub fn choose(&self, readings: Vec<Moderation>) -> Option<Moderation> {
        let is_here = |reading: &&Moderation| {
            named(reading).is_none_or(|name| self.people.iter().any(|person| person.name.is_same(name)))
        };
        readings.iter().find(is_here).cloned().or_else(|| readings.into_iter().next_back())
    }
}

/// Whom it concerns.
pub fn named(moderation: &Moderation) -> Option<&Name> {
    match moderation {
        Moderation::Op(name)
        | Moderation::Deop(name)
        | Moderation::Unban(name)
        | Moderation::Unmute(name)
        | Moderation::Kick { name, .. }
        | Moderation::Ban { name, .. }
        | Moderation::Mute { name, .. } => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{Kind, Text, Via};

    fn name(name: &str) -> Name {
        Name::parse(name).expect("a name")
    }

    fn room(people: &[&str]) -> Room {
        let people = people.iter().map(|person| Person { name: name(person), via: Via::Web, is_operator: false });
        Room { people: people.collect(), ..Room::default() }
    }

    fn happen(room: &mut Room, id: u64, by: u32, body: Body) {
        let mut event = Event { id, time_ms: 0, name: name("ana"), via: Via::Web, author: AuthorId(by), body };
        room.happen(&mut event, false);
    }

    fn said(text: &str) -> Body {
        let text = Text::clean(text, 100).expect("a text");
        Body::Message { kind: Kind::Say, text, cid: None, annotations: None }
    }

    #[test]
    fn what_was_deleted_is_not_the_last_message_any_more() {
        let mut room = room(&[]);
        for (id, by) in [(1, 1), (2, 1), (3, 2)] {
            happen(&mut room, id, by, said("x"));
        }
        let last = |room: &Room| {
            let last = room.last_messages(Some(AuthorId(1)));
            (last.own, last.of_others, last.last)
        };
        assert_eq!(last(&room), (Some(2), Some(3), Some(3)));
        happen(&mut room, 4, 1, Body::Delete { of: 2, of_whom: None });
        happen(&mut room, 5, 2, Body::Delete { of: 3, of_whom: None });
        assert_eq!(last(&room), (Some(1), None, Some(1)));
    }

    #[test]
    fn who_comes_and_goes_is_known() {
        let mut room = room(&["ana"]);
        happen(&mut room, 1, 1, Body::Nick { to: name("anna") });
        happen(&mut room, 2, 1, Body::Mode { change: ModeChange::Op(name("anna")) });
        happen(&mut room, 3, 2, Body::Enter);
        let names: Vec<_> = room.people().iter().map(|person| person.name.as_str().to_owned()).collect();
        assert_eq!(names, ["anna", "ana"]);
        assert!(room.is_operator(&name("anna")) && !room.is_operator(&name("ana")));
        happen(&mut room, 4, 1, Body::Kick { name: name("anna"), reason: None });
        happen(&mut room, 5, 2, Body::Part);
        assert!(room.people().is_empty());
    }

    #[test]
    fn an_operator_means_somebody_who_is_here() {
        let kick = |who: &str| Moderation::Kick { name: name(who), reason: None };
        let readings = || vec![kick("ana maria stop"), kick("ana maria"), kick("ana")];
        assert_eq!(room(&["Ana Maria", "ana"]).choose(readings()), Some(kick("ana maria")));
        assert_eq!(room(&["ben"]).choose(readings()), Some(kick("ana")));
        assert_eq!(room(&[]).choose(vec![Moderation::Lock]), Some(Moderation::Lock));
    }
}
