//! Rooms as the log keeps them: a snapshot, and what has changed since, in the rooms and of accounts.

use std::collections::{BTreeSet, HashMap};

use crate::journal::cluster::Effects;
use crate::journal::cluster::log::{Position, Version, VersionedRoom};
use crate::rooms::{AccountId, AuthorId, Change, Epoch, LoadedRoom, NodeId, RoomCode, RoomRules, StoredRoom};

/// What has changed, where in the log, and by which node.
pub(super) type Changed = (Position, NodeId, Change);

/// A room as it is kept.
pub(super) struct TailedRoom {
    pub snapshot: StoredRoom,
    /// Where the last change is that is in it.
    pub snapshot_position: Position,
    pub version: Version,
    /// Up to where the tail goes.
    pub position: Position,
    pub tail: Vec<Changed>,
    /// Its epochs of former generations.
    pub former: Vec<Epoch>,
}

impl TailedRoom {
    /// What has happened to accounts changes who bears their names, and stands among the room's own changes.
    pub fn merge(self, account_tail: &AccountTail, position: Position) -> VersionedRoom {
        let of_accounts: Vec<Changed> =
            account_tail.of_room(&self.snapshot, &self.tail, self.snapshot_position).cloned().collect();
        let mut changes = self.tail;
        let count = changes.len();
        changes.extend(of_accounts);
        if changes.len() > count {
            changes.sort_by_key(|(position, ..)| *position);
        }
        let changes = changes.into_iter().map(|(_, node, change)| (node, change)).collect();
        let room = LoadedRoom { snapshot: self.snapshot, changes, former_epochs: self.former };
        VersionedRoom { room, version: self.version, position }
    }
}

/// A room before its first change.
pub(super) fn unborn(code: RoomCode, epoch: Epoch) -> StoredRoom {
    StoredRoom {
        code,
        epoch,
        first_id: 1,
        last_id: 0,
        last_time_ms: 0,
        last_author: AuthorId::default(),
        files: Vec::new(),
        members: Vec::new(),
        left: Vec::new(),
        rules: RoomRules::default(),
    }
}

/// What has happened to accounts, found by what it is about: few of a room's members bear an account's name.
pub(super) struct AccountTail {
    changed: Vec<Changed>,
    by_account: HashMap<AccountId, Vec<usize>>,
    /// Accounts whose changes name members of these rooms.
    by_epoch: HashMap<Epoch, Vec<AccountId>>,
}

impl AccountTail {
    pub fn new(changed: Vec<Changed>) -> AccountTail {
        let (mut by_account, mut by_epoch) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (place, (.., change)) in changed.iter().enumerate() {
            if let Change::Account(change) = change {
                by_account.entry(change.account).or_default().push(place);
                change.bearers.iter().for_each(|(epoch, _)| by_epoch.entry(*epoch).or_default().push(change.account));
            }
        }
        AccountTail { changed, by_account, by_epoch }
    }

    /// What has happened, behind this position, to accounts whose names anybody bears or bore in a room.
    fn of_room(&self, snapshot: &StoredRoom, tail: &[Changed], behind: Position) -> impl Iterator<Item = &Changed> {
        let in_tail = tail.iter().filter_map(|(.., change)| Effects::of(change).bears);
        let named = self.by_epoch.get(&snapshot.epoch).into_iter().flatten().copied();
        let borne: BTreeSet<AccountId> =
            snapshot.members.iter().filter_map(|member| member.account).chain(in_tail).chain(named).collect();
        let places = borne.into_iter().filter_map(|account| self.by_account.get(&account)).flatten();
        places.map(|place| &self.changed[*place]).filter(move |(position, ..)| *position > behind)
    }
}
