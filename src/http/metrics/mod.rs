//! The program's metrics: what they are called, and what they mean.
//!
//! The other modules count in [`Meters`] while the program runs. What there is now, such as rooms and connections, is
//! looked up when metrics are requested. No label ever holds a room's code, a name or an address.
//!
//! `exposition` knows the forms in which they are written, `process` what the system tells of the process.

mod exposition;
mod process;

use core::sync::atomic::Ordering;
use std::sync::Arc;

use exposition::Exposition;
pub use exposition::Format;
use process::Process;

use crate::json::{ERROR_CODES, RefusalCounts};
use crate::meter::{ClusterMeters, Counter, Histogram, JournalMeters};
use crate::options::Limits;
use crate::rooms::{Counts, EVENT_KINDS};

/// What is counted while the program runs.
#[derive(Debug, Default)]
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
    /// Connections that are closed, by reason.
    closed: [Counter; CLOSE_REASONS.len()],
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
    /// What was refused by the rooms, or by HTTP.
    pub refusals: RefusalCounts,
    /// How long turns of the loop take, without waiting.
    pub turns: Histogram,
    /// How long messages take from being read to being written, for each room and turn.
    pub deliveries: Histogram,
    /// What the journal counts.
    pub journal: Arc<JournalMeters>,
    /// What it counts of a log that nodes share, if it is one.
    pub cluster: Option<Arc<ClusterMeters>>,
}

impl Meters {
    /// Counts a connection that was accepted: at the web port if `is_web`, otherwise at the line port.
    pub fn accepted(&self, is_web: bool) {
        if is_web { &self.accepted_web } else { &self.accepted_line }.inc();
    }

    /// Counts a connection that is closed.
    pub fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].inc();
    }

    /// How many connections were accepted.
    pub fn all_accepted(&self) -> u64 {
        self.accepted_web.get() + self.accepted_line.get()
    }
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The peer has ended it, or left.
    Left,
    /// What it asked for over HTTP is done, and it asks for no more.
    Done,
    /// It broke.
    Lost,
    /// Nothing came for too long, not even a sign of life.
    Timeout,
    /// The peer's system does not acknowledge anything any more.
    Absent,
    /// The peer reads too slowly.
    Slow,
    /// The peer broke its protocol.
    Fault,
    /// The same member came in over another connection.
    TakenOver,
    /// An operator has thrown the member out.
    Kicked,
    /// The account by which the member came in has another password, or is gone.
    SessionEnded,
    /// There are too many connections from the address for which a proxy has opened it, or no room for it in the system.
    Refused,
    /// The program stops, or takes in all rooms anew.
    Stopping,
}

/// What each of these reasons is called, in their order.
const CLOSE_REASONS: [&str; 12] = [
    "left",
    "done",
    "lost",
    "timeout",
    "absent",
    "slow",
    "fault",
    "taken_over",
    "kicked",
    "session_ended",
    "refused",
    "stopping",
];

/// What connections speak, as far as they are told apart.
pub const PROTOCOLS: [&str; 4] = ["http", "websocket", "line", "other"];

/// What there is now, besides the rooms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Open connections, by protocol.
    pub connections: [usize; PROTOCOLS.len()],
    /// Those among them that are encrypted.
    pub encrypted: usize,
    /// Bytes of memory in output queues.
    pub output_queue_bytes: usize,
    /// Changes that the journal was given, and has not settled.
    pub journal_waiting: usize,
    /// It can store nothing at this time.
    pub is_journal_failing: bool,
    /// The journal has so much to do that nothing is read from connections.
    pub is_journal_congested: bool,
    /// Passwords that wait to be compared or hashed.
    pub passwords_waiting: usize,
    /// Shared files that are kept.
    pub files: usize,
    /// Bytes of all shared files, those that are arriving included.
    pub file_bytes: u64,
    /// Bytes that they may have.
    pub file_limit_bytes: u64,
    /// What was refused, on whatever protocol, by error code.
    pub refusals: [u64; ERROR_CODES.len()],
    /// Connections that may be open; 0: as many as the system allows.
    pub connection_limit: usize,
    /// Connections that may be open from one address; 0: no limit.
    pub address_limit: usize,
}

/// What can be built in, and whether it is.
const FEATURES: [(&str, bool); 7] = [
    ("accounts", cfg!(feature = "accounts")),
    ("client", cfg!(feature = "client")),
    ("cluster", cfg!(feature = "cluster")),
    ("completions", cfg!(feature = "completions")),
    ("mdns", cfg!(feature = "mdns")),
    ("sqlite", cfg!(feature = "sqlite")),
    ("tls", cfg!(feature = "tls")),
];

fn features() -> String {
    let built_in = FEATURES.into_iter().filter(|(_, is_built_in)| *is_built_in).map(|(name, _)| name);
    built_in.collect::<Vec<_>>().join(",")
}

/// All metrics, with their names.
#[derive(Debug, Default)]
pub struct Metrics {
    process: Process,
}

impl Metrics {
    /// Writes all metrics.
    pub fn write(
        &self,
        format: Format,
        meters: &Meters,
        figures: &Figures,
        counts: &Counts,
        limits: &Limits,
    ) -> String {
        let mut out = Exposition::new(format);
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("features", &features())];
        out.info("snugd_build_info", "Version of the program, and what it was built with", &labels);
        write_connections(&mut out, meters, figures);
        write_rooms(&mut out, counts);
        let refusals = ERROR_CODES.into_iter().zip(figures.refusals);
        out.counters("snugd_refusals", "Requests that were refused, by error code", "code", refusals);
        out.counter("snugd_http_requests", "Well-formed HTTP requests received", meters.http_requests.get());
        out.counter("snugd_received_bytes", "Bytes read from sockets", meters.received_bytes.get());
        out.counter("snugd_sent_bytes", "Bytes written to sockets", meters.sent_bytes.get());
        let help = "Duration of one turn of the event loop, without waiting";
        out.histogram("snugd_turn_duration_seconds", help, &meters.turns);
        let help = "Time from reading a message to the end of the turn in which it was offered to all members of its \
                    room, once a room and turn";
        out.histogram("snugd_delivery_latency_seconds", help, &meters.deliveries);
        let help = "Memory in output queues of connections, in bytes";
        out.gauge("snugd_output_queue_bytes", help, figures.output_queue_bytes);
        let help = "Passwords waiting to be compared or hashed";
        out.gauge("snugd_password_queue_length", help, figures.passwords_waiting);
        write_files(&mut out, meters, figures);
        write_journal(&mut out, &meters.journal, figures);
        write_cluster(&mut out, meters.cluster.as_deref().unwrap_or(&ClusterMeters::default()));
        write_limits(&mut out, figures, limits);
        self.process.write(&mut out);
        out.finish()
    }
}

fn write_connections(out: &mut Exposition, meters: &Meters, figures: &Figures) {
    let open = PROTOCOLS.into_iter().zip(figures.connections);
    out.gauges("snugd_open_connections", "Connections open now, by protocol", "protocol", open);
    let help = "Connections open now that are encrypted by TLS";
    out.gauge("snugd_encrypted_connections", help, figures.encrypted);
    let accepted = [("web", &meters.accepted_web), ("line", &meters.accepted_line)].map(read);
    out.counters("snugd_accepted_connections", "Connections accepted, by port", "port", accepted);
    let closed = CLOSE_REASONS.into_iter().zip(meters.closed.each_ref().map(Counter::get));
    out.counters("snugd_closed_connections", "Connections closed, by reason", "reason", closed);
    let refused = [
        ("full", &meters.refused_full),
        ("address", &meters.refused_too_many_from_address),
        ("descriptors", &meters.refused_out_of_descriptors),
    ];
    out.counters("snugd_refused_connections", "Connections refused, by reason", "reason", refused.map(read));
    let faults = [
        ("http", &meters.http_faults),
        ("websocket", &meters.websocket_faults),
        ("line", &meters.line_faults),
        ("proxy", &meters.proxy_header_faults),
        ("tls", &meters.tls_faults),
    ];
    let help = "Connections closed because of a protocol error, by protocol";
    out.counters("snugd_protocol_faults", help, "protocol", faults.map(read));
    let help = "Connections closed because they read too slowly";
    out.counter("snugd_slow_readers_closed", help, meters.slow_consumers_closed.get());
    out.counter("snugd_websockets", "WebSocket handshakes accepted", meters.websockets.get());
    out.counter("snugd_tls_handshakes", "TLS handshakes that succeeded", meters.tls_handshakes.get());
    let help = "TLS handshakes given up, because they took too long or were too many";
    out.counter("snugd_tls_handshakes_given_up", help, meters.tls_handshakes_given_up.get());
}

fn write_rooms(out: &mut Exposition, counts: &Counts) {
    out.gauge("snugd_rooms", "Rooms that exist now", counts.rooms);
    let members = [("web", counts.members - counts.line_members), ("line", counts.line_members)];
    out.gauges("snugd_members", "Members of all rooms now, by how they are connected", "via", members);
    out.gauge("snugd_accounts", "Names claimed with a password", counts.accounts);
    out.gauge("snugd_history_bytes", "Memory that the history of all rooms takes, in bytes", counts.history_bytes);
    out.counter("snugd_rooms_created", "Rooms created", counts.rooms_created);
    out.counter("snugd_joins", "Joins of rooms, those that resume included", counts.joins);
    out.counter("snugd_resumes", "Joins that resumed after an event the client had", counts.resumes);
    let events = EVENT_KINDS.into_iter().zip(counts.events);
    out.counters("snugd_events", "Events added to rooms, by kind", "kind", events);
    out.counter("snugd_messages", "Messages sent by members, shared files included", counts.messages());
    let help = "Events times the connections that each was to be sent to";
    out.counter("snugd_deliveries", help, counts.deliveries);
    out.counter("snugd_duplicates", "Messages sent again by clients, and dropped", counts.duplicates);
}

fn write_files(out: &mut Exposition, meters: &Meters, figures: &Figures) {
    out.gauge("snugd_files", "Shared files kept", figures.files);
    out.gauge("snugd_file_bytes", "Bytes of all shared files, those arriving included", figures.file_bytes);
    out.counter("snugd_uploads", "Files shared", meters.uploads.get());
    out.counter("snugd_downloads", "Files, or parts of them, that were asked for", meters.downloads.get());
}

fn write_journal(out: &mut Exposition, journal: &JournalMeters, figures: &Figures) {
    let help = "Duration of committed transactions of the data file, waiting for the disk included";
    out.histogram("snugd_journal_transaction_duration_seconds", help, &journal.transactions);
    let changes = [("stored", &journal.stored_changes), ("refused", &journal.refused_changes)].map(read);
    let help = "Changes handled by the journal in the data file, by outcome";
    out.counters("snugd_journal_changes", help, "outcome", changes);
    let failures = [("locked", &journal.locked), ("failed", &journal.failed)].map(read);
    let help = "Transactions of the data file that failed, by reason";
    out.counters("snugd_journal_errors", help, "reason", failures);
    out.gauge("snugd_journal_queue_length", "Changes waiting to be stored", figures.journal_waiting);
    let help = "1 while nothing can be stored: the data file, or the log that nodes share, takes nothing";
    out.gauge("snugd_journal_failing", help, u8::from(figures.is_journal_failing));
    let help = "1 while the journal has too much to do to accept more";
    out.gauge("snugd_journal_congested", help, u8::from(figures.is_journal_congested));
}

/// Where rooms are not shared, all of it is 0.
fn write_cluster(out: &mut Exposition, cluster: &ClusterMeters) {
    let nodes = cluster.nodes.load(Ordering::Relaxed);
    out.gauge("snugd_cluster_nodes", "Nodes that share the rooms, this one included, 0: they are not shared", nodes);
    let is_away = nodes > 0 && !cluster.is_up.load(Ordering::Relaxed);
    out.gauge("snugd_cluster_unreachable", "1 while the shared log cannot be reached", u8::from(is_away));
    let help = "Age of the entries of the shared log that were last taken in";
    out.gauge("snugd_cluster_lag_seconds", help, cluster.lag_ms.load(Ordering::Relaxed) as f64 / 1000.0);
    let help = "Time until a command to the shared log was answered";
    out.histogram("snugd_cluster_command_duration_seconds", help, &cluster.commands);
    let help = "Commands to the shared log that failed";
    out.counter("snugd_cluster_failed_commands", help, cluster.failed_commands.get());
    let help = "Connections to the shared log made anew after one was lost";
    out.counter("snugd_cluster_reconnects", help, cluster.reconnects.get());
    let help = "Changes checked again because another node's came before them";
    out.counter("snugd_cluster_outdated_proposals", help, cluster.outdated_proposals.get());
    let help = "Times that everything was loaded anew and everybody asked to come again";
    out.counter("snugd_cluster_resets", help, cluster.resets.get());
}

/// The limits in force; 0 means none, as in the options.
fn write_limits(out: &mut Exposition, figures: &Figures, limits: &Limits) {
    out.gauge("snugd_max_connections", "Limit of open connections, 0: none", figures.connection_limit);
    let help = "Limit of open connections from one address, 0: none";
    out.gauge("snugd_max_connections_per_address", help, figures.address_limit);
    out.gauge("snugd_max_members_per_room", "Limit of members of a room, 0: none", limits.members);
    out.gauge("snugd_max_message_bytes", "Limit of a message, in bytes", limits.message_bytes);
    out.gauge("snugd_max_history_events", "Limit of events kept of a room", limits.history_events);
    out.gauge("snugd_max_history_bytes", "Limit of memory for the history of all rooms, in bytes", limits.memory_bytes);
    out.gauge("snugd_max_upload_bytes", "Limit of one shared file, in bytes, 0: no files", limits.file_bytes);
    out.gauge("snugd_max_file_bytes", "Limit of all shared files, in bytes", figures.file_limit_bytes);
}

fn read<'a>((label, counter): (&'a str, &Counter)) -> (&'a str, u64) {
    (label, counter.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_named() {
        let default = include_str!("../../../Cargo.toml").lines().find_map(|line| line.strip_prefix("default = "));
        let named = FEATURES.map(|(name, _)| format!("{name:?}")).join(", ");
        assert_eq!(default, Some(format!("[{named}]").as_str()));
    }

    #[test]
    fn writes_what_was_counted() {
        let (metrics, meters) = (Metrics::default(), Meters::default());
        meters.accepted(true);
        meters.refused_full.inc();
        meters.line_faults.inc();
        meters.sent_bytes.inc_by(1_000);
        meters.closed(CloseReason::Kicked);
        meters.closed(CloseReason::Stopping);
        meters.turns.observe_us(300);
        let refused = RefusalCounts::default();
        refused.count("name_taken");
        refused.count("no code of the contract");
        let refusals = RefusalCounts::sum([&refused, &refused]);
        let figures = Figures { connections: [1, 2, 3, 0], file_bytes: 9, refusals, ..Figures::default() };
        let mut counts = Counts { rooms: 2, members: 5, line_members: 3, history_bytes: 77, ..Counts::default() };
        counts.events = [40, 2, 7, 0, 0, 0, 0, 0, 0, 0, 1];
        let limits = Limits::default();
        let text = metrics.write(Format::Text, &meters, &figures, &counts, &limits);
        for line in [
            "# TYPE snugd_accepted_connections_total counter",
            "snugd_accepted_connections_total{port=\"web\"} 1",
            "snugd_accepted_connections_total{port=\"line\"} 0",
            "snugd_open_connections{protocol=\"websocket\"} 2",
            "snugd_refused_connections_total{reason=\"full\"} 1",
            "snugd_closed_connections_total{reason=\"kicked\"} 1",
            "snugd_closed_connections_total{reason=\"stopping\"} 1",
            "snugd_closed_connections_total{reason=\"left\"} 0",
            "snugd_protocol_faults_total{protocol=\"line\"} 1",
            "snugd_refusals_total{code=\"name_taken\"} 2",
            "snugd_sent_bytes_total 1000",
            "snugd_rooms 2",
            "snugd_members{via=\"web\"} 2",
            "snugd_members{via=\"line\"} 3",
            "snugd_history_bytes 77",
            "snugd_events_total{kind=\"kick\"} 1",
            "snugd_messages_total 42",
            "snugd_file_bytes 9",
            "snugd_cluster_nodes 0",
            "snugd_cluster_unreachable 0",
            "snugd_journal_failing 0",
            "snugd_turn_duration_seconds_count 1",
            "snugd_max_members_per_room 1000",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
        }
        assert!(text.lines().all(|line| line.starts_with('#') || line.ends_with(|end: char| end.is_ascii_digit())));

        let cluster = Arc::<ClusterMeters>::default();
        cluster.nodes.store(3, Ordering::Relaxed);
        cluster.lag_ms.store(250, Ordering::Relaxed);
        cluster.commands.observe_us(700);
        cluster.outdated_proposals.inc_by(4);
        let meters = Meters { cluster: Some(cluster), ..Meters::default() };
        let figures = Figures { is_journal_failing: true, ..Figures::default() };
        let text = metrics.write(Format::Text, &meters, &figures, &counts, &limits);
        for line in [
            "snugd_cluster_nodes 3",
            "snugd_cluster_unreachable 1",
            "snugd_cluster_lag_seconds 0.25",
            "snugd_cluster_command_duration_seconds_count 1",
            "snugd_cluster_outdated_proposals_total 4",
            "snugd_cluster_resets_total 0",
            "snugd_journal_failing 1",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
        }
    }
}
