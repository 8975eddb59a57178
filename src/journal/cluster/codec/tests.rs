//! What is written is read back, whatever it is; what was never written is refused, and never a panic.

mod making;
mod pages;

use proptest::prelude::*;

use super::*;
use crate::journal::cluster::Effects;
use crate::journal::cluster::log::{Append, ProposalId};
use crate::rooms::{
    AccountAction, AccountChange, AccountId, Address, Attempt, AuthorId, Body, Epoch, Event, Kind, MessageKey, NodeId,
    Notice, PasswordHash, RoomCode, StoredAccount, Text, Via,
};
use making::{changes, name, rooms, said};

fn written(change: &Change) -> Vec<u8> {
    let mut payload = Vec::new();
    write_change(change, &mut payload);
    payload
}

/// What somebody else has made of bytes: cut, or changed here and there.
fn harm(bytes: &mut Vec<u8>, cut: prop::sample::Index, flips: &[(prop::sample::Index, u8)]) {
    for (place, byte) in flips {
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
    }
    let kept = cut.index(bytes.len() + 1);
    if kept.is_multiple_of(2) {
        bytes.truncate(kept);
    }
}

fn flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6)
}

proptest! {
    #[test]
    fn every_change_is_read_back(change in changes(), id in prop::option::of(1u64..)) {
        let payload = written(&change);
        prop_assert_eq!(payload.iter().filter(|byte| **byte == b'\n').count(), 2);
        let mut numbered = change;
        if let Some(event) = numbered.event_mut() {
            event.id = id.unwrap_or(0);
        }
        prop_assert_eq!(read_change(&payload, id), Ok(numbered));
    }

    #[test]
    fn every_room_is_read_back(room in rooms()) {
        let mut text = Vec::new();
        write_room(&room, &mut text);
        prop_assert!(!text.contains(&b'\n'));
        prop_assert_eq!(read_room(&text), Ok(room));
    }

    #[test]
    fn every_account_is_read_back(account: u64, name in name(), hash in prop::option::of("[!-~]{1,80}")) {
        let hash = hash.as_deref().map(PasswordHash::new);
        let account = StoredAccount { account: AccountId(account), name, hash };
        let (field, value) = write_account(&account);
        prop_assert_eq!(read_account(field.as_bytes(), value.as_bytes()), Ok(account.clone()));
        let later = format!("{value}\nwhat a later version knows");
        prop_assert_eq!(read_account(field.as_bytes(), later.as_bytes()), Ok(account));
    }

    #[test]
    fn every_notice_is_read_back(number: u64, author: u32, what in 0usize..6) {
        let epoch = Epoch::parse(&format!("{number:016x}")).expect("an epoch");
        let attempts = [
            Attempt::UnknownCode,
            Attempt::UnfamiliarCode,
            Attempt::Creation,
            Attempt::Share,
            Attempt::Registration,
            Attempt::Password { account: (number % 2 == 0).then_some(AccountId(number / 3)) },
        ];
        let notice = match attempts.get(what) {
            Some(&what) => Notice::Attempt { what, address: Address::from_bits(number) },
            None => Notice::Typing { epoch, author: AuthorId(author) },
        };
        let mut text = Vec::new();
        write_notice(&notice, &mut text);
        prop_assert_eq!(read_notice(&text), Ok(Some(notice)));
        text.extend(b" more=1");
        prop_assert!(read_notice(&text).is_ok_and(|notice| notice.is_some()));
    }

    #[test]
    fn harmed_bytes_are_read_without_panic(
        change in changes(),
        room in rooms(),
        cut: prop::sample::Index,
        flips in flips(),
        noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut payload = written(&change);
        harm(&mut payload, cut, &flips);
        let mut text = Vec::new();
        write_room(&room, &mut text);
        harm(&mut text, cut, &flips);
        for bytes in [&payload, &text, &noise] {
            let _ = (read_change(bytes, Some(7)), read_room(bytes), read_notice(bytes), read_account(bytes, bytes));
            let _ = (messages_of_page(&[(7, bytes)]), events_of_page(&[(7, bytes)], &[(8, bytes)]));
            let _ = std::str::from_utf8(bytes).map(read_version);
        }
    }
}

#[test]
fn a_message_is_one_line_of_tokens_and_its_words_another() {
    let key = MessageKey::parse("c 1");
    let change = said("hello\n\tyou", key, Some(12));
    assert_eq!(written(&change), b"p say 1700000000123 web 17 Ana%20Maria cid=c%201 re=12\nhello\r\tyou\n");
}

#[test]
fn what_a_later_version_adds_is_ignored_and_what_is_missing_has_a_default() {
    let plain = read_change(b"p me 5 line 3 ana\nwaves\n", None).expect("a message");
    let added = b"p me 5 line 3 ana colour=red of= what\nwaves\n\nand a fourth line";
    assert_eq!(read_change(added, None), Ok(plain.clone()));
    assert_eq!(read_change(b"p me 5 line 3 ana\nwaves", None), Ok(plain));
    let vacate = Change::Vacate { author: AuthorId(3), event: None, may_return: false, time_ms: 5 };
    assert_eq!(read_change(br#"{"vacate":{"author":3,"time_ms":5,"why":{"x":[1]}}}"#, None), Ok(vacate));
    assert_eq!(read_change(br#"{"end":{"at":5}}"#, None), Ok(Change::End));
    let room = br#"{"code":"KXQT","epoch":"00000000000000ab","first_id":1,"last_id":2,"last_time_ms":3,"last_author":4,
        "colour":"red","members":[{"author":1,"token":"TOKEN","name":"ana","via":"web","age":7}]}"#;
    let room = String::from_utf8_lossy(room).replace("TOKEN", &"0f".repeat(32));
    let room = read_room(room.as_bytes()).expect("a room");
    assert_eq!((room.members.len(), room.members[0].node, room.rules.bans.len()), (1, NodeId::ALONE, 0));
    assert_eq!(read_notice(b"dancing 5"), Ok(None));
    assert_eq!(read_notice(b"attempt dancing 5"), Ok(None));
}

#[test]
fn what_it_cannot_be_is_refused() {
    for payload in [
        "",
        "\n\n",
        "p",
        "p say",
        "p say 5 web 1",
        "p say 5 web 1 %zz\nx\n",
        "p say 5 web 1 a%0Ab\nx\n",
        "p say 5 pigeon 1 ana\nx\n",
        "p say -5 web 1 ana\nx\n",
        "p say 5 web 4294967296 ana\nx\n",
        "p say 5 web 1 ana re=x\nx\n",
        "p say 5 web 1 ana\nx\nno file",
        "p edit 5 web 1 ana\nx\n",
        "p react 5 web 1 ana of=3 emoji=ab\n\n",
        "p dance 5 web 1 ana\nx\n",
        "{\"dance\":{}}",
        "{\"vacate\":{}}",
        "{\"identify\":{\"author\":1,\"account\":2,\"token\":\"0f\"}}",
    ] {
        assert!(read_change(payload.as_bytes(), None).is_err(), "{payload:?}");
    }
    assert!(read_account(b"x", b"ana\n").is_err() && read_account(b"1", b"\nhash").is_err());
    let fault = read_change(b"\xFF", None).expect_err("no text");
    assert_eq!(fault.to_string(), "a text in it cannot be read");
}

#[test]
fn a_message_whose_text_was_emptied_reads_as_deleted() {
    let key = MessageKey::parse("c");
    let deleted = Body::Deleted { kind: Kind::Say, cid: key.clone() };
    let Change::Publish { event } = said("hello", key, None) else { panic!("a message") };
    let deleted = Change::Publish { event: Event { body: deleted, ..event } };
    assert_eq!(read_change(b"p say 1700000000123 web 17 Ana%20Maria cid=c\n\n", None), Ok(deleted));
}

#[test]
fn a_password_hash_is_in_the_line_that_is_emptied_where_its_change_is_kept() {
    let hash = PasswordHash::new("$h");
    let name = Name::parse("ana").expect("a name");
    let add = |hash| AccountAction::Add { name: name.clone(), hash };
    let none = PasswordHash::new("");
    for (action, emptied) in
        [(add(Some(hash.clone())), add(None)), (AccountAction::SetPassword(hash), AccountAction::SetPassword(none))]
    {
        let of = |action| {
            let bearers = vec![(Epoch::parse("00000000000000ab").expect("an epoch"), AuthorId(3))];
            Change::Account(Box::new(AccountChange { account: AccountId(4), action, bearers, request: None }))
        };
        let payload = String::from_utf8(written(&of(action))).expect("a text");
        let head = payload.strip_suffix("\n$h\n").expect("the hash in a line of its own");
        assert!(!head.contains("$h"), "{head}");
        assert_eq!(read_change(format!("{head}\n\n").as_bytes(), None), Ok(of(emptied)));
    }
}

#[test]
fn whoever_appends_a_change_is_told_all_that_counts() {
    let (epoch, code) = (Epoch::parse("00000000000000ab").expect("an epoch"), RoomCode::parse("KXQT").expect("a code"));
    let version = ProposalId { node: NodeId(5), number: 7 };
    let told = |code, epoch, accounts_version, change: Change| {
        let (number, version, effects) = (9, (epoch != Epoch::NONE).then_some(version), Effects::of(&change));
        let append = Append { number, code, epoch, version, accounts_version, change };
        let mut arguments = vec![b"before".to_vec()];
        append_arguments(&append, &effects, &mut arguments);
        assert_eq!(arguments.len(), 1 + APPEND_ARGUMENTS);
        let texts = arguments.into_iter().skip(1).map(|argument| String::from_utf8(argument).expect("text"));
        texts.collect::<Vec<_>>()
    };
    assert_eq!(read_version("5-7"), Some(version));
    let change = said("x", MessageKey::parse("c d"), None);
    let payload = "p say 1700000000123 web 17 Ana%20Maria cid=c%20d\nx\n";
    let time = "1700000000123";
    let arguments = told(code, epoch, None, change.clone());
    assert_eq!(arguments, ["9", "KXQT", "00000000000000ab", "5-7", "", "n", "", "17:c d", time, "", "", payload]);
    let Change::Publish { event } = change else { panic!("a message") };
    let delete = Change::Publish { event: Event { body: Body::Delete { of: 3, of_whom: None }, ..event.clone() } };
    let arguments = told(code, epoch, None, delete);
    assert_eq!(arguments[5..8], ["vnxf", "3", ""]);
    let edit = Body::Edit { of: 3, text: Text::clean("y", 9).ok(), cid: MessageKey::parse("e") };
    let arguments = told(code, epoch, None, Change::Publish { event: Event { body: edit, ..event } });
    assert_eq!(arguments[5..8], ["nx", "3", "17:e"]);
    let reconnect = Change::Reconnect { author: AuthorId(1), via: Via::Web };
    assert_eq!(told(code, epoch, None, reconnect)[5..9], ["vd", "", "", ""]);
    let of_account = |action| {
        let change = AccountChange { account: AccountId(4), action, bearers: Vec::new(), request: None };
        let mut told = told(RoomCode::NONE, Epoch::NONE, Some(version), Change::Account(Box::new(change)));
        told.truncate(11);
        told.split_off(1).join(",")
    };
    let hash = PasswordHash::new("$h");
    assert_eq!(of_account(AccountAction::SetPassword(hash)), ",,,5-7,vad,,,,4,\n$h");
    assert_eq!(of_account(AccountAction::Remove), ",,,5-7,vad,,,,4,");
    assert_eq!(of_account(AccountAction::Nothing), ",,,5-7,vad,,,,,");
}
