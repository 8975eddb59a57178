//! A real Sentinel promotes a replica: nothing is lost that the replica has, and where it does not have everything, nobody
//! is told two orders under one epoch.

#[cfg(feature = "accounts")]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(feature = "accounts")]
use std::thread;

use serde_json::json;

#[cfg(feature = "accounts")]
use super::commands::{EndsWithThis, PASSWORD, run, succeed};
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

/// Adds accounts, one after the other, until it is over. Returns the name of each, and whether it was told that it is there.
#[cfg(feature = "accounts")]
fn add_accounts(
    url: &str,
    by: &str,
    options: &[&str],
    added: &AtomicUsize,
    is_over: &AtomicBool,
) -> Vec<(String, bool)> {
    let mut tried = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let name = format!("{by} {}", tried.len());
        let output =
            run(&[&["account", "add", &name, "--cluster", url], options].concat(), &[], &format!("{PASSWORD}\n"));
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        match output.status.success() {
            true => assert_eq!(told, ""),
            false => assert!(told.starts_with("snugd: ") && told.lines().count() == 1, "{told}"),
        }
        added.fetch_add(usize::from(output.status.success()), Ordering::Relaxed);
        tried.push((name, output.status.success()));
    }
    tried
}

#[cfg(feature = "accounts")]
#[test]
fn accounts_that_are_added_while_the_master_dies_are_there_on_all_nodes_or_on_none() {
    let mut guarded = Guarded::start();
    let url = guarded.url();
    let nodes = Nodes::start(2, &url);
    let (added, added_for_good, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let (mut tried, of_replica) = thread::scope(|scope| {
        let _ends = EndsWithThis(&is_over);
        let add = |by: &'static str| add_accounts(&url, by, &[], &added, &is_over);
        let adding: Vec<_> = ["ana", "ben", "eve"].into_iter().map(|by| scope.spawn(move || add(by))).collect();
        let of_replica = scope.spawn(|| add_accounts(&url, "zoe", &["--cluster-wait", "1"], &added_for_good, &is_over));
        let wait_for_more = |counter: &AtomicUsize, count: usize| {
            let least = counter.load(Ordering::Relaxed) + count;
            eventually("accounts are added", || (counter.load(Ordering::Relaxed) >= least).then_some(()));
        };
        wait_for_more(&added, 3);
        wait_for_more(&added_for_good, 1);
        let (master, replica) = guarded.in_order();
        let replica = replica.port;
        // From here on it begins nothing that is to be written: what it was asked last is not answered any more. The two
        // nodes are among those who wait.
        assert_eq!(master.ask(&["CLIENT", "PAUSE", "60000", "WRITE"]), "OK");
        eventually("accounts are being added", || {
            let clients = master.ask(&["CLIENT", "LIST"]);
            let waiting = clients.lines().filter(|line| line.contains(" flags=b ") && line.contains(" cmd=evalsha "));
            (waiting.count() > 3).then_some(())
        });
        master.crash();
        guarded.wait_until_promoted(replica);
        // Each of those that were on their way, and one behind it.
        wait_for_more(&added, 6);
        is_over.store(true, Ordering::Relaxed);
        let tried: Vec<_> = adding.into_iter().flat_map(|adding| adding.join().expect("it ends")).collect();
        (tried, of_replica.join().expect("it ends"))
    });
    let listed = succeed(&["account", "list", "--cluster", &url], &[], "");
    let is_listed = |name: &str| listed.lines().any(|listed| listed == name);
    for (name, was_added) in &of_replica {
        assert!(is_listed(name) || !was_added, "the replica had {name}");
    }
    tried.extend(of_replica);
    for node in 0..2 {
        let room = eventually("a room is made", || {
            let made = nodes[node].http().request("POST", "/api/v1/rooms", &[], b"");
            (made.status == 201).then(|| made.json()["room"].as_str().expect("a code").to_owned())
        });
        for (name, _) in &tried {
            eventually(&format!("{name} is an account's name if it is listed"), || {
                let mut client = WebSocketClient::connect(&nodes[node]);
                client.send(json!({"type": "join", "room": room, "name": name}));
                let answer =
                    client.expect_where("an answer", |told| told["type"] == "joined" || told["type"] == "error");
                let is_claimed = match answer["code"].as_str() {
                    Some("password_required") => true,
                    // It was let in when this was asked before.
                    None | Some("name_taken") => false,
                    Some(other) => panic!("{name}: {other}"),
                };
                (is_claimed == is_listed(name)).then_some(())
            });
        }
    }
}
