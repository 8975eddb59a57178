//! A client's frame → a command: what one message costs on its way in, before the rooms.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::session_api::{Input, Step, Upgrade};
use snugd::ws::{Context, Ws};

use crate::setting::{MessageFrame, NOW, TEXT_BYTES, limits, said};

#[divan::bench(args = TEXT_BYTES)]
fn receive(bencher: Bencher, text_bytes: usize) {
    let (context, mut ws) = (Context::new(&limits()), Ws::new(Upgrade::default(), NOW));
    let (mut message, mut outbox) = (MessageFrame::new(text_bytes), Vec::new());
    let frame = message.next();
    let mut receive = || {
        let mut input = Input::new(black_box(&mut *frame), false);
        ws.receive(&mut input, &context, NOW, &mut outbox)
    };
    let step = receive();
    let is_said = matches!(&step, Step::Command(command) if said(command).is_some_and(|text| text.len() == text_bytes));
    assert!(is_said, "{step:?}");
    bencher.counter(BytesCount::new(text_bytes)).bench_local(receive);
}

#[divan::bench(args = TEXT_BYTES)]
fn copy(bencher: Bencher, text_bytes: usize) {
    crate::setting::copy(bencher, MessageFrame::new(text_bytes).next());
}
