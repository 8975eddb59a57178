//! The client in a terminal of its own, whose screen can be looked at.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rexpect::process::{PtyProcess, WaitStatus};

use crate::support::server::command;
use crate::support::{DEADLINE, Server, eventually};

/// A client at a terminal. Dropped, it is ended.
pub struct ClientTerminal {
    process: PtyProcess,
    input: File,
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has cells")
}

impl ClientTerminal {
    /// A client with these arguments, in a terminal of 80 columns and 24 rows.
    pub fn start(arguments: &[&str]) -> ClientTerminal {
        ClientTerminal::with_size(arguments, 80, 24, &[])
    }

    /// The same, in a terminal of this size, with these variables.
    pub fn with_size(arguments: &[&str], width: u16, height: u16, variables: &[(&str, &str)]) -> ClientTerminal {
        // The size is there before the client is.
        let script = format!("stty cols {width} rows {height}; exec \"$0\" \"$@\"");
        let program = command();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(program.get_program()).arg("join").args(arguments);
        program.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
            shell.env_remove(name);
        });
        shell.env_remove("NO_COLOR").env("TERM", "xterm-256color").env("USER", "somebody").env("TZ", "UTC");
        shell.envs(variables.iter().copied());
        let process = PtyProcess::new(shell).expect("a pseudo-terminal");
        let input = process.get_file_handle().expect("it can be written to");
        let mut output = process.get_file_handle().expect("it can be read");
        let parser = vt100::Parser::new(cells(height), cells(width), 0);
        let shown = Arc::new(Mutex::new(Shown { parser, bytes: Vec::new() }));
        let shared = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose programs have ended is read with an error.
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                let mut shown = shared.lock().expect("nobody panics with it");
                shown.parser.process(&buffer[..count]);
                shown.bytes.extend_from_slice(&buffer[..count]);
            }
        });
        ClientTerminal { process, input, shown }
    }

    /// A member of this room, that has been let in.
    pub fn join(server: &Server, room: &str, name: &str) -> ClientTerminal {
        let terminal = ClientTerminal::start(&[&server.web.to_string(), room, "--name", name]);
        terminal.wait_for_row(&format!("* {room}. "));
        terminal
    }

    /// Types this.
    pub fn send(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).expect("the client reads");
    }

    /// Pastes this, as terminals do that know how.
    pub fn paste(&mut self, text: &str) {
        self.send(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Another size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.shown.lock().expect("nobody panics with it").parser.screen_mut().set_size(cells(height), cells(width));
        let size = rustix::termios::Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.input, size).expect("a terminal has a size");
    }

    /// The rows of the screen, down to the last one that is used.
    pub fn rows(&self) -> Vec<String> {
        let shown = self.shown.lock().expect("nobody panics with it");
        let (_, width) = shown.parser.screen().size();
        let rows: Vec<String> =
            shown.parser.screen().rows(0, width.get()).map(|row| row.trim_end().to_owned()).collect();
        let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        rows[..used].to_vec()
    }

    /// The column of the cursor.
    pub fn cursor_column(&self) -> u16 {
        self.shown.lock().expect("nobody panics with it").parser.screen().cursor_position().1
    }

    /// All that was written so far.
    pub fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("nobody panics with it").bytes).into_owned()
    }

    /// Waits until the screen is like this.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let started = std::time::Instant::now();
        loop {
            let rows = self.rows();
            if is_so(&rows) {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "waited in vain: {what}; the screen:\n{}", rows.join("\n"));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Waits until a row has this in it.
    pub fn wait_for_row(&self, text: &str) {
        self.wait_for(text, |rows| rows.iter().any(|row| row.contains(text)));
    }

    /// Waits until the last row is this.
    pub fn wait_for_last(&self, row: &str) {
        self.wait_for(row, |rows| rows.last().is_some_and(|last| last == row));
    }

    /// Waits until the client has ended; returns its exit status.
    pub fn wait_for_end(&mut self) -> i32 {
        eventually("the client ends", || match self.process.status() {
            Some(WaitStatus::Exited(_, status)) => Some(status),
            Some(WaitStatus::StillAlive) => None,
            other => panic!("the client ended with {other:?}"),
        })
    }
}

impl Drop for ClientTerminal {
    fn drop(&mut self) {
        if matches!(self.process.status(), Some(WaitStatus::StillAlive)) {
            let _ = self.process.kill(rexpect::process::Signal::SIGKILL);
        }
    }
}
