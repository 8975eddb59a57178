//! The ordered log as nodes reach it: over connections that are slow, stall, break with what was under way, and come back;
//! on a server that is away, full, or another one that has lost what came last.
//!
//! What is asked over one connection is done in its order, or not at all from some point on. What was under way when it
//! broke may be done later all the same, and nobody is told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::journal::cluster::Link;
use snugd::journal::cluster::log::{
    AppendFault, Attached, Entry, Generation, Loaded, Logged, Position, Request, Response, Verdict,
};
use snugd::rooms::{NodeId, RoomCode};

use crate::ordered_log::{Asker, OrderedLog};

/// A connection over which nothing comes for so long is given up.
const STALLED_MS: u64 = 5_000;

/// Copies of the log, the newest of which is as old as the last one that was made.
const COPIES: usize = 20;

/// The log, the servers on which it is, and the way of each node to it.
pub struct SharedLog {
    pub log: OrderedLog,
    server: u64,
    /// As it was at some times before: what another server may have of it.
    copies: VecDeque<Rc<OrderedLog>>,
    /// Something may have changed since the last copy was made.
    has_changed: bool,
    /// Nothing is shown that no other server has.
    pub waits_for_copies: bool,
    /// No server is there.
    is_away: bool,
    /// It takes no changes.
    is_full: bool,
    lines: Vec<Line>,
    late: Vec<Late>,
    connections: u64,
    random: StdRng,
    misbehaves: bool,
}

pub type LogHandle = Rc<RefCell<SharedLog>>;

/// The way of one node to the log.
#[derive(Default)]
struct Line {
    connection: Option<Asker>,
    /// Nothing goes through, and nobody says so, since this time.
    stalled_since_ms: Option<u64>,
    requests: VecDeque<Request>,
    /// Those that have an order of their own.
    readings: VecDeque<Request>,
    loading: Option<Loading>,
    /// On their way back.
    answers: VecDeque<Response>,
    pages: Vec<Response>,
    following: Option<Position>,
    /// Entries do not get on for a while.
    holds_entries: bool,
    /// Under which number the node attached last.
    node: Option<NodeId>,
    /// To which generation it is attached.
    generation: Option<Generation>,
    arrived: VecDeque<Response>,
    /// The node waits for an answer that tells nothing new.
    is_hurried: bool,
}

/// All rooms are being read, one after the other.
struct Loading {
    begun: Loaded,
    left: Vec<RoomCode>,
}

/// What was under way over a connection that is no more.
struct Late {
    asker: Asker,
    requests: VecDeque<Request>,
}

impl SharedLog {
    pub fn new(seed: u64, nodes: usize, now_ms: u64) -> LogHandle {
        Rc::new(RefCell::new(SharedLog {
            log: OrderedLog::new(now_ms),
            server: 1,
            copies: VecDeque::new(),
            has_changed: true,
            waits_for_copies: false,
            is_away: false,
            is_full: false,
            lines: (0..nodes).map(|_| Line::default()).collect(),
            late: Vec::new(),
            connections: 0,
            random: StdRng::seed_from_u64(seed),
            misbehaves: true,
        }))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.misbehaves && self.random.random_range(0..100) < percent
    }

    /// At the most all, where everything behaves all.
    fn some_of(&mut self, all: usize) -> usize {
        if self.misbehaves { self.random.random_range(0..=all) } else { all }
    }

    // ---- what goes wrong

    /// From here on nothing does any more.
    pub fn behave(&mut self) {
        self.misbehaves = false;
        (self.is_away, self.is_full) = (false, false);
        self.lines.iter_mut().for_each(|line| line.stalled_since_ms = None);
    }

    pub fn set_away(&mut self, is_away: bool) {
        self.is_away = is_away;
    }

    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// Nothing goes through between this node and the log, and neither is told; or it does again.
    pub fn set_stalled(&mut self, number: usize, is_stalled: bool) {
        let now_ms = self.log.now_ms;
        let line = &mut self.lines[number];
        line.stalled_since_ms = is_stalled.then(|| line.stalled_since_ms.unwrap_or(now_ms));
    }

    /// This node is not told of entries, though it can ask everything else; or it is again.
    pub fn hold_entries(&mut self, number: usize, holds: bool) {
        self.lines[number].holds_entries = holds;
    }

    /// Another server takes over, with what it has of the log; `loses`: it may have less than there was.
    pub fn fail_over(&mut self, loses: bool) {
        let place = if self.waits_for_copies || !loses { usize::MAX } else { self.random.random_range(0..COPIES) };
        let copy = self.copies.get(place.min(self.copies.len().saturating_sub(1))).filter(|_| loses);
        let copy = copy.map_or(&self.log, |copy| copy).clone();
        self.fail_over_to(copy);
    }

    /// Another server takes over, with this.
    pub fn fail_over_to(&mut self, copy: OrderedLog) {
        let now_ms = std::mem::replace(&mut self.log, copy).now_ms;
        self.log.now_ms = now_ms;
        self.has_changed = true;
        self.copies.clear();
        self.server += 1;
        // What was on its way to the other server goes nowhere.
        self.late.clear();
        for number in 0..self.lines.len() {
            self.lines[number].requests.clear();
            self.lines[number].answers.clear();
            self.break_connection(number, "the server is gone");
        }
    }

    /// The connection is over. What was under way may still be done.
    fn break_connection(&mut self, number: usize, reason: &str) {
        let line = &mut self.lines[number];
        let Some(asker) = line.connection.take() else { return };
        let requests = std::mem::take(&mut line.requests);
        line.answers.clear();
        line.pages.clear();
        line.readings.clear();
        (line.loading, line.following, line.generation) = (None, None, None);
        line.arrived.push_back(Response::Down { reason: reason.to_owned() });
        if self.chance(50) {
            self.late.push(Late { asker, requests });
        }
    }

    /// The program of this node dies.
    pub fn kill(&mut self, number: usize) {
        self.break_connection(number, "the program is over");
        self.lines[number] = Line::default();
    }

    // ---- what goes on

    /// Some of everything that is under way gets on.
    pub fn turn(&mut self, now_ms: u64) {
        self.log.now_ms = now_ms;
        if self.chance(20) || self.waits_for_copies && !self.misbehaves {
            self.copy();
        }
        for number in 0..self.lines.len() {
            self.turn_line(number);
        }
        self.turn_late();
    }

    /// What there is now, another server has as well.
    fn copy(&mut self) {
        if self.is_away {
            return;
        }
        if self.copies.len() == COPIES {
            self.copies.pop_front();
        }
        let last = self.copies.back().filter(|_| !std::mem::take(&mut self.has_changed));
        let copy = last.map_or_else(|| Rc::new(self.log.clone()), Rc::clone);
        self.copies.push_back(copy);
    }

    fn turn_late(&mut self) {
        for mut late in std::mem::take(&mut self.late) {
            if self.is_away || late.requests.is_empty() || self.chance(10) {
                continue;
            }
            if !self.chance(80)
                && let Some(request) = late.requests.pop_front()
            {
                self.answer(&request, late.asker);
            }
            self.late.push(late);
        }
    }

    fn answer(&mut self, request: &Request, asker: Asker) -> Option<Response> {
        match request {
            Request::Append { .. } if self.is_full => {
                let reason = "OOM command not allowed".to_owned();
                Some(Response::Appended(Err(AppendFault::Refusing(reason))))
            }
            Request::KeepSnapshot { room, .. } if self.is_full => Some(Response::SnapshotRefused { epoch: room.epoch }),
            request => {
                self.has_changed = true;
                let knew = self.log.knows_node(request);
                let answer = self.log.answer(request, asker);
                if !knew && self.log.knows_node(request) {
                    // Who joins is let in once every other server knows of it.
                    self.copies.clear();
                    self.copy();
                }
                answer
            }
        }
    }

    fn turn_line(&mut self, number: usize) {
        let (now_ms, line) = (self.log.now_ms, &self.lines[number]);
        let stalled_ms = line.stalled_since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
        let is_stalled = line.stalled_since_ms.is_some();
        if line.connection.is_none() {
            if !self.is_away && !is_stalled && !self.chance(70) {
                self.connections += 1;
                let asker = Asker { server: self.server, connection: self.connections };
                self.lines[number].connection = Some(asker);
                self.lines[number].arrived.push_back(Response::Up);
            }
            return;
        }
        if self.is_away || stalled_ms > STALLED_MS {
            return self.break_connection(number, "it does not answer");
        }
        if is_stalled {
            return;
        }
        let count = self.some_of(self.lines[number].requests.len());
        for _ in 0..count {
            self.answer_next(number);
        }
        if self.random.random_range(0..1000) < 3 && self.misbehaves {
            // What was done is not told.
            return self.break_connection(number, "connection reset by peer");
        }
        let count = self.some_of(self.lines[number].answers.len());
        let line = &mut self.lines[number];
        line.arrived.extend(line.answers.drain(..count));
        self.turn_readings(number);
        self.feed(number);
    }

    fn answer_next(&mut self, number: usize) {
        let line = &mut self.lines[number];
        let (Some(asker), Some(request)) = (line.connection, line.requests.pop_front()) else { return };
        if let Request::Follow { after } = request {
            line.following = Some(after);
        }
        let answer = self.answer(&request, asker);
        if let Some(Response::Attached(Attached::Yes { generation, .. })) = answer {
            self.lines[number].generation = Some(generation);
        }
        match answer {
            Some(answer) => self.lines[number].answers.push_back(answer),
            None if matches!(request, Request::Attach { .. } | Request::Append { .. }) => {
                self.break_connection(number, "another connection is there");
            }
            None => (),
        }
    }

    fn turn_readings(&mut self, number: usize) {
        let count = self.some_of(self.lines[number].readings.len());
        for _ in 0..count {
            let Some(request) = self.lines[number].readings.pop_front() else { continue };
            let answer = match &request {
                Request::Load => {
                    let begun = self.log.load_but_rooms();
                    self.lines[number].loading = Some(Loading { begun, left: self.log.codes() });
                    continue;
                }
                Request::Read(wanted) if !self.may_read(number) || self.chance(3) => {
                    Response::Read { request: wanted.clone(), page: None }
                }
                request => {
                    let asker = self.lines[number].connection.expect("it is connected");
                    self.log.answer(request, asker).expect("readings are answered")
                }
            };
            self.lines[number].pages.push(answer);
        }
        self.go_on_loading(number);
        if !self.chance(30) {
            let line = &mut self.lines[number];
            line.arrived.append(&mut VecDeque::from(std::mem::take(&mut line.pages)));
        }
    }

    /// A page is read of the log to which the node is attached, and of no other.
    fn may_read(&self, number: usize) -> bool {
        let Line { connection, generation, .. } = &self.lines[number];
        connection.is_some_and(|asker| self.log.is_kept_by(asker.server)) && *generation == Some(self.log.generation())
    }

    fn go_on_loading(&mut self, number: usize) {
        let Some(mut loading) = self.lines[number].loading.take() else { return };
        let count = self.some_of(loading.left.len());
        for code in loading.left.drain(..count) {
            loading.begun.rooms.extend(self.log.load_room(code));
        }
        if !loading.left.is_empty() {
            self.lines[number].loading = Some(loading);
            return;
        }
        let now = self.log.load_but_rooms();
        let is_of_one_time =
            now.generation == loading.begun.generation && now.accounts_version == loading.begun.accounts_version;
        match is_of_one_time {
            true if self.waits_for_copies
                && self.misbehaves
                && self.copies.back().map(|copy| copy.end()) != Some(self.log.end()) =>
            {
                self.copy();
                self.lines[number].loading = Some(loading);
            }
            true if self.chance(3) => self.lines[number].pages.push(Response::Loaded(None)),
            true => self.lines[number].pages.push(Response::Loaded(Some(Box::new(loading.begun)))),
            // What has happened to accounts changes rooms as well: from the beginning.
            false => self.lines[number].readings.push_back(Request::Load),
        }
    }

    /// Hands over entries as they come.
    fn feed(&mut self, number: usize) {
        let line = &self.lines[number];
        let Some(after) = line.following.filter(|_| !line.holds_entries) else { return };
        let most = if self.misbehaves { self.random.random_range(0..20) } else { usize::MAX };
        let Some(mut entries) = self.log.entries_after(after, most) else {
            self.lines[number].following = None;
            return self.lines[number].arrived.push_back(Response::Trimmed);
        };
        if self.waits_for_copies {
            let known = self.copies.back().map_or(Position::default(), |copy| copy.end());
            entries.retain(|entry| entry.position <= known);
        }
        let Some(last) = entries.last() else { return };
        let line = &mut self.lines[number];
        line.following = Some(last.position);
        let node = line.node;
        entries.iter_mut().filter(|entry| Some(entry.by.node) == node).for_each(forget_own);
        line.arrived.push_back(Response::Entries(entries));
    }

    /// A node is to be started: all there is, if that can be had at once.
    pub fn open(&mut self, number: usize, node: NodeId, history_events: u64) -> Option<Loaded> {
        if self.is_away || self.lines[number].stalled_since_ms.is_some() {
            return None;
        }
        self.connections += 1;
        let asker = Asker { server: self.server, connection: self.connections };
        let request = Request::Attach { node, last: None, history_events };
        let answer = self.answer(&request, asker);
        let Some(Response::Attached(Attached::Yes { generation, .. })) = answer else { return None };
        let (node, connection, generation) = (Some(node), Some(asker), Some(generation));
        self.lines[number] = Line { node, connection, generation, ..Line::default() };
        Some(self.log.load())
    }
}

/// Whether it says only that all changes are appended.
fn tells_nothing(answer: &Response) -> bool {
    let Response::Appended(Ok(verdicts)) = answer else { return false };
    verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Appended)
}

/// A node has its own changes itself.
fn forget_own(entry: &mut Entry) {
    if let Logged::Change { change, .. } = &mut entry.what {
        *change = None;
    }
}

/// A node's end of it.
pub struct SimLink {
    shared: LogHandle,
    number: usize,
}

impl SimLink {
    pub fn new(shared: &LogHandle, number: usize) -> SimLink {
        SimLink { shared: Rc::clone(shared), number }
    }
}

impl Link for SimLink {
    fn send(&mut self, request: Request) {
        let line = &mut self.shared.borrow_mut().lines[self.number];
        if line.connection.is_none() {
            return;
        }
        match &request {
            Request::Load | Request::Read(_) => return line.readings.push_back(request),
            Request::Attach { node, .. } => line.node = Some(*node),
            Request::Append { .. } => line.is_hurried = false,
            _ => (),
        }
        line.requests.push_back(request);
    }

    fn hurry(&mut self) {
        self.shared.borrow_mut().lines[self.number].is_hurried = true;
    }

    fn take(&mut self) -> Option<Response> {
        let line = &mut self.shared.borrow_mut().lines[self.number];
        // Nobody is woken for that alone.
        let is_quiet = !line.is_hurried && line.arrived.len() == 1 && line.arrived.front().is_some_and(tells_nothing);
        if is_quiet { None } else { line.arrived.pop_front() }
    }
}
