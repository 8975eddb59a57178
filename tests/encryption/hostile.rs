//! Peers that mean no good, or are many: whoever is there already notices nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::version::TLS13;

use super::client::{TlsClient, config};
use super::{line_tls, room_of_ana, start};
use crate::certificate::HOST;
use crate::support::{DEADLINE, Server};

/// The first message of a handshake.
fn client_hello() -> Vec<u8> {
    let mut client = ClientConnection::new(config(&TLS13), HOST.try_into().expect("a name")).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("a vector takes everything");
    hello
}

/// The connection ends; returns whether a byte came before.
fn ends(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    let mut came = Vec::new();
    match stream.read_to_end(&mut came) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("it does not end: {error}"),
        _ => !came.is_empty(),
    }
}

fn metric(server: &Server, name: &str) -> u64 {
    let mut client = TlsClient::connect(server.web, &TLS13);
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let metrics = client.read_to_end();
    let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

#[test]
fn half_handshakes_are_given_up_and_hold_up_nobody() {
    let server = start(&["--max-per-ip", "0"]);
    let (mut ana, room) = room_of_ana(&server);
    let hello = client_hello();
    let started = Instant::now();
    let halves: Vec<TcpStream> = (0..200)
        .map(|number| {
            let address = if number % 2 == 0 { server.web } else { line_tls(&server) };
            let mut stream = TcpStream::connect(address).expect("the server accepts connections");
            // Nothing, a part of the first message, or all of it and nothing more.
            let part = [0, 1, 5, hello.len() / 2, hello.len()][number % 5];
            stream.write_all(&hello[..part]).expect("it is open");
            stream
        })
        .collect();
    let mut ben = TlsClient::connect(line_tls(&server), &TLS13);
    ben.send(&format!("/join {room} ben\nstill here?\n"));
    ana.expect_text("<ben> still here?\r\n");
    ana.send_line("yes");
    ben.expect_text("<ana> yes\r\n");
    for half in halves {
        ends(half);
    }
    assert!(started.elapsed() >= Duration::from_secs(8), "a slow line has its time");
    ana.send_line("they are gone");
    ben.expect_text("<ana> they are gone\r\n");
    assert_eq!(metric(&server, "snugd_tls_handshakes_given_up_total"), 200);
}

#[test]
fn of_too_many_handshakes_only_the_oldest_are_given_up() {
    const MOST: usize = 2048;
    let server = start(&["--max-per-ip", "0"]);
    let connect = |_| {
        let mut stream = TcpStream::connect(server.web).expect("the server accepts connections");
        stream.write_all(&[22]).expect("it is open");
        stream
    };
    let mut halves: Vec<TcpStream> = (0..MOST + 3).map(connect).collect();
    // One more, who means it: the oldest four have gone for the others.
    assert_eq!(metric(&server, "snugd_tls_handshakes_given_up_total"), 4);
    let younger = halves.split_off(4);
    for oldest in halves {
        ends(oldest);
    }
    for younger in younger {
        younger.set_nonblocking(true).expect("a socket");
        let read = (&younger).read(&mut [0]);
        assert_eq!(read.expect_err("it has its time").kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn who_breaks_tls_ends_alone_and_is_told() {
    let server = start(&[]);
    let (mut ana, room) = room_of_ana(&server);
    let mut ben = TlsClient::connect(line_tls(&server), &TLS13);
    ben.send(&format!("/join {room} ben\n"));
    ana.expect_line("* ben came in (line)");
    let garbage: [&[u8]; 4] = [
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff and more than a record may have",
        b"\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(line_tls(&server)).expect("the server accepts connections");
        stream.write_all(bytes).expect("it is open");
        stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        ends(stream);
    }
    let mut stream = TcpStream::connect(line_tls(&server)).expect("the server accepts connections");
    stream.write_all(b"\x16\x03\x01\x00\x09\x01\x00\x00\x05\x03\x03\x00\x00\x00").expect("it is open");
    assert!(ends(stream), "an alert tells why");
    ben.send("nobody else is\n");
    ana.expect_text("<ben> nobody else is\r\n");
    assert!(metric(&server, "snugd_protocol_faults_total{protocol=\"tls\"}") >= 3);
}

#[test]
fn a_crowd_that_comes_at_once_is_let_in() {
    const CROWD: usize = 100;
    let server = start(&["--max-per-ip", "0", "--join-rate", "0"]);
    let (mut ana, room) = room_of_ana(&server);
    let (address, room) = (line_tls(&server), Arc::new(room));
    let together = Arc::new(Barrier::new(CROWD));
    let crowd: Vec<_> = (0..CROWD)
        .map(|number| {
            let (room, together) = (Arc::clone(&room), Arc::clone(&together));
            thread::spawn(move || {
                together.wait();
                let mut client = TlsClient::connect(address, &TLS13);
                client.send(&format!("/join {room} guest{number}\n"));
                client.expect_text(&format!("* {room}. "));
                client
            })
        })
        .collect();
    let mut crowd: Vec<TlsClient> = crowd.into_iter().map(|member| member.join().expect("it is let in")).collect();
    ana.send_line("welcome, all of you");
    for member in &mut crowd {
        member.expect_text("<ana> welcome, all of you\r\n");
    }
}

#[test]
fn who_reads_nothing_is_given_up_and_holds_up_nobody() {
    let server = start(&["--rate", "0", "--grace", "0s", "--max-message", "65536"]);
    let (mut ana, room) = room_of_ana(&server);
    let mut idle = TlsClient::connect(line_tls(&server), &TLS13);
    idle.send(&format!("/join {room} idle\n"));
    ana.expect_line("* idle came in (line)");
    let mut ben = TlsClient::connect(line_tls(&server), &TLS13);
    ben.send(&format!("/join {room} ben\n"));
    ana.expect_line("* ben came in (line)");
    // More than may ever wait for one, beside what the kernel takes.
    let text = "x".repeat(60_000);
    for number in 0..400 {
        ana.send_line(&format!("{number} {text}"));
        ben.expect_text(&format!("<ana> {number} "));
    }
    ana.expect_line("* idle left");
    ana.send_line("done");
    ben.expect_text("<ana> done\r\n");
}
