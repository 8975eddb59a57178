//! Programs at the web port: what scripts ask over HTTP, and the WebSocket libraries of other languages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::robin;
use super::support::program::run_to_end;
use super::support::{Server, WebSocketClient, find_program};

fn run(command: &mut Command) -> String {
    run_to_end(command, "")
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
        command.args(["-q", "-sS", "--fail-with-body", "-b"]).arg(&jar).arg("-c").arg(&jar);
        command.env_remove("http_proxy").env_remove("all_proxy").env_remove("ALL_PROXY");
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

#[test]
fn pythons_websockets() {
    let server = Server::start();
    robin::talk(&server, robin::python(), &format!("ws://{}/ws", server.web), &[]);
}

#[test]
fn nodes_ws() {
    let server = Server::start();
    let mut command = Command::new(find_program(&["node"], "nodejs"));
    // Where the distribution has its packages; not every node looks there.
    command.env("NODE_PATH", "/usr/share/nodejs").args(["-e", include_str!("talk.js"), "--"]);
    robin::talk(&server, command, &format!("ws://{}/ws", server.web), &[]);
}
