//! What all nodes agree on of a room, and what each committed change makes of it.
//!
//! [`RoomState::check`] and [`RoomState::apply`] are functions of this state and the change alone: whoever is handed
//! the same changes in the same order has the same state.

use super::change::{Change, Measure, Newcomer};
use super::history::{History, Kept};
use super::roster::{Departed, Known, Roster, Vacated};
use super::rules::{Comer, Mute, RoomRules, find_ban};
use hashbrown::HashMap;

use super::{
    AccountAction, AccountChange, AccountId, AuthorId, Body, Epoch, Event, LoadedRoom, ModeChange, NodeId, RoomCode,
    RoomKey, StoredMember, StoredRoom, TokenHash, Via,
};

/// A room, as far as committed changes have made it.
pub(super) struct RoomState {
    pub code: RoomCode,
    pub epoch: Epoch,
    /// Those that it had before the log that it is in may have lost something.
    pub former_epochs: Vec<Epoch>,
    pub roster: Roster,
    pub history: History,
    pub rules: RoomRules,
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
    /// Only an operator may do it.
    NotOperator,
    /// Who is muted may not do it.
    Muted,
    /// Its event is numbered as another one than the next.
    Number,
}

impl RoomState {
    pub fn new(code: RoomCode, epoch: Epoch) -> RoomState {
        let (roster, history, rules) = (Roster::default(), History::default(), RoomRules::default());
        let (former_epochs, accounts) = (Vec::new(), HashMap::new());
        RoomState { code, epoch, former_epochs, roster, history, rules, last_time_ms: 0, accounts }
    }

    /// A room as the journal remembers it. Who had a place has it again.
    pub fn restored(stored: &StoredRoom, kept: Kept) -> RoomState {
        let last_time_ms = stored.last_time_ms;
        let mut history = History::after(stored.first_id, stored.last_id, last_time_ms);
        history.restore_files(&stored.files, kept);
        let rules = stored.rules.clone();
        let mut state = RoomState { history, rules, last_time_ms, ..RoomState::new(stored.code, stored.epoch) };
        // Before anybody has a place: whoever has one has been here.
        state.roster.number_authors_after(stored.last_author);
        for left in &stored.left {
            let _ = state.roster.remember_left(*left);
        }
        for member in &stored.members {
            state.set_account(member.author, member.account);
            if !member.is_placed {
                state.roster.remember_departed(member);
                continue;
            }
            let (author, token, name, via) = (member.author, member.token, member.name.clone(), member.via);
            let (account, becomes_operator) = (member.account, false);
            state.roster.place(&Newcomer { author, token, name, via, account, becomes_operator }, member.node);
            if let Some(placed) = state.roster.member_mut(author) {
                placed.seniority = member.seniority;
            }
            if member.has_entered {
                state.roster.enter(author, via, member.node);
            }
        }
        state
    }

    /// A room as a log remembers it: what has changed since its snapshot is changed again, but for what was said, which
    /// the log has.
    pub fn loaded(loaded: LoadedRoom, kept: Kept) -> RoomState {
        let mut state = RoomState::restored(&loaded.snapshot, kept);
        state.former_epochs = loaded.former_epochs;
        for (by, mut change) in loaded.changes {
            let checked = state.check_but_id(&mut change);
            debug_assert!(checked.is_ok(), "what is in the log is possible: {change:?}");
            if checked.is_ok() {
                state.apply_but_history(&change, by);
                change.event().into_iter().for_each(|event| state.history.restore_file(event));
            }
        }
        state.history.release_files(kept);
        state.history.take_released_files();
        state
    }

    /// The room as a log is to remember it.
    pub fn to_stored(&self, kept: Kept) -> StoredRoom {
        let stored = |author, token, name, via, seniority| StoredMember {
            author,
            token: TokenHash::of_short(token),
            name,
            via,
            is_placed: false,
            has_entered: false,
            account: self.accounts.get(&author).copied(),
            node: NodeId::ALONE,
            seniority,
        };
        let placed = self.roster.iter().map(|member| {
            let (has_entered, node) = (member.has_entered, member.node);
            let stored = stored(member.author, member.token, member.name.clone(), member.via, member.seniority);
            StoredMember { is_placed: true, has_entered, node, ..stored }
        });
        // Nobody asks how who is gone was connected.
        let departed = self.roster.departed().map(|departed| {
            let Departed { author, token, ref name, seniority } = *departed;
            stored(author, token, name.clone(), Via::Web, seniority)
        });
        StoredRoom {
            code: self.code,
            epoch: self.epoch,
            first_id: self.history.first_kept_id(kept),
            last_id: self.history.last_id(),
            last_time_ms: self.last_time_ms,
            last_author: self.roster.last_author(),
            files: self.history.files().iter().map(|(id, file)| (id, file.clone())).collect(),
            members: placed.chain(departed).collect(),
            left: self.roster.left().copied().collect(),
            rules: self.rules.clone(),
        }
    }

    /// Whether this is the room's key, if it has one. It is kept with the epoch that the room had when it was set.
    pub fn is_key(&self, key: &RoomKey) -> bool {
        let Some(hash) = self.rules.key else { return false };
        self.former_epochs.iter().chain([&self.epoch]).any(|epoch| key.hash(*epoch) == hash)
    }

    /// Whether the event of a change that is numbered is the next one.
    pub fn is_next(&self, change: &Change) -> bool {
        change.event().is_none_or(|event| event.id == 0 || event.id == self.history.last_id() + 1)
    }

    /// Whether the change is possible, and completes it by what only the state knows: an event's id, and the name that
    /// its author bears at this time.
    pub fn check(&self, change: &mut Change) -> Result<(), Conflict> {
        self.check_but_id(change)?;
        if let Some(event) = change.event_mut() {
            let id = self.history.last_id() + 1;
            assert!(event.id == 0 || event.id == id, "the journal counts as the room does");
            event.id = id;
        }
        Ok(())
    }

    /// The same, but gives no id to its event.
    pub fn check_but_id(&self, change: &mut Change) -> Result<(), Conflict> {
        match change {
            Change::Place { newcomer, returns, time_ms, .. } => {
                self.check_newcomer(newcomer, *returns, Some(*time_ms))?;
                newcomer.becomes_operator &= self.rules.operators.is_empty();
            }
            Change::Enter { takes_place: Some(_), returns, event, .. } => {
                let (returns, time_ms) = (*returns, (event.id == 0).then_some(event.time_ms));
                let newcomer = change.newcomer().ok_or(Conflict::Member)?;
                self.check_newcomer(&newcomer, returns, time_ms)?;
                if let Change::Enter { becomes_operator, .. } = change {
                    *becomes_operator &= self.rules.operators.is_empty();
                }
            }
            Change::Enter { takes_place: None, event, .. } => {
                // Who has come in by another node meanwhile goes on there, or here, and does not come a second time.
                let member = self.roster.member(event.author).filter(|member| !member.has_entered);
                event.name.clone_from(&member.ok_or(Conflict::Member)?.name);
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
                // What others have said is deleted by a measure.
                if event.id == 0 && matches!(event.body, Body::Delete { of_whom: Some(_), .. }) {
                    return Err(Conflict::NotOperator);
                }
                if event.id == 0
                    && !self.rules.mutes.is_empty()
                    && event.body.needs_voice()
                    && self.rules.find_mute(event.author, event.time_ms).is_some()
                {
                    return Err(Conflict::Muted);
                }
                if event.name != member.name {
                    event.name.clone_from(&member.name);
                }
            }
            Change::PublishOfGuest { event } => self.check_guest(event)?,
            Change::Moderate(measure) => self.check_measure(measure)?,
            Change::Reconnect { author, .. } => {
                self.roster.member(*author).ok_or(Conflict::Member)?;
            }
            Change::Identify { author, token, .. } => {
                self.roster.member(*author).ok_or(Conflict::Member)?;
                if token.is_some_and(|token| self.roster.known_by(&token).is_some()) {
                    return Err(Conflict::Member);
                }
            }
            Change::CompleteBan { name, .. } => {
                self.rules.bans.iter().find(|ban| ban.name == *name).ok_or(Conflict::Member)?;
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
        Ok(())
    }

    /// The number of somebody without a place is new, the name nobody's and not banned, and the room not locked. What the
    /// journal has numbered already was checked against all that came before.
    fn check_guest(&self, event: &Event) -> Result<(), Conflict> {
        let keys = event.name.keys();
        let comer = Comer { name: Some(&keys), token: None, account: None, address: None };
        let is_kept_out = || self.rules.is_locked || find_ban(self.rules.bans.iter(), &comer, event.time_ms).is_some();
        let is_free = || event.author > self.roster.last_author() && self.roster.holder_of(&keys).is_none();
        if event.id > 0 || (is_free() && !is_kept_out()) { Ok(()) } else { Err(Conflict::Member) }
    }

    /// An operator has a place and is one; whom it concerns is still known. Its event is brought up to date.
    fn check_measure(&self, measure: &mut Measure) -> Result<(), Conflict> {
        let Measure { event, target, as_admin, .. } = measure;
        let operator = self.roster.member(event.author).ok_or(Conflict::Member)?;
        let named = target.and_then(|target| self.roster.member(target));
        // What the journal has numbered already was checked against all that came before.
        if event.id == 0 {
            let is_succession = self.rules.operators.is_empty()
                && *target == Some(event.author)
                && matches!(event.body, Body::Mode { change: ModeChange::Op(_) });
            let is_admin = as_admin.is_some() && self.accounts.get(&event.author) == as_admin.as_ref();
            if !is_succession && !is_admin && !self.is_operator(event.author) {
                return Err(Conflict::NotOperator);
            }
            if event.body.amends().is_some_and(|of| self.history.is_deleted(of)) {
                return Err(Conflict::NoSuchEvent);
            }
            let needs_place = matches!(event.body, Body::Kick { .. } | Body::Mode { change: ModeChange::Op(_) });
            if needs_place && named.is_none() {
                return Err(Conflict::Member);
            }
        }
        event.name.clone_from(&operator.name);
        let name = match &mut event.body {
            Body::Kick { name, .. } => Some(name),
            // A ban is of a name, and stays the one that it was made of.
            Body::Mode { change: ModeChange::Op(name) | ModeChange::Deop(name) | ModeChange::Unmute(name) } => {
                Some(name)
            }
            Body::Mode { change: ModeChange::Mute { name, .. } } => Some(name),
            _ => None,
        };
        if let (Some(name), Some(member)) = (name, named) {
            name.clone_from(&member.name);
        }
        Ok(())
    }

    /// A number is new, or the one of somebody who was here and shows the same secret; a name and a secret are nobody's, and
    /// not banned; a locked room knows who comes. `time_ms`: `None`, where these two were made sure of before.
    fn check_newcomer(&self, newcomer: &Newcomer, returns: bool, time_ms: Option<u64>) -> Result<(), Conflict> {
        let is_known = || {
            let is_it = |account| self.accounts.values().any(|borne| *borne == account);
            returns || newcomer.account.is_some_and(is_it)
        };
        if time_ms.is_some() && self.rules.is_locked && !is_known() {
            return Err(Conflict::Member);
        }
        if let Some(time_ms) = time_ms.filter(|_| !self.rules.bans.is_empty()) {
            let (keys, token, account) = (newcomer.name.keys(), Some((&newcomer.token).into()), newcomer.account);
            let comer = Comer { name: Some(&keys), token, account, address: None };
            if find_ban(self.rules.bans.iter(), &comer, time_ms).is_some() {
                return Err(Conflict::Member);
            }
        }
        let is_own = match self.roster.known_by(&newcomer.token) {
            Some(Known::Member(_)) => false,
            Some(Known::Departed { author, .. }) => author == newcomer.author,
            None => match self.roster.author_who_left(&newcomer.token) {
                Some(author) if author == newcomer.author => !returns,
                // Who was here may be forgotten since it was proposed, or numbered by the journal, behind many who left
                // after it.
                _ if returns || time_ms.is_none() => self.roster.member(newcomer.author).is_none(),
                Some(_) => false,
                None => newcomer.author > self.roster.last_author(),
            },
        };
        let is_free = is_own && self.roster.holder_of(&newcomer.name.keys()).is_none();
        if is_free { Ok(()) } else { Err(Conflict::Member) }
    }

    /// Makes a [checked](Self::check) change, which this node has proposed.
    pub fn apply(&mut self, change: &Change, by: NodeId, kept: Kept) {
        self.apply_but_history(change, by);
        // Last, since most of it has left the processor's caches: what is written after it would wait for it.
        if let Some(event) = change.event() {
            self.last_time_ms = event.time_ms;
            self.history.record(event, kept, |author| self.roster.may_repeat(author));
        }
    }

    fn apply_but_history(&mut self, change: &Change, by: NodeId) {
        match change {
            Change::Place { newcomer, .. } => self.place(newcomer, by),
            Change::Enter { event, .. } => {
                if let Some(newcomer) = change.newcomer() {
                    self.place(&newcomer, by);
                }
                self.roster.enter(event.author, event.via, by);
            }
            Change::Publish { event } => {
                if let Body::Nick { to } = &event.body {
                    self.roster.rename(event.author, to.clone());
                    self.set_account(event.author, None);
                }
            }
            Change::PublishOfGuest { event } => {
                self.roster.number_authors_after(self.roster.last_author().max(event.author));
            }
            Change::Reconnect { author, via } => {
                if let Some(member) = self.roster.member_mut(*author) {
                    (member.via, member.node) = (*via, by);
                }
            }
            Change::Identify { author, account, token } => {
                self.set_account(*author, Some(*account));
                if let Some(token) = token {
                    self.roster.change_token(*author, token);
                }
            }
            Change::CompleteBan { name, address } => self.rules.complete_ban(name, *address),
            Change::Vacate { author, may_return, .. } => {
                self.vacate(*author, *may_return);
            }
            Change::Moderate(measure) => self.apply_measure(measure),
            Change::Account(change) => drop(self.apply_account(change)),
            Change::Open { .. } | Change::End | Change::Nothing => (),
        }
    }

    /// Makes what follows in this room from a change of an account. Returns those whose sessions end with it, in the order
    /// of their numbers.
    pub fn apply_account(&mut self, change: &AccountChange) -> Vec<AuthorId> {
        let mut ending = Vec::new();
        let is_named = |author: &AuthorId| change.bearers.contains(&(self.epoch, *author));
        match &change.action {
            AccountAction::Add { name, .. } => {
                let keys = name.keys();
                for &(_, author) in change.bearers.iter().filter(|(epoch, _)| *epoch == self.epoch) {
                    if self.roster.member(author).is_some_and(|member| member.name.keys().overlaps(&keys)) {
                        self.accounts.insert(author, change.account);
                    }
                }
            }
            AccountAction::SetPassword(_) | AccountAction::Remove => {
                let bears =
                    |(author, account): (&AuthorId, &AccountId)| (*account == change.account).then_some(*author);
                let bearing: Vec<AuthorId> = self.accounts.iter().filter_map(bears).collect();
                for author in bearing {
                    let stays = is_named(&author);
                    if !stays || change.action == AccountAction::Remove {
                        self.accounts.remove(&author);
                    }
                    if !stays {
                        ending.push(author);
                    }
                }
                ending.sort();
            }
            AccountAction::Nothing => (),
        }
        ending
    }

    fn place(&mut self, newcomer: &Newcomer, by: NodeId) {
        self.roster.place(newcomer, by);
        self.set_account(newcomer.author, newcomer.account);
        if newcomer.becomes_operator {
            self.rules.make_operator(newcomer.author);
        }
    }

    fn vacate(&mut self, author: AuthorId, may_return: bool) {
        let Vacated { gone, forgotten } = self.roster.vacate(author, may_return);
        if let Some(gone) = gone {
            self.rules.forget_operator(gone);
            self.set_account(gone, None);
        }
        if let Some(forgotten) = forgotten {
            self.history.forget_author(forgotten);
        }
    }

    fn apply_measure(&mut self, measure: &Measure) {
        let Measure { event, target, ban, key, .. } = measure;
        if let Some(author) = measure.kicked() {
            self.vacate(author, false);
        }
        if let Some(ban) = ban {
            self.rules.ban(ban.clone(), event.time_ms);
        }
        let rules = &mut self.rules;
        match &event.body {
            Body::Topic { text } => rules.topic.clone_from(text),
            Body::Mode { change } => match (change, *target) {
                // Who could not come back any more would be one for ever.
                (ModeChange::Op(_), Some(target)) if self.roster.may_return(target) => rules.make_operator(target),
                (ModeChange::Deop(_), Some(target)) => rules.forget_operator(target),
                (ModeChange::Mute { name, seconds }, Some(author)) => {
                    let until_ms = seconds.map(|seconds| event.time_ms.saturating_add(seconds.saturating_mul(1000)));
                    rules.mute(Mute { author, name: name.clone(), until_ms }, event.time_ms);
                }
                (ModeChange::Unmute(_), Some(target)) => rules.unmute(target),
                (ModeChange::Unban(name), _) => rules.unban(name),
                (ModeChange::Lock, _) => rules.is_locked = true,
                (ModeChange::Unlock, _) => rules.is_locked = false,
                (ModeChange::Key, _) => rules.key = *key,
                (ModeChange::Unkey, _) => rules.key = None,
                (ModeChange::Slow { seconds }, _) => rules.slow_seconds = *seconds,
                _ => (),
            },
            _ => (),
        }
    }

    /// Whether this author keeps order in this room, as all nodes know it. Who does in every room by its account is
    /// known to [`Room::is_operator`](super::Room::is_operator).
    pub fn is_operator(&self, author: AuthorId) -> bool {
        self.rules.operators.contains(&author)
    }

    /// Holds no more than so many events in memory.
    pub fn release_beyond(&mut self, events: usize) {
        self.history.release_beyond(events, |author| self.roster.may_repeat(author));
    }

    /// Takes in events that were read.
    pub fn page_in(&mut self, page: &[Event], kept: Kept) {
        self.history.page_in(page, kept, |author| self.roster.may_repeat(author));
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
            let (node, since) = (member.node.0, member.seniority.0);
            line(format_args!("member {author} {token:x} {name:?} {via:?} {has_entered} at {node:x} since {since}"));
        }
        for departed in roster.departed() {
            let (author, token, name) = (departed.author.0, departed.token.to_bits(), departed.name.as_str());
            line(format_args!("departed {author} {token:x} {name:?} since {}", departed.seniority.0));
        }
        roster.left().for_each(|left| line(format_args!("left {} {:x}", left.author.0, left.token.to_bits())));
        let mut accounts: Vec<_> = self.accounts.iter().collect();
        accounts.sort();
        for (author, account) in accounts {
            line(format_args!("bears {} {:x}", author.0, account.0));
        }
        if self.rules != RoomRules::default() {
            let RoomRules { operators, topic, is_locked, key, slow_seconds, bans, mutes } = &self.rules;
            let key = key.map(|key| *key.as_bytes());
            line(format_args!("rules {operators:?} {topic:?} {is_locked} {key:?} {slow_seconds}"));
            for ban in bans {
                let token = ban.token.map(|token| *token.as_bytes());
                let (account, address) = (ban.account.map(|account| account.0), ban.address);
                line(format_args!(
                    "ban {:?} {token:?} {account:x?} {address:?} {} {:?}",
                    ban.name, ban.until_ms, ban.by
                ));
            }
            mutes.iter().for_each(|mute| line(format_args!("{mute:?}")));
        }
        history.files().iter().for_each(|(id, file)| line(format_args!("file {id} {}", file.to_text())));
        for event in history.events() {
            let known = event.message_key().and_then(|(author, key)| history.said(author, key));
            line(format_args!("event {event:?} known as {known:?}"));
        }
    }
}

impl RoomState {
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
