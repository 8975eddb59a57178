//! What becomes of passwords, with a worker that does what a test tells it to.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::options::Limits;
use crate::rooms::{
    Delivery, Encoder, EncoderId, Event, Join, JoinTarget, NodeId, Reply, RoomCode, StoredAccount, Via,
};

const MOST_JOBS: usize = 3;

/// Jobs that wait until a test has them done.
#[derive(Clone, Default)]
struct Waiting(Rc<RefCell<VecDeque<Box<Job>>>>);

impl PasswordWorker for Waiting {
    fn submit(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        if self.0.borrow().len() == MOST_JOBS {
            return Err(job);
        }
        self.0.borrow_mut().push_back(job);
        Ok(())
    }

    fn take_done(&mut self) -> Option<Done> {
        None
    }
}

struct Silent;

impl Encoder for Silent {
    fn encode_event(&self, _room: &RoomCode, _event: &Event, _out: &mut Vec<u8>) {}
}

struct Nobody;

impl Delivery for Nobody {
    fn write(&mut self, _connection: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, _connection: ConnectionId, _entry: &[u8]) {}
}

struct House {
    authenticator: Authenticator,
    jobs: Waiting,
    rooms: Rooms,
    now: Now,
}

fn name(typed: &str) -> Name {
    Name::parse(typed).expect("a name")
}

fn password(typed: &str) -> Password {
    Password::parse(typed).expect("a password")
}

fn caller(connection: u64, address: u8) -> Caller {
    let address = Address::from(core::net::IpAddr::from([10, 0, 0, address]));
    Caller { connection: ConnectionId(connection), address, via: Via::Web, encoder: EncoderId(0) }
}

fn login(typed: &str) -> Command {
    Command::Account(Box::new(AccountCommand::Login { name: Some(name(typed)), password: password("a password") }))
}

fn join(typed: &str) -> Command {
    let (target, name) = (JoinTarget::New, Some(name(typed)));
    let (stays_elsewhere, keeps_name, token, since, epoch) = (false, false, None, None, None);
    Command::Join(Box::new(Join { target, stays_elsewhere, name, keeps_name, token, since, epoch, key: None }))
}

impl House {
    /// Where "ana" is claimed.
    fn new() -> House {
        let jobs = Waiting::default();
        let authenticator = Authenticator::new(AccountPolicy::Open, 2, Box::new(jobs.clone()));
        let mut rooms = Rooms::new(Limits::default(), vec![Box::new(Silent)], StdRng::seed_from_u64(1));
        let (account, hash) = (AccountId(1), Some(PasswordHash::new("$hash")));
        rooms.restore_accounts(vec![StoredAccount { account, name: name("ana"), hash }]);
        House { authenticator, jobs, rooms, now: Now { steady_ms: 1_000_000, wall_ms: 0 } }
    }

    fn look_at(&mut self, caller: Caller, command: Command) -> Next {
        self.authenticator.look_at(&caller, &[], command, None, &mut self.rooms, self.now)
    }

    /// The job that has waited longest is done.
    fn finish(&mut self, is_right: bool) -> Result<Command, Refusal> {
        let job = self.jobs.0.borrow_mut().pop_front().expect("a job");
        self.authenticator.finish(Done { job, result: is_right.then_some(None) }, &mut self.rooms)
    }

    fn commit(&mut self) {
        while let Some(proposal) = self.rooms.take_proposal() {
            self.rooms.commit(proposal, self.now, &mut Nobody);
        }
    }
}

fn is_refused(next: &Next) -> bool {
    matches!(next, Next::Refuse(Refusal::TooManyPasswords { retry_ms: 1.. }))
}

#[test]
fn tries_count_before_they_are_known_to_be_wrong_and_right_ones_do_not() {
    let mut house = House::new();
    for _ in 0..8 {
        assert!(matches!(house.look_at(caller(1, 1), login("ana")), Next::Wait));
        assert!(house.finish(true).is_ok());
    }
    for _ in 0..5 {
        assert!(matches!(house.look_at(caller(1, 1), login("ana")), Next::Wait));
        assert_eq!(house.finish(false).err(), Some(Refusal::PasswordWrong));
    }
    assert!(is_refused(&house.look_at(caller(1, 2), login("Ana"))), "the name has no tries left, from wherever");
    assert!(is_refused(&house.look_at(caller(1, 1), login("ben"))), "nor has the address, for whatever name");
    assert!(matches!(house.look_at(caller(1, 2), login("ben")), Next::Wait));
    house.now.steady_ms += MINUTE_MS;
    assert!(matches!(house.look_at(caller(1, 1), login("ana")), Next::Wait));
}

#[test]
fn wrong_passwords_count_on_every_node() {
    let (mut here, mut there) = (House::new(), House::new());
    here.rooms.share_as(NodeId(1));
    there.rooms.share_as(NodeId(2));
    for is_right in [true, false, false, false, false, false] {
        assert!(matches!(here.look_at(caller(1, 1), login("ana")), Next::Wait));
        let _ = here.finish(is_right);
        while let Some(notice) = here.rooms.take_notice() {
            there.authenticator.take_in_notice(&notice, there.now);
        }
    }
    assert!(is_refused(&there.look_at(caller(1, 2), login("ana"))), "the name has no tries left, from wherever");
    assert!(is_refused(&there.look_at(caller(1, 1), login("ben"))), "nor has the address, for whatever name");
    assert!(matches!(there.look_at(caller(1, 2), login("ben")), Next::Wait));
}

#[test]
fn names_that_are_claimed_count_on_every_node() {
    let (mut here, mut there) = (House::new(), House::new());
    here.rooms.share_as(NodeId(1));
    there.rooms.share_as(NodeId(2));
    let register = |typed: &str| {
        let (name, password) = (Some(name(typed)), password("a password"));
        Command::Account(Box::new(AccountCommand::Register { name, password }))
    };
    for typed in ["ben", "zoe"] {
        assert!(matches!(here.look_at(caller(1, 1), register(typed)), Next::Wait));
    }
    while let Some(notice) = here.rooms.take_notice() {
        there.rooms.take_in_notice(&notice, there.now);
        there.authenticator.take_in_notice(&notice, there.now);
    }
    let third = there.look_at(caller(1, 1), register("eve"));
    assert!(matches!(third, Next::Refuse(Refusal::RateLimited { .. })), "{third:?}");
    assert!(matches!(there.look_at(caller(2, 2), register("eve")), Next::Wait));
}

#[test]
fn many_at_once_count_as_many() {
    let mut house = House::new();
    let mut waiting = 0;
    for number in 0..20 {
        // From an address each, so that it is the name that counts.
        match house.look_at(caller(number, number as u8), login("ana")) {
            Next::Wait => waiting += 1,
            next => assert!(is_refused(&next), "{next:?}"),
        }
    }
    assert_eq!(waiting, MOST_JOBS, "the queue is full, and what had no place in it does not count");
    for _ in 0..MOST_JOBS {
        assert_eq!(house.finish(false).err(), Some(Refusal::PasswordWrong));
    }
    let next = [0; 3].map(|_| matches!(house.look_at(caller(99, 99), login("ana")), Next::Wait));
    assert_eq!(next, [true, true, false]);
}

#[test]
fn what_was_right_when_it_was_asked_is_wrong_once_the_password_is_another() {
    let mut house = House::new();
    assert!(matches!(house.look_at(caller(1, 1), login("ana")), Next::Wait));
    let (account, hash) = (AccountId(1), PasswordHash::new("$other"));
    let change = Command::Proven(Box::new(ProvenCommand::ChangePassword { account, hash }));
    let _ = house.rooms.execute(&caller(2, 2), &[], change, house.now, &mut Nobody);
    house.commit();
    assert_eq!(house.finish(true).err(), Some(Refusal::PasswordWrong));
    assert_eq!(house.rooms.proof(ConnectionId(1)), None);
}

#[test]
fn a_command_goes_on_without_its_password() {
    let mut house = House::new();
    let with_password = Command::WithPassword(Box::new(join("ana")), password("a password"));
    assert!(matches!(house.look_at(caller(1, 1), with_password.clone()), Next::Wait));
    assert_eq!(house.finish(true), Ok(join("ana")));
    assert_eq!(house.rooms.proof(ConnectionId(1)), Some(AccountId(1)));
    // Where there is no such account it is compared all the same.
    let unknown = Command::WithPassword(Box::new(join("ben")), password("a password"));
    assert!(matches!(house.look_at(caller(2, 1), unknown), Next::Wait));
    let job = house.jobs.0.borrow_mut().pop_front().expect("a job");
    assert!(matches!(job.task, Task::Verify { hash: None, .. }));
    // What needs no password is none of its business.
    assert!(matches!(house.look_at(caller(3, 1), join("ana")), Next::Execute(_)));
}

#[test]
fn names_are_claimed_a_few_a_minute_and_not_those_of_admins() {
    let mut house = House::new();
    house.rooms.set_admins(&[name("root")]);
    let register = |typed: &str| {
        Command::Account(Box::new(AccountCommand::Register {
            name: Some(name(typed)),
            password: password("a password"),
        }))
    };
    let refusal = |next: Next| match next {
        Next::Refuse(refusal) => Some(refusal),
        _ => None,
    };
    assert_eq!(refusal(house.look_at(caller(1, 1), register("ROOT"))), Some(Refusal::RegistrationClosed));
    assert_eq!(refusal(house.look_at(caller(1, 1), register("Ana"))), Some(Refusal::NameClaimed { name: name("Ana") }));
    assert!(matches!(house.look_at(caller(1, 1), register("ben")), Next::Wait));
    assert!(matches!(house.look_at(caller(1, 1), register("zoe")), Next::Wait));
    let third = refusal(house.look_at(caller(1, 1), register("eve")));
    assert!(matches!(third, Some(Refusal::RateLimited { .. })), "{third:?}");
    assert!(matches!(house.look_at(caller(2, 2), register("eve")), Next::Wait));
}

#[test]
fn whoever_a_proxy_vouches_for_has_an_account_from_then_on() {
    let mut house = House::new();
    house.authenticator.note_vouched(ConnectionId(1), name("ben"));
    assert!(matches!(house.look_at(caller(1, 1), join("somebody else")), Next::Wait));
    house.commit();
    assert_eq!(house.rooms.proof(ConnectionId(1)), house.rooms.account_named(&name("ben")));
    assert!(house.rooms.proof(ConnectionId(1)).is_some());
    let resumed = house.rooms.take_resumed().expect("it goes on");
    assert_eq!(resumed.command, join("ben"), "by the name that is vouched for");
    // By now there is one.
    match house.look_at(caller(1, 1), join("ben")) {
        Next::Execute(command) => drop(house.rooms.execute(&caller(1, 1), &[], command, house.now, &mut Nobody)),
        next => panic!("{next:?}"),
    }
    house.commit();
    let is_joined = |(_, reply): (ConnectionId, Reply)| matches!(reply, Reply::Joined { .. });
    assert!(std::iter::from_fn(|| house.rooms.take_reply()).any(is_joined));
    house.authenticator.forget(ConnectionId(1));
    assert!(matches!(house.look_at(caller(1, 1), join("ben")), Next::Execute(_)));
}
