//! All that the log knows: accounts, nodes, and every room as a snapshot and what has changed since.

use std::collections::HashMap;

use redis::{Connection, Value};

use super::advancing::Advanced;
use super::answers::Standing;
use super::connecting::ask;
use super::entries::{read_node, read_position, read_version, split_line, unknown};
use super::faults::{Answer, Fault, bytes, list, number, optional_bytes, text};
use super::scripts::Scripts;
use super::tailed::{AccountTail, Changed, TailedRoom, unborn};
use crate::journal::cluster::codec;
use crate::journal::cluster::log::{Generation, Loaded, Position};
use crate::rooms::{Change, Epoch, NodeId, RoomCode, StoredRoom};

/// So many rooms are asked for in one step, and so many such steps at once.
const ROOMS_AT_ONCE: usize = 100;
const STEPS_AT_ONCE: usize = 16;

/// So often it is begun anew where acknowledged entries turn out to be lost meanwhile.
const ATTEMPTS: usize = 5;

/// Loads everything, as it is at the end.
pub(super) fn load(connection: &mut Connection, scripts: &Scripts, standing: &Standing) -> Answer<Loaded> {
    for _ in 0..ATTEMPTS {
        let mut loading = Loading::begin(connection, scripts, standing)?;
        loading.load_rooms(connection, scripts)?;
        if let Some(loaded) = loading.end(connection, scripts)? {
            return Ok(loaded);
        }
    }
    Err(Fault::Away("it loses what it had again and again".to_owned()))
}

/// What was loaded so far. Rooms are loaded some at a time, and nobody waits meanwhile: at the end they are brought to
/// one time.
pub(super) struct Loading {
    begun: Basics,
    rooms: Vec<TailedRoom>,
}

impl Loading {
    pub fn begin(connection: &mut Connection, scripts: &Scripts, standing: &Standing) -> Answer<Loading> {
        let begun = Basics::ask(connection, scripts)?;
        if begun.server != standing.server {
            return Err(Fault::Away("another server keeps it".to_owned()));
        }
        Ok(Loading { rooms: Vec::with_capacity(begun.rooms.len()), begun })
    }

    /// Loads those that there were when it began, but for those that are over.
    pub fn load_rooms(&mut self, connection: &mut Connection, scripts: &Scripts) -> Answer<()> {
        for some in self.begun.rooms.chunks(ROOMS_AT_ONCE * STEPS_AT_ONCE) {
            load_rooms(connection, scripts, some, &mut self.rooms)?;
        }
        Ok(())
    }

    /// All as it is now. `None`: it is to be begun anew.
    pub fn end(self, connection: &mut Connection, scripts: &Scripts) -> Answer<Option<Loaded>> {
        let Loading { begun, rooms } = self;
        let ended = Basics::ask(connection, scripts)?;
        if (&ended.server, ended.generation) != (&begun.server, begun.generation) {
            return Ok(None);
        }
        let former =
            rooms.iter().flat_map(|room| room.former.iter().map(|epoch| (*epoch, room.snapshot.epoch))).collect();
        let account_tail = begun.account_tail.into_iter().map(|changed| rename_bearers(changed, &former)).collect();
        let mut advanced = Advanced::new(rooms, account_tail, ended.history_events);
        if !advanced.advance(connection, begun.position, ended.position)? {
            return Ok(None);
        }
        let accounts = ended.accounts.iter().map(|(field, value)| codec::read_account(field, value).map_err(unknown));
        let (rooms, account_tail) = advanced.finish();
        let account_tail = AccountTail::new(account_tail);
        Ok(Some(Loaded {
            generation: ended.generation,
            accounts: accounts.collect::<Answer<_>>()?,
            accounts_version: read_version(&ended.accounts_version)?,
            position: ended.position,
            last_by: read_version(&ended.last_by)?,
            rooms: rooms.into_iter().map(|room| room.merge(&account_tail, ended.position)).collect(),
            nodes: ended.nodes,
        }))
    }
}

/// All but the rooms.
struct Basics {
    server: String,
    generation: Generation,
    accounts_version: String,
    position: Position,
    last_by: String,
    accounts: Vec<(Vec<u8>, Vec<u8>)>,
    nodes: Vec<NodeId>,
    /// The codes and epochs of all rooms.
    rooms: Vec<(Vec<u8>, Vec<u8>)>,
    account_tail: Vec<Changed>,
    history_events: u64,
}

impl Basics {
    fn ask(connection: &mut Connection, scripts: &Scripts) -> Answer<Basics> {
        let mut items = list(ask(connection, &scripts.load.command())?)?.into_iter();
        let mut next = || items.next().ok_or_else(Fault::unreadable);
        Ok(Basics {
            server: text(next()?)?,
            generation: Generation(number(next()?)?),
            accounts_version: text(next()?)?,
            position: read_position(&text(next()?)?)?,
            last_by: text(next()?)?,
            accounts: pairs(next()?)?,
            nodes: list(next()?)?.into_iter().map(|node| read_node(&bytes(node)?)).collect::<Answer<_>>()?,
            rooms: pairs(next()?)?,
            account_tail: list(next()?)?.into_iter().map(read_changed).collect::<Answer<_>>()?,
            history_events: number(next()?)?,
        })
    }
}

/// Members are named by their rooms' epochs, and those may have become others since.
fn rename_bearers((position, node, mut change): Changed, former: &HashMap<Epoch, Epoch>) -> Changed {
    if let Change::Account(account) = &mut change {
        for (epoch, _) in &mut account.bearers {
            *epoch = former.get(epoch).copied().unwrap_or(*epoch);
        }
    }
    (position, node, change)
}

fn load_rooms(
    connection: &mut Connection,
    scripts: &Scripts,
    wanted: &[(Vec<u8>, Vec<u8>)],
    rooms: &mut Vec<TailedRoom>,
) -> Answer<()> {
    let mut packed = Vec::new();
    let steps = wanted.chunks(ROOMS_AT_ONCE);
    let count = steps.len();
    for step in steps {
        let mut command = scripts.load_rooms.command();
        for (code, epoch) in step {
            command.arg(code).arg(epoch);
        }
        command.write_packed_command(&mut packed);
    }
    connection.send_packed_command(&packed)?;
    for _ in 0..count {
        let mut loaded = list(connection.recv_response()?)?.into_iter();
        let position = read_position(&text(loaded.next().ok_or_else(Fault::unreadable)?)?)?;
        for room in loaded {
            rooms.push(read_room(room, position)?);
        }
    }
    Ok(())
}

fn read_room(value: Value, position: Position) -> Answer<TailedRoom> {
    let mut items = list(value)?.into_iter();
    let mut next = || items.next().ok_or_else(Fault::unreadable);
    let code = RoomCode::parse(&text(next()?)?).ok_or_else(Fault::unreadable)?;
    let epoch = Epoch::parse(&text(next()?)?).ok_or_else(Fault::unreadable)?;
    let (fields, tail) = (list(next()?)?, list(next()?)?);
    let mut fields = fields.into_iter();
    let mut next = || fields.next().ok_or_else(Fault::unreadable);
    let version = read_version(&text(next()?)?)?.ok_or_else(Fault::unreadable)?;
    let (first_id, last_id, last_time_ms) = (number(next()?)?, number(next()?)?, number(next()?)?);
    let snapshot = match optional_bytes(next()?)? {
        Some(snapshot) => codec::read_room(&snapshot).map_err(unknown)?,
        None => unborn(code, epoch),
    };
    let snapshot_position = read_position(&text(next()?)?)?;
    let former = optional_bytes(next()?)?.unwrap_or_default();
    let former = String::from_utf8(former).map_err(|_| Fault::unreadable())?;
    let former = former.split_whitespace().map(|epoch| Epoch::parse(epoch).ok_or_else(Fault::unreadable));
    Ok(TailedRoom {
        snapshot: StoredRoom { code, epoch, first_id, last_id, last_time_ms, ..snapshot },
        snapshot_position,
        version,
        position,
        tail: tail.into_iter().map(read_changed).collect::<Answer<_>>()?,
        former: former.collect::<Answer<_>>()?,
    })
}

/// Reads a change of a tail: `POSITION NODE-NUMBER EVENT_ID` in a line, and behind it the payload.
fn read_changed(value: Value) -> Answer<Changed> {
    let value = bytes(value)?;
    let (head, payload) = split_line(&value)?;
    let mut words = head.split(' ');
    let mut word = || words.next().ok_or_else(Fault::unreadable);
    let (position, by) = (read_position(word()?)?, read_version(word()?)?.ok_or_else(Fault::unreadable)?);
    let event_id = match word()? {
        "-" => None,
        id => Some(id.parse().map_err(|_| Fault::unreadable())?),
    };
    let change = codec::read_change(payload, event_id).map_err(unknown)?;
    Ok((position, by.node, change))
}

/// A hash's fields and values.
fn pairs(value: Value) -> Answer<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut flat = list(value)?.into_iter();
    let mut pairs = Vec::with_capacity(flat.len() / 2);
    while let Some(field) = flat.next() {
        pairs.push((bytes(field)?, bytes(flat.next().ok_or_else(Fault::unreadable)?)?));
    }
    Ok(pairs)
}
