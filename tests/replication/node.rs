//! One node: its rooms, its connections, and its proposals on their way to the log and back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::journal::cluster::Effects;
use snugd::journal::cluster::log::{ProposalId, Verdict, Version};
use snugd::options::Limits;
use snugd::rooms::{
    Address, Caller, Change, Checked, Command, ConnectionId, Delivery, Encoder, EncoderId, Epoch, Event, Execution,
    Membership, Name, NodeId, Proposal, Reply, RoomCode, Rooms, SyncId, Token, Via,
};
use snugd::time::Now;

use crate::log::{Append, Entry, Log};

pub const CONNECTIONS: usize = 4;
pub const GRACE_MS: u64 = 2_000;

struct Numbers;

impl Encoder for Numbers {
    fn encode_event(&self, _room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        out.extend(event.id.to_string().bytes().chain([b' ']));
    }

    fn encode_typing(&self, _room: &RoomCode, name: &Name, out: &mut Vec<u8>) {
        out.extend(format!("~{name} ").bytes());
    }
}

/// What each connection of a node was sent.
#[derive(Default)]
pub struct Sent(Vec<String>);

impl Delivery for Sent {
    fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().for_each(|part| self.queue(connection, part));
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, connection: ConnectionId, entry: &[u8]) {
        self.0[connection.0 as usize].push_str(std::str::from_utf8(entry).expect("numbers"));
    }

    fn address_of(&self, connection: ConnectionId) -> Option<Address> {
        Some(address_of(connection.0 as usize))
    }
}

fn address_of(connection: usize) -> Address {
    Address::from(core::net::IpAddr::from([192, 0, 2, connection as u8]))
}

#[derive(Default)]
pub struct Connection {
    pub memberships: Vec<Membership>,
    pub token: Option<Token>,
    /// The last event of its room that it was sent, and the room's epoch.
    pub has: Option<(u64, Epoch)>,
    pub waits: bool,
    pub replies: Vec<Reply>,
    /// Whom it was told of that types.
    pub typists: Vec<String>,
}

/// A proposal that is not settled.
struct Pending {
    /// `None`: it was refused after it was sent.
    proposal: Option<Proposal>,
    effects: Effects,
    /// Its number, once it is in the log.
    number: Option<u64>,
    /// It is to be checked again when all before it is settled.
    waits: bool,
    verdict: Option<Verdict>,
}

/// One run of a node.
pub struct Node {
    pub id: NodeId,
    pub rooms: Rooms,
    pub connections: Vec<Connection>,
    pub sent: Sent,
    queues: BTreeMap<Epoch, VecDeque<Pending>>,
    versions: HashMap<Epoch, Version>,
    accounts_version: Option<Version>,
    /// Entries of the log that it has read.
    pub read: usize,
    last_number: u64,
    syncs: Vec<(SyncId, usize)>,
}

impl Node {
    /// A node that joins those there are.
    pub fn new(log: &mut Log, seed: u64, join_rate: u32, now: Now) -> Node {
        let mut random = StdRng::seed_from_u64(seed);
        let id = NodeId::random(&mut random);
        log.nodes.push(id);
        let limits = Limits { create_rate: 0, join_rate, grace_ms: GRACE_MS, members: 0, ..Limits::default() };
        let mut rooms = Rooms::new(limits, vec![Box::new(Numbers)], random);
        rooms.share_as(id);
        rooms.rely_on_journal_beyond(20);
        let (accounts, loaded, versions) = log.load();
        rooms.restore_accounts(accounts);
        rooms.restore_loaded(loaded, &log.nodes, now);
        Node {
            id,
            rooms,
            connections: (0..CONNECTIONS).map(|_| Connection::default()).collect(),
            sent: Sent(vec![String::new(); CONNECTIONS]),
            queues: BTreeMap::new(),
            versions,
            accounts_version: log.accounts_version,
            read: log.entries.len(),
            last_number: 0,
            syncs: Vec::new(),
        }
    }

    fn caller(&self, number: usize) -> Caller {
        let (connection, address) = (ConnectionId(number as u64), address_of(number));
        Caller { connection, address, via: Via::Web, encoder: EncoderId(0) }
    }

    pub fn execute(&mut self, log: &mut Log, number: usize, command: Command, now: Now) {
        let caller = self.caller(number);
        let connection = &mut self.connections[number];
        connection.waits = command.is_answered();
        let memberships = connection.memberships.clone();
        let is_parked = self.rooms.execute(&caller, &memberships, command, now, &mut self.sent) == Execution::Parked;
        self.connections[number].waits |= is_parked;
        self.take_in(log, now);
    }

    /// A connection is lost.
    pub fn disconnect(&mut self, log: &mut Log, number: usize, now: Now) {
        if let Some(here) = self.connections[number].memberships.pop() {
            self.rooms.disconnect(ConnectionId(number as u64), here, now);
            self.take_in(log, now);
        }
    }

    /// Takes what the rooms propose and answer, and executes again what they want executed again.
    pub fn take_in(&mut self, log: &mut Log, now: Now) {
        loop {
            while let Some(proposal) = self.rooms.take_proposal() {
                assert_eq!(proposal.checked, Checked::Once, "{proposal:?}");
                let epoch = proposal.epoch;
                self.queues.entry(epoch).or_default().push_back(Pending::new(proposal));
                self.settle(epoch, log, now);
            }
            while let Some(notice) = self.rooms.take_notice() {
                log.entries.push(Entry::Notice { by: self.id, notice });
            }
            while let Some(sync) = self.rooms.take_sync() {
                self.syncs.push((sync, log.entries.len()));
            }
            while let Some(request) = self.rooms.take_read_request() {
                let page = log.read(&request);
                self.rooms.page_in(request, Some(page));
            }
            let read = self.read;
            if let Some(place) = self.syncs.iter().position(|(_, end)| *end <= read) {
                let (sync, _) = self.syncs.remove(place);
                self.rooms.finish_sync(sync, now);
                continue;
            }
            self.flush();
            if let Some((connection, reply)) = self.rooms.take_reply() {
                self.deliver(connection.0 as usize, reply);
                continue;
            }
            let Some(resumed) = self.rooms.take_resumed() else {
                if self.rooms.is_dirty() {
                    continue;
                }
                return;
            };
            let number = resumed.connection.0 as usize;
            let is_answered = resumed.command.is_answered();
            let caller = self.caller(number);
            let memberships = self.connections[number].memberships.clone();
            let execution = self.rooms.resume(&caller, &memberships, resumed, now, &mut self.sent);
            if execution == Execution::Done && !is_answered {
                self.connections[number].waits = false;
            }
        }
    }

    fn deliver(&mut self, number: usize, reply: Reply) {
        self.check_sent(number);
        let connection = &mut self.connections[number];
        assert!(connection.waits || !reply.is_answer(), "nobody waits for {reply:?}");
        match &reply {
            Reply::Joined { membership, token, last, .. } => {
                connection.memberships = vec![*membership];
                connection.token = Some(*token);
                connection.has = Some((*last, self.rooms.room(membership.room).epoch()));
            }
            Reply::Left { membership, .. }
            | Reply::TakenOver { membership }
            | Reply::PlaceLost { membership }
            | Reply::SessionEnded { membership }
            | Reply::Kicked { membership, .. } => connection.memberships.retain(|other| other != membership),
            _ => (),
        }
        connection.waits &= !reply.is_answer();
        connection.replies.push(reply);
    }

    fn flush(&mut self) {
        let mut dirty = Vec::new();
        self.rooms.take_dirty(&mut dirty);
        for room in dirty {
            self.rooms.flush(room, usize::MAX, usize::MAX, &mut self.sent, &mut Vec::new());
        }
        (0..CONNECTIONS).for_each(|number| self.check_sent(number));
    }

    /// Whoever is in a room is sent every event, each once and in order.
    fn check_sent(&mut self, number: usize) {
        let sent = std::mem::take(&mut self.sent.0[number]);
        let Connection { has, typists, .. } = &mut self.connections[number];
        let Some((last, _)) = has else {
            assert_eq!(sent, "", "who is in no room is sent something");
            return;
        };
        for word in sent.split_whitespace() {
            if let Some(name) = word.strip_prefix('~') {
                typists.push(name.to_owned());
                continue;
            }
            let id: u64 = word.parse().expect("a number");
            assert_eq!(id, *last + 1, "node {:?}, connection {number}", self.id);
            *last = id;
        }
    }

    // ---- to the log

    /// The rooms of which something can be sent.
    pub fn sendable(&self) -> Vec<Epoch> {
        let is_sendable =
            |queue: &VecDeque<Pending>| queue.iter().any(Pending::is_unsent) && !queue.iter().any(Pending::is_doubtful);
        self.queues.iter().filter(|(_, queue)| is_sendable(queue)).map(|(epoch, _)| *epoch).collect()
    }

    /// Has the next proposal of this room appended. If something came before it, it stays until that is read.
    pub fn send(&mut self, epoch: Epoch, log: &mut Log, now: Now) {
        let predicted = |queue: &VecDeque<Pending>, node: NodeId| {
            let last = queue.iter().rev().find(|pending| pending.effects.is_versioned && pending.number.is_some())?;
            Some(ProposalId { node, number: last.number? })
        };
        let accounts = self.queues.get(&Epoch::NONE).and_then(|queue| predicted(queue, self.id));
        // What happens in a room may have been proposed before what is on its way.
        let accounts_version = accounts.filter(|_| epoch == Epoch::NONE).or(self.accounts_version);
        let Some(queue) = self.queues.get_mut(&epoch) else { return };
        let version = predicted(queue, self.id).or(self.versions.get(&epoch).copied());
        if queue.iter().any(Pending::is_doubtful) {
            return;
        }
        let Some(place) = queue.iter().position(Pending::is_unsent) else { return };
        let pending = &mut queue[place];
        let Some(proposal) = pending.proposal.as_ref().filter(|_| !pending.waits) else { return };
        self.last_number += 1;
        let (number, code, change) = (self.last_number, proposal.code, &proposal.change);
        let by = ProposalId { node: self.id, number };
        match log.append(&Append { by, code, epoch, version, accounts_version, change }) {
            Verdict::Appended => pending.number = Some(number),
            Verdict::Outdated => (),
            verdict => {
                pending.verdict = Some(verdict);
                self.settle(epoch, log, now);
            }
        }
    }

    /// Whoever waits for one of these proposals waits no longer.
    pub fn refuse_one(&mut self, random: &mut StdRng, log: &mut Log, now: Now) {
        let is_refused = |pending: &Pending| {
            let is_refused = |proposal: &Proposal| {
                proposal.is_refusable() || matches!(proposal.change, Change::Place { .. } | Change::Enter { .. })
            };
            pending.verdict.is_none() && pending.proposal.as_ref().is_some_and(is_refused)
        };
        let places = |(epoch, queue): (&Epoch, &VecDeque<Pending>)| {
            let places = queue.iter().enumerate().filter(|(_, pending)| is_refused(pending));
            places.map(|(place, _)| (*epoch, place)).collect::<Vec<_>>()
        };
        let candidates: Vec<(Epoch, usize)> = self.queues.iter().flat_map(places).collect();
        if candidates.is_empty() {
            return;
        }
        let (epoch, place) = candidates[random.random_range(0..candidates.len())];
        self.refuse(epoch, place, log, now);
    }

    /// Whoever waits for this one of a room waits no longer.
    pub fn refuse(&mut self, epoch: Epoch, place: usize, log: &mut Log, now: Now) {
        let Some(queue) = self.queues.get_mut(&epoch) else { return };
        let Some(proposal) = queue[place].proposal.take() else { return };
        let is_sent = queue[place].number.is_some();
        if !is_sent {
            queue.remove(place);
        }
        self.rooms.refuse(proposal, now);
        if !is_sent {
            self.hand_back(epoch, place, log, now);
        }
        self.take_in(log, now);
    }

    // ---- and back

    /// Reads the next entry of the log, if there is one. Returns whether there was.
    pub fn read_one(&mut self, log: &mut Log, now: Now) -> bool {
        let Some(entry) = log.entries.get(self.read).cloned() else { return false };
        self.read += 1;
        match entry {
            Entry::Notice { by, notice } => {
                if by != self.id {
                    self.rooms.take_in_notice(&notice, now);
                }
            }
            Entry::NodeGone { node, .. } if node == self.id => self.attach_again(log, now),
            Entry::NodeGone { node, found_by } => self.rooms.give_up_node(node, found_by == self.id, now),
            Entry::Change { by, code, epoch, change } => self.read_change(by, code, epoch, change, log, now),
        }
        self.take_in(log, now);
        true
    }

    fn read_change(&mut self, by: ProposalId, code: RoomCode, epoch: Epoch, change: Change, log: &mut Log, now: Now) {
        let effects = Effects::of(&change);
        if effects.is_of_account {
            self.accounts_version = Some(by);
        } else if effects.is_versioned {
            self.versions.insert(epoch, by);
        }
        let foreign = |change| Proposal::new(code, epoch, change).proposed_by(by.node);
        if by.node == self.id {
            let queue = self.queues.get_mut(&epoch).expect("it was sent");
            let pending = queue.pop_front().expect("it was sent");
            let is_doubtful = pending.is_doubtful();
            assert_eq!(pending.number, Some(by.number), "own proposals come back in their order");
            let proposal = match pending.proposal {
                Some(mut proposal) => {
                    proposal.change = change;
                    proposal
                }
                None => foreign(change),
            };
            assert_eq!(proposal.by, self.id);
            let told = format!("{proposal:?}");
            assert!(self.rooms.commit(proposal, now, &mut self.sent), "what is in the log is possible: {told}");
            if effects.is_of_account {
                self.hand_back_by_accounts(log, now);
            }
            if is_doubtful {
                // The rooms took it to be refused for good.
                let place = self.queues.get(&epoch).and_then(|queue| queue.iter().position(Pending::is_unsent));
                place.into_iter().for_each(|place| self.hand_back(epoch, place, log, now));
            }
            self.settle(epoch, log, now);
            return;
        }
        assert!(self.rooms.commit(foreign(change.clone()), now, &mut self.sent), "impossible: {change:?}");
        if effects.is_of_account {
            self.hand_back(Epoch::NONE, 0, log, now);
            self.hand_back_by_accounts(log, now);
        } else if effects.is_versioned {
            self.hand_back(epoch, 0, log, now);
        }
        if effects.opens {
            let opens_it = |queue: &VecDeque<Pending>| {
                let first = queue.front().and_then(|first| first.proposal.as_ref());
                first.is_some_and(|first| first.code == code && first.change.opens())
            };
            let same: Vec<Epoch> =
                self.queues.iter().filter(|(_, queue)| opens_it(queue)).map(|(epoch, _)| *epoch).collect();
            same.into_iter().for_each(|epoch| self.hand_back(epoch, 0, log, now));
        }
    }

    /// An account has changed: what was not sent is checked again, if it depends on that.
    fn hand_back_by_accounts(&mut self, log: &mut Log, now: Now) {
        for epoch in self.queues.keys().copied().filter(|epoch| *epoch != Epoch::NONE).collect::<Vec<_>>() {
            let depends = |pending: &Pending| pending.effects.depends_on_accounts && pending.number.is_none();
            if let Some(place) = self.queues.get(&epoch).and_then(|queue| queue.iter().position(depends)) {
                self.hand_back(epoch, place, log, now);
            }
        }
    }

    /// The others have given it up: it comes as another, and has checked again what it has proposed.
    fn attach_again(&mut self, log: &mut Log, now: Now) {
        self.id = NodeId(self.id.0 + 1);
        log.nodes.push(self.id);
        self.rooms.rename_node(self.id, now);
        for epoch in self.queues.keys().copied().collect::<Vec<_>>() {
            self.hand_back(epoch, 0, log, now);
        }
    }

    /// Has the rooms check again what they have proposed of a room, from this place on.
    fn hand_back(&mut self, epoch: Epoch, place: usize, log: &mut Log, now: Now) {
        let Some(queue) = self.queues.get_mut(&epoch).filter(|queue| place <= queue.len()) else { return };
        let outdated = queue.split_off(place);
        // What the rooms have proposed before goes behind.
        let mut behind: Vec<Proposal> = std::iter::from_fn(|| self.rooms.take_proposal()).collect();
        for (number, pending) in outdated.into_iter().enumerate() {
            assert!(pending.number.is_none(), "what is in the log is not outdated: {:?}", pending.proposal);
            let Some(mut proposal) = pending.proposal else { continue };
            if proposal.checked == Checked::NotYet && place + number > 0 {
                // Those for which it waits are not settled yet.
                proposal.checked = Checked::Again;
            }
            match pending.verdict {
                Some(Verdict::Duplicate(id)) => self.rooms.note_already_said(proposal, id, now),
                Some(Verdict::NoSuchEvent) => self.rooms.note_no_such_event(proposal, now),
                _ => self.rooms.reconsider(proposal, now),
            }
            while let Some(proposal) = self.rooms.take_proposal() {
                if proposal.checked == Checked::Once {
                    behind.push(proposal);
                } else {
                    assert_eq!(proposal.epoch, epoch);
                    self.queues.entry(epoch).or_default().push_back(Pending::new(proposal));
                }
            }
        }
        for proposal in behind {
            self.queues.entry(proposal.epoch).or_default().push_back(Pending::new(proposal));
        }
        self.settle(epoch, log, now);
    }

    /// Settles the first ones of a room, as far as it is known what has become of them.
    fn settle(&mut self, epoch: Epoch, log: &mut Log, now: Now) {
        while let Some(queue) = self.queues.get_mut(&epoch) {
            let Some(first) = queue.front() else {
                self.queues.remove(&epoch);
                return;
            };
            let is_nothing = matches!(&first.proposal, Some(Proposal { change: Change::Nothing, .. }));
            if first.waits {
                return self.hand_back(epoch, 0, log, now);
            }
            let verdict = first.verdict;
            if verdict.is_none() && !is_nothing {
                return;
            }
            let proposal = queue.pop_front().and_then(|first| first.proposal);
            match (proposal, verdict) {
                (Some(proposal), Some(Verdict::Duplicate(id))) => self.rooms.note_already_said(proposal, id, now),
                (Some(proposal), Some(_)) => self.rooms.note_no_such_event(proposal, now),
                (Some(proposal), None) => drop(self.rooms.commit(proposal, now, &mut self.sent)),
                (None, _) => (),
            }
        }
    }

    /// Of each proposal of a room that is not settled: whether it is to be checked again when those before it are.
    pub fn waits(&self, epoch: Epoch) -> Vec<bool> {
        self.queues.get(&epoch).into_iter().flatten().map(|pending| pending.waits).collect()
    }

    /// Nothing is on its way any more.
    pub fn is_settled(&self) -> bool {
        self.queues.values().all(VecDeque::is_empty) && self.syncs.is_empty()
    }

    /// Has the log keep a room as it is here.
    pub fn keep_snapshot(&self, random: &mut StdRng, log: &mut Log) {
        let mut epochs: Vec<Epoch> = self.versions.keys().copied().collect();
        epochs.sort();
        if epochs.is_empty() {
            return;
        }
        let epoch = epochs[random.random_range(0..epochs.len())];
        if let Some(room) = self.rooms.snapshot(epoch) {
            log.keep_snapshot(self.versions[&epoch], room);
        }
    }
}

impl Pending {
    fn new(proposal: Proposal) -> Pending {
        let (effects, waits) = (Effects::of(&proposal.change), proposal.checked == Checked::NotYet);
        Pending { proposal: Some(proposal), effects, number: None, waits, verdict: None }
    }

    /// It is in the log, and the rooms do not know.
    fn is_doubtful(&self) -> bool {
        self.proposal.is_none() && self.effects.is_versioned
    }

    fn is_unsent(&self) -> bool {
        let is_nothing = matches!(&self.proposal, Some(Proposal { change: Change::Nothing, .. }));
        self.number.is_none() && self.verdict.is_none() && !is_nothing
    }
}
