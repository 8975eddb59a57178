//! What a log that nodes share has the loop do: everybody comes again where everything is loaded anew, and the other nodes
//! are told at a stop.

use std::collections::VecDeque;

use snugd::journal::{Journal, MemoryJournal, Outcome};
use snugd::reactor::{Port, Reactor};
use snugd::rooms::{Epoch, LoadedRoom, NodeId, Proposal, ReadRequest, SyncId};
use snugd::time::Now;

use super::{epoch_of, in_memory};
use crate::net::{SharedWorld, SimNet, World};
use crate::no_limits;

const HERE: NodeId = NodeId(1);

/// Memory, that other nodes are said to share.
#[derive(Default)]
struct Log {
    memory: MemoryJournal,
    /// Nothing is committed at this time.
    is_away: bool,
    /// What comes of it that nobody has asked for.
    outcomes: VecDeque<Outcome>,
    impossible: usize,
    /// More is about to come, of every room.
    more_comes: bool,
    due_ms: Option<u64>,
    dispatched_at_ms: Vec<u64>,
    was_told: bool,
    has_left: bool,
}

impl Journal for Log {
    fn submit(&mut self, proposal: Proposal) {
        if !self.is_away {
            self.memory.submit(proposal);
        }
    }

    fn dispatch(&mut self, now: Now) {
        self.dispatched_at_ms.push(now.steady_ms);
    }

    fn read(&mut self, request: ReadRequest) {
        self.memory.read(request);
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        self.memory.take_outcome().or_else(|| self.outcomes.pop_front())
    }

    fn is_failing(&self) -> bool {
        false
    }

    fn expects(&self, _epoch: Epoch) -> bool {
        self.more_comes
    }

    fn sync(&mut self, sync: SyncId) {
        self.memory.sync(sync);
    }

    fn note_impossible(&mut self) {
        self.impossible += 1;
    }

    fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    fn leave(&mut self) {
        self.was_told = true;
    }

    fn has_left(&self) -> bool {
        self.has_left
    }
}

struct Scene {
    world: SharedWorld,
    reactor: Reactor<SimNet, Log>,
}

impl Scene {
    fn new() -> Scene {
        let world = World::new(1);
        world.borrow_mut().behave();
        let conditions = in_memory(no_limits());
        let mut rooms = conditions.rooms(1);
        rooms.share_as(HERE);
        let reactor = conditions.reactor(&world, rooms, Log::default());
        Scene { world, reactor }
    }

    fn turns(&mut self, count: usize) {
        (0..count).for_each(|_| self.reactor.turn().expect("nothing fails"));
    }

    fn connect(&mut self, port: Port, input: &str) -> usize {
        let socket = self.world.borrow_mut().connect(port);
        self.send(socket, input);
        socket
    }

    fn send(&mut self, socket: usize, input: &str) {
        self.world.borrow_mut().send(socket, input.as_bytes());
        self.turns(3);
    }

    fn read(&mut self, socket: usize) -> String {
        String::from_utf8_lossy(&self.world.borrow_mut().receive(socket, usize::MAX)).into_owned()
    }

    /// All is loaded anew, and this room is as it is.
    fn reset_to(&mut self, epoch: Epoch) {
        let snapshot = self.reactor.rooms().snapshot(epoch).expect("there is such a room");
        let rooms = vec![LoadedRoom { snapshot, changes: Vec::new(), former_epochs: Vec::new() }];
        let (node, nodes) = (NodeId(2), vec![NodeId(2)]);
        let reset = Outcome::Reset { node, accounts: Vec::new(), rooms, nodes };
        self.reactor.journal_mut().outcomes.push_back(reset);
        self.turns(3);
    }
}

#[test]
fn where_everything_is_loaded_anew_everybody_comes_again_and_finds_the_place_kept() {
    let mut scene = Scene::new();
    let other = scene.connect(Port::Other, "join KXQT ben - - -\n");
    let joined = scene.read(other);
    let (_, token) = joined.split_once("\"token\":\"").expect("it is told its token");
    let token = token.split('"').next().expect("a string").to_owned();
    let terminal = scene.connect(Port::Line, "/join KXQT ana\n");
    let idle = scene.connect(Port::Other, "");
    let came = scene.read(terminal);
    assert!(came.contains("ben"), "{came}");
    let epoch = Epoch::parse(epoch_of(&joined)).expect("an epoch");
    scene.reset_to(epoch);
    let words = scene.read(terminal);
    assert!(words.contains("come back in 1 s"), "{words}");
    scene.read(other);
    scene.turns(3);
    let is_over = [terminal, other].map(|socket| scene.world.borrow().is_over(socket));
    assert_eq!(is_over, [true, true]);
    assert!(!scene.world.borrow().is_over(idle), "who is in no room may stay");
    let again = scene.connect(Port::Other, &format!("join KXQT - {token} - -\n"));
    let joined = scene.read(again);
    assert!(joined.contains("\"joined\"") && joined.contains("ben"), "{joined}");
}

#[test]
fn who_waits_for_an_answer_that_nobody_knows_any_more_is_told_to_come_again() {
    let mut scene = Scene::new();
    let member = scene.connect(Port::Other, "join KXQT ana - - -\n");
    let epoch = Epoch::parse(epoch_of(&scene.read(member))).expect("an epoch");
    scene.reactor.journal_mut().is_away = true;
    let coming = scene.connect(Port::Line, "/join KXQT ben\n");
    let request = scene.connect(Port::Web, "POST /api/v1/rooms HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert!(!scene.read(coming).contains("ana"), "it waits");
    assert_eq!(scene.read(request), "");
    scene.reset_to(epoch);
    let words = scene.read(coming);
    assert!(words.contains("come back in"), "{words}");
    let answer = scene.read(request);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("storage_failed"), "{answer}");
}

#[test]
fn a_change_that_is_impossible_is_told_to_the_journal() {
    let mut scene = Scene::new();
    let member = scene.connect(Port::Other, "join KXQT ana - - -\n");
    let epoch = Epoch::parse(epoch_of(&scene.read(member))).expect("an epoch");
    let code = scene.reactor.rooms().snapshot(epoch).expect("there is such a room").code;
    let impossible = Proposal::new(code, epoch, snugd::rooms::Change::End).proposed_by(NodeId(2));
    scene.reactor.journal_mut().outcomes.push_back(Outcome::Committed(impossible));
    scene.turns(3);
    assert_eq!(scene.reactor.journal_mut().impossible, 1, "somebody is in it");
    let (name, author) = (snugd::rooms::Name::parse("ana").expect("a name"), snugd::rooms::AuthorId(1));
    let (id, time_ms, via, body) = (7, 1, snugd::rooms::Via::Web, snugd::rooms::Body::Topic { text: None });
    let event = snugd::rooms::Event { id, time_ms, name, via, author, body };
    let numbered = Proposal::new(code, epoch, snugd::rooms::Change::Publish { event }).proposed_by(NodeId(2));
    scene.reactor.journal_mut().outcomes.push_back(Outcome::Committed(numbered));
    scene.turns(3);
    assert_eq!(scene.reactor.journal_mut().impossible, 2, "it is not the next event");
}

#[test]
fn what_is_to_be_sent_waits_for_what_is_about_to_come_of_the_same_room_and_not_for_long() {
    let mut scene = Scene::new();
    let ana = scene.connect(Port::Other, "join KXQT ana - - -\n");
    let ben = scene.connect(Port::Other, "join KXQT ben - - -\n");
    scene.turns(10);
    scene.read(ana);
    scene.read(ben);
    let now_ms = |scene: &Scene| scene.world.borrow().now.steady_ms;
    let say = |scene: &Scene, text: &str| scene.world.borrow_mut().send(ana, text.as_bytes());

    scene.reactor.journal_mut().more_comes = true;
    let said_ms = now_ms(&scene);
    say(&scene, "say KXQT a one\n");
    scene.turns(1);
    assert_eq!((scene.read(ben), now_ms(&scene)), (String::new(), said_ms), "more is about to come");
    scene.reactor.journal_mut().more_comes = false;
    say(&scene, "say KXQT b two\n");
    scene.turns(1);
    let told = scene.read(ben);
    assert!(told.contains("one") && told.contains("two"), "{told}");

    scene.reactor.journal_mut().more_comes = true;
    let said_ms = now_ms(&scene);
    say(&scene, "say KXQT c three\n");
    while now_ms(&scene) < said_ms + 3 {
        assert!(!scene.read(ben).contains("three"), "it waits a moment");
        scene.turns(1);
    }
    assert!(scene.read(ben).contains("three"), "that does not come");
    assert_eq!(now_ms(&scene), said_ms + 3);
}

#[test]
fn the_loop_waits_no_longer_than_the_journal_likes() {
    let mut scene = Scene::new();
    scene.turns(3);
    let now_ms = scene.world.borrow().now.steady_ms;
    scene.reactor.journal_mut().due_ms = Some(now_ms + 50);
    while scene.world.borrow().now.steady_ms < now_ms + 50 {
        scene.turns(1);
    }
    let last_ms = *scene.reactor.journal_mut().dispatched_at_ms.last().expect("it was called");
    assert_eq!(last_ms, now_ms + 50);
}

#[test]
fn at_a_stop_the_other_nodes_are_told_once_nobody_is_there_and_waited_for() {
    let mut scene = Scene::new();
    scene.connect(Port::Other, "join KXQT ana - - -\n");
    scene.world.borrow_mut().asks_to_stop = true;
    for _ in 0..20 {
        let is_anybody_there = scene.reactor.connection_count() > 0;
        scene.turns(1);
        assert!(!(is_anybody_there && scene.reactor.connection_count() > 0 && scene.reactor.journal_mut().was_told));
    }
    assert!(scene.reactor.journal_mut().was_told);
    assert!(!scene.reactor.has_stopped(), "they do not know yet");
    scene.reactor.journal_mut().has_left = true;
    assert!(scene.reactor.has_stopped());
}

#[test]
fn at_a_stop_others_who_do_not_hear_of_it_are_not_waited_for_for_long() {
    let mut scene = Scene::new();
    scene.world.borrow_mut().asks_to_stop = true;
    scene.turns(5);
    assert!(scene.reactor.journal_mut().was_told && !scene.reactor.has_stopped());
    scene.world.borrow_mut().now.steady_ms += 5_000;
    scene.turns(1);
    assert!(scene.reactor.has_stopped());
}
