//! How names are claimed, and what that means for those who bear them in rooms.
//!
//! Passwords are compared and hashed elsewhere (`crate::accounts`); here is what comes of it. A member bears an account's
//! name by right (`RoomState::accounts`) once it was shown to be its own; from there on its secret is good for that name
//! as well, until the password is changed.

use super::change::{Change, OnCommit, Proposal};
use super::command::{AccountDone, Caller, Command, ConnectionId, Join, Membership, ProvenCommand, Refusal, Reply};
use super::name::MAX_CHARACTERS;
use super::proposed::Standing;
use super::roster::{Known, Presence};
use super::state::Conflict;
use super::{
    AccountAction, AccountChange, AccountId, AccountRequestId, AuthorId, Body, Delivery, Epoch, Name, PasswordHash,
    RoomId, Rooms, Token,
};
use crate::time::Now;

impl Rooms {
    /// Has nobody come in without an account.
    pub fn require_accounts(&mut self) {
        self.requires_account = true;
    }

    /// The names of accounts that are operators everywhere.
    pub fn set_admins(&mut self, names: &[Name]) {
        self.admins = names.iter().map(Name::keys).collect();
        self.note_admins();
    }

    /// Has every room know which accounts are operators everywhere.
    pub(super) fn note_admins(&mut self) {
        if self.admins.is_empty() {
            return;
        }
        self.admin_accounts = self.admins.iter().filter_map(|keys| self.accounts.owner(keys)).collect();
        for (_, room) in &mut self.rooms {
            room.admins = self.admin_accounts.clone();
        }
    }

    /// Whether this member bears by right the name of an account that is an operator everywhere.
    pub fn is_admin(&self, here: Membership) -> bool {
        self.rooms.get(here.room.0 as usize).is_some_and(|room| room.admin_account(here.author).is_some())
    }

    /// Whether this name is that of an account that is an operator everywhere: whoever runs the server gives it away.
    pub fn is_admin_name(&self, name: &Name) -> bool {
        let keys = name.keys();
        self.admins.iter().any(|admin| admin.overlaps(&keys))
    }

    // ---- what others have to know to compare passwords

    /// Whose name this is.
    pub fn account_named(&self, name: &Name) -> Option<AccountId> {
        if self.accounts.is_empty() { None } else { self.accounts.owner(&name.keys()) }
    }

    /// Whether the name is an account's, or about to be.
    pub fn is_claimed(&self, name: &Name) -> bool {
        self.accounts.owners(&name.keys()).next().is_some()
    }

    /// The name of an account.
    pub fn account_name(&self, account: AccountId) -> Option<&Name> {
        self.accounts.name(account)
    }

    /// What the password of an account hashes to.
    pub fn password_hash(&self, account: AccountId) -> Option<&PasswordHash> {
        self.accounts.hash(account)
    }

    /// Whose account this connection has shown to be its own.
    pub fn proof(&self, connection: ConnectionId) -> Option<AccountId> {
        self.accounts.proof(connection)
    }

    /// This connection has shown whose account is its own.
    pub fn note_proof(&mut self, connection: ConnectionId, account: AccountId) {
        self.accounts.note_proof(connection, account);
    }

    /// It has not, from here on: it is gone, or carries another's requests.
    pub fn forget_proof(&mut self, connection: ConnectionId) {
        self.accounts.forget_proof(connection);
    }

    /// Which account is meant by a connection with these memberships that names none.
    pub fn account_of(&self, connection: ConnectionId, memberships: &[Membership]) -> Option<AccountId> {
        let borne = || match memberships {
            [here] => self.rooms.get(here.room.0 as usize)?.account_of(here.author),
            _ => None,
        };
        self.proof(connection).or_else(borne)
    }

    /// What a connection with these memberships is called.
    pub fn name_borne(&self, memberships: &[Membership]) -> Option<Name> {
        let [here] = memberships else { return None };
        let room = self.rooms.get(here.room.0 as usize)?;
        match room.proposed.standing(here.author, &room.state.roster)? {
            Standing::Placed { name, .. } => Some(name),
            Standing::Gone { .. } => None,
        }
    }

    /// Under which name a command is to bring somebody in, as far as that is known.
    pub fn name_wanted(&self, command: &Command, memberships: &[Membership]) -> Option<Name> {
        match command {
            Command::Join(join) => {
                let own = || self.name_borne(memberships).filter(|_| join.keeps_name);
                join.name.clone().or_else(own).or_else(|| self.name_by_token(join))
            }
            Command::Reserve { name, .. } => Some(name.clone()),
            _ => None,
        }
    }

    fn name_by_token(&self, join: &Join) -> Option<Name> {
        use super::command::JoinTarget::{Code, CodeOrNew};
        let (Code(code) | CodeOrNew(code)) = join.target else { return None };
        let room = self.room(*self.codes.get(&code)?);
        match room.proposed.known_by(&join.token.map(Token::hash)?, &room.state.roster)? {
            Known::Member(author) => room.member(author).map(|member| member.name().clone()),
            Known::Departed { name, .. } => Some(name),
        }
    }

    // ---- who may bear a name

    /// Whether somebody may bear this name that bears a name of the account `borne` by right, and has shown that `proven`
    /// is its own. Returns whose name it is.
    pub(super) fn check_name(
        &self,
        name: &Name,
        borne: Option<AccountId>,
        proven: Option<AccountId>,
    ) -> Result<Option<AccountId>, Refusal> {
        let mut account = None;
        if !self.accounts.is_empty() {
            for owner in self.accounts.owners(&name.keys()) {
                if ![borne, proven].contains(&Some(owner)) || self.accounts.is_ending(owner) {
                    return Err(Refusal::PasswordRequired { name: name.clone() });
                }
                account = Some(owner);
            }
        }
        if account.is_none() && self.requires_account {
            return Err(Refusal::AccountRequired);
        }
        Ok(account)
    }

    /// Where nobody comes in without an account, nobody looks in from outside either.
    pub(super) fn check_strangers_may_look(&self) -> Result<(), Refusal> {
        if self.requires_account { Err(Refusal::AccountRequired) } else { Ok(()) }
    }

    /// Whether who comes in by a committed change may bear its name, by what was committed before.
    pub(super) fn check_claim(&self, change: &mut Change) -> Result<(), Conflict> {
        let (name, account) = match change {
            Change::Place { newcomer, .. } => (&newcomer.name, &mut newcomer.account),
            Change::Enter { takes_place: Some(_), account, event, .. } => (&event.name, account),
            Change::PublishOfGuest { event } => {
                // Whose a name is about to be, only this node knows.
                let is_claimed = !self.accounts.is_empty() && self.accounts.owner(&event.name.keys()).is_some();
                return if event.id == 0 && is_claimed { Err(Conflict::Member) } else { Ok(()) };
            }
            Change::Identify { account, .. } if !self.accounts.has(*account) => return Err(Conflict::Member),
            _ => return Ok(()),
        };
        // Who came by right when the account was there has come as everybody may if it is gone since.
        *account = account.filter(|account| self.accounts.has(*account));
        let owner = if self.accounts.is_empty() { None } else { self.accounts.owner(&name.keys()) };
        if owner == *account { Ok(()) } else { Err(Conflict::Member) }
    }

    /// A member has come as an account's owner: notes that, and its new secret if it came without the one it had.
    pub(super) fn note_account(
        &mut self,
        connection: ConnectionId,
        here: Membership,
        account: Option<AccountId>,
        token: Option<Token>,
    ) {
        let Some(account) = account else { return };
        let token = token.map(Token::hash);
        if token.is_some() || self.room(here.room).account_of(here.author) != Some(account) {
            let change = Change::Identify { author: here.author, account, token };
            self.propose(here.room, change, OnCommit::NothingProven(connection));
        }
    }

    // ---- what is asked of accounts

    /// Executes what somebody asks of an account that was shown to be its own.
    pub(super) fn execute_proven(
        &mut self,
        caller: &Caller,
        memberships: &[Membership],
        command: ProvenCommand,
        now: Now,
    ) -> Result<(), Refusal> {
        let connection = caller.connection;
        // What a log of several nodes takes in is possible: an account may be about to be gone.
        let is_known = |rooms: &Rooms, account| !rooms.is_shared() || !rooms.accounts.is_ending(account);
        let known = |rooms: &Rooms, account| {
            let name = rooms.account_name(account).filter(|_| is_known(rooms, account));
            name.cloned().ok_or(Refusal::PasswordWrong)
        };
        let (account, action, done, name) = match command {
            ProvenCommand::Login { account } => return self.log_in(connection, memberships, account, now),
            ProvenCommand::Register { name, hash } => {
                if self.is_claimed(&name) {
                    return Err(Refusal::NameClaimed { name });
                }
                let action = AccountAction::Add { name: name.clone(), hash: Some(hash) };
                (AccountId::random(&mut self.random), action, AccountDone::Registered, name)
            }
            ProvenCommand::ChangePassword { account, hash } => {
                let name = known(self, account)?;
                (account, AccountAction::SetPassword(hash), AccountDone::PasswordChanged, name)
            }
            ProvenCommand::Unregister { account } => {
                let name = known(self, account)?;
                (account, AccountAction::Remove, AccountDone::Unregistered, name)
            }
        };
        self.check_journal()?;
        let bearers = self.bearers(memberships, &name);
        let answer = OnCommit::Answer(connection, Reply::Account { done, name });
        self.propose_account(AccountChange { account, action, bearers, request: None }, answer);
        Ok(())
    }

    fn log_in(
        &mut self,
        connection: ConnectionId,
        memberships: &[Membership],
        account: AccountId,
        now: Now,
    ) -> Result<(), Refusal> {
        let name = self.account_name(account).cloned().ok_or(Refusal::PasswordWrong)?;
        self.note_proof(connection, account);
        self.reply(connection, Reply::Account { done: AccountDone::LoggedIn, name: name.clone() });
        let [here] = memberships else { return Ok(()) };
        if self.room(here.room).account_of(here.author) == Some(account) {
            return Ok(());
        }
        // Whoever shows whose name it is wants to be called that.
        if let Err(refusal) = self.nick(connection, *here, name, now) {
            self.reply(connection, Reply::Refused { refusal, cid: None, is_answer: false });
        }
        Ok(())
    }

    /// Has an account for whom a proxy vouches by this name, and then goes on with a command.
    pub fn add_vouched(&mut self, connection: ConnectionId, name: Name, command: Command) {
        let account = AccountId::random(&mut self.random);
        let action = AccountAction::Add { name, hash: None };
        let change = AccountChange { account, action, bearers: Vec::new(), request: None };
        self.propose_account(change, OnCommit::Resume(connection, Box::new(command)));
    }

    /// Does what `snugd account` has asked for by the data file, as far as it is possible.
    pub fn execute_request(&mut self, request: AccountRequestId, name: &Name, action: AccountAction) {
        let owner = self.account_named(name);
        let (account, action) = match (action, owner) {
            (AccountAction::Add { .. }, _) if self.is_claimed(name) => (AccountId(0), AccountAction::Nothing),
            (action @ AccountAction::Add { .. }, _) => (AccountId::random(&mut self.random), action),
            (action, Some(account)) => (account, action),
            (_, None) => (AccountId(0), AccountAction::Nothing),
        };
        let change = AccountChange { account, action, bearers: Vec::new(), request: Some(request) };
        self.propose_account(change, OnCommit::Nothing);
    }

    fn propose_account(&mut self, change: AccountChange, on_commit: OnCommit) {
        self.accounts.note(&change);
        let by = self.node;
        self.proposals.push_back(Proposal { on_commit, by, is_own: true, ..Proposal::of_account(change) });
    }

    /// Those of these members who bear this name, or one that looks like it.
    fn bearers(&self, memberships: &[Membership], name: &Name) -> Vec<(Epoch, AuthorId)> {
        let keys = name.keys();
        let bears = |here: &&Membership| {
            let room = self.room(here.room);
            matches!(
                room.proposed.standing(here.author, &room.state.roster),
                Some(Standing::Placed { name, .. }) if name.keys().overlaps(&keys)
            )
        };
        memberships.iter().filter(bears).map(|here| (self.room(here.room).epoch(), here.author)).collect()
    }

    // ---- what was committed

    /// The journal has ordered a change of an account and made it durable. Returns whether it was possible.
    pub(super) fn commit_account(&mut self, proposal: Proposal, now: Now, delivery: &mut dyn Delivery) -> bool {
        let Proposal { change: Change::Account(change), on_commit, is_own, .. } = proposal else { return false };
        if is_own {
            self.accounts.settle(&change);
        }
        if !self.accounts.allows(&change) {
            self.resolve_account(*change, on_commit);
            return false;
        }
        let by = match &on_commit {
            OnCommit::Answer(connection, _) | OnCommit::Resume(connection, _) => Some(*connection),
            _ => None,
        };
        self.accounts.apply(&change, by);
        self.note_admins();
        for room_id in self.all_rooms() {
            for author in self.room_mut(room_id).state.apply_account(&change) {
                self.end_session(Membership { room: room_id, author }, now, delivery);
            }
            if let AccountAction::Add { name, .. } = &change.action {
                self.rename_bearers(room_id, name, change.account, now);
            }
        }
        match on_commit {
            OnCommit::Answer(connection, reply) => self.reply(connection, reply),
            OnCommit::Resume(connection, command) => self.retry(connection, *command),
            _ => (),
        }
        true
    }

    /// In their order, so that the same history makes the same changes.
    pub(super) fn all_rooms(&self) -> Vec<RoomId> {
        self.rooms.iter().map(|(slot, _)| RoomId(slot as u32)).collect()
    }

    /// Others came before it.
    pub(super) fn resolve_account(&mut self, change: AccountChange, on_commit: OnCommit) {
        match on_commit {
            OnCommit::Answer(connection, _) => {
                let refusal = match change.action {
                    AccountAction::Add { name, .. } => Refusal::NameClaimed { name },
                    _ => Refusal::PasswordWrong,
                };
                self.reply(connection, Reply::Refused { refusal, cid: None, is_answer: true });
            }
            OnCommit::Resume(connection, command) => {
                // Another request of the same person came first.
                if let AccountAction::Add { name, .. } = &change.action
                    && let Some(account) = self.account_named(name)
                {
                    self.accounts.note_proof(connection, account);
                }
                self.retry(connection, *command);
            }
            _ => (),
        }
    }

    /// Gives those in a room who bear a claimed name without right another one, and tells them: each the node at which it
    /// is.
    fn rename_bearers(&mut self, room_id: RoomId, name: &Name, account: AccountId, now: Now) {
        let keys = name.keys();
        for key in keys.each() {
            let room = self.room(room_id);
            let Some(bearer) = room.state.roster.holder_of(&key) else { continue };
            let standing = room.proposed.standing(bearer, &room.state.roster);
            let Some(Standing::Placed { name, has_entered, .. }) = standing else { continue };
            // It may be about to take another name anyway.
            let here = Membership { room: room_id, author: bearer };
            if room.account_of(bearer) != Some(account) && name.keys().overlaps(&keys) && self.is_ours(here) {
                self.rename_bearer(here, &name, has_entered, now);
            }
        }
    }

    /// What a member was to bear by right it does not, since the password was changed meanwhile, say: nor does it bear the
    /// name without right.
    pub(super) fn rename_unproven(&mut self, here: Membership, now: Now) {
        let room = self.room(here.room);
        let standing = room.proposed.standing(here.author, &room.state.roster);
        let Some(Standing::Placed { name, has_entered, .. }) = standing else { return };
        let owner = self.accounts.owner(&name.keys());
        if owner.is_some() && room.account_of(here.author) != owner && self.is_ours(here) {
            self.rename_bearer(here, &name, has_entered, now);
        }
    }

    fn rename_bearer(&mut self, here: Membership, name: &Name, has_entered: bool, now: Now) {
        let to = self.free_name(here.room, name);
        let room = self.room(here.room);
        let connection = match room.member(here.author).map(|member| member.presence) {
            Some(Presence::Here { connection, .. }) => Some(connection),
            _ => None,
        };
        // Whom the room was not told of has a place that is kept for a page: it comes under another name.
        if !has_entered {
            let _ = self.vacate(here, true, OnCommit::Nothing, now);
            return;
        }
        let Some(event) = room.make_event(here.author, Body::Nick { to: to.clone() }, now.wall_ms) else { return };
        let refusal = Refusal::NameLost { name: name.clone(), to };
        let notice = Reply::Refused { refusal, cid: None, is_answer: false };
        let told = connection.map_or(OnCommit::Nothing, |connection| OnCommit::Answer(connection, notice));
        self.propose(here.room, Change::Publish { event }, told);
    }

    /// `ana_1`, or the next that is free in this room.
    fn free_name(&self, room_id: RoomId, name: &Name) -> Name {
        let room = self.room(room_id);
        let is_free =
            |name: &Name| room.proposed.holder_of(&name.keys(), &room.state.roster).is_none() && !self.is_claimed(name);
        let numbered = (1u64..).filter_map(|number| {
            let suffix = format!("_{number}");
            let kept = MAX_CHARACTERS - suffix.len();
            let base: String = name.as_str().chars().take(kept).collect();
            // Where a cut leaves no name behind, any will do.
            Name::parse(&format!("{base}{suffix}")).or_else(|| Name::parse(&format!("guest{suffix}")))
        });
        numbered.into_iter().find(is_free).expect("there are more numbers than members")
    }

    /// What was shown of an account before holds no more: the session of a member that came by it ends, at the node at which
    /// it is.
    fn end_session(&mut self, here: Membership, now: Now, delivery: &mut dyn Delivery) {
        if !self.is_ours(here) {
            return;
        }
        if let Some(connection) = self.unsubscribe(here, delivery) {
            self.reply(connection, Reply::SessionEnded { membership: here });
        }
        let _ = self.vacate(here, true, OnCommit::Nothing, now);
    }

    /// The program may have ended between a claim and what follows from it.
    pub(super) fn restore_claims(&mut self, room_id: RoomId, authors: &[AuthorId], now: Now) {
        if self.accounts.is_empty() {
            return;
        }
        for &author in authors {
            let room = self.room(room_id);
            let Some(member) = room.member(author) else { continue };
            let (name, has_entered) = (member.name().clone(), member.has_entered);
            let owner = self.accounts.owner(&name.keys());
            let borne = room.account_of(author);
            // What nodes agree on is changed by what they agree on alone.
            if borne.is_some() && borne != owner && !self.is_shared() {
                self.room_mut(room_id).state.set_account(author, None);
            }
            if owner.is_some() && borne != owner {
                self.rename_bearer(Membership { room: room_id, author }, &name, has_entered, now);
            }
        }
    }
}
