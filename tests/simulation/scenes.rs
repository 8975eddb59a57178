//! Scenes that chance seldom sets: many at once, one who shouts, one who reads slowly. The system behaves in all of
//! them; what is looked at is how much is done, and how much is held.

mod files;
mod shared;

use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use snugd::options::Limits;
use snugd::reactor::{OutputLimits, Port};

use crate::journal::{Disk, SharedDisk};
use crate::net::{SharedWorld, World};
use crate::{Conditions, GRACE_MS, MOST_OUTPUT_BYTES, SimReactor, no_limits};

/// What is written for one room in a turn is about so much (`ROOM_BUDGET_BYTES`).
const ROOM_BUDGET_BYTES: usize = 4 << 20;

/// Nobody is told more events at once.
const MAX_PAGE_EVENTS: usize = 500;

/// The program, and the connections to it.
struct Scene {
    conditions: Conditions,
    world: SharedWorld,
    reactor: SimReactor,
}

/// Rooms that outlive the program.
fn durable(memory_events: usize) -> Conditions {
    let limits = no_limits();
    let disk = Disk::new(1, limits.history_events);
    disk.borrow_mut().behave();
    Conditions { disk: Some(disk), memory_events, ..in_memory(limits) }
}

fn in_memory(limits: Limits) -> Conditions {
    let mut random = StdRng::seed_from_u64(1);
    let output_limits = OutputLimits::default();
    Conditions {
        disk: None,
        limits,
        memory_events: usize::MAX,
        output_limits,
        crowd_members: 64,
        ..Conditions::draw(&mut random)
    }
}

impl Scene {
    fn new(conditions: Conditions) -> Scene {
        let world = World::new(1);
        world.borrow_mut().behave();
        let reactor = conditions.start(&world, 1);
        Scene { conditions, world, reactor }
    }

    fn restart(&mut self) {
        self.world.borrow_mut().crash();
        self.reactor = self.conditions.start(&self.world, 2);
    }

    fn disk(&self) -> SharedDisk {
        Rc::clone(self.conditions.disk.as_ref().expect("there is one"))
    }

    fn turn(&mut self) {
        self.reactor.turn().expect("nothing fails");
    }

    fn turns(&mut self, count: usize) {
        (0..count).for_each(|_| self.turn());
    }

    fn pass(&mut self, time_ms: u64) {
        self.world.borrow_mut().now.steady_ms += time_ms;
        self.turns(3);
    }

    fn connect(&mut self, port: Port, input: &str) -> usize {
        let socket = self.world.borrow_mut().connect(port);
        self.send(socket, input);
        socket
    }

    /// Somebody comes into a room, and has read what it was told then.
    fn join(&mut self, room: &str, name: &str) -> usize {
        let socket = self.connect(Port::Other, &format!("join {room} {name} - - -\n"));
        self.turns(3);
        assert!(self.read(socket).contains("\"joined\""));
        socket
    }

    fn send(&mut self, socket: usize, input: &str) {
        self.world.borrow_mut().send(socket, input.as_bytes());
    }

    fn read(&mut self, socket: usize) -> String {
        self.read_most(socket, usize::MAX)
    }

    fn read_most(&mut self, socket: usize, limit: usize) -> String {
        String::from_utf8_lossy(&self.world.borrow_mut().receive(socket, limit)).into_owned()
    }

    fn cut_off(&self) -> u64 {
        self.reactor.meters().slow_consumers_closed.get()
    }
}

/// The epoch that an answer to a join tells.
fn epoch_of(joined: &str) -> &str {
    let (_, rest) = joined.split_once("\"epoch\":\"").expect("an epoch");
    rest.split_once('"').expect("a string").0
}

/// The same said so often in the room KXQT, each time as another message.
fn lines(text: &str, count: usize) -> String {
    (0..count).map(|number| format!("say KXQT {}{number} {text}\n", &text[..1])).collect()
}

#[test]
fn who_asks_for_much_and_reads_slowly_costs_little_memory() {
    const WINDOW_BYTES: usize = 10_000;
    let mut scene = Scene::new(in_memory(no_limits()));
    let client = scene.connect(Port::Web, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    scene.turns(2);
    let page = scene.read(client);
    let (_, path) = page.split_once("/assets/").expect("a page needs files");
    let (hash, _) = path.split_once('/').expect("a hash, and a name");
    scene.world.borrow_mut().set_window(client, WINDOW_BYTES);
    let ask = format!("GET /assets/{hash}/room.js HTTP/1.1\r\nHost: h\r\n\r\n");
    let (mut most_bytes, mut read_bytes) = (0, 0);
    for _ in 0..2_000 {
        scene.send(client, &ask.repeat(5));
        scene.turn();
        most_bytes = most_bytes.max(scene.reactor.output_memory_bytes().0);
        read_bytes += scene.read_most(client, WINDOW_BYTES - 1).len();
    }
    assert!(read_bytes > 10 << 20, "{read_bytes}");
    assert!(most_bytes < MOST_OUTPUT_BYTES, "{most_bytes}");
}

#[test]
fn a_room_that_shouts_does_not_hold_up_another_and_who_reads_is_not_cut_off() {
    const MEMBERS: usize = 200;
    const MESSAGES: usize = 200;
    let mut conditions = in_memory(no_limits());
    conditions.output_limits = OutputLimits { soft_bytes: 10_000, stalled_ms: 5_000, hard_bytes: 64 << 20 };
    let mut scene = Scene::new(conditions);
    let members: Vec<usize> = (0..MEMBERS).map(|number| scene.join("KXQT", &format!("m{number}"))).collect();
    let others = ["ana", "ben"].map(|name| scene.join("BCDF", name));
    // Some of them take only so much at once.
    members[MEMBERS / 2..].iter().for_each(|member| scene.world.borrow_mut().set_window(*member, 50_000));
    // Long enough for whoever takes nothing to be cut off.
    scene.world.borrow_mut().now.steady_ms += 20_000;
    scene.send(members[0], &lines(&"x".repeat(2_000), MESSAGES));
    scene.send(others[0], "say BCDF - hello\n");
    let (mut heard_in_turn, mut heard_bytes) = (None, 0);
    for turn in 0..300 {
        scene.turn();
        heard_bytes += members.iter().map(|member| scene.read(*member).len()).sum::<usize>();
        if scene.read(others[1]).contains("hello") {
            heard_in_turn.get_or_insert(turn);
        }
    }
    assert!(heard_in_turn.is_some_and(|turn| turn < 3), "heard in turn {heard_in_turn:?}");
    assert!(heard_bytes > MEMBERS * MESSAGES * 2_000, "everybody heard everything");
    let most_bytes = scene.world.borrow().most_written_bytes;
    assert!(most_bytes < 2 * ROOM_BUDGET_BYTES, "{most_bytes} in a turn");
    assert_eq!(scene.cut_off(), 0);
}

#[test]
fn nobody_is_too_slow_who_was_not_written_to() {
    let mut conditions = in_memory(no_limits());
    conditions.output_limits = OutputLimits { soft_bytes: 10_000, stalled_ms: 5_000, hard_bytes: 20_000 };
    let mut scene = Scene::new(conditions);
    let members: Vec<usize> = (0..50).map(|number| scene.join("KXQT", &format!("m{number}"))).collect();
    scene.send(members[0], &lines(&"x".repeat(2_000), 200));
    for _ in 0..100 {
        scene.turn();
        members.iter().for_each(|member| drop(scene.read(*member)));
    }
    assert_eq!(scene.cut_off(), 0);
}

#[test]
fn a_slow_reader_does_not_hold_up_its_room() {
    let mut scene = Scene::new(in_memory(no_limits()));
    let [ana, ben, slow] = ["ana", "ben", "slow"].map(|name| scene.join("KXQT", name));
    scene.world.borrow_mut().set_window(slow, 1);
    scene.send(ana, &lines(&"x".repeat(2_000), 300));
    for _ in 0..30 {
        scene.turn();
        scene.read(ana);
        scene.read(ben);
    }
    scene.send(ana, &lines("hello", 200));
    scene.turns(3);
    assert_eq!(scene.read(ben).matches("hello").count(), 200);
    assert_eq!(scene.cut_off(), 0);
}

#[test]
fn who_reads_more_slowly_than_its_room_talks_is_cut_off_though_it_is_pinged() {
    const HARD_BYTES: usize = 100_000;
    let mut conditions = in_memory(no_limits());
    conditions.output_limits = OutputLimits { soft_bytes: 20_000, stalled_ms: 60_000, hard_bytes: HARD_BYTES };
    let mut scene = Scene::new(conditions);
    let ana = scene.join("KXQT", "ana");
    let slow = scene.connect(
        Port::Web,
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let join = br#"{"type":"join","room":"KXQT","name":"slow"}"#;
    // A text frame that is masked by zeros.
    let frame = [&[0x81, 0x80 | join.len() as u8, 0, 0, 0, 0], &join[..]].concat();
    scene.world.borrow_mut().send(slow, &frame);
    scene.turns(3);
    assert!(scene.read(slow).contains("\"joined\""));
    scene.world.borrow_mut().set_window(slow, 1_000);
    let mut most_bytes = 0;
    for round in 0..50 {
        // Less than the soft limit, until the next ping moves it out of the log.
        let said = (0..4).map(|number| format!("say KXQT {round}-{number} {}\n", "x".repeat(2_500)));
        scene.send(ana, &said.collect::<String>());
        scene.pass(26_000);
        scene.read(ana);
        scene.read_most(slow, 500);
        scene.turns(3);
        most_bytes = most_bytes.max(scene.reactor.output_memory_bytes().0);
    }
    assert!(most_bytes < 2 * HARD_BYTES, "{most_bytes} bytes wait");
    assert_eq!(scene.cut_off(), 1);
}

#[test]
fn many_who_ask_at_once_for_what_memory_does_not_hold_share_what_is_read() {
    const ASKING: usize = 5_000;
    const PAGES: usize = 10;
    let run = || {
        let mut scene = Scene::new(durable(40));
        let ana = scene.join("KXQT", "ana");
        scene.send(ana, &lines("hello", 600));
        scene.turns(30);
        scene.restart();
        scene.disk().borrow_mut().is_stuck = true;
        let asking: Vec<usize> = (0..ASKING)
            .map(|number| {
                let since = 20 * (number % PAGES);
                let path = format!("/api/v1/rooms/KXQT/events?since={since}&limit=20");
                scene.connect(Port::Web, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
            })
            .collect();
        scene.turns(40);
        scene.disk().borrow_mut().is_stuck = false;
        scene.turns(40);
        for (number, socket) in asking.into_iter().enumerate() {
            let first = 20 * (number % PAGES) + 1;
            let answer = scene.read(socket);
            assert!(answer.contains(&format!("\"id\":{first},")), "{answer}");
        }
        let readings = scene.disk().borrow().readings;
        assert!(readings <= PAGES, "{readings} readings");
    };
    // However many they are, they do not pile up on each other.
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run).expect("a thread");
    thread.join().expect("nothing panics, and the stack is enough");
}

#[test]
fn many_who_leave_at_once_do_not_pile_up_on_each_other() {
    const LEAVING: usize = 5_000;
    let run = || {
        let mut scene = Scene::new(durable(40));
        // Programs: nothing is said to them at the end that would have to be sent first.
        let hello = |number: usize| format!("/json\n/new p{number}\n");
        let leaving: Vec<usize> = (0..LEAVING).map(|number| scene.connect(Port::Line, &hello(number))).collect();
        scene.turns(60);
        assert!(leaving.iter().all(|socket| scene.read(*socket).contains("\"joined\"")));
        scene.disk().borrow_mut().is_stuck = true;
        leaving.iter().for_each(|socket| scene.send(*socket, "/quit\n"));
        scene.turns(5);
        scene.disk().borrow_mut().is_stuck = false;
        scene.turns(60);
        assert!(leaving.iter().all(|socket| scene.world.borrow().has_ended_well(*socket)));
        assert_eq!(scene.reactor.rooms().counts().members, 0);
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run).expect("a thread");
    thread.join().expect("nothing panics, and the stack is enough");
}

#[test]
fn who_was_away_for_long_is_told_a_page_and_that_there_is_more() {
    let mut scene = Scene::new(durable(40));
    let ana = scene.connect(Port::Other, "join KXQT ana - - -\n");
    scene.turns(3);
    let epoch = epoch_of(&scene.read(ana)).to_owned();
    scene.send(ana, &lines("hello", 700));
    scene.turns(30);
    scene.restart();
    for (name, since) in [("ben", 1), ("eva", 1), ("leo", 400)] {
        let socket = scene.connect(Port::Other, &format!("join KXQT {name} - {epoch} {since}\n"));
        scene.turns(5);
        let joined = scene.read(socket);
        let (events, has_gap) = (joined.matches("hello").count(), joined.contains("\"gap\":true"));
        match since {
            // Those who have come in since then are events as well.
            1 => assert!((MAX_PAGE_EVENTS - 5..MAX_PAGE_EVENTS).contains(&events) && has_gap, "{events} events"),
            // What was said first has the id 2.
            _ => assert!(events == 700 + 1 - 400 && !has_gap, "{events} events"),
        }
    }
}

#[test]
fn newcomers_are_told_what_was_said_last_though_memory_does_not_hold_it() {
    for (memory_events, memory_bytes) in [(1, 1 << 20), (1000, 2_000)] {
        let mut conditions = durable(memory_events);
        conditions.limits.memory_bytes = memory_bytes;
        let mut scene = Scene::new(conditions);
        let ana = scene.join("KXQT", "ana");
        scene.send(ana, &lines("hello", 100));
        scene.turns(10);
        let ben = scene.connect(Port::Other, "join KXQT ben - - -\n");
        scene.turns(3);
        assert_eq!(scene.read(ben).matches("hello").count(), 49, "and that it has come itself");
    }
}

#[test]
fn who_is_let_in_after_it_was_cut_off_keeps_no_place() {
    let mut conditions = durable(1000);
    conditions.output_limits = OutputLimits { soft_bytes: 10_000, stalled_ms: 5_000, hard_bytes: 1 << 20 };
    let mut scene = Scene::new(conditions);
    let [ana, slow] = ["ana", "slow"].map(|name| scene.join("KXQT", name));
    scene.world.borrow_mut().set_window(slow, 1);
    scene.send(ana, &lines(&"x".repeat(2_000), 20));
    scene.turns(3);
    scene.disk().borrow_mut().is_stuck = true;
    scene.send(slow, "join BCDF slow - - -\n");
    scene.turns(3);
    scene.pass(6_000);
    assert_eq!(scene.cut_off(), 1);
    scene.disk().borrow_mut().is_stuck = false;
    scene.turns(3);
    scene.pass(GRACE_MS);
    assert_eq!(scene.reactor.rooms().counts().members, 1, "nobody but ana");
}

#[test]
fn what_a_peer_sent_before_it_broke_off_is_carried_out() {
    let mut scene = Scene::new(durable(40));
    let ana = scene.join("KXQT", "ana");
    scene.disk().borrow_mut().is_stuck = true;
    let ben = scene.connect(Port::Line, "/join KXQT ben\nfirst\n");
    scene.turns(3);
    scene.send(ben, "second\nthi");
    scene.world.borrow_mut().break_connection(ben, false);
    scene.turns(3);
    scene.disk().borrow_mut().is_stuck = false;
    scene.turns(10);
    let heard = scene.read(ana);
    assert!(heard.contains("first") && heard.contains("second"), "{heard}");
    // It is not known how that line would have gone on.
    assert!(!heard.contains("thi"), "{heard}");
}

#[test]
fn a_terminal_that_is_gone_without_a_word_leaves_and_one_that_reads_nothing_stays() {
    let mut scene = Scene::new(in_memory(no_limits()));
    let ana = scene.join("KXQT", "ana");
    let [gone, idle] = ["gone", "idle"].map(|name| scene.connect(Port::Line, &format!("/join KXQT {name}\n")));
    scene.turns(3);
    assert!(scene.read(gone).contains("* KXQT. ") && scene.read(idle).contains("* KXQT. "));
    scene.world.borrow_mut().set_window(idle, 1);
    scene.world.borrow_mut().pull_cable(gone);
    // A room that talks.
    let begun_ms = scene.world.borrow().now.steady_ms;
    let (mut heard, mut passed_ms) = (String::new(), 0);
    while passed_ms < 90_000 {
        assert!(passed_ms > 50_000 || !heard.contains("\"part\""), "gone after {passed_ms} ms already");
        scene.send(ana, &format!("say KXQT c{passed_ms} hello?\n"));
        scene.pass(500);
        heard += &scene.read(ana);
        passed_ms = scene.world.borrow().now.steady_ms - begun_ms;
    }
    let parts: Vec<&str> = heard.lines().filter(|line| line.contains("\"part\"")).collect();
    assert!(matches!(parts[..], [part] if part.contains("\"gone\"")), "{parts:?}");
    for _ in 0..30 {
        scene.pass(60_000);
    }
    assert!(!scene.read(ana).contains("\"part\""), "who reads nothing is still here");
}

#[test]
fn many_terminals_are_not_looked_at_all_at_once() {
    const TERMINALS: usize = 1_200;
    let mut scene = Scene::new(in_memory(no_limits()));
    let ana = scene.join("KXQT", "ana");
    let terminals: Vec<usize> =
        (0..TERMINALS).map(|number| scene.connect(Port::Line, &format!("/join KXQT t{number}\n"))).collect();
    scene.turns(20);
    assert!(terminals.iter().all(|terminal| scene.read(*terminal).contains("* KXQT. ")));
    terminals.iter().for_each(|terminal| scene.world.borrow_mut().pull_cable(*terminal));
    scene.read(ana);
    scene.send(ana, "say KXQT c hello?\n");
    let begun_ms = scene.world.borrow().now.steady_ms;
    let (mut heard, mut passed_ms) = (String::new(), 0);
    while passed_ms < 90_000 {
        scene.pass(50);
        heard += &scene.read(ana);
        passed_ms = scene.world.borrow().now.steady_ms - begun_ms;
    }
    assert_eq!(heard.matches("\"part\"").count(), TERMINALS);
    let most_asked = scene.world.borrow().most_asked;
    assert!((1..=512).contains(&most_asked), "{most_asked} in a turn");
}

#[test]
fn whoever_watches_is_told_how_it_is_while_nobody_else_is_heard() {
    let mut scene = Scene::new(durable(40));
    let ana = scene.join("KXQT", "ana");
    scene.disk().borrow_mut().is_congested = true;
    scene.turn();
    scene.send(ana, "say KXQT c hello?\n");
    let ben = scene.connect(Port::Line, "/join KXQT ben\n");
    let page = scene.connect(Port::Web, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    let watcher = scene.connect(Port::Metrics, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    scene.turns(3);
    assert!(scene.read(watcher).contains("snugd_journal_congested 1\n"));
    scene.send(watcher, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    scene.turns(3);
    assert!(scene.read(watcher).ends_with("ok\n"), "on the same connection too");
    assert_eq!([ana, ben, page].map(|socket| scene.read(socket)), ["", "", ""]);
    scene.disk().borrow_mut().is_congested = false;
    scene.turns(20);
    assert!(scene.read(ana).contains("hello?"));
    assert!(scene.read(ben).contains("* KXQT. "));
    assert!(scene.read(page).ends_with("ok\n"));
}
