//! What whoever runs the nodes does beside them: accounts managed, rooms exported; while nodes run, and while none does.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

#[cfg(feature = "accounts")]
use super::nodes::refused;
use super::nodes::{Nodes, all_events, id_of, join, say};
use super::redis::{Folder, Redis};
use super::support::WebSocketClient;
#[cfg(feature = "accounts")]
use super::support::eventually;
use super::support::server::command;

/// Runs the program with this on its standard input, and these variables in its environment.
pub fn run(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Output {
    let mut command = command();
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    // It may not want any.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// What it writes, when it does what it was told.
#[track_caller]
pub fn succeed(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> String {
    let output = run(arguments, variables, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The one sentence with which it ends.
#[track_caller]
fn fail(status: i32, arguments: &[&str], input: &str) -> String {
    let output = run(arguments, &[], input);
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
    assert!(told.starts_with("snugd: ") && told.lines().count() == 1, "{told}");
    told
}

// ---- accounts

#[cfg(feature = "accounts")]
pub const PASSWORD: &str = "correct horse";
#[cfg(feature = "accounts")]
const OTHER_PASSWORD: &str = "battery staple";

#[cfg(feature = "accounts")]
#[test]
fn accounts_are_managed_while_nodes_run_and_hold_on_all_of_them() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url());
    let url = redis.url();
    let account = |action: &str, name: &[&str], password: &str| {
        succeed(&[&["account", action, "--cluster", &url], name].concat(), &[], &format!("{password}\n"))
    };
    let room = nodes[0].create_room();
    let mut ben = WebSocketClient::join(&nodes[0], &room, "ben");
    let mut stranger = WebSocketClient::join(&nodes[1], &room, "ana");
    ben.expect("enter");
    account("add", &["ana"], PASSWORD);
    assert_eq!(stranger.expect("nick")["to"], "ana_1");
    ben.expect("nick");
    assert_eq!(account("list", &[], ""), "ana\n");
    let again = fail(1, &["account", "--cluster", &url, "add", "ANA"], &format!("{PASSWORD}\n"));
    assert!(again.contains("already") && again.contains("redis://127.0.0.1"), "{again}");

    let with = |password: &str| json!({"type": "join", "room": room, "name": "ana", "password": password});
    let mut sessions = Vec::new();
    for node in 0..2 {
        assert_eq!(
            refused(&nodes[node], json!({"type": "join", "room": room, "name": "Ana"}))["code"],
            "password_required"
        );
        let elsewhere = nodes[node].create_room();
        let here = json!({"type": "join", "room": elsewhere, "name": "ana", "password": PASSWORD});
        let (ana, told) = join(&nodes[node], here);
        assert_eq!(told["members"][0]["account"], true);
        sessions.push((ana, json!({"type": "join", "room": elsewhere, "token": told["token"]})));
    }
    account("password", &["ana"], OTHER_PASSWORD);
    for (node, (mut ana, back)) in sessions.into_iter().enumerate() {
        ana.expect_close(4001);
        assert_eq!(refused(&nodes[1 - node], back)["code"], "password_required");
        assert_eq!(refused(&nodes[node], with(PASSWORD))["code"], "password_wrong");
    }
    let (mut ana, _) = join(&nodes[1], with(OTHER_PASSWORD));
    assert_eq!(ben.expect("enter")["name"], "ana");
    account("remove", &["ana"], "");
    ana.expect_close(4001);
    assert_eq!(account("list", &[], ""), "");
    assert!(fail(1, &["account", "remove", "ana", "--cluster", &url], "").contains("no account"));

    // Nobody else was disturbed, and nobody is left of whoever did it.
    assert_eq!(ben.expect("part")["name"], "ana");
    say(&mut stranger, "still here", "s1");
    ben.expect_where("it", |message| message["text"] == "still here");
    assert!(!ben.messages_so_far().iter().any(|message| message["type"] == "part"));
    for node in 0..2 {
        nodes.wait_until_known(node, 2);
        assert!(!nodes[node].log().contains("mark"), "{}", nodes[node].log());
    }
    let everything = redis.everything();
    assert!(everything.contains("$argon2id$"), "the test looks for what is there");
    assert!(!everything.contains(PASSWORD) && !everything.contains(OTHER_PASSWORD));
}

#[cfg(feature = "accounts")]
#[test]
fn accounts_are_managed_while_no_node_runs() {
    let (redis, folder) = (Redis::start(), Folder::new());
    // As a service has it: an address that may hold a password is in a file.
    let file = folder.path().join("address");
    std::fs::write(&file, format!("{}\n", redis.url())).expect("it can be written");
    let variables = [("SNUGD_CLUSTER_FILE", file.to_str().expect("UTF-8"))];
    let account = |action: &str, name: &[&str], password: &str| {
        succeed(&[&["account", action], name].concat(), &variables, &format!("{password}\n"))
    };
    assert_eq!(account("list", &[], ""), "");
    account("add", &["root"], PASSWORD);
    account("add", &["ana"], PASSWORD);
    assert_eq!(account("list", &[], ""), "ana\nroot\n");
    // Whoever changes accounts is no node, not even for that moment: so nobody waits for one that was killed.
    assert_eq!(redis.ask(&["EXISTS", "{snugd}:nodes", "{snugd}:gone"]), "0");
    assert_eq!(redis.ask(&["HEXISTS", "{snugd}:meta", "history"]), "0");

    // The first node says how much is kept, and knows who may come.
    let options = ["--history", "50", "--accounts", "required", "--admin", "root"];
    let mut nodes = Nodes::with(2, &redis.url(), &options);
    let with = |name: &str, password: &str| json!({"type": "join", "room": "KXQT", "name": name, "password": password, "create": true});
    let (_ana, told) = join(&nodes[0], with("ana", PASSWORD));
    let (_root, joined) = join(&nodes[1], with("root", PASSWORD));
    assert_eq!(joined["members"][0]["op"], true, "an admin");
    nodes.stop(0);
    nodes.crash(1);

    account("password", &["ana"], OTHER_PASSWORD);
    account("remove", &["root"], "");
    nodes.start_again(0);
    nodes.start_again(1);
    for node in 0..2 {
        let back = json!({"type": "join", "room": "KXQT", "token": told["token"]});
        assert_eq!(refused(&nodes[node], back)["code"], "password_required");
        assert_eq!(refused(&nodes[node], with("ana", PASSWORD))["code"], "password_wrong");
        // Whoever bore the name by the former password has the grace.
        eventually("ana is let in", || {
            let mut ana = WebSocketClient::connect(&nodes[node]);
            ana.send(with("ana", OTHER_PASSWORD));
            let answer =
                ana.expect_where("an answer", |message| message["type"] == "joined" || message["type"] == "error");
            assert!(answer["type"] == "joined" || answer["code"] == "name_taken", "{answer}");
            (answer["name"] == "ana").then_some(())
        });
        assert_eq!(refused(&nodes[node], with("root", PASSWORD))["code"], "password_wrong");
    }
}

#[cfg(feature = "accounts")]
#[test]
fn many_accounts_are_added_at_once() {
    let redis = Redis::start();
    let nodes = Nodes::start(1, &redis.url());
    let names: Vec<String> = (0..4).map(|number| format!("robot {number}")).collect();
    // They come between each other, and one of two claims of a name is in vain.
    let added = thread::scope(|scope| {
        let add = |name: &str| {
            let arguments = ["account", "add", name, "--cluster", &redis.url()];
            run(&arguments, &[], &format!("{PASSWORD}\n")).status.success()
        };
        let runs: Vec<_> = names.iter().chain(&names).map(|name| scope.spawn(move || add(name))).collect();
        runs.into_iter().map(|run| run.join().expect("it ends")).filter(|added| *added).count()
    });
    assert_eq!(added, names.len());
    assert_eq!(succeed(&["account", "list", "--cluster", &redis.url()], &[], ""), names.join("\n") + "\n");
    let room = nodes[0].create_room();
    for name in &names {
        join(&nodes[0], json!({"type": "join", "room": room, "name": name, "password": PASSWORD}));
    }
}

#[cfg(feature = "accounts")]
#[test]
fn what_redis_cannot_do_is_told_in_a_sentence() {
    let redis = Redis::start();
    let url = redis.url();
    let add = ["account", "add", "ana", "--cluster", &url];
    redis.configure("maxmemory", "1");
    assert!(fail(1, &add, &format!("{PASSWORD}\n")).contains("its memory is full"));
    redis.configure("maxmemory", "0");
    let waiting = [&add[..], &["--cluster-wait", "1"]].concat();
    assert!(fail(1, &waiting, &format!("{PASSWORD}\n")).contains("fewer than 1 replicas"));
    assert_eq!(succeed(&["account", "list", "--cluster", &url], &[], ""), "ana\n", "it is there all the same");
    let listing = ["account", "list", "--cluster", &url, "--cluster-wait", "1"];
    assert!(fail(1, &listing, "").contains("fewer than 1 replicas"));
    redis.ask(&["HSET", "{snugd}:meta", "format", "9"]);
    for arguments in [&["account", "list", "--cluster", &url][..], &["export", "--cluster", &url, "KXQT"]] {
        assert!(fail(4, arguments, "").contains("of format 9"), "{arguments:?}");
    }
    assert!(fail(2, &["account", "list", "--cluster", "redis://u:s3cret@host:x"], "").contains("The port"));
    assert!(fail(2, &["account", "list"], "").contains("--cluster URL"));
}

#[test]
fn what_a_redis_does_itself_is_not_done_here() {
    for arguments in
        [&["backup", "--cluster", "redis://localhost"][..], &["backup", "a.db", "--to", "b.db", "--cluster", "x"]]
    {
        let told = fail(2, arguments, "");
        assert!(told.contains("redis-cli --rdb"), "{told}");
    }
}

// ---- rooms

/// A room, exported as objects.
#[track_caller]
fn export(url: &str, room: &str) -> Vec<Value> {
    let text = succeed(&["export", "--cluster", url, &room.to_lowercase(), "--format", "json"], &[], "");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

#[test]
fn what_is_exported_is_what_was_said() {
    let redis = Redis::start();
    let mut nodes = Nodes::with(2, &redis.url(), &["--history", "700"]);
    let url = redis.url();
    let room = nodes[0].create_room();
    let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    let first = say(&mut ana, "to be changed", "a0");
    for number in 0..520 {
        say(if number % 2 == 0 { &mut ana } else { &mut ben }, &format!("text {number}"), &format!("c{number}"));
    }
    ana.send(json!({"type": "edit", "of": first, "text": "changed"}));
    ben.expect("edit");
    ben.send(json!({"type": "react", "of": first, "emoji": "👍", "on": true}));
    ana.expect("reaction");
    ben.send(json!({"type": "message", "text": "two\nlines", "reply_to": first, "cid": "b1"}));
    let reply = id_of(&ben.expect_where("it", |message| message["cid"] == "b1"));
    let deleted = say(&mut ana, "of no importance", "a1");
    ana.send(json!({"type": "delete", "of": deleted}));
    ben.expect_where("it", |message| message["type"] == "delete");
    let last = say(&mut ben, "the last word", "b2");

    let exported = export(&url, &room);
    assert_eq!(exported.iter().map(id_of).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    assert_eq!(exported, all_events(&nodes[0], &room));
    assert_eq!(exported, all_events(&nodes[1], &room));
    let changed = &exported[first as usize - 1];
    assert_eq!((&changed["text"], &changed["reactions"][0]["emoji"]), (&json!("changed"), &json!("👍")));
    let text = succeed(&["export", "--cluster", &url, &room], &[], "");
    assert!(text.starts_with("* -- ") && !text.contains("of no importance"), "{text}");
    assert!(text.contains("| lines\n") && text.ends_with("<ben> the last word\n") && !text.contains('\r'), "{text}");
    assert!(text.contains("changed") && exported[reply as usize - 1]["reply_to"] == first);
    assert!(fail(1, &["export", "--cluster", &url, "BBBB"], "").contains("no room"));

    // Without any node, and what is kept no longer left out.
    for number in 0..200 {
        say(&mut ana, &format!("more {number}"), &format!("d{number}"));
    }
    let told = all_events(&nodes[1], &room);
    nodes.stop(0);
    nodes.crash(1);
    let exported = export(&url, &room);
    assert_eq!(exported.len(), 700);
    // Somebody may have left since.
    let (first, last) = (id_of(&exported[0]), id_of(told.last().expect("an event")));
    let of_both = |events: &[Value]| -> Vec<Value> {
        events.iter().filter(|event| (first..=last).contains(&id_of(event))).cloned().collect()
    };
    assert_eq!(of_both(&exported), of_both(&told));
    assert!(of_both(&told).len() > 600);
}

#[test]
fn what_is_exported_is_a_room_as_it_was_at_one_moment() {
    let redis = Redis::start();
    let nodes = Nodes::with(2, &redis.url(), &["--history", "100000"]);
    let room = nodes[0].create_room();
    let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
    // On pages of their own, as they are read.
    let mut counters = Vec::new();
    for number in 0..3 {
        counters.push(say(&mut ana, "0", &format!("counter {number}")));
        for between in 0..500 {
            ana.send(json!({"type": "message", "text": "between", "cid": format!("{number} {between}")}));
        }
        ana.expect_where("the last", |message| message["cid"] == format!("{number} 499"));
    }
    let is_over = AtomicBool::new(false);
    let counts_of = |exported: &[Value]| {
        let by_id: BTreeMap<u64, &Value> = exported.iter().map(|event| (id_of(event), event)).collect();
        let count = |id| by_id[id]["text"].as_str().and_then(|text| text.parse().ok()).expect("a count");
        let counts: Vec<u64> = counters.iter().map(count).collect();
        let edits = exported.iter().filter(|event| event["type"] == "edit").count() as u64;
        assert_eq!(counts.iter().sum::<u64>(), edits, "{counts:?} never was");
        edits
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for count in 1.. {
                for counter in &counters {
                    ana.send(json!({"type": "edit", "of": counter, "text": count.to_string()}));
                    ana.expect_where("it", |message| message["type"] == "edit" && message["of"] == *counter);
                }
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _ends = EndsWithThis(&is_over);
        let mut edits = vec![0];
        while edits.len() < 8 {
            edits.push(counts_of(&export(&redis.url(), &room)));
        }
        assert!(edits.is_sorted() && edits[7] > edits[1], "time goes on: {edits:?}");
    });
}

/// Whatever becomes of a test, what it has begun comes to an end.
pub struct EndsWithThis<'a>(pub &'a AtomicBool);

impl Drop for EndsWithThis<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
