//! A WebSocket client that writes what it is told, cut as it is told, and knows no protocol beyond frames.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::support::DEADLINE;
use super::support::web_socket::frame;
use super::{CLOSE, CONTINUATION, LAST, NORMAL, PING, PONG};

/// How frames are cut where they are written.
#[derive(Clone, Copy)]
pub enum Pieces {
    /// All in one.
    Whole,
    /// Each by itself.
    Frames,
    /// So many bytes at once.
    Bytes(usize),
}

/// One connection.
pub struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Peer {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a TCP socket can");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut peer = Peer { stream, received: Vec::new() };
        loop {
            if let Some(end) = peer.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = peer.received.drain(..end + 4).collect();
                assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
                return peer;
            }
            assert!(peer.receive(), "the handshake is answered");
        }
    }

    pub fn send(&mut self, frames: &[Vec<u8>]) {
        self.send_in(Pieces::Whole, frames);
    }

    pub fn send_in(&mut self, pieces: Pieces, frames: &[Vec<u8>]) {
        let bytes = frames.concat();
        let pieces: Vec<&[u8]> = match pieces {
            Pieces::Whole => vec![&bytes],
            Pieces::Frames => frames.iter().map(Vec::as_slice).collect(),
            Pieces::Bytes(count) => bytes.chunks(count).collect(),
        };
        for piece in pieces {
            // The server may have closed before it has seen them all.
            let _ = self.stream.write_all(piece);
        }
    }

    /// Receives some more. Returns whether there was any.
    fn receive(&mut self) -> bool {
        let mut buffer = vec![0; 1 << 16];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing comes: {error}"),
        }
    }

    /// The next frame's first byte and its payload; `None`: the connection has ended.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((header_bytes, payload_bytes)) = self.header()
                && self.received.len() >= header_bytes + payload_bytes
            {
                let frame: Vec<u8> = self.received.drain(..header_bytes + payload_bytes).collect();
                return Some((frame[0], frame[header_bytes..].to_vec()));
            }
            if !self.receive() {
                assert!(self.received.is_empty(), "the connection ends within a frame");
                return None;
            }
        }
    }

    /// Bytes of the next frame's header and payload.
    fn header(&self) -> Option<(usize, usize)> {
        match *self.received.get(1)? {
            127 => {
                let length = self.received.get(2..10)?.try_into().expect("eight bytes");
                Some((10, u64::from_be_bytes(length) as usize))
            }
            126 => {
                let length = self.received.get(2..4)?.try_into().expect("two bytes");
                Some((4, u16::from_be_bytes(length).into()))
            }
            // A server's frames have no mask, whose bit would be here.
            length => Some((2, length.into())),
        }
    }

    /// The next frame is this one.
    pub fn expect(&mut self, opcode: u8, payload: &[u8]) {
        let (first, received) = self.next().expect("the connection goes on");
        assert_eq!((first, received.len()), (LAST | opcode, payload.len()));
        assert!(received == payload, "another payload");
    }

    /// The server closes with this payload, and ends the connection.
    pub fn expect_close(&mut self, payload: &[u8]) {
        self.expect(CLOSE, payload);
        assert_eq!(self.next(), None);
    }

    /// Closes in good order.
    pub fn close(&mut self) {
        self.send(&[whole(CLOSE, &NORMAL.to_be_bytes())]);
        self.expect_close(&NORMAL.to_be_bytes());
    }

    /// Whatever was sent before has been looked at, and was not answered.
    pub fn expect_silence(&mut self) {
        self.send(&[whole(PING, b"silence")]);
        self.expect(PONG, b"silence");
    }
}

/// A message, or a control frame.
pub fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(LAST | opcode, payload)
}

/// A frame that others follow.
pub fn begun(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, payload)
}

/// The last frame of a message.
pub fn ended(payload: &[u8]) -> Vec<u8> {
    frame(LAST | CONTINUATION, payload)
}

/// A message in frames of this size. As the suite does it, the last one is empty where nothing is left for it.
pub fn fragmented(opcode: u8, payload: &[u8], fragment_bytes: usize) -> Vec<Vec<u8>> {
    let whole_fragments = payload.chunks_exact(fragment_bytes);
    let rest = whole_fragments.remainder();
    let first_byte = |index| if index == 0 { opcode } else { CONTINUATION };
    let frames = whole_fragments.enumerate().map(|(index, fragment)| begun(first_byte(index), fragment));
    frames.chain([ended(rest)]).collect()
}
