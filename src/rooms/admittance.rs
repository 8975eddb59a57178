//! Who is let into a room: nobody who is banned, and of those whom it does not know only who may pass its lock and has its
//! key.

use super::command::{Caller, Refusal};
use super::moderation::seconds_until;
use super::roster::{Known, Presence};
use super::rules::{Comer, find_ban};
use super::{
    AccountId, Address, Attempt, AuthorId, Name, NameKeys, Room, RoomId, RoomKey, Rooms, ShortTokenHash, Token,
    TokenHash,
};
use crate::time::Now;

impl Rooms {
    /// Refuses a place to who is banned, and to a stranger where the room is locked or has another key.
    pub(super) fn check_admittance(
        &mut self,
        room_id: RoomId,
        name: Option<&Name>,
        token: Option<Token>,
        key: Option<&RoomKey>,
        caller: &Caller,
        now: Now,
    ) -> Result<(), Refusal> {
        let room = self.room(room_id);
        // What a log of several nodes takes in is possible: nobody comes in behind the lock.
        let will_be_locked = self.is_shared() && room.proposed.will_be_locked();
        if !room.state.rules.restrict_entry() && !will_be_locked && room.proposed.bans().next().is_none() {
            return Ok(());
        }
        let roster = &room.state.roster;
        let token = token.map(Token::hash);
        let known = token.and_then(|token| room.proposed.known_by(&token, roster));
        let known_name = match &known {
            Some(Known::Member(author)) => room.member(*author).map(|member| member.name().clone()),
            Some(Known::Departed { name, .. }) => Some(name.clone()),
            None => None,
        };
        let known_author = known.as_ref().map(|(Known::Member(author) | Known::Departed { author, .. })| *author);
        let borne = || known_author.and_then(|author| room.account_of(author));
        let account = self.accounts.proof(caller.connection).or_else(borne);
        let keys = name.or(known_name.as_ref()).map(Name::keys);
        let is_here = || {
            let holder = keys.as_ref().and_then(|keys| room.proposed.holder_of(keys, roster));
            let presence = holder.and_then(|holder| room.member(holder)).map(|member| member.presence);
            matches!(presence, Some(Presence::Here { connection, .. }) if connection == caller.connection)
        };
        // By its password comes back who has lost its secret.
        let is_known_by_account =
            || account.is_some_and(|account| self.is_known_by_account(room, keys.as_ref(), account));
        let is_stranger = known.is_none() && !is_here() && !is_known_by_account();
        let short_token = token.as_ref().map(ShortTokenHash::from);
        let address = Some(caller.address).filter(|_| is_stranger);
        let comer = Comer { name: keys.as_ref(), token: short_token, account, address };
        let bans = room.state.rules.bans.iter().chain(room.proposed.bans());
        let code = room.code();
        if let Some(ban) = find_ban(bans, &comer, now.wall_ms) {
            return Err(Refusal::Banned { code, seconds: seconds_until(ban.until_ms, now) });
        }
        if !is_stranger {
            return Ok(());
        }
        if room.state.rules.is_locked || will_be_locked {
            return Err(Refusal::RoomLocked { code });
        }
        self.check_key(room_id, key, caller.address, now)
    }

    /// Whether the room knows who bears the name of this account, and one with these keys is that name.
    fn is_known_by_account(&self, room: &Room, keys: Option<&NameKeys>, account: AccountId) -> bool {
        let is_its_name = keys.is_some_and(|keys| self.accounts.owner(keys) == Some(account));
        let bears =
            |(author, borne): (&AuthorId, &AccountId)| *borne == account && !room.proposed.will_be_forgotten(*author);
        is_its_name && room.state.accounts.iter().any(bears)
    }

    /// A wrong key counts as a wrong code does: against the network, and where that has asked for too many, against the
    /// second budget that those who share it have.
    fn check_key(&mut self, room_id: RoomId, key: Option<&RoomKey>, address: Address, now: Now) -> Result<(), Refusal> {
        let room = self.room(room_id);
        if room.state.rules.key.is_none() {
            return Ok(());
        }
        let code = room.code();
        let Some(key) = key else { return Err(Refusal::KeyRequired { code, was_wrong: false }) };
        let is_right = room.state.is_key(key);
        let (guesses, what) = match self.unknown_codes.check(address, now.steady_ms) {
            Ok(()) => (&mut self.unknown_codes, Attempt::UnknownCode),
            Err(_) => (&mut self.unfamiliar_codes, Attempt::UnfamiliarCode),
        };
        guesses.check(address, now.steady_ms).map_err(|retry_ms| Refusal::TooManyCodes { retry_ms })?;
        if is_right {
            return Ok(());
        }
        // Cannot fail: there was room for it a line above.
        let _ = guesses.take(address, now.steady_ms);
        self.tell_attempt(what, address);
        Err(Refusal::KeyRequired { code, was_wrong: true })
    }

    /// Refuses a look from outside to strangers, where a room is locked or has a key.
    pub(super) fn check_may_look(&self, room_id: RoomId, token: Option<Token>) -> Result<(), Refusal> {
        let room = self.room(room_id);
        let (rules, code) = (&room.state.rules, room.code());
        let is_known = |token: TokenHash| room.proposed.known_by(&token, &room.state.roster).is_some();
        if !(rules.is_locked || rules.key.is_some()) || token.map(Token::hash).is_some_and(is_known) {
            Ok(())
        } else if rules.is_locked {
            Err(Refusal::RoomLocked { code })
        } else {
            Err(Refusal::KeyRequired { code, was_wrong: false })
        }
    }

    /// Refuses a new name to a member if somebody who goes by it is banned.
    pub(super) fn check_name_is_not_banned(&self, room_id: RoomId, name: &Name, now: Now) -> Result<(), Refusal> {
        let room = self.room(room_id);
        let bans = room.state.rules.bans.iter().chain(room.proposed.bans());
        let keys = name.keys();
        let comer = Comer { name: Some(&keys), token: None, account: None, address: None };
        match find_ban(bans, &comer, now.wall_ms) {
            Some(_) => Err(Refusal::NameBanned { name: name.clone() }),
            None => Ok(()),
        }
    }
}
