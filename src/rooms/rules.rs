//! What operators have made of a room: who they are, what it is about, and who may come in and speak.
//!
//! Part of what all nodes agree on, changed by committed changes alone. Which of it is asked for by whom is in
//! `moderation`, who is let in in `admittance`.

use super::room_key::KeyHash;
use super::{AccountId, Address, AuthorId, Name, NameKeys, ShortTokenHash, Text};

/// Operators of a room at the most.
pub const MAX_OPERATORS: usize = 100;

/// Bans that hold in a room at the most, and members that are muted in it.
pub const MAX_BANS: usize = 256;

/// What operators have made of a room.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RoomRules {
    /// Members, and those that may come back: in the order of their numbers.
    pub operators: Vec<AuthorId>,
    /// What the room is about.
    pub topic: Option<Text>,
    /// Who is not known in the room does not come in.
    pub is_locked: bool,
    /// What who is not known in the room has to give.
    pub key: Option<KeyHash>,
    /// A member that is no operator says one thing in so many seconds; 0: as often as it likes.
    pub slow_seconds: u32,
    /// Who is kept out.
    pub bans: Vec<Ban>,
    /// Who may not speak.
    pub mutes: Vec<Mute>,
}

/// Somebody who is kept out of a room for a time.
#[derive(Clone, PartialEq, Debug)]
pub struct Ban {
    /// The name that it is known by.
    pub name: Name,
    /// The hash of its secret, if the room knew it.
    pub token: Option<ShortTokenHash>,
    /// The account whose name it bore by right.
    pub account: Option<AccountId>,
    /// Where it was connected from.
    pub address: Option<Address>,
    /// Until then: milliseconds since 1970, UTC.
    pub until_ms: u64,
    /// Who has banned it.
    pub by: Name,
}

/// Somebody who may read in a room and say nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct Mute {
    /// Who.
    pub author: AuthorId,
    /// The name that it bore then: who comes under it once the author cannot come back any more is taken for the same.
    pub name: Name,
    /// Until then: milliseconds since 1970, UTC. `None`: until it is unmuted.
    pub until_ms: Option<u64>,
}

impl Ban {
    /// Whether it keeps out who comes at this time. By its address only a stranger is kept out: a school has one
    /// address.
    fn keeps_out(&self, comer: &Comer<'_>, wall_ms: u64) -> bool {
        let has_name = || comer.name.is_some_and(|keys| keys.overlaps(&self.name.keys()));
        let has_token = || self.token.is_some() && self.token == comer.token;
        let has_account = || self.account.is_some() && self.account == comer.account;
        let has_address = || self.address.is_some() && self.address == comer.address;
        self.is_in_force(wall_ms) && (has_name() || has_token() || has_account() || has_address())
    }

    fn is_in_force(&self, wall_ms: u64) -> bool {
        wall_ms < self.until_ms
    }
}

/// Somebody who wants to come in.
pub(super) struct Comer<'c> {
    pub name: Option<&'c NameKeys>,
    pub token: Option<ShortTokenHash>,
    /// The account that it has shown to be its own.
    pub account: Option<AccountId>,
    /// Only of a stranger.
    pub address: Option<Address>,
}

/// Of these bans, the longest that keeps this one out at this time.
pub(super) fn find_ban<'b>(bans: impl Iterator<Item = &'b Ban>, comer: &Comer<'_>, wall_ms: u64) -> Option<&'b Ban> {
    bans.filter(|ban| ban.keeps_out(comer, wall_ms)).max_by_key(|ban| ban.until_ms)
}

impl RoomRules {
    /// Bans that are in force at this time.
    pub fn bans_at(&self, wall_ms: u64) -> impl Iterator<Item = &Ban> {
        self.bans.iter().filter(move |ban| ban.is_in_force(wall_ms))
    }

    /// Whether anybody might be kept out.
    pub(super) fn restrict_entry(&self) -> bool {
        self.is_locked || self.key.is_some() || !self.bans.is_empty()
    }

    pub(super) fn make_operator(&mut self, author: AuthorId) {
        if let Err(place) = self.operators.binary_search(&author) {
            self.operators.insert(place, author);
        }
    }

    /// It is no operator any more, or nobody that the room knows.
    pub(super) fn forget_operator(&mut self, author: AuthorId) {
        self.operators.retain(|operator| *operator != author);
    }

    /// Keeps somebody out from here on, in place of what was said of the same name before. `time_ms`: the time of the
    /// change. The kick that comes with a ban makes the same one, which may be completed since.
    pub(super) fn ban(&mut self, mut ban: Ban, time_ms: u64) {
        let is_same = |other: &&Ban| other.name == ban.name && other.until_ms == ban.until_ms;
        let known = self.bans.iter().find(is_same).and_then(|same| same.address);
        ban.address = ban.address.or(known);
        self.bans.retain(|other| other.is_in_force(time_ms) && other.name != ban.name);
        self.bans.push(ban);
    }

    /// The ban of this name keeps out this address as well.
    pub(super) fn complete_ban(&mut self, name: &Name, address: Address) {
        self.bans.iter_mut().filter(|ban| ban.name == *name).for_each(|ban| ban.address = Some(address));
    }

    pub(super) fn unban(&mut self, name: &Name) {
        self.bans.retain(|ban| ban.name != *name);
    }

    /// The same as [`ban`](Self::ban), for who may not speak.
    pub(super) fn mute(&mut self, mute: Mute, time_ms: u64) {
        let holds = |other: &Mute| other.until_ms.is_none_or(|until_ms| time_ms < until_ms);
        self.mutes.retain(|other| holds(other) && other.author != mute.author);
        self.mutes.push(mute);
    }

    pub(super) fn unmute(&mut self, author: AuthorId) {
        self.mutes.retain(|mute| mute.author != author);
    }

    /// What keeps this author from speaking at this time.
    pub(super) fn find_mute(&self, author: AuthorId, wall_ms: u64) -> Option<&Mute> {
        self.mutes_at(wall_ms).find(|mute| mute.author == author)
    }

    /// Mutes that are in force at this time.
    pub(super) fn mutes_at(&self, wall_ms: u64) -> impl Iterator<Item = &Mute> {
        self.mutes.iter().filter(move |mute| mute.until_ms.is_none_or(|until_ms| wall_ms < until_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Token;
    use super::*;

    fn name(name: &str) -> Name {
        Name::parse(name).expect("a name")
    }

    fn token(digit: &str) -> Option<ShortTokenHash> {
        Some((&Token::parse(&digit.repeat(32)).expect("a token").hash()).into())
    }

    fn address(last: u8) -> Option<Address> {
        Some(Address::from(core::net::IpAddr::from([192, 0, 2, last])))
    }

    fn ban(called: &str, until_ms: u64) -> Ban {
        let (token, account, address) = (token("a"), Some(AccountId(7)), address(1));
        Ban { name: name(called), token, account, address, until_ms, by: name("ana") }
    }

    #[test]
    fn a_ban_keeps_out_by_name_token_account_or_address_until_its_time_is_up() {
        let mut rules = RoomRules::default();
        rules.ban(ban("ben", 1000), 0);
        let is_kept_out = |called: &str, token, address, at_ms| {
            let keys = name(called).keys();
            find_ban(rules.bans.iter(), &Comer { name: Some(&keys), token, account: None, address }, at_ms).is_some()
        };
        let by_account = |account| Comer { name: None, token: None, account: Some(AccountId(account)), address: None };
        assert!(find_ban(rules.bans.iter(), &by_account(7), 999).is_some());
        assert!(find_ban(rules.bans.iter(), &by_account(8), 999).is_none());
        assert!(is_kept_out("BEN", None, None, 999));
        assert!(is_kept_out("carl", token("a"), None, 999));
        assert!(is_kept_out("carl", token("b"), address(1), 999));
        assert!(!is_kept_out("carl", token("b"), address(2), 999));
        assert!(!is_kept_out("carl", None, None, 999));
        assert!(!is_kept_out("ben", token("a"), address(1), 1000));
    }

    #[test]
    fn what_is_over_goes_with_the_next_ban() {
        let mut rules = RoomRules::default();
        rules.ban(ban("ben", 1000), 0);
        rules.ban(ban("carl", 2000), 999);
        rules.ban(ban("carl", 3000), 999);
        assert_eq!(rules.bans.iter().map(|ban| ban.until_ms).collect::<Vec<_>>(), [1000, 3000]);
        rules.ban(ban("dora", 4000), 1000);
        assert_eq!(rules.bans.len(), 2);
        rules.unban(&name("carl"));
        assert_eq!(rules.bans_at(3999).count(), 1);
        assert_eq!(rules.bans_at(4000).count(), 0);
    }

    #[test]
    fn a_mute_holds_until_its_time_or_for_ever() {
        let mut rules = RoomRules::default();
        let mute = |author, until_ms| Mute { author: AuthorId(author), name: name("ben"), until_ms };
        rules.mute(mute(1, Some(1000)), 0);
        rules.mute(mute(2, None), 0);
        assert!(rules.find_mute(AuthorId(1), 999).is_some() && rules.find_mute(AuthorId(1), 1000).is_none());
        assert!(rules.find_mute(AuthorId(2), u64::MAX).is_some());
        rules.unmute(AuthorId(2));
        assert!(rules.find_mute(AuthorId(2), 0).is_none());
    }
}
