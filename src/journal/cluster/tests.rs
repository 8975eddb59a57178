//! The journal over a link that says what a test has it say.

mod attaching;
mod feeding;
mod sending;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::log::{
    Append, Attached, Entry, Generation, Loaded, Logged, Position, ProposalId, Request, Response, Verdict,
    VersionedRoom,
};
use super::{ClusterJournal, Link};
use crate::journal::{Journal, Outcome};
use crate::meter::ClusterMeters;
use crate::rooms::{
    AccountAction, AccountChange, AccountId, AuthorId, Body, Change, Checked, Epoch, Event, Kind, LoadedRoom,
    MIN_LETTERS, Name, Newcomer, NodeId, Proposal, RoomCode, RoomRules, StoredRoom, Text, Token, Via,
};
use crate::time::Now;

/// This node, and another one.
const HERE: NodeId = NodeId(1);
const THERE: NodeId = NodeId(2);

/// The version of every room that a test begins with.
const FIRST: ProposalId = ProposalId { node: THERE, number: 1 };

/// Notes what it is asked, and answers what it is told to.
#[derive(Default)]
struct Script {
    asked: Vec<Request>,
    answers: VecDeque<Response>,
    hurries: usize,
}

impl Link for Script {
    fn send(&mut self, request: Request) {
        self.asked.push(request);
    }

    fn hurry(&mut self) {
        self.hurries += 1;
    }

    fn take(&mut self) -> Option<Response> {
        self.answers.pop_front()
    }
}

/// A journal and its clock.
struct World {
    journal: ClusterJournal<Script>,
    now_ms: u64,
    /// The last entry that was handed over.
    time_ms: u64,
}

impl World {
    /// Of these rooms, which all nodes know.
    fn with(rooms: &[u64]) -> World {
        let loaded = loaded(rooms, 100, Generation(7));
        let random = StdRng::seed_from_u64(1);
        let journal =
            ClusterJournal::new(Script::default(), HERE, &loaded, 1_000, random, Arc::new(ClusterMeters::default()));
        let mut world = World { journal, now_ms: 1_000, time_ms: 100 };
        assert_eq!(world.asked(), [Request::Follow { after: at(100) }]);
        // The first renewal, and where loading has ended.
        world.pass(0);
        world.asked();
        world.answer(Response::End { question: 1, position: at(100) });
        assert!(world.outcomes().is_empty());
        world
    }

    /// A turn ends after so long.
    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.journal.dispatch(Now { steady_ms: self.now_ms, wall_ms: 1_700_000_000_000 + self.now_ms });
    }

    fn answer(&mut self, response: Response) {
        self.journal.link_mut().answers.push_back(response);
    }

    /// What was asked since this was last called.
    fn asked(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.journal.link_mut().asked)
    }

    /// Whether the answer is waited for, as was said since this was last called.
    fn is_hurried(&mut self) -> bool {
        std::mem::take(&mut self.journal.link_mut().hurries) > 0
    }

    /// The changes of the request that was made last.
    fn appended(&mut self) -> Vec<Append> {
        let asked = self.asked().into_iter().filter_map(|request| match request {
            Request::Append { changes, .. } => Some(changes),
            _ => None,
        });
        asked.last().unwrap_or_default()
    }

    /// Each as number, text or kind, and version.
    fn appended_words(&mut self) -> Vec<String> {
        let word = |append: Append| {
            let version = append.version.map_or("-".to_owned(), |version| version.number.to_string());
            format!("{} {} at {version}", append.number, words(&append.change))
        };
        self.appended().into_iter().map(word).collect()
    }

    fn submit(&mut self, proposal: Proposal) {
        self.journal.submit(proposal);
    }

    /// All of it is sent and answered so.
    fn send(&mut self, verdicts: &[(u64, Verdict)]) {
        self.pass(0);
        self.answer(Response::Appended(Ok(verdicts.to_vec())));
    }

    /// What has become of things; whatever is outdated is settled by the rooms.
    fn outcomes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.journal.take_outcome()).map(|outcome| word_of(&outcome)).collect()
    }

    /// The same, but whatever is outdated is proposed again, as `checked` says.
    fn outcomes_checked(&mut self, checked: impl Fn(&str) -> Option<Checked>) -> Vec<String> {
        let mut taken = Vec::new();
        while let Some(outcome) = self.journal.take_outcome() {
            taken.push(word_of(&outcome));
            if let Outcome::Outdated(mut proposal) = outcome
                && let Some(checked) = checked(&words(&proposal.change))
            {
                proposal.checked = checked;
                self.journal.submit(proposal);
            }
        }
        taken
    }

    fn outcomes_again(&mut self) -> Vec<String> {
        self.outcomes_checked(|_| Some(Checked::Again))
    }

    fn entry(&mut self, by: ProposalId, what: Logged) {
        self.time_ms += 1;
        let entry = Entry { position: at(self.time_ms), by, what };
        self.answer(Response::Entries(vec![entry]));
    }

    /// One's own change comes back.
    fn own(&mut self, number: u64, room: u64, event_id: Option<u64>) {
        let (code, epoch) = if room == 0 { (RoomCode::NONE, Epoch::NONE) } else { (code(room), epoch(room)) };
        self.entry(ProposalId { node: HERE, number }, Logged::Change { code, epoch, event_id, change: None });
    }

    /// Another node's change comes.
    fn foreign(&mut self, number: u64, proposal: Proposal) {
        let Proposal { code, epoch, change, .. } = proposal;
        let event_id = change.event().map(|_| number);
        let change = Some(Box::new(change));
        self.entry(ProposalId { node: THERE, number }, Logged::Change { code, epoch, event_id, change });
    }

    /// The connection is lost, and there is another one.
    fn reconnect(&mut self, attached: Attached) {
        self.answer(Response::Down { reason: "cut".to_owned() });
        self.answer(Response::Up);
        self.answer(Response::Attached(attached));
    }
}

fn at(time_ms: u64) -> Position {
    Position { time_ms, sequence: 0 }
}

fn code(room: u64) -> RoomCode {
    RoomCode::parse(&["B", "C", "D", "F", "G"][room as usize % 5].repeat(MIN_LETTERS)).expect("a code")
}

fn epoch(room: u64) -> Epoch {
    Epoch::parse(&format!("{room:016x}")).expect("an epoch")
}

fn name(typed: &str) -> Name {
    Name::parse(typed).expect("a name")
}

fn event(author: u32, body: Body) -> Event {
    Event { id: 0, time_ms: 1, name: name("ana"), via: Via::Web, author: AuthorId(author), body }
}

fn publish(room: u64, body: Body) -> Proposal {
    Proposal::new(code(room), epoch(room), Change::Publish { event: event(1, body) })
}

fn say(room: u64, text: &str) -> Proposal {
    let text = Text::clean(text, 100).expect("a text");
    publish(room, Body::Message { kind: Kind::Say, text, cid: None, annotations: None })
}

fn nick(room: u64, to: &str) -> Proposal {
    publish(room, Body::Nick { to: name(to) })
}

fn delete(room: u64, of: u64) -> Proposal {
    publish(room, Body::Delete { of, of_whom: None })
}

fn place(room: u64, opens: bool) -> Proposal {
    let mut random = StdRng::seed_from_u64(room);
    let (author, token, via) = (AuthorId(9), Token::random(&mut random).hash(), Via::Web);
    let newcomer = Newcomer { author, token, name: name("new"), via, account: None, becomes_operator: false };
    Proposal::new(code(room), epoch(room), Change::Place { opens, newcomer, returns: false, time_ms: 1 })
}

fn vacate(room: u64) -> Proposal {
    let (author, event) = (AuthorId(1), Some(event(1, Body::Part)));
    Proposal::new(code(room), epoch(room), Change::Vacate { author, event, may_return: true, time_ms: 1 })
}

fn add_account(number: u64) -> Proposal {
    let action = AccountAction::Add { name: name("ana"), hash: None };
    Proposal::of_account(AccountChange { account: AccountId(number), action, bearers: Vec::new(), request: None })
}

fn loaded(rooms: &[u64], position: u64, generation: Generation) -> Loaded {
    let room = |&room: &u64| VersionedRoom {
        room: LoadedRoom {
            snapshot: StoredRoom {
                code: code(room),
                epoch: epoch(room),
                first_id: 1,
                last_id: 0,
                last_time_ms: 0,
                last_author: AuthorId(0),
                files: Vec::new(),
                members: Vec::new(),
                left: Vec::new(),
                rules: RoomRules::default(),
            },
            changes: Vec::new(),
            former_epochs: Vec::new(),
        },
        version: FIRST,
        position: at(position),
    };
    Loaded {
        generation,
        position: at(position),
        last_by: Some(FIRST),
        rooms: rooms.iter().map(room).collect(),
        nodes: vec![HERE, THERE],
        ..Loaded::default()
    }
}

/// What a change is, in a word.
fn words(change: &Change) -> String {
    match change {
        Change::Publish { event } => match &event.body {
            Body::Message { text, .. } => text.as_str().to_owned(),
            Body::Nick { to } => format!("nick-{to}"),
            Body::Delete { of, .. } => format!("delete-{of}"),
            _ => "event".to_owned(),
        },
        Change::Place { .. } => "place".to_owned(),
        Change::Vacate { .. } => "vacate".to_owned(),
        Change::End => "end".to_owned(),
        Change::Account(_) => "account".to_owned(),
        Change::Nothing => "nothing".to_owned(),
        _ => "change".to_owned(),
    }
}

fn word_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Committed(proposal) => {
            let id = proposal.change.event().map_or(String::new(), |event| format!(" as {}", event.id));
            format!("committed {}{id}", words(&proposal.change))
        }
        Outcome::Refused(proposal) => format!("refused {}", words(&proposal.change)),
        Outcome::Outdated(proposal) => {
            let alone = if proposal.checked == Checked::NotYet { ", alone" } else { "" };
            format!("outdated {}{alone}", words(&proposal.change))
        }
        Outcome::AlreadySaid(proposal, id) => format!("said {} as {id}", words(&proposal.change)),
        Outcome::NoSuchEvent(proposal) => format!("no event for {}", words(&proposal.change)),
        Outcome::Noticed(_) => "noticed".to_owned(),
        Outcome::NodeGone { node, is_ours } => format!("gone {} ours {is_ours}", node.0),
        Outcome::Renamed(_) => "renamed".to_owned(),
        Outcome::Synced(sync) => format!("synced {}", sync.0),
        Outcome::NotSynced(sync) => format!("not synced {}", sync.0),
        Outcome::SnapshotWanted(epoch) => format!("snapshot {epoch}"),
        Outcome::Reset { rooms, .. } => format!("reset to {} rooms", rooms.len()),
        Outcome::Read { page, .. } => format!("read {}", page.is_some()),
        Outcome::AccountRequest { .. } => "request".to_owned(),
        Outcome::Broken(sentence) => format!("broken: {sentence}"),
    }
}

/// As many of the numbers from the first on are appended.
fn all_appended(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, Verdict)> {
    numbers.map(|number| (number, Verdict::Appended)).collect()
}
