//! From a WebSocket.

use serde_json::json;

use super::support::{Server, WebSocketClient};
use super::{OTHER_PASSWORD, PASSWORD, join, refused, register, with_account};

const SESSION_ENDED: u16 = 4001;

#[test]
fn a_claimed_name_and_its_look_alikes_need_the_password_in_every_room() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let _ana = register(&server, &here, "ana");
    for (room, name) in [(&here, "ana"), (&elsewhere, "ana"), (&elsewhere, "ANA"), (&elsewhere, "аna")] {
        let error = refused(&server, json!({"type": "join", "room": room, "name": name}));
        assert_eq!(error["code"], "password_required", "{name}: {error}");
    }
    let wrong = json!({"type": "join", "room": elsewhere, "name": "ana", "password": OTHER_PASSWORD});
    assert_eq!(refused(&server, wrong)["code"], "password_wrong");
    let unknown = json!({"type": "join", "room": elsewhere, "name": "nobody", "password": PASSWORD});
    assert_eq!(refused(&server, unknown)["code"], "password_wrong", "nobody has this account");

    let right = json!({"type": "join", "room": elsewhere, "name": "Ana", "password": PASSWORD});
    let (_, joined) = join(&server, right);
    assert_eq!(with_account(&joined), ["Ana"]);
    let (mut ben, joined) = join(&server, json!({"type": "join", "room": here, "name": "ben"}));
    assert_eq!(with_account(&joined), ["ana"]);
    ben.send(json!({"type": "nick", "name": "ana"}));
    ben.expect_error("password_required");
    ben.send(json!({"type": "register", "name": "aNa", "password": OTHER_PASSWORD}));
    ben.expect_error("name_taken");
}

#[test]
fn who_bears_a_name_that_is_claimed_is_renamed_and_told() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let (mut stranger, told) = join(&server, json!({"type": "join", "room": elsewhere, "name": "ana"}));
    let mut other = WebSocketClient::join(&server, &elsewhere, "ana_1");
    let (_ana, _) = register(&server, &here, "ana");
    let renamed = stranger.expect("nick");
    assert_eq!((&renamed["name"], &renamed["to"]), (&json!("ana"), &json!("ana_2")));
    let notice = stranger.expect_where("a word about it", |message| message["type"] == "error");
    assert_eq!(notice["code"], "name_taken", "{notice}");
    assert!(notice["message"].as_str().is_some_and(|words| words.contains("ana_2")), "{notice}");
    assert_eq!(other.expect("nick")["to"], "ana_2");
    // It is still the same member, and comes back as it.
    stranger.say("here I am");
    assert_eq!(stranger.expect("message")["name"], "ana_2");
    stranger.drop_connection();
    let (_, joined) = join(&server, json!({"type": "join", "room": elsewhere, "token": told["token"]}));
    assert_eq!(joined["name"], "ana_2");
}

#[test]
fn a_token_comes_back_without_the_password_until_that_is_changed_elsewhere() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let (mut ana, told) = register(&server, &here, "ana");
    let mut witness = WebSocketClient::join(&server, &elsewhere, "ben");
    let there = json!({"type": "join", "room": elsewhere, "name": "ana", "password": PASSWORD});
    let (phone, told_there) = join(&server, there);
    phone.drop_connection();
    let back = json!({"type": "join", "room": elsewhere, "token": told_there["token"]});
    let (mut phone, joined) = join(&server, back.clone());
    assert_eq!((&joined["name"], with_account(&joined)), (&json!("ana"), vec!["ana"]));

    ana.send(json!({"type": "password", "password": OTHER_PASSWORD, "new": "something else"}));
    ana.expect_error("password_wrong");
    ana.send(json!({"type": "password", "password": PASSWORD, "new": "short"}));
    ana.expect_error("bad_request");
    ana.send(json!({"type": "password", "password": PASSWORD, "new": OTHER_PASSWORD}));
    ana.expect("ok");
    phone.expect_close(SESSION_ENDED);
    assert_eq!(witness.expect("part")["name"], "ana");
    assert_eq!(refused(&server, back.clone())["code"], "password_required");
    let old = json!({"type": "join", "room": elsewhere, "token": told_there["token"], "password": PASSWORD});
    assert_eq!(refused(&server, old)["code"], "password_wrong");
    let new = json!({"type": "join", "room": elsewhere, "token": told_there["token"], "password": OTHER_PASSWORD});
    assert_eq!(join(&server, new).1["name"], "ana");
    // Whoever has changed it goes on, and comes back.
    ana.say("still here");
    ana.expect("message");
    ana.drop_connection();
    let (_, joined) = join(&server, json!({"type": "join", "room": here, "token": told["token"]}));
    assert_eq!(joined["name"], "ana");
}

#[test]
fn the_password_takes_a_member_over_from_another_device() {
    let server = Server::start();
    let room = server.create_room();
    let (mut laptop, told) = register(&server, &room, "ana");
    let (phone, joined) = join(&server, json!({"type": "join", "room": room, "name": "ana", "password": PASSWORD}));
    laptop.expect_close(SESSION_ENDED);
    assert_eq!((&joined["name"], &joined["count"]), (&json!("ana"), &json!(1)));
    phone.drop_connection();
    let (mut phone, joined) = join(&server, json!({"type": "join", "room": room, "token": joined["token"]}));
    assert_eq!(with_account(&joined), ["ana"]);
    let error = refused(&server, json!({"type": "join", "room": room, "name": "ana", "token": told["token"]}));
    assert_eq!(error["code"], "password_required", "the secret before is nobody's");
    let events = phone.messages_so_far();
    assert!(events.iter().all(|event| event["type"] != "enter" && event["type"] != "part"), "{events:?}");
}

#[test]
fn a_name_that_is_given_up_is_anybodys() {
    let server = Server::start();
    let room = server.create_room();
    let (mut ana, _) = register(&server, &room, "ana");
    ana.send(json!({"type": "unregister", "password": OTHER_PASSWORD}));
    ana.expect_error("password_wrong");
    ana.send(json!({"type": "unregister", "password": PASSWORD}));
    assert_eq!(ana.expect("ok").get("account"), None);
    ana.send(json!({"type": "nick", "name": "anita"}));
    ana.expect("nick");
    let (mut other, joined) = join(&server, json!({"type": "join", "room": room, "name": "ana"}));
    assert!(with_account(&joined).is_empty());
    other.send(json!({"type": "register", "password": OTHER_PASSWORD}));
    other.expect("ok");
    ana.send(json!({"type": "unregister", "password": PASSWORD}));
    let error = ana.expect_where("an error", |message| message["type"] == "error");
    assert_eq!(error["code"], "bad_request", "it has none any more: {error}");
}

#[test]
fn a_login_gives_the_name_back() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let (ana, _) = register(&server, &here, "ana");
    drop(ana);
    let mut guest = WebSocketClient::join(&server, &elsewhere, "guest");
    guest.send(json!({"type": "login", "name": "ana", "password": OTHER_PASSWORD}));
    guest.expect_error("password_wrong");
    guest.send(json!({"type": "login", "name": "ana", "password": PASSWORD}));
    assert_eq!(guest.expect("ok")["account"], "ana");
    assert_eq!(guest.expect("nick")["to"], "ana");
    // From here on it may come and go by that name.
    guest.send(json!({"type": "nick", "name": "guest"}));
    guest.expect("nick");
    guest.send(json!({"type": "nick", "name": "ANA"}));
    assert_eq!(guest.expect("nick")["to"], "ANA");
}

#[test]
fn five_wrong_passwords_a_minute_and_no_more() {
    let server = Server::start();
    let room = server.create_room();
    let _ana = register(&server, &room, "ana");
    let wrong = json!({"type": "login", "name": "ana", "password": OTHER_PASSWORD});
    let mut guest = WebSocketClient::connect(&server);
    for _ in 0..5 {
        guest.send(wrong.clone());
        guest.expect_error("password_wrong");
    }
    guest.send(json!({"type": "login", "name": "ana", "password": PASSWORD}));
    let error = guest.expect_error("rate_limited");
    assert!(error["retry_ms"].as_u64().is_some_and(|retry_ms| retry_ms > 0), "{error}");
    assert!(!error["message"].as_str().expect("words").contains(PASSWORD));
}

#[test]
fn right_passwords_count_for_nothing() {
    let server = Server::start();
    let room = server.create_room();
    let (mut ana, _) = register(&server, &room, "ana");
    for _ in 0..8 {
        ana.send(json!({"type": "login", "password": PASSWORD}));
        ana.expect("ok");
    }
}

#[test]
fn where_accounts_are_closed_nobody_claims_a_name() {
    let server = Server::with(&["--accounts", "closed"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    ana.send(json!({"type": "register", "password": PASSWORD}));
    let error = ana.expect_error("bad_request");
    assert!(error["message"].as_str().expect("words").contains("run this server"), "{error}");
}

#[test]
fn where_accounts_are_required_nobody_comes_or_looks_in_without() {
    let server = Server::with(&["--accounts", "required"]);
    let join = json!({"type": "join", "room": "KXQT", "name": "ana", "create": true});
    assert_eq!(refused(&server, join)["code"], "password_required");
    let response = server.http().request("POST", "/api/v1/rooms", &[], b"");
    assert_eq!((response.status, response.json()["error"]["code"].as_str()), (401, Some("password_required")));
}
