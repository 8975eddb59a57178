//! What is over is over: nothing of it is found in the data file or beside it any more.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde_json::json;

use super::support::{Server, WebSocketClient, eventually};
use super::{Folder, all_events, join, say};

/// Says texts that are found again wherever they are left, short ones and such as take several pages.
fn say_marked(client: &mut WebSocketClient, mark: &str, count: usize) {
    // A client's id tells nothing of what it stands for, and is kept for longer.
    let cid = |number| format!("{}-{number}", mark.to_uppercase());
    for number in 0..count {
        let text = format!("{mark} {number} {}", "x".repeat(number % 7 * number % 7 * 150));
        client.send(json!({"type": "message", "text": text, "cid": cid(number)}));
    }
    let last = cid(count - 1);
    client.expect_where("the last one", |message| message["cid"] == last);
}

/// A server that keeps few events, and a room in which ana has said more.
fn serve_few(folder: &Folder) -> (Server, String, WebSocketClient) {
    let server = folder.serve(&["--history", "20"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    say_marked(&mut ana, "let-go-of", 200);
    (server, room, ana)
}

/// Waits until nothing of this is left.
pub fn wait_until_gone(folder: &Folder, words: &[&str]) {
    let mut found = Vec::new();
    eventually(&format!("{words:?} are gone"), || {
        let left = folder.found(words);
        found.clone_from(&left);
        left.is_empty().then_some(())
    });
}

#[test]
fn nothing_is_left_of_a_room_that_is_over() {
    let folder = Folder::new();
    let server = folder.serve(&["--room-ttl", "1s", "--grace", "0s"]);
    let (lasting, over) = (server.create_room(), server.create_room());
    let (mut ana, _) = join(&server, &lasting, "ana");
    let (mut ben, joined) = join(&server, &over, "benedict");
    // Their texts stand side by side in the file.
    for round in 0..4 {
        say_marked(&mut ana, &format!("lasting{round}"), 60);
        say_marked(&mut ben, "gone-with-the-room", 60);
    }
    let token = joined["token"].as_str().expect("a token").to_owned();
    let epoch = joined["epoch"].as_str().expect("an epoch").to_owned();
    let words = ["gone-with-the-room", "benedict", &epoch, &over, &token];
    assert_eq!(folder.found(&words), words[..4], "the test looks for what is there, and a token is not");
    ben.send(json!({"type": "leave"}));
    wait_until_gone(&folder, &words);
    // The server is none the wiser, and what was said elsewhere is there.
    assert_eq!(all_events(&server, &lasting).len(), 241);
    assert_eq!(folder.found(&["lasting0", "lasting3"]).len(), 2);
    drop(server);
    assert_eq!(folder.found(&words), [""; 0]);
    check_integrity(&folder);
}

#[test]
fn nothing_is_left_of_what_history_has_let_go_of() {
    let folder = Folder::new();
    let (server, room, mut ana) = serve_few(&folder);
    // Strides are long, and this is longer.
    say_marked(&mut ana, "kept", 100);
    wait_until_gone(&folder, &["let-go-of"]);
    assert!(all_events(&server, &room).len() >= 20);
    drop(server);
    check_integrity(&folder);
}

#[test]
fn while_it_is_being_written_to_it_lets_go_as_well() {
    let folder = Folder::new();
    let (_server, _, mut ana) = serve_few(&folder);
    let mut said = 0;
    // Never a pause.
    eventually("it is gone", || {
        say(&mut ana, "kept", &format!("c{said}"));
        said += 1;
        (said > 100 && folder.found(&["let-go-of"]).is_empty()).then_some(())
    });
}

#[test]
fn a_smaller_history_is_one_from_the_start_on() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "1000"]);
    let rooms: Vec<String> = (0..3).map(|_| server.create_room()).collect();
    for room in &rooms {
        let (mut ana, _) = join(&server, room, "ana");
        say_marked(&mut ana, "too-old", 300);
        say_marked(&mut ana, "young", 30);
    }
    drop(server);
    assert_eq!(folder.found(&["too-old"]).len(), 1);
    let server = folder.serve(&["--history", "30"]);
    wait_until_gone(&folder, &["too-old"]);
    for room in &rooms {
        let events = all_events(&server, room);
        assert_eq!(events.len(), 30);
        assert_eq!(events[29]["id"], 331 + u64::from(events[29]["type"] == "part"));
    }
}

#[test]
fn a_larger_history_begins_with_what_a_smaller_one_has_left() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "20"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    say_marked(&mut ana, "hello", 600);
    drop(server);
    let server = folder.serve(&["--history", "100000"]);
    let events = all_events(&server, &room);
    assert!((20..100).contains(&events.len()), "{} events", events.len());
    assert_eq!(events[events.len() - 1]["id"], 601 + u64::from(events[events.len() - 1]["type"] == "part"));
}

#[test]
fn nothing_is_left_of_a_member_that_left_for_good() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "1"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let (mut ben, _) = join(&server, &room, "benedict");
    let hash: Vec<u8> = Connection::open(folder.file())
        .and_then(|file| file.query_row("SELECT token_hash FROM member WHERE name = 'benedict'", [], |row| row.get(0)))
        .expect("he is in it");
    ben.send(json!({"type": "leave"}));
    ben.expect_close(1000);
    say_marked(&mut ana, "more", 200);
    wait_until_gone(&folder, &["benedict"]);
    eventually("the hash is gone", || {
        let bytes = folder.bytes();
        (!bytes.windows(32).any(|window| window == hash)).then_some(())
    });
}

#[test]
fn it_is_tried_again_while_somebody_else_reads() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "20"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let other = Connection::open(folder.file()).expect("a data file");
    say_marked(&mut ana, "let-go-of", 200);
    other.execute_batch("BEGIN; SELECT count(*) FROM event;").expect("it can be read");
    say_marked(&mut ana, "kept", 100);
    assert_eq!(folder.found(&["let-go-of"]).len(), 1, "whoever reads has it before them");
    other.execute_batch("COMMIT").expect("it was begun");
    wait_until_gone(&folder, &["let-go-of"]);
}

#[test]
fn after_a_crash_and_in_a_copy_nothing_is_left() {
    let folder = Folder::new();
    let (server, _, mut ana) = serve_few(&folder);
    say_marked(&mut ana, "kept", 100);
    let copies = Folder::new();
    let made = super::run(&["backup", &folder.file(), "--to", &copies.file()]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert_eq!(copies.found(&["let-go-of"]), [""; 0]);
    check_integrity(&copies);
    server.crash();
    let server = folder.serve(&["--history", "20"]);
    wait_until_gone(&folder, &["let-go-of"]);
    drop(server);
    check_integrity(&folder);
}

/// Rooms that come, talk and end in no order, so that what is left of one may be anywhere.
#[test]
fn many_rooms_leave_nothing_behind() {
    let folder = Folder::new();
    let server: Server = folder.serve(&["--room-ttl", "1s", "--grace", "0s", "--history", "50", "--create-rate", "0"]);
    let mut rooms: Vec<(String, String, WebSocketClient)> = Vec::new();
    let mut marks: BTreeSet<String> = BTreeSet::new();
    let mut number = 7_u32;
    let mut draw = |below: usize| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 8) as usize % below
    };
    for turn in 0..400 {
        if rooms.len() < 12 {
            let code = server.create_room();
            let mark = format!("mark{turn}.");
            let (client, _) = join(&server, &code, &format!("{mark}name"));
            rooms.push((code, mark, client));
        }
        let at = draw(rooms.len());
        let (_, mark, client) = &mut rooms[at];
        say_marked(client, mark, 1 + draw(12));
        if draw(8) == 0 {
            let (_, mark, mut client) = rooms.swap_remove(at);
            client.send(json!({"type": "leave"}));
            marks.insert(mark);
        }
    }
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    assert!(marks.len() > 20);
    wait_until_gone(&folder, &marks);
    drop((rooms, server));
    assert_eq!(folder.found(&marks), [""; 0]);
    check_integrity(&folder);
}

fn check_integrity(folder: &Folder) {
    let verdict: String = Connection::open(folder.file())
        .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .expect("it can be checked");
    assert_eq!(verdict, "ok");
}

/// A process loses all its locks on a file once it closes any handle of it; then another program would take the index of
/// the log for its own, and cut it off.
#[test]
#[cfg(target_os = "linux")]
fn the_file_stays_locked_after_it_was_cleaned() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let (server, _, mut ana) = serve_few(&folder);
    say_marked(&mut ana, "kept", 100);
    wait_until_gone(&folder, &["let-go-of"]);
    let index = std::fs::metadata(folder.file() + "-shm").expect("the log has an index").ino();
    let (pid, index) = (server.pid().to_string(), format!(":{index}"));
    // SQLite's byte that tells whether anybody uses the index (`UNIX_SHM_DMS`).
    let is_it = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&&*pid) && words.iter().any(|word| word.ends_with(&index)) && words.ends_with(&["128", "128"])
    };
    let locks = std::fs::read_to_string("/proc/locks").expect("Linux tells who locks what");
    assert!(locks.lines().any(is_it), "{locks}");
}
