//! Terminals over TLS, beside others without.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use rustls::version::TLS13;

use super::certificate::authority;
use super::client::{TlsClient, VERSIONS};
use super::{line_tls, room_of_ana, start};
use crate::support::{HttpClient, Server, find_program};

/// Talks with Ana by a program that carries lines over TLS.
fn talk(program: &mut Command, server: &Server) {
    let (mut ana, room) = room_of_ana(server);
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(format!("/join {room} ben\ngrüße, ana\n").as_bytes()).expect("it reads");
    ana.expect_line("* ben came in (line)");
    ana.expect_text("<ben> grüße, ana\r\n");
    ana.send_line("hello, ben");
    let mut seen = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut buffer = [0; 4096];
    while !seen.contains("<ana> hello, ben\r\n") {
        let count = stdout.read(&mut buffer).expect("it can be read");
        assert!(count > 0, "it ends too early: {seen}");
        seen += &String::from_utf8_lossy(&buffer[..count]);
    }
    stdin.write_all(b"/quit\n").expect("it reads");
    ana.expect_line("* ben left");
    drop(stdin);
    assert!(child.wait().expect("it can be waited for").success(), "{seen}");
}

#[test]
fn openssl_carries_lines() {
    let server = start(&[]);
    for version in ["-tls1_2", "-tls1_3"] {
        let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
        openssl.args(["s_client", "-quiet", version, "-verify_return_error", "-CAfile"]).arg(authority());
        talk(openssl.args(["-connect", &line_tls(&server).to_string()]), &server);
    }
}

#[test]
fn ncat_carries_lines() {
    let server = start(&[]);
    let mut ncat = Command::new(find_program(&["ncat"], "ncat"));
    let port = line_tls(&server).port().to_string();
    talk(ncat.args(["--ssl-verify", "--ssl-trustfile"]).arg(authority()).args(["localhost", &port]), &server);
}

#[test]
fn a_script_without_an_end_is_answered_whole() {
    let server = start(&[]);
    for version in VERSIONS {
        let mut client = TlsClient::connect(line_tls(&server), version);
        client.send("/new ben\nhello\n/who");
        client.end();
        let seen = client.read_to_end();
        assert!(seen.ends_with("* ben (line)\r\n"), "the last line counts, since its end was told: {seen}");
    }
}

#[test]
fn what_is_cut_off_is_not_taken_for_a_line() {
    let server = start(&["--grace", "0s"]);
    let (mut ana, room) = room_of_ana(&server);
    for version in VERSIONS {
        let mut client = TlsClient::connect(line_tls(&server), version);
        client.send(&format!("/join {room} ben\nwhole\n"));
        ana.expect_text("<ben> whole\r\n");
        client.send("send 1000 to ben and no");
        client.cut_off();
        let seen = client.read_to_end();
        assert!(!seen.contains("1000"), "{seen}");
        let before = ana.expect_text("* ben left\r\n");
        assert!(!before.contains("1000"), "{before}");
    }
}

#[test]
fn who_comes_without_tls_is_told_so() {
    let server = start(&[]);
    let mut plain = HttpClient::connect(line_tls(&server));
    plain.send("ana\n");
    let words = String::from_utf8(plain.read_to_end()).expect("UTF-8");
    assert_eq!(words, "! Terminals speak over TLS here, as in: openssl s_client -quiet -connect HOST:PORT\r\n");
}

/// A line on which one byte comes after the other, each by itself.
fn slow_line(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("somebody comes");
        let mut server = TcpStream::connect(to).expect("the server accepts connections");
        server.set_nodelay(true).expect("a TCP socket can");
        let (mut back_from, mut back_to) = (server.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
        thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
        let mut byte = [0];
        while client.read(&mut byte).is_ok_and(|count| count == 1) {
            if server.write_all(&byte).is_err() {
                break;
            }
            thread::yield_now();
        }
    });
    address
}

#[test]
fn a_line_may_bring_one_byte_at_a_time() {
    let server = start(&[]);
    for version in VERSIONS {
        let mut client = TlsClient::connect(slow_line(line_tls(&server)), version);
        client.send("/new ben\n/who\n");
        client.expect_text("* ben (line)\r\n");
        client.send("/quit\n");
        client.expect_text("* Bye.\r\n");
        assert_eq!(client.read_to_end(), "");
    }
}

#[test]
fn a_proxys_header_comes_before_tls() {
    let server = start(&["--proxy-protocol", "127.0.0.0/8"]);
    for header in [&b"PROXY TCP4 192.0.2.7 192.0.2.8 40000 5002\r\n"[..], HEADER_V2] {
        for (address, said, heard) in [
            (line_tls(&server), "/new ben\n/who\n", "* ben (line)\r\n"),
            (server.web, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\nok\n"),
        ] {
            let mut stream = TcpStream::connect(address).expect("the server accepts connections");
            stream.write_all(header).expect("it reads");
            let mut client = TlsClient::over(stream, &TLS13);
            client.send(said);
            client.expect_text(heard);
        }
    }
}

/// 192.0.2.7:40000 to 192.0.2.8:5002, in the second version.
const HEADER_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\x9c\x40\x13\x8a";

#[test]
fn renegotiation_is_refused_and_harms_nobody() {
    let server = start(&["--grace", "0s"]);
    let (mut ana, room) = room_of_ana(&server);
    let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
    openssl.args(["s_client", "-tls1_2", "-connect", &line_tls(&server).to_string()]);
    openssl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = openssl.spawn().expect("it can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(format!("/join {room} ben\n").as_bytes()).expect("it reads");
    ana.expect_line("* ben came in (line)");
    // The line by which this program asks for it. It gives up then, or goes on without.
    stdin.write_all(b"R\n").expect("it reads");
    drop(stdin);
    child.wait().expect("it can be waited for");
    ana.expect_line("* ben left");
    ana.send_line("/who");
    ana.expect_line("* ana (line)");
}
