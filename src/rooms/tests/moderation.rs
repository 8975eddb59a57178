//! Who may do what to whom, and what becomes of it: against a small model, and told by examples.

use std::collections::BTreeSet;

use super::*;

fn name(name: &str) -> Name {
    Name::parse(name).expect("a name")
}

fn moderate(moderation: Moderation) -> Command {
    Command::In(RoomRef::Only, RoomCommand::Moderate { readings: vec![moderation], cid: None })
}

fn kick(called: &str) -> Command {
    moderate(Moderation::Kick { name: name(called), reason: None })
}

fn ban(called: &str) -> Command {
    moderate(Moderation::Ban { name: name(called), seconds: Some(600), reason: None })
}

fn mute(called: &str) -> Command {
    moderate(Moderation::Mute { name: name(called), seconds: None })
}

fn join_with_key(code: RoomCode, called: &str, token: Option<Token>, key: Option<&str>) -> Command {
    let Command::Join(mut join) = join(JoinTarget::Code(code), Some(called), token) else { unreachable!() };
    join.key = key.and_then(RoomKey::parse);
    Command::Join(join)
}

impl House {
    pub(super) fn operators(&self, of: usize) -> Vec<String> {
        let room = self.rooms.room(self.membership(of).room);
        let operators = room.members().filter(|member| room.is_operator(member.author()));
        operators.map(|member| member.name().to_string()).collect()
    }

    fn was_refused(&self, connection: usize) -> bool {
        matches!(self.replies[connection].last(), Some(Reply::Refused { .. }))
    }
}

// ---- the table

/// Everybody in the room of the table.
#[derive(Clone, PartialEq, Debug, Default)]
struct Model {
    operators: BTreeSet<&'static str>,
    present: BTreeSet<&'static str>,
    banned: BTreeSet<&'static str>,
    muted: BTreeSet<&'static str>,
    /// Whose secret is remembered.
    departed: BTreeSet<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Done,
    NotOperator,
    NoSuchMember,
    NotBanned,
    NotOneself,
}

const ACTIONS: [&str; 7] = ["op", "deop", "kick", "ban", "unban", "mute", "unmute"];
const NAMES: [&str; 7] = ["ana", "olga", "ben", "moe", "dora", "eve", "zed"];

impl Model {
    /// What the contract says of `actor` doing this to `target`.
    fn take(&mut self, actor: &'static str, action: &str, target: &'static str) -> Verdict {
        if !self.operators.contains(actor) {
            return Verdict::NotOperator;
        }
        let is_present = self.present.contains(target);
        let is_remembered = is_present || self.departed.contains(target);
        match action {
            "kick" | "ban" | "mute" if actor == target => return Verdict::NotOneself,
            "op" | "kick" | "mute" if !is_present => return Verdict::NoSuchMember,
            "deop" if !is_remembered => return Verdict::NoSuchMember,
            "unmute" if !is_remembered && !self.muted.contains(target) => return Verdict::NoSuchMember,
            "unban" if !self.banned.contains(target) => return Verdict::NotBanned,
            _ => (),
        }
        match action {
            "op" => drop(self.operators.insert(target)),
            "deop" => drop(self.operators.remove(target)),
            "kick" | "ban" => {
                if action == "ban" {
                    self.banned.insert(target);
                }
                if self.present.remove(target) {
                    self.operators.remove(target);
                }
            }
            "unban" => drop(self.banned.remove(target)),
            "mute" => drop(self.muted.insert(target)),
            "unmute" => drop(self.muted.remove(target)),
            other => unreachable!("{other}"),
        }
        Verdict::Done
    }
}

/// A room with ana and olga, who are operators, ben, moe, who is muted, dora, who dropped out, and eve, who is banned.
/// Returns who is there over which connection.
fn cast(house: &mut House) -> (Model, Vec<(&'static str, usize)>) {
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let mut connections = vec![("ana", ana)];
    for called in ["olga", "ben", "moe", "dora", "eve"] {
        connections.push((called, house.join(target, called)));
    }
    house.execute(ana, moderate(Moderation::Op(name("olga"))));
    house.execute(ana, mute("moe"));
    house.drop_connection(connections[4].1);
    house.pass(house.rooms.limits().grace_ms);
    house.execute(ana, ban("eve"));
    connections.truncate(4);
    let model = Model {
        operators: ["ana", "olga"].into(),
        present: ["ana", "olga", "ben", "moe"].into(),
        banned: ["eve"].into(),
        muted: ["moe"].into(),
        departed: ["dora"].into(),
    };
    (model, connections)
}

/// What became of the room, as far as the model knows it.
fn look(house: &House, room: RoomId) -> Model {
    let room = house.rooms.room(room);
    let called = |known: &str| NAMES.into_iter().find(|name| *name == known).expect("one of the cast");
    let rules = room.rules();
    Model {
        operators: room
            .members()
            .filter(|member| room.is_operator(member.author()))
            .map(|member| called(member.name().as_str()))
            .collect(),
        present: room.members().map(|member| called(member.name().as_str())).collect(),
        banned: rules.bans_at(house.now.wall_ms).map(|ban| called(ban.name.as_str())).collect(),
        muted: rules.mutes_at(house.now.wall_ms).map(|mute| called(mute.name.as_str())).collect(),
        departed: room.state.roster.departed().map(|departed| called(departed.name.as_str())).collect(),
    }
}

#[test]
fn who_may_do_what_to_whom() {
    for actor in 0..4 {
        for action in ACTIONS {
            for target in NAMES {
                let mut house = house();
                let (mut model, connections) = cast(&mut house);
                let room = house.membership(connections[0].1).room;
                assert_eq!(look(&house, room), model, "the cast");
                let (actor, connection) = connections[actor];
                house.replies[connection].clear();
                let verdict = model.take(actor, action, target);
                let (name, seconds, reason) = (name(target), None, None);
                house.execute(
                    connection,
                    moderate(match action {
                        "op" => Moderation::Op(name),
                        "deop" => Moderation::Deop(name),
                        "kick" => Moderation::Kick { name, reason },
                        "ban" => Moderation::Ban { name, seconds, reason },
                        "unban" => Moderation::Unban(name),
                        "mute" => Moderation::Mute { name, seconds },
                        _ => Moderation::Unmute(name),
                    }),
                );
                let given = match house.replies[connection].last() {
                    None => Verdict::Done,
                    Some(Reply::Refused { refusal: Refusal::NotOperator, .. }) => Verdict::NotOperator,
                    Some(Reply::Refused { refusal: Refusal::NoSuchMember { .. }, .. }) => Verdict::NoSuchMember,
                    Some(Reply::Refused { refusal: Refusal::NotBanned { .. }, .. }) => Verdict::NotBanned,
                    Some(Reply::Refused { refusal: Refusal::NotOneself, .. }) => Verdict::NotOneself,
                    Some(other) => panic!("{actor} {action} {target}: {other:?}"),
                };
                assert_eq!(given, verdict, "{actor} {action} {target}");
                assert_eq!(look(&house, room), model, "{actor} {action} {target}");
            }
        }
    }
}

#[test]
fn only_operators_change_the_room() {
    let changes = || {
        let (key, topic) = (RoomKey::parse("sesame"), Text::clean_line("slides").ok());
        [
            Moderation::Lock,
            Moderation::Unlock,
            Moderation::Key(key),
            Moderation::Key(None),
            Moderation::Topic(topic),
            Moderation::Topic(None),
            Moderation::Slow { seconds: 10 },
        ]
    };
    for index in 0..changes().len() {
        let mut house = house();
        let (_, connections) = cast(&mut house);
        let state = house.rooms.committed_state();
        for (called, connection) in connections.into_iter().rev() {
            house.replies[connection].clear();
            house.execute(connection, moderate(changes()[index].clone()));
            let is_operator = matches!(called, "ana" | "olga");
            assert_eq!(house.was_refused(connection), !is_operator, "{called}: {:?}", changes()[index]);
            if !is_operator {
                assert_eq!(house.refusal(connection), &Refusal::NotOperator);
                assert_eq!(house.rooms.committed_state(), state, "{called}: {:?}", changes()[index]);
            }
        }
        assert_ne!(house.rooms.committed_state(), state, "{:?}", changes()[index]);
    }
}

/// Who comes how into which room.
#[test]
fn who_is_let_in() {
    for is_locked in [false, true] {
        for has_key in [false, true] {
            for is_known in [false, true] {
                for given in [None, Some("sesame"), Some("wrong")] {
                    for is_banned in [false, true] {
                        let mut house = house();
                        let ana = house.join(JoinTarget::New, "ana");
                        let code = house.code(ana);
                        let ben = house.join(JoinTarget::Code(code), "ben");
                        let token = house.token(ben);
                        house.drop_connection(ben);
                        house.pass(house.rooms.limits().grace_ms);
                        if is_locked {
                            house.execute(ana, moderate(Moderation::Lock));
                        }
                        if has_key {
                            house.execute(ana, moderate(Moderation::Key(RoomKey::parse("sesame"))));
                        }
                        if is_banned {
                            house.execute(ana, ban("ben"));
                        }
                        let comer = house.connect();
                        let token = Some(token).filter(|_| is_known);
                        house.execute(comer, join_with_key(code, "ben", token, given));
                        let expected = match (is_banned, is_known, is_locked, has_key, given) {
                            (true, ..) => Some("banned"),
                            (false, true, ..) => None,
                            (false, false, true, ..) => Some("locked"),
                            (false, false, false, true, given) if given != Some("sesame") => Some("key"),
                            _ => None,
                        };
                        let refused = match house.last_reply(comer) {
                            Reply::Joined { .. } => None,
                            Reply::Refused { refusal: Refusal::Banned { seconds: 600, .. }, .. } => Some("banned"),
                            Reply::Refused { refusal: Refusal::RoomLocked { .. }, .. } => Some("locked"),
                            Reply::Refused { refusal: Refusal::KeyRequired { was_wrong, .. }, .. } => {
                                assert_eq!(*was_wrong, given.is_some());
                                Some("key")
                            }
                            other => panic!("{other:?}"),
                        };
                        let how = (is_locked, has_key, is_known, given, is_banned);
                        assert_eq!(refused, expected, "{how:?}");
                        // By the form it is the same.
                        let form = house.connect();
                        let (target, name) = (JoinTarget::Code(code), name("benno"));
                        let key = given.and_then(RoomKey::parse);
                        house.execute(form, Command::Reserve { target, name, token: None, key });
                        let is_let_in = !is_locked && (!has_key || given == Some("sesame"));
                        assert_eq!(!house.was_refused(form), is_let_in, "{how:?}");
                    }
                }
            }
        }
    }
}

// ---- operators

#[test]
fn who_comes_first_keeps_order_and_the_next_one_when_it_has_gone() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let [ben, carl] = ["ben", "carl"].map(|called| house.join(target, called));
    assert_eq!(house.operators(ana), ["ana"]);
    house.flush();
    house.execute_in(ana, RoomCommand::Leave);
    assert_eq!(house.operators(ben), ["ben"]);
    assert_eq!(house.flush()[carl], "4-ana 5ben!op - ben ");
    house.execute_in(ben, RoomCommand::Leave);
    house.execute_in(carl, RoomCommand::Leave);
    let dora = house.join(target, "dora");
    assert_eq!(house.operators(dora), ["dora"]);
    assert_eq!(house.flush()[dora], "", "without a further event");
}

#[test]
fn who_may_come_back_is_still_an_operator_and_nobody_else_becomes_one() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (token, target) = (house.token(ana), JoinTarget::Code(house.code(ana)));
    let ben = house.join(target, "ben");
    house.drop_connection(ana);
    house.pass(house.rooms.limits().grace_ms);
    let state = house.rooms.committed_state();
    assert!(state.contains("departed 1 "), "{state}");
    assert_eq!(house.operators(ben), [""; 0]);
    let again = house.connect();
    house.execute(again, join(target, Some("anna"), Some(token)));
    assert_eq!(house.operators(ben), ["anna"]);
}

#[test]
fn the_last_operator_that_gives_it_up_hands_over_or_keeps_it_alone() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, moderate(Moderation::Deop(name("ana"))));
    assert_eq!(house.operators(ana), ["ana"]);
    let target = JoinTarget::Code(house.code(ana));
    house.join(target, "ben");
    house.execute(ana, moderate(Moderation::Deop(name("ana"))));
    assert_eq!(house.operators(ana), ["ben"]);
}

#[test]
fn a_succession_that_cannot_be_stored_is_told_to_nobody_and_made_up_for() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, RoomCommand::Leave));
    for proposal in house.take_proposals() {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    let succession = house.take_proposals();
    assert_eq!(succession.len(), 1);
    house.replies[ben].clear();
    for proposal in succession {
        house.rooms.refuse(proposal, house.now);
    }
    house.settle();
    assert!(house.replies[ben].is_empty(), "{:?}", house.replies[ben]);
    house.execute(ben, say("hi", None));
    assert_eq!(house.operators(ben), ["ben"]);
}

// ---- kicks and bans

#[test]
fn who_was_thrown_out_and_comes_again_is_not_who_has_been_there_longest() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let [ben, carl] = ["ben", "carl"].map(|called| house.join(target, called));
    let token = house.token(ben);
    house.execute(ana, kick("ben"));
    let again = house.connect();
    house.execute(again, join(target, Some("ben"), Some(token)));
    assert_eq!(house.membership(again).author, AuthorId(2));
    // Nor once its connection was lost.
    house.drop_connection(again);
    house.pass(60_000);
    house.execute(again, join(target, None, Some(token)));
    house.execute_in(ana, RoomCommand::Leave);
    assert_eq!(house.operators(carl), ["carl"]);
}

/// It dropped out, came back by another node and left for good there, before its place at this one was committed.
#[test]
fn who_has_left_for_good_since_it_was_to_come_back_is_a_stranger() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let ben = house.join(target, "ben");
    let (token, here) = (house.token(ben), house.membership(ben));
    house.drop_connection(ben);
    house.pass(60_000);
    house.execute(ana, moderate(Moderation::Lock));
    let page = house.connect();
    let (name, key) = (name("ben"), None);
    house.propose_on(page, ECHOING, Command::Reserve { target, name, token: Some(token), key });
    let own = house.take_proposals();
    let elsewhere = |change: Change| Proposal::new(own[0].code, own[0].epoch, change);
    let (author, time_ms) = (here.author, house.now.wall_ms);
    let leaves = Change::Vacate { author, event: None, may_return: false, time_ms };
    for proposal in [elsewhere(own[0].change.clone()), elsewhere(leaves)].into_iter().chain(own) {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    let is_retried = house.rooms.take_resumed().is_some_and(|resumed| resumed.connection == ConnectionId(page as u64));
    assert!(is_retried, "as a stranger, who does not come in");
    assert_eq!(house.rooms.room(here.room).member_count(), 1);
    assert!(house.rooms.room(here.room).member(author).is_none());
}

#[test]
fn who_is_kicked_is_told_and_hears_nothing_more() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let ben = house.join(JoinTarget::Code(code), "ben");
    house.execute(ben, say("boo", None));
    house.execute(ana, kick("ben"));
    house.execute(ana, say("so", None));
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[ben].as_str()), ("2+ben 3ben:boo 4ana>ben 5ana:so ", "3ben:boo "));
    assert!(matches!(house.last_reply(ben), Reply::Kicked { event, .. } if event.id == 4));
    // It may come again, with nothing but its number.
    let (token, again) = (house.token(ben), house.connect());
    house.execute(again, join(JoinTarget::Code(code), Some("ben"), Some(token)));
    assert_eq!(house.membership(again).author, AuthorId(2));
}

#[test]
fn who_comes_back_over_another_connection_while_it_is_kicked_is_told_there() {
    for kick_comes_first in [false, true] {
        let mut house = house();
        let ana = house.join(JoinTarget::New, "ana");
        let target = JoinTarget::Code(house.code(ana));
        let ben = house.join(target, "ben");
        let (token, page) = (house.token(ben), house.connect());
        // Connected in another way, so that this is a change.
        let caller = Caller {
            connection: ConnectionId(page as u64),
            address: Address::from(core::net::IpAddr::from([127, 0, 0, 1])),
            via: Via::Line,
            encoder: ECHOING,
        };
        let comes = |house: &mut House| {
            let join = join(target, Some("ben"), Some(token));
            let _ = house.rooms.execute(&caller, &[], join, house.now, &mut house.sent);
        };
        if kick_comes_first {
            house.propose_on(ana, ECHOING, kick("ben"));
            comes(&mut house);
        } else {
            comes(&mut house);
            house.propose_on(ana, ECHOING, kick("ben"));
        }
        house.settle();
        let is_kicked = |connection: usize| matches!(house.last_reply(connection), Reply::Kicked { .. });
        if kick_comes_first {
            assert!(is_kicked(ben) && house.membership(page).author == AuthorId(2), "it comes anew");
        } else {
            assert!(is_kicked(page) && matches!(house.last_reply(ben), Reply::TakenOver { .. }));
            assert_eq!(house.rooms.room(house.membership(ana).room).member_count(), 1);
        }
    }
}

#[test]
fn who_is_just_coming_in_when_it_is_banned_is_thrown_out() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.connect();
    house.propose_on(ben, ECHOING, join(JoinTarget::Code(house.code(ana)), Some("ben"), None));
    house.propose_on(ana, ECHOING, ban("ben"));
    house.settle();
    assert!(matches!(house.last_reply(ben), Reply::Kicked { .. }), "{:?}", house.last_reply(ben));
    assert_eq!(house.flush()[ana], "2+ben 3ana!ban 600 ben 4ana>ben ");
}

#[test]
fn a_stranger_who_is_just_coming_in_when_the_room_is_locked_stays_outside() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let dora = house.join(target, "dora");
    let token = house.token(dora);
    house.drop_connection(dora);
    house.pass(house.rooms.limits().grace_ms + 1);
    house.flush();
    let (ben, back) = (house.connect(), house.connect());
    house.propose_on(ana, ECHOING, moderate(Moderation::Lock));
    house.propose_on(ben, ECHOING, join(target, Some("ben"), None));
    house.propose_on(back, ECHOING, join(target, None, Some(token)));
    house.settle();
    let resumed = house.rooms.take_resumed().expect("it is looked at again");
    assert_eq!(resumed.connection, ConnectionId(ben as u64));
    house.execute(ben, resumed.command);
    assert!(matches!(house.refusal(ben), Refusal::RoomLocked { .. }), "{:?}", house.last_reply(ben));
    assert!(house.flush()[ana].ends_with(" 5+dora "), "who was there before");
}

#[test]
fn who_is_away_or_about_to_come_back_is_banned_as_well() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let ben = house.join(target, "ben");
    let token = house.token(ben);
    house.drop_connection(ben);
    house.flush();
    house.propose_on(ana, ECHOING, ban("ben"));
    // Before that is committed.
    let page = house.connect();
    house.propose_on(page, ECHOING, join(target, Some("benno"), Some(token)));
    house.settle();
    assert!(matches!(house.refusal(page), Refusal::Banned { .. }));
    assert_eq!(house.flush()[ana], "3ana>ben 4ana!ban 600 ben ");
    house.pass(600_000);
    house.execute(page, join(target, Some("ben"), Some(token)));
    assert!(matches!(house.last_reply(page), Reply::Joined { .. }));
}

#[test]
fn a_banned_members_network_is_closed_to_strangers_alone() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    house.address = [192, 0, 2, 7];
    let [ben, carl] = ["ben", "carl"].map(|called| house.join(target, called));
    let token = house.token(carl);
    house.drop_connection(carl);
    house.sent.addresses.insert(ben as u64, Address::from(core::net::IpAddr::from(house.address)));
    house.execute(ana, ban("ben"));
    let (stranger, known) = (house.join(target, "dora"), house.connect());
    assert!(matches!(house.refusal(stranger), Refusal::Banned { .. }));
    house.execute(known, join(target, None, Some(token)));
    assert!(matches!(house.last_reply(known), Reply::Joined { .. }));
    house.execute(ana, moderate(Moderation::Unban(name("BEN"))));
    let ben = house.join(target, "ben");
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }));
}

#[test]
fn of_several_readings_the_first_that_is_about_somebody_counts() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    house.join(target, "Ben");
    let maria = house.join(target, "Ben Maria");
    let kick = |called| Moderation::Kick { name: name(called), reason: None };
    let readings = ["Ben Maria out", "Ben Maria", "Ben"].map(kick).to_vec();
    house.execute_in(ana, RoomCommand::Moderate { readings, cid: None });
    assert!(matches!(house.last_reply(maria), Reply::Kicked { .. }));
}

// ---- who may speak

#[test]
fn who_is_muted_says_nothing_and_takes_no_other_name() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let ben = house.join(target, "ben");
    // What it says behind a mute that is not committed yet is refused as well.
    house.propose_on(ana, ECHOING, mute("ben"));
    house.propose_on(ben, ECHOING, say("boo", Some("c1")));
    house.settle();
    assert!(matches!(house.last_reply(ben), Reply::Refused { refusal: Refusal::Muted { .. }, cid: Some(_), .. }));
    house.execute_in(ben, RoomCommand::Nick(name("boo")));
    assert!(matches!(house.refusal(ben), Refusal::Muted { .. }));
    house.flush();
    house.execute_in(ben, RoomCommand::Typing);
    assert_eq!(house.flush()[ana], "");
    house.execute_in(ben, RoomCommand::History(Span { limit: 1, ..Span::default() }));
    assert!(matches!(house.last_reply(ben), Reply::History { .. }));
    // Nor does it under the same name as somebody else.
    house.execute_in(ben, RoomCommand::Leave);
    let again = house.join(target, "ben");
    house.execute(again, say("boo", None));
    assert!(matches!(house.refusal(again), Refusal::Muted { .. }));
    house.execute(ana, moderate(Moderation::Unmute(name("ben"))));
    house.execute(again, say("hi", None));
    assert!(house.flush()[ana].ends_with(":hi "));
}

#[test]
fn in_slow_mode_each_says_one_thing_in_a_while_but_operators() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    house.execute(ana, moderate(Moderation::Slow { seconds: 10 }));
    house.flush();
    for connection in [ana, ana, ben, ben] {
        house.execute(connection, say("hi", Some("c1")).clone());
        house.execute(connection, say("ho", None));
    }
    assert!(matches!(house.refusal(ben), Refusal::SlowMode { seconds: 10, retry_ms: 10_000 }));
    assert_eq!(house.flush()[ana].matches("ben:").count(), 1);
    // What it has said already is told so, all the same.
    house.execute(ben, say("hi", Some("c1")));
    assert!(matches!(house.last_reply(ben), Reply::AlreadySaid { .. }));
    house.pass(10_000);
    house.execute(ben, say("hey", None));
    assert!(house.flush()[ana].ends_with("ben:hey "));
}

#[test]
fn wrong_keys_are_bounded_as_wrong_codes_are() {
    let mut house = House::new(Limits { create_rate: 0, join_rate: 3, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.execute(ana, moderate(Moderation::Key(RoomKey::parse("sesame"))));
    house.address = [192, 0, 2, 7];
    let ben = house.connect();
    for _ in 0..10 {
        // Who gives none guesses nothing.
        house.execute(ben, join_with_key(code, "ben", None, None));
        assert!(matches!(house.refusal(ben), Refusal::KeyRequired { was_wrong: false, .. }));
    }
    for _ in 0..3 {
        house.execute(ben, join_with_key(code, "ben", None, Some("wrong")));
        assert!(matches!(house.refusal(ben), Refusal::KeyRequired { was_wrong: true, .. }));
    }
    house.execute(ben, join_with_key(code, "ben", None, Some("sesame")));
    assert!(matches!(house.refusal(ben), Refusal::TooManyCodes { .. }));
}

#[test]
fn nobody_outside_looks_into_a_room_with_a_key() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let outside = house.connect();
    for (moderation, is_open) in
        [(Moderation::Key(RoomKey::parse("sesame")), false), (Moderation::Key(None), true), (Moderation::Lock, false)]
    {
        house.execute(ana, moderate(moderation));
        for token in [None, Some(token)] {
            let span = Span { limit: 10, ..Span::default() };
            house.execute(outside, Command::Events { code, span, token });
            assert_eq!(!house.was_refused(outside), is_open || token.is_some());
            house.execute(outside, Command::Describe { code, token });
            assert_eq!(!house.was_refused(outside), is_open || token.is_some());
        }
    }
}

// ---- what is with the journal

#[test]
fn what_is_not_stored_yet_counts_against_whom_it_concerns_and_not_for_it() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let [olga, ben, carl] = ["olga", "ben", "carl"].map(|called| house.join(target, called));
    house.execute(ana, moderate(Moderation::Op(name("olga"))));
    house.propose_on(ana, ECHOING, moderate(Moderation::Deop(name("olga"))));
    house.propose_on(ana, ECHOING, moderate(Moderation::Op(name("ben"))));
    for connection in [olga, ben] {
        house.propose_on(connection, ECHOING, kick("carl"));
    }
    // Who is about to be thrown out says nothing more, and is not thrown out twice.
    house.propose_on(ana, ECHOING, kick("carl"));
    house.propose_on(carl, ECHOING, say("boo", None));
    house.propose_on(ana, ECHOING, kick("carl"));
    house.flush();
    let proposals = house.take_proposals();
    assert_eq!(proposals.len(), 3, "{proposals:?}");
    // Of these, the journal stores but the kick, which cannot be refused.
    for proposal in proposals {
        match proposal.is_refusable() {
            true => house.rooms.refuse(proposal, house.now),
            false => house.commit_numbered(vec![proposal], 5),
        }
    }
    house.settle();
    assert_eq!(house.operators(ana), ["ana", "olga"]);
    assert_eq!(house.flush()[ana], "6ana>carl ");
    assert!(matches!(house.refusal(olga), Refusal::NotOperator));
    assert!(matches!(house.refusal(ben), Refusal::NotOperator));
    let refused = house.replies[ana].iter().filter_map(|reply| match reply {
        Reply::Refused { refusal, .. } => Some(refusal),
        _ => None,
    });
    let refused: Vec<&Refusal> = refused.collect();
    assert!(
        matches!(refused[..], [Refusal::NoSuchMember { .. }, Refusal::StorageFailed, Refusal::StorageFailed]),
        "{refused:?}"
    );
    // From here on it is as if they had never been.
    house.execute(olga, kick("ben"));
    assert_eq!(house.flush()[ana], "7olga>ben ");
}

#[test]
fn who_is_no_operator_any_more_deletes_nothing_of_others() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    house.execute(ana, say("one", None));
    let cid = MessageKey::parse("d");
    let delete = Command::In(RoomRef::Only, RoomCommand::Delete { of: MessageRef::Id(3), cid: cid.clone() });
    // On this node it was asked for first; on another one, the journal may have ordered them the other way round.
    for is_of_another_node in [false, true] {
        house.execute(ana, moderate(Moderation::Op(name("ben"))));
        house.propose_on(ana, ECHOING, moderate(Moderation::Deop(name("ben"))));
        let mut ordered = Vec::new();
        if is_of_another_node {
            let deop = house.take_proposals().remove(0);
            ordered.push(Proposal::new(deop.code, deop.epoch, deop.change.clone()));
            house.rooms.refuse(deop, house.now);
        }
        house.propose_on(ben, ECHOING, delete.clone());
        ordered.extend(house.take_proposals());
        if is_of_another_node {
            for proposal in ordered {
                house.rooms.commit(proposal, house.now, &mut house.sent);
            }
        } else {
            // What a data file has numbered is done.
            let last_id = house.rooms.room(house.membership(ana).room).last_id();
            house.commit_numbered(ordered, last_id);
        }
        house.settle();
        assert!(
            matches!(house.last_reply(ben), Reply::Refused { refusal: Refusal::NotYours, cid: told, .. } if *told == cid)
        );
        assert!(house.rooms.committed_state().contains("\"one\""));
        assert_eq!(house.operators(ana), ["ana"]);
    }
}
