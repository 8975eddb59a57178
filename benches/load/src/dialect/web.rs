//! JSON over WebSocket: a `join`, then `message`s; what comes back begins with its `type`.

use super::{Dialect, Framing, Heard, Identity};
use crate::stamp::TEXT_BYTES;

pub struct Web;

impl Dialect for Web {
    fn framing(&self) -> Framing {
        Framing::WebSocket { path: "/ws" }
    }

    fn greeting(&self, me: &Identity) -> Option<Vec<u8>> {
        Some(format!(r#"{{"type":"join","room":"{}","name":"{}"}}"#, me.room, me.name).into_bytes())
    }

    fn say(&self, _: &Identity, text: &[u8; TEXT_BYTES], sequence: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"message","text":""#);
        out.extend_from_slice(text);
        out.extend_from_slice(br#"","cid":"c"#);
        let digits: [u8; 8] = std::array::from_fn(|place| b'0' + (sequence / 10u32.pow(7 - place as u32) % 10) as u8);
        out.extend_from_slice(&digits);
        out.extend_from_slice(br#""}"#);
    }

    #[inline]
    fn hear(&self, _: &Identity, message: &[u8]) -> Heard {
        if message.starts_with(br#"{"type":"message""#) {
            Heard::Delivery
        } else if message.starts_with(br#"{"type":"joined""#) {
            Heard::Joined
        } else if message.starts_with(br#"{"type":"error""#) {
            Heard::Refusal
        } else {
            Heard::Other
        }
    }

    fn hears_itself(&self) -> bool {
        true
    }
}
