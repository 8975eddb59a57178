//! One connection: its stream, what it has received and not understood yet, what it is still to be sent.

use std::io;

use super::memberships::Memberships;
use super::net::Stream;
use super::output_queue::{OutputQueue, SpareBuffers};
use super::session::Session;
use crate::http::metrics::CloseReason;
use crate::rooms::Address;
use crate::time::Now;

/// With more than this waiting in its output queue, a connection is not read from: it does not read its answers.
pub const INPUT_STOP_BYTES: u64 = 256 * 1024;

/// One that is sent a file, which may be slow to be read, has so long to take some of it.
pub const FILE_STALLED_MS: u64 = 60_000;

/// How much may wait for a connection that reads slowly, and for how long (as Redis bounds its clients' output).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputLimits {
    /// So many bytes may wait as long as some are taken now and then.
    pub soft_bytes: usize,
    /// With more than that, a connection that takes nothing for so long is too slow.
    pub stalled_ms: u64,
    /// So many bytes may never wait.
    pub hard_bytes: usize,
}

impl Default for OutputLimits {
    fn default() -> OutputLimits {
        OutputLimits { soft_bytes: 1 << 20, stalled_ms: 10_000, hard_bytes: 8 << 20 }
    }
}

/// How far a connection is on its way to being closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It is in use.
    Open,
    /// Its input is ignored; what is in the output queue is still sent.
    Draining,
    /// Everything is sent and the sending side has ended; the peer has yet to end its own, so that what was
    /// sent is not taken back by a reset.
    Lingering,
}

/// One connection.
pub struct Connection<S> {
    pub stream: S,
    pub session: Session,
    pub memberships: Memberships,
    /// Received, and not consumed by the session yet.
    pub pending: Pending,
    pub output: OutputQueue,
    /// Where it comes from, for counting: the peer's address, or the one behind it that a trusted proxy told.
    pub address: Address,
    /// The earliest time at which `Deadlines` will look at it; `u64::MAX`: none.
    pub scheduled_ms: u64,
    /// The end of a pause, or of closing; 0: neither.
    pub until_ms: u64,
    /// When bytes were last taken, or began to wait, in seconds of `Now::steady_ms`.
    pub progressed_s: u32,
    /// Distinguishes it from others that had its slot.
    pub generation: u32,
    pub phase: Phase,
    /// Why it is closed, once it is known that it will be.
    pub close_reason: Option<CloseReason>,
    /// The last write did not fill the send buffer.
    pub is_writable: bool,
    /// Nothing that is sent arrives any more: the peer is gone, though what it sent before may still be there.
    pub is_output_lost: bool,
    /// There may be something to read that no edge will announce again.
    pub is_readable: bool,
    /// The end of the input has been announced: reading goes on until it is seen.
    pub is_ending: bool,
    /// The end of the input has been seen.
    pub has_ended: bool,
    /// It ended by a failure: what was begun last may not be whole.
    pub is_broken: bool,
    /// The session has done all that it could with what is pending.
    pub needs_input: bool,
    /// The session sees no input until it has seen the answer to its command.
    pub awaits_reply: bool,
    /// It stands in the list of those to be received from.
    pub is_in_receive_queue: bool,
    /// It stands in the list of those to be flushed.
    pub is_in_flush_queue: bool,
}

/// Bytes that wait to be consumed: mostly none, and then a null pointer.
#[derive(Default)]
pub struct Pending(Option<Box<Box<[u8]>>>);

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn as_slice(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], |bytes| bytes)
    }

    /// Leaves none behind.
    pub fn take(&mut self) -> Vec<u8> {
        self.0.take().map_or_else(Vec::new, |bytes| bytes.into_vec())
    }
}

impl From<Vec<u8>> for Pending {
    fn from(bytes: Vec<u8>) -> Pending {
        Pending((!bytes.is_empty()).then(|| Box::new(bytes.into())))
    }
}

impl<S> Connection<S> {
    /// One that was just accepted, and is in no room.
    pub fn new(stream: S, session: Session, address: Address, generation: u32, now: Now) -> Connection<S> {
        Connection {
            stream,
            session,
            memberships: Memberships::None,
            pending: Pending::default(),
            output: OutputQueue::default(),
            address,
            scheduled_ms: u64::MAX,
            until_ms: 0,
            progressed_s: (now.steady_ms / 1000) as u32,
            generation,
            phase: Phase::Open,
            close_reason: None,
            is_writable: true,
            is_output_lost: false,
            is_readable: true,
            is_ending: false,
            has_ended: false,
            is_broken: false,
            needs_input: true,
            awaits_reply: false,
            is_in_receive_queue: false,
            is_in_flush_queue: false,
        }
    }
}

impl<S> Connection<S> {
    /// It is closed for this reason, unless there was one before.
    pub fn note_reason(&mut self, reason: CloseReason) {
        self.close_reason.get_or_insert(reason);
    }

    /// It is closed, for the reason that can be seen if none was told.
    pub fn note_end(&mut self) {
        self.note_reason(match &self.session {
            _ if self.is_broken || self.is_output_lost => CloseReason::Lost,
            _ if self.has_ended => CloseReason::Left,
            Session::Http(_) => CloseReason::Done,
            _ => CloseReason::Left,
        });
    }
}

impl<S: Stream> Connection<S> {
    /// Whether the session may be shown input now.
    pub fn listens(&self) -> bool {
        self.phase == Phase::Open
            && !self.awaits_reply
            && self.until_ms == 0
            && self.output.unsent_bytes() <= INPUT_STOP_BYTES
    }

    /// Whether it is one of those that agree on how they are encrypted. One that is closed before it has is none any more,
    /// whatever comes of what still arrives.
    pub fn is_in_handshake(&self) -> bool {
        self.phase == Phase::Open && self.stream.is_handshaking()
    }

    /// Whether more is to be read: only once the session has looked at all that is pending.
    pub fn reads(&self) -> bool {
        self.is_readable && (self.needs_input || self.pending.is_empty())
    }

    /// When it has to be looked at: the end of a pause, of closing, the session's own deadline, or when it has taken
    /// nothing of a file for too long.
    pub fn due_ms(&self) -> Option<u64> {
        let own = (self.until_ms > 0).then_some(self.until_ms);
        let session = if self.phase == Phase::Open { self.session.deadline_ms() } else { None };
        let is_sent_file = self.phase == Phase::Open && self.output.has_range();
        let stalled = is_sent_file.then_some(u64::from(self.progressed_s) * 1000 + FILE_STALLED_MS);
        own.into_iter().chain(session).chain(stalled).min()
    }

    /// Whether it was sent all that it was to be sent, or cannot be.
    pub fn is_drained(&self) -> bool {
        self.output.is_empty() && !self.stream.has_output() || self.is_output_lost || self.stream.is_handshaking()
    }

    /// Sends what the stream has of its own, the output queue and then `parts`, as much as the system takes. Returns how
    /// much of `parts` it took.
    ///
    /// Where the connection turns out to be broken, everything is taken, since nobody waits for it any more.
    pub fn send(&mut self, parts: &[&[u8]], now_ms: u64, spare: &mut SpareBuffers) -> usize {
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        let mut sent = 0;
        while self.is_writable {
            let before = self.output.unsent_bytes();
            let written = if self.stream.has_output() {
                self.stream.flush().map(|()| None)
            } else if self.output.is_empty() && sent == wanted || self.stream.is_handshaking() {
                break;
            } else if sent == 0 {
                self.output.write(&mut self.stream, parts, spare).map(Some)
            } else {
                let (first, rest) = rest_of(parts, sent);
                match rest {
                    [] => self.output.write(&mut self.stream, &[first], spare).map(Some),
                    _ => self.output.write(&mut self.stream, &[&[first], rest].concat(), spare).map(Some),
                }
            };
            match written {
                Ok(Some(0)) if before == self.output.unsent_bytes() => self.lose_output(),
                Ok(count) => {
                    sent += count.unwrap_or(0);
                    self.note_progress(now_ms);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_writable = false;
                    // What waits from here on has not waited before.
                    self.note_progress(now_ms);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => {
                    // A reset is told once. Behind it a read sees an end, which is not that of the last line.
                    self.is_broken |= error.kind() != io::ErrorKind::BrokenPipe;
                    self.lose_output();
                }
            }
        }
        if self.is_output_lost { wanted } else { sent }
    }

    /// Something was taken of what waits, or begins to wait.
    pub fn note_progress(&mut self, now_ms: u64) {
        let now_s = (now_ms / 1000) as u32;
        // Written seldom: a cache line that was only read is not written back.
        if self.progressed_s != now_s {
            self.progressed_s = now_s;
        }
    }

    /// The peer is gone: nothing is sent any more. What it sent before is still read, and carried out.
    pub fn lose_output(&mut self) {
        self.is_output_lost = true;
        self.is_writable = false;
        self.is_readable = true;
        self.output.clear();
    }

    /// For how long nothing was taken of what waits.
    pub fn stalled_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(u64::from(self.progressed_s) * 1000)
    }
}

/// What of `parts` follows after so many bytes: the rest of one, and those behind it.
fn rest_of<'p, 'b>(parts: &'p [&'b [u8]], mut skipped: usize) -> (&'b [u8], &'p [&'b [u8]]) {
    for (index, part) in parts.iter().enumerate() {
        if skipped < part.len() {
            return (&part[skipped..], &parts[index + 1..]);
        }
        skipped -= part.len();
    }
    (&[], &[])
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};
    use std::io::Cursor;

    use super::super::output_queue::Range;
    use super::*;
    use crate::http::Http;

    struct File;

    impl Range for File {
        fn length_bytes(&self) -> u64 {
            1_000_000
        }

        fn load(&mut self, _: u64, _: &mut Vec<u8>) -> io::Result<()> {
            Ok(())
        }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn why_it_is_closed_takes_no_memory() {
        assert_eq!(size_of::<Connection<u64>>(), 144, "there was room for it beside the other flags");
    }

    #[test]
    fn who_is_sent_a_file_has_a_minute_to_take_some_of_it_whatever_its_session_allows() {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let http = Http::new(Some(address), address, Now { steady_ms: 3_600_000, wall_ms: 0 });
        let session = Session::Http(Box::new(http));
        let now = Now { steady_ms: 0, wall_ms: 0 };
        let mut connection = Connection::new(Cursor::new(Vec::new()), session, Address::from(address), 0, now);
        let idle_until_ms = connection.due_ms().expect("it does not stay for ever");
        connection.output.push_range(Box::new(File));
        assert_eq!(connection.due_ms(), Some(60_000));
        connection.note_progress(50_000);
        assert_eq!(connection.due_ms(), Some(110_000));
        connection.output.clear();
        assert_eq!(connection.due_ms(), Some(idle_until_ms));
    }
}
