//! Several nodes that share an ordered log, in one world: the real reactors and the real journal over a model of the log.
//!
//! Clients pick a node, lose it, and come back to another one. Nodes die, stop, stand still, are cut off from the log and
//! given up; the log is slow, away, full, or goes on at another server, which may have lost what came last. All that is
//! promised of one node is promised of all together; in the end all of them have the same rooms, and so has one that knows
//! nothing but the log.

mod scenes;

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::journal::cluster::ClusterJournal;
use snugd::options::Limits;
use snugd::reactor::{OutputLimits, Port, Reactor};
use snugd::rooms::{NodeId, Rooms};

use crate::deeds::{self, Deed};
use crate::history::client::{Client, Kind};
use crate::history::{History, Promises};
use crate::net::{SharedWorld, SimNet, World};
use crate::people::{Claims, Person};
use crate::shared_log::{LogHandle, SharedLog, SimLink};
use crate::{AN_HOUR_MS, Conditions, no_limits};

const HISTORIES: u64 = 150;
const STEPS: u32 = 250;
const NODES: usize = 3;

/// Empty rooms are kept for so long: longer than the time that is set forward at the end.
const EMPTY_MS: u64 = 10 * AN_HOUR_MS;

/// Time in which everything that can happen by itself has happened: nodes that are gone have been given up, and the
/// places of their members.
const SETTLING_MS: u64 = 60_000;

/// Whatever was asked for before is answered after this time.
const ANSWERED_MS: u64 = 10_000;

/// What passes at once in that time.
const TICK_MS: u64 = 50;

type NodeReactor = Reactor<SimNet, ClusterJournal<SimLink>>;

/// What may go wrong in a history: out of a thousand steps, those at which it begins.
#[derive(Clone, Copy, Default, Debug)]
struct Faults {
    kills: u32,
    leavings: u32,
    pauses: u32,
    stalls: u32,
    absences: u32,
    fullnesses: u32,
    failovers: u32,
    losses: u32,
}

impl Faults {
    fn draw(random: &mut StdRng) -> Faults {
        let mut draw = |most: u32| if random.random_bool(0.4) { random.random_range(0..most) } else { 0 };
        Faults {
            kills: draw(15),
            leavings: draw(10),
            pauses: draw(20),
            stalls: draw(20),
            absences: draw(15),
            fullnesses: draw(15),
            failovers: draw(8),
            losses: draw(8),
        }
    }

    /// Whether a node may be gone, or not be able to say that it is there.
    fn hide_nodes(&self) -> bool {
        self.kills + self.leavings + self.pauses + self.stalls > 0
    }
}

/// One node.
struct Node {
    world: SharedWorld,
    /// `None`: it does not run.
    reactor: Option<NodeReactor>,
    /// It stands still.
    paused_until_ms: u64,
    /// It was asked to stop.
    is_leaving: bool,
    /// It is cut off from the log.
    stalled_until_ms: u64,
}

struct Nodes {
    conditions: Conditions,
    faults: Faults,
    shared: LogHandle,
    nodes: Vec<Node>,
    now_ms: u64,
    away_until_ms: u64,
    full_until_ms: u64,
    clients: Vec<Client>,
    /// The node to which each client connects next, if it does not pick another.
    picks: Vec<usize>,
    people: Vec<Person>,
    claims: Claims,
    history: History,
    random: StdRng,
    /// How often the log went on at another server.
    servers: u32,
}

/// Of one connection, its number for the clients and where it is.
fn connection(node: usize, socket: usize) -> usize {
    socket * NODES + node
}

impl Nodes {
    fn new(seed: u64) -> Nodes {
        let mut random = StdRng::seed_from_u64(seed);
        let history_events = if random.random_bool(0.2) { random.random_range(20..60) } else { 1000 };
        let conditions = Conditions {
            disk: None,
            limits: Limits { history_events, room_ttl_ms: EMPTY_MS, ..no_limits() },
            memory_events: random.random_range(1..60),
            output_limits: OutputLimits { soft_bytes: 1 << 20, stalled_ms: 10_000, hard_bytes: 8 << 20 },
            crowd_members: if random.random_bool(0.3) { 2 } else { 64 },
            crashes: 0,
            steps: STEPS,
            files: None,
            ..Conditions::draw(&mut random)
        };
        let faults = Faults::draw(&mut random);
        let node = |_| {
            let world = World::new(random.random());
            world.borrow_mut().idle_ms = 0;
            Node { world, reactor: None, paused_until_ms: 0, is_leaving: false, stalled_until_ms: 0 }
        };
        let nodes: Vec<Node> = (0..NODES).map(node).collect();
        let now_ms = nodes[0].world.borrow().now.wall_ms;
        let shared = SharedLog::new(random.random(), NODES, now_ms);
        shared.borrow_mut().waits_for_copies = random.random_bool(0.3);
        let rooms = &["KXQT", "BCDF"][..random.random_range(1..=2)];
        let mut clients = Vec::new();
        for room in rooms {
            // One client of each room is a browser: browsers ask for the whole record.
            let first = clients.len();
            clients.push(Client::new(Kind::Web, first, room));
            for number in first + 1..first + random.random_range(2..5) {
                let kind = [Kind::Web, Kind::Web, Kind::Line, Kind::JsonLine][random.random_range(0..4)];
                clients.push(Client::new(kind, number, room));
            }
        }
        clients.iter_mut().for_each(|client| client.meets_stopping = true);
        let picks = clients.iter().map(|_| random.random_range(0..NODES)).collect();
        let people = if random.random_bool(0.4) { random.random_range(2..4) } else { 0 };
        let mut nodes = Nodes {
            conditions,
            faults,
            shared,
            nodes,
            now_ms,
            away_until_ms: 0,
            full_until_ms: 0,
            clients,
            picks,
            people: (0..people).map(|_| Person::default()).collect(),
            claims: Claims::default(),
            history: History::default(),
            random,
            servers: 0,
        };
        (0..NODES).for_each(|number| nodes.start(number));
        nodes
    }

    // ---- nodes

    /// Starts a node, if the log can be reached.
    fn start(&mut self, number: usize) {
        let history_events = self.conditions.limits.history_events as u64;
        let id = NodeId::random(&mut self.random);
        let Some(loaded) = self.shared.borrow_mut().open(number, id, history_events) else { return };
        let world = &self.nodes[number].world;
        let now = world.borrow().now;
        let mut rooms = self.conditions.rooms(self.random.random());
        rooms.rely_on_journal_beyond(self.conditions.memory_events);
        rooms.share_as(id);
        rooms.restore_accounts(loaded.accounts.clone());
        rooms.restore_loaded(loaded.rooms.iter().map(|room| room.room.clone()).collect(), &loaded.nodes, now);
        let link = SimLink::new(&self.shared, number);
        let random = StdRng::seed_from_u64(self.random.random());
        let journal = ClusterJournal::new(link, id, &loaded, history_events, random, Default::default());
        self.nodes[number].reactor = Some(self.conditions.reactor(&self.nodes[number].world, rooms, journal));
        (self.nodes[number].is_leaving, self.nodes[number].paused_until_ms) = (false, 0);
    }

    /// Its program is over, and with it every connection.
    fn end_node(&mut self, number: usize) {
        self.shared.borrow_mut().kill(number);
        self.nodes[number].world.borrow_mut().crash();
        self.nodes[number].reactor = None;
    }

    /// Time passes for all alike.
    fn pass(&mut self, passed_ms: u64) {
        self.now_ms += passed_ms;
        for node in &mut self.nodes {
            let now = &mut node.world.borrow_mut().now;
            now.steady_ms += passed_ms;
            now.wall_ms += passed_ms;
        }
        let mut shared = self.shared.borrow_mut();
        shared.set_away(self.now_ms < self.away_until_ms);
        shared.set_full(self.now_ms < self.full_until_ms);
        for (number, node) in self.nodes.iter().enumerate() {
            shared.set_stalled(number, self.now_ms < node.stalled_until_ms);
        }
        shared.turn(self.now_ms);
    }

    fn turn(&mut self, passed_ms: u64) {
        self.pass(passed_ms);
        for number in 0..NODES {
            let node = &mut self.nodes[number];
            let Some(reactor) = node.reactor.as_mut().filter(|_| node.paused_until_ms <= self.now_ms) else { continue };
            reactor.turn().expect("no log breaks a node");
            if reactor.has_stopped() {
                self.end_node(number);
            }
        }
    }

    /// Something may go wrong.
    fn disturb(&mut self) {
        let mut draw = |of_thousand: u32| self.random.random_range(0..1000) < of_thousand;
        let Faults { kills, leavings, pauses, stalls, absences, fullnesses, failovers, losses } = self.faults;
        let (kills, leavings, pauses, stalls) = (draw(kills), draw(leavings), draw(pauses), draw(stalls));
        let (absences, fullnesses, failovers, losses) =
            (draw(absences), draw(fullnesses), draw(failovers), draw(losses));
        let number = self.random.random_range(0..NODES);
        let until_ms = self.now_ms + self.random.random_range(0..15_000);
        let node = &mut self.nodes[number];
        match node.reactor {
            None if self.random.random_bool(0.1) => self.start(number),
            Some(_) if kills => self.end_node(number),
            Some(_) if leavings => {
                node.is_leaving = true;
                node.world.borrow_mut().asks_to_stop = true;
            }
            Some(_) if pauses => node.paused_until_ms = until_ms,
            _ if stalls => node.stalled_until_ms = until_ms,
            _ if absences => self.away_until_ms = until_ms,
            _ if fullnesses => self.full_until_ms = until_ms,
            _ if failovers || losses => self.fail_over(losses),
            _ => (),
        }
    }

    fn fail_over(&mut self, loses: bool) {
        self.servers += 1;
        self.shared.borrow_mut().fail_over(loses);
        if loses {
            self.claims.doubt();
        }
    }

    // ---- what everybody does

    fn step(&mut self) {
        self.disturb();
        if !self.people.is_empty() && self.random.random_bool(0.3) {
            self.step_of_people();
        }
        let number = self.random.random_range(0..self.clients.len());
        match deeds::act(&mut self.clients, number, &mut self.random, &mut self.history) {
            Deed::Nothing => (),
            Deed::Connect => self.connect(number),
            Deed::Break => self.break_link(number),
            Deed::End => self.end(number),
            Deed::Leave => self.leave(number),
            Deed::Read => {
                let limit = self.random.random_range(1..self.conditions.read_bytes);
                self.read(number, limit);
            }
        }
        self.send(number);
        for _ in 0..self.random.random_range(0..4) {
            let passed_ms = self.random.random_range(0..20);
            self.turn(passed_ms);
        }
        if self.random.random_bool(0.05) {
            for _ in 0..self.random.random_range(1..20) {
                let passed_ms = self.random.random_range(0..300);
                self.turn(passed_ms);
            }
        }
    }

    /// One of those who want names of their own does one thing.
    fn step_of_people(&mut self) {
        let number = self.random.random_range(0..self.people.len());
        let Some(connection) = self.people[number].socket else {
            let node = self.random.random_range(0..NODES);
            if let Some(connection) = self.open(node, Port::Line) {
                self.people[number].connect(connection, &self.claims);
            }
            return;
        };
        let (world, socket) = self.place(connection);
        let person = &mut self.people[number];
        match self.random.random_range(0..100) {
            0..5 => {
                world.borrow_mut().reset(socket);
                person.lose();
            }
            5..60 => person.act("KXQT", &mut self.random, &mut self.claims),
            _ => {
                let bytes = world.borrow_mut().receive(socket, self.conditions.read_bytes);
                person.receive(&bytes, &mut self.claims);
                if world.borrow().is_over(socket) {
                    person.lose();
                }
            }
        }
        let output = self.people[number].take_output();
        if self.people[number].socket.is_some() && !output.is_empty() {
            world.borrow_mut().send(socket, &output);
        }
    }

    // ---- what carries bytes

    fn place(&self, connection: usize) -> (SharedWorld, usize) {
        (SharedWorld::clone(&self.nodes[connection % NODES].world), connection / NODES)
    }

    /// A new connection, if the node listens.
    fn open(&mut self, node: usize, port: Port) -> Option<usize> {
        let Node { world, reactor, is_leaving, .. } = &self.nodes[node];
        (reactor.is_some() && !is_leaving).then(|| connection(node, world.borrow_mut().connect(port)))
    }

    fn connect(&mut self, number: usize) {
        if !self.clients[number].can_take_over() {
            // It could not come in beside itself.
            self.break_link(number);
        }
        if self.random.random_bool(0.5) {
            self.picks[number] = self.random.random_range(0..NODES);
        }
        let port = if self.clients[number].kind == Kind::Web { Port::Web } else { Port::Line };
        match self.open(self.picks[number], port) {
            Some(connection) => self.clients[number].connect(connection, &mut self.history),
            None => self.picks[number] = self.random.random_range(0..NODES),
        }
    }

    fn send(&mut self, number: usize) {
        for (connection, bytes) in self.clients[number].take_output() {
            let (world, socket) = self.place(connection);
            world.borrow_mut().send(socket, &bytes);
        }
    }

    /// Reads at most `limit` bytes of each connection, and notes those that are over.
    fn read(&mut self, number: usize, limit: usize) {
        for connection in self.clients[number].links() {
            let (world, socket) = self.place(connection);
            let client = &mut self.clients[number];
            let bytes = world.borrow_mut().receive(socket, limit);
            client.receive(connection, &bytes, &mut self.history);
            if world.borrow().has_ended_well(socket) {
                client.check_whole(connection);
            }
            if world.borrow().is_over(socket) {
                client.lose(connection, &mut self.history);
            }
        }
        self.send(number);
    }

    fn break_off(&mut self, number: usize, connection: usize) {
        let (world, socket) = self.place(connection);
        world.borrow_mut().reset(socket);
        self.clients[number].lose(connection, &mut self.history);
    }

    fn break_link(&mut self, number: usize) {
        if let Some(connection) = self.clients[number].link() {
            self.break_off(number, connection);
        }
    }

    /// Leaves the room for good, and breaks off what might still come in as the same member: what was sent over that arrives
    /// all the same, mostly.
    fn leave(&mut self, number: usize) {
        for connection in self.clients[number].former_links() {
            self.break_off(number, connection);
        }
        self.clients[number].leave();
    }

    fn end(&mut self, number: usize) {
        if let Some(connection) = self.clients[number].link() {
            let (world, socket) = self.place(connection);
            world.borrow_mut().end(socket);
        }
    }

    // ---- the end

    /// From here on nothing goes wrong any more.
    fn behave(&mut self) {
        (self.away_until_ms, self.full_until_ms) = (0, 0);
        self.shared.borrow_mut().behave();
        for person in &mut self.people {
            if let Some(connection) = person.socket {
                let world = &self.nodes[connection % NODES].world;
                world.borrow_mut().reset(connection / NODES);
            }
            person.lose();
        }
        for node in &mut self.nodes {
            (node.paused_until_ms, node.stalled_until_ms) = (0, 0);
            node.world.borrow_mut().behave();
            // Whoever was kept out, or was not to speak, has its time behind it.
            node.world.borrow_mut().now.wall_ms += AN_HOUR_MS;
        }
    }

    /// Everybody comes back, everything must arrive, and the whole record is asked for.
    fn settle(&mut self) {
        let until_ms = self.now_ms + SETTLING_MS;
        for turn in 0.. {
            for number in 0..NODES {
                if self.nodes[number].reactor.is_none() {
                    self.start(number);
                }
            }
            for number in 0..self.clients.len() {
                if self.clients[number].link().is_none() {
                    self.connect(number);
                }
                let client = &mut self.clients[number];
                if self.now_ms > until_ms - SETTLING_MS + ANSWERED_MS {
                    client.forget_former();
                }
                if client.was_refused() && turn % 5 == 4 {
                    client.join(&mut self.history);
                }
                client.retry(&mut self.history);
                if client.is_settled(&self.history) && client.kind == Kind::Web {
                    client.recall();
                }
                self.send(number);
                self.read(number, usize::MAX);
            }
            self.turn(TICK_MS);
            if self.is_settled() {
                return;
            }
            if self.now_ms > until_ms {
                let waits = |client: &&Client| !client.is_settled(&self.history) || !client.has_recalled();
                let waiting: Vec<_> = self.clients.iter().filter(waits).collect();
                panic!(
                    "would wait for ever: {}",
                    waiting.iter().map(|client| format!("{client:.600?}")).collect::<Vec<_>>().join("\n")
                );
            }
        }
    }

    fn is_settled(&self) -> bool {
        let is_settled =
            |client: &Client| client.is_settled(&self.history) && (client.kind != Kind::Web || client.has_recalled());
        let is_at_rest = |node: &Node| {
            let world = node.world.borrow();
            let runs = node.reactor.is_some() && !node.is_leaving;
            runs && world.unread_bytes() == 0 && world.unheard_ends() == 0 && !world.has_edges()
        };
        self.clients.iter().all(is_settled) && self.nodes.iter().all(is_at_rest)
    }

    /// Nobody does anything any more, until all nodes have seen what came of everything.
    fn rest(&mut self) {
        for _ in 0..SETTLING_MS / TICK_MS / 2 {
            self.turn(TICK_MS);
        }
    }

    /// All nodes have the same rooms, and so has one that knows nothing but the log.
    fn check_states(&self) {
        let loaded = self.shared.borrow().log.load();
        let mut rooms = self.conditions.rooms(0);
        rooms.rely_on_journal_beyond(self.conditions.memory_events);
        rooms.share_as(NodeId(1));
        rooms.restore_accounts(loaded.accounts);
        let now = self.nodes[0].world.borrow().now;
        rooms.restore_loaded(loaded.rooms.into_iter().map(|room| room.room).collect(), &loaded.nodes, now);
        let expected = state_of(&rooms);
        let mut events: BTreeMap<String, String> = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let rooms = node.reactor.as_ref().expect("it runs").rooms();
            assert_eq!(state_of(rooms), expected, "node {number} has other rooms than the log");
            note_events(rooms, &mut events);
        }
        self.claims.check(&self.nodes[0].reactor.as_ref().expect("it runs").rooms().committed_state());
    }

    /// Everybody breaks off, and time passes: nothing may be left.
    fn clear(&mut self) {
        for number in 0..self.clients.len() {
            for connection in self.clients[number].links() {
                self.break_off(number, connection);
            }
        }
        self.rest();
        self.pass(EMPTY_MS - SETTLING_MS / 2);
        self.rest();
        for node in &self.nodes {
            let reactor = node.reactor.as_ref().expect("it runs");
            assert_eq!(reactor.connection_count(), 0, "closed connections leave nothing behind");
            assert_eq!(reactor.rooms().counts().rooms, 0, "empty rooms end");
        }
        assert!(self.shared.borrow().log.codes().is_empty(), "rooms that end leave the log");
    }

    fn promises(&self) -> Promises {
        let keeps_all = self.shared.borrow().waits_for_copies && !self.faults.hide_nodes();
        Promises {
            history_events: self.conditions.limits.history_events as u64,
            memory_events: self.conditions.memory_events as u64,
            is_durable: self.servers == 0 || keeps_all,
            is_shared: true,
        }
    }
}

/// All that nodes agree on but for events, of which memory holds some.
fn state_of(rooms: &Rooms) -> Vec<String> {
    rooms.committed_state().lines().filter(|line| !line.starts_with("event")).map(str::to_owned).collect()
}

/// An event that several hold is the same.
fn note_events(rooms: &Rooms, events: &mut BTreeMap<String, String>) {
    let state = rooms.committed_state();
    let mut room = String::new();
    for line in state.lines() {
        if let Some(rest) = line.strip_prefix("room ") {
            room = rest.to_owned();
        }
        if let Some((id, _)) = line.strip_prefix("event Event { id: ").and_then(|rest| rest.split_once(',')) {
            let event = line.split(" known as").next().expect("the beginning").to_owned();
            let known = events.entry(format!("{room} {id}")).or_insert_with(|| event.clone());
            assert_eq!(*known, event, "nodes differ in an event");
        }
    }
}

fn run(seed: u64) {
    let mut nodes = Nodes::new(seed);
    for _ in 0..nodes.conditions.steps {
        nodes.step();
    }
    nodes.behave();
    nodes.settle();
    nodes.rest();
    nodes.check_states();
    nodes.clear();
    for room in ["KXQT", "BCDF"] {
        let lives = nodes.history.lives_of(room);
        assert!(lives <= 1 + nodes.servers as usize, "{lives} lives of {room}");
    }
    nodes.history.check(nodes.promises());
}

#[test]
fn every_history_of_several_nodes_keeps_the_promises() {
    crate::run_histories(HISTORIES, run);
}
