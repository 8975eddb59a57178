use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use proptest::prelude::*;
use rand::SeedableRng;
use rusqlite::OpenFlags;

use super::*;

mod searching;
use crate::rooms::{
    AccountAction, AccountChange, AccountId, Address, Annotations, AuthorId, Ban, Body, Change, Dimensions, Emoji,
    Epoch, Event, FileId, FileName, FileType, KeyHash, Kind, Left, MAX_DEPARTED, MAX_LAST_MESSAGES, MAX_LEFT, Measure,
    MessageKey, ModeChange, Mute, Name, Newcomer, NodeId, Page, PasswordHash, RoomRules, SharedFile, StoredMember,
    Text, Token, TokenHash, Via, Wanted, amend,
};

/// How long anything may take on a busy machine. Only a test that fails waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

const TIME_MS: u64 = 1_700_000_000_000;

// ---- a folder, a journal, changes

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-journal-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("snugd.db")
    }

    fn open(&self, history_events: usize) -> (SqliteJournal, Vec<StoredRoom>) {
        SqliteJournal::open(&self.file(), history_events, || ()).expect("a usable file")
    }

    /// The same, by a journal that does not wait for other programs.
    fn open_impatiently(&self, history_events: usize) -> SqliteJournal {
        let file = DataFile::open(&self.file()).expect("a usable file");
        let reading = data_file::connect_reader(&file.path).expect("a second connection");
        SqliteJournal::start(file, reading, history_events, Duration::ZERO, Arc::new(|| ()))
    }

    fn refusal(&self) -> String {
        match SqliteJournal::open(&self.file(), 10, || ()) {
            Ok(_) => panic!("the file was opened"),
            Err(unusable) => unusable.to_string(),
        }
    }

    /// A connection as another program would have it.
    fn connect(&self) -> Connection {
        Connection::open_with_flags(self.file(), OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The number of the event, if it is one.
fn event_id(proposal: &Proposal) -> Option<u64> {
    proposal.change.event().map(|event| event.id)
}

impl SqliteJournal {
    fn next_outcome(&mut self) -> Outcome {
        wait_for("an outcome", || {
            self.dispatch(Now::default());
            self.take_outcome()
        })
    }

    /// The next change must have been kept; returns the number of its event.
    fn next_kept(&mut self) -> Option<u64> {
        match self.next_outcome() {
            Outcome::Committed(proposal) => event_id(&proposal),
            outcome => panic!("not kept: {outcome:?}"),
        }
    }

    /// Keeps all of these; returns the numbers of their events.
    fn keep(&mut self, proposals: impl IntoIterator<Item = Proposal>) -> Vec<Option<u64>> {
        let count = proposals.into_iter().map(|proposal| self.submit(proposal)).count();
        (0..count).map(|_| self.next_kept()).collect()
    }

    fn read_now(&mut self, epoch: Epoch, first_id: u64, last_id: u64) -> Page {
        self.read_wanted(epoch, Wanted::Events { first_id, last_id })
    }

    fn read_wanted(&mut self, epoch: Epoch, wanted: Wanted) -> Page {
        let asked = ReadRequest { code: code("KXQT"), epoch, wanted };
        self.read(asked.clone());
        match self.next_outcome() {
            Outcome::Read { request, page } if request == asked => page.expect("it can be read"),
            outcome => panic!("not read: {outcome:?}"),
        }
    }
}

fn epoch(number: u64) -> Epoch {
    Epoch::parse(&format!("{number:016x}")).expect("an epoch")
}

fn token(number: u32) -> TokenHash {
    Token::parse(&format!("{number:032x}")).expect("a token").hash()
}

fn name(name: &str) -> Name {
    Name::parse(name).expect("a name")
}

fn code(code: &str) -> RoomCode {
    RoomCode::parse(code).expect("a code")
}

fn proposal(room: u64, change: Change) -> Proposal {
    Proposal::new(code("KXQT"), epoch(room), change)
}

fn opened(room: u64, letters: &str) -> Proposal {
    Proposal::new(code(letters), epoch(room), Change::Open { time_ms: TIME_MS })
}

fn newcomer(author: u32, called: &str) -> Newcomer {
    let (author, token, becomes_operator) = (AuthorId(author), token(author), false);
    Newcomer { author, token, name: name(called), via: Via::Line, account: None, becomes_operator }
}

fn placed(room: u64, author: u32, called: &str) -> Proposal {
    proposal(room, Change::Place { opens: false, newcomer: newcomer(author, called), returns: false, time_ms: TIME_MS })
}

fn event(author: u32, called: &str, body: Body) -> Event {
    let author = AuthorId(author);
    Event { id: 0, time_ms: TIME_MS + 1, name: name(called), via: Via::Web, author, body }
}

fn published(room: u64, author: u32, called: &str, body: Body) -> Proposal {
    proposal(room, Change::Publish { event: event(author, called, body) })
}

fn said(room: u64, author: u32, text: &str) -> Proposal {
    let text = Text::clean(text, 10_000).expect("a text");
    published(room, author, "ana", Body::Message { kind: Kind::Say, text, cid: None, annotations: None })
}

fn vacated(room: u64, author: u32, may_return: bool) -> Proposal {
    let (author, time_ms) = (AuthorId(author), TIME_MS + 2);
    proposal(room, Change::Vacate { author, event: None, may_return, time_ms })
}

// ---- keeping

#[test]
fn changes_come_back_in_order_and_events_are_numbered() {
    let folder = Folder::new();
    let (mut journal, rooms) = folder.open(100_000);
    assert_eq!(rooms, []);
    journal.submit(opened(1, "KXQT"));
    let texts: Vec<String> = (0..20_000).map(|number| format!("text {number}")).collect();
    for text in &texts {
        journal.submit(said(1, 1, text));
    }
    assert_eq!(journal.next_kept(), None);
    for (number, expected) in texts.iter().enumerate() {
        let Outcome::Committed(kept) = journal.next_outcome() else { panic!("not kept: {number}") };
        assert_eq!(event_id(&kept), Some(number as u64 + 1));
        let Change::Publish { event } = kept.change else { panic!("not an event: {:?}", kept.change) };
        assert!(matches!(&event.body, Body::Message { text, .. } if text.as_str() == expected));
    }
    assert!(journal.take_outcome().is_none());
    assert!(!journal.is_failing() && !journal.is_congested());
}

#[test]
fn what_is_asked_of_accounts_is_seen_however_much_is_read() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10);
    journal.keep([opened(1, "KXQT")]);
    let ask = "INSERT INTO account_request (name, action) VALUES ('ana', 'remove')";
    folder.connect().execute(ask, []).expect("a row");
    let wanted = Wanted::Events { first_id: 1, last_id: 1 };
    journal.read(ReadRequest { code: code("KXQT"), epoch: epoch(1), wanted });
    let asked = wait_for("what was asked", || match journal.take_outcome()? {
        Outcome::Read { request, .. } => {
            journal.read(request);
            None
        }
        Outcome::AccountRequest { name, action, .. } => Some((name, action)),
        outcome => panic!("{outcome:?}"),
    });
    assert_eq!(asked, (name("ana"), AccountAction::Remove));
}

#[test]
fn too_many_changes_at_once_are_congestion_and_only_then_failure() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    let other = folder.connect();
    other.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
    journal.submit(opened(1, "KXQT"));
    for _ in 1..MAX_UNKEPT_PROPOSALS {
        assert!(!journal.is_congested());
        journal.submit(vacated(1, 1, false));
    }
    assert!(journal.is_congested() && !journal.is_failing(), "much to do is no failure");
    journal.dispatch(Now { steady_ms: STALLED_MS, ..Now::default() });
    assert!(!journal.is_congested() && journal.is_failing(), "but nothing done for a while is");
    other.execute_batch("ROLLBACK").expect("it was begun");
    assert!(matches!(journal.next_outcome(), Outcome::Refused(_) | Outcome::Committed(_)));
    wait_for("it has recovered", || {
        journal.dispatch(Now::default());
        while journal.take_outcome().is_some() {}
        (!journal.is_failing() && !journal.is_congested()).then_some(())
    });
}

#[test]
fn the_waker_is_called_for_changes_and_for_readings() {
    let folder = Folder::new();
    let (sender, woken) = channel();
    let wake = move || sender.send(()).expect("the test waits");
    let (mut journal, _) = SqliteJournal::open(&folder.file(), 10, wake).expect("a usable file");
    journal.submit(opened(1, "KXQT"));
    journal.dispatch(Now::default());
    woken.recv_timeout(DEADLINE).expect("woken by the writer");
    journal.next_kept();
    let wanted = Wanted::Events { first_id: 1, last_id: 2 };
    journal.read(ReadRequest { code: code("KXQT"), epoch: epoch(1), wanted });
    woken.recv_timeout(DEADLINE).expect("woken by the reader");
}

#[test]
fn old_events_are_trimmed_and_never_too_many() {
    let folder = Folder::new();
    for history_events in [200, 10] {
        let (mut journal, _) = folder.open(history_events);
        if history_events == 200 {
            journal.keep([opened(1, "KXQT")]);
        }
        for _ in 0..20 {
            let ids = journal.keep((0..50).map(|_| said(1, 1, "hello")));
            let last_id = ids.last().copied().flatten().expect("a number");
            let held = journal.read_now(epoch(1), 1, last_id).events;
            let expected_events = history_events.min(last_id as usize);
            assert!(held.len() >= expected_events, "{} of {last_id}", held.len());
            assert_eq!(held.last().map(|event| event.id), Some(last_id));
        }
        let held = journal.read_now(epoch(1), 1, u64::MAX / 2).events;
        assert!(held.len() < history_events + 64, "{}", held.len());
    }
}

#[test]
fn rooms_that_end_are_deleted_and_their_space_is_used_again() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10_000);
    let count = |sql: &str| folder.connect().query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    let text = "x".repeat(1000);
    let mut pages = Vec::new();
    for room in 1..=5 {
        let everything = [opened(room, "KXQT"), placed(room, 1, "ana")];
        journal.keep(everything.into_iter().chain((0..2500).map(|_| said(room, 1, &text))));
        journal.keep([proposal(room, Change::End)]);
        wait_for("nothing is left", || {
            (count("SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM room)") == 0).then_some(())
        });
        assert_eq!(count("SELECT count(*) FROM member"), 0);
        pages.push(count("PRAGMA page_count"));
    }
    assert!(pages.iter().all(|&count| count <= pages[0] + pages[0] / 10), "{pages:?}");
    drop(journal);
    assert_eq!(folder.open(10_000).1, []);
}

#[test]
fn a_room_that_ends_just_before_the_stop_is_deleted_before_it() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    journal.keep([opened(1, "KXQT")]);
    journal.keep((0..5000).map(|number| said(1, 1, &format!("over {number}"))));
    journal.keep([proposal(1, Change::End)]);
    drop(journal);
    let count = |table| {
        let count = format!("SELECT count(*) FROM {table}");
        folder.connect().query_row(&count, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!((count("event"), count("room")), (0, 0));
    let bytes = fs::read(folder.file()).expect("the file");
    assert!(!bytes.windows(5).any(|window| window == b"over "));
}

#[test]
fn the_log_beside_the_file_stays_bounded() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    journal.keep([opened(1, "KXQT")]);
    let text = "x".repeat(4000);
    for _ in 0..40 {
        journal.keep((0..250).map(|_| said(1, 1, &text)));
    }
    let log_bytes = fs::metadata(folder.0.join("snugd.db-wal")).expect("a log").len();
    assert!(log_bytes < 16 << 20, "{log_bytes}");
}

// ---- leaving nothing

/// The numbers in all marks of the form `<12.34>`.
fn marks(bytes: &[u8]) -> BTreeSet<(u64, u64)> {
    let parse = |mark: &[u8]| {
        let (room, number) = std::str::from_utf8(mark).ok()?.split_once('.')?;
        Some((room.parse().ok()?, number.parse().ok()?))
    };
    let is_end = |byte: &u8| !byte.is_ascii_digit() && *byte != b'.';
    let starts = (0..bytes.len()).filter(|&at| bytes[at] == b'<').map(|at| &bytes[at + 1..]);
    starts.filter_map(|rest| parse(&rest[..rest.iter().position(is_end)?])).collect()
}

#[test]
fn no_page_has_anything_of_what_was_deleted() {
    for seed in 1..=4_u64 {
        let folder = Folder::new();
        let mut number = seed;
        let mut draw = |below: u64| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) % below
        };
        let (mut journal, _) = folder.open(50);
        let (mut rooms, mut rooms_opened) = (BTreeMap::new(), 0);
        for _ in 0..400 {
            if rooms.len() < 15 {
                rooms_opened += 1;
                let letters = (0..4).map(|at| char::from(b"BCDFGHJKLM"[rooms_opened as usize / 10_usize.pow(at) % 10]));
                journal.keep([opened(rooms_opened, &letters.collect::<String>())]);
                rooms.insert(rooms_opened, 0);
            }
            let room = *rooms.keys().nth(draw(rooms.len() as u64) as usize).expect("there are some");
            let said = (0..1 + draw(40)).map(|_| {
                let last = rooms.get_mut(&room).expect("it is there");
                *last += 1;
                let length = [0, 20, 200, draw(3000)][draw(4) as usize] as usize;
                let mark = format!("<{room}.{last}>");
                let text = Text::clean(&format!("{mark}{}", "x".repeat(length)), 10_000).expect("a text");
                let cid = if draw(3) > 0 { MessageKey::parse(&mark) } else { None };
                published(room, draw(9) as u32, "ana", Body::Message { kind: Kind::Say, text, cid, annotations: None })
            });
            journal.keep(said.collect::<Vec<_>>());
            if draw(8) == 0 {
                journal.keep([proposal(room, Change::End)]);
                rooms.remove(&room);
            }
        }
        wait_for("nothing is left of rooms that are over", || {
            let sql = "SELECT count(*) FROM room WHERE code IS NULL";
            folder.connect().query_row(sql, [], |row| row.get::<_, bool>(0)).map(|is_left| !is_left).ok()?.then_some(())
        });
        drop(journal);
        let file = folder.connect();
        let mut select = file.prepare("SELECT text FROM event UNION ALL SELECT cid FROM message_key").expect("tables");
        let texts = select.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        let held = texts.flat_map(|text| marks(text.expect("a text").as_bytes())).collect::<BTreeSet<_>>();
        assert!(held.len() > 200 && rooms_opened > 30);
        assert_eq!(marks(&fs::read(folder.file()).expect("a file")), held, "seed {seed}");
        let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
        assert_eq!(verdict, "ok");
    }
}

// ---- failing

#[test]
fn what_cannot_be_kept_is_refused_or_waits_in_order() {
    let folder = Folder::new();
    let mut journal = folder.open_impatiently(100);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana")]);
    let other = folder.connect();
    other.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");

    journal.submit(published(1, 1, "ana", Body::Nick { to: name("ben") }));
    journal.submit(said(1, 1, "lost"));
    journal.submit(published(1, 1, "ben", Body::Nick { to: name("eve") }));
    let (author, parts) = (AuthorId(1), Some(event(1, "eve", Body::Part)));
    journal.submit(proposal(1, Change::Vacate { author, event: parts, may_return: true, time_ms: TIME_MS }));
    assert!(matches!(journal.next_outcome(), Outcome::Refused(refused) if refused.is_refusable()));
    // Refused at once now, and behind what waits.
    journal.submit(said(1, 1, "lost as well"));
    assert!(matches!(journal.next_outcome(), Outcome::Refused(_)));
    wait_for("three wait", || (journal.load.backlog.load(Ordering::Relaxed) == 3).then_some(()));

    other.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!([1, 2, 3].map(|_| journal.next_kept()), [1, 2, 3].map(Some));
    assert_eq!(journal.keep([said(1, 1, "kept")]), [Some(4)]);
    let events = journal.read_now(epoch(1), 1, 4).events;
    assert!(matches!(
        events.iter().map(|event| &event.body).collect::<Vec<_>>()[..],
        [Body::Nick { .. }, Body::Nick { .. }, Body::Part, Body::Message { .. }]
    ));
}

#[test]
fn who_holds_the_file_for_a_while_is_waited_for() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), placed(1, 2, "ben"), said(1, 1, "before")]);
    let other = folder.connect();
    other.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
    let waits = |journal: &mut SqliteJournal, count| {
        wait_for("it waits", || {
            journal.dispatch(Now::default());
            (journal.load.backlog.load(Ordering::Relaxed) == count).then_some(())
        });
    };
    // Each time the writer has tried to get the file in vain.
    journal.submit(said(1, 1, "first"));
    waits(&mut journal, 1);
    journal.submit(vacated(1, 2, true));
    journal.submit(said(1, 1, "second"));
    waits(&mut journal, 3);
    assert!(journal.take_outcome().is_none(), "nothing is refused, and nothing acknowledged");
    assert!(!journal.is_failing() && !journal.is_congested());
    assert_eq!(journal.read_now(epoch(1), 1, 10).events.len(), 1, "reading goes on");

    other.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!([1, 2, 3].map(|_| journal.next_kept()), [Some(2), None, Some(3)]);
    assert_eq!(journal.keep([said(1, 1, "after")]), [Some(4)]);
}

#[test]
fn a_full_disk_refuses_messages_and_deletes_nothing() {
    let folder = Folder::new();
    let file = DataFile::open(&folder.file()).expect("a usable file");
    file.connection.pragma_update_and_check(None, "max_page_count", 40, |_| Ok(())).expect("a limit");
    let reading = data_file::connect_reader(&file.path).expect("a second connection");
    let mut journal = SqliteJournal::start(file, reading, 10_000, data_file::LOCKED_LIMIT, Arc::new(|| ()));
    journal.keep([opened(1, "KXQT")]);
    let text = "x".repeat(3000);
    let mut kept = 0;
    loop {
        journal.submit(said(1, 1, &text));
        match journal.next_outcome() {
            Outcome::Committed(proposal) => {
                kept += 1;
                assert_eq!(event_id(&proposal), Some(kept));
            }
            Outcome::Refused(_) => break,
            outcome => panic!("{outcome:?}"),
        }
    }
    assert!(kept > 10, "{kept}");
    assert_eq!(journal.read_now(epoch(1), 1, 1000).events.len() as u64, kept);
    drop(journal);
    assert_eq!(folder.open(10_000).1[0].last_id, kept);
}

#[test]
fn what_relies_on_a_room_that_was_refused_is_refused() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10);
    journal.keep([opened(1, "KXQT")]);
    journal.submit(said(2, 1, "in no room"));
    journal.submit(said(1, 1, "in one"));
    assert!(matches!(journal.next_outcome(), Outcome::Refused(refused) if refused.epoch == epoch(2)));
    assert_eq!(journal.next_kept(), Some(1));
}

#[test]
fn a_message_is_found_by_its_authors_own_id() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    let say = |author, cid: &str| {
        let (kind, text) = (Kind::Say, Text::clean("hello", 10).expect("a text"));
        published(1, author, "ana", Body::Message { kind, text, cid: MessageKey::parse(cid), annotations: None })
    };
    let find = |journal: &mut SqliteJournal, author, cid: &str| {
        let message = (AuthorId(author), MessageKey::parse(cid).expect("an id"));
        let found = journal.read_wanted(epoch(1), Wanted::Messages(vec![message.clone()])).messages;
        assert!(found.iter().all(|(author, key, _)| (*author, key.clone()) == message));
        found.iter().map(|(_, _, id)| *id).collect::<Vec<_>>()
    };
    journal.keep([opened(1, "KXQT"), say(1, "a"), say(2, "a"), say(1, "b")]);
    // Looked through at first, looked up later, and gone in the end.
    for _ in 0..3 {
        let found = [(1, "a"), (2, "a"), (1, "b"), (2, "b")].map(|(author, cid)| find(&mut journal, author, cid));
        assert_eq!(found, [vec![1], vec![2], vec![3], vec![]]);
        journal.keep((0..200).map(|_| said(1, 1, "hello")));
    }
    journal.keep((0..1000).map(|number| say(2, &format!("c{number}"))));
    for number in [0, 300, 999] {
        assert_eq!(find(&mut journal, 2, &format!("c{number}")), [604 + number]);
    }
    let mut numbers = 1000..;
    while !find(&mut journal, 1, "a").is_empty() {
        // It may outlive its event, but not by much.
        journal.keep(numbers.by_ref().take(1000).map(|number| say(2, &format!("c{number}"))));
        assert!(numbers.start < 20_000, "its event is kept no longer");
    }
    let keys: i64 =
        folder.connect().query_row("SELECT count(*) FROM message_key", [], |row| row.get(0)).expect("a count");
    assert!(keys <= 18 * 1024 + 1000, "{keys}: they go with their events");
}

#[test]
fn what_members_said_last_is_found_when_its_segment_is_gone() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10);
    let say = |author, cid: &str| {
        let (kind, text) = (Kind::Say, Text::clean("hello", 10).expect("a text"));
        published(1, author, "ana", Body::Message { kind, text, cid: MessageKey::parse(cid), annotations: None })
    };
    let find = |journal: &mut SqliteJournal, author, cid: &str| {
        let message = (AuthorId(author), MessageKey::parse(cid).expect("an id"));
        let found = journal.read_wanted(epoch(1), Wanted::Messages(vec![message])).messages;
        found.first().map(|(_, _, id)| *id)
    };
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), placed(1, 2, "ben"), placed(1, 3, "eve")]);
    // Ana falls silent after many messages, Ben leaves for good, nobody has heard of Ida, and Eve goes on.
    journal.keep((0..300).map(|number| say(1, &format!("a{number}"))));
    journal.keep([say(2, "b"), say(3, "first"), say(4, "i")]);
    let talk = |journal: &mut SqliteJournal, numbers: std::ops::Range<u32>| {
        journal.keep(numbers.map(|number| say(3, &format!("e{number}"))));
    };
    talk(&mut journal, 0..18 * 1024);
    let most = MAX_LAST_MESSAGES as u64;
    assert_eq!(find(&mut journal, 1, "a299"), Some(300));
    assert_eq!(find(&mut journal, 1, &format!("a{}", 300 - most)), Some(301 - most));
    assert_eq!(find(&mut journal, 1, &format!("a{}", 299 - most)), None, "no more than the last");
    assert_eq!(find(&mut journal, 2, "b"), Some(301));
    assert_eq!((find(&mut journal, 3, "first"), find(&mut journal, 4, "i")), (None, None));
    journal.keep([vacated(1, 1, true), vacated(1, 2, false)]);
    assert_eq!((find(&mut journal, 1, "a299"), find(&mut journal, 2, "b")), (Some(300), Some(301)));
    let last = "SELECT count(*) FROM message_key WHERE segment = -1";
    let keys = || folder.connect().query_row(last, [], |row| columns::number(row, 0)).expect("a count");
    assert_eq!(keys(), most + 1);
    // Whoever leaves is forgotten behind so many.
    for author in 10..10 + MAX_LEFT as u32 {
        journal.keep([placed(1, author, "ida"), vacated(1, author, false)]);
    }
    assert_eq!((find(&mut journal, 2, "b"), keys()), (None, most));
}

/// Makes a file of ours one of version 2.
const TO_VERSION_2: &str = "
    DROP TABLE left_for_good; ALTER TABLE member DROP COLUMN seniority;
    DROP INDEX shared; ALTER TABLE event DROP COLUMN file;
    DROP INDEX bearer; ALTER TABLE member DROP COLUMN account; DROP TABLE account; DROP TABLE account_request;
    DROP TABLE word; DROP TABLE indexed; DROP INDEX amendment; ALTER TABLE event DROP COLUMN of;
    ALTER TABLE member DROP COLUMN is_operator; DROP TABLE ban; DROP TABLE mute;
    ALTER TABLE room DROP COLUMN topic; ALTER TABLE room DROP COLUMN is_locked; ALTER TABLE room DROP COLUMN key_hash;
    ALTER TABLE room DROP COLUMN slow_seconds;
    PRAGMA user_version = 2;";

#[test]
fn a_file_of_version_2_goes_on_with_all_that_is_in_it() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    let (kind, text) = (Kind::Say, Text::clean("hello", 10).expect("a text"));
    let message = Body::Message { kind, text, cid: MessageKey::parse("a"), annotations: None };
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), published(1, 1, "ana", message)]);
    drop(journal);
    folder.connect().execute_batch(TO_VERSION_2).expect("it becomes one");
    let (mut journal, rooms) = folder.open(1000);
    assert!(journal.take_stored_accounts().is_empty());
    let members: Vec<_> = rooms[0].members.iter().map(|member| (member.name.as_str(), member.account)).collect();
    assert_eq!((members, rooms[0].last_id), (vec![("ana", None)], 1));
    assert_eq!(journal.read_now(epoch(1), 1, 1).events.len(), 1);
    let version: i32 = folder.connect().pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    assert_eq!(version, schema::VERSION);
}

#[test]
fn a_file_of_version_3_goes_on_with_all_that_is_in_it() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    let (kind, text) = (Kind::Say, Text::clean("hello", 10).expect("a text"));
    let message = Body::Message { kind, text, cid: MessageKey::parse("a"), annotations: None };
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), published(1, 1, "ana", message)]);
    drop(journal);
    let to_version_3 = "DROP TABLE left_for_good; ALTER TABLE member DROP COLUMN seniority; DROP INDEX shared; ALTER TABLE event \
         DROP COLUMN file; PRAGMA user_version = 3;";
    folder.connect().execute_batch(to_version_3).expect("it becomes one");
    let (mut journal, rooms) = folder.open(1000);
    assert_eq!((rooms[0].last_id, rooms[0].files.len()), (1, 0));
    assert_eq!(journal.read_now(epoch(1), 1, 1).events.len(), 1);
    journal.keep([published(1, 1, "ana", shared("plan.pdf", ""))]);
    drop(journal);
    assert_eq!(folder.open(1000).1[0].files.len(), 1);
}

#[test]
fn a_file_of_version_4_goes_on_and_knows_who_leaves_from_then_on() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), placed(1, 2, "ben")]);
    drop(journal);
    let to_version_4 = "DROP TABLE left_for_good; ALTER TABLE member DROP COLUMN seniority; PRAGMA user_version = 4;";
    folder.connect().execute_batch(to_version_4).expect("it becomes one");
    let (mut journal, rooms) = folder.open(1000);
    assert_eq!((rooms[0].members.len(), rooms[0].left.len()), (2, 0));
    journal.keep([vacated(1, 2, false)]);
    drop(journal);
    let left = Left { author: AuthorId(2), token: (&token(2)).into() };
    assert_eq!(folder.open(1000).1[0].left, [left]);
}

/// A message with a file. Each name has its own id.
fn shared(name: &str, text: &str) -> Body {
    let id = FileId::random(&mut rand::rngs::StdRng::seed_from_u64(name.bytes().map(u64::from).sum()));
    let (file_type, dimensions) = (FileType::Png, Some(Dimensions { width: 3, height: 2 }));
    let file = Some(SharedFile { id, name: FileName::clean(name), size_bytes: 7, file_type, dimensions });
    let text = Text::clean(text, 4096).unwrap_or_else(|_| Text::none());
    let annotations = Annotations { file, ..Annotations::default() }.boxed();
    Body::Message { kind: Kind::Say, text, cid: None, annotations }
}

#[test]
fn files_are_kept_as_long_as_their_events_and_deleted_with_them() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    let (plan, photo) = (shared("secret-plan.pdf", ""), shared("photo.png", "look"));
    let guest = Event { author: AuthorId(9), ..event(9, "guest", photo.clone()) };
    let say = |body| published(1, 1, "ana", body);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), say(plan.clone())]);
    journal.keep([proposal(1, Change::PublishOfGuest { event: guest })]);
    let edit = Body::Edit { of: 2, text: Text::clean("look here", 100).ok(), cid: None };
    journal.keep([say(edit)]);
    let events = journal.read_now(epoch(1), 1, 2).events;
    assert_eq!((events[0].body.file(), events[1].body.file()), (plan.file(), photo.file()));
    assert!(matches!(&events[1].body, Body::Message { text, .. } if text.as_str() == "look here"));
    drop(journal);
    let (mut journal, rooms) = folder.open(1000);
    let stored: Vec<_> = rooms[0].files.iter().map(|(id, file)| (*id, Some(file))).collect();
    assert_eq!(stored, [(1, plan.file()), (2, photo.file())]);
    assert_eq!(rooms[0].last_author, AuthorId(9));
    journal.keep([say(Body::Delete { of: 1, of_whom: None })]);
    drop(journal);
    let (_, rooms) = folder.open(1000);
    assert_eq!(rooms[0].files.len(), 1);
    let bytes = fs::read(folder.file()).expect("the file");
    assert!(!bytes.windows(11).any(|bytes| bytes == b"secret-plan"), "its name is gone");
}

#[test]
fn files_whose_events_are_too_old_do_not_come_back_when_more_are_kept() {
    let folder = Folder::new();
    let seen_by_more = |expected: &[(u64, bool, bool)]| {
        let (mut journal, rooms) = folder.open(1000);
        let events = journal.read_now(epoch(1), 1, 6).events;
        let seen: Vec<_> = events
            .iter()
            .filter(|event| event.id != 3)
            .map(|event| (event.id, event.body.file().is_some(), matches!(event.body, Body::Deleted { .. })))
            .collect();
        assert_eq!(seen, expected);
        let shared = expected.iter().filter(|(_, is_shared, _)| *is_shared).map(|(id, ..)| *id);
        assert!(rooms[0].files.iter().map(|(id, _)| *id).eq(shared));
    };
    let (mut journal, _) = folder.open(4);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana")]);
    for (name, text) in [("plan.pdf", ""), ("photo.png", "look"), ("", ""), ("song.ogg", ""), ("film.webm", "see")] {
        let body = if name.is_empty() { said(1, 1, "hello") } else { published(1, 1, "ana", shared(name, text)) };
        journal.keep([body]);
    }
    journal.keep([published(1, 1, "ana", shared("list.txt", ""))]);
    drop(journal);
    // As they were kept, though the events are there.
    let late = [(4, true, false), (5, true, false), (6, true, false)];
    seen_by_more(&[&[(1, false, true), (2, false, false)][..], &late].concat());
    // A run that keeps fewer and says nothing.
    let (_, rooms) = folder.open(2);
    assert!(rooms[0].files.iter().map(|(id, _)| *id).eq([5, 6]));
}

#[test]
fn accounts_are_kept_and_who_bears_their_names() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    let account = AccountId(7);
    let (hash, other) = (PasswordHash::new("$one"), PasswordHash::new("$other"));
    let about = |action, bearers: &[(Epoch, AuthorId)]| {
        Proposal::of_account(AccountChange { account, action, bearers: bearers.to_vec(), request: None })
    };
    let identify = |author, token| proposal(1, Change::Identify { author: AuthorId(author), account, token });
    let claim = AccountAction::Add { name: name("ana"), hash: Some(hash) };
    let ana = (epoch(1), AuthorId(1));
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), placed(1, 2, "ben"), about(claim, &[ana])]);
    journal.keep([identify(2, Some(token(9)))]);
    drop(journal);
    let stored = |folder: &Folder| {
        let (mut journal, rooms) = folder.open(1000);
        let bearing = rooms[0].members.iter().map(|member| member.account.is_some()).collect::<Vec<_>>();
        (journal.take_stored_accounts(), bearing, rooms[0].members[1].token)
    };
    let (accounts, bearing, token_of_ben) = stored(&folder);
    assert_eq!(accounts.iter().map(|stored| stored.name.as_str()).collect::<Vec<_>>(), ["ana"]);
    assert_eq!((bearing, token_of_ben), (vec![true, true], token(9)));

    let (mut journal, _) = folder.open(1000);
    journal.keep([about(AccountAction::SetPassword(other.clone()), &[ana])]);
    drop(journal);
    let (accounts, bearing, _) = stored(&folder);
    assert_eq!((accounts[0].hash.clone(), bearing), (Some(other), vec![true, false]));

    let (mut journal, _) = folder.open(1000);
    journal.keep([published(1, 1, "ana", Body::Nick { to: name("Ana") })]);
    drop(journal);
    assert_eq!(stored(&folder).1, [false, false], "another name is borne by right only if that is said");

    let (mut journal, _) = folder.open(1000);
    journal.keep([identify(1, None), about(AccountAction::Remove, &[])]);
    drop(journal);
    let (accounts, bearing, _) = stored(&folder);
    assert_eq!((accounts, bearing), (vec![], vec![false, false]));
}

#[test]
fn what_members_said_last_is_found_where_the_others_talk_without_ids() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10);
    let say = |author, cid: &str| {
        let (kind, text) = (Kind::Say, Text::clean("hello", 10).expect("a text"));
        published(1, author, "ana", Body::Message { kind, text, cid: MessageKey::parse(cid), annotations: None })
    };
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), placed(1, 2, "ben"), say(1, "a")]);
    // One is in the last segment that there is, the other has a later one behind it.
    journal.keep((0..2000).map(|_| said(1, 2, "hello")));
    journal.keep([say(2, "b")]);
    journal.keep((0..20 * 1024).map(|_| said(1, 2, "hello")));
    let messages = [(1, "a"), (2, "b")].map(|(author, cid)| (AuthorId(author), MessageKey::parse(cid).expect("an id")));
    let found = journal.read_wanted(epoch(1), Wanted::Messages(messages.to_vec())).messages;
    assert_eq!(found.iter().map(|(_, _, id)| *id).collect::<Vec<_>>(), [1, 2002]);
}

#[test]
fn an_early_file_of_version_2_is_completed() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    let (kind, text) = (Kind::Say, Text::clean("hello", 10).expect("a text"));
    let message = (AuthorId(1), MessageKey::parse("a").expect("an id"));
    let body = Body::Message { kind, text, cid: Some(message.1.clone()), annotations: None };
    journal.keep([opened(1, "KXQT"), published(1, 1, "ana", body)]);
    drop(journal);
    let early = "DROP TABLE message_key; ALTER TABLE room DROP COLUMN keyed_id; \
                 CREATE INDEX said ON event (room, author, cid) WHERE cid IS NOT NULL;";
    folder.connect().execute_batch(&format!("{early} {TO_VERSION_2}")).expect("it becomes one");
    let (mut journal, _) = folder.open(1000);
    assert_eq!(journal.read_wanted(epoch(1), Wanted::Messages(vec![message])).messages.len(), 1);
    let found: i64 =
        folder.connect().query_row("SELECT count(*) FROM message_key", [], |row| row.get(0)).expect("a count");
    assert_eq!(found, 1);
}

// ---- coming back

#[test]
fn everything_submitted_is_kept_before_it_closes() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(100_000);
    journal.submit(opened(1, "KXQT"));
    for _ in 0..CHANNEL_PROPOSALS * 3 {
        journal.submit(said(1, 1, "hello"));
    }
    drop(journal);
    let (_journal, rooms) = folder.open(100_000);
    assert_eq!(rooms[0].last_id as usize, CHANNEL_PROPOSALS * 3);
}

#[test]
fn a_crash_at_any_time_loses_nothing_that_was_kept() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), said(1, 1, "hello")]);
    // What a crash leaves: the files as they are now.
    let crashed = Folder::new();
    for file in ["snugd.db", "snugd.db-wal"] {
        fs::copy(folder.0.join(file), crashed.0.join(file)).expect("a copy");
    }
    let (mut journal, rooms) = crashed.open(1000);
    assert_eq!((rooms.len(), rooms[0].last_id, rooms[0].members.len()), (1, 1, 1));
    assert_eq!(journal.keep([said(1, 1, "again")]), [Some(2)]);
}

#[test]
fn a_name_that_was_one_when_it_was_stored_is_one_still() {
    // Who typed it in another encoding, or piled up marks, was let in once.
    let piled = format!("x{}", "\u{30D}".repeat(31));
    for called in ["J\u{FFFD}rgen", piled.as_str()] {
        let folder = Folder::new();
        let (mut journal, _) = folder.open(1000);
        let nick = Body::Nick { to: name("ben") };
        journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), said(1, 1, "hello"), published(1, 1, "ana", nick)]);
        drop(journal);
        let rename = "UPDATE member SET name = ?1; UPDATE event SET name = ?1; \
                      UPDATE event SET text = ?1 WHERE kind = 'nick';";
        for statement in rename.split_inclusive(';') {
            folder.connect().execute(statement.trim(), [called]).expect("it becomes one");
        }
        let (mut journal, rooms) = folder.open(1000);
        assert_eq!(rooms[0].members[0].name.as_str(), called);
        let events = journal.read_now(epoch(1), 1, 2).events;
        let [Event { name: author, .. }, Event { body: Body::Nick { to }, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((author.as_str(), to.as_str()), (called, called));
    }
}

#[test]
fn what_can_have_been_no_name_is_damage() {
    let long = "x".repeat(33);
    for called in ["", "a\nb", "a\u{1b}[31m", "a\u{85}b", long.as_str()] {
        let folder = Folder::new();
        let (mut journal, _) = folder.open(1000);
        journal.keep([opened(1, "KXQT"), placed(1, 1, "ana")]);
        drop(journal);
        folder.connect().execute("UPDATE member SET name = ?1", [called]).expect("it becomes one");
        assert!(folder.refusal().contains("is damaged"), "{called:?}");
    }
}

#[test]
fn who_left_is_remembered_as_long_as_in_memory() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10);
    journal.keep([opened(1, "KXQT")]);
    let people = MAX_DEPARTED as u32 + 50;
    for author in 1..=people {
        journal.keep([placed(1, author, "ana"), vacated(1, author, true)]);
    }
    // Comes back and goes again, and is the latest who did.
    journal.keep([placed(1, 100, "ben"), vacated(1, 100, true), placed(1, 400, "eve"), vacated(1, 400, false)]);
    drop(journal);
    let (_journal, rooms) = folder.open(10);
    let members = &rooms[0].members;
    assert_eq!(members.len(), MAX_DEPARTED);
    assert_eq!((members[0].author, members[MAX_DEPARTED - 1].author), (AuthorId(51), AuthorId(100)));
    assert_eq!(rooms[0].last_author, AuthorId(400), "numbers are not given twice");
    assert_eq!(rooms[0].left, [Left { author: AuthorId(400), token: (&token(400)).into() }]);
    assert_eq!(rooms[0].last_time_ms, TIME_MS + 2);
}

// ---- files that cannot be used

#[test]
fn a_file_in_use_is_refused() {
    let folder = Folder::new();
    let (journal, _) = folder.open(10);
    assert!(folder.refusal().contains("in use"));
    drop(journal);
    folder.open(10);
}

#[test]
fn what_is_no_data_file_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.file()).expect("a folder");
    assert!(folder.refusal().contains("is a folder"));
    fs::remove_dir(folder.file()).expect("it is empty");

    let text = "not a database, but long enough to be taken for one ".repeat(100);
    fs::write(folder.file(), &text).expect("a file");
    assert!(folder.refusal().contains("no data file of snugd"));
    assert_eq!(fs::read_to_string(folder.file()).expect("it is there"), text);
    fs::remove_file(folder.file()).expect("it is ours");

    Connection::open(folder.file()).expect("a file").execute_batch("CREATE TABLE theirs (x)").expect("a table");
    assert!(folder.refusal().contains("no data file of snugd"));

    let nowhere = SqliteJournal::open(&folder.0.join("none/snugd.db"), 10, || ());
    assert!(nowhere.err().expect("refused").to_string().contains("no folder"));
}

#[test]
fn a_newer_file_is_refused() {
    let folder = Folder::new();
    drop(folder.open(10));
    folder.connect().pragma_update(None, "user_version", schema::VERSION + 1).expect("a version");
    assert!(folder.refusal().contains("newer snugd"));
}

#[test]
fn a_damaged_file_is_refused_after_a_crash() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10_000);
    journal.keep([opened(1, "KXQT")].into_iter().chain((0..2000).map(|_| said(1, 1, "hello, everybody"))));
    drop(journal);
    folder.connect().execute_batch("UPDATE file SET was_closed = 0").expect("as if it had crashed");
    let mut bytes = fs::read(folder.file()).expect("a file");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xA5);
    fs::write(folder.file(), bytes).expect("writable");
    let sentence = folder.refusal();
    assert!(sentence.contains("damaged") && sentence.ends_with('.'), "{sentence}");
}

// ---- copies

#[test]
fn a_copy_of_a_file_in_use_is_a_data_file() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(1000);
    journal.keep([opened(1, "KXQT"), placed(1, 1, "ana"), said(1, 1, "hello")]);
    let other = Folder::new();
    back_up(&folder.file(), &other.file()).expect("a copy");
    assert!(matches!(back_up(&folder.file(), &other.file()), Err(BackupError::Exists)));
    journal.keep([said(1, 1, "not in the copy")]);

    assert!(!other.0.join("snugd.db-wal").exists(), "it is one file");
    let mut texts = Vec::new();
    let visited = visit_events(&other.file(), code("KXQT"), |event| {
        texts.push(event.id);
        Ok(())
    });
    assert!(visited.is_ok() && texts == [1]);
    assert!(matches!(visit_events(&folder.file(), code("BBBB"), |_| Ok(())), Err(ExportError::NoSuchRoom)));
    let (mut copied, rooms) = other.open(1000);
    assert_eq!((rooms[0].last_id, rooms[0].members.len()), (1, 1));
    assert_eq!(copied.keep([said(1, 1, "in the copy alone")]), [Some(2)]);
}

// ---- what operators do

#[test]
fn who_comes_back_is_still_an_operator_and_who_left_for_good_is_none() {
    let folder = Folder::new();
    let (mut journal, _) = folder.open(10);
    let mut founder = placed(1, 1, "ana");
    if let Change::Place { newcomer, .. } = &mut founder.change {
        newcomer.becomes_operator = true;
    }
    let back = [vacated(1, 1, true), placed(1, 1, "ana"), placed(1, 2, "ben")];
    journal.keep([opened(1, "KXQT"), founder].into_iter().chain(back));
    drop(journal);
    let (mut journal, rooms) = folder.open(10);
    assert_eq!(rooms[0].rules.operators, [AuthorId(1)]);
    journal.keep([vacated(1, 1, false), placed(1, 1, "eve")]);
    drop(journal);
    assert_eq!(folder.open(10).1[0].rules.operators, [AuthorId(0); 0]);
}

// ---- any sequence

/// What rooms in memory would be after the same changes.
#[derive(Default)]
struct Model {
    rooms: BTreeMap<u64, (StoredRoom, Vec<Event>)>,
    rooms_opened: u64,
}

/// A change of one of a few rooms and members; those that cannot be there are passed over.
#[derive(Clone, Debug)]
enum Step {
    Open { letter: u8 },
    Place { room: u8, author: u32, called: String },
    Enter { room: u8, author: u32 },
    Say { room: u8, author: u32, text: String, cid: Option<String> },
    Amend { room: u8, author: u32, of: u64, what: u8, text: String },
    Nick { room: u8, author: u32, to: String },
    Vacate { room: u8, author: u32, may_return: bool },
    Moderate { room: u8, author: u32, target: u32, what: u8, called: String },
    End { room: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let (room, author, called) = (|| 0..4u8, || 1..6u32, || "[a-z]{1,8}");
    prop_oneof![
        4 => (0..4u8).prop_map(|letter| Step::Open { letter }),
        8 => (room(), author(), called()).prop_map(|(room, author, called)| Step::Place { room, author, called }),
        3 => (room(), author()).prop_map(|(room, author)| Step::Enter { room, author }),
        6 => (room(), author(), "\\PC{1,20}", proptest::option::of("[0-9a-f]{1,64}"))
            .prop_map(|(room, author, text, cid)| Step::Say { room, author, text, cid }),
        4 => (room(), author(), any::<u64>(), any::<u8>(), "\\PC{1,20}")
            .prop_map(|(room, author, of, what, text)| Step::Amend { room, author, of, what, text }),
        1 => (room(), author(), called()).prop_map(|(room, author, to)| Step::Nick { room, author, to }),
        2 => (room(), author(), any::<bool>())
            .prop_map(|(room, author, may_return)| Step::Vacate { room, author, may_return }),
        16 => (room(), author(), author(), any::<u8>(), called()).prop_map(|(room, author, target, what, called)| {
            Step::Moderate { room, author, target, what, called }
        }),
        1 => room().prop_map(|room| Step::End { room }),
    ]
}

impl Model {
    /// The change that this step is, if it can be; and what becomes of memory.
    fn take(&mut self, step: Step, time_ms: u64) -> Option<Proposal> {
        let letters = |letter: u8| format!("KXQ{}", char::from(b"BCDF"[usize::from(letter)]));
        if let Step::Open { letter } = step {
            let code = code(&letters(letter));
            if self.rooms.values().any(|(room, _)| room.code == code) {
                return None;
            }
            self.rooms_opened += 1;
            let number = self.rooms_opened;
            let room = StoredRoom {
                code,
                epoch: epoch(number),
                first_id: 1,
                last_id: 0,
                last_time_ms: time_ms,
                last_author: AuthorId(0),
                files: Vec::new(),
                members: Vec::new(),
                left: Vec::new(),
                rules: RoomRules::default(),
            };
            self.rooms.insert(number, (room, Vec::new()));
            return Some(Proposal::new(code, epoch(number), Change::Open { time_ms }));
        }
        let letter = match step {
            Step::Open { .. } => return None,
            Step::Place { room, .. }
            | Step::Enter { room, .. }
            | Step::Say { room, .. }
            | Step::Amend { room, .. }
            | Step::Nick { room, .. }
            | Step::Vacate { room, .. }
            | Step::Moderate { room, .. }
            | Step::End { room } => room,
        };
        let code = code(&letters(letter));
        let number = *self.rooms.iter().find(|(_, (room, _))| room.code == code)?.0;
        if let Step::End { .. } = step {
            self.rooms.remove(&number);
            return Some(proposal(number, Change::End));
        }
        let (room, events) = self.rooms.get_mut(&number)?;
        let change = match step {
            Step::Place { author, called, .. } => {
                let (author, token, name, via) = (AuthorId(author), token(author), name(&called), Via::Web);
                if room.members.iter().any(|member| member.author == author && member.is_placed) {
                    return None;
                }
                let former = room.members.iter().find(|member| member.author == author);
                let seniority = former.map_or(room.last_author.max(author), |former| former.seniority);
                room.members.retain(|member| member.author != author);
                let placed = room.members.iter().take_while(|member| member.is_placed && member.author < author);
                let at = placed.count();
                let member = StoredMember {
                    author,
                    token,
                    name: name.clone(),
                    via,
                    is_placed: true,
                    has_entered: false,
                    account: None,
                    node: NodeId::ALONE,
                    seniority,
                };
                room.members.insert(at, member);
                room.left.retain(|left| left.author != author && left.token != (&token).into());
                room.last_author = room.last_author.max(author);
                let becomes_operator = room.rules.operators.is_empty();
                if becomes_operator {
                    room.rules.operators.push(author);
                }
                let newcomer = Newcomer { author, token, name, via, account: None, becomes_operator };
                Change::Place { opens: false, newcomer, returns: false, time_ms }
            }
            Step::Vacate { author, may_return, .. } => {
                let author = AuthorId(author);
                let at = room.members.iter().position(|member| member.author == author && member.is_placed)?;
                let mut member = room.members.remove(at);
                let parts = member.has_entered.then(|| {
                    room.last_id += 1;
                    let (name, via, body) = (member.name.clone(), Via::Web, Body::Part);
                    events.push(Event { id: room.last_id, time_ms, name, via, author, body });
                    Event { id: 0, ..events[events.len() - 1].clone() }
                });
                if may_return {
                    (member.is_placed, member.has_entered) = (false, false);
                    room.members.push(member);
                } else {
                    room.rules.operators.retain(|operator| *operator != author);
                    room.left.push(Left { author, token: (&member.token).into() });
                }
                room.last_time_ms = room.last_time_ms.max(time_ms);
                Change::Vacate { author, event: parts, may_return, time_ms }
            }
            Step::Enter { author, .. } => {
                let event = model_event(room, events, author, Body::Enter, time_ms)?;
                let (takes_place, account, becomes_operator) = (None, None, false);
                Change::Enter { opens: false, takes_place, account, returns: false, becomes_operator, event }
            }
            Step::Nick { author, to, .. } => {
                let event = model_event(room, events, author, Body::Nick { to: name(&to) }, time_ms)?;
                Change::Publish { event }
            }
            Step::Say { author, text, cid, .. } => {
                let text = Text::clean(&text, 1000).ok()?;
                let cid = cid.and_then(|cid| MessageKey::parse(&cid));
                let body = Body::Message { kind: Kind::Me, text, cid, annotations: None };
                Change::Publish { event: model_event(room, events, author, body, time_ms)? }
            }
            Step::Amend { author, of, what, text, .. } => {
                let of = 1 + of % room.last_id.max(1);
                let text = Text::clean(&text, 1000).ok()?;
                let body = match what % 6 {
                    0 => Body::Delete { of, of_whom: None },
                    1 => {
                        let body = Body::Delete { of, of_whom: Some(name("ben")) };
                        let event = model_event(room, events, author, body, time_ms)?;
                        let (target, ban, key, as_admin) = (None, None, None, None);
                        let measure = Measure { event, target, ban, key, as_admin };
                        return Some(proposal(number, Change::Moderate(Box::new(measure))));
                    }
                    2 => Body::Edit { of, text: Some(text), cid: MessageKey::parse(&what.to_string()) },
                    3 => {
                        let annotations = Annotations { reply_to: Some(of), ..Annotations::default() }.boxed();
                        Body::Message { kind: Kind::Say, text, cid: None, annotations }
                    }
                    _ => {
                        let emoji = ["👍", "🎉"][usize::from(what / 6 % 2)];
                        let emoji = Emoji::parse(emoji).expect("an emoji");
                        Body::Reaction { of, emoji, on: what / 12 % 3 > 0, quote: None }
                    }
                };
                Change::Publish { event: model_event(room, events, author, body, time_ms)? }
            }
            Step::Moderate { author, target, what, called, .. } => {
                Change::Moderate(Box::new(model_measure(room, events, (author, target), what, &called, time_ms)?))
            }
            Step::Open { .. } | Step::End { .. } => return None,
        };
        Some(proposal(number, change))
    }
}

/// Something that an operator does, and what becomes of the room. Times go by milliseconds, so some bans are soon over.
fn model_measure(
    room: &mut StoredRoom,
    events: &mut Vec<Event>,
    (author, target): (u32, u32),
    what: u8,
    called: &str,
    time_ms: u64,
) -> Option<Measure> {
    let text = Text::clean_line(called).ok();
    let (target, name) = (AuthorId(target), name(called));
    let is_known = room.members.iter().any(|member| member.author == target);
    let is_placed = room.members.iter().any(|member| member.author == target && member.is_placed);
    let address = what.is_multiple_of(2).then(|| Address::from_bits(u64::MAX - u64::from(what)));
    let token = what.is_multiple_of(3).then(|| (&token(target.0)).into());
    let until_ms = time_ms + u64::from(what);
    let account = Some(AccountId(until_ms >> 1));
    let ban = Ban { name: name.clone(), token, account, address, until_ms, by: name.clone() };
    let key = KeyHash::from_bytes([what; 32]);
    let mode = |change| (Body::Mode { change }, None, None);
    let (body, ban, key) = match what % 11 {
        0 if is_known => mode(ModeChange::Op(name)),
        1 => mode(ModeChange::Deop(name)),
        2 if is_placed && author != target.0 => (Body::Kick { name, reason: text }, Some(ban), None),
        3 => (Body::Mode { change: ModeChange::Ban { name, seconds: 0 } }, Some(ban), None),
        4 => mode(ModeChange::Unban(name)),
        5 => mode(ModeChange::Mute { name, seconds: (what > 100).then_some(what.into()) }),
        6 => mode(ModeChange::Unmute(name)),
        7 => mode(if what > 100 { ModeChange::Lock } else { ModeChange::Unlock }),
        8 if what > 100 => (Body::Mode { change: ModeChange::Key }, None, Some(key)),
        8 => mode(ModeChange::Unkey),
        9 => (Body::Topic { text: text.filter(|_| what > 100) }, None, None),
        10 => mode(ModeChange::Slow { seconds: what.into() }),
        _ => return None,
    };
    let event = model_event(room, events, author, body, time_ms)?;
    let rules = &mut room.rules;
    if let Some(ban) = &ban {
        rules.bans.retain(|other| other.until_ms > time_ms && other.name != ban.name);
        rules.bans.push(ban.clone());
        rules.bans.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    }
    match &event.body {
        Body::Topic { text } => rules.topic = text.clone(),
        Body::Kick { .. } => {
            rules.operators.retain(|operator| *operator != target);
            for member in room.members.extract_if(.., |member| member.author == target) {
                room.left.push(Left { author: target, token: (&member.token).into() });
            }
        }
        Body::Mode { change } => match change {
            ModeChange::Op(_) if !rules.operators.contains(&target) => {
                rules.operators.push(target);
                rules.operators.sort();
            }
            ModeChange::Deop(_) => rules.operators.retain(|operator| *operator != target),
            ModeChange::Unban(name) => rules.bans.retain(|ban| ban.name != *name),
            ModeChange::Mute { name, seconds } => {
                let until_ms = seconds.map(|seconds| time_ms + 1000 * seconds);
                rules.mutes.retain(|mute| mute.until_ms.is_none_or(|until_ms| until_ms > time_ms));
                rules.mutes.retain(|mute| mute.author != target);
                rules.mutes.push(Mute { author: target, name: name.clone(), until_ms });
                rules.mutes.sort_by_key(|mute| mute.author);
            }
            ModeChange::Unmute(_) => rules.mutes.retain(|mute| mute.author != target),
            ModeChange::Lock => rules.is_locked = true,
            ModeChange::Unlock => rules.is_locked = false,
            ModeChange::Key => rules.key = key,
            ModeChange::Unkey => rules.key = None,
            ModeChange::Slow { seconds } => rules.slow_seconds = *seconds,
            _ => (),
        },
        _ => (),
    }
    Some(Measure { event, target: Some(target), ban, key, as_admin: None })
}

fn model_event(room: &mut StoredRoom, events: &mut Vec<Event>, author: u32, body: Body, time_ms: u64) -> Option<Event> {
    let member = room.members.iter_mut().find(|member| member.author == AuthorId(author) && member.is_placed)?;
    let name = member.name.clone();
    match &body {
        Body::Enter => member.has_entered = true,
        Body::Nick { to } => member.name = to.clone(),
        _ => (),
    }
    room.last_id += 1;
    room.last_time_ms = room.last_time_ms.max(time_ms);
    let event = Event { id: 0, time_ms, name, via: Via::Web, author: AuthorId(author), body };
    amend(events, &event);
    events.push(Event { id: room.last_id, ..event.clone() });
    Some(event)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_stored_is_what_memory_had(runs in prop::collection::vec(prop::collection::vec(any_step(), 0..60), 1..4)) {
        let folder = Folder::new();
        let mut model = Model::default();
        let mut time_ms = TIME_MS;
        for steps in runs {
            let (mut journal, rooms) = folder.open(1000);
            let expected: Vec<StoredRoom> = model.rooms.values().map(|(room, _)| room.clone()).collect();
            prop_assert_eq!(&rooms, &expected);
            for step in steps {
                time_ms += 1;
                let Some(proposal) = model.take(step, time_ms) else { continue };
                journal.submit(proposal);
                if let Outcome::Committed(kept) = journal.next_outcome() {
                    let room = model.rooms.values().find(|(room, _)| room.epoch == kept.epoch);
                    let last_id = room.map(|(room, _)| room.last_id);
                    prop_assert!(event_id(&kept).is_none() || event_id(&kept) == last_id);
                } else {
                    prop_assert!(false, "not kept");
                }
            }
            for (room, events) in model.rooms.values() {
                let read = journal.read_now(room.epoch, 1, room.last_id);
                prop_assert_eq!(&read.events, events);
            }
        }
    }
}
