//! Where the program listens: several ports of a kind, Unix sockets, and a listener for those who watch it.
#![cfg(unix)]

mod support;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::program::run_to_end;
use support::server::{command, command_with_few_descriptors};
use support::{DEADLINE, HttpClient, Server, Terminal, WebSocketClient, eventually, find_program};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("the system has a folder for temporary ones");
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The address of a socket here, as an option has it.
    fn socket(&self, name: &str) -> String {
        format!("unix:{}", self.path(name).display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(options: &[&str]) -> Output {
    command().args(options).output().expect("the program can be started")
}

/// It ends with this status, and one sentence that holds all these words.
fn assert_fails(options: &[&str], status: i32, words: &[&str]) {
    let output = run(options);
    let sentence = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{options:?}: {sentence}");
    assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
    assert!(sentence.starts_with("snugd: ") && sentence.trim_end().ends_with('.'), "{sentence}");
    for word in words {
        assert!(sentence.contains(word), "{word} in: {sentence}");
    }
}

/// Starts it with these options alone.
fn start(options: &[&str], kinds: &[&str]) -> Server {
    let mut started = command();
    started.args(options);
    Server::run_listening(started, kinds)
}

/// What comes back to these bytes before the end.
fn exchange(path: &Path, bytes: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    stream.write_all(bytes.as_bytes()).expect("it takes them");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text, and an end");
    answer
}

/// One request on a connection of its own.
fn ask(path: &Path, head: &str) -> String {
    exchange(path, &format!("{head}\r\nConnection: close\r\n\r\n"))
}

fn get(path: &Path, target: &str) -> String {
    ask(path, &format!("GET {target} HTTP/1.1\r\nHost: chat.example"))
}

// ---- several of a kind

#[test]
fn it_listens_wherever_it_is_told() {
    let options = "--listen 127.0.0.1:0 --listen [::1]:0,127.0.0.1:0 --line-listen [::1]:0 --line-listen 127.0.0.1:0";
    let options: Vec<_> = options.split(' ').collect();
    let server = start(&options, &["web", "web", "web", "line", "line"]);
    let room = server.create_room();
    for place in 0..3 {
        let address = server.listener(place).parse().expect("an address");
        assert_eq!(HttpClient::connect(address).get(&format!("/api/v1/rooms/{room}")).status, 200, "{address}");
    }
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    for (place, name) in [(3, "ben"), (4, "cleo")] {
        let stream = TcpStream::connect(server.listener(place)).expect("it listens");
        let mut terminal = Terminal::over(stream);
        terminal.send_line(&format!("/join {room} {name}"));
        terminal.expect_text(&format!("* {room}. "));
        assert_eq!(ana.expect("enter")["name"], name);
        terminal.send_line("/quit");
        terminal.expect_line("* Bye.");
    }
    assert!(server.url().contains(&server.web.port().to_string()));
}

#[test]
fn a_list_in_the_environment_has_commas() {
    let mut started = command();
    started.env("SNUGD_LISTEN", "127.0.0.1:0,[::1]:0").env("SNUGD_LINE_LISTEN", "off");
    let server = Server::run_listening(started, &["web", "web"]);
    assert!(server.listener(1).starts_with("[::1]:"), "{:?}", server.listeners);
}

#[test]
fn what_cannot_be_listened_at_together_is_refused() {
    assert_fails(&["--listen", ":7001,:7001"], 2, &["--listen", "the same"]);
    assert_fails(&["--listen", "unix:/tmp/a,unix:/tmp/a"], 2, &["--listen", "unix:/tmp/a", "the same"]);
    let shared = ["--listen", "unix:/tmp/a", "--line-listen", "unix:/tmp/a"];
    assert_fails(&shared, 2, &["cannot share unix:/tmp/a", "--line-listen"]);
    assert_fails(&["--metrics-listen", ":5000"], 2, &["--listen and --metrics-listen cannot share"]);
    assert_fails(&["--line-listen", "off,:5001"], 2, &["--line-listen", "off"]);
    assert_fails(&["--listen", "unix:"], 2, &["--listen", "unix:/run/snugd.sock"]);
    assert_fails(&["--listen", &format!("unix:/{}", "x".repeat(120))], 2, &["--listen", "bytes"]);
    assert_fails(&["--proxy-protocol", "10.0.0.0/33"], 2, &["--proxy-protocol", "10.0.0.0/8", "unix"]);
}

// ---- Unix sockets

#[test]
fn pages_and_terminals_are_served_by_unix_sockets() {
    let folder = Folder::new("served");
    let (web, line) = (folder.path("web"), folder.path("line"));
    let options = ["--listen", &folder.socket("web"), "--line-listen", &folder.socket("line")];
    let mut server = start(&options, &["web", "line"]);
    assert_eq!(server.listeners, [format!("web unix:{}", web.display()), format!("line unix:{}", line.display())]);
    for path in [&web, &line] {
        let found = fs::symlink_metadata(path).expect("it is there");
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o660);
    }

    let mut curl = Command::new(find_program(&["curl"], "curl"));
    curl.args(["-q", "-sS", "-i", "--noproxy", "*", "--unix-socket"]).arg(&web);
    let created = run_to_end(curl.args(["-d", "name=ana&create=1", "http://chat.example/"]), "");
    let field = |name: &str| created.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
    let room = field("Location: /").expect("the way to the room");
    let cookie = field("Set-Cookie: ").expect("a session");
    let cookie = cookie.split(';').next().expect("a cookie");
    let page = ask(&web, &format!("GET /{room} HTTP/1.1\r\nHost: chat.example\r\nCookie: {cookie}"));
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains(&format!("http://chat.example/{room}")), "the invitation is where it was asked for");

    let mut nc = Command::new(find_program(&["nc.openbsd", "nc"], "netcat-openbsd"));
    let said = run_to_end(nc.args(["-N", "-U"]).arg(&line), &format!("/join {room} ben\nhello from nc\n/quit\n"));
    assert!(said.contains(&format!("* {room}. ")) && said.ends_with("* Bye.\r\n"), "{said}");
    let invitation = said.split("Invite: ").nth(1).and_then(|rest| rest.lines().next()).expect("an invitation");
    assert!(invitation.ends_with(&format!("/{room}")) && !invitation.contains(":0/"), "{invitation}");
    let events = get(&web, &format!("/api/v1/rooms/{room}/events"));
    assert!(events.contains("hello from nc"), "{events}");

    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(!web.exists() && !line.exists(), "they go with the program");
}

#[test]
fn who_comes_by_a_unix_socket_is_who_the_proxy_says() {
    let folder = Folder::new("told");
    let web = folder.path("web");
    let options = ["--listen", &folder.socket("web"), "--line-listen", &folder.socket("line")];
    let options = [&options[..], &["--join-rate", "2", "--max-per-ip", "1"]].concat();
    let server = start(&options, &["web", "line"]);
    let try_code = |code: &str, client: &str| {
        let answer = ask(&web, &format!("GET /{code} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}"));
        answer[9..12].to_owned()
    };
    assert_eq!(["BBBB", "CCCC", "DDDD"].map(|code| try_code(code, "192.0.2.7")), ["404", "404", "429"]);
    assert_eq!(try_code("DDDD", "192.0.2.8"), "404");
    assert!(!server.log().contains("X-Forwarded-For"), "{}", server.log());
    // Nobody is kept out since others came the same way.
    let held: Vec<UnixStream> = (0..3).map(|_| UnixStream::connect(&web).expect("it listens")).collect();
    let terminals: Vec<UnixStream> =
        (0..3).map(|_| UnixStream::connect(folder.path("line")).expect("it listens")).collect();
    for mut terminal in terminals {
        terminal.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        let mut hello = [0; 8];
        terminal.read_exact(&mut hello).expect("a hello");
        assert_eq!(&hello, b"* snugd ");
    }
    drop(held);
    // Where nobody says who it is, the log says what follows, once.
    for _ in 0..3 {
        get(&web, "/BBBB");
    }
    assert_eq!(server.log().matches("without X-Forwarded-For").count(), 1, "{}", server.log());
    assert_eq!(server.log().matches("--proxy-protocol unix").count(), 1, "{}", server.log());
}

#[test]
fn a_socket_that_is_left_is_replaced() {
    let folder = Folder::new("left");
    let web = folder.path("web");
    let options = ["--listen", &folder.socket("web"), "--line-listen", "off"];
    start(&options, &["web"]).crash();
    assert!(fs::symlink_metadata(&web).is_ok(), "a crash leaves it");
    let server = start(&options, &["web"]);
    assert!(get(&web, "/healthz").ends_with("ok\n"));

    // A second one is refused, and the first one goes on.
    assert_fails(&options, 3, &[web.to_str().expect("UTF-8"), "listens", "snugd", "--listen unix:"]);
    assert!(get(&web, "/healthz").ends_with("ok\n"));

    // It has been taken away, and another program has put its own there: that stays.
    fs::remove_file(&web).expect("it is there");
    let _other = UnixListener::bind(&web).expect("it is free");
    drop(server);
    UnixStream::connect(&web).expect("the other one still listens");
}

#[test]
fn what_is_no_socket_is_left_as_it_is() {
    let folder = Folder::new("file");
    fs::write(folder.path("web"), "precious").expect("a file");
    let socket = folder.socket("web");
    assert_fails(&["--listen", &socket, "--line-listen", "off"], 3, &["no socket", "--listen unix:"]);
    assert_fails(&["--listen", "127.0.0.1:0", "--line-listen", &socket], 3, &["no socket", "--line-listen unix:"]);
    assert_eq!(fs::read(folder.path("web")).expect("it is there"), b"precious");
    let nowhere = format!("unix:{}", folder.path("nowhere").join("web").display());
    assert_fails(&["--listen", &nowhere, "--line-listen", "off"], 3, &["folder", "not there", "--listen unix:"]);
    assert_fails(&["--metrics-listen", &nowhere, "--listen", "127.0.0.1:0"], 3, &["--metrics-listen unix:"]);
}

/// Whoever is not let in is told so by the system; the sentence says what to do.
#[test]
fn a_folder_that_is_anothers_is_named() {
    let folder = Folder::new("anothers");
    let setpriv = find_program(&["setpriv"], "util-linux");
    fs::set_permissions(&folder.0, Permissions::from_mode(0o500)).expect("it is ours");
    let snugd = command();
    let mut started = Command::new(setpriv);
    // Without the right to pass over permissions, if root has it.
    started.args(["--bounding-set", "-all", "--inh-caps", "-all", "--"]).arg(snugd.get_program());
    let output = started.args(["--listen", &folder.socket("web"), "--line-listen", "off"]).output().expect("it runs");
    let sentence = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(3), "{sentence}");
    assert!(sentence.contains("write") && sentence.contains("--listen unix:"), "{sentence}");
}

/// Those who wait at a Unix socket when no descriptor is left are told so, and the others go on.
#[test]
fn at_a_unix_socket_too_it_survives_running_out_of_descriptors() {
    let folder = Folder::new("few");
    let web = folder.path("web");
    let mut limited = command_with_few_descriptors();
    limited.args(["--listen", &folder.socket("web"), "--line-listen", "off"]);
    let _server = Server::run_listening(limited, &["web"]);
    let mut crowd: Vec<UnixStream> = (0..45).map(|_| UnixStream::connect(&web).expect("it listens")).collect();
    let mut last = crowd.pop().expect("a crowd");
    last.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    let mut words = String::new();
    last.read_to_string(&mut words).expect("words, and an end");
    assert!(words.starts_with("HTTP/1.1 503 "), "{words}");
    drop(crowd);
    eventually("newcomers are served again", || get(&web, "/healthz").starts_with("HTTP/1.1 200 ").then_some(()));
}

// ---- those who watch

#[test]
fn whoever_watches_has_a_listener_of_their_own() {
    let options = ["--listen", "127.0.0.1:0", "--line-listen", "off", "--metrics-listen", "127.0.0.1:0"];
    let options = [&options[..], &["--base-path", "/chat/", "--allowed-host", "chat.example"]].concat();
    let server = start(&options, &["web", "metrics"]);
    let metrics = server.listener(1).parse().expect("an address");
    let ask = |method: &str, path: &str| HttpClient::connect(metrics).request(method, path, &[("Host", "a")], b"");
    assert!(ask("GET", "/metrics").text().contains("snugd_open_connections"));
    assert_eq!(ask("GET", "/healthz").text(), "ok\n");
    assert_eq!(ask("GET", "/readyz").text(), "ok\n");
    assert_eq!(ask("HEAD", "/metrics").status, 200);
    assert_eq!(ask("OPTIONS", "/metrics").expect_header("Allow"), "GET, HEAD, OPTIONS");
    assert_eq!(ask("POST", "/metrics").status, 405);
    for path in ["/", "/ws", "/chat/", "/KXQT", "/api/v1/rooms", "/assets/page.js", "/metrics/", "/chat/metrics"] {
        let answer = ask("GET", path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.text(), "Here are /metrics, /healthz and /readyz alone.\n");
    }
    assert_eq!(ask("POST", "/api/v1/rooms").status, 404);
    assert_eq!(ask("PUT", "/KXQT/a.txt").status, 404);
    let web = |path: &str| server.get_with(path, &[("Host", "chat.example")]).status;
    assert_eq!([web("/chat/metrics"), web("/chat/healthz"), web("/chat/readyz")], [404, 200, 200]);
}

#[test]
fn whoever_watches_is_not_locked_out() {
    let options = ["--listen", "127.0.0.1:0", "--line-listen", "off", "--metrics-listen", "127.0.0.1:0"];
    let options = [&options[..], &["--max-connections", "3", "--max-per-ip", "3"]].concat();
    let server = start(&options, &["web", "metrics"]);
    let metrics = server.listener(1).parse().expect("an address");
    let crowd: Vec<HttpClient> = (0..3).map(|_| server.http()).collect();
    assert_eq!(server.get("/healthz").status, 503, "it is full");
    let mut watchers: Vec<HttpClient> = (0..16).map(|_| HttpClient::connect(metrics)).collect();
    let text = watchers[0].get("/metrics").text();
    assert!(text.contains("snugd_refused_connections_total{reason=\"full\"} 1\n"), "{text}");

    // There are only so many places for them, and they take none of the others'.
    for watcher in &mut watchers {
        assert_eq!(watcher.get("/healthz").status, 200);
    }
    assert_eq!(HttpClient::connect(metrics).get("/healthz").status, 503);
    drop(crowd);
    eventually("the places of others are theirs", || (server.get("/healthz").status == 200).then_some(()));
    drop(watchers);
    eventually("there is room again", || (HttpClient::connect(metrics).get("/healthz").status == 200).then_some(()));
}
