//! One member of the crowd: a connection, what of it is unparsed, what it has heard.

use std::io::{ErrorKind, Read, Write};

use hdrhistogram::Histogram;

use crate::dialect::{Framing, Heard, Identity, Speech};
use crate::guest::{Arrival, Guest};
use crate::roster::MAX_NODES;
use crate::secure::Stream;
use crate::stamp::{Stamp, StampReader};
use crate::tally::Tally;
use crate::websocket;

/// How far a member has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Connecting,
    /// Waits for the answer to its WebSocket handshake.
    Upgrading,
    /// Connected, not yet in its room.
    Joining,
    Joined,
    /// Closed by the server, or refused.
    Gone,
}

/// What all members hear together.
#[derive(Debug)]
pub struct Ear {
    /// From the moment a text was due to the moment it was received, in nanoseconds.
    pub latency_ns: Histogram<u64>,
    /// The same, of the slice of time under way.
    slice_ns: Histogram<u64>,
    /// The 99th percentile of each slice.
    pub slice_p99s_ns: Vec<u64>,
    /// Of each node.
    pub deliveries: [u64; MAX_NODES],
    /// Read before each parse, so that a message costs no clock call.
    pub now_ns: u64,
    /// The first thing a server refused, for the report.
    pub refusal: Option<String>,
}

impl Default for Ear {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, 120_000_000_000, 3).expect("constant bounds");
        Ear {
            latency_ns: histogram.clone(),
            slice_ns: histogram,
            slice_p99s_ns: Vec::new(),
            deliveries: [0; MAX_NODES],
            now_ns: 0,
            refusal: None,
        }
    }
}

impl Ear {
    /// Begins anew, but for what was refused.
    pub fn forget_deliveries(&mut self) {
        *self = Ear { refusal: self.refusal.take(), ..Ear::default() };
    }

    pub fn all_deliveries(&self) -> u64 {
        self.deliveries.iter().sum()
    }

    /// A slice of time is over.
    pub fn end_slice(&mut self) {
        if !self.slice_ns.is_empty() {
            self.slice_p99s_ns.push(self.slice_ns.value_at_quantile(0.99));
            self.latency_ns.add(&self.slice_ns).expect("the same bounds");
            self.slice_ns.reset();
        }
    }
}

#[derive(Debug)]
pub struct Member {
    pub stream: Stream,
    pub identity: Identity,
    pub room: usize,
    pub stage: Stage,
    /// Index among the talkers of the room, for those that talk.
    pub talker: Option<u16>,
    pub tally: Tally,
    /// Own texts heard back and not yet answered with another one.
    pub echoes: u32,
    /// What it hears is old, and says nothing of how long it took.
    pub is_late: bool,
    node: usize,
    nodes: usize,
    arrival: Arrival,
    speech: Speech,
    host: String,
    stamps: StampReader,
    /// The torn start of a message.
    carry: Vec<u8>,
    outgoing: Vec<u8>,
    mask: u32,
}

impl Member {
    /// A member under way to its room, or only as far as `arrival` goes.
    pub fn new(stream: Stream, guest: &Guest, arrival: Arrival) -> Self {
        Member {
            stream,
            identity: guest.identity.clone(),
            room: guest.room,
            stage: Stage::Connecting,
            talker: None,
            tally: Tally::new(0),
            echoes: 0,
            is_late: false,
            node: guest.node,
            nodes: guest.nodes,
            arrival,
            speech: guest.speech,
            host: guest.address.to_string(),
            stamps: StampReader::default(),
            carry: Vec::new(),
            outgoing: Vec::new(),
            mask: 0x9E37_79B9,
        }
    }

    /// This member's index as a talker if the server does not send its own texts back to it.
    pub fn deaf_to(&self) -> Option<u16> {
        if self.speech.hears_itself() { None } else { self.talker }
    }

    /// The connection may be established: says what comes first.
    pub fn connected(&mut self) {
        if self.stage != Stage::Connecting || self.stream.peer_addr().is_err() {
            return;
        }
        match self.speech.framing() {
            Framing::WebSocket { path } => {
                self.stage = Stage::Upgrading;
                let request = websocket::handshake(&self.host, path);
                self.outgoing.extend_from_slice(&request);
            }
            Framing::Lines => self.greet(),
        }
        self.flush();
    }

    /// Says one text; nothing is written before `flush`.
    pub fn say(&mut self, stamp: Stamp) {
        let text = stamp.write();
        match self.speech.framing() {
            Framing::Lines => self.speech.say(&self.identity, &text, stamp.sequence, &mut self.outgoing),
            Framing::WebSocket { .. } => {
                let mut payload = Vec::with_capacity(160);
                self.speech.say(&self.identity, &text, stamp.sequence, &mut payload);
                self.send(&payload);
            }
        }
    }

    /// Writes as much as the socket takes.
    pub fn flush(&mut self) {
        if self.stream.drive().is_err() {
            return self.stage = Stage::Gone;
        }
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.stage = Stage::Gone,
            }
        }
    }

    /// Reads everything that has arrived, through a buffer that all members share.
    pub fn receive(&mut self, buffer: &mut Vec<u8>, closing: bool, ear: &mut Ear, now_ns: impl Fn() -> u64) {
        while self.stage != Stage::Gone {
            let kept = self.carry.len();
            if buffer.len() < 2 * kept {
                buffer.resize(2 * kept, 0);
            }
            buffer[..kept].copy_from_slice(&self.carry);
            match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => self.stage = Stage::Gone,
                Ok(read) => {
                    let filled = kept + read;
                    ear.now_ns = now_ns();
                    let parsed = self.parse(&buffer[..filled], ear);
                    self.carry.clear();
                    self.carry.extend_from_slice(&buffer[parsed..filled]);
                    // Its end may be there too.
                    if filled < buffer.len() && !closing && self.stream.is_emptied_by_short_reads() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.stage = Stage::Gone,
            }
        }
    }

    /// Hears every whole message; returns how many bytes those were.
    fn parse(&mut self, bytes: &[u8], ear: &mut Ear) -> usize {
        let mut parsed = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                self.refused(&bytes[..end], ear);
                return bytes.len();
            }
            self.greet();
            self.flush();
            parsed = end + 4;
        }
        match self.speech.framing() {
            Framing::WebSocket { .. } => {
                while let Some(frame) = websocket::read_frame(&bytes[parsed..]) {
                    parsed += frame.length;
                    match frame.opcode {
                        websocket::TEXT => self.hear(frame.payload, ear),
                        websocket::PING => self.send_frame(websocket::PONG, frame.payload),
                        websocket::CLOSE => self.refused(frame.payload.get(2..).unwrap_or_default(), ear),
                        _ => {}
                    }
                }
            }
            Framing::Lines => {
                while let Some(end) = memchr::memchr(b'\n', &bytes[parsed..]) {
                    let line = &bytes[parsed..parsed + end];
                    parsed += end + 1;
                    self.hear(line.strip_suffix(b"\r").unwrap_or(line), ear);
                }
            }
        }
        parsed
    }

    #[inline]
    fn hear(&mut self, message: &[u8], ear: &mut Ear) {
        match self.speech.hear(&self.identity, message) {
            Heard::Delivery => {
                let Some(stamp) = self.stamps.read(message) else { return };
                ear.deliveries[self.node] += 1;
                // Where there are several nodes, how long it takes from one to another is the question.
                let crosses = self.nodes == 1 || node_of(self.room, stamp.talker.into(), self.nodes) != self.node;
                if crosses && !self.is_late {
                    ear.slice_ns.saturating_record(ear.now_ns.saturating_sub(stamp.due_ns));
                }
                self.tally.count(stamp.talker, stamp.sequence);
                self.echoes += u32::from(self.talker == Some(stamp.talker));
            }
            Heard::Joined => self.stage = Stage::Joined,
            Heard::Answer(answer) => {
                self.send(&answer);
                self.flush();
            }
            Heard::Refusal if self.stage == Stage::Joining => self.refused(message, ear),
            Heard::Refusal => note_refusal(message, ear),
            Heard::Other => {}
        }
    }

    fn greet(&mut self) {
        self.stage = Stage::Joining;
        let greeting = (self.arrival == Arrival::Joined).then(|| self.speech.greeting(&self.identity)).flatten();
        if let Some(greeting) = greeting {
            self.send(&greeting);
        }
    }

    fn refused(&mut self, reason: &[u8], ear: &mut Ear) {
        note_refusal(reason, ear);
        self.stage = Stage::Gone;
    }

    fn send(&mut self, message: &[u8]) {
        match self.speech.framing() {
            Framing::WebSocket { .. } => self.send_frame(websocket::TEXT, message),
            Framing::Lines => self.outgoing.extend_from_slice(message),
        }
    }

    fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.mask = self.mask.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        websocket::write_masked_frame(opcode, payload, self.mask.to_ne_bytes(), &mut self.outgoing);
    }
}

/// The node at which whoever has this place in a room is: the members of a room are at one after the other, and its talkers
/// are the first of them.
pub fn node_of(room: usize, place: usize, nodes: usize) -> usize {
    (room + place) % nodes
}

fn note_refusal(reason: &[u8], ear: &mut Ear) {
    ear.refusal.get_or_insert_with(|| {
        String::from_utf8_lossy(reason).lines().next().unwrap_or_default().chars().take(120).collect()
    });
}
