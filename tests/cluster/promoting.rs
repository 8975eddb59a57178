//! A real Sentinel promotes a replica: nothing is lost that the replica has, and where it does not have everything, nobody
//! is told two orders under one epoch.

use serde_json::json;

use super::nodes::{Nodes, all_texts, join, say};
use super::redis::Guarded;
use super::support::{WebSocketClient, eventually};

/// Says something after a promotion: again and again, over new connections, until it is said.
fn say_after_promotion(nodes: &Nodes, node: usize, back: &serde_json::Value, text: &str) -> serde_json::Value {
    eventually("it is said", || {
        let mut client = WebSocketClient::connect(&nodes[node]);
        client.send(back.clone());
        let answer = client.next();
        if answer["type"] != "joined" {
            assert_eq!(answer["code"], "storage_failed", "{answer}");
            return None;
        }
        client.send(json!({"type": "message", "text": text, "cid": "again"}));
        let is_answer = |message: &serde_json::Value| message["cid"] == "again";
        let said = client.expect_where("an answer", is_answer);
        (said["type"] == "message" || said["type"] == "ok").then_some(answer)
    })
}

#[test]
fn a_promotion_loses_nothing_that_the_replica_has() {
    let mut guarded = Guarded::start();
    let nodes = Nodes::with(2, &guarded.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let said: Vec<String> = (0..50).map(|number| format!("message {number}")).collect();
    let ids = said.iter().enumerate().map(|(number, text)| say(&mut ana, text, &number.to_string()));
    let last = ids.last();
    let (master, replica) = guarded.in_order();
    master.wait_for_replica();
    let replica = replica.port;
    master.crash();
    guarded.wait_until_promoted(replica);
    let back = json!({"type": "join", "room": room, "token": joined["token"], "since": last, "epoch": joined["epoch"]});
    for node in 0..2 {
        let told = say_after_promotion(&nodes, node, &back, "after");
        assert_eq!((&told["epoch"], &told["gap"], &told["name"]), (&joined["epoch"], &json!(false), &json!("ana")));
    }
    let mut expected = said;
    expected.push("after".to_owned());
    (0..2).for_each(|node| assert_eq!(all_texts(&nodes[node], &room), expected));
    // The one that was killed comes back as a replica, and is promoted in its turn.
    guarded.first.run_again();
    guarded.join_again();
    let (master, replica) = guarded.in_order();
    let replica = replica.port;
    master.crash();
    guarded.wait_until_promoted(replica);
    (0..2).for_each(|node| drop(say_after_promotion(&nodes, node, &back, "after")));
    (0..2).for_each(|node| assert_eq!(all_texts(&nodes[node], &room), expected));
}

#[test]
fn where_a_promotion_loses_what_was_acknowledged_everybody_is_told_of_a_gap() {
    let mut guarded = Guarded::start();
    let nodes = Nodes::with(2, &guarded.url(), &["--grace", "1m"]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    say(&mut ana, "kept", "1");
    let (master, replica) = guarded.in_order();
    master.wait_for_replica();
    // It copies nothing any more, and nobody has noticed yet.
    replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let replica = replica.port;
    let lost = say(&mut ana, "lost", "2");
    ben.expect_where("what is lost", |message| message["text"] == "lost");
    master.crash();
    // Whoever is there is told to come again.
    for client in [&mut ana, &mut ben] {
        client.expect_close(1001);
    }
    guarded.wait_until_promoted(replica);
    let back = json!({"type": "join", "room": room, "token": joined["token"], "since": lost, "epoch": joined["epoch"]});
    for node in 0..2 {
        let told = say_after_promotion(&nodes, node, &back, "after");
        assert_eq!((&told["gap"], &told["name"]), (&json!(true), &json!("ana")), "{told}");
        assert_ne!(told["epoch"], joined["epoch"]);
        assert_eq!(all_texts(&nodes[node], &room), ["kept", "after"]);
    }
}
