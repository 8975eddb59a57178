//! A data file of version 2, as the last program that wrote such files left it.
//!
//! `version_2.db` was closed in good order. In it is KXQT: anna (once ana) and ben, who have places; cara, who left for
//! good. Events 1 to 69, of which 8 to 67 are `history 0` to `history 59`, said by ben.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::support::{Server, WebSocketClient};
use super::{Folder, all_events, run, stdout};

const ANNA: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const BEN: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Rooms that nobody is in are kept, however old the files are.
const LONG_LIVED: [&str; 2] = ["--room-ttl", "36500d"];

fn folder() -> Folder {
    let folder = Folder::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version_2.db");
    fs::copy(file, folder.file()).expect("the file is among the tests");
    folder
}

fn version(folder: &Folder) -> i32 {
    let file = Connection::open(folder.file()).expect("a data file");
    file.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number")
}

fn come_back(server: &Server, token: &str) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(json!({"type": "join", "room": "KXQT", "token": token}));
    let joined = client.expect("joined");
    (client, joined)
}

/// Everybody comes back as who it was, every event is there, and a message that was said is not said again.
fn check(server: &Server) {
    let events = all_events(server, "KXQT");
    assert!(events.iter().take(69).map(|event| event["id"].as_u64()).eq((1..=69).map(Some)), "{events:?}");
    let texts: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!((texts[0], texts[1], texts[2], texts[63]), ("hello, everybody", "two\nlines", "waves", "last in KXQT"));
    assert!(texts[3..63].iter().enumerate().all(|(number, text)| *text == format!("history {number}")));
    assert_eq!((&events[5]["kind"], &events[6]["to"]), (&json!("me"), &json!("anna")));
    let (mut anna, joined) = come_back(server, ANNA);
    assert_eq!((&joined["name"], &joined["author"]), (&json!("anna"), &json!(1)));
    anna.send(json!({"type": "message", "text": "hello, everybody", "cid": "c1"}));
    assert_eq!(anna.expect("ok"), json!({"type": "ok", "cid": "c1", "id": 4}));
    assert_eq!(come_back(server, BEN).1["name"], "ben");
}

#[test]
fn what_is_in_a_file_of_version_2_comes_back_and_can_be_changed() {
    let folder = folder();
    let server = folder.serve(&LONG_LIVED);
    check(&server);
    let (mut anna, _) = come_back(&server, ANNA);
    let (mut ben, _) = come_back(&server, BEN);
    anna.send(json!({"type": "edit", "of": 4, "text": "hello, all", "cid": "e1"}));
    anna.expect("edit");
    ben.send(json!({"type": "react", "of": 4, "emoji": "👍", "on": true}));
    anna.expect("reaction");
    ben.send(json!({"type": "delete", "of": 8}));
    anna.expect("delete");
    server.crash();
    let server = folder.serve(&LONG_LIVED);
    let events = all_events(&server, "KXQT");
    assert_eq!((&events[3]["text"], &events[3]["reactions"][0]["names"]), (&json!("hello, all"), &json!(["ben"])));
    assert_eq!((&events[7]["deleted"], &events[8]["text"]), (&json!(true), &json!("history 1")));
    drop(server);
    assert!(version(&folder) > 2);
}

#[test]
fn a_file_of_version_2_is_copied_and_exported_as_it_is() {
    let folder = folder();
    let exported = stdout(&run(&["export", &folder.file(), "KXQT", "--format", "json"]));
    assert_eq!(exported.lines().count(), 69);
    let copies = Folder::new();
    let made = run(&["backup", &folder.file(), "--to", &copies.file()]);
    assert_eq!((made.status.code(), made.stderr.len()), (Some(0), 0), "{made:?}");
    assert_eq!((version(&folder), version(&copies)), (2, 2));
    check(&copies.serve(&LONG_LIVED));
}
