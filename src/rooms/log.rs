//! A room's bytes on their way out, once for each wire, however many read them.
//!
//! A reader is a position in these bytes. Entries are appended whole; writing may stop anywhere within
//! one. What everybody has read is let go; a reader who falls too far behind is let go too.

use std::collections::VecDeque;

use slab::Slab;

use super::ConnectionId;

/// An unused buffer up to this size is kept for the next turn; beyond it, memory goes back.
const KEPT_CAPACITY_BYTES: usize = 4096;

/// Identifies a reader within its log.
pub(super) type ReaderId = u32;

/// One encoding of a room's events, and who is being sent it.
#[derive(Default)]
pub(super) struct Log {
    /// Encoded entries, the oldest first.
    bytes: Vec<u8>,
    /// Position of the first byte that is held, counted from the room's beginning.
    start: u64,
    /// Positions at which the held entries end, so that none is ever cut.
    entry_ends: VecDeque<u64>,
    readers: Slab<Reader>,
    /// Who is written to first in the next flush: not always the same, for what the first has waited, the last has
    /// waited twice.
    first: usize,
}

struct Reader {
    connection: ConnectionId,
    cursor: u64,
}

/// A reader who fell off the log, and the rest of the entry that it was in the middle of.
pub struct Laggard {
    /// Whose reading ends.
    pub connection: ConnectionId,
    /// To be sent before anything else, so that no entry is cut.
    pub torn_rest: Vec<u8>,
}

impl Log {
    /// Whether nobody is on this wire, so that nothing need be encoded.
    pub fn is_unread(&self) -> bool {
        self.readers.is_empty()
    }

    /// Starts reading here: the new reader is sent what is appended from now on.
    pub fn subscribe(&mut self, connection: ConnectionId) -> ReaderId {
        let cursor = self.end();
        self.readers.insert(Reader { connection, cursor }) as ReaderId
    }

    /// Ends reading; returns what the reader was still to be sent.
    pub fn unsubscribe(&mut self, reader: ReaderId) -> Vec<u8> {
        let unsent = self.settle(reader);
        self.readers.remove(reader as usize);
        if self.readers.is_empty() {
            self.let_go_before(self.end());
        }
        unsent
    }

    /// Moves the reader to the end; returns what it was still to be sent.
    pub fn settle(&mut self, reader: ReaderId) -> Vec<u8> {
        let (start, end) = (self.start, self.end());
        let reader = &mut self.readers[reader as usize];
        let unsent = &self.bytes[(reader.cursor - start) as usize..];
        reader.cursor = end;
        unsent.to_vec()
    }

    /// Moves the reader over what was appended since `position`, which it is not to be sent.
    ///
    /// Only for a reader that had been settled at `position`.
    pub fn skip_from(&mut self, reader: ReaderId, position: u64) {
        let end = self.end();
        let reader = &mut self.readers[reader as usize];
        debug_assert_eq!(reader.cursor, position, "skips must start where the reader stands");
        reader.cursor = end;
    }

    /// Appends what `encode` writes, as one entry; nothing, if it writes nothing.
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        let end = self.end();
        if self.entry_ends.back().copied().unwrap_or(self.start) < end {
            self.entry_ends.push_back(end);
        }
    }

    /// The position behind the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Bytes that are held for somebody.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Offers each reader what it has not been sent; `write` tells how much of it was taken.
    ///
    /// Then lets go of what everybody has read. Where more than `limit_bytes` are left, lets go of the older
    /// half as well, and of the readers who are still there.
    pub fn flush(
        &mut self,
        limit_bytes: usize,
        write: &mut impl FnMut(ConnectionId, &[u8]) -> usize,
        laggards: &mut Vec<Laggard>,
    ) {
        let end = self.end();
        let mut slowest = end;
        let first = self.first;
        for is_before in [false, true] {
            for (place, reader) in &mut self.readers {
                if (place < first) == is_before && reader.cursor < end {
                    let unsent = &self.bytes[(reader.cursor - self.start) as usize..];
                    reader.cursor += write(reader.connection, unsent) as u64;
                    slowest = slowest.min(reader.cursor);
                }
            }
        }
        // Nearly the golden section, which lets everybody's turn come soon.
        let readers = self.readers.len();
        self.first = (first + readers * 5 / 8 + 1) % readers.max(1);
        if (end - slowest) as usize > limit_bytes {
            slowest = self.cut_off_laggards(limit_bytes / 2, laggards);
        }
        self.let_go_before(slowest);
    }

    /// Gives up on whoever is behind the last `kept_bytes`: they are to be disconnected, and read nothing more
    /// until then. Returns where the slowest of the rest stands.
    fn cut_off_laggards(&mut self, kept_bytes: usize, laggards: &mut Vec<Laggard>) -> u64 {
        let end = self.end();
        let cut = end - kept_bytes as u64;
        let (bytes, start, entry_ends) = (&self.bytes, self.start, &self.entry_ends);
        let mut slowest = end;
        for (_, reader) in &mut self.readers {
            if reader.cursor >= cut {
                slowest = slowest.min(reader.cursor);
                continue;
            }
            // The cursor is within an entry, unless it stands at the end of one (or before the first).
            let next = entry_ends.partition_point(|&entry_end| entry_end < reader.cursor);
            let whole_until = match entry_ends.get(next) {
                Some(&entry_end) if is_within_entry(entry_ends, start, reader.cursor) => entry_end,
                _ => reader.cursor,
            };
            let torn_rest = bytes[(reader.cursor - start) as usize..(whole_until - start) as usize].to_vec();
            laggards.push(Laggard { connection: reader.connection, torn_rest });
            reader.cursor = end;
        }
        slowest
    }

    /// Forgets the entries that end at or before `position`.
    fn let_go_before(&mut self, position: u64) {
        if position == self.end() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY_BYTES);
            self.entry_ends.clear();
            self.entry_ends.shrink_to(64);
            self.start = position;
            return;
        }
        // Moving the rest down costs as much as it holds: only done when at least half is let go.
        let ended = self.entry_ends.partition_point(|&entry_end| entry_end <= position);
        let Some(&start) = ended.checked_sub(1).and_then(|last| self.entry_ends.get(last)) else { return };
        if (start - self.start) as usize >= self.bytes.len() / 2 {
            self.bytes.drain(..(start - self.start) as usize);
            self.entry_ends.drain(..ended);
            self.start = start;
        }
    }
}

fn is_within_entry(entry_ends: &VecDeque<u64>, start: u64, position: u64) -> bool {
    position != start && entry_ends.binary_search(&position).is_err()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn append(log: &mut Log, entry: &str) {
        log.append(|bytes| bytes.extend_from_slice(entry.as_bytes()));
    }

    fn flush(log: &mut Log, limit_bytes: usize, room: usize) -> (HashMap<u64, String>, Vec<Laggard>) {
        let mut sent = HashMap::new();
        let mut laggards = Vec::new();
        log.flush(
            limit_bytes,
            &mut |connection, bytes| {
                let taken = bytes.len().min(room);
                sent.insert(connection.0, String::from_utf8_lossy(&bytes[..taken]).into_owned());
                taken
            },
            &mut laggards,
        );
        (sent, laggards)
    }

    #[test]
    fn a_reader_gets_what_comes_after_it() {
        let mut log = Log::default();
        log.subscribe(ConnectionId(1));
        append(&mut log, "one ");
        log.subscribe(ConnectionId(2));
        append(&mut log, "two ");
        let (sent, _) = flush(&mut log, 1000, 1000);
        assert_eq!(sent[&1], "one two ");
        assert_eq!(sent[&2], "two ");
        assert_eq!(log.held_bytes(), 0);
    }

    #[test]
    fn settling_hands_over_what_was_not_sent() {
        let mut log = Log::default();
        let reader = log.subscribe(ConnectionId(1));
        append(&mut log, "one ");
        let _ = flush(&mut log, 1000, 1);
        assert_eq!(log.settle(reader), b"ne ");
        assert_eq!(log.settle(reader), b"");
        assert_eq!(log.unsubscribe(reader), b"");
    }

    #[test]
    fn a_laggard_gets_the_rest_of_its_entry_and_no_more() {
        let mut log = Log::default();
        log.subscribe(ConnectionId(1));
        append(&mut log, "first");
        let _ = flush(&mut log, 8, 2);
        append(&mut log, "second");
        let (sent, laggards) = flush(&mut log, 8, 0);
        assert_eq!(sent[&1], "");
        assert_eq!(laggards.len(), 1);
        assert_eq!(laggards[0].torn_rest, b"rst");
        assert_eq!(log.held_bytes(), 0);
    }

    #[test]
    fn a_laggard_between_entries_gets_nothing() {
        let mut log = Log::default();
        log.subscribe(ConnectionId(1));
        append(&mut log, "first");
        let _ = flush(&mut log, 8, 5);
        append(&mut log, "second one");
        let (_, laggards) = flush(&mut log, 8, 0);
        assert_eq!(laggards[0].torn_rest, b"");
    }

    #[test]
    fn an_empty_entry_is_none() {
        let mut log = Log::default();
        log.append(|_| ());
        assert_eq!(log.entry_ends.len(), 0);
    }

    proptest! {
        /// Whatever each write takes, every reader gets the same bytes, cut nowhere but at a laggard's entry end.
        #[test]
        fn every_reader_gets_whole_entries_in_order(
            steps in prop::collection::vec((0usize..40, prop::array::uniform3(0usize..30)), 1..60),
        ) {
            let mut log = Log::default();
            for connection in 0..3 {
                log.subscribe(ConnectionId(connection));
            }
            let mut all = Vec::new();
            let mut ends = vec![0];
            let mut got: [Vec<u8>; 3] = Default::default();
            let mut gone = [false; 3];
            for (number, (length, taken)) in steps.into_iter().enumerate() {
                let entry = vec![number as u8; length];
                all.extend_from_slice(&entry);
                ends.push(all.len());
                log.append(|bytes| bytes.extend_from_slice(&entry));
                let mut laggards = Vec::new();
                log.flush(64, &mut |connection, bytes| {
                    if gone[connection.0 as usize] {
                        return bytes.len();
                    }
                    let count = taken[connection.0 as usize].min(bytes.len());
                    got[connection.0 as usize].extend_from_slice(&bytes[..count]);
                    count
                }, &mut laggards);
                for laggard in laggards {
                    let reader = laggard.connection.0 as usize;
                    got[reader].extend_from_slice(&laggard.torn_rest);
                    prop_assert!(ends.contains(&got[reader].len()));
                    gone[reader] = true;
                }
                prop_assert!(log.held_bytes() <= 2 * 64 + 40);
                for reader in &got {
                    prop_assert!(all.starts_with(reader));
                }
            }
        }
    }
}
