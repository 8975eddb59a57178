//! The model of the ordered log by itself: what it appends and what it does not, who is a node, and what is kept.

use snugd::journal::cluster::log::{
    Append, AppendFault, Attached, Entry, LEASE_MS, Logged, Position, ProposalId, Request, Response, Verdict, Version,
};
use snugd::rooms::{
    AccountAction, AccountChange, AccountId, AuthorId, Body, Change, Epoch, Event, Kind, MessageKey, Name, NodeId,
    RoomCode, Text, Via,
};

use crate::ordered_log::{Asker, OrderedLog, SETTLING_MS, epoch_in};

const HISTORY_EVENTS: u64 = 10;
const ANA: NodeId = NodeId(1);
const BEN: NodeId = NodeId(2);

fn code() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

fn epoch() -> Epoch {
    Epoch::parse("0123456789abcdef").expect("an epoch")
}

fn event(body: Body) -> Event {
    let name = Name::parse("ana").expect("a name");
    Event { id: 0, time_ms: 1, name, via: Via::Web, author: AuthorId(1), body }
}

fn message(cid: &str) -> Change {
    let (text, cid) = (Text::clean("hello", 100).expect("a text"), MessageKey::parse(cid));
    Change::Publish { event: event(Body::Message { kind: Kind::Say, text, cid, annotations: None }) }
}

fn topic() -> Change {
    Change::Publish { event: event(Body::Topic { text: None }) }
}

fn version(node: NodeId, number: u64) -> Option<Version> {
    Some(ProposalId { node, number })
}

fn append(number: u64, version: Option<Version>, change: Change) -> Append {
    Append { number, code: code(), epoch: epoch(), version, accounts_version: None, change }
}

/// The log, asked over one server.
struct Asked {
    log: OrderedLog,
    server: u64,
}

impl Asked {
    /// With two nodes, the first of which has opened a room by its proposal 1.
    fn new() -> Asked {
        let mut asked = Asked { log: OrderedLog::new(1_000_000), server: 1 };
        [ANA, BEN].into_iter().for_each(|node| asked.admit(node));
        assert_eq!(asked.append(ANA, append(1, None, Change::Open { time_ms: 1 })), Verdict::Appended);
        asked
    }

    fn ask(&mut self, connection: u64, request: &Request) -> Option<Response> {
        self.log.answer(request, Asker { server: self.server, connection })
    }

    fn attach(&mut self, node: NodeId, last: Option<(Position, ProposalId)>) -> Attached {
        let request = Request::Attach { node, last, history_events: HISTORY_EVENTS };
        match self.ask(1, &request) {
            Some(Response::Attached(attached)) => attached,
            other => panic!("{other:?}"),
        }
    }

    fn admit(&mut self, node: NodeId) {
        assert!(matches!(self.attach(node, None), Attached::Yes { .. }));
    }

    fn append_all(&mut self, node: NodeId, changes: Vec<Append>) -> Result<Vec<Verdict>, AppendFault> {
        let generation = self.log.load().generation;
        match self.ask(1, &Request::Append { node, generation, changes }) {
            Some(Response::Appended(answer)) => answer.map(|all| all.into_iter().map(|(_, verdict)| verdict).collect()),
            other => panic!("{other:?}"),
        }
    }

    fn append(&mut self, node: NodeId, change: Append) -> Verdict {
        self.append_all(node, vec![change]).expect("it takes changes")[0]
    }

    fn renew(&mut self, node: NodeId) -> bool {
        matches!(self.ask(1, &Request::Renew { node }), Some(Response::Renewed(Some(_))))
    }

    fn entries(&self) -> Vec<Entry> {
        self.log.entries_after(Position::default(), usize::MAX).expect("all are kept")
    }

    fn last(&self) -> Option<(Position, ProposalId)> {
        self.entries().last().map(|entry| (entry.position, entry.by))
    }
}

#[test]
fn a_change_is_appended_at_the_version_against_which_it_was_checked() {
    let mut asked = Asked::new();
    assert_eq!(asked.append(BEN, append(1, version(ANA, 1), topic())), Verdict::Appended);
    // What is said makes no version, and needs one.
    let said = vec![append(2, version(ANA, 1), message("a")), append(3, version(ANA, 2), message("a"))];
    assert_eq!(asked.append_all(ANA, said), Ok(vec![Verdict::Outdated, Verdict::Outdated]));
    let said = (2..5).map(|number| append(number, version(BEN, 1), message(&number.to_string()))).collect();
    assert_eq!(asked.append_all(BEN, said), Ok(vec![Verdict::Appended; 3]));
    let ids = asked.entries().into_iter().filter_map(|entry| match entry.what {
        Logged::Change { event_id, .. } => event_id,
        _ => None,
    });
    assert_eq!(ids.collect::<Vec<_>>(), [1, 2, 3, 4], "without gaps");
    // A chain goes on where its predecessor is in the log, and else not at all.
    let chain = vec![append(4, version(BEN, 1), topic()), append(5, version(ANA, 4), message("b"))];
    assert_eq!(asked.append_all(ANA, chain), Ok(vec![Verdict::Appended; 2]));
    assert_eq!(asked.append(BEN, append(5, None, Change::Open { time_ms: 1 })), Verdict::Outdated, "the code is taken");
}

#[test]
fn who_comes_in_is_checked_against_the_accounts_as_they_are() {
    let mut asked = Asked::new();
    let add = AccountChange {
        account: AccountId(7),
        action: AccountAction::Add { name: Name::parse("ana").expect("a name"), hash: None },
        bearers: Vec::new(),
        request: None,
    };
    let claim = || Append { version: None, ..append(2, None, Change::Account(Box::new(add.clone()))) };
    assert_eq!(asked.append(ANA, claim()), Verdict::Appended);
    assert_eq!(asked.append(BEN, Append { number: 1, ..claim() }), Verdict::Outdated, "it is claimed");
    let comes = |number, accounts_version| {
        let change = Change::Reconnect { author: AuthorId(1), via: Via::Web };
        Append { accounts_version, ..append(number, version(ANA, 1), change) }
    };
    assert_eq!(asked.append(BEN, comes(2, None)), Verdict::Outdated);
    assert_eq!(asked.append(BEN, comes(3, version(ANA, 2))), Verdict::Appended);
}

#[test]
fn what_was_said_is_not_said_again_and_what_is_gone_is_not_amended() {
    let mut asked = Asked::new();
    let opened = version(ANA, 1);
    assert_eq!(asked.append(ANA, append(2, opened, message("a"))), Verdict::Appended);
    assert_eq!(asked.append(BEN, append(1, opened, message("a"))), Verdict::Duplicate(1));
    let delete = || Change::Publish { event: event(Body::Delete { of: 1, of_whom: None }) };
    assert_eq!(asked.append(ANA, append(3, opened, delete())), Verdict::Appended);
    assert_eq!(asked.append(BEN, append(2, version(ANA, 3), delete())), Verdict::NoSuchEvent);
    assert_eq!(asked.append(BEN, append(3, version(ANA, 3), message("a"))), Verdict::Duplicate(1), "deleted or not");
}

#[test]
fn a_number_is_looked_at_once_and_what_is_late_of_an_older_connection_never() {
    let mut asked = Asked::new();
    let appended = append(2, version(ANA, 1), message("a"));
    assert_eq!(asked.append(ANA, appended.clone()), Verdict::Appended);
    let before = asked.entries().len();
    asked.append(ANA, append(2, version(ANA, 1), message("b")));
    assert_eq!(asked.entries().len(), before);
    let Some(Response::Attached(Attached::Yes { last_number, .. })) =
        asked.ask(2, &Request::Attach { node: ANA, last: None, history_events: HISTORY_EVENTS })
    else {
        panic!("it is one of the nodes");
    };
    assert_eq!(last_number, 2);
    let generation = asked.log.load().generation;
    let late = Request::Append { node: ANA, generation, changes: vec![append(3, version(ANA, 1), message("c"))] };
    assert_eq!(asked.ask(1, &late), None);
    assert_eq!(asked.entries().len(), before);
}

#[test]
fn who_does_not_say_that_it_is_there_is_given_up_unless_nobody_could() {
    let mut asked = Asked::new();
    for _ in 0..4 {
        asked.log.now_ms += LEASE_MS / 3;
        assert!(asked.renew(ANA));
    }
    let gone = |asked: &Asked| {
        asked.entries().into_iter().filter(|entry| entry.what == Logged::NodeGone(BEN)).map(|entry| entry.by).collect()
    };
    let found_out_by: Vec<ProposalId> = gone(&asked);
    assert_eq!(found_out_by, [ProposalId { node: ANA, number: 0 }], "told once, and by whom");
    assert!(!asked.renew(BEN));
    assert_eq!(asked.append_all(BEN, vec![append(9, version(ANA, 1), topic())]), Err(AppendFault::GivenUp));
    assert_eq!(asked.attach(BEN, None), Attached::GivenUp);
    // Under another number it is let in, whatever it has seen.
    let last = asked.last();
    assert!(matches!(asked.attach(NodeId(3), last), Attached::Yes { .. }));
    asked.log.now_ms += 10 * LEASE_MS;
    assert!(asked.renew(ANA) && asked.renew(NodeId(3)), "the log itself was away");
}

#[test]
fn what_somebody_has_seen_and_is_lost_begins_another_generation() {
    let mut asked = Asked::new();
    let (generation, before) = (asked.log.load().generation, asked.log.clone());
    assert_eq!(asked.append(ANA, append(2, version(ANA, 1), topic())), Verdict::Appended);
    let last = asked.last();
    asked = Asked { log: before, server: 2 };
    let old = vec![append(3, version(ANA, 1), topic())];
    assert_eq!(asked.append_all(ANA, old), Err(AppendFault::OtherGeneration), "nobody knows yet");
    assert_eq!(asked.attach(BEN, None), Attached::NotYet);
    assert!(matches!(asked.attach(ANA, last), Attached::Yes { generation: now, .. } if now.0 == generation.0 + 1));
    assert!(matches!(asked.attach(BEN, None), Attached::Yes { generation: now, .. } if now.0 == generation.0 + 1));
    let loaded = asked.log.load();
    assert_eq!(loaded.rooms[0].room.snapshot.epoch, epoch_in(loaded.generation, epoch()));
}

#[test]
fn where_everybody_has_what_is_there_the_generation_stays() {
    let mut asked = Asked::new();
    let generation = asked.log.load().generation;
    asked.server = 2;
    let last = asked.last();
    assert_eq!(asked.attach(ANA, last), Attached::NotYet);
    assert!(matches!(asked.attach(BEN, last), Attached::Yes { generation: now, .. } if now == generation));
    // Who does not come may have seen more.
    asked.server = 3;
    assert_eq!(asked.attach(ANA, last), Attached::NotYet);
    asked.log.now_ms += SETTLING_MS;
    let now_ms = asked.log.now_ms;
    assert!(now_ms > generation.0, "no generation that another server has begun meanwhile has this number");
    assert!(matches!(asked.attach(ANA, last), Attached::Yes { generation: now, .. } if now.0 == now_ms));
}

#[test]
fn a_room_is_its_snapshot_and_what_has_changed_since() {
    let mut asked = Asked::new();
    for number in 2..6 {
        let change = if number == 4 { message("a") } else { topic() };
        assert_eq!(
            asked.append(ANA, append(number, version(ANA, if number == 5 { 3 } else { number - 1 }), change)),
            Verdict::Appended
        );
    }
    let loaded = asked.log.load().rooms.remove(0);
    assert_eq!((loaded.room.changes.len(), loaded.room.snapshot.last_id), (4, 4), "the message is none of them");
    let snapshot = loaded.room.snapshot.clone();
    let keep =
        |number| Request::KeepSnapshot { version: ProposalId { node: ANA, number }, room: Box::new(snapshot.clone()) };
    asked.ask(1, &keep(3));
    assert_eq!(asked.log.load().rooms[0].room.changes.len(), 1);
    asked.ask(1, &keep(2));
    assert_eq!(asked.log.load().rooms[0].room.changes.len(), 1, "an older one comes too late");
}
