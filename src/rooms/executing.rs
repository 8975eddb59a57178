//! What is asked for is executed: each command goes to whoever knows what it means, once nothing has to be awaited for it.

use super::change::{Change, OnCommit};
use super::{
    Body, Caller, Command, Delivery, EncoderId, Event, Membership, Refusal, Reply, Resumed, RoomCommand, RoomId,
    RoomRef, Rooms, Span,
};
use crate::time::Now;

/// What became of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Execution {
    /// It is done, or proposed, or refused.
    Done,
    /// It waits until something is read, and is found with [`Rooms::take_resumed`] then. Nothing else of its connection
    /// may be executed before.
    Parked,
}

impl Rooms {
    /// Executes what a connection asks for, of which these are the memberships.
    ///
    /// Answers are then found with [`take_reply`](Self::take_reply), some of them only after the journal has
    /// what [`take_proposal`](Self::take_proposal) hands out.
    pub fn execute(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: Command,
        now: Now,
        delivery: &mut dyn Delivery,
    ) -> Execution {
        match self.room_to_settle(memberships, &command) {
            Some(room) => {
                self.room_mut(room).proposed.hold(caller.connection, command);
                Execution::Parked
            }
            None if self.wants_sync(caller, &command, now) => {
                self.await_sync(caller.connection, command, now);
                Execution::Parked
            }
            None if self.is_journal_failing && self.is_beyond(&command) => {
                self.refuse_parked(caller.connection, &command, Refusal::StorageFailed);
                Execution::Done
            }
            None => self.execute_settled(caller, memberships, command, now, delivery),
        }
    }

    /// Executes a command that waits for nothing that is proposed.
    fn execute_settled(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: Command,
        now: Now,
        delivery: &mut dyn Delivery,
    ) -> Execution {
        let is_answer = command.is_answered();
        let (cid, file) = (command.cid().cloned(), command.file());
        let refusal = match self.read_needed(caller, memberships, &command, now) {
            Ok(None) => self.try_execute(caller, memberships, command, now, delivery).err(),
            Ok(Some((room, wanted))) => {
                self.park(caller.connection, room, command, wanted);
                return Execution::Parked;
            }
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refusal {
            self.release_unshared(file);
            self.reply(caller.connection, Reply::Refused { refusal, cid, is_answer });
        }
        Execution::Done
    }

    /// Executes a command that was parked; more may have to be read for it.
    pub fn resume(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        resumed: Resumed,
        now: Now,
        delivery: &mut dyn Delivery,
    ) -> Execution {
        if !resumed.is_synced && self.wants_sync(caller, &resumed.command, now) {
            self.await_sync(caller.connection, resumed.command, now);
            return Execution::Parked;
        }
        if !resumed.is_synced && self.is_journal_failing && self.is_beyond(&resumed.command) {
            self.refuse_parked(caller.connection, &resumed.command, Refusal::StorageFailed);
            return Execution::Done;
        }
        let execution = self.execute_settled(caller, memberships, resumed.command, now, delivery);
        self.release_page(resumed.room);
        execution
    }

    fn try_execute(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: Command,
        now: Now,
        delivery: &mut dyn Delivery,
    ) -> Result<(), Refusal> {
        let reply = match command {
            Command::Join(join) => return self.join(caller, memberships, *join, now, delivery),
            Command::In(room, command) => {
                let membership = self.membership(memberships, room)?;
                return self.execute_in(caller, membership, command, now, delivery);
            }
            Command::SwitchEncoder(encoder) => {
                self.switch_encoder(caller.connection, memberships, encoder, delivery);
                Reply::EncoderSwitched
            }
            Command::Create => {
                self.check_strangers_may_look()?;
                let room = self.create(caller.address, None, now)?;
                let created = Reply::Created { code: self.room(room).code() };
                let answer = OnCommit::Answer(caller.connection, created);
                self.propose(room, Change::Open { time_ms: now.wall_ms }, answer);
                return Ok(());
            }
            Command::Reserve { target, name, token, key } => {
                return self.reserve(caller, target, name, token, key, now);
            }
            Command::Visit { code, token } => self.visit(caller, code, token, now)?,
            Command::Describe { code, token } => {
                self.check_strangers_may_look()?;
                let room = self.find_open(code, token, caller.address, now)?;
                self.check_may_look(room, token)?;
                Reply::Described { room }
            }
            Command::Events { code, span, token } => {
                self.check_strangers_may_look()?;
                let room = self.find_open(code, token, caller.address, now)?;
                self.check_may_look(room, token)?;
                let (events, more) = self.select(room, span, caller.encoder);
                Reply::Events { code, events, more }
            }
            Command::Search { code, search, token } => {
                self.check_strangers_may_look()?;
                let room = self.find_open(code, token, caller.address, now)?;
                self.check_may_look(room, token)?;
                self.search(caller.connection, room, None, search);
                return Ok(());
            }
            Command::CheckShare(share) => return self.check_share(caller, &share, now),
            Command::Share(share, file) => return self.share(caller, *share, *file, now),
            Command::FindFile { code, id } => self.find_file(code, id)?,
            Command::Inspect => Reply::Inspected,
            Command::Proven(command) => return self.execute_proven(caller, memberships, *command, now),
            // Whoever asks the rooms for it has nobody who compares passwords.
            Command::WithPassword(..) | Command::Account(_) => return Err(Refusal::RegistrationClosed),
        };
        self.reply(caller.connection, reply);
        Ok(())
    }

    /// Executes what is asked as a member of a room.
    fn execute_in(
        &mut self,
        caller: &Caller,
        membership: Membership,
        command: RoomCommand,
        now: Now,
        delivery: &mut dyn Delivery,
    ) -> Result<(), Refusal> {
        let room = membership.room;
        let reply = match command {
            RoomCommand::Say { kind, text, cid, reply_to } => {
                let reply_to = self.reply_target(membership, reply_to)?;
                return self.say(caller, membership, Body::said(kind, text, cid, reply_to), now);
            }
            RoomCommand::Edit { of, text, cid } => return self.edit(caller, membership, of, text, cid, now),
            RoomCommand::Delete { of, cid } => return self.delete(membership, of, cid, now),
            RoomCommand::React { of, emoji, on, cid } => return self.react(membership, of, emoji, on, cid, now),
            RoomCommand::Typing => {
                self.tell_typing(membership, now);
                return Ok(());
            }
            RoomCommand::Nick(name) => return self.nick(caller.connection, membership, name, now),
            RoomCommand::Who { after } => {
                let roster = &self.room(room).state.roster;
                Reply::Members { room, after: after.and_then(|name| roster.holder_of(&name.keys())) }
            }
            RoomCommand::History(span) => {
                let (events, more) = self.select(room, span, caller.encoder);
                Reply::History { code: self.room(room).code(), events, more }
            }
            RoomCommand::Search(search) => {
                self.search(caller.connection, room, Some(membership.author), search);
                return Ok(());
            }
            RoomCommand::Moderate { readings, .. } => return self.moderate(membership, readings, now, delivery),
            RoomCommand::Bans => self.list_bans(membership, now)?,
            RoomCommand::Role => Reply::Role { is_operator: self.room(room).is_operator(membership.author) },
            RoomCommand::Leave => {
                self.leave(caller.connection, membership, true, now, delivery);
                return Ok(());
            }
        };
        self.reply(caller.connection, reply);
        Ok(())
    }

    /// Which membership a command is about.
    pub(super) fn membership(&self, memberships: &[Membership], room: RoomRef) -> Result<Membership, Refusal> {
        let found = match (room, memberships) {
            (RoomRef::Only, [only]) => Some(only),
            (RoomRef::Only, _) => None,
            (RoomRef::Code(code), _) => memberships.iter().find(|here| {
                let room = self.rooms.get(here.room.0 as usize);
                room.is_some_and(|room| room.code() == code)
            }),
        };
        // Another node may have had it part meanwhile.
        let found = found.filter(|here| {
            let room = self.rooms.get(here.room.0 as usize);
            room.is_some_and(|room| room.state.has_place(here.author))
        });
        found.copied().ok_or(Refusal::NotJoined)
    }

    fn select(&mut self, room: RoomId, span: Span, encoder: EncoderId) -> (Vec<Event>, bool) {
        self.note_read(room);
        let (kept, quotes) = (self.kept(), self.encoders[usize::from(encoder.0)].quotes());
        let room = self.room(room);
        let (mut events, more) = room.state.history.select(span, room.page(), kept);
        if quotes {
            room.state.history.quote_in(&mut events, room.page());
        }
        (events, more)
    }
}
