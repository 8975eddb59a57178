//! `snugd export`, where the room is in a log that nodes share: all its events, as they are at one moment.
//!
//! A long room cannot be read in one step without having everybody wait for that, so it is read in pages, by the same code
//! as for a node. Then it is brought up to date by what has come since, until nothing has come that changes what is there:
//! then all is as its last event has left it. Whoever goes on talking does not keep that from ending.

use std::io;

use redis::{Connection, cmd};

use super::access::{check_format, unreadable};
use super::address::ClusterAddress;
use super::connecting::{Connector, ask};
use super::faults::{Answer, Fault, list, number, optional_bytes};
use super::following::has_replicas;
use super::scripts::{META, ROOMS, Scripts, key_of_room};
use super::{opening, reading};
use crate::journal::cluster::log::Position;
use crate::rooms::{Epoch, Event, MAX_PAGE_EVENTS, ReadRequest, RoomCode, Wanted, amend, quote_in};

/// So often it is looked for what has come since, or begun anew with a room that goes on under another epoch.
const ROUNDS: usize = 1_000;

/// Why a room was not exported.
#[derive(Debug)]
pub enum ExportError {
    /// The log cannot be used: a sentence.
    Unusable(String),
    /// It has no room with this code.
    NoSuchRoom,
    /// What was read was not taken.
    Output(io::Error),
}

/// Hands every event of a room to `visit`, the oldest first. Nodes may be there, and are not disturbed. `wait_replicas`: so
/// many replicas have to have what is handed over.
///
/// # Errors
/// The log cannot be used, there is no such room, or `visit` fails.
pub fn visit_events(
    address: &ClusterAddress,
    wait_replicas: u32,
    code: RoomCode,
    visit: impl FnMut(&Event) -> io::Result<()>,
) -> Result<(), ExportError> {
    let mut connector = Connector::new(address.clone());
    let connected = opening::connect(&mut connector, &Scripts::new(), address).map_err(ExportError::Unusable)?;
    let mut connection = connected.connection;
    let events = read_all(&mut connection, code).and_then(|events| {
        wait_for_replicas(&mut connection, wait_replicas)?;
        Ok(events)
    });
    let events = events.map_err(|fault| ExportError::Unusable(unreadable(address, fault)))?;
    let mut events = events.ok_or(ExportError::NoSuchRoom)?;
    quote_in(&mut events, |_| None);
    events.iter().try_for_each(visit).map_err(ExportError::Output)
}

/// A room as it stands: which of its events are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Standing {
    epoch: Epoch,
    first_id: u64,
    last_id: u64,
}

/// All events of a room; `None`: there is none with this code.
fn read_all(connection: &mut Connection, code: RoomCode) -> Answer<Option<Vec<Event>>> {
    let format = optional_bytes(ask(connection, cmd("HGET").arg(META).arg("format"))?)?;
    check_format(format.map(|format| String::from_utf8_lossy(&format).into_owned()).as_deref())?;
    let Some(begun) = find(connection, code)? else { return Ok(None) };
    let mut reader = RoomReader::new(code, begun);
    for _ in 0..ROUNDS {
        let read = reader.read(connection);
        let Some(now) = find(connection, code)? else { return Ok(None) };
        if now.epoch != reader.epoch || now.first_id > reader.as_of + 1 {
            // Nothing of what was read is there any more.
            reader = RoomReader::new(code, now);
        } else {
            match read.and_then(|()| reader.is_final(connection, now)) {
                Ok(true) => return Ok(Some(reader.finish(now.first_id))),
                Ok(false) => (),
                // What goes on under another epoch while it is read is looked for again.
                Err(fault) if find(connection, code)?.is_some_and(|found| found.epoch == now.epoch) => {
                    return Err(fault);
                }
                Err(_) => (),
            }
        }
    }
    Err(Fault::Away("this room changes too fast to be read as it is at one moment".to_owned()))
}

/// The room with this code.
fn find(connection: &mut Connection, code: RoomCode) -> Answer<Option<Standing>> {
    for _ in 0..ROUNDS {
        let Some(epoch) = optional_bytes(ask(connection, cmd("HGET").arg(ROOMS).arg(code.as_str()))?)? else {
            return Ok(None);
        };
        let epoch = std::str::from_utf8(&epoch).ok().and_then(Epoch::parse).ok_or_else(Fault::unreadable)?;
        let mut fields = cmd("HMGET");
        fields.arg(key_of_room("room", epoch)).arg("first").arg("last");
        let mut fields = list(ask(connection, &fields)?)?.into_iter();
        if let (Some(first_id), Some(last_id)) = (fields.next(), fields.next())
            && first_id != redis::Value::Nil
        {
            return Ok(Some(Standing { epoch, first_id: number(first_id)?, last_id: number(last_id)? }));
        }
        // It was over since, or goes on under another epoch.
    }
    Err(Fault::unreadable())
}

/// Reads a room.
struct RoomReader {
    code: RoomCode,
    epoch: Epoch,
    /// What of it is to be read first.
    first_id: u64,
    /// Up to this event it is read, or to be read.
    as_of: u64,
    /// `None`: it was not read yet.
    events: Option<Vec<Event>>,
}

impl RoomReader {
    fn new(code: RoomCode, standing: Standing) -> RoomReader {
        let Standing { epoch, first_id, last_id } = standing;
        RoomReader { code, epoch, first_id, as_of: last_id, events: None }
    }

    /// Reads it, unless that is done.
    fn read(&mut self, connection: &mut Connection) -> Answer<()> {
        if self.events.is_none() {
            self.events = Some(self.read_range(connection, self.first_id, self.as_of)?);
        }
        Ok(())
    }

    /// Events in their last state, page by page.
    fn read_range(&self, connection: &mut Connection, mut first_id: u64, last_id: u64) -> Answer<Vec<Event>> {
        let mut events = Vec::new();
        while first_id <= last_id {
            let end_id = last_id.min(first_id + MAX_PAGE_EVENTS as u64 - 1);
            let wanted = Wanted::Events { first_id, last_id: end_id };
            let request = ReadRequest { code: self.code, epoch: self.epoch, wanted };
            // A room that is over by now is looked at once more.
            events.extend(reading::read(connection, &request)?.unwrap_or_default().events);
            first_id = end_id + 1;
        }
        Ok(events)
    }

    /// Whether nothing of what was read was amended up to `now`, which was looked at after it was read: then it is all as
    /// its last event has left it. Else it is brought up to date.
    fn is_final(&mut self, connection: &mut Connection, now: Standing) -> Answer<bool> {
        let newer = self.read_range(connection, self.as_of + 1, now.last_id)?;
        if newer.len() as u64 != now.last_id - self.as_of {
            // Some of that is kept no longer, and what it has done to others is not known.
            *self = RoomReader::new(self.code, now);
            return Ok(false);
        }
        let changes_these = |event: &Event| event.body.amends().is_some_and(|of| of <= self.as_of);
        if !newer.iter().any(changes_these) {
            return Ok(true);
        }
        let mut events = self.events.take().unwrap_or_default();
        newer.iter().for_each(|event| amend(&mut events, event));
        events.extend(newer);
        self.events = Some(events);
        self.as_of = now.last_id;
        Ok(false)
    }

    /// All of it, but for what is kept no longer.
    fn finish(self, first_id: u64) -> Vec<Event> {
        self.events.into_iter().flatten().filter(|event| event.id >= first_id).collect()
    }
}

/// What is handed over is there to stay.
fn wait_for_replicas(connection: &mut Connection, wanted: u32) -> Answer<()> {
    if has_replicas(connection, "export", Position::default(), wanted)? {
        return Ok(());
    }
    Err(Fault::Away(format!("fewer than {wanted} replicas have what is in it")))
}
