//! What nodes tell each other, as tokens: `typing EPOCH AUTHOR` or `attempt WHAT ADDRESS`, for a password with
//! `account=NUMBER` if there is such an account.

use super::tokens::{Tokens, read_number, write_number, write_number_field};
use super::{CodecFault, damaged, text_of};
use crate::rooms::{AccountId, Address, Attempt, AuthorId, Epoch, Notice};

/// Appends what nodes tell each other, in one line.
pub fn write_notice(notice: &Notice, out: &mut Vec<u8>) {
    match notice {
        Notice::Typing { epoch, author } => {
            out.extend_from_slice(format!("typing {epoch} ").as_bytes());
            write_number(author.0.into(), out);
        }
        Notice::Attempt { what, address } => {
            let (word, account) = match what {
                Attempt::UnknownCode => ("unknown-code", None),
                Attempt::UnfamiliarCode => ("unfamiliar-code", None),
                Attempt::Creation => ("creation", None),
                Attempt::Share => ("share", None),
                Attempt::Registration => ("registration", None),
                Attempt::Password { account } => ("password", *account),
            };
            out.extend_from_slice(format!("attempt {word} ").as_bytes());
            write_number(address.to_bits(), out);
            if let Some(account) = account {
                write_number_field("account", account.0, out);
            }
        }
    }
}

/// Reads what [`write_notice`] gives. `None`: a later version of the program tells what this one does not know.
///
/// # Errors
/// It is not as this program writes it.
pub fn read_notice(text: &[u8]) -> Result<Option<Notice>, CodecFault> {
    let mut tokens = Tokens::of(text_of(text)?);
    match tokens.next() {
        Some("typing") => {
            let epoch = tokens.next().and_then(Epoch::parse).ok_or(damaged("a room's epoch"))?;
            let author = tokens.number().map(AuthorId).ok_or(damaged("an author"))?;
            Ok(Some(Notice::Typing { epoch, author }))
        }
        Some("attempt") => {
            let what = tokens.next().ok_or(damaged("an attempt"))?;
            let address = tokens.number().map(Address::from_bits).ok_or(damaged("an address"))?;
            let what = match what {
                "unknown-code" => Attempt::UnknownCode,
                "unfamiliar-code" => Attempt::UnfamiliarCode,
                "creation" => Attempt::Creation,
                "share" => Attempt::Share,
                "registration" => Attempt::Registration,
                "password" => {
                    let account = tokens.fields().find(|(key, _)| *key == "account");
                    let read = |(_, number)| read_number(number).ok_or(damaged("an account's number"));
                    Attempt::Password { account: account.map(read).transpose()?.map(AccountId) }
                }
                _ => return Ok(None),
            };
            Ok(Some(Notice::Attempt { what, address }))
        }
        _ => Ok(None),
    }
}
