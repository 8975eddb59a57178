//! What one connection is still to be sent, before whatever comes from its rooms' logs.
//!
//! The queue knows entries: a message, a line, a response. They are sent whole and in order; at most the first of them
//! is half-sent. What is sent is released in pieces of bounded size, and empty, the queue is a null pointer: most
//! connections wait for something most of the time.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

/// Memory is taken, and released, in pieces of about this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// Pieces that one system call is given at the most.
const MAX_SLICES: usize = 16;

/// A part of something that is not in memory, such as a file: to be sent like an entry, and loaded piece by piece.
pub trait Range {
    /// How many bytes it has.
    fn length_bytes(&self) -> u64;

    /// Puts bytes of it, from `position` on, in place of those in the window, which are sent, as many as it likes but no
    /// more than it has; none: not at this time. The window's memory is its own.
    ///
    /// # Errors
    /// It cannot be read; what follows can then not be sent either.
    fn load(&mut self, position: u64, window: &mut Vec<u8>) -> io::Result<()>;
}

/// Buffers that were used and are to be used again: what is told to one connection has the size of what was told to the
/// one before, and memory that was given back to the system is dear to get again.
#[derive(Default)]
pub struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    capacity_bytes: usize,
}

/// So much of them is kept.
const MAX_SPARE_BYTES: usize = 32 * 1024;

impl SpareBuffers {
    fn filled_with(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        self.capacity_bytes -= buffer.capacity();
        buffer.extend_from_slice(bytes);
        buffer
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.capacity_bytes + buffer.capacity() <= MAX_SPARE_BYTES {
            buffer.clear();
            self.capacity_bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

/// Entries that wait to be sent to one connection.
#[derive(Default)]
pub struct OutputQueue(Option<Box<Queued>>);

#[derive(Default)]
struct Queued {
    pieces: VecDeque<Piece>,
    /// Bytes of each entry that are not sent yet.
    entries: VecDeque<u64>,
    /// Some of the first entry is sent.
    is_first_half_sent: bool,
    /// Bytes that are not sent yet.
    unsent_bytes: u64,
}

enum Piece {
    /// Bytes, of which so many are sent.
    Bytes { bytes: Vec<u8>, sent: usize },
    /// A range, of which so many bytes were loaded; `window[sent..]` is what is loaded and not sent.
    Range { range: Box<dyn Range>, loaded: u64, window: Vec<u8>, sent: usize },
}

impl OutputQueue {
    /// Puts an entry at the end.
    pub fn push(&mut self, entry: &[u8], spare: &mut SpareBuffers) {
        if entry.is_empty() {
            return;
        }
        let queued = self.0.get_or_insert_default();
        match queued.pieces.back_mut() {
            Some(Piece::Bytes { bytes, .. }) if bytes.len() + entry.len() <= CHUNK_BYTES => bytes.extend(entry),
            _ => {
                let chunks = entry.chunks(CHUNK_BYTES);
                let pieces = chunks.map(|chunk| Piece::Bytes { bytes: spare.filled_with(chunk), sent: 0 });
                queued.pieces.extend(pieces);
            }
        }
        queued.note_entry(entry.len() as u64);
    }

    /// Puts the rest of an entry, of which some is sent already, into the empty queue.
    pub fn push_rest(&mut self, rest: &[u8], spare: &mut SpareBuffers) {
        debug_assert!(self.is_empty(), "nothing may come between the parts of an entry");
        self.push(rest, spare);
        if let Some(queued) = &mut self.0 {
            queued.is_first_half_sent = true;
        }
    }

    /// Puts a range at the end, as an entry of its own.
    pub fn push_range(&mut self, range: Box<dyn Range>) {
        let length = range.length_bytes();
        if length > 0 {
            let queued = self.0.get_or_insert_default();
            queued.pieces.push_back(Piece::Range { range, loaded: 0, window: Vec::new(), sent: 0 });
            queued.note_entry(length);
        }
    }

    /// Bytes that are not sent yet, those of ranges included.
    pub fn unsent_bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |queued| queued.unsent_bytes)
    }

    /// Bytes of memory that the entries take.
    pub fn memory_bytes(&self) -> usize {
        let piece_bytes = |piece: &Piece| match piece {
            Piece::Bytes { bytes, .. } => bytes.capacity(),
            Piece::Range { window, .. } => window.capacity(),
        };
        self.0.as_ref().map_or(0, |queued| queued.pieces.iter().map(piece_bytes).sum())
    }

    /// Whether some of it is not in memory, so that it may take long to be sent.
    pub fn has_range(&self) -> bool {
        let is_range = |piece: &Piece| matches!(piece, Piece::Range { .. });
        self.0.as_ref().is_some_and(|queued| queued.pieces.iter().any(is_range))
    }

    /// Whether everything is sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Forgets every entry of which nothing is sent yet.
    pub fn drop_whole_entries(&mut self) {
        let Some(queued) = &mut self.0 else { return };
        let kept_bytes = if queued.is_first_half_sent { queued.entries[0] } else { 0 };
        queued.truncate(kept_bytes);
        if queued.unsent_bytes == 0 {
            self.0 = None;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Sends the queue and then `parts` with one system call, as far as they go. Returns how many bytes of `parts` were
    /// taken, and whether anything was.
    ///
    /// # Errors
    /// What the stream says, `WouldBlock` included; a range cannot be read.
    pub fn write(&mut self, stream: &mut impl Write, parts: &[&[u8]], spare: &mut SpareBuffers) -> io::Result<usize> {
        let Some(queued) = &mut self.0 else {
            return match parts {
                [only] => stream.write(only),
                _ => write_slices(stream, parts.iter().copied()),
            };
        };
        if let Some(Piece::Range { .. }) = queued.pieces.front() {
            queued.load()?;
        }
        // Nothing may overtake a range: what is behind it is not offered before it is sent.
        let is_bytes = |piece: &&Piece| matches!(piece, Piece::Bytes { .. });
        let all_bytes = queued.pieces.iter().take_while(is_bytes).count() == queued.pieces.len();
        let offered = queued.pieces.len().min(MAX_SLICES);
        let (taken, with_parts) = if queued.pieces.iter().take(offered).take_while(is_bytes).count() == 0 {
            (stream.write(queued.pieces[0].unsent())?, false)
        } else {
            let own = queued.pieces.iter().take(offered).take_while(is_bytes).map(Piece::unsent);
            let with_parts = all_bytes && queued.pieces.len() < MAX_SLICES;
            let others = parts.iter().copied().take(if with_parts { usize::MAX } else { 0 });
            (write_slices(stream, own.chain(others))?, with_parts)
        };
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let own = (taken as u64).min(queued.unsent_bytes);
        queued.advance(own, spare);
        if queued.unsent_bytes == 0 {
            self.0 = None;
        }
        debug_assert!(with_parts || taken as u64 == own);
        Ok(taken - own as usize)
    }
}

impl Queued {
    fn note_entry(&mut self, bytes: u64) {
        self.entries.push_back(bytes);
        self.unsent_bytes += bytes;
    }

    /// Loads the next part of the range at the front, if what was loaded is sent.
    fn load(&mut self) -> io::Result<()> {
        if let Some(Piece::Range { range, loaded, window, sent }) = self.pieces.front_mut()
            && *sent == window.len()
        {
            *sent = 0;
            range.load(*loaded, window).inspect_err(|_| window.clear())?;
            *loaded += window.len() as u64;
            if window.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }

    /// So many bytes were taken.
    fn advance(&mut self, count: u64, spare: &mut SpareBuffers) {
        self.unsent_bytes -= count;
        let mut left = count;
        while left > 0 {
            let entry = &mut self.entries[0];
            let own = left.min(*entry);
            *entry -= own;
            self.is_first_half_sent = *entry > 0;
            left -= own;
            if *entry == 0 {
                self.entries.pop_front();
            }
        }
        let mut left = count as usize;
        while left > 0 {
            let piece = &mut self.pieces[0];
            let own = left.min(piece.unsent().len());
            piece.advance(own);
            left -= own;
            if piece.is_sent()
                && let Some(Piece::Bytes { bytes, .. }) = self.pieces.pop_front()
            {
                spare.give_back(bytes);
            }
        }
    }

    /// Keeps the first so many unsent bytes.
    fn truncate(&mut self, kept_bytes: u64) {
        let mut kept = kept_bytes;
        self.pieces.retain_mut(|piece| {
            let is_kept = kept > 0;
            if let Piece::Bytes { bytes, sent } = piece {
                bytes.truncate(*sent + kept.min(bytes.len() as u64) as usize);
                bytes.shrink_to_fit();
            }
            kept = kept.saturating_sub(piece.unsent_bytes());
            is_kept
        });
        self.entries.truncate(usize::from(kept_bytes > 0));
        self.unsent_bytes = kept_bytes;
    }
}

impl Piece {
    /// What is in memory of it and not sent.
    fn unsent(&self) -> &[u8] {
        match self {
            Piece::Bytes { bytes, sent } => &bytes[*sent..],
            Piece::Range { window, sent, .. } => &window[*sent..],
        }
    }

    fn unsent_bytes(&self) -> u64 {
        let in_memory = self.unsent().len() as u64;
        match self {
            Piece::Bytes { .. } => in_memory,
            Piece::Range { range, loaded, .. } => range.length_bytes() - loaded + in_memory,
        }
    }

    fn advance(&mut self, count: usize) {
        let (Piece::Bytes { sent, .. } | Piece::Range { sent, .. }) = self;
        *sent += count;
    }

    fn is_sent(&self) -> bool {
        self.unsent_bytes() == 0
    }
}

/// Writes slices with one call, as far as they go.
fn write_slices<'a>(stream: &mut impl Write, slices: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
    let mut gathered = [IoSlice::new(&[]); MAX_SLICES];
    let mut count = 0;
    for slice in slices.filter(|slice| !slice.is_empty()).take(MAX_SLICES) {
        gathered[count] = IoSlice::new(slice);
        count += 1;
    }
    match &gathered[..count] {
        [only] => stream.write(only),
        several => stream.write_vectored(several),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes so many bytes at a time.
    struct Narrow {
        taken: Vec<u8>,
        width: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.width);
            self.taken.extend(&bytes[..count]);
            Ok(count)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            self.write(&all)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Counts up, in bytes.
    struct Counting(u64);

    impl Range for Counting {
        fn length_bytes(&self) -> u64 {
            self.0
        }

        fn load(&mut self, position: u64, window: &mut Vec<u8>) -> io::Result<()> {
            let end = self.0.min(position + 1000);
            window.clear();
            window.extend((position..end).map(|position| position as u8));
            Ok(())
        }
    }

    fn counting(length: usize) -> Vec<u8> {
        (0..length).map(|position| position as u8).collect()
    }

    #[test]
    fn what_is_sent_is_released_though_the_queue_never_runs_empty() {
        let spare = &mut SpareBuffers::default();
        let (mut queue, mut stream) = (OutputQueue::default(), Narrow { taken: Vec::new(), width: 10_000 });
        queue.push(&[1; 50_000], spare);
        for _ in 0..1000 {
            queue.push(&[1; 10_000], spare);
            stream.taken.clear();
            assert_eq!(queue.write(&mut stream, &[], spare).expect("taken"), 0);
            assert_eq!(queue.unsent_bytes(), 50_000);
            assert!(queue.memory_bytes() <= 50_000 + 2 * CHUNK_BYTES, "{}", queue.memory_bytes());
        }
    }

    #[test]
    fn dropping_whole_entries_keeps_the_rest_of_the_one_that_was_begun() {
        let spare = &mut SpareBuffers::default();
        let (mut queue, mut stream) = (OutputQueue::default(), Narrow { taken: Vec::new(), width: 4 });
        queue.push(b"one ", spare);
        queue.push(b"two ", spare);
        queue.push(b"three ", spare);
        queue.write(&mut stream, &[], spare).expect("taken");
        queue.drop_whole_entries();
        assert!(queue.is_empty(), "nothing was begun");
        queue.push(b"four ", spare);
        queue.push(&[b'x'; 200_000], spare);
        queue.write(&mut stream, &[], spare).expect("taken");
        queue.drop_whole_entries();
        assert_eq!(queue.unsent_bytes(), 1);
        assert!(queue.memory_bytes() < 100);
        queue.push(b"bye", spare);
        queue.write(&mut stream, &[], spare).expect("taken");
        assert!(queue.is_empty());
        stream.taken.truncate(12);
        queue.push_rest(b"rest of one, ", spare);
        queue.push(b"a whole one", spare);
        queue.drop_whole_entries();
        assert_eq!(queue.unsent_bytes(), 13);
        queue.clear();
        assert_eq!(
            (String::from_utf8_lossy(&stream.taken).into_owned(), queue.is_empty()),
            ("one four bye".into(), true)
        );
    }

    #[test]
    fn a_range_is_loaded_piece_by_piece_and_nothing_overtakes_it() {
        let spare = &mut SpareBuffers::default();
        let (mut queue, mut stream) = (OutputQueue::default(), Narrow { taken: Vec::new(), width: 700 });
        queue.push(b"head ", spare);
        queue.push_range(Box::new(Counting(100_000)));
        queue.push(b"tail", spare);
        let mut parts_taken = 0;
        while parts_taken == 0 {
            assert!(queue.memory_bytes() <= 1000 + 100);
            parts_taken = queue.write(&mut stream, &[b"!"], spare).expect("taken");
        }
        assert_eq!(stream.taken, [b"head ", &counting(100_000)[..], b"tail!"].concat());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn everything_is_sent_once_and_in_order(
            steps in prop::collection::vec((0usize..3, 0usize..80_000, 1000usize..100_000), 1..20),
        ) {
            let spare = &mut SpareBuffers::default();
            let (mut queue, mut stream) = (OutputQueue::default(), Narrow { taken: Vec::new(), width: 1 });
            let mut all = Vec::new();
            for (kind, length, width) in steps {
                match kind {
                    0 => {
                        let entry: Vec<u8> = counting(length);
                        queue.push(&entry, spare);
                        all.extend(entry);
                    }
                    1 => {
                        queue.push_range(Box::new(Counting(length as u64)));
                        all.extend(counting(length));
                    }
                    _ => {
                        stream.width = width;
                        if !queue.is_empty() {
                            queue.write(&mut stream, &[], spare).expect("taken");
                        }
                    }
                }
                prop_assert_eq!(queue.unsent_bytes() as usize, all.len() - stream.taken.len());
            }
            stream.width = usize::MAX;
            while !queue.is_empty() {
                queue.write(&mut stream, &[], spare).expect("taken");
            }
            prop_assert!(stream.taken == all);
        }
    }
}
