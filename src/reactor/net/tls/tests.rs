use std::collections::VecDeque;

use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, SupportedProtocolVersion};

use super::*;
use crate::tls::tests::{client, keys};

/// What lies between both ends: bytes that are cut anywhere, and a socket that is full or empty at any time.
#[derive(Debug, Default)]
struct Wire {
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// How many bytes each call moves, one after the other; 0: it would block. None are left: all that there are.
    portions: VecDeque<usize>,
    /// The client has closed its side.
    is_ended: bool,
    /// Calls of the system that have written something.
    writes: usize,
    /// Those of them that gathered it from several places, or could have.
    gathered: usize,
}

impl Wire {
    fn portion(&mut self, most: usize) -> usize {
        self.portions.pop_front().map_or(most, |portion| portion.min(most))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.to_server.is_empty() {
            return if self.is_ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let count = self.portion(buffer.len().min(self.to_server.len()));
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (place, byte) in buffer.iter_mut().zip(self.to_server.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.portion(bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.to_client.extend(&bytes[..count]);
        self.writes += 1;
        Ok(count)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.gathered += 1;
        self.write(&all)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both ends of a connection.
struct Pair {
    server: TlsStream<Wire>,
    client: ClientConnection,
    /// What each has read.
    at_server: Vec<u8>,
    at_client: Vec<u8>,
    /// How reading has ended at the server.
    end: Option<io::Result<()>>,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Pair {
        let name = "chat.example".try_into().expect("a name");
        Pair {
            server: TlsStream::new(Wire::default(), Arc::clone(keys().web())),
            client: ClientConnection::new(client(version), name).expect("a client"),
            at_server: Vec::new(),
            at_client: Vec::new(),
            end: None,
        }
    }

    fn joined(version: &'static SupportedProtocolVersion) -> Pair {
        let mut pair = Pair::new(version);
        for _ in 0..10 {
            pair.turn_client();
            pair.turn_server();
        }
        assert!(pair.server.is_encrypted() && !pair.client.is_handshaking());
        pair
    }

    /// The client takes what has come, and sends what it has.
    fn turn_client(&mut self) {
        let wire = &mut self.server.socket;
        let came: Vec<u8> = wire.to_client.drain(..).collect();
        let mut rest = &came[..];
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).expect("it reads");
            self.client.process_new_packets().expect("the server keeps to TLS");
            let _ = self.client.reader().read_to_end(&mut self.at_client);
        }
        let mut sent = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut sent).expect("a vector takes everything");
        }
        wire.to_server.extend(sent);
    }

    /// The server does what the reactor does: it reads until nothing more is there, and flushes.
    fn turn_server(&mut self) {
        let mut buffer = [0; 1000];
        while self.end.is_none() {
            match self.server.read(&mut buffer) {
                Ok(0) => self.end = Some(Ok(())),
                Ok(count) => {
                    self.at_server.extend(&buffer[..count]);
                    // The end has been announced by an edge of its own.
                    if !self.server.may_have_more(count, buffer.len()) && !self.server.socket.is_ended {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        match self.server.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => panic!("the wire takes everything: {error}"),
            _ => (),
        }
    }

    fn end_kind(&self) -> Option<Option<io::ErrorKind>> {
        self.end.as_ref().map(|end| end.as_ref().err().map(io::Error::kind))
    }
}

/// Portions of a wire: small ones, large ones, and none.
fn portions() -> impl Strategy<Value = VecDeque<usize>> {
    let portion = prop_oneof![Just(0), 1..8_usize, 1..2_000_usize, Just(100_000)];
    proptest::collection::vec(portion, 0..400).prop_map(VecDeque::from)
}

fn version() -> impl Strategy<Value = &'static SupportedProtocolVersion> {
    prop_oneof![Just(&TLS12), Just(&TLS13)]
}

/// Texts of some length.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = |length: core::ops::Range<usize>| (any::<u8>(), length).prop_map(|(byte, length)| vec![byte; length]);
    proptest::collection::vec(prop_oneof![text(1..300), text(10_000..90_000)], 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the wire does, each end reads exactly what the other has written, and then its end.
    #[test]
    fn what_is_written_is_read(version in version(), portions in portions(), to in texts(), from in texts()) {
        let mut pair = Pair::new(version);
        pair.server.socket.portions = portions;
        let (mut to_send, mut to_say) = (VecDeque::from(to.concat()), VecDeque::from(from.concat()));
        let mut has_ended = false;
        for turn in 0.. {
            prop_assert!(turn < 5_000, "it comes to an end");
            pair.turn_client();
            if !pair.client.is_handshaking() {
                to_say.make_contiguous();
                let taken = pair.client.writer().write(to_say.as_slices().0).expect("it takes some");
                to_say.drain(..taken);
                if to_say.is_empty() && !has_ended {
                    pair.client.send_close_notify();
                    has_ended = true;
                }
            }
            pair.turn_server();
            if !pair.server.has_output() && !to_send.is_empty() {
                to_send.make_contiguous();
                let all = to_send.as_slices().0;
                let (one, other) = all.split_at(all.len() / 3);
                match pair.server.write_vectored(&[IoSlice::new(one), IoSlice::new(other)]) {
                    Ok(taken) => {
                        prop_assert!(taken > 0, "it takes some when it does not block");
                        to_send.drain(..taken);
                    }
                    Err(error) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
            }
            if to_send.is_empty() && !pair.server.is_handshaking() && !pair.server.has_output() {
                pair.server.say_end();
                pair.flush();
                if has_ended && pair.end.is_some() && !pair.server.has_output() {
                    break;
                }
            }
        }
        pair.turn_client();
        prop_assert_eq!(pair.end_kind(), Some(None), "its end is told");
        prop_assert!(pair.at_server == from.concat() && pair.at_client == to.concat());
        let at_end = pair.client.reader().read(&mut [0]).map_err(|error| error.kind());
        prop_assert_eq!(at_end, Ok(0), "the server has told its end");
    }

    /// Whatever comes, it does no more than end the connection.
    #[test]
    fn garbage_ends_a_connection(is_joined: bool, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut pair = if is_joined { Pair::joined(&TLS13) } else { Pair::new(&TLS13) };
        let socket = &mut pair.server.socket;
        socket.to_server.push_back(HANDSHAKE);
        socket.to_server.extend(bytes);
        socket.is_ended = true;
        pair.turn_server();
        prop_assert!(matches!(pair.end_kind(), Some(Some(io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof))));
        prop_assert!(pair.at_server.is_empty());
    }
}

#[test]
fn nothing_is_written_while_it_is_read() {
    let mut pair = Pair::new(&TLS13);
    pair.turn_client();
    let mut buffer = [0; 1000];
    assert_eq!(pair.server.read(&mut buffer).expect_err("no text yet").kind(), io::ErrorKind::WouldBlock);
    assert!(pair.server.has_output() && pair.server.socket.to_client.is_empty(), "the answer waits");
    let refused = pair.server.write(b"too early").expect_err("there is no key yet");
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    pair.flush();
    assert!(!pair.server.has_output() && !pair.server.socket.to_client.is_empty());
}

#[test]
fn all_that_is_new_is_one_write() {
    let mut pair = Pair::joined(&TLS13);
    pair.server.socket.writes = 0;
    let parts = [vec![b'a'; 300], vec![b'b'; 20_000], vec![b'c'; 5]];
    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    assert_eq!(pair.server.write_vectored(&slices).expect("there is room"), 20_305);
    assert_eq!(pair.server.socket.writes, 1);
    // Two records, each with five bytes of head, a byte of type and 16 of tag.
    assert_eq!(pair.server.socket.to_client.len(), 20_305 + 2 * 22);
    pair.turn_client();
    assert_eq!(pair.at_client, parts.concat());
}

#[test]
fn one_record_is_not_gathered() {
    let mut pair = Pair::joined(&TLS13);
    (pair.server.socket.writes, pair.server.socket.gathered) = (0, 0);
    let slices = [IoSlice::new(b"said"), IoSlice::new(b" at once")];
    assert_eq!(pair.server.write_vectored(&slices).expect("there is room"), 12);
    assert_eq!((pair.server.socket.writes, pair.server.socket.gathered), (1, 0), "`send` is cheaper than `writev`");
}

#[test]
fn who_reads_nothing_holds_up_what_is_sent_to_it() {
    let mut pair = Pair::joined(&TLS13);
    pair.server.socket.portions = [100].into_iter().chain([0; 100]).collect();
    let text = vec![b'x'; 1_000_000];
    let taken = pair.server.write(&text).expect("the first batch is taken");
    assert!(taken <= 64 * 1024, "a batch is bounded: {taken}");
    for _ in 0..10 {
        assert_eq!(pair.server.write(&text).expect_err("it is full").kind(), io::ErrorKind::WouldBlock);
    }
    pair.server.socket.portions.clear();
    pair.flush();
    pair.turn_client();
    assert_eq!(pair.at_client.len(), taken, "what was taken has come, and nothing else");
}

#[test]
fn an_end_is_told_from_one_that_is_cut_off() {
    for is_told in [true, false] {
        let mut pair = Pair::joined(&TLS13);
        pair.client.writer().write_all(b"hello").expect("it takes some");
        if is_told {
            pair.client.send_close_notify();
        }
        pair.turn_client();
        pair.server.socket.is_ended = true;
        pair.turn_server();
        assert_eq!(pair.at_server, b"hello");
        let expected = (!is_told).then_some(io::ErrorKind::UnexpectedEof);
        assert_eq!(pair.end_kind(), Some(expected), "told: {is_told}");
    }
}

#[test]
fn what_came_before_a_fault_is_read_before_it() {
    let mut pair = Pair::joined(&TLS13);
    pair.client.writer().write_all(b"hello").expect("it takes some");
    pair.turn_client();
    pair.server.socket.to_server.extend(*b"\x17\x03\x03\x00\x20and then what nobody has encrypted");
    pair.turn_server();
    assert_eq!(pair.at_server, b"hello");
    assert_eq!(pair.end_kind(), Some(Some(io::ErrorKind::InvalidData)));
    assert!(!pair.server.socket.to_client.is_empty(), "the peer is told why");
}

#[test]
fn the_input_of_a_handshake_is_bounded() {
    let mut pair = Pair::new(&TLS13);
    // A first message of 60,000 bytes, as far as its head says, in records of 16,000.
    let mut begun = vec![1, 0, 234, 96];
    begun.resize(50_000, 0);
    for part in begun.chunks(16_000) {
        pair.server.socket.to_server.extend([HANDSHAKE, 3, 3, (part.len() >> 8) as u8, part.len() as u8]);
        pair.server.socket.to_server.extend(part);
    }
    pair.turn_server();
    assert_eq!(pair.end_kind(), Some(Some(io::ErrorKind::InvalidData)));
    assert!(pair.server.socket.to_server.len() > 50_000 - HANDSHAKE_LIMIT_BYTES - 5_000, "the rest is not even read");
}

#[test]
fn who_speaks_without_tls_is_passed_on() {
    let mut pair = Pair::new(&TLS13);
    assert!(pair.server.is_handshaking());
    pair.server.socket.to_server.extend(*b"GET / HTTP/1.1\r\n\r\n");
    pair.turn_server();
    assert!(!pair.server.is_handshaking() && !pair.server.is_encrypted() && !pair.server.has_output());
    assert_eq!(pair.at_server, b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(pair.server.write(b"HTTP/1.1 308 ").expect("there is room"), 13);
    assert_eq!(pair.server.socket.to_client, b"HTTP/1.1 308 ");
    pair.server.socket.is_ended = true;
    pair.turn_server();
    assert_eq!(pair.end_kind(), Some(None));
}

#[test]
fn a_handshake_begins_behind_what_a_proxy_says() {
    let mut pair = Pair::new(&TLS13);
    pair.server.hold_encryption();
    assert!(!pair.server.is_handshaking());
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.8 40000 443\r\n";
    pair.server.socket.to_server.extend(*header);
    pair.turn_client();
    let mut buffer = [0; 1000];
    // Who reads it asks for no more than it has.
    while pair.at_server.len() < header.len() {
        let wanted = (header.len() - pair.at_server.len()).min(10);
        let count = pair.server.read(&mut buffer[..wanted]).expect("there is more");
        pair.at_server.extend(&buffer[..count]);
    }
    assert_eq!(pair.at_server, header);
    pair.server.begin_encryption();
    assert!(pair.server.is_handshaking());
    for _ in 0..10 {
        pair.turn_server();
        pair.turn_client();
    }
    assert!(pair.server.is_encrypted() && !pair.client.is_handshaking());
}

#[test]
fn new_keys_are_answered_by_flushing() {
    let mut pair = Pair::joined(&TLS13);
    pair.client.refresh_traffic_keys().expect("TLS 1.3 has them");
    pair.client.writer().write_all(b"under the new key").expect("it takes some");
    pair.turn_client();
    let before = pair.server.socket.to_client.len();
    pair.turn_server();
    assert_eq!(pair.at_server, b"under the new key");
    let taken = pair.server.write(b"so is this").expect("there is room");
    assert!(taken == 10 && pair.server.socket.to_client.len() > before);
    pair.turn_client();
    assert_eq!(pair.at_client, b"so is this");
}
