//! Those who share files and fetch them, over HTTP, in the rooms of everybody else: with a length, in chunks, in forms,
//! as members and as guests; some break off, some stop in the middle, some read slowly.
//!
//! What is looked at: an event that the rooms keep names a file that is stored whole; what was acknowledged is there as
//! long as its event is; what one upload holds in memory has a bound; and in the end nothing is stored, and nothing
//! counted, that no event names.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use snugd::files::FileLimits;
use snugd::reactor::Port;
use snugd::rooms::{FileId, Rooms};

use crate::folder::SharedFolder;
use crate::history::{History, Life};
use crate::net::SharedWorld;

/// Of one file that arrives: what is being written, and the chunk behind that.
const MOST_HELD_BYTES: usize = 128 * 1024;

/// What a disk takes for a file at least.
const LEAST_BYTES: u64 = 4096;

/// Bytes in the largest file that anybody tries to share. Few are so large.
const LARGEST_BYTES: usize = 300_000;

const BOUNDARY: &str = "--bound";

/// What anybody may be told who shares or fetches a file while all goes wrong.
const STATUSES: [u16; 15] = [100, 200, 201, 206, 401, 403, 404, 408, 409, 413, 416, 429, 500, 503, 507];

/// Everything about files in one history.
pub struct Sharing {
    pub folder: SharedFolder,
    pub limits: FileLimits,
    sharers: Vec<Sharer>,
    /// What was sent under each name.
    sent: BTreeMap<String, Rc<[u8]>>,
    /// Files that an event named, and that were stored as they were sent.
    checked: BTreeSet<FileId>,
    acknowledged: Vec<Acknowledged>,
    /// How often the rooms were lost so far.
    losses: u32,
    /// Downloads from here on arrive whole, if there is anything to be loaded.
    behaves: bool,
    downloads: usize,
}

/// A file of which somebody was told that it is shared.
struct Acknowledged {
    room: String,
    id: FileId,
    /// The event by which it is shared. A terminal is not told.
    event: Option<u64>,
    path: String,
    name: String,
    losses: u32,
}

/// Somebody with one connection at a time.
#[derive(Default)]
struct Sharer {
    socket: Option<usize>,
    task: Task,
    received: Vec<u8>,
    /// What may or may not be shared, and can be shared again.
    unsure: Option<Draft>,
}

#[derive(Default)]
enum Task {
    #[default]
    Nothing,
    Upload(Upload),
    Download(Download),
}

/// What somebody wants to share.
#[derive(Clone)]
struct Draft {
    room: String,
    name: String,
    /// As this member, who may share it again; otherwise as a guest.
    token: Option<String>,
}

struct Upload {
    draft: Draft,
    request: Vec<u8>,
    sent: usize,
    /// Where it breaks off, or says no more.
    end: End,
    /// The server has to say that it goes on before the body is sent: this is where that begins.
    waits_at: Option<usize>,
    /// Of a body that is the file itself: bytes that the server had taken before.
    body_begins_at: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    BreaksOff(usize),
    Stalls(usize),
}

struct Download {
    id: FileId,
    expected: Vec<u8>,
    is_range: bool,
}

/// A member as whom files can be shared: the room, and the token.
pub type Known = (String, String);

impl Sharing {
    pub fn draw(random: &mut StdRng) -> Option<Sharing> {
        if !random.random_bool(0.4) {
            return None;
        }
        let capacity_bytes = if random.random_bool(0.3) { random.random_range(100_000..600_000) } else { usize::MAX };
        let all_bytes = random.random_range(300_000..3_000_000);
        Some(Sharing {
            folder: SharedFolder::new(random.random(), capacity_bytes),
            limits: FileLimits { file_bytes: 200_000, all_bytes },
            sharers: (0..random.random_range(2..7)).map(|_| Sharer::default()).collect(),
            sent: BTreeMap::new(),
            checked: BTreeSet::new(),
            acknowledged: Vec::new(),
            losses: 0,
            behaves: false,
            downloads: 0,
        })
    }

    /// The rooms did not outlive the program.
    pub fn note_loss(&mut self) {
        self.losses += 1;
    }

    /// From here on nothing goes wrong any more, and nobody begins anything.
    pub fn behave(&mut self, world: &SharedWorld) {
        self.behaves = true;
        self.folder.0.borrow_mut().behave();
        for sharer in &mut self.sharers {
            // What went wrong before may still show.
            sharer.break_off(world);
        }
    }

    // ---- what they do

    /// One of them does one thing.
    pub fn step(&mut self, known: &[Known], world: &SharedWorld, random: &mut StdRng) {
        let number = random.random_range(0..self.sharers.len());
        let mut folder = self.folder.0.borrow_mut();
        folder.is_stuck =
            !self.behaves && if folder.is_stuck { random.random_bool(0.8) } else { random.random_bool(0.03) };
        drop(folder);
        match (&self.sharers[number].task, random.random_range(0..100)) {
            (Task::Nothing, 0..15) if !self.acknowledged.is_empty() => self.begin_download(number, world, random),
            (Task::Nothing, _) => self.begin_upload(number, known, world, random),
            (_, 0..1) => self.sharers[number].break_off(world),
            (_, 1..50) => self.sharers[number].send(world, random),
            _ => {
                let limit = if random.random_bool(0.5) { random.random_range(1..5_000) } else { usize::MAX };
                self.read(number, limit, world);
            }
        }
    }

    /// All of them finish what they have begun, and each that is there still fetches a file.
    pub fn go_on(&mut self, world: &SharedWorld, random: &mut StdRng) {
        for number in 0..self.sharers.len() {
            if matches!(self.sharers[number].task, Task::Nothing) && self.downloads < 3 {
                self.begin_download(number, world, random);
            }
            self.sharers[number].send(world, random);
            self.read(number, usize::MAX, world);
        }
    }

    /// Whether nobody waits for anything.
    pub fn is_settled(&self) -> bool {
        self.sharers.iter().all(|sharer| matches!(sharer.task, Task::Nothing)) && self.folder.0.borrow().is_idle()
    }

    fn begin_upload(&mut self, number: usize, known: &[Known], world: &SharedWorld, random: &mut StdRng) {
        let Some((room, token)) = known.get(random.random_range(0..known.len().max(1))) else { return };
        let sharer = &mut self.sharers[number];
        let draft = sharer.unsure.take().filter(|_| random.random_bool(0.8)).unwrap_or_else(|| {
            let token = random.random_bool(0.6).then(|| token.clone());
            Draft { room: room.clone(), name: format!("u{}.bin", self.sent.len()), token }
        });
        let content = self.sent.entry(draft.name.clone()).or_insert_with(|| {
            let most = if random.random_bool(0.3) { LARGEST_BYTES } else { 20_000 };
            let length = random.random_range(0..most);
            let first = format!("{}:", draft.name).into_bytes();
            first.into_iter().chain((0..length).map(|place| (place % 251) as u8)).collect()
        });
        sharer.connect(world, random);
        sharer.begin_upload(draft, content, world, random);
    }

    fn begin_download(&mut self, number: usize, world: &SharedWorld, random: &mut StdRng) {
        let Some(file) = self.acknowledged.get(random.random_range(0..self.acknowledged.len().max(1))) else { return };
        self.downloads += 1;
        let content = &self.sent[&file.name];
        let range = random.random_bool(0.4).then(|| {
            let first = random.random_range(0..content.len());
            first..random.random_range(first + 1..=content.len())
        });
        let field = range
            .as_ref()
            .map_or_else(String::new, |range| format!("Range: bytes={}-{}\r\n", range.start, range.end - 1));
        let request = format!("GET {} HTTP/1.1\r\nHost: h\r\n{field}\r\n", file.path);
        let expected = range.clone().map_or(&content[..], |range| &content[range]).to_vec();
        let download = Download { id: file.id, expected, is_range: range.is_some() };
        let sharer = &mut self.sharers[number];
        let socket = sharer.connect(world, random);
        world.borrow_mut().send(socket, request.as_bytes());
        sharer.task = Task::Download(download);
    }

    /// Reads at most so many bytes of what has come for one of them.
    fn read(&mut self, number: usize, limit: usize, world: &SharedWorld) {
        let sharer = &mut self.sharers[number];
        let Some(socket) = sharer.socket else { return };
        let bytes = world.borrow_mut().receive(socket, limit);
        sharer.received.extend(bytes);
        let is_over = world.borrow().is_over(socket);
        while let Some((head, rest)) = sharer.response() {
            let status: u16 = head[9..12].parse().expect("a status");
            assert!(STATUSES.contains(&status), "{head}");
            if status == 100 {
                sharer.received = rest;
                if let Task::Upload(upload) = &mut sharer.task {
                    upload.waits_at = None;
                }
                continue;
            }
            let length: usize = field(&head, "Content-Length").expect("a length").parse().expect("a number");
            let is_whole = rest.len() >= length;
            if let Task::Download(download) = &sharer.task {
                download.check(&head, status, &rest, is_whole || is_over && self.behaves, &self.folder);
            }
            if !is_whole {
                break;
            }
            assert_eq!(rest.len(), length, "one answer to one request");
            match std::mem::take(&mut sharer.task) {
                Task::Upload(upload) => {
                    let Draft { room, name, token } = &upload.draft;
                    if matches!(status, 200 | 201) {
                        assert!(status == 201 || token.is_some(), "nobody has shared it before: {head}");
                        let path = field(&head, "Location").expect("it says where").to_owned();
                        let id = path.split('/').nth(3).and_then(FileId::parse).expect("an id");
                        let event = serde_json::from_slice(&rest).ok().and_then(|told: Value| told["id"].as_u64());
                        let (room, name, losses) = (room.clone(), name.clone(), self.losses);
                        self.acknowledged.push(Acknowledged { room, id, event, path, name, losses });
                    } else if token.is_some() && matches!(status, 408 | 429 | 503 | 507) {
                        sharer.unsure = Some(upload.draft);
                    }
                    if upload.sent < upload.request.len() {
                        // The rest would be taken for a request.
                        sharer.break_off(world);
                    }
                }
                Task::Download(_) | Task::Nothing => (),
            }
            sharer.received.clear();
            break;
        }
        if is_over {
            let whether_it_came = |sharer: &Sharer| !matches!(&sharer.task, Task::Download(_)) || !self.behaves;
            assert!(whether_it_came(sharer), "a download is broken off, and nothing goes wrong");
            sharer.lose();
        }
    }

    /// Files that were acknowledged.
    pub fn shared(&self) -> usize {
        self.acknowledged.len()
    }

    // ---- what has to hold

    /// What is so at any time.
    pub fn check(&mut self, rooms: &Rooms, world: &SharedWorld) {
        let folder = self.folder.0.borrow();
        for file in rooms.files() {
            let stored = folder.file(file.id).expect("an event names a file that is gone");
            if self.checked.insert(file.id) {
                assert!(stored == &self.sent[file.name.as_str()][..], "{} is stored as it was sent", file.name);
                assert_eq!(file.size_bytes, stored.len() as u64, "{} is as large as is told", file.name);
            }
        }
        for sharer in &self.sharers {
            let (Some(socket), Task::Upload(upload)) = (sharer.socket, &sharer.task) else { continue };
            let Some(body_begins_at) = upload.body_begins_at else { continue };
            let first = format!("{}:", upload.draft.name);
            let Some(stored) = folder.parts().find(|part| part.starts_with(first.as_bytes())) else { continue };
            let taken_bytes = world.borrow().taken_bytes(socket).saturating_sub(body_begins_at);
            let held_bytes = taken_bytes.saturating_sub(stored.len());
            assert!(held_bytes <= MOST_HELD_BYTES, "{held_bytes} bytes of one file are held in memory");
        }
    }

    /// What is so when all has come to rest. `used_bytes`: what is counted of all files.
    pub fn check_rest(&self, rooms: &Rooms, used_bytes: u64, history: &History, history_events: u64) {
        let named: BTreeMap<FileId, u64> = rooms.files().map(|file| (file.id, file.size_bytes)).collect();
        let folder = self.folder.0.borrow();
        assert_eq!(folder.files(), named.keys().copied().collect(), "what is stored is what events name");
        assert_eq!(folder.parts().count(), 0, "half a file is left");
        let expected: u64 = named.values().map(|bytes| (*bytes).max(LEAST_BYTES)).sum();
        assert_eq!(used_bytes, expected, "what is counted is what is kept");
        let missing = |file: &&Acknowledged| file.losses == self.losses && !named.contains_key(&file.id);
        let missing: Vec<&Acknowledged> = self.acknowledged.iter().filter(missing).collect();
        let rooms: BTreeSet<&str> = missing.iter().map(|file| file.room.as_str()).collect();
        for room in rooms.into_iter().filter(|room| history.lives_of(room) == 1) {
            self.check_missing(room, missing.iter().filter(|file| file.room == room), history, history_events);
        }
    }

    /// What was acknowledged in a room and is gone was deleted, or is too old.
    fn check_missing<'a>(
        &self,
        room: &str,
        missing: impl Iterator<Item = &'a &'a Acknowledged>,
        history: &History,
        history_events: u64,
    ) {
        if history.last_id_in(room) > history_events {
            return;
        }
        let (deleted, gone) = (history.deleted_in(room), history.gone_files());
        let told: BTreeSet<u64> =
            self.acknowledged.iter().filter(|file| file.room == room).filter_map(|file| file.event).collect();
        // Of what was deleted before anybody was told what it was, each may have been one file.
        let unknown = deleted.iter().filter(|(id, event)| !event.is_known && event.cid.is_none() && !told.contains(id));
        let mut unknown: usize = unknown.count();
        for Acknowledged { id, event, name, .. } in missing {
            let may_be_gone = match event {
                Some(event) => deleted.contains_key(event),
                None if gone.contains(&id.to_string()) => true,
                None if unknown > 0 => {
                    unknown -= 1;
                    true
                }
                None => false,
            };
            assert!(may_be_gone, "{name} was acknowledged as {event:?} in {room}, and is gone");
        }
    }

    /// What is so when all the rooms have ended.
    pub fn check_nothing_is_left(&self, used_bytes: u64) {
        let folder = self.folder.0.borrow();
        assert_eq!((folder.files().len(), folder.parts().count(), used_bytes), (0, 0, 0), "files outlive their rooms");
    }

    /// What members have seen, in the whole history.
    pub fn check_history(&self, history: &History) {
        let mut times: BTreeMap<(Life, String), BTreeSet<u64>> = BTreeMap::new();
        for (life, event) in history.files() {
            let text = |field: &str| event["file"][field].as_str().expect("a text");
            let id = FileId::parse(text("id")).expect("an id");
            let content = &self.sent[event["file"]["name"].as_str().expect("a text")];
            let was_stored = self.folder.0.borrow().was_stored(id, content);
            assert!(was_stored, "{life:?}: it was never stored as it was sent: {event}");
            assert_eq!(event["file"]["size"], content.len(), "{life:?}: {event}");
            let events = times.entry((life.clone(), text("name").to_owned())).or_default();
            events.insert(event["id"].as_u64().expect("an id"));
        }
        let twice = times.iter().find(|(_, events)| events.len() > 1);
        assert_eq!(twice, None, "shared twice");
    }
}

impl Sharer {
    /// The connection that it has, or a new one.
    fn connect(&mut self, world: &SharedWorld, random: &mut StdRng) -> usize {
        if random.random_bool(0.5) {
            self.break_off(world);
        }
        *self.socket.get_or_insert_with(|| world.borrow_mut().connect(Port::Web))
    }

    fn begin_upload(&mut self, draft: Draft, content: &[u8], world: &SharedWorld, random: &mut StdRng) {
        let Draft { room, name, token } = &draft;
        let is_terminal = token.is_none() && random.random_bool(0.4);
        let is_form = !is_terminal && random.random_bool(0.4);
        let is_chunked = random.random_bool(0.4);
        let expects = random.random_bool(0.3);
        let who = match token {
            Some(token) => format!("Authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let target = match (token, is_terminal) {
            _ if is_terminal => format!("PUT /{room}/{name}"),
            (Some(_), _) => format!("POST /api/v1/rooms/{room}/files?name={name}&cid={name}"),
            // Of guests, each is another one.
            (None, _) => format!("POST /api/v1/rooms/{room}/files?name={name}&as=guest-{}", random.random::<u16>()),
        };
        let body = match is_form {
            false => content.to_vec(),
            true => {
                let disposition = "Content-Disposition: form-data; name=\"file\"; filename=\"another\"";
                let head = format!("--{BOUNDARY}\r\n{disposition}\r\n\r\n");
                [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
            }
        };
        let mut head = format!("{target} HTTP/1.1\r\nHost: h\r\n{who}");
        if is_form {
            head += &format!("Content-Type: multipart/form-data; boundary=\"{BOUNDARY}\"\r\n");
        }
        if expects {
            head += "Expect: 100-continue\r\n";
        }
        head += &match is_chunked {
            true => "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
            false => format!("Content-Length: {}\r\n\r\n", body.len()),
        };
        let head_bytes = head.len();
        let mut request = head.into_bytes();
        match is_chunked {
            true => request.extend(in_chunks(&body, random)),
            false => request.extend(body),
        }
        let place = random.random_range(0..=request.len());
        let end = match random.random_range(0..30) {
            0..3 => End::BreaksOff(place),
            3 => End::Stalls(place),
            _ => End::Whole,
        };
        let taken_before = self.socket.map_or(0, |socket| world.borrow().sent_bytes(socket));
        let body_begins_at = (!is_form && !is_chunked).then_some(taken_before + head_bytes);
        self.received.clear();
        let waits_at = expects.then_some(head_bytes);
        self.task = Task::Upload(Upload { draft, request, sent: 0, end, waits_at, body_begins_at });
    }

    /// Sends some of what it has to send.
    fn send(&mut self, world: &SharedWorld, random: &mut StdRng) {
        let (Some(socket), Task::Upload(upload)) = (self.socket, &mut self.task) else { return };
        let most = if random.random_bool(0.5) { upload.request.len() } else { random.random_range(1..20_000) };
        let ends_at = match upload.end {
            End::Whole => upload.request.len(),
            End::BreaksOff(place) | End::Stalls(place) => place,
        };
        // Few wait for long to be told to go on.
        if upload.waits_at.is_some() && random.random_bool(0.1) {
            upload.waits_at = None;
        }
        let until = (upload.sent + most).min(ends_at).min(upload.waits_at.unwrap_or(usize::MAX));
        if upload.sent < until {
            world.borrow_mut().send(socket, &upload.request[upload.sent..until]);
            upload.sent = until;
        }
        if matches!(upload.end, End::BreaksOff(place) if upload.sent >= place) {
            self.break_off(world);
        }
    }

    fn break_off(&mut self, world: &SharedWorld) {
        if let Some(socket) = self.socket {
            world.borrow_mut().reset(socket);
            self.lose();
        }
    }

    /// The connection is over: of what was not answered, nobody knows what became of it.
    fn lose(&mut self) {
        self.socket = None;
        self.received.clear();
        if let Task::Upload(upload) = std::mem::take(&mut self.task)
            && upload.draft.token.is_some()
        {
            self.unsure = Some(upload.draft);
        }
    }

    /// The head of the response that has come, and what is behind it.
    fn response(&self) -> Option<(String, Vec<u8>)> {
        let end = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.received[..end].to_vec()).expect("a head");
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        Some((head, self.received[end..].to_vec()))
    }
}

impl Download {
    /// `is_all`: nothing more comes.
    fn check(&self, head: &str, status: u16, body: &[u8], is_all: bool, folder: &SharedFolder) {
        if !matches!(status, 200 | 206) {
            assert!(matches!(status, 404 | 503), "{head}");
            return;
        }
        assert_eq!(status == 206, self.is_range, "{head}");
        assert!(self.expected.starts_with(body), "what is sent is what was shared");
        if is_all {
            let is_gone = folder.0.borrow().file(self.id).is_none();
            assert!(is_gone || body.len() == self.expected.len(), "{} of {} bytes", body.len(), self.expected.len());
        }
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn in_chunks(body: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(random.random_range(1..20_000).min(rest.len()));
        encoded.extend(format!("{:x}\r\n", chunk.len()).bytes());
        encoded.extend(chunk);
        encoded.extend(b"\r\n");
        rest = more;
    }
    encoded.extend(b"0\r\n\r\n");
    encoded
}
