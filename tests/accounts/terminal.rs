//! From terminals: `nc`, scripts, and a telnet that shows no password.

use std::process::Command;

use rexpect::session::spawn_command;

use super::support::terminal::{NAME_PROMPT, ROOM_PROMPT};
use super::support::{DEADLINE, Server, Terminal, WebSocketClient, find_program};
use super::{OTHER_PASSWORD, PASSWORD, register};

const PASSWORD_PROMPT: &str = "Password: ";

const IAC: u8 = 255;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

/// A server with a room in which is a witness, and where "ana" is claimed by somebody who is gone.
fn with_ana() -> (Server, String, WebSocketClient) {
    let server = Server::start();
    let room = server.create_room();
    let witness = WebSocketClient::join(&server, &room, "witness");
    let elsewhere = server.create_room();
    drop(register(&server, &elsewhere, "ana"));
    (server, room, witness)
}

#[test]
fn a_terminal_is_asked_for_the_password_and_it_is_never_said() {
    let (server, room, mut witness) = with_ana();
    let mut ana = Terminal::connect(&server);
    ana.send_line("ana");
    ana.expect_text(ROOM_PROMPT);
    ana.send_line(&room);
    ana.expect_text("! \"ana\" is somebody's own name here");
    ana.expect_text("* What you type now shows on your screen.\r\n");
    ana.expect_text(PASSWORD_PROMPT);
    ana.send_line(OTHER_PASSWORD);
    let words = ana.expect_text("do not belong together.");
    assert!(!words.contains(OTHER_PASSWORD), "{words}");
    ana.expect_text(PASSWORD_PROMPT);
    ana.send_line(PASSWORD);
    ana.expect_text(&format!("* {room}. 1 here: witness"));
    ana.send_line("hello");
    assert_eq!(witness.expect("enter")["name"], "ana");
    assert_eq!(witness.expect("message")["text"], "hello");
}

#[test]
fn who_does_not_know_the_password_takes_another_name() {
    let (server, room, _witness) = with_ana();
    let mut stranger = Terminal::connect(&server);
    stranger.send_line(&format!("/join {room} ana"));
    stranger.expect_text(PASSWORD_PROMPT);
    stranger.send_line("/help");
    stranger.expect_text("/login NAME PASSWORD");
    stranger.expect_text(PASSWORD_PROMPT);
    stranger.send_line("");
    stranger.expect_text(NAME_PROMPT);
    stranger.send_line("anita");
    stranger.expect_text(&format!("* {room}. "));
}

#[test]
fn scripts_log_in_by_one_line_before_and_after_they_join() {
    let (server, room, mut witness) = with_ana();
    let mut ana = Terminal::connect(&server);
    ana.send(format!("/login ana {PASSWORD}\n/join {room}\nfirst\n"));
    ana.expect_text("* You are logged in as \"ana\".");
    ana.expect_text(&format!("* {room}. "));
    assert_eq!(witness.expect("message")["name"], "ana");
    ana.send_line("/leave");
    ana.send_line("/quit");
    ana.read_to_end();

    let mut ana = Terminal::join(&server, &room, "guest");
    ana.send_line("/nick ana");
    ana.expect_text("it needs its password. /login NAME PASSWORD");
    ana.send_line(&format!("/login ana {PASSWORD}"));
    ana.expect_text("* You are logged in as \"ana\".");
    ana.expect_line("* guest is now ana");

    // Where it was asked for before.
    let elsewhere = server.create_room();
    let mut ana = Terminal::connect(&server);
    ana.send_line(&format!("/join {elsewhere} ana"));
    ana.expect_text(PASSWORD_PROMPT);
    ana.send_line(&format!("/login ana {PASSWORD}"));
    ana.expect_text(&format!("* {elsewhere}. "));
}

#[test]
fn whatever_goes_wrong_no_password_becomes_a_message() {
    let (server, room, mut witness) = with_ana();
    let mut guest = Terminal::join(&server, &room, "guest");
    let lines = [
        format!(" /login ana {PASSWORD}"),
        format!("\t/register {PASSWORD}"),
        format!("/login {PASSWORD}"),
        format!("/logni ana {PASSWORD}"),
        "/login".to_owned(),
        "/register short".to_owned(),
        format!("/password {PASSWORD}"),
        format!("/unregister {PASSWORD}"),
    ];
    for line in &lines {
        guest.send_line(line);
    }
    guest.send_line("done");
    let said = witness.expect("message");
    assert_eq!(said["text"], "done", "nothing was said before it");
    let told = guest.catch_up().join("\n");
    assert_eq!(told.matches("! ").count(), lines.len(), "{told}");
    assert!(!told.contains(PASSWORD) && !told.contains("short"), "{told}");
}

#[test]
fn a_name_is_claimed_changed_and_given_up_from_a_terminal() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = Terminal::join(&server, &room, "ana");
    ana.send_line(&format!("/register {PASSWORD}"));
    ana.expect_text("* \"ana\" is yours");
    ana.send_line("/password wrong-one another-one");
    ana.expect_text("! That name and that password do not belong together.");
    ana.send_line("/unregister wrong-one");
    ana.expect_text("! That name and that password do not belong together.");
    ana.send_line(&format!("/unregister {PASSWORD}"));
    ana.expect_text("* \"ana\" is anybody's again.");
    let mut other = Terminal::connect(&server);
    other.send_line("/new ana");
    other.expect_text("Nobody else is here yet");
}

#[test]
fn a_program_is_told_in_json() {
    let (server, room, _witness) = with_ana();
    let mut bot = Terminal::connect(&server);
    bot.send_line("/json");
    bot.send_line(&format!("/join {room} ana"));
    bot.expect_text("\"code\":\"password_required\"");
    bot.send_line(&format!("/login ana {PASSWORD}"));
    bot.expect_text("{\"type\":\"ok\",\"account\":\"ana\"}\n");
    bot.send_line(&format!("/join {room}"));
    bot.expect_text("\"type\":\"joined\"");
}

#[test]
fn a_telnet_that_negotiates_hides_the_password() {
    let (server, room, _witness) = with_ana();
    let mut telnet = Terminal::connect(&server);
    telnet.send([IAC, DO, SUPPRESS_GO_AHEAD]);
    telnet.expect_bytes(&[IAC, WONT, SUPPRESS_GO_AHEAD]);
    telnet.send(format!("/join {room} ana\r\n"));
    telnet.expect_bytes(&[IAC, WILL, ECHO]);
    telnet.expect_text(PASSWORD_PROMPT);
    telnet.send([IAC, DO, ECHO]);
    telnet.send(format!("{OTHER_PASSWORD}\r\n"));
    let before = telnet.expect_bytes(&[IAC, WONT, ECHO]);
    assert!(!before.contains(&IAC), "its DO needs no answer: {before:?}");
    telnet.send([IAC, 254, ECHO]);
    telnet.expect_bytes(&[IAC, WILL, ECHO]);
    telnet.expect_text(PASSWORD_PROMPT);
    telnet.send([IAC, DO, ECHO]);
    telnet.send(format!("{PASSWORD}\r\n"));
    telnet.expect_bytes(&[IAC, WONT, ECHO]);
    telnet.send([IAC, 254, ECHO]);
    telnet.expect_text(&format!("\r\n* {room}. "));
    // What is asked for at another time is refused as ever, and once.
    telnet.send([IAC, DO, ECHO, IAC, DO, ECHO]);
    telnet.expect_bytes(&[IAC, WONT, ECHO]);
    let rest = telnet.catch_up().join("\n");
    assert!(!rest.contains('\u{FFFD}'), "{rest:?}");
}

#[test]
fn a_real_telnet_shows_no_password() {
    let (server, room, mut witness) = with_ana();
    let mut command = Command::new(find_program(&["telnet"], "telnet"));
    command.arg("127.0.0.1").arg(server.line().port().to_string()).env("TERM", "xterm");
    let mut telnet = spawn_command(command, Some(DEADLINE.as_millis() as u64)).expect("telnet can be started");
    let seen = |result: Result<String, rexpect::error::Error>| result.expect("telnet shows it");
    seen(telnet.exp_string(NAME_PROMPT));
    // By this it says what it is.
    telnet.send_control('c').expect("telnet reads");
    telnet.send_line("ana").expect("telnet reads");
    seen(telnet.exp_string(ROOM_PROMPT));
    telnet.send_line(&room).expect("telnet reads");
    seen(telnet.exp_string(PASSWORD_PROMPT));
    // The server's wish to hide it comes with the prompt; it answers and does so before it reads on.
    telnet.send_line(PASSWORD).expect("telnet reads");
    let shown = seen(telnet.exp_string(&format!("* {room}. 1 here: ")));
    assert!(!shown.contains(PASSWORD) && !shown.contains("shows on your screen"), "{shown:?}");
    telnet.send_line("visible again").expect("telnet reads");
    seen(telnet.exp_string("visible again"));
    assert_eq!(witness.expect("message")["text"], "visible again");
}
