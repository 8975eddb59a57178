//! The folder in which files lie: found, made, locked and tidied. What is written into it is `writer`'s affair.
//!
//! Nothing in it is touched but what has a name that this program gives: it may be somebody's own.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rand::TryRng;
use rand::rngs::SysRng;

use super::UploadId;
use super::nodes::{Mark, is_node_number, node_of_mark};
use crate::options::FilesPlace;
use crate::rooms::{FileId, NodeId};

/// In the folder: locked by the program that uses it.
const LOCK_NAME: &str = "snugd-lock";

/// What the lock of a temporary folder says once it is locked: the folder may be removed when it is no more.
const TEMPORARY_MARK: &[u8] = b"temporary folder of snugd\n";

/// The name of a temporary folder, without the letters that make it unique.
const TEMPORARY_NAME: &str = "snugd-files-";
const UNIQUE_LETTERS: usize = 8;

/// Why a folder cannot be used: a sentence for whoever started the program.
#[derive(Debug)]
pub struct UnusableFolder(String);

impl fmt::Display for UnusableFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The folder that belongs to a data file, by whatever way that is named.
pub fn folder_beside(data: &Path) -> PathBuf {
    let mut name = data.canonicalize().unwrap_or_else(|_| data.to_owned()).into_os_string();
    name.push(".files");
    name.into()
}

/// A folder for files, which is made when the first of them arrives.
pub(super) struct Folder {
    path: PathBuf,
    is_temporary: bool,
    /// Where other nodes use it too.
    sharing: Option<Sharing>,
    /// Held as long as the folder is in use; the system releases it when the process ends, however it does.
    lock: OnceLock<File>,
}

/// What a node needs in a folder that others use too.
struct Sharing {
    mark: Mark,
    /// By this its files that arrive are told from those of the others.
    tag: String,
}

impl Folder {
    /// Opens the folder, if it is there already, and removes what no event names.
    pub(super) fn open(path: &Path, kept: &HashSet<FileId>) -> Result<Folder, UnusableFolder> {
        let folder = Folder { path: path.to_owned(), is_temporary: false, sharing: None, lock: OnceLock::new() };
        if is_there(path)? {
            let locked = folder.lock();
            locked.map_err(|error| unusable(path, &error))?;
            folder.tidy(kept).map_err(|error| unusable(path, &error))?;
        } else {
            warn_of_missing(kept.len());
        }
        Ok(folder)
    }

    /// Opens or makes a folder that other nodes use too, and leaves this one's mark there.
    pub(super) fn open_shared(path: &Path, node: NodeId) -> Result<Folder, UnusableFolder> {
        is_there(path)?;
        let sharing = Some(Sharing { mark: Mark::in_folder(path), tag: format!("{:016x}-", node.0) });
        let folder = Folder { path: path.to_owned(), is_temporary: false, sharing, lock: OnceLock::new() };
        let made = folder.make().and_then(|()| folder.leave_mark(node));
        made.map(|()| folder).map_err(|error| unusable(path, &error))
    }

    /// Removes what no event names and no node is about to share, and says what is to be said of the other nodes. `nodes`
    /// are all, this one among them.
    pub(super) fn tidy_shared(&self, kept: &HashSet<FileId>, nodes: &[NodeId]) -> Result<(), UnusableFolder> {
        let Some(Sharing { mark, .. }) = &self.sharing else { return Ok(()) };
        let others = mark.look_around(nodes).map_err(|error| unusable(&self.path, &error))?;
        if others.unseen > 0 {
            log::warn!(
                "{} of the other nodes have no mark in the folder of shared files: they use another folder, or share no \
                 files, so what is shared at one node is not found at another; name the same folder at all of them with \
                 --files",
                others.unseen
            );
        }
        if others.strangers > 0 {
            // It may be of a log of its own, and then no event here would name its files.
            log::info!(
                "in the folder of shared files nothing is removed, since a node uses it that is none of these yet"
            );
            return Ok(());
        }
        self.tidy(kept).map_err(|error| unusable(&self.path, &error))
    }

    /// Leaves the mark of a node that shares the folder with others, in the place of a former one.
    pub(super) fn leave_mark(&self, node: NodeId) -> io::Result<()> {
        self.sharing.as_ref().map_or(Ok(()), |sharing| sharing.mark.leave(node))
    }

    /// A folder that goes with the program. Those that killed ones have left are removed.
    pub(super) fn temporary() -> Folder {
        let parent = std::env::temp_dir();
        remove_left_folders(&parent);
        let mut bits = [0; UNIQUE_LETTERS / 2];
        // Should there be no chance, a folder that is there already is not used: it is made anew, or not at all.
        let _ = SysRng.try_fill_bytes(&mut bits);
        let unique = format!("{:08x}", u32::from_be_bytes(bits));
        let path = parent.join(format!("{TEMPORARY_NAME}{unique}"));
        Folder { path, is_temporary: true, sharing: None, lock: OnceLock::new() }
    }

    /// Whether it has to outlive a loss of power.
    pub(super) fn is_lasting(&self) -> bool {
        !self.is_temporary
    }

    /// Makes and locks it unless that is done.
    pub(super) fn make(&self) -> io::Result<()> {
        if self.lock.get().is_some() {
            return Ok(());
        }
        let mut builder = DirBuilder::new();
        // What is shared is nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && self.is_lasting() => {}
            made => made?,
        }
        if self.is_lasting() {
            let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync(parent.unwrap_or(Path::new(".")))?;
        }
        // It is made anew, then: as it stands now, nobody could tell whose it is.
        self.lock().inspect_err(|_| {
            if self.is_temporary {
                remove_folder(&self.path);
            }
        })
    }

    pub(super) fn path_of(&self, id: FileId) -> PathBuf {
        self.path.join(id.to_string())
    }

    /// Where a file is while it arrives.
    pub(super) fn path_of_part(&self, upload: UploadId) -> PathBuf {
        self.path.join(format!("{}{}.part", self.tag(), upload.0))
    }

    /// Where it is written anew.
    pub(super) fn path_of_rewritten(&self, upload: UploadId) -> PathBuf {
        self.path.join(format!("{}{}.new.part", self.tag(), upload.0))
    }

    fn tag(&self) -> &str {
        self.sharing.as_ref().map_or("", |sharing| &sharing.tag)
    }

    /// Makes the names in it last.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.is_lasting() { sync(&self.path) } else { Ok(()) }
    }

    /// Removes a temporary folder with all that is in it, and the mark of a node from one that nodes share.
    pub(super) fn end(&self) {
        if let Some(sharing) = &self.sharing {
            sharing.mark.remove();
        }
        if self.is_temporary && self.lock.get().is_some() {
            remove_folder(&self.path);
        }
    }

    fn lock(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.path.join(LOCK_NAME))?;
        match &self.sharing {
            None => file.try_lock()?,
            Some(_) => match file.try_lock_shared() {
                // A program that uses it for itself alone.
                Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => {
                    log::debug!("the file system of the shared files has no locks ({error})");
                }
                Ok(()) => {}
            },
        }
        if self.is_temporary {
            file.write_all(TEMPORARY_MARK)?;
        }
        self.lock.set(file).map_err(|_| ErrorKind::AlreadyExists.into())
    }

    /// Removes what never arrived, and files that no event names: where nodes share the folder, what has lain there for
    /// long.
    fn tidy(&self, kept: &HashSet<FileId>) -> io::Result<()> {
        let (mut found, mut removed) = (0, 0);
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let id = FileId::parse(name);
            let is_mark = || self.sharing.is_none() && node_of_mark(name).is_some();
            if id.is_some_and(|id| kept.contains(&id)) {
                found += 1;
            } else if (id.is_some() || is_part(name) || is_mark()) && self.may_remove(&entry)? {
                match fs::remove_file(entry.path()) {
                    // Another node has.
                    Err(error) if error.kind() == ErrorKind::NotFound && self.sharing.is_some() => {}
                    result => result.map(|()| removed += 1)?,
                }
            }
        }
        if removed > 0 {
            log::info!("{removed} files were removed that had not arrived, or are shared no more");
        }
        warn_of_missing(kept.len().saturating_sub(found));
        Ok(())
    }

    /// Whether it is a file, and no other node's that is about to be shared.
    fn may_remove(&self, entry: &DirEntry) -> io::Result<bool> {
        let found = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            found => found?,
        };
        Ok(found.is_file() && self.sharing.as_ref().is_none_or(|sharing| sharing.mark.is_left_over(&found)))
    }
}

/// Whether the folder is there; if not, it can be made.
fn is_there(path: &Path) -> Result<bool, UnusableFolder> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => {
            let path = path.display();
            Err(UnusableFolder(format!("{path} is a file; name a folder with --files.")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            if parent.is_some_and(|parent| !parent.is_dir()) {
                let path = path.display();
                return Err(UnusableFolder(format!("There is no folder for {path} to be in; create it first.")));
            }
            Ok(false)
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Makes the names in a folder last.
fn sync(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and needs not be synced.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn warn_of_missing(missing: usize) {
    if missing > 0 {
        log::warn!("{missing} files that were shared are not in their folder");
    }
}

/// Whether it is the name of a file that is arriving, here or at a node that shares the folder.
fn is_part(name: &str) -> bool {
    let number = name.strip_suffix(".part").map(|name| name.strip_suffix(".new").unwrap_or(name));
    let number = number.map(|number| match number.split_once('-') {
        Some((node, number)) if is_node_number(node) => number,
        _ => number,
    });
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes temporary folders whose programs are gone.
fn remove_left_folders(parent: &Path) {
    let is_temporary = |name: &str| {
        let unique = name.strip_prefix(TEMPORARY_NAME).unwrap_or_default();
        unique.len() == UNIQUE_LETTERS && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|file_type| file_type.is_dir());
        if !is_folder || !entry.file_name().to_str().is_some_and(is_temporary) {
            continue;
        }
        // Whoever made it writes the mark once it holds the lock.
        let Ok(mut lock) = File::open(entry.path().join(LOCK_NAME)) else { continue };
        let mut mark = Vec::new();
        let is_left = lock.try_lock().is_ok() && lock.read_to_end(&mut mark).is_ok() && mark == TEMPORARY_MARK;
        if is_left {
            remove_folder(&entry.path());
        }
    }
}

/// Removes files of ours, and the folder if that was all.
fn remove_folder(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = |name: &str| FileId::parse(name).is_some() || is_part(name) || name == LOCK_NAME;
        if name.to_str().is_some_and(is_ours) {
            // It goes when the system clears its temporary folder.
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

fn unusable(path: &Path, error: &io::Error) -> UnusableFolder {
    let path = path.display();
    UnusableFolder(match error.kind() {
        ErrorKind::WouldBlock => format!(
            "The folder {path} of shared files is in use by another program, most likely a snugd: stop that one, or \
             name another folder with --files."
        ),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("The folder {path} of shared files cannot be written; give this user the right to write it.")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("There is no room left on the disk of {path}; make some.")
        }
        _ => format!(
            "The folder {path} of shared files cannot be used ({error}); name another one with --files, or --files off."
        ),
    })
}

/// The folder that the options name: `data` is the data file. `None`: no files are shared.
pub(super) fn find(
    place: &FilesPlace,
    data: Option<&Path>,
    kept: &HashSet<FileId>,
) -> Result<Option<Folder>, UnusableFolder> {
    match (place, data) {
        (FilesPlace::Off, _) => Ok(None),
        (FilesPlace::Folder(path), _) => Folder::open(path, kept).map(Some),
        (FilesPlace::BesideData, Some(data)) => Folder::open(&folder_beside(data), kept).map(Some),
        (FilesPlace::Temporary, _) | (FilesPlace::BesideData, None) => Ok(Some(Folder::temporary())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_temporary_folder_that_cannot_be_locked_is_not_in_the_way_of_another() {
        const LONGEST_PATH_BYTES: usize = 4095;
        let place = std::env::temp_dir().join(format!("snugd-folder-{}", std::process::id()));
        let mut path = place.clone();
        while path.as_os_str().len() + 300 < LONGEST_PATH_BYTES {
            path.push("x".repeat(200));
        }
        fs::create_dir_all(&path).expect("a folder");
        // It can be made, and nothing in it has a name that is short enough.
        path.push("x".repeat(LONGEST_PATH_BYTES - 2 - path.as_os_str().len() - 100));
        fs::create_dir_all(&path).expect("a folder");
        path.push("x".repeat(97));
        let folder = Folder { path: path.clone(), is_temporary: true, sharing: None, lock: OnceLock::new() };
        assert!(folder.make().is_err());
        assert!(!path.exists());
        let _ = fs::remove_dir_all(&place);
    }

    #[test]
    fn only_names_that_it_gives_are_its_own() {
        for name in [
            "0.part",
            "17.part",
            "18446744073709551615.new.part",
            "00000000deadbeef-7.part",
            "0123456789abcdef-7.new.part",
        ] {
            assert!(is_part(name), "{name}");
        }
        for name in [".part", "film.part", "film.new.part", "17", "17.part.zip", "-1.part", "17.old.part", "1-7.part"] {
            assert!(!is_part(name), "{name}");
        }
        assert_eq!(node_of_mark("snugd-node-00000000deadbeef"), Some(NodeId(0xdead_beef)));
        for name in ["snugd-node-", "snugd-node-deadbeef", "snugd-node-00000000DEADBEEF", "00000000deadbeef"] {
            assert_eq!(node_of_mark(name), None, "{name}");
        }
    }
}
