//! How values of ours stand in columns.
//!
//! Everything was written by this program, so what cannot be read back means that the file is damaged. It may have been
//! an earlier version with other rules: what it took is read as well.

use std::borrow::Cow;

use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

use crate::rooms::{
    Annotations, AuthorId, Body, Emoji, Event, Kind, MessageKey, ModeChange, Name, SharedFile, ShortTokenHash, Text,
    TokenHash, Via,
};

/// An event's columns in the order in which [`event`] reads them.
pub(super) const EVENT: &str = "id, time, author, name, via, kind, text, cid, of, file";

/// The same of a file of this version.
pub(super) fn event_of_version(version: i32) -> &'static str {
    match version {
        ..3 => "id, time, author, name, via, kind, text, cid, NULL, NULL",
        3 => "id, time, author, name, via, kind, text, cid, of, NULL",
        _ => EVENT,
    }
}

/// What a search of a message looks at, which has these in its columns `text` and `file`.
pub(super) fn searched_text<'a>(text: &'a str, file: Option<&str>) -> Cow<'a, str> {
    match file.and_then(SharedFile::parse) {
        None => text.into(),
        Some(file) => format!("{}\n{text}", file.name).into(),
    }
}

/// Numbers and times; SQLite has no unsigned integers, and none of ours ever gets so high.
pub(super) fn number(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(row.get::<_, i64>(column)?.max(0).cast_unsigned())
}

pub(super) fn author(row: &Row<'_>, column: usize) -> Result<AuthorId> {
    row.get(column).map(AuthorId)
}

pub(super) fn token_hash(row: &Row<'_>, column: usize) -> Result<TokenHash> {
    row.get(column).map(TokenHash::from_bytes)
}

pub(super) fn short_token_hash(row: &Row<'_>, column: usize) -> Result<ShortTokenHash> {
    row.get(column).map(ShortTokenHash::from_bytes)
}

/// A text that `parse` makes something of.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let damaged = || Error::InvalidColumnType(column, "text as this program writes it".to_owned(), Type::Text);
    parse(text).ok_or_else(damaged)
}

pub(super) fn event(row: &Row<'_>) -> Result<Event> {
    let is_there = |column| Ok::<_, Error>(row.get_ref(column)? != rusqlite::types::ValueRef::Null);
    let text = || is_there(6)?.then(|| parsed(row, 6, |text| Text::clean(text, usize::MAX).ok())).transpose();
    let cid = || is_there(7)?.then(|| parsed(row, 7, MessageKey::parse)).transpose();
    let of = || is_there(8)?.then(|| number(row, 8)).transpose();
    let amended = || number(row, 8);
    let kind: String = row.get(5)?;
    let body = match kind.as_str() {
        "enter" => Body::Enter,
        "part" => Body::Part,
        "nick" => Body::Nick { to: parsed(row, 6, Name::stored)? },
        "edit" => Body::Edit { of: amended()?, text: text()?, cid: cid()? },
        "delete" => {
            Body::Delete { of: amended()?, of_whom: is_there(6)?.then(|| parsed(row, 6, Name::stored)).transpose()? }
        }
        "react" | "unreact" => {
            let (emoji, on) = (parsed(row, 6, Emoji::parse)?, kind == "react");
            Body::Reaction { of: amended()?, emoji, on, quote: None }
        }
        "topic" => Body::Topic { text: text()? },
        "mode" => Body::Mode { change: parsed(row, 6, ModeChange::parse)? },
        "kick" => parsed(row, 6, Body::parse_kick)?,
        kind => {
            let kind = [Kind::Say, Kind::Me].into_iter().find(|known| known.as_str() == kind);
            let kind = parsed(row, 5, |_| kind)?;
            let cid = cid()?;
            let file = is_there(9)?.then(|| parsed(row, 9, SharedFile::parse)).transpose()?;
            let is_wordless = file.is_some() && row.get_ref(6)?.as_str().is_ok_and(str::is_empty);
            match if is_wordless { Some(Text::none()) } else { text()? } {
                Some(text) => {
                    let annotations = Annotations { reply_to: of()?, file, ..Annotations::default() }.boxed();
                    Body::Message { kind, text, cid, annotations }
                }
                None => Body::Deleted { kind, cid },
            }
        }
    };
    Ok(Event {
        id: number(row, 0)?,
        time_ms: number(row, 1)?,
        author: author(row, 2)?,
        name: parsed(row, 3, Name::stored)?,
        via: parsed(row, 4, Via::parse)?,
        body,
    })
}

/// What stands in the columns `kind`, `text`, `cid` and `of`.
pub(super) fn of_body(body: &Body) -> (&'static str, Option<Cow<'_, str>>, Option<&str>, Option<u64>) {
    match body {
        Body::Message { kind, text, cid, annotations } => {
            let reply_to = annotations.as_ref().and_then(|annotations| annotations.reply_to);
            (kind.as_str(), Some(text.as_str().into()), cid.as_ref().map(MessageKey::as_str), reply_to)
        }
        Body::Deleted { kind, cid } => (kind.as_str(), None, cid.as_ref().map(MessageKey::as_str), None),
        Body::Edit { of, text, cid } => {
            let text = text.as_ref().map(|text| text.as_str().into());
            ("edit", text, cid.as_ref().map(MessageKey::as_str), Some(*of))
        }
        Body::Delete { of, of_whom } => ("delete", of_whom.as_ref().map(|name| name.as_str().into()), None, Some(*of)),
        Body::Reaction { of, emoji, on, .. } => {
            (if *on { "react" } else { "unreact" }, Some(emoji.as_str().into()), None, Some(*of))
        }
        Body::Enter => ("enter", None, None, None),
        Body::Part => ("part", None, None, None),
        Body::Nick { to } => ("nick", Some(to.as_str().into()), None, None),
        Body::Topic { text } => ("topic", text.as_ref().map(|text| text.as_str().into()), None, None),
        Body::Mode { change } => ("mode", Some(change.to_text().into()), None, None),
        Body::Kick { name, reason } => ("kick", Some(Body::kick_text(name, reason.as_ref()).into()), None, None),
    }
}
