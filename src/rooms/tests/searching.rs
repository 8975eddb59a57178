//! Searches, in memory and of a journal.

use super::*;

fn query(typed: &str) -> SearchQuery {
    SearchQuery::parse(typed).expect("a query")
}

fn search(typed: &str, span: Span) -> RoomCommand {
    RoomCommand::Search(Search { query: query(typed), span })
}

fn limited(limit: usize) -> Span {
    Span { limit, ..Span::default() }
}

impl House {
    /// The ids of what is found, and where to go on.
    fn found(&mut self, connection: usize, typed: &str, span: Span) -> (Vec<u64>, Option<u64>) {
        self.execute_in(connection, search(typed, span));
        match self.last_reply(connection) {
            Reply::Found { events, before, .. } => (events.iter().map(|event| event.id).collect(), *before),
            other => panic!("not found: {other:?}"),
        }
    }

    /// Goes on with searches, a turn at a time; returns how many that takes.
    fn search_on(&mut self) -> usize {
        let turns = std::iter::from_fn(|| self.rooms.is_searching().then(|| self.rooms.continue_search())).count();
        self.settle();
        turns
    }

    fn take_request(&mut self) -> ReadRequest {
        self.rooms.take_read_request().expect("something is to be read")
    }
}

#[test]
fn the_newest_are_found_and_told_the_oldest_first() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    for text in ["Slides, please", "no", "the slides", "me too", "SLIDES!", "sl"] {
        house.execute(ana, say(text, None));
    }
    assert_eq!(house.found(ana, "slides", limited(50)), (vec![2, 4, 6], None));
    assert_eq!(house.found(ana, "sl", limited(50)), (vec![2, 4, 6, 7], None), "the last word may be a beginning");
    assert_eq!(house.found(ana, "the slid", limited(50)), (vec![4], None));
    assert_eq!(house.found(ana, "slides", limited(2)), (vec![4, 6], Some(4)));
    assert_eq!(house.found(ana, "slides", Span { before: Some(4), limit: 2, since: None }), (vec![2], None));
    assert_eq!(house.found(ana, "slides", Span { since: Some(2), limit: 9, before: None }), (vec![4, 6], None));
    assert_eq!(house.found(ana, "slides", limited(0)), (vec![6], Some(6)));
    assert_eq!(house.found(ana, "ana", limited(50)), (vec![], None), "names are not searched");
    assert_eq!(house.found(ana, "wall", limited(50)), (vec![], None));
}

#[test]
fn only_what_is_kept_is_found_and_only_in_its_room() {
    let mut house = House::new(Limits { history_events: 5, create_rate: 0, ..Limits::default() });
    let (ana, ben) = (house.join(JoinTarget::New, "ana"), house.join(JoinTarget::New, "ben"));
    for number in 0..8 {
        house.execute(ana, say(&format!("word {number}"), None));
    }
    house.execute(ben, say("word of the other room", None));
    assert_eq!(house.found(ana, "word", limited(50)), (vec![5, 6, 7, 8, 9], None));
    assert_eq!(house.found(ben, "word", limited(50)), (vec![2], None));
    house.execute_in(ana, RoomCommand::Leave);
    house.execute_in(ana, search("word", limited(50)));
    assert_eq!(house.refusal(ana), &Refusal::NotJoined);
}

#[test]
fn from_outside_it_is_asked_by_code() {
    let mut house = House::new(Limits { join_rate: 1, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, say("hello", None));
    let code = house.code(ana);
    let outside = house.connect();
    let ask = |code| Command::Search { code, search: Search { query: query("hello"), span: limited(9) }, token: None };
    house.execute(outside, ask(code));
    assert!(matches!(house.last_reply(outside), Reply::Found { events, before: None, .. } if events.len() == 1));
    let unknown = RoomCode::parse("BBBBBB").expect("a code");
    house.address = [127, 0, 0, 9];
    house.execute(outside, ask(unknown));
    assert_eq!(house.refusal(outside), &Refusal::NoSuchRoom { code: unknown });
    house.execute(outside, ask(code));
    assert!(matches!(house.refusal(outside), Refusal::TooManyCodes { .. }), "as for everything else");
}

#[test]
fn a_long_history_is_searched_in_several_turns_and_nobody_waits() {
    let mut house = House::new(Limits { history_events: 100_000, create_rate: 0, ..Limits::default() });
    let (ana, ben) = (house.join(JoinTarget::New, "ana"), house.join(JoinTarget::New, "ben"));
    house.execute(ana, say("needle", None));
    for number in 0..20_000 {
        house.execute(ana, say(&format!("hay {number}"), None));
    }
    house.execute(ben, say("needle", None));
    let caller = |connection: usize| Caller {
        connection: ConnectionId(connection as u64),
        address: Address::from(core::net::IpAddr::from([127, 0, 0, 1])),
        via: Via::Web,
        encoder: ECHOING,
    };
    for connection in [ana, ben] {
        let command = Command::In(RoomRef::Only, search("needle", limited(9)));
        let memberships = house.memberships[connection].clone();
        let execution = house.rooms.execute(&caller(connection), &memberships, command, house.now, &mut house.sent);
        assert_eq!(execution, Execution::Done);
    }
    assert!(house.rooms.take_reply().is_none());
    house.rooms.continue_search();
    assert!(house.rooms.is_searching() && house.rooms.take_reply().is_none());
    house.rooms.continue_search();
    assert_eq!(house.rooms.take_reply().map(|(connection, _)| connection), Some(ConnectionId(ben as u64)));
    let turns = house.search_on();
    assert!((9..=10).contains(&turns), "{turns}");
    assert!(matches!(house.last_reply(ana), Reply::Found { events, before: None, .. } if events.len() == 1));
}

#[test]
fn a_journal_is_asked_for_one_search_at_a_time() {
    let mut house = house();
    house.rooms.rely_on_journal();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    for connection in [ana, ben] {
        house.execute_in(connection, search("hello", limited(7)));
    }
    let first = house.take_request();
    let wanted = Wanted::Search { query: query("hello"), first_id: 1, before: 3, limit: 7 };
    assert_eq!(first.wanted, wanted);
    assert!(house.rooms.take_read_request().is_none());
    // What has happened meanwhile was not asked for.
    house.execute(ben, say("hello", None));
    house.rooms.page_in(first, Some(Page { before: Some(2), ..Page::default() }));
    house.settle();
    let code = house.code(ana);
    assert_eq!(house.last_reply(ana), &Reply::Found { code, events: Vec::new(), before: Some(2) });
    let second = house.take_request();
    house.rooms.page_in(second, None);
    house.settle();
    assert_eq!(house.refusal(ben), &Refusal::StorageFailed);
    assert!(house.rooms.take_read_request().is_none());
    assert_eq!(house.found_by_journal(ana, "hello"), vec![3]);
}

#[test]
fn who_is_not_there_any_more_is_told_nothing() {
    let mut house = house();
    house.rooms.rely_on_journal();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let (ben, outside) = (house.join(JoinTarget::Code(code), "ben"), house.connect());
    house.execute(ana, say("hello", None));
    house.execute_in(ana, search("hello", limited(7)));
    house.execute_in(ben, search("hello", limited(7)));
    house.execute(
        outside,
        Command::Search { code, search: Search { query: query("hello"), span: limited(7) }, token: None },
    );
    let request = house.take_request();
    let page = Page {
        events: house.rooms.room(house.membership(ana).room).state.history.events().collect(),
        ..Page::default()
    };
    for connection in [ana, ben] {
        house.execute_in(connection, RoomCommand::Leave);
    }
    house.rooms.page_in(request, Some(page));
    house.settle();
    assert_eq!(house.refusal(ana), &Refusal::NotJoined);
    assert_eq!(house.refusal(ben), &Refusal::NotJoined, "nothing was read for him");
    let request = house.take_request();
    house.pass(10_000_000);
    house.rooms.page_in(request, Some(Page::default()));
    house.settle();
    assert_eq!(house.refusal(outside), &Refusal::NoSuchRoom { code });
}

#[test]
fn what_was_changed_meanwhile_is_not_told_as_it_was() {
    let mut house = house();
    house.rooms.rely_on_journal();
    let ana = house.join(JoinTarget::New, "ana");
    let epoch = house.rooms.room(house.membership(ana).room).epoch();
    for text in ["hello", "hello again"] {
        house.execute(ana, say(text, None));
    }
    house.execute_in(ana, search("hello", limited(7)));
    let request = house.take_request();
    let events = house.rooms.room(house.membership(ana).room).state.history.events().skip(1).collect();
    house.rooms.note_amended(epoch, 2);
    house.rooms.page_in(request, Some(Page { events, ..Page::default() }));
    house.settle();
    assert!(matches!(house.last_reply(ana), Reply::Found { events, .. } if events.len() == 1 && events[0].id == 3));
}

impl House {
    /// The ids of what a journal finds that has what memory has.
    fn found_by_journal(&mut self, connection: usize, typed: &str) -> Vec<u64> {
        self.execute_in(connection, search(typed, limited(50)));
        let request = self.take_request();
        let Wanted::Search { query, first_id, before, .. } = &request.wanted else { panic!("{request:?}") };
        let history = &self.rooms.room(self.membership(connection).room).state.history;
        let range = history::IdRange { first: *first_id, last: before - 1 };
        let events = history.search_held(range, query);
        self.rooms.page_in(request, Some(Page { events, ..Page::default() }));
        self.settle();
        match self.last_reply(connection) {
            Reply::Found { events, .. } => events.iter().map(|event| event.id).collect(),
            other => panic!("not found: {other:?}"),
        }
    }
}
