//! How a node comes to its log: connects, attaches, and loads what is there. What cannot be is told in a sentence.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, cmd};

use super::RedisLink;
use super::address::ClusterAddress;
use super::connecting::{Connected, Connector, ask, field};
use super::faults::{Fault, text};
use super::scripts::Scripts;
use crate::journal::cluster::Link;
use crate::journal::cluster::log::{Attached, Loaded, Request, Response};
use crate::meter::ClusterMeters;
use crate::rooms::NodeId;

/// So long it is tried to reach the log.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// So long it is tried to attach: until nodes that are none any more have no say in it, and some more for those of a log
/// that is kept by another server than before.
const ATTACH_LIMIT: Duration = Duration::from_secs(20);

/// So long everything may take to be loaded.
const LOAD_LIMIT: Duration = Duration::from_secs(60);

/// So often it is tried.
const PAUSE: Duration = Duration::from_millis(250);

/// The first connection.
pub(super) fn connect(
    connector: &mut Connector,
    scripts: &Scripts,
    address: &ClusterAddress,
) -> Result<Connected, String> {
    if address.is_encrypted && !cfg!(feature = "tls") {
        return Err(
            "This program was built without TLS: give the address of the cluster's log as redis://, or build the \
                    program with the feature tls."
                .to_owned(),
        );
    }
    let until = Instant::now() + CONNECT_LIMIT;
    loop {
        let connected = connector.connect().and_then(|mut connected| {
            scripts.load_into(&mut connected.connection)?;
            Ok(connected)
        });
        let advice = match connected {
            Ok(mut connected) => {
                warn_of_settings(&mut connected.connection);
                return Ok(connected);
            }
            Err(Fault::Denied(reason)) => {
                return Err(format!("The cluster's log at {address} cannot be used: {reason}."));
            }
            Err(fault) if Instant::now() >= until => fault,
            Err(_) => {
                thread::sleep(PAUSE);
                continue;
            }
        };
        return Err(format!(
            "The cluster's log at {address} cannot be reached: {advice}; see that Redis runs there, or give another address \
             with --cluster."
        ));
    }
}

/// Tells of what is set there so that what was said may get lost. Whoever may not ask is told nothing.
fn warn_of_settings(connection: &mut Connection) {
    let told = ask(connection, cmd("INFO").arg("memory").arg("persistence")).and_then(text).unwrap_or_default();
    let policy = field(&told, "maxmemory_policy").unwrap_or("noeviction");
    if policy != "noeviction" {
        log::warn!(
            event = "cluster_settings";
            "the cluster's log throws away what it has when its memory is short (maxmemory-policy {policy}): set it to \
             noeviction"
        );
    }
    if field(&told, "aof_enabled") == Some("0") {
        log::warn!(
            event = "cluster_settings";
            "the cluster's log is not written to its disk as it grows (appendonly no): what was said may be lost when \
             Redis ends"
        );
    }
}

impl RedisLink {
    /// Connects to the log at this address, attaches to it as this node, and loads all that is there. `wait_replicas`: so
    /// many replicas have to have what any node is handed over. `wake` is called, on other threads, when there are answers
    /// to be taken.
    ///
    /// # Errors
    /// One sentence that says why that cannot be done, and what to do.
    pub fn start(
        address: &ClusterAddress,
        wait_replicas: u32,
        node: NodeId,
        history_events: u64,
        wake: impl Fn() + Send + Sync + 'static,
        meters: Arc<ClusterMeters>,
    ) -> Result<(RedisLink, Box<Loaded>), String> {
        let mut link = RedisLink::open(address, wait_replicas, wake, meters)?;
        link.attach_at_start(address, node, history_events)?;
        link.send(Request::Load);
        match link.wait(LOAD_LIMIT) {
            Some(Response::Loaded(Some(loaded))) => Ok((link, loaded)),
            _ => {
                Err(format!("The cluster's log at {address} cannot be read: see what Redis says of it, and try again."))
            }
        }
    }

    fn attach_at_start(&mut self, address: &ClusterAddress, node: NodeId, history_events: u64) -> Result<(), String> {
        let until = Instant::now() + ATTACH_LIMIT;
        let mut reason = "it does not answer".to_owned();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.wait(left) {
                Some(Response::Up) => (),
                Some(Response::Down { reason: why }) => {
                    reason = why;
                    continue;
                }
                Some(Response::Attached(Attached::Yes { .. })) => return Ok(()),
                Some(Response::Attached(Attached::NotYet)) => {
                    reason = "nodes have not told yet what they have seen of it".to_owned();
                    thread::sleep(PAUSE);
                }
                Some(Response::Attached(Attached::OtherHistory(events))) => {
                    reason = format!(
                        "the other nodes keep {events} events of a room, so start this one with --history {events}"
                    );
                    thread::sleep(PAUSE);
                }
                Some(Response::Attached(Attached::UnknownFormat(format))) => {
                    return Err(format!(
                        "The cluster's log at {address} is of format {format}, which this version does not know: start the \
                         version that has written it."
                    ));
                }
                Some(Response::Attached(Attached::GivenUp)) => {
                    return Err(format!(
                        "The cluster's log at {address} knows this node as one that is gone: start it again."
                    ));
                }
                // Nothing else is asked here.
                Some(_) => continue,
                None => (),
            }
            if Instant::now() >= until {
                return Err(format!("This node cannot join those at {address}: {reason}."));
            }
            self.send(Request::Attach { node, last: None, history_events });
        }
    }
}
