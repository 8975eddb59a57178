//! An event → the bytes of a wire: once for each message, however many read it.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::line::{JsonLineWire, LineWire, LocalClock};
use snugd::rooms::{AuthorId, Body, ClientId, Event, Kind, Name, Text, Via, Wire};
use snugd::ws::WebWire;

use crate::setting::{NOW, TEXT_BYTES, text};

fn event(text_bytes: usize) -> Event {
    let text = Text::clean(&text(text_bytes), text_bytes).expect("a text");
    let body = Body::Message { kind: Kind::Say, text, cid: ClientId::parse("c00000001") };
    let name = Name::parse("ana").expect("a name");
    Event { id: 1_234, time_ms: NOW.wall_ms, name, via: Via::Web, author: AuthorId(1), body }
}

fn encoded(wire: &dyn Wire, event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire.encode_event(event, &mut bytes);
    bytes
}

fn encode(bencher: Bencher, wire: &dyn Wire, text_bytes: usize) {
    let event = event(text_bytes);
    let mut out = encoded(wire, &event);
    bencher.counter(BytesCount::of_slice(&*out)).bench_local(|| {
        out.clear();
        wire.encode_event(black_box(&event), &mut out);
        black_box(&mut out);
    });
}

#[divan::bench(args = TEXT_BYTES)]
fn web(bencher: Bencher, text_bytes: usize) {
    encode(bencher, &WebWire, text_bytes);
}

#[divan::bench(args = TEXT_BYTES)]
fn json_line(bencher: Bencher, text_bytes: usize) {
    encode(bencher, &JsonLineWire, text_bytes);
}

#[divan::bench(args = TEXT_BYTES)]
fn line(bencher: Bencher, text_bytes: usize) {
    encode(bencher, &LineWire::new(LocalClock::utc()), text_bytes);
}

/// Of the longest of them, the web's.
#[divan::bench(args = TEXT_BYTES)]
fn copy(bencher: Bencher, text_bytes: usize) {
    crate::setting::copy(bencher, &encoded(&WebWire, &event(text_bytes)));
}
