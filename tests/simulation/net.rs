//! A simulated system under the real reactor: sockets in memory, readiness by edges, a clock of its own.
//!
//! It does everything a kernel may do and seldom does: reads and writes that stop anywhere, edges that come
//! late, merged, twice, for nothing or for connections that are gone, resets, windows that stay shut.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::reactor::{Accept, Accepted, ListenerId, Net, Port, Readiness, Stream};
use snugd::rooms::ConnectionId;
use snugd::time::Now;

/// What is spoken at its listeners, of each one; in their order.
const PORTS: [Port; 4] = [Port::Web, Port::Line, Port::Metrics, Port::Other];

/// With what a proxy, which has no address itself, says from whom a connection comes.
const HEADERS: [&[u8]; 4] = [
    b"PROXY TCP4 127.0.0.3 127.0.0.2 56324 443\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\x7f\0\0\x03\x7f\0\0\x02\xdc\x04\x01\xbb\x04\0\0",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
];

/// One connection, seen from both ends.
#[derive(Default)]
pub struct Socket {
    to_server: VecDeque<u8>,
    /// Bytes that the client has sent so far, and those of them that the server has taken.
    sent_bytes: usize,
    taken_bytes: usize,
    client_ended: bool,
    to_client: VecDeque<u8>,
    server_ended: bool,
    is_reset: bool,
    /// The server has been told of the reset: a system tells it once.
    is_reset_told: bool,
    is_closed: bool,
    window_bytes: usize,
    registered: Option<ConnectionId>,
    readable_edge: bool,
    writable_edge: bool,
    /// The server was told that there is no room, and waits to hear that there is.
    is_blocked: bool,
    /// The client is gone without a word: nothing arrives there.
    is_gone: bool,
    /// Since when its system should have acknowledged something.
    overdue_since_ms: Option<u64>,
    /// A proxy brings it.
    is_proxied: bool,
    /// Bytes of what the proxy says first that the server has yet to take: none that the client has sent.
    header_bytes: usize,
}

impl Socket {
    /// The reset, unless it has been told, or comes behind the end of what the client sent (tcp(7)).
    fn tell_reset(&mut self) -> Option<io::ErrorKind> {
        let is_news = self.is_reset && !self.client_ended && !std::mem::replace(&mut self.is_reset_told, true);
        is_news.then_some(io::ErrorKind::ConnectionReset)
    }
}

/// The system's state, shared by the reactor's side and the clients'.
pub struct World {
    sockets: Vec<Socket>,
    backlog: VecDeque<(Port, usize)>,
    listener_edge: [bool; PORTS.len()],
    closed: Vec<ConnectionId>,
    random: StdRng,
    pub now: Now,
    misbehaves: bool,
    /// Bytes that the server has written since it last waited.
    pub written_bytes: usize,
    /// The most that it has written in one turn.
    pub most_written_bytes: usize,
    /// No more time passes than this while the server waits and nothing happens.
    pub idle_ms: u64,
    /// The server is to be asked to stop.
    pub asks_to_stop: bool,
    /// Connections that it has asked about since it last waited.
    asked: usize,
    /// Most connections that it has asked about in one turn.
    pub most_asked: usize,
}

pub type SharedWorld = Rc<RefCell<World>>;

impl World {
    pub fn new(seed: u64) -> SharedWorld {
        Rc::new(RefCell::new(World {
            sockets: Vec::new(),
            backlog: VecDeque::new(),
            listener_edge: [false; PORTS.len()],
            closed: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            now: Now { steady_ms: 1, wall_ms: 1_700_000_000_000 },
            misbehaves: true,
            written_bytes: 0,
            most_written_bytes: 0,
            idle_ms: 1000,
            asks_to_stop: false,
            asked: 0,
            most_asked: 0,
        }))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.misbehaves && self.random.random_range(0..100) < percent
    }

    /// From here on nothing goes wrong any more, and everything fits.
    pub fn behave(&mut self) {
        self.misbehaves = false;
        for socket in &mut self.sockets {
            socket.window_bytes = usize::MAX;
        }
    }

    // ---- the clients' side

    /// No more than so many bytes are on their way to this client, or wait to be read by it.
    pub fn set_window(&mut self, socket: usize, bytes: usize) {
        self.sockets[socket].window_bytes = bytes;
    }

    pub fn connect(&mut self, port: Port) -> usize {
        let window_bytes = if self.misbehaves { self.random.random_range(1..4000) } else { usize::MAX };
        let header = if self.chance(25) { self.random.random_range(0..HEADERS.len()) } else { HEADERS.len() };
        let to_server: VecDeque<u8> =
            HEADERS.get(header).map_or(VecDeque::new(), |header| header.iter().copied().collect());
        let is_proxied = !to_server.is_empty();
        let header_bytes = to_server.len();
        self.sockets.push(Socket { window_bytes, to_server, is_proxied, header_bytes, ..Socket::default() });
        self.backlog.push_back((port, self.sockets.len() - 1));
        self.listener_edge[port as usize] = true;
        self.sockets.len() - 1
    }

    pub fn send(&mut self, socket: usize, bytes: &[u8]) {
        let socket = &mut self.sockets[socket];
        if !socket.is_reset && !socket.is_closed {
            socket.to_server.extend(bytes);
            socket.sent_bytes += bytes.len();
            socket.readable_edge = true;
        }
    }

    /// What has arrived at the client, at most `limit` bytes.
    pub fn receive(&mut self, socket: usize, limit: usize) -> Vec<u8> {
        let socket = &mut self.sockets[socket];
        let count = limit.min(socket.to_client.len());
        let bytes = socket.to_client.drain(..count).collect();
        if socket.is_blocked && socket.to_client.len() < socket.window_bytes {
            socket.is_blocked = false;
            socket.writable_edge = true;
        }
        bytes
    }

    /// Bytes that the client has sent so far.
    pub fn sent_bytes(&self, socket: usize) -> usize {
        self.sockets[socket].sent_bytes
    }

    /// Those of them that the server has taken.
    pub fn taken_bytes(&self, socket: usize) -> usize {
        self.sockets[socket].taken_bytes
    }

    /// The client sends no more.
    pub fn end(&mut self, socket: usize) {
        let socket = &mut self.sockets[socket];
        socket.client_ended |= !socket.is_reset;
        socket.readable_edge = true;
    }

    /// The client's cable is pulled: nothing arrives any more, and nobody says so.
    pub fn pull_cable(&mut self, socket: usize) {
        self.sockets[socket].is_gone = true;
    }

    /// The connection breaks. What has arrived may still be there to be read.
    pub fn reset(&mut self, socket: usize) {
        let is_lost = self.random.random_bool(0.5);
        self.break_connection(socket, is_lost);
    }

    /// The same; what was sent arrives before, or is lost.
    pub fn break_connection(&mut self, socket: usize, is_lost: bool) {
        let socket = &mut self.sockets[socket];
        socket.is_reset = true;
        if is_lost && !socket.to_server.is_empty() {
            socket.to_server.clear();
            // It comes behind what is lost.
            socket.client_ended = false;
        }
        socket.readable_edge = true;
        socket.writable_edge = true;
    }

    /// The program dies, and with it every connection and whoever waits for one.
    pub fn crash(&mut self) {
        for number in 0..self.sockets.len() {
            self.reset(number);
            self.sockets[number].is_closed = true;
            // What was on its way may still arrive.
            if self.chance(50) {
                self.sockets[number].to_client.clear();
            }
        }
        self.backlog.clear();
        self.listener_edge = [false; PORTS.len()];
        self.closed.clear();
    }

    /// Whether the client can see that the server is done with the connection.
    pub fn is_over(&self, socket: usize) -> bool {
        let socket = &self.sockets[socket];
        (socket.server_ended || socket.is_closed || socket.is_reset) && socket.to_client.is_empty()
    }

    /// Whether the server holds nothing of the connection any more.
    pub fn is_closed(&self, socket: usize) -> bool {
        self.sockets[socket].is_closed
    }

    /// Whether the server has ended the connection after it had sent everything.
    pub fn has_ended_well(&self, socket: usize) -> bool {
        let socket = &self.sockets[socket];
        socket.server_ended && !socket.is_reset && socket.to_client.is_empty()
    }

    /// Bytes that the server has not read although it could.
    pub fn unread_bytes(&self) -> usize {
        self.sockets.iter().filter(|socket| !socket.is_closed).map(|socket| socket.to_server.len()).sum()
    }

    /// Connections that their client has ended, or that broke, of which the server has taken no notice.
    pub fn unheard_ends(&self) -> usize {
        let is_over = |socket: &&Socket| socket.client_ended || socket.is_reset;
        let is_unheard = |socket: &&Socket| is_over(socket) && !socket.is_closed && !socket.server_ended;
        self.sockets.iter().filter(is_unheard).count()
    }

    /// Whether some edge has yet to be told.
    pub fn has_edges(&self) -> bool {
        let by_sockets = self.sockets.iter().any(|socket| {
            socket.registered.is_some() && !socket.is_closed && (socket.readable_edge || socket.writable_edge)
        });
        by_sockets || self.listener_edge.contains(&true)
    }

    // ---- the reactor's side

    fn take_edges(&mut self, ready: &mut Vec<Readiness>) {
        for port in PORTS {
            if self.listener_edge[port as usize] && !self.chance(20) {
                self.listener_edge[port as usize] = false;
                ready.push(Readiness::Listener(ListenerId { index: port as u16, port, is_tls: false }));
            }
        }
        for number in 0..self.sockets.len() {
            let (late, spurious) = (self.chance(20), self.chance(2));
            let socket = &mut self.sockets[number];
            let Some(connection) = socket.registered.filter(|_| !socket.is_closed) else { continue };
            let readable = socket.readable_edge && !late;
            let writable = socket.writable_edge && !late;
            socket.readable_edge &= late;
            socket.writable_edge &= late;
            if readable || writable || spurious {
                // A system that reports by edges reports everything that holds at that time.
                let has_room = socket.to_client.len() < socket.window_bytes || socket.is_reset;
                let ended = socket.client_ended || socket.is_reset;
                let writable = writable || has_room;
                ready.push(Readiness::Connection { connection, readable: readable || spurious, writable, ended });
            }
        }
        if self.chance(5)
            && let Some(&connection) = self.closed.last()
        {
            ready.push(Readiness::Connection { connection, readable: true, writable: true, ended: true });
        }
    }
}

/// The reactor's end of a socket.
pub struct SimStream {
    world: SharedWorld,
    socket: usize,
}

impl Stream for SimStream {}

impl Read for SimStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        let stops_short = world.chance(20);
        let count = world.random.random_range(1..=64);
        let socket = &mut world.sockets[self.socket];
        if socket.to_server.is_empty() {
            if let Some(error) = socket.tell_reset() {
                return Err(error.into());
            }
            return if socket.client_ended || socket.is_reset { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let whole = socket.to_server.len().min(buffer.len());
        // A read takes what is there; less only if the rest arrives just then, which is a new edge.
        let count = if stops_short { count.min(whole) } else { whole };
        socket.readable_edge |= count < socket.to_server.len();
        let of_header = count.min(socket.header_bytes);
        socket.header_bytes -= of_header;
        socket.taken_bytes += count - of_header;
        for byte in &mut buffer[..count] {
            *byte = socket.to_server.pop_front().expect("counted");
        }
        Ok(count)
    }
}

impl Write for SimStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        let (stops_short, count) = (world.chance(30), world.random.random_range(1..=16));
        let now_ms = world.now.steady_ms;
        let socket = &mut world.sockets[self.socket];
        assert!(!socket.server_ended, "nothing is written after the end");
        if socket.is_reset {
            return Err(socket.tell_reset().unwrap_or(io::ErrorKind::BrokenPipe).into());
        }
        let room = socket.window_bytes.saturating_sub(socket.to_client.len());
        if room == 0 {
            socket.is_blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(room).min(if stops_short { count } else { usize::MAX });
        if socket.is_gone {
            socket.overdue_since_ms.get_or_insert(now_ms);
        }
        socket.to_client.extend(&bytes[..count]);
        world.written_bytes += count;
        Ok(count)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.write(&all)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub struct SimNet(pub SharedWorld);

impl Net for SimNet {
    type Stream = SimStream;

    fn now(&mut self) -> Now {
        self.0.borrow().now
    }

    fn wait(&mut self, timeout_ms: Option<u64>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.most_written_bytes = world.most_written_bytes.max(world.written_bytes);
        world.written_bytes = 0;
        world.most_asked = world.most_asked.max(world.asked);
        world.asked = 0;
        world.take_edges(ready);
        if std::mem::take(&mut world.asks_to_stop) {
            ready.push(Readiness::Stop);
        }
        if ready.is_empty() && !world.has_edges() {
            // Nothing will happen before the reactor's own time comes; clients act between the turns.
            let most_ms = timeout_ms.unwrap_or(world.idle_ms).min(world.idle_ms);
            let passed_ms = if most_ms == 0 { 0 } else { world.random.random_range(0..=most_ms) };
            world.now.steady_ms += passed_ms;
            world.now.wall_ms += passed_ms;
        }
        if world.chance(1) {
            // Somebody sets the clock.
            world.now.wall_ms = world.now.wall_ms.saturating_add_signed(world.random.random_range(-10_000..10_000));
        }
        Ok(())
    }

    fn accept(&mut self, listener: ListenerId, _refusal: &[u8]) -> Accept<SimStream> {
        let mut world = self.0.borrow_mut();
        if world.chance(2) && !world.backlog.is_empty() {
            return Accept::OutOfDescriptors { refused: 0 };
        }
        let Some(place) = world.backlog.iter().position(|(waits_at, _)| *waits_at == listener.port) else {
            return Accept::Nothing;
        };
        let (_, socket) = world.backlog.remove(place).expect("found");
        let is_proxied = world.sockets[socket].is_proxied;
        let local = [127, 0, 0, 1].into();
        let peer = if is_proxied { None } else { Some(local) };
        let stream = SimStream { world: Rc::clone(&self.0), socket };
        Accept::Connection(Accepted { stream, peer, local })
    }

    fn register(&mut self, stream: &mut SimStream, connection: ConnectionId) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if world.chance(1) {
            world.reset(stream.socket);
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        world.sockets[stream.socket].registered = Some(connection);
        Ok(())
    }

    fn refuse(&mut self, stream: SimStream, _words: &[u8]) {
        self.close(stream);
    }

    fn end_sending(&mut self, stream: &mut SimStream) {
        self.0.borrow_mut().sockets[stream.socket].server_ended = true;
    }

    fn close(&mut self, stream: SimStream) {
        let mut world = self.0.borrow_mut();
        let socket = &mut world.sockets[stream.socket];
        socket.is_closed = true;
        socket.to_server.clear();
        let registered = socket.registered;
        world.closed.extend(registered);
    }

    fn overdue_ms(&mut self, stream: &SimStream) -> u64 {
        let mut world = self.0.borrow_mut();
        world.asked += 1;
        world.sockets[stream.socket].overdue_since_ms.map_or(0, |since_ms| world.now.steady_ms - since_ms)
    }

    fn close_listeners(&mut self) {
        self.0.borrow_mut().backlog.clear();
    }
}
