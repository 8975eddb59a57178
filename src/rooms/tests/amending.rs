//! What is done with messages after they were said.

use super::*;

fn id(id: u64) -> MessageRef {
    MessageRef::Id(id)
}

fn in_room(command: RoomCommand) -> Command {
    Command::In(RoomRef::Only, command)
}

fn edit(of: MessageRef, text: &str, cid: Option<&str>) -> Command {
    let text = Text::clean(text, 4096).expect("text");
    in_room(RoomCommand::Edit { of, text, cid: cid.and_then(MessageKey::parse) })
}

fn delete(of: MessageRef) -> Command {
    in_room(RoomCommand::Delete { of, cid: MessageKey::parse("d") })
}

fn react(of: MessageRef, emoji: &str, on: bool) -> Command {
    let emoji = Emoji::parse(emoji).expect("an emoji");
    in_room(RoomCommand::React { of, emoji, on, cid: MessageKey::parse("r") })
}

fn reply(of: MessageRef, text: &str) -> Command {
    let text = Text::clean(text, 4096).expect("text");
    in_room(RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: Some(of) })
}

/// A room with ana, who said "one" (3) and "two" (4), and ben, who said "three" (5).
fn talk() -> (House, usize, usize) {
    talk_in(house())
}

fn talk_in(mut house: House) -> (House, usize, usize) {
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let ben = house.join(JoinTarget::Code(code), "ben");
    house.execute(ana, say("one", Some("c1")));
    house.execute(ana, say("two", None));
    house.execute(ben, say("three", None));
    house.flush();
    (house, ana, ben)
}

/// The room's history as it is told.
fn history(house: &mut House, member: usize) -> Vec<Event> {
    house.execute_in(member, RoomCommand::History(Span { limit: 500, ..Span::default() }));
    match house.last_reply(member) {
        Reply::History { events, .. } => events.clone(),
        other => panic!("no history: {other:?}"),
    }
}

fn text_of(event: &Event) -> Option<&str> {
    match &event.body {
        Body::Message { text, .. } => Some(text.as_str()),
        Body::Edit { text, .. } => text.as_ref().map(Text::as_str),
        _ => None,
    }
}

fn annotations(event: &Event) -> Annotations {
    match &event.body {
        Body::Message { annotations: Some(annotations), .. } => (**annotations).clone(),
        Body::Message { annotations: None, .. } => Annotations::default(),
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn a_correction_takes_the_place_of_what_was_said() {
    let (mut house, ana, ben) = talk();
    house.execute(ana, edit(id(3), "uno", Some("e1")));
    house.execute(ana, edit(id(3), "un", None));
    assert_eq!(house.flush()[ben], "6ana~3:uno 7ana~3:un ");
    let events = history(&mut house, ben);
    let texts: Vec<_> = events.iter().map(text_of).collect();
    assert_eq!(texts[2..], [Some("un"), Some("two"), Some("three"), Some("un"), Some("un")]);
    assert!(annotations(&events[2]).is_edited && !annotations(&events[3]).is_edited);
    // Sent again under the same id, it is not made again; nor is what was corrected said again.
    house.execute(ana, edit(id(3), "uno", Some("e1")));
    let again =
        |cid| Reply::AlreadySaid { cid: MessageKey::parse(cid).expect("an id"), id: if cid == "c1" { 3 } else { 6 } };
    assert_eq!(*house.last_reply(ana), again("e1"));
    house.execute(ana, say("one", Some("c1")));
    assert_eq!(*house.last_reply(ana), again("c1"));
    assert_eq!(house.flush()[ben], "");
}

#[test]
fn a_deletion_leaves_nothing_but_its_place() {
    let (mut house, ana, ben) = talk();
    house.execute(ben, react(id(3), "👍", true));
    house.execute(ana, edit(id(3), "uno", None));
    house.execute(ana, delete(id(3)));
    assert_eq!(house.flush()[ben], "6ben!👍3 7ana~3:uno 8anax3 ");
    let events = history(&mut house, ben);
    assert_eq!(events[2].body, Body::Deleted { kind: Kind::Say, cid: MessageKey::parse("c1") });
    assert_eq!(events[6].body, Body::Edit { of: 3, text: None, cid: None });
    let state = house.rooms.committed_state();
    assert!(!state.contains("uno") && !state.contains("\"one\"") && state.contains("two"), "{state}");
    for command in [edit(id(3), "again", None), delete(id(3)), react(id(3), "👍", true)] {
        house.execute(ana, command);
        assert_eq!(*house.refusal(ana), Refusal::NoSuchEvent);
    }
    // It stays said.
    house.execute(ana, say("one", Some("c1")));
    assert!(matches!(house.last_reply(ana), Reply::AlreadySaid { id: 3, .. }));
    // And may be replied to, by who has seen it.
    house.execute(ben, reply(id(3), "what?"));
    assert_eq!(house.flush()[ana], "9ben:what? ");
}

#[test]
fn nobody_changes_what_another_said() {
    let (mut house, ana, ben) = talk();
    for command in [edit(id(3), "uno", None), delete(id(3))] {
        house.execute(ben, command);
        assert_eq!(*house.refusal(ben), Refusal::NotYours);
    }
    // Neither what is no message, nor what is not there.
    for of in [0, 1, 6, u64::MAX] {
        for command in [edit(id(of), "x", None), delete(id(of)), react(id(of), "👍", true), reply(id(of), "x")] {
            house.execute(ana, command);
            assert_eq!(*house.refusal(ana), Refusal::NoSuchEvent, "{of}");
        }
    }
    assert_eq!(house.flush(), ["", ""]);
}

#[test]
fn a_refusal_names_the_clients_own_id() {
    let (mut house, ana, _) = talk();
    let refused_under = |reply: &Reply| match reply {
        Reply::Refused { cid, is_answer: false, .. } => cid.as_ref().map(|cid| cid.as_str().to_owned()),
        other => panic!("not refused: {other:?}"),
    };
    for (command, cid) in [(edit(id(9), "x", Some("e1")), "e1"), (delete(id(9)), "d"), (react(id(9), "👍", true), "r")]
    {
        house.execute(ana, command);
        assert_eq!(refused_under(house.last_reply(ana)).as_deref(), Some(cid));
    }
    // As it does where it could not be stored.
    for (command, cid) in [(edit(id(3), "x", Some("e2")), "e2"), (delete(id(3)), "d"), (react(id(3), "👍", true), "r")]
    {
        house.propose_on(ana, ECHOING, command);
        for proposal in house.take_proposals() {
            assert!(proposal.is_refusable());
            house.rooms.refuse(proposal, house.now);
        }
        house.settle();
        assert_eq!(*house.refusal(ana), Refusal::StorageFailed);
        assert_eq!(refused_under(house.last_reply(ana)).as_deref(), Some(cid));
    }
    // What came to nothing may be done again.
    house.execute(ana, react(id(3), "👍", true));
    house.execute(ana, delete(id(3)));
    assert_eq!(house.flush()[ana], "6ana!👍3 7anax3 ");
}

#[test]
fn each_reacts_once_with_an_emoji() {
    let (mut house, ana, ben) = talk();
    for (member, emoji, on) in [
        (ana, "👍", true),
        (ben, "👍", true),
        (ben, "👍", true),
        (ben, "🎉", false),
        (ana, "👍", false),
        (ana, "👍", false),
    ] {
        house.execute(member, react(id(3), emoji, on));
    }
    assert_eq!(house.flush()[ana], "6ana!👍3 7ben!👍3 8ana?👍3 ", "what changes nothing is no event");
    assert!(house.replies[ana].iter().all(|reply| !matches!(reply, Reply::Refused { .. })));
    let reactions = annotations(&history(&mut house, ana)[2]).reactions;
    assert_eq!(reactions.len(), 1);
    assert_eq!(reactions[0].members, [(house.membership(ben).author, Name::parse("ben").expect("a name"))]);
}

#[test]
fn a_message_has_so_many_different_reactions_at_the_most() {
    let (mut house, ana, ben) = talk();
    let emojis: Vec<String> = ('😀'..).take(MAX_EMOJIS + 1).map(String::from).collect();
    // What is on its way counts as well.
    for emoji in &emojis[..MAX_EMOJIS] {
        house.propose_on(ana, ECHOING, react(id(3), emoji, true));
    }
    house.propose_on(ben, ECHOING, react(id(3), &emojis[MAX_EMOJIS], true));
    house.settle();
    assert_eq!(*house.refusal(ben), Refusal::TooManyReactions);
    house.execute(ben, react(id(3), &emojis[0], true));
    house.execute(ana, react(id(3), &emojis[1], false));
    house.execute(ben, react(id(3), &emojis[MAX_EMOJIS], true));
    assert_eq!(annotations(&history(&mut house, ana)[2]).reactions.len(), MAX_EMOJIS);
}

#[test]
fn what_is_about_to_be_deleted_is_gone() {
    let (mut house, ana, ben) = talk();
    house.propose_on(ana, ECHOING, delete(id(3)));
    for command in [delete(id(3)), edit(id(3), "x", None)] {
        house.propose_on(ana, ECHOING, command);
    }
    house.propose_on(ben, ECHOING, react(id(3), "👍", true));
    house.settle();
    assert_eq!(house.flush()[ben], "6anax3 ");
    assert_eq!((house.refusal(ana), house.refusal(ben)), (&Refusal::NoSuchEvent, &Refusal::NoSuchEvent));
}

#[test]
fn what_another_node_deleted_first_is_refused() {
    let (mut house, ana, _) = talk();
    let membership = house.membership(ana);
    let room = house.rooms.room(membership.room);
    let event = room.make_event(membership.author, Body::Delete { of: 3, of_whom: None }, 0).expect("a member");
    let deletion = Proposal::new(room.code(), room.epoch(), Change::Publish { event });
    for (command, cid) in [(edit(id(3), "x", Some("e1")), "e1"), (delete(id(3)), "d")] {
        house.propose_on(ana, ECHOING, command);
        let own = house.take_proposals();
        let other = Proposal::new(deletion.code, deletion.epoch, deletion.change.clone());
        for proposal in [other].into_iter().chain(own) {
            house.rooms.commit(proposal, house.now, &mut house.sent);
        }
        house.settle();
        let expected = MessageKey::parse(cid);
        assert!(
            matches!(house.last_reply(ana), Reply::Refused { refusal: Refusal::NoSuchEvent, cid, .. } if *cid == expected)
        );
    }
    assert!(!house.rooms.committed_state().contains("\"one\""));
}

#[test]
fn the_last_message_is_that_which_was_said_before_the_command() {
    let (mut house, ana, ben) = talk();
    house.execute(ana, edit(MessageRef::OwnLast, "dos", None));
    house.execute(ana, reply(MessageRef::LastOfOthers, "yes"));
    house.execute(ana, react(MessageRef::Last, "👍", true));
    house.execute(ana, delete(MessageRef::OwnLast));
    house.execute(ana, delete(MessageRef::OwnLast));
    assert_eq!(house.flush()[ben], "6ana~4:dos 7ana:yes 8ana!👍7 9anax7 10anax4 ");
    let events = history(&mut house, ana);
    assert!(matches!(&events[6].body, Body::Deleted { .. }));
    house.execute(ana, delete(MessageRef::OwnLast));
    house.execute(ana, delete(MessageRef::OwnLast));
    assert_eq!(*house.refusal(ana), Refusal::NoSuchEvent, "no message of hers is left");
}

#[test]
fn a_command_about_the_last_message_waits_for_those_before_it() {
    let (mut house, ana, _) = talk();
    house.propose_on(ana, ECHOING, say("thre", None));
    let caller = Caller {
        connection: ConnectionId(ana as u64),
        address: Address::from(core::net::IpAddr::from(house.address)),
        via: Via::Web,
        encoder: ECHOING,
    };
    let memberships = house.memberships[ana].clone();
    let command = edit(MessageRef::OwnLast, "three", None);
    let execution = house.rooms.execute(&caller, &memberships, command, house.now, &mut house.sent);
    assert_eq!(execution, Execution::Parked);
    assert!(!house.rooms.has_resumed());
    let said = house.take_proposals();
    // What is said meanwhile is not waited for, or a busy room would never be done.
    house.propose_on(ana, ECHOING, say("four", None));
    let later = house.take_proposals();
    for proposal in said {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    let resumed = house.rooms.take_resumed().expect("it goes on");
    let execution = house.rooms.resume(&caller, &memberships, resumed, house.now, &mut house.sent);
    assert_eq!(execution, Execution::Done);
    for proposal in later {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    house.settle();
    assert_eq!(house.flush()[ana], "6ana:thre 7ana:four 8ana~6:three ");
}

#[test]
fn who_waits_for_a_room_that_ends_is_told() {
    let (mut house, ana, _) = talk();
    house.propose_on(ana, ECHOING, say("x", None));
    let caller = Caller {
        connection: ConnectionId(ana as u64),
        address: Address::from(core::net::IpAddr::from(house.address)),
        via: Via::Web,
        encoder: ECHOING,
    };
    let room = house.membership(ana).room;
    let memberships = house.memberships[ana].clone();
    let command = delete(MessageRef::Last);
    let _ = house.rooms.execute(&caller, &memberships, command, house.now, &mut house.sent);
    house.rooms.remove_room(room);
    assert!(house.rooms.take_resumed().is_some());
}

#[test]
fn who_comes_back_learns_what_was_changed() {
    let (mut house, ana, ben) = talk();
    let token = house.token(ben);
    house.drop_connection(ben);
    house.execute(ana, edit(id(3), "uno", None));
    house.execute(ana, delete(id(4)));
    let ben = house.connect();
    let code = house.code(ana);
    let mut command = join(JoinTarget::Code(code), None, Some(token));
    if let Command::Join(join) = &mut command {
        join.since = Some(5);
    }
    house.execute(ben, command);
    let Reply::Joined { events, .. } = house.last_reply(ben) else { panic!("not let in") };
    let bodies: Vec<_> = events.iter().map(|event| (event.id, event.body.amends(), text_of(event))).collect();
    assert_eq!(bodies, [(6, Some(3), Some("uno")), (7, Some(4), None)]);
}

// ---- what memory does not hold

/// The same, with few events in memory, and the others as the journal has them.
fn talk_beyond_memory() -> (House, usize, usize, Vec<Event>) {
    let mut house = house();
    house.rooms.rely_on_journal_beyond(3);
    let (mut house, ana, ben) = talk_in(house);
    let mut stored = vec![
        stored_event(&house, ana, 1, Body::Enter),
        stored_event(&house, ben, 2, Body::Enter),
        stored_event(&house, ana, 3, Body::said(Kind::Say, text("one"), MessageKey::parse("c1"), None)),
        stored_event(&house, ana, 4, Body::said(Kind::Say, text("two"), None, None)),
        stored_event(&house, ben, 5, Body::said(Kind::Say, text("three"), None, None)),
    ];
    for number in 6..=9 {
        house.execute(ben, say("more", None));
        stored.push(stored_event(&house, ben, number, Body::said(Kind::Say, text("more"), None, None)));
    }
    house.flush();
    (house, ana, ben, stored)
}

fn text(text: &str) -> Text {
    Text::clean(text, 4096).expect("text")
}

fn stored_event(house: &House, member: usize, id: u64, body: Body) -> Event {
    let membership = house.membership(member);
    let room = house.rooms.room(membership.room);
    Event { id, ..room.make_event(membership.author, body, house.now.wall_ms).expect("a member") }
}

fn execute_parked(house: &mut House, member: usize, command: Command) {
    let caller = caller(house, member);
    let memberships = house.memberships[member].clone();
    let execution = house.rooms.execute(&caller, &memberships, command, house.now, &mut house.sent);
    assert_eq!(execution, Execution::Parked);
}

fn caller(house: &House, member: usize) -> Caller {
    Caller {
        connection: ConnectionId(member as u64),
        address: Address::from(core::net::IpAddr::from(house.address)),
        via: Via::Web,
        encoder: ECHOING,
    }
}

/// The journal reads what is wanted, as it was at that time.
fn read(stored: &[Event], request: &ReadRequest) -> Page {
    let (Wanted::Events { first_id, last_id } | Wanted::EventsAndMessage { first_id, last_id, .. }) = request.wanted
    else {
        panic!("{request:?}")
    };
    let events = stored.iter().filter(|event| (first_id..=last_id).contains(&event.id)).cloned().collect();
    Page { events, ..Page::default() }
}

fn resume(house: &mut House) {
    let resumed = house.rooms.take_resumed().expect("it goes on");
    let member = resumed.connection.0 as usize;
    let (caller, memberships) = (caller(house, member), house.memberships[member].clone());
    let execution = house.rooms.resume(&caller, &memberships, resumed, house.now, &mut house.sent);
    assert_eq!(execution, Execution::Done);
    house.settle();
}

#[test]
fn what_memory_does_not_hold_is_read_before_it_is_changed() {
    let (mut house, ana, ben, stored) = talk_beyond_memory();
    for (member, command) in [(ana, edit(id(3), "uno", None)), (ben, react(id(4), "👍", true)), (ana, delete(id(3)))]
    {
        execute_parked(&mut house, member, command);
        let request = house.rooms.take_read_request().expect("it is read");
        let page = read(&stored, &request);
        house.rooms.page_in(request, Some(page));
        resume(&mut house);
    }
    execute_parked(&mut house, ben, delete(id(4)));
    let request = house.rooms.take_read_request().expect("it is read");
    house.rooms.page_in(request.clone(), Some(read(&stored, &request)));
    resume(&mut house);
    assert_eq!(*house.refusal(ben), Refusal::NotYours);
    assert_eq!(house.flush()[ben], "10ana~3:uno 11ben!👍4 12anax3 ");
    // What is too old to be kept causes no read.
    house.execute(ana, edit(id(0), "x", None));
    assert_eq!(*house.refusal(ana), Refusal::NoSuchEvent);
}

#[test]
fn the_last_message_is_looked_for_beyond_memory() {
    let (mut house, ana, ben, stored) = talk_beyond_memory();
    execute_parked(&mut house, ana, edit(MessageRef::OwnLast, "dos", None));
    let request = house.rooms.take_read_request().expect("it is read");
    house.rooms.page_in(request.clone(), Some(read(&stored, &request)));
    resume(&mut house);
    assert_eq!(house.flush()[ben], "10ana~4:dos ");
}

#[test]
fn a_page_on_its_way_does_not_bring_back_what_is_deleted_meanwhile() {
    for is_read_before in [true, false] {
        let (mut house, ana, ben, mut stored) = talk_beyond_memory();
        let span = Span { before: Some(7), limit: 500, ..Span::default() };
        execute_parked(&mut house, ben, in_room(RoomCommand::History(span)));
        let request = house.rooms.take_read_request().expect("it is read");
        let page = read(&stored, &request);
        let (deletion, correction) =
            (Body::Delete { of: 3, of_whom: None }, Body::Edit { of: 4, text: Some(text("dos")), cid: None });
        let mut changes = Vec::new();
        for (number, body) in [(10, deletion), (11, correction)] {
            let event = stored_event(&house, ana, number, body);
            amend(&mut stored, &event);
            let room = house.rooms.room(house.membership(ana).room);
            changes.push(Proposal::new(room.code(), room.epoch(), Change::Publish { event }));
        }
        let mut commit = |house: &mut House| {
            for proposal in changes.drain(..) {
                house.rooms.commit(proposal, house.now, &mut house.sent);
            }
        };
        if is_read_before {
            // It is held for who asked for it, and does not stay as it is.
            house.rooms.page_in(request, Some(page));
            commit(&mut house);
        } else {
            commit(&mut house);
            house.rooms.page_in(request, Some(page));
        }
        resume(&mut house);
        let Reply::History { events, .. } = house.last_reply(ben) else { panic!("no history") };
        assert!(matches!(events[2].body, Body::Deleted { .. }), "{events:?}");
        assert_eq!(text_of(&events[3]), Some("dos"));
        assert!(!house.rooms.committed_state().contains("\"one\""));
    }
}

#[test]
fn who_is_about_to_come_in_is_not_told_what_is_deleted_before() {
    let (mut house, ana, _) = talk();
    house.rooms.rely_on_journal_beyond(100);
    let code = house.code(ana);
    let newcomer = house.connect();
    house.propose_on(newcomer, ECHOING, join(JoinTarget::Code(code), Some("cat"), None));
    let entering = house.take_proposals();
    house.execute(ana, delete(id(3)));
    // Memory has released what came before, so that only what was known when it asked can tell of it.
    let room = house.membership(ana).room;
    house.rooms.room_mut(room).state.release_beyond(1);
    for proposal in entering {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    house.settle();
    let Reply::Joined { events, .. } = house.last_reply(newcomer) else { panic!("not let in") };
    assert!(matches!(events[2].body, Body::Deleted { .. }), "{events:?}");
    assert_eq!(text_of(&events[3]), Some("two"));
}

/// The member of this connection comes back, over the one that is returned, and knows events up to this one.
fn come_back(house: &mut House, member: usize, since: u64) -> usize {
    let (token, code) = (house.token(member), house.code(member));
    house.drop_connection(member);
    let back = house.connect();
    let mut command = join(JoinTarget::Code(code), None, Some(token));
    if let Command::Join(join) = &mut command {
        join.since = Some(since);
    }
    house.execute(back, command);
    back
}

#[test]
fn a_correction_that_is_sent_again_is_looked_for_together_with_its_message() {
    let (mut house, ana, _, stored) = talk_beyond_memory();
    let ana = come_back(&mut house, ana, 9);
    execute_parked(&mut house, ana, edit(id(3), "uno", Some("e1")));
    let request = house.rooms.take_read_request().expect("it is read");
    let Wanted::EventsAndMessage { message, .. } = request.wanted.clone() else { panic!("{request:?}") };
    // It is the event 7 already.
    let page = Page { messages: vec![(message.0, message.1, 7)], ..read(&stored, &request) };
    house.rooms.page_in(request, Some(page));
    resume(&mut house);
    assert!(matches!(house.last_reply(ana), Reply::AlreadySaid { id: 7, .. }));
}

#[test]
fn what_is_held_for_others_is_not_relied_on() {
    let (mut house, ana, ben, stored) = talk_beyond_memory();
    let ana = come_back(&mut house, ana, 9);
    execute_parked(&mut house, ben, in_room(RoomCommand::History(Span { before: Some(7), limit: 500, since: None })));
    let request = house.rooms.take_read_request().expect("it is read");
    let page = read(&stored, &request);
    house.rooms.page_in(request, Some(page));
    // The page that is held for ben has the message, but is gone by the time when the rest is read.
    execute_parked(&mut house, ana, edit(id(3), "uno", Some("e1")));
    resume(&mut house);
    let request = house.rooms.take_read_request().expect("it is read");
    assert!(matches!(request.wanted, Wanted::EventsAndMessage { first_id: 3, last_id: 3, .. }), "{request:?}");
    let page = read(&stored, &request);
    house.rooms.page_in(request, Some(page));
    resume(&mut house);
    assert_eq!(house.flush()[ben], "10ana~3:uno ");
}
