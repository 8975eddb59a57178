//! The event loop: the only sockets and the only clock, and the order in which everything happens.
//!
//! One turn is [`Reactor::turn`], and reads as a list: wait, receive, gather, deadlines, flush, reap. Each of
//! these has a file of its own beside this one. What bytes mean is a session's affair, what they do is the rooms'.

mod admission;
mod applying;
mod closing;
mod connection;
mod deadlines;
mod flushing;
mod net;
mod receiving;
mod session;

pub use net::{Accept, Accepted, BindError, MioNet, Net, Port, Readiness};
pub use session::{Session, Shared, all_wires};

use std::collections::HashMap;
use std::io;

use slab::Slab;

use crate::adapter::Now;
use crate::http::metrics::Meters;
use crate::journal::Journal;
use crate::rooms::{Command, ConnectionId, Laggard, RoomId, Rooms};
use admission::Admission;
pub use admission::AdmissionLimits;
use connection::Connection;
use deadlines::Deadlines;

/// Bytes read from one connection in one turn, so that nobody waits long for a chatterer.
const READ_BUDGET_BYTES: usize = 64 * 1024;

/// Further rounds of input that are taken in before anything is sent, if they are there already.
const GATHER_ROUNDS: u32 = 4;

/// No further round once so many connections were received from in a turn: at about a microsecond each, the
/// first of them has waited long enough.
const GATHERED_CONNECTIONS: usize = 256;

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
