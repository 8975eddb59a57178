//! What the contract says about terminals, checked on the real program: over bare TCP, with the real `nc`,
//! and with the real `telnet` in a terminal of its own.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};
use support::http::HttpClient;
use support::terminal::{NAME_PROMPT, ROOM_PROMPT, without_time};
use support::{DEADLINE, Server, Terminal, WebSocketClient, find_program, is_code};

// Telnet commands and an option (RFC 854, RFC 857, RFC 860).
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const ERASE_LINE: u8 = 248;
const ERASE_CHARACTER: u8 = 247;
const ARE_YOU_THERE: u8 = 246;
const INTERRUPT_PROCESS: u8 = 244;
const SE: u8 = 240;
const ABORT: u8 = 238;
const END_OF_FILE: u8 = 236;
const TIMING_MARK: u8 = 6;
const WINDOW_SIZE: u8 = 31;

/// Opens a new room and joins it; returns the room's code as well.
fn open_room(server: &Server, name: &str) -> (Terminal, String) {
    let room = server.create_room();
    (Terminal::join(server, &room, name), room)
}

/// What a WebSocket member hears next.
fn heard(member: &mut WebSocketClient) -> Value {
    member.expect("message")["text"].clone()
}

// ---- the prompts

#[test]
fn the_server_speaks_first_and_asks_its_way_to_a_room() {
    let server = Server::start();
    let room = server.create_room();
    let mut ana = Terminal::connect(&server);
    let greeting = format!("* snugd {}. /help lists the commands.\r\n{NAME_PROMPT}", env!("CARGO_PKG_VERSION"));
    assert_eq!(ana.expect_text(NAME_PROMPT) + NAME_PROMPT, greeting);
    ana.send_line("ana");
    assert_eq!(ana.expect_text(ROOM_PROMPT), "");
    ana.send_line(&room.to_lowercase());
    let welcome = ana.read_line();
    let invitation = format!("Invite: {}{room}", server.url());
    assert!(welcome.starts_with(&format!("* {room}. ")) && welcome.ends_with(&invitation), "{welcome}");
}

#[test]
fn a_newcomer_is_told_who_is_here_and_what_was_said() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ben.say("slides are on the board");
    ana.expect_said("<ben> slides are on the board");
    ana.send_line("/me waves");
    ana.send_line("two");
    ben.expect_where("two", |message| message["text"] == "two");

    let mut cleo = Terminal::connect(&server);
    cleo.send_line(&format!("/join {room} cleo"));
    cleo.expect_text(NAME_PROMPT);
    assert_eq!(cleo.read_line(), format!("* {room}. 2 here: ana (line), ben (web). Invite: {}{room}", server.url()));
    let mut history: Vec<String> = Vec::new();
    while history.last().is_none_or(|line| line != "* -- now --") {
        history.push(cleo.read_line());
    }
    let said: Vec<_> = history.iter().filter_map(|line| without_time(line)).collect();
    assert_eq!(said, ["<ben> slides are on the board", "* ana waves", "<ana> two"]);
    ana.expect_line("* cleo came in (line)");
}

#[test]
fn a_room_can_be_made_at_the_prompt() {
    let server = Server::start();
    let mut ana = Terminal::connect(&server);
    ana.send_line("ana");
    ana.send_line("NEW");
    let welcome = ana.expect_line_where("the room", |line| line.contains("Invite: "));
    let room = &welcome["* ".len()..][..4];
    assert!(is_code(room, 4), "{welcome}");
    let described = server.get(&format!("/api/v1/rooms/{room}")).json();
    assert_eq!(described["members"], json!([{"name": "ana", "via": "line"}]));
}

#[test]
fn what_does_not_work_is_refused_and_asked_again() {
    let server = Server::start();
    let (_ana, room) = open_room(&server, "ana");
    let mut ben = Terminal::connect(&server);
    ben.expect_text(NAME_PROMPT);
    ben.send_line("a\u{202e}b");
    assert!(ben.read_line().starts_with("! "));
    assert_eq!(ben.expect_text(NAME_PROMPT), "");
    ben.send_line("");
    assert_eq!(ben.expect_text(NAME_PROMPT), "", "asked again, without a word");
    ben.send_line("ana");
    assert_eq!(ben.expect_text(ROOM_PROMPT), "");
    ben.send_line("not a code");
    assert!(ben.read_line().starts_with("! "));
    assert_eq!(ben.expect_text(ROOM_PROMPT), "");
    ben.send_line("BBBBBB");
    let refusal = ben.read_line();
    assert!(refusal.starts_with("! ") && refusal.contains("BBBBBB"), "{refusal}");
    assert_eq!(ben.expect_text(ROOM_PROMPT), "");
    ben.send_line(&room);
    assert_eq!(ben.read_line(), format!("! \"ana\" is taken in {room}. Another name?"));
    assert_eq!(ben.expect_text(NAME_PROMPT), "");
    // The room is known already.
    ben.send_line("ben");
    ben.expect_text(&format!("* {room}. 1 here: ana (line). Invite: "));
}

// ---- the commands

#[test]
fn help_lists_every_command() {
    let server = Server::start();
    let mut ana = Terminal::connect(&server);
    ana.expect_text(NAME_PROMPT);
    ana.send_line("/help");
    let help = ana.expect_text(NAME_PROMPT);
    for command in ["/join", "/new", "/who", "/me", "/nick", "/history", "/json", "/leave", "/quit", "/help", "//"] {
        // Who reads the list has found /help.
        assert!(command == "/help" || help.contains(command), "{command} in {help}");
    }
    assert!(help.lines().all(|line| line.starts_with("* ")), "{help}");
}

#[test]
fn one_line_joins_and_one_line_makes_a_room() {
    let server = Server::start();
    let mut ana = Terminal::connect(&server);
    ana.send_line("/new ana");
    let welcome = ana.expect_line_where("the room", |line| line.contains("Invite: "));
    let room = welcome["* ".len()..][..4].to_owned();
    let mut ben = Terminal::connect(&server);
    ben.send_line(&format!("/JOIN {} Ben Müller", room.to_lowercase()));
    ben.expect_text(&format!("* {room}. 1 here: ana (line). Invite: "));
    ana.expect_line("* Ben Müller came in (line)");
    // At the second prompt, without a name.
    let mut cleo = Terminal::connect(&server);
    cleo.send_line("cleo");
    cleo.send_line(&format!("/join {room}"));
    cleo.expect_text(&format!("* {room}. 2 here: "));
    // Without a name at the first one: the name is asked for, the room not again.
    let mut dora = Terminal::connect(&server);
    dora.expect_text(NAME_PROMPT);
    dora.send_line(&format!("/join {room}"));
    assert_eq!(dora.expect_text(NAME_PROMPT), "");
    dora.send_line("dora");
    dora.expect_text(&format!("* {room}. 3 here: "));
}

#[test]
fn from_one_room_to_another_in_one_line() {
    let server = Server::start();
    let (mut ana, first) = open_room(&server, "ana");
    let mut ben = Terminal::join(&server, &first, "ben");
    let second = server.create_room();
    ana.send_line(&format!("/join {second}"));
    ana.expect_text(&format!("* {second}. "));
    ben.expect_line("* ana left");
}

#[test]
fn who_lists_everybody() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let _ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    ana.send_line("/who");
    assert_eq!(ana.read_line(), "* ana (line), ben (web)");
}

#[test]
fn me_and_nick_are_seen_by_the_others() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    ana.send_line("/me nods");
    ben.expect_said("* ana nods");
    ana.send_line("/nick anna");
    for terminal in [&mut ana, &mut ben] {
        terminal.expect_line("* ana is now anna");
    }
    ana.send_line("/nick BEN");
    ana.expect_line_where("a refusal", |line| line.starts_with("! ") && line.contains("taken"));
    for command in ["/nick", "/me"] {
        ana.send_line(command);
        ana.expect_line_where("a refusal", |line| line.starts_with("! "));
    }
    ana.send_line("still anna");
    ben.expect_said("<anna> still anna");
}

#[test]
fn history_shows_as_many_events_as_asked_for() {
    let server = Server::with(&["--rate", "0"]);
    let (mut ana, _) = open_room(&server, "ana");
    for number in 1..=30 {
        ana.send_line(&format!("text {number}"));
    }
    let mut ask = |command: &str| {
        ana.send_line(command);
        let mut texts = Vec::new();
        loop {
            match ana.read_line() {
                line if line == "* -- now --" => return texts,
                line => texts.push(without_time(&line).expect("a message").to_owned()),
            }
        }
    };
    assert_eq!(ask("/history 2"), ["<ana> text 29", "<ana> text 30"]);
    assert_eq!(ask("/history").len(), 20);
    ana.send_line("/history none");
    assert!(ana.read_line().starts_with("! "));
}

#[test]
fn what_was_said_is_found() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    for text in ["Slides are on the board", "le café", "明日の会議"] {
        ben.say(text);
        ana.expect_said(&format!("<ben> {text}"));
    }
    for (words, found) in [("board sli", "Slides are on the board"), ("CAFE", "le café"), ("会議", "明日の会議")]
    {
        ana.send_line(&format!("/search {words}"));
        assert_eq!(without_time(&ana.read_line()), Some(&*format!("<ben> {found}")));
        assert_eq!(ana.read_line(), "* 1 found.");
    }
    ana.send_line("/search \"a\" OR NEAR(");
    assert_eq!(ana.read_line(), "* Nothing found.");
    ana.send_line("/search");
    assert!(ana.read_line().starts_with("! What for? /search WORDS"));
    ana.send_line("/help search");
    ana.expect_line("* /search WORDS  find what was said");
    let mut outside = Terminal::connect(&server);
    outside.send_line("/search board");
    outside.expect_line("! Join a room first.");
}

#[test]
fn a_slash_can_be_said_and_an_unknown_command_cannot() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    ana.send_line("/dance now");
    let refusal = ana.read_line();
    assert!(refusal.starts_with("! ") && refusal.contains("/dance"), "{refusal}");
    ana.send_line("//etc/passwd");
    assert_eq!(heard(&mut ben), "/etc/passwd", "and nothing before it");
}

#[test]
fn leave_leads_back_to_the_prompt_and_quit_closes() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    ana.expect_line("* ben came in (line)");
    ana.send_line("/leave");
    assert_eq!(ana.read_line(), format!("* Left {room}."));
    assert_eq!(ana.expect_text(ROOM_PROMPT), "");
    ben.expect_line("* ana left");
    ana.send_line("/who");
    assert!(ana.read_line().starts_with("! "), "there is nobody to list");
    assert_eq!(ana.expect_text(ROOM_PROMPT), "");
    // The name is kept.
    ana.send_line(&room);
    ana.expect_text(&format!("* {room}. 1 here: ben (line)."));
    ben.expect_line("* ana came in (line)");
    ana.send_line("/leave");
    ana.expect_text(ROOM_PROMPT);
    ana.send_line("/quit");
    assert_eq!(ana.read_to_end(), "* Bye.\r\n");
    ben.send_line("/quit");
    assert!(ben.read_to_end().ends_with("* Bye.\r\n"));
}

#[test]
fn json_is_one_object_a_line_own_messages_included() {
    let server = Server::start();
    let room = server.create_room();
    let mut program = Terminal::connect(&server);
    program.expect_text(NAME_PROMPT);
    program.send_line("/json");
    program.send_line(&format!("/join {room} program"));
    assert_eq!(program.expect_text("{"), "\r\n", "the prompt's line ends, then there is nothing but objects");
    let object = |line: String| -> Value {
        assert!(!line.ends_with('\r'), "a line ends in LF alone: {line:?}");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not an object: {line:?}"))
    };
    let first = object(format!("{{{}", program.expect_text("\n")));
    assert_eq!(first["type"], "joined", "{first}");
    assert_eq!((&first["room"], &first["name"]), (&json!(room), &json!("program")));
    assert!(first["token"].is_string() && first["events"].is_array());

    let mut ask = |line: &str| {
        program.send_line(line);
        object(program.expect_text("\n"))
    };
    let own = ask("what I say");
    assert_eq!((&own["type"], &own["text"], &own["via"]), (&json!("message"), &json!("what I say"), &json!("line")));
    assert_eq!(ask("/me nods")["kind"], "me");
    assert_eq!(ask("/nick robot")["to"], "robot");
    assert_eq!(ask("/history 1")["type"], "history");
    let refused = ask("/dance");
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("bad_request")));
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    assert_eq!(object(program.expect_text("\n"))["type"], "enter");
    ana.say("two\nlines");
    assert_eq!(object(program.expect_text("\n"))["text"], "two\nlines");
}

#[test]
fn json_may_be_asked_for_within_a_room() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    ana.send_line("/json");
    ana.expect_text("{\"type\":\"joined\"");
    ana.expect_text("\n");
    ana.send_line("hello");
    let said: Value = serde_json::from_str(&ana.expect_text("\n")).expect("an object");
    assert_eq!((&said["type"], &said["text"]), (&json!("message"), &json!("hello")));
    ana.send_line("/leave");
    ana.send_line(&format!("/join {room} anna"));
    ana.expect_text("{\"type\":\"joined\"");
}

#[test]
fn names_are_written_as_people_write_them() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    for name in ["👩‍💻 Ana", "علی‌رضا", "🏳️‍🌈", "ශ්‍රී"] {
        let _web = WebSocketClient::join(&server, &room, name);
        ana.expect_line(&format!("* {name} came in (web)"));
        // What is not seen makes no other name.
        let mut other = Terminal::connect(&server);
        other.send_line(&format!("/join {room} {}", name.replace(['\u{200C}', '\u{200D}', '\u{FE0F}'], "")));
        other.expect_line_where("a refusal", |line| line.starts_with("! ") && line.contains("is taken"));
    }
    for name in ["J\u{FFFD}rgen", "a\u{200D}na", "x\u{30D}\u{30D}\u{30D}\u{30D}\u{30D}", "\u{30D}x", "\u{3164}"] {
        ana.send_line(&format!("/nick {name}"));
        ana.expect_line("! A name has 1 to 32 visible characters.");
    }
}

// ---- what a terminal sends

#[test]
fn every_line_ending_ends_a_line_at_once() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    for ending in ["\n", "\r\n", "\r\0", "\r"] {
        ana.send(format!("ends in {ending:?}{ending}"));
        assert_eq!(heard(&mut ben), format!("ends in {ending:?}"));
    }
    // In two pieces, an ending is still one.
    ana.send("pieces\r");
    assert_eq!(heard(&mut ben), "pieces");
    ana.send("\nafter\n\n\nblank lines\n");
    assert_eq!((heard(&mut ben), heard(&mut ben)), (json!("after"), json!("blank lines")));
}

#[test]
fn backspace_and_delete_edit_the_line() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.send("helo\u{8}lo\n");
    assert_eq!(heard(&mut ben), "hello");
    ana.send("grüß\u{7f}\u{7f}ün\n");
    assert_eq!(heard(&mut ben), "grün");
    ana.send("\u{8}\u{7f}at the start\n");
    assert_eq!(heard(&mut ben), "at the start");
    // What looks like one character is erased as one.
    ana.send("x👍🏽\u{7f}🇩🇪\u{8}1️⃣\u{7f}\u{1112}\u{1161}\u{11AB}\u{7f}👨‍👩‍👧\u{7f}y\n");
    assert_eq!(heard(&mut ben), "xy");
}

#[test]
fn a_byte_order_mark_before_the_first_line_is_dropped() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut script = Terminal::connect(&server);
    for byte in format!("\u{FEFF}/join {room} bot\nversion 2 is out\n").bytes() {
        script.send([byte]);
    }
    ana.expect_line("* bot came in (line)");
    ana.expect_said("<bot> version 2 is out");
}

#[test]
fn the_end_of_file_on_an_empty_line_quits() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    for end in [&[4][..], &[IAC, END_OF_FILE], &[IAC, ABORT]] {
        let mut ben = Terminal::join(&server, &room, "ben");
        ana.expect_line("* ben came in (line)");
        ben.send(end);
        assert_eq!(ben.read_to_end(), "* Bye.\r\n", "{end:?}");
        ana.expect_line("* ben left");
    }
    // On a line with text it is no end.
    ana.send("half \u{4}a line\n");
    ana.send_line("/json");
    ana.expect_text("\n");
    ana.send_line("/history 1");
    let history = ana.expect_text("\n");
    assert!(history.contains("half a line"), "{history}");
}

#[test]
fn telnet_is_answered_and_never_asked() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");

    ana.send([IAC, WILL, WINDOW_SIZE]);
    assert_eq!(ana.expect_bytes(&[IAC, DONT, WINDOW_SIZE]), b"");
    ana.send([IAC, DO, WINDOW_SIZE]);
    assert_eq!(ana.expect_bytes(&[IAC, WONT, WINDOW_SIZE]), b"");
    // Only once; and what it does not want is nothing new.
    ana.send([IAC, WILL, WINDOW_SIZE, IAC, DO, WINDOW_SIZE, IAC, WONT, WINDOW_SIZE, IAC, DONT, WINDOW_SIZE]);
    ana.send([IAC, SB, WINDOW_SIZE, 0, 80, 0, 24, IAC, SE]);
    ana.send([IAC, ARE_YOU_THERE]);
    assert_eq!(ana.expect_bytes(b"[yes]"), b"");
    assert_eq!(ana.read_line(), "");
    for _ in 0..2 {
        ana.send([IAC, DO, TIMING_MARK]);
        assert_eq!(ana.expect_bytes(&[IAC, WONT, TIMING_MARK]), b"");
    }
    ana.send([b"half a".as_slice(), &[IAC, INTERRUPT_PROCESS], b"interrupted\n"].concat());
    assert_eq!(heard(&mut ben), "interrupted");
    ana.send([b"half a".as_slice(), &[IAC, ERASE_LINE], b"erased\n"].concat());
    assert_eq!(heard(&mut ben), "erased");
    ana.send([b"ax".as_slice(), &[IAC, ERASE_CHARACTER], b"b\n"].concat());
    assert_eq!(heard(&mut ben), "ab");
}

#[test]
fn what_is_not_utf8_is_refused_once_with_a_hint() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    ana.send(b"gr\xFC\xDFe\n");
    let hint = ana.read_line();
    assert!(hint.starts_with("! That line is not UTF-8") && hint.contains("chcp 65001"), "{hint}");
    ana.send(b"gr\xFC\xDFe\n");
    assert_eq!(heard(&mut ben), "gr\u{FFFD}\u{FFFD}e", "and not the one before it");
    let mut juergen = Terminal::connect(&server);
    for name in [b"J\xFCrgen\n", b"J\x81rgen\n"] {
        juergen.expect_text(NAME_PROMPT);
        juergen.send(name);
        assert_eq!(juergen.read_line(), hint);
    }
    let euro = "€".as_bytes();
    for byte in euro {
        ana.send([*byte]);
    }
    ana.send("\n");
    assert_eq!(heard(&mut ben), "€");
}

#[test]
fn escape_sequences_never_reach_anybody() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut cleo = Terminal::join(&server, &room, "cleo");
    let typed = "\u{1b}[A\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}and \u{1b}OPplain\u{9b}2J\u{7}\n";
    ana.send(typed);
    assert_eq!(heard(&mut ben), "red and plain");
    cleo.expect_said("<ana> red and plain");
    // A browser can send anything; a terminal is shown what is harmless of it.
    ben.say("\u{1b}[2Jboo\u{9b}31m\u{202e}\u{2066}backwards\u{0}\u{7}");
    let line = ana.expect_line_where("the message", |line| line.contains("<ben>"));
    assert!(line.chars().all(|character| !character.is_control()), "{line:?}");
    assert!(!line.contains(['\u{202e}', '\u{2066}']), "{line:?}");
}

#[test]
fn nobody_can_forge_a_notice() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    ben.say("two lines\nsecond line\n* carl left\r\n14:03 <ana> yes");
    let first = ana.read_line();
    assert_eq!(without_time(&first), Some("<ben> two lines"));
    for line in ["second line", "* carl left", "14:03 <ana> yes"] {
        assert_eq!(ana.read_line(), format!("          | {line}"));
    }
}

#[test]
fn what_a_message_costs_a_terminal_is_bounded() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    ben.say(&format!("a{}b", "\n".repeat(4094)));
    assert_eq!(heard(&mut ben), "a\n\n\nb");
    for typed in ["a\n\n".repeat(1365), "a\n".repeat(2048), "ab\n\n\n".repeat(819), "\u{2028}x".repeat(1024)] {
        ben.say(&typed);
        ben.say("done");
        let shown = ana.expect_text("<ben> done\r\n");
        assert!(shown.len() < 2 * 4096 + 200, "{} bytes", shown.len());
    }
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let server = Server::with(&["--max-message", "100"]);
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    for length in [101, 1_000, 100_000] {
        ana.send_line(&"x".repeat(length));
        assert!(ana.read_line().starts_with("! "), "{length}");
    }
    ana.send_line(&"x".repeat(100));
    assert_eq!(heard(&mut ben), "x".repeat(100), "and nothing before it");
}

#[test]
fn what_comes_too_fast_is_held_back_and_not_lost() {
    let server = Server::with(&["--rate", "10"]);
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let lines: String = (0..60).map(|number| format!("line {number}\n")).collect();
    ana.send(lines);
    for number in 0..60 {
        assert_eq!(heard(&mut ben), format!("line {number}"));
    }
    let warnings = ana.catch_up().iter().filter(|line| line.starts_with("! ")).count();
    assert_eq!(warnings, 1, "it is said once that lines are held back");
}

// ---- the end of the input

#[test]
fn what_was_sent_before_the_end_is_said_and_answered() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut script = Terminal::connect(&server);
    script.send(format!("/join {room} script\nthe build is green\n/who\nno line ending"));
    script.end();
    let answers = script.read_to_end();
    assert!(answers.contains(&format!("* {room}. 1 here: ana (line).")), "{answers}");
    assert!(answers.ends_with("* ana (line), script (line)\r\n"), "{answers}");
    ana.expect_line("* script came in (line)");
    ana.expect_said("<script> the build is green");
    ana.expect_said("<script> no line ending");
    ana.expect_line("* script left");
}

#[test]
fn the_end_at_the_prompt_closes() {
    let server = Server::start();
    let mut nobody = Terminal::connect(&server);
    nobody.expect_text(NAME_PROMPT);
    nobody.end();
    nobody.read_to_end();
}

#[test]
fn a_paced_script_is_heard_out() {
    let server = Server::with(&["--rate", "10"]);
    let (mut ana, room) = open_room(&server, "ana");
    let mut script = Terminal::connect(&server);
    let lines: String = (0..50).map(|number| format!("line {number}\n")).collect();
    script.send(format!("/join {room} script\n{lines}"));
    script.end();
    for number in 0..50 {
        ana.expect_said(&format!("<script> line {number}"));
    }
    ana.expect_line("* script left");
    script.read_to_end();
}

#[test]
fn a_terminal_that_drops_has_left() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let ben = Terminal::join(&server, &room, "ben");
    drop(ben);
    ana.expect_line("* ben left");
    // Its name is free at once.
    Terminal::join(&server, &room, "ben");
}

// ---- others at the wrong port

#[test]
fn an_http_request_is_pointed_to_the_web_and_nothing_in_it_runs() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut browser = Terminal::connect(&server);
    let body = format!("/join {room} mallory\r\nnonsense\r\n");
    browser.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}", server.line(), body.len()));
    let answer = browser.read_to_end();
    assert!(answer.contains(&server.url()), "{answer}");
    assert!(!answer.contains(&room), "{answer}");
    assert_eq!(ana.catch_up(), [] as [String; 0], "nobody came");
}

#[test]
fn tls_at_the_line_port_is_closed() {
    let server = Server::start();
    let mut browser = Terminal::connect(&server);
    browser.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
    browser.read_to_end();
}

#[test]
fn a_terminal_at_the_web_port_is_pointed_to_the_line_port() {
    let server = Server::start();
    for typed in [&b"hello\n"[..], b"/join KXQT ana\r\n", &[IAC, DO, WINDOW_SIZE]] {
        let mut client = HttpClient::connect(server.web);
        client.send(typed);
        let answer = String::from_utf8(client.read_to_end()).expect("words");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(&format!("nc localhost {}", server.line().port())), "{answer}");
    }
}

// ---- with browsers

#[test]
fn browsers_and_terminals_talk_in_one_room() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ana.expect_line("* ben came in (web)");
    ana.send_line("hello from nc");
    let message = ben.expect("message");
    assert_eq!((&message["name"], &message["via"]), (&json!("ana"), &json!("line")));
    ben.say("hi!");
    assert_eq!(without_time(&ana.read_line()), Some("<ben> hi!"), "and its own words do not come back");
    ana.send_line("/leave");
    let part = ben.expect("part");
    assert_eq!((&part["name"], &part["via"]), (&json!("ana"), &json!("line")));
}

// ---- the limits

#[test]
fn unknown_codes_are_limited_for_terminals_as_well() {
    let server = Server::with(&["--join-rate", "2"]);
    let mut guesser = Terminal::connect(&server);
    for _ in 0..2 {
        guesser.send_line("/join BBBBBB mallory");
        guesser.expect_line_where("no such room", |line| line.starts_with("! ") && line.contains("BBBBBB"));
    }
    guesser.send_line("/join BBBBBB mallory");
    let refusal = guesser.expect_line_where("a refusal", |line| line.starts_with("! "));
    assert!(!refusal.contains("BBBBBB"), "{refusal}");
    assert_eq!(server.get("/BBBBBB").status, 429, "counted together with browsers");
}

#[test]
fn a_full_room_is_refused() {
    let server = Server::with(&["--max-members", "1"]);
    let (_ana, room) = open_room(&server, "ana");
    let mut ben = Terminal::connect(&server);
    ben.send_line(&format!("/join {room} ben"));
    ben.expect_line_where("a refusal", |line| line.starts_with("! ") && line.contains(&room));
}

// ---- the real nc

#[test]
fn nc_says_what_is_piped_into_it() {
    let nc = find_program(&["nc"], "netcat-openbsd");
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut script = Command::new(nc)
        .args(["-N", "127.0.0.1", &server.line().port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nc can be started");
    let input = format!("/join {room} deploy\nversion 2 is out\n/who\n");
    script.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("nc reads");
    let output = script.wait_with_output().expect("nc ends, as the server closes");
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(shown.ends_with("* ana (line), deploy (line)\r\n"), "{shown}");
    ana.expect_said("<deploy> version 2 is out");
    ana.expect_line("* deploy left");
}

// ---- the real telnet

/// A telnet in a terminal of its own, with what is typed shown as in real life.
fn telnet(server: &Server) -> PtySession {
    let telnet = find_program(&["telnet"], "telnet");
    let mut command = Command::new(telnet);
    command.arg("127.0.0.1").arg(server.line().port().to_string()).env("TERM", "xterm");
    spawn_command(command, Some(DEADLINE.as_millis() as u64)).expect("telnet can be started")
}

fn see(telnet: &mut PtySession, text: &str) {
    telnet.exp_string(text).unwrap_or_else(|error| panic!("telnet does not show {text:?}: {error}"));
}

#[test]
fn telnet_joins_talks_and_quits() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut telnet = telnet(&server);
    see(&mut telnet, NAME_PROMPT);
    telnet.send_line("tilda").expect("telnet reads");
    see(&mut telnet, ROOM_PROMPT);
    telnet.send_line(&room).expect("telnet reads");
    see(&mut telnet, &format!("* {room}. 1 here: ana (line). Invite: "));
    ana.expect_line("* tilda came in (line)");
    ana.send_line("hello, telnet");
    see(&mut telnet, "<ana> hello, telnet");
    telnet.send_line("hello, nc").expect("telnet reads");
    ana.expect_said("<tilda> hello, nc");
    telnet.send_line("/quit").expect("telnet reads");
    see(&mut telnet, "* Bye.");
    see(&mut telnet, "Connection closed by foreign host.");
    ana.expect_line("* tilda left");
}

#[test]
fn telnet_quits_at_ctrl_d() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut telnet = telnet(&server);
    see(&mut telnet, NAME_PROMPT);
    telnet.send_line(&format!("/join {room} tilda")).expect("telnet reads");
    see(&mut telnet, &format!("* {room}. "));
    ana.expect_line("* tilda came in (line)");
    telnet.send_control('d').expect("telnet reads");
    see(&mut telnet, "* Bye.");
    ana.expect_line("* tilda left");
}

#[test]
fn telnet_drops_the_half_typed_line_at_ctrl_c_and_goes_on() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut telnet = telnet(&server);
    see(&mut telnet, NAME_PROMPT);
    telnet.send_line(&format!("/join {room} tilda")).expect("telnet reads");
    see(&mut telnet, &format!("* {room}. "));
    ana.expect_line("* tilda came in (line)");

    telnet.send("half a li").expect("telnet reads");
    telnet.flush().expect("telnet reads");
    telnet.send_control('c').expect("telnet reads");
    telnet.send_line("a whole one").expect("telnet reads");
    let said = ana.expect_line_where("something said", |line| line.contains("<tilda>"));
    assert_eq!(without_time(&said), Some("<tilda> a whole one"));
    // Since Ctrl-C it shows nothing, until the server has answered its DO TIMING-MARK.
    ana.send_line("are you still there?");
    see(&mut telnet, "<ana> are you still there?");
}

// ---- what is done with messages after they were said

#[test]
fn what_was_said_last_is_corrected_and_deleted_by_a_line() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    let mut bot = WebSocketClient::join(&server, &room, "bot");
    // In one go, as a script sends them: each is about what stands before it.
    ana.send(b"helo\r\n/edit hello\r\nmore\r\n");
    ben.expect_said("<ana> helo");
    ben.expect_said("* <ana> corrected: \"hello\"");
    ben.expect_said("<ana> more");
    ana.expect_said("* <ana> corrected: \"hello\"");
    ana.send_line("/delete");
    ben.expect_said("* <ana> deleted a message");
    ana.send_line("/delete");
    ben.expect_said("* <ana> deleted a message");
    ana.send_line("/delete");
    ana.expect_line("! There is no such message, or it is gone.");
    let first = bot.expect_where("the first one", |message| message["text"] == "helo");
    assert_eq!(bot.expect("edit")["of"], first["id"]);
    assert_eq!(bot.expect("delete")["of"].as_u64(), first["id"].as_u64().map(|id| id + 2));
    assert_eq!(bot.expect("delete")["of"], first["id"]);
    ben.send_line("/history 10");
    ben.expect_said("* <ana>: a message that was deleted");
    ben.expect_said("* <ana> corrected a message that was deleted");
    ben.expect_line("* -- now --");
}

#[test]
fn a_line_replies_and_reacts_to_what_was_said_last() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut ben = Terminal::join(&server, &room, "ben");
    ana.send_line("slides are on the board, all seventeen of them");
    ben.expect_said("<ana> slides are on the board, all seventeen of them");
    ben.send_line("/react 👍");
    ana.expect_said("* <ben> 👍 \"slides are on the board, all seventeen o…\"");
    ben.expect_said("* <ben> 👍 \"slides are on the board, all seventeen o…\"");
    ben.send_line("by the way");
    ben.send_line("/reply where?");
    ana.expect_said("<ben> where?");
    ana.expect_line("          ^ <ana> slides are on the board, all seventeen o…");
    // What is deleted is quoted no more.
    ana.send_line("/delete");
    ben.expect_said("* <ana> deleted a message");
    ben.send_line("/history 20");
    ben.expect_said("* <ben> 👍 an earlier message");
    ben.expect_said("<ben> where?");
    ben.expect_line("          ^ an earlier message");
    for (line, refusal) in [
        ("/edit", "! What? /edit TEXT"),
        ("/reply", "! What? /reply TEXT"),
        ("/react yes", "! With one emoji: /react 👍"),
    ] {
        ben.send_line(line);
        ben.expect_line(refusal);
    }
}

#[test]
fn a_program_is_told_in_json_what_is_done_with_messages() {
    let server = Server::start();
    let (mut ana, room) = open_room(&server, "ana");
    let mut bot = Terminal::connect(&server);
    bot.send(format!("/json\n/join {room} bot\nhelo\n/edit hello\n/react 🎉\n/delete\n/delete\n"));
    for (kind, text) in [("edit", "hello"), ("reaction", ""), ("delete", "")] {
        let line = bot.expect_line_where(kind, |line| line.contains(&format!("\"type\":\"{kind}\"")));
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&event["name"], event["text"].as_str().unwrap_or_default()), (&json!("bot"), text), "{event}");
    }
    bot.expect_line_where("a refusal", |line| line.contains("\"code\":\"no_such_event\""));
    ana.expect_said("* <bot> 🎉 \"hello\"");
    ana.expect_said("* <bot> deleted a message");
}

#[test]
fn at_the_prompts_no_message_is_there_to_be_changed() {
    let server = Server::start();
    let mut ana = Terminal::connect(&server);
    for line in ["/edit x", "/delete", "/reply x", "/react 👍"] {
        ana.send_line(line);
        ana.expect_line("! Join a room first.");
    }
}
