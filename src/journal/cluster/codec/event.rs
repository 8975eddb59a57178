//! An event as tokens: `KIND TIME VIA AUTHOR NAME`, then what its kind has, each with a key.
//!
//! | kind              | keys                                                            |
//! |-------------------|-----------------------------------------------------------------|
//! | `say`, `me`       | `cid`: the client's id; `re`: the event that it replies to      |
//! | `edit`            | `of`: the message; `cid`                                        |
//! | `delete`          | `of`; `whom`: whose message it was, if it was somebody else's   |
//! | `react`,`unreact` | `of`; `emoji`                                                   |
//! | `enter`, `part`   |                                                                 |
//! | `nick`            | `to`                                                            |
//! | `topic`           | `text`, if there is one                                         |
//! | `mode`            | `mode`: as [`ModeChange::to_text`] gives it                     |
//! | `kick`            | `whom`; `why`                                                   |
//!
//! What a message or its correction says, and a file, are no tokens: they stand in lines of their own, to be emptied.

use std::borrow::Cow;

use super::tokens::{Tokens, read_number, read_token, write_field, write_number, write_number_field, write_token};
use super::{CodecFault, damaged};
use crate::rooms::{
    Annotations, AuthorId, Body, Emoji, Event, Kind, MessageKey, ModeChange, Name, SharedFile, Text, Via,
};

/// An event that was read.
pub(super) struct ReadEvent {
    pub event: Event,
    /// It is a message without words and without a file: its text was emptied.
    pub is_cut: bool,
}

/// Appends the tokens of an event, but for its number.
pub(super) fn write_event(event: &Event, out: &mut Vec<u8>) {
    let Event { id: _, time_ms, name, via, author, body } = event;
    out.extend_from_slice(kind(body).as_bytes());
    out.push(b' ');
    write_number(*time_ms, out);
    out.push(b' ');
    out.extend_from_slice(via.as_str().as_bytes());
    out.push(b' ');
    write_number(author.0.into(), out);
    out.push(b' ');
    write_token(name.as_str(), out);
    let write_cid = |cid: &Option<MessageKey>, out: &mut Vec<u8>| {
        if let Some(cid) = cid {
            write_field("cid", cid.as_str(), out);
        }
    };
    match body {
        Body::Message { cid, annotations, .. } => {
            write_cid(cid, out);
            if let Some(reply_to) = annotations.as_ref().and_then(|annotations| annotations.reply_to) {
                write_number_field("re", reply_to, out);
            }
        }
        Body::Deleted { cid, .. } => write_cid(cid, out),
        Body::Edit { of, cid, .. } => {
            write_number_field("of", *of, out);
            write_cid(cid, out);
        }
        Body::Delete { of, of_whom } => {
            write_number_field("of", *of, out);
            of_whom.as_ref().inspect(|name| write_field("whom", name.as_str(), out));
        }
        Body::Reaction { of, emoji, .. } => {
            write_number_field("of", *of, out);
            write_field("emoji", emoji.as_str(), out);
        }
        Body::Enter | Body::Part => (),
        Body::Nick { to } => write_field("to", to.as_str(), out),
        Body::Topic { text } => drop(text.as_ref().inspect(|text| write_field("text", text.as_str(), out))),
        Body::Mode { change } => write_field("mode", &change.to_text(), out),
        Body::Kick { name, reason } => {
            write_field("whom", name.as_str(), out);
            reason.as_ref().inspect(|reason| write_field("why", reason.as_str(), out));
        }
    }
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::Message { kind, .. } | Body::Deleted { kind, .. } => kind.as_str(),
        Body::Edit { .. } => "edit",
        Body::Delete { .. } => "delete",
        Body::Reaction { on: true, .. } => "react",
        Body::Reaction { on: false, .. } => "unreact",
        Body::Enter => "enter",
        Body::Part => "part",
        Body::Nick { .. } => "nick",
        Body::Topic { .. } => "topic",
        Body::Mode { .. } => "mode",
        Body::Kick { .. } => "kick",
    }
}

/// Appends a line feed and what is said, in one line, and another one and the file.
pub(super) fn write_lines(event: Option<&Event>, out: &mut Vec<u8>) {
    out.push(b'\n');
    let text = event.and_then(|event| match &event.body {
        Body::Message { text, .. } => Some(text),
        Body::Edit { text, .. } => text.as_ref(),
        _ => None,
    });
    if let Some(text) = text {
        // No text has a carriage return.
        out.extend(text.as_str().bytes().map(|byte| if byte == b'\n' { b'\r' } else { byte }));
    }
    out.push(b'\n');
    if let Some(file) = event.and_then(|event| event.body.file()) {
        out.extend_from_slice(file.to_text().as_bytes());
    }
}

/// What stands behind an event's name.
#[derive(Default)]
struct Fields<'l> {
    cid: Option<&'l str>,
    of: Option<&'l str>,
    reply_to: Option<&'l str>,
    emoji: Option<&'l str>,
    whom: Option<&'l str>,
    to: Option<&'l str>,
    text: Option<&'l str>,
    mode: Option<&'l str>,
    why: Option<&'l str>,
}

impl<'l> Fields<'l> {
    fn of(tokens: Tokens<'l>) -> Fields<'l> {
        let mut found = Fields::default();
        for (key, value) in tokens.fields() {
            let place = match key {
                "cid" => &mut found.cid,
                "of" => &mut found.of,
                "re" => &mut found.reply_to,
                "emoji" => &mut found.emoji,
                "whom" => &mut found.whom,
                "to" => &mut found.to,
                "text" => &mut found.text,
                "mode" => &mut found.mode,
                "why" => &mut found.why,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }
}

/// Reads an event of these tokens, and of the lines of its text and its file.
pub(super) fn read_event(head: &str, id: u64, text: &str, file: &str) -> Result<ReadEvent, CodecFault> {
    let mut tokens = Tokens::of(head);
    let kind = tokens.next().ok_or(damaged("an event"))?;
    let time_ms = tokens.number().ok_or(damaged("a time"))?;
    let via = tokens.next().and_then(Via::parse).ok_or(damaged("how somebody is connected"))?;
    let author = tokens.number().map(AuthorId).ok_or(damaged("an author"))?;
    let name = tokens.text().and_then(|name| Name::stored(&name)).ok_or(damaged("a name"))?;
    let (body, is_cut) = read_body(kind, &Fields::of(tokens), text, file)?;
    Ok(ReadEvent { event: Event { id, time_ms, name, via, author, body }, is_cut })
}

fn read_body(kind: &str, fields: &Fields<'_>, text: &str, file: &str) -> Result<(Body, bool), CodecFault> {
    let said_kind = match kind {
        "say" => Some(Kind::Say),
        "me" => Some(Kind::Me),
        _ => None,
    };
    let cid = || parsed(fields.cid, "a message's id", MessageKey::parse);
    let of = || fields.of.and_then(read_number).ok_or(damaged("which message it is about"));
    if let Some(kind) = said_kind {
        let text = read_text(text)?;
        let file = (!file.is_empty()).then(|| SharedFile::parse(file).ok_or(damaged("a file"))).transpose()?;
        let is_cut = text.is_none() && file.is_none();
        let reply_to = parsed(fields.reply_to, "which message is replied to", read_number)?;
        let annotations = (reply_to.is_some() || file.is_some())
            .then(|| Box::new(Annotations { reply_to, file, ..Annotations::default() }));
        let body = Body::Message { kind, text: text.unwrap_or_else(Text::none), cid: cid()?, annotations };
        return Ok((body, is_cut));
    }
    let name = |field| parsed(field, "a name", Name::stored);
    let line = |field| parsed(field, "a line of text", |text| Text::clean(text, usize::MAX).ok());
    let body = match kind {
        "edit" => Body::Edit { of: of()?, text: read_text(text)?, cid: cid()? },
        "delete" => Body::Delete { of: of()?, of_whom: name(fields.whom)? },
        "react" | "unreact" => {
            let emoji = parsed(fields.emoji, "an emoji", Emoji::parse)?.ok_or(damaged("an emoji"))?;
            Body::Reaction { of: of()?, emoji, on: kind == "react", quote: None }
        }
        "enter" => Body::Enter,
        "part" => Body::Part,
        "nick" => Body::Nick { to: name(fields.to)?.ok_or(damaged("a name"))? },
        "topic" => Body::Topic { text: line(fields.text)? },
        "mode" => {
            let change = parsed(fields.mode, "a mode", ModeChange::parse)?.ok_or(damaged("a mode"))?;
            if change.name().is_some_and(|name| Name::stored(name.as_str()).is_none()) {
                return Err(damaged("a name"));
            }
            Body::Mode { change }
        }
        "kick" => {
            let name = name(fields.whom)?.ok_or(damaged("a name"))?;
            Body::Kick { name, reason: line(fields.why)? }
        }
        _ => return Err(damaged("an event")),
    };
    Ok((body, false))
}

/// What `parse` makes of a token, if it is there.
fn parsed<T>(
    token: Option<&str>,
    what: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, CodecFault> {
    let read = |token| read_token(token).and_then(|text| parse(&text)).ok_or(damaged(what));
    token.map(read).transpose()
}

/// `None`: there is no text.
fn read_text(line: &str) -> Result<Option<Text>, CodecFault> {
    if line.is_empty() {
        return Ok(None);
    }
    let has_lines = line.as_bytes().contains(&b'\r');
    let text = if has_lines { Cow::Owned(line.replace('\r', "\n")) } else { Cow::Borrowed(line) };
    Text::clean(&text, usize::MAX).map(Some).map_err(|_| damaged("a text"))
}
