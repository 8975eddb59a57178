//! What the contract says about operators, checked on the real program: from browsers, terminals and programs, by the
//! form and the API, and after a crash.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::http::HttpClient;
use support::web_socket::frame;
use support::{DEADLINE, Server, Terminal, WebSocketClient};

const CREATE: [&str; 4] = ["--rate", "0", "--join-rate", "0"];

/// A room that ana has made and is in, with ben.
fn ana_and_ben(server: &Server) -> (WebSocketClient, WebSocketClient, String) {
    let room = server.create_room();
    let ana = WebSocketClient::join(server, &room, "ana");
    let ben = WebSocketClient::join(server, &room, "ben");
    (ana, ben, room)
}

fn moderate(client: &mut WebSocketClient, action: &str, name: &str) {
    client.send(json!({"type": "moderate", "action": action, "name": name}));
}

fn try_join(server: &Server, join: Value) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(join);
    let answer = client.next();
    (client, answer)
}

// ---- browsers

#[test]
fn joined_tells_who_keeps_order_what_the_room_is_about_and_its_modes() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, room) = ana_and_ben(&server);
    moderate(&mut ben, "op", "ben");
    ben.expect_error("not_operator");
    for change in [
        json!({"type": "moderate", "action": "topic", "value": " slides\nat 3 "}),
        json!({"type": "moderate", "action": "slow", "seconds": 10}),
        json!({"type": "moderate", "action": "key", "value": "sesame"}),
    ] {
        ana.send(change);
    }
    let topic = ben.expect("topic");
    let told = (&topic["id"], &topic["name"], &topic["by"], &topic["text"]);
    assert_eq!(told, (&json!(3), &json!("ana"), &json!("ana"), &json!("slides at 3")));
    let slow = ben.expect("mode");
    assert_eq!((&slow["change"], &slow["seconds"], &slow["by"]), (&json!("slow"), &json!(10), &json!("ana")));
    let key = ben.expect("mode");
    assert_eq!(key["change"], "key");
    assert!(!key.to_string().contains("sesame"));
    let join = json!({"type": "join", "room": room, "name": "carl", "key": "sesame"});
    let (_carl, joined) = try_join(&server, join);
    assert_eq!(joined["topic"], "slides at 3");
    assert_eq!(joined["modes"], json!({"locked": false, "key": true, "slow": 10}));
    let members = joined["members"].as_array().expect("members");
    assert_eq!(members[0], json!({"name": "carl", "via": "web"}));
    assert_eq!(members[1], json!({"name": "ana", "via": "web", "op": true}));
    assert_eq!(members[2]["name"], "ben");
}

#[test]
fn a_refused_order_is_named_and_operators_are_told_who_is_kept_out() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, _) = ana_and_ben(&server);
    ben.send(json!({"type": "moderate", "action": "lock", "cid": "c1"}));
    assert_eq!(ben.expect_error("not_operator")["cid"], "c1");
    ana.send(json!({"type": "moderate", "action": "kick", "name": "nobody", "cid": "c2"}));
    let refusal = ana.expect("error");
    assert_eq!((&refusal["code"], &refusal["cid"]), (&json!("no_such_member"), &json!("c2")));
    ben.send(json!({"type": "bans"}));
    ben.expect_error("not_operator");
    ana.send(json!({"type": "bans"}));
    assert_eq!(ana.expect("bans"), json!({"type": "bans", "bans": []}));
    ana.send(json!({"type": "moderate", "action": "ban", "name": "ben", "seconds": 600}));
    ana.expect("mode");
    ana.send(json!({"type": "bans"}));
    let bans = ana.expect("bans");
    assert_eq!((&bans["bans"][0]["name"], &bans["bans"][0]["by"]), (&json!("ben"), &json!("ana")));
    assert!(bans["bans"][0]["seconds"].as_u64().is_some_and(|seconds| (590..=600).contains(&seconds)), "{bans}");
}

#[test]
fn who_comes_in_is_told_to_others_with_its_marks() {
    let server = Server::with(&["--rate", "0", "--grace", "0s"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let (ben, joined) = try_join(&server, json!({"type": "join", "room": room, "name": "ben"}));
    moderate(&mut ana, "op", "ben");
    ana.expect("mode");
    let mut dora = WebSocketClient::join(&server, &server.create_room(), "dora");
    dora.send(json!({"type": "register", "password": "correct horse"}));
    dora.expect("ok");
    let marks = |event: &Value| (event["account"].clone(), event["op"].clone());
    ben.drop_connection();
    ana.expect("part");
    let back = json!({"type": "join", "room": room, "name": "ben", "token": joined["token"]});
    let mut comes = |join: Value, name: &str| {
        let (client, joined) = try_join(&server, join);
        assert_eq!(joined["type"], "joined", "{joined}");
        (client, marks(&ana.expect_where(name, |event| event["type"] == "enter" && event["name"] == name)))
    };
    let (_carl, carl) = comes(json!({"type": "join", "room": room, "name": "carl"}), "carl");
    assert_eq!(carl, (Value::Null, Value::Null));
    let join = json!({"type": "join", "room": room, "name": "dora", "password": "correct horse"});
    let (_dora, dora) = comes(join, "dora");
    assert_eq!(dora, (json!(true), Value::Null));
    let (_ben, ben) = comes(back, "ben");
    assert_eq!(ben, (Value::Null, json!(true)));
}

#[test]
fn operators_come_first_in_a_long_list() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let crowd: Vec<WebSocketClient> =
        (0..210).map(|number| WebSocketClient::join(&server, &room, &format!("m{number}"))).collect();
    moderate(&mut ana, "op", "m209");
    ana.expect("mode");
    let (_, joined) = try_join(&server, json!({"type": "join", "room": room, "name": "eve"}));
    let names: Vec<&str> =
        joined["members"].as_array().expect("members").iter().filter_map(|member| member["name"].as_str()).collect();
    assert_eq!((names.len(), names[0], names[1], names[2]), (200, "eve", "ana", "m209"));
    assert_eq!(joined["count"], 212);
    drop(crowd);
}

#[test]
fn who_is_kicked_is_closed_with_4003_and_the_reason() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, room) = ana_and_ben(&server);
    let mut carl = WebSocketClient::join(&server, &room, "carl");
    ana.send(json!({"type": "moderate", "action": "kick", "name": "BEN", "value": "no\nshouting"}));
    for member in [&mut ana, &mut carl] {
        let kick = member.expect("kick");
        let told = (&kick["name"], &kick["by"], &kick["reason"]);
        assert_eq!(told, (&json!("ben"), &json!("ana"), &json!("no shouting")));
    }
    let closed = loop {
        match ben.next_frame() {
            tungstenite::Message::Close(close) => break close.expect("a code"),
            tungstenite::Message::Text(text) => assert!(!text.contains("kick"), "{text}"),
            _ => (),
        }
    };
    assert_eq!((u16::from(closed.code), closed.reason.as_str()), (4003, "You were kicked by ana: no shouting"));
    // It may come in again, and is told the same history as everybody.
    let (_, joined) = try_join(&server, json!({"type": "join", "room": room, "name": "ben"}));
    assert_eq!(joined["type"], "joined");
    let kick = joined["events"].as_array().expect("events").iter().find(|event| event["type"] == "kick");
    assert_eq!(kick.expect("it is in the history")["id"], 4);
}

/// A member whose frames are read as they come, with what is behind a close frame.
struct RawMember {
    stream: TcpStream,
    received: Vec<u8>,
}

impl RawMember {
    fn join(server: &Server, room: &str, name: &str) -> RawMember {
        let stream = TcpStream::connect(server.web).expect("the server accepts connections");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        let mut member = RawMember { stream, received: Vec::new() };
        let handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        member.write(handshake.as_bytes());
        let head = member.read_to(b"\r\n\r\n");
        member.received.drain(..head);
        member.write(&text(&json!({"type": "join", "room": room, "name": name})));
        member.read_to(b"\"type\":\"joined\"");
        member
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what it is sent");
    }

    /// Reads until these bytes have come; returns where they end.
    fn read_to(&mut self, sought: &[u8]) -> usize {
        loop {
            if let Some(start) = self.received.windows(sought.len()).position(|window| window == sought) {
                return start + sought.len();
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).expect("something comes");
            assert!(count > 0, "it ends before {:?}", String::from_utf8_lossy(sought));
            self.received.extend(&buffer[..count]);
        }
    }

    /// Reads to the end; returns the frames by opcode and payload.
    fn frames(mut self) -> Vec<(u8, Vec<u8>)> {
        self.stream.read_to_end(&mut self.received).expect("the server ends it");
        let (mut rest, mut frames) = (&self.received[..], Vec::new());
        while let [first, length, ..] = *rest {
            let (header, length) = match length {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                127 => (10, u64::from_be_bytes(rest[2..10].try_into().expect("eight bytes")) as usize),
                short => (2, usize::from(short)),
            };
            frames.push((first & 0xF, rest[header..header + length].to_vec()));
            rest = &rest[header + length..];
        }
        assert!(rest.is_empty(), "half a frame");
        frames
    }
}

fn text(message: &Value) -> Vec<u8> {
    frame(0x81, message.to_string().as_bytes())
}

/// RFC 6455, section 5.5.1: a browser takes anything behind a close frame for a fault, and its page never learns why it
/// was closed.
#[test]
fn nothing_follows_the_close_frame_of_who_is_kicked_while_others_speak() {
    const CLOSE: u8 = 8;
    let server = Server::with(&["--rate", "0", "--join-rate", "0", "--grace", "1m"]);
    let room = server.create_room();
    let mut ana = RawMember::join(&server, &room, "ana");
    let mut carl = RawMember::join(&server, &room, "carl");
    for round in 0..24 {
        let mut ben = RawMember::join(&server, &room, "ben");
        let says = |name: &str| text(&json!({"type": "message", "text": format!("{name} in {round}")})).repeat(5);
        let kick = text(&json!({"type": "moderate", "action": "kick", "name": "ben", "value": "no"}));
        // Whoever is kicked may be speaking, typing, asking and pinging itself.
        let own = [says("ben"), text(&json!({"type": "typing"})), frame(0x89, b"ping"), text(&json!({"type": "ping"}))];
        let own = [own.concat(), text(&json!({"type": "history"}))].concat();
        carl.write(&says("carl"));
        if round % 2 == 0 {
            ben.write(&own);
        }
        ana.write(&[says("ana"), kick, says("ana")].concat());
        if round % 3 == 0 {
            // The connection may be gone by then.
            let _ = ben.stream.write_all(&own);
        }
        carl.write(&says("carl"));
        let frames = ben.frames();
        let close = frames.iter().position(|(opcode, _)| *opcode == CLOSE).expect("it is told");
        assert_eq!(frames[close].1, b"\x0F\xA3You were kicked by ana: no", "4003");
        let behind: Vec<_> =
            frames[close + 1..].iter().map(|(code, bytes)| (code, String::from_utf8_lossy(bytes))).collect();
        assert!(behind.is_empty(), "in round {round}: {behind:?}");
    }
}

#[test]
fn a_long_reason_is_cut_where_a_close_frame_ends() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, _) = ana_and_ben(&server);
    ana.send(json!({"type": "moderate", "action": "kick", "name": "ben", "value": "ä".repeat(200)}));
    ben.expect_close(4003);
    ana.send(json!({"type": "moderate", "action": "topic", "value": "ä".repeat(257)}));
    ana.expect_where("an error", |message| message["type"] == "error" && message["code"] == "text_too_long");
}

#[test]
fn who_is_banned_stays_out_by_name_and_token_until_it_is_unbanned() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let (mut ben, joined) = try_join(&server, json!({"type": "join", "room": room, "name": "ben"}));
    ana.send(json!({"type": "moderate", "action": "ban", "name": "ben", "seconds": 3600}));
    ben.expect_close(4003);
    ana.expect("kick");
    let ban = ana.expect("mode");
    assert_eq!((&ban["change"], &ban["name"], &ban["seconds"]), (&json!("ban"), &json!("ben"), &json!(3600)));
    let token = joined["token"].clone();
    for join in [
        json!({"type": "join", "room": room, "name": "Ben"}),
        json!({"type": "join", "room": room, "name": "benno", "token": token}),
    ] {
        let (mut ben, refused) = try_join(&server, join);
        assert_eq!(refused["code"], "banned", "{refused}");
        assert_eq!(refused["message"], format!("You are banned from {room} for 1h."));
        ben.send(json!({"type": "ping"}));
        assert_eq!(ben.next()["type"], "pong", "the connection stays usable");
    }
    assert_eq!(server.post_form(&[("name", "ben"), ("code", &room), ("join", "1")]).status, 403);
    moderate(&mut ana, "unban", "BEN");
    ana.expect("mode");
    assert_eq!(try_join(&server, json!({"type": "join", "room": room, "name": "ben"})).1["type"], "joined");
}

/// The address is the one that a trusted proxy tells.
#[test]
fn a_banned_members_address_is_closed_to_strangers_alone() {
    let server = Server::with(&["--rate", "0", "--trusted-proxy", "127.0.0.1"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let join_from = |address: &str, join: Value| {
        let headers = [("X-Forwarded-For", address)];
        let (mut client, _) = WebSocketClient::connect_with(&server, "/ws", &headers).expect("a handshake");
        client.send(join);
        let answer = client.next();
        (client, answer)
    };
    let join = |name: &str| json!({"type": "join", "room": room, "name": name});
    let (mut ben, _) = join_from("192.0.2.7", join("ben"));
    let (carl, joined) = join_from("192.0.2.7", join("carl"));
    moderate(&mut ana, "ban", "ben");
    ben.expect_close(4003);
    assert_eq!(join_from("192.0.2.7", join("dora")).1["code"], "banned");
    assert_eq!(join_from("192.0.2.8", join("dora")).1["type"], "joined");
    carl.drop_connection();
    let back = json!({"type": "join", "room": room, "token": joined["token"]});
    assert_eq!(join_from("192.0.2.7", back).1["type"], "joined");
}

#[test]
fn who_is_muted_reads_and_says_nothing() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, _) = ana_and_ben(&server);
    ana.send(json!({"type": "moderate", "action": "mute", "name": "ben", "seconds": 600}));
    assert_eq!(ben.expect("mode")["change"], "mute");
    ben.send(json!({"type": "message", "text": "boo", "cid": "c1"}));
    assert_eq!(ben.expect_error("muted")["cid"], "c1");
    ana.say("quiet now");
    assert_eq!(ben.expect("message")["text"], "quiet now");
    moderate(&mut ana, "unmute", "ben");
    ben.expect("mode");
    ben.send(json!({"type": "message", "text": "sorry", "cid": "c2"}));
    assert_eq!(ana.expect_where("it", |message| message["cid"] == "c2")["text"], "sorry");
}

#[test]
fn in_slow_mode_who_speaks_too_soon_is_told_how_long_to_wait() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, _) = ana_and_ben(&server);
    ana.send(json!({"type": "moderate", "action": "slow", "seconds": 3600}));
    ben.expect("mode");
    ben.say("one");
    ben.expect("message");
    ben.send(json!({"type": "message", "text": "two", "cid": "c2"}));
    let refused = ben.expect_error("rate_limited");
    let retry_ms = refused["retry_ms"].as_u64().expect("a number");
    assert!(refused["cid"] == "c2" && (3_500_000..=3_600_000).contains(&retry_ms), "{refused}");
    ana.say("operators");
    ana.say("are not slow");
    ana.expect_where("both", |message| message["text"] == "are not slow");
    ana.send(json!({"type": "moderate", "action": "slow"}));
    ben.expect("mode");
    ben.say("three");
    ben.expect_where("it", |message| message["text"] == "three");
}

#[test]
fn what_is_no_moderation_is_refused_in_the_contracts_words() {
    let server = Server::with(&CREATE);
    let (mut ana, _ben, _) = ana_and_ben(&server);
    for (message, code) in [
        (json!({"type": "moderate"}), "bad_request"),
        (json!({"type": "moderate", "action": "dance"}), "bad_request"),
        (json!({"type": "moderate", "action": "kick"}), "name_required"),
        (json!({"type": "moderate", "action": "kick", "name": "a\u{7}b"}), "name_invalid"),
        (json!({"type": "moderate", "action": "kick", "name": "zed"}), "no_such_member"),
        (json!({"type": "moderate", "action": "kick", "name": "ana"}), "bad_request"),
        (json!({"type": "moderate", "action": "unban", "name": "zed"}), "no_such_member"),
        (json!({"type": "moderate", "action": "slow", "seconds": 1_000_000}), "bad_request"),
        (json!({"type": "moderate", "action": "key", "value": "x".repeat(257)}), "bad_request"),
    ] {
        ana.send(message);
        ana.expect_where(code, |answer| answer["type"] == "error" && answer["code"] == code);
    }
}

// ---- the form and the API

#[test]
fn the_form_asks_for_the_rooms_key_where_one_is_wanted() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let form = |fields: &[(&str, &str)]| server.post_form(fields);
    assert!(!server.get("/").text().contains("name=\"key\""));
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    ana.send(json!({"type": "moderate", "action": "key", "value": "open sesame"}));
    ana.expect("mode");
    let page = server.get(&format!("/{room}"));
    assert!(page.status == 200 && page.text().contains("name=\"key\""), "{}", page.text());
    let asked = form(&[("name", "ben"), ("code", &room), ("join", "1")]);
    assert_eq!(asked.status, 401);
    assert!(asked.header("www-authenticate").is_some());
    assert!(asked.text().contains("name=\"key\"") && asked.text().contains("value=\"ben\""), "{}", asked.text());
    let wrong = form(&[("name", "ben"), ("code", &room), ("key", "close sesame"), ("join", "1")]);
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("That is not the key") && !wrong.text().contains("close sesame"));
    let right = form(&[("name", "ben"), ("code", &room), ("key", " open sesame "), ("join", "1")]);
    assert_eq!(right.status, 303);
    // Who is known needs no key any more.
    let cookie = right.cookie();
    let again = HttpClient::connect(server.web).request("GET", &format!("/{room}"), &[("Cookie", &cookie)], b"");
    assert!(again.status == 200 && again.text().contains("id=\"composer\""), "it is the room's page");
    ana.send(json!({"type": "moderate", "action": "lock"}));
    ana.expect("mode");
    let locked = form(&[("name", "carl"), ("code", &room), ("key", "open sesame"), ("join", "1")]);
    assert_eq!(locked.status, 403);
}

#[test]
fn the_api_shows_a_room_with_a_key_to_those_who_are_known_in_it() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let (mut ana, joined) = try_join(&server, json!({"type": "join", "room": room, "name": "ana"}));
    ana.send(json!({"type": "moderate", "action": "key", "value": "sesame"}));
    ana.expect("mode");
    let bearer = format!("Bearer {}", joined["token"].as_str().expect("a token"));
    for path in [format!("/api/v1/rooms/{room}"), format!("/api/v1/rooms/{room}/events")] {
        let refused = server.get(&path);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (401, &json!("key_required")));
        let shown = server.http().request("GET", &path, &[("Authorization", &bearer)], b"");
        assert_eq!(shown.status, 200, "{}", shown.text());
    }
    ana.send(json!({"type": "moderate", "action": "key"}));
    assert_eq!(ana.expect("mode")["change"], "unkey");
    assert_eq!(server.get(&format!("/api/v1/rooms/{room}")).status, 200);
}

// ---- terminals

#[test]
fn operators_at_a_terminal_keep_order() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let mut ana = Terminal::join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "Ben Maria");
    ben.send_line("/kick ana");
    ben.expect_line("! Only operators of this room may do that.");
    ana.send_line("/topic slides at 3");
    ben.expect_line("* ana set the topic: slides at 3");
    ana.send_line("/mute Ben Maria 1h");
    ben.expect_line("* ana muted Ben Maria for 1h");
    ben.send_line("boo");
    ben.expect_line("! You are muted here for 1h: nobody has seen that.");
    ana.send_line("/unmute ben maria");
    ana.expect_line("* ana unmuted Ben Maria");
    ana.send_line("/slow 10s");
    ben.expect_line("* ana began slow mode: one message in 10s");
    ana.send_line("/slow");
    ben.expect_line("* ana ended slow mode");
    ana.send_line("/kick Ben Maria go\u{202E} home");
    ben.expect_line("! You were kicked by ana: go home");
    ana.expect_line("* ana kicked Ben Maria: go home");
    // It is at the prompt, and may come in again.
    ben.send_line(&room);
    ben.expect_line("* Topic: slides at 3");
    ana.send_line("/ban \"ben maria\" 2h enough");
    ben.expect_line("! You were kicked by ana: enough");
    ben.send_line(&room);
    ben.expect_line(&format!("! You are banned from {room} for 2h."));
    ana.expect_line("* ana banned Ben Maria for 2h");
    ana.send_line("/bans");
    ana.expect_line("* Ben Maria: banned for 2h by ana");
    ana.send_line("/unban Ben Maria");
    ana.send_line("/bans");
    ana.expect_line("* Nobody is banned.");
    ana.send_line("/unban ben");
    ana.expect_line("! \"ben\" is not banned here.");
    ben.send_line(&format!("/join {room}"));
    ben.expect_line("* Topic: slides at 3");
    ana.send_line("/op ben maria");
    ben.expect_line("* ana made Ben Maria an operator");
    ben.send_line("/deop ana");
    ana.expect_line("* Ben Maria made ana no operator any more");
    ana.send_line("/lock");
    ana.expect_line("! Only operators of this room may do that.");
}

#[test]
fn a_terminal_is_asked_for_a_rooms_key() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let mut ana = Terminal::join(&server, &room, "ana");
    ana.send_line("/key open sesame");
    ana.expect_line("* ana gave the room a key");
    let mut ben = Terminal::connect(&server);
    ben.send_line(&format!("/join {room} ben"));
    ben.expect_text(&format!("! Room {room} has a key.\r\nKey: "));
    ben.send_line("close sesame");
    ben.expect_text(&format!("! That is not the key of {room}.\r\nKey: "));
    ben.send_line(&"x".repeat(257));
    ben.expect_text("! A room's key has at most 256 bytes.\r\nKey: ");
    // Whoever does not know it goes elsewhere.
    ben.send_line("");
    ben.expect_text("Room code, or \"new\": ");
    ben.send_line(&room);
    ben.expect_text(&format!("! Room {room} has a key.\r\nKey: "));
    ben.send_line("open sesame");
    ben.expect_text(&format!("* {room}. 1 here: ana (line)."));
    ana.expect_line("* ben came in (line)");
    // A script need not wait.
    let mut bot = Terminal::connect(&server);
    bot.send(format!("/join {room} bot\nopen sesame\nhello\n"));
    ana.expect_said("<bot> hello");
    ana.send_line("/lock");
    ana.expect_line("* ana locked the room: nobody new comes in");
    let mut carl = Terminal::connect(&server);
    carl.send(format!("/join {room} carl\n/unlock\n"));
    carl.expect_line(&format!("! Room {room} is locked: nobody new comes in. An empty line asks for a room."));
    carl.expect_line("! Join a room first.");
}

#[test]
fn help_shows_what_one_may_use() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let mut ana = Terminal::join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    for (terminal, may_kick) in [(&mut ana, true), (&mut ben, false)] {
        terminal.send_line("/help");
        let lines = terminal.catch_up();
        assert_eq!(lines.iter().any(|line| line.starts_with("* /kick NAME [WHY]")), may_kick, "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("* /me TEXT")), "{lines:?}");
    }
    ben.send_line("/help kick");
    ben.expect_line("* /kick NAME [WHY]  throw a member out");
    ben.send_line("/help dance");
    ben.expect_line("! There is no command dance. /help lists them.");
}

#[test]
fn a_program_at_a_terminal_is_told_in_json() {
    let server = Server::with(&CREATE);
    let room = server.create_room();
    let mut ana = Terminal::connect(&server);
    ana.send(format!("/json\n/join {room} ana\n"));
    let read = |terminal: &mut Terminal, kind: &str| -> Value {
        let line = terminal.expect_line_where(kind, |line| line.contains(&format!("\"type\":\"{kind}\"")));
        serde_json::from_str(&line).expect("an object")
    };
    assert_eq!(read(&mut ana, "joined")["members"], json!([{"name": "ana", "via": "line", "op": true}]));
    let mut bot = Terminal::connect(&server);
    bot.send(format!("/json\n/join {room} bot\n"));
    read(&mut bot, "joined");
    ana.send_line("/ban bot 10m");
    let kick = read(&mut bot, "kick");
    assert_eq!((&kick["name"], &kick["by"], &kick["id"]), (&json!("bot"), &json!("ana"), &json!(3)));
    // It is in no room, so this is the answer to the question for one.
    bot.send_line("hello?");
    assert_eq!(read(&mut bot, "error")["code"], "no_such_room");
    bot.send_line(&format!("/join {room} bot"));
    assert_eq!(read(&mut bot, "error")["code"], "banned");
    ana.send_line("/bans");
    let bans = read(&mut ana, "bans");
    assert_eq!((&bans["bans"][0]["name"], &bans["bans"][0]["by"]), (&json!("bot"), &json!("ana")));
    assert!(bans["bans"][0]["seconds"].as_u64().is_some_and(|seconds| (590..=600).contains(&seconds)), "{bans}");
}

// ---- succession

#[test]
fn who_has_been_there_longest_succeeds_the_last_operator() {
    let server = Server::with(&CREATE);
    let (mut ana, mut ben, room) = ana_and_ben(&server);
    let mut carl = Terminal::join(&server, &room, "carl");
    ana.send(json!({"type": "leave"}));
    ana.expect_close(1000);
    let mode = ben.expect("mode");
    assert_eq!((&mode["change"], &mode["name"], &mode["by"]), (&json!("op"), &json!("ben"), &json!("ben")));
    carl.expect_line("* ben is an operator now");
}

// ---- a restart

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-operators-{}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn after_a_crash_everything_holds_that_operators_did() {
    let folder = Folder::new();
    let file = folder.0.join("snugd.db").display().to_string();
    let serve = || Server::with(&["--rate", "0", "--join-rate", "0", "--data", &file]);
    let server = serve();
    let room = server.create_room();
    let join = |name: &str| json!({"type": "join", "room": room, "name": name});
    let (mut ana, ana_joined) = try_join(&server, join("ana"));
    let (mut ben, ben_joined) = try_join(&server, join("ben"));
    let (_carl, carl_joined) = try_join(&server, join("carl"));
    for change in [
        json!({"type": "moderate", "action": "topic", "value": "slides at 3"}),
        json!({"type": "moderate", "action": "key", "value": "sesame"}),
        json!({"type": "moderate", "action": "slow", "seconds": 5}),
        json!({"type": "moderate", "action": "mute", "name": "carl"}),
        json!({"type": "moderate", "action": "ban", "name": "ben", "value": "enough"}),
        json!({"type": "moderate", "action": "lock"}),
    ] {
        ana.send(change);
    }
    ben.expect_close(4003);
    ana.expect_where("the last of them", |message| message["change"] == "lock");
    server.crash();

    let bytes = fs::read(&file).expect("a file");
    assert!(!bytes.windows(6).any(|window| window == b"sesame"), "the key stands nowhere");
    let server = serve();
    let back = |joined: &Value| json!({"type": "join", "room": room, "token": joined["token"]});
    let (mut carl, joined) = try_join(&server, back(&carl_joined));
    assert_eq!(joined["modes"], json!({"locked": true, "key": true, "slow": 5}));
    assert_eq!(joined["topic"], "slides at 3");
    assert!(joined["members"].as_array().expect("members").contains(&json!({"name": "ana", "via": "web", "op": true})));
    let kinds: Vec<&str> =
        joined["events"].as_array().expect("events").iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds[3..], ["topic", "mode", "mode", "mode", "kick", "mode", "mode"]);
    carl.say("boo");
    carl.expect_error("muted");
    let mut token_of_ben = join("benno");
    token_of_ben["token"] = ben_joined["token"].clone();
    token_of_ben["key"] = json!("sesame");
    assert_eq!(try_join(&server, token_of_ben).1["code"], "banned");
    assert_eq!(try_join(&server, join("dora")).1["code"], "room_locked");
    let (mut ana, _) = try_join(&server, back(&ana_joined));
    for action in ["unlock", "unmute"] {
        moderate(&mut ana, action, "carl");
        ana.expect("mode");
    }
    assert_eq!(try_join(&server, join("dora")).1["code"], "key_required");
    let mut with_key = join("dora");
    with_key["key"] = json!("sesame");
    assert_eq!(try_join(&server, with_key).1["type"], "joined");
    carl.say("thank you");
    ana.expect_where("it", |message| message["text"] == "thank you");
}
