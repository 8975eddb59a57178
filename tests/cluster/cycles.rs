//! Nodes and Redis are killed, stopped and cut off from each other, again and again, under the load of clients of all kinds
//! on all nodes: there is one order, what was acknowledged is in it, and nothing is in it twice. Each way to fail comes as
//! often as every other, in an order drawn by chance.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::history::Promises;
use super::history::client::Kind;
use super::nodes::{Nodes, ways_to};
use super::party::Party;
use super::proxy::Proxy;
use super::redis::{Guarded, Redis};

const KINDS: [Kind; 6] = [Kind::Web, Kind::Web, Kind::Web, Kind::JsonLine, Kind::JsonLine, Kind::Line];

/// All that is said is asked for in the end.
const HISTORY: [&str; 2] = ["--history", "1000000"];

/// A node that has not been heard of for so long is given up, and the others have noticed.
const LEASE: Duration = Duration::from_secs(8);

/// What of every ten cycles is of which kind.
const OF_TEN: [usize; 3] = [7, 2, 1];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |number| number.parse().expect("a number"))
}

/// One in every ten is of this kind, or two, or seven.
fn cycles(kind: usize) -> usize {
    number("CLUSTER_CYCLES", 10) as usize * OF_TEN[kind] / 10
}

fn seed() -> u64 {
    number("CLUSTER_SEED", 1)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    NodeKilled,
    NodeStopped,
    NodeCutOff,
    NodeHeld,
    RedisKilled,
    RedisStopped,
    BadNetwork,
    MasterKilled,
    MasterStopped,
    MasterKilledBehindItsReplica,
}

/// What has been done so far, and what came of it.
struct Tally {
    name: &'static str,
    faults: BTreeMap<Fault, usize>,
    /// From the end of a fault until something was acknowledged again.
    recoveries: Vec<Duration>,
    begun: Instant,
}

impl Tally {
    fn new(name: &'static str) -> Tally {
        Tally { name, faults: BTreeMap::new(), recoveries: Vec::new(), begun: Instant::now() }
    }

    /// The fault is over: how long until they talk again?
    fn note(&mut self, fault: Fault, party: &mut Party) {
        *self.faults.entry(fault).or_default() += 1;
        let healed = Instant::now();
        party.talk(1..2);
        self.recoveries.push(healed.elapsed());
    }

    fn print(&self, party: &Party, room: &str) {
        println!("{self}");
        let (acknowledged, lives) = (party.history.acknowledged(), party.history.lives_of(room));
        println!("  {acknowledged} messages acknowledged, {} events, {lives} epochs", party.history.last_id_in(room));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cycles = self.recoveries.len();
        write!(formatter, "{}: {cycles} cycles in {:.0} s:", self.name, self.begun.elapsed().as_secs_f64())?;
        for (fault, count) in &self.faults {
            write!(formatter, " {fault:?} {count}")?;
        }
        let mut recoveries = self.recoveries.clone();
        recoveries.sort_unstable();
        let [median, longest] =
            [cycles / 2, cycles - 1].map(|place| recoveries.get(place).copied().unwrap_or_default().as_secs_f64());
        write!(formatter, "\n  until they talked again: median {median:.2} s, longest {longest:.2} s")
    }
}

/// All faults of a kind in an order drawn by chance, then all of them again, so many altogether.
fn deck(faults: &[Fault], count: usize, random: &mut StdRng) -> Vec<Fault> {
    let mut deck = Vec::new();
    while deck.len() < count {
        let mut round = faults.to_vec();
        round.shuffle(random);
        deck.extend(round);
    }
    deck.truncate(count);
    deck
}

fn party(nodes: &Nodes) -> (Party, String) {
    let room = nodes[0].create_room();
    let mut party = Party::of_nodes(nodes.doors(), &room, &KINDS, seed());
    party.clients.iter_mut().for_each(|client| client.creates = false);
    (party, room)
}

/// All have everything, it can be true, and every node tells the same: one that was just started as well.
fn check(party: &mut Party, nodes: &mut Nodes, room: &str, url: &str, is_durable: bool) {
    party.settle();
    party.history.check(Promises { history_events: 1_000_000, memory_events: 1000, is_durable, is_shared: true });
    nodes.add(url);
    nodes.wait_until_told_alike(room);
}

#[test]
fn nothing_is_lost_whatever_is_killed_stopped_or_cut_off() {
    const FAULTS: [Fault; 7] = [
        Fault::NodeKilled,
        Fault::NodeStopped,
        Fault::NodeCutOff,
        Fault::NodeHeld,
        Fault::RedisKilled,
        Fault::RedisStopped,
        Fault::BadNetwork,
    ];
    let mut random = StdRng::seed_from_u64(seed());
    let mut redis = Redis::start();
    let ways: Vec<Proxy> = ways_to(&redis, 3);
    let mut nodes = Nodes::behind(&ways, &HISTORY);
    let (mut party, room) = party(&nodes);
    let mut tally = Tally::new("killed, stopped and cut off");
    for fault in deck(&FAULTS, cycles(0), &mut random) {
        party.talk(1..60);
        let node = random.random_range(0..nodes.count());
        // Some are over before a lease is, some are not.
        let time = Duration::from_millis(*[300, 2_500, 8_000].get(random.random_range(0..3)).expect("one of three"));
        match fault {
            Fault::NodeKilled => {
                nodes.crash(node);
                party.talk_for(time);
                nodes.start_again(node);
                // Until it is given up. Were Redis to come back as another server meanwhile, nobody could say whether that
                // has all that the killed one has seen: everything would go on under another epoch.
                party.talk_for(LEASE.saturating_sub(time));
            }
            Fault::NodeStopped => {
                nodes[node].signal("STOP");
                party.talk_for(time);
                nodes[node].signal("CONT");
            }
            Fault::NodeCutOff => {
                ways[node].set_offline(true);
                party.talk_for(time);
                ways[node].set_offline(false);
            }
            Fault::NodeHeld => {
                ways[node].set_held(true);
                party.talk_for(time);
                ways[node].set_held(false);
            }
            Fault::RedisKilled => {
                redis.crash();
                party.talk_for(time);
                redis.run_again();
            }
            Fault::RedisStopped => {
                redis.pause();
                party.talk_for(time);
                redis.go_on();
            }
            _ => {
                ways.iter().for_each(Proxy::rage);
                party.talk_for(time);
                ways.iter().for_each(Proxy::calm_down);
            }
        }
        tally.note(fault, &mut party);
    }
    check(&mut party, &mut nodes, &room, &redis.url(), true);
    tally.print(&party, &room);
}

/// The replica is promoted, and what was the master becomes its replica.
fn promote(guarded: &mut Guarded, fault: Fault, party: &mut Party) {
    let (master, replica) = guarded.in_order();
    let replica_port = replica.port;
    match fault {
        Fault::MasterKilled => master.crash(),
        Fault::MasterStopped => master.pause(),
        _ => {
            replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
            // What is acknowledged first may have been copied before.
            party.talk(60..120);
            master.crash();
        }
    }
    party.talk_for(Duration::from_millis(300));
    guarded.wait_until_promoted(replica_port);
    let (_, former) = guarded.in_order();
    match fault {
        Fault::MasterStopped => former.go_on(),
        _ => former.run_again(),
    }
    // For a while it takes itself for the master.
    party.talk_for(Duration::from_millis(500));
    guarded.join_again();
}

#[test]
fn a_promotion_under_load_loses_nothing_that_was_waited_for() {
    let mut random = StdRng::seed_from_u64(seed());
    let mut guarded = Guarded::start();
    let mut nodes = Nodes::with(2, &guarded.url(), &[&HISTORY[..], &["--cluster-wait", "1"]].concat());
    let (mut party, room) = party(&nodes);
    let mut tally = Tally::new("promoted, each entry waited for");
    for fault in deck(&[Fault::MasterKilled, Fault::MasterStopped], cycles(1), &mut random) {
        party.talk(1..60);
        promote(&mut guarded, fault, &mut party);
        tally.note(fault, &mut party);
    }
    check(&mut party, &mut nodes, &room, &guarded.url(), true);
    tally.print(&party, &room);
}

#[test]
fn a_promotion_that_loses_something_begins_another_epoch() {
    let mut guarded = Guarded::start();
    let mut nodes = Nodes::with(2, &guarded.url(), &HISTORY);
    let (mut party, room) = party(&nodes);
    let mut tally = Tally::new("promoted with a loss");
    for _ in 0..cycles(2) {
        party.talk(1..60);
        promote(&mut guarded, Fault::MasterKilledBehindItsReplica, &mut party);
        tally.note(Fault::MasterKilledBehindItsReplica, &mut party);
    }
    check(&mut party, &mut nodes, &room, &guarded.url(), false);
    tally.print(&party, &room);
    assert!(party.history.lives_of(&room) > 1, "something was lost");
}
