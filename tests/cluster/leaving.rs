//! Nodes that are killed, stand still or end, and the people on them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::nodes::{Nodes, all_events, join, say};
use super::redis::Redis;
use super::support::{Terminal, WebSocketClient, eventually};

/// A node that has not been heard of for so long is given up.
const LEASE: Duration = Duration::from_secs(6);

/// Who parted, as often as it is told in the room.
fn partings(nodes: &Nodes, node: usize, room: &str) -> Vec<Value> {
    let events = all_events(&nodes[node], room);
    events.iter().filter(|event| event["type"] == "part").map(|event| event["name"].clone()).collect()
}

#[test]
fn whoever_was_on_a_node_that_is_killed_comes_back_on_another_and_nobody_notices() {
    let redis = Redis::start();
    let mut nodes = Nodes::with(2, &redis.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let mut ben = WebSocketClient::join(&nodes[0], &room, "ben");
    let (mut ana, joined) = join(&nodes[1], json!({"type": "join", "room": room, "name": "ana"}));
    let last = say(&mut ana, "before", "c1");
    nodes.crash(1);
    let missed = say(&mut ben, "meanwhile", "b1");
    let back = json!({"type": "join", "room": room, "token": joined["token"], "since": last, "epoch": joined["epoch"]});
    let (mut ana, told) = join(&nodes[0], back);
    assert_eq!((&told["name"], &told["gap"], &told["count"]), (&json!("ana"), &json!(false), &json!(2)));
    let events: Vec<_> = told["events"].as_array().expect("events").iter().map(|event| event["id"].as_u64()).collect();
    assert_eq!(events, [Some(missed)], "what she missed, and nothing else: {told}");
    say(&mut ana, "after", "c2");
    // She stays, when the node is given up that she was on.
    nodes.wait_until_known(0, 1);
    nodes.start_again(1);
    say(&mut ana, "still here", "c3");
    assert!(partings(&nodes, 0, &room).is_empty() && partings(&nodes, 1, &room).is_empty());
}

#[test]
fn whoever_does_not_come_back_has_parted_once() {
    let redis = Redis::start();
    let mut nodes = Nodes::start(4, &redis.url());
    let room = nodes[0].create_room();
    let mut ben = WebSocketClient::join(&nodes[0], &room, "ben");
    let mut carl = Terminal::join(&nodes[1], &room, "carl");
    let _dora = WebSocketClient::join(&nodes[2], &room, "dora");
    let (_ana, joined) = join(&nodes[3], json!({"type": "join", "room": room, "name": "ana"}));
    let _eve = Terminal::join(&nodes[3], &room, "eve");
    nodes.crash(3);
    let mut parted = [ben.expect("part")["name"].clone(), ben.expect("part")["name"].clone()];
    parted.sort_by_key(Value::to_string);
    assert_eq!(parted, ["ana", "eve"]);
    carl.expect_line_where("ana left", |line| line.contains("ana left"));
    // Others look whether they have to say so themselves, a little later.
    let parted = Instant::now();
    eventually("others would have told", || (parted.elapsed() > Duration::from_secs(6)).then_some(()));
    for node in 0..3 {
        assert_eq!(partings(&nodes, node, &room).len(), 2, "once each");
    }
    // The name is free, and whoever has the token comes in anew.
    let (_, told) = join(&nodes[1], json!({"type": "join", "room": room, "token": joined["token"], "name": "ana"}));
    assert_eq!((&told["name"], &told["count"]), (&json!("ana"), &json!(4)));
    assert_eq!(ben.expect("enter")["name"], "ana");
}

#[test]
fn whoever_is_on_a_node_that_stood_still_is_there_again_when_it_goes_on() {
    let redis = Redis::start();
    let nodes = Nodes::with(2, &redis.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let mut ben = WebSocketClient::join(&nodes[0], &room, "ben");
    let mut ana = WebSocketClient::join(&nodes[1], &room, "ana");
    nodes[1].signal("STOP");
    ana.send(json!({"type": "message", "text": "into nothing", "cid": "c1"}));
    nodes.wait_until_known(0, 1);
    say(&mut ben, "meanwhile", "b1");
    nodes[1].signal("CONT");
    // What she said while nobody listened is said when somebody does.
    ben.expect_where("what ana said", |message| message["text"] == "into nothing");
    ana.expect_where("what she said", |message| message["text"] == "into nothing");
    say(&mut ana, "here I am", "c2");
    ben.expect_where("ana", |message| message["text"] == "here I am");
    assert_eq!(all_events(&nodes[0], &room), all_events(&nodes[1], &room));
    assert!(partings(&nodes, 0, &room).is_empty(), "the grace was not over");
}

#[test]
fn whoever_was_parted_while_its_node_stood_still_comes_in_again_by_itself() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url());
    let room = nodes[0].create_room();
    let mut ben = WebSocketClient::join(&nodes[0], &room, "ben");
    let (mut ana, joined) = join(&nodes[1], json!({"type": "join", "room": room, "name": "ana"}));
    nodes[1].signal("STOP");
    assert_eq!(ben.expect("part")["name"], "ana");
    nodes[1].signal("CONT");
    let close = ana.expect_any_close();
    assert!(!matches!(close, 4000..), "a page comes back by itself after this: {close}");
    let (_, told) = join(&nodes[1], json!({"type": "join", "room": room, "token": joined["token"], "name": "ana"}));
    assert_eq!(told["name"], "ana");
    assert_eq!(ben.expect("enter")["name"], "ana");
}

#[test]
fn a_node_that_ends_hands_its_members_over() {
    let redis = Redis::start();
    let mut nodes = Nodes::with(2, &redis.url(), &["--grace", "5s"]);
    let room = nodes[0].create_room();
    let mut ben = WebSocketClient::join(&nodes[0], &room, "ben");
    let (mut ana, joined) = join(&nodes[1], json!({"type": "join", "room": room, "name": "ana"}));
    let (mut eve, _) = join(&nodes[1], json!({"type": "join", "room": room, "name": "eve"}));
    nodes[1].signal("TERM");
    ana.expect_close(1001);
    eve.expect_close(1001);
    let (mut ana, told) = join(&nodes[0], json!({"type": "join", "room": room, "token": joined["token"]}));
    assert_eq!((&told["name"], &told["count"]), (&json!("ana"), &json!(3)));
    drop(eve);
    nodes.stop(1);
    // Nobody waits for a lease: eve has the grace from here on.
    let ended = Instant::now();
    assert_eq!(ben.expect("part")["name"], "eve");
    assert!(ended.elapsed() < Duration::from_secs(5) + LEASE, "{:?}", ended.elapsed());
    say(&mut ana, "still here", "c1");
    assert_eq!(partings(&nodes, 0, &room), ["eve"]);
}
