//! From something said to an event: proposed, committed, applied, encoded, answered.

use super::change::{Change, Joining, Measure, OnCommit, Proposal, Reserving};
use super::command::{Caller, Command, ConnectionId, Join, JoinTarget, Membership, Refusal, Reply};
use super::roster::Presence;
use super::state::Conflict;
use super::{
    AuthorId, Body, Delivery, EncoderId, Event, Marks, MessageKey, ModeChange, Name, NodeId, Notice, RoomId, Rooms,
};
use crate::time::Now;

/// At most one `typing` of a member is passed on in this time.
const TYPING_INTERVAL_MS: u64 = 3_000;

impl Rooms {
    /// Says something, unless this member has said it already.
    pub(super) fn say(&mut self, caller: &Caller, here: Membership, body: Body, now: Now) -> Result<(), Refusal> {
        if let Body::Message { cid: Some(key), .. } = &body
            && self.is_said(caller, here, key)
        {
            return Ok(());
        }
        self.check_journal()?;
        self.check_may_speak(here, now)?;
        let event = self.room(here.room).make_event(here.author, body, now.wall_ms).ok_or(Refusal::NotJoined)?;
        self.count_in_slow_mode(here, now)?;
        self.propose(here.room, Change::Publish { event }, OnCommit::Nothing);
        Ok(())
    }

    /// Whether this member has said, or is about to say, something under this client id. If it has, that is answered.
    pub(super) fn is_said(&mut self, caller: &Caller, here: Membership, key: &MessageKey) -> bool {
        let room = self.room(here.room);
        if room.proposed.is_being_said(here.author, key) {
            // Whoever is in the room when it is committed is sent it, this member as well.
            self.counts.duplicates += 1;
            return true;
        }
        let Some(id) = room.event_said(here.author, key) else { return false };
        self.counts.duplicates += 1;
        self.reply(caller.connection, Reply::AlreadySaid { cid: key.clone(), id });
        true
    }

    /// Passes on that a member types; to everybody else, and not recorded.
    pub(super) fn tell_typing(&mut self, here: Membership, now: Now) {
        if self.check_may_speak(here, now).is_err() {
            return;
        }
        let room = self.room_mut(here.room);
        let Some(typist) = room.state.roster.member_mut(here.author) else { return };
        if typist.typed_at_ms > 0 && now.steady_ms < typist.typed_at_ms + TYPING_INTERVAL_MS {
            return;
        }
        typist.typed_at_ms = now.steady_ms.max(1);
        self.encode_typing(here);
        self.tell_others(|rooms| Notice::Typing { epoch: rooms.room(here.room).epoch(), author: here.author });
    }

    /// Has those who are connected here see that a member types, wherever it is.
    pub(super) fn encode_typing(&mut self, here: Membership) {
        let room = &mut self.rooms[here.room.0 as usize];
        let Some(name) = room.member(here.author).map(|typist| typist.name.clone()) else { return };
        let code = room.code();
        for (number, encoder) in self.encoders.iter().enumerate() {
            let encode = |out: &mut Vec<u8>| encoder.encode_typing(&code, &name, out);
            room.append(EncoderId(number as u8), Some(here.author), encode);
        }
        self.mark_dirty(here.room);
    }

    // ---- to the journal

    /// Proposes a change of a room: it is made once the journal has ordered it and made it durable.
    pub(super) fn propose(&mut self, room_id: RoomId, change: Change, on_commit: OnCommit) {
        let room = self.room_mut(room_id);
        let name = match &change {
            Change::Place { newcomer, .. } => Some(&newcomer.name),
            Change::Enter { takes_place: Some(_), event, .. } => Some(&event.name),
            _ => None,
        };
        let comes = matches!(change, Change::Place { .. } | Change::Enter { .. });
        // Somebody may be about to take the name, and to give it up again.
        let relies_on_name = name.is_some_and(|name| room.proposed.is_taking(&name.keys()));
        let is_possible = || !room.proposed.changes_members() || room.state.check(&mut change.clone()).is_ok();
        let stands_alone = comes && room.is_open && !relies_on_name && is_possible();
        let serial = room.proposed.note(&change, &room.state.roster);
        let proposal = Proposal::new(room.code(), room.epoch(), change);
        let by = self.node;
        self.proposals.push_back(Proposal { on_commit, by, serial, is_own: true, stands_alone, ..proposal });
    }

    /// The next change that the journal is to order and make durable.
    pub fn take_proposal(&mut self) -> Option<Proposal> {
        self.proposals.pop_front()
    }

    /// Refuses what would have to be stored, while the journal can store nothing.
    pub(super) fn check_journal(&self) -> Result<(), Refusal> {
        if self.is_journal_failing { Err(Refusal::StorageFailed) } else { Ok(()) }
    }

    /// Sets whether the journal can store nothing at this time.
    pub fn set_journal_failing(&mut self, is_failing: bool) {
        self.is_journal_failing = is_failing;
    }

    // ---- and back

    /// The journal has ordered a change and made it durable, this node's or another's: it is applied, and everybody
    /// sees it. Returns whether it was possible.
    pub fn commit(&mut self, proposal: Proposal, now: Now, delivery: &mut dyn Delivery) -> bool {
        if matches!(proposal.change, Change::Account(_)) {
            return self.commit_account(proposal, now, delivery);
        }
        let Proposal { code, epoch, change, by, serial, on_commit, is_own, is_placed, is_early, .. } = proposal;
        let opened = if change.opens() { self.open(code, epoch) } else { Ok(()) };
        let room_id = self.find_epoch(epoch);
        if let Some(room_id) = room_id.filter(|_| is_own) {
            self.room_mut(room_id).proposed.settle(&change, is_placed, serial);
            self.resume_held(room_id);
        }
        let mut change = Proposal::remaining_of(change, is_placed);
        let checked = opened.and_then(|()| {
            let room_id = room_id.filter(|room| self.room(*room).is_open).ok_or(Conflict::Room)?;
            // A file counts as memory does, or nothing is to be trusted; what others have appended is only looked at.
            if self.is_shared() && !self.room(room_id).state.is_next(&change) {
                return Err(Conflict::Number);
            }
            self.check_claim(&mut change)?;
            self.room(room_id).state.check(&mut change).map(|()| room_id)
        });
        match checked {
            Ok(room_id) => {
                if is_early && matches!(change, Change::Place { .. }) {
                    self.room_mut(room_id).proposed.note_early_place();
                }
                if by != self.node && !is_own {
                    self.let_go(room_id, &change, delivery);
                    self.count_said_elsewhere(room_id, &change, now);
                }
                self.apply(room_id, &change, by, now, delivery);
                self.follow(room_id, on_commit, now, delivery);
                if let Some((operator, ban)) = change.ban() {
                    self.expel(room_id, operator, ban, now, delivery);
                }
                if self.is_shared() {
                    self.take_up(room_id, &change, by, is_own, now);
                }
                if is_own || self.is_shared() {
                    self.hand_over(room_id, change.deopped(), now);
                }
                true
            }
            Err(conflict) => {
                let is_nothing = matches!(change, Change::Nothing);
                let proposal = Proposal { by, is_own, on_commit, ..Proposal::new(code, epoch, change) };
                self.resolve(proposal, conflict, now);
                is_nothing
            }
        }
    }

    /// Makes a change, and has everybody see it who reads the room.
    fn apply(&mut self, room_id: RoomId, change: &Change, by: NodeId, now: Now, delivery: &mut dyn Delivery) {
        match change {
            Change::End => return self.remove_room(room_id),
            Change::Nothing | Change::Account(_) => return,
            Change::Vacate { author, .. } => {
                let here = Membership { room: room_id, author: *author };
                // Only where another node has it part, since it took this one to be gone: here it was unsubscribed before.
                if let Some(connection) = self.unsubscribe(here, delivery) {
                    self.reply(connection, Reply::PlaceLost { membership: here });
                }
            }
            Change::Moderate(measure) => self.tell_kicked(room_id, measure, delivery),
            Change::Place { .. } | Change::Enter { .. } => self.room_mut(room_id).ends_at_ms = None,
            Change::Open { .. }
            | Change::Publish { .. }
            | Change::PublishOfGuest { .. }
            | Change::Reconnect { .. }
            | Change::Identify { .. }
            | Change::CompleteBan { .. } => (),
        }
        if let Some(event) = change.event() {
            self.encode(room_id, event, self.room(room_id).marks_of_comer(change));
            self.amend_pages(room_id, event);
        }
        let kept = self.kept();
        let room = &mut self.rooms[room_id.0 as usize];
        room.state.apply(change, by, kept);
        self.released_files.extend(room.state.history.take_released_files());
        if let Some(event) = change.event() {
            self.counts.note_event(&event.body);
            self.count_memory(room_id);
            match event.body {
                Body::Enter | Body::Part => self.mark_presence(room_id, now),
                _ => {
                    self.rooms[room_id.0 as usize].note_unsent(event.time_ms);
                    self.mark_fresh(room_id, now);
                }
            }
        }
        match change {
            Change::Vacate { .. } | Change::Open { .. } => self.end_if_empty(room_id, by, now),
            Change::Moderate(measure) => {
                if self.room(room_id).state.rules.slow_seconds == 0 {
                    self.room_mut(room_id).slow_mode.clear();
                }
                if measure.kicked().is_some() {
                    self.end_if_empty(room_id, by, now);
                }
            }
            _ => (),
        }
    }

    /// Who is kicked reads no more from here on, and is told why.
    fn tell_kicked(&mut self, room_id: RoomId, measure: &Measure, delivery: &mut dyn Delivery) {
        let Some(author) = measure.kicked() else { return };
        let membership = Membership { room: room_id, author };
        self.complete_ban(membership, measure, delivery);
        if let Some(connection) = self.unsubscribe(membership, delivery) {
            self.reply(connection, Reply::Kicked { membership, event: Box::new(measure.event.clone()) });
        }
    }

    /// Appends an event to the room's logs, once for each encoder that anybody reads. Who comes in has marks.
    fn encode(&mut self, room_id: RoomId, event: &Event, marks: Option<Marks>) {
        // A file is not typed on the terminal that would show it.
        let is_typed = matches!(event.body, Body::Message { .. }) && event.body.file().is_none();
        let quoted = self.quoted(room_id, event);
        let room = &mut self.rooms[room_id.0 as usize];
        let (code, earlier_ms) = (room.code(), room.state.last_time_ms);
        for (number, encoder) in self.encoders.iter().enumerate() {
            // An entry of its own: who is not sent the event is sent this.
            room.append(EncoderId(number as u8), None, |out| encoder.encode_between(earlier_ms, event.time_ms, out));
            let event = quoted.as_ref().filter(|_| encoder.quotes()).unwrap_or(event);
            let except = (is_typed && !encoder.echoes()).then_some(event.author);
            let readers = room.append(EncoderId(number as u8), except, |out| match marks {
                Some(marks) => encoder.encode_enter(&code, event, marks, out),
                None => encoder.encode_event(&code, event, out),
            });
            self.counts.deliveries += readers as u64;
        }
    }

    /// Executes on this node what follows a committed change of its own.
    pub(super) fn follow(&mut self, room: RoomId, on_commit: OnCommit, now: Now, delivery: &mut dyn Delivery) {
        match on_commit {
            OnCommit::Nothing | OnCommit::NothingUnder(_) | OnCommit::NothingProven(_) => (),
            OnCommit::Unasked | OnCommit::HandOver(_) => (),
            OnCommit::Answer(connection, reply) => self.reply(connection, reply),
            OnCommit::TellShared(connection, shared) => {
                let (code, id, file) = (self.room(room).code(), self.room(room).last_id(), Box::new(shared.1));
                self.reply(connection, Reply::Shared { code, file, id, is_new: true });
            }
            OnCommit::Resume(connection, command) => self.retry(connection, *command),
            // Who is about to be thrown out comes in first, so that it is told.
            OnCommit::Subscribe(author, joining)
                if self.room(room).proposed.will_be_gone(author)
                    && !self.room(room).proposed.will_be_kicked(author) =>
            {
                // The place that it was to have behind that was refused: what it said would be numbered in vain.
                let (refusal, cid, is_answer) = (Refusal::StorageFailed, None, true);
                self.reply(joining.connection, Reply::Refused { refusal, cid, is_answer });
            }
            OnCommit::Subscribe(author, joining) => {
                if self.is_shown_by(room, author, &joining) {
                    return self.subscribe(Membership { room, author }, *joining, now, delivery);
                }
                // It was taken from it by another change that came before, or never given: then it may be another's.
                let code = self.room(room).code();
                self.resume_grace(Membership { room, author }, now);
                self.join_again(JoinTarget::Code(code), None, *joining);
            }
            OnCommit::KeepPlace { author, until_ms, connection, reserving } => {
                self.keep_place(Membership { room, author }, until_ms);
                self.reply(connection, reserving.reply);
            }
        }
    }

    /// A committed change has changed nothing. What this node promised to do after it is tried again, checked against
    /// what came before.
    pub(super) fn resolve(&mut self, proposal: Proposal, conflict: Conflict, now: Now) {
        let Proposal { code, epoch, change, on_commit, is_own, .. } = proposal;
        let opens = change.opens();
        let room_id = self.find_epoch(epoch);
        match on_commit {
            OnCommit::Subscribe(author, joining) => {
                if let Some(room) = room_id {
                    self.resume_grace(Membership { room, author }, now);
                }
                let name = change.event().map(|event| event.name.clone());
                self.join_again(JoinTarget::Code(code), name, *joining);
            }
            OnCommit::KeepPlace { connection, reserving, .. } => {
                let Reserving { reply, key } = *reserving;
                let token = match reply {
                    Reply::Reserved { token, .. } => Some(token),
                    _ => None,
                };
                if let Change::Place { newcomer, .. } = change {
                    let target = JoinTarget::Code(code);
                    self.retry(connection, Command::Reserve { target, name: newcomer.name, token, key });
                }
            }
            OnCommit::Answer(connection, Reply::Created { .. }) => self.retry(connection, Command::Create),
            OnCommit::Answer(connection, reply) => self.reply(connection, reply),
            OnCommit::TellShared(connection, shared) => {
                let (share, file) = *shared;
                self.retry(connection, Command::Share(Box::new(share), Box::new(file)));
            }
            OnCommit::Resume(connection, command) => self.retry(connection, *command),
            OnCommit::Nothing if is_own => self.tell_conflict(room_id, change, conflict, None),
            OnCommit::NothingUnder(cid) if is_own => self.tell_conflict(room_id, change, conflict, Some(cid)),
            OnCommit::HandOver(former) => {
                // Who was to have it is gone.
                room_id.into_iter().for_each(|room| self.hand_over(room, former, now));
            }
            OnCommit::NothingProven(_) => {
                if let (Some(room), Change::Identify { author, .. }) = (room_id, change) {
                    self.rename_unproven(Membership { room, author }, now);
                }
            }
            OnCommit::Nothing | OnCommit::NothingUnder(_) | OnCommit::Unasked => (),
        }
        if is_own && opens {
            self.discard_unopened(epoch);
        } else if is_own {
            self.forget_unopened(epoch);
        }
    }

    fn join_again(&mut self, target: JoinTarget, name: Option<Name>, joining: Joining) {
        let Joining { connection, stays_elsewhere, token, name: wanted, key, since, epoch, .. } = joining;
        let name = name.or(wanted);
        let token = Some(token);
        let join = Join { target, stays_elsewhere, name, keeps_name: false, token, since, epoch, key };
        self.retry(connection, Command::Join(Box::new(join)));
    }

    /// What a member said or wanted to be called has come to nothing.
    pub(super) fn tell_conflict(
        &mut self,
        room_id: Option<RoomId>,
        change: Change,
        conflict: Conflict,
        cid: Option<MessageKey>,
    ) {
        let event = match change {
            Change::Publish { event } => event,
            Change::Moderate(measure) => measure.event,
            _ => return,
        };
        let Some(connection) = room_id.and_then(|room| self.connection_of(room, event.author)) else { return };
        let own_cid = |body| match body {
            Body::Message { cid, .. } | Body::Edit { cid, .. } => cid,
            _ => cid,
        };
        let reply = match (event.body, conflict) {
            (Body::Message { cid: Some(cid), .. } | Body::Edit { cid: Some(cid), .. }, Conflict::AlreadySaid(id)) => {
                Reply::AlreadySaid { cid, id }
            }
            (body, Conflict::NoSuchEvent) => {
                Reply::Refused { refusal: Refusal::NoSuchEvent, cid: own_cid(body), is_answer: false }
            }
            (body, Conflict::Muted) => {
                Reply::Refused { refusal: Refusal::Muted { seconds: None }, cid: own_cid(body), is_answer: false }
            }
            (body @ Body::Delete { .. }, Conflict::NotOperator) => {
                Reply::Refused { refusal: Refusal::NotYours, cid: own_cid(body), is_answer: false }
            }
            (Body::Topic { .. } | Body::Mode { .. } | Body::Kick { .. }, Conflict::NotOperator) => {
                Reply::Refused { refusal: Refusal::NotOperator, cid: None, is_answer: false }
            }
            (Body::Kick { name, .. } | Body::Mode { change: ModeChange::Op(name) }, _) => {
                Reply::Refused { refusal: Refusal::NoSuchMember { name }, cid: None, is_answer: false }
            }
            (Body::Nick { to }, _) => {
                let room = self.room(room_id.expect("there is a connection"));
                let is_own = room.member(event.author).is_some_and(|member| member.name == to);
                let code = room.code();
                let refusal =
                    if is_own { Refusal::NameIsOwn { name: to } } else { Refusal::NameTaken { name: to, code } };
                Reply::Refused { refusal, cid: None, is_answer: false }
            }
            _ => return,
        };
        self.reply(connection, reply);
    }

    pub(super) fn connection_of(&self, room: RoomId, author: AuthorId) -> Option<ConnectionId> {
        match self.room(room).member(author)?.presence {
            Presence::Here { connection, .. } => Some(connection),
            _ => None,
        }
    }

    /// The journal cannot store a [refusable](Proposal::is_refusable) change: it never was, and its sender is told.
    pub fn refuse(&mut self, proposal: Proposal, now: Now) {
        let Proposal { epoch, change, serial, on_commit, .. } = proposal;
        if let Change::Account(change) = &change {
            self.accounts.settle(change);
        }
        let room_id = self.find_epoch(epoch);
        if let Some(room) = room_id {
            let proposed = &mut self.room_mut(room).proposed;
            match &change {
                Change::Place { newcomer, .. } => proposed.note_refused_place(newcomer.author),
                Change::Enter { takes_place: Some(_), event, .. } => proposed.note_refused_place(event.author),
                _ => (),
            }
            proposed.settle(&change, false, serial);
            self.resume_held(room);
        }
        let (connection, cid, is_answer) = match on_commit {
            OnCommit::Subscribe(author, joining) => {
                if let Some(room) = room_id {
                    self.resume_grace(Membership { room, author }, now);
                }
                (Some(joining.connection), None, true)
            }
            OnCommit::KeepPlace { connection, .. }
            | OnCommit::Answer(connection, _)
            | OnCommit::Resume(connection, _) => (Some(connection), None, true),
            OnCommit::TellShared(connection, shared) => {
                let (share, file) = *shared;
                self.release_refused_later(file.id, now);
                (Some(connection), share.cid, true)
            }
            OnCommit::Unasked => (None, None, false),
            OnCommit::HandOver(former) => {
                room_id.into_iter().for_each(|room| self.hand_over_later(room, former, now));
                (None, None, false)
            }
            OnCommit::Nothing | OnCommit::NothingUnder(_) | OnCommit::NothingProven(_) => {
                let event = change.event();
                let connection = event.zip(room_id).and_then(|(event, room)| self.connection_of(room, event.author));
                let cid = if let OnCommit::NothingUnder(cid) = on_commit { Some(cid) } else { None };
                (connection, cid.or_else(|| change.message_key().map(|(_, key)| key.clone())), false)
            }
        };
        if let Some(connection) = connection {
            self.reply(connection, Reply::Refused { refusal: Refusal::StorageFailed, cid, is_answer });
        }
        if change.opens() {
            self.discard_unopened(epoch);
        } else {
            self.forget_unopened(epoch);
        }
    }
}
