//! A data file of version 4, as the last program that wrote such files left it.
//!
//! `version_4.db` was closed in good order. In it is FLCX with ana, who keeps order, cara, who is muted, and events 1 to 9:
//! among them a shared file (6), whose bytes are not here, and that ben left for good (8).

use std::fs;
use std::path::Path;

use serde_json::json;

use super::Folder;
use super::support::WebSocketClient;
use super::version_2_operators::{LONG_LIVED, come_back};

const ANA: &str = "3f9284ee8120fef7663d78675df11bd0";
const CARA: &str = "cfebd113e376d9b0c1ee4639d7927a1d";

#[test]
fn in_a_file_of_version_4_who_leaves_from_here_on_keeps_its_number() {
    let folder = Folder::new();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version_4.db");
    fs::copy(stored, folder.file()).expect("the file is among the tests");
    let server = folder.serve(&LONG_LIVED);
    let (mut ana, joined) = come_back(&server, "FLCX", ANA);
    assert_eq!((&joined["last"], &joined["members"][0]["op"]), (&json!(9), &json!(true)));
    assert_eq!(joined["events"][5]["file"]["name"], "plan.txt");
    let (mut cara, joined) = come_back(&server, "FLCX", CARA);
    assert_eq!((&joined["name"], &joined["author"]), (&json!("cara"), &json!(3)));
    cara.send(json!({"type": "leave"}));
    assert_eq!(ana.expect("part")["name"], "cara");
    server.crash();
    let server = folder.serve(&LONG_LIVED);
    let (_, joined) = come_back(&server, "FLCX", ANA);
    assert_eq!(joined["count"], 1);
    let mut cara = WebSocketClient::connect(&server);
    cara.send(json!({"type": "join", "room": "FLCX", "token": CARA}));
    cara.expect_error("name_required");
    cara.send(json!({"type": "join", "room": "FLCX", "name": "cara", "token": CARA}));
    assert_eq!(cara.expect("joined")["author"], 3);
    cara.send(json!({"type": "message", "text": "hello"}));
    cara.expect_error("muted");
}
