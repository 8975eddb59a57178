//! How this node is one of the nodes: attached, given up and come again, about to leave.

use super::ClusterJournal;
use super::log::{Attached, Generation, LEASE_MS, Link, Loaded, Position, ProposalId, RENEWAL_MS, Renewed, Request};
use super::timeline::Timer;
use crate::journal::Outcome;
use crate::rooms::NodeId;

/// Whoever was told that it cannot be told yet asks again after this time.
const ASK_AGAIN_MS: u64 = 200;

/// A node that has gone by itself need not be told of later than this.
const FORMER_NODES: usize = 16;

/// How this node stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// The log cannot be reached.
    Away,
    /// It was asked to be one of the nodes.
    Attaching,
    /// It is one, and reads what it has missed.
    CatchingUp { end: Position, last_number: u64 },
    /// It is one, and knows nothing until everything is loaded.
    Loading { generation: Generation },
    /// It is one, and knows all.
    Attached,
}

/// Whether this node is about to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Leaving {
    #[default]
    No,
    /// Once what was proposed is sent.
    Wanted,
    /// The log was told.
    Told,
    Done,
}

/// This node, as the log knows it.
pub(super) struct Standing {
    pub node: NodeId,
    /// What it was called before, as far as the log may still tell of that.
    pub former: Vec<NodeId>,
    pub generation: Generation,
    pub stage: Stage,
    /// The last entry that was received.
    pub received: Option<(Position, ProposalId)>,
    /// The last entry that was taken in.
    pub position: Position,
    /// Entries are handed over on this connection.
    pub is_following: bool,
    /// It has another number than the rooms know.
    pub is_renamed: bool,
    /// What it knows is not to be relied on.
    pub must_load: bool,
    pub leaving: Leaving,
    /// Since when it is not attached.
    pub unattached_since_ms: Option<u64>,
    pub ask_again: Timer,
    pub renewal: Timer,
}

impl Standing {
    pub fn new(node: NodeId, loaded: &Loaded) -> Standing {
        Standing {
            node,
            former: Vec::new(),
            generation: loaded.generation,
            stage: Stage::Attached,
            received: loaded.last_by.map(|by| (loaded.position, by)),
            position: loaded.position,
            is_following: false,
            is_renamed: false,
            must_load: false,
            leaving: Leaving::No,
            unattached_since_ms: None,
            ask_again: Timer::Off,
            renewal: Timer::In(0),
        }
    }

    pub fn is_attached(&self) -> bool {
        self.stage == Stage::Attached
    }

    /// Whether it is one of the nodes, as far as it knows.
    pub fn is_known(&self) -> bool {
        matches!(self.stage, Stage::Attached | Stage::CatchingUp { .. } | Stage::Loading { .. })
    }

    /// Whether entries of this node are this program's own.
    pub fn is_own(&self, node: NodeId) -> bool {
        node == self.node || self.former.contains(&node)
    }
}

impl<L: Link> ClusterJournal<L> {
    pub(super) fn attach(&mut self) {
        let standing = &mut self.standing;
        standing.stage = Stage::Attaching;
        standing.ask_again = Timer::Off;
        standing.renewal = Timer::Off;
        // Who is to forget everything has seen nothing that counts.
        let last = standing.received.filter(|_| !standing.must_load);
        self.link.send(Request::Attach { node: standing.node, last, history_events: self.history_events });
    }

    pub(super) fn on_up(&mut self) {
        self.standing.is_following = false;
        self.forget_asked();
        if self.is_leaving() {
            return;
        }
        self.attach();
    }

    pub(super) fn on_down(&mut self) {
        self.standing.stage = Stage::Away;
        self.standing.is_following = false;
        self.standing.ask_again = Timer::Off;
        self.standing.renewal = Timer::Off;
        if self.standing.leaving != Leaving::No {
            self.standing.leaving = Leaving::Done;
        }
        self.forget_asked();
    }

    /// What was asked is answered no more. What becomes of what was to be appended is told by the next attaching.
    fn forget_asked(&mut self) {
        self.is_unanswered = false;
        self.snapshots_due.append(&mut self.snapshots_asked);
        let syncs = self.ends.give_up();
        syncs.into_iter().for_each(|sync| self.outcomes.push(Outcome::NotSynced(sync)));
    }

    pub(super) fn on_attached(&mut self, attached: Attached) {
        if self.standing.stage != Stage::Attaching {
            return;
        }
        match attached {
            Attached::Yes { generation, last_number, end } => self.on_admitted(generation, last_number, end),
            Attached::GivenUp => self.come_again(),
            Attached::NotYet => self.standing.ask_again = Timer::In(ASK_AGAIN_MS),
            Attached::OtherHistory(events) => {
                let own = self.history_events;
                self.break_off(format!(
                    "the nodes of the log keep {events} events of a room, and this one was told to keep {own}: \
                     start it with --history {events}"
                ));
            }
            Attached::UnknownFormat(format) => self.break_off(format!(
                "the log is of the format {format}, which this version does not know: use the version that the other \
                 nodes have"
            )),
        }
    }

    fn break_off(&mut self, sentence: String) {
        self.outcomes.push(Outcome::Broken(sentence));
    }

    fn on_admitted(&mut self, generation: Generation, last_number: u64, end: Position) {
        self.standing.renewal = Timer::In(RENEWAL_MS);
        if self.standing.must_load {
            self.standing.stage = Stage::Loading { generation };
            return self.link.send(Request::Load);
        }
        if generation != self.standing.generation {
            ::log::warn!(event = "other_generation"; "the log may have lost entries: everything is loaded anew");
            return self.load_anew();
        }
        self.follow();
        // Only from here on what is read is of this log.
        let reads: Vec<_> = self.reads.all().cloned().collect();
        reads.into_iter().for_each(|request| self.link.send(Request::Read(request)));
        self.standing.stage = Stage::CatchingUp { end, last_number };
        self.note_caught_up();
    }

    pub(super) fn follow(&mut self) {
        if !std::mem::replace(&mut self.standing.is_following, true) {
            let after = self.standing.received.map_or(self.standing.position, |(position, _)| position);
            self.link.send(Request::Follow { after });
        }
    }

    /// Entries have been taken in: perhaps all that were there when this node was attached.
    pub(super) fn note_caught_up(&mut self) {
        let Stage::CatchingUp { end, last_number } = self.standing.stage else { return };
        if self.standing.position < end {
            return;
        }
        let standing = &mut self.standing;
        standing.stage = Stage::Attached;
        let is_renamed = std::mem::take(&mut standing.is_renamed);
        if is_renamed {
            self.outcomes.push(Outcome::Renamed(self.standing.node));
        }
        // Whatever is not in the log that was sent under another number will never be.
        let last_number = if is_renamed { u64::MAX } else { last_number };
        self.pending.resolve_sent(last_number, &mut self.outcomes);
    }

    /// The others have given this node up: it comes again as another.
    pub(super) fn on_given_up(&mut self) {
        if self.standing.is_known() && !self.is_leaving() {
            self.come_again();
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.standing.leaving, Leaving::Told | Leaving::Done)
    }

    fn come_again(&mut self) {
        ::log::warn!(event = "given_up"; "the other nodes have given this one up, since it was not heard of for {LEASE_MS} ms");
        self.take_other_number();
        self.attach();
    }

    pub(super) fn take_other_number(&mut self) {
        let node = NodeId::random(&mut self.random);
        let former = std::mem::replace(&mut self.standing.node, node);
        self.standing.former.push(former);
        if self.standing.former.len() > FORMER_NODES {
            self.standing.former.remove(0);
        }
        self.standing.is_renamed = true;
        self.is_unanswered = false;
    }

    // ---- while time passes

    pub(super) fn keep_standing(&mut self) {
        let now_ms = self.now.steady_ms;
        if self.standing.is_attached() {
            self.standing.unattached_since_ms = None;
        } else {
            self.standing.unattached_since_ms.get_or_insert(now_ms);
        }
        if self.standing.ask_again.take_due(now_ms) {
            match self.standing.stage {
                Stage::Attaching => self.attach(),
                Stage::Loading { .. } => self.link.send(Request::Load),
                Stage::Away | Stage::CatchingUp { .. } | Stage::Attached => (),
            }
        }
        if self.standing.is_known() && !self.is_leaving() && self.standing.renewal.take_due(now_ms) {
            self.standing.renewal = Timer::At(now_ms + RENEWAL_MS);
            self.link.send(Request::Renew { node: self.standing.node });
        }
        if self.standing.leaving == Leaving::Wanted && !self.is_unanswered && !self.pending.has_unsent() {
            self.standing.leaving = if self.standing.is_attached() { Leaving::Told } else { Leaving::Done };
            if self.standing.is_attached() {
                self.link.send(Request::Leave { node: self.standing.node });
            }
        }
    }

    pub(super) fn on_renewed(&mut self, renewed: Option<Renewed>) {
        let Some(renewed) = renewed else { return self.on_given_up() };
        self.meters.nodes.store(renewed.nodes as u64, std::sync::atomic::Ordering::Relaxed);
        if self.standing.is_attached() && renewed.generation != self.standing.generation {
            self.load_anew();
        }
    }
}
