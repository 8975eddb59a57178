//! What operators may ask for: who may do it to whom, and what is proposed of it. And who becomes one when the last has
//! gone for good.

use super::change::{Change, Measure, OnCommit};
use super::command::{ListedBan, Membership, Refusal, Reply};
use super::proposed::Standing;
use super::room::Room;
use super::roster::{Known, Presence};
use super::rules::{MAX_BANS, MAX_OPERATORS};
use super::{
    AccountId, Address, AuthorId, Ban, Body, Deadline, Delivery, KeyHash, ModeChange, Name, RoomId, RoomKey, Rooms,
    ShortTokenHash, Text,
};
use crate::time::Now;

/// How long a ban holds for which nobody has said how long.
pub const BAN_SECONDS: u64 = 24 * 3600;

/// No ban and no mute is for longer: ten years.
pub const MAX_SECONDS: u64 = 3650 * 24 * 3600;

/// A room that could not be handed over to another operator is so after this time.
const HAND_OVER_AGAIN_MS: u64 = 1_000;

/// Slow mode lets each member say one thing in a day at the least.
pub const MAX_SLOW_SECONDS: u64 = 24 * 3600;

/// What an operator asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Moderation {
    /// Make a member an operator.
    Op(Name),
    /// Take that back.
    Deop(Name),
    /// Throw a member out.
    Kick {
        /// Whom.
        name: Name,
        /// Why.
        reason: Option<Text>,
    },
    /// Throw somebody out, if it is there, and keep it out.
    Ban {
        /// Whom.
        name: Name,
        /// For so long; `None`: for [`BAN_SECONDS`].
        seconds: Option<u64>,
        /// Why.
        reason: Option<Text>,
    },
    /// Keep it out no more.
    Unban(Name),
    /// Let a member say nothing.
    Mute {
        /// Whom.
        name: Name,
        /// For so long; `None`: until it is unmuted.
        seconds: Option<u64>,
    },
    /// Let it speak again.
    Unmute(Name),
    /// Let nobody in who is not known in the room.
    Lock,
    /// Let everybody in again.
    Unlock,
    /// Let nobody in who is not known in the room and does not give this key; `None`: ask for none.
    Key(Option<RoomKey>),
    /// Say what the room is about; `None`: nothing.
    Topic(Option<Text>),
    /// Let each member say one thing in so many seconds; 0: as often as it likes.
    Slow {
        /// How many.
        seconds: u32,
    },
}

impl Moderation {
    fn name(&self) -> Option<&Name> {
        match self {
            Moderation::Op(name)
            | Moderation::Deop(name)
            | Moderation::Kick { name, .. }
            | Moderation::Ban { name, .. }
            | Moderation::Unban(name)
            | Moderation::Mute { name, .. }
            | Moderation::Unmute(name) => Some(name),
            Moderation::Lock | Moderation::Unlock | Moderation::Key(_) | Moderation::Topic(_) => None,
            Moderation::Slow { .. } => None,
        }
    }
}

/// Somebody who goes by a name.
struct Named {
    author: AuthorId,
    /// As it will be called once all that is proposed is committed.
    name: Name,
    token: ShortTokenHash,
    /// Everybody knows that it is there; else only its secret still tells who it was.
    is_present: bool,
}

impl Room {
    /// Who goes by this name: somebody present or, if `departed` counts as well, somebody who may come back. Nobody who is
    /// only about to come: that may still be refused.
    fn find_named(&self, name: &Name, departed: bool) -> Option<Named> {
        let keys = name.keys();
        let roster = &self.state.roster;
        let present = || {
            let author = self.proposed.holder_of(&keys, roster)?;
            let member = roster.member(author).filter(|member| member.has_entered)?;
            match self.proposed.standing(author, roster)? {
                Standing::Placed { name, .. } => Some(Named { author, name, token: member.token, is_present: true }),
                Standing::Gone { .. } => None,
            }
        };
        let departed = || {
            let departed = roster.departed_as(&keys).filter(|_| departed)?;
            let (author, name, token) = (departed.author, departed.name.clone(), departed.token);
            Some(Named { author, name, token, is_present: false })
        };
        present().or_else(departed)
    }

    /// Whether this author may do now what operators may.
    pub(super) fn may_moderate(&self, author: AuthorId) -> bool {
        self.admin_account(author).is_some() || self.state.is_operator(author) && !self.proposed.will_be_deopped(author)
    }

    /// Whether anybody goes by the name that this is about.
    fn fits(&self, moderation: &Moderation) -> bool {
        let rules = &self.state.rules;
        let Some(name) = moderation.name() else { return true };
        let goes_by = |other: &Name| other.keys().overlaps(&name.keys());
        match moderation {
            Moderation::Unban(_) => rules.bans.iter().any(|ban| goes_by(&ban.name)),
            Moderation::Unmute(_) if rules.mutes.iter().any(|mute| goes_by(&mute.name)) => true,
            _ => self.find_named(name, true).is_some(),
        }
    }
}

impl Rooms {
    /// Does what an operator asks for. `readings`: what it may have meant, since names may have spaces in them; of those
    /// the first that is about somebody counts, else the last.
    pub(super) fn moderate(
        &mut self,
        here: Membership,
        mut readings: Vec<Moderation>,
        now: Now,
        delivery: &dyn Delivery,
    ) -> Result<(), Refusal> {
        let room = self.room(here.room);
        if !room.may_moderate(here.author) {
            return Err(Refusal::NotOperator);
        }
        self.check_journal()?;
        let fitting = readings.iter().position(|reading| room.fits(reading));
        let place = fitting.unwrap_or(readings.len().saturating_sub(1));
        if place >= readings.len() {
            return Ok(());
        }
        let change = match readings.swap_remove(place) {
            Moderation::Op(name) => {
                let Named { author, name, .. } = self.target(here, &name, false)?;
                if self.room(here.room).state.rules.operators.len() >= MAX_OPERATORS {
                    return Err(Refusal::QuotaExceeded { what: "operators", most: MAX_OPERATORS });
                }
                return self.change_mode(here, ModeChange::Op(name), Some(author), now);
            }
            Moderation::Deop(name) => {
                let Named { author, name, .. } = self.target(here, &name, true)?;
                return self.change_mode(here, ModeChange::Deop(name), Some(author), now);
            }
            Moderation::Kick { name, reason } => {
                let target = self.target(here, &name, false).and_then(|target| not_oneself(target, here))?;
                return self.kick(here, target, reason, None, now);
            }
            Moderation::Ban { name, seconds, reason } => {
                return self.ban(here, name, seconds.unwrap_or(BAN_SECONDS), reason, now, delivery);
            }
            Moderation::Unban(name) => return self.unban(here, &name, now),
            Moderation::Mute { name, seconds } => {
                let target = self.target(here, &name, false).and_then(|target| not_oneself(target, here))?;
                if self.room(here.room).state.rules.mutes_at(now.wall_ms).count() >= MAX_BANS {
                    return Err(Refusal::QuotaExceeded { what: "muted members", most: MAX_BANS });
                }
                let change = ModeChange::Mute { name: target.name, seconds };
                return self.change_mode(here, change, Some(target.author), now);
            }
            Moderation::Unmute(name) => return self.unmute(here, &name, now),
            Moderation::Lock => ModeChange::Lock,
            Moderation::Unlock => ModeChange::Unlock,
            Moderation::Key(Some(key)) => {
                let hash = key.hash(self.room(here.room).epoch());
                let body = Body::Mode { change: ModeChange::Key };
                return self.propose_measure(here, body, None, None, Some(hash), OnCommit::Nothing, now);
            }
            Moderation::Key(None) => ModeChange::Unkey,
            Moderation::Topic(text) => {
                let body = Body::Topic { text };
                return self.propose_measure(here, body, None, None, None, OnCommit::Nothing, now);
            }
            Moderation::Slow { seconds } => ModeChange::Slow { seconds },
        };
        self.change_mode(here, change, None, now)
    }

    fn target(&self, here: Membership, name: &Name, departed: bool) -> Result<Named, Refusal> {
        let found = self.room(here.room).find_named(name, departed);
        found.ok_or_else(|| Refusal::NoSuchMember { name: name.clone() })
    }

    fn change_mode(
        &mut self,
        here: Membership,
        change: ModeChange,
        target: Option<AuthorId>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.propose_measure(here, Body::Mode { change }, target, None, None, OnCommit::Nothing, now)
    }

    #[expect(clippy::too_many_arguments, reason = "all that a measure may have, most of it nothing")]
    pub(super) fn propose_measure(
        &mut self,
        here: Membership,
        body: Body,
        target: Option<AuthorId>,
        ban: Option<Ban>,
        key: Option<KeyHash>,
        on_commit: OnCommit,
        now: Now,
    ) -> Result<(), Refusal> {
        let room = self.room(here.room);
        let event = room.make_event(here.author, body, now.wall_ms).ok_or(Refusal::NotJoined)?;
        let as_admin = room.admin_account(here.author);
        self.propose(here.room, Change::Moderate(Box::new(Measure { event, target, ban, key, as_admin })), on_commit);
        Ok(())
    }

    fn kick(
        &mut self,
        here: Membership,
        target: Named,
        reason: Option<Text>,
        ban: Option<Ban>,
        now: Now,
    ) -> Result<(), Refusal> {
        let body = Body::Kick { name: target.name, reason };
        self.propose_measure(here, body, Some(target.author), ban, None, OnCommit::Nothing, now)
    }

    /// Whoever is there is thrown out by the same change that keeps it out, so that nothing can come between; then
    /// everybody is told of the ban.
    fn ban(
        &mut self,
        here: Membership,
        name: Name,
        seconds: u64,
        reason: Option<Text>,
        now: Now,
        delivery: &dyn Delivery,
    ) -> Result<(), Refusal> {
        let room = self.room(here.room);
        let target = room.find_named(&name, true).map(|target| not_oneself(target, here)).transpose()?;
        if room.state.rules.bans_at(now.wall_ms).count() + room.proposed.bans().count() >= MAX_BANS {
            return Err(Refusal::QuotaExceeded { what: "bans", most: MAX_BANS });
        }
        let by = room.member(here.author).ok_or(Refusal::NotJoined)?.name().clone();
        let name = target.as_ref().map_or(name, |target| target.name.clone());
        let ban = Ban {
            name: name.clone(),
            token: target.as_ref().map(|target| target.token),
            account: target.as_ref().and_then(|target| room.account_of(target.author)),
            address: target.as_ref().and_then(|target| room.address_of(target.author, delivery)),
            until_ms: now.wall_ms.saturating_add(seconds.saturating_mul(1000)),
            by,
        };
        if let Some(target) = target.filter(|target| target.is_present) {
            self.kick(here, target, reason, Some(ban.clone()), now)?;
        }
        let body = Body::Mode { change: ModeChange::Ban { name, seconds } };
        self.propose_measure(here, body, None, Some(ban), None, OnCommit::Nothing, now)
    }

    /// Who was just coming in when it was banned is thrown out as well: by the node at which it is, in the name of the
    /// operator.
    pub(super) fn expel(&mut self, room_id: RoomId, operator: AuthorId, ban: &Ban, now: Now, delivery: &dyn Delivery) {
        let here = Membership { room: room_id, author: operator };
        let room = self.room(room_id);
        let with_token = ban.token.and_then(|token| match room.state.roster.known_by(token)? {
            Known::Member(author) => Some(room.member(author)?.name().clone()),
            Known::Departed { .. } => None,
        });
        let bears = |(author, account): (&AuthorId, &AccountId)| (Some(*account) == ban.account).then_some(*author);
        let present = |author: AuthorId| room.member(author).map(|member| (author, member.name().clone()));
        let bearers = room.state.accounts.iter().filter_map(bears).filter_map(present);
        let with_account = bearers.min_by_key(|(author, _)| *author).map(|(_, name)| name);
        for name in [Some(ban.name.clone()), with_token, with_account].into_iter().flatten() {
            let target = self.room(room_id).find_named(&name, false).filter(|target| target.author != operator);
            let is_ours = |target: &Named| self.is_ours(Membership { room: room_id, author: target.author });
            if let Some(target) = target.filter(is_ours) {
                let address = ban.address.or_else(|| self.room(room_id).address_of(target.author, delivery));
                // If the operator itself is gone by now, nobody is left to do it.
                let _ = self.kick(here, target, None, Some(Ban { address, ..ban.clone() }), now);
            }
        }
    }

    /// Who is thrown out, and kept out from here on by another node that does not know from where it was connected, is kept
    /// out by that as well.
    pub(super) fn complete_ban(&mut self, target: Membership, measure: &Measure, delivery: &dyn Delivery) {
        let Some(ban) = measure.ban.as_ref().filter(|ban| ban.address.is_none() && self.is_shared()) else { return };
        if let Some(address) = self.room(target.room).address_of(target.author, delivery) {
            let change = Change::CompleteBan { name: ban.name.clone(), address };
            self.propose(target.room, change, OnCommit::Unasked);
        }
    }

    /// Bans of names that look the same are one.
    fn unban(&mut self, here: Membership, name: &Name, now: Now) -> Result<(), Refusal> {
        let bans = &self.room(here.room).state.rules.bans;
        let is_meant = |ban: &&Ban| ban.name.keys().overlaps(&name.keys());
        let names: Vec<Name> = bans.iter().filter(is_meant).map(|ban| ban.name.clone()).collect();
        if names.is_empty() {
            return Err(Refusal::NotBanned { name: name.clone() });
        }
        names.into_iter().try_for_each(|name| self.change_mode(here, ModeChange::Unban(name), None, now))
    }

    fn unmute(&mut self, here: Membership, name: &Name, now: Now) -> Result<(), Refusal> {
        let room = self.room(here.room);
        let mut targets: Vec<(AuthorId, Name)> = Vec::new();
        if let Some(target) = room.find_named(name, true) {
            targets.push((target.author, target.name));
        }
        for mute in &room.state.rules.mutes {
            let is_meant = mute.name.keys().overlaps(&name.keys());
            if is_meant && !targets.iter().any(|(author, _)| *author == mute.author) {
                targets.push((mute.author, mute.name.clone()));
            }
        }
        // Whoever is there comes first; others are of the same name, and only if they are muted.
        if targets.is_empty() {
            return Err(Refusal::NoSuchMember { name: name.clone() });
        }
        targets
            .into_iter()
            .try_for_each(|(author, name)| self.change_mode(here, ModeChange::Unmute(name), Some(author), now))
    }

    /// Tells an operator who is kept out.
    pub(super) fn list_bans(&self, here: Membership, now: Now) -> Result<Reply, Refusal> {
        let room = self.room(here.room);
        if !room.may_moderate(here.author) {
            return Err(Refusal::NotOperator);
        }
        let listed = |ban: &Ban| ListedBan {
            name: ban.name.clone(),
            seconds: seconds_until(ban.until_ms, now),
            by: ban.by.clone(),
        };
        Ok(Reply::Bans { bans: room.state.rules.bans_at(now.wall_ms).map(listed).collect() })
    }

    // ---- who may speak

    /// Refuses what needs a voice to who is muted.
    pub(super) fn check_may_speak(&self, here: Membership, now: Now) -> Result<(), Refusal> {
        let room = self.room(here.room);
        let rules = &room.state.rules;
        if room.proposed.will_be_muted(here.author) {
            return Err(Refusal::Muted { seconds: None });
        }
        if rules.mutes.is_empty() {
            return Ok(());
        }
        let Some(member) = room.member(here.author) else { return Ok(()) };
        // Who came back as somebody else under the same name is taken for the same.
        let by_name = || {
            rules.mutes_at(now.wall_ms).find(|mute| {
                !room.state.roster.may_return(mute.author) && mute.name.keys().overlaps(&member.name().keys())
            })
        };
        match rules.find_mute(here.author, now.wall_ms).or_else(by_name) {
            Some(mute) => Err(Refusal::Muted { seconds: mute.until_ms.map(|until_ms| seconds_until(until_ms, now)) }),
            None => Ok(()),
        }
    }

    /// Refuses what somebody without a place says under the name of one who is muted.
    pub(super) fn check_guest_may_speak(&self, room: RoomId, name: &Name, now: Now) -> Result<(), Refusal> {
        let mut mutes = self.room(room).state.rules.mutes_at(now.wall_ms);
        match mutes.find(|mute| mute.name.keys().overlaps(&name.keys())) {
            Some(mute) => Err(Refusal::Muted { seconds: mute.until_ms.map(|until_ms| seconds_until(until_ms, now)) }),
            None => Ok(()),
        }
    }

    /// Counts a message of a member against slow mode.
    ///
    /// # Errors
    /// It has said something too short a time ago.
    pub(super) fn count_in_slow_mode(&mut self, here: Membership, now: Now) -> Result<(), Refusal> {
        let room = self.room_mut(here.room);
        let seconds = room.state.rules.slow_seconds;
        if seconds == 0 || room.is_operator(here.author) {
            return Ok(());
        }
        let counted = room.slow_mode.count(here.author, u64::from(seconds) * 1000, now.steady_ms);
        counted.map_err(|retry_ms| Refusal::SlowMode { seconds, retry_ms })
    }

    /// Counts what a member has said at another node: it may come to this one.
    pub(super) fn count_said_elsewhere(&mut self, room: RoomId, change: &Change, now: Now) {
        if self.room(room).state.rules.slow_seconds > 0
            && let Change::Publish { event } = change
            && matches!(event.body, Body::Message { .. })
        {
            // If it is too soon, it was not so there.
            let _ = self.count_in_slow_mode(Membership { room, author: event.author }, now);
        }
    }

    /// Refuses what [`count_in_slow_mode`](Self::count_in_slow_mode) would refuse, without counting.
    pub(super) fn check_slow_mode(&self, here: Membership, now: Now) -> Result<(), Refusal> {
        let room = self.room(here.room);
        let seconds = room.state.rules.slow_seconds;
        if seconds == 0 || room.is_operator(here.author) {
            return Ok(());
        }
        match room.slow_mode.wait_ms(here.author, u64::from(seconds) * 1000, now.steady_ms) {
            0 => Ok(()),
            retry_ms => Err(Refusal::SlowMode { seconds, retry_ms }),
        }
    }

    // ---- succession

    /// Where people are and nobody keeps order any more, the one who has been here longest does from here on. `former`
    /// only if there is nobody else.
    pub(super) fn hand_over(&mut self, room_id: RoomId, former: Option<AuthorId>, now: Now) {
        let Some(room) = self.rooms.get(room_id.0 as usize) else { return };
        if room.state.roster.entered() == 0 || !room.wants_operator() {
            return;
        }
        let present = room.members().filter(|member| !room.proposed.will_be_gone(member.author));
        let longest = present.min_by_key(|member| (Some(member.author) == former, member.seniority()));
        let Some(author) = longest.map(|member| member.author) else { return };
        // Its node does it.
        if !self.is_ours(Membership { room: room_id, author }) {
            return;
        }
        let Some(name) = room.make_event(author, Body::Part, now.wall_ms).map(|event| event.name) else { return };
        let (here, body) = (Membership { room: room_id, author }, Body::Mode { change: ModeChange::Op(name) });
        let _ = self.propose_measure(here, body, Some(author), None, None, OnCommit::HandOver(former), now);
    }

    /// The journal could not store it, and nothing else may happen in the room for long.
    pub(super) fn hand_over_later(&mut self, room: RoomId, former: Option<AuthorId>, now: Now) {
        self.deadlines.insert((now.steady_ms + HAND_OVER_AGAIN_MS, Deadline::HandOver { room, former }));
    }
}

fn not_oneself(target: Named, here: Membership) -> Result<Named, Refusal> {
    if target.author == here.author { Err(Refusal::NotOneself) } else { Ok(target) }
}

pub(super) fn seconds_until(until_ms: u64, now: Now) -> u64 {
    until_ms.saturating_sub(now.wall_ms).div_ceil(1000)
}

impl Room {
    /// Where the member is connected from, if it is over a connection of this node. A machine's own address is everybody's
    /// behind it.
    fn address_of(&self, author: AuthorId, delivery: &dyn Delivery) -> Option<Address> {
        let Presence::Here { connection, .. } = self.member(author)?.presence else { return None };
        delivery.address_of(connection).filter(|address| !address.is_loopback())
    }
}
