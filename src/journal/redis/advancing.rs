//! Rooms that were loaded one after the other, brought to one time by what came into the log meanwhile.

use std::collections::HashMap;

use redis::{Connection, cmd};

use super::connecting::ask;
use super::entries::{read_entries, read_position};
use super::faults::{Answer, optional_text};
use super::scripts::{LOG, META};
use super::tailed::{Changed, TailedRoom, unborn};
use crate::journal::cluster::Effects;
use crate::journal::cluster::codec;
use crate::journal::cluster::log::{Entry, Logged, Position};
use crate::rooms::{AccountAction, Change, Epoch, NodeId, PasswordHash};

/// So many entries are read at once.
const MOST_ENTRIES: usize = 1000;

/// Rooms, each as far along the log as it is, and what has happened to accounts.
pub(super) struct Advanced {
    rooms: HashMap<Epoch, TailedRoom>,
    account_tail: Vec<Changed>,
    history_events: u64,
}

impl Advanced {
    pub fn new(rooms: Vec<TailedRoom>, account_tail: Vec<Changed>, history_events: u64) -> Advanced {
        let rooms = rooms.into_iter().map(|room| (room.snapshot.epoch, room)).collect();
        Advanced { rooms, account_tail, history_events }
    }

    /// Takes in what is behind the first position, up to the second. Returns whether all of it was there.
    pub fn advance(&mut self, connection: &mut Connection, mut after: Position, until: Position) -> Answer<bool> {
        let begun = after;
        if begun == until {
            return Ok(true);
        }
        while after < until {
            let mut read = cmd("XREAD");
            read.arg("COUNT").arg(MOST_ENTRIES).arg("STREAMS").arg(LOG).arg(after.to_string());
            // Whoever loads knows nothing of its own.
            let (entries, last) = read_entries(ask(connection, &read)?, NodeId::ALONE)?;
            let Some(last) = last else { return Ok(false) };
            entries.into_iter().filter(|entry| entry.position <= until).for_each(|entry| self.take_in(entry));
            after = last;
        }
        let trimmed = optional_text(ask(connection, cmd("HGET").arg(META).arg("trimmed"))?)?;
        let trimmed = trimmed.map(|trimmed| read_position(&trimmed)).transpose()?;
        Ok(trimmed.is_none_or(|trimmed| trimmed <= begun))
    }

    fn take_in(&mut self, entry: Entry) {
        let Entry { position, by, what } = entry;
        let Logged::Change { code, epoch, event_id, change: Some(change) } = what else { return };
        let effects = Effects::of(&change);
        if effects.is_of_account {
            self.account_tail.extend(without_hash(*change).map(|change| (position, by.node, change)));
            return;
        }
        if effects.opens {
            // It is at this very change, and has nothing of it yet.
            let before = Position::default();
            let (snapshot, tail, former) = (unborn(code, epoch), Vec::new(), Vec::new());
            let opened =
                TailedRoom { snapshot, snapshot_position: position, version: by, position: before, tail, former };
            self.rooms.entry(epoch).or_insert(opened);
        }
        let Some(room) = self.rooms.get_mut(&epoch).filter(|room| room.position < position) else { return };
        if effects.ends {
            self.rooms.remove(&epoch);
            return;
        }
        room.position = position;
        let snapshot = &mut room.snapshot;
        if let Some(id) = event_id {
            snapshot.last_id = id;
            snapshot.first_id = snapshot.first_id.max((id + 1).saturating_sub(self.history_events));
        }
        if let Some(time_ms) = codec::time_ms(&change) {
            snapshot.last_time_ms = time_ms;
        }
        if effects.is_versioned {
            room.version = by;
            room.tail.push((position, by.node, *change));
        }
    }

    /// The rooms there are, and what has happened to accounts.
    pub fn finish(self) -> (Vec<TailedRoom>, Vec<Changed>) {
        (self.rooms.into_values().collect(), self.account_tail)
    }
}

/// What concerns rooms of a change of an account, as it is kept for them; `None`: nothing does.
fn without_hash(mut change: Change) -> Option<Change> {
    let Change::Account(of_account) = &mut change else { return None };
    match &mut of_account.action {
        AccountAction::Add { hash, .. } => *hash = None,
        AccountAction::SetPassword(hash) => *hash = PasswordHash::new(""),
        AccountAction::Remove => (),
        AccountAction::Nothing => return None,
    }
    Some(change)
}
