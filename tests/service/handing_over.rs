//! Sockets that somebody listens at already (sd_listen_fds(3)): by a shell that has them, and by systemd's own program.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use socket2::SockRef;

use super::{Folder, handed, share};
use crate::support::{Server, Terminal, eventually, find_program};

fn tcp(host: impl Into<std::net::IpAddr>) -> TcpListener {
    let listener = TcpListener::bind((host.into(), 0)).expect("a free port");
    share(SockRef::from(&listener));
    listener
}

/// What becomes of a start that fails.
fn fail(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it can be started")
}

#[test]
fn what_is_handed_over_by_name_is_served_and_stays_open() {
    let (line, web) = (tcp(Ipv4Addr::LOCALHOST), tcp(Ipv6Addr::LOCALHOST));
    // Somebody came before it was there.
    let mut early = TcpStream::connect(web.local_addr().expect("bound")).expect("somebody listens");
    early.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("there is room");
    let mut command = handed(&[&line, &web], "line:web");
    // Of these kinds there are some already.
    command.args(["--listen", "192.0.2.1:80", "--line-listen", "192.0.2.1:23"]);
    let mut server = Server::run(command);
    assert_eq!((server.web, server.line()), (web.local_addr().expect("bound"), line.local_addr().expect("bound")));
    let mut answer = String::new();
    early.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let room = server.create_room();
    drop(Terminal::join(&server, &room, "ana"));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let _waiting = TcpStream::connect(web.local_addr().expect("bound")).expect("its manager still listens");
}

#[test]
fn what_has_no_name_is_for_browsers_and_then_for_terminals() {
    let (web, line) = (tcp(Ipv4Addr::LOCALHOST), tcp(Ipv4Addr::LOCALHOST));
    let server = Server::run(handed(&[&web, &line], ""));
    assert_eq!((server.web, server.line()), (web.local_addr().expect("bound"), line.local_addr().expect("bound")));
}

#[test]
fn what_is_not_handed_over_is_bound_as_the_options_say() {
    let web = tcp(Ipv4Addr::LOCALHOST);
    let mut command = handed(&[&web], "web");
    command.args(["--line-listen", "127.0.0.1:0"]);
    let server = Server::run(command);
    assert_eq!(server.web, web.local_addr().expect("bound"));
    assert_ne!(server.line(), server.web);
    let room = server.create_room();
    drop(Terminal::join(&server, &room, "ana"));
}

#[test]
fn what_is_for_another_process_is_left_alone() {
    let web = tcp(Ipv4Addr::LOCALHOST);
    let mut command = super::managed("export LISTEN_PID=$PPID LISTEN_FDS=1");
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    let server = Server::run(command);
    assert_ne!(server.web, web.local_addr().expect("bound"));
}

#[test]
fn what_does_not_listen_is_refused_in_a_sentence() {
    let (web, udp) = (tcp(Ipv4Addr::LOCALHOST), UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    share(SockRef::from(&udp));
    let output = fail(handed(&[&web, &udp], ""));
    let sentence = "snugd: What is handed over as number 2 is no socket that listens; say ListenStream= in its unit.\n";
    assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(2), sentence));
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    share(SockRef::from(&bound));
    let output = fail(handed(&[&bound], "web"));
    let sentence = "snugd: What is handed over as number 1 is no socket that listens; say ListenStream= in its unit.\n";
    assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(2), sentence));
    let output = fail(handed(&[&web, &web, &web], ""));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("without a name"));
}

#[cfg(feature = "tls")]
#[test]
fn encryption_needs_a_certificate_whoever_has_the_socket() {
    let (web, line) = (tcp(Ipv4Addr::LOCALHOST), tcp(Ipv4Addr::LOCALHOST));
    let output = fail(handed(&[&web, &line], "web:line-tls"));
    let sentence =
        "snugd: The socket line-tls needs a certificate: name it and its key with --tls-cert and --tls-key.\n";
    assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(2), sentence));
}

#[test]
fn unix_sockets_are_handed_over_as_well_and_their_files_stay() {
    let folder = Folder::new("unix");
    let (web, line) = (folder.join("web"), folder.join("line"));
    let listeners = [&web, &line].map(|path| UnixListener::bind(path).expect("a path of ours"));
    listeners.iter().for_each(|listener| share(SockRef::from(listener)));
    let mut child = handed(&[&listeners[0], &listeners[1]], "web:line")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be started");
    let answers = talk(&web, &line);
    crate::support::server::signal(child.id(), "TERM");
    let status = eventually("it ends", || child.try_wait().expect("a child can be waited for"));
    let mut lines = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut lines).expect("text");
    assert_eq!(status.code(), Some(0));
    assert_eq!(lines, format!("listening web unix:{}\nlistening line unix:{}\n", web.display(), line.display()));
    assert!(answers.0.starts_with("HTTP/1.1 200 ") && answers.1.starts_with("* snugd "), "{answers:?}");
    UnixStream::connect(&web).expect("its file is there, and somebody listens");
}

/// What is answered at each of these.
fn talk(web: &std::path::Path, line: &std::path::Path) -> (String, String) {
    let mut browser = eventually("somebody listens", || UnixStream::connect(web).ok());
    let mut terminal = eventually("somebody listens", || UnixStream::connect(line).ok());
    browser.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("there is room");
    terminal.write_all(b"/quit\n").expect("there is room");
    let mut answers = (String::new(), String::new());
    for (stream, answer) in [(&mut browser, &mut answers.0), (&mut terminal, &mut answers.1)] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has timeouts");
        stream.read_to_string(answer).expect("it is answered, and ends");
    }
    answers
}

#[test]
fn systemds_own_program_hands_over() {
    let folder = Folder::new("systemd");
    let (web, line) = (folder.join("web"), folder.join("line"));
    let mut command = Command::new(find_program(&["systemd-socket-activate"], "systemd"));
    command.arg("-l").arg(&web).arg("-l").arg(&line).arg("--fdname=web:line");
    command.arg(crate::support::server::command().get_program());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be started");
    let answers = talk(&web, &line);
    crate::support::server::signal(child.id(), "TERM");
    let status = eventually("it ends", || child.try_wait().expect("a child can be waited for"));
    assert_eq!(status.code(), Some(0));
    assert!(answers.0.starts_with("HTTP/1.1 200 ") && answers.1.starts_with("* snugd "), "{answers:?}");
}
