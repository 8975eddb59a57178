//! The floor: what fan-out costs if nothing is checked.
//!
//! The same epoll and the same writes as a real server: walk the frame lengths, unmask, wrap each text in a
//! fixed envelope once a room, and once a loop turn write the room's whole batch to each member. Every read
//! is trusted, the handshake is a search for one header, and a room is whatever a join names.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

use base64::Engine;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sha1::{Digest, Sha1};

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 128 << 10;

/// What stands before and after a text: as long as in snugd, but the same for every text.
const BEFORE: &[u8] =
    br#"{"type":"message","id":123456,"time":1700000000000,"name":"m00001","via":"web","kind":"say","text":""#;
const AFTER: &[u8] = br#"","cid":"c00000001"}"#;
/// What stands before a text in what members send.
const SENT_BEFORE: &[u8] = br#"{"type":"message","text":""#;

struct Member {
    stream: TcpStream,
    /// `None` until it has joined.
    room: Option<u32>,
    upgraded: bool,
    /// A torn frame.
    carry: Vec<u8>,
    /// What the socket did not take.
    unsent: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<u32>,
    batch: Vec<u8>,
}

struct Floor {
    members: Vec<Option<Member>>,
    free: Vec<usize>,
    rooms: Vec<Room>,
    codes: HashMap<Vec<u8>, u32>,
    /// Rooms that something was said in during this turn.
    loud: Vec<u32>,
}

fn main() -> io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(9000);
    let mut listener = listen(port)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut floor =
        Floor { members: Vec::new(), free: Vec::new(), rooms: Vec::new(), codes: HashMap::new(), loud: Vec::new() };
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener, &poll)?,
                Token(index) => {
                    if event.is_writable() {
                        floor.send_unsent(index);
                    }
                    if event.is_readable() {
                        floor.receive(index, &mut buffer);
                    }
                }
            }
        }
        floor.flush();
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(4096)?;
    Ok(TcpListener::from_std(socket.into()))
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        while let Ok((mut stream, _)) = listener.accept() {
            let index = self.free.pop().unwrap_or_else(|| {
                self.members.push(None);
                self.members.len() - 1
            });
            stream.set_nodelay(true)?;
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let member = Member { stream, room: None, upgraded: false, carry: Vec::new(), unsent: Vec::new() };
            self.members[index] = Some(member);
        }
        Ok(())
    }

    fn receive(&mut self, index: usize, buffer: &mut [u8]) {
        loop {
            let Some(member) = &mut self.members[index] else { return };
            let kept = member.carry.len();
            buffer[..kept].copy_from_slice(&member.carry);
            let filled = match member.stream.read(&mut buffer[kept..]) {
                Ok(0) => return self.leave(index),
                Ok(read) => kept + read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.leave(index),
            };
            member.carry.clear();
            let parsed = if member.upgraded {
                self.walk(index, &mut buffer[..filled])
            } else {
                upgrade(member, &buffer[..filled])
            };
            if let Some(member) = &mut self.members[index] {
                member.carry.extend_from_slice(&buffer[parsed..filled]);
            }
            if filled < buffer.len() {
                return;
            }
        }
    }

    /// Takes every whole frame; returns how many bytes those were.
    fn walk(&mut self, index: usize, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while bytes.len() - at >= 6 {
            let (header, length) = match bytes[at + 1] & 0x7F {
                126 if bytes.len() - at >= 8 => (4, usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))),
                126 | 127 => break,
                short => (2, usize::from(short)),
            };
            let payload = at + header + 4;
            if bytes.len() < payload + length {
                break;
            }
            let key: [u8; 4] = bytes[payload - 4..payload].try_into().expect("four bytes");
            let text = &mut bytes[payload..payload + length];
            unmask(text, key);
            self.hear(index, text);
            at = payload + length;
        }
        at
    }

    fn hear(&mut self, index: usize, payload: &[u8]) {
        let Some(member) = &mut self.members[index] else { return };
        let Some(room) = member.room else { return self.join(index, payload) };
        let Some(text) = payload.get(SENT_BEFORE.len()..) else { return };
        let text = &text[..memchr::memchr(b'"', text).unwrap_or(text.len())];
        let batch = &mut self.rooms[room as usize].batch;
        if batch.is_empty() {
            self.loud.push(room);
        }
        let length = (BEFORE.len() + text.len() + AFTER.len()) as u16;
        batch.extend_from_slice(&[0x81, 126, (length >> 8) as u8, length as u8]);
        batch.extend_from_slice(BEFORE);
        batch.extend_from_slice(text);
        batch.extend_from_slice(AFTER);
    }

    fn join(&mut self, index: usize, payload: &[u8]) {
        let key = br#""room":""#;
        let Some(start) = memchr::memmem::find(payload, key) else { return };
        let code = payload[start + key.len()..].split(|byte| *byte == b'"').next().unwrap_or_default();
        let room = *self.codes.entry(code.to_vec()).or_insert_with(|| {
            self.rooms.push(Room::default());
            self.rooms.len() as u32 - 1
        });
        self.rooms[room as usize].members.push(index as u32);
        if let Some(member) = &mut self.members[index] {
            member.room = Some(room);
            let joined = br#"{"type":"joined"}"#;
            let frame = [&[0x81, joined.len() as u8], joined.as_slice()].concat();
            send(member, &frame);
        }
    }

    /// Writes each loud room's batch to each of its members.
    fn flush(&mut self) {
        for room in self.loud.drain(..) {
            let Room { members, batch } = &mut self.rooms[room as usize];
            for index in members.iter() {
                if let Some(member) = &mut self.members[*index as usize] {
                    send(member, batch);
                }
            }
            batch.clear();
        }
    }

    fn send_unsent(&mut self, index: usize) {
        if let Some(member) = &mut self.members[index]
            && !member.unsent.is_empty()
        {
            let unsent = std::mem::take(&mut member.unsent);
            send(member, &unsent);
        }
    }

    fn leave(&mut self, index: usize) {
        if let Some(room) = self.members[index].take().and_then(|member| member.room) {
            self.rooms[room as usize].members.retain(|member| *member != index as u32);
        }
        self.free.push(index);
    }
}

/// Answers the handshake; returns how many bytes it took.
fn upgrade(member: &mut Member, bytes: &[u8]) -> usize {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
    let header = b"Sec-WebSocket-Key: ";
    let Some(start) = memchr::memmem::find(bytes, header) else { return 0 };
    let key = &bytes[start + header.len()..start + header.len() + 24];
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    let accept = base64::engine::general_purpose::STANDARD.encode(digest);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    member.upgraded = true;
    send(member, answer.as_bytes());
    end + 4
}

fn send(member: &mut Member, bytes: &[u8]) {
    if !member.unsent.is_empty() {
        return member.unsent.extend_from_slice(bytes);
    }
    let written = member.stream.write(bytes).unwrap_or(0);
    member.unsent.extend_from_slice(&bytes[written..]);
}

fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key, key].concat().try_into().expect("eight bytes"));
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let value = u64::from_ne_bytes((&*chunk).try_into().expect("eight bytes")) ^ wide;
        chunk.copy_from_slice(&value.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}
