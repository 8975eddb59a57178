//! A room's bytes on their way out, once for each encoder, however many read them.
//!
//! A reader is a position in these bytes, always between two entries: where a write stops within an entry, the rest of
//! that entry goes to the connection's own output queue. What everybody has read is released.

use std::collections::VecDeque;

use slab::Slab;

use super::{Address, ConnectionId};

/// An unused buffer up to this size is kept for the next turn; beyond it, memory goes back.
const KEPT_CAPACITY_BYTES: usize = 2048;

/// What a write costs beside its bytes, in bytes: a system call takes about as long as copying so many.
pub(super) const WRITE_COST_BYTES: usize = 2048;

/// Where entries go: to connections, each of which has an output queue of its own.
pub trait Delivery {
    /// Sends these bytes, after what is in the connection's output queue, as far as they are taken at this time.
    /// Returns how many of them were.
    fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize;

    /// Puts a whole entry into the connection's output queue.
    fn queue(&mut self, connection: ConnectionId, entry: &[u8]);

    /// Puts the rest of an entry that the last [`write`](Self::write) has begun into the connection's output queue,
    /// which is empty.
    fn queue_rest(&mut self, connection: ConnectionId, rest: &[u8]) {
        self.queue(connection, rest);
    }

    /// Where the connection comes from, for keeping its member out; `None`: that is not known.
    fn address_of(&self, connection: ConnectionId) -> Option<Address> {
        let _ = connection;
        None
    }
}

/// A connection that is behind in reading a room, although it was just written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlowConsumer {
    /// Which connection.
    pub connection: ConnectionId,
    /// How many bytes of the room's log wait for it.
    pub behind_bytes: usize,
}

/// Identifies a reader within its log.
pub(super) type ReaderId = u32;

/// One encoding of a room's events, and who is being sent it.
#[derive(Default)]
pub(super) struct BroadcastLog {
    /// Encoded entries, the oldest first.
    bytes: Vec<u8>,
    /// Position of the first byte that is held, counted from the room's beginning.
    start: u64,
    /// Positions at which the held entries end.
    entry_ends: VecDeque<u64>,
    /// Entries that one reader is not to be sent, the oldest first.
    exceptions: VecDeque<Exception>,
    readers: Slab<Reader>,
    /// Who is written to first in a round. It changes with each: in a fixed order the same readers would always be
    /// the last.
    first: usize,
    /// Where the round goes on that ran out of its budget: whether it is past the last slot, and the slot.
    resumes_at: Option<(bool, usize)>,
    /// What was appended before this position has been offered to everybody once.
    offered_until: u64,
    /// Where the log ended when the round began: what came since may not have been offered to the first of it.
    round_end: u64,
}

struct Reader {
    connection: ConnectionId,
    cursor: u64,
    /// Some of the exceptions behind the cursor may be this reader's.
    has_exceptions: bool,
}

#[derive(Clone, Copy)]
struct Exception {
    start: u64,
    end: u64,
    reader: ReaderId,
}

impl BroadcastLog {
    /// Whether nobody reads this encoding, so that nothing need be encoded.
    pub fn is_unread(&self) -> bool {
        self.readers.is_empty()
    }

    /// How many read it.
    pub fn reader_count(&self) -> usize {
        self.readers.len()
    }

    /// Starts reading here: the new reader is sent what is appended from now on.
    pub fn subscribe(&mut self, connection: ConnectionId) -> ReaderId {
        let cursor = self.end();
        self.readers.insert(Reader { connection, cursor, has_exceptions: false }) as ReaderId
    }

    /// Ends reading; what the reader was still to be sent goes to its connection's output queue.
    pub fn unsubscribe(&mut self, reader: ReaderId, delivery: &mut dyn Delivery) {
        self.queue_unread(reader, delivery);
        self.drop_reader(reader);
    }

    /// Ends reading, for a connection that is gone.
    pub fn drop_reader(&mut self, reader: ReaderId) {
        self.readers.remove(reader as usize);
        self.exceptions.retain(|exception| exception.reader != reader);
        if self.readers.is_empty() {
            self.release_before(self.end());
            self.resumes_at = None;
        }
    }

    /// Moves the reader to the end; what it was still to be sent goes to its connection's output queue.
    pub fn queue_unread(&mut self, reader: ReaderId, delivery: &mut dyn Delivery) {
        let (end, cursor) = (self.end(), self.readers[reader as usize].cursor);
        if cursor == end {
            return;
        }
        let connection = self.readers[reader as usize].connection;
        let first = self.entry_ends.partition_point(|&entry_end| entry_end <= cursor);
        let from = self.exceptions.partition_point(|exception| exception.start < cursor);
        let own = self.exceptions.range(from..).filter(|exception| exception.reader == reader);
        let mut own = own.peekable();
        let mut start = cursor;
        for &entry_end in self.entry_ends.range(first..) {
            if own.next_if(|exception| exception.start == start).is_none() {
                delivery.queue(connection, self.held(start, entry_end));
            }
            start = entry_end;
        }
        self.skip_unread(reader);
    }

    /// Moves the reader to the end, past what it is not to be sent any more.
    pub fn skip_unread(&mut self, reader: ReaderId) {
        let end = self.end();
        let reader = &mut self.readers[reader as usize];
        (reader.cursor, reader.has_exceptions) = (end, false);
    }

    /// Appends what `encode` writes, as one entry; nothing, if it writes nothing. `except` is not to be sent it.
    pub fn append(&mut self, except: Option<ReaderId>, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.end();
        encode(&mut self.bytes);
        let end = self.end();
        if start == end {
            return;
        }
        self.entry_ends.push_back(end);
        if let Some(reader) = except {
            self.readers[reader as usize].has_exceptions = true;
            self.exceptions.push_back(Exception { start, end, reader });
        }
    }

    /// The position behind the last byte.
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn held(&self, start: u64, end: u64) -> &[u8] {
        &self.bytes[(start - self.start) as usize..(end - self.start) as usize]
    }

    /// Bytes that are held for somebody.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that not everybody has been offered yet.
    pub fn fresh_bytes(&self) -> usize {
        (self.end() - self.offered_until) as usize
    }

    /// Offers readers what they have not been sent, one after the other, as long as `budget_bytes` last, and releases
    /// what everybody has read. Whoever is then more than `limit_bytes` behind is added to `slow`.
    ///
    /// Returns whether everybody was offered everything; else it goes on with the next call.
    pub fn flush(
        &mut self,
        budget_bytes: &mut usize,
        limit_bytes: usize,
        delivery: &mut impl Delivery,
        slow: &mut Vec<SlowConsumer>,
    ) -> bool {
        let end = self.end();
        let first = self.first;
        if self.resumes_at.is_none() {
            self.round_end = end;
        }
        let (resumes_past_last, resumes_at) = self.resumes_at.take().unwrap_or_default();
        let mut parts = Vec::new();
        for is_past_last in [false, true] {
            if resumes_past_last && !is_past_last {
                continue;
            }
            for (slot, reader) in &mut self.readers {
                let is_done = is_past_last == resumes_past_last && slot < resumes_at;
                if (slot < first) != is_past_last || is_done || reader.cursor == end {
                    continue;
                }
                if *budget_bytes == 0 {
                    self.resumes_at = Some((is_past_last, slot));
                    return false;
                }
                let (bytes, start) = (&self.bytes, self.start);
                let held = |from: u64, until: u64| &bytes[(from - start) as usize..(until - start) as usize];
                // Whole entries only, and no more of them than the budget allows.
                let mut until = end;
                if (end - reader.cursor) as usize > *budget_bytes {
                    let wanted = reader.cursor + *budget_bytes as u64;
                    until = self.entry_ends[self.entry_ends.partition_point(|&entry_end| entry_end < wanted)];
                }
                let position = if reader.has_exceptions {
                    let from = self.exceptions.partition_point(|exception| exception.start < reader.cursor);
                    let ahead = self.exceptions.range(from..).take_while(|exception| exception.start < until);
                    let skipped = ahead.filter(|exception| exception.reader as usize == slot);
                    parts.clear();
                    let mut from = reader.cursor;
                    for exception in skipped {
                        parts.push((from, exception.start));
                        from = exception.end;
                    }
                    parts.push((from, until));
                    parts.retain(|(from, until)| from < until);
                    let slices: Vec<&[u8]> = parts.iter().map(|&(from, until)| held(from, until)).collect();
                    let mut taken = if slices.is_empty() { 0 } else { delivery.write(reader.connection, &slices) };
                    let mut position = until;
                    for &(from, until) in &parts {
                        let part = (until - from) as usize;
                        if taken < part {
                            position = from + taken as u64;
                            break;
                        }
                        taken -= part;
                    }
                    position
                } else {
                    reader.cursor + delivery.write(reader.connection, &[held(reader.cursor, until)]) as u64
                };
                let sent_bytes = (position - reader.cursor) as usize;
                *budget_bytes = budget_bytes.saturating_sub(sent_bytes + WRITE_COST_BYTES);
                reader.cursor = position;
                if position == until {
                    if until < end {
                        self.resumes_at = Some((is_past_last, slot));
                        return false;
                    }
                    reader.has_exceptions = false;
                    continue;
                }
                let next = self.entry_ends.partition_point(|&entry_end| entry_end < position);
                let is_within_entry = position != start && self.entry_ends[next] != position;
                if sent_bytes > 0 && is_within_entry {
                    let entry_end = self.entry_ends[next];
                    delivery.queue_rest(reader.connection, held(position, entry_end));
                    reader.cursor = entry_end;
                }
                let behind_bytes = (end - reader.cursor) as usize;
                if behind_bytes > limit_bytes {
                    slow.push(SlowConsumer { connection: reader.connection, behind_bytes });
                }
            }
        }
        // Nearly the golden section, which lets everybody's turn come soon. Slots of those who left may be empty.
        let slots = self.readers.iter().next_back().map_or(1, |(last, _)| last + 1);
        self.first = (first + slots * 5 / 8 + 1) % slots;
        self.offered_until = self.round_end;
        let slowest = self.readers.iter().map(|(_, reader)| reader.cursor).min().unwrap_or(end);
        self.release_before(slowest);
        self.round_end == end
    }

    /// Forgets the entries that end at or before `position`.
    fn release_before(&mut self, position: u64) {
        if position == self.end() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY_BYTES);
            self.entry_ends.clear();
            self.entry_ends.shrink_to(64);
            self.exceptions.clear();
            self.exceptions.shrink_to(64);
            self.start = position;
            self.offered_until = position;
            return;
        }
        // Moving the rest down costs as much as it holds: only done when at least half is released.
        let ended = self.entry_ends.partition_point(|&entry_end| entry_end <= position);
        let Some(&start) = ended.checked_sub(1).and_then(|last| self.entry_ends.get(last)) else { return };
        if (start - self.start) as usize >= self.bytes.len() / 2 {
            self.bytes.drain(..(start - self.start) as usize);
            self.entry_ends.drain(..ended);
            self.exceptions.retain(|exception| exception.start >= start);
            self.start = start;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    /// Connections that take so many bytes each, and then no more.
    #[derive(Default)]
    struct Network {
        room_bytes: HashMap<u64, usize>,
        queued: HashMap<u64, Vec<u8>>,
        sent: HashMap<u64, Vec<u8>>,
    }

    impl Network {
        fn with_room(bytes: usize) -> Network {
            Network { room_bytes: (0..10).map(|connection| (connection, bytes)).collect(), ..Network::default() }
        }

        fn sent(&self, connection: u64) -> String {
            let sent = self.sent.get(&connection).map_or(&[][..], Vec::as_slice);
            String::from_utf8_lossy(sent).into_owned()
        }

        fn take(&mut self, connection: u64, bytes: &[u8]) -> usize {
            let room = self.room_bytes.entry(connection).or_default();
            let taken = bytes.len().min(*room);
            *room -= taken;
            self.sent.entry(connection).or_default().extend(&bytes[..taken]);
            taken
        }

        fn send_queued(&mut self, connection: u64) {
            let mut queued = self.queued.remove(&connection).unwrap_or_default();
            queued.drain(..self.take(connection, &queued));
            if !queued.is_empty() {
                self.queued.insert(connection, queued);
            }
        }
    }

    impl Delivery for Network {
        fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize {
            self.send_queued(connection.0);
            if self.queued.contains_key(&connection.0) {
                return 0;
            }
            parts.iter().map(|part| self.take(connection.0, part)).sum()
        }

        fn queue(&mut self, connection: ConnectionId, entry: &[u8]) {
            self.queued.entry(connection.0).or_default().extend(entry);
        }
    }

    fn append(log: &mut BroadcastLog, entry: &str) {
        log.append(None, |bytes| bytes.extend_from_slice(entry.as_bytes()));
    }

    fn flush(log: &mut BroadcastLog, network: &mut Network) -> Vec<SlowConsumer> {
        let mut slow = Vec::new();
        assert!(log.flush(&mut usize::MAX.clone(), 8, network, &mut slow));
        slow
    }

    #[test]
    fn a_reader_gets_what_comes_after_it() {
        let (mut log, mut network) = (BroadcastLog::default(), Network::with_room(100));
        log.subscribe(ConnectionId(1));
        append(&mut log, "one ");
        log.subscribe(ConnectionId(2));
        append(&mut log, "two ");
        assert_eq!(log.fresh_bytes(), 8);
        assert_eq!(flush(&mut log, &mut network), []);
        assert_eq!((network.sent(1), network.sent(2)), ("one two ".into(), "two ".into()));
        assert_eq!((log.held_bytes(), log.fresh_bytes()), (0, 0));
    }

    #[test]
    fn the_rest_of_an_entry_goes_to_the_queue_and_nothing_comes_between() {
        let (mut log, mut network) = (BroadcastLog::default(), Network::with_room(2));
        let reader = log.subscribe(ConnectionId(1));
        append(&mut log, "first ");
        append(&mut log, "second ");
        let _ = flush(&mut log, &mut network);
        assert_eq!(network.queued[&1], b"rst ");
        log.queue_unread(reader, &mut network);
        assert_eq!(network.queued[&1], b"rst second ");
        log.unsubscribe(reader, &mut network);
        assert_eq!(log.held_bytes(), 0);
    }

    #[test]
    fn who_is_behind_is_told_of_after_it_was_written_to() {
        let (mut log, mut network) = (BroadcastLog::default(), Network::with_room(4));
        let reader = log.subscribe(ConnectionId(1));
        append(&mut log, "one ");
        append(&mut log, "twelve bytes");
        assert_eq!(flush(&mut log, &mut network), [SlowConsumer { connection: ConnectionId(1), behind_bytes: 12 }]);
        log.skip_unread(reader);
        assert_eq!(flush(&mut log, &mut network), []);
        assert_eq!((log.held_bytes(), network.sent(1)), (0, "one ".into()));
    }

    #[test]
    fn an_exception_holds_for_one_reader() {
        let (mut log, mut network) = (BroadcastLog::default(), Network::with_room(100));
        let own = log.subscribe(ConnectionId(1));
        let other = log.subscribe(ConnectionId(2));
        for (except, entry) in [(None, "a "), (Some(own), "b "), (Some(own), "c "), (Some(other), "d "), (None, "e ")] {
            log.append(except, |bytes| bytes.extend_from_slice(entry.as_bytes()));
        }
        log.queue_unread(other, &mut network);
        let _ = flush(&mut log, &mut network);
        network.send_queued(2);
        assert_eq!((network.sent(1), network.sent(2)), ("a d e ".into(), "a b c e ".into()));
        assert!(log.exceptions.is_empty());
    }

    #[test]
    fn a_round_goes_on_where_its_budget_ended() {
        let (mut log, mut network) = (BroadcastLog::default(), Network::with_room(1000));
        for connection in 0..5 {
            log.subscribe(ConnectionId(connection));
        }
        append(&mut log, "hello ");
        let mut rounds = 0;
        while !log.flush(&mut 1, 8, &mut network, &mut Vec::new()) {
            rounds += 1;
            append(&mut log, "more ");
            assert!(rounds < 100, "everybody's turn comes");
            if rounds > 3 {
                let _ = log.flush(&mut usize::MAX.clone(), 8, &mut network, &mut Vec::new());
            }
        }
        let _ = flush(&mut log, &mut network);
        assert!((1..5).all(|connection| network.sent(connection) == network.sent(0)));
    }

    #[test]
    fn nobody_is_always_the_first_where_others_have_left() {
        let (mut log, mut network) = (BroadcastLog::default(), Network::with_room(1000));
        let readers: Vec<ReaderId> = (0..10).map(|connection| log.subscribe(ConnectionId(connection))).collect();
        readers[..6].iter().for_each(|&reader| log.drop_reader(reader));
        let mut first = HashSet::new();
        for _ in 0..20 {
            append(&mut log, "hello ");
            // As far as the first one.
            assert!(!log.flush(&mut 1, 8, &mut network, &mut Vec::new()));
            first.extend((6..10).filter(|&connection| !network.sent(connection).is_empty()));
            let _ = flush(&mut log, &mut network);
            network.sent.clear();
        }
        assert_eq!(first.len(), 4, "{first:?}");
    }

    #[test]
    fn an_empty_entry_is_none() {
        let mut log = BroadcastLog::default();
        log.append(None, |_| ());
        assert_eq!(log.entry_ends.len(), 0);
    }

    proptest! {
        /// Whatever each write takes and however small the budget, every reader gets the same entries in order, but for
        /// its own exceptions; and its queue begins where the last write ended.
        #[test]
        fn every_reader_gets_whole_entries_in_order(
            steps in prop::collection::vec(
                (0usize..40, prop::array::uniform3(0usize..30), 0usize..4, 0usize..3000), 1..60,
            ),
        ) {
            let (mut log, mut network) = (BroadcastLog::default(), Network::default());
            for connection in 0..3 {
                log.subscribe(ConnectionId(connection));
            }
            let mut all: [Vec<u8>; 3] = Default::default();
            for (number, (length, taken, except, mut budget_bytes)) in steps.into_iter().enumerate() {
                let entry = vec![number as u8; length];
                let except = (except < 3).then_some(except as ReaderId);
                log.append(except, |bytes| bytes.extend_from_slice(&entry));
                for (reader, all) in all.iter_mut().enumerate() {
                    if except != Some(reader as ReaderId) {
                        all.extend_from_slice(&entry);
                    }
                }
                for (connection, taken) in taken.into_iter().enumerate() {
                    network.room_bytes.insert(connection as u64, taken);
                }
                let _ = log.flush(&mut budget_bytes, usize::MAX, &mut network, &mut Vec::new());
                for (connection, all) in all.iter().enumerate() {
                    prop_assert!(all.starts_with(network.sent(connection as u64).as_bytes()));
                }
            }
            network.room_bytes.extend((0..3).map(|connection| (connection, usize::MAX / 2)));
            // A round that is under way is ended first: who was written to in it could take less then.
            for _ in 0..2 {
                while !log.flush(&mut usize::MAX.clone(), usize::MAX, &mut network, &mut Vec::new()) {}
            }
            for (connection, all) in all.iter().enumerate() {
                network.send_queued(connection as u64);
                prop_assert_eq!(network.sent.get(&(connection as u64)).cloned().unwrap_or_default(), all.clone());
            }
            prop_assert_eq!(log.held_bytes(), 0);
        }
    }
}
