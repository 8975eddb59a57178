//! A protocol that is in several rooms over one connection, and clients who speak it: for the simulation alone, as long
//! as no protocol of the program does so.
//!
//! Lines go in: `join CODE NAME TOKEN EPOCH SINCE`, `say CODE CID TEXT`, `history CODE BEFORE LIMIT`, `leave CODE`; what
//! is not known is `-`. Lines come out: a room's code, or `-`, a space, and one of the contract's objects.

use std::collections::BTreeMap;

use serde_json::Value;
use snugd::json as contract;
use snugd::options::Limits;
use snugd::rooms::{
    Command, Encoder, EncoderId, Epoch, Event, Join, JoinTarget, Kind, MessageKey, Name, Reply, RoomCode, RoomCommand,
    RoomRef, Rooms, Span, Text, Token,
};
use snugd::session_api::{Flow, Input, Protocol, Step};
use snugd::time::Now;

use crate::history::{Asked, Has, History, Life};

/// The place of [`TaggedLines`] behind the program's own encoders.
pub const TAGGED_LINES: EncoderId = EncoderId(3);

/// The rooms that each of these clients is in.
pub const ROOMS: [&str; 3] = ["KXQT", "BCDF", "GHJK"];

/// Events as lines that begin with the room's code.
pub struct TaggedLines;

impl Encoder for TaggedLines {
    fn encode_event(&self, room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        tagged(room.as_str(), out, |out| contract::write_event(*room, event, out));
    }
}

fn tagged(tag: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend(tag.as_bytes());
    out.push(b' ');
    write(out);
    out.push(b'\n');
}

/// One session.
struct Several;

/// Begins a session.
pub fn new_session(_now: Now, _outbox: &mut Vec<u8>) -> Box<dyn Protocol> {
    Box::new(Several)
}

fn read(line: &str) -> Option<Command> {
    let mut words = line.splitn(4, ' ');
    let (verb, code) = (words.next()?, RoomCode::parse(words.next()?)?);
    match verb {
        "join" => {
            let name = Name::parse(words.next()?);
            let mut known = words.next()?.split(' ');
            let (token, epoch) = (Token::parse(known.next()?), Epoch::parse(known.next()?));
            let since = known.next()?.parse().ok();
            let target = JoinTarget::CodeOrNew(code);
            let (stays_elsewhere, keeps_name) = (true, false);
            Some(Command::Join(Box::new(Join {
                target,
                stays_elsewhere,
                name,
                keeps_name,
                token,
                since,
                epoch,
                key: None,
            })))
        }
        "say" => {
            let cid = MessageKey::parse(words.next()?);
            let text = Text::clean(words.next()?, 4096).ok()?;
            Some(Command::In(RoomRef::Code(code), RoomCommand::Say { kind: Kind::Say, text, cid, reply_to: None }))
        }
        "history" => {
            let (before, limit) = (words.next()?.parse().ok(), words.next()?.parse().ok()?);
            Some(Command::In(RoomRef::Code(code), RoomCommand::History(Span { since: None, before, limit })))
        }
        "leave" => Some(Command::In(RoomRef::Code(code), RoomCommand::Leave)),
        _ => None,
    }
}

impl Protocol for Several {
    fn receive(&mut self, input: &mut Input<'_>, _now: Now, _outbox: &mut Vec<u8>) -> Step {
        let Some(end) = input.rest().iter().position(|&byte| byte == b'\n') else { return Step::NeedInput };
        let line = String::from_utf8(input.rest()[..end].to_vec()).expect("the client sends UTF-8");
        input.consume(end + 1);
        Step::Command(read(&line).expect("the client sends commands"))
    }

    fn reply(&mut self, reply: Reply, rooms: &Rooms, _now: Now, outbox: &mut Vec<u8>) -> Flow {
        match reply {
            Reply::Joined { membership, token, last, events, gap, .. } => {
                let room = rooms.room(membership.room);
                let member = room.member(membership.author).expect("who joined is a member");
                let limits = &Limits::default();
                let joined = contract::Joined { room, member, token, last, events: &events, gap, limits };
                tagged(room.code().as_str(), outbox, |out| contract::write_joined(&joined, out));
            }
            Reply::Refused { refusal, cid, .. } => {
                tagged("-", outbox, |out| contract::write_refusal(&refusal, cid.as_ref().map(MessageKey::as_str), out));
            }
            Reply::AlreadySaid { cid, id } => tagged("-", outbox, |out| contract::write_ok(&cid, id, out)),
            Reply::Kicked { membership, .. } | Reply::TakenOver { membership } => {
                let code = rooms.room(membership.room).code();
                tagged(code.as_str(), outbox, |out| out.extend(b"{\"type\":\"taken_over\"}"));
            }
            Reply::History { code, events, more } => {
                tagged("-", outbox, |out| contract::write_history(code, &events, more, out));
            }
            Reply::Left { code, .. } => tagged(code.as_str(), outbox, |out| out.extend(b"{\"type\":\"left\"}")),
            other => panic!("nobody asked for {other:?}"),
        }
        Flow::Continue
    }

    fn say_too_slow(&self, outbox: &mut Vec<u8>) {
        outbox.extend(b"- {\"type\":\"too_slow\"}\n");
    }

    fn encoder(&self) -> EncoderId {
        TAGGED_LINES
    }
}

// ---- the client

/// A client in three rooms at once.
pub struct SeveralClient {
    number: usize,
    pub socket: Option<usize>,
    received: Vec<u8>,
    output: Vec<u8>,
    rooms: BTreeMap<&'static str, Membership>,
    /// Rooms that it has asked to join over this connection, in this order, and was not answered for.
    joining: Vec<&'static str>,
    /// It has asked for older events of this room.
    asked: Option<(&'static str, Asked)>,
    said: usize,
}

/// What it knows of one room.
#[derive(Default)]
struct Membership {
    token: Option<String>,
    has: Option<(Life, u64)>,
    /// What it said that it has when it last asked to be let in.
    offered: Option<Has>,
    is_joined: bool,
    unacknowledged: Vec<(String, String)>,
    /// What was said as the member that it is.
    texts: BTreeMap<String, String>,
}

/// In the history, each room of a connection is a connection of its own.
fn connection(socket: usize, room: &str) -> usize {
    let place = ROOMS.iter().position(|known| *known == room).expect("one of the rooms");
    1_000_000 + socket * ROOMS.len() + place
}

impl SeveralClient {
    pub fn new(number: usize) -> SeveralClient {
        let rooms = ROOMS.iter().map(|room| (*room, Membership::default())).collect();
        let (received, output, joining) = (Vec::new(), Vec::new(), Vec::new());
        SeveralClient { number, socket: None, received, output, rooms, joining, asked: None, said: 0 }
    }

    fn name(&self) -> String {
        format!("s{}", self.number)
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub fn connect(&mut self, socket: usize, history: &mut History) {
        self.socket = Some(socket);
        (self.received, self.output) = (Vec::new(), Vec::new());
        (self.joining, self.asked) = (Vec::new(), None);
        for room in ROOMS {
            history.note_connected(connection(socket, room));
            self.membership(room).is_joined = false;
            self.join(room, history);
        }
    }

    fn membership(&mut self, room: &str) -> &mut Membership {
        self.rooms.get_mut(room).expect("one of its rooms")
    }

    fn join(&mut self, room: &'static str, history: &History) {
        let name = self.name();
        let membership = self.membership(room);
        let has = membership.has.as_ref().filter(|_| membership.token.is_some());
        membership.offered = has.map(|(life, id)| history.has(life, *id));
        let token = membership.token.as_deref().unwrap_or("-");
        let (epoch, since) = match has {
            Some(((_, epoch), since)) => (epoch.clone(), since.to_string()),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let line = format!("join {room} {name} {token} {epoch} {since}\n");
        self.output.extend(line.as_bytes());
        self.joining.push(room);
    }

    /// Asks again to be let into the rooms that it is in none of.
    pub fn join_again(&mut self, history: &History) {
        if self.waits_for_nothing() {
            for room in ROOMS {
                if !self.rooms[room].is_joined {
                    self.join(room, history);
                }
            }
        }
    }

    fn waits_for_nothing(&self) -> bool {
        self.socket.is_some() && self.joining.is_empty() && self.asked.is_none()
    }

    /// Asks for the last events of a room, or for those before some event.
    pub fn ask(&mut self, room: &'static str, before: Option<u64>, limit: u64) {
        if let Some((_, known)) = self.rooms[room].has.clone()
            && self.rooms[room].is_joined
            && self.waits_for_nothing()
        {
            let before = before.map(|before| before.min(known + 1));
            self.asked = Some((room, Asked { before, known }));
            let before = before.map_or("-".to_owned(), |before| before.to_string());
            self.output.extend(format!("history {room} {before} {limit}\n").as_bytes());
        }
    }

    /// Leaves a room for good, and is nobody that it knows from here on.
    pub fn leave(&mut self, room: &'static str) {
        if self.rooms[room].is_joined && self.waits_for_nothing() {
            let texts = std::mem::take(&mut self.membership(room).texts);
            *self.membership(room) = Membership { texts, ..Membership::default() };
            self.output.extend(format!("leave {room}\n").as_bytes());
        }
    }

    pub fn say(&mut self, room: &'static str, bytes: usize, history: &mut History) {
        self.said += 1;
        let (cid, mark) = (self.said.to_string(), format!("{}-{room}-{}-", self.name(), self.said));
        let membership = self.membership(room);
        if !membership.is_joined {
            return;
        }
        let text = format!("{mark:-<bytes$}");
        history.note_sent(&text);
        membership.texts.insert(cid.clone(), text.clone());
        membership.unacknowledged.push((cid.clone(), text.clone()));
        self.output.extend(format!("say {room} {cid} {text}\n").as_bytes());
    }

    fn say_again(&mut self, room: &str, history: &mut History) {
        let mut lines = String::new();
        for (cid, text) in &self.rooms[room].unacknowledged {
            history.note_sent(text);
            lines += &format!("say {room} {cid} {text}\n");
        }
        self.output.extend(lines.as_bytes());
    }

    /// The connection is over.
    pub fn lose(&mut self) {
        self.socket = None;
        (self.joining, self.asked) = (Vec::new(), None);
    }

    pub fn receive(&mut self, bytes: &[u8], history: &mut History) {
        self.received.extend(bytes);
        while let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            let line = String::from_utf8(line).expect("whole lines of UTF-8");
            let (tag, object) = line.trim_end().split_once(' ').expect("a tagged line");
            let object: Value = serde_json::from_str(object).unwrap_or_else(|_| panic!("torn: {line:?}"));
            self.note(tag, &object, history);
        }
    }

    /// The connection has ended in good order.
    pub fn check_whole(&self) {
        assert!(self.received.is_empty(), "torn: {:?}", String::from_utf8_lossy(&self.received));
    }

    fn note(&mut self, tag: &str, object: &Value, history: &mut History) {
        let Some(socket) = self.socket else { return };
        let kind = object["type"].as_str().expect("a type").to_owned();
        match kind.as_str() {
            "joined" => {
                self.joining.remove(0);
                let life = (tag.to_owned(), object["epoch"].as_str().expect("an epoch").to_owned());
                let membership = self.membership(tag);
                let offered = membership.offered.take();
                if membership.has.as_ref().is_some_and(|(known, _)| *known != life) {
                    // Everything was lost: what it said before, another said.
                    membership.unacknowledged.clear();
                }
                membership.token = Some(object["token"].as_str().expect("a token").to_owned());
                membership.has = Some((life.clone(), object["last"].as_u64().expect("an id")));
                membership.is_joined = true;
                history.note_joined(connection(socket, tag), &life, object, offered);
                for event in object["events"].as_array().expect("events") {
                    self.acknowledge(tag, event, history);
                }
                self.say_again(tag, history);
            }
            "message" | "file" | "enter" | "part" | "nick" | "edit" | "delete" | "reaction" | "topic" | "mode"
            | "kick" => {
                history.note_received(connection(socket, tag), object);
                let id = object["id"].as_u64().expect("an id");
                if let Some((_, has)) = &mut self.membership(tag).has {
                    *has = id;
                }
                self.acknowledge(tag, object, history);
            }
            "ok" => {
                let cid = object["cid"].as_str().expect("a cid").to_owned();
                let room =
                    ROOMS.into_iter().find(|room| self.rooms[room].texts.contains_key(&cid)).expect("it said it");
                self.note_acknowledged(room, &cid, object["id"].as_u64().expect("an id"), history);
            }
            "error" => match object["cid"].as_str() {
                Some(cid) => {
                    let text = self.rooms.values().find_map(|membership| membership.texts.get(cid));
                    let code = object["code"].as_str().expect("a code");
                    history.note_refused(text.expect("it said it"), code);
                    for membership in self.rooms.values_mut() {
                        membership.unacknowledged.retain(|(waiting, _)| waiting != cid);
                    }
                }
                None if self.asked.is_some() => self.asked = None,
                // It wanted to leave a room into which it came from elsewhere meanwhile.
                None if object["code"] == "not_joined" => (),
                None => drop(self.joining.remove(0)),
            },
            "history" => {
                let (room, asked) = self.asked.take().expect("it asked for it");
                let (life, _) = self.rooms[room].has.clone().expect("it is in the room");
                history.note_recalled(connection(socket, room), &life, asked, object);
            }
            "taken_over" => self.membership(tag).is_joined = false,
            "left" | "too_slow" => (),
            other => panic!("unexpected: {other}"),
        }
    }

    fn acknowledge(&mut self, room: &str, event: &Value, history: &mut History) {
        let own = format!("{}-", self.name());
        if event["text"].as_str().is_some_and(|text| text.starts_with(&own)) {
            let cid = event["cid"].as_str().expect("its own id").to_owned();
            self.note_acknowledged(room, &cid, event["id"].as_u64().expect("an id"), history);
        }
    }

    fn note_acknowledged(&mut self, room: &str, cid: &str, id: u64, history: &mut History) {
        let membership = self.membership(room);
        membership.unacknowledged.retain(|(waiting, _)| waiting != cid);
        if let (Some((life, _)), Some(text)) = (&membership.has, membership.texts.get(cid)) {
            history.note_acknowledged(life, id, text);
        }
    }

    /// Whether it has nothing left to wait for.
    pub fn is_settled(&self, history: &History) -> bool {
        self.rooms.values().all(|membership| {
            let has_all = membership.has.as_ref().is_some_and(|(life, id)| *id == history.last_id(life));
            membership.is_joined && has_all && membership.unacknowledged.is_empty()
        })
    }
}
