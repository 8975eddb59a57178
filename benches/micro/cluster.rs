//! What stands in the log that nodes share: a message, written by the node that proposes it and read by each of the others;
//! somebody's coming, and a room of twenty members, read when everything is loaded.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::journal::cluster::codec;
use snugd::rooms::{
    AuthorId, Body, Change, Epoch, Event, Kind, MessageKey, Name, NodeId, RoomCode, RoomRules, StoredMember,
    StoredRoom, Text, TokenHash, Via,
};

use crate::setting::TEXT_BYTES;

fn message(text_bytes: usize) -> Change {
    let text = Text::clean(&"a word ".repeat(text_bytes)[..text_bytes], text_bytes).expect("a text");
    let (name, cid) = (Name::parse("Ana Maria").expect("a name"), MessageKey::parse("m4k2p9x1-17"));
    let body = Body::Message { kind: Kind::Say, text, cid, annotations: None };
    let (time_ms, author) = (1_700_000_000_123, AuthorId(17));
    Change::Publish { event: Event { id: 0, time_ms, name, via: Via::Web, author, body } }
}

fn payload(text_bytes: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    codec::write_change(&message(text_bytes), &mut payload);
    payload
}

#[divan::bench(args = TEXT_BYTES)]
fn write(bencher: Bencher, text_bytes: usize) {
    let (change, mut payload) = (message(text_bytes), Vec::with_capacity(2 * text_bytes + 1024));
    bencher.counter(BytesCount::new(text_bytes)).bench_local(|| {
        payload.clear();
        codec::write_change(black_box(&change), &mut payload);
        payload.len()
    });
}

#[divan::bench(args = TEXT_BYTES)]
fn read(bencher: Bencher, text_bytes: usize) {
    let payload = payload(text_bytes);
    let read = || codec::read_change(black_box(&payload), Some(7));
    assert!(read().is_ok());
    bencher.counter(BytesCount::new(text_bytes)).bench_local(read);
}

#[divan::bench(args = TEXT_BYTES)]
fn copy(bencher: Bencher, text_bytes: usize) {
    crate::setting::copy(bencher, &payload(text_bytes));
}

#[divan::bench]
fn read_enter(bencher: Bencher) {
    let (name, author) = (Name::parse("Ana Maria").expect("a name"), AuthorId(17));
    let event = Event { id: 0, time_ms: 1_700_000_000_123, name, via: Via::Web, author, body: Body::Enter };
    let takes_place = Some(TokenHash::from_bytes([7; 32]));
    let (account, opens, returns, becomes_operator) = (None, false, false, false);
    let mut payload = Vec::new();
    codec::write_change(&Change::Enter { opens, takes_place, account, returns, becomes_operator, event }, &mut payload);
    let read = || codec::read_change(black_box(&payload), Some(7));
    assert!(read().is_ok());
    bencher.bench_local(read);
}

#[divan::bench]
fn read_room(bencher: Bencher) {
    let member = |author: u32| StoredMember {
        author: AuthorId(author),
        seniority: AuthorId(author),
        token: TokenHash::from_bytes([7; 32]),
        name: Name::parse(&format!("member {author}")).expect("a name"),
        via: Via::Web,
        is_placed: true,
        has_entered: true,
        account: None,
        node: NodeId(7),
    };
    let room = StoredRoom {
        code: RoomCode::parse("KXQT").expect("a code"),
        epoch: Epoch::parse("00000000000000ab").expect("an epoch"),
        first_id: 1,
        last_id: 100,
        last_time_ms: 1_700_000_000_123,
        last_author: AuthorId(20),
        files: Vec::new(),
        members: (1..=20).map(member).collect(),
        left: Vec::new(),
        rules: RoomRules::default(),
    };
    let mut text = Vec::new();
    codec::write_room(&room, &mut text);
    let read = || codec::read_room(black_box(&text));
    assert_eq!(read(), Ok(room));
    bencher.bench_local(read);
}
