//! What has troubled programs like this one in the field, tried on the real program: `docs/field.md` tells where each
//! was reported. Reports that a test elsewhere holds are listed there, and not here.

mod support;

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use support::terminal::{NAME_PROMPT, without_time};
use support::web_socket::frame;
use support::{Server, Terminal, WebSocketClient, eventually};
use tungstenite::Message;

const HANDSHAKE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

// ---- proxies

#[test]
fn an_upgrade_that_is_lost_on_the_way_is_told() {
    let server = Server::start();
    // A proxy that speaks HTTP/2 to its client, or was not told about WebSockets, leaves these two out.
    let without_upgrade = server.get_with("/ws", &HANDSHAKE[2..]);
    assert_eq!((without_upgrade.status, without_upgrade.expect_header("Upgrade")), (426, "websocket"));
    assert!(without_upgrade.text().contains("WebSocket"), "{}", without_upgrade.text());
    // nginx speaks HTTP/1.0 unless it is told otherwise. Pages pass; a WebSocket cannot.
    let fields: String = HANDSHAKE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    for (target, status) in [("/", 200), ("/ws", 426)] {
        let mut client = server.http();
        client.send(format!("GET {target} HTTP/1.0\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(client.response_to("GET").status, status, "{target}");
    }
}

#[test]
fn tls_that_a_proxy_does_not_tell_of_makes_no_page_foreign() {
    let server = Server::with(&["--trusted-proxy", "127.0.0.1"]);
    let connect = |fields: &[(&'static str, &str)]| {
        let own = [("host", "chat.example"), ("origin", "https://chat.example")];
        WebSocketClient::connect_with(&server, "/ws", &[&own, fields].concat()).map(|_| ())
    };
    assert_eq!(connect(&[]), Ok(()), "the scheme is not told");
    assert_eq!(connect(&[("x-forwarded-proto", "http")]), Ok(()), "another proxy before it ends TLS");
    assert_eq!(connect(&[("x-forwarded-proto", "wss")]), Ok(()), "as Traefik calls it");
}

#[test]
fn a_port_that_a_proxy_leaves_out_has_to_be_allowed() {
    // nginx's `$host` has no port. Another service may be on that one, so the page is not taken for our own.
    let connect = |options: &[&str]| {
        let server = Server::with(options);
        let fields = [("host", "chat.example"), ("origin", "https://chat.example:8443")];
        WebSocketClient::connect_with(&server, "/ws", &fields).map(|_| ())
    };
    assert_eq!(connect(&[]), Err(403));
    assert_eq!(connect(&["--allowed-origin", "https://chat.example:8443"]), Ok(()));
    assert_eq!(connect(&["--public-url", "https://chat.example:8443"]), Ok(()));
}

#[test]
fn the_whole_address_may_stand_in_the_first_line() {
    let server = Server::with(&["--public-url", "http://chat.example"]);
    let ask = |target: &str, host: &str| {
        let mut client = server.http();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.response_to("GET").status
    };
    assert_eq!(ask("http://chat.example/", "chat.example"), 200);
    assert_eq!(ask("HTTP://chat.example?code=KXQT", "chat.example"), 200);
    // The one in the first line counts (RFC 9112 section 3.2.2).
    assert_eq!(ask("http://chat.example/", "evil.example"), 200);
    assert_eq!(ask("http://evil.example/", "chat.example"), 421);
}

#[test]
fn a_load_balancer_may_ask_without_naming_a_host() {
    let server = Server::with(&["--public-url", "https://chat.example"]);
    for target in ["/healthz", "/readyz"] {
        let mut client = server.http();
        client.send(format!("GET {target} HTTP/1.0\r\n\r\n"));
        assert_eq!(client.response_to("GET").status, 200, "{target}");
    }
}

// ---- WebSocket libraries

#[test]
fn an_offered_compression_is_declined_and_then_a_fault() {
    let server = Server::start();
    let offers = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame")];
    let connect = || WebSocketClient::connect_with(&server, "/ws", &offers).expect("the handshake succeeds");
    let (_, handshake) = connect();
    assert!(!handshake.headers().contains_key("sec-websocket-extensions"), "{handshake:?}");
    // Compressed all the same, in one frame or in a later one.
    let wrong = [frame(0xC1, b"{}"), [frame(0x01, b"{"), frame(0xC0, b"}")].concat()];
    for bytes in wrong {
        let (mut client, _) = connect();
        client.send_bytes(&bytes);
        client.expect_close(1002);
    }
}

#[test]
fn a_frame_of_an_absurd_length_is_refused_by_its_header() {
    let server = Server::start();
    for length in [1 << 32, i64::MAX as u64, 1 << 63, u64::MAX] {
        let mut client = WebSocketClient::connect(&server);
        client.send_bytes(&[&[0x81, 0x80 | 127][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat());
        match client.next_frame() {
            // The highest bit must be zero (RFC 6455 section 5.2).
            Message::Close(Some(close)) => assert!([1002, 1009].contains(&u16::from(close.code)), "{length}: {close}"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn more_header_fields_than_any_browser_sends_are_refused() {
    let server = Server::start();
    let mut client = server.http();
    let fields: String = (0..2000).map(|number| format!("x{number}: x\r\n")).collect();
    let handshake: String = HANDSHAKE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{fields}{handshake}\r\n"));
    assert_eq!(client.response_to("GET").status, 431);
    assert_eq!(server.get("/").status, 200, "the others are served");
}

#[test]
fn fragments_of_one_byte_cost_no_more_than_their_text() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let fragmented = |text: &str| -> Vec<u8> {
        let message = json!({"type": "message", "text": text}).to_string();
        let last = message.len() - 1;
        let first_byte = |at| u8::from(at == 0) | (u8::from(at == last) << 7);
        (0..=last).flat_map(|at| frame(first_byte(at), &message.as_bytes()[at..=at])).collect()
    };
    let text = "in pieces of one byte".repeat(5);
    ana.send_bytes(&fragmented(&text));
    assert_eq!(ana.expect("message")["text"], text);

    // So many that nothing but an attack makes them, and never ended, from many.
    let before_kib = resident_kib(&server);
    let unfinished = [frame(0x01, b"{"), frame(0x00, b" ").repeat(4000)].concat();
    let mut crowd: Vec<_> = (0..50).map(|_| WebSocketClient::connect(&server)).collect();
    for client in &mut crowd {
        client.send_bytes(&unfinished);
        client.send_bytes(&frame(0x89, b"read up to here"));
        match client.next_frame() {
            Message::Pong(_) => (),
            Message::Close(Some(close)) => assert_eq!(u16::from(close.code), 1009),
            other => panic!("{other:?}"),
        }
    }
    let grown_kib = resident_kib(&server).saturating_sub(before_kib);
    assert!(grown_kib < 4096, "{grown_kib} KiB for 50 unfinished texts of 4 KB");
    ana.say("not disturbed");
    assert_eq!(ana.expect("message")["text"], "not disturbed");
}

#[test]
fn pings_whose_answers_nobody_reads_are_not_piled_up() {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let before_kib = resident_kib(&server);
    // More than the system's own buffers on the way there and back.
    const PINGS: usize = 500_000;
    let flooding = WebSocketClient::connect(&server);
    let mut stream = flooding.stream().try_clone().expect("a socket");
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let writer = std::thread::spawn(move || {
        let pings = frame(0x89, &[b'x'; 125]).repeat(100);
        while counted.load(Ordering::Relaxed) < PINGS && stream.write_all(&pings).is_ok() {
            counted.fetch_add(100, Ordering::Relaxed);
        }
    });
    // Until no more is taken, though the server has had every occasion to.
    let (mut seen, mut rounds_without_more) = (0, 0);
    while rounds_without_more < 200 {
        ana.say("not disturbed");
        assert_eq!(ana.expect("message")["text"], "not disturbed");
        let now = sent.load(Ordering::Relaxed);
        rounds_without_more = if now == seen && now > 0 { rounds_without_more + 1 } else { 0 };
        seen = now;
    }
    assert!(seen < PINGS, "all pings are read");
    let grown_kib = resident_kib(&server).saturating_sub(before_kib);
    assert!(grown_kib < 16 * 1024, "{grown_kib} KiB for answers that nobody reads");
    flooding.stream().shutdown(Shutdown::Both).expect("it is open");
    writer.join().expect("the writer does not panic");
}

/// The memory that the server has at this moment.
fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

// ---- chat servers

#[test]
fn whoever_has_heard_nothing_yet_comes_back_as_well_and_again() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = Terminal::join(&server, &room, "ben");
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    let mut joined = ana.expect("joined");
    ben.expect_line("* ana came in (web)");
    for number in 0..3 {
        ana.drop_connection();
        ben.send_line(&format!("while you were away {number}"));
        ana = WebSocketClient::connect(&server);
        let (token, since, epoch) = (&joined["token"], &joined["last"], &joined["epoch"]);
        ana.send(json!({"type": "join", "room": room, "token": token, "since": since, "epoch": epoch}));
        // The line may come before or after.
        let back = ana.expect("joined");
        let mut missed: Vec<Value> = back["events"].as_array().expect("a list").clone();
        while missed.is_empty() {
            missed.push(ana.expect("message"));
        }
        assert_eq!(missed.len(), 1, "{missed:?}");
        assert_eq!(missed[0]["text"], format!("while you were away {number}"));
        joined = json!({"token": back["token"], "last": missed[0]["id"], "epoch": back["epoch"]});
    }
    ana.say("here again");
    ben.expect_said("<ana> here again");
}

#[test]
fn whoever_only_looks_at_an_invitation_changes_nothing() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    // As those do that show a link's title to others.
    for method in ["GET", "HEAD"] {
        let preview = server.http().request(method, &format!("/{room}"), &[("User-Agent", "preview")], b"");
        assert_eq!((preview.status, preview.header("Set-Cookie")), (200, None), "{method}");
    }
    server.get(&format!("/?code={room}"));
    let described = server.get(&format!("/api/v1/rooms/{room}")).json();
    assert_eq!((described["members"].as_array().map(Vec::len), &described["last"]), (Some(1), &json!(1)));
    assert_eq!(ana.messages_so_far(), [] as [Value; 0]);
}

// ---- terminals

#[test]
fn what_a_telnet_tells_of_itself_is_not_typed() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    // Its name and its window, unasked, with an escaped 0xFF, an LF and an IAC within; then a line.
    let mut bytes =
        b"\xFF\xFB\x18\xFF\xFB\x1F\xFF\xFA\x18\x00MUDLET\xFF\xF0\xFF\xFA\x1F\xFF\xFF\x0A\x00\xFF\xFF\xFF\xF0".to_vec();
    bytes.extend(format!("/join {room} robin\r\n").bytes());
    let mut robin = Terminal::connect(&server);
    robin.expect_text(NAME_PROMPT);
    for byte in bytes {
        robin.send([byte]);
    }
    assert_eq!(ana.expect("enter")["name"], "robin");
    robin.send(b"\xFF\xFA\x1F\x00\x50\x00\x18\xFF\xF0hello\r\n");
    assert_eq!(ana.expect("message")["text"], "hello");
}

#[test]
fn clients_of_other_protocols_are_nobody() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = Terminal::join(&server, &room, "ana");
    let greetings: [&[u8]; 5] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"CAP LS 302\r\nNICK robin\r\nUSER robin 0 * :robin\r\nJOIN #snug\r\nPRIVMSG #snug :hello\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 5001\r\n",
        b"\x00\x00\x00\x2F\xFFSMBr\x00\x00\x00\x00",
        b"\x03\x00\x00\x13\x0E\xE0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
    ];
    for greeting in greetings {
        let mut stranger = Terminal::connect(&server);
        stranger.send(greeting);
        stranger.end();
        stranger.expect_text(NAME_PROMPT);
    }
    eventually("they are gone", || {
        let figures = server.get("/metrics").text();
        figures.lines().any(|line| line == "snugd_open_connections{protocol=\"line\"} 1").then_some(())
    });
    assert_eq!(ana.catch_up(), [] as [String; 0]);
}

#[test]
fn a_pasted_page_is_said_whole_and_in_order() {
    let server = Server::with(&["--rate", "50"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut robin = Terminal::join(&server, &room, "robin");
    let page: Vec<String> = (0..300).map(|number| format!("line {number} of what somebody pasted")).collect();
    robin.send(page.join("\r\n") + "\r\n");
    for line in &page {
        assert_eq!(ana.expect("message")["text"], line.as_str());
    }
    // Its own words do not come back, however many they are.
    let shown = robin.catch_up();
    assert!(shown.iter().all(|line| without_time(line).is_none()), "{shown:?}");
}

// ---- the list itself

#[test]
fn the_tests_that_the_list_names_exist() {
    let list = include_str!("../docs/field.md");
    let sources = sources_below(&[Path::new("src"), Path::new("tests")]);
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("| [")).collect();
    assert!(rows.len() >= 20, "{} reports", rows.len());
    for row in rows {
        let held_by = row.trim_end_matches('|').rsplit('|').next().expect("a last column");
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "held by nothing: {row}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
        }
    }
}

/// All Rust below these folders, as one text.
fn sources_below(folders: &[&Path]) -> String {
    let mut text = String::new();
    for folder in folders {
        for entry in fs::read_dir(folder).expect("tests run where the package is") {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() {
                text += &sources_below(&[&path]);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(&path).expect("UTF-8");
            }
        }
    }
    text
}
