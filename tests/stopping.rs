//! How the program stops: what was said is acknowledged first, everybody is told when to come back, nobody is waited for
//! for long.

mod support;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use support::server::command;
use support::{HttpClient, Server, Terminal, WebSocketClient, eventually};
use tungstenite::Message;

/// When a service manager wants it to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// After how many milliseconds this client is asked to come back.
fn asked_retry_ms(client: &mut WebSocketClient) -> u64 {
    loop {
        if let Message::Close(close) = client.next_frame() {
            let close = close.expect("it says why");
            assert_eq!(u16::from(close.code), 1001);
            let words = close.reason.as_str();
            let number = words.strip_prefix("The server is stopping; come back in ");
            let number = number.and_then(|rest| rest.strip_suffix(" ms."));
            return number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no time in {words:?}"));
        }
    }
}

#[test]
fn everybody_is_told_when_to_come_back_and_not_all_at_once() {
    let mut server = Server::start();
    let room = server.create_room();
    let mut members: Vec<_> =
        (0..20).map(|number| WebSocketClient::join(&server, &room, &format!("w{number}"))).collect();
    let mut ben = Terminal::join(&server, &room, "ben");
    server.signal("TERM");
    ben.expect_line("* The server is stopping; come back in 1 s.");
    let mut retries: Vec<u64> = members.iter_mut().map(asked_retry_ms).collect();
    retries.sort_unstable();
    assert!(retries[0] >= 250 && retries[19] <= 750, "{retries:?}");
    let most_at_once = retries.windows(4).filter(|four| four[3] - four[0] < 20).count();
    assert_eq!(most_at_once, 0, "four within 20 ms: {retries:?}");
    drop((members, ben));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn requests_are_answered_with_when_to_ask_again() {
    let mut server = Server::start();
    let room = server.create_room();
    let (mut probe, mut page, mut upload) = (server.http(), server.http(), server.http());
    for half in [&mut probe, &mut page] {
        half.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET ");
        assert_eq!(half.response_to("GET").status, 200);
    }
    upload.send(format!("PUT /{room}/plan.pdf HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"));
    upload.send("Content-Length: 1000000\r\n\r\n");
    assert_eq!(upload.response_to("PUT").status, 100);
    server.signal("TERM");
    let refused = upload.response_to("PUT");
    eventually("nobody listens any more", || TcpStream::connect(server.web).is_err().then_some(()));
    probe.send("/readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    page.send("/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    for answer in [refused, probe.response_to("GET"), page.response_to("GET")] {
        assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")), "{}", answer.text());
    }
    drop((probe, page, upload));
    assert_eq!(server.wait().code(), Some(0));
}

/// Half a request: it is waited for.
fn begin_request(server: &Server) -> HttpClient {
    let mut client = server.http();
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n");
    assert_eq!(client.response_to("GET").status, 200);
    client
}

#[test]
fn who_never_ends_a_request_is_not_waited_for_longer_than_is_allowed() {
    let mut server = Server::start();
    let _half = begin_request(&server);
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(started.elapsed() < GONE_WITHIN, "{:?}", started.elapsed());
}

#[test]
fn a_file_on_its_way_is_sent_to_who_reads_it_and_not_waited_for_otherwise() {
    const FILE_BYTES: usize = 20_000_000;
    let mut server = Server::start();
    let room = server.create_room();
    let place = format!("/api/v1/rooms/{room}/files?name=long.bin&as=ana");
    let shared = server.http().request("POST", &place, &[], &vec![b'x'; FILE_BYTES]);
    assert_eq!(shared.status, 201, "{}", shared.text());
    let shared = shared.json();
    let path = shared["file"]["url"].as_str().expect("an address");
    let [mut reader, mut idle] = [(); 2].map(|()| server.http());
    for client in [&mut reader, &mut idle] {
        client.send_request("GET", path, &[], b"");
    }
    eventually("both are being sent", || {
        let metrics = server.get("/metrics").text();
        metrics.lines().any(|line| line == "snugd_downloads_total 2").then_some(())
    });
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(reader.response_to("GET").body.len(), FILE_BYTES);
    assert_eq!(server.wait().code(), Some(0));
    assert!(started.elapsed() < GONE_WITHIN, "{:?}", started.elapsed());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start();
    let _half = begin_request(&server);
    let started = Instant::now();
    // Two at once are one: `timeout` sends them so.
    server.signal("TERM");
    server.signal("TERM");
    eventually("it stops", || TcpStream::connect(server.web).is_err().then_some(()));
    let asks_again = started + Duration::from_millis(300);
    std::thread::sleep(asks_again.saturating_duration_since(Instant::now()));
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn two_signals_at_once_are_one() {
    let mut server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut half = begin_request(&server);
    server.signal("TERM");
    server.signal("TERM");
    ana.expect_close(1001);
    half.send("Host: localhost\r\n\r\n");
    assert_eq!(half.response_to("GET").status, 200, "it is waited for");
    drop((ana, half));
    assert_eq!(server.wait().code(), Some(0));
}

#[cfg(feature = "sqlite")]
mod with_a_file {
    use rusqlite::Connection;

    use super::*;

    /// A folder that goes with this.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("snugd-stopping-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder for the data");
            Folder(path)
        }

        fn serve(&self) -> Server {
            let mut command = command();
            command
                .args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--data"])
                .arg(self.0.join("data"));
            Server::run(command)
        }

        /// Holds the file, as a backup does.
        fn hold(&self) -> Connection {
            let holder = Connection::open(self.0.join("data")).expect("a database");
            holder.execute_batch("BEGIN IMMEDIATE").expect("nothing is being written");
            holder
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_said_last_is_acknowledged_before_the_goodbye() {
        let folder = Folder::new("last");
        let mut server = folder.serve();
        let room = server.create_room();
        let mut ana = WebSocketClient::join(&server, &room, "ana");
        let mut ben = Terminal::join(&server, &room, "ben");
        let holder = folder.hold();
        ana.send(json!({"type": "message", "text": "one more thing", "cid": "c1"}));
        eventually("it waits", || server.log().contains("another program holds the data file").then_some(()));
        server.signal("TERM");
        eventually("it stops", || TcpStream::connect(server.web).is_err().then_some(()));
        holder.execute_batch("ROLLBACK").expect("it was begun");
        assert_eq!(ana.expect("message")["cid"], "c1");
        ana.expect_close(1001);
        ben.expect_said("<ana> one more thing");
        ben.expect_line("* The server is stopping; come back in 1 s.");
        drop((ana, ben));
        assert_eq!(server.wait().code(), Some(0));
    }

    #[test]
    fn a_file_that_cannot_be_written_does_not_hold_it_up_for_longer_than_is_allowed() {
        let folder = Folder::new("held");
        let mut server = folder.serve();
        let room = server.create_room();
        let mut ana = WebSocketClient::join(&server, &room, "ana");
        let holder = folder.hold();
        ana.say("in vain");
        eventually("it waits", || server.log().contains("another program holds the data file").then_some(()));
        let started = Instant::now();
        server.signal("TERM");
        ana.expect_close(1001);
        assert_eq!(server.wait().code(), Some(1));
        assert!(started.elapsed() < GONE_WITHIN, "{:?}", started.elapsed());
        let log = server.log();
        assert!(log.contains("has not taken everything in time"), "{log}");
        drop(holder);
        // Its end was seen; no other is to be judged.
        std::mem::forget(server);
    }
}
