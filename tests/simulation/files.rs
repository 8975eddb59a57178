//! Files that are shared while the journal is late, fails and gets stuck, the store of files delays, fails and fills up,
//! and the program crashes: no event that is committed names a file that the store has lost, and in the end the store
//! holds nothing that no event names.
//!
//! No sockets: the rooms, the journal over the disk, a store, and what stands between them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::files::{Content, FileDone, FileJob, FileStore, UploadId};
use snugd::journal::{Journal, Outcome};
use snugd::options::Limits;
use snugd::rooms::{
    Address, Caller, Command, ConnectionId, Delivery, EncoderId, FileId, FileName, Join, JoinTarget, Kind, Membership,
    MessageKey, MessageRef, Name, Reply, RoomCode, RoomCommand, RoomRef, Rooms, Share, SharedFile, Sharer, Text, Token,
    Via,
};
use snugd::time::Now;

use super::folder::SharedFolder;
use super::journal::{Disk, SharedDisk, SimJournal};
use super::several::TaggedLines;

const STEPS: u32 = 300;

/// Rounds in which everything comes to rest.
const SETTLING_ROUNDS: u32 = 1_000;

/// Nobody looks at what is sent.
struct Unread;

impl Delivery for Unread {
    fn write(&mut self, _connection: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, _connection: ConnectionId, _entry: &[u8]) {}
}

struct Upload {
    share: Share,
    file: FileId,
}

struct World {
    disk: SharedDisk,
    journal: SimJournal,
    rooms: Rooms,
    store: SharedFolder,
    uploads: BTreeMap<u64, Upload>,
    /// Ana and ben, each over one connection at a time.
    members: [Option<(ConnectionId, Membership)>; 2],
    tokens: [Option<Token>; 2],
    joining: BTreeMap<u64, usize>,
    connections: u64,
    limits: Limits,
    memory_events: usize,
    random: StdRng,
    now: Now,
    shared: usize,
}

fn kxqt() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = StdRng::seed_from_u64(seed);
        let history_events = if random.random_bool(0.5) { random.random_range(5..40) } else { 1000 };
        let limits = Limits { history_events, create_rate: 0, join_rate: 0, rate: 0, ..Limits::default() };
        let disk = Disk::new(random.random(), history_events);
        let store = SharedFolder::new(random.random(), usize::MAX);
        let mut world = World {
            journal: SimJournal::new(Rc::clone(&disk)),
            rooms: Rooms::new(limits.clone(), vec![Box::new(TaggedLines)], StdRng::seed_from_u64(seed)),
            disk,
            store,
            uploads: BTreeMap::new(),
            members: [None, None],
            tokens: [None, None],
            joining: BTreeMap::new(),
            connections: 0,
            limits,
            memory_events: random.random_range(1..40),
            random,
            now: Now { steady_ms: 1_000, wall_ms: 1_700_000_000_000 },
            shared: 0,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let random = StdRng::seed_from_u64(self.random.random());
        self.journal = SimJournal::new(Rc::clone(&self.disk));
        self.rooms = Rooms::new(self.limits.clone(), vec![Box::new(TaggedLines)], random);
        self.rooms.rely_on_journal_beyond(self.memory_events);
        self.rooms.restore(self.disk.borrow().stored_rooms(), self.now);
        let named = self.named();
        self.store.0.borrow_mut().start(&named);
    }

    fn crash(&mut self) {
        self.journal.crash();
        self.store.0.borrow_mut().crash();
        self.uploads.clear();
        self.joining.clear();
        self.members = [None, None];
        self.start();
    }

    fn named(&self) -> BTreeSet<FileId> {
        self.rooms.files().map(|file| file.id).collect()
    }

    fn connect(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    fn caller(connection: ConnectionId) -> Caller {
        // So many addresses that nobody shares too much.
        let address = Address::from_bits(connection.0);
        Caller { connection, address, via: Via::Web, encoder: EncoderId(0) }
    }

    fn execute(&mut self, connection: ConnectionId, command: Command) {
        let memberships = self.memberships(connection);
        let _ = self.rooms.execute(&World::caller(connection), &memberships, command, self.now, &mut Unread);
    }

    fn memberships(&self, connection: ConnectionId) -> Vec<Membership> {
        let own = self.members.iter().flatten().filter(|(other, _)| *other == connection);
        own.map(|(_, membership)| *membership).collect()
    }

    fn step(&mut self) {
        self.now.steady_ms += 10;
        self.now.wall_ms += 10;
        let member = self.random.random_range(0..2);
        match (self.random.random_range(0..100), self.members[member]) {
            (0..2, _) => self.crash(),
            (2..30, None) if !self.joining.values().any(|joining| *joining == member) => self.join(member),
            (2..20, Some((connection, _))) => {
                let of = match self.random.random_bool(0.5) {
                    true => MessageRef::Last,
                    false => MessageRef::Id(self.random.random_range(1..60)),
                };
                self.execute(connection, Command::In(RoomRef::Only, RoomCommand::Delete { of, cid: None }));
            }
            (20..35, Some((connection, _))) => {
                let (kind, text) = (Kind::Say, Text::clean("hello", 100).expect("a text"));
                let say = RoomCommand::Say { kind, text, cid: None, reply_to: None };
                self.execute(connection, Command::In(RoomRef::Only, say));
            }
            (35..70, _) => self.begin_upload(member),
            _ => (),
        }
        self.round();
    }

    fn join(&mut self, member: usize) {
        let connection = self.connect();
        self.joining.insert(connection.0, member);
        let join = Join {
            target: JoinTarget::CodeOrNew(kxqt()),
            stays_elsewhere: false,
            name: Name::parse(["ana", "ben"][member]),
            keeps_name: false,
            token: self.tokens[member],
            since: None,
            epoch: None,
            key: None,
        };
        self.execute(connection, Command::Join(Box::new(join)));
    }

    fn begin_upload(&mut self, member: usize) {
        let connection = self.connect();
        let sharer = match (self.tokens[member], self.random.random_range(0..3)) {
            (Some(token), 0..2) => Sharer::Member(token),
            _ => Sharer::Nameless,
        };
        let cid = MessageKey::parse(&self.random.random_range(0..30).to_string());
        let share = Share { code: kxqt(), sharer, key: None, cid, text: None };
        let file = FileId::random(&mut self.random);
        self.uploads.insert(connection.0, Upload { share: share.clone(), file });
        self.execute(connection, Command::CheckShare(Box::new(share)));
    }

    /// What the loop does in a turn.
    fn round(&mut self) {
        self.rooms.set_journal_failing(self.journal.is_failing());
        while let Some(proposal) = self.rooms.take_proposal() {
            self.journal.submit(proposal);
        }
        while let Some(request) = self.rooms.take_read_request() {
            self.journal.read(request);
        }
        self.journal.dispatch(self.now);
        while let Some(outcome) = self.journal.take_outcome() {
            match outcome {
                Outcome::Committed(proposal) => drop(self.rooms.commit(proposal, self.now, &mut Unread)),
                Outcome::Refused(proposal) => self.rooms.refuse(proposal, self.now),
                Outcome::Read { request, page } => self.rooms.page_in(request, page),
                Outcome::Broken(_) => return self.crash(),
                other => panic!("one node alone is told {other:?}"),
            }
        }
        while let Some(resumed) = self.rooms.take_resumed() {
            let (caller, memberships) = (World::caller(resumed.connection), self.memberships(resumed.connection));
            let _ = self.rooms.resume(&caller, &memberships, resumed, self.now, &mut Unread);
        }
        while let Some((connection, reply)) = self.rooms.take_reply() {
            self.take_reply(connection, reply);
        }
        while let Some(done) = self.store.take_done() {
            match done {
                FileDone::Stored { upload, content } => self.share(upload, content),
                FileDone::Failed { upload, .. } => drop(self.uploads.remove(&upload.0)),
                other => panic!("nobody asked for {other:?}"),
            }
        }
        while let Some(id) = self.rooms.take_released_file() {
            self.store.submit(FileJob::Remove { id });
        }
        let folder = self.store.0.borrow();
        let is_gone = |file: &&SharedFile| folder.file(file.id).is_none();
        assert_eq!(self.rooms.files().find(is_gone), None, "an event names a file that is gone");
    }

    fn share(&mut self, upload: UploadId, content: Content) {
        let Upload { share, file } = &self.uploads[&upload.0];
        let Content { size_bytes, file_type, dimensions } = content;
        let file = SharedFile { id: *file, name: FileName::clean("plan.pdf"), size_bytes, file_type, dimensions };
        let command = Command::Share(Box::new(share.clone()), Box::new(file));
        self.execute(ConnectionId(upload.0), command);
    }

    fn take_reply(&mut self, connection: ConnectionId, reply: Reply) {
        match reply {
            Reply::Joined { membership, token, .. } => {
                let member = self.joining.remove(&connection.0).expect("it has asked for it");
                (self.members[member], self.tokens[member]) = (Some((connection, membership)), Some(token));
            }
            Reply::ShareAllowed => {
                let (upload, id) = (UploadId(connection.0), self.uploads[&connection.0].file);
                self.store.submit(FileJob::Finish { upload, id });
            }
            Reply::Shared { is_new, file, .. } => {
                let upload = self.uploads.remove(&connection.0).expect("it waits for it");
                assert_eq!(is_new, file.id == upload.file, "what is new is what was sent");
                self.shared += usize::from(is_new);
            }
            Reply::Refused { is_answer: true, .. } => {
                self.uploads.remove(&connection.0);
                self.joining.remove(&connection.0);
            }
            Reply::TakenOver { membership } => {
                for member in self.members.iter_mut().filter(|member| **member == Some((connection, membership))) {
                    *member = None;
                }
            }
            _ => (),
        }
    }

    fn settle(&mut self) {
        self.disk.borrow_mut().behave();
        self.store.0.borrow_mut().behave();
        for _ in 0..SETTLING_ROUNDS {
            self.now.steady_ms += 10;
            self.round();
        }
        assert!(self.uploads.is_empty(), "an upload waits for ever");
        let kept = |last_id: u64| (last_id + 1).saturating_sub(self.limits.history_events as u64);
        let on_disk = self.disk.borrow().stored_rooms().into_iter().flat_map(|room| {
            let first_id = kept(room.last_id);
            room.files.into_iter().filter(move |(id, _)| *id >= first_id).map(|(_, file)| file.id)
        });
        let on_disk: BTreeSet<FileId> = on_disk.collect();
        assert_eq!(self.named(), on_disk, "the files whose events are kept are known");
        assert_eq!(self.store.0.borrow().files(), on_disk, "the store holds those and no others");
    }
}

#[test]
fn no_file_is_lost_and_none_is_left() {
    let mut shared = 0;
    for seed in 0..200 {
        let result = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
            world.settle();
            world.shared
        });
        match result {
            Ok(count) => shared += count,
            Err(panic) => {
                eprintln!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(shared > 1_000, "files are shared: {shared}");
}
