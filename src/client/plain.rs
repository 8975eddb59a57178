//! Lines in, lines out: in a pipe, or where a terminal cannot be drawn on.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::conversation::{Action, Ending};
use super::driver::{Driver, Happening, watch_signals};
use super::palette::{self, Colours, RESET};
use super::transcript::{Line, Tone};

/// Lines that are read before those before them are acknowledged: the rest stays in the pipe.
const MAX_PENDING: usize = 64;

/// Goes on until it ends.
pub fn run(mut driver: Driver, colours: Option<Colours>) -> io::Result<Ending> {
    let (credit, credits) = channel();
    for _ in 0..MAX_PENDING {
        let _ = credit.send(());
    }
    let sender = driver.sender();
    watch_signals(driver.sender())?;
    std::thread::Builder::new().name("input".into()).spawn(move || read_lines(&sender, &credits))?;
    let mut owed = 0;
    driver.conversation.start();
    loop {
        for action in driver.conversation.take_actions() {
            let written = match driver.perform(action) {
                Some(Action::Show(lines)) => write_lines(&lines, colours),
                Some(Action::Frame(json)) => write_line(&json.replace('\n', " ")),
                Some(Action::Remark(sentence)) => {
                    // Whether anybody reads that is of no matter.
                    let _ = writeln!(io::stderr(), "* {sentence}");
                    Ok(())
                }
                Some(Action::End(ending)) => return Ok(ending),
                _ => Ok(()),
            };
            // Whoever reads has read enough (`snugd join … | head`).
            if written.is_err() {
                return Ok(Ending { status: 0, sentence: None });
            }
        }
        while owed > 0 && driver.conversation.pending_count() < MAX_PENDING {
            owed -= 1;
            let _ = credit.send(());
        }
        let happening = driver.wait(None);
        let now = driver.now();
        match happening {
            Some(Happening::Link(number, event)) => driver.on_link(number, event),
            Some(Happening::Line(line)) => {
                owed += 1;
                driver.conversation.on_line(&line, now);
            }
            Some(Happening::EndOfInput | Happening::Stop) => driver.conversation.leave(now),
            Some(Happening::Terminal(_)) => (),
            None => driver.conversation.on_deadline(now),
        }
    }
}

fn read_lines(sender: &Sender<Happening>, credits: &Receiver<()>) {
    let mut input = io::stdin().lock();
    while credits.recv().is_ok() {
        let mut bytes = Vec::new();
        match input.read_until(b'\n', &mut bytes) {
            Ok(1..) => {
                let line = String::from_utf8_lossy(&bytes);
                if sender.send(Happening::Line(line.trim_end_matches(['\r', '\n']).to_owned())).is_err() {
                    return;
                }
            }
            Ok(0) | Err(_) => break,
        }
    }
    let _ = sender.send(Happening::EndOfInput);
}

fn write_lines(lines: &[Line], colours: Option<Colours>) -> io::Result<()> {
    let mut text = String::new();
    for line in lines {
        match colours {
            None => text.push_str(&line.text()),
            Some(colours) => line.spans.iter().for_each(|span| match span.tone {
                Tone::Plain => text.push_str(&span.text),
                tone => text.extend([&palette::begin(tone, colours), &span.text, RESET]),
            }),
        }
        text.push('\n');
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn write_line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Whether a terminal is there on both sides that can be drawn on.
pub fn has_terminal() -> bool {
    io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
