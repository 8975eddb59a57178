//! What is done with messages after they were said: corrected, deleted, reacted to, replied to; what is checked, and
//! what is proposed.

use super::change::{Change, OnCommit};
use super::command::{Caller, Command, Membership, Refusal, RoomCommand};
use super::history::IdRange;
use super::{Body, Emoji, Event, MessageKey, MessageRef, Reactions, RoomId, Rooms, Text, Wanted, amendment};
use crate::time::Now;

impl Rooms {
    /// Corrects a message of one's own.
    pub(super) fn edit(
        &mut self,
        caller: &Caller,
        here: Membership,
        of: MessageRef,
        text: Text,
        cid: Option<MessageKey>,
        now: Now,
    ) -> Result<(), Refusal> {
        if cid.as_ref().is_some_and(|key| self.is_said(caller, here, key)) {
            return Ok(());
        }
        let message = self.message(here, of)?;
        if message.author != here.author {
            return Err(Refusal::NotYours);
        }
        self.amend(here, Body::Edit { of: message.id, text: Some(text), cid }, None, now)
    }

    /// Deletes a message: of one's own, or any as an operator.
    pub(super) fn delete(
        &mut self,
        here: Membership,
        of: MessageRef,
        cid: Option<MessageKey>,
        now: Now,
    ) -> Result<(), Refusal> {
        let message = self.message(here, of)?;
        if message.author == here.author {
            return self.amend(here, Body::Delete { of: message.id, of_whom: None }, cid, now);
        }
        if !self.room(here.room).may_moderate(here.author) {
            return Err(Refusal::NotYours);
        }
        self.check_journal()?;
        let body = Body::Delete { of: message.id, of_whom: Some(message.name) };
        let on_commit = cid.map_or(OnCommit::Nothing, OnCommit::NothingUnder);
        self.propose_measure(here, body, None, None, None, on_commit, now)
    }

    /// Adds or takes back a reaction. One that changes nothing is no event.
    pub(super) fn react(
        &mut self,
        here: Membership,
        of: MessageRef,
        emoji: Emoji,
        on: bool,
        cid: Option<MessageKey>,
        now: Now,
    ) -> Result<(), Refusal> {
        let message = self.message(here, of)?;
        let room = self.room(here.room);
        let mut reactions = match message.body {
            Body::Message { annotations: Some(annotations), .. } => annotations.reactions,
            _ => Vec::new(),
        };
        room.proposed.add_reactions(message.id, &mut reactions);
        let name = room.member(here.author).ok_or(Refusal::NotJoined)?.name();
        if !Reactions::set(&mut reactions, &emoji, here.author, name, on) {
            return Ok(());
        }
        if on && !Reactions::are_allowed(&reactions) {
            return Err(Refusal::TooManyReactions);
        }
        self.amend(here, Body::Reaction { of: message.id, emoji, on, quote: None }, cid, now)
    }

    /// The event that a message replies to. What memory does not know is taken for one.
    pub(super) fn reply_target(&self, here: Membership, of: Option<MessageRef>) -> Result<Option<u64>, Refusal> {
        let Some(of) = of else { return Ok(None) };
        let room = self.room(here.room);
        let history = &room.state.history;
        let id = history.resolve(of, here.author, room.page()).ok_or(Refusal::NoSuchEvent)?;
        if !(1..=history.last_id()).contains(&id) {
            return Err(Refusal::NoSuchEvent);
        }
        match history.event(id, room.page()).map(|event| event.body) {
            None | Some(Body::Message { .. } | Body::Deleted { .. }) => Ok(Some(id)),
            Some(_) => Err(Refusal::NoSuchEvent),
        }
    }

    /// A message that is there, and is not about to be deleted.
    fn message(&self, here: Membership, of: MessageRef) -> Result<Event, Refusal> {
        let room = self.room(here.room);
        let id = room.state.history.resolve(of, here.author, room.page()).ok_or(Refusal::NoSuchEvent)?;
        let event = room.state.history.event(id, room.page()).filter(|_| !room.proposed.is_being_deleted(id));
        event.filter(|event| matches!(event.body, Body::Message { .. })).ok_or(Refusal::NoSuchEvent)
    }

    fn amend(&mut self, here: Membership, body: Body, cid: Option<MessageKey>, now: Now) -> Result<(), Refusal> {
        if body.needs_voice() {
            self.check_may_speak(here, now)?;
        }
        self.check_journal()?;
        let event = self.room(here.room).make_event(here.author, body, now.wall_ms).ok_or(Refusal::NotJoined)?;
        let on_commit = cid.map_or(OnCommit::Nothing, OnCommit::NothingUnder);
        self.propose(here.room, Change::Publish { event }, on_commit);
        Ok(())
    }

    // ---- before it can be executed

    /// The room in which messages have to come back from the journal before it is known what was said last, if a command
    /// depends on that.
    pub(super) fn room_to_settle(&self, memberships: &[Membership], command: &Command) -> Option<RoomId> {
        if let Command::CheckShare(share) | Command::Share(share, _) = command {
            // Its answer names the event.
            let (here, key) = self.shared_before(share)?;
            return self.room(here.room).proposed.is_being_said(here.author, key).then_some(here.room);
        }
        let (room, _) = command.message_ref().filter(|(_, of)| of.is_relative())?;
        let room = self.membership(memberships, room).ok()?.room;
        self.room(room).proposed.has_messages().then_some(room)
    }

    /// Messages have come back: what has waited for them goes on.
    pub(super) fn resume_held(&mut self, room: RoomId) {
        while let Some((connection, command)) = self.room_mut(room).proposed.take_held(false) {
            self.retry(connection, command);
        }
    }

    /// What has to be read before something can be done with a message, whatever is held for others at this time.
    pub(super) fn read_to_amend(&self, here: Membership, command: &Command, now: Now) -> Option<Wanted> {
        let (_, of) = command.message_ref()?;
        let is_reply = matches!(command, Command::In(_, RoomCommand::Say { .. }));
        let history = &self.room(here.room).state.history;
        // What a reply names by its id need not be known.
        let range = history.range_to_amend(of, here.author, self.kept()).filter(|_| !is_reply || of.is_relative());
        let range = range.map(|IdRange { first, last }| (first, last));
        let message = match command {
            Command::In(_, RoomCommand::Say { cid: Some(key), .. } | RoomCommand::Edit { cid: Some(key), .. }) => {
                self.message_to_look_for(here, key, now)
            }
            _ => None,
        };
        match (range, message) {
            (None, None) => None,
            (Some((first_id, last_id)), None) => Some(Wanted::Events { first_id, last_id }),
            (None, Some(message)) => Some(Wanted::Messages(vec![message])),
            (Some((first_id, last_id)), Some(message)) => Some(Wanted::EventsAndMessage { first_id, last_id, message }),
        }
    }

    // ---- once it is committed

    /// What was read, or is being read, of the room's history is as it was before this event.
    pub(super) fn amend_pages(&mut self, room: RoomId, event: &Event) {
        let Some(of) = event.body.amends() else { return };
        let room = self.room_mut(room);
        let epoch = room.epoch();
        if let Some(paging) = &mut room.paging {
            paging.note_amendment(event);
        }
        if !matches!(event.body, Body::Reaction { .. }) {
            self.note_amended(epoch, of);
        }
    }

    /// An event with the beginning of what it is about, if it is about another one and anybody is shown that.
    pub(super) fn quoted(&self, room: RoomId, event: &Event) -> Option<Event> {
        event.body.quotes()?;
        let room = self.room(room);
        let mut encoders = self.encoders.iter().zip(&room.logs);
        let is_shown = encoders.any(|(encoder, log)| encoder.quotes() && !log.is_unread());
        is_shown.then(|| {
            let mut quoted = [event.clone()];
            room.state.history.quote_in(&mut quoted, room.page());
            let [quoted] = quoted;
            quoted
        })
    }
}

/// Takes what was read up to the state of the room, by what was committed meanwhile.
pub(super) fn catch_up(events: &mut [Event], amendments: &[Event]) {
    amendments.iter().for_each(|amendment| amendment::amend(events, amendment));
}
