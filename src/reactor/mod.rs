//! The event loop: the only sockets and the only clock, and the order in which everything is done.
//!
//! One turn is [`Reactor::turn`], and reads as a list: wait, receive, gather, deadlines, resume, flush, reap. Each of
//! these has a file of its own beside this one. What bytes mean is a session's affair, what they do is the rooms'.

mod absence;
mod acknowledgements;
mod admission;
mod closing;
mod connection;
mod connections;
mod deadlines;
mod executing;
mod files;
mod flushing;
mod handshakes;
mod memberships;
mod net;
mod observing;
mod output_queue;
mod proxy_header;
mod receiving;
mod reloading;
mod resetting;
mod session;
mod stopping;
mod watching;

pub use connection::OutputLimits;
pub use files::Files;
pub use memberships::Memberships;
pub use net::{
    Accept, Accepted, BindError, HandOverError, HandedOver, HangUp, ListenerId, MioNet, Net, Port, Readiness, Stream,
};
pub use observing::{Condition, Observer};
pub use output_queue::{OutputQueue, Range, SpareBuffers};
pub use reloading::Reload;
pub use session::{Session, Shared, all_encoders};

use std::io;

use crate::accounts::Authenticator;
use crate::http::metrics::Meters;
use crate::journal::Journal;
use crate::rooms::{ConnectionId, RoomId, Rooms, SlowConsumer};
use crate::time::Now;
use absence::AbsenceRound;
use admission::Admission;
pub use admission::AdmissionLimits;
use connections::Connections;
use deadlines::Deadlines;
use flushing::Held;
use handshakes::Handshakes;
use stopping::Stopping;
use watching::Watch;

/// Bytes read from one connection in one turn, so that nobody waits long for one that sends a lot.
const READ_BUDGET_BYTES: usize = 64 * 1024;

/// Further rounds of input that are taken in before anything is sent, if they are there already.
const GATHER_ROUNDS: u32 = 4;

/// No further round once so many connections were received from in a turn: at about a microsecond each, the
/// first of them has waited long enough.
const GATHERED_CONNECTIONS: usize = 256;

/// A journal that has too much to do is asked again after this time, if it does not say before that it has less.
const CONGESTION_CHECK_MS: u64 = 500;

/// Slot bits of a connection's id; the others are its generation. An id fits in a `usize`.
const SLOT_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
const GENERATION_MASK: u32 = u32::MAX >> (SLOT_BITS.saturating_sub(usize::BITS - 32));

/// The event loop and everything it owns.
pub struct Reactor<N: Net, J: Journal> {
    net: N,
    rooms: Rooms,
    journal: J,
    shared: Shared,
    /// Compares passwords; `None`: nobody does.
    authenticator: Option<Authenticator>,
    /// `None`: no files are shared.
    files: Option<Files>,
    connections: Connections<N::Stream>,
    admission: Admission,
    handshakes: Handshakes,
    deadlines: Deadlines,
    output_limits: OutputLimits,
    now: Now,
    /// Once asked to stop.
    stopping: Option<Stopping>,
    /// Whoever watches over the program.
    observer: Option<Box<dyn Observer>>,
    absence_round: AbsenceRound,
    watch: Watch,
    /// Reads the configuration again.
    reload: Option<Box<dyn FnMut() -> Option<Reload>>>,
    /// Why to end at once.
    failure: Option<String>,
    /// Outcomes of the journal may wait that it will not announce.
    may_have_outcomes: bool,
    ready: Vec<Readiness>,
    /// Connections that were received from in this turn.
    received_from: usize,
    /// Connections whose slots are to be freed.
    closed: Vec<ConnectionId>,
    dirty_rooms: Vec<RoomId>,
    held: Held,
    slow_consumers: Vec<SlowConsumer>,
    read_buffer: Box<[u8]>,
    /// Where sessions write what they have to say themselves; then moved to their output queue.
    scratch: Vec<u8>,
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// A reactor that has accepted nobody yet.
    pub fn new(mut net: N, rooms: Rooms, journal: J, mut shared: Shared, limits: AdmissionLimits) -> Reactor<N, J> {
        shared.site.meters.journal = journal.meters();
        shared.site.meters.cluster = journal.cluster_meters();
        Reactor {
            now: net.now(),
            net,
            rooms,
            journal,
            shared,
            authenticator: None,
            files: None,
            connections: Connections::new(),
            admission: Admission::new(limits),
            handshakes: Handshakes::default(),
            deadlines: Deadlines::default(),
            output_limits: OutputLimits::default(),
            stopping: None,
            observer: None,
            absence_round: AbsenceRound::default(),
            watch: Watch::default(),
            reload: None,
            failure: None,
            may_have_outcomes: false,
            ready: Vec::new(),
            received_from: 0,
            closed: Vec::new(),
            dirty_rooms: Vec::new(),
            held: Held::default(),
            slow_consumers: Vec::new(),
            read_buffer: vec![0; READ_BUDGET_BYTES].into(),
            scratch: Vec::new(),
        }
    }

    /// How much may wait for a connection that reads slowly.
    pub fn set_output_limits(&mut self, limits: OutputLimits) {
        self.output_limits = limits;
    }

    /// Who compares passwords.
    pub fn set_authenticator(&mut self, authenticator: Authenticator) {
        self.authenticator = Some(authenticator);
    }

    /// Where the bytes of shared files are.
    pub fn set_files(&mut self, files: Files) {
        self.files = Some(files);
    }

    /// Turns until the program is asked to stop and every connection is closed.
    ///
    /// # Errors
    /// The system cannot tell any more what is ready, or the journal is broken.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.has_stopped() {
            self.turn()?;
        }
        Ok(())
    }

    /// One round: wait, receive (and gather what came meanwhile), deadlines, resume, flush, reap.
    ///
    /// # Errors
    /// The system cannot tell any more what is ready, or the journal is broken.
    pub fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.begin_turn();
        self.receive();
        self.gather()?;
        self.expire();
        self.resume();
        self.go_on_stopping();
        self.journal.dispatch(self.now);
        self.flush();
        self.reap();
        self.submit_files();
        self.leave_when_alone();
        self.journal.dispatch(self.now);
        self.tell_observer();
        self.end_turn();
        self.failure.take().map_or(Ok(()), |sentence| Err(io::Error::other(sentence)))
    }

    /// Whether the program was asked to stop and nothing is left to do.
    pub fn has_stopped(&self) -> bool {
        let (has_left, now_ms) = (self.journal.has_left(), self.now.steady_ms);
        self.stopping.as_ref().is_some_and(|stopping| stopping.is_over(has_left, now_ms))
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
        self.connections.slab.len()
    }

    /// Bytes of all shared files, those that are arriving included.
    pub fn file_bytes(&self) -> u64 {
        self.files.as_ref().map_or(0, |files| files.figures().1)
    }

    /// Bytes of memory in output queues: the most of one connection, and of all.
    pub fn output_memory_bytes(&self) -> (usize, usize) {
        let sizes = self.connections.slab.iter().map(|(_, connection)| connection.output.memory_bytes());
        sizes.fold((0, 0), |(most, all), bytes| (most.max(bytes), all + bytes))
    }

    /// What is counted while the program runs.
    pub fn meters(&self) -> &Meters {
        self.shared.meters()
    }

    // ---- wait

    fn wait(&mut self) -> io::Result<()> {
        self.received_from = 0;
        self.handshakes.begin_turn();
        self.poll(self.timeout_ms()).map(|_| ())
    }

    /// Notes what is ready within this time. Returns whether anything was.
    fn poll(&mut self, timeout_ms: Option<u64>) -> io::Result<bool> {
        let mut ready = std::mem::take(&mut self.ready);
        self.net.wait(timeout_ms, &mut ready)?;
        self.now = self.net.now();
        self.connections.now_ms = self.now.steady_ms;
        let is_any = !ready.is_empty();
        for readiness in ready.drain(..) {
            match readiness {
                Readiness::Listener(listener) => self.admission.set_ready(listener),
                Readiness::Connection { connection, readable, writable, ended } => {
                    self.note_readiness(connection, readable, writable, ended);
                }
                Readiness::Stop => self.stop(),
                Readiness::Reload => self.reload(),
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

    /// How long nothing needs to be done. Never waits while anything is unread or unsent, unless the journal has too
    /// much to do: then it says when it has less.
    fn timeout_ms(&self) -> Option<u64> {
        let receives = !self.connections.receive_queue.is_empty() || self.admission.is_ready(self.now);
        let is_busy = receives && !self.journal.is_congested()
            || !self.connections.flush_queue.is_empty()
            || self.rooms.is_dirty()
            || self.rooms.has_resumed()
            || self.rooms.is_searching()
            || self.authenticator.as_ref().is_some_and(Authenticator::has_done)
            || self.files.as_ref().is_some_and(Files::has_done)
            || self.stopping.as_ref().is_some_and(Stopping::is_telling)
            || self.may_have_outcomes;
        if is_busy {
            return Some(0);
        }
        let looks_again_ms = self.journal.is_congested().then_some(self.now.steady_ms + CONGESTION_CHECK_MS);
        let due = [
            self.deadlines.next_ms(),
            self.handshakes.next_ms(),
            self.rooms.next_deadline_ms(),
            self.admission.retry_at_ms().filter(|_| !self.journal.is_congested()),
            self.stopping.as_ref().map(Stopping::due_ms),
            self.absence_round.due_ms,
            self.observer.as_ref().and_then(|observer| observer.due_ms()),
            self.journal.due_ms(),
            self.held.until_ms,
            looks_again_ms,
        ];
        due.into_iter().flatten().min().map(|due_ms| due_ms.saturating_sub(self.now.steady_ms))
    }

    fn note_readiness(&mut self, id: ConnectionId, readable: bool, writable: bool, ended: bool) {
        let Some(slot) = self.connections.find(id) else { return };
        let connection = &mut self.connections.slab[slot];
        if readable {
            connection.is_readable = true;
            connection.is_ending |= ended;
            self.connections.queue_receive(slot);
        }
        let connection = &mut self.connections.slab[slot];
        if writable && !connection.is_writable && !connection.is_output_lost {
            connection.is_writable = true;
            connection.session.note_progress(self.now);
            for membership in connection.memberships.as_slice() {
                self.rooms.mark_dirty(membership.room);
            }
            self.connections.queue_flush(slot);
        }
    }
}
