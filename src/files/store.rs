//! Files in a folder, by two threads: one writes and one reads, so that no download waits until another file is on the
//! disk. They start with the first thing to do.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::folder::{Folder, UnusableFolder, find};
use super::writer::Writer;
use super::{CHUNK_BYTES, FileDone, FileJob, FileStore, ReaderId, StoreFault, UploadId};
use crate::options::FilesPlace;
use crate::rooms::FileId;

/// Who is to be told of something that is done: on another thread.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// Bytes to be read.
struct ReadJob {
    reader: ReaderId,
    id: FileId,
    position: u64,
    length_bytes: usize,
}

/// From a thread to the loop.
enum Answer {
    Done(FileDone),
    /// A file was abandoned: of it nothing more comes.
    Abandoned(UploadId),
}

/// The way from a thread to the loop.
#[derive(Clone)]
struct Answers {
    sender: Sender<Answer>,
    wake: Wake,
}

impl Answers {
    fn send(&self, answer: Answer) {
        // Nobody wants to know any more when the program ends.
        let _ = self.sender.send(answer);
        (self.wake)();
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
    received: Receiver<Answer>,
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

    fn new(folder: Folder, wake: Wake) -> FolderStore {
        let (sender, received) = channel();
        FolderStore {
            folder: Arc::new(folder),
            writer: None,
            reader: None,
            answers: Answers { sender, wake },
            received,
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
            self.reader = Worker::start("files read", move |jobs| read_all(&folder, &jobs, &answers));
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
            FileJob::Read { reader, id, position, length_bytes } => {
                self.submit_to_reader(ReadJob { reader, id, position, length_bytes });
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
            FileJob::Write { .. } | FileJob::Remove { .. } => self.submit_to_writer(job),
        }
    }

    fn take_done(&mut self) -> Option<FileDone> {
        while let Ok(answer) = self.received.try_recv() {
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
            FileJob::Read { .. } => None,
        };
        if let Some(answer) = answer {
            answers.send(answer);
        }
    }
    writer.end();
}

/// The reading thread.
fn read_all(folder: &Folder, jobs: &Receiver<ReadJob>, answers: &Answers) {
    for job in jobs {
        let bytes = read(folder, &job).inspect_err(|error| log::debug!("a shared file cannot be read ({error})"));
        answers.send(Answer::Done(FileDone::Read { reader: job.reader, bytes: bytes.ok() }));
    }
}

fn read(folder: &Folder, job: &ReadJob) -> io::Result<Vec<u8>> {
    let mut file = File::open(folder.path_of(job.id))?;
    file.seek(SeekFrom::Start(job.position))?;
    let length_bytes = job.length_bytes.min(CHUNK_BYTES);
    let mut bytes = Vec::with_capacity(length_bytes);
    file.take(length_bytes as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
