//! Between sessions and the store of files: which file arrives over which connection, and which parts are read for whom.
//!
//! The loop waits for no disk. A file that arrives is taken chunk by chunk, and its connection is not read from while two
//! of them wait. One that is sent is read one chunk ahead: a connection that has sent all that it has of it is taken for
//! one that cannot be written to, until the next chunk is there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use rand::rngs::StdRng;

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use super::output_queue::Range;
use crate::files::{CHUNK_BYTES, FileDone, FileJob, FileStore, Quotas, ReaderId, StoreFault, UploadId};
use crate::journal::Journal;
use crate::options::FileLimits;
use crate::rooms::{Address, ConnectionId, FileId};
use crate::session_api::{FilePart, FileReply, FileRequest, Flow};

/// The files that arrive and are sent.
pub struct Files {
    quotas: Quotas,
    random: StdRng,
    arriving: HashMap<ConnectionId, Arriving>,
    connections: HashMap<UploadId, ConnectionId>,
    next_upload: u64,
    readers: Rc<RefCell<Readers>>,
}

/// A file that arrives, or has arrived and is no room's yet.
struct Arriving {
    upload: UploadId,
    /// Under what it is kept, once it has arrived.
    id: Option<FileId>,
    is_stored: bool,
}

impl Files {
    /// From now on these count.
    pub fn set_limits(&mut self, limits: FileLimits) {
        self.quotas.set_limits(limits);
    }

    /// `random` draws ids, which are the files' secrets.
    pub fn new(store: Box<dyn FileStore>, quotas: Quotas, random: StdRng) -> Files {
        Files {
            quotas,
            random,
            arriving: HashMap::new(),
            connections: HashMap::new(),
            next_upload: 0,
            readers: Rc::new(RefCell::new(Readers { store, by_id: HashMap::new(), next_reader: 0 })),
        }
    }

    /// Whether something is done. If not, the loop is woken for the next that is.
    pub fn has_done(&self) -> bool {
        self.readers.borrow().store.has_done()
    }

    /// How many files are kept, their bytes with those that are arriving, and how many these may be.
    pub fn figures(&self) -> (usize, u64, u64) {
        (self.quotas.kept_files(), self.quotas.used_bytes(), self.quotas.limit_bytes())
    }

    fn submit(&self, job: FileJob) {
        self.readers.borrow_mut().store.submit(job);
    }

    /// Does what a session asks for. Returns what can be answered at once.
    fn ask(&mut self, connection: ConnectionId, address: Address, request: FileRequest) -> Option<FileReply> {
        if let FileRequest::Begin { declared_bytes } = request {
            self.abandon(connection);
            let upload = UploadId(self.next_upload);
            self.next_upload += 1;
            return Some(match self.quotas.begin(upload, address, declared_bytes) {
                Ok(()) => {
                    self.connections.insert(upload, connection);
                    self.arriving.insert(connection, Arriving { upload, id: None, is_stored: false });
                    FileReply::Begun
                }
                Err(refusal) => FileReply::Refused(refusal),
            });
        }
        let Some(arriving) = self.arriving.get_mut(&connection) else {
            return Some(FileReply::Failed(StoreFault::Failed));
        };
        let upload = arriving.upload;
        match request {
            FileRequest::Write(bytes) => {
                if let Err(refusal) = self.quotas.grow(upload, bytes.len() as u64) {
                    self.abandon(connection);
                    return Some(FileReply::Refused(refusal));
                }
                self.submit(FileJob::Write { upload, bytes });
            }
            FileRequest::Finish => {
                let id = FileId::random(&mut self.random);
                arriving.id = Some(id);
                self.submit(FileJob::Finish { upload, id });
            }
            FileRequest::Begin { .. } => (),
        }
        None
    }

    /// The file that has arrived over this connection is the rooms' from here on.
    pub fn hand_over(&mut self, connection: ConnectionId) {
        if let Some(arriving) = self.arriving.remove(&connection) {
            self.connections.remove(&arriving.upload);
        }
    }

    /// The file that arrives over this connection, if one does, is nobody's.
    pub fn abandon(&mut self, connection: ConnectionId) {
        let Some(Arriving { upload, id, is_stored }) = self.arriving.remove(&connection) else { return };
        self.connections.remove(&upload);
        match id.filter(|_| is_stored) {
            Some(id) => self.remove(id),
            None => {
                self.quotas.abandon(upload);
                self.submit(FileJob::Abandon { upload });
            }
        }
    }

    /// A file is no event's any more.
    fn remove(&mut self, id: FileId) {
        self.quotas.remove(id);
        self.submit(FileJob::Remove { id });
    }

    /// Something that is done: for which connection, and what it is told. `None`: there is more to be sent to it.
    fn take_done(&mut self) -> Option<(ConnectionId, Option<FileReply>)> {
        loop {
            let done = self.readers.borrow_mut().store.take_done()?;
            let (upload, reply) = match done {
                FileDone::Written { upload, buffer } => (upload, FileReply::Written(buffer)),
                FileDone::Stored { upload, content } => {
                    let connection = self.connections.get(&upload);
                    let Some(arriving) = connection.and_then(|id| self.arriving.get_mut(id)) else { continue };
                    let Some(id) = arriving.id else { continue };
                    arriving.is_stored = true;
                    self.quotas.finish(upload, id, content.size_bytes);
                    (upload, FileReply::Stored { id, content })
                }
                FileDone::Failed { upload, fault } => {
                    self.quotas.abandon(upload);
                    (upload, FileReply::Failed(fault))
                }
                FileDone::Read { reader, bytes } => match self.readers.borrow_mut().note_read(reader, bytes) {
                    Some(connection) => return Some((connection, None)),
                    None => continue,
                },
            };
            let Some(&connection) = self.connections.get(&upload) else { continue };
            if matches!(reply, FileReply::Failed(_)) {
                self.hand_over(connection);
            }
            return Some((connection, Some(reply)));
        }
    }

    /// A part of a file, to be sent to this connection.
    fn part(&self, connection: ConnectionId, part: FilePart) -> FileRange {
        let mut readers = self.readers.borrow_mut();
        let reader = ReaderId(readers.next_reader);
        readers.next_reader += 1;
        readers.by_id.insert(reader, Reader { connection, ahead: Ahead::Nothing, spare: Vec::new() });
        let range = FileRange { readers: Rc::clone(&self.readers), reader, part };
        range.ask(&mut readers, 0);
        range
    }
}

/// Those who are sent files, and who reads for them.
struct Readers {
    store: Box<dyn FileStore>,
    by_id: HashMap<ReaderId, Reader>,
    next_reader: u64,
}

struct Reader {
    connection: ConnectionId,
    ahead: Ahead,
    /// In what was sent last, and what comes next can be read.
    spare: Vec<u8>,
}

/// What comes next of a file that is sent.
enum Ahead {
    /// Nothing.
    Nothing,
    /// What is being read.
    Asked,
    /// What was read; `None`: it cannot be.
    Read(Option<Vec<u8>>),
}

impl Readers {
    /// Returns whom it was read for, unless nobody wants it any more.
    fn note_read(&mut self, reader: ReaderId, bytes: Option<Vec<u8>>) -> Option<ConnectionId> {
        let reader = self.by_id.get_mut(&reader)?;
        reader.ahead = Ahead::Read(bytes);
        Some(reader.connection)
    }
}

/// A part of a file, in an output queue.
struct FileRange {
    readers: Rc<RefCell<Readers>>,
    reader: ReaderId,
    part: FilePart,
}

impl FileRange {
    /// Has the chunk read that begins so far behind the beginning of the part. It is handed over at once: while one chunk
    /// is sent, the next one is read.
    fn ask(&self, readers: &mut Readers, offset: u64) {
        let missing_bytes = self.part.length_bytes.saturating_sub(offset);
        let Some(reader) = readers.by_id.get_mut(&self.reader).filter(|_| missing_bytes > 0) else { return };
        reader.ahead = Ahead::Asked;
        let buffer = std::mem::take(&mut reader.spare);
        readers.store.submit(FileJob::Read {
            reader: self.reader,
            id: self.part.id,
            position: self.part.position + offset,
            length_bytes: missing_bytes.min(CHUNK_BYTES as u64) as usize,
            buffer,
        });
    }
}

impl Range for FileRange {
    fn length_bytes(&self) -> u64 {
        self.part.length_bytes
    }

    fn load(&mut self, position: u64, window: &mut Vec<u8>) -> io::Result<()> {
        let mut readers = self.readers.borrow_mut();
        let Some(reader) = readers.by_id.get_mut(&self.reader) else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        if !window.is_empty() {
            reader.spare = std::mem::take(window);
        }
        match std::mem::replace(&mut reader.ahead, Ahead::Nothing) {
            Ahead::Asked => {
                reader.ahead = Ahead::Asked;
                Ok(())
            }
            Ahead::Read(Some(bytes)) if !bytes.is_empty() => {
                *window = bytes;
                self.ask(&mut readers, position + window.len() as u64);
                Ok(())
            }
            // Whoever is sent it sees by its length that this is not all of it.
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Drop for FileRange {
    fn drop(&mut self) {
        self.readers.borrow_mut().by_id.remove(&self.reader);
    }
}

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Does what a session asks about the file that arrives over its connection.
    pub(super) fn ask_about_file(&mut self, slot: usize, request: FileRequest) {
        let caller = self.caller(slot);
        let reply = match &mut self.files {
            Some(files) => files.ask(caller.connection, caller.address, request),
            None => Some(FileReply::Failed(StoreFault::Failed)),
        };
        if let Some(reply) = reply {
            self.answer_about_file(slot, reply);
        }
    }

    fn answer_about_file(&mut self, slot: usize, reply: FileReply) {
        let connection = &mut self.connections.slab[slot];
        if connection.phase != Phase::Open {
            return;
        }
        connection.awaits_reply = false;
        let flow = connection.session.answer_file(reply, &self.shared, self.now, &mut self.scratch);
        self.send_scratch(slot);
        if flow == Flow::Close {
            self.begin_closing(slot);
        } else {
            self.connections.queue_receive(slot);
        }
        self.schedule(slot);
    }

    /// Carries on with what the store has done.
    pub(super) fn take_files(&mut self) {
        while let Some((connection, reply)) = self.files.as_mut().and_then(Files::take_done) {
            let Some(slot) = self.connections.find(connection) else { continue };
            match reply {
                Some(reply) => self.answer_about_file(slot, reply),
                None => {
                    let connection = &mut self.connections.slab[slot];
                    // If it cannot be written to, that turns out at once.
                    connection.is_writable = !connection.is_output_lost;
                    self.connections.queue_flush(slot);
                }
            }
        }
    }

    /// Has the store remove what is no event's any more.
    pub(super) fn submit_files(&mut self) {
        while let Some(id) = self.rooms.take_released_file() {
            // Where no files are shared any more, the next start with them removes it.
            if let Some(files) = &mut self.files {
                files.remove(id);
            }
        }
    }

    /// Puts a part of a file behind what the connection is still to be sent.
    pub(super) fn queue_file(&mut self, slot: usize, part: FilePart) {
        let id = self.connections.id_of(slot);
        if let Some(files) = self.files.as_ref().filter(|_| !self.connections.slab[slot].is_output_lost) {
            let connection = &mut self.connections.slab[slot];
            connection.note_progress(self.now.steady_ms);
            connection.output.push_range(Box::new(files.part(id, part)));
            self.connections.queue_flush(slot);
            self.schedule(slot);
        }
    }

    /// What has arrived over this connection and is no room's yet is removed.
    pub(super) fn abandon_file(&mut self, slot: usize) {
        if let Some(files) = &mut self.files {
            files.abandon(self.connections.id_of(slot));
        }
    }
}
