//! Events that memory does not hold: which commands wait for them, and what is read.
//!
//! Nothing here waits itself. A command that needs older events is parked with its room; one read request of a room is
//! under way at a time, and what it finds serves all parked commands that wanted the same.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::amending::catch_up;
use super::command::{Caller, Command, ConnectionId, JoinTarget, Membership, Refusal, Reply, RoomCommand};
use super::history::{HistoryPage, IdRange, MAX_PAGE_EVENTS};
use super::{AuthorId, Epoch, Event, MessageKey, Page, ReadRequest, Room, RoomId, Rooms, Token, Wanted};
use crate::time::Now;

/// What is read for a room, and for whom.
#[derive(Default)]
pub(super) struct Paging {
    in_flight: Option<Wanted>,
    waiting: VecDeque<Parked>,
    /// Events that were read, for those who are resumed.
    pub page: HistoryPage,
    /// The messages that were looked for, and the event that each is, if it is one.
    found: HashMap<(AuthorId, MessageKey), Option<u64>>,
    /// Commands that are resumed and not executed yet.
    resumed: usize,
    /// What was done with messages since the read request under way was made.
    amendments: Vec<Event>,
}

struct Parked {
    connection: ConnectionId,
    command: Command,
    wanted: Wanted,
}

/// A command that can go on, since what it waited for is there.
#[derive(Debug)]
pub struct Resumed {
    /// Whose it is.
    pub connection: ConnectionId,
    /// To be executed again.
    pub command: Command,
    /// The room whose page is held for it.
    pub(super) room: Option<Epoch>,
    /// Everything is here that was committed anywhere when it was first executed.
    pub(super) is_synced: bool,
}

impl Paging {
    /// The event that this message is, if it was looked for: `Some(None)`, if it is none.
    pub fn found(&self, author: AuthorId, key: &MessageKey) -> Option<Option<u64>> {
        self.found.get(&(author, key.clone())).copied()
    }

    fn satisfies(&self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Events { first_id, last_id } => {
                self.page.range.is_some_and(|range| range.first <= *first_id && range.last >= *last_id)
            }
            Wanted::Messages(messages) => messages.iter().all(|message| self.found.contains_key(message)),
            Wanted::EventsAndMessage { first_id, last_id, message } => {
                let (first_id, last_id) = (*first_id, *last_id);
                self.satisfies(&Wanted::Events { first_id, last_id }) && self.found.contains_key(message)
            }
            // Searches do not wait here.
            Wanted::Search { .. } => false,
        }
    }

    /// Something was done with a message that may be among the events that are held, or being read.
    pub fn note_amendment(&mut self, event: &Event) {
        catch_up(&mut self.page.events, std::slice::from_ref(event));
        if self.in_flight.is_some() {
            self.amendments.push(event.clone());
        }
    }

    /// What the first one waits for; messages that are looked for are looked for together.
    fn next_wanted(&self) -> Option<Wanted> {
        let first = self.waiting.front()?.wanted.clone();
        let Wanted::Messages(_) = first else { return Some(first) };
        let messages = self.waiting.iter().filter_map(|parked| match &parked.wanted {
            Wanted::Messages(messages) => Some(messages),
            Wanted::Events { .. } | Wanted::EventsAndMessage { .. } | Wanted::Search { .. } => None,
        });
        Some(Wanted::Messages(messages.flatten().take(MAX_PAGE_EVENTS).cloned().collect()))
    }
}

impl Rooms {
    /// What has to be read before this command can be executed. Whoever asks for too many codes is told nothing, not
    /// even by the time that a read takes.
    pub(super) fn read_needed(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: &Command,
        now: Now,
    ) -> Result<Option<(RoomId, Wanted)>, Refusal> {
        let kept = self.kept();
        let (room_id, range) = match command {
            Command::Join(join) => {
                let (JoinTarget::Code(code) | JoinTarget::CodeOrNew(code)) = join.target else { return Ok(None) };
                if self.is_new(join.target) {
                    return Ok(None);
                }
                let room_id = self.find(code, join.token, caller.address, now)?;
                let room = self.room(room_id);
                let epoch = room.life_known(join.token, join.since, join.epoch);
                let since = join.since.filter(|&since| room.is_continued_by(since, epoch));
                let range = room.state.history.range_to_continue(since, room.page(), kept);
                if range.is_some() {
                    // Who is refused anyway causes no read.
                    let (name, key) = (join.name.as_ref(), join.key.as_ref());
                    self.check_admittance(room_id, name, join.token, key, caller, now)?;
                }
                if range.is_some() && (join.name.is_some() || !join.keeps_name) {
                    let token = join.token.map(Token::hash);
                    self.identify(room_id, join.name.clone(), token, caller.connection, true)?;
                }
                (room_id, range)
            }
            Command::In(room, RoomCommand::History(span)) => {
                let room_id = self.membership(memberships, *room)?.room;
                let room = self.room(room_id);
                (room_id, room.state.history.range_to_select(*span, room.page(), kept))
            }
            Command::Events { code, span, token } => {
                let room_id = self.find_open(*code, *token, caller.address, now)?;
                self.check_may_look(room_id, *token)?;
                let room = self.room(room_id);
                (room_id, room.state.history.range_to_select(*span, room.page(), kept))
            }
            Command::CheckShare(share) | Command::Share(share, _) => {
                let Some((here, key)) = self.shared_before(share) else { return Ok(None) };
                // Who shares needs no connection as a member, and may share again at any time.
                let wanted =
                    self.message_that_may_be_said(here, key, now).map(|message| Wanted::Messages(vec![message]));
                return Ok(self.unread(here.room, wanted));
            }
            Command::In(room, RoomCommand::Say { cid: Some(key), reply_to: None, .. }) => {
                let membership = self.membership(memberships, *room)?;
                let message = self.message_to_look_for(membership, key, now);
                let wanted = message.map(|message| Wanted::Messages(vec![message]));
                return Ok(self.unread(membership.room, wanted));
            }
            Command::In(
                room,
                RoomCommand::Say { reply_to: Some(_), .. }
                | RoomCommand::Edit { .. }
                | RoomCommand::Delete { .. }
                | RoomCommand::React { .. },
            ) => {
                let membership = self.membership(memberships, *room)?;
                return Ok(self.unread(membership.room, self.read_to_amend(membership, command, now)));
            }
            _ => return Ok(None),
        };
        let wanted = range.map(|IdRange { first, last }| Wanted::Events { first_id: first, last_id: last });
        Ok(wanted.map(|wanted| (room_id, wanted)))
    }

    /// What of this is not read yet. All of it or nothing: a part that is held for others may be gone once the rest is
    /// read.
    fn unread(&self, room: RoomId, wanted: Option<Wanted>) -> Option<(RoomId, Wanted)> {
        let paging = self.room(room).paging.as_ref();
        let wanted = wanted.filter(|wanted| !paging.is_some_and(|paging| paging.satisfies(wanted)))?;
        Some((room, wanted))
    }

    /// A member that came back may say again what it said before it left, further back than memory goes.
    pub(super) fn message_to_look_for(
        &self,
        membership: Membership,
        key: &MessageKey,
        now: Now,
    ) -> Option<(AuthorId, MessageKey)> {
        let has_returned = self.room(membership.room).has_returned(membership.author);
        if has_returned { self.message_that_may_be_said(membership, key, now) } else { None }
    }

    /// A message that may have been said further back than memory goes.
    fn message_that_may_be_said(
        &self,
        Membership { room, author }: Membership,
        key: &MessageKey,
        now: Now,
    ) -> Option<(AuthorId, MessageKey)> {
        let room = self.room(room);
        let history = &room.state.history;
        let is_known = || history.said_before(author, key).is_some() || room.proposed.is_being_said(author, key);
        let may_be_said = history.may_know_less(now.wall_ms, self.kept()) && !is_known();
        may_be_said.then(|| (author, key.clone()))
    }

    /// Has a command wait until something is read.
    pub(super) fn park(&mut self, connection: ConnectionId, room: RoomId, command: Command, wanted: Wanted) {
        let paging = self.room_mut(room).paging.get_or_insert_default();
        paging.waiting.push_back(Parked { connection, command, wanted });
        self.request_next(room);
    }

    /// Asks for what the first one waits for, if nothing else is under way.
    fn request_next(&mut self, room_id: RoomId) {
        let room = self.room_mut(room_id);
        let Some(paging) = &mut room.paging else { return };
        if paging.in_flight.is_some() || paging.resumed > 0 {
            return;
        }
        let Some(wanted) = paging.next_wanted() else {
            room.paging = None;
            return;
        };
        paging.in_flight = Some(wanted.clone());
        let (code, epoch) = (room.code(), room.epoch());
        self.read_requests.push_back(ReadRequest { code, epoch, wanted });
    }

    /// The next thing that the journal is to read.
    pub fn take_read_request(&mut self) -> Option<ReadRequest> {
        self.read_requests.pop_front()
    }

    /// Takes in what was read; `None`: it could not be.
    pub fn page_in(&mut self, request: ReadRequest, page: Option<Page>) {
        if let Wanted::Search { .. } = request.wanted {
            return self.finish_search(page);
        }
        // The room may be over; then nobody waits any more.
        let Some(room_id) = self.find_epoch(request.epoch) else { return };
        let (kept, is_shared) = (self.kept(), self.is_shared());
        let room = self.room_mut(room_id);
        let Some(mut paging) = room.paging.take() else { return };
        paging.in_flight = None;
        let amendments = std::mem::take(&mut paging.amendments);
        let Some(Page { mut events, messages: said, .. }) = page else {
            let has_failed = |parked: &Parked| match (&parked.wanted, &request.wanted) {
                // A log that cannot be reached is waited for as long as anybody may wait: nobody waits for that twice.
                _ if is_shared => true,
                (Wanted::Messages(messages), Wanted::Messages(failed)) => failed.contains(&messages[0]),
                (wanted, failed) => wanted == failed,
            };
            let (failed, waiting) = paging.waiting.into_iter().partition::<VecDeque<_>, _>(has_failed);
            paging.waiting = waiting;
            room.paging = Some(paging);
            for Parked { connection, command, .. } in failed {
                self.refuse_parked(connection, &command, Refusal::StorageFailed);
            }
            return self.request_next(room_id);
        };
        catch_up(&mut events, &amendments);
        let (range, messages) = match request.wanted {
            Wanted::Events { first_id, last_id } => (Some((first_id, last_id)), None),
            Wanted::Messages(messages) => (None, Some(messages)),
            Wanted::Search { .. } => (None, None),
            Wanted::EventsAndMessage { first_id, last_id, message } => (Some((first_id, last_id)), Some(vec![message])),
        };
        if let Some((first, last)) = range {
            room.state.page_in(&events, kept);
            paging.page = HistoryPage { range: Some(IdRange { first, last }), events };
        }
        if let Some(messages) = messages {
            paging.found = messages.into_iter().map(|message| (message, None)).collect();
            paging.found.extend(said.into_iter().map(|(author, key, id)| ((author, key), Some(id))));
        }
        let waiting = std::mem::take(&mut paging.waiting);
        let (ready, waiting) =
            waiting.into_iter().partition::<VecDeque<_>, _>(|parked| paging.satisfies(&parked.wanted));
        paging.waiting = waiting;
        paging.resumed += ready.len();
        room.paging = Some(paging);
        let resume = |Parked { connection, command, .. }| Resumed {
            connection,
            command,
            room: Some(request.epoch),
            is_synced: true,
        };
        self.resumed.extend(ready.into_iter().map(resume));
        self.note_read(room_id);
        self.request_next(room_id);
    }

    /// The next command that can go on. Either [`resume`](Self::resume) or [`abandon`](Self::abandon) follows.
    pub fn take_resumed(&mut self) -> Option<Resumed> {
        self.resumed.pop_front()
    }

    /// Whether any command can go on.
    pub fn has_resumed(&self) -> bool {
        !self.resumed.is_empty()
    }

    /// Nobody wants it any more: its connection is gone.
    pub fn abandon(&mut self, resumed: Resumed) {
        self.release_unshared(resumed.command.file());
        self.release_page(resumed.room);
    }

    /// A command that was resumed has been executed.
    pub(super) fn release_page(&mut self, room: Option<Epoch>) {
        let Some(room_id) = room.and_then(|epoch| self.find_epoch(epoch)) else { return };
        let Some(paging) = &mut self.room_mut(room_id).paging else { return };
        paging.resumed -= 1;
        if paging.resumed == 0 {
            paging.page = HistoryPage::default();
            paging.found.clear();
            self.request_next(room_id);
        }
    }

    /// Executes this command once more, soon: what it was checked against has changed.
    pub(super) fn retry(&mut self, connection: ConnectionId, command: Command) {
        self.resumed.push_back(Resumed { connection, command, room: None, is_synced: false });
    }

    /// The room is over: those who waited for its events are told so.
    pub(super) fn resume_all(&mut self, room: &mut Room) {
        for Parked { connection, command, .. } in room.paging.take().into_iter().flat_map(|paging| paging.waiting) {
            self.retry(connection, command);
        }
        while let Some((connection, command)) = room.proposed.take_held(true) {
            self.retry(connection, command);
        }
    }

    /// Tells a connection that waits that its command is refused.
    pub(super) fn refuse_parked(&mut self, connection: ConnectionId, command: &Command, refusal: Refusal) {
        self.release_unshared(command.file());
        self.reply(connection, Reply::Refused { refusal, cid: command.cid().cloned(), is_answer: true });
    }
}
