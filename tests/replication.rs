//! Several nodes, one order: whatever each of them proposes, all that are handed the same changes in the same order have
//! the same rooms, to the last byte; and whoever asked for what has become impossible is told so.
//!
//! No sockets: sets of rooms, and a sequencer in place of a journal that orders what all of them propose.

use std::collections::{HashSet, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::options::Limits;
use snugd::rooms::{
    Address, Caller, Change, Command, ConnectionId, Delivery, Emoji, Encoder, EncoderId, Event, FileId, FileName,
    FileType, Join, JoinTarget, Kind, Membership, MessageKey, MessageRef, Moderation, Name, PasswordHash, Proposal,
    ProvenCommand, Refusal, Reply, RoomCode, RoomCommand, RoomRef, Rooms, Share, SharedFile, Sharer, Text, Token, Via,
};
use snugd::time::Now;

/// So many histories, unless `REPLICATION_HISTORIES` says otherwise.
const HISTORIES: u64 = 400;
const STEPS: u32 = 120;
const NODES: usize = 2;
const CONNECTIONS: usize = 4;

struct Numbers;

impl Encoder for Numbers {
    fn encode_event(&self, _room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        out.extend(event.id.to_string().bytes().chain([b' ']));
    }
}

/// What each connection of a node was sent.
#[derive(Default)]
struct Sent(Vec<String>);

impl Delivery for Sent {
    fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().for_each(|part| self.queue(connection, part));
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, connection: ConnectionId, entry: &[u8]) {
        self.0[connection.0 as usize].push_str(std::str::from_utf8(entry).expect("numbers"));
    }
}

#[derive(Default)]
struct Connection {
    memberships: Vec<Membership>,
    token: Option<Token>,
    waits: bool,
    replies: Vec<Reply>,
}

/// One node: its rooms, its connections, and its proposals on their way to the sequencer.
struct Node {
    rooms: Rooms,
    connections: Vec<Connection>,
    sent: Sent,
    proposals: VecDeque<Proposal>,
}

impl Node {
    fn new(seed: u64) -> Node {
        let limits = Limits { create_rate: 0, join_rate: 0, grace_ms: 2_000, members: 0, ..Limits::default() };
        Node {
            rooms: Rooms::new(limits, vec![Box::new(Numbers)], StdRng::seed_from_u64(seed)),
            connections: (0..CONNECTIONS).map(|_| Connection::default()).collect(),
            sent: Sent(vec![String::new(); CONNECTIONS]),
            proposals: VecDeque::new(),
        }
    }

    fn execute(&mut self, number: usize, command: Command, now: Now) {
        let connection = &mut self.connections[number];
        connection.waits = command.is_answered();
        let (connection, memberships) = (ConnectionId(number as u64), connection.memberships.clone());
        let address = Address::from(core::net::IpAddr::from([127, 0, 0, 1]));
        let caller = Caller { connection, address, via: Via::Web, encoder: EncoderId(0) };
        let _ = self.rooms.execute(&caller, &memberships, command, now, &mut self.sent);
        self.take_in(now);
    }

    fn commit(&mut self, proposal: Proposal, now: Now) {
        self.rooms.commit(proposal, now, &mut self.sent);
        self.take_in(now);
    }

    /// Takes what the rooms propose and answer, and executes again what they want executed again.
    fn take_in(&mut self, now: Now) {
        loop {
            self.proposals.extend(std::iter::from_fn(|| self.rooms.take_proposal()));
            while let Some((connection, reply)) = self.rooms.take_reply() {
                let connection = &mut self.connections[connection.0 as usize];
                match &reply {
                    Reply::Joined { membership, token, .. } => {
                        connection.memberships = vec![*membership];
                        connection.token = Some(*token);
                    }
                    Reply::Left { membership, .. }
                    | Reply::TakenOver { membership }
                    | Reply::SessionEnded { membership }
                    | Reply::Kicked { membership, .. } => {
                        connection.memberships.retain(|other| other != membership);
                    }
                    _ => (),
                }
                connection.waits &= !reply.is_answer();
                connection.replies.push(reply);
            }
            let Some(resumed) = self.rooms.take_resumed() else { return };
            let number = resumed.connection.0 as usize;
            let address = Address::from(core::net::IpAddr::from([127, 0, 0, 1]));
            let connection = resumed.connection;
            let caller = Caller { connection, address, via: Via::Web, encoder: EncoderId(0) };
            let memberships = self.connections[number].memberships.clone();
            let _ = self.rooms.resume(&caller, &memberships, resumed, now, &mut self.sent);
        }
    }
}

/// Nodes, and what orders their proposals.
struct Cluster {
    nodes: Vec<Node>,
    now: Now,
    random: StdRng,
    /// All files that anybody was to share.
    shared: Vec<FileId>,
}

impl Cluster {
    fn new(seed: u64) -> Cluster {
        let now = Now { steady_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let nodes = (0..NODES as u64).map(|node| Node::new(seed * 10 + node)).collect();
        Cluster { nodes, now, random: StdRng::seed_from_u64(seed), shared: Vec::new() }
    }

    /// One of the proposals that wait, those of a node in their order, is handed to all.
    fn order_one(&mut self) -> bool {
        let waiting: Vec<usize> = (0..NODES).filter(|node| !self.nodes[*node].proposals.is_empty()).collect();
        if waiting.is_empty() {
            return false;
        }
        let proposer = waiting[self.random.random_range(0..waiting.len())];
        let proposal = self.nodes[proposer].proposals.pop_front().expect("it is not empty");
        for number in (0..NODES).filter(|number| *number != proposer) {
            let Proposal { code, epoch, ref change, .. } = proposal;
            if *change != Change::Nothing {
                self.nodes[number].commit(Proposal::new(code, epoch, change.clone()), self.now);
            }
        }
        self.nodes[proposer].commit(proposal, self.now);
        true
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
            self.nodes[node].execute(number, command, self.now);
        }
        match self.random.random_range(0..20) {
            0 => {
                let connection = &mut self.nodes[node].connections[number];
                if !connection.waits
                    && let Some(here) = connection.memberships.pop()
                {
                    self.nodes[node].rooms.disconnect(ConnectionId(number as u64), here, self.now);
                    self.nodes[node].take_in(self.now);
                }
            }
            1 => self.pass(500),
            _ => (),
        }
        for _ in 0..self.random.random_range(0..3) {
            self.order_one();
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

    fn pass(&mut self, time_ms: u64) {
        self.now.steady_ms += time_ms;
        self.now.wall_ms += time_ms;
        for node in &mut self.nodes {
            node.rooms.expire(self.now);
            node.take_in(self.now);
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
    let mut shared = 0;
    for seed in 0..wanted.unwrap_or(HISTORIES) {
        let mut cluster = Cluster::new(seed);
        for _ in 0..STEPS {
            cluster.step();
        }
        // Whatever is executed again is answered or refused in the end.
        for _ in 0..1_000 {
            if !cluster.order_one() {
                break;
            }
        }
        let states: Vec<String> = cluster.nodes.iter().map(|node| node.rooms.committed_state()).collect();
        assert!(states.iter().all(|state| *state == states[0]), "seed {seed}:\n{}\n{}", states[0], states[1]);
        let kept: HashSet<FileId> = cluster.nodes[0].rooms.files().map(|file| file.id).collect();
        let released = |node: &mut Node| std::iter::from_fn(|| node.rooms.take_released_file()).collect::<Vec<_>>();
        let released: HashSet<FileId> = cluster.nodes.iter_mut().flat_map(released).collect();
        for file in &cluster.shared {
            let (is_kept, is_released) = (kept.contains(file), released.contains(file));
            assert!(is_kept != is_released, "seed {seed}: kept {is_kept}, released {is_released}");
        }
        shared += kept.len();
        for (number, node) in cluster.nodes.iter().enumerate() {
            assert!(node.proposals.is_empty(), "seed {seed}: node {number} proposes for ever");
            let waiting = node.connections.iter().filter(|connection| connection.waits).count();
            assert_eq!(waiting, 0, "seed {seed}: a connection of node {number} waits for ever");
        }
    }
    assert!(shared > 0, "files are shared");
}

/// Both of two people want the same name, on two nodes at the same time: one has it, the other is told.
#[test]
fn a_name_that_went_to_somebody_else_first_is_refused() {
    let mut cluster = Cluster::new(1);
    let code = RoomCode::parse("KXQT").expect("a code");
    cluster.nodes[0].execute(0, join(code, "ana", None), cluster.now);
    while cluster.order_one() {}
    for node in 0..NODES {
        cluster.nodes[node].execute(1, join(code, "ben", None), cluster.now);
    }
    while cluster.order_one() {}
    let answers: Vec<&Reply> = cluster.nodes.iter().map(|node| &node.connections[1].replies[0]).collect();
    let joined = answers.iter().filter(|reply| matches!(reply, Reply::Joined { .. })).count();
    let is_taken = |reply: &&&Reply| matches!(reply, Reply::Refused { refusal: Refusal::NameTaken { .. }, .. });
    assert_eq!((joined, answers.iter().filter(is_taken).count()), (1, 1), "{answers:?}");
}

/// A message that is sent again over another node, while the first is on its way, is said once.
#[test]
fn a_message_is_said_once_whatever_way_it_takes() {
    let mut cluster = Cluster::new(2);
    let code = RoomCode::parse("KXQT").expect("a code");
    cluster.nodes[0].execute(0, join(code, "ana", None), cluster.now);
    while cluster.order_one() {}
    let token = cluster.nodes[0].connections[0].token;
    let say = || {
        let (kind, text, cid) = (Kind::Say, Text::clean("hi", 100).expect("a text"), MessageKey::parse("c1"));
        Command::In(RoomRef::Only, RoomCommand::Say { kind, text, cid, reply_to: None })
    };
    cluster.nodes[0].execute(0, say(), cluster.now);
    let first = cluster.nodes[0].proposals.pop_front().expect("it is proposed");
    cluster.nodes[1].execute(0, join(code, "ana", token), cluster.now);
    while cluster.order_one() {}
    cluster.nodes[1].execute(0, say(), cluster.now);
    cluster.nodes[0].proposals.push_back(first);
    while cluster.order_one() {}
    let state = cluster.nodes[0].rooms.committed_state();
    assert_eq!(state, cluster.nodes[1].rooms.committed_state());
    assert_eq!(state.matches("body: Message").count(), 1, "{state}");
}
