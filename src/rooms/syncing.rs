//! Whoever was sent on to this node may know more of a room than this node does yet: what somebody asks for that is not
//! here is looked for once more when everything is here that was committed anywhere.

use super::command::{Caller, Command, ConnectionId, JoinTarget};
use super::paging::Resumed;
use super::room::Room;
use super::{Deadline, Epoch, FileId, Refusal, RoomCode, Rooms, SyncId, Token};
use crate::time::Now;

/// Nobody waits longer for that.
const LONGEST_WAIT_MS: u64 = 5_000;

/// Commands that wait for everything that was committed anywhere.
#[derive(Default)]
pub(super) struct Syncs {
    last: u64,
    /// Wanted, or under way.
    under_way: Option<(SyncId, bool)>,
    waiting: Vec<(ConnectionId, Command)>,
    /// Those that came when it was under way already: they wait for the next.
    next: Vec<(ConnectionId, Command)>,
}

/// What somebody asks for that may have been committed elsewhere.
struct Sought<'c> {
    code: RoomCode,
    token: Option<Token>,
    since: Option<(u64, Option<Epoch>)>,
    file: Option<&'c FileId>,
}

impl Rooms {
    /// Whether somebody asks for what is not here, and may be elsewhere. Whoever has asked for too many codes is told at
    /// once what it would be told anyway.
    pub(super) fn wants_sync(&self, caller: &Caller, command: &Command, now: Now) -> bool {
        if !self.is_shared() || self.is_journal_failing {
            return false;
        }
        let Some(sought) = sought(command) else { return false };
        let Some(&room) = self.codes.get(&sought.code) else {
            let may_ask = self.unknown_codes.check(caller.address, now.steady_ms).is_ok() || sought.file.is_some();
            return may_ask && !self.opening.contains_key(&sought.code);
        };
        let room = self.room(room);
        let is_strange = |token: Token| room.proposed.known_by(&token.hash(), &room.state.roster).is_none();
        sought.token.is_some_and(is_strange)
            || sought.since.is_some_and(|since| is_ahead(since, room))
            || sought.file.is_some_and(|file| room.state.history.files().find(*file).is_none())
    }

    /// Whether somebody knows more of a room than this node, which cannot ask the others. Let in here it would be told again
    /// what it knows: it has to wait, or to go to another node.
    pub(super) fn is_beyond(&self, command: &Command) -> bool {
        let Command::Join(_) = command else { return false };
        let Some(Sought { code, since: Some(since), .. }) = sought(command) else { return false };
        self.is_shared() && self.codes.get(&code).is_some_and(|&room| is_ahead(since, self.room(room)))
    }

    /// Has a command wait until everything is here that was committed anywhere.
    pub(super) fn await_sync(&mut self, connection: ConnectionId, command: Command, now: Now) {
        match self.syncs.under_way {
            // Not asked for yet.
            Some((_, false)) => self.syncs.waiting.push((connection, command)),
            Some((_, true)) => self.syncs.next.push((connection, command)),
            None => {
                self.syncs.waiting.push((connection, command));
                self.begin_sync(now.steady_ms);
            }
        }
    }

    fn begin_sync(&mut self, now_ms: u64) {
        self.syncs.last += 1;
        let sync = SyncId(self.syncs.last);
        self.syncs.under_way = Some((sync, false));
        self.deadlines.insert((now_ms + LONGEST_WAIT_MS, Deadline::Sync { sync }));
    }

    /// The next wait for everything that was committed anywhere.
    pub fn take_sync(&mut self) -> Option<SyncId> {
        let (sync, is_asked_for) = self.syncs.under_way.as_mut()?;
        if std::mem::replace(is_asked_for, true) {
            return None;
        }
        Some(*sync)
    }

    /// Everything that had been committed anywhere when this began was committed here.
    pub fn finish_sync(&mut self, sync: SyncId, now: Now) {
        self.end_sync(sync, true, now);
    }

    /// It takes too long, or the log is away. What was asked is answered as it can be.
    pub fn give_up_sync(&mut self, sync: SyncId, now: Now) {
        self.end_sync(sync, false, now);
    }

    fn end_sync(&mut self, sync: SyncId, has_all: bool, now: Now) {
        if self.syncs.under_way.is_none_or(|(under_way, _)| under_way != sync) {
            // It took too long.
            return;
        }
        self.syncs.under_way = None;
        for (connection, command) in std::mem::take(&mut self.syncs.waiting) {
            if !has_all && self.is_beyond(&command) {
                self.refuse_parked(connection, &command, Refusal::StorageFailed);
            } else {
                self.resumed.push_back(Resumed { connection, command, room: None, is_synced: true });
            }
        }
        if !self.syncs.next.is_empty() {
            self.syncs.waiting = std::mem::take(&mut self.syncs.next);
            self.begin_sync(now.steady_ms);
        }
    }

    /// Nothing is waited for any more. Returns what has waited.
    pub(super) fn abandon_syncs(&mut self) -> impl Iterator<Item = Command> + use<> {
        let Syncs { last, waiting, next, .. } = std::mem::take(&mut self.syncs);
        self.syncs.last = last;
        waiting.into_iter().chain(next).map(|(_, command)| command)
    }
}

/// Whether there is more than what the room has here.
fn is_ahead((since, epoch): (u64, Option<Epoch>), room: &Room) -> bool {
    since > room.last_id() && epoch.is_none_or(|epoch| epoch == room.epoch())
}

fn sought(command: &Command) -> Option<Sought<'_>> {
    let (code, token, since, file) = match command {
        Command::Join(join) => match join.target {
            JoinTarget::Code(code) | JoinTarget::CodeOrNew(code) => {
                (code, join.token, join.since.map(|since| (since, join.epoch)), None)
            }
            JoinTarget::New => return None,
        },
        Command::Reserve { target: JoinTarget::Code(code) | JoinTarget::CodeOrNew(code), token, .. }
        | Command::Visit { code, token }
        | Command::Describe { code, token }
        | Command::Search { code, token, .. } => (*code, *token, None, None),
        Command::Events { code, span, token } => (*code, *token, span.since.map(|since| (since, None)), None),
        Command::CheckShare(share) | Command::Share(share, _) => {
            let token = match share.sharer {
                super::Sharer::Member(token) => Some(token),
                super::Sharer::Guest(_) | super::Sharer::Nameless => None,
            };
            (share.code, token, None, None)
        }
        Command::FindFile { code, id } => (*code, None, None, Some(id)),
        _ => return None,
    };
    Some(Sought { code, token, since, file })
}
