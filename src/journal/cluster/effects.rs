//! What a change does to the log beside being in it: all that whoever keeps the log has to know of it.

use crate::rooms::{AccountId, Body, Change};

/// What a change does to the log beside being in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effects {
    /// The room begins with it: its code is claimed.
    pub opens: bool,
    /// The room is over.
    pub ends: bool,
    /// Others may have become impossible by it: it makes a new version, and is kept until the next snapshot.
    pub is_versioned: bool,
    /// It is possible or not by what the accounts are.
    pub depends_on_accounts: bool,
    /// Somebody bears this account's name in the room from here on: what happens to the account later changes the room as
    /// well, and is kept with the room's changes until its next snapshot.
    pub bears: Option<AccountId>,
    /// It has an event, which is numbered and kept.
    pub has_event: bool,
    /// It is about an event that has to be there.
    pub amends: Option<u64>,
    /// What was said by this event, and by those that amend it, is to be gone.
    pub erases: Option<Erasure>,
    /// It is about an account.
    pub is_of_account: bool,
}

/// What is to be gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Erasure {
    /// Of which event.
    pub of: u64,
    /// Its file as well: it is deleted, and not corrected.
    pub with_file: bool,
}

impl Effects {
    /// What this change does.
    pub fn of(change: &Change) -> Effects {
        let event = change.event();
        let body = event.map(|event| &event.body);
        let erases = match body {
            Some(Body::Edit { of, .. }) => Some(Erasure { of: *of, with_file: false }),
            Some(Body::Delete { of, .. }) => Some(Erasure { of: *of, with_file: true }),
            _ => None,
        };
        Effects {
            opens: change.opens(),
            ends: matches!(change, Change::End),
            is_versioned: is_versioned(change),
            depends_on_accounts: depends_on_accounts(change),
            bears: borne_by(change),
            has_event: event.is_some(),
            amends: body.and_then(Body::amends),
            erases,
            is_of_account: matches!(change, Change::Account(_)),
        }
    }
}

/// Whether others may have become impossible by it. Whatever is merely said or felt leaves a room as it is, but for a
/// file, which a room knows while it is there.
fn is_versioned(change: &Change) -> bool {
    match change {
        Change::Publish { event } => match event.body {
            Body::Message { .. } => event.body.file().is_some(),
            Body::Edit { .. } | Body::Reaction { .. } => false,
            _ => true,
        },
        Change::Nothing => false,
        _ => true,
    }
}

/// Who comes back by a secret may not be good for its name any more.
fn depends_on_accounts(change: &Change) -> bool {
    match change {
        Change::Place { .. } | Change::PublishOfGuest { .. } | Change::Identify { .. } | Change::Account(_) => true,
        Change::Enter { .. } | Change::Reconnect { .. } => true,
        Change::Publish { event } => matches!(event.body, Body::Nick { .. }),
        Change::Moderate(measure) => measure.as_admin.is_some(),
        Change::Open { .. } | Change::Vacate { .. } | Change::CompleteBan { .. } | Change::End | Change::Nothing => {
            false
        }
    }
}

fn borne_by(change: &Change) -> Option<AccountId> {
    match change {
        Change::Place { newcomer, .. } => newcomer.account,
        Change::Enter { account, .. } => *account,
        Change::Identify { account, .. } => Some(*account),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{AccountId, AuthorId, Event, Kind, Measure, Name, Newcomer, Text, TokenHash, Via};

    fn event(body: Body) -> Event {
        let name = Name::parse("ana").expect("a name");
        Event { id: 0, time_ms: 1, name, via: Via::Web, author: AuthorId(1), body }
    }

    fn effects_of_body(body: Body) -> Effects {
        Effects::of(&Change::Publish { event: event(body) })
    }

    fn message() -> Body {
        Body::Message {
            kind: Kind::Say,
            text: Text::clean("hello", 100).expect("a text"),
            cid: None,
            annotations: None,
        }
    }

    fn enter(takes_place: Option<TokenHash>, opens: bool) -> Change {
        let (account, returns, becomes_operator) = (None, false, false);
        Change::Enter { opens, takes_place, account, returns, becomes_operator, event: event(Body::Enter) }
    }

    #[test]
    fn what_is_merely_said_makes_no_version() {
        let said = [message(), Body::Edit { of: 1, text: None, cid: None }];
        assert!(said.into_iter().all(|body| !effects_of_body(body).is_versioned));
        let to = Name::parse("ben").expect("a name");
        let nick = effects_of_body(Body::Nick { to });
        assert!(nick.is_versioned && nick.depends_on_accounts);
        assert!(effects_of_body(Body::Delete { of: 1, of_whom: None }).is_versioned);
        assert!(Effects::of(&Change::End).is_versioned && Effects::of(&Change::End).ends);
        assert!(!Effects::of(&Change::Nothing).is_versioned);
    }

    #[test]
    fn an_edit_leaves_the_file_and_a_deletion_does_not() {
        let edit = effects_of_body(Body::Edit { of: 7, text: None, cid: None });
        assert_eq!((edit.amends, edit.erases), (Some(7), Some(Erasure { of: 7, with_file: false })));
        let delete = event(Body::Delete { of: 8, of_whom: None });
        let measure = Measure { event: delete, target: None, ban: None, key: None, as_admin: Some(AccountId(1)) };
        let delete = Effects::of(&Change::Moderate(Box::new(measure)));
        assert_eq!((delete.amends, delete.erases), (Some(8), Some(Erasure { of: 8, with_file: true })));
        assert!(delete.depends_on_accounts, "of one who is an operator by its account");
        assert_eq!(effects_of_body(message()).erases, None);
    }

    #[test]
    fn who_takes_a_place_may_bear_its_name() {
        let token = TokenHash::from_bytes([1; 32]);
        let (author, name, via) = (AuthorId(1), Name::parse("ana").expect("a name"), Via::Web);
        let newcomer = Newcomer { author, token, name, via, account: None, becomes_operator: false };
        let newcomer = Newcomer { account: Some(AccountId(7)), ..newcomer };
        let place = Effects::of(&Change::Place { opens: true, newcomer, returns: false, time_ms: 1 });
        assert!(place.opens && place.depends_on_accounts && !place.has_event);
        assert_eq!(place.bears, Some(AccountId(7)));
        let [comes, is_there] = [Some(token), None].map(|token| Effects::of(&enter(token, false)));
        assert!(comes.depends_on_accounts && comes.has_event && !comes.opens);
        assert!(is_there.depends_on_accounts && is_there.is_versioned && is_there.bears.is_none());
    }
}
