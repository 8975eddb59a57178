use proptest::prelude::*;

use super::*;

const LIMIT_BYTES: usize = 64;

/// What an editor makes of input that arrives in these pieces, until the input ends.
fn edit_all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Typed>, Vec<u8>) {
    let mut editor = LineEditor::default();
    let (mut lines, mut answers) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() {
            let (taken, typed) = editor.edit(piece, LIMIT_BYTES, &mut answers);
            assert!(taken > 0);
            assert!(typed.is_none() || editor.held_bytes() < 400);
            piece = &piece[taken..];
            lines.extend(typed);
        }
        assert!(editor.held_bytes() <= size_of::<State>() + 2 * LIMIT_BYTES + 64);
    }
    lines.extend(editor.finish(LIMIT_BYTES));
    assert!(editor.state.is_none());
    (lines, answers)
}

fn lines(input: &[u8]) -> Vec<String> {
    let text = |typed| match typed {
        Typed::Line(line) | Typed::NotUtf8(line) => line,
        Typed::TooLong => "too long".into(),
        Typed::EndOfInput => "end of input".into(),
    };
    edit_all([input]).0.into_iter().map(text).collect()
}

fn answers(input: &[u8]) -> Vec<u8> {
    edit_all([input]).1
}

#[test]
fn every_line_ending_ends_one_line() {
    assert_eq!(lines(b"a\nb\r\nc\rd\r\0e\n\rf"), ["a", "b", "c", "d", "e", "", "f"]);
    assert_eq!(lines(b"\r\n\n\r\r"), ["", "", "", ""]);
}

#[test]
fn a_carriage_return_ends_its_line_at_once() {
    let mut editor = LineEditor::default();
    let mut answers = Vec::new();
    assert_eq!(editor.edit(b"a\r", 10, &mut answers), (2, Some(Typed::Line("a".into()))));
    assert!(!editor.may_complete_line(b"\nb"));
    assert!(editor.may_complete_line(b"\n\n"));
    assert_eq!(editor.edit(b"\nb", 10, &mut answers), (2, None));
    assert!(editor.is_within_line());
    assert_eq!(editor.finish(LIMIT_BYTES), Some(Typed::Line("b".into())));
}

#[test]
fn backspace_erases_what_looks_like_one_character() {
    assert_eq!(lines(b"ab\x08c\x7f\x7f\x7f\x7fd\n"), ["d"]);
    assert_eq!(lines("xä\u{8}\n".as_bytes()), ["x"]);
    assert_eq!(lines("xe\u{301}\u{323}\u{7f}\n".as_bytes()), ["x"]);
    assert_eq!(lines("x👩\u{200D}👧\u{7f}\n".as_bytes()), ["x"]);
    assert_eq!(lines(b"x\xC3\x7f\n"), ["x"]);
    let clusters = [
        "👍🏽",
        "🇩🇪",
        "1️⃣",
        "👨‍👩‍👧‍👦",
        "🏳️‍🌈",
        "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
        "\u{1112}\u{1161}\u{11AB}",
        "क्षि",
        "นี้",
    ];
    for cluster in clusters {
        assert_eq!(lines(format!("x{cluster}\u{7f}\n").as_bytes()), ["x"], "{cluster}");
        assert_eq!(lines(format!("x{cluster}{cluster}\u{8}\n").as_bytes()), [format!("x{cluster}")], "{cluster}");
    }
    // One character after the other, where each could belong to the one before.
    assert_eq!(lines("x🇩🇪🇫\u{7f}\n".as_bytes()), ["x🇩🇪"]);
    assert_eq!(lines(b"x\xC3\xFF\xF7\xC3\xA4\n"), ["xä"]);
}

#[test]
fn lines_and_words_are_erased() {
    assert_eq!(lines(b"abc\x15d\n"), ["d"]);
    assert_eq!(lines(b"abc\xFF\xF8d\n"), ["d"]);
    assert_eq!(lines(b"one two  \x17three\n"), ["one three"]);
    assert_eq!(lines(b"one\x17\x17\n"), [""]);
}

#[test]
fn erasing_costs_the_same_however_long_the_line_is() {
    let mut line = "🇩".repeat(1001);
    erase_character(&mut line);
    assert!(["🇩".repeat(999), "🇩".repeat(1000)].contains(&line));
    let mut line = format!("a{}", "\u{301}".repeat(1000));
    erase_character(&mut line);
    assert_eq!(line, format!("a{}", "\u{301}".repeat(1000 - MAX_ERASED_BYTES / 2)));
}

#[test]
fn the_end_of_input_counts_on_an_empty_line_alone() {
    for end in [&b"\x04"[..], b"\xFF\xEC", b"\xFF\xEE"] {
        assert_eq!(edit_all([end]).0, [Typed::EndOfInput], "{end:?}");
        let lines = [&b"a\n"[..], end, b"\nx\x08", end].concat();
        let expected = [Typed::Line("a".into()), Typed::EndOfInput, Typed::Line("".into()), Typed::EndOfInput];
        assert_eq!(edit_all([&lines[..]]).0, expected, "{end:?}");
    }
    for end in [&b"\x04"[..], b"\xFF\xEC"] {
        assert_eq!(lines(&[&b"half"[..], end, end, b" whole\n"].concat()), ["half whole"], "{end:?}");
    }
    assert_eq!(lines(&[vec![b'x'; 100], b"\x04\n".to_vec()].concat()), ["too long"]);
}

#[test]
fn a_byte_order_mark_before_a_line_is_dropped() {
    assert_eq!(lines("\u{FEFF}a\n\u{FEFF}\u{FEFF}b\n\u{FEFF}\nc\u{FEFF}d\n".as_bytes()), ["a", "b", "", "c\u{FEFF}d"]);
}

#[test]
fn what_is_not_utf8_is_told_as_such() {
    let typed = |input: &[u8]| edit_all([input]).0;
    assert_eq!(typed(b"J\xFCrgen\n"), [Typed::NotUtf8("J\u{FFFD}rgen".into())]);
    assert_eq!(typed(b"end\xE2\x82"), [Typed::NotUtf8("end\u{FFFD}".into())]);
    // What was erased or dropped of a line is no part of it, nor is the line before.
    assert_eq!(typed(b"J\xFC\x7Furgen\n"), [Typed::Line("Jurgen".into())]);
    assert_eq!(typed(b"\xFC\x03Jurgen\n"), [Typed::Line("Jurgen".into())]);
    assert_eq!(typed(b"\xFC\nJurgen\n"), [Typed::NotUtf8("\u{FFFD}".into()), Typed::Line("Jurgen".into())]);
    assert_eq!(typed("what is \u{FFFD}?\n".as_bytes()), [Typed::Line("what is \u{FFFD}?".into())]);
}

#[test]
fn an_interrupt_drops_the_half_typed_line() {
    for interrupt in [&b"\x03"[..], b"\xFF\xF4", b"\xFF\xF3", b"\xFF\xEE"] {
        let input = [b"half \xC3", interrupt, b"whole\n"].concat();
        assert_eq!(lines(&input), ["whole"], "{interrupt:?}");
    }
    let long = [vec![b'x'; 100], b"\x03short\n".to_vec()].concat();
    assert_eq!(lines(&long), ["short"]);
}

#[test]
fn offers_and_requests_are_refused_once() {
    assert_eq!(answers(b"\xFF\xFB\x18\xFF\xFB\x18\xFF\xFD\x18\xFF\xFD\x01"), b"\xFF\xFE\x18\xFF\xFC\x18\xFF\xFC\x01");
    assert_eq!(answers(b"\xFF\xFB\xFF\xFF\xFD\xFF"), b"\xFF\xFE\xFF\xFF\xFC\xFF");
    assert_eq!(answers(b"\xFF\xFC\x01\xFF\xFE\x01"), b"");
    assert_eq!(lines(b"a\xFF\xFB\x0Ab\xFF\xFD\x0Dc\n"), ["abc"]);
}

#[test]
fn a_telnet_session_is_understood() {
    assert_eq!(answers(b"\xFF\xF6"), b"[yes]\r\n");
    assert_eq!(answers(b"\xFF\xFD\x06\xFF\xFD\x06"), b"\xFF\xFC\x06\xFF\xFC\x06");
    // What Linux's telnet sends for Ctrl-C.
    assert_eq!(edit_all([&b"half\xFF\xF4\xFF\xFD\x06whole\r\n"[..]]).0, [Typed::Line("whole".into())]);
    assert_eq!(lines(b"a\xFF\xFA\x18\x00xterm\n\xFF\xFFmore\xFF\xF0b\xFF\xF1\xFF\xF9c\n"), ["abc"]);
}

#[test]
fn a_subnegotiation_without_end_swallows_little() {
    let mut input = b"\xFF\xFA".to_vec();
    input.extend([b'\n'; 4096]);
    assert!(lines(&input).len() > 3000);
}

#[test]
fn a_byte_of_all_ones_is_data_where_no_command_follows() {
    assert_eq!(lines(b"a\xFF\xFFb\n"), ["a\u{FFFD}b"]);
    assert_eq!(lines(b"a\xFF\nb\xFFc\n"), ["a\u{FFFD}", "b\u{FFFD}c"]);
}

#[test]
fn escape_sequences_are_dropped_whole() {
    for sequence in [
        "\u{1b}[A",
        "\u{1b}[1;5C",
        "\u{1b}OP",
        "\u{1b}[[A",
        "\u{1b}x",
        "\u{1b}ä",
        "\u{1b}(B",
        "\u{9b}31m",
        "\u{8f}P",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]0;title\u{1b}\\",
        "\u{1b}P1$r\u{9c}",
        "\u{9d}title\u{9c}",
        "\u{1b}\u{1b}[A",
        "\u{1b}[1\u{1b}[A",
    ] {
        assert_eq!(lines(format!("a{sequence}b\n").as_bytes()), ["ab"], "{sequence:?}");
    }
}

#[test]
fn an_escape_sequence_never_swallows_a_line_ending() {
    for begun in ["\u{1b}", "\u{1b}[1", "\u{1b}O", "\u{1b}]title", "\u{1b}P\u{1b}"] {
        assert_eq!(lines(format!("a{begun}\r\nb\n").as_bytes()), ["a", "b"], "{begun:?}");
    }
    let endless = format!("\u{1b}]{}\n", "x".repeat(300));
    assert_eq!(lines(endless.as_bytes()), ["x".repeat(300 - 254)]);
}

#[test]
fn other_control_characters_are_dropped_but_tab() {
    assert_eq!(lines("a\0\u{1}\u{7}\u{b}\u{c}\u{1a}\u{85}\u{9c}\tb\n".as_bytes()), ["a\tb"]);
}

#[test]
fn invalid_utf8_is_replaced() {
    assert_eq!(lines(b"a\x80b\xC3\nc\xE2\x82d\xF0\x9F\x98\n"), ["a\u{FFFD}b\u{FFFD}", "c\u{FFFD}d\u{FFFD}"]);
    assert_eq!(lines(b"end\xE2\x82"), ["end\u{FFFD}"]);
    assert_eq!(lines("grüße 👋\n".as_bytes()), ["grüße 👋"]);
}

#[test]
fn a_line_is_bounded() {
    let just = vec![b'x'; LIMIT_BYTES];
    assert_eq!(lines(&[&just[..], b"\n"].concat()), [String::from_utf8_lossy(&just)]);
    assert_eq!(lines(&[&just[..], b"xyz\x08\x08\x08\nnext\n"].concat()), ["too long", "next"]);
    assert_eq!(lines(&vec![b'x'; 100_000]), ["too long"]);
}

#[test]
fn nothing_is_kept_between_lines() {
    let mut editor = LineEditor::default();
    for input in [&b"hello\n"[..], b"hello\r\n", b"hello\r\0", b"abc\x15", b"\x1b[A", b"\xFF\xF1"] {
        editor.edit(input, LIMIT_BYTES, &mut Vec::new());
        assert!(editor.state.is_none(), "{input:?}");
    }
    assert_eq!(size_of::<LineEditor>(), 8);
}

#[test]
fn a_line_feed_after_half_a_character_ends_a_line() {
    for begun in [b"\xEA".as_slice(), b"\xFF"] {
        let mut editor = LineEditor::default();
        editor.edit(b"\r", LIMIT_BYTES, &mut Vec::new());
        assert!(!editor.may_complete_line(b"\n"));
        editor.edit(begun, LIMIT_BYTES, &mut Vec::new());
        assert!(editor.may_complete_line(b"\n"));
        assert_eq!(editor.edit(b"\n", LIMIT_BYTES, &mut Vec::new()).1, Some(Typed::NotUtf8("\u{FFFD}".into())));
    }
}

/// Bytes of which many mean something.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(
        b"\r\n\0\x03\x04\x08\x7f\x15\x17\x1b[]OP\\\x07;1mA \t\xff\xf0\xf3\xf4\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe\xec\xee\x06\xc2\x9b\x9c\x9d\xc3\xa4\xe2\x82\xcc\x81".to_vec(),
    );
    prop::collection::vec(prop_oneof![3 => special, 1 => any::<u8>(), 1 => b'a'..=b'z'], 0..300)
}

proptest! {
    #[test]
    fn any_split_gives_the_same(input in input(), cuts in prop::collection::vec(0usize..300, 0..20)) {
        let whole = edit_all([&input[..]]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        prop_assert_eq!(&edit_all(cuts.windows(2).map(|cut| &input[cut[0]..cut[1]])), &whole);
        prop_assert_eq!(&edit_all(input.chunks(1)), &whole);
    }

    #[test]
    fn a_line_has_no_control_character_but_tab(input in input()) {
        for typed in edit_all([&input[..]]).0 {
            if let Typed::Line(line) | Typed::NotUtf8(line) = typed {
                prop_assert!(line.len() <= LIMIT_BYTES);
                prop_assert!(line.chars().all(|character| character == '\t' || !character.is_control()));
            }
        }
    }

    #[test]
    fn no_line_completes_unannounced(input in input(), cut in 0usize..300) {
        let mut editor = LineEditor::default();
        let mut rest = &input[..cut.min(input.len())];
        while !rest.is_empty() {
            let (taken, typed) = editor.edit(rest, LIMIT_BYTES, &mut Vec::new());
            if typed.is_none() {
                prop_assert_eq!(taken, rest.len());
            }
            rest = &rest[taken..];
        }
        let rest = &input[cut.min(input.len())..];
        let may_complete = editor.may_complete_line(rest);
        if editor.edit(rest, LIMIT_BYTES, &mut Vec::new()).1.is_some() {
            prop_assert!(may_complete);
        }
    }

    #[test]
    fn invalid_utf8_reads_as_the_standard_library_does(
        bytes in prop::collection::vec(prop_oneof![0x20u8..0x7f, 0xA0u8..=0xF7], 0..40),
    ) {
        let expected = String::from_utf8_lossy(&bytes).into_owned();
        prop_assume!(!expected.chars().any(char::is_control) && expected.len() <= LIMIT_BYTES);
        prop_assume!(!expected.starts_with('\u{FEFF}'));
        let typed = edit_all([&bytes[..], b"\n"]).0;
        let is_utf8 = str::from_utf8(&bytes).is_ok();
        prop_assert_eq!(typed, vec![if is_utf8 { Typed::Line(expected) } else { Typed::NotUtf8(expected) }]);
    }
}
