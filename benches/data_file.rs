//! What a data file costs: a start with a million events in it, a search in them, and how long an acknowledgement
//! takes.
//!
//! `cargo bench --bench data_file [FOLDER]`; the folder (default: the system's for temporary files) tells which
//! disk is measured. Beside each figure stands what an fsync takes there.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use snugd::journal::sqlite::SqliteJournal;
use snugd::journal::{Journal, Outcome};
use snugd::rooms::{
    AuthorId, Body, Change, Epoch, Event, Kind, MessageKey, Name, Proposal, ReadRequest, RoomCode, SearchQuery, Text,
    Via, Wanted,
};
use snugd::time::Now;

const HISTORY_EVENTS: usize = 1_000_000;

fn main() {
    // Cargo's own arguments begin with dashes.
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder =
        folder.map_or_else(std::env::temp_dir, PathBuf::from).join(format!("snugd-bench-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder to measure in");
    println!("an fsync of one page: {:.2} ms (median of 200)", fsync_ms(&folder));
    for rooms in [1, 1000] {
        start(&folder.join(format!("{rooms}.db")), rooms, 1_000_000);
        search(&folder.join(format!("{rooms}.db")), rooms, 1_000_000);
    }
    for (per_second, history_events) in
        [(200, HISTORY_EVENTS), (2000, HISTORY_EVENTS), (10_000, HISTORY_EVENTS), (2000, 1000), (10_000, 1000)]
    {
        acknowledge(&folder.join(format!("at-{per_second}-{history_events}.db")), per_second, history_events);
    }
    for history_events in [HISTORY_EVENTS, 1000] {
        keep_at_once(&folder.join(format!("at-once-{history_events}.db")), history_events);
    }
    fs::remove_dir_all(&folder).expect("it is ours");
}

fn fsync_ms(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("fsync")).expect("a file");
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let started = Instant::now();
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&[1; 4096])).expect("it can be written");
            file.sync_data().expect("it can be synced");
            started.elapsed()
        })
        .collect();
    times.sort();
    times[100].as_secs_f64() * 1000.0
}

fn open(file: &Path, history_events: usize, wake: impl Fn() + Send + Sync + 'static) -> (SqliteJournal, usize) {
    let opened = SqliteJournal::open(file, history_events, wake);
    let (journal, rooms) = opened.unwrap_or_else(|unusable| panic!("{unusable}"));
    (journal, rooms.len())
}

// ---- a start

/// Opens a file with so many events in so many rooms, each with ten members, after a stop and after a crash.
fn start(file: &Path, rooms: u32, events: u32) {
    drop(open(file, HISTORY_EVENTS, || ()));
    fill(&Connection::open(file).expect("a data file"), rooms, events);
    for (how, was_closed) in [("in good order", 1), ("by a crash: it is checked", 0)] {
        let mark = format!("UPDATE file SET was_closed = {was_closed}");
        Connection::open(file).and_then(|file| file.execute_batch(&mark)).expect("a mark");
        let started = Instant::now();
        let (journal, found) = open(file, HISTORY_EVENTS, || ());
        let elapsed = started.elapsed();
        assert_eq!(found, rooms as usize);
        drop(journal);
        let megabytes = fs::metadata(file).map_or(0, |metadata| metadata.len() >> 20);
        println!("start with {events} events in {rooms} rooms ({megabytes} MB), stopped {how}: {elapsed:.0?}");
    }
}

fn fill(file: &Connection, rooms: u32, events: u32) {
    let count = |last: u32| format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})");
    let codes: Vec<String> = (0..rooms).map(code).collect();
    for (number, code) in codes.iter().enumerate() {
        let epoch = format!("{number:016x}");
        file.execute(
            "INSERT INTO room (room, code, epoch, last_time, last_author, keyed_id)
             VALUES (?1, ?2, ?3, 1700000000000, 10, ?4)",
            (number as i64, code, epoch, events / rooms),
        )
        .expect("a room");
    }
    let (members, rows) = (count(rooms * 10 - 1), count(events - 1));
    let per_room = events / rooms;
    file.execute_batch(&format!(
        "{members} INSERT INTO member (room, author, token_hash, name, via, has_entered) \
         SELECT i / 10, i % 10, randomblob(32), 'member ' || i, 'web', 1 FROM n; \
         {rows} INSERT INTO event (room, id, time, author, name, via, kind, text, cid) \
         SELECT i / {per_room}, i % {per_room} + 1, 1700000000000 + i, i % 10, 'member ' || i % 10, \
         'web', 'say', 'what was said, in so many words: ' || i, printf('%016x', i) FROM n;"
    ))
    .expect("it takes them");
}

fn code(number: u32) -> String {
    let letters = b"BCDFGHJKLMNPQRSTVWXYZ";
    (0..4).map(|place| char::from(letters[number as usize / 21_usize.pow(place) % 21])).collect()
}

// ---- a search

/// Searches the first room for what is there often, seldom and never, before and after its index is made.
fn search(file: &Path, rooms: u32, events: u32) {
    let (sender, woken) = channel();
    let (mut journal, _) = open(file, HISTORY_EVENTS, move || sender.send(()).unwrap_or(()));
    let (code, epoch) = (code(0), Epoch::parse(&format!("{:016x}", 0)).expect("an epoch"));
    let code = RoomCode::parse(&code).expect("a code");
    let last = events / rooms;
    let mut ask = |typed: &str| {
        let query = SearchQuery::parse(typed).expect("a query");
        let wanted = Wanted::Search { query, first_id: 1, before: u64::from(last) + 1, limit: 50 };
        let mut times: Vec<(Duration, usize, Option<u64>)> = Vec::new();
        for _ in 0..5 {
            let started = Instant::now();
            journal.read(ReadRequest { code, epoch, wanted: wanted.clone() });
            let (found, before) = loop {
                let _ = woken.recv_timeout(Duration::from_millis(100));
                match journal.take_outcome() {
                    Some(Outcome::Read { page: Some(page), .. }) => break (page.events.len(), page.before),
                    Some(outcome) => panic!("not read: {outcome:?}"),
                    None => (),
                }
            };
            times.push((started.elapsed(), found, before));
        }
        times.sort();
        let (median, found, before) = times[2];
        println!(
            "  {typed:?}: {found} found{}, {median:.1?}, at most {:.1?}",
            before.map_or(String::new(), |before| format!(" (on before {before})")),
            times[4].0
        );
    };
    println!("searched among {events} events in {rooms} rooms, none indexed:");
    ask("nothing");
    let started = Instant::now();
    let file = Connection::open(file).expect("a data file");
    let wanted = i64::from(last) / 1024 - 1;
    let indexed = || -> i64 {
        let sql = "SELECT coalesce(max(end_segment), 0) FROM indexed";
        file.query_row(sql, [], |row| row.get(0)).expect("a number")
    };
    while indexed() < wanted.max(0) {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("indexed after {:.1?}:", started.elapsed());
    for typed in
        ["so many words", "said 500", "said 12345", "said 1234", "s nothing", "nothing", "n", "1", "9 7", "in 1 x"]
    {
        ask(typed);
    }
}

// ---- acknowledgements

/// Submits so many messages a second for five seconds, one by one as they come, and tells how long they took. The
/// room keeps so many of them.
fn acknowledge(file: &Path, per_second: u32, history_events: usize) {
    let (sender, woken) = channel();
    let (mut journal, _) = open(file, history_events, move || sender.send(()).unwrap_or(()));
    let (code, epoch) = room();
    let proposal = |change| Proposal::new(code, epoch, change);
    journal.submit(proposal(Change::Open { time_ms: 0 }));
    let count = per_second as usize * 5;
    let (mut submitted, mut times) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let started = Instant::now();
    while times.len() < count {
        let due = 1 + (started.elapsed().as_secs_f64() * f64::from(per_second)) as usize;
        while submitted.len() < due.min(count) {
            submitted.push(started + Duration::from_secs_f64(submitted.len() as f64 / f64::from(per_second)));
            journal.submit(proposal(message(submitted.len())));
        }
        journal.dispatch(since(started));
        while let Some(outcome) = journal.take_outcome() {
            match outcome {
                Outcome::Committed(Proposal { change: Change::Publish { .. }, .. }) => {
                    times.push(submitted[times.len()].elapsed())
                }
                Outcome::Committed(_) => (),
                outcome => panic!("not kept: {outcome:?}"),
            }
        }
        let next_due = started + Duration::from_secs_f64(submitted.len() as f64 / f64::from(per_second));
        let _ = woken.recv_timeout(next_due.saturating_duration_since(Instant::now()));
    }
    times.sort();
    let at = |share: f64| times[((count - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "{per_second} messages a second, {history_events} kept, acknowledged after ms: median {:.1}, p99 {:.1}, longest {:.1}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Submits many messages as fast as they are kept: then the writer's own work counts, and the disk's hardly.
fn keep_at_once(file: &Path, history_events: usize) {
    const MESSAGES: usize = 300_000;
    let (sender, woken) = channel();
    let (mut journal, _) = open(file, history_events, move || sender.send(()).unwrap_or(()));
    let (code, epoch) = room();
    let proposal = |change| Proposal::new(code, epoch, change);
    journal.submit(proposal(Change::Open { time_ms: 0 }));
    let (mut submitted, mut kept) = (1, 0);
    let started = Instant::now();
    while kept <= MESSAGES {
        // Enough for the writer to be never idle.
        while submitted <= MESSAGES && submitted - kept < 8000 {
            journal.submit(proposal(message(submitted)));
            submitted += 1;
        }
        journal.dispatch(since(started));
        while let Some(outcome) = journal.take_outcome() {
            assert!(matches!(outcome, Outcome::Committed(_)), "not kept: {outcome:?}");
            kept += 1;
        }
        let _ = woken.recv_timeout(Duration::from_millis(1));
    }
    let each = started.elapsed().as_secs_f64() * 1e6 / MESSAGES as f64;
    println!("{MESSAGES} messages at once, {history_events} kept: {each:.2} µs each");
}

/// The room in which something is said.
fn room() -> (RoomCode, Epoch) {
    (RoomCode::parse("KXQT").expect("a code"), Epoch::parse("00000000000000aa").expect("an epoch"))
}

fn since(started: Instant) -> Now {
    Now { steady_ms: started.elapsed().as_millis() as u64, wall_ms: 0 }
}

fn message(number: usize) -> Change {
    let text = Text::clean(&format!("what was said, in so many words: {number}"), 4096).expect("a text");
    // Ids of clients that come in no order are the dearest.
    let cid = MessageKey::parse(&format!("{:016x}", (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let body = Body::Message { kind: Kind::Say, text, cid, annotations: None };
    let name = Name::parse("ana").expect("a name");
    let event = Event { id: 0, time_ms: number as u64, name, via: Via::Web, author: AuthorId(1), body };
    Change::Publish { event }
}
