//! `snugd account`, where accounts are in a log that nodes share.
//!
//! Who changes one is a node for as long as that takes: the change is appended as a node's would be, at the version of the
//! accounts against which it was checked, and the nodes that are there see it in the log, where it ends sessions and
//! renames whoever bears a claimed name. This node has no members and no rooms, so nobody misses it. Who merely lists
//! accounts reads them and is none.

use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, cmd};

use super::RedisLink;
use super::address::ClusterAddress;
use super::connecting::Connector;
use super::entries::{read_version, unknown};
use super::faults::{Answer, Fault, bytes, list, optional_bytes};
use super::following::has_replicas;
use super::opening;
use super::scripts::{ACCOUNTS, META, Scripts};
use crate::journal::cluster::Link;
use crate::journal::cluster::codec;
use crate::journal::cluster::log::{
    Append, AppendFault, Attached, Generation, Position, Request, Response, Verdict, Version,
};
use crate::rooms::{AccountAction, AccountChange, AccountId, Change, Epoch, Name, NodeId, RoomCode, StoredAccount};

/// So long it may take until a change is in the log.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Who has to ask again does so after this time.
const PAUSE: Duration = Duration::from_millis(250);

/// How many events of each room a log keeps of which nobody has said it yet. The first node says it anew.
const NEW_HISTORY_EVENTS: u64 = 1000;

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
    let mut reading = Reading::begin(address)?;
    let mut names: Vec<Name> = reading.read()?.accounts.into_iter().map(|known| known.name).collect();
    reading.wait_for_replicas(wait_replicas)?;
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
    let mut wanted = Wanted { name: name.clone(), action, account: None };
    let mut reading = Reading::begin(address)?;
    let known = reading.read()?;
    // What cannot be done is found without a word to the nodes.
    if wanted.next(&known.accounts)?.is_none() {
        return Ok(());
    }
    let link = RedisLink::open(address, 0, || (), Default::default()).map_err(AccountError::Unusable)?;
    let node = NodeId::random(&mut rand::rng());
    let history_events = known.history_events.unwrap_or(NEW_HISTORY_EVENTS);
    let mut visit = Visit { link, reading, node, history_events, number: 0, wanted };
    let result = visit.carry_out();
    visit.link.send(Request::Leave { node: visit.node });
    result.and_then(|()| visit.reading.wait_for_replicas(wait_replicas))
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

/// A node for as long as one change takes.
struct Visit<'a> {
    link: RedisLink,
    reading: Reading<'a>,
    node: NodeId,
    /// As the log keeps them at this time.
    history_events: u64,
    /// That of the last proposal.
    number: u64,
    wanted: Wanted,
}

impl Visit<'_> {
    /// Attaches, proposes the change, and proposes it again, against what is there by then, until it is in the log.
    fn carry_out(&mut self) -> Result<(), AccountError> {
        let address = self.reading.address;
        let until = Instant::now() + ANSWER_LIMIT;
        let mut reason = "it does not answer".to_owned();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let response = if left.is_zero() { None } else { self.link.wait(left) };
            match response {
                None => {
                    return Err(AccountError::Unusable(format!(
                        "The cluster's log at {address} is not open to changes: {reason}; see what Redis and the nodes say, \
                         and try again."
                    )));
                }
                Some(Response::Up) => self.attach(),
                Some(Response::Down { reason: why }) => {
                    // The other connection may be to the same server, which is not the one that keeps the log by then.
                    self.reading.connection = None;
                    reason = why;
                }
                Some(Response::Attached(Attached::Yes { generation, .. })) => {
                    if self.propose(generation)? {
                        return Ok(());
                    }
                }
                Some(Response::Attached(Attached::NotYet)) => {
                    reason = "nodes have not told yet what they have seen of it".to_owned();
                    thread::sleep(PAUSE);
                    self.attach();
                }
                Some(Response::Attached(Attached::OtherHistory(events))) => {
                    self.history_events = events;
                    self.attach();
                }
                Some(Response::Attached(Attached::UnknownFormat(format))) => {
                    return Err(AccountError::Unusable(denied(address, &of_other_format(&format))));
                }
                Some(Response::Attached(Attached::GivenUp) | Response::Appended(Err(AppendFault::GivenUp))) => {
                    self.come_as_another();
                }
                Some(Response::Appended(Err(AppendFault::OtherGeneration))) => self.attach(),
                Some(Response::Appended(Ok(verdicts))) => match verdicts.last() {
                    Some((number, Verdict::Appended)) if *number == self.number => return Ok(()),
                    // Another change of an account came before it; or what was read is none of this log's any more.
                    _ => {
                        self.reading.connection = None;
                        self.attach();
                    }
                },
                Some(Response::Appended(Err(AppendFault::Refusing(reason)))) => {
                    return Err(AccountError::NotDone(format!(
                        "The cluster's log at {address} takes nothing at this time: {reason}; mend that, and try again."
                    )));
                }
                // Nothing else is asked here.
                Some(_) => (),
            }
        }
    }

    fn attach(&mut self) {
        self.link.send(Request::Attach { node: self.node, last: None, history_events: self.history_events });
    }

    fn come_as_another(&mut self) {
        self.node = NodeId::random(&mut rand::rng());
        self.attach();
    }

    /// Proposes the change against what the accounts are now. Returns whether it is done already.
    fn propose(&mut self, generation: Generation) -> Result<bool, AccountError> {
        let known = self.reading.read()?;
        let Some(change) = self.wanted.next(&known.accounts)? else { return Ok(true) };
        self.number += 1;
        let append = Append {
            number: self.number,
            code: RoomCode::NONE,
            epoch: Epoch::NONE,
            version: None,
            accounts_version: known.version,
            change: Change::Account(Box::new(change)),
        };
        self.link.send(Request::Append { node: self.node, generation, changes: vec![append] });
        Ok(false)
    }
}

/// What is known of accounts.
struct Known {
    accounts: Vec<StoredAccount>,
    /// The accounts are of this version, or of a later one: then what is proposed against it is outdated.
    version: Option<Version>,
    history_events: Option<u64>,
}

/// A connection over which accounts are read.
struct Reading<'a> {
    address: &'a ClusterAddress,
    connector: Connector,
    connection: Option<Connection>,
}

impl<'a> Reading<'a> {
    fn begin(address: &'a ClusterAddress) -> Result<Reading<'a>, AccountError> {
        let mut connector = Connector::new(address.clone());
        let connected = opening::connect(&mut connector, &Scripts::new(), address).map_err(AccountError::Unusable)?;
        Ok(Reading { address, connector, connection: Some(connected.connection) })
    }

    fn read(&mut self) -> Result<Known, AccountError> {
        self.try_twice(read_known)
    }

    /// A connection that was good for what was read last may be no more.
    fn try_twice<T>(&mut self, read: impl Fn(&mut Connection) -> Answer<T>) -> Result<T, AccountError> {
        let first = self.connection.take().map(|connection| self.try_over(connection, &read));
        let read = match first {
            Some(Ok(read)) => Ok(read),
            Some(Err(Fault::Denied(reason))) => Err(Fault::Denied(reason)),
            _ => self.connector.connect().and_then(|connected| self.try_over(connected.connection, &read)),
        };
        read.map_err(|fault| AccountError::Unusable(unreadable(self.address, fault)))
    }

    fn try_over<T>(&mut self, mut connection: Connection, read: impl Fn(&mut Connection) -> Answer<T>) -> Answer<T> {
        let read = read(&mut connection)?;
        self.connection = Some(connection);
        Ok(read)
    }

    /// What is in the log is there to stay once so many replicas have it: nothing shows it before.
    fn wait_for_replicas(&mut self, wanted: u32) -> Result<(), AccountError> {
        if self.try_twice(|connection| has_replicas(connection, "account", Position::default(), wanted))? {
            return Ok(());
        }
        let address = self.address;
        Err(AccountError::NotDone(format!(
            "The cluster's log at {address} has it, but fewer than {wanted} replicas have so far: nodes go by it once they \
             do."
        )))
    }
}

/// Reads the version first: accounts that are newer than that are not taken for it.
fn read_known(connection: &mut Connection) -> Answer<Known> {
    let mut packed = Vec::new();
    let mut fields = cmd("HMGET");
    fields.arg(META).arg("format").arg("accounts_version").arg("history").write_packed_command(&mut packed);
    cmd("HGETALL").arg(ACCOUNTS).write_packed_command(&mut packed);
    connection.send_packed_command(&packed)?;
    let mut fields = list(connection.recv_response()?)?.into_iter();
    let flat: Vec<Vec<u8>> = list(connection.recv_response()?)?.into_iter().map(bytes).collect::<Answer<_>>()?;
    let mut field = || -> Answer<Option<String>> {
        let bytes = optional_bytes(fields.next().ok_or_else(Fault::unreadable)?)?;
        bytes.map(String::from_utf8).transpose().map_err(|_| Fault::unreadable())
    };
    let (format, version, history) = (field()?, field()?, field()?);
    check_format(format.as_deref())?;
    let accounts = flat.chunks(2).map(|pair| match pair {
        [number, value] => codec::read_account(number, value).map_err(unknown),
        _ => Err(Fault::unreadable()),
    });
    Ok(Known {
        accounts: accounts.collect::<Answer<_>>()?,
        version: read_version(&version.unwrap_or_default())?,
        history_events: history.and_then(|history| history.parse().ok()),
    })
}

/// Whether the log is one that this program knows. None is there before the first node.
pub(super) fn check_format(format: Option<&str>) -> Answer<()> {
    match format {
        Some(format) if format != codec::FORMAT.to_string() => Err(Fault::Denied(of_other_format(format))),
        _ => Ok(()),
    }
}

fn of_other_format(format: &str) -> String {
    format!("it is of format {format}, which this version does not know, so use the version that has written it")
}

/// The sentence for what cannot be read.
pub(super) fn unreadable(address: &ClusterAddress, fault: Fault) -> String {
    match fault {
        Fault::Denied(reason) => denied(address, &reason),
        fault => {
            format!("The cluster's log at {address} cannot be read: {fault}; see that Redis is well, and try again.")
        }
    }
}

fn denied(address: &ClusterAddress, reason: &str) -> String {
    format!("The cluster's log at {address} cannot be used: {reason}.")
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
