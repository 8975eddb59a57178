//! What the data file looks like inside: its tables, and the marks by which it is known.

use rusqlite::Connection;

/// Marks a file as one of ours: "snug" in ASCII (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"snug");

/// What the tables below are called as a whole (`PRAGMA user_version`). A change to them is a new version, and
/// needs a way from each older one (`migration`).
pub(super) const VERSION: i32 = 2;

/// A room's events stand side by side, in their order, since that is how they are read. A room has no count of
/// them: the first and the last are found at the ends. Times are milliseconds since 1970, UTC.
///
/// `auto_vacuum` stays off: the pages of what is deleted are used again for what comes, so that the file does
/// not grow beyond what was ever in it at once; giving them back to the system would be more writing for
/// every page, for space that is likely to be needed again.
const TABLES: &str = "
CREATE TABLE file (
    was_closed INTEGER NOT NULL  -- in good order, by whoever wrote to it last
) STRICT;
INSERT INTO file VALUES (0);

CREATE TABLE room (
    room INTEGER PRIMARY KEY,
    code TEXT UNIQUE,            -- NULL once it is over; then its events are deleted little by little
    epoch TEXT NOT NULL UNIQUE,
    last_time INTEGER NOT NULL,  -- of its beginning, or of the last place that was given up
    last_author INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    room INTEGER NOT NULL,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    author INTEGER NOT NULL,
    name TEXT NOT NULL,
    via TEXT NOT NULL,
    kind TEXT NOT NULL,          -- of a message: say or me; else enter, part or nick
    text TEXT,                   -- of a message; of a nick, the new name
    cid TEXT,
    PRIMARY KEY (room, id)
) STRICT, WITHOUT ROWID;
";

/// Of a token there is only the hash, so that nobody who gets hold of a file can come as somebody else.
pub(super) const MEMBERS: &str = "
CREATE TABLE member (
    room INTEGER NOT NULL,
    author INTEGER NOT NULL,
    token_hash BLOB NOT NULL,    -- SHA-256 of the token's 32 lower-case digits
    name TEXT NOT NULL,
    via TEXT NOT NULL,
    has_entered INTEGER NOT NULL,
    departed INTEGER,            -- NULL: has a place; else grows with each one that leaves the room
    PRIMARY KEY (room, author)
) STRICT, WITHOUT ROWID;
CREATE INDEX departed ON member (room, departed) WHERE departed IS NOT NULL;
";

/// Finds what somebody said by the client's own id for it.
pub(super) const SAID: &str = "
CREATE INDEX said ON event (room, author, cid) WHERE cid IS NOT NULL;
";

/// Makes an empty file one of ours, wholly or not at all.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} {MEMBERS} {SAID} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}
