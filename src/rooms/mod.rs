//! The chat itself: rooms, members, names, events, and the bytes that are to be sent to whom.
//!
//! Pure and deterministic: no socket, no clock, no protocol; time and randomness come in as arguments.
//! What is asked for enters by [`Rooms::execute`] as a [`Command`], and is checked. What it changes leaves as a
//! [`Proposal`] for the journal and comes back by [`Rooms::commit`]: only then is it applied, encoded and answered.

mod accounts;
mod admittance;
mod amending;
mod amendment;
mod broadcast_log;
mod change;
mod claiming;
mod code;
mod command;
mod committing;
mod counts;
mod dedup_index;
mod emoji;
mod event;
mod event_ring;
mod executing;
mod file;
mod file_name;
mod flushing;
mod history;
mod history_memory;
mod last_messages;
mod limiter;
mod look_alike;
mod membership;
mod mode_change;
mod moderation;
mod name;
mod node;
mod nodes;
mod notices;
mod opening;
mod paging;
mod password;
mod proposed;
mod reconsidering;
mod restoring;
mod room;
mod room_files;
mod room_key;
mod roster;
mod rules;
mod search;
mod searching;
mod sharing;
mod slow_mode;
mod state;
mod syncing;
#[cfg(test)]
mod tests;
mod text;
mod token;

pub use accounts::{AccountAction, AccountChange, AccountId, AccountRequestId, PasswordHash, StoredAccount};
pub use amendment::{Annotations, MAX_EMOJIS, MAX_REACTIONS, MessageRef, Quote, Reactions, amend, quote_in};
pub use broadcast_log::{Delivery, SlowConsumer};
pub use change::{
    Change, Checked, Left, LoadedRoom, Measure, Newcomer, Page, Proposal, ReadRequest, StoredMember, StoredRoom,
    SyncId, Wanted,
};
pub use code::{MAX_LETTERS, MIN_LETTERS, RoomCode};
pub use command::{
    AccountCommand, AccountDone, Caller, Command, ConnectionId, Join, JoinTarget, ListedBan, Membership, ProvenCommand,
    Refusal, Reply, RoomCommand, RoomRef, Share, Sharer, Span,
};
pub use counts::{Counts, EVENT_KINDS};
pub use emoji::Emoji;
pub use event::{AuthorId, Body, Event, Kind, Via};
pub use executing::Execution;
pub use file::{Dimensions, FileId, FileType, SharedFile, size_words};
pub use file_name::{FileName, MAX_BYTES as MAX_FILE_NAME_BYTES};
pub use history::{EVENTS_ON_JOIN, MAX_PAGE_EVENTS};
pub use last_messages::MAX_LAST_MESSAGES;
pub use limiter::{Address, AddressLimiter, Bucket, KeyedLimiter, Rate};
pub use mode_change::ModeChange;
pub use moderation::{BAN_SECONDS, MAX_SECONDS, MAX_SLOW_SECONDS, Moderation};
pub use name::{MAX_CHARACTERS as MAX_NAME_CHARACTERS, Name, NameKeys};
pub use node::{Attempt, NodeId, Notice};
pub use paging::Resumed;
pub use password::{Password, PasswordFault};
pub use room::{Marks, Room};
pub use room_key::{KeyHash, MAX_KEY_BYTES, RoomKey};
pub use roster::{MAX_DEPARTED, MAX_LEFT, Member};
pub use rules::{Ban, MAX_BANS, MAX_OPERATORS, Mute, RoomRules};
pub use search::{Found, IndexWord, MAX_QUERY_BYTES, Search, SearchFault, SearchQuery, index_words};
pub use text::{MAX_LINE_BYTES, MessageKey, Text, TextFault};
pub use token::{Epoch, ShortTokenHash, Token, TokenHash};

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use rand::rngs::StdRng;
use slab::Slab;

use crate::options::Limits;
use crate::time::Now;
use accounts::Accounts;
use history::Kept;
use history_memory::HistoryMemory;
use searching::Searches;
use syncing::Syncs;

/// Identifies a room on this node, as long as it lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RoomId(pub u32);

/// Identifies an encoding of events, by its place in the list that the rooms were made with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EncoderId(pub u8);

/// An encoding of a room's events. Each event is encoded once, however many members read it.
pub trait Encoder {
    /// Appends an event of the room with this code as members are to be sent it.
    fn encode_event(&self, room: &RoomCode, event: &Event, out: &mut Vec<u8>);

    /// Appends that somebody comes in, whom the others know by these marks; by default as any other event.
    fn encode_enter(&self, room: &RoomCode, event: &Event, marks: Marks, out: &mut Vec<u8>) {
        let _ = marks;
        self.encode_event(room, event, out);
    }

    /// Appends what stands between two events, of these times, for all members; by default nothing.
    fn encode_between(&self, earlier_ms: u64, later_ms: u64, out: &mut Vec<u8>) {
        let _ = (earlier_ms, later_ms, out);
    }

    /// Appends that somebody types; by default nothing.
    fn encode_typing(&self, room: &RoomCode, name: &Name, out: &mut Vec<u8>) {
        let _ = (room, name, out);
    }

    /// Whether it shows how that begins which a reply or a reaction is about.
    fn quotes(&self) -> bool {
        false
    }

    /// Whether members are sent what they said themselves.
    fn echoes(&self) -> bool {
        true
    }

    /// Whether members are told the secret by which they come back, so that their place is worth being kept.
    fn tells_token(&self) -> bool {
        true
    }
}

/// Every room, and the rules of the chat.
pub struct Rooms {
    limits: Limits,
    encoders: Box<[Box<dyn Encoder>]>,
    random: StdRng,
    rooms: Slab<Room>,
    /// Living rooms.
    codes: HashMap<RoomCode, RoomId>,
    /// Rooms whose beginning is proposed.
    opening: HashMap<RoomCode, RoomId>,
    /// Both.
    epochs: HashMap<Epoch, RoomId>,
    unknown_codes: AddressLimiter,
    /// Codes asked for beyond that, of rooms that are none or [unfamiliar](Room::is_familiar_to) to who asks.
    unfamiliar_codes: AddressLimiter,
    creations: AddressLimiter,
    shares: AddressLimiter,
    deadlines: BTreeSet<(u64, Deadline)>,
    dirty: Vec<RoomId>,
    proposals: VecDeque<Proposal>,
    read_requests: VecDeque<ReadRequest>,
    resumed: VecDeque<Resumed>,
    searches: Searches,
    /// Files that are no event's any more.
    released_files: VecDeque<FileId>,
    replies: VecDeque<(ConnectionId, Reply)>,
    counts: Counts,
    /// As which the other nodes know this one.
    node: NodeId,
    /// Nodes that are none any more, and may have left members.
    gone_nodes: HashSet<NodeId>,
    /// What the other nodes are to be told.
    notices: VecDeque<Notice>,
    syncs: Syncs,
    /// The journal can store nothing at this time.
    is_journal_failing: bool,
    /// The journal holds events that memory does not.
    relies_on_journal: bool,
    /// Events of a room that memory holds at the most.
    memory_events: usize,
    history_memory: HistoryMemory,
    /// Members from which on a room's comings and goings are batched.
    crowd_members: usize,
    /// When all batches of comings and goings are paid for.
    presence_paid_at_ms: u64,
    /// In some room so much waits to be sent that it is better sent before more is appended.
    is_saturated: bool,
    /// Names that are somebody's own.
    accounts: Accounts,
    /// Nobody comes in without an account.
    requires_account: bool,
    /// The names of accounts that are operators everywhere.
    admins: Vec<NameKeys>,
    /// Those accounts, as far as there are such. Every room has them as well.
    admin_accounts: Arc<[AccountId]>,
}

/// What is due at some time. It is looked at again when the time comes: it may have been lifted meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deadline {
    /// A member that is away loses its place.
    Grace { room: RoomId, author: AuthorId },
    /// An empty room ends.
    RoomEnd { room: RoomId },
    /// A batch of comings and goings is sent to a room's members.
    Presence { room: RoomId },
    /// Members who read slowly are looked at again.
    Flush { room: RoomId },
    /// What other nodes may know is waited for no more.
    Sync { sync: SyncId },
    /// A file whose sharing was refused is of no event, unless it has come to be.
    Unshared { file: FileId },
    /// A room that nobody keeps order in is handed over once more, to another than this one if there is one.
    HandOver { room: RoomId, former: Option<AuthorId> },
}

const MINUTE_MS: u64 = 60_000;

/// Where a network has asked for too many unknown codes, so many times as many again before those who share it are told
/// nothing either about rooms that some of them know.
const UNFAMILIAR_CODES: u32 = 5;

/// What one address may do how often.
struct AddressRates {
    unknown_codes: Option<Rate>,
    unfamiliar_codes: Option<Rate>,
    creations: Option<Rate>,
}

impl AddressRates {
    fn of(limits: &Limits) -> AddressRates {
        let a_minute = |number| Rate::new(number, MINUTE_MS, number);
        AddressRates {
            unknown_codes: a_minute(limits.join_rate),
            unfamiliar_codes: a_minute(limits.join_rate.saturating_mul(UNFAMILIAR_CODES)),
            creations: a_minute(limits.create_rate),
        }
    }
}

impl Rooms {
    /// No rooms yet. `encoders` are the encodings in which rooms can be read, named by their places.
    pub fn new(limits: Limits, encoders: Vec<Box<dyn Encoder>>, random: StdRng) -> Rooms {
        let AddressRates { unknown_codes, unfamiliar_codes, creations } = AddressRates::of(&limits);
        Rooms {
            unknown_codes: AddressLimiter::new(unknown_codes),
            unfamiliar_codes: AddressLimiter::new(unfamiliar_codes),
            creations: AddressLimiter::new(creations),
            shares: AddressLimiter::new(Rate::new(sharing::SHARES, MINUTE_MS, sharing::SHARES)),
            history_memory: HistoryMemory::new(limits.memory_bytes),
            limits,
            encoders: encoders.into(),
            random,
            rooms: Slab::new(),
            codes: HashMap::new(),
            opening: HashMap::new(),
            epochs: HashMap::new(),
            deadlines: BTreeSet::new(),
            dirty: Vec::new(),
            proposals: VecDeque::new(),
            read_requests: VecDeque::new(),
            resumed: VecDeque::new(),
            searches: Searches::default(),
            released_files: VecDeque::new(),
            replies: VecDeque::new(),
            counts: Counts::default(),
            node: NodeId::ALONE,
            gone_nodes: HashSet::new(),
            notices: VecDeque::new(),
            syncs: Syncs::default(),
            is_journal_failing: false,
            relies_on_journal: false,
            memory_events: usize::MAX,
            crowd_members: flushing::CROWD_MEMBERS,
            presence_paid_at_ms: 0,
            is_saturated: false,
            accounts: Accounts::default(),
            requires_account: false,
            admins: Vec::new(),
            admin_accounts: Arc::default(),
        }
    }

    /// From now on these limits count; what rooms have already stays. How many events are kept is no other than before:
    /// the journal was told that when it was opened.
    pub fn set_limits(&mut self, limits: Limits) {
        let AddressRates { unknown_codes, unfamiliar_codes, creations } = AddressRates::of(&limits);
        self.unknown_codes.set_rate(unknown_codes);
        self.unfamiliar_codes.set_rate(unfamiliar_codes);
        self.creations.set_rate(creations);
        self.history_memory.set_limit(limits.memory_bytes);
        self.limits = Limits { history_events: self.limits.history_events, ..limits };
    }

    /// The rules that hold here.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A living room.
    ///
    /// # Panics
    /// If there is none with that id: whoever has a membership or a fresh reply knows that there is.
    pub fn room(&self, room: RoomId) -> &Room {
        &self.rooms[room.0 as usize]
    }

    /// All that nodes agree on of accounts and of every living room, as text: the same bytes for the same state.
    pub fn committed_state(&self) -> String {
        let mut codes: Vec<_> = self.codes.iter().collect();
        codes.sort();
        let mut out = String::new();
        self.accounts.write_to(&mut out);
        codes.into_iter().for_each(|(_, &room)| self.room(room).state.write_to(&mut out));
        out
    }

    fn kept(&self) -> Kept {
        let events = self.limits.history_events.max(1);
        Kept { events, in_memory: events.min(self.memory_events), in_journal: self.relies_on_journal }
    }

    fn room_mut(&mut self, room: RoomId) -> &mut Room {
        &mut self.rooms[room.0 as usize]
    }

    /// The room with this epoch, whether it is open yet or not.
    fn find_epoch(&self, epoch: Epoch) -> Option<RoomId> {
        self.epochs.get(&epoch).copied()
    }

    /// The next answer to be given, and to whom.
    pub fn take_reply(&mut self) -> Option<(ConnectionId, Reply)> {
        self.replies.pop_front()
    }

    /// Refuses a command that a connection waits for, before it was executed.
    pub fn refuse_command(&mut self, connection: ConnectionId, refusal: Refusal) {
        self.reply(connection, Reply::Refused { refusal, cid: None, is_answer: true });
    }

    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        self.replies.push_back((connection, reply));
    }

    /// When something is due next (`Now::steady_ms`).
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|&(due_ms, _)| due_ms)
    }

    /// Does what is due: members who stayed away lose their places, rooms that stayed empty end.
    pub fn expire(&mut self, now: Now) {
        while let Some(&(due_ms, deadline)) = self.deadlines.first()
            && due_ms <= now.steady_ms
        {
            self.deadlines.pop_first();
            match deadline {
                Deadline::Grace { room, author } => self.give_up_place(room, author, due_ms, now),
                Deadline::Presence { room } => self.tell_presence_if_due(room, now),
                Deadline::Flush { room } => self.flush_again(room),
                Deadline::RoomEnd { room } => self.end_room(room, due_ms),
                Deadline::Sync { sync } => self.give_up_sync(sync, now),
                Deadline::Unshared { file } => self.release_refused(file, now),
                Deadline::HandOver { room, former } => self.hand_over(room, former, now),
            }
        }
    }
}
