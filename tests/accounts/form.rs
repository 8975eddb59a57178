//! By the home page's form, and behind a proxy that knows who it is.

use serde_json::json;

use super::support::{Server, WebSocketClient};
use super::{OTHER_PASSWORD, PASSWORD, register, with_account};

const PASSWORD_FIELD: &str = "name=\"password\" type=\"password\"";

#[test]
fn the_form_asks_for_a_password_where_the_name_needs_one() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let _ana = register(&server, &here, "ana");
    assert!(!server.get("/").text().contains(PASSWORD_FIELD));

    let asked = server.post_form(&[("name", "Ana"), ("code", &elsewhere), ("join", "1")]);
    assert_eq!(asked.status, 401);
    let page = asked.text();
    assert!(page.contains(PASSWORD_FIELD) && page.contains("autocomplete=\"current-password\""), "{page}");
    assert!(page.contains("value=\"Ana\"") && page.contains(&format!("value=\"{elsewhere}\"")), "{page}");
    assert!(asked.header("WWW-Authenticate").is_some() && asked.header("Set-Cookie").is_none());

    let wrong = [("name", "Ana"), ("code", &elsewhere), ("password", OTHER_PASSWORD), ("join", "1")];
    let refused = server.post_form(&wrong);
    let page = refused.text();
    assert_eq!(refused.status, 401);
    assert!(page.contains(PASSWORD_FIELD) && page.contains("role=\"alert\""), "{page}");
    assert!(!page.contains(OTHER_PASSWORD), "it is not repeated");

    let right = server.post_form(&[("name", "Ana"), ("code", &elsewhere), ("password", PASSWORD), ("join", "1")]);
    assert_eq!((right.status, right.expect_header("Location")), (303, &*format!("/{elsewhere}")));
    let headers = [("Cookie", &*right.cookie())];
    let (mut page, _) = WebSocketClient::connect_with(&server, "/ws", &headers).expect("a WebSocket");
    page.send(json!({"type": "join", "room": elsewhere}));
    let joined = page.expect("joined");
    assert_eq!((&joined["name"], with_account(&joined)), (&json!("Ana"), vec!["Ana"]));
}

#[test]
fn what_one_request_has_shown_holds_for_no_other_of_the_connection() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let _ana = register(&server, &here, "ana");
    let mut connection = server.http();
    let right = [("name", "ana"), ("code", &elsewhere), ("password", PASSWORD)];
    assert_eq!(connection.post_form("/", &right, &[]).status, 303);
    assert_eq!(connection.post_form("/", &[("name", "ana"), ("code", &here)], &[]).status, 401);
}

#[test]
fn a_session_that_is_over_sees_the_home_page() {
    let server = Server::start();
    let (here, elsewhere) = (server.create_room(), server.create_room());
    let (mut ana, _) = register(&server, &here, "ana");
    let right = server.post_form(&[("name", "ana"), ("code", &elsewhere), ("password", PASSWORD)]);
    let cookie = right.cookie();
    let page = || server.get_with(&format!("/{elsewhere}"), &[("Cookie", &cookie)]).text();
    assert!(!page().contains("id=\"join\""), "the room's page");
    ana.send(json!({"type": "password", "password": PASSWORD, "new": OTHER_PASSWORD}));
    ana.expect("ok");
    assert!(page().contains("id=\"join\""), "the home page");
}

#[test]
fn too_many_wrong_passwords_are_told_with_a_time() {
    let server = Server::start();
    let room = server.create_room();
    let wrong = [("name", "nobody"), ("code", &*room), ("password", OTHER_PASSWORD)];
    for _ in 0..5 {
        assert_eq!(server.post_form(&wrong).status, 401);
    }
    let refused = server.post_form(&wrong);
    assert_eq!(refused.status, 429);
    assert!(refused.header("Retry-After").is_some() && refused.text().contains(PASSWORD_FIELD));
}

const PROXIED: [&str; 4] = ["--trusted-proxy", "127.0.0.1", "--auth-header", "Remote-User"];

#[test]
fn a_trusted_proxy_vouches_for_a_name_that_others_do_not_have_then() {
    let server = Server::with(&PROXIED);
    let room = server.create_room();
    let vouched = [("Remote-User", "ana")];
    let home = server.get_with("/", &vouched).text();
    assert!(home.contains("value=\"ana\""), "{home}");
    let admitted = server.http().post_form("/", &[("name", "somebody else"), ("code", &room)], &vouched);
    assert_eq!(admitted.status, 303, "{}", admitted.text());
    let headers = [("Cookie", &*admitted.cookie()), ("Remote-User", "ana")];
    let (mut page, _) = WebSocketClient::connect_with(&server, "/ws", &headers).expect("a WebSocket");
    page.send(json!({"type": "join", "room": room}));
    let joined = page.expect("joined");
    assert_eq!((&joined["name"], with_account(&joined)), (&json!("ana"), vec!["ana"]));
    // Without the form, at first sight.
    let (mut ben, _) = WebSocketClient::connect_with(&server, "/ws", &[("Remote-User", "ben")]).expect("a WebSocket");
    ben.send(json!({"type": "join", "room": room, "name": "x"}));
    assert_eq!(ben.expect("joined")["name"], "ben");
    // Who comes without it has no password to show.
    let stranger = server.post_form(&[("name", "ana"), ("code", &room), ("password", PASSWORD)]);
    assert_eq!(stranger.status, 401);
}

#[test]
fn nobody_vouches_for_himself() {
    let server = Server::with(&["--trusted-proxy", "10.0.0.0/8", "--auth-header", "Remote-User"]);
    let room = server.create_room();
    let _ana = register(&server, &room, "ana");
    let forged = server.http().post_form("/", &[("name", "ana"), ("code", &room)], &[("Remote-User", "ana")]);
    assert_eq!(forged.status, 401);
    let (mut forged, _) =
        WebSocketClient::connect_with(&server, "/ws", &[("Remote-User", "ana")]).expect("a WebSocket");
    forged.send(json!({"type": "join", "room": room, "name": "ana"}));
    forged.expect_error("password_required");
}
