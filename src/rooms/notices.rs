//! What nodes tell each other without changing anything: who types, and what was tried from which address, so that
//! nobody may try more by asking several nodes.

use super::command::Membership;
use super::{AccountId, Address, Attempt, Notice, Rooms};
use crate::time::Now;

impl Rooms {
    /// The next thing that the other nodes are to be told.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Has the other nodes told something, if there may be any.
    pub(super) fn tell_others(&mut self, notice: impl FnOnce(&Rooms) -> Notice) {
        if self.is_shared() {
            let notice = notice(self);
            self.notices.push_back(notice);
        }
    }

    /// Has the other nodes count something that was tried.
    pub(super) fn tell_attempt(&mut self, what: Attempt, address: Address) {
        self.tell_others(|_| Notice::Attempt { what, address });
    }

    /// Has the other nodes count a wrong password.
    pub fn tell_wrong_password(&mut self, account: Option<AccountId>, address: Address) {
        self.tell_attempt(Attempt::Password { account }, address);
    }

    /// Has the other nodes count a name that is claimed.
    pub fn tell_registration(&mut self, address: Address) {
        self.tell_attempt(Attempt::Registration, address);
    }

    /// Another node has told something.
    pub fn take_in_notice(&mut self, notice: &Notice, now: Now) {
        match *notice {
            Notice::Typing { epoch, author } => {
                let here = self.find_epoch(epoch).map(|room| Membership { room, author });
                if let Some(here) = here.filter(|here| self.check_may_speak(*here, now).is_ok()) {
                    self.encode_typing(here);
                }
            }
            Notice::Attempt { what, address } => {
                let counter = match what {
                    Attempt::UnknownCode => &mut self.unknown_codes,
                    Attempt::UnfamiliarCode => &mut self.unfamiliar_codes,
                    Attempt::Creation => &mut self.creations,
                    Attempt::Share => &mut self.shares,
                    // Counted by whoever compares and hashes passwords.
                    Attempt::Password { .. } | Attempt::Registration => return,
                };
                // If it is too often already, it is so here as well.
                let _ = counter.take(address, now.steady_ms);
            }
        }
    }
}
