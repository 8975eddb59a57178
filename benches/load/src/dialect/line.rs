//! snugd's terminal protocol: `/join CODE NAME`, then lines.

use super::{Dialect, Framing, Heard, Identity};
use crate::stamp::TEXT_BYTES;

pub struct Line;

impl Dialect for Line {
    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn greeting(&self, me: &Identity) -> Option<Vec<u8>> {
        Some(format!("/join {} {}\n", me.room, me.name).into_bytes())
    }

    fn say(&self, _: &Identity, text: &[u8; TEXT_BYTES], _: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    /// `13:58 <ana> …` is a text, `* KXQT. 2 here: …` the welcome, `! …` a refusal. Prompts end no line,
    /// so one may stand before the welcome.
    fn hear(&self, me: &Identity, line: &[u8]) -> Heard {
        let is_time = line.len() > 6 && line[2] == b':' && line[5] == b' ' && line[0].is_ascii_digit();
        let is_welcome = || {
            let mut welcome = [0; 16];
            let length = 3 + me.room.len();
            welcome[..2].copy_from_slice(b"* ");
            welcome[2..length - 1].copy_from_slice(me.room.as_bytes());
            welcome[length - 1] = b'.';
            memchr::memmem::find(line, &welcome[..length]).is_some()
        };
        if is_time {
            Heard::Delivery
        } else if is_welcome() {
            Heard::Joined
        } else if line.starts_with(b"! ") || memchr::memmem::find(line, b": ! ").is_some() {
            Heard::Refusal
        } else {
            Heard::Other
        }
    }

    fn hears_itself(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_understood() {
        let me = Identity { name: "ana".into(), room: "KXQT".into() };
        let hear = |line: &str| Line.hear(&me, line.as_bytes());
        assert_eq!(hear("13:58 <ben> hi"), Heard::Delivery);
        assert_eq!(hear("* KXQT. 2 here: ana (line), ben (web). Invite: http://h/KXQT"), Heard::Joined);
        assert_eq!(hear("Name: * KXQT. 1 here: ana (line)."), Heard::Joined);
        assert_eq!(hear("! \"ana\" is taken in KXQT. Another name?"), Heard::Refusal);
        assert_eq!(hear("* cat (web) is here."), Heard::Other);
    }
}
