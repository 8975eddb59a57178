//! What a text says: who sent it, which of its texts it is, and when.
//!
//! Every text is 64 bytes, `~~`, then fixed-width hexadecimal fields, then filler. It survives any
//! JSON, IRC or terminal encoding unchanged, so a receiver finds it by its mark and parses nothing else.

/// Length of every text, in bytes.
pub const TEXT_BYTES: usize = 64;

const MARK: &[u8; 2] = b"~~";
const FILLER: &[u8] = b" the quick brown fox jumps over the dog";

/// Width of a mark and its fields: talker (4), sequence (8), time (12).
const STAMP_BYTES: usize = MARK.len() + 4 + 8 + 12;

/// The fields of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Index of the talker among the talkers of its room.
    pub talker: u16,
    /// Counts this talker's texts, from 0.
    pub sequence: u32,
    /// When the text was due, in nanoseconds since the load began.
    pub due_ns: u64,
}

impl Stamp {
    /// The 64-byte text that carries this stamp.
    pub fn write(self) -> [u8; TEXT_BYTES] {
        let mut text = [b'.'; TEXT_BYTES];
        text[..2].copy_from_slice(MARK);
        write_hex(&mut text[2..6], self.talker.into());
        write_hex(&mut text[6..14], self.sequence.into());
        write_hex(&mut text[14..26], self.due_ns);
        let filler = FILLER.len().min(TEXT_BYTES - STAMP_BYTES);
        text[STAMP_BYTES..STAMP_BYTES + filler].copy_from_slice(&FILLER[..filler]);
        text
    }
}

/// Finds stamps in received messages.
///
/// One kind of message holds its text at the same place nearly every time: that place is looked at first.
#[derive(Debug, Default)]
pub struct StampReader {
    offset: usize,
}

impl StampReader {
    /// The stamp in this message, or `None` if it holds none.
    pub fn read(&mut self, message: &[u8]) -> Option<Stamp> {
        if message.get(self.offset..self.offset + MARK.len()) != Some(MARK) {
            self.offset = memchr::memmem::find(message, MARK)?;
        }
        let stamp = message.get(self.offset..self.offset + STAMP_BYTES)?;
        Some(Stamp {
            talker: read_hex(&stamp[2..6])? as u16,
            sequence: read_hex(&stamp[6..14])? as u32,
            due_ns: read_hex(&stamp[14..26])?,
        })
    }
}

fn write_hex(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn read_hex(field: &[u8]) -> Option<u64> {
    field.iter().try_fold(0, |value, digit| {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(nibble))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_wherever_it_stands() {
        let stamp = Stamp { talker: 999, sequence: 123_456, due_ns: 9_876_543_210 };
        let text = stamp.write();
        let mut reader = StampReader::default();
        for envelope in ["", "{\"text\":\"", "\n~ :nick!~user@host PRIVMSG #R :", ":"] {
            let mut message = envelope.as_bytes().to_vec();
            message.extend_from_slice(&text);
            assert_eq!(reader.read(&message), Some(stamp), "after {envelope:?}");
        }
    }

    #[test]
    fn a_message_without_a_stamp_holds_none() {
        assert_eq!(StampReader::default().read(b"{\"type\":\"enter\"}"), None);
        assert_eq!(StampReader::default().read(b"~~0001"), None);
        assert_eq!(StampReader::default().read(&[b'~'; TEXT_BYTES]), None);
    }
}
