//! The rooms alone: one message said, recorded, appended to the log and offered to every reader.
//!
//! The encoder writes nothing but the text, so that this is the log's cost and not the encoding's.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use snugd::rooms::{Body, ConnectionId, Delivery, Encoder, EncoderId, Event, RoomCode, Text, Via};

use crate::setting::{Company, text};

const READERS: [usize; 3] = [10, 100, 1000];
const TEXT_BYTES: usize = 64;

struct TextEncoder;

impl Encoder for TextEncoder {
    fn encode_event(&self, _room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        if let Body::Message { text, .. } = &event.body {
            out.extend_from_slice(text.as_str().as_bytes());
        }
    }
}

/// Takes everything that is sent, and copies it.
struct Copying {
    sent: Vec<u8>,
    sent_count: usize,
}

impl Delivery for Copying {
    fn write(&mut self, _connection: ConnectionId, parts: &[&[u8]]) -> usize {
        self.sent.clear();
        parts.iter().for_each(|part| self.sent.extend_from_slice(part));
        black_box(&mut self.sent);
        self.sent_count += 1;
        self.sent.len()
    }

    fn queue(&mut self, _connection: ConnectionId, _entry: &[u8]) {
        unreachable!("every write is taken whole");
    }
}

#[divan::bench(args = READERS)]
fn append_and_flush(bencher: Bencher, readers: usize) {
    let mut company = Company::new(vec![Box::new(TextEncoder)]);
    let members: Vec<_> = (0..readers).map(|number| company.enter(number, Via::Web, EncoderId(0))).collect();
    let (caller, membership, _) = members[0];
    let text = Text::clean(&text(TEXT_BYTES), TEXT_BYTES).expect("a text");

    let mut copying = Copying { sent: Vec::with_capacity(TEXT_BYTES), sent_count: 0 };
    let mut say = || {
        company.say(&caller, membership, black_box(&text).clone());
        company.flush(&mut copying);
    };
    // As many events as are kept, so that each further one lets go of another.
    (0..crate::setting::limits().history_events).for_each(|_| say());
    bencher.counter(ItemsCount::new(readers)).bench_local(&mut say);
    assert_eq!(copying.sent_count % readers, 0, "everybody is sent everything");
    assert_eq!(copying.sent.len(), TEXT_BYTES);
}

/// The text, copied for each reader.
#[divan::bench(args = READERS)]
fn copy(bencher: Bencher, readers: usize) {
    let text = text(TEXT_BYTES);
    let mut sent = Vec::with_capacity(TEXT_BYTES);
    bencher.counter(ItemsCount::new(readers)).bench_local(|| {
        for _ in 0..readers {
            sent.clear();
            sent.extend_from_slice(black_box(text.as_bytes()));
            black_box(&mut sent);
        }
    });
}
