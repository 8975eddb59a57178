//! Who is in a room: members by author, by name and by token.
//!
//! Changed only by committed changes. Over which connection a member is here, if over any, is this node's own affair,
//! and no part of what all nodes agree on.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use slab::Slab;

use super::broadcast_log::ReaderId;
use super::change::{Left, Newcomer};
use super::token::ShortTokenHash;
use super::{AuthorId, ConnectionId, EncoderId, Name, NameKeys, NodeId, StoredMember, TokenHash, Via};

/// Members that dropped out and may come back by token, remembered a room.
pub const MAX_DEPARTED: usize = 256;

/// Those who left for good, remembered a room.
pub const MAX_LEFT: usize = 256;

/// A name present in a room.
pub struct Member {
    pub(super) name: Name,
    pub(super) token: ShortTokenHash,
    pub(super) author: AuthorId,
    /// The highest number that anybody had when it came: its own, unless it left for good before and came anew.
    pub(super) seniority: AuthorId,
    pub(super) via: Via,
    /// The node at which it is, or was last.
    pub(super) node: NodeId,
    /// Whether the room has been told; not before the first connection.
    pub(super) has_entered: bool,
    /// This node's own: it has been here before, and may say again what it said then.
    pub(super) has_returned: bool,
    /// This node's own: over which connection it is here.
    pub(super) presence: Presence,
    /// This node's own: when the others were last told that this member types.
    pub(super) typed_at_ms: u64,
}

/// Over which connection a member is here, if over any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// Over none of this node's.
    Elsewhere,
    /// Connected; `reading` is `None` once it is on its way out.
    Here { connection: ConnectionId, subscription: Option<Subscription> },
    /// Not connected; the place is kept until then.
    Away { until_ms: u64 },
}

/// Where a member reads the room's events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Subscription {
    pub(super) encoder: EncoderId,
    pub(super) reader: ReaderId,
}

/// A member whose place was given up, but whose secret still tells who it was.
#[derive(Debug)]
pub(super) struct Departed {
    pub(super) name: Name,
    pub(super) author: AuthorId,
    pub(super) token: ShortTokenHash,
    /// As a member's.
    pub(super) seniority: AuthorId,
}

/// Who can do less from here on, since a place was given up.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Vacated {
    /// Cannot come back as what it was.
    pub gone: Option<AuthorId>,
    /// Is nobody's number any more: what it said cannot be said again.
    pub forgotten: Option<AuthorId>,
}

/// Who comes, when somebody comes by token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// A member that has a place.
    Member(AuthorId),
    /// One whose place was given up.
    Departed { name: Name, author: AuthorId },
}

impl Member {
    /// What the member is called.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// How it is, or was last, connected.
    pub fn via(&self) -> Via {
        self.via
    }

    /// Whether the room has been told that it came.
    pub fn is_present(&self) -> bool {
        self.has_entered
    }

    /// Its number in the room.
    pub fn author(&self) -> AuthorId {
        self.author
    }

    /// Less than that of whoever has come later.
    pub(super) fn seniority(&self) -> (AuthorId, bool, AuthorId) {
        (self.seniority, self.seniority > self.author, self.author)
    }
}

/// Where a member stands in the slab. Never leaves the roster.
type Slot = u32;

/// The members of a room.
///
/// Authors, names and tokens are found by tables that hold nothing but slots: what they are looked up by stands in
/// the members themselves, once.
#[derive(Default)]
pub(super) struct Roster {
    members: Slab<Member>,
    authors: HashTable<Slot>,
    names: HashTable<NameHash>,
    tokens: HashTable<Slot>,
    hasher: RandomState,
    departed: VecDeque<Departed>,
    left: VecDeque<Left>,
    last_author: AuthorId,
    entered: usize,
}

impl Roster {
    /// Everybody with a place, in the order of slots.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(|(_, member)| member)
    }

    /// Everybody in a slot behind this member's; everybody, if it has none.
    pub fn iter_after(&self, author: AuthorId) -> impl Iterator<Item = &Member> {
        let slot = self.slot(author);
        self.members.iter().filter(move |(other, _)| slot.is_none_or(|slot| *other > slot)).map(|(_, member)| member)
    }

    /// Those whose place was given up, the one who left first first.
    pub fn departed(&self) -> impl Iterator<Item = &Departed> {
        self.departed.iter()
    }

    /// Those who left for good, the one who left first first.
    pub fn left(&self) -> impl Iterator<Item = &Left> {
        self.left.iter()
    }

    fn slot(&self, author: AuthorId) -> Option<usize> {
        self.authors.find(author_hash(author), |&slot| self.at(slot).author == author).map(|&slot| slot as usize)
    }

    fn at(&self, slot: Slot) -> &Member {
        &self.members[slot as usize]
    }

    pub fn member(&self, author: AuthorId) -> Option<&Member> {
        self.slot(author).map(|slot| &self.members[slot])
    }

    pub fn member_mut(&mut self, author: AuthorId) -> Option<&mut Member> {
        self.slot(author).map(|slot| &mut self.members[slot])
    }

    /// Places taken, those kept for somebody included.
    pub fn places(&self) -> usize {
        self.members.len()
    }

    /// Members that the room has been told of.
    pub fn entered(&self) -> usize {
        self.entered
    }

    /// The highest number that anybody had.
    pub fn last_author(&self) -> AuthorId {
        self.last_author
    }

    /// Who has this name, or one that cannot be told from it.
    pub fn holder_of(&self, keys: &NameKeys) -> Option<AuthorId> {
        keys.iter().find_map(|key| {
            let hash = self.hasher.hash_one(key) as u32;
            let has_key = |member: &Member| member.name.keys().iter().any(|own| own == key);
            let goes_by = |name: &NameHash| name.hash == hash && has_key(self.at(name.slot));
            let found = self.names.find(NameHash { hash, slot: 0 }.spread(), goes_by);
            found.map(|name| self.at(name.slot).author)
        })
    }

    /// Who has this secret.
    pub fn known_by(&self, token: impl Into<ShortTokenHash>) -> Option<Known> {
        let token = token.into();
        if let Some(&slot) = self.tokens.find(token_hash(token), |&slot| self.at(slot).token == token) {
            return Some(Known::Member(self.at(slot).author));
        }
        let departed = self.departed.iter().find(|departed| departed.token == token)?;
        Some(Known::Departed { name: departed.name.clone(), author: departed.author })
    }

    /// Who gave up a place under this name, the last one first.
    pub fn departed_as(&self, keys: &NameKeys) -> Option<&Departed> {
        self.departed.iter().rev().find(|departed| departed.name.keys().overlaps(keys))
    }

    /// Whether somebody with this number may come back, or is here.
    pub fn may_return(&self, author: AuthorId) -> bool {
        self.slot(author).is_some() || self.departed.iter().any(|departed| departed.author == author)
    }

    /// The number of who left for good and had this secret.
    pub fn author_who_left(&self, token: impl Into<ShortTokenHash>) -> Option<AuthorId> {
        let token = token.into();
        self.left.iter().find(|left| left.token == token).map(|left| left.author)
    }

    /// Whether somebody with this number may say again what it has said: who left for good as well.
    pub fn may_repeat(&self, author: AuthorId) -> bool {
        self.may_return(author) || self.left.iter().any(|left| left.author == author)
    }

    /// Has the next one be numbered after this: no number is given twice.
    pub fn number_authors_after(&mut self, last: AuthorId) {
        self.last_author = last;
    }

    /// Gives somebody a place at this node, who may have been here before. Author, name and token must be nobody else's.
    pub fn place(&mut self, newcomer: &Newcomer, node: NodeId) {
        let Newcomer { author, ref token, ref name, via, .. } = *newcomer;
        let token = token.into();
        let has_returned = author <= self.last_author;
        let departed = self.departed.iter().find(|departed| departed.author == author);
        let seniority = departed.map_or(author.max(self.last_author), |departed| departed.seniority);
        self.departed.retain(|departed| departed.token != token && departed.author != author);
        self.left.retain(|left| left.token != token && left.author != author);
        self.last_author = self.last_author.max(author);
        let slot = self.members.insert(Member {
            name: name.clone(),
            token,
            author,
            seniority,
            via,
            node,
            has_entered: false,
            has_returned,
            presence: Presence::Elsewhere,
            typed_at_ms: 0,
        }) as Slot;
        let members = &self.members;
        let rehash = |slot: &Slot| author_hash(members[*slot as usize].author);
        self.authors.insert_unique(author_hash(author), slot, rehash);
        let rehash = |slot: &Slot| token_hash(members[*slot as usize].token);
        self.tokens.insert_unique(token_hash(token), slot, rehash);
        self.take_name(&name.keys(), slot);
    }

    /// The room has been told that a member came, to this node.
    pub fn enter(&mut self, author: AuthorId, via: Via, node: NodeId) {
        let Some(slot) = self.slot(author) else { return };
        let member = &mut self.members[slot];
        (member.via, member.node) = (via, node);
        self.entered += usize::from(!std::mem::replace(&mut member.has_entered, true));
    }

    /// Frees a member's place; with `may_return`, its secret still tells who it was.
    pub fn vacate(&mut self, author: AuthorId, may_return: bool) -> Vacated {
        let Some(slot) = self.slot(author) else { return Vacated::default() };
        let is_it = |candidate: &Slot| *candidate as usize == slot;
        let hash = token_hash(self.members[slot].token);
        for (table, hash) in [(&mut self.authors, author_hash(author)), (&mut self.tokens, hash)] {
            if let Ok(entry) = table.find_entry(hash, is_it) {
                entry.remove();
            }
        }
        let member = self.members.remove(slot);
        self.entered -= usize::from(member.has_entered);
        self.free_name(&member.name, slot as Slot);
        if may_return {
            let Member { name, token, seniority, .. } = member;
            let forgotten = self.remember(Departed { name, author, token, seniority });
            Vacated { gone: forgotten, forgotten }
        } else {
            Vacated { gone: Some(author), forgotten: self.remember_left(Left { author, token: member.token }) }
        }
    }

    /// Remembers one who left for good. Returns who is forgotten for that.
    pub fn remember_left(&mut self, left: Left) -> Option<AuthorId> {
        let forgotten = if self.left.len() == MAX_LEFT { self.left.pop_front() } else { None };
        self.left.push_back(left);
        forgotten.map(|forgotten| forgotten.author)
    }

    /// Remembers one who is gone.
    pub fn remember_departed(&mut self, stored: &StoredMember) {
        let StoredMember { author, ref name, ref token, seniority, .. } = *stored;
        self.remember(Departed { name: name.clone(), author, token: token.into(), seniority });
    }

    /// Remembers one who is gone. Returns who is forgotten for that.
    fn remember(&mut self, departed: Departed) -> Option<AuthorId> {
        let forgotten = if self.departed.len() == MAX_DEPARTED { self.departed.pop_front() } else { None };
        self.departed.push_back(departed);
        forgotten.map(|forgotten| forgotten.author)
    }

    /// Gives the member another secret, which must be nobody else's.
    pub fn change_token(&mut self, author: AuthorId, token: &TokenHash) {
        let Some(slot) = self.slot(author) else { return };
        let former = std::mem::replace(&mut self.members[slot].token, token.into());
        if let Ok(entry) = self.tokens.find_entry(token_hash(former), |candidate| *candidate as usize == slot) {
            entry.remove();
        }
        let members = &self.members;
        let rehash = |slot: &Slot| token_hash(members[*slot as usize].token);
        self.tokens.insert_unique(token_hash(token.into()), slot as Slot, rehash);
    }

    /// Gives the member another name, which must be nobody else's.
    pub fn rename(&mut self, author: AuthorId, to: Name) {
        let Some(slot) = self.slot(author) else { return };
        let keys = to.keys();
        let former = std::mem::replace(&mut self.members[slot].name, to);
        self.free_name(&former, slot as Slot);
        self.take_name(&keys, slot as Slot);
    }

    fn take_name(&mut self, keys: &NameKeys, slot: Slot) {
        for key in keys.iter() {
            let name = NameHash { hash: self.hasher.hash_one(key) as u32, slot };
            self.names.insert_unique(name.spread(), name, NameHash::spread);
        }
    }

    fn free_name(&mut self, name: &Name, slot: Slot) {
        for key in name.keys().iter() {
            let name = NameHash { hash: self.hasher.hash_one(key) as u32, slot };
            if let Ok(entry) = self.names.find_entry(name.spread(), |candidate| *candidate == name) {
                entry.remove();
            }
        }
    }
}

/// A table wants 64 bits, the highest of them well mixed.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

fn author_hash(author: AuthorId) -> u64 {
    u64::from(author.0).wrapping_mul(SPREAD)
}

/// A hash already, and of something that nobody can choose.
fn token_hash(token: ShortTokenHash) -> u64 {
    token.to_bits() as u64
}

/// Who goes by a name with this hash. A member stands in the table once for each key of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NameHash {
    hash: u32,
    slot: Slot,
}

impl NameHash {
    fn spread(&self) -> u64 {
        u64::from(self.hash).wrapping_mul(SPREAD)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Token, TokenHash};
    use super::*;

    fn token(number: usize) -> TokenHash {
        Token::parse(&format!("{number:032x}")).expect("a token").hash()
    }

    fn roster_of(names: &[String]) -> Roster {
        let mut roster = Roster::default();
        for (number, name) in names.iter().enumerate() {
            let (author, name) = (AuthorId(number as u32 + 1), Name::parse(name).expect("a name"));
            let (token, via, becomes_operator) = (token(number), Via::Web, false);
            let newcomer = Newcomer { author, token, name, via, account: None, becomes_operator };
            roster.place(&newcomer, NodeId::ALONE);
            roster.enter(author, Via::Web, NodeId::ALONE);
        }
        roster
    }

    fn holder(roster: &Roster, name: &str) -> Option<AuthorId> {
        roster.holder_of(&Name::parse(name).expect("a name").keys())
    }

    #[test]
    fn a_crowd_is_found_by_author_name_and_token_and_leaves_nothing() {
        let names: Vec<String> = (0..2000).map(|number| format!("Ida {number}")).collect();
        let mut roster = roster_of(&names);
        assert_eq!((roster.places(), roster.entered(), roster.last_author()), (2000, 2000, AuthorId(2000)));
        for (number, name) in names.iter().enumerate() {
            let author = AuthorId(number as u32 + 1);
            assert_eq!(holder(&roster, &name.to_lowercase()), Some(author));
            assert_eq!(roster.known_by(&token(number)), Some(Known::Member(author)));
            assert_eq!(roster.member(author).map(|member| member.name().as_str()), Some(name.as_str()));
        }
        assert_eq!(roster.iter_after(AuthorId(1990)).count(), 10);
        for number in 0..names.len() {
            roster.vacate(AuthorId(number as u32 + 1), number % 2 == 0);
        }
        assert!(roster.names.is_empty() && roster.tokens.is_empty() && roster.authors.is_empty());
        assert_eq!((roster.departed.len(), roster.left.len(), roster.entered()), (MAX_DEPARTED, MAX_LEFT, 0));
    }

    /// Who left for good has no way back, but is no second author either.
    #[test]
    fn by_its_secret_who_left_is_told_apart_and_not_known() {
        let names: Vec<String> = (0..=MAX_LEFT).map(|number| format!("Ida {number}")).collect();
        let mut roster = roster_of(&names);
        let vacated = roster.vacate(AuthorId(1), false);
        assert_eq!(vacated, Vacated { gone: Some(AuthorId(1)), forgotten: None });
        assert_eq!((roster.known_by(&token(0)), roster.author_who_left(&token(0))), (None, Some(AuthorId(1))));
        assert_eq!((roster.may_return(AuthorId(1)), roster.may_repeat(AuthorId(1))), (false, true));
        for author in 2..=MAX_LEFT as u32 {
            assert_eq!(roster.vacate(AuthorId(author), false).forgotten, None);
        }
        let last = AuthorId(MAX_LEFT as u32 + 1);
        assert_eq!(roster.vacate(last, false), Vacated { gone: Some(last), forgotten: Some(AuthorId(1)) });
        assert_eq!(roster.author_who_left(&token(0)), None);
        let name = Name::parse("Ida").expect("a name");
        let (author, via) = (AuthorId(2), Via::Web);
        let newcomer = Newcomer { author, token: token(1), name, via, account: None, becomes_operator: false };
        roster.place(&newcomer, NodeId::ALONE);
        assert_eq!((roster.known_by(&token(1)), roster.left.len()), (Some(Known::Member(author)), MAX_LEFT - 1));
        assert!(roster.member(author).is_some_and(|member| member.has_returned));
    }

    #[test]
    fn a_new_name_frees_the_one_before() {
        let mut roster = roster_of(&["Ida".to_owned()]);
        let ida = AuthorId(1);
        roster.rename(ida, Name::parse("IDA").expect("a name"));
        assert_eq!(holder(&roster, "ida"), Some(ida));
        roster.rename(ida, Name::parse("ben").expect("a name"));
        assert_eq!((holder(&roster, "ida"), holder(&roster, "ben")), (None, Some(ida)));
        roster.vacate(ida, false);
        assert!(roster.names.is_empty());
    }
}
