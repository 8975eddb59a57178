//! What all nodes agree on of a room, and what each committed change makes of it.
//!
//! [`RoomState::check`] and [`RoomState::apply`] are functions of this state and the change alone: whoever is handed
//! the same changes in the same order has the same state.

use super::change::{Change, Newcomer};
use super::history::{History, Kept};
use super::roster::{Known, Roster};
use hashbrown::HashMap;

use super::{AccountId, AuthorId, Body, Epoch, Event, RoomCode, StoredRoom};

/// A room, as far as committed changes have made it.
pub(super) struct RoomState {
    pub code: RoomCode,
    pub epoch: Epoch,
    pub roster: Roster,
    pub history: History,
    /// The time of the last event, or for a room of an earlier run when it was last known to be used; 0 before the
    /// first.
    pub last_time_ms: u64,
    /// Who bears an account's name by right, as those do whose secret was given to them for that. Mostly nobody.
    pub accounts: HashMap<AuthorId, AccountId>,
}

/// Why a change that was committed changes nothing: others came before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Conflict {
    /// There is no such room, or there is another under its code.
    Room,
    /// The author has no place, or the number, the name or the secret is another's by now.
    Member,
    /// The message is this event already.
    AlreadySaid(u64),
    /// The message was deleted.
    NoSuchEvent,
    /// Somebody is in the room that was to end.
    NotEmpty,
}

impl RoomState {
    pub fn new(code: RoomCode, epoch: Epoch) -> RoomState {
        let (roster, history, accounts) = (Roster::default(), History::default(), HashMap::new());
        RoomState { code, epoch, roster, history, last_time_ms: 0, accounts }
    }

    /// A room as the journal remembers it. Who had a place has it again.
    pub fn restored(stored: &StoredRoom) -> RoomState {
        let last_time_ms = stored.last_time_ms;
        let history = History::after(stored.first_id, stored.last_id, last_time_ms);
        let mut state = RoomState { history, last_time_ms, ..RoomState::new(stored.code, stored.epoch) };
        for member in &stored.members {
            state.set_account(member.author, member.account);
            if !member.is_placed {
                state.roster.remember_departed(member);
                continue;
            }
            let (author, token, name, via) = (member.author, member.token, member.name.clone(), member.via);
            state.roster.place(&Newcomer { author, token, name, via, account: member.account }, true);
            if member.has_entered {
                state.roster.enter(author, via);
            }
        }
        state.roster.number_authors_after(stored.last_author);
        state
    }

    /// Whether the change is possible, and completes it by what only the state knows: an event's id, and the name that
    /// its author bears at this time.
    pub fn check(&self, change: &mut Change) -> Result<(), Conflict> {
        match change {
            Change::Place { newcomer, returns, .. } => self.check_newcomer(newcomer, *returns)?,
            Change::Enter { takes_place: Some(token), returns, event, .. } => {
                let (author, name, via) = (event.author, event.name.clone(), event.via);
                self.check_newcomer(&Newcomer { author, token: *token, name, via, account: None }, *returns)?;
            }
            Change::Enter { takes_place: None, event, .. } => {
                let member = self.roster.member(event.author).ok_or(Conflict::Member)?;
                event.name.clone_from(&member.name);
            }
            Change::Publish { event } => {
                let member = self.roster.member(event.author).ok_or(Conflict::Member)?;
                // What the journal has numbered already is said, whatever memory has learnt meanwhile.
                if event.id == 0
                    && let Some((author, key)) = event.message_key()
                    && let Some(id) = self.history.said(author, key)
                {
                    return Err(Conflict::AlreadySaid(id));
                }
                if event.id == 0 && event.body.amends().is_some_and(|of| self.history.is_deleted(of)) {
                    return Err(Conflict::NoSuchEvent);
                }
                if let Body::Nick { to } = &event.body
                    && self.roster.holder_of(&to.keys()).is_some_and(|holder| holder != event.author)
                {
                    return Err(Conflict::Member);
                }
                if event.name != member.name {
                    event.name.clone_from(&member.name);
                }
            }
            Change::Reconnect { author, .. } => {
                self.roster.member(*author).ok_or(Conflict::Member)?;
            }
            Change::Identify { author, token, .. } => {
                self.roster.member(*author).ok_or(Conflict::Member)?;
                if token.is_some_and(|token| self.roster.known_by(&token).is_some()) {
                    return Err(Conflict::Member);
                }
            }
            Change::Vacate { author, event, .. } => {
                let member = self.roster.member(*author).ok_or(Conflict::Member)?;
                if let Some(event) = event {
                    event.name.clone_from(&member.name);
                }
            }
            Change::End if self.roster.places() > 0 => return Err(Conflict::NotEmpty),
            Change::Open { .. } | Change::End | Change::Account(_) | Change::Nothing => (),
        }
        if let Some(event) = change.event_mut() {
            let id = self.history.last_id() + 1;
            assert!(event.id == 0 || event.id == id, "the journal counts as the room does");
            event.id = id;
        }
        Ok(())
    }

    /// A number is new, or the one of somebody who left and shows the same secret; a name and a secret are nobody's.
    fn check_newcomer(&self, newcomer: &Newcomer, returns: bool) -> Result<(), Conflict> {
        let is_own = match self.roster.known_by(&newcomer.token) {
            Some(Known::Member(_)) => false,
            Some(Known::Departed { author, .. }) => author == newcomer.author,
            // Who returns may be forgotten since it was proposed, behind many who left after it.
            None if returns => self.roster.member(newcomer.author).is_none(),
            None => newcomer.author > self.roster.last_author(),
        };
        let is_free = is_own && self.roster.holder_of(&newcomer.name.keys()).is_none();
        if is_free { Ok(()) } else { Err(Conflict::Member) }
    }

    /// Makes a [checked](Self::check) change.
    pub fn apply(&mut self, change: &Change, kept: Kept) {
        match change {
            Change::Place { newcomer, returns, .. } => {
                self.roster.place(newcomer, *returns);
                self.set_account(newcomer.author, newcomer.account);
            }
            Change::Enter { takes_place, account, returns, event, .. } => {
                if let Some(token) = *takes_place {
                    let (author, name, via, account) = (event.author, event.name.clone(), event.via, *account);
                    self.roster.place(&Newcomer { author, token, name, via, account }, *returns);
                    self.set_account(author, account);
                }
                self.roster.enter(event.author, event.via);
            }
            Change::Publish { event } => {
                if let Body::Nick { to } = &event.body {
                    self.roster.rename(event.author, to.clone());
                    self.set_account(event.author, None);
                }
            }
            Change::Reconnect { author, via } => {
                if let Some(member) = self.roster.member_mut(*author) {
                    member.via = *via;
                }
            }
            Change::Identify { author, account, token } => {
                self.set_account(*author, Some(*account));
                if let Some(token) = token {
                    self.roster.change_token(*author, token);
                }
            }
            Change::Vacate { author, may_return, .. } => {
                if let Some(forgotten) = self.roster.vacate(*author, *may_return) {
                    self.history.forget_author(forgotten);
                    self.set_account(forgotten, None);
                }
            }
            Change::Open { .. } | Change::End | Change::Account(_) | Change::Nothing => (),
        }
        // Last, since most of it has left the processor's caches: what is written after it would wait for it.
        if let Some(event) = change.event() {
            self.last_time_ms = event.time_ms;
            self.history.record(event, kept, |author| self.roster.may_return(author));
        }
    }

    /// Holds no more than so many events in memory.
    pub fn release_beyond(&mut self, events: usize) {
        self.history.release_beyond(events, |author| self.roster.may_return(author));
    }

    /// Takes in events that were read.
    pub fn page_in(&mut self, page: &[Event], kept: Kept) {
        self.history.page_in(page, kept, |author| self.roster.may_return(author));
    }

    /// Appends all that nodes agree on, as text: the same bytes for the same state.
    pub fn write_to(&self, out: &mut String) {
        use std::fmt::Write as _;
        let (roster, history) = (&self.roster, &self.history);
        let (code, epoch) = (self.code.as_str(), self.epoch);
        let mut line = |line: std::fmt::Arguments<'_>| writeln!(out, "{line}").expect("a String takes everything");
        line(format_args!("room {code} {epoch} last {} author {}", history.last_id(), roster.last_author().0));
        let mut members: Vec<_> = roster.iter().collect();
        members.sort_by_key(|member| member.author);
        for member in members {
            let (author, token) = (member.author.0, member.token.to_bits());
            let (name, via, has_entered) = (member.name.as_str(), member.via, member.has_entered);
            line(format_args!("member {author} {token:x} {name:?} {via:?} {has_entered}"));
        }
        for departed in roster.departed() {
            let (author, token, name) = (departed.author.0, departed.token.to_bits(), departed.name.as_str());
            line(format_args!("departed {author} {token:x} {name:?}"));
        }
        let mut accounts: Vec<_> = self.accounts.iter().collect();
        accounts.sort();
        for (author, account) in accounts {
            line(format_args!("bears {} {:x}", author.0, account.0));
        }
        for event in history.events() {
            let known = event.message_key().and_then(|(author, key)| history.said(author, key));
            line(format_args!("event {event:?} known as {known:?}"));
        }
    }
}

impl RoomState {
    /// Whether this member may delete this message.
    pub fn may_delete(&self, author: AuthorId, message: &Event) -> bool {
        message.author == author
    }

    /// Whether somebody with this number has a place.
    pub fn has_place(&self, author: AuthorId) -> bool {
        self.roster.member(author).is_some()
    }

    /// Has this member bear this account's name by right, or none.
    pub fn set_account(&mut self, author: AuthorId, account: Option<AccountId>) {
        match account {
            Some(account) => drop(self.accounts.insert(author, account)),
            None if self.accounts.is_empty() => (),
            None => drop(self.accounts.remove(&author)),
        }
    }
}
