//! What is measured: every scenario, in one table.

use crate::crowd::Pace;
use crate::guest::Arrival;

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Short name, as given to `--only`.
    pub id: String,
    pub title: String,
    /// Whether everybody comes over TLS.
    pub is_secure: bool,
    pub work: Work,
}

/// What is done in a scenario.
#[derive(Clone, Debug)]
pub enum Work {
    /// Texts are said and delivered: the cost of each delivery.
    FanOut { rooms: usize, party: Party, pace: Pace },
    /// The same with as many more members as the server has more nodes: so many of them are at each.
    FanOutOfEach { rooms: usize, party: Party, pace: Pace },
    /// The same in one room with one web member more, who reads nothing.
    Deaf { party: Party, pace: Pace },
    /// Members who do nothing: the memory of each.
    Idle { rooms: usize, party: Party },
    /// Everybody comes at once: the time until all are in.
    Storm { rooms: usize, members: usize, arrival: Arrival },
    /// Newcomers who agree upon keys in one instant, beside a room that talks: how long its texts take meanwhile.
    Handshakes { party: Party, rate: f64, newcomers: usize },
    /// More connections than the server has descriptors for: who is held, who is turned away, and how.
    Full,
    /// Pages over HTTP keep-alive: requests a second.
    Pages,
    /// Nobody is there yet: the size of the program, on disk and in memory.
    Start,
}

/// Who is in each room.
#[derive(Clone, Copy, Debug, Default)]
pub struct Party {
    pub web: usize,
    pub web_talkers: usize,
    pub line: usize,
    pub line_talkers: usize,
}

impl Party {
    const fn web(web: usize, web_talkers: usize) -> Self {
        Party { web, web_talkers, line: 0, line_talkers: 0 }
    }

    const fn line(line: usize, line_talkers: usize) -> Self {
        Party { web: 0, web_talkers: 0, line, line_talkers }
    }

    /// As many listeners more as there are more nodes; where everybody talks, all do.
    pub fn at_each_of(self, nodes: usize) -> Party {
        let web_talkers = if self.web == self.web_talkers { self.web * nodes } else { self.web_talkers };
        Party { web: self.web * nodes, web_talkers, ..self }
    }

    pub fn members(self) -> usize {
        self.web + self.line
    }
}

/// Members of a room in the sweep over members.
pub const MEMBER_STEPS: [usize; 7] = [10, 30, 100, 300, 1_000, 3_000, 10_000];
/// Rooms, of two members each, in the sweep over rooms.
pub const ROOM_STEPS: [usize; 7] = [1, 10, 100, 500, 2_000, 5_000, 10_000];

/// What is measured over TLS as well.
const OVER_TLS: [&str; 4] = ["S1", "S3", "S6", "S5"];

/// Every scenario, in the order of the report.
pub fn all() -> Vec<Scenario> {
    let per_second = Pace::PerSecond;
    let in_flight = Pace::InFlight;
    let mut all = vec![
        fan_out("S1", "hot room: 200 in a room, 4 talk, 8 in flight each", 1, Party::web(200, 4), in_flight(8)),
        fan_out("S2", "small rooms: 100 × 10, everyone 20/s", 100, Party::web(10, 10), per_second(20.0)),
        fan_out("S3", "the same, closed loop, 1 in flight each", 100, Party::web(10, 10), in_flight(1)),
        fan_out("S4", "assembly: 1,000 in a room, everyone 5/s", 1, Party::web(1_000, 1_000), per_second(5.0)),
        fan_out("S6", "one talks 50/s to 1,000", 1, Party::web(1_000, 1), per_second(50.0)),
        fan_out("T1", "terminal: 200 in a room, 4 talk 200/s each", 1, Party::line(200, 4), per_second(200.0)),
        fan_out("W1", "the same in browsers", 1, Party::web(200, 4), per_second(200.0)),
        fan_out(
            "M1",
            "mixed: 100 web and 100 terminal, 2 and 2 talk 200/s each",
            1,
            Party { web: 100, web_talkers: 2, line: 100, line_talkers: 2 },
            per_second(200.0),
        ),
        of_each("S1-each", "S1 with 200 at each node", 1, Party::web(200, 4), in_flight(8)),
        of_each("S3-each", "S3 with 10 of each room at each node", 100, Party::web(10, 10), in_flight(1)),
        fan_out("across", "100 × 10, everyone 2/s: 2,000 texts a second", 100, Party::web(10, 10), per_second(2.0)),
        scenario(
            "deaf",
            "W1, and one more who comes and reads nothing",
            Work::Deaf { party: Party::web(200, 4), pace: per_second(200.0) },
        ),
        scenario("S5", "10,000 idle WebSockets in 10 rooms", Work::Idle { rooms: 10, party: Party::web(1_000, 0) }),
        scenario("T5", "10,000 idle terminals in 10 rooms", Work::Idle { rooms: 10, party: Party::line(1_000, 0) }),
        storm("storm-bare", "10,000 handshakes", 1, Arrival::Upgraded),
        storm("storm", "10,000 joins, 100 rooms", 100, Arrival::Joined),
        storm("storm-ten", "10,000 joins, 10 rooms", 10, Arrival::Joined),
        storm("storm-one", "10,000 joins, one room", 1, Arrival::Joined),
        scenario("full", "500 connections more than descriptors", Work::Full),
    ];
    all.extend(MEMBER_STEPS.map(|members| {
        let title = format!("{members} in a room, 4 talk, 8 in flight each");
        fan_out(&format!("members-{members}"), &title, 1, Party::web(members, 4), in_flight(8))
    }));
    all.extend(ROOM_STEPS.map(|rooms| {
        let title = format!("{rooms} × 2, both talk, 1 in flight each");
        fan_out(&format!("rooms-{rooms}"), &title, rooms, Party::web(2, 2), in_flight(1))
    }));
    let over_tls = all.iter().filter(|scenario| OVER_TLS.contains(&scenario.id.as_str())).map(secured);
    all.extend(over_tls.collect::<Vec<_>>());
    all.push(Scenario {
        is_secure: true,
        ..scenario(
            "tls-handshakes",
            "1,000 handshakes in one instant beside a room of 100, 4 talk 50/s each",
            Work::Handshakes { party: Party::web(100, 4), rate: 50.0, newcomers: 1_000 },
        )
    });
    all.push(scenario("start", "started, nobody connected", Work::Start));
    all.push(scenario("pages", "home page and an asset, 64 connections kept alive", Work::Pages));
    all
}

impl Scenario {
    /// Whether this is a step of a sweep, which takes half the time.
    pub fn is_step(&self) -> bool {
        self.id.starts_with("members-") || self.id.starts_with("rooms-")
    }

    /// Whether a word of `--only` means this scenario: its name, `members` or `rooms` for a whole sweep, or `tls` for all
    /// that is over TLS.
    pub fn is_meant_by(&self, word: &str) -> bool {
        let is_all = self.is_secure && word.eq_ignore_ascii_case("tls");
        is_all || self.id.eq_ignore_ascii_case(word) || (self.is_step() && self.id.split('-').next() == Some(word))
    }
}

fn scenario(id: &str, title: &str, work: Work) -> Scenario {
    Scenario { id: id.into(), title: title.into(), is_secure: false, work }
}

/// The same over TLS.
fn secured(scenario: &Scenario) -> Scenario {
    let (id, title) = (format!("tls-{}", scenario.id), format!("{} over TLS: {}", scenario.id, scenario.title));
    Scenario { id, title, is_secure: true, ..scenario.clone() }
}

fn fan_out(id: &str, title: &str, rooms: usize, party: Party, pace: Pace) -> Scenario {
    scenario(id, title, Work::FanOut { rooms, party, pace })
}

fn of_each(id: &str, title: &str, rooms: usize, party: Party, pace: Pace) -> Scenario {
    scenario(id, title, Work::FanOutOfEach { rooms, party, pace })
}

fn storm(id: &str, title: &str, rooms: usize, arrival: Arrival) -> Scenario {
    scenario(id, title, Work::Storm { rooms, members: 10_000, arrival })
}
