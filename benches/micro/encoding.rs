//! An event → the bytes that members are sent: once for each message and encoding, however many read it.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::line::{JsonLineEncoder, LineEncoder, LocalClock};
use snugd::rooms::{AuthorId, Body, Encoder, Event, Kind, MessageKey, Name, Text, Via};
use snugd::ws::WebEncoder;

use crate::setting::{NOW, TEXT_BYTES, code, text};

fn event(text_bytes: usize) -> Event {
    let text = Text::clean(&text(text_bytes), text_bytes).expect("a text");
    let body = Body::Message { kind: Kind::Say, text, cid: MessageKey::parse("c00000001"), annotations: None };
    let name = Name::parse("ana").expect("a name");
    Event { id: 1_234, time_ms: NOW.wall_ms, name, via: Via::Web, author: AuthorId(1), body }
}

fn encoded(encoder: &dyn Encoder, event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.encode_event(&code(), event, &mut bytes);
    bytes
}

fn encode(bencher: Bencher, encoder: &dyn Encoder, text_bytes: usize) {
    let (room, event) = (code(), event(text_bytes));
    let mut out = encoded(encoder, &event);
    bencher.counter(BytesCount::of_slice(&*out)).bench_local(|| {
        out.clear();
        encoder.encode_event(black_box(&room), black_box(&event), &mut out);
        black_box(&mut out);
    });
}

#[divan::bench(args = TEXT_BYTES)]
fn web(bencher: Bencher, text_bytes: usize) {
    encode(bencher, &WebEncoder, text_bytes);
}

#[divan::bench(args = TEXT_BYTES)]
fn json_line(bencher: Bencher, text_bytes: usize) {
    encode(bencher, &JsonLineEncoder, text_bytes);
}

#[divan::bench(args = TEXT_BYTES)]
fn line(bencher: Bencher, text_bytes: usize) {
    encode(bencher, &LineEncoder::new(LocalClock::utc(), String::new()), text_bytes);
}

/// Of the longest of them, the web's.
#[divan::bench(args = TEXT_BYTES)]
fn copy(bencher: Bencher, text_bytes: usize) {
    crate::setting::copy(bencher, &encoded(&WebEncoder, &event(text_bytes)));
}
