//! Proposals that come back from the journal unmade, since another node's change came first: each is checked against what
//! is committed now, and proposed again, or settled as if it had been committed in vain.

use super::change::{Change, Checked, OnCommit, Proposal};
use super::command::{ConnectionId, Membership, Refusal, Reply, Share};
use super::roster::{Known, Presence};
use super::state::Conflict;
use super::{AccountId, AuthorId, Body, Name, NameKeys, RoomId, RoomKey, Rooms, SharedFile, TokenHash};
use crate::time::Now;

/// After so long others' changes that came before are here.
const RETRY_MS: u64 = 1_000;

impl Rooms {
    /// Another node's change came before this one. If it is possible all the same, it is proposed again, as
    /// [`Again`](super::Checked::Again) or [`NotYet`](super::Checked::NotYet); else it is settled, and whoever asked is told.
    pub fn reconsider(&mut self, mut proposal: Proposal, now: Now) {
        proposal.by = self.node;
        if let Change::Account(change) = &proposal.change {
            if self.accounts.allows(change) {
                return self.propose_again(proposal, Checked::Again);
            }
            self.accounts.settle(change);
            if let Proposal { change: Change::Account(change), on_commit, .. } = proposal {
                self.resolve_account(*change, on_commit);
            }
            return;
        }
        let room_id = self.find_epoch(proposal.epoch);
        let mut completed = proposal.change.clone();
        match self.check_again(room_id, &proposal, &mut completed, now) {
            // What is possible by itself may not be so behind those.
            Ok(()) if self.may_come_behind_others(room_id, &proposal) => {
                self.propose_again(proposal, Checked::NotYet);
            }
            Ok(()) => {
                if let Some(room_id) = room_id {
                    self.room_mut(room_id).proposed.revise(&proposal.change, &completed);
                }
                let claimed = room_id.and_then(|room_id| self.name_claimed_since(room_id, &completed));
                self.propose_again(Proposal { change: completed, ..proposal }, Checked::Again);
                if let (Some(room_id), Some((identify, connection))) = (room_id, claimed) {
                    self.propose(room_id, identify, OnCommit::NothingProven(connection));
                }
            }
            Err(conflict) if self.may_rely_on_others(&proposal, conflict) => {
                self.propose_again(proposal, Checked::NotYet);
            }
            Err(conflict) => {
                self.settle_in_vain(&proposal);
                self.resolve(proposal, conflict, now);
            }
        }
    }

    /// Whoever has claimed the name that it is about to take, since it asked for that, is to bear it by right. Returns what
    /// is to be proposed, and by whose connection that was shown.
    fn name_claimed_since(&self, room_id: RoomId, change: &Change) -> Option<(Change, ConnectionId)> {
        let Change::Publish { event } = change else { return None };
        let Body::Nick { to } = &event.body else { return None };
        let (author, connection) = (event.author, self.connection_of(room_id, event.author)?);
        let account =
            self.accounts.owner(&to.keys()).filter(|owner| self.accounts.proof(connection) == Some(*owner))?;
        let will_bear = self.room(room_id).proposed.account_of(author) == Some(account);
        (!will_bear).then_some((Change::Identify { author, account, token: None }, connection))
    }

    fn propose_again(&mut self, proposal: Proposal, checked: Checked) {
        self.proposals.push_back(Proposal { checked, ..proposal });
    }

    /// It is proposed no more. Returns its room.
    fn settle_in_vain(&mut self, proposal: &Proposal) -> Option<RoomId> {
        let room_id = self.find_epoch(proposal.epoch)?;
        self.room_mut(room_id).proposed.settle(&proposal.change, false, proposal.serial);
        self.resume_held(room_id);
        Some(room_id)
    }

    /// Whether a proposal is possible by what is committed, and still wanted.
    fn check_again(
        &self,
        room_id: Option<RoomId>,
        proposal: &Proposal,
        change: &mut Change,
        now: Now,
    ) -> Result<(), Conflict> {
        let room_id = room_id.ok_or(Conflict::Room)?;
        let room = self.room(room_id);
        let is_there = if change.opens() { !self.codes.contains_key(&proposal.code) } else { room.is_open };
        if !is_there {
            return Err(Conflict::Room);
        }
        self.check_claim(change)?;
        // Others may have taken at other nodes what there was room for when it was proposed.
        let most = self.limits.members;
        if change.newcomer().is_some() && most > 0 && room.proposed.places(&room.state.roster) > most {
            return Err(Conflict::Member);
        }
        let subscribes = matches!(proposal.on_commit, OnCommit::Subscribe(..));
        let (by, key) = match &proposal.on_commit {
            OnCommit::Subscribe(_, joining) => (Some(joining.connection), joining.key.as_ref()),
            OnCommit::KeepPlace { connection, reserving, .. } => (Some(*connection), reserving.key.as_ref()),
            OnCommit::NothingProven(connection) => (Some(*connection), None),
            OnCommit::TellShared(_, shared) => (None, shared.0.key.as_ref()),
            _ => (None, None),
        };
        let comes_back = matches!(change, Change::Enter { takes_place: None, .. } | Change::Reconnect { .. });
        if let OnCommit::Subscribe(author, joining) = &proposal.on_commit
            && comes_back
            && !self.is_shown_by(room_id, *author, joining)
        {
            return Err(Conflict::Member);
        }
        if let Some(newcomer) = change.newcomer() {
            self.check_right(room_id, newcomer.author, &newcomer.name, by)?;
            if self.requires_account && newcomer.account.is_none() {
                return Err(Conflict::Member);
            }
        }
        self.check_key_again(room_id, change, key)?;
        // Where the node of whom it concerns is gone, others do the same.
        if matches!(proposal.on_commit, OnCommit::HandOver(_)) && !room.rules().operators.is_empty() {
            return Err(Conflict::NotOperator);
        }
        match change {
            // Who was refused before has no number yet, and another node has given it to somebody else.
            Change::Enter { takes_place: Some(_), returns: true, event, .. }
                if !room.state.roster.may_return(event.author) && event.author <= room.state.roster.last_author() =>
            {
                return Err(Conflict::Member);
            }
            // Its secret may not be good for its name any more.
            Change::Enter { takes_place: None, event, .. } if subscribes => {
                self.check_return(room_id, event.author, by)?;
            }
            Change::Reconnect { author, .. } if subscribes => self.check_return(room_id, *author, by)?,
            Change::Publish { event } => {
                if let Body::Nick { to } = &event.body {
                    if room.member(event.author).is_some_and(|member| member.name == *to) {
                        return Err(Conflict::Member);
                    }
                    let by = self.connection_of(room_id, event.author);
                    self.check_right(room_id, event.author, to, by)?;
                }
            }
            // Whoever was to come under the account's name may not have come, and then its number is somebody else's.
            Change::Identify { author, account, .. } => {
                let name = room.member(*author).map(|member| &member.name).ok_or(Conflict::Member)?;
                if self.accounts.owner(&name.keys()) != Some(*account) {
                    return Err(Conflict::Member);
                }
                self.check_right(room_id, *author, name, by)?;
            }
            // Who was here has gone on to another node.
            Change::Reconnect { author, .. } => {
                let presence = room.member(*author).map(|member| member.presence);
                presence.filter(|presence| *presence != Presence::Elsewhere).ok_or(Conflict::Member)?;
            }
            Change::Vacate { author, .. } if !self.may_give_up(Membership { room: room_id, author: *author }) => {
                return Err(Conflict::Member);
            }
            // Somebody was here since, and the time counts anew.
            Change::End if room.ends_at_ms.is_none_or(|ends_at_ms| ends_at_ms > now.steady_ms) => {
                return Err(Conflict::NotEmpty);
            }
            _ => (),
        }
        room.state.check_but_id(change)
    }

    /// Whether it is this node's affair that a member parts: it is here, or its node is one no more.
    fn may_give_up(&self, here: Membership) -> bool {
        let node = self.room(here.room).member(here.author).map(|member| member.node);
        node.is_none_or(|node| node == self.node || self.gone_nodes.contains(&node))
    }

    /// Whether a member that comes back bears its name by right, if it is somebody's own.
    fn check_return(&self, room_id: RoomId, author: AuthorId, by: Option<ConnectionId>) -> Result<(), Conflict> {
        match self.room(room_id).member(author) {
            Some(member) => self.check_right(room_id, author, &member.name, by),
            None => Ok(()),
        }
    }

    /// Whether somebody may bear this name: it is nobody's own, or its own, or that was shown by a connection, and the
    /// password is still the same.
    fn check_right(
        &self,
        room_id: RoomId,
        author: AuthorId,
        name: &Name,
        by: Option<ConnectionId>,
    ) -> Result<(), Conflict> {
        let Some(owner) = self.accounts.owner(&name.keys()) else { return Ok(()) };
        let is_its_own = self.room(room_id).state.accounts.get(&author) == Some(&owner);
        let is_shown = || by.and_then(|connection| self.accounts.proof(connection)) == Some(owner);
        if is_its_own || is_shown() { Ok(()) } else { Err(Conflict::Member) }
    }

    /// Whether a stranger has shown the key that the room has by now.
    fn check_key_again(&self, room_id: RoomId, change: &Change, key: Option<&RoomKey>) -> Result<(), Conflict> {
        let room = self.room(room_id);
        if room.rules().key.is_none() {
            return Ok(());
        }
        let is_borne = |account: AccountId| room.state.accounts.values().any(|borne| *borne == account);
        let is_stranger = match change {
            Change::Place { returns: true, .. } | Change::Enter { returns: true, .. } => false,
            Change::PublishOfGuest { .. } => true,
            change => change.newcomer().is_some_and(|newcomer| !newcomer.account.is_some_and(is_borne)),
        };
        let is_shown = || key.is_some_and(|key| room.state.is_key(key));
        if !is_stranger || is_shown() { Ok(()) } else { Err(Conflict::Member) }
    }

    /// Whether a proposal may be possible once others are committed that this node has proposed.
    fn may_rely_on_others(&self, proposal: &Proposal, conflict: Conflict) -> bool {
        let Some(room_id) = self.find_epoch(proposal.epoch) else { return false };
        let (room, change) = (self.room(room_id), &proposal.change);
        if !self.is_behind_others(room_id, proposal) {
            return false;
        }
        match conflict {
            Conflict::Room => !change.opens() && !room.is_open,
            Conflict::AlreadySaid(_) | Conflict::NoSuchEvent | Conflict::Muted | Conflict::Number => false,
            Conflict::NotEmpty => room.proposed.changes_members(),
            Conflict::Member | Conflict::NotOperator => {
                let mut involved = self.involved(room_id, change);
                involved.sort();
                involved.dedup();
                involved.into_iter().any(|author| room.proposed.has_others(author, change))
            }
        }
    }

    /// Whether others of this room are to be settled first. What comes back as one that waited waits for none any more.
    fn is_behind_others(&self, room_id: RoomId, proposal: &Proposal) -> bool {
        proposal.checked != Checked::NotYet && self.room(room_id).proposed.is_behind_others(proposal.serial)
    }

    /// Whether others that this node has proposed may come before a change, and change what it was checked against.
    fn may_come_behind_others(&self, room_id: Option<RoomId>, proposal: &Proposal) -> bool {
        let Some(room_id) = room_id else { return false };
        let (room, change) = (self.room(room_id), &proposal.change);
        if !room.proposed.changes_members() || !self.is_behind_others(room_id, proposal) {
            return false;
        }
        let is_end = matches!(change, Change::End);
        is_end || self.involved(room_id, change).into_iter().any(|author| room.proposed.has_others(author, change))
    }

    /// Everybody on whom it depends whether a change is possible.
    fn involved(&self, room_id: RoomId, change: &Change) -> Vec<AuthorId> {
        let roster = &self.room(room_id).state.roster;
        let mut involved: Vec<AuthorId> = change.event().map(|event| event.author).into_iter().collect();
        let holder = |keys: NameKeys| roster.holder_of(&keys);
        let with_token = |token: &TokenHash| match roster.known_by(token)? {
            Known::Member(author) => Some(author),
            Known::Departed { .. } => None,
        };
        if let Some(newcomer) = change.newcomer() {
            involved.push(newcomer.author);
            involved.extend(holder(newcomer.name.keys()));
            involved.extend(with_token(&newcomer.token));
        }
        match change {
            Change::Publish { event } => {
                if let Body::Nick { to } = &event.body {
                    involved.extend(holder(to.keys()));
                }
            }
            Change::PublishOfGuest { event } => involved.extend(holder(event.name.keys())),
            Change::Moderate(measure) => involved.extend(measure.target),
            Change::Identify { author, token, .. } => {
                involved.push(*author);
                involved.extend(token.as_ref().and_then(with_token));
            }
            Change::Reconnect { author, .. } | Change::Vacate { author, .. } => involved.push(*author),
            _ => (),
        }
        involved
    }

    // ---- what the journal knows better

    /// The message of this proposal was said already, as this event.
    pub fn note_already_said(&mut self, proposal: Proposal, id: u64, now: Now) {
        let room_id = self.settle_in_vain(&proposal);
        self.counts.duplicates += 1;
        match proposal.on_commit {
            OnCommit::TellShared(connection, shared) => self.tell_shared_before(room_id, connection, *shared, id),
            _ if room_id.is_some() => self.tell_conflict(room_id, proposal.change, Conflict::AlreadySaid(id), None),
            _ => self.resolve(proposal, Conflict::Room, now),
        }
    }

    /// What was to be shared was shared before by another event.
    fn tell_shared_before(
        &mut self,
        room_id: Option<RoomId>,
        connection: ConnectionId,
        (share, sent): (Share, SharedFile),
        id: u64,
    ) {
        self.release_unshared(Some(sent.id));
        let (is_answer, cid) = (true, share.cid);
        let room = room_id.map(|room_id| self.room(room_id));
        let reply = match room.and_then(|room| room.state.history.files().shared_by(id)) {
            Some(file) => Reply::Shared { code: share.code, file: Box::new(file.clone()), id, is_new: false },
            // It is on its way here.
            None if room.is_some_and(|room| room.last_id() < id) => {
                Reply::Refused { refusal: Refusal::RateLimited { retry_ms: RETRY_MS }, cid, is_answer }
            }
            None => Reply::Refused { refusal: Refusal::NoSuchFile, cid, is_answer },
        };
        self.reply(connection, reply);
    }

    /// What this proposal amends is there no more.
    pub fn note_no_such_event(&mut self, proposal: Proposal, now: Now) {
        self.settle_in_vain(&proposal);
        self.resolve(proposal, Conflict::NoSuchEvent, now);
    }
}
