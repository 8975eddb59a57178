//! The line being typed, and what comes meanwhile.

use serde_json::json;

use crate::screen::ClientTerminal;
use crate::support::{Server, WebSocketClient};

fn room_of_two() -> (Server, ClientTerminal, WebSocketClient) {
    let server = Server::with(&["--rate", "0"]);
    let room = server.create_room();
    let ben = WebSocketClient::join(&server, &room, "ben");
    let ana = ClientTerminal::join(&server, &room, "ana");
    (server, ana, ben)
}

/// What ben hears next.
fn heard(ben: &mut WebSocketClient) -> String {
    let said = ben.expect_where("a message of ana's", |event| event["type"] == "message" && event["author"] == 2);
    said["text"].as_str().expect("a text").to_owned()
}

#[test]
fn a_half_typed_line_survives_what_comes() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.send("half a li");
    ana.wait_for_last("<ana> half a li");
    for number in 0..50 {
        ben.say(&format!("number {number}"));
        if number == 25 {
            ana.send("ne that");
        }
    }
    ana.wait_for("all that was said, and the line below it", |rows| {
        rows.len() == 24
            && rows[22].ends_with("<ben> number 49")
            && rows[1].ends_with("<ben> number 28")
            && rows[23] == "<ana> half a line that"
    });
    ana.send(" stays\r");
    assert_eq!(heard(&mut ben), "half a line that stays");
    ana.wait_for("what was typed is said, and the line is empty", |rows| {
        rows[22].ends_with("<ana> half a line that stays") && rows[23] == "<ana>"
    });
}

#[test]
fn what_is_wide_or_long_is_edited_in_its_place() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.send("日本語👩‍👩‍👧‍👦é🇩🇪");
    ana.wait_for_last("<ana> 日本語👩‍👩‍👧‍👦é🇩🇪");
    ana.send("\x1b[D\x1b[D\x7f");
    ana.wait_for_last("<ana> 日本語é🇩🇪");
    assert_eq!(ana.cursor_column(), 12, "behind three wide characters");
    ana.send("\x1b[H\x1b[3~\x05!\r");
    assert_eq!(heard(&mut ben), "本語é🇩🇪!");

    // Over several rows, with a message that comes meanwhile.
    let long = "word ".repeat(40);
    ana.send(&long);
    ana.wait_for("three rows", |rows| rows.len() > 3 && rows[rows.len() - 3].starts_with("<ana> word word"));
    ben.say("in between");
    ana.wait_for("it comes above", |rows| {
        rows.len() > 4
            && rows[rows.len() - 4].ends_with("<ben> in between")
            && rows[rows.len() - 3].starts_with("<ana> word")
    });
    ana.send("\x17\x17end\r");
    assert_eq!(heard(&mut ben), format!("{}end", "word ".repeat(38)));
}

#[test]
fn another_size_of_the_terminal_changes_nothing_but_the_rows() {
    let (_server, mut ana, mut ben) = room_of_two();
    ben.say("a message that is rather long for a small terminal");
    ana.wait_for_row("a small terminal");
    ana.send("typed before it became so narrow");
    ana.wait_for_last("<ana> typed before it became so narrow");
    ana.resize(30, 10);
    ana.wait_for("all in 30 columns", |rows| {
        let at = rows.iter().position(|row| row.contains("<ben> a message that is"));
        at.is_some_and(|at| {
            rows[at].ends_with("<ben> a message that is")
                && rows[at + 1] == "      rather long for a small"
                && rows[at + 2] == "      terminal"
                && rows[at + 3] == "<ana> typed before it became"
                && rows[at + 4] == "      so narrow"
        })
    });
    ana.resize(100, 30);
    ana.wait_for_last("<ana> typed before it became so narrow");
    ana.wait_for_row("<ben> a message that is rather long for a small terminal");
    ana.send("\r");
    assert_eq!(heard(&mut ben), "typed before it became so narrow");
}

#[test]
fn lines_come_back_with_up_and_keys_are_those_of_shells() {
    let (_server, mut ana, mut ben) = room_of_two();
    for line in ["first", "second"] {
        ana.send(&format!("{line}\r"));
        assert_eq!(heard(&mut ben), line);
    }
    ana.wait_for_row("<ana> second");
    ana.send("draft\x1b[A");
    ana.wait_for_last("<ana> second");
    ana.send("\x1b[A");
    ana.wait_for_last("<ana> first");
    ana.send("\x1b[B\x1b[B");
    ana.wait_for_last("<ana> draft");
    ana.send("\x01one two \x0b");
    ana.wait_for_last("<ana> one two");
    ana.send("\x17three\x15");
    ana.wait_for_last("<ana>");
    ana.send("\x19 \x0c");
    ana.wait_for_last("<ana> one three");
    ana.send("\r");
    assert_eq!(heard(&mut ben), "one three ");
}

#[test]
fn a_paste_of_several_lines_is_one_message() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.paste("one\rtwo\n\tthree\n");
    ana.wait_for("three rows", |rows| {
        rows.len() > 2 && rows[rows.len() - 3..] == ["<ana> one", "      two", "          three"]
    });
    ana.send(" end\r");
    assert_eq!(heard(&mut ben), "one\ntwo\n\tthree end");
    ana.wait_for_row("| two");
}

#[test]
fn control_c_drops_the_line_and_twice_leaves() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.send("not this\x03");
    ana.wait_for_last("<ana>");
    ana.send("but this\r");
    assert_eq!(heard(&mut ben), "but this");
    ana.send("nor this\x03\x03");
    assert_eq!(ana.wait_for_end(), 0);
    assert_eq!(ben.expect("part")["name"], "ana");
    assert!(ana.bytes().ends_with("\x1b[?2004l\x1b[?7h\x1b[?25h"), "the terminal is as it was");
}

#[test]
fn control_d_leaves_on_an_empty_line_alone() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.send("ab\x01\x04\r");
    assert_eq!(heard(&mut ben), "b");
    ana.send("\x04");
    assert_eq!(ana.wait_for_end(), 0);
    assert_eq!(ben.expect("part")["name"], "ana");
}

#[test]
fn names_and_commands_are_completed() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.send("be\thello\r");
    assert_eq!(heard(&mut ben), "ben: hello");
    ana.send("/hi\t3\r");
    ana.wait_for_row("-- now --");
    ana.send("/h\t");
    ana.wait_for_row("/help  /history");
    ana.send("\x15");
    ana.wait_for("the choices go", |rows| !rows.iter().any(|row| row.contains("/help  /history")));
}

#[test]
fn what_another_member_says_never_commands_the_terminal() {
    let (_server, ana, mut ben) = room_of_two();
    ben.say("a\x1b[2J\x1b]0;title\x07\u{9b}31mb\u{202e}c\n* ben left\n\u{2028}! refused");
    let file = json!({"type": "moderate", "action": "topic", "value": "t\x1b[31m\u{202e}"});
    ben.send(file);
    ben.say(&format!("{} * ben left", "x ".repeat(36)));
    ana.wait_for_row("          | * ben left");
    ana.wait_for_row("          | ! refused");
    ana.wait_for_row("* ben left");
    let bytes = ana.bytes();
    for hostile in ["\x1b[2J", "\x1b]0", "\u{9b}", "\u{202e}", "\x1b[31m", "\x07"] {
        assert!(!bytes.contains(hostile), "{hostile:?}");
    }
    assert!(!ana.rows().iter().any(|row| row.starts_with("* ben left") || row.starts_with('!')));
}

#[test]
fn names_have_colours_where_they_are_wanted() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ben.say("hi Ana");
    let address = server.web.to_string();
    let show = |variables: &[(&str, &str)], more: &[&str]| {
        let arguments = [&[address.as_str(), &room, "--name", "ana"], more].concat();
        let mut ana = ClientTerminal::with_size(&arguments, 80, 24, variables);
        ana.wait_for_row("<ben> hi Ana");
        ana.send("\x04");
        ana.wait_for_end();
        ana.bytes()
    };
    let coloured = "m<ben> \x1b[0mhi \x1b[1mAna\x1b[0m";
    let many = show(&[], &[]);
    assert!(many.contains("\x1b[38;5;") && many.contains(coloured), "{many:?}");
    for (variables, more) in [(&[("NO_COLOR", "1")][..], &[][..]), (&[], &["--color", "never"])] {
        let none = show(variables, more);
        assert!(!none.contains("\x1b[38;5;") && none.contains("<ben> hi \x1b[1;4mAna\x1b[0m"), "{none:?}");
    }
    assert!(show(&[("NO_COLOR", "1")], &["--color", "always"]).contains("\x1b[38;5;"));
}

#[test]
fn somebody_who_is_called_may_be_rung() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let address = server.web.to_string();
    let ana = ClientTerminal::start(&[&address, &room, "--name", "ana", "--bell"]);
    ana.wait_for_row(&format!("* {room}. "));
    ben.say("nobody");
    ana.wait_for_row("nobody");
    assert!(!ana.bytes().contains('\x07'));
    ben.say("ana!");
    ana.wait_for_row("ana!");
    assert!(ana.bytes().contains('\x07'));
}

#[test]
fn the_words_of_terminals_do_what_they_do() {
    let (_server, mut ana, mut ben) = room_of_two();
    ana.send("/me waves\r");
    ana.wait_for_row("* ana waves");
    ana.send("/edit nods\r");
    ana.wait_for_row("* <ana> corrected: \"nods\"");
    ben.expect("edit");
    ben.say("what?");
    ana.wait_for_row("<ben> what?");
    ana.send("/reply nothing\r");
    ana.wait_for_row("          ^ <ben> what?");
    ana.send("/react 👍\r");
    ana.wait_for_row("* <ana> 👍 \"nothing\"");
    ana.send("/delete\r");
    ana.wait_for_row("* <ana> deleted a message");
    ana.send("/who\r");
    ana.wait_for_row("* ana (web), ben (web)");
    ana.send("/search what\r");
    ana.wait_for_row("* 1 found.");
    ana.send("/nick anna\r");
    ana.wait_for_last("<anna>");
    ana.send("/nick ben\r");
    ana.wait_for_row("! \"ben\" is taken");
    ana.send("/dance\r");
    ana.wait_for_row("! There is no command /dance.");
    ana.send("/help kick\r");
    ana.wait_for_row("* /kick NAME [WHY]");
    ana.send("/register\r");
    ana.wait_for_last("Password:");
    ana.send("correct horse\r");
    ana.wait_for_last("Once more:");
    ana.send("correct horse\r");
    ana.wait_for_row("* \"anna\" is yours");
    assert!(!ana.bytes().contains("correct horse"), "no password is ever shown");
    ana.send("/leave\r");
    assert_eq!(ana.wait_for_end(), 0);
}
