//! `snugd account`, where accounts are in a log that nodes share.
//!
//! Whoever changes one is no node: it has no lease, so nobody waits for it or misses it, whenever it ends. Its change is
//! appended in one step, if the accounts are still at the version against which it was checked. The nodes that are there
//! see it in the log as they would another node's, end sessions and rename whoever bears a claimed name.

use std::thread;
use std::time::{Duration, Instant};

use redis::{Cmd, Connection, Value};

use super::access::{Access, denied, of_other_format, read_known, unreadable};
use super::address::ClusterAddress;
use super::connecting::ask;
use super::faults::{Answer, Fault, list, text};
use super::following::has_replicas;
use super::scripts::Scripts;
use crate::journal::cluster::log::{Append, Position, Version};
use crate::journal::cluster::{Effects, codec};
use crate::rooms::{AccountAction, AccountChange, AccountId, Change, Epoch, Name, NodeId, RoomCode, StoredAccount};

/// So long it may take until a change is in the log.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Who has to ask again does so after this time.
const PAUSE: Duration = Duration::from_millis(250);

/// Why an account is not as it was wanted.
#[derive(Debug)]
pub enum AccountError {
    /// The log cannot be used: a sentence.
    Unusable(String),
    /// The log is there, and it cannot be done, or not be known to last: a sentence.
    NotDone(String),
    /// The name, or one that looks like it, is an account's already.
    Exists,
    /// There is no such account.
    Missing,
}

/// The names of all accounts in the log at this address, in the order of their letters. `wait_replicas`: so many replicas
/// have to have them.
///
/// # Errors
/// The log cannot be used, or they are not known to last.
pub fn account_names(address: &ClusterAddress, wait_replicas: u32) -> Result<Vec<Name>, AccountError> {
    let mut access = Access::begin(address).map_err(AccountError::Unusable)?;
    let known = access.try_twice(read_known).map_err(|fault| AccountError::Unusable(unreadable(address, fault)))?;
    let mut names: Vec<Name> = known.accounts.into_iter().map(|known| known.name).collect();
    let is_kept = access.try_twice(|connection| is_kept(connection, wait_replicas));
    if !is_kept.map_err(|fault| AccountError::Unusable(unreadable(address, fault)))? {
        return Err(not_kept(address, wait_replicas));
    }
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    Ok(names)
}

/// Adds, changes or removes the account with this name, whether nodes are there or not. `wait_replicas`: so many replicas
/// have to have it.
///
/// # Errors
/// That was not done, and why.
pub fn change_account(
    address: &ClusterAddress,
    wait_replicas: u32,
    name: &Name,
    action: AccountAction,
) -> Result<(), AccountError> {
    let mut access = Access::begin(address).map_err(AccountError::Unusable)?;
    let wanted = Wanted { name: name.clone(), action, account: None };
    let by = NodeId::random(&mut rand::rng());
    Changing { access: &mut access, wait_replicas, by, number: 0, is_in_doubt: false, wanted }.carry_out()
}

/// Whether so many replicas have what is in the log: then it is there to stay, and nothing shows it before.
fn is_kept(connection: &mut Connection, wait_replicas: u32) -> Answer<bool> {
    has_replicas(connection, "account", Position::default(), wait_replicas)
}

fn not_kept(address: &ClusterAddress, wait_replicas: u32) -> AccountError {
    AccountError::NotDone(format!(
        "The cluster's log at {address} has it, but fewer than {wait_replicas} replicas have so far: nodes go by it once \
         they do."
    ))
}

/// What is wanted of an account.
struct Wanted {
    name: Name,
    action: AccountAction,
    /// Which account it is about, once that is known.
    account: Option<AccountId>,
}

impl Wanted {
    /// The change that does it, by what the accounts are; `None`: it is done. That is seen by the accounts alone, since an
    /// answer may be lost: a new account's number is drawn, and what a password hashes to is another one each time.
    fn next(&mut self, accounts: &[StoredAccount]) -> Result<Option<AccountChange>, AccountError> {
        let named = accounts.iter().find(|known| known.name.is_same(&self.name));
        let own = self.account.and_then(|own| accounts.iter().find(|known| known.account == own));
        let is_done = match &self.action {
            AccountAction::Add { .. } => own.is_some(),
            AccountAction::SetPassword(hash) => own.is_some_and(|own| own.hash.as_ref() == Some(hash)),
            AccountAction::Remove => self.account.is_some() && own.is_none(),
            AccountAction::Nothing => true,
        };
        if is_done {
            return Ok(None);
        }
        let account = match (&self.action, named) {
            (AccountAction::Add { .. }, Some(_)) => return Err(AccountError::Exists),
            (AccountAction::Add { .. }, None) => self.account.unwrap_or_else(|| AccountId::random(&mut rand::rng())),
            (_, Some(named)) => named.account,
            (_, None) => return Err(AccountError::Missing),
        };
        self.account = Some(account);
        Ok(Some(AccountChange { account, action: self.action.clone(), bearers: Vec::new(), request: None }))
    }
}

/// What became of an attempt to change an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tried {
    /// It is in the log.
    Done,
    /// Another change of an account came before it.
    Outdated,
    /// The log is kept by another server than before, and nodes have not told yet what they have seen of it.
    NotYet,
}

/// One change, proposed against what is there, and again against what is there by then, until it is in the log.
struct Changing<'a, 'c> {
    access: &'c mut Access<'a>,
    /// So many replicas have to have it.
    wait_replicas: u32,
    /// By which number its proposals are known: no node has it.
    by: NodeId,
    /// That of the last proposal.
    number: u64,
    /// One was sent, and what became of it is not known.
    is_in_doubt: bool,
    wanted: Wanted,
}

impl Changing<'_, '_> {
    fn carry_out(&mut self) -> Result<(), AccountError> {
        let address = self.access.address;
        let until = Instant::now() + ANSWER_LIMIT;
        loop {
            let reason = match self.try_once()? {
                Ok(Tried::Done) => match self.is_kept() {
                    Ok(true) => return Ok(()),
                    Ok(false) => return Err(not_kept(address, self.wait_replicas)),
                    // Whichever server keeps the log by then may not have it.
                    Err(fault) => self.reason_to_look_again(fault)?,
                },
                Ok(Tried::Outdated) if Instant::now() < until => continue,
                Ok(Tried::Outdated) => "other accounts are changed all the time".to_owned(),
                Ok(Tried::NotYet) => "nodes have not told yet what they have seen of it".to_owned(),
                Err(fault) => self.reason_to_look_again(fault)?,
            };
            if Instant::now() >= until {
                return Err(AccountError::Unusable(self.in_vain(&reason)));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Whether what is done is there to stay.
    fn is_kept(&mut self) -> Answer<bool> {
        let wait_replicas = self.wait_replicas;
        let is_kept = self.access.try_once(|connection| is_kept(connection, wait_replicas));
        self.is_in_doubt = is_kept.is_err();
        is_kept
    }

    /// What is wrong, if that may pass.
    fn reason_to_look_again(&self, fault: Fault) -> Result<String, AccountError> {
        let address = self.access.address;
        match fault {
            Fault::Denied(reason) => Err(AccountError::Unusable(denied(address, &reason))),
            Fault::Refusing(reason) => Err(AccountError::NotDone(format!(
                "The cluster's log at {address} takes nothing at this time: {reason}; mend that, and try again."
            ))),
            Fault::Away(reason) => Ok(reason),
            moved @ Fault::Moved(_) => Ok(moved.to_string()),
        }
    }

    /// The sentence for what could not be done in time.
    fn in_vain(&self, reason: &str) -> String {
        let address = self.access.address;
        let doubt = if self.is_in_doubt { " (whether it is done is not known)" } else { "" };
        format!(
            "The cluster's log at {address} is not open to changes: {reason}{doubt}; see what Redis and the nodes say, and \
             try again."
        )
    }

    /// Proposes the change against what the accounts are now, unless it is done. The outer fault: it cannot be.
    fn try_once(&mut self) -> Result<Answer<Tried>, AccountError> {
        let known = match self.access.try_once(read_known) {
            Ok(known) => known,
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(change) = self.wanted.next(&known.accounts)? else { return Ok(Ok(Tried::Done)) };
        let tried = self.propose(change, known.version);
        self.is_in_doubt = matches!(tried, Err(Fault::Away(_)));
        Ok(tried)
    }

    fn propose(&mut self, change: AccountChange, accounts_version: Option<Version>) -> Answer<Tried> {
        self.number += 1;
        let append = Append {
            number: self.number,
            code: RoomCode::NONE,
            epoch: Epoch::NONE,
            version: None,
            accounts_version,
            change: Change::Account(Box::new(change)),
        };
        let command = change_command(&self.access.scripts, self.by, &append);
        self.access.try_once(|connection| ask(connection, &command).and_then(read_tried))
    }
}

/// The command by which somebody who is no node changes an account.
pub(super) fn change_command(scripts: &Scripts, by: NodeId, append: &Append) -> Cmd {
    let mut arguments = Vec::new();
    codec::append_arguments(append, &Effects::of(&append.change), &mut arguments);
    let mut command = scripts.change_account.command();
    command.arg(codec::FORMAT).arg(by.0).arg(arguments);
    command
}

/// What became of it.
pub(super) fn read_tried(value: Value) -> Answer<Tried> {
    let mut words = list(value)?.into_iter().map(text);
    match words.next().transpose()?.as_deref() {
        Some("A") => Ok(Tried::Done),
        Some("O") => Ok(Tried::Outdated),
        Some("N") => Ok(Tried::NotYet),
        Some("F") => Err(Fault::Denied(of_other_format(&words.next().transpose()?.unwrap_or_default()))),
        _ => Err(Fault::unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::PasswordHash;

    fn wanted(typed: &str, action: AccountAction) -> Wanted {
        Wanted { name: name(typed), action, account: None }
    }

    fn name(typed: &str) -> Name {
        Name::parse(typed).expect("a name")
    }

    fn stored(account: u64, typed: &str, hash: &str) -> StoredAccount {
        StoredAccount { account: AccountId(account), name: name(typed), hash: Some(PasswordHash::new(hash)) }
    }

    fn add(typed: &str) -> AccountAction {
        AccountAction::Add { name: name(typed), hash: Some(PasswordHash::new("new")) }
    }

    #[test]
    fn a_name_is_claimed_once_and_by_whoever_comes_first() {
        let mut ana = wanted("ana", add("ana"));
        assert!(matches!(ana.next(&[stored(7, "Аna", "other")]), Err(AccountError::Exists)));
        let first = ana.next(&[]).expect("it can be claimed").expect("a change");
        // What became of it is not known, and it is proposed again.
        assert_eq!(ana.next(&[stored(1, "ben", "x")]).expect("it can be claimed"), Some(first.clone()));
        assert!(matches!(ana.next(&[stored(7, "ANA", "other")]), Err(AccountError::Exists)));
        assert_eq!(ana.next(&[stored(first.account.0, "ana", "new")]).expect("it is there"), None);
    }

    #[test]
    fn what_is_not_there_is_neither_changed_nor_removed() {
        for action in [AccountAction::SetPassword(PasswordHash::new("new")), AccountAction::Remove] {
            let mut ana = wanted("ana", action);
            assert!(matches!(ana.next(&[stored(1, "ben", "x")]), Err(AccountError::Missing)));
            let change = ana.next(&[stored(7, "Ana", "old")]).expect("it is there").expect("a change");
            assert_eq!(change.account, AccountId(7));
        }
    }

    #[test]
    fn what_an_unanswered_proposal_has_done_is_seen() {
        let mut password = wanted("ana", AccountAction::SetPassword(PasswordHash::new("new")));
        assert!(password.next(&[stored(7, "ana", "old")]).expect("it is there").is_some());
        assert!(password.next(&[stored(7, "ana", "old")]).expect("it is there").is_some());
        assert_eq!(password.next(&[stored(7, "ana", "new")]).expect("it is there"), None);
        let mut removal = wanted("ana", AccountAction::Remove);
        assert!(removal.next(&[stored(7, "ana", "old")]).expect("it is there").is_some());
        assert_eq!(removal.next(&[]).expect("it is gone"), None);
    }
}
