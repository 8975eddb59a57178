//! How everything is loaded anew, where what this node knows may not be what the others do.

use super::ClusterJournal;
use super::attaching::Stage;
use super::log::{Link, Loaded, Request};
use super::timeline::Timer;
use super::versions::Versions;
use crate::journal::Outcome;

/// Rooms that could not be loaded are tried again after this time.
const LOAD_AGAIN_MS: u64 = 500;

impl<L: Link> ClusterJournal<L> {
    /// What this node knows may not be what the others do. It comes as another, so that nothing of what it has proposed
    /// comes later, and takes in everything.
    pub(super) fn load_anew(&mut self) {
        if std::mem::replace(&mut self.standing.must_load, true) {
            return;
        }
        let is_up = self.standing.stage != Stage::Away;
        if is_up {
            self.link.send(Request::Leave { node: self.standing.node });
        }
        self.take_other_number();
        if is_up {
            self.attach();
        }
    }

    /// The entries that should follow are not kept any more.
    pub(super) fn on_trimmed(&mut self) {
        ::log::warn!(event = "log_trimmed"; "the log has gone on for too long without this node: everything is loaded anew");
        self.standing.is_following = false;
        self.load_anew();
    }

    pub(super) fn on_loaded(&mut self, loaded: Option<Box<Loaded>>) {
        let Stage::Loading { generation } = self.standing.stage else { return };
        match loaded {
            Some(loaded) if loaded.generation == generation => self.reset(*loaded),
            Some(_) => self.attach(),
            None => self.standing.ask_again = Timer::In(LOAD_AGAIN_MS),
        }
    }

    fn reset(&mut self, loaded: Loaded) {
        self.pending.clear();
        self.reads.clear();
        self.snapshots_due.clear();
        self.snapshots_asked.clear();
        self.ends.give_up();
        self.ends.wanted.is_end_of_loading = true;
        self.knows_end_of_loading = false;
        self.versions = Versions::from(&loaded);
        self.inbox.retain(|entry| entry.position > loaded.position);
        let standing = &mut self.standing;
        standing.generation = loaded.generation;
        standing.position = loaded.position;
        // Where entries were received behind that, they follow it without a gap.
        if self.inbox.is_empty() || !standing.is_following {
            self.inbox.clear();
            standing.received = loaded.last_by.map(|by| (loaded.position, by));
        }
        standing.must_load = false;
        standing.is_renamed = false;
        standing.stage = Stage::Attached;
        self.follow();
        self.meters.resets.inc();
        // Whatever else was to be told is of rooms that are no more.
        self.outcomes.clear();
        let rooms = loaded.rooms.into_iter().map(|room| room.room).collect();
        let (node, accounts, nodes) = (self.standing.node, loaded.accounts, loaded.nodes);
        self.outcomes.push(Outcome::Reset { node, accounts, rooms, nodes });
    }
}
