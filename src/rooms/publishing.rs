//! From something said to bytes for everybody: record, publish, flush.

use super::command::{Caller, ConnectionId, Refusal, Reply};
use super::record::{Change, Joining, Record, Sequel};
use super::roster::{Presence, Seat};
use super::said::Said;
use super::{Body, Deadline, Laggard, MemberId, Membership, Name, Now, RoomId, Rooms, WireId};

/// At most one `typing` of a member is passed on in this time.
const TYPING_INTERVAL_MS: u64 = 3_000;

/// In a room of so many, who comes and goes is not told at once, each time with a write to everybody: when a thousand
/// come, that would be half a million writes.
pub(super) const CROWD_MEMBERS: usize = 64;

/// There it is told so often, at the most; or with the next message.
const CROWD_NEWS_INTERVAL_MS: u64 = 50;

/// Bytes of a room's log, on one wire, that may wait for a slow reader.
pub(super) const LOG_LIMIT_BYTES: usize = 1 << 20;

impl Rooms {
    /// Says something, unless this member has said it already.
    pub(super) fn say(&mut self, caller: &Caller, membership: Membership, body: Body, now: Now) -> Result<(), Refusal> {
        let Membership { room: room_id, member } = membership;
        let room = self.room(room_id);
        if let Body::Message { cid: Some(cid), .. } = &body {
            match room.history.said(room.member(member).author, cid) {
                None => (),
                // Whoever is in the room when it is kept is sent it, this member as well.
                Some(Said::Unsettled) => return Ok(()),
                Some(Said::As(id)) => {
                    self.reply(caller.connection, Reply::AlreadySaid { cid: cid.clone(), id });
                    return Ok(());
                }
            }
        }
        self.check_journal()?;
        self.counts.messages += 1;
        self.happen(room_id, member, body, Sequel::Nothing, now);
        Ok(())
    }

    /// Has something happen in a room: as soon as the journal has it, everybody sees it.
    pub(super) fn happen(&mut self, room: RoomId, member: MemberId, body: Body, sequel: Sequel, now: Now) {
        let event = self.room_mut(room).make_event(member, body, now.wall_ms);
        self.room_mut(room).history.expect(&event);
        self.submit(room, Change::Happened { event, member }, sequel);
    }

    pub(super) fn submit(&mut self, room: RoomId, change: Change, sequel: Sequel) {
        let epoch = self.room(room).epoch();
        self.records.push_back(Record { room, epoch, change, sequel });
    }

    /// Refuses what would have to be kept, while the journal cannot keep anything.
    pub(super) fn check_journal(&self) -> Result<(), Refusal> {
        if self.is_journal_stuck { Err(Refusal::StorageFailed) } else { Ok(()) }
    }

    /// Tells whether the journal can keep anything at this time.
    pub fn set_journal_stuck(&mut self, is_stuck: bool) {
        self.is_journal_stuck = is_stuck;
    }

    /// The next change that the journal is to keep.
    pub fn take_record(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    /// The journal has it: from here on the change is seen by everybody.
    pub fn publish(&mut self, mut record: Record, now: Now) {
        let (room, epoch) = (record.room, record.epoch);
        let is_alive = self.rooms.get(room.0 as usize).is_some_and(|room| room.epoch() == epoch);
        if is_alive {
            self.publish_event(&mut record, now);
        }
        match record.sequel {
            Sequel::Seat(member, joining) if is_alive => {
                self.seat(Membership { room, member }, joining);
                self.room_mut(room).history.forget_newcomer();
            }
            Sequel::Answer(connection, reply) => self.reply(connection, reply),
            Sequel::Seat(..) | Sequel::SettleName | Sequel::Nothing => (),
        }
    }

    fn publish_event(&mut self, record: &mut Record, now: Now) {
        let Record { room: room_id, change: Change::Happened { event, member }, sequel, .. } = record else { return };
        let (room_id, member) = (*room_id, *member);
        self.counts.events += 1;
        let kept = self.kept();
        let room = &mut self.rooms[room_id.0 as usize];
        let id = room.last_id() + 1;
        assert!(event.id == 0 || event.id == id, "the journal counts as the room does");
        event.id = id;

        // Its place may have been given to somebody else while the journal was at work.
        let is_still_there = room.roster.find(member).is_some_and(|member| member.author == event.author);
        let sender = (is_still_there && matches!(event.body, Body::Message { .. })).then_some(member);
        for (number, wire) in self.wires.iter().enumerate() {
            let skipped = sender.filter(|_| !wire.echoes());
            let unsent = room.append(WireId(number as u8), skipped, |out| wire.encode_event(event, out));
            self.replies.extend(unsent.map(|(connection, bytes)| (connection, Reply::Unsent(bytes))));
        }
        // What goes to places far away comes last.
        room.history.record(event, kept);
        if *sequel == Sequel::SettleName && is_still_there {
            room.roster.settle_name(member);
        }
        let is_presence = matches!(event.body, Body::Enter | Body::Part);
        if is_presence && room.roster.places() >= self.crowd_members && now.steady_ms < room.tells_news_at_ms {
            self.deadlines.insert((room.tells_news_at_ms, Deadline::News { room: room_id }));
            return;
        }
        room.tells_news_at_ms = now.steady_ms + CROWD_NEWS_INTERVAL_MS;
        self.mark_dirty(room_id);
    }

    /// Tells the members of a crowded room who has come and gone meanwhile.
    pub(super) fn tell_news(&mut self, room_id: RoomId, now: Now) {
        if let Some(room) = self.rooms.get_mut(room_id.0 as usize) {
            room.tells_news_at_ms = now.steady_ms + CROWD_NEWS_INTERVAL_MS;
            self.mark_dirty(room_id);
        }
    }

    /// The journal cannot keep a [refusable](Record::is_refusable) change: it never was, and its sender is told.
    pub fn refuse(&mut self, record: Record) {
        let Change::Happened { event, member } = record.change else { return };
        let alive = self.rooms.get_mut(record.room.0 as usize).filter(|room| room.epoch() == record.epoch);
        let Some(room) = alive else { return };
        room.history.discard(&event);
        if room.roster.find(member).is_none_or(|member| member.author != event.author) {
            return;
        }
        let cid = match event.body {
            Body::Message { cid, .. } => cid,
            _ => None,
        };
        if let Presence::Here { connection, .. } = room.member(member).presence {
            self.counts.refusals += 1;
            self.reply(connection, Reply::Refused { refusal: Refusal::StorageFailed, cid, is_answer: false });
        }
    }

    /// Passes on that a member types; to everybody else, and not recorded.
    pub(super) fn tell_typing(&mut self, membership: Membership, now: Now) {
        let Membership { room: room_id, member } = membership;
        let typist = self.room_mut(room_id).roster.member_mut(member);
        if typist.typed_at_ms > 0 && now.steady_ms < typist.typed_at_ms + TYPING_INTERVAL_MS {
            return;
        }
        typist.typed_at_ms = now.steady_ms.max(1);
        let name: Name = typist.name.clone();
        let room = &mut self.rooms[room_id.0 as usize];
        for (number, wire) in self.wires.iter().enumerate() {
            let unsent = room.append(WireId(number as u8), Some(member), |out| wire.encode_typing(&name, out));
            self.replies.extend(unsent.map(|(connection, bytes)| (connection, Reply::Unsent(bytes))));
        }
        self.mark_dirty(room_id);
    }

    /// Shows a connection its seat: it is answered, and from here on reads the room's log.
    pub(super) fn seat(&mut self, membership: Membership, joining: Joining) {
        let Joining { connection, wire, since, epoch, created, loan } = joining;
        let Membership { room, member } = membership;
        let is_still_here = self.room(room).roster.find(member).is_some_and(
            |member| matches!(member.presence, Presence::Here { connection: here, .. } if here == connection),
        );
        if !is_still_here {
            return;
        }
        self.take_seat(membership, connection, wire);
        let (events, gap) = self.room(room).history.missed(since, epoch, &loan);
        let last = self.room(room).last_id();
        self.reply(connection, Reply::Joined { room, member, created, last, events, gap });
    }

    pub(super) fn take_seat(&mut self, membership: Membership, connection: ConnectionId, wire: WireId) {
        let room = self.room_mut(membership.room);
        let reader = room.logs[usize::from(wire.0)].subscribe(connection);
        room.roster.member_mut(membership.member).presence =
            Presence::Here { connection, seat: Some(Seat { wire, reader }) };
    }

    /// Takes out what this member is still to be sent from the log: what is said to it next comes after that.
    pub fn settle(&mut self, membership: Membership) -> Vec<u8> {
        let room = self.room_mut(membership.room);
        match room.member(membership.member).presence {
            Presence::Here { seat: Some(seat), .. } => room.logs[usize::from(seat.wire.0)].settle(seat.reader),
            _ => Vec::new(),
        }
    }

    pub(super) fn reply_unsent(&mut self, connection: ConnectionId, unsent: Vec<u8>) {
        if !unsent.is_empty() {
            self.reply(connection, Reply::Unsent(unsent));
        }
    }

    // ---- flushing

    /// Lets so many bytes of a room's log, on one wire, wait for a slow reader.
    pub fn set_log_limit(&mut self, log_limit_bytes: usize) {
        self.log_limit_bytes = log_limit_bytes;
    }

    /// From so many members on, a room is a crowd: who comes and goes is told in the next moment, not at once.
    pub fn set_crowd(&mut self, crowd_members: usize) {
        self.crowd_members = crowd_members;
    }

    /// Has the room flushed in the next round: there is news, or a member can be written to again.
    pub fn mark_dirty(&mut self, room: RoomId) {
        let room_id = room;
        let room = self.room_mut(room);
        if !std::mem::replace(&mut room.is_dirty, true) {
            self.dirty.push(room_id);
        }
    }

    /// Rooms that have something to flush, moved into `rooms`.
    pub fn take_dirty(&mut self, rooms: &mut Vec<RoomId>) {
        rooms.append(&mut self.dirty);
    }

    /// Whether any room has something to flush.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Bytes that the room holds for its readers.
    pub fn held_bytes(&self, room: RoomId) -> usize {
        self.room(room).logs.iter().map(|log| log.held_bytes()).sum()
    }

    /// Offers each member of the room what it has not been sent; `write` tells how many bytes were taken.
    ///
    /// Members that fell too far behind are put into `laggards`: they read no more.
    pub fn flush(
        &mut self,
        room: RoomId,
        write: &mut impl FnMut(ConnectionId, &[u8]) -> usize,
        laggards: &mut Vec<Laggard>,
    ) {
        // A room may have ended since it was marked.
        let Some(room) = self.rooms.get_mut(room.0 as usize) else { return };
        room.is_dirty = false;
        for log in &mut room.logs {
            if log.held_bytes() > 0 {
                log.flush(self.log_limit_bytes, write, laggards);
            }
        }
    }
}
