//! The answer to a join: the room as a newcomer finds it, with 100 members and the last 50 events.

use core::cell::RefCell;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::adapter::{Upgrade, wires};
use snugd::line::Line;
use snugd::reactor::all_wires;
use snugd::rooms::{Command, Kind, Reply, Text, Via, WireId};
use snugd::ws::{self, Ws};

use crate::setting::{Company, LOCALHOST, NOW, limits, line_context, text};

const MEMBERS: usize = 100;
const EVENTS: usize = 50;

/// A room, and the answer to its last member.
fn full_room(via: Via, wire: WireId) -> (Company, Reply) {
    let mut company = Company::new(all_wires(line_context().clock));
    let members: Vec<_> = (1..MEMBERS).map(|number| company.enter(number, Via::Web, wires::WEB)).collect();
    for (caller, membership, _) in members.iter().take(EVENTS) {
        let text = Text::clean(&text(64), 64).expect("a text");
        company.apply(caller, &mut Some(*membership), Command::Say { kind: Kind::Say, text, cid: None });
    }
    let (_, _, reply) = company.enter(MEMBERS, via, wire);
    let Reply::Joined { room, events, .. } = &reply else { panic!("{reply:?}") };
    assert_eq!((company.rooms.room(*room).members().count(), events.len()), (MEMBERS, EVENTS));
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
    let (company, reply) = full_room(Via::Web, wires::WEB);
    let mut out = Vec::new();
    let _ = Ws::new(Upgrade::default(), NOW).reply(reply, &company.rooms, &ws::Context::new(&limits()), &mut out);
    out
}

#[divan::bench]
fn web(bencher: Bencher) {
    let (company, reply) = full_room(Via::Web, wires::WEB);
    let (context, mut ws) = (ws::Context::new(&limits()), Ws::new(Upgrade::default(), NOW));
    measure(bencher, &reply, |reply, out| {
        let _ = ws.reply(reply, &company.rooms, &context, out);
    });
}

#[divan::bench]
fn line(bencher: Bencher) {
    let (company, reply) = full_room(Via::Line, wires::LINE);
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
