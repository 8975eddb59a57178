//! Which connections are accepted: how many at once, and how many from one address.

use std::collections::HashMap;

use super::Reactor;
use super::connection::Connection;
use super::connections::connection_id;
use super::net::{Accept, Accepted, ListenerId, Net, Port};
use super::session::Session;
use crate::journal::Journal;
use crate::options::Cidr;
use crate::rooms::Address;
use crate::time::Now;

/// Connections accepted in one turn, so that those who are connected do not wait for a crowd that comes.
const ACCEPTS_A_TURN: usize = 256;

/// After the descriptors ran out, it is tried again after this time.
const RETRY_MS: u64 = 100;

/// It is logged once in this time that they did.
const WARNING_PAUSE_MS: u64 = 60_000;

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

/// Who is connected, and who waits to be accepted.
pub struct Admission {
    limits: AdmissionLimits,
    by_address: HashMap<Address, u32>,
    /// Listeners at which connections may wait that no edge will announce.
    ready: Vec<ListenerId>,
    /// When to accept again, after the descriptors ran out.
    retry_at_ms: Option<u64>,
    /// Until then it is not logged again that descriptors ran out.
    warns_again_at_ms: u64,
}

impl Admission {
    pub fn new(limits: AdmissionLimits) -> Admission {
        let (by_address, ready) = (HashMap::new(), Vec::new());
        Admission { limits, by_address, ready, retry_at_ms: None, warns_again_at_ms: 0 }
    }

    pub fn set_ready(&mut self, listener: ListenerId) {
        if !self.ready.contains(&listener) {
            self.ready.push(listener);
        }
    }

    /// Whether there is somebody to accept now.
    pub fn is_ready(&self, now: Now) -> bool {
        !self.ready.is_empty() && self.retry_at_ms.is_none_or(|retry_at_ms| retry_at_ms <= now.steady_ms)
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

    /// Counts a connection for another address from here on: the one behind a proxy. If that has as many as it may
    /// have, nothing changes.
    pub fn move_to(&mut self, from: Address, to: Address) -> Result<(), Refused> {
        self.release(from);
        let moved = self.admit(to, true, 0);
        if moved.is_err() {
            *self.by_address.entry(from).or_default() += 1;
        }
        moved
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

/// Why a connection is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    Full,
    TooManyFromAddress,
}

impl Refused {
    /// What is said to the peer: in one write, to a connection that gets no slot.
    pub fn words(self, port: Port) -> &'static [u8] {
        match (self, port) {
            (Refused::Full, Port::Web | Port::Metrics) => {
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n\
                  Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\r\n\
                  The server is full. Try again shortly.\n"
            }
            (Refused::TooManyFromAddress, Port::Web | Port::Metrics) => {
                b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nConnection: close\r\n\
                  Content-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n\r\n\
                  Too many connections from your address.\n"
            }
            (Refused::Full, Port::Line | Port::Other) => b"! The server is full. Try again shortly.\r\n",
            (Refused::TooManyFromAddress, Port::Line | Port::Other) => b"! Too many connections from your address.\r\n",
        }
    }
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Accepts whoever waits, up to a turn's worth.
    pub(super) fn accept(&mut self) {
        if !self.admission.is_ready(self.now) || self.journal.is_congested() {
            return;
        }
        self.admission.retry_at_ms = None;
        for listener in std::mem::take(&mut self.admission.ready) {
            // More may wait, unless it turns out otherwise.
            let mut may_have_more = true;
            for _ in 0..ACCEPTS_A_TURN {
                match self.net.accept(listener, Refused::Full.words(listener.port)) {
                    Accept::Connection(connection) => self.admit(listener.port, connection),
                    Accept::Nothing => {
                        may_have_more = false;
                        break;
                    }
                    Accept::OutOfDescriptors { refused } => {
                        self.note_refused_out_of_descriptors(refused);
                        self.admission.retry_at_ms = Some(self.now.steady_ms + RETRY_MS);
                        break;
                    }
                }
            }
            if may_have_more {
                self.admission.set_ready(listener);
            }
        }
    }

    fn note_refused_out_of_descriptors(&mut self, refused: u32) {
        self.meters().refused_out_of_descriptors.inc_by(refused.into());
        if refused > 0 && self.now.steady_ms >= self.admission.warns_again_at_ms {
            self.admission.warns_again_at_ms = self.now.steady_ms + WARNING_PAUSE_MS;
            log::warn!("no descriptor is left for another connection; raise the limit for open files");
        }
    }

    fn admit(&mut self, port: Port, accepted: Accepted<N::Stream>) {
        let Accepted { stream, peer, local } = accepted;
        // Whoever comes by a Unix socket is a program on this machine.
        let address = Address::from(peer.unwrap_or(local));
        let is_trusted = |peer| self.admission.limits.trusted_proxies.iter().any(|proxy| proxy.contains(peer));
        let is_proxy = peer.is_none_or(is_trusted);
        if let Err(refused) = self.admission.admit(address, !is_proxy, self.connections.slab.len()) {
            log::debug!("a connection is refused: {refused:?}");
            match refused {
                Refused::Full => self.meters().refused_full.inc(),
                Refused::TooManyFromAddress => self.meters().refused_too_many_from_address.inc(),
            };
            return self.net.refuse(stream, refused.words(port));
        }
        let generation = self.connections.new_generation();
        let mut hello = Vec::new();
        let session = Session::new(port, peer, local, &self.shared, self.now, &mut hello);
        let entry = self.connections.slab.vacant_entry();
        let slot = entry.key();
        let connection = entry.insert(Connection::new(stream, session, address, generation, self.now));
        self.shared.meters().open_connections.inc();
        self.shared.meters().accepted(port != Port::Line);
        log::debug!("connection {} is accepted: {port:?}", connection_id(slot, generation).0);
        let registered = self.net.register(&mut connection.stream, connection_id(slot, generation));
        if registered.is_err() {
            self.closed.push(connection_id(slot, generation));
            return;
        }
        self.connections.queue_output(slot, &hello);
        self.connections.queue_receive(slot);
        self.schedule(slot);
        if !self.connections.slab[slot].session.notices_absence() {
            self.watch_for_absence();
        }
    }
}
