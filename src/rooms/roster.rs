//! Who is in a room: members by place, by name and by token.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use slab::Slab;

use super::log::ReaderId;
use super::{AuthorId, ConnectionId, MemberId, Name, NameKeys, StoredMember, Token, TokenHash, Via, WireId};

/// Members that dropped out and may come back by token, remembered a room.
pub const MAX_DEPARTED: usize = 256;

/// A name present in a room.
pub struct Member {
    pub(super) name: Name,
    pub(super) via: Via,
    pub(super) author: AuthorId,
    /// Unknown as long as it has not come back since the program began.
    pub(super) token: Option<Token>,
    pub(super) token_hash: TokenHash,
    pub(super) presence: Presence,
    /// Whether the room has been told; not before the first connection.
    pub(super) has_entered: bool,
    /// When the others were last told that this member types.
    pub(super) typed_at_ms: u64,
    /// The name it had before, which is its own until the journal has the new one.
    pub(super) former: Option<Box<Name>>,
}

/// Over which connection a member is here, if over any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// Connected.
    Here { connection: ConnectionId, seat: Option<Seat> },
    /// Not connected; the place is kept until then.
    Away { until_ms: u64 },
}

/// Where a member reads the room's events. There is none until its own `enter` is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seat {
    pub(super) wire: WireId,
    pub(super) reader: ReaderId,
}

/// A member whose place was given up, but whose secret still tells who it was.
struct Departed {
    name: Name,
    author: AuthorId,
    token_hash: TokenHash,
}

/// Who comes, when somebody comes by token.
pub(super) enum Known {
    /// A member that has a place.
    Member(MemberId),
    /// One whose place was given up.
    Departed { name: Name, author: AuthorId },
}

impl Member {
    fn goes_by(&self, key: &str) -> bool {
        let has = |name: &Name| name.keys().iter().any(|own| own == key);
        has(&self.name) || self.former.as_deref().is_some_and(has)
    }

    /// What the member is called.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// How it is, or was last, connected.
    pub fn via(&self) -> Via {
        self.via
    }

    /// The secret by which it comes back. It has been here since the program began.
    pub fn token(&self) -> Token {
        self.token.expect("whoever was here has shown or been given it")
    }
}

/// The members of a room.
///
/// Names and tokens are found by tables that hold nothing but places: what they are looked up by stands in
/// the members themselves, once.
#[derive(Default)]
pub(super) struct Roster {
    members: Slab<Member>,
    names: HashTable<NameHash>,
    tokens: HashTable<MemberId>,
    hasher: RandomState,
    departed: VecDeque<Departed>,
    next_author: u32,
}

impl Roster {
    /// Everybody with a place, in the order of places.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(|(_, member)| member)
    }

    pub fn member(&self, member: MemberId) -> &Member {
        &self.members[member.0 as usize]
    }

    pub fn member_mut(&mut self, member: MemberId) -> &mut Member {
        &mut self.members[member.0 as usize]
    }

    pub fn find(&self, member: MemberId) -> Option<&Member> {
        self.members.get(member.0 as usize)
    }

    /// Places taken, those kept for somebody included.
    pub fn places(&self) -> usize {
        self.members.len()
    }

    /// Who has this name, or one that cannot be told from it.
    pub fn holder_of(&self, keys: &NameKeys) -> Option<MemberId> {
        keys.iter().find_map(|key| {
            let hash = self.hash(key) as u32;
            let goes_by = |name: &&NameHash| name.hash == hash && self.member(name.holder).goes_by(key);
            let spread = NameHash { hash, holder: MemberId(0) }.spread();
            self.names.find(spread, |name| goes_by(&name)).map(|name| name.holder)
        })
    }

    pub fn known_by(&self, token: Token) -> Option<Known> {
        let token_hash = token.hash();
        let has_it = |&id: &MemberId| self.member(id).token_hash == token_hash;
        if let Some(&member) = self.tokens.find(self.hash(token_hash), has_it) {
            return Some(Known::Member(member));
        }
        let departed = self.departed.iter().find(|departed| departed.token_hash == token_hash)?;
        Some(Known::Departed { name: departed.name.clone(), author: departed.author })
    }

    pub fn new_author(&mut self) -> AuthorId {
        self.next_author += 1;
        AuthorId(self.next_author)
    }

    /// Has the next one be numbered after this: no number is given twice.
    pub fn number_authors_after(&mut self, last: AuthorId) {
        self.next_author = last.0;
    }

    pub fn add(&mut self, member: Member) -> MemberId {
        let (keys, token_hash) = (member.name.keys(), member.token_hash);
        self.departed.retain(|departed| departed.token_hash != token_hash);
        let id = MemberId(self.members.insert(member) as u32);
        let (members, hasher) = (&self.members, &self.hasher);
        let rehash = |id: &MemberId| hasher.hash_one(members[id.0 as usize].token_hash);
        self.tokens.insert_unique(hasher.hash_one(token_hash), id, rehash);
        self.take_name(&keys, id);
        id
    }

    /// Removes a member; with `may_return`, its secret still tells who it was.
    pub fn remove(&mut self, id: MemberId, may_return: bool) -> Member {
        let hash = self.hash(self.member(id).token_hash);
        if let Ok(entry) = self.tokens.find_entry(hash, |&candidate| candidate == id) {
            entry.remove();
        }
        let member = self.members.remove(id.0 as usize);
        for name in std::iter::once(&member.name).chain(member.former.as_deref()) {
            self.free_name(name, id, None);
        }
        if may_return {
            let Member { author, token_hash, .. } = member;
            self.remember(Departed { name: member.name.clone(), author, token_hash });
        }
        member
    }

    /// Remembers one who is gone.
    pub fn remember_departed(&mut self, stored: &StoredMember) {
        self.remember(Departed { name: stored.name.clone(), author: stored.author, token_hash: stored.token });
    }

    fn remember(&mut self, departed: Departed) {
        if self.departed.len() == MAX_DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back(departed);
    }

    /// Gives the member another name. It keeps the one it had as well until [`settle_name`](Self::settle_name).
    pub fn rename(&mut self, id: MemberId, to: Name) {
        let keys = to.keys();
        let member = self.member_mut(id);
        member.former = Some(Box::new(std::mem::replace(&mut member.name, to)));
        self.take_name(&keys, id);
    }

    /// Frees the name that a member had before, where it is not the present one as well.
    pub fn settle_name(&mut self, id: MemberId) {
        if let Some(former) = self.member_mut(id).former.take() {
            let present = self.member(id).name.keys();
            self.free_name(&former, id, Some(&present));
        }
    }

    fn take_name(&mut self, keys: &NameKeys, holder: MemberId) {
        for key in keys.iter() {
            let name = NameHash { hash: self.hash(key) as u32, holder };
            // A name and the one before it may share a key.
            if self.names.find(name.spread(), |candidate| *candidate == name).is_none() {
                self.names.insert_unique(name.spread(), name, NameHash::spread);
            }
        }
    }

    /// Frees the keys of a name, but for those that are kept.
    fn free_name(&mut self, name: &Name, holder: MemberId, kept: Option<&NameKeys>) {
        for key in name.keys().iter() {
            let name = NameHash { hash: self.hash(key) as u32, holder };
            let is_kept = kept.is_some_and(|kept| kept.iter().any(|kept| kept == key));
            if !is_kept && let Ok(entry) = self.names.find_entry(name.spread(), |candidate| *candidate == name) {
                entry.remove();
            }
        }
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }
}

/// Who goes by a name with this hash. A member stands in the table once for each key of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NameHash {
    hash: u32,
    holder: MemberId,
}

impl NameHash {
    /// The table wants 64 bits, the highest of them well mixed.
    fn spread(&self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster_of(names: &[String]) -> Roster {
        let mut roster = Roster::default();
        for (number, name) in names.iter().enumerate() {
            let author = roster.new_author();
            let token = Token::parse(&format!("{number:032x}")).expect("a token");
            roster.add(Member {
                name: Name::parse(name).expect("a name"),
                via: Via::Web,
                author,
                token: Some(token),
                token_hash: token.hash(),
                presence: Presence::Away { until_ms: 0 },
                has_entered: true,
                typed_at_ms: 0,
                former: None,
            });
        }
        roster
    }

    fn holder(roster: &Roster, name: &str) -> Option<MemberId> {
        roster.holder_of(&Name::parse(name).expect("a name").keys())
    }

    #[test]
    fn a_crowd_is_found_by_name_and_token_and_leaves_nothing() {
        let names: Vec<String> = (0..2000).map(|number| format!("Ida {number}")).collect();
        let mut roster = roster_of(&names);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(holder(&roster, &name.to_lowercase()), Some(MemberId(number as u32)));
            let token = Token::parse(&format!("{number:032x}")).expect("a token");
            assert!(matches!(roster.known_by(token), Some(Known::Member(MemberId(id))) if id as usize == number));
        }
        for number in 0..names.len() {
            roster.remove(MemberId(number as u32), number % 2 == 0);
        }
        assert!(roster.names.is_empty() && roster.tokens.is_empty());
        assert_eq!(roster.departed.len(), MAX_DEPARTED);
    }

    #[test]
    fn both_names_are_taken_until_the_new_one_is_settled() {
        let mut roster = roster_of(&["Ida".to_owned()]);
        let ida = MemberId(0);
        roster.rename(ida, Name::parse("IDA").expect("a name"));
        roster.settle_name(ida);
        assert_eq!(holder(&roster, "ida"), Some(ida));
        roster.rename(ida, Name::parse("ben").expect("a name"));
        assert_eq!((holder(&roster, "ida"), holder(&roster, "ben")), (Some(ida), Some(ida)));
        roster.settle_name(ida);
        assert_eq!((holder(&roster, "ida"), holder(&roster, "ben")), (None, Some(ida)));
        roster.rename(ida, Name::parse("eva").expect("a name"));
        roster.remove(ida, false);
        assert!(roster.names.is_empty());
    }
}
