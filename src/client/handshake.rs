//! The two HTTP requests of the client: the one that opens a room, and the one that becomes a WebSocket
//! (RFC 6455 section 4.1).

use std::io::{Read, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rand::RngExt;
use sha1::{Digest, Sha1};

use super::address::Address;

const SUBPROTOCOL: &str = "snugd.v1";
/// What is appended to a key before it is hashed (RFC 6455 section 1.3).
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longest head, and longest body, that is read of a response.
const MAX_BYTES: usize = 32 << 10;
const MAX_FIELDS: usize = 64;

/// A response, read.
#[derive(PartialEq, Eq, Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// The name and the value of each field.
    fields: Vec<(String, String)>,
    /// Its body. What has come behind the head of a 101 is of the protocol that follows.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// Whether the request has become a WebSocket: the server has understood the key.
    pub fn accepts(&self, key: &str) -> bool {
        let expected = BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize());
        let upgrades = self.value("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        self.status == 101 && upgrades && self.value("sec-websocket-accept") == Some(&expected)
    }
}

/// A new key for a handshake.
pub fn new_key() -> String {
    BASE64_STANDARD.encode(rand::rng().random::<[u8; 16]>())
}

/// Asks for a WebSocket.
pub fn upgrade_request(address: &Address, key: &str) -> String {
    format!(
        "GET {}ws HTTP/1.1\r\n{}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        address.base_path,
        common_fields(address)
    )
}

/// Asks for something that nobody is given: a server that is to be spoken to over TLS says so to this, and not to what
/// changes something.
pub fn probe_request(address: &Address) -> String {
    format!("GET {}api/v1/rooms HTTP/1.1\r\n{}\r\n", address.base_path, common_fields(address))
}

/// Asks for a new room.
pub fn create_request(address: &Address) -> String {
    format!("POST {}api/v1/rooms HTTP/1.1\r\n{}Content-Length: 0\r\n\r\n", address.base_path, common_fields(address))
}

fn common_fields(address: &Address) -> String {
    format!("Host: {}\r\nUser-Agent: snugd/{}\r\n", address.authority(), env!("CARGO_PKG_VERSION"))
}

/// Sends a request and waits for the response.
///
/// # Errors
/// The connection's own, or that what comes is no response.
pub fn exchange(stream: &mut (impl Read + Write), request: &str) -> std::io::Result<Response> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let no_response = || std::io::Error::new(std::io::ErrorKind::InvalidData, "no HTTP");
    let mut received = Vec::new();
    let (mut response, head_bytes) = loop {
        if let Some(parsed) = parse_head(&received).map_err(|_| no_response())? {
            break parsed;
        }
        if received.len() > MAX_BYTES || receive(stream, &mut received)? == 0 {
            return Err(no_response());
        }
    };
    let length: usize = match response.value("content-length") {
        Some(length) if response.status != 101 => length.parse().map_err(|_| no_response())?,
        _ => 0,
    };
    while received.len() < head_bytes + length.min(MAX_BYTES) && receive(stream, &mut received)? > 0 {}
    response.body = received.split_off(head_bytes);
    Ok(response)
}

fn receive(stream: &mut impl Read, received: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer)?;
    received.extend_from_slice(&buffer[..count]);
    Ok(count)
}

/// The response without its body, and the bytes of its head; `None`: it has not come completely.
fn parse_head(bytes: &[u8]) -> Result<Option<(Response, usize)>, httparse::Error> {
    let mut space = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut space);
    let httparse::Status::Complete(head_bytes) = head.parse(bytes)? else { return Ok(None) };
    let owned =
        |field: &httparse::Header<'_>| (field.name.to_owned(), String::from_utf8_lossy(field.value).trim().to_owned());
    let fields = head.headers.iter().map(owned).collect();
    Ok(Some((Response { status: head.code.unwrap_or_default(), fields, body: Vec::new() }, head_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::JoinTarget;

    /// A stream that brings these bytes one by one.
    struct Stream<'a>(&'a [u8], Vec<u8>);

    impl Read for Stream<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    impl Write for Stream<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_key_of_the_standard_is_accepted() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let response = exchange(&mut Stream(head.as_bytes(), Vec::new()), "x").expect("a response");
        assert!(response.accepts("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!response.accepts("another"));
    }

    #[test]
    fn a_body_is_read_to_its_end_and_no_further() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 15\r\n\r\n{\"room\":\"KXQT\"}next";
        let mut stream = Stream(bytes, Vec::new());
        let response = exchange(&mut stream, "x").expect("a response");
        assert_eq!((response.status, &*response.body), (201, &b"{\"room\":\"KXQT\"}"[..]));
        assert_eq!(stream.0, b"next");
        for bytes in [&b"* snugd 0.1.0\r\nName: "[..], b"HTTP/1.1 200 OK\r\n", b""] {
            assert!(exchange(&mut Stream(bytes, Vec::new()), "x").is_err());
        }
    }

    #[test]
    fn requests_name_the_host_and_the_path() {
        let (address, room) = Address::read("http://chat.lan:8080/x/", Some("new")).expect("an address");
        assert_eq!(room, JoinTarget::New);
        let request = upgrade_request(&address, "key");
        assert!(request.starts_with("GET /x/ws HTTP/1.1\r\nHost: chat.lan:8080\r\n"), "{request}");
        assert!(create_request(&address).starts_with("POST /x/api/v1/rooms HTTP/1.1\r\n"));
    }
}
