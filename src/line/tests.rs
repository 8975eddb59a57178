//! The terminal protocol as a person and as a program see it, over real rooms.

mod world;

use serde_json::Value;

use super::Line;
use crate::options::Limits;
use crate::session_api::{Flow, encoders};
use world::{AFTERNOON_MS, DAY_MS, World, limits};

fn objects(shown: &str) -> Vec<Value> {
    assert!(shown.is_empty() || shown.ends_with('\n'));
    assert!(!shown.contains('\r'), "{shown:?}");
    shown.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

// ---- coming in

#[test]
fn the_conversation_of_the_contract() {
    let mut world = World::new(limits());
    let ana = world.enter("ana");
    let ben = world.connect_as("ben");
    world.pass_ms(60_000);
    world.say(ana, "slides are on the board");
    assert_eq!(world.type_in(ben, "/me waves\r\n"), "14:04 <ana> slides are on the board\r\n");

    let me = world.connect();
    assert_eq!(world.type_in(me, "ana\r\n"), "Room code, or \"new\": ");
    assert_eq!(world.type_in(me, "kxqt\r\n"), "! \"ana\" is taken in KXQT. Another name?\r\nName: ");
    assert_eq!(
        world.type_in(me, "ana2\r\n"),
        "* KXQT. 2 here: ana (web), ben (line). Invite: http://192.168.1.20:5000/KXQT\r\n\
         * ana came in (web)\r\n* ben came in (line)\r\n\
         14:04 <ana> slides are on the board\r\n14:04 * ben waves\r\n* -- now --\r\n"
    );
    assert_eq!(world.type_in(me, "hello from nc\r\n"), "");
    assert_eq!(world.shown(ben), "* ana2 came in (line)\r\n14:04 <ana2> hello from nc\r\n");
    world.type_in(ben, "hi!\r\n");
    world.say(ana, "two lines\nsecond line");
    assert_eq!(world.shown(me), "14:04 <ben> hi!\r\n14:04 <ana> two lines\r\n          | second line\r\n");
    assert_eq!(world.type_in(me, "/who\r\n"), "* ana (web), ana2 (line), ben (line)\r\n");
    assert_eq!(world.type_in(me, "/me nods\r\n"), "");
    assert_eq!(world.type_in(me, "/leave\r\n"), "* Left KXQT.\r\nRoom code, or \"new\": ");
    assert_eq!(world.type_in(me, "/quit\r\n"), "* Bye.\r\n");
    assert!(world.terminals[me].is_closed);
}

#[test]
fn alone_in_a_new_room() {
    let mut world = World::new(limits());
    let me = world.connect();
    world.type_in(me, "ana\n");
    let welcome = world.type_in(me, "NEW\n");
    let code = &welcome[2..6];
    assert_eq!(welcome, format!("* {code}. Nobody else is here yet. Invite: http://192.168.1.20:5000/{code}\r\n"));
}

#[test]
fn one_line_is_enough_for_a_script() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    let shown = world.type_in(me, "/join kxqt Ben Maria\nhello\n");
    assert!(shown.starts_with("* KXQT. 1 here: ana (web). "), "{shown}");
    assert_eq!(world.type_in(me, "/who\n"), "* ana (web), Ben Maria (line)\r\n");
}

#[test]
fn commands_fill_in_what_the_prompts_ask_for() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    assert_eq!(world.type_in(me, "/join KXQT\n"), "Name: ");
    assert!(world.type_in(me, "/nick ben\n").starts_with("* KXQT. 1 here"));

    let me = world.connect();
    assert_eq!(world.type_in(me, "/new\n"), "Name: ");
    assert!(world.type_in(me, "ben\n").contains("Nobody else is here yet"));

    let me = world.connect();
    assert_eq!(world.type_in(me, "/nick carl\n"), "Room code, or \"new\": ");
    assert!(world.type_in(me, "/join KXQT\n").starts_with("* KXQT. 2 here"));
}

#[test]
fn prompts_ask_again() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    assert_eq!(world.type_in(me, "\n"), "Name: ");
    let long = "x".repeat(33);
    assert_eq!(world.type_in(me, &format!("{long}\n")), "! A name has 1 to 32 visible characters.\r\nName: ");
    assert_eq!(world.type_in(me, "/who\n"), "! Join a room first.\r\nName: ");
    assert_eq!(world.type_in(me, "/frobnicate\n"), "! There is no command /frobnicate. /help lists them.\r\nName: ");
    assert_eq!(world.type_in(me, "ben\n"), "Room code, or \"new\": ");
    assert_eq!(
        world.type_in(me, "aeiou\n"),
        "! \"aeiou\" is not a room code: 4 to 12 letters, no vowels.\r\nRoom code, or \"new\": "
    );
    assert_eq!(world.type_in(me, "zzzz\n"), "! There is no room ZZZZ.\r\nRoom code, or \"new\": ");
    assert_eq!(world.type_in(me, "/leave\n"), "! Join a room first.\r\nRoom code, or \"new\": ");
    assert_eq!(world.type_in(me, "/me x\n"), "! Join a room first.\r\nRoom code, or \"new\": ");
    let help = world.type_in(me, "/help\n");
    assert!(help.starts_with("* /join CODE [NAME]") && help.ends_with("slash\r\nRoom code, or \"new\": "), "{help}");
}

#[test]
fn the_other_refusals_of_a_room() {
    // She has asked for KXQT when it was none.
    let mut world = World::new(Limits { members: 1, join_rate: 2, ..limits() });
    world.enter("ana");
    let me = world.connect();
    assert_eq!(world.type_in(me, "/join KXQT ben\n"), "! Room KXQT is full. An empty line asks for a room.\r\n");
    assert_eq!(world.type_in(me, "\nKXQT\n"), format!("{0}! Room KXQT is full.\r\n{0}", "Room code, or \"new\": "));
    assert_eq!(world.type_in(me, "ZZZZ\n"), "! There is no room ZZZZ.\r\nRoom code, or \"new\": ");
    assert_eq!(
        world.type_in(me, "YYYY\n"),
        "! Too many wrong codes came from your network. Try again in 30 s.\r\nRoom code, or \"new\": "
    );
}

#[test]
fn many_members_are_not_all_named() {
    let mut world = World::new(limits());
    for number in 10..67 {
        world.enter(&format!("guest {number}"));
    }
    let me = world.connect();
    let welcome = world.type_in(me, "/join KXQT ana\n");
    let first = welcome.lines().next().expect("a line");
    assert!(first.starts_with("* KXQT. 57 here: guest 10 (web), guest 11 (web), "), "{first}");
    assert!(first.contains("guest 29 (web) and 37 more. Invite: http"), "{first}");
}

#[test]
fn what_is_found_is_shown_with_its_days() {
    let mut world = World::new(limits());
    let ana = world.enter("ana");
    world.say(ana, "slides");
    world.pass_ms(400 * DAY_MS);
    world.say(ana, "more slides");
    world.say(ana, "no");
    world.pass_ms(DAY_MS);
    world.say(ana, "SLIDES\n* 7 found.");
    let me = world.connect();
    world.type_in(me, "/join KXQT ben\n");
    assert_eq!(
        world.type_in(me, "/search slides\n"),
        "* -- Friday 20 November 2026 --\r\n14:03 <ana> slides\r\n\
         * -- Saturday 25 December --\r\n14:03 <ana> more slides\r\n\
         * -- Sunday 26 December --\r\n14:03 <ana> SLIDES\r\n          | * 7 found.\r\n* 3 found.\r\n"
    );
    assert_eq!(world.type_in(me, "/search wall\n"), "* Nothing found.\r\n");
    for number in 0..60 {
        world.say(ana, &format!("many {number}"));
    }
    let many = world.type_in(me, "/SEARCH many\n");
    assert_eq!(many.lines().last(), Some("* 50 found, and there may be older ones."));
    assert_eq!(many.lines().count(), 51 + 60, "what was said came before it");
    for command in ["/search", "/search  \"!\""] {
        let refused = world.type_in(me, &format!("{command}\n"));
        assert!(refused.starts_with("! What for? /search WORDS"), "{refused}");
    }
    world.type_in(me, "/json\n");
    let found = &objects(&world.type_in(me, "/search more slides\n"))[0];
    assert_eq!(found["type"], "search");
    assert_eq!(found["events"][0]["text"], "more slides");
    let refused = &objects(&world.type_in(me, "/search\n"))[0];
    assert_eq!(refused["code"], "text_empty");
}

#[test]
fn history_tells_its_days() {
    let mut world = World::new(limits());
    let ana = world.enter("ana");
    world.pass_ms(DAY_MS);
    world.say(ana, "yesterday");
    world.pass_ms(DAY_MS);
    world.say(ana, "today");
    let me = world.connect();
    let shown = world.type_in(me, "/join KXQT ben\n");
    let history = shown.split_once("\r\n").expect("a welcome").1;
    assert_eq!(
        history,
        "* -- Friday 20 November --\r\n* ana came in (web)\r\n\
         * -- Saturday 21 November --\r\n14:03 <ana> yesterday\r\n\
         * -- Sunday 22 November --\r\n14:03 <ana> today\r\n* -- now --\r\n"
    );
    assert_eq!(world.type_in(me, "/history 2\n"), "14:03 <ana> today\r\n* ben came in (line)\r\n* -- now --\r\n");
}

#[test]
fn a_new_day_is_told_before_the_first_event_of_it() {
    let mut world = World::new(limits());
    let ana = world.enter("ana");
    let (ben, carl, bot) = (world.connect_as("ben"), world.connect_as("carl"), world.connect_as("bot"));
    world.type_in(bot, "/json\n");
    world.say(ana, "good night");
    world.pass_ms(DAY_MS / 2);
    for terminal in [ben, carl, bot] {
        world.shown(terminal);
    }
    // It is told to whom the message itself is not sent as well.
    assert_eq!(world.type_in(ben, "good morning\r\n"), "* -- Saturday 21 November --\r\n");
    assert_eq!(world.shown(carl), "* -- Saturday 21 November --\r\n02:03 <ben> good morning\r\n");
    world.say(ana, "hello");
    assert_eq!((world.shown(ben), world.shown(carl)), ("02:03 <ana> hello\r\n".into(), "02:03 <ana> hello\r\n".into()));
    assert_eq!(objects(&world.shown(bot)).len(), 2, "programs are told times");

    world.pass_ms(DAY_MS);
    let dora = world.connect_as("dora");
    assert_eq!(world.shown(ben), "* -- Sunday 22 November --\r\n* dora came in (line)\r\n");
    world.say(ana, "hello, dora");
    // Who came in today needs no telling.
    assert_eq!(world.shown(dora), "02:03 <ana> hello, dora\r\n");
}

#[test]
fn a_new_day_is_told_in_a_room_of_an_earlier_run() {
    for (used_ms, told) in [(AFTERNOON_MS - DAY_MS, "* -- Friday 20 November --\r\n"), (AFTERNOON_MS - 60_000, "")] {
        let mut world = World::new(limits());
        let token = world.restore_room_of("ben", used_ms);
        let me = world.connect();
        world.type_in(me, &format!("/join KXQT ben {token}\n"));
        world.enter("ana");
        assert_eq!(world.shown(me), format!("{told}* ana came in (web)\r\n"));
    }
}

#[test]
fn a_token_brings_the_member_back_and_closes_the_other() {
    let mut world = World::with_room(&["ana"]);
    let old = world.connect_as("ben");
    let token = world.last_token.expect("a member");
    let new = world.connect();
    let welcome = world.type_in(new, &format!("/join KXQT ben {token}\n"));
    assert!(welcome.starts_with("* KXQT. 1 here: ana (web). "), "{welcome}");
    assert_eq!(world.shown(old), "* You came in again from elsewhere; this connection is closed.\r\n");
    assert!(world.terminals[old].is_closed);
}

// ---- what a terminal sends

#[test]
fn a_byte_order_mark_is_no_part_of_a_name() {
    for piece_bytes in [1, 100] {
        let mut world = World::with_room(&["ana"]);
        let (me, other) = (world.connect(), world.connect());
        let mut shown = String::new();
        for piece in "\u{FEFF}/join KXQT bot\n".as_bytes().chunks(piece_bytes) {
            shown += &world.send(me, piece);
        }
        assert!(shown.starts_with("* KXQT. 1 here: ana (web). "), "{shown}");
        world.type_in(other, "\u{FEFF}ben\nKXQT\n");
        assert_eq!(world.type_in(other, "/who\n"), "* ana (web), ben (line), bot (line)\r\n");
    }
}

#[test]
fn the_end_of_input_on_an_empty_line_quits() {
    for end in [&b"\x04"[..], b"\xFF\xEC", b"\xFF\xEE"] {
        let mut world = World::with_room(&[]);
        let (ana, ben) = (world.connect_as("ana"), world.connect_as("ben"));
        world.shown(ana);
        assert_eq!(world.send(ben, &[end, b"not any more\n"].concat()), "* Bye.\r\n", "{end:?}");
        assert!(world.terminals[ben].is_closed);
        assert_eq!(world.shown(ana), "* ben left\r\n");

        let nobody = world.connect();
        assert_eq!(world.send(nobody, end), "\r\n* Bye.\r\n", "the prompt's line is ended");
        assert!(world.terminals[nobody].is_closed);
        let nobody = world.connect();
        world.type_in(nobody, "/json\n");
        assert_eq!(world.send(nobody, end), "");
        assert!(world.terminals[nobody].is_closed);
    }
}

#[test]
fn a_line_that_is_not_utf8_is_refused_once_with_a_hint() {
    let hint = "! That line is not UTF-8 and was not taken. In Windows, type chcp 65001 before telnet; \
        in PuTTY, choose UTF-8 under Window, Translation.\r\n";
    let mut world = World::with_room(&[]);
    let (ana, ben) = (world.connect_as("ana"), world.connect_as("ben"));
    world.shown(ana);
    assert_eq!(world.send(ben, b"gr\xFC\xDFe\n"), hint);
    assert_eq!(world.shown(ana), "");
    assert_eq!(world.send(ben, b"gr\xFC\xDFe\n/me gr\xFC\xDFt\n"), "");
    assert_eq!(world.shown(ana), "14:03 <ben> gr\u{FFFD}\u{FFFD}e\r\n14:03 * ben gr\u{FFFD}\u{FFFD}t\r\n");
    // Whoever means that character may say it.
    assert_eq!(world.type_in(ana, "what is \u{FFFD}?\n"), "");
    assert_eq!(world.shown(ben), "14:03 <ana> what is \u{FFFD}?\r\n");

    // A name or a code that is not UTF-8 is none, however often it is given.
    assert_eq!(world.send(ben, b"/nick J\xFCrgen\n"), hint);
    let me = world.connect();
    for _ in 0..2 {
        assert_eq!(world.send(me, b"J\xFCrgen\n"), format!("{hint}Name: "));
    }
    assert_eq!(world.send(me, b"/join KXQT J\xFCrgen\n"), format!("{hint}Name: "));
    assert!(world.type_in(me, "/join KXQT Jürgen\n").starts_with("* KXQT. 2 here: "));

    world.type_in(me, "/json\n");
    assert_eq!(objects(&world.send(me, b"/who\xFC\n"))[0]["code"], "bad_request");
}

#[test]
fn no_prompt_is_left_behind() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    assert_eq!(world.end_input(me), "\r\n", "the next thing shown begins a line");
    assert!(world.terminals[me].is_closed);
    let me = world.connect();
    let shown = world.type_in(me, &format!("{}\n", "x".repeat(10_000)));
    assert_eq!(shown, "! That line is longer than 4096 bytes; it was not sent.\r\n");
    assert!(world.terminals[me].is_closed);
    let me = world.connect_as("ben");
    assert_eq!(world.end_input(me), "", "there is no prompt");
}

#[test]
fn an_http_request_that_is_not_utf8_is_one_all_the_same() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    let shown = world.send(me, b"GET /\xFC HTTP/1.1\r\nHost: x\r\n\r\n/join KXQT evil\r\n");
    assert!(shown.starts_with("! This port is for terminals."), "{shown}");
    assert!(world.terminals[me].is_closed && world.terminals[me].memberships.is_empty());
}

// ---- in the room

#[test]
fn slashes_and_empty_lines() {
    let mut world = World::with_room(&[]);
    let (ana, ben) = (world.connect_as("ana"), world.connect_as("ben"));
    world.shown(ana);
    assert_eq!(world.type_in(ben, "//quit\r\n\r\n  \r\n\n"), "");
    assert_eq!(world.shown(ana), "14:03 <ben> /quit\r\n");
    assert_eq!(world.type_in(ben, "/quitt\r\n"), "! There is no command /quitt. /help lists them.\r\n");
    assert_eq!(world.shown(ana), "");
    assert_eq!(world.type_in(ben, "/quit\r\n"), "* Bye.\r\n");
    assert!(world.terminals[ben].is_closed);
    assert_eq!(world.shown(ana), "* ben left\r\n");
}

#[test]
fn a_long_line_is_not_sent() {
    let mut world = World::with_room(&[]);
    let (ana, ben) = (world.connect_as("ana"), world.connect_as("ben"));
    world.shown(ana);
    let refusal = "! That line is longer than 4096 bytes; it was not sent.\r\n";
    assert_eq!(world.type_in(ben, &format!("{}\n", "x".repeat(4097))), refusal);
    assert_eq!(world.type_in(ben, &format!("{}\n", "x".repeat(100_000))), refusal);
    assert_eq!(world.shown(ana), "");
    assert_eq!(world.type_in(ben, &format!("/me {}\n", "x".repeat(4096))), "");
    assert_eq!(world.shown(ana).len(), "14:03 * ben \r\n".len() + 4096);
}

#[test]
fn another_name() {
    let mut world = World::with_room(&[]);
    let (ana, ben) = (world.connect_as("ana"), world.connect_as("ben"));
    world.shown(ana);
    assert_eq!(world.type_in(ben, "/nick ana\r\n"), "! \"ana\" is taken in KXQT.\r\n");
    assert_eq!(world.type_in(ben, "/nick carl\r\n"), "* ben is now carl\r\n");
    assert_eq!(world.shown(ana), "* ben is now carl\r\n");
    assert_eq!(world.type_in(ben, "/nick ana\r\n"), "! \"ana\" is taken in KXQT.\r\n");
    // The name that was refused is not the one that is kept.
    world.type_in(ben, "/leave\r\n");
    world.type_in(ben, "KXQT\r\n");
    assert_eq!(world.type_in(ben, "/who\r\n"), "* ana (line), carl (line)\r\n");
}

#[test]
fn a_refusal_of_something_else_takes_no_name_back() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect_as("ben");
    world.type_in(me, "/nick carl\r\n");
    assert_eq!(world.type_in(me, "/join zzzz\r\n"), "! There is no room ZZZZ.\r\n");
    world.type_in(me, "/leave\r\nKXQT\r\n");
    assert_eq!(world.type_in(me, "/who\r\n"), "* ana (web), carl (line)\r\n");
}

#[test]
fn from_room_to_room() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect_as("ben");
    let shown = world.type_in(me, "/new\r\n");
    let code = shown[2..6].to_owned();
    assert!(shown.contains("Nobody else is here yet"), "{shown}");
    assert_eq!(world.type_in(me, "/who\r\n"), "* ben (line)\r\n");
    assert_eq!(world.type_in(me, "/join KXQT ana\r\n"), "! \"ana\" is taken in KXQT.\r\n");
    assert_eq!(world.type_in(me, "/who\r\n"), "* ben (line)\r\n", "it stays where it was");
    let shown = world.type_in(me, &format!("/join kxqt carl\r\n/join {code}\r\n"));
    assert!(shown.contains("* KXQT. 1 here: ana (web)"), "{shown}");
    assert!(shown.contains(&format!("* {code}. Nobody else is here yet")), "{shown}");
    assert_eq!(world.type_in(me, "/who\r\n"), "* carl (line)\r\n");
}

#[test]
fn angle_brackets_in_names() {
    let mut world = World::with_room(&["<ana>"]);
    let me = world.connect_as("ben");
    assert_eq!(world.type_in(me, "/who\r\n"), "* ‹ana› (web), ben (line)\r\n");
}

#[test]
fn what_follows_a_command_that_failed_answers_no_prompt() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    let shown = world.type_in(me, "/join KXQT ana\r\nhello\r\nnew\r\n");
    let not_asked = "! You are in no room: nobody has seen that. An empty line asks for what is missing.\r\n";
    assert_eq!(shown, format!("! \"ana\" is taken in KXQT. /nick NAME takes another.\r\n{not_asked}{not_asked}"));
    assert!(world.type_in(me, "/nick ben\r\n").starts_with("* KXQT. 1 here: ana (web)"));

    let me = world.connect();
    let shown = world.type_in(me, "/join ZZZZ carl\r\nKXQT\r\n");
    assert_eq!(shown, format!("! There is no room ZZZZ. An empty line asks for a room.\r\n{not_asked}"));
    assert_eq!(world.type_in(me, "\r\n"), "Room code, or \"new\": ");
    assert!(world.type_in(me, "KXQT\r\n").starts_with("* KXQT. 2 here: ana (web), ben (line)"));
}

#[test]
fn a_program_is_told_why_it_is_closed() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect_as("ben");
    let token = objects(&world.type_in(me, "/json\r\n"))[0]["token"].as_str().expect("a token").to_owned();
    let elsewhere = world.connect();
    world.type_in(elsewhere, &format!("/join KXQT ben {token}\r\n"));
    let told = objects(&world.shown(me));
    assert_eq!((&told[0]["type"], &told[0]["code"]), (&"error".into(), &"not_joined".into()));
    assert!(world.terminals[me].is_closed);
}

// ---- for programs

#[test]
fn json_from_the_room_on() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect_as("ben");
    let joined = &objects(&world.type_in(me, "/json\r\n"))[0];
    assert_eq!(joined["type"], "joined");
    assert_eq!(joined["name"], "ben");
    // The host came and left, ana came and became the operator, ben came.
    assert_eq!(joined["last"], 5);
    assert_eq!(joined["token"].as_str().map(str::len), Some(32));
    assert_eq!(joined["events"], serde_json::json!([]));
    assert_eq!(world.terminals[me].line.encoder(), encoders::JSON_LINES);

    let own = objects(&world.type_in(me, "hello\r\n"));
    assert_eq!(own.len(), 1);
    assert_eq!((&own[0]["text"], &own[0]["name"]), (&"hello".into(), &"ben".into()));
    let who = &objects(&world.type_in(me, "/who\n"))[0];
    assert_eq!(who["type"], "members");
    let ben = serde_json::json!({ "name": "ben", "via": "line" });
    assert!(who["members"].as_array().is_some_and(|members| members.len() == 2 && members.contains(&ben)), "{who}");
    let history = &objects(&world.type_in(me, "/history 1\n"))[0];
    assert_eq!((&history["type"], &history["more"]), (&"history".into(), &true.into()));
    assert_eq!(history["events"][0]["text"], "hello");
    let errors = objects(&world.type_in(me, "/frob\n/nick ana\n/help\n/me\n"));
    let codes: Vec<&str> = errors.iter().filter_map(|error| error["code"].as_str()).collect();
    assert_eq!(codes, ["bad_request", "name_taken", "text_empty"]);
    assert_eq!(world.type_in(me, "/quit\n"), "");
    assert!(world.terminals[me].is_closed && world.terminals[me].memberships.is_empty());
}

#[test]
fn json_before_joining() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    // The prompt's line is ended, so that what follows is objects only.
    assert_eq!(world.type_in(me, "/json\n"), "\r\n");
    assert_eq!(objects(&world.type_in(me, "/join KXQT ana\n"))[0]["code"], "name_taken");
    let joined = &objects(&world.type_in(me, "/join KXQT ben\n"))[0];
    assert_eq!((&joined["type"], &joined["last"]), (&"joined".into(), &5.into()));
    assert_eq!(joined["events"].as_array().map(Vec::len), Some(5));
    assert_eq!(world.type_in(me, "/leave\n"), "");
    assert_eq!(objects(&world.type_in(me, "/who\n"))[0]["code"], "not_joined");
}

// ---- pace

#[test]
fn a_burst_is_slowed_down_and_nothing_is_lost() {
    let mut world = World::with_room(&[]);
    let (ana, ben) = (world.connect_as("ana"), world.connect_as("ben"));
    world.shown(ana);
    let many: String = (0..50).map(|number| format!("line {number}\r\n")).collect();
    assert_eq!(world.type_in(ben, &many), "! Slow down: your lines are sent on at 5 a second.\r\n");
    // One line of the burst was the joining.
    assert_eq!(world.shown(ana).lines().count(), 19);
    let begun_ms = world.now.steady_ms;
    while let Some(due_ms) = world.terminals[ben].paused_until_ms {
        let waited_ms = due_ms - world.now.steady_ms;
        world.pass_ms(waited_ms);
        world.receive(ben);
    }
    assert_eq!(world.shown(ben), "", "told once a burst");
    let shown = world.shown(ana);
    let numbers: Vec<&str> = shown.lines().map(|line| line.rsplit(' ').next().expect("a word")).collect();
    assert_eq!(numbers, (19..50).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(world.now.steady_ms - begun_ms, 31 * 200);

    world.pass_ms(60_000);
    assert_eq!(world.type_in(ben, &many), "! Slow down: your lines are sent on at 5 a second.\r\n");
}

#[test]
fn what_is_no_line_yet_is_not_held_back() {
    let mut world = World::with_room(&[]);
    let me = world.connect_as("ana");
    assert_eq!(world.type_in(me, &"x\n".repeat(19)), "");
    assert_eq!(world.send(me, b"half\xFF\xF6"), "[yes]\r\n");
    assert_eq!(world.terminals[me].paused_until_ms, None);
    world.type_in(me, "\n");
    assert_eq!(world.terminals[me].paused_until_ms, Some(world.now.steady_ms + 200));
}

#[test]
fn without_a_rate_there_is_no_pace() {
    let mut world = World::new(Limits { rate: 0, ..limits() });
    world.enter("ben");
    let me = world.connect_as("ana");
    assert_eq!(world.type_in(me, &"x\n".repeat(5000)), "");
    assert!(world.terminals[me].input.is_empty());
}

// ---- the ends

#[test]
fn after_the_end_of_input_all_is_said_and_answered() {
    let mut world = World::with_room(&[]);
    let ana = world.connect_as("ana");
    let me = world.connect();
    world.terminals[me].has_ended = true;
    let shown = world.type_in(me, "/join KXQT ben\nhello\n/who\nlast words");
    assert!(shown.ends_with("* ana (line), ben (line)\r\n"), "{shown}");
    assert!(world.terminals[me].is_closed);
    assert_eq!(world.shown(ana), "* ben came in (line)\r\n14:03 <ben> hello\r\n14:03 <ben> last words\r\n");
}

#[test]
fn after_the_end_of_input_lines_are_still_paced() {
    let mut world = World::with_room(&[]);
    let (ana, me) = (world.connect_as("ana"), world.connect_as("ben"));
    world.shown(ana);
    world.type_in(me, &format!("{}last", "x\n".repeat(19)));
    world.end_input(me);
    assert!(!world.terminals[me].is_closed);
    world.pass_ms(200);
    world.receive(me);
    assert!(world.terminals[me].is_closed);
    assert!(world.shown(ana).ends_with("<ben> last\r\n"));
}

#[test]
fn an_http_request_is_pointed_to_the_web_and_nothing_in_it_runs() {
    let pointer = "! This port is for terminals. Open http://192.168.1.20:5000/ in a browser.\r\n";
    for request in
        ["GET / HTTP/1.1\r\n", "POST /x?y HTTP/1.0\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\nGET / HTTP/1.1\r\n"]
    {
        let mut world = World::with_room(&["ana"]);
        let me = world.connect();
        let shown = world.type_in(me, &format!("{request}Host: x\r\n\r\n/join KXQT evil\r\n"));
        assert_eq!(shown.trim_start_matches("Name: "), pointer);
        assert!(world.terminals[me].is_closed && world.terminals[me].memberships.is_empty());
    }
}

#[test]
fn a_first_line_too_long_for_any_use_closes() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    let shown = world.type_in(me, &format!("GET /{} HTTP/1.1\r\n\r\n/join KXQT evil\r\n", "x".repeat(9000)));
    assert!(shown.starts_with("! That line is longer"), "{shown}");
    assert!(world.terminals[me].is_closed && world.terminals[me].memberships.is_empty());
}

#[test]
fn tls_is_pointed_to_the_web() {
    let mut world = World::with_room(&[]);
    let me = world.connect();
    assert_eq!(world.send(me, &[0x16]), "");
    assert!(world.send(me, &[0x03, 0x01, 0x00]).starts_with("! This port is for terminals."));
    assert!(world.terminals[me].is_closed);

    let me = world.connect();
    assert_eq!(world.send(me, b"\x16ben\n"), "Room code, or \"new\": ");
}

#[test]
fn only_outside_a_room_there_is_a_deadline() {
    let mut world = World::with_room(&["ana"]);
    let me = world.connect();
    let mut outbox = Vec::new();
    world.pass_ms(119_000);
    world.type_in(me, "ben\n");
    world.pass_ms(119_000);
    assert_eq!(world.terminals[me].line.expire(world.now, &mut outbox), Flow::Continue);
    assert_eq!(outbox, b"");
    world.pass_ms(1_000);
    assert_eq!(world.terminals[me].line.deadline_ms(), Some(world.now.steady_ms));
    assert_eq!(world.terminals[me].line.expire(world.now, &mut outbox), Flow::Close);
    assert_eq!(String::from_utf8_lossy(&outbox), "\r\n! Nothing came for 120 s, so this connection is closed.\r\n");

    world.type_in(me, "kxqt\n");
    assert_eq!(world.terminals[me].line.deadline_ms(), None);
    world.pass_ms(DAY_MS);
    assert_eq!(world.terminals[me].line.expire(world.now, &mut outbox), Flow::Continue);
    world.type_in(me, "/leave\n");
    assert_eq!(world.terminals[me].line.deadline_ms(), Some(world.now.steady_ms + 120_000));
}

#[test]
fn last_words() {
    let mut world = World::with_room(&["ana"]);
    let (prompted, joined) = (world.connect(), world.connect_as("ben"));
    let words = |world: &World, terminal: usize| {
        let mut outbox = Vec::new();
        world.terminals[terminal].line.goodbye(1_250, &mut outbox);
        world.terminals[terminal].line.too_slow(&mut outbox);
        String::from_utf8(outbox).expect("UTF-8")
    };
    let expected =
        "* The server is stopping; come back in 2 s.\r\n! You read too slowly; the connection is closed.\r\n";
    assert_eq!(words(&world, prompted), format!("\r\n{expected}"));
    assert_eq!(words(&world, joined), expected);
    world.type_in(joined, "/json\n");
    assert_eq!(words(&world, joined), "");
}

#[test]
fn a_session_costs_little() {
    assert!(size_of::<Line>() <= 64, "{}", size_of::<Line>());
}

proptest::proptest! {
    /// Whatever comes in whatever pieces, other members are shown whole harmless lines, and the outcome does not
    /// depend on the pieces.
    #[test]
    fn any_input_is_survived(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "/join ", "/new ", "KXQT ", "ben", "carl ", "/who", "/me ", "/nick ", "/history ", "3", "/json", "/leave",
            "/help", "/", "\r\n", "\n", "\r", "\n", "\u{3}", "\u{1b}[A", "hello", "\u{8}", "\u{202E}", "\u{4}", "\u{FEFF}",
        ]), 0..60),
        pieces in 1usize..20,
    ) {
        let input = words.concat().into_bytes();
        let outcome = |size: usize, rate: u32| {
            let mut world = World::new(Limits { rate, ..limits() });
            world.enter("zoe");
            let (ana, me) = (world.connect_as("ana"), world.connect());
            let mut shown = String::new();
            for piece in input.chunks(size) {
                shown += &world.send(me, piece);
            }
            shown += &world.end_input(me);
            while let Some(due_ms) = world.terminals[me].paused_until_ms {
                let wait_ms = due_ms - world.now.steady_ms;
                world.pass_ms(wait_ms);
                world.receive(me);
            }
            assert!(world.terminals[me].is_closed);
            (shown, world.shown(ana))
        };
        let (shown, seen) = outcome(pieces, 0);
        let is_harmless = |character: char| !character.is_control() && character != '\u{202E}';
        proptest::prop_assert!(seen.replace("\r\n", "").chars().all(is_harmless));
        proptest::prop_assert_eq!((shown, seen), outcome(usize::MAX, 0));
        // Slowed down, it hears and says the same.
        proptest::prop_assert_eq!(outcome(pieces, 1000).1, outcome(pieces, 0).1);
    }
}
