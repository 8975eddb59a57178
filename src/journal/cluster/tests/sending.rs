//! What is appended, at which version and in which order.

use super::*;
use crate::journal::cluster::log::AppendFault;

#[test]
fn what_is_submitted_in_a_turn_is_one_request_and_what_comes_meanwhile_the_next() {
    let mut world = World::with(&[1, 2]);
    ["one", "two"].into_iter().for_each(|text| world.submit(say(1, text)));
    world.submit(say(2, "three"));
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 one at 1", "2 two at 1", "3 three at 1"]);
    world.submit(say(1, "four"));
    world.pass(0);
    assert!(world.asked().is_empty(), "nothing while the first is not answered");
    world.answer(Response::Appended(Ok(all_appended(1..=3))));
    assert!(world.outcomes().is_empty());
    world.pass(0);
    assert_eq!(world.appended_words(), ["4 four at 1"]);
}

#[test]
fn the_answer_is_waited_for_where_something_is_to_be_done_when_it_comes() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    assert!(!world.is_hurried(), "the change itself comes as well");
    world.submit(say(1, "two"));
    world.pass(0);
    assert!(world.is_hurried(), "this is sent then");
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.own(1, 1, Some(1));
    world.outcomes();
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 two at 1"]);
    assert!(!world.is_hurried());
    world.reconnect(Attached::Yes { generation: Generation(7), last_number: 1, end: at(101) });
    world.outcomes();
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 two at 1"], "it is sent again");
    assert!(world.is_hurried(), "it may not come, if it was looked at before");
}

#[test]
fn who_leaves_waits_for_the_answer() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.own(1, 1, Some(1));
    world.outcomes();
    world.pass(0);
    assert!(!world.is_hurried());
    world.journal.leave();
    world.pass(0);
    assert!(world.is_hurried(), "that it leaves is said then");
    assert!(!world.asked().iter().any(|asked| matches!(asked, Request::Leave { .. })));
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.outcomes();
    world.pass(0);
    assert!(matches!(world.asked()[..], [Request::Leave { .. }]));
}

#[test]
fn of_a_room_more_is_expected_while_something_of_it_is_on_its_way() {
    let mut world = World::with(&[1, 2]);
    assert!(!world.journal.expects(epoch(1)));
    world.submit(say(1, "one"));
    world.pass(0);
    assert!(world.journal.expects(epoch(1)) && !world.journal.expects(epoch(2)));
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.own(1, 1, Some(1));
    world.outcomes();
    assert!(!world.journal.expects(epoch(1)));
    (0..256).for_each(|number| world.submit(say(1, &format!("m{number}"))));
    assert!(world.journal.expects(epoch(1)));
    world.submit(say(1, "two"));
    assert!(!world.journal.expects(epoch(1)), "it takes more than a moment");
    [1, 2].into_iter().for_each(|room| world.submit(say(room, "three")));
    world.pass(0);
    world.answer(Response::Appended(Ok(all_appended(2..=257))));
    (2..=257).for_each(|number| world.own(number, 1, Some(number)));
    world.outcomes();
    assert!(world.journal.expects(epoch(1)) && world.journal.expects(epoch(2)));
    world.answer(Response::Down { reason: "cut".to_owned() });
    world.outcomes();
    assert!(!world.journal.expects(epoch(1)), "nobody knows when");
}

#[test]
fn a_batch_is_no_larger_than_the_log_likes_it() {
    let mut world = World::with(&[1]);
    for number in 0..300 {
        world.submit(say(1, &format!("m{number}")));
    }
    world.pass(0);
    let first = world.appended();
    assert_eq!(first.len(), 256);
    world.answer(Response::Appended(Ok(all_appended(1..=256))));
    world.outcomes();
    world.pass(0);
    assert_eq!(world.appended_words().first().map(String::as_str), Some("257 m256 at 1"));
}

#[test]
fn each_is_sent_at_the_version_that_those_before_it_make() {
    let mut world = World::with(&[1]);
    for proposal in [say(1, "one"), nick(1, "ben"), say(1, "two"), vacate(1), say(1, "three")] {
        world.submit(proposal);
    }
    world.pass(0);
    let sent = world.appended_words();
    assert_eq!(sent, ["1 one at 1", "2 nick-ben at 1", "3 two at 2", "4 vacate at 2", "5 three at 4"]);
    world.answer(Response::Appended(Ok(all_appended(1..=5))));
    for (number, id) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)] {
        world.own(number, 1, Some(id));
    }
    world.outcomes();
    world.submit(say(1, "six"));
    world.pass(0);
    assert_eq!(world.appended_words(), ["6 six at 4"]);
}

#[test]
fn a_room_begins_without_a_version_and_goes_on_with_its_own() {
    let mut world = World::with(&[]);
    world.submit(place(3, true));
    world.submit(say(3, "one"));
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 place at -", "2 one at 1"]);
}

#[test]
fn an_account_s_version_goes_with_what_depends_on_it() {
    let mut world = World::with(&[1]);
    world.foreign(40, add_account(1));
    assert_eq!(world.outcomes(), ["committed account"]);
    let there = Some(ProposalId { node: THERE, number: 40 });
    for proposal in [say(1, "one"), place(1, false), add_account(2), place(1, false)] {
        world.submit(proposal);
    }
    world.pass(0);
    let versions: Vec<_> =
        world.appended().into_iter().map(|append| (append.number, append.accounts_version)).collect();
    // Rooms are sent one after the other.
    assert_eq!(versions, [(1, None), (2, there), (3, there), (4, there)]);
    world.answer(Response::Appended(Ok(all_appended(1..=4))));
    world.outcomes();
    world.submit(place(1, false));
    world.submit(add_account(3));
    world.pass(0);
    let versions: Vec<_> =
        world.appended().into_iter().map(|append| (append.number, append.accounts_version)).collect();
    let own = Some(ProposalId { node: HERE, number: 4 });
    assert_eq!(versions, [(5, there), (6, own)], "what is on its way counts for other accounts only");
    world.own(1, 1, Some(1));
    [2, 3].into_iter().for_each(|number| world.own(number, 1, None));
    world.own(4, 0, None);
    let outcomes = world.outcomes();
    assert_eq!(outcomes[3..], ["committed account", "outdated place"], "the last place was not checked against it");
}

#[test]
fn what_changes_nothing_is_not_sent_and_keeps_its_place() {
    let mut world = World::with(&[1]);
    let nothing = || Proposal::new(code(1), epoch(1), Change::Nothing);
    world.submit(nothing());
    assert_eq!(world.outcomes(), ["committed nothing"]);
    world.submit(say(1, "one"));
    world.submit(nothing());
    world.submit(say(1, "two"));
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 one at 1", "2 two at 1"]);
    world.answer(Response::Appended(Ok(all_appended(1..=2))));
    assert!(world.outcomes().is_empty());
    world.own(1, 1, Some(1));
    world.own(2, 1, Some(2));
    assert_eq!(world.outcomes(), ["committed one as 1", "committed nothing", "committed two as 2"]);
    assert_eq!(world.journal.waiting(), 0);
}

#[test]
fn a_log_that_refuses_is_asked_again_for_the_same() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.asked();
    world.answer(Response::Appended(Err(AppendFault::Refusing("full".to_owned()))));
    assert!(world.outcomes().is_empty());
    assert!(world.journal.is_failing());
    world.submit(say(1, "two"));
    world.pass(0);
    assert!(world.asked().is_empty(), "not at once");
    assert_eq!(world.journal.due_ms(), Some(world.now_ms + 250));
    world.pass(250);
    assert_eq!(world.appended_words(), ["1 one at 1", "2 two at 1"]);
    world.answer(Response::Appended(Ok(all_appended(1..=2))));
    world.outcomes();
    assert!(!world.journal.is_failing());
}

#[test]
fn a_log_that_was_not_asked_again_is_not_held_to_refuse_for_ever() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.answer(Response::Appended(Err(AppendFault::Refusing("full".to_owned()))));
    world.outcomes();
    world.foreign(70, nick(1, "eve"));
    assert_eq!(world.outcomes(), ["committed nick-eve as 70", "outdated one"]);
    world.pass(999);
    assert!(world.journal.is_failing());
    world.pass(1);
    assert!(!world.journal.is_failing());
}
