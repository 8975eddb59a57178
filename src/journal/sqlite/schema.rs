//! What the data file looks like inside: its tables, and the marks by which it is known.

use rusqlite::Connection;

/// Marks a file as one of ours: "snug" in ASCII (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"snug");

/// What the tables below are called as a whole (`PRAGMA user_version`). A change to them is a new version, and
/// needs a way from each older one (`migration`).
pub(super) const VERSION: i32 = 5;

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
    last_author INTEGER NOT NULL,
    keyed_id INTEGER NOT NULL DEFAULT 0  -- the last event that message_key knows of
) STRICT;

CREATE TABLE event (
    room INTEGER NOT NULL,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    author INTEGER NOT NULL,
    name TEXT NOT NULL,
    via TEXT NOT NULL,
    kind TEXT NOT NULL,          -- of a message: say or me; else enter, part, nick, edit, delete, react, unreact, topic,
                                 -- mode or kick
    text TEXT,                   -- of a message, NULL if it was deleted; of a nick, the new name; of a reaction, the
                                 -- emoji; of what operators did, a line
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
///
/// Those ids may be random: an index of them all is written to at another place with each message, and a commit has twice
/// as many pages to write. So the events of a room are taken in segments, each of which is written to for a while and
/// then never again, and in batches; who looks for a message goes through the segments.
///
/// Some segments stay when their events are gone. Segment -1 has what is kept of those before them: the last messages
/// of members that may come back and have said nothing since.
pub(super) const MESSAGE_KEYS: &str = "
CREATE TABLE message_key (
    room INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    author INTEGER NOT NULL,
    cid TEXT NOT NULL,
    id INTEGER NOT NULL,         -- of the event
    PRIMARY KEY (room, segment, author, cid)
) STRICT, WITHOUT ROWID;
";

/// What became of a message stands in the message itself and in the events of that. An edited text takes the place of
/// the one before wherever that stands, in the message and in all its edits, and a deletion takes it from all of them.
pub(super) const AMENDMENTS: &str = "
ALTER TABLE event ADD COLUMN of INTEGER;  -- the event that is replied to, edited, deleted or reacted to
CREATE INDEX amendment ON event (room, of, kind) WHERE of IS NOT NULL;
";

/// Names that are somebody's own. What was asked of a server that runs waits in a table until it is done.
pub(super) const ACCOUNTS: &str = "
CREATE TABLE account (
    account INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    password_hash TEXT           -- Argon2id, as a PHC string; NULL: nobody can come by a password
) STRICT;
CREATE TABLE account_request (
    request INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    action TEXT NOT NULL,        -- add, password or remove
    password_hash TEXT
) STRICT;
ALTER TABLE member ADD COLUMN account INTEGER;  -- whose name it bears by right
CREATE INDEX bearer ON member (account) WHERE account IS NOT NULL;
";

/// What operators have made of rooms, in the tables above and two of its own. Of a key there is only the hash; of a banned
/// member, what it is known by again.
pub(super) const MODERATION: &str = "
ALTER TABLE member ADD COLUMN is_operator INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN topic TEXT;
ALTER TABLE room ADD COLUMN is_locked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN key_hash BLOB;        -- SHA-256 of the epoch and the key
ALTER TABLE room ADD COLUMN slow_seconds INTEGER NOT NULL DEFAULT 0;

CREATE TABLE ban (
    room INTEGER NOT NULL,
    name TEXT NOT NULL,
    token_hash BLOB,             -- the first half of it
    account INTEGER,             -- whose name it bore by right
    address INTEGER,             -- an IPv4 address, or the first half of an IPv6 one
    until INTEGER NOT NULL,
    banned_by TEXT NOT NULL,     -- the operator's name
    PRIMARY KEY (room, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE mute (
    room INTEGER NOT NULL,
    author INTEGER NOT NULL,
    name TEXT NOT NULL,
    until INTEGER,               -- NULL: until it is taken back
    PRIMARY KEY (room, author)
) STRICT, WITHOUT ROWID;
";

/// Files that were shared. Their bytes lie elsewhere.
pub(super) const FILES: &str = "
ALTER TABLE event ADD COLUMN file TEXT;  -- a line; of a message that was deleted, NULL
CREATE INDEX shared ON event (room) WHERE file IS NOT NULL;
";

/// Those who left rooms for good, or were thrown out: by their secrets they get the numbers again that they had, and say
/// nothing twice.
pub(super) const LEFT: &str = "
CREATE TABLE left_for_good (
    number INTEGER PRIMARY KEY,  -- grows with each one that leaves a room
    room INTEGER NOT NULL,
    author INTEGER NOT NULL,
    token_hash BLOB NOT NULL     -- the first half of it
) STRICT;
CREATE INDEX left_room ON left_for_good (room);
ALTER TABLE member ADD COLUMN seniority INTEGER;  -- the highest number given when it came; NULL: its own
";

/// Puts the client ids of events into the table above. A condition follows.
pub(super) fn key_messages() -> String {
    format!("INSERT OR REPLACE INTO message_key SELECT room, id / {SEGMENT_EVENTS}, author, cid, id FROM event")
}

/// Events whose client ids, and whose words, are in one segment.
pub(super) const SEGMENT_EVENTS: i64 = 1024;

/// The segment of what is kept of segments that are gone.
pub(super) const LAST_MESSAGES: i64 = -1;

/// The segment that an event's client id is in.
pub(super) fn segment_of(id: u64) -> i64 {
    id.cast_signed() / SEGMENT_EVENTS
}

/// The id with which a segment begins.
pub(super) fn first_id_of(segment: i64) -> u64 {
    (segment * SEGMENT_EVENTS).cast_unsigned()
}

/// The words of what was said in the segments of a room that are indexed, and which segments these are. Rooms that keep
/// few events have none.
pub(super) const SEARCH: &str = "
CREATE TABLE word (
    room INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    word TEXT NOT NULL,
    ids BLOB NOT NULL,           -- of the events that have it, less the segment's first
    PRIMARY KEY (room, segment, word)
) STRICT, WITHOUT ROWID;
CREATE TABLE indexed (
    room INTEGER PRIMARY KEY,
    first_segment INTEGER NOT NULL,
    end_segment INTEGER NOT NULL -- the first one behind them
) STRICT;
";

/// The events that are found by a search.
pub(super) const SEARCHED: &str = "kind IN ('say', 'me') AND text IS NOT NULL";

/// Makes an empty file one of ours, wholly or not at all.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} {MEMBERS} {MESSAGE_KEYS} {AMENDMENTS} {SEARCH} {ACCOUNTS} {MODERATION} {FILES} {LEFT} \
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}
