//! Two nodes behind proxies, as `docs/cluster.md` and `packaging/cluster/` configure them.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::configured::{command, write};
use crate::pages::{Replaced, cluster_block};
use crate::proxy::{Proxy, connect_from, free_address};
use crate::redis::Redis;
use crate::support::{HttpClient, Server, Terminal, WebSocketClient, eventually, find_program};
use crate::{ANA, BEN, Browser};

/// Somebody who comes directly.
const DORA: [u8; 4] = [127, 0, 0, 5];

fn node(redis: &Redis, believed: &[&str]) -> Server {
    Server::with(&[&["--cluster", &redis.url()], believed].concat())
}

fn nginx(nodes: &[&Server; 2]) -> Proxy {
    let program = find_program(&["nginx"], "nginx-light");
    let text = cluster_block("nginx")
        .replaced("10.0.0.11:5000", &nodes[0].web.to_string())
        .replaced("10.0.0.12:5000", &nodes[1].web.to_string());
    Proxy::start("http", move |folder, address| {
        let here = folder.display();
        let text = text.clone().replaced("listen 443 ssl;", &format!("listen {address};"));
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {here}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\n    access_log off;\n{folders}{text}\n}}\n"
        );
        let file = write(folder, "nginx.conf", &text);
        let program = program.clone();
        move |folder: &Path| command(&program, &[&"-e", &"stderr", &"-p", &folder, &"-c", &file])
    })
}

/// Pages at the proxy's address, terminals at the other one.
fn haproxy(nodes: &[&Server; 2], terminals: SocketAddr) -> Proxy {
    let program = find_program(&["haproxy"], "haproxy");
    let mut text = include_str!("../../packaging/cluster/haproxy.cfg").to_owned();
    for (name, node) in [("snugd-1", nodes[0]), ("snugd-2", nodes[1])] {
        let line = node.line();
        text = text
            .replaced(&format!("{name}:5000"), &format!("{} check port {}", node.web, node.web.port()))
            .replaced(&format!("{name}:5001"), &format!("{line} check port {}", node.web.port()));
    }
    let text = text.replaced("bind :5001", &format!("bind {terminals}"));
    Proxy::start("http", move |folder, address| {
        let text = text.clone().replaced("bind :5000", &format!("bind {address}"));
        let file = write(folder, "haproxy.cfg", &text);
        let program = program.clone();
        move |_: &Path| command(&program, &[&"-db", &"-f", &file])
    })
}

/// Past the proxy, from where none is expected.
fn directly(node: &Server) -> HttpClient {
    HttpClient::over(connect_from(DORA, node.web))
}

/// Members in browsers of this node.
fn web_sockets(node: &Server) -> String {
    let text = directly(node).get("/metrics").text();
    let found = text.lines().find_map(|line| line.strip_prefix("snugd_open_connections{protocol=\"websocket\"} "));
    found.expect("a figure").to_owned()
}

/// Somebody comes in by the proxy.
fn join(browser: &Browser, message: &Value, cookie: &str) -> (WebSocketClient, Value) {
    let mut socket = eventually("the handshake passes", || browser.web_socket("/", cookie).ok());
    socket.send(message.clone());
    let joined = socket.expect("joined");
    (socket, joined)
}

/// People come by the proxy, are on both nodes, and talk. One node stops, and they come by the same proxy to the other.
fn both_nodes_serve_and_one_is_enough(nodes: [Server; 2], proxy: &Proxy) {
    let browsers = [Browser::new(ANA, proxy), Browser::new(BEN, proxy)];
    let created = eventually("a node is there", || {
        Some(browsers[0].post_form("/", &[("name", "ana"), ("create", "1")])).filter(|created| created.status == 303)
    });
    let room = created.expect_header("Location").trim_start_matches('/').to_owned();
    let (mut ana, ana_joined) = join(&browsers[0], &json!({"type": "join", "room": room}), &created.cookie());
    assert_eq!(ana_joined["name"], "ana", "a session is one on all nodes");
    let (mut ben, ben_joined) = join(&browsers[1], &json!({"type": "join", "room": room, "name": "ben"}), "");
    ana.expect_where("ben", |message| message["type"] == "enter" && message["name"] == "ben");
    assert_eq!(nodes.each_ref().map(web_sockets), ["1", "1"], "the proxy spreads them");
    ana.say("from one node to the other");
    ben.expect_where("it", |message| message["text"] == "from one node to the other");

    let [first, second] = nodes;
    drop(first);
    let mut back = [ana_joined, ben_joined].into_iter().zip(&browsers).map(|(joined, browser)| {
        let (token, since, epoch) = (&joined["token"], &joined["last"], &joined["epoch"]);
        join(browser, &json!({"type": "join", "room": room, "token": token, "since": since, "epoch": epoch}), "")
    });
    let ((mut ana, _), (mut ben, _)) = (back.next().expect("ana"), back.next().expect("ben"));
    ben.say("here we are");
    ana.expect_where("it", |message| message["text"] == "here we are");
    let events = directly(&second).get(&format!("/api/v1/rooms/{room}/events")).text();
    assert!(!events.contains("\"part\""), "nobody has left: {events}");
}

#[test]
fn nginx_is_put_before_two_nodes() {
    let redis = Redis::start();
    let nodes =
        [0, 1].map(|_| node(&redis, &["--trusted-proxy", "127.0.0.1", "--public-url", "https://chat.example.org"]));
    let proxy = nginx(&[&nodes[0], &nodes[1]]);
    both_nodes_serve_and_one_is_enough(nodes, &proxy);
}

#[test]
fn haproxy_is_put_before_two_nodes() {
    let redis = Redis::start();
    let nodes = [0, 1].map(|_| node(&redis, &["--proxy-protocol", "127.0.0.1"]));
    let terminals = free_address();
    let proxy = haproxy(&[&nodes[0], &nodes[1]], terminals);
    let mut cal = Terminal::over(connect_from(BEN, terminals));
    cal.expect_text("Name: ");
    drop(cal);
    both_nodes_serve_and_one_is_enough(nodes, &proxy);
}

#[test]
fn haproxy_lets_everybody_in_to_read_while_redis_is_away() {
    let mut redis = Redis::start();
    let nodes = [0, 1].map(|_| node(&redis, &["--proxy-protocol", "127.0.0.1"]));
    let terminals = free_address();
    let proxy = haproxy(&[&nodes[0], &nodes[1]], terminals);
    let browser = Browser::new(ANA, &proxy);
    let created = eventually("a node is there", || {
        Some(browser.post_form("/", &[("name", "ana"), ("create", "1")])).filter(|created| created.status == 303)
    });
    let room = created.expect_header("Location").trim_start_matches('/').to_owned();
    let (mut ana, _) = join(&browser, &json!({"type": "join", "room": room}), &created.cookie());
    ana.say("while it is there");
    ana.expect_where("it", |message| message["text"] == "while it is there");
    let events = format!("/api/v1/rooms/{room}/events");
    let is_told = |node: &Server| directly(node).get(&events).text().contains("while it is there");
    eventually("both nodes know", || nodes.iter().all(is_told).then_some(()));

    redis.pause();
    for backend in ["pages", "terminals"] {
        let told = format!("backend '{backend}' has no server available");
        eventually("no node can store anything", || proxy.log().contains(&told).then_some(()));
    }
    for _ in 0..4 {
        assert_eq!(browser.get(&format!("/{room}"), &[]).status, 200);
        assert!(browser.get(&events, &[]).text().contains("while it is there"));
        let mut ben = Terminal::over(connect_from(BEN, terminals));
        ben.expect_text("Name: ");
    }
    redis.go_on();
    let (mut ben, _) = eventually("somebody comes in again", || {
        let mut socket = browser.web_socket("/", "").ok()?;
        socket.send(json!({"type": "join", "room": room, "name": "ben"}));
        let answer = socket.expect_where("an answer", |message| message["type"] != "ping");
        (answer["type"] == "joined").then_some((socket, answer))
    });
    ben.say("it is there again");
    ana.expect_where("it", |message| message["text"] == "it is there again");
}
