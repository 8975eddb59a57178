//! What the writing thread does: files arrive, are looked at, get their name, and are removed.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Seek, Write};
use std::path::Path;

use super::content::{Looked, look_at};
use super::folder::Folder;
use super::{Content, StoreFault, UploadId};
use crate::rooms::FileId;

/// Files that failed and are remembered, so that what was asked of them meanwhile does not begin them anew.
const MOST_FAILED: usize = 256;

/// Files that are arriving.
pub(super) struct Writer<'f> {
    folder: &'f Folder,
    arriving: HashMap<UploadId, File>,
    failed: VecDeque<UploadId>,
}

impl Writer<'_> {
    pub(super) fn new(folder: &Folder) -> Writer<'_> {
        Writer { folder, arriving: HashMap::new(), failed: VecDeque::new() }
    }

    /// Adds bytes to a file. `None`: it has failed before, and that is told.
    pub(super) fn write(&mut self, upload: UploadId, bytes: &[u8]) -> Option<Result<(), StoreFault>> {
        if self.failed.contains(&upload) {
            return None;
        }
        let written = self.file(upload).and_then(|mut file| file.write_all(bytes));
        Some(written.map_err(|error| self.fail(upload, &error)))
    }

    /// Gives a file that has arrived its name. `None`: it has failed before, and that is told.
    pub(super) fn finish(&mut self, upload: UploadId, id: FileId) -> Option<Result<Content, StoreFault>> {
        if self.failed.contains(&upload) {
            return None;
        }
        let stored = self.store(upload, id);
        self.arriving.remove(&upload);
        Some(stored.map_err(|error| {
            // It may have its name already.
            self.remove(id);
            self.fail(upload, &error)
        }))
    }

    /// Removes what there is of a file.
    pub(super) fn abandon(&mut self, upload: UploadId) {
        self.failed.retain(|failed| *failed != upload);
        if self.arriving.remove(&upload).is_some() {
            remove(&self.folder.path_of_part(upload));
        }
    }

    /// Removes a file that is kept no more.
    pub(super) fn remove(&self, id: FileId) {
        remove(&self.folder.path_of(id));
    }

    /// Removes what has not arrived when the program ends.
    pub(super) fn end(&mut self) {
        for (upload, _) in self.arriving.drain() {
            remove(&self.folder.path_of_part(upload));
        }
    }

    /// The file that is arriving, which is made if it is not there.
    fn file(&mut self, upload: UploadId) -> io::Result<&File> {
        if !self.arriving.contains_key(&upload) {
            self.folder.make()?;
            let file = create(&self.folder.path_of_part(upload))?;
            self.arriving.insert(upload, file);
        }
        self.arriving.get(&upload).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn store(&mut self, upload: UploadId, id: FileId) -> io::Result<Content> {
        let folder = self.folder;
        let rewritten_path = folder.path_of_rewritten(upload);
        // Without any bytes it is made now.
        let mut file = self.file(upload)?;
        file.rewind()?;
        let looked = look_at(&mut BufReader::new(file), || create(&rewritten_path).map(BufWriter::new));
        let Looked { file_type, dimensions, rewritten } = looked.inspect_err(|_| remove(&rewritten_path))?;
        let size_bytes = match rewritten {
            Some(rewritten) => {
                let written = rewritten.into_inner().map_err(io::IntoInnerError::into_error);
                let kept = written.and_then(|file| keep(folder, &file, &rewritten_path, id));
                let size_bytes = kept.inspect_err(|_| remove(&rewritten_path))?;
                remove(&folder.path_of_part(upload));
                size_bytes
            }
            None => {
                // What was begun as a picture, and is none.
                remove(&rewritten_path);
                keep(folder, file, &folder.path_of_part(upload), id)?
            }
        };
        Ok(Content { size_bytes, file_type, dimensions })
    }

    fn fail(&mut self, upload: UploadId, error: &io::Error) -> StoreFault {
        self.arriving.remove(&upload);
        remove(&self.folder.path_of_part(upload));
        if self.failed.len() == MOST_FAILED {
            self.failed.pop_front();
        }
        self.failed.push_back(upload);
        log::warn!("a shared file cannot be stored ({error})");
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreFault::Full,
            _ => StoreFault::Failed,
        }
    }
}

/// Makes a file last, under its name, and tells how large it is.
fn keep(folder: &Folder, file: &File, path: &Path, id: FileId) -> io::Result<u64> {
    if folder.is_lasting() {
        file.sync_data()?;
    }
    let size_bytes = file.metadata()?.len();
    fs::rename(path, folder.path_of(id))?;
    folder.sync()?;
    Ok(size_bytes)
}

/// Makes a file where none is.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes a file. What cannot be removed is by the next start.
fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => log::warn!("a shared file cannot be removed ({error})"),
        _ => {}
    }
}
