//! One room: who is in it, what was said in it, and what its members are still to be sent.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use slab::Slab;

use super::log::{Log, ReaderId};
use super::{
    AuthorId, Body, ClientId, ConnectionId, Draft, Epoch, Event, MemberId, Name, NameKeys, Read, RoomCode, Span,
    StoredMember, StoredRoom, Token, Via, WireId,
};

/// Events sent with `joined` where the client does not say what it has.
pub const EVENTS_ON_JOIN: usize = 50;

/// Whose message, under which of its own ids.
pub(super) type SaidKey = (AuthorId, ClientId);

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
    /// Events before those, for the command that is about to be applied.
    loan: Vec<Arc<Event>>,
    /// What the journal remembers of this room has not been looked at yet.
    is_cold: bool,
    /// What was said under which client id, as long as the room's record goes back.
    said: HashMap<SaidKey, u64>,
    /// The same, the oldest first.
    said_order: VecDeque<(u64, SaidKey)>,
    /// What the journal is at work on.
    unsettled: HashSet<SaidKey>,
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
    token: Token,
}

/// How much of its record a room keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Events altogether; the journal may hold those that memory does not.
    pub events: usize,
    /// Events in memory.
    pub in_memory: usize,
}

/// What became of a message.
pub(super) enum Said {
    Never,
    /// The journal is at work on it.
    Unsettled,
    /// It is the event with this id.
    As(u64),
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
            loan: Vec::new(),
            is_cold: false,
            said: HashMap::new(),
            said_order: VecDeque::new(),
            unsettled: HashSet::new(),
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

    /// The id of the last event; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.last_id
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
        for name in std::iter::once(&member.name).chain(member.former.as_deref()) {
            self.free_name(name);
        }
        if may_return {
            if self.departed.len() == MAX_DEPARTED {
                self.departed.pop_front();
            }
            let (name, author, token) = (member.name.clone(), member.author, member.token);
            self.departed.push_back(Departed { name, author, token });
        }
        member
    }

    /// Gives the member another name, and returns the one it had, which it keeps as well until
    /// [`settle_name`](Self::settle_name).
    pub(super) fn rename(&mut self, id: MemberId, to: Name) -> Name {
        self.take_name(&to.keys(), id);
        let former = std::mem::replace(&mut self.member_mut(id).name, to);
        self.member_mut(id).former = Some(Box::new(former.clone()));
        former
    }

    /// Frees a name that a member has had, unless it is the one that it has now.
    pub(super) fn settle_name(&mut self, id: MemberId, former: &Name) {
        self.free_name(former);
        self.member_mut(id).former = None;
        let present = self.member(id).name.keys();
        self.take_name(&present, id);
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

    /// Makes an event of this member's. It is seen by nobody until [`record`](Self::record).
    pub(super) fn draft(&mut self, member: MemberId, body: Body, wall_ms: u64) -> Draft {
        self.last_time_ms = self.last_time_ms.max(wall_ms);
        let Member { ref name, via, author, .. } = self.members[member.0 as usize];
        let draft = Draft { time_ms: self.last_time_ms, name: name.clone(), via, author, body };
        self.unsettled.extend(said_key(&draft));
        draft
    }

    /// The journal cannot keep the event: it never was.
    pub(super) fn discard(&mut self, draft: &Draft) {
        if let Some(key) = said_key(draft) {
            self.unsettled.remove(&key);
        }
    }

    /// Makes the draft the room's next event, and lets go of what is too old.
    pub(super) fn record(&mut self, draft: Draft, kept: Kept) -> Arc<Event> {
        self.last_id += 1;
        if let Some(key) = said_key(&draft) {
            self.unsettled.remove(&key);
            self.said_order.push_back((self.last_id, key.clone()));
            self.said.insert(key, self.last_id);
        }
        while self.said_order.front().is_some_and(|(id, _)| id + kept.events as u64 <= self.last_id) {
            self.said_order.pop_front().and_then(|(_, key)| self.said.remove(&key));
        }
        let event = Arc::new(draft.with_id(self.last_id));
        self.history.push_back(Arc::clone(&event));
        while self.history.len() > kept.in_memory {
            self.history.pop_front();
        }
        event
    }

    /// What became of a message of this member's under this id of its own.
    pub(super) fn said(&self, author: AuthorId, cid: &ClientId) -> Said {
        // A clone of the key is a count, not a copy; only messages that have a `cid` pay for it.
        let key = (author, cid.clone());
        match self.said.get(&key) {
            Some(&id) => Said::As(id),
            None if self.unsettled.contains(&key) => Said::Unsettled,
            None => Said::Never,
        }
    }

    /// What a client that has the events up to `since` of `epoch` missed, and whether some of it is gone.
    pub(super) fn missed(&self, since: Option<u64>, epoch: Option<Epoch>) -> (Vec<Arc<Event>>, bool) {
        let latest = || self.between(self.last_id.saturating_sub(EVENTS_ON_JOIN as u64) + 1, self.last_id);
        match since {
            Some(since) if self.is_continued_by(since, epoch) => {
                (self.between(since + 1, self.last_id), since + 1 < self.first_known_id())
            }
            // Of another life of this code: nothing it has can be continued.
            Some(_) => (latest(), true),
            None => (latest(), false),
        }
    }

    fn is_continued_by(&self, since: u64, epoch: Option<Epoch>) -> bool {
        since <= self.last_id && epoch.is_none_or(|epoch| epoch == self.epoch)
    }

    /// Part of the record, the oldest first, and whether there is more in the direction asked for.
    pub(super) fn select(&self, span: Span, kept: Kept) -> (Vec<Arc<Event>>, bool) {
        let (first, last) = self.ids_in(span, self.first_known_id());
        let more = match span.since {
            Some(_) => last < self.last_before(span),
            None => first > self.first_kept_id(kept),
        };
        let events = self.between(first, last);
        let more = more && !events.is_empty();
        (events, more)
    }

    /// The first and the last id of what a span asks for, of a record that begins at `first_id`.
    fn ids_in(&self, span: Span, first_id: u64) -> (u64, u64) {
        let (last, limit) = (self.last_before(span), span.limit as u64);
        match span.since {
            Some(since) => {
                let first = since.saturating_add(1).max(first_id);
                (first, last.min(first.saturating_add(limit).saturating_sub(1)))
            }
            None => ((last + 1).saturating_sub(limit).max(first_id), last),
        }
    }

    fn last_before(&self, span: Span) -> u64 {
        span.before.map_or(self.last_id, |before| before.saturating_sub(1).min(self.last_id))
    }

    /// What is known of the events with these ids.
    fn between(&self, first: u64, last: u64) -> Vec<Arc<Event>> {
        let is_wanted = |event: &&Arc<Event>| (first..=last).contains(&event.id);
        let start = self.history.partition_point(|event| event.id < first);
        self.loan.iter().filter(is_wanted).chain(self.history.range(start..).take_while(is_wanted)).cloned().collect()
    }

    pub(super) fn first_held_id(&self) -> u64 {
        self.history.front().map_or(self.last_id + 1, |event| event.id)
    }

    /// The first event that memory holds, what is on loan included.
    fn first_known_id(&self) -> u64 {
        self.loan.first().map_or(self.first_held_id(), |event| event.id)
    }

    /// The first event that is kept anywhere.
    fn first_kept_id(&self, kept: Kept) -> u64 {
        if kept.events == kept.in_memory {
            return self.first_held_id();
        }
        (self.last_id + 1).saturating_sub(kept.events as u64).max(1)
    }

    // ---- what memory does not hold

    /// A room as the journal remembers it. Its events are read when somebody asks for them.
    pub(super) fn restored(stored: &StoredRoom, wires: usize) -> Room {
        let next_author = stored.members.iter().map(|member| member.author.0).max().unwrap_or(0);
        Room {
            last_id: stored.last_id,
            last_time_ms: stored.last_time_ms,
            next_author,
            is_cold: stored.last_id > 0,
            ..Room::new(stored.code, stored.epoch, wires)
        }
    }

    /// Remembers one who is away, or gone.
    pub(super) fn remember_departed(&mut self, stored: &StoredMember) {
        self.departed.push_back(Departed { name: stored.name.clone(), author: stored.author, token: stored.token });
    }

    /// The ids that have to be read before the record can be continued from `since`.
    pub(super) fn ids_to_continue(&self, since: Option<u64>, epoch: Option<Epoch>, kept: Kept) -> Option<(u64, u64)> {
        let since = since.filter(|&since| self.is_continued_by(since, epoch))?;
        self.ids_to_read(since + 1, self.last_id, kept)
    }

    /// The ids that have to be read before a span can be selected.
    pub(super) fn ids_to_select(&self, span: Span, kept: Kept) -> Option<(u64, u64)> {
        let (first, last) = self.ids_in(span, self.first_kept_id(kept));
        self.ids_to_read(first, last, kept)
    }

    fn ids_to_read(&self, first: u64, last: u64, kept: Kept) -> Option<(u64, u64)> {
        if self.is_cold {
            return Some((self.last_id.saturating_sub(kept.in_memory as u64) + 1, self.last_id));
        }
        let first = first.max(self.first_kept_id(kept));
        let last = last.min(self.first_held_id() - 1);
        let is_on_loan = self.loan.first().is_some_and(|event| event.id <= first)
            && self.loan.last().is_some_and(|event| event.id >= last);
        (first <= last && !is_on_loan).then_some((first, last))
    }

    /// Takes in what was read. It stays if the room was cold; else it is given back by
    /// [`return_loan`](Self::return_loan).
    pub(super) fn lend(&mut self, read: Read) {
        let first_held = self.first_held_id();
        let older = read.events.into_iter().filter(|event| event.id < first_held).map(Arc::new);
        if !self.is_cold {
            self.loan = older.collect();
            return;
        }
        self.is_cold = false;
        let newer = std::mem::take(&mut self.history);
        self.history = older.chain(newer).collect();
        let newer = std::mem::take(&mut self.said_order);
        let older = read.said.into_iter().map(|(id, author, cid)| (id, (author, cid)));
        self.said_order = older.chain(newer).collect();
        self.said = self.said_order.iter().map(|(id, key)| (key.clone(), *id)).collect();
    }

    pub(super) fn is_cold(&self) -> bool {
        self.is_cold
    }

    pub(super) fn return_loan(&mut self) {
        self.loan = Vec::new();
    }
}

fn said_key(draft: &Draft) -> Option<SaidKey> {
    match &draft.body {
        Body::Message { cid: Some(cid), .. } => Some((draft.author, cid.clone())),
        _ => None,
    }
}
