//! Headers of the PROXY protocol, whole, in pieces, broken and made up, on every listener. Real proxies that send them
//! are in `tests/proxies`.
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use serde_json::json;
use support::server::command;
use support::{DEADLINE, HttpClient, Server, Terminal, WebSocketClient, eventually};

/// Where the proxy is, and where others are who come directly.
const PROXY: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];

/// A server that expects headers of the proxy.
fn server(options: &[&str]) -> Server {
    Server::with(&[&["--proxy-protocol", "127.0.0.2,2001:db8::/32"], options].concat())
}

fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("there are sockets");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("all of 127.0.0.0/8 is this machine");
    socket.connect(&to.into()).expect("it listens");
    socket.set_tcp_nodelay(true).expect("a TCP socket can");
    socket.into()
}

fn v1(client: &str) -> Vec<u8> {
    let family = if client.contains(':') { "TCP6" } else { "TCP4" };
    let proxy = if client.contains(':') { "2001:db8::1" } else { "192.0.2.1" };
    format!("PROXY {family} {client} {proxy} 56324 443\r\n").into()
}

/// With 300 bytes behind the addresses, as proxies have them for names of certificates.
fn v2(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend((12 + 303_u16).to_be_bytes());
    header.extend(client.into_iter().chain([192, 0, 2, 1, 0xdc, 4, 1, 0xbb]));
    header.extend([0xe0, 1, 44]);
    header.extend([b'x'; 300]);
    header
}

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A connection that the proxy brings, with this header.
fn brought(to: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = connect_from(PROXY, to);
    stream.write_all(header).expect("it takes them");
    stream
}

fn get(server: &Server, header: &[u8], path: &str) -> u16 {
    HttpClient::over(brought(server.web, header)).get(path).status
}

/// It is closed, and nothing is said.
fn expect_silent_end(mut stream: TcpStream) {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    let mut words = Vec::new();
    // What was not read of a broken header may have the system take back the end.
    let _ = stream.read_to_end(&mut words);
    assert_eq!(String::from_utf8_lossy(&words), "");
}

fn faults(server: &Server) -> u64 {
    const NAME: &str = "snugd_protocol_faults_total{protocol=\"proxy\"} ";
    let text = HttpClient::over(connect_from(OTHER, server.web)).get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix(NAME)).expect("it is counted");
    value.parse().expect("a number")
}

#[test]
fn the_address_in_the_header_is_the_clients() {
    let server = server(&["--join-rate", "2"]);
    for (header, again) in [
        (v1("192.0.2.7"), v2([192, 0, 2, 7])),
        (v2([192, 0, 2, 8]), v1("192.0.2.8")),
        (v1("2001:db8:7::1"), v1("2001:db8:7::2")),
        (v1("::ffff:192.0.2.9"), v1("192.0.2.9")),
    ] {
        assert_eq!([get(&server, &header, "/BBBB"), get(&server, &again, "/CCCC")], [404, 404]);
        assert_eq!(get(&server, &again, "/DDDD"), 429, "both are the same client");
        let mut terminal = Terminal::over(brought(server.line(), &header));
        terminal.send_line("/join DDDD ana");
        terminal.expect_line_where("a refusal", |line| line.starts_with("! ") && line.contains("Try again in"));
    }
    assert_eq!(faults(&server), 0);
}

#[test]
fn a_header_may_come_in_pieces_and_with_what_follows() {
    let server = server(&[]);
    for header in [v1("192.0.2.7"), v2([192, 0, 2, 7]), LOCAL.to_vec(), b"PROXY UNKNOWN\r\n".to_vec()] {
        let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
        // In one piece, with two requests behind it.
        let mut client = HttpClient::over(brought(server.web, &[&header[..], request, request].concat()));
        assert_eq!([client.response_to("GET").status, client.response_to("GET").status], [200, 200]);
        // Byte by byte, each in a packet of its own.
        let mut stream = connect_from(PROXY, server.web);
        for byte in &header {
            stream.write_all(&[*byte]).expect("it takes them");
        }
        assert_eq!(HttpClient::over(stream).get("/healthz").status, 200);
        // Cut in two, anywhere; the second half waits until the first one is read.
        for cut in [1, 5, 11, 12, 14, header.len() - 1].into_iter().filter(|cut| *cut < header.len()) {
            let mut terminal = brought(server.line(), &header[..cut]);
            eventually("the first half is read", || has_read_all(&terminal).then_some(()));
            terminal.write_all(&header[cut..]).expect("it takes them");
            let mut terminal = Terminal::over(terminal);
            terminal.expect_text("Name: ");
            terminal.send_line("/quit");
            assert!(terminal.read_to_end().ends_with("* Bye.\r\n"));
        }
    }
    assert_eq!(faults(&server), 0);
}

/// Whether the other side has acknowledged everything, and its program has read it: nothing waits on this machine.
fn has_read_all(stream: &TcpStream) -> bool {
    let (here, there) = (stream.local_addr().expect("bound"), stream.peer_addr().expect("connected"));
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux tells");
    let hex = |address: SocketAddr| match address {
        SocketAddr::V4(address) => {
            format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
        }
        SocketAddr::V6(_) => panic!("these tests use IPv4"),
    };
    let ends = format!("{} {} ", hex(there), hex(here));
    let line = table.lines().find(|line| line.contains(&ends)).expect("the connection is there");
    let queues = line.split_whitespace().nth(4).expect("what waits");
    queues.ends_with(":00000000")
}

#[test]
fn who_is_to_send_a_header_and_does_not_is_closed_without_a_word() {
    let server = server(&[]);
    let too_long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
    let mut endless = v2([192, 0, 2, 7]);
    endless[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    let broken: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"/new ana\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
        b"PROXY TCP4 a b 1 2\r\n",
        &[0x16, 3, 1, 2, 0, 1],
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
        &too_long,
        &endless,
    ];
    for (number, bytes) in broken.iter().enumerate() {
        let to = if number % 2 == 0 { server.web } else { server.line() };
        expect_silent_end(brought(to, bytes));
    }
    // It ends within its header.
    let half = brought(server.web, b"PROXY TCP4 192.0.2.7");
    half.shutdown(Shutdown::Write).expect("it is open");
    expect_silent_end(half);
    assert_eq!(faults(&server), 9);
    // A proxy that looks whether somebody listens does no wrong.
    let check = brought(server.web, b"");
    check.shutdown(Shutdown::Write).expect("it is open");
    expect_silent_end(check);
    drop(brought(server.line(), b""));
    assert_eq!(faults(&server), 9);
    let log = server.log();
    assert_eq!(log.matches("did not begin with a PROXY header").count(), 1, "{log}");
    assert!(log.contains("send-proxy-v2") && !log.contains("192.0.2.7"), "{log}");
}

#[test]
fn whoever_a_proxy_has_just_brought_is_answered_when_the_server_stops() {
    let server = server(&[]);
    let mut stream = connect_from(PROXY, server.web);
    // It has been accepted once somebody who came later is answered.
    assert_eq!(get(&server, LOCAL, "/healthz"), 200);
    server.signal("TERM");
    eventually("it stops", || server.log().contains("stopping").then_some(()));
    stream.write_all(&v1("192.0.2.7")).expect("it is open");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered, and ends");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn a_header_has_to_come_in_time() {
    let server = server(&[]);
    let started = Instant::now();
    let (silent, slow) = (brought(server.line(), b""), brought(server.web, b"PROXY "));
    expect_silent_end(silent);
    expect_silent_end(slow);
    let waited = started.elapsed().as_secs();
    assert!((9..15).contains(&waited), "{waited} s");
    assert_eq!(faults(&server), 2);
}

#[test]
fn from_anybody_else_a_header_is_not_believed() {
    let server = server(&["--join-rate", "1"]);
    let mut direct = HttpClient::over(connect_from(OTHER, server.web));
    assert_eq!(direct.get("/BBBB").status, 404);
    for header in [v1("192.0.2.7"), v2([192, 0, 2, 7])] {
        let mut stream = connect_from(OTHER, server.web);
        stream.write_all(&header).expect("it takes them");
        let mut client = HttpClient::over(stream);
        client.send("GET /CCCC HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_to("GET").status, 400);
    }
    let mut terminal = Terminal::over(connect_from(OTHER, server.line()));
    terminal.send(v1("192.0.2.7"));
    // A line that was typed: no name.
    terminal.expect_line_where("a refusal", |line| line.starts_with("! "));
    assert_eq!(faults(&server), 0);
}

#[test]
fn each_client_has_its_own_connections() {
    let server = server(&["--max-per-ip", "1"]);
    let mut ana = Terminal::over(brought(server.line(), &v1("192.0.2.7")));
    ana.expect_text("Name: ");
    let second = Terminal::over(brought(server.line(), &v2([192, 0, 2, 7]))).read_to_end();
    assert_eq!(second, "! Too many connections from your address.\r\n");
    assert_eq!(get(&server, &v1("192.0.2.7"), "/"), 429);
    assert_eq!(get(&server, &v1("192.0.2.8"), "/"), 200);
    // The proxy's own are not limited.
    let checks = [(); 3].map(|()| Terminal::over(brought(server.line(), LOCAL)));
    for mut check in checks {
        check.expect_text("Name: ");
    }
    // Who comes directly from an address has that one's place.
    let mut other = Terminal::over(connect_from(OTHER, server.line()));
    other.expect_text("Name: ");
    assert_eq!(get(&server, &v1("127.0.0.3"), "/"), 429);
    drop(ana);
    eventually("the place is free", || (get(&server, &v1("192.0.2.7"), "/") == 200).then_some(()));
}

#[test]
fn who_is_banned_is_banned_by_the_address_in_the_header() {
    let server = server(&[]);
    let mut ana = Terminal::over(connect_from(OTHER, server.line()));
    ana.send_line("/new ana");
    let room = ana.expect_line_where("the room", |line| line.contains("Invite: "))[2..6].to_owned();
    let join = |client: &str, name: &str| {
        let mut terminal = Terminal::over(brought(server.line(), &v1(client)));
        terminal.send_line(&format!("/join {room} {name}"));
        terminal
    };
    let mut ben = join("192.0.2.7", "ben");
    ben.expect_text(&format!("* {room}. "));
    ana.expect_line("* ben came in (line)");
    ana.send_line("/ban ben");
    ana.expect_line_where("the ban", |line| line.contains("ben") && line.contains("ban"));
    join("192.0.2.7", "bob").expect_line_where("a refusal", |line| line.starts_with("! ") && line.contains("ban"));
    join("192.0.2.8", "cleo").expect_text(&format!("* {room}. "));
}

/// The header says who the next proxy is, and that one says in its requests who the client is.
#[test]
fn a_trusted_proxy_behind_the_header_is_believed_in_turn() {
    let server = server(&["--trusted-proxy", "192.0.2.1", "--join-rate", "1"]);
    let try_code = |header: &[u8], forwarded_for: &str| {
        let headers = [("X-Forwarded-For", forwarded_for)];
        HttpClient::over(brought(server.web, header)).request("GET", "/BBBB", &headers, b"").status
    };
    let trusted = v1("192.0.2.1");
    assert_eq!([try_code(&trusted, "203.0.113.7"), try_code(&trusted, "203.0.113.7")], [404, 429]);
    assert_eq!(try_code(&trusted, "203.0.113.8"), 404);
    // Of a client itself it is not, nor of the proxy that sends the header.
    let client = v1("192.0.2.7");
    assert_eq!([try_code(&client, "203.0.113.9"), try_code(&client, "203.0.113.10")], [404, 429]);
}

#[test]
fn a_web_socket_comes_through_it() {
    let server = server(&["--max-per-ip", "2"]);
    let url = format!("ws://{}/ws", server.web);
    let connect = || WebSocketClient::connect_over(brought(server.web, &v2([192, 0, 2, 7])), &url, &[]);
    let (mut ana, _) = connect().expect("the handshake passes");
    ana.send(json!({"type": "join", "room": "KXQT", "name": "ana", "create": true}));
    ana.expect("joined");
    let (_second, _) = connect().expect("the handshake passes");
    assert_eq!(connect().err(), Some(429));
    ana.say("still here");
}

#[test]
fn whoever_watches_and_whoever_comes_by_a_unix_socket_is_brought_as_well() {
    let folder = std::env::temp_dir().join(format!("snugd-brought-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("the system has a folder for temporary ones");
    let path = folder.join("line");
    let mut started = command();
    started.args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--join-rate", "1"]);
    started.args(["--proxy-protocol", "127.0.0.2", "--proxy-protocol", "unix", "--line-listen"]);
    started.arg(format!("unix:{}", path.display()));
    let server = Server::run_listening(started, &["web", "line", "metrics"]);
    let metrics = server.listener(2).parse().expect("an address");
    for header in [v1("192.0.2.7"), LOCAL.to_vec()] {
        assert_eq!(HttpClient::over(brought(metrics, &header)).get("/healthz").status, 200);
    }
    let try_code = |client: &str| {
        let mut stream = UnixStream::connect(&path).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        stream.write_all(&v1(client)).expect("it takes them");
        stream.write_all(b"/join BBBB ana\n/quit\n").expect("it takes them");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text, and an end");
        answer
    };
    assert!(try_code("192.0.2.7").contains("! There is no room BBBB"), "{}", try_code("192.0.2.7"));
    assert!(try_code("192.0.2.7").contains("Try again in"), "{}", try_code("192.0.2.7"));
    assert!(try_code("192.0.2.8").contains("! There is no room BBBB"));
    assert!(!server.log().contains("--proxy-protocol unix"), "{}", server.log());
    drop(server);
    std::fs::remove_dir(&folder).expect("the socket is gone");
}
