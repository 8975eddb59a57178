//! Redis is away, slow, full or takes nothing: whoever says something is told in time, reading goes on, and when it is
//! back nothing is lost and nothing is said twice.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::nodes::{Nodes, all_texts, join, say, ways_to};
use super::redis::{Clustered, Redis};
use super::support::{Terminal, WebSocketClient, eventually};

/// Within this time whoever says something is told that it is not said, and a busy machine takes a little longer.
const REFUSED_WITHIN: Duration = Duration::from_millis(5_000 + 1_500);

/// Says what cannot be said now: it is told within its time, with its id.
fn say_in_vain(client: &mut WebSocketClient, text: &str, cid: &str) {
    let asked = Instant::now();
    client.send(json!({"type": "message", "text": text, "cid": cid}));
    let refusal = client.expect_where("a refusal", |message| message["type"] == "error");
    assert_eq!((&refusal["code"], &refusal["cid"]), (&json!("storage_failed"), &json!(cid)), "{refusal}");
    assert!(asked.elapsed() < REFUSED_WITHIN, "told after {:?}", asked.elapsed());
}

/// As a page says it: again and again, under one id, until it is said.
fn say_at_last(client: &mut WebSocketClient, text: &str, cid: &str) -> u64 {
    let said = |message: &Value| {
        let is_said = message["type"] == "message" || message["type"] == "ok";
        if is_said && message["cid"] == cid { message["id"].as_u64() } else { None }
    };
    eventually(&format!("{text:?} is said"), || {
        client.send(json!({"type": "message", "text": text, "cid": cid}));
        let answer = client.expect_where("an answer", |message| said(message).is_some() || message["type"] == "error");
        assert!(said(&answer).is_some() || answer["code"] == "storage_failed", "{answer}");
        said(&answer)
    })
}

fn status_of(nodes: &Nodes, node: usize, path: &str) -> u16 {
    nodes[node].get(path).status
}

/// Redis goes away in this way, and comes back.
fn goes_away_and_comes_back(leave: fn(&mut Redis), come_back: fn(&mut Redis)) {
    let mut redis = Redis::start();
    let nodes = Nodes::with(2, &redis.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    let mut carl = Terminal::join(&nodes[1], &room, "carl");
    let before = say(&mut ana, "before", "a1");
    ben.expect_where("before", |message| message["text"] == "before");

    leave(&mut redis);
    let mut eve = WebSocketClient::connect(&nodes[0]);
    eve.send(json!({"type": "join", "room": room, "name": "eve"}));
    carl.send_line("from a terminal");
    std::thread::scope(|scope| {
        scope.spawn(|| say_in_vain(&mut ana, "from ana", "a2"));
        scope.spawn(|| say_in_vain(&mut ben, "from ben", "b1"));
    });
    carl.expect_line_where("a refusal", |line| line.starts_with("! "));
    // Nobody comes in for the first time; what is there is read.
    let refusal = eve.expect_where("a refusal", |message| message["type"] == "error");
    assert_eq!(refusal["code"], "storage_failed", "{refusal}");
    ana.send(json!({"type": "history"}));
    let events = ana.expect("history")["events"].clone();
    assert_eq!(events.as_array().and_then(|events| events.last()).map(|event| &event["text"]), Some(&json!("before")));
    for node in 0..2 {
        assert_eq!(all_texts(&nodes[node], &room), ["before"]);
        assert_eq!(status_of(&nodes, node, &format!("/api/v1/rooms/{room}")), 200);
        assert_eq!(status_of(&nodes, node, "/healthz"), 200, "nobody is to restart it");
        eventually("nobody is sent to it", || (status_of(&nodes, node, "/readyz") == 503).then_some(()));
    }

    come_back(&mut redis);
    let ids = [
        say_at_last(&mut ana, "from ana", "a2"),
        say_at_last(&mut ben, "from ben", "b1"),
        say_at_last(&mut ana, "after", "a3"),
    ];
    assert!(ids.iter().all(|id| *id > before));
    let mut texts = all_texts(&nodes[0], &room);
    texts.retain(|text| text != "from a terminal");
    texts.sort_unstable();
    assert_eq!(texts, ["after", "before", "from ana", "from ben"], "nothing is lost, and nothing is said twice");
    for node in 0..2 {
        eventually("it is ready", || (status_of(&nodes, node, "/readyz") == 200).then_some(()));
        assert_eq!(all_texts(&nodes[0], &room), all_texts(&nodes[node], &room));
    }
    // Where Redis has taken what eve asked for, her name is held for her as long as anybody's is.
    let (_, told) = join(&nodes[1], json!({"type": "join", "room": room, "name": "fay"}));
    assert_eq!(told["epoch"], joined["epoch"]);
    let events = ben.messages_so_far();
    assert!(events.iter().all(|event| event["type"] != "part"), "nobody left: {events:?}");
    for node in 0..2 {
        eventually("nothing more is to be read", || {
            nodes[node].get("/metrics").text().contains("\nsnugd_cluster_lag_seconds 0\n").then_some(())
        });
    }
}

#[test]
fn redis_stands_still() {
    goes_away_and_comes_back(Redis::pause, Redis::go_on);
}

#[test]
fn redis_is_killed_and_started_again() {
    goes_away_and_comes_back(Redis::crash, Redis::run_again);
}

#[test]
fn one_node_is_cut_off() {
    let redis = Redis::start();
    let ways = ways_to(&redis, 2);
    let nodes = Nodes::behind(&ways, &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    say(&mut ana, "before", "a1");
    // What is on its way is late, and nobody is told anything else.
    ways[0].set_held(true);
    ana.send(json!({"type": "message", "text": "late", "cid": "a2"}));
    say(&mut ben, "meanwhile", "b1");
    ways[0].set_held(false);
    assert_eq!(ana.expect_where("late", |message| message["cid"] == "a2")["type"], "message");
    ways[0].set_delay(Duration::from_millis(30));
    say(&mut ana, "over a slow network", "a3");
    ways[0].set_delay(Duration::ZERO);
    // Cut off, she is told after a while, and comes in at the other node.
    ways[0].set_offline(true);
    say_in_vain(&mut ana, "again", "a4");
    let back = json!({"type": "join", "room": room, "token": joined["token"], "epoch": joined["epoch"], "since": 3});
    let (mut there, told) = join(&nodes[1], back);
    assert_eq!((&told["name"], &told["gap"]), (&json!("ana"), &json!(false)));
    say_at_last(&mut there, "again", "a4");
    ways[0].set_offline(false);
    // Its node learns that she is elsewhere.
    ana.expect_close(4001);
    let texts = ["before", "meanwhile", "late", "over a slow network", "again"];
    eventually("both have all", || {
        let all = [0, 1].map(|node| all_texts(&nodes[node], &room));
        let has_all = |all: &Vec<String>| {
            let mut all = all.clone();
            all.sort_unstable();
            let mut texts = texts.to_vec();
            texts.sort_unstable();
            all == texts
        };
        all.iter().all(has_all).then(|| assert_eq!(all[0], all[1]))
    });
}

#[test]
fn a_full_redis_takes_nothing_more_and_loses_nothing() {
    let redis = Redis::with(&["--maxmemory-policy", "noeviction"]);
    let nodes = Nodes::start(2, &redis.url());
    let room = nodes[0].create_room();
    let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    say(&mut ana, "before", "a1");
    redis.configure("maxmemory", "1mb");
    say_in_vain(&mut ana, "too much", "a2");
    say_in_vain(&mut ben, "too much as well", "b1");
    ben.send(json!({"type": "nick", "name": "benjamin"}));
    assert_eq!(all_texts(&nodes[1], &room), ["before"]);
    redis.configure("maxmemory", "0");
    say_at_last(&mut ana, "too much", "a2");
    say_at_last(&mut ben, "too much as well", "b1");
    for node in 0..2 {
        eventually("all is there", || {
            (all_texts(&nodes[node], &room) == ["before", "too much", "too much as well"]).then_some(())
        });
    }
}

#[test]
fn a_redis_that_becomes_a_replica_takes_nothing_until_it_is_none() {
    let (redis, other) = (Redis::start(), Redis::start());
    let nodes = Nodes::start(2, &redis.url());
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    say(&mut ana, "before", "a1");
    // It copies another one, which copies it first: so nothing is lost.
    other.ask(&["REPLICAOF", "127.0.0.1", &redis.port.to_string()]);
    redis.wait_for_replica();
    other.ask(&["REPLICAOF", "NO", "ONE"]);
    redis.ask(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    say_in_vain(&mut ana, "again", "a2");
    assert_eq!(all_texts(&nodes[1], &room), ["before"]);
    redis.ask(&["REPLICAOF", "NO", "ONE"]);
    say_at_last(&mut ana, "again", "a2");
    eventually("the other node has it", || (all_texts(&nodes[1], &room) == ["before", "again"]).then_some(()));
    let (_, told) = join(&nodes[1], json!({"type": "join", "room": room, "name": "ben"}));
    assert_eq!(told["epoch"], joined["epoch"], "nothing was lost");
}

#[test]
fn a_redis_cluster_gives_the_log_to_another_of_its_servers() {
    let servers = Clustered::start();
    // One node is told where the log is, and the other is sent there.
    let nodes = Nodes::at(vec![servers.first.url(), servers.second.url()], &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    say(&mut ana, "before", "a1");
    ben.expect_where("before", |message| message["text"] == "before");
    servers.begin_to_move();
    let to = json!({"type": "moderate", "action": "topic", "value": "moving"});
    ana.send(to.clone());
    assert_eq!(ana.expect("error")["code"], "storage_failed");
    std::thread::scope(|scope| {
        scope.spawn(|| say_in_vain(&mut ana, "from ana", "a2"));
        scope.spawn(|| say_in_vain(&mut ben, "from ben", "b1"));
    });
    assert_eq!(all_texts(&nodes[1], &room), ["before"]);
    servers.end_moving();
    say_at_last(&mut ana, "from ana", "a2");
    say_at_last(&mut ben, "from ben", "b1");
    ana.send(to);
    ben.expect_where("the topic", |message| message["type"] == "topic");
    for node in 0..2 {
        eventually("all is there, once", || {
            (all_texts(&nodes[node], &room) == ["before", "from ana", "from ben"]).then_some(())
        });
        let (_, told) = join(&nodes[node], json!({"type": "join", "room": room, "name": format!("carl {node}")}));
        assert_eq!(told["epoch"], joined["epoch"], "nothing was lost");
    }
    // Whatever was tried meanwhile, each change is in the log once.
    let told = servers.second.ask(&["XRANGE", "{snugd}:log", "-", "+"]);
    let names = told.lines().filter_map(|line| line.split_once(' ').map(|(by, _)| by));
    let is_name = |by: &&str| by.chars().all(|character| character.is_ascii_digit() || character == '-');
    let mut proposals: Vec<&str> = names.filter(is_name).filter(|by| !by.ends_with("-0")).collect();
    let count = proposals.len();
    proposals.sort_unstable();
    proposals.dedup();
    assert!(count > 5 && proposals.len() == count, "{told}");
}
