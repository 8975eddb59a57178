//! The answer to a join: the room as a newcomer finds it, with 100 members and the last 50 events.

use core::cell::RefCell;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::line::Line;
use snugd::reactor::all_encoders;
use snugd::rooms::{EncoderId, Reply, Text, Via};
use snugd::session_api::{Upgrade, encoders};
use snugd::ws::{self, Ws};

use crate::setting::{Company, LOCALHOST, NOW, limits, line_context, text};

const MEMBERS: usize = 100;
const EVENTS: usize = 50;

/// A room, and the answer to its last member.
fn full_room(via: Via, encoder: EncoderId) -> (Company, Reply) {
    let mut company = Company::new(all_encoders(line_context().clock, String::new()));
    let members: Vec<_> = (1..MEMBERS).map(|number| company.enter(number, Via::Web, encoders::WEB)).collect();
    for (caller, membership, _) in members.iter().take(EVENTS) {
        let text = Text::clean(&text(64), 64).expect("a text");
        company.say(caller, *membership, text);
    }
    let (_, _, reply) = company.enter(MEMBERS, via, encoder);
    let Reply::Joined { membership, events, .. } = &reply else { panic!("{reply:?}") };
    assert_eq!((company.rooms.room(membership.room).members().count(), events.len()), (MEMBERS, EVENTS));
    (company, reply)
}

/// Answers once to tell the size, then again and again.
fn measure(bencher: Bencher, reply: &Reply, answer: impl FnMut(Reply, &mut Vec<u8>)) {
    let state = RefCell::new((Vec::new(), answer));
    let answer = |reply: Reply| {
        let (out, answer) = &mut *state.borrow_mut();
        out.clear();
        answer(reply, out);
        black_box(out).len()
    };
    let bytes = BytesCount::new(answer(reply.clone()));
    bencher.counter(bytes).with_inputs(|| reply.clone()).bench_local_values(answer);
}

fn web_answer() -> Vec<u8> {
    let (company, reply) = full_room(Via::Web, encoders::WEB);
    let mut out = Vec::new();
    let _ = Ws::new(Upgrade::default(), NOW).reply(reply, &company.rooms, &ws::Context::new(&limits()), &mut out);
    out
}

#[divan::bench]
fn web(bencher: Bencher) {
    let (company, reply) = full_room(Via::Web, encoders::WEB);
    let (context, mut ws) = (ws::Context::new(&limits()), Ws::new(Upgrade::default(), NOW));
    measure(bencher, &reply, |reply, out| {
        let _ = ws.reply(reply, &company.rooms, &context, out);
    });
}

#[divan::bench]
fn line(bencher: Bencher) {
    let (company, reply) = full_room(Via::Line, encoders::LINE);
    let (context, mut line) = (line_context(), Line::new(LOCALHOST.into(), NOW, &mut Vec::new()));
    measure(bencher, &reply, |reply, out| {
        let _ = line.reply(reply, &company.rooms, &context, NOW, out);
    });
}

/// Of the web's answer.
#[divan::bench]
fn copy(bencher: Bencher) {
    crate::setting::copy(bencher, &web_answer());
}
