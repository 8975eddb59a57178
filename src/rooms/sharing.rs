//! Files that are shared: who may, what is proposed, and which files are no event's any more.
//!
//! A file's bytes lie elsewhere; here it is what a message has beside its text.

use super::change::{Change, OnCommit};
use super::command::{Caller, Membership, Refusal, Reply, Share, Sharer};
use super::proposed::Standing;
use super::roster::Known;
use super::{
    Attempt, AuthorId, Body, Deadline, Event, FileId, MessageKey, Name, RoomCode, RoomId, Rooms, SharedFile, Token,
};
use crate::time::Now;

/// Files that are shared from one address in a minute.
pub(super) const SHARES: u32 = 60;

/// What was refused, and has not come back after so long, does not.
const COMES_BACK_MS: u64 = 60_000;

/// What those are called who share a file without a name.
const GUEST: &str = "guest";

/// As whom slow mode counts all guests together, since each has a number of its own: no member has this one.
const GUESTS: AuthorId = AuthorId(0);

/// As whom a file is shared.
enum ShareAuthor {
    Member(Membership),
    Guest(RoomId, Name),
}

impl ShareAuthor {
    /// As whom slow mode counts it.
    fn speaker(&self) -> Membership {
        match self {
            ShareAuthor::Member(here) => *here,
            ShareAuthor::Guest(room, _) => Membership { room: *room, author: GUESTS },
        }
    }
}

impl Rooms {
    /// Tells whether a file may be shared, before it is sent.
    pub(super) fn check_share(&mut self, caller: &Caller, share: &Share, now: Now) -> Result<(), Refusal> {
        let author = self.share_author(caller, share, now)?;
        if self.answer_shared(caller, share, &author)? {
            return Ok(());
        }
        self.check_may_share(&author, now)?;
        self.check_slow_mode(author.speaker(), now)?;
        let counted = self.shares.take(caller.address, now.steady_ms);
        counted.map_err(|retry_ms| Refusal::RateLimited { retry_ms })?;
        self.tell_attempt(Attempt::Share, caller.address);
        self.reply(caller.connection, Reply::ShareAllowed);
        Ok(())
    }

    /// Shares a file that is stored.
    pub(super) fn share(&mut self, caller: &Caller, share: Share, file: SharedFile, now: Now) -> Result<(), Refusal> {
        let author = self.share_author(caller, &share, now)?;
        if self.answer_shared(caller, &share, &author)? {
            self.release_unshared(Some(file.id));
            return Ok(());
        }
        self.check_may_share(&author, now)?;
        let speaker = author.speaker();
        let (cid, text) = (share.cid.clone(), share.text.clone());
        let on_commit = OnCommit::TellShared(caller.connection, Box::new((share, file.clone())));
        match author {
            ShareAuthor::Member(here) => {
                let body = Body::shared(file, text, cid);
                let event = self.room(here.room).make_event(here.author, body, now.wall_ms);
                let event = event.ok_or(Refusal::NotJoined)?;
                self.count_in_slow_mode(speaker, now)?;
                self.propose(here.room, Change::Publish { event }, on_commit);
            }
            ShareAuthor::Guest(room_id, name) => {
                self.count_in_slow_mode(speaker, now)?;
                let (id, time_ms, via, body) = (0, now.wall_ms, caller.via, Body::shared(file, text, None));
                let room = self.room(room_id);
                let author = room.proposed.new_author(&room.state.roster);
                let author = author.ok_or(Refusal::RoomFull { code: room.code() })?;
                let event = Event { id, time_ms, name, via, author, body };
                self.propose(room_id, Change::PublishOfGuest { event }, on_commit);
            }
        }
        Ok(())
    }

    /// The file with this id, if it was shared in this room. Who asks for one of a room that is none learns no more.
    pub(super) fn find_file(&self, code: RoomCode, id: FileId) -> Result<Reply, Refusal> {
        let room = self.codes.get(&code).ok_or(Refusal::NoSuchFile)?;
        let file = self.room(*room).state.history.files().find(id).ok_or(Refusal::NoSuchFile)?;
        Ok(Reply::FileFound { file: file.clone() })
    }

    // ---- who shares

    fn share_author(&mut self, caller: &Caller, share: &Share, now: Now) -> Result<ShareAuthor, Refusal> {
        let token = match share.sharer {
            Sharer::Member(token) => Some(token),
            Sharer::Guest(_) | Sharer::Nameless => None,
        };
        let room = self.find_open(share.code, token, caller.address, now)?;
        if let Some(token) = token {
            let here = self.member_with(room, token).ok_or(Refusal::NotJoined)?;
            let found = self.room(room);
            let Some(Standing::Placed { name, has_entered: true, .. }) =
                found.proposed.standing(here.author, &found.state.roster)
            else {
                return Err(Refusal::NotJoined);
            };
            self.check_name(&name, found.account_of(here.author), self.accounts.proof(caller.connection))?;
            return Ok(ShareAuthor::Member(here));
        }
        let name = match &share.sharer {
            Sharer::Guest(name) => name.clone(),
            _ => self.free_guest_name(room, now)?,
        };
        self.check_admittance(room, Some(&name), None, share.key.as_ref(), caller, now)?;
        self.check_guest_name(room, &name)?;
        Ok(ShareAuthor::Guest(room, name))
    }

    /// The member that shows this secret.
    fn member_with(&self, room_id: RoomId, token: Token) -> Option<Membership> {
        let room = self.room(room_id);
        match room.proposed.known_by(&token.hash(), &room.state.roster)? {
            Known::Member(author) => Some(Membership { room: room_id, author }),
            Known::Departed { .. } => None,
        }
    }

    /// Refuses a name that somebody has in the room, or has claimed.
    fn check_guest_name(&self, room_id: RoomId, name: &Name) -> Result<(), Refusal> {
        self.check_name(name, None, None)?;
        if self.is_claimed(name) {
            return Err(Refusal::PasswordRequired { name: name.clone() });
        }
        let room = self.room(room_id);
        match room.proposed.holder_of(&name.keys(), &room.state.roster) {
            Some(_) => Err(Refusal::NameTaken { name: name.clone(), code: room.code() }),
            None => Ok(()),
        }
    }

    fn free_guest_name(&self, room: RoomId, now: Now) -> Result<Name, Refusal> {
        self.check_strangers_may_look()?;
        let named = |number: u32| Name::parse(&format!("{GUEST}_{number}"));
        let names = Name::parse(GUEST).into_iter().chain((1..).map_while(named));
        let is_free = |name: &Name| {
            self.check_guest_name(room, name).is_ok() && self.check_name_is_not_banned(room, name, now).is_ok()
        };
        names.into_iter().find(is_free).ok_or(Refusal::NameRequired)
    }

    fn check_may_share(&self, author: &ShareAuthor, now: Now) -> Result<(), Refusal> {
        self.check_journal()?;
        match author {
            ShareAuthor::Member(here) => self.check_may_speak(*here, now),
            ShareAuthor::Guest(room, name) => self.check_guest_may_speak(*room, name, now),
        }
    }

    // ---- what was shared before

    /// Who shares this under which client id, if it is a member who may have shared it before.
    pub(super) fn shared_before<'a>(&self, share: &'a Share) -> Option<(Membership, &'a MessageKey)> {
        let (Sharer::Member(token), Some(key)) = (&share.sharer, &share.cid) else { return None };
        let here = self.member_with(*self.codes.get(&share.code)?, *token)?;
        Some((here, key))
    }

    /// Answers what was shared already under this client id. Returns whether it was.
    fn answer_shared(&mut self, caller: &Caller, share: &Share, author: &ShareAuthor) -> Result<bool, Refusal> {
        let (ShareAuthor::Member(here), Some(key)) = (author, &share.cid) else { return Ok(false) };
        let room = self.room(here.room);
        if room.proposed.is_being_said(here.author, key) {
            // Others have come in between while this waited for the ones before.
            return Err(Refusal::RateLimited { retry_ms: 1_000 });
        }
        let Some(id) = room.event_shared(here.author, key) else { return Ok(false) };
        let file = room.state.history.files().shared_by(id).ok_or(Refusal::NoSuchFile)?;
        let (code, file) = (room.code(), Box::new(file.clone()));
        self.reply(caller.connection, Reply::Shared { code, file, id, is_new: false });
        Ok(true)
    }

    // ---- which files there are

    /// A file that was to be shared, and was not, unless it has been before.
    pub(super) fn release_unshared(&mut self, file: Option<FileId>) {
        let Some(file) = file else { return };
        let is_shared = |(_, room): (usize, &super::Room)| room.state.history.files().find(file).is_some();
        if !self.rooms.iter().any(is_shared) {
            self.released_files.push_back(file);
        }
    }

    /// The sharing of a file is refused. A log of several nodes may have it all the same: then it comes back.
    pub(super) fn release_refused_later(&mut self, file: FileId, now: Now) {
        if self.is_shared() {
            self.deadlines.insert((now.steady_ms + COMES_BACK_MS, Deadline::Unshared { file }));
        } else {
            self.released_files.push_back(file);
        }
    }

    /// It has not come back, unless nothing comes at this time.
    pub(super) fn release_refused(&mut self, file: FileId, now: Now) {
        if self.is_journal_failing {
            self.release_refused_later(file, now);
        } else {
            self.release_unshared(Some(file));
        }
    }

    /// The next file that is no event's any more: its bytes can be removed.
    pub fn take_released_file(&mut self) -> Option<FileId> {
        self.released_files.pop_front()
    }

    /// All files of which the events are kept.
    pub fn files(&self) -> impl Iterator<Item = &SharedFile> {
        self.rooms.iter().flat_map(|(_, room)| room.state.history.files().iter()).map(|(_, file)| file)
    }
}
