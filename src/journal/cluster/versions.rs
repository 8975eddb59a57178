//! At which version every room is, as of the outcomes that were taken, and how much the log has to keep of it.

use hashbrown::HashMap;

use super::log::{Loaded, Position, Version};
use crate::rooms::{Body, Change, Epoch};

/// With so many changes since its last snapshot a room is handed over again.
const TAIL_CHANGES: u32 = 64;

/// A room with many members has so many times as many members as that.
const TAIL_PART: u32 = 4;

/// The versions of all rooms, and of the accounts.
#[derive(Default)]
pub(super) struct Versions {
    rooms: HashMap<Epoch, Known>,
    pub accounts: Option<Version>,
    /// Entries up to this one may be in some room already.
    loaded_until: Position,
}

struct Known {
    version: Version,
    /// Entries up to this one are in it already.
    loaded: Position,
    /// Changes since its last snapshot, as far as this node knows.
    tail: u32,
    /// Members with a place.
    members: u32,
}

impl Versions {
    pub fn of(&self, epoch: Epoch) -> Option<Version> {
        if epoch == Epoch::NONE { self.accounts } else { self.rooms.get(&epoch).map(|known| known.version) }
    }

    /// Whether there is such a room.
    pub fn has(&self, epoch: Epoch) -> bool {
        self.rooms.contains_key(&epoch)
    }

    /// Whether the room was loaded with this entry in it.
    pub fn has_taken_in(&self, epoch: Epoch, position: Position) -> bool {
        position <= self.loaded_until && self.rooms.get(&epoch).is_some_and(|known| position <= known.loaded)
    }

    /// A change that makes a version is committed. Returns whether the log keeps so many that a snapshot is due.
    pub fn note(&mut self, epoch: Epoch, change: &Change, version: Version) -> bool {
        if epoch == Epoch::NONE {
            self.accounts = Some(version);
            return false;
        }
        if matches!(change, Change::End) {
            self.rooms.remove(&epoch);
            return false;
        }
        let new = || Known { version, loaded: Position::default(), tail: 0, members: 0 };
        let known = self.rooms.entry(epoch).or_insert_with(new);
        known.version = version;
        known.count(change);
        let is_due = known.tail > TAIL_CHANGES.max(known.members / TAIL_PART) || deletes(change);
        if is_due {
            // Whoever has proposed it hands the room over.
            known.tail = 0;
        }
        is_due
    }
}

impl Known {
    fn count(&mut self, change: &Change) {
        self.tail += 1;
        match change {
            Change::Place { .. } | Change::Enter { takes_place: Some(_), .. } => self.members += 1,
            Change::Vacate { .. } => self.members = self.members.saturating_sub(1),
            Change::Moderate(measure) if measure.kicked().is_some() => self.members = self.members.saturating_sub(1),
            _ => (),
        }
    }
}

/// What was deleted is not to be in the log much longer.
fn deletes(change: &Change) -> bool {
    change.event().is_some_and(|event| matches!(event.body, Body::Delete { .. }))
}

impl From<&Loaded> for Versions {
    fn from(loaded: &Loaded) -> Versions {
        let rooms = loaded.rooms.iter().map(|room| {
            let snapshot = &room.room.snapshot;
            let members = snapshot.members.iter().filter(|member| member.is_placed).count() as u32;
            let mut known = Known { version: room.version, loaded: room.position, tail: 0, members };
            room.room.changes.iter().for_each(|(_, change)| known.count(change));
            (snapshot.epoch, known)
        });
        let loaded_until = loaded.rooms.iter().map(|room| room.position).max().unwrap_or_default();
        Versions { rooms: rooms.collect(), accounts: loaded.accounts_version, loaded_until }
    }
}
