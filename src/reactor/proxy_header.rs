//! Connections that a proxy brings, until it has said from whom: with a header of the PROXY protocol, before anything
//! else.

use core::net::IpAddr;
use std::sync::Once;

use super::net::{ListenerId, Net, Stream};
use super::{Reactor, Session};
use crate::journal::Journal;
use crate::proxy_protocol::{self, HeaderFault, Source};
use crate::session_api::{Flow, Input, Step};
use crate::time::Now;

/// A proxy sends its header with the first bytes.
const HEADER_TIMEOUT_MS: u64 = 10_000;

/// A connection whose header has yet to arrive.
pub struct AwaitedHeader {
    /// Where it came in: what it is going to be.
    pub listener: ListenerId,
    /// The proxy's own address.
    pub peer: Option<IpAddr>,
    /// The address under which the proxy found this machine.
    pub local: IpAddr,
    deadline_ms: u64,
}

impl AwaitedHeader {
    /// For a connection that was just accepted.
    pub fn new(listener: ListenerId, peer: Option<IpAddr>, local: IpAddr, now: Now) -> AwaitedHeader {
        AwaitedHeader { listener, peer, local, deadline_ms: now.steady_ms + HEADER_TIMEOUT_MS }
    }

    /// Reads the header.
    pub fn receive(&self, input: &mut Input<'_>) -> Step {
        match proxy_protocol::parse(input.rest()) {
            Ok(Some((source, length))) => {
                input.consume(length);
                Step::Proxied(source)
            }
            // A proxy that asks whether this server is there may say nothing.
            Ok(None) if !input.has_ended() || input.rest().is_empty() => Step::NeedInput,
            Ok(None) | Err(HeaderFault) => {
                explain_missing_header();
                Step::Fault
            }
        }
    }

    /// When the header is to have arrived.
    pub fn deadline_ms(&self) -> u64 {
        self.deadline_ms
    }

    /// It has not arrived in time.
    pub fn expire(&self, now: Now) -> Flow {
        if now.steady_ms < self.deadline_ms {
            return Flow::Continue;
        }
        explain_missing_header();
        Flow::Close
    }
}

/// Says once how a proxy may come to send none.
fn explain_missing_header() {
    static EXPLAINED: Once = Once::new();
    EXPLAINED.call_once(|| {
        log::warn!(
            "a connection from a peer of --proxy-protocol did not begin with a PROXY header and was closed; have the \
             proxy send one (HAProxy: send-proxy-v2; nginx: proxy_protocol on), or take its address out of the option"
        );
    });
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// A proxy has said from whom a connection comes: it goes on as what is spoken where it came in, and counts for that
    /// address, unless that has as many as it may have.
    pub(super) fn begin_proxied(&mut self, slot: usize, source: Source) {
        let connection = &self.connections.slab[slot];
        let Session::ProxyHeader(awaited) = &connection.session else { return };
        let (listener, local, from) = (awaited.listener, awaited.local, connection.address);
        let peer = match source {
            Source::Client(address) => Some(address),
            Source::Peer => awaited.peer,
        };
        if let Source::Client(address) = source
            && !connection.session.watches()
        {
            let is_counted = !self.admission.is_proxy(Some(address));
            if let Err(refused) = self.admission.move_to(from, address.into(), is_counted) {
                log::debug!("a connection is refused: {refused:?}");
                self.meters().refused_too_many_from_address.inc();
                self.connections.queue_output(slot, refused.words(listener));
                return self.begin_closing(slot);
            }
            self.connections.slab[slot].address = address.into();
        }
        let session = Session::new(listener, peer, local, &self.shared, self.now, &mut self.scratch);
        let connection = &mut self.connections.slab[slot];
        connection.session = session;
        connection.stream.begin_encryption();
        if connection.stream.is_handshaking() {
            self.begin_handshake(slot);
        }
        self.send_scratch(slot);
        if !self.connections.slab[slot].session.notices_absence() {
            self.watch_for_absence();
        }
    }
}
