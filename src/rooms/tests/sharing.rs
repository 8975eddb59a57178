//! Files that are shared in rooms.

use super::*;

fn file(name: &str, random: u64) -> SharedFile {
    let id = FileId::random(&mut StdRng::seed_from_u64(random));
    SharedFile { id, name: FileName::clean(name), size_bytes: 7, file_type: FileType::Other, dimensions: None }
}

fn share_by(code: RoomCode, sharer: Sharer, cid: Option<&str>) -> Box<Share> {
    Box::new(Share { code, sharer, key: None, cid: cid.and_then(MessageKey::parse), text: None })
}

/// A room with ana and ben in it, and a connection that is in no room.
fn room() -> (House, RoomCode, usize, usize) {
    room_in(house())
}

fn room_in(mut house: House) -> (House, RoomCode, usize, usize) {
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.join(JoinTarget::Code(code), "ben");
    let outside = house.connect();
    house.flush();
    (house, code, ana, outside)
}

fn share(house: &mut House, connection: usize, share: Box<Share>, file: &SharedFile) -> Reply {
    house.execute(connection, Command::CheckShare(share.clone()));
    if house.last_reply(connection) == &Reply::ShareAllowed {
        house.execute(connection, Command::Share(share, Box::new(file.clone())));
    }
    house.last_reply(connection).clone()
}

fn member(house: &House, connection: usize) -> Sharer {
    Sharer::Member(house.tokens[connection].expect("a token"))
}

fn caller_of(connection: usize) -> Caller {
    Caller {
        connection: ConnectionId(connection as u64),
        address: Address::from(core::net::IpAddr::from([127, 0, 0, 1])),
        via: Via::Web,
        encoder: ECHOING,
    }
}

fn moderate(moderation: Moderation) -> RoomCommand {
    RoomCommand::Moderate { readings: vec![moderation], cid: None }
}

fn released(house: &mut House) -> Vec<FileId> {
    std::iter::from_fn(|| house.rooms.take_released_file()).collect()
}

fn is_found(house: &mut House, code: RoomCode, file: &SharedFile) -> bool {
    let connection = house.connect();
    house.execute(connection, Command::FindFile { code, id: file.id });
    match house.last_reply(connection) {
        Reply::FileFound { file: found } => found == file,
        _ => false,
    }
}

#[test]
fn a_member_shares_a_file_once() {
    let (mut house, code, ana, outside) = room();
    let (plan, again) = (file("plan.pdf", 1), file("plan.pdf", 2));
    let as_ana = member(&house, ana);
    let shared = share(&mut house, outside, share_by(code, as_ana.clone(), Some("c")), &plan);
    assert_eq!(shared, Reply::Shared { code, file: Box::new(plan.clone()), id: 3, is_new: true });
    assert!(is_found(&mut house, code, &plan) && !is_found(&mut house, code, &again));
    let known = Reply::Shared { code, file: Box::new(plan.clone()), id: 3, is_new: false };
    assert_eq!(share(&mut house, outside, share_by(code, as_ana.clone(), Some("c")), &again), known);
    house.execute(outside, Command::Share(share_by(code, as_ana, Some("c")), Box::new(again.clone())));
    assert_eq!(house.last_reply(outside), &known);
    assert_eq!(released(&mut house), [again.id]);
    assert_eq!(house.rooms.files().collect::<Vec<_>>(), [&plan]);
}

/// Files come over connections of their own: one that breaks makes nobody leave the room.
#[test]
fn who_never_left_shares_a_file_once_however_much_was_said_in_between() {
    let (mut house, code, ana, outside) = room();
    house.rooms.rely_on_journal_beyond(2);
    let (plan, again) = (file("plan.pdf", 1), file("plan.pdf", 2));
    let to_share = share_by(code, member(&house, ana), Some("c"));
    share(&mut house, outside, to_share.clone(), &plan);
    (0..100).for_each(|_| house.execute(ana, say("x", None)));
    let known = Reply::Shared { code, file: Box::new(plan), id: 3, is_new: false };
    assert_eq!(share(&mut house, outside, to_share.clone(), &again), known);
    // Memory does not know it any more; the journal does.
    let here = house.membership(ana);
    house.rooms.room_mut(here.room).state.history.leave_last_messages();
    for command in [Command::CheckShare(to_share.clone()), Command::Share(to_share, Box::new(again.clone()))] {
        house.replies[outside].clear();
        let caller = caller_of(outside);
        let execution = house.rooms.execute(&caller, &[], command, house.now, &mut house.sent);
        assert_eq!(execution, Execution::Parked);
        let request = house.rooms.take_read_request().expect("it is read");
        let Wanted::Messages(messages) = request.wanted.clone() else { panic!("{request:?}") };
        let [(author, key)] = <[_; 1]>::try_from(messages).expect("one message");
        assert_eq!(author, here.author);
        house.rooms.page_in(request, Some(Page { messages: vec![(author, key, 3)], ..Page::default() }));
        let resumed = house.rooms.take_resumed().expect("it goes on");
        let _ = house.rooms.resume(&caller, &[], resumed, house.now, &mut house.sent);
        house.settle();
        assert_eq!(house.last_reply(outside), &known);
    }
    assert_eq!(released(&mut house), [again.id]);
}

#[test]
fn what_is_said_with_a_file_is_edited_and_the_file_stays() {
    let (mut house, code, ana, outside) = room();
    let plan = file("plan.pdf", 1);
    let mut with_text = share_by(code, member(&house, ana), None);
    with_text.text = Text::clean("look", 100).ok();
    share(&mut house, outside, with_text, &plan);
    let text = Text::clean("look here", 100).expect("a text");
    house.execute_in(ana, RoomCommand::Edit { of: MessageRef::OwnLast, text, cid: None });
    house.execute_in(ana, RoomCommand::History(Span { limit: 500, ..Span::default() }));
    let Reply::History { events, .. } = house.last_reply(ana) else { panic!("no history") };
    assert_eq!(events[2].body.file(), Some(&plan));
    assert!(matches!(&events[2].body, Body::Message { text, .. } if text.as_str() == "look here"));
}

#[test]
fn a_file_goes_with_its_message_with_the_end_of_history_and_with_its_room() {
    let limits = Limits { history_events: 4, grace_ms: 0, ..Limits::default() };
    let (mut house, code, ana, outside) = room_in(House::new(limits));
    let files = [file("a", 1), file("b", 2), file("c", 3)];
    let as_ana = member(&house, ana);
    for file in &files {
        share(&mut house, outside, share_by(code, as_ana.clone(), None), file);
    }
    house.execute_in(ana, RoomCommand::Delete { of: MessageRef::OwnLast, cid: None });
    assert_eq!(released(&mut house), [files[2].id]);
    assert!(!is_found(&mut house, code, &files[2]) && is_found(&mut house, code, &files[0]));
    house.execute(ana, say("one", None));
    assert_eq!(released(&mut house), [files[0].id]);
    house.execute_in(ana, RoomCommand::Leave);
    let ben = house.memberships.iter().position(|memberships| !memberships.is_empty()).expect("ben");
    house.execute_in(ben, RoomCommand::Leave);
    assert_eq!(released(&mut house), [files[1].id]);
    assert_eq!(house.rooms.files().count(), 0);
}

#[test]
fn a_file_is_found_by_its_name_and_by_what_is_said_with_it() {
    let (mut house, code, ana, outside) = room();
    let mut with_text = share_by(code, member(&house, ana), None);
    with_text.text = Text::clean("for saturday", 100).ok();
    share(&mut house, outside, with_text, &file("garden plan.pdf", 1));
    for typed in ["plan", "satur", "garden saturday"] {
        let query = SearchQuery::parse(typed).expect("a query");
        let span = Span { limit: 10, ..Span::default() };
        house.execute_in(ana, RoomCommand::Search(Search { query, span }));
        assert!(matches!(house.last_reply(ana), Reply::Found { events, .. } if events.len() == 1), "{typed}");
    }
}

#[test]
fn files_of_an_earlier_run_are_known_as_far_as_they_are_kept() {
    let (house, code, ana, _) = room();
    let epoch = house.rooms.room(house.membership(ana).room).epoch();
    let mut later = House::new(Limits { history_events: 10, ..Limits::default() });
    later.rooms.rely_on_journal();
    let (old, new) = (file("old", 1), file("new", 2));
    let stored = StoredRoom {
        code,
        epoch,
        first_id: 1,
        last_id: 20,
        last_time_ms: later.now.wall_ms,
        last_author: AuthorId(5),
        files: vec![(10, old.clone()), (11, new.clone())],
        members: Vec::new(),
        left: Vec::new(),
        rules: Default::default(),
    };
    later.rooms.restore(vec![stored], later.now);
    assert!(is_found(&mut later, code, &new) && !is_found(&mut later, code, &old));
    assert_eq!(later.rooms.files().collect::<Vec<_>>(), [&new]);
}

#[test]
fn a_file_is_kept_as_long_as_its_event_wherever_that_is() {
    let (mut house, code, ana, outside) = room();
    house.rooms.rely_on_journal_beyond(2);
    let plan = file("plan.pdf", 1);
    let as_ana = member(&house, ana);
    share(&mut house, outside, share_by(code, as_ana, None), &plan);
    (0..100).for_each(|_| house.execute(ana, say("x", None)));
    assert!(is_found(&mut house, code, &plan) && released(&mut house).is_empty());
}

#[test]
fn a_guest_is_nobody_else_and_takes_no_place() {
    let (mut house, code, ana, outside) = room();
    let named = |name: &str| Sharer::Guest(Name::parse(name).expect("a name"));
    let taken = share(&mut house, outside, share_by(code, named("ANA"), None), &file("a", 1));
    assert!(matches!(taken, Reply::Refused { refusal: Refusal::NameTaken { .. }, is_answer: true, .. }), "{taken:?}");
    for (sharer, number) in [(named("eve"), 2), (Sharer::Nameless, 3), (Sharer::Nameless, 4)] {
        share(&mut house, outside, share_by(code, sharer, Some("c")), &file("a", number));
    }
    let eve = house.join(JoinTarget::Code(code), "guest");
    share(&mut house, outside, share_by(code, Sharer::Nameless, None), &file("a", 5));
    house.execute_in(ana, RoomCommand::History(Span { limit: 500, ..Span::default() }));
    let Reply::History { events, .. } = house.last_reply(ana) else { panic!("no history") };
    let told: Vec<_> = events[2..].iter().map(|event| (event.name.as_str(), event.author.0)).collect();
    assert_eq!(told, [("eve", 3), ("guest", 4), ("guest", 5), ("guest", 6), ("guest_1", 7)]);
    house.execute_in(eve, RoomCommand::Delete { of: MessageRef::Id(4), cid: None });
    assert_eq!(house.refusal(eve), &Refusal::NotYours);
    assert_eq!(house.rooms.counts().members, 3);
}

/// A log that is damaged or forged may have any number as the last.
#[test]
fn no_number_is_given_twice_where_none_is_left() {
    let (mut house, code, ana, outside) = room();
    let room = house.membership(ana).room;
    house.rooms.room_mut(room).state.roster.number_authors_after(AuthorId(u32::MAX - 1));
    let last = house.join(JoinTarget::Code(code), "last");
    assert_eq!(house.membership(last).author, AuthorId(u32::MAX));
    let eve = house.join(JoinTarget::Code(code), "eve");
    assert_eq!(house.refusal(eve), &Refusal::RoomFull { code });
    share(&mut house, outside, share_by(code, Sharer::Nameless, None), &file("a", 1));
    assert_eq!(house.refusal(outside), &Refusal::RoomFull { code });
    assert_eq!(released(&mut house), [file("a", 1).id]);
    // Whoever has a number keeps it.
    let token = house.token(last);
    let again = house.connect();
    house.execute(again, join(JoinTarget::Code(code), None, Some(token)));
    assert_eq!(house.membership(again).author, AuthorId(u32::MAX));
    assert_eq!(house.rooms.counts().members, 3);
}

#[test]
fn a_guest_is_kept_out_as_a_stranger_is() {
    let (mut house, code, ana, outside) = room();
    let named = |name: &str| Sharer::Guest(Name::parse(name).expect("a name"));
    house.execute_in(ana, moderate(Moderation::Lock));
    let refused = share(&mut house, outside, share_by(code, Sharer::Nameless, None), &file("a", 1));
    assert!(matches!(refused, Reply::Refused { refusal: Refusal::RoomLocked { .. }, .. }), "{refused:?}");
    house.execute(outside, Command::Share(share_by(code, named("eve"), None), Box::new(file("a", 1))));
    assert_eq!(house.refusal(outside), &Refusal::RoomLocked { code });
    assert_eq!(released(&mut house), [file("a", 1).id]);
    let as_ana = member(&house, ana);
    assert!(matches!(
        share(&mut house, outside, share_by(code, as_ana, None), &file("a", 1)),
        Reply::Shared { is_new: true, .. }
    ));
}

#[test]
fn a_guest_whose_file_is_on_its_way_when_the_room_is_locked_stays_outside() {
    let (mut house, code, ana, outside) = room();
    let plan = file("plan.pdf", 1);
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, moderate(Moderation::Lock)));
    house.propose_on(outside, ECHOING, Command::Share(share_by(code, Sharer::Nameless, None), Box::new(plan.clone())));
    house.settle();
    let resumed = house.rooms.take_resumed().expect("it is looked at again");
    house.execute(outside, resumed.command);
    assert_eq!(house.refusal(outside), &Refusal::RoomLocked { code });
    assert_eq!(released(&mut house), [plan.id]);
}

#[test]
fn in_slow_mode_all_guests_together_share_one_file_in_a_while() {
    let (mut house, code, ana, outside) = room();
    house.execute_in(ana, moderate(Moderation::Slow { seconds: 30 }));
    let mut share_as = |name: &str, number| {
        let sharer = Sharer::Guest(Name::parse(name).expect("a name"));
        share(&mut house, outside, share_by(code, sharer, None), &file("a", number))
    };
    assert!(matches!(share_as("eve", 1), Reply::Shared { .. }));
    let refusal = Refusal::SlowMode { seconds: 30, retry_ms: 30_000 };
    assert_eq!(share_as("dora", 2), Reply::Refused { refusal, cid: None, is_answer: true });
    house.now.steady_ms += 30_000;
    assert!(matches!(
        share(&mut house, outside, share_by(code, Sharer::Nameless, None), &file("a", 3)),
        Reply::Shared { .. }
    ));
}

#[test]
fn one_address_shares_so_many_files_in_a_minute() {
    let (mut house, code, ana, outside) = room();
    let as_ana = member(&house, ana);
    let allowed = |house: &mut House| {
        house.execute(outside, Command::CheckShare(share_by(code, as_ana.clone(), None)));
        house.last_reply(outside) == &Reply::ShareAllowed
    };
    assert_eq!((0..100).filter(|_| allowed(&mut house)).count(), 60);
    house.now.steady_ms += 1_000;
    assert!(allowed(&mut house) && !allowed(&mut house));
}

#[test]
fn who_waits_for_its_file_is_told_when_that_comes_of_it() {
    let (mut house, code, ana, outside) = room();
    let as_ana = member(&house, ana);
    let command = |number| Command::Share(share_by(code, as_ana.clone(), Some("c")), Box::new(file("a", number)));
    house.propose_on(outside, ECHOING, command(1));
    let proposals = house.take_proposals();
    let caller = caller_of(outside);
    assert_eq!(house.rooms.execute(&caller, &[], command(2), house.now, &mut house.sent), Execution::Parked);
    for proposal in proposals {
        house.rooms.refuse(proposal, house.now);
    }
    assert_eq!(released(&mut house), [file("a", 1).id]);
    let resumed = house.rooms.take_resumed().expect("the other goes on");
    let _ = house.rooms.resume(&caller, &[], resumed, house.now, &mut house.sent);
    house.settle();
    assert!(matches!(house.last_reply(outside), Reply::Shared { is_new: true, .. }));
}
