//! Shared files: where their bytes lie, how much of them there may be, and what they are by their content.
//!
//! ```text
//!  session ─ chunks of a body ─► reactor ─► FileStore: threads beside the loop ─► FOLDER/ID
//!  session ◄─ what came of it ── reactor ◄───── wake ◄───────┘
//! ```
//!
//! The loop never waits for a disk: it hands over a [`FileJob`] and goes on, and is woken when a [`FileDone`] is there.
//! What a file is called, and in which room it was shared, is the rooms' affair (`rooms/file`).

mod content;
mod folder;
mod nodes;
mod quotas;
mod reader;
mod store;
mod writer;

pub use folder::{UnusableFolder, folder_beside};
pub use quotas::{Quotas, UploadRefusal};
pub use store::FolderStore;

pub use crate::options::FileLimits;
use crate::rooms::{Dimensions, FileId, FileType, NodeId};

/// A file that is arriving. Never given to another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UploadId(pub u64);

/// Somebody who reads a file. Never given to another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ReaderId(pub u64);

/// Bytes that are handed over at a time: to be written, or as they were read.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Something to be done with files.
#[derive(Debug)]
pub enum FileJob {
    /// Adds bytes to a file that is arriving; the first begin it. Answer: [`FileDone::Written`].
    Write {
        /// Which one.
        upload: UploadId,
        /// At most [`CHUNK_BYTES`].
        bytes: Vec<u8>,
    },
    /// A file has arrived: it is looked at, what tells of its author is taken out of pictures, it is synced, and has its
    /// name from here on. Answer: [`FileDone::Stored`].
    Finish {
        /// Which one.
        upload: UploadId,
        /// Under which name it is kept.
        id: FileId,
    },
    /// A file will never arrive: what there is of it is removed. No answer to this, nor to what was asked of it before
    /// and is not answered yet.
    Abandon {
        /// Which one.
        upload: UploadId,
    },
    /// Reads bytes of a file. Answer: [`FileDone::Read`].
    Read {
        /// For whom.
        reader: ReaderId,
        /// Which file.
        id: FileId,
        /// From which byte on.
        position: u64,
        /// How many, at most [`CHUNK_BYTES`].
        length_bytes: usize,
        /// In which memory, if it has room for them; what it holds counts for nothing.
        buffer: Vec<u8>,
    },
    /// Removes a file, if it is there. No answer.
    Remove {
        /// Which one.
        id: FileId,
    },
    /// The others know this node by another number from here on: its mark is to have it. No answer.
    LeaveMark {
        /// The number.
        node: NodeId,
    },
}

/// What has come of it.
#[derive(Debug)]
pub enum FileDone {
    /// Bytes are written.
    Written {
        /// Of which file.
        upload: UploadId,
        /// The buffer in which they were, empty, to be used again.
        buffer: Vec<u8>,
    },
    /// A file is kept, and will be after a loss of power.
    Stored {
        /// Which one has arrived.
        upload: UploadId,
        /// What it is.
        content: Content,
    },
    /// A file cannot be stored: what there was of it is removed.
    Failed {
        /// Which one.
        upload: UploadId,
        /// Why.
        fault: StoreFault,
    },
    /// Bytes were read: as many as were asked for, and fewer only at the end of the file.
    Read {
        /// For whom.
        reader: ReaderId,
        /// The bytes; `None`: the file is gone, or cannot be read.
        bytes: Option<Vec<u8>>,
    },
}

/// What a stored file is, by its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    /// How many bytes it has.
    pub size_bytes: u64,
    /// Its type.
    pub file_type: FileType,
    /// Of a picture.
    pub dimensions: Option<Dimensions>,
}

/// Why a file cannot be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFault {
    /// The disk, or the share of it that may be used, is full.
    Full,
    /// The disk fails otherwise.
    Failed,
}

/// Where the bytes of files lie.
pub trait FileStore {
    /// Takes something to do. What concerns one upload is done in the order in which it was handed over.
    fn submit(&mut self, job: FileJob);

    /// Something that is done.
    fn take_done(&mut self) -> Option<FileDone>;

    /// Whether something is done. If not, it wakes for the next that is; for what is done after that it does not, until it
    /// is asked again.
    fn has_done(&self) -> bool {
        false
    }
}
