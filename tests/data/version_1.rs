//! Data files of version 1, as the last program that wrote such files left them.
//!
//! `version_1.db` was closed in good order. Its free pages hold what is left of a room that was over. In it are:
//!
//! - KXQT: anna (web, once ana), benno (a terminal, once ben) and bot (`/json`), who have places; dora, who dropped
//!   out; cara, who left for good. Events 1 to 17.
//! - BCDF: hugo (web), who has a place. Its history was limited to 50 events, and holds events 65 to 171.
//! - GHJK: nobody; gone (web) dropped out. Events 1 to 3.
//!
//! `version_1_killed.db` is the same file after another run that ended with `kill -9`: everything of that run stands
//! in the `-wal` beside it. In KXQT nina came, said something and became nino, anna spoke, and mia came and left:
//! events 18 to 24.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::support::{Server, WebSocketClient};
use super::{Folder, all_events, refused, run, say, stdout};

const ANNA: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const BENNO: &str = "67b2cb01a13a37910ea44d74cc98b0e1";
const BOT: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
const DORA: &str = "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1";
const HUGO: &str = "e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1";
const GONE: &str = "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1";
/// Only in the file that was killed.
const NINO: &str = "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a";

/// Rooms that nobody is in are kept, however old the files are.
const LONG_LIVED: [&str; 2] = ["--room-ttl", "36500d"];

/// A folder with a copy of such a file, and of its log if it has one.
fn folder_with(name: &str) -> Folder {
    let folder = Folder::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::copy(&file, folder.file()).expect("the file is among the tests");
    let log = file.with_extension("db-wal");
    if log.exists() {
        fs::copy(log, folder.path("snugd.db-wal")).expect("a copy");
    }
    folder
}

/// Comes back by a token; returns what is told to the one who joins.
fn come_back(server: &Server, room: &str, token: &str) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(json!({"type": "join", "room": room, "token": token}));
    let joined = client.expect("joined");
    assert_eq!(joined["token"], token);
    (client, joined)
}

/// Everybody comes back as who it was, every event is there, and a message that was said is not said again.
fn check(server: &Server, is_killed: bool) {
    let members = [("KXQT", ANNA, "anna"), ("KXQT", BENNO, "benno"), ("KXQT", BOT, "bot"), ("KXQT", DORA, "dora")];
    let members = members.into_iter().chain([("BCDF", HUGO, "hugo"), ("GHJK", GONE, "gone")]);
    let last_id = if is_killed { 24 } else { 17 };
    let events = all_events(server, "KXQT");
    assert!(events.iter().map(|event| event["id"].as_u64()).eq((1..=last_id).map(Some)), "{events:?}");
    let texts: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    let said = [
        "hello, everybody",
        "without an id",
        "two\nlines\n\tand a tab",
        "waves",
        "from a terminal",
        "from a bot",
        "Здравствуйте 👋",
        "last in KXQT",
    ];
    assert_eq!(texts[..8], said);
    assert_eq!(events[5]["cid"], "c1");
    assert_eq!((&events[12]["type"], &events[12]["to"]), (&json!("nick"), &json!("anna")));
    if is_killed {
        assert_eq!(texts[8..], ["said before the kill", "the last one before the kill", "in and out"]);
        assert_eq!(come_back(server, "KXQT", NINO).1["name"], "nino");
    }
    let history = all_events(server, "BCDF");
    assert!(history.iter().map(|event| event["id"].as_u64()).eq((65..=171).map(Some)));
    assert!(history.iter().all(|event| event["text"] == format!("history {}", event["id"].as_u64().unwrap() - 2)));
    assert_eq!(all_events(server, "GHJK")[1]["text"], "said in GHJK");
    for (room, token, name) in members {
        let (mut member, joined) = come_back(server, room, token);
        assert_eq!(joined["name"], name, "{joined}");
        if name == "anna" {
            member.send(json!({"type": "message", "text": "hello, everybody", "cid": "c1"}));
            assert_eq!(member.expect("ok"), json!({"type": "ok", "cid": "c1", "id": 6}));
            say(&mut member, "after the start", "c9");
        }
    }
}

#[test]
fn what_is_in_a_file_of_version_1_comes_back() {
    for (name, is_killed) in [("version_1.db", false), ("version_1_killed.db", true)] {
        let folder = folder_with(name);
        check(&folder.serve(&LONG_LIVED), is_killed);
        let server = folder.serve(&LONG_LIVED);
        assert!(all_events(&server, "KXQT").iter().any(|event| event["text"] == "after the start"));
        assert_eq!(come_back(&server, "KXQT", ANNA).1["name"], "anna");
    }
}

// ---- the way to newer versions

const TOKENS: [&str; 7] = [ANNA, BENNO, BOT, DORA, HUGO, GONE, NINO];

/// What version 1 has left of a room that was over, and of members that left.
const REMAINS: [&str; 4] = ["of a room that is over", "over-", "olga", "9f9f9f9f9f9f9f9f"];

/// Leaves more than that: pages that are free, and such as are in use again for something shorter.
fn leave_more(folder: &Folder) {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)";
    folder.change(&format!(
        "PRAGMA secure_delete = OFF; {rows} INSERT INTO event SELECT 2, i + 1000, 0, 1, 'olga', 'web', 'say', \
         'of a room that is over' || zeroblob(i * 10), 'over-' || i FROM n; \
         DELETE FROM event WHERE room = 2 AND id > 1000; \
         UPDATE event SET text = text || hex(zeroblob(3000)) WHERE room = 3 AND kind = 'say'; \
         UPDATE event SET text = 'said in GHJK' WHERE room = 3 AND kind = 'say';"
    ));
}

fn version(file: &str) -> i32 {
    let file = Connection::open(file).expect("a data file");
    file.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number")
}

#[test]
fn no_token_and_nothing_deleted_is_left_after_the_first_start() {
    for name in ["version_1.db", "version_1_killed.db"] {
        let folder = folder_with(name);
        if name == "version_1.db" {
            leave_more(&folder);
        }
        assert!(folder.found(&TOKENS).len() >= 6, "the test looks for what is there");
        assert!(folder.found(&REMAINS).len() >= 2, "the test looks for what is there");
        let server = folder.serve(&LONG_LIVED);
        assert_eq!(folder.found(&TOKENS), [""; 0]);
        assert_eq!(folder.found(&REMAINS), [""; 0]);
        assert_eq!(folder.found(&["without an id", "history 63"]).len(), 2);
        drop(server);
        assert_eq!(folder.found(&TOKENS), [""; 0]);
        assert_eq!(version(&folder.file()), 5);
        let hash: Vec<u8> = Connection::open(folder.file())
            .and_then(|file| file.query_row("SELECT token_hash FROM member WHERE name = 'anna'", [], |row| row.get(0)))
            .expect("she is in it");
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        // printf %s a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 | sha256sum
        assert_eq!(hash, "ca3842ff1bf0ffb632731dc409b5c3e6ba3b2c8c75aef32c80bba67df9f3c328");
    }
}

#[test]
fn a_file_of_version_1_is_copied_and_exported_as_it_is() {
    for (name, last_id) in [("version_1.db", 17), ("version_1_killed.db", 24)] {
        let folder = folder_with(name);
        let exported = stdout(&run(&["export", &folder.file(), "KXQT", "--format", "json"]));
        assert_eq!(exported.lines().count(), last_id);
        let copies = Folder::new();
        let made = run(&["backup", &folder.file(), "--to", &copies.file()]);
        assert_eq!((made.status.code(), made.stderr.len()), (Some(0), 0), "{made:?}");
        assert_eq!((version(&folder.file()), version(&copies.file())), (1, 1));
        check(&copies.serve(&LONG_LIVED), last_id == 24);
        check(&folder.serve(&LONG_LIVED), last_id == 24);
    }
}

/// Starts it again and again on a fresh copy, on a disk that fails at a later write each time, until a start
/// succeeds. `check_failure` is given each one that does not.
#[cfg(target_os = "linux")]
fn fail_at_every_write(name: &str, fault: &str, mut check_failure: impl FnMut(&Folder, Output)) {
    // Some writes apart, or it takes long.
    for write in (1..).step_by(5) {
        let folder = folder_with(name);
        let mut command = folder.on_faulty_disk();
        command.args(LONG_LIVED).env(fault, write.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("it says UTF-8");
        if !line.is_empty() {
            child.kill().and_then(|()| child.wait()).expect("it was running");
            return;
        }
        check_failure(&folder, child.wait_with_output().expect("it has ended"));
    }
}

/// The version of a file that was not closed, looked at in a copy, so that looking does not change it.
fn version_of_open(folder: &Folder) -> i32 {
    let copy = Folder::new();
    for file in ["snugd.db", "snugd.db-wal"] {
        // There need be no log.
        let _ = fs::copy(folder.path(file), copy.path(file));
    }
    version(&copy.file())
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_it_is_refused_and_nothing_is_lost() {
    for (name, is_killed) in [("version_1.db", false), ("version_1_killed.db", true)] {
        let mut versions = Vec::new();
        fail_at_every_write(name, "FULL_AT", |folder, output| {
            let sentence = refused(output);
            assert!(sentence.contains("There is no room left on the disk"), "{sentence}");
            versions.push(version_of_open(folder));
            check(&folder.serve(&LONG_LIVED), is_killed);
            assert_eq!(folder.found(&TOKENS), [""; 0]);
        });
        assert!(versions.is_sorted() && versions.contains(&1), "{versions:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_crash_on_the_way_leaves_one_version_or_the_other() {
    for (name, is_killed) in [("version_1.db", false), ("version_1_killed.db", true)] {
        let mut versions = Vec::new();
        fail_at_every_write(name, "DIES_AT", |folder, output| {
            assert_eq!(output.status.code(), None, "it was killed");
            versions.push(version_of_open(folder));
            check(&folder.serve(&LONG_LIVED), is_killed);
            assert_eq!(folder.found(&TOKENS), [""; 0]);
        });
        assert!(
            versions.is_sorted() && versions.contains(&1) && versions.iter().any(|version| *version > 1),
            "{versions:?}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_failed_fsync_on_the_way_is_the_end_of_the_start() {
    let starts_on = |sync: u32| {
        let folder = folder_with("version_1.db");
        let mut command = folder.on_faulty_disk();
        command.args(LONG_LIVED).env("SYNC_FAILS_AT", sync.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("it says UTF-8");
        if line.is_empty() {
            refused(child.wait_with_output().expect("it has ended"));
        } else {
            child.kill().and_then(|()| child.wait()).expect("it was running");
        }
        !line.is_empty()
    };
    // What is written anew, the change, and two for the log that is emptied into the file; then it has started.
    let started: Vec<bool> = (1..=12).map(starts_on).collect();
    assert!(started.is_sorted() && started[..4] == [false; 4] && started[11], "{started:?}");
}
