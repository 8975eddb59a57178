//! The chat itself: rooms, members, names, events, and the bytes that are to be sent to whom.
//!
//! Pure and deterministic: no socket, no clock, no protocol; time and randomness come in as arguments.
//! Everything enters by [`Rooms::apply`] as a [`Command`] and leaves as a [`Reply`], as a [`Record`] for the
//! journal, or as bytes in a room's log. A record becomes an event that anybody sees only when the journal
//! has it and [`Rooms::publish`] is called.

mod code;
mod command;
mod event;
mod history;
mod ledger;
mod limiter;
mod log;
mod look_alike;
mod membership;
mod name;
mod publishing;
mod recall;
mod record;
mod room;
mod roster;
mod said;
#[cfg(test)]
mod tests;
mod text;
mod token;

pub use code::{MAX_LETTERS, MIN_LETTERS, RoomCode};
pub use command::{Caller, Command, ConnectionId, Door, Join, Refusal, Reply, Span};
pub use event::{AuthorId, Body, Event, Kind, Via};
pub use history::EVENTS_ON_JOIN;
pub use limiter::{Address, AddressLimiter, Bucket, Rate};
pub use log::Laggard;
pub use name::{MAX_CHARACTERS as MAX_NAME_CHARACTERS, Name, NameKeys};
pub use record::{Change, Read, Reading, Record, StoredMember, StoredRoom};
pub use room::Room;
pub use roster::{MAX_DEPARTED, Member};
pub use text::{ClientId, Text, TextFault};
pub use token::{Epoch, Token, TokenHash};

use std::collections::{BTreeSet, HashMap, VecDeque};

use rand::rngs::StdRng;
use slab::Slab;

use crate::options::Limits;
use history::Kept;
use record::Sequel;

/// Identifies a living room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RoomId(pub u32);

/// Identifies a member within its room, as long as it has its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MemberId(pub u32);

/// Identifies an encoding of events, by its place in the list that the rooms were made with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct WireId(pub u8);

/// What a connection holds while it is a member of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Which room.
    pub room: RoomId,
    /// As whom.
    pub member: MemberId,
}

/// An encoding of a room's events. Each event is encoded once, however many members read it.
pub trait Wire {
    /// Appends the event as this wire's members are to be sent it.
    fn encode_event(&self, event: &Event, out: &mut Vec<u8>);

    /// Appends the news that somebody types; by default nothing.
    fn encode_typing(&self, name: &Name, out: &mut Vec<u8>) {
        let _ = (name, out);
    }

    /// Whether members are sent what they said themselves.
    fn echoes(&self) -> bool {
        true
    }
}

/// The time, as the rooms need it.
pub use crate::adapter::Now;

/// Figures about the rooms, for those who run the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Living rooms.
    pub rooms: usize,
    /// Members with a place, those on their way in or briefly away included.
    pub members: usize,
    /// Rooms made since the start.
    pub rooms_created: u64,
    /// Events recorded since the start.
    pub events: u64,
    /// Messages among them.
    pub messages: u64,
    /// Refusals given since the start.
    pub refusals: u64,
}

/// Every room, and the rules of the chat.
pub struct Rooms {
    limits: Limits,
    wires: Box<[Box<dyn Wire>]>,
    random: StdRng,
    rooms: Slab<Room>,
    codes: HashMap<RoomCode, RoomId>,
    unknown_codes: AddressLimiter,
    creations: AddressLimiter,
    deadlines: BTreeSet<(u64, Deadline)>,
    dirty: Vec<RoomId>,
    records: VecDeque<Record>,
    replies: VecDeque<(ConnectionId, Reply)>,
    counts: Counts,
    /// The journal cannot keep anything at this time.
    is_journal_stuck: bool,
    /// Events of a room that memory holds at the most.
    memory_events: usize,
    /// The room that has been lent events for the next command.
    lent_to: Option<RoomId>,
    /// Bytes of a room's log, on one wire, that may wait for a slow reader.
    log_limit_bytes: usize,
    /// Members from which on a room is a crowd.
    crowd_members: usize,
}

/// What is due at some time. It is looked at again when the time comes: it may have been lifted meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deadline {
    /// A member that is away loses its place.
    Grace { room: RoomId, member: MemberId },
    /// An empty room ends.
    RoomEnd { room: RoomId },
    /// A crowded room's members are told who came and went.
    News { room: RoomId },
}

const MINUTE_MS: u64 = 60_000;

impl Rooms {
    /// No rooms yet. `wires` are the encodings in which rooms can be read, named by their places.
    pub fn new(limits: Limits, wires: Vec<Box<dyn Wire>>, random: StdRng) -> Rooms {
        Rooms {
            unknown_codes: AddressLimiter::new(Rate::new(limits.join_rate, MINUTE_MS, limits.join_rate)),
            creations: AddressLimiter::new(Rate::new(limits.create_rate, MINUTE_MS, limits.create_rate)),
            limits,
            wires: wires.into(),
            random,
            rooms: Slab::new(),
            codes: HashMap::new(),
            deadlines: BTreeSet::new(),
            dirty: Vec::new(),
            records: VecDeque::new(),
            replies: VecDeque::new(),
            counts: Counts::default(),
            is_journal_stuck: false,
            memory_events: usize::MAX,
            lent_to: None,
            log_limit_bytes: publishing::LOG_LIMIT_BYTES,
            crowd_members: publishing::CROWD_MEMBERS,
        }
    }

    /// The rules that hold here.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Figures for those who run the program.
    pub fn counts(&self) -> Counts {
        let members = self.rooms.iter().map(|(_, room)| room.roster.places()).sum();
        Counts { rooms: self.rooms.len(), members, ..self.counts }
    }

    /// A living room.
    ///
    /// # Panics
    /// If there is none with that id: whoever has a membership or a fresh reply knows that there is.
    pub fn room(&self, room: RoomId) -> &Room {
        &self.rooms[room.0 as usize]
    }

    fn kept(&self) -> Kept {
        let events = self.limits.history_events.max(1);
        Kept { events, in_memory: events.min(self.memory_events) }
    }

    fn room_mut(&mut self, room: RoomId) -> &mut Room {
        &mut self.rooms[room.0 as usize]
    }

    /// Does what a connection asks for. `membership` is that connection's, and is changed along.
    ///
    /// Answers are then found with [`take_reply`](Self::take_reply), some of them only after the journal has
    /// what [`take_record`](Self::take_record) hands out.
    pub fn apply(&mut self, caller: &Caller, membership: &mut Option<Membership>, command: Command, now: Now) {
        let is_answer = command.is_answered();
        let cid = match &command {
            Command::Say { cid, .. } => cid.clone(),
            _ => None,
        };
        if let Err(refusal) = self.try_apply(caller, membership, command, now) {
            self.counts.refusals += 1;
            self.reply(caller.connection, Reply::Refused { refusal, cid, is_answer });
        }
        self.return_loan();
    }

    fn try_apply(
        &mut self,
        caller: &Caller,
        membership: &mut Option<Membership>,
        command: Command,
        now: Now,
    ) -> Result<(), Refusal> {
        let here = membership.ok_or(Refusal::NotJoined);
        let reply = match command {
            Command::Join(join) => return self.join(caller, membership, *join, now),
            Command::Say { kind, text, cid } => return self.say(caller, here?, Body::Message { kind, text, cid }, now),
            Command::Typing => {
                self.tell_typing(here?, now);
                return Ok(());
            }
            Command::Nick(name) => return self.nick(here?, name, now),
            Command::Who => Reply::Members { room: here?.room },
            Command::History(span) => {
                let (events, more) = self.room(here?.room).history.select(span, self.kept());
                Reply::History { events, more }
            }
            Command::SwitchWire(wire) => self.switch_wire(*membership, wire),
            Command::Leave => {
                let (code, name) = self.leave(here?, now);
                *membership = None;
                Reply::Left { code, name }
            }
            Command::Create => {
                let room = self.create(caller.address, None, now)?;
                let created = Reply::Created { code: self.room(room).code() };
                self.submit(room, Change::Nothing, Sequel::Answer(caller.connection, created));
                return Ok(());
            }
            Command::Admit { door, name, token } => return self.admit(caller, door, name, token, now),
            Command::Visit { code, token } => self.visit(caller, code, token, now)?,
            Command::Describe(code) => Reply::Described { room: self.find(code, None, caller.address, now)? },
            Command::Events { code, span } => {
                let room = self.find(code, None, caller.address, now)?;
                let (events, more) = self.room(room).history.select(span, self.kept());
                Reply::Events { events, more }
            }
            Command::Inspect => Reply::Inspected,
        };
        self.reply(caller.connection, reply);
        Ok(())
    }

    /// The next answer to be given, and to whom.
    pub fn take_reply(&mut self) -> Option<(ConnectionId, Reply)> {
        self.replies.pop_front()
    }

    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        self.replies.push_back((connection, reply));
    }

    // ---- rooms come and go

    /// The room with this code. Whoever asks for too many codes that are none is told nothing about any,
    /// unless a token shows that it knows the room already.
    fn find(&mut self, code: RoomCode, token: Option<Token>, address: Address, now: Now) -> Result<RoomId, Refusal> {
        let found = self.codes.get(&code).copied();
        if let (Some(room), Some(token)) = (found, token)
            && self.room(room).roster.known_by(token).is_some()
        {
            return Ok(room);
        }
        let limited = |retry_ms| Refusal::RateLimited { retry_ms };
        self.unknown_codes.check(address, now.steady_ms).map_err(limited)?;
        found.ok_or_else(|| {
            // Cannot fail: there was room for it a line above.
            let _ = self.unknown_codes.take(address, now.steady_ms);
            Refusal::NoSuchRoom { code }
        })
    }

    /// Opens a room, under `code` if one is given, else under a random one that is free.
    fn create(&mut self, address: Address, code: Option<RoomCode>, now: Now) -> Result<RoomId, Refusal> {
        let limited = |retry_ms| Refusal::RateLimited { retry_ms };
        self.check_journal()?;
        self.creations.take(address, now.steady_ms).map_err(limited)?;
        let code = code.unwrap_or_else(|| self.free_code());
        let epoch = Epoch::random(&mut self.random);
        let room = RoomId(self.rooms.insert(Room::new(code, epoch, self.wires.len())) as u32);
        self.codes.insert(code, room);
        self.counts.rooms_created += 1;
        self.submit(room, Change::Opened { code, time_ms: now.wall_ms }, Sequel::Nothing);
        self.end_if_empty(room, now);
        Ok(room)
    }

    /// A code that no living room has. Longer than usual where the short ones are nearly used up, so that a
    /// free one is found in few draws and guessing stays as hard as it was.
    fn free_code(&mut self) -> RoomCode {
        let draws_a_length = 16;
        for length in self.limits.code_length..=MAX_LETTERS {
            for _ in 0..draws_a_length {
                let code = RoomCode::random(length, &mut self.random);
                if !self.codes.contains_key(&code) {
                    return code;
                }
            }
        }
        unreachable!("there are more codes of 12 letters than memory for rooms");
    }

    /// Whether a room would be made behind this door.
    fn is_new(&self, door: Door) -> bool {
        match door {
            Door::New => true,
            Door::CodeOrNew(code) => !self.codes.contains_key(&code),
            Door::Code(_) => false,
        }
    }

    /// The room behind a door, and whether it was made just now.
    fn open(
        &mut self,
        door: Door,
        token: Option<Token>,
        address: Address,
        now: Now,
    ) -> Result<(RoomId, bool), Refusal> {
        let created = self.is_new(door);
        let room = match door {
            Door::New => self.create(address, None, now)?,
            Door::CodeOrNew(code) if created => self.create(address, Some(code), now)?,
            Door::Code(code) | Door::CodeOrNew(code) => self.find(code, token, address, now)?,
        };
        Ok((room, created))
    }

    /// Lets the room end after its time, if nobody has a place in it.
    fn end_if_empty(&mut self, room: RoomId, now: Now) {
        let ends_at_ms = now.steady_ms + self.limits.room_ttl_ms;
        if self.room(room).roster.places() == 0 {
            self.room_mut(room).ends_at_ms = Some(ends_at_ms);
            self.deadlines.insert((ends_at_ms, Deadline::RoomEnd { room }));
        }
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
                Deadline::Grace { room, member } => self.give_up_place(room, member, due_ms, now),
                Deadline::News { room } => self.tell_news(room, now),
                Deadline::RoomEnd { room } => {
                    if self.rooms.get(room.0 as usize).is_some_and(|room| room.ends_at_ms == Some(due_ms)) {
                        self.submit(room, Change::Ended, Sequel::Nothing);
                        let ended = self.rooms.remove(room.0 as usize);
                        self.codes.remove(&ended.code());
                    }
                }
            }
        }
    }
}
