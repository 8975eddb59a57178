//! A member that a script makes with the WebSocket library of its language: it joins as `robin`, pings, says
//! `grüße, ana`, waits for `bye`, leaves, and tells the code of the close.

use std::process::Command;

use serde_json::json;

use crate::support::program::run_to_end;
use crate::support::{Server, WebSocketClient};

/// The script for Python's `websockets`. The Python is the distribution's: no other finds its packages.
pub fn python() -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", include_str!("talk.py")]);
    command
}

/// Ana talks with the script, which is told the WebSocket's address, the room, and more if there is more to tell.
pub fn talk(server: &Server, mut script: Command, address: &str, more: &[&str]) {
    let room = server.create_room();
    let mut ana = WebSocketClient::join(server, &room, "ana");
    script.arg(address).arg(&room).args(more);
    let script = std::thread::spawn(move || run_to_end(&mut script, ""));
    assert_eq!(ana.expect("enter")["name"], "robin");
    let message = ana.expect("message");
    assert_eq!((&message["text"], &message["via"]), (&json!("grüße, ana"), &json!("web")));
    ana.say("bye");
    assert_eq!(ana.expect("part")["name"], "robin");
    let told = script.join().expect("the script does what it should");
    assert_eq!(told.lines().collect::<Vec<_>>(), ["subprotocol snugd.v1", "ponged", "heard bye", "closed 1000"]);
}
