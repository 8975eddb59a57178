//! Who keeps order, who is kept out, whose a name is, and how often a code may be guessed: on all nodes the same.

use serde_json::{Value, json};

use super::nodes::{Nodes, join, refused, say};
use super::redis::Redis;
use super::support::{Server, Terminal, WebSocketClient, eventually};

const KICKED: u16 = 4003;

/// Nodes that believe what a proxy says about where somebody comes from.
const BEHIND_A_PROXY: [&str; 2] = ["--trusted-proxy", "127.0.0.1"];

fn join_from(server: &Server, address: &str, join: Value) -> (WebSocketClient, Value) {
    let connected = WebSocketClient::connect_with(server, "/ws", &[("X-Forwarded-For", address)]);
    let (mut client, _) = connected.expect("the handshake succeeds");
    client.send(join);
    let answer = client.expect_where("an answer", |message| message["type"] == "joined" || message["type"] == "error");
    (client, answer)
}

#[test]
fn who_is_banned_on_one_node_is_kept_out_by_all() {
    let redis = Redis::start();
    let nodes = Nodes::with(2, &redis.url(), &BEHIND_A_PROXY);
    let room = nodes[0].create_room();
    let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
    let (mut ben, joined) = join_from(&nodes[1], "192.0.2.7", json!({"type": "join", "room": room, "name": "ben"}));
    ana.expect("enter");
    ana.send(json!({"type": "moderate", "action": "ban", "name": "ben", "seconds": 600}));
    ben.expect_close(KICKED);
    ana.expect("kick");
    for node in 0..2 {
        let comes = [
            ("192.0.2.8", json!({"type": "join", "room": room, "name": "ben"})),
            ("192.0.2.8", json!({"type": "join", "room": room, "name": "carl", "token": joined["token"]})),
            ("192.0.2.7", json!({"type": "join", "room": room, "name": "carl"})),
        ];
        for (address, join) in comes {
            // Where it came from, its node alone knows; it tells the others.
            eventually("it is kept out", || {
                let (_client, answer) = join_from(&nodes[node], address, join.clone());
                (answer["code"] == "banned").then_some(())
            });
        }
    }
    assert_eq!(
        join_from(&nodes[1], "192.0.2.9", json!({"type": "join", "room": room, "name": "dora"})).1["type"],
        "joined"
    );
    ana.send(json!({"type": "moderate", "action": "unban", "name": "ben"}));
    ana.expect_where("the news", |message| message["change"] == "unban");
    // The other node is told a moment later.
    eventually("it is let in again", || {
        let (_client, answer) = join_from(&nodes[1], "192.0.2.7", json!({"type": "join", "room": room, "name": "ben"}));
        (answer["type"] == "joined").then_some(())
    });
}

#[test]
fn operators_keep_order_wherever_they_are() {
    let redis = Redis::start();
    let nodes = Nodes::with(2, &redis.url(), &["--grace", "0s"]);
    let room = nodes[0].create_room();
    let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    let mut carl = Terminal::join(&nodes[0], &room, "carl");
    ben.send(json!({"type": "moderate", "action": "lock"}));
    ben.expect_where("a refusal", |message| message["code"] == "not_operator");
    ana.send(json!({"type": "moderate", "action": "op", "name": "ben"}));
    ben.expect_where("the news", |message| message["change"] == "op");
    ben.send(json!({"type": "moderate", "action": "mute", "name": "carl", "seconds": 600}));
    ana.expect_where("the news", |message| message["change"] == "mute");
    carl.send_line("is anybody there?");
    carl.expect_line_where("a refusal", |line| line.starts_with("! "));
    ben.send(json!({"type": "moderate", "action": "key", "value": "sesame"}));
    ana.expect_where("the news", |message| message["change"] == "key");
    for node in 0..2 {
        let stranger = json!({"type": "join", "room": room, "name": "eve"});
        assert_eq!(refused(&nodes[node], stranger)["code"], "key_required");
    }
    // The last operator parts: who has been there longest takes its place, once, on whichever node.
    ana.send(json!({"type": "leave"}));
    ana.expect_close(1000);
    ben.send(json!({"type": "leave"}));
    ben.expect_close(1000);
    carl.expect_line_where("carl keeps order", |line| line.contains("carl") && line.contains("operator"));
    let (mut eve, joined) = join(&nodes[1], json!({"type": "join", "room": room, "name": "eve", "key": "sesame"}));
    let operators: Vec<&Value> =
        joined["members"].as_array().expect("members").iter().filter(|member| member["op"] == true).collect();
    assert_eq!(operators, [&json!({"name": "carl", "via": "line", "op": true})]);
    carl.expect_line_where("eve", |line| line.contains("eve"));
    carl.send_line("/kick eve out");
    eve.expect_close(KICKED);
}

#[cfg(feature = "accounts")]
#[test]
fn a_claimed_name_is_its_owners_on_all_nodes() {
    const PASSWORD: &str = "correct horse";
    let redis = Redis::start();
    let mut nodes = Nodes::start(2, &redis.url());
    let (here, there) = (nodes[0].create_room(), nodes[1].create_room());
    let (mut ana, _) = join(&nodes[0], json!({"type": "join", "room": here, "name": "ana"}));
    // She bears a name on the other node that is about to be claimed.
    let mut stranger = WebSocketClient::join(&nodes[1], &there, "ana");
    ana.send(json!({"type": "register", "password": PASSWORD}));
    assert_eq!(ana.expect("ok")["account"], "ana");
    assert_eq!(stranger.expect("nick")["to"], "ana_1");
    nodes.add(&redis.url());
    for node in 0..3 {
        let claimed = json!({"type": "join", "room": there, "name": "Ana"});
        assert_eq!(refused(&nodes[node], claimed)["code"], "password_required");
        let wrong = json!({"type": "join", "room": there, "name": "ana", "password": "battery staple"});
        assert_eq!(refused(&nodes[node], wrong)["code"], "password_wrong");
        let right = json!({"type": "join", "room": there, "name": "ana", "password": PASSWORD});
        assert_eq!(join(&nodes[node], right).1["members"][0]["account"], true);
    }
    // What is changed on one node ends what was begun on another with what was so before.
    let right = json!({"type": "join", "room": there, "name": "ana", "password": PASSWORD});
    let (mut phone, told) = join(&nodes[2], right);
    ana.send(json!({"type": "password", "password": PASSWORD, "new": "something else"}));
    ana.expect("ok");
    phone.expect_close(4001);
    let back = json!({"type": "join", "room": there, "token": told["token"]});
    assert_eq!(refused(&nodes[1], back)["code"], "password_required");
    // Admins are operators in every room.
    let (mut root, _) = join(&nodes[0], json!({"type": "join", "room": here, "name": "root"}));
    root.send(json!({"type": "register", "password": PASSWORD}));
    root.expect("ok");
    let ruled = Nodes::with(1, &redis.url(), &["--admin", "root"]);
    let (mut root, _) = join(&ruled[0], json!({"type": "join", "room": here, "name": "root", "password": PASSWORD}));
    say(&mut root, "order", "r1");
    root.send(json!({"type": "moderate", "action": "kick", "name": "ana"}));
    ana.expect_close(KICKED);
}

#[test]
fn codes_are_guessed_no_oftener_over_many_nodes() {
    let redis = Redis::start();
    let nodes = Nodes::with(3, &redis.url(), &["--join-rate", "6", "--create-rate", "3"]);
    let ask = |node: usize, path: &str| nodes[node].get(path).status;
    for guess in 0..6 {
        assert_eq!(ask(guess % 3, "/api/v1/rooms/BBBB"), 404, "guess {guess}");
    }
    // Nodes tell each other, which takes a moment: there are no more guesses than that.
    let mut more = 0;
    for node in 0..3 {
        eventually("it is too often", || {
            more += 1;
            (ask(node, "/api/v1/rooms/BBBB") == 429).then_some(())
        });
    }
    assert!(more <= 3 + 3, "{more} more guesses");
    let create = |node: usize| nodes[node].http().request("POST", "/api/v1/rooms", &[], b"").status;
    for number in 0..3 {
        assert_eq!(create(number), 201, "room {number}");
    }
    (0..3).for_each(|node| eventually("it is too often", || (create(node) == 429).then_some(())));
}
