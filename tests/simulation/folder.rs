//! A folder of files in memory: late, failing, filling up. What is stored outlives a crash; of what was still to be done,
//! some may be done all the same, and nobody is told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use snugd::files::{Content, FileDone, FileJob, FileStore, StoreFault, UploadId};
use snugd::rooms::{FileId, FileType};

/// What is in the folder, and what is to be done in it.
pub struct Folder {
    files: BTreeMap<FileId, Vec<u8>>,
    /// Of every file that was ever stored, what tells it from others.
    ever_stored: BTreeMap<FileId, u64>,
    parts: BTreeMap<UploadId, Vec<u8>>,
    writing: VecDeque<FileJob>,
    reading: VecDeque<FileJob>,
    done: VecDeque<FileDone>,
    /// Under which name a file is kept, should it be stored before it is abandoned.
    finishing: BTreeMap<UploadId, FileId>,
    /// Nobody is told of these any more.
    abandoned: BTreeSet<UploadId>,
    /// Nothing more is written of these.
    failed: BTreeSet<UploadId>,
    /// Bytes that the disk takes.
    capacity_bytes: usize,
    /// Times when the disk was full.
    pub was_full: usize,
    random: StdRng,
    misbehaves: bool,
    /// Nothing is done at this time.
    pub is_stuck: bool,
}

/// The folder, as the program and whoever looks on share it.
#[derive(Clone)]
pub struct SharedFolder(pub Rc<RefCell<Folder>>);

impl SharedFolder {
    pub fn new(seed: u64, capacity_bytes: usize) -> SharedFolder {
        SharedFolder(Rc::new(RefCell::new(Folder {
            files: BTreeMap::new(),
            ever_stored: BTreeMap::new(),
            parts: BTreeMap::new(),
            writing: VecDeque::new(),
            reading: VecDeque::new(),
            done: VecDeque::new(),
            finishing: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            failed: BTreeSet::new(),
            capacity_bytes,
            was_full: 0,
            random: StdRng::seed_from_u64(seed),
            misbehaves: true,
            is_stuck: false,
        })))
    }
}

impl Folder {
    /// From here on nothing fails any more, and everything is done at once.
    pub fn behave(&mut self) {
        (self.misbehaves, self.is_stuck) = (false, false);
        self.capacity_bytes = usize::MAX;
    }

    /// The program dies. What it was doing may have been done all the same.
    pub fn crash(&mut self) {
        let done = self.random.random_range(0..=self.writing.len());
        for job in self.writing.drain(..done).collect::<Vec<_>>() {
            self.write(job);
        }
        self.writing.clear();
        self.reading.clear();
        self.done.clear();
        self.finishing.clear();
        self.abandoned.clear();
        self.failed.clear();
    }

    /// At a start, what no event names is removed.
    pub fn start(&mut self, named: &BTreeSet<FileId>) {
        let lost = named.iter().find(|file| !self.files.contains_key(file));
        assert_eq!(lost, None, "an event names a file that was lost by a crash");
        self.files.retain(|file, _| named.contains(file));
        self.parts.clear();
    }

    pub fn file(&self, id: FileId) -> Option<&[u8]> {
        self.files.get(&id).map(Vec::as_slice)
    }

    /// Whether this was stored as this file, which may be gone since.
    pub fn was_stored(&self, id: FileId, content: &[u8]) -> bool {
        self.ever_stored.get(&id) == Some(&digest(content))
    }

    /// The files that are stored.
    pub fn files(&self) -> BTreeSet<FileId> {
        self.files.keys().copied().collect()
    }

    /// What there is of files that have not arrived.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.values().map(Vec::as_slice)
    }

    /// Whether it has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.writing.is_empty() && self.reading.is_empty() && self.done.is_empty()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.misbehaves && self.random.random_range(0..100) < percent
    }

    fn is_full(&mut self, more_bytes: usize) -> bool {
        let used = self.files.values().chain(self.parts.values()).map(Vec::len).sum::<usize>();
        let is_full = used + more_bytes > self.capacity_bytes;
        self.was_full += usize::from(is_full);
        is_full
    }

    fn fail(&mut self, upload: UploadId, fault: StoreFault) {
        self.parts.remove(&upload);
        self.failed.insert(upload);
        self.done.push_back(FileDone::Failed { upload, fault });
    }

    fn write(&mut self, job: FileJob) {
        match job {
            FileJob::Write { upload, .. } | FileJob::Finish { upload, .. } if self.failed.contains(&upload) => (),
            FileJob::Write { upload, bytes } if self.is_full(bytes.len()) => self.fail(upload, StoreFault::Full),
            FileJob::Write { upload, .. } if self.chance(1) => self.fail(upload, StoreFault::Failed),
            FileJob::Write { upload, mut bytes } => {
                self.parts.entry(upload).or_default().append(&mut bytes);
                self.done.push_back(FileDone::Written { upload, buffer: bytes });
            }
            FileJob::Finish { upload, .. } if self.chance(10) => {
                let fault = [StoreFault::Full, StoreFault::Failed][self.random.random_range(0..2)];
                self.fail(upload, fault);
            }
            FileJob::Finish { upload, id } => {
                let bytes = self.parts.remove(&upload).unwrap_or_default();
                let content = Content { size_bytes: bytes.len() as u64, file_type: FileType::Other, dimensions: None };
                self.ever_stored.insert(id, digest(&bytes));
                self.files.insert(id, bytes);
                self.done.push_back(FileDone::Stored { upload, content });
            }
            FileJob::Abandon { upload } => {
                self.parts.remove(&upload);
                self.failed.remove(&upload);
                self.done.retain(|done| of_upload(done) != Some(upload));
                self.abandoned.remove(&upload);
            }
            FileJob::Remove { id } => drop(self.files.remove(&id)),
            FileJob::LeaveMark { node } => unreachable!("{node:?} has this folder for itself"),
            FileJob::Read { .. } => unreachable!("reading is done elsewhere"),
        }
    }

    fn read(&mut self, job: FileJob) {
        let FileJob::Read { reader, id, position, length_bytes, .. } = job else { unreachable!("it writes") };
        let fails = self.chance(1);
        let bytes = self.files.get(&id).filter(|_| !fails).map(|bytes| {
            let start = usize::try_from(position).map_or(bytes.len(), |start| start.min(bytes.len()));
            bytes[start..bytes.len().min(start + length_bytes)].to_vec()
        });
        self.done.push_back(FileDone::Read { reader, bytes });
    }
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// Which file that arrives it is about.
fn of_upload(done: &FileDone) -> Option<UploadId> {
    match done {
        FileDone::Written { upload, .. } | FileDone::Stored { upload, .. } | FileDone::Failed { upload, .. } => {
            Some(*upload)
        }
        FileDone::Read { .. } => None,
    }
}

impl FileStore for SharedFolder {
    fn submit(&mut self, job: FileJob) {
        let mut folder = self.0.borrow_mut();
        match job {
            FileJob::Read { .. } => return folder.reading.push_back(job),
            FileJob::Finish { upload, id } => drop(folder.finishing.insert(upload, id)),
            FileJob::Abandon { upload } => {
                folder.abandoned.insert(upload);
                let finished = folder.finishing.remove(&upload);
                folder.writing.push_back(job);
                return folder.writing.extend(finished.map(|id| FileJob::Remove { id }));
            }
            FileJob::Write { .. } | FileJob::Remove { .. } | FileJob::LeaveMark { .. } => (),
        }
        folder.writing.push_back(job);
    }

    fn take_done(&mut self) -> Option<FileDone> {
        let mut folder = self.0.borrow_mut();
        if !folder.is_stuck && !folder.chance(50) {
            while let Some(job) = folder.writing.pop_front() {
                folder.write(job);
                if folder.misbehaves {
                    break;
                }
            }
            while let Some(job) = folder.reading.pop_front() {
                folder.read(job);
            }
        }
        while let Some(done) = folder.done.pop_front() {
            let upload = of_upload(&done);
            if matches!(done, FileDone::Stored { .. } | FileDone::Failed { .. }) {
                upload.and_then(|upload| folder.finishing.remove(&upload));
            }
            if upload.is_none_or(|upload| !folder.abandoned.contains(&upload)) {
                return Some(done);
            }
        }
        None
    }

    fn has_done(&self) -> bool {
        // Whoever is told late is told by the time.
        let folder = self.0.borrow();
        !folder.misbehaves && !folder.is_stuck && !folder.is_idle()
    }
}
