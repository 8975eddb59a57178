//! Accounts, each a field of a hash and its value; and what a change of one makes of that.

use super::{CodecFault, damaged, read_name, text_of, tokens};
use crate::rooms::{AccountAction, AccountChange, AccountId, Name, PasswordHash, StoredAccount};

/// An account as a field of a hash and its value: its number, and two lines, its name and what its password hashes to.
pub fn write_account(account: &StoredAccount) -> (String, String) {
    let StoredAccount { account, name, hash } = account;
    (account.0.to_string(), value(name, hash.as_ref()))
}

fn value(name: &Name, hash: Option<&PasswordHash>) -> String {
    format!("{name}\n{}", hash.map_or("", PasswordHash::as_str))
}

/// Reads what [`write_account`] gives. Lines behind the second are ignored.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_account(field: &[u8], value: &[u8]) -> Result<StoredAccount, CodecFault> {
    let account = tokens::read_number(text_of(field)?).map(AccountId).ok_or(damaged("an account's number"))?;
    let mut lines = text_of(value)?.split('\n');
    let name = read_name(lines.next().unwrap_or_default())?;
    let hash = lines.next().filter(|hash| !hash.is_empty()).map(PasswordHash::new);
    Ok(StoredAccount { account, name, hash })
}

/// What a change makes of an account's value. An empty first line stays what it was; nothing: there is no such account any
/// more. `None`: nothing changes.
pub(super) fn changed_value(change: &AccountChange) -> Option<String> {
    match &change.action {
        AccountAction::Add { name, hash } => Some(value(name, hash.as_ref())),
        AccountAction::SetPassword(hash) => Some(format!("\n{}", hash.as_str())),
        AccountAction::Remove => Some(String::new()),
        AccountAction::Nothing => None,
    }
}
