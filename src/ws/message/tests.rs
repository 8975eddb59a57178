use super::*;

fn read(json: &str) -> Result<Command, MessageFault> {
    ClientMessage::read(json, &[], 100).request.map(|request| match request {
        Request::Command(command) => command,
        Request::Ping => panic!("{json} is a ping"),
    })
}

fn fault(json: &str) -> &'static str {
    read(json).expect_err("a fault").code
}

#[test]
fn reads_every_type() {
    assert!(matches!(read(r#"{"type":"join","room":" kxqt ","name":"ana"}"#), Ok(Command::Join(_))));
    assert!(matches!(
        read(r#"{"type":"message","text":"hi"}"#),
        Ok(Command::In(_, RoomCommand::Say { kind: Kind::Say, .. }))
    ));
    assert!(matches!(
        read(r#"{"type":"message","text":"h\u0069","kind":"me"}"#),
        Ok(Command::In(_, RoomCommand::Say { kind: Kind::Me, .. }))
    ));
    assert_eq!(read(r#"{"type":"typing"}"#), Ok(here(RoomCommand::Typing)));
    assert_eq!(read(r#"{"type":"leave","unknown":[1,{}]}"#), Ok(here(RoomCommand::Leave)));
    let after = Name::parse("ana");
    assert_eq!(read(r#"{"type":"who","after":"ana"}"#), Ok(here(RoomCommand::Who { after })));
    assert_eq!(read(r#"{"type":"who"}"#), Ok(here(RoomCommand::Who { after: None })));
    assert!(matches!(read(r#"{"type":"nick","name":"ben"}"#), Ok(Command::In(_, RoomCommand::Nick(_)))));
    assert_eq!(
        read(r#"{"type":"history","before":7,"limit":9000}"#),
        Ok(here(RoomCommand::History(Span { since: None, before: Some(7), limit: 200 })))
    );
    let query = SearchQuery::parse("slides").expect("a word");
    let span = Span { since: None, before: None, limit: 50 };
    assert_eq!(
        read(r#"{"type":"search","text":"slides"}"#),
        Ok(here(RoomCommand::Search(Search { query: query.clone(), span })))
    );
    let span = Span { since: None, before: Some(7), limit: 200 };
    assert_eq!(
        read(r#"{"type":"search","text":"Slides","before":7,"limit":9000}"#),
        Ok(here(RoomCommand::Search(Search { query, span })))
    );
}

#[test]
fn reads_what_is_done_with_messages() {
    let (of, cid) = (MessageRef::Id(7), || MessageKey::parse("c1"));
    let text = || Text::clean("hi", 100).expect("a text");
    let emoji = || Emoji::parse("👍").expect("an emoji");
    for (json, command) in [
        (
            r#"{"type":"message","text":"hi","reply_to":7}"#,
            RoomCommand::Say { kind: Kind::Say, text: text(), cid: None, reply_to: Some(of) },
        ),
        (r#"{"type":"edit","of":7,"text":"hi","cid":"c1"}"#, RoomCommand::Edit { of, text: text(), cid: cid() }),
        (r#"{"type":"delete","of":7,"cid":"c1"}"#, RoomCommand::Delete { of, cid: cid() }),
        (
            r#"{"type":"react","of":7,"emoji":"\ud83d\udc4d"}"#,
            RoomCommand::React { of, emoji: emoji(), on: true, cid: None },
        ),
        (
            r#"{"type":"react","of":7,"emoji":"👍","on":false,"cid":"c1"}"#,
            RoomCommand::React { of, emoji: emoji(), on: false, cid: cid() },
        ),
    ] {
        assert_eq!(read(json), Ok(here(command)), "{json}");
    }
    for json in [
        r#"{"type":"edit","text":"hi"}"#,
        r#"{"type":"edit","of":7}"#,
        r#"{"type":"edit","of":-1,"text":"hi"}"#,
        r#"{"type":"delete"}"#,
        r#"{"type":"delete","of":"7"}"#,
        r#"{"type":"react","of":7}"#,
        r#"{"type":"react","of":7,"emoji":"👍👍"}"#,
        r#"{"type":"message","text":"hi","reply_to":"7"}"#,
    ] {
        assert_eq!(fault(json), "bad_request", "{json}");
    }
    assert_eq!(fault(r#"{"type":"edit","of":7,"text":" "}"#), "text_empty");
}

#[test]
fn a_ping_is_no_command() {
    assert_eq!(ClientMessage::read(r#"{"type":"ping"}"#, &[], 100).request, Ok(Request::Ping));
}

#[test]
fn half_a_character_is_read_as_the_replacement_character() {
    for (json, said) in [
        (r#"{"type":"message","text":"a\ud83d","cid":"c1"}"#, "a\u{FFFD}"),
        (r#"{"type":"message","text":"\ude00a","cid":"c1"}"#, "\u{FFFD}a"),
        (r#"{"type":"message","text":"a\ud83d\ude00\ud83d","cid":"c1"}"#, "a😀\u{FFFD}"),
        (r#"{"type":"message","text":"a","cid":"c1","\ud83d":["\ude00"]}"#, "a"),
    ] {
        let message = ClientMessage::read(json, &[], 100);
        match message.request {
            Ok(Request::Command(Command::In(_, RoomCommand::Say { text, cid, .. }))) => {
                assert_eq!((text.as_str(), cid), (said, MessageKey::parse("c1")), "{json}");
            }
            other => panic!("{json}: {other:?}"),
        }
        assert_eq!(message.cid.as_deref(), Some("c1"));
    }
    assert!(read(r#"{"type":"join","room":"KXQT","name":"ana","since":1,"epoch":"\ud83d"}"#).is_ok());
}

#[test]
fn what_is_refused_is_refused_with_its_cid() {
    let long_cid = "x".repeat(65);
    for (json, cid) in [
        (r#"{"type":"dance","cid":"c1"}"#, "c1"),
        (r#"{"type":7,"cid":"c1"}"#, "c1"),
        (r#"{"text":"x","cid":"c1"}"#, "c1"),
        (r#"{"type":"message","cid":"c1"}"#, "c1"),
        (r#"{"type":"message","text":7,"cid":"c1"}"#, "c1"),
        (r#"{"type":"message","text":"a\x","cid":"c1"}"#, "c1"),
        (r#"{"type":"message","text":"a\ud83d\x","cid":"c1"}"#, "c1"),
        ("{\"type\":\"message\",\"text\":\"a\u{7}\",\"cid\":\"c1\"}", "c1"),
        (r#"{"type":"message","cid":"c1","text":"x"#, "c1"),
        (r#"{"type":"message","text":"","cid":"c1"}"#, "c1"),
        (r#"{"type":"message","text":"x","cid":""}"#, ""),
        (&format!(r#"{{"type":"message","text":"x","cid":"{long_cid}"}}"#), &long_cid),
    ] {
        let message = ClientMessage::read(json, &[], 100);
        assert!(message.request.is_err(), "{json}");
        assert_eq!(message.cid.as_deref(), Some(cid), "{json}");
    }
}

#[test]
fn a_binary_message_is_refused_with_its_cid() {
    for (payload, cid) in [(&br#"{"type":"message","text":"x","cid":"c1"}"#[..], Some("c1")), (b"\xFF", None)] {
        let message = ClientMessage::binary(payload);
        assert_eq!((message.request.is_err(), message.cid.as_deref()), (true, cid), "{payload:?}");
    }
}

#[test]
fn refuses_in_the_contracts_words() {
    for (json, code) in [
        ("", "bad_request"),
        ("[]", "bad_request"),
        ("{}", "bad_request"),
        (r#"{"type":"dance"}"#, "bad_request"),
        (r#"{"type":"message"}"#, "bad_request"),
        (r#"{"type":"message","text":7}"#, "bad_request"),
        (r#"{"type":"message","text":"x","kind":"shout"}"#, "bad_request"),
        (r#"{"type":"message","text":" \n"}"#, "text_empty"),
        (r#"{"type":"search"}"#, "bad_request"),
        (r#"{"type":"search","text":" \"*\" "}"#, "text_empty"),
        (r#"{"type":"join"}"#, "room_required"),
        (r#"{"type":"join","room":" "}"#, "room_required"),
        (r#"{"type":"join","room":"12"}"#, "no_such_room"),
        (r#"{"type":"join","room":"KXQT","name":"a\u0007b"}"#, "name_invalid"),
        (r#"{"type":"join","room":"KX\ud83d","name":"a"}"#, "no_such_room"),
        (r#"{"type":"nick"}"#, "name_required"),
        (r#"{"type":"nick","name":" "}"#, "name_required"),
    ] {
        assert_eq!(fault(json), code, "{json}");
    }
    let long = format!(r#"{{"type":"message","text":"{}"}}"#, "x".repeat(101));
    assert_eq!(fault(&long), "text_too_long");
    let long = format!(r#"{{"type":"search","text":"{}"}}"#, "x".repeat(257));
    assert_eq!(fault(&long), "text_too_long");
    let cid = format!(r#"{{"type":"message","text":"x","cid":"{}"}}"#, "x".repeat(65));
    assert_eq!(fault(&cid), "bad_request");
}

#[test]
fn the_cookies_session_counts_where_no_token_is_given() {
    let code = RoomCode::parse("KXQT").expect("a code");
    let token = Token::parse(&"a".repeat(32)).expect("a token");
    let sessions = [(code, token)];
    let token_of = |json: &str| match ClientMessage::read(json, &sessions, 100).request {
        Ok(Request::Command(Command::Join(join))) => join.token,
        other => panic!("{other:?}"),
    };
    assert_eq!(token_of(r#"{"type":"join","room":"KXQT"}"#), Some(token));
    assert_eq!(token_of(r#"{"type":"join","room":"KXQZ"}"#), None);
    let given = format!(r#"{{"type":"join","room":"KXQT","token":"{}"}}"#, "b".repeat(32));
    assert_eq!(token_of(&given), Token::parse(&"b".repeat(32)));
}

#[test]
fn an_unknown_epoch_continues_nothing() {
    let json = r#"{"type":"join","room":"KXQT","name":"ana","since":3,"epoch":"old"}"#;
    match read(json) {
        Ok(Command::Join(join)) => assert_eq!((join.since, join.epoch), (Some(u64::MAX), None)),
        other => panic!("{other:?}"),
    }
}
