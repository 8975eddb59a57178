//! What a terminal sends → a command: telnet, UTF-8, escape sequences, line editing.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use snugd::line::{Context, Line};
use snugd::reactor::all_encoders;
use snugd::rooms::{Command, Via};
use snugd::session_api::{Input, Step, encoders};

use crate::setting::{Company, LOCALHOST, NOW, TEXT_BYTES, line_context, said, text};

/// A terminal in a room.
struct Terminal {
    line: Line,
    context: Context,
    outbox: Vec<u8>,
}

impl Terminal {
    fn new() -> Terminal {
        let context = line_context();
        let mut company = Company::new(all_encoders(context.clock.clone(), String::new()));
        let mut outbox = Vec::new();
        let mut line = Line::new(LOCALHOST.into(), NOW, &mut outbox);
        let (_, _, reply) = company.enter(1, Via::Line, encoders::LINE);
        let _ = line.reply(reply, &company.rooms, &context, NOW, &mut outbox);
        Terminal { line, context, outbox }
    }

    /// The command that these bytes complete, arriving `piece_bytes` at a time.
    fn receive(&mut self, bytes: &mut [u8], piece_bytes: usize) -> Option<Command> {
        let mut found = None;
        for piece in bytes.chunks_mut(piece_bytes) {
            let mut input = Input::new(black_box(piece), false);
            if let Step::Command(command) = self.line.receive(&mut input, &self.context, NOW, &mut self.outbox) {
                found = Some(command);
            }
        }
        found
    }
}

fn typed(text_bytes: usize) -> Vec<u8> {
    format!("{}\r\n", text(text_bytes)).into_bytes()
}

fn measure(bencher: Bencher, text_bytes: usize, piece_bytes: usize) {
    let (mut terminal, mut bytes) = (Terminal::new(), typed(text_bytes));
    let command = terminal.receive(&mut bytes, piece_bytes);
    let is_said = command.as_ref().and_then(said).is_some_and(|text| text.len() == text_bytes);
    assert!(is_said, "{command:?}");
    bencher.counter(BytesCount::new(text_bytes)).bench_local(|| terminal.receive(&mut bytes, piece_bytes));
}

/// As `nc` sends it.
#[divan::bench(args = TEXT_BYTES)]
fn whole_line(bencher: Bencher, text_bytes: usize) {
    measure(bencher, text_bytes, usize::MAX);
}

/// As a telnet in character mode sends it.
#[divan::bench(args = TEXT_BYTES)]
fn letter_by_letter(bencher: Bencher, text_bytes: usize) {
    measure(bencher, text_bytes, 1);
}

#[divan::bench(args = TEXT_BYTES)]
fn copy(bencher: Bencher, text_bytes: usize) {
    crate::setting::copy(bencher, &typed(text_bytes));
}
