//! Clients of all three kinds, speaking real bytes, each checking what it is sent.

use std::collections::VecDeque;

use serde_json::{Value, json};
use snugd::reactor::Port;

use super::net::World;
use super::record::Record;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Web,
    Line,
    JsonLine,
}

#[derive(Debug)]
pub struct Client {
    pub kind: Kind,
    pub name: String,
    room: &'static str,
    socket: Option<usize>,
    received: Vec<u8>,
    is_upgraded: bool,
    pub is_joined: bool,
    /// It asked to be let in, was refused, and has not asked again.
    pub was_refused: bool,
    token: Option<String>,
    epoch: Option<String>,
    last: u64,
    said: u32,
    /// Sent, or yet to be sent again, and not acknowledged.
    unacknowledged: VecDeque<String>,
    /// What a terminal was shown since it joined; each time it joined.
    shown: Vec<Vec<String>>,
    reads_history: bool,
}

impl Client {
    pub fn new(kind: Kind, number: usize, room: &'static str) -> Client {
        Client {
            kind,
            name: format!("c{number}"),
            room,
            socket: None,
            received: Vec::new(),
            is_upgraded: false,
            is_joined: false,
            was_refused: false,
            token: None,
            epoch: None,
            last: 0,
            said: 0,
            unacknowledged: VecDeque::new(),
            shown: vec![Vec::new()],
            reads_history: false,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    pub fn connect(&mut self, world: &mut World) {
        self.reset(world);
        let (port, hello) = match self.kind {
            Kind::Web => {
                let request = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
                (Port::Web, request.as_bytes().to_vec())
            }
            Kind::Line => (Port::Line, Vec::new()),
            Kind::JsonLine => (Port::Line, b"/json\n".to_vec()),
        };
        let socket = world.connect(port);
        self.socket = Some(socket);
        world.send(socket, &hello);
        self.join(world);
    }

    /// Asks to be let in; again, if it was refused before.
    pub fn join(&mut self, world: &mut World) {
        let Some(socket) = self.socket else { return };
        self.was_refused = false;
        if self.kind != Kind::Web {
            let token = self.token.clone().filter(|_| self.kind == Kind::JsonLine).unwrap_or_default();
            return world.send(socket, format!("/join {} {} {token}\n", self.room, self.name).as_bytes());
        }
        let mut join = json!({"type": "join", "room": self.room, "name": self.name, "create": true});
        if let (Some(token), Some(epoch)) = (&self.token, &self.epoch) {
            join["token"] = json!(token);
            join["epoch"] = json!(epoch);
            join["since"] = json!(self.last);
        }
        world.send(socket, &frame(&join.to_string()));
        for text in &self.unacknowledged {
            world.send(socket, &message_frame(text));
        }
    }

    fn forget_connection(&mut self) {
        self.socket = None;
        self.received.clear();
        self.is_upgraded = false;
        self.is_joined = false;
        self.was_refused = false;
        if std::mem::replace(&mut self.reads_history, false) {
            // Broken off in the middle of what was said before: that is no part of what is checked.
            self.shown.pop();
        }
        self.shown.push(Vec::new());
        if self.kind != Kind::Web {
            // No terminal sends again what may or may not have been said.
            self.unacknowledged.clear();
        }
    }

    pub fn say(&mut self, world: &mut World) {
        // Before it has its token, a client cannot come back as the same member, so it waits.
        let may_say = self.is_joined || (self.kind == Kind::Web && self.token.is_some());
        let Some(socket) = self.socket.filter(|_| may_say) else { return };
        self.said += 1;
        let text = format!("{}-{}{}", self.name, self.said, "x".repeat(self.said as usize * 37 % 300));
        match self.kind {
            Kind::Web => world.send(socket, &message_frame(&text)),
            Kind::Line => world.send(socket, format!("{text}\r\n").as_bytes()),
            Kind::JsonLine => world.send(socket, format!("{text}\n").as_bytes()),
        }
        self.unacknowledged.push_back(text);
    }

    pub fn type_something(&mut self, world: &mut World) {
        if let (Kind::Web, Some(socket)) = (self.kind, self.socket) {
            world.send(socket, &frame(r#"{"type":"typing"}"#));
            world.send(socket, &[0x89, 0x80, 0, 0, 0, 0]);
        }
    }

    pub fn reset(&mut self, world: &mut World) {
        if let Some(socket) = self.socket {
            world.reset(socket);
            self.forget_connection();
        }
    }

    /// Ends the sending side, as `nc -N` does after its input.
    pub fn end(&mut self, world: &mut World) {
        if let Some(socket) = self.socket {
            world.end(socket);
        }
    }

    /// Reads at most `limit` bytes, and checks what they say.
    pub fn read(&mut self, world: &mut World, limit: usize, record: &mut Record) {
        let Some(socket) = self.socket else { return };
        self.received.extend(world.receive(socket, limit));
        match self.kind {
            Kind::Web => self.read_frames(record),
            Kind::JsonLine => self.read_lines(|client, line| {
                if let Ok(message) = serde_json::from_str(line) {
                    client.note(&message, record);
                }
            }),
            Kind::Line => self.read_lines(Client::note_line),
        }
        if world.is_over(socket) {
            self.forget_connection();
        }
    }

    fn read_frames(&mut self, record: &mut Record) {
        if !self.is_upgraded {
            let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return };
            assert!(self.received.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&self.received));
            self.received.drain(..end + 4);
            self.is_upgraded = true;
        }
        while let [first, second, ..] = self.received[..] {
            let (header, length) = match (second, &self.received[2..]) {
                (126, [high, low, ..]) => (4, usize::from(*high) << 8 | usize::from(*low)),
                (126, _) => return,
                (127, _) if self.received.len() < 10 => return,
                (127, bytes) => (10, u64::from_be_bytes(bytes[..8].try_into().expect("eight")) as usize),
                (length, _) => (2, usize::from(length)),
            };
            if self.received.len() < header + length {
                return;
            }
            let frame: Vec<u8> = self.received.drain(..header + length).collect();
            match first {
                0x81 => {
                    let message = serde_json::from_slice(&frame[header..]).expect("the server sends JSON");
                    self.note(&message, record);
                }
                0x88..=0x8A => (),
                other => panic!("an unexpected frame: {other:#x}"),
            }
        }
    }

    fn read_lines(&mut self, mut note: impl FnMut(&mut Client, &str)) {
        while let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            note(self, std::str::from_utf8(&line).expect("the server sends UTF-8").trim_end());
        }
    }

    fn note(&mut self, message: &Value, record: &mut Record) {
        match message["type"].as_str().expect("a type") {
            "joined" => self.note_joined(message, record),
            "ok" => {
                let text = message["cid"].as_str().expect("a cid").to_owned();
                self.acknowledge(message["id"].as_u64().expect("an id"), &text, record);
            }
            // A terminal may come before the room is made; a member whose token got lost, before its ghost is gone.
            "error" => {
                let code = message["code"].as_str().expect("a code");
                assert!(["no_such_room", "name_taken", "not_joined"].contains(&code), "{message}");
                self.was_refused |= code != "not_joined";
            }
            "message" | "enter" | "part" | "nick" => {
                assert!(self.is_joined, "an event before the room was joined: {message}");
                self.note_event(message, record);
            }
            _ => (),
        }
    }

    fn note_joined(&mut self, message: &Value, record: &mut Record) {
        let epoch = message["epoch"].as_str().expect("an epoch").to_owned();
        let continues = self.kind == Kind::Web && self.epoch.as_ref() == Some(&epoch);
        let events = message["events"].as_array().expect("events");
        let last = message["last"].as_u64().expect("last");
        if continues {
            assert_eq!(message["gap"], false, "nothing is old enough to be gone");
        } else {
            // A new room, or a client that did not say what it has: it begins where the events begin.
            self.last = last - events.len() as u64;
        }
        self.epoch = Some(epoch);
        self.token = Some(message["token"].as_str().expect("a token").to_owned());
        self.is_joined = true;
        for event in events {
            self.note_event(event, record);
        }
        assert_eq!(self.last, last, "the events lead up to the last one");
    }

    fn note_event(&mut self, event: &Value, record: &mut Record) {
        let id = event["id"].as_u64().expect("an id");
        assert_eq!(id, self.last + 1, "{} is sent events in order, each once", self.name);
        self.last = id;
        let name = event["name"].as_str().expect("a name");
        let text = event["text"].as_str().unwrap_or_default();
        let life = self.epoch.clone().expect("joined");
        record.see(&life, id, format!("{} {name} {text}", event["type"].as_str().expect("a type")).trim());
        if name == self.name && event["type"] == "message" {
            self.acknowledge(id, text, record);
        }
    }

    fn acknowledge(&mut self, id: u64, text: &str, record: &mut Record) {
        self.unacknowledged.retain(|waiting| cid(waiting) != cid(text));
        record.acknowledge(self.epoch.as_deref().expect("joined"), id, text);
    }

    fn note_line(&mut self, line: &str) {
        let shown = self.shown.last_mut().expect("one for each connection");
        if line.contains("Invite: ") {
            self.is_joined = true;
            self.reads_history = true;
        } else if line == "* -- now --" {
            self.reads_history = false;
            shown.clear();
        } else if line.starts_with("! ") || line.contains(": ! ") {
            self.was_refused = true;
        } else if let Some((_, said)) = line.split_once("> ").filter(|_| !line.starts_with('*')) {
            shown.push(said.to_owned());
        }
    }

    /// What a terminal was shown as it was said, each time it was connected.
    pub fn shown_live(&self) -> &[Vec<String>] {
        &self.shown[..self.shown.len() - usize::from(self.reads_history)]
    }

    /// Whether a client that stays connected has nothing left to wait for.
    pub fn is_settled(&self, record: &Record) -> bool {
        match self.kind {
            Kind::Web | Kind::JsonLine => {
                self.is_joined
                    && self.unacknowledged.is_empty()
                    && self.last == record.last_id(self.epoch.as_deref().unwrap_or_default())
            }
            Kind::Line => self.is_joined,
        }
    }
}

fn message_frame(text: &str) -> Vec<u8> {
    // The text is its own id: at most 64 bytes of it, which tell it from every other.
    frame(&json!({"type": "message", "text": text, "cid": cid(text)}).to_string())
}

fn cid(text: &str) -> &str {
    &text[..text.len().min(64)]
}

fn frame(payload: &str) -> Vec<u8> {
    let mask = [7, 1, 9, 4];
    let mut bytes = vec![0x81];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => bytes.extend([0x80 | 126, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(mask);
    bytes.extend(payload.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
