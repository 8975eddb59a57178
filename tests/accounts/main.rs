//! Claimed names, through the real program: by WebSockets, terminals, the form, the command line and the data file.
#![cfg(feature = "accounts")]

mod form;
mod keyed;
#[cfg(feature = "sqlite")]
mod stored;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod web_socket;

use serde_json::{Value, json};
use support::{Server, WebSocketClient};

const PASSWORD: &str = "correct horse";
const OTHER_PASSWORD: &str = "battery staple";

/// A member that has claimed its name, and what it was told when it joined.
fn register(server: &Server, room: &str, name: &str) -> (WebSocketClient, Value) {
    let (mut client, joined) = join(server, json!({"type": "join", "room": room, "name": name}));
    client.send(json!({"type": "register", "password": PASSWORD}));
    assert_eq!(client.expect("ok")["account"], name);
    (client, joined)
}

/// A member, and what it was told.
fn join(server: &Server, join: Value) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(join);
    let joined = client.expect("joined");
    (client, joined)
}

/// The code and the words with which a join is refused.
fn refused(server: &Server, join: Value) -> Value {
    let mut client = WebSocketClient::connect(server);
    client.send(join);
    client.expect_where("an error", |message| message["type"] == "error")
}

/// Who is listed with an account.
fn with_account(joined: &Value) -> Vec<&str> {
    let members = joined["members"].as_array().expect("a list");
    let named = members.iter().filter(|member| member["account"] == true);
    named.map(|member| member["name"].as_str().expect("a name")).collect()
}
