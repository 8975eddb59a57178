//! What follows from entries, and from verdicts.

use super::*;
use crate::journal::cluster::log::Renewed;
use crate::rooms::{AuthorId, Notice, SyncId};

#[test]
fn an_own_change_is_committed_when_it_comes_back_and_not_before() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.send(&all_appended(1..=1));
    assert!(world.outcomes().is_empty());
    assert_eq!(world.journal.waiting(), 1);
    world.own(1, 1, Some(12));
    assert_eq!(world.outcomes(), ["committed one as 12"]);
    assert!(world.journal.is_settled() && world.journal.waiting() == 0);
}

#[test]
fn another_s_version_sends_back_what_is_pending_of_the_room_in_its_order() {
    let mut world = World::with(&[1, 2]);
    for proposal in [say(1, "one"), nick(1, "ben"), say(2, "other"), say(1, "two")] {
        world.submit(proposal);
    }
    world.pass(0);
    world.asked();
    world.submit(say(1, "three"));
    world.foreign(50, vacate(1));
    let outcomes = world.outcomes_checked(|word| (word != "nick-ben").then_some(Checked::Again));
    let outdated = ["outdated one", "outdated nick-ben", "outdated two", "outdated three"];
    assert_eq!(outcomes[0], "committed vacate as 50");
    let meters = world.journal.cluster_meters().expect("a cluster's");
    assert_eq!(meters.outdated_proposals.get(), 4);
    assert_eq!(outcomes[1..], outdated);
    world.answer(Response::Appended(Ok(all_appended(1..=4))));
    world.outcomes();
    world.pass(0);
    assert_eq!(world.appended_words(), ["5 one at 50", "6 two at 50", "7 three at 50"]);
}

#[test]
fn what_is_submitted_meanwhile_goes_behind_what_was_checked_again() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.submit(say(1, "two"));
    world.send(&[(1, Verdict::Outdated), (2, Verdict::Outdated)]);
    world.foreign(50, vacate(1));
    assert_eq!(
        world.journal.take_outcome().map(|outcome| word_of(&outcome)).as_deref(),
        Some("committed vacate as 50")
    );
    world.submit(say(1, "new"));
    world.asked();
    world.pass(0);
    assert!(world.appended().is_empty(), "those before it are on their way to the rooms");
    assert_eq!(world.outcomes_again(), ["outdated one", "outdated two", "outdated new"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["3 one at 50", "4 two at 50", "5 new at 50"]);
}

#[test]
fn what_others_say_sends_nothing_back() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.foreign(9, say(1, "hello"));
    assert_eq!(world.outcomes(), ["committed hello as 9"]);
}

#[test]
fn another_s_account_sends_back_what_depends_on_accounts_and_what_is_behind_it() {
    let mut world = World::with(&[1, 2]);
    for proposal in [say(1, "one"), place(1, false), say(1, "two"), say(2, "three"), add_account(5)] {
        world.submit(proposal);
    }
    world.pass(0);
    world.foreign(60, add_account(6));
    let outcomes = world.outcomes();
    assert_eq!(outcomes, ["committed account", "outdated account", "outdated place", "outdated two"]);
    world.own(1, 1, Some(1));
    assert_eq!(world.outcomes(), ["committed one as 1"]);
}

#[test]
fn another_s_opening_under_the_same_code_sends_the_own_one_back() {
    let mut world = World::with(&[]);
    world.submit(place(3, true));
    world.submit(say(3, "one"));
    world.pass(0);
    let Proposal { code, change, .. } = place(3, true);
    world.foreign(60, Proposal::new(code, epoch(77), change));
    assert_eq!(world.outcomes(), ["committed place", "outdated place", "outdated one"]);
}

#[test]
fn a_verdict_is_told_when_everything_before_it_is_settled() {
    let mut world = World::with(&[1]);
    ["one", "two", "three"].into_iter().for_each(|text| world.submit(say(1, text)));
    world.send(&[(1, Verdict::Appended), (2, Verdict::Duplicate(4)), (3, Verdict::NoSuchEvent)]);
    assert!(world.outcomes().is_empty());
    world.asked();
    world.pass(0);
    assert_eq!(world.asked(), [Request::FindEnd { question: 2 }]);
    world.own(1, 1, Some(9));
    assert_eq!(world.outcomes(), ["committed one as 9"], "what two says again may not be here yet");
    world.answer(Response::End { question: 2, position: at(101) });
    assert_eq!(world.outcomes(), ["said two as 4", "no event for three"]);
    assert!(world.journal.is_settled());
}

#[test]
fn what_comes_behind_a_duplicate_tells_that_everything_before_is_here() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.submit(say(1, "two"));
    world.send(&[(1, Verdict::Duplicate(4)), (2, Verdict::Appended)]);
    assert!(world.outcomes().is_empty());
    world.own(2, 1, Some(9));
    assert_eq!(world.outcomes(), ["said one as 4", "committed two as 9"]);
    assert!(world.journal.is_settled());
}

#[test]
fn what_relies_on_a_duplicate_is_checked_again() {
    let mut world = World::with(&[1]);
    world.submit(delete(1, 3));
    world.submit(say(1, "one"));
    world.pass(0);
    let sent = world.appended();
    let own = ProposalId { node: HERE, number: 1 };
    assert_eq!(sent.iter().map(|append| append.version).collect::<Vec<_>>(), [Some(FIRST), Some(own)]);
    world.answer(Response::Appended(Ok(vec![(1, Verdict::NoSuchEvent), (2, Verdict::Outdated)])));
    assert_eq!(world.outcomes_again(), ["no event for delete-3", "outdated one"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["3 one at 1"]);
}

#[test]
fn what_is_outdated_by_nothing_that_comes_is_checked_again_at_the_end() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.submit(say(1, "two"));
    world.send(&[(1, Verdict::Outdated), (2, Verdict::Outdated)]);
    assert!(world.outcomes().is_empty(), "the other's change is about to come");
    world.asked();
    world.pass(0);
    assert_eq!(world.asked(), [Request::FindEnd { question: 2 }]);
    world.answer(Response::End { question: 2, position: at(101) });
    assert!(world.outcomes().is_empty());
    world.foreign(9, say(1, "hello"));
    assert_eq!(world.outcomes_again(), ["committed hello as 9", "outdated one", "outdated two"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["3 one at 1", "4 two at 1"]);
}

#[test]
fn who_is_not_possible_yet_holds_up_what_is_behind_until_the_rest_has_come_back() {
    let mut world = World::with(&[1]);
    for proposal in [place(1, false), say(1, "one"), say(1, "two")] {
        world.submit(proposal);
    }
    world.pass(0);
    world.foreign(50, nick(1, "eve"));
    world.answer(Response::Appended(Ok((1..=3).map(|number| (number, Verdict::Outdated)).collect())));
    let not_yet = |word: &str| Some(if word == "one" { Checked::NotYet } else { Checked::Again });
    world.outcomes_checked(not_yet);
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["4 place at 50"]);
    world.submit(say(1, "new"));
    world.answer(Response::Appended(Ok(all_appended(4..=4))));
    world.own(4, 1, None);
    let outcomes = world.outcomes_again();
    assert_eq!(outcomes, ["committed place", "outdated one, alone", "outdated two", "outdated new"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["5 one at 4", "6 two at 4", "7 new at 4"]);
}

#[test]
fn who_waits_for_nothing_is_asked_about_once_a_turn() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    world.foreign(50, nick(1, "eve"));
    world.answer(Response::Appended(Ok(vec![(1, Verdict::Outdated)])));
    assert_eq!(world.outcomes_checked(|_| Some(Checked::NotYet)), ["committed nick-eve as 50", "outdated one"]);
    world.pass(0);
    assert_eq!(world.journal.due_ms(), Some(world.now_ms), "there is something to be taken");
    assert_eq!(world.outcomes_again(), ["outdated one, alone"]);
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 one at 50"]);
    world.submit(say(1, "two"));
    world.foreign(51, nick(1, "eve"));
    let outcomes = world.outcomes_checked(|word| Some(if word == "one" { Checked::Again } else { Checked::NotYet }));
    assert_eq!(outcomes, ["committed nick-eve as 51", "outdated one", "outdated two"]);
    world.foreign(52, nick(1, "eve"));
    assert_eq!(world.outcomes()[1..], ["outdated one", "outdated two"], "it is not alone");
}

#[test]
fn where_one_that_freed_something_is_lost_those_behind_are_checked_one_by_one() {
    let mut world = World::with(&[1]);
    for proposal in [nick(1, "ben"), nick(1, "cleo"), place(1, false)] {
        world.submit(proposal);
    }
    world.pass(0);
    world.foreign(50, nick(1, "eve"));
    world.answer(Response::Appended(Ok((1..=3).map(|number| (number, Verdict::Outdated)).collect())));
    world.outcomes_checked(|word| (word != "nick-cleo").then_some(Checked::Again));
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["4 nick-ben at 50"], "the place may be impossible behind it");
    world.answer(Response::Appended(Ok(all_appended(4..=4))));
    world.own(4, 1, Some(51));
    assert_eq!(world.outcomes_again(), ["committed nick-ben as 51", "outdated place"]);
    world.pass(0);
    world.submit(nick(1, "dora"));
    world.foreign(60, nick(1, "eve"));
    world.answer(Response::Appended(Ok(vec![(5, Verdict::Outdated)])));
    world.outcomes_again();
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["6 place at 60", "7 nick-dora at 6"], "nothing was lost this time");
}

#[test]
fn what_many_have_outdated_is_checked_again_once() {
    let mut world = World::with(&[1]);
    world.submit(say(1, "one"));
    world.pass(0);
    for number in 50..53 {
        world.foreign(number, nick(1, "eve"));
    }
    let committed = [50, 51, 52].map(|number| format!("committed nick-eve as {number}"));
    let outcomes = world.outcomes_again();
    assert_eq!(outcomes[..3], committed);
    assert_eq!(outcomes[3..], ["outdated one"]);
}

#[test]
fn what_was_proposed_while_something_was_lost_is_checked_again_as_well() {
    let mut world = World::with(&[1]);
    world.submit(nick(1, "ben"));
    world.pass(0);
    world.foreign(50, nick(1, "eve"));
    world.answer(Response::Appended(Ok(vec![(1, Verdict::Outdated)])));
    let taken = [0; 2].map(|_| world.journal.take_outcome().map(|outcome| word_of(&outcome)));
    assert_eq!(taken.map(Option::unwrap_or_default), ["committed nick-eve as 50", "outdated nick-ben"]);
    world.submit(place(1, false));
    assert_eq!(world.outcomes_again(), ["outdated place"], "it may have the name that was to be given up");
    world.asked();
    world.pass(0);
    assert_eq!(world.appended_words(), ["2 place at 50"]);
}

#[test]
fn notices_of_others_are_told_and_own_ones_are_not() {
    let mut world = World::with(&[1]);
    let notice = Notice::Typing { epoch: epoch(1), author: AuthorId(1) };
    world.journal.tell(notice.clone());
    world.pass(0);
    assert_eq!(world.asked(), [Request::Tell { node: HERE, notices: vec![notice.clone()] }]);
    world.entry(ProposalId { node: HERE, number: 0 }, Logged::Notice(notice.clone()));
    world.entry(ProposalId { node: THERE, number: 0 }, Logged::Notice(notice));
    assert_eq!(world.outcomes(), ["noticed"]);
}

#[test]
fn nodes_that_are_none_any_more_are_told() {
    let mut world = World::with(&[]);
    world.entry(ProposalId { node: HERE, number: 0 }, Logged::NodeGone(THERE));
    world.entry(ProposalId { node: THERE, number: 0 }, Logged::NodeGone(NodeId(3)));
    assert_eq!(world.outcomes(), ["gone 2 ours true", "gone 3 ours false"]);
    world.answer(Response::Renewed(Some(Renewed { generation: Generation(7), end: at(102), nodes: 1 })));
    world.outcomes();
    let meters = world.journal.cluster_meters().expect("a cluster's");
    assert_eq!(meters.nodes.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn what_a_room_was_loaded_with_is_not_taken_in_again() {
    let mut loaded = loaded(&[1, 2], 100, Generation(7));
    loaded.rooms[0].position = at(102);
    let random = StdRng::seed_from_u64(1);
    let journal = ClusterJournal::new(Script::default(), HERE, &loaded, 1_000, random, Arc::default());
    let mut world = World { journal, now_ms: 1_000, time_ms: 100 };
    world.foreign(1, say(1, "one"));
    world.foreign(2, say(2, "two"));
    world.foreign(3, say(1, "three"));
    // It was over before it could be loaded.
    world.foreign(4, say(3, "four"));
    assert_eq!(world.outcomes(), ["committed two as 2", "committed three as 3"]);
}

#[test]
fn a_wait_for_the_end_is_over_when_it_is_taken_in() {
    let mut world = World::with(&[1]);
    world.journal.sync(SyncId(1));
    world.journal.sync(SyncId(2));
    world.pass(0);
    assert_eq!(world.asked(), [Request::FindEnd { question: 2 }]);
    world.journal.sync(SyncId(3));
    world.pass(0);
    assert!(world.asked().is_empty(), "one question at a time");
    world.answer(Response::End { question: 2, position: at(102) });
    world.foreign(8, say(1, "one"));
    assert_eq!(world.outcomes(), ["committed one as 8"]);
    world.foreign(9, say(1, "two"));
    assert_eq!(world.outcomes(), ["committed two as 9", "synced 1", "synced 2"]);
    world.pass(0);
    assert_eq!(world.asked(), [Request::FindEnd { question: 3 }]);
}

#[test]
fn a_room_is_handed_over_when_its_tail_is_long_by_whoever_made_it_so() {
    let mut world = World::with(&[1]);
    for number in 0..64 {
        world.foreign(100 + number, nick(1, "eve"));
    }
    world.outcomes();
    world.submit(nick(1, "ben"));
    world.send(&all_appended(1..=1));
    world.own(1, 1, Some(65));
    assert_eq!(world.outcomes(), ["committed nick-ben as 65"]);
    world.pass(0);
    assert_eq!(world.outcomes(), [format!("snapshot {}", epoch(1))]);
    let room = loaded(&[1], 0, Generation(0)).rooms.remove(0).room.snapshot;
    world.asked();
    world.journal.keep_snapshot(room.clone());
    let version = ProposalId { node: HERE, number: 1 };
    assert_eq!(world.asked(), [Request::KeepSnapshot { version, room: Box::new(room) }]);
    for number in 0..66 {
        world.foreign(200 + number, nick(1, "eve"));
    }
    world.outcomes();
    world.submit(nick(1, "cleo"));
    world.send(&all_appended(2..=2));
    world.own(2, 1, Some(300));
    world.outcomes();
    world.pass(0);
    assert!(world.outcomes().is_empty(), "whoever proposed the last one of them does that");
}

#[test]
fn a_room_that_the_log_has_not_taken_is_handed_over_again() {
    let mut world = World::with(&[1]);
    let handed_over = |world: &mut World| {
        assert_eq!(world.outcomes(), [format!("snapshot {}", epoch(1))]);
        let room = loaded(&[1], 0, Generation(0)).rooms.remove(0).room.snapshot;
        world.journal.keep_snapshot(room);
    };
    world.submit(delete(1, 3));
    world.send(&all_appended(1..=1));
    world.own(1, 1, Some(1));
    world.outcomes();
    world.pass(0);
    handed_over(&mut world);
    world.answer(Response::SnapshotRefused { epoch: epoch(1) });
    world.outcomes();
    world.pass(100);
    assert!(world.outcomes().is_empty(), "it takes nothing at this time");
    world.pass(1_000);
    handed_over(&mut world);
    // Nobody knows whether it has it.
    world.reconnect(Attached::Yes { generation: Generation(7), last_number: 1, end: at(101) });
    world.outcomes();
    world.pass(0);
    handed_over(&mut world);
    world.answer(Response::SnapshotKept { epoch: epoch(1) });
    world.reconnect(Attached::Yes { generation: Generation(7), last_number: 1, end: at(101) });
    world.outcomes();
    world.pass(0);
    assert!(world.outcomes().is_empty());
}

#[test]
fn an_event_without_a_number_has_everything_loaded_anew() {
    let mut world = World::with(&[1]);
    let Proposal { code, epoch, change, .. } = say(1, "hello");
    let by = ProposalId { node: THERE, number: 9 };
    world.entry(by, Logged::Change { code, epoch, event_id: None, change: Some(Box::new(change)) });
    assert!(world.outcomes().is_empty());
    assert!(matches!(world.asked()[..], [Request::Leave { .. }, Request::Attach { .. }]));
}

#[test]
fn what_is_deleted_is_soon_gone_from_the_tail() {
    let mut world = World::with(&[1]);
    world.submit(delete(1, 3));
    world.send(&all_appended(1..=1));
    world.own(1, 1, Some(4));
    world.outcomes();
    world.pass(0);
    assert_eq!(world.outcomes(), [format!("snapshot {}", epoch(1))]);
}
