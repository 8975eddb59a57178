//! In rooms that have a key, and where operators have banned somebody.

use serde_json::json;

use super::support::{Server, Terminal, WebSocketClient};
use super::{PASSWORD, join, refused, register};

const KEY: &str = "open sesame";

/// A room with a key, its operator, and a server where "ana" is claimed by somebody who is gone.
fn with_key() -> (Server, String, WebSocketClient) {
    let server = Server::start();
    let room = server.create_room();
    let mut host = WebSocketClient::join(&server, &room, "host");
    host.send(json!({"type": "moderate", "action": "key", "value": KEY}));
    assert_eq!(host.expect("mode")["change"], "key");
    let elsewhere = server.create_room();
    drop(register(&server, &elsewhere, "ana"));
    (server, room, host)
}

#[test]
fn a_browser_gives_key_and_password_together() {
    let (server, room, _host) = with_key();
    let without_key = json!({"type": "join", "room": room, "name": "ana", "password": PASSWORD});
    assert_eq!(refused(&server, without_key)["code"], "key_required");
    let without_password = json!({"type": "join", "room": room, "name": "ana", "key": KEY});
    assert_eq!(refused(&server, without_password)["code"], "password_required");
    let both = json!({"type": "join", "room": room, "name": "ana", "key": KEY, "password": PASSWORD});
    assert_eq!(join(&server, both).1["name"], "ana");
}

#[test]
fn a_terminal_is_asked_for_each_once() {
    let (server, room, mut host) = with_key();
    let mut ana = Terminal::connect(&server);
    ana.send_line(&format!("/join {room} ana"));
    ana.expect_text(&format!("! Room {room} has a key.\r\nKey: "));
    ana.send_line(KEY);
    ana.expect_text("Password: ");
    ana.send_line(PASSWORD);
    ana.expect_text(&format!("* {room}. 1 here: host"));
    ana.send_line("hello");
    assert_eq!(host.expect("enter")["name"], "ana");
    assert_eq!(host.expect("message")["text"], "hello");
}

#[test]
fn the_form_asks_for_each_where_it_is_needed() {
    let (server, room, _host) = with_key();
    let asks = |fields: &[(&str, &str)]| {
        let page = server.post_form(fields);
        let text = page.text();
        (
            page.status,
            text.contains("name=\"key\" type=\"password\""),
            text.contains("name=\"password\" type=\"password\""),
        )
    };
    assert_eq!(asks(&[("name", "ben"), ("code", &room)]), (401, true, false));
    assert_eq!(asks(&[("name", "ana"), ("code", &room)]), (401, true, false));
    assert_eq!(asks(&[("name", "ana"), ("code", &room), ("key", KEY)]), (401, true, true));
    assert_eq!(asks(&[("name", "ana"), ("code", &room), ("password", PASSWORD)]), (401, true, true));
    let both = server.post_form(&[("name", "ana"), ("code", &room), ("key", KEY), ("password", PASSWORD)]);
    assert_eq!((both.status, both.expect_header("Location")), (303, &*format!("/{room}")));
}

#[test]
fn who_is_banned_is_so_under_every_name_while_it_shows_its_password() {
    let (server, room, mut host) = with_key();
    let both = json!({"type": "join", "room": room, "name": "ana", "key": KEY, "password": PASSWORD});
    let (mut ana, _) = join(&server, both);
    host.send(json!({"type": "moderate", "action": "ban", "name": "ana"}));
    ana.expect_close(4003);
    let mut other = WebSocketClient::connect(&server);
    other.send(json!({"type": "login", "name": "ana", "password": PASSWORD}));
    other.expect("ok");
    other.send(json!({"type": "join", "room": room, "name": "carl", "key": KEY}));
    other.expect_error("banned");
    let (_, joined) = join(&server, json!({"type": "join", "room": room, "name": "carl", "key": KEY}));
    assert_eq!(joined["name"], "carl");
}
