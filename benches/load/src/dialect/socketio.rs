//! Socket.IO 4 over Engine.IO 4: packets are told apart by their first digits.

use super::{Dialect, Framing, Heard, Identity};
use crate::stamp::TEXT_BYTES;

pub struct SocketIo;

impl Dialect for SocketIo {
    fn framing(&self) -> Framing {
        Framing::WebSocket { path: "/socket.io/?EIO=4&transport=websocket" }
    }

    fn greeting(&self, _: &Identity) -> Option<Vec<u8>> {
        None
    }

    fn say(&self, _: &Identity, text: &[u8; TEXT_BYTES], sequence: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"42["message",{"text":""#);
        out.extend_from_slice(text);
        out.extend_from_slice(format!(r#"","cid":"c{sequence:08}"}}]"#).as_bytes());
    }

    fn hear(&self, me: &Identity, packet: &[u8]) -> Heard {
        if packet.starts_with(br#"42["message""#) {
            Heard::Delivery
        } else if packet.starts_with(br#"42["joined""#) {
            Heard::Joined
        } else if packet.starts_with(b"44") {
            Heard::Refusal
        } else if packet.starts_with(b"40") {
            Heard::Answer(format!(r#"42["join",{{"room":"{}","name":"{}"}}]"#, me.room, me.name).into_bytes())
        } else if packet.starts_with(b"0") {
            Heard::Answer(b"40".to_vec())
        } else if packet == b"2" {
            Heard::Answer(b"3".to_vec())
        } else {
            Heard::Other
        }
    }

    fn hears_itself(&self) -> bool {
        true
    }
}
