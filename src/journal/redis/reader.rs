//! The thread that reads: everything at the start, pages of a room's history while the program runs. Its connection is its
//! own, so that a long reading delays nothing that is appended.

use std::sync::mpsc::Receiver;

use redis::{Connection, cmd};

use super::answers::{Answers, Origin, Over, Standing};
use super::connecting::{Connector, ask};
use super::faults::{Answer, Fault, list, optional_bytes};
use super::following::has_replicas;
use super::scripts::{META, Scripts};
use super::{loading, reading};
use crate::journal::cluster::log::{Loaded, Response};
use crate::rooms::{Page, ReadRequest};

/// What the thread is asked; over this connection's time.
pub(super) enum ReadOrder {
    Load { session: u64 },
    Read { session: u64, request: ReadRequest },
}

impl ReadOrder {
    fn session(&self) -> u64 {
        match self {
            ReadOrder::Load { session } | ReadOrder::Read { session, .. } => *session,
        }
    }
}

/// The thread's own.
pub(super) struct Reader {
    pub connector: Connector,
    pub scripts: Scripts,
    pub answers: Answers,
    pub orders: Receiver<ReadOrder>,
    /// So many replicas have to have what is loaded.
    pub wait_replicas: u32,
    pub connection: Option<Connection>,
}

impl Reader {
    /// The thread, until nobody takes the answers.
    pub fn run(mut self) {
        while let Ok(order) = self.orders.recv() {
            let standing = self.answers.standing();
            if standing.is_over {
                return;
            }
            // What was asked before the connection was lost, nobody waits for: it is asked again.
            if standing.session == Some(order.session()) && self.answer(order).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, order: ReadOrder) -> Result<(), Over> {
        let (session, response) = match order {
            ReadOrder::Load { session } => {
                let wait_replicas = self.wait_replicas;
                let loaded = self.try_twice(|connection, scripts, standing| {
                    let loaded = loading::load(connection, scripts, standing)?;
                    wait_for_replicas(connection, &loaded, wait_replicas)?;
                    Ok(loaded)
                });
                (session, Response::Loaded(loaded.map(Box::new)))
            }
            ReadOrder::Read { session, request } => {
                let page = self.try_twice(|connection, _, standing| read(connection, &request, standing));
                (session, Response::Read { request, page: page.flatten() })
            }
        };
        self.answers.give(Origin::Session(session), response)?;
        self.answers.wake();
        Ok(())
    }

    /// A connection that was good for what was read last may be no more.
    fn try_twice<T>(&mut self, read: impl Fn(&mut Connection, &Scripts, &Standing) -> Answer<T>) -> Option<T> {
        let had_connection = self.connection.is_some();
        let tried = self.try_once(&read);
        let read = match tried {
            Err(_) if had_connection => self.try_once(&read),
            tried => tried,
        };
        read.inspect_err(|fault| log::warn!("the cluster's log cannot be read: {fault}")).ok()
    }

    fn try_once<T>(&mut self, read: impl Fn(&mut Connection, &Scripts, &Standing) -> Answer<T>) -> Answer<T> {
        let standing = self.answers.standing();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connected = self.connector.connect()?;
                // One that has taken over may say that it is the former one until a node attaches to it.
                if connected.server != standing.server {
                    return Err(Fault::Away("another server keeps it".to_owned()));
                }
                self.scripts.load_into(&mut connected.connection)?;
                connected.connection
            }
        };
        let read = read(&mut connection, &self.scripts, &standing)?;
        self.connection = Some(connection);
        Ok(read)
    }
}

/// What is loaded is as visible as what is followed.
fn wait_for_replicas(connection: &mut Connection, loaded: &Loaded, wanted: u32) -> Answer<()> {
    let last = loaded.rooms.iter().map(|room| room.position).max().unwrap_or(loaded.position);
    if has_replicas(connection, "load", last, wanted)? {
        return Ok(());
    }
    Err(Fault::Away(format!("fewer than {wanted} replicas have what is in it")))
}

/// A page of the log to which the node is attached, and of no other.
fn read(connection: &mut Connection, request: &ReadRequest, standing: &Standing) -> Answer<Option<Page>> {
    let page = reading::read(connection, request)?;
    let mut fields = list(ask(connection, cmd("HMGET").arg(META).arg("server").arg("generation"))?)?.into_iter();
    let mut field = || optional_bytes(fields.next().ok_or_else(Fault::unreadable)?);
    let (server, generation) = (field()?, field()?);
    let is_it = server.as_deref() == Some(standing.server.as_bytes())
        && generation == Some(standing.generation.0.to_string().into_bytes());
    is_it.then_some(page).ok_or_else(|| Fault::Away("another server keeps it".to_owned()))
}
