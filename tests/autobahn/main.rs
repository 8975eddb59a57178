//! The cases of Autobahn's test suite for WebSockets, sections 1 to 7, 9 and 10 (12 and 13 are about compression), put
//! to `examples/echo.rs`. They are numbered as there: <https://github.com/crossbario/autobahn-testsuite>.
//!
//! Where that suite waits for a second to see that nothing comes, an answered ping shows it here. Where it accepts a
//! dropped connection as well, the close code is demanded.

#[path = "../../examples/echo.rs"]
#[allow(dead_code)]
mod echo;
mod peer;
#[path = "../support/mod.rs"]
mod support;
mod utf8;

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use peer::{Peer, Pieces, begun, ended, fragmented, whole};
use support::web_socket::frame;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// The first byte's bit of a message's last frame.
const LAST: u8 = 0x80;

const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;

/// The Greek word in the suite's texts; two things put behind it that are not UTF-8; and what follows them.
const VALID: &[u8] = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";
const BEYOND_UNICODE: &[u8] = b"\xF4\x90\x80\x80";
const SURROGATE: &[u8] = b"\xED\xA0\x80";
const AFTERWARDS: &[u8] = b"edited";

/// The example, in a thread that ends with the test.
struct EchoServer {
    address: SocketAddr,
}

impl EchoServer {
    fn start() -> EchoServer {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let (address, mut server) = echo::listen(([127, 0, 0, 1], 0).into()).expect("a free port");
            sender.send(address).expect("it is waited for");
            server.run().expect("nothing stops it");
        });
        EchoServer { address: receiver.recv().expect("it listens") }
    }

    /// One case, over a connection of its own.
    fn case(&self, number: &str, run: impl FnOnce(&mut Peer)) {
        eprintln!("case {number}");
        run(&mut Peer::connect(self.address));
    }

    /// These frames are answered by these, and then the connection is closed in good order.
    fn answers(&self, number: &str, sent: &[Vec<u8>], pieces: Pieces, answers: &[(u8, &[u8])]) {
        self.case(number, |peer| {
            peer.send_in(pieces, sent);
            for &(opcode, payload) in answers {
                peer.expect(opcode, payload);
            }
            peer.close();
        });
    }

    /// These frames are answered by these, and then the server closes with this code.
    fn fails(&self, number: &str, sent: &[Vec<u8>], pieces: Pieces, answers: &[(u8, &[u8])], code: u16) {
        self.case(number, |peer| {
            peer.send_in(pieces, sent);
            for &(opcode, payload) in answers {
                peer.expect(opcode, payload);
            }
            peer.expect_close(&code.to_be_bytes());
        });
    }
}

#[test]
fn section_1_messages() {
    let server = EchoServer::start();
    for (group, opcode, byte) in [(1, TEXT, b'*'), (2, BINARY, 0xFE)] {
        for (number, length) in [0, 125, 126, 127, 128, 65_535, 65_536].into_iter().enumerate() {
            let payload = vec![byte; length];
            let case = format!("1.{group}.{}", number + 1);
            server.answers(&case, &[whole(opcode, &payload)], Pieces::Whole, &[(opcode, &payload)]);
        }
        let payload = vec![byte; 65_536];
        let case = format!("1.{group}.8");
        server.answers(&case, &[whole(opcode, &payload)], Pieces::Bytes(997), &[(opcode, &payload)]);
    }
}

#[test]
fn section_2_pings_and_pongs() {
    let server = EchoServer::start();
    let long = [0xFE; 125];
    server.answers("2.1", &[whole(PING, b"")], Pieces::Whole, &[(PONG, b"")]);
    server.answers("2.2", &[whole(PING, b"Hello, world!")], Pieces::Whole, &[(PONG, b"Hello, world!")]);
    let binary = b"\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF";
    server.answers("2.3", &[whole(PING, binary)], Pieces::Whole, &[(PONG, binary)]);
    server.answers("2.4", &[whole(PING, &long)], Pieces::Whole, &[(PONG, &long)]);
    server.fails("2.5", &[whole(PING, &[0xFE; 126])], Pieces::Whole, &[], PROTOCOL_ERROR);
    server.answers("2.6", &[whole(PING, &long)], Pieces::Bytes(1), &[(PONG, &long)]);
    server.answers("2.7", &[whole(PONG, b"")], Pieces::Whole, &[]);
    server.answers("2.8", &[whole(PONG, b"unsolicited pong payload")], Pieces::Whole, &[]);
    let both = [whole(PONG, b"unsolicited pong payload"), whole(PING, b"ping payload")];
    server.answers("2.9", &both, Pieces::Whole, &[(PONG, b"ping payload")]);
    let payloads: Vec<_> = (0..10).map(|number| format!("payload-{number}")).collect();
    let pings: Vec<_> = payloads.iter().map(|payload| whole(PING, payload.as_bytes())).collect();
    let pongs: Vec<_> = payloads.iter().map(|payload| (PONG, payload.as_bytes())).collect();
    server.answers("2.10", &pings, Pieces::Whole, &pongs);
    server.answers("2.11", &pings, Pieces::Bytes(1), &pongs);
}

#[test]
fn section_3_reserved_bits() {
    let server = EchoServer::start();
    let small = b"Hello, world!";
    let with_bits = |bits: u8, opcode, payload: &[u8]| frame(LAST | bits << 4 | opcode, payload);
    server.fails("3.1", &[with_bits(1, TEXT, small)], Pieces::Whole, &[], PROTOCOL_ERROR);
    for (case, bits, pieces) in [("3.2", 2, Pieces::Whole), ("3.3", 3, Pieces::Frames), ("3.4", 4, Pieces::Bytes(1))] {
        let sent = [whole(TEXT, small), with_bits(bits, TEXT, small), whole(PING, b"")];
        server.fails(case, &sent, pieces, &[(TEXT, small)], PROTOCOL_ERROR);
    }
    server.fails("3.5", &[with_bits(5, BINARY, &[0, 255])], Pieces::Whole, &[], PROTOCOL_ERROR);
    server.fails("3.6", &[with_bits(6, PING, small)], Pieces::Whole, &[], PROTOCOL_ERROR);
    server.fails("3.7", &[with_bits(7, CLOSE, b"")], Pieces::Whole, &[], PROTOCOL_ERROR);
}

#[test]
fn section_4_reserved_opcodes() {
    let server = EchoServer::start();
    let small: &[u8] = b"Hello, world!";
    for (group, first) in [(1, 3), (2, 11)] {
        let case = |number| format!("4.{group}.{number}");
        server.fails(&case(1), &[whole(first, b"")], Pieces::Whole, &[], PROTOCOL_ERROR);
        server.fails(&case(2), &[whole(first + 1, b"reserved opcode payload")], Pieces::Whole, &[], PROTOCOL_ERROR);
        for (number, payload, pieces) in
            [(3, &b""[..], Pieces::Frames), (4, small, Pieces::Whole), (5, small, Pieces::Bytes(1))]
        {
            let sent = [whole(TEXT, small), whole(first + number - 1, payload), whole(PING, b"")];
            server.fails(&case(number), &sent, pieces, &[(TEXT, small)], PROTOCOL_ERROR);
        }
    }
}

#[test]
fn section_5_fragments() {
    let server = EchoServer::start();
    let in_all_pieces = [Pieces::Whole, Pieces::Frames, Pieces::Bytes(1)];
    let pair = [begun(TEXT, b"fragment1"), ended(b"fragment2")];
    let both: &[u8] = b"fragment1fragment2";
    server.fails("5.1", &[begun(PING, b"fragment1"), ended(b"fragment2")], Pieces::Whole, &[], PROTOCOL_ERROR);
    server.fails("5.2", &[begun(PONG, b"fragment1"), ended(b"fragment2")], Pieces::Whole, &[], PROTOCOL_ERROR);
    for (number, pieces) in in_all_pieces.into_iter().enumerate() {
        let case = |first: usize| format!("5.{}", first + number);
        server.answers(&case(3), &pair, pieces, &[(TEXT, both)]);
        let with_ping = [pair[0].clone(), whole(PING, b"ping payload"), pair[1].clone()];
        server.answers(&case(6), &with_ping, pieces, &[(PONG, b"ping payload"), (TEXT, both)]);
        let nothing_to_end = [ended(b"non-continuation payload"), whole(TEXT, b"Hello, world!")];
        server.fails(&case(9), &nothing_to_end, pieces, &[], PROTOCOL_ERROR);
        let nothing_to_go_on = [begun(CONTINUATION, b"non-continuation payload"), whole(TEXT, b"Hello, world!")];
        server.fails(&case(12), &nothing_to_go_on, pieces, &[], PROTOCOL_ERROR);
    }
    let after_the_end = [&pair[..], &[begun(CONTINUATION, b"fragment3"), whole(TEXT, b"fragment4")]].concat();
    server.fails("5.15", &after_the_end, Pieces::Whole, &[(TEXT, both)], PROTOCOL_ERROR);
    for (case, wrong) in [("5.16", begun(CONTINUATION, b"fragment1")), ("5.17", ended(b"fragment1"))] {
        let round = [wrong, begun(TEXT, b"fragment2"), ended(b"fragment3")];
        server.fails(case, &[&round[..], &round].concat(), Pieces::Whole, &[], PROTOCOL_ERROR);
    }
    let two_beginnings = [begun(TEXT, b"fragment1"), whole(TEXT, b"fragment2")];
    server.fails("5.18", &two_beginnings, Pieces::Whole, &[], PROTOCOL_ERROR);
    for (case, pieces) in [("5.19", Pieces::Whole), ("5.20", Pieces::Frames)] {
        server.case(case, |peer| {
            let more = |payload| begun(CONTINUATION, payload);
            peer.send_in(pieces, &[begun(TEXT, b"fragment1"), more(b"fragment2"), whole(PING, b"pongme 1!")]);
            peer.expect(PONG, b"pongme 1!");
            let rest = [more(b"fragment3"), more(b"fragment4"), whole(PING, b"pongme 2!"), ended(b"fragment5")];
            peer.send_in(pieces, &rest);
            peer.expect(PONG, b"pongme 2!");
            peer.expect(TEXT, b"fragment1fragment2fragment3fragment4fragment5");
            peer.close();
        });
    }
}

#[test]
fn section_6_utf8() {
    let server = EchoServer::start();
    let (whole_at_once, no_answer) = (Pieces::Whole, &[][..]);
    server.answers("6.1.1", &[whole(TEXT, b"")], whole_at_once, &[(TEXT, b"")]);
    let empty = [begun(TEXT, b""), begun(CONTINUATION, b""), ended(b"")];
    server.answers("6.1.2", &empty, whole_at_once, &[(TEXT, b"")]);
    let middle = [begun(TEXT, b""), begun(CONTINUATION, b"middle frame payload"), ended(b"")];
    server.answers("6.1.3", &middle, whole_at_once, &[(TEXT, b"middle frame payload")]);

    let text = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    server.answers("6.2.1", &[whole(TEXT, text)], whole_at_once, &[(TEXT, text)]);
    let (first, second) = text.split_at("Hello-µ@ßöä".len());
    server.answers("6.2.2", &[begun(TEXT, first), ended(second)], whole_at_once, &[(TEXT, text)]);
    server.answers("6.2.3", &fragmented(TEXT, text, 1), whole_at_once, &[(TEXT, text)]);
    server.answers("6.2.4", &fragmented(TEXT, VALID, 1), whole_at_once, &[(TEXT, VALID)]);

    let invalid = [VALID, SURROGATE, AFTERWARDS].concat();
    server.fails("6.3.1", &[whole(TEXT, &invalid)], whole_at_once, no_answer, NOT_UTF8);
    server.fails("6.3.2", &fragmented(TEXT, &invalid, 1), whole_at_once, no_answer, NOT_UTF8);

    // Within the next byte of each it is known that no text comes of it.
    let beyond = [VALID, BEYOND_UNICODE, AFTERWARDS].concat();
    for (case, [good, wrong, _]) in [
        ("6.4.1", [VALID, BEYOND_UNICODE, AFTERWARDS]),
        ("6.4.2", [&beyond[..VALID.len() + 1], &beyond[VALID.len() + 1..VALID.len() + 2], &beyond[VALID.len() + 2..]]),
    ] {
        server.case(case, |peer| {
            peer.send(&[begun(TEXT, good)]);
            peer.expect_silence();
            peer.send(&[begun(CONTINUATION, wrong)]);
            peer.expect_close(&NOT_UTF8.to_be_bytes());
        });
    }
    for (case, good_bytes) in [("6.4.3", VALID.len()), ("6.4.4", VALID.len() + 1)] {
        server.case(case, |peer| {
            let (header_bytes, wrong_bytes) = (6, VALID.len() + 2);
            let text = whole(TEXT, &beyond);
            peer.send(&[text[..header_bytes + good_bytes].to_vec()]);
            peer.send(&[text[header_bytes + good_bytes..header_bytes + wrong_bytes].to_vec()]);
            peer.expect_close(&NOT_UTF8.to_be_bytes());
        });
    }

    for (group, sequences) in utf8::sequences().into_iter().enumerate() {
        for (number, (is_valid, sequence)) in sequences.into_iter().enumerate() {
            let case = format!("6.{}.{}", group + 5, number + 1);
            assert_eq!(std::str::from_utf8(&sequence).is_ok(), is_valid, "{case}");
            let sent = [whole(TEXT, &sequence)];
            if is_valid {
                server.answers(&case, &sent, whole_at_once, &[(TEXT, &sequence)]);
            } else {
                server.fails(&case, &sent, whole_at_once, no_answer, NOT_UTF8);
            }
        }
    }
}

#[test]
fn section_7_closing() {
    let server = EchoServer::start();
    let normal = NORMAL.to_be_bytes();
    let close = whole(CLOSE, &normal);
    server.answers("7.1.1", &[whole(TEXT, b"Hello World!")], Pieces::Whole, &[(TEXT, b"Hello World!")]);
    let after = |sent: &[Vec<u8>]| [std::slice::from_ref(&close), sent].concat();
    server.fails("7.1.2", &after(&[whole(CLOSE, b"")]), Pieces::Whole, &[], NORMAL);
    server.fails("7.1.3", &after(&[whole(PING, b"")]), Pieces::Whole, &[], NORMAL);
    server.fails("7.1.4", &after(&[whole(TEXT, b"Hello World!")]), Pieces::Whole, &[], NORMAL);
    let in_a_message = [begun(TEXT, b"fragment1"), close.clone(), ended(b"fragment2")];
    server.fails("7.1.5", &in_a_message, Pieces::Whole, &[], NORMAL);
    let long = b"BAsd7&jh23".repeat(26_215);
    let much = [whole(TEXT, &long), whole(TEXT, b"Hello World!"), close.clone(), whole(PING, b"")];
    server.fails("7.1.6", &much, Pieces::Whole, &[(TEXT, &long), (TEXT, b"Hello World!")], NORMAL);

    server.case("7.3.1", |peer| {
        peer.send(&[whole(CLOSE, b"")]);
        peer.expect_close(b"");
    });
    let closing = |code: u16, reason: &[u8]| [whole(CLOSE, &[&code.to_be_bytes(), reason].concat())];
    server.fails("7.3.2", &[whole(CLOSE, b"a")], Pieces::Whole, &[], PROTOCOL_ERROR);
    server.fails("7.3.3", &closing(NORMAL, b""), Pieces::Whole, &[], NORMAL);
    server.fails("7.3.4", &closing(NORMAL, b"Hello World!"), Pieces::Whole, &[], NORMAL);
    server.fails("7.3.5", &closing(NORMAL, &[b'*'; 123]), Pieces::Whole, &[], NORMAL);
    server.fails("7.3.6", &closing(NORMAL, &[b'*'; 124]), Pieces::Whole, &[], PROTOCOL_ERROR);
    let reason = [VALID, SURROGATE, AFTERWARDS].concat();
    server.fails("7.5.1", &closing(NORMAL, &reason), Pieces::Whole, &[], NOT_UTF8);

    let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for (number, code) in valid.into_iter().enumerate() {
        server.fails(&format!("7.7.{}", number + 1), &closing(code, b""), Pieces::Whole, &[], code);
    }
    let invalid = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    for (number, code) in invalid.into_iter().enumerate() {
        server.fails(&format!("7.9.{}", number + 1), &closing(code, b""), Pieces::Whole, &[], PROTOCOL_ERROR);
    }
    for (case, code) in [("7.13.1", 5000), ("7.13.2", 65_535)] {
        server.fails(case, &closing(code, b""), Pieces::Whole, &[], PROTOCOL_ERROR);
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

#[test]
fn sections_9_1_and_9_2_big_messages() {
    let server = EchoServer::start();
    let texts = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
    for (number, length) in texts.into_iter().enumerate() {
        for (group, opcode, byte) in [(1, TEXT, b'*'), (2, BINARY, 0xFE)] {
            let payload = vec![byte; length];
            let case = format!("9.{group}.{}", number + 1);
            server.answers(&case, &[whole(opcode, &payload)], Pieces::Whole, &[(opcode, &payload)]);
        }
    }
}

#[test]
fn sections_9_3_and_9_4_messages_of_many_frames() {
    let server = EchoServer::start();
    let fragments = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
    for (number, fragment_bytes) in fragments.into_iter().enumerate() {
        for (group, opcode, byte) in [(3, TEXT, b'*'), (4, BINARY, 0xFE)] {
            let payload = vec![byte; 4 * MIB];
            let case = format!("9.{group}.{}", number + 1);
            let sent = fragmented(opcode, &payload, fragment_bytes);
            server.answers(&case, &sent, Pieces::Whole, &[(opcode, &payload)]);
        }
    }
}

#[test]
fn sections_9_5_and_9_6_messages_in_small_pieces() {
    let server = EchoServer::start();
    for (number, piece_bytes) in [64, 128, 256, 512, KIB, 2 * KIB].into_iter().enumerate() {
        for (group, opcode, byte) in [(5, TEXT, b'*'), (6, BINARY, 0xFE)] {
            let payload = vec![byte; MIB];
            let case = format!("9.{group}.{}", number + 1);
            server.answers(&case, &[whole(opcode, &payload)], Pieces::Bytes(piece_bytes), &[(opcode, &payload)]);
        }
    }
}

#[test]
fn sections_9_7_and_9_8_a_thousand_messages_to_and_fro() {
    let server = EchoServer::start();
    for (number, length) in [0, 16, 64, 256, KIB, 4 * KIB].into_iter().enumerate() {
        for (group, opcode, byte) in [(7, TEXT, b'*'), (8, BINARY, 0xFE)] {
            server.case(&format!("9.{group}.{}", number + 1), |peer| {
                let payload = vec![byte; length];
                let sent = [whole(opcode, &payload)];
                for _ in 0..1000 {
                    peer.send(&sent);
                    peer.expect(opcode, &payload);
                }
                peer.close();
            });
        }
    }
}

#[test]
fn section_10_frames_of_an_odd_size() {
    let server = EchoServer::start();
    let payload = vec![b'*'; 65_536];
    server.answers("10.1.1", &fragmented(TEXT, &payload, 1300), Pieces::Whole, &[(TEXT, &payload)]);
}
