//! What the journal is handed: a change that is proposed, and what follows on this node once it is committed.
//!
//! A change says by stable ids (code, epoch, author) what is to become of a room. It is ordered and made durable by
//! the journal, and applied when it comes back, by [`RoomState::apply`](super::state::RoomState::apply): the same on
//! every node that is handed the same changes in the same order.

use super::command::{Command, ConnectionId, Membership, Reply, Share};
use super::{
    AccountChange, AccountId, Address, AuthorId, Ban, Body, EncoderId, Epoch, Event, KeyHash, MessageKey, ModeChange,
    Name, NodeId, RoomCode, RoomKey, RoomRules, SearchQuery, SharedFile, ShortTokenHash, Token, TokenHash, Via,
};

/// A change on its way to the journal and back to the rooms.
#[derive(Debug)]
pub struct Proposal {
    /// The code of the room that it is about.
    pub code: RoomCode,
    /// Which life of that code: distinguishes the room from every other that ever was.
    pub epoch: Epoch,
    /// What is to change.
    pub change: Change,
    /// The node that has proposed it.
    pub by: NodeId,
    /// Against what it was checked.
    pub checked: Checked,
    /// Which of this node's of its room.
    pub(super) serial: u32,
    pub(super) on_commit: OnCommit,
    /// This node has proposed it.
    pub(super) is_own: bool,
    /// It brings somebody in, and relies on nothing that is not committed yet.
    pub(super) stands_alone: bool,
    /// The place that it takes was given early, by [`take_early`](Proposal::take_early).
    pub(super) is_placed: bool,
    /// It is what was [taken early](Proposal::take_early) of another.
    pub(super) is_early: bool,
}

/// Against what a proposal was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checked {
    /// Against what was committed and proposed when it was proposed.
    Once,
    /// It was [outdated](crate::rooms::Rooms::reconsider), and is possible all the same: it goes before what was proposed of
    /// its room later.
    Again,
    /// It was outdated, and relies on others of this node that are not committed yet: it is to be checked again when they
    /// are. What was proposed of its room later waits as well.
    NotYet,
}

/// What is to change in a room.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// A room begins, with nobody in it.
    Open {
        /// Milliseconds since 1970, UTC.
        time_ms: u64,
    },
    /// A place is kept for somebody who has not come in yet.
    Place {
        /// The room begins with this.
        opens: bool,
        /// Who it is for.
        newcomer: Newcomer,
        /// Somebody who was in the room before, under this number.
        returns: bool,
        /// Milliseconds since 1970, UTC.
        time_ms: u64,
    },
    /// Somebody comes in: the room's next event.
    Enter {
        /// The room begins with this.
        opens: bool,
        /// The secret of one who takes a place with this; `None`: the author has one already.
        takes_place: Option<TokenHash>,
        /// The account whose name it bears by right, if it takes a place with this.
        account: Option<AccountId>,
        /// Somebody who was in the room before, under this number.
        returns: bool,
        /// With its place it becomes an operator, since the room has none.
        becomes_operator: bool,
        /// The event: [`Body::Enter`].
        event: Event,
    },
    /// Something is said or done by a member, and needs no operator: the room's next event, such as [`Body::Message`] or
    /// [`Body::Nick`].
    Publish {
        /// The event. Its id is 0 until the journal or the room gives it one.
        event: Event,
    },
    /// Somebody without a place shares a file: the room's next event. Its author has a number that nobody had before, and
    /// that is nobody's later.
    PublishOfGuest {
        /// The event: [`Body::Message`].
        event: Event,
    },
    /// An operator keeps order. Boxed, since it is big and rare.
    Moderate(Box<Measure>),
    /// A member is connected in another way from here on.
    Reconnect {
        /// Who.
        author: AuthorId,
        /// How.
        via: Via,
    },
    /// A member bears an account's name by right from here on.
    Identify {
        /// Who.
        author: AuthorId,
        /// Whose name it is.
        account: AccountId,
        /// It has come without its secret, and this is its new one.
        token: Option<TokenHash>,
    },
    /// The ban of this name keeps out this address as well: only the node at which somebody is connected knows from
    /// where.
    CompleteBan {
        /// The ban's.
        name: Name,
        /// From where it was connected.
        address: Address,
    },
    /// A member's place is free again.
    Vacate {
        /// Whose.
        author: AuthorId,
        /// The room's next event, [`Body::Part`], if the room had been told that the member came.
        event: Option<Event>,
        /// Its secret still tells who it was.
        may_return: bool,
        /// Milliseconds since 1970, UTC.
        time_ms: u64,
    },
    /// The room is over, with all it held. Only if nobody has a place in it.
    End,
    /// Something happens to an account: in no room, or in all of them.
    Account(Box<AccountChange>),
    /// Nothing: only the order counts, and what follows.
    Nothing,
}

/// Somebody who takes a place.
#[derive(Clone, PartialEq, Debug)]
pub struct Newcomer {
    /// Who it is for the room: a number that nobody had before, or the own one of somebody who comes back.
    pub author: AuthorId,
    /// The hash of the secret by which it comes back.
    pub token: TokenHash,
    /// What it is called.
    pub name: Name,
    /// How it is connected.
    pub via: Via,
    /// The account whose name it bears by right.
    pub account: Option<AccountId>,
    /// It becomes an operator, since the room has none.
    pub becomes_operator: bool,
}

/// What an operator does.
#[derive(Clone, PartialEq, Debug)]
pub struct Measure {
    /// The room's next event, [`Body::Topic`], [`Body::Mode`], [`Body::Kick`], or the [`Body::Delete`] of what somebody
    /// else has said. Its author is the operator. Who is kicked loses its place, and its secret is forgotten.
    pub event: Event,
    /// The one whom it concerns, if it is somebody whom the room knows, or knew when it was muted.
    pub target: Option<AuthorId>,
    /// Who is kept out from here on: with a ban, and with the kick that comes with one.
    pub ban: Option<Ban>,
    /// Of the key that the room has from here on ([`ModeChange::Key`](super::ModeChange::Key)).
    pub key: Option<KeyHash>,
    /// The account by whose name the operator is one everywhere, if it bears such a name.
    pub as_admin: Option<AccountId>,
}

impl Measure {
    /// The member that loses its place by it.
    pub fn kicked(&self) -> Option<AuthorId> {
        self.target.filter(|_| matches!(self.event.body, Body::Kick { .. }))
    }
}

impl Change {
    /// Who takes a place with this change, if anybody does.
    pub fn newcomer(&self) -> Option<Newcomer> {
        match self {
            Change::Place { newcomer, .. } => Some(newcomer.clone()),
            Change::Enter { takes_place: Some(token), account, becomes_operator, event, .. } => {
                let Event { author, name, via, .. } = event;
                let (author, via, account, becomes_operator) = (*author, *via, *account, *becomes_operator);
                Some(Newcomer { author, token: *token, name: name.clone(), via, account, becomes_operator })
            }
            _ => None,
        }
    }

    /// The room's next event, if the change has one.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Change::Enter { event, .. } | Change::Publish { event } | Change::PublishOfGuest { event } => Some(event),
            Change::Vacate { event, .. } => event.as_ref(),
            Change::Moderate(measure) => Some(&measure.event),
            Change::Open { .. }
            | Change::Place { .. }
            | Change::Reconnect { .. }
            | Change::Identify { .. }
            | Change::CompleteBan { .. }
            | Change::End
            | Change::Account(_)
            | Change::Nothing => None,
        }
    }

    /// The same, to be numbered.
    pub fn event_mut(&mut self) -> Option<&mut Event> {
        match self {
            Change::Enter { event, .. } | Change::Publish { event } | Change::PublishOfGuest { event } => Some(event),
            Change::Vacate { event, .. } => event.as_mut(),
            Change::Moderate(measure) => Some(&mut measure.event),
            Change::Open { .. }
            | Change::Place { .. }
            | Change::Reconnect { .. }
            | Change::Identify { .. }
            | Change::CompleteBan { .. }
            | Change::End
            | Change::Account(_)
            | Change::Nothing => None,
        }
    }

    /// Who is no operator any more by this change, if it is about that.
    pub(super) fn deopped(&self) -> Option<AuthorId> {
        let Change::Moderate(measure) = self else { return None };
        measure.target.filter(|_| matches!(measure.event.body, Body::Mode { change: ModeChange::Deop(_) }))
    }

    /// The ban that this change tells everybody of, and the operator whose it is.
    pub(super) fn ban(&self) -> Option<(AuthorId, &Ban)> {
        let Change::Moderate(measure) = self else { return None };
        let ban = measure.ban.as_ref()?;
        matches!(measure.event.body, Body::Mode { .. }).then_some((measure.event.author, ban))
    }

    /// Whether the room begins with this change.
    pub fn opens(&self) -> bool {
        matches!(self, Change::Open { .. } | Change::Place { opens: true, .. } | Change::Enter { opens: true, .. })
    }

    /// The client's own id of the message that this is, if it has one.
    pub(super) fn message_key(&self) -> Option<(AuthorId, &MessageKey)> {
        match self {
            Change::Publish { event } => event.message_key(),
            _ => None,
        }
    }
}

/// What follows on the node that proposed a change, once it is committed.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum OnCommit {
    Nothing,
    /// A connection reads the room as this member from here on, and is answered `Joined`.
    Subscribe(AuthorId, Box<Joining>),
    /// A connection is told that its file is shared, as the room's last event.
    TellShared(ConnectionId, Box<(Share, SharedFile)>),
    /// A member that has not connected yet keeps its place until then; a connection gets its answer.
    KeepPlace {
        author: AuthorId,
        until_ms: u64,
        connection: ConnectionId,
        reserving: Box<Reserving>,
    },
    /// A connection gets its answer.
    Answer(ConnectionId, Reply),
    /// Nothing; but if it comes to nothing, the refusal names this.
    NothingUnder(MessageKey),
    /// A connection's command goes on.
    Resume(ConnectionId, Box<Command>),
    /// Nobody has asked for it, so nobody is told if nothing comes of it.
    Unasked,
    /// Nothing; but it relies on this connection's having shown whose account is its own.
    NothingProven(ConnectionId),
    /// The same, of the handing over of a room to another operator than this one.
    HandOver(Option<AuthorId>),
}

/// A connection that waits for a place to be kept, for whoever comes with the secret that it is told.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reserving {
    /// Its answer.
    pub reply: Reply,
    /// The room's key, if it has shown one.
    pub key: Option<RoomKey>,
}

/// A connection that waits to be subscribed.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Joining {
    pub connection: ConnectionId,
    pub address: Address,
    pub encoder: EncoderId,
    pub stays_elsewhere: bool,
    /// The memberships that it gives up for this one, once it has it.
    pub leaves: Vec<Membership>,
    /// The secret that the member showed, or was given: the room knows its hash only.
    pub token: Token,
    /// What it wants to be called, if it says so.
    pub name: Option<Name>,
    /// It may have shown the room's key.
    pub key: Option<RoomKey>,
    /// The last id that the client has, and of which life of this code, if it says so.
    pub since: Option<u64>,
    pub epoch: Option<Epoch>,
    pub created: bool,
    /// It was in the room before, and may say again what it said then.
    pub has_returned: bool,
    /// What it missed, where memory may have released it when the change is committed.
    pub page: Vec<Event>,
    /// The room's last event when that was taken: it is as those up to this one have made it.
    pub page_as_of: u64,
}

impl Proposal {
    /// A change that nothing follows on this node.
    pub fn new(code: RoomCode, epoch: Epoch, change: Change) -> Proposal {
        let on_commit = OnCommit::Nothing;
        Proposal {
            code,
            epoch,
            change,
            by: NodeId::ALONE,
            checked: Checked::Once,
            serial: 0,
            on_commit,
            is_own: false,
            stands_alone: false,
            is_placed: false,
            is_early: false,
        }
    }

    /// The same, as this node has proposed it.
    pub fn proposed_by(self, node: NodeId) -> Proposal {
        Proposal { by: node, ..self }
    }

    /// A change of an account: it names no room.
    pub fn of_account(change: AccountChange) -> Proposal {
        Proposal::new(RoomCode::NONE, Epoch::NONE, Change::Account(Box::new(change)))
    }

    /// Whether its sender can be told that it was not stored, as if it had never been. Others say who is gone and under
    /// which name somebody goes on: those are true whether they are stored or not, and what comes after them relies on
    /// them. And whoever comes may have a place [early](Self::take_early), unless that relies on something else.
    pub fn is_refusable(&self) -> bool {
        match &self.change {
            Change::Open { .. } | Change::Account(_) | Change::PublishOfGuest { .. } => true,
            Change::Place { .. } | Change::Enter { .. } => !self.stands_alone,
            Change::Publish { event } => matches!(event.body, Body::Message { .. }) || event.body.amends().is_some(),
            // Who comes after somebody was kicked may have its name.
            Change::Moderate(measure) => measure.kicked().is_none(),
            Change::Reconnect { .. }
            | Change::Identify { .. }
            | Change::CompleteBan { .. }
            | Change::Vacate { .. }
            | Change::End
            | Change::Nothing => false,
        }
    }

    /// Where the change itself has to wait, since it cannot be stored yet: takes out what need not wait with it, to be
    /// committed at once. Somebody who comes has a place and may read; the others are told once it is stored.
    pub fn take_early(&mut self) -> Option<Proposal> {
        let place = match &self.change {
            _ if self.is_placed => None,
            Change::Enter { returns, event, .. } => self.change.newcomer().map(|newcomer| Change::Place {
                opens: false,
                newcomer,
                returns: *returns,
                time_ms: event.time_ms,
            }),
            Change::Place { .. } => Some(self.change.clone()),
            _ => None,
        };
        let on_commit = std::mem::replace(&mut self.on_commit, OnCommit::Nothing);
        if place.is_none() && on_commit == OnCommit::Nothing {
            return None;
        }
        self.is_placed |= place.is_some();
        let (code, epoch, change) = (self.code, self.epoch, place.unwrap_or(Change::Nothing));
        Some(Proposal { on_commit, by: self.by, is_early: true, ..Proposal::new(code, epoch, change) })
    }

    /// What of the change is left to be committed, if some was committed early.
    pub fn remaining(&self) -> Change {
        Proposal::remaining_of(self.change.clone(), self.is_placed)
    }

    pub(super) fn remaining_of(change: Change, is_placed: bool) -> Change {
        match change {
            Change::Place { .. } if is_placed => Change::Nothing,
            Change::Enter { opens, returns, event, .. } if is_placed => {
                let (takes_place, account, becomes_operator) = (None, None, false);
                Change::Enter { opens, takes_place, account, returns, becomes_operator, event }
            }
            change => change,
        }
    }
}

/// A room as a journal remembers it from an earlier run.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredRoom {
    /// The code by which it is found.
    pub code: RoomCode,
    /// The tag of its ids.
    pub epoch: Epoch,
    /// The id of the first event that is still there; of the next one, if none is.
    pub first_id: u64,
    /// The id of its last event; 0 before the first.
    pub last_id: u64,
    /// The time of its beginning, its last event or the last place that was given up, whichever was last.
    /// Milliseconds since 1970, UTC.
    pub last_time_ms: u64,
    /// The highest number that anybody had in it.
    pub last_author: AuthorId,
    /// The files that were shared in it and not deleted, and the events by which they were.
    pub files: Vec<(u64, SharedFile)>,
    /// Everybody whose secret it knows.
    pub members: Vec<StoredMember>,
    /// Those who left for good, the one who left first first.
    pub left: Vec<Left>,
    /// What operators have made of it, and who they are.
    pub rules: RoomRules,
}

/// A room as a log of changes remembers it: a snapshot, and what has changed since.
#[derive(Clone, PartialEq, Debug)]
pub struct LoadedRoom {
    /// As it was once, but for its first and last id and its last time, which are those of now.
    pub snapshot: StoredRoom,
    /// The changes since then that changed more than what was said, in their order, each with the node that proposed it.
    /// Events have the ids that they were given. Changes of accounts are among them, where they say who bears the account's
    /// name in this room, or where anybody in it bears or bore it.
    pub changes: Vec<(NodeId, Change)>,
    /// Its epochs of former generations of the log: by one of them its key may have been set.
    pub former_epochs: Vec<Epoch>,
}

/// Names a wait for everything that was committed anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SyncId(pub u64);

/// Somebody whose secret a stored room knows.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredMember {
    /// Who it is, for the room.
    pub author: AuthorId,
    /// The hash of the secret by which it comes back.
    pub token: TokenHash,
    /// What it is, or was, called.
    pub name: Name,
    /// How it was connected.
    pub via: Via,
    /// It had a place; else only its secret still tells who it was.
    pub is_placed: bool,
    /// The room has been told that it came.
    pub has_entered: bool,
    /// The account whose name it bears by right.
    pub account: Option<AccountId>,
    /// The node at which it is, or was last.
    pub node: NodeId,
    /// The highest number that anybody had when it came: its own, unless it left for good before and came anew.
    pub seniority: AuthorId,
}

/// Somebody who left for good, or was thrown out. With its secret it comes as anybody else does, but as the same author: what
/// was sent over a connection that nobody has read yet, or is sent again by who does not know that it was thrown out, is
/// not said twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// Its number in the room.
    pub author: AuthorId,
    /// The secret that it had.
    pub token: ShortTokenHash,
}

/// What a journal is to read of a room's history, since memory does not hold it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadRequest {
    /// The room's code.
    pub code: RoomCode,
    /// Which life of it.
    pub epoch: Epoch,
    /// What is wanted.
    pub wanted: Wanted,
}

/// Which events are to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Those with ids in this range, both ends included; never more than [`MAX_PAGE_EVENTS`](super::MAX_PAGE_EVENTS).
    Events {
        /// The first id wanted.
        first_id: u64,
        /// The last id wanted.
        last_id: u64,
    },
    /// The messages that their authors sent under these client ids, as far as there are any; never more than
    /// [`MAX_PAGE_EVENTS`](super::MAX_PAGE_EVENTS).
    Messages(Vec<(AuthorId, MessageKey)>),
    /// Events as above, and a message as above: for a command that needs both at once.
    EventsAndMessage {
        /// The first id wanted.
        first_id: u64,
        /// The last id wanted.
        last_id: u64,
        /// Who sent the message, and under which id.
        message: (AuthorId, MessageKey),
    },
    /// The newest messages that say something.
    Search {
        /// What they say.
        query: SearchQuery,
        /// The first id that is searched.
        first_id: u64,
        /// The id before which is searched.
        before: u64,
        /// How many are wanted at the most.
        limit: usize,
    },
}

/// What a journal has read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// The events in their last state, the oldest first. Those that are too old to be kept are missing.
    pub events: Vec<Event>,
    /// The messages that were looked for, and the event that each is. Those that are none are missing.
    pub messages: Vec<(AuthorId, MessageKey, u64)>,
    /// Of a search: before this id there may be others that it would find.
    pub before: Option<u64>,
}
