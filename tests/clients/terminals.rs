//! Programs at the line port: typed into as people do, in a terminal of their own, and fed by a pipe as scripts do.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use serde_json::json;

use super::support::program::run_to_end;
use super::support::terminal::NAME_PROMPT;
use super::support::{DEADLINE, Server, WebSocketClient, find_program};

/// Stands for the line port in a program's arguments.
const PORT: &str = "{port}";

/// What ends the program once the server has closed.
enum End {
    ByItself,
    /// The end of what is typed: until then it stays, though there is nobody to talk to.
    CtrlD,
    Command(&'static str),
}

fn start(server: &Server, before: &str, program: &str, package: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$@\""), "sh"]).arg(find_program(&[program], package));
    let port = server.line().port().to_string();
    command.args(arguments.iter().map(|argument| argument.replace(PORT, &port)));
    // Some write down at home that they have run.
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Without a size, a terminal ends some programs.
const SIZE: &str = "stty rows 24 cols 80;";

/// Somebody types into the program.
fn talk(program: &str, package: &str, arguments: &[&str], end: End) {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let command = start(&server, SIZE, program, package, arguments);
    let timeout_ms = DEADLINE.as_millis() as u64;
    let mut robin = Typist(spawn_command(command, Some(timeout_ms)).expect("the program can be started"));

    robin.see(NAME_PROMPT);
    robin.type_line(&format!("/join {room} robin"));
    robin.see(&format!("* {room}. 1 here: ana (web). Invite: "));
    let entered = ana.expect("enter");
    assert_eq!((&entered["name"], &entered["via"]), (&json!("robin"), &json!("line")));
    robin.type_line("grüße, ana");
    assert_eq!(ana.expect("message")["text"], "grüße, ana");
    ana.say("schöne grüße");
    robin.see("<ana> schöne grüße");
    robin.type_line("/quit");
    robin.see("* Bye.");
    assert_eq!(ana.expect("part")["name"], "robin");
    match end {
        End::ByItself => (),
        End::CtrlD => robin.0.send_control('d').expect("the program reads"),
        End::Command(command) => robin.type_line(command),
    }
    robin.0.exp_eof().expect("the program ends");
}

struct Typist(PtySession);

impl Typist {
    fn see(&mut self, text: &str) {
        // What a terminal shows is read byte by byte, each as a character.
        let bytes: String = text.bytes().map(char::from).collect();
        self.0.exp_string(&bytes).unwrap_or_else(|error| panic!("the program does not show {text:?}: {error}"));
    }

    fn type_line(&mut self, line: &str) {
        self.0.send_line(line).expect("the program reads");
    }
}

/// A script pipes lines into the program and reads the answers. One that ends its sending side with its input needs
/// no more; after `/quit` any does.
fn pipe(program: &str, package: &str, arguments: &[&str], goodbye: &str) {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    let script = format!("/join {room} deploy\nversion 2 is out\n/who\n{goodbye}");
    let shown = run_to_end(&mut start(&server, "", program, package, arguments), &script);
    assert!(shown.contains("* ana (web), deploy (line)"), "{shown}");
    assert_eq!(ana.expect("message")["text"], "version 2 is out");
    assert_eq!(ana.expect("part")["name"], "deploy");
}

const AT_THE_END: &str = "";
const AFTER_QUIT: &str = "/quit\n";

#[test]
fn openbsds_netcat() {
    talk("nc.openbsd", "netcat-openbsd", &["127.0.0.1", PORT], End::CtrlD);
    pipe("nc.openbsd", "netcat-openbsd", &["-N", "127.0.0.1", PORT], AT_THE_END);
    pipe("nc.openbsd", "netcat-openbsd", &["127.0.0.1", PORT], AFTER_QUIT);
}

#[test]
fn traditional_netcat() {
    talk("nc.traditional", "netcat-traditional", &["127.0.0.1", PORT], End::ByItself);
    pipe("nc.traditional", "netcat-traditional", &["127.0.0.1", PORT], AFTER_QUIT);
}

#[test]
fn ncat() {
    talk("ncat", "ncat", &["127.0.0.1", PORT], End::CtrlD);
    pipe("ncat", "ncat", &["127.0.0.1", PORT], AT_THE_END);
    pipe("ncat", "ncat", &["-C", "127.0.0.1", PORT], AFTER_QUIT);
}

#[test]
fn busyboxs_netcat() {
    talk("busybox", "busybox", &["nc", "127.0.0.1", PORT], End::ByItself);
    pipe("busybox", "busybox", &["nc", "127.0.0.1", PORT], AT_THE_END);
}

#[test]
fn socat() {
    talk("socat", "socat", &["-", "TCP:127.0.0.1:{port}"], End::ByItself);
    pipe("socat", "socat", &["-t", "20", "-", "TCP:127.0.0.1:{port}"], AT_THE_END);
    pipe("socat", "socat", &["-", "TCP:127.0.0.1:{port},crnl"], AFTER_QUIT);
}

#[test]
fn inetutils_telnet() {
    talk("telnet", "inetutils-telnet", &["127.0.0.1", PORT], End::ByItself);
}

#[test]
fn busyboxs_telnet() {
    talk("busybox", "busybox", &["telnet", "127.0.0.1", PORT], End::ByItself);
}

#[test]
fn puttys_plink_speaks_telnet() {
    talk("plink", "putty-tools", &["-telnet", "-P", PORT, "127.0.0.1"], End::ByItself);
}

#[test]
fn puttys_plink_without_telnet() {
    talk("plink", "putty-tools", &["-raw", "-P", PORT, "127.0.0.1"], End::CtrlD);
}

#[test]
fn tintin() {
    let session = "#session snugd 127.0.0.1 {port}";
    talk("tt++", "tintin++", &["-G", "-e", session], End::Command("#end"));
}

#[test]
fn curl_speaks_telnet() {
    talk("curl", "curl", &["-q", "-sN", "telnet://127.0.0.1:{port}"], End::CtrlD);
    pipe("curl", "curl", &["-q", "-sN", "telnet://127.0.0.1:{port}"], AFTER_QUIT);
}
