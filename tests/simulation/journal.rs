//! A journal over a simulated disk: late, in groups, failing, stuck, and losing what was not synced in a crash.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::journal::{Journal, MemoryJournal, Outcome};
use snugd::rooms::{
    AuthorId, Body, Change, ConnectionId, Epoch, Event, Read, Reading, Record, RoomCode, StoredMember, StoredRoom,
};

/// What survives a crash.
pub struct Disk {
    rooms: Vec<RoomOnDisk>,
    /// Events kept a room.
    history_events: u64,
    random: StdRng,
    misbehaves: bool,
}

pub type SharedDisk = Rc<RefCell<Disk>>;

struct RoomOnDisk {
    code: RoomCode,
    epoch: Epoch,
    last_time_ms: u64,
    last_author: AuthorId,
    members: Vec<StoredMember>,
    /// Every event that ever was, the first has the id 1.
    events: Vec<Event>,
}

impl Disk {
    pub fn new(seed: u64, history_events: usize) -> SharedDisk {
        let random = StdRng::seed_from_u64(seed);
        let history_events = history_events as u64;
        Rc::new(RefCell::new(Disk { rooms: Vec::new(), history_events, random, misbehaves: true }))
    }

    /// From here on nothing fails any more, and everything is done at once.
    pub fn behave(&mut self) {
        self.misbehaves = false;
    }

    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// The rooms as they are found at a start.
    pub fn stored_rooms(&self) -> Vec<StoredRoom> {
        let stored = |room: &RoomOnDisk| StoredRoom {
            code: room.code,
            epoch: room.epoch,
            last_id: room.events.len() as u64,
            last_time_ms: room.last_time_ms,
            last_author: room.last_author,
            members: room.members.clone(),
        };
        self.rooms.iter().map(stored).collect()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.misbehaves && self.random.random_range(0..100) < percent
    }

    fn write(&mut self, record: &Record) {
        let change = record.change.clone();
        if let Change::Opened { code, time_ms } = change {
            let (epoch, members, events) = (record.epoch, Vec::new(), Vec::new());
            return self.rooms.push(RoomOnDisk {
                code,
                epoch,
                last_time_ms: time_ms,
                last_author: AuthorId(0),
                members,
                events,
            });
        }
        if change == Change::Nothing {
            return;
        }
        let place = self.rooms.iter().position(|room| room.epoch == record.epoch).expect("it was opened before");
        let room = &mut self.rooms[place];
        match change {
            Change::Placed { author, token, name, via } => {
                room.last_author = room.last_author.max(author);
                room.members.retain(|member| member.author != author);
                let member = StoredMember { author, token, name, via, is_placed: true, has_entered: false };
                room.members.push(member);
            }
            Change::Happened { mut event, .. } => {
                event.id = room.events.len() as u64 + 1;
                room.last_time_ms = event.time_ms;
                if let Some(member) = room.members.iter_mut().find(|member| member.author == event.author) {
                    match &event.body {
                        Body::Enter => (member.has_entered, member.via) = (true, event.via),
                        Body::Part => member.has_entered = false,
                        Body::Nick { to } => member.name = to.clone(),
                        Body::Message { .. } => (),
                    }
                }
                room.events.push(event);
            }
            Change::Vacated { author, may_return: true, time_ms } => {
                room.last_time_ms = time_ms;
                let mut member = room.members.iter_mut().find(|member| member.author == author);
                member.iter_mut().for_each(|member| member.is_placed = false);
            }
            Change::Vacated { author, may_return: false, time_ms } => {
                room.last_time_ms = time_ms;
                room.members.retain(|member| member.author != author);
            }
            Change::Ended => {
                self.rooms.remove(place);
            }
            Change::Opened { .. } | Change::Nothing => (),
        }
    }

    fn read(&self, reading: Reading) -> Read {
        let Some(room) = self.rooms.iter().find(|room| room.epoch == reading.epoch) else { return Read::default() };
        let first_kept = (room.events.len() as u64 + 1).saturating_sub(self.history_events);
        let kept = || room.events.iter().filter(|event| event.id >= first_kept);
        let wanted = reading.first_id..=reading.last_id;
        let events = kept().filter(|event| wanted.contains(&event.id)).cloned().collect();
        let said = |event: &Event| match &event.body {
            Body::Message { cid: Some(cid), .. } => Some((event.id, event.author, cid.clone())),
            _ => None,
        };
        let said = if reading.wants_said { kept().filter_map(said).collect() } else { Vec::new() };
        Read { events, said }
    }
}

/// The journal over the disk, as long as the program lives.
pub struct SimJournal {
    disk: SharedDisk,
    /// Not synced yet, the oldest first.
    waiting: VecDeque<Record>,
    readings: VecDeque<(ConnectionId, Reading)>,
    /// Done, and not told yet.
    outcomes: VecDeque<Outcome>,
    is_failing: bool,
    is_broken: bool,
}

impl SimJournal {
    pub fn new(disk: SharedDisk) -> SimJournal {
        SimJournal {
            disk,
            waiting: VecDeque::new(),
            readings: VecDeque::new(),
            outcomes: VecDeque::new(),
            is_failing: false,
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
        for record in self.waiting.drain(..count) {
            disk.write(&record);
            self.outcomes.push_back(Outcome::Kept(record));
        }
    }

    /// Fails to write some of what waits: what can be refused is; the others are tried again before anything else,
    /// but nobody waits for them.
    fn fail_group(&mut self, disk: &mut Disk) {
        let count = disk.random.random_range(0..=self.waiting.len());
        let later = self.waiting.split_off(count);
        for mut record in std::mem::take(&mut self.waiting) {
            if record.is_refusable() {
                self.outcomes.push_back(Outcome::Refused(record));
                continue;
            }
            self.outcomes.extend(record.take_sequel().map(Outcome::Kept));
            self.waiting.push_back(record);
        }
        self.waiting.extend(later);
    }

    fn work(&mut self) {
        let disk = Rc::clone(&self.disk);
        let mut disk = disk.borrow_mut();
        if disk.chance(60) {
            return;
        }
        self.is_failing = if self.is_failing { !disk.chance(20) && disk.misbehaves } else { disk.chance(3) };
        if self.is_failing {
            self.fail_group(&mut disk);
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
        let count = if disk.misbehaves { disk.random.random_range(0..=self.readings.len()) } else { usize::MAX };
        for (connection, reading) in self.readings.drain(..count.min(self.readings.len())) {
            let read = if disk.chance(5) { None } else { Some(disk.read(reading)) };
            self.outcomes.push_back(Outcome::Read { connection, reading, read });
        }
    }
}

impl Journal for SimJournal {
    fn submit(&mut self, record: Record) {
        self.waiting.push_back(record);
    }

    fn read(&mut self, connection: ConnectionId, reading: Reading) {
        self.readings.push_back((connection, reading));
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        if self.is_broken && self.outcomes.is_empty() {
            return None;
        }
        let has_work = !self.waiting.is_empty() || !self.readings.is_empty() || self.is_failing;
        if self.outcomes.is_empty() && has_work {
            self.work();
        }
        // What is done is not always told at once.
        if self.disk.borrow_mut().chance(10) { None } else { self.outcomes.pop_front() }
    }

    fn is_stuck(&self) -> bool {
        self.is_failing
    }
}

/// The journal of one history.
pub enum AnyJournal {
    Memory(MemoryJournal),
    Disk(SimJournal),
}

impl AnyJournal {
    /// The program dies.
    pub fn crash(&mut self) {
        if let AnyJournal::Disk(journal) = self {
            journal.crash();
        }
    }
}

impl Journal for AnyJournal {
    fn submit(&mut self, record: Record) {
        match self {
            AnyJournal::Memory(journal) => journal.submit(record),
            AnyJournal::Disk(journal) => journal.submit(record),
        }
    }

    fn read(&mut self, connection: ConnectionId, reading: Reading) {
        match self {
            AnyJournal::Memory(journal) => journal.read(connection, reading),
            AnyJournal::Disk(journal) => journal.read(connection, reading),
        }
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        match self {
            AnyJournal::Memory(journal) => journal.take_outcome(),
            AnyJournal::Disk(journal) => journal.take_outcome(),
        }
    }

    fn is_stuck(&self) -> bool {
        match self {
            AnyJournal::Memory(journal) => journal.is_stuck(),
            AnyJournal::Disk(journal) => journal.is_stuck(),
        }
    }
}
