//! Lost connections: the client comes back by itself, and nothing is lost or said twice.

use std::net::SocketAddr;

use crate::proxy::Proxy;
use crate::screen::ClientTerminal;
use crate::support::server::command;
use crate::support::{Server, WebSocketClient, eventually};

/// What was said in a room, as its history has it.
fn said(server: &Server, room: &str) -> Vec<String> {
    let events = server.get(&format!("/api/v1/rooms/{room}/events?limit=200")).json();
    let events = events["events"].as_array().expect("events").clone();
    events.iter().filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
}

/// The texts that a screen shows.
fn shown(rows: &[String]) -> Vec<String> {
    let text = |row: &String| row.get(6..)?.strip_prefix('<')?.split_once("> ").map(|(_, text)| text.to_owned());
    rows.iter().filter(|row| row.as_bytes().get(2) == Some(&b':')).filter_map(text).collect()
}

fn server_at(address: SocketAddr, data: Option<&str>) -> Server {
    let mut command = command();
    command.args(["--listen", &address.to_string(), "--line-listen", "127.0.0.1:0", "--rate", "0"]);
    command.args(data.map(|data| ["--data", data]).into_iter().flatten());
    Server::run(command)
}

#[test]
fn what_is_typed_offline_is_said_once_and_what_was_missed_is_shown_once() {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let proxy = Proxy::start_calm(server.web);
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut ana = ClientTerminal::start(&[&proxy.address.to_string(), &room, "--name", "ana"]);
    ana.wait_for_row(&format!("* {room}. "));
    ben.say("before");
    ana.wait_for_row("<ben> before");
    proxy.set_offline(true);
    ana.wait_for_row("Coming back by itself.");
    ana.send("one\rtwo\rhalf");
    ana.wait_for("what waits is shown", |rows| {
        rows.iter().any(|row| row == "    … one") && rows.iter().any(|row| row == "    … two")
    });
    ben.say("meanwhile");
    proxy.set_offline(false);
    ana.wait_for_row(&format!("* Back in {room}."));
    ana.wait_for("all is shown, once", |rows| shown(rows) == ["before", "meanwhile", "one", "two"]);
    ana.wait_for_last("<ana> half");
    assert_eq!(said(&server, &room), ["before", "meanwhile", "one", "two"]);
    let bytes = ana.bytes();
    assert_eq!(bytes.matches("Coming back by itself.").count(), 1, "it is told once");
}

#[test]
fn a_server_that_was_started_again_has_everybody_back() {
    let folder = std::env::temp_dir().join(format!("snugd-join-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let data = folder.join("rooms.db");
    let data = data.to_str().expect("a path in UTF-8");
    let first = server_at("127.0.0.1:0".parse().expect("an address"), Some(data));
    let (address, room) = (first.web, first.create_room());
    let mut ana = ClientTerminal::join(&first, &room, "ana");
    ana.send("before\r");
    ana.wait_for_row("<ana> before");
    first.crash();
    ana.send("meanwhile\r");
    ana.wait_for_row("    … meanwhile");
    let second = server_at(address, Some(data));
    ana.wait_for_row(&format!("* Back in {room}."));
    ana.wait_for("nothing is lost or doubled", |rows| shown(rows) == ["before", "meanwhile"]);
    assert_eq!(said(&second, &room), ["before", "meanwhile"]);
    // One that is asked to stop.
    drop(second);
    ana.wait_for_row("Coming back by itself.");
    let third = server_at(address, Some(data));
    ana.send("after\r");
    ana.wait_for("all is shown, once", |rows| shown(rows) == ["before", "meanwhile", "after"]);
    assert_eq!(said(&third, &room), ["before", "meanwhile", "after"]);
    ana.send("\x04");
    assert_eq!(ana.wait_for_end(), 0);
    drop(third);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn a_server_that_keeps_nothing_is_given_its_room_again() {
    let first = server_at("127.0.0.1:0".parse().expect("an address"), None);
    let (address, room) = (first.web, first.create_room());
    let mut ana = ClientTerminal::join(&first, &room, "ana");
    first.crash();
    ana.wait_for_row("Coming back by itself.");
    let second = server_at(address, None);
    ana.wait_for_row("this is a new one under its code");
    ana.send("still here\r");
    ana.wait_for_row("<ana> still here");
    assert_eq!(said(&second, &room), ["still here"]);
}

#[test]
fn a_long_absence_is_told_with_what_is_missing() {
    let server = Server::with(&["--rate", "0", "--history", "600", "--grace", "1h"]);
    let room = server.create_room();
    let proxy = Proxy::start_calm(server.web);
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let ana = ClientTerminal::start(&[&proxy.address.to_string(), &room, "--name", "ana"]);
    ana.wait_for_row(&format!("* {room}. "));
    proxy.set_offline(true);
    ana.wait_for_row("Coming back by itself.");
    for number in 0..700 {
        ben.say(&number.to_string());
    }
    ben.expect_where("the last", |message| message["text"] == "699");
    proxy.set_offline(false);
    ana.wait_for_row("<ben> 699");
    assert!(ana.bytes().contains("Events were missed (200): /history 200"), "{}", ana.bytes());
}

#[test]
fn nothing_is_lost_over_a_bad_network() {
    let server = Server::with(&["--rate", "0", "--join-rate", "0"]);
    let room = server.create_room();
    let proxy = Proxy::start(server.web, 7);
    let lines: Vec<String> = (0..150).map(|number| format!("line {number}")).collect();
    let mut client = crate::scripts::start(&[&proxy.address.to_string(), &room, "--name", "bot"]);
    client.write(&(lines.join("\n") + "\n"));
    client.end();
    eventually("all is said", || (said(&server, &room).len() >= lines.len()).then_some(()));
    proxy.calm_down();
    let (status, _, errors) = client.wait();
    assert_eq!(status, 0, "{errors}");
    assert_eq!(said(&server, &room), lines, "once each, in order");
    assert!(proxy.resets() > 0, "the network was bad");
}

#[test]
fn whoever_waits_for_good_is_told() {
    let server = Server::start();
    let room = server.create_room();
    let proxy = Proxy::start_calm(server.web);
    let mut client = crate::scripts::start(&[&proxy.address.to_string(), &room, "--name", "bot", "--give-up", "1s"]);
    client.wait_for_line(|line| line.starts_with(&format!("* {room}. ")));
    proxy.set_offline(true);
    let (status, _, errors) = client.wait();
    assert_eq!(status, 1);
    assert_eq!(errors.matches("Coming back by itself.").count(), 1, "{errors}");
    assert!(errors.lines().last().is_some_and(|line| line.starts_with("snugd: ")), "{errors}");
}
