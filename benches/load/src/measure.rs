//! One scenario against one server: starts it, fills it, loads it, and says what came of it.

use std::io;
use std::time::{Duration, Instant};

use crate::crowd::{Crowd, Pace};
use crate::dialect::Identity;
use crate::guest::{Arrival, Guest};
use crate::median::median;
use crate::member::node_of;
use crate::roster::{Kind, Places};
use crate::scenario::{Party, Scenario, Work};
use crate::server::Server;
use crate::tally::Faults;
use crate::{full, pages, process};

/// What one run of a scenario gave.
#[derive(Clone, Debug)]
pub enum Outcome {
    FanOut(FanOut),
    Deaf(Deaf),
    /// User memory of each idle member, in bytes.
    Idle {
        bytes_each: f64,
    },
    Storm(Storm),
    Handshakes(Handshakes),
    Full(full::Full),
    Pages(Vec<pages::Page>),
    /// Bytes of the program on disk, and of user memory once it is ready.
    Start {
        program_bytes: u64,
        resident_bytes: u64,
    },
    Failed(String),
}

#[derive(Clone, Debug)]
pub struct FanOut {
    /// The figure: CPU time of the server over the window ÷ messages received by clients in it.
    pub cpu_ns_each: f64,
    /// CPU time of the node that has used most ÷ messages received from that node.
    pub node_ns_each: f64,
    /// CPU time of the Redis that nodes share ÷ texts that were said.
    pub redis_ns_each: Option<f64>,
    /// Share of the window in which the server was on its CPU.
    pub server_load: f64,
    pub deliveries_per_s: f64,
    /// Of several nodes, those latencies count that are between two of them.
    pub p50_us: f64,
    /// The middle one of the 99th percentiles of all slices of the window: the machine's own hiccups are in few of
    /// them.
    pub p99_us: f64,
    /// Of the window as a whole.
    pub whole_p99_us: f64,
    pub max_us: f64,
    pub faults: Faults,
    /// Members that the server closed.
    pub gone: usize,
    /// Deliveries that all texts said should have made.
    pub expected: u64,
}

/// Latencies of all the others while one member reads, and while it does not.
#[derive(Clone, Copy, Debug)]
pub struct Deaf {
    pub hearing_p99_us: f64,
    pub deaf_p99_us: f64,
    /// Deliveries that never came, to it or to anybody, once it read again, and that came twice.
    pub faults: Faults,
    pub is_closed: bool,
}

#[derive(Clone, Debug)]
pub struct Storm {
    pub wall_ms: f64,
    pub cpu_us_each: f64,
}

/// What those in a room notice of others' handshakes.
#[derive(Clone, Copy, Debug)]
pub struct Handshakes {
    /// Until all are upgraded.
    pub wall_ms: f64,
    /// 99th percentile of the bystanders' deliveries before, and meanwhile; and the longest meanwhile.
    pub before_p99_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

/// How long to warm up and to measure.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    pub warm_up: Duration,
    pub window: Duration,
}

/// Patience with whatever should come to an end by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// Patience with what is still on its way after the window.
const DRAIN: Duration = Duration::from_secs(15);
/// Members on their way in at a time: gently, and in a storm (which stays below the usual listen backlog
/// of 512: an overflow would measure the kernel's retransmissions).
const GENTLY: usize = 64;
const STORM: usize = 500;
/// What this process, or the server, has beside its members'.
const OWN_DESCRIPTORS: usize = 100;

/// Whether this server takes part in this scenario.
pub fn takes_part(kind: &Kind, scenario: &Scenario) -> bool {
    if scenario.is_secure && kind.secure.is_none() {
        return false;
    }
    let speaks = match scenario.work {
        Work::FanOut { party, .. }
        | Work::FanOutOfEach { party, .. }
        | Work::Deaf { party, .. }
        | Work::Idle { party, .. } => {
            (party.web == 0 || kind.web.is_some()) && (party.line == 0 || kind.line.is_some())
        }
        Work::Storm { .. } | Work::Handshakes { .. } => kind.web.is_some(),
        Work::Pages | Work::Full => return kind.name == "snugd",
        Work::Start => return kind.only.is_empty(),
    };
    speaks && (kind.only.is_empty() || kind.only.iter().any(|word| scenario.is_meant_by(word)))
}

/// Runs it. Whatever fails is an outcome, too.
pub fn run(scenario: &Scenario, kind: &'static Kind, places: &Places, spans: Spans) -> Outcome {
    let result = Server::start(kind, places, scenario.is_secure).and_then(|server| match scenario.work {
        Work::FanOut { rooms, party, pace } => fan_out(&server, kind, rooms, party, pace, spans),
        Work::FanOutOfEach { rooms, party, pace } => {
            fan_out(&server, kind, rooms, party.at_each_of(server.nodes()), pace, spans)
        }
        Work::Deaf { party, pace } => deaf(&server, kind, party, pace, spans),
        Work::Idle { rooms, party } => idle(&server, kind, rooms, party),
        Work::Storm { rooms, members, arrival } => storm(&server, kind, rooms, members, arrival),
        Work::Handshakes { party, rate, newcomers } => handshakes(&server, kind, party, rate, newcomers, spans),
        Work::Full => full::run(&server).map(Outcome::Full),
        Work::Pages => pages::run(&server, places, spans.window).map(Outcome::Pages),
        Work::Start => start(&server, kind, places),
    });
    result.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

fn fan_out(server: &Server, kind: &Kind, rooms: usize, party: Party, pace: Pace, spans: Spans) -> io::Result<Outcome> {
    let guests = invite(server, kind, rooms, party)?;
    let mut crowd = Crowd::new(rooms)?;
    crowd.gives_way = server.has_redis();
    crowd.admit(&guests, Arrival::Joined, GENTLY, PATIENCE)?;
    crowd.settle(PATIENCE)?;
    converse(server, crowd, pace, spans, party.members())
}

/// How often one member more comes, who hears nothing for a while: a new one each time, for the more one has read,
/// the more the system holds for it that it has not read.
const DEAF_TIMES: u32 = 3;
/// A small difference is looked for: the windows are not short.
const DEAF_WINDOW: Duration = Duration::from_secs(2);
/// Long enough to fill all buffers on the narrow road to it.
const FILLING: Duration = Duration::from_millis(2_500);

fn deaf(server: &Server, kind: &Kind, party: Party, pace: Pace, spans: Spans) -> io::Result<Outcome> {
    let guests = invite(server, kind, 1, party)?;
    let mut crowd = Crowd::new(1)?;
    crowd.admit(&guests, Arrival::Joined, GENTLY, PATIENCE)?;
    crowd.settle(PATIENCE)?;
    let window = spans.window.max(DEAF_WINDOW);
    let (mut with_it_deaf, mut with_all_hearing) = (Vec::new(), Vec::new());
    for number in 0..DEAF_TIMES {
        crowd.talk(pace, spans.warm_up / 4, window, || {})?;
        with_all_hearing.append(&mut crowd.ear.slice_p99s_ns);
        let identity = Identity { name: format!("deaf{number}"), room: guests[0].identity.room.clone() };
        let guest = Guest { identity, talks: false, narrow: true, ..guests[0] };
        let deaf = crowd.admit(&[guest], Arrival::Joined, GENTLY, PATIENCE)?;
        crowd.settle(PATIENCE)?;
        crowd.deafen(deaf)?;
        crowd.talk(pace, FILLING, window, || {})?;
        with_it_deaf.append(&mut crowd.ear.slice_p99s_ns);
        crowd.undeafen(deaf)?;
        crowd.settle(PATIENCE)?;
    }
    let faults = crowd.settle_accounts(DRAIN)?;
    let p99_us = |slices: Vec<u64>| median(slices.into_iter().map(|p99_ns| p99_ns as f64 / 1e3).collect());
    Ok(Outcome::Deaf(Deaf {
        hearing_p99_us: p99_us(with_all_hearing).unwrap_or_default(),
        deaf_p99_us: p99_us(with_it_deaf).unwrap_or_default(),
        faults,
        is_closed: crowd.gone() > 0,
    }))
}

/// Lets the crowd talk, with an eye on the server's CPU, and draws up the account. So many members hear each text.
fn converse(server: &Server, mut crowd: Crowd, pace: Pace, spans: Spans, hearers: usize) -> io::Result<Outcome> {
    let mut marks = Vec::new();
    let mut look = || marks.push((Instant::now(), server.cpu_ns_of_each(), server.redis_cpu_ns()));
    crowd.talk(pace, spans.warm_up, spans.window, &mut look)?;
    let [before, after] = <[_; 2]>::try_from(marks).expect("a window opens and closes");
    let window = after.0 - before.0;
    let nodes_ns: Vec<f64> = after.1?.iter().zip(before.1?).map(|(after, before)| (after - before) as f64).collect();
    let redis_ns = (after.2? - before.2?) as f64;
    let cpu_ns: f64 = nodes_ns.iter().sum();
    let heard = crowd.ear.all_deliveries();
    if heard == 0 {
        let why = crowd.ear.refusal.take().unwrap_or_else(|| "nothing was delivered".into());
        return Err(io::Error::other(why));
    }
    // A node from which nothing was received has no figure.
    let of_each = nodes_ns.iter().zip(crowd.ear.deliveries).filter(|(_, heard)| *heard > 0);
    let of_each = of_each.map(|(ns, heard)| ns / heard as f64);
    let latency = crowd.ear.latency_ns.clone();
    let slices = crowd.ear.slice_p99s_ns.iter().map(|p99_ns| *p99_ns as f64 / 1e3).collect();
    let faults = crowd.settle_accounts(DRAIN)?;
    let us_at = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Outcome::FanOut(FanOut {
        cpu_ns_each: cpu_ns / heard as f64,
        node_ns_each: of_each.fold(0.0, f64::max),
        redis_ns_each: server.has_redis().then(|| redis_ns * hearers as f64 / heard as f64),
        server_load: cpu_ns / window.as_nanos() as f64,
        deliveries_per_s: heard as f64 / window.as_secs_f64(),
        p50_us: us_at(0.50),
        p99_us: median(slices).unwrap_or_default(),
        whole_p99_us: us_at(0.99),
        max_us: latency.max() as f64 / 1e3,
        faults,
        gone: crowd.gone(),
        expected: crowd.expected(),
    }))
}

/// The first members warm the server up; the growth is that of all others.
fn idle(server: &Server, kind: &Kind, rooms: usize, party: Party) -> io::Result<Outcome> {
    const WARM_UP_MEMBERS: usize = 100;
    let guests = invite(server, kind, rooms, party)?;
    let (first, others) = guests.split_at(WARM_UP_MEMBERS);
    let mut crowd = Crowd::new(rooms)?;
    crowd.admit(first, Arrival::Joined, GENTLY, PATIENCE)?;
    crowd.settle(PATIENCE)?;
    let before = server.resident_bytes()?;
    crowd.admit(others, Arrival::Joined, GENTLY, PATIENCE)?;
    crowd.settle(PATIENCE)?;
    let after = server.resident_bytes()?;
    if crowd.gone() > 0 {
        return Err(io::Error::other(format!("{} members were closed", crowd.gone())));
    }
    Ok(Outcome::Idle { bytes_each: (after as f64 - before as f64) / others.len() as f64 })
}

fn storm(server: &Server, kind: &Kind, rooms: usize, members: usize, arrival: Arrival) -> io::Result<Outcome> {
    let party = Party { web: members / rooms, ..Party::default() };
    let guests = invite(server, kind, rooms, party)?;
    let mut crowd = Crowd::new(rooms)?;
    let cpu_before = server.cpu_ns()?;
    let start = Instant::now();
    crowd.admit(&guests, arrival, STORM, PATIENCE)?;
    let wall = start.elapsed();
    // What the server still tells everybody belongs to the price.
    crowd.settle(PATIENCE)?;
    let cpu_ns = server.cpu_ns()? - cpu_before;
    Ok(Outcome::Storm(Storm { wall_ms: wall.as_secs_f64() * 1e3, cpu_us_each: cpu_ns as f64 / 1e3 / members as f64 }))
}

fn handshakes(
    server: &Server,
    kind: &Kind,
    party: Party,
    rate: f64,
    newcomers: usize,
    spans: Spans,
) -> io::Result<Outcome> {
    let mut guests = invite(server, kind, 1, Party { web: party.web + newcomers, ..party })?;
    let newcomers = guests.split_off(party.web);
    let mut crowd = Crowd::new(1)?;
    crowd.admit(&guests, Arrival::Joined, GENTLY, PATIENCE)?;
    crowd.settle(PATIENCE)?;
    crowd.talk(Pace::PerSecond(rate), spans.warm_up, spans.window, || {})?;
    let before_p99_us = crowd.ear.latency_ns.value_at_quantile(0.99) as f64 / 1e3;
    let wall = crowd.talk_among_newcomers(&newcomers, rate, PATIENCE)?;
    let latency = &crowd.ear.latency_ns;
    Ok(Outcome::Handshakes(Handshakes {
        wall_ms: wall.as_secs_f64() * 1e3,
        before_p99_us,
        p99_us: latency.value_at_quantile(0.99) as f64 / 1e3,
        max_us: latency.max() as f64 / 1e3,
    }))
}

fn start(server: &Server, kind: &Kind, places: &Places) -> io::Result<Outcome> {
    let program_bytes = kind.program(places).metadata()?.len();
    Ok(Outcome::Start { program_bytes, resident_bytes: server.resident_bytes()? })
}

/// The guests of all rooms, at one node after the other; in each room the web members come first, and talkers before those
/// who listen. Rooms stay empty for whose members this process has no descriptors.
fn invite(server: &Server, kind: &Kind, rooms: usize, party: Party) -> io::Result<Vec<Guest>> {
    let room_for = (process::descriptor_limit()? as usize).saturating_sub(OWN_DESCRIPTORS);
    let mut guests = Vec::with_capacity(rooms * party.members());
    for (room, code) in server.create_rooms(rooms)?.into_iter().enumerate() {
        if guests.len() + party.members() > room_for {
            break;
        }
        let sides = [(kind.web, party.web, party.web_talkers), (kind.line, party.line, party.line_talkers)];
        for (side, (speech, members, talkers)) in sides.into_iter().enumerate() {
            let Some(speech) = speech else { continue };
            for place in 0..members {
                let nodes = server.nodes();
                let node = node_of(room, place, nodes);
                let address = if side == 0 { server.web_address(node) } else { server.line_address(node) };
                let identity = Identity { name: format!("m{:05}", guests.len()), room: code.clone() };
                let (talks, is_secure) = (place < talkers, server.is_secure());
                guests.push(Guest { address, node, nodes, speech, identity, room, talks, is_secure, narrow: false });
            }
        }
    }
    Ok(guests)
}
