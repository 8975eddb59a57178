//! When which connection is to be looked at again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::rooms::ConnectionId;

/// Connections by the time at which something may be due. A connection stands here at the earliest time it
/// was ever scheduled for; what is due is asked of the connection itself when that time comes, so moving a
/// deadline back, as every received byte does, costs nothing.
#[derive(Default)]
pub struct Deadlines {
    heap: BinaryHeap<Reverse<(u64, ConnectionId)>>,
}

impl Deadlines {
    /// Has the connection looked at, at this time (`Now::steady_ms`).
    pub fn schedule(&mut self, due_ms: u64, connection: ConnectionId) {
        self.heap.push(Reverse((due_ms, connection)));
    }

    /// The earliest time at which something may be due.
    pub fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((due_ms, _))| *due_ms)
    }

    /// Takes a connection whose time has come, and that time.
    pub fn take_due(&mut self, now_ms: u64) -> Option<(u64, ConnectionId)> {
        if self.next_ms()? > now_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| due)
    }
}
