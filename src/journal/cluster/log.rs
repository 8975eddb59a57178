//! The ordered log that nodes share: what it is asked, and what it answers. Whoever keeps it is behind [`Link`].
//!
//! A log holds entries in one order that all nodes see. A change is appended only if the room is still at the version
//! against which the change was checked: so whatever is in the log is possible, and every node that applies it in this
//! order has the same rooms.

use std::fmt;

use crate::rooms::{Change, Epoch, LoadedRoom, NodeId, Notice, Page, ReadRequest, RoomCode, StoredAccount, StoredRoom};

/// Names a proposal: the numbers of one node only grow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ProposalId {
    /// Who has proposed it.
    pub node: NodeId,
    /// Which of the node's. The first is 1; 0 is what the log itself has appended for that node.
    pub number: u64,
}

/// Where an entry is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    /// The time by the clock of whoever keeps the log. Milliseconds since 1970, UTC.
    pub time_ms: u64,
    /// Which of that millisecond.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.time_ms, self.sequence)
    }
}

/// The version of a room, or of all accounts: the last change that [versions](super::Effects::is_versioned) it.
pub type Version = ProposalId;

/// How often acknowledged entries were lost: another number says that what is in the log now may not continue what was
/// there before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Generation(pub u64);

/// One entry of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Where it is.
    pub position: Position,
    /// Who has appended it.
    pub by: ProposalId,
    /// What it is.
    pub what: Logged,
}

/// What an entry holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Logged {
    /// A change of a room, or of an account.
    Change {
        /// The room's code; [`RoomCode::NONE`] for an account.
        code: RoomCode,
        /// Which life of it.
        epoch: Epoch,
        /// The number that its event was given, if it has one.
        event_id: Option<u64>,
        /// `None`: the link did not decode it, since this node has it itself.
        change: Option<Box<Change>>,
    },
    /// What a node tells the others.
    Notice(Notice),
    /// A node is one no more: it has left, or was given up since it did not renew its lease.
    NodeGone(NodeId),
    /// What a later version of the program tells, and this one does not know: only that there is an entry counts.
    Unknown,
}

/// A change that is to be appended.
#[derive(Clone, PartialEq, Debug)]
pub struct Append {
    /// The proposal's number. Those of one request grow.
    pub number: u64,
    /// The room's code.
    pub code: RoomCode,
    /// Which life of it.
    pub epoch: Epoch,
    /// The version of the room against which it was checked; `None`: the room begins with it, or it is about no room.
    pub version: Option<Version>,
    /// The version of the accounts against which it was checked; `None`: it does not depend on them.
    pub accounts_version: Option<Version>,
    /// What is to change.
    pub change: Change,
}

/// What became of a change that was to be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is in the log, or was already: the log has it or had it under this number.
    Appended,
    /// Something else came before it: its room, its code or the accounts are at another version.
    Outdated,
    /// Its author has said this message already, as this event.
    Duplicate(u64),
    /// What it amends was deleted, or is not kept any more.
    NoSuchEvent,
}

/// What the log is asked. Each is one atomic step, and is answered in the order in which it was asked, but for
/// [`Read`](Request::Read) and [`Load`](Request::Load), which have an order of their own.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// A node joins, or comes back after the connection was lost.
    Attach {
        /// Who.
        node: NodeId,
        /// The last entry that it has seen, and by whom it was.
        last: Option<(Position, ProposalId)>,
        /// Events kept of each room: the same on all nodes.
        history_events: u64,
    },
    /// Changes are to be appended, in this order.
    Append {
        /// By whom.
        node: NodeId,
        /// Of which generation the node's rooms are.
        generation: Generation,
        /// What.
        changes: Vec<Append>,
    },
    /// The others are to be told something.
    Tell {
        /// By whom.
        node: NodeId,
        /// What.
        notices: Vec<Notice>,
    },
    /// Entries after this one are to be handed over as they come, from here on.
    Follow {
        /// The last that is known.
        after: Position,
    },
    /// The node is there. Nodes that have not said so for [`LEASE_MS`] are given up.
    Renew {
        /// Who.
        node: NodeId,
    },
    /// The node is about to end.
    Leave {
        /// Who.
        node: NodeId,
    },
    /// A room, as all versions up to this one have made it.
    KeepSnapshot {
        /// The last of them.
        version: Version,
        /// The room.
        room: Box<StoredRoom>,
    },
    /// Where does the log end?
    FindEnd {
        /// Names the answer.
        question: u64,
    },
    /// All rooms and accounts.
    Load,
    /// Events of a room.
    Read(ReadRequest),
}

/// What comes from the log.
#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    /// It can be asked, from here on; nothing that was asked before is answered any more.
    Up,
    /// It cannot be reached. What was asked and not answered may have been done or not.
    Down {
        /// Why, for whoever reads the log of the program.
        reason: String,
    },
    /// To [`Request::Attach`].
    Attached(Attached),
    /// To [`Request::Append`]: what became of each, by its number; `Err`: of none of them anything.
    Appended(Result<Vec<(u64, Verdict)>, AppendFault>),
    /// To [`Request::Renew`]; `None`: the node was given up.
    Renewed(Option<Renewed>),
    /// To [`Request::KeepSnapshot`].
    SnapshotKept {
        /// Of which room.
        epoch: Epoch,
    },
    /// To the same: the log takes nothing at this time.
    SnapshotRefused {
        /// Of which room.
        epoch: Epoch,
    },
    /// To [`Request::FindEnd`].
    End {
        /// Of which question.
        question: u64,
        /// The last entry.
        position: Position,
    },
    /// To [`Request::Follow`], again and again: entries in their order. Never empty.
    Entries(Vec<Entry>),
    /// To [`Request::Follow`]: entries that should follow are not kept any more. All is to be loaded anew.
    Trimmed,
    /// To [`Request::Load`]; `None`: it cannot be read.
    Loaded(Option<Box<Loaded>>),
    /// To [`Request::Read`]; `None`: it cannot be read.
    Read {
        /// What was wanted.
        request: ReadRequest,
        /// What there is.
        page: Option<Page>,
    },
}

/// How a node stands that wanted to attach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attached {
    /// It is one of the nodes.
    Yes {
        /// Of the log.
        generation: Generation,
        /// The highest number of the node's proposals that the log has looked at, whatever became of it.
        last_number: u64,
        /// The last entry.
        end: Position,
    },
    /// It was one, and was given up: it has to come under another number.
    GivenUp,
    /// The log is kept by another program than before, and some nodes have not told yet what they have seen of it: ask
    /// again soon.
    NotYet,
    /// The others keep another number of events.
    OtherHistory(u64),
    /// It is of a format that this program does not know.
    UnknownFormat(String),
}

/// Why nothing could be appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendFault {
    /// The node was given up.
    GivenUp,
    /// The log is of another generation, or nobody knows yet of which.
    OtherGeneration,
    /// It takes nothing at this time: it is full, or its disk is, or it is about to become another's.
    Refusing(String),
}

/// What a node learns that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewed {
    /// Of the log.
    pub generation: Generation,
    /// The last entry.
    pub end: Position,
    /// How many nodes there are.
    pub nodes: usize,
}

/// All that the log knows at one time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Loaded {
    /// The generation.
    pub generation: Generation,
    /// Names that are somebody's own.
    pub accounts: Vec<StoredAccount>,
    /// As these changes have made them.
    pub accounts_version: Option<Version>,
    /// The last entry when it was begun to load: from here on entries are to be followed. The accounts are those of this
    /// very time.
    pub position: Position,
    /// By whom that entry was; `None`: there was none.
    pub last_by: Option<ProposalId>,
    /// Every room. Entries up to a room's own position are in it already.
    pub rooms: Vec<VersionedRoom>,
    /// The nodes there are.
    pub nodes: Vec<NodeId>,
}

/// A room, and how far along the log it is.
#[derive(Clone, PartialEq, Debug)]
pub struct VersionedRoom {
    /// The room.
    pub room: LoadedRoom,
    /// The last change that versions it.
    pub version: Version,
    /// The last entry that is in it.
    pub position: Position,
}

/// A node that has not renewed its lease for so long is given up by the others.
pub const LEASE_MS: u64 = 6_000;

/// So often a node renews it.
pub const RENEWAL_MS: u64 = 2_000;

/// Reaches whoever keeps the log. Never waits.
pub trait Link {
    /// Asks something. What is asked while the log cannot be reached is dropped.
    fn send(&mut self, request: Request);

    /// The answer to the [`Append`](Request::Append) that is not answered yet is waited for. Otherwise one that has nothing
    /// to tell but that all are appended need not be told before there is something else to be taken, such as the entries.
    fn hurry(&mut self) {}

    /// The next thing that has come.
    fn take(&mut self) -> Option<Response>;
}
