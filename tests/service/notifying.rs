//! sd_notify(3), with a socket of ours in the place of systemd's.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use super::{Folder, managed};
use crate::support::{DEADLINE, Server, Terminal};

/// Where the program tells how it is.
struct Manager(UnixDatagram);

impl Manager {
    fn at(folder: &Folder) -> Manager {
        Manager(UnixDatagram::bind(folder.join("notify")).expect("a path of ours"))
    }

    /// What comes within this time.
    fn within(&self, time: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(time)).expect("a socket has timeouts");
        let mut words = [0; 4096];
        match self.0.recv(&mut words) {
            Ok(count) => Some(String::from_utf8(words[..count].to_vec()).expect("UTF-8")),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("nothing can be received: {error}"),
        }
    }

    /// Waits for this; returns what came before.
    fn expect(&self, wanted: &str) -> Vec<String> {
        let started = Instant::now();
        let mut before = Vec::new();
        while started.elapsed() < DEADLINE {
            match self.within(Duration::from_millis(100)) {
                Some(told) if told == wanted => return before,
                Some(told) => before.push(told),
                None => (),
            }
        }
        panic!("waited in vain for {wanted:?}; there came {before:?}");
    }
}

/// Starts it with this address to tell how it is, and what else the shell says.
fn start(notify_socket: &str, first: &str) -> Server {
    let mut command = managed(first);
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", notify_socket);
    Server::run(command)
}

#[test]
fn it_tells_that_it_is_ready_how_it_is_and_that_it_stops() {
    let folder = Folder::new("told");
    let manager = Manager::at(&folder);
    let mut server = start(folder.join("notify").to_str().expect("UTF-8"), ":");
    assert_eq!(manager.expect("READY=1\n"), [""; 0]);
    manager.expect("STATUS=0 members in 0 rooms\n");
    let room = server.create_room();
    let mut ana = Terminal::join(&server, &room, "ana");
    let started = Instant::now();
    while manager.within(Duration::from_millis(100)).is_none_or(|told| told != "STATUS=1 member in 1 room\n") {
        assert!(started.elapsed() < DEADLINE, "it never tells of ana");
        // An idle loop is not woken for it.
        ana.catch_up();
    }
    server.signal("TERM");
    manager.expect("STOPPING=1\n");
    manager.expect("STATUS=stopping\n");
    drop(ana);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().is_empty() || !server.log().contains("WARN"), "{}", server.log());
}

#[test]
fn it_finds_its_manager_in_the_abstract_namespace() {
    let name = format!("snugd-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let manager = Manager(UnixDatagram::bind_addr(&address).expect("it is nobody else's"));
    let server = start(&format!("@{name}"), ":");
    assert_eq!(manager.expect("READY=1\n"), [""; 0]);
    server.signal("TERM");
    manager.expect("STOPPING=1\n");
}

#[test]
fn it_does_without_a_manager_that_is_not_there() {
    let folder = Folder::new("nobody");
    let server = start(folder.join("nobody").to_str().expect("UTF-8"), ":");
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn signs_of_life_come_as_long_as_the_loop_turns() {
    const INTERVAL: Duration = Duration::from_millis(200);
    let folder = Folder::new("watched");
    let manager = Manager::at(&folder);
    let first = format!("export WATCHDOG_PID=$$ WATCHDOG_USEC={}", INTERVAL.as_micros() * 2);
    let server = start(folder.join("notify").to_str().expect("UTF-8"), &first);
    manager.expect("READY=1\n");
    let started = Instant::now();
    for _ in 0..5 {
        manager.expect("WATCHDOG=1\n");
    }
    // The first may have been sent before.
    assert!(started.elapsed() >= INTERVAL * 3, "not more often than is wanted: {:?}", started.elapsed());
    server.signal("STOP");
    while manager.within(INTERVAL).is_some() {}
    assert_eq!(manager.within(INTERVAL * 5), None, "a loop that hangs says nothing");
    server.signal("CONT");
    manager.expect("WATCHDOG=1\n");
}

#[test]
fn signs_of_life_are_for_whom_they_are_asked() {
    let folder = Folder::new("other");
    let manager = Manager::at(&folder);
    // The shell's own parent is watched, and not what the shell becomes.
    let first = "export WATCHDOG_PID=$PPID WATCHDOG_USEC=2000";
    let server = start(folder.join("notify").to_str().expect("UTF-8"), first);
    manager.expect("READY=1\n");
    manager.expect("STATUS=0 members in 0 rooms\n");
    // As often as several would have been due.
    let room = server.create_room();
    for number in 0..5 {
        drop(Terminal::join(&server, &room, &format!("member {number}")));
    }
    server.signal("TERM");
    assert_eq!(manager.expect("STOPPING=1\n"), [""; 0]);
}
