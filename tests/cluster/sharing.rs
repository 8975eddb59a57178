//! People on different nodes are in one room.

use serde_json::{Value, json};

use super::nodes::{Nodes, all_events, all_texts, id_of, join, refused, say};
use super::redis::Redis;
use super::support::{Terminal, WebSocketClient};

/// By the same token, from elsewhere.
const TAKEN_OVER: u16 = 4001;

#[test]
fn a_page_and_a_terminal_on_two_nodes_talk_in_one_order() {
    for redis in Redis::of_every_kind() {
        let nodes = Nodes::start(2, &redis.url());
        let room = nodes[0].create_room();
        let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
        let mut ben = Terminal::join(&nodes[1], &room, "ben");
        let mut witness = WebSocketClient::join(&nodes[1], &room, "witness");
        assert_eq!(ana.expect("enter")["name"], "ben");
        assert_eq!(ana.expect("enter")["name"], "witness");
        ana.send(json!({"type": "typing"}));
        assert_eq!(witness.expect("typing")["name"], "ana");
        for number in 0..50 {
            ana.say(&format!("ana says {number}"));
            ben.send_line(&format!("ben says {number}"));
        }
        let hear = |client: &mut WebSocketClient| -> Vec<(u64, Value)> {
            let heard = (0..100).map(|_| client.expect("message"));
            heard.map(|message| (id_of(&message), message["text"].clone())).collect()
        };
        let heard = hear(&mut ana);
        assert_eq!(heard, hear(&mut witness), "one order");
        assert!(heard.is_sorted_by(|(one, _), (next, _)| one + 1 == *next), "without gaps: {heard:?}");
        for name in ["ana", "ben"] {
            let of_one =
                heard.iter().map(|(_, text)| text.as_str().expect("a text")).filter(|text| text.starts_with(name));
            let said: Vec<String> = (0..50).map(|number| format!("{name} says {number}")).collect();
            assert_eq!(of_one.collect::<Vec<_>>(), said, "each in the order in which it was said");
        }
        (0..50).for_each(|number| ben.expect_said(&format!("<ana> ana says {number}")));
        assert_eq!(all_events(&nodes[0], &room), all_events(&nodes[1], &room));
        ben.send_line("/quit");
        assert_eq!(ana.expect("part")["name"], "ben");
    }
}

#[test]
fn what_was_done_on_one_node_is_so_on_the_other_at_once() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url());
    let mut page = nodes[1].http();
    for number in 0..30 {
        let room = nodes[0].create_room();
        let answer = page.get(&format!("/api/v1/rooms/{room}"));
        assert_eq!(answer.status, 200, "the room {number} is there at once: {}", answer.text());
        let (mut ana, _) = join(&nodes[1], json!({"type": "join", "room": room, "name": "ana"}));
        let said = say(&mut ana, "here I am", "c1");
        // The page has come by the other node to what it has by this one.
        let (_, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ben"}));
        assert!(joined["last"].as_u64() > Some(said), "{joined}");
        assert_eq!((&joined["count"], &joined["members"][1]["name"]), (&json!(2), &json!("ana")));
    }
    assert_eq!(refused(&nodes[1], json!({"type": "join", "room": "KXQT", "name": "ana"}))["code"], "no_such_room");
}

#[test]
fn a_name_is_one_members_on_all_nodes() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url());
    let room = nodes[0].create_room();
    let _ana = WebSocketClient::join(&nodes[0], &room, "ana");
    for name in ["ana", "ANA", "аna"] {
        assert_eq!(refused(&nodes[1], json!({"type": "join", "room": room, "name": name}))["code"], "name_taken");
    }
    // At the same time it goes to one of them, and the other is told.
    for number in 0..30 {
        let join = json!({"type": "join", "room": room, "name": format!("new {number}")});
        let mut clients = [0, 1].map(|node| WebSocketClient::connect(&nodes[node]));
        clients.iter_mut().for_each(|client| client.send(join.clone()));
        let answers = clients.iter_mut().map(|client| {
            client.expect_where("an answer", |message| message["type"] == "joined" || message["type"] == "error")
        });
        let mut answers: Vec<Value> = answers
            .map(|answer| if answer["type"] == "joined" { json!("joined") } else { answer["code"].clone() })
            .collect();
        answers.sort_by_key(Value::to_string);
        assert_eq!(answers, [json!("joined"), json!("name_taken")]);
    }
}

#[test]
fn a_token_takes_its_member_over_from_another_node_without_a_noise() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url());
    let room = nodes[0].create_room();
    let mut witness = WebSocketClient::join(&nodes[0], &room, "witness");
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let token = joined["token"].clone();
    let said = say(&mut ana, "from the laptop", "c1");
    let back = json!({"type": "join", "room": room, "token": token, "since": said, "epoch": joined["epoch"]});
    let mut node = 0;
    for number in 2..12 {
        node = 1 - node;
        let (mut next, joined) = join(&nodes[node], back.clone());
        assert_eq!((&joined["name"], &joined["gap"], &joined["count"]), (&json!("ana"), &json!(false), &json!(2)));
        ana.expect_close(TAKEN_OVER);
        say(&mut next, "from elsewhere", &format!("c{number}"));
        // A message that may have been said is not said twice.
        next.send(json!({"type": "message", "text": "from the laptop", "cid": "c1"}));
        assert_eq!(next.expect("ok")["id"], said);
        ana = next;
    }
    let noise =
        witness.messages_so_far().into_iter().filter(|event| event["type"] == "part" || event["type"] == "enter");
    let named: Vec<Value> = noise.map(|event| event["name"].clone()).collect();
    assert_eq!(named, ["ana"], "it came in once");
    drop(ana);
}

#[test]
fn a_node_that_never_saw_the_room_serves_it() {
    let redis = Redis::start();
    let mut nodes = Nodes::with(2, &redis.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    ana.send(json!({"type": "moderate", "action": "topic", "value": "slides at 3"}));
    let said: Vec<String> = (0..300).map(|number| format!("message {number}")).collect();
    for (number, text) in said.iter().enumerate() {
        let by = if number.is_multiple_of(2) { &mut ana } else { &mut ben };
        say(by, text, &number.to_string());
    }
    nodes.add(&redis.url());
    assert_eq!(all_texts(&nodes[2], &room), said);
    let (mut eve, told) = join(&nodes[2], json!({"type": "join", "room": room, "name": "eve"}));
    assert_eq!((&told["topic"], &told["count"], &told["epoch"]), (&json!("slides at 3"), &json!(3), &joined["epoch"]));
    eve.send(json!({"type": "search", "text": "message 17"}));
    let found = eve.expect("search");
    assert_eq!(found["events"].as_array().map(Vec::len), Some(11), "17 and 170 to 179: {found}");
    say(&mut eve, "found", "e1");
    ben.expect_where("what eve says", |message| message["text"] == "found");
    // And its members: ana comes to where she has never been.
    let back = json!({"type": "join", "room": room, "token": joined["token"]});
    assert_eq!(join(&nodes[2], back).1["name"], "ana");
}

#[test]
fn a_restart_of_everything_loses_nothing() {
    let mut redis = Redis::start();
    let mut nodes = Nodes::with(2, &redis.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    let last = (0..100).map(|number| say(&mut ana, &format!("message {number}"), &number.to_string())).last();
    let heard = ben.expect_where("the last", |message| message["id"].as_u64() == last);
    assert_eq!(heard["text"], "message 99");
    let before = all_events(&nodes[1], &room);
    let expect_all = |nodes: &Nodes| {
        for node in 0..2 {
            assert_eq!(all_events(&nodes[node], &room), before);
        }
    };
    let come_back = |nodes: &Nodes, node: usize| {
        let back =
            json!({"type": "join", "room": room, "token": joined["token"], "since": last, "epoch": joined["epoch"]});
        let (_, told) = join(&nodes[node], back);
        assert_eq!((&told["name"], &told["count"]), (&json!("ana"), &json!(2)), "{told}");
        told
    };
    let expect_no_gap = |nodes: &Nodes| {
        expect_all(nodes);
        for node in 0..2 {
            let told = come_back(nodes, node);
            assert_eq!((&told["gap"], &told["events"]), (&json!(false), &json!([])));
        }
    };
    (0..2).for_each(|node| nodes.stop(node));
    redis.crash();
    redis.run_again();
    (0..2).for_each(|node| nodes.start_again(node));
    expect_no_gap(&nodes);
    (0..2).for_each(|node| nodes.crash(node));
    (0..2).for_each(|node| nodes.start_again(node));
    expect_no_gap(&nodes);
    // Where everything is killed at once, nobody is left who could say whether Redis has all that was seen: it has, but
    // that is told under another epoch.
    (0..2).for_each(|node| nodes.crash(node));
    redis.crash();
    redis.run_again();
    (0..2).for_each(|node| nodes.start_again(node));
    expect_all(&nodes);
    (0..2).for_each(|node| drop(come_back(&nodes, node)));
    drop((ana, ben));
}
