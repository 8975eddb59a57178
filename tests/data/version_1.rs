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
use std::path::Path;

use serde_json::{Value, json};

use super::support::{Server, WebSocketClient};
use super::{Folder, all_events, say};

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
