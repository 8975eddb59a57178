//! What is searched for is found the same with a data file and without, after a crash, and in files that are older than
//! searching.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::support::http::percent_encode;
use super::support::{Server, WebSocketClient, eventually};
use super::{Folder, join, run, stdout};

/// The tables of version 2, as its programs made them.
const VERSION_2: &str = "
CREATE TABLE file (was_closed INTEGER NOT NULL) STRICT;
INSERT INTO file VALUES (1);
CREATE TABLE room (
    room INTEGER PRIMARY KEY, code TEXT UNIQUE, epoch TEXT NOT NULL UNIQUE, last_time INTEGER NOT NULL,
    last_author INTEGER NOT NULL, keyed_id INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE event (
    room INTEGER NOT NULL, id INTEGER NOT NULL, time INTEGER NOT NULL, author INTEGER NOT NULL, name TEXT NOT NULL,
    via TEXT NOT NULL, kind TEXT NOT NULL, text TEXT, cid TEXT, PRIMARY KEY (room, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE member (
    room INTEGER NOT NULL, author INTEGER NOT NULL, token_hash BLOB NOT NULL, name TEXT NOT NULL, via TEXT NOT NULL,
    has_entered INTEGER NOT NULL, departed INTEGER, PRIMARY KEY (room, author)
) STRICT, WITHOUT ROWID;
CREATE INDEX departed ON member (room, departed) WHERE departed IS NOT NULL;
CREATE TABLE message_key (
    room INTEGER NOT NULL, segment INTEGER NOT NULL, author INTEGER NOT NULL, cid TEXT NOT NULL, id INTEGER NOT NULL,
    PRIMARY KEY (room, segment, author, cid)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 0x736e7567;
PRAGMA user_version = 2;
";

const TEXTS: [&str; 8] = [
    "The slides are on the board.",
    "Le café est fermé",
    "明日の会議は十時から",
    "well done 👍🏽",
    "say \"NEAR(\" OR nothing",
    "Straße, STRASSE",
    "the board is full",
    "don't",
];

const QUERIES: [&str; 14] = [
    "board",
    "the boa",
    "boa the",
    "CAFE",
    "会議",
    "議会",
    "👍",
    "\"NEAR(\" OR",
    "strasse",
    "don't",
    "a* NOT",
    "--",
    "é",
    "nobody",
];

/// The texts that are found, and whether there may be more; or the code of the error.
fn search(client: &mut WebSocketClient, question: &Value) -> Value {
    client.send(question.clone());
    let answer = client.expect_where("the answer", |message| message["type"] == "search" || message["type"] == "error");
    if answer["type"] == "error" {
        return answer["code"].clone();
    }
    let texts = answer["events"].as_array().expect("a list").iter().map(|event| event["text"].clone());
    json!({"texts": texts.collect::<Vec<_>>(), "more": answer["more"]})
}

fn say_all(client: &mut WebSocketClient, texts: impl Iterator<Item = String>) {
    let mut last = String::new();
    for text in texts {
        client.say(&text);
        last = text;
    }
    client.expect_where("the last", |message| message["text"] == last.as_str());
}

#[test]
fn memory_and_a_file_find_the_same() {
    let folder = Folder::new();
    let servers = [Server::with(&["--rate", "0"]), folder.serve(&[])];
    let mut answers = Vec::new();
    for server in &servers {
        let (mut ana, _) = join(server, &server.create_room(), "ana");
        let (mut ben, _) = join(server, &server.create_room(), "ben");
        say_all(&mut ana, (0..400).map(|number| format!("{} {number}", TEXTS[number % TEXTS.len()])));
        say_all(&mut ben, ["the other board".to_owned()].into_iter());
        let mut found: Vec<Value> = Vec::new();
        for typed in QUERIES {
            found.push(search(&mut ana, &json!({"type": "search", "text": typed})));
            found.push(search(&mut ana, &json!({"type": "search", "text": typed, "before": 100, "limit": 7})));
        }
        answers.push(found);
    }
    assert_eq!(answers[0], answers[1]);
    let counts: Vec<usize> =
        answers[0].iter().step_by(2).map(|found| found["texts"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(counts, [50, 50, 0, 50, 50, 0, 50, 50, 50, 50, 0, 0, 50, 0]);
    assert_eq!(answers[0][22], "text_empty");
}

#[test]
fn what_was_said_is_found_after_a_crash() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "100000"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    say_all(&mut ana, (0..3500).map(|number| format!("hello number{number}")));
    eventually("a part of it is indexed", || (indexed(&folder) > 0).then_some(()));
    server.crash();
    let server = folder.serve(&["--history", "100000"]);
    let (mut ben, _) = join(&server, &room, "ben");
    for number in [0, 500, 1500, 3499] {
        let found = search(&mut ben, &json!({"type": "search", "text": format!("hello number{number}"), "limit": 200}));
        let texts = found["texts"].as_array().expect("a list");
        assert!(texts.contains(&json!(format!("hello number{number}"))), "{number}: {found}");
    }
    // What history lets go of is found no more, and leaves no word anywhere.
    drop(server);
    assert_eq!(folder.found(&["number500"]), ["number500"]);
    let server = folder.serve(&["--history", "10"]);
    eventually("it is gone", || folder.found(&["number500", "number50"]).is_empty().then_some(()));
    let (mut cleo, _) = join(&server, &room, "cleo");
    assert_eq!(search(&mut cleo, &json!({"type": "search", "text": "number500"})), json!({"texts": [], "more": false}));
}

#[test]
fn what_is_corrected_is_found_by_its_new_words_and_what_is_deleted_not_at_all() {
    for options in [&["--history", "100000"][..], &[]] {
        let folder = Folder::new();
        let server = folder.serve(options);
        let (mut ana, joined) = join(&server, &server.create_room(), "ana");
        let first = joined["last"].as_u64().expect("an id") + 1;
        let count = if options.is_empty() { 100 } else { 3500 };
        say_all(&mut ana, (0..count).map(|number| format!("hello number{number}")));
        if !options.is_empty() {
            eventually("a part of it is indexed", || (indexed(&folder) > 0).then_some(()));
        }
        ana.send(json!({"type": "edit", "of": first + 5, "text": "goodbye number5"}));
        ana.send(json!({"type": "delete", "of": first + 6}));
        ana.expect("delete");
        let mut found = |text: &str| search(&mut ana, &json!({"type": "search", "text": text}))["texts"].clone();
        assert_eq!(found("goodbye number5"), json!(["goodbye number5"]));
        let texts = found("hello number5");
        assert!(!texts.as_array().expect("a list").contains(&json!("hello number5")), "{texts}");
        assert_eq!(found("number6 hello"), json!([]));
        assert_eq!(found("number7 hello"), json!(["hello number7"]));
    }
}

#[test]
fn a_file_of_version_2_is_searched_from_its_first_start_on() {
    let folder = Folder::new();
    let file = Connection::open(folder.file()).expect("a file");
    file.execute_batch("PRAGMA journal_mode = WAL").and_then(|()| file.execute_batch(VERSION_2)).expect("tables");
    file.execute_batch(
        "INSERT INTO room VALUES (1, 'KXQT', '00000000000000aa', 1700000000000, 1, 0); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
         INSERT INTO event SELECT 1, i, 1700000000000 + i, 1, 'ana', 'web', 'say', 'said long ago, number' || i, NULL \
         FROM n;",
    )
    .expect("events");
    drop(file);
    let copies = Folder::new();
    let made = run(&["backup", &folder.file(), "--to", &copies.file()]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let exported = stdout(&run(&["export", &folder.file(), "KXQT", "--format", "json"]));
    assert_eq!(exported.lines().count(), 20_000);
    for folder in [&folder, &copies] {
        let server = folder.serve(&["--history", "100000", "--room-ttl", "36500d"]);
        let find = |typed: &str| {
            let path = format!("/api/v1/rooms/KXQT/events?search={}", percent_encode(typed));
            let response = server.get(&path);
            assert_eq!(response.status, 200, "{}", response.text());
            let found = response.json();
            let events = found["events"].as_array().expect("a list");
            events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>()
        };
        // Before all of it is indexed, and after that.
        assert_eq!(find("said number19999"), [19_999]);
        eventually("all of it is indexed", || {
            assert_eq!(find("long number9999"), [9_999]);
            (indexed(folder) == 18).then_some(())
        });
        let expected: Vec<u64> = [1234].into_iter().chain(12_340..12_350).collect();
        assert_eq!(find("number1234"), expected, "the last word may be a beginning");
        let version: i32 = Connection::open(folder.file())
            .and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0)))
            .expect("a number");
        assert_eq!(version, 5);
    }
}

/// Segments that are indexed.
fn indexed(folder: &Folder) -> i64 {
    let sql = "SELECT coalesce(sum(end_segment - first_segment), 0) FROM indexed";
    let file = Connection::open(folder.file()).expect("a data file");
    file.query_row(sql, [], |row| row.get(0)).unwrap_or(0)
}
