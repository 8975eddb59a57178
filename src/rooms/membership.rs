//! How members come, stay, change their names and go.

use super::command::{Caller, Door, Join, Refusal, Reply};
use super::record::{Change, Joining, Sequel};
use super::roster::{Known, Member, Presence};
use super::{
    AuthorId, Body, ConnectionId, Deadline, MemberId, Membership, Name, Now, RoomCode, RoomId, Rooms, Token, WireId,
};

/// How long a place is kept for a browser that was let in by a form and has not connected yet: a page has
/// to load in between, on whatever phone and network there is.
const ADMITTED_MS: u64 = 60_000;

/// A name that is still being written down can be changed again after about this time.
const NICK_RETRY_MS: u64 = 100;

/// Who a newcomer will be.
enum Identity {
    /// Somebody who has a place already.
    Place(MemberId),
    /// Somebody who takes one.
    Newcomer { name: Name, token: Option<Token>, author: Option<AuthorId> },
}

impl Rooms {
    /// Makes the connection a member: one that comes back by token, or a new one.
    pub(super) fn join(
        &mut self,
        caller: &Caller,
        membership: &mut Option<Membership>,
        join: Join,
        now: Now,
    ) -> Result<(), Refusal> {
        let Join { door, name, keeps_name, token, since, epoch } = join;
        let own_name = |here: Membership| self.room(here.room).member(here.member).name().clone();
        let name = name.or_else(|| membership.filter(|_| keeps_name).map(own_name));
        if name.is_none() && (token.is_none() || self.is_new(door)) {
            return Err(Refusal::NameRequired);
        }
        let (room, created) = self.open(door, token, caller.address, now)?;
        let shown = token;
        let identity = self.identify(room, name, token, Some(caller.connection))?;
        let comes_from = membership.take();
        if let Some(left) = comes_from
            && !matches!(identity, Identity::Place(member) if left == (Membership { room, member }))
        {
            self.leave(left, now);
        }
        let member = match identity {
            Identity::Place(member) => {
                self.detach_connection(room, member, caller.connection);
                member
            }
            Identity::Newcomer { name, token, author } => self.add_member(room, caller, name, token, author),
        };
        let place = self.room_mut(room).roster.member_mut(member);
        // A member of an earlier run is known by its hash until it shows the token.
        place.token = place.token.or(shown);
        place.presence = Presence::Here { connection: caller.connection, seat: None };
        place.via = caller.via;
        let is_news = !std::mem::replace(&mut place.has_entered, true);
        *membership = Some(Membership { room, member });

        let history = &mut self.room_mut(room).history;
        let loan = history.return_loan();
        let joining = Joining { connection: caller.connection, wire: caller.wire, since, epoch, created, loan };
        if is_news {
            history.expect_newcomer();
            self.happen(room, member, Body::Enter, Sequel::Seat(member, joining), now);
        } else {
            self.seat(Membership { room, member }, joining);
        }
        Ok(())
    }

    /// Keeps a place for a browser that is about to load the room's page.
    pub(super) fn admit(
        &mut self,
        caller: &Caller,
        door: Door,
        name: Name,
        token: Option<Token>,
        now: Now,
    ) -> Result<(), Refusal> {
        let (room, _) = self.open(door, token, caller.address, now)?;
        let code = self.room(room).code();
        // A browser that comes by the form under the name it has is the same member; under another, another.
        let token = token.filter(|&token| match self.room(room).roster.known_by(token) {
            Some(Known::Member(member)) => self.room(room).roster.holder_of(&name.keys()) == Some(member),
            Some(Known::Departed { name: known, .. }) => known == name,
            None => true,
        });
        let member = match self.identify(room, Some(name), token, None)? {
            Identity::Place(member) => {
                let place = self.room_mut(room).roster.member_mut(member);
                place.token = place.token.or(token);
                member
            }
            Identity::Newcomer { name, token, author } => {
                let member = self.add_member(room, caller, name, token, author);
                self.keep_place(room, member, now.steady_ms + ADMITTED_MS.max(self.limits().grace_ms));
                member
            }
        };
        let token = self.room(room).member(member).token();
        self.submit(room, Change::Nothing, Sequel::Answer(caller.connection, Reply::Admitted { code, token }));
        Ok(())
    }

    /// Tells who in the room has this secret, if the room exists.
    pub(super) fn visit(
        &mut self,
        caller: &Caller,
        code: RoomCode,
        token: Option<Token>,
        now: Now,
    ) -> Result<Reply, Refusal> {
        let room = self.find(code, token, caller.address, now)?;
        let name = token.and_then(|token| match self.room(room).roster.known_by(token)? {
            Known::Member(member) => Some(self.room(room).member(member).name().clone()),
            Known::Departed { name, .. } => Some(name),
        });
        Ok(Reply::Visited { code, name })
    }

    /// Tells who somebody with this name and token is in the room, and whether there is room for it.
    fn identify(
        &self,
        room: RoomId,
        name: Option<Name>,
        token: Option<Token>,
        connection: Option<ConnectionId>,
    ) -> Result<Identity, Refusal> {
        let limits = self.limits();
        let room = self.room(room);
        let (name, token, author) = match token.and_then(|token| room.roster.known_by(token)) {
            Some(Known::Member(member)) => return Ok(Identity::Place(member)),
            Some(Known::Departed { name: known, author }) => (name.unwrap_or(known), token, Some(author)),
            // A secret that this room does not know becomes this member's: so a page that brings its room
            // back after a restart keeps the session that its cookie holds.
            None => (name.ok_or(Refusal::NameRequired)?, token, None),
        };
        if let Some(holder) = room.roster.holder_of(&name.keys()) {
            let is_caller = matches!(
                room.member(holder).presence,
                Presence::Here { connection: holder, .. } if Some(holder) == connection
            );
            return match is_caller {
                true => Ok(Identity::Place(holder)),
                false => Err(Refusal::NameTaken { name, code: room.code() }),
            };
        }
        self.check_journal()?;
        if limits.members > 0 && room.roster.places() >= limits.members {
            return Err(Refusal::RoomFull { code: room.code() });
        }
        Ok(Identity::Newcomer { name, token, author })
    }

    fn add_member(
        &mut self,
        room: RoomId,
        caller: &Caller,
        name: Name,
        token: Option<Token>,
        author: Option<AuthorId>,
    ) -> MemberId {
        let token = token.unwrap_or_else(|| Token::random(&mut self.random));
        let author = author.unwrap_or_else(|| self.room_mut(room).roster.new_author());
        let placed = Change::Placed { author, token: token.hash(), name: name.clone(), via: caller.via };
        self.submit(room, placed, Sequel::Nothing);
        self.add_to_roster(
            room,
            Member {
                name,
                via: caller.via,
                author,
                token: Some(token),
                token_hash: token.hash(),
                presence: Presence::Away { until_ms: u64::MAX },
                has_entered: false,
                typed_at_ms: 0,
                former: None,
            },
        )
    }

    /// Ends the member's reading. Returns its connection, and what that was still to be sent.
    fn unseat(&mut self, room: RoomId, member: MemberId) -> Option<(ConnectionId, Vec<u8>)> {
        let Presence::Here { connection, seat } = self.room(room).member(member).presence else { return None };
        let unsent = seat.map(|seat| self.room_mut(room).logs[usize::from(seat.wire.0)].unsubscribe(seat.reader));
        Some((connection, unsent.unwrap_or_default()))
    }

    pub(super) fn add_to_roster(&mut self, room: RoomId, member: Member) -> MemberId {
        let room = self.room_mut(room);
        room.ends_at_ms = None;
        room.roster.add(member)
    }

    /// Takes the member off the connection it is on, for `newcomer`; another connection is told.
    fn detach_connection(&mut self, room: RoomId, member: MemberId, newcomer: ConnectionId) {
        let Some((connection, unsent)) = self.unseat(room, member) else { return };
        self.reply_unsent(connection, unsent);
        if connection != newcomer {
            self.reply(connection, Reply::TakenOver);
        }
    }

    /// Ends a membership for good: the place is free, the secret forgotten, the others are told.
    ///
    /// Returns the code of the room that was left, and as whom.
    pub(super) fn leave(&mut self, membership: Membership, now: Now) -> (RoomCode, Name) {
        let Membership { room, member } = membership;
        if let Some((connection, unsent)) = self.unseat(room, member) {
            self.reply_unsent(connection, unsent);
        }
        let name = self.room(room).member(member).name().clone();
        self.part(room, member, false, now);
        (self.room(room).code(), name)
    }

    /// A connection is gone without having left. With `keeps_place`, its member may come back within the grace.
    pub fn disconnect(&mut self, membership: Membership, keeps_place: bool, now: Now) {
        let Membership { room, member } = membership;
        self.unseat(room, member);
        if keeps_place && self.limits().grace_ms > 0 {
            self.keep_place(room, member, now.steady_ms + self.limits().grace_ms);
        } else {
            self.part(room, member, keeps_place, now);
        }
    }

    /// A connection is gone because the program stops: nobody is told, and the place is kept for as long as
    /// this lasts.
    pub fn forget(&mut self, membership: Membership) {
        let Membership { room, member } = membership;
        self.unseat(room, member);
        self.room_mut(room).roster.member_mut(member).presence = Presence::Away { until_ms: u64::MAX };
    }

    fn keep_place(&mut self, room: RoomId, member: MemberId, until_ms: u64) {
        self.room_mut(room).roster.member_mut(member).presence = Presence::Away { until_ms };
        self.deadlines.insert((until_ms, Deadline::Grace { room, member }));
    }

    /// The grace that began for this member ends at `due_ms`: it parts, unless it has come back.
    pub(super) fn give_up_place(&mut self, room: RoomId, member: MemberId, due_ms: u64, now: Now) {
        let is_due = self
            .rooms
            .get(room.0 as usize)
            .and_then(|room| room.roster.find(member))
            .is_some_and(|member| member.presence == Presence::Away { until_ms: due_ms });
        if is_due {
            self.part(room, member, true, now);
        }
    }

    fn part(&mut self, room: RoomId, member: MemberId, may_return: bool, now: Now) {
        if self.room(room).member(member).has_entered {
            self.happen(room, member, Body::Part, Sequel::Nothing, now);
        }
        let author = self.room_mut(room).roster.remove(member, may_return).author;
        self.submit(room, Change::Vacated { author, may_return, time_ms: now.wall_ms }, Sequel::Nothing);
        self.end_if_empty(room, now);
    }

    /// Gives the member another name, if nobody else has it.
    pub(super) fn nick(&mut self, membership: Membership, to: Name, now: Now) -> Result<(), Refusal> {
        let Membership { room, member } = membership;
        let holder = self.room(room).roster.holder_of(&to.keys());
        if holder.is_some_and(|holder| holder != member) {
            return Err(Refusal::NameTaken { name: to, code: self.room(room).code() });
        }
        self.check_journal()?;
        if self.room(room).member(member).former.is_some() {
            // The journal is at work on the last one.
            return Err(Refusal::RateLimited { retry_ms: NICK_RETRY_MS });
        }
        self.happen(room, member, Body::Nick { to: to.clone() }, Sequel::SettleName, now);
        self.room_mut(room).roster.rename(member, to);
        Ok(())
    }

    /// Lets the connection read the other encoding from here on.
    pub(super) fn switch_wire(&mut self, membership: Option<Membership>, wire: WireId) -> Reply {
        if let Some(Membership { room, member }) = membership
            && let Some((connection, unsent)) = self.unseat(room, member)
        {
            self.reply_unsent(connection, unsent);
            self.take_seat(Membership { room, member }, connection, wire);
        }
        Reply::WireSwitched { membership: membership.map(|membership| (membership.room, membership.member)) }
    }
}
