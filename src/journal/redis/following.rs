//! The thread that follows the log: hands over entries as they come, in their order, and what the node does not have itself
//! as changes that were read already.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::SystemTime;

use redis::{Connection, cmd};

use super::answers::{Answers, Origin, Over};
use super::connecting::{Connector, ask};
use super::entries::{read_entries, read_position};
use super::faults::{Answer, Fault, list, number, optional_bytes};
use super::order::Order;
use super::scripts::{LOG, META, SEEN};
use crate::journal::cluster::log::{Entry, Position, Response};
use crate::rooms::NodeId;

/// So many entries are read at once.
const MOST_ENTRIES: usize = 1000;

/// So long it is waited for new ones before the connection is seen to be alive.
const BLOCK_MS: u64 = 1000;

/// So long it is waited for replicas, before it is looked whether anybody waits for the entries still.
const WAIT_MS: u64 = 1000;

/// So often that is done at the most by whoever does not follow.
const REPLICATION_ATTEMPTS: usize = 10;

/// What is to be followed from here on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FollowOrder {
    /// Names it.
    pub follow: u64,
    /// Over which connection the node is attached.
    pub session: u64,
    /// Who follows: its own changes are not read.
    pub node: NodeId,
    /// The last entry that is known.
    pub after: Position,
}

/// The thread's own.
pub(super) struct Follower {
    pub connector: Connector,
    pub answers: Answers,
    /// To be told where it cannot go on.
    pub orders: Sender<Order>,
    pub follows: Receiver<FollowOrder>,
    /// So many replicas have to have an entry before it is handed over.
    pub wait_replicas: u32,
}

/// Why something is followed no more.
enum End {
    Over,
    /// Something else is to be followed, or nothing.
    Superseded,
    Fault(Fault),
}

impl From<Over> for End {
    fn from(_: Over) -> End {
        End::Over
    }
}

impl<F: Into<Fault>> From<F> for End {
    fn from(fault: F) -> End {
        End::Fault(fault.into())
    }
}

impl Follower {
    /// The thread, until nobody takes the entries.
    pub fn run(mut self) {
        while let Ok(order) = self.follows.recv() {
            match self.follow(&order) {
                Err(End::Over) => return,
                Ok(()) | Err(End::Superseded) => (),
                Err(End::Fault(fault)) => {
                    let failed = Order::Fail { session: order.session, reason: fault.to_string() };
                    if self.orders.send(failed).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Whether it is still to be followed.
    fn check(&self, order: &FollowOrder) -> Result<(), End> {
        let standing = self.answers.standing();
        match standing {
            _ if standing.is_over => Err(End::Over),
            _ if standing.follow != order.follow => Err(End::Superseded),
            _ => Ok(()),
        }
    }

    /// Ends well only where entries are missing.
    fn follow(&mut self, order: &FollowOrder) -> Result<(), End> {
        self.check(order)?;
        let standing = self.answers.standing();
        let mut connected = self.connector.connect()?;
        if connected.server != standing.server {
            return Err(End::Fault(other_log()));
        }
        let connection = &mut connected.connection;
        let origin = Origin::Follow(order.follow);
        let mut after = order.after;
        loop {
            self.check(order)?;
            let (entries, read) = read_after(connection, after, order.node)?;
            // Whoever appends to a log that may have lost something is seen here before: the log is another's by then.
            if (read.server.as_str(), read.generation) != (standing.server.as_str(), Some(standing.generation.0)) {
                return Err(End::Fault(other_log()));
            }
            if read.trimmed.is_some_and(|trimmed| trimmed > after) {
                self.answers.give(origin, Response::Trimmed)?;
                self.answers.wake();
                return Ok(());
            }
            let Some(last) = read.last else {
                // There was nothing more.
                self.answers.meters.lag_ms.store(0, Ordering::Relaxed);
                continue;
            };
            if self.wait_replicas > 0 {
                self.wait_for_replicas(connection, order, last)?;
            }
            after = last;
            let lag_ms = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_sub(last.time_ms));
            self.answers.meters.lag_ms.store(lag_ms, Ordering::Relaxed);
            if !entries.is_empty() {
                self.answers.give(origin, Response::Entries(entries))?;
                self.answers.wake();
            }
        }
    }

    /// Waits until so many replicas have everything up to this entry.
    fn wait_for_replicas(&self, connection: &mut Connection, order: &FollowOrder, last: Position) -> Result<(), End> {
        note_seen(connection, &order.node.0.to_string(), last)?;
        let mut is_told = false;
        loop {
            let replicas = count_replicas(connection, self.wait_replicas)?;
            if replicas >= u64::from(self.wait_replicas) {
                return Ok(());
            }
            self.check(order)?;
            if !std::mem::replace(&mut is_told, true) {
                log::warn!(
                    event = "cluster_waits";
                    "only {replicas} of {} replicas have the last messages: they are told when the others have them",
                    self.wait_replicas
                );
            }
        }
    }
}

/// Notes up to where somebody has read. Replicas are asked about what a connection has written: this is behind what it has
/// read.
fn note_seen(connection: &mut Connection, who: &str, last: Position) -> Answer<()> {
    ask(connection, cmd("HSET").arg(SEEN).arg(who).arg(last.to_string())).map(drop)
}

/// Whether so many replicas come to have everything up to this entry in the time that whoever starts or asks once may wait.
pub(super) fn has_replicas(connection: &mut Connection, who: &str, last: Position, wanted: u32) -> Answer<bool> {
    if wanted == 0 {
        return Ok(true);
    }
    note_seen(connection, who, last)?;
    for _ in 0..REPLICATION_ATTEMPTS {
        if count_replicas(connection, wanted)? >= u64::from(wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many replicas have that, or so many as are wanted; waits a while for those.
fn count_replicas(connection: &mut Connection, wanted: u32) -> Answer<u64> {
    number(ask(connection, cmd("WAIT").arg(wanted).arg(WAIT_MS))?)
}

fn other_log() -> Fault {
    Fault::Away("another server keeps the log".to_owned())
}

/// What was read beside entries.
struct ReadAfter {
    server: String,
    generation: Option<u64>,
    trimmed: Option<Position>,
    /// The last entry.
    last: Option<Position>,
}

/// The next entries; and, looked at after them, whose log it is and what is not there any more: what is trimmed before the
/// entries are read is seen by that in any case. What is trimmed between the two was read and counts as lost, which
/// concerns nobody but a node that is five minutes behind.
fn read_after(connection: &mut Connection, after: Position, own: NodeId) -> Answer<(Vec<Entry>, ReadAfter)> {
    let mut packed = Vec::new();
    let mut read = cmd("XREAD");
    read.arg("COUNT").arg(MOST_ENTRIES).arg("BLOCK").arg(BLOCK_MS).arg("STREAMS").arg(LOG).arg(after.to_string());
    read.write_packed_command(&mut packed);
    cmd("HMGET").arg(META).arg("server").arg("generation").arg("trimmed").write_packed_command(&mut packed);
    connection.send_packed_command(&packed)?;
    let entries = connection.recv_response()?;
    let mut fields = list(connection.recv_response()?)?.into_iter();
    let mut field = || -> Answer<Option<String>> {
        let bytes = optional_bytes(fields.next().ok_or_else(Fault::unreadable)?)?;
        bytes.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable())
    };
    let (server, generation, trimmed) = (field()?.unwrap_or_default(), field()?, field()?);
    let (entries, last) = read_entries(entries, own)?;
    let generation = generation.and_then(|generation| generation.parse().ok());
    let trimmed = trimmed.map(|trimmed| read_position(&trimmed)).transpose()?;
    Ok((entries, ReadAfter { server, generation, trimmed, last }))
}
