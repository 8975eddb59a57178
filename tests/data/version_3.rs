//! A data file of version 3, as the last program that wrote such files left it.
//!
//! `version_3.db` was closed in good order. In it is QGFB with ana, whose name is an account's and who keeps order, ben, and
//! events 1 to 13: among them a message that was corrected (4), one that was replied with and reacted to (6), one that was
//! deleted (8), a topic (10) and the ban of eve (12).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Folder;
use super::version_2_operators::{LONG_LIVED, come_back};

const ANA: &str = "a042a000f4e694a4e754a2db98f2edea";

#[test]
fn a_file_of_version_3_goes_on_with_all_that_is_in_it_and_with_shared_files() {
    let folder = Folder::new();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version_3.db");
    fs::copy(stored, folder.file()).expect("the file is among the tests");
    for start in 0..2 {
        let server = folder.serve(&LONG_LIVED);
        let (mut ana, joined) = come_back(&server, "QGFB", ANA);
        assert_eq!((&joined["last"], &joined["topic"]), (&json!(13 + start), &json!("plans")));
        let own = &joined["members"][0];
        assert_eq!((&own["name"], &own["account"], &own["op"]), (&json!("ana"), &json!(true), &json!(true)));
        let told = |id: usize| &joined["events"][id - 1];
        assert_eq!((&told(4)["text"], &told(4)["edited"]), (&json!("the better plan"), &json!(true)));
        assert_eq!((&told(6)["reply_to"], &told(6)["reactions"][0]["names"]), (&json!(4), &json!(["ana"])));
        assert_eq!((&told(8)["text"], &told(8)["deleted"]), (&json!(""), &json!(true)));
        ana.send(json!({"type": "bans"}));
        assert_eq!(ana.expect("bans")["bans"][0]["name"], "eve");
        ana.send(json!({"type": "search", "text": "plan"}));
        let found: Vec<Value> = ana.expect("search")["events"].as_array().expect("events").clone();
        assert_eq!(found.len(), 1 + start, "{found:?}");
        if start == 0 {
            let token = format!("Bearer {ANA}");
            let shared = server.http().request("PUT", "/QGFB/plan.txt", &[("Authorization", &token)], b"the plan");
            assert_eq!(shared.status, 201, "{}", shared.text());
            assert_eq!(ana.expect("file")["name"], "ana");
        } else {
            let url = told(14)["file"]["url"].as_str().expect("an address");
            assert_eq!(server.get(url).text(), "the plan");
        }
        server.crash();
    }
}
