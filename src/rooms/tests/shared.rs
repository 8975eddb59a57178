//! Rooms that other nodes share: what becomes of what is proposed here when something of another node comes first.

use super::*;

const HERE: NodeId = NodeId(1);
const THERE: NodeId = NodeId(2);

fn name(typed: &str) -> Name {
    Name::parse(typed).expect("a name")
}

fn token(digit: char) -> Token {
    Token::parse(&digit.to_string().repeat(32)).expect("a token")
}

fn event(author: u32, called: &str, body: Body) -> Event {
    let time_ms = 1_700_000_000_000;
    Event { id: 0, time_ms, name: name(called), via: Via::Web, author: AuthorId(author), body }
}

fn enter(author: u32, called: &str) -> Change {
    let (account, becomes_operator) = (None, false);
    let (opens, takes_place, returns) = (false, Some(token('e').hash()), false);
    Change::Enter { opens, takes_place, account, returns, becomes_operator, event: event(author, called, Body::Enter) }
}

fn saying(id: u64, author: u32, called: &str) -> Change {
    let (kind, text) = (Kind::Say, Text::clean("hello", 100).expect("a text"));
    let body = Body::Message { kind, text, cid: None, annotations: None };
    Change::Publish { event: Event { id, ..event(author, called, body) } }
}

fn join_with_key(code: RoomCode, called: &str, key: &str) -> Command {
    let Command::Join(mut join) = join(JoinTarget::Code(code), Some(called), None) else { unreachable!() };
    join.key = RoomKey::parse(key);
    Command::Join(join)
}

/// Whoever has these events of a room whose life it does not tell.
fn join_since(target: JoinTarget, called: &str, token: Token, since: u64) -> Command {
    let Command::Join(mut join) = join(target, Some(called), Some(token)) else { unreachable!() };
    join.since = Some(since);
    Command::Join(join)
}

impl House {
    /// One of several nodes.
    fn shared(limits: Limits) -> House {
        let mut house = House::new(Limits { create_rate: 0, join_rate: 0, ..limits });
        house.rooms.share_as(HERE);
        house
    }

    /// Another node's change of the room in which this one is comes. Returns whether it was possible.
    fn take_in(&mut self, of: usize, change: Change) -> bool {
        let room = self.rooms.room(self.membership(of).room);
        let proposal = Proposal::new(room.code(), room.epoch(), change).proposed_by(THERE);
        let was_possible = self.rooms.commit(proposal, self.now, &mut self.sent);
        self.settle();
        was_possible
    }

    /// These were outdated: everything is settled that follows from that.
    fn outdate(&mut self, outdated: Vec<Proposal>) {
        outdated.into_iter().for_each(|proposal| self.rooms.reconsider(proposal, self.now));
        self.go_on();
    }

    /// Whatever is to be tried again is.
    fn go_on(&mut self) {
        self.settle();
        loop {
            if let Some(sync) = self.rooms.take_sync() {
                self.rooms.finish_sync(sync, self.now);
            }
            let Some(resumed) = self.rooms.take_resumed() else { return };
            let caller = Caller {
                connection: resumed.connection,
                address: Address::from(core::net::IpAddr::from(self.address)),
                via: Via::Web,
                encoder: ECHOING,
            };
            let memberships = self.memberships[resumed.connection.0 as usize].clone();
            let _ = self.rooms.resume(&caller, &memberships, resumed, self.now, &mut self.sent);
            self.settle();
        }
    }

    fn gap(&self, connection: usize) -> bool {
        match self.last_reply(connection) {
            Reply::Joined { gap, .. } => *gap,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_event_that_is_not_the_next_one_is_impossible() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let room = house.membership(ana).room;
    assert!(!house.take_in(ana, saying(3, 1, "ana")) && !house.take_in(ana, saying(1, 1, "ana")));
    assert_eq!(house.rooms.room(room).last_id(), 1);
    assert!(house.take_in(ana, saying(2, 1, "ana")));
}

#[test]
fn a_room_begins_once_and_under_one_code() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let epoch = house.rooms.room(house.membership(ana).room).epoch();
    let other = RoomCode::parse("BCDFG").expect("a code");
    for (code, epoch) in [(house.code(ana), epoch), (other, epoch), (other, Epoch::NONE)] {
        let opening = Proposal::new(code, epoch, Change::Open { time_ms: 1 }).proposed_by(THERE);
        assert!(!house.rooms.commit(opening, house.now, &mut house.sent), "{code:?} {epoch}");
    }
    assert_eq!(house.rooms.counts().rooms, 1);
}

#[test]
fn no_more_come_in_over_several_nodes_than_a_room_may_have() {
    let mut house = House::shared(Limits { members: 2, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let known = house.join(JoinTarget::Code(code), "ben");
    let token = house.token(known);
    assert!(house.take_in(ana, Change::Vacate { author: AuthorId(2), event: None, may_return: true, time_ms: 1 }));
    // Who comes back has its number already.
    let ben = house.connect();
    house.propose_on(ben, ECHOING, join(JoinTarget::Code(code), None, Some(token)));
    let outdated = house.take_proposals();
    assert!(house.take_in(ana, enter(3, "leo")));
    house.outdate(outdated);
    assert_eq!(house.refusal(ben), &Refusal::RoomFull { code });
    assert_eq!(house.rooms.counts().members, 2);
}

#[test]
fn whose_life_of_a_room_is_not_known_is_told_of_a_gap() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, known) = (house.code(ana), house.token(ana));
    let gap_of = |house: &mut House, target, called, token, since| {
        let connection = house.connect();
        house.execute(connection, join_since(target, called, token, since));
        house.gap(connection)
    };
    assert!(!gap_of(&mut house, JoinTarget::Code(code), "ana", known, 1), "the room knows its secret");
    assert!(gap_of(&mut house, JoinTarget::Code(code), "ben", token('b'), 1), "it may have been there before");
    let other = RoomCode::parse("BCDFG").expect("a code");
    assert!(gap_of(&mut house, JoinTarget::CodeOrNew(other), "cleo", token('c'), 1), "made anew");
}

#[test]
fn who_has_shown_the_key_need_not_show_it_again_behind_another() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let moderation = Moderation::Key(RoomKey::parse("sesame"));
    house.execute_in(ana, RoomCommand::Moderate { readings: vec![moderation], cid: None });
    let (ben, cleo) = (house.connect(), house.connect());
    house.propose_on(ben, ECHOING, join_with_key(code, "ben", "sesame"));
    let (target, key) = (JoinTarget::Code(code), RoomKey::parse("sesame"));
    house.propose_on(cleo, ECHOING, Command::Reserve { target, name: name("cleo"), token: None, key });
    let outdated = house.take_proposals();
    assert!(
        house.take_in(ana, enter(2, "leo"))
            && house.take_in(ana, {
                let Change::Enter { opens, account, returns, becomes_operator, event, .. } = enter(3, "eve") else {
                    unreachable!()
                };
                let takes_place = Some(token('f').hash());
                Change::Enter { opens, takes_place, account, returns, becomes_operator, event }
            })
    );
    house.outdate(outdated);
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }), "{:?}", house.last_reply(ben));
    assert!(matches!(house.last_reply(cleo), Reply::Reserved { .. }), "{:?}", house.last_reply(cleo));
}

#[test]
fn whose_node_has_ended_before_a_claim_has_followed_is_renamed_by_another() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let (code, epoch) = (house.code(ana), house.rooms.room(house.membership(ana).room).epoch());
    let snapshot = house.rooms.snapshot(epoch).expect("there is such a room");
    let rooms = vec![LoadedRoom { snapshot, changes: Vec::new(), former_epochs: Vec::new() }];
    let account = StoredAccount { account: AccountId(7), name: name("ana"), hash: None };
    let here = NodeId(3);
    house.rooms.reset(here, vec![account], rooms, &[here], house.now);
    house.memberships[ana].clear();
    house.settle();
    let ben = house.join(JoinTarget::Code(code), "ben");
    let members: Vec<_> =
        house.rooms.room(house.membership(ben).room).members().map(|member| member.name().as_str()).collect();
    assert_eq!(members, ["ana_1", "ben"]);
}

#[test]
fn an_account_is_not_somebody_else_s_who_has_the_number_of_one_that_did_not_come() {
    let mut house = House::shared(Limits::default());
    let (account, hash) = (AccountId(7), Some(PasswordHash::new("$hash")));
    house.rooms.restore_accounts(vec![StoredAccount { account, name: name("ana"), hash }]);
    let eve = house.join(JoinTarget::New, "eve");
    let code = house.code(eve);
    for _ in 0..2 {
        let ana = house.connect();
        house.rooms.note_proof(ConnectionId(ana as u64), account);
        house.propose_on(ana, ECHOING, join(JoinTarget::Code(code), Some("ana"), None));
    }
    let outdated = house.take_proposals();
    let identifies = |proposal: &Proposal| matches!(proposal.change, Change::Identify { .. });
    assert!(outdated.iter().any(identifies), "the second is the same member");
    assert!(house.take_in(eve, enter(2, "leo")));
    house.outdate(outdated);
    let room = house.rooms.room(house.membership(eve).room);
    assert!(!room.has_account(AuthorId(2)) && room.has_account(AuthorId(3)));
}

#[test]
fn a_room_that_could_not_be_handed_over_is_so_later() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, RoomCommand::Leave));
    for proposal in house.take_proposals() {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    let handed_over = house.take_proposals();
    assert_eq!(handed_over.len(), 1);
    for proposal in handed_over {
        house.rooms.refuse(proposal, house.now);
    }
    house.settle();
    let is_operator = |house: &House| {
        let here = house.membership(ben);
        house.rooms.room(here.room).is_operator(here.author)
    };
    assert!(!is_operator(&house));
    house.pass(1_000);
    assert!(is_operator(&house));
}

#[test]
fn a_room_is_handed_over_to_another_if_the_first_is_gone_by_then() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let [ben, cleo] = ["ben", "cleo"].map(|called| house.join(JoinTarget::Code(code), called));
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, RoomCommand::Leave));
    for proposal in house.take_proposals() {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    let outdated = house.take_proposals();
    let author = house.membership(ben).author;
    assert!(house.take_in(ben, Change::Vacate { author, event: None, may_return: false, time_ms: 1 }));
    house.outdate(outdated);
    let here = house.membership(cleo);
    assert!(house.rooms.room(here.room).is_operator(here.author));
}

#[test]
fn what_was_said_at_another_node_counts_in_slow_mode() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    let moderation = Moderation::Slow { seconds: 60 };
    house.execute_in(ana, RoomCommand::Moderate { readings: vec![moderation], cid: None });
    assert!(house.take_in(ana, saying(0, 2, "ben")));
    house.execute(ben, say("again", None));
    assert!(matches!(house.refusal(ben), Refusal::SlowMode { .. }), "{:?}", house.refusal(ben));
}

#[test]
fn nobody_comes_in_behind_a_key_that_it_has_not_shown() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let (code, epoch) = (house.code(ana), house.rooms.room(house.membership(ana).room).epoch());
    let ben = house.connect();
    house.propose_on(ben, ECHOING, join(JoinTarget::Code(code), Some("ben"), None));
    let guest = house.connect();
    let (id, file_name) = (FileId::random(&mut StdRng::seed_from_u64(1)), FileName::clean("plan.pdf"));
    let file = SharedFile { id, name: file_name, size_bytes: 7, file_type: FileType::Other, dimensions: None };
    let share = Share { code, sharer: Sharer::Guest(name("zoe")), text: None, cid: None, key: None };
    house.propose_on(guest, ECHOING, Command::Share(Box::new(share), Box::new(file)));
    let outdated = house.take_proposals();
    assert_eq!(outdated.len(), 2);
    let event = event(1, "ana", Body::Mode { change: ModeChange::Key });
    let key = RoomKey::parse("sesame").map(|key| key.hash(epoch));
    let measure = Measure { event, target: None, ban: None, key, as_admin: None };
    assert!(house.take_in(ana, Change::Moderate(Box::new(measure))));
    house.outdate(outdated);
    for connection in [ben, guest] {
        assert_eq!(house.refusal(connection), &Refusal::KeyRequired { code, was_wrong: false });
    }
}

#[test]
fn a_room_that_goes_on_under_another_epoch_has_the_same_key() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let (code, former) = (house.code(ana), house.rooms.room(house.membership(ana).room).epoch());
    let mut snapshot = house.rooms.snapshot(former).expect("there is such a room");
    snapshot.rules.key = RoomKey::parse("sesame").map(|key| key.hash(former));
    snapshot.epoch = Epoch::parse("00000000000000e2").expect("an epoch");
    let rooms = vec![LoadedRoom { snapshot, changes: Vec::new(), former_epochs: vec![former] }];
    let here = NodeId(3);
    house.rooms.reset(here, Vec::new(), rooms, &[here], house.now);
    house.memberships[ana].clear();
    house.settle();
    let [ben, cleo] = [("ben", "sesame"), ("cleo", "password")].map(|(called, key)| {
        let comer = house.connect();
        house.execute(comer, join_with_key(code, called, key));
        house.go_on();
        comer
    });
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }), "{:?}", house.last_reply(ben));
    assert_eq!(house.refusal(cleo), &Refusal::KeyRequired { code, was_wrong: true });
}

/// Whose node is gone is every other node's affair.
#[test]
fn what_several_nodes_do_for_a_member_is_done_once() {
    let mut house = House::shared(Limits::default());
    let ana = house.join(JoinTarget::New, "ana");
    let room = house.membership(ana).room;
    let (code, epoch) = (house.code(ana), house.rooms.room(room).epoch());
    assert!(house.take_in(ana, enter(2, "leo")));
    house.rooms.give_up_node(THERE, true, house.now);

    let action = AccountAction::Add { name: name("leo"), hash: None };
    let change = AccountChange { account: AccountId(7), action, bearers: Vec::new(), request: None };
    house.rooms.commit(Proposal::of_account(change).proposed_by(THERE), house.now, &mut house.sent);
    let renamings = house.take_proposals();
    assert_eq!(renamings.len(), 1);
    let renaming = Change::Publish { event: event(2, "leo", Body::Nick { to: name("leo_1") }) };
    assert!(house.take_in(ana, renaming));

    let measure = |author, called, change, target| {
        let event = event(author, called, Body::Mode { change });
        Change::Moderate(Box::new(Measure { event, target: Some(target), ban: None, key: None, as_admin: None }))
    };
    let deop = measure(1, "ana", ModeChange::Deop(name("ana")), AuthorId(1));
    let deop = Proposal::new(code, epoch, deop).proposed_by(THERE);
    assert!(house.rooms.commit(deop, house.now, &mut house.sent));
    let handing_over = house.take_proposals();
    assert_eq!(handing_over.len(), 1);
    assert!(house.take_in(ana, measure(2, "leo_1", ModeChange::Op(name("leo_1")), AuthorId(2))));

    let last_id = house.rooms.room(room).last_id();
    house.outdate(renamings);
    assert_eq!(house.rooms.room(room).last_id(), last_id, "it is called that already");
    house.outdate(handing_over);
    assert_eq!(house.rooms.room(room).last_id(), last_id, "it is an operator already");
}

#[test]
fn what_was_shown_by_a_password_that_is_no_more_is_no_right() {
    let mut house = House::shared(Limits::default());
    let (account, hash) = (AccountId(7), Some(PasswordHash::new("$hash")));
    house.rooms.restore_accounts(vec![StoredAccount { account, name: name("ana"), hash }]);
    let eve = house.join(JoinTarget::New, "eve");
    let (comer, changer) = (house.connect(), house.join(JoinTarget::Code(house.code(eve)), "ben"));
    for connection in [comer, changer] {
        house.rooms.note_proof(ConnectionId(connection as u64), account);
    }
    let login = Command::Proven(Box::new(ProvenCommand::Login { account }));
    for (connection, command) in [(comer, join(JoinTarget::Code(house.code(eve)), Some("ana"), None)), (changer, login)]
    {
        house.propose_on(connection, ECHOING, command);
        let outdated = house.take_proposals();
        assert!(!outdated.is_empty());
        let action = AccountAction::SetPassword(PasswordHash::new("$other"));
        let change = AccountChange { account, action, bearers: Vec::new(), request: None };
        house.rooms.commit(Proposal::of_account(change).proposed_by(THERE), house.now, &mut house.sent);
        house.outdate(outdated);
        assert!(matches!(house.last_reply(connection), Reply::Refused { .. }), "{:?}", house.last_reply(connection));
        house.rooms.note_proof(ConnectionId(changer as u64), account);
    }
    let room = house.rooms.room(house.membership(eve).room);
    assert!(room.members().all(|member| member.name().as_str() != "ana"));
    assert!(!room.has_account(AuthorId(2)) && !room.has_account(AuthorId(3)));
}

#[test]
fn who_claims_the_name_that_it_is_about_to_take_bears_it_by_right() {
    let mut house = House::shared(Limits::default());
    let eve = house.join(JoinTarget::New, "eve");
    house.propose_on(eve, ECHOING, Command::In(RoomRef::Only, RoomCommand::Nick(name("ana"))));
    let outdated = house.take_proposals();
    let account = AccountId(7);
    let action = AccountAction::Add { name: name("ana"), hash: Some(PasswordHash::new("$hash")) };
    let change = AccountChange { account, action, bearers: Vec::new(), request: None };
    house.rooms.commit(Proposal::of_account(change).proposed_by(THERE), house.now, &mut house.sent);
    house.rooms.note_proof(ConnectionId(eve as u64), account);
    house.outdate(outdated);
    let here = house.membership(eve);
    let room = house.rooms.room(here.room);
    assert_eq!(room.member(here.author).map(|member| member.name().as_str()), Some("ana"));
    assert!(room.has_account(here.author));
}

#[test]
fn whose_password_is_changed_while_it_takes_its_name_is_given_another() {
    let mut house = House::shared(Limits::default());
    let (account, hash) = (AccountId(7), Some(PasswordHash::new("$hash")));
    house.rooms.restore_accounts(vec![StoredAccount { account, name: name("ana"), hash }]);
    let eve = house.join(JoinTarget::New, "eve");
    house.rooms.note_proof(ConnectionId(eve as u64), account);
    house.propose_on(eve, ECHOING, Command::In(RoomRef::Only, RoomCommand::Nick(name("ana"))));
    let mut proposals = house.take_proposals();
    let outdated = proposals.split_off(1);
    assert!(matches!(outdated[..], [Proposal { change: Change::Identify { .. }, .. }]));
    assert!(house.rooms.commit(proposals.remove(0), house.now, &mut house.sent));
    let action = AccountAction::SetPassword(PasswordHash::new("$other"));
    let change = AccountChange { account, action, bearers: Vec::new(), request: None };
    house.rooms.commit(Proposal::of_account(change).proposed_by(THERE), house.now, &mut house.sent);
    house.outdate(outdated);
    let here = house.membership(eve);
    let room = house.rooms.room(here.room);
    assert_eq!(room.member(here.author).map(|member| member.name().as_str()), Some("ana_1"));
    assert!(matches!(house.refusal(eve), Refusal::NameLost { .. }));
}

#[test]
fn nobody_waits_twice_for_a_log_that_cannot_be_read() {
    let mut house = House::shared(Limits::default());
    house.rooms.rely_on_journal_beyond(2);
    let ana = house.join(JoinTarget::New, "ana");
    (0..20).for_each(|number| house.execute(ana, say(&number.to_string(), None)));
    let (memberships, readers) = (house.memberships[ana].clone(), [house.connect(), house.connect()]);
    let span = Span { since: None, before: None, limit: 10 };
    let search = Search { query: SearchQuery::parse("hello").expect("a query"), span };
    let history = |before| RoomCommand::History(Span { since: None, before: Some(before), limit: 3 });
    let asks = [[history(5), history(9)], [RoomCommand::Search(search.clone()), RoomCommand::Search(search)]];
    for commands in asks {
        for (reader, command) in readers.into_iter().zip(commands) {
            let caller = Caller {
                connection: ConnectionId(reader as u64),
                address: Address::from(core::net::IpAddr::from(house.address)),
                via: Via::Web,
                encoder: ECHOING,
            };
            let command = Command::In(RoomRef::Only, command);
            let _ = house.rooms.execute(&caller, &memberships, command, house.now, &mut house.sent);
        }
        let asked = house.rooms.take_read_request().expect("the first one waits for it");
        assert!(house.rooms.take_read_request().is_none(), "one after the other");
        house.rooms.page_in(asked, None);
        house.settle();
        assert!(house.rooms.take_read_request().is_none());
        for reader in readers {
            assert_eq!(house.refusal(reader), &Refusal::StorageFailed);
            house.replies[reader].clear();
        }
    }
}

#[test]
fn where_accounts_are_required_nobody_comes_in_whose_account_is_gone_by_then() {
    let mut house = House::shared(Limits::default());
    let account = AccountId(7);
    let of = |number, called| StoredAccount { account: AccountId(number), name: name(called), hash: None };
    house.rooms.restore_accounts(vec![of(7, "ana"), of(8, "eve")]);
    house.rooms.require_accounts();
    let [eve, ana] = [8, 7].map(|number| {
        let connection = house.connect();
        house.rooms.note_proof(ConnectionId(connection as u64), AccountId(number));
        connection
    });
    house.execute(eve, join(JoinTarget::New, Some("eve"), None));
    house.propose_on(ana, ECHOING, join(JoinTarget::Code(house.code(eve)), Some("ana"), None));
    let outdated = house.take_proposals();
    let change = AccountChange { account, action: AccountAction::Remove, bearers: Vec::new(), request: None };
    house.rooms.commit(Proposal::of_account(change).proposed_by(THERE), house.now, &mut house.sent);
    house.outdate(outdated);
    assert_eq!(house.refusal(ana), &Refusal::AccountRequired);
}
