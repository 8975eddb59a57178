//! A terminal: lines out, text in, nothing of telnet unless a test writes its bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::{DEADLINE, READ_TIMEOUT, Server};

/// One connection to the line port.
pub struct Terminal {
    stream: TcpStream,
    /// Received, and not looked at yet.
    received: Vec<u8>,
}

impl Terminal {
    /// A connection on which nothing has been said yet.
    pub fn connect(server: &Server) -> Terminal {
        Terminal::over(TcpStream::connect(server.line()).expect("the server accepts connections"))
    }

    /// The same, over a connection that is there.
    pub fn over(stream: TcpStream) -> Terminal {
        stream.set_nodelay(true).expect("a TCP socket can");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a socket has timeouts");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        Terminal { stream, received: Vec::new() }
    }

    /// A new member of a room, past everything that the room shows at first.
    pub fn join(server: &Server, room: &str, name: &str) -> Terminal {
        let mut terminal = Terminal::connect(server);
        terminal.send_line(&format!("/join {room} {name}"));
        terminal.expect_text(&format!("* {room}. "));
        terminal.catch_up();
        terminal
    }

    // ---- sending

    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\n"));
    }

    /// Writes these bytes. The server may have closed, which is not ours to judge.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Ends the sending side, as the end of a script's input does.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    // ---- receiving

    /// Waits until this text has come; returns what came before it.
    pub fn expect_text(&mut self, text: &str) -> String {
        let bytes = self.expect_bytes(text.as_bytes());
        String::from_utf8(bytes).expect("a terminal is sent UTF-8")
    }

    /// Waits until these bytes have come; returns what came before them.
    pub fn expect_bytes(&mut self, wanted: &[u8]) -> Vec<u8> {
        let started = Instant::now();
        loop {
            if let Some(at) = self.received.windows(wanted.len()).position(|window| window == wanted) {
                let before = self.received[..at].to_vec();
                self.received.drain(..at + wanted.len());
                return before;
            }
            let wanted = String::from_utf8_lossy(wanted);
            assert!(self.receive(started, &wanted), "the server closes before {wanted:?}; last: {:?}", self.seen());
        }
    }

    /// The next whole line, without its CRLF or LF.
    pub fn read_line(&mut self) -> String {
        let line = self.expect_text("\n");
        line.strip_suffix('\r').unwrap_or(&line).to_owned()
    }

    /// Waits for a line that is exactly this one. Prompts stand before the first line that follows them, and
    /// do not count.
    pub fn expect_line(&mut self, wanted: &str) {
        self.expect_line_where(wanted, |line| line == wanted);
    }

    /// Waits for a line that fulfils a condition, described by `what`.
    pub fn expect_line_where(&mut self, what: &str, fulfils: impl Fn(&str) -> bool) -> String {
        let mut skipped = Vec::new();
        loop {
            let line = match self.try_read_line(what) {
                Some(line) => line,
                None => panic!("the server closes before {what:?}; lines before: {skipped:?}"),
            };
            let line = without_prompts(&line);
            if fulfils(line) {
                return line.to_owned();
            }
            skipped.push(line.to_owned());
        }
    }

    /// Waits for a message as terminals show it, after a time of day.
    pub fn expect_said(&mut self, said: &str) {
        self.expect_line_where(said, |line| without_time(line) == Some(said));
    }

    /// Reads past everything sent by now: the answer to `/who` comes after it. Returns what it read.
    pub fn catch_up(&mut self) -> Vec<String> {
        self.send_line("/who");
        let mut lines = Vec::new();
        loop {
            let line = self.read_line();
            let line = without_prompts(&line);
            if is_answer_to_who(line) {
                return lines;
            }
            lines.push(line.to_owned());
        }
    }

    /// Waits for the end of the connection; returns what came before it.
    pub fn read_to_end(&mut self) -> String {
        let started = Instant::now();
        while self.receive(started, "the end") {}
        String::from_utf8(std::mem::take(&mut self.received)).expect("a terminal is sent UTF-8")
    }

    fn try_read_line(&mut self, what: &str) -> Option<String> {
        let started = Instant::now();
        while !self.received.contains(&b'\n') {
            if !self.receive(started, what) {
                return None;
            }
        }
        Some(self.read_line())
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Receives more. False: the server has closed.
    fn receive(&mut self, started: Instant, what: &str) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    return true;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    assert!(started.elapsed() < DEADLINE, "waited in vain for {what:?}; there came {:?}", self.seen());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(_) => return false,
            }
        }
    }
}

/// What the server asks for when it waits for an answer on the same line.
pub const NAME_PROMPT: &str = "Name: ";
pub const ROOM_PROMPT: &str = "Room code, or \"new\": ";

fn without_prompts(line: &str) -> &str {
    let mut line = line;
    while let Some(rest) = line.strip_prefix(NAME_PROMPT).or_else(|| line.strip_prefix(ROOM_PROMPT)) {
        line = rest;
    }
    line
}

/// What stands after the time of day, `HH:MM `.
pub fn without_time(line: &str) -> Option<&str> {
    let (time, rest) = line.split_at_checked(6)?;
    let is_time = time.chars().zip("00:00 ".chars()).all(|(character, model)| match model {
        '0' => character.is_ascii_digit(),
        _ => character == model,
    });
    is_time.then_some(rest)
}

/// Names with how they are connected, and nothing else: `* ana (web), ben (line)`.
fn is_answer_to_who(line: &str) -> bool {
    let Some(members) = line.strip_prefix("* ") else { return false };
    let is_member = |member: &str| member.ends_with(" (web)") || member.ends_with(" (line)");
    members.split(", ").all(is_member) && !members.contains(" came in (")
}
