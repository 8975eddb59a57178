//! A journal over a simulated disk: late, in groups, failing, stuck, and losing what was not synced in a crash.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::journal::{Journal, MemoryJournal, Outcome};
use snugd::rooms::{
    AccountAction, AccountChange, AuthorId, Body, Change, Epoch, Event, Found, Left, MAX_PAGE_EVENTS, Measure,
    MessageKey, ModeChange, Mute, Newcomer, NodeId, Page, Proposal, ReadRequest, RoomCode, RoomRules, StoredAccount,
    StoredMember, StoredRoom, SyncId, Wanted, amend,
};

/// What survives a crash.
pub struct Disk {
    rooms: Vec<RoomOnDisk>,
    /// Events kept a room.
    history_events: u64,
    accounts: Vec<StoredAccount>,
    random: StdRng,
    misbehaves: bool,
    /// Nothing is done at this time.
    pub is_stuck: bool,
    /// It has as much to do as it takes.
    pub is_congested: bool,
    /// Pages that were read.
    pub readings: usize,
}

pub type SharedDisk = Rc<RefCell<Disk>>;

struct RoomOnDisk {
    code: RoomCode,
    epoch: Epoch,
    last_time_ms: u64,
    last_author: AuthorId,
    members: Vec<StoredMember>,
    left: Vec<Left>,
    rules: RoomRules,
    /// Every event that ever was, the first has the id 1.
    events: Vec<Event>,
}

impl Disk {
    pub fn new(seed: u64, history_events: usize) -> SharedDisk {
        let random = StdRng::seed_from_u64(seed);
        let history_events = history_events as u64;
        Rc::new(RefCell::new(Disk {
            rooms: Vec::new(),
            accounts: Vec::new(),
            history_events,
            random,
            misbehaves: true,
            is_stuck: false,
            is_congested: false,
            readings: 0,
        }))
    }

    /// From here on nothing fails any more, and everything is done at once.
    pub fn behave(&mut self) {
        self.misbehaves = false;
    }

    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// The accounts as they are found at a start.
    pub fn stored_accounts(&self) -> Vec<StoredAccount> {
        self.accounts.clone()
    }

    /// The rooms as they are found at a start.
    pub fn stored_rooms(&self) -> Vec<StoredRoom> {
        let stored = |room: &RoomOnDisk| StoredRoom {
            code: room.code,
            epoch: room.epoch,
            first_id: 1,
            last_id: room.events.len() as u64,
            last_time_ms: room.last_time_ms,
            last_author: room.last_author,
            files: room.events.iter().filter_map(|event| Some((event.id, event.body.file()?.clone()))).collect(),
            members: room.members.clone(),
            left: room.left.clone(),
            rules: room.rules.clone(),
        };
        self.rooms.iter().map(stored).collect()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.misbehaves && self.random.random_range(0..100) < percent
    }

    /// Writes a change. Returns whether it is possible: its room may have been refused.
    fn write(&mut self, proposal: &mut Proposal) -> bool {
        let Proposal { code, epoch, .. } = *proposal;
        if proposal.change == Change::Nothing {
            return true;
        }
        if let Change::Account(change) = &proposal.change {
            self.write_account(change);
            return true;
        }
        if proposal.change.opens() {
            let last_time_ms = match &proposal.change {
                Change::Open { time_ms } | Change::Place { time_ms, .. } => *time_ms,
                change => change.event().map_or(0, |event| event.time_ms),
            };
            let (last_author, members, left, events) = (AuthorId(0), Vec::new(), Vec::new(), Vec::new());
            let rules = RoomRules::default();
            self.rooms.push(RoomOnDisk { code, epoch, last_time_ms, last_author, members, left, rules, events });
        }
        let Some(place) = self.rooms.iter().position(|room| room.epoch == epoch) else { return false };
        let room = &mut self.rooms[place];
        match &proposal.change {
            Change::Place { newcomer, .. } => room.place(newcomer),
            Change::Enter { event, .. } => {
                if let Some(newcomer) = proposal.change.newcomer() {
                    room.place(&newcomer);
                }
                if let Some(member) = room.member_mut(event.author) {
                    (member.has_entered, member.via) = (true, event.via);
                }
            }
            Change::Publish { event } => {
                if let (Body::Nick { to }, Some(member)) = (&event.body, room.member_mut(event.author)) {
                    (member.name, member.account) = (to.clone(), None);
                }
            }
            Change::PublishOfGuest { event } => room.last_author = room.last_author.max(event.author),
            Change::Reconnect { author, via } => {
                if let Some(member) = room.member_mut(*author) {
                    member.via = *via;
                }
            }
            Change::Identify { author, account, token } => {
                if let Some(member) = room.member_mut(*author) {
                    member.account = Some(*account);
                    member.token = token.unwrap_or(member.token);
                }
            }
            Change::Vacate { author, may_return, time_ms, .. } => {
                room.last_time_ms = *time_ms;
                if let Some(member) = room.member_mut(*author) {
                    (member.is_placed, member.has_entered) = (false, false);
                }
                if !may_return {
                    room.leave(*author);
                }
            }
            Change::Moderate(measure) => room.moderate(measure),
            Change::CompleteBan { name, address } => {
                let bans = room.rules.bans.iter_mut().filter(|ban| ban.name == *name);
                bans.for_each(|ban| ban.address = Some(*address));
            }
            Change::End => drop(self.rooms.remove(place)),
            Change::Open { .. } | Change::Account(_) | Change::Nothing => (),
        }
        if let Some(event) = proposal.change.event_mut() {
            let room = &mut self.rooms[place];
            event.id = room.events.len() as u64 + 1;
            room.last_time_ms = event.time_ms;
            amend(&mut room.events, event);
            room.events.push(event.clone());
        }
        true
    }

    fn write_account(&mut self, change: &AccountChange) {
        let account = change.account;
        match &change.action {
            AccountAction::Add { name, hash } => {
                self.accounts.push(StoredAccount { account, name: name.clone(), hash: hash.clone() });
            }
            AccountAction::SetPassword(hash) => {
                let known = self.accounts.iter_mut().find(|known| known.account == account);
                if let Some(known) = known {
                    known.hash = Some(hash.clone());
                }
            }
            AccountAction::Remove => self.accounts.retain(|known| known.account != account),
            AccountAction::Nothing => (),
        }
        for room in &mut self.rooms {
            for member in &mut room.members {
                let bears = change.bearers.contains(&(room.epoch, member.author));
                let stays = bears && change.action != AccountAction::Remove;
                if stays {
                    member.account = Some(account);
                } else if member.account == Some(account) {
                    member.account = None;
                }
            }
        }
    }

    fn read(&mut self, request: &ReadRequest) -> Page {
        self.readings += 1;
        let Some(room) = self.rooms.iter().find(|room| room.epoch == request.epoch) else { return Page::default() };
        let first_kept = (room.events.len() as u64 + 1).saturating_sub(self.history_events);
        let kept = room.events.iter().filter(|event| event.id >= first_kept);
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
                kept.rev().filter(is_found).for_each(|event| found.push(event.clone()));
                (page.events, page.before) = found.finish(None);
                return page;
            }
        };
        if let Some(ids) = ids {
            page.events = kept.filter(|event| ids.contains(&event.id)).cloned().collect();
        }
        let message = |event: &Event| event.message_key().map(|(author, key)| (author, key.clone(), event.id));
        let is_wanted = |(author, key, _): &(AuthorId, MessageKey, u64)| {
            messages.iter().any(|wanted| wanted.0 == *author && wanted.1 == *key)
        };
        // Of those who may come back, what they said last is kept longer.
        page.messages = room.events.iter().filter_map(message).filter(is_wanted).collect();
        assert!(page.events.len().max(page.messages.len()) <= MAX_PAGE_EVENTS, "no command reads more: {request:?}");
        page
    }
}

impl RoomOnDisk {
    fn place(&mut self, newcomer: &Newcomer) {
        let Newcomer { author, token, ref name, via, account, becomes_operator } = *newcomer;
        let former = self.member_mut(author).map(|member| member.seniority);
        self.last_author = self.last_author.max(author);
        let seniority = former.unwrap_or(self.last_author);
        self.members.retain(|member| member.author != author);
        self.left.retain(|left| left.author != author && left.token != (&token).into());
        let (is_placed, has_entered) = (true, false);
        let (name, node) = (name.clone(), NodeId::ALONE);
        self.members.push(StoredMember { author, token, name, via, is_placed, has_entered, account, node, seniority });
        if becomes_operator {
            self.rules.operators.push(author);
            self.rules.operators.sort();
        }
    }

    fn leave(&mut self, author: AuthorId) {
        let left = self.member_mut(author).map(|member| Left { author, token: (&member.token).into() });
        self.left.extend(left);
        self.members.retain(|member| member.author != author);
        self.rules.operators.retain(|operator| *operator != author);
    }

    /// Makes what an operator does of what is on the disk, in ways of its own.
    fn moderate(&mut self, measure: &Measure) {
        let Measure { event, target, ban, key, .. } = measure;
        if let (Body::Kick { .. }, Some(target)) = (&event.body, target) {
            self.leave(*target);
        }
        let rules = &mut self.rules;
        if let Some(ban) = ban {
            rules.bans.retain(|other| other.until_ms > event.time_ms && other.name != ban.name);
            rules.bans.push(ban.clone());
        }
        if let Body::Topic { text } = &event.body {
            rules.topic.clone_from(text);
        }
        let Body::Mode { change } = &event.body else { return };
        match (change, target) {
            (ModeChange::Op(_), Some(target)) if !rules.operators.contains(target) => rules.operators.push(*target),
            (ModeChange::Deop(_), Some(target)) => rules.operators.retain(|operator| operator != target),
            (ModeChange::Mute { name, seconds }, Some(author)) => {
                let until_ms = seconds.map(|seconds| event.time_ms + 1000 * seconds);
                rules.mutes.retain(|mute| mute.author != *author);
                rules.mutes.push(Mute { author: *author, name: name.clone(), until_ms });
            }
            (ModeChange::Unmute(_), Some(target)) => rules.mutes.retain(|mute| mute.author != *target),
            (ModeChange::Unban(name), _) => rules.bans.retain(|ban| ban.name != *name),
            (ModeChange::Lock, _) => rules.is_locked = true,
            (ModeChange::Unlock, _) => rules.is_locked = false,
            (ModeChange::Key, _) => rules.key = *key,
            (ModeChange::Unkey, _) => rules.key = None,
            (ModeChange::Slow { seconds }, _) => rules.slow_seconds = *seconds,
            _ => (),
        }
        rules.operators.sort();
    }

    fn member_mut(&mut self, author: AuthorId) -> Option<&mut StoredMember> {
        self.members.iter_mut().find(|member| member.author == author)
    }
}

/// The journal over the disk, as long as the program lives.
pub struct SimJournal {
    disk: SharedDisk,
    /// Not synced yet, the oldest first.
    waiting: VecDeque<Proposal>,
    requests: VecDeque<ReadRequest>,
    /// Read, and on their way: by then there may be more on the disk.
    pages: Vec<Outcome>,
    /// Done, and not told yet.
    outcomes: VecDeque<Outcome>,
    is_failing: bool,
    /// Somebody else holds the file at this time.
    is_locked: bool,
    is_broken: bool,
}

impl SimJournal {
    pub fn new(disk: SharedDisk) -> SimJournal {
        SimJournal {
            disk,
            waiting: VecDeque::new(),
            requests: VecDeque::new(),
            pages: Vec::new(),
            outcomes: VecDeque::new(),
            is_failing: false,
            is_locked: false,
            is_broken: false,
        }
    }

    /// The program dies. What it was writing may have come through all the same.
    pub fn crash(&mut self) {
        let disk = Rc::clone(&self.disk);
        let mut disk = disk.borrow_mut();
        if !self.is_failing && disk.chance(50) {
            self.sync_group(&mut disk);
        }
    }

    /// Writes some of what waits, in order, all of it or nothing.
    fn sync_group(&mut self, disk: &mut Disk) {
        let most = self.waiting.len();
        let count = if disk.chance(70) { disk.random.random_range(0..=most) } else { most };
        for mut proposal in self.waiting.drain(..count) {
            self.outcomes.push_back(match disk.write(&mut proposal) {
                true => Outcome::Committed(proposal),
                false => Outcome::Refused(proposal),
            });
        }
    }

    /// Somebody else holds the file: everything waits, but for what can be committed early and relies on nothing that
    /// may still be refused.
    fn wait(&mut self) {
        let mut refusable: HashSet<(Epoch, Option<AuthorId>)> = HashSet::new();
        for proposal in &mut self.waiting {
            let author = match &proposal.change {
                Change::Publish { event } => Some(event.author),
                Change::Vacate { author, .. } => Some(*author),
                _ => None,
            };
            let relies = [None, author].iter().any(|author| refusable.contains(&(proposal.epoch, *author)));
            if proposal.is_refusable() {
                refusable.insert((proposal.epoch, author));
            } else if !relies {
                self.outcomes.extend(proposal.take_early().map(Outcome::Committed));
            }
        }
    }

    /// Fails to write some of what waits: what can be refused is; the others are tried again before anything else,
    /// but nobody waits for them.
    fn fail_group(&mut self, disk: &mut Disk) {
        let count = disk.random.random_range(0..=self.waiting.len());
        let later = self.waiting.split_off(count);
        for mut proposal in std::mem::take(&mut self.waiting) {
            if proposal.is_refusable() {
                self.outcomes.push_back(Outcome::Refused(proposal));
                continue;
            }
            self.outcomes.extend(proposal.take_early().map(Outcome::Committed));
            self.waiting.push_back(proposal);
        }
        self.waiting.extend(later);
    }

    fn work(&mut self) {
        let disk = Rc::clone(&self.disk);
        let mut disk = disk.borrow_mut();
        if disk.is_stuck || disk.chance(60) {
            return;
        }
        self.is_failing = if self.is_failing { !disk.chance(20) && disk.misbehaves } else { disk.chance(3) };
        self.is_locked = if self.is_locked { !disk.chance(20) && disk.misbehaves } else { disk.chance(3) };
        if self.is_failing {
            self.fail_group(&mut disk);
        } else if self.is_locked {
            self.wait();
        } else if !self.waiting.is_empty() && disk.chance(1) {
            // The sync itself has failed: some of it may be on the disk, and nobody can tell.
            if disk.chance(50) {
                self.sync_group(&mut disk);
                self.outcomes.clear();
            }
            self.is_broken = true;
            self.outcomes.push_back(Outcome::Broken("The disk has failed.".into()));
            return;
        } else {
            self.sync_group(&mut disk);
        }
        let count = if disk.misbehaves { disk.random.random_range(0..=self.requests.len()) } else { usize::MAX };
        for request in self.requests.drain(..count.min(self.requests.len())) {
            let page = if disk.chance(5) { None } else { Some(disk.read(&request)) };
            self.pages.push(Outcome::Read { request, page });
        }
        if !disk.chance(30) {
            self.outcomes.extend(self.pages.drain(..));
        }
    }
}

impl Journal for SimJournal {
    fn submit(&mut self, proposal: Proposal) {
        self.waiting.push_back(proposal);
    }

    fn read(&mut self, request: ReadRequest) {
        self.requests.push_back(request);
    }

    fn sync(&mut self, sync: SyncId) {
        self.outcomes.push_back(Outcome::Synced(sync));
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        if self.is_broken && self.outcomes.is_empty() {
            return None;
        }
        let is_idle = self.waiting.is_empty() && self.requests.is_empty() && self.pages.is_empty();
        let has_work = !is_idle || self.is_failing || self.is_locked;
        if self.outcomes.is_empty() && has_work {
            self.work();
        }
        // What is done is not always told at once.
        if self.disk.borrow_mut().chance(10) { None } else { self.outcomes.pop_front() }
    }

    fn is_congested(&self) -> bool {
        self.disk.borrow().is_congested
    }

    fn is_failing(&self) -> bool {
        self.is_failing
    }
}

/// The journal of one history, which notes what it commits.
pub struct AnyJournal {
    kind: Kind,
    /// Every change that was committed since the program was started, in order.
    committed: Vec<(RoomCode, Epoch, Change)>,
}

enum Kind {
    Memory(MemoryJournal),
    Disk(SimJournal),
}

impl AnyJournal {
    pub fn in_memory() -> AnyJournal {
        AnyJournal { kind: Kind::Memory(MemoryJournal::default()), committed: Vec::new() }
    }

    pub fn on(disk: SharedDisk) -> AnyJournal {
        AnyJournal { kind: Kind::Disk(SimJournal::new(disk)), committed: Vec::new() }
    }

    pub fn committed(&self) -> &[(RoomCode, Epoch, Change)] {
        &self.committed
    }

    /// The program dies.
    pub fn crash(&mut self) {
        if let Kind::Disk(journal) = &mut self.kind {
            journal.crash();
        }
    }

    fn inner(&mut self) -> &mut dyn Journal {
        match &mut self.kind {
            Kind::Memory(journal) => journal,
            Kind::Disk(journal) => journal,
        }
    }
}

impl Journal for AnyJournal {
    fn submit(&mut self, proposal: Proposal) {
        self.inner().submit(proposal);
    }

    fn read(&mut self, request: ReadRequest) {
        self.inner().read(request);
    }

    fn sync(&mut self, sync: SyncId) {
        self.inner().sync(sync);
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        let outcome = self.inner().take_outcome();
        if let Some(Outcome::Committed(proposal)) = &outcome {
            self.committed.push((proposal.code, proposal.epoch, proposal.remaining()));
        }
        outcome
    }

    fn is_congested(&self) -> bool {
        match &self.kind {
            Kind::Memory(journal) => journal.is_congested(),
            Kind::Disk(journal) => journal.is_congested(),
        }
    }

    fn is_failing(&self) -> bool {
        match &self.kind {
            Kind::Memory(journal) => journal.is_failing(),
            Kind::Disk(journal) => journal.is_failing(),
        }
    }
}
