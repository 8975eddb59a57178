//! Between sessions and the store of files: which file arrives over which connection, and which parts are read for whom.
//!
//! The loop waits for no disk. A file that arrives is taken chunk by chunk, and its connection is not read from while two
//! of them wait. One that is sent is read one chunk ahead: a connection that has sent all that it has of it is taken for
//! one that cannot be written to, until the next chunk is there.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
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
use crate::rooms::{Address, Change, ConnectionId, FileId, NodeId, SharedFile};
use crate::session_api::{FilePart, FileReply, FileRequest, Flow};

/// The files that arrive and are sent.
pub struct Files {
    quotas: Quotas,
    random: StdRng,
    arriving: HashMap<ConnectionId, Arriving>,
    connections: HashMap<UploadId, ConnectionId>,
    next_upload: u64,
    /// Where other nodes share files too: those that rooms were refused, and when. Nobody may know what has become of the
    /// proposal, so it may be an event yet.
    doubtful: Option<VecDeque<(FileId, u64)>>,
    readers: Rc<RefCell<Readers>>,
}

/// After this a file that was refused will be no event's.
const DOUBTFUL_MS: u64 = 60 * 60 * 1000;

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
            doubtful: None,
            readers: Rc::new(RefCell::new(Readers { store, by_id: HashMap::new(), next_reader: 0 })),
        }
    }

    /// Other nodes share files by the same folder.
    #[must_use]
    pub fn shared_by_nodes(self) -> Files {
        Files { doubtful: Some(VecDeque::new()), ..self }
    }

    /// A file is an event's, of this node or another.
    fn note_kept(&mut self, file: &SharedFile) {
        self.quotas.note_kept(file.id, file.size_bytes);
        if let Some(doubtful) = &mut self.doubtful {
            doubtful.retain(|(id, _)| *id != file.id);
        }
    }

    /// A file could not be made an event's in time.
    fn note_refused(&mut self, id: FileId, now_ms: u64) {
        self.remove_doubtful(now_ms);
        if let Some(doubtful) = &mut self.doubtful {
            doubtful.push_back((id, now_ms));
        }
    }

    /// The others know this node by another number from here on.
    pub(super) fn rename_node(&mut self, node: NodeId) {
        if self.doubtful.is_some() {
            self.submit(FileJob::LeaveMark { node });
        }
    }

    /// The rooms are others than before: these are their files. What is none of theirs is removed by the next start.
    pub(super) fn recount<'f>(&mut self, kept: impl Iterator<Item = &'f SharedFile>) {
        self.quotas.recount(kept.map(|file| (file.id, file.size_bytes)));
        self.doubtful.iter_mut().for_each(VecDeque::clear);
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
    fn ask(
        &mut self,
        connection: ConnectionId,
        address: Address,
        request: FileRequest,
        now_ms: u64,
    ) -> Option<FileReply> {
        if let FileRequest::Begin { declared_bytes } = request {
            self.abandon(connection);
            self.remove_doubtful(now_ms);
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

    /// Removes what has become of no event.
    fn remove_doubtful(&mut self, now_ms: u64) {
        let is_over = |(_, since_ms): &&(FileId, u64)| now_ms >= since_ms + DOUBTFUL_MS;
        while let Some(doubtful) = &mut self.doubtful
            && let Some(&(id, _)) = doubtful.front().filter(is_over)
        {
            doubtful.pop_front();
            self.remove(id);
        }
    }

    /// A file is no event's any more.
    fn remove(&mut self, id: FileId) {
        if self.doubtful.iter().flatten().any(|(doubtful, _)| *doubtful == id) {
            return;
        }
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

/// The file that is shared with a change.
fn file_of(change: &Change) -> Option<&SharedFile> {
    change.event().and_then(|event| event.body.file())
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
            Some(files) => files.ask(caller.connection, caller.address, request, self.now.steady_ms),
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

    /// A change is committed: with it may come a file.
    pub(super) fn note_committed_file(&mut self, change: &Change) {
        if let (Some(files), Some(file)) = (&mut self.files, file_of(change)) {
            files.note_kept(file);
        }
    }

    /// A change is refused: with it may go a file.
    pub(super) fn note_refused_file(&mut self, change: &Change) {
        if let (Some(files), Some(file)) = (&mut self.files, file_of(change)) {
            files.note_refused(file.id, self.now.steady_ms);
        }
    }

    /// All rooms were loaded anew, and this node is known under this number: their files are those that there are now.
    pub(super) fn restart_files(&mut self, node: NodeId) {
        if let Some(files) = &mut self.files {
            files.recount(self.rooms.files());
            files.rename_node(node);
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::rooms::{FileName, FileType};

    /// What it was asked to do.
    #[derive(Clone, Default)]
    struct Asked(Rc<RefCell<Vec<String>>>);

    impl FileStore for Asked {
        fn submit(&mut self, job: FileJob) {
            let told = match job {
                FileJob::Remove { id } => format!("remove {id}"),
                FileJob::LeaveMark { node } => format!("mark {}", node.0),
                job => panic!("{job:?}"),
            };
            self.0.borrow_mut().push(told);
        }

        fn take_done(&mut self) -> Option<FileDone> {
            None
        }
    }

    impl Asked {
        fn files(&self) -> Files {
            let limits = FileLimits { file_bytes: 10_000, all_bytes: 100_000 };
            Files::new(Box::new(self.clone()), Quotas::new(limits, std::iter::empty()), StdRng::seed_from_u64(1))
        }

        fn take(&self) -> Vec<String> {
            self.0.take()
        }
    }

    fn file(number: u64) -> SharedFile {
        SharedFile {
            id: FileId::parse(&format!("{number:032x}")).expect("an id"),
            name: FileName::clean("a.txt"),
            size_bytes: 5_000,
            file_type: FileType::Other,
            dimensions: None,
        }
    }

    #[test]
    fn what_was_refused_while_nodes_share_files_stays_until_it_cannot_be_an_events_any_more() {
        let asked = Asked::default();
        let mut files = asked.files().shared_by_nodes();
        for (number, now_ms) in [(1, 0), (2, 1_000)] {
            files.note_refused(file(number).id, now_ms);
            files.remove(file(number).id);
        }
        assert_eq!(asked.take(), [""; 0]);
        // The first was said after all, and is deleted then.
        files.note_kept(&file(1));
        assert_eq!(files.figures().0, 1);
        files.remove(file(1).id);
        assert_eq!(asked.take(), [format!("remove {}", file(1).id)]);
        files.note_refused(file(3).id, DOUBTFUL_MS + 999);
        assert_eq!(asked.take(), [""; 0]);
        files.note_refused(file(4).id, DOUBTFUL_MS + 1_000);
        assert_eq!(asked.take(), [format!("remove {}", file(2).id)]);
    }

    #[test]
    fn where_no_other_node_is_what_was_refused_goes_at_once_and_there_is_no_mark() {
        let asked = Asked::default();
        let mut files = asked.files();
        files.note_refused(file(1).id, 0);
        files.remove(file(1).id);
        files.rename_node(NodeId(7));
        assert_eq!(asked.take(), [format!("remove {}", file(1).id)]);
    }

    #[test]
    fn other_rooms_have_other_files() {
        let asked = Asked::default();
        let mut files = asked.files().shared_by_nodes();
        files.note_kept(&file(1));
        files.note_kept(&file(2));
        files.recount([file(2), file(3), file(4)].iter());
        assert_eq!((files.figures().0, files.figures().1), (3, 15_000));
        files.rename_node(NodeId(7));
        assert_eq!(asked.take(), ["mark 7"], "what is left over is removed by the next start");
    }
}
