//! The event loop: the only sockets and the only clock, and the order in which everything happens.
//!
//! One turn is [`Reactor::turn`], and reads as a list: wait, receive, deadlines, flush, reap. What bytes
//! mean is a session's affair, what they do is the rooms'.

mod admission;
mod connection;
mod deadlines;
mod net;
mod session;

pub use net::{Accept, Accepted, BindError, MioNet, Net, Port, Readiness};
pub use session::{Session, Shared, all_wires};

use std::collections::HashMap;
use std::io;

use slab::Slab;

use crate::adapter::{Flow, Input, Now, Step};
use crate::http::metrics::Meters;
use crate::journal::{Journal, Outcome};
use crate::rooms::{Address, Caller, Command, ConnectionId, Laggard, Refusal, Reply, RoomId, Rooms};
use admission::Admission;
pub use admission::AdmissionLimits;
use connection::{Connection, Phase};
use deadlines::Deadlines;

/// Bytes read from one connection in one turn, so that nobody waits long for a chatterer.
const READ_BUDGET_BYTES: usize = 64 * 1024;

/// Bytes that a room may gather in one turn before they are flushed in the middle of it.
const ROOM_BUDGET_BYTES: usize = 256 * 1024;

/// Bytes that sessions may have to say in one turn before they are sent in the middle of it: a crowd that
/// joins at once is told a lot, and memory that was needed once is seldom given back.
const OWED_BUDGET_BYTES: usize = 256 * 1024;

/// Further rounds of input that are taken in before anything is sent, if they are there already.
const GATHER_ROUNDS: u32 = 4;

/// No further round once so many connections were received from in a turn: at about a microsecond each, the
/// first of them has waited long enough.
const GATHERED_CONNECTIONS: usize = 256;

/// What is left in the outbox of a closing connection has this long to be taken.
const DRAIN_MS: u64 = 5_000;

/// A peer that has been sent everything has this long to end its side.
const LINGER_MS: u64 = 2_000;

/// Once asked to stop, the program ends after this time at the latest.
const STOP_MS: u64 = 5_000;

/// Slot bits of a connection's id; the others are its generation. An id fits in a `usize`.
const SLOT_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
const GENERATION_MASK: u32 = u32::MAX >> (SLOT_BITS.saturating_sub(usize::BITS - 32));

/// The event loop and everything it owns.
pub struct Reactor<N: Net, J: Journal> {
    net: N,
    rooms: Rooms,
    journal: J,
    shared: Shared,
    connections: Slab<Connection<N::Stream>>,
    admission: Admission,
    deadlines: Deadlines,
    now: Now,
    next_generation: u32,
    /// When to be gone, once asked to stop.
    stops_at_ms: Option<u64>,
    /// Why to end at once.
    failure: Option<String>,
    /// Commands that wait until something is read.
    put_off: HashMap<ConnectionId, Command>,
    ready: Vec<Readiness>,
    receive_queue: Vec<ConnectionId>,
    flush_queue: Vec<ConnectionId>,
    /// Connections that were received from in this turn.
    received_from: usize,
    broken: Vec<ConnectionId>,
    dirty_rooms: Vec<RoomId>,
    laggards: Vec<Laggard>,
    read_buffer: Box<[u8]>,
    /// Where sessions write what they have to say themselves; then moved to their outbox.
    words: Vec<u8>,
    /// Bytes put into outboxes since they were last flushed.
    owed_bytes: usize,
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// A reactor that has accepted nobody yet.
    pub fn new(mut net: N, rooms: Rooms, journal: J, shared: Shared, limits: AdmissionLimits) -> Reactor<N, J> {
        Reactor {
            now: net.now(),
            net,
            rooms,
            journal,
            shared,
            connections: Slab::new(),
            admission: Admission::new(limits),
            deadlines: Deadlines::default(),
            next_generation: 0,
            stops_at_ms: None,
            failure: None,
            put_off: HashMap::new(),
            ready: Vec::new(),
            receive_queue: Vec::new(),
            flush_queue: Vec::new(),
            received_from: 0,
            broken: Vec::new(),
            dirty_rooms: Vec::new(),
            laggards: Vec::new(),
            read_buffer: vec![0; READ_BUDGET_BYTES].into(),
            words: Vec::new(),
            owed_bytes: 0,
        }
    }

    /// Turns until the program is asked to stop and everybody has been seen off.
    ///
    /// # Errors
    /// The system cannot tell any more what is ready, or the journal is broken.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.has_stopped() {
            self.turn()?;
        }
        Ok(())
    }

    /// One round: wait, receive (and gather what came meanwhile), deadlines, flush, reap.
    ///
    /// # Errors
    /// The system cannot tell any more what is ready, or the journal is broken.
    pub fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.receive();
        self.gather()?;
        self.expire();
        self.journal.dispatch();
        self.flush();
        self.reap();
        self.journal.dispatch();
        self.failure.take().map_or(Ok(()), |sentence| Err(io::Error::other(sentence)))
    }

    /// Whether the program was asked to stop and nothing is left to do.
    pub fn has_stopped(&self) -> bool {
        self.stops_at_ms.is_some_and(|stops_at_ms| self.connections.is_empty() || self.now.steady_ms >= stops_at_ms)
    }

    /// What the system is asked of, for whoever drives the reactor from outside.
    pub fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// The journal, for whoever drives the reactor from outside.
    pub fn journal_mut(&mut self) -> &mut J {
        &mut self.journal
    }

    /// The rooms, to be looked at.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Connections that hold a slot.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    fn meters(&self) -> &Meters {
        self.shared.meters()
    }

    // ---- wait

    fn wait(&mut self) -> io::Result<()> {
        self.received_from = 0;
        self.poll(self.timeout_ms()).map(|_| ())
    }

    /// Notes what is ready within this time. Returns whether anything was.
    fn poll(&mut self, timeout_ms: Option<u64>) -> io::Result<bool> {
        let mut ready = std::mem::take(&mut self.ready);
        self.net.wait(timeout_ms, &mut ready)?;
        self.now = self.net.now();
        let is_any = !ready.is_empty();
        for readiness in ready.drain(..) {
            match readiness {
                Readiness::Listener(port) => self.admission.set_ready(port),
                Readiness::Connection { connection, readable, writable, ended } => {
                    self.note_readiness(connection, readable, writable, ended);
                }
                Readiness::Stop => self.stop(),
            }
        }
        self.ready = ready;
        Ok(is_any)
    }

    /// Takes in what arrived while the input was taken in, before anything is sent: whoever writes later writes
    /// more at once. Bounded, and over as soon as nothing more is there, so that nobody waits for it.
    fn gather(&mut self) -> io::Result<()> {
        for _ in 0..GATHER_ROUNDS {
            let is_worth_it = self.rooms.is_dirty() && self.received_from < GATHERED_CONNECTIONS;
            if !is_worth_it || !self.poll(Some(0))? {
                break;
            }
            self.receive();
        }
        Ok(())
    }

    /// How long nothing needs to be done. Never waits while anything is unread or unsent.
    fn timeout_ms(&self) -> Option<u64> {
        let is_busy = !self.receive_queue.is_empty()
            || !self.flush_queue.is_empty()
            || self.rooms.is_dirty()
            || self.admission.is_ready(self.now);
        if is_busy {
            return Some(0);
        }
        let due =
            [self.deadlines.next_ms(), self.rooms.next_deadline_ms(), self.admission.retry_at_ms(), self.stops_at_ms];
        due.into_iter().flatten().min().map(|due_ms| due_ms.saturating_sub(self.now.steady_ms))
    }

    fn note_readiness(&mut self, id: ConnectionId, readable: bool, writable: bool, ended: bool) {
        let Some(slot) = self.find(id) else { return };
        let connection = &mut self.connections[slot];
        if readable {
            connection.is_readable = true;
            connection.is_ending |= ended;
            self.queue_receive(slot);
        }
        let connection = &mut self.connections[slot];
        if writable && !std::mem::replace(&mut connection.is_writable, true) {
            let membership = connection.membership;
            self.queue_flush(slot);
            if let Some(membership) = membership {
                self.rooms.mark_dirty(membership.room);
            }
        }
    }

    // ---- receive

    fn receive(&mut self) {
        self.accept();
        let mut queue = std::mem::take(&mut self.receive_queue);
        for id in queue.drain(..) {
            if let Some(slot) = self.find(id) {
                self.connections[slot].is_in_receive_queue = false;
                self.received_from += 1;
                self.receive_from(slot);
                if self.owed_bytes > OWED_BUDGET_BYTES {
                    self.flush_connections();
                }
            }
        }
        // Whoever was queued meanwhile is looked at in the next turn.
        queue.append(&mut self.receive_queue);
        self.receive_queue = queue;
    }

    /// Reads once from a connection, and has its session look at what there is.
    fn receive_from(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        if connection.phase != Phase::Open {
            return self.discard_input(slot);
        }
        if !connection.listens() {
            // Whatever ends the pause queues it again.
            return;
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let count = if connection.is_readable { self.read(slot, &mut buffer) } else { 0 };
        let Some(connection) = self.connections.get_mut(slot) else {
            self.read_buffer = buffer;
            return;
        };
        self.shared.meters().received_bytes.inc_by(count as u64);
        if connection.pending.is_empty() {
            let consumed = self.show_input(slot, &mut buffer[..count]);
            if consumed < count && self.is_open(slot) {
                self.connections[slot].pending = buffer[consumed..count].into();
            }
            self.read_buffer = buffer;
        } else {
            let mut pending = std::mem::take(&mut connection.pending).into_vec();
            pending.extend_from_slice(&buffer[..count]);
            self.read_buffer = buffer;
            let consumed = self.show_input(slot, &mut pending);
            if consumed < pending.len() && self.is_open(slot) {
                pending.drain(..consumed);
                self.connections[slot].pending = pending.into();
            }
        }
        if self.is_open(slot) {
            self.receive_again_if_due(slot);
        }
    }

    fn is_open(&self, slot: usize) -> bool {
        self.connections[slot].phase == Phase::Open
    }

    /// Reads what is there, at most one buffer. Returns how much it was.
    fn read(&mut self, slot: usize, buffer: &mut [u8]) -> usize {
        use std::io::Read;
        let connection = &mut self.connections[slot];
        match connection.stream.read(buffer) {
            Ok(0) => {
                connection.is_readable = false;
                connection.has_ended = true;
                0
            }
            Ok(count) => {
                // Less than asked for means that there is no more until the next edge; the end of the input,
                // though, may have been announced already.
                connection.is_readable = count == buffer.len() || connection.is_ending;
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.is_readable = false;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => {
                connection.is_readable = false;
                self.broken.push(self.id_of(slot));
                0
            }
        }
    }

    /// Has the session look at its input, step by step. Returns how much it consumed.
    fn show_input(&mut self, slot: usize, bytes: &mut [u8]) -> usize {
        self.settle_if_lagging(slot);
        let has_ended = self.connections[slot].has_ended;
        let mut input = Input::new(bytes, has_ended);
        while self.connections[slot].listens() {
            let connection = &mut self.connections[slot];
            let step = connection.session.receive(&mut input, &self.shared, self.now, &mut self.words);
            self.send_words(slot);
            let connection = &mut self.connections[slot];
            match step {
                Step::NeedInput if has_ended => self.begin_closing(slot),
                Step::NeedInput => break,
                Step::Command(command) => self.apply(slot, command),
                Step::PauseUntil { steady_ms } => connection.until_ms = steady_ms.max(1),
                Step::Close => self.begin_closing(slot),
                Step::Fault => {
                    log::debug!("a peer breaks its protocol");
                    connection.session.faults(self.shared.meters()).inc();
                    self.begin_closing(slot);
                }
                Step::Upgrade(upgrade) => {
                    if let Some(address) = upgrade.forwarded_for.map(Address::from) {
                        let peer = std::mem::replace(&mut connection.address, address);
                        self.admission.move_to(peer, address);
                    }
                    connection.session = Session::upgraded(upgrade, self.now);
                    self.meters().websockets.inc();
                }
            }
        }
        self.queue_flush(slot);
        self.schedule(slot);
        input.consumed()
    }

    /// Queues a connection that has input its session could look at, but that no edge will announce.
    fn receive_again_if_due(&mut self, slot: usize) {
        let connection = &self.connections[slot];
        // Input that the session has seen and could do nothing with waits for more.
        let is_due = connection.is_readable || connection.has_ended;
        if is_due && connection.listens() {
            self.queue_receive(slot);
        }
    }

    /// Reads and forgets: the session is over, but the peer may still be sending.
    fn discard_input(&mut self, slot: usize) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        self.read(slot, &mut buffer);
        self.read_buffer = buffer;
        let connection = &self.connections[slot];
        if connection.has_ended && connection.phase == Phase::Lingering {
            self.broken.push(self.id_of(slot));
        } else if connection.is_readable {
            self.queue_receive(slot);
        }
    }

    // ---- commands and replies

    fn apply(&mut self, slot: usize, command: Command) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        connection.awaits_reply = command.is_answered();
        if let Some(reading) = self.rooms.reading_for(connection.membership, &command) {
            self.put_off.insert(id, command);
            return self.journal.read(id, reading);
        }
        self.apply_now(slot, command);
    }

    /// Applies a command for which nothing has to be read, or for which it has been.
    fn apply_now(&mut self, slot: usize, command: Command) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        let forwarded = connection.session.forwarded_address();
        let caller = Caller {
            connection: id,
            address: forwarded.map_or(connection.address, Address::from),
            via: connection.session.via(),
            wire: connection.session.wire(),
        };
        self.rooms.set_journal_stuck(self.journal.is_stuck());
        self.rooms.apply(&caller, &mut connection.membership, command, self.now);
        self.settle_rooms();
        if let Some(membership) = self.connections[slot].membership
            && self.rooms.held_bytes(membership.room) > ROOM_BUDGET_BYTES
        {
            self.flush_room(membership.room);
        }
    }

    /// Carries changes to the journal, what has come of them to the rooms, and answers to connections, until
    /// there is none of them left.
    fn settle_rooms(&mut self) {
        loop {
            while let Some(record) = self.rooms.take_record() {
                self.journal.submit(record);
            }
            if let Some((connection, reply)) = self.rooms.take_reply() {
                self.deliver(connection, reply);
            } else if let Some(outcome) = self.journal.take_outcome() {
                self.heed(outcome);
            } else {
                return;
            }
        }
    }

    fn heed(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Kept(record) => self.rooms.publish(record),
            Outcome::Refused(record) => self.rooms.refuse(record),
            Outcome::Read { connection, reading, read } => {
                let command = self.put_off.remove(&connection);
                let (Some(command), Some(slot)) = (command, self.find(connection)) else { return };
                let Some(read) = read else {
                    let refusal = Refusal::StorageFailed;
                    return self.deliver(connection, Reply::Refused { refusal, cid: None, is_answer: true });
                };
                if let Some(reading) = self.rooms.lend(reading, read) {
                    self.put_off.insert(connection, command);
                    return self.journal.read(connection, reading);
                }
                if reading.wants_said {
                    // The room has its latest events now; the command may need older ones as well.
                    self.rooms.return_loan();
                    return self.apply(slot, command);
                }
                self.apply_now(slot, command);
            }
            Outcome::Broken(sentence) => self.failure = Some(sentence),
        }
    }

    fn deliver(&mut self, id: ConnectionId, reply: Reply) {
        let Some(slot) = self.find(id) else { return };
        self.queue_flush(slot);
        let connection = &mut self.connections[slot];
        if let Reply::Unsent(mut bytes) = reply {
            return connection.outbox.take_in(&mut bytes);
        }
        if connection.phase != Phase::Open {
            return;
        }
        if reply == Reply::TakenOver {
            connection.membership = None;
        }
        // The answer comes after what happened in the room before it.
        self.settle(slot);
        let connection = &mut self.connections[slot];
        let was_waiting = reply.is_answer() && std::mem::replace(&mut connection.awaits_reply, false);
        let flow = connection.session.reply(reply, &self.rooms, &self.shared, self.now, &mut self.words);
        self.send_words(slot);
        match flow {
            Flow::Close => self.begin_closing(slot),
            Flow::Continue if was_waiting => self.queue_receive(slot),
            Flow::Continue => (),
        }
    }

    /// Puts what a session had to say into its connection's outbox.
    fn send_words(&mut self, slot: usize) {
        if !self.words.is_empty() {
            self.owed_bytes += self.words.len();
            self.connections[slot].outbox.take_in(&mut self.words);
            self.queue_flush(slot);
        }
    }

    /// Moves what the connection is still to be sent of its room's log to its outbox: what is put there next
    /// comes after it.
    fn settle(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        if let Some(membership) = connection.membership {
            connection.outbox.take_in(&mut self.rooms.settle(membership));
            connection.lags = false;
        }
    }

    /// A session is about to write of its own accord, which must not come in the middle of a log entry.
    fn settle_if_lagging(&mut self, slot: usize) {
        if self.connections[slot].lags {
            self.settle(slot);
        }
    }

    // ---- deadlines

    fn expire(&mut self) {
        while let Some((due_ms, id)) = self.deadlines.take_due(self.now.steady_ms) {
            let Some(slot) = self.find(id) else { continue };
            let connection = &mut self.connections[slot];
            if connection.scheduled_ms == due_ms {
                connection.scheduled_ms = u64::MAX;
            }
            if connection.due_ms().is_some_and(|due_ms| due_ms <= self.now.steady_ms) {
                self.expire_connection(slot);
            }
            self.schedule(slot);
        }
        self.rooms.expire(self.now);
        // This is also where what the journal has done meanwhile comes in.
        self.settle_rooms();
    }

    fn expire_connection(&mut self, slot: usize) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        match connection.phase {
            Phase::Draining | Phase::Lingering => {
                connection.until_ms = u64::MAX;
                self.broken.push(id);
            }
            Phase::Open if connection.until_ms > 0 && connection.until_ms <= self.now.steady_ms => {
                connection.until_ms = 0;
                self.queue_receive(slot);
            }
            Phase::Open => {
                self.settle_if_lagging(slot);
                let connection = &mut self.connections[slot];
                let flow = connection.session.expire(self.now, &mut self.words);
                self.send_words(slot);
                if flow == Flow::Close {
                    self.begin_closing(slot);
                }
            }
        }
    }

    /// Notes when the connection is to be looked at, if that is earlier than noted.
    fn schedule(&mut self, slot: usize) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        if let Some(due_ms) = connection.due_ms()
            && due_ms < connection.scheduled_ms
        {
            connection.scheduled_ms = due_ms;
            self.deadlines.schedule(due_ms, id);
        }
    }

    // ---- flush

    /// Sends everything that anybody can be sent. Only here is a socket written to.
    fn flush(&mut self) {
        while self.rooms.is_dirty() || !self.flush_queue.is_empty() {
            let mut dirty = std::mem::take(&mut self.dirty_rooms);
            self.rooms.take_dirty(&mut dirty);
            for room in dirty.drain(..) {
                self.flush_room(room);
            }
            self.dirty_rooms = dirty;
            self.flush_connections();
        }
    }

    /// Sends what sessions had to say themselves.
    fn flush_connections(&mut self) {
        self.owed_bytes = 0;
        let mut queue = std::mem::take(&mut self.flush_queue);
        for id in queue.drain(..) {
            if let Some(slot) = self.find(id) {
                self.connections[slot].is_in_flush_queue = false;
                self.flush_connection(slot);
            }
        }
        queue.append(&mut self.flush_queue);
        self.flush_queue = queue;
    }

    /// Sends the members of a room its news: one write each.
    fn flush_room(&mut self, room: RoomId) {
        let (connections, broken) = (&mut self.connections, &mut self.broken);
        let mut sent_bytes = 0;
        let mut write = |id: ConnectionId, bytes: &[u8]| {
            let Some(connection) = find(connections, id).and_then(|slot| connections.get_mut(slot)) else { return 0 };
            match connection.send(bytes) {
                Ok(count) => {
                    connection.lags = count < bytes.len();
                    sent_bytes += count as u64;
                    count
                }
                Err(_) => {
                    connection.is_writable = false;
                    broken.push(id);
                    0
                }
            }
        };
        self.rooms.flush(room, &mut write, &mut self.laggards);
        self.meters().sent_bytes.inc_by(sent_bytes);
        for laggard in std::mem::take(&mut self.laggards) {
            self.cut_off(laggard);
        }
    }

    /// Closes a connection that fell too far behind.
    fn cut_off(&mut self, laggard: Laggard) {
        let Some(slot) = self.find(laggard.connection) else { return };
        log::debug!("connection {} reads too slowly", laggard.connection.0);
        self.meters().slow_readers_closed.inc();
        self.words.extend_from_slice(&laggard.torn_rest);
        self.connections[slot].session.say_too_slow(&mut self.words);
        self.send_words(slot);
        self.begin_closing(slot);
    }

    /// Sends a connection's own outbox, and takes the next step of its closing.
    fn flush_connection(&mut self, slot: usize) {
        let id = self.id_of(slot);
        let connection = &mut self.connections[slot];
        let was_listening = connection.listens();
        let unsent_bytes = connection.outbox.len();
        if connection.send(&[]).is_err() {
            connection.is_writable = false;
            self.broken.push(id);
            return;
        }
        self.shared.meters().sent_bytes.inc_by((unsent_bytes - connection.outbox.len()) as u64);
        if connection.phase == Phase::Draining && connection.outbox.is_empty() {
            self.net.end_sending(&mut connection.stream);
            connection.phase = Phase::Lingering;
            connection.until_ms = self.now.steady_ms + LINGER_MS;
            if connection.has_ended {
                self.broken.push(id);
            }
            self.schedule(slot);
            return self.queue_receive(slot);
        }
        if !was_listening && connection.listens() && connection.has_input() {
            self.queue_receive(slot);
        }
    }

    // ---- closing

    /// The session is over: its member leaves or keeps its place, what is owed is still sent.
    fn begin_closing(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        if connection.phase != Phase::Open {
            return;
        }
        connection.phase = Phase::Draining;
        connection.until_ms = self.now.steady_ms + DRAIN_MS;
        connection.pending = Box::default();
        let keeps_place = connection.session.keeps_place();
        self.settle(slot);
        if let Some(membership) = self.connections[slot].membership.take() {
            self.rooms.disconnect(membership, keeps_place, self.now);
            self.settle_rooms();
        }
        self.queue_flush(slot);
        self.schedule(slot);
    }

    /// Frees the slots of connections that broke or have been closed, now that nothing of this turn refers
    /// to them any more.
    fn reap(&mut self) {
        while let Some(id) = self.broken.pop() {
            let Some(slot) = self.find(id) else { continue };
            log::debug!("connection {} is closed", id.0);
            let connection = self.connections.remove(slot);
            self.admission.release(connection.address);
            self.put_off.remove(&id);
            self.meters().open_connections.dec();
            self.net.close(connection.stream);
            if let Some(membership) = connection.membership {
                self.rooms.disconnect(membership, connection.session.keeps_place(), self.now);
                self.settle_rooms();
            }
        }
    }

    /// Says goodbye to everybody, and accepts nobody more.
    fn stop(&mut self) {
        if self.stops_at_ms.is_some() {
            return;
        }
        log::info!("stopping");
        self.stops_at_ms = Some(self.now.steady_ms + STOP_MS);
        self.shared.site.begin_stopping();
        self.net.close_listeners();
        let slots: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let connection = &mut self.connections[slot];
            if connection.phase != Phase::Open {
                continue;
            }
            self.settle(slot);
            let connection = &mut self.connections[slot];
            if let Some(membership) = connection.membership.take() {
                // Nobody is told that others part: everybody does. Nothing of a room outlives this.
                self.rooms.forget(membership);
            }
            connection.session.say_goodbye(&mut self.words);
            self.send_words(slot);
            self.begin_closing(slot);
        }
    }

    // ---- slots and queues

    fn id_of(&self, slot: usize) -> ConnectionId {
        connection_id(slot, self.connections[slot].generation)
    }

    fn find(&self, id: ConnectionId) -> Option<usize> {
        find(&self.connections, id)
    }

    fn queue_receive(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.connections[slot].is_in_receive_queue, true) {
            self.receive_queue.push(self.id_of(slot));
        }
    }

    fn queue_flush(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.connections[slot].is_in_flush_queue, true) {
            self.flush_queue.push(self.id_of(slot));
        }
    }
}

fn connection_id(slot: usize, generation: u32) -> ConnectionId {
    ConnectionId(u64::from(generation) << SLOT_BITS | slot as u64)
}

/// The slot of a connection, unless it is another's by now.
fn find<S>(connections: &Slab<Connection<S>>, id: ConnectionId) -> Option<usize> {
    let slot = (id.0 & ((1 << SLOT_BITS) - 1)) as usize;
    let generation = (id.0 >> SLOT_BITS) as u32;
    connections.get(slot).filter(|connection| connection.generation == generation).map(|_| slot)
}
