//! How long anybody waits.

use super::*;
use crate::journal::cluster::log::AppendFault;
use crate::rooms::{ReadRequest, SyncId, Wanted};

fn down(world: &mut World) {
    world.answer(Response::Down { reason: "cut".to_owned() });
    world.outcomes();
    world.pass(0);
}

fn read_request() -> ReadRequest {
    ReadRequest { code: code(1), epoch: epoch(1), wanted: Wanted::Events { first_id: 1, last_id: 5 } }
}

#[test]
fn what_is_not_committed_in_time_is_refused_and_what_is_true_already_waits() {
    let mut world = World::with(&[1]);
    down(&mut world);
    for proposal in [say(1, "one"), vacate(1), place(1, false)] {
        world.submit(proposal);
    }
    world.pass(0);
    assert_eq!(world.journal.due_ms(), Some(world.now_ms + 4_500));
    world.pass(4_499);
    assert!(world.outcomes().is_empty());
    world.pass(1);
    assert_eq!(world.outcomes(), ["refused one", "refused place"]);
    assert_eq!(world.journal.waiting(), 1);
    world.pass(60_000);
    assert!(world.outcomes().is_empty());
    world.answer(Response::Up);
    world.answer(Response::Attached(Attached::Yes { generation: Generation(7), last_number: 0, end: at(100) }));
    world.outcomes();
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 vacate at 1"]);
}

#[test]
fn a_turn_that_comes_late_refuses_nothing_that_it_has_only_just_heard() {
    let mut world = World::with(&[1]);
    down(&mut world);
    world.submit(say(1, "one"));
    world.pass(30_000);
    assert!(world.outcomes().is_empty());
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused one"]);
}

#[test]
fn what_was_refused_and_comes_back_is_committed_as_another_s() {
    let mut world = World::with(&[1]);
    for proposal in [say(1, "one"), place(1, false), say(1, "two")] {
        world.submit(proposal);
    }
    world.send(&all_appended(1..=3));
    world.outcomes();
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused one", "refused place", "refused two"]);
    assert!(world.journal.is_settled());
    world.own(1, 1, Some(7));
    world.own(2, 1, None);
    assert_eq!(world.outcomes(), ["committed one as 7", "committed place"]);
    world.submit(say(1, "three"));
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["4 three at 2"], "the room is as it has made it");
}

#[test]
fn behind_what_was_refused_and_may_come_back_nothing_is_sent_that_was_not_checked_against_it() {
    let mut world = World::with(&[1]);
    world.submit(place(1, false));
    world.send(&all_appended(1..=1));
    world.outcomes();
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused place"]);
    world.asked();
    world.submit(nick(1, "eve"));
    world.pass(0);
    assert!(world.appended().is_empty(), "the place may have that name");
    world.own(1, 1, None);
    assert_eq!(world.outcomes_again(), ["committed place", "outdated nick-eve"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 nick-eve at 1"]);
}

#[test]
fn an_account_that_was_refused_and_may_come_back_outdates_what_was_not_checked_against_it() {
    let mut world = World::with(&[1, 2]);
    world.submit(add_account(5));
    world.send(&all_appended(1..=1));
    world.outcomes();
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused account"]);
    world.asked();
    world.submit(place(2, false));
    world.pass(0);
    let appended = world.appended();
    assert_eq!((appended[0].number, appended[0].accounts_version), (2, None), "as if it never were");
    world.submit(place(2, false));
    world.own(1, 0, None);
    assert_eq!(world.outcomes(), ["committed account", "outdated place", "outdated place"]);
}

#[test]
fn what_was_refused_is_not_sent_again_nor_what_relies_on_it() {
    let mut world = World::with(&[1]);
    for proposal in [say(1, "one"), place(1, false), vacate(1)] {
        world.submit(proposal);
    }
    world.pass(0);
    world.answer(Response::Down { reason: "cut".to_owned() });
    world.outcomes();
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused one", "refused place"]);
    world.answer(Response::Up);
    world.answer(Response::Attached(Attached::Yes { generation: Generation(7), last_number: 0, end: at(100) }));
    world.asked();
    assert_eq!(world.outcomes_again(), ["outdated vacate"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["4 vacate at 1"]);
}

#[test]
fn what_is_checked_again_behind_what_was_refused_stays_behind_what_came_before_that() {
    let mut world = World::with(&[1]);
    down(&mut world);
    for proposal in [nick(1, "eve"), place(1, false), vacate(1)] {
        world.submit(proposal);
    }
    world.pass(0);
    world.pass(4_500);
    assert_eq!(world.outcomes_again(), ["refused place", "outdated vacate"]);
    world.answer(Response::Up);
    world.answer(Response::Attached(Attached::Yes { generation: Generation(7), last_number: 0, end: at(100) }));
    world.outcomes();
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 nick-eve at 1"]);
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.own(1, 1, Some(9));
    assert_eq!(world.outcomes_again(), ["committed nick-eve as 9", "outdated vacate"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 vacate at 1"]);
}

#[test]
fn what_was_refused_and_never_sent_is_in_nobody_s_way() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.answer(Response::Down { reason: "cut".to_owned() });
    world.outcomes();
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused one"]);
    world.answer(Response::Up);
    world.answer(Response::Attached(Attached::Yes { generation: Generation(7), last_number: 0, end: at(100) }));
    world.submit(say(1, "two"));
    world.foreign(50, nick(1, "eve"));
    assert_eq!(world.outcomes_checked(|_| Some(Checked::NotYet)), ["committed nick-eve as 50", "outdated two"]);
    world.pass(0);
    assert_eq!(world.outcomes_again(), ["outdated two, alone"], "nothing is before it");
}

#[test]
fn what_was_refused_while_the_log_took_nothing_holds_up_nothing() {
    let mut world = World::with(&[1]);
    world.submit(place(1, false));
    world.pass(0);
    world.answer(Response::Appended(Err(AppendFault::Refusing("full".to_owned()))));
    assert!(world.outcomes().is_empty());
    world.asked();
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["refused place"]);
    world.submit(vacate(1));
    world.pass(0);
    world.pass(250);
    assert_eq!(world.outcomes_again(), ["outdated vacate"], "it may have been possible only behind that");
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 vacate at 1"]);
}

#[test]
fn what_may_rely_on_something_refused_that_was_not_sent_is_checked_again() {
    let mut world = World::with(&[1]);
    down(&mut world);
    world.submit(say(1, "one"));
    world.submit(place(1, false));
    world.pass(0);
    world.pass(1_000);
    world.submit(vacate(1));
    world.pass(0);
    world.pass(4_000);
    assert_eq!(world.outcomes_again(), ["refused one", "refused place", "outdated vacate"]);
}

#[test]
fn what_is_checked_again_is_as_old_as_it_was() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.send(&[(1, Verdict::Outdated)]);
    world.pass(4_000);
    world.foreign(50, nick(1, "eve"));
    world.outcomes_again();
    down(&mut world);
    world.pass(499);
    assert!(world.outcomes().is_empty());
    world.pass(1);
    assert_eq!(world.outcomes(), ["refused one"]);
}

#[test]
fn what_is_on_its_way_back_to_the_rooms_is_not_forgotten_by_the_clock() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.foreign(50, nick(1, "eve"));
    assert!(world.journal.take_outcome().is_some(), "the other's");
    world.pass(3_000);
    assert_eq!(world.outcomes_again(), ["outdated one"]);
    down(&mut world);
    world.pass(2_000);
    assert_eq!(world.outcomes(), ["refused one"]);
}

#[test]
fn what_comes_back_from_the_rooms_too_late_is_refused_at_once() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.foreign(50, nick(1, "eve"));
    assert!(world.journal.take_outcome().is_some(), "the other's");
    world.pass(4_500);
    assert_eq!(world.outcomes_again(), ["outdated one"]);
    world.pass(0);
    assert_eq!(world.outcomes(), ["refused one"]);
}

#[test]
fn a_log_that_is_away_for_long_is_failing() {
    let mut world = World::with(&[1]);
    down(&mut world);
    let since_ms = world.now_ms;
    world.pass(4_499);
    assert!(!world.journal.is_failing());
    assert_eq!(world.journal.due_ms(), Some(since_ms + 4_500));
    world.pass(1);
    assert!(world.journal.is_failing());
    world.answer(Response::Up);
    world.answer(Response::Attached(Attached::Yes { generation: Generation(7), last_number: 0, end: at(100) }));
    world.outcomes();
    world.pass(0);
    assert!(!world.journal.is_failing());
}

#[test]
fn so_much_may_wait_and_no_more() {
    let mut world = World::with(&[1]);
    for _ in 0..10_000 {
        assert!(!world.journal.is_congested());
        world.submit(say(1, "one"));
    }
    assert!(world.journal.is_congested());
}

#[test]
fn while_the_log_is_away_nobody_waits_for_its_end() {
    let mut world = World::with(&[1]);
    world.journal.sync(SyncId(1));
    world.pass(0);
    world.answer(Response::Down { reason: "cut".to_owned() });
    assert_eq!(world.outcomes(), ["not synced 1"]);
    world.journal.sync(SyncId(2));
    assert_eq!(world.outcomes(), ["not synced 2"]);
}

#[test]
fn what_is_to_be_read_is_asked_for_again_and_not_for_ever() {
    let mut world = World::with(&[1]);
    world.journal.read(read_request());
    world.journal.read(read_request());
    let is_read = |asked: &Request| matches!(asked, Request::Read(_));
    assert_eq!(world.asked().into_iter().filter(is_read).count(), 2);
    world.answer(Response::Down { reason: "cut".to_owned() });
    world.answer(Response::Up);
    world.outcomes();
    assert_eq!(world.asked().into_iter().filter(is_read).count(), 0, "nobody knows yet of which log");
    world.answer(Response::Attached(Attached::Yes { generation: Generation(7), last_number: 0, end: at(100) }));
    world.outcomes();
    assert_eq!(world.asked().into_iter().filter(is_read).count(), 2);
    world.pass(0);
    world.answer(Response::Read { request: read_request(), page: Some(crate::rooms::Page::default()) });
    assert_eq!(world.outcomes(), ["read true"]);
    world.pass(4_500);
    assert_eq!(world.outcomes(), ["read false"]);
    world.answer(Response::Read { request: read_request(), page: None });
    assert!(world.outcomes().is_empty(), "nobody waits for it any more");
}
