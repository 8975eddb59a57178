//! Real rooms with terminals, for tests: what the reactor does, without sockets.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::invitation::Invitation;
use crate::line::{Context, JsonLineEncoder, Line, LineEncoder, LocalClock};
use crate::options::Limits;
use crate::rooms::{
    Address, AuthorId, Caller, Command, ConnectionId, Delivery, Encoder, EncoderId, Epoch, Join, JoinTarget, Kind,
    Membership, Name, NodeId, Reply, RoomCode, RoomCommand, RoomRef, Rooms, StoredMember, StoredRoom, Text, Token, Via,
};
use crate::session_api::{Flow, Input, Step, encoders};
use crate::time::Now;

pub const LOCAL: [u8; 4] = [192, 168, 1, 20];
/// 2026-11-20 14:03:00 UTC, a Friday.
pub const AFTERNOON_MS: u64 = 1_795_183_380_000;
pub const DAY_MS: u64 = 86_400_000;

/// Real rooms with terminals, and with members who are in them without any.
pub struct World {
    pub rooms: Rooms,
    pub context: Context,
    pub now: Now,
    pub terminals: Vec<Terminal>,
    others: u64,
    memberships_of_others: HashMap<u64, Vec<Membership>>,
    /// The secret of whoever joined last.
    pub last_token: Option<Token>,
}

pub struct Terminal {
    pub line: Line,
    pub memberships: Vec<Membership>,
    pub input: Vec<u8>,
    pub has_ended: bool,
    outbox: Vec<u8>,
    pub is_closed: bool,
    pub paused_until_ms: Option<u64>,
}

/// Everything that terminals are sent is taken.
struct Outboxes<'t>(&'t mut Vec<Terminal>);

impl Delivery for Outboxes<'_> {
    fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().for_each(|part| self.queue(connection, part));
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, connection: ConnectionId, entry: &[u8]) {
        if let Some(terminal) = self.0.get_mut(connection.0 as usize) {
            terminal.outbox.extend_from_slice(entry);
        }
    }
}

pub fn limits() -> Limits {
    Limits { join_rate: 0, create_rate: 0, ..Limits::default() }
}

pub fn kxqt() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

pub fn caller(number: u64, via: Via, encoder: EncoderId) -> Caller {
    let address = Address::from(core::net::IpAddr::from([10, 0, 0, 1]));
    Caller { connection: ConnectionId(number), address, via, encoder }
}

impl World {
    pub fn new(limits: Limits) -> World {
        let clock = LocalClock::utc();
        let invitation = Invitation {
            public_url: None,
            base_path: "/".into(),
            web_port: 5000,
            line_port: Some(5001),
            host: "localhost".into(),
            is_secure: false,
            is_certified_host: false,
        };
        let encoders: Vec<Box<dyn Encoder>> = vec![
            Box::new(JsonLineEncoder),
            Box::new(LineEncoder::new(clock.clone(), "http://192.168.1.20:5000/".into())),
            Box::new(JsonLineEncoder),
        ];
        World {
            rooms: Rooms::new(limits.clone(), encoders, StdRng::seed_from_u64(1)),
            context: Context { limits, invitation, clock, refusals: Default::default() },
            now: Now { steady_ms: 1_000, wall_ms: AFTERNOON_MS },
            terminals: Vec::new(),
            others: 1_000,
            memberships_of_others: HashMap::new(),
            last_token: None,
        }
    }

    /// A world with the room KXQT, in which these people are by browser.
    pub fn with_room(names: &[&str]) -> World {
        let mut world = World::new(limits());
        let host = world.enter("host");
        for name in names {
            world.enter(name);
        }
        world.execute(host, Command::In(RoomRef::Only, RoomCommand::Leave));
        world
    }

    /// Brings back KXQT of an earlier run, in which only this member was. Returns its secret.
    pub fn restore_room_of(&mut self, name: &str, last_time_ms: u64) -> Token {
        let random = &mut StdRng::seed_from_u64(2);
        let (token, epoch) = (Token::random(random), Epoch::random(random));
        let (author, name) = (AuthorId(1), Name::parse(name).expect("a name"));
        let (is_placed, has_entered) = (true, true);
        let member = StoredMember {
            author,
            seniority: author,
            token: token.hash(),
            name,
            via: Via::Line,
            is_placed,
            has_entered,
            account: None,
            node: NodeId::ALONE,
        };
        let (first_id, last_id, last_author, members) = (1, 1, author, vec![member]);
        let (code, rules) = (kxqt(), Default::default());
        let files = Vec::new();
        let room = StoredRoom {
            code,
            epoch,
            first_id,
            last_id,
            last_time_ms,
            last_author,
            files,
            members,
            left: Vec::new(),
            rules,
        };
        self.rooms.restore(vec![room], self.now);
        token
    }

    /// Somebody enters KXQT by browser. Returns who it is.
    pub fn enter(&mut self, name: &str) -> u64 {
        self.others += 1;
        let target = JoinTarget::CodeOrNew(kxqt());
        let (name, token, since, epoch) = (Name::parse(name), None, None, None);
        let join = Join { target, stays_elsewhere: false, name, keeps_name: false, token, since, epoch, key: None };
        self.execute(self.others, Command::Join(Box::new(join)));
        self.others
    }

    pub fn say(&mut self, who: u64, text: &str) {
        let text = Text::clean(text, 4096).expect("a text");
        self.execute(
            who,
            Command::In(RoomRef::Only, RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: None }),
        );
    }

    /// Has somebody who came by browser ask for something.
    pub fn execute(&mut self, who: u64, command: Command) {
        let caller = caller(who, Via::Web, encoders::WEB);
        let memberships = self.memberships_of_others.get(&who).cloned().unwrap_or_default();
        let mut outboxes = Outboxes(&mut self.terminals);
        let _ = self.rooms.execute(&caller, &memberships, command, self.now, &mut outboxes);
        self.deliver();
    }

    /// A new terminal; what it is greeted with is read already.
    pub fn connect(&mut self) -> usize {
        let mut outbox = Vec::new();
        let line = Line::new(core::net::IpAddr::from(LOCAL), self.now, &mut outbox);
        assert_eq!(
            String::from_utf8_lossy(&outbox),
            concat!("* snugd ", env!("CARGO_PKG_VERSION"), ". /help lists the commands.\r\nName: ")
        );
        self.terminals.push(Terminal {
            line,
            memberships: Vec::new(),
            input: Vec::new(),
            has_ended: false,
            outbox: Vec::new(),
            is_closed: false,
            paused_until_ms: None,
        });
        self.terminals.len() - 1
    }

    /// A terminal that is in KXQT as `name`.
    pub fn connect_as(&mut self, name: &str) -> usize {
        let terminal = self.connect();
        let answer = self.type_in(terminal, &format!("/join KXQT {name}\r\n"));
        assert!(answer.starts_with("* KXQT. "), "{answer}");
        terminal
    }

    /// What the terminal shows after this is typed.
    pub fn type_in(&mut self, terminal: usize, typed: &str) -> String {
        self.send(terminal, typed.as_bytes())
    }

    pub fn send(&mut self, terminal: usize, bytes: &[u8]) -> String {
        self.terminals[terminal].input.extend_from_slice(bytes);
        self.receive(terminal);
        self.shown(terminal)
    }

    pub fn end_input(&mut self, terminal: usize) -> String {
        self.terminals[terminal].has_ended = true;
        self.receive(terminal);
        self.shown(terminal)
    }

    /// What the terminal has shown since it was last looked at.
    pub fn shown(&mut self, terminal: usize) -> String {
        String::from_utf8(std::mem::take(&mut self.terminals[terminal].outbox)).expect("UTF-8")
    }

    pub fn receive(&mut self, number: usize) {
        loop {
            let terminal = &mut self.terminals[number];
            if terminal.is_closed {
                return;
            }
            let mut input = Input::new(&mut terminal.input, terminal.has_ended);
            let step = terminal.line.receive(&mut input, &self.context, self.now, &mut terminal.outbox);
            let consumed = input.consumed();
            terminal.input.drain(..consumed);
            terminal.paused_until_ms = None;
            match step {
                Step::NeedInput => return,
                Step::PauseUntil { steady_ms } => {
                    assert!(steady_ms > self.now.steady_ms);
                    terminal.paused_until_ms = Some(steady_ms);
                    return;
                }
                Step::Close | Step::Fault => terminal.is_closed = true,
                Step::Command(command) => {
                    let caller = caller(number as u64, Via::Line, terminal.line.encoder());
                    let memberships = terminal.memberships.clone();
                    let mut outboxes = Outboxes(&mut self.terminals);
                    let _ = self.rooms.execute(&caller, &memberships, command, self.now, &mut outboxes);
                    self.deliver();
                }
                Step::Upgrade(_) | Step::Proxied(_) | Step::File(_) | Step::AwaitFile => {
                    panic!("a terminal is no HTTP client")
                }
            }
        }
    }

    /// What the reactor does at the end of a turn: commits, answers, flushes.
    pub fn deliver(&mut self) {
        loop {
            while let Some(proposal) = self.rooms.take_proposal() {
                self.rooms.commit(proposal, self.now, &mut Outboxes(&mut self.terminals));
            }
            while self.rooms.is_searching() {
                self.rooms.continue_search();
            }
            let Some((connection, reply)) = self.rooms.take_reply() else { break };
            let terminal = self.terminals.get_mut(connection.0 as usize);
            let memberships = match terminal {
                Some(terminal) => &mut terminal.memberships,
                None => self.memberships_of_others.entry(connection.0).or_default(),
            };
            match reply {
                Reply::Joined { membership, token, .. } => {
                    *memberships = vec![membership];
                    self.last_token = Some(token);
                }
                Reply::TakenOver { membership } | Reply::PlaceLost { membership } | Reply::Left { membership, .. } => {
                    memberships.retain(|other| *other != membership);
                }
                _ => (),
            }
            if connection.0 as usize >= self.terminals.len() {
                continue;
            }
            for membership in self.terminals[connection.0 as usize].memberships.clone() {
                self.rooms.queue_unread(membership, &mut Outboxes(&mut self.terminals));
            }
            let terminal = &mut self.terminals[connection.0 as usize];
            let flow = terminal.line.reply(reply, &self.rooms, &self.context, self.now, &mut terminal.outbox);
            terminal.is_closed |= flow == Flow::Close;
        }
        let mut dirty = Vec::new();
        self.rooms.take_dirty(&mut dirty);
        for room in dirty {
            let mut outboxes = Outboxes(&mut self.terminals);
            self.rooms.flush(room, usize::MAX, usize::MAX, &mut outboxes, &mut Vec::new());
        }
    }

    pub fn pass_ms(&mut self, time_ms: u64) {
        self.now.steady_ms += time_ms;
        self.now.wall_ms += time_ms;
    }
}
