//! Who shows that a name is its own: passwords are compared and hashed here, on a thread beside the loop, which never
//! waits for it.
//!
//! ```text
//!  session ─ Command with a password ─► Authenticator ─► bounded queue ─► worker: Argon2id
//!  rooms  ◄─ Command without one ────── Authenticator ◄───── wake ◄──────────┘
//! ```
//!
//! Whose which name is, and what follows from that, is the rooms' affair (`rooms/claiming`): they never see a password.
//! `hashing` is what is done with one, `worker` the thread; how often one may be tried is decided here.

#[cfg(feature = "accounts")]
pub mod hashing;
#[cfg(feature = "accounts")]
mod worker;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

#[cfg(feature = "accounts")]
pub use worker::PasswordThread;

use crate::options::AccountPolicy;
use crate::rooms::{
    AccountCommand, AccountId, Address, AddressLimiter, Attempt, Caller, Command, ConnectionId, KeyedLimiter,
    Membership, Name, Notice, Password, PasswordHash, ProvenCommand, Rate, Refusal, Rooms,
};
use crate::time::Now;

/// Wrong passwords a minute for one name, and from one address.
const TRIES_A_MINUTE: u32 = 5;
const MINUTE_MS: u64 = 60_000;

/// Where the queue is full it is worth asking again after this time: so long a few of those before it take.
const QUEUE_RETRY_MS: u64 = 1_000;

/// The names of accounts that are operators everywhere.
///
/// # Errors
/// One is no name: the sentence to print.
pub fn parse_admins(typed: &[String]) -> Result<Vec<Name>, String> {
    let parse = |typed: &String| {
        Name::parse(typed)
            .ok_or_else(|| format!("--admin wants the name of an account, not {typed:?}. See snugd --help."))
    };
    typed.iter().map(parse).collect()
}

/// Something that takes the processor's time: to be done by a [`PasswordWorker`].
pub struct Job {
    connection: ConnectionId,
    tried: Option<Tried>,
    /// What is to be done with passwords.
    pub task: Task,
    then: Then,
}

/// What is done with passwords.
pub enum Task {
    /// One is compared with what it has to hash to; without that it takes the same time, and is wrong.
    Verify {
        /// What was typed.
        password: Password,
        /// What the right one hashes to.
        hash: Option<PasswordHash>,
    },
    /// One is hashed.
    Hash {
        /// What was typed.
        password: Password,
    },
    /// If the first is right, the second is hashed.
    Change {
        /// What was typed.
        password: Password,
        /// What the right one hashes to.
        hash: Option<PasswordHash>,
        /// What is to be the password.
        new: Password,
    },
}

/// What has come of it.
pub struct Done {
    /// What was to be done; the passwords in it are of no use any more.
    pub job: Box<Job>,
    /// What the new password hashes to, if there is a new one. `None`: the password was wrong.
    pub result: Option<Option<PasswordHash>>,
}

/// Somebody who compares and hashes passwords.
pub trait PasswordWorker {
    /// Takes something to do, unless it has too much.
    ///
    /// # Errors
    /// It has; and what it was to do.
    fn submit(&mut self, job: Box<Job>) -> Result<(), Box<Job>>;

    /// Something that is done.
    fn take_done(&mut self) -> Option<Done>;

    /// Whether something is done that it wakes nobody for.
    fn has_done(&self) -> bool {
        false
    }
}

/// What counts against whoever tries passwords.
#[derive(Clone, Copy)]
struct Tried {
    name: u64,
    address: Address,
}

/// What is to be done once it is known that the password is right.
enum Then {
    ComeIn(AccountId, Command),
    Login(AccountId),
    Register(Name),
    ChangePassword(AccountId),
    Unregister(AccountId),
}

impl Then {
    /// Whose password it was to be, if the name is somebody's.
    fn account(&self) -> Option<AccountId> {
        match self {
            Then::ComeIn(account, _)
            | Then::Login(account)
            | Then::ChangePassword(account)
            | Then::Unregister(account) => Some(*account).filter(|account| *account != NOBODY),
            Then::Register(_) => None,
        }
    }
}

/// How a command goes on.
#[derive(Debug)]
pub enum Next {
    /// By the rooms.
    Execute(Command),
    /// Once something is done.
    Wait,
    /// Not at all.
    Refuse(Refusal),
}

/// Lets those come in under a name that show it is theirs.
pub struct Authenticator {
    policy: AccountPolicy,
    worker: Box<dyn PasswordWorker>,
    /// Jobs that the worker has taken, and not done.
    waiting: usize,
    /// For whom a trusted proxy has vouched when their WebSockets began.
    vouched: HashMap<ConnectionId, Name>,
    tries_by_name: KeyedLimiter<u64>,
    tries_by_address: AddressLimiter,
    registrations: AddressLimiter,
    hasher: RandomState,
}

impl Authenticator {
    /// Has `worker` do the work. `registrations`: names that are claimed a minute from one address; 0: no limit.
    pub fn new(policy: AccountPolicy, registrations: u32, worker: Box<dyn PasswordWorker>) -> Authenticator {
        let tries = Rate::new(TRIES_A_MINUTE, MINUTE_MS, TRIES_A_MINUTE);
        Authenticator {
            policy,
            worker,
            waiting: 0,
            vouched: HashMap::new(),
            tries_by_name: KeyedLimiter::new(tries),
            tries_by_address: AddressLimiter::new(tries),
            registrations: AddressLimiter::new(Rate::new(registrations, MINUTE_MS, registrations)),
            hasher: RandomState::new(),
        }
    }

    /// From now on so many names may be claimed a minute from one address; 0: no limit.
    pub fn set_registrations(&mut self, registrations: u32) {
        self.registrations.set_rate(Rate::new(registrations, MINUTE_MS, registrations));
    }

    /// A trusted proxy has vouched for whoever is on the other side of this connection.
    pub fn note_vouched(&mut self, connection: ConnectionId, name: Name) {
        self.vouched.insert(connection, name);
    }

    /// A connection is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        if !self.vouched.is_empty() {
            self.vouched.remove(&connection);
        }
    }

    /// Looks at a command before the rooms see it. `vouched`: the name for which a trusted proxy vouches by this very
    /// command.
    pub fn look_at(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: Command,
        vouched: Option<&Name>,
        rooms: &mut Rooms,
        now: Now,
    ) -> Next {
        let vouched = vouched.or_else(|| self.vouched.get(&caller.connection)).cloned();
        match (command, vouched) {
            (command @ (Command::Join(_) | Command::Reserve { .. }), Some(name)) => vouch(caller, command, name, rooms),
            (Command::WithPassword(command, _), Some(name)) => vouch(caller, *command, name, rooms),
            (Command::WithPassword(command, password), None) => {
                self.come_in(caller, memberships, *command, password, rooms, now)
            }
            (Command::Account(command), _) => self.manage(caller, memberships, *command, rooms, now),
            (command, _) => Next::Execute(command),
        }
    }

    fn come_in(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: Command,
        password: Password,
        rooms: &Rooms,
        now: Now,
    ) -> Next {
        let Some(name) = rooms.name_wanted(&command, memberships) else { return Next::Execute(command) };
        let account = rooms.account_named(&name);
        let task = Task::Verify { password, hash: account.and_then(|account| rooms.password_hash(account)).cloned() };
        let then = Then::ComeIn(account.unwrap_or(NOBODY), command);
        let tried = self.tried(account, &name, caller);
        self.submit(Job { connection: caller.connection, tried: Some(tried), task, then }, now)
    }

    fn manage(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: AccountCommand,
        rooms: &mut Rooms,
        now: Now,
    ) -> Next {
        let connection = caller.connection;
        let own = |rooms: &Rooms| {
            let account = rooms.account_of(connection, memberships).ok_or(Refusal::NotLoggedIn)?;
            Ok((account, rooms.account_name(account).cloned()))
        };
        let (name, account, then, password, new) = match command {
            AccountCommand::Register { name, password } => {
                return self.register(caller, name.or_else(|| rooms.name_borne(memberships)), password, rooms, now);
            }
            AccountCommand::Login { name, password } => {
                let Some(name) = name.or_else(|| rooms.name_borne(memberships)) else {
                    return Next::Refuse(Refusal::NameRequired);
                };
                let account = rooms.account_named(&name);
                (Some(name), account, Then::Login(account.unwrap_or(NOBODY)), password, None)
            }
            AccountCommand::ChangePassword { password, new } => match own(rooms) {
                Ok((account, name)) => (name, Some(account), Then::ChangePassword(account), password, Some(new)),
                Err(refusal) => return Next::Refuse(refusal),
            },
            AccountCommand::Unregister { password } => match own(rooms) {
                Ok((account, name)) => (name, Some(account), Then::Unregister(account), password, None),
                Err(refusal) => return Next::Refuse(refusal),
            },
        };
        let Some(name) = name else { return Next::Refuse(Refusal::NotLoggedIn) };
        let tried = Some(self.tried(account, &name, caller));
        let hash = account.and_then(|account| rooms.password_hash(account)).cloned();
        let task = match new {
            Some(new) => Task::Change { password, hash, new },
            None => Task::Verify { password, hash },
        };
        self.submit(Job { connection, tried, task, then }, now)
    }

    fn register(
        &mut self,
        caller: &Caller,
        name: Option<Name>,
        password: Password,
        rooms: &mut Rooms,
        now: Now,
    ) -> Next {
        let Some(name) = name else { return Next::Refuse(Refusal::NameRequired) };
        if self.policy != AccountPolicy::Open || rooms.is_admin_name(&name) {
            return Next::Refuse(Refusal::RegistrationClosed);
        }
        if rooms.is_claimed(&name) {
            return Next::Refuse(Refusal::NameClaimed { name });
        }
        if let Err(retry_ms) = self.registrations.take(caller.address, now.steady_ms) {
            return Next::Refuse(Refusal::RateLimited { retry_ms });
        }
        rooms.tell_registration(caller.address);
        let (task, then) = (Task::Hash { password }, Then::Register(name));
        self.submit(Job { connection: caller.connection, tried: None, task, then }, now)
    }

    /// What counts the tries for an account, or for a name that is none's: that tells nobody which it is.
    fn tried(&self, account: Option<AccountId>, name: &Name, caller: &Caller) -> Tried {
        let keys = name.keys();
        let key = keys.iter().next().unwrap_or_default();
        let name = account.map_or_else(|| self.hasher.hash_one(key), |account| self.hasher.hash_one(account));
        Tried { name, address: caller.address }
    }

    /// Counts a try before it is known to be wrong, or many could be made at once.
    fn submit(&mut self, job: Job, now: Now) -> Next {
        if let Some(Tried { name, address }) = job.tried {
            let by_name = self.tries_by_name.check(name, now.steady_ms);
            let by_address = self.tries_by_address.check(address, now.steady_ms);
            if let Err(retry_ms) = by_name.and(by_address) {
                return Next::Refuse(Refusal::TooManyPasswords { retry_ms });
            }
            let _ = self.tries_by_name.take(name, now.steady_ms);
            let _ = self.tries_by_address.take(address, now.steady_ms);
        }
        match self.worker.submit(Box::new(job)) {
            Ok(()) => {
                self.waiting += 1;
                Next::Wait
            }
            Err(job) => {
                self.give_back(&job);
                Next::Refuse(Refusal::TooManyPasswords { retry_ms: QUEUE_RETRY_MS })
            }
        }
    }

    fn give_back(&mut self, job: &Job) {
        if let Some(Tried { name, address }) = job.tried {
            self.tries_by_name.give_back(name);
            self.tries_by_address.give_back(address);
        }
    }

    /// Another node has told something: a wrong password that was tried there, and a name that was claimed, count here as
    /// well.
    pub fn take_in_notice(&mut self, notice: &Notice, now: Now) {
        let Notice::Attempt { what, address } = *notice else { return };
        // If it is too often already, it is so here as well.
        match what {
            Attempt::Registration => drop(self.registrations.take(address, now.steady_ms)),
            Attempt::Password { account } => {
                let _ = self.tries_by_address.take(address, now.steady_ms);
                if let Some(account) = account {
                    let _ = self.tries_by_name.take(self.hasher.hash_one(account), now.steady_ms);
                }
            }
            // Counted by the rooms.
            Attempt::UnknownCode | Attempt::UnfamiliarCode | Attempt::Creation | Attempt::Share => (),
        }
    }

    /// Something that is done, and whose it was.
    pub fn take_done(&mut self) -> Option<(ConnectionId, Done)> {
        let done = self.worker.take_done()?;
        self.waiting -= 1;
        Some((done.job.connection, done))
    }

    /// How many passwords wait to be compared or hashed.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether something is done that nobody will be woken for.
    pub fn has_done(&self) -> bool {
        self.worker.has_done()
    }

    /// What follows from something that is done, for a connection that is still there: a command for the rooms, or why
    /// there is none.
    ///
    /// # Errors
    /// The password is wrong, or is so by now.
    pub fn finish(&mut self, done: Done, rooms: &mut Rooms) -> Result<Command, Refusal> {
        let Done { job, result } = done;
        let Some(new_hash) = result else {
            if let Some(Tried { address, .. }) = job.tried {
                rooms.tell_wrong_password(job.then.account(), address);
            }
            return Err(Refusal::PasswordWrong);
        };
        self.give_back(&job);
        let (account, verified) = match (&job.then, &job.task) {
            (Then::Register(_), _) | (_, Task::Hash { .. }) => (None, None),
            (
                Then::ComeIn(account, _)
                | Then::Login(account)
                | Then::ChangePassword(account)
                | Then::Unregister(account),
                Task::Verify { hash, .. } | Task::Change { hash, .. },
            ) => (Some(*account), hash.as_ref()),
        };
        // It may have been changed while it was compared.
        if account.is_some_and(|account| rooms.password_hash(account) != verified) {
            return Err(Refusal::PasswordWrong);
        }
        let Job { connection, then, .. } = *job;
        let proven = match (then, new_hash) {
            (Then::ComeIn(account, command), _) => {
                rooms.note_proof(connection, account);
                return Ok(command);
            }
            (Then::Login(account), _) => ProvenCommand::Login { account },
            (Then::Register(name), Some(hash)) => ProvenCommand::Register { name, hash },
            (Then::ChangePassword(account), Some(hash)) => ProvenCommand::ChangePassword { account, hash },
            (Then::Unregister(account), _) => ProvenCommand::Unregister { account },
            // Whoever was to hash it has not.
            (Then::Register(_) | Then::ChangePassword(_), None) => return Err(Refusal::StorageFailed),
        };
        Ok(Command::Proven(Box::new(proven)))
    }
}

/// No account's number: nothing hashes to its password.
const NOBODY: AccountId = AccountId(u64::MAX);

/// Whoever a trusted proxy vouches for bears that name's account, which begins with that if there is none.
fn vouch(caller: &Caller, mut command: Command, name: Name, rooms: &mut Rooms) -> Next {
    if let Command::Join(join) = &mut command
        && join.token.is_none()
    {
        join.name = Some(name.clone());
    }
    match rooms.account_named(&name) {
        Some(account) => {
            rooms.note_proof(caller.connection, account);
            Next::Execute(command)
        }
        None => {
            rooms.add_vouched(caller.connection, name, command);
            Next::Wait
        }
    }
}

#[cfg(test)]
mod tests;
