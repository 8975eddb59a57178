//! smallchat: one room, `/nick NAME`, lines; nobody is told when that is done.

use super::{Dialect, Framing, Heard, Identity};
use crate::stamp::TEXT_BYTES;

pub struct Smallchat;

impl Dialect for Smallchat {
    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn greeting(&self, me: &Identity) -> Option<Vec<u8>> {
        Some(format!("/nick {}\n", me.name).into_bytes())
    }

    fn say(&self, _: &Identity, text: &[u8; TEXT_BYTES], _: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn hear(&self, _: &Identity, line: &[u8]) -> Heard {
        if line.starts_with(b"Welcome") { Heard::Joined } else { Heard::Delivery }
    }

    fn hears_itself(&self) -> bool {
        false
    }
}
