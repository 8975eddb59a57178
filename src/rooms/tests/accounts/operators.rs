//! What accounts mean for operators, and operators for accounts.

use super::*;

fn moderate(moderation: Moderation) -> Command {
    Command::In(RoomRef::Only, RoomCommand::Moderate { readings: vec![moderation], cid: None })
}

fn kick(called: &str) -> Command {
    moderate(Moderation::Kick { name: name(called), reason: None })
}

impl House {
    /// Who keeps order in the room, whoever does everywhere.
    fn own_operators(&self, of: usize) -> Vec<&str> {
        let room = self.rooms.room(self.membership(of).room);
        let operators = room.rules().operators.iter().filter_map(|author| room.member(*author));
        operators.map(|member| member.name().as_str()).collect()
    }

    fn is_operator(&self, connection: usize) -> bool {
        let here = self.membership(connection);
        self.rooms.room(here.room).is_operator(here.author)
    }

    /// Somebody comes in by the password of an account, without a secret.
    fn join_proven(&mut self, account: &str, target: JoinTarget, called: &str) -> usize {
        let connection = self.prove(account);
        self.execute(connection, join(target, Some(called), None));
        connection
    }
}

/// Root's account is an admin's, and ana keeps order in a room of her own.
fn house_with_admin() -> (House, usize, JoinTarget) {
    let mut house = house();
    house.rooms.set_admins(&[name("root")]);
    let owner = house.join(JoinTarget::New, "root");
    house.execute(owner, register("root"));
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    (house, ana, target)
}

#[test]
fn admins_keep_order_in_every_room_and_are_no_operators_of_it() {
    let (mut house, ana, target) = house_with_admin();
    let [ben, carl] = ["ben", "carl"].map(|called| house.join(target, called));
    let root = house.join_proven("root", target, "root");
    assert!(house.is_operator(root) && house.own_operators(root) == ["ana"]);
    house.execute(root, kick("ben"));
    assert!(matches!(house.last_reply(ben), Reply::Kicked { .. }), "{:?}", house.last_reply(ben));
    house.execute(root, moderate(Moderation::Slow { seconds: 60 }));
    house.execute(root, say("one", None));
    house.execute(root, say("two", None));
    assert!(!matches!(house.last_reply(root), Reply::Refused { .. }), "{:?}", house.last_reply(root));
    // Who keeps order in the room is not asked whether an admin is there.
    house.execute(ana, Command::In(RoomRef::Only, RoomCommand::Leave));
    assert_eq!(house.own_operators(root), ["carl"]);
    assert!(house.is_operator(carl) && house.is_operator(root));
    house.execute_in(root, RoomCommand::Nick(name("boot")));
    assert!(!house.is_operator(root), "it bears the name no more");
    house.execute(root, kick("carl"));
    assert_eq!(*house.refusal(root), Refusal::NotOperator);
}

#[test]
fn what_an_admin_asks_for_comes_to_nothing_once_it_bears_another_name() {
    let (mut house, ana, target) = house_with_admin();
    let root = house.join_proven("root", target, "root");
    house.propose_on(root, ECHOING, Command::In(RoomRef::Only, RoomCommand::Nick(name("boot"))));
    house.propose_on(root, ECHOING, moderate(Moderation::Lock));
    house.settle();
    assert_eq!(*house.refusal(root), Refusal::NotOperator);
    assert!(!house.rooms.room(house.membership(ana).room).rules().is_locked);
}

/// Whatever the node says that has proposed it.
#[test]
fn what_others_said_is_deleted_by_operators_and_admins_alone() {
    let (mut house, ana, target) = house_with_admin();
    let ben = house.join(target, "ben");
    house.execute(ben, register("ben"));
    let root = house.join_proven("root", target, "root");
    house.execute(ana, say("one", None));
    let of = house.rooms.room(house.membership(ana).room).last_id();
    house.propose_on(
        root,
        ECHOING,
        Command::In(RoomRef::Only, RoomCommand::Delete { of: MessageRef::Id(of), cid: None }),
    );
    let by_root = house.take_proposals().remove(0);
    let (code, epoch, change) = (by_root.code, by_root.epoch, by_root.change.clone());
    house.rooms.refuse(by_root, house.now);
    let Change::Moderate(by_root) = change else { panic!("not as an operator: {change:?}") };
    let by = |author: usize, as_admin| {
        let author = house.membership(author).author;
        let name = house.rooms.room(house.membership(ana).room).member(author).expect("a member").name().clone();
        let event = Event { author, name, ..by_root.event.clone() };
        Measure { event, as_admin, ..(*by_root).clone() }
    };
    let refused = [by(root, None), by(ben, None), by(ben, by_root.as_admin)];
    let as_members = [root, ben].map(|author| Change::Publish { event: by(author, None).event });
    let measures = refused.map(|measure| Change::Moderate(Box::new(measure)));
    for change in measures.into_iter().chain(as_members) {
        house.rooms.commit(Proposal::new(code, epoch, change), house.now, &mut house.sent);
        assert!(house.rooms.committed_state().contains("\"one\""));
    }
    for measure in [(*by_root).clone(), *by_root] {
        let change = Change::Moderate(Box::new(measure));
        house.rooms.commit(Proposal::new(code, epoch, change), house.now, &mut house.sent);
        assert!(!house.rooms.committed_state().contains("\"one\""));
        assert_eq!(house.rooms.room(house.membership(ana).room).last_id(), of + 1, "it is deleted once");
    }
}

#[test]
fn who_comes_back_by_its_password_is_the_operator_it_was() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    let target = JoinTarget::Code(house.code(ana));
    let (ben, token) = (house.join(target, "ben"), house.token(ana));
    house.drop_connection(ana);
    house.pass(house.rooms.limits().grace_ms + 1);
    assert_eq!(house.names(ben), ["ben"]);
    let ana = house.join_proven("ana", target, "Ana");
    assert_ne!(house.token(ana), token);
    assert_eq!(house.own_operators(ana), ["Ana"]);
    house.execute(ana, kick("ben"));
    assert!(matches!(house.last_reply(ben), Reply::Kicked { .. }));
    // The secret that it had is nobody's any more.
    let stranger = house.connect();
    house.execute(stranger, join(target, Some("zoe"), Some(token)));
    assert!(!house.is_operator(stranger));
    assert_eq!(house.names(ana), ["Ana", "zoe"]);
}

#[test]
fn a_lock_keeps_out_nobody_who_comes_back_by_its_password() {
    let mut house = house();
    let [ana, _] = ["ana", "dora"].map(|called| {
        let connection = house.join(JoinTarget::New, called);
        house.execute(connection, register(called));
        connection
    });
    let target = JoinTarget::Code(house.code(ana));
    let ben = house.join(target, "ben");
    let key = RoomKey::parse("sesame").expect("a key");
    for moderation in [Moderation::Lock, Moderation::Key(Some(key))] {
        house.execute(ana, moderate(moderation));
    }
    let elsewhere = house.join_proven("ana", target, "ana");
    assert!(matches!(house.last_reply(ana), Reply::TakenOver { .. }), "{:?}", house.last_reply(ana));
    house.drop_connection(elsewhere);
    house.pass(house.rooms.limits().grace_ms + 1);
    assert_eq!(house.names(ben), ["ben"]);
    for (account, called) in [("ana", "carl"), ("dora", "dora")] {
        let stranger = house.join_proven(account, target, called);
        assert!(matches!(house.refusal(stranger), Refusal::RoomLocked { .. }), "{account} as {called}");
    }
    let ana = house.join_proven("ana", target, "ana");
    assert_eq!(house.own_operators(ana), ["ana"]);
    house.execute(ana, moderate(Moderation::Unlock));
    assert!(!house.rooms.room(house.membership(ben).room).rules().is_locked);
}

#[test]
fn a_ban_keeps_out_the_account_under_every_name() {
    let mut house = house();
    let owner = house.join(JoinTarget::New, "ben");
    house.execute(owner, register("ben"));
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let ben = house.join_proven("ben", target, "ben");
    house.execute(ana, moderate(Moderation::Ban { name: name("ben"), seconds: Some(600), reason: None }));
    assert!(matches!(house.last_reply(ben), Reply::Kicked { .. }));
    let under_another_name = house.join_proven("ben", target, "carl");
    assert!(matches!(house.refusal(under_another_name), Refusal::Banned { .. }));
    house.join(target, "carl");
    assert_eq!(house.names(ana), ["ana", "carl"]);
}
