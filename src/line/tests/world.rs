//! Real rooms with terminals, for tests: what the reactor does, without sockets.

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::adapter::{Flow, Input, Now, Step, wires};
use crate::invitation::Invitation;
use crate::line::{Context, JsonLineWire, Line, LineWire, LocalClock};
use crate::options::Limits;
use crate::rooms::{
    Address, Caller, Command, ConnectionId, Door, Join, Kind, Membership, Name, Reply, RoomCode, Rooms, Text, Via,
    Wire, WireId,
};

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
}

pub struct Terminal {
    pub line: Line,
    pub membership: Option<Membership>,
    pub input: Vec<u8>,
    pub has_ended: bool,
    outbox: Vec<u8>,
    pub is_closed: bool,
    pub paused_until_ms: Option<u64>,
}

pub fn limits() -> Limits {
    Limits { join_rate: 0, create_rate: 0, ..Limits::default() }
}

pub fn kxqt() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

pub fn caller(number: u64, via: Via, wire: WireId) -> Caller {
    let address = Address::from(core::net::IpAddr::from([10, 0, 0, 1]));
    Caller { connection: ConnectionId(number), address, via, wire }
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
        };
        let wires: Vec<Box<dyn Wire>> =
            vec![Box::new(JsonLineWire), Box::new(LineWire::new(clock.clone())), Box::new(JsonLineWire)];
        World {
            rooms: Rooms::new(limits.clone(), wires, StdRng::seed_from_u64(1)),
            context: Context { limits, invitation, clock },
            now: Now { steady_ms: 1_000, wall_ms: AFTERNOON_MS },
            terminals: Vec::new(),
            others: 1_000,
        }
    }

    /// A world with the room KXQT, in which these people are by browser.
    pub fn with_room(names: &[&str]) -> World {
        let mut world = World::new(limits());
        let (caller, mut membership) = world.enter("host");
        for name in names {
            world.enter(name);
        }
        world.apply(&caller, &mut membership, Command::Leave);
        world
    }

    /// Somebody enters KXQT by browser.
    pub fn enter(&mut self, name: &str) -> (Caller, Option<Membership>) {
        self.others += 1;
        let caller = caller(self.others, Via::Web, wires::WEB);
        let door = Door::CodeOrNew(kxqt());
        let join = Join { door, name: Name::parse(name), keeps_name: false, token: None, since: None, epoch: None };
        let mut membership = None;
        self.apply(&caller, &mut membership, Command::Join(Box::new(join)));
        (caller, membership)
    }

    pub fn say(&mut self, member: &mut (Caller, Option<Membership>), text: &str) {
        let text = Text::clean(text, 4096).expect("a text");
        let (caller, membership) = member;
        self.apply(caller, membership, Command::Say { kind: Kind::Say, text, cid: None });
    }

    pub fn apply(&mut self, caller: &Caller, membership: &mut Option<Membership>, command: Command) {
        self.rooms.apply(caller, membership, command, self.now);
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
            membership: None,
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
                    let caller = caller(number as u64, Via::Line, terminal.line.wire());
                    let mut membership = terminal.membership;
                    self.rooms.apply(&caller, &mut membership, command, self.now);
                    self.terminals[number].membership = membership;
                    self.deliver();
                }
                Step::Upgrade(_) => panic!("a terminal is no HTTP client"),
            }
        }
    }

    /// What the reactor does at the end of a turn: publishes, answers, flushes.
    pub fn deliver(&mut self) {
        while let Some(record) = self.rooms.take_record() {
            self.rooms.publish(record, self.now);
        }
        while let Some((connection, reply)) = self.rooms.take_reply() {
            let Some(terminal) = self.terminals.get_mut(connection.0 as usize) else { continue };
            if let Reply::Unsent(bytes) = reply {
                terminal.outbox.extend(bytes);
                continue;
            }
            if reply == Reply::TakenOver {
                terminal.membership = None;
            }
            if let Some(membership) = terminal.membership {
                let unsent = self.rooms.settle(membership);
                terminal.outbox.extend(unsent);
            }
            let flow = terminal.line.reply(reply, &self.rooms, &self.context, self.now, &mut terminal.outbox);
            terminal.is_closed |= flow == Flow::Close;
        }
        let mut dirty = Vec::new();
        self.rooms.take_dirty(&mut dirty);
        for room in dirty {
            let terminals = &mut self.terminals;
            let mut write = |connection: ConnectionId, bytes: &[u8]| {
                if let Some(terminal) = terminals.get_mut(connection.0 as usize) {
                    terminal.outbox.extend_from_slice(bytes);
                }
                bytes.len()
            };
            self.rooms.flush(room, &mut write, &mut Vec::new());
        }
    }

    pub fn pass_ms(&mut self, time_ms: u64) {
        self.now.steady_ms += time_ms;
        self.now.wall_ms += time_ms;
    }
}
