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
    Command, Emoji, FileId, FileName, FileType, Join, JoinTarget, Kind, MessageKey, MessageRef, Moderation, Name,
    PasswordHash, ProvenCommand, Refusal, Reply, RoomCode, RoomCommand, RoomRef, Share, SharedFile, Sharer, Text,
    Token,
};
use snugd::time::Now;

use crate::log::Log;
use crate::node::{CONNECTIONS, Node};

/// So many histories, unless `REPLICATION_HISTORIES` says otherwise.
const HISTORIES: u64 = 400;
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
        let now = Now { steady_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let random = StdRng::seed_from_u64(seed);
        let (nodes, log, shared) = (Vec::new(), Log::default(), Vec::new());
        let mut cluster = Cluster { nodes, log, now, random, shared, runs: 0, seed };
        for _ in 0..NODES {
            let node = cluster.new_node();
            cluster.nodes.push(node);
        }
        cluster
    }

    fn new_node(&mut self) -> Node {
        self.runs += 1;
        Node::new(&mut self.log, self.seed * 1_000 + self.runs, self.now)
    }

    fn execute(&mut self, node: usize, number: usize, command: Command) {
        self.nodes[node].execute(&mut self.log, number, command, self.now);
    }

    /// Something goes to the log, or comes back from it. Returns whether anything did.
    fn move_one(&mut self) -> bool {
        let mut moves: Vec<(usize, Option<snugd::rooms::Epoch>)> = Vec::new();
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
        let loaded = Node::new(&mut self.log, seed, self.now);
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
            0..2 => {
                if !self.nodes[node].connections[number].waits {
                    self.nodes[node].disconnect(&mut self.log, number, self.now);
                }
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
        match self.random.random_range(0..10) {
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
