//! The log: what is in it, what never is, and in what form it comes.

mod support;

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::server::command;
use support::{HttpClient, Server, Terminal, WebSocketClient, eventually};

// ---- what is never in it

/// What somebody has typed, or was given as a secret, somewhere in [`make_noise`].
const PRIVATE: [&str; 18] = [
    "Zaphodia",
    "Trillianus",
    "Marvinella",
    "Slartibart",
    "confidential",
    "correcthorse",
    "batterystaple",
    "wrongpassword",
    "roomkeyword",
    "topicwords",
    "reasonwords",
    "searchedword",
    "filename",
    "filecontent",
    "nonsensical",
    "headervalue",
    "BCDFGHJK",
    "queryvalue",
];

/// Does everything that members and strangers do. Returns the secrets that were given out.
fn make_noise(server: &Server) -> Vec<String> {
    let room = server.create_room();
    let mut ana = WebSocketClient::connect(server);
    ana.send(json!({"type": "join", "room": room, "name": "Zaphodia"}));
    let token = ana.expect("joined")["token"].as_str().expect("a token").to_owned();
    ana.send(json!({"type": "register", "password": "correcthorse"}));
    ana.send(json!({"type": "message", "text": "confidential matters", "cid": "confidential1"}));
    ana.expect("message");
    ana.send(json!({"type": "edit", "of": 2, "text": "confidential correction"}));
    ana.expect("edit");
    ana.send(json!({"type": "moderate", "action": "topic", "value": "topicwords"}));
    ana.expect("topic");
    ana.send(json!({"type": "search", "text": "searchedword"}));
    ana.expect("search");
    ana.send_text("{\"type\":\"nonsensical");
    ana.expect_error("bad_request");
    ana.send(json!({"type": "nonsensical", "cid": "nonsensical"}));
    ana.expect_error("bad_request");
    ana.send(json!({"type": "login", "name": "Zaphodia", "password": "wrongpassword"}));
    ana.expect("error");

    let mut ben = Terminal::join(server, &room, "Trillianus");
    ben.send_line("confidential as well");
    ana.expect_where("the message", |message| message["text"] == "confidential as well");
    for line in ["/nonsensical command", "/login Zaphodia wrongpassword", "/register batterystaple", "/nick Marvinella"]
    {
        ben.send_line(line);
    }
    ana.expect_where("the new name", |message| message["to"] == "Marvinella");
    let files = format!("/api/v1/rooms/{room}/files?name=filename.txt&as=Slartibart");
    let shared = server.http().request("POST", &files, &[], b"filecontent");
    assert_eq!(shared.status, 201, "{}", shared.text());
    let url = shared.expect_header("Location").to_owned();
    assert_eq!(server.get(&url).status, 200);
    ana.send(json!({"type": "moderate", "action": "key", "value": "roomkeyword"}));
    ana.expect_where("the key", |message| message["type"] == "mode");
    ana.send(json!({"type": "moderate", "action": "ban", "name": "Marvinella", "value": "reasonwords"}));
    ana.expect("kick");

    server.post_form(&[("name", "Zaphodia"), ("code", &room), ("password", "wrongpassword"), ("join", "1")]);
    server.post_form(&[("name", "Slartibart"), ("code", "BCDFGHJK"), ("key", "roomkeyword"), ("join", "1")]);
    server.get("/BCDFGHJK?queryvalue");
    server.http().request(
        "GET",
        &format!("/{room}"),
        &[("Cookie", "headervalue"), ("Origin", "http://headervalue")],
        b"",
    );
    let bearer = format!("Bearer {token}");
    server.http().request("GET", &format!("/api/v1/rooms/{room}/events"), &[("Authorization", &bearer)], b"");
    for nonsense in ["GET /BCDFGHJK nonsensical\r\n\r\n", "nonsensical\r\n", "GET / HTTP/1.1\r\nnonsensical\r\n\r\n"] {
        server.http().send(nonsense);
        HttpClient::connect(server.line()).send(nonsense);
    }
    ana.drop_connection();
    drop(ben);
    vec![room, token, url.rsplit('/').nth(1).expect("an id").to_owned()]
}

#[test]
fn nothing_private_is_ever_logged() {
    for format in ["json", "text", "logfmt"] {
        let mut server = Server::with(&["-vv", "--log", format, "--grace", "0s", "--rate", "0", "--join-rate", "0"]);
        let secrets = make_noise(&server);
        server.signal("TERM");
        server.wait();
        let log = server.log();
        assert!(log.lines().count() > 20, "it does log:\n{log}");
        for private in PRIVATE.into_iter().chain(secrets.iter().map(String::as_str)) {
            assert!(!log.to_lowercase().contains(&private.to_lowercase()), "{private} in\n{log}");
        }
    }
}

// ---- what is in it

fn records(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

#[test]
fn programs_are_told_what_has_happened_by_its_name() {
    let mut server = Server::with(&["--log", "json"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    ana.say("hi");
    ana.expect("message");
    server.signal("TERM");
    server.wait();
    let records = records(&server.log());
    for record in &records {
        for field in ["time", "level", "module", "message"] {
            assert!(record[field].is_string(), "{field} in {record}");
        }
    }
    let events: Vec<&str> = records.iter().filter_map(|record| record["event"].as_str()).collect();
    assert_eq!(events, ["started", "stopping", "stopped"]);
    let listeners = records[0]["listeners"].as_str().expect("words");
    assert!(listeners.contains(&format!("web {}", server.web)), "{listeners}");
    assert_eq!(records[0]["version"], env!("CARGO_PKG_VERSION"));
    let last = records.last().expect("a record");
    assert_eq!((&last["messages"], last["connections"].as_u64()), (&json!(1), Some(2)), "{last}");
}

#[test]
fn of_a_flood_one_line_is_written_and_how_many_there_were() {
    let mut server = Server::with(&["--max-connections", "1"]);
    let _only = Terminal::connect(&server);
    eventually("it is full", || {
        let mut refused = server.http();
        refused.send_request("GET", "/healthz", &[], b"");
        refused.try_response_to("GET").is_ok_and(|response| response.status == 503).then_some(())
    });
    for _ in 0..20 {
        server.http().read_to_end();
    }
    assert_eq!(server.log().matches("no more may be open").count(), 1, "{}", server.log());
    server.signal("TERM");
    server.wait();
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("no more may be open")).collect();
    let [first, rest] = lines[..] else { panic!("{log}") };
    assert!(first.ends_with(" cause=full"), "{first}");
    let more: u32 = rest.rsplit_once(" more=").and_then(|(_, more)| more.parse().ok()).expect("a number");
    assert!((20..1_000).contains(&more), "{rest}");
}

/// What it logs when standard error is said to be the journal, by this variable.
#[cfg(unix)]
fn logged_as_service(journal_stream: &str, format: &str) -> String {
    let snugd = command();
    let mut shell = Command::new("sh");
    // The variable tells of the very pipe that standard error is.
    shell.args(["-c", &format!("JOURNAL_STREAM={journal_stream} exec \"$0\" \"$@\"")]).arg(snugd.get_program());
    shell.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--log", format]).stdin(Stdio::null());
    let mut server = Server::run(shell);
    server.signal("TERM");
    server.wait();
    server.log()
}

#[cfg(target_os = "linux")]
#[test]
fn the_journal_is_told_the_priority_and_no_time() {
    const ITSELF: &str = "$(stat -L -c %d:%i /proc/self/fd/2)";
    let text = logged_as_service(ITSELF, "text");
    assert!(text.starts_with("<6>snugd: snugd ") && text.lines().all(|line| line.starts_with("<6>")), "{text}");
    let logfmt = logged_as_service(ITSELF, "logfmt");
    assert!(logfmt.lines().all(|line| line.starts_with("<6>level=info module=")), "{logfmt}");
    let json = logged_as_service(ITSELF, "json");
    assert!(json.lines().all(|line| line.starts_with("<6>{\"time\":\"")), "{json}");
    // Whoever was started by a service, and has redirected its standard error since, does not write to the journal.
    let elsewhere = logged_as_service("8:1234567", "text");
    assert!(elsewhere.starts_with("20") && elsewhere.contains("Z INFO snugd: "), "{elsewhere}");
}
