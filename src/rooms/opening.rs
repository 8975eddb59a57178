//! How rooms are found, how they begin and how they end.

use super::change::{Change, OnCommit};
use super::command::{JoinTarget, Refusal};
use super::limiter::Address;
use super::nodes::WAITS_FOR_ANOTHER_MS;
use super::room::Room;
use super::state::{Conflict, RoomState};
use super::{Attempt, Deadline, Epoch, MAX_LETTERS, NodeId, RoomCode, RoomId, Rooms, Token};
use crate::time::Now;

fn rate_limited(retry_ms: u64) -> Refusal {
    Refusal::RateLimited { retry_ms }
}

impl Rooms {
    /// The room that has this code, or will have it.
    fn room_with(&self, code: RoomCode) -> Option<RoomId> {
        let living = || self.codes.get(&code).filter(|room| !self.room(**room).proposed.is_ending);
        self.opening.get(&code).or_else(living).copied()
    }

    /// The room with this code. Whoever asks for too many codes that are none is told nothing about any, unless a token
    /// shows that it knows the room already, or it was made from the same network, or others have come into it from there.
    pub(super) fn find(
        &mut self,
        code: RoomCode,
        token: Option<Token>,
        address: Address,
        now: Now,
    ) -> Result<RoomId, Refusal> {
        let found = self.room_with(code);
        if let (Some(id), Some(token)) = (found, token) {
            let room = self.room(id);
            if room.proposed.known_by(&token.hash(), &room.state.roster).is_some() {
                return Ok(id);
            }
        }
        if let Err(retry_ms) = self.unknown_codes.check(address, now.steady_ms) {
            return self.find_familiar(found, address, now).ok_or(Refusal::TooManyCodes { retry_ms });
        }
        found.ok_or_else(|| {
            // Cannot fail: there was room for it a line above.
            let _ = self.unknown_codes.take(address, now.steady_ms);
            self.tell_attempt(Attempt::UnknownCode, address);
            Refusal::NoSuchRoom { code }
        })
    }

    /// The room, if it is familiar to this network. What else is asked for, living or not, counts against a
    /// second budget, and beyond that nothing is told here either.
    fn find_familiar(&mut self, found: Option<RoomId>, address: Address, now: Now) -> Option<RoomId> {
        self.unfamiliar_codes.check(address, now.steady_ms).ok()?;
        let familiar = found.filter(|room| self.room(*room).is_familiar_to(address));
        if familiar.is_none() {
            let _ = self.unfamiliar_codes.take(address, now.steady_ms);
            self.tell_attempt(Attempt::UnfamiliarCode, address);
        }
        familiar
    }

    /// The same as [`find`](Self::find), for those who only look: what is about to begin is not there yet.
    pub(super) fn find_open(
        &mut self,
        code: RoomCode,
        token: Option<Token>,
        address: Address,
        now: Now,
    ) -> Result<RoomId, Refusal> {
        let room = self.find(code, token, address, now)?;
        if self.room(room).is_open { Ok(room) } else { Err(Refusal::NoSuchRoom { code }) }
    }

    /// Makes a room that begins with the change that is proposed next, under `code` if one is given, else under a random
    /// one that is free.
    pub(super) fn create(&mut self, address: Address, code: Option<RoomCode>, now: Now) -> Result<RoomId, Refusal> {
        self.check_journal()?;
        self.creations.take(address, now.steady_ms).map_err(rate_limited)?;
        self.tell_attempt(Attempt::Creation, address);
        let code = code.unwrap_or_else(|| self.free_code());
        let epoch = Epoch::random(&mut self.random);
        let room = self.add_room(RoomState::new(code, epoch));
        self.room_mut(room).note_network(address);
        self.opening.insert(code, room);
        Ok(room)
    }

    pub(super) fn add_room(&mut self, state: RoomState) -> RoomId {
        let epoch = state.epoch;
        let mut room = Room::new(state, self.encoders.len());
        room.admins = self.admin_accounts.clone();
        let room = RoomId(self.rooms.insert(room) as u32);
        self.epochs.insert(epoch, room);
        room
    }

    /// A code that no room has. Longer than usual where the short ones are nearly used up, so that a free one is found
    /// in few draws and guessing stays as hard as it was.
    fn free_code(&mut self) -> RoomCode {
        let draws_a_length = 16;
        for length in self.limits.code_length..=MAX_LETTERS {
            for _ in 0..draws_a_length {
                let code = RoomCode::random(length, &mut self.random);
                if !self.codes.contains_key(&code) && !self.opening.contains_key(&code) {
                    return code;
                }
            }
        }
        unreachable!("there are more codes of 12 letters than memory for rooms");
    }

    /// Whether a room would be made for this target.
    pub(super) fn is_new(&self, target: JoinTarget) -> bool {
        match target {
            JoinTarget::New => true,
            JoinTarget::CodeOrNew(code) => self.room_with(code).is_none(),
            JoinTarget::Code(_) => false,
        }
    }

    /// The room that is meant, and whether it was made just now.
    pub(super) fn find_or_create(
        &mut self,
        target: JoinTarget,
        token: Option<Token>,
        address: Address,
        now: Now,
    ) -> Result<(RoomId, bool), Refusal> {
        let is_new = self.is_new(target);
        let room = match target {
            JoinTarget::New => self.create(address, None, now)?,
            JoinTarget::Code(code) | JoinTarget::CodeOrNew(code) => match self.find(code, token, address, now) {
                // To be told that it is new tells as much as that there is none, and counts as much.
                Err(Refusal::NoSuchRoom { .. }) if is_new => self.create(address, Some(code), now)?,
                found => found?,
            },
        };
        Ok((room, is_new))
    }

    /// A room begins, by a committed change. It may be one that this node has proposed, or another's.
    pub(super) fn open(&mut self, code: RoomCode, epoch: Epoch) -> Result<(), Conflict> {
        let is_own = |room: &RoomId| self.room(*room).epoch() == epoch;
        if self.opening.get(&code).is_some_and(is_own) {
            self.opening.remove(&code);
        }
        let is_another = |room: RoomId| self.room(room).is_open || self.room(room).code() != code;
        let is_known = epoch == Epoch::NONE || self.find_epoch(epoch).is_some_and(is_another);
        if is_known || self.codes.contains_key(&code) {
            return Err(Conflict::Room);
        }
        let room = self.find_epoch(epoch).unwrap_or_else(|| self.add_room(RoomState::new(code, epoch)));
        self.room_mut(room).is_open = true;
        self.codes.insert(code, room);
        self.counts.rooms_created += 1;
        Ok(())
    }

    /// The room does not begin.
    pub(super) fn discard_unopened(&mut self, epoch: Epoch) {
        let Some(room_id) = self.find_epoch(epoch).filter(|room| !self.room(*room).is_open) else { return };
        let code = self.room(room_id).code();
        if self.opening.get(&code) == Some(&room_id) {
            self.opening.remove(&code);
        }
        self.forget_unopened(epoch);
    }

    /// Of a room that does not begin, everything has come back that was proposed.
    pub(super) fn forget_unopened(&mut self, epoch: Epoch) {
        let Some(room_id) = self.find_epoch(epoch) else { return };
        let room = self.room(room_id);
        if room.is_open || self.opening.get(&room.code()) == Some(&room_id) || room.proposed.has_any() {
            return;
        }
        self.epochs.remove(&epoch);
        let mut room = self.rooms.remove(room_id.0 as usize);
        self.resume_all(&mut room);
    }

    /// Lets the room end after its time, if nobody has a place in it: at the node by which it was left first.
    pub(super) fn end_if_empty(&mut self, room: RoomId, by: NodeId, now: Now) {
        let waits_ms = if by == self.node { 0 } else { WAITS_FOR_ANOTHER_MS };
        let ends_at_ms = now.steady_ms + self.limits.room_ttl_ms + waits_ms;
        if self.room(room).state.roster.places() == 0 {
            self.end_at(room, ends_at_ms);
        }
    }

    pub(super) fn end_at(&mut self, room: RoomId, ends_at_ms: u64) {
        self.room_mut(room).ends_at_ms = Some(ends_at_ms);
        self.deadlines.insert((ends_at_ms, Deadline::RoomEnd { room }));
    }

    /// The time of an empty room is up, unless somebody came, or is about to come.
    pub(super) fn end_room(&mut self, room_id: RoomId, due_ms: u64) {
        let Some(room) = self.rooms.get(room_id.0 as usize).filter(|room| room.ends_at_ms == Some(due_ms)) else {
            return;
        };
        if room.proposed.places(&room.state.roster) == 0 {
            self.propose(room_id, Change::End, OnCommit::Nothing);
        } else {
            // Should they not come after all.
            self.end_at(room_id, due_ms + self.limits.room_ttl_ms.max(1));
        }
    }

    /// The room is over.
    pub(super) fn remove_room(&mut self, room_id: RoomId) {
        let mut room = self.rooms.remove(room_id.0 as usize);
        self.epochs.remove(&room.epoch());
        if self.codes.get(&room.code()) == Some(&room_id) {
            self.codes.remove(&room.code());
        }
        self.history_memory.forget(room.memory_bytes);
        self.released_files.extend(room.state.history.files().iter().map(|(_, file)| file.id));
        self.resume_all(&mut room);
    }
}
