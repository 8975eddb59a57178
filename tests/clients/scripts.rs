//! Programs at the web port: what scripts ask over HTTP, and the WebSocket libraries of other languages.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::support::{Server, WebSocketClient, eventually, find_program};

/// Runs a program with this input, and waits until it ends in good order; returns what it wrote.
pub fn run_to_end(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let mut stdout = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).expect("UTF-8");
        output
    });
    // It may have ended before it has read everything, which its status tells.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let status = eventually("the program ends", || child.try_wait().expect("a child can be waited for"));
    let output = reader.join().expect("the reader does not panic");
    assert!(status.success(), "{command:?} ended with {status}: {output}");
    output
}

fn run(command: &mut Command) -> String {
    run_to_end(std::mem::replace(command, Command::new("true")), "")
}

// ---- HTTP

/// Where a program keeps its cookies; empty at first.
fn jar(program: &str) -> PathBuf {
    let jar = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{program}.cookies"));
    fs::write(&jar, "").expect("there is a folder for tests");
    jar
}

/// The jar holds a session.
fn has_session(jar: &Path) -> bool {
    let cookies = fs::read_to_string(jar).expect("a jar of cookies");
    cookies.lines().any(|line| line.contains("\tsnug\t"))
}

/// What somebody else has said is in the room's events.
fn hears(events: &str, text: &str) {
    let events: Value = serde_json::from_str(events).expect("JSON");
    let last = events["events"].as_array().and_then(|events| events.last()).expect("events");
    assert_eq!((&last["name"], &last["text"]), (&json!("ana"), &json!(text)));
}

#[test]
fn curl_asks_and_posts() {
    let curl = find_program(&["curl"], "curl");
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let jar = jar("curl");
    let url = |path: &str| format!("http://{}{path}", server.web);
    let ask = || {
        let mut command = Command::new(&curl);
        command.args(["-sS", "--fail-with-body", "-b"]).arg(&jar).arg("-c").arg(&jar);
        command
    };
    assert!(run(ask().arg(url("/"))).contains("<form"));
    let fields = ["--data-urlencode", "name=Jürgen", "-d", "join=1", "-d"];
    let page = run(ask().arg("-L").args(fields).arg(format!("code={}", room.to_lowercase())).arg(url("/")));
    assert!(page.contains("Jürgen"), "the room's page knows its visitor: {page}");
    assert!(has_session(&jar));
    ana.say("hello, curl");
    ana.expect("message");
    hears(&run(ask().arg(url(&format!("/api/v1/rooms/{room}/events")))), "hello, curl");
    let created: Value =
        serde_json::from_str(&run(ask().args(["-X", "POST"]).arg(url("/api/v1/rooms")))).expect("JSON");
    assert!(created["room"].is_string(), "{created}");
    assert!(run(ask().arg("-I").arg(url("/healthz"))).starts_with("HTTP/1.1 200 "));
    assert!(run(ask().arg("--http1.0").arg(url("/"))).contains("<form"));
    assert!(run(ask().arg("--compressed").arg(url("/"))).contains("<form"));
    // As through a proxy, with the whole address in the request's first line.
    assert!(run(ask().args(["-x", &url(""), "http://example.org/"])).contains("<form"));
}

#[test]
fn wget_asks_and_posts() {
    let wget = find_program(&["wget"], "wget");
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let jar = jar("wget");
    let url = |path: &str| format!("http://{}{path}", server.web);
    let ask = || {
        let mut command = Command::new(&wget);
        command.args(["-q", "-O-", "--no-config", "--no-hsts", "--no-proxy", "--keep-session-cookies"]);
        command.arg(format!("--save-cookies={}", jar.display()));
        command
    };
    assert!(run(ask().arg(url("/"))).contains("<form"));
    let page = run(ask().arg(format!("--post-data=name=wanda&join=1&code={room}")).arg(url("/")));
    assert!(page.contains("wanda"), "the room's page knows its visitor: {page}");
    assert!(has_session(&jar));
    ana.say("hello, wget");
    ana.expect("message");
    hears(&run(ask().arg(url(&format!("/api/v1/rooms/{room}/events")))), "hello, wget");
}

// ---- WebSockets

/// A script joins as `robin`, says `grüße, ana`, pings, waits for `bye`, leaves, and tells the code of the close.
fn talk(mut command: Command) {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    command.arg(format!("ws://{}/ws", server.web)).arg(&room);
    let script = std::thread::spawn(move || run_to_end(command, ""));
    assert_eq!(ana.expect("enter")["name"], "robin");
    let message = ana.expect("message");
    assert_eq!((&message["text"], &message["via"]), (&json!("grüße, ana"), &json!("web")));
    ana.say("bye");
    assert_eq!(ana.expect("part")["name"], "robin");
    let told = script.join().expect("the script does what it should");
    assert_eq!(told.lines().collect::<Vec<_>>(), ["subprotocol snugd.v1", "ponged", "heard bye", "closed 1000"]);
}

#[test]
fn pythons_websockets() {
    // The distribution's, whose packages no other Python finds.
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", include_str!("talk.py")]);
    talk(command);
}

#[test]
fn nodes_ws() {
    let mut command = Command::new(find_program(&["node"], "nodejs"));
    // Where the distribution has its packages; not every node looks there.
    command.env("NODE_PATH", "/usr/share/nodejs").args(["-e", include_str!("talk.js"), "--"]);
    talk(command);
}
