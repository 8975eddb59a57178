//! A data file of version 2, as the last program that wrote such files left it.
//!
//! `version_2_operators.db` was closed in good order. In it are XZNC with ben and cara, who have places, ana, who came before them
//! and left for good, and events 1 to 9; and MYXZ with dora, who has a place. Nobody keeps order in them.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::Folder;
use super::support::{Server, WebSocketClient};

const BEN: &str = "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2";
const CARA: &str = "c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2";
const DORA: &str = "d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2";

/// Rooms that nobody is in are kept, however old the file is.
pub(super) const LONG_LIVED: [&str; 4] = ["--room-ttl", "36500d", "--grace", "1h"];

pub(super) fn come_back(server: &Server, room: &str, token: &str) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(json!({"type": "join", "room": room, "token": token}));
    let joined = client.expect("joined");
    (client, joined)
}

#[test]
fn in_a_file_of_version_2_who_has_been_there_longest_keeps_order_from_here_on() {
    let folder = Folder::new();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version_2_operators.db");
    fs::copy(stored, folder.file()).expect("the file is among the tests");
    for start in 0..2 {
        let server = folder.serve(&LONG_LIVED);
        let (mut cara, joined) = come_back(&server, "XZNC", CARA);
        assert_eq!(joined["last"], 9 + start, "nothing but what is done here");
        assert_eq!(joined["events"].as_array().map(Vec::len), Some(9 + start));
        let members = joined["members"].as_array().expect("members");
        let operators: Vec<&Value> = members.iter().filter(|member| member["op"] == true).collect();
        assert!(operators.len() == 1 && operators[0]["name"] == "ben", "{members:?}");
        cara.send(json!({"type": "moderate", "action": "lock"}));
        cara.expect_error("not_operator");
        let (mut ben, joined) = come_back(&server, "XZNC", BEN);
        assert_eq!(joined["modes"]["locked"], start == 1);
        if start == 0 {
            ben.send(json!({"type": "moderate", "action": "lock"}));
            assert_eq!(cara.expect("mode")["change"], "lock");
        }
        let (_, joined) = come_back(&server, "MYXZ", DORA);
        assert_eq!(joined["members"][0]["op"], true);
        server.crash();
    }
    let version: i32 = Connection::open(folder.file())
        .and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0)))
        .expect("a number");
    assert_eq!(version, 5);
}
