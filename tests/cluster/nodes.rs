//! Several of the real program that share their rooms.

use std::net::SocketAddr;
use std::ops::Index;
use std::path::Path;

use serde_json::{Value, json};

use super::party::Doors;
use super::proxy::Proxy;
use super::redis::Redis;
use super::support::server::command;
use super::support::{Server, WebSocketClient, eventually};

/// Nodes by their places. One that was ended can be started again where it was.
pub struct Nodes {
    running: Vec<Option<Server>>,
    doors: Vec<Doors>,
    /// Where each finds the log.
    urls: Vec<String>,
    options: Vec<String>,
}

/// With what nodes are started unless a test is about it: without limits of how often, and with little grace.
pub const OPTIONS: [&str; 8] = ["--rate", "0", "--join-rate", "0", "--create-rate", "0", "--grace", "1s"];

impl Nodes {
    /// So many at one log.
    pub fn start(count: usize, url: &str) -> Nodes {
        Nodes::with(count, url, &[])
    }

    /// The same, with these options.
    pub fn with(count: usize, url: &str, options: &[&str]) -> Nodes {
        Nodes::at(vec![url.to_owned(); count], options)
    }

    /// One at each of these logs, or ways to one.
    pub fn at(urls: Vec<String>, options: &[&str]) -> Nodes {
        let options = OPTIONS.iter().chain(options).map(|&option| option.to_owned()).collect();
        let mut nodes = Nodes { running: Vec::new(), doors: Vec::new(), urls: Vec::new(), options };
        urls.iter().for_each(|url| nodes.add(url));
        nodes
    }

    /// One behind each of these proxies.
    pub fn behind(proxies: &[Proxy], options: &[&str]) -> Nodes {
        Nodes::at(proxies.iter().map(|proxy| format!("redis://{}", proxy.address)).collect(), options)
    }

    /// One more.
    pub fn add(&mut self, url: &str) {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        self.urls.push(url.to_owned());
        let server = self.run(self.urls.len() - 1, Doors { web: anywhere, line: anywhere });
        self.doors.push(Doors { web: server.web, line: server.line() });
        self.running.push(Some(server));
    }

    fn run(&self, node: usize, doors: Doors) -> Server {
        let mut command = command();
        command.args(["--listen", &doors.web.to_string(), "--line-listen", &doors.line.to_string()]);
        command.args(["--cluster", &self.urls[node]]);
        command.args(&self.options);
        Server::run(command)
    }

    /// Ends one without any warning.
    pub fn crash(&mut self, node: usize) {
        self.running[node].take().expect("it runs").crash();
    }

    /// Ends one in good order.
    pub fn stop(&mut self, node: usize) {
        drop(self.running[node].take().expect("it runs"));
    }

    /// Starts one again that was ended.
    pub fn start_again(&mut self, node: usize) {
        assert!(self.running[node].is_none(), "it runs");
        self.running[node] = Some(self.run(node, self.doors[node]));
    }

    /// Waits until a node knows of so many, itself included.
    pub fn wait_until_known(&self, node: usize, count: usize) {
        let known = format!("\nsnugd_cluster_nodes {count}\n");
        eventually(&format!("{count} nodes are known"), || {
            self[node].get("/metrics").text().contains(&known).then_some(())
        });
    }

    /// Waits until all tell the same of a room, one page after the other: it takes a minute to read hundreds of thousands
    /// of events from each node, and meanwhile those may part whose connections are over.
    #[track_caller]
    pub fn wait_until_told_alike(&self, room: &str) {
        let mut next = Some(0);
        while let Some(since) = next {
            let (events, has_more) = eventually("all nodes tell the same", || {
                let told = page_of_events(&self[0], room, since);
                (1..self.count()).all(|node| page_of_events(&self[node], room, since) == told).then_some(told)
            });
            next = has_more.then(|| id_of(events.last().expect("more after one of them")));
        }
    }

    pub fn count(&self) -> usize {
        self.running.len()
    }

    pub fn doors(&self) -> Vec<Doors> {
        self.doors.clone()
    }
}

impl Index<usize> for Nodes {
    type Output = Server;

    fn index(&self, node: usize) -> &Server {
        self.running[node].as_ref().expect("it runs")
    }
}

/// A proxy for each of so many nodes, which does no harm before it is told to.
pub fn ways_to(redis: &Redis, count: usize) -> Vec<Proxy> {
    let address = SocketAddr::from(([127, 0, 0, 1], redis.port));
    (0..count).map(|_| Proxy::start_calm(address)).collect()
}

/// A member, and what it was told.
#[track_caller]
pub fn join(server: &Server, join: Value) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::connect(server);
    client.send(join);
    let joined = client.expect("joined");
    (client, joined)
}

/// What somebody is told who is not let in.
#[track_caller]
pub fn refused(server: &Server, join: Value) -> Value {
    let mut client = WebSocketClient::connect(server);
    client.send(join);
    client.expect_where("a refusal", |message| message["type"] == "error")
}

/// Says something, and waits until it is said; returns its id.
#[track_caller]
pub fn say(client: &mut WebSocketClient, text: &str, cid: &str) -> u64 {
    client.send(json!({"type": "message", "text": text, "cid": cid}));
    id_of(&client.expect_where(text, |message| message["type"] == "message" && message["cid"] == cid))
}

pub fn id_of(event: &Value) -> u64 {
    event["id"].as_u64().unwrap_or_else(|| panic!("no id: {event}"))
}

/// The texts of all messages that are kept of a room, as this node tells them.
#[track_caller]
pub fn all_texts(server: &Server, room: &str) -> Vec<String> {
    let texts = all_events(server, room).into_iter().filter(|event| event["type"] == "message");
    texts.map(|event| event["text"].as_str().expect("a text").to_owned()).collect()
}

/// All events that are kept of a room, as this node tells them.
#[track_caller]
pub fn all_events(server: &Server, room: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let (page, has_more) = page_of_events(server, room, events.last().map_or(0, id_of));
        events.extend(page);
        if !has_more {
            return events;
        }
    }
}

/// What a node tells of the events after one, and whether there are more than these.
#[track_caller]
fn page_of_events(server: &Server, room: &str, since: u64) -> (Vec<Value>, bool) {
    let answer = server.get(&format!("/api/v1/rooms/{room}/events?since={since}&limit=500")).json();
    let events = answer["events"].as_array().unwrap_or_else(|| panic!("no events: {answer}"));
    (events.clone(), answer["more"] != false)
}

/// The files in a folder that are shared, which are no marks of programs.
pub fn shared_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.file_name().is_some_and(|name| name.len() == 32)).count()
}
