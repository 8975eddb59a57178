//! The link, asked as the core asks it, over a real Redis.

use super::*;
use crate::journal::redis::order::Order;

const HISTORY_EVENTS: u64 = 100;

pub(super) fn start(server: &Server, node: u64) -> (RedisLink, Box<Loaded>) {
    start_waiting(server, node, 0)
}

pub(super) fn start_waiting(server: &Server, node: u64, wait_replicas: u32) -> (RedisLink, Box<Loaded>) {
    drop(server.connect());
    RedisLink::start(&server.address(), wait_replicas, NodeId(node), HISTORY_EVENTS, || (), Arc::default())
        .unwrap_or_else(|sentence| panic!("{sentence}"))
}

pub(super) fn code() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

pub(super) fn epoch() -> Epoch {
    Epoch::parse("00000000000000aa").expect("an epoch")
}

pub(super) fn open(number: u64) -> Append {
    let (code, epoch, change) = (code(), epoch(), Change::Open { time_ms: 5 });
    Append { number, code, epoch, version: None, accounts_version: None, change }
}

pub(super) fn message(number: u64, version: (u64, u64), words: &str) -> Append {
    let text = Text::clean(words, 1000).expect("a text");
    let body = Body::Message { kind: Kind::Say, text, cid: None, annotations: None };
    let name = Name::parse("ana").expect("a name");
    let event = Event { id: 0, time_ms: 6, name, via: Via::Web, author: AuthorId(1), body };
    let version = Some(ProposalId { node: NodeId(version.0), number: version.1 });
    let (code, epoch, change) = (code(), epoch(), Change::Publish { event });
    Append { number, code, epoch, version, accounts_version: None, change }
}

impl RedisLink {
    pub(super) fn next(&mut self) -> Response {
        self.wait(DEADLINE).expect("something comes")
    }

    pub(super) fn append(&mut self, node: u64, generation: Generation, changes: Vec<Append>) -> Response {
        self.send(Request::Append { node: NodeId(node), generation, changes });
        self.next()
    }

    pub(super) fn attach(&mut self, node: u64, last: Option<(Position, ProposalId)>) -> Attached {
        loop {
            self.send(Request::Attach { node: NodeId(node), last, history_events: HISTORY_EVENTS });
            match self.next() {
                Response::Attached(Attached::NotYet) => (),
                Response::Attached(attached) => return attached,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Entries, until there are so many.
    pub(super) fn entries(&mut self, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        while entries.len() < count {
            match self.next() {
                Response::Entries(more) => entries.extend(more),
                other => panic!("{other:?}"),
            }
        }
        entries
    }

    /// Down, and up again; what it was that it went down for.
    pub(super) fn back(&mut self) -> String {
        let Response::Down { reason } = self.next() else { panic!("it goes down") };
        assert_eq!(self.next(), Response::Up);
        reason
    }
}

pub(super) fn appended(numbers: &[u64]) -> Response {
    Response::Appended(Ok(numbers.iter().map(|number| (*number, Verdict::Appended)).collect()))
}

#[test]
fn nodes_see_what_each_of_them_appends_and_who_leaves() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    let generation = loaded.generation;
    assert_eq!((loaded.position, loaded.last_by, loaded.nodes), (Position::default(), None, vec![NodeId(1)]));
    // In a log in which nothing is yet.
    for _ in 0..2 {
        ana.send(Request::Renew { node: NodeId(1) });
        let renewed = Renewed { generation, end: Position::default(), nodes: 1 };
        assert_eq!(ana.next(), Response::Renewed(Some(renewed)));
    }
    ana.send(Request::Follow { after: loaded.position });
    let both = vec![open(1), message(2, (1, 1), "one")];
    ana.send(Request::Append { node: NodeId(1), generation, changes: both.clone() });
    let (mut entries, mut verdicts) = (Vec::new(), None);
    while entries.len() < 2 || verdicts.is_none() {
        match ana.next() {
            Response::Entries(more) => entries.extend(more),
            told => verdicts = Some(told),
        }
    }
    assert_eq!(verdicts, Some(appended(&[1, 2])));
    let ids = |entries: &[Entry]| -> Vec<(Option<u64>, bool)> {
        let what = |entry: &Entry| match &entry.what {
            Logged::Change { event_id, change, .. } => (*event_id, change.is_some()),
            other => panic!("{other:?}"),
        };
        entries.iter().map(what).collect()
    };
    assert_eq!(ids(&entries), [(None, false), (Some(1), false)], "its own changes are not read");

    let (mut ben, loaded) = start(&server, 2);
    assert_eq!(loaded.generation, generation);
    assert_eq!(loaded.last_by, Some(ProposalId { node: NodeId(1), number: 2 }));
    let [room] = &*loaded.rooms else { panic!("{loaded:?}") };
    assert_eq!((room.version, room.room.snapshot.last_id), (ProposalId { node: NodeId(1), number: 1 }, 1));
    assert_eq!(room.room.changes, [(NodeId(1), Change::Open { time_ms: 5 })]);
    ben.send(Request::Follow { after: Position::default() });
    let entries = ben.entries(2);
    assert_eq!(ids(&entries), [(None, true), (Some(1), true)]);
    ben.send(Request::FindEnd { question: 9 });
    assert_eq!(ben.next(), Response::End { question: 9, position: entries[1].position });
    let wanted = Wanted::Events { first_id: 1, last_id: 5 };
    let request = ReadRequest { code: code(), epoch: epoch(), wanted };
    ben.send(Request::Read(request));
    let Response::Read { page: Some(page), .. } = ben.next() else { panic!("a page") };
    let mut said = both[1].change.event().expect("an event").clone();
    said.id = 1;
    assert_eq!(page.events, [said]);

    ana.send(Request::Leave { node: NodeId(1) });
    drop(ana);
    let [gone] = &*ben.entries(1) else { panic!("one entry") };
    assert_eq!((gone.by.node, gone.what.clone()), (NodeId(1), Logged::NodeGone(NodeId(1))));
    assert_eq!(ben.attach(1, None), Attached::GivenUp, "who is gone does not come back under this number");
}

#[test]
fn a_server_that_was_killed_is_found_again_and_has_everything() {
    let mut server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    let generation = loaded.generation;
    assert_eq!(ana.append(1, generation, vec![open(1), message(2, (1, 1), "one")]), appended(&[1, 2]));
    ana.send(Request::Follow { after: Position::default() });
    let last = ana.entries(2)[1].clone();
    server.kill();
    let Response::Down { .. } = ana.next() else { panic!("it is noticed") };
    ana.send(Request::Append { node: NodeId(1), generation, changes: vec![message(3, (1, 1), "lost")] });
    server.run();
    assert_eq!(ana.next(), Response::Up, "what was asked while it was away is not answered");
    let late = ana.append(1, generation, vec![message(4, (1, 1), "two")]);
    assert_eq!(late, Response::Down { reason: "a newer connection of this node is there".to_owned() });
    assert_eq!(ana.next(), Response::Up);
    let attached = ana.attach(1, Some((last.position, last.by)));
    assert_eq!(attached, Attached::Yes { generation, last_number: 2, end: last.position }, "nothing is lost");
    assert_eq!(ana.append(1, generation, vec![message(4, (1, 1), "two")]), appended(&[4]));
    ana.send(Request::Follow { after: last.position });
    assert_eq!(ana.entries(1)[0].by.number, 4);
}

#[test]
fn another_line_of_descent_is_not_followed_and_waits_for_all_nodes() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    let (_ben, _) = start(&server, 2);
    let generation = loaded.generation;
    assert_eq!(ana.append(1, generation, vec![open(1), message(2, (1, 1), "one")]), appended(&[1, 2]));
    ana.send(Request::Follow { after: Position::default() });
    let last = ana.entries(2)[1].clone();
    server.command(&["DEBUG", "CHANGE-REPL-ID"]);
    // Somebody else comes: by its connection the log is another's, until all have told what they have seen.
    let (scripts, mut connection) = (Scripts::new(), server.connect());
    scripts.load_into(&mut connection).expect("scripts");
    let asker = asking::Asker { session: 1, server: String::new() };
    let request = Request::Attach { node: NodeId(3), last: None, history_events: HISTORY_EVENTS };
    let mut attach = || {
        let command = asking::command(&scripts, &asker, &request).expect("a command");
        asking::read_attached(ask(&mut connection, &command).expect("an answer")).expect("an attachment").0
    };
    assert_eq!(attach(), Attached::NotYet);
    assert_eq!(ana.back(), "another server keeps the log");
    ana.send(Request::Attach { node: NodeId(1), last: Some((last.position, last.by)), history_events: HISTORY_EVENTS });
    assert_eq!(ana.next(), Response::Attached(Attached::NotYet), "the second has not told");
    let refused = ana.append(1, generation, vec![message(3, (1, 1), "two")]);
    assert!(
        matches!(&refused, Response::Appended(Err(AppendFault::OtherGeneration)))
            || matches!(&refused, Response::Down { .. })
    );
}

#[test]
fn entries_that_are_not_kept_any_more_are_told_as_such() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    assert_eq!(ana.append(1, loaded.generation, vec![open(1)]), appended(&[1]));
    ana.send(Request::Follow { after: Position::default() });
    ana.entries(1);
    server.command(&["HSET", "{snugd}:meta", "trimmed", "1-0"]);
    ana.send(Request::Follow { after: Position::default() });
    assert_eq!(ana.next(), Response::Trimmed);
    ana.send(Request::Follow { after: Position { time_ms: 1, sequence: 0 } });
    assert_eq!(ana.entries(1)[0].by.number, 1);
}

#[test]
fn a_snapshot_takes_the_place_of_what_it_was_made_of() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    let generation = loaded.generation;
    let enter = Append {
        version: Some(ProposalId { node: NodeId(1), number: 1 }),
        change: Change::Reconnect { author: AuthorId(1), via: Via::Line },
        ..open(2)
    };
    assert_eq!(ana.append(1, generation, vec![open(1), Append { number: 2, ..enter }]), {
        let depends = Verdict::Appended;
        Response::Appended(Ok(vec![(1, Verdict::Appended), (2, depends)]))
    });
    let room = StoredRoom {
        code: code(),
        epoch: epoch(),
        first_id: 1,
        last_id: 0,
        last_time_ms: 5,
        last_author: AuthorId(7),
        files: Vec::new(),
        members: Vec::new(),
        left: Vec::new(),
        rules: RoomRules::default(),
    };
    let keep = |version: u64| Request::KeepSnapshot {
        version: ProposalId { node: NodeId(1), number: version },
        room: Box::new(room.clone()),
    };
    for (version, last_author, changes) in [(9, 0, 2), (1, 7, 1), (2, 7, 0)] {
        ana.send(keep(version));
        assert_eq!(ana.next(), Response::SnapshotKept { epoch: epoch() });
        ana.send(Request::Load);
        let Response::Loaded(Some(loaded)) = ana.next() else { panic!("everything") };
        let loaded = &loaded.rooms[0].room;
        assert_eq!((loaded.snapshot.last_author.0, loaded.changes.len()), (last_author, changes), "{version}");
    }
}

#[test]
fn with_replicas_to_wait_for_nothing_is_handed_over_before_they_have_it() {
    let mut server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    let mut patient =
        RedisLink::open(&server.address(), 1, || (), Arc::default()).unwrap_or_else(|sentence| panic!("{sentence}"));
    assert_eq!(patient.next(), Response::Up);
    assert!(matches!(patient.attach(2, None), Attached::Yes { .. }));
    patient.send(Request::Follow { after: Position::default() });
    assert_eq!(ana.append(1, loaded.generation, vec![open(1)]), appended(&[1]));
    // By then it has read the entry, and waits.
    wait_for("the node tells how far it is", || match server.command(&["HGET", "{snugd}:seen", "2"]) {
        Value::Nil => None,
        seen => Some(seen),
    });
    assert_eq!(patient.take(), None);
    let replica = Server::start();
    drop(replica.connect());
    let port = server.listen();
    replica.command(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
    assert_eq!(patient.entries(1)[0].by.number, 1);
}

#[test]
fn what_one_thread_finds_ends_the_connections_of_all() {
    let server = Server::start();
    let (mut ana, _) = start(&server, 1);
    let session = ana.session.expect("a connection");
    ana.orders.send(Order::Fail { session: session + 1, reason: "of another time".to_owned() }).expect("a thread");
    ana.send(Request::FindEnd { question: 1 });
    assert_eq!(ana.next(), Response::End { question: 1, position: Position::default() });
    ana.orders.send(Order::Fail { session, reason: "it is another's".to_owned() }).expect("a thread");
    assert_eq!(ana.back(), "it is another's");
    assert_eq!(ana.session, Some(session + 1));
}

#[test]
fn what_was_asked_over_a_connection_that_is_lost_is_not_read() {
    let server = Server::start();
    let (mut ana, _) = start(&server, 1);
    let scripts_run = || {
        let Value::BulkString(told) = server.command(&["INFO", "commandstats"]) else { panic!("a text") };
        let told = String::from_utf8(told).expect("a text");
        told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:")?.split(',').next().map(str::to_owned))
    };
    let before = scripts_run();
    let session = ana.session.expect("a connection");
    ana.reads.send(ReadOrder::Load { session: session - 1 }).expect("a thread");
    let wanted = Wanted::Events { first_id: 1, last_id: 5 };
    ana.send(Request::Read(ReadRequest { code: code(), epoch: epoch(), wanted }));
    assert!(matches!(ana.next(), Response::Read { .. }));
    assert_eq!(scripts_run(), before);
}
