//! Whoever watches over the program is told that the loop turns, and how things are.

use super::Reactor;
use super::net::Net;
use crate::journal::Journal;

/// How the program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Members with a place.
    pub members: usize,
    /// Living rooms.
    pub rooms: usize,
}

/// Watches over the program: it is called by the loop itself, so a loop that hangs says nothing.
pub trait Observer {
    /// When it wants to be called at the latest (`Now::steady_ms`), if it does.
    fn due_ms(&self) -> Option<u64>;

    /// A turn is over. `is_stopping`: the program was asked to stop. `condition` costs something to find out.
    fn observe(&mut self, now_ms: u64, is_stopping: bool, condition: &dyn Fn() -> Condition);
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Who watches over the program.
    pub fn set_observer(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    pub(super) fn tell_observer(&mut self) {
        let Some(observer) = &mut self.observer else { return };
        let (rooms, is_stopping) = (&self.rooms, self.stopping.is_some());
        observer.observe(self.now.steady_ms, is_stopping, &|| {
            let counts = rooms.counts();
            Condition { members: counts.members, rooms: counts.rooms }
        });
    }
}
