//! How members come, stay, change their names and go: what is checked, and what is proposed.

use super::change::{Change, Joining, Newcomer, OnCommit, Reserving};
use super::command::{Caller, Join, JoinTarget, Membership, Refusal, Reply};
use super::proposed::Standing;
use super::roster::{Known, Member, Presence};
use super::{
    AccountId, AuthorId, Body, ConnectionId, Deadline, Delivery, EncoderId, Name, RoomCode, RoomId, RoomKey, Rooms,
    Token, TokenHash,
};
use crate::time::Now;

/// How long a place is reserved for a browser that has sent the form and has not connected yet: a page has to load in
/// between, on whatever phone and network there is.
const RESERVED_MS: u64 = 60_000;

/// Who a newcomer will be.
pub(super) enum Identity {
    /// Somebody who has a place already, or is about to have one. With `comes_anew` it shows no secret, and is known by
    /// its account alone.
    Member { author: AuthorId, account: Option<AccountId>, comes_anew: bool },
    /// Somebody who takes one.
    Newcomer { name: Name, author: AuthorId, has_returned: bool, account: Option<AccountId> },
}

impl Rooms {
    /// Makes the connection a member: one that comes back by token, or a new one.
    pub(super) fn join(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        join: Join,
        now: Now,
        delivery: &mut dyn Delivery,
    ) -> Result<(), Refusal> {
        let Join { target, stays_elsewhere, name, keeps_name, token, since, epoch, key } = join;
        let own_name = |here: &Membership| Some(self.room(here.room).member(here.author)?.name().clone());
        let name = name.or_else(|| memberships.first().filter(|_| keeps_name).and_then(own_name));
        if name.is_none() && (token.is_none() || self.is_new(target)) {
            return Err(Refusal::NameRequired);
        }
        let (room_id, created) = self.find_or_create(target, token, caller.address, now)?;
        if !created {
            self.check_admittance(room_id, name.as_ref(), token, key.as_ref(), caller, now)?;
        }
        let wanted = name.clone();
        let epoch = self.room(room_id).life_known(token, since, epoch);
        let identity = self.identify(room_id, name, token.map(Token::hash), caller.connection, true);
        let identity = identity.inspect_err(|_| {
            if created {
                self.discard_unopened(self.room(room_id).epoch());
            }
        })?;
        let author = match identity {
            Identity::Member { author, .. } | Identity::Newcomer { author, .. } => author,
        };
        let token = token.filter(|_| !matches!(identity, Identity::Member { comes_anew: true, .. }));
        let here = Membership { room: room_id, author };
        let leaves = memberships.iter().filter(|left| **left != here && !stays_elsewhere).copied().collect();
        let token = token.unwrap_or_else(|| Token::random(&mut self.random));
        self.suspend_grace(here);
        if let Identity::Member { account, comes_anew, .. } = identity {
            self.note_account(caller.connection, here, account, comes_anew.then_some(token));
        }
        let room = self.room(room_id);
        let mut joining = Box::new(Joining {
            connection: caller.connection,
            address: caller.address,
            encoder: caller.encoder,
            stays_elsewhere,
            leaves,
            token,
            name: wanted,
            key,
            since,
            epoch,
            created,
            has_returned: true,
            page: if self.relies_on_journal { room.known_missed(since, epoch) } else { Vec::new() },
            page_as_of: room.last_id(),
        });
        let (name, takes_place, account) = match identity {
            Identity::Newcomer { name, has_returned, account, .. } => {
                joining.has_returned = has_returned;
                (name, Some(token.hash()), account)
            }
            Identity::Member { .. } => match room.proposed.standing(author, &room.state.roster) {
                Some(Standing::Placed { name, has_entered: false, .. }) => {
                    joining.has_returned = false;
                    (name, None, None)
                }
                standing => {
                    let is_elsewhere = room.member(author).is_some_and(|member| member.node != self.node);
                    let comes_as_before = matches!(standing, Some(Standing::Placed { via, .. }) if via == caller.via);
                    let moves = is_elsewhere || !comes_as_before;
                    let is_settled = room.proposed.is_settled(author) && room.proposed.account_of(author).is_none();
                    let on_commit = OnCommit::Subscribe(author, joining);
                    match (moves, is_settled) {
                        (true, _) => self.propose(room_id, Change::Reconnect { author, via: caller.via }, on_commit),
                        (false, false) => self.propose(room_id, Change::Nothing, on_commit),
                        (false, true) => self.follow(room_id, on_commit, now, delivery),
                    }
                    return Ok(());
                }
            },
        };
        let (id, time_ms, via) = (0, now.wall_ms, caller.via);
        let event = super::Event { id, time_ms, name, via, author, body: Body::Enter };
        let becomes_operator = takes_place.is_some() && self.room(room_id).wants_operator();
        let (opens, returns) = (created, joining.has_returned);
        let change = Change::Enter { opens, takes_place, account, returns, becomes_operator, event };
        self.propose(room_id, change, OnCommit::Subscribe(author, joining));
        Ok(())
    }

    /// Keeps a place for a browser that is about to load the room's page.
    pub(super) fn reserve(
        &mut self,
        caller: &Caller,
        target: JoinTarget,
        name: Name,
        token: Option<Token>,
        key: Option<RoomKey>,
        now: Now,
    ) -> Result<(), Refusal> {
        let (room_id, created) = self.find_or_create(target, token, caller.address, now)?;
        let room = self.room(room_id);
        let (code, roster) = (room.code(), &room.state.roster);
        // A browser that comes by the form under the name it has is the same member; under another, another.
        let own_token = token.filter(|token| match room.proposed.known_by(&token.hash(), roster) {
            Some(Known::Member(author)) => room.proposed.holder_of(&name.keys(), roster) == Some(author),
            Some(Known::Departed { name: known, .. }) => known.keys().overlaps(&name.keys()),
            None => true,
        });
        if !created {
            self.check_admittance(room_id, Some(&name), token, key.as_ref(), caller, now)?;
            if own_token != token {
                self.check_admittance(room_id, Some(&name), None, key.as_ref(), caller, now)?;
            }
        }
        let token = own_token;
        let identity = self.identify(room_id, Some(name), token.map(Token::hash), caller.connection, false);
        let identity = identity.inspect_err(|_| {
            if created {
                self.discard_unopened(self.room(room_id).epoch());
            }
        })?;
        let token = token.filter(|_| !matches!(identity, Identity::Member { comes_anew: true, .. }));
        let token = token.unwrap_or_else(|| Token::random(&mut self.random));
        let reply = Reply::Reserved { code, token };
        match identity {
            Identity::Member { author, account, comes_anew } => {
                let here = Membership { room: room_id, author };
                self.note_account(caller.connection, here, account, comes_anew.then_some(token));
                self.propose(room_id, Change::Nothing, OnCommit::Answer(caller.connection, reply));
            }
            Identity::Newcomer { name, author, has_returned: returns, account } => {
                let (token, via, becomes_operator) = (token.hash(), caller.via, self.room(room_id).wants_operator());
                let newcomer = Newcomer { author, token, name, via, account, becomes_operator };
                let until_ms = now.steady_ms + RESERVED_MS.max(self.limits().grace_ms);
                let connection = caller.connection;
                let reserving = Box::new(Reserving { reply, key });
                let on_commit = OnCommit::KeepPlace { author, until_ms, connection, reserving };
                let (opens, time_ms) = (created, now.wall_ms);
                self.propose(room_id, Change::Place { opens, newcomer, returns, time_ms }, on_commit);
            }
        }
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
        let room = self.find_open(code, token, caller.address, now)?;
        let room = self.room(room);
        let known = token.and_then(|token| room.state.roster.known_by(&token.hash()));
        let known = known.and_then(|known| match known {
            Known::Member(author) => Some((author, room.member(author)?.name().clone())),
            Known::Departed { name, author } => Some((author, name)),
        });
        // Whose secret is not good for its name any more is a stranger, who may show the password.
        let is_good = |(author, name): &(AuthorId, Name)| {
            let proven = self.accounts.proof(caller.connection);
            self.check_name(name, room.account_of(*author), proven).is_ok()
        };
        let name = known.filter(is_good).map(|(_, name)| name);
        let wants_key = name.is_none() && room.rules().key.is_some();
        Ok(Reply::Visited { code, name, wants_key })
    }

    /// Tells who somebody with this name and token is in the room, and whether there is room for it.
    pub(super) fn identify(
        &self,
        room: RoomId,
        name: Option<Name>,
        token: Option<TokenHash>,
        connection: ConnectionId,
        connects: bool,
    ) -> Result<Identity, Refusal> {
        let limits = self.limits();
        let proven = self.accounts.proof(connection);
        let room = self.room(room);
        let (roster, proposed) = (&room.state.roster, &room.proposed);
        let (name, returning) = match token.and_then(|token| proposed.known_by(&token, roster)) {
            Some(Known::Member(author)) => {
                let (borne, standing) = (room.account_of(author), proposed.standing(author, roster));
                let account = match standing {
                    Some(Standing::Placed { name, .. }) => self.check_name(&name, borne, proven)?,
                    _ => None,
                };
                return Ok(Identity::Member { author, account, comes_anew: false });
            }
            Some(Known::Departed { name: known, author }) => {
                // Who was refused has no number yet: another node may have given it to somebody else.
                let is_its_own = roster.may_return(author) || author > roster.last_author();
                (name.unwrap_or(known), is_its_own.then_some(author))
            }
            // A secret that this room does not know becomes this member's: so a page that brings its room
            // back after a restart keeps the session that its cookie holds.
            None => (name.ok_or(Refusal::NameRequired)?, None),
        };
        let borne = returning.and_then(|author| room.account_of(author));
        let account = self.check_name(&name, borne, proven)?;
        if let Some(holder) = proposed.holder_of(&name.keys(), roster) {
            let presence = room.member(holder).map(|holder| holder.presence);
            let is_caller = matches!(
                presence,
                Some(Presence::Here { connection: holder, .. }) if connects && holder == connection
            );
            // Whoever shows whose name it is comes as the same member from wherever it is, unless that is about to bear
            // another one.
            let standing = proposed.standing(holder, roster);
            let bears_it =
                matches!(standing, Some(Standing::Placed { name: own, .. }) if own.keys().overlaps(&name.keys()));
            let is_own = bears_it && account.is_some() && room.account_of(holder) == account;
            return match is_caller || is_own {
                true => Ok(Identity::Member { author: holder, account, comes_anew: is_own && !is_caller }),
                false => Err(Refusal::NameTaken { name, code: room.code() }),
            };
        }
        self.check_journal()?;
        if limits.members > 0 && proposed.places(roster) >= limits.members {
            return Err(Refusal::RoomFull { code: room.code() });
        }
        // By the password comes back who comes without its secret, with all that it is.
        let returning = returning.or_else(|| room.departed_bearer(account?));
        let left = || proposed.author_who_left(&token?, roster);
        let author = returning.or_else(left).or_else(|| proposed.new_author(roster));
        let author = author.ok_or(Refusal::RoomFull { code: room.code() })?;
        Ok(Identity::Newcomer { name, author, has_returned: returning.is_some(), account })
    }

    /// Whether there is such a member, and whoever joins has shown that it is it. The number that a newcomer was to have is
    /// another's, if the place was refused or came too late.
    pub(super) fn is_shown_by(&self, room: RoomId, author: AuthorId, joining: &Joining) -> bool {
        let Some(member) = self.room(room).member(author) else { return false };
        let is_here = matches!(member.presence, Presence::Here { connection, .. } if connection == joining.connection);
        is_here || member.token == (&joining.token.hash()).into()
    }

    // ---- subscribing

    /// Has a connection read the room as this member: from here on, and after it was answered.
    pub(super) fn subscribe(&mut self, here: Membership, joining: Joining, now: Now, delivery: &mut dyn Delivery) {
        let Joining {
            connection,
            address,
            encoder,
            stays_elsewhere,
            leaves,
            token,
            since,
            epoch,
            created,
            has_returned,
            mut page,
            page_as_of,
            ..
        } = joining;
        for left in leaves {
            self.leave(connection, left, false, now, delivery);
        }
        self.note_read(here.room);
        // Where it had more than this node when it asked, this node may have learnt of it since.
        let known = since.filter(|&since| self.room(here.room).is_continued_by(since, epoch));
        self.counts.joins += 1;
        self.counts.resumes += u64::from(known.is_some());
        if let Some(former) = self.unsubscribe(here, delivery)
            && former != connection
        {
            self.reply(former, Reply::TakenOver { membership: here });
        }
        self.subscribe_from_here(here, connection, encoder);
        let room = self.room_mut(here.room);
        room.note_network(address);
        if let Some(member) = room.state.roster.member_mut(here.author) {
            member.has_returned |= has_returned;
        }
        if !room.state.history.bring_up_to_date(&mut page, page_as_of) {
            // It may tell what was deleted since.
            page.clear();
        }
        let (mut events, gap) = room.state.history.missed(known, &page);
        let (last, gap) = (room.last_id(), gap || known != since);
        let room = self.room(here.room);
        if self.encoders[usize::from(encoder.0)].quotes() {
            room.state.history.quote_in(&mut events, room.page());
        }
        let joined = Reply::Joined { membership: here, stays_elsewhere, token, created, last, events, gap };
        self.reply(connection, joined);
    }

    fn subscribe_from_here(&mut self, here: Membership, connection: ConnectionId, encoder: EncoderId) {
        let room = self.room_mut(here.room);
        let reader = room.logs[usize::from(encoder.0)].subscribe(connection);
        if let Some(member) = room.state.roster.member_mut(here.author) {
            let subscription = Some(super::roster::Subscription { encoder, reader });
            member.presence = Presence::Here { connection, subscription };
        }
    }

    /// Ends the member's reading; what it was still to be sent goes to its connection, which is returned.
    pub(super) fn unsubscribe(&mut self, here: Membership, delivery: &mut dyn Delivery) -> Option<ConnectionId> {
        let room = self.rooms.get_mut(here.room.0 as usize)?;
        let member = room.state.roster.member_mut(here.author)?;
        let Presence::Here { connection, subscription } = &mut member.presence else { return None };
        let (connection, subscription) = (*connection, subscription.take()?);
        room.logs[usize::from(subscription.encoder.0)].unsubscribe(subscription.reader, delivery);
        Some(connection)
    }

    /// Lets the connection read the other encoding from here on, in all its rooms.
    pub(super) fn switch_encoder(
        &mut self,
        connection: ConnectionId,
        memberships: &[Membership],
        encoder: EncoderId,
        delivery: &mut dyn Delivery,
    ) {
        for &here in memberships {
            if self.unsubscribe(here, delivery).is_some() {
                self.subscribe_from_here(here, connection, encoder);
            }
        }
    }

    // ---- leaving

    /// Ends a membership for good: the place becomes free, the secret is forgotten, the others are told.
    pub(super) fn leave(
        &mut self,
        connection: ConnectionId,
        here: Membership,
        is_answered: bool,
        now: Now,
        delivery: &mut dyn Delivery,
    ) {
        self.unsubscribe(here, delivery);
        let Some(room) = self.rooms.get(here.room.0 as usize) else { return };
        let (code, name) = (room.code(), room.member(here.author).map(|member| member.name().clone()));
        let answer = name.filter(|_| is_answered).map_or(OnCommit::Nothing, |name| {
            OnCommit::Answer(connection, Reply::Left { membership: here, code, name })
        });
        if let Some(unneeded) = self.vacate(here, false, answer, now) {
            self.follow(here.room, unneeded, now, delivery);
        }
    }

    /// A connection is gone without having left. If its member was told how to come back, it may do so within the
    /// grace.
    pub fn disconnect(&mut self, connection: ConnectionId, here: Membership, now: Now) {
        let Some(room) = self.rooms.get_mut(here.room.0 as usize) else { return };
        let Some(member) = room.state.roster.member_mut(here.author) else { return };
        let Presence::Here { connection: current, subscription: Some(subscription) } = member.presence else { return };
        if current != connection {
            return;
        }
        member.presence = Presence::Elsewhere;
        room.logs[usize::from(subscription.encoder.0)].drop_reader(subscription.reader);
        let may_return = self.encoders[usize::from(subscription.encoder.0)].tells_token();
        let grace_ms = self.limits().grace_ms;
        if may_return && grace_ms > 0 {
            self.keep_place(here, now.steady_ms + grace_ms);
        } else {
            let _ = self.vacate(here, may_return, OnCommit::Nothing, now);
        }
    }

    /// A connection is gone because the program stops: nobody is told, and the place is kept for as long as
    /// this lasts.
    pub fn detach(&mut self, here: Membership, delivery: &mut dyn Delivery) {
        self.unsubscribe(here, delivery);
        let room = self.rooms.get_mut(here.room.0 as usize);
        if let Some(member) = room.and_then(|room| room.state.roster.member_mut(here.author)) {
            member.presence = Presence::Away { until_ms: u64::MAX };
        }
    }

    pub(super) fn keep_place(&mut self, here: Membership, until_ms: u64) {
        let Membership { room, author } = here;
        if let Some(member) = self.room_mut(room).state.roster.member_mut(author) {
            member.presence = Presence::Away { until_ms };
            self.deadlines.insert((until_ms, Deadline::Grace { room, author }));
        }
    }

    /// Somebody is about to connect as this member: its place is not given up meanwhile.
    fn suspend_grace(&mut self, here: Membership) {
        let member = self.room_mut(here.room).state.roster.member_mut(here.author);
        if let Some(member) = member.filter(|member| matches!(member.presence, Presence::Away { .. })) {
            member.presence = Presence::Elsewhere;
        }
    }

    /// Nobody connects as this member after all.
    pub(super) fn resume_grace(&mut self, here: Membership, now: Now) {
        let member = self.room(here.room).member(here.author);
        let is_nowhere = |member: &Member| {
            let is_nobodys = member.node == self.node || self.gone_nodes.contains(&member.node);
            is_nobodys && member.presence == Presence::Elsewhere
        };
        if member.is_some_and(is_nowhere) {
            self.keep_place(here, now.steady_ms + self.limits().grace_ms);
        }
    }

    /// The grace that began for this member ends at `due_ms`: it parts, unless it has come back.
    pub(super) fn give_up_place(&mut self, room: RoomId, author: AuthorId, due_ms: u64, now: Now) {
        let Some(found) = self.rooms.get(room.0 as usize) else { return };
        if found.member(author).is_some_and(|member| member.presence == Presence::Away { until_ms: due_ms }) {
            if !found.proposed.is_settled(author) {
                // It may be coming in by another way just now.
                let grace_ms = self.limits().grace_ms.max(1);
                return self.keep_place(Membership { room, author }, now.steady_ms + grace_ms);
            }
            let _ = self.vacate(Membership { room, author }, true, OnCommit::Nothing, now);
        }
    }

    /// Has the member part. If it is about to already, returns what was to follow.
    pub(super) fn vacate(
        &mut self,
        here: Membership,
        may_return: bool,
        on_commit: OnCommit,
        now: Now,
    ) -> Option<OnCommit> {
        let Membership { room: room_id, author } = here;
        let room = self.room(room_id);
        // Who is about to come in is told to have come by the time when this is committed.
        let standing = room.proposed.standing(author, &room.state.roster);
        let Some(Standing::Placed { has_entered, .. }) = standing else { return Some(on_commit) };
        let event = if has_entered { room.make_event(author, Body::Part, now.wall_ms) } else { None };
        self.propose(room_id, Change::Vacate { author, event, may_return, time_ms: now.wall_ms }, on_commit);
        None
    }

    /// Gives the member another name, if nobody else has it.
    pub(super) fn nick(
        &mut self,
        connection: ConnectionId,
        here: Membership,
        to: Name,
        now: Now,
    ) -> Result<(), Refusal> {
        let room = self.room(here.room);
        let account = self.check_name(&to, room.account_of(here.author), self.accounts.proof(connection))?;
        let holder = room.proposed.holder_of(&to.keys(), &room.state.roster);
        if holder.is_some_and(|holder| holder != here.author) {
            return Err(Refusal::NameTaken { name: to, code: room.code() });
        }
        self.check_journal()?;
        self.check_may_speak(here, now)?;
        self.check_name_is_not_banned(here.room, &to, now)?;
        let room = self.room(here.room);
        if let Some(event) = room.make_event(here.author, Body::Nick { to: to.clone() }, now.wall_ms) {
            if event.name == to {
                return Err(Refusal::NameIsOwn { name: to });
            }
            self.propose(here.room, Change::Publish { event }, OnCommit::Nothing);
            if let Some(account) = account {
                // Another name takes from a member what it bore before.
                let author = here.author;
                let identify = Change::Identify { author, account, token: None };
                self.propose(here.room, identify, OnCommit::NothingProven(connection));
            }
        }
        Ok(())
    }
}
