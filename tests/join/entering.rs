//! How one comes in: what is asked for, what is refused, and how it ends.

use serde_json::json;

use crate::screen::ClientTerminal;
use crate::support::{Server, WebSocketClient};

#[test]
fn a_name_is_asked_for_and_asked_again() {
    let server = Server::start();
    let room = server.create_room();
    let _ben = WebSocketClient::join(&server, &room, "ben");
    // A whole invitation is enough.
    let mut ana = ClientTerminal::start(&[&format!("http://{}/{}", server.web, room.to_lowercase())]);
    ana.wait_for_last("Name: somebody");
    ana.send("\x15ben\r");
    ana.wait_for_row("! \"ben\" is taken");
    ana.wait_for_last("Name:");
    ana.send("ana\r");
    ana.wait_for_row(&format!("* {room}. 1 here: ben (web). Invite: http://{}/{room}", server.web));
    ana.wait_for_last("<ana>");
}

#[test]
fn a_key_and_a_password_are_asked_for_and_not_shown() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ben.send(json!({"type": "register", "password": "correct horse"}));
    ben.expect("ok");
    ben.send(json!({"type": "moderate", "action": "key", "value": "sesame"}));
    ben.expect("mode");
    ben.send(json!({"type": "leave"}));
    let mut ben = ClientTerminal::start(&[&server.web.to_string(), &room, "--name", "ben"]);
    ben.wait_for_last("Key:");
    ben.send("sesame\r");
    ben.wait_for_last("Password:");
    // What is typed before it is asked for is no message.
    ben.send("wrong horse\rpassword\r");
    ben.wait_for_row("do not belong together");
    ben.wait_for_last("Password:");
    ben.send("correct horse\r");
    ben.wait_for_row(&format!("* {room}. "));
    let mut cleo = ClientTerminal::start(&[&server.web.to_string(), &room, "--name", "cleo"]);
    cleo.wait_for_last("Key:");
    cleo.send("sesame\r");
    cleo.wait_for_row(&format!("* {room}. "));
    assert!(!cleo.rows().iter().any(|row| row.contains("<ben>")), "nothing was said");
    for terminal in [&ben, &cleo] {
        assert!(!terminal.bytes().contains("horse") && !terminal.bytes().contains("sesame"));
    }
}

#[test]
fn a_new_room_shows_its_invitation() {
    let server = Server::start();
    let mut ana = ClientTerminal::start(&[&server.web.to_string(), "new", "--name", "ana"]);
    ana.wait_for_row(&format!("Nobody else is here yet. Invite: http://{}/", server.web));
    ana.send("/new\r");
    ana.wait_for("another room", |rows| rows.iter().filter(|row| row.contains("Invite: ")).count() == 2);
    ana.send("\x04");
    assert_eq!(ana.wait_for_end(), 0);
}

#[test]
fn who_is_thrown_out_does_not_come_back() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut ana = ClientTerminal::join(&server, &room, "ana");
    ben.send(json!({"type": "moderate", "action": "kick", "name": "ana", "value": "enough"}));
    assert_eq!(ana.wait_for_end(), 1);
    ana.wait_for_row("snugd: You were kicked by ben: enough");
}

#[test]
fn what_cannot_be_entered_is_told() {
    let server = Server::start();
    let mut ana = ClientTerminal::start(&[&server.web.to_string(), "BBBB", "--name", "ana"]);
    assert_eq!(ana.wait_for_end(), 1);
    ana.wait_for_row("snugd: There is no room BBBB.");
    // Where terminals connect there are no pages.
    let mut ana = ClientTerminal::start(&[&server.line().to_string(), "BBBB", "--name", "ana"]);
    assert_eq!(ana.wait_for_end(), 1);
    ana.wait_for_row("is no snugd");
    let mut ana = ClientTerminal::start(&["127.0.0.1:1", "BBBB", "--name", "ana"]);
    assert_eq!(ana.wait_for_end(), 1);
    ana.wait_for_row("snugd: Nothing listens at 127.0.0.1:1;");
}
