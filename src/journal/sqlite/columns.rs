//! How values of ours stand in columns.
//!
//! Everything was written by this program, so what cannot be read back means that the file is damaged. It may have been
//! an earlier version with other rules: what it took is read as well.

use std::borrow::Cow;

use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

use crate::rooms::{AuthorId, Body, Event, Kind, MessageKey, ModeChange, Name, Text, TokenHash, Via};

/// An event's columns in the order in which [`event`] reads them.
pub(super) const EVENT: &str = "id, time, author, name, via, kind, text, cid";

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

/// A text that `parse` makes something of.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let damaged = || Error::InvalidColumnType(column, "text as this program writes it".to_owned(), Type::Text);
    parse(text).ok_or_else(damaged)
}

pub(super) fn event(row: &Row<'_>) -> Result<Event> {
    let text = |column| parsed(row, column, |text| Text::clean(text, usize::MAX).ok());
    let kind: String = row.get(5)?;
    let body = match kind.as_str() {
        "enter" => Body::Enter,
        "part" => Body::Part,
        "nick" => Body::Nick { to: parsed(row, 6, Name::stored)? },
        "topic" if row.get_ref(6)? == rusqlite::types::ValueRef::Null => Body::Topic { text: None },
        "topic" => Body::Topic { text: Some(text(6)?) },
        "mode" => Body::Mode { change: parsed(row, 6, ModeChange::parse)? },
        "kick" => parsed(row, 6, Body::parse_kick)?,
        kind => {
            let kind = [Kind::Say, Kind::Me].into_iter().find(|known| known.as_str() == kind);
            let kind = parsed(row, 5, |_| kind)?;
            let has_cid = row.get_ref(7)? != rusqlite::types::ValueRef::Null;
            let cid = has_cid.then(|| parsed(row, 7, MessageKey::parse)).transpose()?;
            Body::Message { kind, text: text(6)?, cid }
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

/// What stands in the columns `kind`, `text` and `cid`.
pub(super) fn of_body(body: &Body) -> (&'static str, Option<Cow<'_, str>>, Option<&str>) {
    match body {
        Body::Message { kind, text, cid } => {
            (kind.as_str(), Some(text.as_str().into()), cid.as_ref().map(MessageKey::as_str))
        }
        Body::Enter => ("enter", None, None),
        Body::Part => ("part", None, None),
        Body::Nick { to } => ("nick", Some(to.as_str().into()), None),
        Body::Topic { text } => ("topic", text.as_ref().map(|text| text.as_str().into()), None),
        Body::Mode { change } => ("mode", Some(change.to_text().into()), None),
        Body::Kick { name, reason } => ("kick", Some(Body::kick_text(name, reason.as_ref()).into()), None),
    }
}
