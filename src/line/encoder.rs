//! The two encodings in which terminals read a room: lines for people, JSON for programs.

pub mod moderation;

use std::io::Write;

use jiff::civil::Date;

use super::clock::LocalClock;
use crate::json;
use crate::rooms::{Body, Encoder, Event, Kind, Marks, Name, Quote, RoomCode, SharedFile, size_words};

/// What stands before every line of a message but its first: nothing that a member typed is ever at the
/// left edge, where notices are.
const CONTINUATION: &[u8] = b"\r\n          | ";

/// The same in fewer bytes, for messages of many short lines.
const SHORT_CONTINUATION: &[u8] = b"\r\n| ";

/// Between the lines of a message that are so short that even that would cost too much: all stand in one line then, and
/// empty ones are left out.
const SEPARATOR: &[u8] = b" | ";

/// What stands before the beginning of what a message replies to, below it. No line of a text is marked like this.
const REPLY: &[u8] = b"\r\n          ^ ";

/// So many lines behind the first have the long mark, however short they are.
const FEW_LINES: usize = 8;

/// Lines for people. What a member typed is not sent back to it: its terminal shows it.
pub struct LineEncoder {
    clock: LocalClock,
    home_url: String,
}

/// Where the reader of an event is.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Tells times.
    pub clock: &'a LocalClock,
    /// The address of the home page: what files' addresses begin with.
    pub home_url: &'a str,
    /// The room that the event is in.
    pub code: RoomCode,
}

impl LineEncoder {
    /// Times are shown as `clock` tells them. Files' addresses begin with `home_url`.
    pub fn new(clock: LocalClock, home_url: String) -> LineEncoder {
        LineEncoder { clock, home_url }
    }
}

impl Encoder for LineEncoder {
    fn encode_event(&self, room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        write_event(event, &Place { clock: &self.clock, home_url: &self.home_url, code: *room }, out);
    }

    fn encode_between(&self, earlier_ms: u64, later_ms: u64, out: &mut Vec<u8>) {
        if !self.clock.is_same_day(earlier_ms, later_ms) {
            write_day(self.clock.date(later_ms), out);
        }
    }

    fn echoes(&self) -> bool {
        false
    }

    fn quotes(&self) -> bool {
        true
    }

    /// A person at a terminal cannot come back by it: its place would only keep its name from it.
    fn tells_token(&self) -> bool {
        false
    }
}

/// One JSON object a line, each ended by LF.
pub struct JsonLineEncoder;

impl Encoder for JsonLineEncoder {
    fn encode_event(&self, room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        json::write_event(*room, event, out);
        out.push(b'\n');
    }

    fn encode_enter(&self, room: &RoomCode, event: &Event, marks: Marks, out: &mut Vec<u8>) {
        json::write_enter(*room, event, marks, out);
        out.push(b'\n');
    }

    fn encode_typing(&self, _room: &RoomCode, name: &Name, out: &mut Vec<u8>) {
        json::write_typing(name, out);
        out.push(b'\n');
    }
}

/// Appends an event as a person reads it.
///
/// What is said has a time, notices have none: so nothing that is said looks like a notice. What is done with something
/// that was said has a time, and the name stands in angle brackets behind a star, as nothing that is said has it. A file is
/// something that is said: what is shown of it can be said by hand, and is worth its address and no more.
pub fn write_event(event: &Event, place: &Place<'_>, out: &mut Vec<u8>) {
    let clock = place.clock;
    match &event.body {
        Body::Message { text, .. } if event.body.file().is_some() => {
            write_time(event, clock, out);
            event.body.file().iter().for_each(|file| write_shared(&event.name, file, place, out));
            if !text.as_str().is_empty() {
                out.extend(CONTINUATION);
                write_text(text.as_str(), out);
            }
        }
        Body::Message { kind, text, annotations, .. } => {
            write_time(event, clock, out);
            match kind {
                Kind::Say => {
                    out.push(b'<');
                    write_name(&event.name, out);
                    out.extend(b"> ");
                }
                Kind::Me => {
                    out.extend(b"* ");
                    write_name(&event.name, out);
                    out.push(b' ');
                }
            }
            write_text(text.as_str(), out);
            if let Some(annotations) = annotations.as_ref().filter(|annotations| annotations.reply_to.is_some()) {
                write_replied_to(annotations.quote.as_ref(), out);
            }
        }
        Body::Deleted { .. } => write_deed(event, clock, ": a message that was deleted", out),
        Body::Edit { text: Some(text), .. } => {
            write_deed(event, clock, " corrected: \"", out);
            write_in_one_line(text.as_str(), out);
            out.push(b'"');
        }
        Body::Edit { text: None, .. } => write_deed(event, clock, " corrected a message that was deleted", out),
        Body::Delete { of_whom: None, .. } => write_deed(event, clock, " deleted a message", out),
        Body::Delete { of_whom: Some(whom), .. } => {
            write_deed(event, clock, " deleted a message of <", out);
            write_name(whom, out);
            out.push(b'>');
        }
        Body::Reaction { emoji, on, quote, .. } => {
            write_deed(event, clock, if *on { " " } else { " took back " }, out);
            out.extend(emoji.as_str().as_bytes());
            match quote {
                Some(quote) => {
                    out.extend(b" \"");
                    write_quoted(quote, out);
                    out.push(b'"');
                }
                None => out.extend(b" an earlier message"),
            }
        }
        Body::Enter => {
            write_notice_of(&event.name, " came in (", out);
            out.extend(event.via.as_str().as_bytes());
            out.push(b')');
        }
        Body::Part => write_notice_of(&event.name, " left", out),
        Body::Nick { to } => {
            write_notice_of(&event.name, " is now ", out);
            write_name(to, out);
        }
        Body::Topic { .. } | Body::Mode { .. } | Body::Kick { .. } => moderation::write_moderation(event, out),
    }
    out.extend(b"\r\n");
}

/// Appends who shares which file, and where it is found.
fn write_shared(name: &Name, file: &SharedFile, place: &Place<'_>, out: &mut Vec<u8>) {
    out.extend(b"* ");
    write_name(name, out);
    out.extend(b" shares ");
    write_in_one_line(file.name.as_str(), out);
    let (home_url, path) = (place.home_url.trim_end_matches('/'), file.path(place.code));
    write!(out, " ({}) {home_url}{path}", size_words(file.size_bytes)).expect("writing into memory does not fail");
}

/// Appends that another day begins.
pub fn write_day(date: Date, out: &mut Vec<u8>) {
    write!(out, "* -- {} --\r\n", date.strftime("%A %-d %B")).expect("writing into memory does not fail");
}

/// Appends a name. Angle brackets in it become others, so that nobody's name looks like another one's message.
pub fn write_name(name: &Name, out: &mut Vec<u8>) {
    if !name.as_str().contains(['<', '>']) {
        return out.extend(name.as_str().as_bytes());
    }
    for character in name.as_str().chars() {
        let shown = match character {
            '<' => '‹',
            '>' => '›',
            character => character,
        };
        out.extend(shown.encode_utf8(&mut [0; 4]).bytes());
    }
}

fn write_time(event: &Event, clock: &LocalClock, out: &mut Vec<u8>) {
    let (hour, minute) = clock.hour_and_minute(event.time_ms);
    out.extend([b'0' + hour / 10, b'0' + hour % 10, b':', b'0' + minute / 10, b'0' + minute % 10, b' ']);
}

/// What somebody has done with something that was said.
fn write_deed(event: &Event, clock: &LocalClock, what: &str, out: &mut Vec<u8>) {
    write_time(event, clock, out);
    out.extend(b"* <");
    write_name(&event.name, out);
    out.push(b'>');
    out.extend(what.as_bytes());
}

/// Appends, below a reply, what it replies to.
fn write_replied_to(quote: Option<&Quote>, out: &mut Vec<u8>) {
    out.extend(REPLY);
    match quote {
        Some(quote) => {
            out.push(b'<');
            write_name(&quote.name, out);
            out.extend(b"> ");
            write_quoted(quote, out);
        }
        None => out.extend(b"an earlier message"),
    }
}

fn write_quoted(quote: &Quote, out: &mut Vec<u8>) {
    write_in_one_line(&quote.text, out);
    if quote.is_cut {
        out.extend("…".as_bytes());
    }
}

/// Appends a text with its line breaks made spaces.
fn write_in_one_line(text: &str, out: &mut Vec<u8>) {
    for character in text.trim_end_matches(is_line_break).chars().filter(|character| !is_bidi_control(*character)) {
        let shown = if is_line_break(character) || character == '\t' { ' ' } else { character };
        out.extend(shown.encode_utf8(&mut [0; 4]).bytes());
    }
}

fn write_notice_of(name: &Name, what: &str, out: &mut Vec<u8>) {
    out.extend(b"* ");
    write_name(name, out);
    out.extend(what.as_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // Every line break and bidi control but `\n` begins with this byte: most texts have none, and go as they are.
    if !text.bytes().any(|byte| byte == b'\n' || byte == 0xE2) {
        return out.extend(text.as_bytes());
    }
    let text = text.trim_end_matches(is_line_break);
    let mark = line_mark(text);
    let shows = |line: &&str| mark != SEPARATOR || line.contains(|character| !is_bidi_control(character));
    for (number, line) in text.split(is_line_break).filter(shows).enumerate() {
        if number > 0 {
            out.extend(mark);
        }
        for harmless in line.split(is_bidi_control) {
            out.extend(harmless.as_bytes());
        }
    }
}

/// What parts the lines of a text: the longest mark with which it is shown in twice its bytes at the most.
///
/// A mark takes the place of a line break. The last one fits always: it parts lines of which each has a byte, so what
/// it adds, two bytes for each break, are not more than there are bytes.
fn line_mark(text: &str) -> &'static [u8] {
    let breaks = text.matches(is_line_break).count();
    let fits = |mark: &[u8]| breaks * (mark.len() - 1) <= text.len();
    match breaks {
        ..=FEW_LINES => CONTINUATION,
        _ if fits(CONTINUATION) => CONTINUATION,
        _ if fits(SHORT_CONTINUATION) => SHORT_CONTINUATION,
        _ => SEPARATOR,
    }
}

fn is_line_break(character: char) -> bool {
    matches!(character, '\n' | '\u{2028}' | '\u{2029}')
}

/// Embeddings, overrides and isolates: they would turn around what stands behind them, other people's
/// names included.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
