//! `--data`: what is in the file after a stop, a crash, and a full disk; files that are refused; copies.
#![cfg(feature = "sqlite")]

mod amending;
mod files;
mod letting_go;
mod searching;
#[path = "../support/mod.rs"]
mod support;
mod version_1;
mod version_2;
mod version_2_operators;
mod version_3;
mod version_4;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde_json::{Value, json};
use support::server::{command, command_to_interrupt, signal};
use support::{Server, Terminal, WebSocketClient, eventually};

/// A folder with a data file, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-data-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    fn file(&self) -> String {
        self.path("snugd.db")
    }

    /// A server that keeps its rooms here.
    fn serve(&self, options: &[&str]) -> Server {
        Server::with(&[&["--data", &self.file(), "--rate", "0"], options].concat())
    }

    /// The same, on a disk that can be made to fail.
    fn serve_on_faulty_disk(&self) -> Server {
        Server::run(self.on_faulty_disk())
    }

    fn on_faulty_disk(&self) -> Command {
        let mut command = command();
        command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--rate", "0"]);
        command.args(["--data", &self.file()]);
        command.env("LD_PRELOAD", faulty_disk()).env("FAULTS", &self.0);
        command
    }

    /// Makes the disk fail from here on.
    fn fail(&self, fault: &str) {
        fs::write(self.path(fault), "").expect("a file");
    }

    fn heal(&self, fault: &str) {
        fs::remove_file(self.path(fault)).expect("it failed");
    }

    /// Which of these words stand somewhere in the data file or in a file beside it.
    fn found<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        let bytes = self.bytes();
        let is_found = |word: &&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        words.iter().copied().filter(is_found).collect()
    }

    /// What stands in the data file and in the files beside it.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in fs::read_dir(&self.0).expect("a folder") {
            // Some of them come and go.
            bytes.extend(fs::read(entry.expect("an entry").path()).unwrap_or_default());
        }
        bytes
    }

    /// Changes the file while nobody uses it.
    fn change(&self, sql: &str) {
        Connection::open(self.file()).expect("a data file").execute_batch(sql).expect("it can be changed");
    }

    /// Starts a server that has to refuse its file; returns the sentence.
    fn refusal(&self) -> String {
        refused(run(&["--listen", "127.0.0.1:0", "--line-listen", "off", "--data", &self.file()]))
    }
}

/// The sentence with which a file was refused.
fn refused(output: Output) -> String {
    let sentence = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{sentence}");
    let lines: Vec<&str> = sentence.lines().filter(|line| line.starts_with("snugd: ")).collect();
    assert!(lines.len() == 1 && lines[0].ends_with('.'), "{sentence}");
    sentence
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The library that makes a disk fail, built once.
fn faulty_disk() -> &'static Path {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty_disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/faulty_disk.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(built.expect("a C compiler: install gcc").success(), "the library can be built");
        library
    })
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("the program can be started")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Joins with a token, from where this client was.
fn rejoin(server: &Server, room: &str, joined: &Value, since: u64) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(json!({
        "type": "join", "room": room, "token": joined["token"], "since": since, "epoch": joined["epoch"]
    }));
    let joined = client.expect("joined");
    (client, joined)
}

fn join(server: &Server, room: &str, name: &str) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(json!({"type": "join", "room": room, "name": name}));
    let joined = client.expect("joined");
    (client, joined)
}

/// Says something, and waits until it is acknowledged; returns its id.
fn say(client: &mut WebSocketClient, text: &str, cid: &str) -> u64 {
    client.send(json!({"type": "message", "text": text, "cid": cid}));
    let message = client.expect_where("the acknowledgement", |message| message["cid"] == cid);
    assert_eq!(message["type"], "message", "{message}");
    message["id"].as_u64().expect("an id")
}

/// All events of a room, as the API has them.
fn all_events(server: &Server, room: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let since = events.last().map_or(0, |event| event["id"].as_u64().expect("an id"));
        let page = server.get(&format!("/api/v1/rooms/{room}/events?since={since}&limit=200")).json();
        events.extend(page["events"].as_array().expect("events").iter().cloned());
        if page["more"] != true {
            return events;
        }
    }
}

// ---- coming back

#[test]
fn a_restart_keeps_rooms_names_tokens_history_and_client_ids() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    let first = say(&mut ana, "before the stop", "c1");
    ben.expect_said("<ana> before the stop");
    ben.send_line("heard");
    let heard = ana.expect_where("ben", |message| message["text"] == "heard");
    drop(server);

    let server = folder.serve(&[]);
    let described = server.get(&format!("/api/v1/rooms/{room}")).json();
    assert_eq!(described["last"], heard["id"]);
    assert_eq!(described["members"].as_array().map(Vec::len), Some(2), "both have the grace: {described}");
    let (mut ana, again) = rejoin(&server, &room, &joined, first);
    assert_eq!((&again["name"], &again["epoch"], &again["gap"]), (&json!("ana"), &joined["epoch"], &json!(false)));
    assert_eq!(again["events"], json!([heard]), "exactly what was missed");
    ana.send(json!({"type": "message", "text": "before the stop", "cid": "c1"}));
    assert_eq!(ana.expect("ok"), json!({"type": "ok", "cid": "c1", "id": first}));
    assert_eq!(say(&mut ana, "after it", "c2"), heard["id"].as_u64().expect("an id") + 1);

    // Somebody else is not taken for whoever left before.
    let (mut eve, _) = join(&server, &room, "eve");
    assert!(say(&mut eve, "mine", "c1") > first);
    let mut terminal = Terminal::connect(&server);
    terminal.send_line(&format!("/join {room} ben"));
    terminal.expect_line_where("the name is ben's still", |line| line.starts_with("! "));
}

#[test]
fn who_left_for_good_gives_its_number_to_nobody() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    say(&mut ana, "mine", "c1");
    ana.send(json!({"type": "leave"}));
    ana.expect_close(1000);
    drop(server);
    let server = folder.serve(&[]);
    let (mut ben, _) = join(&server, &room, "ben");
    say(&mut ben, "not hers", "c1");
}

#[test]
fn history_that_memory_does_not_hold_is_read_from_the_file() {
    let folder = Folder::new();
    let options = ["--history", "2500", "--max-message", "100"];
    let server = folder.serve(&options);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let texts: Vec<String> = (0..2400).map(|number| format!("text {number}")).collect();
    for text in &texts {
        ana.say(text);
    }
    ana.expect_where("the last one", |message| message["text"] == "text 2399");
    let check = |server: &Server| {
        let events = all_events(server, &room);
        let ids: Vec<u64> = events.iter().map(|event| event["id"].as_u64().expect("an id")).collect();
        assert!(ids.iter().copied().eq(1..=ids.len() as u64), "{ids:?}");
        let said: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
        assert_eq!(said, texts);
    };
    check(&server);
    ana.send(json!({"type": "history", "before": 100, "limit": 10}));
    let page = ana.expect("history");
    assert_eq!((&page["events"][0]["id"], &page["events"][9]["id"]), (&json!(90), &json!(99)));
    drop(server);
    check(&folder.serve(&options));
}

#[test]
fn the_time_of_an_empty_room_counts_on() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    drop(server);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let minute_ms = 60_000;
    folder.change(&format!("UPDATE room SET last_time = {}", now_ms - 50 * minute_ms));
    let server = folder.serve(&["--room-ttl", "1h"]);
    assert_eq!(server.get(&format!("/api/v1/rooms/{room}")).status, 200);
    drop(server);
    folder.change(&format!("UPDATE room SET last_time = {}", now_ms - 70 * minute_ms));
    let server = folder.serve(&["--room-ttl", "1h"]);
    eventually("the room ends", || (server.get(&format!("/api/v1/rooms/{room}")).status == 404).then_some(()));
    drop(server);
    let rooms: i64 = Connection::open(folder.file())
        .and_then(|file| file.query_row("SELECT count(*) FROM room WHERE code IS NOT NULL", [], |row| row.get(0)))
        .expect("a count");
    assert_eq!(rooms, 0);
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        for number in 0..20 {
            let text = format!("{round}.{number}");
            acknowledged.push((say(&mut ana, &text, &text), text));
        }
        // On their way when it crashes: there afterwards, or not.
        for number in 0..20 {
            ana.say(&format!("{round}.{number} unacknowledged"));
        }
        server.crash();
        server = folder.serve(&[]);
        let since = acknowledged.last().expect("some were").0;
        let again;
        (ana, again) = rejoin(&server, &room, &joined, since);
        assert_eq!((&again["name"], &again["epoch"], &again["gap"]), (&json!("ana"), &joined["epoch"], &json!(false)));
    }
    let events = all_events(&server, &room);
    assert!(events.iter().map(|event| event["id"].as_u64()).eq((1..=events.len() as u64).map(Some)));
    for (id, text) in acknowledged {
        assert_eq!(events[id as usize - 1]["text"], text);
    }
}

// ---- a disk that fails

#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_the_sender_is_told_and_everything_else_goes_on() {
    let folder = Folder::new();
    let server = folder.serve_on_faulty_disk();
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    let before = say(&mut ana, "before", "c1");
    ben.expect_said("<ana> before");

    folder.fail("full");
    ana.send(json!({"type": "message", "text": "lost", "cid": "c2"}));
    let error = ana.expect("error");
    assert_eq!((&error["code"], &error["cid"]), (&json!("storage_failed"), &json!("c2")));
    // A new name waits, and what comes after it.
    ana.send(json!({"type": "nick", "name": "ann"}));
    // People come and read; who they are is told once it is stored.
    let (mut eve, joined) = join(&server, &room, "eve");
    assert!(joined["events"].as_array().is_some_and(|events| events.iter().any(|event| event["text"] == "before")));
    assert_eq!((&joined["members"][0]["name"], &joined["count"]), (&json!("eve"), &json!(2)), "{joined}");
    assert_eq!(joined["last"].as_u64().expect("an id"), before);
    ben.send_line("/who");
    ben.expect_line("* ana (web), ben (line)");

    folder.heal("full");
    let nick = ana.expect("nick");
    assert_eq!((&nick["to"], &nick["id"]), (&json!("ann"), &json!(before + 1)));
    let enter = ana.expect("enter");
    assert_eq!((&enter["name"], &enter["id"]), (&json!("eve"), &json!(before + 2)));
    // The same id may be used again, for what was not said.
    assert_eq!(say(&mut ana, "lost no more", "c2"), before + 3);
    eve.expect_where("ana", |message| message["text"] == "lost no more");
    ben.expect_said("<ann> lost no more");
    let texts: Vec<Value> = all_events(&server, &room).into_iter().map(|event| event["text"].clone()).collect();
    assert!(!texts.contains(&json!("lost")));
    assert!(server.log().contains("cannot be written"), "{}", server.log());
}

/// Whether `/readyz` says so, and what `/metrics` says of the journal.
fn is_told_ready(server: &Server, status: u16, words: &str, failing: u8) -> Option<()> {
    let answer = server.get("/readyz");
    let figure = format!("\nsnugd_journal_failing {failing}\n");
    ((answer.status, answer.text().as_str()) == (status, words)).then_some(())?;
    assert_eq!(server.get("/healthz").status, 200, "the loop turns");
    server.get("/metrics").text().contains(&figure).then_some(())
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_it_is_not_ready_until_there_is_room_though_nobody_says_anything() {
    let folder = Folder::new();
    let server = folder.serve_on_faulty_disk();
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    say(&mut ana, "before", "c1");
    assert_eq!(is_told_ready(&server, 200, "ok\n", 0), Some(()));

    folder.fail("full");
    ana.send(json!({"type": "message", "text": "lost", "cid": "c2"}));
    ana.expect("error");
    assert_eq!(is_told_ready(&server, 503, "storage failing\n", 1), Some(()));
    assert!(server.get("/readyz").header("Retry-After").is_some());
    // It tries again by itself, and is not well before it has succeeded.
    let failed = |server: &Server| {
        let text = server.get("/metrics").text();
        let figure = text.lines().find_map(|line| line.strip_prefix("snugd_journal_errors_total{reason=\"failed\"} "));
        figure.expect("a figure").parse::<u64>().expect("a number")
    };
    let before = failed(&server);
    eventually("it has tried again", || (failed(&server) > before).then_some(()));
    assert_eq!(is_told_ready(&server, 503, "storage failing\n", 1), Some(()));
    folder.heal("full");
    eventually("it is well again", || is_told_ready(&server, 200, "ok\n", 0));
    assert_eq!(server.log().matches("cannot be written").count(), 1, "it is said once:\n{}", server.log());
    assert_eq!(server.log().matches("can be written again").count(), 1, "and this too:\n{}", server.log());
    let text = server.get("/metrics").text();
    assert!(text.contains("\nsnugd_journal_changes_total{outcome=\"refused\"} 1\n"), "{text}");
    let commits = text.lines().find_map(|line| line.strip_prefix("snugd_journal_transaction_duration_seconds_count "));
    assert!(commits.is_some_and(|commits| commits != "0"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn after_a_failed_fsync_it_acknowledges_nothing_and_ends() {
    let folder = Folder::new();
    let mut server = folder.serve_on_faulty_disk();
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let last = say(&mut ana, "before", "c1");
    folder.fail("fsync");
    ana.send(json!({"type": "message", "text": "after", "cid": "c2"}));
    assert_eq!(server.wait().code(), Some(1));
    let log = server.log();
    assert!(log.lines().any(|line| line.starts_with("snugd: The data file can be written no more")), "{log}");
    // It ended as it should: what drops it need not look.
    std::mem::forget(server);

    folder.heal("fsync");
    let server = folder.serve(&[]);
    let (mut ana, again) = rejoin(&server, &room, &joined, last);
    // Not acknowledged: it may be there, but once.
    ana.send(json!({"type": "message", "text": "after", "cid": "c2"}));
    ana.expect_where("c2", |message| message["cid"] == "c2");
    let texts: Vec<Value> = all_events(&server, &room).into_iter().map(|event| event["text"].clone()).collect();
    assert_eq!(texts.iter().filter(|text| **text == "after").count(), 1, "{again}");
}

#[test]
#[cfg(unix)]
fn files_that_may_grow_no_more_take_no_messages() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    let program = support::server::command();
    // In blocks of 512 bytes; without the signal, writing beyond is an error like others.
    command.args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"]).arg(program.get_program());
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--rate", "0", "--data", &folder.file()]);
    let server = Server::run(command);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let text = "x".repeat(4000);
    let mut said = 0;
    let refused = loop {
        ana.send(json!({"type": "message", "text": text, "cid": said.to_string()}));
        let answer = ana.next();
        if answer["type"] == "error" {
            break answer;
        }
        said += 1;
        assert!(said < 1000, "the limit does not limit");
    };
    assert_eq!(refused["code"], "storage_failed");
    let texts = all_events(&server, &room).into_iter().filter(|event| event["text"] == text).count();
    assert_eq!(texts, said);
}

// ---- files that are refused

#[test]
fn a_file_that_another_one_uses_is_refused() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    assert!(folder.refusal().contains("in use"));
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn unusable_files_are_refused_and_left_as_they_are() {
    let folder = Folder::new();
    fs::write(folder.file(), "a letter to grandmother").expect("a file");
    assert!(folder.refusal().contains("no data file of snugd"));
    assert_eq!(fs::read_to_string(folder.file()).expect("it is there"), "a letter to grandmother");
    fs::remove_file(folder.file()).expect("it is ours");

    fs::create_dir(folder.file()).expect("a folder");
    assert!(folder.refusal().contains("is a folder"));
    fs::remove_dir(folder.file()).expect("it is empty");

    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    for number in 0..300 {
        ana.say(&format!("{number} {}", "x".repeat(200)));
    }
    ana.expect_where("the last one", |message| message["text"].as_str().is_some_and(|text| text.starts_with("299 ")));
    drop(server);
    folder.change("PRAGMA user_version = 99");
    assert!(folder.refusal().contains("newer snugd"));
    folder.change("PRAGMA user_version = 5; UPDATE file SET was_closed = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = fs::read(folder.file()).expect("a file");
    let mut damaged = whole.clone();
    let middle = whole.len() / 2 / 4096 * 4096;
    damaged[middle..middle + 4096].fill(0xA5);
    fs::write(folder.file(), &damaged).expect("writable");
    assert!(folder.refusal().contains("damaged"));
    fs::write(folder.file(), &whole).expect("writable");
    let server = folder.serve(&[]);
    assert_eq!(all_events(&server, &room).len(), 301);
}

#[test]
#[cfg(unix)]
fn nobody_else_may_read_the_secrets_in_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let server = folder.serve(&[]);
    server.create_room();
    for name in ["snugd.db", "snugd.db-wal"] {
        let mode = fs::metadata(folder.path(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

// ---- copies

#[test]
fn a_backup_of_a_file_in_use_serves() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let last = say(&mut ana, "in the copy", "c1");
    let copy = folder.path("copy.db");
    let made = run(&["backup", &folder.file(), "--to", &copy]);
    assert_eq!((made.status.code(), made.stderr.len()), (Some(0), 0), "{made:?}");
    assert_eq!(run(&["backup", &folder.file(), "--to", &copy]).status.code(), Some(2), "it is not overwritten");
    assert_eq!(run(&["backup", &folder.path("none.db"), "--to", &folder.path("c2.db")]).status.code(), Some(4));
    assert!(!Path::new(&folder.path("c2.db")).exists());
    say(&mut ana, "not in the copy", "c2");
    drop(server);

    let server = Server::with(&["--data", &copy]);
    let (mut ana, again) = rejoin(&server, &room, &joined, last);
    assert_eq!((&again["last"], &again["events"]), (&json!(last), &json!([])));
    say(&mut ana, "only in the copy", "c3");
}

#[test]
fn a_backup_takes_shared_files_along_and_an_export_names_them() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let id = say(&mut ana, "the plan", "c1");
    drop(server);
    let file = "000000000000000000000000000000ab";
    let data = Connection::open(folder.file()).expect("a database");
    let line = format!("{file} 4 application/octet-stream 0x0 plan.pdf");
    data.execute("UPDATE event SET file = ?1 WHERE id = ?2", (line, id.cast_signed())).expect("it is written");
    drop(data);
    let (copy, kept) = (folder.path("copy.db"), folder.path("kept"));
    let missing = run(&["backup", &folder.file(), "--to", &copy]);
    assert_eq!(missing.status.code(), Some(1), "there is no such folder");
    let unreadable = folder.path("unreadable");
    std::fs::create_dir_all(format!("{unreadable}/{file}")).expect("a folder instead of the file");
    let failed = run(&["backup", &folder.file(), "--to", &copy, "--files", &unreadable]);
    assert_eq!(failed.status.code(), Some(1), "it cannot be read");
    assert!(!Path::new(&copy).exists() && !Path::new(&format!("{copy}.files")).exists(), "no half a copy is left");
    std::fs::create_dir(folder.path("kept")).expect("a folder");
    std::fs::write(folder.path(&format!("kept/{file}")), "plan").expect("a file");
    let made = run(&["backup", &folder.file(), "--to", &copy, "--files", &kept]);
    assert_eq!((made.status.code(), made.stderr.len()), (Some(0), 0), "{made:?}");
    assert_eq!(std::fs::read(format!("{copy}.files/{file}")).expect("a copy"), b"plan");
    let export = |format: &str| {
        let exported = run(&["export", &copy, &room, "--format", format]);
        String::from_utf8(exported.stdout).expect("UTF-8")
    };
    let url = format!("/{room}/files/{file}/plan.pdf");
    assert!(export("json").contains(&format!("\"url\":\"{url}\"")), "{}", export("json"));
    let shown = format!("* ana shares plan.pdf (4 B) {url}\n          | the plan\n");
    assert!(export("text").contains(&shown), "{}", export("text"));
}

#[test]
fn an_export_has_every_event_as_an_object_or_as_a_line() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    say(&mut ana, "two\nlines", "c1");
    let live = run(&["export", &folder.file(), &room.to_lowercase(), "--format", "json"]);
    let objects: Vec<Value> =
        stdout(&live).lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(objects, all_events(&server, &room));
    drop(server);

    let text = stdout(&run(&["export", &folder.file(), &room, "--format", "text"]));
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(lines[0].starts_with("* -- ") && lines[0].ends_with(" --"), "{text}");
    assert_eq!(lines[1], "* ana came in (web)");
    assert_eq!(support::terminal::without_time(lines[2]), Some("<ana> two"));
    assert_eq!(lines[3..], ["          | lines", ""]);
    let missing = run(&["export", &folder.file(), "BBBB"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no room"));
    assert_eq!(run(&["export", &folder.file()]).status.code(), Some(2));
}

#[test]
fn what_was_received_is_said_though_its_sender_is_gone_at_once() {
    use std::io::Write;
    let folder = Folder::new();
    let server = folder.serve(&["--max-per-ip", "0"]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    for number in 0..40 {
        // As a shell does with `> /dev/tcp/host/port`: nothing is read, and the connection closed at once.
        let mut stream = std::net::TcpStream::connect(server.line()).expect("it listens");
        // In one piece: the system may hold a second one back until the first is acknowledged (RFC 9293, 3.7.4),
        // and forgets it where the connection is closed with the greeting unread.
        let lines = format!("/join {room} bot{number}\nbackup {number} done\n");
        stream.write_all(lines.as_bytes()).expect("it takes it");
        drop(stream);
        ana.expect_where("the text", |message| message["text"] == format!("backup {number} done"));
    }
}

#[test]
fn no_answer_has_more_than_a_page() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "100000"]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    for number in 0..1_500 {
        ana.send(json!({"type": "message", "text": format!("text {number}")}));
    }
    ana.expect_where("the last", |message| message["text"] == "text 1499");
    let server_again = |server: Server| {
        drop(server);
        folder.serve(&["--history", "100000"])
    };
    let server = server_again(server);
    let mut again = WebSocketClient::connect(&server);
    again.send(json!({
        "type": "join", "room": room, "token": joined["token"], "since": 0, "epoch": joined["epoch"]
    }));
    let joined = again.expect("joined");
    let ids: Vec<u64> = joined["events"].as_array().expect("a list").iter().filter_map(|e| e["id"].as_u64()).collect();
    assert_eq!((ids.len(), &joined["gap"]), (500, &json!(true)));
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]) && ids.last() == joined["last"].as_u64().as_ref());
    let mut first = ids[0];
    while first > 1 {
        again.send(json!({"type": "history", "before": first, "limit": 200}));
        let page = again.expect("history");
        let events = page["events"].as_array().expect("a list");
        assert_eq!(events.last().and_then(|event| event["id"].as_u64()), Some(first - 1));
        first = events[0]["id"].as_u64().expect("an id");
        assert_eq!(page["more"], first > 1);
    }
}

#[test]
fn what_is_older_than_history_is_not_said_twice_even_after_a_restart() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "100"]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let first = say(&mut ana, "only once", "c1");
    let (mut ben, _) = join(&server, &room, "ben");
    for number in 0..2_500 {
        let (text, cid) = (format!("text {number}"), format!("b{number}"));
        ben.send(json!({"type": "message", "text": text, "cid": cid}));
    }
    let last = ben.expect_where("the last", |message| message["text"] == "text 2499");
    drop(ana);
    let check = |server: &Server| {
        let (mut ana, again) = rejoin(server, &room, &joined, first);
        assert_eq!(again["gap"], true);
        ana.send(json!({"type": "message", "text": "only once", "cid": "c1"}));
        let ok = ana.expect_where("the answer", |message| message["type"] == "ok");
        assert_eq!((&ok["cid"], &ok["id"]), (&json!("c1"), &json!(first)));
        let described = server.get(&format!("/api/v1/rooms/{room}")).json();
        assert_eq!(described["last"], last["id"], "nothing was said again");
    };
    check(&server);
    drop(server);
    check(&folder.serve(&["--history", "100"]));
}

#[test]
fn while_another_program_holds_the_file_messages_wait() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    let backup = Connection::open(folder.file()).expect("a database");
    backup.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
    for number in 0..3 {
        ana.send(json!({"type": "message", "text": format!("text {number}"), "cid": format!("c{number}")}));
    }
    // Somebody who comes is let in once the file could not be had: so that has happened by now, and reading goes on.
    let (mut ben, joined) = join(&server, &room, "ben");
    assert_eq!(joined["last"], 1);
    ben.send(json!({"type": "message", "text": "text 3", "cid": "c3"}));
    backup.execute_batch("ROLLBACK").expect("it was begun");
    let texts: Vec<Value> = (0..4).map(|_| ana.expect("message")["text"].clone()).collect();
    assert_eq!(texts, ["text 0", "text 1", "text 2", "text 3"]);
}

#[test]
fn who_leaves_while_its_last_words_wait_is_told_what_became_of_them() {
    let folder = Folder::new();
    let server = folder.serve_on_faulty_disk();
    let room = server.create_room();
    let mut ben = Terminal::join(&server, &room, "ben");
    let backup = Connection::open(folder.file()).expect("a database");
    backup.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
    ben.send_line("hello");
    ben.send_line("/quit");
    // Each is let in once the file could not be had.
    let (_ana, _) = join(&server, &room, "ana");
    let (_eve, _) = join(&server, &room, "eve");
    folder.fail("full");
    backup.execute_batch("ROLLBACK").expect("it was begun");
    let words = ben.read_to_end();
    folder.heal("full");
    let (refused, goodbye) = (words.find("could not be stored"), words.find("* Bye."));
    assert!(refused.is_some() && refused < goodbye, "{words}");
}

#[test]
fn a_request_that_waits_for_the_file_is_answered_although_the_server_stops() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    let backup = Connection::open(folder.file()).expect("a database");
    backup.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
    let (mut waiting, mut idle) = (server.http(), server.http());
    waiting.send_request("POST", "/", &[], b"name=ana&create=1");
    eventually("it waits", || server.log().contains("another program holds the data file").then_some(()));
    assert_eq!(idle.get("/readyz").status, 200);
    server.signal("TERM");
    idle.expect_end();
    backup.execute_batch("ROLLBACK").expect("it was begun");
    let created = waiting.response_to("POST");
    assert_eq!((created.status, created.expect_header("Connection")), (303, "close"));
    waiting.expect_end();
    drop((waiting, idle));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_start_waits_for_another_program_that_holds_the_file() {
    let folder = Folder::new();
    drop(folder.serve(&[]));
    let backup = Connection::open(folder.file()).expect("a database");
    backup.execute_batch("BEGIN IMMEDIATE").expect("nobody else uses it");
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "off", "--data", &folder.file()]);
    let mut program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
    let mut log = BufReader::new(program.stderr.take().expect("a pipe")).lines();
    let waits = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("another program holds the data file")));
    backup.execute_batch("ROLLBACK").expect("it was begun");
    let listens = BufReader::new(program.stdout.take().expect("a pipe")).lines().next();
    program.kill().expect("it can be ended");
    program.wait().expect("it ends");
    assert!(waits.is_some());
    assert!(listens.is_some_and(|line| line.is_ok_and(|line| line.starts_with("listening web "))));
}

#[test]
fn a_start_that_waits_for_the_file_can_be_stopped() {
    let folder = Folder::new();
    drop(folder.serve(&[]));
    let backup = Connection::open(folder.file()).expect("a database");
    for name in ["INT", "TERM"] {
        backup.execute_batch("BEGIN IMMEDIATE").expect("nobody else uses it");
        let mut command = command_to_interrupt();
        command.args(["--listen", "127.0.0.1:0", "--line-listen", "off", "--data", &folder.file()]);
        let mut program = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it can be started");
        let mut log = BufReader::new(program.stderr.take().expect("a pipe")).lines();
        let waits = |line: &str| line.contains("another program holds the data file");
        assert!(log.any(|line| line.is_ok_and(|line| waits(&line))));
        signal(program.id(), name);
        let status = eventually("it ends", || program.try_wait().expect("a child can be waited for"));
        assert_eq!(status.code(), None, "by the signal");
        backup.execute_batch("ROLLBACK").expect("it was begun");
    }
}

#[test]
fn a_message_from_further_back_than_memory_goes_is_not_said_twice() {
    let folder = Folder::new();
    let server = folder.serve(&["--history", "100000"]);
    let room = server.create_room();
    let (mut ana, joined) = join(&server, &room, "ana");
    let first = say(&mut ana, "only once", "c1");
    let (mut ben, _) = join(&server, &room, "ben");
    for number in 0..1_100 {
        ben.send(json!({"type": "message", "text": format!("text {number}")}));
    }
    ben.expect_where("the last", |message| message["text"] == "text 1099");
    drop(ana);
    let (mut ana, _) = rejoin(&server, &room, &joined, first);
    ana.send(json!({"type": "message", "text": "only once", "cid": "c1"}));
    let ok = ana.expect_where("the answer", |message| message["type"] == "ok");
    assert_eq!((&ok["cid"], &ok["id"]), (&json!("c1"), &json!(first)));
    ana.send(json!({"type": "message", "text": "something new", "cid": "c2"}));
    ana.expect_where("the new one", |message| message["text"] == "something new");
}
