//! A restart loses no connection attempt and no word: the sockets stay where they are while one server goes and the next
//! one comes, members come back by `since`, and what anybody saw is checked as after a crash.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::{Folder, handed, share};
use crate::history::Promises;
use crate::history::client::Kind;
use crate::party::{Doors, Party};
use crate::support::Server;

const RESTARTS: usize = 5;

/// Members who talk.
const MEMBERS: usize = 60;

/// Everybody is back within this time after the signal, and has what was said meanwhile.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// How often somebody new comes.
const VISIT_EVERY: Duration = Duration::from_millis(2);

fn start(web: &TcpListener, line: &TcpListener, data: &Path) -> Server {
    let mut command = handed(&[web, line], "web:line");
    command.args(["--rate", "0", "--join-rate", "0", "--create-rate", "0", "--history", "1000000"]);
    // Who has no token has to wait for its own ghost to go.
    command.args(["--grace", "1s", "--data"]).arg(data);
    Server::run(command)
}

/// Somebody who is new there, again and again. Returns how often.
fn come_and_go(web: SocketAddr, line: SocketAddr, is_over: &AtomicBool) -> (usize, usize) {
    let (mut attempts, mut unanswered) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let mut browser = TcpStream::connect(web).expect("a connection attempt is never refused");
        let mut terminal = TcpStream::connect(line).expect("a connection attempt is never refused");
        attempts += 2;
        std::thread::sleep(VISIT_EVERY);
        let _ = browser.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let _ = terminal.write_all(b"/quit\n");
        for (stream, expected) in [(&mut browser, "HTTP/1.1 200 "), (&mut terminal, "* ")] {
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has timeouts");
            let mut answer = String::new();
            let is_answered = stream.read_to_string(&mut answer).is_ok() && answer.starts_with(expected);
            unanswered += usize::from(!is_answered);
        }
    }
    (attempts, unanswered)
}

#[test]
fn a_restart_under_load_loses_nothing_and_nobody() {
    let folder = Folder::new("restart");
    let data = folder.join("data");
    let [web, line] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    share(SockRef::from(&web));
    share(SockRef::from(&line));
    let doors = Doors { web: web.local_addr().expect("it is bound"), line: line.local_addr().expect("it is bound") };
    let mut server = start(&web, &line, &data);
    let room = server.create_room();
    let kinds: Vec<Kind> =
        [Kind::Web, Kind::JsonLine, Kind::Web, Kind::Line].into_iter().cycle().take(MEMBERS).collect();
    let mut party = Party::new(doors, &room, &kinds, 1);
    let is_over = AtomicBool::new(false);
    let (server, slowest, (attempts, unanswered)) = std::thread::scope(|scope| {
        let visitor = scope.spawn(|| come_and_go(doors.web, doors.line, &is_over));
        let mut slowest = Duration::ZERO;
        for _ in 0..RESTARTS {
            party.talk(100..200);
            let (web, line, data) = (&web, &line, &data);
            let renewing = scope.spawn(move || {
                server.signal("TERM");
                assert_eq!(server.wait().code(), Some(0));
                start(web, line, data)
            });
            let started = Instant::now();
            party.talk(100..200);
            server = renewing.join().expect("it is renewed");
            party.gather();
            slowest = slowest.max(started.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
        (server, slowest, visitor.join().expect("nobody is refused"))
    });
    party.settle();
    party.history.check(Promises {
        history_events: 1_000_000,
        memory_events: 1000,
        is_durable: true,
        is_shared: false,
    });
    drop(server);
    println!("{attempts} attempts, {unanswered} without an answer; everybody was back within {slowest:?}");
    assert!(attempts > RESTARTS * 10, "{attempts}");
    assert_eq!(unanswered, 0, "of {attempts}");
    assert!(slowest < BACK_WITHIN, "{slowest:?}");
}
