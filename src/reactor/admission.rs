//! Which connections are accepted: how many at once, and how many from one address.

use core::net::IpAddr;
use std::collections::HashMap;

use super::Reactor;
use super::connection::Connection;
use super::connections::connection_id;
use super::net::{Accept, Accepted, ListenerId, Net, Port, Stream};
use super::proxy_header::AwaitedHeader;
use super::session::Session;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;
use crate::options::{Cidr, ProxyPeer};
use crate::rooms::Address;
use crate::time::Now;

/// Connections accepted in one turn, so that those who are connected do not wait for a crowd that comes.
const ACCEPTS_A_TURN: usize = 256;

/// Connections that those who watch the server may have at once.
const MOST_WATCHERS: usize = 16;

/// After the descriptors ran out, it is tried again after this time.
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
    /// Those that say with a header of the PROXY protocol from whom a connection comes.
    pub proxy_protocol: Vec<ProxyPeer>,
}

/// Who is connected, and who waits to be accepted.
pub struct Admission {
    limits: AdmissionLimits,
    by_address: HashMap<Address, u32>,
    /// Connections of those who watch the server.
    watchers: usize,
    /// Listeners at which connections may wait that no edge will announce.
    ready: Vec<ListenerId>,
    /// When to accept again, after the descriptors ran out.
    retry_at_ms: Option<u64>,
}

impl Admission {
    pub fn new(limits: AdmissionLimits) -> Admission {
        let (by_address, ready) = (HashMap::new(), Vec::new());
        Admission { limits, by_address, watchers: 0, ready, retry_at_ms: None }
    }

    /// From now on these count; whoever is connected stays.
    pub fn set_limits(&mut self, limits: AdmissionLimits) {
        self.limits = limits;
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

    /// The limits in force.
    pub fn limits(&self) -> &AdmissionLimits {
        &self.limits
    }

    pub fn retry_at_ms(&self) -> Option<u64> {
        self.retry_at_ms
    }

    /// Whether many people come by way of this peer: a proxy that is trusted, or a program on this machine, which has come
    /// by a Unix socket.
    pub fn is_proxy(&self, peer: Option<IpAddr>) -> bool {
        peer.is_none_or(|peer| self.limits.trusted_proxies.iter().any(|proxy| proxy.contains(peer)))
    }

    /// Whether this peer is to say with a header of the PROXY protocol from whom a connection comes.
    fn sends_header(&self, peer: Option<IpAddr>) -> bool {
        self.limits.proxy_protocol.iter().any(|proxies| proxies.contains(peer))
    }

    /// Counts a connection of somebody who watches the server in, if there is a place for it. None of the places for others
    /// is taken, nor can others take these.
    fn admit_watcher(&mut self) -> Result<(), Refused> {
        if self.watchers >= MOST_WATCHERS {
            return Err(Refused::Full);
        }
        self.watchers += 1;
        Ok(())
    }

    /// Counts a connection from this address in, if there is a place for it; `open` connections are there.
    fn admit(&mut self, address: Address, is_counted: bool, open: usize) -> Result<(), Refused> {
        if self.limits.connections > 0 && open >= self.limits.connections + self.watchers {
            return Err(Refused::Full);
        }
        self.count_in(address, is_counted)
    }

    fn count_in(&mut self, address: Address, is_counted: bool) -> Result<(), Refused> {
        let count = self.by_address.entry(address).or_default();
        if is_counted && self.limits.per_address > 0 && *count as usize >= self.limits.per_address {
            return Err(Refused::TooManyFromAddress);
        }
        *count += 1;
        Ok(())
    }

    /// Counts a connection for another address from here on: the one behind a proxy. If that has as many as it may
    /// have, and is counted, nothing changes.
    pub fn move_to(&mut self, from: Address, to: Address, is_counted: bool) -> Result<(), Refused> {
        self.count_out(from);
        let moved = self.count_in(to, is_counted);
        if moved.is_err() {
            *self.by_address.entry(from).or_default() += 1;
        }
        moved
    }

    /// Counts a connection out: one from this address, or of somebody who watches the server.
    pub fn release(&mut self, address: Address, watches: bool) {
        match watches {
            true => self.watchers -= 1,
            false => self.count_out(address),
        }
    }

    fn count_out(&mut self, address: Address) {
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
    /// What is said to the peer: in one write, to a connection that gets no slot. Over TLS, for which there is no time,
    /// no more than that it is no fault of the peer's: `internal_error` (RFC 8446 section 6).
    pub fn words(self, listener: ListenerId) -> &'static [u8] {
        if listener.is_tls {
            return &[21, 3, 3, 0, 2, 2, 80];
        }
        self.words_at(listener.port)
    }

    /// What is said to a peer that speaks what is spoken at this port.
    pub fn words_at(self, port: Port) -> &'static [u8] {
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
        if !self.admission.is_ready(self.now) {
            return;
        }
        self.admission.retry_at_ms = None;
        for listener in std::mem::take(&mut self.admission.ready) {
            // Whoever watches the server is told how it is then as well.
            if self.journal.is_congested() && listener.port != Port::Metrics {
                self.admission.set_ready(listener);
                continue;
            }
            // More may wait, unless it turns out otherwise.
            let mut may_have_more = true;
            for _ in 0..ACCEPTS_A_TURN {
                match self.net.accept(listener, Refused::Full.words(listener)) {
                    Accept::Connection(connection) => self.admit(listener, connection),
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
        if refused > 0 {
            log::warn!(event = "refused", cause = "descriptors"; "no descriptor is left for another connection; raise the limit for open files");
        }
    }

    fn admit(&mut self, listener: ListenerId, accepted: Accepted<N::Stream>) {
        let port = listener.port;
        let Accepted { stream, peer, local } = accepted;
        // Whoever comes by a Unix socket is a program on this machine.
        let address = Address::from(peer.unwrap_or(local));
        let sends_header = self.admission.sends_header(peer);
        let is_counted = !sends_header && !self.admission.is_proxy(peer);
        let admitted = match port {
            Port::Metrics => self.admission.admit_watcher(),
            _ => self.admission.admit(address, is_counted, self.connections.slab.len()),
        };
        if let Err(refused) = admitted {
            match refused {
                Refused::Full => {
                    self.meters().refused_full.inc();
                    log::info!(event = "refused", cause = "full"; "a connection is refused: no more may be open");
                }
                Refused::TooManyFromAddress => {
                    self.meters().refused_too_many_from_address.inc();
                    log::info!(event = "refused", cause = "address"; "a connection is refused: its address has enough");
                }
            };
            return self.net.refuse(stream, refused.words(listener));
        }
        let generation = self.connections.new_generation();
        let mut hello = Vec::new();
        let session = match sends_header {
            true => Session::ProxyHeader(Box::new(AwaitedHeader::new(listener, peer, local, self.now))),
            false => Session::new(listener, peer, local, &self.shared, self.now, &mut hello),
        };
        let entry = self.connections.slab.vacant_entry();
        let slot = entry.key();
        let connection = entry.insert(Connection::new(stream, session, address, generation, self.now));
        self.shared.meters().accepted(port != Port::Line);
        log::debug!("connection {} is accepted: {port:?}", connection_id(slot, generation).0);
        if sends_header {
            connection.stream.hold_encryption();
        }
        if connection.stream.is_handshaking() {
            self.begin_handshake(slot);
        }
        let connection = &mut self.connections.slab[slot];
        let registered = self.net.register(&mut connection.stream, connection_id(slot, generation));
        if registered.is_err() {
            connection.note_reason(CloseReason::Refused);
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
