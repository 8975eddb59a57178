//! What the contract says about WebSockets, checked on the real program: messages, errors, close codes,
//! order, coming back, limits.

mod support;

use serde_json::{Value, json};
use support::web_socket::frame;
use support::{Server, Terminal, WebSocketClient, eventually, is_code};
use tungstenite::Message;

/// First bytes of frames: the last of a text, the first of a fragmented one, one in between, the last of it.
const TEXT: u8 = 0x81;
const FIRST_TEXT: u8 = 0x01;
const CONTINUATION: u8 = 0x00;
const LAST_CONTINUATION: u8 = 0x80;

fn names(members: &Value) -> Vec<&str> {
    let members = members.as_array().expect("a list of members");
    let mut names: Vec<_> = members.iter().map(|member| member["name"].as_str().expect("a name")).collect();
    names.sort_unstable();
    names
}

fn ids(events: &Value) -> Vec<u64> {
    events.as_array().expect("a list of events").iter().map(|event| event["id"].as_u64().expect("an id")).collect()
}

fn texts(events: &Value) -> Vec<&str> {
    let events = events.as_array().expect("a list of events");
    events.iter().filter_map(|event| event["text"].as_str()).collect()
}

/// Joins as told, and returns what the server answers.
fn join_as(server: &Server, join: Value) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(join);
    let joined = client.expect("joined");
    (client, joined)
}

/// A member of a new room, the room's code, and the `joined` that it got.
fn open_room(server: &Server, name: &str) -> (WebSocketClient, String, Value) {
    let room = server.create_room();
    let (client, joined) = join_as(server, json!({"type": "join", "room": room, "name": name}));
    (client, room, joined)
}

/// Says something and waits until it is said; returns the event.
fn say(client: &mut WebSocketClient, text: &str) -> Value {
    client.say(text);
    client.expect_where(text, |message| message["type"] == "message" && message["text"] == text)
}

// ---- the handshake

#[test]
fn the_subprotocol_is_accepted_if_it_is_offered() {
    let server = Server::start();
    let offers = [("snugd.v1", Some("snugd.v1")), ("chat, snugd.v1", Some("snugd.v1"))];
    for (offered, accepted) in offers {
        let headers = [("sec-websocket-protocol", offered)];
        let (_client, handshake) =
            WebSocketClient::connect_with(&server, "/ws", &headers).expect("the handshake succeeds");
        let answer = handshake.headers().get("sec-websocket-protocol").map(|value| value.to_str().expect("ASCII"));
        assert_eq!(answer, accepted, "{offered}");
    }
    let (_client, handshake) = WebSocketClient::connect_with(&server, "/ws", &[]).expect("the handshake succeeds");
    assert_eq!(handshake.headers().get("sec-websocket-protocol"), None);
}

// ---- the messages

#[test]
fn joined_tells_everything_about_the_room() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    assert!(is_code(&room, 4), "{room}");
    assert_eq!(joined["room"], json!(room));
    assert_eq!(joined["name"], "ana");
    assert_eq!(joined["token"].as_str().expect("a token").len(), 32, "128 bits");
    assert!(joined["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()));
    assert_eq!(joined["members"], json!([{"name": "ana", "via": "web", "op": true}]));
    assert_eq!(joined["gap"], false);
    assert_eq!(joined["limits"], json!({"message": 4096, "rate": 5, "file": 26214400}));
    assert_eq!(joined["last"], 1);
    assert_eq!(ids(&joined["events"]), [1], "its own enter");

    let _ben = Terminal::join(&server, &room, "ben");
    ana.expect("enter");
    say(&mut ana, "hello");
    let (_cleo, joined) = join_as(&server, json!({"type": "join", "room": room, "name": "cleo"}));
    assert_eq!(names(&joined["members"]), ["ana", "ben", "cleo"]);
    let vias = joined["members"].as_array().expect("a list");
    assert!(vias.contains(&json!({"name": "ben", "via": "line"})), "{vias:?}");
    assert_eq!(texts(&joined["events"]), ["hello"]);
    assert_eq!(joined["last"].as_u64(), ids(&joined["events"]).last().copied());
}

#[test]
fn everybody_gets_a_message_with_all_its_fields() {
    let server = Server::start();
    let (mut ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.send(json!({"type": "message", "text": "<b>hi</b> \"ben\" ✓", "cid": "c-1", "unknown": [1]}));
    let own = ana.expect("message");
    let others = ben.expect("message");
    assert_eq!(own, others, "the sender's acknowledgement is the message itself");
    assert_eq!(own["id"], 3);
    assert!(own["time"].as_u64().is_some_and(|time_ms| time_ms > 1_700_000_000_000), "milliseconds since 1970");
    assert_eq!(own["name"], "ana");
    assert_eq!(own["via"], "web");
    assert_eq!(own["kind"], "say");
    assert_eq!(own["text"], "<b>hi</b> \"ben\" ✓");
    assert_eq!(own["cid"], "c-1");

    ben.send(json!({"type": "message", "text": "waves", "kind": "me"}));
    let waves = ana.expect("message");
    assert_eq!((&waves["kind"], &waves["name"], waves.get("cid")), (&json!("me"), &json!("ben"), None));
}

#[test]
fn coming_going_and_renaming_are_events() {
    let server = Server::start();
    let (mut ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let enter = ana.expect("enter");
    assert_eq!((&enter["name"], &enter["via"], &enter["id"]), (&json!("ben"), &json!("web"), &json!(2)));

    ben.send(json!({"type": "nick", "name": "benno"}));
    for member in [&mut ana, &mut ben] {
        let nick = member.expect("nick");
        assert_eq!((&nick["name"], &nick["to"], &nick["id"]), (&json!("ben"), &json!("benno"), &json!(3)));
        assert!(nick["time"].is_u64());
    }

    ben.send(json!({"type": "leave"}));
    ben.expect_close(1000);
    let part = ana.expect("part");
    assert_eq!((&part["name"], &part["via"], &part["id"]), (&json!("benno"), &json!("web"), &json!(4)));
    assert!(part["time"].is_u64());
}

#[test]
fn typing_is_relayed_to_others_at_most_every_three_seconds() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect("enter");
    // All in one write, so that no time passes between them.
    let typing = frame(TEXT, br#"{"type":"typing"}"#);
    let said = frame(TEXT, br#"{"type":"message","text":"said"}"#);
    ana.send_bytes(&[typing.repeat(5), said].concat());
    assert_eq!(ben.next(), json!({"type": "typing", "name": "ana"}));
    assert_eq!(ben.next()["type"], "message", "one typing only");
    assert_eq!(ana.next()["type"], "message", "none of its own");

    let repeated = eventually("typing is relayed again", || {
        ana.send(json!({"type": "typing"}));
        ben.messages_so_far().pop()
    });
    assert_eq!(repeated, json!({"type": "typing", "name": "ana"}));
}

#[test]
fn history_goes_back_to_the_first_event() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, room, _) = open_room(&server, "ana");
    for number in 2..=260 {
        ana.say(&format!("text {number}"));
    }
    ana.expect_where("the last", |message| message["id"] == 260);

    let mut ask = |question: Value| {
        ana.send(question);
        ana.expect("history")
    };
    let last = ask(json!({"type": "history"}));
    assert_eq!(ids(&last["events"]), (211..=260).collect::<Vec<_>>(), "50, oldest first");
    assert_eq!(last["more"], true);
    let most = ask(json!({"type": "history", "before": 211, "limit": 9999}));
    assert_eq!(ids(&most["events"]), (11..=210).collect::<Vec<_>>(), "200 at most");
    assert_eq!(most["more"], true);
    let first = ask(json!({"type": "history", "before": 11, "limit": 10}));
    assert_eq!(ids(&first["events"]), (1..=10).collect::<Vec<_>>());
    assert_eq!((&first["more"], &first["events"][0]["type"]), (&json!(false), &json!("enter")));
    let none = ask(json!({"type": "history", "before": 1}));
    assert_eq!((&none["events"], &none["more"]), (&json!([]), &json!(false)));

    let (_ben, joined) = join_as(&server, json!({"type": "join", "room": room, "name": "ben"}));
    assert_eq!(ids(&joined["events"]), (212..=261).collect::<Vec<_>>(), "the last 50 for a newcomer");
}

#[test]
fn what_was_said_is_found_the_newest_first() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, _, _) = open_room(&server, "ana");
    for number in 2..=260 {
        ana.say(&format!("{} text {number}", if number % 2 == 0 { "Even" } else { "odd" }));
    }
    ana.expect_where("the last", |message| message["id"] == 260);
    let (mut other, _, _) = open_room(&server, "other");
    say(&mut other, "even in another room");

    let mut ask = |question: Value| {
        ana.send(question);
        ana.expect("search")
    };
    let last = ask(json!({"type": "search", "text": "even"}));
    assert_eq!(ids(&last["events"]), (162..=260).step_by(2).collect::<Vec<_>>(), "50, oldest first");
    assert_eq!((&last["more"], &last["before"]), (&json!(true), &json!(162)));
    assert_eq!(last["events"][0]["type"], "message");
    let first = ask(json!({"type": "search", "text": "even", "before": 162, "limit": 9999}));
    assert_eq!(ids(&first["events"]), (2..=160).step_by(2).collect::<Vec<_>>());
    assert_eq!((&first["more"], first.get("before")), (&json!(false), None));
    assert_eq!(ids(&ask(json!({"type": "search", "text": "26 text"}))["events"]), [26]);
    assert_eq!(ids(&ask(json!({"type": "search", "text": "text 26"}))["events"]), [26, 260]);
    for (text, code) in [("", "text_empty"), ("?!", "text_empty"), (&*"x".repeat(257), "text_too_long")] {
        ana.send(json!({"type": "search", "text": text}));
        assert_eq!(ana.expect("error")["code"], code);
    }
}

#[test]
fn searches_count_as_messages_do_and_need_a_room() {
    let server = Server::with(&["--rate", "1"]);
    let mut nobody = WebSocketClient::connect(&server);
    nobody.send(json!({"type": "search", "text": "x"}));
    assert_eq!(nobody.expect("error")["code"], "not_joined");
    let (mut ana, _, _) = open_room(&server, "ana");
    for _ in 0..5 {
        ana.send(json!({"type": "search", "text": "x"}));
    }
    let refused = ana.expect("error");
    assert!(refused["code"] == "rate_limited" && refused["retry_ms"].as_u64().is_some_and(|ms| ms > 0), "{refused}");
}

#[test]
fn control_characters_are_removed_and_lines_kept() {
    let server = Server::start();
    let (mut ana, ..) = open_room(&server, "ana");
    ana.say("one\r\n\ttwo\u{1b}[31m\u{9b}3\u{7f}\u{0}");
    assert_eq!(ana.expect("message")["text"], "one\n\ttwo[31m3");
}

#[test]
fn another_room_may_be_joined_over_the_same_connection() {
    let server = Server::start();
    let (mut ana, first, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &first, "ben");
    let second = server.create_room();
    ana.send(json!({"type": "join", "room": second, "name": "ana"}));
    assert_eq!(ana.expect("joined")["room"], json!(second));
    assert_eq!(ben.expect("part")["name"], "ana");
    say(&mut ben, "not for ana");
    assert_eq!(ana.messages_so_far(), [] as [Value; 0]);
}

// ---- order

#[test]
fn every_client_sees_every_event_once_in_the_same_order() {
    let server = Server::with(&["--rate", "0"]);
    let (first, room, _) = open_room(&server, "member0");
    let mut members = vec![first];
    for number in 1..4 {
        members.push(WebSocketClient::join(&server, &room, &format!("member{number}")));
    }
    for round in 0..50 {
        for (number, member) in members.iter_mut().enumerate() {
            member.send(json!({"type": "message", "text": format!("{number} {round}"), "cid": format!("{round}")}));
        }
    }
    let mut seen: Vec<Vec<Value>> = Vec::new();
    for member in &mut members {
        let mut messages = Vec::new();
        while messages.len() < 200 {
            messages.push(member.expect("message"));
        }
        let ids: Vec<_> = messages.iter().map(|message| message["id"].as_u64().expect("an id")).collect();
        assert_eq!(ids, (5..=204).collect::<Vec<_>>(), "without gaps, each once");
        seen.push(messages);
    }
    assert!(seen.iter().all(|messages| *messages == seen[0]), "all the same");
    for number in 0..4 {
        let name = format!("member{number}");
        let own: Vec<_> = seen[0].iter().filter(|message| message["name"] == *name).collect();
        let order: Vec<_> = own.iter().map(|message| message["cid"].as_str().expect("its cid")).collect();
        assert_eq!(order, (0..50).map(|round| round.to_string()).collect::<Vec<_>>(), "in the order it was said");
    }
}

#[test]
fn what_is_sent_before_joined_has_come_is_said_after_it() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    ana.say("at once");
    assert_eq!(ana.next()["type"], "joined");
    assert_eq!(ana.next()["text"], "at once");
}

// ---- saying something once

#[test]
fn a_repeated_cid_is_answered_and_not_said_again() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ben.send(json!({"type": "message", "text": "mine", "cid": "same"}));
    ana.expect("message");
    ana.send(json!({"type": "message", "text": "hello", "cid": "same"}));
    let id = ana.expect("message")["id"].clone();
    ana.send(json!({"type": "message", "text": "hello", "cid": "same"}));
    assert_eq!(ana.next(), json!({"type": "ok", "cid": "same", "id": id}));

    // Also over another connection of the same member.
    let token = &joined["token"];
    let (mut again, _) = join_as(&server, json!({"type": "join", "room": room, "token": token, "since": id}));
    again.send(json!({"type": "message", "text": "hello", "cid": "same"}));
    assert_eq!(again.next(), json!({"type": "ok", "cid": "same", "id": id}));

    ben.expect_where("hello", |message| message["text"] == "hello");
    assert_eq!(ben.messages_so_far(), [] as [Value; 0], "said once");
}

// ---- errors

#[test]
fn nonsense_is_a_bad_request_and_the_connection_stays_usable() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, ..) = open_room(&server, "ana");
    let long_cid = json!({"type": "message", "text": "x", "cid": "x".repeat(65)}).to_string();
    let nonsense = [
        "",
        "hello",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"dance"}"#,
        r#"{"type":"JOIN","room":"KXQT"}"#,
        r#"{"type":"message"}"#,
        r#"{"type":"message","text":7}"#,
        r#"{"type":"message","text":"x","kind":"shout"}"#,
        r#"{"type":"history","before":-1}"#,
        r#"{"type":"history","limit":"many"}"#,
        &long_cid,
    ];
    for text in nonsense {
        ana.send_text(text);
        ana.expect_error("bad_request");
    }
    ana.send_message(Message::binary(vec![1, 2, 3]));
    ana.expect_error("bad_request");
    ana.send_message(Message::binary(br#"{"type":"message","text":"binary"}"#.to_vec()));
    ana.expect_error("bad_request");
    // JSON that nests deeply must not hurt either.
    ana.send_text(&"[".repeat(50_000));
    ana.expect_error("bad_request");
    say(&mut ana, "still here");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_cid() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, ..) = open_room(&server, "ana");
    let long_cid = "x".repeat(65);
    for (text, cid) in [
        (r#"{"type":"message","text":7,"cid":"c1"}"#, "c1"),
        (r#"{"type":"message","cid":"c2"}"#, "c2"),
        (r#"{"type":"dance","cid":"c3"}"#, "c3"),
        (r#"{"type":"message","text":"x","cid":"c4","since":-1}"#, "c4"),
        (r#"{"type":"message","text":"\q","cid":"c5"}"#, "c5"),
        (r#"{"type":"message","cid":"c6","text":"x"#, "c6"),
        (&format!(r#"{{"type":"message","text":"x","cid":"{long_cid}"}}"#), &long_cid),
    ] {
        ana.send_text(text);
        assert_eq!(ana.expect_error("bad_request")["cid"], cid, "{text}");
    }
    ana.send_text(r#"{"type":"message","text":7}"#);
    assert_eq!(ana.expect_error("bad_request").get("cid"), None);
    say(&mut ana, "still here");
}

#[test]
fn half_a_character_is_the_replacement_character() {
    let server = Server::start();
    let (mut ana, ..) = open_room(&server, "ana");
    for (number, (escaped, said)) in
        [(r"a\ud83d", "a\u{FFFD}"), (r"\ude00b", "\u{FFFD}b"), (r"\ude00\ud83d\ude00", "\u{FFFD}😀")]
            .into_iter()
            .enumerate()
    {
        ana.send_text(&format!(r#"{{"type":"message","text":"{escaped}","cid":"c{number}"}}"#));
        let message = ana.expect("message");
        assert_eq!((&message["text"], &message["cid"]), (&json!(said), &json!(format!("c{number}"))));
    }
}

#[test]
fn a_ping_is_answered_at_any_time_and_costs_nothing() {
    let server = Server::with(&["--rate", "1"]);
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "ping"}));
    assert_eq!(ana.next(), json!({"type": "pong"}));
    let room = server.create_room();
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    ana.expect("joined");
    ana.send_bytes(&frame(TEXT, br#"{"type":"ping"}"#).repeat(500));
    for _ in 0..500 {
        assert_eq!(ana.next(), json!({"type": "pong"}));
    }
    say(&mut ana, "not too fast");
}

#[test]
fn most_messages_need_a_room() {
    let server = Server::start();
    let mut ana = WebSocketClient::connect(&server);
    for message in [
        json!({"type": "message", "text": "x", "cid": "c"}),
        json!({"type": "history"}),
        json!({"type": "nick", "name": "ben"}),
        json!({"type": "typing"}),
        json!({"type": "leave"}),
    ] {
        ana.send(message.clone());
        let error = ana.expect_error("not_joined");
        assert_eq!(error.get("cid"), message.get("cid"), "{message}");
    }
    let room = server.create_room();
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    ana.expect("joined");
}

#[test]
fn a_join_is_refused_in_the_contracts_words() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::connect(&server);
    for (join, code) in [
        (json!({"type": "join", "name": "ana"}), "room_required"),
        (json!({"type": "join", "room": " ", "name": "ana"}), "room_required"),
        (json!({"type": "join", "room": "aeiou", "name": "ana"}), "no_such_room"),
        (json!({"type": "join", "room": "BBBBBBBBBBBB", "name": "ana"}), "no_such_room"),
        (json!({"type": "join", "room": room}), "name_required"),
        (json!({"type": "join", "room": room, "name": " \t"}), "name_required"),
        (json!({"type": "join", "room": room, "name": "a\u{202e}b"}), "name_invalid"),
        (json!({"type": "join", "room": room, "name": "a\u{7}b"}), "name_invalid"),
        (json!({"type": "join", "room": room, "name": "x".repeat(33)}), "name_invalid"),
    ] {
        ana.send(join);
        ana.expect_error(code);
    }
    let padded = format!("  {} ", room.to_lowercase());
    ana.send(json!({"type": "join", "room": padded, "name": "  ana "}));
    let joined = ana.expect("joined");
    assert_eq!((&joined["room"], &joined["name"]), (&json!(room), &json!("ana")), "trimmed, in any case");
}

#[test]
fn a_name_is_taken_by_whatever_looks_like_it() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, room, _) = open_room(&server, "Alina");
    let mut ben = WebSocketClient::connect(&server);
    for name in ["Alina", "alina", "ALINA", "Аlina", "Alinа", "AIina", "Ａlina", " Alina "] {
        ben.send(json!({"type": "join", "room": room, "name": name}));
        let error = ben.expect_error("name_taken");
        assert!(error["message"].as_str().expect("words").contains(&room), "{name}: {error}");
    }
    ben.send(json!({"type": "join", "room": room, "name": "Ben"}));
    ben.expect("joined");
    ben.send(json!({"type": "nick", "name": "alina"}));
    ben.expect_error("name_taken");
    ben.send(json!({"type": "nick", "name": "a\u{202e}b"}));
    ben.expect_error("name_invalid");
    ben.send(json!({"type": "nick"}));
    ben.expect_error("name_required");
    // Its own name in other letters is nobody else's.
    ben.send(json!({"type": "nick", "name": "BEN"}));
    assert_eq!(ben.expect("nick")["to"], "BEN");
    // In another room the name is free.
    let other = server.create_room();
    ben.send(json!({"type": "join", "room": other, "name": "alina"}));
    ben.expect("joined");
    ana.expect_where("the part", |message| message["type"] == "part");
}

#[test]
fn texts_are_refused_if_empty_or_too_long() {
    let server = Server::with(&["--max-message", "100"]);
    let (mut ana, _, joined) = open_room(&server, "ana");
    assert_eq!(joined["limits"]["message"], 100);
    for text in ["", " \n\t", "\u{1b}\u{0}"] {
        ana.send(json!({"type": "message", "text": text, "cid": "c1"}));
        assert_eq!(ana.expect_error("text_empty")["cid"], "c1");
    }
    ana.send(json!({"type": "message", "text": "ä".repeat(51), "cid": "c2"}));
    assert_eq!(ana.expect_error("text_too_long")["cid"], "c2");
    say(&mut ana, &"ä".repeat(50));
}

#[test]
fn the_longest_message_may_be_written_in_escapes() {
    let server = Server::start();
    let (mut ana, ..) = open_room(&server, "ana");
    let escaped = "\\u0061".repeat(4096);
    ana.send_text(&format!(r#"{{"type":"message","text":"{escaped}"}}"#));
    assert_eq!(ana.expect("message")["text"], json!("a".repeat(4096)));
}

// ---- limits

#[test]
fn too_many_messages_are_refused_with_a_time_to_wait() {
    let server = Server::with(&["--rate", "2"]);
    let (mut ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect("enter");
    // All in one write, so that hardly any time passes: the join was one of the burst of eight.
    let said: Vec<u8> = (0..12)
        .flat_map(|number| {
            frame(TEXT, format!(r#"{{"type":"message","text":"{number}","cid":"c{number}"}}"#).as_bytes())
        })
        .collect();
    ana.send_bytes(&said);
    let answers: Vec<_> = (0..12).map(|_| ana.next()).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer["type"] == "error").collect();
    assert!((3..=5).contains(&refused.len()), "{answers:?}");
    for error in &refused {
        assert_eq!(error["code"], "rate_limited");
        assert!(error["retry_ms"].as_u64().is_some_and(|retry_ms| (1..=500).contains(&retry_ms)), "{error}");
        assert!(error["cid"].as_str().is_some_and(|cid| cid.starts_with('c')), "{error}");
    }
    let last = eventually("there is room again", || {
        ana.send(json!({"type": "message", "text": "again", "cid": "again"}));
        Some(ana.next()).filter(|answer| answer["type"] == "message")
    });
    assert_eq!(last["text"], "again");
    let heard = ben.expect_where("again", |message| message["text"] == "again");
    assert_eq!(heard["id"], last["id"]);
}

#[test]
fn a_room_has_no_more_members_than_allowed() {
    let server = Server::with(&["--max-members", "2"]);
    let (_ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut cleo = WebSocketClient::connect(&server);
    cleo.send(json!({"type": "join", "room": room, "name": "cleo"}));
    cleo.expect_error("room_full");
    ben.send(json!({"type": "leave"}));
    ben.expect_close(1000);
    cleo.send(json!({"type": "join", "room": room, "name": "cleo"}));
    cleo.expect("joined");
}

#[test]
fn what_is_said_again_after_a_drop_is_not_said_twice_however_much_others_said_meanwhile() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, room, joined) = open_room(&server, "ana");
    ana.send(json!({"type": "message", "text": "only once", "cid": "c1"}));
    let first = ana.expect("message")["id"].clone();
    ana.drop_connection();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    for number in 0..1_100 {
        ben.send(json!({"type": "message", "text": format!("text {number}"), "cid": format!("b{number}")}));
    }
    ben.expect_where("the last", |message| message["text"] == "text 1099");
    let (mut ana, _) = join_as(&server, json!({"type": "join", "room": room, "token": joined["token"]}));
    ana.send(json!({"type": "message", "text": "only once", "cid": "c1"}));
    assert_eq!(ana.expect("ok"), json!({"type": "ok", "cid": "c1", "id": first}));
}

#[test]
fn codes_cannot_be_found_by_trying() {
    let server = Server::with(&["--join-rate", "3", "--trusted-proxy", "127.0.0.1"]);
    let (mut member, room, joined) = open_room(&server, "ana");
    let elsewhere = [("X-Forwarded-For", "192.0.2.1")];
    let (mut guesser, _) = WebSocketClient::connect_with(&server, "/ws", &elsewhere).expect("the handshake succeeds");
    for _ in 0..3 {
        guesser.send(json!({"type": "join", "room": "BBBBBB", "name": "mallory"}));
        guesser.expect_error("no_such_room");
    }
    // Now nothing is told any more, not even which codes are good ones.
    for code in ["BBBBBB", room.as_str()] {
        guesser.send(json!({"type": "join", "room": code, "name": "mallory"}));
        let error = guesser.expect_error("rate_limited");
        assert!(error["retry_ms"].as_u64().is_some_and(|retry_ms| retry_ms > 0), "{error}");
    }
    // Whoever knows the room already comes back all the same.
    say(&mut member, "nobody disturbs me");
    member.drop_connection();
    let back = json!({"type": "join", "room": room, "token": joined["token"]});
    join_as(&server, back);
}

#[test]
fn wrong_codes_of_others_keep_nobody_out_of_a_room_that_their_network_knows() {
    let server = Server::with(&["--join-rate", "3"]);
    let (_teacher, room, _) = open_room(&server, "ana");
    for number in 0..11 {
        let mut pupil = WebSocketClient::connect(&server);
        pupil.send(json!({"type": "join", "room": "BBBBBB", "name": format!("wrong {number}")}));
        let error = pupil.expect("error");
        assert_eq!(error["code"], if number < 3 { "no_such_room" } else { "rate_limited" });
        if number >= 3 {
            let words = error["message"].as_str().expect("words");
            assert!(words.starts_with("Too many wrong codes came from your network."), "{words}");
        }
        WebSocketClient::join(&server, &room, &format!("right {number}"));
    }
}

#[test]
fn rooms_are_created_no_faster_than_allowed() {
    let server = Server::with(&["--create-rate", "2"]);
    let mut client = WebSocketClient::connect(&server);
    for code in ["BBBB", "CCCC"] {
        client.send(json!({"type": "join", "room": code, "name": "ana", "create": true}));
        client.expect("joined");
    }
    client.send(json!({"type": "join", "room": "DDDD", "name": "ana", "create": true}));
    let error = client.expect_error("rate_limited");
    assert!(error["retry_ms"].as_u64().is_some_and(|retry_ms| retry_ms > 0), "{error}");
    // It did not leave the room that it is in.
    say(&mut client, "still here");
}

#[test]
fn one_address_holds_no_more_connections_than_allowed() {
    let server = Server::with(&["--max-per-ip", "3"]);
    let mut members = Vec::new();
    let room = server.create_room();
    for number in 0..3 {
        let name = format!("member{number}");
        members.push(eventually("a place is free", || {
            let (mut client, _) = WebSocketClient::connect_with(&server, "/ws", &[]).ok()?;
            client.send(json!({"type": "join", "room": room, "name": name}));
            client.expect("joined");
            Some(client)
        }));
    }
    assert_eq!(WebSocketClient::connect_with(&server, "/ws", &[]).err(), Some(429));
    let words = Terminal::connect(&server).read_to_end();
    assert!(words.starts_with("! "), "{words}");
    for member in &mut members {
        say(member, "nobody is disturbed");
    }
    members.pop().expect("three of them").drop_connection();
    eventually("the place is free again", || WebSocketClient::connect_with(&server, "/ws", &[]).ok());
}

#[test]
fn there_are_no_more_connections_than_allowed() {
    let server = Server::with(&["--max-connections", "2"]);
    let room = server.create_room();
    let connect = || WebSocketClient::connect_with(&server, "/ws", &[]);
    let (mut ana, _) = eventually("a place is free", || connect().ok());
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    ana.expect("joined");
    let (ben, _) = eventually("a place is free", || connect().ok());
    assert_eq!(connect().err(), Some(503));
    let words = Terminal::connect(&server).read_to_end();
    assert!(words.starts_with("! "), "{words}");
    say(&mut ana, "nobody is disturbed");
    ben.drop_connection();
    eventually("the place is free again", || connect().ok());
}

// ---- closing

#[test]
fn whoever_leaves_is_closed_with_1000() {
    let server = Server::start();
    let (mut ana, ..) = open_room(&server, "ana");
    ana.send(json!({"type": "leave"}));
    ana.expect_close(1000);
}

#[test]
fn a_close_frame_is_answered() {
    let server = Server::start();
    let (mut ana, ..) = open_room(&server, "ana");
    ana.send_bytes(&frame(0x88, &1000u16.to_be_bytes()));
    ana.expect_close(1000);
}

#[test]
fn frames_against_the_protocol_are_closed_with_1002() {
    let server = Server::start();
    let wrong: [(&str, Vec<u8>); 7] = [
        ("no mask", vec![TEXT, 2, b'{', b'}']),
        ("a reserved bit", frame(0xC1, b"{}")),
        ("a reserved opcode", frame(0x83, b"{}")),
        ("a continuation of nothing", frame(LAST_CONTINUATION, b"{}")),
        ("a text within a text", [frame(FIRST_TEXT, b"{"), frame(TEXT, b"}")].concat()),
        ("a fragmented ping", frame(0x09, b"")),
        ("a long ping", frame(0x89, &[b'x'; 126])),
    ];
    for (what, bytes) in wrong {
        eprintln!("{what}");
        let mut client = WebSocketClient::connect(&server);
        client.send_bytes(&bytes);
        client.expect_close(1002);
    }
}

#[test]
fn a_text_that_is_not_utf8_is_closed_with_1007() {
    let server = Server::start();
    let mut client = WebSocketClient::connect(&server);
    client.send_bytes(&frame(TEXT, b"{\"type\":\"message\",\"text\":\"\xFF\"}"));
    client.expect_close(1007);
    let mut client = WebSocketClient::connect(&server);
    client.send_bytes(&[frame(FIRST_TEXT, b"\xC3"), frame(LAST_CONTINUATION, b"(")].concat());
    client.expect_close(1007);
    // A long text that is none is not waited for.
    for frames in [vec![frame(FIRST_TEXT, b"{\xFF")], vec![frame(FIRST_TEXT, b"{\xC3"), frame(CONTINUATION, b"(")]] {
        let mut client = WebSocketClient::connect(&server);
        client.send_bytes(&frames.concat());
        client.expect_close(1007);
    }
}

#[test]
fn a_message_that_is_too_big_is_closed_with_1009() {
    let server = Server::start();
    let mut client = WebSocketClient::connect(&server);
    // The header alone says enough.
    let header = [TEXT, 0x80 | 127, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4];
    client.send_bytes(&header);
    client.expect_close(1009);
    let mut client = WebSocketClient::connect(&server);
    client.send_bytes(&frame(TEXT, &vec![b' '; 1 << 20]));
    client.expect_close(1009);
    let mut client = WebSocketClient::connect(&server);
    client.send_bytes(&frame(FIRST_TEXT, b""));
    client.send_bytes(&frame(CONTINUATION, b"").repeat(5000));
    client.expect_close(1009);
}

#[test]
fn a_flood_is_closed_with_1008() {
    let server = Server::with(&["--rate", "1"]);
    let (mut ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.send_bytes(&frame(TEXT, br#"{"type":"message","text":"flood"}"#).repeat(5000));
    ana.expect_close(1008);
    say(&mut ben, "not disturbed");
}

#[test]
fn members_are_told_when_the_server_stops() {
    let mut server = Server::start();
    let (mut ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut nobody = WebSocketClient::connect(&server);
    ana.expect("enter");
    server.signal("TERM");
    ana.expect_close(1001);
    ben.expect_close(1001);
    nobody.expect_close(1001);
    assert_eq!(server.wait().code(), Some(0));
}

// ---- frames

#[test]
fn a_message_may_come_in_fragments_and_pieces() {
    let server = Server::start();
    let (mut ana, ..) = open_room(&server, "ana");
    let message = json!({"type": "message", "text": "grüße in pieces"}).to_string().into_bytes();
    let (first, rest) = message.split_at(33);
    let (second, third) = rest.split_at(1);
    let frames = [
        frame(FIRST_TEXT, first),
        frame(0x89, b"in between"),
        frame(CONTINUATION, second),
        frame(CONTINUATION, b""),
        frame(LAST_CONTINUATION, third),
    ]
    .concat();
    for byte in frames {
        ana.send_bytes(&[byte]);
    }
    assert_eq!(ana.next_frame(), Message::Pong(b"in between".to_vec().into()));
    assert_eq!(ana.next()["text"], "grüße in pieces");
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let server = Server::start();
    let mut client = WebSocketClient::connect(&server);
    for payload in [vec![], vec![0, 255, 7], vec![b'x'; 125]] {
        client.send_message(Message::Ping(payload.clone().into()));
        assert_eq!(client.next_frame(), Message::Pong(payload.into()));
    }
    // A pong that nobody asked for is nothing.
    client.send_message(Message::Pong(vec![1].into()));
    client.send_text("{}");
    client.expect_error("bad_request");
}

// ---- coming back

#[test]
fn what_was_missed_is_sent_after_since() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let seen = say(&mut ana, "seen")["id"].clone();
    ana.drop_connection();
    say(&mut ben, "missed 1");
    say(&mut ben, "missed 2");

    let (token, epoch) = (&joined["token"], &joined["epoch"]);
    let back = json!({"type": "join", "room": room, "token": token, "since": seen, "epoch": epoch});
    let (_ana, again) = join_as(&server, back);
    assert_eq!(texts(&again["events"]), ["missed 1", "missed 2"]);
    assert_eq!(ids(&again["events"])[0], seen.as_u64().expect("an id") + 1);
    assert_eq!((&again["gap"], &again["name"]), (&json!(false), &json!("ana")));
    assert_eq!((&again["epoch"], &again["token"]), (epoch, token));
    assert_eq!(names(&again["members"]), ["ana", "ben"]);
}

#[test]
fn whoever_has_seen_everything_is_sent_nothing() {
    let server = Server::start();
    let (ana, room, joined) = open_room(&server, "ana");
    ana.drop_connection();
    let back = json!({
        "type": "join", "room": room, "token": joined["token"], "since": joined["last"], "epoch": joined["epoch"]
    });
    let (_ana, again) = join_as(&server, back);
    assert_eq!((&again["events"], &again["gap"]), (&json!([]), &json!(false)));
    assert_eq!(again["last"], joined["last"], "and nothing was noted");
}

#[test]
fn a_gap_is_told() {
    let server = Server::with(&["--history", "5", "--rate", "0"]);
    let (mut ana, room, joined) = open_room(&server, "ana");
    for number in 2..=12 {
        say(&mut ana, &format!("text {number}"));
    }
    let join = |since: u64| {
        let join = json!({
            "type": "join", "room": room, "token": joined["token"], "since": since, "epoch": joined["epoch"]
        });
        join_as(&server, join).1
    };
    let after_gap = join(3);
    assert_eq!((ids(&after_gap["events"]), &after_gap["gap"]), ((8..=12).collect(), &json!(true)));
    let without = join(7);
    assert_eq!((ids(&without["events"]), &without["gap"]), ((8..=12).collect(), &json!(false)));
}

#[test]
fn ids_of_another_epoch_mean_nothing() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    say(&mut ana, "one");
    for epoch in [json!("0123456789abcdef"), json!("no epoch at all")] {
        let token = &joined["token"];
        let join = json!({"type": "join", "room": room, "token": token, "since": 2, "epoch": epoch});
        let (_again, again) = join_as(&server, join);
        assert_eq!((ids(&again["events"]), &again["epoch"]), (vec![1, 2], &joined["epoch"]), "everything anew");
    }
}

#[test]
fn the_token_takes_the_member_over_at_once() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect("enter");
    let (mut again, joined_again) = join_as(&server, json!({"type": "join", "room": room, "token": joined["token"]}));
    ana.expect_close(4001);
    assert_eq!((&joined_again["name"], &joined_again["token"]), (&json!("ana"), &joined["token"]));
    assert_eq!(joined_again["last"], 2, "no noise in the room");
    say(&mut again, "it is me");
    assert_eq!(ben.expect_where("the message", |message| message["type"] != "enter")["name"], "ana");
}

#[test]
fn a_wrong_token_is_worth_nothing() {
    let server = Server::start();
    let (_ana, room, _) = open_room(&server, "ana");
    let mut mallory = WebSocketClient::connect(&server);
    let wrong = "0".repeat(32);
    mallory.send(json!({"type": "join", "room": room, "token": wrong}));
    mallory.expect_error("name_required");
    mallory.send(json!({"type": "join", "room": room, "token": wrong, "name": "ana"}));
    mallory.expect_error("name_taken");
    mallory.send(json!({"type": "join", "room": room, "token": "not a token", "name": "ana"}));
    mallory.expect_error("name_taken");
}

#[test]
fn coming_back_within_the_grace_is_silent() {
    let server = Server::start();
    let (ana, room, joined) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.drop_connection();
    // Meanwhile nobody else can have the name.
    let mut mallory = WebSocketClient::connect(&server);
    mallory.send(json!({"type": "join", "room": room, "name": "ana"}));
    mallory.expect_error("name_taken");
    let (mut back, _) = join_as(&server, json!({"type": "join", "room": room, "token": joined["token"]}));
    say(&mut back, "back");
    let heard = ben.messages_so_far();
    let kinds: Vec<_> = heard.iter().map(|message| message["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["message"], "{heard:?}");
}

#[test]
fn after_the_grace_the_place_is_free() {
    let server = Server::with(&["--grace", "1s"]);
    let (ana, room, joined) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.drop_connection();
    assert_eq!(ben.expect("part")["name"], "ana");
    let mut other = WebSocketClient::join(&server, &room, "ana");
    // The token is still good for coming back, under another name if need be.
    let mut late = WebSocketClient::connect(&server);
    late.send(json!({"type": "join", "room": room, "token": joined["token"]}));
    late.expect_error("name_taken");
    late.send(json!({"type": "join", "room": room, "token": joined["token"], "name": "anna"}));
    assert_eq!(late.expect("joined")["name"], "anna");
    say(&mut other, "hello");
}

#[test]
fn without_grace_a_drop_is_leaving() {
    let server = Server::with(&["--grace", "0s"]);
    let (ana, room, _) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.drop_connection();
    assert_eq!(ben.expect("part")["name"], "ana");
}

#[test]
fn the_cookie_of_the_form_joins_without_a_name() {
    let server = Server::start();
    let created = server.post_form(&[("name", "ana"), ("create", "1")]);
    let room = created.expect_header("Location").trim_start_matches('/').to_owned();
    let (mut ana, _) = WebSocketClient::connect_with(&server, "/ws", &[("cookie", &created.cookie())])
        .expect("the handshake succeeds");
    ana.send(json!({"type": "join", "room": room}));
    let joined = ana.expect("joined");
    assert_eq!((&joined["name"], names(&joined["members"])), (&json!("ana"), vec!["ana"]));
    assert_eq!(ids(&joined["events"]), [1], "it enters when it comes, not when the form is posted");
}

// ---- rooms

#[test]
fn a_page_brings_its_room_back_under_its_code() {
    let server = Server::start();
    let token = "0123456789abcdef0123456789abcdef";
    let (mut ana, joined) = join_as(
        &server,
        json!({
            "type": "join", "room": "kxqt", "name": "ana", "token": token, "since": 40, "epoch": "gone",
            "create": true
        }),
    );
    assert_eq!((&joined["room"], &joined["name"], &joined["last"]), (&json!("KXQT"), &json!("ana"), &json!(1)));
    let ben = json!({"type": "join", "room": "KXQT", "name": "ben", "create": true});
    let (_ben, joined) = join_as(&server, ben);
    assert_eq!((names(&joined["members"]), &joined["last"]), (vec!["ana", "ben"], &json!(2)), "the same room");
    ana.expect("enter");
}

#[test]
fn a_code_that_is_none_is_not_created() {
    let server = Server::start();
    let mut client = WebSocketClient::connect(&server);
    for code in ["AEIO", "BCD", "BBBBBBBBBBBBB", "B CD"] {
        client.send(json!({"type": "join", "room": code, "name": "ana", "create": true}));
        client.expect_error("no_such_room");
    }
}

#[test]
fn an_empty_room_is_deleted_after_its_time() {
    let server = Server::with(&["--room-ttl", "1s", "--join-rate", "0", "--grace", "0s"]);
    let (mut ana, room, _) = open_room(&server, "ana");
    say(&mut ana, "hello");
    let (stays, kept, _) = open_room(&server, "ben");
    ana.send(json!({"type": "leave"}));
    ana.expect_close(1000);
    let description = format!("/api/v1/rooms/{room}");
    eventually("the room is gone", || (server.get(&description).status == 404).then_some(()));
    assert_eq!(server.get(&format!("/{room}")).status, 404);
    let mut client = WebSocketClient::connect(&server);
    client.send(json!({"type": "join", "room": room, "name": "ana"}));
    client.expect_error("no_such_room");
    // A room with somebody in it stays.
    assert_eq!(server.get(&format!("/api/v1/rooms/{kept}")).status, 200);
    stays.drop_connection();
    eventually("a dropped member's room goes as well", || {
        (server.get(&format!("/api/v1/rooms/{kept}")).status == 404).then_some(())
    });
}

#[test]
fn a_room_outlives_its_last_member_for_a_while() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    say(&mut ana, "before lunch");
    ana.send(json!({"type": "leave"}));
    ana.expect_close(1000);
    let (_ben, again) = join_as(&server, json!({"type": "join", "room": room, "name": "ben"}));
    assert_eq!((texts(&again["events"]), &again["epoch"]), (vec!["before lunch"], &joined["epoch"]));
}

#[test]
fn codes_are_as_long_as_asked_for() {
    let server = Server::with(&["--code-length", "8"]);
    let room = server.create_room();
    assert!(is_code(&room, 8), "{room}");
    WebSocketClient::join(&server, &room, "ana");
}

#[test]
fn who_joins_a_crowd_is_told_some_and_asks_for_the_rest() {
    let server = Server::with(&["--max-per-ip", "0", "--rate", "0"]);
    let room = server.create_room();
    let crowd: Vec<WebSocketClient> =
        (0..450).map(|number| WebSocketClient::join(&server, &room, &format!("m{number}"))).collect();
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    let joined = ana.expect("joined");
    let names = |list: &Value| -> Vec<String> {
        let names = list.as_array().expect("a list").iter().map(|member| member["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect()
    };
    let mut known = names(&joined["members"]);
    assert_eq!((known.len(), known[0].as_str(), &joined["count"]), (200, "ana", &json!(451)));
    loop {
        ana.send(json!({"type": "who", "after": known.last()}));
        let page = ana.expect("members");
        assert_eq!(page["count"], 451);
        known.extend(names(&page["members"]));
        if page["more"] == false {
            break;
        }
    }
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 451);

    // A program at a terminal fetches nothing: it is told everybody.
    let mut bot = Terminal::connect(&server);
    bot.send_line("/json");
    bot.send_line(&format!("/join {room} bot"));
    let mut told = std::collections::BTreeSet::new();
    while told.len() < 452 {
        let line = bot.read_line();
        let Ok(object) = serde_json::from_str::<Value>(&line) else { continue };
        if object["members"].is_array() {
            told.extend(names(&object["members"]));
        }
    }
    drop(crowd);
}

#[test]
fn so_many_from_one_address_behind_a_proxy_and_no_more() {
    let server = Server::with(&["--trusted-proxy", "127.0.0.1", "--max-per-ip", "5"]);
    let connect = |address: &str| {
        let mut client = server.http();
        client.send(format!(
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             X-Forwarded-For: {address}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ));
        let status = client.response_to("GET").status;
        (client, status)
    };
    let held: Vec<_> = (0..5).map(|_| connect("203.0.113.7")).collect();
    assert!(held.iter().all(|(_, status)| *status == 101));
    assert_eq!(connect("203.0.113.7").1, 429);
    assert_eq!(connect("203.0.113.8").1, 101, "another address is another's");
    drop(held);
    eventually("those who are gone count no more", || (connect("203.0.113.7").1 == 101).then_some(()));
}

// ---- what is done with messages after they were said

/// A room with two members, and what ana has said in it: the id.
fn talk(server: &Server) -> (WebSocketClient, WebSocketClient, String, u64) {
    let (mut ana, room, _) = open_room(server, "ana");
    let mut ben = WebSocketClient::join(server, &room, "ben");
    let id = say(&mut ana, "helo")["id"].as_u64().expect("an id");
    ben.expect_where("helo", |message| message["text"] == "helo");
    (ana, ben, room, id)
}

#[test]
fn every_event_has_its_author_and_joined_tells_ones_own() {
    let server = Server::start();
    let (mut ana, room, joined) = open_room(&server, "ana");
    let author = joined["author"].as_u64().expect("a number");
    assert_eq!(joined["events"][0]["author"], author);
    ana.send(json!({"type": "nick", "name": "anna"}));
    assert_eq!(ana.expect("nick")["author"], author);
    assert_eq!(say(&mut ana, "hi")["author"], author);
    let (_, other) = join_as(&server, json!({"type": "join", "room": room, "name": "ben"}));
    assert_ne!(other["author"], author);
    ana.drop_connection();
    let back = json!({"type": "join", "room": room, "token": joined["token"]});
    assert_eq!(join_as(&server, back).1["author"], author);
}

#[test]
fn a_message_is_corrected() {
    let server = Server::start();
    let (mut ana, mut ben, room, id) = talk(&server);
    ana.send(json!({"type": "edit", "of": id, "text": "hello", "cid": "e1"}));
    let edit = ben.expect("edit");
    let seen = (&edit["id"], &edit["name"], &edit["of"], &edit["text"]);
    assert_eq!(seen, (&json!(id + 1), &json!("ana"), &json!(id), &json!("hello")));
    assert_eq!(ana.expect("edit")["cid"], "e1", "that is the acknowledgement");
    ana.send(json!({"type": "edit", "of": id, "text": "hello", "cid": "e1"}));
    assert_eq!(ana.expect("ok"), json!({"type": "ok", "cid": "e1", "id": id + 1}));

    let (_, joined) = join_as(&server, json!({"type": "join", "room": room, "name": "cat"}));
    assert_eq!(texts(&joined["events"]), ["hello", "hello"]);
    let message = joined["events"].as_array().and_then(|events| events.iter().find(|event| event["id"] == id));
    assert_eq!(message.expect("it is there")["edited"], true);
    let (_, since) = join_as(&server, json!({"type": "join", "room": room, "name": "dan", "since": id}));
    assert_eq!((&since["events"][0]["type"], &since["events"][0]["of"]), (&json!("edit"), &json!(id)));
}

#[test]
fn a_message_is_deleted() {
    let server = Server::start();
    let (mut ana, mut ben, room, id) = talk(&server);
    ana.send(json!({"type": "edit", "of": id, "text": "hello"}));
    ana.send(json!({"type": "delete", "of": id}));
    let deletion = ben.expect("delete");
    ana.expect("delete");
    assert_eq!((&deletion["of"], &deletion["name"], &deletion["by"]), (&json!(id), &json!("ana"), &Value::Null));
    let events = server.get(&format!("/api/v1/rooms/{room}/events")).json()["events"].clone();
    assert_eq!(texts(&events), ["", ""], "{events}");
    let message = events.as_array().and_then(|events| events.iter().find(|event| event["id"] == id));
    assert_eq!(message.expect("its place is kept")["deleted"], true);
    for refused in [
        json!({"type": "edit", "of": id, "text": "x", "cid": "a"}),
        json!({"type": "delete", "of": id, "cid": "a"}),
        json!({"type": "react", "of": id, "emoji": "👍", "on": true, "cid": "a"}),
    ] {
        ana.send(refused);
        assert_eq!(ana.expect_error("no_such_event")["cid"], "a");
    }
}

#[test]
fn who_did_not_say_it_changes_nothing() {
    let server = Server::start();
    let (_ana, mut ben, _, id) = talk(&server);
    for (request, code) in [
        (json!({"type": "edit", "of": id, "text": "x", "cid": "a"}), "not_yours"),
        (json!({"type": "delete", "of": id, "cid": "a"}), "not_yours"),
        (json!({"type": "edit", "of": id, "text": " ", "cid": "a"}), "text_empty"),
        (json!({"type": "edit", "of": id, "cid": "a"}), "bad_request"),
        (json!({"type": "edit", "text": "x", "cid": "a"}), "bad_request"),
        (json!({"type": "delete", "of": "x", "cid": "a"}), "bad_request"),
        (json!({"type": "delete", "of": 999, "cid": "a"}), "no_such_event"),
        (json!({"type": "delete", "of": 1, "cid": "a"}), "no_such_event"),
        (json!({"type": "react", "of": id, "emoji": "no", "cid": "a"}), "bad_request"),
        (json!({"type": "react", "of": id, "cid": "a"}), "bad_request"),
        (json!({"type": "message", "text": "x", "reply_to": 999, "cid": "a"}), "no_such_event"),
    ] {
        ben.send(request.clone());
        assert_eq!(ben.expect_error(code)["cid"], "a", "{request}");
    }
}

#[test]
fn members_react_to_a_message() {
    let server = Server::start();
    let (mut ana, mut ben, room, id) = talk(&server);
    for (on, emoji) in [(true, "👍"), (true, "👍"), (true, "🎉"), (false, "🎉"), (false, "🎉")] {
        ben.send(json!({"type": "react", "of": id, "emoji": emoji, "on": on}));
    }
    ana.send(json!({"type": "react", "of": id, "emoji": "👍", "on": true}));
    let reactions: Vec<Value> = (0..4).map(|_| ana.expect("reaction")).collect();
    let told = |event: &Value| format!("{}{}{}", event["name"], event["emoji"], event["on"]).replace('"', "");
    let told: Vec<String> = reactions.iter().map(told).collect();
    let of_ben: Vec<&String> = told.iter().filter(|told| told.starts_with("ben")).collect();
    assert_eq!(of_ben, ["ben👍true", "ben🎉true", "ben🎉false"]);
    assert!(told.contains(&"ana👍true".to_owned()) && reactions.iter().all(|event| event["of"] == id));
    let events = server.get(&format!("/api/v1/rooms/{room}/events?since={}&limit=1", id - 1)).json();
    let mut names = names_of(&events["events"][0]["reactions"][0]);
    names.sort_unstable();
    assert_eq!((names, &events["events"][0]["reactions"][1]), (vec!["ana", "ben"], &Value::Null), "{events}");
}

fn names_of(reactions: &Value) -> Vec<&str> {
    let names = reactions["names"].as_array().expect("a list of names");
    names.iter().map(|name| name.as_str().expect("a name")).collect()
}

#[test]
fn a_message_replies_to_another() {
    let server = Server::start();
    let (mut ana, mut ben, room, id) = talk(&server);
    ben.send(json!({"type": "message", "text": "hi", "reply_to": id}));
    let reply = ana.expect_where("the reply", |message| message["text"] == "hi");
    assert_eq!(reply["reply_to"], id);
    let events = server.get(&format!("/api/v1/rooms/{room}/events?since={id}")).json();
    assert_eq!(events["events"][0]["reply_to"], id);
    assert!(!events.to_string().contains("quote"), "{events}");
}

#[test]
fn corrections_count_against_the_rate() {
    let server = Server::with(&["--rate", "1"]);
    let (mut ana, _, _) = open_room(&server, "ana");
    let id = say(&mut ana, "hi")["id"].clone();
    for number in 0..4 {
        ana.send(json!({"type": "edit", "of": id, "text": number.to_string(), "cid": number.to_string()}));
    }
    let refusal = ana.expect_where("a refusal", |message| message["type"] == "error");
    assert_eq!((&refusal["code"], &refusal["cid"]), (&json!("rate_limited"), &json!("2")));
}
