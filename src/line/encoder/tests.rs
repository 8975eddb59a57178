use proptest::prelude::*;

use super::*;
use crate::rooms::{Annotations, AuthorId, Emoji, FileId, FileName, FileType, Text, Via};

/// 1970-01-01 14:03:20 UTC.
const TIME_MS: u64 = (14 * 60 + 3) * 60_000 + 20_000;

fn kxqt() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

fn event(name: &str, body: Body) -> Event {
    let name = Name::parse(name).expect("a name");
    Event { id: 1, time_ms: TIME_MS, name, via: Via::Web, author: AuthorId(1), body }
}

fn message(kind: Kind, text: &str) -> Body {
    Body::Message { kind, text: Text::clean(text, 4096).expect("a text"), cid: None, annotations: None }
}

fn encoded(name: &str, body: Body) -> String {
    let mut out = Vec::new();
    LineEncoder::new(LocalClock::utc(), HOME_URL.into()).encode_event(&kxqt(), &event(name, body), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

const HOME_URL: &str = "http://10.0.0.7:5000/";

fn shared(name: &str, size_bytes: u64, text: &str) -> Body {
    let id = FileId::parse("000000000000000000000000000000ab").expect("an id");
    let (name, file_type, dimensions) = (FileName::clean(name), FileType::Other, None);
    let file = Some(SharedFile { id, name, size_bytes, file_type, dimensions });
    let text = Text::clean(text, 4096).unwrap_or_else(|_| Text::none());
    let annotations = Annotations { file, ..Annotations::default() }.boxed();
    Body::Message { kind: Kind::Say, text, cid: None, annotations }
}

#[test]
fn a_file_is_shown_with_its_size_and_its_address() {
    let url = "http://10.0.0.7:5000/KXQT/files/000000000000000000000000000000ab";
    for (body, expected) in [
        (shared("plan.pdf", 2_100_000, ""), format!("* ana shares plan.pdf (2.1 MB) {url}/plan.pdf\r\n")),
        (
            shared("p.txt", 999, "look\n* eve left"),
            format!("* ana shares p.txt (999 B) {url}/p.txt\r\n          | look\r\n          | * eve left\r\n"),
        ),
        (
            shared("a\r\n* eve left\u{202E}", 999_999, ""),
            format!("* ana shares a_ eve left (1.0 MB) {url}/a_%20eve%20left\r\n"),
        ),
    ] {
        assert_eq!(encoded("ana", body)["14:05 ".len()..], expected);
    }
}

#[test]
fn events_read_as_in_the_contract() {
    let to = Name::parse("anna").expect("a name");
    assert_eq!(encoded("ben", message(Kind::Say, "hi!")), "14:03 <ben> hi!\r\n");
    assert_eq!(encoded("ben", message(Kind::Me, "waves")), "14:03 * ben waves\r\n");
    assert_eq!(encoded("carl", Body::Enter), "* carl came in (web)\r\n");
    assert_eq!(encoded("carl", Body::Part), "* carl left\r\n");
    assert_eq!(encoded("ana", Body::Nick { to }), "* ana is now anna\r\n");
}

fn quote(name: &str, text: &str) -> Option<Quote> {
    Quote::of(&event(name, message(Kind::Say, text)))
}

fn reply(kind: Kind, text: &str, quote: Option<Quote>) -> Body {
    let annotations = Annotations { reply_to: Some(1), quote, ..Annotations::default() }.boxed();
    Body::Message { kind, text: Text::clean(text, 4096).expect("a text"), cid: None, annotations }
}

fn reaction(emoji: &str, on: bool, quote: Option<Quote>) -> Body {
    Body::Reaction { of: 1, emoji: Emoji::parse(emoji).expect("an emoji"), on, quote: quote.map(Box::new) }
}

#[test]
fn what_became_of_messages_is_told() {
    let text = Text::clean("slides are on\nthe board\n", 100).ok();
    assert_eq!(
        encoded("ana", Body::Edit { of: 1, text, cid: None }),
        "14:03 * <ana> corrected: \"slides are on the board\"\r\n"
    );
    assert_eq!(
        encoded("ana", Body::Edit { of: 1, text: None, cid: None }),
        "14:03 * <ana> corrected a message that was deleted\r\n"
    );
    assert_eq!(encoded("ana", Body::Delete { of: 1, of_whom: None }), "14:03 * <ana> deleted a message\r\n");
    assert_eq!(
        encoded("ben", Body::Delete { of: 1, of_whom: Name::parse("ana") }),
        "14:03 * <ben> deleted a message of <ana>\r\n"
    );
    assert_eq!(
        encoded("ana", Body::Deleted { kind: Kind::Say, cid: None }),
        "14:03 * <ana>: a message that was deleted\r\n"
    );
    let long = "slides are on the board, all seventeen of them";
    assert_eq!(
        encoded("ben", reaction("👍", true, quote("ana", long))),
        "14:03 * <ben> 👍 \"slides are on the board, all seventeen o…\"\r\n"
    );
    assert_eq!(
        encoded("ben", reaction("👍", false, quote("ana", "a\n\u{202E}b"))),
        "14:03 * <ben> took back 👍 \"a b\"\r\n"
    );
    assert_eq!(encoded("ben", reaction("👍", true, None)), "14:03 * <ben> 👍 an earlier message\r\n");
}

#[test]
fn a_reply_shows_what_it_replies_to() {
    assert_eq!(
        encoded("ben", reply(Kind::Say, "hi!", quote("ana", "slides are on"))),
        "14:03 <ben> hi!\r\n          ^ <ana> slides are on\r\n"
    );
    assert_eq!(
        encoded("ben", reply(Kind::Me, "nods\ntwice", None)),
        "14:03 * ben nods\r\n          | twice\r\n          ^ an earlier message\r\n"
    );
}

#[test]
fn further_lines_stand_behind_a_bar() {
    assert_eq!(
        encoded("ana", message(Kind::Say, "two lines\nsecond line\n")),
        "14:03 <ana> two lines\r\n          | second line\r\n"
    );
    assert_eq!(
        encoded("ana", message(Kind::Me, "a\u{2028}* b\u{2029}14:03 <ben> c")),
        "14:03 * ana a\r\n          | * b\r\n          | 14:03 <ben> c\r\n"
    );
}

#[test]
fn further_lines_are_marked_in_fewer_bytes_where_there_are_many() {
    let few = (0..=8).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
    assert_eq!(encoded("ana", message(Kind::Say, &few)).matches("\r\n          | ").count(), 8);
    let many = "12345\n".repeat(20);
    let shown = format!("14:03 <ana> 12345{}\r\n", "\r\n| 12345".repeat(19));
    assert_eq!(encoded("ana", message(Kind::Say, &many)), shown);
    let shortest = "a\n\n".repeat(20);
    let shown = format!("14:03 <ana> a{}\r\n", " | a".repeat(19));
    assert_eq!(encoded("ana", message(Kind::Say, &shortest)), shown);
}

#[test]
fn nothing_turns_a_line_around() {
    let text = "a\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}b\u{2066}\u{2067}\u{2068}\u{2069}c\u{200F}";
    assert_eq!(encoded("ana", message(Kind::Say, text)), "14:03 <ana> abc\u{200F}\r\n");
}

#[test]
fn a_name_forges_no_message() {
    assert_eq!(encoded("ben> hi <", message(Kind::Say, "x")), "14:03 <ben› hi ‹> x\r\n");
    assert_eq!(encoded("<ben>", Body::Part), "* ‹ben› left\r\n");
}

#[test]
fn programs_get_an_object_a_line() {
    let mut out = Vec::new();
    JsonLineEncoder.encode_event(&kxqt(), &event("ana", message(Kind::Say, "a\nb")), &mut out);
    JsonLineEncoder.encode_typing(&kxqt(), &Name::parse("ben").expect("a name"), &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    let objects: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["text"], "a\nb");
    assert_eq!(objects[1], serde_json::json!({ "type": "typing", "name": "ben" }));
    assert!(JsonLineEncoder.echoes() && !LineEncoder::new(LocalClock::utc(), String::new()).echoes());
}

proptest! {
    #[test]
    fn no_text_harms_a_terminal(text in any::<String>(), is_me: bool) {
        let kind = if is_me { Kind::Me } else { Kind::Say };
        let Ok(text) = Text::clean(&text, 4096) else { return Ok(()) };
        let line = encoded("ana", Body::Message { kind, text, cid: None, annotations: None });
        let harmless = line.replace("\r\n", "");
        prop_assert!(harmless.chars().all(|c| c == '\t' || !c.is_control()));
        prop_assert!(!harmless.contains(|c| is_bidi_control(c) || is_line_break(c)));
        for (number, line) in line.trim_end_matches("\r\n").split("\r\n").enumerate() {
            let left_edge = if number == 0 { "14:03 " } else { "| " };
            prop_assert!(line.starts_with(left_edge) || number > 0 && line.starts_with("          | "));
        }
    }

    #[test]
    fn nothing_that_was_done_is_forged_by_a_text_or_a_name(
        name in "[<>*:\"a ]{1,4}|.{1,32}|corrected: \"|deleted a message|x> (👍|corrected: )",
        text in "[\n<>\"^| a]{0,20}|(?s).{0,200}|\n          \\^ <ana> no|deleted a message|corrected: \"x\"|👍 \"x\"",
        which in 0..7,
    ) {
        let (Some(name), Ok(text)) = (Name::parse(&name), Text::clean(&text, 4096)) else { return Ok(()) };
        let quote = Quote::of(&event(name.as_str(), message(Kind::Say, text.as_str())));
        let said = which < 3;
        let body = match which {
            0 => message(Kind::Say, text.as_str()),
            1 => message(Kind::Me, text.as_str()),
            2 => reply(Kind::Say, text.as_str(), quote),
            3 => Body::Edit { of: 1, text: Some(text), cid: None },
            4 => Body::Delete { of: 1, of_whom: Some(name.clone()) },
            5 => reaction("👍", true, quote),
            _ => Body::Nick { to: name.clone() },
        };
        let shown = encoded(name.as_str(), body);
        let mut lines = shown.strip_suffix("\r\n").expect("an end").split("\r\n");
        let first = lines.next().expect("a line");
        prop_assert!(shown.replace("\r\n", "").chars().all(|c| c == '\t' || !c.is_control()));
        prop_assert!(!shown.contains(is_bidi_control));
        // What was done is told by the beginning of its line, which no text and no name has, and takes one line.
        prop_assert_eq!(first.starts_with("14:03 * <"), (3..6).contains(&which), "{}", shown);
        if !said {
            prop_assert_eq!(lines.clone().count(), 0);
        }
        let marked = lines.filter(|line| !line.starts_with("          | ") && !line.starts_with("| "));
        let quoted: Vec<&str> = marked.collect();
        prop_assert_eq!(quoted.len(), usize::from(which == 2), "{}", shown);
        prop_assert!(quoted.iter().all(|line| line.starts_with("          ^ <")));
    }

    #[test]
    fn lines_are_marked_and_cost_little(
        lines in prop_oneof![
            prop::collection::vec("[\u{2028}\u{202E}xä| ]{0,3}", 1..30),
            prop::collection::vec("[\u{2028}\u{202E}xä| ]{0,3}|.{0,40}", 1..30),
        ],
        times in 1usize..10,
        is_me: bool,
    ) {
        let kind = if is_me { Kind::Me } else { Kind::Say };
        let said = format!("{}\n", lines.join("\n")).repeat(times);
        let Ok(text) = Text::clean(&said, usize::MAX) else { return Ok(()) };
        let said_bytes = text.as_str().len();
        let head = if is_me { "14:03 * ana " } else { "14:03 <ana> " };
        let shown = encoded("ana", Body::Message { kind, text, cid: None, annotations: None });
        let shown = shown.strip_prefix(head).and_then(|shown| shown.strip_suffix("\r\n")).expect("a head");
        let is_marked = |line: &str| line.starts_with("          | ") || line.starts_with("| ");
        prop_assert!(shown.split("\r\n").skip(1).all(is_marked));
        prop_assert!(shown.len() <= (2 * said_bytes).max(said_bytes + 104), "{} of {said_bytes}", shown.len());
        // Whatever marks them, all lines are there.
        let is_no_word = |c: &char| c.is_whitespace() || c.is_control() || *c == '|' || is_bidi_control(*c);
        let words = |text: &str| text.chars().filter(|c| !is_no_word(c)).collect::<String>();
        prop_assert_eq!(words(shown), words(&said));
    }
}
