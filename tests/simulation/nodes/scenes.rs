//! Scenes with several nodes in which nothing goes wrong but what is named, and which are over within a known time.

use snugd::journal::cluster::log::LEASE_MS;
use snugd::reactor::Port;

use super::{NODES, Nodes, TICK_MS};
use crate::GRACE_MS;

/// Whoever waits for something that is to be stored is told after this time at the latest.
const PATIENCE_MS: u64 = 5_000;

/// What nodes that work take to tell each other something, many times over.
const MOMENT_MS: u64 = 20 * TICK_MS;

impl Nodes {
    /// Nobody is there yet, and nothing goes wrong by itself.
    fn quiet(seed: u64) -> Nodes {
        let mut nodes = Nodes::new(seed);
        nodes.behave();
        (nodes.clients, nodes.people, nodes.conditions.memory_events) = (Vec::new(), Vec::new(), 100);
        (0..NODES).for_each(|number| nodes.end_node(number));
        (0..NODES).for_each(|number| nodes.start(number));
        // Those that were there before are given up.
        nodes.wait(2 * LEASE_MS);
        nodes
    }

    fn wait(&mut self, time_ms: u64) {
        (0..time_ms / TICK_MS).for_each(|_| self.turn(TICK_MS));
    }

    fn tell(&mut self, connection: usize, line: &str) {
        let (world, socket) = self.place(connection);
        world.borrow_mut().send(socket, format!("{line}\n").as_bytes());
    }

    fn hear(&mut self, connection: usize) -> String {
        let (world, socket) = self.place(connection);
        let bytes = world.borrow_mut().receive(socket, usize::MAX);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `rest`: the token, the epoch and the last event that it has; each is `-` if it has none.
    fn ask_in(&mut self, node: usize, name: &str, rest: &str) -> usize {
        let connection = self.open(node, Port::Other).expect("it listens");
        self.tell(connection, &format!("join KXQT {name} {rest}"));
        connection
    }

    /// Somebody comes in as somebody new. Returns its connection, its token and the room's epoch.
    fn come(&mut self, node: usize, name: &str) -> (usize, String, String) {
        let connection = self.ask_in(node, name, "- - -");
        self.wait(MOMENT_MS);
        let joined = self.hear(connection);
        let field = |field: &str| {
            let (_, rest) =
                joined.split_once(&format!("\"{field}\":\"")).unwrap_or_else(|| panic!("{field}: {joined}"));
            rest.split_once('"').expect("a string").0.to_owned()
        };
        (connection, field("token"), field("epoch"))
    }

    fn is_closed(&self, connection: usize) -> bool {
        let (world, socket) = self.place(connection);
        world.borrow().is_over(socket)
    }
}

#[test]
fn who_waits_for_a_log_that_is_away_is_told_in_time_and_may_say_it_again() {
    let mut nodes = Nodes::quiet(1);
    let (ana, ..) = nodes.come(0, "ana");
    let (ben, ..) = nodes.come(1, "ben");
    nodes.away_until_ms = u64::MAX;
    nodes.tell(ana, "say KXQT a hello");
    nodes.wait(PATIENCE_MS - 500);
    assert!(!nodes.hear(ana).contains("storage_failed"), "it may be back at any time");
    nodes.wait(1_000);
    assert!(nodes.hear(ana).contains("storage_failed"));
    nodes.tell(ana, "say KXQT b again");
    nodes.wait(MOMENT_MS);
    assert!(nodes.hear(ana).contains("storage_failed"), "at once, by now");
    nodes.tell(ben, "history KXQT - 10");
    nodes.wait(MOMENT_MS);
    assert!(nodes.hear(ben).contains("\"history\""), "reading goes on");
    nodes.away_until_ms = 0;
    nodes.wait(MOMENT_MS);
    nodes.tell(ana, "say KXQT a hello");
    nodes.wait(MOMENT_MS);
    assert_eq!(nodes.hear(ben).matches("hello").count(), 1);
}

#[test]
fn who_comes_by_its_token_to_another_node_is_the_same_and_here_once() {
    let mut nodes = Nodes::quiet(2);
    let (ana, token, epoch) = nodes.come(0, "ana");
    let (ben, ..) = nodes.come(1, "ben");
    nodes.tell(ana, "say KXQT a hello");
    nodes.wait(MOMENT_MS);
    nodes.hear(ana);
    nodes.hear(ben);
    let again = nodes.ask_in(2, "ana", &format!("{token} {epoch} 1"));
    nodes.wait(MOMENT_MS);
    let joined = nodes.hear(again);
    assert!(joined.contains("\"joined\"") && joined.contains("hello") && joined.contains("\"gap\":false"), "{joined}");
    assert!(nodes.hear(ana).contains("taken_over"));
    nodes.wait(2 * GRACE_MS + LEASE_MS);
    assert_eq!(nodes.hear(ben), "", "nobody has come or gone");
    nodes.tell(again, "say KXQT b here");
    nodes.wait(MOMENT_MS);
    assert!(nodes.hear(ben).contains("here"));
}

/// What it sent to a node that stands still is taken in once nobody knows it any more.
#[test]
fn who_has_left_for_good_says_nothing_twice_by_what_comes_late() {
    let mut nodes = Nodes::quiet(9);
    let (ana, token, epoch) = nodes.come(0, "ana");
    let (ben, ..) = nodes.come(2, "ben");
    nodes.nodes[1].stalled_until_ms = nodes.now_ms + 3 * MOMENT_MS;
    let late = nodes.ask_in(1, "ana", &format!("{token} {epoch} 1"));
    for connection in [late, ana] {
        nodes.tell(connection, "say KXQT a hello");
    }
    nodes.wait(MOMENT_MS);
    nodes.tell(ana, "leave KXQT");
    nodes.wait(MOMENT_MS);
    let heard = nodes.hear(ben);
    assert!(heard.contains("hello") && heard.contains("\"part\""), "{heard}");
    nodes.wait(4 * MOMENT_MS);
    let answers = nodes.hear(late);
    assert!(answers.contains("\"joined\"") && answers.contains(r#""cid":"a","id":3"#), "{answers}");
    let heard = nodes.hear(ben);
    assert!(heard.contains("\"enter\"") && !heard.contains("hello"), "{heard}");
}

#[test]
fn of_a_node_that_dies_the_others_tell_once() {
    let mut nodes = Nodes::quiet(3);
    let (_ana, token, epoch) = nodes.come(0, "ana");
    nodes.come(0, "leo");
    let (ben, ..) = nodes.come(1, "ben");
    let (eva, ..) = nodes.come(2, "eva");
    nodes.hear(ben);
    nodes.hear(eva);
    nodes.end_node(0);
    nodes.wait(LEASE_MS / 2);
    let again = nodes.ask_in(1, "ana", &format!("{token} {epoch} 1"));
    nodes.wait(MOMENT_MS);
    assert!(nodes.hear(again).contains("\"joined\""));
    assert_eq!(nodes.hear(eva), "", "who comes back in time was never away");
    nodes.wait(3 * LEASE_MS + 2 * GRACE_MS);
    for who in [ben, eva] {
        let heard = nodes.hear(who);
        assert_eq!(heard.matches("\"part\"").count(), 1, "{heard}");
        assert!(heard.contains("leo"), "{heard}");
    }
}

#[test]
fn a_room_that_was_made_a_moment_before_is_known_to_whoever_asks_another_node() {
    let mut nodes = Nodes::quiet(8);
    nodes.shared.borrow_mut().hold_entries(1, true);
    nodes.come(0, "ana");
    let asking = nodes.open(1, Port::Web).expect("it listens");
    nodes.tell(asking, "GET /api/v1/rooms/KXQT HTTP/1.1\r\nHost: h\r\n\r");
    nodes.wait(MOMENT_MS);
    assert_eq!(nodes.hear(asking), "", "it asks first what it has missed");
    nodes.shared.borrow_mut().hold_entries(1, false);
    nodes.wait(MOMENT_MS);
    let answer = nodes.hear(asking);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("KXQT"), "{answer}");
}

/// The number that somebody was to have at one node is somebody else's who came to another node first.
#[test]
fn who_comes_twice_while_another_comes_first_is_not_taken_for_that_one() {
    let mut nodes = Nodes::quiet(7);
    let (ana, ..) = nodes.come(0, "ana");
    nodes.wait(MOMENT_MS);
    // The other node is cut off for so long that it cannot ask first what it has missed.
    nodes.nodes[1].stalled_until_ms = nodes.now_ms + PATIENCE_MS + 3 * MOMENT_MS;
    nodes.wait(PATIENCE_MS + 4 * TICK_MS);
    let token = "0123456789abcdef0123456789abcdef";
    let [former, again] = [0, 1].map(|_| {
        let connection = nodes.ask_in(1, "ben", &format!("{token} - -"));
        nodes.wait(4 * TICK_MS);
        connection
    });
    let (leo, ..) = nodes.come(0, "leo");
    nodes.wait(4 * MOMENT_MS);
    let told = [former, again].map(|connection| nodes.hear(connection));
    assert!(told[1].contains("\"joined\""), "{told:?}");
    nodes.tell(again, "say KXQT a hello");
    nodes.wait(MOMENT_MS);
    for who in [ana, leo] {
        let heard = nodes.hear(who);
        let said = heard.split_once("hello").map_or("", |(said, _)| said.rsplit('\n').next().expect("a line"));
        assert!(said.contains("\"ben\""), "{heard}");
    }
    assert!(!nodes.is_closed(leo));
}

#[test]
fn a_room_that_two_nodes_make_at_once_is_one() {
    let mut nodes = Nodes::quiet(4);
    let all = [0, 1, 2].map(|node| nodes.ask_in(node, &format!("n{node}"), "- - -"));
    nodes.wait(MOMENT_MS);
    let told = all.map(|connection| nodes.hear(connection));
    let epoch = |joined: &String| joined.split_once("\"epoch\":").expect("an epoch").1[..18].to_owned();
    assert!(told.iter().all(|joined| epoch(joined) == epoch(&told[0])), "{told:?}");
    nodes.tell(all[0], "say KXQT a hello");
    nodes.wait(MOMENT_MS);
    assert!(all.iter().all(|connection| nodes.hear(*connection).contains("hello")));
}

#[test]
fn where_the_log_has_lost_what_was_told_everybody_comes_again_and_is_told_of_a_gap() {
    let mut nodes = Nodes::quiet(5);
    let (ana, token, epoch) = nodes.come(0, "ana");
    let (ben, ..) = nodes.come(1, "ben");
    let before = nodes.shared.borrow().log.clone();
    nodes.tell(ana, "say KXQT a hello");
    nodes.wait(MOMENT_MS);
    assert!(nodes.hear(ben).contains("hello"));
    nodes.shared.borrow_mut().fail_over_to(before);
    nodes.wait(MOMENT_MS);
    for who in [ana, ben] {
        nodes.hear(who);
        assert!(nodes.is_closed(who));
    }
    let again = nodes.ask_in(2, "ana", &format!("{token} {epoch} 3"));
    nodes.wait(MOMENT_MS);
    let joined = nodes.hear(again);
    assert!(joined.contains("\"gap\":true") && !joined.contains(&epoch), "{joined}");
    nodes.tell(again, "say KXQT a hello");
    nodes.wait(MOMENT_MS);
    assert_eq!(nodes.hear(again).matches("hello").count(), 1, "it was lost, and is said again");
}

#[test]
fn who_was_sent_to_another_node_a_moment_later_is_no_stranger_there() {
    let mut nodes = Nodes::quiet(6);
    let (ana, token, epoch) = nodes.come(0, "ana");
    // The other node hears nothing for a while, though it is there.
    nodes.tell(ana, "say KXQT a hello");
    nodes.shared.borrow_mut().hold_entries(1, true);
    nodes.wait(MOMENT_MS);
    nodes.hear(ana);
    let again = nodes.ask_in(1, "ana", &format!("{token} {epoch} 2"));
    nodes.wait(MOMENT_MS);
    assert_eq!(nodes.hear(again), "", "it asks first what it has missed");
    nodes.shared.borrow_mut().hold_entries(1, false);
    nodes.wait(MOMENT_MS);
    let joined = nodes.hear(again);
    assert!(joined.contains("\"last\":2") && joined.contains("\"gap\":false"), "{joined}");
}
