//! What becomes of messages in the tables: corrected, deleted, reacted to.

use rusqlite::{Connection, Result, params};

use super::{columns, search_index};
use crate::rooms::{Body, Emoji, Event, Name, Reactions, Text};

/// Puts another text in the place of a message's, wherever it stands: in the message and in all its edits. `None`: it is
/// deleted, and a file with it. A text that is deleted already does not come back.
pub(super) fn set_text(connection: &Connection, room: i64, of: u64, text: Option<&Text>) -> Result<()> {
    let text = text.map(Text::as_str);
    search_index::reindex(connection, room, of, text)?;
    connection
        .prepare_cached(
            "UPDATE event SET text = ?3, file = iif(?3 IS NULL, NULL, file) \
             WHERE room = ?1 AND id = ?2 AND kind IN ('say', 'me') AND text IS NOT NULL",
        )?
        .execute(params![room, of.cast_signed(), text])?;
    connection
        .prepare_cached(
            "UPDATE event SET text = ?3 WHERE room = ?1 AND of = ?2 AND kind = 'edit' AND text IS NOT NULL",
        )?
        .execute(params![room, of.cast_signed(), text])?;
    Ok(())
}

/// Tells of messages, which are in the order of their ids and in a row, that they were edited, and who reacted to them.
pub(super) fn annotate(connection: &Connection, room: i64, events: &mut [Event]) -> Result<()> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    let ids = params![room, first.id.cast_signed(), last.id.cast_signed()];
    let mut select = connection.prepare_cached(
        "SELECT of, kind, text, author, name FROM event WHERE room = ?1 AND of BETWEEN ?2 AND ?3 \
         AND kind IN ('edit', 'react', 'unreact') ORDER BY id",
    )?;
    let mut rows = select.query(ids)?;
    while let Some(row) = rows.next()? {
        let of = columns::number(row, 0)?;
        let Ok(index) = events.binary_search_by_key(&of, |event| event.id) else { continue };
        let Body::Message { annotations, .. } = &mut events[index].body else { continue };
        let mut noted = annotations.take().map(|annotations| *annotations).unwrap_or_default();
        let kind: String = row.get(1)?;
        if kind == "edit" {
            noted.is_edited = true;
        } else {
            let (emoji, name) = (columns::parsed(row, 2, Emoji::parse)?, columns::parsed(row, 4, Name::stored)?);
            Reactions::set(&mut noted.reactions, &emoji, columns::author(row, 3)?, &name, kind == "react");
        }
        *annotations = noted.boxed();
    }
    Ok(())
}
