//! IRC (RFC 2812): one channel for each room.

use super::{Dialect, Framing, Heard, Identity};
use crate::stamp::TEXT_BYTES;

pub struct Irc;

impl Dialect for Irc {
    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn greeting(&self, me: &Identity) -> Option<Vec<u8>> {
        Some(format!("NICK {0}\r\nUSER {0} 0 * :{0}\r\n", me.name).into_bytes())
    }

    fn say(&self, me: &Identity, text: &[u8; TEXT_BYTES], _: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PRIVMSG #");
        out.extend_from_slice(me.room.as_bytes());
        out.extend_from_slice(b" :");
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    /// `:prefix COMMAND parameters`: the command is the first word but for a prefix.
    fn hear(&self, me: &Identity, line: &[u8]) -> Heard {
        let mut words = line.split(|byte| *byte == b' ');
        let first = words.next().unwrap_or_default();
        let command = if first.starts_with(b":") { words.next().unwrap_or_default() } else { first };
        match command {
            b"PRIVMSG" => Heard::Delivery,
            // RPL_WELCOME, RPL_ENDOFNAMES
            b"001" => Heard::Answer(format!("JOIN #{}\r\n", me.room).into_bytes()),
            b"366" => Heard::Joined,
            b"PING" => Heard::Answer([b"PONG", &line[4..], b"\n"].concat()),
            b"ERROR" | b"433" | b"471" => Heard::Refusal,
            _ => Heard::Other,
        }
    }

    fn hears_itself(&self) -> bool {
        false
    }
}
