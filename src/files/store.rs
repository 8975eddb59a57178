//! Files in a folder, by two threads: one writes and one reads, so that no download waits until another file is on the
//! disk. They start with the first thing to do.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::folder::{Folder, UnusableFolder, find};
use super::reader::{ReadJob, read_all};
use super::writer::Writer;
use super::{FileDone, FileJob, FileStore, StoreFault, UploadId};
use crate::options::FilesPlace;
use crate::rooms::{FileId, NodeId};

/// Who is to be told of something that is done: on another thread.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// From a thread to the loop.
enum Answer {
    Done(FileDone),
    /// A file was abandoned: of it nothing more comes.
    Abandoned(UploadId),
}

/// The way from the threads to the loop, which is woken once, however much is done before it looks.
#[derive(Clone)]
struct Answers {
    untaken: Arc<Mutex<Untaken>>,
    wake: Wake,
}

/// What the loop has not taken yet.
#[derive(Default)]
struct Untaken {
    answers: VecDeque<Answer>,
    /// The loop waits until there is some.
    is_awaited: bool,
}

impl Answers {
    fn new(wake: Wake) -> Answers {
        Answers { untaken: Arc::default(), wake }
    }

    fn send(&self, answer: Answer) {
        let mut untaken = self.lock();
        untaken.answers.push_back(answer);
        let is_awaited = std::mem::take(&mut untaken.is_awaited);
        drop(untaken);
        if is_awaited {
            (self.wake)();
        }
    }

    fn take(&self) -> VecDeque<Answer> {
        std::mem::take(&mut self.lock().answers)
    }

    /// Whether there is some. If not, the loop is woken for the next.
    fn has_some(&self) -> bool {
        let mut untaken = self.lock();
        untaken.is_awaited = untaken.answers.is_empty();
        !untaken.is_awaited
    }

    /// A thread that panicked has left nothing half-done in it.
    fn lock(&self) -> MutexGuard<'_, Untaken> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that takes jobs until there will be no more.
struct Worker<J> {
    jobs: Sender<J>,
    thread: JoinHandle<()>,
}

impl<J: Send + 'static> Worker<J> {
    fn start(name: &str, run: impl FnOnce(Receiver<J>) + Send + 'static) -> Option<Worker<J>> {
        let (jobs, received) = channel();
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || run(received));
        started.ok().map(|thread| Worker { jobs, thread })
    }

    /// Waits until it has done what it was asked.
    fn end(self) {
        drop(self.jobs);
        // One that has panicked has said so.
        let _ = self.thread.join();
    }
}

/// Files in a folder.
pub struct FolderStore {
    folder: Arc<Folder>,
    writer: Option<Worker<FileJob>>,
    reader: Option<Worker<ReadJob>>,
    answers: Answers,
    /// Taken from there, and not by the loop yet.
    taken: VecDeque<Answer>,
    /// Under which name it is kept, should it be stored before it is abandoned.
    finishing: HashMap<UploadId, FileId>,
    /// What is answered of them is told nobody.
    abandoned: HashSet<UploadId>,
}

impl FolderStore {
    /// Opens the folder that the options name, and removes what no event names: `data` is the data file, `kept` the
    /// files that events name. `wake` is called, on another thread, when something is done. `None`: no files are shared.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(
        place: &FilesPlace,
        data: Option<&Path>,
        kept: impl Iterator<Item = FileId>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Option<FolderStore>, UnusableFolder> {
        Ok(find(place, data, &kept.collect())?.map(|folder| FolderStore::new(folder, wake)))
    }

    /// Opens the folder that this node shares with others, and leaves its mark there: before it is one of the nodes, so
    /// that whoever knows of it finds that. `wake` as above.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open_shared(
        path: &Path,
        node: NodeId,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<FolderStore, UnusableFolder> {
        Folder::open_shared(path, node).map(|folder| FolderStore::new(folder, wake))
    }

    /// Removes from a shared folder what is left over: `kept` are the files that events name, `nodes` all that use the
    /// folder, this one among them.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn tidy_shared(&self, kept: impl Iterator<Item = FileId>, nodes: &[NodeId]) -> Result<(), UnusableFolder> {
        self.folder.tidy_shared(&kept.collect(), nodes)
    }

    fn new(folder: Folder, wake: Wake) -> FolderStore {
        FolderStore {
            folder: Arc::new(folder),
            writer: None,
            reader: None,
            answers: Answers::new(wake),
            taken: VecDeque::new(),
            finishing: HashMap::new(),
            abandoned: HashSet::new(),
        }
    }

    /// Hands a job to the writing thread, unless there cannot be one.
    fn submit_to_writer(&mut self, job: FileJob) {
        if self.writer.is_none() {
            let (folder, answers) = (Arc::clone(&self.folder), self.answers.clone());
            self.writer = Worker::start("files written", move |jobs| write_all(&folder, &jobs, &answers));
        }
        let unsent = match &self.writer {
            Some(writer) => writer.jobs.send(job).err().map(|error| error.0),
            None => Some(job),
        };
        match unsent {
            Some(FileJob::Write { upload, .. } | FileJob::Finish { upload, .. }) => {
                self.answers.send(Answer::Done(FileDone::Failed { upload, fault: StoreFault::Failed }));
            }
            Some(FileJob::Abandon { upload }) => self.answers.send(Answer::Abandoned(upload)),
            _ => {}
        }
    }

    fn submit_to_reader(&mut self, job: ReadJob) {
        if self.reader.is_none() {
            let (folder, answers) = (Arc::clone(&self.folder), self.answers.clone());
            let answer = move |reader, bytes| answers.send(Answer::Done(FileDone::Read { reader, bytes }));
            self.reader = Worker::start("files read", move |jobs| read_all(&folder, &jobs, answer));
        }
        let reader = job.reader;
        let is_sent = self.reader.as_ref().is_some_and(|worker| worker.jobs.send(job).is_ok());
        if !is_sent {
            self.answers.send(Answer::Done(FileDone::Read { reader, bytes: None }));
        }
    }

    /// Whether it is to be told: not what is about a file that was abandoned meanwhile.
    fn is_wanted(&mut self, done: &FileDone) -> bool {
        match done {
            FileDone::Written { upload, .. } => !self.abandoned.contains(upload),
            FileDone::Stored { upload, .. } | FileDone::Failed { upload, .. } => {
                self.finishing.remove(upload);
                !self.abandoned.contains(upload)
            }
            FileDone::Read { .. } => true,
        }
    }
}

impl FileStore for FolderStore {
    fn submit(&mut self, job: FileJob) {
        match job {
            FileJob::Read { reader, id, position, length_bytes, buffer } => {
                self.submit_to_reader(ReadJob { reader, id, position, length_bytes, buffer });
            }
            FileJob::Finish { upload, id } => {
                self.finishing.insert(upload, id);
                self.submit_to_writer(job);
            }
            FileJob::Abandon { upload } => {
                self.abandoned.insert(upload);
                let finished = self.finishing.remove(&upload);
                self.submit_to_writer(job);
                if let Some(id) = finished {
                    self.submit_to_writer(FileJob::Remove { id });
                }
            }
            FileJob::Write { .. } | FileJob::Remove { .. } | FileJob::LeaveMark { .. } => self.submit_to_writer(job),
        }
    }

    fn take_done(&mut self) -> Option<FileDone> {
        if self.taken.is_empty() {
            self.taken = self.answers.take();
        }
        while let Some(answer) = self.taken.pop_front() {
            match answer {
                Answer::Done(done) if self.is_wanted(&done) => return Some(done),
                Answer::Done(_) => {}
                Answer::Abandoned(upload) => {
                    self.abandoned.remove(&upload);
                }
            }
        }
        None
    }

    fn has_done(&self) -> bool {
        !self.taken.is_empty() || self.answers.has_some()
    }
}

/// What was asked is done; what has not arrived is removed, and a temporary folder as well.
impl Drop for FolderStore {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.end();
        }
        if let Some(reader) = self.reader.take() {
            reader.end();
        }
        self.folder.end();
    }
}

/// The writing thread.
fn write_all(folder: &Folder, jobs: &Receiver<FileJob>, answers: &Answers) {
    let mut writer = Writer::new(folder);
    for job in jobs {
        let answer = match job {
            FileJob::Write { upload, bytes: mut buffer } => {
                writer.write(upload, &buffer).map(|written| match written {
                    Ok(()) => {
                        buffer.clear();
                        Answer::Done(FileDone::Written { upload, buffer })
                    }
                    Err(fault) => Answer::Done(FileDone::Failed { upload, fault }),
                })
            }
            FileJob::Finish { upload, id } => writer.finish(upload, id).map(|stored| match stored {
                Ok(content) => Answer::Done(FileDone::Stored { upload, content }),
                Err(fault) => Answer::Done(FileDone::Failed { upload, fault }),
            }),
            FileJob::Abandon { upload } => {
                writer.abandon(upload);
                Some(Answer::Abandoned(upload))
            }
            FileJob::Remove { id } => {
                writer.remove(id);
                None
            }
            FileJob::LeaveMark { node } => {
                if let Err(error) = folder.leave_mark(node) {
                    log::warn!("this node cannot leave its mark in the folder of shared files ({error})");
                }
                None
            }
            FileJob::Read { .. } => None,
        };
        if let Some(answer) = answer {
            answers.send(answer);
        }
    }
    writer.end();
}

#[cfg(test)]
mod tests;
