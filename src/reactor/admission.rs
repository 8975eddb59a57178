//! Who is let in: how many at once, and how many from one address.

use std::collections::HashMap;

use slab::VacantEntry;

use super::connection::{Connection, Outbox, Phase};
use super::net::{Accept, Accepted, Net, Port};
use super::session::Session;
use super::{GENERATION_MASK, Reactor, connection_id};
use crate::adapter::Now;
use crate::journal::Journal;
use crate::options::Cidr;
use crate::rooms::Address;

/// Connections accepted in one turn, so that those who are in do not wait for a crowd at the door.
const ACCEPTS_A_TURN: usize = 256;

/// After the descriptors ran out, the door is looked at again after this time.
const RETRY_MS: u64 = 100;

/// Connections that may be open. 0 means no limit.
#[derive(Clone, Debug, Default)]
pub struct AdmissionLimits {
    /// Altogether.
    pub connections: usize,
    /// From one address.
    pub per_address: usize,
    /// Proxies: many people come by way of each of their addresses, so those are not counted.
    pub trusted_proxies: Vec<Cidr>,
}

/// Who is in, and who waits at the door.
pub struct Admission {
    limits: AdmissionLimits,
    by_address: HashMap<Address, u32>,
    /// Listeners at which connections may wait that no edge will announce.
    web_is_ready: bool,
    line_is_ready: bool,
    /// When to look at the door again, after the descriptors ran out.
    retry_at_ms: Option<u64>,
}

impl Admission {
    pub fn new(limits: AdmissionLimits) -> Admission {
        Admission { limits, by_address: HashMap::new(), web_is_ready: false, line_is_ready: false, retry_at_ms: None }
    }

    pub fn set_ready(&mut self, port: Port) {
        *self.readiness(port) = true;
    }

    fn readiness(&mut self, port: Port) -> &mut bool {
        match port {
            Port::Web => &mut self.web_is_ready,
            Port::Line => &mut self.line_is_ready,
        }
    }

    /// Whether there is somebody to accept now.
    pub fn is_ready(&self, now: Now) -> bool {
        (self.web_is_ready || self.line_is_ready)
            && self.retry_at_ms.is_none_or(|retry_at_ms| retry_at_ms <= now.steady_ms)
    }

    pub fn retry_at_ms(&self) -> Option<u64> {
        self.retry_at_ms
    }

    /// Counts a connection from this address in, if there is a place for it.
    fn admit(&mut self, address: Address, is_counted: bool, open: usize) -> Result<(), Refused> {
        if self.limits.connections > 0 && open >= self.limits.connections {
            return Err(Refused::Full);
        }
        let count = self.by_address.entry(address).or_default();
        if is_counted && self.limits.per_address > 0 && *count as usize >= self.limits.per_address {
            return Err(Refused::TooManyFromAddress);
        }
        *count += 1;
        Ok(())
    }

    /// Counts a connection for another address from here on: the one behind a proxy.
    pub fn move_to(&mut self, from: Address, to: Address) {
        self.release(from);
        *self.by_address.entry(to).or_default() += 1;
    }

    /// Counts a connection from this address out.
    pub fn release(&mut self, address: Address) {
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// Why a connection is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    Full,
    TooManyFromAddress,
}

impl Refused {
    /// What is said to the peer: in one write, to a connection that gets no slot.
    fn words(self, port: Port) -> &'static [u8] {
        match (self, port) {
            (Refused::Full, Port::Web) => {
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n\
                  Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\r\n\
                  The server is full. Try again shortly.\n"
            }
            (Refused::TooManyFromAddress, Port::Web) => {
                b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nConnection: close\r\n\
                  Content-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n\r\n\
                  Too many connections from your address.\n"
            }
            (Refused::Full, Port::Line) => b"! The server is full. Try again shortly.\r\n",
            (Refused::TooManyFromAddress, Port::Line) => b"! Too many connections from your address.\r\n",
        }
    }
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Lets in whoever waits, up to a turn's worth.
    pub(super) fn accept(&mut self) {
        if !self.admission.is_ready(self.now) {
            return;
        }
        self.admission.retry_at_ms = None;
        for port in [Port::Web, Port::Line] {
            let mut accepted = 0;
            while *self.admission.readiness(port) && accepted < ACCEPTS_A_TURN {
                match self.net.accept(port, Refused::Full.words(port)) {
                    Accept::Connection(connection) => self.admit(port, connection),
                    Accept::Nothing => *self.admission.readiness(port) = false,
                    Accept::OutOfDescriptors => {
                        log::warn!("no descriptor is left for another connection; raise the limit for open files");
                        self.meters().refused_out_of_descriptors.inc();
                        self.admission.retry_at_ms = Some(self.now.steady_ms + RETRY_MS);
                        break;
                    }
                }
                accepted += 1;
            }
        }
    }

    fn admit(&mut self, port: Port, accepted: Accepted<N::Stream>) {
        let Accepted { stream, peer, local } = accepted;
        let address = Address::from(peer);
        let is_proxy = self.admission.limits.trusted_proxies.iter().any(|proxy| proxy.contains(peer));
        if let Err(refused) = self.admission.admit(address, !is_proxy, self.connections.len()) {
            log::debug!("a connection is refused: {refused:?}");
            match refused {
                Refused::Full => self.meters().refused_full.inc(),
                Refused::TooManyFromAddress => self.meters().refused_too_many_from_address.inc(),
            };
            return self.net.refuse(stream, refused.words(port));
        }
        let generation = self.next_generation;
        self.next_generation = generation.wrapping_add(1) & GENERATION_MASK;
        let entry: VacantEntry<'_, _> = self.connections.vacant_entry();
        let slot = entry.key();
        let (mut outbox, mut hello) = (Outbox::default(), Vec::new());
        let session = Session::new(port, peer, local, self.now, &mut hello);
        outbox.take_in(&mut hello);
        let connection = entry.insert(Connection {
            stream,
            session,
            membership: None,
            pending: Box::default(),
            outbox,
            address,
            scheduled_ms: u64::MAX,
            until_ms: 0,
            generation,
            phase: Phase::Open,
            is_writable: true,
            is_readable: true,
            is_ending: false,
            has_ended: false,
            awaits_reply: false,
            is_in_receive_queue: false,
            is_in_flush_queue: false,
        });
        self.shared.meters().open_connections.inc();
        self.shared.meters().accepted(port == Port::Web);
        log::debug!("connection {} is accepted: {port:?}", connection_id(slot, generation).0);
        let registered = self.net.register(&mut connection.stream, connection_id(slot, generation));
        if registered.is_err() {
            self.broken.push(connection_id(slot, generation));
            return;
        }
        self.queue_receive(slot);
        self.queue_flush(slot);
        self.schedule(slot);
    }
}
