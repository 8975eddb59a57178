//! Connections that are lost, nodes that are given up, and what is loaded anew.

use super::*;
use crate::journal::cluster::log::AppendFault;

fn yes(last_number: u64, end: u64) -> Attached {
    Attached::Yes { generation: Generation(7), last_number, end: at(end) }
}

/// The last request to attach: by whom, and what it has seen.
fn attach_of(world: &mut World) -> (NodeId, Option<(Position, ProposalId)>) {
    let asked = world.asked().into_iter().rev().find_map(|request| match request {
        Request::Attach { node, last, .. } => Some((node, last)),
        _ => None,
    });
    asked.expect("it was asked")
}

#[test]
fn what_was_not_looked_at_is_sent_again_and_what_was_is_checked_again() {
    let mut world = World::with(&[1, 2]);
    for proposal in [say(1, "one"), say(1, "two"), say(2, "three")] {
        world.submit(proposal);
    }
    world.pass(0);
    world.asked();
    world.foreign(9, say(1, "hello"));
    world.outcomes();
    // Of room 1 the first is in the log, and the second is not; of room 2 nothing was looked at.
    world.reconnect(yes(2, 102));
    assert!(world.outcomes().is_empty());
    let asked = world.asked();
    let last = Some((at(101), ProposalId { node: THERE, number: 9 }));
    assert_eq!(asked[0], Request::Attach { node: HERE, last, history_events: 1_000 });
    assert_eq!(asked[1], Request::Follow { after: at(101) });
    world.pass(0);
    assert!(world.appended().is_empty(), "not before everything is read");
    world.own(1, 1, Some(10));
    assert_eq!(world.outcomes_again(), ["committed one as 10", "outdated two"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["3 three at 1", "4 two at 1"]);
}

#[test]
fn an_entry_that_says_nothing_to_this_version_is_one_all_the_same() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.reconnect(yes(1, 101));
    assert!(world.outcomes().is_empty());
    world.entry(ProposalId { node: THERE, number: 0 }, Logged::Unknown);
    assert_eq!(world.outcomes(), ["outdated one"], "everything was read");
}

#[test]
fn what_is_sent_again_has_its_order_over_all_rooms() {
    let mut world = World::with(&[1, 2]);
    world.submit(say(2, "one"));
    world.pass(0);
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.outcomes();
    world.submit(say(1, "two"));
    world.pass(0);
    world.answer(Response::Appended(Ok(all_appended(2..=2))));
    world.outcomes();
    world.submit(say(2, "three"));
    world.pass(0);
    world.reconnect(yes(0, 100));
    world.outcomes();
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 one at 1", "2 two at 1", "3 three at 1"]);
}

#[test]
fn an_answer_to_what_is_sent_again_may_tell_of_the_first_time() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.reconnect(yes(0, 100));
    world.outcomes();
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["1 one at 1"]);
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.outcomes();
    world.pass(0);
    assert_eq!(world.asked(), [Request::FindEnd { question: 2 }]);
    world.answer(Response::End { question: 2, position: at(100) });
    assert_eq!(world.outcomes_again(), ["outdated one"], "it was looked at, and is not in the log");
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 one at 1"]);
}

#[test]
fn who_is_given_up_comes_as_another_and_has_everything_checked_again() {
    for how in 0..3 {
        let mut world = World::with(&[1]);
        world.submit(say(1, "one"));
        world.submit(say(1, "two"));
        world.pass(0);
        world.asked();
        match how {
            0 => world.answer(Response::Renewed(None)),
            1 => world.answer(Response::Appended(Err(AppendFault::GivenUp))),
            _ => world.entry(ProposalId { node: THERE, number: 0 }, Logged::NodeGone(HERE)),
        }
        assert!(world.outcomes().is_empty());
        let (node, last) = attach_of(&mut world);
        assert!(node != HERE && last.is_some(), "it has seen what it has seen");
        world.answer(Response::Renewed(None));
        world.answer(Response::Attached(yes(0, 105)));
        world.own(1, 1, Some(1));
        assert_eq!(world.outcomes(), ["committed one as 1"], "it was in the log before that");
        world.time_ms = 104;
        world.entry(ProposalId { node: THERE, number: 0 }, Logged::NodeGone(HERE));
        assert_eq!(world.outcomes_again(), ["renamed", "outdated two"]);
        world.pass(0);
        let sent: Vec<_> = world.asked().into_iter().filter(|asked| matches!(asked, Request::Append { .. })).collect();
        let Some(Request::Append { node: by, changes, .. }) = sent.first() else { panic!("{sent:?}") };
        assert_eq!((*by, changes[0].number), (node, 3));
    }
}

#[test]
fn while_others_have_not_told_what_they_have_seen_it_is_asked_again() {
    let mut world = World::with(&[1]);
    world.reconnect(Attached::NotYet);
    world.outcomes();
    world.asked();
    world.pass(0);
    assert!(world.asked().is_empty());
    world.pass(199);
    assert!(world.asked().is_empty());
    world.pass(1);
    assert!(matches!(world.asked()[..], [Request::Attach { node: HERE, .. }]));
}

#[test]
fn a_log_that_is_not_this_node_s_ends_the_program() {
    let mut world = World::with(&[1]);
    world.reconnect(Attached::OtherHistory(500));
    let outcomes = world.outcomes();
    assert!(outcomes[0].starts_with("broken: ") && outcomes[0].contains("--history 500"), "{outcomes:?}");
}

#[test]
fn another_generation_is_loaded_anew_under_another_number() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.reconnect(Attached::Yes { generation: Generation(8), last_number: 0, end: at(500) });
    assert!(world.outcomes().is_empty());
    let asked = world.asked();
    assert!(asked.contains(&Request::Leave { node: HERE }), "{asked:?}");
    let Some(Request::Attach { node, last: None, .. }) = asked.last() else { panic!("{asked:?}") };
    assert_ne!(*node, HERE);
    world.answer(Response::Attached(Attached::Yes { generation: Generation(8), last_number: 0, end: at(501) }));
    world.outcomes();
    assert_eq!(world.asked(), [Request::Load]);
    world.answer(Response::Loaded(None));
    world.outcomes();
    world.pass(0);
    world.pass(500);
    assert!(world.asked().contains(&Request::Load), "what could not be read is tried again");
    world.answer(Response::Loaded(Some(Box::new(loaded(&[2, 3], 501, Generation(8))))));
    assert_eq!(world.outcomes(), ["reset to 2 rooms"]);
    assert_eq!(world.asked(), [Request::Follow { after: at(501) }]);
    assert_eq!(world.journal.waiting(), 0);
    world.journal.sync(crate::rooms::SyncId(1));
    world.pass(0);
    assert_eq!(world.asked(), [Request::FindEnd { question: 2 }]);
    world.answer(Response::End { question: 2, position: at(501) });
    assert_eq!(world.outcomes(), ["synced 1"], "what was loaded is taken in");
    world.submit(say(2, "two"));
    world.pass(0);
    let asked = world.asked();
    let append = asked.iter().find_map(|asked| match asked {
        Request::Append { node, generation, changes } => Some((*node, *generation, changes[0].number)),
        _ => None,
    });
    assert_eq!(append, Some((*node, Generation(8), 2)));
}

#[test]
fn where_entries_are_missing_everything_is_loaded_anew() {
    let mut world = World::with(&[1]);
    world.answer(Response::Trimmed);
    world.outcomes();
    let (node, last) = attach_of(&mut world);
    assert!(node != HERE && last.is_none());
    world.answer(Response::Attached(yes(0, 300)));
    world.answer(Response::Loaded(Some(Box::new(loaded(&[1], 300, Generation(7))))));
    assert_eq!(world.outcomes(), ["reset to 1 rooms"]);
    assert_eq!(world.asked(), [Request::Load, Request::Follow { after: at(300) }]);
    world.foreign(5, say(1, "old"));
    world.time_ms = 300;
    world.foreign(6, say(1, "new"));
    assert_eq!(world.outcomes(), ["committed new as 6"]);
}

#[test]
fn an_entry_of_no_room_has_everything_loaded_anew_while_entries_go_on() {
    let mut world = World::with(&[1]);
    world.pass(0);
    world.foreign(5, say(4, "what"));
    world.entry(ProposalId { node: THERE, number: 0 }, Logged::NodeGone(NodeId(5)));
    world.outcomes();
    let (node, _) = attach_of(&mut world);
    assert_ne!(node, HERE);
    world.answer(Response::Attached(yes(0, 102)));
    world.foreign(7, say(1, "two"));
    world.answer(Response::Loaded(Some(Box::new(loaded(&[1], 102, Generation(7))))));
    assert_eq!(world.outcomes(), ["reset to 1 rooms", "committed two as 7"]);
    assert_eq!(world.asked(), [Request::Load], "what follows is on its way");
    // What has been handed over once is not handed over again.
    world.time_ms = 102;
    world.entry(ProposalId { node: THERE, number: 0 }, Logged::NodeGone(NodeId(5)));
    assert!(world.outcomes().is_empty());
}

#[test]
fn a_room_that_is_over_is_known_no_more() {
    let mut world = World::with(&[1]);
    world.foreign(5, Proposal::new(code(1), epoch(1), Change::End));
    assert_eq!(world.outcomes(), ["committed end"]);
    world.foreign(6, say(1, "what"));
    assert!(world.outcomes().is_empty());
    assert_ne!(attach_of(&mut world).0, HERE);
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "impossible"))]
fn what_the_rooms_find_impossible_has_everything_loaded_anew() {
    let mut world = World::with(&[1]);
    world.foreign(5, say(1, "one"));
    world.outcomes();
    world.journal.note_impossible();
    let (node, last) = attach_of(&mut world);
    assert!(node != HERE && last.is_none());
}

#[test]
fn a_lease_is_renewed_and_a_log_of_another_generation_found_out_by_that() {
    let mut world = World::with(&[1]);
    world.pass(1_999);
    assert!(world.asked().is_empty());
    assert_eq!(world.journal.due_ms(), Some(3_000));
    world.pass(1);
    assert_eq!(world.asked(), [Request::Renew { node: HERE }]);
    let renewed = crate::journal::cluster::log::Renewed { generation: Generation(8), end: at(100), nodes: 2 };
    world.answer(Response::Renewed(Some(renewed)));
    world.outcomes();
    assert!(matches!(world.asked()[..], [Request::Leave { node: HERE }, Request::Attach { .. }]));
}

#[test]
fn who_leaves_says_so_once_everything_is_sent_and_is_given_up_by_nobody() {
    let mut world = World::with(&[1]);
    world.submit(vacate(1));
    world.journal.leave();
    world.pass(0);
    let asked = world.asked();
    assert!(matches!(asked[..], [Request::Append { .. }]), "{asked:?}");
    world.pass(0);
    assert!(world.asked().is_empty(), "it is not answered");
    world.answer(Response::Appended(Ok(all_appended(1..=1))));
    world.own(1, 1, Some(1));
    world.outcomes();
    world.pass(0);
    assert_eq!(world.asked(), [Request::Leave { node: HERE }]);
    assert!(!world.journal.has_left());
    world.entry(ProposalId { node: HERE, number: 0 }, Logged::NodeGone(HERE));
    assert!(world.outcomes().is_empty());
    assert!(world.journal.has_left());
    world.pass(10_000);
    assert!(world.asked().is_empty());
}

#[test]
fn who_leaves_while_the_log_is_away_waits_for_nothing() {
    let mut world = World::with(&[1]);
    world.answer(Response::Down { reason: "cut".to_owned() });
    world.outcomes();
    world.journal.leave();
    assert!(!world.journal.has_left());
    world.pass(0);
    assert!(world.journal.has_left());
    world.asked();
    world.answer(Response::Up);
    world.outcomes();
    assert!(world.asked().is_empty(), "it does not come back");
}
