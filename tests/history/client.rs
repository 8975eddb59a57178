//! Clients of all three kinds, speaking real bytes over whatever carries them, and logging what happens to them.
//!
//! A client is told what to do, which bytes have come, and that a connection is gone; what it sends is taken with
//! [`Client::take_output`]. It keeps what it could not be sure of, and sends it again when it is back.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Asked, Has, History, Life, Searched, amendments, is_said};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A WebSocket that comes back with what it has, and sends again.
    Web,
    /// A person at a terminal, who comes back as somebody new.
    Line,
    /// A program at a terminal, which comes back by its token.
    JsonLine,
}

/// One member of a room, over as many connections as it takes.
#[derive(Debug)]
pub struct Client {
    pub kind: Kind,
    room: String,
    own_name: String,
    /// Its name in the room.
    name: String,
    /// What its texts begin with: no other client's do.
    mark: String,
    /// Over a connection before the one that it uses it asked for more than to say something, and does not know what has
    /// become of that.
    was_unanswered: bool,
    link: Option<Link>,
    /// Connections that it does not use any more, and that are not over yet.
    former_links: Vec<Link>,
    output: Vec<(usize, Vec<u8>)>,
    /// Makes the room if it is not there.
    pub creates: bool,
    /// It may come to a server that stops, or has stood still, which tells it so.
    pub meets_stopping: bool,
    token: Option<String>,
    /// Its number in the room.
    author: Option<u64>,
    /// Messages of its own that it may change.
    own_messages: Vec<u64>,
    /// The last event that it has.
    has: Option<(Life, u64)>,
    /// Everything that it has said as this member. The client id of each text is its place, counted from one: an id
    /// says nothing without its member.
    texts: Vec<String>,
    /// Texts that it has said before, as other members.
    said_before: usize,
    unacknowledged: VecDeque<Message>,
}

/// One connection.
#[derive(Debug)]
struct Link {
    number: usize,
    received: Vec<u8>,
    is_upgraded: bool,
    /// The server has sent its close frame.
    is_closed: bool,
    life: Option<Life>,
    is_joined: bool,
    /// It asked to be let in, was refused, and has not asked again.
    was_refused: bool,
    /// It said that it leaves.
    leaves: bool,
    /// It was thrown out.
    was_kicked: bool,
    /// Texts that it had said as other members, when this connection was made.
    said_before: usize,
    /// Texts that it had said altogether, when this connection was made.
    said: usize,
    /// What it said that it has.
    offered: Option<Has>,
    /// It asked for older events.
    asked: Option<Asked>,
    /// It searched.
    searched: Option<Searched>,
    /// It asked for all that there is, and has not reached the first event.
    recalls: bool,
    has_recalled: bool,
    /// It asked for another name.
    renames: bool,
    /// It asked for something that operators do, and has seen neither that nor an error.
    moderates: bool,
    /// It may be refused something here that it asked for over a former connection.
    may_hear_of_former: bool,
    /// What a terminal was shown since it joined.
    shown: Vec<String>,
    reads_history: bool,
}

#[derive(Debug)]
struct Message {
    cid: String,
    text: String,
    about: About,
    /// It was refused the last time, and is waiting to be sent again.
    was_refused: bool,
}

/// Which other message a text is about.
#[derive(Clone, Copy, Debug)]
enum About {
    None,
    /// It replies to this one.
    ReplyTo(u64),
    /// It takes the place of this one.
    Edit(u64),
}

/// The client's id of what nothing depends on.
const NO_MATTER: &str = "0";

impl Client {
    pub fn new(kind: Kind, number: usize, room: &str) -> Client {
        let name = format!("c{number}");
        Client {
            kind,
            room: room.to_owned(),
            own_name: name.clone(),
            name,
            mark: format!("c{number}-"),
            was_unanswered: false,
            link: None,
            former_links: Vec::new(),
            output: Vec::new(),
            creates: true,
            meets_stopping: false,
            token: None,
            author: None,
            own_messages: Vec::new(),
            has: None,
            texts: Vec::new(),
            said_before: 0,
            unacknowledged: VecDeque::new(),
        }
    }

    // ---- its connections

    /// The connection that it uses.
    pub fn link(&self) -> Option<usize> {
        self.link.as_ref().map(|link| link.number)
    }

    /// Connections that it does not use any more, and that are not over.
    pub fn former_links(&self) -> Vec<usize> {
        self.former_links.iter().map(|link| link.number).collect()
    }

    /// Every connection that is not over, the one it uses last.
    pub fn links(&self) -> Vec<usize> {
        self.former_links.iter().chain(&self.link).map(|link| link.number).collect()
    }

    pub fn is_joined(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_joined)
    }

    pub fn was_refused(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.was_refused)
    }

    /// The room, and by what it is known there, if it is there.
    pub fn room_and_token(&self) -> Option<(String, String)> {
        self.token.clone().filter(|_| self.is_joined()).map(|token| (self.room.clone(), token))
    }

    /// Whether a second connection would be let in as the same member.
    pub fn can_take_over(&self) -> bool {
        self.token.is_some() && self.kind != Kind::Line && self.link.as_ref().is_none_or(|link| !link.leaves)
    }

    /// What is to be sent, and over which connection.
    pub fn take_output(&mut self) -> Vec<(usize, Vec<u8>)> {
        std::mem::take(&mut self.output)
    }

    fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        if let Some(link) = &self.link {
            self.output.push((link.number, bytes.into()));
        }
    }

    /// Uses a new connection from here on; the one before is left to itself.
    pub fn connect(&mut self, number: usize, history: &mut History) {
        history.note_connected(number);
        let former = self.link.take();
        self.was_unanswered |= former.as_ref().is_some_and(Link::is_unanswered);
        let may_hear_of_former = self.was_unanswered;
        self.former_links.extend(former);
        self.link = Some(Link {
            number,
            received: Vec::new(),
            is_upgraded: false,
            is_closed: false,
            life: None,
            is_joined: false,
            was_refused: false,
            leaves: false,
            was_kicked: false,
            said_before: self.said_before,
            said: self.said(),
            offered: None,
            asked: None,
            searched: None,
            recalls: false,
            has_recalled: false,
            renames: false,
            moderates: false,
            may_hear_of_former,
            shown: Vec::new(),
            reads_history: false,
        });
        match self.kind {
            Kind::Web => self.send(
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            ),
            Kind::Line => (),
            Kind::JsonLine => self.send("/json\n"),
        }
        self.join(history);
    }

    /// The connection is over.
    pub fn lose(&mut self, number: usize, history: &mut History) {
        self.former_links.retain(|link| link.number != number);
        let Some(link) = self.link.take_if(|link| link.number == number) else { return };
        self.was_unanswered |= link.is_unanswered();
        if self.kind == Kind::Line && !link.reads_history {
            let own = link.shown.iter().find(|text| self.number_of(text).is_some_and(|number| number > link.said));
            assert_eq!(own, None, "nobody at a terminal is shown what it says itself");
            history.note_shown(number, &self.room, &self.mark, link.shown);
        }
        if self.kind != Kind::Web {
            // No terminal sends again what may or may not have been said.
            self.unacknowledged.clear();
        }
        if link.leaves || link.was_kicked || self.kind == Kind::Line {
            self.forget_membership();
        }
    }

    /// Which of its own texts this is, counted from one.
    fn number_of(&self, text: &str) -> Option<usize> {
        text.strip_prefix(&self.mark)?.split('-').next()?.parse().ok()
    }

    /// From here on it is nobody that the room knows.
    fn forget_membership(&mut self) {
        self.token = None;
        self.has = None;
        self.author = None;
        self.own_messages.clear();
        self.name = self.own_name.clone();
        // Under another token they would be another's.
        self.unacknowledged.clear();
        self.said_before += std::mem::take(&mut self.texts).len();
    }

    // ---- what it does

    /// Asks to be let in; again, if it was refused before.
    pub fn join(&mut self, history: &mut History) {
        let Some(link) = &mut self.link else { return };
        link.was_refused = false;
        let has = self.has.as_ref().filter(|_| self.kind == Kind::Web && self.token.is_some());
        link.offered = has.map(|(life, id)| history.has(life, *id));
        if self.kind != Kind::Web {
            let token = self.token.as_deref().unwrap_or_default();
            let line = format!("/join {} {} {token}", self.room, self.name);
            return self.send(format!("{}\n", line.trim_end()));
        }
        let mut join = json!({"type": "join", "room": self.room, "name": self.name});
        if self.creates {
            join["create"] = json!(true);
        }
        if let Some(token) = &self.token {
            join["token"] = json!(token);
        }
        if let Some(Has { life: (_, epoch), id, .. }) = &link.offered {
            join["epoch"] = json!(epoch);
            join["since"] = json!(id);
        }
        self.send(frame(&join.to_string()));
        self.send_again(|_| true, history);
    }

    /// Sends again what was refused.
    pub fn retry(&mut self, history: &mut History) {
        if self.is_joined() {
            self.send_again(|message| message.was_refused, history);
        }
    }

    /// Gives up what was refused.
    pub fn discard(&mut self) {
        self.unacknowledged.retain(|message| !message.was_refused);
    }

    fn send_again(&mut self, is_wanted: impl Fn(&Message) -> bool, history: &mut History) {
        let mut frames = Vec::new();
        for message in self.unacknowledged.iter_mut().filter(|message| is_wanted(message)) {
            message.was_refused = false;
            history.note_sent(&message.text);
            frames.push(message.frame());
        }
        for frame in frames {
            self.send(frame);
        }
    }

    /// Says a text that nobody has said before. It is padded to `bytes` at least.
    pub fn say(&mut self, bytes: usize, history: &mut History) {
        self.say_about(bytes, About::None, "", history);
    }

    /// `line`: what a terminal types before it.
    fn say_about(&mut self, bytes: usize, about: About, line: &str, history: &mut History) {
        // Before it has its token, a client cannot come back as the same member, so it waits.
        let may_say = self.is_joined() || (self.kind == Kind::Web && self.token.is_some());
        if !may_say || self.link.as_ref().is_none_or(|link| link.leaves) {
            return;
        }
        let number = self.said() + 1;
        let text = format!("{:-<bytes$}", format!("{}{number}-", self.mark));
        self.texts.push(text.clone());
        let message = Message { cid: self.texts.len().to_string(), text: text.clone(), about, was_refused: false };
        history.note_sent(&text);
        match self.kind {
            Kind::Web => self.send(message.frame()),
            Kind::Line => self.send(format!("{line}{text}\r\n")),
            Kind::JsonLine => self.send(format!("{line}{text}\n")),
        }
        self.unacknowledged.push_back(message);
    }

    /// Corrects, deletes, answers or reacts to something that was said. `choice` and `which` are drawn by chance.
    pub fn amend(&mut self, choice: u32, which: u64, history: &mut History) {
        if !self.is_joined() || self.link.as_ref().is_none_or(|link| link.leaves) {
            return;
        }
        let any = 1 + which % (self.last_id() + 1);
        let own = self.own_messages.get(which as usize % self.own_messages.len().max(1)).copied();
        let (emoji, on) = (["👍", "🎉"][which as usize % 2], !which.is_multiple_of(3));
        match (self.kind, choice % 4) {
            (Kind::Web, 0) => self.say_about(which as usize % 60, About::ReplyTo(any), "", history),
            (Kind::Web, 1) => {
                let react = json!({"type": "react", "of": any, "emoji": emoji, "on": on, "cid": NO_MATTER});
                self.send(frame(&react.to_string()));
            }
            (Kind::Web, 2) => {
                let edited = own.unwrap_or(any);
                self.say_about(which as usize % 200, About::Edit(edited), "", history);
            }
            (Kind::Web, _) => {
                let delete = json!({"type": "delete", "of": own.unwrap_or(any), "cid": NO_MATTER});
                self.send(frame(&delete.to_string()));
            }
            (_, 0) => self.say_about(which as usize % 60, About::None, "/reply ", history),
            (_, 1) => self.send(format!("/react {emoji}\n")),
            (_, 2) => self.say_about(which as usize % 60, About::None, "/edit ", history),
            (_, _) => self.send("/delete\n"),
        }
    }

    pub fn type_something(&mut self) {
        if self.kind == Kind::Web {
            self.send(frame(r#"{"type":"typing"}"#));
            self.send([0x89, 0x80, 0, 0, 0, 0]);
        }
    }

    /// Asks for another name.
    pub fn rename(&mut self, name: &str) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_free()) else { return };
        link.renames = true;
        match self.kind {
            Kind::Web => self.send(frame(&json!({"type": "nick", "name": name}).to_string())),
            _ => self.send(format!("/nick {name}\n")),
        }
    }

    /// Asks for older events.
    pub fn ask(&mut self, before: Option<u64>, limit: u64) {
        let known = self.last_id();
        let Some(link) = self.link.as_mut().filter(|link| self.kind == Kind::Web && link.is_free()) else { return };
        link.asked = Some(Asked { before, known });
        let mut ask = json!({"type": "history", "limit": limit});
        if let Some(before) = before {
            ask["before"] = json!(before);
        }
        self.send(frame(&ask.to_string()));
    }

    /// Searches for what somebody has said.
    pub fn search(&mut self, words: String, before: Option<u64>, limit: u64) {
        let known = self.last_id();
        let Some(link) = self.link.as_mut().filter(|link| self.kind == Kind::Web && link.is_free()) else { return };
        let mut search = json!({"type": "search", "text": words, "limit": limit});
        if let Some(before) = before {
            search["before"] = json!(before);
        }
        link.searched = Some(Searched { words, before, known });
        self.send(frame(&search.to_string()));
    }

    /// The last id that it was sent.
    pub fn last_id(&self) -> u64 {
        self.has.as_ref().map_or(0, |(_, id)| *id)
    }

    /// Asks for the whole record, piece by piece, if it is not at it already.
    pub fn recall(&mut self) {
        if let Some(link) = &mut self.link
            && !link.has_recalled
            && link.asked.is_none()
            && link.searched.is_none()
        {
            link.recalls = true;
            self.ask(None, 200);
        }
    }

    /// Nothing is under way any more that it asked for over connections that are over.
    pub fn forget_former(&mut self) {
        self.was_unanswered = false;
        self.link.iter_mut().for_each(|link| link.may_hear_of_former = false);
    }

    /// Whether it has seen the whole record since it connected.
    pub fn has_recalled(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.has_recalled)
    }

    /// Asks for something that only operators may do, about whoever goes by this name.
    pub fn moderate(&mut self, action: &str, name: &str, seconds: u64) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_free()) else { return };
        // A person at a terminal is told neither in a way that could be told from what others do.
        link.moderates = self.kind != Kind::Line;
        if self.kind == Kind::Web {
            let mut moderate = json!({"type": "moderate", "action": action, "name": name, "value": "so be it"});
            if matches!(action, "ban" | "mute") {
                moderate["seconds"] = json!(seconds);
            }
            return self.send(frame(&moderate.to_string()));
        }
        self.send(match action {
            "topic" => "/topic so be it\n".to_owned(),
            "ban" | "mute" => format!("/{action} {name} {seconds}s\n"),
            _ => format!("/{action} {name}\n"),
        });
    }

    /// Leaves the room for good. What it said last may be said or not.
    pub fn leave(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_joined && !link.leaves) else { return };
        link.leaves = true;
        match self.kind {
            Kind::Web => self.send(frame(r#"{"type":"leave"}"#)),
            _ => self.send("/quit\n"),
        }
    }

    // ---- what happens to it

    /// Takes what has come over one of its connections.
    pub fn receive(&mut self, number: usize, bytes: &[u8], history: &mut History) {
        let is_current = self.link() == Some(number);
        let taken = match is_current {
            true => self.link.take(),
            false => {
                let place = self.former_links.iter().position(|link| link.number == number);
                place.map(|place| self.former_links.swap_remove(place))
            }
        };
        let Some(mut link) = taken else { return };
        link.received.extend_from_slice(bytes);
        let messages = match self.kind {
            Kind::Web => link.take_frames(self.meets_stopping),
            // What comes before it has asked for JSON is for people.
            Kind::JsonLine => link.take_lines().iter().filter(|line| line.starts_with('{')).map(read_object).collect(),
            Kind::Line => {
                let lines = link.take_lines();
                lines.iter().for_each(|line| link.note_line(line));
                Vec::new()
            }
        };
        // What it answers goes out over the connection that it uses.
        let number = link.number;
        match is_current {
            true => self.link = Some(link),
            false => self.former_links.push(link),
        }
        for message in messages {
            self.note(number, &message, history);
        }
    }

    /// The server has ended this connection in good order: nothing is torn.
    pub fn check_whole(&self, number: usize) {
        let link = self.link.iter().chain(&self.former_links).find(|link| link.number == number);
        let Some(link) = link else { return };
        let is_torn = match self.kind {
            Kind::Web => link.is_upgraded && !link.received.is_empty(),
            Kind::JsonLine => link.received.starts_with(b"{"),
            // What it is asked ends without a line's end.
            Kind::Line => false,
        };
        assert!(!is_torn, "torn by the end: {:?}", String::from_utf8_lossy(&link.received));
    }

    fn find_link(&mut self, number: usize) -> Option<&mut Link> {
        self.link.iter_mut().chain(&mut self.former_links).find(|link| link.number == number)
    }

    /// Whether what is said over this connection is about the member that the client is now.
    fn is_of_this_member(&mut self, number: usize) -> bool {
        let said_before = self.said_before;
        self.find_link(number).is_some_and(|link| link.said_before == said_before)
    }

    fn note(&mut self, number: usize, message: &Value, history: &mut History) {
        match message["type"].as_str().expect("a type") {
            "joined" => self.note_joined(number, message, history),
            "ok" if self.is_of_this_member(number) => {
                let cid = message["cid"].as_str().expect("a cid");
                let id = message["id"].as_u64().expect("an id");
                if self.link() == Some(number) {
                    // What it asked for before is answered before.
                    self.forget_former();
                }
                if let Some(waiting) = self.unacknowledged.iter().find(|waiting| waiting.cid == cid) {
                    let text = waiting.text.clone();
                    self.acknowledge(number, id, &text, history);
                }
            }
            "error" => self.note_error(number, message, history),
            "message" | "file" | "enter" | "part" | "nick" | "edit" | "delete" | "reaction" | "topic" | "mode"
            | "kick" => {
                history.note_received(number, message);
                self.note_event(number, message, history);
            }
            "history" => self.note_history(number, message, history),
            "search" => {
                let link = self.find_link(number).expect("something has come over it");
                let (life, searched) = (link.life.clone(), link.searched.take());
                let (life, searched) = life.zip(searched).unwrap_or_else(|| panic!("nobody searched for {message}"));
                history.note_found(number, &life, searched, message);
            }
            _ => (),
        }
    }

    fn note_joined(&mut self, number: usize, message: &Value, history: &mut History) {
        let epoch = message["epoch"].as_str().expect("an epoch").to_owned();
        let life = (self.room.clone(), epoch);
        let is_current = self.link() == Some(number);
        let Some(link) = self.find_link(number) else { return };
        link.life = Some(life.clone());
        link.is_joined = true;
        link.was_refused = false;
        history.note_joined(number, &life, message, link.offered.clone());
        if is_current {
            self.token = Some(message["token"].as_str().expect("a token").to_owned());
            self.name = message["name"].as_str().expect("a name").to_owned();
            let last = message["last"].as_u64().expect("a last id");
            if self.has.as_ref().is_some_and(|(known, _)| *known != life) {
                self.own_messages.clear();
            }
            self.author = message["author"].as_u64();
            self.has = Some((life, last));
        }
        self.acknowledge_all(number, &message["events"], history);
    }

    fn note_event(&mut self, number: usize, event: &Value, history: &mut History) {
        let id = event["id"].as_u64().expect("an id");
        let is_current = self.link() == Some(number);
        // A deletion is asked for by itself.
        if is_current && event["type"] != "delete" && event["by"] == self.name.as_str() {
            self.link.iter_mut().for_each(|link| link.moderates = false);
        }
        if is_current && let Some((_, last)) = &mut self.has {
            *last = id.max(*last);
        }
        if is_current && is_said(event) && event["author"].as_u64() == self.author {
            self.own_messages.push(id);
        }
        match event["text"].as_str() {
            Some(text) if (event["type"] == "message" || event["type"] == "edit") && text.starts_with(&self.mark) => {
                if is_current {
                    self.forget_former();
                }
                self.acknowledge(number, id, text, history)
            }
            Some(_) => (),
            None if is_current && event["type"] == "nick" && event["name"] == self.name.as_str() => {
                self.name = event["to"].as_str().expect("a name").to_owned();
                self.link.iter_mut().for_each(|link| link.renames = false);
            }
            // A program at a terminal keeps its connection, and comes in again as somebody else.
            None if is_current && event["type"] == "kick" && event["name"] == self.name.as_str() => {
                if let Some(link) = &mut self.link {
                    (link.is_joined, link.was_refused, link.renames, link.moderates) = (false, true, false, false);
                }
                self.forget_membership();
            }
            None => (),
        }
    }

    fn acknowledge(&mut self, number: usize, id: u64, text: &str, history: &mut History) {
        let Some(life) = self.find_link(number).and_then(|link| link.life.clone()) else { return };
        self.unacknowledged.retain(|waiting| waiting.text != text);
        history.note_acknowledged(&life, id, text);
    }

    /// What is told of the past may be its own.
    fn acknowledge_all(&mut self, number: usize, events: &Value, history: &mut History) {
        let life = self.find_link(number).and_then(|link| link.life.clone());
        let is_of_this_life = self.has.as_ref().map(|(known, _)| known) == life.as_ref();
        for event in events.as_array().expect("events") {
            let text = match amendments::first_text(event, false) {
                Some(text) => Some(text).filter(|text| text.starts_with(&self.mark)),
                // Another text may have taken the place of the one that it sent under this id.
                None if is_of_this_life && event["author"].as_u64() == self.author => {
                    let place = event["cid"].as_str().and_then(|cid| cid.parse::<usize>().ok());
                    place.and_then(|place| self.texts.get(place - 1).cloned())
                }
                None => None,
            };
            if let Some(text) = text {
                self.acknowledge(number, event["id"].as_u64().expect("an id"), &text, history);
            }
        }
    }

    fn note_error(&mut self, number: usize, message: &Value, history: &mut History) {
        const EXPECTED: [&str; 13] = [
            "no_such_room",
            "name_taken",
            "not_joined",
            "storage_failed",
            "rate_limited",
            "room_full",
            "no_such_event",
            "not_yours",
            "not_operator",
            "no_such_member",
            "muted",
            "banned",
            "bad_request",
        ];
        let code = message["code"].as_str().expect("a code");
        assert!(EXPECTED.contains(&code), "{message}");
        if message["cid"] == NO_MATTER {
            return;
        }
        if let Some(cid) = message["cid"].as_str() {
            if !self.is_of_this_member(number) {
                return;
            }
            let place: usize = cid.parse().expect("an id of ours");
            history.note_refused(&self.texts[place - 1], code);
            if code == "no_such_event" || code == "not_yours" {
                // It would be refused for ever.
                return self.unacknowledged.retain(|waiting| waiting.cid != cid);
            }
            // Over a later connection it was sent again since.
            let is_current = self.link() == Some(number);
            let waiting = self.unacknowledged.iter_mut().filter(|waiting| is_current && waiting.cid == cid);
            return waiting.for_each(|waiting| waiting.was_refused = true);
        }
        let is_current = self.link() == Some(number);
        let Some(link) = self.find_link(number) else { return };
        if link.is_joined {
            // Nobody is told so who has asked for anything but what operators do.
            let is_of_operators = code == "no_such_member" || code == "not_operator";
            let is_of_others = std::mem::take(&mut link.moderates) || std::mem::take(&mut link.may_hear_of_former);
            if !is_of_others && !is_of_operators {
                (link.asked, link.searched, link.renames) = (None, None, false);
            }
        } else {
            link.was_refused |= code != "not_joined";
            if is_current && code == "name_taken" {
                // Somebody has taken the name that it took here; its own is nobody else's.
                self.name = self.own_name.clone();
            }
        }
    }

    fn note_history(&mut self, number: usize, message: &Value, history: &mut History) {
        let Some(link) = self.find_link(number) else { return };
        let (Some(life), Some(asked)) = (link.life.clone(), link.asked.take()) else {
            panic!("nobody asked for {message}");
        };
        history.note_recalled(number, &life, asked, message);
        let events = message["events"].as_array().expect("events");
        let first = events.first().map_or(0, |event| event["id"].as_u64().expect("an id"));
        let goes_on = link.recalls && message["more"] == true && first > 1;
        link.has_recalled |= link.recalls && !goes_on;
        self.acknowledge_all(number, &message["events"], history);
        if goes_on {
            self.ask(Some(first), 200);
        }
    }

    /// Whether it has nothing left to wait for.
    pub fn is_settled(&self, history: &History) -> bool {
        match (self.kind, &self.has) {
            (Kind::Line, _) => self.is_joined(),
            (_, None) => false,
            (Kind::Web, Some((life, id))) => {
                self.is_joined() && self.unacknowledged.is_empty() && *id == history.last_id(life)
            }
            // What it lost in the middle of being refused, it does not know.
            (Kind::JsonLine, Some((life, id))) => self.is_joined() && *id == history.last_id(life),
        }
    }

    /// Messages that are not acknowledged yet.
    pub fn waiting(&self) -> usize {
        self.unacknowledged.len()
    }

    /// How many texts it has said.
    pub fn said(&self) -> usize {
        self.said_before + self.texts.len()
    }

    /// Whether something was refused and is to be sent again or given up.
    pub fn has_refused(&self) -> bool {
        self.unacknowledged.iter().any(|message| message.was_refused)
    }
}

impl Link {
    /// It has asked for something that is answered by an event, or by an error that does not say what it is about.
    fn is_unanswered(&self) -> bool {
        self.renames || self.moderates || self.may_hear_of_former
    }

    /// Nothing is under way that an error could be about.
    fn is_free(&self) -> bool {
        let asks = self.asked.is_some() || self.searched.is_some();
        self.is_joined && !self.leaves && !asks && !self.is_unanswered()
    }

    fn take_frames(&mut self, is_told_so: bool) -> Vec<Value> {
        let mut messages = Vec::new();
        if !self.is_upgraded {
            let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return messages };
            if is_told_so
                && [&b"HTTP/1.1 503 "[..], b"HTTP/1.1 408 "].iter().any(|start| self.received.starts_with(start))
            {
                return messages;
            }
            assert!(self.received.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&self.received));
            self.received.drain(..end + 4);
            self.is_upgraded = true;
        }
        while let [first, second, ..] = self.received[..] {
            let (header, length) = match (second, &self.received[2..]) {
                (126, [high, low, ..]) => (4, usize::from(*high) << 8 | usize::from(*low)),
                (126, _) => break,
                (127, _) if self.received.len() < 10 => break,
                (127, bytes) => (10, u64::from_be_bytes(bytes[..8].try_into().expect("eight")) as usize),
                (length, _) => (2, usize::from(length)),
            };
            if self.received.len() < header + length {
                break;
            }
            let frame: Vec<u8> = self.received.drain(..header + length).collect();
            match first {
                0x81 => {
                    assert!(!self.is_closed, "a message after the close frame (RFC 6455 section 5.5.1)");
                    messages.push(serde_json::from_slice(&frame[header..]).expect("the server sends JSON"));
                }
                0x88 => {
                    self.is_closed = true;
                    self.was_kicked |= frame[header..].starts_with(&4003_u16.to_be_bytes());
                }
                0x89 | 0x8A => (),
                other => panic!("an unexpected frame: {other:#x}"),
            }
        }
        messages
    }

    fn take_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            lines.push(std::str::from_utf8(&line).expect("the server sends UTF-8").trim_end().to_owned());
        }
        lines
    }

    fn note_line(&mut self, line: &str) {
        if line.contains("Invite: ") {
            self.is_joined = true;
            self.was_refused = false;
            self.reads_history = true;
        } else if line.starts_with("! You were kicked by ") {
            (self.is_joined, self.was_refused, self.renames) = (false, true, false);
            self.shown.clear();
        } else if line == "* -- now --" {
            self.reads_history = false;
            self.shown.clear();
        } else if line.starts_with("! ") || line.contains(": ! ") {
            self.was_refused = !self.is_joined;
            self.renames = false;
        } else if line.contains(" is now ") {
            self.renames = false;
        } else if line.starts_with("          ^ ") || line.get(6..).is_some_and(|line| line.starts_with("* <")) {
            // What a reply is about, and what was done with something that was said.
        } else if let Some((_, said)) = line.split_once("> ").filter(|_| !line.starts_with('*')) {
            self.shown.push(said.to_owned());
        }
    }
}

impl Message {
    fn frame(&self) -> Vec<u8> {
        let mut message = json!({"type": "message", "text": self.text, "cid": self.cid});
        match self.about {
            About::None => (),
            About::ReplyTo(of) => message["reply_to"] = json!(of),
            About::Edit(of) => {
                message["type"] = json!("edit");
                message["of"] = json!(of);
            }
        }
        frame(&message.to_string())
    }
}

fn read_object(line: impl AsRef<str>) -> Value {
    let line = line.as_ref();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("torn: {line:?}"))
}

/// A text frame of a client (RFC 6455, section 5.2).
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
