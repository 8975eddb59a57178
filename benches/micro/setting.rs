//! What the benches share: limits that never bind, texts, frames, rooms with members, and the copy that
//! everything is compared with.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use rand::SeedableRng;
use rand::rngs::StdRng;
use snugd::invitation::Invitation;
use snugd::line::{self, LocalClock};
use snugd::options::Limits;
use snugd::rooms::{
    Address, Caller, Command, ConnectionId, Delivery, Encoder, EncoderId, Execution, Join, JoinTarget, Kind,
    Membership, Name, Reply, RoomCode, RoomCommand, RoomRef, Rooms, Text, Via,
};
use snugd::time::Now;

/// Bytes of the texts that are said: a remark, and a paragraph.
pub const TEXT_BYTES: [usize; 2] = [64, 1024];

/// 2026-11-20 14:03:00 UTC. Time stands still: no deadline comes.
pub const NOW: Now = Now { steady_ms: 1_000, wall_ms: 1_795_183_380_000 };

pub const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// Digits at the end of a message's `cid`.
const SEQUENCE_DIGITS: usize = 8;

/// The limits that the program has by default, but none of rate or number.
pub fn limits() -> Limits {
    Limits { rate: 0, join_rate: 0, create_rate: 0, members: 0, ..Limits::default() }
}

pub fn invitation() -> Invitation {
    Invitation {
        public_url: None,
        base_path: "/".into(),
        web_port: 5000,
        line_port: Some(5001),
        host: "localhost".into(),
        is_secure: false,
        is_certified_host: false,
    }
}

pub fn line_context() -> line::Context {
    line::Context { limits: limits(), invitation: invitation(), clock: LocalClock::utc(), refusals: Default::default() }
}

pub fn random() -> StdRng {
    StdRng::seed_from_u64(1)
}

pub fn code() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

/// A text as people write them: words.
pub fn text(bytes: usize) -> String {
    "the quick brown fox jumps over the lazy dog ".chars().cycle().take(bytes - 1).chain(['.']).collect()
}

/// A client's frame around a payload (RFC 6455, section 5.2). Its mask is zero: taking it off is the same work
/// as with any other, and leaves bytes that can be received again.
pub fn frame(payload: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).expect("benches send short frames").to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload.as_bytes());
    bytes
}

/// A `message` as a page sends it, in its frame. The `cid` is another one each time.
pub struct MessageFrame {
    bytes: Vec<u8>,
    sequence: u32,
}

impl MessageFrame {
    pub fn new(text_bytes: usize) -> MessageFrame {
        let text = text(text_bytes);
        let payload = format!(r#"{{"type":"message","text":"{text}","cid":"c{:0SEQUENCE_DIGITS$}"}}"#, 0);
        MessageFrame { bytes: frame(&payload), sequence: 0 }
    }

    /// The frame of the next message.
    pub fn next(&mut self) -> &mut [u8] {
        self.sequence += 1;
        let end = self.bytes.len() - r#""}"#.len();
        let mut rest = self.sequence;
        for digit in self.bytes[end - SEQUENCE_DIGITS..end].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &mut self.bytes
    }
}

/// What somebody in one room says with this command, if anything.
pub fn said(command: &Command) -> Option<&str> {
    match command {
        Command::In(RoomRef::Only, RoomCommand::Say { text, .. }) => Some(text.as_str()),
        _ => None,
    }
}

/// Where nothing is sent yet: everything waits for the next flush.
struct Nowhere;

impl Delivery for Nowhere {
    fn write(&mut self, _connection: ConnectionId, _parts: &[&[u8]]) -> usize {
        unreachable!("only a flush writes");
    }

    fn queue(&mut self, _connection: ConnectionId, _entry: &[u8]) {
        unreachable!("nobody stops reading");
    }
}

/// Rooms with one room, without reactor or sessions.
pub struct Company {
    pub rooms: Rooms,
}

impl Company {
    pub fn new(encoders: Vec<Box<dyn Encoder>>) -> Company {
        Company { rooms: Rooms::new(limits(), encoders, random()) }
    }

    /// One more member: how it is addressed, its membership, and what it is answered.
    pub fn enter(&mut self, number: usize, via: Via, encoder: EncoderId) -> (Caller, Membership, Reply) {
        let address = Address::from(core::net::IpAddr::from(LOCALHOST));
        let caller = Caller { connection: ConnectionId(number as u64), address, via, encoder };
        let name = Name::parse(&format!("member {number}"));
        let (target, stays_elsewhere) = (JoinTarget::CodeOrNew(code()), false);
        let join =
            Join { target, stays_elsewhere, name, keeps_name: false, token: None, since: None, epoch: None, key: None };
        self.execute(&caller, &[], Command::Join(Box::new(join)));
        let (_, reply) = self.rooms.take_reply().expect("who joins is answered");
        let Reply::Joined { membership, .. } = &reply else { panic!("who joins is in: {reply:?}") };
        (caller, *membership, reply)
    }

    /// Somebody says something.
    pub fn say(&mut self, caller: &Caller, membership: Membership, text: Text) {
        let say = RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: None };
        self.execute(caller, &[membership], Command::In(RoomRef::Only, say));
    }

    /// Has the rooms execute something, and a journal keep it that forgets it at once.
    fn execute(&mut self, caller: &Caller, memberships: &[Membership], command: Command) {
        let execution = self.rooms.execute(caller, memberships, command, NOW, &mut Nowhere);
        assert_eq!(execution, Execution::Done, "memory holds everything");
        while let Some(proposal) = self.rooms.take_proposal() {
            self.rooms.commit(proposal, NOW, &mut Nowhere);
        }
    }

    /// Flushes every room, however much there is.
    pub fn flush(&mut self, delivery: &mut impl Delivery) {
        let mut dirty = Vec::new();
        self.rooms.take_dirty(&mut dirty);
        for room in dirty {
            self.rooms.flush(room, usize::MAX, usize::MAX, delivery, &mut Vec::new());
        }
    }
}

/// The measure of a bench: these bytes copied once.
pub fn copy(bencher: Bencher, bytes: &[u8]) {
    let mut copied = Vec::with_capacity(bytes.len());
    bencher.counter(BytesCount::of_slice(bytes)).bench_local(|| {
        copied.clear();
        copied.extend_from_slice(black_box(bytes));
        black_box(&mut copied);
    });
}
