//! Clients of all kinds over real sockets, driven by seeded chance from a single thread.

// Each file of tests is a program of its own and uses only part of this.
#![allow(dead_code)]

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::history::History;
use crate::history::client::{Client, Kind};
use crate::support::DEADLINE;

/// Messages that a client leaves unacknowledged before it waits.
const WAITING_MESSAGES: usize = 20;

/// However busy the machine, no talk takes longer, whatever still moves.
const LONGEST: Duration = Duration::from_secs(300);

/// A refused client asks again after this time: it waits for its own ghost to go.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Where to connect.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    pub web: SocketAddr,
    pub line: SocketAddr,
}

/// The members of one room.
pub struct Party {
    pub clients: Vec<Client>,
    pub history: History,
    /// Each connection is made at any of them.
    doors: Vec<Doors>,
    carriers: HashMap<usize, Carrier>,
    connections: usize,
    random: StdRng,
    asked_again: Instant,
}

/// One connection, and what it has not taken yet.
struct Carrier {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Party {
    pub fn new(doors: Doors, room: &str, kinds: &[Kind], seed: u64) -> Party {
        Party::of_nodes(vec![doors], room, kinds, seed)
    }

    /// A room that several nodes share.
    pub fn of_nodes(doors: Vec<Doors>, room: &str, kinds: &[Kind], seed: u64) -> Party {
        Party {
            clients: kinds.iter().enumerate().map(|(number, &kind)| Client::new(kind, number, room)).collect(),
            history: History::default(),
            doors,
            carriers: HashMap::new(),
            connections: 0,
            random: StdRng::seed_from_u64(seed),
            asked_again: Instant::now(),
        }
    }

    /// Talks until more messages are acknowledged: how many more is drawn from this range.
    pub fn talk(&mut self, acknowledgements: Range<usize>) {
        let wanted = self.history.acknowledged() + self.random.random_range(acknowledgements);
        self.go_on_until("messages are acknowledged", |party| {
            party.step();
            party.history.acknowledged() >= wanted
        });
    }

    /// Talks for so long, whatever comes of it.
    pub fn talk_for(&mut self, time: Duration) {
        let started = Instant::now();
        self.go_on_until("the time is over", |party| {
            party.step();
            started.elapsed() >= time
        });
    }

    /// Says nothing new, until everybody is here and has what was said.
    pub fn gather(&mut self) {
        self.go_on_until("everybody is here", |party| {
            party.clients.iter_mut().for_each(|client| client.retry(&mut party.history));
            party.clients.iter().all(|client| client.is_settled(&party.history))
        });
    }

    /// Says nothing new, until everybody is here and has everything, the whole record included.
    pub fn settle(&mut self) {
        self.go_on_until("everything is settled", |party| {
            for number in 0..party.clients.len() {
                let client = &mut party.clients[number];
                client.retry(&mut party.history);
                if client.kind == Kind::Web && client.is_settled(&party.history) {
                    client.recall();
                }
            }
            let is_done = |client: &Client| {
                client.is_settled(&party.history) && (client.kind != Kind::Web || client.has_recalled())
            };
            party.clients.iter().all(is_done)
        });
    }

    /// Carries bytes to and fro until a condition holds, which is looked at again and again.
    fn go_on_until(&mut self, what: &str, mut is_reached: impl FnMut(&mut Party) -> bool) {
        let started = Instant::now();
        let mut moved = started;
        while !is_reached(self) {
            if self.carry() {
                moved = Instant::now();
            } else {
                // Nothing to do before the other side does something.
                std::thread::sleep(Duration::from_millis(1));
            }
            let is_in_vain = moved.elapsed() > DEADLINE || started.elapsed() > LONGEST;
            assert!(!is_in_vain, "waited in vain until {what}: {:?}", self.clients);
        }
    }

    /// One client does one thing.
    fn step(&mut self) {
        let number = self.random.random_range(0..self.clients.len());
        let client = &mut self.clients[number];
        match self.random.random_range(0..1000) {
            0..10 if client.can_take_over() => self.connect(number),
            10..20 => self.break_off(number),
            20..25 => self.leave(number),
            25..35 => {
                let before = self.random.random_range(1..client.last_id() + 2);
                client.ask(Some(before), self.random.random_range(1..30));
            }
            35..45 => client.type_something(),
            45..85 => {
                client.amend(self.random.random_range(0..4), self.random.random_range(0..100_000), &mut self.history)
            }
            _ if client.waiting() < WAITING_MESSAGES => {
                let bytes = self.random.random_range(0..300);
                client.say(bytes, &mut self.history);
            }
            _ => (),
        }
    }

    // ---- what carries a client's bytes

    fn connect(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let node = if self.doors.len() > 1 { self.random.random_range(0..self.doors.len()) } else { 0 };
        let doors = self.doors[node];
        let address = if client.kind == Kind::Web { doors.web } else { doors.line };
        // Nobody may be listening at this time.
        let Ok(stream) = TcpStream::connect(address) else { return };
        stream.set_nonblocking(true).expect("a socket can");
        stream.set_nodelay(true).expect("a TCP socket can");
        self.connections += 1;
        self.carriers.insert(self.connections, Carrier { stream, unsent: Vec::new() });
        client.connect(self.connections, &mut self.history);
    }

    /// Closes the connection without a word.
    fn break_off(&mut self, number: usize) {
        if let Some(connection) = self.clients[number].link() {
            self.carriers.remove(&connection);
            self.clients[number].lose(connection, &mut self.history);
        }
    }

    /// Leaves the room for good, and closes what might still come in as the same member.
    fn leave(&mut self, number: usize) {
        let client = &mut self.clients[number];
        for connection in client.former_links() {
            self.carriers.remove(&connection);
            client.lose(connection, &mut self.history);
        }
        client.leave();
    }

    /// Everybody sends what there is to send and takes what has come. Returns whether anything has.
    fn carry(&mut self) -> bool {
        let asks_again = self.asked_again.elapsed() > ASK_AGAIN;
        if asks_again {
            self.asked_again = Instant::now();
        }
        let mut has_moved = false;
        for number in 0..self.clients.len() {
            if self.clients[number].link().is_none() {
                self.connect(number);
            }
            let client = &mut self.clients[number];
            if client.was_refused() && asks_again {
                client.join(&mut self.history);
            }
            if client.has_refused() && asks_again {
                client.retry(&mut self.history);
            }
            for (connection, bytes) in client.take_output() {
                if let Some(carrier) = self.carriers.get_mut(&connection) {
                    carrier.unsent.extend(bytes);
                }
            }
            for connection in client.links() {
                let Some(carrier) = self.carriers.get_mut(&connection) else { continue };
                carrier.send();
                let (received, is_over) = carrier.receive();
                has_moved |= !received.is_empty();
                client.receive(connection, &received, &mut self.history);
                if is_over {
                    self.carriers.remove(&connection);
                    client.lose(connection, &mut self.history);
                }
            }
        }
        has_moved
    }
}

impl Carrier {
    fn send(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Reading tells that it is over.
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// What has come, and whether nothing will come any more.
    fn receive(&mut self) -> (Vec<u8>, bool) {
        let mut received = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return (received, true),
                Ok(count) => received.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (received, false),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(_) => return (received, true),
            }
        }
    }
}
