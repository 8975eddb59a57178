//! One room: who is in it, what was said in it, and what its members are still to be sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use slab::Slab;

use super::log::{Log, ReaderId};
use super::{
    AuthorId, Body, ClientId, ConnectionId, Epoch, Event, MemberId, Name, NameKeys, RoomCode, Span, Token, Via, WireId,
};

/// Events sent with `joined` where the client does not say what it has.
pub const EVENTS_ON_JOIN: usize = 50;

/// Members that dropped out and may come back by token, remembered a room.
const MAX_DEPARTED: usize = 256;

/// A conversation.
pub struct Room {
    code: RoomCode,
    epoch: Epoch,
    last_id: u64,
    last_time_ms: u64,
    next_author: u32,
    history: VecDeque<Arc<Event>>,
    /// What is said under which client id, as long as `history` holds it.
    said: HashMap<(AuthorId, ClientId), u64>,
    members: Slab<Member>,
    names: HashMap<Box<str>, MemberId>,
    tokens: HashMap<Token, MemberId>,
    departed: VecDeque<Departed>,
    pub(super) logs: Box<[Log]>,
    /// Whether the reactor knows that there is something to flush.
    pub(super) is_dirty: bool,
    /// When the room ends, as long as nobody is in it.
    pub(super) ends_at_ms: Option<u64>,
}

/// A name present in a room.
pub struct Member {
    pub(super) name: Name,
    pub(super) via: Via,
    pub(super) author: AuthorId,
    pub(super) token: Token,
    pub(super) presence: Presence,
    /// Whether the room has been told; not before the first connection.
    pub(super) has_entered: bool,
    /// When the others were last told that this member types.
    pub(super) typed_at_ms: u64,
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
    token: Token,
}

/// Who comes, when somebody comes by token.
pub(super) enum Known {
    /// A member that has a place.
    Member(MemberId),
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

    /// The secret by which it comes back.
    pub fn token(&self) -> Token {
        self.token
    }
}

impl Room {
    pub(super) fn new(code: RoomCode, epoch: Epoch, wires: usize) -> Room {
        Room {
            code,
            epoch,
            last_id: 0,
            last_time_ms: 0,
            next_author: 0,
            history: VecDeque::new(),
            said: HashMap::new(),
            members: Slab::new(),
            names: HashMap::new(),
            tokens: HashMap::new(),
            departed: VecDeque::new(),
            logs: (0..wires).map(|_| Log::default()).collect(),
            is_dirty: false,
            ends_at_ms: None,
        }
    }

    /// The code by which it is found.
    pub fn code(&self) -> RoomCode {
        self.code
    }

    /// The tag of its ids.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The id of the last event that may be seen; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.history.back().map_or(0, |event| event.id)
    }

    /// Everybody present, in the order of their places.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(|(_, member)| member).filter(|member| member.has_entered)
    }

    /// One member.
    ///
    /// # Panics
    /// If there is none with that id: ids live as long as their memberships.
    pub fn member(&self, member: MemberId) -> &Member {
        &self.members[member.0 as usize]
    }

    pub(super) fn member_mut(&mut self, member: MemberId) -> &mut Member {
        &mut self.members[member.0 as usize]
    }

    pub(super) fn find_member(&self, member: MemberId) -> Option<&Member> {
        self.members.get(member.0 as usize)
    }

    /// Places taken, those kept for somebody included.
    pub fn places(&self) -> usize {
        self.members.len()
    }

    // ---- names and tokens

    /// Who has this name, or one that cannot be told from it.
    pub(super) fn holder_of(&self, keys: &NameKeys) -> Option<MemberId> {
        keys.iter().find_map(|key| self.names.get(key).copied())
    }

    pub(super) fn known_by(&self, token: Token) -> Option<Known> {
        if let Some(&member) = self.tokens.get(&token) {
            return Some(Known::Member(member));
        }
        let departed = self.departed.iter().find(|departed| departed.token == token)?;
        Some(Known::Departed { name: departed.name.clone(), author: departed.author })
    }

    pub(super) fn new_author(&mut self) -> AuthorId {
        self.next_author += 1;
        AuthorId(self.next_author)
    }

    pub(super) fn add_member(&mut self, member: Member) -> MemberId {
        let (keys, token) = (member.name.keys(), member.token);
        self.departed.retain(|departed| departed.token != token);
        let id = MemberId(self.members.insert(member) as u32);
        self.tokens.insert(token, id);
        self.take_name(&keys, id);
        self.ends_at_ms = None;
        id
    }

    /// Removes a member; with `may_return`, its secret still tells who it was.
    pub(super) fn remove_member(&mut self, id: MemberId, may_return: bool) -> Member {
        let member = self.members.remove(id.0 as usize);
        self.tokens.remove(&member.token);
        self.free_name(&member.name);
        if may_return {
            if self.departed.len() == MAX_DEPARTED {
                self.departed.pop_front();
            }
            let (name, author, token) = (member.name.clone(), member.author, member.token);
            self.departed.push_back(Departed { name, author, token });
        }
        member
    }

    pub(super) fn rename(&mut self, id: MemberId, to: Name) {
        let from = std::mem::replace(&mut self.member_mut(id).name, to.clone());
        self.free_name(&from);
        self.take_name(&to.keys(), id);
    }

    fn take_name(&mut self, keys: &NameKeys, id: MemberId) {
        for key in keys.iter() {
            self.names.insert(key.into(), id);
        }
    }

    fn free_name(&mut self, name: &Name) {
        for key in name.keys().iter() {
            self.names.remove(key);
        }
    }

    // ---- the record

    /// Makes the room's next event. It is seen by nobody until [`record`](Self::record).
    pub(super) fn next_event(&mut self, member: MemberId, body: Body, wall_ms: u64) -> Event {
        self.last_id += 1;
        self.last_time_ms = self.last_time_ms.max(wall_ms);
        let Member { ref name, via, author, .. } = self.members[member.0 as usize];
        Event { id: self.last_id, time_ms: self.last_time_ms, name: name.clone(), via, author, body }
    }

    /// Keeps the event, and lets go of the oldest beyond `limit_events`.
    pub(super) fn record(&mut self, event: Arc<Event>, limit_events: usize) {
        if let Some(key) = said_key(&event) {
            self.said.insert(key, event.id);
        }
        self.history.push_back(event);
        // The last one is always kept: it tells the last id.
        while self.history.len() > limit_events.max(1) {
            if let Some(key) = self.history.pop_front().as_deref().and_then(said_key) {
                self.said.remove(&key);
            }
        }
    }

    /// Under which id this member said this already.
    pub(super) fn id_said(&self, author: AuthorId, cid: &ClientId) -> Option<u64> {
        // A clone of the key is a count, not a copy; only messages that have a `cid` pay for it.
        self.said.get(&(author, cid.clone())).copied()
    }

    /// What a client that has the events up to `since` of `epoch` missed, and whether some of it is gone.
    pub(super) fn missed(&self, since: Option<u64>, epoch: Option<Epoch>) -> (Vec<Arc<Event>>, bool) {
        let first_held = self.history.front().map_or(self.last_id() + 1, |event| event.id);
        match since {
            Some(since) if since <= self.last_id() && epoch.is_none_or(|epoch| epoch == self.epoch) => {
                let missed = self.held_from(since + 1).cloned().collect();
                (missed, since + 1 < first_held)
            }
            // Of another life of this code: nothing it has can be continued.
            Some(_) => (self.latest(EVENTS_ON_JOIN), true),
            None => (self.latest(EVENTS_ON_JOIN), false),
        }
    }

    /// Part of the record, the oldest first, and whether there is more in the direction asked for.
    pub(super) fn select(&self, span: Span) -> (Vec<Arc<Event>>, bool) {
        let before = span.before.unwrap_or(u64::MAX);
        let first = span.since.map_or(0, |since| since.saturating_add(1));
        let start = self.history.partition_point(|event| event.id < first);
        let end = self.history.partition_point(|event| event.id < before).max(start);
        let more = end - start > span.limit;
        let selected = match span.since {
            Some(_) => start..end.min(start + span.limit),
            None => end.saturating_sub(span.limit).max(start)..end,
        };
        (self.history.range(selected).cloned().collect(), more)
    }

    fn latest(&self, count: usize) -> Vec<Arc<Event>> {
        let skipped = self.history.len().saturating_sub(count);
        self.history.range(skipped..).cloned().collect()
    }

    fn held_from(&self, id: u64) -> impl Iterator<Item = &Arc<Event>> {
        let start = self.history.partition_point(|event| event.id < id);
        self.history.range(start..)
    }
}

fn said_key(event: &Event) -> Option<(AuthorId, ClientId)> {
    match &event.body {
        Body::Message { cid: Some(cid), .. } => Some((event.author, cid.clone())),
        _ => None,
    }
}
