//! What is done with messages and files on one node is so on all; what is deleted is gone from Redis as well.

use serde_json::{Value, json};

use super::nodes::{Nodes, all_events, id_of, join, say, shared_files};
use super::redis::{Folder, Redis};
use super::support::{Response, WebSocketClient, eventually};

fn find(events: &[Value], id: u64) -> &Value {
    events.iter().find(|event| event["id"] == id).unwrap_or_else(|| panic!("{id} is not among {events:?}"))
}

#[test]
fn corrections_deletions_and_reactions_are_the_same_on_all_nodes() {
    let redis = Redis::start();
    let mut nodes = Nodes::start(2, &redis.url());
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    let first = say(&mut ana, "the-first-words", "a1");
    let second = say(&mut ana, "the-second-words", "a2");
    ben.expect_where("both", |message| message["id"] == second);
    ben.send(json!({"type": "message", "text": "a reply", "reply_to": first, "cid": "b1"}));
    let reply = ana.expect_where("the reply", |message| message["cid"] == "b1");
    assert_eq!(reply["reply_to"], first, "{reply}");
    ben.send(json!({"type": "edit", "of": first, "text": "not mine"}));
    ben.expect_where("a refusal", |message| message["code"] == "not_yours");
    ana.send(json!({"type": "edit", "of": first, "text": "other-words"}));
    assert_eq!(ben.expect("edit")["text"], "other-words");
    ben.send(json!({"type": "react", "of": first, "emoji": "👍", "on": true}));
    ana.send(json!({"type": "react", "of": first, "emoji": "👍", "on": true}));
    ben.expect_where("both", |message| message["type"] == "reaction" && message["name"] == "ana");
    // By an operator, who is elsewhere.
    let bens = say(&mut ben, "words-of-ben", "b2");
    ana.expect_where("it", |message| message["id"] == bens);
    ana.send(json!({"type": "delete", "of": bens}));
    ben.expect_where("the deletion", |message| message["type"] == "delete" && message["of"] == bens);
    // By whose it is, at another node than that where it was said.
    let (mut ana, _) = join(&nodes[1], json!({"type": "join", "room": room, "token": joined["token"]}));
    ana.send(json!({"type": "edit", "of": second, "text": "the-third-words"}));
    ben.expect("edit");
    ana.send(json!({"type": "delete", "of": second}));
    ben.expect_where("the deletion", |message| message["type"] == "delete" && message["of"] == second);
    ben.send(json!({"type": "react", "of": second, "emoji": "👍", "on": true}));
    ben.expect_where("a refusal", |message| message["code"] == "no_such_event");

    nodes.add(&redis.url());
    let events = all_events(&nodes[1], &room);
    let message = find(&events, first);
    assert_eq!((&message["text"], &message["edited"]), (&json!("other-words"), &json!(true)));
    assert_eq!(message["reactions"][0]["count"], 2, "{message}");
    for deleted in [second, bens] {
        let event = find(&events, deleted);
        assert_eq!((&event["text"], &event["deleted"]), (&json!(""), &json!(true)));
    }
    for node in [0, 2] {
        eventually("it is the same", || (all_events(&nodes[node], &room) == events).then_some(()));
    }
}

#[test]
fn what_is_deleted_is_in_redis_no_more_but_for_the_end_of_the_log() {
    let (redis, folder) = (Redis::start(), Folder::new());
    let path = folder.path().to_str().expect("UTF-8");
    let nodes = Nodes::with(2, &redis.url(), &["--files", path]);
    let room = nodes[0].create_room();
    let (mut ana, joined) = join(&nodes[0], json!({"type": "join", "room": room, "name": "ana"}));
    let epoch = &joined["epoch"];
    let texts = ["sesame-the-first", "sesame-the-second", "sesame-corrected", "sesame-correcting"];
    let first = say(&mut ana, texts[0], "a1");
    let second = say(&mut ana, texts[1], "a2");
    let kept = say(&mut ana, texts[2], "a3");
    for (of, text) in [(second, "sesame-edited"), (kept, texts[3]), (kept, "sesame-at-last")] {
        ana.send(json!({"type": "edit", "of": of, "text": text}));
        ana.expect_where("the correction", |message| message["type"] == "edit" && message["text"] == text);
    }
    // A file and words to it, of somebody who has no place.
    let form = "--sesam\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nsesame-words\r\n\
        --sesam\r\nContent-Disposition: form-data; name=\"file\"; filename=\"sesame-file\"\r\n\r\nbytes\r\n--sesam--\r\n";
    let form_type = [("Content-Type", "multipart/form-data; boundary=sesam")];
    let path = format!("/api/v1/rooms/{room}/files?as=eve");
    let shared = nodes[1].http().request("POST", &path, &form_type, form.as_bytes());
    assert_eq!(shared.status, 201, "{}", shared.text());
    let file = ana.expect("file");
    assert_eq!((&file["text"], &file["file"]["name"]), (&json!("sesame-words"), &json!("sesame-file")));
    let kept_of_changes =
        redis.ask(&["LRANGE", &format!("{{snugd}}:tail:{}", epoch.as_str().expect("an epoch")), "0", "-1"]);
    assert!(kept_of_changes.contains("sesame-file") && !kept_of_changes.contains("sesame-words"), "{kept_of_changes}");
    for of in [first, second, id_of(&file)] {
        ana.send(json!({"type": "delete", "of": of}));
        ana.expect_where("the deletion", |message| message["type"] == "delete" && message["of"] == of);
    }
    let found = |told: &str| -> Vec<String> {
        let words = told.split(|character: char| !character.is_alphanumeric() && character != '-');
        let mut words: Vec<String> = words.filter(|word| word.starts_with("sesame")).map(str::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    // The log keeps its last minutes for nodes that were away.
    assert!(found(&redis.everything()).len() > 1);
    // As it is done when they are over.
    redis.ask(&["XTRIM", "{snugd}:log", "MAXLEN", "0"]);
    eventually("nothing is left of what was deleted or corrected", || {
        (found(&redis.everything()) == ["sesame-at-last"]).then_some(())
    });
}

#[test]
fn files_are_shared_by_all_nodes() {
    let (redis, folder) = (Redis::start(), Folder::new());
    let path = folder.path().to_str().expect("UTF-8");
    let mut nodes = Nodes::with(2, &redis.url(), &["--files", path, "--max-files", "200K"]);
    let room = nodes[0].create_room();
    let mut ana = WebSocketClient::join(&nodes[0], &room, "ana");
    let mut ben = WebSocketClient::join(&nodes[1], &room, "ben");
    let bytes: Vec<u8> = (0..70_000).map(|position| (position % 251) as u8).collect();
    let share = |nodes: &Nodes, node: usize, name: &str| -> Response {
        let path = format!("/api/v1/rooms/{room}/files?name={name}&as=eve");
        nodes[node].http().request("POST", &path, &[], &bytes)
    };
    let first = share(&nodes, 0, "plan.bin");
    assert_eq!(first.status, 201, "{}", first.text());
    let first = first.expect_header("Location").to_owned();
    let told = ben.expect("file");
    assert_eq!((&told["file"]["name"], &told["file"]["size"]), (&json!("plan.bin"), &json!(70_000)));
    let has = |nodes: &Nodes, node: usize, path: &str| {
        let response = nodes[node].get(path);
        assert!(response.status == 404 || response.body == bytes, "{}: {}", response.status, response.text());
        response.status == 200
    };
    assert!(has(&nodes, 0, &first) && has(&nodes, 1, &first));
    // All nodes together hold no more than they may.
    let second = share(&nodes, 1, "other.bin");
    assert_eq!(second.status, 201, "{}", second.text());
    let second = second.expect_header("Location").to_owned();
    ana.expect_where("the second", |message| message["file"]["name"] == "other.bin");
    assert_eq!(share(&nodes, 0, "too-much.bin").status, 507);
    assert_eq!(shared_files(folder.path()), 2);
    // Whoever starts finds what the others have, and takes nothing away.
    nodes.add(&redis.url());
    assert!(has(&nodes, 2, &first) && has(&nodes, 2, &second));
    assert_eq!(shared_files(folder.path()), 2);
    ana.send(json!({"type": "delete", "of": id_of(&told)}));
    ben.expect_where("the deletion", |message| message["type"] == "delete");
    for node in 0..3 {
        let is_deletion = |event: &Value| event["type"] == "delete";
        eventually("the node knows", || all_events(&nodes[node], &room).iter().any(is_deletion).then_some(()));
        assert!(!has(&nodes, node, &first) && has(&nodes, node, &second));
    }
    eventually("its bytes are gone", || (shared_files(folder.path()) == 1).then_some(()));
    eventually("there is room again", || (share(&nodes, 2, "other.bin").status == 201).then_some(()));
}
