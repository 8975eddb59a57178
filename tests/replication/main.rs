//! Several nodes, one order: whatever each of them proposes, all that read the same log have the same rooms, to the last
//! byte, and so has whoever loads them from a snapshot and what came after it; nothing is said twice; a parting is told
//! once; and whoever asked for what has become impossible is told so.
//!
//! No sockets: sets of rooms ([`node`]), and a model of the log that orders what all of them propose ([`log`]).

mod log;
mod node;

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::rooms::{
    Command, ConnectionId, Emoji, Epoch, FileId, FileName, FileType, Join, JoinTarget, Kind, MessageKey, MessageRef,
    Moderation, Name, PasswordHash, ProvenCommand, Refusal, Reply, RoomCode, RoomCommand, RoomRef, Share, SharedFile,
    Sharer, Text, Token,
};
use snugd::time::Now;

use crate::log::Log;
use crate::node::{CONNECTIONS, GRACE_MS, Node};

/// So many histories, unless `REPLICATION_HISTORIES` says otherwise.
const HISTORIES: u64 = 500;
const STEPS: u32 = 150;
const NODES: usize = 3;

/// Nodes, and what orders their proposals.
struct Cluster {
    nodes: Vec<Node>,
    log: Log,
    now: Now,
    random: StdRng,
    /// All files that anybody was to share.
    shared: Vec<FileId>,
    runs: u64,
    seed: u64,
    join_rate: u32,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("REPLICATION_FIRST={} finds it", self.seed);
        }
    }
}

impl Cluster {
    fn new(seed: u64) -> Cluster {
        Cluster::with_join_rate(seed, 0)
    }

    /// The same, where so many codes may be asked for a minute that are none.
    fn with_join_rate(seed: u64, join_rate: u32) -> Cluster {
        let now = Now { steady_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let random = StdRng::seed_from_u64(seed);
        let (nodes, log, shared) = (Vec::new(), Log::default(), Vec::new());
        let mut cluster = Cluster { nodes, log, now, random, shared, runs: 0, seed, join_rate };
        for _ in 0..NODES {
            let node = cluster.new_node();
            cluster.nodes.push(node);
        }
        cluster
    }

    fn new_node(&mut self) -> Node {
        self.runs += 1;
        Node::new(&mut self.log, self.seed * 1_000 + self.runs, self.join_rate, self.now)
    }

    fn execute(&mut self, node: usize, number: usize, command: Command) {
        self.nodes[node].execute(&mut self.log, number, command, self.now);
    }

    /// Something goes to the log, or comes back from it. Returns whether anything did.
    fn move_one(&mut self) -> bool {
        let mut moves: Vec<(usize, Option<Epoch>)> = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            moves.extend(node.sendable().into_iter().map(|epoch| (number, Some(epoch))));
            if node.read < self.log.entries.len() {
                // What is to be read is read, or nothing could be sent.
                moves.extend([(number, None); 3]);
            }
        }
        if moves.is_empty() {
            return false;
        }
        match moves[self.random.random_range(0..moves.len())] {
            (node, Some(epoch)) => self.nodes[node].send(epoch, &mut self.log, self.now),
            (node, None) => drop(self.nodes[node].read_one(&mut self.log, self.now)),
        }
        true
    }

    /// Everything that is on its way arrives.
    fn settle(&mut self) {
        // Whatever is executed again is answered or refused in the end.
        let is_settled = (0..50_000).any(|_| !self.move_one());
        assert!(is_settled, "seed {}: the nodes propose for ever", self.seed);
        for (number, node) in self.nodes.iter().enumerate() {
            assert!(node.is_settled(), "seed {}: node {number} waits for ever", self.seed);
        }
    }

    /// A node dies, and is started again.
    fn kill(&mut self, number: usize) {
        let other = self.nodes[(number + 1) % NODES].id;
        self.log.give_up(self.nodes[number].id, other);
        self.nodes[number] = self.new_node();
    }

    /// A node is cut off for so long that it is given up.
    fn cut_off(&mut self, number: usize) {
        let (node, other) = (self.nodes[number].id, self.nodes[(number + 1) % NODES].id);
        if self.log.nodes.contains(&node) {
            self.log.give_up(node, other);
        }
    }

    /// All that nodes agree on of what a log remembers of rooms beside their events.
    fn state_but_events(state: &str) -> String {
        state.lines().filter(|line| !line.starts_with("event ")).collect::<Vec<_>>().join("\n")
    }

    fn check_states(&mut self) {
        let seed = self.seed;
        let states: Vec<String> = self.nodes.iter().map(|node| node.rooms.committed_state()).collect();
        let [first, others @ ..] = &states[..] else { return };
        for state in others {
            let (first, state) = (Cluster::state_but_events(first), Cluster::state_but_events(state));
            assert!(state == first, "seed {seed}:\n{first}\n\n{state}");
        }
        let loaded = Node::new(&mut self.log, seed, 0, self.now);
        self.log.nodes.pop();
        let (first, loaded) =
            (Cluster::state_but_events(first), Cluster::state_but_events(&loaded.rooms.committed_state()));
        assert!(loaded == first, "seed {seed}, loaded:\n{first}\n\n{loaded}");
    }

    /// A file that nobody else shares, by whoever has this secret, by somebody of this name, or by nobody in particular.
    fn draw_share(&mut self, code: RoomCode, name: &str, token: Option<Token>) -> Command {
        let (id, name_of_file) = (FileId::random(&mut self.random), FileName::clean("plan.pdf"));
        let sharer = match (token, self.random.random_range(0..3)) {
            (Some(token), 0..2) => Sharer::Member(token),
            (None, 0) => Sharer::Guest(Name::parse(name).expect("a name")),
            _ => Sharer::Nameless,
        };
        let cid = MessageKey::parse(&self.random.random_range(0..40).to_string());
        let (file_type, dimensions) = (FileType::Other, None);
        let file = SharedFile { id, name: name_of_file, size_bytes: 7, file_type, dimensions };
        self.shared.push(id);
        Command::Share(Box::new(Share { code, sharer, key: None, cid, text: None }), Box::new(file))
    }

    fn step(&mut self) {
        let node = self.random.random_range(0..NODES);
        let number = self.random.random_range(0..CONNECTIONS);
        let name = ["ana", "ben", "eve"][self.random.random_range(0..3)];
        let code = RoomCode::parse(["KXQT", "BCDF"][self.random.random_range(0..2)]).expect("a code");
        let connection = &self.nodes[node].connections[number];
        if !connection.waits {
            let is_member = !connection.memberships.is_empty();
            let token = connection.token.filter(|_| self.random.random_bool(0.5));
            let command = match self.random.random_range(0..15) {
                13.. => self.draw_share(code, name, token),
                _ if !is_member => join(code, name, token),
                0 => join(code, name, token),
                1 => Command::In(RoomRef::Only, RoomCommand::Leave),
                2 => Command::In(RoomRef::Only, RoomCommand::Nick(Name::parse(name).expect("a name"))),
                3 => {
                    let (target, name) = (JoinTarget::CodeOrNew(code), Name::parse(name).expect("a name"));
                    Command::Reserve { target, name, token, key: None }
                }
                4..6 => Command::In(RoomRef::Only, self.draw_amendment()),
                6..8 => Command::In(
                    RoomRef::Only,
                    RoomCommand::Moderate { readings: vec![self.draw_moderation()], cid: None },
                ),
                8 => {
                    let (name, hash) = (Name::parse(name).expect("a name"), PasswordHash::new("$hash"));
                    Command::Proven(Box::new(match self.nodes[node].rooms.account_named(&name) {
                        Some(account) if self.random.random_bool(0.5) => {
                            ProvenCommand::ChangePassword { account, hash }
                        }
                        Some(account) => ProvenCommand::Unregister { account },
                        None => ProvenCommand::Register { name, hash },
                    }))
                }
                _ => {
                    let cid = MessageKey::parse(&self.random.random_range(0..40).to_string());
                    let (kind, text) = (Kind::Say, Text::clean("hello", 100).expect("a text"));
                    Command::In(RoomRef::Only, RoomCommand::Say { kind, text, cid, reply_to: None })
                }
            };
            self.execute(node, number, command);
        }
        match self.random.random_range(0..40) {
            0..2 if !self.nodes[node].connections[number].waits => {
                self.nodes[node].disconnect(&mut self.log, number, self.now);
            }
            2..4 => self.pass(500),
            4 => self.nodes[node].refuse_one(&mut self.random, &mut self.log, self.now),
            5..7 => self.nodes[node].keep_snapshot(&mut self.random, &mut self.log),
            7 if self.random.random_bool(0.2) => self.kill(node),
            8 if self.random.random_bool(0.3) => self.cut_off(node),
            9 => {
                // Somebody goes on to another node.
                let token = self.nodes[node].connections[number].token;
                let other = &mut self.nodes[(node + 1) % NODES].connections[number];
                if !other.waits {
                    other.token = token;
                }
            }
            _ => (),
        }
        for _ in 0..self.random.random_range(0..9) {
            self.move_one();
        }
    }

    /// Something that is done with one of the first events, which may be a message of one's own.
    fn draw_amendment(&mut self) -> RoomCommand {
        let of = MessageRef::Id(self.random.random_range(1..30));
        match self.random.random_range(0..3) {
            0 => RoomCommand::Edit { of, text: Text::clean("hullo", 100).expect("a text"), cid: None },
            1 => RoomCommand::Delete { of, cid: None },
            _ => {
                let emoji = Emoji::parse(["👍", "🎉"][self.random.random_range(0..2)]).expect("an emoji");
                RoomCommand::React { of, emoji, on: self.random.random_bool(0.7), cid: None }
            }
        }
    }

    /// What operators do, and others try to.
    fn draw_moderation(&mut self) -> Moderation {
        let name = Name::parse(["ana", "ben", "eve"][self.random.random_range(0..3)]).expect("a name");
        let seconds = Some(self.random.random_range(1..5));
        match self.random.random_range(0..12) {
            10 => Moderation::Lock,
            11 => Moderation::Unlock,
            0..3 => Moderation::Op(name),
            3 => Moderation::Deop(name),
            4..6 => Moderation::Kick { name, reason: None },
            6 => Moderation::Ban { name, seconds, reason: None },
            7 => Moderation::Unban(name),
            8 => Moderation::Mute { name, seconds },
            _ => Moderation::Topic(Text::clean("so be it", 100).ok()),
        }
    }

    /// Each file that was to be shared is one of an event, or was released. Where a node has died, it may be neither.
    fn check_files(&mut self) -> usize {
        let kept: HashSet<FileId> = self.nodes[0].rooms.files().map(|file| file.id).collect();
        let released = |node: &mut Node| std::iter::from_fn(|| node.rooms.take_released_file()).collect::<Vec<_>>();
        let released: HashSet<FileId> = self.nodes.iter_mut().flat_map(released).collect();
        let has_died = self.runs > NODES as u64;
        for file in self.shared.iter().filter(|_| !has_died) {
            let (is_kept, is_released) = (kept.contains(file), released.contains(file));
            assert!(is_kept != is_released, "seed {}: kept {is_kept}, released {is_released}", self.seed);
        }
        kept.len()
    }

    /// Whoever is connected has its place, and where people are there is an operator; nobody bears a name without right that
    /// is somebody's own.
    fn check_rights(&mut self) {
        // Whoever was to keep order may have been refused that: it is looked at again when anything happens.
        for node in 0..NODES {
            for number in 0..CONNECTIONS {
                if !self.nodes[node].connections[number].memberships.is_empty() {
                    let text = Text::clean("now", 100).expect("a text");
                    let say = RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: None };
                    self.execute(node, number, Command::In(RoomRef::Only, say));
                }
            }
        }
        self.settle();
        let seed = self.seed;
        for node in &self.nodes {
            for here in node.connections.iter().flat_map(|connection| &connection.memberships) {
                let room = node.rooms.room(here.room);
                assert!(room.member(here.author).is_some(), "seed {seed}: a place is lost, and nobody told");
                assert!(room.operators().next().is_some(), "seed {seed}: nobody keeps order");
                for member in room.members() {
                    let is_claimed = node.rooms.account_named(member.name()).is_some();
                    let bears = room.has_account(member.author());
                    assert!(!is_claimed || bears, "seed {seed}: {:?} bears another's name", member.name());
                }
            }
        }
    }

    /// Once nobody is connected any more, everybody parts, and every room ends: nobody stays behind for ever.
    fn check_that_all_part(&mut self) {
        for node in 0..NODES {
            (0..CONNECTIONS).for_each(|number| self.nodes[node].disconnect(&mut self.log, number, self.now));
        }
        // Somebody may have a place that is kept for a page; then the room is kept for a while.
        for _ in 0..100 {
            self.pass(1_000);
            self.settle();
        }
        for node in &self.nodes {
            let state = node.rooms.committed_state();
            assert!(!state.contains("\nmember "), "seed {}: somebody stays for ever:\n{state}", self.seed);
        }
        (0..5).for_each(|_| {
            self.pass(3_700_000);
            self.settle();
        });
        for node in &self.nodes {
            let state = node.rooms.committed_state();
            assert!(!state.contains("room "), "seed {}: a room stays for ever:\n{state}", self.seed);
        }
    }

    fn pass(&mut self, time_ms: u64) {
        self.now.steady_ms += time_ms;
        self.now.wall_ms += time_ms;
        for node in &mut self.nodes {
            node.rooms.expire(self.now);
            node.take_in(&mut self.log, self.now);
        }
    }
}

fn join(code: RoomCode, name: &str, token: Option<Token>) -> Command {
    let (target, name) = (JoinTarget::CodeOrNew(code), Name::parse(name));
    let (stays_elsewhere, keeps_name, since, epoch) = (false, false, None, None);
    Command::Join(Box::new(Join { target, stays_elsewhere, name, keeps_name, token, since, epoch, key: None }))
}

#[test]
fn all_nodes_have_the_same_rooms_and_every_question_is_answered() {
    let wanted = std::env::var("REPLICATION_HISTORIES").map(|count| count.parse().expect("a number"));
    let first: u64 = std::env::var("REPLICATION_FIRST").map_or(0, |first| first.parse().expect("a number"));
    let mut shared = 0;
    for seed in first..first + wanted.unwrap_or(HISTORIES) {
        let mut cluster = Cluster::new(seed);
        for _ in 0..STEPS {
            cluster.step();
        }
        cluster.settle();
        cluster.check_states();
        // What was refused, and has not come back after a while, does not.
        cluster.pass(61_000);
        cluster.settle();
        cluster.check_rights();
        shared += cluster.check_files();
        for (number, node) in cluster.nodes.iter().enumerate() {
            let waiting = node.connections.iter().filter(|connection| connection.waits).count();
            assert_eq!(waiting, 0, "seed {seed}: a connection of node {number} waits for ever");
        }
        cluster.check_that_all_part();
    }
    assert!(shared > 0, "files are shared");
}

/// Both of two people want the same name, on two nodes at the same time: one has it, the other is told.
#[test]
fn a_name_that_went_to_somebody_else_first_is_refused() {
    let mut cluster = Cluster::new(1);
    let code = RoomCode::parse("KXQT").expect("a code");
    cluster.execute(0, 0, join(code, "ana", None));
    cluster.settle();
    for node in 0..NODES {
        cluster.execute(node, 1, join(code, "ben", None));
    }
    cluster.settle();
    let answers: Vec<&Reply> = cluster.nodes.iter().map(|node| &node.connections[1].replies[0]).collect();
    let joined = answers.iter().filter(|reply| matches!(reply, Reply::Joined { .. })).count();
    let is_taken = |reply: &&&Reply| matches!(reply, Reply::Refused { refusal: Refusal::NameTaken { .. }, .. });
    assert_eq!((joined, answers.iter().filter(is_taken).count()), (1, NODES - 1), "{answers:?}");
}

/// A message that is sent again over another node, while the first is on its way, is said once, and its sender told so.
#[test]
fn a_message_is_said_once_whatever_way_it_takes() {
    let mut cluster = Cluster::new(2);
    let code = RoomCode::parse("KXQT").expect("a code");
    cluster.execute(0, 0, join(code, "ana", None));
    cluster.settle();
    let token = cluster.nodes[0].connections[0].token;
    let say = || {
        let (kind, text, cid) = (Kind::Say, Text::clean("hi", 100).expect("a text"), MessageKey::parse("c1"));
        Command::In(RoomRef::Only, RoomCommand::Say { kind, text, cid, reply_to: None })
    };
    cluster.execute(0, 0, say());
    let epoch = cluster.nodes[0].sendable()[0];
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    // It is in the log, and the other node has not read it yet.
    cluster.execute(1, 0, join(code, "ana", token));
    let is_joined = |cluster: &Cluster| !cluster.nodes[1].connections[0].memberships.is_empty();
    while !is_joined(&cluster) && cluster.move_one() {}
    cluster.execute(1, 0, say());
    cluster.settle();
    cluster.check_states();
    let state = cluster.nodes[0].rooms.committed_state();
    assert_eq!(state.matches("body: Message").count(), 1, "{state}");
    assert!(matches!(cluster.nodes[1].connections[0].replies.last(), Some(Reply::AlreadySaid { id: 2, .. })));
}

fn kxqt() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

fn say(text: &str) -> Command {
    let text = Text::clean(text, 100).expect("a text");
    Command::In(RoomRef::Only, RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: None })
}

fn moderate(moderation: Moderation) -> Command {
    Command::In(RoomRef::Only, RoomCommand::Moderate { readings: vec![moderation], cid: None })
}

impl Cluster {
    /// These are in one room, each at a node of its own.
    fn with_people(names: &[&str]) -> Cluster {
        let mut cluster = Cluster::new(3);
        for (node, name) in names.iter().enumerate() {
            cluster.execute(node, 0, join(kxqt(), name, None));
            cluster.settle();
        }
        cluster
    }

    /// All that a node has proposed of this room goes to the log.
    fn send(&mut self, node: usize, epoch: Epoch) {
        while self.nodes[node].sendable().contains(&epoch) {
            let appended = self.log.entries.len();
            self.nodes[node].send(epoch, &mut self.log, self.now);
            if self.log.entries.len() == appended {
                return;
            }
        }
    }

    /// A node reads all that there is.
    fn read(&mut self, node: usize) {
        while self.nodes[node].read_one(&mut self.log, self.now) {}
    }

    /// The room in which somebody is over the first connection of this node.
    fn epoch(&self, node: usize) -> Epoch {
        self.nodes[node].connections[0].has.expect("somebody is in a room").1
    }

    fn replies(&self, node: usize, number: usize) -> &[Reply] {
        &self.nodes[node].connections[number].replies
    }

    /// The names of those who are in the room by what this node knows.
    fn people(&self, node: usize) -> Vec<String> {
        let state = self.nodes[node].rooms.committed_state();
        let name = |line: &str| Some(line.strip_prefix("member ")?.split('"').nth(1)?.to_owned());
        state.lines().filter_map(name).collect()
    }
}

/// Who dies with its node parts after the grace, once.
#[test]
fn the_members_of_a_node_that_dies_part_once_after_the_grace() {
    let mut cluster = Cluster::with_people(&["ana", "ben", "eve"]);
    cluster.kill(0);
    cluster.settle();
    cluster.pass(GRACE_MS - 1);
    cluster.settle();
    assert_eq!(cluster.people(1), ["ana", "ben", "eve"]);
    cluster.pass(1);
    cluster.settle();
    assert_eq!(cluster.people(1), ["ben", "eve"]);
    // Nor does anybody part a second time when the other nodes would do it.
    cluster.pass(10_000);
    cluster.settle();
    cluster.check_states();
    let state = cluster.nodes[1].rooms.committed_state();
    assert_eq!(state.matches("body: Part").count(), 1, "{state}");
    cluster.check_that_all_part();
}

/// Where the last operator leaves for good, and its node dies before it knows, the one who has been there longest keeps
/// order.
#[test]
fn whoever_keeps_order_next_does_so_whatever_becomes_of_the_node_of_the_last() {
    let mut cluster = Cluster::with_people(&["ana", "ben", "eve"]);
    cluster.execute(0, 0, Command::In(RoomRef::Only, RoomCommand::Leave));
    let epoch = cluster.nodes[0].sendable()[0];
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    cluster.kill(0);
    cluster.settle();
    let here = cluster.nodes[1].connections[0].memberships[0];
    let room = cluster.nodes[1].rooms.room(here.room);
    assert_eq!(room.operators().collect::<Vec<_>>(), [here.author], "ben is an operator now");
    let state = cluster.nodes[2].rooms.committed_state();
    assert_eq!(state.matches("Mode { change: Op").count(), 1, "{state}");
    cluster.check_states();
}

/// Whoever claims a name takes it from those who bear it at other nodes, and the sessions that came by a password end
/// everywhere when there is another.
#[test]
fn a_claimed_name_is_lost_at_every_node() {
    let mut cluster = Cluster::with_people(&["ana", "ben"]);
    let (name, hash) = (Name::parse("ben").expect("a name"), PasswordHash::new("$hash"));
    cluster.execute(0, 1, Command::Proven(Box::new(ProvenCommand::Register { name, hash })));
    cluster.settle();
    assert_eq!(cluster.people(2), ["ana", "ben_1"]);
    let state = cluster.nodes[0].rooms.committed_state();
    assert_eq!(state.matches("body: Nick").count(), 1, "by one node: {state}");
    let is_told = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::NameLost { .. }, .. });
    assert_eq!(cluster.replies(1, 0).iter().filter(|reply| is_told(reply)).count(), 1);
    // Its owner comes in at another node, and changes the password at a third.
    let account = cluster.nodes[2].rooms.account_named(&Name::parse("ben").expect("a name")).expect("it is claimed");
    cluster.nodes[2].rooms.note_proof(ConnectionId(2), account);
    cluster.execute(2, 2, join(kxqt(), "ben", None));
    cluster.settle();
    assert_eq!(cluster.people(0), ["ana", "ben_1", "ben"]);
    let hash = PasswordHash::new("$other");
    cluster.execute(0, 1, Command::Proven(Box::new(ProvenCommand::ChangePassword { account, hash })));
    cluster.settle();
    assert!(matches!(cluster.replies(2, 2).last(), Some(Reply::SessionEnded { .. })));
    assert_eq!(cluster.people(0), ["ana", "ben_1"]);
    cluster.check_states();
}

/// Who comes back to another node by a secret while the password is changed is asked for the new one.
#[test]
fn who_comes_back_while_the_password_is_changed_does_not_come_in() {
    let mut cluster = Cluster::with_people(&["eve", "ben", "ana"]);
    let epoch = cluster.epoch(0);
    let (name, hash) = (Name::parse("ana").expect("a name"), PasswordHash::new("$hash"));
    cluster.execute(2, 0, Command::Proven(Box::new(ProvenCommand::Register { name: name.clone(), hash })));
    cluster.settle();
    let account = cluster.nodes[0].rooms.account_named(&name).expect("it is claimed");
    let token = cluster.nodes[2].connections[0].token;
    cluster.execute(1, 1, join(kxqt(), "ana", token));
    let hash = PasswordHash::new("$other");
    cluster.execute(0, 1, Command::Proven(Box::new(ProvenCommand::ChangePassword { account, hash })));
    cluster.send(0, Epoch::NONE);
    // Her own node has not read it yet.
    cluster.send(1, epoch);
    cluster.read(1);
    cluster.send(1, epoch);
    cluster.settle();
    let is_asked = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::PasswordRequired { .. }, .. });
    assert!(cluster.replies(1, 1).last().is_some_and(is_asked), "{:?}", cluster.replies(1, 1));
    assert_eq!(cluster.people(1), ["eve", "ben"]);
    cluster.check_states();
}

/// Whose grace is over at one node when it comes to another stays.
#[test]
fn who_comes_to_another_node_first_is_not_given_up() {
    let mut cluster = Cluster::with_people(&["ana", "ben"]);
    let (epoch, token) = (cluster.epoch(0), cluster.nodes[0].connections[0].token);
    cluster.nodes[0].disconnect(&mut cluster.log, 0, cluster.now);
    cluster.pass(GRACE_MS);
    assert_eq!(cluster.nodes[0].sendable(), [epoch], "she is about to part");
    cluster.execute(1, 1, join(kxqt(), "ana", token));
    cluster.send(1, epoch);
    cluster.settle();
    assert_eq!(cluster.people(0), ["ana", "ben"]);
    assert!(!cluster.nodes[0].rooms.committed_state().contains("body: Part"));
    cluster.check_states();
}

/// An empty room whose time is up at one node when somebody is there for a moment at another has its time anew.
#[test]
fn a_room_in_which_somebody_was_meanwhile_does_not_end() {
    let mut cluster = Cluster::with_people(&["ana"]);
    let epoch = cluster.epoch(0);
    cluster.execute(0, 0, Command::In(RoomRef::Only, RoomCommand::Leave));
    cluster.settle();
    cluster.pass(3_600_000);
    assert_eq!(cluster.nodes[0].sendable(), [epoch], "it is about to end");
    cluster.execute(1, 0, join(kxqt(), "ben", None));
    cluster.send(1, epoch);
    cluster.read(1);
    cluster.execute(1, 0, Command::In(RoomRef::Only, RoomCommand::Leave));
    cluster.send(1, epoch);
    cluster.settle();
    assert!(cluster.nodes[2].rooms.committed_state().starts_with("room KXQT"), "it goes on");
    cluster.pass(3_700_000);
    cluster.settle();
    assert_eq!(cluster.nodes[2].rooms.committed_state(), "");
}

/// What is possible only behind another of the same node waits for that, and for no other.
#[test]
fn what_relies_on_others_waits_until_they_are_committed() {
    let mut cluster = Cluster::with_people(&["ana", "ben"]);
    let epoch = cluster.epoch(0);
    cluster.execute(0, 0, Command::In(RoomRef::Only, RoomCommand::Leave));
    cluster.execute(0, 1, join(kxqt(), "ana", None));
    let to = Name::parse("bea").expect("a name");
    cluster.execute(1, 0, Command::In(RoomRef::Only, RoomCommand::Nick(to)));
    cluster.send(1, epoch);
    cluster.read(0);
    assert_eq!(cluster.nodes[0].waits(epoch), [false, true], "who comes waits for the name");
    cluster.settle();
    assert!(matches!(cluster.replies(0, 1), [Reply::Joined { .. }]), "{:?}", cluster.replies(0, 1));
    assert_eq!(cluster.people(2), ["bea", "ana"]);
    cluster.check_states();
}

/// Who has taken somebody's place over while its node was cut off keeps it when that is back.
#[test]
fn a_node_that_was_cut_off_takes_nobody_back() {
    let mut cluster = Cluster::with_people(&["ana", "ben"]);
    let token = cluster.nodes[0].connections[0].token;
    cluster.cut_off(0);
    cluster.execute(1, 1, join(kxqt(), "ana", token));
    cluster.send(1, cluster.epoch(1));
    cluster.settle();
    assert!(matches!(cluster.replies(0, 0).last(), Some(Reply::TakenOver { .. })));
    assert!(matches!(cluster.replies(1, 1), [Reply::Joined { .. }]), "{:?}", cluster.replies(1, 1));
    cluster.pass(60_000);
    cluster.settle();
    assert_eq!(cluster.people(2), ["ana", "ben"]);
    cluster.check_states();
}

/// A place that one node keeps for a page is not given up by another at which the page was refused.
#[test]
fn who_is_refused_at_one_node_keeps_its_place_at_another() {
    let mut cluster = Cluster::with_people(&["ana"]);
    let (epoch, name) = (cluster.epoch(0), Name::parse("ben").expect("a name"));
    let target = JoinTarget::Code(kxqt());
    cluster.execute(0, 1, Command::Reserve { target, name, token: None, key: None });
    cluster.settle();
    let Some(Reply::Reserved { token, .. }) = cluster.replies(0, 1).last() else { panic!("it is reserved") };
    let token = Some(*token);
    cluster.execute(1, 1, join(kxqt(), "ben", token));
    cluster.nodes[1].refuse(epoch, 0, &mut cluster.log, cluster.now);
    cluster.pass(GRACE_MS);
    cluster.settle();
    assert_eq!(cluster.people(1), ["ana", "ben"]);
    cluster.execute(1, 1, join(kxqt(), "ben", token));
    cluster.settle();
    assert!(matches!(cluster.replies(1, 1).last(), Some(Reply::Joined { .. })));
    cluster.check_states();
}

/// Whoever waits for a room to begin and is refused does not have those forgotten who wait behind: the log may have both.
#[test]
fn a_room_whose_beginning_was_refused_may_begin_all_the_same() {
    let mut cluster = Cluster::new(6);
    cluster.execute(0, 0, join(kxqt(), "ana", None));
    cluster.execute(0, 1, join(kxqt(), "ben", None));
    let epoch = cluster.nodes[0].sendable()[0];
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    cluster.nodes[0].refuse(epoch, 0, &mut cluster.log, cluster.now);
    cluster.read(0);
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    // A name that is on its way is taken.
    cluster.execute(0, 2, join(kxqt(), "ben", None));
    let is_taken = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::NameTaken { .. }, .. });
    assert!(cluster.replies(0, 2).last().is_some_and(is_taken), "{:?}", cluster.replies(0, 2));
    cluster.settle();
    assert_eq!(cluster.people(1), ["ana", "ben"]);
    cluster.pass(GRACE_MS);
    cluster.settle();
    assert_eq!(cluster.people(1), ["ben"], "for ana nobody waits any more");
    cluster.check_states();
}

/// Who has a place that is kept for it comes in once, however many pages of it come at several nodes at once.
#[test]
fn who_comes_in_at_two_nodes_at_once_comes_once() {
    let mut cluster = Cluster::with_people(&["ana"]);
    let name = Name::parse("ben").expect("a name");
    let target = JoinTarget::Code(kxqt());
    cluster.execute(0, 1, Command::Reserve { target, name, token: None, key: None });
    cluster.settle();
    let Some(Reply::Reserved { token, .. }) = cluster.replies(0, 1).last() else { panic!("it is reserved") };
    let token = Some(*token);
    cluster.execute(1, 1, join(kxqt(), "ben", token));
    cluster.execute(2, 1, join(kxqt(), "ben", token));
    cluster.settle();
    let state = cluster.nodes[0].rooms.committed_state();
    assert_eq!(state.matches("body: Enter").count(), 2, "{state}");
    let all = [1, 2].map(|node| cluster.replies(node, 1)).concat();
    assert_eq!(all.iter().filter(|reply| matches!(reply, Reply::Joined { .. })).count(), 2, "{all:?}");
    assert_eq!(all.iter().filter(|reply| matches!(reply, Reply::TakenOver { .. })).count(), 1, "{all:?}");
    cluster.check_states();
}

/// Behind a lock that is on its way nobody comes in, since what a log takes in is possible.
#[test]
fn nobody_comes_in_behind_a_lock_that_is_on_its_way() {
    let mut cluster = Cluster::with_people(&["ana"]);
    cluster.execute(0, 0, moderate(Moderation::Lock));
    let (target, name) = (JoinTarget::Code(kxqt()), Name::parse("ben").expect("a name"));
    cluster.execute(0, 1, Command::Reserve { target, name, token: None, key: None });
    let is_locked = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::RoomLocked { .. }, .. });
    assert!(cluster.replies(0, 1).last().is_some_and(is_locked), "{:?}", cluster.replies(0, 1));
    cluster.settle();
    assert_eq!(cluster.people(1), ["ana"]);
}

/// Who dies with its node and comes to another one within the grace has never been away, for the others.
#[test]
fn who_comes_to_another_node_within_the_grace_makes_no_noise() {
    let mut cluster = Cluster::with_people(&["ana", "ben", "eve"]);
    let (token, has) = (cluster.nodes[0].connections[0].token, cluster.nodes[0].connections[0].has);
    cluster.kill(0);
    let Command::Join(mut back) = join(kxqt(), "ana", token) else { unreachable!("it is one") };
    let (since, epoch) = has.expect("it was there");
    (back.since, back.epoch) = (Some(since), Some(epoch));
    cluster.execute(1, 1, say("nobody waits"));
    cluster.execute(1, 2, Command::Join(back));
    cluster.settle();
    cluster.pass(60_000);
    cluster.settle();
    let is_silent = |reply: &Reply| matches!(reply, Reply::Joined { events, gap: false, .. } if events.is_empty());
    assert!(cluster.replies(1, 2).iter().any(is_silent), "{:?}", cluster.replies(1, 2));
    assert_eq!(cluster.people(2), ["ana", "ben", "eve"]);
    let state = cluster.nodes[2].rooms.committed_state();
    assert_eq!((state.matches("body: Part").count(), state.matches("body: Enter").count()), (0, 3), "{state}");
}

/// Who comes by its secret to another node takes the place over, even from a connection that lives.
#[test]
fn a_place_is_taken_over_across_nodes() {
    let mut cluster = Cluster::with_people(&["ana", "ben"]);
    let token = cluster.nodes[0].connections[0].token;
    cluster.execute(1, 1, join(kxqt(), "ana", token));
    cluster.settle();
    assert!(matches!(cluster.replies(0, 0).last(), Some(Reply::TakenOver { .. })));
    // Its node has nothing to do with it any more.
    cluster.nodes[0].disconnect(&mut cluster.log, 0, cluster.now);
    cluster.kill(0);
    cluster.pass(60_000);
    cluster.settle();
    assert_eq!(cluster.people(1), ["ana", "ben"]);
    cluster.check_states();
}

/// A node that was cut off for less than the grace keeps its members; for longer, they are told to come again.
#[test]
fn a_node_that_was_cut_off_says_whom_it_still_has() {
    for (cut_off_ms, is_kept) in [(GRACE_MS / 2, true), (GRACE_MS + 6_000, false)] {
        let mut cluster = Cluster::with_people(&["ana", "ben", "eve"]);
        cluster.cut_off(0);
        // It reads nothing meanwhile.
        let others = |cluster: &mut Cluster| {
            for node in 1..NODES {
                while cluster.nodes[node].read_one(&mut cluster.log, cluster.now) {}
                for epoch in cluster.nodes[node].sendable() {
                    cluster.nodes[node].send(epoch, &mut cluster.log, cluster.now);
                }
                while cluster.nodes[node].read_one(&mut cluster.log, cluster.now) {}
            }
        };
        others(&mut cluster);
        cluster.pass(cut_off_ms);
        others(&mut cluster);
        assert_eq!(cluster.people(1).len(), if is_kept { 3 } else { 2 }, "{:?}", cluster.people(1));
        cluster.settle();
        cluster.pass(60_000);
        cluster.settle();
        assert_eq!(cluster.people(2).len(), if is_kept { 3 } else { 2 });
        let is_told = matches!(cluster.replies(0, 0).last(), Some(Reply::PlaceLost { .. }));
        assert_eq!(is_told, !is_kept, "{:?}", cluster.replies(0, 0));
        let token = cluster.nodes[0].connections[0].token;
        cluster.execute(0, 0, join(kxqt(), "ana", token));
        cluster.settle();
        assert_eq!(cluster.people(2).len(), 3, "it comes again");
        cluster.check_states();
    }
}

/// Whoever is banned is kept out by its address as well, which its own node alone knows.
#[test]
fn a_ban_holds_for_the_address_that_another_node_knows() {
    for is_between in [false, true] {
        let mut cluster = Cluster::with_people(&["ana", "ben", "eve"]);
        let (epoch, name) = (cluster.epoch(0), Name::parse("ben").expect("a name"));
        cluster.execute(0, 0, moderate(Moderation::Ban { name, seconds: None, reason: None }));
        if is_between {
            // The other node completes the ban between the kick and the ban that everybody is told of.
            cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
            cluster.read(1);
            cluster.send(1, epoch);
        } else {
            cluster.send(0, epoch);
        }
        cluster.settle();
        assert!(matches!(cluster.replies(1, 0).last(), Some(Reply::Kicked { .. })));
        // Every connection of this number comes from the same address.
        cluster.execute(2, 0, Command::In(RoomRef::Only, RoomCommand::Leave));
        cluster.settle();
        cluster.execute(2, 0, join(kxqt(), "zoe", None));
        cluster.settle();
        let is_banned = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::Banned { .. }, .. });
        assert!(cluster.replies(2, 0).last().is_some_and(is_banned), "{:?}", cluster.replies(2, 0));
        cluster.execute(2, 1, join(kxqt(), "zoe", None));
        cluster.settle();
        assert!(matches!(cluster.replies(2, 1).last(), Some(Reply::Joined { .. })), "from elsewhere she comes in");
        cluster.check_states();
    }
}

/// Who was just coming in at one node when it was banned at another is thrown out.
#[test]
fn who_comes_in_while_it_is_banned_elsewhere_does_not_stay() {
    for ban_first in [true, false] {
        let mut cluster = Cluster::with_people(&["ana"]);
        let name = Name::parse("ben").expect("a name");
        cluster.execute(0, 0, moderate(Moderation::Ban { name, seconds: None, reason: None }));
        cluster.execute(1, 1, join(kxqt(), "ben", None));
        let first = usize::from(!ban_first);
        let epoch = cluster.nodes[first].sendable()[0];
        cluster.nodes[first].send(epoch, &mut cluster.log, cluster.now);
        cluster.settle();
        assert_eq!(cluster.people(2), ["ana"]);
        let is_out = |reply: &Reply| {
            let is_banned = matches!(reply, Reply::Refused { refusal: Refusal::Banned { .. }, .. });
            is_banned || matches!(reply, Reply::Kicked { .. })
        };
        assert!(cluster.replies(1, 1).last().is_some_and(is_out), "{:?}", cluster.replies(1, 1));
        cluster.check_states();
    }
}

/// Whoever was told a code by one node is no stranger at another that has not heard of it yet.
#[test]
fn what_was_committed_elsewhere_is_waited_for() {
    let mut cluster = Cluster::with_join_rate(4, 3);
    cluster.execute(0, 0, join(kxqt(), "ana", None));
    let epoch = cluster.nodes[0].sendable()[0];
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    let visit = |token| Command::Visit { code: kxqt(), token };
    cluster.execute(1, 1, visit(None));
    assert!(cluster.replies(1, 1).is_empty(), "it waits");
    cluster.settle();
    assert!(matches!(cluster.replies(1, 1), [Reply::Visited { name: None, .. }]), "{:?}", cluster.replies(1, 1));
    // Nor is it known at once who has a secret of that room.
    let (name, target) = (Name::parse("ben").expect("a name"), JoinTarget::Code(kxqt()));
    cluster.execute(0, 1, Command::Reserve { target, name, token: None, key: None });
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    while cluster.nodes[0].read_one(&mut cluster.log, cluster.now) {}
    let Some(Reply::Reserved { token, .. }) = cluster.replies(0, 1).last() else { panic!("it is reserved") };
    let token = Some(*token);
    cluster.execute(2, 1, visit(token));
    cluster.settle();
    let is_ben = |reply: &Reply| matches!(reply, Reply::Visited { name: Some(name), .. } if name.as_str() == "ben");
    assert!(cluster.replies(2, 1).last().is_some_and(is_ben), "{:?}", cluster.replies(2, 1));
    // Who has more of the room than this node is not told of a gap.
    cluster.execute(0, 0, say("hello"));
    cluster.nodes[0].send(epoch, &mut cluster.log, cluster.now);
    while cluster.nodes[0].read_one(&mut cluster.log, cluster.now) {}
    let (token, has) = (cluster.nodes[0].connections[0].token, cluster.nodes[0].connections[0].has);
    let Command::Join(mut back) = join(kxqt(), "ana", token) else { unreachable!("it is one") };
    (back.since, back.epoch) = (has.map(|has| has.0), Some(epoch));
    cluster.execute(1, 0, Command::Join(back));
    cluster.settle();
    assert!(matches!(cluster.replies(1, 0).last(), Some(Reply::Joined { gap: false, .. })));
    // While nothing comes, it is answered as it is.
    let unknown = || Command::Visit { code: RoomCode::parse("BBBB").expect("a code"), token: None };
    cluster.nodes[2].rooms.set_journal_failing(true);
    cluster.execute(2, 1, unknown());
    let is_none = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::NoSuchRoom { .. }, .. });
    assert!(cluster.replies(2, 1).last().is_some_and(is_none));
}

/// Asking several nodes for codes that are none helps nobody: each guess counts once, at every node.
#[test]
fn guesses_count_once_on_every_node() {
    let mut cluster = Cluster::with_join_rate(5, 3);
    cluster.execute(0, 0, join(kxqt(), "ana", None));
    cluster.settle();
    let guess = || Command::Visit { code: RoomCode::parse("BBBB").expect("a code"), token: None };
    for node in 0..NODES {
        cluster.execute(node, 1, guess());
        cluster.settle();
        let is_none = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::NoSuchRoom { .. }, .. });
        assert!(cluster.replies(node, 1).last().is_some_and(is_none), "{:?}", cluster.replies(node, 1));
    }
    for node in 0..NODES {
        cluster.execute(node, 1, Command::Visit { code: kxqt(), token: None });
        cluster.settle();
        let is_limited = |reply: &Reply| matches!(reply, Reply::Refused { refusal: Refusal::TooManyCodes { .. }, .. });
        assert!(cluster.replies(node, 1).last().is_some_and(is_limited), "{:?}", cluster.replies(node, 1));
        cluster.execute(node, 2, Command::Visit { code: kxqt(), token: None });
        cluster.settle();
        assert!(matches!(cluster.replies(node, 2).last(), Some(Reply::Visited { .. })), "it is from elsewhere");
    }
}

/// Who types is seen to by those at other nodes.
#[test]
fn typing_is_told_across_nodes() {
    let mut cluster = Cluster::with_people(&["ana", "ben", "eve"]);
    cluster.execute(0, 0, Command::In(RoomRef::Only, RoomCommand::Typing));
    cluster.settle();
    let told: Vec<usize> = cluster.nodes.iter().map(|node| node.connections[0].typists.len()).collect();
    assert_eq!(told, [0, 1, 1]);
}
