//! The handshake by which a request becomes a WebSocket (RFC 6455 section 4.2).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use sha1::{Digest, Sha1};

use super::request::{Head, Method};

/// The only version that is in use.
const VERSION: &str = "13";
/// The subprotocol: the messages of the contract.
const SUBPROTOCOL: &str = "snugd.v1";
/// What is appended to a key before it is hashed (RFC 6455 section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Reads keys. The bits that are left over in the last character are not looked at: in the example of RFC 6455 section
/// 4.1 they are not zero.
const KEY_ENGINE: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// A handshake that can be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handshake {
    accept: String,
    has_subprotocol: bool,
}

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// How it is refused.
    pub status: StatusCode,
    /// The header fields that tell the client what is supported.
    pub fields: &'static [(&'static str, &'static str)],
    /// What is wrong, for a person.
    pub words: &'static str,
}

/// RFC 9110 section 15.5.22: what a 426 wants; and section 7.8: that it concerns this connection alone.
const WANTED: [(&str, &str); 2] = [("Upgrade", "websocket"), ("Connection", "Upgrade")];

const NO_UPGRADE: Rejection =
    Rejection { status: StatusCode::UPGRADE_REQUIRED, fields: &WANTED, words: "Only WebSockets are served here." };
const OTHER_VERSION: Rejection = Rejection {
    status: StatusCode::UPGRADE_REQUIRED,
    fields: &[WANTED[0], WANTED[1], ("Sec-WebSocket-Version", VERSION)],
    words: "Only version 13 of WebSocket is known here.",
};
const BAD_KEY: Rejection =
    Rejection { status: StatusCode::BAD_REQUEST, fields: &[], words: "Sec-WebSocket-Key is 16 bytes in base64." };

impl Handshake {
    /// Reads and checks the request of the client.
    ///
    /// # Errors
    /// It is no WebSocket handshake, or one that this server does not support.
    pub fn read(head: &Head<'_, '_>) -> Result<Handshake, Rejection> {
        let asks = head.method == Method::Get
            && !head.is_http_1_0
            && head.has_item("upgrade", "websocket")
            && head.has_item("connection", "upgrade");
        if !asks {
            return Err(NO_UPGRADE);
        }
        if head.value("sec-websocket-version") != Some(VERSION) {
            return Err(OTHER_VERSION);
        }
        let mut keys = head.values("sec-websocket-key");
        let (Some(key), None) = (keys.next(), keys.next()) else { return Err(BAD_KEY) };
        if KEY_ENGINE.decode(key).ok().is_none_or(|nonce| nonce.len() != 16) {
            return Err(BAD_KEY);
        }
        // RFC 6455 section 4.1: the names of subprotocols are compared as they are.
        let has_subprotocol = head.items("sec-websocket-protocol").any(|offered| offered == SUBPROTOCOL);
        Ok(Handshake { accept: accept(key), has_subprotocol })
    }

    /// Writes the response that makes the connection a WebSocket.
    pub fn write(&self, outbox: &mut Vec<u8>) {
        let subprotocol =
            if self.has_subprotocol { format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n") } else { String::new() };
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{subprotocol}\r\n",
            self.accept
        );
        outbox.extend_from_slice(response.as_bytes());
    }
}

fn accept(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(KEY_SUFFIX);
    BASE64_STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::request::header_space;
    use super::*;

    const FIELDS: [&str; 4] = [
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];

    fn read(request_line: &str, fields: &[&str]) -> Result<Handshake, Rejection> {
        let bytes = format!("{request_line}\r\nHost: a\r\n{}\r\n\r\n", fields.join("\r\n"));
        Handshake::read(&Head::parse(bytes.as_bytes(), &mut header_space()).expect("a request"))
    }

    fn with(number: usize, field: &'static str) -> Result<Handshake, Rejection> {
        let mut fields = FIELDS;
        fields[number] = field;
        read("GET /ws HTTP/1.1", &fields)
    }

    #[test]
    fn answers_the_example_of_the_rfc() {
        let handshake = read("GET /ws HTTP/1.1", &FIELDS).expect("a handshake");
        assert_eq!(handshake, Handshake { accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into(), has_subprotocol: false });
        let mut out = Vec::new();
        handshake.write(&mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }

    #[test]
    fn a_key_is_read_whatever_its_last_bits_are() {
        // The example of RFC 6455 section 4.1, which encodes bytes 1 to 16.
        for key in ["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA=="] {
            assert!(with(3, key).is_ok(), "{key}");
        }
        for key in ["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBE="] {
            assert_eq!(with(3, key), Err(BAD_KEY), "{key}");
        }
    }

    #[test]
    fn names_the_subprotocol_only_if_it_is_offered() {
        let offering = |field| {
            let handshake = read("GET /ws HTTP/1.1", &[&FIELDS[..], &[field]].concat()).expect("a handshake");
            let mut out = Vec::new();
            handshake.write(&mut out);
            String::from_utf8_lossy(&out).contains("\r\nSec-WebSocket-Protocol: snugd.v1\r\n")
        };
        assert!(offering("Sec-WebSocket-Protocol: chat, snugd.v1"));
        assert!(!offering("Sec-WebSocket-Protocol: snugd.v2"));
    }

    #[test]
    fn refuses_what_is_no_websocket() {
        assert_eq!(read("GET /ws HTTP/1.0", &FIELDS), Err(NO_UPGRADE));
        assert_eq!(with(0, "Upgrade: h2c"), Err(NO_UPGRADE));
        assert_eq!(with(1, "Connection: keep-alive"), Err(NO_UPGRADE));
        assert_eq!(with(2, "Sec-WebSocket-Version: 8"), Err(OTHER_VERSION));
        assert_eq!(with(2, "Accept: a"), Err(OTHER_VERSION));
        assert_eq!(with(3, "Accept: a"), Err(BAD_KEY));
        assert_eq!(with(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), Err(BAD_KEY));
        assert_eq!(with(3, "Sec-WebSocket-Key: not base64 at all!!!"), Err(BAD_KEY));
    }
}
