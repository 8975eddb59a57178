//! Names that are claimed on this server: whose they are, and who has shown that they are theirs.
//!
//! What a password hashes to is carried through here and never looked into.

use std::fmt;

use hashbrown::HashMap;
use rand::{Rng, RngExt};

use super::{AuthorId, ConnectionId, Epoch, Name, NameKeys};

/// An account's number: random, and never another one's, so that nothing that was proven of an account that is gone
/// holds for a later one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AccountId(pub u64);

impl AccountId {
    /// Draws a new number. It fits into a signed one.
    pub fn random(random: &mut impl Rng) -> AccountId {
        AccountId(random.random::<u64>() >> 1)
    }
}

/// What is remembered of a password: a string in the format of the Password Hashing Competition. Its `Debug` form hides
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// What somebody has made of a password, or stored.
    pub fn new(hash: &str) -> PasswordHash {
        PasswordHash(hash.into())
    }

    /// To be stored, and to be compared with a password.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// Names something that `snugd account` has asked of a server that runs: its row in the data file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountRequestId(pub i64);

/// What is to become of an account. Like a room's changes it is ordered and made durable before anybody sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct AccountChange {
    /// Which account.
    pub account: AccountId,
    /// What happens.
    pub action: AccountAction,
    /// The members, each by its room's epoch and its number, that bear the account's name by right from here on. Those
    /// of all others whose secrets were good for it are so no more.
    pub bearers: Vec<(Epoch, AuthorId)>,
    /// What was asked for by this is done.
    pub request: Option<AccountRequestId>,
}

/// What happens to an account.
#[derive(Clone, PartialEq, Debug)]
pub enum AccountAction {
    /// A name is claimed.
    Add {
        /// The name.
        name: Name,
        /// What its password hashes to; `None`: nobody can come by a password, only by a proxy that vouches for it.
        hash: Option<PasswordHash>,
    },
    /// Another password holds from here on.
    SetPassword(PasswordHash),
    /// The name is anybody's again.
    Remove,
    /// Nothing: what was asked for cannot be done.
    Nothing,
}

/// An account as a journal remembers it from an earlier run.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredAccount {
    /// Its number.
    pub account: AccountId,
    /// The name.
    pub name: Name,
    /// What its password hashes to, if it has one.
    pub hash: Option<PasswordHash>,
}

struct Account {
    name: Name,
    hash: Option<PasswordHash>,
}

/// Which names are whose.
#[derive(Default)]
pub(super) struct Accounts {
    accounts: HashMap<AccountId, Account>,
    /// Accounts by the keys of their names.
    claims: HashMap<Box<str>, AccountId>,
    /// Claims that are with the journal. They are few.
    proposed: Vec<(AccountId, NameKeys)>,
    /// Accounts of which it is with the journal that what was shown of them before holds no more.
    ending: Vec<AccountId>,
    /// This node's own: who is on the other side of a connection, as far as that was shown.
    proofs: HashMap<ConnectionId, AccountId>,
}

impl Accounts {
    /// Whether no name is claimed, or about to be.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.proposed.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.accounts.len()
    }

    /// Whose a name is, or is about to be; one that looks like two accounts' names has two owners.
    pub fn owners(&self, keys: &NameKeys) -> impl Iterator<Item = AccountId> {
        let is_proposed = |key: &str| self.proposed.iter().find(|(_, keys)| keys.iter().any(|other| other == key));
        keys.iter().filter_map(move |key| {
            self.claims.get(key).copied().or_else(|| is_proposed(key).map(|(account, _)| *account))
        })
    }

    /// Whose a name is.
    pub fn owner(&self, keys: &NameKeys) -> Option<AccountId> {
        keys.iter().find_map(|key| self.claims.get(key).copied())
    }

    pub fn name(&self, account: AccountId) -> Option<&Name> {
        self.accounts.get(&account).map(|account| &account.name)
    }

    pub fn hash(&self, account: AccountId) -> Option<&PasswordHash> {
        self.accounts.get(&account)?.hash.as_ref()
    }

    // ---- changes

    /// A change goes to the journal.
    pub fn note(&mut self, change: &AccountChange) {
        match &change.action {
            AccountAction::Add { name, .. } => self.proposed.push((change.account, name.keys())),
            AccountAction::SetPassword(_) | AccountAction::Remove => self.ending.push(change.account),
            AccountAction::Nothing => (),
        }
    }

    /// A change has come back: committed, refused or in vain.
    pub fn settle(&mut self, change: &AccountChange) {
        match &change.action {
            AccountAction::Add { .. } => self.proposed.retain(|(account, _)| *account != change.account),
            AccountAction::SetPassword(_) | AccountAction::Remove => {
                let place = self.ending.iter().position(|account| *account == change.account);
                place.map(|place| self.ending.remove(place));
            }
            AccountAction::Nothing => (),
        }
    }

    /// Whether nobody can show at this time that the account is its own.
    pub fn is_ending(&self, account: AccountId) -> bool {
        self.ending.contains(&account)
    }

    /// Whether there is such an account.
    pub fn has(&self, account: AccountId) -> bool {
        self.accounts.contains_key(&account)
    }

    /// Whether a change is possible, by what was committed before.
    pub fn allows(&self, change: &AccountChange) -> bool {
        match &change.action {
            AccountAction::Add { name, .. } => {
                self.owner(&name.keys()).is_none() && !self.accounts.contains_key(&change.account)
            }
            AccountAction::SetPassword(_) | AccountAction::Remove => self.accounts.contains_key(&change.account),
            AccountAction::Nothing => true,
        }
    }

    /// Makes a change that is [possible](Self::allows). `by`: the connection that has asked for it, which stays proven.
    pub fn apply(&mut self, change: &AccountChange, by: Option<ConnectionId>) {
        let account = change.account;
        match &change.action {
            AccountAction::Add { name, hash } => {
                self.add(StoredAccount { account, name: name.clone(), hash: hash.clone() });
                self.proofs.extend(by.map(|connection| (connection, account)));
            }
            AccountAction::SetPassword(hash) => {
                if let Some(known) = self.accounts.get_mut(&account) {
                    known.hash = Some(hash.clone());
                }
                self.proofs.retain(|connection, proven| *proven != account || by == Some(*connection));
            }
            AccountAction::Remove => {
                self.accounts.remove(&account);
                self.claims.retain(|_, owner| *owner != account);
                self.proofs.retain(|_, proven| *proven != account);
            }
            AccountAction::Nothing => (),
        }
    }

    /// Adds one that was committed.
    pub fn add(&mut self, stored: StoredAccount) {
        let StoredAccount { account, name, hash } = stored;
        for key in name.keys().iter() {
            self.claims.insert(key.into(), account);
        }
        self.accounts.insert(account, Account { name, hash });
    }

    // ---- who has shown what

    /// Whose name this connection has shown to be its own.
    pub fn proof(&self, connection: ConnectionId) -> Option<AccountId> {
        self.proofs.get(&connection).copied()
    }

    pub fn note_proof(&mut self, connection: ConnectionId, account: AccountId) {
        self.proofs.insert(connection, account);
    }

    pub fn forget_proof(&mut self, connection: ConnectionId) {
        if !self.proofs.is_empty() {
            self.proofs.remove(&connection);
        }
    }

    /// Appends all that nodes agree on, as text.
    pub fn write_to(&self, out: &mut String) {
        use std::fmt::Write as _;
        let mut accounts: Vec<_> = self.accounts.iter().collect();
        accounts.sort_by_key(|(account, _)| **account);
        for (account, Account { name, hash }) in accounts {
            let hash = hash.as_ref().map(PasswordHash::as_str);
            writeln!(out, "account {:x} {:?} {hash:?}", account.0, name.as_str()).expect("a String takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(typed: &str) -> Name {
        Name::parse(typed).expect("a name")
    }

    fn change(account: u64, action: AccountAction) -> AccountChange {
        AccountChange { account: AccountId(account), action, bearers: Vec::new(), request: None }
    }

    fn add(account: u64, typed: &str) -> AccountChange {
        change(account, AccountAction::Add { name: name(typed), hash: Some(PasswordHash::new("hash")) })
    }

    #[test]
    fn a_name_has_one_owner_however_it_is_written() {
        let mut accounts = Accounts::default();
        assert!(accounts.is_empty());
        accounts.apply(&add(1, "Ana"), None);
        for typed in ["Ana", "ana", "ANA", "аna"] {
            assert_eq!(accounts.owner(&name(typed).keys()), Some(AccountId(1)), "{typed}");
            assert!(!accounts.allows(&add(2, typed)), "{typed}");
        }
        assert!(accounts.allows(&add(2, "ben")) && !accounts.allows(&add(1, "ben")));
        accounts.apply(&change(1, AccountAction::Remove), None);
        assert!(accounts.is_empty() && accounts.allows(&add(2, "ana")));
    }

    #[test]
    fn what_is_proposed_is_claimed_for_others_until_it_has_come_to_nothing() {
        let mut accounts = Accounts::default();
        accounts.note(&add(1, "ana"));
        assert_eq!(accounts.owners(&name("Ana").keys()).next(), Some(AccountId(1)));
        assert_eq!(accounts.owner(&name("ana").keys()), None);
        accounts.settle(&add(1, "ana"));
        assert_eq!(accounts.owners(&name("Ana").keys()).next(), None);
    }

    #[test]
    fn another_password_ends_what_others_have_shown() {
        let mut accounts = Accounts::default();
        accounts.apply(&add(1, "ana"), Some(ConnectionId(7)));
        accounts.note_proof(ConnectionId(8), AccountId(1));
        accounts.note_proof(ConnectionId(9), AccountId(2));
        accounts.apply(&change(1, AccountAction::SetPassword(PasswordHash::new("other"))), Some(ConnectionId(7)));
        let proven = [7, 8, 9].map(|connection| accounts.proof(ConnectionId(connection)));
        assert_eq!(proven, [Some(AccountId(1)), None, Some(AccountId(2))]);
        assert_eq!(accounts.hash(AccountId(1)).map(PasswordHash::as_str), Some("other"));
        accounts.apply(&change(1, AccountAction::Remove), Some(ConnectionId(7)));
        assert_eq!(accounts.proof(ConnectionId(7)), None);
    }

    #[test]
    fn hashes_keep_out_of_logs() {
        let shown = format!("{:?}", add(1, "ana"));
        assert!(shown.contains("PasswordHash(…)") && !shown.contains("\"hash\""), "{shown}");
    }
}
