//! The program's own figures, in the text format that Prometheus reads.
//!
//! Whoever does something countable counts it in [`Meters`]; the figures about rooms are read from the rooms
//! when somebody asks. No label ever holds a room's code, a name or an address.

use core::sync::atomic::Ordering;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::rooms::Counts;

/// The media type of what [`Metrics::write`] gives.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Label = [(&'static str, &'static str); 1];

/// What is counted while the program runs. Each figure may be counted from anywhere.
#[derive(Debug)]
pub struct Meters {
    /// Connections accepted at the web port.
    pub accepted_web: Counter,
    /// Connections accepted at the line port.
    pub accepted_line: Counter,
    /// Connections refused since as many are open as are allowed.
    pub refused_full: Counter,
    /// Connections refused since as many are open from their address as are allowed.
    pub refused_too_many_from_address: Counter,
    /// Connections that could not be accepted since the system gave no more descriptors.
    pub refused_out_of_descriptors: Counter,
    /// Connections that are open.
    pub open_connections: Gauge,
    /// Requests that were understood.
    pub http_requests: Counter,
    /// Requests that became a WebSocket.
    pub websockets: Counter,
    /// Bytes read from sockets.
    pub received_bytes: Counter,
    /// Bytes written to sockets.
    pub sent_bytes: Counter,
    /// Connections closed since they read too slowly.
    pub slow_readers_closed: Counter,
    /// Connections closed since what they sent is not HTTP.
    pub http_faults: Counter,
    /// Connections closed since what they sent breaks RFC 6455.
    pub websocket_faults: Counter,
    /// Connections closed since what they sent is nothing for a terminal.
    pub line_faults: Counter,
}

impl Meters {
    /// Counts a connection that was accepted at the web port, or else at the line port.
    pub fn accepted(&self, is_web: bool) {
        if is_web { &self.accepted_web } else { &self.accepted_line }.inc();
    }
}

/// Figures that are read from the rooms when they are asked for.
#[derive(Debug, Default)]
struct RoomMeters {
    rooms: Gauge,
    members: Gauge,
    rooms_created: Counter,
    events: Counter,
    messages: Counter,
    refusals: Counter,
}

/// All figures, and how they are called.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    room_meters: RoomMeters,
}

impl Metrics {
    /// Names all figures, and gives those that are counted by others.
    pub fn new() -> (Metrics, Meters) {
        let mut registry = Registry::with_prefix("snugd");
        let r = &mut registry;
        let accepted = family(r, "accepted_connections", "Connections accepted");
        let accepted_at = |port| accepted.get_or_create_owned(&[("port", port)]);
        let refused = family(r, "refused_connections", "Connections refused");
        let refused_for = |reason| refused.get_or_create_owned(&[("reason", reason)]);
        let faults = family(r, "protocol_faults", "Connections closed for breaking their protocol");
        let faults_in = |protocol| faults.get_or_create_owned(&[("protocol", protocol)]);
        let open_connections = Gauge::default();
        r.register("open_connections", "Connections that are open", open_connections.clone());
        let meters = Meters {
            accepted_web: accepted_at("web"),
            accepted_line: accepted_at("line"),
            refused_full: refused_for("full"),
            refused_too_many_from_address: refused_for("address"),
            refused_out_of_descriptors: refused_for("descriptors"),
            open_connections,
            http_requests: counter(r, "http_requests", "HTTP requests that were understood"),
            websockets: counter(r, "websockets", "HTTP requests that became a WebSocket"),
            received_bytes: counter(r, "received_bytes", "Bytes read from sockets"),
            sent_bytes: counter(r, "sent_bytes", "Bytes written to sockets"),
            slow_readers_closed: counter(r, "slow_readers_closed", "Connections closed for reading too slowly"),
            http_faults: faults_in("http"),
            websocket_faults: faults_in("websocket"),
            line_faults: faults_in("line"),
        };
        let rooms = RoomMeters::default();
        r.register("rooms", "Living rooms", rooms.rooms.clone());
        r.register("members", "Members with a place in a room", rooms.members.clone());
        r.register("rooms_created", "Rooms made", rooms.rooms_created.clone());
        r.register("events", "Events recorded", rooms.events.clone());
        r.register("messages", "Messages said", rooms.messages.clone());
        r.register("refusals", "Wishes that the rooms refused", rooms.refusals.clone());
        (Metrics { registry, room_meters: rooms }, meters)
    }

    /// Writes all figures.
    pub fn write(&self, counts: Counts) -> String {
        let rooms = &self.room_meters;
        rooms.rooms.set(counts.rooms as i64);
        rooms.members.set(counts.members as i64);
        rooms.rooms_created.inner().store(counts.rooms_created, Ordering::Relaxed);
        rooms.events.inner().store(counts.events, Ordering::Relaxed);
        rooms.messages.inner().store(counts.messages, Ordering::Relaxed);
        rooms.refusals.inner().store(counts.refusals, Ordering::Relaxed);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        text
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Label, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_was_counted() {
        let (metrics, meters) = Metrics::new();
        meters.accepted(true);
        meters.open_connections.set(3);
        meters.refused_full.inc();
        meters.line_faults.inc();
        meters.sent_bytes.inc_by(1_000);
        let counts = Counts { rooms: 2, messages: 41, ..Counts::default() };
        metrics.write(counts);
        let text = metrics.write(Counts { messages: 42, ..counts });
        for line in [
            "# TYPE snugd_accepted_connections counter",
            "snugd_accepted_connections_total{port=\"web\"} 1",
            "snugd_accepted_connections_total{port=\"line\"} 0",
            "snugd_open_connections 3",
            "snugd_refused_connections_total{reason=\"full\"} 1",
            "snugd_protocol_faults_total{protocol=\"line\"} 1",
            "snugd_sent_bytes_total 1000",
            "snugd_rooms 2",
            "snugd_messages_total 42",
            "# EOF",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
        }
    }
}
