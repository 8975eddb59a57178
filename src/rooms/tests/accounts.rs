//! Claimed names, told by commands and replies: what somebody has shown with a password is taken for granted here.

mod operators;

use super::*;

fn name(typed: &str) -> Name {
    Name::parse(typed).expect("a name")
}

fn register(typed: &str) -> Command {
    Command::Proven(Box::new(ProvenCommand::Register { name: name(typed), hash: PasswordHash::new("$hash") }))
}

impl House {
    fn account(&self, typed: &str) -> AccountId {
        self.rooms.account_named(&name(typed)).expect("it is claimed")
    }

    /// A connection that has shown whose name this is.
    fn prove(&mut self, typed: &str) -> usize {
        let connection = self.connect();
        self.rooms.note_proof(ConnectionId(connection as u64), self.account(typed));
        connection
    }

    fn change_password(&mut self, connection: usize, typed: &str) {
        let (account, hash) = (self.account(typed), PasswordHash::new("$other"));
        self.execute(connection, Command::Proven(Box::new(ProvenCommand::ChangePassword { account, hash })));
    }

    fn names(&self, connection: usize) -> Vec<&str> {
        let mut names: Vec<_> =
            self.rooms.room(self.membership(connection).room).members().map(|member| member.name().as_str()).collect();
        names.sort();
        names
    }

    /// Every account has one bearer in a room at the most, who bears its name by right, as has everybody who bears one.
    fn check_bearers(&self) {
        for (_, room) in &self.rooms.rooms {
            for member in room.state.roster.iter() {
                let owner = self.rooms.account_named(&member.name);
                assert_eq!(room.state.accounts.get(&member.author).copied(), owner, "{}", member.name);
            }
        }
    }
}

fn password_required(typed: &str) -> Refusal {
    Refusal::PasswordRequired { name: name(typed) }
}

#[test]
fn a_claim_renames_everybody_else_in_every_room() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    let others = ["Ana", "аna", "anna"].map(|typed| house.join(JoinTarget::New, typed));
    house.execute(ana, register("ana"));
    assert!(matches!(house.last_reply(ana), Reply::Account { done: AccountDone::Registered, .. }));
    assert_eq!(house.names(ana), ["ana", "ben"]);
    let named = others.map(|other| house.names(other)[0].to_owned());
    assert_eq!(named, ["Ana_1", "аna_1", "anna"]);
    assert!(matches!(house.refusal(others[0]), Refusal::NameLost { .. }));
    house.check_bearers();
    house.execute_in(ben, RoomCommand::Nick(name("Ana")));
    assert_eq!(*house.refusal(ben), password_required("Ana"));
    house.execute_in(ana, RoomCommand::Nick(name("ANA")));
    assert_eq!(house.names(ana), ["ANA", "ben"]);
    house.check_bearers();
}

/// Of two connections of one person, one takes another name while the other comes in under the first.
#[test]
fn whoever_is_about_to_give_up_its_name_is_nobody_to_come_in_as() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    let target = JoinTarget::Code(house.code(ana));
    let phone = house.prove("ana");
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, RoomCommand::Nick(name("ida"))));
    house.propose_on(phone, ECHOING, join(target, Some("ana"), None));
    house.settle();
    house.check_bearers();
    assert!(matches!(house.refusal(phone), Refusal::NameTaken { .. }));
    house.execute(phone, join(target, Some("ana"), None));
    assert_eq!(house.names(phone), ["ana", "ida"]);
    house.check_bearers();
}

/// Another member has left for good over the same browser.
#[test]
fn who_comes_back_by_its_account_is_nobody_who_left_for_good() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    let target = JoinTarget::Code(house.code(ana));
    let [ben, zoe] = ["ben", "zoe"].map(|called| house.join(target, called));
    let (own, token) = (house.membership(ana).author, house.token(zoe));
    house.drop_connection(ana);
    house.pass(60_000);
    house.execute_in(zoe, RoomCommand::Leave);
    let again = house.prove("ana");
    house.execute(again, join(target, Some("ana"), Some(token)));
    assert_eq!(house.membership(again).author, own);
    assert_eq!(house.names(ben), ["ana", "ben"]);
}

#[test]
fn a_name_that_looks_like_two_members_renames_both() {
    let mut house = house();
    // Each shares one form with the name that is claimed, and none with the other.
    let alice = house.join(JoinTarget::New, "Alice");
    let code = house.code(alice);
    let aiice = house.join(JoinTarget::Code(code), "aiice");
    let owner = house.join(JoinTarget::New, "owner");
    house.execute(owner, register("AIice"));
    assert_eq!(house.names(alice), ["Alice_1", "aiice_1"]);
    assert!(matches!(house.refusal(aiice), Refusal::NameLost { .. }));
    house.check_bearers();
}

#[test]
fn who_is_on_its_way_to_another_name_is_left_alone() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (leaving, renamed) = (house.join(JoinTarget::New, "ana"), house.join(JoinTarget::New, "ana"));
    house.propose_on(leaving, ECHOING, Command::In(RoomRef::Only, RoomCommand::Leave));
    house.propose_on(renamed, ECHOING, Command::In(RoomRef::Only, RoomCommand::Nick(name("zoe"))));
    let before = house.take_proposals();
    house.propose_on(ana, ECHOING, register("ana"));
    let claim = house.take_proposals();
    for proposal in before.into_iter().chain(claim) {
        house.rooms.commit(proposal, house.now, &mut house.sent);
    }
    house.settle();
    assert_eq!(house.names(renamed), ["zoe"]);
    assert!(house.memberships[leaving].is_empty());
    house.check_bearers();
}

#[test]
fn who_is_muted_loses_a_claimed_name_like_everybody_else() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    let mute = Moderation::Mute { name: name("ben"), seconds: None };
    house.execute_in(ana, RoomCommand::Moderate { readings: vec![mute], cid: None });
    let owner = house.join(JoinTarget::New, "Ben");
    house.execute(owner, register("Ben"));
    assert_eq!(house.names(ana), ["ana", "ben_1"]);
    assert!(matches!(house.refusal(ben), Refusal::NameLost { .. }));
    house.check_bearers();
}

#[test]
fn what_is_about_to_be_claimed_is_refused_to_others_at_once() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::New, "ben");
    house.propose_on(ana, ECHOING, register("ana"));
    house.propose_on(ben, ECHOING, Command::In(RoomRef::Only, RoomCommand::Nick(name("ana"))));
    house.propose_on(ben, ECHOING, register("Ana"));
    house.settle();
    let refusals: Vec<_> = house.replies[ben].iter().filter(|reply| matches!(reply, Reply::Refused { .. })).collect();
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    assert_eq!(*house.refusal(ben), Refusal::NameClaimed { name: name("Ana") });
    house.check_bearers();
}

#[test]
fn a_claim_that_is_not_stored_is_none() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.propose_on(ana, ECHOING, register("ana"));
    for proposal in house.take_proposals() {
        assert!(proposal.is_refusable());
        house.rooms.refuse(proposal, house.now);
    }
    house.settle();
    assert_eq!(*house.refusal(ana), Refusal::StorageFailed);
    house.join(JoinTarget::New, "Ana");
    assert!(!house.rooms.is_claimed(&name("ana")));
}

#[test]
fn a_secret_is_good_for_the_name_until_the_password_is_changed() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    let witness = house.join(JoinTarget::New, "ben");
    let there = JoinTarget::Code(house.code(witness));
    let phone = house.prove("ana");
    house.execute(phone, join(there, Some("ana"), None));
    house.check_bearers();
    let token = house.token(phone);
    house.drop_connection(phone);
    let back = house.connect();
    house.execute(back, join(there, None, Some(token)));
    assert_eq!(house.names(witness), ["ana", "ben"]);

    house.flush();
    house.change_password(ana, "ana");
    assert!(house.memberships[back].is_empty(), "{:?}", house.last_reply(back));
    assert!(matches!(house.last_reply(back), Reply::SessionEnded { .. }));
    assert_eq!(house.names(witness), ["ben"]);
    let again = house.connect();
    house.execute(again, join(there, None, Some(token)));
    assert_eq!(*house.refusal(again), password_required("ana"));
    // Nor is what was shown with the former password.
    house.execute(phone, join(there, Some("ana"), None));
    assert_eq!(*house.refusal(phone), password_required("ana"));
    // It comes back as the member that it was once it shows the new one.
    house.rooms.note_proof(ConnectionId(again as u64), house.account("ana"));
    house.execute(again, join(there, None, Some(token)));
    assert_eq!(house.token(again), token);
    assert_eq!(house.memberships[ana].len(), 1, "whoever changed it stays");
    house.check_bearers();
}

#[test]
fn somebody_elses_departed_member_of_the_name_needs_the_password() {
    let mut house = house();
    let witness = house.join(JoinTarget::New, "ben");
    let there = JoinTarget::Code(house.code(witness));
    let stranger = house.join(there, "ana");
    let token = house.token(stranger);
    house.drop_connection(stranger);
    house.pass(house.rooms.limits().grace_ms);
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    let back = house.connect();
    house.execute(back, join(there, None, Some(token)));
    assert_eq!(*house.refusal(back), password_required("ana"));
    house.execute(back, join(there, Some("anita"), Some(token)));
    assert_eq!(house.names(back), ["anita", "ben"]);
    house.check_bearers();
}

#[test]
fn another_device_takes_the_member_over_and_the_secret_before_is_nobodys() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let there = JoinTarget::Code(house.code(ana));
    house.execute(ana, register("ana"));
    let former = house.token(ana);
    let phone = house.prove("ana");
    house.execute(phone, join(there, Some("ana"), None));
    assert!(matches!(house.last_reply(ana), Reply::TakenOver { .. }));
    assert_eq!((house.names(phone), house.membership(phone).author), (vec!["ana"], AuthorId(1)));
    let token = house.token(phone);
    house.drop_connection(phone);
    for (token, is_good) in [(former, false), (token, true)] {
        let back = house.connect();
        house.execute(back, join(there, Some("ana"), Some(token)));
        let is_joined = matches!(house.last_reply(back), Reply::Joined { .. });
        assert_eq!(is_joined, is_good, "{:?}", house.last_reply(back));
    }
    house.check_bearers();
}

#[test]
fn who_gives_up_a_name_keeps_it_as_everybody_may() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    let account = house.account("ana");
    let there = house.prove("ana");
    house.execute(there, join(JoinTarget::New, Some("ana"), None));
    house.execute(ana, Command::Proven(Box::new(ProvenCommand::Unregister { account })));
    assert!(matches!(house.last_reply(there), Reply::SessionEnded { .. }), "{:?}", house.last_reply(there));
    assert_eq!(house.names(ana), ["ana"]);
    assert!(!house.rooms.is_claimed(&name("ana")));
    house.join(JoinTarget::New, "Ana");
    house.check_bearers();
}

#[test]
fn admins_are_those_who_bear_the_name_by_right() {
    let mut house = house();
    house.rooms.set_admins(&[name("Root")]);
    let root = house.join(JoinTarget::New, "root");
    assert!(!house.rooms.is_admin(house.membership(root)), "anybody may be called that");
    house.execute(root, register("root"));
    assert!(house.rooms.is_admin(house.membership(root)));
    house.execute_in(root, RoomCommand::Nick(name("boot")));
    assert!(!house.rooms.is_admin(house.membership(root)));
}

#[test]
fn where_everybody_needs_an_account_nobody_is_called_otherwise() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, register("ana"));
    house.rooms.require_accounts();
    let stranger = house.join(JoinTarget::New, "ben");
    assert_eq!(*house.refusal(stranger), Refusal::AccountRequired);
    house.execute_in(ana, RoomCommand::Nick(name("ben")));
    assert_eq!(*house.refusal(ana), Refusal::AccountRequired);
    house.execute(ana, Command::Create);
    assert_eq!(*house.refusal(ana), Refusal::AccountRequired);
}

/// Any history of claims and names leaves one owner of each, and a replay of it leaves the same.
#[test]
fn every_history_has_one_owner_of_a_name_and_replays_alike() {
    use rand::RngExt as _;
    use rand::seq::IndexedRandom as _;
    let names = ["ana", "Ana", "ANA", "ben", "AIice", "alice", "aiice"];
    for seed in 0..150 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut house = house();
        let mut committed = Vec::new();
        let mut targets = Vec::new();
        for _ in 0..2 {
            let host = house.connect();
            house.propose_on(host, ECHOING, join(JoinTarget::New, Some("host"), None));
            house.settle_noting(&mut committed);
            targets.push(JoinTarget::Code(house.code(host)));
        }
        let people: Vec<usize> = (0..6).map(|_| house.connect()).collect();
        for _ in 0..60 {
            let who = *people.choose(&mut random).expect("somebody");
            let typed = *names.choose(&mut random).expect("a name");
            let account = house.rooms.account_named(&name(typed));
            let proven = account.filter(|_| random.random_bool(0.7));
            let command = match (random.random_range(0..7), proven) {
                (0 | 1, _) => {
                    let token = house.tokens[who].filter(|_| random.random_bool(0.5));
                    join(*targets.choose(&mut random).expect("a room"), Some(typed), token)
                }
                (2, _) => register(typed),
                (3, Some(account)) => Command::Proven(Box::new(ProvenCommand::Login { account })),
                (4, Some(account)) => {
                    let hash = PasswordHash::new(&format!("${}", random.random::<u8>()));
                    Command::Proven(Box::new(ProvenCommand::ChangePassword { account, hash }))
                }
                (5, Some(account)) => Command::Proven(Box::new(ProvenCommand::Unregister { account })),
                (6, _) if random.random_bool(0.5) => Command::In(RoomRef::Only, RoomCommand::Leave),
                _ => Command::In(RoomRef::Only, RoomCommand::Nick(name(typed))),
            };
            house.propose_on(who, ECHOING, command);
            // Others ask for something before it is committed, now and then.
            if random.random_bool(0.4) {
                continue;
            }
            house.settle_noting(&mut committed);
            house.check_bearers();
        }
        house.settle_noting(&mut committed);
        let mut replayed = self::house();
        for (code, epoch, change) in committed {
            replayed.rooms.commit(Proposal::new(code, epoch, change), house.now, &mut replayed.sent);
        }
        assert_eq!(house.rooms.committed_state(), replayed.rooms.committed_state(), "seed {seed}");
    }
}
