//! The program's metrics, in the text format that Prometheus reads.
//!
//! The other modules count in [`Meters`] while the program runs; the metrics of the rooms are read from the
//! rooms when `/metrics` is requested. No label ever holds a room's code, a name or an address.

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

/// What is counted while the program runs.
#[derive(Debug)]
pub struct Meters {
    /// Connections accepted at the web port.
    pub accepted_web: Counter,
    /// Connections accepted at the line port.
    pub accepted_line: Counter,
    /// Connections refused because the limit of all open connections is reached.
    pub refused_full: Counter,
    /// Connections refused because the limit of open connections from their address is reached.
    pub refused_too_many_from_address: Counter,
    /// Connections that could not be accepted because the system has no more descriptors for the process.
    pub refused_out_of_descriptors: Counter,
    /// Connections that are open now.
    pub open_connections: Gauge,
    /// HTTP requests that were well-formed.
    pub http_requests: Counter,
    /// WebSocket handshakes that were accepted.
    pub websockets: Counter,
    /// Bytes read from sockets.
    pub received_bytes: Counter,
    /// Bytes written to sockets.
    pub sent_bytes: Counter,
    /// Files that were shared.
    pub uploads: Counter,
    /// Files of which something was asked for.
    pub downloads: Counter,
    /// Bytes of all shared files, those that are arriving included.
    pub file_bytes: Gauge,
    /// Connections closed because they read too slowly.
    pub slow_consumers_closed: Counter,
    /// Connections closed because a proxy did not say from whom they came.
    pub proxy_header_faults: Counter,
    /// Connections closed because of an HTTP request that is malformed or too long.
    pub http_faults: Counter,
    /// Connections closed because of a WebSocket frame that breaks RFC 6455.
    pub websocket_faults: Counter,
    /// Connections closed because of input that is no text from a terminal.
    pub line_faults: Counter,
    /// Connections closed because of what breaks TLS, or of a client that refuses the certificate.
    pub tls_faults: Counter,
    /// TLS handshakes that succeeded.
    pub tls_handshakes: Counter,
    /// TLS handshakes that were given up: they took too long, or there were too many.
    pub tls_handshakes_given_up: Counter,
}

impl Meters {
    /// Counts a connection that was accepted: at the web port if `is_web`, otherwise at the line port.
    pub fn accepted(&self, is_web: bool) {
        if is_web { &self.accepted_web } else { &self.accepted_line }.inc();
    }
}

/// Metrics that are read from the rooms when they are requested.
#[derive(Debug, Default)]
struct RoomMeters {
    rooms: Gauge,
    history_bytes: Gauge,
    members: Gauge,
    rooms_created: Counter,
    events: Counter,
    messages: Counter,
    refusals: Counter,
}

/// All metrics, with their names.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    room_meters: RoomMeters,
}

impl Metrics {
    /// Registers all metrics, and returns those that other modules count.
    pub fn new() -> (Metrics, Meters) {
        let mut registry = Registry::with_prefix("snugd");
        let r = &mut registry;
        let accepted = family(r, "accepted_connections", "Connections accepted, by port");
        let accepted_at = |port| accepted.get_or_create_owned(&[("port", port)]);
        let refused = family(r, "refused_connections", "Connections refused, by reason");
        let refused_for = |reason| refused.get_or_create_owned(&[("reason", reason)]);
        let faults = family(r, "protocol_faults", "Connections closed because of a protocol error, by protocol");
        let faults_in = |protocol| faults.get_or_create_owned(&[("protocol", protocol)]);
        let open_connections = Gauge::default();
        r.register("open_connections", "Connections open now", open_connections.clone());
        let file_bytes = Gauge::default();
        r.register("file_bytes", "Bytes of all shared files", file_bytes.clone());
        let meters = Meters {
            accepted_web: accepted_at("web"),
            accepted_line: accepted_at("line"),
            refused_full: refused_for("full"),
            refused_too_many_from_address: refused_for("address"),
            refused_out_of_descriptors: refused_for("descriptors"),
            open_connections,
            http_requests: counter(r, "http_requests", "Well-formed HTTP requests received"),
            websockets: counter(r, "websockets", "WebSocket handshakes accepted"),
            received_bytes: counter(r, "received_bytes", "Bytes read from sockets"),
            sent_bytes: counter(r, "sent_bytes", "Bytes written to sockets"),
            uploads: counter(r, "uploads", "Files shared"),
            downloads: counter(r, "downloads", "Files, or parts of them, that were asked for"),
            file_bytes,
            slow_consumers_closed: counter(r, "slow_readers_closed", "Connections closed because they read too slowly"),
            proxy_header_faults: faults_in("proxy"),
            http_faults: faults_in("http"),
            websocket_faults: faults_in("websocket"),
            line_faults: faults_in("line"),
            tls_faults: faults_in("tls"),
            tls_handshakes: counter(r, "tls_handshakes", "TLS handshakes that succeeded"),
            tls_handshakes_given_up: counter(r, "tls_handshakes_given_up", "TLS handshakes that took too long"),
        };
        let rooms = RoomMeters::default();
        r.register("rooms", "Rooms that exist now", rooms.rooms.clone());
        r.register("members", "Members of all rooms now", rooms.members.clone());
        let text = "Memory that the history of all rooms takes, in bytes";
        r.register("history_bytes", text, rooms.history_bytes.clone());
        r.register("rooms_created", "Rooms created", rooms.rooms_created.clone());
        r.register("events", "Events added to rooms", rooms.events.clone());
        r.register("messages", "Messages sent by members", rooms.messages.clone());
        r.register("refusals", "Commands that the rooms refused", rooms.refusals.clone());
        (Metrics { registry, room_meters: rooms }, meters)
    }

    /// Writes all metrics.
    pub fn write(&self, counts: Counts) -> String {
        let rooms = &self.room_meters;
        rooms.rooms.set(counts.rooms as i64);
        rooms.members.set(counts.members as i64);
        rooms.history_bytes.set(counts.history_bytes as i64);
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
        let counts = Counts { rooms: 2, history_bytes: 77, messages: 41, ..Counts::default() };
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
            "snugd_history_bytes 77",
            "snugd_messages_total 42",
            "# EOF",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
        }
    }
}
