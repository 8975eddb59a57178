//! The real reactor, protocols and rooms over a simulated system, driven by seeded chance.
//!
//! Each seed is one history: clients of all kinds connect, talk, read slowly, break off and come back, while
//! the system stops reads and writes anywhere and reports its edges late, twice or for nothing. When the
//! dust has settled, everybody must have seen one gapless order, everything acknowledged must be in it once,
//! nothing may be unread or unsent, and what is closed must have left nothing behind.
//!
//! `SIMULATION_SEEDS=10000 cargo test --release --test simulation` runs more; `SIMULATION_SEED=7` runs one.

mod client;
mod net;
mod record;

use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::http::Site;
use snugd::invitation::Invitation;
use snugd::journal::MemoryJournal;
use snugd::line::{self, LocalClock};
use snugd::options::{Limits, WebOptions};
use snugd::reactor::{AdmissionLimits, Reactor, Shared, all_wires};
use snugd::rooms::Rooms;
use snugd::ws;

use client::{Client, Kind};
use net::{SharedWorld, SimNet, World};
use record::Record;

const SEEDS: u64 = 300;
const STEPS: u32 = 250;
const GRACE_MS: u64 = 2_000;
const ROOM_TTL_MS: u64 = 3_600_000;

/// Turns after which everything that can happen by itself has happened.
const SETTLING_TURNS: u32 = 5_000;

type SimReactor = Reactor<SimNet, MemoryJournal>;

fn reactor(world: &SharedWorld, seed: u64) -> SimReactor {
    let limits = Limits {
        rate: 0,
        join_rate: 0,
        create_rate: 0,
        grace_ms: GRACE_MS,
        room_ttl_ms: ROOM_TTL_MS,
        ..Limits::default()
    };
    let invitation = Invitation {
        public_url: None,
        base_path: "/".into(),
        web_port: 5000,
        line_port: Some(5001),
        host: "localhost".into(),
    };
    let shared = Shared {
        site: Site::new(&WebOptions::default(), &limits, invitation.clone()),
        ws: ws::Context::new(&limits),
        line: line::Context { limits: limits.clone(), invitation, clock: LocalClock::utc() },
    };
    let rooms = Rooms::new(limits, all_wires(LocalClock::utc()), StdRng::seed_from_u64(seed));
    let net = SimNet(Rc::clone(world));
    Reactor::new(net, rooms, MemoryJournal::default(), shared, AdmissionLimits::default())
}

struct History {
    world: SharedWorld,
    reactor: SimReactor,
    clients: Vec<Client>,
    record: Record,
    random: StdRng,
}

impl History {
    fn new(seed: u64) -> History {
        let mut random = StdRng::seed_from_u64(seed);
        let world = World::new(random.random());
        let reactor = reactor(&world, random.random());
        let rooms = &["KXQT", "BCDF"][..random.random_range(1..=2)];
        let mut clients = Vec::new();
        for room in rooms {
            // One client of each room is a browser: browsers make the record.
            let first = clients.len();
            clients.push(Client::new(Kind::Web, first, room));
            for number in first + 1..first + random.random_range(2..5) {
                let kind = [Kind::Web, Kind::Line, Kind::JsonLine][random.random_range(0..3)];
                clients.push(Client::new(kind, number, room));
            }
        }
        History { world, reactor, clients, record: Record::default(), random }
    }

    fn turn(&mut self) {
        self.reactor.turn().expect("the simulated system can always tell");
    }

    /// One client does one thing, and the reactor turns a few times.
    fn step(&mut self) {
        let number = self.random.random_range(0..self.clients.len());
        let client = &mut self.clients[number];
        let mut world = self.world.borrow_mut();
        match self.random.random_range(0..100) {
            0..8 if !client.is_joined => client.connect(&mut world),
            _ if !client.is_connected() => client.connect(&mut world),
            0..45 => client.say(&mut world),
            45..50 => client.type_something(&mut world),
            50..53 => client.reset(&mut world),
            53..55 => client.end(&mut world),
            55..60 if client.was_refused => client.join(&mut world),
            _ => {
                let limit = self.random.random_range(1..2000);
                client.read(&mut world, limit, &mut self.record);
            }
        }
        drop(world);
        for _ in 0..self.random.random_range(0..3) {
            self.turn();
        }
    }

    /// From here on nothing goes wrong any more: everybody comes back, and everything must arrive.
    fn settle(&mut self) {
        self.world.borrow_mut().behave();
        for turn in 0..SETTLING_TURNS {
            for client in &mut self.clients {
                let mut world = self.world.borrow_mut();
                if !client.is_connected() {
                    client.connect(&mut world);
                } else if client.was_refused && turn % 50 == 49 {
                    client.join(&mut world);
                }
                client.read(&mut world, usize::MAX, &mut self.record);
            }
            self.turn();
            if self.clients.iter().all(|client| client.is_settled(&self.record)) && self.is_at_rest() {
                return;
            }
        }
        let waiting: Vec<_> = self.clients.iter().filter(|client| !client.is_settled(&self.record)).collect();
        panic!("would sleep for ever; waiting: {waiting:?}, unread: {}", self.world.borrow().unread_bytes());
    }

    fn is_at_rest(&self) -> bool {
        let world = self.world.borrow();
        world.unread_bytes() == 0 && !world.has_edges()
    }

    /// Everybody breaks off, and time passes: nothing may be left.
    fn clear(&mut self) {
        for client in &mut self.clients {
            client.reset(&mut self.world.borrow_mut());
        }
        for pause_ms in [0, GRACE_MS, 60_000, ROOM_TTL_MS, 60_000] {
            self.world.borrow_mut().now.steady_ms += pause_ms;
            for _ in 0..5 {
                self.turn();
            }
        }
        assert_eq!(self.reactor.connection_count(), 0, "closed connections leave nothing behind");
        assert_eq!(self.reactor.rooms().counts().rooms, 0, "empty rooms end");
    }
}

fn run(seed: u64) {
    let mut history = History::new(seed);
    for _ in 0..STEPS {
        history.step();
    }
    history.settle();
    history.record.check();
    for client in history.clients.iter().filter(|client| client.kind == Kind::Line) {
        for shown in client.shown_live() {
            history.record.check_shown(&client.name, shown);
        }
    }
    history.clear();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn every_history_keeps_the_promises() {
    if let Some(seed) = number("SIMULATION_SEED") {
        return run(seed);
    }
    for seed in 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("seed {seed}: run it alone with SIMULATION_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
