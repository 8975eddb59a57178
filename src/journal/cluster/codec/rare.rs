//! The changes that are not said or done by members all the time, as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::event::{read_event, write_event};
use super::hex::Hex;
use super::room::WrittenBan;
use super::{CodecFault, damaged, read_name, write_json};
use crate::rooms::{
    AccountAction, AccountChange, AccountId, AccountRequestId, Address, AuthorId, Change, Epoch, Event, KeyHash,
    Measure, Newcomer, PasswordHash, TokenHash, Via,
};

/// A change as it is written. An event in it is a text of [tokens](super::event).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenChange<'c> {
    Open {
        time_ms: u64,
    },
    Place {
        time_ms: u64,
        #[serde(borrow)]
        newcomer: WrittenNewcomer<'c>,
        #[serde(default, skip_serializing_if = "is_false")]
        opens: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        returns: bool,
    },
    Enter {
        #[serde(borrow)]
        event: Cow<'c, str>,
        #[serde(default, skip_serializing_if = "is_false")]
        opens: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Hex<32>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<u64>,
        #[serde(default, skip_serializing_if = "is_false")]
        returns: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        operator: bool,
    },
    Moderate {
        #[serde(borrow)]
        event: Cow<'c, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<u32>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        ban: Option<WrittenBan<'c>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Hex<32>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admin: Option<u64>,
    },
    Reconnect {
        author: u32,
        #[serde(borrow)]
        via: Cow<'c, str>,
    },
    Identify {
        author: u32,
        account: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Hex<32>>,
    },
    CompleteBan {
        #[serde(borrow)]
        name: Cow<'c, str>,
        address: u64,
    },
    Vacate {
        author: u32,
        time_ms: u64,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        event: Option<Cow<'c, str>>,
        #[serde(default, skip_serializing_if = "is_false")]
        may_return: bool,
    },
    End {},
    Account {
        account: u64,
        #[serde(borrow)]
        action: WrittenAction<'c>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bearers: Vec<(Cow<'c, str>, u32)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<i64>,
    },
    Nothing {},
}

#[derive(Serialize, Deserialize)]
struct WrittenNewcomer<'c> {
    author: u32,
    token: Hex<32>,
    #[serde(borrow)]
    name: Cow<'c, str>,
    #[serde(borrow)]
    via: Cow<'c, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    operator: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenAction<'c> {
    Add {
        #[serde(borrow)]
        name: Cow<'c, str>,
    },
    SetPassword {},
    Remove {},
    Nothing {},
}

/// Appends a change, in one line. Returns whether it is one of these.
pub(super) fn write_rare(change: &Change, out: &mut Vec<u8>) -> bool {
    let written = match change {
        Change::Publish { .. } | Change::PublishOfGuest { .. } => return false,
        Change::Open { time_ms } => WrittenChange::Open { time_ms: *time_ms },
        Change::Place { opens, newcomer, returns, time_ms } => {
            let Newcomer { author, token, name, via, account, becomes_operator } = newcomer;
            let newcomer = WrittenNewcomer {
                author: author.0,
                token: Hex(*token.as_bytes()),
                name: name.as_str().into(),
                via: via.as_str().into(),
                account: account.map(|account| account.0),
                operator: *becomes_operator,
            };
            WrittenChange::Place { time_ms: *time_ms, newcomer, opens: *opens, returns: *returns }
        }
        Change::Enter { opens, takes_place, account, returns, becomes_operator, event } => WrittenChange::Enter {
            event: event_text(event).into(),
            opens: *opens,
            token: takes_place.map(|token| Hex(*token.as_bytes())),
            account: account.map(|account| account.0),
            returns: *returns,
            operator: *becomes_operator,
        },
        Change::Moderate(measure) => {
            let Measure { event, target, ban, key, as_admin } = &**measure;
            WrittenChange::Moderate {
                event: event_text(event).into(),
                target: target.map(|target| target.0),
                ban: ban.as_ref().map(WrittenBan::of),
                key: key.map(|key| Hex(*key.as_bytes())),
                admin: as_admin.map(|account| account.0),
            }
        }
        Change::Reconnect { author, via } => WrittenChange::Reconnect { author: author.0, via: via.as_str().into() },
        Change::Identify { author, account, token } => WrittenChange::Identify {
            author: author.0,
            account: account.0,
            token: token.map(|token| Hex(*token.as_bytes())),
        },
        Change::CompleteBan { name, address } => {
            WrittenChange::CompleteBan { name: name.as_str().into(), address: address.to_bits() }
        }
        Change::Vacate { author, event, may_return, time_ms } => WrittenChange::Vacate {
            author: author.0,
            time_ms: *time_ms,
            event: event.as_ref().map(|event| event_text(event).into()),
            may_return: *may_return,
        },
        Change::End => WrittenChange::End {},
        Change::Account(change) => {
            let AccountChange { account, action, bearers, request } = &**change;
            WrittenChange::Account {
                account: account.0,
                action: WrittenAction::of(action),
                bearers: bearers.iter().map(|(epoch, author)| (epoch.to_string().into(), author.0)).collect(),
                request: request.map(|request| request.0),
            }
        }
        Change::Nothing => WrittenChange::Nothing {},
    };
    write_json(&written, out);
    true
}

/// Appends the second and the third line of a change of an account: what its password hashes to, where it can be emptied.
pub(super) fn write_lines_of_account(change: &AccountChange, out: &mut Vec<u8>) {
    let hash = match &change.action {
        AccountAction::Add { hash, .. } => hash.as_ref(),
        AccountAction::SetPassword(hash) => Some(hash),
        AccountAction::Remove | AccountAction::Nothing => None,
    };
    out.push(b'\n');
    out.extend_from_slice(hash.map_or("", PasswordHash::as_str).as_bytes());
    out.push(b'\n');
}

/// Reads what [`write_rare`] gives. `id`, `text`, `file`: of its event, if it has one.
pub(super) fn read_rare(head: &str, id: u64, text: &str, file: &str) -> Result<Change, CodecFault> {
    let written: WrittenChange<'_> = serde_json::from_str(head).map_err(|_| damaged("a change"))?;
    let read_event = |head: &str| read_event(head, id, text, file).map(|read| read.event);
    let token_hash = |hash: Hex<32>| TokenHash::from_bytes(hash.0);
    Ok(match written {
        WrittenChange::Open { time_ms } => Change::Open { time_ms },
        WrittenChange::Place { time_ms, newcomer, opens, returns } => {
            Change::Place { opens, newcomer: newcomer.read()?, returns, time_ms }
        }
        WrittenChange::Enter { event, opens, token, account, returns, operator } => Change::Enter {
            opens,
            takes_place: token.map(token_hash),
            account: account.map(AccountId),
            returns,
            becomes_operator: operator,
            event: read_event(&event)?,
        },
        WrittenChange::Moderate { event, target, ban, key, admin } => Change::Moderate(Box::new(Measure {
            event: read_event(&event)?,
            target: target.map(AuthorId),
            ban: ban.map(WrittenBan::read).transpose()?,
            key: key.map(|key| KeyHash::from_bytes(key.0)),
            as_admin: admin.map(AccountId),
        })),
        WrittenChange::Reconnect { author, via } => {
            Change::Reconnect { author: AuthorId(author), via: read_via(&via)? }
        }
        WrittenChange::Identify { author, account, token } => {
            Change::Identify { author: AuthorId(author), account: AccountId(account), token: token.map(token_hash) }
        }
        WrittenChange::CompleteBan { name, address } => {
            Change::CompleteBan { name: read_name(&name)?, address: Address::from_bits(address) }
        }
        WrittenChange::Vacate { author, time_ms, event, may_return } => Change::Vacate {
            author: AuthorId(author),
            event: event.as_deref().map(read_event).transpose()?,
            may_return,
            time_ms,
        },
        WrittenChange::End {} => Change::End,
        WrittenChange::Account { account, action, bearers, request } => {
            let bearer = |(epoch, author): (Cow<'_, str>, u32)| Some((Epoch::parse(&epoch)?, AuthorId(author)));
            let bearers = bearers.into_iter().map(bearer).collect::<Option<Vec<_>>>();
            Change::Account(Box::new(AccountChange {
                account: AccountId(account),
                action: action.read(text)?,
                bearers: bearers.ok_or(damaged("a room's epoch"))?,
                request: request.map(AccountRequestId),
            }))
        }
        WrittenChange::Nothing {} => Change::Nothing,
    })
}

fn event_text(event: &Event) -> String {
    let mut text = Vec::new();
    write_event(event, &mut text);
    String::from_utf8(text).expect("tokens of texts are text")
}

pub(super) fn read_via(via: &str) -> Result<Via, CodecFault> {
    Via::parse(via).ok_or(damaged("how somebody is connected"))
}

impl WrittenNewcomer<'_> {
    fn read(self) -> Result<Newcomer, CodecFault> {
        let WrittenNewcomer { author, token, name, via, account, operator } = self;
        Ok(Newcomer {
            author: AuthorId(author),
            token: TokenHash::from_bytes(token.0),
            name: read_name(&name)?,
            via: read_via(&via)?,
            account: account.map(AccountId),
            becomes_operator: operator,
        })
    }
}

impl WrittenAction<'_> {
    fn of(action: &AccountAction) -> WrittenAction<'_> {
        match action {
            AccountAction::Add { name, .. } => WrittenAction::Add { name: name.as_str().into() },
            AccountAction::SetPassword(_) => WrittenAction::SetPassword {},
            AccountAction::Remove => WrittenAction::Remove {},
            AccountAction::Nothing => WrittenAction::Nothing {},
        }
    }

    /// `hash`: what the password hashes to; empty, if there is none or it was emptied.
    fn read(self, hash: &str) -> Result<AccountAction, CodecFault> {
        Ok(match self {
            WrittenAction::Add { name } => {
                let hash = Some(hash).filter(|hash| !hash.is_empty()).map(PasswordHash::new);
                AccountAction::Add { name: read_name(&name)?, hash }
            }
            WrittenAction::SetPassword {} => AccountAction::SetPassword(PasswordHash::new(hash)),
            WrittenAction::Remove {} => AccountAction::Remove,
            WrittenAction::Nothing {} => AccountAction::Nothing,
        })
    }
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}
