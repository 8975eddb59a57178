//! The ordered log that nodes share, in memory and in a few plain words: what whoever keeps it has to answer.
//!
//! It is what the scripts of the real log are compared with, and what nodes are simulated over. One function answers each
//! request, in one step; there is no network here, and no clock but [`OrderedLog::now_ms`]. A copy of it, asked later as
//! another server, is a log that has lost what was appended meanwhile.

// Each file of tests is a program of its own and uses only part of this.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use sha1::{Digest, Sha1};
use snugd::journal::cluster::log::{
    Append, AppendFault, Attached, Entry, Generation, LEASE_MS, Loaded, Logged, Position, ProposalId, Renewed, Request,
    Response, Verdict, Version, VersionedRoom,
};
use snugd::journal::cluster::{Effects, Erasure};
use snugd::rooms::{
    AccountAction, AccountChange, AccountId, AuthorId, Body, Change, Epoch, Event, Found, LoadedRoom, MessageKey,
    NodeId, Notice, Page, PasswordHash, ReadRequest, RoomCode, RoomRules, StoredAccount, StoredRoom, Text, Wanted,
    amend,
};

/// Entries are kept for so long: who was away for longer has to load everything.
pub const KEPT_MS: u64 = 300_000;

/// After a change of servers it is waited so long for the nodes to tell what they have seen.
pub const SETTLING_MS: u64 = 10_000;

/// Messages are known by their authors and keys for so many events, or for as many as are kept if those are more.
pub const KEYED_EVENTS: u64 = 16_384;

/// Who asks, as its connection has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asker {
    /// The server to which the connection goes: another one, and one that was started again, has another number.
    pub server: u64,
    /// Which of the node's connections it is: these numbers only grow.
    pub connection: u64,
}

/// All that is kept.
#[derive(Clone, Debug)]
pub struct OrderedLog {
    /// By the clock of whoever keeps it.
    pub now_ms: u64,
    /// The server by which it was kept when it was last settled what is in it.
    server: Option<u64>,
    generation: Generation,
    /// When that generation began.
    generation_since_ms: u64,
    /// It is kept by another server than before, and not all nodes have told what they have seen.
    settling: Option<Settling>,
    history_events: u64,
    nodes: BTreeMap<NodeId, Node>,
    /// Nodes that left, or were given up.
    gone: BTreeSet<NodeId>,
    /// When any of them has said last that it is there.
    renewed_at_ms: u64,
    entries: VecDeque<Entry>,
    /// The last one that is not kept any more, and the last one.
    trimmed: Position,
    end: Position,
    rooms: BTreeMap<RoomCode, Room>,
    accounts: Vec<StoredAccount>,
    accounts_version: Option<Version>,
    /// What has happened to accounts, which changes members of rooms as well.
    account_tail: Vec<(Position, NodeId, AccountChange)>,
}

#[derive(Clone, Debug)]
struct Settling {
    until_ms: u64,
    waiting: BTreeSet<NodeId>,
    is_lossy: bool,
}

#[derive(Clone, Debug)]
struct Node {
    lease_until_ms: u64,
    last_number: u64,
    connection: u64,
}

#[derive(Clone, Debug)]
struct Room {
    epoch: Epoch,
    /// Those of former generations.
    former_epochs: Vec<Epoch>,
    version: Version,
    last_id: u64,
    last_time_ms: u64,
    snapshot: StoredRoom,
    /// The entry that made its version, if it has one.
    snapshot_position: Position,
    /// The changes behind it that made versions.
    tail: Vec<Versioned>,
    /// Events that are kept, in their last state.
    events: Vec<Event>,
    keys: HashMap<(AuthorId, MessageKey), u64>,
}

#[derive(Clone, Debug)]
struct Versioned {
    position: Position,
    version: Version,
    change: Change,
}

impl OrderedLog {
    /// Nothing is in it.
    pub fn new(now_ms: u64) -> OrderedLog {
        OrderedLog {
            now_ms,
            server: None,
            generation: Generation::default(),
            generation_since_ms: 0,
            settling: None,
            history_events: 0,
            nodes: BTreeMap::new(),
            gone: BTreeSet::new(),
            renewed_at_ms: 0,
            entries: VecDeque::new(),
            trimmed: Position::default(),
            end: Position::default(),
            rooms: BTreeMap::new(),
            accounts: Vec::new(),
            accounts_version: None,
            account_tail: Vec::new(),
        }
    }

    /// Answers a request. `None`: a newer connection of the same node is there, so nothing is done for this one; or what
    /// follows comes by [`entries_after`](Self::entries_after).
    pub fn answer(&mut self, request: &Request, asker: Asker) -> Option<Response> {
        match request {
            Request::Attach { node, last, history_events } => {
                if self.nodes.get(node).is_some_and(|known| known.connection > asker.connection) {
                    return None;
                }
                Some(Response::Attached(self.attach(*node, *last, *history_events, asker)))
            }
            Request::Append { node, generation, changes } => {
                if self.is_replaced(*node, asker) {
                    return None;
                }
                Some(Response::Appended(self.append(*node, *generation, changes, asker)))
            }
            Request::Tell { node, notices } => {
                if self.nodes.contains_key(node) && !self.is_replaced(*node, asker) {
                    notices.iter().for_each(|notice| self.tell(*node, notice.clone()));
                }
                None
            }
            Request::Follow { .. } => None,
            Request::Renew { node } => Some(Response::Renewed(self.renew(*node))),
            Request::Leave { node } => {
                if !self.is_replaced(*node, asker) {
                    self.remove_node(*node, *node);
                }
                None
            }
            Request::KeepSnapshot { version, room } => {
                self.keep_snapshot(*version, room);
                Some(Response::SnapshotKept { epoch: room.epoch })
            }
            Request::FindEnd { question } => Some(Response::End { question: *question, position: self.end }),
            Request::Load => Some(Response::Loaded(Some(Box::new(self.load())))),
            Request::Read(request) => Some(Response::Read { request: request.clone(), page: self.read(request) }),
        }
    }

    /// Whether the node that asks this to be attached is one of the nodes.
    pub fn knows_node(&self, request: &Request) -> bool {
        !matches!(request, Request::Attach { node, .. } if !self.nodes.contains_key(node))
    }

    /// Whether this server keeps the log, and it is settled what is in it.
    pub fn is_kept_by(&self, server: u64) -> bool {
        self.server == Some(server) && self.settling.is_none()
    }

    /// The generation.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    fn is_replaced(&self, node: NodeId, asker: Asker) -> bool {
        self.nodes.get(&node).is_some_and(|known| known.connection != asker.connection)
    }

    // ---- nodes

    fn attach(
        &mut self,
        node: NodeId,
        last: Option<(Position, ProposalId)>,
        history_events: u64,
        asker: Asker,
    ) -> Attached {
        self.come_to(node, last, asker);
        if self.gone.contains(&node) {
            return Attached::GivenUp;
        }
        if self.settling.is_some() {
            return Attached::NotYet;
        }
        let lease_until_ms = self.now_ms + LEASE_MS;
        if let Some(known) = self.nodes.get_mut(&node) {
            known.lease_until_ms = lease_until_ms;
        }
        self.look_at_leases(node);
        let is_alone = self.nodes.keys().all(|other| *other == node);
        if is_alone {
            self.history_events = history_events;
        } else if self.history_events != history_events {
            return Attached::OtherHistory(self.history_events);
        }
        let known = self.nodes.entry(node).or_insert(Node { lease_until_ms, last_number: 0, connection: 0 });
        known.connection = asker.connection;
        Attached::Yes { generation: self.generation, last_number: known.last_number, end: self.end }
    }

    /// Somebody comes to the log, and tells the last entry that it has seen.
    fn come_to(&mut self, node: NodeId, last: Option<(Position, ProposalId)>, asker: Asker) {
        match self.server {
            None => (self.generation, self.generation_since_ms) = (Generation(self.now_ms), self.now_ms),
            Some(server) if server != asker.server => {
                let (until_ms, is_lossy) = (self.now_ms + SETTLING_MS, false);
                let waiting = self.nodes.keys().copied().collect();
                self.settling = Some(Settling { until_ms, waiting, is_lossy });
            }
            Some(_) => (),
        }
        self.server = Some(asker.server);
        let is_lost = last.is_some_and(|last| self.has_lost(last));
        match &mut self.settling {
            Some(settling) => {
                settling.is_lossy |= is_lost;
                settling.waiting.remove(&node);
            }
            None if is_lost => self.begin_generation(),
            None => (),
        }
        self.settle();
    }

    /// Whether an entry that somebody has seen is not here. What was seen before this generation began was lost then.
    fn has_lost(&self, (position, by): (Position, ProposalId)) -> bool {
        let place = self.entries.binary_search_by_key(&position, |entry| entry.position);
        let is_here = position <= self.trimmed || place.is_ok_and(|place| self.entries[place].by == by);
        !is_here && position.time_ms >= self.generation_since_ms
    }

    /// Where everybody has told what it has seen, or had the time for it, the log goes on.
    fn settle(&mut self) {
        let now_ms = self.now_ms;
        let is_settled = |settling: &mut Settling| settling.waiting.is_empty() || settling.until_ms <= now_ms;
        let Some(settling) = self.settling.take_if(is_settled) else { return };
        if settling.is_lossy || !settling.waiting.is_empty() {
            self.begin_generation();
        }
        self.extend_leases();
    }

    /// What is here may not continue what somebody has seen: rooms go on under other epochs.
    fn begin_generation(&mut self) {
        self.generation.0 = (self.generation.0 + 1).max(self.now_ms);
        self.generation_since_ms = self.now_ms;
        for room in self.rooms.values_mut() {
            let former = room.epoch;
            room.epoch = epoch_in(self.generation, former);
            room.snapshot.epoch = room.epoch;
            // Who bears an account's name is told by the room's epoch as well.
            let bearers = self.account_tail.iter_mut().flat_map(|(_, _, change)| &mut change.bearers);
            bearers.filter(|(epoch, _)| *epoch == former).for_each(|(epoch, _)| *epoch = room.epoch);
            room.former_epochs.push(former);
        }
    }

    fn renew(&mut self, node: NodeId) -> Option<Renewed> {
        let known = self.nodes.get_mut(&node)?;
        known.lease_until_ms = self.now_ms + LEASE_MS;
        if self.settling.is_none() {
            self.look_at_leases(node);
        }
        self.trim();
        Some(Renewed { generation: self.generation, end: self.end, nodes: self.nodes.len() })
    }

    /// Gives up nodes that have not renewed their leases; unless nobody could.
    fn look_at_leases(&mut self, by: NodeId) {
        if self.renewed_at_ms + LEASE_MS / 2 < self.now_ms {
            return self.extend_leases();
        }
        self.renewed_at_ms = self.now_ms;
        let is_over = |(_, node): &(&NodeId, &Node)| node.lease_until_ms <= self.now_ms;
        let over: Vec<NodeId> = self.nodes.iter().filter(is_over).map(|(node, _)| *node).collect();
        over.into_iter().for_each(|node| self.remove_node(node, by));
    }

    fn extend_leases(&mut self) {
        self.renewed_at_ms = self.now_ms;
        self.nodes.values_mut().for_each(|node| node.lease_until_ms = self.now_ms + LEASE_MS);
    }

    fn remove_node(&mut self, node: NodeId, by: NodeId) {
        if self.nodes.remove(&node).is_some() {
            self.gone.insert(node);
            self.push(ProposalId { node: by, number: 0 }, Logged::NodeGone(node));
        }
    }

    fn tell(&mut self, node: NodeId, notice: Notice) {
        self.push(ProposalId { node, number: 0 }, Logged::Notice(notice));
    }

    // ---- entries

    fn push(&mut self, by: ProposalId, what: Logged) -> Position {
        let Position { time_ms, sequence } = self.end;
        self.end = match self.now_ms > time_ms {
            true => Position { time_ms: self.now_ms, sequence: 0 },
            false => Position { time_ms, sequence: sequence + 1 },
        };
        self.entries.push_back(Entry { position: self.end, by, what });
        self.end
    }

    fn trim(&mut self) {
        // The last one is kept, however old it is: who comes is told of it.
        while let Some(oldest) = self.entries.front().filter(|_| self.entries.len() > 1)
            && oldest.position.time_ms + KEPT_MS < self.now_ms
        {
            self.trimmed = oldest.position;
            self.entries.pop_front();
        }
    }

    /// The last entry.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Entries behind this one, as many at the most; `None`: some of them are not kept any more.
    pub fn entries_after(&self, position: Position, most: usize) -> Option<Vec<Entry>> {
        if position < self.trimmed {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.position <= position);
        Some(self.entries.iter().skip(first).take(most).cloned().collect())
    }

    // ---- changes

    fn append(
        &mut self,
        node: NodeId,
        generation: Generation,
        changes: &[Append],
        asker: Asker,
    ) -> Result<Vec<(u64, Verdict)>, AppendFault> {
        if self.server != Some(asker.server) || self.settling.is_some() || generation != self.generation {
            return Err(AppendFault::OtherGeneration);
        }
        if !self.nodes.contains_key(&node) {
            return Err(AppendFault::GivenUp);
        }
        Ok(changes.iter().map(|append| (append.number, self.append_one(node, append))).collect())
    }

    fn append_one(&mut self, node: NodeId, append: &Append) -> Verdict {
        let by = ProposalId { node, number: append.number };
        let known = self.nodes.get_mut(&node).expect("looked up");
        if append.number <= known.last_number {
            // It was looked at before.
            return Verdict::Appended;
        }
        known.last_number = append.number;
        let effects = Effects::of(&append.change);
        if effects.depends_on_accounts && append.accounts_version != self.accounts_version {
            return Verdict::Outdated;
        }
        if effects.is_of_account {
            return self.append_of_account(by, append);
        }
        let code = append.code;
        match self.rooms.get(&code) {
            None if effects.opens => (),
            Some(room) if !effects.opens && room.epoch == append.epoch && append.version == Some(room.version) => {
                if let Some(verdict) = room.refusal(&append.change, effects) {
                    return verdict;
                }
            }
            _ => return Verdict::Outdated,
        }
        if effects.opens {
            self.rooms.insert(code, Room::new(code, append.epoch, by, self.end));
        }
        let event_id = self.rooms.get(&code).filter(|_| effects.has_event).map(|room| room.last_id + 1);
        let mut change = append.change.clone();
        if let (Some(event), Some(id)) = (change.event_mut(), event_id) {
            event.id = id;
        }
        let logged = Some(Box::new(change.clone()));
        let position = self.push(by, Logged::Change { code, epoch: append.epoch, event_id, change: logged });
        if effects.ends {
            self.rooms.remove(&code);
        } else if let Some(room) = self.rooms.get_mut(&code) {
            room.note(change, effects, by, position, self.history_events);
        }
        Verdict::Appended
    }

    /// Changes an account for somebody who is no node. `None`: it is not settled yet what is in the log.
    pub fn change_account(&mut self, by: NodeId, append: &Append, asker: Asker) -> Option<Verdict> {
        self.come_to(by, None, asker);
        if self.settling.is_some() {
            return None;
        }
        if append.accounts_version != self.accounts_version {
            return Some(Verdict::Outdated);
        }
        Some(self.append_of_account(ProposalId { node: by, number: append.number }, append))
    }

    fn append_of_account(&mut self, by: ProposalId, append: &Append) -> Verdict {
        let Append { code, epoch, ref change, .. } = *append;
        let logged = Some(Box::new(change.clone()));
        let position = self.push(by, Logged::Change { code, epoch, event_id: None, change: logged });
        let Change::Account(change) = change else { unreachable!("it is of an account") };
        let account = change.account;
        match &change.action {
            AccountAction::Add { name, hash } => {
                self.accounts.push(StoredAccount { account, name: name.clone(), hash: hash.clone() });
            }
            AccountAction::SetPassword(hash) => {
                let known = self.accounts.iter_mut().filter(|known| known.account == account);
                known.for_each(|known| known.hash = Some(hash.clone()));
            }
            AccountAction::Remove => self.accounts.retain(|known| known.account != account),
            AccountAction::Nothing => (),
        }
        self.accounts_version = Some(by);
        if change.action != AccountAction::Nothing {
            self.account_tail.push((position, by.node, without_hash(change)));
        }
        Verdict::Appended
    }

    // ---- what is kept of rooms

    fn keep_snapshot(&mut self, version: Version, snapshot: &StoredRoom) {
        let Some(room) = self.rooms.get_mut(&snapshot.code).filter(|room| room.epoch == snapshot.epoch) else { return };
        let Some(place) = room.tail.iter().position(|versioned| versioned.version == version) else { return };
        room.snapshot = snapshot.clone();
        room.snapshot_position = room.tail[place].position;
        room.tail.drain(..=place);
    }

    /// All that is known at this time.
    pub fn load(&self) -> Loaded {
        let rooms = self.rooms.keys().filter_map(|code| self.load_room(*code)).collect();
        Loaded { rooms, ..self.load_but_rooms() }
    }

    /// The same without rooms.
    pub fn load_but_rooms(&self) -> Loaded {
        Loaded {
            generation: self.generation,
            accounts: self.accounts.clone(),
            accounts_version: self.accounts_version,
            position: self.end,
            last_by: self.entries.back().map(|entry| entry.by),
            rooms: Vec::new(),
            nodes: self.nodes.keys().copied().collect(),
        }
    }

    /// The codes of all rooms.
    pub fn codes(&self) -> Vec<RoomCode> {
        self.rooms.keys().copied().collect()
    }

    /// A room as it is at this time: its snapshot, and behind that what has changed in it, and what has happened to
    /// accounts, in one order.
    pub fn load_room(&self, code: RoomCode) -> Option<VersionedRoom> {
        let room = self.rooms.get(&code)?;
        let own = room.tail.iter().map(|versioned| {
            let Versioned { position, version, change } = versioned;
            (*position, version.node, change.clone())
        });
        // Of accounts whose names nobody bears or bore here nothing follows here.
        let members = room.snapshot.members.iter().filter_map(|member| member.account);
        let mut borne: Vec<AccountId> =
            members.chain(room.tail.iter().filter_map(|versioned| Effects::of(&versioned.change).bears)).collect();
        let is_named = |change: &AccountChange| change.bearers.iter().any(|(epoch, _)| *epoch == room.epoch);
        borne.extend(
            self.account_tail.iter().filter(|(.., change)| is_named(change)).map(|(.., change)| change.account),
        );
        let is_behind = |(position, _, change): &&(Position, NodeId, AccountChange)| {
            *position > room.snapshot_position && borne.contains(&change.account)
        };
        let of_accounts = self.account_tail.iter().filter(is_behind).map(|(position, node, change)| {
            let change = Change::Account(Box::new(change.clone()));
            (*position, *node, change)
        });
        let mut changes: Vec<(Position, NodeId, Change)> = own.chain(of_accounts).collect();
        changes.sort_by_key(|(position, ..)| *position);
        let snapshot = StoredRoom {
            first_id: room.events.first().map_or(room.last_id + 1, |event| event.id),
            last_id: room.last_id,
            last_time_ms: room.last_time_ms,
            ..room.snapshot.clone()
        };
        let changes = changes.into_iter().map(|(_, node, change)| (node, change)).collect();
        let loaded = LoadedRoom { snapshot, changes, former_epochs: room.former_epochs.clone() };
        Some(VersionedRoom { room: loaded, version: room.version, position: self.end })
    }

    /// `None`: there is no such room, or no more under this epoch.
    fn read(&self, request: &ReadRequest) -> Option<Page> {
        let room = self.rooms.get(&request.code).filter(|room| room.epoch == request.epoch)?;
        let mut page = Page::default();
        let (ids, messages) = match &request.wanted {
            Wanted::Events { first_id, last_id } => (Some(*first_id..=*last_id), &[][..]),
            Wanted::Messages(messages) => (None, messages.as_slice()),
            Wanted::EventsAndMessage { first_id, last_id, message } => {
                (Some(*first_id..=*last_id), std::slice::from_ref(message))
            }
            Wanted::Search { query, first_id, before, limit } => {
                let mut found = Found::new(*limit);
                let is_found = |event: &&Event| {
                    (*first_id..*before).contains(&event.id)
                        && event.body.searched_text().is_some_and(|text| query.matches(&text))
                };
                room.events.iter().rev().filter(is_found).for_each(|event| found.push(event.clone()));
                (page.events, page.before) = found.finish(None);
                return Some(page);
            }
        };
        let is_wanted = |event: &&Event| ids.as_ref().is_some_and(|ids| ids.contains(&event.id));
        page.events = room.events.iter().filter(is_wanted).cloned().collect();
        let find = |wanted: &(AuthorId, MessageKey)| Some((wanted.0, wanted.1.clone(), *room.keys.get(wanted)?));
        page.messages = messages.iter().filter_map(find).collect();
        Some(page)
    }
}

impl Room {
    fn new(code: RoomCode, epoch: Epoch, version: Version, snapshot_position: Position) -> Room {
        let snapshot = StoredRoom {
            code,
            epoch,
            first_id: 1,
            last_id: 0,
            last_time_ms: 0,
            last_author: AuthorId::default(),
            files: Vec::new(),
            members: Vec::new(),
            left: Vec::new(),
            rules: RoomRules::default(),
        };
        let (tail, events, keys) = (Vec::new(), Vec::new(), HashMap::new());
        let (former_epochs, last_id, last_time_ms) = (Vec::new(), 0, 0);
        Room { epoch, former_epochs, version, last_id, last_time_ms, snapshot, snapshot_position, tail, events, keys }
    }

    /// Why a change is not appended that was checked against this version: what it relies on is no member's affair.
    fn refusal(&self, change: &Change, effects: Effects) -> Option<Verdict> {
        if let Some(id) = key_of(change).and_then(|key| self.keys.get(&key)) {
            return Some(Verdict::Duplicate(*id));
        }
        let is_there = |of: u64| self.events.iter().any(|event| event.id == of && !is_deleted(event));
        effects.amends.filter(|of| !is_there(*of)).map(|_| Verdict::NoSuchEvent)
    }

    /// Notes what was appended.
    fn note(&mut self, change: Change, effects: Effects, by: Version, position: Position, history_events: u64) {
        if let Change::Open { time_ms } | Change::Place { opens: true, time_ms, .. } | Change::Vacate { time_ms, .. } =
            &change
        {
            self.last_time_ms = *time_ms;
        }
        if let Some(event) = change.event() {
            self.last_id = event.id;
            self.last_time_ms = event.time_ms;
            amend(&mut self.events, event);
            if let Some(Erasure { of, with_file: true }) = effects.erases {
                let of_it = self.tail.iter_mut().filter_map(|versioned| versioned.change.event_mut());
                of_it.filter(|event| event.id == of).for_each(delete);
            }
            self.events.push(event.clone());
            let first_kept = (self.last_id + 1).saturating_sub(history_events);
            self.events.retain(|event| event.id >= first_kept);
            self.keys.extend(key_of(&change).map(|key| (key, self.last_id)));
            let first_keyed = (self.last_id + 1).saturating_sub(history_events.max(KEYED_EVENTS));
            self.keys.retain(|_, id| *id >= first_keyed);
        }
        if effects.is_versioned {
            self.version = by;
            self.tail.push(Versioned { position, version: by, change: without_text(change) });
        }
    }
}

/// What is kept of a change of an account for those who load rooms later.
fn without_hash(change: &AccountChange) -> AccountChange {
    let action = match &change.action {
        AccountAction::Add { name, .. } => AccountAction::Add { name: name.clone(), hash: None },
        AccountAction::SetPassword(_) => AccountAction::SetPassword(PasswordHash::new("")),
        action => action.clone(),
    };
    AccountChange { action, ..change.clone() }
}

/// What is kept of a room's change for those who load it later: what was said changes no room, but for a file.
fn without_text(mut change: Change) -> Change {
    match change.event_mut() {
        Some(event) if event.body.file().is_none() => delete(event),
        Some(Event { body: Body::Message { text, .. }, .. }) => *text = Text::none(),
        _ => (),
    }
    change
}

/// Makes of a message what it is once it is deleted.
fn delete(event: &mut Event) {
    if let Body::Message { kind, cid, .. } = &mut event.body {
        event.body = Body::Deleted { kind: *kind, cid: cid.take() };
    }
}

/// By what a message, or a correction of one, is known if it is said again.
fn key_of(change: &Change) -> Option<(AuthorId, MessageKey)> {
    let Change::Publish { event } = change else { return None };
    event.message_key().map(|(author, key)| (author, key.clone()))
}

fn is_deleted(event: &Event) -> bool {
    matches!(event.body, Body::Deleted { .. })
}

/// The epoch of a room that goes on in another generation.
pub fn epoch_in(generation: Generation, epoch: Epoch) -> Epoch {
    let digest = Sha1::digest(format!("{epoch}/{}", generation.0));
    let digits: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Epoch::parse(&digits).expect("sixteen digits")
}
