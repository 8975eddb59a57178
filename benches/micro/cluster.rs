//! A message as it stands in the log that nodes share: written by the one that proposes it, read by each of the others.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::journal::cluster::codec;
use snugd::rooms::{AuthorId, Body, Change, Event, Kind, MessageKey, Name, Text, Via};

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
