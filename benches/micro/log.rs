//! The rooms alone: one message said, recorded, appended to the log and offered to every reader.
//!
//! The wire writes nothing but the text, so that this is the log's cost and not the encoding's.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use snugd::rooms::{Body, Command, Event, Kind, Text, Via, Wire, WireId};

use crate::setting::{Company, text};

const READERS: [usize; 3] = [10, 100, 1000];
const TEXT_BYTES: usize = 64;

struct TextWire;

impl Wire for TextWire {
    fn encode_event(&self, event: &Event, out: &mut Vec<u8>) {
        if let Body::Message { text, .. } = &event.body {
            out.extend_from_slice(text.as_str().as_bytes());
        }
    }
}

#[divan::bench(args = READERS)]
fn append_and_flush(bencher: Bencher, readers: usize) {
    let mut company = Company::new(vec![Box::new(TextWire)]);
    let members: Vec<_> = (0..readers).map(|number| company.enter(number, Via::Web, WireId(0))).collect();
    let (caller, membership, _) = members[0];
    let text = Text::clean(&text(TEXT_BYTES), TEXT_BYTES).expect("a text");

    let (mut sent, mut sent_count) = (Vec::with_capacity(TEXT_BYTES), 0);
    let mut say = || {
        let command = Command::Say { kind: Kind::Say, text: black_box(&text).clone(), cid: None };
        company.apply(&caller, &mut Some(membership), command);
        company.flush(|_, bytes| {
            sent.clear();
            sent.extend_from_slice(bytes);
            black_box(&mut sent);
            sent_count += 1;
        });
    };
    // As many events as are kept, so that each further one lets go of another.
    (0..crate::setting::limits().history_events).for_each(|_| say());
    bencher.counter(ItemsCount::new(readers)).bench_local(&mut say);
    assert_eq!(sent_count % readers, 0, "everybody is sent everything");
    assert_eq!(sent.len(), TEXT_BYTES);
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
