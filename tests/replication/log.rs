//! The log that nodes share, as small as it can be: what is appended at the version against which it was checked is there
//! for all of them in the same order. Nothing of it is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use snugd::journal::cluster::Effects;
use snugd::journal::cluster::log::{ProposalId, Verdict, Version};
use snugd::rooms::{
    AccountAction, AccountId, AuthorId, Body, Change, Epoch, Event, LoadedRoom, MessageKey, NodeId, Notice, Page,
    ReadRequest, RoomCode, RoomRules, StoredAccount, StoredRoom, Wanted, amend,
};

/// What is in the log.
#[derive(Clone)]
pub enum Entry {
    Change { by: ProposalId, code: RoomCode, epoch: Epoch, change: Change },
    Notice { by: NodeId, notice: Notice },
    NodeGone { node: NodeId, found_by: NodeId },
}

/// What a node asks for.
pub struct Append<'a> {
    pub by: ProposalId,
    pub code: RoomCode,
    pub epoch: Epoch,
    pub version: Option<Version>,
    pub accounts_version: Option<Version>,
    pub change: &'a Change,
}

struct LoggedRoom {
    version: Version,
    snapshot: StoredRoom,
    tail: Vec<(ProposalId, Change)>,
    /// As they were appended.
    events: Vec<Event>,
    keys: HashMap<(AuthorId, MessageKey), u64>,
    /// Of whom was told that it came, and not that it is gone.
    present: HashSet<AuthorId>,
    last_time_ms: u64,
}

#[derive(Default)]
pub struct Log {
    pub entries: Vec<Entry>,
    pub nodes: Vec<NodeId>,
    rooms: BTreeMap<Epoch, LoggedRoom>,
    codes: HashMap<RoomCode, Epoch>,
    accounts: Vec<StoredAccount>,
    pub accounts_version: Option<Version>,
    bearers: HashMap<AccountId, BTreeSet<Epoch>>,
}

impl Log {
    /// Appends a change, if nothing has come before it since it was checked.
    pub fn append(&mut self, append: &Append<'_>) -> Verdict {
        let &Append { by, code, epoch, version, accounts_version, change } = append;
        let effects = Effects::of(change);
        if !self.nodes.contains(&by.node) {
            return Verdict::Outdated;
        }
        if effects.depends_on_accounts && accounts_version != self.accounts_version {
            return Verdict::Outdated;
        }
        let mut change = change.clone();
        if effects.is_of_account {
            self.change_account(&change, by);
        } else if effects.opens && self.codes.contains_key(&code) {
            return Verdict::Outdated;
        } else {
            if effects.opens {
                self.open(code, epoch, by);
            }
            let Some(room) = self.rooms.get_mut(&epoch) else { return Verdict::Outdated };
            if !effects.opens && version != Some(room.version) {
                return Verdict::Outdated;
            }
            match room.take_in(by, &mut change, effects) {
                Verdict::Appended => (),
                verdict => return verdict,
            }
            if let Some(account) = effects.bears {
                self.bearers.entry(account).or_default().insert(epoch);
            }
            if effects.ends {
                self.codes.remove(&code);
                self.rooms.remove(&epoch);
            }
        }
        self.entries.push(Entry::Change { by, code, epoch, change });
        Verdict::Appended
    }

    fn open(&mut self, code: RoomCode, epoch: Epoch, by: ProposalId) {
        let (files, members, left, rules) = (Vec::new(), Vec::new(), Vec::new(), RoomRules::default());
        let (first_id, last_id, last_time_ms, last_author) = (1, 0, 0, AuthorId(0));
        let snapshot =
            StoredRoom { code, epoch, first_id, last_id, last_time_ms, last_author, files, members, left, rules };
        let (tail, events, keys) = (Vec::new(), Vec::new(), HashMap::new());
        self.rooms.insert(
            epoch,
            LoggedRoom { version: by, snapshot, tail, events, keys, present: HashSet::new(), last_time_ms },
        );
        self.codes.insert(code, epoch);
    }

    fn change_account(&mut self, change: &Change, by: ProposalId) {
        let Change::Account(of_account) = change else { unreachable!("it is one of an account") };
        let account = of_account.account;
        match &of_account.action {
            AccountAction::Add { name, hash } => {
                self.accounts.push(StoredAccount { account, name: name.clone(), hash: hash.clone() });
            }
            AccountAction::SetPassword(hash) => {
                let known = self.accounts.iter_mut().find(|known| known.account == account);
                known.expect("it was checked").hash = Some(hash.clone());
            }
            AccountAction::Remove => self.accounts.retain(|known| known.account != account),
            AccountAction::Nothing => (),
        }
        let borne_in = self.bearers.entry(account).or_default();
        borne_in.extend(of_account.bearers.iter().map(|(epoch, _)| *epoch));
        for epoch in borne_in.iter() {
            if let Some(room) = self.rooms.get_mut(epoch) {
                room.tail.push((by, change.clone()));
            }
        }
        self.accounts_version = Some(by);
    }

    pub fn give_up(&mut self, node: NodeId, found_by: NodeId) {
        self.nodes.retain(|other| *other != node);
        self.entries.push(Entry::NodeGone { node, found_by });
    }

    /// A room as it is at this version.
    pub fn keep_snapshot(&mut self, version: Version, snapshot: StoredRoom) {
        let Some(room) = self.rooms.get_mut(&snapshot.epoch) else { return };
        let place = room.tail.iter().position(|(by, change)| *by == version && !matches!(change, Change::Account(_)));
        // Where it is older than the one there is, that one stays.
        if let Some(place) = place {
            room.tail.drain(..=place);
            room.snapshot = snapshot;
        }
    }

    /// All rooms and accounts, and the versions of both.
    pub fn load(&self) -> (Vec<StoredAccount>, Vec<LoadedRoom>, HashMap<Epoch, Version>) {
        let load = |room: &LoggedRoom| {
            let (last_id, last_time_ms) = (room.events.len() as u64, room.last_time_ms);
            let snapshot = StoredRoom { first_id: 1, last_id, last_time_ms, ..room.snapshot.clone() };
            let changes = room.tail.iter().map(|(by, change)| (by.node, change.clone())).collect();
            LoadedRoom { snapshot, changes, former_epochs: Vec::new() }
        };
        let versions = self.rooms.iter().map(|(epoch, room)| (*epoch, room.version)).collect();
        (self.accounts.clone(), self.rooms.values().map(load).collect(), versions)
    }

    pub fn read(&self, request: &ReadRequest) -> Page {
        let Some(room) = self.rooms.get(&request.epoch) else { return Page::default() };
        let (range, sought) = match request.wanted.clone() {
            Wanted::Events { first_id, last_id } => (first_id..=last_id, Vec::new()),
            Wanted::Messages(messages) => (0..=0, messages),
            Wanted::EventsAndMessage { first_id, last_id, message } => (first_id..=last_id, vec![message]),
            Wanted::Search { .. } => unreachable!("nobody searches"),
        };
        let mut events: Vec<Event> = Vec::new();
        for event in &room.events {
            amend(&mut events, event);
            events.push(event.clone());
        }
        events.retain(|event| range.contains(&event.id));
        let find = |(author, key)| Some((author, MessageKey::clone(&key), *room.keys.get(&(author, key))?));
        Page { events, messages: sought.into_iter().filter_map(find).collect(), before: None }
    }
}

impl LoggedRoom {
    fn take_in(&mut self, by: ProposalId, change: &mut Change, effects: Effects) -> Verdict {
        if let Some(of) = effects.amends {
            let is_deleted = |event: &Event| matches!(event.body, Body::Delete { of: other, .. } if other == of);
            if of == 0 || of > self.events.len() as u64 || self.events.iter().any(is_deleted) {
                return Verdict::NoSuchEvent;
            }
        }
        let is_guests = matches!(change, Change::PublishOfGuest { .. });
        if let Some(event) = change.event_mut() {
            assert_eq!(event.id, 0, "the log gives the ids");
            event.id = self.events.len() as u64 + 1;
            if let Some((author, key)) = event.message_key().filter(|_| !is_guests) {
                let key = (author, key.clone());
                if let Some(&id) = self.keys.get(&key) {
                    return Verdict::Duplicate(id);
                }
                self.keys.insert(key, event.id);
            }
            self.last_time_ms = event.time_ms;
            match event.body {
                Body::Enter => assert!(self.present.insert(event.author), "a coming is told twice: {event:?}"),
                Body::Part => assert!(self.present.remove(&event.author), "a parting is told twice: {event:?}"),
                _ => (),
            }
            self.events.push(event.clone());
        }
        if let Change::Moderate(measure) = &*change
            && let Some(author) = measure.kicked()
        {
            self.present.remove(&author);
        }
        if let Change::Vacate { time_ms, .. } | Change::Open { time_ms } | Change::Place { opens: true, time_ms, .. } =
            change
        {
            self.last_time_ms = *time_ms;
        }
        if effects.is_versioned {
            self.version = by;
            self.tail.push((by, change.clone()));
        }
        Verdict::Appended
    }
}
