//! What this node has proposed of a room and not seen committed yet.
//!
//! Commands are checked against the committed state and this: a name that is about to be taken is taken, a member that
//! is about to go is gone. Nothing here is seen by anybody else.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::change::{Change, Measure, Newcomer};
use super::command::Command;
use super::roster::{Known, Roster};
use super::{
    AccountId, AuthorId, Ban, Body, ConnectionId, Event, MessageKey, ModeChange, Name, NameKeys, Reactions, TokenHash,
    Via,
};

/// The changes of one room that are with the journal.
#[derive(Default)]
pub(super) struct Proposed {
    /// Numbers of all of them.
    serials: VecDeque<u32>,
    last_serial: u32,
    /// Messages with a client id, in this order. They are few, and looked through one by one.
    keys: VecDeque<(AuthorId, MessageKey)>,
    /// Deletions and reactions, in this order.
    amendments: VecDeque<Event>,
    /// Messages that went to the journal.
    submitted_messages: u32,
    /// Those of them that came back.
    settled_messages: u32,
    /// Commands that wait for so many messages to come back.
    held: VecDeque<(u32, ConnectionId, Command)>,
    /// Who is about to bear an account's name by right, in this order.
    accounts: VecDeque<(AuthorId, AccountId)>,
    members: HashMap<AuthorId, ProposedMember>,
    /// Names that are about to be taken, by their keys.
    names: HashMap<Box<str>, AuthorId>,
    /// Secrets of those who are about to have a place.
    tokens: HashMap<TokenHash, AuthorId>,
    /// Places that are about to be taken, less those that are about to be free.
    added_places: isize,
    last_author: AuthorId,
    /// Newcomers that are to be operators with their places.
    founders: u32,
    /// What operators have done. It counts against those whom it concerns at once, and for them when it is committed: so
    /// nothing is proposed that relies on what may still be refused.
    measures: Vec<PendingMeasure>,
    /// The room is about to end.
    pub is_ending: bool,
}

/// What a member will be, once all that is proposed is committed.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// It has a place.
    Placed { name: Name, via: Via, has_entered: bool },
    /// It has none; with `may_return`, its secret still tells who it was.
    Gone { name: Name, may_return: bool },
}

/// What is to come of an operator's command.
#[derive(Clone, PartialEq, Debug)]
enum PendingMeasure {
    Op,
    Deop(AuthorId),
    Mute(AuthorId),
    Kick(AuthorId),
    Ban(Ban),
    Lock,
}

fn pending_measures(measure: &Measure) -> impl Iterator<Item = PendingMeasure> {
    let target = measure.target;
    let kind = match &measure.event.body {
        Body::Mode { change: ModeChange::Op(_) } => Some(PendingMeasure::Op),
        Body::Mode { change: ModeChange::Deop(_) } => target.map(PendingMeasure::Deop),
        Body::Mode { change: ModeChange::Mute { .. } } => target.map(PendingMeasure::Mute),
        Body::Mode { change: ModeChange::Lock } => Some(PendingMeasure::Lock),
        Body::Kick { .. } => target.map(PendingMeasure::Kick),
        _ => None,
    };
    kind.into_iter().chain(measure.ban.clone().map(PendingMeasure::Ban))
}

struct ProposedMember {
    standing: Standing,
    /// Changes of this member that are not committed yet.
    changes: u32,
    /// The keys of names that it is about to take.
    names: Vec<Box<str>>,
    /// The secrets that it is about to have, one after the other.
    tokens: Vec<TokenHash>,
}

impl Proposed {
    /// A change goes to the journal. Returns its number among those of this room.
    pub fn note(&mut self, change: &Change, roster: &Roster) -> u32 {
        self.note_change(change, roster);
        self.last_serial = self.last_serial.wrapping_add(1);
        self.serials.push_back(self.last_serial);
        self.last_serial
    }

    fn note_change(&mut self, change: &Change, roster: &Roster) {
        if let Some((author, key)) = change.message_key() {
            self.keys.push_back((author, key.clone()));
        }
        self.accounts.extend(borne_by(change));
        self.amendments.extend(amendment(change).cloned());
        match change {
            Change::Place { newcomer, .. } => self.note_newcomer(newcomer, false),
            Change::Enter { takes_place: Some(_), .. } => {
                change.newcomer().iter().for_each(|newcomer| self.note_newcomer(newcomer, true));
            }
            Change::Enter { takes_place: None, event, .. } => {
                let standing = Standing::Placed { name: event.name.clone(), via: event.via, has_entered: true };
                self.stand(event.author, standing);
            }
            Change::Publish { event } => match &event.body {
                Body::Message { .. } => self.submitted_messages = self.submitted_messages.wrapping_add(1),
                Body::Nick { to } => {
                    let standing = Standing::Placed { name: to.clone(), via: event.via, has_entered: true };
                    self.stand(event.author, standing);
                    self.take_name(to, event.author);
                }
                _ => (),
            },
            Change::PublishOfGuest { event } => {
                self.submitted_messages = self.submitted_messages.wrapping_add(1);
                self.last_author = self.last_author.max(event.author);
            }
            Change::Moderate(measure) => {
                self.measures.extend(pending_measures(measure));
                if let Some(author) = measure.kicked() {
                    self.note_vacated(author, false, roster);
                }
            }
            Change::Reconnect { author, via } => {
                if let Some(Standing::Placed { name, has_entered, .. }) = self.standing(*author, roster) {
                    self.stand(*author, Standing::Placed { name, via: *via, has_entered });
                }
            }
            Change::Identify { author, token: Some(token), .. } => {
                if let Some(standing) = self.standing(*author, roster) {
                    self.stand(*author, standing);
                    self.take_token(token, *author);
                }
            }
            Change::Vacate { author, may_return, .. } => self.note_vacated(*author, *may_return, roster),
            Change::End => self.is_ending = true,
            Change::Open { .. }
            | Change::Identify { .. }
            | Change::CompleteBan { .. }
            | Change::Account(_)
            | Change::Nothing => (),
        }
    }

    /// A place was given, though the change that takes it has to wait.
    pub fn note_early_place(&mut self) {
        self.added_places -= 1;
    }

    /// A change that is with the journal is another one from here on: it was completed by what is committed meanwhile.
    pub fn revise(&mut self, former: &Change, completed: &Change) {
        let borne = borne_by(completed);
        if let Some(former_borne) = borne_by(former).filter(|former| borne != Some(*former))
            && let Some(place) = self.accounts.iter().position(|other| *other == former_borne)
        {
            match borne {
                Some(borne) => self.accounts[place] = borne,
                None => drop(self.accounts.remove(place)),
            }
        }
        if founds(former) && !founds(completed) {
            self.founders -= 1;
        }
        if let (Some(former), Some(completed)) = (former.event(), completed.event())
            && former.name != completed.name
            && let Some(member) = self.members.get_mut(&completed.author)
            && let Standing::Placed { name, .. } | Standing::Gone { name, .. } = &mut member.standing
            && *name == former.name
        {
            name.clone_from(&completed.name);
        }
    }

    /// A change has come back, mostly in the order in which they went: committed, refused or in vain.
    /// With `is_placed`, its place was given [early](Self::note_early_place).
    pub fn settle(&mut self, change: &Change, is_placed: bool, serial: u32) {
        settle_first(&mut self.serials, |other| *other == serial);
        if let Some((author, key)) = change.message_key() {
            settle_first(&mut self.keys, |(other, other_key)| *other == author && other_key == key);
        }
        if let Some(borne) = borne_by(change) {
            settle_first(&mut self.accounts, |other| *other == borne);
        }
        if let Some(event) = amendment(change) {
            settle_first(&mut self.amendments, |other| other.author == event.author && other.body == event.body);
        }
        match change {
            Change::Place { newcomer, .. } => {
                self.added_places -= isize::from(!is_placed);
                self.founders -= u32::from(newcomer.becomes_operator);
                self.settle_author(newcomer.author);
            }
            Change::Enter { takes_place, becomes_operator, event, .. } => {
                self.founders -= u32::from(*becomes_operator);
                self.added_places -= isize::from(takes_place.is_some() && !is_placed);
                self.settle_author(event.author);
            }
            Change::Publish { event } => match &event.body {
                Body::Message { .. } => self.settled_messages = self.settled_messages.wrapping_add(1),
                Body::Nick { .. } => self.settle_author(event.author),
                _ => (),
            },
            Change::PublishOfGuest { .. } => self.settled_messages = self.settled_messages.wrapping_add(1),
            Change::Reconnect { author, .. } => self.settle_author(*author),
            Change::Identify { author, token: Some(_), .. } => self.settle_author(*author),
            Change::Vacate { author, .. } => {
                self.added_places += 1;
                self.settle_author(*author);
            }
            Change::Moderate(measure) => {
                for pending in pending_measures(measure) {
                    if let Some(place) = self.measures.iter().position(|other| *other == pending) {
                        self.measures.remove(place);
                    }
                }
                if let Some(author) = measure.kicked() {
                    self.added_places += 1;
                    self.settle_author(author);
                }
            }
            Change::End => self.is_ending = false,
            Change::Open { .. }
            | Change::Identify { .. }
            | Change::CompleteBan { .. }
            | Change::Account(_)
            | Change::Nothing => (),
        }
    }

    /// Has a command wait until all messages have come back that are with the journal.
    pub fn hold(&mut self, connection: ConnectionId, command: Command) {
        self.held.push_back((self.submitted_messages, connection, command));
    }

    /// The next command that need not wait any more; `is_over`: nor need any other.
    pub fn take_held(&mut self, is_over: bool) -> Option<(ConnectionId, Command)> {
        // They come back in their order, so the difference is small.
        let is_due = |until: u32| is_over || until.wrapping_sub(self.settled_messages).cast_signed() <= 0;
        self.held.front().filter(|(until, ..)| is_due(*until))?;
        self.held.pop_front().map(|(_, connection, command)| (connection, command))
    }

    /// A place is not given after all. Whoever was to have it has none, or is about to give up the one it has: only then
    /// was another proposed.
    pub fn note_refused_place(&mut self, author: AuthorId) {
        if let Some(member) = self.members.get_mut(&author)
            && let Standing::Placed { name, .. } = &member.standing
        {
            member.standing = Standing::Gone { name: name.clone(), may_return: true };
        }
    }

    fn note_vacated(&mut self, author: AuthorId, may_return: bool, roster: &Roster) {
        if let Some(Standing::Placed { name, .. }) = self.standing(author, roster) {
            self.added_places -= 1;
            self.stand(author, Standing::Gone { name, may_return });
        }
    }

    fn note_newcomer(&mut self, newcomer: &Newcomer, has_entered: bool) {
        let Newcomer { author, token, name, via, becomes_operator, .. } = newcomer;
        self.founders += u32::from(*becomes_operator);
        self.added_places += 1;
        self.last_author = self.last_author.max(*author);
        self.stand(*author, Standing::Placed { name: name.clone(), via: *via, has_entered });
        self.take_name(name, *author);
        self.take_token(token, *author);
    }

    fn take_token(&mut self, token: &TokenHash, author: AuthorId) {
        self.tokens.insert(*token, author);
        if let Some(member) = self.members.get_mut(&author) {
            member.tokens.push(*token);
        }
    }

    fn take_name(&mut self, name: &Name, author: AuthorId) {
        let Some(member) = self.members.get_mut(&author) else { return };
        for key in name.keys().iter() {
            self.names.insert(key.into(), author);
            member.names.push(key.into());
        }
    }

    fn stand(&mut self, author: AuthorId, standing: Standing) {
        let new = || ProposedMember { standing: standing.clone(), changes: 0, names: Vec::new(), tokens: Vec::new() };
        let member = self.members.entry(author).or_insert_with(new);
        member.changes += 1;
        member.standing = standing;
    }

    fn settle_author(&mut self, author: AuthorId) {
        let Some(member) = self.members.get_mut(&author) else { return };
        member.changes -= 1;
        if member.changes > 0 {
            return;
        }
        let Some(member) = self.members.remove(&author) else { return };
        for key in member.names {
            if self.names.get(&key) == Some(&author) {
                self.names.remove(&key);
            }
        }
        for token in member.tokens {
            if self.tokens.get(&token) == Some(&author) {
                self.tokens.remove(&token);
            }
        }
    }

    // ---- the room as it will be

    /// What this author will be; `None`: it never had a place, or is gone already.
    pub fn standing(&self, author: AuthorId, roster: &Roster) -> Option<Standing> {
        if let Some(member) = self.members.get(&author) {
            return Some(member.standing.clone());
        }
        let member = roster.member(author)?;
        Some(Standing::Placed { name: member.name.clone(), via: member.via, has_entered: member.has_entered })
    }

    /// Whose name this author is about to bear by right, if a change says so that is not committed.
    pub fn account_of(&self, author: AuthorId) -> Option<AccountId> {
        self.accounts.iter().rev().find(|(bearer, _)| *bearer == author).map(|(_, account)| *account)
    }

    /// Whether anything is proposed that changes who is there.
    pub fn changes_members(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether nothing is proposed of this author that changes its standing.
    pub fn is_settled(&self, author: AuthorId) -> bool {
        !self.members.contains_key(&author)
    }

    /// Whether anything is with the journal.
    pub fn has_any(&self) -> bool {
        !self.serials.is_empty()
    }

    /// Whether anything is with the journal that was proposed before the one with this number.
    pub fn is_behind_others(&self, serial: u32) -> bool {
        self.serials.front().is_some_and(|first| *first != serial)
    }

    /// Whether anything else is proposed of this author that changes its standing than this change.
    pub fn has_others(&self, author: AuthorId, change: &Change) -> bool {
        let changes = self.members.get(&author).map_or(0, |member| member.changes);
        let is_about_to_bear = self.accounts.iter().any(|(bearer, _)| *bearer == author) && borne_by(change).is_none();
        changes > u32::from(changed_member(change) == Some(author)) || is_about_to_bear
    }

    /// Whether this member is about to give up its place.
    pub fn will_be_gone(&self, author: AuthorId) -> bool {
        let member = self.members.get(&author);
        member.is_some_and(|member| matches!(member.standing, Standing::Gone { .. }))
    }

    /// The same, and will not be known any more then.
    pub fn will_be_forgotten(&self, author: AuthorId) -> bool {
        let member = self.members.get(&author);
        member.is_some_and(|member| matches!(member.standing, Standing::Gone { may_return: false, .. }))
    }

    /// Who has this name, or will have it.
    pub fn holder_of(&self, keys: &NameKeys, roster: &Roster) -> Option<AuthorId> {
        let coming = keys.iter().find_map(|key| self.names.get(key).copied());
        let present = || roster.holder_of(keys);
        coming
            .filter(|author| !self.will_be_gone(*author))
            .or_else(present)
            .filter(|author| !self.will_be_gone(*author))
    }

    /// Whether somebody is about to take this name, though perhaps to give it up again.
    pub fn is_taking(&self, keys: &NameKeys) -> bool {
        keys.iter().any(|key| self.names.contains_key(key))
    }

    /// Who shows this secret.
    pub fn known_by(&self, token: &TokenHash, roster: &Roster) -> Option<Known> {
        let known = self.tokens.get(token).map(|author| Known::Member(*author)).or_else(|| roster.known_by(token))?;
        let Known::Member(author) = known else { return Some(known) };
        match self.members.get(&author).map(|member| &member.standing) {
            Some(Standing::Gone { name, may_return: true }) => Some(Known::Departed { name: name.clone(), author }),
            Some(Standing::Gone { may_return: false, .. }) => None,
            _ => Some(known),
        }
    }

    /// The number of who left for good and had this secret, or is about to leave.
    pub fn author_who_left(&self, token: &TokenHash, roster: &Roster) -> Option<AuthorId> {
        let with_place = || match roster.known_by(token)? {
            Known::Member(author) => Some(author),
            Known::Departed { .. } => None,
        };
        let leaving = self.tokens.get(token).copied().or_else(with_place);
        // Who is refused has no number: another node may give it to somebody else.
        let is_its_own = |author: &AuthorId| roster.may_return(*author) || *author > roster.last_author();
        let leaving = leaving.filter(|author| self.will_be_forgotten(*author) && is_its_own(author));
        leaving.or_else(|| roster.author_who_left(token))
    }

    /// Places that will be taken.
    pub fn places(&self, roster: &Roster) -> usize {
        roster.places().saturating_add_signed(self.added_places)
    }

    /// A number that nobody has, or will have before; `None`: there is none any more.
    pub fn new_author(&self, roster: &Roster) -> Option<AuthorId> {
        roster.last_author().max(self.last_author).0.checked_add(1).map(AuthorId)
    }

    /// Whether any message is with the journal.
    pub fn has_messages(&self) -> bool {
        self.submitted_messages != self.settled_messages
    }

    /// Whether this message is about to be deleted.
    pub fn is_being_deleted(&self, of: u64) -> bool {
        self.amendments.iter().any(|event| matches!(event.body, Body::Delete { of: other, .. } if other == of))
    }

    /// Makes of a message's reactions what they will be.
    pub fn add_reactions(&self, of: u64, reactions: &mut Vec<Reactions>) {
        for event in &self.amendments {
            if let Body::Reaction { of: other, emoji, on, .. } = &event.body
                && *other == of
            {
                Reactions::set(reactions, emoji, event.author, &event.name, *on);
            }
        }
    }

    /// Whether somebody is about to become an operator.
    pub fn makes_operator(&self) -> bool {
        self.founders > 0 || self.measures.contains(&PendingMeasure::Op)
    }

    /// Whether this author is about to be no operator any more.
    pub fn will_be_deopped(&self, author: AuthorId) -> bool {
        !self.measures.is_empty() && self.measures.contains(&PendingMeasure::Deop(author))
    }

    /// Whether this author is about to be muted.
    pub fn will_be_muted(&self, author: AuthorId) -> bool {
        !self.measures.is_empty() && self.measures.contains(&PendingMeasure::Mute(author))
    }

    /// Whether this author is about to be thrown out.
    pub fn will_be_kicked(&self, author: AuthorId) -> bool {
        !self.measures.is_empty() && self.measures.contains(&PendingMeasure::Kick(author))
    }

    /// Whether the room is about to be locked.
    pub fn will_be_locked(&self) -> bool {
        !self.measures.is_empty() && self.measures.contains(&PendingMeasure::Lock)
    }

    /// Who is about to be kept out.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.measures.iter().filter_map(|measure| match measure {
            PendingMeasure::Ban(ban) => Some(ban),
            _ => None,
        })
    }

    /// Whether a message of this author with this client id is with the journal.
    pub fn is_being_said(&self, author: AuthorId, key: &MessageKey) -> bool {
        self.keys.iter().any(|(other, other_key)| *other == author && other_key == key)
    }
}

/// Removes what is settled: the first, mostly.
fn settle_first<T>(pending: &mut VecDeque<T>, is_it: impl FnMut(&T) -> bool) {
    if let Some(place) = pending.iter().position(is_it) {
        pending.remove(place);
    }
}

/// Whose standing this change changes.
fn changed_member(change: &Change) -> Option<AuthorId> {
    match change {
        Change::Place { newcomer, .. } => Some(newcomer.author),
        Change::Enter { event, .. } => Some(event.author),
        Change::Publish { event } => matches!(event.body, Body::Nick { .. }).then_some(event.author),
        Change::Moderate(measure) => measure.kicked(),
        Change::Reconnect { author, .. }
        | Change::Identify { author, token: Some(_), .. }
        | Change::Vacate { author, .. } => Some(*author),
        _ => None,
    }
}

/// Whether a newcomer becomes an operator by this change.
fn founds(change: &Change) -> bool {
    match change {
        Change::Place { newcomer, .. } => newcomer.becomes_operator,
        Change::Enter { becomes_operator, .. } => *becomes_operator,
        _ => false,
    }
}

/// The deletion or reaction that this change is.
fn amendment(change: &Change) -> Option<&Event> {
    change.event().filter(|event| matches!(event.body, Body::Delete { .. } | Body::Reaction { .. }))
}

/// Who bears which account's name by right from this change on.
fn borne_by(change: &Change) -> Option<(AuthorId, AccountId)> {
    match change {
        Change::Place { newcomer, .. } => newcomer.account.map(|account| (newcomer.author, account)),
        Change::Enter { account, event, .. } => account.map(|account| (event.author, account)),
        Change::Identify { author, account, .. } => Some((*author, *account)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::NodeId;
    use super::*;

    #[test]
    fn who_is_about_to_go_holds_no_name_and_no_place() {
        let name = Name::parse("ana").expect("a name");
        let (author, token, via) = (AuthorId(1), TokenHash::from_bytes([1; 32]), Via::Web);
        let (mut roster, mut proposed) = (Roster::default(), Proposed::default());
        let newcomer = Newcomer { author, token, name: name.clone(), via, account: None, becomes_operator: false };
        roster.place(&newcomer, NodeId::ALONE);
        assert_eq!(proposed.holder_of(&name.keys(), &roster), Some(author));
        proposed.note(&Change::Vacate { author, event: None, may_return: true, time_ms: 0 }, &roster);
        assert_eq!(proposed.holder_of(&name.keys(), &roster), None);
        assert_eq!(proposed.places(&roster), 0);
        assert_eq!(proposed.known_by(&token, &roster), Some(Known::Departed { name, author }));
    }

    /// Who showed whose name it is while its place was on its way is known by another secret before it has the first.
    #[test]
    fn by_a_former_secret_nobody_is_known_once_all_is_settled() {
        let name = Name::parse("ana").expect("a name");
        let [former, token] = [1, 2].map(|byte| TokenHash::from_bytes([byte; 32]));
        let (author, via, account) = (AuthorId(1), Via::Web, AccountId(1));
        let (mut roster, mut proposed) = (Roster::default(), Proposed::default());
        let newcomer = Newcomer { author, token: former, name, via, account: None, becomes_operator: false };
        let place = Change::Place { opens: false, newcomer: newcomer.clone(), returns: false, time_ms: 0 };
        let identify = Change::Identify { author, account, token: Some(token) };
        let serials = [&place, &identify].map(|change| proposed.note(change, &roster));
        roster.place(&newcomer, NodeId::ALONE);
        proposed.settle(&place, false, serials[0]);
        roster.change_token(author, &token);
        proposed.settle(&identify, false, serials[1]);
        assert_eq!(proposed.known_by(&token, &roster), Some(Known::Member(author)));
        assert_eq!(proposed.known_by(&former, &roster), None);
    }
}
