//! One room on this node: what all agree on, what is proposed, and what its members here are still to be sent.

use std::collections::VecDeque;
use std::sync::Arc;

use super::broadcast_log::BroadcastLog;
use super::change::Change;
use super::history::HistoryPage;
use super::paging::Paging;
use super::proposed::{Proposed, Standing};
use super::roster::{Member, Presence, Subscription};
use super::rules::RoomRules;
use super::slow_mode::SlowMode;
use super::state::RoomState;
use super::{AccountId, Address, AuthorId, Body, EncoderId, Epoch, Event, MessageKey, RoomCode, Token};

/// Networks from which members have come in that are remembered of a room.
const MAX_NETWORKS: usize = 64;

/// What others see of a member beside its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marks {
    /// It bears the name of an account of its own.
    pub has_account: bool,
    /// It keeps order.
    pub is_operator: bool,
}

/// A conversation.
pub struct Room {
    pub(super) state: RoomState,
    /// Its beginning is committed.
    pub(super) is_open: bool,
    pub(super) proposed: Proposed,
    pub(super) logs: Box<[BroadcastLog]>,
    /// Whether the reactor knows that there is something to flush.
    pub(super) is_dirty: bool,
    /// Some of its members were offered what the others are to be offered next.
    pub(super) is_half_flushed: bool,
    /// Before this time, comings and goings in a room of many members wait for others.
    pub(super) tells_presence_at_ms: u64,
    /// When it is flushed at the latest, since somebody is behind.
    pub(super) flushes_again_at_ms: Option<u64>,
    /// When that was said (`Now::wall_ms`) which is the first not to be sent to everybody yet.
    pub(super) unsent_since_ms: Option<u64>,
    /// When the room ends, as long as nobody is in it.
    pub(super) ends_at_ms: Option<u64>,
    /// From where it was made, and members have come in: the last ones.
    networks: VecDeque<Address>,
    pub(super) slow_mode: SlowMode,
    /// Accounts that are operators everywhere.
    pub(super) admins: Arc<[AccountId]>,
    /// Commands that wait for events that memory does not hold.
    pub(super) paging: Option<Box<Paging>>,
    /// Bytes of memory that its history took when it was last counted.
    pub(super) memory_bytes: usize,
    /// When its history was last read, as a number that counts the reads of all rooms' histories.
    pub(super) last_read: u64,
}

impl Room {
    pub(super) fn new(state: RoomState, encoders: usize) -> Room {
        Room {
            state,
            is_open: false,
            proposed: Proposed::default(),
            logs: (0..encoders).map(|_| BroadcastLog::default()).collect(),
            is_dirty: false,
            is_half_flushed: false,
            tells_presence_at_ms: 0,
            flushes_again_at_ms: None,
            unsent_since_ms: None,
            ends_at_ms: None,
            networks: VecDeque::new(),
            slow_mode: SlowMode::default(),
            admins: Arc::default(),
            paging: None,
            memory_bytes: 0,
            last_read: 0,
        }
    }

    /// The code by which it is found.
    pub fn code(&self) -> RoomCode {
        self.state.code
    }

    /// The tag of its ids.
    pub fn epoch(&self) -> Epoch {
        self.state.epoch
    }

    /// The id of the last event; 0 before the first.
    pub fn last_id(&self) -> u64 {
        self.state.history.last_id()
    }

    /// What operators have made of it.
    pub fn rules(&self) -> &RoomRules {
        &self.state.rules
    }

    /// Whether this author keeps order here.
    pub fn is_operator(&self, author: AuthorId) -> bool {
        self.state.is_operator(author) || self.admin_account(author).is_some()
    }

    /// The account by whose name this author is an operator everywhere. It is none of those who keep order in the room
    /// for that: where it is alone with others, one of them does.
    pub(super) fn admin_account(&self, author: AuthorId) -> Option<AccountId> {
        if self.admins.is_empty() {
            return None;
        }
        // Who is about to take another name is none any more.
        let keeps_name = || match (self.member(author), self.proposed.standing(author, &self.state.roster)) {
            (Some(member), Some(Standing::Placed { name, .. })) => name == member.name,
            _ => false,
        };
        let about_to_bear = self.proposed.account_of(author);
        let account = about_to_bear.or_else(|| self.state.accounts.get(&author).copied());
        account.filter(|account| self.admins.contains(account) && (about_to_bear.is_some() || keeps_name()))
    }

    /// Everybody who keeps order here: those of this room, then those who do everywhere.
    pub fn operators(&self) -> impl Iterator<Item = AuthorId> {
        let is_admin = |author: &AuthorId| !self.state.is_operator(*author) && self.admin_account(*author).is_some();
        let bearers = self.state.accounts.keys().copied().filter(|_| !self.admins.is_empty());
        let mut admins: Vec<AuthorId> = bearers.filter(is_admin).collect();
        admins.sort();
        self.state.rules.operators.iter().copied().chain(admins)
    }

    /// Who has dropped out and bore the name of this account by right: rather an operator than another one.
    pub(super) fn departed_bearer(&self, account: AccountId) -> Option<AuthorId> {
        let authors = self.state.roster.departed().map(|departed| departed.author);
        let bears = |author: &AuthorId| self.state.accounts.get(author) == Some(&account);
        let is_gone = |author: &AuthorId| {
            let standing = self.proposed.standing(*author, &self.state.roster);
            !matches!(standing, Some(Standing::Placed { .. }))
        };
        authors.filter(bears).filter(is_gone).max_by_key(|author| (self.state.is_operator(*author), *author))
    }

    /// Everybody present, in the order of their places.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.state.roster.iter().filter(|member| member.has_entered)
    }

    /// Everybody present in the places after this member's.
    pub fn members_after(&self, author: AuthorId) -> impl Iterator<Item = &Member> {
        self.state.roster.iter_after(author).filter(|member| member.has_entered)
    }

    /// How many are present.
    pub fn member_count(&self) -> usize {
        self.state.roster.entered()
    }

    /// One member, if it has a place.
    pub fn member(&self, author: AuthorId) -> Option<&Member> {
        self.state.roster.member(author)
    }

    /// Whose name this author bears by right, or is about to.
    pub(super) fn account_of(&self, author: AuthorId) -> Option<AccountId> {
        self.proposed.account_of(author).or_else(|| self.state.accounts.get(&author).copied())
    }

    /// Whether this member bears the name of an account of its own.
    pub fn has_account(&self, author: AuthorId) -> bool {
        self.state.accounts.contains_key(&author)
    }

    /// The marks of who comes in with this change, if it is somebody's coming.
    pub(super) fn marks_of_comer(&self, change: &Change) -> Option<Marks> {
        let Change::Enter { account, becomes_operator, event, .. } = change else { return None };
        let account = account.or_else(|| self.state.accounts.get(&event.author).copied());
        let is_admin = account.is_some_and(|account| self.admins.contains(&account));
        let is_operator = *becomes_operator || is_admin || self.state.is_operator(event.author);
        Some(Marks { has_account: account.is_some(), is_operator })
    }

    /// Whether who comes next becomes an operator: there is none, and none is on the way.
    pub(super) fn wants_operator(&self) -> bool {
        self.state.rules.operators.is_empty() && !self.proposed.makes_operator()
    }

    /// Whether this member has been here before, and may say again what it said then.
    pub(super) fn has_returned(&self, author: AuthorId) -> bool {
        self.member(author).is_some_and(|member| member.has_returned)
    }

    /// The event that this member has said under this client id already, as far as memory and what was read know.
    pub(super) fn event_said(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        let said = self.state.history.said(author, key);
        said.or_else(|| {
            if self.has_returned(author) { self.event_shared(author, key) } else { self.event_read(author, key) }
        })
    }

    /// The same of what was shared: that may be shared again by whoever was never away.
    pub(super) fn event_shared(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        let history = &self.state.history;
        let known = history.said(author, key).or_else(|| history.said_before(author, key));
        known.or_else(|| self.event_read(author, key))
    }

    fn event_read(&self, author: AuthorId, key: &MessageKey) -> Option<u64> {
        self.paging.as_ref().and_then(|paging| paging.found(author, key)).flatten()
    }

    /// Whether what a client has, up to this id of this epoch, can be continued.
    pub(super) fn is_continued_by(&self, since: u64, epoch: Option<Epoch>) -> bool {
        since <= self.last_id() && epoch.is_none_or(|epoch| epoch == self.epoch())
    }

    /// Of which life of the room's code the events are that a client has. Who does not say so, and shows a secret that the
    /// room does not know, may have them of any.
    pub(super) fn life_known(&self, token: Option<Token>, since: Option<u64>, epoch: Option<Epoch>) -> Option<Epoch> {
        let is_known = |token: Token| self.proposed.known_by(&token.hash(), &self.state.roster).is_some();
        let life = || if token.is_none_or(is_known) { self.epoch() } else { Epoch::NONE };
        epoch.or_else(|| since.map(|_| life()))
    }

    /// What is known of what a client missed that has the events up to this id of this epoch.
    pub(super) fn known_missed(&self, since: Option<u64>, epoch: Option<Epoch>) -> Vec<Event> {
        let since = since.filter(|&since| self.is_continued_by(since, epoch));
        self.state.history.known_missed(since, self.page())
    }

    /// Makes an event of this member's. It is seen by nobody until the journal has it.
    pub(super) fn make_event(&self, author: AuthorId, body: Body, wall_ms: u64) -> Option<Event> {
        let (name, via) = if self.proposed.is_settled(author) {
            let member = self.member(author)?;
            (member.name.clone(), member.via)
        } else {
            match self.proposed.standing(author, &self.state.roster)? {
                Standing::Placed { name, via, .. } => (name, via),
                Standing::Gone { .. } => return None,
            }
        };
        Some(Event { id: 0, time_ms: wall_ms, name, via, author, body })
    }

    /// Somebody has made it or come in from there.
    pub(super) fn note_network(&mut self, address: Address) {
        if self.is_familiar_to(address) {
            return;
        }
        if self.networks.len() == MAX_NETWORKS {
            self.networks.pop_front();
        }
        self.networks.push_back(address);
    }

    /// Whether somebody has made it or come in from there, and so knows its code.
    pub(super) fn is_familiar_to(&self, address: Address) -> bool {
        self.networks.contains(&address)
    }

    /// Where a member reads the room, if it does.
    pub(super) fn subscription(&self, author: AuthorId) -> Option<Subscription> {
        match self.member(author)?.presence {
            Presence::Here { subscription, .. } => subscription,
            _ => None,
        }
    }

    /// Appends an entry for those who read this encoding, if anybody does. `except` is not to be sent it. Returns how many
    /// others there are.
    pub(super) fn append(
        &mut self,
        encoder: EncoderId,
        except: Option<AuthorId>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let log = usize::from(encoder.0);
        if self.logs[log].is_unread() {
            return 0;
        }
        let subscription = except.and_then(|author| self.subscription(author)).filter(|own| own.encoder == encoder);
        self.logs[log].append(subscription.map(|own| own.reader), encode);
        self.logs[log].reader_count() - usize::from(subscription.is_some())
    }

    /// Something was committed that was said at this time (`Now::wall_ms`), and is to be sent.
    pub(super) fn note_unsent(&mut self, said_at_ms: u64) {
        self.unsent_since_ms.get_or_insert(said_at_ms);
    }

    /// What was read for the commands that are resumed.
    pub(super) fn page(&self) -> &HistoryPage {
        static NOTHING: HistoryPage = HistoryPage { range: None, events: Vec::new() };
        self.paging.as_ref().map_or(&NOTHING, |paging| &paging.page)
    }

    /// Bytes that wait for those who read it.
    pub(super) fn held_bytes(&self) -> usize {
        self.logs.iter().map(BroadcastLog::held_bytes).sum()
    }

    /// Bytes that not everybody has been offered yet.
    pub(super) fn fresh_bytes(&self) -> usize {
        self.logs.iter().map(BroadcastLog::fresh_bytes).max().unwrap_or(0)
    }
}
