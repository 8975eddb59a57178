//! The program as a process: how it is started, what it says, how it ends, and that it stays up under
//! whatever its peers and its limits do to it.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;
use support::server::{command, command_with_few_descriptors, signal};
use support::terminal::NAME_PROMPT;
use support::{DEADLINE, HttpClient, Server, Terminal, WebSocketClient, eventually, find_program};

/// Runs it to its end with these options.
fn run(options: &[&str]) -> Output {
    run_with(options, &[])
}

/// Runs it to its end with these options and these variables in its environment.
fn run_with(options: &[&str], variables: &[(&str, &str)]) -> Output {
    command().args(options).envs(variables.iter().copied()).output().expect("the program can be started")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// It failed with this status, nothing on standard output, and one sentence that holds all these words.
fn assert_fails(output: &Output, status: i32, words: &[&str]) {
    let sentence = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{sentence}");
    assert_eq!(stdout(output), "");
    assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
    assert!(sentence.starts_with("snugd: ") && sentence.trim_end().ends_with('.'), "{sentence}");
    for word in words {
        assert!(sentence.contains(word), "{word} in: {sentence}");
    }
}

/// Whether a request is answered now.
fn is_served(server: &Server) -> bool {
    let Ok(stream) = TcpStream::connect(server.web) else { return false };
    let mut client = HttpClient::over(stream);
    client.send_request("GET", "/healthz", &[], b"");
    client.try_response_to("GET").is_ok_and(|response| response.status == 200)
}

/// A figure of `/metrics`.
fn figure(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

// ---- how it is started

#[test]
fn help_tells_every_option() {
    let help = run(&["--help"]);
    assert_eq!((help.status.code(), stderr(&help).as_str()), (Some(0), ""));
    let text = stdout(&help);
    for option in [
        "--listen",
        "--line-listen",
        "--mdns",
        "--line-tls-listen",
        "--metrics-listen",
        "--proxy-protocol",
        "--tls-cert",
        "--tls-key",
        "--data",
        "--history",
        "--room-ttl",
        "--grace",
        "--code-length",
        "--memory",
        "--max-message",
        "--rate",
        "--join-rate",
        "--create-rate",
        "--max-connections",
        "--max-per-ip",
        "--max-members",
        "--files",
        "--max-file",
        "--max-files",
        "--accounts",
        "--admin",
        "--auth-header",
        "--public-url",
        "--base-path",
        "--trusted-proxy",
        "--allowed-origin",
        "--allowed-host",
        "--config",
        "--log",
        "--verbose",
        "--quiet",
        "--help",
        "--version",
        "SNUGD_",
        "PORT",
    ] {
        assert!(text.contains(option), "{option} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "it fits a terminal:\n{text}");
}

#[test]
fn a_short_help_fits_every_screen() {
    let help = run(&["-h"]);
    assert_eq!((help.status.code(), stderr(&help).as_str()), (Some(0), ""));
    let text = stdout(&help);
    assert!(text.lines().count() < 24, "and the prompt below it:\n{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "it fits a terminal:\n{text}");
    for words in ["--listen", "--data", "snugd --help", "check", "healthcheck", "completions"] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

#[test]
fn every_subcommand_has_a_help_that_fits() {
    let commands = ["backup", "export", "account", "check", "healthcheck", "completions"];
    for command in commands {
        let help = run(&[command, "--help"]);
        assert_eq!((help.status.code(), stderr(&help).as_str()), (Some(0), ""), "{command}");
        let text = stdout(&help);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{command} fits a terminal:\n{text}");
    }
}

#[test]
fn version_tells_the_version() {
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("snugd {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_2_and_one_sentence() {
    let cases: [(&[&str], &[&str]); 18] = [
        (&["--listn", "127.0.0.1:0"], &["--listn"]),
        (&["5000"], &["5000"]),
        (&["bakup", "snugd.db"], &["bakup", "backup", "export"]),
        (&["--listen"], &["--listen"]),
        (&["--listen", "nowhere"], &["--listen", "nowhere"]),
        (&["--line-listen", "on"], &["--line-listen", "off"]),
        (&["--listen", "127.0.0.1:7001", "--line-listen", "127.0.0.1:7001"], &["7001"]),
        (&["--grace", "15"], &["--grace", "15s"]),
        (&["--room-ttl", "soon"], &["--room-ttl", "soon"]),
        (&["--history", "0"], &["--history"]),
        (&["--code-length", "3"], &["--code-length", "4", "12"]),
        (&["--memory", "512K"], &["--memory", "1M"]),
        (&["--rate", "-1"], &["--rate"]),
        (&["--max-message", "1e3"], &["--max-message"]),
        (&["--public-url", "chat.example"], &["--public-url", "chat.example"]),
        (&["--base-path", "/a/../b"], &["--base-path"]),
        (&["--trusted-proxy", "10.0.0.0/33"], &["--trusted-proxy"]),
        (&["--log", "xml"], &["--log", "text", "json"]),
    ];
    for (options, words) in cases {
        let output = run(options);
        assert_fails(&output, 2, words);
        assert!(stderr(&output).contains("--help"), "{}", stderr(&output));
    }
}

/// Every variable, with a value that makes no sense in it. Every path could be a data file.
const WRONG_VARIABLES: [(&str, &str); 25] = [
    ("SNUGD_LISTEN", "nowhere"),
    ("SNUGD_LINE_LISTEN", "nowhere"),
    ("SNUGD_MDNS", "a b"),
    ("SNUGD_HISTORY", "0"),
    ("SNUGD_ROOM_TTL", "15"),
    ("SNUGD_GRACE", "soon"),
    ("SNUGD_CODE_LENGTH", "3"),
    ("SNUGD_MAX_MEMBERS", "x"),
    ("SNUGD_MEMORY", "512K"),
    ("SNUGD_MAX_MESSAGE", "1e3"),
    ("SNUGD_MAX_FILE", "25"),
    ("SNUGD_MAX_FILES", "0K"),
    ("SNUGD_RATE", "-1"),
    ("SNUGD_JOIN_RATE", "x"),
    ("SNUGD_CREATE_RATE", "x"),
    ("SNUGD_MAX_CONNECTIONS", "x"),
    ("SNUGD_MAX_PER_IP", "x"),
    ("SNUGD_PUBLIC_URL", "chat.example"),
    ("SNUGD_BASE_PATH", "/a/../b"),
    ("SNUGD_TRUSTED_PROXY", "127.0.0.1,10.0.0.0/33"),
    ("SNUGD_ALLOWED_ORIGIN", "null"),
    ("SNUGD_ALLOWED_HOST", "a:80"),
    ("SNUGD_LOG", "xml"),
    ("SNUGD_VERBOSE", "very"),
    ("SNUGD_QUIET", "very"),
];

#[test]
fn a_wrong_variable_is_named() {
    for (name, value) in WRONG_VARIABLES {
        let wrong = value.rsplit(',').next().expect("a value");
        assert_fails(&run_with(&[], &[(name, value)]), 2, &[&format!("snugd: {name} wants "), wrong]);
    }
    assert_fails(&run_with(&[], &[("PORT", "web")]), 2, &["PORT", "web"]);
}

/// `PORT` is looked at last, so its failure shows that everything else was understood.
#[test]
fn an_empty_variable_counts_as_unset() {
    let mut variables = WRONG_VARIABLES.map(|(name, _)| (name, "")).to_vec();
    variables.extend([("SNUGD_DATA", ""), ("PORT", "web")]);
    assert_fails(&run_with(&[], &variables), 2, &["snugd: PORT wants"]);
    let unset = run_with(&["--listen", "nowhere"], &[("PORT", "")]);
    assert_fails(&unset, 2, &["--listen"]);
}

#[test]
fn a_variable_that_is_overruled_is_not_looked_at() {
    let variables = [("SNUGD_ROOM_TTL", "15"), ("SNUGD_RATE", "x"), ("SNUGD_QUIET", "very"), ("PORT", "web")];
    assert_fails(&run_with(&["--room-ttl", "1s", "--rate=1", "-v"], &variables), 2, &["snugd: PORT wants"]);
    // A wrong option is called by its own name, whatever the environment has.
    assert_fails(&run_with(&["--rate", "-1"], &variables), 2, &["snugd: \"--rate\" wants"]);
    assert_eq!(run_with(&["--help"], &variables).status.code(), Some(0));
    assert_eq!(run_with(&["--version"], &variables).status.code(), Some(0));
}

/// They are about serving.
#[cfg(feature = "sqlite")]
#[test]
fn subcommands_need_no_variables() {
    let variables = [("SNUGD_RATE", "nonsense"), ("SNUGD_DATA", "other.db")];
    assert_fails(&run_with(&["export", "/no/such.db", "KXQT"], &variables), 4, &["/no/such.db"]);
}

#[test]
fn how_much_is_logged_is_said_by_options_before_variables() {
    let says_more = |option: &[&str], variable: (&str, &str)| {
        let mut started = command();
        started.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]).args(option).envs([variable]);
        let mut server = Server::run(started);
        server.signal("TERM");
        server.wait();
        server.log().contains("descriptors may be open")
    };
    assert!(says_more(&[], ("SNUGD_VERBOSE", "1")));
    assert!(says_more(&["-v"], ("SNUGD_QUIET", "1")));
    assert!(!says_more(&["-q"], ("SNUGD_VERBOSE", "2")));
    assert!(!says_more(&[], ("SNUGD_QUIET", "0")));
}

#[test]
fn a_port_in_use_ends_with_3_and_the_likely_culprit() {
    let server = Server::start();
    let web = server.web.to_string();
    let output = run(&["--listen", &web, "--line-listen", "off"]);
    assert_fails(&output, 3, &[&server.web.port().to_string(), "in use", "snugd", "--listen"]);
    let line = server.line().to_string();
    let output = run(&["--listen", "127.0.0.1:0", "--line-listen", &line]);
    assert_fails(&output, 3, &[&server.line().port().to_string(), "in use", "--line-listen"]);
}

#[test]
fn a_port_in_use_is_in_use_for_both_kinds_of_addresses() {
    let everywhere = Server::with(&["--listen", ":0"]);
    let port = everywhere.web.port();
    for host in ["[::]", "[::1]", "0.0.0.0", "127.0.0.1"] {
        let output = run(&["--listen", &format!("{host}:{port}"), "--line-listen", "off"]);
        assert_fails(&output, 3, &["in use", &format!("choose another with --listen {host}:")]);
    }
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let one = Server::with(&["--listen", address]);
        let port = one.web.port();
        let output = run(&["--listen", &format!(":{port}"), "--line-listen", "off"]);
        assert_fails(&output, 3, &[&format!("Port {port} is in use"), "--listen [::]:"]);
    }
}

#[test]
fn an_address_of_another_machine_ends_with_3() {
    for (address, host) in [("192.0.2.1:0", "192.0.2.1"), ("[2001:db8::1]:0", "2001:db8::1")] {
        let output = run(&["--listen", address, "--line-listen", "off"]);
        assert_fails(&output, 3, &[host, "--listen", "[::]"]);
    }
}

#[test]
fn a_service_that_waits_for_its_address_can_be_stopped() {
    let mut service = command();
    service.args(["--listen", "192.0.2.1:0"]).env("INVOCATION_ID", "1");
    let mut service =
        service.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut log = BufReader::new(service.stderr.take().expect("it is piped"));
    let mut line = String::new();
    log.read_line(&mut line).expect("text");
    assert!(line.contains("192.0.2.1") && line.contains("waiting"), "{line}");
    signal(service.id(), "TERM");
    let status = eventually("it ends", || service.try_wait().expect("a child can be waited for"));
    assert_eq!(status.code(), None, "by the signal");
}

/// systemd may start it before the network is there.
#[cfg(target_os = "linux")]
#[test]
fn a_service_waits_for_the_address_that_it_is_to_listen_on() {
    let unshare = find_program(&["unshare"], "util-linux");
    let nsenter = find_program(&["nsenter"], "util-linux");
    find_program(&["ip"], "iproute2");
    let snugd = command();
    let mut service = Command::new(unshare);
    service.args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    service.arg(snugd.get_program()).args(["--listen", "192.0.2.1:0", "--line-listen", "192.0.2.1:0"]);
    service.env("INVOCATION_ID", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut service = service.spawn().expect("a process with a network of its own can be started");
    let mut log = BufReader::new(service.stderr.take().expect("it is piped"));
    let mut line = String::new();
    log.read_line(&mut line).expect("text");
    assert!(line.contains("192.0.2.1") && line.contains("waiting"), "{line}");

    let pid = service.id().to_string();
    let mut network = Command::new(nsenter);
    network.args(["--user", "--net", "--preserve-credentials", "--target", &pid]);
    network.args(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"]);
    assert!(network.status().expect("it can be started").success());
    let output = BufReader::new(service.stdout.take().expect("it is piped"));
    let listeners: Vec<String> = output.lines().take(2).map(|line| line.expect("text")).collect();
    assert!(listeners[0].starts_with("listening web 192.0.2.1:"), "{listeners:?}");
    assert!(listeners[1].starts_with("listening line 192.0.2.1:"), "{listeners:?}");
    signal(service.id(), "TERM");
    assert_eq!(service.wait().expect("a child can be waited for").code(), Some(0));
    line.clear();
    log.read_to_string(&mut line).expect("text");
    assert!(!line.contains("waiting"), "it says so once: {line}");
}

#[test]
fn a_port_can_be_used_again_at_once() {
    let first = Server::start();
    let room = first.create_room();
    let _member = WebSocketClient::join(&first, &room, "ana");
    let (web, line) = (first.web.to_string(), first.line().to_string());
    drop(first);
    let second = Server::with(&["--listen", &web, "--line-listen", &line]);
    assert_eq!(second.web.to_string(), web);
    assert!(is_served(&second));
}

#[test]
fn every_option_is_also_a_variable_and_the_option_wins() {
    let variables = [
        ("SNUGD_LISTEN", "127.0.0.1:0"),
        ("SNUGD_LINE_LISTEN", "127.0.0.1:0"),
        ("SNUGD_CODE_LENGTH", "6"),
        ("SNUGD_MAX_MESSAGE", "100"),
        ("SNUGD_RATE", "7"),
        ("SNUGD_MAX_FILE", "64K"),
    ];
    let mut started = command();
    started.envs(variables).args(["--max-message", "200"]);
    let server = Server::run(started);
    let room = server.create_room();
    assert_eq!(room.len(), 6);
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    assert_eq!(ana.expect("joined")["limits"], json!({"message": 200, "rate": 7, "file": 65536}));
}

#[test]
fn without_a_line_port_there_is_none() {
    let mut off = command();
    off.args(["--listen", "127.0.0.1:0", "--line-listen", "off"]);
    let mut server = Server::run_without_line(off);
    let room = server.create_room();
    let joined = server.post_form(&[("name", "ana"), ("code", &room), ("join", "1")]);
    let page = server.get_with(&format!("/{room}"), &[("Cookie", &joined.cookie())]).text();
    assert!(!page.contains("nc localhost"), "no invitation to what is not there");
    server.signal("TERM");
    assert_eq!(server.rest_of_output(), [] as [String; 0]);
}

#[test]
fn port_turns_the_line_port_off_unless_asked_for() {
    let mut platform = command();
    platform.env("PORT", "8080").args(["--listen", "127.0.0.1:0"]);
    let mut server = Server::run_without_line(platform);
    assert_ne!(server.web.port(), 8080, "the option wins");
    server.signal("TERM");
    assert_eq!(server.rest_of_output(), [] as [String; 0]);

    let mut asked_for = command();
    asked_for.envs([("PORT", "8080"), ("SNUGD_LINE_LISTEN", "127.0.0.1:0")]).args(["--listen", "127.0.0.1:0"]);
    let server = Server::run(asked_for);
    Terminal::connect(&server).expect_text(NAME_PROMPT);
}

#[test]
fn every_address_is_one_of_both_kinds() {
    let server = Server::with(&["--listen", ":0", "--line-listen", ":0"]);
    assert!(server.web.ip().is_unspecified() && server.web.is_ipv6(), "{}", server.web);
    for host in ["127.0.0.1", "[::1]"] {
        let at = |port: u16| -> SocketAddr { format!("{host}:{port}").parse().expect("an address") };
        let response = HttpClient::connect(at(server.web.port())).get("/");
        assert_eq!(response.status, 200);
        let terminal = TcpStream::connect(at(server.line().port())).expect("it listens there");
        let mut hello = String::new();
        BufReader::new(terminal).read_line(&mut hello).expect("text");
        assert!(hello.starts_with("* snugd "), "{hello}");
    }
}

#[test]
fn ipv6_is_served_like_ipv4() {
    let server = Server::with(&["--listen", "[::1]:0", "--line-listen", "[::1]:0"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let _ben = Terminal::join(&server, &room, "ben");
    assert_eq!(ana.expect("enter")["name"], "ben");
}

// ---- how it ends

fn assert_says_goodbye_on(signal: &str) {
    let mut server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    let mut visitor = Terminal::connect(&server);
    visitor.expect_text(NAME_PROMPT);
    let mut browser = server.http();
    assert_eq!(browser.get("/").status, 200);
    ana.expect("enter");
    ana.say("last words");
    server.signal(signal);
    ana.expect_close(1001);
    ben.expect_line_where("a goodbye", |line| line.starts_with("* ") && line.contains("stop"));
    assert_eq!(ben.read_to_end(), "");
    let goodbye = visitor.read_to_end();
    assert!(goodbye.lines().any(|line| line.starts_with("* ")), "{goodbye}");
    browser.expect_end();
    assert_eq!(server.wait().code(), Some(0));
    assert!(TcpStream::connect(server.web).is_err(), "nobody listens any more");
}

#[test]
fn sigterm_says_goodbye_and_ends_with_0() {
    assert_says_goodbye_on("TERM");
}

#[test]
fn sigint_says_goodbye_and_ends_with_0() {
    assert_says_goodbye_on("INT");
}

/// Half of a request has arrived, which shows by what is answered to the other half.
#[test]
fn a_request_that_has_begun_when_it_is_stopped_is_answered() {
    let mut server = Server::start();
    let (mut form, mut probe) = (server.http(), server.http());
    form.send("POST /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(form.response_to("POST").status, 100);
    probe.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\n");
    assert_eq!(probe.response_to("GET").status, 200);
    server.signal("TERM");
    eventually("nobody listens any more", || TcpStream::connect(server.web).is_err().then_some(()));
    form.send("{}");
    probe.send("Host: localhost\r\n\r\n");
    let answers = [form.response_to("POST"), probe.response_to("GET")];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [201, 503]);
    assert_eq!(answers.each_ref().map(|answer| answer.header("Connection")), [Some("close"), Some("close")]);
    assert_eq!(server.wait().code(), Some(0));
}

/// Starts it from a shell to which a terminal belongs: a line typed ends the shell, and so closes the terminal. The
/// shell does `first` before. Returns the terminal, the program's process id, and where its terminals connect.
fn start_on_terminal(first: &str) -> (rexpect::session::PtySession, u32, SocketAddr) {
    let snugd = command();
    let mut started = Command::new("sh");
    let tells_id = "sh -c 'echo \"pid $$\"; exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    started.args(["-c", &format!("{first} {tells_id} & read -r _")]).arg(snugd.get_program());
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    let timeout_ms = DEADLINE.as_millis() as u64;
    let mut terminal = rexpect::session::spawn_command(started, Some(timeout_ms)).expect("the shell can be started");
    terminal.exp_string("pid ").expect("its process id");
    let pid = terminal.read_line().expect("a line");
    terminal.exp_string("listening line ").expect("it listens");
    let line = terminal.read_line().expect("a line");
    (terminal, pid.trim().parse().expect("a number"), line.trim().parse().expect("an address"))
}

/// What comes over a connection until it is closed.
fn read_to_end(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it ends in good order");
    text
}

#[test]
fn it_stops_in_good_order_when_its_terminal_is_closed() {
    let (mut terminal, _, line) = start_on_terminal("");
    let member = TcpStream::connect(line).expect("it listens");
    terminal.send_line("").expect("the shell reads");
    let words = read_to_end(member);
    assert!(words.contains("* The server is stopping"), "{words}");
    eventually("nobody listens any more", || TcpStream::connect(line).is_err().then_some(()));
}

#[test]
fn who_has_sighup_ignored_as_nohup_does_keeps_it_when_the_terminal_is_closed() {
    let (mut terminal, pid, line) = start_on_terminal("trap '' HUP;");
    terminal.send_line("").expect("the shell reads");
    terminal.process().wait().expect("the shell ends");
    let member = TcpStream::connect(line).expect("it still listens");
    let mut hello = String::new();
    BufReader::new(&member).read_line(&mut hello).expect("text");
    assert!(hello.starts_with("* snugd "), "{hello}");
    signal(pid, "TERM");
    read_to_end(member);
}

#[test]
fn what_was_said_before_the_end_arrives_before_the_goodbye() {
    let mut server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    for number in 0..500 {
        ana.say(&number.to_string());
    }
    ana.expect_where("the last", |message| message["text"] == "499");
    server.signal("TERM");
    for number in 0..500 {
        assert_eq!(ben.expect("message")["text"], number.to_string());
    }
    ben.expect_close(1001);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_member_that_reads_nothing_does_not_hold_up_the_end() {
    let mut server = Server::with(&["--rate", "0", "--max-message", "16384"]);
    let room = server.create_room();
    let _deaf = WebSocketClient::join(&server, &room, "deaf");
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let text = "x".repeat(16_000);
    // More than fits between the two, less than makes it too slow.
    for _ in 0..300 {
        ana.say(&text);
        ana.expect("message");
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn on_a_terminal_it_greets_and_ctrl_c_stops_it() {
    let mut started = command();
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    let timeout_ms = DEADLINE.as_millis() as u64;
    let mut terminal = rexpect::session::spawn_command(started, Some(timeout_ms)).expect("the program can be started");
    for words in
        ["listening web 127.0.0.1:", "listening line 127.0.0.1:", "http://localhost:", "nc localhost ", "Ctrl-C"]
    {
        terminal.exp_string(words).unwrap_or_else(|error| panic!("no {words:?}: {error}"));
    }
    terminal.send_control('c').expect("there is a keyboard");
    terminal.exp_eof().expect("it ends");
    let status = format!("{:?}", terminal.process().wait().expect("a child can be waited for"));
    assert!(status.starts_with("Exited(") && status.ends_with(", 0)"), "{status}");
}

// ---- what it stands

#[test]
fn it_survives_running_out_of_descriptors() {
    let mut limited = command_with_few_descriptors();
    limited.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    let server = Server::run(limited);
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");

    const ACCEPTED: &str = "snugd_accepted_connections_total{port=\"web\"}";
    const REFUSED: &str = "snugd_refused_connections_total{reason=\"descriptors\"}";
    let accepted_before = figure(&server, ACCEPTED);
    let come_in_a_crowd = || {
        let mut crowd: Vec<HttpClient> = (0..45).map(|_| server.http()).collect();
        let last = crowd.last_mut().expect("a crowd");
        let words = String::from_utf8(last.read_to_end()).expect("words");
        assert!(words.starts_with("HTTP/1.1 503 ") && words.contains("\r\nRetry-After: "), "{words}");
        crowd
    };
    let crowd = come_in_a_crowd();
    // Who is in goes on as ever.
    ana.expect("enter");
    ana.say("is it crowded?");
    ben.expect_said("<ana> is it crowded?");
    ben.send_line("very");
    ana.expect_where("the answer", |message| message["text"] == "very");

    let mut attempts = 0;
    let mut leave = |crowd: Vec<HttpClient>| {
        drop(crowd);
        eventually("newcomers are served again", || {
            attempts += 1;
            is_served(&server).then_some(())
        });
    };
    leave(crowd);
    leave(come_in_a_crowd());
    // It counts whom it has refused, not how often it has looked whether it may accept again.
    let refused = figure(&server, REFUSED);
    let accepted = figure(&server, ACCEPTED) - accepted_before;
    assert!(refused > 0);
    assert_eq!(refused + accepted, 2 * 45 + attempts + 2, "those who asked for the figures are counted as well");
    assert_eq!(server.log().matches("no descriptor is left").count(), 1, "it is not said again and again");
    let _cleo = Terminal::join(&server, &room, "cleo");
    assert_eq!(ana.expect("enter")["name"], "cleo");
}

#[test]
fn a_reader_that_is_too_slow_is_closed_and_comes_back_with_since() {
    let server = Server::with(&["--rate", "0", "--max-message", "16384", "--history", "100000"]);
    let room = server.create_room();
    let mut slow = WebSocketClient::connect(&server);
    slow.send(json!({"type": "join", "room": room, "name": "slow"}));
    let joined = slow.expect("joined");
    let mut ana = WebSocketClient::join(&server, &room, "ana");

    let text = "x".repeat(16_000);
    let mut said = 0;
    while figure(&server, "snugd_slow_readers_closed_total") == 0 {
        assert!(said < 4_000, "nobody is ever too slow");
        for _ in 0..16 {
            ana.say(&text);
            said = ana.expect("message")["id"].as_u64().expect("an id");
        }
    }
    // It is closed, and reads now: whole messages, then why.
    let mut seen = 1;
    let code = loop {
        match slow.next_frame() {
            tungstenite::Message::Close(close) => break close.map(|close| u16::from(close.code)),
            tungstenite::Message::Text(text) => {
                let event: Value = serde_json::from_str(&text).expect("a whole message");
                seen += 1;
                assert_eq!(event["id"], seen, "without gaps");
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, Some(1008));
    assert!(seen < said, "it has missed something");
    let mut back = WebSocketClient::connect(&server);
    back.send(json!({
        "type": "join", "room": room, "token": joined["token"], "since": seen, "epoch": joined["epoch"]
    }));
    let again = back.expect("joined");
    let ids = |events: &Value| -> Vec<u64> {
        events.as_array().expect("a list").iter().filter_map(|event| event["id"].as_u64()).collect()
    };
    // So much does not come at once: the rest is fetched.
    let mut missed = ids(&again["events"]);
    assert_eq!(again["gap"], missed[0] > seen + 1, "a gap is told");
    while missed[0] > seen + 1 {
        back.send(json!({"type": "history", "before": missed[0], "limit": 200}));
        let older = ids(&back.expect("history")["events"]);
        missed.splice(0..0, older.into_iter().filter(|id| *id > seen));
    }
    assert_eq!(missed, (seen + 1..=said).collect::<Vec<u64>>(), "each once");
    ana.say("done");
    assert_eq!(back.expect("message")["text"], "done");
}

#[test]
fn nonsense_and_resets_disturb_nobody() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    ana.expect("enter");

    // Numbers that look random and are the same in every run (a linear congruential generator, as in C).
    let mut state = 12_345_u32;
    let mut random = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as u8
    };
    for round in 0..60 {
        let address = if round % 2 == 0 { server.web } else { server.line() };
        let stream = TcpStream::connect(address).expect("it still accepts");
        let mut client = HttpClient::over(stream);
        if round % 3 == 0 {
            client.send("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n");
            client.send("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        }
        let nonsense: Vec<u8> = (0..usize::from(random()) * 16).map(|_| random()).collect();
        client.send(&nonsense);
        let stream = client.into_stream();
        if round % 4 < 2 {
            // Closed by a reset.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket can");
        }
    }
    ana.say("is everybody well?");
    ben.expect_said("<ana> is everybody well?");
    ben.send_line("yes");
    ana.expect_where("the answer", |message| message["text"] == "yes");
    assert!(is_served(&server));
}

#[test]
fn a_crowd_that_comes_at_once_is_served() {
    let server = Server::with(&["--max-per-ip", "0"]);
    let mut crowd: Vec<HttpClient> = (0..400).map(|_| server.http()).collect();
    for client in &mut crowd {
        client.send_request("GET", "/healthz", &[], b"");
    }
    for client in &mut crowd {
        assert_eq!(client.response_to("GET").status, 200);
    }
}
