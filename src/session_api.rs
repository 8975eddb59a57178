//! What a protocol and the reactor agree on.
//!
//! A protocol is bytes and time in, [`Command`]s out, replies into an outbox: it knows no socket and no
//! other protocol. The reactor calls it; it never calls back.

use crate::files::{Content, StoreFault, UploadRefusal};
use crate::proxy_protocol::Source;
use crate::rooms::{Command, EncoderId, FileId, Reply, Rooms};
use crate::time::Now;

/// Received bytes that no session has consumed yet.
pub struct Input<'a> {
    bytes: &'a mut [u8],
    position: usize,
    has_ended: bool,
}

impl<'a> Input<'a> {
    /// All of `bytes`; `has_ended`: the peer sends no more after them.
    pub fn new(bytes: &'a mut [u8], has_ended: bool) -> Input<'a> {
        Input { bytes, position: 0, has_ended }
    }

    /// What is not consumed yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    /// What is not consumed yet, for decoding in place.
    pub fn rest_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.position..]
    }

    /// Marks the next `count` bytes as consumed.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.rest().len());
        self.position += count;
    }

    /// How many bytes were consumed so far.
    pub fn consumed(&self) -> usize {
        self.position
    }

    /// Whether the peer has closed its side: after [`rest`](Self::rest) nothing comes any more.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// What a session wants after it has looked at its input.
#[derive(Debug)]
pub enum Step {
    /// More bytes, or nothing at all if there are none: everything that could be done is done. At the end of
    /// the input this means that the session is over.
    NeedInput,
    /// Have the rooms execute this. If it is a command that is answered
    /// ([`Command::is_answered`]), the session sees no input until it has seen the reply.
    Command(Command),
    /// See no input before this time (`Now::steady_ms`), then go on with the same bytes.
    PauseUntil {
        /// When to go on.
        steady_ms: u64,
    },
    /// Send what is queued, then close in good order. The session sees no input any more.
    Close,
    /// As [`Close`](Self::Close), since the peer broke the protocol; it is counted.
    Fault,
    /// Go on as a WebSocket, with the bytes that are left.
    Upgrade(Upgrade),
    /// Go on as what is spoken there, with the bytes that are left: the proxy has said from whom they come.
    Proxied(Source),
    /// Have something done about the file that arrives over this connection.
    File(FileRequest),
    /// See no input before something has come of that.
    AwaitFile,
}

/// What a session asks about the file that arrives over its connection. Each is answered by one [`FileReply`]. A connection
/// that ends before its file is shared has it removed.
#[derive(Debug)]
pub enum FileRequest {
    /// A file is to arrive. Answered at once.
    Begin {
        /// Of so many bytes, if that is known.
        declared_bytes: Option<u64>,
    },
    /// Its next bytes, at most about a [chunk](crate::files::CHUNK_BYTES): not before the former ones are written.
    Write(Vec<u8>),
    /// It has arrived whole.
    Finish,
}

/// What has come of it.
#[derive(Debug)]
pub enum FileReply {
    /// The file may arrive.
    Begun,
    /// Bytes are written, and this was their buffer.
    Written(Vec<u8>),
    /// The file is stored.
    Stored {
        /// Under this id.
        id: FileId,
        /// What it is.
        content: Content,
    },
    /// It may not be stored, and what there was of it is removed.
    Refused(UploadRefusal),
    /// It cannot be stored, and what there was of it is removed.
    Failed(StoreFault),
}

/// A part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilePart {
    /// Of which file.
    pub id: FileId,
    /// From this byte on.
    pub position: u64,
    /// So many bytes.
    pub length_bytes: u64,
}

/// What a WebSocket takes along from the HTTP request that asked for it.
#[derive(Debug, Default)]
pub struct Upgrade {
    /// The sessions that the browser has, from its cookie.
    pub sessions: Vec<(crate::rooms::RoomCode, crate::rooms::Token)>,
    /// The name for which a trusted proxy vouches.
    pub vouched_name: Option<crate::rooms::Name>,
    /// The client's address, as a trusted proxy reports it.
    pub forwarded_for: Option<core::net::IpAddr>,
    /// What the client is answered if the connection may go on.
    pub response: Vec<u8>,
}

/// Whether a session goes on after a reply or a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Flow {
    /// It goes on.
    Continue,
    /// Send what is queued, then close in good order.
    Close,
    /// Send what is queued, then a part of a file; then go on, or close.
    SendFile {
        /// Which part.
        part: FilePart,
        /// It is closed after that.
        then_closes: bool,
    },
}

/// A protocol that is brought from outside: for tests, for examples, and to try one out.
pub trait Protocol {
    /// Looks at the input.
    fn receive(&mut self, input: &mut Input<'_>, now: Now, outbox: &mut Vec<u8>) -> Step;

    /// Writes an answer of the rooms.
    fn reply(&mut self, reply: Reply, rooms: &Rooms, now: Now, outbox: &mut Vec<u8>) -> Flow;

    /// The peer reads too slowly to be sent everything.
    fn say_too_slow(&self, outbox: &mut Vec<u8>) {
        let _ = outbox;
    }

    /// The encoding in which it reads its rooms.
    fn encoder(&self) -> EncoderId;
}

/// The encodings in which rooms are read, in the order in which they are given to the rooms.
pub mod encoders {
    use crate::rooms::EncoderId;

    /// JSON in WebSocket text frames.
    pub const WEB: EncoderId = EncoderId(0);
    /// Lines for people at terminals.
    pub const LINE: EncoderId = EncoderId(1);
    /// JSON, one object a line.
    pub const JSON_LINES: EncoderId = EncoderId(2);
}
