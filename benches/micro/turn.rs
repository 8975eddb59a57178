//! A whole turn of the reactor, without a kernel: what somebody says is read, understood, recorded, encoded and
//! written to everybody who hears it.
//!
//! A thousand members are not all written to in one turn: then those turns count that it takes.
//!
//! Items are deliveries: 1000 ÷ the Mitem/s is nanoseconds a delivery. `copy` has a buffer for each hearer, as
//! the system in memory has, and does nothing but copy.

use std::rc::Rc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use snugd::http::Site;
use snugd::journal::MemoryJournal;
use snugd::line::LocalClock;
use snugd::options::WebOptions;
use snugd::reactor::{AdmissionLimits, Port, Reactor, Shared, all_encoders};
use snugd::rooms::Rooms;
use snugd::ws;

use crate::memory_net::{MemoryNet, Socket};
use crate::setting::{MessageFrame, code, frame, invitation, limits, line_context, random, text};

const HEARERS: [usize; 4] = [1, 10, 100, 1000];
const TEXT_BYTES: usize = 64;
/// Messages in one turn of a busy room.
const BURST: usize = 32;
/// Turns in which anybody is let in.
const MAX_JOIN_TURNS: usize = 10;

/// A reactor with one room, in which the first member talks.
struct Hall {
    reactor: Reactor<MemoryNet, MemoryJournal>,
    port: Port,
    members: Vec<Rc<Socket>>,
    message: MessageFrame,
    line: Vec<u8>,
}

impl Hall {
    /// As many members as it takes to be heard by `hearers`: a browser hears itself, a terminal does not.
    fn new(port: Port, hearers: usize) -> Hall {
        let limits = limits();
        let shared = Shared {
            site: Site::new(&WebOptions::default(), &limits, invitation()),
            ws: ws::Context::new(&limits),
            line: line_context(),
            other: None,
            upgraded: None,
        };
        let rooms = Rooms::new(limits, all_encoders(LocalClock::utc(), String::new()), random());
        let unlimited = AdmissionLimits::default();
        let reactor = Reactor::new(MemoryNet::default(), rooms, MemoryJournal::default(), shared, unlimited);
        let line = format!("{}\r\n", text(TEXT_BYTES)).into_bytes();
        let mut hall = Hall { reactor, port, members: Vec::new(), message: MessageFrame::new(TEXT_BYTES), line };
        let creator = hall.join(Port::Web, "creator");
        hall.leave(&creator);
        for number in 0..hearers + usize::from(port == Port::Line) {
            let member = hall.join(port, &format!("member {number}"));
            hall.members.push(member);
        }
        hall
    }

    /// As many turns as it takes until everybody is sent everything. Returns how many.
    fn turn(&mut self) -> usize {
        let mut turns = 0;
        while turns == 0 || self.reactor.rooms().is_dirty() {
            self.reactor.turn().expect("nothing goes wrong in memory");
            turns += 1;
        }
        turns
    }

    fn join(&mut self, port: Port, name: &str) -> Rc<Socket> {
        let (hello, welcome) = match port {
            Port::Web => {
                let join = format!(r#"{{"type":"join","room":"{}","name":"{name}","create":true}}"#, code());
                let request = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
                ([request.as_bytes(), &frame(&join)].concat(), r#""type":"joined""#.to_owned())
            }
            Port::Line | Port::Metrics | Port::Other => {
                (format!("/join {} {name}\r\n", code()).into_bytes(), format!("* {}. ", code()))
            }
        };
        let socket = self.reactor.net_mut().connect(port);
        self.reactor.net_mut().send(&socket, &hello);
        let is_in = (0..MAX_JOIN_TURNS).any(|_| {
            self.turn();
            String::from_utf8_lossy(&socket.last_write()).contains(&welcome)
        });
        assert!(is_in, "{name} is let in");
        socket
    }

    fn leave(&mut self, socket: &Socket) {
        self.reactor.net_mut().send(socket, &frame(r#"{"type":"leave"}"#));
        self.turn();
    }

    /// The first member says so many things, in one turn. Returns how many it takes until they are sent.
    fn say(&mut self, messages: usize) -> usize {
        for _ in 0..messages {
            let said = match self.port {
                Port::Web => self.message.next(),
                Port::Line | Port::Metrics | Port::Other => &mut self.line,
            };
            self.reactor.net_mut().send(&self.members[0], said);
        }
        self.turn()
    }

    fn write_count(&self) -> usize {
        self.members.iter().map(|member| member.write_count()).sum()
    }
}

fn measure(bencher: Bencher, port: Port, hearers: usize, messages: usize) {
    let mut hall = Hall::new(port, hearers);
    // Who came is told with the first message.
    hall.say(1);
    let written_before = hall.write_count();
    let turns = hall.say(messages);
    let writes = hall.write_count() - written_before;
    // One for everybody who hears it; where a turn ends within what somebody is sent, the rest is another.
    assert!((hearers..hearers + turns).contains(&writes), "{writes} writes in {turns} turns");
    let heard = String::from_utf8_lossy(&hall.members[hall.members.len() - 1].last_write()).into_owned();
    assert_eq!(heard.matches(&text(TEXT_BYTES)).count(), messages, "{heard}");
    // As many events as are kept, so that each further one lets go of another.
    for _ in 0..limits().history_events / messages {
        hall.say(messages);
    }
    bencher.counter(ItemsCount::new(hearers * messages)).bench_local(|| hall.say(messages));
}

#[divan::bench(args = HEARERS)]
fn web(bencher: Bencher, hearers: usize) {
    measure(bencher, Port::Web, hearers, 1);
}

#[divan::bench(args = HEARERS)]
fn line(bencher: Bencher, hearers: usize) {
    measure(bencher, Port::Line, hearers, 1);
}

/// 32 messages that are there at once: they are written to each member together.
#[divan::bench(args = HEARERS)]
fn web_burst(bencher: Bencher, hearers: usize) {
    measure(bencher, Port::Web, hearers, BURST);
}

/// The bytes that a browser is sent, copied into a buffer of each hearer.
#[divan::bench(args = HEARERS)]
fn copy(bencher: Bencher, hearers: usize) {
    let mut hall = Hall::new(Port::Web, 1);
    hall.say(1);
    let bytes = hall.members[0].last_write();
    let mut buffers: Vec<Vec<u8>> = (0..hearers).map(|_| Vec::with_capacity(bytes.len())).collect();
    bencher.counter(ItemsCount::new(hearers)).bench_local(|| {
        for buffer in &mut buffers {
            buffer.clear();
            buffer.extend_from_slice(black_box(&bytes));
        }
        black_box(&mut buffers);
    });
}
