//! What is done with messages after they were said is in the file as well, and what is deleted is nowhere in it.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::letting_go::wait_until_gone;
use super::support::{Server, Terminal, WebSocketClient};
use super::{Folder, all_events, join, run, say, stdout};

fn edit(client: &mut WebSocketClient, of: u64, text: &str, cid: &str) {
    client.send(json!({"type": "edit", "of": of, "text": text, "cid": cid}));
    client.expect_where("the correction", |message| message["type"] == "edit" && message["cid"] == cid);
}

fn delete(client: &mut WebSocketClient, of: u64) {
    client.send(json!({"type": "delete", "of": of}));
    client.expect_where("the deletion", |message| message["type"] == "delete" && message["of"] == of);
}

fn react(client: &mut WebSocketClient, of: u64, emoji: &str, on: bool) {
    client.send(json!({"type": "react", "of": of, "emoji": emoji, "on": on}));
    client.expect_where("the reaction", |message| message["type"] == "reaction" && message["of"] == of);
}

fn find(events: &[Value], id: u64) -> &Value {
    events.iter().find(|event| event["id"] == id).unwrap_or_else(|| panic!("{id} is not among {events:?}"))
}

#[test]
fn a_crash_takes_nothing_back() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let (mut ben, _) = join(&server, &room, "ben");
    let first = say(&mut ana, "the-first-words", "c1");
    let second = say(&mut ana, "the-second-words", "c2");
    let reply = json!({"type": "message", "text": "a reply", "reply_to": first, "cid": "c3"});
    ben.send(reply);
    ben.expect_where("the reply", |message| message["cid"] == "c3");
    edit(&mut ana, first, "other-words", "e1");
    react(&mut ben, first, "👍", true);
    react(&mut ana, first, "👍", true);
    react(&mut ana, first, "👍", false);
    react(&mut ana, second, "🎉", true);
    edit(&mut ana, second, "the-third-words", "e2");
    delete(&mut ana, second);
    let before = all_events(&server, &room);
    server.crash();

    let server = folder.serve(&[]);
    let events = all_events(&server, &room);
    assert_eq!(events[..before.len()], before, "what memory told is what the file tells");
    let (message, deleted) = (find(&events, first), find(&events, second));
    assert_eq!((&message["text"], &message["edited"]), (&json!("other-words"), &json!(true)));
    assert_eq!(message["reactions"], json!([{"emoji": "👍", "names": ["ben"], "count": 1}]));
    assert_eq!(
        (&deleted["text"], &deleted["deleted"], &deleted["reactions"]),
        (&json!(""), &json!(true), &Value::Null)
    );
    assert!(!Value::from(events.clone()).to_string().contains("second-words"));
    assert_eq!(find(&events, second + 1)["reply_to"], first);

    // All goes on from there: what was said or corrected is not so again, what is gone is gone.
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": room, "token": joined["token"], "since": joined["last"]}));
    let author = ana.expect("joined")["author"].clone();
    assert_eq!(author, joined["author"]);
    for (message, id) in [
        (json!({"type": "message", "text": "the-second-words", "cid": "c2"}), second),
        (json!({"type": "edit", "of": first, "text": "other-words", "cid": "e1"}), second + 2),
    ] {
        let cid = message["cid"].clone();
        ana.send(message);
        assert_eq!(ana.expect("ok"), json!({"type": "ok", "cid": cid, "id": id}));
    }
    ana.send(json!({"type": "edit", "of": second, "text": "again", "cid": "e3"}));
    assert_eq!(ana.expect_error("no_such_event")["cid"], "e3");
    edit(&mut ana, first, "last-words", "e4");
    delete(&mut ana, first);
    wait_until_gone(&folder, &["first-words", "second-words", "third-words", "other-words", "last-words"]);
}

#[test]
fn nothing_is_left_of_a_deleted_text() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "5000"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    // Short ones, and such as take several pages of the file, side by side with others.
    let mut deleted = Vec::new();
    for number in 0..30 {
        let long = "x".repeat(number * 130);
        say(&mut ana, &format!("kept-words {number} {long}"), &format!("k{number}"));
        deleted.push(say(&mut ana, &format!("deleted-words {number} {long}"), &format!("d{number}")));
        if number % 3 == 0 {
            edit(&mut ana, deleted[number], &format!("corrected-words {number} {long}"), &format!("e{number}"));
        }
    }
    assert_eq!(folder.found(&["deleted-words", "corrected-words"]).len(), 2, "the test looks for what is there");
    for id in &deleted {
        delete(&mut ana, *id);
    }
    let events = all_events(&server, &room);
    assert!(deleted.iter().all(|id| find(&events, *id)["deleted"] == true));
    wait_until_gone(&folder, &["deleted-words", "corrected-words"]);
    assert_eq!(folder.found(&["kept-words"]).len(), 1);
    let texts = events.iter().filter(|event| event["text"].as_str().is_some_and(|text| text.starts_with("kept-words")));
    assert_eq!(texts.count(), 30);
    drop(server);
    let verdict: String = Connection::open(folder.file())
        .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .expect("it can be checked");
    assert_eq!(verdict, "ok");
}

/// A server whose memory holds nothing of what is in the file: it has been started anew, and somebody else has come.
fn forgetful(folder: &Folder) -> (Server, String, u64, String, u64) {
    let server = folder.serve(&["--history", "5000"]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let first = say(&mut ana, "deleted-words", "c1");
    edit(&mut ana, first, "corrected-words", "e1");
    let mut last = first;
    for number in 0..1_200 {
        last = say(&mut ana, "more", &format!("m{number}"));
    }
    server.crash();
    let token = joined["token"].as_str().expect("a token").to_owned();
    (folder.serve(&["--history", "5000"]), room, first, token, last)
}

#[test]
fn what_memory_does_not_hold_is_deleted_and_gone_after_a_crash() {
    let folder = Folder::new();
    let (server, room, first, token, last) = forgetful(&folder);
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": room, "token": token, "since": last}));
    ana.expect("joined");
    react(&mut ana, first, "👍", true);
    let (mut ben, _) = join(&server, &room, "ben");
    ben.send(json!({"type": "history", "before": first + 3}));
    let events = ben.expect("history")["events"].clone();
    let message = events.as_array().and_then(|events| events.iter().find(|event| event["id"] == first)).cloned();
    let message = message.expect("it is kept");
    assert_eq!((&message["text"], &message["reactions"][0]["count"]), (&json!("corrected-words"), &json!(1)));
    ben.send(json!({"type": "delete", "of": first, "cid": "d"}));
    assert_eq!(ben.expect_error("not_yours")["cid"], "d");
    delete(&mut ana, first);
    server.crash();

    let server = folder.serve(&["--history", "5000"]);
    let events = all_events(&server, &room);
    assert_eq!((&find(&events, first)["deleted"], &find(&events, first + 1)["text"]), (&json!(true), &json!("")));
    wait_until_gone(&folder, &["deleted-words", "corrected-words"]);
}

#[test]
fn a_terminal_corrects_what_it_said_last_though_memory_does_not_hold_it() {
    let folder = Folder::new();
    let (server, room, _, token, _) = forgetful(&folder);
    let (mut ben, _) = join(&server, &room, "ben");
    for number in 0..60 {
        say(&mut ben, "of ben", &format!("b{number}"));
    }
    let mut ana = Terminal::connect(&server);
    ana.send_line(&format!("/join {room} ana {token}"));
    ana.expect_line("* -- now --");
    ana.send_line("/edit the last of ana");
    assert_eq!(ben.expect("edit")["text"], "the last of ana");
}

#[test]
fn no_copy_and_no_export_has_what_is_deleted() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let deleted = say(&mut ana, "deleted-words", "c1");
    let corrected = say(&mut ana, "first-words", "c2");
    edit(&mut ana, corrected, "corrected-words", "e1");
    react(&mut ana, corrected, "👍", true);
    ana.send(json!({"type": "message", "text": "a reply", "reply_to": corrected, "cid": "c3"}));
    ana.expect_where("the reply", |message| message["cid"] == "c3");
    ana.send(json!({"type": "message", "text": "another", "reply_to": deleted, "cid": "c4"}));
    ana.expect_where("the reply", |message| message["cid"] == "c4");
    delete(&mut ana, deleted);
    // At once, whatever the file itself still holds beside its rows.
    let copies = Folder::new();
    let made = run(&["backup", &folder.file(), "--to", &copies.file()]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert_eq!(copies.found(&["deleted-words", "first-words", "corrected-words"]), ["corrected-words"]);
    for file in [&folder, &copies] {
        let exported = stdout(&run(&["export", &file.file(), &room, "--format", "json"]));
        let events: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(events, all_events(&server, &room), "the export tells what the server tells");
        let exported = stdout(&run(&["export", &file.file(), &room]));
        assert!(!exported.contains("deleted-words") && !exported.contains("first-words"), "{exported}");
        assert!(exported.contains("<ana> corrected-words"), "{exported}");
        assert!(exported.contains("<ana> a reply\n          ^ <ana> corrected-words\n"), "{exported}");
        assert!(exported.contains("<ana> another\n          ^ an earlier message\n"), "{exported}");
    }
}

#[test]
fn what_became_of_messages_goes_with_their_room() {
    let folder = Folder::new();
    let server = folder.serve(&["--room-ttl", "1s", "--grace", "0s"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let id = say(&mut ana, "some-words", "c1");
    edit(&mut ana, id, "other-words", "e1");
    react(&mut ana, id, "👍", true);
    ana.send(json!({"type": "leave"}));
    wait_until_gone(&folder, &["some-words", "other-words", "👍"]);
}
