//! The crowd: thousands of members on one thread, who join, talk at a pace, and count what they hear.
//!
//! While it talks, the crowd never sleeps. A sleeping client is woken by the server's write, on another CPU,
//! and the server pays for it: more than for the write itself on a virtual machine. Members across a
//! network are not woken by the server, so that price would be the bench's own. It also keeps open loops on time.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use crate::guest::{Arrival, Guest};
use crate::member::{Ear, Member, Stage};
use crate::secure::{self, SecureStream, Stream};
use crate::stamp::Stamp;
use crate::tally::{Faults, Tally};

/// How fast talkers talk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Open loop: so many texts a second from each talker, whatever the server does.
    PerSecond(f64),
    /// Closed loop: so many texts of each talker are on their way; its own echo lets it say the next.
    InFlight(u32),
}

/// Size of the shared receive buffer.
const BUFFER_BYTES: usize = 256 << 10;
/// A crowd that hears nothing new for this long has nothing more to hear.
const QUIET: Duration = Duration::from_millis(150);
/// A window is cut into slices of so long: each has a 99th percentile of its own.
const SLICE: Duration = Duration::from_millis(200);
/// Connections on their way at a time: fewer than any server lets wait.
const CONNECTING_AT_ONCE: usize = 200;
/// What fits into a packet on a narrow road, and what waits there unread.
const NARROW_SEGMENT_BYTES: u32 = 536;
const NARROW_BUFFER_BYTES: usize = 4 << 10;

struct Room {
    /// Members who talk, as indices of the crowd.
    talkers: Vec<usize>,
    /// How many texts each of them has said.
    said: Vec<u32>,
}

/// An open loop under way: text `count` is due at `start + count × interval`.
struct Schedule {
    start_ns: u64,
    interval_ns: f64,
    count: u64,
}

pub struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clock: Instant,
    /// How those who come over TLS speak it.
    client: Arc<ClientConfig>,
    /// Who have something to read and still agree upon keys: one in a turn, so that nobody else waits for all of them.
    handshaking: VecDeque<usize>,
    members: Vec<Member>,
    rooms: Vec<Room>,
    /// Talkers in the order in which they speak: one of each room, then the next of each.
    speakers: Vec<usize>,
    pub ear: Ear,
    /// Whether what shares this CPU, as the Redis of several nodes does, has its turn as soon as there is nothing to do.
    pub gives_way: bool,
}

impl Crowd {
    /// An empty crowd for so many rooms.
    pub fn new(rooms: usize) -> io::Result<Self> {
        Ok(Crowd {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; BUFFER_BYTES],
            clock: Instant::now(),
            client: secure::client(),
            handshaking: VecDeque::new(),
            members: Vec::new(),
            rooms: (0..rooms).map(|_| Room { talkers: Vec::new(), said: Vec::new() }).collect(),
            speakers: Vec::new(),
            ear: Ear::default(),
            gives_way: false,
        })
    }

    /// Lets all guests in, at most `at_once` of them on the way at a time, and returns when all have arrived: with
    /// the index of the first.
    pub fn admit(
        &mut self,
        guests: &[Guest],
        arrival: Arrival,
        at_once: usize,
        patience: Duration,
    ) -> io::Result<usize> {
        let first = self.members.len();
        let deadline = Instant::now() + patience;
        let arrived_at = match arrival {
            Arrival::Upgraded => Stage::Joining,
            Arrival::Joined => Stage::Joined,
        };
        let mut under_way: Vec<usize> = Vec::with_capacity(at_once);
        let mut waiting = guests.iter();
        loop {
            while under_way.len() < at_once {
                let Some(guest) = waiting.next() else { break };
                under_way.push(self.connect(guest, arrival, false)?);
            }
            if under_way.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                let arrived = self.members.len() - first - under_way.len();
                return Err(io::Error::other(format!("only {arrived} of {} arrived in time", guests.len())));
            }
            self.turn(Duration::from_millis(100), None, false)?;
            if let Some(gone) = under_way.iter().find(|index| self.members[**index].stage == Stage::Gone) {
                let why = self.ear.refusal.clone().unwrap_or_else(|| "closed".into());
                return Err(io::Error::other(format!("member {gone} was refused: {why}")));
            }
            under_way.retain(|index| self.members[*index].stage < arrived_at);
        }
        self.seat(guests, first);
        Ok(first)
    }

    /// Reads until nothing more comes, for at most `patience`.
    pub fn settle(&mut self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        let mut quiet_since = Instant::now();
        while Instant::now() < deadline && quiet_since.elapsed() < QUIET {
            if self.turn(Duration::from_millis(20), None, false)? {
                quiet_since = Instant::now();
            }
        }
        Ok(())
    }

    /// Takes a member's ears away: it stays connected and reads nothing more.
    pub fn deafen(&mut self, index: usize) -> io::Result<()> {
        self.poll.registry().deregister(self.members[index].stream.source())
    }

    /// Gives them back: it will read everything that has come meanwhile, and what comes.
    pub fn undeafen(&mut self, index: usize) -> io::Result<()> {
        self.members[index].is_late = true;
        register(&self.poll, &mut self.members[index].stream, index)
    }

    /// Talks at this pace for `warm_up`, then `window`. `mark` is called when the window opens and when it closes.
    /// Latencies and deliveries before the window are forgotten (but not by the tallies).
    pub fn talk(&mut self, pace: Pace, warm_up: Duration, window: Duration, mut mark: impl FnMut()) -> io::Result<()> {
        let mut schedule = None;
        match pace {
            Pace::PerSecond(rate) => {
                let interval_ns = 1e9 / (rate * self.speakers.len() as f64);
                schedule = Some(Schedule { start_ns: self.now_ns(), interval_ns, count: 0 });
            }
            Pace::InFlight(texts) => {
                for speaker in 0..self.speakers.len() {
                    self.say(self.speakers[speaker], texts, self.now_ns());
                }
            }
        }
        let echoing = matches!(pace, Pace::InFlight(_));
        self.talk_for(warm_up, schedule.as_mut(), echoing)?;
        self.ear.forget_deliveries();
        mark();
        let mut left = window;
        while !left.is_zero() {
            let slice = left.min(SLICE);
            self.talk_for(slice, schedule.as_mut(), echoing)?;
            self.ear.end_slice();
            left -= slice;
        }
        mark();
        Ok(())
    }

    /// Talks at this many texts a second while these come over TLS, all of them beginning in one instant. Returns how long
    /// it takes until all are upgraded; only what is heard in that time counts.
    pub fn talk_among_newcomers(&mut self, guests: &[Guest], rate: f64, patience: Duration) -> io::Result<Duration> {
        let first = self.members.len();
        let deadline = Instant::now() + patience;
        let late = || io::Error::other("not all came in time");
        for some in guests.chunks(CONNECTING_AT_ONCE) {
            for guest in some {
                self.connect(guest, Arrival::Upgraded, true)?;
            }
            while self.members[first..].iter().any(|member| member.stage == Stage::Connecting) {
                self.turn(Duration::from_millis(10), None, false)?;
                if Instant::now() > deadline {
                    return Err(late());
                }
            }
        }
        let interval_ns = 1e9 / (rate * self.speakers.len() as f64);
        let mut schedule = Schedule { start_ns: self.now_ns(), interval_ns, count: 0 };
        self.ear.forget_deliveries();
        let start = Instant::now();
        for member in &mut self.members[first..] {
            member.stream.release()?;
        }
        while self.members[first..].iter().any(|member| member.stage < Stage::Joining) {
            self.turn(Duration::ZERO, Some(&mut schedule), false)?;
            if Instant::now() > deadline {
                return Err(late());
            }
        }
        let taken = start.elapsed();
        self.ear.end_slice();
        match self.gone() {
            0 => Ok(taken),
            gone => Err(io::Error::other(format!("{gone} were closed"))),
        }
    }

    /// Waits until everyone has heard everything, or nothing comes any more; then counts what went wrong.
    pub fn settle_accounts(&mut self, patience: Duration) -> io::Result<Faults> {
        let deadline = Instant::now() + patience;
        let mut last_heard = Instant::now();
        while !self.is_complete() && Instant::now() < deadline && last_heard.elapsed() < 10 * QUIET {
            if self.turn(Duration::from_millis(20), None, false)? {
                last_heard = Instant::now();
            }
        }
        let mut faults = Faults::default();
        for member in &self.members {
            faults += member.tally.faults(&self.rooms[member.room].said, member.deaf_to());
        }
        Ok(faults)
    }

    /// How many deliveries all texts said should make.
    pub fn expected(&self) -> u64 {
        let said_in = |room: &Room| room.said.iter().map(|said| u64::from(*said)).sum::<u64>();
        self.members.iter().map(|member| said_in(&self.rooms[member.room])).sum()
    }

    /// How many members the server has closed.
    pub fn gone(&self) -> usize {
        self.members.iter().filter(|member| member.stage == Stage::Gone).count()
    }

    fn is_complete(&self) -> bool {
        self.members.iter().all(|member| {
            member.stage == Stage::Gone || member.tally.is_complete(&self.rooms[member.room].said, member.deaf_to())
        })
    }

    /// Sets out. `is_held`: begins nothing before it is released.
    fn connect(&mut self, guest: &Guest, arrival: Arrival, is_held: bool) -> io::Result<usize> {
        let stream = if guest.narrow { connect_narrowly(guest.address)? } else { TcpStream::connect(guest.address)? };
        stream.set_nodelay(true)?;
        let mut stream = match guest.is_secure {
            true => Stream::Secure(Box::new(SecureStream::new(stream, &self.client, is_held)?)),
            false => Stream::Plain(stream),
        };
        let index = self.members.len();
        register(&self.poll, &mut stream, index)?;
        self.members.push(Member::new(stream, guest, arrival));
        Ok(index)
    }

    /// Gives arrived talkers their places, and every member of their rooms an account of each.
    fn seat(&mut self, guests: &[Guest], first: usize) {
        for (index, guest) in (first..).zip(guests).filter(|(_, guest)| guest.talks) {
            let room = &mut self.rooms[guest.room];
            self.members[index].talker = Some(room.talkers.len() as u16);
            room.talkers.push(index);
            room.said.push(0);
        }
        let (present, newcomers) = self.members.split_at_mut(first);
        for member in present {
            member.tally.add_talkers(self.rooms[member.room].said.len());
        }
        for member in newcomers {
            member.tally = Tally::after(&self.rooms[member.room].said);
        }
        let places = self.rooms.iter().map(|room| room.talkers.len()).max().unwrap_or(0);
        let rows = (0..places).flat_map(|place| self.rooms.iter().filter_map(move |room| room.talkers.get(place)));
        self.speakers = rows.copied().collect();
    }

    fn talk_for(&mut self, span: Duration, mut schedule: Option<&mut Schedule>, echoing: bool) -> io::Result<()> {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.turn(Duration::ZERO, schedule.as_deref_mut(), echoing)?;
        }
        Ok(())
    }

    /// One turn of the loop: waits, says what is due, reads and writes whatever is ready. Whether anything was.
    fn turn(&mut self, wait: Duration, mut schedule: Option<&mut Schedule>, echoing: bool) -> io::Result<bool> {
        let wait = if self.handshaking.is_empty() { wait } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            other => other?,
        }
        // Taken out of the way, so that members can be told to speak while events are read.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.attend(event, echoing);
            if let Some(schedule) = &mut schedule {
                self.say_due(schedule);
            }
        }
        if let Some(schedule) = schedule {
            self.say_due(schedule);
        }
        let any = !events.is_empty() || !self.handshaking.is_empty();
        if !any && self.gives_way {
            std::thread::yield_now();
        }
        self.events = events;
        if let Some(index) = self.handshaking.pop_front() {
            self.listen(index, false, echoing);
        }
        Ok(any)
    }

    fn attend(&mut self, event: &Event, echoing: bool) {
        let index = event.token().0;
        let member = &mut self.members[index];
        if event.is_writable() {
            member.connected();
            member.flush();
        }
        if event.is_readable() || event.is_read_closed() {
            if member.stream.is_handshaking() {
                self.handshaking.push_back(index);
            } else {
                self.listen(index, event.is_read_closed() || event.is_error(), echoing);
            }
        }
    }

    /// Has a member read what is there.
    fn listen(&mut self, index: usize, closing: bool, echoing: bool) {
        let clock = self.clock;
        let member = &mut self.members[index];
        member.receive(&mut self.buffer, closing, &mut self.ear, || clock.elapsed().as_nanos() as u64);
        let echoes = std::mem::take(&mut member.echoes);
        if echoing && echoes > 0 {
            self.say(index, echoes, self.now_ns());
        }
    }

    fn say_due(&mut self, schedule: &mut Schedule) {
        let now_ns = self.now_ns();
        while schedule.next_due_ns() <= now_ns {
            let speaker = self.speakers[(schedule.count % self.speakers.len() as u64) as usize];
            self.say(speaker, 1, schedule.next_due_ns());
            schedule.count += 1;
        }
    }

    fn say(&mut self, index: usize, texts: u32, due_ns: u64) {
        let member = &mut self.members[index];
        let Some(talker) = member.talker.filter(|_| member.stage == Stage::Joined) else { return };
        let said = &mut self.rooms[member.room].said[usize::from(talker)];
        for sequence in *said..*said + texts {
            member.say(Stamp { talker, sequence, due_ns });
        }
        *said += texts;
        member.flush();
    }

    fn now_ns(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }
}

fn register(poll: &Poll, stream: &mut Stream, index: usize) -> io::Result<()> {
    poll.registry().register(stream.source(), Token(index), Interest::READABLE | Interest::WRITABLE)
}

fn connect_narrowly(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(NARROW_BUFFER_BYTES)?;
    socket.set_tcp_mss(NARROW_SEGMENT_BYTES)?;
    match socket.connect(&address.into()) {
        // EINPROGRESS: under way, as mio's own connect leaves it.
        Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

impl Schedule {
    fn next_due_ns(&self) -> u64 {
        self.start_ns + (self.count as f64 * self.interval_ns) as u64
    }
}
