//! One connection: its stream, what it has received and not understood yet, what it is still to be sent.

use std::io::{self, Write};

use super::net::write_both;
use super::session::Session;
use crate::rooms::{Address, Membership};

/// Answers waiting beyond this stop the connection's input: who does not read is not listened to.
pub const OUTBOX_LIMIT_BYTES: usize = 256 * 1024;

/// How far a connection is on its way to being closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It is in use.
    Open,
    /// Nothing is listened to any more; what is in the outbox is still sent.
    Draining,
    /// Everything is sent and the sending side has ended; the peer has yet to end its own, so that what was
    /// sent is not taken back by a reset.
    Lingering,
}

/// One connection.
pub struct Connection<S> {
    pub stream: S,
    pub session: Session,
    pub membership: Option<Membership>,
    /// Received, and not consumed by the session yet.
    pub pending: Box<[u8]>,
    pub outbox: Outbox,
    /// Where it comes from, for counting: the peer's address, or the one behind it that a trusted proxy told.
    pub address: Address,
    /// The earliest time at which `Deadlines` will look at it; `u64::MAX`: none.
    pub scheduled_ms: u64,
    /// The end of a pause, or of closing; 0: neither.
    pub until_ms: u64,
    /// Distinguishes it from others that had its slot.
    pub generation: u32,
    pub phase: Phase,
    /// The last write did not fill the send buffer.
    pub is_writable: bool,
    /// There may be something to read that no edge will announce again.
    pub is_readable: bool,
    /// The end of the input has been announced: reading goes on until it is seen.
    pub is_ending: bool,
    /// The end of the input has been seen.
    pub has_ended: bool,
    /// The session sees no input until it has seen the answer to its command.
    pub awaits_reply: bool,
    /// It stands in the list of those to be received from.
    pub is_in_receive_queue: bool,
    /// It stands in the list of those to be flushed.
    pub is_in_flush_queue: bool,
}

impl<S: Write> Connection<S> {
    /// Whether the session may be shown input now.
    pub fn listens(&self) -> bool {
        self.phase == Phase::Open && !self.awaits_reply && self.until_ms == 0 && self.outbox.len() <= OUTBOX_LIMIT_BYTES
    }

    /// Whether it could do something with what it has, or may have, received.
    pub fn has_input(&self) -> bool {
        self.is_readable || !self.pending.is_empty() || self.has_ended
    }

    /// When it has to be looked at: the end of a pause, of closing, or the session's own deadline.
    pub fn due_ms(&self) -> Option<u64> {
        let own = (self.until_ms > 0).then_some(self.until_ms);
        let session = if self.phase == Phase::Open { self.session.deadline_ms() } else { None };
        own.into_iter().chain(session).min()
    }

    /// Sends the outbox and then `bytes`, as much as the system takes. Returns how much of `bytes` it took.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while self.is_writable && !(self.outbox.is_empty() && sent == bytes.len()) {
            match write_both(&mut self.stream, self.outbox.unsent(), &bytes[sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += self.outbox.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}

/// Bytes for one connection alone, before whatever comes from its room's log. Empty, it is a null pointer:
/// most connections wait for something most of the time.
#[derive(Default)]
pub struct Outbox(Option<Box<Unsent>>);

struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Moves `bytes` behind what is there.
    pub fn take_in(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.0 {
            Some(unsent) => unsent.bytes.append(bytes),
            None => self.0 = Some(Box::new(Unsent { bytes: std::mem::take(bytes), sent: 0 })),
        }
    }

    /// Bytes not sent yet.
    pub fn len(&self) -> usize {
        self.unsent().len()
    }

    /// Whether everything is sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn unsent(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |unsent| &unsent.bytes[unsent.sent..])
    }

    /// Notes that `count` bytes were taken; returns how many of them were none of the outbox's.
    fn advance(&mut self, count: usize) -> usize {
        let Some(unsent) = &mut self.0 else { return count };
        let own = count.min(unsent.bytes.len() - unsent.sent);
        unsent.sent += own;
        if unsent.sent == unsent.bytes.len() {
            self.0 = None;
        }
        count - own
    }
}
